#include "detector/detector.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pollset.h"
#include "common/resolve.h"
#include "detector/agreement.h"
#include "detector/config.h"
#include "detector/netwatch.h"
#include "detector/probe.h"
#include "detector/publish.h"
#include "detector/report.h"
#include "detector/rounds.h"
#include "detector/stun_client.h"
#include "ipc/channel.h"

/*
 * How long a round goes on once operators agree on a new address and no other
 * answer could change that: who has not answered by then cannot hold up the
 * news, and is not blamed.
 */
#define GRACE_MS 1000

/* One address family: its machine, and what the machine has under way. */
struct watch {
	enum address_family family;
	bool wanted;
	struct rounds rounds;
	struct probe *probe;
	int64_t decided_ms; /* since when the round's outcome is plain; CLOCK_NEVER: it is not */
	struct stun_query *tripwire;
};

/* Of the line that tells in words what it does. */
#define STATUS_MAX 1024

struct detector {
	struct channel *channel;
	struct detector_config *config;
	char *user_agent;
	struct resolver *resolver;
	struct http *http;
	struct publisher *publisher;
	struct report *report;
	struct netwatch *netwatch;
	struct watch watches[ADDRESS_FAMILY__MAX]; /* [ADDRESS_NONE] is not used */
	bool working;                              /* this pod leads: its watches are at work */
	char standby[STATUS_MAX];                  /* why it does not, as it was told last */
	bool stopping;
	bool stop;
	int status;
};

static const bool all_families[ADDRESS_FAMILY__MAX] = { false, true, true };

static uint32_t
random_number(void)
{
	uint32_t n = 0;

	/* for jitter only: 0 is as good as any number */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) < 0)
		n = 0;
	return n;
}

static struct rounds_limits
limits_of(const struct detector_config *config, enum address_family family)
{
	const struct detector_source *list[ROUNDS_TRIPWIRES_MAX];
	struct rounds_limits limits = config->rounds;

	limits.ntripwires = detector_config_tripwires(config, family, list, ROUNDS_TRIPWIRES_MAX);
	return limits;
}

static void
tell_settings(const struct detector_config *config)
{
	if (config->agreement.allow_reserved)
		log_warn(
			"reserved addresses are published too: allow_reserved is for laboratories");
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (config->families[f] && config->rounds.tripwire_ms > 0 &&
		    limits_of(config, f).ntripwires == 0)
			log_info("no tripwire between rounds: it needs a STUN source over UDP",
				 LOG_S("family", address_family_name(f)));
}

/* --- what the machine decides, carried out --------------------------------- */

static void
send_tripwire(struct detector *d, struct watch *w, size_t index, int64_t now_ms)
{
	const struct detector_source *list[ROUNDS_TRIPWIRES_MAX];
	size_t n = detector_config_tripwires(d->config, w->family, list, ROUNDS_TRIPWIRES_MAX);
	struct stun_request request = { .family = w->family, .sends_max = 1 };

	if (index >= n)
		return;
	request.host = list[index]->host;
	request.port = list[index]->port;
	request.deadline_ms = now_ms + d->config->timeout_ms;
	w->tripwire = stun_query_start(d->resolver, &request);
}

static struct rounds_actions
step(struct detector *d, struct watch *w, enum rounds_event_type type, const struct address *a,
     int64_t now_ms)
{
	struct rounds_event ev = { .type = type, .random = random_number() };
	struct rounds_actions act;

	if (a)
		ev.address = *a;
	act = rounds_step(&w->rounds, &ev, now_ms);
	if (act.start_round) {
		w->decided_ms = CLOCK_NEVER;
		w->probe = probe_start(d->config, w->family, d->http, d->resolver);
	}
	if (act.send_tripwire)
		send_tripwire(d, w, act.tripwire, now_ms);
	return act;
}

/* --- for people ------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
append(char *text, size_t size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, size - len, format, args);
	va_end(args);
}

/* Why the state is not simply "agreed", as a sentence; "" if it is. */
static void
explain(const struct watch *w, const struct agreement *a, int64_t now_ms, char *out, size_t size)
{
	char seen[ADDRESS_TEXT_MAX], stays[ADDRESS_TEXT_MAX], wait[32];
	const struct rounds *r = &w->rounds;
	int64_t left = rounds_damped_until(r) - now_ms;

	out[0] = '\0';
	address_format(&r->candidate, seen, sizeof(seen));
	address_format(&r->published, stays, sizeof(stays));
	if (r->state == MSG_WAN_HELD)
		append(out, size, "%s", a->reason);
	else if (r->state == MSG_WAN_CONFIRMING)
		append(out, size,
		       "%u of %u operators agreed on %s; a second round has to confirm it, "
		       "until then %s stays",
		       a->agreed, a->asked, seen, stays);
	else if (r->state == MSG_WAN_DAMPED)
		append(out, size,
		       "the address goes back and forth between %s and %s; %s stays until "
		       "a round in %s decides",
		       stays, seen, stays, clock_span(left > 0 ? left : 0, wait, sizeof(wait)));
}

