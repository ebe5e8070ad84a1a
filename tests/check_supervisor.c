/* The supervisor as a whole, with real processes that behave well or badly. */
#include "supervised.h"

#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define JUMPING_CLOCK TESTS_BUILDDIR "/jumping_clock"

/* --- what it is for ------------------------------------------------------------------- */

START_TEST(starts_and_stops_in_order)
{
	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until_ready();
	ck_assert_uint_eq(journal_count(" start "), 3);
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert_uint_eq(journal_count("stops"), 3);
	ck_assert(!file_contains(log_file, "killed by signal"));
	ck_assert(is_gone(journal_number("detector start ")));
	ck_assert(is_gone(journal_number("updater start ")));
	ck_assert(is_gone(journal_number("webd start ")));
}
END_TEST

START_TEST(a_worker_is_born_clean)
{
	struct plan inspect = { .behaviour = "inspect" };

	setenv("API_KEY", "secret-one", 1);
	setenv("GANDI_API_KEY", "secret-two", 1);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	setenv("LISTEN_FDS", "3", 1);
	setenv("NODE_NAME", "node-a", 1);
	setenv("HOME", "/root", 1);
	signal(SIGHUP, SIG_IGN);
	supervised_configure(&inspect, &inspect, &inspect, "");
	supervised_start();
	wait_until_ready();
	/* 0 to 2, channel, part; the updater also the secret */
	ck_assert(file_contains(journal, "detector ignored=0 blocked=0 fds=5 leader=1 session=1 "
					 "no_new_privs=1 umask=077"));
	ck_assert(file_contains(journal, "webd ignored=0 blocked=0 fds=5 leader=1"));
	ck_assert(file_contains(journal, "updater ignored=0 blocked=0 fds=6 leader=1"));
	ck_assert(file_contains(journal, "updater secret secret-two writable=0"));
	ck_assert(file_contains(journal, "webd part {\"v\":1,\"unit\":\"webd\""));
	ck_assert_uint_eq(journal_count("secret-"), 1);
	ck_assert_uint_eq(journal_count("writable=1"), 0);
	ck_assert_uint_eq(journal_count("env NODE_NAME=node-a"), 3);
	ck_assert_uint_eq(journal_count("env HOME"), 0);
	ck_assert_uint_eq(journal_count("API_KEY"), 0);
	ck_assert_uint_eq(journal_count("env NOTIFY_SOCKET"), 0);
	ck_assert_uint_eq(journal_count("env LISTEN_FDS"), 0);
	ck_assert_uint_eq(journal_count("env WATCHDOG_USEC=20000000"), 3);
	ck_assert(!file_contains(log_file, "secret-"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(the_token_is_overwritten_in_its_environment)
{
	char path[64], content[65536];
	ssize_t n;
	int fd;

	setenv("API_KEY", "secret-one", 1);
	setenv("GANDI_API_KEY", "secret-two", 1);
	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until_ready();
	snprintf(path, sizeof(path), "/proc/%ld/environ", (long)esddns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* not dumpable: without privileges nobody reads it at all */
	n = fd >= 0 ? read(fd, content, sizeof(content)) : 0;
	ck_assert(n > 0 || geteuid() != 0);
	if (n > 0) {
		ck_assert_ptr_nonnull(memmem(content, (size_t)n, "API_KEY=xxxxxxxxxx", 18));
		ck_assert_ptr_null(memmem(content, (size_t)n, "secret-", 7));
	}
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(webd_hears_of_the_units)
{
	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until(file_contains(journal,
				 "webd got UNITS=[{\"name\":\"detector\",\"state\":\"active\""));
	wait_until(file_contains(
		journal, "\"status\":\"at work\",\"last_exit\":\"\",\"next_start_in\":-1}]"));
	kill((pid_t)journal_number("updater start "), SIGKILL);
	wait_until(file_contains(journal, "\"last_exit\":\"killed by signal 9 (Killed)\""));
	wait_until(journal_count("updater start ") == 2);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(usr1_makes_the_detector_detect)
{
	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until_ready();
	kill(esddns, SIGUSR1);
	wait_until(file_contains(journal, "detector got DETECT=1"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_reload_is_all_or_nothing)
{
	FILE *f;

	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until_ready();
	f = fopen(configuration, "ae");
	fprintf(f, "nonsense: 1\n");
	fclose(f);
	kill(esddns, SIGHUP);
	wait_until(file_contains(log_file, "the old one stays in force"));
	ck_assert_uint_eq(journal_count("RELOAD"), 0);

	supervised_configure(NULL, NULL, NULL, "webd: {drain: 1s}\n");
	kill(esddns, SIGHUP);
	wait_until(file_contains(journal, "webd got RELOAD=1"));
	ck_assert_uint_eq(journal_count("detector got RELOAD"), 0);
	ck_assert_uint_eq(journal_count(" start "), 3);

	supervised_configure(NULL, NULL, &(struct plan){ .extra = "    enabled: false\n" }, "");
	kill(esddns, SIGHUP);
	wait_until(file_contains(journal, "webd stops"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

/* --- workers that misbehave ------------------------------------------------------------ */

START_TEST(a_crash_loop_ends_with_the_workers_code)
{
	struct plan crash = { "exit", "3",
			      "    RestartSec: 10ms\n    RestartSteps: 0\n"
			      "    StartLimitBurst: 3\n" };

	supervised_configure(NULL, &crash, NULL, "on_failure: exit\n");
	supervised_start();
	ck_assert_int_eq(supervised_wait(), 3);
	ck_assert_uint_eq(journal_count("updater start "), 4);
	ck_assert(file_contains(log_file, "the unit ended too often and is given up"));
	ck_assert(file_contains(log_file, "last_exit=\"exited with 3\""));
	ck_assert(is_gone(journal_number("webd start ")));
}
END_TEST

START_TEST(degraded_it_runs_on)
{
	struct plan crash = { "exit", "3", "    Restart: \"no\"\n" };

	supervised_configure(&crash, NULL, NULL, "on_failure: degrade\n");
	supervised_start();
	wait_until(file_contains(log_file, "the unit failed and is not started again"));
	wait_until(file_contains(journal, "\"name\":\"detector\",\"state\":\"failed\""));
	ck_assert(!is_gone(journal_number("updater start ")));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(webds_failure_only_degrades)
{
	struct plan crash = { "exit", "1", "    Restart: \"no\"\n" };

	supervised_configure(NULL, NULL, &crash, "on_failure: exit\n");
	supervised_start();
	wait_until_ready();
	wait_until(file_contains(log_file, "the unit failed and is not started again"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_explained)
{
	struct plan missing = { .program = "esddns-missing", .extra = "    Restart: \"no\"\n" };

	setenv("ESDDNS_LIBEXECDIR", dir, 1);
	supervised_configure(NULL, NULL, &missing, "on_failure: exit\n");
	supervised_start();
	wait_until(file_contains(log_file, "the unit's program cannot be executed"));
	wait_until(file_contains(log_file, "/esddns-missing: No such file or directory"));
	wait_until(file_contains(log_file, "cause=exit"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

/* That ends the whole before the others of the same step were started: none of them is. */
START_TEST(nothing_starts_after_what_cannot_be_spawned)
{
	char name[700] = "/";
	struct plan long_name = { .program = name, .extra = "    Restart: \"no\"\n" };
	int status;

	memset(name + 1, 'x', 600);
	supervised_configure(NULL, &long_name, NULL, "on_failure: exit\n");
	supervised_start();
	status = supervised_wait();
	ck_assert_int_eq(status, 1);
	ck_assert(file_contains(log_file, "could not be started: File name too long"));
	/* one that was started all the same was asked to stop, and not killed for its silence */
	ck_assert_uint_eq(journal_count("webd start "), journal_count("webd stops"));
}
END_TEST

START_TEST(a_deaf_worker_is_killed_in_time)
{
	struct plan deaf = { "deaf", NULL, "    TimeoutStopSec: 300ms\n" };
	int64_t began;

	supervised_configure(&deaf, &deaf, &deaf, "");
	supervised_start();
	wait_until_ready();
	began = clock_now();
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert_int_ge(clock_now() - began, 600);  /* the updater after the detector */
	ck_assert_int_lt(clock_now() - began, 7000); /* and not at the end of all patience */
	ck_assert(is_gone(journal_number("updater start ")));
}
END_TEST

START_TEST(a_second_term_kills)
{
	struct plan deaf = { "deaf", NULL, "    TimeoutStopSec: 30s\n" };

	supervised_configure(NULL, &deaf, NULL, "");
	supervised_start();
	wait_until_ready();
	kill(esddns, SIGTERM);
	wait_until(file_contains(log_file, "msg=\"stopping\""));
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert(is_gone(journal_number("updater start ")));
}
END_TEST

START_TEST(an_orphan_does_not_outlive_it)
{
	struct plan orphan = { .behaviour = "orphan" };

	supervised_configure(NULL, &orphan, NULL, "");
	supervised_start();
	wait_until_ready();
	wait_until(journal_number("orphan ") > 0);
	ck_assert(!is_gone(journal_number("orphan ")));
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert(is_gone(journal_number("orphan ")));
}
END_TEST

/*
 * A start comes after the whole group of the one before is gone. (The member of the
 * very first may be killed before it can tell its number.)
 */
START_TEST(the_group_dies_with_its_leader)
{
	struct plan member = { "member", NULL, "    RestartSec: 10ms\n" };
	unsigned starts;
	long first;

	supervised_configure(NULL, &member, NULL, "");
	supervised_start();
	wait_until(journal_number("member ") > 0);
	first = journal_first_number("member ");
	starts = journal_count("updater start ");
	wait_until(journal_count("updater start ") > starts);
	ck_assert(is_gone(first));
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert(is_gone(journal_number("member ")));
}
END_TEST

START_TEST(ready_and_exit_in_one_tick_both_count)
{
	struct plan brief = { "ready-exit", "0", "    Restart: on-failure\n" };

	supervised_configure(NULL, NULL, &brief, "");
	supervised_start();
	wait_until_ready();
	/* clean, and not a broken protocol: READY was read before the end */
	wait_until(file_contains(log_file, "worker=webd last_exit=\"exited with 0\""));
	ck_assert(!file_contains(log_file, "cause=protocol"));
	ck_assert_uint_eq(journal_count("webd start "), 1);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_start_that_takes_too_long_is_ended)
{
	struct plan silent = { "silent", NULL, "    TimeoutStartSec: 100ms\n" };

	supervised_configure(NULL, &silent, NULL, "");
	supervised_start();
	wait_until(file_contains(log_file, "the unit did not come up in time"));
	wait_until(file_contains(log_file, "cause=timeout"));
	wait_until(journal_count("updater start ") >= 2);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_frozen_worker_misses_its_watchdog)
{
	struct plan freeze = { "freeze", NULL, "    WatchdogSec: 1s\n    TimeoutAbortSec: 1s\n" };

	supervised_configure(NULL, NULL, &freeze, "");
	supervised_start();
	wait_until(file_contains(log_file, "the unit missed its watchdog"));
	wait_until(file_contains(log_file, "cause=watchdog"));
	wait_until(journal_count("webd start ") >= 2);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

/*
 * As a paused container does, and a host that was suspended: all stood still, nobody
 * missed anything, though every watchdog is overdue when the supervisor looks first.
 */
START_TEST(a_pause_of_all_misses_no_watchdog)
{
	struct plan watched = { NULL, NULL, "    WatchdogSec: 3s\n" };
	pid_t all[4];
	int64_t until_ms;

	supervised_configure(&watched, &watched, &watched, "");
	supervised_start();
	wait_until_ready();
	all[0] = esddns;
	all[1] = (pid_t)journal_number("detector start ");
	all[2] = (pid_t)journal_number("updater start ");
	all[3] = (pid_t)journal_number("webd start ");
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(kill(all[i], SIGSTOP), 0);
	until_ms = clock_now() + 4000;
	while (clock_now() < until_ms)
		usleep(50000);
	ck_assert_int_eq(kill(esddns, SIGCONT), 0);
	wait_until(file_contains(log_file, "everything stood still") ||
		   file_contains(log_file, "missed its watchdog"));
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_eq(kill(all[i], SIGCONT), 0);
	kill(esddns, SIGUSR1);
	wait_until(file_contains(journal, "detector got DETECT=1"));
	ck_assert(!file_contains(log_file, "missed its watchdog"));
	ck_assert_uint_eq(journal_count(" start "), 3);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_flood_starves_nobody)
{
	struct plan flood = { "flood", "100000", NULL };

	supervised_configure(NULL, &flood, NULL, "");
	supervised_start();
	wait_until_ready();
	kill(esddns, SIGUSR1);
	wait_until(file_contains(journal, "detector got DETECT=1"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_stop_during_backoff_is_quick)
{
	struct plan crash = { "exit", "1",
			      "    RestartSec: 30s\n    RestartMaxDelaySec: 60s\n"
			      "    StartLimitBurst: 0\n" };
	int64_t began;

	supervised_configure(NULL, &crash, NULL, "");
	supervised_start();
	wait_until(file_contains(log_file, "the unit ended and will be started again"));
	began = clock_now();
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert_int_lt(clock_now() - began, 7000); /* of 30 s */
	ck_assert_uint_eq(journal_count("updater start "), 1);
}
END_TEST

/* --- the world around it ------------------------------------------------------------------ */

START_TEST(nobody_survives_its_kill)
{
	struct plan deaf = { .behaviour = "deaf" };

	supervised_configure(&deaf, NULL, &deaf, "");
	supervised_start();
	wait_until_ready();
	kill(esddns, SIGKILL);
	ck_assert_int_eq(supervised_wait(), 128 + SIGKILL);
	wait_until(is_gone(journal_number("detector start ")));
	wait_until(is_gone(journal_number("updater start ")));
	wait_until(is_gone(journal_number("webd start ")));
	/* and the lock is free again */
	supervised_start();
	wait_until(journal_count("webd start ") == 2);
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

START_TEST(a_second_one_is_told_who_runs)
{
	char words[64];
	pid_t first;

	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until_ready();
	first = esddns;
	supervised_start();
	ck_assert_int_eq(supervised_wait(), 1);
	snprintf(words, sizeof(words), "another esddns (pid %ld) already runs", (long)first);
	ck_assert(file_contains(log_file, words));
	esddns = first;
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

static void
few_descriptors(void)
{
	/* enough to set up, not for a socketpair, a pipe and what they carry */
	struct rlimit limit = { 9, 9 };

	setrlimit(RLIMIT_NOFILE, &limit);
}

START_TEST(without_descriptors_it_waits)
{
	supervised_configure(NULL, NULL, NULL, "on_failure: degrade\n");
	esddns = supervised_start_in(few_descriptors);
	wait_until(file_contains(log_file, "a process for the unit cannot be started"));
	wait_until(file_contains(log_file, "cause=resources"));
	ck_assert(file_contains(log_file, "Too many open files"));
	ck_assert_int_eq(supervised_stop(), 0);
}
END_TEST

/* A pipe that is full, and that nobody reads. */
static void
stuck_output(void)
{
	static char page[4096];
	int ends[2];

	if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
		_exit(99);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	/* it blocks who writes without care */
	fcntl(ends[1], F_SETFL, 0);
	dup2(ends[1], STDOUT_FILENO);
	dup2(ends[1], STDERR_FILENO);
}

START_TEST(nobody_reads_what_it_says)
{
	struct plan crash = { "exit", "1", "    RestartSec: 50ms\n" };
	int64_t began;

	supervised_configure(NULL, NULL, &crash, "");
	esddns = supervised_start_in(stuck_output);
	wait_until(journal_count("webd start ") >= 3);
	kill(esddns, SIGUSR1);
	wait_until(file_contains(journal, "detector got DETECT=1"));
	began = clock_now();
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert_int_lt(clock_now() - began, 7000); /* what blocks would do so for ever */
	ck_assert_uint_eq(journal_count("detector stops"), 1);
}
END_TEST

/* Invariant 10: jumping_clock's wall clock goes a year ahead or back at each reading. */
START_TEST(a_wall_clock_that_jumps_changes_nothing)
{
	struct plan crash = { "exit", "1",
			      "    RestartSec: 300ms\n    RestartMaxDelaySec: 301ms\n" };
	struct plan watched = { .extra = "    WatchdogSec: 60s\n    TimeoutStartSec: 60s\n" };
	struct plan freeze = { "freeze", NULL,
			       "    WatchdogSec: 1s\n    TimeoutAbortSec: 1s\n"
			       "    RestartSec: 30s\n    RestartMaxDelaySec: 60s\n" };
	int64_t began;
	unsigned starts;

	supervised_configure(&watched, &freeze, &crash, "");
	began = clock_now();
	supervised_start_program(JUMPING_CLOCK);
	wait_until(file_contains(log_file, "cause=watchdog"));
	ck_assert_int_ge(clock_now() - began, 1000);
	ck_assert(file_contains(log_file, "time=2"));
	usleep(1000000);
	/* one start, then one for each delay that passed: neither held up nor hurried */
	starts = journal_count("webd start ");
	ck_assert_uint_ge(starts, 3);
	ck_assert_uint_le(starts, 1 + (unsigned)((clock_now() - began) / 300));
	ck_assert_uint_eq(journal_count("detector start "), 1);
	ck_assert_uint_eq(journal_count("updater start "), 1); /* its backoff goes on */
	began = clock_now();
	ck_assert_int_eq(supervised_stop(), 0);
	ck_assert_int_lt(clock_now() - began, 7000);
}
END_TEST

START_TEST(a_wrong_configuration_ends_with_78)
{
	supervised_configure(NULL, NULL, NULL, "nonsense: 1\nwebd: {drain: never}\n");
	supervised_start();
	ck_assert_int_eq(supervised_wait(), 78);
	ck_assert(file_contains(log_file, "nonsense"));
	ck_assert(file_contains(log_file, "drain"));
}
END_TEST

static bool
receives(int fd, const char *want)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, want) != NULL;
}

START_TEST(the_service_manager_is_told)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[80];
	size_t len;

	/* an abstract name, as containers use it */
	snprintf(name, sizeof(name), "@%s", dir);
	len = strlen(name);
	memcpy(address.sun_path, name, len);
	address.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	supervised_configure(NULL, NULL, NULL, "");
	supervised_start();
	wait_until(receives(fd, "READY=1"));
	wait_until(receives(fd, "STATUS=3 of 3 units are up"));
	wait_until(receives(fd, "WATCHDOG=1"));
	kill(esddns, SIGHUP);
	wait_until(receives(fd, "RELOADING=1\nMONOTONIC_USEC="));
	wait_until(receives(fd, "READY=1"));
	kill(esddns, SIGTERM);
	wait_until(receives(fd, "STOPPING=1"));
	ck_assert_int_eq(supervised_wait(), 0);
	close(fd);
}
END_TEST

static void
become_init(void)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
		_exit(77);
	pid = fork();
	if (pid == 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	signal(SIGTERM, SIG_IGN);
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

START_TEST(as_pid_1_it_reaps_and_exits_with_the_workers_code)
{
	struct plan crash = { "exit", "5", "    Restart: \"no\"\n" };
	struct plan orphan = { .behaviour = "orphan" };
	int code;

	supervised_configure(&crash, NULL, &orphan, "");
	esddns = supervised_start_in(become_init);
	code = supervised_wait();
	if (code == 77) {
		fprintf(stderr, "NOT TESTED: as PID 1, since namespaces are not allowed here\n");
		return;
	}
	ck_assert_int_eq(code, 5);
	ck_assert(file_contains(log_file, "ended, because a unit failed"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("supervisor");
	TCase *tc = tcase_create("processes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, supervised_set_up, supervised_tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, starts_and_stops_in_order);
	tcase_add_test(tc, a_worker_is_born_clean);
	tcase_add_test(tc, the_token_is_overwritten_in_its_environment);
	tcase_add_test(tc, webd_hears_of_the_units);
	tcase_add_test(tc, usr1_makes_the_detector_detect);
	tcase_add_test(tc, a_reload_is_all_or_nothing);
	tcase_add_test(tc, a_crash_loop_ends_with_the_workers_code);
	tcase_add_test(tc, degraded_it_runs_on);
	tcase_add_test(tc, webds_failure_only_degrades);
	tcase_add_test(tc, a_program_that_is_not_there_is_explained);
	tcase_add_test(tc, nothing_starts_after_what_cannot_be_spawned);
	tcase_add_test(tc, a_deaf_worker_is_killed_in_time);
	tcase_add_test(tc, a_second_term_kills);
	tcase_add_test(tc, an_orphan_does_not_outlive_it);
	tcase_add_test(tc, the_group_dies_with_its_leader);
	tcase_add_test(tc, ready_and_exit_in_one_tick_both_count);
	tcase_add_test(tc, a_start_that_takes_too_long_is_ended);
	tcase_add_test(tc, a_frozen_worker_misses_its_watchdog);
	tcase_add_test(tc, a_pause_of_all_misses_no_watchdog);
	tcase_add_test(tc, a_flood_starves_nobody);
	tcase_add_test(tc, a_stop_during_backoff_is_quick);
	tcase_add_test(tc, nobody_survives_its_kill);
	tcase_add_test(tc, a_second_one_is_told_who_runs);
	tcase_add_test(tc, without_descriptors_it_waits);
	tcase_add_test(tc, nobody_reads_what_it_says);
	tcase_add_test(tc, a_wall_clock_that_jumps_changes_nothing);
	tcase_add_test(tc, a_wrong_configuration_ends_with_78);
	tcase_add_test(tc, the_service_manager_is_told);
	tcase_add_test(tc, as_pid_1_it_reaps_and_exits_with_the_workers_code);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
