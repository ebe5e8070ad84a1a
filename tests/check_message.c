#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "ipc/message.h"
#include "ipc/text.h"

/* Bytes that are hard on an encoder: quotes, controls, UTF-8 whole and broken. */
static void
random_text(char *dst, size_t size, bool full)
{
	static const char *const bits[] = { "a",
					    "Z",
					    "9",
					    " ",
					    "\"",
					    "\\",
					    "/",
					    "\n",
					    "\x01",
					    "\x7f",
					    "\xc3\xa9",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80",
					    "\xff",
					    "\xc2",
					    "\xc2\x85",
					    "<" };
	size_t used = 0, wanted = full ? size - 1 : (size_t)random() % size;

	dst[0] = '\0';
	while (used < wanted) {
		const char *bit = bits[random() % (long)(sizeof(bits) / sizeof(bits[0]))];

		if (used + strlen(bit) > wanted)
			bit = "x";
		strcpy(dst + used, bit);
		used += strlen(bit);
	}
}

static void
random_name(char *dst, size_t size, bool full)
{
	random_text(dst, size, full);
	if (dst[0] == '\0')
		strcpy(dst, "n");
}

static struct address
random_address(enum address_family family)
{
	struct address a = { .family = family };

	if (random() % 4 == 0)
		a.family = ADDRESS_NONE;
	for (int i = 0; a.family != ADDRESS_NONE && i < (family == ADDRESS_IPV4 ? 4 : 16); i++)
		a.bytes[i] = (uint8_t)random();
	return a;
}

static int64_t
random_wall(void)
{
	return random() % 3 == 0 ? 0 : INT64_C(253402300799999) - random();
}

static int64_t
random_span(void)
{
	return random() % 3 == 0 ? -1 : INT64_C(9007199254740991) - random();
}

static void
random_family(struct msg_wan_family *f, enum address_family family, bool full)
{
	static const char *const kinds[] = { "https", "http", "stun", "stun-tcp", "mixed" };

	f->wanted = random() % 2;
	f->state = (enum msg_wan_state)(random() % MSG_WAN_STATE__MAX);
	f->address = random_address(family);
	f->detected_at = random_wall();
	f->confirmed_at = random_wall();
	f->confirmed_age_ms = random_span();
	f->checked_at = random_wall();
	f->checked_age_ms = random_span();
	f->asked = (unsigned)random() % 65536;
	f->answered = (unsigned)random() % 65536;
	f->agreed = (unsigned)random() % 65536;
	f->needed = (unsigned)random() % 65536;
	random_text(f->reason, sizeof(f->reason), full);
	f->nvotes = full ? MSG_VOTES_MAX : (size_t)random() % (MSG_VOTES_MAX + 1);
	for (size_t i = 0; i < f->nvotes; i++) {
		struct msg_vote *v = &f->votes[i];

		random_name(v->operator, sizeof(v->operator), full);
		strcpy(v->kind, kinds[random() % 5]);
		v->answer = random_address(random() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6);
		random_text(v->error, sizeof(v->error), full);
		v->agrees = random() % 2;
		v->duration_ms = random();
	}
	f->nchanges = full ? MSG_CHANGES_MAX : (size_t)random() % (MSG_CHANGES_MAX + 1);
	for (size_t i = 0; i < f->nchanges; i++) {
		f->changes[i].address = random_address(family);
		f->changes[i].at = random_wall();
	}
}

static void
random_wan(struct msg_wan *w, bool full)
{
	*w = (struct msg_wan){ .epoch = 1 + random() % MSG_EPOCH_MAX, .sequence = random() };
	random_name(w->uid, sizeof(w->uid), full);
	random_text(w->holder, sizeof(w->holder), full);
	random_family(&w->ipv4, ADDRESS_IPV4, full);
	random_family(&w->ipv6, ADDRESS_IPV6, full);
}

static struct msg *
decode(const char *json)
{
	const char *why = "";
	struct msg *m;

	ck_assert_uint_le(strlen(json), MSG_SIZE_MAX);
	if (msg_decode(json, strlen(json), &m, &why) != 0)
		ck_abort_msg("refused because %s: %s", why, json);
	return m;
}

