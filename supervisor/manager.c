#include "supervisor/manager.h"

#include <assert.h>

#include "common/clock.h"

void
manager_init(struct manager *m, size_t n, bool exit_on_failure)
{
	assert(n <= MANAGER_UNITS_MAX);
	*m = (struct manager){ .n = n, .exit_on_failure = exit_on_failure };
	for (size_t i = 0; i < n; i++)
		m->units[i].unit.deadline_ms = CLOCK_NEVER;
}

void
manager_configure(struct manager *m, size_t unit, const struct manager_unit_config *config,
		  int64_t now_ms)
{
	struct manager_unit *u = &m->units[unit];

	if (u->unit.incarnation == 0 && u->unit.state == UNIT_INACTIVE)
		unit_init(&u->unit, &config->unit, now_ms);
	else
		unit_configure(&u->unit, &config->unit);
	u->essential = config->essential;
	u->after = config->after;
	if (config->enabled != u->enabled) {
		u->wanted = config->enabled;
		u->refused = !config->enabled;
	}
	u->enabled = config->enabled;
}

static void
step_unit(struct manager *m, size_t i, const struct unit_event *ev, int64_t now_ms,
	  struct manager_actions *out)
{
	struct unit *u = &m->units[i].unit;
	struct unit_action action;

	/* during a shutdown only endings count: no command starts anything any more */
	if (m->phase != MANAGER_RUNNING &&
	    (ev->type == UNIT_EV_START || ev->type == UNIT_EV_RESTART))
		return;
	action = unit_step(u, ev, now_ms);
	if (!action.spawn && action.signal == 0)
		return;
	assert(out->n < sizeof(out->list) / sizeof(out->list[0]));
	out->list[out->n++] = (struct manager_action){ i, u->incarnation, action };
}

static bool
may_start(const struct manager *m, size_t i)
{
	for (size_t j = 0; j < m->n; j++) {
		const struct manager_unit *u = &m->units[j];

		if (j == i || (m->units[i].after & 1u << j) == 0)
			continue;
		if (u->waiting || (u->unit.incarnation > 0 && !u->settled))
			return false;
	}
	return true;
}

static void
start_waiting(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	static const struct unit_event start = { .type = UNIT_EV_START };

	for (size_t i = 0; i < m->n; i++) {
		if (!m->units[i].waiting || !may_start(m, i))
			continue;
		m->units[i].waiting = false;
		step_unit(m, i, &start, now_ms, out);
	}
}

static void
take_configured(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	static const struct unit_event stop = { .type = UNIT_EV_STOP, .limit_ms = -1 };

	for (size_t i = 0; i < m->n; i++) {
		struct manager_unit *u = &m->units[i];

		if (u->wanted)
			u->waiting = true;
		if (u->refused) {
			u->waiting = false;
			step_unit(m, i, &stop, now_ms, out);
		}
		u->wanted = u->refused = false;
	}
}

/* Is a unit that goes before this one in a stop still there? */
static bool
held_by_later(const struct manager *m, size_t i)
{
	for (size_t j = 0; j < m->n; j++)
		if (j != i && (m->units[j].after & 1u << i) != 0 && unit_busy(&m->units[j].unit))
			return true;
	return false;
}

/* Ending already, or without a process: an order to keep is not touched, a restart is prevented. */
static bool
is_going(const struct unit *u)
{
	return u->state == UNIT_STOPPING || u->state == UNIT_ABORTING || u->state == UNIT_BACKOFF;
}

static void
stop_in_order(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	int64_t left_ms = m->stop_ms + MANAGER_KILL_MS - now_ms;
	struct unit_event stop = { .type = UNIT_EV_STOP, .limit_ms = left_ms > 0 ? left_ms : 0 };
	bool again = true;

	/* one that only waited for its next start is gone at once, and frees those before it */
	while (again) {
		again = false;
		for (size_t i = 0; i < m->n; i++) {
			struct manager_unit *u = &m->units[i];

			if (u->asked || !unit_busy(&u->unit))
				continue;
			if (!is_going(&u->unit) && left_ms > 0 && held_by_later(m, i))
				continue;
			u->asked = true;
			step_unit(m, i, &stop, now_ms, out);
			again = again || !unit_busy(&u->unit);
		}
	}
}

static void
begin_shutdown(struct manager *m, int64_t now_ms)
{
	if (m->phase != MANAGER_RUNNING)
		return;
	m->phase = MANAGER_STOPPING;
	m->stop_ms = now_ms;
	for (size_t i = 0; i < m->n; i++)
		m->units[i].waiting = m->units[i].wanted = false;
}

static void
kill_all(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	static const struct unit_event kill = { .type = UNIT_EV_KILL };

	for (size_t i = 0; i < m->n; i++) {
		m->units[i].asked = true;
		if (unit_busy(&m->units[i].unit))
			step_unit(m, i, &kill, now_ms, out);
	}
}

