#include "tests/leadership_story.h"

/* --- P2: the claim ------------------------------------------------------------- */

START_TEST(the_claim_comes_before_any_work)
{
	reach_claiming();
	ck_assert(!did.began);
	ck_assert(!leadership_active(machine, now));
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	ck_assert_int_eq(did.wan.fence.sequence, 8);
	ck_assert_str_eq(did.wan.fence.holder, ME);
	ck_assert_str_eq(did.wan.fence.uid, "wan-1");
	ck_assert_str_ne(did.wan.fence.version, "");
	ck_assert_str_eq(did.wan.fence.version, did.wan.tested.version);
	says("the ConfigMap esddns-wan-ip is not claimed yet");
}
END_TEST

START_TEST(a_stored_claim_begins_the_work)
{
	reach_claiming();
	content(3);
	asks(NONE, NONE);
	wan_is(fence(ME, 5, 8));
	ck_assert(did.began);
	ck_assert_int_eq(did.fence.epoch, 5);
	ck_assert_int_eq(did.fence.sequence, 8);
	ck_assert_str_eq(did.fence.uid, "wan-1");
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, NONE); /* what was found before it led is not written */
	ck_assert(leadership_active(machine, now));
	ck_assert_str_eq(leadership_reason(machine), "");
}
END_TEST

START_TEST(a_sequence_that_is_none_starts_at_1)
{
	static const int64_t stored[] = { 0, -3, INT64_C(9007199254740991), INT64_MAX };

	for (int i = 0; i < 4; i++) {
		reach_acquiring();
		lease_ends(API_LOST, -1);
		do {
			now = leadership_next_deadline(machine);
			tick();
		} while (did.lease.kind == NONE);
		lease_is(record("", 4, "again"));
		wan_is(fence(OTHER, 4, stored[i]));
		lease_is(as_sent(&did.lease));
		asks(NONE, LEADERSHIP_WAN_CLAIM);
		ck_assert_int_eq(did.wan.fence.sequence, 1);
	}
}
END_TEST

START_TEST(a_missing_object_is_created_with_the_claim)
{
	start();
	lease_is(record("", 4, "r"));
	wan_ends(API_NOT_FOUND, -1);
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_CREATE);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	ck_assert_int_eq(did.wan.fence.sequence, 1);
	ck_assert_str_eq(did.wan.fence.holder, ME);
	ck_assert_uint_eq(did.wan.content, 0);
	wan_ends(API_EXISTS, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence("", 0, 0));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.fence.sequence, 1);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

