#include "tests/leadership_story.h"

/* --- standby ------------------------------------------------------------------ */

START_TEST(the_first_read_is_by_quorum_and_soon)
{
	start();
	is_role(LEADERSHIP_STANDBY);
	ck_assert_int_gt(did.lease.timeout_ms, 0);
	ck_assert_int_le(did.lease.timeout_ms, DEADLINE / 2);
	ck_assert(!leadership_active(machine, now));
	ck_assert_int_eq(leadership_until(machine), 0);
	ck_assert_int_eq(leadership_term(machine), 0);
}
END_TEST

START_TEST(a_moving_record_is_read_from_the_cache)
{
	reach_standby();
	ck_assert_str_eq(leadership_holder(machine), OTHER);
	says("the Lease esddns-leader is held by " OTHER);
	ck_assert(leadership_another_leads(machine));
	for (int n = 0; n < 50; n++) {
		char renewed[API_TIME_MAX];

		tick_in(RETRY, RETRY * 12 / 10);
		asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
		snprintf(renewed, sizeof(renewed), "moved-%d", n);
		lease_is(record(OTHER, 4, renewed));
		asks(NONE, NONE);
	}
}
END_TEST

/* A record that stands still in the cache is read by quorum, and only that starts its clock. */
START_TEST(a_standing_record_expires_by_quorum_reads_only)
{
	struct api_lease last = record(OTHER, 4, "renewed-3");
	int64_t since;

	reach_standby();
	tick_in(RETRY, RETRY * 12 / 10);
	lease_is(last);
	tick_in(RETRY, RETRY * 12 / 10);
	asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
	lease_is(last);
	asks(LEADERSHIP_LEASE_GET, NONE);
	now += 40; /* the answer takes its time: what counts is when it is seen */
	since = now;
	lease_is(last);
	asks(NONE, NONE);
	while (now < since + DURATION) {
		int64_t left = since + DURATION - now;

		tick_in(left < RETRY ? left : RETRY, RETRY * 12 / 10);
		asks(LEADERSHIP_LEASE_GET, NONE);
		lease_is(last);
		asks(NONE, now < since + DURATION ? NONE : LEADERSHIP_WAN_GET);
	}
	ck_assert_int_eq(now, since + DURATION);
	wan_is(fence(OTHER, 4, 9));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.uid, last.uid);
	ck_assert_str_eq(did.lease.lease.version, last.version);
	ck_assert_str_eq(did.lease.lease.holder, ME);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
	ck_assert_int_eq(did.lease.lease.duration_ms, DURATION);
	ck_assert_str_eq(did.lease.lease.acquire_time, did.lease.lease.renew_time);
}
END_TEST

/* Any of the five members, as an exact string or number, is a move; another version is none. */
START_TEST(each_member_of_the_record_counts_as_a_move)
{
	struct api_lease moved[] = { record(OTHER, 4, "garbage"), record("node-c", 4, "r"),
				     record(OTHER, 5, "r"),       record(OTHER, 4, "r"),
				     record(OTHER, 4, "r"),       record(OTHER, 4, "r") };

	strcpy(moved[3].acquire_time, "another");
	moved[4].duration_ms = 1000;
	for (int i = 0; i < 6; i++) {
		start();
		lease_is(record(OTHER, 4, "r"));
		tick_in(RETRY, RETRY * 12 / 10);
		lease_is(moved[i]);
		tick_in(RETRY, RETRY * 12 / 10);
		asks(i < 5 ? LEADERSHIP_LEASE_GET_CACHED : LEADERSHIP_LEASE_GET, NONE);
	}
}
END_TEST

START_TEST(the_records_own_duration_counts)
{
	static const int64_t durations[][2] = {
		{ 60000, 60000 }, { 1000, 1000 }, { 0, DURATION }, { INT64_C(1) << 40, 3600000 }
	};

	for (int i = 0; i < 4; i++) {
		struct api_lease r = record(OTHER, 4, "r");
		int64_t since;

		r.duration_ms = durations[i][0];
		start();
		since = now;
		lease_is(r);
		do {
			until_sent();
			asks(LEADERSHIP_LEASE_GET, NONE);
			lease_is(r);
		} while (did.wan.kind == NONE);
		ck_assert_int_eq(now - since, durations[i][1]);
	}
}
END_TEST

/* Two caches that answer old and new in turn are no reason to take over. */
START_TEST(what_caches_say_is_a_hint_only)
{
	struct api_lease old = record(OTHER, 4, "old"), new = record(OTHER, 4, "new");

	reach_standby();
	for (int n = 0; n < 40; n++) {
		until_sent();
		asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
		lease_is(n % 2 ? old : new);
		asks(NONE, NONE);
	}
}
END_TEST

