#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tests/sim/invariants.h"
#include "tests/sim/node_private.h"
#include "tests/sim/trace.h"

#define PROVIDER_MS 10000

static void step_writer(struct node *n, unsigned i, struct writer_event *ev);

/* --- the provider ---------------------------------------------------------------------------- */

static void
hear_provider(struct world *w, struct node *n, struct exchange *x)
{
	struct gandi_call *call = (struct gandi_call *)x;

	(void)w;
	if (!x->answered)
		gandi_time_out(call);
	n->updater.records[call->record].call = NULL;
	record_step_plan(
		n, call->record,
		&(struct plan_event){ .kind = call->is_write ? PLAN_EV_WRITTEN : PLAN_EV_READ,
				      .result = &call->result,
				      .jitter = node_random(n) });
}

static void
ask_provider(struct node *n, unsigned i, bool is_write)
{
	struct record_part *r = &n->updater.records[i];

	r->call = gandi_call_new(n->w, n->index, n->life, i);
	r->call->is_write = is_write;
	if (is_write) {
		r->call->value = *plan_value(&r->plan);
		checks_write_sent(n, i, &r->call->value);
	}
	node_send(n, &r->call->x, PROVIDER_MS, hear_provider);
}

/* --- the plan -------------------------------------------------------------------------------- */

static enum writer_said
what_plan_says(const struct plan *p)
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

static void
tell_writer(struct node *n, unsigned i, enum writer_said said)
{
	const struct plan *p = &n->updater.records[i].plan;
	struct writer_plan say = {
		.said = said,
		.value = said == WRITER_WANTS ? *plan_value(p) : p->wanted,
		.in_sync = p->verdict == PLAN_MATCHES,
		.error_stamp = *plan_error(p) ? writer_stamp(plan_error(p)) : 0,
		.not_before_ms = p->not_before_ms,
		.retry_ms = p->failure.retry_ms,
	};

	step_writer(n, i, &(struct writer_event){ .type = WRITER_EV_PLAN, .plan = &say });
}

void
record_step_plan(struct node *n, unsigned i, const struct plan_event *ev)
{
	struct record_part *r = &n->updater.records[i];
	struct plan_actions act = plan_step(&r->plan, ev, node_now(n));

	if (n->stopping)
		return;
	if (act.request == PLAN_REQUEST_PERMIT)
		tell_writer(n, i, WRITER_WANTS);
	else if (act.request != PLAN_REQUEST_NONE)
		ask_provider(n, i, act.request == PLAN_REQUEST_WRITE);
	else if (act.ended)
		tell_writer(n, i, what_plan_says(&r->plan));
}

/* --- the writer ------------------------------------------------------------------------------ */

/* An address that a person put there is none that a round has confirmed. */
void
records_confirm(struct node *n, const struct stored_wan *s)
{
	bool confirmed = address_equal(&s->news.address, &s->news.confirmed);
	struct api_fence f;

	stored_wan_fence(s, &f);
	confirmation_see(&n->updater.confirmation, f.uid, f.epoch, f.sequence, &s->news.address,
			 confirmed ? s->news.timestamp : 0, node_now(n));
}

static struct writer_view
view_of(struct node *n, unsigned i, const struct stored_wan *s)
{
	const struct confirmation *c = &n->updater.confirmation;
	const struct wan_record *key = &s->records[i];
	struct writer_view v = { .address = s->news.address,
				 .confirmed_ms = WRITER_NEVER,
				 .followers = s->news.followers };
	struct api_fence f;

	stored_wan_fence(s, &f);
	memcpy(v.uid, f.uid, sizeof(v.uid));
	v.epoch = f.epoch;
	v.sequence = f.sequence;
	v.leads = detector_is_active(n) && leadership_term(n->detector.leadership) == f.epoch;
	if (address_equal(&c->address, &v.address) && strcmp(c->uid, v.uid) == 0)
		v.confirmed_ms = confirmation_ms(c);
	v.key = (struct writer_key){ .exists = key->exists,
				     .pending = key->pending,
				     .mine = strcmp(key->by, n->name) == 0,
				     .in_sync = key->in_sync,
				     .attention = key->attention,
				     .value = key->value,
				     .stamp = writer_stamp(key->raw) };
	return v;
}

static void
hear_api(struct world *w, struct node *n, struct exchange *x)
{
	const struct api_call *call = (const struct api_call *)x;
	struct updater_part *u = &n->updater;
	const struct stored_wan *s = call->found_wan;
	unsigned i = (unsigned)(call->id % SIM_RECORDS);
	struct writer_view view;
	struct writer_event ev = { .type = WRITER_EV_ANSWER,
				   .id = call->id / SIM_RECORDS,
				   .outcome = x->answered ? call->outcome : API_LOST,
				   .retry_after_ms = call->retry_after_ms };

	u->records[i].api_call = NULL;
	if (ev.outcome == API_LOST)
		u->server = (unsigned)chance_below(w, API_SERVERS);
	if (ev.outcome == API_OK && !updater_knows(n, s)) {
		ev.outcome = API_CONFLICT;
	} else if (ev.outcome == API_OK) {
		updater_see(n, s);
		view = view_of(n, i, s);
		ev.view = &view;
	}
	step_writer(n, i, &ev);
}