static void
assert_cleaned(const char *found, const char *sent)
{
	char clean[1024];

	text_clean(clean, sizeof(clean), sent);
	ck_assert_str_eq(found, clean);
}

static void
assert_same_family(const struct msg_wan_family *a, const struct msg_wan_family *b)
{
	ck_assert_int_eq(a->wanted, b->wanted);
	ck_assert_int_eq(a->state, b->state);
	ck_assert(address_equal(&a->address, &b->address));
	ck_assert_int_eq(a->detected_at, b->detected_at);
	ck_assert_int_eq(a->confirmed_at, b->confirmed_at);
	ck_assert_int_eq(a->confirmed_age_ms, b->confirmed_age_ms);
	ck_assert_int_eq(a->checked_at, b->checked_at);
	ck_assert_int_eq(a->checked_age_ms, b->checked_age_ms);
	ck_assert_uint_eq(a->asked, b->asked);
	ck_assert_uint_eq(a->answered, b->answered);
	ck_assert_uint_eq(a->agreed, b->agreed);
	ck_assert_uint_eq(a->needed, b->needed);
	assert_cleaned(a->reason, b->reason);
	ck_assert_uint_eq(a->nchanges, b->nchanges);
	for (size_t i = 0; i < a->nchanges; i++) {
		ck_assert(address_equal(&a->changes[i].address, &b->changes[i].address));
		ck_assert_int_eq(a->changes[i].at, b->changes[i].at);
	}
}

static void
assert_same_votes(const struct msg_wan_family *a, const struct msg_wan_family *b)
{
	ck_assert_uint_eq(a->nvotes, b->nvotes);
	for (size_t i = 0; i < a->nvotes; i++) {
		assert_cleaned(a->votes[i].operator, b->votes[i].operator);
		ck_assert_str_eq(a->votes[i].kind, b->votes[i].kind);
		ck_assert(address_equal(&a->votes[i].answer, &b->votes[i].answer));
		assert_cleaned(a->votes[i].error, b->votes[i].error);
		ck_assert_int_eq(a->votes[i].agrees, b->votes[i].agrees);
		ck_assert_int_eq(a->votes[i].duration_ms, b->votes[i].duration_ms);
	}
}

/* The loop's number is the seed. */
START_TEST(wan_comes_back_as_it_was_sent)
{
	struct msg_wan w;
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	random_wan(&w, false);
	/* few enough votes to need no shortening */
	w.ipv4.nvotes = w.ipv4.nvotes > 5 ? 5 : w.ipv4.nvotes;
	w.ipv6.nvotes = w.ipv6.nvotes > 4 ? 4 : w.ipv6.nvotes;
	json = msg_encode_wan(&w);
	m = decode(json);
	ck_assert_int_eq(m->type, MSG_WAN);
	assert_cleaned(m->wan.uid, w.uid);
	assert_cleaned(m->wan.holder, w.holder);
	ck_assert_int_eq(m->wan.epoch, w.epoch);
	ck_assert_int_eq(m->wan.sequence, w.sequence);
	assert_same_family(&m->wan.ipv4, &w.ipv4);
	assert_same_family(&m->wan.ipv6, &w.ipv6);
	assert_same_votes(&m->wan.ipv4, &w.ipv4);
	assert_same_votes(&m->wan.ipv6, &w.ipv6);
	msg_free(m);
	free(json);
}
END_TEST

/* As full as can be: votes are shortened, all else stays, and no vote turns into one that counts.
 */
