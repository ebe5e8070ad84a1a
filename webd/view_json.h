/* The state as JSON. Pure views: they append to out and change nothing else. */
#ifndef WEBD_VIEW_JSON_H
#define WEBD_VIEW_JSON_H

#include "common/buf.h"
#include "webd/state.h"

/*
 * GET /raw: the promised shape: one line, keys sorted, a
 * newline at its end. IP is {} while no address is usable, record_data is {}
 * while the first configured record was not found at the provider.
 */
void view_raw(const struct webd_state *s, int64_t now_ms, struct buf *out);

/*
 * GET /api/v1/state: everything, on one line. Stable: members may be added,
 * none changes its meaning. Times are ISO 8601 or null, ages and spans
 * milliseconds or null. wall_ms is the time for "now".
 */
void view_state_json(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *out);

#endif
