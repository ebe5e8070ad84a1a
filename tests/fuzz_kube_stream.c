/* A watch's stream: however its bytes are cut, the same events come out of it. */
#include "cluster/kube_private.h"
#include "tests/fuzz.h"

static void
add_event(struct buf *out, const struct buf *line)
{
	struct kube_watch_event ev;
	const char *why = NULL;
	cJSON *root;
	int n;

	REQUIRE(memchr(buf_text(line), '\n', line->len) == NULL);
	n = kube_event_read(buf_text(line), line->len, &ev, &root, &why);
	buf_printf(out, "%d", n);
	if (n < 0)
		REQUIRE(fuzz_is_phrase(why));
	if (n > 0) {
		REQUIRE(cJSON_IsObject(ev.object) && ev.error[0] == '\0');
		REQUIRE(ev.kind != KUBE_OPENED && ev.kind != KUBE_CLOSED);
		REQUIRE(strlen(ev.version) < API_VERSION_MAX && ev.retry_after_ms == -1);
		REQUIRE((ev.outcome != API_OK) == (ev.kind == KUBE_ERROR));
		buf_printf(out, " %d %s", (int)ev.kind, ev.version);
	}
	buf_addc(out, ';');
	cJSON_Delete(root);
}

/* The events, in words, of what comes in pieces of so many bytes. */
static char *
events(const char *data, size_t size, size_t piece)
{
	struct kube_stream stream = { .whole = false };
	struct buf out = BUF_INIT;

	for (size_t at = 0; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		const char *some = data + at;

		while (kube_stream_next(&stream, &some, &len))
			add_event(&out, &stream.line);
		REQUIRE(len == 0 && !stream.too_long);
	}
	REQUIRE(kube_stream_ended_well(&stream) == (size == 0 || data[size - 1] == '\n'));
	kube_stream_clear(&stream);
	buf_adds(&out, "");
	return buf_take(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *whole = events((const char *)data, size, size > 0 ? size : 1);
	char *bytes = events((const char *)data, size, 1);
	char *pieces = events((const char *)data, size, 7);

	REQUIRE(strcmp(whole, bytes) == 0 && strcmp(whole, pieces) == 0);
	free(whole);
	free(bytes);
	free(pieces);
	return 0;
}
