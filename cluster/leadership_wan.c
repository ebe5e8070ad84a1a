#include "cluster/leadership_private.h"

#include <string.h>

#include "common/mem.h"

/* --- what is known of it --------------------------------------------------------- */

static bool
is_ours(const struct leadership *l, const struct api_fence *fence)
{
	return fence->epoch == l->term && leadership_is_me(l, fence->holder);
}

static bool
wan_mine(const struct leadership *l)
{
	return l->known == WAN_KNOWN && is_ours(l, &l->fence);
}

static bool
is_claimed(const struct leadership *l)
{
	return l->claimed_term == l->term && strcmp(l->claimed_uid, l->fence.uid) == 0;
}

static bool
is_spent(const struct leadership *l)
{
	return l->term > 0 && l->spent_term == l->term;
}

/*
 * No number is left to write under: it is the last one, or somebody removed it,
 * made it no number (which no test of P4 can match), or set it to one that is
 * not mine. Followers may have seen any number since then: a new term starts at
 * 1 again. The one after mine may be my own, by a write that landed late.
 */
static bool
exhausted(const struct leadership *l)
{
	if (!wan_mine(l))
		return false;
	return is_spent(l) || l->fence.sequence >= SEQUENCE_MAX || l->fence.sequence < 1 ||
	       (is_claimed(l) && l->fence.sequence != l->claimed_sequence &&
		l->fence.sequence != l->claimed_sequence + 1);
}

/* P2's condition, or P3's: is a greater term needed first? */
static bool
needs_bump(const struct leadership *l)
{
	return l->known == WAN_KNOWN && (exhausted(l) || !wan_mine(l)) &&
	       (is_spent(l) || !P2_MAY_CLAIM(l->fence.epoch, l->term));
}

static int64_t
greater_term(const struct leadership *l)
{
	return leadership_max(l->fence.epoch, l->term) + 1;
}

/*
 * Some objects cannot be claimed by an update: an immutable one, and one whose
 * epoch leaves no number above it. Made anew it has another uid, and its
 * followers start again.
 */
static bool
must_be_made_anew(const struct leadership *l)
{
	return l->known == WAN_KNOWN &&
	       (l->fence.immutable || (needs_bump(l) && greater_term(l) > MSG_EPOCH_MAX));
}

void
wan_forget(struct leadership *l)
{
	leadership_end_request(&l->wan);
	l->known = WAN_UNKNOWN;
	l->claimed_uid[0] = '\0';
	l->failures = l->conflicts = 0;
	l->content = 0;
	l->dirty = l->lost = l->refused = l->claim_lost = false;
}

bool
wan_wants(const struct leadership *l)
{
	if (l->role == LEADERSHIP_STANDBY)
		return l->acquiring == ACQUIRING_ASK;
	if (!leadership_holds(l))
		return false;
	return l->known != WAN_KNOWN || must_be_made_anew(l) ||
	       (!needs_bump(l) && (l->dirty || l->role != LEADERSHIP_LEADING || !wan_mine(l)));
}

/* --- requests -------------------------------------------------------------------- */

static struct api_fence
own_fence(const struct leadership *l, int64_t sequence)
{
	struct api_fence f = { .epoch = l->term, .sequence = sequence };

	mem_copy_text(f.holder, sizeof(f.holder), l->config.identity);
	return f;
}

/* The number after the stored one; what is no number, or the last one, starts again at 1. */
static int64_t
next_sequence(const struct api_fence *stored)
{
	return stored->sequence < 0 || stored->sequence >= SEQUENCE_MAX ? 1 : stored->sequence + 1;
}

static void
send(struct leadership *l, enum leadership_request_kind kind, struct leadership_actions *out)
{
	struct leadership_request *r = &out->wan;

	r->kind = kind;
	if (kind == LEADERSHIP_WAN_CREATE) {
		r->fence = own_fence(l, 1);
	} else if (kind == LEADERSHIP_WAN_CLAIM || kind == LEADERSHIP_WAN_WRITE) {
		r->fence = own_fence(l, next_sequence(&l->fence));
		memcpy(r->fence.uid, l->fence.uid, sizeof(r->fence.uid));
		memcpy(r->fence.version, l->fence.version, sizeof(r->fence.version));
	}
	if (kind != LEADERSHIP_WAN_GET && kind != LEADERSHIP_WAN_CREATE)
		r->tested = l->fence;
	if (kind == LEADERSHIP_WAN_WRITE)
		r->tests = P4_TESTS;
	if (kind == LEADERSHIP_WAN_CREATE || kind == LEADERSHIP_WAN_CLAIM)
		l->used_term = l->term;
	/* a create has no precondition: one that lands late must not bring old news */
	r->content = kind == LEADERSHIP_WAN_CREATE ? 0 : l->content;
	leadership_send(l, &l->wan, r);
}

