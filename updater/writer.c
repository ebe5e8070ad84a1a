#include "updater/writer.h"

#include <string.h>

#include "common/clock.h"
#include "updater/writer_private.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 60000
/* What the API server forbids is not asked for again soon. */
#define DENIED_MS 30000
const struct writer_claim writer_no_claim = { .ms = WRITER_NEVER };

void
writer_init(struct writer *w, const struct writer_settings *settings)
{
	*w = (struct writer){
		.settings = *settings,
		.view.confirmed_ms = WRITER_NEVER,
		.claim = writer_no_claim,
		.lost = writer_no_claim,
		.other = writer_no_claim,
		.api_due_ms = WRITER_NEVER,
		.out_since_ms = WRITER_NEVER,
		.claim_due_ms = WRITER_NEVER,
		.retry_ms = WRITER_NEVER,
		.not_before_ms = WRITER_NEVER,
		.reported_ms = WRITER_NEVER,
		.replaced_ms = WRITER_NEVER,
		.now_ms = WRITER_NEVER,
		.reason = "",
	};
}

void
writer_configure(struct writer *w, const struct writer_settings *settings)
{
	w->settings = *settings;
}

bool
writer_active(const struct writer *w)
{
	return w->active;
}

const char *
writer_reason(const struct writer *w)
{
	return w->reason;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- requests ---------------------------------------------------------------------------- */

static void
start(struct writer *w, enum writer_request request, struct writer_actions *out)
{
	w->busy = request;
	w->sent_ms = w->now_ms;
	w->asked = w->view;
	out->request = request;
	out->id = ++w->id;
	out->timeout_ms = WRITER_REQUEST_MS;
	memcpy(out->uid, w->view.uid, sizeof(out->uid));
	out->epoch = w->view.epoch;
	out->sequence = w->view.sequence;
	out->old_stamp = w->view.key.stamp;
	out->value = w->view.address;
}

static void
start_get(struct writer *w, bool deciding, struct writer_actions *out)
{
	w->deciding = deciding;
	start(w, WRITER_REQUEST_GET, out);
}

/* A report that is still to be stored is overtaken by the claim. */
static void
start_claim(struct writer *w, struct writer_actions *out)
{
	w->reporting = false;
	w->person = false;
	start(w, WRITER_REQUEST_CLAIM, out);
}

static int64_t
backoff(unsigned failures, uint32_t random)
{
	int64_t delay = BACKOFF_FIRST_MS;

	while (--failures > 0 && delay < BACKOFF_MOST_MS)
		delay *= 2;
	if (delay > BACKOFF_MOST_MS)
		delay = BACKOFF_MOST_MS;
	return delay - random % (delay / 4 + 1);
}

/* A refused patch is followed by a read at once; anything else, and refusals in a row, wait. */
static void
fail_request(struct writer *w, enum writer_request request, const struct writer_event *ev)
{
	bool refused = ev->outcome == API_INVALID || ev->outcome == API_CONFLICT;

	w->failures += w->failures < 100;
	w->denied = ev->outcome == API_DENIED;
	w->look = true;
	if (request != WRITER_REQUEST_GET) {
		w->refused_epoch = w->asked.epoch;
		w->refused_sequence = w->asked.sequence;
		w->refused_stamp = w->asked.key.stamp;
	}
	w->api_due_ms = w->now_ms;
	if (!refused || w->failures > 1)
		w->api_due_ms += backoff(w->failures, ev->random);
	if (w->denied)
		w->api_due_ms = later(w->api_due_ms, w->now_ms + DENIED_MS);
	if (ev->retry_after_ms > 0)
		w->api_due_ms = later(w->api_due_ms, w->now_ms + ev->retry_after_ms);
	if (ev->outcome == API_NOT_FOUND) {
		/* nothing is there to be patched: the watch will show it when it is */
		w->known = false;
		w->look = false;
	}
}

static void
succeed(struct writer *w)
{
	w->failures = 0;
	w->denied = false;
	w->look = false;
	w->api_due_ms = WRITER_NEVER;
}

/* The key is as this node has just left it. */
static void
remember_own(struct writer *w)
{
	for (int i = WRITER_REPLACED - 1; i > 0; i--)
		w->replaced[i] = w->replaced[i - 1];
	w->replaced[0] = w->asked.key.stamp;
	w->replaced_ms = w->now_ms;
	w->own_stamp = w->view.key.stamp;
}

/* --- permits -------------------------------------------------------------------------------- */

static void
answer_permit(struct writer *w, const char *refusal, struct writer_actions *out)
{
	w->wants = w->deciding = false;
	w->refused = refusal != NULL;
	out->permit = refusal ? WRITER_REFUSED : WRITER_GRANTED;
	out->sentence = refusal ? refusal : "";
}

/* The one read before the write is in: is all still as planned? */
static void
decide_permit(struct writer *w, const struct writer_event *ev, bool taken,
	      struct writer_actions *out)
{
	const char *refusal = NULL;

	if (ev->outcome != API_OK || !ev->view || w->now_ms - w->sent_ms > WRITER_REQUEST_MS) {
		refusal = "not written: the API server did not answer the read that must come "
			  "before a write";
		w->rerun = true;
	} else if (!taken || !address_equal(&w->wants_value, &w->view.address) ||
		   w->view.epoch != w->asked.epoch)
		refusal = "not written: what is published is not what was planned any more";
	else if (!writer_holds(w))
		refusal = "not written: this node's claim of the record is not in force any more";
	else if (!writer_fresh(w))
		refusal = "not written: no round of the detector has confirmed the address lately";
	answer_permit(w, refusal, out);
}

/* A permit needs a claim in force, then the read. */
static void
pursue_permit(struct writer *w, struct writer_actions *out)
{
	const char *refusal = NULL;

	if (w->now_ms - w->wants_ms >= WRITER_PERMIT_MS) {
		answer_permit(w, "not written: the API server did not let it be claimed in time",
			      out);
		return;
	}
	if (w->busy != WRITER_REQUEST_NONE || w->api_due_ms > w->now_ms)
		return;
	if (w->look) {
		start_get(w, false, out);
		return;
	}
	if (writer_holds(w) && address_equal(&w->wants_value, &w->view.address)) {
#ifdef SABOTAGE_READ_BEFORE_WRITE /* for the simulation, which must catch it */
		answer_permit(w, NULL, out);
#else
		start_get(w, true, out);
#endif
		return;
	}
	/* news come faster over the bus than by the watch */
	if (w->known && !address_equal(&w->wants_value, &w->view.address) &&
	    w->now_ms - w->wants_ms < WRITER_LAG_MS)
		return;
	refusal = writer_claim_refusal(w);
	if (refusal)
		answer_permit(w, refusal, out);
	else
		start_claim(w, out);
}

/* --- what the plan says ------------------------------------------------------------------ */

static bool
is_news(const struct writer *w, const struct writer_report *r)
{
	const struct writer_key *key = &w->view.key;

	return !key->exists || key->pending || !address_equal(&key->value, &r->value) ||
	       key->in_sync != r->in_sync || key->attention != r->attention ||
	       r->error_stamp != w->reported.error_stamp;
}

static void
report(struct writer *w, const struct writer_plan *p)
{
	struct writer_report r = { p->value, p->in_sync, p->said == WRITER_ATTENTION,
				   p->error_stamp };
	bool due = w->view.leads && (w->reported_ms == WRITER_NEVER ||
				     w->now_ms - w->reported_ms >= w->settings.interval_ms);

	if (w->settings.observe || w->settings.dry_run || !w->known || (!due && !is_news(w, &r)))
		return;
	w->reporting = true;
	w->report = r;
	w->report_ms = w->now_ms;
}

/* The others may try now: the leader's node comes again after them, a backup in its turn. */
static void
close_failed(struct writer *w, const struct writer_plan *p, uint32_t random)
{
	if (w->claim.ms == WRITER_NEVER)
		return;
	w->closed = !w->view.leads || p->said == WRITER_ATTENTION;
	if (!w->view.leads)
		w->retry_ms = w->claim.ms + WRITER_CLAIM_MS + writer_draw(w, true, random);
	else
		w->retry_ms = w->claim.ms + WRITER_YIELD_MS;
	if (p->said == WRITER_ATTENTION)
		w->retry_ms = later(w->retry_ms, p->retry_ms);
}

/*
 * Another node has just found or made the record right: that this one cannot look does not
 * make it wrong. After an interval it is worth a word again, so that another one checks.
 */
static bool
settled_by_another(const struct writer *w)
{
	const struct writer_key *key = &w->view.key;

	return key->exists && !key->mine && !key->pending && key->in_sync &&
	       address_equal(&key->value, &w->view.address) &&
	       writer_since(w, w->other.ms, w->settings.interval_ms);
}

static void
hear_plan(struct writer *w, const struct writer_plan *p, uint32_t random)
{
	bool refused = w->refused;

	w->not_before_ms = p->not_before_ms;
	if (p->said == WRITER_WANTS) {
		w->wants = true;
		w->wants_value = p->value;
		w->wants_ms = w->now_ms;
		return;
	}
	w->wants = w->refused = w->looking = false;
	/* what the writer itself refused is no news to it */
	if (p->said == WRITER_LEFT && refused)
		return;
	/* a check of what is not published now, or not yet, settles nothing */
	if (!address_equal(&p->value, &w->view.address))
		return;
	w->rerun = false;
	if ((p->said != WRITER_FAILED && p->said != WRITER_ATTENTION) || !settled_by_another(w))
		report(w, p);
	if (p->said == WRITER_IN_SYNC) {
		w->closed = true;
		w->retry_ms = WRITER_NEVER;
	} else
		close_failed(w, p, random);
}

/* --- answers -------------------------------------------------------------------------------- */

static void
claim_answered(struct writer *w, const struct writer_event *ev, bool ok)
{
	struct writer_claim claim = { w->sent_ms, w->asked.epoch, w->asked.address };

	if (ok && w->view.key.mine && w->view.key.pending) {
		remember_own(w);
		w->claim = claim;
		w->lost = writer_no_claim;
		w->closed = false;
		w->rerun = !w->wants;
	} else if (ev->outcome != API_INVALID && ev->outcome != API_CONFLICT &&
		   (!writer_since(w, w->lost.ms, WRITER_CLAIM_MS) || w->lost.epoch != claim.epoch ||
		    !address_equal(&w->lost.value, &claim.value)))
		w->lost = claim; /* of several that were lost the first counts: it ends first */
}

/* A report that was thought lost has landed, or the key says the same by other means. */
static bool
is_stored(const struct writer *w)
{
	const struct writer_key *key = &w->view.key;

	return key->exists && key->mine && !key->pending && key->in_sync == w->report.in_sync &&
	       key->attention == w->report.attention &&
	       address_equal(&key->value, &w->report.value);
}

static void
report_stored(struct writer *w)
{
	w->reporting = false;
	w->reported = w->report;
	w->reported_ms = w->report_ms;
	w->own_stamp = w->view.key.stamp;
}

static void
take_answer(struct writer *w, const struct writer_event *ev, struct writer_actions *out)
{
	enum writer_request request = w->busy;
	bool ok = ev->outcome == API_OK && ev->view, taken = false, moved;

	if (request == WRITER_REQUEST_NONE || ev->id != w->id)
		return;
	w->busy = WRITER_REQUEST_NONE;
	if (ok)
		taken = writer_take_view(w, ev->view, true);
	moved = w->view.epoch != w->refused_epoch || w->view.sequence != w->refused_sequence ||
		w->view.key.stamp != w->refused_stamp;
	if (!ok)
		fail_request(w, request, ev);
	else if (request != WRITER_REQUEST_GET || w->deciding || moved)
		succeed(w);
	else {
		/* nothing has changed, and yet a patch was refused: not again at once */
		w->look = false;
		w->api_due_ms = w->now_ms + backoff(w->failures + 1, ev->random);
	}
	if (request == WRITER_REQUEST_CLAIM)
		claim_answered(w, ev, ok);
	else if (request == WRITER_REQUEST_REPORT && ok && w->reporting) {
		remember_own(w);
		report_stored(w);
	} else if (request == WRITER_REQUEST_GET && w->deciding && w->wants)
		decide_permit(w, ev, taken, out);
	else if (request == WRITER_REQUEST_GET && ok && w->reporting && is_stored(w))
		report_stored(w);
}

/* --- what is to be done --------------------------------------------------------------------- */

static void
pursue_patches(struct writer *w, struct writer_actions *out)
{
	const struct writer_key *key = &w->view.key;

	if (w->busy != WRITER_REQUEST_NONE || w->api_due_ms > w->now_ms || !w->known)
		return;
	if (w->look) {
		start_get(w, false, out);
		return;
	}
	/* another has claimed it, or the address has changed: what was found is history */
	if (w->reporting &&
	    ((key->pending && !key->mine) || !address_equal(&w->report.value, &w->view.address)))
		w->reporting = false;
	if (w->reporting)
		start(w, WRITER_REQUEST_REPORT, out);
	else if (writer_may_claim(w))
		start_claim(w, out);
}

static void
pursue(struct writer *w, struct writer_actions *out)
{
	if (w->wants)
		pursue_permit(w, out);
	if (!w->wants)
		pursue_patches(w, out);
	if (w->rerun && !w->look && w->busy == WRITER_REQUEST_NONE && w->api_due_ms <= w->now_ms &&
	    writer_judge_active(w)) {
		w->rerun = false;
		out->run = true;
	}
}

static void
serve_person(struct writer *w, struct writer_actions *out)
{
	if (w->settings.observe || !w->known || (w->settings.dry_run && !w->view.leads))
		return;
	if (writer_out_of_sync(w) && !w->settings.dry_run) {
		/* whoever works under a claim checks again; else a claim's turn is now, or once
		 * the one is over whose work ended with what is cured now */
		if (writer_judge_active(w))
			out->run = true;
		else
			w->person = true;
		return;
	}
	w->looking = !w->settings.dry_run;
	out->run = true;
}

struct writer_actions
writer_step(struct writer *w, const struct writer_event *ev, int64_t now_ms)
{
	struct writer_actions out = { .permit = WRITER_UNDECIDED, .sentence = "" };
	bool active = w->active;
	const char *reason = w->reason;

	w->now_ms = now_ms;
	writer_watch_turn(w, ev->random);
	switch (ev->type) {
	case WRITER_EV_OBJECT:
		writer_take_view(w, ev->view, false);
		w->blind = false;
		break;
	case WRITER_EV_BLIND:
		w->blind = true;
		break;
	case WRITER_EV_ANSWER:
		take_answer(w, ev, &out);
		break;
	case WRITER_EV_PLAN:
		hear_plan(w, ev->plan, ev->random);
		break;
	case WRITER_EV_CHECK:
		serve_person(w, &out);
		break;
	case WRITER_EV_TICK:
	case WRITER_EV__MAX:
		break;
	}
	writer_watch_turn(w, ev->random);
	if (!writer_out_of_sync(w)) {
		w->person = false;
		w->rerun = w->rerun && w->view.leads;
	}
	pursue(w, &out);
	w->active = writer_judge_active(w);
	w->reason = writer_judge_reason(w);
	out.changed = w->active != active || strcmp(w->reason, reason) != 0;
	return out;
}

/* The sooner of at and candidate, if that is still to come. */
static int64_t
soonest(const struct writer *w, int64_t at, int64_t candidate)
{
	return candidate > w->now_ms && candidate < at ? candidate : at;
}

int64_t
writer_next_deadline(const struct writer *w)
{
	int64_t at = CLOCK_NEVER;

	if (w->settings.observe)
		return at;
	if (w->wants)
		at = soonest(w, soonest(w, at, w->wants_ms + WRITER_LAG_MS),
			     w->wants_ms + WRITER_PERMIT_MS);
	if (w->busy == WRITER_REQUEST_NONE)
		at = soonest(w, at, w->api_due_ms);
	if (!writer_out_of_sync(w) || w->settings.dry_run)
		return at;
	if (w->claim.ms != WRITER_NEVER) {
		at = soonest(w, at, w->claim.ms + WRITER_RUN_MS);
		at = soonest(w, at, w->claim.ms + WRITER_CLAIM_MS);
	}
	if (w->other.ms != WRITER_NEVER)
		at = soonest(w, at, w->other.ms + WRITER_CLAIM_MS);
	at = soonest(w, at, w->retry_ms);
	at = soonest(w, at, w->not_before_ms);
	return w->view.leads ? at : soonest(w, at, w->claim_due_ms);
}
