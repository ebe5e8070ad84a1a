/*
 * What the API server answers, as the decision machines see it: outcomes, and of
 * the objects only what decisions need. The JSON behind it is the business of
 * kube.c and wan_object.c.
 */
#ifndef CLUSTER_API_H
#define CLUSTER_API_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/message.h"

/* A resourceVersion is an opaque string. */
#define API_VERSION_MAX 64
#define API_TIME_MAX 40

/*
 * How a request ended. After API_FAILED and API_LOST nobody knows whether a write
 * was done, or will be done later: read and compare, never repeat blindly.
 */
enum api_outcome {
	API_OK,
	API_NOT_FOUND, /* 404 */
	API_EXISTS,    /* 409 AlreadyExists, of a create */
	API_CONFLICT,  /* 409, of an update: uid or resourceVersion is another by now */
	API_INVALID,   /* 422: a JSON Patch test failed, or the object is refused */
	API_GONE,      /* 410, or 504 "Too large resource version" of a list */
	API_DENIED,    /* 401, 403 */
	API_THROTTLED, /* 429 */
	API_FAILED,    /* 5xx and everything unexpected */
	API_LOST,      /* no whole answer: not connected, cut off, timed out */
	API_OUTCOME__MAX
};

const char *api_outcome_name(enum api_outcome outcome);

/* A Lease (coordination.k8s.io/v1). Times stand as exact strings: they are only compared. */
struct api_lease {
	char uid[MSG_UID_MAX];
	char version[API_VERSION_MAX];
	char holder[MSG_HOLDER_MAX]; /* "": nobody */
	int64_t duration_ms;         /* leaseDurationSeconds; 0 if it is absent or not > 0 */
	int64_t transitions;         /* 0 if it is absent or negative */
	char acquire_time[API_TIME_MAX];
	char renew_time[API_TIME_MAX];
};

/* What fences the writes to the ConfigMap. */
struct api_fence {
	char uid[MSG_UID_MAX];
	char version[API_VERSION_MAX];
	int64_t epoch;    /* 0: absent, or outside 1..MSG_EPOCH_MAX */
	int64_t sequence; /* 0: absent, or not a number >= 0 */
	char holder[MSG_HOLDER_MAX];
	bool immutable; /* `immutable: true`: it can only be deleted and made anew */
};

#endif
