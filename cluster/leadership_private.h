/*
 * What the files of the leadership machine share; nobody else includes it.
 *
 *   leadership.c         the machine: time, events, what is told to the caller
 *   leadership_lease.c   the lane of the Lease as its holder: renew, release
 *   leadership_standby.c the same lane as a standby: read, expire, acquire
 *   leadership_wan.c     the lane of the ConfigMap: claim and write
 *   leadership_words.c   sentences and times for people
 */
#ifndef CLUSTER_LEADERSHIP_PRIVATE_H
#define CLUSTER_LEADERSHIP_PRIVATE_H

#include "cluster/leadership.h"

#include "common/clock.h"

/*
 * Builds for the simulation that leave out one rule each, to show that the
 * simulation sees what that rule is for. Never defined in a build for use.
 */
#ifdef SABOTAGE_P2
#define P2_MAY_CLAIM(stored_epoch, term) ((void)(stored_epoch), (void)(term), true)
#else
#define P2_MAY_CLAIM(stored_epoch, term) ((stored_epoch) < (term))
#endif
#if defined(SABOTAGE_P4_TESTS)
#define P4_TESTS 0u
#elif defined(SABOTAGE_P4_SEQUENCE)
#define P4_TESTS (LEADERSHIP_TEST_ALL & ~LEADERSHIP_TEST_SEQUENCE)
#else
#define P4_TESTS LEADERSHIP_TEST_ALL
#endif
#ifdef SABOTAGE_DEADLINE
#define DEADLINE_COUNTS false
#else
#define DEADLINE_COUNTS true
#endif

/* A caller that does not report the end of a request is not waited for longer than this. */
#define GRACE_MS 1000
/* Standbys read at least this often, and failing writes to the ConfigMap are repeated so. */
#define LONGEST_PERIOD_MS 30000
/* No answer from outside keeps the lane of the ConfigMap waiting longer than this. */
#define RETRY_AFTER_MAX_MS 60000
/* The longest that the configuration allows; a record that says more was not written by us. */
#define LONGEST_DURATION_MS 3600000
/* So many conflicts in a row are answered by reading at once. */
#define CONFLICTS_AT_ONCE 4
/* The first read of a process is within this. */
#define FIRST_READ_MS 200
/* Exact in JSON; beyond it a new term starts again at 1. */
#define SEQUENCE_MAX INT64_C(9007199254740991)

enum acquiring {
	ACQUIRING_NOT,
	ACQUIRING_ASK,  /* the ConfigMap's epoch is being read (P1) */
	ACQUIRING_WRITE /* the Lease is being written */
};

enum wan_known { WAN_UNKNOWN, WAN_ABSENT, WAN_KNOWN };

struct lane {
	struct leadership_request sent; /* kind NONE: nothing is under way */
	int64_t sent_ms;
	int64_t due_ms; /* nothing is sent before */
};

struct leadership {
	struct leadership_config config;
	enum leadership_role role;
	bool told_active;
	int64_t now_ms, wall_ms;
	uint32_t random;
	unsigned stamps; /* counts the times written, so that no two are equal */
	uint64_t last_id;
	unsigned followers;
	char holder[MSG_HOLDER_MAX];
	char lease_reason[MSG_REASON_MAX], wan_reason[MSG_REASON_MAX];

	/* the Lease */
	struct lane lease;
	struct api_lease stored; /* as last read by quorum, or written */
	bool exists;             /* stored counts: there is such a Lease */
	struct api_lease written;
	int64_t written_ms; /* when written was sent */
	bool unsettled;     /* whether written is stored, or will be, is not known */

	/* as a standby */
	bool by_quorum;
	bool baseline; /* a quorum read since by_quorum was set has shown a record */
	struct api_lease cached;
	bool cached_known;
	bool lag_known; /* what follows counts, for the record's term */
	int64_t lag_term, least_lag_ms;
	struct api_lease observed; /* by quorum */
	bool observed_known;
	int64_t expiry_ms; /* of observed, with this pod's share of the spread */
	int64_t hurry_ms;  /* a quorum read is due then at the latest; CLOCK_NEVER: no hurry */
	int64_t hint_ms;   /* hints before this wait until then */
	int64_t quorum_ms; /* when the last quorum read was sent */
	int64_t seen_term; /* transitions of the record seen last; 0 if out of bounds */
	enum acquiring acquiring;

