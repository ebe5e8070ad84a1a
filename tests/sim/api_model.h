/*
 * The API server: one store, and two servers whose watch caches lag behind it
 * by different times. Two objects, a Lease and a ConfigMap, with what matters
 * of the API's rules: uids, resource versions, preconditions, JSON Patch tests
 * that are judged at the commit, list and watch with a window, bookmarks.
 */
#ifndef TESTS_SIM_API_MODEL_H
#define TESTS_SIM_API_MODEL_H

#include "cluster/api.h"
#include "cluster/reflector.h"
#include "cluster/wan_object.h"
#include "tests/sim/network.h"

#define API_SERVERS 2
#define API_HAND UINT32_MAX /* a person, not a node */

/* A Lease as stored; never changed once it is. */
struct stored_lease {
	bool exists;
	struct api_lease lease;
};

/* What the detector publishes: the content of the ConfigMap that matters here. */
struct news {
	struct address address;
	struct address confirmed; /* what the last confirmed round agreed on (in the votes) */
	int64_t detected_at;
	int64_t timestamp; /* wall: the last confirmed round */
	int publisher;     /* the node that others dial; -1: none */
	unsigned followers;
};

/* A ConfigMap as stored; never changed once it is. Numbers stand as they are, garbage too. */
struct stored_wan {
	bool exists;
	bool immutable;
	unsigned uid;
	int64_t version;
	int64_t epoch, sequence; /* 0: the key is absent */
	char holder[MSG_HOLDER_MAX];
	struct news news;
	struct wan_record records[SIM_RECORDS];
};

/* What may be used of it: garbage counts as absent. */
void stored_wan_fence(const struct stored_wan *s, struct api_fence *out);

enum api_operation {
	API_GET_LEASE,
	API_GET_LEASE_CACHED,
	API_CREATE_LEASE,
	API_PUT_LEASE,
	API_GET_WAN,
	API_LIST_WAN, /* version */
	API_CREATE_WAN,
	API_CLAIM_WAN,     /* PUT */
	API_WRITE_WAN,     /* JSON Patch of the fence and the news */
	API_PATCH_RECORDS, /* JSON Patch of records' keys */
	API_DELETE_WAN,
	API_OPERATION__MAX
};

struct record_change {
	bool test_old;
	const char *old; /* NULL: must be absent */
	bool set;
	struct wan_record record;
};

struct api_call {
	struct exchange x;
	enum api_operation operation;
	uint64_t id; /* the client's */
	int64_t sent_ms;
	unsigned server;
	/* asked */
	struct api_lease lease;
	struct api_fence fence, tested;
	unsigned tests; /* LEADERSHIP_TEST_* */
	bool has_news;
	struct news news;
	char version[API_VERSION_MAX];
	struct record_change changes[SIM_RECORDS];
	/* answered */
	enum api_outcome outcome;
	int64_t retry_after_ms;
	const struct stored_lease *found_lease;
	const struct stored_wan *found_wan;
	int64_t found_version; /* of a list */
};

/* How the servers are at present. */
struct api_health {
	bool down[API_SERVERS];                                /* refuses connections */
	bool silent[API_SERVERS];                              /* takes them and never answers */
	int64_t lag_us[API_SERVERS];                           /* of the cache, at most */
	unsigned throttles, fails, fails_after_commit, denies; /* in permille */
};

/* A watch at one server. The client owns it; it is the server's while open. */
struct api_watch {
	uint32_t node, life;
	unsigned server;
	uint64_t number; /* of the stream: what belongs to an older one is dropped */
	bool open;
	int64_t from;      /* sends what is newer */
	int64_t arrive_us; /* nothing arrives before what was sent earlier */
	struct api_watch *next;
};

/* What a stream brings. */
struct watch_news {
	struct api_watch *watch;
	uint64_t number;
	enum reflector_event_type type; /* OPENED, CHANGED, BOOKMARK, ERROR, CLOSED */
	enum api_outcome outcome;
	int64_t version;
	const struct stored_wan *wan; /* with CHANGED */
};

void api_start(struct world *w);
struct api_health *api_health(struct world *w);
struct api_call *api_call_new(struct world *w, uint32_t node, uint32_t life,
			      enum api_operation operation);
/* Serves a call; the exchange's serve. */
void api_serve(struct world *w, struct exchange *x);

void api_watch_open(struct world *w, struct api_watch *watch, int64_t from, int64_t seconds);
void api_watch_close(struct world *w, struct api_watch *watch);
/* The server forgets its cache and breaks its connections. */
void api_server_restarts(struct world *w, unsigned server);
/* Nothing older than now can be watched from any more. */
void api_compact(struct world *w);
/* The ways between the node and the servers were cut: what it watches breaks, unless it is brief.
 */
void api_watch_cut(struct world *w, struct api_watch *watch);

const struct stored_lease *api_lease(const struct world *w);
const struct stored_wan *api_wan(const struct world *w);
/* A person stores or deletes (exists is false) something; uid, version are given by the server. */
void api_edit_lease(struct world *w, const struct stored_lease *lease);
void api_edit_wan(struct world *w, const struct stored_wan *wan);
const char *api_operation_name(enum api_operation operation);
uint64_t api_requests(const struct world *w); /* served so far */

#endif
