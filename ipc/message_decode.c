#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "ipc/message.h"
#include "ipc/message_private.h"
#include "ipc/text.h"

/* Why the last message was refused: never holds a byte of it. */
static char refusal[160];

static bool
refuse(const char *member, const char *what)
{
	snprintf(refusal, sizeof(refusal), "its \"%s\" %s", member, what);
	return false;
}

static bool
get_text(const cJSON *o, const char *key, char *dst, size_t size)
{
	const char *text = json_text(o, key);

	if (text == NULL)
		return refuse(key, "is not a text");
	if (strlen(text) >= size)
		return refuse(key, "is too long");
	text_clean(dst, size, text);
	return true;
}

static bool
get_name(const cJSON *o, const char *key, char *dst, size_t size)
{
	if (!get_text(o, key, dst, size))
		return false;
	return dst[0] != '\0' || refuse(key, "is empty");
}

static bool
get_int(const cJSON *o, const char *key, int64_t min, int64_t max, int64_t *out)
{
	return json_int(o, key, min, max, out) ||
	       refuse(key, "is not a whole number within its bounds");
}

static bool
get_wall(const cJSON *o, const char *key, int64_t *out)
{
	return get_int(o, key, 0, MSG_TIME_MAX, out);
}

static bool
get_span(const cJSON *o, const char *key, int64_t *out)
{
	return get_int(o, key, -1, MSG_NUMBER_MAX, out);
}

static bool
get_count(const cJSON *o, const char *key, unsigned *out)
{
	int64_t value;

	if (!get_int(o, key, 0, MSG_COUNT_MAX, &value))
		return false;
	*out = (unsigned)value;
	return true;
}

static bool
get_bool(const cJSON *o, const char *key, bool *out)
{
	return json_bool(o, key, out) || refuse(key, "is neither true nor false");
}

/* An address of the family, or of any for ADDRESS_NONE; "" is none. */
static bool
get_address(const cJSON *o, const char *key, enum address_family family, struct address *out)
{
	const char *text = json_text(o, key);

	*out = (struct address){ .family = ADDRESS_NONE };
	if (text == NULL)
		return refuse(key, "is not a text");
	if (text[0] == '\0')
		return true;
	if (!address_parse_text(text, out))
		return refuse(key, "is not an address");
	if (family != ADDRESS_NONE && out->family != family)
		return refuse(key, "is an address of the other family");
	return true;
}

static const cJSON *
get_array(const cJSON *o, const char *key, size_t max)
{
	const cJSON *array = json_array(o, key);

	if (array == NULL)
		refuse(key, "is not an array");
	else if ((size_t)cJSON_GetArraySize(array) > max)
		refuse(key, "has too many entries");
	else
		return array;
	return NULL;
}

/* One of the names that name(0) .. name(max - 1) give. */
static bool
get_enum(const cJSON *o, const char *key, const char *(*name)(unsigned), unsigned max,
	 unsigned *out)
{
	const char *text = json_text(o, key);

	if (text == NULL)
		return refuse(key, "is not a text");
	for (*out = 0; *out < max; (*out)++)
		if (strcmp(name(*out), text) == 0)
			return true;
	return refuse(key, "is none of its names");
}

static const char *
wan_state_name(unsigned value)
{
	return msg_wan_state_name((enum msg_wan_state)value);
}

static const char *
record_state_name(unsigned value)
{
	return msg_record_state_name((enum msg_record_state)value);
}

static const char *
role_name(unsigned value)
{
	return msg_role_name((enum msg_role)value);
}

static const char *
type_name(unsigned value)
{
	return msg_type_name((enum msg_type)value);
}

static bool
get_vote(const cJSON *o, struct msg_vote *v)
{
	if (!get_name(o, "operator", v->operator, sizeof(v->operator)) ||
	    !get_text(o, "kind", v->kind, sizeof(v->kind)))
		return false;
	if (!msg_vote_kind_known(v->kind))
		return refuse("kind", "is none of its names");
	/* the answer may be of the other family: that can be what is wrong with it */
	return get_address(o, "answer", ADDRESS_NONE, &v->answer) &&
	       get_text(o, "error", v->error, sizeof(v->error)) &&
	       get_bool(o, "agrees", &v->agrees) &&
	       get_int(o, "duration_ms", 0, MSG_NUMBER_MAX, &v->duration_ms);
}

