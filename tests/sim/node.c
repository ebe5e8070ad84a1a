#include "tests/sim/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/sim/invariants.h"
#include "tests/sim/trace.h"

/* More passes of the loop within one millisecond than this are a spin. */
#define SPIN 200

/* --- clock ----------------------------------------------------------------------------------- */

int64_t
node_now(const struct node *n)
{
	return n->offset_ms + n->w->now_us * (1000000 + n->ppm) / 1000000000;
}

int64_t
node_wall(const struct node *n)
{
	return node_now(n) + n->wall_offset_ms;
}

uint32_t
node_random(struct node *n)
{
	return (uint32_t)(chance(n->w) >> 32);
}

/* The first true time at which the node's clock shows ms. */
static int64_t
true_time(const struct node *n, int64_t ms)
{
	int64_t rate = 1000000 + n->ppm;

	return ((ms - n->offset_ms) * 1000000000 + rate - 1) / rate;
}

/* --- the loop -------------------------------------------------------------------------------- */

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void tick(struct world *w, void *arg, uint64_t life);

static int64_t
next_deadline(const struct node *n)
{
	int64_t at = sooner(detector_deadline(n), updater_deadline(n));

	for (const struct exchange *x = n->under_way; x; x = x->next)
		at = sooner(at, x->deadline_ms);
	return sooner(at, peers_deadline(n));
}

static void
set_timer(struct node *n)
{
	int64_t at = next_deadline(n), at_us;

	if (!n->alive || at == CLOCK_NEVER)
		return;
	at_us = at <= node_now(n) ? n->w->now_us : true_time(n, at);
	if (n->timer_us > n->w->now_us && n->timer_us <= at_us)
		return; /* an earlier one is set, and sets the next */
	n->timer_us = at_us;
	world_at(n->w, at_us, tick, n, ++n->timer);
}

static void
time_out_exchanges(struct node *n)
{
	int64_t now_ms = node_now(n);
	struct exchange **at = &n->under_way;

	while (*at) {
		struct exchange *x = *at;

		if (x->deadline_ms > now_ms) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		x->heard(n->w, n, x);
		exchange_drop(x);
		if (!n->alive)
			return;
		at = &n->under_way; /* others may have come and gone */
	}
}

static void
run(struct node *n)
{
	time_out_exchanges(n);
	if (n->alive)
		detector_tick(n);
	if (n->alive)
		updater_tick(n);
	if (n->alive)
		peers_tick(n);
	set_timer(n);
}

static void
check_for_spin(struct node *n)
{
	int64_t now_ms = node_now(n);

	if (now_ms != n->last_tick_ms)
		n->ticks = 0;
	n->last_tick_ms = now_ms;
	if (++n->ticks > SPIN)
		checks_fail(n->w,
			    "node %u spins: a deadline does not move (in ms from now: detector "
			    "%lld, updater %lld, peers %lld)",
			    n->index, (long long)(detector_deadline(n) - now_ms),
			    (long long)(updater_deadline(n) - now_ms),
			    (long long)(peers_deadline(n) - now_ms));
}

static void
tick(struct world *w, void *arg, uint64_t number)
{
	struct node *n = arg;

	(void)w;
	if (n->timer != number || !n->alive || n->paused)
		return;
	n->timer_us = -1;
	check_for_spin(n);
	run(n);
}

void
node_deliver(struct world *w, uint32_t index, uint32_t life,
	     void (*happen)(struct world *w, struct node *node, void *arg), void *arg)
{
	struct node *n = &w->nodes[index];

	if (n->life != life || !n->alive) {
		happen(w, NULL, arg);
		return;
	}
	if (!n->paused) {
		happen(w, n, arg);
		if (n->alive)
			run(n);
		return;
	}
	if (n->nmail == n->mail_max) {
		size_t max = n->mail_max ? 2 * n->mail_max : 16;
		struct deferred *more = world_new(w, max * sizeof(*more));

		if (n->nmail > 0)
			memcpy(more, n->mail, n->nmail * sizeof(*more));
		n->mail = more;
		n->mail_max = max;
	}
	n->mail[n->nmail++] = (struct deferred){ life, happen, arg };
}

