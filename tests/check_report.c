/* What rounds mean for the metrics of each source. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "detector/report.h"

static const struct detector_config config = {
	.nsources = 3,
	.sources = { { .operator= "alpha", .kind = SOURCE_HTTPS },
		     { .operator= "bravo", .kind = SOURCE_HTTPS },
		     { .operator= "stun", .kind = SOURCE_STUN } },
};

static struct address
address(const char *text)
{
	struct address a;

	ck_assert(address_parse_text(text, &a));
	return a;
}

static double
value(const struct metrics *m, enum metric id, const char *service, const char *reason)
{
	for (size_t i = 0; i < metrics_count(m, id); i++) {
		const struct metric_sample *s = metrics_at(m, id, i);

		if (strcmp(s->labels[0], service) == 0 &&
		    (reason == NULL || strcmp(s->labels[1], reason) == 0))
			return s->value;
	}
	return -1;
}

static void
take(struct report *r, struct ballot *ballots, size_t n, bool allow_reserved, bool complete)
{
	static const struct address none = { .family = ADDRESS_NONE };
	const struct agreement_limits limits = { .allow_reserved = allow_reserved };
	struct agreement a;
	struct report_round round = { .family = ADDRESS_IPV4,
				      .agreement = &a,
				      .ballots = ballots,
				      .nballots = n,
				      .allow_reserved = allow_reserved,
				      .complete = complete };

	agreement_judge(&limits, ballots, n, &none, &a);
	round.right = a.address;
	report_take_round(r, &round);
}

START_TEST(each_source_is_counted)
{
	struct metrics *m = metrics_new();
	struct report *r = report_new(m, &config);
	struct ballot ballots[] = {
		{ .operator= "alpha", .answer = address("198.20.0.7"), .duration_ms = 20 },
		{ .operator= "bravo",
		  .error = "answered with status 503",
		  .reason = "status",
		  .duration_ms = 30 },
		{ .operator= "stun",
		  .kind = SOURCE_STUN,
		  .answer = address("198.20.0.7"),
		  .duration_ms = 5 },
	};

	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "bravo", NULL), 0);
	take(r, ballots, 3, false, true);
	ballots[1].reason = "timeout";
	ballots[2].answer = address("198.20.0.8");
	take(r, ballots, 3, false, true);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "alpha", NULL), 2);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "bravo", NULL), 0);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "stun", NULL), 2);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ERRORS, "bravo", "status"), 1);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ERRORS, "bravo", "timeout"), 1);
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_ERRORS), 2);
	ck_assert_double_eq_tol(value(m, METRIC_WAN_IP_SOURCE_SECONDS, "bravo", NULL), .06, 1e-9);
	ck_assert_double_eq_tol(value(m, METRIC_WAN_IP_SOURCE_SECONDS, "stun", NULL), .01, 1e-9);
	report_free(r);
	metrics_free(m);
}
END_TEST

START_TEST(an_address_that_cannot_be_public_is_an_error)
{
	struct metrics *m = metrics_new();
	struct report *r = report_new(m, &config);
	struct ballot ballot = { .operator= "alpha", .answer = address("10.0.0.1") };

	take(r, &ballot, 1, false, true);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ERRORS, "alpha", "not-public"), 1);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "alpha", NULL), 0);
	take(r, &ballot, 1, true, true);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ERRORS, "alpha", "not-public"), 1);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_ANSWERS, "alpha", NULL), 1);
	report_free(r);
	metrics_free(m);
}
END_TEST

/* A round that was decided early says nothing about those that were still asked. */
START_TEST(who_was_not_waited_for_has_not_failed)
{
	struct metrics *m = metrics_new();
	struct report *r = report_new(m, &config);
	struct ballot ballots[] = {
		{ .operator= "alpha", .answer = address("198.20.0.7") },
		{ .operator= "bravo", .error = "had not answered when the round was decided" },
	};

	take(r, ballots, 2, false, false);
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_ERRORS), 0);
	ck_assert_double_eq(value(m, METRIC_WAN_IP_SOURCE_SECONDS, "bravo", NULL), -1);
	report_free(r);
	metrics_free(m);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("report");
	TCase *tc = tcase_create("sources");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, each_source_is_counted);
	tcase_add_test(tc, an_address_that_cannot_be_public_is_an_error);
	tcase_add_test(tc, who_was_not_waited_for_has_not_failed);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
