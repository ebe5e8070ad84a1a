#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/reflector.h"
#include "common/clock.h"

#define SEEDS 300

static struct reflector r;
static struct reflector_actions out;
static int64_t now;

static void
step(enum reflector_event_type type, enum api_outcome outcome, const char *version,
     int64_t retry_after_ms, uint32_t random)
{
	struct reflector_event ev = {
		.type = type, .outcome = outcome, .retry_after_ms = retry_after_ms, .random = random
	};

	strcpy(ev.version, version);
	reflector_step(&r, &ev, now, &out);
}

static void
happens(enum reflector_event_type type, enum api_outcome outcome, const char *version)
{
	step(type, outcome, version, -1, 0);
}

static void
expect(enum reflector_request_kind request, const char *version)
{
	ck_assert_int_eq(out.request, request);
	if (request == REFLECTOR_NONE)
		return;
	ck_assert_str_eq(out.version, version);
	if (request == REFLECTOR_WATCH) {
		ck_assert_int_ge(out.watch_seconds, 300);
		ck_assert_int_lt(out.watch_seconds, 600);
		ck_assert_int_eq(out.timeout_ms, (out.watch_seconds + 30) * 1000);
	} else {
		ck_assert_int_gt(out.timeout_ms, 0);
		ck_assert_int_le(out.timeout_ms, 30000);
	}
}

/* Nothing is asked now; the next thing after at least min and at most max. */
static void
expect_delay(int64_t min, int64_t max)
{
	int64_t due = reflector_next_deadline(&r);

	expect(REFLECTOR_NONE, "");
	ck_assert_msg(due - now >= min && due - now <= max, "%lld ms", (long long)(due - now));
	now = due - 1;
	happens(REFLECTOR_EV_TICK, API_OK, "");
	expect(REFLECTOR_NONE, "");
	now = due;
	happens(REFLECTOR_EV_TICK, API_OK, "");
}

/* A watch from version 5 is under way. */
static void
start(void)
{
	now = 1000000;
	reflector_init(&r, now);
	ck_assert_int_eq(reflector_next_deadline(&r), now);
	ck_assert(!reflector_current(&r));
	happens(REFLECTOR_EV_TICK, API_OK, "");
	expect(REFLECTOR_LIST, "0");
	ck_assert_int_eq(reflector_next_deadline(&r), CLOCK_NEVER);
	happens(REFLECTOR_EV_LISTED, API_OK, "5");
	expect(REFLECTOR_WATCH, "5");
	ck_assert(reflector_current(&r));
	ck_assert_int_eq(reflector_next_deadline(&r), CLOCK_NEVER);
}

/* --- versions ---------------------------------------------------------------- */

START_TEST(goes_on_from_what_it_saw_last)
{
	start();
	happens(REFLECTOR_EV_OPENED, API_OK, "");
	happens(REFLECTOR_EV_CHANGED, API_OK, "6");
	happens(REFLECTOR_EV_CHANGED, API_OK, "");
	expect(REFLECTOR_NONE, "");
	now += 1000;
	happens(REFLECTOR_EV_CLOSED, API_OK, "");
	expect(REFLECTOR_WATCH, "6");
	happens(REFLECTOR_EV_BOOKMARK, API_OK, "opaque-9");
	now += 1000;
	happens(REFLECTOR_EV_CLOSED, API_OK, "");
	expect(REFLECTOR_WATCH, "opaque-9");
	ck_assert(reflector_current(&r));
	/* a list may show an older one: another server's, or one that was restored */
	happens(REFLECTOR_EV_ERROR, API_GONE, "");
	ck_assert(out.cancel);
	expect(REFLECTOR_LIST, "opaque-9");
	happens(REFLECTOR_EV_LISTED, API_OK, "2");
	expect(REFLECTOR_WATCH, "2");
}
END_TEST

START_TEST(spreads_the_ends_of_watches)
{
	int64_t least = 1000, most = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		start();
		now += 1000;
		step(REFLECTOR_EV_CLOSED, API_OK, "", -1, i * 2654435761u);
		expect(REFLECTOR_WATCH, "5");
		least = out.watch_seconds < least ? out.watch_seconds : least;
		most = out.watch_seconds > most ? out.watch_seconds : most;
	}
	ck_assert_int_le(least, 305);
	ck_assert_int_ge(most, 594);
}
END_TEST

/* --- ends -------------------------------------------------------------------- */

