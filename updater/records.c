#include "updater/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "updater/plan.h"
#include "updater/record.h"
#include "updater/records_private.h"
#include "updater/token.h"

#define IN_FLIGHT_MAX 4
/* Requests that may come in a burst, and how long one of them takes to be earned again. */
#define BURST 60
#define EARN_MS 66
/* What one plan may need until it ends: a read, a write, a read. */
#define PLAN_REQUESTS 3
/* How often a token file is looked at while a new one would help. */
#define TOKEN_WATCH_MS 5000

void
records_report_one(struct record *rec)
{
	struct records *r = rec->owner;
	char *json = record_message(rec, clock_now());

	r->publish(r->arg, json);
	free(json);
	metrics_set(r->metrics, METRIC_RECORD_ATTENTION, record_state(rec) == MSG_RECORD_ATTENTION,
		    rec->conf->fqdn, record_type(rec), NULL);
	r->counted = true;
}

/* --- requests ------------------------------------------------------------------------------ */

static uint32_t
any_number(void)
{
	uint32_t n = 0;

	/* it only spreads retries: where the kernel has none yet, none is needed */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint32_t)clock_now();
	return n;
}

static struct provider_access
access_of(const struct records *r)
{
	return (struct provider_access){
		.url = r->config->url,
		.auth = r->config->auth,
		.token = token_value(r->token),
		.token_file = token_is_file(r->token) ? r->config->token_file : NULL,
	};
}

static struct provider_target
target_of(const struct record *rec)
{
	const struct provider_record *found = &rec->plan.found;

	return (struct provider_target){
		.zone = rec->conf->zone,
		.name = found->exists ? found->name : rec->conf->name,
		.family = rec->conf->family,
	};
}

static void
refresh_token(struct records *r)
{
	const char *trouble;

	if (token_refresh(r->token))
		r->token_changed = true;
	if (!token_is_file(r->token))
		return;
	trouble = token_trouble(r->token);
	if (strcmp(trouble, r->token_trouble) == 0)
		return;
	mem_copy_text(r->token_trouble, sizeof(r->token_trouble), trouble);
	if (*trouble)
		log_warn("provider's token is not usable as it is now", LOG_S("error", trouble),
			 LOG_B("old_one_stays", token_value(r->token) != NULL));
	else
		log_info("provider's token is usable now");
}

static void
answered(void *arg, const struct http_response *response)
{
	struct record *rec = arg;
	struct records *r = rec->owner;
	bool is_write = rec->plan.phase == PLAN_WRITING;
	struct provider_access access = access_of(r);
	struct provider_target target = target_of(rec);
	struct provider_result result;

	rec->call = NULL;
	r->in_flight--;
	if (is_write)
		r->config->provider->judge_write(&access, &target, response, &result);
	else
		r->config->provider->judge_read(&access, &target, response, &result);
	records_step(rec,
		     &(struct plan_event){ .kind = is_write ? PLAN_EV_WRITTEN : PLAN_EV_READ,
					   .result = &result,
					   .jitter = any_number() },
		     clock_now());
	/* limits are counted by address, and a server in trouble is so for all */
	if (rec->plan.not_before_ms > r->not_before_ms)
		r->not_before_ms = rec->plan.not_before_ms;
}

/* Without a token nothing is asked: the provider would only count a refusal. */
static void
fail_without_token(struct record *rec, bool is_write, int64_t now_ms)
{
	struct provider_result result = { .retry_after_ms = -1 };

	provider_fail(&result, PROVIDER_ATTENTION, "no-token", "%s",
		      token_trouble(rec->owner->token));
	records_step(rec,
		     &(struct plan_event){ .kind = is_write ? PLAN_EV_WRITTEN : PLAN_EV_READ,
					   .result = &result,
					   .jitter = any_number() },
		     now_ms);
}

static void
start_request(struct record *rec, bool is_write, int64_t now_ms)
{
	struct records *r = rec->owner;
	struct provider_target target = target_of(rec);
	struct provider_request request = { 0 };
	struct provider_access access;

	refresh_token(r);
	access = access_of(r);
	if (!access.token) {
		fail_without_token(rec, is_write, now_ms);
		return;
	}
	if (is_write)
		r->config->provider->build_write(&access, &target, plan_value(&rec->plan),
						 rec->plan.written_ttl, &request);
	else
		r->config->provider->build_read(&access, &target, &request);
	/*
	 * curl repeats a request by itself when a reused connection breaks: a write's fate must
	 * show. And a kept connection may have died with the address that has changed.
	 */
	rec->call = http_start(
		r->http,
		&(struct http_request){ .method = request.method,
					.url = request.url,
					.headers = (const char *const *)request.headers,
					.body = request.body,
					.body_len = request.body ? strlen(request.body) : 0,
					.fresh = is_write || rec->plan.change_ms != PLAN_NEVER,
					.ca_file = r->config->ca_file,
					.body_max = PROVIDER_BODY_MAX,
					.timeout_ms = r->config->timeout_ms },
		answered, rec);
	provider_request_clear(&request);
	r->in_flight++;
	r->paid_until_ms = (r->paid_until_ms > now_ms ? r->paid_until_ms : now_ms) + EARN_MS;
}

