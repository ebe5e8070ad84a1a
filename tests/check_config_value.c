#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/config_value.h"

START_TEST(reads_durations)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0", 0 },
		{ "1", 1000 },
		{ "300", 300000 },
		{ "1ms", 1 },
		{ "1500ms", 1500 },
		{ "10s", 10000 },
		{ "5min", 300000 },
		{ "24h", 86400000 },
		{ "007s", 7000 },
		{ "0h", 0 },
		{ "87600h", 315360000000 },
	};
	static const char *const bad[] = { "",
					   "s",
					   "ms",
					   "-1",
					   "+1s",
					   "1.5s",
					   "1 s",
					   " 1s",
					   "1s ",
					   "1m",
					   "1d",
					   "1S",
					   "1min30s",
					   "0x10",
					   "1e3",
					   "١s",
					   "999999999999999h",
					   "nan",
					   "99999999999999999999",
					   "1ss",
					   "5 parsecs" };
	int64_t ms;
	char text[24];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t again;

		ck_assert_msg(config_duration_parse(good[i].text, &ms), "%s", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
		/* what is shown is read as the same */
		ck_assert(config_duration_parse(config_duration_text(ms, text, sizeof(text)),
						&again));
		ck_assert_int_eq(again, ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!config_duration_parse(bad[i], &ms), "'%s'", bad[i]);
	ck_assert_str_eq(config_duration_text(90000, text, sizeof(text)), "90s");
	ck_assert_str_eq(config_duration_text(500, text, sizeof(text)), "500ms");
	ck_assert_str_eq(config_duration_text(7200000, text, sizeof(text)), "2h");
}
END_TEST

START_TEST(takes_urls_apart)
{
	static const struct {
		const char *text;
		enum config_scheme scheme;
		const char *host;
		uint16_t port;
	} good[] = {
		{ "https://a.example", CONFIG_SCHEME_HTTPS, "a.example", 443 },
		{ "https://a.example/x?y=z", CONFIG_SCHEME_HTTPS, "a.example", 443 },
		{ "https://a.example?y", CONFIG_SCHEME_HTTPS, "a.example", 443 },
		{ "http://localhost:8081/p@th", CONFIG_SCHEME_HTTP, "localhost", 8081 },
		{ "https://[2001:db8::1]:8443/", CONFIG_SCHEME_HTTPS, "2001:db8::1", 8443 },
		{ "https://192.0.2.1", CONFIG_SCHEME_HTTPS, "192.0.2.1", 443 },
		{ "stun:a.example", CONFIG_SCHEME_STUN, "a.example", 3478 },
		{ "stun:a.example:19302", CONFIG_SCHEME_STUN, "a.example", 19302 },
		{ "stun-tcp:[::1]:65535", CONFIG_SCHEME_STUN_TCP, "::1", 65535 },
	};
	static const char *const bad[] = {
		"",
		"a.example",
		"HTTPS://a.example",
		"https:a.example",
		"https://a.example:",
		"https://a.example:+1",
		"https://a.example:999999999",
		"https://a..example",
		"https://.a.example",
		"https://a.example.",
		"https://[fe80::1%eth0]/",
		"https://[]/",
		"https://256.0.0.1/",
		"https://a.example\\b",
		"https://\xC3\xA4.example",
		"stun:[::1]:",
		"stun:a:b:1",
	};
	struct config_url url;
	char long_url[CONFIG_URL_MAX + 20];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *why = config_url_parse(good[i].text, &url);

		ck_assert_msg(why == NULL, "%s %s", good[i].text, why);
		ck_assert_int_eq(url.scheme, good[i].scheme);
		ck_assert_str_eq(url.host, good[i].host);
		ck_assert_uint_eq(url.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(config_url_parse(bad[i], &url) != NULL, "'%s'", bad[i]);
	memset(long_url, 'a', sizeof(long_url));
	memcpy(long_url, "https://a/", 10);
	long_url[CONFIG_URL_MAX - 1] = '\0';
	ck_assert_ptr_null(config_url_parse(long_url, &url));
	long_url[CONFIG_URL_MAX - 1] = 'a';
	long_url[CONFIG_URL_MAX] = '\0';
	ck_assert_ptr_nonnull(config_url_parse(long_url, &url));
}
END_TEST

START_TEST(knows_loopback_hosts)
{
	ck_assert(config_host_is_loopback("localhost"));
	ck_assert(config_host_is_loopback("127.0.0.1"));
	ck_assert(config_host_is_loopback("127.255.255.255"));
	ck_assert(config_host_is_loopback("::1"));
	ck_assert(!config_host_is_loopback("128.0.0.1"));
	ck_assert(!config_host_is_loopback("::2"));
	ck_assert(!config_host_is_loopback("localhost.example.com"));
	ck_assert(!config_host_is_loopback("127.0.0.1.example.com"));
}
END_TEST

START_TEST(reads_signals)
{
	ck_assert_int_eq(config_signal_parse("TERM"), SIGTERM);
	ck_assert_int_eq(config_signal_parse("SIGTERM"), SIGTERM);
	ck_assert_int_eq(config_signal_parse("15"), SIGTERM);
	ck_assert_int_eq(config_signal_parse("SIGSYS"), SIGSYS);
	ck_assert_int_eq(config_signal_parse("sigterm"), 0);
	ck_assert_int_eq(config_signal_parse("SIG"), 0);
	ck_assert_int_eq(config_signal_parse("0"), 0);
	ck_assert_int_eq(config_signal_parse("64"), 0);
}
END_TEST

START_TEST(guesses_what_was_meant)
{
	static const char *const names[] = { "interval", "timeout", NULL, "ttl", "tripwire" };

	ck_assert_str_eq(config_nearest("intervall", names, 5), "interval");
	ck_assert_str_eq(config_nearest("Interval", names, 5), "interval");
	ck_assert_str_eq(config_nearest("timeuot", names, 5), "timeout");
	ck_assert_str_eq(config_nearest("tll", names, 5), "ttl");
	ck_assert_ptr_null(config_nearest("provider", names, 5));
	ck_assert_ptr_null(config_nearest("", names, 5));
	ck_assert_ptr_null(config_nearest("x", names, 5));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_value");
	TCase *tc = tcase_create("values");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, reads_durations);
	tcase_add_test(tc, takes_urls_apart);
	tcase_add_test(tc, knows_loopback_hosts);
	tcase_add_test(tc, reads_signals);
	tcase_add_test(tc, guesses_what_was_meant);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
