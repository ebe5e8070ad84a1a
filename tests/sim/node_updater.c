#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tests/sim/invariants.h"
#include "tests/sim/node.h"
#include "tests/sim/node_private.h"
#include "tests/sim/trace.h"

/* As in cluster/kube: the answer to a watch must begin by then. */
#define OPEN_MS 20000

/* --- what is shown --------------------------------------------------------------------------- */

static void
tell_news(struct node *n)
{
	struct updater_part *u = &n->updater;
	struct plan_event ev = { .kind = PLAN_EV_NEWS,
				 .address = u->shown.news.address,
				 .confirmed_ms = PLAN_NEVER };

	if (u->shown.epoch == 0)
		return;
	ev.confirmed_ms = confirmation_ms(&u->confirmation);
	for (unsigned i = 0; i < SIM_RECORDS; i++)
		record_step_plan(n, i, &ev);
}

static enum follow_verdict
judge(struct node *n, const struct wan_state *state, bool authoritative)
{
	static struct msg_wan wan; /* large; only its numbers are looked at */
	struct updater_part *u = &n->updater;
	enum follow_verdict verdict;

	memcpy(wan.uid, state->uid, sizeof(wan.uid));
	wan.epoch = state->epoch;
	wan.sequence = state->sequence;
	verdict = follow_judge(&u->follow, &wan, authoritative);
	if (verdict != FOLLOW_NEW)
		return verdict;
	checks_applied(n, state->uid, state->epoch, state->sequence);
	u->shown = *state;
	return verdict;
}

static void step_reflector(struct node *n, struct reflector_event *ev);

void
updater_hear(struct node *n, const struct wan_state *state, bool own)
{
	struct updater_part *u = &n->updater;
	enum follow_verdict verdict = judge(n, state, false);

	if (own && state->confirmed_ms != PLAN_NEVER)
		confirmation_hear(&u->confirmation, state->uid, state->epoch, &state->news.address,
				  state->confirmed_ms);
	if (verdict == FOLLOW_FOREIGN)
		step_reflector(n, &(struct reflector_event){ .type = REFLECTOR_EV_READ_NOW });
	if (verdict == FOLLOW_NEW || verdict == FOLLOW_SAME)
		tell_news(n);
	if (own)
		records_see(n);
}

/* --- the object ------------------------------------------------------------------------------ */

void
updater_see(struct node *n, const struct stored_wan *s)
{
	struct updater_part *u = &n->updater;
	struct wan_state state = { .news = s->news };
	struct api_fence f;

	u->object = s->exists ? s : NULL;
	if (!s->exists)
		return;
	stored_wan_fence(s, &f);
	memcpy(state.uid, f.uid, sizeof(state.uid));
	state.epoch = f.epoch;
	state.sequence = f.sequence;
	if (f.epoch > 0)
		judge(n, &state, true);
	records_confirm(n, s);
	tell_news(n);
	peers_dial(n, s->news.publisher);
	detector_step(n, &(struct leadership_event){ .type = LEADERSHIP_EV_FOLLOWERS,
						     .followers = s->news.followers });
}

bool
updater_knows(struct node *n, const struct stored_wan *s)
{
	struct api_fence f;

	stored_wan_fence(s, &f);
	if (strcmp(f.uid, n->updater.follow.uid) == 0)
		return true;
	step_reflector(n, &(struct reflector_event){ .type = REFLECTOR_EV_READ_NOW });
	return false;
}

static void
hear_list(struct world *w, struct node *n, struct exchange *x)
{
	const struct api_call *call = (const struct api_call *)x;
	struct reflector_event ev = { .type = REFLECTOR_EV_LISTED,
				      .outcome = x->answered ? call->outcome : API_LOST,
				      .retry_after_ms = call->retry_after_ms };

	n->updater.list_call = NULL;
	if (ev.outcome == API_LOST)
		n->updater.server = (unsigned)chance_below(w, API_SERVERS);
	if (ev.outcome == API_OK) {
		snprintf(ev.version, sizeof(ev.version), "%lld", (long long)call->found_version);
		updater_see(n, call->found_wan);
	}
	step_reflector(n, &ev);
}