static void
cancel(struct record *rec)
{
	if (!rec->call)
		return;
	http_cancel(rec->call);
	rec->call = NULL;
	rec->owner->in_flight--;
}

void
records_step(struct record *rec, const struct plan_event *ev, int64_t now_ms)
{
	struct plan_actions actions = plan_step(&rec->plan, ev, now_ms);

	record_count(rec, &actions, rec->owner->metrics, clock_wall());
	record_log(rec, &actions);
	records_tell_events(rec, &actions, now_ms);
	if (actions.report)
		records_report_one(rec);
	if ((actions.request == PLAN_REQUEST_READ || actions.request == PLAN_REQUEST_WRITE) &&
	    !rec->owner->stopping)
		start_request(rec, actions.request == PLAN_REQUEST_WRITE, now_ms);
	else
		records_tell_writer(rec, &actions, now_ms);
}

/* --- configuration --------------------------------------------------------------------------- */

static struct plan_settings
settings_of(const struct records *r, const struct updater_record *conf, bool passive)
{
	return (struct plan_settings){
		.family = conf->family,
		.ttl = conf->ttl,
		.interval_ms = r->config->interval_ms,
		.fresh_ms = 2 * r->config->detector_interval_ms,
		.observe = r->config->observe,
		.dry_run = r->config->dry_run,
		.can_read = !r->config->observe || token_value(r->token),
		.permit = r->writers != NULL,
		.passive = passive,
	};
}

static void
tell_news(struct record *rec, int64_t now_ms)
{
	const struct records *r = rec->owner;
	enum address_family family = rec->conf->family;

	if (r->heard)
		records_step(rec,
			     &(struct plan_event){ .kind = PLAN_EV_NEWS,
						   .address = r->address[family],
						   .confirmed_ms = r->confirmed_ms[family] },
			     now_ms);
}

