#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/sim/invariants.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

/* As in detector/detector.c: how long a round goes on once its outcome is plain. */
#define GRACE_MS 1000
/* What was said last still goes out when a process ends. */
#define LINGER_US (50 * MILLISECOND)
#define STOP_US (8 * SECOND)

static const struct rounds_limits limits = {
	.interval_ms = SIM_INTERVAL_MS,
	.tripwire_ms = 15000,
	.confirm_ms = 2000,
	.min_change_ms = 20000,
	.ntripwires = SOURCES_STUN,
};
static const struct agreement_limits agreement_limits = { .quorum = 0 };

bool
detector_is_active(const struct node *n)
{
	const struct leadership *l = n->detector.leadership;

	return n->alive && l && leadership_active(l, node_now(n));
}

/* --- rounds ---------------------------------------------------------------------------------- */

/* One question to one source. */
struct question {
	uint32_t node, life;
	unsigned source;
	bool tripwire;
	uint64_t number; /* of the round or the tripwire */
	struct address answer;
};

static void rounds_tell(struct node *n, enum rounds_event_type type, const struct address *a);

static void
hear_answer(struct world *w, struct node *n, void *arg)
{
	const struct question *q = arg;
	struct detector_part *d;

	(void)w;
	if (!n)
		return;
	d = &n->detector;
	if (q->tripwire && q->number == d->tripwire && d->tripwire_end_ms != CLOCK_NEVER) {
		d->tripwire_end_ms = CLOCK_NEVER;
		rounds_tell(n,
			    q->answer.family == ADDRESS_NONE ? ROUNDS_EV_TRIPWIRE_FAILED
							     : ROUNDS_EV_TRIPWIRE,
			    &q->answer);
	} else if (!q->tripwire && d->running && q->number == d->round) {
		d->ballots[q->source].answer = q->answer;
		d->answers++;
	}
}

static void
bring_answer(struct world *w, void *arg, uint64_t number)
{
	const struct question *q = arg;

	(void)number;
	if (!network_is_cut(w, q->node, WAY_SOURCES))
		node_deliver(w, q->node, q->life, hear_answer, arg);
}

static void
answer_question(struct world *w, void *arg, uint64_t number)
{
	struct question *q = arg;

	(void)number;
	q->answer = sources_answer(w, q->source);
	if (q->answer.family != ADDRESS_NONE)
		world_at(w, w->now_us + network_delay(w, WAY_SOURCES), bring_answer, q, 0);
}

static void
ask(struct node *n, unsigned source, bool tripwire, uint64_t number)
{
	struct question *q = world_new(n->w, sizeof(*q));

	*q = (struct question){ n->index, n->life, source, tripwire, number, { ADDRESS_NONE } };
	if (!network_is_cut(n->w, n->index, WAY_SOURCES) &&
	    !chance_is(n->w, network_weather(n->w, WAY_SOURCES)->lost))
		world_at(n->w, n->w->now_us + network_delay(n->w, WAY_SOURCES), answer_question, q,
			 0);
}

static void
start_round(struct node *n)
{
	struct detector_part *d = &n->detector;

	d->round++;
	d->running = true;
	d->answers = 0;
	d->round_end_ms = node_now(n) + SIM_ROUND_MS;
	d->decided_ms = CLOCK_NEVER;
	for (unsigned i = 0; i < SOURCES; i++) {
		d->ballots[i] = (struct ballot){ .operator= n->w->sources->list[i].operator,
						 .kind = n->w->sources->list[i].kind };
		ask(n, i, false, d->round);
	}
}

/* There is something to publish: a new address, or a round that confirmed the old one. */
static void
tell_content(struct node *n, int64_t confirmed_ms)
{
	struct detector_part *d = &n->detector;
	struct content *c = &d->contents[++d->content % SIM_CONTENTS];

	d->news.followers = n->peer.accepted + 1;
	*c = (struct content){ d->news, confirmed_ms };
	detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_CONTENT,
						     .content = d->content });
}

