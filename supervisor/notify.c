#include "supervisor/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

/* A pathname, or an abstract name written with '@' in front (sd_notify(3)). */
static int
set_address(struct notify *n, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->address.sun_path))
		return -1;
	n->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(n->address.sun_path, name, len);
	if (name[0] == '@')
		n->address.sun_path[0] = '\0';
	/* an abstract name is all of its bytes and no NUL behind them */
	n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
				     (name[0] == '/' ? 1 : 0));
	return 0;
}

static void
read_watchdog(struct notify *n)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long period;
	char *end;

	/* WATCHDOG_PID names the process that the variables are meant for */
	if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return;
	errno = 0;
	period = strtoll(usec, &end, 10);
	if (errno != 0 || *end != '\0' || end == usec || period <= 0)
		return;
	n->ping_ms = period / 2000 > 0 ? period / 2000 : 1;
}

void
notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify){ .fd = -1 };
	if (name != NULL && name[0] != '\0') {
		if (set_address(n, name) == 0)
			n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (n->fd < 0)
			log_warn("NOTIFY_SOCKET cannot be used", LOG_S("socket", name));
	}
	if (n->fd >= 0)
		read_watchdog(n);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void
notify_send(struct notify *n, const char *lines)
{
	if (n->fd < 0)
		return;
	if (sendto(n->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&n->address, n->address_len) < 0)
		log_debug("the service manager did not take a notification",
			  LOG_S("error", strerror(errno)));
}

void
notify_reloading(struct notify *n)
{
	struct timespec ts;
	char lines[96];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	notify_send(n, lines);
}

void
notify_prepare(struct notify *n, struct pollset *set, int64_t now_ms)
{
	if (n->ping_ms == 0)
		return;
	if (now_ms >= n->next_ms) {
		notify_send(n, "WATCHDOG=1");
		n->next_ms = now_ms + n->ping_ms;
	}
	pollset_wake_at(set, n->next_ms);
}
