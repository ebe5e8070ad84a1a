#include "detector/rounds.h"

#include <string.h>

#include "common/clock.h"

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool
is_known(const struct address *a)
{
	return a->family != ADDRESS_NONE;
}

/* From 90 % of the time to all of it: never later than promised. */
static int64_t
jittered(int64_t ms, uint32_t random)
{
	return ms - ms / 10 * (int64_t)(random % 1024) / 1024;
}

/*
 * Doubled for each failure in a row. A host that was offline for long must not
 * wait for a whole interval when its network is back.
 */
static int64_t
retry_delay(const struct rounds *r)
{
	int64_t longest = min64(ROUNDS_RETRY_MAX_MS, r->limits.interval_ms);
	int64_t delay = ROUNDS_RETRY_MS;

	for (unsigned n = 1; n < r->failures && delay < longest; n++)
		delay *= 2;
	return min64(delay, longest);
}

/* Its next event starts a round at once. */
static void
trust_network(struct rounds *r)
{
	r->network_gap_ms = ROUNDS_GAP_MS;
	r->network_vain = 0;
}

static void
set_limits(struct rounds *r, const struct rounds_limits *limits, int64_t now_ms)
{
	r->limits = *limits;
	if (r->limits.ntripwires > ROUNDS_TRIPWIRES_MAX)
		r->limits.ntripwires = ROUNDS_TRIPWIRES_MAX;
	memset(r->tripwires, 0, sizeof(r->tripwires));
	r->tripwire_next = 0;
	r->next_tripwire_ms = now_ms + limits->tripwire_ms;
	r->next_round_ms = max64(now_ms, r->started_ms + ROUNDS_GAP_MS);
	trust_network(r);
}

void
rounds_init(struct rounds *r, const struct rounds_limits *limits, const struct address *stored,
	    int64_t now_ms)
{
	*r = (struct rounds){ .state = MSG_WAN_UNKNOWN, .published = *stored };
	r->started_ms = now_ms - ROUNDS_GAP_MS;
	r->network_ms = now_ms;
	set_limits(r, limits, now_ms);
}

void
rounds_reload(struct rounds *r, const struct rounds_limits *limits, int64_t now_ms)
{
	r->running = r->again = r->by_network = r->tripwire_out = r->accused = false;
	r->failures = 0;
	r->candidate = (struct address){ .family = ADDRESS_NONE };
	if (r->state == MSG_WAN_CONFIRMING || r->state == MSG_WAN_DAMPED)
		r->state = MSG_WAN_HELD;
	set_limits(r, limits, now_ms);
}

/*
 * A round soon, but not within gap of the last one's start. The round that
 * confirms a change is near anyway, and comes in its own time.
 */
static void
bring_forward(struct rounds *r, int64_t gap_ms, int64_t now_ms)
{
	if (!r->running && r->state != MSG_WAN_CONFIRMING)
		r->next_round_ms = min64(r->next_round_ms, max64(now_ms, r->started_ms + gap_ms));
}

static void
hurry(struct rounds *r, int64_t now_ms)
{
	r->again = r->running;
	bring_forward(r, ROUNDS_GAP_MS, now_ms);
}

/*
 * The first event after a quiet time counts at once, and is a new hope where
 * rounds fail. One of many that led to nothing must not undo the patience that
 * the others have earned.
 */
static void
on_network(struct rounds *r, int64_t now_ms)
{
	if (now_ms - r->network_ms > ROUNDS_NETWORK_GAP_MAX_MS)
		trust_network(r);
	r->network_ms = now_ms;
	r->by_network = true;
	if (r->network_gap_ms == ROUNDS_GAP_MS)
		r->failures = 0;
	bring_forward(r, r->network_gap_ms, now_ms);
}

static struct rounds_actions
start_round(struct rounds *r, int64_t now_ms)
{
	r->running = true;
	r->again = false;
	r->started_ms = now_ms;
	r->next_round_ms = CLOCK_NEVER;
	r->round_by_network = r->by_network;
	r->by_network = false;
	return (struct rounds_actions){ .start_round = true };
}

/*
 * The tripwire watches what is published, while nothing else is under way: a
 * change being confirmed or damped has a round of its own coming.
 */
