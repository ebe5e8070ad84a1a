#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "updater/writer.h"

#define A "203.0.113.7"
#define B "198.51.100.9"
#define INTERVAL 300000
#define FRESH 600000
#define DELAY 20000
#define SPREAD 40000
#define MINE 1000u   /* stamps of texts by this node start here */
#define OTHERS 2000u /* and of others' here */

static const struct writer_settings settings = {
	.interval_ms = INTERVAL,
	.fresh_ms = FRESH,
	.backup_delay_ms = DELAY,
	.backup_spread_ms = SPREAD,
};

static struct writer w;
static struct writer_view view; /* of the object as it is */
static struct writer_actions last;
static uint32_t random_number;
static int64_t now;
static unsigned stamps;

static struct address
address(const char *text)
{
	struct address a = { 0 };

	if (text)
		ck_assert(address_parse_text(text, &a));
	return a;
}

static struct writer_actions
step(const struct writer_event *ev)
{
	struct writer_event copy = *ev;

	copy.random = random_number;
	last = writer_step(&w, &copy, now);
	return last;
}

static struct writer_actions
object(void)
{
	return step(&(struct writer_event){ .type = WRITER_EV_OBJECT, .view = &view });
}

static struct writer_actions
tick(void)
{
	return step(&(struct writer_event){ .type = WRITER_EV_TICK });
}

static struct writer_actions
person(void)
{
	return step(&(struct writer_event){ .type = WRITER_EV_CHECK });
}

static struct writer_actions
blind(void)
{
	return step(&(struct writer_event){ .type = WRITER_EV_BLIND });
}

static struct writer_actions
answer_with(enum api_outcome outcome, int64_t retry_after_ms)
{
	return step(&(struct writer_event){ .type = WRITER_EV_ANSWER,
					    .id = w.id,
					    .outcome = outcome,
					    .retry_after_ms = retry_after_ms,
					    .view = outcome == API_OK ? &view : NULL });
}

static struct writer_actions
answer(enum api_outcome outcome)
{
	return answer_with(outcome, -1);
}

static struct writer_actions
says_of(enum writer_said said, const char *value, bool in_sync, const char *error)
{
	struct writer_plan p = { .said = said,
				 .value = address(value),
				 .in_sync = in_sync,
				 .error_stamp = writer_stamp(error),
				 .not_before_ms = WRITER_NEVER,
				 .retry_ms = now + 2000 };

	return step(&(struct writer_event){ .type = WRITER_EV_PLAN, .plan = &p });
}

static struct writer_actions
says(enum writer_said said, const char *value)
{
	return says_of(said, value, said == WRITER_IN_SYNC,
		       said == WRITER_IN_SYNC || said == WRITER_WANTS ? NULL : "an error");
}

/* --- what the API server does --------------------------------------------------------- */

static void
set_key(const char *value, bool mine, bool pending, bool in_sync)
{
	view.key = (struct writer_key){ .exists = true,
					.pending = pending,
					.mine = mine,
					.in_sync = in_sync,
					.value = address(value),
					.claimed_at = pending ? now : view.key.claimed_at,
					.stamp = (mine ? MINE : OTHERS) + ++stamps };
}

/* The claim under way lands and its answer comes. */
static struct writer_actions
claim_lands(void)
{
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(w.busy, WRITER_REQUEST_CLAIM);
	set_key(address_format(&w.asked.address, text, sizeof(text)), true, true, false);
	return answer(API_OK);
}

static struct writer_actions
report_lands(bool in_sync, bool attention)
{
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(w.busy, WRITER_REQUEST_REPORT);
	set_key(address_format(&w.report.value, text, sizeof(text)), true, false, in_sync);
	view.key.attention = attention;
	return answer(API_OK);
}

/* A confirming round: the sequence moves, and nothing else. */
static void
confirm(void)
{
	view.sequence++;
	view.confirmed_ms = now;
}

static void
publish(const char *text)
{
	view.address = address(text);
	confirm();
}

static void
start_with(const struct writer_settings *s, bool leads)
{
	now = 1000000;
	stamps = 0;
	random_number = 0;
	writer_init(&w, s);
	view = (struct writer_view){ .uid = "uid-1",
				     .epoch = 3,
				     .sequence = 10,
				     .address = address(A),
				     .confirmed_ms = now,
				     .leads = leads };
	set_key(A, false, false, true);
}

/* A record in sync that both sides know of. */
static void
start(bool leads)
{
	start_with(&settings, leads);
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	ck_assert(writer_active(&w) == leads);
}

/* Ticks at the writer's own deadlines until a request is started, at most at_most ms. */
static int64_t
wait_for_request(enum writer_request request, int64_t at_most)
{
	int64_t from = now;

	for (int n = 0; n < 100; n++) {
		int64_t at = writer_next_deadline(&w);

		ck_assert_int_gt(at, now);
		if (at == CLOCK_NEVER || at - from > at_most)
			ck_abort_msg("no request within %lld ms", (long long)at_most);
		now = at;
		if (tick().request == WRITER_REQUEST_NONE)
			continue;
		ck_assert_int_eq(last.request, request);
		return now - from;
	}
	ck_abort_msg("it ticks without end");
	return 0;
}