/* The text with this stamp; one that was not read last would fail its test. */
static const char *
text_of(const struct node *n, unsigned i, uint64_t stamp)
{
	const struct stored_wan *s = n->updater.object;

	return s && writer_stamp(s->records[i].raw) == stamp ? s->records[i].raw : "unknown";
}

static void
ask_api(struct node *n, unsigned i, const struct writer_actions *act)
{
	struct record_part *r = &n->updater.records[i];
	bool get = act->request == WRITER_REQUEST_GET, claim = act->request == WRITER_REQUEST_CLAIM;
	struct api_call *call =
		api_call_new(n->w, n->index, n->life, get ? API_GET_WAN : API_PATCH_RECORDS);
	struct record_change *c = &call->changes[i];

	if (r->api_call)
		node_cancel(n, &r->api_call->x);
	r->api_call = call;
	call->id = act->id * SIM_RECORDS + i;
	call->server = n->updater.server;
	if (!get) {
		memcpy(call->tested.uid, act->uid, sizeof(act->uid));
		call->tested.epoch = act->epoch;
		call->tested.sequence = act->sequence;
		call->tests = LEADERSHIP_TEST_UID;
		if (claim)
			call->tests |= LEADERSHIP_TEST_EPOCH | LEADERSHIP_TEST_SEQUENCE;
		c->test_old = true;
		c->old = act->old_stamp ? text_of(n, i, act->old_stamp) : NULL;
		c->set = true;
		c->record.value = claim ? act->value : r->plan.wanted;
		c->record.pending = claim;
		c->record.in_sync = !claim && r->plan.verdict == PLAN_MATCHES;
		c->record.attention = !claim && plan_state(&r->plan) == MSG_RECORD_ATTENTION;
		c->record.checked_at = node_wall(n);
		mem_copy_text(c->record.by, sizeof(c->record.by), n->name);
	}
	node_send(n, &call->x, act->timeout_ms, hear_api);
}

static void
step_writer(struct node *n, unsigned i, struct writer_event *ev)
{
	struct record_part *r = &n->updater.records[i];
	struct writer_actions act;

	if (n->stopping)
		return;
	ev->random = node_random(n);
	act = writer_step(&r->writer, ev, node_now(n));
	if (act.changed)
		TRACE(n->w, "node %u: record %u: %s %s", n->index, i,
		      writer_active(&r->writer) ? "active" : "passive", writer_reason(&r->writer));
	plan_set_passive(&r->plan, !writer_active(&r->writer));
	if (act.request != WRITER_REQUEST_NONE)
		ask_api(n, i, &act);
	if (act.permit != WRITER_UNDECIDED) {
		TRACE(n->w, "node %u: record %u: permit %s %s", n->index, i,
		      act.permit == WRITER_GRANTED ? "granted" : "refused:",
		      act.permit == WRITER_GRANTED ? "" : act.sentence);
		record_step_plan(n, i,
				 &(struct plan_event){ .kind = PLAN_EV_PERMIT,
						       .granted = act.permit == WRITER_GRANTED,
						       .sentence = act.sentence });
	}
	if (act.run)
		record_step_plan(n, i, &(struct plan_event){ .kind = PLAN_EV_CHECK });
}

void
records_see(struct node *n)
{
	struct updater_part *u = &n->updater;
	bool blind = !u->object || !reflector_current(&u->reflector);

	for (unsigned i = 0; i < SIM_RECORDS; i++) {
		struct writer_event ev = { .type = WRITER_EV_BLIND };
		struct writer_view view;

		if (!blind) {
			view = view_of(n, i, u->object);
			ev.type = WRITER_EV_OBJECT;
			ev.view = &view;
		}
		step_writer(n, i, &ev);
	}
}

/* --- the loop -------------------------------------------------------------------------------- */

void
records_boot(struct node *n)
{
	static const struct plan_settings plan = { .family = ADDRESS_IPV4,
						   .ttl = GANDI_TTL,
						   .interval_ms = SIM_INTERVAL_MS,
						   .fresh_ms = 2 * SIM_INTERVAL_MS,
						   .can_read = true,
						   .permit = true,
						   .passive = true };
	static const struct writer_settings writer = { .interval_ms = SIM_INTERVAL_MS,
						       .fresh_ms = 2 * SIM_INTERVAL_MS,
						       .backup_delay_ms = 20000,
						       .backup_spread_ms = 40000 };

	for (unsigned i = 0; i < SIM_RECORDS; i++) {
		plan_init(&n->updater.records[i].plan, &plan, node_now(n));
		writer_init(&n->updater.records[i].writer, &writer);
	}
}

void
records_tick(struct node *n)
{
	for (unsigned i = 0; i < SIM_RECORDS; i++) {
		struct record_part *r = &n->updater.records[i];

		if (writer_next_deadline(&r->writer) <= node_now(n))
			step_writer(n, i, &(struct writer_event){ .type = WRITER_EV_TICK });
		if (plan_next_deadline(&r->plan) <= node_now(n))
			record_step_plan(n, i, &(struct plan_event){ .kind = PLAN_EV_TICK });
	}
}

int64_t
records_deadline(const struct node *n)
{
	int64_t at = CLOCK_NEVER;

	for (unsigned i = 0; i < SIM_RECORDS && !n->stopping; i++) {
		const struct record_part *r = &n->updater.records[i];
		int64_t a = writer_next_deadline(&r->writer), b = plan_next_deadline(&r->plan);

		at = a < at ? a : at;
		at = b < at ? b : at;
	}
	return at;
}
