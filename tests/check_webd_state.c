#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "webd/verdict.h"
#include "webd/view_metrics.h"
#include "webd_samples.h"

#define INTERVAL ((int64_t)300000)

static struct webd_config config;
static struct webd_state *state;

static void
setup(void)
{
	config = sample_config();
	state = sample_in_sync(&config, SAMPLE_NOW);
}

static void
teardown(void)
{
	webd_state_free(state);
}

/* The level and the headline at a moment. */
static void
verdict_is(int64_t now_ms, enum webd_level level, const char *headline)
{
	struct webd_verdict v = { .nothers = 0 };

	webd_judge(state, now_ms, &v);
	ck_assert_str_eq(buf_text(&v.worst.headline), headline);
	ck_assert_int_eq(v.worst.level, level);
	ck_assert_uint_gt(v.worst.detail.len + v.worst.nspans, 0);
	webd_verdict_free(&v);
}

START_TEST(all_is_well)
{
	ck_assert(webd_usable(state, ADDRESS_IPV4, SAMPLE_NOW));
	ck_assert(!webd_usable(state, ADDRESS_IPV6, SAMPLE_NOW));
	ck_assert(webd_record_in_sync(state, &state->records[0], SAMPLE_NOW));
	ck_assert_int_eq(webd_confirmed_age(state, ADDRESS_IPV4, SAMPLE_NOW), 14000);
	ck_assert_int_eq(webd_poll_date(state), SAMPLE_WALL - 12000);
	verdict_is(SAMPLE_NOW, WEBD_GOOD, "home.example.com points to 198.20.0.7");
}
END_TEST

/* The moment in which each thing becomes stale, and that the version tells it. */
START_TEST(ages_make_stale)
{
	int64_t confirmed = SAMPLE_NOW - 14000, checked = SAMPLE_NOW - 42000;
	struct msg m = sample_lead();
	uint64_t version;

	/* both are heard all the time, but say nothing new */
	for (int64_t now = SAMPLE_NOW; now < checked + 2 * INTERVAL; now += 30000)
		for (int i = 0; i < WEBD_LINK__MAX; i++)
			webd_state_take(state, (enum webd_link)i, &m, now);
	webd_state_tick(state, checked + 2 * INTERVAL);
	version = state->version;
	ck_assert(webd_record_in_sync(state, &state->records[0], checked + 2 * INTERVAL));
	ck_assert(!webd_record_in_sync(state, &state->records[0], checked + 2 * INTERVAL + 1));
	ck_assert_int_eq(webd_state_next_deadline(state, checked + 2 * INTERVAL),
			 checked + 2 * INTERVAL + 1);
	webd_state_tick(state, checked + 2 * INTERVAL + 1);
	ck_assert_uint_eq(state->version, version + 1);
	verdict_is(checked + 2 * INTERVAL + 1, WEBD_WARN,
		   "home.example.com A: was in sync, not checked since");

	ck_assert(webd_usable(state, ADDRESS_IPV4, confirmed + 2 * INTERVAL));
	ck_assert(!webd_usable(state, ADDRESS_IPV4, confirmed + 2 * INTERVAL + 1));
	webd_state_tick(state, confirmed + 2 * INTERVAL);
	ck_assert_uint_eq(state->version, version + 1);
	webd_state_tick(state, confirmed + 2 * INTERVAL + 1);
	ck_assert_uint_eq(state->version, version + 2);
	verdict_is(confirmed + 2 * INTERVAL + 1, WEBD_BAD,
		   "The WAN IPv4 address is not certain any more");
}
END_TEST

