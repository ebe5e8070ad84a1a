#include "detector/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "detector/stun_client.h"

/* One source being asked. Exactly one of call and query is set until it answers. */
struct inquiry {
	const struct detector_source *source;
	enum address_family family;
	struct http_call *call;
	struct stun_query *query;
	struct ballot *ballot;
};

struct probe {
	size_t n;
	struct inquiry inquiries[DETECTOR_SOURCES_MAX];
	struct ballot ballots[DETECTOR_SOURCES_MAX];
};

static void __attribute__((format(printf, 3, 4)))
explain(struct ballot *b, const char *reason, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	mem_copy_text(b->error, sizeof(b->error), text);
	b->reason = reason;
}

static void
log_ballot(const struct inquiry *q)
{
	const struct detector_source *s = q->source;
	char text[ADDRESS_TEXT_MAX];
	const char *answer = address_format(&q->ballot->answer, text, sizeof(text));

	log_debug("source answered", LOG_S("operator", s->operator),
		  LOG_S("source", s->url ? s->url : s->host),
		  LOG_S("kind", source_kind_name(s->kind)),
		  LOG_S("family", address_family_name(q->family)),
		  LOG_S("answer", *answer ? answer : NULL),
		  LOG_S("error", *q->ballot->error ? q->ballot->error : NULL),
		  LOG_I("duration_ms", q->ballot->duration_ms));
}

static void
on_http(void *arg, const struct http_response *response)
{
	struct inquiry *q = arg;
	struct ballot *b = q->ballot;
	const char *why;

	q->call = NULL;
	b->pending = false;
	b->duration_ms = response->duration_ms;
	b->error[0] = '\0';
	if (response->error != HTTP_OK)
		explain(b, http_error_name(response->error), "%s", response->error_text);
	else if (response->status >= 300 && response->status < 400)
		explain(b, "status", "answered with status %d, and redirects are not followed",
			response->status);
	else if (response->status != 200)
		explain(b, "status", "answered with status %d", response->status);
	else if (answer_parse(q->source->format, q->source->key, response->body, response->body_len,
			      q->family, &b->answer, &why) < 0)
		explain(b, "answer", "the answer %s", why);
	log_ballot(q);
}

static void
ask_http(struct inquiry *q, const struct detector_config *config, struct http *http)
{
	const struct http_request request = {
		.method = "GET",
		.url = q->source->url,
		.family = q->family,
		.fresh = true, /* a kept connection may answer for the old address */
		.stable_source = true,
		.ca_file = config->ca_file,
		.body_max = ANSWER_BODY_MAX,
		.timeout_ms = config->timeout_ms,
	};

	q->call = http_start(http, &request, on_http, q);
}

static void
ask_stun(struct inquiry *q, int64_t deadline_ms, struct resolver *resolver)
{
	const struct stun_request request = {
		.host = q->source->host,
		.port = q->source->port,
		.family = q->family,
		.tcp = q->source->kind == SOURCE_STUN_TCP,
		.deadline_ms = deadline_ms,
	};

	q->query = stun_query_start(resolver, &request);
}

struct probe *
probe_start(const struct detector_config *config, enum address_family family, struct http *http,
	    struct resolver *resolver)
{
	struct probe *p = mem_new(1, sizeof(*p));
	int64_t deadline = clock_now() + config->timeout_ms;

	for (size_t i = 0; i < config->nsources; i++) {
		const struct detector_source *s = &config->sources[i];
		struct inquiry *q = &p->inquiries[p->n];

		if (!s->families[family])
			continue;
		*q = (struct inquiry){ .source = s, .family = family, .ballot = &p->ballots[p->n] };
		*q->ballot =
			(struct ballot){ .operator= s->operator, .kind = s->kind, .pending = true };
		explain(q->ballot, NULL, "had not answered when the round was decided");
		p->n++;
		if (s->kind == SOURCE_STUN || s->kind == SOURCE_STUN_TCP)
			ask_stun(q, deadline, resolver);
		else
			ask_http(q, config, http);
	}
	return p;
}

void
probe_free(struct probe *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		http_cancel(p->inquiries[i].call);
		stun_query_free(p->inquiries[i].query);
	}
	free(p);
}

void
probe_prepare(const struct probe *p, struct pollset *set)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->inquiries[i].query)
			stun_query_prepare(p->inquiries[i].query, set);
}

void
probe_dispatch(struct probe *p, const struct pollset *set, int64_t now_ms)
{
	for (size_t i = 0; i < p->n; i++) {
		struct inquiry *q = &p->inquiries[i];
		const struct stun_result *result;

		if (!q->query)
			continue;
		stun_query_dispatch(q->query, set, now_ms);
		result = stun_query_result(q->query);
		if (!result)
			continue;
		q->ballot->pending = false;
		q->ballot->answer = result->address;
		q->ballot->duration_ms = result->duration_ms;
		explain(q->ballot, result->reason, "%s", result->error);
		stun_query_free(q->query);
		q->query = NULL;
		log_ballot(q);
	}
}

bool
probe_ended(const struct probe *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->inquiries[i].call || p->inquiries[i].query)
			return false;
	return true;
}

const struct ballot *
probe_ballots(const struct probe *p, size_t *n)
{
	*n = p->n;
	return p->ballots;
}