START_TEST(watches_again_at_once_after_a_clean_end)
{
	start();
	now += 1000; /* a second, without events */
	happens(REFLECTOR_EV_CLOSED, API_OK, "");
	expect(REFLECTOR_WATCH, "5");
	happens(REFLECTOR_EV_CHANGED, API_OK, "6");
	now += 1; /* less, with events */
	happens(REFLECTOR_EV_CLOSED, API_OK, "");
	expect(REFLECTOR_WATCH, "6");
	now += 999; /* less, without */
	happens(REFLECTOR_EV_CLOSED, API_OK, "");
	expect_delay(800, 1600);
	expect(REFLECTOR_WATCH, "6");
	ck_assert(!reflector_current(&r));
	happens(REFLECTOR_EV_OPENED, API_OK, "");
	ck_assert(reflector_current(&r));
	/* a server that repeats itself and closes is not asked without an end */
	for (int i = 0; i < 10; i++) {
		happens(REFLECTOR_EV_CHANGED, API_OK, "6");
		happens(REFLECTOR_EV_CLOSED, API_OK, "");
		if (out.request == REFLECTOR_NONE)
			return;
	}
	ck_abort_msg("it goes round without a pause");
}
END_TEST

START_TEST(lists_again_if_its_version_is_too_old)
{
	/* at the start of a watch, or in the stream */
	start();
	happens(_i == 0 ? REFLECTOR_EV_CLOSED : REFLECTOR_EV_ERROR, API_GONE, "");
	ck_assert(out.cancel == (_i != 0));
	expect(REFLECTOR_LIST, "5");
	/* and again on the list */
	happens(REFLECTOR_EV_LISTED, API_GONE, "");
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_LISTED, API_OK, "8");
	expect(REFLECTOR_WATCH, "8");
	/* a second time without any event between: slower */
	happens(_i == 0 ? REFLECTOR_EV_CLOSED : REFLECTOR_EV_ERROR, API_GONE, "");
	expect_delay(800, 1600);
	expect(REFLECTOR_LIST, "8");
	happens(REFLECTOR_EV_LISTED, API_GONE, "");
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_LISTED, API_GONE, "");
	expect_delay(1600, 3200);
	expect(REFLECTOR_LIST, "");
	/* an event says that all is well */
	happens(REFLECTOR_EV_LISTED, API_OK, "9");
	happens(REFLECTOR_EV_CHANGED, API_OK, "10");
	happens(REFLECTOR_EV_ERROR, API_GONE, "");
	expect(REFLECTOR_LIST, "10");
}
END_TEST

static const enum api_outcome keeps_watching[] = { API_THROTTLED, API_LOST, API_DENIED };

/* Twice in a row are exactly two delays, and no list. */
START_TEST(keeps_its_watch_through_refusals)
{
	start();
	happens(REFLECTOR_EV_CLOSED, keeps_watching[_i], "");
	ck_assert(!reflector_current(&r));
	expect_delay(800, 1600);
	expect(REFLECTOR_WATCH, "5");
	happens(REFLECTOR_EV_CLOSED, keeps_watching[_i], "");
	expect_delay(1600, 3200);
	expect(REFLECTOR_WATCH, "5");
	for (int i = 0; i < 100; i++) {
		happens(REFLECTOR_EV_CLOSED, keeps_watching[_i], "");
		expect_delay(3200, 60000);
		expect(REFLECTOR_WATCH, "5");
	}
	happens(REFLECTOR_EV_CHANGED, API_OK, "6");
	ck_assert(reflector_current(&r));
}
END_TEST

START_TEST(does_as_retry_after_says)
{
	start();
	step(REFLECTOR_EV_CLOSED, API_THROTTLED, "", 7000, 0);
	expect_delay(7000, 8000);
	expect(REFLECTOR_WATCH, "5");
	step(REFLECTOR_EV_CLOSED, API_THROTTLED, "", 7000, 999999999);
	expect_delay(7000, 8000);
	/* shorter than the backoff by now: that holds */
	step(REFLECTOR_EV_CLOSED, API_FAILED, "", 1000, 0);
	expect_delay(3200, 6400);
	/* and nobody is sent away for a day */
	step(REFLECTOR_EV_CLOSED, API_THROTTLED, "", 86400000, 0);
	expect_delay(300000, 301000);
}
END_TEST