static void
is_quiet_for(int64_t ms)
{
	int64_t until = now + ms;

	for (int n = 0; n < 100; n++) {
		int64_t at = writer_next_deadline(&w);

		ck_assert_int_gt(at, now);
		if (at > until) {
			now = until;
			return;
		}
		now = at;
		ck_assert_int_eq(tick().request, WRITER_REQUEST_NONE);
	}
	ck_abort_msg("it ticks without end");
}

/* --- the leader's node -------------------------------------------------------------------- */

/* From a change to the permit: one claim, one read. */
static void
leader_writes(const char *text)
{
	publish(text);
	ck_assert_int_eq(object().request, WRITER_REQUEST_CLAIM);
	ck_assert_str_eq(last.uid, "uid-1");
	ck_assert_int_eq(last.epoch, view.epoch);
	ck_assert_int_eq(last.sequence, view.sequence);
	ck_assert_uint_eq(last.old_stamp, view.key.stamp);
	ck_assert(address_equal(&last.value, &view.address));
	ck_assert(!writer_active(&w));
	claim_lands();
	ck_assert(last.run && writer_active(&w));
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(says(WRITER_WANTS, text).request, WRITER_REQUEST_GET);
	ck_assert_int_eq(last.permit, WRITER_UNDECIDED);
}

START_TEST(the_leaders_node_claims_reads_writes_and_reports)
{
	start(true);
	leader_writes(B);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	ck_assert_int_eq(says(WRITER_IN_SYNC, B).request, WRITER_REQUEST_REPORT);
	ck_assert_uint_eq(last.old_stamp, view.key.stamp);
	report_lands(true, false);
	ck_assert(writer_active(&w));
	is_quiet_for(10 * INTERVAL);
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
}
END_TEST

START_TEST(a_record_in_sync_is_checked_by_the_leaders_node_alone)
{
	start(false);
	is_quiet_for(10 * INTERVAL);
	ck_assert(!writer_active(&w));
	view.leads = true;
	object();
	ck_assert(last.changed && writer_active(&w));
	view.leads = false;
	object();
	ck_assert(last.changed && !writer_active(&w));
}
END_TEST

/* A hand-edited record, found by the leader's periodic check. */
START_TEST(drift_is_claimed_before_it_is_written)
{
	start(true);
	ck_assert_int_eq(says(WRITER_WANTS, A).request, WRITER_REQUEST_CLAIM);
	claim_lands();
	ck_assert_int_eq(last.request, WRITER_REQUEST_GET);
	ck_assert(!last.run);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
}
END_TEST

