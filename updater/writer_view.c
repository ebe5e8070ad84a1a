#include <string.h>

#include "updater/writer.h"
#include "updater/writer_private.h"

/* How late a watch may still show what this node's patches have replaced. */
#define STALE_MS 10000

/* FNV-1a. It only saves a comparison: the patch tests the text itself. */
uint64_t
writer_stamp(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	if (!text)
		return 0;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

/* The object was made anew: what was done to the old one says nothing about it. */
static void
forget(struct writer *w)
{
	w->claim = w->lost = w->other = writer_no_claim;
	w->own_stamp = 0;
	w->reporting = false;
	w->reported_ms = WRITER_NEVER;
	w->replaced_ms = WRITER_NEVER;
}

static bool
is_older(const struct writer_view *a, const struct writer_view *b)
{
	return strcmp(a->uid, b->uid) == 0 &&
	       (a->epoch < b->epoch || (a->epoch == b->epoch && a->sequence < b->sequence));
}

/* Does a late watch show a text that this node has replaced? */
static bool
is_replaced(const struct writer *w, uint64_t stamp)
{
	if (w->replaced_ms == WRITER_NEVER || w->now_ms - w->replaced_ms >= STALE_MS ||
	    w->view.key.stamp != w->own_stamp)
		return false;
	for (int i = 0; i < WRITER_REPLACED; i++)
		if (w->replaced[i] == stamp)
			return true;
	return false;
}

/*
 * Another node's claim is seen, or what it came to where the claim itself was
 * not: it counts from now, also at the start, where its age is not known. A report
 * of success needs no time to itself.
 */
static void
notice_other(struct writer *w, const struct writer_key *old, const struct writer_key *new)
{
	bool known = old->exists &&
		     old->claimed_at == new->claimed_at &&address_equal(&old->value, &new->value);

	if (!new->exists || new->mine || new->in_sync || known)
		return;
	w->other = (struct writer_claim){ w->now_ms, w->view.epoch, new->value };
}

/* A claim of this node that was thought lost has landed. */
static void
notice_lost(struct writer *w)
{
	const struct writer_key *key = &w->view.key;

	if (w->lost.ms == WRITER_NEVER || !key->mine || !key->pending ||
	    key->stamp == w->own_stamp || !address_equal(&key->value, &w->lost.value))
		return;
	w->claim = w->lost;
	w->lost = writer_no_claim;
	w->own_stamp = key->stamp;
	w->closed = false;
	w->rerun = true;
}

bool
writer_take_view(struct writer *w, const struct writer_view *view, bool quorum)
{
	struct writer_key old = w->view.key;
	bool led = w->view.leads;

	if (w->known && is_older(view, &w->view))
		return false;
	if (strcmp(w->view.uid, view->uid) != 0) {
		forget(w);
		old = (struct writer_key){ .exists = false };
	}
	if (!address_equal(&w->view.address, &view->address))
		w->retry_ms = WRITER_NEVER;
	w->view = *view;
	if (!quorum && w->own_stamp != 0 && view->key.stamp != old.stamp) {
		w->view.key = old;
		if (!is_replaced(w, view->key.stamp))
			w->view.key = view->key;
	}
	w->known = true;
	notice_other(w, &old, &w->view.key);
	notice_lost(w);
	/* who has led is one of many now, and its turn may have passed */
	if (led && !view->leads && w->now_ms >= w->claim_due_ms)
		w->held_back = true;
	return true;
}