static void
rounds_tell(struct node *n, enum rounds_event_type type, const struct address *a)
{
	struct detector_part *d = &n->detector;
	struct rounds_event ev = { .type = type, .random = node_random(n) };
	struct rounds_actions act;

	/* right before each thing that is done */
	if (!detector_is_active(n))
		return;
	if (a)
		ev.address = *a;
	act = rounds_step(&d->rounds, &ev, node_now(n));
	if (act.start_round) {
		checks_leader_acts(n, "starts a round");
		start_round(n);
	}
	if (act.send_tripwire) {
		d->tripwire++;
		d->tripwire_end_ms = node_now(n) + SIM_ROUND_MS;
		ask(n, (unsigned)(SOURCES - SOURCES_STUN + act.tripwire), true, d->tripwire);
	}
	if (act.publish) {
		d->news.address = act.address;
		d->news.detected_at = node_wall(n);
	}
	if (act.confirmed) {
		d->news.timestamp = node_wall(n);
		d->news.confirmed = d->news.address;
	}
	if (act.publish || act.confirmed)
		tell_content(n, act.confirmed ? node_now(n) : PLAN_NEVER);
}

static void
judge(const struct node *n, struct agreement *out)
{
	const struct detector_part *d = &n->detector;

	agreement_judge(&agreement_limits, d->ballots, SOURCES, &d->rounds.published, out);
}

static void
end_round(struct node *n)
{
	struct detector_part *d = &n->detector;
	struct agreement a;

	judge(n, &a);
	d->running = false;
	checks_round_ended(n->w, d->ballots);
	rounds_tell(n, a.verdict == AGREEMENT_AGREED ? ROUNDS_EV_AGREED : ROUNDS_EV_HELD,
		    &a.address);
}

static bool
is_decided(struct node *n)
{
	struct detector_part *d = &n->detector;
	int64_t now_ms = node_now(n);
	struct agreement a;

	if (d->answers == SOURCES || now_ms >= d->round_end_ms)
		return true;
	if (d->answers < SOURCES_QUORUM)
		return false;
	judge(n, &a);
	if (a.verdict != AGREEMENT_AGREED || address_equal(&a.address, &d->rounds.published))
		d->decided_ms = CLOCK_NEVER;
	else if (d->decided_ms == CLOCK_NEVER)
		d->decided_ms = now_ms;
	return d->decided_ms != CLOCK_NEVER && now_ms - d->decided_ms >= GRACE_MS;
}

/* --- the leader's work ----------------------------------------------------------------------- */

static void
publish(struct node *n, const struct api_fence *fence, const struct content *c)
{
	struct wan_state *p = &n->detector.published;

	checks_leader_acts(n, "publishes");
	*p = (struct wan_state){ .epoch = fence->epoch,
				 .sequence = fence->sequence,
				 .news = c->news,
				 .confirmed_ms = c->confirmed_ms };
	memcpy(p->uid, fence->uid, sizeof(p->uid));
	peers_publish(n);
}

/* The first thing that a new leader writes is where it can be heard. */
static void
begin(struct node *n, const struct api_fence *fence)
{
	struct detector_part *d = &n->detector;

	TRACE(n->w, "node %u: leads in epoch %lld", n->index, (long long)fence->epoch);
	d->active = true;
	d->listening = true;
	d->news = d->read_wan->news;
	if (!address_equal(&d->news.address, &d->news.confirmed))
		d->news.address = (struct address){ ADDRESS_NONE }; /* by hand: counts as absent */
	d->news.publisher = (int)n->index;
	rounds_init(&d->rounds, &limits, &d->news.address, node_now(n));
	tell_content(n, PLAN_NEVER);
}

static void
cancel_lanes(struct node *n)
{
	struct detector_part *d = &n->detector;

	if (d->lease_call)
		node_cancel(n, &d->lease_call->x);
	if (d->wan_call)
		node_cancel(n, &d->wan_call->x);
	d->lease_call = d->wan_call = NULL;
}

static void
end(struct node *n)
{
	struct detector_part *d = &n->detector;

	TRACE(n->w, "node %u: does not lead any more: %s", n->index,
	      leadership_reason(d->leadership));
	d->active = false;
	d->running = false;
	d->round++;
	d->tripwire_end_ms = CLOCK_NEVER;
	d->published.epoch = 0;
	cancel_lanes(n);
	if (!n->stopping)
		peers_hang_up(n);
}

/* --- requests -------------------------------------------------------------------------------- */

/* Seen in the Lease: a write of it that was sent then. An older one may have landed late. */
static void
took_effect(struct detector_part *d, int64_t sent_ms)
{
	if (sent_ms + SIM_RENEW_MS > d->until_ms)
		d->until_ms = sent_ms + SIM_RENEW_MS;
}