static bool
same_conf(const struct updater_record *a, const struct updater_record *b)
{
	return a->family == b->family && strcmp(a->zone, b->zone) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

/* Takes the record of this configuration out of the old list; NULL if there is none. */
static struct record *
take_old(struct record **old, size_t nold, const struct updater_record *conf)
{
	for (size_t i = 0; i < nold; i++) {
		struct record *rec = old[i];

		if (rec && same_conf(rec->conf, conf)) {
			old[i] = NULL;
			return rec;
		}
	}
	return NULL;
}

static struct record *
record_new(struct records *r, const struct updater_record *conf, int64_t now_ms)
{
	struct record *rec = mem_new(1, sizeof(*rec));
	struct plan_settings settings = settings_of(r, conf, r->writers != NULL);

	rec->owner = r;
	rec->conf = conf;
	plan_init(&rec->plan, &settings, now_ms);
	return rec;
}

static void
record_free(struct record *rec)
{
	if (rec)
		cancel(rec);
	free(rec);
}

/* The token's coming or going, or its change, may be the cure for what fails. */
static void
retry_with_token(struct records *r, int64_t now_ms)
{
	r->token_changed = false;
	if (r->writers != NULL)
		writers_check(r->writers, now_ms);
	for (size_t i = 0; i < r->n; i++) {
		struct record *rec = r->list[i];
		struct plan_settings settings =
			settings_of(r, rec->conf, rec->plan.settings.passive);

		if (settings.can_read != rec->plan.settings.can_read ||
		    rec->plan.failure.count > 0) {
			plan_configure(&rec->plan, &settings, now_ms);
			records_report_one(rec);
		}
	}
}

void
records_configure(struct records *r, const struct updater_config *config, const char *secret,
		  int64_t now_ms)
{
	struct record **old = r->list;
	size_t nold = r->n;

	r->config = config;
	token_free(r->token);
	r->token = token_new(secret, config->token_file);
	refresh_token(r);
	r->n = config->nrecords;
	r->list = mem_new(r->n + 1, sizeof(*r->list));
	for (size_t i = 0; i < r->n; i++) {
		const struct updater_record *conf = &config->records[i];
		struct record *rec = take_old(old, nold, conf);

		if (rec) {
			struct plan_settings settings =
				settings_of(r, conf, rec->plan.settings.passive);

			rec->conf = conf;
			plan_configure(&rec->plan, &settings, now_ms);
		} else
			rec = record_new(r, conf, now_ms);
		rec->index = (unsigned)i;
		rec->count = (unsigned)r->n;
		r->list[i] = rec;
	}
	for (size_t i = 0; i < nold; i++)
		record_free(old[i]);
	free(old);
	if (r->writers != NULL) {
		writers_configure(r->writers, config, now_ms);
		records_follow_writers(r);
	}
	metrics_clear(r->metrics, METRIC_RECORD_ATTENTION);
	for (size_t i = 0; i < r->n; i++)
		tell_news(r->list[i], now_ms);
	records_report(r);
}

struct records *
records_new(struct http *http, struct metrics *metrics, records_publish *publish, void *arg)
{
	struct records *r = mem_new(1, sizeof(*r));

	r->http = http;
	r->metrics = metrics;
	r->publish = publish;
	r->arg = arg;
	return r;
}

void
records_free(struct records *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		record_free(r->list[i]);
	free(r->list);
	token_free(r->token);
	free(r);
}

/* --- the loop's side ---------------------------------------------------------------------------
 */

static void
keep_news(struct records *r, const struct msg_wan *wan, enum address_family family, int64_t now_ms)
{
	const struct msg_wan_family *f = msg_wan_family_const(wan, family);

	r->address[family] = f->address;
	if (r->writers != NULL)
		r->confirmed_ms[family] = writers_confirmed_ms(r->writers, family);
	else
		r->confirmed_ms[family] =
			f->confirmed_age_ms < 0 ? PLAN_NEVER : now_ms - f->confirmed_age_ms;
}

void
records_news(struct records *r, const struct msg_wan *wan, int64_t now_ms)
{
	r->heard = true;
	keep_news(r, wan, ADDRESS_IPV4, now_ms);
	keep_news(r, wan, ADDRESS_IPV6, now_ms);
	for (size_t i = 0; i < r->n; i++)
		tell_news(r->list[i], now_ms);
}

void
records_check(struct records *r, int64_t now_ms)
{
	if (r->writers != NULL) {
		writers_check(r->writers, now_ms);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		records_step(r->list[i], &(struct plan_event){ .kind = PLAN_EV_CHECK }, now_ms);
}

/* When a plan may start: so many requests must be earned that it can end. */
static int64_t
pace_deadline(const struct records *r)
{
	int64_t earned_ms =
		r->paid_until_ms -
		(int64_t)EARN_MS * (BURST - PLAN_REQUESTS * (int64_t)(r->in_flight + 1));

	return earned_ms > r->not_before_ms ? earned_ms : r->not_before_ms;
}

static struct record *
first_due(const struct records *r)
{
	struct record *first = NULL;

	for (size_t i = 0; i < r->n; i++)
		if (!first ||
		    plan_next_deadline(&r->list[i]->plan) < plan_next_deadline(&first->plan))
			first = r->list[i];
	return first;
}

/* Would a new token file help anyone? */
static bool
wants_token(const struct records *r)
{
	if (!token_is_file(r->token))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		const struct plan *p = &r->list[i]->plan;

		if (!p->settings.can_read || plan_state(p) == MSG_RECORD_ATTENTION)
			return true;
	}
	return false;
}

void
records_run(struct records *r, int64_t now_ms)
{
	struct record *rec;

	if (r->stopping)
		return;
	if (r->token_watch_ms <= now_ms && wants_token(r)) {
		r->token_watch_ms = now_ms + TOKEN_WATCH_MS;
		refresh_token(r);
	}
	if (r->token_changed)
		retry_with_token(r, now_ms);
	while (r->in_flight < IN_FLIGHT_MAX && pace_deadline(r) <= now_ms) {
		rec = first_due(r);
		if (!rec || plan_next_deadline(&rec->plan) > now_ms)
			break;
		records_step(rec, &(struct plan_event){ .kind = PLAN_EV_TICK }, now_ms);
	}
}

int64_t
records_next_deadline(const struct records *r, int64_t now_ms)
{
	struct record *rec = first_due(r);
	int64_t at = CLOCK_NEVER;

	if (r->stopping)
		return CLOCK_NEVER;
	if (rec && r->in_flight < IN_FLIGHT_MAX)
		at = plan_next_deadline(&rec->plan);
	if (at != CLOCK_NEVER && pace_deadline(r) > at)
		at = pace_deadline(r);
	if (wants_token(r) && r->token_watch_ms < at)
		at = r->token_watch_ms;
	if (r->token_changed)
		at = now_ms;
	return at;
}

void
records_join(struct records *r, struct writers *writers, struct events *events,
	     void (*take_news)(void *arg), void *arg)
{
	r->take_news = take_news;
	r->news_arg = arg;
	r->writers = writers;
	r->events = events;
}

struct record *const *
records_list(const struct records *r, size_t *n)
{
	*n = r->n;
	return r->list;
}

void
records_report(struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		records_report_one(r->list[i]);
}

bool
records_take_counted(struct records *r)
{
	bool counted = r->counted;

	r->counted = false;
	return counted;
}

const char *
records_status(const struct records *r, char *out, size_t size)
{
	unsigned counts[MSG_RECORD_STATE__MAX] = { 0 };
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < r->n; i++)
		counts[record_state(r->list[i])]++;
	buf_printf(&b, "%zu record%s", r->n, r->n == 1 ? "" : "s");
	for (size_t s = 0; s < MSG_RECORD_STATE__MAX; s++)
		if (counts[s] > 0)
			buf_printf(&b, ", %u %s", counts[s],
				   s == MSG_RECORD_IN_SYNC
					   ? "in sync"
					   : msg_record_state_name((enum msg_record_state)s));
	snprintf(out, size, "%s", buf_text(&b));
	buf_free(&b);
	return out;
}

void
records_stop(struct records *r)
{
	r->stopping = true;
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i]->plan.phase != PLAN_WRITING)
			cancel(r->list[i]);
}

bool
records_writing(const struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i]->call)
			return true;
	return false;
}
