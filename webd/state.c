#include "webd/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/text.h"

struct webd_state *
webd_state_new(const struct webd_config *config, uint64_t instance, int64_t now_ms)
{
	struct webd_state *s = mem_new(1, sizeof(*s));

	s->instance = instance;
	s->version = 1;
	s->started_ms = now_ms;
	for (int i = 0; i < WEBD_LINK__MAX; i++) {
		s->links[i].heard_ms = -1;
		s->links[i].stats = metrics_new();
	}
	for (int i = 0; i < ADDRESS_FAMILY__MAX; i++)
		s->confirmed_ms[i] = s->checked_ms[i] = -1;
	s->own = metrics_new();
	webd_state_configure(s, config);
	return s;
}

void
webd_state_free(struct webd_state *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		metrics_free(s->links[i].stats);
	for (size_t i = 0; i < s->nrecords; i++)
		free(s->records[i].text);
	metrics_free(s->own);
	free(s->wan_text);
	free(s->lead_text);
	free(s->cluster_text);
	free(s);
}

static struct webd_record *
find_record(struct webd_record *records, size_t n, const char *fqdn, enum address_family family)
{
	for (size_t i = 0; i < n; i++)
		if (records[i].config.family == family && strcmp(records[i].config.fqdn, fqdn) == 0)
			return &records[i];
	return NULL;
}

void
webd_state_configure(struct webd_state *s, const struct webd_config *config)
{
	struct webd_record *old = mem_new(WEBD_RECORDS_MAX, sizeof(*old));
	size_t nold = s->nrecords;

	memcpy(old, s->records, nold * sizeof(*old));
	s->config = *config;
	s->nrecords = config->nrecords;
	for (size_t i = 0; i < s->nrecords; i++) {
		const struct webd_record_config *rc = &config->records[i];
		struct webd_record *was = find_record(old, nold, rc->fqdn, rc->family);
		struct webd_record *r = &s->records[i];

		if (was != NULL) {
			*r = *was;
			was->text = NULL;
		} else {
			*r = (struct webd_record){ .checked_ms = -1, .next_ms = -1 };
		}
		r->config = *rc;
	}
	for (size_t i = 0; i < nold; i++)
		free(old[i].text);
	free(old);
	s->version++;
}

/* An age as of now_ms, as a time on this clock; -1 stays -1. */
static int64_t
time_of_age(int64_t age_ms, int64_t now_ms)
{
	return age_ms < 0 ? -1 : now_ms - age_ms;
}

/* Keep text, owned from here on, as what was last said; is it other than before? */
static bool
is_news(char **kept, char *text)
{
	bool news = *kept == NULL || strcmp(*kept, text) != 0;

	free(*kept);
	*kept = text;
	return news;
}

static void
take_family(struct webd_state *s, enum address_family family, struct msg_wan_family *f,
	    int64_t now_ms)
{
	s->confirmed_ms[family] = time_of_age(f->confirmed_age_ms, now_ms);
	s->checked_ms[family] = time_of_age(f->checked_age_ms, now_ms);
	f->confirmed_age_ms = f->checked_age_ms = -1;
}

bool
webd_leads(const struct webd_state *s, int64_t now_ms)
{
	return s->has_lead && s->lead.role == MSG_LEADER &&
	       webd_link_alive(s, WEBD_DETECTOR, now_ms);
}

const char *
webd_holder(const struct webd_state *s)
{
	if (s->has_lead && s->lead.holder[0] != '\0')
		return s->lead.holder;
	return s->has_wan ? s->wan.holder : "";
}

/* now_ms: of its arrival. */
static void
show_wan(struct webd_state *s, enum webd_link link, const struct msg_wan *w, int64_t now_ms)
{
	s->wan = *w;
	s->wan_link = link;
	s->has_wan = true;
	take_family(s, ADDRESS_IPV4, &s->wan.ipv4, now_ms);
	take_family(s, ADDRESS_IPV6, &s->wan.ipv6, now_ms);
	if (is_news(&s->wan_text, msg_encode_wan(&s->wan)))
		s->version++;
}

/* The detector that leads knows more, and sooner, than the updater that follows it. */
static void
take_wan(struct webd_state *s, enum webd_link link, const struct msg_wan *w, int64_t now_ms)
{
	if (link != WEBD_UPDATER || !webd_leads(s, now_ms)) {
		show_wan(s, link, w, now_ms);
		return;
	}
	s->passed = *w;
	s->passed_ms = now_ms;
	s->has_passed = true;
}

