#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "ipc/bus.h"
#include "ipc/peer.h"

#define WAIT_MS 20000
#define MOST 2

static struct sockaddr_in place;
static char url[64];

/* A port that was free a moment ago. */
static void
set_up(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(place);

	place = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&place, sizeof(place)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&place, &len), 0);
	close(fd);
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", ntohs(place.sin_port));
}

static struct bus_publisher *
publisher(void)
{
	const char *why;
	struct bus_publisher *p = bus_publisher_new_tcp(url, MOST, &why);

	ck_assert_msg(p != NULL, "%s", why);
	return p;
}

static struct bus_subscriber *
subscriber(void)
{
	struct bus_subscriber *s = bus_subscriber_new_tcp();

	bus_subscriber_dial(s, url);
	return s;
}

/* One pass of a loop that holds both; sends what is due. */
static void
pass(struct bus_publisher *p, struct bus_subscriber *s, const char *text, size_t len)
{
	int64_t now_ms = clock_now();
	struct pollset set;

	pollset_reset(&set);
	pollset_wake_at(&set, now_ms + 50);
	bus_publisher_prepare(p, &set, now_ms);
	bus_subscriber_prepare(s, &set, now_ms);
	pollset_wait(&set);
	bus_subscriber_tick(s, clock_now());
	if (bus_due(p, &set, clock_now()))
		bus_publish_bytes(p, text, len);
}

static void
expect(struct bus_publisher *p, struct bus_subscriber *s, const char *text, size_t len)
{
	int64_t until_ms = clock_now() + WAIT_MS;
	const char *got = NULL;
	size_t n = 0;

	while ((got = bus_receive(s, &n)) == NULL && clock_now() < until_ms)
		pass(p, s, text, len);
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(n, len);
	ck_assert_int_eq(memcmp(got, text, len), 0);
}

START_TEST(the_largest_message_arrives_sealed)
{
	struct bus_publisher *p = publisher();
	struct bus_subscriber *s = subscriber();
	struct peer_key key = { "0123456789abcdef", 16 };
	char json[MSG_SIZE_MAX + 1], from[MSG_HOLDER_MAX], *sealed;
	size_t len;

	memset(json, 'x', MSG_SIZE_MAX);
	json[MSG_SIZE_MAX] = '\0';
	memset(from, 'n', sizeof(from));
	from[sizeof(from) - 1] = '\0';
	sealed = peer_seal(&key, from, UINT64_MAX, json, &len);
	ck_assert_uint_le(len, BUS_SIZE_MAX);
	expect(p, s, sealed, len);
	free(sealed);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(a_publisher_that_comes_back_is_found)
{
	struct bus_publisher *p = publisher();
	struct bus_subscriber *s = subscriber();
	int64_t until_ms = clock_now() + WAIT_MS;

	expect(p, s, "one", 3);
	bus_publisher_free(p);
	while (bus_connected(s) && clock_now() < until_ms)
		usleep(1000);
	ck_assert(!bus_connected(s));
	p = publisher();
	expect(p, s, "two", 3);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(more_subscribers_than_allowed_are_closed)
{
	struct bus_publisher *p = publisher();
	struct bus_subscriber *s[MOST + 1];
	int64_t until_ms;
	size_t len;

	for (size_t i = 0; i < MOST; i++) {
		s[i] = subscriber();
		expect(p, s[i], "state", 5);
	}
	for (size_t i = MOST; i < MOST + 1; i++)
		s[i] = subscriber();
	until_ms = clock_now() + 1000;
	while (clock_now() < until_ms) {
		pass(p, s[MOST], "state", 5);
		ck_assert_ptr_null(bus_receive(s[MOST], &len)); /* it has no place */
	}
	/* a place that becomes free is taken: none was lost by those that were closed */
	bus_subscriber_free(s[0]);
	expect(p, s[MOST], "state", 5);
	for (size_t i = 1; i < MOST + 1; i++)
		bus_subscriber_free(s[i]);
	bus_publisher_free(p);
}
END_TEST

/* Scanners of the port, with and without a reset. */
START_TEST(strangers_end_nothing)
{
	struct bus_publisher *p = publisher();
	struct bus_subscriber *s;

	for (int i = 0; i < 400; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct linger reset = { .l_onoff = 1 };

		ck_assert_int_eq(connect(fd, (struct sockaddr *)&place, sizeof(place)), 0);
		if ((i & 1) != 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if ((i & 2) != 0)
			send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		close(fd);
	}
	s = subscriber();
	expect(p, s, "well", 4);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(an_address_in_use_is_said)
{
	struct bus_publisher *p = publisher();
	const char *why;

	ck_assert_ptr_null(bus_publisher_new_tcp(url, MOST, &why));
	ck_assert_ptr_nonnull(strstr(why, "Address in use"));
	ck_assert_ptr_nonnull(strstr(why, url));
	bus_publisher_free(p);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bus over TCP");
	TCase *tc = tcase_create("tcp");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_largest_message_arrives_sealed);
	tcase_add_test(tc, a_publisher_that_comes_back_is_found);
	tcase_add_test(tc, more_subscribers_than_allowed_are_closed);
	tcase_add_test(tc, strangers_end_nothing);
	tcase_add_test(tc, an_address_in_use_is_said);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
