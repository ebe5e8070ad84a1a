/*
 * The server as a client meets it, on loopback sockets and in one thread: the
 * test plays the client and runs the server's loop in turn.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "webd/events.h"
#include "webd/server.h"
#include "webd_samples.h"

#define PATIENCE_MS 10000

static struct webd_config config;
static struct webd_state *state;
static struct server *server;

/* A port that nobody has, as far as can be known. */
static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
start(unsigned max_connections)
{
	const char *why = "";

	config = sample_config();
	config.max_connections = max_connections;
	config.listen[0].port = free_port();
	config.nmetrics = 1;
	config.metrics[0] = config.listen[0];
	config.metrics[0].port = free_port();
	state = sample_in_sync(&config, clock_now());
	server = server_new(&config, state, &why);
	ck_assert_msg(server != NULL, "%s", why);
}

static void
setup(void)
{
	start(64);
}

static void
teardown(void)
{
	server_free(server);
	webd_state_free(state);
}

/* One pass of the server's loop, of at most 20 ms. */
static void
pass(void)
{
	struct pollset p;

	pollset_reset(&p);
	server_prepare(server, &p, clock_now());
	pollset_wake_at(&p, clock_now() + 20);
	pollset_wait(&p);
	server_dispatch(server, &p, clock_now());
}

