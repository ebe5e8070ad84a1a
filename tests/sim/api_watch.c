#include <string.h>

#include "tests/sim/api_private.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

/* A connection whose peer is silent ends by TCP_USER_TIMEOUT or keepalive about then. */
#define HALF_OPEN_US (45 * SECOND)
#define BOOKMARK_US (55 * SECOND)

void
api_servers_start(struct world *w)
{
	for (int i = 0; i < API_SERVERS; i++) {
		struct api_server *server = &w->api->servers[i];

		server->version = server->window = w->api->version;
		server->lease = w->api->lease;
		server->wan = w->api->wan;
	}
}

/* --- streams --------------------------------------------------------------------------------- */

static void
hear_news(struct world *w, struct node *node, void *arg)
{
	struct watch_news *news = arg;

	if (node && news->watch->number == news->number)
		node_hear_watch(w, node, news);
	pool_put(&w->api->news, news);
}

static void
bring_news(struct world *w, void *arg, uint64_t life)
{
	struct watch_news *news = arg;

	node_deliver(w, news->watch->node, (uint32_t)life, hear_news, news);
}

static void
leave_server(struct world *w, struct api_watch *watch)
{
	struct api_watch **at = &w->api->servers[watch->server].watches;

	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
	watch->open = false;
}

static void
stream(struct world *w, struct api_watch *watch, struct watch_news what)
{
	int64_t at = w->now_us + network_delay(w, WAY_API);
	int64_t cut = network_cut_until(w, watch->node, WAY_API);
	struct watch_news *news = pool_get(w, &w->api->news);

	if (cut > w->now_us + HALF_OPEN_US) {
		what = (struct watch_news){ .type = REFLECTOR_EV_CLOSED, .outcome = API_LOST };
		at = w->now_us + HALF_OPEN_US;
		leave_server(w, watch);
	} else if (cut > at) {
		at = cut + network_delay(w, WAY_API);
	}
	if (at < watch->arrive_us)
		at = watch->arrive_us;
	watch->arrive_us = at;
	*news = what;
	news->watch = watch;
	news->number = watch->number;
	world_at(w, at, bring_news, news, watch->life);
}

static void
send_close(struct world *w, struct api_watch *watch, enum api_outcome outcome)
{
	leave_server(w, watch);
	stream(w, watch, (struct watch_news){ .type = REFLECTOR_EV_CLOSED, .outcome = outcome });
}

static void
send_change(struct world *w, struct api_watch *watch, const struct api_change *c)
{
	if (c->wan && c->version > watch->from)
		stream(w, watch,
		       (struct watch_news){ .type = REFLECTOR_EV_CHANGED,
					    .version = c->version,
					    .wan = c->wan });
}

/* --- a watch, from its opening to its end ---------------------------------------------------- */

static void
end_in_time(struct world *w, void *arg, uint64_t number)
{
	struct api_watch *watch = arg;

	if (watch->open && watch->number == number)
		send_close(w, watch, API_OK);
}

static void
send_bookmark(struct world *w, void *arg, uint64_t number)
{
	struct api_watch *watch = arg;

	if (!watch->open || watch->number != number)
		return;
	stream(w, watch,
	       (struct watch_news){ .type = REFLECTOR_EV_BOOKMARK,
				    .version = w->api->servers[watch->server].version });
	world_at(w, w->now_us + BOOKMARK_US, send_bookmark, watch, number);
}

/* Refused, as a status of HTTP or as an ERROR in the stream. */
static void
refuse_watch(struct world *w, struct api_watch *watch, enum api_outcome outcome)
{
	if (outcome == API_GONE && chance_is(w, 500)) {
		stream(w, watch,
		       (struct watch_news){ .type = REFLECTOR_EV_ERROR, .outcome = outcome });
		outcome = API_OK;
	}
	send_close(w, watch, outcome);
}

static void
take_watch(struct world *w, void *arg, uint64_t number)
{
	struct api_watch *watch = arg;
	const struct api_health *h = &w->api->health;
	struct api_server *server = &w->api->servers[watch->server];

	if (watch->number != number || h->silent[watch->server])
		return;
	w->api->requests++;
	TRACE(w, "api %u: WATCH of node %u from %lld", watch->server, watch->node,
	      (long long)watch->from);
	if (h->down[watch->server])
		refuse_watch(w, watch, API_LOST);
	else if (chance_is(w, h->throttles))
		refuse_watch(w, watch, API_THROTTLED);
	else if (chance_is(w, h->fails))
		refuse_watch(w, watch, API_FAILED);
	else if (watch->from < server->window)
		refuse_watch(w, watch, API_GONE);
	else {
		size_t i = server->known;

		watch->open = true;
		watch->next = server->watches;
		server->watches = watch;
		stream(w, watch, (struct watch_news){ .type = REFLECTOR_EV_OPENED });
		while (i > 0 && w->api->changes[i - 1].version > watch->from)
			i--;
		for (; i < server->known && watch->open; i++)
			send_change(w, watch, &w->api->changes[i]);
		world_at(w, w->now_us + BOOKMARK_US, send_bookmark, watch, number);
	}
}

void
api_watch_open(struct world *w, struct api_watch *watch, int64_t from, int64_t seconds)
{
	watch->number++;
	watch->from = from;
	watch->arrive_us = 0;
	if (!network_is_cut(w, watch->node, WAY_API))
		world_at(w, w->now_us + network_delay(w, WAY_API), take_watch, watch,
			 watch->number);
	world_at(w, w->now_us + seconds * SECOND, end_in_time, watch, watch->number);
}

void
api_watch_close(struct world *w, struct api_watch *watch)
{
	watch->number++;
	if (watch->open)
		leave_server(w, watch);
}

void
api_watch_cut(struct world *w, struct api_watch *watch)
{
	if (watch->open && network_cut_until(w, watch->node, WAY_API) > w->now_us + HALF_OPEN_US)
		send_close(w, watch, API_LOST);
}

/* --- servers --------------------------------------------------------------------------------- */

static void
learn(struct world *w, void *arg, uint64_t number)
{
	struct api_server *server = arg;
	const struct api_change *c = &w->api->changes[number];

	if (number < server->known)
		return; /* it restarted meanwhile */
	server->known = number + 1;
	server->version = c->version;
	if (c->lease)
		server->lease = c->lease;
	if (c->wan)
		server->wan = c->wan;
	for (struct api_watch *watch = server->watches, *next; watch; watch = next) {
		next = watch->next;
		send_change(w, watch, c);
	}
}

void
api_servers_tell(struct world *w)
{
	for (int i = 0; i < API_SERVERS; i++) {
		struct api_server *server = &w->api->servers[i];
		int64_t at = w->now_us + chance_range(w, 500, 3000 + w->api->health.lag_us[i]);

		if (at < server->advance_us)
			at = server->advance_us;
		server->advance_us = at;
		world_at(w, at, learn, server, w->api->nchanges - 1);
	}
}

void
api_server_restarts(struct world *w, unsigned number)
{
	struct api_server *server = &w->api->servers[number];

	server->known = w->api->nchanges;
	server->version = server->window = w->api->version;
	server->lease = w->api->lease;
	server->wan = w->api->wan;
	while (server->watches)
		send_close(w, server->watches, API_LOST);
}

void
api_compact(struct world *w)
{
	for (int i = 0; i < API_SERVERS; i++)
		w->api->servers[i].window = w->api->servers[i].version;
}