START_TEST(a_full_wan_is_shortened_and_still_readable)
{
	struct msg_wan w;
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	random_wan(&w, true);
	if (_i == 0) /* the worst: every byte is escaped */
		for (size_t i = 0; i < MSG_VOTES_MAX; i++) {
			memset(w.ipv4.votes[i].operator, '"', sizeof(w.ipv4.votes[i].operator) - 1);
			memset(w.ipv6.votes[i].operator, '"', sizeof(w.ipv4.votes[i].operator) - 1);
			memset(w.ipv4.reason, '\\', sizeof(w.ipv4.reason) - 1);
			memset(w.ipv6.reason, '\\', sizeof(w.ipv6.reason) - 1);
			memset(w.holder, '"', sizeof(w.holder) - 1);
		}
	json = msg_encode_wan(&w);
	m = decode(json);
	assert_same_family(&m->wan.ipv4, &w.ipv4);
	assert_same_family(&m->wan.ipv6, &w.ipv6);
	ck_assert_uint_ge(m->wan.ipv4.nvotes + m->wan.ipv6.nvotes, 6);
	ck_assert_uint_lt(m->wan.ipv4.nvotes + m->wan.ipv6.nvotes, 2 * MSG_VOTES_MAX);
	for (size_t i = 0; i < m->wan.ipv4.nvotes; i++)
		ck_assert_str_ne(m->wan.ipv4.votes[i].error, "");
	for (size_t i = 0; i < m->wan.ipv6.nvotes; i++)
		ck_assert_str_ne(m->wan.ipv6.votes[i].error, "");
	msg_free(m);
	free(json);
}
END_TEST

/* Those who contradict are what a reader wants to see: they go last. */
START_TEST(agreeing_votes_are_left_out_first)
{
	struct msg_wan w;
	struct msg *m;
	char *json;
	size_t liars = 0;

	srandom(1);
	random_wan(&w, true);
	for (size_t i = 0; i < MSG_VOTES_MAX; i++) {
		w.ipv4.votes[i].agrees = i != 7;
		w.ipv6.votes[i].agrees = i != 15;
	}
	json = msg_encode_wan(&w);
	m = decode(json);
	for (size_t i = 0; i < m->wan.ipv4.nvotes; i++)
		liars += !m->wan.ipv4.votes[i].agrees;
	for (size_t i = 0; i < m->wan.ipv6.nvotes; i++)
		liars += !m->wan.ipv6.votes[i].agrees;
	ck_assert_uint_eq(liars, 2);
	msg_free(m);
	free(json);
}
END_TEST

START_TEST(lead_comes_back_as_it_was_sent)
{
	struct msg_lead l = {
		.role = MSG_LEADER, .backend = "local", .term = 7, .since = 1700000000123
	};
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	random_text(l.holder, sizeof(l.holder), _i % 2);
	random_text(l.reason, sizeof(l.reason), _i % 2);
	json = msg_encode_lead(&l);
	m = decode(json);
	ck_assert_int_eq(m->type, MSG_LEAD);
	ck_assert_int_eq(m->lead.role, MSG_LEADER);
	ck_assert_str_eq(m->lead.backend, "local");
	assert_cleaned(m->lead.holder, l.holder);
	assert_cleaned(m->lead.reason, l.reason);
	ck_assert_int_eq(m->lead.term, 7);
	ck_assert_int_eq(m->lead.since, 1700000000123);
	msg_free(m);
	free(json);
}
END_TEST

static void
random_record(struct msg_record *r, bool full)
{
	*r = (struct msg_record){ .count = 1 + (unsigned)random() % 65535, .exists = random() % 2 };
	r->index = (unsigned)random() % r->count;
	random_name(r->fqdn, sizeof(r->fqdn), full);
	random_name(r->zone, sizeof(r->zone), full);
	random_name(r->name, sizeof(r->name), full);
	r->family = random() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6;
	r->state = (enum msg_record_state)(random() % MSG_RECORD_STATE__MAX);
	r->wanted = random_address(r->family);
	r->wanted_ttl = random();
	r->nvalues = full ? MSG_VALUES_MAX : (size_t)random() % (MSG_VALUES_MAX + 1);
	for (size_t i = 0; i < r->nvalues; i++)
		random_text(r->values[i], sizeof(r->values[i]), full);
	r->ttl = random();
	random_text(r->href, sizeof(r->href), full);
	r->in_sync = random() % 2;
	r->checked_at = random_wall();
	r->checked_age_ms = random_span();
	r->updated_at = random_wall();
	r->next_in_ms = random_span();
	random_text(r->error_type, sizeof(r->error_type), full);
	random_text(r->error, sizeof(r->error), full);
}

