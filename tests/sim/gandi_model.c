#include "tests/sim/gandi_model.h"

#include <string.h>

#include "common/mem.h"
#include "tests/sim/invariants.h"
#include "tests/sim/trace.h"

struct gandi {
	struct gandi_health health;
	struct gandi_record records[SIM_RECORDS];
	struct pool calls;
	uint64_t reads;
	int64_t quiet_us;
};

void
gandi_start(struct world *w)
{
	w->gandi = world_new(w, sizeof(*w->gandi));
	w->gandi->calls.size = sizeof(struct gandi_call);
}

struct gandi_health *
gandi_health(struct world *w)
{
	return &w->gandi->health;
}

const struct gandi_record *
gandi_record(const struct world *w, unsigned record)
{
	return &w->gandi->records[record];
}

uint64_t
gandi_reads(const struct world *w)
{
	return w->gandi->reads;
}

int64_t
gandi_quiet_us(const struct world *w)
{
	return w->gandi->quiet_us;
}

void
gandi_edit(struct world *w, unsigned record, struct address value)
{
	struct gandi_record *r = &w->gandi->records[record];

	r->value = value;
	r->exists = value.family != ADDRESS_NONE;
	r->ttl = GANDI_TTL;
	checks_record_edited(w, record);
}

/* --- serving --------------------------------------------------------------------------------- */

static void
fail(struct gandi_call *call, enum provider_outcome outcome, const char *type, bool may_land)
{
	call->result.outcome = outcome;
	call->result.may_land = may_land && call->is_write;
	mem_copy_text(call->result.error_type, sizeof(call->result.error_type), type);
	mem_copy_text(call->result.error, sizeof(call->result.error), type);
}

void
gandi_time_out(struct gandi_call *call)
{
	fail(call, PROVIDER_TRANSIENT, "timeout", true);
}

static void
store(struct world *w, unsigned record, struct address value, uint32_t node)
{
	struct gandi_record *r = &w->gandi->records[record];
	char text[ADDRESS_TEXT_MAX];

	TRACE(w, "gandi: record %u becomes %s, written by node %u", record,
	      address_format(&value, text, sizeof(text)), node);
	*r = (struct gandi_record){
		.exists = true, .value = value, .ttl = GANDI_TTL, .puts = r->puts + 1
	};
	checks_record_written(w, record, &value, node);
}

/* A write that its client has long heard the failure of. */
struct late_write {
	unsigned record;
	struct address value;
	uint32_t node;
};

static void
land(struct world *w, void *arg, uint64_t number)
{
	const struct late_write *late = arg;

	(void)number;
	TRACE(w, "gandi: a late write lands");
	store(w, late->record, late->value, late->node);
}

static void
land_later(struct world *w, const struct gandi_call *call)
{
	struct late_write *late = world_new(w, sizeof(*late));
	int64_t at = w->now_us + chance_range(w, SECOND, 45 * SECOND);

	*late = (struct late_write){ call->record, call->value, call->x.node };
	if (at > w->gandi->quiet_us)
		w->gandi->quiet_us = at;
	world_at(w, at, land, late, 0);
}

static void
answer_read(struct world *w, struct gandi_call *call)
{
	const struct gandi_record *r = &w->gandi->records[call->record];
	struct provider_record *found = &call->result.record;

	w->gandi->reads++;
	found->exists = r->exists;
	if (!r->exists)
		return;
	found->total = found->nvalues = 1;
	found->ttl = r->ttl;
	address_format(&r->value, found->values[0], sizeof(found->values[0]));
}

static bool
refuse(struct world *w, struct gandi_call *call)
{
	const struct gandi_health *h = &w->gandi->health;

	if (h->down)
		fail(call, PROVIDER_TRANSIENT, "unreachable", false);
	else if (h->denies)
		fail(call, PROVIDER_ATTENTION, "unauthorized", false);
	else if (chance_is(w, h->throttles))
		fail(call, PROVIDER_TRANSIENT, "throttled", false);
	else if (chance_is(w, h->fails))
		fail(call, PROVIDER_TRANSIENT, "server", true);
	else
		return false;
	if (strcmp(call->result.error_type, "throttled") == 0)
		call->result.retry_after_ms = chance_range(w, 1, 10) * 1000;
	return true;
}

static void
serve(struct world *w, struct exchange *x)
{
	struct gandi_call *call = (struct gandi_call *)x;
	const struct gandi_health *h = &w->gandi->health;

	if (!refuse(w, call)) {
		if (!call->is_write) {
			answer_read(w, call);
		} else if (chance_is(w, h->lands_late)) {
			land_later(w, call);
			fail(call, PROVIDER_TRANSIENT, "server", true);
		} else {
			store(w, call->record, call->value, x->node);
			if (chance_is(w, h->fails_after_write))
				fail(call, PROVIDER_TRANSIENT, "server", true);
		}
	}
	TRACE(w, "gandi: %s of record %u by node %u: %s", call->is_write ? "PUT" : "GET",
	      call->record, x->node, *call->result.error ? call->result.error : "done");
	exchange_reply(w, x, chance_range(w, 5 * MILLISECOND, 100 * MILLISECOND));
}

struct gandi_call *
gandi_call_new(struct world *w, uint32_t node, uint32_t life, unsigned record)
{
	struct gandi_call *call = pool_get(w, &w->gandi->calls);

	call->x.node = node;
	call->x.life = life;
	call->x.way = WAY_PROVIDER;
	call->x.pool = &w->gandi->calls;
	call->x.serve = serve;
	call->record = record;
	call->result.retry_after_ms = -1;
	return call;
}
