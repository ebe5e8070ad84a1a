#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/channel.h"

#define PART(interval)                                                                             \
	"{\"v\":1,\"log\":{\"level\":\"info\",\"format\":\"auto\"},\"interval\":" #interval "}"

/* The supervisor's end; the worker is this process, as Check runs each test in one of its own. */
static int super;

static int
memfd(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
	return fd;
}

static void
set_number(const char *variable, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	setenv(variable, text, 1);
}

/* What the supervisor prepares before it executes a worker. */
static int
prepare_environment(const char *part)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	super = pair[0];
	set_number(CHANNEL_ENV, pair[1]);
	set_number(CHANNEL_PART_ENV, memfd(part, strlen(part)));
	setenv(CHANNEL_UNIT_ENV, "detector", 1);
	return pair[1];
}

static struct channel *
open_channel(void)
{
	prepare_environment(PART(300000));
	return channel_open("detector");
}

static int64_t
interval(const struct channel *c)
{
	int64_t value = -1;

	ck_assert(json_int(channel_part(c), "interval", 0, INT64_MAX, &value));
	return value;
}

/* One pass: waits 2 s at most, and returns the first event. */
static enum channel_event
next_event(struct channel *c, struct pollset *set)
{
	int64_t now_ms = clock_now();

	pollset_reset(set);
	pollset_wake_at(set, now_ms + 2000);
	channel_prepare(c, set, now_ms);
	pollset_wait(set);
	return channel_next(c, set, clock_now());
}

