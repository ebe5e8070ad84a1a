#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "supervisor/supervisor_private.h"

/* Beyond the unit's own time-outs: for the kernel, and for what else is to be done. */
#define SLACK_MS 2000
/* esddnsctl waits a little longer than this. */
#define WAIT_MAX_MS 90000

static void
answer_unit(struct supervisor *s, uint64_t client, enum config_unit unit)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"ok\":true,\"unit\":");
	json_quote(&b, s->workers[unit].name);
	buf_printf(&b, ",\"state\":\"%s\",\"pid\":%ld}",
		   unit_state_name(s->manager.units[unit].unit.state), (long)s->workers[unit].pid);
	control_answer(s->control, client, buf_text(&b));
	buf_free(&b);
}

static void
answer_done(struct supervisor *s, uint64_t client)
{
	control_answer(s->control, client, "{\"ok\":true}");
}

/* --- units ------------------------------------------------------------------------- */

/* Why it is not up: how its process ended, and what comes next. */
static void
refuse_start(struct supervisor *s, const struct waiting *w, const struct unit *u, int64_t now_ms)
{
	const struct worker *worker = &s->workers[w->request.unit];
	const char *last = worker->last_exit[0] != '\0' ? worker->last_exit : "it did not run";
	char text[WORKER_EXIT_MAX + 256], in[32];

	if (u->state == UNIT_BACKOFF) {
		clock_span(u->deadline_ms > now_ms ? u->deadline_ms - now_ms : 0, in, sizeof(in));
		snprintf(text, sizeof(text),
			 "%s did not stay up (%s); it is started again in %s, and esddnsctl status "
			 "shows how it goes on",
			 worker->name, last, in);
	} else {
		snprintf(text, sizeof(text), "%s is %s (%s)", worker->name,
			 unit_state_name(u->state), last);
	}
	control_refuse(s->control, w->client, CONTROL_FAILED, text);
}

static void
refuse_late(struct supervisor *s, const struct waiting *w, const struct unit *u)
{
	char text[256];

	snprintf(text, sizeof(text), "%s is still %s; esddnsctl status shows how it goes on",
		 s->workers[w->request.unit].name, unit_state_name(u->state));
	control_refuse(s->control, w->client, CONTROL_FAILED, text);
}

/* Has what was asked for come about, or become impossible? Then it is answered. */
static bool
settle(struct supervisor *s, const struct waiting *w, int64_t now_ms)
{
	const struct unit *u = &s->manager.units[w->request.unit].unit;
	bool stop = w->request.verb == CONTROL_STOP;
	bool newer = u->incarnation > w->incarnation;

	if (stop ? !unit_busy(u) : u->state == UNIT_ACTIVE && newer) {
		answer_unit(s, w->client, w->request.unit);
		return true;
	}
	if (!stop && ((newer && (u->state == UNIT_BACKOFF || !unit_busy(u))) ||
		      (s->manager.phase != MANAGER_RUNNING && !unit_busy(u)))) {
		refuse_start(s, w, u, now_ms);
		return true;
	}
	if (now_ms < w->deadline_ms)
		return false;
	refuse_late(s, w, u);
	return true;
}

void
commands_settle(struct supervisor *s, int64_t now_ms)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct waiting *w = &s->waiting[i];

		if (w->client != 0 &&
		    (!control_waits(s->control, w->client) || settle(s, w, now_ms)))
			w->client = 0;
	}
}

int64_t
commands_next_deadline(const struct supervisor *s)
{
	int64_t at_ms = CLOCK_NEVER;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (s->waiting[i].client != 0 && s->waiting[i].deadline_ms < at_ms)
			at_ms = s->waiting[i].deadline_ms;
	return at_ms;
}