START_TEST(reports_of_an_unchanged_state_come_once_in_an_interval)
{
	int reports = 0;

	start(true);
	for (int n = 0; n < 50; n++) {
		now += INTERVAL / 10;
		confirm();
		object();
		if (says(WRITER_IN_SYNC, A).request == WRITER_REQUEST_REPORT) {
			reports++;
			report_lands(true, false);
		}
	}
	ck_assert_int_eq(reports, 5);
	/* and what has changed at once */
	ck_assert_int_eq(says_of(WRITER_FAILED, A, true, "an error").request,
			 WRITER_REQUEST_REPORT);
	report_lands(true, false);
	ck_assert_int_eq(says_of(WRITER_FAILED, A, true, "an error").request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(says_of(WRITER_FAILED, A, true, "another").request, WRITER_REQUEST_REPORT);
}
END_TEST

START_TEST(a_backup_reports_only_what_it_has_changed)
{
	start(false);
	ck_assert(person().run);
	ck_assert_int_eq(says(WRITER_IN_SYNC, A).request, WRITER_REQUEST_NONE);
	now += 2 * INTERVAL;
	confirm();
	object();
	person();
	ck_assert_int_eq(says(WRITER_IN_SYNC, A).request, WRITER_REQUEST_NONE);
}
END_TEST

/* --- the one read before the write ------------------------------------------------------------ */

enum spoil {
	SPOIL_NOTHING,
	SPOIL_SEQUENCE, /* a confirmation */
	SPOIL_UID,
	SPOIL_EPOCH,
	SPOIL_ADDRESS,
	SPOIL_KEY,
	SPOIL_GONE_KEY,
	SPOIL_AGE,
	SPOIL_OLD,
	SPOIL_LATE,
	SPOIL_CLAIM_AGE,
};

static const struct {
	enum spoil spoil;
	bool granted;
	const char *words;
} reads[] = {
	{ SPOIL_NOTHING, true, "" },         { SPOIL_SEQUENCE, true, "" },
	{ SPOIL_UID, false, "claim" },       { SPOIL_EPOCH, false, "planned" },
	{ SPOIL_ADDRESS, false, "planned" }, { SPOIL_KEY, false, "claim" },
	{ SPOIL_GONE_KEY, false, "claim" },  { SPOIL_AGE, false, "confirmed" },
	{ SPOIL_OLD, false, "planned" },     { SPOIL_LATE, false, "did not answer" },
	{ SPOIL_CLAIM_AGE, false, "claim" },
};

START_TEST(a_write_needs_everything_as_planned)
{
	start(true);
	leader_writes(B);
	switch (reads[_i].spoil) {
	case SPOIL_NOTHING:
		break;
	case SPOIL_SEQUENCE:
		confirm();
		break;
	case SPOIL_UID:
		strcpy(view.uid, "uid-2");
		break;
	case SPOIL_EPOCH:
		view.epoch++;
		break;
	case SPOIL_ADDRESS:
		publish(A);
		break;
	case SPOIL_KEY:
		set_key(B, false, true, false);
		break;
	case SPOIL_GONE_KEY:
		view.key = (struct writer_key){ .exists = false };
		break;
	case SPOIL_AGE:
		view.confirmed_ms = now - FRESH - 1;
		break;
	case SPOIL_OLD:
		view.sequence--;
		break;
	case SPOIL_LATE:
		now += WRITER_REQUEST_MS + 1;
		break;
	case SPOIL_CLAIM_AGE:
		w.claim.ms -= WRITER_CLAIM_MS;
		break;
	}
	answer(API_OK);
	ck_assert_int_eq(last.permit, reads[_i].granted ? WRITER_GRANTED : WRITER_REFUSED);
	ck_assert_msg(strstr(last.sentence, reads[_i].words), "%s", last.sentence);
}
END_TEST

static const enum api_outcome bad[] = { API_NOT_FOUND, API_GONE,   API_DENIED,
					API_THROTTLED, API_FAILED, API_LOST };

START_TEST(who_cannot_read_does_not_write)
{
	start(true);
	leader_writes(B);
	answer(bad[_i]);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	ck_assert_int_eq(says(WRITER_LEFT, B).request, WRITER_REQUEST_NONE);
}
END_TEST

START_TEST(after_a_failed_read_the_check_runs_again_under_the_claim)
{
	start(true);
	leader_writes(B);
	answer(API_LOST);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	says(WRITER_LEFT, B);
	ck_assert(!last.run);
	ck_assert_int_le(wait_for_request(WRITER_REQUEST_GET, 2000), 1000);
	answer(API_OK);
	if (!last.run) {
		now = writer_next_deadline(&w);
		tick();
	}
	ck_assert(last.run);
	ck_assert_int_eq(says(WRITER_WANTS, B).request, WRITER_REQUEST_GET);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
}
END_TEST

START_TEST(every_permit_has_its_own_read)
{
	start(true);
	leader_writes(B);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	/* the write failed, and the plan tries again */
	says(WRITER_FAILED, B);
	ck_assert_int_eq(last.request, WRITER_REQUEST_REPORT);
	report_lands(false, false);
	now += 2000;
	ck_assert_int_eq(says(WRITER_WANTS, B).request, WRITER_REQUEST_GET);
	ck_assert_int_eq(last.permit, WRITER_UNDECIDED);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
}
END_TEST

START_TEST(an_answer_that_is_not_expected_decides_nothing)
{
	start(true);
	leader_writes(B);
	step(&(struct writer_event){
		.type = WRITER_EV_ANSWER, .id = w.id - 1, .outcome = API_OK, .view = &view });
	ck_assert_int_eq(last.permit, WRITER_UNDECIDED);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	step(&(struct writer_event){
		.type = WRITER_EV_ANSWER, .id = w.id, .outcome = API_OK, .view = &view });
	ck_assert_int_eq(last.permit, WRITER_UNDECIDED);
}
END_TEST

START_TEST(a_permit_is_answered_in_the_end)
{
	start(true);
	ck_assert_int_eq(says(WRITER_WANTS, A).request, WRITER_REQUEST_CLAIM);
	for (int n = 0; n < 100 && last.permit == WRITER_UNDECIDED; n++) {
		if (w.busy != WRITER_REQUEST_NONE) {
			now += 100;
			answer(API_FAILED);
		} else {
			now = writer_next_deadline(&w);
			tick();
		}
	}
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	ck_assert_int_le(now - 1000000, WRITER_PERMIT_MS + 1000);
}
END_TEST

/* News of the bus come first; the permit waits for the watch, without a request. */
START_TEST(a_permit_waits_for_a_watch_that_is_behind)
{
	start(true);
	ck_assert_int_eq(says(WRITER_WANTS, B).request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(last.permit, WRITER_UNDECIDED);
	now += 100;
	publish(B);
	ck_assert_int_eq(object().request, WRITER_REQUEST_CLAIM);
	claim_lands();
	ck_assert_int_eq(last.request, WRITER_REQUEST_GET);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	/* but not for ever */
	start(true);
	says(WRITER_WANTS, B);
	now = writer_next_deadline(&w);
	ck_assert_int_eq(tick().permit, WRITER_REFUSED);
	ck_assert_int_eq(now - 1000000, WRITER_LAG_MS);
}
END_TEST

static void
leader_fails(int64_t after_ms)
{
	publish(B);
	object();
	claim_lands();
	now += after_ms;
	ck_assert_int_eq(says(WRITER_FAILED, B).request, WRITER_REQUEST_REPORT);
	report_lands(false, false);
}

/* --- backups ------------------------------------------------------------------------------------
 */

START_TEST(a_backup_waits_its_delay_and_a_random_part)
{
	start(false);
	random_number = (uint32_t)_i * 10000;
	publish(B);
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	ck_assert(!writer_active(&w));
	ck_assert_str_ne(writer_reason(&w), "");
	/* later changes do not restart it */
	now += 10000;
	random_number = 40000;
	publish(A);
	view.key.in_sync = false;
	object();
	now += 5000;
	publish(B);
	object();
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), DELAY + _i * 10000 - 15000);
	claim_lands();
	ck_assert(last.run && writer_active(&w));
	ck_assert_int_eq(says(WRITER_WANTS, B).request, WRITER_REQUEST_GET);
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	ck_assert_int_eq(says(WRITER_IN_SYNC, B).request, WRITER_REQUEST_REPORT);
	report_lands(true, false);
	ck_assert(!writer_active(&w));
	is_quiet_for(INTERVAL);
}
END_TEST

