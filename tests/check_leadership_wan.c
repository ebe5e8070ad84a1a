#include "tests/leadership_story.h"

/* A write of content 1 with sequence 9 is under way. */
static void
reach_write(void)
{
	reach_leading();
	content(1);
	asks(NONE, LEADERSHIP_WAN_WRITE);
}

/* --- P4: the writes ------------------------------------------------------------------ */

START_TEST(a_write_tests_what_is_known_to_be_stored)
{
	reach_write();
	ck_assert_uint_eq(did.wan.tests, LEADERSHIP_TEST_ALL);
	ck_assert_str_eq(did.wan.tested.uid, "wan-1");
	ck_assert_int_eq(did.wan.tested.epoch, 5);
	ck_assert_int_eq(did.wan.tested.sequence, 8);
	ck_assert_str_eq(did.wan.tested.holder, ME);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	ck_assert_int_eq(did.wan.fence.sequence, 9);
	ck_assert_str_eq(did.wan.fence.holder, ME);
	ck_assert_uint_eq(did.wan.content, 1);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 1);
	ck_assert_int_eq(did.fence.sequence, 9);
	asks(NONE, NONE);
}
END_TEST

START_TEST(only_one_write_and_the_newest_content)
{
	struct api_fence first;

	reach_write();
	first = fence_as_sent(&did.wan);
	content(2);
	asks(NONE, NONE);
	content(3);
	content(3);
	content(2);
	asks(NONE, NONE);
	wan_is(first);
	ck_assert_uint_eq(did.committed, 1);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 3);
	ck_assert_int_eq(did.wan.tested.sequence, 9);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 3);
	asks(NONE, NONE);
	content(3);
	asks(NONE, NONE);
}
END_TEST

/* P5 */
START_TEST(a_write_has_only_what_is_left)
{
	reach_leading();
	now += DEADLINE - 300;
	content(1);
	asks(LEADERSHIP_LEASE_PUT, LEADERSHIP_WAN_WRITE);
	ck_assert_int_eq(did.wan.timeout_ms, 300);
	ck_assert_int_eq(did.lease.timeout_ms, 300);

	reach_leading();
	now += DEADLINE;
	content(1);
	ck_assert(did.ended);
	asks(LEADERSHIP_LEASE_GET, NONE);
}
END_TEST

START_TEST(a_refused_write_reads_and_plans_again)
{
	reach_write();
	wan_ends(API_INVALID, -1);
	ck_assert(!did.ended);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 9)); /* a write of mine that was lost landed */
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_int_eq(did.wan.tested.sequence, 9);
	ck_assert_int_eq(did.wan.fence.sequence, 10);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 1);
}
END_TEST

START_TEST(a_sequence_that_is_not_mine_takes_a_new_term)
{
	static const int64_t sequences[] = { 0, 3, 12 };

	reach_write();
	wan_ends(API_INVALID, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, sequences[_i]));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

START_TEST(a_lost_claim_that_somebody_changed_takes_a_new_term)
{
	struct api_fence claimed;

	reach_claiming();
	claimed = fence_as_sent(&did.wan);
	wan_ends(API_LOST, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	claimed.sequence--;
	wan_is(claimed);
	ck_assert(!did.began);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
}
END_TEST

START_TEST(a_refused_write_that_is_no_longer_mine_ends_the_work)
{
	struct api_fence found[] = { fence(OTHER, 6, 1), fence(OTHER, 5, 9), fence(ME, 6, 9),
				     fence(ME, 4, 9), fence(ME, 0, 9) };

	for (int i = 0; i < 5; i++) {
		reach_write();
		wan_ends(API_INVALID, -1);
		wan_is(found[i]);
		ck_assert(did.ended);
		is_role(LEADERSHIP_STANDBY);
		says("was claimed or changed by somebody else");
		asks(LEADERSHIP_LEASE_GET, NONE);
	}
	/* the Lease is mine still: the poisoned epoch is claimed over, in a new term */
	lease_is(record(ME, 5, "r"));
	wan_is(fence(ME, 0, 9));
	ck_assert_int_eq(did.lease.lease.transitions, 6);
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
	asks(NONE, NONE); /* the content of before is gone with the work */
}
END_TEST

/* 422 comes for other reasons too: then what was tested is what is stored. */
START_TEST(a_write_that_is_refused_for_another_reason_backs_off)
{
	int64_t last = 0;

	reach_write();
	for (int n = 0; n < 5; n++) {
		int64_t slept = 0;

		wan_ends(API_INVALID, -1);
		if (did.wan.kind == NONE)
			slept += until_wan();
		asks(did.lease.kind, LEADERSHIP_WAN_GET);
		wan_is(fence(ME, 5, 8));
		asks(NONE, NONE);
		says("refuses as invalid what is written to the ConfigMap");
		slept += until_wan();
		asks(did.lease.kind, LEADERSHIP_WAN_WRITE);
		ck_assert_int_ge(slept, RETRY);
		ck_assert_int_ge(slept, last);
		last = slept;
	}
	ck_assert_int_ge(last, 30000);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 1);
	ck_assert_str_eq(leadership_reason(machine), "");
}
END_TEST