static bool
get_votes(const cJSON *o, struct msg_wan_family *f)
{
	const cJSON *entry, *array = get_array(o, "votes", MSG_VOTES_MAX);

	if (array == NULL)
		return false;
	cJSON_ArrayForEach(entry, array) if (!get_vote(entry, &f->votes[f->nvotes++])) return false;
	return true;
}

static bool
get_changes(const cJSON *o, enum address_family family, struct msg_wan_family *f)
{
	const cJSON *entry, *array = get_array(o, "changes", MSG_CHANGES_MAX);

	if (array == NULL)
		return false;
	cJSON_ArrayForEach(entry, array)
	{
		struct msg_change *change = &f->changes[f->nchanges++];

		if (!get_address(entry, "address", family, &change->address) ||
		    !get_wall(entry, "at", &change->at))
			return false;
	}
	return true;
}

static bool
get_family(const cJSON *parent, enum address_family family, struct msg_wan_family *f)
{
	const cJSON *o = json_object(parent, address_family_name(family));
	unsigned state;

	if (o == NULL)
		return refuse(address_family_name(family), "is not an object");
	if (!get_enum(o, "state", wan_state_name, MSG_WAN_STATE__MAX, &state))
		return false;
	f->state = (enum msg_wan_state)state;
	return get_bool(o, "wanted", &f->wanted) &&
	       get_address(o, "address", family, &f->address) &&
	       get_wall(o, "detected_at", &f->detected_at) &&
	       get_wall(o, "confirmed_at", &f->confirmed_at) &&
	       get_span(o, "confirmed_age_ms", &f->confirmed_age_ms) &&
	       get_wall(o, "checked_at", &f->checked_at) &&
	       get_span(o, "checked_age_ms", &f->checked_age_ms) &&
	       get_count(o, "asked", &f->asked) && get_count(o, "answered", &f->answered) &&
	       get_count(o, "agreed", &f->agreed) && get_count(o, "needed", &f->needed) &&
	       get_text(o, "reason", f->reason, sizeof(f->reason)) && get_votes(o, f) &&
	       get_changes(o, family, f);
}

static bool
decode_wan(const cJSON *o, struct msg_wan *w)
{
	return get_name(o, "uid", w->uid, sizeof(w->uid)) &&
	       get_int(o, "epoch", 1, MSG_EPOCH_MAX, &w->epoch) &&
	       get_int(o, "sequence", 0, MSG_NUMBER_MAX, &w->sequence) &&
	       get_text(o, "holder", w->holder, sizeof(w->holder)) &&
	       get_family(o, ADDRESS_IPV4, &w->ipv4) && get_family(o, ADDRESS_IPV6, &w->ipv6);
}

static bool
decode_lead(const cJSON *o, struct msg_lead *l)
{
	unsigned role;

	if (!get_enum(o, "role", role_name, MSG_ROLE__MAX, &role))
		return false;
	l->role = (enum msg_role)role;
	return get_text(o, "backend", l->backend, sizeof(l->backend)) &&
	       get_text(o, "holder", l->holder, sizeof(l->holder)) &&
	       get_int(o, "term", 0, MSG_EPOCH_MAX, &l->term) && get_wall(o, "since", &l->since) &&
	       get_text(o, "reason", l->reason, sizeof(l->reason));
}

static bool
get_values(const cJSON *o, struct msg_record *r)
{
	const cJSON *entry, *array = get_array(o, "values", MSG_VALUES_MAX);

	if (array == NULL)
		return false;
	cJSON_ArrayForEach(entry, array)
	{
		if (!cJSON_IsString(entry))
			return refuse("values", "has an entry that is not a text");
		if (strlen(entry->valuestring) >= ADDRESS_TEXT_MAX)
			return refuse("values", "has an entry that is too long");
		text_clean(r->values[r->nvalues++], ADDRESS_TEXT_MAX, entry->valuestring);
	}
	return true;
}

