/* How tests speak to a unit's machine. */
#ifndef TESTS_UNIT_EVENTS_H
#define TESTS_UNIT_EVENTS_H

#include <signal.h>

#include "supervisor/unit.h"

static const struct unit_config defaults = {
	.type = UNIT_TYPE_NOTIFY,
	.restart = UNIT_RESTART_ALWAYS,
	.restart_ms = 1000,
	.restart_steps = 5,
	.restart_max_ms = 60000,
	.start_limit_burst = 0,
	.start_limit_interval_ms = 600000,
	.start_timeout_ms = 30000,
	.stop_timeout_ms = 5000,
	.abort_timeout_ms = 4000,
	.watchdog_ms = 20000,
	.stable_ms = 60000,
	.kill_signal = SIGTERM,
};

static inline struct unit_action
tell(struct unit *u, enum unit_event_type type, int64_t now_ms)
{
	struct unit_event ev = { .type = type, .incarnation = u->incarnation, .limit_ms = -1 };

	return unit_step(u, &ev, now_ms);
}

static inline struct unit_action
stop_within(struct unit *u, int64_t limit_ms, int64_t now_ms)
{
	struct unit_event ev = { .type = UNIT_EV_STOP, .limit_ms = limit_ms };

	return unit_step(u, &ev, now_ms);
}

static inline struct unit_action
end(struct unit *u, bool signalled, int code, int64_t now_ms)
{
	struct unit_event ev = { .type = UNIT_EV_ENDED,
				 .incarnation = u->incarnation,
				 .status = { signalled, code } };

	return unit_step(u, &ev, now_ms);
}

#endif
