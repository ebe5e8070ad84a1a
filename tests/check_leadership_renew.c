#include "tests/leadership_story.h"

/* Renew in time, so that n renewals after now succeed. */
static void
renew(int n)
{
	while (n-- > 0) {
		tick_in(RETRY, RETRY);
		asks(LEADERSHIP_LEASE_PUT, NONE);
		lease_is(as_sent(&did.lease));
	}
}

/* --- to renew -------------------------------------------------------------------- */

START_TEST(it_renews_from_what_is_stored)
{
	struct api_lease before;

	reach_leading();
	ck_assert_int_eq(leadership_until(machine), now + DEADLINE);
	tick_in(RETRY, RETRY);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	before = as_sent(&did.lease);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
	ck_assert_str_eq(did.lease.lease.uid, "lease-1");
	now += 700;
	lease_is(before);
	/* from the sending, not from the answer */
	ck_assert_int_eq(leadership_until(machine), now - 700 + DEADLINE);
	tick_in(RETRY - 700, RETRY - 700);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.version, before.version);
	ck_assert_str_eq(did.lease.lease.acquire_time, before.acquire_time);
	ck_assert_str_eq(leadership_reason(machine), "");
}
END_TEST

START_TEST(the_deadline_ends_the_work)
{
	int64_t until;

	reach_leading();
	until = leadership_until(machine);
	ck_assert(leadership_active(machine, until - 1));
	ck_assert(!leadership_active(machine, until));
	while (now < until - 1) {
		ck_assert_int_le(leadership_next_deadline(machine), until);
		now = leadership_next_deadline(machine) < until ? leadership_next_deadline(machine)
								: until - 1;
		tick();
		ck_assert(!did.ended);
		if (did.lease.kind != NONE) {
			ck_assert_int_le(now + did.lease.timeout_ms, until);
			now += did.lease.timeout_ms < 300 ? did.lease.timeout_ms : 300;
			if (now >= until)
				now = until - 1;
			lease_ends(API_LOST, -1);
			says("did not answer");
		}
	}
	ck_assert_int_eq(leadership_next_deadline(machine), until);
	now = until;
	tick();
	ck_assert(did.ended);
	is_role(LEADERSHIP_STANDBY);
	ck_assert_int_eq(leadership_until(machine), 0);
	says("could not be renewed in time");
	asks(LEADERSHIP_LEASE_GET, NONE);
}
END_TEST

START_TEST(a_pause_ends_the_work_whatever_comes_first)
{
	struct api_lease written;

	reach_leading();
	tick_in(RETRY, RETRY);
	written = as_sent(&did.lease);
	now += 60000;
	ck_assert(!leadership_active(machine, now));
	lease_is(written); /* the renewal was stored, in time, and the answer waited for us */
	ck_assert(did.ended);
	is_role(LEADERSHIP_STANDBY);
	asks(LEADERSHIP_LEASE_GET, NONE);
	/* still mine: back at once, after all of P1 and P2, and in a term of its own */
	lease_is(written);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 8));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
	ck_assert_int_eq(leadership_term(machine), 6);
}
END_TEST

START_TEST(a_conflict_reads_and_goes_on_if_it_is_still_mine)
{
	struct api_lease edited;

	reach_leading();
	tick_in(RETRY, RETRY);
	edited = as_sent(&did.lease);
	strcpy(edited.renew_time, "edited");
	edited.transitions = 3;
	lease_ends(API_CONFLICT, -1);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(edited);
	ck_assert(!did.ended);
	tick_in(RETRY, RETRY);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.version, edited.version);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
}
END_TEST

START_TEST(another_holder_ends_the_work_at_once)
{
	reach_leading();
	tick_in(RETRY, RETRY);
	lease_ends(API_CONFLICT, -1);
	lease_is(record(OTHER, 6, "r"));
	ck_assert(did.ended);
	is_role(LEADERSHIP_STANDBY);
	says("is held by " OTHER);
	ck_assert_str_eq(leadership_holder(machine), OTHER);
	ck_assert_int_ge(until_sent(), RETRY);
	asks(LEADERSHIP_LEASE_GET, NONE);
}
END_TEST

