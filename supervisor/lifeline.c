#include "supervisor/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

#define GROUPS_MAX 16

/* --- in its process: no allocation, no log, nothing but these calls ----------------------- */

static void
keep(pid_t *groups, pid_t message)
{
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		if (groups[i] == (message < 0 ? -message : 0)) {
			groups[i] = message < 0 ? 0 : message;
			return;
		}
	}
}

static _Noreturn void
watch(int fd)
{
	pid_t groups[GROUPS_MAX] = { 0 }, message;
	ssize_t n;

	setsid();
	prctl(PR_SET_NAME, "esddns-lifeline");
	/* the supervisor's descriptors would outlive it here: its lock, its sockets */
	if (dup2(fd, 0) != 0)
		_exit(1);
	if (syscall(SYS_close_range, 1u, ~0u, 0) != 0)
		for (int i = 1; i < 1024; i++)
			close(i);
	while ((n = read(0, &message, sizeof(message))) != 0)
		if (n == (ssize_t)sizeof(message))
			keep(groups, message);
	for (size_t i = 0; i < GROUPS_MAX; i++)
		if (groups[i] > 1)
			kill(-groups[i], SIGKILL);
	_exit(0);
}

/* --- in the supervisor --------------------------------------------------------------------- */

static void
start(struct lifeline *l)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0) {
		log_warn("no lifeline: what a worker starts may outlive a kill of the supervisor",
			 LOG_S("error", strerror(errno)));
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		watch(fds[0]);
	}
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		log_warn("no lifeline: what a worker starts may outlive a kill of the supervisor",
			 LOG_S("error", strerror(errno)));
		return;
	}
	/* it reads as fast as it is written to; a full pipe must not stop the loop all the same */
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	l->fd = fds[1];
}

static void
tell(struct lifeline *l, pid_t message)
{
	if (l->fd < 0 || write(l->fd, &message, sizeof(message)) == (ssize_t)sizeof(message))
		return;
	/* somebody killed it: the next one that is added starts another */
	close(l->fd);
	l->fd = -1;
}

void
lifeline_add(struct lifeline *l, pid_t group)
{
	if (getpid() == 1)
		return;
	if (l->fd < 0)
		start(l);
	tell(l, group);
}

void
lifeline_remove(struct lifeline *l, pid_t group)
{
	tell(l, -group);
}

void
lifeline_close(struct lifeline *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
