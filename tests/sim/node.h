/*
 * One node: its clock, its processes' lives, and the machines of a detector and
 * an updater, wired as the real programs wire them.
 *
 *   node.c           clock, pauses, crashes, time-outs: the loop of a process
 *   node_detector.c  election, rounds, fenced publishing
 *   node_updater.c   following
 *   node_records.c   records and their writers
 *   node_peers.c     the bus between nodes
 */
#ifndef TESTS_SIM_NODE_H
#define TESTS_SIM_NODE_H

#include "cluster/follow.h"
#include "cluster/leadership.h"
#include "cluster/reflector.h"
#include "detector/agreement.h"
#include "detector/rounds.h"
#include "tests/sim/api_model.h"
#include "tests/sim/gandi_model.h"
#include "tests/sim/network.h"
#include "tests/sim/sources.h"
#include "updater/confirmation.h"
#include "updater/plan.h"
#include "updater/writer.h"

#define SIM_LEASE_MS 15000
#define SIM_RENEW_MS 10000
#define SIM_RETRY_MS 2000
#define SIM_INTERVAL_MS 60000 /* of the detector and of the updater */
#define SIM_ROUND_MS 5000     /* sources' time-out */
#define SIM_CONTENTS 64
#define SIM_RENEWALS 8

struct deferred {
	uint32_t life;
	void (*happen)(struct world *w, struct node *node, void *arg);
	void *arg;
};

/* News of one's own rounds, and when they were confirmed. */
struct content {
	struct news news;
	int64_t confirmed_ms;
};

/* What is published: committed news under its numbers. */
struct wan_state {
	char uid[MSG_UID_MAX];
	int64_t epoch, sequence;
	struct news news;
	int64_t confirmed_ms; /* on the clock of who holds this; PLAN_NEVER */
};

struct detector_part {
	struct leadership *leadership;
	struct api_call *lease_call, *wan_call;
	const struct stored_wan *read_wan; /* as last answered */
	bool active;                       /* began, and not ended */
	/* Own reckoning, for the invariants: when lease writes were sent, and until when it leads.
	 */
	struct {
		char renew_time[API_TIME_MAX];
		int64_t sent_ms;
	} renewals[SIM_RENEWALS];
	unsigned renewal;
	int64_t until_ms;

	struct rounds rounds;
	uint64_t round; /* number; answers to older ones are dropped */
	int64_t round_end_ms, decided_ms;
	bool running;
	unsigned answers;
	struct ballot ballots[SOURCES];
	uint64_t tripwire;
	int64_t tripwire_end_ms; /* CLOCK_NEVER: none is under way */

	struct news news;
	uint64_t content; /* number of news; grows for ever */
	struct content contents[SIM_CONTENTS];
	bool listening;             /* others may connect */
	struct wan_state published; /* the last state told to others; epoch 0: none */
};

struct record_part {
	struct plan plan;
	struct writer writer;
	struct gandi_call *call;
	struct api_call *api_call;
};

struct updater_part {
	struct reflector reflector;
	struct api_call *list_call;
	struct api_watch watch;
	bool watching;
	int64_t watch_end_ms, watch_limit_ms;
	unsigned server;
	struct follow follow;
	struct wan_state shown;          /* epoch 0: nothing yet */
	const struct stored_wan *object; /* as the watch or a list showed it last; NULL: none */
	struct confirmation confirmation;
	struct record_part records[SIM_RECORDS];
};

struct peer_part {
	int target; /* node that it wants to hear; -1: none */
	bool connected;
	uint64_t number; /* of the connection */
	int64_t retry_ms, heard_ms;
	unsigned accepted;       /* connections to this node */
	uint64_t listener;       /* grows with each end of the listening */
	uint64_t heard_listener; /* the target's, when connected */
};

struct node {
	struct world *w;
	uint32_t index, life;
	bool alive, paused, stopping;
	int64_t ppm, offset_ms, wall_offset_ms;
	int64_t timer_us; /* when the timer comes that is set; -1: none is */
	uint64_t timer;   /* its number; earlier ones are void */
	int64_t last_tick_ms;
	unsigned ticks; /* at last_tick_ms */
	char identity[MSG_HOLDER_MAX], name[24];

	struct exchange *under_way;
	struct deferred *mail; /* what came while it was paused */
	size_t nmail, mail_max;

	struct detector_part detector;
	struct updater_part updater;
	struct peer_part peer;
};

void nodes_start(struct world *w);
void nodes_end(struct world *w);

/* --- life --- */
void node_boot(struct world *w, uint32_t index); /* with a new identity */
void node_crash(struct world *w, uint32_t index);
void node_stop(struct world *w, uint32_t index); /* SIGTERM: an orderly end */
void node_pause(struct world *w, uint32_t index);
void node_resume(struct world *w, uint32_t index);

/* --- the loop --- */
int64_t node_now(const struct node *n);
int64_t node_wall(const struct node *n);
uint32_t node_random(struct node *n);
/*
 * Let happen(w, node, arg) come to the node of that life; later if it is paused;
 * with NULL for the node, to free arg, if that life is over.
 */
void node_deliver(struct world *w, uint32_t index, uint32_t life,
		  void (*happen)(struct world *w, struct node *node, void *arg), void *arg);
/* Send; heard() comes once, by the answer or by the time-out. */
void node_send(struct node *n, struct exchange *x, int64_t timeout_ms,
	       void (*heard)(struct world *w, struct node *n, struct exchange *x));
/* Give it up; heard() does not come. */
void node_cancel(struct node *n, struct exchange *x);
/* The reply is there. */
void node_end_exchange(struct world *w, struct node *n, struct exchange *x);

/* --- detector --- */
void detector_boot(struct node *n);
void detector_end(struct node *n); /* with the process: frees */
void detector_stop(struct node *n);
void detector_step(struct node *n, struct leadership_event *ev);
void detector_hint(struct node *n);
void detector_tick(struct node *n);
int64_t detector_deadline(const struct node *n);
bool detector_is_active(const struct node *n);

/* --- updater --- */
void updater_boot(struct node *n);
void updater_tick(struct node *n);
int64_t updater_deadline(const struct node *n);
/* News that did not come from one's own read; own: from the detector of this pod. */
void updater_hear(struct node *n, const struct wan_state *state, bool own);
void updater_look_at_leadership(struct node *n);
void node_hear_watch(struct world *w, struct node *n, const struct watch_news *news);

/* --- peers --- */
void peers_boot(struct node *n);
void peers_end(struct node *n);
void peers_tick(struct node *n);
int64_t peers_deadline(const struct node *n);
/* Follow what this node publishes; -1: nobody. */
void peers_dial(struct node *n, int target);
void peers_publish(struct node *n);
void peers_announce_release(struct node *n, int64_t term);
/* It does not lead any more: connections end. */
void peers_hang_up(struct node *n);

#endif