static int64_t
patience(const struct unit *u)
{
	int64_t ms = u->config.start_timeout_ms + u->config.stop_timeout_ms +
		     u->config.abort_timeout_ms + SLACK_MS;

	return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

static void
wait_for(struct supervisor *s, uint64_t client, const struct control_request *request,
	 uint64_t incarnation, int64_t now_ms)
{
	size_t i = 0;

	commands_settle(s, now_ms); /* frees the places of those that have gone */
	while (i < CONTROL_CLIENTS_MAX && s->waiting[i].client != 0)
		i++;
	if (i == CONTROL_CLIENTS_MAX) {
		control_refuse(s->control, client, CONTROL_FAILED,
			       "it was asked for, but too many others wait for a unit to tell "
			       "when it is done");
		return;
	}
	s->waiting[i] = (struct waiting){
		.client = client,
		.request = *request,
		.incarnation = incarnation,
		.deadline_ms = now_ms + patience(&s->manager.units[request->unit].unit),
	};
}

static void
command_unit(struct supervisor *s, uint64_t client, const struct control_request *request,
	     int64_t now_ms)
{
	static const enum unit_event_type types[CONTROL_VERB__MAX] = {
		[CONTROL_START] = UNIT_EV_START,
		[CONTROL_STOP] = UNIT_EV_STOP,
		[CONTROL_RESTART] = UNIT_EV_RESTART,
		[CONTROL_RESET_FAILED] = UNIT_EV_RESET_FAILED,
	};
	const struct unit *u = &s->manager.units[request->unit].unit;
	uint64_t incarnation = u->incarnation;
	struct manager_event ev = { .type = MANAGER_EV_UNIT, .unit = request->unit };

	log_info("command", LOG_S("command", control_verb_name(request->verb)),
		 LOG_S("worker", s->workers[request->unit].name));
	/* one that runs already, or is about to, is what a start waits for */
	if (request->verb == CONTROL_START &&
	    (u->state == UNIT_ACTIVE || u->state == UNIT_ACTIVATING))
		incarnation--;
	ev.event = (struct unit_event){ .type = types[request->verb], .limit_ms = -1 };
	supervisor_step(s, &ev);
	if (request->verb == CONTROL_RESET_FAILED)
		answer_unit(s, client, request->unit);
	else
		wait_for(s, client, request, incarnation, now_ms);
}

/* --- the rest ----------------------------------------------------------------------- */

static void
command_worker(struct supervisor *s, uint64_t client, enum config_unit unit, unsigned command)
{
	const struct unit *u = &s->manager.units[unit].unit;
	char text[128];

	if (u->state == UNIT_ACTIVE) {
		worker_command(&s->workers[unit], command);
		answer_done(s, client);
		return;
	}
	snprintf(text, sizeof(text), "%s is %s, so it cannot be asked", s->workers[unit].name,
		 unit_state_name(u->state));
	control_refuse(s->control, client, CONTROL_FAILED, text);
}

static void
add_messages(struct buf *b, const struct config_report *report, bool warnings)
{
	size_t n = 0, left_out = 0;

	buf_printf(b, ",\"%s\":[", warnings ? "warnings" : "errors");
	for (size_t i = 0; i < report->n; i++) {
		if (report->messages[i].warning != warnings)
			continue;
		/* half of what an answer may be for each of the two lists */
		if (b->len > (size_t)CONTROL_ANSWER_MAX / (warnings ? 1 : 2) - 4096) {
			left_out++;
			continue;
		}
		if (n++ > 0)
			buf_addc(b, ',');
		json_quote(b, report->messages[i].text);
	}
	buf_printf(b, "],\"%s_left_out\":%zu", warnings ? "warnings" : "errors", left_out);
}

static void
command_reload(struct supervisor *s, uint64_t client)
{
	struct reload reload = { 0 };
	struct buf b = BUF_INIT;
	bool first = true;

	supervisor_reload(s, &reload);
	buf_printf(&b, "{\"ok\":%s", reload.done ? "true" : "false");
	if (!reload.done) {
		buf_adds(&b, ",\"code\":\"" CONTROL_FAILED "\",\"error\":");
		json_quote(&b, reload.why);
	}
	buf_adds(&b, ",\"changed\":[");
	for (size_t i = 0; i < UNITS; i++) {
		if (!reload.changed[i])
			continue;
		buf_adds(&b, first ? "" : ",");
		json_quote(&b, s->workers[i].name);
		first = false;
	}
	buf_addc(&b, ']');
	add_messages(&b, &reload.report, false);
	add_messages(&b, &reload.report, true);
	buf_addc(&b, '}');
	control_answer(s->control, client, buf_text(&b));
	buf_free(&b);
	config_report_free(&reload.report);
}

static void
command_status(struct supervisor *s, uint64_t client, int64_t now_ms)
{
	char *json = status_json(s, now_ms);

	control_answer(s->control, client, json);
	free(json);
}

void
commands_take(void *arg, uint64_t client, const struct control_request *request)
{
	struct supervisor *s = arg;
	int64_t now_ms = clock_now();

	if (request->verb == CONTROL_STATUS) {
		command_status(s, client, now_ms);
		return;
	}
	if (request->verb == CONTROL_PING) {
		answer_done(s, client);
		return;
	}
	if (s->manager.phase != MANAGER_RUNNING) {
		control_refuse(s->control, client, CONTROL_FAILED, "esddns is stopping");
		return;
	}
	switch (request->verb) {
	case CONTROL_DETECT:
		command_worker(s, client, CONFIG_DETECTOR, WORKER_DETECT);
		break;
	case CONTROL_SYNC:
		command_worker(s, client, CONFIG_UPDATER, WORKER_SYNC);
		break;
	case CONTROL_START:
	case CONTROL_STOP:
	case CONTROL_RESTART:
	case CONTROL_RESET_FAILED:
		command_unit(s, client, request, now_ms);
		break;
	case CONTROL_RELOAD:
		command_reload(s, client);
		break;
	case CONTROL_SHUTDOWN:
		log_info("stopping", LOG_S("command", "shutdown"));
		answer_done(s, client);
		supervisor_step_all(s, MANAGER_EV_SHUTDOWN);
		break;
	case CONTROL_STATUS:
	case CONTROL_PING:
	case CONTROL_VERB__MAX:
		break;
	}
}