/* A detector that was killed: known at once; one that is silent: after 75 s. */
START_TEST(a_dead_link_is_told)
{
	struct msg m = sample_lead();
	uint64_t version = state->version;

	ck_assert(webd_link_alive(state, WEBD_DETECTOR, SAMPLE_NOW - 2000 + WEBD_SILENCE_MS));
	ck_assert(!webd_link_alive(state, WEBD_DETECTOR, SAMPLE_NOW - 2000 + WEBD_SILENCE_MS + 1));
	verdict_is(SAMPLE_NOW + WEBD_SILENCE_MS, WEBD_BAD, "The detector is silent");
	webd_state_link(state, WEBD_DETECTOR, false);
	ck_assert_uint_gt(state->version, version);
	verdict_is(SAMPLE_NOW, WEBD_BAD, "The detector does not run");
	/* the address itself is as usable as it was a moment ago */
	ck_assert(webd_usable(state, ADDRESS_IPV4, SAMPLE_NOW));
	/* the next one is there, but what is known is still the word of the dead one */
	webd_state_link(state, WEBD_DETECTOR, true);
	ck_assert(!webd_link_alive(state, WEBD_DETECTOR, SAMPLE_NOW));
	verdict_is(SAMPLE_NOW, WEBD_BAD, "The detector has said nothing yet");
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW);
	verdict_is(SAMPLE_NOW, WEBD_GOOD, "home.example.com points to 198.20.0.7");
}
END_TEST

/* The same state again, only older or nearer: no news for the page. */
START_TEST(a_repetition_is_no_news)
{
	uint64_t version = state->version;
	struct msg m = sample_wan(12000), r = sample_record(&config, 0, 40000);

	m.wan.ipv4.confirmed_age_ms = m.wan.ipv4.checked_age_ms = 42000;
	r.record.checked_age_ms = 70000;
	r.record.next_in_ms = 230000;
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW + 28000);
	webd_state_take(state, WEBD_UPDATER, &r, SAMPLE_NOW + 28000);
	webd_state_tick(state, SAMPLE_NOW + 28000);
	ck_assert_uint_eq(state->version, version);
	ck_assert_int_eq(webd_confirmed_age(state, ADDRESS_IPV4, SAMPLE_NOW + 28000), 42000);
	m.wan.ipv4.votes[0].agrees = false;
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW + 28000);
	ck_assert_uint_eq(state->version, version + 1);
}
END_TEST

/* It heard of a new leader before the detector knew that it is none: then nobody repeats it. */
START_TEST(what_the_updater_heard_first_is_shown_in_the_end)
{
	struct msg old = sample_wan(12000), news = old, lead = sample_lead();

	news.wan.epoch++;
	news.wan.ipv4.address = sample_address("198.20.0.8");
	for (int i = 0; i < 2; i++) {
		webd_state_take(state, WEBD_UPDATER, &news, SAMPLE_NOW);
		webd_state_take(state, WEBD_DETECTOR, &old, SAMPLE_NOW);
		ck_assert_int_eq(state->wan.epoch, old.wan.epoch);
		if (i == 0) {
			lead.lead.role = MSG_STANDBY;
			webd_state_take(state, WEBD_DETECTOR, &lead, SAMPLE_NOW + 5);
			lead.lead.role = MSG_LEADER;
		} else {
			webd_state_link(state, WEBD_DETECTOR, false);
		}
		ck_assert_int_eq(state->wan.epoch, news.wan.epoch);
		ck_assert_int_eq(webd_confirmed_age(state, ADDRESS_IPV4, SAMPLE_NOW + 5), 12005);
		webd_state_take(state, WEBD_DETECTOR, &lead, SAMPLE_NOW + 5);
		webd_state_take(state, WEBD_DETECTOR, &old, SAMPLE_NOW + 5);
	}
	/* what is older than what is shown is not */
	webd_state_link(state, WEBD_DETECTOR, true);
	webd_state_take(state, WEBD_DETECTOR, &lead, SAMPLE_NOW);
	webd_state_take(state, WEBD_UPDATER, &old, SAMPLE_NOW);
	webd_state_take(state, WEBD_DETECTOR, &news, SAMPLE_NOW);
	webd_state_link(state, WEBD_DETECTOR, false);
	ck_assert_int_eq(state->wan.epoch, news.wan.epoch);
}
END_TEST

/* The updater has not heard of a change yet: its word does not count for the new address. */
START_TEST(in_sync_means_with_the_address_published_now)
{
	struct msg m = sample_wan(0);

	m.wan.ipv4.address = sample_address("198.20.5.5");
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW);
	ck_assert(!webd_record_matches(state, &state->records[0]));
	ck_assert(!webd_record_in_sync(state, &state->records[0], SAMPLE_NOW));
	verdict_is(SAMPLE_NOW, WEBD_WARN, "home.example.com A: out of sync");
}
END_TEST

