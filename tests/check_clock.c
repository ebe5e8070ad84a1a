#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

START_TEST(writes_and_reads_known_moments)
{
	static const struct {
		int64_t ms;
		const char *iso, *plain;
	} moments[] = {
		{ 1000, "1970-01-01T00:00:01Z", "1970-01-01 00:00:01" },
		{ 951782400000, "2000-02-29T00:00:00Z", "2000-02-29 00:00:00" },
		{ 1709251199000, "2024-02-29T23:59:59Z", "2024-02-29 23:59:59" },
		{ 1795345453000, "2026-11-22T11:04:13Z", "2026-11-22 11:04:13" },
		{ 2147483648000, "2038-01-19T03:14:08Z", "2038-01-19 03:14:08" },
		{ 253402300799000, "9999-12-31T23:59:59Z", "9999-12-31 23:59:59" },
	};
	char text[21];

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		ck_assert_str_eq(clock_iso(moments[i].ms, text, sizeof(text)), moments[i].iso);
		ck_assert_int_eq(clock_parse_iso(moments[i].iso), moments[i].ms);
		ck_assert_str_eq(clock_plain(moments[i].ms, text, 20), moments[i].plain);
	}
}
END_TEST

START_TEST(writes_nothing_for_no_moment)
{
	char text[21];

	ck_assert_str_eq(clock_iso(0, text, sizeof(text)), "");
	ck_assert_str_eq(clock_iso(-1, text, sizeof(text)), "");
	ck_assert_str_eq(clock_plain(0, text, sizeof(text)), "");
	ck_assert_str_eq(clock_plain(INT64_MIN, text, sizeof(text)), "");
	/* a year of five digits has no room */
	ck_assert_str_eq(clock_iso(253402300800000, text, sizeof(text)), "");
	ck_assert_str_eq(clock_iso(INT64_MAX, text, sizeof(text)), "");
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	char text[32];

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 2000; n++) {
		int64_t seconds = 1 + ((int64_t)random() << 8 | (random() & 0xFF)) % 253402300799;
		int ms = (int)(random() % 1000);

		clock_iso(seconds * 1000 + ms, text, sizeof(text));
		ck_assert_msg(clock_parse_iso(text) == seconds * 1000, "%s", text);
		snprintf(text + strlen(text) - 1, 8, ".%03dZ", ms);
		ck_assert_msg(clock_parse_iso(text) == seconds * 1000 + ms, "%s", text);
	}
}
END_TEST

START_TEST(reads_fractions_to_the_millisecond)
{
	static const struct {
		const char *text;
		int ms;
	} fractions[] = {
		{ "2026-11-22T11:04:13.5Z", 500 },
		{ "2026-11-22T11:04:13.05Z", 50 },
		{ "2026-11-22T11:04:13.000Z", 0 },
		{ "2026-11-22T11:04:13.999999Z", 999 }, /* the microseconds of Kubernetes */
		{ "2026-11-22T11:04:13.123456789012345678901234567890Z", 123 },
	};

	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
		ck_assert_int_eq(clock_parse_iso(fractions[i].text),
				 1795345453000 + fractions[i].ms);
}
END_TEST

static const char *const not_moments[] = {
	"",
	"Z",
	"2026-11-22",
	"2026-11-22T11:04:13",
	"2026-11-22T11:04:13z",
	"2026-11-22 11:04:13Z",
	"2026-11-22t11:04:13Z",
	"2026-11-22T11:04Z",
	"2026-11-22T11:04:13+00:00",
	"2026-11-22T11:04:13Z ",
	" 2026-11-22T11:04:13Z",
	"2026-11-22T11:04:13ZZ",
	"2026-11-22T11:04:13.Z",
	"2026-11-22T11:04:13,5Z",
	"2026-11-22T11:04:13.-5Z",
	"2026-11-22T11:04:13.5",
	"26-11-22T11:04:13Z",
	"02026-11-22T11:04:13Z",
	"2026-1-22T11:04:13Z",
	"2026-11-2T11:04:13Z",
	"2026/11/22T11:04:13Z",
	"-026-11-22T11:04:13Z",
	"+026-11-22T11:04:13Z",
	"2026-00-22T11:04:13Z",
	"2026-13-22T11:04:13Z",
	"2026-11-00T11:04:13Z",
	"2026-11-31T11:04:13Z",
	"2026-02-29T00:00:00Z",
	"2024-02-30T00:00:00Z",
	"2100-02-29T00:00:00Z",
	"2026-12-32T00:00:00Z",
	"2026-11-22T24:00:00Z",
	"2026-11-22T11:60:00Z",
	"2026-11-22T11:04:60Z",
	"2026-11-22T11:04:99Z",
	"1970-01-01T00:00:00Z", /* 0 stands for no moment */
	"1969-12-31T23:59:59Z",
	"0000-00-00T00:00:00Z",
	"never",
};

START_TEST(refuses_what_is_no_moment)
{
	ck_assert_msg(clock_parse_iso(not_moments[_i]) == 0, "taken for a moment: %s",
		      not_moments[_i]);
}
END_TEST

START_TEST(words_spans)
{
	static const struct {
		int64_t ms;
		const char *text;
	} spans[] = {
		{ -1, "-" },
		{ INT64_MIN, "-" },
		{ 0, "0 ms" },
		{ 850, "850 ms" },
		{ 999, "999 ms" },
		{ 1000, "1 s" },
		{ 42000, "42 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min 0 s" },
		{ 200000, "3 min 20 s" },
		{ 3599999, "59 min 59 s" },
		{ 3600000, "1 h 0 min" },
		{ 18720000, "5 h 12 min" },
		{ 86399999, "23 h 59 min" },
		{ 86400000, "1 d 0 h" },
		{ 792000000, "9 d 4 h" },
		{ INT64_MAX, "106751991167 d 7 h" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		ck_assert_str_eq(clock_span(spans[i].ms, text, sizeof(text)), spans[i].text);
}
END_TEST

START_TEST(moves_forward)
{
	int64_t start = clock_now(), wall = clock_wall(), last = start;

	while (last - start < 20) {
		int64_t now = clock_now();

		ck_assert_int_ge(now, last);
		last = now;
	}
	ck_assert_int_gt(start, 0);
	/* after 2020, and not in another unit */
	ck_assert_int_gt(wall, 1577836800000);
	ck_assert_int_lt(wall, 253402300800000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, writes_and_reads_known_moments);
	tcase_add_test(tc, writes_nothing_for_no_moment);
	tcase_add_loop_test(tc, reads_what_it_wrote, 0, 5);
	tcase_add_test(tc, reads_fractions_to_the_millisecond);
	tcase_add_loop_test(tc, refuses_what_is_no_moment, 0,
			    (int)(sizeof(not_moments) / sizeof(not_moments[0])));
	tcase_add_test(tc, words_spans);
	tcase_add_test(tc, moves_forward);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
