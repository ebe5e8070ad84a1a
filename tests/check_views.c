/*
 * The views against golden files in tests/golden/views, byte for byte. After a
 * change that is meant, run with ESDDNS_GOLDEN_WRITE=1 and look at what git
 * says has changed: the test then writes the files, and fails, so that it can
 * never pass unseen.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "webd/view_html.h"
#include "webd/view_json.h"
#include "webd/view_metrics.h"
#include "webd_samples.h"

#define GOLDEN TESTS_SRCDIR "/golden/views/"

static void
golden_write(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(b->data, 1, b->len, f), b->len);
	ck_assert_int_eq(fclose(f), 0);
}

static void
golden_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char part[4096];
	size_t n;

	ck_assert_msg(f != NULL, "%s: %s (ESDDNS_GOLDEN_WRITE=1 writes it)", path, strerror(errno));
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(out, part, n);
	fclose(f);
}

/* Compare and free what a view wrote. */
static void
golden(const char *name, const char *view, struct buf *got)
{
	struct buf want = BUF_INIT;
	char path[512];
	size_t same = 0;

	snprintf(path, sizeof(path), GOLDEN "%s.%s", name, view);
	if (getenv("ESDDNS_GOLDEN_WRITE") != NULL) {
		golden_write(path, got);
		buf_free(got);
		return;
	}
	golden_read(path, &want);
	while (same < got->len && same < want.len && got->data[same] == want.data[same])
		same++;
	ck_assert_msg(same == got->len && same == want.len,
		      "%s differs from byte %zu on:\nwanted: %.300s\ngot:    %.300s", path, same,
		      buf_text(&want) + same, buf_text(got) + same);
	buf_free(&want);
	buf_free(got);
}

/* What any page must be, whatever its state. */
static void
page_is_sound(const struct buf *page)
{
	const char *text = buf_text(page);

	ck_assert_ptr_nonnull(strstr(text, "<title>ESDDNS: "));
	ck_assert_ptr_nonnull(strstr(text, "Poll date"));
	ck_assert_ptr_nonnull(strstr(text, "Is the IP usable?"));
	ck_assert_ptr_nonnull(strstr(text, "WAN IPv"));
	ck_assert_ptr_nonnull(strstr(text, "Is the DNS record in sync?"));
	ck_assert_ptr_nonnull(strstr(text, "Record set name"));
	ck_assert_ptr_nonnull(strstr(text, "</html>\n"));
	/* the policy allows no inline code or style, and nothing of another site */
	ck_assert_ptr_null(strstr(text, "style=\""));
	ck_assert_ptr_null(strstr(text, "<style"));
	ck_assert_ptr_null(strstr(text, "src=\"http"));
	ck_assert_ptr_null(strstr(text, "href=\"http"));
}

static void
is_json(const struct buf *b)
{
	const char *why;
	cJSON *v = json_parse(b->data, b->len, &why);

	ck_assert_msg(v != NULL, "%s: %s", why, buf_text(b));
	cJSON_Delete(v);
	ck_assert_int_eq(b->data[b->len - 1], '\n');
	ck_assert_ptr_eq(memchr(b->data, '\n', b->len), b->data + b->len - 1);
}

/* Compare every view of the state, then free it. */
static void
all_views(const char *name, struct webd_state *s)
{
	static const struct webd_traffic traffic;
	struct buf b = BUF_INIT;

	view_html(s, SAMPLE_NOW, SAMPLE_WALL, &b);
	page_is_sound(&b);
	golden(name, "html", &b);
	view_raw(s, SAMPLE_NOW, &b);
	is_json(&b);
	golden(name, "raw.json", &b);
	view_state_json(s, SAMPLE_NOW, SAMPLE_WALL, &b);
	is_json(&b);
	golden(name, "state.json", &b);
	view_metrics(s, &traffic, SAMPLE_NOW, false, &b);
	golden(name, "metrics.txt", &b);
	view_metrics(s, &traffic, SAMPLE_NOW, true, &b);
	golden(name, "openmetrics.txt", &b);
	webd_state_free(s);
	ck_assert_msg(getenv("ESDDNS_GOLDEN_WRITE") == NULL,
		      "the golden files were written, not compared");
}

