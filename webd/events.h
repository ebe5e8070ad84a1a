/*
 * Server-sent events for the page: "state" with the version of what is shown,
 * at the start and whenever it changed, and "beat" in between, so that a lost
 * connection is noticed at both ends. What changed is not in them: the page
 * asks for itself again.
 */
#ifndef WEBD_EVENTS_H
#define WEBD_EVENTS_H

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

#include "webd/state.h"

struct events;

/* At most max streams at a time. */
struct events *events_new(const struct webd_state *state, size_t max);
/* Only after every stream has ended: see events_close(). */
void events_free(struct events *e);

/*
 * A response for one connection, to be queued and destroyed by the caller, or
 * NULL if there are too many. Its memory is freed with it.
 */
struct MHD_Response *events_open(struct events *e, struct MHD_Connection *connection);

/* Tell the streams what is due; call at each pass. */
void events_tick(struct events *e, int64_t now_ms);
int64_t events_next_deadline(const struct events *e, int64_t now_ms);

/* End every stream: they end in the next MHD_run(). */
void events_close(struct events *e);

#endif