START_TEST(a_lost_write_that_landed_is_committed)
{
	struct api_fence written;

	reach_write();
	written = fence_as_sent(&did.wan);
	wan_ends(API_LOST, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(written);
	ck_assert_uint_eq(did.committed, 1);
	ck_assert_int_eq(did.fence.sequence, 9);
	asks(NONE, NONE);
}
END_TEST

START_TEST(a_lost_write_with_newer_content_behind_it)
{
	struct api_fence written;

	reach_write();
	written = fence_as_sent(&did.wan);
	content(2);
	wan_ends(API_FAILED, -1);
	wan_is(written);
	ck_assert_uint_eq(did.committed, 1);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 2);
	ck_assert_int_eq(did.wan.tested.sequence, 9);
}
END_TEST

START_TEST(a_lost_write_that_did_not_land_is_sent_again)
{
	reach_write();
	wan_ends(API_LOST, -1);
	wan_is(fence(ME, 5, 8));
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_int_eq(did.wan.tested.sequence, 8);
	ck_assert_int_eq(did.wan.fence.sequence, 9);
	/* the first one lands now, and this one is refused: nobody knows which content it was */
	wan_ends(API_INVALID, -1);
	until_wan();
	asks(did.lease.kind, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 9));
	ck_assert_uint_eq(did.committed, 1); /* both had the same */
	asks(NONE, NONE);
}
END_TEST

/* Two lost writes of one sequence with different contents: which of them is stored? */
START_TEST(what_cannot_be_told_apart_is_written_again)
{
	reach_write();
	content(2);
	wan_ends(API_LOST, -1);
	wan_is(fence(ME, 5, 8));
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 2);
	wan_ends(API_LOST, -1);
	until_wan();
	asks(did.lease.kind, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, 9));
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 2);
	ck_assert_int_eq(did.wan.tested.sequence, 9);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 2);
}
END_TEST

START_TEST(a_deleted_object_is_created_and_then_written)
{
	struct api_fence made;

	reach_write();
	wan_ends(API_NOT_FOUND, -1);
	ck_assert(!did.ended);
	asks(NONE, LEADERSHIP_WAN_CREATE);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	ck_assert_uint_eq(did.wan.content, 0); /* it may land late, over a newer one */
	made = fence_as_sent(&did.wan);
	wan_is(made);
	ck_assert(!did.began && !did.ended);
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 1);
	ck_assert_str_eq(did.wan.tested.uid, made.uid);
	ck_assert_int_eq(did.wan.tested.sequence, 1);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 1);
	ck_assert_str_eq(did.fence.uid, made.uid);
}
END_TEST

START_TEST(a_creation_whose_answer_was_lost_is_written_over)
{
	struct api_fence made;

	reach_write();
	wan_ends(API_NOT_FOUND, -1);
	made = fence_as_sent(&did.wan);
	wan_ends(API_LOST, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(made);
	ck_assert(!did.ended);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_str_eq(did.wan.tested.uid, made.uid);
}
END_TEST

/* Somebody deleted the object and applied one of his own, with nothing in it. */
START_TEST(an_object_made_by_somebody_else_is_claimed_in_the_same_term)
{
	struct api_fence foreign = fence("", 0, 0);

	strcpy(foreign.uid, "wan-2");
	reach_write();
	wan_ends(API_INVALID, -1);
	wan_is(foreign);
	ck_assert(!did.ended);
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 0);
	/* a claim carries no content */
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_uint_eq(did.wan.content, 1);
	ck_assert_str_eq(did.wan.tested.uid, "wan-2");

	/* one of an earlier term with a name in it: Lease and ConfigMap may both be another's */
	for (foreign.epoch = 1; foreign.epoch < 7; foreign.epoch++) {
		strcpy(foreign.holder, OTHER);
		reach_write();
		wan_ends(API_INVALID, -1);
		wan_is(foreign);
		ck_assert(did.ended);
	}
}
END_TEST

