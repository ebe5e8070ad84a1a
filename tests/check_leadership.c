#include "tests/leadership_story.h"

/* Tick at each deadline until something is sent; the time it took. */
static int64_t
until_sent(void)
{
	int64_t since = now;

	do {
		ck_assert_int_lt(leadership_next_deadline(machine), since + 100000);
		now = leadership_next_deadline(machine);
		tick();
	} while (did.lease.kind == NONE && did.wan.kind == NONE);
	return now - since;
}

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
	lease_is(renewed_before(4000, hour));
	asks(NONE, NONE);
	until_sent();
	lease_is(renewed_before(4001, hour));
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

static void
free_machine(void)
{
	leadership_free(machine);
	machine = NULL;
}

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
	tcase_add_test(tc, an_overdue_record_is_a_hint);
	tcase_add_test(tc, an_announced_release_is_taken_over_after_a_short_random_time);
	tcase_add_test(tc, an_old_announcement_counts_for_nothing);
	tcase_add_test(tc, standbys_together_read_less_than_agreed);
	tcase_add_test(tc, an_outage_keeps_the_period);
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
holder_tests(void)
{
	TCase *tc = tcase_create("holder");

	tcase_add_test(tc, it_renews_from_what_is_stored);
	tcase_add_test(tc, the_deadline_ends_the_work);
	tcase_add_test(tc, a_pause_ends_the_work_whatever_comes_first);
	tcase_add_test(tc, a_conflict_reads_and_goes_on_if_it_is_still_mine);
	tcase_add_test(tc, another_holder_ends_the_work_at_once);
	tcase_add_test(tc, a_release_by_another_is_seen_and_the_lease_acquired_again);
	tcase_add_test(tc, a_deleted_lease_is_created_again_with_a_new_term);
	tcase_add_test(tc, a_lost_renewal_is_compared);
	tcase_add_test(tc, a_lost_renewal_that_was_not_stored_is_sent_again);
	tcase_add_test(tc, a_denied_renewal_keeps_trying);
	tcase_add_test(tc, patience_ends_before_the_deadline);
	tcase_add_test(tc, a_caller_that_reports_nothing_is_not_waited_for);
	tcase_add_test(tc, answers_to_nothing_change_nothing);
	tcase_add_test(tc, a_stop_releases_what_is_held);
	tcase_add_test(tc, a_stop_of_a_standby_writes_nothing);
	tcase_add_test(tc, what_is_no_longer_mine_is_not_released);
	tcase_add_test(tc, a_stop_in_the_middle_of_an_acquisition_releases_it);
	tcase_add_test(tc, a_release_is_bounded_and_compared);
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

	suite_add_tcase(suite, standby_tests());
	suite_add_tcase(suite, holder_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
