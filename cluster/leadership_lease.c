#include "cluster/leadership_private.h"

#include <string.h>

#include "common/mem.h"

/* Of two records of one Lease, is the second only the first seen again? */
bool
lease_same(const struct api_lease *a, const struct api_lease *b)
{
	return a->duration_ms == b->duration_ms && a->transitions == b->transitions &&
	       strcmp(a->uid, b->uid) == 0 && strcmp(a->holder, b->holder) == 0 &&
	       strcmp(a->renew_time, b->renew_time) == 0 &&
	       strcmp(a->acquire_time, b->acquire_time) == 0;
}

struct api_lease
lease_record(struct leadership *l, int64_t transitions, bool keep_acquire_time)
{
	struct api_lease r = { .duration_ms = l->config.duration_ms, .transitions = transitions };

	words_stamp(l, r.renew_time);
	mem_copy_text(r.holder, sizeof(r.holder), l->config.identity);
	memcpy(r.acquire_time, r.renew_time, sizeof(r.acquire_time));
	if (!l->exists)
		return r;
	memcpy(r.uid, l->stored.uid, sizeof(r.uid));
	memcpy(r.version, l->stored.version, sizeof(r.version));
	if (keep_acquire_time)
		memcpy(r.acquire_time, l->stored.acquire_time, sizeof(r.acquire_time));
	return r;
}

void
lease_write(struct leadership *l, const struct api_lease *lease, struct leadership_actions *out)
{
	l->written = *lease;
	l->written_ms = l->now_ms;
	l->unsettled = true;
	out->lease.kind = l->exists ? LEADERSHIP_LEASE_PUT : LEADERSHIP_LEASE_CREATE;
	out->lease.lease = *lease;
	leadership_send(l, &l->lease, &out->lease);
}

static void
read_now(struct leadership *l, struct leadership_actions *out)
{
	out->lease.kind = LEADERSHIP_LEASE_GET;
	leadership_send(l, &l->lease, &out->lease);
}

/* Is this what was written last? Its sending is what the answer's time counts from. */
static bool
is_written(const struct leadership *l, const struct api_lease *lease)
{
	return l->unsettled && strcmp(lease->holder, l->written.holder) == 0 &&
	       strcmp(lease->renew_time, l->written.renew_time) == 0 &&
	       lease->transitions == l->written.transitions;
}

/* --- the holder ---------------------------------------------------------------- */

/* Somebody took it, or gave it away for us: stop at once, whatever time is left. */
static void
lose_to(struct leadership *l, const struct api_lease *lease)
{
	l->unsettled = false;
	leadership_step_down(l);
	standby_see(l, lease);
	if (lease->holder[0] != '\0')
		l->lease.due_ms = l->now_ms + leadership_jittered(l, l->config.retry_period_ms);
	else
		words_lease(l, "was released by somebody else");
}

static void
lose_deleted(struct leadership *l)
{
	l->exists = l->unsettled = false;
	leadership_step_down(l);
	words_lease(l, "was deleted");
}

/*
 * A greater number under my name is one of mine whose answer was lost (P3), or was
 * written by hand: either way it is the term from here on, and to be claimed.
 */
static void
adopt_term(struct leadership *l, int64_t transitions)
{
	if (transitions <= l->term || transitions > MSG_EPOCH_MAX)
		return;
	l->term = transitions;
	l->bump_to = 0;
	l->role = LEADERSHIP_CLAIMING;
	wan_forget(l);
	l->wan.due_ms = l->now_ms;
	words_wan(l, "is not claimed yet");
}

/* The write whose sending the local deadline counts from is known to be stored. */
static void
renewed(struct leadership *l)
{
	l->unsettled = false;
	l->deadline_ms = l->written_ms + l->config.renew_deadline_ms;
	l->lease_reason[0] = '\0';
}

static void
holder_read(struct leadership *l, const struct leadership_event *ev)
{
	if (ev->outcome == API_NOT_FOUND) {
		lose_deleted(l);
		return;
	}
	if (ev->outcome != API_OK)
		return;
	if (!leadership_is_me(l, ev->lease.holder)) {
		lose_to(l, &ev->lease);
		return;
	}
	l->stored = ev->lease;
	l->reread = false;
	if (is_written(l, &ev->lease))
		renewed(l);
	adopt_term(l, ev->lease.transitions);
	/* after a conflict, too, not more often than this: it may be one of many */
	l->lease.due_ms = leadership_max(l->now_ms, l->written_ms + l->config.retry_period_ms);
}

static void
holder_written(struct leadership *l, const struct leadership_event *ev)
{
	bool bump = l->bump_to > 0 && l->written.transitions == l->bump_to;

	switch (ev->outcome) {
	case API_OK:
		if (!leadership_is_me(l, ev->lease.holder)) {
			lose_to(l, &ev->lease);
			return;
		}
		l->stored = ev->lease;
		renewed(l);
		adopt_term(l, l->written.transitions);
		break;
	case API_NOT_FOUND:
		lose_deleted(l);
		break;
	case API_CONFLICT:
		l->unsettled = false;
		if (bump) {
			leadership_step_down(l);
			words_lease(l, "was changed by another node meanwhile");
			break;
		}
		l->reread = true;
		l->lease.due_ms = l->now_ms;
		break;
	case API_INVALID:
		l->unsettled = false;
		l->reread = true;
		l->lease.due_ms = l->now_ms;
		break;
	case API_DENIED:
	case API_THROTTLED:
		l->unsettled = false;
		break;
	default:
		l->reread = true; /* it may be stored: read and compare */
		break;
	}
}