START_TEST(grows_its_delays_up_to_a_limit)
{
	int64_t delays[12], due;

	start();
	for (int i = 0; i < 12; i++) {
		happens(REFLECTOR_EV_CLOSED, API_LOST, "");
		due = reflector_next_deadline(&r);
		delays[i] = due - now;
		now = due;
		happens(REFLECTOR_EV_TICK, API_OK, "");
	}
	ck_assert_int_eq(delays[0], 800);
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(delays[i], delays[i - 1] * 2);
	for (int i = 5; i < 12; i++)
		ck_assert_int_eq(delays[i], 20000);
	/* jitter of up to as much again */
	step(REFLECTOR_EV_CLOSED, API_LOST, "", -1, 20000);
	expect_delay(40000, 40000);
	step(REFLECTOR_EV_CLOSED, API_LOST, "", -1, 15000);
	expect_delay(35000, 35000);
	/* two minutes of peace, and it starts anew */
	now += 119999 - 35000;
	happens(REFLECTOR_EV_CLOSED, API_LOST, "");
	expect_delay(20000, 20000);
	now += 120000;
	happens(REFLECTOR_EV_CLOSED, API_LOST, "");
	expect_delay(800, 800);
}
END_TEST

/* A stream that worked and broke: soon again, but not all followers at the same moment. */
START_TEST(comes_back_soon_after_a_broken_stream)
{
	int64_t due;

	for (int i = 0; i < 5; i++) {
		start();
		happens(REFLECTOR_EV_BOOKMARK, API_OK, "6");
		now += 60000;
		step(REFLECTOR_EV_CLOSED, API_LOST, "", -1, (uint32_t)i * 250);
		expect(REFLECTOR_NONE, "");
		due = reflector_next_deadline(&r);
		ck_assert_int_eq(due - now, i * 250 % 1000);
		ck_assert(!reflector_current(&r));
		now = due;
		happens(REFLECTOR_EV_TICK, API_OK, "");
		expect(REFLECTOR_WATCH, "6");
	}
	/* one that is cut at once again and again is backed off from */
	happens(REFLECTOR_EV_BOOKMARK, API_OK, "7");
	now += 999;
	happens(REFLECTOR_EV_CLOSED, API_LOST, "");
	expect_delay(800, 1600);
}
END_TEST

START_TEST(lists_after_the_second_failure)
{
	static const enum api_outcome outcomes[] = { API_FAILED, API_NOT_FOUND, API_INVALID,
						     API_CONFLICT, API_EXISTS };

	start();
	happens(REFLECTOR_EV_CLOSED, outcomes[_i], "");
	expect_delay(800, 1600);
	expect(REFLECTOR_WATCH, "5");
	happens(REFLECTOR_EV_CLOSED, outcomes[_i], "");
	expect_delay(1600, 3200);
	expect(REFLECTOR_LIST, "5");
	/* the list fails as well: once the same, then by quorum */
	happens(REFLECTOR_EV_LISTED, API_LOST, "");
	expect_delay(3200, 6400);
	expect(REFLECTOR_LIST, "5");
	happens(REFLECTOR_EV_LISTED, outcomes[_i], "");
	expect_delay(6400, 12800);
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_LISTED, API_OK, ""); /* a list without a version is none */
	expect_delay(12800, 25600);
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_LISTED, API_OK, "9");
	expect(REFLECTOR_WATCH, "9");
}
END_TEST

START_TEST(takes_error_events_by_their_code)
{
	start();
	happens(REFLECTOR_EV_ERROR, API_THROTTLED, "");
	ck_assert(out.cancel);
	expect_delay(800, 1600);
	expect(REFLECTOR_WATCH, "5");
	happens(REFLECTOR_EV_ERROR, API_FAILED, "");
	ck_assert(out.cancel);
	expect_delay(1600, 3200);
	expect(REFLECTOR_LIST, "5");
}
END_TEST

START_TEST(starts_with_a_list_that_may_fail)
{
	now = 50;
	reflector_init(&r, now);
	happens(REFLECTOR_EV_TICK, API_OK, "");
	expect(REFLECTOR_LIST, "0");
	happens(REFLECTOR_EV_LISTED, API_DENIED, "");
	expect_delay(800, 1600);
	expect(REFLECTOR_LIST, "0");
	happens(REFLECTOR_EV_LISTED, API_LOST, "");
	expect_delay(1600, 3200);
	expect(REFLECTOR_LIST, "0");
	ck_assert(!reflector_current(&r));
}
END_TEST

/* --- a read that somebody asks for -------------------------------------------- */

