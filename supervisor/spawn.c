#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

/* What a child says on the progress pipe when it cannot go on. */
struct failure {
	int number;
	int step;
};

enum step { STEP_SESSION, STEP_DESCRIPTORS, STEP_PRIVILEGES, STEP_EXEC, STEP__MAX };

static const char *const step_names[STEP__MAX] = {
	[STEP_SESSION] = "setsid",
	[STEP_DESCRIPTORS] = "passing its descriptors",
	[STEP_PRIVILEGES] = "PR_SET_NO_NEW_PRIVS",
	[STEP_EXEC] = "execve",
};

static const int step_codes[STEP__MAX] = {
	[STEP_SESSION] = SPAWN_EXIT_SETSID,
	[STEP_DESCRIPTORS] = SPAWN_EXIT_FDS,
	[STEP_PRIVILEGES] = SPAWN_EXIT_NO_NEW_PRIVILEGES,
	[STEP_EXEC] = SPAWN_EXIT_EXEC,
};

static int
open_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int
spawn_prepare(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	if (open_standard_descriptors() != 0)
		return -1;
	/* an inherited SIG_IGN would make the kernel reap children unseen */
	if (sigaction(SIGCHLD, &by_default, NULL) != 0)
		return -1;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* --- in the child, between fork and exec -------------------------------------- */

static _Noreturn void
give_up(int pipe_fd, enum step step)
{
	struct failure failure = { .number = errno, .step = (int)step };

	/* fewer than PIPE_BUF bytes: all or nothing, and the reader is the supervisor */
	(void)!write(pipe_fd, &failure, sizeof(failure)); /* else the code alone says it */
	_exit(step_codes[step]);
}

/* Blocked masks and ignored signals survive an exec. */
static void
reset_signals(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int n = 1; n < NSIG; n++)
		sigaction(n, &by_default, NULL); /* refused for KILL, STOP and libc's own */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
close_from(unsigned first)
{
	struct rlimit limit;

	/* EPERM comes from the filters of old container runtimes */
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 1u << 20)
		limit.rlim_cur = 1u << 20;
	for (unsigned fd = first; fd < limit.rlim_cur; fd++)
		close((int)fd);
}

/* The given descriptors to SPAWN_FD_FIRST and on, the pipe behind them, nothing else. */
static int
arrange_descriptors(const struct spawn_request *r, int *pipe_fd)
{
	int base = SPAWN_FD_FIRST + SPAWN_FDS_MAX + 1, moved[SPAWN_FDS_MAX], fd;
	int pipe_to = SPAWN_FD_FIRST + (int)r->nfds;

	/* first out of the way of the numbers that they go to */
	for (size_t i = 0; i < r->nfds; i++) {
		moved[i] = fcntl(r->fds[i], F_DUPFD_CLOEXEC, base);
		if (moved[i] < 0)
			return -1;
	}
	fd = fcntl(*pipe_fd, F_DUPFD_CLOEXEC, base);
	if (fd < 0)
		return -1;
	*pipe_fd = fd;
	for (size_t i = 0; i < r->nfds; i++)
		if (dup2(moved[i], SPAWN_FD_FIRST + (int)i) < 0)
			return -1;
	if (dup3(fd, pipe_to, O_CLOEXEC) < 0)
		return -1;
	*pipe_fd = pipe_to;
	close_from((unsigned)pipe_to + 1);
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return -1;
	close(fd);
	return 0;
}

static _Noreturn void
run_child(const struct spawn_request *r, pid_t parent, int pipe_fd)
{
	/* set first, compared after: a parent that died in between would not be noticed */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(SPAWN_EXIT_SETSID); /* nobody is left to read it */
	if (setsid() < 0)
		give_up(pipe_fd, STEP_SESSION);
	if (arrange_descriptors(r, &pipe_fd) != 0)
		give_up(pipe_fd, STEP_DESCRIPTORS);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		give_up(pipe_fd, STEP_PRIVILEGES);
	reset_signals();
	execve(r->path, r->argv, r->envp);
	give_up(pipe_fd, STEP_EXEC);
}

/* --- in the supervisor --------------------------------------------------------- */

int
spawn_start(const struct spawn_request *r, pid_t *pid, int *progress_fd)
{
	pid_t parent = getpid();
	int pipe_fds[2], saved;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return -1;
	*pid = fork();
	if (*pid == 0)
		run_child(r, parent, pipe_fds[1]);
	saved = errno;
	close(pipe_fds[1]);
	if (*pid < 0) {
		close(pipe_fds[0]);
		errno = saved;
		return -1;
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	*progress_fd = pipe_fds[0];
	return 0;
}

enum spawn_progress
spawn_progress(int progress_fd, struct spawn_error *error)
{
	struct failure failure;
	ssize_t n = read(progress_fd, &failure, sizeof(failure));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return SPAWN_PENDING;
	if (n != (ssize_t)sizeof(failure))
		return SPAWN_EXECED;
	error->number = failure.number;
	error->what =
		failure.step >= 0 && failure.step < STEP__MAX ? step_names[failure.step] : "?";
	return SPAWN_ERROR;
}

void
spawn_signal(pid_t pid, int signal)
{
	/* ESRCH: it has not come to setsid(2) yet */
	if (kill(-pid, signal) != 0 && errno == ESRCH)
		kill(pid, signal);
	if (signal == SIGKILL)
		return;
	if (kill(-pid, SIGCONT) != 0 && errno == ESRCH)
		kill(pid, SIGCONT);
}

pid_t
spawn_ended(void)
{
	siginfo_t info = { .si_pid = 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		if (errno != EINTR)
			return 0;
	return info.si_pid;
}

void
spawn_reap(pid_t pid, struct unit_status *status)
{
	siginfo_t info = { .si_pid = 0 };

	while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 && errno == EINTR)
		;
	status->signalled = info.si_code != CLD_EXITED;
	status->code = info.si_status;
}

bool
spawn_group_alive(pid_t leader)
{
	return kill(-leader, 0) == 0 || errno == EPERM;
}

void
spawn_group_kill(pid_t leader)
{
	kill(-leader, SIGKILL);
}

/* Kill all children that /proc lists for this process. */
static void
kill_children(void)
{
	char path[64];
	FILE *list;
	long pid;

	if (getpid() == 1) {
		kill(-1, SIGKILL); /* all of the container, and never anything else */
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	list = fopen(path, "re");
	if (list == NULL)
		return;
	while (fscanf(list, "%ld", &pid) == 1)
		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
	fclose(list);
}

bool
spawn_sweep(int64_t at_ms)
{
	struct unit_status status;
	pid_t pid;

	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		while ((pid = spawn_ended()) > 0)
			spawn_reap(pid, &status);
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD)
			return true;
		/* children of those who die are adopted, and found in the next round */
		kill_children();
		if (clock_now() >= at_ms)
			return false;
		poll(NULL, 0, 5);
	}
}