START_TEST(extra_values_do_not_match)
{
	struct msg m = sample_record(&config, 0, 0);

	m.record.nvalues = 2;
	memcpy(m.record.values[1], "198.20.0.8", sizeof("198.20.0.8"));
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert(!webd_record_matches(state, &state->records[0]));
}
END_TEST

START_TEST(a_reload_keeps_what_stays)
{
	struct webd_config next = sample_config();
	struct msg m;

	sample_add_record(&next, "vpn", ADDRESS_IPV4);
	next.records[2] = next.records[0];
	next.records[0] = next.records[1];
	next.records[1] = next.records[2];
	webd_state_configure(state, &next);
	ck_assert_uint_eq(state->nrecords, 2);
	ck_assert(!state->records[0].known);
	ck_assert(webd_record_in_sync(state, &state->records[1], SAMPLE_NOW));
	/* a record that is not configured any more is not taken */
	webd_state_configure(state, &config);
	m = sample_record(&next, 0, 0);
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert_uint_eq(state->nrecords, 1);
	ck_assert_str_eq(state->records[0].msg.fqdn, "home.example.com");
}
END_TEST

static int
take_units(const char *json)
{
	cJSON *units = cJSON_Parse(json);
	const char *why;
	int result = webd_state_units(state, units, SAMPLE_NOW, &why);

	cJSON_Delete(units);
	return result;
}

#define UNIT(name, st, pid)                                                                        \
	"{\"name\":\"" name "\",\"state\":\"" st "\",\"pid\":" pid ",\"since\":1,\"restarts\":0,"  \
	"\"status\":\"\",\"last_exit\":\"\",\"next_start_in\":-1}"

START_TEST(units_are_read_strictly)
{
	ck_assert_int_eq(take_units("[" UNIT("detector", "active", "7") "]"), 0);
	ck_assert_uint_eq(state->nunits, 1);
	ck_assert_int_eq(take_units("{}"), -1);
	ck_assert_int_eq(take_units("[1]"), -1);
	ck_assert_int_eq(take_units("[" UNIT("detector", "active", "\"7\"") "]"), -1);
	ck_assert_int_eq(take_units("[{\"name\":\"detector\"}]"), -1);
	/* what was known stays */
	ck_assert_uint_eq(state->nunits, 1);
	ck_assert_int_eq(state->units[0].pid, 7);
}
END_TEST

START_TEST(a_failed_unit_is_not_healthy)
{
	struct buf b = BUF_INIT;

	webd_health(state, &b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(take_units("[" UNIT("detector", "failed", "0") "]"), 0);
	webd_health(state, &b);
	ck_assert_ptr_nonnull(strstr(buf_text(&b), "The unit detector has failed"));
	webd_state_link(state, WEBD_DETECTOR, false);
	verdict_is(SAMPLE_NOW, WEBD_BAD, "The detector has failed");
	buf_free(&b);
}
END_TEST

static bool
ready(int64_t now_ms)
{
	struct buf b = BUF_INIT;
	bool is;

	webd_readiness(state, now_ms, &b);
	is = b.len == 0;
	buf_free(&b);
	return is;
}

START_TEST(ready_means_something_true_to_show)
{
	struct webd_state *full = state;
	struct msg m = sample_lead();

	ck_assert(ready(SAMPLE_NOW));
	webd_state_link(state, WEBD_DETECTOR, false);
	ck_assert(ready(SAMPLE_NOW));
	webd_state_link(state, WEBD_UPDATER, false);
	ck_assert(!ready(SAMPLE_NOW));
	webd_state_link(state, WEBD_DETECTOR, true);
	ck_assert(!ready(SAMPLE_NOW));
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW);
	ck_assert(ready(SAMPLE_NOW));
	/* what is old is shown with its age, as long as who tells it is there */
	ck_assert(!webd_usable(state, ADDRESS_IPV4, SAMPLE_NOW + 3600000));
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW + 3600000);
	ck_assert(ready(SAMPLE_NOW + 3600000));
	webd_state_drain(state);
	ck_assert(!ready(SAMPLE_NOW));
	state = webd_state_new(&config, 1, SAMPLE_NOW);
	ck_assert(!ready(SAMPLE_NOW));
	webd_state_free(state);
	state = full;
}
END_TEST

