#include "cluster/leadership_private.h"

#include <string.h>

#include "common/mem.h"

/*
 * How long until the next cheap read. The design said followers / 8; but all
 * standbys together may send N / 30 + 2 requests a second, and up to the 30 s
 * that every one of them may wait, only a quarter keeps that: with 30 standbys
 * and / 8, four requests a second instead of three.
 */
static int64_t
cheap_period(struct leadership *l)
{
	int64_t followers = leadership_min(l->followers, INT64_C(1000000));
	int64_t ms = leadership_max(l->config.retry_period_ms,
				    l->config.retry_period_ms * followers / 4);
	int64_t longest = leadership_max(l->config.retry_period_ms, LONGEST_PERIOD_MS);

	return leadership_jittered(l, leadership_min(ms, longest));
}

static int64_t
retry_period(struct leadership *l)
{
	return leadership_jittered(l, l->config.retry_period_ms);
}

/*
 * How long until the next read by quorum, while there is nothing to take. Many
 * need not read more often than they do from the cache, since each reads again
 * when the record expires, and one that is told of a release at once. But a
 * record under my own name waits for nobody else.
 */
static int64_t
quorum_period(struct leadership *l)
{
	if (l->exists && leadership_is_me(l, l->stored.holder))
		return retry_period(l);
	return cheap_period(l);
}

void
standby_read_by_quorum(struct leadership *l, int64_t at_ms)
{
	l->acquiring = ACQUIRING_NOT;
	l->by_quorum = true;
	l->baseline = false;
	l->lease.due_ms = at_ms;
}

int64_t
standby_due(const struct leadership *l)
{
	if (l->acquiring != ACQUIRING_NOT)
		return CLOCK_NEVER; /* the other lane's turn: its answer, or its end, goes on */
	return leadership_min(l->lease.due_ms, l->hurry_ms);
}

/* --- what is seen -------------------------------------------------------------- */

static int64_t
duration_of(const struct leadership *l, const struct api_lease *lease)
{
	if (lease->duration_ms <= 0)
		return l->config.duration_ms;
	return leadership_min(lease->duration_ms, LONGEST_DURATION_MS);
}

static void
show(struct leadership *l, const struct api_lease *lease)
{
	memcpy(l->holder, lease->holder, sizeof(l->holder));
	l->seen_term = lease->transitions <= MSG_EPOCH_MAX ? lease->transitions : 0;
	if (lease->holder[0] != '\0' && !leadership_is_me(l, lease->holder))
		words_held(l);
	else
		l->lease_reason[0] = '\0';
}

/*
 * A record as read by quorum: one that was not seen before starts the clock of
 * its expiry, by local time. The spread lets one of many come first, so that the
 * others see its name instead of asking for the same.
 */
void
standby_see(struct leadership *l, const struct api_lease *lease)
{
	l->stored = *lease;
	l->exists = true;
	show(l, lease);
	if (l->observed_known && lease_same(&l->observed, lease))
		return;
	l->observed = *lease;
	l->observed_known = true;
	l->expiry_ms = l->now_ms + duration_of(l, lease) + leadership_spread(l);
}

/*
 * Does the record look as if a renewal was due for long? Its time is of another
 * host's clock, so it is measured against the least difference to it that was
 * seen in this term, and is a hint, no more. In a large cluster one of the many
 * sees it soon, long before anyone has read the same record twice.
 */
static bool
is_overdue(struct leadership *l, const struct api_lease *lease)
{
	int64_t renewed = clock_parse_iso(lease->renew_time);
	int64_t lag = l->now_ms - renewed;

	if (renewed <= 0)
		return false;
	if (!l->lag_known || l->lag_term != lease->transitions || lag < l->least_lag_ms) {
		l->lag_known = true;
		l->lag_term = lease->transitions;
		l->least_lag_ms = lag;
	}
	return lag - l->least_lag_ms > l->config.retry_period_ms * 3 / 2;
}

/* --- reads --------------------------------------------------------------------- */

static void
acquire(struct leadership *l)
{
	l->acquiring = ACQUIRING_ASK;
	l->hurry_ms = CLOCK_NEVER;
	l->known = WAN_UNKNOWN;
	l->wan.due_ms = l->now_ms;
}

