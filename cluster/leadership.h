/*
 * Who leads, and what the leader may write: the election by a Lease and the
 * fenced claim of the ConfigMap, as one machine (ARCHITECTURE.md, P1 to P5).
 * Pure: the caller keeps the clock, sends the requests, and reports every answer.
 *
 * Two lanes, each with one request under way at most: "lease" for the election,
 * "wan" for the ConfigMap, so that a slow write never holds up a renewal. Every
 * request has a time-out, after which the caller reports API_LOST. A new request
 * replaces what is still under way in its lane: the caller cancels that first.
 *
 * Work is done only while leadership_active(): the Lease is held, the ConfigMap
 * is claimed for this term, and the local deadline, counted from the *sending*
 * of the last successful renewal, has not passed.
 *
 * Times: milliseconds on the caller's monotonic clock. Wall time goes into the
 * Lease for people, and is compared with nothing.
 */
#ifndef CLUSTER_LEADERSHIP_H
#define CLUSTER_LEADERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/api.h"

struct leadership_config {
	char identity[MSG_HOLDER_MAX]; /* of this process: host name, "_", a fresh UUID */
	int64_t duration_ms;           /* of the lease; whole seconds */
	int64_t renew_deadline_ms;     /* < duration_ms */
	int64_t retry_period_ms;       /* < renew_deadline_ms */
	/* The objects' names, for sentences; "" for the usual ones. */
	char lease_name[MSG_NAME_MAX], configmap_name[MSG_NAME_MAX];
};

enum leadership_request_kind {
	LEADERSHIP_NONE,
	LEADERSHIP_LEASE_GET,        /* by quorum: without a resourceVersion */
	LEADERSHIP_LEASE_GET_CACHED, /* with resourceVersion=0 */
	LEADERSHIP_LEASE_CREATE,     /* lease */
	LEADERSHIP_LEASE_PUT,  /* lease, with its uid and version; other fields as last read */
	LEADERSHIP_WAN_GET,    /* by quorum */
	LEADERSHIP_WAN_CREATE, /* fence (epoch, holder, sequence), and no content: see there */
	LEADERSHIP_WAN_CLAIM,  /* PUT of the object as last read, with uid, version and fence set */
	LEADERSHIP_WAN_WRITE,  /* JSON Patch: tests, then fence.sequence and the current content */
	LEADERSHIP_WAN_DELETE, /* of an immutable one, with preconditions uid and version */
	LEADERSHIP_REQUEST__MAX
};

/* What a LEADERSHIP_WAN_WRITE tests before it adds anything; the values are in tested. */
#define LEADERSHIP_TEST_UID 1u
#define LEADERSHIP_TEST_EPOCH 2u
#define LEADERSHIP_TEST_HOLDER 4u
#define LEADERSHIP_TEST_SEQUENCE 8u
#define LEADERSHIP_TEST_ALL 15u

struct leadership_request {
	enum leadership_request_kind kind;
	uint64_t id;        /* comes back with the answer */
	int64_t timeout_ms; /* > 0 */
	struct api_lease lease;
	struct api_fence fence;  /* as it is to be stored */
	struct api_fence tested; /* as it must be found */
	unsigned tests;
	/*
	 * Number of the content that is current now: see LEADERSHIP_EV_CONTENT. 0 with a
	 * LEADERSHIP_WAN_CREATE: it has no precondition, so that one of a former leader may land
	 * after others have published; a write with the content follows it.
	 */
	uint64_t content;
};

enum leadership_event_type {
	LEADERSHIP_EV_TICK,         /* time passed: due at leadership_next_deadline() */
	LEADERSHIP_EV_LEASE_ANSWER, /* id, outcome, retry_after_ms, lease (of reads and API_OK) */
	LEADERSHIP_EV_WAN_ANSWER,   /* id, outcome, retry_after_ms, fence (of reads and API_OK) */
	LEADERSHIP_EV_CONTENT,      /* there is something new to publish: content, a growing number
				       > 0; counts while it is active only, and ends with that */
	LEADERSHIP_EV_HINT,         /* the leader seems gone (its connection broke, a record is
				       overdue): read by quorum now */
	LEADERSHIP_EV_RELEASED,     /* the leader of this term announced that it released: term */
	LEADERSHIP_EV_FOLLOWERS,    /* how many pods follow, as the ConfigMap says: followers */
	LEADERSHIP_EV_STOP,         /* release what is held, then take part no more */
	LEADERSHIP_EV__MAX
};

struct leadership_event {
	enum leadership_event_type type;
	uint64_t id;
	enum api_outcome outcome;
	int64_t retry_after_ms; /* -1: none */
	struct api_lease lease;
	struct api_fence fence;
	uint64_t content;
	int64_t term;
	unsigned followers;
	uint32_t random; /* any number, with every event */
	int64_t wall_ms; /* now, for people, with every event */
};

/* What is to be done now. Requests are to be started in any order, each lane by itself. */
struct leadership_actions {
	struct leadership_request lease, wan;
	bool began;         /* leadership_active() became true: start to work */
	bool ended;         /* it became false: stop at once, cancel everything under way (but not
			       the requests that come with it) */
	bool released;      /* the Lease was given back in order: say so on the bus */
	uint64_t committed; /* content up to this number is stored under fence; 0: nothing new */
	struct api_fence fence; /* with began and committed: as stored */
};

enum leadership_role {
	LEADERSHIP_STANDBY,
	LEADERSHIP_CLAIMING, /* holds the Lease, works only when the ConfigMap is claimed */
	LEADERSHIP_LEADING,
	LEADERSHIP_RELEASING,
	LEADERSHIP_OFF /* after LEADERSHIP_EV_STOP, all done */
};

struct leadership;

/*
 * config is copied; leadership_free() it. The first read is due at once, spread by
 * random. NULL if the identity is empty or the times are not in their order.
 */
struct leadership *leadership_new(const struct leadership_config *config, int64_t now_ms,
				  uint32_t random);
void leadership_free(struct leadership *l);

/*
 * Take one event that happened at now_ms (never falling) and say what is to be
 * done; out is overwritten. An answer with an id that is not under way changes
 * nothing. After it, look at leadership_next_deadline() anew.
 */
void leadership_step(struct leadership *l, const struct leadership_event *ev, int64_t now_ms,
		     struct leadership_actions *out);
/* When the next LEADERSHIP_EV_TICK is due; CLOCK_NEVER only when it is off. */
int64_t leadership_next_deadline(const struct leadership *l);

/* May the leader's work be done at now_ms? Ask right before each thing that is done. */
bool leadership_active(const struct leadership *l, int64_t now_ms);
/* Until when, if nothing renews it; 0 while it does not lead. */
int64_t leadership_until(const struct leadership *l);

enum leadership_role leadership_role(const struct leadership *l);
/* The one it holds the Lease for, or held when it was told to stop; else 0. */
int64_t leadership_term(const struct leadership *l);
const char *leadership_holder(const struct leadership *l); /* last seen; "" if nobody */
/* Why it does not lead or cannot write, as a sentence; "" if there is nothing to say. */
const char *leadership_reason(const struct leadership *l);
/* Is that reason only that another one leads, as it should be? */
bool leadership_another_leads(const struct leadership *l);

#endif