START_TEST(record_comes_back_as_it_was_sent)
{
	struct msg_record r, *found;
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	random_record(&r, _i % 2);
	json = msg_encode_record(&r);
	m = decode(json);
	found = &m->record;
	ck_assert_int_eq(m->type, MSG_RECORD);
	ck_assert_uint_eq(found->index, r.index);
	ck_assert_uint_eq(found->count, r.count);
	assert_cleaned(found->fqdn, r.fqdn);
	assert_cleaned(found->zone, r.zone);
	assert_cleaned(found->name, r.name);
	ck_assert_int_eq(found->family, r.family);
	ck_assert_int_eq(found->state, r.state);
	ck_assert(address_equal(&found->wanted, &r.wanted));
	ck_assert_int_eq(found->wanted_ttl, r.wanted_ttl);
	ck_assert_int_eq(found->exists, r.exists);
	ck_assert_uint_eq(found->nvalues, r.nvalues);
	for (size_t i = 0; i < r.nvalues; i++)
		assert_cleaned(found->values[i], r.values[i]);
	ck_assert_int_eq(found->ttl, r.ttl);
	assert_cleaned(found->href, r.href);
	ck_assert_int_eq(found->in_sync, r.in_sync);
	ck_assert_int_eq(found->checked_at, r.checked_at);
	ck_assert_int_eq(found->checked_age_ms, r.checked_age_ms);
	ck_assert_int_eq(found->updated_at, r.updated_at);
	ck_assert_int_eq(found->next_in_ms, r.next_in_ms);
	assert_cleaned(found->error_type, r.error_type);
	assert_cleaned(found->error, r.error);
	msg_free(m);
	free(json);
}
END_TEST

/* --- stats ------------------------------------------------------------------ */

struct gathered {
	struct metrics *metrics;
	unsigned messages, parts;
};

static void
gather(const char *json, void *arg)
{
	struct gathered *g = arg;
	struct msg *m = decode(json);

	ck_assert_int_eq(m->type, MSG_STATS);
	ck_assert_str_eq(m->stats.from, "updater");
	ck_assert_uint_eq(m->stats.part, g->messages++);
	g->parts = m->stats.parts;
	for (int id = 0; id < METRIC__MAX; id++)
		for (size_t i = 0; i < metrics_count(m->stats.metrics, (enum metric)id); i++) {
			const struct metric_sample *s =
				metrics_at(m->stats.metrics, (enum metric)id, i);
			struct metric_sample *to = metrics_sample(g->metrics, (enum metric)id,
								  (const char *const *)s->labels);

			to->value = s->value;
			to->count = s->count;
			memcpy(to->buckets, s->buckets, sizeof(to->buckets));
		}
	msg_free(m);
}

static void
assert_same_metrics(const struct metrics *a, const struct metrics *b)
{
	for (int id = 0; id < METRIC__MAX; id++) {
		ck_assert_uint_eq(metrics_count(a, (enum metric)id),
				  metrics_count(b, (enum metric)id));
		for (size_t i = 0; i < metrics_count(a, (enum metric)id); i++) {
			const struct metric_sample *x = metrics_at(a, (enum metric)id, i);
			const struct metric_sample *y = metrics_at(b, (enum metric)id, i);

			ck_assert(x->value == y->value);
			ck_assert_uint_eq(x->count, y->count);
			ck_assert_mem_eq(x->buckets, y->buckets, sizeof(x->buckets));
			for (size_t k = 0; k < metric_family((enum metric)id)->nlabels; k++)
				ck_assert_str_eq(x->labels[k], y->labels[k]);
		}
	}
}

START_TEST(stats_come_back_whole_over_several_messages)
{
	struct metrics *m = metrics_new();
	struct gathered g = { .metrics = metrics_new() };
	char label[METRIC_LABEL_TEXT_MAX];

	for (int i = 0; i < 200; i++) {
		memset(label, '"', sizeof(label) - 1);
		label[sizeof(label) - 1] = '\0';
		label[snprintf(label, sizeof(label), "domain%d", i)] = '"';
		metrics_add(m, METRIC_DNS_UPDATE_FAILURES, 0.1 * i, label, label, label);
		metrics_observe(m, METRIC_DNS_UPDATE_DURATION, i, label, NULL, NULL);
	}
	metrics_observe(m, METRIC_WAN_IP_DURATION, 0.3, NULL, NULL, NULL);
	metrics_set(m, METRIC_LAST_DNS_UPDATE, 1700000000.123, "example.com", NULL, NULL);
	msg_encode_stats("updater", m, gather, &g);
	ck_assert_uint_gt(g.messages, 40);
	ck_assert_uint_eq(g.messages, g.parts);
	assert_same_metrics(g.metrics, m);
	metrics_free(g.metrics);
	metrics_free(m);
}
END_TEST