static void
command(const char *text)
{
	ck_assert_int_eq(send(super, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void
command_with_fds(const char *text, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	struct cmsghdr *m;

	header.msg_controllen = CMSG_SPACE(n * sizeof(int));
	m = CMSG_FIRSTHDR(&header);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(m), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(super, &header, 0), (ssize_t)strlen(text));
}

static void
heard(const char *expected)
{
	char text[CHANNEL_UP_MAX + 1];
	ssize_t n = recv(super, text, CHANNEL_UP_MAX, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	ck_assert_str_eq(text, expected);
}

static int
lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

START_TEST(it_takes_what_the_supervisor_left)
{
	int fd = prepare_environment(PART(300000)), part_fd = atoi(getenv(CHANNEL_PART_ENV));
	struct channel *c;

	setenv("WATCHDOG_USEC", "20000000", 1);
	ck_assert_int_eq(lseek(part_fd, 0, SEEK_END), (off_t)strlen(PART(300000)));
	c = channel_open("worker");
	ck_assert_int_eq(interval(c), 300000);
	ck_assert_ptr_null(channel_secret(c));
	ck_assert_ptr_null(channel_units(c));
	ck_assert_ptr_null(getenv(CHANNEL_ENV));
	ck_assert_ptr_null(getenv(CHANNEL_PART_ENV));
	ck_assert_ptr_null(getenv(CHANNEL_UNIT_ENV));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(part_fd, F_GETFD), -1); /* read, and closed */
	channel_close(c);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	channel_close(NULL);
}
END_TEST

START_TEST(the_secret_is_trimmed_and_guarded)
{
	struct channel *c;
	int fd = memfd(" \n token-123 \r\n", 15);

	prepare_environment(PART(1));
	set_number(CHANNEL_SECRET_ENV, fd);
	c = channel_open("updater");
	ck_assert_str_eq(channel_secret(c), "token-123");
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_ptr_null(getenv(CHANNEL_SECRET_ENV));
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	channel_close(c);
}
END_TEST

START_TEST(a_blank_secret_is_none)
{
	struct channel *c;

	prepare_environment(PART(1));
	set_number(CHANNEL_SECRET_ENV, memfd(" \n", 2));
	c = channel_open("updater");
	ck_assert_ptr_null(channel_secret(c));
	channel_close(c);
}
END_TEST

START_TEST(it_says_ready_status_and_stopping)
{
	struct channel *c = open_channel();
	char large[3000], expected[600];

	channel_ready(c);
	heard("READY=1");
	channel_status(c, "address 192.31.196.7");
	heard("STATUS=address 192.31.196.7");
	channel_status(c, "address 192.31.196.7");
	heard(""); /* nothing new */
	channel_status(c, "two\nlines\xff");
	heard("STATUS=two?lines?");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	channel_status(c, large);
	snprintf(expected, sizeof(expected), "STATUS=%.511s", large);
	heard(expected);
	channel_stopping(c);
	heard("STOPPING=1");
	channel_close(c);
}
END_TEST

/* A supervisor that does not read must not stop a worker, nor miss its READY in the end. */
START_TEST(a_full_socket_never_blocks)
{
	struct channel *c = open_channel();
	char text[600];
	struct pollset set;
	unsigned statuses = 0, readies = 0;

	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "%0400d", i);
		channel_status(c, text);
	}
	channel_ready(c);
	for (int round = 0; round < 3 && readies == 0; round++) {
		ssize_t n;

		while ((n = recv(super, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
			text[n] = '\0';
			statuses += strncmp(text, "STATUS=", 7) == 0;
			readies += strcmp(text, "READY=1") == 0;
		}
		ck_assert_int_eq(errno, EAGAIN);
		pollset_reset(&set);
		pollset_wake_at(&set, clock_now() + 100);
		channel_prepare(c, &set, clock_now());
	}
	ck_assert_uint_gt(statuses, 0);
	ck_assert_uint_lt(statuses, 5000); /* it was full */
	ck_assert_uint_eq(readies, 1);
	snprintf(text, sizeof(text), "%0400d", 4999);
	channel_status(c, text); /* was dropped, so it is not taken for said */
	ck_assert_int_gt(recv(super, text, sizeof(text), MSG_DONTWAIT), 0);
	channel_close(c);
}
END_TEST

START_TEST(the_watchdog_is_fed_at_half_its_interval)
{
	struct pollset set;
	struct channel *c;
	int64_t now_ms = 1000000;

	setenv("WATCHDOG_USEC", "20000000", 1);
	c = open_channel();
	pollset_reset(&set);
	channel_prepare(c, &set, now_ms);
	heard("WATCHDOG=1");
	ck_assert_int_eq(set.deadline_ms, now_ms + 10000);
	channel_prepare(c, &set, now_ms + 9999);
	heard("");
	channel_prepare(c, &set, now_ms + 10000);
	heard("WATCHDOG=1");
	channel_close(c);
	c = open_channel(); /* without one, nothing is sent and nothing wakes it */
	pollset_reset(&set);
	channel_prepare(c, &set, now_ms + 50000);
	heard("");
	ck_assert_int_eq(set.deadline_ms, CLOCK_NEVER);
	channel_close(c);
}
END_TEST

START_TEST(commands_become_events)
{
	struct channel *c = open_channel();
	struct pollset set;

	command("DETECT=1");
	command("SYNC=1");
	command("DRAIN=1");
	command("UNITS=[{\"name\":\"webd\",\"state\":\"active\"}]");
	ck_assert_int_eq(next_event(c, &set), CHANNEL_DETECT);
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_SYNC);
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_DRAIN);
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_UNITS);
	ck_assert_int_eq(cJSON_GetArraySize(channel_units(c)), 1);
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_NONE);
	command("FUTURE=1");
	ck_assert_int_eq(next_event(c, &set), CHANNEL_NONE);
	command("UNITS=[]");
	ck_assert_int_eq(next_event(c, &set), CHANNEL_UNITS);
	ck_assert_int_eq(cJSON_GetArraySize(channel_units(c)), 0);
	channel_close(c);
}
END_TEST

