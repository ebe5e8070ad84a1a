#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "dns_server.h"
#include "http_rig.h"
#include "own_net.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define PATIENCE_MS 20000
/* No timing here is tight; but what blocks, blocks for seconds. */
#define BLOCKED_MS 1000

struct rig;

/* What came back of one look-up. */
struct outcome {
	struct rig *rig;
	int calls;       /* of the callback: at most one */
	char error[128]; /* "" for none */
	size_t n;
	char addresses[RESOLVE_ADDRESSES_MAX][ADDRESS_TEXT_MAX];
	struct resolve_query *to_cancel; /* in the callback */
	struct outcome *to_start;        /* in the callback: a look-up of v4.test */
};

struct rig {
	struct resolver *resolver;
	struct dns_server servers[2]; /* 127.0.0.1 and 127.0.0.2 */
	int outcomes;
	bool dispatching;
	unsigned passes;
	int64_t longest_ms; /* of a dispatch */
};

static void
rig_start(struct rig *r, const char *resolv_conf)
{
	*r = (struct rig){ .outcomes = 0 };
	for (unsigned i = 0; i < 2; i++)
		dns_server_start(&r->servers[i], i + 1);
	unlink(RESOLV_CONF);
	if (resolv_conf != NULL)
		own_net_write(RESOLV_CONF, resolv_conf);
	r->resolver = resolver_new();
}

static void
rig_stop(struct rig *r)
{
	resolver_free(r->resolver);
	for (unsigned i = 0; i < 2; i++)
		dns_server_stop(&r->servers[i]);
	ck_assert_int_lt(r->longest_ms, BLOCKED_MS);
}

static void on_done(void *arg, const struct resolve_result *result);

static struct resolve_query *
look_up(struct rig *r, const char *host, enum address_family family, int64_t timeout_ms,
	struct outcome *o)
{
	*o = (struct outcome){ .rig = r };
	return resolver_lookup(r->resolver, host, family, clock_now() + timeout_ms, on_done, o);
}

static void
on_done(void *arg, const struct resolve_result *result)
{
	struct outcome *o = arg;

	ck_assert_msg(o->rig->dispatching, "called back from outside of resolver_dispatch()");
	o->rig->outcomes++;
	o->calls++;
	o->n = result->n;
	ck_assert((result->error == NULL) == (result->n != 0));
	ck_assert_uint_le(result->n, RESOLVE_ADDRESSES_MAX);
	snprintf(o->error, sizeof(o->error), "%s", result->error != NULL ? result->error : "");
	for (size_t i = 0; i < result->n; i++)
		address_format(&result->addresses[i], o->addresses[i], ADDRESS_TEXT_MAX);
	resolver_cancel(o->to_cancel);
	if (o->to_start != NULL)
		look_up(o->rig, "v4.test", ADDRESS_IPV4, PATIENCE_MS, o->to_start);
}

static void
pass(struct rig *r, int64_t until_ms)
{
	struct pollset p;
	int64_t before;

	pollset_reset(&p);
	pollset_wake_at(&p, until_ms);
	for (unsigned i = 0; i < 2; i++)
		dns_server_prepare(&r->servers[i], &p);
	resolver_prepare(r->resolver, &p, clock_now());
	pollset_wait(&p);
	for (unsigned i = 0; i < 2; i++)
		dns_server_dispatch(&r->servers[i], &p);
	before = clock_now();
	r->dispatching = true;
	resolver_dispatch(r->resolver, &p, before);
	r->dispatching = false;
	if (clock_now() - before > r->longest_ms)
		r->longest_ms = clock_now() - before;
	r->passes++;
}

static void
await(struct rig *r, int outcomes)
{
	int64_t end = clock_now() + PATIENCE_MS;

	while (r->outcomes < outcomes && clock_now() < end)
		pass(r, end);
	ck_assert_int_eq(r->outcomes, outcomes);
}

static void
run_for(struct rig *r, int64_t ms)
{
	int64_t end = clock_now() + ms;

	while (clock_now() < end)
		pass(r, end);
}

static void
resolve(struct rig *r, const char *host, enum address_family family, struct outcome *o)
{
	int before = r->outcomes;

	look_up(r, host, family, PATIENCE_MS, o);
	await(r, before + 1);
	ck_assert_int_eq(o->calls, 1);
}

static bool
holds(const struct outcome *o, const char *address)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->addresses[i], address) == 0)
			return true;
	return false;
}

