/* Processes, one at a time: how they are started, signalled and seen to their end. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/sealed.h"
#include "supervisor/spawn.h"
#include "supervisor/worker.h"

#define PATIENCE_MS 20000
/* Sanitized, a fork copies the tables of a shadow memory, and takes ten times as long. */
#ifdef __SANITIZE_ADDRESS__
#define RESTARTS 1000
#else
#define RESTARTS 10000
#endif
#define ANY_USER 54321

#define ARGV(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static char *const no_environment[] = { NULL };

/* As the supervisor's loop has it: SIGCHLD is blocked, orphans are adopted. */
static void
set_up(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ck_assert_int_eq(spawn_prepare(), 0);
}

static pid_t
run(char *const *argv, int *progress_fd)
{
	struct spawn_request r = { .path = argv[0], .argv = argv, .envp = no_environment };
	pid_t pid;

	ck_assert_int_eq(spawn_start(&r, &pid, progress_fd), 0);
	return pid;
}

static enum spawn_progress
wait_for_progress(int fd, struct spawn_error *error)
{
	enum spawn_progress progress;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while ((progress = spawn_progress(fd, error)) == SPAWN_PENDING)
		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	close(fd);
	return progress;
}

static pid_t
wait_for_end(void)
{
	int64_t until = clock_now() + PATIENCE_MS;
	pid_t pid;

	while ((pid = spawn_ended()) == 0) {
		ck_assert_int_lt(clock_now(), until);
		usleep(1000);
	}
	return pid;
}

START_TEST(a_program_runs_and_is_reaped_once)
{
	char *const *argv = ARGV("/bin/sh", "-c", "exit 7");
	struct unit_status status;
	struct spawn_error error;
	int fd;
	pid_t pid = run(argv, &fd);

	ck_assert_int_eq(wait_for_progress(fd, &error), SPAWN_EXECED);
	ck_assert_int_eq(wait_for_end(), pid);
	ck_assert_int_eq(wait_for_end(), pid); /* still there: its number is pinned */
	spawn_reap(pid, &status);
	ck_assert(!status.signalled);
	ck_assert_int_eq(status.code, 7);
	ck_assert_int_eq(spawn_ended(), 0);
	ck_assert(!spawn_group_alive(pid));
}
END_TEST

START_TEST(a_failed_exec_says_why)
{
	static const struct {
		const char *path;
		int error;
	} rows[] = { { "/nonexistent/program", ENOENT },
		     { "/etc", EACCES },
		     { "/etc/passwd", EACCES } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *const *argv = ARGV(rows[i].path);
		struct unit_status status;
		struct spawn_error error;
		int fd;
		pid_t pid = run(argv, &fd);

		ck_assert_int_eq(wait_for_progress(fd, &error), SPAWN_ERROR);
		ck_assert_int_eq(error.number, rows[i].error);
		ck_assert_str_eq(error.what, "execve");
		ck_assert_int_eq(wait_for_end(), pid);
		spawn_reap(pid, &status);
		ck_assert_int_eq(status.code, SPAWN_EXIT_EXEC);
	}
}
END_TEST

