#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/message.h"
#include "ipc/message_private.h"
#include "ipc/text.h"

/* Room in a stats message for everything but the samples; the unit's name may double by escaping.
 */
#define STATS_FRAME_MAX 192

static void
put_key(struct buf *b, const char *key)
{
	char last = b->data[b->len - 1];

	if (last != '{' && last != '[')
		buf_addc(b, ',');
	buf_printf(b, "\"%s\":", key);
}

/* A text of which at most size - 1 bytes are sent. */
static void
put_text_cut(struct buf *b, const char *key, const char *text, size_t size)
{
	char clean[MSG_HREF_MAX];

	text_clean(clean, size < sizeof(clean) ? size : sizeof(clean), text);
	put_key(b, key);
	json_quote(b, clean);
}

static void
put_text(struct buf *b, const char *key, const char *text)
{
	put_text_cut(b, key, text, MSG_HREF_MAX);
}

static void
put_bool(struct buf *b, const char *key, bool value)
{
	put_key(b, key);
	buf_adds(b, value ? "true" : "false");
}

/* Out of its bounds a number takes the nearest, so that what is sent can always be read. */
static void
put_int(struct buf *b, const char *key, int64_t value, int64_t min, int64_t max)
{
	put_key(b, key);
	buf_printf(b, "%lld", (long long)(value < min ? min : value > max ? max : value));
}

static void
put_wall(struct buf *b, const char *key, int64_t wall_ms)
{
	put_int(b, key, wall_ms, 0, MSG_TIME_MAX);
}

static void
put_span(struct buf *b, const char *key, int64_t ms)
{
	put_int(b, key, ms, -1, MSG_NUMBER_MAX);
}

static void
put_count(struct buf *b, const char *key, unsigned value)
{
	put_int(b, key, value, 0, MSG_COUNT_MAX);
}

static void
put_address(struct buf *b, const char *key, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	put_text(b, key, address_format(a, text, sizeof(text)));
}

static void
open_object(struct buf *b)
{
	if (b->len != 0 && b->data[b->len - 1] == '}')
		buf_addc(b, ',');
	buf_addc(b, '{');
}

static void
open_message(struct buf *b, enum msg_type type)
{
	open_object(b);
	put_int(b, "v", MSG_VERSION, MSG_VERSION, MSG_VERSION);
	put_text(b, "type", msg_type_name(type));
}

/* What is left out of a wan message that would be too long otherwise. */
struct shortening {
	size_t error_size; /* of a vote's error, with NUL */
	bool without[2][MSG_VOTES_MAX];
};

static size_t
votes_of(const struct msg_wan_family *f)
{
	return f->nvotes < MSG_VOTES_MAX ? f->nvotes : MSG_VOTES_MAX;
}

static void
put_vote(struct buf *b, const struct msg_vote *v, size_t error_size)
{
	open_object(b);
	put_text(b, "operator", v->operator);
	put_text(b, "kind", v->kind);
	put_address(b, "answer", &v->answer);
	put_text_cut(b, "error", v->error, error_size);
	put_bool(b, "agrees", v->agrees);
	put_int(b, "duration_ms", v->duration_ms, 0, MSG_NUMBER_MAX);
	buf_addc(b, '}');
}

static void
put_family(struct buf *b, const char *key, const struct msg_wan_family *f, size_t error_size,
	   const bool *without)
{
	put_key(b, key);
	buf_addc(b, '{');
	put_bool(b, "wanted", f->wanted);
	put_text(b, "state", msg_wan_state_name(f->state));
	put_address(b, "address", &f->address);
	put_wall(b, "detected_at", f->detected_at);
	put_wall(b, "confirmed_at", f->confirmed_at);
	put_span(b, "confirmed_age_ms", f->confirmed_age_ms);
	put_wall(b, "checked_at", f->checked_at);
	put_span(b, "checked_age_ms", f->checked_age_ms);
	put_count(b, "asked", f->asked);
	put_count(b, "answered", f->answered);
	put_count(b, "agreed", f->agreed);
	put_count(b, "needed", f->needed);
	put_text(b, "reason", f->reason);
	put_key(b, "votes");
	buf_addc(b, '[');
	for (size_t i = 0; i < votes_of(f); i++)
		if (!without[i])
			put_vote(b, &f->votes[i], error_size);
	buf_addc(b, ']');
	put_key(b, "changes");
	buf_addc(b, '[');
	for (size_t i = 0; i < f->nchanges && i < MSG_CHANGES_MAX; i++) {
		open_object(b);
		put_address(b, "address", &f->changes[i].address);
		put_wall(b, "at", f->changes[i].at);
		buf_addc(b, '}');
	}
	buf_adds(b, "]}");
}

