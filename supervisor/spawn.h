/*
 * Processes: fork and exec with everything that a worker needs, and signals
 * to whole process groups. A child is the leader of a session and a group of
 * its own, has default signal dispositions and an empty mask, /dev/null as its
 * input, dies with the supervisor, gains no privileges, and inherits nothing
 * but the descriptors it is given.
 */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervisor/unit.h"

#define SPAWN_FDS_MAX 8
/* The child finds the descriptors it was given at this number and the next ones. */
#define SPAWN_FD_FIRST 3
/* systemd's exit codes of a start that failed before the program ran, systemd.exec(5) */
#define SPAWN_EXIT_FDS 202
#define SPAWN_EXIT_EXEC 203
#define SPAWN_EXIT_SETSID 220
#define SPAWN_EXIT_NO_NEW_PRIVILEGES 227

struct spawn_request {
	const char *path;  /* of the program */
	char *const *argv; /* ended by NULL */
	char *const *envp; /* ended by NULL: the whole environment */
	const int *fds;
	size_t nfds; /* <= SPAWN_FDS_MAX */
};

enum spawn_progress {
	SPAWN_PENDING, /* the child has not come to execve(2) yet */
	SPAWN_EXECED,  /* the program runs; or the child was killed before, which its end tells */
	SPAWN_ERROR    /* it could not be executed; the child ends by itself */
};

struct spawn_error {
	int number;       /* errno */
	const char *what; /* what failed, as a phrase: "execve", ... */
};

/*
 * What the supervisor does once: adopt orphans (PR_SET_CHILD_SUBREAPER), SIGCHLD
 * as by default, descriptors 0 to 2 open. 0, or -1 with errno.
 */
int spawn_prepare(void);

/*
 * Start a process. 0, or -1 with errno if there is none. *progress_fd, not
 * blocking and CLOEXEC, says how it goes on: see spawn_progress(); the caller
 * closes it. Signals must be blocked in the caller, as they are in a loop with
 * a signalfd.
 */
int spawn_start(const struct spawn_request *r, pid_t *pid, int *progress_fd);
/* What progress_fd tells; it says SPAWN_EXECED or SPAWN_ERROR once, then close it. */
enum spawn_progress spawn_progress(int progress_fd, struct spawn_error *error);

/*
 * A signal for the child's process group, and CONT after it, since a stopped
 * process would not see it. pid is a child that was not reaped yet.
 */
void spawn_signal(pid_t pid, int signal);

/*
 * A child of this process that ended and waits to be reaped, or 0. It stays a
 * zombie, which pins its number, until spawn_reap().
 */
pid_t spawn_ended(void);
void spawn_reap(pid_t pid, struct unit_status *status);
/*
 * Kill a whole group. Its number is pinned by a leader that was not reaped, or by
 * a member that spawn_group_alive() just found: only then.
 */
void spawn_group_kill(pid_t leader);
/* Is anybody left in the process group of a leader that was reaped? */
bool spawn_group_alive(pid_t leader);

/*
 * Kill every child this process still has, adopted ones too, and reap them, until
 * none is left (true) or at_ms (clock_now()) has come (false). It waits: for the
 * very end only.
 */
bool spawn_sweep(int64_t at_ms);

#endif
