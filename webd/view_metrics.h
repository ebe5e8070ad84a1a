/* The state as metrics. Pure. */
#ifndef WEBD_VIEW_METRICS_H
#define WEBD_VIEW_METRICS_H

#include <stdbool.h>

#include "common/buf.h"
#include "webd/state.h"
#include "webd/traffic.h"

#define VIEW_METRICS_CLASSIC "text/plain; version=0.0.4; charset=utf-8"
#define VIEW_METRICS_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"

/*
 * Every family of the catalogue: what the workers counted, what follows from
 * the state, and webd's own. What users were promised stands there from the
 * start, with 0. openmetrics chooses OpenMetrics 1.0, else the classic text
 * format 0.0.4 of Prometheus is written.
 */
void view_metrics(const struct webd_state *s, const struct webd_traffic *t, int64_t now_ms,
		  bool openmetrics, struct buf *out);

/* Does this Accept header (or NULL) ask for OpenMetrics? */
bool view_metrics_accepts_open(const char *accept);

#endif
