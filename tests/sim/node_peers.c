#include <string.h>

#include "common/clock.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

#define REDIAL_MS 1000
#define REPEAT_US (30 * SECOND)
#define SILENT_MS 75000 /* a connection without a message is made anew */

/* What travels between two nodes. */
struct letter {
	uint32_t from, from_life, to, to_life;
	uint64_t connection;
	int64_t sent_us;
	struct wan_state state;
	int64_t age_ms;   /* of the confirmation; -1: none */
	int64_t released; /* the term that was given back; 0: none */
	bool hang_up;
};

static bool
are_cut(const struct world *w, uint32_t a, uint32_t b)
{
	return network_is_cut(w, a, WAY_PEERS) || network_is_cut(w, b, WAY_PEERS);
}

/* --- the subscriber -------------------------------------------------------------------------- */

static void
disconnect(struct node *n)
{
	struct peer_part *p = &n->peer;

	struct node *to = p->connected ? &n->w->nodes[p->target] : NULL;

	if (to && to->peer.listener == p->heard_listener && to->peer.accepted > 0)
		to->peer.accepted--;
	p->connected = false;
	p->number++;
	p->retry_ms = node_now(n) + REDIAL_MS + (int64_t)chance_below(n->w, REDIAL_MS);
}

static void
hear(struct world *w, struct node *n, void *arg)
{
	struct letter *letter = arg;
	struct peer_part *p;

	if (!n || n->peer.number != letter->connection)
		return;
	p = &n->peer;
	if (letter->hang_up) {
		TRACE(w, "node %u: its connection to node %u breaks", n->index, letter->from);
		disconnect(n);
		detector_hint(n);
		return;
	}
	p->heard_ms = node_now(n);
	if (letter->released > 0) {
		TRACE(w, "node %u: hears that term %lld was released", n->index,
		      (long long)letter->released);
		detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_RELEASED,
							     .term = letter->released });
	}
	if (letter->state.epoch > 0) {
		letter->state.confirmed_ms =
			letter->age_ms < 0 ? PLAN_NEVER : node_now(n) - letter->age_ms;
		updater_hear(n, &letter->state, false);
	}
}

static void
bring(struct world *w, void *arg, uint64_t number)
{
	const struct letter *letter = arg;

	(void)number;
	/* what was sent into a cut comes when it ends, if the connection lives so long */
	if (are_cut(w, letter->from, letter->to)) {
		if (w->now_us < letter->sent_us + SILENT_MS * MILLISECOND)
			world_at(w, w->now_us + SECOND, bring, arg, 0);
		return;
	}
	node_deliver(w, letter->to, letter->to_life, hear, arg);
}

static void
post(struct node *from, struct node *to, struct letter what)
{
	struct letter *letter = world_new(from->w, sizeof(*letter));

	*letter = what;
	letter->from = from->index;
	letter->from_life = from->life;
	letter->to = to->index;
	letter->to_life = to->life;
	letter->connection = to->peer.number;
	letter->sent_us = from->w->now_us;
	world_at(from->w, from->w->now_us + network_delay(from->w, WAY_PEERS), bring, letter, 0);
}

static struct letter
state_of(const struct node *n)
{
	struct letter letter = { .state = n->detector.published, .age_ms = -1 };

	if (letter.state.confirmed_ms != PLAN_NEVER)
		letter.age_ms = node_now(n) - letter.state.confirmed_ms;
	return letter;
}

/* Accepted, by the kernel, even while the process is paused; it says its state when it can. */
static void
connect(struct node *n, struct node *to)
{
	n->peer.connected = true;
	n->peer.number++;
	n->peer.heard_ms = node_now(n);
	n->peer.heard_listener = to->peer.listener;
	to->peer.accepted++;
	if (!to->paused && detector_is_active(to) && to->detector.published.epoch > 0)
		post(to, n, state_of(to));
}

void
peers_dial(struct node *n, int target)
{
	if (target == (int)n->index)
		target = -1;
	if (target == n->peer.target)
		return;
	if (n->peer.connected)
		disconnect(n);
	n->peer.target = target;
	n->peer.retry_ms = node_now(n);
}

void
peers_tick(struct node *n)
{
	struct peer_part *p = &n->peer;
	int64_t now_ms = node_now(n);
	struct node *to;

	if (p->target < 0)
		return;
	if (p->connected && now_ms >= p->heard_ms + SILENT_MS)
		disconnect(n);
	if (p->connected || now_ms < p->retry_ms)
		return;
	p->retry_ms = now_ms + REDIAL_MS + (int64_t)chance_below(n->w, REDIAL_MS);
	to = &n->w->nodes[p->target];
	if (to->alive && to->detector.listening && !are_cut(n->w, n->index, to->index))
		connect(n, to);
}

int64_t
peers_deadline(const struct node *n)
{
	const struct peer_part *p = &n->peer;

	if (p->target < 0)
		return CLOCK_NEVER;
	return p->connected ? p->heard_ms + SILENT_MS : p->retry_ms;
}

/* --- the publisher --------------------------------------------------------------------------- */

static void
post_all(struct node *n, struct letter what)
{
	for (uint32_t i = 0; n->peer.accepted > 0 && i < n->w->nnodes; i++) {
		struct node *to = &n->w->nodes[i];

		if (to->alive && to->peer.connected && to->peer.target == (int)n->index &&
		    to->peer.heard_listener == n->peer.listener)
			post(n, to, what);
	}
}

static void
hear_own(struct world *w, struct node *n, void *arg)
{
	(void)w;
	if (n)
		updater_hear(n, arg, true);
}

static void
bring_own(struct world *w, void *arg, uint64_t number)
{
	node_deliver(w, (uint32_t)(number >> 32), (uint32_t)number, hear_own, arg);
}

void
peers_publish(struct node *n)
{
	struct world *w = n->w;
	struct wan_state *own = world_new(w, sizeof(*own));

	*own = n->detector.published;
	post_all(n, state_of(n));
	/* the own pod's updater hears it over a local socket */
	world_at(w, w->now_us + chance_range(w, 50, 500), bring_own, own,
		 (uint64_t)n->index << 32 | n->life);
}

void
peers_announce_release(struct node *n, int64_t term)
{
	TRACE(n->w, "node %u: says that it released term %lld", n->index, (long long)term);
	post_all(n, (struct letter){ .released = term });
}

void
peers_hang_up(struct node *n)
{
	post_all(n, (struct letter){ .hang_up = true });
	n->detector.listening = false;
	n->peer.listener++;
	n->peer.accepted = 0;
}

static void
repeat(struct world *w, void *arg, uint64_t life)
{
	struct node *n = arg;

	if (n->life != life || !n->alive)
		return;
	if (!n->paused && detector_is_active(n) && n->detector.published.epoch > 0)
		post_all(n, state_of(n));
	world_at(w, w->now_us + REPEAT_US, repeat, n, life);
}

void
peers_boot(struct node *n)
{
	n->peer = (struct peer_part){ .target = -1,
				      .number = n->peer.number + 1,
				      .listener = n->peer.listener + 1 };
	world_at(n->w, n->w->now_us + REPEAT_US, repeat, n, n->life);
}

/* The kernel closes what a dead process had open. */
void
peers_end(struct node *n)
{
	peers_hang_up(n);
	if (n->peer.connected)
		disconnect(n);
}