static bool
get_record_identity(const cJSON *o, struct msg_record *r)
{
	const char *family = json_text(o, "family");

	if (!get_count(o, "index", &r->index) || !get_count(o, "count", &r->count))
		return false;
	if (r->index >= r->count)
		return refuse("index", "is not below \"count\"");
	r->family = family != NULL ? address_family_of(family) : ADDRESS_NONE;
	if (r->family == ADDRESS_NONE)
		return refuse("family", "is none of its names");
	return get_name(o, "fqdn", r->fqdn, sizeof(r->fqdn)) &&
	       get_name(o, "zone", r->zone, sizeof(r->zone)) &&
	       get_name(o, "name", r->name, sizeof(r->name));
}

static bool
decode_record(const cJSON *o, struct msg_record *r)
{
	unsigned state;

	if (!get_record_identity(o, r) ||
	    !get_enum(o, "state", record_state_name, MSG_RECORD_STATE__MAX, &state))
		return false;
	r->state = (enum msg_record_state)state;
	return get_address(o, "wanted", r->family, &r->wanted) &&
	       get_int(o, "wanted_ttl", 0, MSG_TTL_MAX, &r->wanted_ttl) &&
	       get_bool(o, "exists", &r->exists) && get_values(o, r) &&
	       get_int(o, "ttl", 0, MSG_TTL_MAX, &r->ttl) &&
	       get_text(o, "href", r->href, sizeof(r->href)) &&
	       get_bool(o, "in_sync", &r->in_sync) && get_wall(o, "checked_at", &r->checked_at) &&
	       get_span(o, "checked_age_ms", &r->checked_age_ms) &&
	       get_wall(o, "updated_at", &r->updated_at) &&
	       get_span(o, "next_in_ms", &r->next_in_ms) &&
	       get_text(o, "error_type", r->error_type, sizeof(r->error_type)) &&
	       get_text(o, "error", r->error, sizeof(r->error)) &&
	       get_text(o, "by", r->by, sizeof(r->by));
}

static bool
decode_cluster(const cJSON *o, struct msg_cluster *c)
{
	return get_count(o, "followers", &c->followers) &&
	       get_bool(o, "connected", &c->connected) &&
	       get_text(o, "publisher", c->publisher, sizeof(c->publisher)) &&
	       get_bool(o, "current", &c->current) &&
	       get_int(o, "released", 0, MSG_EPOCH_MAX, &c->released) &&
	       get_bool(o, "overdue", &c->overdue) &&
	       get_bool(o, "balancer_pending", &c->balancer_pending) &&
	       get_text(o, "balancer", c->balancer, sizeof(c->balancer)) &&
	       get_text(o, "reason", c->reason, sizeof(c->reason));
}

/* The labels of a sample, cleaned; exactly as many as the family has. */
static bool
get_labels(const cJSON *o, const struct metric_family *f,
	   char labels[METRIC_LABELS_MAX][METRIC_LABEL_TEXT_MAX])
{
	const cJSON *entry, *array = get_array(o, "labels", f->nlabels);
	size_t n = 0;

	if (array == NULL)
		return false;
	cJSON_ArrayForEach(entry, array)
	{
		if (!cJSON_IsString(entry) || strlen(entry->valuestring) >= METRIC_LABEL_TEXT_MAX)
			return refuse("labels", "has an entry that is no text or too long");
		text_clean(labels[n++], METRIC_LABEL_TEXT_MAX, entry->valuestring);
	}
	return n == f->nlabels || refuse("labels", "has too few entries");
}