static void
describe_family(const struct msg_wan_family *f, const char *name, char *out, size_t size)
{
	char text[ADDRESS_TEXT_MAX];
	const char *address = address_format(&f->address, text, sizeof(text));

	if (*out)
		append(out, size, "; ");
	if (f->state == MSG_WAN_AGREED && !*address)
		append(out, size, "the %s address is agreed on and about to be published", name);
	else if (f->state == MSG_WAN_AGREED)
		append(out, size, "%s, agreed by %u of %u", address, f->agreed, f->asked);
	else if (f->state == MSG_WAN_UNKNOWN && *address)
		append(out, size, "%s from an earlier run, not confirmed yet", address);
	else if (f->state == MSG_WAN_UNKNOWN)
		append(out, size, "looking for the %s address", name);
	else
		append(out, size, "%s: %s", name, f->reason);
}

static void
tell_status(struct detector *d)
{
	char line[STATUS_MAX], *state = publisher_state(d->publisher, clock_now());

	publisher_standby(d->publisher, line, sizeof(line));
	memcpy(d->standby, line, sizeof(d->standby));
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (d->working && d->watches[f].wanted)
			describe_family(publisher_family(d->publisher, f),
					f == ADDRESS_IPV4 ? "IPv4" : "IPv6", line, sizeof(line));
	channel_status(d->channel, *line ? line : "no record needs an address");
	channel_state(d->channel, state);
	free(state);
}

/* --- rounds ------------------------------------------------------------------ */

static void
judge(const struct detector *d, const struct watch *w, struct agreement *out)
{
	size_t n;
	const struct ballot *ballots = probe_ballots(w->probe, &n);

	agreement_judge(&d->config->agreement, ballots, n, &w->rounds.published, out);
}

/* Do the votes agree for good on something new, and did the rest have its grace? */
static bool
is_decided(const struct detector *d, struct watch *w, int64_t now_ms)
{
	struct agreement a;

	if (probe_ended(w->probe))
		return true;
	judge(d, w, &a);
	if (!a.final || address_equal(&a.address, &w->rounds.published))
		w->decided_ms = CLOCK_NEVER;
	else if (w->decided_ms == CLOCK_NEVER)
		w->decided_ms = now_ms;
	return w->decided_ms != CLOCK_NEVER && now_ms - w->decided_ms >= GRACE_MS;
}

/* The round is over: what became of it, for people and for the other workers. */
static void
tell_round(struct detector *d, const struct watch *w, const struct agreement *a,
	   const struct rounds_actions *act, const struct address *before, int64_t now_ms)
{
	char reason[MSG_REASON_MAX];
	struct report_change change = { .family = w->family, .state = w->rounds.state };
	struct publisher_news news = { .family = w->family, .state = w->rounds.state };

	explain(w, a, now_ms, reason, sizeof(reason));
	change.reason = reason;
	change.before = *before;
	change.now = w->rounds.published;
	change.agreed = a->agreed;
	change.asked = a->asked;
	report_take_change(d->report, &change);
	news.reason = reason;
	news.round = a;
	news.address = act->publish ? &act->address : NULL;
	news.confirmed = act->confirmed;
	publisher_tell(d->publisher, &news, now_ms);
	tell_status(d);
}

static void
end_round(struct detector *d, struct watch *w, int64_t now_ms)
{
	const struct address before = w->rounds.published;
	struct report_round round = { .family = w->family, .right = before };
	struct agreement a;
	struct rounds_actions act;

	judge(d, w, &a);
	round.agreement = &a;
	round.ballots = probe_ballots(w->probe, &round.nballots);
	round.allow_reserved = d->config->agreement.allow_reserved;
	if (a.verdict == AGREEMENT_AGREED)
		round.right = a.address;
	round.complete = probe_ended(w->probe);
	round.duration_ms = now_ms - w->rounds.started_ms;
	report_take_round(d->report, &round);
	probe_free(w->probe);
	w->probe = NULL;
	act = step(d, w, a.verdict == AGREEMENT_AGREED ? ROUNDS_EV_AGREED : ROUNDS_EV_HELD,
		   &a.address, now_ms);
	tell_round(d, w, &a, &act, &before, now_ms);
}

