/* The state file: what is read is what was written, and nothing else is taken for one. */
#include "cluster/local.h"
#include "tests/fuzz.h"

static void
check_state(const struct local_state *s)
{
	REQUIRE(strlen(s->uid) == 36 && s->sequence >= 0);
	REQUIRE(s->epoch >= 1 && s->epoch <= MSG_EPOCH_MAX);
	REQUIRE(s->ipv4.nchanges <= MSG_CHANGES_MAX && s->ipv6.nchanges <= MSG_CHANGES_MAX);
	REQUIRE(s->ipv4.address.family != ADDRESS_IPV6 && s->ipv6.address.family != ADDRESS_IPV4);
	REQUIRE(s->ipv4.detected_at >= 0 && s->ipv6.confirmed_at >= 0);
	for (size_t i = 0; i < s->ipv4.nchanges; i++)
		REQUIRE(s->ipv4.changes[i].address.family == ADDRESS_IPV4);
	for (size_t i = 0; i < s->ipv6.nchanges; i++)
		REQUIRE(s->ipv6.changes[i].address.family == ADDRESS_IPV6);
}

static void
check_accepted(const struct local_state *s)
{
	char *text = local_print(s), *again_text;
	size_t len = strlen(text);
	struct local_state again;
	const char *why;

	check_state(s);
	REQUIRE(local_parse(text, len, &again, &why) == 0);
	again_text = local_print(&again);
	REQUIRE(strcmp(text, again_text) == 0);
	/* a write that was cut short anywhere is never taken for a state */
	for (size_t cut = 0; cut < len; cut += len / 16 + 1)
		REQUIRE(local_parse(text, cut, &again, &why) != 0 && fuzz_is_phrase(why));
	REQUIRE(local_parse(text, len - 1, &again, &why) != 0);
	free(text);
	free(again_text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct local_state s;
	const char *why = NULL;

	if (local_parse((const char *)data, size, &s, &why) == 0)
		check_accepted(&s);
	else
		REQUIRE(fuzz_is_phrase(why));
	return 0;
}