START_TEST(the_last_sequence_takes_a_new_term)
{
	reach_write();
	wan_ends(API_INVALID, -1);
	wan_is(fence(ME, 5, INT64_C(9007199254740991)));
	asks(LEADERSHIP_LEASE_PUT, NONE);
	ck_assert_int_eq(did.lease.lease.transitions, 6);
	lease_is(as_sent(&did.lease));
	ck_assert(did.ended);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(ME, 5, INT64_C(9007199254740991)));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	ck_assert_int_eq(did.wan.fence.epoch, 6);
	ck_assert_int_eq(did.wan.fence.sequence, 1);
	wan_is(fence_as_sent(&did.wan));
	ck_assert(did.began);
}
END_TEST

START_TEST(a_slow_write_does_not_hold_up_a_renewal)
{
	reach_write();
	tick_in(RETRY, RETRY);
	asks(LEADERSHIP_LEASE_PUT, NONE);
	lease_is(as_sent(&did.lease));
	tick_in(RETRY, RETRY);
	asks(LEADERSHIP_LEASE_PUT, NONE);
}
END_TEST

START_TEST(a_failing_read_backs_off)
{
	reach_write();
	wan_ends(API_FAILED, 3500); /* a Retry-After holds also for the read that compares */
	asks(NONE, NONE);
	ck_assert_int_eq(until_wan(), 3500);
	asks(did.lease.kind, LEADERSHIP_WAN_GET);

	reach_write();
	wan_ends(API_LOST, -1);
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_ends(API_FAILED, -1);
	asks(NONE, NONE);
	says("the API server failed when asked for the ConfigMap");
	ck_assert_int_ge(until_wan(), 2 * RETRY);
	asks(did.lease.kind, LEADERSHIP_WAN_GET);
}
END_TEST

START_TEST(a_caller_that_reports_nothing_is_not_waited_for)
{
	int64_t since;

	reach_write();
	since = now;
	ck_assert_int_eq(did.wan.timeout_ms, DEADLINE / 2);
	until_wan();
	asks(did.lease.kind, LEADERSHIP_WAN_GET);
	ck_assert_int_eq(now - since, DEADLINE / 2 + 1000);
}
END_TEST

START_TEST(a_stop_forgets_the_write)
{
	struct api_fence written;

	reach_write();
	written = fence_as_sent(&did.wan);
	happens(LEADERSHIP_EV_STOP);
	ck_assert(did.ended);
	asks(LEADERSHIP_LEASE_GET, NONE);
	wan_is(written);
	ck_assert_uint_eq(did.committed, 0);
}
END_TEST

static TCase *
write_tests(void)
{
	TCase *tc = tcase_create("write");

	tcase_add_test(tc, a_write_tests_what_is_known_to_be_stored);
	tcase_add_test(tc, only_one_write_and_the_newest_content);
	tcase_add_test(tc, a_write_has_only_what_is_left);
	tcase_add_test(tc, a_refused_write_reads_and_plans_again);
	tcase_add_loop_test(tc, a_sequence_that_is_not_mine_takes_a_new_term, 0, 3);
	tcase_add_test(tc, a_lost_claim_that_somebody_changed_takes_a_new_term);
	tcase_add_test(tc, a_refused_write_that_is_no_longer_mine_ends_the_work);
	tcase_add_test(tc, a_write_that_is_refused_for_another_reason_backs_off);
	tcase_add_test(tc, a_lost_write_that_landed_is_committed);
	tcase_add_test(tc, a_lost_write_with_newer_content_behind_it);
	tcase_add_test(tc, a_lost_write_that_did_not_land_is_sent_again);
	tcase_add_test(tc, what_cannot_be_told_apart_is_written_again);
	tcase_add_test(tc, a_deleted_object_is_created_and_then_written);
	tcase_add_test(tc, a_creation_whose_answer_was_lost_is_written_over);
	tcase_add_test(tc, an_object_made_by_somebody_else_is_claimed_in_the_same_term);
	tcase_add_test(tc, the_last_sequence_takes_a_new_term);
	tcase_add_test(tc, a_slow_write_does_not_hold_up_a_renewal);
	tcase_add_test(tc, a_failing_read_backs_off);
	tcase_add_test(tc, a_caller_that_reports_nothing_is_not_waited_for);
	tcase_add_test(tc, a_stop_forgets_the_write);
	tcase_add_checked_fixture(tc, NULL, free_machine);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("leadership_wan");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, write_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