static void
end_tripwire(struct detector *d, struct watch *w, int64_t now_ms)
{
	struct stun_result result = *stun_query_result(w->tripwire);
	bool usable = result.address.family != ADDRESS_NONE &&
		      (d->config->agreement.allow_reserved || !address_refusal(&result.address));
	char text[ADDRESS_TEXT_MAX];

	stun_query_free(w->tripwire);
	w->tripwire = NULL;
	log_debug("tripwire", LOG_S("family", address_family_name(w->family)),
		  LOG_S("answer", address_format(&result.address, text, sizeof(text))),
		  LOG_S("error", *result.error ? result.error : NULL));
	step(d, w, usable ? ROUNDS_EV_TRIPWIRE : ROUNDS_EV_TRIPWIRE_FAILED, &result.address,
	     now_ms);
}

/* --- the loop ---------------------------------------------------------------- */

static void
watch_prepare(const struct watch *w, struct pollset *set)
{
	pollset_wake_at(set, rounds_next_deadline(&w->rounds));
	if (w->probe) {
		probe_prepare(w->probe, set);
		if (w->decided_ms != CLOCK_NEVER)
			pollset_wake_at(set, w->decided_ms + GRACE_MS);
	}
	if (w->tripwire)
		stun_query_prepare(w->tripwire, set);
}

static void
watch_dispatch(struct detector *d, struct watch *w, const struct pollset *set, int64_t now_ms)
{
	if (w->probe) {
		probe_dispatch(w->probe, set, now_ms);
		if (is_decided(d, w, now_ms))
			end_round(d, w, now_ms);
	}
	if (w->tripwire) {
		stun_query_dispatch(w->tripwire, set, now_ms);
		if (stun_query_result(w->tripwire))
			end_tripwire(d, w, now_ms);
	}
	step(d, w, ROUNDS_EV_TICK, NULL, now_ms);
}

static void
watch_cancel(struct watch *w)
{
	probe_free(w->probe);
	stun_query_free(w->tripwire);
	w->probe = NULL;
	w->tripwire = NULL;
}

static void
trigger_all(struct detector *d, enum rounds_event_type type, const bool *families, int64_t now_ms)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (d->working && d->watches[f].wanted && families[f])
			step(d, &d->watches[f], type, NULL, now_ms);
}

/* A family that was not wanted before starts from what is stored, as at the program's start. */
static void
reload_watch(struct detector *d, struct watch *w, int64_t now_ms)
{
	struct rounds_limits limits = limits_of(d->config, w->family);
	bool wanted = d->config->families[w->family];
	const struct msg_wan_family *known = publisher_family(d->publisher, w->family);

	if (!d->working)
		wanted = false; /* until it leads */
	if (wanted && w->wanted)
		rounds_reload(&w->rounds, &limits, now_ms);
	else if (wanted)
		rounds_init(&w->rounds, &limits, &known->address, now_ms);
	w->wanted = wanted;
}

/* Leading begins or ends: from what was published before, or with everything under way. */
static void
take_lead(struct detector *d, bool working, int64_t now_ms)
{
	d->working = working;
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		watch_cancel(&d->watches[f]);
		d->watches[f].wanted = false;
		reload_watch(d, &d->watches[f], now_ms);
	}
	tell_status(d);
}

static void
follow_lead(struct detector *d, int64_t now_ms)
{
	char standby[STATUS_MAX];
	enum publisher_event event;

	while ((event = publisher_next(d->publisher, now_ms)) != PUBLISHER_NOTHING) {
		if (event == PUBLISHER_OFF)
			d->stop = true;
		else if (event == PUBLISHER_KEPT)
			tell_status(d);
		else
			take_lead(d, event == PUBLISHER_BEGAN, now_ms);
	}
	/* the local deadline holds, whatever was or was not heard */
	if (d->working && !publisher_active(d->publisher, now_ms))
		take_lead(d, false, now_ms);
	/* another one leads, or what keeps this one from it is another reason */
	if (strcmp(publisher_standby(d->publisher, standby, sizeof(standby)), d->standby) != 0)
		tell_status(d);
}

static void
begin_stop(struct detector *d, int64_t now_ms)
{
	if (d->stopping)
		return;
	d->stopping = true;
	channel_stopping(d->channel);
	take_lead(d, false, now_ms);
	publisher_stop(d->publisher, now_ms);
}

