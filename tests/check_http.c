#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "http_rig.h"
#include "own_net.h"
#include "tls_server.h"

START_TEST(brings_the_answer)
{
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/ok", &reply);
	ck_assert_int_eq(reply.error, HTTP_OK);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_str_eq(buf_text(&reply.body), "hello");
	ck_assert_str_eq(reply.type, "text/plain");
	ck_assert_int_eq(reply.retry_after_ms, -1);
	ck_assert_int_ge(reply.duration_ms, 0);
	ck_assert_int_lt(reply.duration_ms, HTTP_RIG_PATIENCE_MS);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(sends_the_request_as_given)
{
	static const char *const headers[] = { "Authorization: Bearer secret", "X-Two: 2", NULL };
	struct http_request request;
	struct http_reply reply;
	const char *last;
	struct http_rig r;

	http_rig_start(&r);
	request = http_rig_get(http_rig_url(&r, "127.0.0.1", "/ok"));
	request.method = "PUT";
	request.headers = headers;
	request.body = "{\"a\":\"\0\"}";
	request.body_len = 9;
	http_rig_exchange(&r, &request, &reply);
	last = buf_text(&r.server.last);
	ck_assert_int_eq(strncmp(last, "PUT /ok HTTP/1.1\r\n", 18), 0);
	ck_assert_ptr_nonnull(strstr(last, "\r\nUser-Agent: check_http/1\r\n"));
	ck_assert_ptr_nonnull(strstr(last, "\r\nAuthorization: Bearer secret\r\n"));
	ck_assert_ptr_nonnull(strstr(last, "\r\nX-Two: 2\r\n"));
	ck_assert_ptr_nonnull(strstr(last, "\r\nContent-Length: 9\r\n"));
	ck_assert_mem_eq(last + r.server.last.len - 9, "{\"a\":\"\0\"}", 9);
	buf_free(&reply.body);
	/* and nothing of it stays for the next one on the same connection */
	http_rig_exchange_path(&r, "/ok", &reply);
	last = buf_text(&r.server.last);
	ck_assert_int_eq(strncmp(last, "GET /ok HTTP/1.1\r\n", 18), 0);
	ck_assert_ptr_null(strstr(last, "Authorization"));
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(takes_any_status_for_an_answer)
{
	static const int statuses[] = { 200, 204, 304, 401, 404, 429, 500, 503, 599 };
	struct http_reply reply;
	struct http_rig r;
	char path[32];

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		http_rig_exchange_path(&r, path, &reply);
		ck_assert_int_eq(reply.error, HTTP_OK);
		ck_assert_int_eq(reply.status, statuses[i]);
		buf_free(&reply.body);
	}
	http_rig_exchange_path(&r, "/status/999", &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_BROKEN);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(follows_no_redirect)
{
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/redirect", &reply);
	ck_assert_int_eq(reply.error, HTTP_OK);
	ck_assert_int_eq(reply.status, 302);
	ck_assert_uint_eq(r.server.requests, 1);
	ck_assert_uint_eq(r.server.oks, 0);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(bounds_the_body)
{
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/body/4096", &reply);
	ck_assert_int_eq(reply.error, HTTP_OK);
	ck_assert_uint_eq(reply.body.len, 4096);
	ck_assert_int_eq(reply.body.data[0], '\0');
	ck_assert_int_eq(reply.body.data[4095], 'b');
	buf_free(&reply.body);
	http_rig_exchange_path(&r, "/body/4097", &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TOO_LARGE);
	ck_assert_str_eq(reply.text, "the answer of 127.0.0.1 is larger than 4096 bytes");
	ck_assert_uint_le(reply.body.len, 4096);
	buf_free(&reply.body);
	http_rig_exchange_path(&r, "/endless", &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TOO_LARGE);
	ck_assert_uint_le(reply.body.len, 4096);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(bounds_the_headers)
{
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/headers", &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TOO_LARGE);
	ck_assert_msg(strstr(reply.text, "headers") != NULL, "%s", reply.text);
	ck_assert_int_lt(reply.duration_ms, HTTP_RIG_PATIENCE_MS);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(finds_broken_answers)
{
	static const char *const paths[] = { "/truncated", "/close", "/garbage" };
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		http_rig_exchange_path(&r, paths[i], &reply);
		ck_assert_msg(reply.error == HTTP_ERR_BROKEN, "%s: %s", paths[i],
			      http_error_name(reply.error));
		ck_assert_ptr_nonnull(strstr(reply.text, "127.0.0.1"));
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(ends_at_the_deadline)
{
	/* silent from the start, and never silent but slower than the deadline */
	static const char *const paths[] = { "/silent", "/drip/50" };
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	request = http_rig_get(http_rig_url(&r, "127.0.0.1", paths[_i]));
	request.timeout_ms = 600;
	http_rig_exchange(&r, &request, &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(reply.text, "gave no whole answer within 0.6 s"));
	ck_assert_int_ge(reply.duration_ms, 550);
	ck_assert_int_lt(reply.duration_ms, 600 + HTTP_RIG_BLOCKED_MS);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(takes_a_slow_answer)
{
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/drip/5", &reply);
	ck_assert_int_eq(reply.error, HTTP_OK);
	ck_assert_str_eq(buf_text(&reply.body), "hello");
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(reads_retry_after)
{
	static const struct {
		const char *path;
		int64_t min_ms, max_ms;
	} cases[] = {
		{ "/retry/7", 7000, 7000 },
		{ "/retry/86400", 86400000, 86400000 },
		{ "/retry/999999999", 86400000, 86400000 },
		{ "/retry/99999999999999999999", -1, 86400000 },
		{ "/retry-date/100", 90000, 100000 },
		{ "/retry-date/-100", -1, -1 },
		{ "/retry/-5", -1, -1 },
		{ "/retry/soon", -1, -1 },
		{ "/status/503", -1, -1 },
	};
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_rig_exchange_path(&r, cases[i].path, &reply);
		ck_assert_int_eq(reply.status, 503);
		ck_assert_msg(reply.retry_after_ms >= cases[i].min_ms &&
				      reply.retry_after_ms <= cases[i].max_ms,
			      "%s: %lld", cases[i].path, (long long)reply.retry_after_ms);
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(reuses_a_connection_only_if_it_may)
{
	int64_t end = clock_now() + HTTP_RIG_PATIENCE_MS;
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	request = http_rig_get(http_rig_url(&r, "127.0.0.1", "/ok"));
	for (int i = 0; i < 4; i++) {
		http_rig_exchange(&r, &request, &reply);
		buf_free(&reply.body);
		ck_assert_uint_eq(r.server.accepted, 1);
	}
	request.fresh = true;
	for (unsigned i = 0; i < 4; i++) {
		http_rig_exchange(&r, &request, &reply);
		buf_free(&reply.body);
		ck_assert_uint_eq(r.server.accepted, 2 + i);
	}
	/* and the fresh ones are closed: the first alone is kept */
	while (r.server.open > 1 && clock_now() < end)
		http_rig_pass(&r, clock_now() + 20);
	ck_assert_uint_eq(r.server.open, 1);
	request.fresh = false;
	http_rig_exchange(&r, &request, &reply);
	buf_free(&reply.body);
	ck_assert_uint_eq(r.server.accepted, 5);
	http_rig_stop(&r);
}
END_TEST

/* One name and port, asked over both families at the same time: curl's cache knows no family. */
START_TEST(gives_back_what_it_keeps_after_a_while)
{
	int64_t end = clock_now() + HTTP_RIG_PATIENCE_MS;
	unsigned passes;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/ok", &reply);
	buf_free(&reply.body);
	http_rig_run(&r, 1000);
	ck_assert_uint_eq(r.server.open, 1);
	passes = r.passes;
	while (r.server.open == 1 && clock_now() < end)
		http_rig_pass(&r, end);
	ck_assert_uint_eq(r.server.open, 0);
	ck_assert_uint_lt(r.passes - passes, 20); /* it slept meanwhile */
	http_rig_exchange_path(&r, "/ok", &reply);
	ck_assert_int_eq(reply.error, HTTP_OK);
	ck_assert_uint_eq(r.server.accepted, 2);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(keeps_families_apart)
{
	struct http_request request;
	struct http_reply replies[8];
	struct http_rig r;

	http_rig_start(&r);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 8; i++) {
			request = http_rig_get(http_rig_url(&r, "localhost", "/family"));
			request.family = i % 2 == 0 ? ADDRESS_IPV4 : ADDRESS_IPV6;
			request.fresh = round % 2 == 0;
			http_rig_call(&r, &request, &replies[i]);
			if (i % 3 == 2) /* some while others are under way */
				http_rig_pass(&r, clock_now() + 5);
		}
		http_rig_await(&r, 8 * (round + 1));
		for (int i = 0; i < 8; i++) {
			ck_assert_msg(replies[i].error == HTTP_OK, "%s", replies[i].text);
			ck_assert_str_eq(buf_text(&replies[i].body), i % 2 == 0 ? "ipv4" : "ipv6");
			buf_free(&replies[i].body);
		}
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(takes_literal_addresses)
{
	static const struct {
		const char *host;
		enum address_family family;
		enum http_error error;
		const char *body;
	} cases[] = {
		{ "127.0.0.1", ADDRESS_NONE, HTTP_OK, "ipv4" },
		{ "[::1]", ADDRESS_NONE, HTTP_OK, "ipv6" },
		{ "[::1]", ADDRESS_IPV6, HTTP_OK, "ipv6" },
		{ "127.0.0.1", ADDRESS_IPV6, HTTP_ERR_RESOLVE, "" },
		{ "[::1]", ADDRESS_IPV4, HTTP_ERR_RESOLVE, "" },
		{ "LOCALHOST", ADDRESS_IPV6, HTTP_OK, "ipv6" },
		{ "dotted.example.", ADDRESS_IPV4, HTTP_OK, "ipv4" },
	};
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request = http_rig_get(http_rig_url(&r, cases[i].host, "/family"));
		request.family = cases[i].family;
		http_rig_exchange(&r, &request, &reply);
		ck_assert_msg(reply.error == cases[i].error, "%s: %s", cases[i].host, reply.text);
		ck_assert_str_eq(buf_text(&reply.body), cases[i].body);
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(says_who_refused)
{
	struct http_request request;
	char where[64];
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	/* port 1 of a network that is all ours: nobody listens */
	snprintf(where, sizeof(where), "http://%s:1/", _i == 0 ? "127.0.0.1" : "localhost");
	request = http_rig_get(where);
	http_rig_exchange(&r, &request, &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_CONNECT);
	ck_assert_ptr_nonnull(
		strstr(reply.text, _i == 0 ? "127.0.0.1 port 1" : "localhost port 1"));
	ck_assert_msg(strstr(reply.text, "Connection refused") != NULL, "%s", reply.text);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(refuses_unusable_urls)
{
	static const char *const urls[] = { "",
					    "nonsense with spaces",
					    "http://",
					    "http://:80/",
					    "http://host:99999/",
					    "http://ho st/",
					    "http://127.0.0.1/a b",
					    "file:///etc/passwd",
					    "ftp://127.0.0.1/",
					    "gopher://127.0.0.1/",
					    "http://[::1/",
					    "http://[1.2.3.4]/" };
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		request = http_rig_get(urls[i]);
		http_rig_exchange(&r, &request, &reply);
		ck_assert_msg(reply.error == HTTP_ERR_URL, "%s: %s (%s)", urls[i],
			      http_error_name(reply.error), reply.text);
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(never_calls_back_after_a_cancel)
{
	static const char *const paths[] = { "/ok", "/silent", "/drip/20", "/endless" };
	struct http_request request;
	struct http_call *call;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_cancel(NULL);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		/* 0: at once; then after ever more passes, as long as it is under way */
		for (int passes = 0; passes < 6; passes++) {
			unsigned asked = r.server.requests;

			request = http_rig_get(http_rig_url(
				&r, passes % 2 == 0 ? "localhost" : "127.0.0.1", paths[i]));
			request.body_max = SIZE_MAX / 2;
			call = http_rig_call(&r, &request, &reply);
			for (int n = 0; n < passes && reply.calls == 0; n++)
				http_rig_pass(&r, clock_now() + 20);
			if (reply.calls == 0)
				http_cancel(call);
			http_rig_run(&r, 20);
			ck_assert_int_le(reply.calls, i == 0 ? 1 : 0);
			if (passes == 0) /* before it was resolved: nobody was asked */
				ck_assert_uint_eq(r.server.requests, asked);
			buf_free(&reply.body);
		}
	}
	http_rig_stop(&r);
}
END_TEST

START_TEST(lets_a_callback_start_and_cancel)
{
	struct http_request request;
	struct http_reply a, b, next;
	struct http_call *call_a, *call_b;
	struct http_rig r;

	http_rig_start(&r);
	/* both are done at once, so whichever is told first cancels the other */
	request = http_rig_get("unusable url");
	call_a = http_rig_call(&r, &request, &a);
	call_b = http_rig_call(&r, &request, &b);
	next = (struct http_reply){ .rig = &r };
	a.to_cancel = call_b;
	b.to_cancel = call_a;
	a.to_start = &next;
	b.to_start = &next;
	http_rig_await(&r, 2);
	http_rig_run(&r, 50);
	ck_assert_int_eq(a.calls + b.calls, 1);
	ck_assert_int_eq(next.calls, 1);
	ck_assert_str_eq(buf_text(&next.body), "hello");
	buf_free(&a.body);
	buf_free(&b.body);
	buf_free(&next.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(is_freed_with_calls_under_way)
{
	static const char *const paths[] = { "/ok", "/silent", "/drip/20", "/endless" };
	struct http_request request;
	struct http_reply replies[8];
	struct http_rig r;

	http_rig_start(&r);
	for (int i = 0; i < 8; i++) {
		request = http_rig_get(
			http_rig_url(&r, i % 2 == 0 ? "localhost" : "127.0.0.1", paths[i / 2]));
		request.body_max = SIZE_MAX / 2;
		http_rig_call(&r, &request, &replies[i]);
	}
	for (int n = 0; n < _i; n++)
		http_rig_pass(&r, clock_now() + 10);
	http_free(NULL);
	http_rig_stop(&r); /* a leak, or a use of what is gone, is the sanitizer's to find */
	for (int i = 0; i < 8; i++)
		buf_free(&replies[i].body);
}
END_TEST

static enum http_error
ask(struct http_rig *r, const struct http_request *request, const char *phrase)
{
	struct http_reply reply;

	http_rig_exchange(r, request, &reply);
	ck_assert_msg(strstr(reply.text, phrase) != NULL, "%s", reply.text);
	ck_assert_int_lt(reply.duration_ms, request->timeout_ms + HTTP_RIG_BLOCKED_MS);
	buf_free(&reply.body);
	return reply.error;
}

START_TEST(trusts_only_the_given_authority)
{
	struct http_request request;
	struct tls_server tls;
	struct http_rig r;
	char where[64];

	http_rig_start(&r);
	tls_server_start(&tls);
	snprintf(where, sizeof(where), "https://localhost:%u/", tls.port);
	request = http_rig_get(where);
	request.body_max = 1 << 20;
	request.family = ADDRESS_IPV4;
	request.ca_file = tls.right_ca;
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_OK);
	request.ca_file = tls.wrong_ca;
	ck_assert_int_eq(ask(&r, &request, "certificate"), HTTP_ERR_TLS);
	request.ca_file = "/nonexistent/ca.pem";
	ck_assert_int_eq(ask(&r, &request, "/nonexistent/ca.pem"), HTTP_ERR_TLS);
	/* one that was trusted before stays so, and by its name only */
	request.ca_file = tls.right_ca;
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_OK);
	snprintf(where, sizeof(where), "https://127.0.0.1:%u/", tls.port);
	ck_assert_int_eq(ask(&r, &request, "127.0.0.1"), HTTP_ERR_TLS);
	tls_server_stop(&tls);
	http_rig_stop(&r);
}
END_TEST

START_TEST(survives_servers_that_speak_no_tls)
{
	struct http_request request;
	struct tls_server tls;
	struct http_rig r;
	char where[64];

	http_rig_start(&r);
	tls_server_start(&tls); /* for its certificate */
	/* it waits for the end of a request that never comes */
	snprintf(where, sizeof(where), "https://127.0.0.1:%u/", r.server.port);
	request = http_rig_get(where);
	request.timeout_ms = 500;
	request.ca_file = tls.right_ca;
	ck_assert_int_eq(ask(&r, &request, "finished no TLS handshake within 0.5 s"),
			 HTTP_ERR_TIMEOUT);
	tls_server_stop(&tls);
	http_rig_stop(&r);
}
END_TEST

/*
 * A listener whose queue is full drops whoever else wants to connect, as a
 * firewall does.
 */
START_TEST(ends_at_the_deadline_without_a_connection)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[4];
	socklen_t len = sizeof(at);
	struct http_request request;
	struct http_rig r;
	char where[64];

	ck_assert_int_eq(bind(full, (const struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(full, 0), 0);
	ck_assert_int_eq(getsockname(full, (struct sockaddr *)&at, &len), 0);
	for (int i = 0; i < 4; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(waiting[i], (const struct sockaddr *)&at, sizeof(at));
	}
	http_rig_start(&r);
	snprintf(where, sizeof(where), "http://127.0.0.1:%u/", (unsigned)ntohs(at.sin_port));
	request = http_rig_get(where);
	request.timeout_ms = 500;
	ck_assert_int_eq(ask(&r, &request, "accepted no connection within 0.5 s"),
			 HTTP_ERR_TIMEOUT);
	http_rig_stop(&r);
	for (int i = 0; i < 4; i++)
		close(waiting[i]);
	close(full);
}
END_TEST

START_TEST(names_errors)
{
	for (int i = 0; i < HTTP_ERROR__MAX; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(http_error_name((enum http_error)i),
					 http_error_name((enum http_error)j));
	ck_assert_str_eq(http_error_name(HTTP_ERR_TIMEOUT), "timeout");
	ck_assert_str_eq(http_error_name(HTTP_ERROR__MAX), "invalid");
}
END_TEST

static TCase *
cases(void)
{
	TCase *tc = tcase_create("http");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, brings_the_answer);
	tcase_add_test(tc, sends_the_request_as_given);
	tcase_add_test(tc, takes_any_status_for_an_answer);
	tcase_add_test(tc, follows_no_redirect);
	tcase_add_test(tc, bounds_the_body);
	tcase_add_test(tc, bounds_the_headers);
	tcase_add_test(tc, finds_broken_answers);
	tcase_add_loop_test(tc, ends_at_the_deadline, 0, 2);
	tcase_add_test(tc, takes_a_slow_answer);
	tcase_add_test(tc, reads_retry_after);
	tcase_add_test(tc, reuses_a_connection_only_if_it_may);
	tcase_add_test(tc, gives_back_what_it_keeps_after_a_while);
	tcase_add_test(tc, keeps_families_apart);
	tcase_add_test(tc, takes_literal_addresses);
	tcase_add_loop_test(tc, says_who_refused, 0, 2);
	tcase_add_test(tc, refuses_unusable_urls);
	tcase_add_test(tc, never_calls_back_after_a_cancel);
	tcase_add_test(tc, lets_a_callback_start_and_cancel);
	tcase_add_loop_test(tc, is_freed_with_calls_under_way, 0, 6);
	tcase_add_test(tc, trusts_only_the_given_authority);
	tcase_add_test(tc, survives_servers_that_speak_no_tls);
	tcase_add_test(tc, ends_at_the_deadline_without_a_connection);
	tcase_add_test(tc, names_errors);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("http");
	SRunner *runner;
	int failed;

	own_net_enter();
	own_net_write("/etc/hosts",
		      "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 dotted.example.\n");
	/* a proxy must never be asked (DESIGN.md); this one would refuse */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	signal(SIGPIPE, SIG_IGN); /* as every worker does: OpenSSL writes with write(2) */
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
