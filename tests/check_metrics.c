#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/metrics.h"

/*
 * The contract with the original's users: names as they know them (a
 * counter's with _total), labels in order, buckets. Nothing of it may change.
 */
static const struct {
	enum metric id;
	enum metric_type type;
	const char *name, *labels, *buckets;
} contract[] = {
	{ METRIC_DNS_UPDATES, METRIC_COUNTER, "dns_updates_total", "domain,record_type,", "" },
	{ METRIC_DNS_UPDATE_FAILURES, METRIC_COUNTER, "dns_update_failures_total",
	  "domain,record_type,error_type,", "" },
	{ METRIC_WAN_IP_CHANGES, METRIC_COUNTER, "wan_ip_changes_total", "", "" },
	{ METRIC_WAN_IP_FAILURES, METRIC_COUNTER, "wan_ip_discovery_failures_total", "service,",
	  "" },
	{ METRIC_ENDPOINT_REQUESTS, METRIC_COUNTER, "endpoint_requests_total",
	  "method,endpoint,status,", "" },
	{ METRIC_LAST_DNS_UPDATE, METRIC_GAUGE, "last_dns_update_timestamp", "domain,", "" },
	{ METRIC_CURRENT_WAN_IP, METRIC_GAUGE, "current_wan_ip_info", "ip_address,", "" },
	{ METRIC_SERVICE_HEALTH, METRIC_GAUGE, "service_health", "component,", "" },
	{ METRIC_STATE_POLL_TIMESTAMP, METRIC_GAUGE, "state_poll_timestamp", "", "" },
	{ METRIC_STATE_IN_SYNC, METRIC_GAUGE, "state_in_sync", "domain,", "" },
	{ METRIC_DNS_RECORD_MATCHES, METRIC_GAUGE, "dns_record_ip_matches", "domain,", "" },
	{ METRIC_DNS_UPDATE_DURATION, METRIC_HISTOGRAM, "dns_update_duration_seconds", "domain,",
	  "0.5 1 2 5 10 30 " },
	{ METRIC_WAN_IP_DURATION, METRIC_HISTOGRAM, "wan_ip_discovery_duration_seconds", "",
	  "0.5 1 2 5 10 " },
	{ METRIC_ENDPOINT_DURATION, METRIC_HISTOGRAM, "endpoint_request_duration_seconds",
	  "method,endpoint,", "0.01 0.05 0.1 0.5 1 5 " },
};