START_TEST(a_missing_or_garbled_key_is_out_of_sync)
{
	start_with(&settings, false);
	view.key = (struct writer_key){ .exists = false, .stamp = _i ? 77 : 0 };
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	wait_for_request(WRITER_REQUEST_CLAIM, DELAY);
	ck_assert_uint_eq(last.old_stamp, _i ? 77 : 0);
}
END_TEST

START_TEST(who_sees_it_in_sync_again_does_nothing)
{
	start(false);
	publish(B);
	object();
	now += 5000;
	set_key(B, false, true, false);
	object();
	now += 1000;
	set_key(B, false, false, true);
	object();
	ck_assert_str_eq(writer_reason(&w), "");
	is_quiet_for(10 * INTERVAL);
}
END_TEST

START_TEST(the_next_claim_is_at_least_half_a_minute_later)
{
	start(false);
	publish(B);
	object();
	now += 15000;
	confirm();
	set_key(B, false, true, false); /* another claims */
	object();
	now += 4000;
	set_key(B, false, false, false); /* and fails */
	object();
	random_number = _i * 5000;
	/* from the claim, not from the report */
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000),
			 WRITER_CLAIM_MS - 4000 + _i * 5000);
}
END_TEST

/* The claim itself was missed: only what came of it is seen. */
START_TEST(a_failure_of_another_whose_claim_was_missed_counts_as_one)
{
	start(false);
	publish(B);
	object();
	now += 15000;
	view.key.claimed_at = now;
	set_key(B, false, false, false);
	object();
	random_number = 500;
	is_quiet_for(20000);
	/* and one more, of the same node */
	view.key.claimed_at = now;
	set_key(B, false, false, false);
	object();
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), WRITER_CLAIM_MS + 500);
}
END_TEST

/* After a start nobody knows how old a claim is. */
START_TEST(what_is_seen_first_counts_from_then)
{
	start_with(&settings, _i % 2);
	set_key(A, false, _i / 2, false);
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), WRITER_CLAIM_MS);
}
END_TEST

START_TEST(new_settings_are_used)
{
	struct writer_settings s = settings;

	start(false);
	publish(B);
	object();
	s.observe = true;
	writer_configure(&w, &s);
	tick();
	is_quiet_for(DELAY + SPREAD);
	writer_configure(&w, &settings);
	random_number = 100;
	ck_assert_int_eq(tick().request, WRITER_REQUEST_CLAIM);
}
END_TEST

START_TEST(the_loser_of_a_claim_reads_again_and_waits)
{
	start(false);
	publish(B);
	object();
	wait_for_request(WRITER_REQUEST_CLAIM, 60000);
	set_key(B, false, true, false);
	ck_assert_int_eq(answer(API_INVALID).request, WRITER_REQUEST_GET);
	ck_assert_int_eq(answer(API_OK).request, WRITER_REQUEST_NONE);
	ck_assert(!writer_active(&w) && !last.run);
	is_quiet_for(WRITER_CLAIM_MS - 1);
	wait_for_request(WRITER_REQUEST_CLAIM, SPREAD);
}
END_TEST

START_TEST(a_refused_patch_without_a_cause_is_not_repeated_in_a_hurry)
{
	int requests = 0;

	start(true);
	publish(B);
	object();
	for (int64_t end = now + 10 * 60 * 1000; now < end;) {
		if (w.busy == WRITER_REQUEST_CLAIM)
			answer(API_INVALID);
		else if (w.busy == WRITER_REQUEST_GET)
			answer(API_OK);
		requests += last.request != WRITER_REQUEST_NONE;
		if (w.busy == WRITER_REQUEST_NONE) {
			ck_assert_int_ne(writer_next_deadline(&w), CLOCK_NEVER);
			now = writer_next_deadline(&w);
			tick();
			requests += last.request != WRITER_REQUEST_NONE;
		} else
			now++;
	}
	ck_assert_int_gt(requests, 5);
	ck_assert_int_lt(requests, 40);
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "does not take"));
}
END_TEST

