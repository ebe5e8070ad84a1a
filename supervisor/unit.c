#include "supervisor/unit.h"

#include <math.h>
#include <signal.h>

#include "common/clock.h"

static const char *const state_names[UNIT_STATE__MAX] = {
	[UNIT_INACTIVE] = "inactive", [UNIT_ACTIVATING] = "activating", [UNIT_ACTIVE] = "active",
	[UNIT_STOPPING] = "stopping", [UNIT_ABORTING] = "aborting",     [UNIT_BACKOFF] = "backoff",
	[UNIT_FAILED] = "failed",
};

static const char *const cause_names[UNIT_CAUSE__MAX] = {
	[UNIT_CAUSE_NONE] = "none",
	[UNIT_CAUSE_CLEAN] = "clean",
	[UNIT_CAUSE_EXIT] = "exit",
	[UNIT_CAUSE_SIGNAL] = "signal",
	[UNIT_CAUSE_TIMEOUT] = "timeout",
	[UNIT_CAUSE_WATCHDOG] = "watchdog",
	[UNIT_CAUSE_PROTOCOL] = "protocol",
	[UNIT_CAUSE_RESOURCES] = "resources",
	[UNIT_CAUSE_START_LIMIT] = "start-limit",
};

#define CAUSE(c) (1u << UNIT_CAUSE_##c)

/* systemd.service(5), the table of Restart=; resources and protocol as in its service.c */
static const unsigned restart_causes[UNIT_RESTART__MAX] = {
	[UNIT_RESTART_NO] = 0,
	[UNIT_RESTART_ALWAYS] = CAUSE(CLEAN) | CAUSE(EXIT) | CAUSE(SIGNAL) | CAUSE(TIMEOUT) |
				CAUSE(WATCHDOG) | CAUSE(PROTOCOL) | CAUSE(RESOURCES),
	[UNIT_RESTART_ON_SUCCESS] = CAUSE(CLEAN),
	[UNIT_RESTART_ON_FAILURE] = CAUSE(EXIT) | CAUSE(SIGNAL) | CAUSE(TIMEOUT) | CAUSE(WATCHDOG) |
				    CAUSE(PROTOCOL) | CAUSE(RESOURCES),
	[UNIT_RESTART_ON_ABNORMAL] = CAUSE(SIGNAL) | CAUSE(TIMEOUT) | CAUSE(WATCHDOG) |
				     CAUSE(PROTOCOL) | CAUSE(RESOURCES),
	[UNIT_RESTART_ON_ABORT] = CAUSE(SIGNAL),
	[UNIT_RESTART_ON_WATCHDOG] = CAUSE(WATCHDOG),
};

bool
unit_restarts(enum unit_restart restart, enum unit_cause cause)
{
	return (restart_causes[restart] & 1u << cause) != 0;
}

bool
unit_statuses_have(const struct unit_statuses *set, const struct unit_status *status)
{
	unsigned n = (unsigned)status->code;

	if (status->signalled)
		return n < 64 && (set->signals >> n & 1) != 0;
	return n < 256 && (set->codes[n / 64] >> n % 64 & 1) != 0;
}

int64_t
unit_delay(const struct unit_config *c, unsigned k)
{
	double r0 = (double)c->restart_ms, max = (double)c->restart_max_ms;

	if (c->restart_steps == 0 || c->restart_ms <= 0 || c->restart_max_ms <= c->restart_ms)
		return c->restart_ms;
	if (k > c->restart_steps)
		return c->restart_max_ms;
	return llround(r0 * pow(max / r0, (double)(k - 1) / c->restart_steps));
}

void
unit_init(struct unit *u, const struct unit_config *config, int64_t now_ms)
{
	*u = (struct unit){
		.config = *config,
		.state = UNIT_INACTIVE,
		.since_ms = now_ms,
		.deadline_ms = CLOCK_NEVER,
		.hard_ms = CLOCK_NEVER,
		.active_ms = CLOCK_NEVER,
	};
}

void
unit_configure(struct unit *u, const struct unit_config *config)
{
	u->config = *config;
}

static void
enter(struct unit *u, enum unit_state state, int64_t now_ms, int64_t deadline_ms)
{
	u->state = state;
	u->since_ms = now_ms;
	u->deadline_ms = deadline_ms;
}