static int
dial(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Read until text holds needle, or, without one, until the end. False if it ended before. */
static bool
read_until(int fd, const char *needle, struct buf *text)
{
	int64_t limit = clock_now() + PATIENCE_MS;
	char part[4096];

	while (needle == NULL || strstr(buf_text(text), needle) == NULL) {
		ssize_t n;

		ck_assert_msg(clock_now() < limit, "nothing more came after: %s", buf_text(text));
		pass();
		n = recv(fd, part, sizeof(part), MSG_DONTWAIT);
		if (n > 0)
			buf_add(text, part, (size_t)n);
		else if (n == 0 || errno == ECONNRESET)
			return needle == NULL;
		else
			ck_assert_int_eq(errno, EAGAIN);
	}
	return true;
}

/* Send a request on a connection of its own and collect the whole answer. */
static struct buf
ask(uint16_t port, const char *request)
{
	struct buf text = BUF_INIT;
	int fd = dial(port);

	say(fd, request);
	ck_assert(read_until(fd, NULL, &text));
	close(fd);
	return text;
}

static void
answers(uint16_t port, const char *request, const char *start_line, const char *contains)
{
	struct buf text = ask(port, request);

	ck_assert_msg(strncmp(buf_text(&text), start_line, strlen(start_line)) == 0,
		      "wanted %s, got %s", start_line, buf_text(&text));
	ck_assert_msg(strstr(buf_text(&text), contains) != NULL, "no %s in %s", contains,
		      buf_text(&text));
	ck_assert_ptr_null(strstr(buf_text(&text), "Server:"));
	buf_free(&text);
}

#define REQUEST(method, path, more)                                                                \
	method " " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" more "\r\n"

START_TEST(serves_every_path)
{
	uint16_t web = config.listen[0].port, metrics = config.metrics[0].port;

	answers(web, REQUEST("GET", "/", ""), "HTTP/1.1 200 ", "<title>ESDDNS: ");
	answers(web, REQUEST("GET", "/", ""), "HTTP/1.1 200 ",
		"Content-Security-Policy: default-src 'none'");
	answers(web, REQUEST("GET", "/", ""), "HTTP/1.1 200 ", "X-Content-Type-Options: nosniff");
	answers(web, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "{\"poll_date\":\"");
	answers(web, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "Content-Type: application/json");
	answers(web, REQUEST("GET", "/api/v1/state", ""), "HTTP/1.1 200 ", "\"headline\":");
	answers(web, REQUEST("GET", "/style.css", ""), "HTTP/1.1 200 ", "text/css");
	answers(web, REQUEST("GET", "/page.js", ""), "HTTP/1.1 200 ", "EventSource");
	answers(web, REQUEST("GET", "/icon.svg", ""), "HTTP/1.1 200 ", "<svg");
	answers(web, REQUEST("GET", "/metrics", ""), "HTTP/1.1 200 ", "version=0.0.4");
	answers(web, REQUEST("GET", "/healthz", ""), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	answers(web, REQUEST("GET", "/readyz", ""), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	answers(metrics, REQUEST("GET", "/metrics", "Accept: application/openmetrics-text\r\n"),
		"HTTP/1.1 200 ", "# EOF\n");
	answers(metrics, REQUEST("GET", "/healthz", ""), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	answers(metrics, REQUEST("GET", "/readyz", ""), "HTTP/1.1 200 ", "\r\n\r\nok\n");
}
END_TEST

START_TEST(refuses_the_rest)
{
	uint16_t web = config.listen[0].port, metrics = config.metrics[0].port;

	answers(web, REQUEST("GET", "/nothing", ""), "HTTP/1.1 404 ", "There is nothing here");
	answers(web, REQUEST("GET", "/../etc/passwd", ""), "HTTP/1.1 404 ", "nothing here");
	answers(metrics, REQUEST("GET", "/", ""), "HTTP/1.1 404 ", "nothing here");
	answers(metrics, REQUEST("GET", "/events", ""), "HTTP/1.1 404 ", "nothing here");
	answers(web, REQUEST("POST", "/", "Content-Length: 0\r\n"), "HTTP/1.1 405 ",
		"Allow: GET, HEAD");
	answers(web, REQUEST("DELETE", "/raw", ""), "HTTP/1.1 405 ", "Allow: GET, HEAD");
	answers(web, REQUEST("GET", "/", "Content-Length: 5\r\n") "hello", "HTTP/1.1 413 ", "body");
	answers(web, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 ", "");
}
END_TEST

START_TEST(head_has_no_body)
{
	struct buf text = ask(config.listen[0].port, REQUEST("HEAD", "/raw", ""));

	ck_assert_ptr_nonnull(strstr(buf_text(&text), "Content-Length: "));
	ck_assert_ptr_null(strstr(buf_text(&text), "poll_date"));
	buf_free(&text);
	answers(config.listen[0].port, REQUEST("HEAD", "/events", ""), "HTTP/1.1 200 ",
		"text/event-stream");
}
END_TEST

START_TEST(too_long_requests_are_refused)
{
	char *request = malloc(40000);
	size_t n = (size_t)sprintf(request, "GET /");

	memset(request + n, 'a', 20000);
	strcpy(request + n + 20000, " HTTP/1.1\r\nHost: x\r\n\r\n");
	answers(config.listen[0].port, request, "HTTP/1.1 414 ", "");
	n = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
	memset(request + n, 'a', 20000);
	strcpy(request + n + 20000, "\r\n\r\n");
	answers(config.listen[0].port, request, "HTTP/1.1 431 ", "");
	free(request);
}
END_TEST

START_TEST(keeps_connections_alive)
{
	struct buf text = BUF_INIT;
	int fd = dial(config.listen[0].port);

	for (int i = 0; i < 3; i++) {
		say(fd, "GET /raw HTTP/1.1\r\nHost: x\r\n\r\n");
		ck_assert(read_until(fd, "\"usable\":true}}\n", &text));
		buf_clear(&text);
	}
	close(fd);
	buf_free(&text);
}
END_TEST

START_TEST(probes_say_why_not)
{
	webd_state_drain(state);
	answers(config.metrics[0].port, REQUEST("GET", "/readyz", ""), "HTTP/1.1 503 ",
		"This instance is about to stop.\n");
	answers(config.metrics[0].port, REQUEST("GET", "/healthz", ""), "HTTP/1.1 200 ", "ok\n");
	/* what is served is never older than the state */
	strcpy(state->units[0].state, "failed");
	state->version++;
	answers(config.metrics[0].port, REQUEST("GET", "/healthz", ""), "HTTP/1.1 503 ",
		"The unit detector has failed");
}
END_TEST

START_TEST(counts_its_requests)
{
	uint16_t web = config.listen[0].port;

	answers(web, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "");
	answers(web, REQUEST("GET", "/some/path", ""), "HTTP/1.1 404 ", "");
	answers(web, REQUEST("BREW", "/raw", ""), "HTTP/1.1 405 ", "");
	state->version++;
	answers(web, REQUEST("GET", "/metrics", ""), "HTTP/1.1 200 ",
		"esddns_endpoint_requests_total{method=\"GET\",endpoint=\"/raw\",status=\"200\"} "
		"1\n");
	answers(web, REQUEST("GET", "/metrics", ""), "HTTP/1.1 200 ",
		"esddns_endpoint_requests_total{method=\"GET\",endpoint=\"other\",status=\"404\"} "
		"1\n");
	answers(web, REQUEST("GET", "/metrics", ""), "HTTP/1.1 200 ",
		"esddns_endpoint_requests_total{method=\"other\",endpoint=\"/raw\","
		"status=\"405\"} 1\n");
}
END_TEST

START_TEST(events_tell_each_change)
{
	struct buf text = BUF_INIT;
	int fd = dial(config.listen[0].port);
	char expected[64];

	say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	snprintf(expected, sizeof(expected), "event: state\ndata: abc-%llu\n",
		 (unsigned long long)state->version);
	ck_assert(read_until(fd, expected, &text));
	ck_assert_ptr_nonnull(strstr(buf_text(&text), "text/event-stream"));
	for (int i = 0; i < 3; i++) {
		webd_state_link(state, WEBD_DETECTOR, i % 2 != 0);
		snprintf(expected, sizeof(expected), "event: state\ndata: abc-%llu\n",
			 (unsigned long long)state->version);
		ck_assert(read_until(fd, expected, &text));
	}
	close(fd);
	buf_free(&text);
}
END_TEST

/* A stream that waits must not hinder the stop, and must end with it. */
START_TEST(events_end_with_the_server)
{
	struct buf text = BUF_INIT;
	int fd = dial(config.listen[0].port);
	char rest[256];

	say(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(read_until(fd, "data: ", &text));
	pass();
	pass();
	server_free(server);
	server = NULL;
	while (recv(fd, rest, sizeof(rest), 0) > 0)
		continue;
	close(fd);
	buf_free(&text);
}
END_TEST

/* Of 40 connections 10 may be streams; who comes too late is told, and served otherwise. */
/* A change that had to wait is told when its time has come, however late the loop looks. */
START_TEST(a_change_is_not_forgotten)
{
	struct events *e = events_new(state, 4);
	struct MHD_Response *stream = events_open(e, NULL);

	ck_assert_ptr_nonnull(stream);
	events_tick(e, 1000);
	webd_state_drain(state);
	events_tick(e, 1199); /* too close to the one before */
	ck_assert_int_le(events_next_deadline(e, 1199), 1200);
	ck_assert_int_le(events_next_deadline(e, 1200), 1200);
	ck_assert_int_le(events_next_deadline(e, 1201), 1201);
	events_tick(e, 1201);
	ck_assert_int_gt(events_next_deadline(e, 1202), 2000);
	MHD_destroy_response(stream);
	events_free(e);
}
END_TEST

START_TEST(events_are_bounded)
{
	struct buf text = BUF_INIT;
	int fds[10];

	teardown();
	start(40);
	for (int i = 0; i < 10; i++) {
		fds[i] = dial(config.listen[0].port);
		say(fds[i], "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
		ck_assert(read_until(fds[i], "data: ", &text));
		buf_clear(&text);
	}
	answers(config.listen[0].port, REQUEST("GET", "/events", ""), "HTTP/1.1 503 ",
		"Retry-After: 10");
	answers(config.listen[0].port, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "poll_date");
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	buf_free(&text);
}
END_TEST

/* One client has its share, and what goes beyond it is closed at once. */
START_TEST(connections_are_bounded)
{
	struct buf text = BUF_INIT;
	int fds[17];

	for (int i = 0; i < 17; i++) {
		fds[i] = dial(config.listen[0].port);
		pass();
	}
	ck_assert(read_until(fds[16], NULL, &text));
	ck_assert_uint_eq(text.len, 0);
	say(fds[15], REQUEST("GET", "/raw", ""));
	ck_assert(read_until(fds[15], "poll_date", &text));
	for (int i = 0; i < 17; i++)
		close(fds[i]);
	buf_free(&text);
	/* the metrics' connections are others */
	answers(config.metrics[0].port, REQUEST("GET", "/healthz", ""), "HTTP/1.1 200 ", "ok\n");
}
END_TEST

START_TEST(a_port_in_use_is_named)
{
	struct server *second;
	const char *why = "";
	char expected[64];

	second = server_new(&config, state, &why);
	ck_assert_ptr_null(second);
	snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1 port %u: another program",
		 config.listen[0].port);
	ck_assert_msg(strncmp(why, expected, strlen(expected)) == 0, "%s", why);
}
END_TEST

/* "::" takes IPv4 too, but not what IPv4 addresses of either list want. */
START_TEST(an_ipv6_wildcard_leaves_room_for_ipv4)
{
	struct webd_config both = config;
	int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *why = "";

	if (probe < 0)
		return; /* this machine knows no IPv6 */
	close(probe);
	webd_state_free(state);
	server_free(server);
	server = NULL;
	state = sample_in_sync(&both, clock_now());
	both.nlisten = both.nmetrics = 1;
	strcpy(both.listen[0].host, "::");
	both.listen[0].port = both.metrics[0].port = free_port();
	strcpy(both.metrics[0].host, "0.0.0.0");
	server = server_new(&both, state, &why);
	ck_assert_msg(server != NULL, "%s", why);
	answers(both.metrics[0].port, REQUEST("GET", "/healthz", ""), "HTTP/1.1 200 ", "ok\n");
	answers(both.metrics[0].port, REQUEST("GET", "/raw", ""), "HTTP/1.1 404 ", "");
	server_free(server);
	both.nmetrics = 0;
	both.nlisten = 2;
	strcpy(both.listen[1].host, "127.0.0.1");
	both.listen[1].port = both.listen[0].port;
	server = server_new(&both, state, &why);
	ck_assert_msg(server != NULL, "%s", why);
	answers(both.listen[1].port, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "poll_date");
}
END_TEST

START_TEST(a_reload_moves_the_server)
{
	struct webd_config next = config;
	uint16_t old = config.listen[0].port;
	struct buf text = BUF_INIT;
	struct server *second;
	const char *why = "";
	int kept = dial(config.metrics[0].port);

	pass();
	next.listen[0].port = free_port();
	ck_assert_msg(server_configure(server, &next, &why) == 0, "%s", why);
	answers(next.listen[0].port, REQUEST("GET", "/raw", ""), "HTTP/1.1 200 ", "poll_date");
	say(kept, REQUEST("GET", "/healthz", ""));
	ck_assert(read_until(kept, "ok\n", &text));
	/* nobody listens at the old address any more */
	config.listen[0].port = old;
	config.nmetrics = 0;
	second = server_new(&config, state, &why);
	ck_assert_msg(second != NULL, "%s", why);
	server_free(second);
	close(kept);
	buf_free(&text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("webd server");
	TCase *tc = tcase_create("server");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, serves_every_path);
	tcase_add_test(tc, refuses_the_rest);
	tcase_add_test(tc, head_has_no_body);
	tcase_add_test(tc, too_long_requests_are_refused);
	tcase_add_test(tc, keeps_connections_alive);
	tcase_add_test(tc, probes_say_why_not);
	tcase_add_test(tc, counts_its_requests);
	tcase_add_test(tc, events_tell_each_change);
	tcase_add_test(tc, events_end_with_the_server);
	tcase_add_test(tc, a_change_is_not_forgotten);
	tcase_add_test(tc, events_are_bounded);
	tcase_add_test(tc, connections_are_bounded);
	tcase_add_test(tc, a_port_in_use_is_named);
	tcase_add_test(tc, an_ipv6_wildcard_leaves_room_for_ipv4);
	tcase_add_test(tc, a_reload_moves_the_server);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