/* In an outage the election keeps its period. */
static void
wait_for(struct leadership *l, const struct leadership_event *ev, int64_t period_ms)
{
	int64_t patience = leadership_min(ev->retry_after_ms, LONGEST_PERIOD_MS);

	l->lease.due_ms = l->now_ms + leadership_max(period_ms, patience);
}

static void
failed(struct leadership *l, const struct leadership_event *ev, int64_t period_ms)
{
	words_lease_failed(l, ev->outcome);
	wait_for(l, ev, period_ms);
}

/* Nothing that a cache says is a licence to take over: it is a hint to read by quorum. */
static void
read_cheaply(struct leadership *l, const struct leadership_event *ev)
{
	bool again = l->cached_known && lease_same(&l->cached, &ev->lease);

	if (ev->outcome == API_NOT_FOUND) {
		l->cached_known = false;
		standby_read_by_quorum(l, l->now_ms);
		return;
	}
	if (ev->outcome != API_OK) {
		failed(l, ev, cheap_period(l));
		return;
	}
	l->cached = ev->lease;
	l->cached_known = true;
	show(l, &ev->lease);
	if (again || is_overdue(l, &ev->lease) || ev->lease.holder[0] == '\0' ||
	    leadership_is_me(l, ev->lease.holder))
		standby_read_by_quorum(l, l->now_ms);
	else
		l->lease.due_ms = l->now_ms + cheap_period(l);
}

/* Could it still be stored? Not once the version that it was for is gone. */
static void
settle(struct leadership *l, const struct api_lease *lease)
{
	if (!leadership_is_me(l, lease->holder) && strcmp(lease->version, l->written.version) != 0)
		l->unsettled = false;
}

static void
read_by_quorum(struct leadership *l, const struct leadership_event *ev)
{
	bool moved = !l->observed_known || !lease_same(&l->observed, &ev->lease);

	if (ev->outcome == API_NOT_FOUND) {
		l->exists = l->observed_known = false;
		l->holder[0] = '\0';
		acquire(l);
		return;
	}
	if (ev->outcome != API_OK) {
		failed(l, ev, quorum_period(l));
		return;
	}
	settle(l, &ev->lease);
	standby_see(l, &ev->lease);
	if (ev->lease.holder[0] == '\0' || leadership_is_me(l, ev->lease.holder) ||
	    l->now_ms >= l->expiry_ms) {
		acquire(l);
	} else if (moved && l->baseline) {
		/* alive: if it seemed overdue, a clock was set */
		l->lag_known = false;
		is_overdue(l, &ev->lease);
		l->by_quorum = false;
		l->cached = ev->lease;
		l->cached_known = true;
		l->lease.due_ms = l->now_ms + cheap_period(l);
		l->hint_ms = l->lease.due_ms;
	} else {
		l->baseline = true;
		l->lease.due_ms = leadership_min(l->now_ms + quorum_period(l), l->expiry_ms);
	}
}

/* --- to acquire ---------------------------------------------------------------- */

/*
 * P1: greater than every number that was given before, as far as the Lease, the
 * ConfigMap or this process still know it. A number out of bounds counts as none, and where
 * the bounds leave no room above the epoch, the ConfigMap is made anew.
 */
static int64_t
next_term(const struct leadership *l, int64_t epoch)
{
	int64_t old = l->exists ? l->stored.transitions : 0;

	if (old < 0 || old >= MSG_EPOCH_MAX)
		old = 0;
	if (epoch >= MSG_EPOCH_MAX)
		epoch = 0;
	if (l->used_term < MSG_EPOCH_MAX)
		old = leadership_max(old, l->used_term);
	return leadership_max(old, epoch) + 1;
}

/*
 * My own record, whose answer was lost: the term stays if it is one that I asked
 * for. But one that was claimed is not held again: a claim or a write of the time
 * before may land late, and under the same numbers nobody could tell it from one
 * of the time after.
 */
static bool
keeps_term(const struct leadership *l, int64_t epoch)
{
	int64_t term = l->stored.transitions;

	if (!l->exists || !leadership_is_me(l, l->stored.holder) || term < 1 ||
	    term > MSG_EPOCH_MAX || term != l->written.transitions || term == l->used_term)
		return false;
	return epoch < term || (epoch == term && leadership_is_me(l, l->fence.holder));
}

