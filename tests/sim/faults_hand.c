#include "tests/sim/faults_hand.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/api_model.h"
#include "tests/sim/gandi_model.h"
#include "tests/sim/invariants.h"
#include "tests/sim/sources.h"
#include "tests/sim/trace.h"

/*
 * The epoch is kept in two places, the Lease and the ConfigMap. Whoever destroys
 * both at once has destroyed it; people here destroy one, and the other when
 * the first has been repaired.
 */
static bool
lease_keeps_epoch(struct world *w)
{
	const struct stored_lease *l = api_lease(w);

	/* a number that a person has put in and taken out again is kept nowhere */
	if (checks_numbers_are_by_hand(w) || checks_lease_was_touched(w))
		return false;
	return l->exists && l->lease.transitions >= checks_greatest_epoch(w) &&
	       l->lease.transitions < MSG_EPOCH_MAX;
}

static bool
wan_keeps_epoch(struct world *w)
{
	return api_wan(w)->exists && api_wan(w)->epoch == checks_greatest_epoch(w) &&
	       api_wan(w)->epoch < MSG_EPOCH_MAX;
}

/* --- the ConfigMap --------------------------------------------------------------------------- */

static int64_t
garbage(struct world *w)
{
	static const int64_t numbers[] = {
		0, -1, INT32_MAX, INT64_MAX, INT64_MIN, MSG_EPOCH_MAX + 1
	};

	return numbers[chance_below(w, sizeof(numbers) / sizeof(numbers[0]))];
}

void
hand_raises_epoch(struct world *w)
{
	struct stored_wan s = *api_wan(w);

	if (!s.exists || s.immutable || s.epoch <= 0 || s.epoch >= MSG_EPOCH_MAX)
		return;
	s.epoch = chance_is(w, 30) ? MSG_EPOCH_MAX : s.epoch + chance_range(w, 1, 3);
	if (chance_is(w, 700))
		snprintf(s.holder, sizeof(s.holder), "ghost");
	api_edit_wan(w, &s);
}

static void
spoil_epoch(struct world *w, struct stored_wan *s)
{
	if (lease_keeps_epoch(w))
		s->epoch = chance_is(w, 500) ? garbage(w)
					     : chance_range(w, 1, s->epoch > 1 ? s->epoch : 1);
}

/*
 * Raised and lowered again before the leader's next write, it looks untouched,
 * while followers may have seen the higher one; and set back to what an old
 * write on its way tests, it lets that write pass; and set back by one, it looks as
 * if a write whose answer was lost had not landed. Nobody could tell.
 */
static void
spoil_sequence(struct world *w, struct stored_wan *s)
{
	if (checks_numbers_are_by_hand(w))
		return;
	if (chance_is(w, 300))
		s->sequence = garbage(w);
	else if (chance_is(w, 300) && s->sequence > 2 && network_quiet_us(w) <= w->now_us)
		s->sequence = chance_range(w, 1, s->sequence - 2);
	else
		s->sequence += chance_range(w, 1, 5);
}

void
hand_on_wan(struct world *w)
{
	static const struct stored_wan gone;
	struct stored_wan s = *api_wan(w);

	if (!s.exists)
		return;
	switch (chance_below(w, 8)) {
	case 0:
	case 1:
		api_edit_wan(w, &gone);
		return;
	case 2:
		hand_raises_epoch(w);
		return;
	case 3:
		spoil_epoch(w, &s);
		break;
	case 4:
		snprintf(s.holder, sizeof(s.holder), "%s", chance_is(w, 500) ? "" : "ghost");
		break;
	case 5:
		spoil_sequence(w, &s);
		break;
	case 6:
		s.news.address = sources_lie((unsigned)chance_below(w, 1000));
		break;
	default:
		s.immutable = true;
		break;
	}
	if (!api_wan(w)->immutable)
		api_edit_wan(w, &s);
}

/* --- the Lease ------------------------------------------------------------------------------- */

void
hand_deletes_lease(struct world *w)
{
	static const struct stored_lease gone;

	if (api_lease(w)->exists && wan_keeps_epoch(w))
		api_edit_lease(w, &gone);
}

void
hand_on_lease(struct world *w)
{
	static const int64_t terms[] = { 0, 1, INT32_MAX, MSG_EPOCH_MAX, MSG_EPOCH_MAX + 1 };
	struct stored_lease s = *api_lease(w);

	if (!s.exists)
		return;
	switch (chance_below(w, 5)) {
	case 0:
		hand_deletes_lease(w);
		return;
	case 1:
		s.lease.holder[0] = '\0';
		break;
	case 2:
		snprintf(s.lease.holder, sizeof(s.lease.holder), "ghost");
		break;
	case 3:
		if (!wan_keeps_epoch(w))
			return;
		s.lease.transitions = terms[chance_below(w, sizeof(terms) / sizeof(terms[0]))];
		break;
	default:
		s.lease.duration_ms = chance_range(w, 0, 30) * 1000;
		break;
	}
	api_edit_lease(w, &s);
}

/* --- records --------------------------------------------------------------------------------- */

void
hand_on_record(struct world *w)
{
	struct address other = sources_lie((unsigned)chance_below(w, 1000));

	if (chance_is(w, 300))
		other = (struct address){ ADDRESS_NONE };
	gandi_edit(w, (unsigned)chance_below(w, SIM_RECORDS), other);
}
