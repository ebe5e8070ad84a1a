/*
 * The responses, prepared: each is built once and given out until what it
 * shows has changed, so that most requests cost no more than sending it.
 */
#ifndef WEBD_ANSWERS_H
#define WEBD_ANSWERS_H

#include <microhttpd.h>
#include <stdint.h>

#include "webd/state.h"
#include "webd/traffic.h"

enum answer {
	ANSWER_PAGE,
	ANSWER_RAW,
	ANSWER_STATE,
	ANSWER_METRICS,
	ANSWER_METRICS_OPEN,
	ANSWER_HEALTHZ,
	ANSWER_READYZ,
	ANSWER_STYLE, /* this and the following never change */
	ANSWER_SCRIPT,
	ANSWER_ICON,
	ANSWER_STREAM_HEAD, /* to HEAD of /events */
	ANSWER_NOT_FOUND,
	ANSWER_NOT_ALLOWED,
	ANSWER_TOO_LARGE,
	ANSWER_BUSY,
	ANSWER__MAX
};

struct answers;

/* Both must live longer. */
struct answers *answers_new(const struct webd_state *state, const struct webd_traffic *traffic);
void answers_free(struct answers *a);

/* The response and its status; owned by answers, to be queued before the next call. */
struct MHD_Response *answers_get(struct answers *a, enum answer which, int64_t now_ms,
				 enum webd_status *status);
/* The headers that every response has. */
void answers_add_headers(struct MHD_Response *response, const char *content_type);

#endif
