/* What the API server's client needs of HTTP: streams, and connections of a special kind. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "http_rig.h"
#include "own_net.h"
#include "tls_server.h"

/* --- streams ----------------------------------------------------------------- */

/* What on_data brought; it is the arg of the call, and so is its reply. */
struct stream {
	struct http_reply reply; /* must come first: the rig's callback takes it */
	unsigned pieces;
	bool begun; /* the first piece came */
	struct buf data;
	struct http_call *to_cancel; /* after the first piece with bytes */
};

static void
on_data(void *arg, const char *data, size_t len)
{
	struct stream *s = arg;

	ck_assert_msg(s->reply.rig->dispatching, "called back from outside of http_dispatch()");
	ck_assert_int_eq(s->reply.calls, 0);
	ck_assert(len > 0 || !s->begun);
	s->begun = true;
	s->pieces += len > 0;
	buf_add(&s->data, data, len);
	if (len > 0 && s->to_cancel != NULL)
		http_cancel(s->to_cancel);
}

static struct http_call *
open_stream(struct http_rig *r, const char *path, struct stream *s)
{
	struct http_request request = http_rig_get(http_rig_url(r, "127.0.0.1", path));

	memset(s, 0, sizeof(*s));
	request.on_data = on_data;
	request.keepalive = true;
	return http_rig_call(r, &request, &s->reply);
}

static void
close_stream(struct stream *s)
{
	buf_free(&s->data);
	buf_free(&s->reply.body);
}

START_TEST(hands_a_stream_over_in_pieces)
{
	struct stream s;
	struct http_rig r;

	http_rig_start(&r);
	/* it is not bounded as a body is */
	open_stream(&r, "/body/3000000", &s);
	http_rig_await(&r, 1);
	ck_assert_int_eq(s.reply.error, HTTP_OK);
	ck_assert_uint_eq(s.data.len, 3000000);
	close_stream(&s);
	/* an empty one has begun, too */
	open_stream(&r, "/status/204", &s);
	http_rig_await(&r, 2);
	ck_assert(s.begun);
	close_stream(&s);
	open_stream(&r, "/drip/20", &s);
	http_rig_await(&r, 3);
	ck_assert_int_eq(s.reply.error, HTTP_OK);
	ck_assert_str_eq(buf_text(&s.data), "hello");
	ck_assert_uint_eq(s.pieces, 5);
	ck_assert_uint_eq(s.reply.body.len, 0);
	close_stream(&s);
	http_rig_stop(&r);
}
END_TEST

START_TEST(collects_what_is_no_stream)
{
	struct http_request request;
	struct stream s;
	struct http_rig r;

	http_rig_start(&r);
	open_stream(&r, "/redirect", &s); /* its body is "moved" */
	http_rig_await(&r, 1);
	ck_assert(!s.begun);
	ck_assert_int_eq(s.reply.status, 302);
	ck_assert_str_eq(buf_text(&s.reply.body), "moved");
	close_stream(&s);
	memset(&s, 0, sizeof(s));
	request = http_rig_get(http_rig_url(&r, "127.0.0.1", "/redirect"));
	request.on_data = on_data;
	request.body_max = 4;
	http_rig_call(&r, &request, &s.reply);
	http_rig_await(&r, 2);
	ck_assert_int_eq(s.reply.error, HTTP_ERR_TOO_LARGE);
	close_stream(&s);
	/* what came before it broke off was handed over */
	open_stream(&r, "/truncated", &s);
	http_rig_await(&r, 3);
	ck_assert_int_eq(s.reply.error, HTTP_ERR_BROKEN);
	ck_assert_str_eq(buf_text(&s.data), "only this");
	close_stream(&s);
	http_rig_stop(&r);
}
END_TEST

