/*
 * One supervised unit as a machine: systemd's semantics under systemd's names
 * (systemd.service(5)). It makes no system call and keeps no clock: the caller
 * says what happened and when, and carries out what it is told to do.
 *
 * Each spawn gets a new incarnation. What a child did carries the incarnation
 * it belongs to; news of an older one changes nothing.
 */
#ifndef SUPERVISOR_UNIT_H
#define SUPERVISOR_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT_BURST_MAX 100 /* the largest StartLimitBurst */
/* One EXTEND_TIMEOUT_USEC lengthens a time-out by this much at most. */
#define UNIT_EXTEND_MAX_MS 600000

enum unit_state {
	UNIT_INACTIVE,   /* no process, and none wanted */
	UNIT_ACTIVATING, /* spawned, not up yet */
	UNIT_ACTIVE,     /* up */
	UNIT_STOPPING,   /* asked to end, or ending by itself */
	UNIT_ABORTING,   /* missed its watchdog, asked to dump core */
	UNIT_BACKOFF,    /* no process; the next start is due at the deadline */
	UNIT_FAILED,     /* no process, given up */
	UNIT_STATE__MAX
};

/* Why the last run ended, or why there was none. */
enum unit_cause {
	UNIT_CAUSE_NONE,        /* it has not ended yet */
	UNIT_CAUSE_CLEAN,       /* exit 0, HUP, INT, TERM, PIPE, SuccessExitStatus */
	UNIT_CAUSE_EXIT,        /* another exit code */
	UNIT_CAUSE_SIGNAL,      /* another signal, with or without a core */
	UNIT_CAUSE_TIMEOUT,     /* TimeoutStartSec, or TimeoutStopSec of a stop of its own */
	UNIT_CAUSE_WATCHDOG,    /* WatchdogSec */
	UNIT_CAUSE_PROTOCOL,    /* Type=notify, and ended cleanly before READY=1 */
	UNIT_CAUSE_RESOURCES,   /* it could not be spawned */
	UNIT_CAUSE_START_LIMIT, /* StartLimitBurst */
	UNIT_CAUSE__MAX
};

enum unit_type { UNIT_TYPE_EXEC, UNIT_TYPE_NOTIFY };

enum unit_restart {
	UNIT_RESTART_NO,
	UNIT_RESTART_ALWAYS,
	UNIT_RESTART_ON_SUCCESS,
	UNIT_RESTART_ON_FAILURE,
	UNIT_RESTART_ON_ABNORMAL,
	UNIT_RESTART_ON_ABORT,
	UNIT_RESTART_ON_WATCHDOG,
	UNIT_RESTART__MAX
};

/* How a process ended. */
struct unit_status {
	bool signalled;
	int code; /* exit code 0..255, or the signal's number */
};

/* A set of ways to end. */
struct unit_statuses {
	uint64_t codes[4]; /* bit n % 64 of codes[n / 64] for exit code n */
	uint64_t signals;  /* bit n for signal n, 1..63 */
};

struct unit_config {
	enum unit_type type;
	enum unit_restart restart;
	int64_t restart_ms;
	unsigned restart_steps; /* 0: the delay stays restart_ms */
	int64_t restart_max_ms;
	unsigned start_limit_burst; /* automatic starts; 0: no limit; <= UNIT_BURST_MAX */
	int64_t start_limit_interval_ms;
	int64_t start_timeout_ms; /* these three > 0 */
	int64_t stop_timeout_ms;
	int64_t abort_timeout_ms;
	int64_t watchdog_ms; /* 0: off */
	int64_t stable_ms;   /* a run of this length resets the delay */
	int kill_signal;
	struct unit_statuses success;
	struct unit_statuses prevent;
	struct unit_statuses force;
};