/* Everything under way belongs to the old sources, and ends with them. */
static void
reload(struct detector *d, int64_t now_ms)
{
	const char *why;
	struct detector_config *config = detector_config_read(channel_part(d->channel), &why);

	if (!config) {
		log_error("the configuration part is malformed", LOG_S("reason", why));
		d->stop = true;
		d->status = DETECTOR_EXIT_PROTOCOL;
		return;
	}
	if (strcmp(config->state_dir, d->config->state_dir) != 0 ||
	    strcmp(config->runtime_dir, d->config->runtime_dir) != 0)
		log_warn("runtime_dir and state_dir stay as they are until the next start");
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		watch_cancel(&d->watches[f]);
	/* how the cluster is reached is kept until the next start */
	cluster_config_free(config->cluster);
	config->cluster = d->config->cluster;
	d->config->cluster = NULL;
	detector_config_free(d->config);
	d->config = config;
	publisher_reload(d->publisher, config);
	report_reload(d->report, config);
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		reload_watch(d, &d->watches[f], now_ms);
	tell_settings(config);
	tell_status(d);
	log_info("configuration reloaded");
}

static void
take_commands(struct detector *d, const struct pollset *set, int64_t now_ms)
{
	for (;;) {
		switch (channel_next(d->channel, set, now_ms)) {
		case CHANNEL_NONE:
			return;
		case CHANNEL_GONE:
			d->stop = true;
			d->status = EXIT_FAILURE;
			return;
		case CHANNEL_STOP:
			begin_stop(d, now_ms);
			break;
		case CHANNEL_RELOAD:
			reload(d, now_ms);
			if (d->stop)
				return;
			break;
		case CHANNEL_DETECT:
			trigger_all(d, ROUNDS_EV_COMMAND, all_families, now_ms);
			break;
		case CHANNEL_SYNC:
		case CHANNEL_DRAIN:
		case CHANNEL_UNITS:
			break; /* for the other workers */
		}
	}
}

static void
pass(struct detector *d, struct pollset *set)
{
	bool changed[ADDRESS_FAMILY__MAX] = { false };
	int64_t now = clock_now();

	pollset_reset(set);
	channel_prepare(d->channel, set, now);
	publisher_prepare(d->publisher, set, now);
	netwatch_prepare(d->netwatch, set);
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (d->watches[f].wanted)
			watch_prepare(&d->watches[f], set);
	http_wait(d->http, set);
	http_dispatch(d->http, set);
	now = clock_now();
	netwatch_dispatch(d->netwatch, set, changed);
	trigger_all(d, ROUNDS_EV_NETWORK, changed, now);
	publisher_dispatch(d->publisher, set, now);
	follow_lead(d, now);
	if (publisher_take_trigger(d->publisher))
		trigger_all(d, ROUNDS_EV_NETWORK, all_families, now);
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (d->watches[f].wanted)
			watch_dispatch(d, &d->watches[f], set, now);
	take_commands(d, set, now);
	follow_lead(d, now);
}

/* --- start and end ------------------------------------------------------------ */

static bool
start(struct detector *d)
{
	int64_t now = clock_now();
	const char *why;

	d->config = detector_config_read(channel_part(d->channel), &why);
	if (!d->config) {
		log_error("the configuration part is malformed", LOG_S("reason", why));
		d->status = DETECTOR_EXIT_PROTOCOL;
		return false;
	}
	d->user_agent = cluster_agent("esddns-detector", d->config->version);
	d->resolver = resolver_new();
	d->http = http_new(d->resolver, d->user_agent);
	d->publisher = publisher_open(d->config, d->http, &why);
	if (!d->publisher) {
		log_error("cannot start", LOG_S("reason", why));
		d->status = EXIT_FAILURE;
		return false;
	}
	d->report = report_new(publisher_metrics(d->publisher), d->config);
	d->netwatch = netwatch_open();
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		d->watches[f].family = f;
	follow_lead(d, now);
	tell_settings(d->config);
	return true;
}

static void
finish(struct detector *d)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		watch_cancel(&d->watches[f]);
	netwatch_close(d->netwatch);
	publisher_close(d->publisher); /* before what it sends its requests with */
	if (d->http)
		http_free(d->http);
	if (d->resolver)
		resolver_free(d->resolver);
	free(d->user_agent);
	report_free(d->report);
	detector_config_free(d->config);
	channel_close(d->channel);
}

int
detector_run(void)
{
	struct detector d = { .channel = channel_open("detector") };
	static struct pollset set; /* large, and there is one loop */

	if (start(&d)) {
		channel_ready(d.channel);
		tell_status(&d);
		while (!d.stop)
			pass(&d, &set);
	}
	finish(&d);
	return d.status;
}