static bool
tripwire_armed(const struct rounds *r)
{
	return r->limits.tripwire_ms > 0 && r->limits.ntripwires > 0 && !r->running &&
	       !r->tripwire_out && !r->accused && is_known(&r->published) &&
	       (r->state == MSG_WAN_AGREED || r->state == MSG_WAN_HELD);
}

static struct rounds_actions
send_tripwire(struct rounds *r, int64_t now_ms)
{
	struct rounds_actions act = { 0 };

	r->next_tripwire_ms = now_ms + r->limits.tripwire_ms;
	for (size_t n = 0; n < r->limits.ntripwires; n++) {
		size_t i = r->tripwire_next;

		r->tripwire_next = (i + 1) % r->limits.ntripwires;
		if (now_ms < r->tripwires[i].left_out_until_ms)
			continue;
		r->tripwire_out = true;
		r->tripwire_asked = i;
		act.send_tripwire = true;
		act.tripwire = i;
		break;
	}
	return act;
}

static struct rounds_actions
on_tick(struct rounds *r, int64_t now_ms)
{
	if (!r->running && now_ms >= r->next_round_ms)
		return start_round(r, now_ms);
	if (tripwire_armed(r) && now_ms >= r->next_tripwire_ms)
		return send_tripwire(r, now_ms);
	return (struct rounds_actions){ 0 };
}

static void
on_tripwire(struct rounds *r, const struct address *answer, int64_t now_ms)
{
	if (!r->tripwire_out)
		return;
	r->tripwire_out = false;
	if (address_equal(answer, &r->published)) {
		r->tripwires[r->tripwire_asked].penalty_ms = 0;
	} else if (!r->running) {
		r->accused = true;
		hurry(r, now_ms);
	}
}

/* No change was found: leave the deviating server out, twice as long each time. */
static void
punish_tripwire(struct rounds *r, int64_t now_ms)
{
	struct rounds_tripwire *t = &r->tripwires[r->tripwire_asked];
	int64_t longest = max64(r->limits.interval_ms, r->limits.tripwire_ms);

	t->penalty_ms = t->penalty_ms ? 2 * t->penalty_ms : 2 * r->limits.tripwire_ms;
	t->penalty_ms = min64(t->penalty_ms, longest);
	t->left_out_until_ms = now_ms + t->penalty_ms;
}

/* What every end of a round does, whatever was found. */
static void
end_round(struct rounds *r, bool found_change, int64_t now_ms)
{
	r->running = false;
	r->next_tripwire_ms = max64(r->next_tripwire_ms, now_ms + r->limits.tripwire_ms);
	if (r->accused && !found_change)
		punish_tripwire(r, now_ms);
	r->accused = false;
	if (found_change)
		trust_network(r);
	else if (r->round_by_network && ++r->network_vain > ROUNDS_NETWORK_VAIN)
		r->network_gap_ms = min64(2 * r->network_gap_ms, ROUNDS_NETWORK_GAP_MAX_MS);
	if (r->again)
		hurry(r, now_ms);
	if (r->by_network)
		bring_forward(r, r->network_gap_ms, now_ms);
}

static bool
is_past(const struct rounds *r, const struct address *a)
{
	for (size_t i = 0; i < r->npast; i++)
		if (address_equal(&r->past[i], a))
			return true;
	return false;
}

static void
remember_past(struct rounds *r, const struct address *a)
{
	size_t at = 0;

	while (at < r->npast && !address_equal(&r->past[at], a))
		at++;
	if (at == r->npast && r->npast < ROUNDS_PAST_MAX)
		r->npast++;
	if (at == ROUNDS_PAST_MAX)
		at--;
	memmove(&r->past[1], &r->past[0], at * sizeof(r->past[0]));
	r->past[0] = *a;
}

static struct rounds_actions
publish(struct rounds *r, const struct address *a, int64_t now_ms)
{
	if (is_known(&r->published)) {
		if (is_past(r, a)) {
			r->returned = true;
			r->returned_ms = now_ms;
		}
		remember_past(r, &r->published);
	}
	r->published = *a;
	r->candidate = (struct address){ .family = ADDRESS_NONE };
	r->state = MSG_WAN_AGREED;
	return (struct rounds_actions){ .publish = true, .confirmed = true, .address = *a };
}

