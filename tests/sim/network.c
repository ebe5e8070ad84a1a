#include "tests/sim/network.h"

#include "tests/sim/node.h"
#include "tests/sim/trace.h"

struct network {
	struct weather weather[WAY__MAX];
	int64_t (*cut_until_us)[WAY__MAX];
	int64_t quiet_us;
};

void
network_start(struct world *w)
{
	w->network = world_new(w, sizeof(*w->network));
	w->network->cut_until_us = world_new(w, w->nnodes * sizeof(*w->network->cut_until_us));
}

struct weather *
network_weather(struct world *w, enum way way)
{
	return &w->network->weather[way];
}

void
network_cut(struct world *w, uint32_t node, enum way way, int64_t until_us)
{
	w->network->cut_until_us[node][way] = until_us;
}

int64_t
network_cut_until(const struct world *w, uint32_t node, enum way way)
{
	return w->network->cut_until_us[node][way];
}

bool
network_is_cut(const struct world *w, uint32_t node, enum way way)
{
	return w->now_us < network_cut_until(w, node, way);
}

int64_t
network_quiet_us(const struct world *w)
{
	int64_t provider = gandi_quiet_us(w);

	return provider > w->network->quiet_us ? provider : w->network->quiet_us;
}

int64_t
network_delay(struct world *w, enum way way)
{
	int64_t most =
		way == WAY_PROVIDER || way == WAY_SOURCES ? 80 * MILLISECOND : 4 * MILLISECOND;

	/* mostly short, now and then much longer */
	if (chance_is(w, 20))
		most *= 10;
	return chance_range(w, 200, most + w->network->weather[way].delay_us);
}

/* --- exchanges ------------------------------------------------------------------------------- */

static void
end_if_done(struct exchange *x)
{
	if (x->server_done && x->client_done)
		pool_put(x->pool, x);
}

void
exchange_forget(struct exchange *x)
{
	x->server_done = true;
	end_if_done(x);
}

void
exchange_drop(struct exchange *x)
{
	x->client_done = true;
	end_if_done(x);
}

static void
arrive(struct world *w, void *arg, uint64_t number)
{
	struct exchange *x = arg;

	(void)number;
	x->serve(w, x);
}

/* TCP may hold what was sent into a cut, and bring it when that is over. */
void
exchange_send(struct world *w, struct exchange *x)
{
	const struct weather *weather = network_weather(w, x->way);
	int64_t delay = network_delay(w, x->way);

	if (network_is_cut(w, x->node, x->way)) {
		int64_t left = network_cut_until(w, x->node, x->way) - w->now_us;

		if (left > 60 * SECOND || chance_is(w, 600)) {
			exchange_forget(x);
			return;
		}
		delay += left;
	} else if (chance_is(w, weather->lost)) {
		exchange_forget(x);
		return;
	} else if (chance_is(w, weather->late)) {
		delay += chance_range(w, SECOND, 45 * SECOND);
	}
	if (delay > SECOND && w->network->quiet_us < w->now_us + delay)
		w->network->quiet_us = w->now_us + delay;
	world_at(w, w->now_us + delay, arrive, x, 0);
}

/* At the node, or with NULL where it is no more. */
static void
hear(struct world *w, struct node *node, void *arg)
{
	struct exchange *x = arg;

	x->server_done = true;
	if (!node || x->client_done) {
		end_if_done(x);
		return;
	}
	x->answered = true;
	node_end_exchange(w, node, x);
}

static void
bring_back(struct world *w, void *arg, uint64_t number)
{
	struct exchange *x = arg;

	(void)number;
	if (x->client_done)
		exchange_forget(x);
	else if (!network_is_cut(w, x->node, x->way))
		node_deliver(w, x->node, x->life, hear, x);
	else if (chance_is(w, 500))
		exchange_forget(x);
	else
		world_at(w, network_cut_until(w, x->node, x->way), bring_back, x, 0);
}

void
exchange_reply(struct world *w, struct exchange *x, int64_t after_us)
{
	if (chance_is(w, network_weather(w, x->way)->reply_lost)) {
		exchange_forget(x);
		return;
	}
	world_at(w, w->now_us + after_us + network_delay(w, x->way), bring_back, x, 0);
}
