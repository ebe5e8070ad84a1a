/*
 * The supervisor's own word to the service manager above it: sd_notify(3) over
 * NOTIFY_SOCKET, and pings at half of WATCHDOG_USEC. Without them nothing is sent.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/pollset.h"

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_len;
	int64_t ping_ms; /* the period; 0: no watchdog */
	int64_t next_ms;
};

/*
 * Read the variables and remove them, and LISTEN_* too. A socket that cannot be
 * used is reported in the log and lived without.
 */
void notify_open(struct notify *n);
void notify_close(struct notify *n);
/* Lines of K=V. Never blocks; what the manager does not take is lost. */
void notify_send(struct notify *n, const char *lines);
/* READY=1 after a reload needs this before it: RELOADING=1 with its MONOTONIC_USEC. */
void notify_reloading(struct notify *n);
/* Ping the watchdog if it is due; call it once in a pass of the loop. */
void notify_prepare(struct notify *n, struct pollset *set, int64_t now_ms);

#endif
