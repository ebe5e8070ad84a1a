/*
 * All units together, as a machine: who starts after whom, who stops before
 * whom, what a unit that failed for good means for the whole, and an end within
 * MANAGER_STOP_MS. Like the units themselves it makes no system call.
 */
#ifndef SUPERVISOR_MANAGER_H
#define SUPERVISOR_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/unit.h"

#define MANAGER_UNITS_MAX 8
/*
 * The whole shutdown, below Docker's 10 s. What lives after MANAGER_KILL_MS is
 * killed; the rest is for the kernel to let go of it.
 */
#define MANAGER_STOP_MS 8000
#define MANAGER_KILL_MS 7500

struct manager_unit_config {
	struct unit_config unit;
	bool enabled;
	bool essential; /* its failure for good may end the whole */
	uint32_t after; /* bit n: it starts once unit n is up, and stops before it */
};

enum manager_phase {
	MANAGER_RUNNING,
	MANAGER_STOPPING, /* units end in reverse order */
	MANAGER_DONE      /* nothing is left to wait for */
};

struct manager_unit {
	struct unit unit;
	bool enabled;
	bool essential;
	uint32_t after;
	bool wanted;  /* it became enabled: to be started at MANAGER_EV_START */
	bool refused; /* it became disabled: to be stopped then */
	bool waiting; /* to be started once those before it are settled */
	bool settled; /* its first start has come to an end, well or not */
	bool asked;   /* told to stop by the shutdown */
};

struct manager {
	size_t n;
	struct manager_unit units[MANAGER_UNITS_MAX];
	enum manager_phase phase;
	bool exit_on_failure;
	bool ready;      /* see manager_ready() */
	int exit_code;   /* 0, or the code of the unit whose failure ended it */
	size_t failed;   /* that unit, if exit_code is not 0 */
	bool stuck;      /* done, though something could not be killed in time */
	int64_t stop_ms; /* when the shutdown began */
};

enum manager_event_type {
	MANAGER_EV_START, /* start all enabled units; after manager_configure() also what is new */
	MANAGER_EV_UNIT,  /* event for a unit */
	MANAGER_EV_SHUTDOWN, /* stop all units in order, then be done */
	MANAGER_EV_KILL,     /* the same, without asking them first */
	MANAGER_EV_STALL,    /* all stood still: see UNIT_EV_STALL */
	MANAGER_EV_TICK      /* due at manager_next_deadline() */
};

struct manager_event {
	enum manager_event_type type;
	size_t unit;
	struct unit_event event;
};

struct manager_action {
	size_t unit;
	uint64_t incarnation;
	struct unit_action action; /* never an empty one */
};

/* In the order in which they are to be carried out. */
struct manager_actions {
	size_t n;
	struct manager_action list[2 * MANAGER_UNITS_MAX];
};

/* exit_on_failure: an essential unit that fails ends the whole. */
void manager_init(struct manager *m, size_t n, bool exit_on_failure);
/*
 * Set or replace what is configured for one unit. Nothing is started or stopped
 * by it: MANAGER_EV_START does that, for units that became enabled or disabled.
 */
void manager_configure(struct manager *m, size_t unit, const struct manager_unit_config *config,
		       int64_t now_ms);

/* Take one event and say what is to be done; out is overwritten. */
void manager_step(struct manager *m, const struct manager_event *ev, int64_t now_ms,
		  struct manager_actions *out);

/* When the next MANAGER_EV_TICK is due, or CLOCK_NEVER. */
int64_t manager_next_deadline(const struct manager *m);

/*
 * Has the whole come up? Once every enabled essential unit was active at the
 * same time, and the first start of every other enabled one came to an end:
 * a port of webd's that is in use does not hold up the DNS work. Stays true.
 */
bool manager_ready(const struct manager *m);

/* Is some enabled unit not up that should be: in backoff or failed? */
bool manager_degraded(const struct manager *m);

#endif
