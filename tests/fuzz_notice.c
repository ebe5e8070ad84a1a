/* The lines of sd_notify(3) that workers send to the supervisor. */
#include "supervisor/channel_super.h"
#include "tests/fuzz.h"

/* Does this line stand in the datagram? */
static bool
has_line(const char *text, size_t len, const char *line)
{
	size_t n = strlen(line);

	for (size_t at = 0; at + n <= len; at++)
		if ((at == 0 || text[at - 1] == '\n') && memcmp(text + at, line, n) == 0 &&
		    (at + n == len || text[at + n] == '\n'))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct notice n, twice;
	char *copy;

	memset(&n, 0xA5, sizeof(n));
	if (!notice_parse(text, size, &n)) {
		/* what was refused says nothing */
		return 0;
	}
	REQUIRE(size > 0 && memchr(text, '\0', size) == NULL);
	REQUIRE(n.ready == has_line(text, size, "READY=1"));
	REQUIRE(n.ping == has_line(text, size, "WATCHDOG=1"));
	REQUIRE(n.stopping == has_line(text, size, "STOPPING=1"));
	REQUIRE(n.extend_ms >= -1 && n.error_number >= 0 && n.error_number < 4096);
	REQUIRE(memchr(n.status, '\0', sizeof(n.status)) != NULL);
	REQUIRE(n.status[0] == '\0' || (n.has_status && fuzz_is_phrase(n.status)));
	/* an unknown line changes nothing, and neither does a repetition */
	copy = malloc(size + 32);
	REQUIRE(copy != NULL);
	memcpy(copy, text, size);
	memcpy(copy + size, "\nX_UNKNOWN=1", 12);
	if (notice_parse(copy, size + 12, &twice))
		REQUIRE(memcmp(&n, &twice, offsetof(struct notice, status)) == 0 &&
			strcmp(n.status, twice.status) == 0 && n.extend_ms == twice.extend_ms);
	else
		REQUIRE(size + 12 >= 4096);
	free(copy);
	return 0;
}
