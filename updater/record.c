#include "updater/record.h"

#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "ipc/message.h"

const char *
record_type(const struct record *rec)
{
	return address_record_type(rec->conf->family);
}

static void
describe_plan(const struct record *rec, int64_t now_ms, struct msg_record *m)
{
	const struct plan *p = &rec->plan;
	const struct provider_record *found = &p->found;
	int64_t next_ms = plan_next_deadline(p);

	m->state = plan_state(p);
	m->exists = found->exists;
	m->nvalues = found->nvalues;
	m->ttl = found->ttl;
	m->in_sync = p->verdict == PLAN_MATCHES;
	m->checked_at = rec->checked_at;
	m->checked_age_ms = p->checked_ms == PLAN_NEVER ? -1 : now_ms - p->checked_ms;
	m->updated_at = rec->updated_at;
	m->next_in_ms = next_ms == CLOCK_NEVER ? -1 : next_ms > now_ms ? next_ms - now_ms : 0;
	memcpy(m->values, found->values, sizeof(m->values));
	memcpy(m->href, found->href, sizeof(m->href));
	mem_copy_text(m->error_type, sizeof(m->error_type), plan_error_type(p));
	mem_copy_text(m->error, sizeof(m->error), plan_error(p));
}

/* Is what is shown another node's word? */
static bool
is_told(const struct record *rec)
{
	const struct wan_record *k = rec->key;

	if (k == NULL || rec->plan.settings.passive)
		return k != NULL;
	/* the leader's node fails, and another one has written it, or found it right, since */
	return plan_state(&rec->plan) == MSG_RECORD_RETRYING && k->exists && k->in_sync &&
	       !k->pending && !rec->key_mine && address_equal(&k->value, &rec->plan.wanted) &&
	       rec->key_checked_ms != PLAN_NEVER && rec->key_checked_ms > rec->plan.checked_ms;
}

enum msg_record_state
record_state(const struct record *rec)
{
	const struct wan_record *k = rec->key;
	bool right;

	if (!is_told(rec))
		return plan_state(&rec->plan);
	if (!k->exists)
		return MSG_RECORD_UNKNOWN;
	right = address_equal(&k->value, &rec->plan.wanted);
	if (k->attention)
		return MSG_RECORD_ATTENTION;
	if (k->in_sync && right)
		return MSG_RECORD_IN_SYNC;
	return k->error[0] != '\0' ? MSG_RECORD_RETRYING : MSG_RECORD_WORKING;
}

static void
describe_told(const struct record *rec, int64_t now_ms, struct msg_record *m)
{
	const struct wan_record *k = rec->key;

	m->state = record_state(rec);
	m->next_in_ms = m->checked_age_ms = -1;
	if (!k->exists) {
		mem_copy_text(m->error, sizeof(m->error), rec->reason);
		return;
	}
	m->in_sync = k->in_sync;
	m->exists = k->found.family != ADDRESS_NONE;
	if (m->exists) {
		m->nvalues = 1;
		address_format(&k->found, m->values[0], sizeof(m->values[0]));
		m->ttl = k->ttl;
	}
	m->checked_at = k->checked_at;
	if (rec->key_checked_ms != PLAN_NEVER)
		m->checked_age_ms = now_ms - rec->key_checked_ms;
	mem_copy_text(m->href, sizeof(m->href), k->href);
	mem_copy_text(m->by, sizeof(m->by), k->by);
	mem_copy_text(m->error_type, sizeof(m->error_type), k->error_type);
	mem_copy_text(m->error, sizeof(m->error), k->error[0] != '\0' ? k->error : rec->reason);
}

void
record_describe(const struct record *rec, int64_t now_ms, struct msg_record *out)
{
	*out = (struct msg_record){
		.index = rec->index,
		.count = rec->count,
		.family = rec->conf->family,
		.wanted = rec->plan.wanted,
		.wanted_ttl = rec->plan.settings.ttl,
	};
	mem_copy_text(out->fqdn, sizeof(out->fqdn), rec->conf->fqdn);
	mem_copy_text(out->zone, sizeof(out->zone), rec->conf->zone);
	mem_copy_text(out->name, sizeof(out->name), rec->conf->name);
	if (is_told(rec))
		describe_told(rec, now_ms, out);
	else
		describe_plan(rec, now_ms, out);
}

char *
record_message(const struct record *rec, int64_t now_ms)
{
	struct msg_record m;

	record_describe(rec, now_ms, &m);
	return msg_encode_record(&m);
}

