/*
 * The HTTP server: microhttpd with epoll in the caller's loop, one instance for
 * the page's addresses and one for those of metrics and probes, which has
 * connections of its own, so that visitors cannot starve a probe.
 */
#ifndef WEBD_SERVER_H
#define WEBD_SERVER_H

#include <stdint.h>

#include "common/pollset.h"
#include "webd/config.h"
#include "webd/state.h"

struct server;

/*
 * Bind all addresses of the configuration and be ready to serve the state,
 * which must live longer. NULL with *why (a sentence; valid until the next
 * call) if that cannot be done.
 */
struct server *server_new(const struct webd_config *config, const struct webd_state *state,
			  const char **why);
/* Ends every connection. NULL is fine. */
void server_free(struct server *s);
/*
 * Take over a new configuration: addresses that stay are not closed, and their
 * connections live on unless max_connections changed. 0, or -1 with *why: the
 * server is then of no use but to be freed.
 */
int server_configure(struct server *s, const struct webd_config *config, const char **why);

void server_prepare(struct server *s, struct pollset *p, int64_t now_ms);
/* Accept, answer, tell the events. */
void server_dispatch(struct server *s, const struct pollset *p, int64_t now_ms);

#endif