/* The API server asks for patience; a renewal has only what is left of the deadline. */
static void
be_patient(struct leadership *l, int64_t retry_after_ms)
{
	int64_t latest = l->deadline_ms - 1000;

	if (retry_after_ms <= 0)
		return;
	retry_after_ms = leadership_min(retry_after_ms, RETRY_AFTER_MAX_MS);
	l->lease.due_ms =
		leadership_max(l->lease.due_ms, leadership_min(l->now_ms + retry_after_ms, latest));
}

static void
holder_answer(struct leadership *l, enum leadership_request_kind kind,
	      const struct leadership_event *ev)
{
	if (kind == LEADERSHIP_LEASE_GET)
		holder_read(l, ev);
	else
		holder_written(l, ev);
	if (!leadership_holds(l) || ev->outcome == API_OK || ev->outcome == API_CONFLICT)
		return;
	words_lease_failed(l, ev->outcome);
	be_patient(l, ev->retry_after_ms);
}

static void
holder_plan(struct leadership *l, struct leadership_actions *out)
{
	struct api_lease record;

	if (l->now_ms < l->lease.due_ms)
		return;
	l->lease.due_ms = l->now_ms + l->config.retry_period_ms;
	if (l->reread) {
		read_now(l, out);
		return;
	}
	record = lease_record(l, l->bump_to > 0 ? l->bump_to : l->term, true);
	lease_write(l, &record, out);
}

/* --- the release --------------------------------------------------------------- */

/* Is the Lease under my name, or may it still come to be? */
static bool
may_be_mine(const struct leadership *l)
{
	return leadership_holds(l) || l->unsettled ||
	       (l->exists && leadership_is_me(l, l->stored.holder));
}

void
lease_stop(struct leadership *l)
{
	leadership_end_request(&l->lease);
	l->acquiring = ACQUIRING_NOT;
	l->lease_reason[0] = l->wan_reason[0] = '\0';
	if (!may_be_mine(l)) {
		l->role = LEADERSHIP_OFF;
		return;
	}
	l->role = LEADERSHIP_RELEASING;
	l->stop_ms = l->now_ms + l->config.renew_deadline_ms / 2;
	l->lease.due_ms = l->now_ms;
	l->reread = true;
	l->unsettled = false;
}

static void
released(struct leadership *l, struct leadership_actions *out)
{
	l->role = LEADERSHIP_OFF;
	l->term = l->written.transitions;
	l->holder[0] = '\0';
	out->released = true;
}

static void
releasing_read(struct leadership *l, const struct leadership_event *ev,
	       struct leadership_actions *out)
{
	if (ev->outcome == API_OK && is_written(l, &ev->lease)) {
		released(l, out);
	} else if (ev->outcome == API_OK && leadership_is_me(l, ev->lease.holder)) {
		l->stored = ev->lease;
		l->exists = true;
		l->reread = false;
		l->lease.due_ms = l->now_ms;
	} else if (ev->outcome == API_OK || ev->outcome == API_NOT_FOUND) {
		l->role = LEADERSHIP_OFF; /* it is not mine: nothing is written */
	} else {
		words_lease_failed(l, ev->outcome);
	}
}

static void
releasing_written(struct leadership *l, const struct leadership_event *ev,
		  struct leadership_actions *out)
{
	l->reread = true;
	switch (ev->outcome) {
	case API_OK:
		released(l, out);
		break;
	case API_NOT_FOUND:
		l->role = LEADERSHIP_OFF;
		break;
	case API_CONFLICT:
		l->unsettled = false;
		l->lease.due_ms = l->now_ms;
		break;
	default:
		words_lease_failed(l, ev->outcome);
		break;
	}
}

static void
releasing_plan(struct leadership *l, struct leadership_actions *out)
{
	struct api_lease record;

	if (l->now_ms < l->lease.due_ms)
		return;
	l->lease.due_ms = l->now_ms + leadership_max(1, l->config.retry_period_ms / 4);
	if (l->reread) {
		read_now(l, out);
		return;
	}
	/* kept, unless somebody wrote what is none */
	record = lease_record(
		l, l->stored.transitions > MSG_EPOCH_MAX ? l->term : l->stored.transitions, false);
	record.holder[0] = '\0';
	record.duration_ms = 1000;
	lease_write(l, &record, out);
}

/* --- the lane ------------------------------------------------------------------ */

void
lease_answer(struct leadership *l, const struct leadership_event *ev,
	     struct leadership_actions *out)
{
	enum leadership_request_kind kind = l->lease.sent.kind;

	leadership_end_request(&l->lease);
	if (l->role == LEADERSHIP_STANDBY)
		standby_answer(l, kind, ev);
	else if (leadership_holds(l))
		holder_answer(l, kind, ev);
	else if (kind == LEADERSHIP_LEASE_GET)
		releasing_read(l, ev, out);
	else
		releasing_written(l, ev, out);
}

void
lease_plan(struct leadership *l, struct leadership_actions *out)
{
	if (l->lease.sent.kind != LEADERSHIP_NONE)
		return;
	if (l->role == LEADERSHIP_STANDBY)
		standby_plan(l, out);
	else if (leadership_holds(l))
		holder_plan(l, out);
	else if (l->role == LEADERSHIP_RELEASING)
		releasing_plan(l, out);
}
