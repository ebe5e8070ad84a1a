/*
 * Every message of the bus: what it carries, its limits, and its JSON form.
 *
 * Messages are full states, never differences: one lost or repeated does no
 * harm. Each is one JSON object of at most MSG_SIZE_MAX bytes with "v" (the
 * version) and "type". Unknown members are ignored; an unknown version or
 * type, a member of the wrong type or out of its bounds refuses the message.
 *
 * Every time stands twice where both are needed: as wall time for people
 * (*_at, milliseconds since 1970, 0 for never) and as the age at the moment
 * of sending (*_age_ms, -1 for never), which no wrong wall clock can spoil.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/metrics.h"

#define MSG_VERSION 1
#define MSG_SIZE_MAX 8192
#define MSG_VOTES_MAX 16   /* operators of one family */
#define MSG_CHANGES_MAX 8  /* of the history of one family */
#define MSG_VALUES_MAX 8   /* values of a record as found */
#define MSG_UID_MAX 40     /* with NUL */
#define MSG_HOLDER_MAX 160 /* with NUL */
#define MSG_OPERATOR_MAX 48
#define MSG_REASON_MAX 400 /* a sentence, with NUL */
#define MSG_NAME_MAX 256   /* a domain name, with NUL */
#define MSG_HREF_MAX 512
#define MSG_PLACE_MAX 200 /* a list of addresses, with NUL */
/* An epoch outside 1..this counts as absent (ARCHITECTURE.md, P4). */
#define MSG_EPOCH_MAX (1 << 30)

enum msg_type { MSG_WAN, MSG_LEAD, MSG_RECORD, MSG_STATS, MSG_CLUSTER, MSG_TYPE__MAX };

/* One operator's vote in the last round. */
struct msg_vote {
	char operator[MSG_OPERATOR_MAX];
	char kind[12];         /* "https", "http", "stun", "stun-tcp", "mixed" */
	struct address answer; /* ADDRESS_NONE if none */
	char error[96];        /* why there is none, or why it does not count; "" if it counts */
	bool agrees;           /* with the address that is published */
	int64_t duration_ms;
};

struct msg_change {
	struct address address;
	int64_t at; /* wall */
};

enum msg_wan_state {
	MSG_WAN_UNKNOWN,    /* no round has ended yet */
	MSG_WAN_AGREED,     /* the last round agreed on the published address */
	MSG_WAN_CONFIRMING, /* a change was seen and is being confirmed */
	MSG_WAN_DAMPED,     /* it flaps: waits for min_change_interval */
	MSG_WAN_HELD,       /* the last round did not agree: the last good address stays */
	MSG_WAN_STATE__MAX
};

struct msg_wan_family {
	bool wanted; /* some record needs this family */
	enum msg_wan_state state;
	struct address address; /* the published one; ADDRESS_NONE while none is known */
	int64_t detected_at;    /* wall: since when it is this address */
	int64_t confirmed_at;   /* wall: the last round that agreed on it */
	int64_t confirmed_age_ms;
	int64_t checked_at; /* wall: the end of the last round, whatever it found */
	int64_t checked_age_ms;
	unsigned asked, answered, agreed, needed; /* operators, in the last round */
	char reason[MSG_REASON_MAX]; /* a sentence while state is not AGREED; else "" */
	size_t nvotes;
	struct msg_vote votes[MSG_VOTES_MAX];
	size_t nchanges; /* oldest first */
	struct msg_change changes[MSG_CHANGES_MAX];
};

/*
 * The published address. From the detector where it leads, else from the updater as it
 * follows it; and from the leader's detector to all pods. A holder of "" there says that
 * the leader has given the Lease back.
 */
struct msg_wan {
	char uid[MSG_UID_MAX]; /* of the object (ConfigMap or state file) that the numbers belong to
				*/
	int64_t epoch;         /* 1..MSG_EPOCH_MAX */
	int64_t sequence;      /* grows with each change of what is published */
	char holder[MSG_HOLDER_MAX];
	struct msg_wan_family ipv4, ipv6;
};

enum msg_role { MSG_STANDBY, MSG_LEADER, MSG_ROLE__MAX };

/* Who leads, as this pod sees it. From the detector. */
struct msg_lead {
	enum msg_role role; /* of this pod */
	char backend[16];   /* "local", "kubernetes" */
	char holder[MSG_HOLDER_MAX];
	int64_t term;
	int64_t since;               /* wall */
	char reason[MSG_REASON_MAX]; /* why it does not lead, or what is wrong with the store; "" if
					fine */
};

