/*
 * Who may write one DNS record, in a cluster where every node could: the rules
 * for claims, permits and reports around the record's key in the ConfigMap.
 * One instance for each record on each node. It makes no system call and keeps
 * no clock; the plan (plan.h) decides what is to be read and written, the
 * writer decides whether this node does it now. The local backend needs none.
 *
 * A claim is a JSON patch of the record's key that tests uid, epoch, sequence
 * and the key's old text, so only one of several wins. It is good for
 * WRITER_CLAIM_MS from its sending, and nobody else claims before that time has
 * passed since it was seen. A record that is out of sync (the key names another
 * value than the published one, or is not in sync) is handled under a claim
 * only: by the leader's node at once, by the others after backup_delay and a
 * random part of backup_spread. A record in sync is checked by the leader's
 * node alone. Before each write exactly one quorum read must show that uid,
 * epoch, address and claim are as planned, and that a round confirmed it.
 *
 * What it costs, for any number N of nodes: the provider sees the one node that
 * holds the claim, or the leader's. The API server sees one claim, one read and
 * one report for a change, one report for an interval, and nothing from nodes
 * that only watch. Nodes that want to claim at the same time are spread over at
 * least WRITER_SPACING_MS for each follower, drawn anew whenever all of them
 * could start together (a claim ran out, the watch or a confirmation came
 * back), so that those who try before they see the winner's claim are as many
 * as fit into the delay of a watch, not N. A patch or read that fails is
 * repeated after a growing delay, from 1 s to 60 s.
 *
 * Times are milliseconds on the caller's monotonic clock, which never falls.
 */
#ifndef UPDATER_WRITER_H
#define UPDATER_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/api.h"
#include "common/address.h"

#define WRITER_NEVER INT64_MIN /* a time that has not come yet, and is not to come */
#define WRITER_CLAIM_MS 30000  /* how long a claim keeps the others from claiming */
#define WRITER_RUN_MS 15000    /* how long after it a check may begin under it */
#define WRITER_YIELD_MS 60000  /* after a claim that failed, the leader lets others go first */
#define WRITER_SPACING_MS 20   /* between the claims of two followers, on average */
#define WRITER_REQUEST_MS 5000 /* the time-out of its requests */
#define WRITER_LAG_MS 2000     /* how long a permit waits for a watch that is behind the news */
#define WRITER_PERMIT_MS 20000 /* a permit is refused if it cannot be decided within this */

struct writer_settings {
	int64_t interval_ms; /* between two periodic checks */
	int64_t fresh_ms;    /* how old a confirmation may be: twice the detector's interval */
	int64_t backup_delay_ms, backup_spread_ms;
	bool observe; /* never active, no claims, no reports */
	bool dry_run; /* the leader's node checks; no claims, no reports */
};

/* The record's key, as far as decisions need it. */
struct writer_key {
	bool exists; /* there, and readable */
	bool pending;
	bool mine; /* "by" is this node */
	bool in_sync;
	bool attention;
	struct address value;
	int64_t claimed_at; /* wall, as stored: which claim it comes from; only compared */
	uint64_t stamp; /* writer_stamp() of its exact text, readable or not; 0: there is none */
};

/* What a read or the watch of the ConfigMap shows, for one record. */
struct writer_view {
	char uid[MSG_UID_MAX];
	int64_t epoch, sequence; /* 0: absent or unusable */
	struct address address;  /* published, of the record's family */
	int64_t confirmed_ms;    /* by a round, on this clock (confirmation.h); or WRITER_NEVER */
	bool leads;              /* this node's detector leads, for this epoch */
	unsigned followers;
	struct writer_key key;
};

enum writer_event_type {
	WRITER_EV_TICK,   /* time passed: due at writer_next_deadline() */
	WRITER_EV_OBJECT, /* view: the watch shows this now (also to tell a change of leads) */
	WRITER_EV_BLIND,  /* the watch is broken, or the object gone: what is known may be old */
	WRITER_EV_ANSWER, /* of the request under way: id, outcome, retry_after_ms; view with API_OK
			   */
	WRITER_EV_PLAN,   /* what the plan says: plan */
	WRITER_EV_CHECK,  /* a person asks, or a cause of failure may be gone (a new token) */
	WRITER_EV__MAX
};

enum writer_said {
	WRITER_WANTS,     /* a permit to write value (PLAN_REQUEST_PERMIT) */
	WRITER_IN_SYNC,   /* a check ended: the record is right */
	WRITER_FAILED,    /* it ended with a failure that may pass */
	WRITER_ATTENTION, /* it ended with one that needs a person */
	WRITER_LEFT       /* it ended with a difference that is not written now */
};

struct writer_plan {
	enum writer_said said;
	struct address value;  /* wanted */
	bool in_sync;          /* as of the last read: does the record have this value? */
	uint64_t error_stamp;  /* writer_stamp() of the error; 0: none */
	int64_t not_before_ms; /* the provider's Retry-After: no request before; or WRITER_NEVER */
	int64_t retry_ms;      /* with FAILED and ATTENTION: when the plan would try again */
};