START_TEST(keeps_the_contract)
{
	const struct metric_family *f = metric_family(contract[_i].id);
	char name[128], labels[128] = "", buckets[128] = "";

	snprintf(name, sizeof(name), "%s%s", f->name, f->type == METRIC_COUNTER ? "_total" : "");
	ck_assert_int_eq(strncmp(name, "esddns_", 7), 0);
	ck_assert_str_eq(name + 7, contract[_i].name);
	ck_assert_int_eq(f->type, contract[_i].type);
	for (size_t i = 0; i < f->nlabels; i++)
		snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), "%s,",
			 f->labels[i]);
	ck_assert_str_eq(labels, contract[_i].labels);
	for (size_t i = 0; i < f->nbuckets; i++)
		snprintf(buckets + strlen(buckets), sizeof(buckets) - strlen(buckets), "%g ",
			 f->buckets[i]);
	ck_assert_str_eq(buckets, contract[_i].buckets);
}
END_TEST

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* What OpenMetrics and Prometheus demand of every family, those outside of the contract too. */
START_TEST(has_a_well_formed_catalogue)
{
	const struct metric_family *f = metric_family((enum metric)_i);

	ck_assert_ptr_nonnull(f->name);
	ck_assert_int_eq(strncmp(f->name, "esddns_", 7), 0);
	ck_assert_uint_eq(strspn(f->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(f->name));
	ck_assert_msg(!ends_with(f->name, "_total"), "%s: the exposition adds _total", f->name);
	ck_assert(!ends_with(f->name, "_bucket") && !ends_with(f->name, "_sum"));
	ck_assert_ptr_nonnull(f->help);
	ck_assert_msg(ends_with(f->help, ".") && strpbrk(f->help, "\n\"\\") == NULL, "%s", f->help);
	if (f->unit != NULL)
		ck_assert_msg(ends_with(f->name, f->unit), "%s does not end with %s", f->name,
			      f->unit);
	ck_assert_uint_le(f->nlabels, METRIC_LABELS_MAX);
	for (size_t i = 0; i < f->nlabels; i++) {
		ck_assert_uint_eq(strspn(f->labels[i], "abcdefghijklmnopqrstuvwxyz_"),
				  strlen(f->labels[i]));
		ck_assert_str_ne(f->labels[i], "le");
	}
	ck_assert((f->type == METRIC_HISTOGRAM) == (f->nbuckets != 0));
	ck_assert_uint_le(f->nbuckets, METRIC_BUCKETS_MAX);
	for (size_t i = 1; i < f->nbuckets; i++)
		ck_assert(f->buckets[i] > f->buckets[i - 1]);
	ck_assert_int_eq(metric_of(f->name), _i);
	for (int other = 0; other < _i; other++)
		ck_assert_str_ne(metric_family((enum metric)other)->name, f->name);
}
END_TEST

START_TEST(finds_no_unknown_name)
{
	ck_assert_int_eq(metric_of(""), METRIC__MAX);
	ck_assert_int_eq(metric_of("dns_updates"), METRIC__MAX);
	ck_assert_int_eq(metric_of("esddns_dns_updates_total"), METRIC__MAX);
}
END_TEST

START_TEST(counts_by_labels)
{
	struct metrics *m = metrics_new();
	const struct metric_sample *s;

	metrics_add(m, METRIC_DNS_UPDATES, 1, "a.example", "A", NULL);
	metrics_add(m, METRIC_DNS_UPDATES, 1, "a.example", "AAAA", NULL);
	metrics_add(m, METRIC_DNS_UPDATES, 2, "a.example", "A", NULL);
	metrics_add(m, METRIC_WAN_IP_CHANGES, 5, NULL, NULL, NULL);
	ck_assert_uint_eq(metrics_count(m, METRIC_DNS_UPDATES), 2);
	s = metrics_at(m, METRIC_DNS_UPDATES, 0);
	ck_assert_str_eq(s->labels[0], "a.example");
	ck_assert_str_eq(s->labels[1], "A");
	ck_assert_ptr_null(s->labels[2]);
	ck_assert_double_eq(s->value, 3);
	s = metrics_at(m, METRIC_DNS_UPDATES, 1);
	ck_assert_str_eq(s->labels[1], "AAAA");
	ck_assert_double_eq(s->value, 1);
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_CHANGES), 1);
	ck_assert_uint_eq(metrics_count(m, METRIC_STATE_IN_SYNC), 0);
	metrics_set(m, METRIC_STATE_POLL_TIMESTAMP, 7, NULL, NULL, NULL);
	metrics_set(m, METRIC_STATE_POLL_TIMESTAMP, 4, NULL, NULL, NULL);
	ck_assert_double_eq(metrics_at(m, METRIC_STATE_POLL_TIMESTAMP, 0)->value, 4);
	metrics_free(m);
	metrics_free(NULL);
}
END_TEST

/* The original kept the old address beside the new one. */
START_TEST(forgets_a_label_set)
{
	struct metrics *m = metrics_new();

	metrics_set(m, METRIC_CURRENT_WAN_IP, 1, "198.51.100.1", NULL, NULL);
	metrics_clear(m, METRIC_CURRENT_WAN_IP);
	ck_assert_uint_eq(metrics_count(m, METRIC_CURRENT_WAN_IP), 0);
	metrics_set(m, METRIC_CURRENT_WAN_IP, 1, "198.51.100.2", NULL, NULL);
	ck_assert_uint_eq(metrics_count(m, METRIC_CURRENT_WAN_IP), 1);
	ck_assert_str_eq(metrics_at(m, METRIC_CURRENT_WAN_IP, 0)->labels[0], "198.51.100.2");
	metrics_free(m);
}
END_TEST

START_TEST(sorts_observations_into_buckets)
{
	/* bounds 0.5 1 2 5 10 30: a bound belongs to its own bucket */
	static const double values[] = { 0, 0.5, 0.50001, 1, 2, 4.9, 5, 10, 29, 30, 30.1, 1000 };
	static const unsigned long expected[] = { 2, 2, 1, 2, 1, 2 };
	struct metrics *m = metrics_new();
	const struct metric_sample *s;
	double sum = 0;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		metrics_observe(m, METRIC_DNS_UPDATE_DURATION, values[i], "a.example", NULL, NULL);
		sum += values[i];
	}
	s = metrics_at(m, METRIC_DNS_UPDATE_DURATION, 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		ck_assert_uint_eq(s->buckets[i], expected[i]);
	ck_assert_uint_eq(s->count, sizeof(values) / sizeof(values[0]));
	ck_assert_double_eq_tol(s->value, sum, 1e-9);
	metrics_free(m);
}
END_TEST