	/* as its holder */
	int64_t term, used_term; /* the second: the last one that it sent a claim for */
	int64_t deadline_ms;
	int64_t bump_to; /* P3: the term that the next renewal is to set; 0: none */
	bool reread;     /* stored may be old: read before the next write */
	int64_t stop_ms; /* LEADERSHIP_RELEASING ends then */

	/* the ConfigMap */
	struct lane wan;
	enum wan_known known;
	struct api_fence fence;
	char claimed_uid[MSG_UID_MAX]; /* of the object that this term's work is in */
	bool claim_lost; /* the end of a claim is not known, nor of a creation; it was for */
	char claimed_version[API_VERSION_MAX];
	int64_t lost_claim_sequence;  /* that it would have set */
	int64_t spent_term;           /* it may have been claimed and changed: not again */
	int64_t claimed_term;         /* in which claimed_uid was claimed, */
	int64_t claimed_sequence;     /* and the last number there that I know to be mine */
	unsigned failures, conflicts; /* in a row */
	bool refused;                 /* the last write was, with 422, */
	int64_t refused_sequence;     /* when this was tested */
	uint64_t content;             /* 0: none since it leads */
	bool dirty;                   /* content is not known to be stored */
	bool lost;                    /* a write whose end is not known */
	bool lost_mixed;              /* several, with different contents */
	int64_t lost_sequence;        /* that it would have set */
	uint64_t lost_content;
};

/* leadership.c */
int64_t leadership_min(int64_t a, int64_t b);
int64_t leadership_max(int64_t a, int64_t b);
/* From ms to 120 % of it. */
int64_t leadership_jittered(struct leadership *l, int64_t ms);
/* 0 to min(1000, followers) ms: of many, few ask at the same moment. */
int64_t leadership_spread(struct leadership *l);
bool leadership_holds(const struct leadership *l);
bool leadership_is_me(const struct leadership *l, const char *holder);
/* A request into a lane that is idle; out is the lane's part of the actions. */
void leadership_send(struct leadership *l, struct lane *lane, struct leadership_request *out);
/* Hold the Lease no more, or work no more, and start to read by quorum at once. */
void leadership_step_down(struct leadership *l);
void leadership_end_request(struct lane *lane);

/* leadership_lease.c */
void lease_answer(struct leadership *l, const struct leadership_event *ev,
		  struct leadership_actions *out);
void lease_plan(struct leadership *l, struct leadership_actions *out);
void lease_stop(struct leadership *l);
/* The record to be written now, over stored. */
struct api_lease lease_record(struct leadership *l, int64_t transitions, bool keep_acquire_time);
void lease_write(struct leadership *l, const struct api_lease *lease,
		 struct leadership_actions *out);
bool lease_same(const struct api_lease *a, const struct api_lease *b);

/* leadership_standby.c */
void standby_answer(struct leadership *l, enum leadership_request_kind kind,
		    const struct leadership_event *ev);
void standby_plan(struct leadership *l, struct leadership_actions *out);
/* Read by quorum from now on, first at the given time. */
void standby_read_by_quorum(struct leadership *l, int64_t at_ms);
void standby_see(struct leadership *l, const struct api_lease *lease);
int64_t standby_due(const struct leadership *l);
/* P1: the ConfigMap's epoch is known, or could not be read. */
void standby_epoch_known(struct leadership *l, const struct leadership_event *ev);
void standby_hint(struct leadership *l);
void standby_released(struct leadership *l, int64_t term);

/* leadership_wan.c */
void wan_answer(struct leadership *l, const struct leadership_event *ev,
		struct leadership_actions *out);
void wan_plan(struct leadership *l, struct leadership_actions *out);
/* Is there something to send when due? */
bool wan_wants(const struct leadership *l);
void wan_forget(struct leadership *l);

/* leadership_words.c */
/* A MicroTime: UTC with exactly six fractional digits; no two in a row are equal. */
void words_stamp(struct leadership *l, char out[API_TIME_MAX]);
void words_lease_failed(struct leadership *l, enum api_outcome outcome);
void words_wan_failed(struct leadership *l, enum api_outcome outcome);
void words_held(struct leadership *l);
void words_lease(struct leadership *l, const char *what); /* "the Lease NAME " and what */
void words_wan(struct leadership *l, const char *what);   /* "the ConfigMap NAME " and what */

#endif