START_TEST(finds_addresses_of_the_asked_family)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolve(&r, "both.test", ADDRESS_IPV4, &o);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_str_eq(o.addresses[0], "192.0.2.1");
	resolve(&r, "both.test", ADDRESS_IPV6, &o);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_str_eq(o.addresses[0], "2001:db8::1");
	resolve(&r, "both.test", ADDRESS_NONE, &o);
	ck_assert_uint_eq(o.n, 2);
	ck_assert(holds(&o, "192.0.2.1") && holds(&o, "2001:db8::1"));
	resolve(&r, "v4.test", ADDRESS_NONE, &o);
	ck_assert_uint_eq(o.n, 1);
	resolve(&r, "alias.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.error, "");
	ck_assert_str_eq(o.addresses[0], "192.0.2.1");
	rig_stop(&r);
}
END_TEST

/* RFC 6761, section 6.3: whatever the hosts file says, and without asking anyone. */
START_TEST(knows_localhost_by_itself)
{
	static const char *const names[] = { "localhost", "LocalHost", "www.localhost" };
	struct outcome o;
	struct rig r;

	own_net_write("/etc/hosts", "127.0.0.1 localhost\n");
	rig_start(&r, "nameserver 127.0.0.1\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		resolve(&r, names[i], ADDRESS_NONE, &o);
		ck_assert(o.n == 2 && holds(&o, "127.0.0.1") && holds(&o, "::1"));
		resolve(&r, names[i], ADDRESS_IPV6, &o);
		ck_assert(o.n == 1 && holds(&o, "::1"));
	}
	ck_assert_uint_eq(r.servers[0].asked, 0);
	resolve(&r, "notlocalhost", ADDRESS_IPV4, &o);
	ck_assert_uint_eq(o.n, 0);
	rig_stop(&r);
}
END_TEST

START_TEST(words_what_there_is_not)
{
	static const struct {
		const char *host;
		enum address_family family;
		const char *error;
	} cases[] = {
		{ "nx.test", ADDRESS_IPV4, "has no IPv4 address in DNS" },
		{ "nx.test", ADDRESS_IPV6, "has no IPv6 address in DNS" },
		{ "nx.test", ADDRESS_NONE, "has no address in DNS" },
		{ "v4.test", ADDRESS_IPV6, "has no IPv6 address in DNS" },
		{ "fail.test", ADDRESS_IPV4, "failed" },
		{ "refused.test", ADDRESS_IPV4, "refused" },
	};
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t before = clock_now();

		resolve(&r, cases[i].host, cases[i].family, &o);
		ck_assert_msg(strstr(o.error, cases[i].error) != NULL, "%s", o.error);
		ck_assert_int_lt(clock_now() - before, 10000);
	}
	rig_stop(&r);
}
END_TEST

/* As in a pod of Kubernetes: with its search list "v4" would be v4.test. */
START_TEST(adds_nothing_to_a_name)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\nsearch test\noptions ndots:5\n");
	resolve(&r, "v4", ADDRESS_IPV4, &o);
	ck_assert_msg(strstr(o.error, "has no IPv4 address in DNS") != NULL, "%s", o.error);
	resolve(&r, "v4.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.error, "");
	rig_stop(&r);
}
END_TEST

START_TEST(bounds_the_addresses)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolve(&r, "many.test", ADDRESS_IPV4, &o);
	ck_assert_uint_eq(o.n, RESOLVE_ADDRESSES_MAX);
	rig_stop(&r);
}
END_TEST

START_TEST(believes_no_forged_answer)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolve(&r, "forged.test", ADDRESS_IPV4, &o);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_str_eq(o.addresses[0], "192.0.2.1");
	resolve(&r, "broken.test", ADDRESS_IPV4, &o);
	ck_assert_uint_eq(o.n, 0);
	rig_stop(&r);
}
END_TEST