enum msg_record_state {
	MSG_RECORD_UNKNOWN,   /* not read yet, or no address is known */
	MSG_RECORD_IN_SYNC,   /* read, and right */
	MSG_RECORD_WORKING,   /* a read or a write is under way or about to be */
	MSG_RECORD_RETRYING,  /* a passing failure; tried again at next_at */
	MSG_RECORD_ATTENTION, /* a person is needed; tried again slowly */
	MSG_RECORD_HELD, /* out of sync, and not written: no fresh confirmation of the address */
	MSG_RECORD_OBSERVED, /* out of sync, and not written: observe or dry_run */
	MSG_RECORD_STATE__MAX
};

/* One record. From the updater, one message for each. */
struct msg_record {
	unsigned index, count; /* its place among the configured ones, and how many there are */
	char fqdn[MSG_NAME_MAX], zone[MSG_NAME_MAX], name[MSG_NAME_MAX];
	enum address_family family; /* of the type: A is IPv4, AAAA is IPv6 */
	enum msg_record_state state;
	struct address wanted; /* ADDRESS_NONE while no address is known */
	int64_t wanted_ttl;    /* s */
	bool exists;           /* as found at the provider; also true only after a read */
	size_t nvalues;
	char values[MSG_VALUES_MAX][ADDRESS_TEXT_MAX];
	int64_t ttl; /* as found, s */
	char href[MSG_HREF_MAX];
	bool in_sync;       /* as of checked_at */
	int64_t checked_at; /* wall: the last successful read */
	int64_t checked_age_ms;
	int64_t updated_at;         /* wall: the last successful write */
	int64_t next_in_ms;         /* until the next check or attempt; -1 for none planned */
	char error_type[24];        /* a label: "timeout", "unauthorized", ...; "" if none */
	char error[MSG_REASON_MAX]; /* a sentence; "" if none */
	char by[MSG_HOLDER_MAX];    /* the node whose word this is; "" if it is one's own */
};

/* What the updater sees of the cluster it follows: for the detector that stands by, and webd. */
struct msg_cluster {
	unsigned followers;            /* pods, as the leader counts them */
	bool connected;                /* to the leader's publisher */
	char publisher[MSG_PLACE_MAX]; /* where that is; "" if there is none */
	bool current;                  /* the ConfigMap is watched: what is known is no older */
	int64_t released;              /* the epoch whose leader said that it gave back; 0: none */
	bool overdue;                  /* a record should be right by now, and is not */
	bool balancer_pending;         /* the Service is to get a load balancer, and has none */
	char balancer[MSG_PLACE_MAX];  /* addresses of the Service's load balancer; "" if none */
	char reason[MSG_REASON_MAX];   /* what is wrong with the API server; "" if fine */
};

/*
 * Samples of a process's metrics, absolute values; a large set takes several
 * messages, sent in the order of their parts. Together they are the whole set:
 * a sample that is in none of them is gone.
 */
struct msg_stats {
	char from[24];           /* the unit */
	unsigned part, parts;    /* from 0; how many there are, at least 1 */
	struct metrics *metrics; /* owned */
};

struct msg {
	enum msg_type type;
	union {
		struct msg_wan wan;
		struct msg_lead lead;
		struct msg_record record;
		struct msg_stats stats;
		struct msg_cluster cluster;
	};
};

/* The JSON text; free() it. Never NULL, never longer than MSG_SIZE_MAX: votes are shortened first.
 */
char *msg_encode_wan(const struct msg_wan *w);
char *msg_encode_lead(const struct msg_lead *l);
char *msg_encode_record(const struct msg_record *r);
char *msg_encode_cluster(const struct msg_cluster *c);
/* As many messages as it takes, each handed to emit(). */
void msg_encode_stats(const char *from, const struct metrics *m,
		      void (*emit)(const char *json, void *arg), void *arg);

/*
 * Read a message from outside. 0, or -1 with *why a phrase that says what is
 * wrong with it. Free with msg_free() after a success.
 */
int msg_decode(const char *text, size_t len, struct msg **out, const char **why);
void msg_free(struct msg *m);

const char *msg_type_name(enum msg_type type);
const char *msg_wan_state_name(enum msg_wan_state state);
const char *msg_record_state_name(enum msg_record_state state);
const char *msg_role_name(enum msg_role role);

/* The family's part of a message; NULL for ADDRESS_NONE. */
struct msg_wan_family *msg_wan_family(struct msg_wan *w, enum address_family family);
const struct msg_wan_family *msg_wan_family_const(const struct msg_wan *w,
						  enum address_family family);

#endif