START_TEST(in_sync)
{
	struct webd_config c = sample_config();

	all_views("in-sync", sample_in_sync(&c, SAMPLE_NOW));
}
END_TEST

/* A pod of a cluster in which another one leads. */
START_TEST(standing_by)
{
	struct webd_config c = sample_config();
	struct webd_state *s = sample_in_sync(&c, SAMPLE_NOW);
	struct msg lead = sample_lead(), wan = sample_wan(14000),
		   record = sample_record(&c, 0, 42000);
	struct msg cluster = { .type = MSG_CLUSTER,
			       .cluster = { .followers = 3, .connected = true, .current = true } };

	snprintf(s->config.backend, sizeof(s->config.backend), "kubernetes");
	lead.lead.role = MSG_STANDBY;
	lead.lead.term = 0;
	snprintf(lead.lead.backend, sizeof(lead.lead.backend), "kubernetes");
	snprintf(lead.lead.holder, sizeof(lead.lead.holder), "node-b_9d1f");
	snprintf(wan.wan.holder, sizeof(wan.wan.holder), "node-b_9d1f");
	snprintf(record.record.by, sizeof(record.record.by), "node-b");
	snprintf(cluster.cluster.publisher, sizeof(cluster.cluster.publisher),
		 "tcp://10.77.0.12:51340");
	snprintf(cluster.cluster.balancer, sizeof(cluster.cluster.balancer),
		 "192.0.2.7, lb.example.com");
	webd_state_take(s, WEBD_DETECTOR, &lead, SAMPLE_NOW);
	webd_state_take(s, WEBD_UPDATER, &wan, SAMPLE_NOW);
	webd_state_take(s, WEBD_UPDATER, &record, SAMPLE_NOW);
	webd_state_take(s, WEBD_UPDATER, &cluster, SAMPLE_NOW);
	all_views("standing-by", s);
}
END_TEST

/* A Service of type LoadBalancer that nobody has given an address. */
START_TEST(a_load_balancer_that_is_awaited)
{
	struct msg cluster = { .type = MSG_CLUSTER,
			       .cluster = { .current = true, .balancer_pending = true } };
	struct webd_config c = sample_config();
	struct webd_state *s = sample_in_sync(&c, SAMPLE_NOW);
	struct buf b = BUF_INIT;

	webd_state_take(s, WEBD_UPDATER, &cluster, SAMPLE_NOW);
	view_html(s, SAMPLE_NOW, SAMPLE_WALL, &b);
	ck_assert_ptr_nonnull(strstr(buf_text(&b), "Load balancer</dt><dd>awaited: "));
	buf_free(&b);
	webd_state_free(s);
}
END_TEST

static void
set_vote(struct msg_vote *v, const char *answer, const char *error)
{
	v->agrees = false;
	v->answer = (struct address){ .family = ADDRESS_NONE };
	if (answer != NULL)
		v->answer = sample_address(answer);
	snprintf(v->error, sizeof(v->error), "%s", error);
}

START_TEST(held_with_liars)
{
	struct webd_config c = sample_config();
	struct webd_state *s = sample_in_sync(&c, SAMPLE_NOW);
	struct msg m = sample_wan(12000);
	struct msg_wan_family *f = &m.wan.ipv4;

	f->state = MSG_WAN_HELD;
	f->confirmed_at = SAMPLE_WALL - 312000;
	f->confirmed_age_ms = 312000;
	f->answered = 4;
	f->agreed = 2;
	snprintf(f->reason, sizeof(f->reason),
		 "2 of 5 operators agreed on 198.20.0.7, 3 are needed; the last good address "
		 "198.20.0.7 stays");
	set_vote(&f->votes[0], "198.20.9.9", "");
	set_vote(&f->votes[1], "10.0.0.1", "is private (10.0.0.0/8)");
	set_vote(&f->votes[4], NULL, "connection refused by 192.0.2.1");
	webd_state_take(s, WEBD_DETECTOR, &m, SAMPLE_NOW);
	webd_state_tick(s, SAMPLE_NOW);
	all_views("held", s);
}
END_TEST

