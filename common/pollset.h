/*
 * What a loop waits for. It is rebuilt on each pass: every module adds its
 * descriptors and its nearest deadline, the loop waits once, and every module
 * looks at what happened to its own.
 */
#ifndef COMMON_POLLSET_H
#define COMMON_POLLSET_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define POLLSET_MAX 256

struct pollset {
	struct pollfd fds[POLLSET_MAX];
	size_t n;
	int64_t deadline_ms; /* CLOCK_NEVER: none */
};

void pollset_reset(struct pollset *p);
/* Wait for events (POLLIN, POLLOUT) on fd. Too many descriptors end the process. */
void pollset_add(struct pollset *p, int fd, short events);
/* Wake up at at_ms (clock_now()) at the latest. */
void pollset_wake_at(struct pollset *p, int64_t at_ms);
/* What happened to fd in the last wait, POLLERR and POLLHUP included; 0 for nothing. */
short pollset_events(const struct pollset *p, int fd);
/* How long to wait from now_ms on, in milliseconds for poll(2); -1 for ever. */
int pollset_timeout(const struct pollset *p, int64_t now_ms);
/* Wait; the signal mask is as it was. A failure other than EINTR ends the process. */
void pollset_wait(struct pollset *p);

#endif