START_TEST(stats_without_a_sample_are_sent_too)
{
	struct metrics *m = metrics_new();
	struct gathered g = { .metrics = metrics_new() };

	msg_encode_stats("updater", m, gather, &g);
	ck_assert_uint_eq(g.messages, 1);
	ck_assert_uint_eq(g.parts, 1);
	metrics_free(g.metrics);
	metrics_free(m);
}
END_TEST

static void
refused(const char *json, const char *expected)
{
	const char *why = NULL;
	struct msg *m = NULL;

	ck_assert_msg(msg_decode(json, strlen(json), &m, &why) == -1, "taken: %s", json);
	ck_assert_ptr_null(m);
	ck_assert_msg(strstr(why, expected) != NULL, "\"%s\" lacks \"%s\"", why, expected);
}

#define STATS(samples)                                                                             \
	"{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":0,\"parts\":1,\"samples\":[" samples  \
	"]}"
#define HISTOGRAM(rest)                                                                            \
	STATS("{\"name\":\"esddns_wan_ip_discovery_duration_seconds\",\"labels\":[]," rest "}")

START_TEST(bad_stats_are_refused)
{
	struct msg *m;

	m = decode(STATS("{\"name\":\"esddns_from_the_future\",\"value\":\"x\"}"));
	ck_assert_uint_eq(m->stats.parts, 1);
	msg_free(m);
	msg_free(decode(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0,0]")));
	refused(HISTOGRAM("\"value\":1,\"count\":1,\"buckets\":[1,1,0,0,0]"), "buckets");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0]"), "too few");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0,0,0]"), "too many");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,-1,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,0.5,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,null,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":-2,\"buckets\":[0,0,0,0,0]"), "count");
	refused(HISTOGRAM("\"value\":1e999,\"count\":2,\"buckets\":[1,1,0,0,0]"), "value");
	refused(HISTOGRAM("\"count\":2,\"buckets\":[1,1,0,0,0]"), "value");
	refused(STATS("{\"name\":\"esddns_wan_ip_changes\",\"labels\":[],\"value\":-1}"), "value");
	refused(STATS("{\"name\":\"esddns_wan_ip_changes\",\"labels\":[\"x\"],\"value\":1}"),
		"many");
	refused(STATS("{\"name\":\"esddns_state_in_sync\",\"labels\":[],\"value\":1}"), "too few");
	refused(STATS("{\"name\":\"esddns_state_in_sync\",\"labels\":[7],\"value\":1}"), "labels");
	refused(STATS("{\"labels\":[],\"value\":1}"), "name");
	refused(STATS("7"), "name");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":1,\"parts\":1,\"samples\":[]}",
		"part");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"\",\"part\":0,\"parts\":1,\"samples\":[]}",
		"from");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":0,\"parts\":1,\"samples\":{}}",
		"samples");
}
END_TEST

/* --- refusals of every member ------------------------------------------------ */

static char *
sample_json(int which)
{
	static struct msg_wan w;
	struct msg_lead l = { .role = MSG_STANDBY, .backend = "local" };
	struct msg_record r;

	srandom(11);
	if (which == 0) {
		random_wan(&w, false);
		w.ipv4.nvotes = w.ipv6.nvotes = w.ipv4.nchanges = w.ipv6.nchanges = 2;
		for (int i = 0; i < 2; i++) {
			strcpy(w.ipv4.votes[i].operator, "o");
			strcpy(w.ipv4.votes[i].kind, "stun");
			strcpy(w.ipv6.votes[i].operator, "o");
			strcpy(w.ipv6.votes[i].kind, "mixed");
		}
		return msg_encode_wan(&w);
	}
	if (which == 1)
		return msg_encode_lead(&l);
	random_record(&r, false);
	return msg_encode_record(&r);
}

static void
must_refuse(const cJSON *root, const cJSON *member, const char *change)
{
	char *json = json_print(root);
	const char *why;
	struct msg *m;

	ck_assert_msg(msg_decode(json, strlen(json), &m, &why) == -1, "%s %s was taken: %s",
		      member->string, change, json);
	ck_assert_ptr_null(m);
	free(json);
}

