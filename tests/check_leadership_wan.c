#include "tests/leadership_story.h"

/* A write of content 1 with sequence 9 is under way. */
static void
reach_write(void)
{
	reach_leading();
	content(1);
	asks(NONE, LEADERSHIP_WAN_WRITE);
}

/* Answer renewals as they come until the ConfigMap's lane sends something; the time it took. */
static int64_t
until_wan(void)
{
	int64_t since = now;

	do {
		ck_assert_int_lt(leadership_next_deadline(machine), since + 100000);
		now = leadership_next_deadline(machine);
		tick();
		ck_assert(!did.ended);
		if (did.lease.kind != NONE) {
			struct leadership_request wan = did.wan;

			lease_is(as_sent(&did.lease));
			if (wan.kind != NONE)
				did.wan = wan;
		}
	} while (did.wan.kind == NONE);
	return now - since;
}

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
	wan_is(fence(ME, 5, 12)); /* writes of mine that were lost landed */
	ck_assert_uint_eq(did.committed, 0);
	asks(NONE, LEADERSHIP_WAN_WRITE);
	ck_assert_int_eq(did.wan.tested.sequence, 12);
	ck_assert_int_eq(did.wan.fence.sequence, 13);
	wan_is(fence_as_sent(&did.wan));
	ck_assert_uint_eq(did.committed, 1);
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

START_TEST(a_deleted_object_is_created_with_the_content)
{
	struct api_fence made;

	reach_write();
	wan_ends(API_NOT_FOUND, -1);
	ck_assert(!did.ended);
	asks(NONE, LEADERSHIP_WAN_CREATE);
	ck_assert_int_eq(did.wan.fence.epoch, 5);
	ck_assert_uint_eq(did.wan.content, 1);
	made = fence_as_sent(&did.wan);
	wan_is(made);
	ck_assert(!did.began && !did.ended);
	ck_assert_uint_eq(did.committed, 1);
	ck_assert_str_eq(did.fence.uid, made.uid);
	asks(NONE, NONE);
	content(2);
	ck_assert_str_eq(did.wan.tested.uid, made.uid);
	ck_assert_int_eq(did.wan.tested.sequence, 1);
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

static void
free_machine(void)
{
	leadership_free(machine);
	machine = NULL;
}

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

static TCase *
write_tests(void)
{
	TCase *tc = tcase_create("write");

	tcase_add_test(tc, a_write_tests_what_is_known_to_be_stored);
	tcase_add_test(tc, only_one_write_and_the_newest_content);
	tcase_add_test(tc, a_write_has_only_what_is_left);
	tcase_add_test(tc, a_refused_write_reads_and_plans_again);
	tcase_add_test(tc, a_refused_write_that_is_no_longer_mine_ends_the_work);
	tcase_add_test(tc, a_write_that_is_refused_for_another_reason_backs_off);
	tcase_add_test(tc, a_lost_write_that_landed_is_committed);
	tcase_add_test(tc, a_lost_write_with_newer_content_behind_it);
	tcase_add_test(tc, a_lost_write_that_did_not_land_is_sent_again);
	tcase_add_test(tc, what_cannot_be_told_apart_is_written_again);
	tcase_add_test(tc, a_deleted_object_is_created_with_the_content);
	tcase_add_test(tc, a_creation_whose_answer_was_lost_is_written_over);
	tcase_add_test(tc, an_object_made_by_somebody_else_is_claimed_in_the_same_term);
	tcase_add_test(tc, the_last_sequence_takes_a_new_term);
	tcase_add_test(tc, a_slow_write_does_not_hold_up_a_renewal);
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

	suite_add_tcase(suite, claim_tests());
	suite_add_tcase(suite, write_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