/* No time-out of a stop reaches beyond what the whole shutdown has left. */
static int64_t
bounded(const struct unit *u, int64_t deadline_ms)
{
	return deadline_ms < u->hard_ms ? deadline_ms : u->hard_ms;
}

static struct unit_action
spawn(struct unit *u, int64_t now_ms)
{
	u->incarnation++;
	u->alive = true;
	u->cause = UNIT_CAUSE_NONE;
	u->watchdog_ms = u->config.watchdog_ms;
	u->manual_stop = u->start_again = u->killed = false;
	u->hard_ms = u->active_ms = CLOCK_NEVER;
	enter(u, UNIT_ACTIVATING, now_ms, now_ms + u->config.start_timeout_ms);
	return (struct unit_action){ .spawn = true };
}

static void
forget_failures(struct unit *u)
{
	u->failures = 0;
	u->nstarts = 0;
}

static struct unit_action
start_by_hand(struct unit *u, int64_t now_ms)
{
	forget_failures(u);
	return spawn(u, now_ms);
}

/* Would one more automatic start at at_ms be the one too many in some interval? */
static bool
limit_reached(const struct unit *u, int64_t at_ms)
{
	unsigned burst = u->config.start_limit_burst, oldest;

	if (burst > UNIT_BURST_MAX)
		burst = UNIT_BURST_MAX;
	if (burst == 0 || u->nstarts < burst)
		return false;
	oldest = (u->starts_at + UNIT_BURST_MAX - burst) % UNIT_BURST_MAX;
	return at_ms - u->starts[oldest] < u->config.start_limit_interval_ms;
}

static struct unit_action
start_automatically(struct unit *u, int64_t now_ms)
{
	u->starts[u->starts_at] = now_ms;
	u->starts_at = (u->starts_at + 1) % UNIT_BURST_MAX;
	if (u->nstarts < UNIT_BURST_MAX)
		u->nstarts++;
	u->restarts++;
	return spawn(u, now_ms);
}

static void
arm_watchdog(struct unit *u, int64_t now_ms)
{
	u->deadline_ms = u->watchdog_ms > 0 ? now_ms + u->watchdog_ms : CLOCK_NEVER;
}

static void
come_up(struct unit *u, int64_t now_ms)
{
	enter(u, UNIT_ACTIVE, now_ms, CLOCK_NEVER);
	u->active_ms = now_ms;
	arm_watchdog(u, now_ms);
}

static struct unit_action
begin_stop(struct unit *u, int64_t now_ms)
{
	enter(u, UNIT_STOPPING, now_ms, bounded(u, now_ms + u->config.stop_timeout_ms));
	u->killed = u->config.kill_signal == SIGKILL;
	return (struct unit_action){ .signal = u->config.kill_signal };
}

static struct unit_action
kill_now(struct unit *u, int64_t now_ms)
{
	/*
	 * Only the kernel can hold up a killed process. It is asked again from
	 * time to time, and nothing takes its place before it is gone.
	 */
	u->deadline_ms = now_ms + u->config.stop_timeout_ms;
	u->killed = true;
	return (struct unit_action){ .signal = SIGKILL };
}

/* A stop, or the first half of a restart, of a process that lives. */
static struct unit_action
stop_living(struct unit *u, int64_t limit_ms, int64_t now_ms)
{
	bool asked = u->manual_stop || u->start_again;

	if (limit_ms >= 0 && limit_ms < u->hard_ms - now_ms)
		u->hard_ms = now_ms + limit_ms;
	if (u->state == UNIT_ACTIVATING || u->state == UNIT_ACTIVE)
		return begin_stop(u, now_ms);
	if (!u->killed)
		u->deadline_ms = bounded(u, u->deadline_ms);
	/* it was leaving by itself, and nobody told it to yet */
	if (u->state == UNIT_STOPPING && !asked && !u->killed && u->cause == UNIT_CAUSE_NONE)
		return (struct unit_action){ .signal = u->config.kill_signal };
	return (struct unit_action){ 0 };
}

static struct unit_action
on_stop(struct unit *u, int64_t limit_ms, int64_t now_ms)
{
	struct unit_action action = { 0 };

	if (u->alive) {
		action = stop_living(u, limit_ms, now_ms);
		u->manual_stop = true;
		u->start_again = false;
	} else if (u->state == UNIT_BACKOFF) {
		enter(u, UNIT_INACTIVE, now_ms, CLOCK_NEVER);
	}
	return action;
}