static bool
get_histogram(const cJSON *o, const struct metric_family *f, struct metric_sample *s)
{
	const cJSON *entry, *array = get_array(o, "buckets", f->nbuckets);
	int64_t count, total = 0;
	size_t n = 0;

	if (array == NULL || !get_int(o, "count", 0, MSG_NUMBER_MAX, &count))
		return false;
	cJSON_ArrayForEach(entry, array)
	{
		double value = cJSON_IsNumber(entry) ? entry->valuedouble : -1;

		if (!(value >= 0 && value <= (double)MSG_NUMBER_MAX) || trunc(value) != value)
			return refuse("buckets", "has an entry that is not a whole number");
		s->buckets[n++] = (unsigned long)value;
		total += (int64_t)value;
	}
	if (n != f->nbuckets || total > count)
		return refuse("buckets", "has too few entries, or more than \"count\" in them");
	s->count = (unsigned long)count;
	return true;
}

static bool
get_sample(const cJSON *o, struct metrics *m)
{
	char labels[METRIC_LABELS_MAX][METRIC_LABEL_TEXT_MAX];
	const char *texts[METRIC_LABELS_MAX] = { NULL }, *name = json_text(o, "name");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(o, "value");
	const struct metric_family *f;
	struct metric_sample *s;
	enum metric id;

	if (name == NULL)
		return refuse("samples", "has an entry without a name");
	id = metric_of(name);
	if (id == METRIC__MAX)
		return true; /* a newer program's: ignored as unknown members are */
	f = metric_family(id);
	if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble) ||
	    (f->type == METRIC_COUNTER && value->valuedouble < 0))
		return refuse("value", "is not a number that the metric can have");
	if (!get_labels(o, f, labels))
		return false;
	for (size_t i = 0; i < f->nlabels; i++)
		texts[i] = labels[i];
	s = metrics_sample(m, id, texts);
	if (s == NULL)
		return refuse("samples", "has too many entries");
	s->value = value->valuedouble;
	return f->type != METRIC_HISTOGRAM || get_histogram(o, f, s);
}

static bool
decode_stats(const cJSON *o, struct msg_stats *s)
{
	const cJSON *entry, *array = get_array(o, "samples", MSG_SIZE_MAX);

	s->metrics = metrics_new();
	if (array == NULL || !get_name(o, "from", s->from, sizeof(s->from)) ||
	    !get_count(o, "part", &s->part) || !get_count(o, "parts", &s->parts))
		return false;
	if (s->part >= s->parts)
		return refuse("part", "is not below \"parts\"");
	cJSON_ArrayForEach(entry, array) if (!get_sample(entry, s->metrics)) return false;
	return true;
}

static bool
decode_object(const cJSON *o, struct msg *m)
{
	int64_t version;
	unsigned type;

	if (!cJSON_IsObject(o)) {
		snprintf(refusal, sizeof(refusal), "it is not an object");
		return false;
	}
	if (!json_int(o, "v", MSG_VERSION, MSG_VERSION, &version))
		return refuse("v", "is not a known version");
	if (!get_enum(o, "type", type_name, MSG_TYPE__MAX, &type))
		return false;
	m->type = (enum msg_type)type;
	switch (m->type) {
	case MSG_WAN:
		return decode_wan(o, &m->wan);
	case MSG_LEAD:
		return decode_lead(o, &m->lead);
	case MSG_RECORD:
		return decode_record(o, &m->record);
	case MSG_STATS:
		return decode_stats(o, &m->stats);
	case MSG_CLUSTER:
		return decode_cluster(o, &m->cluster);
	case MSG_TYPE__MAX:
		break;
	}
	return false;
}

int
msg_decode(const char *text, size_t len, struct msg **out, const char **why)
{
	const char *trouble = "is longer than a message may be";
	struct msg *m = NULL;
	cJSON *o = NULL;
	int rc = -1;

	*out = NULL;
	*why = refusal;
	if (len <= MSG_SIZE_MAX)
		o = json_parse(text, len, &trouble);
	if (o == NULL) {
		snprintf(refusal, sizeof(refusal), "it %s", trouble);
		goto out;
	}
	m = mem_new(1, sizeof(*m));
	if (!decode_object(o, m))
		goto out;
	*out = m;
	m = NULL;
	rc = 0;
out:
	msg_free(m);
	cJSON_Delete(o);
	return rc;
}
