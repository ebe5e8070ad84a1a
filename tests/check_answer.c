#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "detector/answer.h"

static void
expect(enum answer_format format, const char *body, size_t len, enum address_family wanted,
       const char *address, const char *reason)
{
	char text[ADDRESS_TEXT_MAX];
	const char *why = "";
	struct address a;
	int result = answer_parse(format, "ip", body, len, wanted, &a, &why);

	ck_assert_str_eq(why, reason);
	ck_assert_int_eq(result, *reason ? -1 : 0);
	ck_assert_str_eq(address_format(&a, text, sizeof(text)), address);
}

struct sample {
	enum answer_format format;
	enum address_family wanted;
	const char *body, *address, *reason;
};

static const struct sample samples[] = {
	/* plain: one address, white space around it */
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7", "198.20.0.7", "" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, " \t198.20.0.7\r\n\n", "198.20.0.7", "" },
	{ ANSWER_PLAIN, ADDRESS_IPV6, "2001:200::7\n", "2001:200::7", "" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "10.0.0.1", "10.0.0.1", "" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "", "", "is empty" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, " \r\n", "", "is empty" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "error", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "<!DOCTYPE html><p>198.20.0.7</p>", "",
	  "is an HTML page, not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7 198.20.0.8", "", "has more than one address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7\n198.20.0.7\n", "", "has more than one address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "Your address is 198.20.0.7", "",
	  "has more in it than an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7 ok", "", "has more in it than an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7,198.20.0.8", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7\v", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.000.7", "", "has an address with leading zeros" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.07", "", "has an address with leading zeros" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "1.2.3", "",
	  "has dots and digits, but not exactly four numbers" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "1.2.3.4.5", "",
	  "has dots and digits, but not exactly four numbers" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "1.2..4", "",
	  "has dots and digits, but not exactly four numbers" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "3323068423", "",
	  "has dots and digits, but not exactly four numbers" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.256", "", "has a number above 255" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "0x12.20.0.7", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7/32", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "198.20.0.7:80", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV6, "[2001:200::7]", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV6, "fe80::1%eth0", "", "is not an address" },
	{ ANSWER_PLAIN, ADDRESS_IPV6, "::ffff:198.20.0.7", "", "is an IPv4-mapped IPv6 address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "::ffff:198.20.0.7", "", "is an IPv4-mapped IPv6 address" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "2001:200::7", "", "is an IPv6 address, IPv4 was asked for" },
	{ ANSWER_PLAIN, ADDRESS_IPV6, "198.20.0.7", "", "is an IPv4 address, IPv6 was asked for" },
	{ ANSWER_PLAIN, ADDRESS_IPV4, "{\"ip\":\"198.20.0.7\"}", "", "is not an address" },

	/* trace: key=value lines */
	{ ANSWER_TRACE, ADDRESS_IPV4, "fl=1f2\nh=one.example\nip=198.20.0.7\nuag=x=y z\n",
	  "198.20.0.7", "" },
	{ ANSWER_TRACE, ADDRESS_IPV6, "ip=2001:200::7\r\nts=1.2\r\n", "2001:200::7", "" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "ip=198.20.0.7", "198.20.0.7", "" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "", "", "has no ip= line" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "skip=198.20.0.7\n", "", "has no ip= line" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "ip=198.20.0.7\nip=198.20.0.8\n", "",
	  "has more than one ip= line" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "198.20.0.7\n", "", "has a line that is not key=value" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "=198.20.0.7\n", "", "has a line that is not key=value" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "<html lang=en>\nip=198.20.0.7\n", "",
	  "has a line that is not key=value" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "ip= 198.20.0.7\n", "", "is not an address" },
	{ ANSWER_TRACE, ADDRESS_IPV4, "ip=\n", "", "is not an address" },
	{ ANSWER_TRACE, ADDRESS_IPV6, "ip=198.20.0.7\n", "",
	  "is an IPv4 address, IPv6 was asked for" },

	/* JSON: a string member of an object */
	{ ANSWER_JSON, ADDRESS_IPV4, " {\"ip\": \"198.20.0.7\", \"x\": [1]}\n", "198.20.0.7", "" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"ip\": \"198.20.0.7\"} x", "", "is not JSON" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"ip\": \"198.20.0.7\", \"ip\": \"198.20.0.8\"}", "",
	  "is not JSON" },
	{ ANSWER_JSON, ADDRESS_IPV4, "\"198.20.0.7\"", "", "is not a JSON object" },
	{ ANSWER_JSON, ADDRESS_IPV4, "[\"198.20.0.7\"]", "", "is not a JSON object" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"address\": \"198.20.0.7\"}", "",
	  "has no text under the configured key" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"IP\": \"198.20.0.7\"}", "",
	  "has no text under the configured key" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"ip\": 198}", "", "has no text under the configured key" },
	{ ANSWER_JSON, ADDRESS_IPV4, "{\"ip\": \" 198.20.0.7\"}", "", "is not an address" },
	{ ANSWER_JSON, ADDRESS_IPV4, "<html></html>", "", "is not JSON" },
	{ ANSWER_JSON, ADDRESS_IPV4, "", "", "is not JSON" },
};

START_TEST(reads_exactly_one_address_or_says_why_not)
{
	const struct sample *s = &samples[_i];

	expect(s->format, s->body, strlen(s->body), s->wanted, s->address, s->reason);
}
END_TEST

START_TEST(refuses_what_is_too_large_or_has_a_nul)
{
	char body[ANSWER_BODY_MAX + 1];

	memset(body, ' ', sizeof(body));
	memcpy(body, "198.20.0.7", 10);
	expect(ANSWER_PLAIN, body, ANSWER_BODY_MAX, ADDRESS_IPV4, "198.20.0.7", "");
	expect(ANSWER_PLAIN, body, ANSWER_BODY_MAX + 1, ADDRESS_IPV4, "", "is larger than 4 KiB");
	expect(ANSWER_PLAIN, "198.20.0.7\0", 11, ADDRESS_IPV4, "", "has a NUL byte");
	expect(ANSWER_TRACE, "ip=198.20.0.7\0\n", 15, ADDRESS_IPV4, "", "has a NUL byte");
}
END_TEST

/* Whatever comes, the length is kept to: the copy has no byte behind it. */
START_TEST(stays_within_any_body)
{
	static const char alphabet[] = "0123456789.:=ip\n\r <{}\"af";

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 2000; n++) {
		size_t len = (size_t)(random() % 40);
		char *body = malloc(len ? len : 1);
		struct address a;
		const char *why = "";
		int result;

		ck_assert_ptr_nonnull(body);
		for (size_t i = 0; i < len; i++)
			body[i] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		result = answer_parse((enum answer_format)(random() % ANSWER_FORMAT__MAX), "ip",
				      body, len, ADDRESS_IPV4, &a, &why);
		ck_assert_int_eq(a.family, result == 0 ? ADDRESS_IPV4 : ADDRESS_NONE);
		ck_assert_int_eq(*why == '\0', result == 0);
		free(body);
	}
}
END_TEST

START_TEST(knows_its_formats)
{
	ck_assert_int_eq(answer_format_of("plain"), ANSWER_PLAIN);
	ck_assert_int_eq(answer_format_of("trace"), ANSWER_TRACE);
	ck_assert_int_eq(answer_format_of("json"), ANSWER_JSON);
	ck_assert_int_eq(answer_format_of("xml"), ANSWER_FORMAT__MAX);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("answer");
	TCase *tc = tcase_create("answer");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, reads_exactly_one_address_or_says_why_not, 0,
			    sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(tc, refuses_what_is_too_large_or_has_a_nul);
	tcase_add_loop_test(tc, stays_within_any_body, 0, 10);
	tcase_add_test(tc, knows_its_formats);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