static void
add_updates(struct webd_state *s, double total)
{
	struct msg m = { .type = MSG_STATS, .stats = { .metrics = metrics_new() } };

	metrics_set(m.stats.metrics, METRIC_DNS_UPDATES, total, "home.example.com", "A", NULL);
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	metrics_free(m.stats.metrics);
}

static bool
metrics_have(const char *line)
{
	static const struct webd_traffic traffic;
	struct buf b = BUF_INIT;
	bool have;

	view_metrics(state, &traffic, SAMPLE_NOW, false, &b);
	have = strstr(buf_text(&b), line) != NULL;
	buf_free(&b);
	return have;
}

#define UPDATES "\nesddns_dns_updates_total{domain=\"home.example.com\",record_type=\"A\"} "

/* Absolute values replace each other, and start again with the process that counts. */
START_TEST(counters_follow_the_process)
{
	ck_assert(metrics_have(UPDATES "0\n"));
	add_updates(state, 3);
	add_updates(state, 4);
	ck_assert(metrics_have(UPDATES "4\n"));
	ck_assert_int_eq(take_units("[" UNIT("updater", "backoff", "0") "]"), 0);
	ck_assert(metrics_have(UPDATES "4\n"));
	ck_assert_int_eq(take_units("[" UNIT("updater", "activating", "99") "]"), 0);
	ck_assert(metrics_have(UPDATES "0\n"));
}
END_TEST

/* One label set at a time. */
START_TEST(the_address_metric_forgets_old_ones)
{
	struct msg m = sample_wan(0);

	ck_assert(metrics_have("esddns_current_wan_ip_info{ip_address=\"198.20.0.7\"} 1\n"));
	m.wan.ipv4.address = sample_address("198.20.5.5");
	webd_state_take(state, WEBD_DETECTOR, &m, SAMPLE_NOW);
	ck_assert(metrics_have("esddns_current_wan_ip_info{ip_address=\"198.20.5.5\"} 1\n"));
	ck_assert(!metrics_have("198.20.0.7\"} 1\n"));
	ck_assert(metrics_have("esddns_state_in_sync{domain=\"home.example.com\"} 0\n"));
	ck_assert(metrics_have("esddns_dns_record_ip_matches{domain=\"home.example.com\"} 0\n"));
}
END_TEST

/* Of a Service that never gets a load balancer, one that waits for it, and one that has it. */
START_TEST(the_load_balancer_is_awaited)
{
	struct msg m = { .type = MSG_CLUSTER };

	ck_assert(!metrics_have("esddns_loadbalancer_pending"));
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert(metrics_have("\nesddns_loadbalancer_pending 0\n"));
	m.cluster.balancer_pending = true;
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert(metrics_have("\nesddns_loadbalancer_pending 1\n"));
	ck_assert(!metrics_have("esddns_loadbalancer_ip_info"));
}
END_TEST

#define ERROR_INFO                                                                                 \
	"esddns_record_error_info{domain=\"home.example.com\",record_type=\"A\",error_type="

/* A record's error is there while it lasts, and the last check stays what it was. */
START_TEST(an_error_is_told_while_it_lasts)
{
	struct webd_config c = sample_config();
	struct msg m = sample_record(&c, 0, 40000);

	ck_assert(!metrics_have(ERROR_INFO));
	m.record.state = MSG_RECORD_ATTENTION;
	snprintf(m.record.error_type, sizeof(m.record.error_type), "unauthorized");
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert(metrics_have("\n" ERROR_INFO "\"unauthorized\"} 1\n"));
	ck_assert(metrics_have("\nesddns_last_dns_check_timestamp{domain=\"home.example.com\","
			       "record_type=\"A\"} 1795345413\n"));
	m = sample_record(&c, 0, 0);
	webd_state_take(state, WEBD_UPDATER, &m, SAMPLE_NOW);
	ck_assert(!metrics_have(ERROR_INFO));
	ck_assert(metrics_have("record_type=\"A\"} 1795345453\n"));
}
END_TEST

