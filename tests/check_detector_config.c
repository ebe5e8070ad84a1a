#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "detector/config.h"

#define HEAD                                                                                       \
	"{\"v\":1,\"unit\":\"detector\",\"version\":\"1.2\",\"runtime_dir\":\"/run/esddns\","      \
	"\"state_dir\":\"/var/lib/esddns\",\"log\":{\"level\":\"info\",\"format\":\"auto\"},"      \
	"\"cluster\":{\"backend\":\"local\"},"
#define LIMITS                                                                                     \
	"\"interval\":300000,\"tripwire\":15000,\"timeout\":5000,\"quorum\":0,\"confirm\":2000,"   \
	"\"min_change_interval\":60000,\"allow_reserved\":false,\"ca_file\":null,"
#define HTTPS                                                                                      \
	"{\"operator\":\"ipify\",\"kind\":\"https\",\"url\":\"https://api.ipify.org\","            \
	"\"host\":\"api.ipify.org\",\"port\":443,\"format\":\"json\",\"key\":\"ip\","              \
	"\"families\":[\"ipv4\"]}"
#define STUN                                                                                       \
	"{\"operator\":\"google\",\"kind\":\"stun\",\"url\":null,\"host\":\"stun.example\","       \
	"\"port\":19302,\"format\":\"plain\",\"key\":null,\"families\":[\"ipv4\",\"ipv6\"]}"
#define GOOD HEAD "\"families\":[\"ipv4\",\"ipv6\"]," LIMITS "\"sources\":[" HTTPS "," STUN "]}"

static struct detector_config *
read_text(const char *text, const char **why)
{
	cJSON *part = json_parse(text, strlen(text), why);
	struct detector_config *c;

	ck_assert_msg(part != NULL, "%s: %s", *why, text);
	c = detector_config_read(part, why);
	cJSON_Delete(part);
	return c;
}

START_TEST(takes_everything_from_the_part)
{
	const struct detector_source *list[4];
	const char *why;
	struct detector_config *c = read_text(GOOD, &why);

	ck_assert_ptr_null(why);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(c->version, "1.2");
	ck_assert_str_eq(c->runtime_dir, "/run/esddns");
	ck_assert_str_eq(c->state_dir, "/var/lib/esddns");
	ck_assert_ptr_null(c->ca_file);
	ck_assert(c->families[ADDRESS_IPV4] && c->families[ADDRESS_IPV6]);
	ck_assert_int_eq(c->timeout_ms, 5000);
	ck_assert_int_eq(c->rounds.interval_ms, 300000);
	ck_assert_int_eq(c->rounds.tripwire_ms, 15000);
	ck_assert_int_eq(c->rounds.confirm_ms, 2000);
	ck_assert_int_eq(c->rounds.min_change_ms, 60000);
	ck_assert_uint_eq(c->agreement.quorum, 0);
	ck_assert(!c->agreement.allow_reserved);
	ck_assert_uint_eq(c->nsources, 2);
	ck_assert_str_eq(c->sources[0].operator, "ipify");
	ck_assert_int_eq(c->sources[0].kind, SOURCE_HTTPS);
	ck_assert_str_eq(c->sources[0].url, "https://api.ipify.org");
	ck_assert_int_eq(c->sources[0].format, ANSWER_JSON);
	ck_assert_str_eq(c->sources[0].key, "ip");
	ck_assert(c->sources[0].families[ADDRESS_IPV4] && !c->sources[0].families[ADDRESS_IPV6]);
	ck_assert_int_eq(c->sources[1].kind, SOURCE_STUN);
	ck_assert_ptr_null(c->sources[1].url);
	ck_assert_str_eq(c->sources[1].host, "stun.example");
	ck_assert_uint_eq(c->sources[1].port, 19302);
	ck_assert_uint_eq(detector_config_tripwires(c, ADDRESS_IPV6, list, 4), 1);
	ck_assert_ptr_eq(list[0], &c->sources[1]);
	ck_assert_uint_eq(detector_config_tripwires(c, ADDRESS_IPV4, list, 0), 0);
	detector_config_free(c);
}
END_TEST

