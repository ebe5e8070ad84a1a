#include "supervisor/report.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

static void
log_stop(const struct worker *w, const struct unit *u)
{
	if (u->cause == UNIT_CAUSE_TIMEOUT)
		log_error("the unit did not come up in time and is stopped",
			  LOG_S("worker", w->name), LOG_I("pid", w->pid));
	else
		log_info("the unit is stopping", LOG_S("worker", w->name), LOG_I("pid", w->pid));
}

static void
log_backoff(const struct worker *w, const struct unit *u, int64_t now_ms)
{
	char delay[32];

	clock_span(u->deadline_ms > now_ms ? u->deadline_ms - now_ms : 0, delay, sizeof(delay));
	log_warn("the unit ended and will be started again", LOG_S("worker", w->name),
		 LOG_S("cause", unit_cause_name(u->cause)), LOG_S("last_exit", w->last_exit),
		 LOG_S("in", delay), LOG_I("restarts", u->restarts));
}

static void
log_state(struct report *r, const struct worker *w, const struct unit *u, int64_t now_ms)
{
	switch (u->state) {
	case UNIT_ACTIVATING:
		log_debug("the unit is starting", LOG_S("worker", w->name), LOG_I("pid", w->pid));
		break;
	case UNIT_ACTIVE:
		log_info("the unit is up", LOG_S("worker", w->name), LOG_I("pid", w->pid),
			 LOG_I("after_ms", now_ms - r->started_ms));
		break;
	case UNIT_STOPPING:
		log_stop(w, u);
		break;
	case UNIT_ABORTING:
		log_error("the unit missed its watchdog and is aborted", LOG_S("worker", w->name),
			  LOG_I("pid", w->pid));
		break;
	case UNIT_BACKOFF:
		log_backoff(w, u, now_ms);
		break;
	case UNIT_INACTIVE:
		log_info("the unit has stopped", LOG_S("worker", w->name),
			 LOG_S("last_exit", w->last_exit));
		break;
	case UNIT_FAILED:
		log_error(u->cause == UNIT_CAUSE_START_LIMIT
				  ? "the unit ended too often and is given up"
				  : "the unit failed and is not started again",
			  LOG_S("worker", w->name), LOG_S("cause", unit_cause_name(u->cause)),
			  LOG_S("last_exit", w->last_exit), LOG_I("restarts", u->restarts));
		break;
	case UNIT_STATE__MAX:
		break;
	}
}

bool
report_changes(struct report *r, const struct unit *u, const struct worker *w, int64_t now_ms)
{
	bool status_changed = strcmp(r->status, w->status) != 0;

	if (status_changed)
		memcpy(r->status, w->status, sizeof(r->status));
	if (u->state == r->state && u->incarnation == r->incarnation)
		return status_changed;
	if (u->incarnation != r->incarnation)
		r->started_ms = now_ms;
	r->state = u->state;
	r->incarnation = u->incarnation;
	r->since = clock_wall();
	log_state(r, w, u, now_ms);
	return true;
}

static void
add_unit(struct buf *b, const struct report *r, const struct unit *u, const struct worker *w,
	 int64_t now_ms)
{
	int64_t next_ms = -1, memory, cpu_ms;

	worker_usage(w, &memory, &cpu_ms);
	if (u->state == UNIT_BACKOFF)
		next_ms = u->deadline_ms > now_ms ? u->deadline_ms - now_ms : 0;
	buf_adds(b, "{\"name\":");
	json_quote(b, w->name);
	buf_printf(b, ",\"state\":\"%s\",\"pid\":%ld,\"since\":%lld,\"restarts\":%llu",
		   unit_state_name(u->state), (long)w->pid, (long long)r->since,
		   (unsigned long long)u->restarts);
	buf_printf(b, ",\"memory\":%lld,\"cpu_ms\":%lld", (long long)memory, (long long)cpu_ms);
	buf_adds(b, ",\"status\":");
	json_quote(b, w->status);
	buf_adds(b, ",\"last_exit\":");
	json_quote(b, w->last_exit);
	buf_printf(b, ",\"next_start_in\":%lld}", (long long)next_ms);
}

char *
report_units(const struct report *r, const struct manager *m, const struct worker *w,
	     int64_t now_ms)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "UNITS=[");
	for (size_t i = 0; i < m->n; i++) {
		/* not configured here, and not started by hand either: nothing to show */
		if (!m->units[i].enabled && m->units[i].unit.state == UNIT_INACTIVE)
			continue;
		if (b.data[b.len - 1] != '[')
			buf_addc(&b, ',');
		add_unit(&b, &r[i], &m->units[i].unit, &w[i], now_ms);
	}
	buf_addc(&b, ']');
	return buf_take(&b);
}

void
report_summary(const struct manager *m, const struct worker *w, char *out, size_t size)
{
	size_t up = 0, enabled = 0, used;

	for (size_t i = 0; i < m->n; i++) {
		enabled += m->units[i].enabled ? 1 : 0;
		up += m->units[i].enabled && m->units[i].unit.state == UNIT_ACTIVE ? 1 : 0;
	}
	used = (size_t)snprintf(out, size, "%zu of %zu units are up", up, enabled);
	if (m->phase != MANAGER_RUNNING) {
		snprintf(out, size, "stopping");
		return;
	}
	for (size_t i = 0; i < m->n && used < size; i++) {
		enum unit_state state = m->units[i].unit.state;

		if (m->units[i].enabled && (state == UNIT_FAILED || state == UNIT_BACKOFF))
			used += (size_t)snprintf(out + used, size - used, "; %s %s", w[i].name,
						 state == UNIT_FAILED ? "failed"
								      : "waits for its next start");
		/* what the essential ones say of their work is what people want to know */
		else if (m->units[i].essential && state == UNIT_ACTIVE && w[i].status[0] != '\0')
			used += (size_t)snprintf(out + used, size - used, "; %s", w[i].status);
	}
}