static void
write_own_record(struct leadership *l, struct leadership_actions *out)
{
	int64_t epoch = l->known == WAN_KNOWN ? l->fence.epoch : 0;
	bool keep = keeps_term(l, epoch);
	struct api_lease record =
		lease_record(l, keep ? l->stored.transitions : next_term(l, epoch), keep);

	lease_write(l, &record, out);
}

static void
hold(struct leadership *l)
{
	l->role = LEADERSHIP_CLAIMING;
	l->term = l->written.transitions;
	l->deadline_ms = l->written_ms + l->config.renew_deadline_ms;
	l->lease.due_ms = l->written_ms + l->config.retry_period_ms;
	l->hurry_ms = CLOCK_NEVER;
	l->reread = l->unsettled = l->observed_known = l->cached_known = false;
	l->lease_reason[0] = '\0';
	words_wan(l, "is not claimed yet");
	l->wan.due_ms = l->now_ms;
}

static void
acquired(struct leadership *l, const struct leadership_event *ev)
{
	int64_t in_time = l->written_ms + l->config.renew_deadline_ms;

	l->acquiring = ACQUIRING_NOT;
	l->unsettled = ev->outcome == API_FAILED || ev->outcome == API_LOST;
	if (ev->outcome == API_OK && leadership_is_me(l, ev->lease.holder)) {
		standby_see(l, &ev->lease);
		if (!DEADLINE_COUNTS || in_time > l->now_ms)
			hold(l);
		else
			standby_read_by_quorum(l, l->now_ms);
		return;
	}
	standby_read_by_quorum(l, l->now_ms + retry_period(l));
	if (ev->outcome == API_CONFLICT || ev->outcome == API_EXISTS)
		words_lease(l, "was taken by another node at the same moment");
	else
		failed(l, ev, retry_period(l));
}

void
standby_epoch_known(struct leadership *l, const struct leadership_event *ev)
{
	if (ev->outcome == API_OK || ev->outcome == API_NOT_FOUND) {
		l->wan_reason[0] = '\0';
		l->acquiring = ACQUIRING_WRITE;
		return;
	}
	standby_read_by_quorum(l, l->now_ms);
	wait_for(l, ev, quorum_period(l));
	l->lease_reason[0] = '\0';
	words_wan_failed(l, ev->outcome);
}

/* --- the lane, and what is heard ------------------------------------------------ */

void
standby_answer(struct leadership *l, enum leadership_request_kind kind,
	       const struct leadership_event *ev)
{
	if (kind == LEADERSHIP_LEASE_GET)
		read_by_quorum(l, ev);
	else if (kind == LEADERSHIP_LEASE_GET_CACHED)
		read_cheaply(l, ev);
	else
		acquired(l, ev);
}

void
standby_plan(struct leadership *l, struct leadership_actions *out)
{
	if (l->acquiring == ACQUIRING_WRITE) {
		write_own_record(l, out);
		return;
	}
	if (l->now_ms < standby_due(l))
		return;
	out->lease.kind = LEADERSHIP_LEASE_GET_CACHED;
	if (l->by_quorum || l->now_ms >= l->hurry_ms) {
		out->lease.kind = LEADERSHIP_LEASE_GET;
		l->hurry_ms = CLOCK_NEVER;
		l->quorum_ms = l->now_ms;
	}
	leadership_send(l, &l->lease, &out->lease);
}

static void
hurry(struct leadership *l, int64_t at_ms)
{
	if (!l->by_quorum)
		l->baseline = false;
	l->by_quorum = true;
	l->hurry_ms = leadership_min(l->hurry_ms, at_ms);
}

void
standby_hint(struct leadership *l)
{
	int64_t soonest = leadership_max(l->hint_ms, l->quorum_ms + l->config.retry_period_ms / 4);

	/*
	 * All followers have the same hint at the same moment, and a bad line gives many: the
	 * next one after a wrong one waits for the time of the next cheap read.
	 */
	if (l->role == LEADERSHIP_STANDBY && l->acquiring == ACQUIRING_NOT)
		hurry(l, leadership_max(l->now_ms + leadership_spread(l), soonest));
}

void
standby_released(struct leadership *l, int64_t term)
{
	if (l->role == LEADERSHIP_STANDBY && l->acquiring == ACQUIRING_NOT && term >= l->seen_term)
		hurry(l, l->now_ms + leadership_spread(l));
}
