/*
 * List and watch of one object, as a machine: what to ask for next, and when. It
 * reads no JSON: the caller splits the stream into events and says what each one
 * is. Pure.
 */
#ifndef CLUSTER_REFLECTOR_H
#define CLUSTER_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/api.h"

enum reflector_request_kind {
	REFLECTOR_NONE,
	REFLECTOR_LIST, /* GET with the field selector and resourceVersion=version ("" : none) */
	REFLECTOR_WATCH /* watch=1, allowWatchBookmarks, from version, timeoutSeconds */
};

enum reflector_event_type {
	REFLECTOR_EV_TICK,
	REFLECTOR_EV_LISTED,   /* the list ended: outcome, retry_after_ms, version (of the list) */
	REFLECTOR_EV_OPENED,   /* the server took the watch */
	REFLECTOR_EV_CHANGED,  /* in the stream: added, modified or deleted; version (of the object)
				*/
	REFLECTOR_EV_BOOKMARK, /* in the stream: version */
	REFLECTOR_EV_ERROR,    /* in the stream: an ERROR event; outcome by its code */
	REFLECTOR_EV_CLOSED,   /* the watch ended: outcome, API_OK for a clean close; retry_after_ms
				*/
	REFLECTOR_EV_READ_NOW, /* somebody needs a list by quorum (an overdue or foreign message
				  came); at most one a second, and none before its time in a
				  backoff */
	REFLECTOR_EV__MAX
};

struct reflector_event {
	enum reflector_event_type type;
	enum api_outcome outcome;
	int64_t retry_after_ms; /* -1: none */
	char version[API_VERSION_MAX];
	uint32_t random;
};

struct reflector_actions {
	enum reflector_request_kind request; /* NONE: nothing new to start */
	bool cancel;                         /* end what is under way first, without an event */
	char version[API_VERSION_MAX];
	int64_t timeout_ms;    /* of the whole request: the hard deadline */
	int64_t watch_seconds; /* timeoutSeconds of a watch */
};

/* One request is under way at most; the fields are the machine's own. */
struct reflector {
	int phase, next;
	char version[API_VERSION_MAX]; /* to go on from; "" if none */
	int64_t due_ms, started_ms, read_ms, backoff_ms, backoff_since_ms;
	bool current;
	bool events;                    /* in the watch under way */
	bool read_again;                /* somebody needs a list that starts later than now */
	unsigned failures, gone, quick; /* in a row */
};

/* The first list is due at now_ms. */
void reflector_init(struct reflector *r, int64_t now_ms);
void reflector_step(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
		    struct reflector_actions *out);
/* When the next REFLECTOR_EV_TICK is due; CLOCK_NEVER while a request is under way. */
int64_t reflector_next_deadline(const struct reflector *r);
/*
 * Was the object listed, and has nothing failed since, or is a watch open again?
 * Then what was seen last is current.
 */
bool reflector_current(const struct reflector *r);

#endif