static void
note_states(struct manager *m)
{
	bool ready = true;

	for (size_t i = 0; i < m->n; i++) {
		struct manager_unit *u = &m->units[i];
		bool active = u->unit.state == UNIT_ACTIVE;

		if (u->unit.incarnation > 0 && u->unit.state != UNIT_ACTIVATING)
			u->settled = true;
		if (u->enabled && !(u->essential ? active : u->settled))
			ready = false;
	}
	if (ready && m->phase == MANAGER_RUNNING)
		m->ready = true;
}

static void
judge_failures(struct manager *m, int64_t now_ms)
{
	if (!m->exit_on_failure || m->phase != MANAGER_RUNNING)
		return;
	for (size_t i = 0; i < m->n; i++) {
		struct manager_unit *u = &m->units[i];

		if (!u->enabled || !u->essential || u->unit.state != UNIT_FAILED)
			continue;
		m->failed = i;
		m->exit_code = unit_exit_code(&u->unit);
		begin_shutdown(m, now_ms);
		return;
	}
}

static void
judge_end(struct manager *m, int64_t now_ms)
{
	bool busy = false;

	if (m->phase != MANAGER_STOPPING)
		return;
	for (size_t i = 0; i < m->n; i++)
		busy = busy || unit_busy(&m->units[i].unit);
	m->stuck = busy && now_ms >= m->stop_ms + MANAGER_STOP_MS;
	if (!busy || m->stuck)
		m->phase = MANAGER_DONE;
}

/* A unit that is commanded by hand waits for no turn any more, and none comes later by itself. */
static void
end_wait(struct manager *m, const struct manager_event *ev)
{
	enum unit_event_type type = ev->event.type;

	if (type == UNIT_EV_START || type == UNIT_EV_STOP || type == UNIT_EV_RESTART)
		m->units[ev->unit].waiting = false;
}

static void
tick_units(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	static const struct unit_event tick = { .type = UNIT_EV_TICK };

	for (size_t i = 0; i < m->n; i++)
		if (unit_next_deadline(&m->units[i].unit) <= now_ms)
			step_unit(m, i, &tick, now_ms, out);
}

static void
stall_units(struct manager *m, int64_t now_ms, struct manager_actions *out)
{
	static const struct unit_event stall = { .type = UNIT_EV_STALL };

	for (size_t i = 0; i < m->n; i++)
		step_unit(m, i, &stall, now_ms, out);
}

void
manager_step(struct manager *m, const struct manager_event *ev, int64_t now_ms,
	     struct manager_actions *out)
{
	out->n = 0;
	if (m->phase == MANAGER_DONE)
		return;
	switch (ev->type) {
	case MANAGER_EV_START:
		if (m->phase == MANAGER_RUNNING)
			take_configured(m, now_ms, out);
		break;
	case MANAGER_EV_UNIT:
		end_wait(m, ev);
		step_unit(m, ev->unit, &ev->event, now_ms, out);
		break;
	case MANAGER_EV_SHUTDOWN:
		begin_shutdown(m, now_ms);
		break;
	case MANAGER_EV_KILL:
		begin_shutdown(m, now_ms);
		kill_all(m, now_ms, out);
		break;
	case MANAGER_EV_STALL:
		stall_units(m, now_ms, out);
		break;
	case MANAGER_EV_TICK:
		tick_units(m, now_ms, out);
		break;
	}
	note_states(m);
	judge_failures(m, now_ms);
	if (m->phase == MANAGER_RUNNING)
		start_waiting(m, now_ms, out);
	else
		stop_in_order(m, now_ms, out);
	judge_end(m, now_ms);
}

int64_t
manager_next_deadline(const struct manager *m)
{
	int64_t at_ms = CLOCK_NEVER;

	if (m->phase == MANAGER_DONE)
		return CLOCK_NEVER;
	for (size_t i = 0; i < m->n; i++) {
		const struct manager_unit *u = &m->units[i];
		int64_t unit_ms = unit_next_deadline(&u->unit);

		/* the shutdown's own limit for units that wait for their turn */
		if (m->phase == MANAGER_STOPPING && !u->asked &&
		    unit_ms > m->stop_ms + MANAGER_KILL_MS)
			unit_ms = m->stop_ms + MANAGER_KILL_MS;
		if (unit_ms < at_ms)
			at_ms = unit_ms;
	}
	if (m->phase == MANAGER_STOPPING && m->stop_ms + MANAGER_STOP_MS < at_ms)
		at_ms = m->stop_ms + MANAGER_STOP_MS;
	return at_ms;
}

bool
manager_ready(const struct manager *m)
{
	return m->ready;
}

bool
manager_degraded(const struct manager *m)
{
	for (size_t i = 0; i < m->n; i++) {
		enum unit_state state = m->units[i].unit.state;

		if (m->units[i].enabled && (state == UNIT_BACKOFF || state == UNIT_FAILED))
			return true;
	}
	return false;
}
