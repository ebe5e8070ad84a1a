#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "updater/records_private.h"

/*
 * In a cluster the record's writer decides whether this node acts; here its words become
 * the plan's events, and the plan's the writer's.
 */

static struct record *
record_at(struct records *r, size_t i)
{
	return i < r->n ? r->list[i] : NULL;
}

static void
run(void *arg, size_t i)
{
	struct record *rec = record_at(arg, i);

	/* one that is at work serves as well */
	if (rec != NULL && rec->plan.phase == PLAN_IDLE)
		records_step(rec, &(struct plan_event){ .kind = PLAN_EV_CHECK }, clock_now());
}

static void
permit(void *arg, size_t i, bool granted, const char *sentence)
{
	struct record *rec = record_at(arg, i);

	if (rec != NULL)
		records_step(rec,
			     &(struct plan_event){ .kind = PLAN_EV_PERMIT,
						   .granted = granted,
						   .sentence = sentence },
			     clock_now());
}

/* What is followed is told to the plans before the writers act on it. */
static void
news(void *arg)
{
	struct records *r = arg;

	r->take_news(r->news_arg);
}

static void
follow(struct record *rec)
{
	const struct writers *ws = rec->owner->writers;
	size_t i = rec->index;

	rec->key = writers_key(ws, i);
	rec->key_checked_ms = writers_key_checked_ms(ws, i);
	rec->key_mine = writers_key_mine(ws, i);
	rec->reason = writers_reason(ws, i);
	plan_set_passive(&rec->plan, !writers_active(ws, i));
}

static void
changed(void *arg, size_t i)
{
	struct record *rec = record_at(arg, i);

	if (rec == NULL)
		return;
	follow(rec);
	records_report_one(rec);
}

static void
describe(void *arg, size_t i, struct wan_record *out)
{
	const struct record *rec = record_at(arg, i);
	const struct plan *p;

	if (rec == NULL)
		return;
	p = &rec->plan;
	out->value = p->wanted;
	if (p->found.exists && p->found.nvalues > 0 &&
	    !address_parse_text(p->found.values[0], &out->found))
		out->found.family = ADDRESS_NONE;
	out->ttl = p->found.exists ? p->found.ttl : p->settings.ttl;
	out->in_sync = p->verdict == PLAN_MATCHES;
	out->attention = plan_state(p) == MSG_RECORD_ATTENTION;
	out->checked_at = rec->checked_at;
	mem_copy_text(out->href, sizeof(out->href), p->found.href);
	mem_copy_text(out->error_type, sizeof(out->error_type), plan_error_type(p));
	mem_copy_text(out->error, sizeof(out->error), plan_error(p));
}

const struct writers_hooks records_hooks = {
	.news = news,
	.run = run,
	.permit = permit,
	.changed = changed,
	.describe = describe,
};

void
records_follow_writers(struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		follow(r->list[i]);
}

static enum writer_said
said_by(const struct plan *p)
{
	switch (plan_state(p)) {
	case MSG_RECORD_IN_SYNC:
		return WRITER_IN_SYNC;
	case MSG_RECORD_RETRYING:
		return WRITER_FAILED;
	case MSG_RECORD_ATTENTION:
		return WRITER_ATTENTION;
	default:
		return WRITER_LEFT;
	}
}

void
records_tell_writer(struct record *rec, const struct plan_actions *actions, int64_t now_ms)
{
	const struct plan *p = &rec->plan;
	bool wants = actions->request == PLAN_REQUEST_PERMIT;
	const char *error = plan_error(p);
	struct writer_plan plan = { .said = wants ? WRITER_WANTS : said_by(p),
				    .value = wants ? *plan_value(p) : p->wanted,
				    .in_sync = p->verdict == PLAN_MATCHES,
				    .error_stamp = *error != '\0' ? writer_stamp(error) : 0,
				    .not_before_ms = p->not_before_ms,
				    .retry_ms = p->failure.retry_ms };

	if (rec->owner->writers != NULL && !rec->owner->stopping && (wants || actions->ended))
		writers_say(rec->owner->writers, rec->index, &plan, now_ms);
}

void
records_tell_events(struct record *rec, const struct plan_actions *actions, int64_t now_ms)
{
	const struct plan *p = &rec->plan;
	char note[MSG_NAME_MAX + MSG_REASON_MAX], text[ADDRESS_TEXT_MAX];

	if (rec->owner->events == NULL)
		return;
	if (actions->notes & PLAN_NOTE_WRITTEN) {
		snprintf(note, sizeof(note), "%s %s was written: %s.", rec->conf->fqdn,
			 record_type(rec), address_format(&p->written, text, sizeof(text)));
		events_tell(rec->owner->events, false, "RecordWritten", "Updating", note, now_ms);
	}
	if ((actions->notes & PLAN_NOTE_FAILING) && p->failure.outcome == PROVIDER_ATTENTION) {
		snprintf(note, sizeof(note), "%s %s: %s", rec->conf->fqdn, record_type(rec),
			 p->failure.error);
		events_tell(rec->owner->events, true, "NeedsAttention", "Updating", note, now_ms);
	}
}