START_TEST(lets_a_stream_end_itself)
{
	struct stream s;
	struct http_rig r;

	http_rig_start(&r);
	s.to_cancel = open_stream(&r, "/endless", &s);
	while (s.pieces == 0)
		http_rig_pass(&r, clock_now() + 100);
	http_rig_run(&r, 50);
	ck_assert_uint_eq(s.pieces, 1);
	ck_assert_int_eq(s.reply.calls, 0);
	close_stream(&s);
	http_rig_stop(&r);
}
END_TEST

/* The limit for the head leaves a slow body alone, and ends what is silent. */
START_TEST(limits_the_time_to_the_head)
{
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	request = http_rig_get(http_rig_url(&r, "localhost", "/silent"));
	request.head_timeout_ms = 400;
	http_rig_exchange(&r, &request, &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TIMEOUT);
	ck_assert_msg(strstr(reply.text, "gave no whole answer within 0.4 s") != NULL, "%s",
		      reply.text);
	ck_assert_int_ge(reply.duration_ms, 350);
	ck_assert_int_lt(reply.duration_ms, 400 + HTTP_RIG_BLOCKED_MS);
	buf_free(&reply.body);
	request = http_rig_get(http_rig_url(&r, "localhost", "/endless"));
	request.head_timeout_ms = 300;
	request.timeout_ms = 900;
	request.body_max = SIZE_MAX / 2;
	http_rig_exchange(&r, &request, &reply);
	ck_assert_int_eq(reply.error, HTTP_ERR_TIMEOUT);
	ck_assert_int_ge(reply.duration_ms, 850);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

START_TEST(shows_the_first_warning)
{
	char path[600] = "/warning/", *end = path + strlen(path);
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	http_rig_exchange_path(&r, "/warning/299-first", &reply);
	ck_assert_str_eq(reply.warning, "299-first");
	buf_free(&reply.body);
	http_rig_exchange_path(&r, "/ok", &reply);
	ck_assert_str_eq(reply.warning, "");
	buf_free(&reply.body);
	memset(end, 'w', 400);
	http_rig_exchange_path(&r, path, &reply);
	ck_assert_uint_eq(strlen(reply.warning), 255);
	buf_free(&reply.body);
	http_rig_stop(&r);
}
END_TEST

/* --- connections that are not as the URL says -------------------------------- */

START_TEST(connects_to_another_host)
{
	static const struct {
		const char *to, *family;
	} cases[] = { { "127.0.0.1", "ipv4" }, { "::1", "ipv6" }, { "localhost", "ipv4" } };
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	http_rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request = http_rig_get(http_rig_url(&r, "nowhere.example", "/family"));
		request.connect_host = cases[i].to;
		request.family = i == 2 ? ADDRESS_IPV4 : ADDRESS_NONE;
		http_rig_exchange(&r, &request, &reply);
		ck_assert_msg(reply.error == HTTP_OK, "%s", reply.text);
		ck_assert_str_eq(buf_text(&reply.body), cases[i].family);
		ck_assert_ptr_nonnull(
			strstr(buf_text(&r.server.last), "\r\nHost: nowhere.example:"));
		buf_free(&reply.body);
	}
	http_rig_stop(&r);
}
END_TEST

/* The options of the one TCP socket that the process has connected to port. */
static void
expect_keepalive(unsigned port, bool wanted)
{
	unsigned found = 0;

	for (int fd = 3; fd < 100; fd++) {
		struct sockaddr_in at;
		socklen_t len = sizeof(at), size = sizeof(int);
		int on = 0, idle = 0, user = 0;

		if (getpeername(fd, (struct sockaddr *)&at, &len) != 0 ||
		    at.sin_family != AF_INET || ntohs(at.sin_port) != port)
			continue;
		found++;
		getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size);
		getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size);
		getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, &size);
		ck_assert_int_eq(on, wanted);
		ck_assert_int_eq(idle == 30, wanted);
		ck_assert_int_eq(user == 45000, wanted);
	}
	ck_assert_uint_eq(found, 1);
}

