#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "detector/stun.h"
#include "detector/stun_client.h"

#define ANSWER_SIZE 32

/* A server on loopback that each test plays by hand, and one query to it. */
struct bench {
	struct resolver *resolver;
	struct stun_query *query;
	int server, peer; /* peer: the accepted connection, or -1 */
	uint16_t port;
	struct pollset set;
};

static void
open_server(struct bench *b, int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	b->server = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	b->peer = -1;
	ck_assert_int_ge(b->server, 0);
	ck_assert_int_eq(bind(b->server, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(getsockname(b->server, (struct sockaddr *)&sa, &len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(b->server, 1), 0);
	b->port = ntohs(sa.sin_port);
}

static struct bench *
begin(int type, int64_t timeout_ms)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct stun_request request = { .host = "127.0.0.1",
					.family = ADDRESS_IPV4,
					.tcp = type == SOCK_STREAM };

	ck_assert_ptr_nonnull(b);
	open_server(b, type);
	b->resolver = resolver_new();
	request.port = b->port;
	request.deadline_ms = clock_now() + timeout_ms;
	b->query = stun_query_start(b->resolver, &request);
	return b;
}

static void
end(struct bench *b)
{
	stun_query_free(b->query);
	resolver_free(b->resolver);
	if (b->peer >= 0)
		close(b->peer);
	if (b->server >= 0)
		close(b->server);
	free(b);
}

/* One pass of the loop, which also wakes up when fd (if not -1) can be read. */
static void
pass(struct bench *b, int fd)
{
	int64_t now = clock_now();

	pollset_reset(&b->set);
	resolver_prepare(b->resolver, &b->set, now);
	stun_query_prepare(b->query, &b->set);
	if (fd >= 0)
		pollset_add(&b->set, fd, POLLIN);
	pollset_wait(&b->set);
	now = clock_now();
	resolver_dispatch(b->resolver, &b->set, now);
	stun_query_dispatch(b->query, &b->set, now);
}

static const struct stun_result *
result_of(struct bench *b)
{
	while (!stun_query_result(b->query))
		pass(b, -1);
	return stun_query_result(b->query);
}

static void
expect_answer(struct bench *b, const char *address)
{
	const struct stun_result *r = result_of(b);
	char text[ADDRESS_TEXT_MAX];

	ck_assert_str_eq(r->error, "");
	ck_assert_str_eq(address_format(&r->address, text, sizeof(text)), address);
	ck_assert_int_ge(r->duration_ms, 0);
}

static void
expect_error(struct bench *b, const char *reason, const char *error)
{
	const struct stun_result *r = result_of(b);

	ck_assert_str_eq(r->error, error);
	ck_assert_str_eq(r->reason, reason);
	ck_assert_int_eq(r->address.family, ADDRESS_NONE);
}

/* The next request that reaches the UDP server, and who sent it. */
static void
receive(struct bench *b, uint8_t request[STUN_HEADER_SIZE], struct sockaddr_in *from)
{
	socklen_t len = sizeof(*from);
	ssize_t n;

	while ((n = recvfrom(b->server, request, STUN_HEADER_SIZE, MSG_TRUNC,
			     (struct sockaddr *)from, &len)) < 0) {
		ck_assert_ptr_null(stun_query_result(b->query));
		pass(b, b->server);
	}
	ck_assert_int_eq(n, STUN_HEADER_SIZE);
	ck_assert_int_eq(request[0], 0);
	ck_assert_int_eq(request[1], 1);
}

/* A success with 198.20.0.last, port 32853. */
static void
write_answer(uint8_t out[ANSWER_SIZE], const uint8_t *request, uint8_t last)
{
	static const uint8_t attribute[] = { 0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
					     0xa1, 0x47, 0xe7, 0x06, 0xa4 };

	memcpy(out, request, STUN_HEADER_SIZE);
	out[0] = out[1] = 0x01;
	out[3] = 12;
	memcpy(out + STUN_HEADER_SIZE, attribute, sizeof(attribute));
	out[31] = last ^ 0x42;
}

static void
answer(struct bench *b, const void *data, size_t len, const struct sockaddr_in *to)
{
	ck_assert_int_eq(sendto(b->server, data, len, 0, (const struct sockaddr *)to, sizeof(*to)),
			 (ssize_t)len);
}

START_TEST(udp_asks_and_is_answered)
{
	struct bench *b = begin(SOCK_DGRAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];
	struct sockaddr_in from;

	receive(b, request, &from);
	write_answer(reply, request, 7);
	answer(b, reply, sizeof(reply), &from);
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

START_TEST(udp_drops_what_is_wrong_and_waits_on)
{
	struct bench *b = begin(SOCK_DGRAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE], large[STUN_MESSAGE_MAX + 4] = { 0 };
	struct sockaddr_in from;

	receive(b, request, &from);
	write_answer(reply, request, 9);
	answer(b, reply, 0, &from);
	answer(b, reply, 19, &from);
	answer(b, reply, sizeof(reply) - 4, &from);
	answer(b, large, sizeof(large), &from);
	reply[8] ^= 1; /* another transaction */
	answer(b, reply, sizeof(reply), &from);
	reply[8] ^= 1, reply[4] ^= 1; /* another cookie */
	answer(b, reply, sizeof(reply), &from);
	write_answer(reply, request, 7);
	answer(b, reply, sizeof(reply), &from);
	answer(b, reply, sizeof(reply), &from); /* a duplicate */
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

/* Whoever is not the server is not heard: the socket is connected. */
START_TEST(udp_hears_the_server_only)
{
	struct bench *b = begin(SOCK_DGRAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];
	struct sockaddr_in from;
	int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(stranger, 0);
	receive(b, request, &from);
	write_answer(reply, request, 66);
	ck_assert_int_eq(
		sendto(stranger, reply, sizeof(reply), 0, (struct sockaddr *)&from, sizeof(from)),
		ANSWER_SIZE);
	close(stranger);
	write_answer(reply, request, 7);
	answer(b, reply, sizeof(reply), &from);
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

/* Sent again after 500 and 1000 ms with the same id; a late answer to the first is good. */
START_TEST(udp_retransmits)
{
	/* before all: what is late on a slow machine is never early by this clock */
	int64_t start = clock_now(), second, third;
	struct bench *b = begin(SOCK_DGRAM, 10000);
	uint8_t first[STUN_HEADER_SIZE], again[STUN_HEADER_SIZE], reply[ANSWER_SIZE];
	struct sockaddr_in from, from_again;

	receive(b, first, &from);
	receive(b, again, &from_again);
	second = clock_now() - start;
	ck_assert_mem_eq(first, again, sizeof(first));
	ck_assert_int_eq(from.sin_port, from_again.sin_port);
	receive(b, again, &from_again);
	third = clock_now() - start;
	ck_assert_int_ge(second, 500);
	ck_assert_int_ge(third, 1500);
	write_answer(reply, first, 7);
	answer(b, reply, sizeof(reply), &from);
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

START_TEST(udp_gives_up_at_the_deadline)
{
	struct bench *b = begin(SOCK_DGRAM, 300);
	int64_t start = clock_now();

	expect_error(b, "timeout", "did not answer in time");
	ck_assert_int_ge(clock_now() - start, 290);
	end(b);
}
END_TEST

START_TEST(udp_tells_what_it_dropped)
{
	struct bench *b = begin(SOCK_DGRAM, 1500);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];
	struct sockaddr_in from;

	receive(b, request, &from);
	write_answer(reply, request, 7);
	reply[19] ^= 1;
	answer(b, reply, sizeof(reply), &from);
	expect_error(b, "timeout",
		     "gave no valid answer in time: sent the answer to another request");
	end(b);
}
END_TEST

START_TEST(udp_fails_at_once_where_nobody_listens)
{
	struct bench *b = begin(SOCK_DGRAM, 20000);
	int64_t start = clock_now();

	close(b->server);
	b->server = -1;
	expect_error(b, "connect", "could not be asked: Connection refused");
	ck_assert_int_lt(clock_now() - start, 10000);
	end(b);
}
END_TEST

START_TEST(udp_reports_an_error_response)
{
	struct bench *b = begin(SOCK_DGRAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[28];
	struct sockaddr_in from;

	receive(b, request, &from);
	memcpy(reply, request, STUN_HEADER_SIZE);
	reply[0] = 0x01, reply[1] = 0x11, reply[3] = 8;
	memcpy(reply + STUN_HEADER_SIZE, "\x00\x09\x00\x04\x00\x00\x03\x00", 8);
	answer(b, reply, sizeof(reply), &from);
	expect_error(b, "answer", "answered with an error (300)");
	end(b);
}
END_TEST

/* Accept, and read the whole request. */
static void
accept_request(struct bench *b, uint8_t request[STUN_HEADER_SIZE])
{
	size_t have = 0;

	while ((b->peer = accept4(b->server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
		pass(b, b->server);
	while (have < STUN_HEADER_SIZE) {
		ssize_t n = recv(b->peer, request + have, STUN_HEADER_SIZE - have, 0);

		ck_assert_int_ne(n, 0);
		if (n > 0)
			have += (size_t)n;
		else
			pass(b, b->peer);
	}
}

START_TEST(tcp_takes_an_answer_in_single_bytes)
{
	struct bench *b = begin(SOCK_STREAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];

	accept_request(b, request);
	write_answer(reply, request, 7);
	for (size_t i = 0; i < sizeof(reply); i++) {
		ck_assert_ptr_null(stun_query_result(b->query));
		ck_assert_int_eq(send(b->peer, reply + i, 1, MSG_NOSIGNAL), 1);
		pass(b, -1);
	}
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

START_TEST(tcp_takes_the_right_one_of_two_in_a_segment)
{
	struct bench *b = begin(SOCK_STREAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], two[2 * ANSWER_SIZE];

	accept_request(b, request);
	write_answer(two, request, 66);
	two[8] ^= 1; /* of another transaction */
	write_answer(two + ANSWER_SIZE, request, 7);
	ck_assert_int_eq(send(b->peer, two, sizeof(two), MSG_NOSIGNAL), sizeof(two));
	expect_answer(b, "198.20.0.7");
	end(b);
}
END_TEST

START_TEST(tcp_is_closed_early)
{
	struct bench *b = begin(SOCK_STREAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];

	accept_request(b, request);
	write_answer(reply, request, 7);
	if (_i)
		ck_assert_int_eq(send(b->peer, reply, 31, MSG_NOSIGNAL), 31);
	close(b->peer);
	b->peer = -1;
	expect_error(b, "answer",
		     _i ? "closed the connection within its answer"
			: "closed the connection without an answer");
	end(b);
}
END_TEST

START_TEST(tcp_refuses_what_is_no_stun)
{
	static const char page[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct bench *b = begin(SOCK_STREAM, 5000);
	uint8_t request[STUN_HEADER_SIZE];

	accept_request(b, request);
	ck_assert_int_eq(send(b->peer, page, sizeof(page) - 1, MSG_NOSIGNAL), sizeof(page) - 1);
	expect_error(b, "answer", "sent something that is not STUN");
	end(b);
}
END_TEST

START_TEST(tcp_refuses_a_message_that_is_too_large)
{
	struct bench *b = begin(SOCK_STREAM, 5000);
	uint8_t request[STUN_HEADER_SIZE], reply[ANSWER_SIZE];

	accept_request(b, request);
	write_answer(reply, request, 7);
	reply[2] = 0xff, reply[3] = 0xfc;
	ck_assert_int_eq(send(b->peer, reply, sizeof(reply), MSG_NOSIGNAL), sizeof(reply));
	expect_error(b, "answer", "sent something that is not STUN");
	end(b);
}
END_TEST

START_TEST(tcp_fails_where_nobody_listens_or_answers)
{
	struct bench *b = begin(SOCK_STREAM, _i ? 300 : 20000);
	uint8_t request[STUN_HEADER_SIZE];

	if (_i) {
		accept_request(b, request);
	} else {
		close(b->server);
		b->server = -1;
	}
	expect_error(b, _i ? "timeout" : "connect",
		     _i ? "did not answer in time" : "could not be asked: Connection refused");
	end(b);
}
END_TEST

START_TEST(can_be_given_up_at_any_time)
{
	for (int passes = 0; passes < 4; passes++) {
		struct bench *b = begin(_i ? SOCK_STREAM : SOCK_DGRAM, 50);

		for (int n = 0; n < passes && !stun_query_result(b->query); n++)
			pass(b, -1);
		end(b);
	}
	stun_query_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stun_client");
	TCase *tc = tcase_create("stun_client");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, udp_asks_and_is_answered);
	tcase_add_test(tc, udp_drops_what_is_wrong_and_waits_on);
	tcase_add_test(tc, udp_hears_the_server_only);
	tcase_add_test(tc, udp_retransmits);
	tcase_add_test(tc, udp_gives_up_at_the_deadline);
	tcase_add_test(tc, udp_tells_what_it_dropped);
	tcase_add_test(tc, udp_fails_at_once_where_nobody_listens);
	tcase_add_test(tc, udp_reports_an_error_response);
	tcase_add_test(tc, tcp_takes_an_answer_in_single_bytes);
	tcase_add_test(tc, tcp_takes_the_right_one_of_two_in_a_segment);
	tcase_add_loop_test(tc, tcp_is_closed_early, 0, 2);
	tcase_add_test(tc, tcp_refuses_what_is_no_stun);
	tcase_add_test(tc, tcp_refuses_a_message_that_is_too_large);
	tcase_add_loop_test(tc, tcp_fails_where_nobody_listens_or_answers, 0, 2);
	tcase_add_loop_test(tc, can_be_given_up_at_any_time, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
