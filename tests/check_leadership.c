#include "tests/leadership_story.h"

/* --- to acquire ----------------------------------------------------------------- */

START_TEST(a_missing_lease_is_created_above_the_epoch)
{
	start();
	lease_ends(API_NOT_FOUND, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(OTHER, 41, 7));
	asks(LEADERSHIP_LEASE_CREATE, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 42);
	ck_assert_str_eq(did.lease.lease.uid, "");
	ck_assert_str_eq(did.lease.lease.version, "");
	lease_is(as_sent(&did.lease));
	is_role(LEADERSHIP_CLAIMING);
	ck_assert_int_eq(leadership_term(machine), 42);
	ck_assert_str_eq(leadership_holder(machine), ME);
	ck_assert(!did.began);
}
END_TEST

START_TEST(times_have_exactly_six_digits_and_differ)
{
	char first[API_TIME_MAX];

	reach_acquiring();
	ck_assert_uint_eq(strlen(did.lease.lease.renew_time), 27);
	memcpy(first, did.lease.lease.renew_time, sizeof(first));
	ck_assert_int_eq(strncmp(first, "2026-11-25T11:", 14), 0);
	ck_assert_int_eq(first[19], '.');
	ck_assert_int_eq(first[26], 'Z');
	ck_assert_uint_eq(strspn(first + 20, "0123456789"), 6);
	lease_is(as_sent(&did.lease));
	wan_is(fence_as_sent(&did.wan));
	now += RETRY;
	/* a wall clock that stood still, or goes back, is no reason to seem dead */
	leadership_step(machine, &(struct leadership_event){ .wall_ms = WALL + now - RETRY }, now,
			&did);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_ne(did.lease.lease.renew_time, first);
	ck_assert_str_eq(did.lease.lease.acquire_time, first);
}
END_TEST

START_TEST(walls_out_of_this_world_are_written_as_times)
{
	static const int64_t walls[] = { INT64_MIN, -1, 0, 1, 999, 1000, INT64_MAX };

	for (int i = 0; i < 7; i++) {
		start();
		lease_is(record("", 4, "r"));
		wan_ends(API_FAILED, -1);
		until_sent();
		lease_is(record("", 4, "r"));
		leadership_step(machine,
				&(struct leadership_event){ .type = LEADERSHIP_EV_WAN_ANSWER,
							    .id = wan_id,
							    .outcome = API_NOT_FOUND,
							    .wall_ms = walls[i] },
				now, &did);
		asks(LEADERSHIP_LEASE_PUT, NONE);
		ck_assert_uint_eq(strlen(did.lease.lease.renew_time), 27);
	}
}
END_TEST

