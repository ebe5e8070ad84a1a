#include <config.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "supervisor/supervisor_private.h"

static const char *const phases[] = {
	[MANAGER_RUNNING] = "running",
	[MANAGER_STOPPING] = "stopping",
	[MANAGER_DONE] = "stopping",
};

static void
add_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ",\"%s\":", key);
	if (text != NULL)
		json_quote(b, text);
	else
		buf_adds(b, "null");
}

static void
add_number(struct buf *b, const char *key, int64_t number)
{
	buf_printf(b, ",\"%s\":%lld", key, (long long)number);
}

static void
add_bool(struct buf *b, const char *key, bool value)
{
	buf_printf(b, ",\"%s\":%s", key, value ? "true" : "false");
}

/* When it is started next: -1 if that is not planned. */
static int64_t
next_start(const struct unit *u, int64_t now_ms)
{
	if (u->state != UNIT_BACKOFF)
		return -1;
	return u->deadline_ms > now_ms ? u->deadline_ms - now_ms : 0;
}

static void
add_unit(const struct supervisor *s, size_t i, int64_t now_ms, struct buf *b)
{
	const struct manager_unit *mu = &s->manager.units[i];
	const struct unit *u = &mu->unit;
	const struct worker *w = &s->workers[i];
	int64_t memory, cpu_ms;

	worker_usage(w, &memory, &cpu_ms);
	buf_adds(b, i > 0 ? ",{\"name\":" : "{\"name\":");
	json_quote(b, w->name);
	add_bool(b, "enabled", mu->enabled);
	add_text(b, "state", unit_state_name(u->state));
	add_text(b, "cause", unit_cause_name(u->cause));
	add_number(b, "pid", w->pid);
	add_number(b, "since", s->reports[i].since);
	add_number(b, "age_ms", now_ms - u->since_ms);
	add_number(b, "restarts", (int64_t)u->restarts);
	add_number(b, "failures", u->failures);
	add_text(b, "last_exit", w->last_exit);
	add_number(b, "next_start_in", next_start(u, now_ms));
	add_text(b, "status", w->status);
	add_number(b, "memory", memory);
	add_number(b, "cpu_ms", cpu_ms);
	/* checked to be an object when it came */
	buf_printf(b, ",\"knows\":%s", w->state != NULL ? w->state : "null");
	add_number(b, "knows_age_ms", w->state != NULL ? now_ms - w->state_ms : -1);
	buf_addc(b, '}');
}

char *
status_json(const struct supervisor *s, int64_t now_ms)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"ok\":true");
	add_text(&b, "version", PACKAGE_VERSION);
	add_number(&b, "pid", getpid());
	add_number(&b, "since", s->started_at);
	add_number(&b, "age_ms", now_ms - s->started_ms);
	add_text(&b, "phase", phases[s->manager.phase]);
	add_bool(&b, "ready", s->ready_told);
	add_bool(&b, "degraded", manager_degraded(&s->manager));
	add_text(&b, "config", s->config->path);
	add_number(&b, "warnings", (int64_t)s->nwarnings);
	buf_adds(&b, ",\"units\":[");
	for (size_t i = 0; i < UNITS; i++)
		add_unit(s, i, now_ms, &b);
	buf_adds(&b, "]}");
	return buf_take(&b);
}