/*
 * Each member in turn, at every depth: of another type, missing, and (numbers)
 * out of bounds or broken, (texts) too long. *counted grows by one for each.
 */
static void
spoil_members(cJSON *root, cJSON *object, int *counted)
{
	cJSON *next;

	for (cJSON *item = object->child; item != NULL; item = next) {
		cJSON saved = *item, *wrong;

		next = item->next;
		(*counted)++;
		if (cJSON_IsArray(item) || cJSON_IsObject(item))
			spoil_members(root, item, counted);
		item->type = cJSON_NULL;
		must_refuse(root, item, "as null");
		item->type = saved.type;
		if (cJSON_IsNumber(item)) {
			for (int i = 0; i < 3; i++) {
				item->valuedouble = i == 0 ? -2 : i == 1 ? 0.5 : 1e300;
				must_refuse(root, item, "out of bounds");
			}
			item->valuedouble = saved.valuedouble;
		} else if (cJSON_IsString(item)) {
			char longer[1024];

			memset(longer, 'x', sizeof(longer) - 1);
			longer[sizeof(longer) - 1] = '\0';
			item->valuestring = longer;
			must_refuse(root, item, "too long");
			item->valuestring = saved.valuestring;
		}
		if (cJSON_IsObject(object)) {
			wrong = cJSON_DetachItemViaPointer(object, item);
			must_refuse(root, wrong, "missing");
			if (next != NULL)
				cJSON_InsertItemInArray(object, 0, wrong);
			else
				cJSON_AddItemToArray(object, wrong);
		}
	}
}

START_TEST(every_wrong_member_is_refused)
{
	static const int members[] = { 6 + 2 * 15 + 2 * (2 + 2 * 6) + 2 * (2 + 2 * 2), 8, 24 };
	char *json = sample_json(_i);
	cJSON *root = cJSON_Parse(json);
	int counted = 0;

	msg_free(decode(json));
	spoil_members(root, root, &counted);
	ck_assert_int_ge(counted, members[_i]);
	cJSON_Delete(root);
	free(json);
}
END_TEST

START_TEST(every_cut_is_refused)
{
	char *json = sample_json(_i);
	const char *why;
	struct msg *m;

	for (size_t len = 0; len < strlen(json); len++) {
		/* a copy of its own, so that the sanitizer sees a read beyond it */
		char *part = mem_new(len, 1);

		memcpy(part, json, len);
		ck_assert_int_eq(msg_decode(part, len, &m, &why), -1);
		free(part);
	}
	free(json);
}
END_TEST

/* Bytes changed at random: whatever is taken must be within its bounds again. */
START_TEST(damaged_messages_do_no_harm)
{
	char *json = sample_json(_i % 3);
	size_t len = strlen(json);
	unsigned taken = 0, dropped = 0;

	srandom((unsigned)_i);
	for (int n = 0; n < 300; n++) {
		char *damaged = mem_new(len, 1);
		const char *why;
		struct msg *m;

		memcpy(damaged, json, len);
		for (long k = random() % 4; k >= 0; k--)
			damaged[random() % (long)len] = (char)random();
		if (msg_decode(damaged, len, &m, &why) == 0) {
			char *again = m->type == MSG_WAN    ? msg_encode_wan(&m->wan)
				      : m->type == MSG_LEAD ? msg_encode_lead(&m->lead)
							    : msg_encode_record(&m->record);

			msg_free(decode(again));
			free(again);
			msg_free(m);
			taken++;
		} else {
			ck_assert_str_ne(why, "");
			dropped++;
		}
		free(damaged);
	}
	ck_assert_uint_gt(dropped, 0);
	ck_assert_uint_eq(taken + dropped, 300);
	free(json);
}
END_TEST

static void
replaced_is_refused(int which, const char *key, const char *value, const char *expected)
{
	char *json = sample_json(which), *changed;
	cJSON *root = cJSON_Parse(json);

	ck_assert(cJSON_ReplaceItemInObjectCaseSensitive(root, key, cJSON_Parse(value)));
	changed = json_print(root);
	refused(changed, expected);
	free(changed);
	cJSON_Delete(root);
	free(json);
}