/* P1, and its bounds: what is out of them ends no election. */
START_TEST(the_term_is_above_lease_and_epoch)
{
	static const struct {
		int64_t old, epoch, term;
	} cases[] = {
		{ 0, 0, 1 },
		{ 4, 0, 5 },
		{ 4, 4, 5 },
		{ 4, 9, 10 },
		{ 9, 4, 10 },
		{ INT32_MAX, 7, 8 },
		{ MSG_EPOCH_MAX, 7, 8 },
		{ MSG_EPOCH_MAX - 1, 7, MSG_EPOCH_MAX },
		{ 4, MSG_EPOCH_MAX - 1, MSG_EPOCH_MAX },
		{ 4, MSG_EPOCH_MAX, 5 },
		{ INT32_MAX, MSG_EPOCH_MAX, 1 },
		{ -5, 0, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start();
		lease_is(record("", cases[i].old, "r"));
		wan_is(fence(OTHER, cases[i].epoch, 3));
		asks(LEADERSHIP_LEASE_PUT, NONE);
		ck_assert_int_eq(did.lease.lease.transitions, cases[i].term);
	}
}
END_TEST

START_TEST(without_the_epoch_nothing_is_acquired)
{
	start();
	lease_is(record("", 4, "r"));
	asks(NONE, LEADERSHIP_WAN_GET);
	ck_assert_int_ge(leadership_next_deadline(machine), now + did.wan.timeout_ms);
	wan_ends(API_DENIED, -1);
	asks(NONE, NONE);
	says("the API server refuses access to the ConfigMap esddns-wan-ip");
	ck_assert_int_ge(until_sent(), RETRY);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(record("", 4, "r"));
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_ends(API_THROTTLED, 9000);
	ck_assert_int_eq(leadership_next_deadline(machine) - now, 9000);
}
END_TEST

START_TEST(a_conflict_is_not_now)
{
	static const enum api_outcome outcomes[] = { API_CONFLICT, API_EXISTS, API_INVALID,
						     API_NOT_FOUND, API_DENIED };

	for (int i = 0; i < 5; i++) {
		reach_acquiring();
		lease_ends(outcomes[i], -1);
		asks(NONE, NONE);
		is_role(LEADERSHIP_STANDBY);
		ck_assert_str_ne(leadership_reason(machine), "");
		ck_assert_int_ge(until_sent(), RETRY);
		asks(LEADERSHIP_LEASE_GET, NONE);
		lease_is(record("node-c", 5, "r"));
		asks(NONE, NONE);
	}
}
END_TEST

/* The answer that acquires counts from the sending; too late, it gives nothing. */
START_TEST(a_late_success_does_not_lead)
{
	struct api_lease written;

	reach_acquiring();
	ck_assert_int_le(did.lease.timeout_ms, DEADLINE / 2);
	written = as_sent(&did.lease);
	now += DEADLINE;
	lease_is(written);
	is_role(LEADERSHIP_STANDBY);
	ck_assert(!did.began);
	asks(LEADERSHIP_LEASE_GET, NONE);

	reach_acquiring();
	written = as_sent(&did.lease);
	now += DEADLINE - 1;
	lease_is(written);
	is_role(LEADERSHIP_CLAIMING);
	asks(LEADERSHIP_LEASE_PUT, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.timeout_ms, 1);
	tick_in(1, 1);
	is_role(LEADERSHIP_STANDBY);
}
END_TEST

START_TEST(a_lost_acquisition_is_compared)
{
	struct api_lease written;

	reach_acquiring();
	written = as_sent(&did.lease);
	lease_ends(API_LOST, -1);
	is_role(LEADERSHIP_STANDBY);
	until_sent();
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(written);
	/* it is mine: same term, same acquireTime, but P1 all the same */
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(OTHER, 4, 7));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
	ck_assert_str_eq(did.lease.lease.acquire_time, written.acquire_time);
	ck_assert_str_ne(did.lease.lease.renew_time, written.renew_time);
	ck_assert_str_eq(did.lease.lease.version, written.version);
}
END_TEST

/* Mine by name, but not a term that I asked for, or one that others claimed meanwhile. */
START_TEST(a_term_that_is_not_mine_is_not_kept)
{
	struct api_lease written;

	reach_acquiring();
	written = as_sent(&did.lease);
	written.transitions = 70;
	lease_ends(API_LOST, -1);
	until_sent();
	lease_is(written);
	wan_is(fence(OTHER, 4, 7));
	ck_assert_int_eq(did.lease.lease.transitions, 71);
	ck_assert_str_eq(did.lease.lease.acquire_time, did.lease.lease.renew_time);

	reach_acquiring();
	written = as_sent(&did.lease);
	lease_ends(API_LOST, -1);
	until_sent();
	lease_is(written);
	wan_is(fence(OTHER, 5, 1));
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

/* --- to release ------------------------------------------------------------------ */

START_TEST(a_stop_releases_what_is_held)
{
	struct api_lease stored;

	reach_leading();
	now += 100;
	happens(LEADERSHIP_EV_STOP);
	ck_assert(did.ended);
	ck_assert(!did.released);
	is_role(LEADERSHIP_RELEASING);
	ck_assert(!leadership_active(machine, now));
	asks(LEADERSHIP_LEASE_GET, NONE);
	stored = record(ME, 5, "renewed");
	lease_is(stored);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.holder, "");
	ck_assert_int_eq(did.lease.lease.duration_ms, 1000);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
	ck_assert_str_eq(did.lease.lease.version, stored.version);
	ck_assert_str_eq(did.lease.lease.uid, stored.uid);
	ck_assert_str_eq(did.lease.lease.acquire_time, did.lease.lease.renew_time);
	lease_is(as_sent(&did.lease));
	ck_assert(did.released);
	is_role(LEADERSHIP_OFF);
	ck_assert_int_eq(leadership_term(machine), 5);
	ck_assert_str_eq(leadership_holder(machine), "");
	ck_assert_int_eq(leadership_next_deadline(machine), CLOCK_NEVER);
	now += 100000;
	tick();
	asks(NONE, NONE);
	ck_assert(!did.released);
}
END_TEST