START_TEST(cheap_reads_that_show_no_holder_ask_by_quorum)
{
	reach_standby();
	until_sent();
	lease_is(record("", 4, "x"));
	asks(LEADERSHIP_LEASE_GET, NONE);
	reach_standby();
	until_sent();
	lease_ends(API_NOT_FOUND, -1);
	asks(LEADERSHIP_LEASE_GET, NONE);
	/* the cache was wrong: it is back at the cheap reads once the record moved */
	lease_is(record(OTHER, 4, "y"));
	until_sent();
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(record(OTHER, 4, "z"));
	until_sent();
	asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
}
END_TEST

START_TEST(a_hint_reads_by_quorum_at_once)
{
	reach_standby();
	now += 3000;
	tick();
	lease_is(record(OTHER, 4, "renewed-3"));
	now += 500;
	happens(LEADERSHIP_EV_HINT);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(record(OTHER, 4, "renewed-4"));
	/* that may be the last renewal: the clock of its expiry runs */
	ck_assert_int_le(until_sent(), RETRY * 12 / 10);
	asks(LEADERSHIP_LEASE_GET, NONE);
	happens(LEADERSHIP_EV_HINT);
	asks(NONE, NONE);
}
END_TEST

/* A bad line gives many hints; they must not make a standby read at their pace. */
START_TEST(many_hints_cost_little)
{
	int reads = 0;

	reach_standby();
	followers(300);
	for (int n = 0; n < 6000; n++) { /* ten minutes */
		char renewed[API_TIME_MAX];

		now += 100;
		snprintf(renewed, sizeof(renewed), "moved-%d", n);
		happens(LEADERSHIP_EV_HINT);
		if (did.lease.kind != NONE) {
			reads++;
			lease_is(record(OTHER, 4, renewed));
		}
	}
	ck_assert_int_ge(reads, 20);
	ck_assert_int_le(reads, 60);
}
END_TEST

START_TEST(an_announced_release_is_taken_over_after_a_short_random_time)
{
	int64_t least = 1000, most = 0;

	for (uint32_t seed = 0; seed < 200; seed++) {
		int64_t since;

		reach_standby();
		followers(400);
		dice = seed * 2654435761u;
		since = now;
		released_by_peer(4);
		if (did.lease.kind == NONE)
			until_sent();
		asks(LEADERSHIP_LEASE_GET, NONE);
		least = now - since < least ? now - since : least;
		most = now - since > most ? now - since : most;
		lease_is(record("", 4, "released"));
		asks(NONE, LEADERSHIP_WAN_GET);
	}
	ck_assert_int_le(least, 20);
	ck_assert_int_ge(most, 380);
	ck_assert_int_le(most, 400);
}
END_TEST

START_TEST(an_old_announcement_counts_for_nothing)
{
	reach_standby();
	released_by_peer(3);
	asks(NONE, NONE);
	ck_assert_int_ge(leadership_next_deadline(machine), now + RETRY);
	released_by_peer(4);
	asks(LEADERSHIP_LEASE_GET, NONE);
	/* it was announced, but it is held: no take-over */
	lease_is(record(OTHER, 4, "renewed-3"));
	asks(NONE, NONE);
}
END_TEST

/* So do many that wait for a record to expire, or for the API server; but none is late. */
START_TEST(standbys_that_wait_read_no_more_often)
{
	struct api_lease last = record(OTHER, 4, "last");
	int64_t since;
	int reads = 0;

	reach_standby();
	followers(300);
	happens(LEADERSHIP_EV_HINT);
	if (did.lease.kind == NONE)
		until_sent();
	since = now;
	for (lease_is(last); did.wan.kind == NONE; lease_is(last), reads++) {
		until_sent();
		asks(LEADERSHIP_LEASE_GET, NONE);
	}
	ck_assert_int_eq(reads, 1);
	ck_assert_int_ge(now, since + DURATION);
	ck_assert_int_le(now, since + DURATION + 300);
	for (reads = 0, since = now; now < since + 600000; reads++) {
		if (did.wan.kind != NONE)
			wan_ends(API_LOST, -1);
		else
			lease_ends(API_LOST, -1);
		until_sent();
	}
	ck_assert_int_le(reads, 21);
	/* my own record waits for nobody */
	lease_is(record(ME, 4, "mine"));
	wan_ends(API_FAILED, -1);
	ck_assert_int_le(until_sent(), RETRY * 12 / 10);
	lease_ends(API_FAILED, -1);
	ck_assert_int_le(until_sent(), RETRY * 12 / 10);
}
END_TEST

