/*
 * When to ask, and when to believe: the rounds of one address family. A round
 * asks all sources at once; what they agreed on comes back as an event. Pure:
 * the caller keeps the clock, asks, and carries out what it is told to do.
 *
 * A change is published only after a second round confirmed it. An address
 * that goes back and forth is damped: one return is not delayed, the next one
 * within min_change_ms waits for the end of that interval and is decided by a
 * round then. Nothing learned changes nothing: the last good address stays.
 */
#ifndef DETECTOR_ROUNDS_H
#define DETECTOR_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "ipc/message.h"

/* Servers that the tripwire asks in turn; more are not used. */
#define ROUNDS_TRIPWIRES_MAX 16
/* Addresses that a return is told from. */
#define ROUNDS_PAST_MAX 4
/* Rounds that something from outside starts are at least this far apart. */
#define ROUNDS_GAP_MS 1000
/* Rounds that the network's events start, while they find nothing new, are at most this far. */
#define ROUNDS_NETWORK_GAP_MAX_MS 60000
/*
 * So many that found nothing new do not count: a cable that is pulled, and put in
 * again, is more than one event, and the round after it must not wait.
 */
#define ROUNDS_NETWORK_VAIN 3
/* The first retry after a round without agreement; doubles up to the longest, or the interval. */
#define ROUNDS_RETRY_MS 5000
#define ROUNDS_RETRY_MAX_MS 60000

enum rounds_event_type {
	ROUNDS_EV_TICK,            /* time passed: call at rounds_next_deadline() */
	ROUNDS_EV_AGREED,          /* the round ended, its sources agreed on address */
	ROUNDS_EV_HELD,            /* the round ended without agreement */
	ROUNDS_EV_TRIPWIRE,        /* the tripwire's server answered with address */
	ROUNDS_EV_TRIPWIRE_FAILED, /* it gave no address in its time */
	ROUNDS_EV_COMMAND,         /* a person wants a round now */
	ROUNDS_EV_NETWORK,         /* an address or a default route of this host changed */
	ROUNDS_EV__MAX
};

struct rounds_event {
	enum rounds_event_type type;
	struct address address; /* of AGREED and TRIPWIRE */
	uint32_t random;        /* any number, for jitter */
};

struct rounds_actions {
	bool start_round;       /* ask all sources, then report AGREED or HELD */
	bool send_tripwire;     /* ask one server once, then report TRIPWIRE or TRIPWIRE_FAILED */
	size_t tripwire;        /* which one */
	bool publish;           /* address is the new good one */
	bool confirmed;         /* the round agreed on what is published, or is published now */
	struct address address; /* of publish */
};

struct rounds_limits {
	int64_t interval_ms;   /* between rounds */
	int64_t tripwire_ms;   /* between two tripwires; 0: none */
	int64_t confirm_ms;    /* from a change seen to the round that confirms it */
	int64_t min_change_ms; /* damping */
	size_t ntripwires;     /* servers for the tripwire */
};

struct rounds_tripwire {
	int64_t left_out_until_ms; /* of a server that keeps deviating */
	int64_t penalty_ms;        /* how long it is left out the next time; 0: is well */
};

struct rounds {
	struct rounds_limits limits;
	enum msg_wan_state state;
	struct address published; /* ADDRESS_NONE while none is known */
	struct address candidate; /* while CONFIRMING or DAMPED */

	bool running;          /* a round is under way */
	bool again;            /* somebody asked for another one meanwhile */
	int64_t started_ms;    /* the last round */
	int64_t next_round_ms; /* while none is under way */
	unsigned failures;     /* rounds without agreement, in a row */

	size_t npast; /* what was published before, newest first */
	struct address past[ROUNDS_PAST_MAX];
	bool returned; /* at returned_ms an address came back that had been left */
	int64_t returned_ms;

	bool by_network;       /* the network's events ask for the next round */
	bool round_by_network; /* they asked for the last one */
	int64_t network_gap_ms;
	unsigned network_vain; /* rounds that they started, in a row, that found nothing new */
	int64_t network_ms;    /* the last of them */

	bool tripwire_out; /* one is under way */
	size_t tripwire_next, tripwire_asked;
	bool accused; /* tripwire_asked deviated and made this round start */
	int64_t next_tripwire_ms;
	struct rounds_tripwire tripwires[ROUNDS_TRIPWIRES_MAX];
};

/*
 * The first round is due at once. stored is the last good address of an
 * earlier process, or ADDRESS_NONE: it is shown, and only another round's
 * agreement on it, or a confirmed change, makes it current again.
 */
void rounds_init(struct rounds *r, const struct rounds_limits *limits, const struct address *stored,
		 int64_t now_ms);

/*
 * Take one event that happened at now_ms (monotonic, never falling) and say
 * what is to be done. An event that means nothing in this state changes
 * nothing.
 */
struct rounds_actions rounds_step(struct rounds *r, const struct rounds_event *ev, int64_t now_ms);

/*
 * New limits, perhaps other sources: what is under way is forgotten (the
 * caller cancels it, and reports nothing of it), what is published stays, and
 * a round is due at once.
 */
void rounds_reload(struct rounds *r, const struct rounds_limits *limits, int64_t now_ms);

/*
 * When the next ROUNDS_EV_TICK is due. CLOCK_NEVER only while a round or a
 * tripwire is under way: these have deadlines of their own.
 */
int64_t rounds_next_deadline(const struct rounds *r);

/* While DAMPED: when the round comes that decides. */
int64_t rounds_damped_until(const struct rounds *r);

#endif