START_TEST(a_failed_fork_is_reported)
{
	char *const *argv = ARGV("/bin/true");
	struct spawn_request r = { .path = argv[0], .argv = argv, .envp = no_environment };
	struct rlimit limit, none;
	int fd = -1, result;
	pid_t pid = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = spawn_start(&r, &pid, &fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(spawn_ended(), 0);
}
END_TEST

START_TEST(a_stopped_process_sees_a_signal)
{
	char *const *argv = ARGV("/bin/sleep", "1000");
	struct unit_status status;
	struct spawn_error error;
	siginfo_t info;
	int fd;
	pid_t pid = run(argv, &fd);

	ck_assert_int_eq(wait_for_progress(fd, &error), SPAWN_EXECED);
	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	spawn_signal(pid, SIGTERM);
	ck_assert_int_eq(wait_for_end(), pid);
	spawn_reap(pid, &status);
	ck_assert(status.signalled);
	ck_assert_int_eq(status.code, SIGTERM);
}
END_TEST

/* Even one that has not come to setsid(2) and execve(2) yet. */
START_TEST(a_child_can_be_killed_at_any_moment)
{
	for (int i = 0; i < 50; i++) {
		char *const *argv = ARGV("/bin/sleep", "1000");
		struct unit_status status;
		int fd;
		pid_t pid = run(argv, &fd);

		for (volatile int spin = 0; spin < i * 2000; spin++)
			;
		spawn_signal(pid, SIGKILL);
		ck_assert_int_eq(wait_for_end(), pid);
		spawn_reap(pid, &status);
		ck_assert(status.signalled);
		close(fd);
	}
}
END_TEST

START_TEST(the_group_can_be_killed_after_its_leader_ended)
{
	char *const *argv = ARGV("/bin/sh", "-c", "sleep 1000 & exit 0");
	int64_t until = clock_now() + PATIENCE_MS;
	struct unit_status status;
	struct spawn_error error;
	int fd;
	pid_t pid = run(argv, &fd);

	ck_assert_int_eq(wait_for_progress(fd, &error), SPAWN_EXECED);
	while (spawn_ended() != pid)
		usleep(1000);
	spawn_group_kill(pid);
	spawn_reap(pid, &status);
	while (spawn_group_alive(pid)) {
		pid_t stray = spawn_ended();

		ck_assert_int_lt(clock_now(), until);
		if (stray > 0)
			spawn_reap(stray, &status);
	}
}
END_TEST

START_TEST(a_sweep_leaves_nobody)
{
	/* in groups and sessions of their own, and with children that are adopted meanwhile */
	char *const *argv =
		ARGV("/bin/sh", "-c",
		     "for i in 1 2 3; do setsid sh -c 'sleep 1000 & sleep 1000' & done; exit 0");
	struct spawn_error error;
	int fd;

	run(argv, &fd);
	ck_assert_int_eq(wait_for_progress(fd, &error), SPAWN_EXECED);
	wait_for_end();
	ck_assert(spawn_sweep(clock_now() + PATIENCE_MS));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* --- workers ------------------------------------------------------------------------------ */

struct seen {
	unsigned count[UNIT_EV__MAX];
};

static void
on_event(void *arg, const char *name, const struct unit_event *ev)
{
	struct seen *seen = arg;

	ck_assert_str_eq(name, "detector");
	seen->count[ev->type]++;
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
live(struct worker *w, char *const *argv, uint64_t incarnation)
{
	struct worker_start start = { .libexec_dir = "/nonexistent",
				      .argv = argv,
				      .variables = (char *const *)no_environment,
				      .secret_fd = -1 };
	int64_t until = clock_now() + PATIENCE_MS;

	worker_start(w, &start, incarnation);
	while (w->pid != 0 || w->unborn) {
		if (w->pid != 0 && !w->reaped && spawn_ended() == w->pid)
			worker_reap(w);
		worker_settle(w);
		ck_assert_int_lt(clock_now(), until);
	}
}

START_TEST(many_restarts_leak_nothing)
{
	char *const *good = ARGV("/bin/true"), *const *missing = ARGV("missing");
	struct seen seen = { { 0 } };
	struct worker w;
	int before;

	worker_init(&w, "detector", on_event, &seen);
	worker_set_part(&w, sealed_new("part", "{}", 2));
	before = open_descriptors();
	for (unsigned i = 1; i <= RESTARTS; i++)
		live(&w, i % 10 == 0 ? missing : good, i);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_uint_eq(seen.count[UNIT_EV_EXECED], RESTARTS / 10 * 9);
	ck_assert_uint_eq(seen.count[UNIT_EV_ENDED], RESTARTS);
	ck_assert_str_eq(w.last_exit,
			 "could not be executed: /nonexistent/missing: No such file or directory");
	worker_free(&w);
}
END_TEST

START_TEST(a_worker_without_descriptors_is_a_failed_spawn)
{
	char *const *argv = ARGV("/bin/true");
	struct seen seen = { { 0 } };
	struct rlimit limit, none;
	struct worker w;

	worker_init(&w, "detector", on_event, &seen);
	worker_set_part(&w, sealed_new("part", "{}", 2));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (rlim_t n = 0; n < 64 && seen.count[UNIT_EV_ENDED] == 0; n++) {
		none = limit;
		none.rlim_cur = n;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
		live(&w, argv, n + 1);
		ck_assert_int_eq(w.channel_fd, -1);
		ck_assert_int_eq(w.progress_fd, -1);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_ge(seen.count[UNIT_EV_SPAWN_FAILED], 3);
	worker_free(&w);
}
END_TEST

/* fork(2): EAGAIN where the user has as many processes as it may. */
START_TEST(a_worker_without_a_process_is_a_failed_spawn)
{
	char *const *argv = ARGV("/bin/true");
	struct rlimit limit, none;
	struct seen seen = { { 0 } };
	struct worker w;
	int before;

	worker_init(&w, "detector", on_event, &seen);
	worker_set_part(&w, sealed_new("part", "{}", 2));
	/* root has no limit; each test has a process of its own to change */
	if (geteuid() == 0)
		ck_assert_int_eq(setresuid(ANY_USER, ANY_USER, ANY_USER), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	before = open_descriptors();
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	live(&w, argv, 1);
	ck_assert_uint_eq(seen.count[UNIT_EV_SPAWN_FAILED], 1);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
	live(&w, argv, 2);
	ck_assert_uint_eq(seen.count[UNIT_EV_EXECED], 1);
	worker_free(&w);
}
END_TEST

START_TEST(a_signal_for_an_older_incarnation_reaches_nobody)
{
	char *const *argv = ARGV("/bin/sleep", "1000");
	struct worker_start start = { .libexec_dir = "/",
				      .argv = argv,
				      .variables = (char *const *)no_environment,
				      .secret_fd = -1 };
	struct seen seen = { { 0 } };
	struct worker w;

	worker_init(&w, "detector", on_event, &seen);
	worker_set_part(&w, sealed_new("part", "{}", 2));
	worker_start(&w, &start, 2);
	worker_signal(&w, 1, SIGKILL);
	ck_assert_int_eq(spawn_ended(), 0);
	worker_signal(&w, 2, SIGKILL);
	ck_assert_int_eq(wait_for_end(), w.pid);
	worker_reap(&w);
	while (w.pid != 0)
		worker_settle(&w);
	ck_assert_str_eq(w.last_exit, "killed by signal 9 (Killed)");
	worker_signal(&w, 2, SIGKILL); /* there is nobody any more */
	worker_free(&w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spawn");
	TCase *tc = tcase_create("processes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_set_timeout(tc, 300); /* many restarts, sanitized, on a busy machine */
	tcase_add_test(tc, a_program_runs_and_is_reaped_once);
	tcase_add_test(tc, a_failed_exec_says_why);
	tcase_add_test(tc, a_failed_fork_is_reported);
	tcase_add_test(tc, a_stopped_process_sees_a_signal);
	tcase_add_test(tc, a_child_can_be_killed_at_any_moment);
	tcase_add_test(tc, the_group_can_be_killed_after_its_leader_ended);
	tcase_add_test(tc, a_sweep_leaves_nobody);
	tcase_add_test(tc, many_restarts_leak_nothing);
	tcase_add_test(tc, a_worker_without_descriptors_is_a_failed_spawn);
	tcase_add_test(tc, a_worker_without_a_process_is_a_failed_spawn);
	tcase_add_test(tc, a_signal_for_an_older_incarnation_reaches_nobody);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