static enum leadership_request_kind
next_kind(const struct leadership *l)
{
	if (l->known == WAN_UNKNOWN)
		return LEADERSHIP_WAN_GET;
	if (l->known == WAN_ABSENT)
		return LEADERSHIP_WAN_CREATE;
	if (must_be_made_anew(l))
		return LEADERSHIP_WAN_DELETE;
	return wan_mine(l) ? LEADERSHIP_WAN_WRITE : LEADERSHIP_WAN_CLAIM;
}

/* The ConfigMap is claimed: the work is in this object from here on. */
static void
begin(struct leadership *l)
{
	l->claimed_term = l->term;
	l->claimed_sequence = l->fence.sequence;
	if (strcmp(l->claimed_uid, l->fence.uid) != 0) {
		memcpy(l->claimed_uid, l->fence.uid, sizeof(l->claimed_uid));
		l->dirty = l->content > 0; /* it was in another object */
		l->lost = false;
	}
	if (l->role == LEADERSHIP_CLAIMING) {
		l->role = LEADERSHIP_LEADING;
		l->wan_reason[0] = '\0';
	}
}

void
wan_plan(struct leadership *l, struct leadership_actions *out)
{
	if (l->wan.sent.kind != LEADERSHIP_NONE)
		return;
	if (leadership_holds(l) && wan_mine(l) && !exhausted(l))
		begin(l);
	if (leadership_holds(l) && needs_bump(l) && !must_be_made_anew(l)) {
		if (l->bump_to != greater_term(l))
			l->lease.due_ms = l->now_ms;
		l->bump_to = greater_term(l);
		return;
	}
	if (!wan_wants(l) || l->now_ms < l->wan.due_ms)
		return;
	if (next_kind(l) == LEADERSHIP_WAN_DELETE)
		words_wan(l, "cannot be updated as it is: it is deleted and made anew");
	send(l, next_kind(l), out);
}

/* --- answers --------------------------------------------------------------------- */

/* Doubled for each failure in a row; what the API server asks for is heard, within bounds. */
static void
back_off(struct leadership *l, const struct leadership_event *ev)
{
	int64_t longest = leadership_max(l->config.retry_period_ms, LONGEST_PERIOD_MS);
	int64_t ms = l->config.retry_period_ms;
	int64_t patience = leadership_min(ev->retry_after_ms, RETRY_AFTER_MAX_MS);

	for (unsigned n = 1; n < l->failures && ms < longest; n++)
		ms *= 2;
	ms = leadership_jittered(l, leadership_min(ms, longest));
	l->wan.due_ms = l->now_ms + leadership_max(ms, patience);
}

/*
 * What is stored is not what was thought, or is not known: read before anything
 * else. At once the first time, since a read is cheap and others wait for this;
 * when it happens again and again, with a pause. Conflicts come in groups, when
 * many nodes change their records in the same object.
 */
static void
read_again(struct leadership *l, const struct leadership_event *ev)
{
	bool conflict = ev->outcome == API_CONFLICT || ev->outcome == API_EXISTS;
	int64_t patience = leadership_min(ev->retry_after_ms, RETRY_AFTER_MAX_MS);

	l->known = WAN_UNKNOWN;
	if (conflict ? ++l->conflicts <= CONFLICTS_AT_ONCE : ++l->failures <= 1) {
		l->wan.due_ms = l->now_ms + leadership_max(0, patience);
		return;
	}
	l->failures += conflict;
	back_off(l, ev);
}

/* The same write is to be tried again later. */
static void
try_later(struct leadership *l, const struct leadership_event *ev)
{
	l->failures++;
	back_off(l, ev);
	words_wan_failed(l, ev->outcome);
}

static void
commit(struct leadership *l, uint64_t content, struct leadership_actions *out)
{
	out->committed = content;
	l->dirty = content != l->content;
}

/* It is stored as asked for. */
static void
stored(struct leadership *l, const struct leadership_request *sent,
       const struct leadership_event *ev, struct leadership_actions *out)
{
	l->fence = ev->fence;
	l->known = WAN_KNOWN;
	l->lost = false;
	if (!is_ours(l, &ev->fence) || ev->fence.sequence != sent->fence.sequence) {
		read_again(l, ev); /* something on the way changed it */
		return;
	}
	l->failures = l->conflicts = 0;
	l->wan.due_ms = l->now_ms;
	l->wan_reason[0] = '\0';
	begin(l);
	if (sent->kind == LEADERSHIP_WAN_WRITE && sent->content > 0)
		commit(l, sent->content, out);
}

/*
 * A write whose end is not known may land yet. Several with one sequence, but
 * different contents, cannot be told apart by what is stored afterwards.
 */
static void
remember_lost(struct leadership *l, const struct leadership_request *sent)
{
	bool same = l->lost && l->lost_sequence == sent->fence.sequence;

	l->lost_mixed = same && (l->lost_mixed || l->lost_content != sent->content);
	l->lost = true;
	l->lost_sequence = sent->fence.sequence;
	l->lost_content = sent->content;
}