void
node_hear_watch(struct world *w, struct node *n, const struct watch_news *news)
{
	struct updater_part *u = &n->updater;
	struct reflector_event ev = { .type = news->type,
				      .outcome = news->outcome,
				      .retry_after_ms = -1 };

	if (news->version > 0)
		snprintf(ev.version, sizeof(ev.version), "%lld", (long long)news->version);
	if (news->type == REFLECTOR_EV_OPENED)
		u->watch_end_ms = u->watch_limit_ms;
	if (news->type == REFLECTOR_EV_CLOSED) {
		u->watching = false;
		api_watch_close(w, &u->watch);
		if (news->outcome == API_LOST)
			u->server = (unsigned)chance_below(w, API_SERVERS);
	}
	if (news->type == REFLECTOR_EV_CHANGED)
		updater_see(n, news->wan);
	step_reflector(n, &ev);
}

static void
cancel(struct node *n)
{
	struct updater_part *u = &n->updater;

	if (u->list_call)
		node_cancel(n, &u->list_call->x);
	if (u->watching)
		api_watch_close(n->w, &u->watch);
	u->list_call = NULL;
	u->watching = false;
}

static void
start(struct node *n, const struct reflector_actions *act)
{
	struct updater_part *u = &n->updater;

	if (act->request == REFLECTOR_LIST) {
		u->list_call = api_call_new(n->w, n->index, n->life, API_LIST_WAN);
		memcpy(u->list_call->version, act->version, sizeof(act->version));
		u->list_call->server = u->server;
		node_send(n, &u->list_call->x, act->timeout_ms, hear_list);
		return;
	}
	u->watching = true;
	u->watch_limit_ms = node_now(n) + act->timeout_ms;
	u->watch_end_ms = node_now(n) + OPEN_MS;
	u->watch.node = n->index;
	u->watch.life = n->life;
	u->watch.server = u->server;
	api_watch_open(n->w, &u->watch, atoll(act->version), act->watch_seconds);
}

static void
step_reflector(struct node *n, struct reflector_event *ev)
{
	struct updater_part *u = &n->updater;
	bool before = reflector_current(&u->reflector);
	struct reflector_actions act;

	ev->random = node_random(n);
	reflector_step(&u->reflector, ev, node_now(n), &act);
	if (act.cancel)
		cancel(n);
	if (act.request != REFLECTOR_NONE)
		start(n, &act);
	if (reflector_current(&u->reflector) != before)
		TRACE(n->w, "node %u: its view of the ConfigMap is %s", n->index,
		      before ? "not current any more" : "current");
	if (!reflector_current(&u->reflector))
		confirmation_blind(&u->confirmation, node_now(n));
	records_see(n);
}

/* --- the loop -------------------------------------------------------------------------------- */

void
updater_look_at_leadership(struct node *n)
{
	records_see(n);
}

void
updater_boot(struct node *n)
{
	struct updater_part *u = &n->updater;
	uint64_t number = u->watch.number;
	unsigned server = u->server;

	*u = (struct updater_part){ .server = server, .watch.number = number };
	reflector_init(&u->reflector, node_now(n));
	follow_init(&u->follow);
	confirmation_init(&u->confirmation);
	records_boot(n);
}

void
updater_tick(struct node *n)
{
	struct updater_part *u = &n->updater;
	int64_t now_ms = node_now(n);

	if (u->watching && u->watch_end_ms <= now_ms) {
		api_watch_close(n->w, &u->watch);
		u->watching = false;
		step_reflector(n, &(struct reflector_event){ .type = REFLECTOR_EV_CLOSED,
							     .outcome = API_LOST,
							     .retry_after_ms = -1 });
	}
	if (reflector_next_deadline(&u->reflector) <= now_ms)
		step_reflector(n, &(struct reflector_event){ .type = REFLECTOR_EV_TICK,
							     .retry_after_ms = -1 });
	records_tick(n);
}

int64_t
updater_deadline(const struct node *n)
{
	const struct updater_part *u = &n->updater;
	int64_t at = reflector_next_deadline(&u->reflector), r = records_deadline(n);

	at = r < at ? r : at;
	return u->watching && u->watch_end_ms < at ? u->watch_end_ms : at;
}