START_TEST(keeps_a_bounded_number_of_samples)
{
	struct metrics *m = metrics_new();
	char service[32];

	for (int i = 0; i < 3 * METRIC_SAMPLES_MAX; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		metrics_add(m, METRIC_WAN_IP_FAILURES, 1, service, NULL, NULL);
		metrics_observe(m, METRIC_DNS_UPDATE_DURATION, 1, service, NULL, NULL);
		metrics_set(m, METRIC_STATE_IN_SYNC, 1, service, NULL, NULL);
	}
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_FAILURES), METRIC_SAMPLES_MAX);
	ck_assert_uint_eq(metrics_count(m, METRIC_DNS_UPDATE_DURATION), METRIC_SAMPLES_MAX);
	ck_assert_uint_eq(metrics_count(m, METRIC_STATE_IN_SYNC), METRIC_SAMPLES_MAX);
	ck_assert_ptr_null(metrics_sample(m, METRIC_STATE_IN_SYNC, (const char *const[]){ "new" }));
	/* those that are there still count, and another family has its own room */
	metrics_add(m, METRIC_WAN_IP_FAILURES, 1, "s0", NULL, NULL);
	ck_assert_double_eq(metrics_at(m, METRIC_WAN_IP_FAILURES, 0)->value, 2);
	metrics_add(m, METRIC_WAN_IP_DISAGREEMENTS, 1, "s0", NULL, NULL);
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_DISAGREEMENTS), 1);
	metrics_free(m);
}
END_TEST

START_TEST(cuts_long_labels)
{
	struct metrics *m = metrics_new();
	char huge[4 * METRIC_LABEL_TEXT_MAX], wide[METRIC_LABEL_TEXT_MAX + 2];
	const struct metric_sample *s;

	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	metrics_add(m, METRIC_WAN_IP_FAILURES, 1, huge, NULL, NULL);
	huge[sizeof(huge) - 2] = 'y'; /* differs behind the cut only: the same sample */
	metrics_add(m, METRIC_WAN_IP_FAILURES, 1, huge, NULL, NULL);
	ck_assert_uint_eq(metrics_count(m, METRIC_WAN_IP_FAILURES), 1);
	s = metrics_at(m, METRIC_WAN_IP_FAILURES, 0);
	ck_assert_uint_eq(strlen(s->labels[0]), METRIC_LABEL_TEXT_MAX - 1);
	ck_assert_double_eq(s->value, 2);
	/* never in the middle of a character: two bytes would just not fit */
	memset(wide, 'x', METRIC_LABEL_TEXT_MAX - 2);
	strcpy(wide + METRIC_LABEL_TEXT_MAX - 2, "\xC3\xA9");
	metrics_add(m, METRIC_WAN_IP_FAILURES, 1, wide, NULL, NULL);
	s = metrics_at(m, METRIC_WAN_IP_FAILURES, 1);
	ck_assert_uint_eq(strlen(s->labels[0]), METRIC_LABEL_TEXT_MAX - 2);
	/* a label that is missing is an empty one */
	metrics_add(m, METRIC_WAN_IP_FAILURES, 1, NULL, NULL, NULL);
	ck_assert_str_eq(metrics_at(m, METRIC_WAN_IP_FAILURES, 2)->labels[0], "");
	metrics_free(m);
}
END_TEST

START_TEST(cuts_text_between_characters)
{
	char dst[5];

	ck_assert(mem_copy_text(dst, sizeof(dst), "four"));
	ck_assert_str_eq(dst, "four");
	ck_assert(!mem_copy_text(dst, sizeof(dst), "fives"));
	ck_assert_str_eq(dst, "five");
	ck_assert(!mem_copy_text(dst, sizeof(dst), "abc\xE2\x82\xAC"));
	ck_assert_str_eq(dst, "abc");
	ck_assert(!mem_copy_text(dst, sizeof(dst), "\x80\x80\x80\x80\x80\x80"));
	ck_assert_str_eq(dst, "");
	ck_assert(mem_copy_text(dst, 1, ""));
	ck_assert(!mem_copy_text(dst, 1, "a"));
	ck_assert_str_eq(dst, "");
	ck_assert(!mem_copy_text(dst, 0, "a"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, keeps_the_contract, 0,
			    (int)(sizeof(contract) / sizeof(contract[0])));
	tcase_add_loop_test(tc, has_a_well_formed_catalogue, 0, METRIC__MAX);
	tcase_add_test(tc, finds_no_unknown_name);
	tcase_add_test(tc, counts_by_labels);
	tcase_add_test(tc, forgets_a_label_set);
	tcase_add_test(tc, sorts_observations_into_buckets);
	tcase_add_test(tc, keeps_a_bounded_number_of_samples);
	tcase_add_test(tc, cuts_long_labels);
	tcase_add_test(tc, cuts_text_between_characters);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
