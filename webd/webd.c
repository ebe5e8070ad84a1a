#include "webd/webd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pollset.h"
#include "ipc/bus.h"
#include "ipc/channel.h"
#include "webd/server.h"
#include "webd/state.h"

#define RUNNING (-1)

struct webd {
	struct channel *channel;
	struct webd_state *state;
	struct server *server;
	struct bus_subscriber *bus[WEBD_LINK__MAX];
	struct log_limit noise;
	bool stopping;
	int64_t drain_ms; /* when the drain began; -1 if it has not */
	int status;       /* of the exit, or RUNNING */
};

static bool
read_config(struct webd *w, struct webd_config *out)
{
	const char *why;

	if (webd_config_read(channel_part(w->channel), out, &why) == 0)
		return true;
	log_error("the configuration part from the supervisor makes no sense", LOG_S("why", why));
	w->status = EX_SOFTWARE;
	return false;
}

static void
start(struct webd *w, int64_t now_ms)
{
	struct webd_config *config = mem_new(1, sizeof(*config));
	const char *why;

	if (!read_config(w, config))
		goto out;
	w->state = webd_state_new(config, (uint64_t)clock_wall(), now_ms);
	w->server = server_new(config, w->state, &why);
	if (w->server == NULL) {
		log_error(why);
		channel_status(w->channel, why);
		w->status = EXIT_FAILURE;
		goto out;
	}
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		w->bus[i] =
			bus_subscriber_new(config->runtime_dir, webd_link_name((enum webd_link)i));
	for (size_t i = 0; i < config->nlisten; i++)
		log_info("serving the page", LOG_S("address", config->listen[i].host),
			 LOG_I("port", config->listen[i].port));
	for (size_t i = 0; i < config->nmetrics; i++)
		log_info("serving metrics and probes", LOG_S("address", config->metrics[i].host),
			 LOG_I("port", config->metrics[i].port));
	channel_ready(w->channel);
	channel_status(w->channel, "serving");
out:
	free(config);
}

static void
reload(struct webd *w)
{
	struct webd_config *config = mem_new(1, sizeof(*config));
	const char *why;

	if (!read_config(w, config))
		goto out;
	if (!webd_config_same_server(&w->state->config, config) &&
	    server_configure(w->server, config, &why) != 0) {
		log_error(why);
		channel_status(w->channel, why);
		w->status = EXIT_FAILURE;
		goto out;
	}
	webd_state_configure(w->state, config);
	log_info("the new configuration is in force");
out:
	free(config);
}

static void
drain(struct webd *w, int64_t now_ms)
{
	if (w->drain_ms < 0) {
		w->drain_ms = now_ms;
		log_info("not ready any more, serving on",
			 LOG_I("drain_ms", w->state->config.drain_ms));
	}
	webd_state_drain(w->state);
}

static void
stop(struct webd *w, int64_t now_ms)
{
	/* who says it twice means it */
	if (w->stopping)
		w->status = EXIT_SUCCESS;
	w->stopping = true;
	channel_stopping(w->channel);
	drain(w, now_ms);
}

static void
take_units(struct webd *w, int64_t now_ms)
{
	const char *why;

	if (webd_state_units(w->state, channel_units(w->channel), now_ms, &why) == 0)
		return;
	log_error("the units from the supervisor make no sense", LOG_S("why", why));
	w->status = EX_SOFTWARE;
}

static void
take_commands(struct webd *w, const struct pollset *p, int64_t now_ms)
{
	enum channel_event event;

	while (w->status == RUNNING &&
	       (event = channel_next(w->channel, p, now_ms)) != CHANNEL_NONE) {
		switch (event) {
		case CHANNEL_GONE:
			w->status = EXIT_FAILURE;
			break;
		case CHANNEL_STOP:
			stop(w, now_ms);
			break;
		case CHANNEL_RELOAD:
			reload(w);
			break;
		case CHANNEL_DRAIN:
			drain(w, now_ms);
			break;
		case CHANNEL_UNITS:
			take_units(w, now_ms);
			break;
		case CHANNEL_DETECT:
		case CHANNEL_SYNC:
		case CHANNEL_NONE:
			break;
		}
	}
}

static void
take_messages(struct webd *w, enum webd_link link, int64_t now_ms)
{
	struct bus_subscriber *bus = w->bus[link];
	const char *text, *why;
	struct msg *m;
	size_t len;

	bus_subscriber_tick(bus, now_ms);
	while ((text = bus_receive(bus, &len)) != NULL) {
		if (msg_decode(text, len, &m, &why) != 0) {
			webd_state_refused(w->state, "malformed");
			if (log_allowed(&w->noise, now_ms))
				log_warn("a message was refused",
					 LOG_S("from", webd_link_name(link)), LOG_S("why", why));
			continue;
		}
		webd_state_take(w->state, link, m, now_ms);
		msg_free(m);
	}
	webd_state_link(w->state, link, bus_connected(bus));
}

static void
loop_once(struct webd *w, struct pollset *p)
{
	int64_t now = clock_now();

	pollset_reset(p);
	channel_prepare(w->channel, p, now);
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		bus_subscriber_prepare(w->bus[i], p, now);
	server_prepare(w->server, p, now);
	pollset_wake_at(p, webd_state_next_deadline(w->state, now));
	if (w->stopping)
		pollset_wake_at(p, w->drain_ms + w->state->config.drain_ms);

	pollset_wait(p);

	now = clock_now();
	take_commands(w, p, now);
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		take_messages(w, (enum webd_link)i, now);
	webd_state_tick(w->state, now);
	if (w->status == RUNNING)
		server_dispatch(w->server, p, now);
	if (w->status == RUNNING && w->stopping && now - w->drain_ms >= w->state->config.drain_ms)
		w->status = EXIT_SUCCESS;
}

int
webd_run(void)
{
	struct webd w = {
		.drain_ms = -1,
		.status = RUNNING,
		.noise = { .burst = 3, .interval_ms = 60000 },
	};
	struct pollset p;

	w.channel = channel_open("webd");
	start(&w, clock_now());
	while (w.status == RUNNING)
		loop_once(&w, &p);
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		bus_subscriber_free(w.bus[i]);
	server_free(w.server);
	webd_state_free(w.state);
	channel_close(w.channel);
	return w.status;
}