START_TEST(a_flood_of_commands_ends_the_pass)
{
	struct channel *c = open_channel();
	struct pollset set;
	unsigned in_pass = 1;

	for (int i = 0; i < 100; i++)
		command("DETECT=1");
	ck_assert_int_eq(next_event(c, &set), CHANNEL_DETECT);
	while (channel_next(c, &set, clock_now()) == CHANNEL_DETECT)
		in_pass++;
	ck_assert_uint_eq(in_pass, 64);
	in_pass = 1;
	ck_assert_int_eq(next_event(c, &set), CHANNEL_DETECT);
	while (channel_next(c, &set, clock_now()) == CHANNEL_DETECT)
		in_pass++;
	ck_assert_uint_eq(in_pass, 36);
	channel_close(c);
}
END_TEST

START_TEST(signals_become_events)
{
	struct channel *c = open_channel();
	struct pollset set;

	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_DETECT);
	ck_assert_int_eq(raise(SIGHUP), 0);
	ck_assert_int_eq(raise(SIGPIPE), 0);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_NONE);
	ck_assert_int_eq(raise(SIGTERM), 0);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_STOP);
	ck_assert_int_eq(raise(SIGINT), 0);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_STOP);
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_NONE);
	channel_close(c);
}
END_TEST

START_TEST(a_reload_replaces_the_part)
{
	struct channel *c = open_channel();
	int first = lowest_free_fd();
	struct pollset set;

	for (int i = 0; i < 3; i++) {
		int fds[3];

		fds[0] = memfd(i % 2 ? PART(5) : PART(6), strlen(PART(5)));
		fds[1] = memfd("x", 1); /* more than is wanted is closed */
		fds[2] = memfd("y", 1);
		command_with_fds("RELOAD=1", fds, 3);
		for (int k = 0; k < 3; k++)
			close(fds[k]);
		ck_assert_int_eq(next_event(c, &set), CHANNEL_RELOAD);
		ck_assert_int_eq(interval(c), i % 2 ? 5 : 6);
		fds[0] = memfd("z", 1); /* one that nobody asked for, too */
		command_with_fds("SYNC=1", fds, 1);
		close(fds[0]);
		ck_assert_int_eq(next_event(c, &set), CHANNEL_SYNC);
	}
	ck_assert_int_eq(lowest_free_fd(), first);
	channel_close(c);
}
END_TEST

START_TEST(the_end_of_the_supervisor_is_seen)
{
	struct channel *c = open_channel();
	struct pollset set;

	command("SYNC=1");
	close(super);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_SYNC); /* its last word still counts */
	ck_assert_int_eq(channel_next(c, &set, clock_now()), CHANNEL_GONE);
	channel_status(c, "nobody hears it");
	channel_ready(c);
	ck_assert_int_eq(next_event(c, &set), CHANNEL_GONE);
	channel_close(c);
}
END_TEST

/* --- what ends the process ----------------------------------------------------- */

START_TEST(alone_it_does_not_run)
{
	unsetenv(CHANNEL_ENV);
	channel_open("detector");
}
END_TEST

static const char *const bad_parts[] = {
	"",
	"[]",
	"{\"v\":1",
	"{\"v\":2,\"log\":{\"level\":\"info\",\"format\":\"auto\"}}",
	"{\"v\":1}",
	"{\"v\":1,\"log\":{\"level\":\"loud\",\"format\":\"auto\"}}",
	"{\"v\":1,\"log\":{\"level\":\"info\",\"format\":7}}",
	PART(1) "x",
};

START_TEST(a_bad_part_ends_it)
{
	prepare_environment(bad_parts[_i]);
	channel_open("detector");
}
END_TEST

START_TEST(a_bad_reload_ends_it)
{
	struct channel *c = open_channel();
	struct pollset set;
	int fd = memfd(bad_parts[_i], strlen(bad_parts[_i]));

	command_with_fds("RELOAD=1", &fd, 1);
	next_event(c, &set);
}
END_TEST

