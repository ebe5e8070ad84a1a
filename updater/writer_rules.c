#include <string.h>

#include "common/clock.h"
#include "updater/writer.h"
#include "updater/writer_private.h"

/* A number that no cluster has must not put off claims for ever. */
#define FOLLOWERS_MAX 5000

bool
writer_fresh(const struct writer *w)
{
	return w->view.confirmed_ms != WRITER_NEVER &&
	       w->now_ms - w->view.confirmed_ms <= w->settings.fresh_ms;
}

bool
writer_out_of_sync(const struct writer *w)
{
	const struct writer_key *key = &w->view.key;

	if (!w->known || w->view.address.family == ADDRESS_NONE)
		return false;
	/* done by this node, and only the report of it is still to be stored */
	if (w->reporting && w->report.in_sync && address_equal(&w->report.value, &w->view.address))
		return false;
	return !key->exists || !key->in_sync || !address_equal(&key->value, &w->view.address);
}

bool
writer_since(const struct writer *w, int64_t ms, int64_t span_ms)
{
	return ms != WRITER_NEVER && w->now_ms - ms < span_ms;
}

bool
writer_holds(const struct writer *w)
{
	return w->known && writer_since(w, w->claim.ms, WRITER_CLAIM_MS) &&
	       w->claim.epoch == w->view.epoch &&
	       address_equal(&w->claim.value, &w->view.address) && w->view.key.mine &&
	       w->view.key.stamp == w->own_stamp;
}

/*
 * The leader's node need not wait for a claim that was for an older address, or
 * made in an earlier epoch: whoever holds that is refused its permit by now.
 */
bool
writer_other_holds(const struct writer *w)
{
	return writer_since(w, w->other.ms, WRITER_CLAIM_MS) &&
	       (!w->view.leads || (w->other.epoch == w->view.epoch &&
				   address_equal(&w->other.value, &w->view.address)));
}

int64_t
writer_draw(const struct writer *w, bool again, uint32_t random)
{
	int64_t span = w->settings.backup_spread_ms;
	unsigned followers = w->view.followers < FOLLOWERS_MAX ? w->view.followers : FOLLOWERS_MAX;

	if (again && span > WRITER_SPREAD_AGAIN_MS)
		span = WRITER_SPREAD_AGAIN_MS;
	if (span < (int64_t)followers * WRITER_SPACING_MS)
		span = (int64_t)followers * WRITER_SPACING_MS;
	return random % (span + 1);
}

/* An error that needs a person: nobody else tries this address before one has come. */
static bool
stopped_by_attention(const struct writer *w)
{
	const struct writer_key *key = &w->view.key;

	return !w->view.leads && !w->person && key->exists && key->attention &&
	       address_equal(&key->value, &w->view.address);
}

/* Does anything but its turn keep this node from claiming? */
static bool
kept_back(const struct writer *w)
{
	return !w->known || w->blind || w->view.epoch == 0 || !writer_fresh(w) || writer_holds(w) ||
	       writer_other_holds(w) || stopped_by_attention(w) ||
	       (w->retry_ms > w->now_ms && !w->person) || w->not_before_ms > w->now_ms;
}

/*
 * What kept one backup back mostly kept all of them back, and ends for all at
 * once: those whose turn has passed meanwhile draw a new one.
 */
void
writer_watch_turn(struct writer *w, uint32_t random)
{
	if (!writer_out_of_sync(w)) {
		w->out_since_ms = WRITER_NEVER;
		w->held_back = false;
		return;
	}
	if (w->out_since_ms == WRITER_NEVER) {
		w->out_since_ms = w->now_ms;
		w->claim_due_ms =
			w->now_ms + w->settings.backup_delay_ms + writer_draw(w, false, random);
	}
	if (kept_back(w)) {
		if (w->now_ms >= w->claim_due_ms)
			w->held_back = true;
	} else if (w->held_back) {
		w->held_back = false;
		w->claim_due_ms = w->now_ms + writer_draw(w, true, random);
	}
}

bool
writer_may_claim(const struct writer *w)
{
	if (w->settings.observe || w->settings.dry_run || !writer_out_of_sync(w) || kept_back(w))
		return false;
	return w->view.leads || w->person || w->now_ms >= w->claim_due_ms;
}

const char *
writer_claim_refusal(const struct writer *w)
{
	if (w->settings.observe || w->settings.dry_run)
		return "not written: this node only watches";
	if (!w->known)
		return "not written: the ConfigMap cannot be read now";
	if (!address_equal(&w->wants_value, &w->view.address))
		return "not written: the published address is another by now";
	if (w->view.epoch == 0)
		return "not written: the ConfigMap has no usable epoch until a leader claims it";
	if (!writer_fresh(w))
		return "not written: no round of the detector has confirmed the address lately";
	if (writer_other_holds(w))
		return "not written here: another node has claimed the record and writes it";
	/* without a claim only those may go on whose check needed none */
	if (!w->view.leads && !w->person && !w->looking)
		return "not written here: the leader's node or one that has claimed it does that";
	return NULL;
}

bool
writer_judge_active(const struct writer *w)
{
	if (!w->known || w->settings.observe)
		return false;
	if (w->settings.dry_run)
		return w->view.leads;
	if (w->looking)
		return true;
	if (!writer_out_of_sync(w))
		return w->view.leads;
	return writer_holds(w) && !w->closed && w->now_ms - w->claim.ms < WRITER_RUN_MS;
}

const char *
writer_judge_reason(const struct writer *w)
{
	if (w->settings.observe)
		return writer_out_of_sync(w) ? "this node only observes" : "";
	if (w->known && (!writer_out_of_sync(w) || writer_judge_active(w)))
		return "";
	if (!w->known)
		return "the ConfigMap has not been read yet";
	if (w->blind)
		return "the ConfigMap cannot be watched now, so nothing is written";
	if (w->denied)
		return "the API server refuses this node's change of the ConfigMap";
	if (w->failures > 1)
		return "the API server does not take this node's change of the ConfigMap";
	if (w->view.epoch == 0)
		return "the ConfigMap has no usable epoch until a leader claims it";
	if (!writer_fresh(w))
		return "no round of the detector has confirmed the published address lately";
	if (stopped_by_attention(w))
		return "the node that tried last met an error that needs a person";
	if (writer_other_holds(w))
		return "another node has claimed the record and writes it";
	if (w->retry_ms > w->now_ms)
		return "this node's last attempt failed, and others may try first";
	if (w->not_before_ms > w->now_ms)
		return "the provider asked this node to wait";
	return w->view.leads ? "" : "the leader's node writes it; this one waits to take over";
}