/* The detector was killed a while ago; the updater's last read is old, too. */
START_TEST(stale)
{
	struct webd_config c = sample_config();
	struct webd_state *s = sample_in_sync(&c, SAMPLE_NOW - 700000);
	cJSON *units = cJSON_Parse(
		"[{\"name\":\"detector\",\"state\":\"backoff\",\"pid\":0,\"since\":1795345450000,"
		"\"restarts\":4,\"status\":\"\",\"last_exit\":\"killed by signal 9 (Killed)\","
		"\"next_start_in\":1500}]");
	const char *why;

	webd_state_link(s, WEBD_DETECTOR, false);
	ck_assert_int_eq(webd_state_units(s, units, SAMPLE_NOW, &why), 0);
	cJSON_Delete(units);
	webd_state_tick(s, SAMPLE_NOW);
	all_views("stale", s);
}
END_TEST

START_TEST(nothing_known)
{
	struct webd_config c = sample_config();

	all_views("unknown", webd_state_new(&c, 0xabc, SAMPLE_NOW - 1000));
}
END_TEST

static void
fill_ipv6(struct msg_wan *w)
{
	w->ipv6 = w->ipv4;
	w->ipv6.address = sample_address("2001:200::7");
	w->ipv6.nchanges = 1;
	w->ipv6.changes[0] = (struct msg_change){ w->ipv6.address, SAMPLE_WALL - 3600000 };
	for (size_t i = 0; i < w->ipv6.nvotes; i++)
		w->ipv6.votes[i].answer = w->ipv6.address;
}

static void
add_stats(struct webd_state *s)
{
	struct msg m = { .type = MSG_STATS, .stats = { .metrics = metrics_new() } };
	struct metrics *x = m.stats.metrics;

	metrics_add(x, METRIC_DNS_UPDATES, 3, "example.com", "A", NULL);
	metrics_add(x, METRIC_DNS_UPDATE_FAILURES, 2, "vpn.example.com", "A", "unauthorized");
	metrics_observe(x, METRIC_DNS_UPDATE_DURATION, 0.75, "example.com", NULL, NULL);
	metrics_observe(x, METRIC_DNS_UPDATE_DURATION, 42, "example.com", NULL, NULL);
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	metrics_free(x);
}

/* Each record in another state. */
START_TEST(records_with_errors)
{
	struct webd_config c = sample_config();
	struct webd_state *s;
	struct msg m;

	c.nrecords = 0;
	sample_add_record(&c, "@", ADDRESS_IPV4);
	sample_add_record(&c, "@", ADDRESS_IPV6);
	sample_add_record(&c, "vpn", ADDRESS_IPV4);
	sample_add_record(&c, "new", ADDRESS_IPV4);
	sample_add_record(&c, "www", ADDRESS_IPV4);
	s = sample_in_sync(&c, SAMPLE_NOW);
	m = sample_wan(12000);
	fill_ipv6(&m.wan);
	webd_state_take(s, WEBD_DETECTOR, &m, SAMPLE_NOW);
	m = sample_record(&c, 2, 40000);
	m.record.state = MSG_RECORD_ATTENTION;
	m.record.in_sync = false;
	snprintf(m.record.values[0], sizeof(m.record.values[0]), "198.20.3.1");
	snprintf(m.record.error_type, sizeof(m.record.error_type), "unauthorized");
	snprintf(m.record.error, sizeof(m.record.error),
		 "Gandi refused the token (401): it is wrong or has expired; put a new personal "
		 "access token into /etc/esddns/gandi/token");
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	m = sample_record(&c, 3, 8000);
	m.record.state = MSG_RECORD_RETRYING;
	m.record.in_sync = m.record.exists = false;
	m.record.nvalues = 0;
	m.record.updated_at = 0;
	m.record.next_in_ms = 4000;
	snprintf(m.record.error, sizeof(m.record.error), "api.gandi.net answered 503");
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	m = sample_record(&c, 4, 8000);
	m.record.state = MSG_RECORD_OBSERVED;
	m.record.in_sync = false;
	m.record.nvalues = 2;
	m.record.ttl = 10800;
	snprintf(m.record.values[1], sizeof(m.record.values[1]), "198.20.3.1");
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	add_stats(s);
	webd_state_tick(s, SAMPLE_NOW);
	all_views("errors", s);
}
END_TEST

