#include "common/pollset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

void
pollset_reset(struct pollset *p)
{
	p->n = 0;
	p->deadline_ms = CLOCK_NEVER;
}

void
pollset_add(struct pollset *p, int fd, short events)
{
	if (p->n == POLLSET_MAX) {
		fputs("too many descriptors to wait for\n", stderr);
		abort();
	}
	p->fds[p->n++] = (struct pollfd){ .fd = fd, .events = events };
}

void
pollset_wake_at(struct pollset *p, int64_t at_ms)
{
	if (at_ms < p->deadline_ms)
		p->deadline_ms = at_ms;
}

short
pollset_events(const struct pollset *p, int fd)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->fds[i].fd == fd)
			return p->fds[i].revents;
	return 0;
}

int
pollset_timeout(const struct pollset *p, int64_t now_ms)
{
	if (p->deadline_ms == CLOCK_NEVER)
		return -1;
	if (p->deadline_ms <= now_ms)
		return 0;
	return p->deadline_ms - now_ms > 3600000 ? 3600000 : (int)(p->deadline_ms - now_ms);
}

void
pollset_wait(struct pollset *p)
{
	int n = poll(p->fds, p->n, pollset_timeout(p, clock_now()));

	if (n < 0 && errno != EINTR && errno != EAGAIN) {
		perror("poll");
		abort();
	}
	if (n < 0)
		for (size_t i = 0; i < p->n; i++)
			p->fds[i].revents = 0;
}