/* "203.0.113.7, TTL 300", "nothing". */
static void
describe_found(const struct provider_record *found, struct buf *b)
{
	if (!found->exists) {
		buf_adds(b, "nothing");
		return;
	}
	for (size_t i = 0; i < found->nvalues; i++)
		buf_printf(b, "%s, ", found->values[i]);
	if (found->total > found->nvalues)
		buf_printf(b, "%zu more, ", found->total - found->nvalues);
	buf_printf(b, "TTL %lld", (long long)found->ttl);
}

static void
log_difference(const struct record *rec, enum log_level level, const char *msg)
{
	const struct plan *p = &rec->plan;
	struct buf found = BUF_INIT;
	char wanted[ADDRESS_TEXT_MAX];

	describe_found(&p->found, &found);
	log_write(level, msg,
		  (const struct log_field[]){
			  LOG_S("record", rec->conf->fqdn),
			  LOG_S("type", record_type(rec)),
			  LOG_S("found", buf_text(&found)),
			  LOG_S("wanted", address_format(&p->wanted, wanted, sizeof(wanted))),
			  LOG_I("ttl", p->settings.ttl),
			  LOG_S("reason", p->verdict == PLAN_HOLDS ? p->why : NULL),
			  { LOG_KIND_END, NULL, NULL, 0 } });
	buf_free(&found);
}

void
record_log(const struct record *rec, const struct plan_actions *actions)
{
	const struct plan *p = &rec->plan;
	const char *fqdn = rec->conf->fqdn, *type = record_type(rec);
	char text[ADDRESS_TEXT_MAX];

	if (actions->notes & PLAN_NOTE_RECOVERED)
		log_info("record can be handled again", LOG_S("record", fqdn), LOG_S("type", type));
	if (actions->notes & PLAN_NOTE_DIFFERS)
		log_difference(rec, LOG_INFO, "record is out of sync and will be written");
	if (actions->notes & PLAN_NOTE_HELD)
		log_difference(rec, LOG_WARN, "record is out of sync and not written");
	if (actions->notes & PLAN_NOTE_WOULD_WRITE)
		log_difference(rec, LOG_INFO,
			       p->settings.dry_run && !p->settings.observe
				       ? "record is out of sync and would be written (dry run)"
				       : "record is out of sync and only observed");
	if (actions->notes & PLAN_NOTE_WRITTEN)
		log_info("record written", LOG_S("record", fqdn), LOG_S("type", type),
			 LOG_S("value", address_format(&p->written, text, sizeof(text))),
			 LOG_I("ttl", p->written_ttl));
	if (actions->notes & PLAN_NOTE_IN_SYNC)
		log_info("record is in sync", LOG_S("record", fqdn), LOG_S("type", type),
			 LOG_S("value", address_format(&p->wanted, text, sizeof(text))));
	if (actions->notes & PLAN_NOTE_FAILING)
		log_write(p->failure.outcome == PROVIDER_ATTENTION ? LOG_ERROR : LOG_WARN,
			  p->failure.outcome == PROVIDER_ATTENTION
				  ? "record needs a person's attention"
				  : "record cannot be handled now and is tried again",
			  (const struct log_field[]){ LOG_S("record", fqdn),
						      LOG_S("type", type),
						      LOG_S("error", p->failure.error),
						      { LOG_KIND_END, NULL, NULL, 0 } });
}

void
record_count(struct record *rec, const struct plan_actions *actions, struct metrics *m,
	     int64_t wall_ms)
{
	const char *fqdn = rec->conf->fqdn, *type = record_type(rec);

	if (actions->notes & PLAN_NOTE_READ)
		rec->checked_at = wall_ms;
	if (actions->notes & PLAN_NOTE_WRITTEN) {
		rec->updated_at = wall_ms;
		metrics_add(m, METRIC_DNS_UPDATES, 1, fqdn, type, NULL);
		metrics_set(m, METRIC_LAST_DNS_UPDATE, (double)rec->updated_at / 1000, fqdn, NULL,
			    NULL);
	}
	if (actions->notes & PLAN_NOTE_FAILED)
		metrics_add(m, METRIC_DNS_UPDATE_FAILURES, 1, fqdn, type,
			    rec->plan.failure.error_type);
	if (actions->took_ms >= 0)
		metrics_observe(m, METRIC_DNS_UPDATE_DURATION, (double)actions->took_ms / 1000,
				fqdn, NULL, NULL);
}