/* Did the one say what the other says, or something newer? */
static bool
is_as_new(const struct msg_wan *a, const struct msg_wan *b)
{
	return strcmp(a->uid, b->uid) != 0 || a->epoch > b->epoch ||
	       (a->epoch == b->epoch && a->sequence >= b->sequence);
}

/* The updater may have heard of a new leader before the detector knew that it is none. */
static void
show_passed(struct webd_state *s)
{
	if (s->has_passed && is_as_new(&s->passed, &s->wan))
		show_wan(s, WEBD_UPDATER, &s->passed, s->passed_ms);
	s->has_passed = false;
}

static void
take_lead(struct webd_state *s, const struct msg_lead *l)
{
	if (l->role != MSG_LEADER)
		show_passed(s);
	s->lead = *l;
	s->has_lead = true;
	if (is_news(&s->lead_text, msg_encode_lead(l)))
		s->version++;
}

static void
take_cluster(struct webd_state *s, const struct msg_cluster *c)
{
	s->cluster = *c;
	s->has_cluster = true;
	if (is_news(&s->cluster_text, msg_encode_cluster(c)))
		s->version++;
}

static void
take_record(struct webd_state *s, const struct msg_record *m, int64_t now_ms)
{
	struct webd_record *r = find_record(s->records, s->nrecords, m->fqdn, m->family);

	/* the updater may be ahead of a reload, or behind it */
	if (r == NULL)
		return;
	r->known = true;
	r->msg = *m;
	r->checked_ms = time_of_age(m->checked_age_ms, now_ms);
	r->next_ms = m->next_in_ms < 0 ? -1 : now_ms + m->next_in_ms;
	r->msg.checked_age_ms = r->msg.next_in_ms = -1;
	if (is_news(&r->text, msg_encode_record(&r->msg)))
		s->version++;
}

static void
take_stats(struct webd_link_state *l, const struct metrics *from)
{
	for (int id = 0; id < METRIC__MAX; id++) {
		for (size_t i = 0; i < metrics_count(from, (enum metric)id); i++) {
			const struct metric_sample *in = metrics_at(from, (enum metric)id, i);
			struct metric_sample *out = metrics_sample(l->stats, (enum metric)id,
								   (const char *const *)in->labels);

			if (out == NULL)
				continue;
			out->value = in->value;
			out->count = in->count;
			memcpy(out->buckets, in->buckets, sizeof(out->buckets));
		}
	}
}

void
webd_state_take(struct webd_state *s, enum webd_link link, const struct msg *m, int64_t now_ms)
{
	s->links[link].heard_ms = now_ms;
	s->links[link].stale = false;
	switch (m->type) {
	case MSG_WAN:
		take_wan(s, link, &m->wan, now_ms);
		break;
	case MSG_LEAD:
		take_lead(s, &m->lead);
		break;
	case MSG_RECORD:
		take_record(s, &m->record, now_ms);
		break;
	case MSG_STATS:
		take_stats(&s->links[link], m->stats.metrics);
		break;
	case MSG_CLUSTER:
		take_cluster(s, &m->cluster);
		break;
	case MSG_TYPE__MAX:
		break;
	}
}

void
webd_state_refused(struct webd_state *s, const char *reason)
{
	metrics_add(s->own, METRIC_MESSAGES_DROPPED, 1, reason, NULL, NULL);
}

void
webd_state_link(struct webd_state *s, enum webd_link link, bool connected)
{
	if (s->links[link].connected == connected)
		return;
	s->links[link].connected = connected;
	s->links[link].stale |= !connected;
	if (link == WEBD_DETECTOR && !connected)
		show_passed(s);
	s->version++;
}

static bool
read_unit(const cJSON *object, struct webd_unit *out, int64_t now_ms)
{
	const char *status = json_text(object, "status"), *last = json_text(object, "last_exit");
	int64_t next;

	if (!json_copy(object, "name", out->name, sizeof(out->name)) ||
	    !json_copy(object, "state", out->state, sizeof(out->state)) ||
	    !json_int(object, "pid", -1, INT32_MAX, &out->pid) ||
	    !json_int(object, "since", 0, INT64_MAX / 4096, &out->since) ||
	    !json_int(object, "restarts", 0, INT64_MAX / 4096, &out->restarts) ||
	    !json_int(object, "next_start_in", -1, INT32_MAX, &next) || status == NULL ||
	    last == NULL)
		return false;
	text_clean(out->status, sizeof(out->status), status);
	text_clean(out->last_exit, sizeof(out->last_exit), last);
	out->next_start_ms = next < 0 ? -1 : now_ms + next;
	if (!json_int(object, "memory", 0, INT64_MAX / 4096, &out->memory))
		out->memory = -1;
	if (!json_int(object, "cpu_ms", 0, INT64_MAX / 4096, &out->cpu_ms))
		out->cpu_ms = -1;
	return true;
}