/* The vote to be missed least: the last that agrees, else the last. -1 if none is left. */
static int
dispensable_vote(const struct msg_wan_family *f, const bool *without)
{
	int last = -1;

	for (int i = (int)votes_of(f) - 1; i >= 0; i--) {
		if (without[i])
			continue;
		if (f->votes[i].agrees)
			return i;
		if (last < 0)
			last = i;
	}
	return last;
}

static size_t
votes_left(const struct msg_wan_family *f, const bool *without)
{
	size_t left = 0;

	for (size_t i = 0; i < votes_of(f); i++)
		left += !without[i];
	return left;
}

/*
 * Errors are cut first, but never to nothing: an empty one would say that the
 * vote counts. Then votes go, from the family that has more of them.
 */
static void
shorten(struct shortening *s, const struct msg_wan *w)
{
	size_t ipv4 = votes_left(&w->ipv4, s->without[0]);
	size_t ipv6 = votes_left(&w->ipv6, s->without[1]);
	const struct msg_wan_family *f = ipv4 >= ipv6 ? &w->ipv4 : &w->ipv6;
	bool *without = ipv4 >= ipv6 ? s->without[0] : s->without[1];

	if (s->error_size > 24)
		s->error_size = s->error_size > 48 ? 48 : 24;
	else if (ipv4 + ipv6 > 0)
		without[dispensable_vote(f, without)] = true;
	else
		abort(); /* the other members together take at most 5 KiB */
}

char *
msg_encode_wan(const struct msg_wan *w)
{
	struct shortening s = { .error_size = sizeof(w->ipv4.votes[0].error) };
	struct buf b = BUF_INIT;

	for (;;) {
		open_message(&b, MSG_WAN);
		put_text(&b, "uid", w->uid);
		put_int(&b, "epoch", w->epoch, 0, MSG_EPOCH_MAX);
		put_int(&b, "sequence", w->sequence, 0, MSG_NUMBER_MAX);
		put_text(&b, "holder", w->holder);
		put_family(&b, "ipv4", &w->ipv4, s.error_size, s.without[0]);
		put_family(&b, "ipv6", &w->ipv6, s.error_size, s.without[1]);
		buf_addc(&b, '}');
		if (b.len <= MSG_SIZE_MAX)
			return buf_take(&b);
		shorten(&s, w);
		buf_clear(&b);
	}
}

char *
msg_encode_lead(const struct msg_lead *l)
{
	struct buf b = BUF_INIT;

	open_message(&b, MSG_LEAD);
	put_text(&b, "role", msg_role_name(l->role));
	put_text(&b, "backend", l->backend);
	put_text(&b, "holder", l->holder);
	put_int(&b, "term", l->term, 0, MSG_EPOCH_MAX);
	put_wall(&b, "since", l->since);
	put_text(&b, "reason", l->reason);
	buf_addc(&b, '}');
	return buf_take(&b);
}

char *
msg_encode_record(const struct msg_record *r)
{
	struct buf b = BUF_INIT;

	open_message(&b, MSG_RECORD);
	put_count(&b, "index", r->index);
	put_count(&b, "count", r->count);
	put_text(&b, "fqdn", r->fqdn);
	put_text(&b, "zone", r->zone);
	put_text(&b, "name", r->name);
	put_text(&b, "family", address_family_name(r->family));
	put_text(&b, "state", msg_record_state_name(r->state));
	put_address(&b, "wanted", &r->wanted);
	put_int(&b, "wanted_ttl", r->wanted_ttl, 0, MSG_TTL_MAX);
	put_bool(&b, "exists", r->exists);
	put_key(&b, "values");
	buf_addc(&b, '[');
	for (size_t i = 0; i < r->nvalues && i < MSG_VALUES_MAX; i++) {
		char clean[ADDRESS_TEXT_MAX];

		if (i > 0)
			buf_addc(&b, ',');
		text_clean(clean, sizeof(clean), r->values[i]);
		json_quote(&b, clean);
	}
	buf_addc(&b, ']');
	put_int(&b, "ttl", r->ttl, 0, MSG_TTL_MAX);
	put_text(&b, "href", r->href);
	put_bool(&b, "in_sync", r->in_sync);
	put_wall(&b, "checked_at", r->checked_at);
	put_span(&b, "checked_age_ms", r->checked_age_ms);
	put_wall(&b, "updated_at", r->updated_at);
	put_span(&b, "next_in_ms", r->next_in_ms);
	put_text(&b, "error_type", r->error_type);
	put_text(&b, "error", r->error);
	put_text(&b, "by", r->by);
	buf_addc(&b, '}');
	return buf_take(&b);
}