START_TEST(an_error_that_needs_a_person_stops_claims)
{
	start(false);
	publish(B);
	object();
	now += 5000;
	set_key(B, false, false, false);
	view.key.attention = true;
	object();
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "person"));
	is_quiet_for(FRESH - 5000);
	/* until a person comes */
	confirm();
	object();
	ck_assert_int_eq(person().request, WRITER_REQUEST_CLAIM);
}
END_TEST

START_TEST(an_error_of_another_address_stops_nothing)
{
	start(false);
	set_key(A, false, false, false);
	view.key.attention = true;
	object();
	is_quiet_for(2 * SPREAD + WRITER_CLAIM_MS);
	random_number = 1000;
	publish(B);
	object();
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, DELAY + SPREAD), 1000);
}
END_TEST

START_TEST(a_backup_that_fails_reports_and_is_passive_again)
{
	start(false);
	publish(B);
	object();
	wait_for_request(WRITER_REQUEST_CLAIM, 60000);
	claim_lands();
	now += 10000;
	ck_assert_int_eq(says(WRITER_FAILED, B).request, WRITER_REQUEST_REPORT);
	ck_assert(!writer_active(&w));
	report_lands(false, false);
	random_number = 3000;
	is_quiet_for(WRITER_CLAIM_MS - 10000 - 1);
	ck_assert_int_le(wait_for_request(WRITER_REQUEST_CLAIM, 60000), 20001);
}
END_TEST

/* The others go first: they claim within 30 + 20 s of the leader's claim, it after 60. */
START_TEST(a_leader_that_fails_tries_on_for_a_while_and_then_yields)
{
	start(true);
	leader_fails(1000);
	ck_assert(writer_active(&w));
	now += 14000;
	tick();
	ck_assert(!writer_active(&w));
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "others may try"));
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 100000), WRITER_YIELD_MS - 15000);
}
END_TEST

START_TEST(a_leader_with_a_new_address_waits_for_nobody)
{
	start(true);
	leader_fails(1000);
	now += 20000;
	set_key(B, false, true, false); /* a backup claims */
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "another node has claimed"));
	now += 1000;
	publish("192.0.2.1");
	ck_assert_int_eq(object().request, WRITER_REQUEST_CLAIM);
}
END_TEST

START_TEST(a_leader_does_not_act_beside_a_backups_claim)
{
	start(true);
	now += 1000;
	publish(B);
	set_key(B, false, true, false);
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	ck_assert(!writer_active(&w));
	says(WRITER_WANTS, B); /* a check was already under way */
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), WRITER_CLAIM_MS);
}
END_TEST

START_TEST(a_new_leader_does_not_wait_for_the_old_ones_claim)
{
	start(false);
	publish(B);
	set_key(B, false, true, false);
	object();
	now += 1000;
	view.epoch++;
	view.leads = true;
	ck_assert_int_eq(object().request, WRITER_REQUEST_CLAIM);
}
END_TEST

START_TEST(who_leads_no_more_writes_no_more)
{
	start(true);
	leader_writes(B);
	view.epoch++;
	view.leads = false;
	object();
	ck_assert(!writer_active(&w));
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	says(WRITER_LEFT, B);
	/* what was read before claims no more either */
	says(WRITER_WANTS, B);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
}
END_TEST

START_TEST(an_attention_of_the_leader_is_retried_when_the_plan_would)
{
	struct writer_plan p = { .said = WRITER_ATTENTION,
				 .value = address(B),
				 .error_stamp = 5,
				 .not_before_ms = WRITER_NEVER };

	start(true);
	publish(B);
	object();
	claim_lands();
	p.retry_ms = now + 200000;
	step(&(struct writer_event){ .type = WRITER_EV_PLAN, .plan = &p });
	ck_assert_int_eq(last.request, WRITER_REQUEST_REPORT);
	report_lands(false, true);
	ck_assert(!writer_active(&w));
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 300000), 200000);
}
END_TEST

START_TEST(the_providers_wait_is_waited)
{
	struct writer_plan p = { .said = WRITER_FAILED, .value = address(B), .error_stamp = 5 };

	start(true);
	publish(B);
	object();
	claim_lands();
	p.not_before_ms = now + 100000;
	step(&(struct writer_event){ .type = WRITER_EV_PLAN, .plan = &p });
	report_lands(false, false);
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 300000), 100000);
}
END_TEST

/* --- what must not come from all at once
 * ---------------------------------------------------------- */

/* Confirmations come back for all nodes in one moment, long after their turns have passed. */
START_TEST(an_obstacle_that_ends_for_all_spreads_them_again)
{
	start(false);
	publish(B);
	if (_i == 0)
		view.confirmed_ms = WRITER_NEVER;
	object();
	if (_i == 1)
		blind();
	is_quiet_for(5 * (DELAY + SPREAD));
	random_number = 7000;
	confirm();
	ck_assert_int_eq(object().request, WRITER_REQUEST_NONE);
	random_number = 0;
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), 7000);
}
END_TEST