START_TEST(a_stop_of_a_standby_writes_nothing)
{
	reach_standby();
	happens(LEADERSHIP_EV_STOP);
	asks(NONE, NONE);
	is_role(LEADERSHIP_OFF);
	ck_assert(!did.released);
}
END_TEST

START_TEST(what_is_no_longer_mine_is_not_released)
{
	for (int i = 0; i < 3; i++) {
		reach_leading();
		happens(LEADERSHIP_EV_STOP);
		if (i == 2)
			lease_ends(API_NOT_FOUND, -1);
		else
			lease_is(record(i == 0 ? OTHER : "", 6, "r"));
		asks(NONE, NONE);
		is_role(LEADERSHIP_OFF);
		ck_assert(!did.released);
	}
}
END_TEST

/* A write that acquires may be stored though nobody said so: it is not left behind. */
START_TEST(a_stop_in_the_middle_of_an_acquisition_releases_it)
{
	struct api_lease written;

	reach_acquiring();
	written = as_sent(&did.lease);
	happens(LEADERSHIP_EV_STOP);
	ck_assert(!did.ended);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(written);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.holder, "");
	lease_is(as_sent(&did.lease));
	ck_assert(did.released);
	ck_assert_int_eq(leadership_term(machine), 5);
}
END_TEST

START_TEST(a_release_is_bounded_and_compared)
{
	struct api_lease written, mine = record(ME, 5, "renewed");
	int64_t until;

	reach_leading();
	until = now + DEADLINE / 2;
	happens(LEADERSHIP_EV_STOP);
	lease_is(mine);
	lease_ends(API_CONFLICT, -1);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(mine);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	written = as_sent(&did.lease);
	lease_ends(API_LOST, -1);
	asks(NONE, NONE);
	tick_in(1, RETRY);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(written);
	ck_assert(did.released);
	is_role(LEADERSHIP_OFF);

	reach_leading();
	until = now + DEADLINE / 2;
	happens(LEADERSHIP_EV_STOP);
	while (leadership_role(machine) != LEADERSHIP_OFF) {
		if (did.lease.kind != NONE) {
			ck_assert_int_le(now + did.lease.timeout_ms, until);
			lease_ends(API_LOST, -1);
			says("did not answer");
		}
		ck_assert_int_le(leadership_next_deadline(machine), until);
		now = leadership_next_deadline(machine);
		tick();
	}
	ck_assert_int_eq(now, until);
	ck_assert(!did.released);
}
END_TEST

START_TEST(a_lease_that_goes_away_needs_no_release)
{
	reach_leading();
	happens(LEADERSHIP_EV_STOP);
	lease_is(record(ME, 5, "renewed"));
	happens(LEADERSHIP_EV_STOP); /* once is enough */
	asks(NONE, NONE);
	lease_ends(API_NOT_FOUND, -1);
	is_role(LEADERSHIP_OFF);
	ck_assert(!did.released);
}
END_TEST