START_TEST(a_release_by_another_is_seen_and_the_lease_acquired_again)
{
	reach_leading();
	tick_in(RETRY, RETRY);
	lease_ends(API_INVALID, -1);
	lease_is(record("", 5, "r"));
	ck_assert(did.ended);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(record("", 5, "r"));
	wan_is(fence(ME, 5, 8));
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

START_TEST(a_deleted_lease_is_created_again_with_a_new_term)
{
	reach_leading();
	tick_in(RETRY, RETRY);
	lease_ends(API_NOT_FOUND, -1);
	ck_assert(did.ended);
	says("was deleted");
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_ends(API_NOT_FOUND, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 8));
	asks(LEADERSHIP_LEASE_CREATE, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

START_TEST(what_a_read_or_a_reply_shows_counts_too)
{
	struct api_lease swapped;

	reach_leading();
	tick_in(RETRY, RETRY);
	lease_ends(API_CONFLICT, -1);
	lease_ends(API_NOT_FOUND, -1);
	ck_assert(did.ended);
	says("was deleted");
	asks(LEADERSHIP_LEASE_GET, NONE);

	reach_leading();
	tick_in(RETRY, RETRY);
	swapped = as_sent(&did.lease);
	strcpy(swapped.holder, OTHER);
	lease_is(swapped);
	ck_assert(did.ended);
	is_role(LEADERSHIP_STANDBY);
}
END_TEST

/* A renewal whose answer was lost: if it is stored, it counts from its sending. */
START_TEST(a_lost_renewal_is_compared)
{
	struct api_lease written;
	int64_t sent_at, until;

	reach_leading();
	until = leadership_until(machine);
	tick_in(RETRY, RETRY);
	sent_at = now;
	written = as_sent(&did.lease);
	now += 500;
	lease_ends(API_LOST, -1);
	asks(NONE, NONE);
	ck_assert_int_eq(leadership_until(machine), until);
	tick_in(RETRY - 500, RETRY - 500);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(written);
	ck_assert_int_eq(leadership_until(machine), sent_at + DEADLINE);
	ck_assert_str_eq(leadership_reason(machine), "");
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_str_eq(did.lease.lease.version, written.version);
}
END_TEST

START_TEST(a_lost_renewal_that_was_not_stored_is_sent_again)
{
	struct api_lease before;
	int64_t until;

	reach_leading();
	tick_in(RETRY, RETRY);
	before = as_sent(&did.lease);
	lease_is(before);
	until = leadership_until(machine);
	tick_in(RETRY, RETRY);
	lease_ends(API_FAILED, -1);
	tick_in(RETRY, RETRY);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(before);
	ck_assert_int_eq(leadership_until(machine), until);
	asks(LEADERSHIP_LEASE_PUT, NONE);
}
END_TEST

START_TEST(a_denied_renewal_keeps_trying)
{
	reach_leading();
	for (int n = 0; n < 4; n++) {
		tick_in(RETRY, RETRY);
		asks(LEADERSHIP_LEASE_PUT, NONE);
		lease_ends(API_DENIED, -1);
		says("refuses access to the Lease");
	}
	tick_in(RETRY, RETRY);
	ck_assert(did.ended);
}
END_TEST

START_TEST(patience_ends_before_the_deadline)
{
	int64_t until;

	reach_leading();
	until = leadership_until(machine);
	tick_in(RETRY, RETRY);
	lease_ends(API_THROTTLED, 5000);
	tick_in(5000, 5000);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	lease_ends(API_THROTTLED, 60000);
	tick_in(2000, 2000);
	ck_assert_int_eq(now, until - 1000);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.timeout_ms, 1000);
	lease_is(as_sent(&did.lease));
	ck_assert_int_eq(leadership_until(machine), now + DEADLINE);
}
END_TEST

START_TEST(a_caller_that_reports_nothing_is_not_waited_for)
{
	reach_leading();
	tick_in(RETRY, RETRY);
	tick_in(did.lease.timeout_ms + 1000, did.lease.timeout_ms + 1000);
	asks(LEADERSHIP_LEASE_GET, NONE);
	is_role(LEADERSHIP_LEADING);
}
END_TEST

START_TEST(answers_to_nothing_change_nothing)
{
	uint64_t old;

	reach_leading();
	renew(3);
	old = lease_id;
	tick_in(RETRY, RETRY);
	lease_id = old;
	lease_is(record(OTHER, 9, "r"));
	ck_assert(!did.ended);
	wan_is(fence(OTHER, 9, 9));
	is_role(LEADERSHIP_LEADING);
	ck_assert_str_eq(leadership_holder(machine), ME);
}
END_TEST

static TCase *
renew_tests(void)
{
	TCase *tc = tcase_create("renew");

	tcase_add_test(tc, it_renews_from_what_is_stored);
	tcase_add_test(tc, the_deadline_ends_the_work);
	tcase_add_test(tc, a_pause_ends_the_work_whatever_comes_first);
	tcase_add_test(tc, a_conflict_reads_and_goes_on_if_it_is_still_mine);
	tcase_add_test(tc, another_holder_ends_the_work_at_once);
	tcase_add_test(tc, a_release_by_another_is_seen_and_the_lease_acquired_again);
	tcase_add_test(tc, a_deleted_lease_is_created_again_with_a_new_term);
	tcase_add_test(tc, what_a_read_or_a_reply_shows_counts_too);
	tcase_add_test(tc, a_lost_renewal_is_compared);
	tcase_add_test(tc, a_lost_renewal_that_was_not_stored_is_sent_again);
	tcase_add_test(tc, a_denied_renewal_keeps_trying);
	tcase_add_test(tc, patience_ends_before_the_deadline);
	tcase_add_test(tc, a_caller_that_reports_nothing_is_not_waited_for);
	tcase_add_test(tc, answers_to_nothing_change_nothing);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("leadership_renew");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, renew_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