static const char part[] =
	"{\"v\":1,\"unit\":\"webd\",\"version\":\"0.1.0\",\"runtime_dir\":\"/run/esddns\","
	"\"cluster\":{\"backend\":\"local\"},\"records\":[{\"fqdn\":\"example.com\","
	"\"zone\":\"example.com\",\"name\":\"@\",\"type\":\"AAAA\",\"ttl\":300}],"
	"\"listen\":[{\"host\":\"::\",\"port\":51339}],\"metrics\":[],\"max_connections\":64,"
	"\"drain\":0,\"detector_interval\":300000,\"updater_interval\":60000,\"observe\":false,"
	"\"dry_run\":true}";

START_TEST(the_part_is_read)
{
	struct webd_config c;
	const char *why;
	cJSON *json = json_parse(part, sizeof(part) - 1, &why);

	ck_assert_msg(json != NULL, "%s", why);
	ck_assert_msg(webd_config_read(json, &c, &why) == 0, "%s", why);
	ck_assert_str_eq(c.records[0].name, "@");
	ck_assert_int_eq(c.records[0].family, ADDRESS_IPV6);
	ck_assert_str_eq(c.listen[0].host, "::");
	ck_assert_uint_eq(c.nmetrics, 0);
	ck_assert_int_eq(c.updater_interval_ms, 60000);
	ck_assert(c.dry_run && !c.observe);
	ck_assert_str_eq(c.instance, "");
	cJSON_AddStringToObject(json, "instance", "esddns-service-7d9f");
	ck_assert_int_eq(webd_config_read(json, &c, &why), 0);
	ck_assert_str_eq(c.instance, "esddns-service-7d9f");
	cJSON_Delete(json);
}
END_TEST

/* Without any one of its members, the part is refused, and the member is named. */
START_TEST(a_name_that_is_too_long_is_refused)
{
	char name[MSG_HOLDER_MAX + 1];
	struct webd_config c;
	const char *why;
	cJSON *json = json_parse(part, sizeof(part) - 1, &why);

	memset(name, 'n', MSG_HOLDER_MAX);
	name[MSG_HOLDER_MAX] = '\0';
	cJSON_AddStringToObject(json, "instance", name);
	ck_assert_int_eq(webd_config_read(json, &c, &why), -1);
	ck_assert_ptr_nonnull(strstr(why, "instance"));
	cJSON_Delete(json);
}
END_TEST

/* Of several things that are wrong the worst leads, and the others are named. */
START_TEST(all_that_is_wrong_is_named)
{
	struct webd_verdict v = { .nothers = 0 };
	struct webd_config c = sample_config();
	struct buf text = BUF_INIT;
	struct webd_state *s;
	struct msg m;

	for (int i = 0; i < WEBD_OTHERS_MAX + 1; i++)
		sample_add_record(&c, "www", ADDRESS_IPV4);
	c.nrecords = WEBD_OTHERS_MAX + 2;
	for (size_t i = 1; i < c.nrecords; i++)
		snprintf(c.records[i].fqdn, sizeof(c.records[i].fqdn), "n%zu.example.com", i);
	s = sample_in_sync(&c, SAMPLE_NOW);
	for (size_t i = 0; i < c.nrecords; i++) {
		m = sample_record(&c, i, 8000);
		m.record.in_sync = false;
		m.record.state = i == 3 ? MSG_RECORD_ATTENTION : MSG_RECORD_RETRYING;
		snprintf(m.record.error, sizeof(m.record.error), "connection refused");
		webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	}
	webd_judge(s, SAMPLE_NOW, &v);
	ck_assert_int_eq(v.worst.level, WEBD_BAD);
	ck_assert_str_eq(buf_text(&v.worst.headline), "n3.example.com A: needs a person");
	webd_finding_tell(&v.worst, &text);
	ck_assert_str_eq(buf_text(&text), "Connection refused. The next attempt is in 4 min 52 s. "
					  "The record was checked 8 s ago.");
	ck_assert_uint_eq(v.nothers, c.nrecords - 1);
	ck_assert_int_eq(v.others[0].level, WEBD_WARN);
	ck_assert_str_eq(v.others[0].headline, "home.example.com A: failing, is tried again");
	/* again, over what was there */
	webd_judge(s, SAMPLE_NOW, &v);
	ck_assert_uint_eq(v.nothers, c.nrecords - 1);
	ck_assert_str_eq(v.others[WEBD_OTHERS_MAX - 1].headline,
			 "n6.example.com A: failing, is tried again");
	buf_free(&text);
	webd_verdict_free(&v);
	webd_state_free(s);
}
END_TEST