START_TEST(survives_hostile_names)
{
	static const char *const names[] = { "",        ".",         "..",         "a..test",
					     ".a.test", "a b.test",  "a\nb.test",  "\xFF\xFE",
					     "1.2.3",   "1.2.3.4.5", "256.1.1.1",  "0x7f.1",
					     "[::1]",   "::1%lo",    "a/../b.test" };
	enum { N = sizeof(names) / sizeof(names[0]) };
	char longest[2000], label[65];
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(label, 'b', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	for (size_t i = 0; i < N + 2; i++) {
		const char *name = i < N ? names[i] : i == N ? longest : label;

		look_up(&r, name, ADDRESS_IPV4, 200, &o);
		await(&r, (int)i + 1);
		/* what address.h takes for no address must not become one here */
		ck_assert_msg(o.n == 0, "\"%s\" became %s", name, o.addresses[0]);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(takes_literal_addresses)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolve(&r, "198.51.100.7", ADDRESS_NONE, &o);
	ck_assert_str_eq(o.addresses[0], "198.51.100.7");
	resolve(&r, "2001:DB8::9", ADDRESS_IPV6, &o);
	ck_assert_str_eq(o.addresses[0], "2001:db8::9");
	resolve(&r, "198.51.100.7", ADDRESS_IPV6, &o);
	ck_assert_str_eq(o.error, "is no IPv6 address");
	resolve(&r, "2001:db8::9", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.error, "is no IPv4 address");
	ck_assert_uint_eq(r.servers[0].asked, 0);
	rig_stop(&r);
}
END_TEST

START_TEST(obeys_the_deadline_of_each)
{
	struct outcome silent, patient;
	int64_t start = clock_now();
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	look_up(&r, "silent.test", ADDRESS_IPV4, 300, &silent);
	look_up(&r, "silent.test", ADDRESS_IPV4, 300 + BLOCKED_MS, &patient);
	await(&r, 1);
	ck_assert_int_eq(silent.calls, 1);
	ck_assert_str_eq(silent.error, "could not be looked up: no name server answered");
	ck_assert_int_ge(clock_now() - start, 300);
	ck_assert_int_lt(clock_now() - start, 300 + BLOCKED_MS);
	await(&r, 2);
	ck_assert_int_ge(clock_now() - start, 300 + BLOCKED_MS);
	ck_assert_int_lt(clock_now() - start, 300 + 2 * BLOCKED_MS);
	/* it waited, and did not spin */
	ck_assert_uint_lt(r.passes, 50);
	/* one that has passed already */
	look_up(&r, "silent.test", ADDRESS_IPV4, -1, &silent);
	await(&r, 3);
	rig_stop(&r);
}
END_TEST

START_TEST(asks_the_next_server_when_one_is_silent)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
	r.servers[0].mute = true;
	resolve(&r, "v4.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.addresses[0], "192.0.2.2");
	ck_assert_uint_gt(r.servers[0].asked, 0);
	rig_stop(&r);
}
END_TEST

START_TEST(recovers_with_its_server)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	r.servers[0].mute = true;
	for (int i = 1; i <= 5; i++) {
		look_up(&r, "v4.test", ADDRESS_IPV4, 100, &o);
		await(&r, i);
		ck_assert_uint_eq(o.n, 0);
	}
	r.servers[0].mute = false;
	resolve(&r, "v4.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.addresses[0], "192.0.2.1");
	rig_stop(&r);
}
END_TEST

START_TEST(follows_a_changed_resolv_conf)
{
	struct outcome o, waiting;
	unsigned asked;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolve(&r, "v4.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.addresses[0], "192.0.2.1");
	/* one is under way at the old server, which falls silent: it goes over to the new one */
	r.servers[0].mute = true;
	asked = r.servers[0].asked + 1;
	look_up(&r, "both.test", ADDRESS_IPV6, PATIENCE_MS, &waiting);
	while (r.servers[0].asked < asked)
		pass(&r, clock_now() + PATIENCE_MS);
	ck_assert_int_eq(waiting.calls, 0);
	own_net_write(RESOLV_CONF, "nameserver 127.0.0.2\n");
	look_up(&r, "v4.test", ADDRESS_IPV4, PATIENCE_MS, &o);
	await(&r, 3);
	ck_assert_str_eq(o.addresses[0], "192.0.2.2");
	ck_assert_uint_eq(r.servers[0].asked, asked);
	ck_assert_str_eq(waiting.addresses[0], "2001:db8::2");
	rig_stop(&r);
}
END_TEST

START_TEST(finds_a_resolv_conf_that_comes_late)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, NULL);
	r.servers[0].mute = true; /* c-ares falls back to 127.0.0.1 */
	look_up(&r, "v4.test", ADDRESS_IPV4, 200, &o);
	await(&r, 1);
	ck_assert_uint_eq(o.n, 0);
	own_net_write(RESOLV_CONF, "nameserver 127.0.0.2\n");
	resolve(&r, "v4.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.addresses[0], "192.0.2.2");
	/* and goes away and comes again */
	unlink(RESOLV_CONF);
	look_up(&r, "v4.test", ADDRESS_IPV4, 200, &o);
	await(&r, 3);
	own_net_write(RESOLV_CONF, "# empty\nnameserver 127.0.0.2\n");
	resolve(&r, "both.test", ADDRESS_IPV4, &o);
	ck_assert_str_eq(o.addresses[0], "192.0.2.2");
	rig_stop(&r);
}
END_TEST

/* Nobody listens there: the kernel answers with an ICMP error, which must not wake the loop for
 * ever. */
START_TEST(waits_without_spinning_for_a_refusing_server)
{
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.9\n");
	look_up(&r, "v4.test", ADDRESS_IPV4, 2000, &o);
	await(&r, 1);
	ck_assert_str_eq(o.error, "could not be looked up: the name server refused or failed");
	ck_assert_uint_lt(r.passes, 100);
	rig_stop(&r);
}
END_TEST

START_TEST(never_calls_back_after_a_cancel)
{
	static const char *const names[] = { "v4.test", "both.test", "silent.test", "192.0.2.1",
					     "localhost" };
	struct resolve_query *q;
	struct outcome o;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	resolver_cancel(NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (int passes = 0; passes < 3; passes++) {
			q = look_up(&r, names[i], ADDRESS_NONE, 50, &o);
			for (int n = 0; n < passes && o.calls == 0; n++)
				pass(&r, clock_now() + 5);
			if (o.calls != 0)
				continue;
			resolver_cancel(q);
			run_for(&r, 70);
			ck_assert_int_eq(o.calls, 0);
		}
	}
	rig_stop(&r);
}
END_TEST

START_TEST(lets_a_callback_start_and_cancel)
{
	struct outcome a, b, next = { .rig = NULL };
	struct resolve_query *qa, *qb;
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	/* both are done at once, so whichever is told first cancels the other */
	qa = look_up(&r, "192.0.2.1", ADDRESS_NONE, PATIENCE_MS, &a);
	qb = look_up(&r, "192.0.2.2", ADDRESS_NONE, PATIENCE_MS, &b);
	a.to_cancel = qb;
	b.to_cancel = qa;
	a.to_start = b.to_start = &next;
	await(&r, 2);
	run_for(&r, 50);
	ck_assert_int_eq(a.calls + b.calls, 1);
	ck_assert_int_eq(next.calls, 1);
	ck_assert_str_eq(next.addresses[0], "192.0.2.1");
	rig_stop(&r);
}
END_TEST

START_TEST(looks_up_many_at_once)
{
	static const char *const names[] = { "v4.test", "nx.test", "both.test", "fail.test",
					     "192.0.2.1" };
	struct outcome outcomes[100];
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	for (int i = 0; i < 100; i++)
		look_up(&r, names[i % 5], ADDRESS_IPV4, PATIENCE_MS, &outcomes[i]);
	await(&r, 100);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(outcomes[i].calls, 1);
		ck_assert_uint_eq(outcomes[i].n, i % 5 == 1 || i % 5 == 3 ? 0 : 1);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(is_freed_with_queries_under_way)
{
	static const char *const names[] = { "v4.test", "silent.test", "fail.test", "192.0.2.1" };
	struct outcome outcomes[4];
	struct rig r;

	rig_start(&r, "nameserver 127.0.0.1\n");
	for (int i = 0; i < 4; i++)
		look_up(&r, names[i], ADDRESS_NONE, PATIENCE_MS, &outcomes[i]);
	for (int i = 0; i < _i; i++)
		pass(&r, clock_now() + 10);
	resolver_free(NULL);
	rig_stop(&r); /* a leak, or a use of what is gone, is the sanitizer's to find */
	ck_assert_int_eq(outcomes[1].calls, 0);
}
END_TEST

/* libcurl's own resolver would hold up everything else here (DESIGN.md). */
START_TEST(holds_up_no_http_call)
{
	struct http_reply silent, other;
	struct http_request request;
	struct dns_server dns;
	struct http_rig r;

	dns_server_start(&dns, 1); /* nobody reads from it: it is silent */
	own_net_write(RESOLV_CONF, "nameserver 127.0.0.1\n");
	http_rig_start(&r);
	request = http_rig_get("http://silent.test/");
	request.timeout_ms = 1500;
	http_rig_call(&r, &request, &silent);
	http_rig_run(&r, 50);
	http_rig_exchange_path(&r, "/ok", &other);
	ck_assert_int_eq(other.error, HTTP_OK);
	ck_assert_int_lt(other.duration_ms, BLOCKED_MS);
	ck_assert_int_eq(silent.calls, 0);
	http_rig_await(&r, 2);
	ck_assert_int_eq(silent.error, HTTP_ERR_RESOLVE);
	ck_assert_str_eq(silent.text,
			 "silent.test could not be looked up: no name server answered");
	ck_assert_int_ge(silent.duration_ms, 1450);
	ck_assert_int_lt(silent.duration_ms, 1500 + BLOCKED_MS);
	ck_assert_uint_lt(r.passes, 200);
	buf_free(&silent.body);
	buf_free(&other.body);
	http_rig_stop(&r);
	dns_server_stop(&dns);
}
END_TEST

/* A second question would come from libcurl, or from the C library behind it. */
START_TEST(asks_once_for_an_http_call)
{
	struct http_request request;
	struct http_reply reply;
	struct dns_server dns;
	struct pollset p;
	struct http_rig r;

	dns_server_start(&dns, 1);
	own_net_write(RESOLV_CONF, "nameserver 127.0.0.1\n");
	http_rig_start(&r);
	for (unsigned i = 1; i <= 5; i++) {
		int64_t end = clock_now() + PATIENCE_MS;

		request = http_rig_get(http_rig_url(&r, "here.test", "/ok"));
		request.family = ADDRESS_IPV4;
		request.fresh = true;
		http_rig_call(&r, &request, &reply);
		while (reply.calls == 0 && clock_now() < end) {
			pollset_reset(&p);
			pollset_wake_at(&p, clock_now());
			dns_server_prepare(&dns, &p);
			pollset_wait(&p);
			dns_server_dispatch(&dns, &p);
			http_rig_pass(&r, clock_now() + 5);
		}
		ck_assert_msg(reply.calls == 1 && reply.error == HTTP_OK, "%s", reply.text);
		ck_assert_uint_eq(dns.asked, i);
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
	dns_server_stop(&dns);
}
END_TEST

START_TEST(tells_http_of_a_refusing_server)
{
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	own_net_write(RESOLV_CONF, "nameserver 127.0.0.9\n");
	http_rig_start(&r);
	request = http_rig_get("http://v4.test/");
	request.family = ADDRESS_IPV4;
	http_rig_exchange(&r, &request, &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_RESOLVE);
	ck_assert_msg(strstr(reply.text, "the name server refused or failed") != NULL, "%s",
		      reply.text);
	ck_assert_uint_lt(r.passes, 100);
	buf_free(&reply.body);
	/* a call cancelled while its name is looked up */
	request = http_rig_get("http://v4.test/");
	http_cancel(http_rig_call(&r, &request, &reply));
	http_rig_run(&r, 50);
	ck_assert_int_eq(reply.calls, 0);
	http_rig_stop(&r);
}
END_TEST

static TCase *
cases(void)
{
	TCase *tc = tcase_create("resolve");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, finds_addresses_of_the_asked_family);
	tcase_add_test(tc, knows_localhost_by_itself);
	tcase_add_test(tc, words_what_there_is_not);
	tcase_add_test(tc, adds_nothing_to_a_name);
	tcase_add_test(tc, bounds_the_addresses);
	tcase_add_test(tc, believes_no_forged_answer);
	tcase_add_test(tc, survives_hostile_names);
	tcase_add_test(tc, takes_literal_addresses);
	tcase_add_test(tc, obeys_the_deadline_of_each);
	tcase_add_test(tc, asks_the_next_server_when_one_is_silent);
	tcase_add_test(tc, recovers_with_its_server);
	tcase_add_test(tc, follows_a_changed_resolv_conf);
	tcase_add_test(tc, finds_a_resolv_conf_that_comes_late);
	tcase_add_test(tc, waits_without_spinning_for_a_refusing_server);
	tcase_add_test(tc, never_calls_back_after_a_cancel);
	tcase_add_test(tc, lets_a_callback_start_and_cancel);
	tcase_add_test(tc, looks_up_many_at_once);
	tcase_add_loop_test(tc, is_freed_with_queries_under_way, 0, 3);
	tcase_add_test(tc, holds_up_no_http_call);
	tcase_add_test(tc, asks_once_for_an_http_call);
	tcase_add_test(tc, tells_http_of_a_refusing_server);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("resolve");
	SRunner *runner;
	int failed;

	own_net_enter();
	signal(SIGPIPE, SIG_IGN);
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