char *
msg_encode_cluster(const struct msg_cluster *c)
{
	struct buf b = BUF_INIT;

	open_message(&b, MSG_CLUSTER);
	put_count(&b, "followers", c->followers);
	put_bool(&b, "connected", c->connected);
	put_text(&b, "publisher", c->publisher);
	put_bool(&b, "current", c->current);
	put_int(&b, "released", c->released, 0, MSG_EPOCH_MAX);
	put_bool(&b, "overdue", c->overdue);
	put_bool(&b, "balancer_pending", c->balancer_pending);
	put_text(&b, "balancer", c->balancer);
	put_text(&b, "reason", c->reason);
	buf_addc(&b, '}');
	return buf_take(&b);
}

static void
put_sample(struct buf *b, const struct metric_family *f, const struct metric_sample *s)
{
	open_object(b);
	put_text(b, "name", f->name);
	put_key(b, "labels");
	buf_addc(b, '[');
	for (size_t i = 0; i < f->nlabels; i++) {
		char clean[METRIC_LABEL_TEXT_MAX];

		if (i > 0)
			buf_addc(b, ',');
		text_clean(clean, sizeof(clean), s->labels[i] != NULL ? s->labels[i] : "");
		json_quote(b, clean);
	}
	buf_addc(b, ']');
	put_key(b, "value");
	buf_printf(b, "%.17g", s->value);
	if (f->type == METRIC_HISTOGRAM) {
		put_int(b, "count", (int64_t)s->count, 0, MSG_NUMBER_MAX);
		put_key(b, "buckets");
		buf_addc(b, '[');
		for (size_t i = 0; i < f->nbuckets; i++)
			buf_printf(b, "%s%lu", i > 0 ? "," : "", s->buckets[i]);
		buf_addc(b, ']');
	}
	buf_addc(b, '}');
}

/* The samples of one message each, as many as fit; *n texts, each and the array to be free()d. */
static char **
stats_bodies(const struct metrics *m, size_t *n)
{
	struct buf body = BUF_INIT, sample = BUF_INIT;
	char **bodies = NULL;

	*n = 0;
	for (int id = 0; id < METRIC__MAX; id++) {
		for (size_t i = 0; i < metrics_count(m, (enum metric)id); i++) {
			const struct metric_sample *s = metrics_at(m, (enum metric)id, i);

			if (!isfinite(s->value))
				continue; /* JSON has no word for it */
			buf_clear(&sample);
			put_sample(&sample, metric_family((enum metric)id), s);
			if (body.len + 1 + sample.len > MSG_SIZE_MAX - STATS_FRAME_MAX) {
				bodies = mem_grow(bodies, *n + 1, sizeof(*bodies));
				bodies[(*n)++] = buf_take(&body);
			}
			if (body.len > 0)
				buf_addc(&body, ',');
			buf_add(&body, sample.data, sample.len);
		}
	}
	/* also where there is none: the receiver learns that no sample is left */
	bodies = mem_grow(bodies, *n + 1, sizeof(*bodies));
	bodies[(*n)++] = buf_take(&body);
	buf_free(&sample);
	return bodies;
}

void
msg_encode_stats(const char *from, const struct metrics *m,
		 void (*emit)(const char *json, void *arg), void *arg)
{
	size_t n;
	char **bodies = stats_bodies(m, &n);
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		buf_clear(&b);
		open_message(&b, MSG_STATS);
		put_text_cut(&b, "from", from, sizeof(((struct msg_stats *)NULL)->from));
		put_count(&b, "part", (unsigned)i);
		put_count(&b, "parts", (unsigned)n);
		put_key(&b, "samples");
		buf_printf(&b, "[%s]}", bodies[i]);
		emit(b.data, arg);
		free(bodies[i]);
	}
	free(bodies);
	buf_free(&b);
}