START_TEST(many_followers_are_spread_over_more)
{
	start(false);
	view.followers = 4000;
	random_number = 79999;
	publish(B);
	object();
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 200000), DELAY + 79999);
	start(false);
	view.followers = 4000000000u; /* which no cluster has */
	random_number = 4000000000u;
	publish(B);
	object();
	ck_assert_int_le(wait_for_request(WRITER_REQUEST_CLAIM, 200000),
			 DELAY + 5000 * WRITER_SPACING_MS);
}
END_TEST

START_TEST(blind_nodes_claim_nothing)
{
	start(true);
	blind();
	publish(B);
	is_quiet_for(INTERVAL);
	object();
	ck_assert_int_eq(last.request, WRITER_REQUEST_CLAIM);
	start(false);
	publish(B);
	object();
	blind();
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "watched"));
	is_quiet_for(INTERVAL);
}
END_TEST

/* --- requests that fail
 * --------------------------------------------------------------------------- */

START_TEST(a_lost_claim_that_landed_is_used)
{
	start(true);
	publish(B);
	object();
	answer(API_LOST);
	ck_assert(!writer_active(&w));
	set_key(B, true, true, false);
	wait_for_request(WRITER_REQUEST_GET, 2000);
	answer(API_OK);
	ck_assert(writer_active(&w));
	ck_assert(last.run);
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	/* it is as old as its sending */
	ck_assert_int_eq(w.claim.ms, 1000000);
}
END_TEST

START_TEST(a_lost_claim_that_did_not_land_is_sent_again)
{
	start(true);
	publish(B);
	object();
	answer(API_LOST);
	wait_for_request(WRITER_REQUEST_GET, 2000);
	answer(API_OK);
	ck_assert(!writer_active(&w));
	wait_for_request(WRITER_REQUEST_CLAIM, 5000);
}
END_TEST

START_TEST(a_lost_report_that_landed_is_not_repeated)
{
	start(true);
	leader_writes(B);
	answer(API_OK);
	says(WRITER_IN_SYNC, B);
	answer(API_LOST);
	wait_for_request(WRITER_REQUEST_GET, 2000);
	set_key(B, true, false, true);
	ck_assert_int_eq(answer(API_OK).request, WRITER_REQUEST_NONE);
	is_quiet_for(INTERVAL);
}
END_TEST

START_TEST(a_report_that_is_refused_is_given_up_for_another_claim)
{
	start(true);
	leader_writes(B);
	answer(API_OK);
	says(WRITER_FAILED, B);
	ck_assert_int_eq(last.request, WRITER_REQUEST_REPORT);
	set_key(B, false, true, false);
	ck_assert_int_eq(answer(API_INVALID).request, WRITER_REQUEST_GET);
	ck_assert_int_eq(answer(API_OK).request, WRITER_REQUEST_NONE);
	is_quiet_for(WRITER_CLAIM_MS - 1);
	/* but not for an edited key */
	start(true);
	leader_writes(B);
	answer(API_OK);
	says(WRITER_IN_SYNC, B);
	view.key.stamp = 4711;
	view.key.exists = false;
	answer(API_INVALID);
	ck_assert_int_eq(answer(API_OK).request, WRITER_REQUEST_REPORT);
	ck_assert_uint_eq(last.old_stamp, 4711);
}
END_TEST

START_TEST(what_the_server_asks_for_is_done)
{
	start(true);
	publish(B);
	object();
	answer_with(API_THROTTLED, 45000);
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_GET, 60000), 45000);
	answer(API_DENIED);
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "refuses"));
	ck_assert_int_ge(wait_for_request(WRITER_REQUEST_GET, 60000), 30000);
}
END_TEST

START_TEST(a_missing_object_is_waited_for)
{
	start(true);
	publish(B);
	object();
	answer(API_NOT_FOUND);
	is_quiet_for(INTERVAL);
	ck_assert(!writer_active(&w));
	strcpy(view.uid, "uid-2");
	view.epoch = 4;
	view.key = (struct writer_key){ .exists = false };
	confirm();
	ck_assert_int_eq(object().request, WRITER_REQUEST_CLAIM);
	ck_assert_str_eq(last.uid, "uid-2");
}
END_TEST

/* --- what a watch shows late
 * ------------------------------------------------------------------------ */

START_TEST(a_late_watch_does_not_undo_ones_own_claim)
{
	struct writer_view before;

	start(true);
	publish(B);
	object();
	before = view;
	claim_lands();
	ck_assert(writer_active(&w));
	step(&(struct writer_event){ .type = WRITER_EV_OBJECT, .view = &before });
	ck_assert(writer_active(&w));
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	/* what is no memory of this node's is believed */
	set_key(B, false, true, false);
	object();
	ck_assert(!writer_active(&w));
}
END_TEST

