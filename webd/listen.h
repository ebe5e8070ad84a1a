/* The sockets that webd listens on. */
#ifndef WEBD_LISTEN_H
#define WEBD_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "webd/config.h"

struct listener {
	struct webd_endpoint endpoint;
	bool v6only; /* "::" takes IPv4 too, unless an IPv4 address has the same port */
	int fd;
};

struct listeners {
	size_t n;
	struct listener list[WEBD_ENDPOINTS_MAX];
};

/*
 * Bind and listen on the configuration's addresses for the page, or for the
 * metrics; those that old has already are taken over from it. Returns 0, and what is left in old
 * may be closed. Or -1 with *why (a sentence that names the address and what to do; valid until the
 * next call), and old is as it was.
 */
int listeners_open(struct listeners *l, struct listeners *old, const struct webd_config *config,
		   bool metrics, const char **why);
/* Zeroed ones are fine. */
void listeners_close(struct listeners *l);

#endif