static void
hear_lease(struct world *w, struct node *n, struct exchange *x)
{
	struct detector_part *d = &n->detector;
	const struct api_call *call = (const struct api_call *)x;
	struct leadership_event ev = { .type = LEADERSHIP_EV_LEASE_ANSWER,
				       .id = call->id,
				       .outcome = x->answered ? call->outcome : API_LOST,
				       .retry_after_ms = call->retry_after_ms };

	d->lease_call = NULL;
	if (ev.outcome == API_LOST)
		n->updater.server = (unsigned)chance_below(w, API_SERVERS);
	if (ev.outcome == API_OK)
		ev.lease = call->found_lease->lease;
	if (ev.outcome == API_OK && strcmp(ev.lease.holder, n->identity) == 0)
		for (unsigned i = 0; i < SIM_RENEWALS; i++)
			if (strcmp(d->renewals[i].renew_time, ev.lease.renew_time) == 0)
				took_effect(d, d->renewals[i].sent_ms);
	detector_step(n, &ev);
}

static void
hear_wan(struct world *w, struct node *n, struct exchange *x)
{
	struct detector_part *d = &n->detector;
	const struct api_call *call = (const struct api_call *)x;
	struct leadership_event ev = { .type = LEADERSHIP_EV_WAN_ANSWER,
				       .id = call->id,
				       .outcome = x->answered ? call->outcome : API_LOST,
				       .retry_after_ms = call->retry_after_ms };

	d->wan_call = NULL;
	if (ev.outcome == API_LOST)
		n->updater.server = (unsigned)chance_below(w, API_SERVERS);
	if (ev.outcome == API_OK && call->found_wan) {
		stored_wan_fence(call->found_wan, &ev.fence);
		d->read_wan = call->found_wan;
	}
	detector_step(n, &ev);
}

static void
send_call(struct node *n, const struct leadership_request *r, struct api_call *call,
	  void (*heard)(struct world *w, struct node *n, struct exchange *x))
{
	call->id = r->id;
	call->lease = r->lease;
	call->fence = r->fence;
	call->tested = r->tested;
	call->tests = r->tests;
	call->server = n->updater.server;
	node_send(n, &call->x, r->timeout_ms, heard);
}

static void
start_lease(struct node *n, const struct leadership_request *r)
{
	static const enum api_operation operations[LEADERSHIP_REQUEST__MAX] = {
		[LEADERSHIP_LEASE_GET] = API_GET_LEASE,
		[LEADERSHIP_LEASE_GET_CACHED] = API_GET_LEASE_CACHED,
		[LEADERSHIP_LEASE_CREATE] = API_CREATE_LEASE,
		[LEADERSHIP_LEASE_PUT] = API_PUT_LEASE,
	};
	struct detector_part *d = &n->detector;

	if (d->lease_call)
		node_cancel(n, &d->lease_call->x);
	d->lease_call = api_call_new(n->w, n->index, n->life, operations[r->kind]);
	if (r->kind == LEADERSHIP_LEASE_CREATE || r->kind == LEADERSHIP_LEASE_PUT) {
		unsigned i = d->renewal++ % SIM_RENEWALS;

		memcpy(d->renewals[i].renew_time, r->lease.renew_time,
		       sizeof(d->renewals[i].renew_time));
		d->renewals[i].sent_ms = node_now(n);
	}
	send_call(n, r, d->lease_call, hear_lease);
}

/* What goes into the ConfigMap with this request. */
static void
choose_news(struct node *n, const struct leadership_request *r, struct api_call *call)
{
	struct detector_part *d = &n->detector;

	/* a claim leaves it as last read */
	call->has_news = r->kind != LEADERSHIP_WAN_CLAIM;
	if (r->content > 0)
		call->news = d->contents[d->content % SIM_CONTENTS].news;
	else
		call->news.publisher =
			-1; /* what was known before may be older than what was lost */
}