START_TEST(a_part_with_a_hole_is_refused)
{
	static const char *const members[] = {
		"v",
		"version",
		"runtime_dir",
		"cluster",
		"records",
		"listen",
		"metrics",
		"drain",
		"detector_interval",
		"updater_interval",
		"observe",
		"max_connections",
		"dry_run",
	};
	struct webd_config c;
	const char *why;
	cJSON *json = json_parse(part, sizeof(part) - 1, &why);

	ck_assert_uint_lt((size_t)_i, sizeof(members) / sizeof(*members));
	cJSON_DeleteItemFromObject(json, members[_i]);
	ck_assert_int_eq(webd_config_read(json, &c, &why), -1);
	ck_assert_ptr_nonnull(strstr(why, members[_i]));
	cJSON_Delete(json);
}
END_TEST

/*
 * Whatever comes in whatever order: nothing is called in sync or usable that
 * was not read or confirmed within twice the interval, and a tick is never
 * needed before the deadline that was told. The loop's number is the seed.
 */
START_TEST(holds_its_invariants_over_random_messages)
{
	int64_t now = SAMPLE_NOW, deadline = webd_state_next_deadline(state, now);

	srandom((unsigned)_i);
	for (int n = 0; n < 500; n++) {
		struct msg m = random() % 2 ? sample_wan(random() % 700000)
					    : sample_record(&config, 0, random() % 700000);
		uint64_t version;

		now += random() % 100000;
		version = state->version;
		webd_state_tick(state, now);
		if (now < deadline)
			ck_assert_uint_eq(state->version, version);
		webd_state_link(state, (enum webd_link)(random() % 2), random() % 8 != 0);
		if (random() % 4 != 0)
			webd_state_take(state, m.type == MSG_WAN ? WEBD_DETECTOR : WEBD_UPDATER, &m,
					now);
		webd_state_tick(state, now);
		if (webd_usable(state, ADDRESS_IPV4, now))
			ck_assert_int_le(webd_confirmed_age(state, ADDRESS_IPV4, now),
					 2 * INTERVAL);
		if (webd_record_in_sync(state, &state->records[0], now))
			ck_assert_int_le(webd_record_age(&state->records[0], now), 2 * INTERVAL);
		deadline = webd_state_next_deadline(state, now);
		ck_assert_int_gt(deadline, now);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("webd state");
	TCase *tc = tcase_create("state");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_is_well);
	tcase_add_test(tc, ages_make_stale);
	tcase_add_test(tc, a_dead_link_is_told);
	tcase_add_test(tc, a_repetition_is_no_news);
	tcase_add_test(tc, what_the_updater_heard_first_is_shown_in_the_end);
	tcase_add_test(tc, in_sync_means_with_the_address_published_now);
	tcase_add_test(tc, extra_values_do_not_match);
	tcase_add_test(tc, a_reload_keeps_what_stays);
	tcase_add_test(tc, units_are_read_strictly);
	tcase_add_test(tc, a_failed_unit_is_not_healthy);
	tcase_add_test(tc, ready_means_something_true_to_show);
	tcase_add_test(tc, counters_follow_the_process);
	tcase_add_test(tc, the_address_metric_forgets_old_ones);
	tcase_add_test(tc, the_load_balancer_is_awaited);
	tcase_add_test(tc, an_error_is_told_while_it_lasts);
	tcase_add_test(tc, the_part_is_read);
	tcase_add_test(tc, a_name_that_is_too_long_is_refused);
	tcase_add_test(tc, all_that_is_wrong_is_named);
	tcase_add_loop_test(tc, a_part_with_a_hole_is_refused, 0, 13);
	tcase_add_loop_test(tc, holds_its_invariants_over_random_messages, 0, 40);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