int64_t
rounds_damped_until(const struct rounds *r)
{
	return r->returned_ms + r->limits.min_change_ms;
}

/* Would publishing a be the second return within min_change_ms? */
static bool
is_damped(const struct rounds *r, const struct address *a, int64_t now_ms)
{
	return r->returned && is_past(r, a) && now_ms < rounds_damped_until(r);
}

/* The sources agree on something else than what is published. */
static struct rounds_actions
on_change(struct rounds *r, const struct address *a, uint32_t random, int64_t now_ms)
{
	bool confirms = address_equal(&r->candidate, a);
	int64_t regular = now_ms + jittered(r->limits.interval_ms, random);
	struct rounds_actions act = { 0 };

	if (confirms && is_damped(r, a, now_ms)) {
		r->state = MSG_WAN_DAMPED;
		r->next_round_ms = max64(min64(rounds_damped_until(r), regular),
					 r->started_ms + ROUNDS_GAP_MS);
	} else if (confirms) {
		act = publish(r, a, now_ms);
		r->next_round_ms = regular;
	} else {
		/* a third address in the confirming round is no reason for a rush of rounds */
		int64_t least = is_known(&r->candidate) ? ROUNDS_GAP_MS : 0;

		r->candidate = *a;
		r->state = MSG_WAN_CONFIRMING;
		r->next_round_ms = now_ms + max64(r->limits.confirm_ms, least);
	}
	return act;
}

static struct rounds_actions
on_agreed(struct rounds *r, const struct rounds_event *ev, int64_t now_ms)
{
	bool change = is_known(&r->published) && !address_equal(&r->published, &ev->address);
	struct rounds_actions act = { 0 };

	if (!r->running || !is_known(&ev->address))
		return act;
	r->failures = 0;
	if (change) {
		act = on_change(r, &ev->address, ev->random, now_ms);
	} else {
		r->next_round_ms = now_ms + jittered(r->limits.interval_ms, ev->random);
		if (is_known(&r->published)) {
			r->candidate = (struct address){ .family = ADDRESS_NONE };
			r->state = MSG_WAN_AGREED;
			act.confirmed = true;
		} else {
			act = publish(r, &ev->address, now_ms);
		}
	}
	end_round(r, change || act.publish, now_ms);
	return act;
}

/* Below the quorum or tied: a change that was seen must be seen twice again. */
static void
on_held(struct rounds *r, uint32_t random, int64_t now_ms)
{
	if (!r->running)
		return;
	if (r->failures < UINT32_MAX)
		r->failures++;
	r->candidate = (struct address){ .family = ADDRESS_NONE };
	r->state = MSG_WAN_HELD;
	r->next_round_ms = now_ms + jittered(retry_delay(r), random);
	end_round(r, false, now_ms);
}

struct rounds_actions
rounds_step(struct rounds *r, const struct rounds_event *ev, int64_t now_ms)
{
	switch (ev->type) {
	case ROUNDS_EV_TICK:
		return on_tick(r, now_ms);
	case ROUNDS_EV_AGREED:
		return on_agreed(r, ev, now_ms);
	case ROUNDS_EV_HELD:
		on_held(r, ev->random, now_ms);
		break;
	case ROUNDS_EV_TRIPWIRE:
		on_tripwire(r, &ev->address, now_ms);
		break;
	case ROUNDS_EV_TRIPWIRE_FAILED:
		r->tripwire_out = false;
		break;
	case ROUNDS_EV_COMMAND:
		hurry(r, now_ms);
		break;
	case ROUNDS_EV_NETWORK:
		on_network(r, now_ms);
		break;
	case ROUNDS_EV__MAX:
		break;
	}
	return (struct rounds_actions){ 0 };
}

int64_t
rounds_next_deadline(const struct rounds *r)
{
	int64_t at = CLOCK_NEVER;

	if (!r->running)
		at = r->next_round_ms;
	if (tripwire_armed(r))
		at = min64(at, r->next_tripwire_ms);
	return at;
}