#define EVIL "<script>alert(\"x\")</script>'&\\{}"

/* Whoever answers us, and whoever writes the configuration, must stay text. */
START_TEST(hostile_texts_stay_text)
{
	struct webd_config c = sample_config();
	struct webd_state *s;
	struct buf b = BUF_INIT;
	struct msg m = sample_wan(12000);

	snprintf(c.records[0].fqdn, sizeof(c.records[0].fqdn), "%s", EVIL);
	snprintf(c.records[0].name, sizeof(c.records[0].name), "%s", EVIL);
	snprintf(c.records[0].zone, sizeof(c.records[0].zone), "%s", EVIL);
	snprintf(c.version, sizeof(c.version), "<b>\"");
	s = sample_in_sync(&c, SAMPLE_NOW);
	m.wan.ipv4.state = MSG_WAN_HELD;
	snprintf(m.wan.ipv4.reason, sizeof(m.wan.ipv4.reason), "%s", EVIL);
	snprintf(m.wan.ipv4.votes[0].operator, MSG_OPERATOR_MAX, "%s", EVIL);
	snprintf(m.wan.ipv4.votes[0].kind, sizeof(m.wan.ipv4.votes[0].kind), "<i>");
	snprintf(m.wan.ipv4.votes[0].error, sizeof(m.wan.ipv4.votes[0].error), "%s", EVIL);
	webd_state_take(s, WEBD_DETECTOR, &m, SAMPLE_NOW);
	m = sample_lead();
	snprintf(m.lead.holder, sizeof(m.lead.holder), "%s", EVIL);
	snprintf(m.lead.backend, sizeof(m.lead.backend), "<i>");
	snprintf(m.lead.reason, sizeof(m.lead.reason), "%s", EVIL);
	webd_state_take(s, WEBD_DETECTOR, &m, SAMPLE_NOW);
	m = sample_record(&c, 0, 8000);
	m.record.state = MSG_RECORD_RETRYING;
	m.record.in_sync = false;
	snprintf(m.record.error, sizeof(m.record.error), "%s", EVIL);
	snprintf(m.record.href, sizeof(m.record.href), "javascript:%s", EVIL);
	snprintf(m.record.values[0], sizeof(m.record.values[0]), "%s", EVIL);
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	snprintf(s->units[0].status, sizeof(s->units[0].status), "%s", EVIL);
	snprintf(s->units[0].last_exit, sizeof(s->units[0].last_exit), "%s", EVIL);
	webd_state_tick(s, SAMPLE_NOW);
	view_html(s, SAMPLE_NOW, SAMPLE_WALL, &b);
	ck_assert_ptr_null(strstr(buf_text(&b), "<script>"));
	ck_assert_ptr_null(strstr(buf_text(&b), "<i>"));
	ck_assert_ptr_null(strstr(buf_text(&b), "<b>"));
	ck_assert_ptr_null(strstr(buf_text(&b), "href=\"javascript"));
	buf_free(&b);
	all_views("hostile", s);
}
END_TEST

/* len times the letter, with a dot now and then where it is a name. */
static void
fill(char *out, size_t len, char letter, bool dots)
{
	memset(out, letter, len);
	for (size_t i = 50; dots && i + 1 < len; i += 51)
		out[i] = '.';
	out[len] = '\0';
}

/* U+202E, which turns around what follows, and Hebrew. */
#define TURNED                                                                                     \
	"\xe2\x80\xae"                                                                             \
	"desrever \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d "

