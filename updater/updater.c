#include "updater/updater.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "cluster/follow.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/resolve.h"
#include "ipc/bus.h"
#include "ipc/channel.h"
#include "ipc/message.h"
#include "updater/account.h"
#include "updater/config.h"
#include "updater/pod.h"
#include "updater/records.h"

/* How long a write under way may still take at a stop. */
#define STOP_MS 2000

struct updater {
	struct channel *channel;
	struct updater_config *config;
	struct resolver *resolver;
	struct http *http;
	struct metrics *metrics;
	struct bus_publisher *publisher;
	struct bus_subscriber *detector;
	struct follow follow;
	struct records *records;
	struct pod *pod; /* in a cluster; else NULL */
	struct log_limit drops;
	bool connected;      /* to the detector, as logged last */
	int64_t stop_ms;     /* CLOCK_NEVER: not stopping; else when at the latest */
	bool gone;           /* the supervisor is */
	bool heard;          /* news of the detector */
	struct msg_wan *wan; /* with --once: the detector's last news */
	int64_t once_ms;     /* with --once: when it is over at the latest; else CLOCK_NEVER */
	int once_status;     /* what it came to */
};

static void
publish(void *arg, const char *json)
{
	struct updater *u = arg;

	bus_publish(u->publisher, json);
}

static void
publish_stats(const char *json, void *arg)
{
	publish(arg, json);
}

/* --- news from the detector --------------------------------------------------------------- */

static void
drop_message(struct updater *u, const char *reason, const char *why, int64_t now_ms)
{
	metrics_add(u->metrics, METRIC_MESSAGES_DROPPED, 1, reason, NULL, NULL);
	if (!log_allowed(&u->drops, now_ms))
		return;
	log_warn("message of the detector dropped", LOG_S("reason", reason), LOG_S("error", why),
		 LOG_I("also_dropped", u->drops.suppressed));
	u->drops.suppressed = 0;
}

static void
take_wan(struct updater *u, const struct msg_wan *wan, int64_t now_ms)
{
	if (u->wan)
		*u->wan = *wan;
	u->heard = true;
	records_news(u->records, wan, now_ms);
}

/* On one host the detector's word is all there is. */
static void
take_news(struct updater *u, const struct msg_wan *wan, int64_t now_ms)
{
	/* the detector's own socket: the local store's only writer */
	enum follow_verdict verdict = follow_judge(&u->follow, wan, true);

	if (verdict == FOLLOW_NEW || verdict == FOLLOW_SAME)
		take_wan(u, wan, now_ms);
	else
		drop_message(u, follow_verdict_name(verdict),
			     "its epoch or sequence is not newer than what is known", now_ms);
}

static void
receive(struct updater *u, int64_t now_ms)
{
	const char *text, *why;
	struct msg *m;
	size_t len;

	bus_subscriber_tick(u->detector, now_ms);
	while ((text = bus_receive(u->detector, &len))) {
		if (msg_decode(text, len, &m, &why) == -1) {
			drop_message(u, "malformed", why, now_ms);
			continue;
		}
		if (u->pod)
			pod_hear(u->pod, m, now_ms);
		else if (m->type == MSG_WAN)
			take_news(u, &m->wan, now_ms);
		msg_free(m);
	}
	if (bus_connected(u->detector) != u->connected) {
		u->connected = !u->connected;
		if (u->pod && !u->connected)
			pod_lose_detector(u->pod, now_ms);
		log_info(u->connected ? "detector is connected" : "detector is not connected");
	}
}

/* In a cluster: what came of the API server and of peers. */
static void
follow(struct updater *u, const struct pollset *set, int64_t now_ms)
{
	const struct msg_wan *wan;

	if (!u->pod)
		return;
	pod_dispatch(u->pod, set, now_ms);
	wan = u->wan ? pod_wan(u->pod, now_ms) : NULL;
	if (wan) {
		*u->wan = *wan;
		u->heard = true;
	}
}

/* --- commands from the supervisor ----------------------------------------------------------- */

/* False if the part is broken; the supervisor had checked what it was made of. */
static bool
configure(struct updater *u, int64_t now_ms)
{
	struct updater_config *old = u->config;
	const char *why;

	u->config = updater_config_new(channel_part(u->channel), &why);
	if (!u->config) {
		u->config = old;
		log_error("the supervisor's part of the configuration is not as agreed",
			  LOG_S("error", why));
		return false;
	}
	/* how the cluster is reached is kept until the next start */
	if (old != NULL) {
		cluster_config_free(u->config->cluster);
		u->config->cluster = old->cluster;
		old->cluster = NULL;
	}
	if (u->records)
		records_configure(u->records, u->config, channel_secret(u->channel), now_ms);
	updater_config_free(old);
	return true;
}

static void
begin_stop(struct updater *u, int64_t now_ms)
{
	if (u->stop_ms != CLOCK_NEVER)
		return;
	channel_stopping(u->channel);
	u->stop_ms = now_ms + STOP_MS;
	records_stop(u->records);
}

/* 0, or the status to exit with at once. */
static int
obey(struct updater *u, const struct pollset *set, int64_t now_ms)
{
	enum channel_event ev;

	while ((ev = channel_next(u->channel, set, now_ms)) != CHANNEL_NONE) {
		switch (ev) {
		case CHANNEL_GONE:
			u->gone = true;
			return 0;
		case CHANNEL_STOP:
			begin_stop(u, now_ms);
			break;
		case CHANNEL_RELOAD:
			if (!configure(u, now_ms))
				return EX_SOFTWARE;
			log_info("new configuration in force",
				 LOG_I("records", u->config->nrecords));
			break;
		case CHANNEL_SYNC:
			records_check(u->records, now_ms);
			break;
		case CHANNEL_NONE:
		case CHANNEL_DETECT:
		case CHANNEL_DRAIN:
		case CHANNEL_UNITS:
			break;
		}
	}
	return 0;
}