START_TEST(standbys_together_read_less_than_agreed)
{
	static const int sizes[] = { 1, 3, 5, 8, 30, 60, 300, 3000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int reads = 0;
		int64_t since;

		reach_standby();
		followers((unsigned)sizes[i]);
		until_sent(); /* planned before it knew of the followers */
		lease_is(record(OTHER, 4, "x"));
		since = now;
		for (int n = 0; n < 200; n++, reads++) {
			char renewed[API_TIME_MAX];

			dice = (uint32_t)n * 2654435761u;
			until_sent();
			asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
			snprintf(renewed, sizeof(renewed), "moved-%d", n);
			lease_is(record(OTHER, 4, renewed));
		}
		/* each: reads / time; all: times the number; <= N / 30 + 2 in a second */
		ck_assert_int_le((int64_t)sizes[i] * reads * 1000 * 30,
				 (sizes[i] + 60) * (now - since));
		ck_assert_int_le((now - since) / reads, 36000);
	}
}
END_TEST

START_TEST(an_outage_keeps_the_period)
{
	reach_standby();
	for (int n = 0; n < 50; n++) {
		ck_assert_int_le(until_sent(), RETRY * 12 / 10);
		lease_ends(n % 2 ? API_LOST : API_FAILED, -1);
		asks(NONE, NONE);
	}
	says("the API server did not answer when asked for the Lease esddns-leader");
	ck_assert(!leadership_another_leads(machine));
	until_sent();
	lease_ends(API_DENIED, -1);
	says("look at the Role");
	until_sent();
	lease_ends(API_THROTTLED, 7000);
	says("too much to do");
	ck_assert_int_eq(leadership_next_deadline(machine) - now, 7000);
	until_sent();
	lease_ends(API_THROTTLED, INT64_C(1) << 50);
	ck_assert_int_eq(leadership_next_deadline(machine) - now, 30000);
}
END_TEST

/* A renewal of so long ago by the other host's clock, which is an hour behind. */
static struct api_lease
renewed_before(int64_t ms, int64_t clock_ms)
{
	char seconds[24];
	struct api_lease r = record(OTHER, 4, "");

	clock_iso(WALL + now - ms - clock_ms, seconds, sizeof(seconds));
	snprintf(r.renew_time, sizeof(r.renew_time), "%.19s.%03d000Z", seconds,
		 (int)((WALL + now - ms - clock_ms) % 1000));
	return r;
}

/* In a large cluster nobody reads the same twice for long: the record's age is the hint. */
START_TEST(an_overdue_record_is_a_hint)
{
	const int64_t hour = 3600000;

	reach_standby();
	followers(300);
	for (int n = 0; n < 20; n++) {
		until_sent();
		asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
		lease_is(renewed_before(n * 300 % 2000, hour));
		asks(NONE, NONE);
	}
	until_sent();
	lease_is(renewed_before(3000, hour));
	asks(NONE, NONE);
	until_sent();
	lease_is(renewed_before(3001, hour));
	asks(LEADERSHIP_LEASE_GET, NONE);
	/* it was none: the other clock was set, and is the measure from here on */
	lease_is(renewed_before(0, 2 * hour));
	until_sent();
	lease_is(renewed_before(0, 2 * hour));
	for (int n = 0; n < 20; n++) {
		until_sent();
		asks(LEADERSHIP_LEASE_GET_CACHED, NONE);
		lease_is(renewed_before(n * 300 % 2000, 2 * hour));
		asks(NONE, NONE);
	}
}
END_TEST

static TCase *
standby_tests(void)
{
	TCase *tc = tcase_create("standby");

	tcase_add_test(tc, the_first_read_is_by_quorum_and_soon);
	tcase_add_test(tc, a_moving_record_is_read_from_the_cache);
	tcase_add_test(tc, a_standing_record_expires_by_quorum_reads_only);
	tcase_add_test(tc, each_member_of_the_record_counts_as_a_move);
	tcase_add_test(tc, the_records_own_duration_counts);
	tcase_add_test(tc, what_caches_say_is_a_hint_only);
	tcase_add_test(tc, cheap_reads_that_show_no_holder_ask_by_quorum);
	tcase_add_test(tc, a_hint_reads_by_quorum_at_once);
	tcase_add_test(tc, many_hints_cost_little);
	tcase_add_test(tc, an_announced_release_is_taken_over_after_a_short_random_time);
	tcase_add_test(tc, an_old_announcement_counts_for_nothing);
	tcase_add_test(tc, standbys_that_wait_read_no_more_often);
	tcase_add_test(tc, standbys_together_read_less_than_agreed);
	tcase_add_test(tc, an_outage_keeps_the_period);
	tcase_add_test(tc, an_overdue_record_is_a_hint);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("leadership_standby");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, standby_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