static struct unit_action
on_start(struct unit *u, int64_t now_ms)
{
	if (!u->alive)
		return start_by_hand(u, now_ms);
	if (u->state == UNIT_STOPPING || u->state == UNIT_ABORTING) {
		u->start_again = true;
		u->manual_stop = false;
	}
	return (struct unit_action){ 0 };
}

static struct unit_action
on_restart(struct unit *u, int64_t now_ms)
{
	struct unit_action action;

	if (!u->alive)
		return start_by_hand(u, now_ms);
	action = stop_living(u, -1, now_ms);
	u->start_again = true;
	u->manual_stop = false;
	return action;
}

static struct unit_action
on_kill(struct unit *u, int64_t now_ms)
{
	if (!u->alive)
		return on_stop(u, 0, now_ms);
	u->manual_stop = true;
	u->start_again = false;
	if (u->state != UNIT_STOPPING)
		enter(u, UNIT_STOPPING, now_ms, now_ms);
	return kill_now(u, now_ms);
}

static void
on_reset_failed(struct unit *u, int64_t now_ms)
{
	forget_failures(u);
	if (u->state == UNIT_FAILED)
		enter(u, UNIT_INACTIVE, now_ms, CLOCK_NEVER);
}

static struct unit_action
on_tick(struct unit *u, int64_t now_ms)
{
	if (now_ms < u->deadline_ms)
		return (struct unit_action){ 0 };
	switch (u->state) {
	case UNIT_ACTIVATING:
		u->cause = UNIT_CAUSE_TIMEOUT;
		return begin_stop(u, now_ms);
	case UNIT_ACTIVE:
		u->cause = UNIT_CAUSE_WATCHDOG;
		enter(u, UNIT_ABORTING, now_ms, now_ms + u->config.abort_timeout_ms);
		return (struct unit_action){ .signal = SIGABRT };
	case UNIT_STOPPING:
		if (u->cause == UNIT_CAUSE_NONE)
			u->cause = UNIT_CAUSE_TIMEOUT;
		return kill_now(u, now_ms);
	case UNIT_ABORTING:
		return kill_now(u, now_ms);
	case UNIT_BACKOFF:
		return start_automatically(u, now_ms);
	default:
		return (struct unit_action){ 0 };
	}
}

/* What the process had to do by a deadline it could not do: it gets that time again. */
static void
on_stall(struct unit *u, int64_t now_ms)
{
	if (u->state == UNIT_ACTIVE)
		arm_watchdog(u, now_ms);
	else if (u->state == UNIT_ACTIVATING &&
		 u->deadline_ms < now_ms + u->config.start_timeout_ms)
		u->deadline_ms = now_ms + u->config.start_timeout_ms;
}

static enum unit_cause
cause_of(const struct unit *u, const struct unit_status *s)
{
	bool clean = unit_statuses_have(&u->config.success, s);

	if (u->cause != UNIT_CAUSE_NONE)
		return u->cause;
	if (s->signalled)
		clean = clean || s->code == SIGHUP || s->code == SIGINT || s->code == SIGTERM ||
			s->code == SIGPIPE;
	else
		clean = clean || s->code == 0;
	if (clean && u->active_ms == CLOCK_NEVER && u->config.type == UNIT_TYPE_NOTIFY)
		return UNIT_CAUSE_PROTOCOL;
	if (clean)
		return UNIT_CAUSE_CLEAN;
	return s->signalled ? UNIT_CAUSE_SIGNAL : UNIT_CAUSE_EXIT;
}

/* RestartPreventExitStatus goes before RestartForceExitStatus, that before Restart. */
static bool
wants_restart(const struct unit *u)
{
	if (u->has_status && unit_statuses_have(&u->config.prevent, &u->status))
		return false;
	if (u->has_status && unit_statuses_have(&u->config.force, &u->status))
		return true;
	return unit_restarts(u->config.restart, u->cause);
}

static void
plan_restart(struct unit *u, int64_t now_ms)
{
	int64_t at_ms;

	if (u->active_ms != CLOCK_NEVER && now_ms - u->active_ms >= u->config.stable_ms)
		u->failures = 0;
	if (!wants_restart(u)) {
		enter(u, u->cause == UNIT_CAUSE_CLEAN ? UNIT_INACTIVE : UNIT_FAILED, now_ms,
		      CLOCK_NEVER);
		return;
	}
	at_ms = now_ms + unit_delay(&u->config, u->failures + 1);
	if (limit_reached(u, at_ms)) {
		u->cause = UNIT_CAUSE_START_LIMIT;
		enter(u, UNIT_FAILED, now_ms, CLOCK_NEVER);
		return;
	}
	u->failures++;
	enter(u, UNIT_BACKOFF, now_ms, at_ms);
}