/* --- requests -------------------------------------------------------------------------------- */

void
node_send(struct node *n, struct exchange *x, int64_t timeout_ms,
	  void (*heard)(struct world *w, struct node *n, struct exchange *x))
{
	x->heard = heard;
	x->deadline_ms = node_now(n) + timeout_ms;
	x->next = n->under_way;
	n->under_way = x;
	exchange_send(n->w, x);
}

static void
take_out(struct node *n, struct exchange *x)
{
	struct exchange **at = &n->under_way;

	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
}

void
node_cancel(struct node *n, struct exchange *x)
{
	take_out(n, x);
	exchange_drop(x);
}

void
node_end_exchange(struct world *w, struct node *n, struct exchange *x)
{
	take_out(n, x);
	x->heard(w, n, x);
	exchange_drop(x);
}

/* --- life ------------------------------------------------------------------------------------ */

void
nodes_start(struct world *w)
{
	w->nodes = world_new(w, w->nnodes * sizeof(*w->nodes));
	for (uint32_t i = 0; i < w->nnodes; i++) {
		struct node *n = &w->nodes[i];

		n->w = w;
		n->index = i;
		n->ppm = chance_range(w, -10000, 10000);
		n->offset_ms = chance_range(w, 1000, 100000000);
		n->wall_offset_ms = 1800000000000 - n->offset_ms + chance_range(w, -300000, 300000);
		n->timer_us = -1;
		snprintf(n->name, sizeof(n->name), "node-%u", i);
	}
}

void
nodes_end(struct world *w)
{
	for (size_t i = 0; w->nodes && i < w->nnodes; i++)
		leadership_free(w->nodes[i].detector.leadership);
	w->nodes = NULL;
}

void
node_boot(struct world *w, uint32_t index)
{
	struct node *n = &w->nodes[index];

	if (n->alive)
		return;
	n->life++;
	n->alive = true;
	n->paused = n->stopping = false;
	n->timer_us = -1;
	n->nmail = 0;
	snprintf(n->identity, sizeof(n->identity), "%s_%u", n->name, n->life);
	TRACE(w, "node %u: starts as %s", index, n->identity);
	detector_boot(n);
	updater_boot(n);
	peers_boot(n);
	run(n);
}

static void
drop_mail(struct node *n)
{
	for (size_t i = 0; i < n->nmail; i++)
		if (n->mail[i].happen)
			n->mail[i].happen(n->w, NULL, n->mail[i].arg);
	n->nmail = 0;
}

void
node_crash(struct world *w, uint32_t index)
{
	struct node *n = &w->nodes[index];

	if (!n->alive)
		return;
	TRACE(w, "node %u: ends", index);
	n->alive = n->paused = false;
	while (n->under_way) {
		struct exchange *x = n->under_way;

		n->under_way = x->next;
		exchange_drop(x);
	}
	drop_mail(n);
	api_watch_close(w, &n->updater.watch);
	peers_end(n);
	detector_end(n);
}

void
node_stop(struct world *w, uint32_t index)
{
	struct node *n = &w->nodes[index];

	if (!n->alive || n->paused || n->stopping)
		return;
	TRACE(w, "node %u: is told to stop", index);
	n->stopping = true;
	detector_stop(n);
	run(n);
}

void
node_pause(struct world *w, uint32_t index)
{
	struct node *n = &w->nodes[index];

	if (!n->alive || n->paused)
		return;
	TRACE(w, "node %u: is paused%s", index, detector_is_active(n) ? ", leading" : "");
	n->paused = true;
}

/* Everything that waited comes at once; whether time-outs are seen before or after it is open. */
void
node_resume(struct world *w, uint32_t index)
{
	struct node *n = &w->nodes[index];

	if (!n->alive || !n->paused)
		return;
	TRACE(w, "node %u: goes on, %zu things waited", index, n->nmail);
	n->paused = false;
	n->timer_us = -1;
	if (chance_is(w, 500))
		run(n);
	for (size_t i = 0; i < n->nmail && n->alive; i++) {
		struct deferred d = n->mail[i];

		n->mail[i].happen = NULL;
		d.happen(w, n, d.arg);
	}
	n->nmail = 0;
	if (n->alive)
		run(n);
}