START_TEST(an_older_state_is_not_gone_back_to)
{
	struct writer_view before;

	start(true);
	before = view;
	leader_writes(B);
	answer(API_OK);
	says(WRITER_IN_SYNC, B);
	report_lands(true, false);
	step(&(struct writer_event){ .type = WRITER_EV_OBJECT, .view = &before });
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	ck_assert(address_equal(&w.view.address, &view.address));
}
END_TEST

/* --- settings, and objects that are no good
 * ---------------------------------------------------------- */

START_TEST(observing_costs_nothing)
{
	struct writer_settings s = settings;

	s.observe = true;
	start_with(&s, true);
	view.key.in_sync = false;
	object();
	ck_assert(!writer_active(&w));
	ck_assert_int_eq(person().request, WRITER_REQUEST_NONE);
	ck_assert(!last.run);
	ck_assert_int_eq(says(WRITER_WANTS, A).request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
	ck_assert_int_eq(writer_next_deadline(&w), CLOCK_NEVER);
}
END_TEST

START_TEST(a_dry_run_checks_and_changes_nothing)
{
	struct writer_settings s = settings;

	s.dry_run = true;
	start_with(&s, true);
	view.key.in_sync = false;
	object();
	ck_assert(writer_active(&w));
	ck_assert(person().run);
	ck_assert_int_eq(says(WRITER_LEFT, A).request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(says(WRITER_IN_SYNC, A).request, WRITER_REQUEST_NONE);
	is_quiet_for(INTERVAL);
	view.leads = false;
	object();
	ck_assert(!writer_active(&w));
	ck_assert(!person().run);
}
END_TEST

START_TEST(without_an_epoch_nobody_claims)
{
	start_with(&settings, true);
	view.epoch = 0;
	view.key.in_sync = false;
	object();
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	ck_assert_ptr_nonnull(strstr(writer_reason(&w), "epoch"));
	says(WRITER_WANTS, A);
	ck_assert_int_eq(last.permit, WRITER_REFUSED);
}
END_TEST

START_TEST(nothing_published_is_nothing_to_do)
{
	start_with(&settings, true);
	view.address = address(NULL);
	object();
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	is_quiet_for(INTERVAL);
}
END_TEST

START_TEST(a_person_makes_a_backup_look_and_claim_at_once)
{
	start(false);
	ck_assert(person().run);
	ck_assert(writer_active(&w));
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	/* the look finds drift */
	ck_assert_int_eq(says(WRITER_WANTS, A).request, WRITER_REQUEST_CLAIM);
	claim_lands();
	answer(API_OK);
	ck_assert_int_eq(last.permit, WRITER_GRANTED);
	says(WRITER_IN_SYNC, A);
	report_lands(true, false);
	ck_assert(!writer_active(&w));
	/* out of sync: no delay, but not beside another's claim */
	publish(B);
	set_key(B, false, true, false);
	object();
	ck_assert_int_eq(person().request, WRITER_REQUEST_NONE);
	ck_assert_int_eq(wait_for_request(WRITER_REQUEST_CLAIM, 60000), WRITER_CLAIM_MS);
}
END_TEST

START_TEST(a_person_is_served_by_the_claim_in_force)
{
	start(true);
	leader_fails(1000);
	ck_assert(person().run);
	ck_assert_int_eq(last.request, WRITER_REQUEST_NONE);
	now += WRITER_CLAIM_MS;
	tick();
	ck_assert_int_eq(person().request, WRITER_REQUEST_CLAIM);
}
END_TEST

/* As when a new token comes soon after the old one was refused. */
START_TEST(a_person_who_comes_before_the_claim_is_over_is_not_forgotten)
{
	for (int leads = 0; leads <= 1; leads++) {
		int64_t claimed;

		start(leads != 0);
		publish(B);
		if (object().request == WRITER_REQUEST_NONE)
			wait_for_request(WRITER_REQUEST_CLAIM, 60000);
		claimed = w.sent_ms;
		claim_lands();
		ck_assert(last.run);
		ck_assert_int_eq(says(WRITER_ATTENTION, B).request, WRITER_REQUEST_REPORT);
		report_lands(false, true);
		now += 1000;
		ck_assert_int_eq(person().request, WRITER_REQUEST_NONE);
		wait_for_request(WRITER_REQUEST_CLAIM, 60000);
		ck_assert_int_eq(now - claimed, WRITER_CLAIM_MS);
	}
}
END_TEST

/* A check of what is no longer published settles nothing. */
START_TEST(an_old_result_is_not_reported)
{
	start(true);
	publish(B);
	object();
	claim_lands();
	ck_assert_int_eq(says(WRITER_IN_SYNC, A).request, WRITER_REQUEST_NONE);
	ck_assert(writer_active(&w));
	/* nor stored when the address changes while it is on its way */
	ck_assert_int_eq(says(WRITER_IN_SYNC, B).request, WRITER_REQUEST_REPORT);
	publish(A);
	object();
	ck_assert_int_eq(answer(API_INVALID).request, WRITER_REQUEST_GET);
	ck_assert_int_eq(answer(API_OK).request, WRITER_REQUEST_CLAIM);
}
END_TEST

START_TEST(stamps_tell_texts_apart)
{
	ck_assert_uint_eq(writer_stamp(NULL), 0);
	ck_assert_uint_ne(writer_stamp(""), 0);
	ck_assert_uint_ne(writer_stamp("a"), writer_stamp("b"));
	ck_assert_uint_eq(writer_stamp("a"), writer_stamp("a"));
	ck_assert_uint_le(sizeof(struct writer), 1024);
}
END_TEST

static void
add_leader(TCase *tc)
{
	tcase_add_test(tc, the_leaders_node_claims_reads_writes_and_reports);
	tcase_add_test(tc, a_record_in_sync_is_checked_by_the_leaders_node_alone);
	tcase_add_test(tc, drift_is_claimed_before_it_is_written);
	tcase_add_test(tc, reports_of_an_unchanged_state_come_once_in_an_interval);
	tcase_add_test(tc, a_backup_reports_only_what_it_has_changed);
	tcase_add_loop_test(tc, a_write_needs_everything_as_planned, 0,
			    (int)(sizeof(reads) / sizeof(reads[0])));
	tcase_add_loop_test(tc, who_cannot_read_does_not_write, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, after_a_failed_read_the_check_runs_again_under_the_claim);
	tcase_add_test(tc, every_permit_has_its_own_read);
	tcase_add_test(tc, an_answer_that_is_not_expected_decides_nothing);
	tcase_add_test(tc, a_permit_is_answered_in_the_end);
	tcase_add_test(tc, a_permit_waits_for_a_watch_that_is_behind);
	tcase_add_test(tc, a_leader_that_fails_tries_on_for_a_while_and_then_yields);
	tcase_add_test(tc, a_leader_with_a_new_address_waits_for_nobody);
	tcase_add_test(tc, a_leader_does_not_act_beside_a_backups_claim);
	tcase_add_test(tc, a_new_leader_does_not_wait_for_the_old_ones_claim);
	tcase_add_test(tc, who_leads_no_more_writes_no_more);
	tcase_add_test(tc, an_attention_of_the_leader_is_retried_when_the_plan_would);
	tcase_add_test(tc, the_providers_wait_is_waited);
}

static void
add_backups(TCase *tc)
{
	tcase_add_loop_test(tc, a_backup_waits_its_delay_and_a_random_part, 0, 5);
	tcase_add_loop_test(tc, a_missing_or_garbled_key_is_out_of_sync, 0, 2);
	tcase_add_test(tc, who_sees_it_in_sync_again_does_nothing);
	tcase_add_loop_test(tc, the_next_claim_is_at_least_half_a_minute_later, 0, 4);
	tcase_add_test(tc, a_failure_of_another_whose_claim_was_missed_counts_as_one);
	tcase_add_loop_test(tc, what_is_seen_first_counts_from_then, 0, 4);
	tcase_add_test(tc, new_settings_are_used);
	tcase_add_test(tc, the_loser_of_a_claim_reads_again_and_waits);
	tcase_add_test(tc, a_refused_patch_without_a_cause_is_not_repeated_in_a_hurry);
	tcase_add_test(tc, an_error_that_needs_a_person_stops_claims);
	tcase_add_test(tc, an_error_of_another_address_stops_nothing);
	tcase_add_test(tc, a_backup_that_fails_reports_and_is_passive_again);
	tcase_add_loop_test(tc, an_obstacle_that_ends_for_all_spreads_them_again, 0, 2);
	tcase_add_test(tc, many_followers_are_spread_over_more);
	tcase_add_test(tc, blind_nodes_claim_nothing);
}

static void
add_rest(TCase *tc)
{
	tcase_add_test(tc, a_lost_claim_that_landed_is_used);
	tcase_add_test(tc, a_lost_claim_that_did_not_land_is_sent_again);
	tcase_add_test(tc, a_lost_report_that_landed_is_not_repeated);
	tcase_add_test(tc, a_report_that_is_refused_is_given_up_for_another_claim);
	tcase_add_test(tc, what_the_server_asks_for_is_done);
	tcase_add_test(tc, a_missing_object_is_waited_for);
	tcase_add_test(tc, a_late_watch_does_not_undo_ones_own_claim);
	tcase_add_test(tc, an_older_state_is_not_gone_back_to);
	tcase_add_test(tc, observing_costs_nothing);
	tcase_add_test(tc, a_dry_run_checks_and_changes_nothing);
	tcase_add_test(tc, without_an_epoch_nobody_claims);
	tcase_add_test(tc, nothing_published_is_nothing_to_do);
	tcase_add_test(tc, a_person_makes_a_backup_look_and_claim_at_once);
	tcase_add_test(tc, a_person_is_served_by_the_claim_in_force);
	tcase_add_test(tc, a_person_who_comes_before_the_claim_is_over_is_not_forgotten);
	tcase_add_test(tc, an_old_result_is_not_reported);
	tcase_add_test(tc, stamps_tell_texts_apart);
}

int
main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tc = tcase_create("writer");
	SRunner *runner = srunner_create(suite);
	int failed;

	add_leader(tc);
	add_backups(tc);
	add_rest(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