/* As long as everything may be, in a pod that only shows, and from right to left. */
START_TEST(longest)
{
	struct webd_config c = sample_config();
	struct msg_cluster cluster = { .connected = false };
	struct webd_state *s;
	struct msg m;

	snprintf(c.backend, sizeof(c.backend), "kubernetes");
	fill(c.instance, sizeof(c.instance) - 1, 'p', false);
	c.observe = true;
	c.records[0].family = ADDRESS_IPV6;
	c.records[0].ttl = 2592000;
	fill(c.records[0].fqdn, 253, 'n', true);
	fill(c.records[0].name, 240, 'n', true);
	s = sample_in_sync(&c, SAMPLE_NOW);
	s->has_lead = false;
	m = sample_wan(12000);
	fill_ipv6(&m.wan);
	m.wan.ipv6.address = sample_address("2001:4860:4860:1234:5678:9abc:def0:8888");
	m.wan.ipv6.state = MSG_WAN_HELD;
	for (size_t i = 0; i < m.wan.ipv6.nvotes; i++) {
		struct msg_vote *v = &m.wan.ipv6.votes[i];

		fill(v->operator, MSG_OPERATOR_MAX - 1, 'o', false);
		v->answer = m.wan.ipv6.address;
		v->duration_ms = 59999;
	}
	snprintf(m.wan.ipv6.votes[0].error, sizeof(m.wan.ipv6.votes[0].error), TURNED);
	snprintf(m.wan.ipv6.reason, MSG_REASON_MAX, TURNED "kept");
	fill(m.wan.holder, MSG_HOLDER_MAX - 1, 'h', false);
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	m = sample_record(&c, 0, 8000);
	m.record.state = MSG_RECORD_ATTENTION;
	m.record.in_sync = false;
	m.record.nvalues = MSG_VALUES_MAX;
	for (size_t i = 0; i < MSG_VALUES_MAX; i++)
		snprintf(m.record.values[i], ADDRESS_TEXT_MAX,
			 "2001:4860:4860:1234:5678:9abc:def0:%zu", 1000 + i);
	fill(m.record.href, MSG_HREF_MAX - 1, 'u', false);
	fill(m.record.by, MSG_HOLDER_MAX - 1, 'b', false);
	snprintf(m.record.error, MSG_REASON_MAX, TURNED "%0300d", 0);
	webd_state_take(s, WEBD_UPDATER, &m, SAMPLE_NOW);
	fill(cluster.publisher, MSG_PLACE_MAX - 1, 'a', false);
	fill(cluster.balancer, MSG_PLACE_MAX - 1, 'l', false);
	snprintf(cluster.reason, MSG_REASON_MAX, TURNED "%0300d", 0);
	webd_state_take(s, WEBD_UPDATER, &(struct msg){ .type = MSG_CLUSTER, .cluster = cluster },
			SAMPLE_NOW);
	fill(s->units[0].status, sizeof(s->units[0].status) - 1, 's', false);
	fill(s->units[0].last_exit, sizeof(s->units[0].last_exit) - 1, 'e', false);
	webd_state_tick(s, SAMPLE_NOW);
	all_views("longest", s);
}
END_TEST

START_TEST(openmetrics_only_when_asked_for)
{
	ck_assert(!view_metrics_accepts_open(NULL));
	ck_assert(!view_metrics_accepts_open("*/*"));
	ck_assert(!view_metrics_accepts_open("text/plain"));
	ck_assert(view_metrics_accepts_open("application/openmetrics-text"));
	ck_assert(view_metrics_accepts_open(
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		"version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("views");
	TCase *tc = tcase_create("views");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, in_sync);
	tcase_add_test(tc, standing_by);
	tcase_add_test(tc, a_load_balancer_that_is_awaited);
	tcase_add_test(tc, held_with_liars);
	tcase_add_test(tc, stale);
	tcase_add_test(tc, nothing_known);
	tcase_add_test(tc, records_with_errors);
	tcase_add_test(tc, hostile_texts_stay_text);
	tcase_add_test(tc, longest);
	tcase_add_test(tc, openmetrics_only_when_asked_for);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