/* --- once --------------------------------------------------------------------------------------
 */

/* With --once: ends the work as soon as it is plain what it comes to. */
static void
judge_once(struct updater *u, int64_t now_ms)
{
	char why[MSG_NAME_MAX + MSG_REASON_MAX];
	struct record *const *list;
	enum account_verdict verdict;
	size_t n;

	if (!u->wan || u->stop_ms != CLOCK_NEVER)
		return;
	list = records_list(u->records, &n);
	verdict = account_judge(list, n, u->heard ? u->wan : NULL, now_ms >= u->once_ms, why,
				sizeof(why));
	if (verdict == ACCOUNT_WORKING)
		return;
	if (verdict == ACCOUNT_IN_SYNC)
		log_info("in sync", LOG_S("result", why));
	else
		log_error("not in sync", LOG_S("reason", why));
	u->once_status = verdict == ACCOUNT_IN_SYNC ? EXIT_SUCCESS : EXIT_FAILURE;
	channel_status(u->channel, why);
	begin_stop(u, now_ms);
}

/* --- the loop -------------------------------------------------------------------------------- */

static void
tell_state(struct updater *u, int64_t now_ms)
{
	size_t n;
	struct record *const *list = records_list(u->records, &n);
	char *json = account_state(u->config, list, n, CHANNEL_STATE_MAX + 1, now_ms);

	channel_state(u->channel, json);
	free(json);
}

static void
tell(struct updater *u, const struct pollset *set, int64_t now_ms)
{
	char status[128];
	bool due = bus_due(u->publisher, set, now_ms);

	if (u->pod)
		pod_tell(u->pod, u->publisher, due, now_ms);
	if (due)
		records_report(u->records);
	if (records_take_counted(u->records) || due) {
		msg_encode_stats("updater", u->metrics, publish_stats, u);
		tell_state(u, now_ms);
	}
	if (u->stop_ms == CLOCK_NEVER)
		channel_status(u->channel, records_status(u->records, status, sizeof(status)));
}

static int
loop(struct updater *u)
{
	struct pollset set;
	int64_t now_ms;
	int status;

	while (!u->gone) {
		now_ms = clock_now();
		if (u->stop_ms <= now_ms ||
		    (u->stop_ms != CLOCK_NEVER && !records_writing(u->records)))
			break;
		pollset_reset(&set);
		channel_prepare(u->channel, &set, now_ms);
		bus_publisher_prepare(u->publisher, &set, now_ms);
		bus_subscriber_prepare(u->detector, &set, now_ms);
		if (u->pod)
			pod_prepare(u->pod, &set, now_ms);
		pollset_wake_at(&set, records_next_deadline(u->records, now_ms));
		pollset_wake_at(&set, u->stop_ms);
		if (u->stop_ms == CLOCK_NEVER)
			pollset_wake_at(&set, u->once_ms);
		http_wait(u->http, &set);

		now_ms = clock_now();
		status = obey(u, &set, now_ms);
		if (status != 0)
			return status;
		receive(u, now_ms);
		http_dispatch(u->http, &set);
		follow(u, &set, clock_now());
		records_run(u->records, clock_now());
		judge_once(u, clock_now());
		tell(u, &set, clock_now());
	}
	if (!u->gone && records_writing(u->records))
		log_warn("stopped while a write was under way: it may still land");
	return u->once_status;
}

static int
start(struct updater *u)
{
	char *agent;
	const char *why;

	/* the token, wherever it comes from, is in no core dump and for no other process */
	prctl(PR_SET_DUMPABLE, 0);
	if (!configure(u, clock_now()))
		return EX_SOFTWARE;
	agent = cluster_agent("esddns-updater", u->config->version);
	u->resolver = resolver_new();
	u->http = http_new(u->resolver, agent);
	free(agent);
	u->metrics = metrics_new();
	u->publisher = bus_publisher_new(u->config->runtime_dir, "updater", &why);
	if (!u->publisher) {
		log_error("cannot publish on the bus", LOG_S("error", why));
		return EXIT_FAILURE;
	}
	u->detector = bus_subscriber_new(u->config->runtime_dir, "detector");
	u->records = records_new(u->http, u->metrics, publish, u);
	if (u->config->cluster->kubernetes)
		u->pod = pod_new(u->config->cluster, u->http, u->metrics, u->records);
	records_configure(u->records, u->config, channel_secret(u->channel), clock_now());
	if (u->config->once_limit_ms > 0) {
		u->wan = mem_new(1, sizeof(*u->wan));
		u->once_ms = clock_now() + u->config->once_limit_ms;
	}
	channel_ready(u->channel);
	return 0;
}

int
updater_run(void)
{
	struct updater u = {
		.stop_ms = CLOCK_NEVER,
		.once_ms = CLOCK_NEVER,
		.drops = { .burst = 3, .interval_ms = 60 * 1000 },
	};
	int status;

	follow_init(&u.follow);
	u.channel = channel_open("updater");
	status = start(&u);
	if (status == 0)
		status = loop(&u);
	records_free(u.records);
	pod_free(u.pod);
	free(u.wan);
	bus_subscriber_free(u.detector);
	bus_publisher_free(u.publisher);
	http_free(u.http);
	resolver_free(u.resolver);
	metrics_free(u.metrics);
	updater_config_free(u.config);
	channel_close(u.channel);
	return status;
}
