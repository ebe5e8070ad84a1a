/*
 * What webd counts about its own requests. The labels come from fixed sets,
 * so that no visitor can make the numbers grow.
 */
#ifndef WEBD_TRAFFIC_H
#define WEBD_TRAFFIC_H

#include <stdint.h>

#include "common/metrics.h"

enum webd_method { WEBD_GET, WEBD_HEAD, WEBD_OTHER_METHOD, WEBD_METHOD__MAX };

enum webd_path {
	WEBD_PATH_PAGE,
	WEBD_PATH_RAW,
	WEBD_PATH_STATE,
	WEBD_PATH_EVENTS,
	WEBD_PATH_METRICS,
	WEBD_PATH_HEALTHZ,
	WEBD_PATH_READYZ,
	WEBD_PATH_STYLE,
	WEBD_PATH_SCRIPT,
	WEBD_PATH_ICON,
	WEBD_PATH_OTHER,
	WEBD_PATH__MAX
};

enum webd_status { WEBD_200, WEBD_404, WEBD_405, WEBD_413, WEBD_503, WEBD_STATUS__MAX };

struct webd_traffic {
	uint64_t requests[WEBD_METHOD__MAX][WEBD_PATH__MAX][WEBD_STATUS__MAX];
	struct {
		uint64_t buckets[METRIC_BUCKETS_MAX]; /* not cumulative, without +Inf */
		uint64_t count;
		double sum; /* s */
	} durations[WEBD_METHOD__MAX][WEBD_PATH__MAX];
};

void webd_traffic_add(struct webd_traffic *t, enum webd_method method, enum webd_path path,
		      enum webd_status status, double seconds);
/* Put it all into m; GET of every path is there from the start, with 0. */
void webd_traffic_export(const struct webd_traffic *t, struct metrics *m);

/* WEBD_OTHER_METHOD if it is neither GET nor HEAD. */
enum webd_method webd_method_of(const char *name);
/* WEBD_PATH_OTHER for anything unknown. */
enum webd_path webd_path_of(const char *path);
unsigned webd_status_code(enum webd_status status);

#endif