/* A poisoned number does not go on: the next one would start from it. */
START_TEST(a_release_keeps_no_poisoned_term)
{
	reach_leading();
	happens(LEADERSHIP_EV_STOP);
	lease_is(record(ME, INT32_MAX, "renewed"));
	ck_assert_int_eq(did.lease.lease.transitions, 5);
}
END_TEST

START_TEST(an_impossible_configuration_is_refused)
{
	struct leadership_config c = settings;

	c.identity[0] = '\0';
	ck_assert_ptr_null(leadership_new(&c, 0, 0));
	c = settings;
	c.renew_deadline_ms = c.duration_ms;
	ck_assert_ptr_null(leadership_new(&c, 0, 0));
	c = settings;
	c.retry_period_ms = c.renew_deadline_ms;
	ck_assert_ptr_null(leadership_new(&c, 0, 0));
	c = settings;
	c.retry_period_ms = 0;
	ck_assert_ptr_null(leadership_new(&c, 0, 0));
	leadership_free(NULL);
}
END_TEST

START_TEST(sentences_name_the_configured_objects)
{
	struct leadership_config c = settings;

	memset(c.lease_name, 'l', sizeof(c.lease_name) - 1);
	memset(c.identity, 'h', sizeof(c.identity) - 1);
	leadership_free(machine);
	machine = leadership_new(&c, now, 0);
	tick_in(0, 200);
	lease_is(record(OTHER, 1, "r"));
	says("the Lease llll");
	says(OTHER);
}
END_TEST

START_TEST(outcomes_have_names)
{
	for (int i = 0; i < API_OUTCOME__MAX; i++)
		ck_assert_str_ne(api_outcome_name((enum api_outcome)i), "");
	ck_assert_str_eq(api_outcome_name(API_OK), "ok");
	ck_assert_str_eq(api_outcome_name(API_LOST), "lost");
	ck_assert_str_eq(api_outcome_name((enum api_outcome) - 1), "invalid-outcome");
	ck_assert_str_eq(api_outcome_name(API_OUTCOME__MAX), "invalid-outcome");
}
END_TEST

static TCase *
acquire_tests(void)
{
	TCase *tc = tcase_create("acquire");

	tcase_add_test(tc, a_missing_lease_is_created_above_the_epoch);
	tcase_add_test(tc, times_have_exactly_six_digits_and_differ);
	tcase_add_test(tc, walls_out_of_this_world_are_written_as_times);
	tcase_add_test(tc, the_term_is_above_lease_and_epoch);
	tcase_add_test(tc, without_the_epoch_nothing_is_acquired);
	tcase_add_test(tc, a_conflict_is_not_now);
	tcase_add_test(tc, a_late_success_does_not_lead);
	tcase_add_test(tc, a_lost_acquisition_is_compared);
	tcase_add_test(tc, a_term_that_is_not_mine_is_not_kept);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

static TCase *
release_tests(void)
{
	TCase *tc = tcase_create("release");

	tcase_add_test(tc, a_stop_releases_what_is_held);
	tcase_add_test(tc, a_stop_of_a_standby_writes_nothing);
	tcase_add_test(tc, what_is_no_longer_mine_is_not_released);
	tcase_add_test(tc, a_stop_in_the_middle_of_an_acquisition_releases_it);
	tcase_add_test(tc, a_release_is_bounded_and_compared);
	tcase_add_test(tc, a_lease_that_goes_away_needs_no_release);
	tcase_add_test(tc, a_release_keeps_no_poisoned_term);
	tcase_add_test(tc, an_impossible_configuration_is_refused);
	tcase_add_test(tc, sentences_name_the_configured_objects);
	tcase_add_test(tc, outcomes_have_names);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("leadership");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, acquire_tests());
	suite_add_tcase(suite, release_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