START_TEST(a_conflict_reads_again_and_so_do_many_with_a_pause)
{
	int64_t slept = 0;

	reach_claiming();
	for (int n = 0; n < 8; n++) {
		wan_ends(API_CONFLICT, -1);
		if (did.wan.kind == NONE)
			slept += until_wan();
		asks(did.lease.kind, LEADERSHIP_WAN_GET);
		wan_is(fence(OTHER, 4, 7 + n));
		asks(NONE, LEADERSHIP_WAN_CLAIM);
		ck_assert_int_eq(did.wan.fence.sequence, 8 + n);
		if (n < 4)
			ck_assert_int_eq(slept, 0);
	}
	ck_assert_int_gt(slept, 4 * RETRY);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

START_TEST(a_claim_whose_answer_was_lost_is_compared)
{
	for (int landed = 0; landed < 2; landed++) {
		struct api_fence before, claimed;

		reach_claiming();
		before = did.wan.tested;
		claimed = fence_as_sent(&did.wan);
		wan_ends(API_LOST, -1);
		says("did not answer when asked for the ConfigMap");
		asks(NONE, LEADERSHIP_WAN_GET);
		wan_is(landed ? claimed : before);
		asks(NONE, landed ? NONE : LEADERSHIP_WAN_CLAIM);
		ck_assert_int_eq(did.began, landed);
	}
}
END_TEST

/* It may have landed, been read by followers, and been edited: its numbers are used up. */
START_TEST(a_lost_claim_over_a_changed_object_takes_a_new_term)
{
	reach_claiming();
	wan_ends(API_LOST, -1);
	wan_is(fence("", 0, 0));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
	lease_is(as_sent(&did.lease));
	wan_is(fence("", 0, 0));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.fence.epoch, 6);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

/* And so it is after the Lease was held too short to know. */
START_TEST(a_term_that_was_claimed_is_not_held_again)
{
	struct api_lease mine;

	reach_claiming();
	mine = record(ME, 5, "r");
	now += DEADLINE;
	tick();
	is_role(LEADERSHIP_STANDBY);
	lease_is(mine);
	wan_is(fence(OTHER, 4, 7));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

START_TEST(a_claim_that_came_back_as_another_is_none)
{
	reach_claiming();
	wan_is(fence(OTHER, 5, 8));
	ck_assert(!did.began);
	asks(NONE, LEADERSHIP_WAN_GET);
}
END_TEST

START_TEST(failures_back_off_and_patience_is_heard)
{
	int64_t last = 0;

	reach_claiming();
	for (int n = 0; n < 7; n++) {
		int64_t slept;

		wan_ends(API_DENIED, -1);
		says("refuses access to the ConfigMap");
		slept = until_wan();
		asks(did.lease.kind, LEADERSHIP_WAN_CLAIM);
		ck_assert_int_ge(slept, last < 30000 * 5 / 6 ? last : 30000);
		ck_assert_int_le(slept, 36000);
		last = slept;
	}
	ck_assert_int_ge(last, 30000);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
	content(1);
	wan_ends(API_THROTTLED, 11000);
	ck_assert_int_eq(until_wan(), 11000);
	asks(did.lease.kind, LEADERSHIP_WAN_WRITE);
	wan_ends(API_THROTTLED, INT64_C(1) << 50);
	ck_assert_int_eq(until_wan(), 60000);
}
END_TEST

START_TEST(a_missing_namespace_is_not_asked_for_without_end)
{
	start();
	lease_is(record("", 4, "r"));
	wan_ends(API_NOT_FOUND, -1);
	lease_is(as_sent(&did.lease));
	for (int n = 0; n < 4; n++) {
		wan_ends(API_NOT_FOUND, -1);
		asks(NONE, NONE);
		ck_assert_int_ge(until_wan(), RETRY);
	}
}
END_TEST

/* --- P3: a greater term ----------------------------------------------------------- */

static void
reach_bump(int64_t epoch)
{
	reach_claiming();
	wan_ends(API_CONFLICT, -1);
	wan_is(fence(OTHER, epoch, 3));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, epoch + 1);
	ck_assert_int_eq(leadership_term(machine), 5);
}

START_TEST(an_epoch_that_is_not_below_raises_the_term)
{
	for (int64_t epoch = 5; epoch < 8; epoch++) {
		struct api_lease before, raised;

		reach_bump(epoch);
		raised = as_sent(&did.lease);
		before = did.lease.lease;
		lease_is(raised);
		ck_assert_int_eq(leadership_term(machine), epoch + 1);
		ck_assert_str_eq(before.acquire_time, raised.acquire_time);
		asks(NONE, LEADERSHIP_WAN_GET);
		wan_is(fence(OTHER, epoch, 3));
		asks(NONE, LEADERSHIP_WAN_CLAIM);
		ck_assert_int_eq(did.wan.fence.epoch, epoch + 1);
		ck_assert_int_eq(did.wan.fence.sequence, 4);
		wan_is(fence_as_sent(&did.wan));
		ck_assert(did.began);
	}
}
END_TEST

START_TEST(a_failed_swap_proves_that_it_is_stale)
{
	reach_bump(6);
	lease_ends(API_CONFLICT, -1);
	is_role(LEADERSHIP_STANDBY);
	ck_assert(!did.ended); /* it never began */
	asks(LEADERSHIP_LEASE_GET, NONE);
	ck_assert_int_eq(leadership_term(machine), 0);
}
END_TEST

START_TEST(a_swap_whose_answer_was_lost_is_compared)
{
	for (int landed = 0; landed < 2; landed++) {
		struct api_lease before, raised;

		reach_bump(6);
		raised = as_sent(&did.lease);
		before = record(ME, 5, "before");
		lease_ends(API_LOST, -1);
		tick_in(RETRY, RETRY);
		asks(LEADERSHIP_LEASE_GET, NONE);
		lease_is(landed ? raised : before);
		if (landed) {
			ck_assert_int_eq(leadership_term(machine), 7);
			asks(LEADERSHIP_LEASE_PUT, LEADERSHIP_WAN_GET);
			ck_assert_int_eq(did.lease.lease.transitions, 7);
		} else {
			asks(LEADERSHIP_LEASE_PUT, NONE);
			ck_assert_int_eq(did.lease.lease.transitions, 7);
			ck_assert_str_eq(did.lease.lease.version, before.version);
		}
	}
}
END_TEST

/* Somebody raised transitions by hand under my name: a new term, and a new claim. */
START_TEST(a_raised_term_is_claimed)
{
	struct api_lease edited;

	reach_leading();
	tick_in(RETRY, RETRY);
	edited = as_sent(&did.lease);
	edited.transitions = 90;
	lease_ends(API_CONFLICT, -1);
	lease_is(edited);
	ck_assert(did.ended);
	is_role(LEADERSHIP_CLAIMING);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 8));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.fence.epoch, 90);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

START_TEST(a_poisoned_term_is_written_over)
{
	struct api_lease edited;

	reach_leading();
	tick_in(RETRY, RETRY);
	edited = as_sent(&did.lease);
	edited.transitions = INT32_MAX;
	lease_ends(API_CONFLICT, -1);
	lease_is(edited);
	ck_assert(!did.ended);
	tick_in(RETRY, RETRY);
	ck_assert_int_eq(did.lease.lease.transitions, 5);
}
END_TEST

