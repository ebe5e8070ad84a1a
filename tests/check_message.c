#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "ipc/text.h"
#include "tests/message_samples.h"
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
	sample_wan(&w, false);
	/* few enough votes to need no shortening */
	w.ipv4.nvotes = w.ipv4.nvotes > 5 ? 5 : w.ipv4.nvotes;
	w.ipv6.nvotes = w.ipv6.nvotes > 4 ? 4 : w.ipv6.nvotes;
	json = msg_encode_wan(&w);
	m = sample_decode(json);
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
	sample_wan(&w, true);
	if (_i == 0) /* the worst: every byte is escaped */
		for (size_t i = 0; i < MSG_VOTES_MAX; i++) {
			memset(w.ipv4.votes[i].operator, '"', sizeof(w.ipv4.votes[i].operator) - 1);
			memset(w.ipv6.votes[i].operator, '"', sizeof(w.ipv4.votes[i].operator) - 1);
			memset(w.ipv4.reason, '\\', sizeof(w.ipv4.reason) - 1);
			memset(w.ipv6.reason, '\\', sizeof(w.ipv6.reason) - 1);
			memset(w.holder, '"', sizeof(w.holder) - 1);
		}
	json = msg_encode_wan(&w);
	m = sample_decode(json);
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
	sample_wan(&w, true);
	for (size_t i = 0; i < MSG_VOTES_MAX; i++) {
		w.ipv4.votes[i].agrees = i != 7;
		w.ipv6.votes[i].agrees = i != 15;
	}
	json = msg_encode_wan(&w);
	m = sample_decode(json);
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
	sample_text(l.holder, sizeof(l.holder), _i % 2);
	sample_text(l.reason, sizeof(l.reason), _i % 2);
	json = msg_encode_lead(&l);
	m = sample_decode(json);
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

START_TEST(cluster_comes_back_as_it_was_sent)
{
	struct msg_cluster c = { .followers = 12,
				 .connected = _i % 2,
				 .current = _i % 3,
				 .released = 9,
				 .overdue = _i % 2,
				 .balancer_pending = _i % 3 == 1 };
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	sample_text(c.publisher, sizeof(c.publisher), _i % 2);
	sample_text(c.balancer, sizeof(c.balancer), _i % 2);
	sample_text(c.reason, sizeof(c.reason), _i % 2);
	json = msg_encode_cluster(&c);
	m = sample_decode(json);
	ck_assert_int_eq(m->type, MSG_CLUSTER);
	ck_assert_uint_eq(m->cluster.followers, 12);
	ck_assert_int_eq(m->cluster.connected, c.connected);
	ck_assert_int_eq(m->cluster.current, c.current);
	ck_assert_int_eq(m->cluster.overdue, c.overdue);
	ck_assert_int_eq(m->cluster.balancer_pending, c.balancer_pending);
	ck_assert_int_eq(m->cluster.released, 9);
	assert_cleaned(m->cluster.publisher, c.publisher);
	assert_cleaned(m->cluster.balancer, c.balancer);
	assert_cleaned(m->cluster.reason, c.reason);
	msg_free(m);
	free(json);
}
END_TEST

START_TEST(record_comes_back_as_it_was_sent)
{
	struct msg_record r, *found;
	struct msg *m;
	char *json;

	srandom((unsigned)_i);
	sample_record(&r, _i % 2);
	json = msg_encode_record(&r);
	m = sample_decode(json);
	found = &m->record;
	ck_assert_int_eq(m->type, MSG_RECORD);
	ck_assert_uint_eq(found->index, r.index);
	ck_assert_uint_eq(found->count, r.count);
	assert_cleaned(found->fqdn, r.fqdn);
	assert_cleaned(found->zone, r.zone);
	assert_cleaned(found->by, r.by);
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
	struct msg *m = sample_decode(json);

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

START_TEST(control_characters_become_question_marks)
{
	struct msg *m =
		sample_decode("{\"v\":1,\"type\":\"lead\",\"role\":\"leader\",\"backend\":\"b\","
			      "\"holder\":\"a\\nb\\u001bc\\u0085d\\u007f\\u00e9\",\"term\":3,"
			      "\"since\":0,\"reason\":\"\"}");

	ck_assert_str_eq(m->lead.holder, "a?b?c?d?\xc3\xa9");
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
	m = sample_decode(json);
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
	tcase_add_loop_test(tc, cluster_comes_back_as_it_was_sent, 0, 10);
	tcase_add_loop_test(tc, record_comes_back_as_it_was_sent, 0, 40);
	tcase_add_test(tc, stats_come_back_whole_over_several_messages);
	tcase_add_test(tc, stats_without_a_sample_are_sent_too);
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