/* Memory and CPU time change all the time, and are no news. */
static bool
same_unit(const struct webd_unit *a, const struct webd_unit *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->state, b->state) == 0 &&
	       a->pid == b->pid && a->since == b->since && a->restarts == b->restarts &&
	       strcmp(a->status, b->status) == 0 && strcmp(a->last_exit, b->last_exit) == 0;
}

static bool
same_units(const struct webd_state *s, const struct webd_unit *list, size_t n)
{
	bool same = s->has_units && s->nunits == n;

	for (size_t i = 0; same && i < n; i++)
		same = same_unit(&s->units[i], &list[i]);
	return same;
}

/* A worker's counters start again with it: none of the process before may stay. */
static void
forget_stats(struct webd_link_state *l)
{
	metrics_free(l->stats);
	l->stats = metrics_new();
}

int
webd_state_units(struct webd_state *s, const cJSON *units, int64_t now_ms, const char **why)
{
	struct webd_unit list[WEBD_UNITS_MAX] = { 0 };
	const cJSON *item;
	size_t n = 0;

	*why = "the list of units is malformed";
	if (!cJSON_IsArray(units))
		return -1;
	cJSON_ArrayForEach(item, units)
	{
		if (n == WEBD_UNITS_MAX || !read_unit(item, &list[n], now_ms))
			return -1;
		n++;
	}
	for (int i = 0; i < WEBD_LINK__MAX; i++) {
		const struct webd_unit *was = webd_unit(s, webd_link_name(i));

		for (size_t k = 0; k < n; k++)
			if (was != NULL && strcmp(list[k].name, was->name) == 0 &&
			    list[k].pid > 0 && list[k].pid != was->pid)
				forget_stats(&s->links[i]);
	}
	s->version += same_units(s, list, n) ? 0 : 1;
	memcpy(s->units, list, sizeof(list));
	s->nunits = n;
	s->has_units = true;
	return 0;
}

void
webd_state_drain(struct webd_state *s)
{
	if (!s->draining)
		s->version++;
	s->draining = true;
}

bool
webd_link_alive(const struct webd_state *s, enum webd_link link, int64_t now_ms)
{
	const struct webd_link_state *l = &s->links[link];

	return l->connected && !l->stale && l->heard_ms >= 0 &&
	       now_ms - l->heard_ms <= WEBD_SILENCE_MS;
}

/* FNV-1a over what was judged, so that any change of it is seen. */
static uint64_t
add_judgement(uint64_t sum, bool judgement)
{
	return (sum ^ (judgement ? 2 : 1)) * 1099511628211u;
}

void
webd_state_tick(struct webd_state *s, int64_t now_ms)
{
	uint64_t sum = 14695981039346656037u;

	for (int i = 0; i < WEBD_LINK__MAX; i++)
		sum = add_judgement(sum, webd_link_alive(s, i, now_ms));
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		sum = add_judgement(sum, webd_usable(s, i, now_ms));
	for (size_t i = 0; i < s->nrecords; i++)
		sum = add_judgement(sum, webd_record_fresh(s, &s->records[i], now_ms));
	sum = add_judgement(sum, now_ms - s->started_ms < WEBD_GRACE_MS);
	if (sum != s->judged)
		s->version++;
	s->judged = sum;
}

/* The nearer of deadline and the first moment after base + span, if that is still ahead. */
static int64_t
nearer(int64_t deadline, int64_t base, int64_t span, int64_t now_ms)
{
	int64_t at = base + span + 1;

	return base >= 0 && at > now_ms && at < deadline ? at : deadline;
}

int64_t
webd_state_next_deadline(const struct webd_state *s, int64_t now_ms)
{
	int64_t at = CLOCK_NEVER;

	for (int i = 0; i < WEBD_LINK__MAX; i++)
		at = nearer(at, s->links[i].heard_ms, WEBD_SILENCE_MS, now_ms);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		at = nearer(at, s->confirmed_ms[i], 2 * s->config.detector_interval_ms, now_ms);
	for (size_t i = 0; i < s->nrecords; i++)
		at = nearer(at, s->records[i].checked_ms, 2 * s->config.updater_interval_ms,
			    now_ms);
	return nearer(at, s->started_ms, WEBD_GRACE_MS, now_ms);
}