START_TEST(reads_by_quorum_when_asked)
{
	start();
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	ck_assert(out.cancel);
	expect(REFLECTOR_LIST, "");
	/* once more, while it is under way: it may have been answered before */
	now += 100;
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	expect(REFLECTOR_NONE, "");
	ck_assert(!out.cancel);
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	happens(REFLECTOR_EV_LISTED, API_OK, "6");
	expect_delay(900, 900);
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_LISTED, API_OK, "7");
	expect(REFLECTOR_WATCH, "7");
	/* not more than one a second */
	now += 400;
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	ck_assert(!out.cancel);
	expect_delay(600, 600);
	ck_assert(out.cancel);
	expect(REFLECTOR_LIST, "");
}
END_TEST

START_TEST(reads_in_its_time_after_a_failure)
{
	start();
	happens(REFLECTOR_EV_CLOSED, API_LOST, "");
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	expect_delay(800, 1600);
	expect(REFLECTOR_LIST, "");
	happens(REFLECTOR_EV_READ_NOW, API_OK, "");
	happens(REFLECTOR_EV_LISTED, API_LOST, "");
	expect_delay(1600, 3200);
	expect(REFLECTOR_LIST, "");
}
END_TEST

/* --- anything at any time ------------------------------------------------------ */

/*
 * Random events, also such as cannot come: never two requests under way, never
 * none and no deadline, and never more than a few requests a second.
 */
START_TEST(holds_its_rules_whatever_comes)
{
	enum reflector_request_kind under_way = REFLECTOR_NONE;
	int64_t begin = 5000;
	unsigned requests = 0;

	srandom((unsigned)_i);
	now = begin;
	reflector_init(&r, now);
	for (int i = 0; i < 2000; i++) {
		enum reflector_event_type type =
			(enum reflector_event_type)(random() % REFLECTOR_EV__MAX);
		enum api_outcome outcome =
			random() % 2 == 0 ? API_OK
					  : (enum api_outcome)(random() % API_OUTCOME__MAX);
		int64_t due = reflector_next_deadline(&r);
		char version[16] = "";

		if (due == CLOCK_NEVER || random() % 3 != 0)
			now += random() % (random() % 4 == 0 ? 2000 : 20);
		else if (due > now)
			now = due;
		if (random() % 5 != 0)
			snprintf(version, sizeof(version), "%ld", random() % 100);
		step(type, outcome, version, random() % 4 == 0 ? random() % 100000 : -1,
		     (uint32_t)random() * 3u);
		if ((type == REFLECTOR_EV_LISTED && under_way == REFLECTOR_LIST) ||
		    (type == REFLECTOR_EV_CLOSED && under_way == REFLECTOR_WATCH) || out.cancel)
			under_way = REFLECTOR_NONE;
		if (out.request != REFLECTOR_NONE) {
			ck_assert_int_eq(under_way, REFLECTOR_NONE);
			ck_assert_int_gt(out.timeout_ms, 0);
			under_way = out.request;
			requests++;
		}
		ck_assert(under_way != REFLECTOR_NONE ||
			  reflector_next_deadline(&r) != CLOCK_NEVER);
		ck_assert(reflector_next_deadline(&r) <= now + 301000 ||
			  reflector_next_deadline(&r) == CLOCK_NEVER);
	}
	ck_assert_uint_lt(requests, 20 + (now - begin) / 1000 * 6);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reflector");
	TCase *tc = tcase_create("reflector");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, goes_on_from_what_it_saw_last);
	tcase_add_test(tc, spreads_the_ends_of_watches);
	tcase_add_test(tc, watches_again_at_once_after_a_clean_end);
	tcase_add_loop_test(tc, lists_again_if_its_version_is_too_old, 0, 2);
	tcase_add_loop_test(tc, keeps_its_watch_through_refusals, 0, 3);
	tcase_add_test(tc, does_as_retry_after_says);
	tcase_add_test(tc, grows_its_delays_up_to_a_limit);
	tcase_add_test(tc, comes_back_soon_after_a_broken_stream);
	tcase_add_loop_test(tc, lists_after_the_second_failure, 0, 5);
	tcase_add_test(tc, takes_error_events_by_their_code);
	tcase_add_test(tc, starts_with_a_list_that_may_fail);
	tcase_add_test(tc, reads_by_quorum_when_asked);
	tcase_add_test(tc, reads_in_its_time_after_a_failure);
	tcase_add_loop_test(tc, holds_its_rules_whatever_comes, 0, SEEDS);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