START_TEST(what_is_refused_is_said)
{
	char big[MSG_SIZE_MAX + 2];

	memset(big, ' ', sizeof(big));
	memcpy(big, "{}", 2);
	big[sizeof(big) - 1] = '\0';
	refused(big, "longer");
	big[MSG_SIZE_MAX] = '\0';
	refused(big, "\"v\"");
	refused("", "JSON");
	refused("[]", "not an object");
	refused("{\"v\":2,\"type\":\"lead\"}", "version");
	refused("{\"v\":\"1\",\"type\":\"lead\"}", "version");
	refused("{\"v\":1,\"type\":\"future\"}", "\"type\" is none");
	refused("{\"v\":1,\"type\":\"lead\"} x", "behind");
	replaced_is_refused(0, "epoch", "0", "\"epoch\"");
	replaced_is_refused(0, "epoch", "1073741825", "\"epoch\"");
	replaced_is_refused(0, "sequence", "-1", "\"sequence\"");
	replaced_is_refused(0, "uid", "\"\"", "\"uid\" is empty");
	replaced_is_refused(1, "role", "\"king\"", "\"role\" is none");
	replaced_is_refused(2, "count", "0", "\"index\"");
	replaced_is_refused(2, "family", "\"none\"", "\"family\"");
	replaced_is_refused(2, "values", "[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]",
			    "too many");
	replaced_is_refused(2, "values", "[7]", "not a text");
	replaced_is_refused(2, "state", "\"IN_SYNC\"", "\"state\" is none");
}
END_TEST

START_TEST(an_address_of_the_other_family_is_refused)
{
	struct msg_wan w = { .uid = "u", .epoch = 1 };
	char *json;

	w.ipv4.address = (struct address){ .family = ADDRESS_IPV6, .bytes = { 0x20, 1 } };
	json = msg_encode_wan(&w);
	refused(json, "other family");
	free(json);
	w.ipv4.address = (struct address){ .family = ADDRESS_NONE };
	w.ipv6.nchanges = 1;
	w.ipv6.changes[0].address = (struct address){ .family = ADDRESS_IPV4, .bytes = { 192 } };
	json = msg_encode_wan(&w);
	refused(json, "other family");
	free(json);
}
END_TEST

START_TEST(unknown_members_are_ignored)
{
	struct msg *m = decode("{\"v\":1,\"new\":[1],\"type\":\"lead\",\"role\":\"leader\","
			       "\"backend\":\"b\",\"holder\":\"h\",\"term\":3,\"since\":0,"
			       "\"reason\":\"\"}");

	ck_assert_int_eq(m->lead.term, 3);
	msg_free(m);
}
END_TEST

START_TEST(control_characters_become_question_marks)
{
	struct msg *m = decode("{\"v\":1,\"type\":\"lead\",\"role\":\"leader\",\"backend\":\"b\","
			       "\"holder\":\"a\\nb\\u001bc\\u0085d\\u007f\\u00e9\",\"term\":3,"
			       "\"since\":0,\"reason\":\"\xff\xc3\"}");

	ck_assert_str_eq(m->lead.holder, "a?b?c?d?\xc3\xa9");
	ck_assert_str_eq(m->lead.reason, "??");
	msg_free(m);
}
END_TEST

START_TEST(numbers_out_of_bounds_are_sent_as_the_nearest)
{
	struct msg_wan w = { .uid = "u", .epoch = 1, .sequence = -1 };
	struct msg *m;
	char *json;

	w.ipv4.detected_at = -5;
	w.ipv4.checked_at = INT64_MAX;
	w.ipv4.checked_age_ms = INT64_MIN;
	w.ipv4.asked = UINT32_MAX;
	json = msg_encode_wan(&w);
	m = decode(json);
	ck_assert_int_eq(m->wan.sequence, 0);
	ck_assert_int_eq(m->wan.ipv4.detected_at, 0);
	ck_assert_int_eq(m->wan.ipv4.checked_at, 253402300799999);
	ck_assert_int_eq(m->wan.ipv4.checked_age_ms, -1);
	ck_assert_uint_eq(m->wan.ipv4.asked, 65535);
	msg_free(m);
	free(json);
}
END_TEST