/* Was a claim of this term stored, and then changed by hand before I saw it? */
static void
compare_claim(struct leadership *l)
{
	bool stored = wan_mine(l) && l->fence.sequence == l->lost_claim_sequence;

	if (l->claim_lost && !stored && strcmp(l->fence.version, l->claimed_version) != 0)
		l->spent_term = l->term; /* its numbers may have been read */
	l->claim_lost = false;
}

/* Nobody else writes under my epoch and name: the number moved, so it was stored. */
static void
compare_lost(struct leadership *l, struct leadership_actions *out)
{
	if (!l->lost || strcmp(l->claimed_uid, l->fence.uid) != 0)
		return;
	if (l->fence.sequence == l->lost_sequence && !l->lost_mixed)
		commit(l, l->lost_content, out);
	if (l->fence.sequence != l->lost_sequence - 1)
		l->lost = false;
}

/* P4: after a refused test, or whenever it is read while working. */
static void
compare(struct leadership *l, const struct leadership_event *ev, struct leadership_actions *out)
{
	bool same_object = strcmp(l->claimed_uid, l->fence.uid) == 0;
	/* one with another leader's name is his, whatever its epoch: after a loss of Lease and
	 * ConfigMap the numbers start again, and I may be the stale one */
	bool nobodys = l->fence.epoch == 0 || leadership_is_me(l, l->fence.holder);
	bool unmoved = l->refused && l->fence.sequence == l->refused_sequence;

	l->refused = false;
	l->wan.due_ms = l->now_ms;
	if (!wan_mine(l)) {
		if (!same_object && nobodys && P2_MAY_CLAIM(l->fence.epoch, l->term))
			return; /* made anew by somebody: claim it under the same term */
		leadership_step_down(l);
		words_wan(l, "was claimed or changed by somebody else");
		return;
	}
	compare_lost(l, out);
	if (unmoved && same_object) { /* it was no test that failed */
		words_wan_failed(l, API_INVALID);
		back_off(l, ev);
	}
}

static void
on_read(struct leadership *l, const struct leadership_event *ev, struct leadership_actions *out)
{
	if (ev->outcome == API_OK) {
		l->known = WAN_KNOWN;
		l->fence = ev->fence;
		compare_claim(l);
	} else if (ev->outcome == API_NOT_FOUND) {
		l->known = WAN_ABSENT;
		l->refused = false;
	}
	if (l->role == LEADERSHIP_STANDBY) {
		standby_epoch_known(l, ev);
		return;
	}
	if (ev->outcome == API_OK && l->role == LEADERSHIP_LEADING)
		compare(l, ev, out);
	else if (ev->outcome == API_OK || ev->outcome == API_NOT_FOUND)
		l->wan.due_ms = l->now_ms;
	else
		try_later(l, ev);
}

static void
on_written(struct leadership *l, const struct leadership_request *sent,
	   const struct leadership_event *ev, struct leadership_actions *out)
{
	switch (ev->outcome) {
	case API_OK:
		stored(l, sent, ev, out);
		break;
	case API_NOT_FOUND:
		l->known = WAN_ABSENT;
		l->wan.due_ms = l->now_ms;
		if (sent->kind == LEADERSHIP_WAN_CREATE)
			try_later(l, ev); /* the namespace is missing */
		break;
	case API_INVALID:
		l->refused = sent->kind == LEADERSHIP_WAN_WRITE;
		l->refused_sequence = sent->tested.sequence;
		words_wan_failed(l, ev->outcome);
		read_again(l, ev);
		break;
	case API_EXISTS:
	case API_CONFLICT:
		read_again(l, ev);
		break;
	case API_DENIED:
	case API_THROTTLED:
		try_later(l, ev);
		break;
	default:
		if (sent->kind == LEADERSHIP_WAN_WRITE) {
			remember_lost(l, sent);
		} else {
			l->claim_lost = true;
			l->lost_claim_sequence = sent->fence.sequence;
			memcpy(l->claimed_version, sent->tested.version,
			       sizeof(l->claimed_version));
		}
		words_wan_failed(l, ev->outcome);
		read_again(l, ev);
		break;
	}
}

static void
on_deleted(struct leadership *l, const struct leadership_event *ev)
{
	if (ev->outcome == API_OK || ev->outcome == API_NOT_FOUND) {
		l->known = WAN_ABSENT;
		l->wan.due_ms = l->now_ms;
	} else if (ev->outcome == API_DENIED || ev->outcome == API_THROTTLED) {
		try_later(l, ev);
	} else {
		read_again(l, ev);
	}
}

void
wan_answer(struct leadership *l, const struct leadership_event *ev, struct leadership_actions *out)
{
	struct leadership_request sent = l->wan.sent;

	leadership_end_request(&l->wan);
	if (sent.kind == LEADERSHIP_WAN_GET)
		on_read(l, ev, out);
	else if (sent.kind == LEADERSHIP_WAN_DELETE)
		on_deleted(l, ev);
	else
		on_written(l, &sent, ev, out);
}