struct writer_event {
	enum writer_event_type type;
	uint64_t id;
	enum api_outcome outcome;
	int64_t retry_after_ms; /* -1: none */
	const struct writer_view *view;
	const struct writer_plan *plan;
	uint32_t random; /* any number, with every event */
};

enum writer_request {
	WRITER_REQUEST_NONE,
	WRITER_REQUEST_GET,   /* the ConfigMap, by quorum */
	WRITER_REQUEST_CLAIM, /* patch: tests uid, epoch, sequence and the old text; sets the key to
				 value, pending, not in sync, no error, by this node,
				 claimed now */
	WRITER_REQUEST_REPORT /* patch: tests uid and the old text; sets the key to what the plan
				 says at this moment, not pending, by this node,
				 claimed_at as it stands there */
};

enum writer_permit { WRITER_UNDECIDED, WRITER_GRANTED, WRITER_REFUSED };

struct writer_actions {
	enum writer_request request; /* start it, and tell its end by one WRITER_EV_ANSWER */
	uint64_t id;
	int64_t timeout_ms;
	char uid[MSG_UID_MAX];   /* to be tested */
	int64_t epoch, sequence; /* to be tested by a claim */
	uint64_t old_stamp;      /* of the text to be tested; 0: the key must be absent */
	struct address value;    /* of a claim */

	bool run;                  /* check now, unless a check is under way */
	enum writer_permit permit; /* the answer to WRITER_WANTS */
	const char *sentence;      /* why it is refused; static */
	bool changed;              /* writer_active() or writer_reason() are others than before */
};

struct writer_report {
	struct address value;
	bool in_sync, attention;
	uint64_t error_stamp;
};

struct writer_claim {
	int64_t ms; /* of its sending; WRITER_NEVER: none */
	int64_t epoch;
	struct address value;
};

#define WRITER_REPLACED 4

struct writer {
	struct writer_settings settings;
	int64_t now_ms;
	bool known, blind;
	struct writer_view view; /* the newest */

	enum writer_request busy; /* under way */
	uint64_t id;
	int64_t sent_ms;
	struct writer_view asked;                /* the view that it was sent with */
	bool deciding;                           /* the read under way decides a permit */
	bool look;                               /* a read must come before the next patch */
	bool denied;                             /* the last request was, by the API server */
	int64_t refused_epoch, refused_sequence; /* what the last refused patch tested */
	uint64_t refused_stamp;
	unsigned failures;  /* of requests, in a row */
	int64_t api_due_ms; /* no request before */

	int64_t out_since_ms; /* since when the record is out of sync; WRITER_NEVER: it is in sync
			       */
	int64_t claim_due_ms; /* of a backup */
	bool held_back;       /* something kept it from claiming when that came */
	struct writer_claim claim, lost;    /* won by this node; sent, and its fate is not known */
	struct writer_claim other;          /* seen, of another node */
	uint64_t own_stamp;                 /* of the key as this node left it last */
	uint64_t replaced[WRITER_REPLACED]; /* what its patches replaced, the newest first */
	int64_t replaced_ms;
	bool closed;           /* the work under the claim is over */
	int64_t retry_ms;      /* no claim of this node before */
	int64_t not_before_ms; /* of the provider */

	bool wants; /* a permit is to be decided */
	struct address wants_value;
	int64_t wants_ms;
	bool refused; /* the last one was, and the plan has not ended since */
	bool rerun;   /* check again as soon as requests may be sent */
	bool person;  /* asked, and not served yet */
	bool looking; /* a check for a person, of a record in sync */

	bool reporting;
	struct writer_report report, reported;
	int64_t report_ms, reported_ms;

	bool active;
	const char *reason;
};

void writer_init(struct writer *w, const struct writer_settings *settings);
/* New settings; follow it with a WRITER_EV_TICK. */
void writer_configure(struct writer *w, const struct writer_settings *settings);
/*
 * Take one event that happened at now_ms. Tell the plan its news before the writer
 * its object: what the writer lets run is to be about that address. An answer with another id
 * changes nothing. */
struct writer_actions writer_step(struct writer *w, const struct writer_event *ev, int64_t now_ms);
/* When the next WRITER_EV_TICK is due; CLOCK_NEVER: after another event. */
int64_t writer_next_deadline(const struct writer *w);

/* May the plan begin checks by itself? If not, plan_set_passive() and show the key's state. */
bool writer_active(const struct writer *w);
/* Why this node does not act on a record that is out of sync, as a sentence; "" if it does. */
const char *writer_reason(const struct writer *w);
/* A number for a text: equal texts have equal ones. 0 for NULL, never 0 otherwise. */
uint64_t writer_stamp(const char *text);

#endif
