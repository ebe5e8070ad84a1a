#include "updater/plan.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define TRANSIENT_FIRST_MS 2000
#define TRANSIENT_MOST_MS (5 * 60 * 1000)
#define ATTENTION_FIRST_MS (60 * 1000)
#define REFUSED_FIRST_MS 2000
#define RETRY_AFTER_MOST_MS (60 * 60 * 1000)

/* After a write whose fate is unknown (facts: it may land after its time-out). */
static const int64_t late_checks_ms[] = { 5000, 30000, 60000 };
#define LATE_CHECKS (sizeof(late_checks_ms) / sizeof(late_checks_ms[0]))

static const char no_token[] = "not compared with the provider: this process only observes, and "
			       "has no token to read with";

void
plan_init(struct plan *p, const struct plan_settings *settings, int64_t now_ms)
{
	*p = (struct plan){
		.settings = *settings,
		.due_ms = now_ms,
		.not_before_ms = PLAN_NEVER,
		.confirmed_ms = PLAN_NEVER,
		.checked_ms = PLAN_NEVER,
		.change_ms = PLAN_NEVER,
		.late_next = LATE_CHECKS,
	};
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
late_deadline(const struct plan *p)
{
	return p->late_next < LATE_CHECKS ? p->late_from_ms + late_checks_ms[p->late_next]
					  : CLOCK_NEVER;
}

int64_t
plan_next_deadline(const struct plan *p)
{
	if (p->phase != PLAN_IDLE || !p->settings.can_read || p->settings.passive)
		return CLOCK_NEVER;
	return later(sooner(p->due_ms, late_deadline(p)), p->not_before_ms);
}

bool
plan_fresh(const struct plan *p, int64_t now_ms)
{
	return p->confirmed_ms != PLAN_NEVER && now_ms - p->confirmed_ms <= p->settings.fresh_ms;
}

/* Check, and if need be write, as soon as the provider's Retry-After allows. */
static void
hurry(struct plan *p, int64_t now_ms)
{
	if (p->phase != PLAN_IDLE)
		p->again = true;
	p->due_ms = now_ms;
	p->failure.retry_ms = sooner(p->failure.retry_ms, now_ms);
}

void
plan_configure(struct plan *p, const struct plan_settings *settings, int64_t now_ms)
{
	const struct plan_settings old = p->settings;

	p->settings = *settings;
	if (old.ttl != settings->ttl || old.observe != settings->observe ||
	    old.dry_run != settings->dry_run) {
		p->verdict = PLAN_UNREAD;
		p->told = false;
	}
	hurry(p, now_ms);
}

void
plan_set_passive(struct plan *p, bool passive)
{
	p->settings.passive = passive;
}

/* --- failures --------------------------------------------------------------------- */

/* From three quarters of the doubling delay to all of it. */
static int64_t
backoff(int64_t first_ms, int64_t most_ms, unsigned count, uint32_t jitter)
{
	int64_t delay = first_ms;

	while (--count > 0 && delay < most_ms)
		delay *= 2;
	delay = sooner(delay, most_ms);
	return delay - jitter % (delay / 4 + 1);
}

static int64_t
retry_delay(const struct plan *p, uint32_t jitter)
{
	const struct plan_failure *f = &p->failure;

	if (f->outcome == PROVIDER_ATTENTION)
		return backoff(ATTENTION_FIRST_MS,
			       later(p->settings.interval_ms, ATTENTION_FIRST_MS), f->count,
			       jitter);
	return backoff(TRANSIENT_FIRST_MS, TRANSIENT_MOST_MS, f->count, jitter);
}

static void
fail(struct plan *p, const struct provider_result *result, uint32_t jitter, int64_t now_ms,
     struct plan_actions *actions)
{
	struct plan_failure *f = &p->failure;
	bool same = f->count > 0 && f->outcome == result->outcome;

	actions->notes |= PLAN_NOTE_FAILED;
	if (!same || strcmp(f->error, result->error) != 0)
		actions->notes |= PLAN_NOTE_FAILING;
	f->count = same ? f->count + (f->count < 1000) : 1;
	f->outcome = result->outcome;
	mem_copy_text(f->error_type, sizeof(f->error_type), result->error_type);
	mem_copy_text(f->error, sizeof(f->error), result->error);
	f->retry_ms = now_ms + retry_delay(p, jitter);
	if (result->retry_after_ms >= 0) {
		p->not_before_ms = now_ms + sooner(result->retry_after_ms, RETRY_AFTER_MOST_MS);
		f->retry_ms = later(f->retry_ms, p->not_before_ms);
	}
	if (p->again) /* what was asked for meanwhile is worth one attempt at once */
		f->retry_ms = now_ms;
	p->again = false;
	p->due_ms = f->retry_ms;
}

static void
clear_failure(struct plan *p, struct plan_actions *actions)
{
	if (p->failure.count > 0)
		actions->notes |= PLAN_NOTE_RECOVERED;
	p->failure = (struct plan_failure){ .retry_ms = PLAN_NEVER };
}

/* --- what a read means --------------------------------------------------------------- */

/* Note a difference once, not at each check that finds it again. */
static void
note_difference(struct plan *p, enum plan_note note, struct plan_actions *actions)
{
	if (p->told && address_equal(&p->told_wanted, &p->wanted) &&
	    provider_same(&p->told_found, &p->found))
		return;
	actions->notes |= note;
	p->told = true;
	p->told_wanted = p->wanted;
	p->told_found = p->found;
}

/* May the wanted address be written now? If not, why says so. */
static bool
may_write(struct plan *p, int64_t now_ms)
{
	const char *refusal = provider_refusal(&p->wanted);
	char text[ADDRESS_TEXT_MAX], span[32];

	p->why_type = "unconfirmed";
	address_format(&p->wanted, text, sizeof(text));
	p->why[0] = '\0';
	if (refusal)
		snprintf(p->why, sizeof(p->why), "not written: %s %s", text, refusal);
	else if (p->confirmed_ms == PLAN_NEVER)
		snprintf(p->why, sizeof(p->why),
			 "not written: no round of the detector has confirmed %s yet", text);
	else if (!plan_fresh(p, now_ms))
		snprintf(p->why, sizeof(p->why),
			 "not written: the last confirmation of %s by the detector is older than "
			 "%s (twice its interval)",
			 text, clock_span(p->settings.fresh_ms, span, sizeof(span)));
	return p->why[0] == '\0';
}

static void
start_read(struct plan *p, bool read_back, struct plan_actions *actions)
{
	p->phase = PLAN_READING;
	p->read_back = read_back;
	p->again = false;
	actions->request = PLAN_REQUEST_READ;
}

static void
start_write(struct plan *p, int64_t now_ms, struct plan_actions *actions)
{
	if (p->change_ms == PLAN_NEVER)
		p->change_ms = now_ms;
	p->phase = PLAN_WRITING;
	p->written = p->wanted;
	p->written_ttl = p->settings.ttl;
	p->unconfirmed = true;
	actions->request = PLAN_REQUEST_WRITE;
}

/* Where a cluster decides who writes, it is asked first; no request is under way meanwhile. */
static void
ask_or_write(struct plan *p, int64_t now_ms, struct plan_actions *actions)
{
	if (!p->settings.permit) {
		note_difference(p, PLAN_NOTE_DIFFERS, actions);
		start_write(p, now_ms, actions);
		return;
	}
	if (p->change_ms == PLAN_NEVER)
		p->change_ms = now_ms;
	p->phase = PLAN_ASKING;
	p->asked = p->wanted;
	actions->request = PLAN_REQUEST_PERMIT;
}

static void
accept(struct plan *p, int64_t now_ms, struct plan_actions *actions)
{
	if (p->verdict != PLAN_MATCHES)
		actions->notes |= PLAN_NOTE_IN_SYNC;
	if (p->unconfirmed && p->change_ms != PLAN_NEVER)
		actions->took_ms = now_ms - p->change_ms;
	p->verdict = PLAN_MATCHES;
	p->refusals = 0;
	p->unconfirmed = false;
	p->change_ms = PLAN_NEVER;
	p->told = false;
	clear_failure(p, actions);
}

/* It differs and stays as it is, until the next check or news. */
static void
leave(struct plan *p, enum plan_verdict verdict, enum plan_note note, struct plan_actions *actions)
{
	p->verdict = verdict;
	p->unconfirmed = false;
	p->change_ms = PLAN_NEVER;
	clear_failure(p, actions);
	note_difference(p, note, actions);
}

/* The provider took a write, and the reading after it shows something else. */
static void
fail_read_back(struct plan *p, uint32_t jitter, int64_t now_ms, struct plan_actions *actions)
{
	struct provider_result result = { .retry_after_ms = -1 };
	char text[ADDRESS_TEXT_MAX];

	provider_fail(&result, PROVIDER_TRANSIENT, "read-back",
		      "the provider took the write of %s, but the record read afterwards is "
		      "another: something else may be writing it too",
		      address_format(&p->written, text, sizeof(text)));
	p->verdict = PLAN_DIFFERS;
	fail(p, &result, jitter, now_ms, actions);
}

static void
judge(struct plan *p, bool read_back, uint32_t jitter, int64_t now_ms, struct plan_actions *actions)
{
	p->due_ms = now_ms + p->settings.interval_ms;
	if (p->wanted.family == ADDRESS_NONE) {
		clear_failure(p, actions);
		return;
	}
	if (provider_matches(&p->found, &p->wanted, p->settings.ttl)) {
		accept(p, now_ms, actions);
		return;
	}
	if (p->settings.observe || p->settings.dry_run) {
		leave(p, PLAN_OBSERVES, PLAN_NOTE_WOULD_WRITE, actions);
		return;
	}
	if (!may_write(p, now_ms)) {
		leave(p, PLAN_HOLDS, PLAN_NOTE_HELD, actions);
		return;
	}
	if (read_back && address_equal(&p->written, &p->wanted) &&
	    p->written_ttl == p->settings.ttl) {
		fail_read_back(p, jitter, now_ms, actions);
		return;
	}
	p->verdict = PLAN_DIFFERS;
	/* failures of a write are over only when a read has found its value */
	if (!p->unconfirmed)
		clear_failure(p, actions);
	/* a late check looks; the backoff says when to write again */
	if (p->failure.count > 0 && p->failure.retry_ms > now_ms) {
		note_difference(p, PLAN_NOTE_DIFFERS, actions);
		p->due_ms = p->failure.retry_ms;
	} else
		ask_or_write(p, now_ms, actions);
}

/* --- events ---------------------------------------------------------------------------- */

static void
on_news(struct plan *p, const struct plan_event *ev, int64_t now_ms, struct plan_actions *actions)
{
	bool was_fresh = plan_fresh(p, now_ms);

	if (ev->address.family != p->settings.family) {
		/* nothing is published now: the last address stays, and is not written */
		p->confirmed_ms = PLAN_NEVER;
		return;
	}
	if (!address_equal(&ev->address, &p->wanted)) {
		p->wanted = ev->address;
		p->confirmed_ms = ev->confirmed_ms;
		p->verdict = PLAN_UNREAD;
		p->unconfirmed = false;
		p->change_ms = now_ms;
		actions->report = true;
		hurry(p, now_ms);
		return;
	}
	p->confirmed_ms = later(p->confirmed_ms, ev->confirmed_ms);
	if (p->verdict == PLAN_HOLDS && !was_fresh && plan_fresh(p, now_ms))
		hurry(p, now_ms);
}

static void
on_read(struct plan *p, const struct plan_event *ev, int64_t now_ms, struct plan_actions *actions)
{
	bool read_back = p->read_back;

	p->phase = PLAN_IDLE;
	p->read_back = false;
	actions->report = true;
	while (late_deadline(p) <= now_ms)
		p->late_next++;
	if (ev->result->outcome != PROVIDER_DONE) {
		fail(p, ev->result, ev->jitter, now_ms, actions);
		return;
	}
	p->found = ev->result->record;
	p->checked_ms = now_ms;
	actions->notes |= PLAN_NOTE_READ;
	judge(p, read_back, ev->jitter, now_ms, actions);
	if (p->phase == PLAN_IDLE && p->again) {
		p->again = false;
		p->due_ms = now_ms;
	}
}

static void
on_written(struct plan *p, const struct plan_event *ev, int64_t now_ms,
	   struct plan_actions *actions)
{
	p->phase = PLAN_IDLE;
	actions->report = true;
	if (ev->result->outcome == PROVIDER_DONE) {
		actions->notes |= PLAN_NOTE_WRITTEN;
		start_read(p, true, actions);
		return;
	}
	if (ev->result->may_land) {
		p->late_from_ms = now_ms;
		p->late_next = 0;
	}
	fail(p, ev->result, ev->jitter, now_ms, actions);
}

/*
 * Another node writes it, or what was planned is not so any more. Mostly that passes: so it
 * is asked for again soon, and then less and less often, until the interval.
 */
static void
refuse(struct plan *p, const char *sentence, int64_t now_ms, struct plan_actions *actions)
{
	int64_t change_ms = p->change_ms;

	mem_copy_text(p->why, sizeof(p->why), sentence);
	p->why_type = "not-permitted";
	p->refusals += p->refusals < 1000;
	p->due_ms = now_ms;
	if (!p->again)
		p->due_ms += backoff(REFUSED_FIRST_MS, p->settings.interval_ms, p->refusals, 0);
	p->again = false;
	leave(p, PLAN_HOLDS, PLAN_NOTE_HELD, actions);
	p->change_ms = change_ms; /* it is still to be done, by whomever */
}

/*
 * Between the question and the answer the news may have changed, or the
 * confirmation grown old: a permit is for what was asked, and no reason to write
 * what would not be planned now.
 */
static void
on_permit(struct plan *p, const struct plan_event *ev, int64_t now_ms, struct plan_actions *actions)
{
	p->phase = PLAN_IDLE;
	actions->report = true;
	if (!ev->granted) {
		refuse(p, ev->sentence, now_ms, actions);
		return;
	}
	p->refusals = 0;
	if (!address_equal(&p->asked, &p->wanted) || p->settings.observe || p->settings.dry_run) {
		p->again = false;
		p->due_ms = now_ms;
		return;
	}
	if (!may_write(p, now_ms)) {
		leave(p, PLAN_HOLDS, PLAN_NOTE_HELD, actions);
		return;
	}
	note_difference(p, PLAN_NOTE_DIFFERS, actions);
	start_write(p, now_ms, actions);
}

struct plan_actions
plan_step(struct plan *p, const struct plan_event *ev, int64_t now_ms)
{
	struct plan_actions actions = { .took_ms = -1 };
	enum msg_record_state before = plan_state(p);
	enum plan_phase phase = p->phase;

	switch (ev->kind) {
	case PLAN_EV_TICK:
		if (plan_next_deadline(p) <= now_ms)
			start_read(p, false, &actions);
		break;
	case PLAN_EV_NEWS:
		on_news(p, ev, now_ms, &actions);
		break;
	case PLAN_EV_READ:
		if (p->phase == PLAN_READING)
			on_read(p, ev, now_ms, &actions);
		break;
	case PLAN_EV_WRITTEN:
		if (p->phase == PLAN_WRITING)
			on_written(p, ev, now_ms, &actions);
		break;
	case PLAN_EV_PERMIT:
		if (p->phase == PLAN_ASKING)
			on_permit(p, ev, now_ms, &actions);
		break;
	case PLAN_EV_CHECK:
		hurry(p, now_ms);
		break;
	case PLAN_EV__MAX:
		break;
	}
	actions.ended = phase != PLAN_IDLE && p->phase == PLAN_IDLE;
	actions.report = actions.report || plan_state(p) != before;
	return actions;
}

/* --- what is shown ------------------------------------------------------------------------ */

enum msg_record_state
plan_state(const struct plan *p)
{
	if (!p->settings.can_read)
		return MSG_RECORD_OBSERVED;
	if (p->failure.count > 0)
		return p->failure.outcome == PROVIDER_ATTENTION ? MSG_RECORD_ATTENTION
								: MSG_RECORD_RETRYING;
	switch (p->verdict) {
	case PLAN_MATCHES:
		return MSG_RECORD_IN_SYNC;
	case PLAN_HOLDS:
		return MSG_RECORD_HELD;
	case PLAN_OBSERVES:
		return MSG_RECORD_OBSERVED;
	case PLAN_DIFFERS:
		return MSG_RECORD_WORKING;
	case PLAN_UNREAD:
		break;
	}
	if (p->wanted.family == ADDRESS_NONE || p->checked_ms == PLAN_NEVER)
		return MSG_RECORD_UNKNOWN;
	return MSG_RECORD_WORKING;
}

const struct address *
plan_value(const struct plan *p)
{
	return p->phase == PLAN_ASKING ? &p->asked : &p->written;
}

const char *
plan_error(const struct plan *p)
{
	if (!p->settings.can_read)
		return no_token;
	if (p->failure.count > 0)
		return p->failure.error;
	return p->verdict == PLAN_HOLDS ? p->why : "";
}

const char *
plan_error_type(const struct plan *p)
{
	if (p->failure.count > 0 && p->settings.can_read)
		return p->failure.error_type;
	return p->verdict == PLAN_HOLDS ? p->why_type : "";
}