START_TEST(finds_out_that_a_peer_is_gone)
{
	struct http_request request;
	struct http_reply reply;
	struct http_rig r;

	for (int keepalive = 0; keepalive < 2; keepalive++) {
		http_rig_start(&r);
		request = http_rig_get(http_rig_url(&r, "127.0.0.1", "/ok"));
		request.keepalive = keepalive != 0;
		http_rig_exchange(&r, &request, &reply);
		expect_keepalive(r.server.port, keepalive != 0);
		buf_free(&reply.body);
		http_rig_stop(&r);
	}
}
END_TEST

/* The file's text, NUL-ended, in a buffer that the next call overwrites. */
static const char *
slurp(const char *path)
{
	static char texts[4][8192];
	static unsigned next;
	char *text = texts[next++ % 4];
	FILE *in = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(in);
	n = fread(text, 1, sizeof(texts[0]) - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

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

START_TEST(trusts_the_authority_it_is_handed)
{
	struct http_request request;
	struct tls_server tls;
	struct http_rig r;
	char where[64];

	http_rig_start(&r);
	tls_server_start(&tls);
	snprintf(where, sizeof(where), "https://127.0.0.1:%u/", tls.port);
	request = http_rig_get(where);
	request.body_max = 1 << 20;
	request.insecure = true;
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_OK);
	request.insecure = false;
	request.ca_pem = slurp(tls.right_ca);
	ck_assert_int_eq(ask(&r, &request, "127.0.0.1"), HTTP_ERR_TLS);
	/* the same server under the name that its certificate has */
	snprintf(where, sizeof(where), "https://localhost:%u/", tls.port);
	request.connect_host = "127.0.0.1";
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_OK);
	/* another authority is not covered by the connection that is open */
	request.ca_pem = slurp(tls.wrong_ca);
	ck_assert_int_eq(ask(&r, &request, "certificate"), HTTP_ERR_TLS);
	request.ca_pem = "none";
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_ERR_TLS);
	tls_server_stop(&tls);
	http_rig_stop(&r);
}
END_TEST

START_TEST(shows_a_certificate_of_its_own)
{
	struct http_request request;
	struct tls_server tls;
	struct http_rig r;
	char where[64];

	http_rig_start(&r);
	tls_server_start_strict(&tls);
	snprintf(where, sizeof(where), "https://localhost:%u/", tls.port);
	request = http_rig_get(where);
	request.family = ADDRESS_IPV4;
	request.body_max = 1 << 20;
	request.ca_pem = slurp(tls.right_ca);
	ck_assert_int_ne(ask(&r, &request, ""), HTTP_OK);
	request.cert_pem = request.ca_pem;
	request.key_pem = slurp(tls.right_key);
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_OK);
	request.cert_pem = slurp(tls.wrong_ca);
	request.key_pem = slurp(tls.wrong_key);
	ck_assert_int_ne(ask(&r, &request, ""), HTTP_OK);
	/* a key that does not belong to the certificate */
	request.key_pem = slurp(tls.right_key);
	ck_assert_int_eq(ask(&r, &request, ""), HTTP_ERR_TLS);
	tls_server_stop(&tls);
	http_rig_stop(&r);
}
END_TEST

static TCase *
cases(void)
{
	TCase *tc = tcase_create("http_stream");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, hands_a_stream_over_in_pieces);
	tcase_add_test(tc, collects_what_is_no_stream);
	tcase_add_test(tc, lets_a_stream_end_itself);
	tcase_add_test(tc, limits_the_time_to_the_head);
	tcase_add_test(tc, shows_the_first_warning);
	tcase_add_test(tc, connects_to_another_host);
	tcase_add_test(tc, finds_out_that_a_peer_is_gone);
	tcase_add_test(tc, trusts_the_authority_it_is_handed);
	tcase_add_test(tc, shows_a_certificate_of_its_own);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("http_stream");
	SRunner *runner;
	int failed;

	own_net_enter();
	signal(SIGPIPE, SIG_IGN); /* as every worker does: OpenSSL writes with write(2) */
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
