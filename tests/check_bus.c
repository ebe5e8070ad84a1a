#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "ipc/bus.h"
#include "ipc/message.h"

/* Longer than a publisher takes to find out that nng serves nobody any more: see ipc/bus.c. */
#define WAIT_MS 50000

static char dir[64];

static void
set_up(void)
{
	strcpy(dir, "/tmp/check_bus.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
tear_down(void)
{
	char path[128];
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%.40s", dir, entry->d_name);
		unlink(path);
	}
	closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct bus_publisher *
publisher(const char *name)
{
	const char *why;
	struct bus_publisher *p = bus_publisher_new(dir, name, &why);

	ck_assert_msg(p != NULL, "%s", why);
	return p;
}

/* One pass of a loop that holds either or both; true if the state is to be sent. */
static bool
pass(struct bus_publisher *p, struct bus_subscriber *s, int64_t until_ms)
{
	struct pollset set;
	int64_t now_ms = clock_now();

	pollset_reset(&set);
	pollset_wake_at(&set, until_ms);
	if (p != NULL)
		bus_publisher_prepare(p, &set, now_ms);
	if (s != NULL)
		bus_subscriber_prepare(s, &set, now_ms);
	pollset_wait(&set);
	now_ms = clock_now();
	if (s != NULL)
		bus_subscriber_tick(s, now_ms);
	return p != NULL && bus_due(p, &set, now_ms);
}

/* The next message, within the time; the publisher sends its state when it is due. */
static const char *
next_message(struct bus_publisher *p, const char *state, struct bus_subscriber *s, size_t *len)
{
	int64_t until_ms = clock_now() + WAIT_MS;
	const char *text;

	while ((text = bus_receive(s, len)) == NULL && clock_now() < until_ms)
		if (pass(p, s, until_ms))
			bus_publish(p, state);
	ck_assert_ptr_nonnull(text);
	return text;
}

/* Wait for this message. Whole states may come twice; the ones before it are passed over. */
static void
expect(struct bus_publisher *p, const char *state, struct bus_subscriber *s)
{
	int64_t until_ms = clock_now() + WAIT_MS;
	const char *text;
	size_t len;

	do {
		text = next_message(p, state, s, &len);
		ck_assert_uint_eq(len, strlen(text));
	} while (strcmp(text, state) != 0 && clock_now() < until_ms);
	ck_assert_str_eq(text, state);
}

static void
wait_connected(struct bus_publisher *p, struct bus_subscriber *s, bool wanted)
{
	int64_t until_ms = clock_now() + WAIT_MS;

	while (bus_connected(s) != wanted && clock_now() < until_ms)
		pass(p, s, until_ms);
	ck_assert_int_eq(bus_connected(s), wanted);
}

START_TEST(a_new_subscriber_gets_the_state)
{
	struct bus_publisher *p = publisher("detector");
	struct bus_subscriber *first = bus_subscriber_new(dir, "detector"), *second;

	expect(p, "{\"v\":1}", first);
	wait_connected(p, first, true);
	second = bus_subscriber_new(dir, "detector");
	expect(p, "{\"v\":2}", second);
	expect(p, "{\"v\":2}", first);
	bus_subscriber_free(first);
	bus_subscriber_free(second);
	bus_publisher_free(p);
}
END_TEST

START_TEST(a_subscriber_waits_for_its_publisher_and_for_its_return)
{
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	struct bus_publisher *p;

	ck_assert(!bus_connected(s));
	p = publisher("detector");
	expect(p, "first", s);
	bus_publisher_free(p);
	wait_connected(NULL, s, false);
	p = publisher("detector");
	expect(p, "second", s);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

/* After some seconds it only looks for the socket, and finds a new one. */
START_TEST(a_subscriber_without_a_publisher_is_patient)
{
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	int64_t now_ms = clock_now(), until_ms = now_ms + WAIT_MS;
	struct bus_publisher *p;

	bus_subscriber_tick(s, now_ms + 4000);
	p = publisher("detector");
	while (!bus_connected(s) && clock_now() < now_ms + 300) /* nobody dials */
		pass(p, NULL, now_ms + 300);
	ck_assert(!bus_connected(s));
	bus_subscriber_tick(s, now_ms + 4900);
	bus_subscriber_tick(s, now_ms + 5000);
	while (!bus_connected(s) && clock_now() < until_ms)
		pass(p, NULL, clock_now() + 20);
	ck_assert(bus_connected(s));
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

/* As with a unit that is disabled: there is nothing to dial, however long that lasts. */
START_TEST(a_socket_that_never_was_is_only_looked_for)
{
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	int64_t now_ms = clock_now();
	struct bus_publisher *p;

	bus_subscriber_tick(s, now_ms + 4000);
	bus_subscriber_tick(s, now_ms + 40000);
	p = publisher("detector");
	while (!bus_connected(s) && clock_now() < now_ms + 300)
		pass(p, NULL, now_ms + 300);
	ck_assert(!bus_connected(s));
	bus_subscriber_tick(s, now_ms + 41000);
	wait_connected(p, s, true);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

/* A process that is killed leaves its socket behind: the next one takes its place. */
START_TEST(the_socket_of_a_dead_process_is_replaced)
{
	char path[128];
	struct bus_publisher *p;
	struct bus_subscriber *s;
	int ready[2], status;
	pid_t child;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		publisher("updater");
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	snprintf(path, sizeof(path), "%s/updater.sock", dir);
	ck_assert_int_eq(access(path, F_OK), 0);
	p = publisher("updater");
	s = bus_subscriber_new(dir, "updater");
	expect(p, "again", s);
	bus_subscriber_free(s);
	bus_publisher_free(p);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

static void
assert_refused(const char *in, const char *name, const char *sentence)
{
	const char *why = NULL;

	ck_assert_ptr_null(bus_publisher_new(in, name, &why));
	ck_assert_msg(strstr(why, sentence) != NULL, "%s", why);
}

START_TEST(what_is_in_the_way_is_said)
{
	struct bus_publisher *p = publisher("detector");
	struct bus_subscriber *s;
	char path[128], deep[200];
	int fd;

	assert_refused(dir, "detector", "another process does");
	snprintf(path, sizeof(path), "%s/file.sock", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	assert_refused(dir, "file", "not a socket");
	ck_assert_int_eq(access(path, F_OK), 0);
	memset(deep, 'd', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	assert_refused(deep, "detector", "too long");
	assert_refused("/nonexistent/dir", "detector", "cannot listen");
	/* the listener that was there still works, and a subscriber without a path only waits */
	s = bus_subscriber_new(deep, "detector");
	ck_assert(!bus_connected(s));
	bus_subscriber_free(s);
	s = bus_subscriber_new(dir, "detector");
	expect(p, "well", s);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(only_the_owner_may_connect)
{
	struct bus_publisher *p = publisher("detector");
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/detector.sock", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	bus_publisher_free(p);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* A state of many messages arrives whole, and no pass takes more than its share of them. */
START_TEST(a_burst_arrives_whole_in_bounded_passes)
{
	struct bus_publisher *p = publisher("updater");
	struct bus_subscriber *s = bus_subscriber_new(dir, "updater");
	char *text = mem_new(MSG_SIZE_MAX + 1, 1);
	int64_t until_ms = clock_now() + WAIT_MS;
	unsigned got = 0, most = 0;
	size_t len;

	expect(p, "state", s);
	memset(text, 'x', MSG_SIZE_MAX);
	for (int i = 0; i < 200; i++) {
		snprintf(text, MSG_SIZE_MAX, "%04d", i);
		text[4] = 'x';
		bus_publish(p, text);
	}
	usleep(300000); /* so that many wait at once */
	while (got < 200 && clock_now() < until_ms) {
		unsigned in_pass = 0;
		const char *m;

		pass(NULL, s, until_ms);
		while ((m = bus_receive(s, &len)) != NULL) {
			in_pass++;
			if (strcmp(m, "state") == 0) /* sent again when the subscriber came */
				continue;
			ck_assert_uint_eq(len, MSG_SIZE_MAX);
			ck_assert_int_eq(atoi(m), (int)got);
			got++;
		}
		most = in_pass > most ? in_pass : most;
	}
	ck_assert_uint_eq(got, 200);
	ck_assert_uint_le(most, 64);
	free(text);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(a_message_too_long_is_not_sent)
{
	struct bus_publisher *p = publisher("updater");
	struct bus_subscriber *s = bus_subscriber_new(dir, "updater");
	char *text = mem_new(MSG_SIZE_MAX + 2, 1);

	expect(p, "state", s);
	memset(text, 'x', MSG_SIZE_MAX + 1);
	bus_publish(p, text);
	bus_publish(p, "after");
	expect(p, "after", s);
	ck_assert(bus_connected(s));
	free(text);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

START_TEST(the_last_message_gets_out_before_the_end)
{
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	struct bus_publisher *p = publisher("detector");

	expect(p, "state", s);
	bus_publish(p, "last words");
	bus_publisher_free(p);
	expect(NULL, "last words", s);
	bus_subscriber_free(s);
}
END_TEST

/* Is nothing due for so long? What comes in is taken, so that each pass really waits. */
static bool
is_quiet(struct bus_publisher *p, struct bus_subscriber *s, int64_t for_ms)
{
	int64_t until_ms = clock_now() + for_ms;
	size_t len;

	while (clock_now() < until_ms) {
		while (bus_receive(s, &len) != NULL)
			;
		if (pass(p, s, until_ms))
			return false;
	}
	return true;
}

START_TEST(a_silent_connection_is_dialled_anew)
{
	struct bus_publisher *p = publisher("detector");
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	int64_t now_ms, until_ms = clock_now() + WAIT_MS;

	expect(p, "state", s);
	while (!is_quiet(p, s, 400))
		ck_assert_int_lt(clock_now(), until_ms);
	now_ms = clock_now();
	bus_subscriber_tick(s, now_ms + 74000);
	ck_assert(is_quiet(p, s, 400)); /* nobody came */
	bus_subscriber_tick(s, now_ms + 76000);
	expect(p, "once more", s);
	wait_connected(p, s, true);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

static struct bus_subscriber *
connected_subscriber(void)
{
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");

	for (int n = 0; n < 500 && !bus_connected(s); n++)
		usleep(10000);
	ck_assert(bus_connected(s));
	return s;
}

/* Prepares the set as at now_ms, and waits until nng's threads have told of a connection. */
static void
wait_for_wake(struct bus_publisher *p, struct pollset *set, int64_t now_ms)
{
	pollset_reset(set);
	bus_publisher_prepare(p, set, now_ms);
	set->deadline_ms = clock_now() + WAIT_MS;
	pollset_wait(set);
}

/* Judged with times of the test's own: nothing waits here but for the connections. */
START_TEST(the_state_is_due_at_most_five_times_a_second_and_every_30_s)
{
	struct bus_publisher *p = publisher("detector");
	struct bus_subscriber *s[4];
	struct pollset set;
	int64_t base_ms = clock_now();

	pollset_reset(&set);
	ck_assert(bus_due(p, &set, base_ms));
	ck_assert(!bus_due(p, &set, base_ms + 29999));
	/* its own connection asks for it: it goes out once */
	ck_assert(!bus_due(p, &set, base_ms + 30000));
	usleep(100000);
	wait_for_wake(p, &set, base_ms + 30000);
	ck_assert(bus_due(p, &set, base_ms + 30001));
	base_ms += 30001;
	for (int i = 0; i < 3; i++)
		s[i] = connected_subscriber();
	usleep(100000);
	wait_for_wake(p, &set, base_ms + 1);
	ck_assert(bus_due(p, &set, base_ms + 1)); /* at once, and one for all three */
	s[3] = connected_subscriber();
	wait_for_wake(p, &set, base_ms + 2);
	ck_assert(!bus_due(p, &set, base_ms + 249));
	pollset_reset(&set);
	bus_publisher_prepare(p, &set, base_ms + 249);
	ck_assert_int_eq(set.deadline_ms, base_ms + 250);
	ck_assert(bus_due(p, &set, base_ms + 250));
	ck_assert(!bus_due(p, &set, base_ms + 751));
	for (int i = 0; i < 4; i++)
		bus_subscriber_free(s[i]);
	bus_publisher_free(p);
}
END_TEST

/* The publisher comes as the subscriber becomes patient: it is found at the next look. */
START_TEST(a_publisher_that_comes_at_the_last_moment_is_found)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int mute = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct bus_subscriber *s;
	struct bus_publisher *p;
	int64_t now_ms;

	/* nobody greets here: the dialer waits, while another socket takes the place */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/detector.sock", dir);
	ck_assert_int_eq(bind(mute, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(mute, 8), 0);
	s = bus_subscriber_new(dir, "detector");
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = mute, .events = POLLIN }, 1, WAIT_MS), 1);
	p = publisher("detector");
	now_ms = clock_now();
	bus_subscriber_tick(s, now_ms + 4000);
	ck_assert(!bus_connected(s));
	bus_subscriber_tick(s, now_ms + 5000);
	wait_connected(p, s, true);
	bus_subscriber_free(s);
	bus_publisher_free(p);
	close(mute);
}
END_TEST

/* nng's threads may tell of a connection while the loop already looks: not for ever after. */
START_TEST(a_change_is_told_once)
{
	struct bus_publisher *p = publisher("detector");
	struct pollset set;

	for (int i = 0; i < 300; i++) {
		struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
		int64_t until_ms = clock_now() + WAIT_MS;
		int ready = 1;

		while (!bus_connected(s) && clock_now() < until_ms)
			bus_subscriber_tick(s, clock_now());
		while (ready != 0 && clock_now() < until_ms) {
			bus_subscriber_tick(s, clock_now());
			pollset_reset(&set);
			bus_subscriber_prepare(s, &set, clock_now());
			ready = poll(set.fds, set.n, 1);
		}
		ck_assert(bus_connected(s));
		ck_assert_int_eq(ready, 0);
		bus_subscriber_free(s);
	}
	bus_publisher_free(p);
}
END_TEST

/*
 * Each reads nng's greeting first: one that goes without it may end nng's listener
 * (see the next test), or keep nng_close() from returning.
 */
START_TEST(noise_on_the_socket_does_no_harm)
{
	struct bus_publisher *p = publisher("detector");
	struct bus_subscriber *s = bus_subscriber_new(dir, "detector");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char noise[4096], greeting[8];

	expect(p, "state", s);
	memset(noise, 0xEE, sizeof(noise));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/detector.sock", dir);
	for (int i = 0; i < 20; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		ck_assert_int_eq(recv(fd, greeting, sizeof(greeting), 0), sizeof(greeting));
		ck_assert_int_gt(send(fd, noise, sizeof(noise), MSG_NOSIGNAL), 0);
		close(fd);
	}
	bus_publish(p, "still here");
	expect(p, "still here", s);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

/* A peer that is gone before nng greets it ends nng's listener, most of the time. */
START_TEST(a_dead_listener_is_made_anew)
{
	struct bus_publisher *p = publisher("detector");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t base_ms = clock_now() - 36000;
	struct bus_subscriber *s;
	struct pollset set;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/detector.sock", dir);
	for (int i = 0; i < 50; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
			ck_assert_int_eq(errno, ECONNREFUSED);
		close(fd);
	}
	pollset_reset(&set);
	ck_assert(bus_due(p, &set, base_ms));
	ck_assert(!bus_due(p, &set, base_ms + 30000)); /* it connects to itself */
	pass(p, NULL, clock_now() + 500);
	pollset_reset(&set);
	bus_due(p, &set, base_ms + 35000);
	s = bus_subscriber_new(dir, "detector");
	expect(p, "served again", s);
	bus_subscriber_free(s);
	bus_publisher_free(p);
}
END_TEST

static unsigned
open_descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* A publisher's process, which sends until it is killed. */
static void
publish_for_ever(void)
{
	struct bus_publisher *p = publisher("detector");

	for (;;) {
		pass(p, NULL, clock_now() + 20);
		bus_publish(p, "state");
	}
}

/*
 * Starts and ends such processes, one after the other, at each byte of commands. It is
 * forked before this process uses nng, whose threads a fork would lose.
 */
static void
serve_publishers(int commands)
{
	pid_t child = 0;
	char c;

	while (read(commands, &c, 1) == 1) {
		if (child > 0) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
		}
		child = c == 'x' ? 0 : fork();
		if (child == 0 && c != 'x')
			publish_for_ever();
	}
	_exit(0);
}

START_TEST(a_publisher_that_comes_and_goes_leaves_nothing_open)
{
	struct bus_subscriber *s;
	unsigned before = 0;
	int commands[2];
	pid_t server;

	ck_assert_int_eq(pipe(commands), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		close(commands[1]);
		serve_publishers(commands[0]);
	}
	close(commands[0]);
	s = bus_subscriber_new(dir, "detector");
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(write(commands[1], "s", 1), 1);
		expect(NULL, "state", s);
		ck_assert_int_eq(write(commands[1], "x", 1), 1);
		wait_connected(NULL, s, false);
		if (i == 0) /* nng keeps some of its own, made at its first use */
			before = open_descriptors();
	}
	for (int n = 0; n < 500 && open_descriptors() > before; n++)
		usleep(10000); /* nng closes some a moment later */
	ck_assert_uint_le(open_descriptors(), before);
	close(commands[1]);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	bus_subscriber_free(s);
	bus_publisher_free(NULL);
	bus_subscriber_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bus");
	TCase *tc = tcase_create("bus");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 600);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_new_subscriber_gets_the_state);
	tcase_add_test(tc, a_subscriber_waits_for_its_publisher_and_for_its_return);
	tcase_add_test(tc, a_subscriber_without_a_publisher_is_patient);
	tcase_add_test(tc, a_socket_that_never_was_is_only_looked_for);
	tcase_add_test(tc, a_publisher_that_comes_at_the_last_moment_is_found);
	tcase_add_test(tc, a_change_is_told_once);
	tcase_add_test(tc, the_socket_of_a_dead_process_is_replaced);
	tcase_add_test(tc, what_is_in_the_way_is_said);
	tcase_add_test(tc, only_the_owner_may_connect);
	tcase_add_test(tc, a_burst_arrives_whole_in_bounded_passes);
	tcase_add_test(tc, a_message_too_long_is_not_sent);
	tcase_add_loop_test(tc, the_last_message_gets_out_before_the_end, 0, 10);
	tcase_add_test(tc, a_silent_connection_is_dialled_anew);
	tcase_add_test(tc, the_state_is_due_at_most_five_times_a_second_and_every_30_s);
	tcase_add_test(tc, noise_on_the_socket_does_no_harm);
	tcase_add_test(tc, a_dead_listener_is_made_anew);
	tcase_add_test(tc, a_publisher_that_comes_and_goes_leaves_nothing_open);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