/* The good part with one piece of text replaced. */
static const struct {
	const char *from, *to, *why;
} faults[] = {
	{ "\"version\":\"1.2\",", "", "version is missing" },
	{ "\"/run/esddns\"", "7", "runtime_dir is missing" },
	{ "\"/var/lib/esddns\"", "\"\"", "state_dir is missing" },
	{ "\"ca_file\":null", "\"x\":null", "ca_file is malformed" },
	{ "\"families\":[\"ipv4\",\"ipv6\"],\"interval\"", "\"interval\"",
	  "families are malformed" },
	{ "\"families\":[\"ipv4\",\"ipv6\"],\"interval\"",
	  "\"families\":[\"ipv4\",\"ipv4\"],\"interval\"", "families are malformed" },
	{ "\"families\":[\"ipv4\",\"ipv6\"],\"interval\"", "\"families\":[\"ipv5\"],\"interval\"",
	  "families are malformed" },
	{ "\"families\":[\"ipv4\",\"ipv6\"],\"interval\"", "\"families\":[4],\"interval\"",
	  "families are malformed" },
	{ "\"interval\":300000", "\"interval\":0", "interval is not a duration" },
	{ "\"interval\":300000", "\"interval\":1.5", "interval is not a duration" },
	{ "\"tripwire\":15000", "\"tripwire\":-1", "tripwire is not a duration" },
	{ "\"confirm\":2000", "\"confirm\":\"2s\"", "confirm is not a duration" },
	{ "\"min_change_interval\":60000", "\"min_change_interval\":null",
	  "min_change_interval is not a duration" },
	{ "\"timeout\":5000", "\"timeout\":0", "timeout is not a duration" },
	{ "\"quorum\":0", "\"quorum\":17", "quorum is not a number of operators" },
	{ "\"allow_reserved\":false", "\"allow_reserved\":0",
	  "allow_reserved is neither true nor false" },
	{ "\"sources\":[", "\"sourcez\":[", "sources are missing" },
	{ "\"operator\":\"ipify\"", "\"operator\":\"\"",
	  "a source has no operator, or one whose name is too long" },
	{ "\"operator\":\"ipify\"",
	  "\"operator\":\"0123456789012345678901234567890123456789012345678\"",
	  "a source has no operator, or one whose name is too long" },
	{ "\"kind\":\"https\"", "\"kind\":\"gopher\"", "a source is of an unknown kind" },
	{ "\"kind\":\"https\"", "\"kind\":null", "a source is of an unknown kind" },
	{ "\"url\":\"https://api.ipify.org\"", "\"url\":null", "an HTTP source has no url" },
	{ "\"url\":\"https://api.ipify.org\"", "\"url\":1",
	  "a source has a malformed url or host" },
	{ "\"host\":\"stun.example\"", "\"host\":null", "a source has a malformed url or host" },
	{ "\"port\":19302", "\"port\":65536", "a source has no usable port" },
	{ "\"port\":19302", "\"port\":0", "a source has no usable port" },
	{ "\"format\":\"plain\"", "\"format\":\"xml\"", "a source has an unknown format" },
	{ "\"key\":\"ip\"", "\"key\":null", "a source has no usable key" },
	{ "\"families\":[\"ipv4\"]", "\"families\":\"ipv4\"", "a source has malformed families" },
};

START_TEST(refuses_a_malformed_part)
{
	const char *at = strstr(GOOD, faults[_i].from), *why;
	char text[4096];

	ck_assert_msg(at != NULL, "%s", faults[_i].from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, faults[_i].to,
		 at + strlen(faults[_i].from));
	ck_assert_ptr_null(read_text(text, &why));
	ck_assert_str_eq(why, faults[_i].why);
}
END_TEST

static char *
with_sources(size_t n, bool one_operator)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, HEAD "\"families\":[\"ipv4\"]," LIMITS "\"sources\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(
			&b,
			"%s{\"operator\":\"op%zu\",\"kind\":\"stun\",\"url\":null,\"host\":\"h\","
			"\"port\":3478,\"format\":\"plain\",\"key\":null,\"families\":[\"ipv4\"]}",
			i ? "," : "", one_operator ? 0 : i);
	buf_adds(&b, "]}");
	return buf_take(&b);
}

static void
expect_sources(size_t n, bool one_operator, const char *wanted)
{
	char *text = with_sources(n, one_operator);
	const char *why;
	struct detector_config *c = read_text(text, &why);

	ck_assert_int_eq(c == NULL, *wanted != '\0');
	ck_assert_str_eq(why ? why : "", wanted);
	detector_config_free(c);
	free(text);
}

START_TEST(bounds_sources_and_operators)
{
	expect_sources(0, true, "");
	expect_sources(DETECTOR_SOURCES_MAX, true, "");
	expect_sources(DETECTOR_SOURCES_MAX + 1, true, "there are too many sources");
	expect_sources(MSG_VOTES_MAX, false, "");
	expect_sources(MSG_VOTES_MAX + 1, false, "there are too many operators for one family");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("detector_config");
	TCase *tc = tcase_create("detector_config");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, takes_everything_from_the_part);
	tcase_add_loop_test(tc, refuses_a_malformed_part, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(tc, bounds_sources_and_operators);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
