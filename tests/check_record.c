#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "updater/record.h"

#define WALL 1795000000000

static char fqdn[] = "home.example.com", zone[] = "example.com", name[] = "home";
static struct updater_record conf = { fqdn, zone, name, ADDRESS_IPV4, 300 };
static struct record rec;

static struct plan_actions
step(enum plan_event_kind kind, const char *text, enum provider_outcome outcome, int64_t now)
{
	struct provider_result result = { .outcome = outcome, .retry_after_ms = -1 };
	struct plan_event ev = { .kind = kind, .confirmed_ms = now, .result = &result };

	if (kind == PLAN_EV_NEWS)
		ck_assert(address_parse_text(text, &ev.address));
	else if (outcome != PROVIDER_DONE)
		provider_fail(&result, outcome, "forbidden", "%s", text);
	else if (text) {
		result.record = (struct provider_record){
			.exists = true, .total = 1, .nvalues = 1, .ttl = 300
		};
		strcpy(result.record.values[0], text);
		strcpy(result.record.href, "https://dns.example/home/A");
	}
	return plan_step(&rec.plan, &ev, now);
}

static void
start(void)
{
	struct plan_settings settings = { ADDRESS_IPV4, 300, 300000, 600000, false, false, true };

	rec = (struct record){ .conf = &conf, .index = 1, .count = 3 };
	plan_init(&rec.plan, &settings, 1000);
	step(PLAN_EV_NEWS, "203.0.113.7", PROVIDER_DONE, 1000);
	step(PLAN_EV_TICK, NULL, PROVIDER_DONE, 1000);
}

/* The message as a subscriber reads it. */
static struct msg *
message(int64_t now)
{
	char *json = record_message(&rec, now);
	struct msg *m = NULL;
	const char *why = "";

	ck_assert_msg(msg_decode(json, strlen(json), &m, &why) == 0, "%s", why);
	ck_assert_int_eq(m->type, MSG_RECORD);
	free(json);
	return m;
}

START_TEST(tells_what_is_known_before_the_first_read)
{
	struct msg *m;

	start();
	m = message(1000);
	ck_assert_uint_eq(m->record.index, 1);
	ck_assert_uint_eq(m->record.count, 3);
	ck_assert_str_eq(m->record.fqdn, "home.example.com");
	ck_assert_int_eq(m->record.state, MSG_RECORD_UNKNOWN);
	ck_assert(!m->record.in_sync && !m->record.exists);
	ck_assert_int_eq(m->record.checked_age_ms, -1);
	ck_assert_int_eq(m->record.next_in_ms, -1);
	msg_free(m);
}
END_TEST

START_TEST(tells_a_record_in_sync)
{
	struct metrics *metrics = metrics_new();
	struct plan_actions actions;
	struct msg *m;

	start();
	actions = step(PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE, 1100);
	record_count(&rec, &actions, metrics, WALL);
	m = message(1600);
	ck_assert_int_eq(m->record.state, MSG_RECORD_IN_SYNC);
	ck_assert(m->record.in_sync && m->record.exists);
	ck_assert_str_eq(m->record.values[0], "203.0.113.7");
	ck_assert_str_eq(m->record.href, "https://dns.example/home/A");
	ck_assert_int_eq(m->record.checked_at, WALL);
	ck_assert_int_eq(m->record.checked_age_ms, 500);
	ck_assert_int_eq(m->record.updated_at, 0);
	ck_assert_int_eq(m->record.next_in_ms, 300000 - 500);
	ck_assert_uint_eq(metrics_count(metrics, METRIC_DNS_UPDATES), 0);
	msg_free(m);
	metrics_free(metrics);
}
END_TEST

START_TEST(counts_a_write_and_how_long_it_took)
{
	struct metrics *metrics = metrics_new();
	struct plan_actions actions;
	const struct metric_sample *sample;

	start();
	step(PLAN_EV_READ, NULL, PROVIDER_DONE, 1100);
	actions = step(PLAN_EV_WRITTEN, NULL, PROVIDER_DONE, 1400);
	record_count(&rec, &actions, metrics, WALL);
	ck_assert_int_eq(rec.updated_at, WALL);
	actions = step(PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE, 1750);
	record_count(&rec, &actions, metrics, WALL + 350);
	sample = metrics_at(metrics, METRIC_DNS_UPDATES, 0);
	ck_assert_double_eq(sample->value, 1);
	ck_assert_str_eq(sample->labels[0], "home.example.com");
	ck_assert_str_eq(sample->labels[1], "A");
	sample = metrics_at(metrics, METRIC_DNS_UPDATE_DURATION, 0);
	ck_assert_uint_eq(sample->count, 1);
	ck_assert_double_eq_tol(sample->value, 0.75, 1e-9);
	sample = metrics_at(metrics, METRIC_LAST_DNS_UPDATE, 0);
	ck_assert_double_eq_tol(sample->value, WALL / 1000.0, 1e-3);
	metrics_free(metrics);
}
END_TEST

START_TEST(tells_and_counts_a_failure)
{
	struct metrics *metrics = metrics_new();
	struct plan_actions actions;
	struct msg *m;

	start();
	actions = step(PLAN_EV_READ, "a sentence", PROVIDER_ATTENTION, 1100);
	record_count(&rec, &actions, metrics, WALL);
	m = message(1100);
	ck_assert_int_eq(m->record.state, MSG_RECORD_ATTENTION);
	ck_assert_str_eq(m->record.error, "a sentence");
	ck_assert_str_eq(m->record.error_type, "forbidden");
	ck_assert_int_eq(m->record.next_in_ms, 60000);
	ck_assert_str_eq(metrics_at(metrics, METRIC_DNS_UPDATE_FAILURES, 0)->labels[2],
			 "forbidden");
	msg_free(m);
	metrics_free(metrics);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("record");
	TCase *tc = tcase_create("record");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, tells_what_is_known_before_the_first_read);
	tcase_add_test(tc, tells_a_record_in_sync);
	tcase_add_test(tc, counts_a_write_and_how_long_it_took);
	tcase_add_test(tc, tells_and_counts_a_failure);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