static const char *const bad_commands[] = {
	"RELOAD=1",
	"UNITS={}",
	"UNITS=[",
	"UNITS=[7]",
	"UNITS=[{\"name\":\"webd\"}]",
	"UNITS=[{\"state\":\"active\"}]",
};

START_TEST(a_bad_command_ends_it)
{
	struct channel *c = open_channel();
	struct pollset set;

	command(bad_commands[_i]);
	next_event(c, &set);
}
END_TEST

START_TEST(a_binary_command_ends_it)
{
	struct channel *c = open_channel();
	struct pollset set;

	ck_assert_int_eq(send(super, "SYNC=1\0x", 8, 0), 8);
	next_event(c, &set);
}
END_TEST

START_TEST(a_command_too_long_ends_it)
{
	char *text = mem_new(CHANNEL_DOWN_MAX + 2, 1);
	struct channel *c = open_channel();
	struct pollset set;

	memset(text, 'x', CHANNEL_DOWN_MAX + 1);
	command(text);
	next_event(c, &set);
}
END_TEST

START_TEST(a_bad_descriptor_ends_it)
{
	static const char *const bad[] = { "", "-1", "x", "7x", "999", "99999999999999999999" };

	prepare_environment(PART(1));
	setenv(_i % 2 ? CHANNEL_ENV : CHANNEL_PART_ENV, bad[_i / 2], 1);
	channel_open("detector");
}
END_TEST

START_TEST(another_kind_of_socket_ends_it)
{
	int pair[2];

	prepare_environment(PART(1));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	set_number(CHANNEL_ENV, pair[0]);
	channel_open("detector");
}
END_TEST

START_TEST(a_part_too_long_ends_it)
{
	char *text = mem_new(CHANNEL_PART_MAX + 2, 1);

	memset(text, ' ', CHANNEL_PART_MAX + 1);
	memcpy(text, PART(1), strlen(PART(1)));
	prepare_environment(text);
	channel_open("detector");
}
END_TEST

START_TEST(a_secret_with_a_nul_ends_it)
{
	prepare_environment(PART(1));
	set_number(CHANNEL_SECRET_ENV, memfd("a\0b", 3));
	channel_open("updater");
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("channel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, it_takes_what_the_supervisor_left);
	tcase_add_test(tc, the_secret_is_trimmed_and_guarded);
	tcase_add_test(tc, a_blank_secret_is_none);
	tcase_add_test(tc, it_says_ready_status_and_stopping);
	tcase_add_test(tc, a_full_socket_never_blocks);
	tcase_add_test(tc, the_watchdog_is_fed_at_half_its_interval);
	tcase_add_test(tc, commands_become_events);
	tcase_add_test(tc, a_flood_of_commands_ends_the_pass);
	tcase_add_test(tc, signals_become_events);
	tcase_add_test(tc, a_reload_replaces_the_part);
	tcase_add_test(tc, the_end_of_the_supervisor_is_seen);
	tcase_add_exit_test(tc, alone_it_does_not_run, 64);
	tcase_add_loop_exit_test(tc, a_bad_part_ends_it, 70, 0, COUNT(bad_parts));
	tcase_add_loop_exit_test(tc, a_bad_reload_ends_it, 70, 0, COUNT(bad_parts));
	tcase_add_loop_exit_test(tc, a_bad_command_ends_it, 70, 0, COUNT(bad_commands));
	tcase_add_exit_test(tc, a_binary_command_ends_it, 70);
	tcase_add_exit_test(tc, a_command_too_long_ends_it, 70);
	tcase_add_loop_exit_test(tc, a_bad_descriptor_ends_it, 70, 0, 12);
	tcase_add_exit_test(tc, another_kind_of_socket_ends_it, 70);
	tcase_add_exit_test(tc, a_part_too_long_ends_it, 70);
	tcase_add_exit_test(tc, a_secret_with_a_nul_ends_it, 70);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