static void
start_wan(struct node *n, const struct leadership_request *r)
{
	static const enum api_operation operations[LEADERSHIP_REQUEST__MAX] = {
		[LEADERSHIP_WAN_GET] = API_GET_WAN,       [LEADERSHIP_WAN_CREATE] = API_CREATE_WAN,
		[LEADERSHIP_WAN_CLAIM] = API_CLAIM_WAN,   [LEADERSHIP_WAN_WRITE] = API_WRITE_WAN,
		[LEADERSHIP_WAN_DELETE] = API_DELETE_WAN,
	};
	struct detector_part *d = &n->detector;

	if (d->wan_call)
		node_cancel(n, &d->wan_call->x);
	d->wan_call = api_call_new(n->w, n->index, n->life, operations[r->kind]);
	if (r->kind == LEADERSHIP_WAN_DELETE)
		d->wan_call->fence = r->tested;
	else if (r->kind != LEADERSHIP_WAN_GET)
		choose_news(n, r, d->wan_call);
	if (r->kind != LEADERSHIP_WAN_GET)
		checks_leader_acts(n, "writes the ConfigMap");
	send_call(n, r, d->wan_call, hear_wan);
	if (r->kind == LEADERSHIP_WAN_DELETE)
		d->wan_call->fence = r->tested;
}

/* --- the machine ----------------------------------------------------------------------------- */

static void
end_process(struct world *w, void *arg, uint64_t life)
{
	struct node *n = arg;

	if (n->life == life && n->alive)
		node_crash(w, n->index);
}

void
detector_step(struct node *n, struct leadership_event *ev)
{
	struct detector_part *d = &n->detector;
	enum leadership_role before = leadership_role(d->leadership);
	struct leadership_actions act;

	ev->random = node_random(n);
	ev->wall_ms = node_wall(n);
	leadership_step(d->leadership, ev, node_now(n), &act);
	if (act.ended)
		end(n);
	if (act.lease.kind != LEADERSHIP_NONE)
		start_lease(n, &act.lease);
	if (act.wan.kind != LEADERSHIP_NONE)
		start_wan(n, &act.wan);
	/* what is newer is on its way, and told then */
	if (act.committed > 0 && act.committed == d->content && detector_is_active(n))
		publish(n, &act.fence, &d->contents[act.committed % SIM_CONTENTS]);
	if (act.released)
		peers_announce_release(n, leadership_term(d->leadership));
	checks_activity(n);
	if (before != LEADERSHIP_OFF && leadership_role(d->leadership) == LEADERSHIP_OFF)
		world_at(n->w, n->w->now_us + LINGER_US, end_process, n, n->life);
	if (act.began || act.ended)
		updater_look_at_leadership(n);
	if (act.began)
		begin(n, &act.fence);
}

void
detector_hint(struct node *n)
{
	detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_HINT });
}

void
detector_boot(struct node *n)
{
	struct leadership_config config = { .duration_ms = SIM_LEASE_MS,
					    .renew_deadline_ms = SIM_RENEW_MS,
					    .retry_period_ms = SIM_RETRY_MS };
	struct detector_part *d = &n->detector;

	*d = (struct detector_part){ .tripwire_end_ms = CLOCK_NEVER };
	memcpy(config.identity, n->identity, sizeof(config.identity));
	n->updater.server = (unsigned)chance_below(n->w, API_SERVERS);
	d->leadership = leadership_new(&config, node_now(n), node_random(n));
}

void
detector_end(struct node *n)
{
	leadership_free(n->detector.leadership);
	n->detector.leadership = NULL;
}

void
detector_stop(struct node *n)
{
	world_at(n->w, n->w->now_us + STOP_US, end_process, n, n->life);
	detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_STOP });
}

void
detector_tick(struct node *n)
{
	struct detector_part *d = &n->detector;
	int64_t now_ms = node_now(n);

	if (leadership_next_deadline(d->leadership) <= now_ms)
		detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_TICK });
	if (!d->active)
		return;
	if (d->running && is_decided(n))
		end_round(n);
	if (d->tripwire_end_ms <= now_ms) {
		d->tripwire_end_ms = CLOCK_NEVER;
		rounds_tell(n, ROUNDS_EV_TRIPWIRE_FAILED, NULL);
	}
	if (rounds_next_deadline(&d->rounds) <= now_ms)
		rounds_tell(n, ROUNDS_EV_TICK, NULL);
}

int64_t
detector_deadline(const struct node *n)
{
	const struct detector_part *d = &n->detector;
	int64_t at = leadership_next_deadline(d->leadership), r;

	if (!d->active)
		return at;
	r = rounds_next_deadline(&d->rounds);
	at = r < at ? r : at;
	at = d->tripwire_end_ms < at ? d->tripwire_end_ms : at;
	if (!d->running)
		return at;
	at = d->round_end_ms < at ? d->round_end_ms : at;
	if (d->decided_ms != CLOCK_NEVER && d->decided_ms + GRACE_MS < at)
		at = d->decided_ms + GRACE_MS;
	return at;
}