enum unit_event_type {
	/* from a person or the manager */
	UNIT_EV_START,        /* delay and start limit begin anew */
	UNIT_EV_STOP,         /* nothing starts by itself afterwards; uses limit_ms */
	UNIT_EV_RESTART,      /* stop, then start at once; starts a unit that is down */
	UNIT_EV_RESET_FAILED, /* failed becomes inactive; delay and start limit begin anew */
	UNIT_EV_KILL,         /* what lives is killed now; nothing starts by itself afterwards */
	UNIT_EV_TICK,         /* time passed: due at unit_next_deadline() */
	UNIT_EV_STALL,        /* time passed in which nobody ran, this unit's process neither */
	/* of a child; these carry its incarnation */
	UNIT_EV_EXECED,       /* execve(2) succeeded */
	UNIT_EV_SPAWN_FAILED, /* there is no process, and there will be none */
	UNIT_EV_READY,        /* READY=1 */
	UNIT_EV_PING,         /* WATCHDOG=1 */
	UNIT_EV_LEAVING,      /* STOPPING=1 */
	UNIT_EV_EXTEND,       /* EXTEND_TIMEOUT_USEC=; uses limit_ms */
	UNIT_EV_ENDED,        /* reaped, its process group is empty; uses status */
	UNIT_EV__MAX
};

struct unit_event {
	enum unit_event_type type;
	uint64_t incarnation;
	int64_t limit_ms; /* STOP: KILL after this time at the latest, < 0 for no limit of its own
			   */
	struct unit_status status;
};

/* What is to be done now: at most one of the two. */
struct unit_action {
	bool spawn; /* start a process as u->incarnation */
	int signal; /* send this to the process group, and CONT after it unless it is KILL; or 0 */
};

struct unit {
	struct unit_config config;
	enum unit_state state;
	uint64_t incarnation; /* of the current or last process; 0: none yet */
	bool alive;           /* spawned, and not reported as ended */
	int64_t since_ms;     /* the last change of state */
	int64_t deadline_ms;  /* of the state; CLOCK_NEVER where it has none */
	enum unit_cause cause;
	struct unit_status status; /* of the last process that ended */
	bool has_status;           /* status says something */
	unsigned failures;         /* automatic restarts since the delay was last reset */
	uint64_t restarts;         /* automatic ones, altogether */

	/* the rest is the machine's own */
	int64_t watchdog_ms;            /* that the current process was started with */
	bool manual_stop;               /* nothing starts by itself */
	bool start_again;               /* start at once when the process has ended */
	bool killed;                    /* KILL was sent */
	int64_t hard_ms;                /* no time-out reaches beyond it; CLOCK_NEVER: none */
	int64_t active_ms;              /* when it was up; CLOCK_NEVER if it was not */
	int64_t starts[UNIT_BURST_MAX]; /* when the last automatic starts were, a ring */
	unsigned starts_at, nstarts;
};

void unit_init(struct unit *u, const struct unit_config *config, int64_t now_ms);
/* Other directives from now on; a deadline that is armed stays. */
void unit_configure(struct unit *u, const struct unit_config *config);

/*
 * Take one event that happened at now_ms (monotonic, never falling) and return
 * what is to be done. An event that means nothing in this state changes nothing.
 */
struct unit_action unit_step(struct unit *u, const struct unit_event *ev, int64_t now_ms);

/* When the next UNIT_EV_TICK is due, or CLOCK_NEVER. */
int64_t unit_next_deadline(const struct unit *u);

/* Is there a process, or will there be one without a further command? */
bool unit_busy(const struct unit *u);

/*
 * The delay before the k-th automatic restart in a row, k from 1 on:
 * r0 * (max / r0)^((k - 1) / steps), then max.
 */
int64_t unit_delay(const struct unit_config *c, unsigned k);

/* Does Restart= start a unit again that ended for this cause? */
bool unit_restarts(enum unit_restart restart, enum unit_cause cause);

/* The exit code that a supervisor ends with because this unit failed: never 0. */
int unit_exit_code(const struct unit *u);

bool unit_statuses_have(const struct unit_statuses *set, const struct unit_status *status);

const char *unit_state_name(enum unit_state state);
/* The word for a log field: "exit", "watchdog", ... */
const char *unit_cause_name(enum unit_cause cause);

#endif