/* The process is gone, or never came to be; u->cause says why. */
static struct unit_action
after_end(struct unit *u, int64_t now_ms)
{
	u->alive = false;
	if (u->start_again)
		return start_by_hand(u, now_ms);
	if (u->manual_stop)
		enter(u, UNIT_INACTIVE, now_ms, CLOCK_NEVER);
	else
		plan_restart(u, now_ms);
	return (struct unit_action){ 0 };
}

static void
on_extend(struct unit *u, int64_t by_ms, int64_t now_ms)
{
	int64_t deadline_ms;

	if (u->killed || (u->state != UNIT_ACTIVATING && u->state != UNIT_STOPPING))
		return;
	deadline_ms = now_ms + (by_ms < UNIT_EXTEND_MAX_MS ? by_ms : UNIT_EXTEND_MAX_MS);
	if (deadline_ms > u->deadline_ms)
		u->deadline_ms = bounded(u, deadline_ms);
}

static struct unit_action
on_child(struct unit *u, const struct unit_event *ev, int64_t now_ms)
{
	if (!u->alive || ev->incarnation != u->incarnation)
		return (struct unit_action){ 0 };
	switch (ev->type) {
	case UNIT_EV_EXECED:
		if (u->state == UNIT_ACTIVATING && u->config.type == UNIT_TYPE_EXEC)
			come_up(u, now_ms);
		break;
	case UNIT_EV_READY:
		if (u->state == UNIT_ACTIVATING)
			come_up(u, now_ms);
		break;
	case UNIT_EV_PING:
		if (u->state == UNIT_ACTIVE)
			arm_watchdog(u, now_ms);
		break;
	case UNIT_EV_LEAVING:
		if (u->state == UNIT_ACTIVATING || u->state == UNIT_ACTIVE)
			enter(u, UNIT_STOPPING, now_ms, now_ms + u->config.stop_timeout_ms);
		break;
	case UNIT_EV_EXTEND:
		on_extend(u, ev->limit_ms, now_ms);
		break;
	case UNIT_EV_SPAWN_FAILED:
		u->cause = UNIT_CAUSE_RESOURCES;
		u->has_status = false;
		return after_end(u, now_ms);
	case UNIT_EV_ENDED:
		u->cause = cause_of(u, &ev->status);
		u->status = ev->status;
		u->has_status = true;
		return after_end(u, now_ms);
	default:
		break;
	}
	return (struct unit_action){ 0 };
}

struct unit_action
unit_step(struct unit *u, const struct unit_event *ev, int64_t now_ms)
{
	switch (ev->type) {
	case UNIT_EV_START:
		return on_start(u, now_ms);
	case UNIT_EV_STOP:
		return on_stop(u, ev->limit_ms, now_ms);
	case UNIT_EV_RESTART:
		return on_restart(u, now_ms);
	case UNIT_EV_KILL:
		return on_kill(u, now_ms);
	case UNIT_EV_TICK:
		return on_tick(u, now_ms);
	case UNIT_EV_STALL:
		on_stall(u, now_ms);
		return (struct unit_action){ 0 };
	case UNIT_EV_RESET_FAILED:
		on_reset_failed(u, now_ms);
		return (struct unit_action){ 0 };
	default:
		return on_child(u, ev, now_ms);
	}
}

int64_t
unit_next_deadline(const struct unit *u)
{
	return u->deadline_ms;
}

bool
unit_busy(const struct unit *u)
{
	return u->alive || u->state == UNIT_BACKOFF;
}

int
unit_exit_code(const struct unit *u)
{
	if (!u->has_status || (!u->status.signalled && u->status.code == 0))
		return 1;
	return u->status.signalled ? 128 + u->status.code : u->status.code;
}

const char *
unit_state_name(enum unit_state state)
{
	return state < UNIT_STATE__MAX ? state_names[state] : "invalid";
}

const char *
unit_cause_name(enum unit_cause cause)
{
	return cause < UNIT_CAUSE__MAX ? cause_names[cause] : "invalid";
}