/* --- what cannot be updated --------------------------------------------------------- */

START_TEST(an_immutable_object_is_made_anew)
{
	struct api_fence stored = fence(OTHER, 4, 7);

	stored.immutable = true;
	start();
	lease_is(record("", 4, "r"));
	wan_is(stored);
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_DELETE);
	says("is deleted and made anew");
	ck_assert_str_eq(did.wan.tested.uid, stored.uid);
	ck_assert_str_eq(did.wan.tested.version, stored.version);
	wan_ends(API_OK, -1);
	asks(NONE, LEADERSHIP_WAN_CREATE);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
	ck_assert_str_eq(leadership_reason(machine), "");
}
END_TEST

START_TEST(a_delete_that_fails_reads_again)
{
	static const enum api_outcome outcomes[] = { API_CONFLICT, API_LOST, API_FAILED };
	struct api_fence stored = fence(OTHER, 4, 7);

	stored.immutable = true;
	for (int i = 0; i < 3; i++) {
		reach_claiming();
		wan_ends(API_INVALID, -1); /* it is immutable by now */
		asks(NONE, LEADERSHIP_WAN_GET);
		wan_is(stored);
		asks(NONE, LEADERSHIP_WAN_DELETE);
		wan_ends(outcomes[i], -1);
		if (did.wan.kind == NONE)
			until_wan();
		asks(did.lease.kind, LEADERSHIP_WAN_GET);
		wan_ends(API_NOT_FOUND, -1);
		asks(NONE, LEADERSHIP_WAN_CREATE);
	}
	reach_claiming();
	wan_ends(API_INVALID, -1);
	wan_is(stored);
	wan_ends(API_DENIED, -1);
	says("refuses access");
	ck_assert_int_ge(until_wan(), RETRY);
	asks(did.lease.kind, LEADERSHIP_WAN_DELETE);
}
END_TEST

/* An object that is being deleted, and held by a finalizer, is not asked for without end. */
START_TEST(an_object_that_does_not_go_away_costs_little)
{
	struct api_fence stored = fence(OTHER, 4, 7);
	int64_t since;
	int deletes = 0;

	stored.immutable = true;
	reach_claiming();
	since = now;
	wan_ends(API_INVALID, -1);
	while (now < since + 600000) {
		if (did.wan.kind == LEADERSHIP_WAN_GET)
			wan_is(stored);
		else if (did.wan.kind == LEADERSHIP_WAN_DELETE && ++deletes)
			wan_ends(API_OK, -1);
		else if (did.wan.kind == LEADERSHIP_WAN_CREATE)
			wan_ends(API_EXISTS, -1);
		if (did.wan.kind == NONE)
			until_wan();
	}
	ck_assert_int_ge(deletes, 10);
	ck_assert_int_le(deletes, 35);
}
END_TEST

/* The greatest epoch leaves no number above it: only another object ends that. */
START_TEST(the_greatest_epoch_ends_no_election)
{
	start();
	lease_is(record("", 4, "r"));
	wan_is(fence(OTHER, MSG_EPOCH_MAX, 7));
	ck_assert_int_eq(did.lease.lease.transitions, 5);
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_DELETE);
	wan_ends(API_NOT_FOUND, -1);
	asks(NONE, LEADERSHIP_WAN_CREATE);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

static TCase *
claim_tests(void)
{
	TCase *tc = tcase_create("claim");

	tcase_add_test(tc, the_claim_comes_before_any_work);
	tcase_add_test(tc, a_stored_claim_begins_the_work);
	tcase_add_test(tc, a_sequence_that_is_none_starts_at_1);
	tcase_add_test(tc, a_missing_object_is_created_with_the_claim);
	tcase_add_test(tc, a_conflict_reads_again_and_so_do_many_with_a_pause);
	tcase_add_test(tc, a_claim_whose_answer_was_lost_is_compared);
	tcase_add_test(tc, a_lost_claim_over_a_changed_object_takes_a_new_term);
	tcase_add_test(tc, a_term_that_was_claimed_is_not_held_again);
	tcase_add_test(tc, a_claim_that_came_back_as_another_is_none);
	tcase_add_test(tc, failures_back_off_and_patience_is_heard);
	tcase_add_test(tc, a_missing_namespace_is_not_asked_for_without_end);
	tcase_add_test(tc, an_epoch_that_is_not_below_raises_the_term);
	tcase_add_test(tc, a_failed_swap_proves_that_it_is_stale);
	tcase_add_test(tc, a_swap_whose_answer_was_lost_is_compared);
	tcase_add_test(tc, a_raised_term_is_claimed);
	tcase_add_test(tc, a_poisoned_term_is_written_over);
	tcase_add_test(tc, an_immutable_object_is_made_anew);
	tcase_add_test(tc, a_delete_that_fails_reads_again);
	tcase_add_test(tc, an_object_that_does_not_go_away_costs_little);
	tcase_add_test(tc, the_greatest_epoch_ends_no_election);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("leadership_claim");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, claim_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