START_TEST(texts_are_cleaned_and_cut_between_characters)
{
	char out[8], same[] = "a\tb", trimmed[] = " \t a b\r\n", blank[] = " \n";

	ck_assert(text_clean(out, sizeof(out), "ab\xe2\x82\xac\xe2\x82"));
	ck_assert_str_eq(out, "ab\xe2\x82\xac??");
	ck_assert(!text_clean(out, 5, "ab\xe2\x82\xac"));
	ck_assert_str_eq(out, "ab");
	ck_assert(!text_clean(out, 1, "a"));
	ck_assert_str_eq(out, "");
	/* overlong, surrogate, beyond the last, a lone continuation */
	ck_assert(text_clean(out, sizeof(out), "\xc0\x80\xed\xa0\x80"));
	ck_assert_str_eq(out, "?????");
	ck_assert(text_clean(out, sizeof(out), "\xf4\x90\x80\x80\x80"));
	ck_assert_str_eq(out, "?????");
	ck_assert(text_clean(same, sizeof(same), same));
	ck_assert_str_eq(same, "a?b");
	ck_assert_str_eq(text_trim(trimmed), "a b");
	ck_assert_str_eq(text_trim(blank), "");
}
END_TEST

START_TEST(every_value_has_its_name)
{
	ck_assert_str_eq(msg_type_name(MSG_WAN), "wan");
	ck_assert_str_eq(msg_type_name(MSG_TYPE__MAX), "invalid");
	for (int i = 0; i < MSG_WAN_STATE__MAX; i++)
		ck_assert_ptr_nonnull(msg_wan_state_name((enum msg_wan_state)i));
	for (int i = 0; i < MSG_RECORD_STATE__MAX; i++)
		ck_assert_ptr_nonnull(msg_record_state_name((enum msg_record_state)i));
	ck_assert_str_eq(msg_record_state_name(MSG_RECORD_STATE__MAX), "invalid");
	ck_assert_str_eq(msg_wan_state_name(MSG_WAN_STATE__MAX), "invalid");
	ck_assert_str_eq(msg_role_name(MSG_LEADER), "leader");
	ck_assert_str_eq(msg_role_name(MSG_ROLE__MAX), "invalid");
}
END_TEST

START_TEST(families_are_found)
{
	struct msg_wan w;

	ck_assert_ptr_eq(msg_wan_family(&w, ADDRESS_IPV4), &w.ipv4);
	ck_assert_ptr_eq(msg_wan_family(&w, ADDRESS_IPV6), &w.ipv6);
	ck_assert_ptr_null(msg_wan_family(&w, ADDRESS_NONE));
	ck_assert_ptr_eq(msg_wan_family_const(&w, ADDRESS_IPV6), &w.ipv6);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, wan_comes_back_as_it_was_sent, 0, 40);
	tcase_add_loop_test(tc, a_full_wan_is_shortened_and_still_readable, 0, 20);
	tcase_add_test(tc, agreeing_votes_are_left_out_first);
	tcase_add_loop_test(tc, lead_comes_back_as_it_was_sent, 0, 10);
	tcase_add_loop_test(tc, record_comes_back_as_it_was_sent, 0, 40);
	tcase_add_test(tc, stats_come_back_whole_over_several_messages);
	tcase_add_test(tc, stats_without_a_sample_are_sent_too);
	tcase_add_test(tc, bad_stats_are_refused);
	tcase_add_loop_test(tc, every_wrong_member_is_refused, 0, 3);
	tcase_add_loop_test(tc, every_cut_is_refused, 0, 3);
	tcase_add_loop_test(tc, damaged_messages_do_no_harm, 0, 9);
	tcase_add_test(tc, what_is_refused_is_said);
	tcase_add_test(tc, an_address_of_the_other_family_is_refused);
	tcase_add_test(tc, unknown_members_are_ignored);
	tcase_add_test(tc, control_characters_become_question_marks);
	tcase_add_test(tc, numbers_out_of_bounds_are_sent_as_the_nearest);
	tcase_add_test(tc, texts_are_cleaned_and_cut_between_characters);
	tcase_add_test(tc, every_value_has_its_name);
	tcase_add_test(tc, families_are_found);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
