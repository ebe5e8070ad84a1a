#include "detector/publish_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/local.h"
#include "common/clock.h"
#include "common/mem.h"
#include "detector/lead.h"
#include "ipc/bus.h"

#define UNIT "detector"

static void
load_family(struct msg_wan_family *w, const kept_family *s)
{
	w->address = s->address;
	w->detected_at = s->detected_at;
	w->confirmed_at = s->confirmed_at;
	w->nchanges = s->nchanges;
	memcpy(w->changes, s->changes, sizeof(w->changes));
}

static void
save_family(kept_family *s, const struct msg_wan_family *w)
{
	s->address = w->address;
	s->detected_at = w->detected_at;
	s->confirmed_at = w->confirmed_at;
	s->nchanges = w->nchanges;
	memcpy(s->changes, w->changes, sizeof(s->changes));
}

/* Nothing is under way: what is told is what is kept. */
static void
forget_next(struct publisher *p)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		save_family(&p->next[f].family, msg_wan_family(&p->wan, f));
		p->next[f].confirmed_ms = p->times[f].confirmed_ms;
	}
}

/* --- on one host --------------------------------------------------------------------- */

/* What was stored is shown with its times, and as unknown until a round agrees. */
static void
load_local(struct publisher *p)
{
	const struct local_state *s = local_state(p->local);

	mem_copy_text(p->wan.uid, sizeof(p->wan.uid), s->uid);
	mem_copy_text(p->wan.holder, sizeof(p->wan.holder), local_holder(p->local));
	p->wan.epoch = s->epoch;
	p->wan.sequence = s->sequence;
	load_family(&p->wan.ipv4, &s->ipv4);
	load_family(&p->wan.ipv6, &s->ipv6);
	forget_next(p);
}

static void
keep_local(struct publisher *p)
{
	struct local_state s = *local_state(p->local);

	s.sequence = p->wan.sequence;
	s.ipv4 = p->next[ADDRESS_IPV4].family;
	s.ipv6 = p->next[ADDRESS_IPV6].family;
	/* a failure is in local_trouble(), and goes out with the next "lead" */
	(void)local_store(p->local, &s);
}

/* --- in a cluster ---------------------------------------------------------------------- */

static void
take_fence(struct publisher *p, const struct api_fence *fence)
{
	mem_copy_text(p->wan.uid, sizeof(p->wan.uid), fence->uid);
	mem_copy_text(p->wan.holder, sizeof(p->wan.holder), fence->holder);
	p->wan.epoch = fence->epoch;
	p->wan.sequence = fence->sequence;
}

/* A vote agrees if it names the address that is published, whatever the round found. */
static void
mark_votes(struct msg_wan_family *w)
{
	for (size_t i = 0; i < w->nvotes; i++)
		w->votes[i].agrees = !w->votes[i].error[0] &&
				     w->votes[i].answer.family != ADDRESS_NONE &&
				     address_equal(&w->votes[i].answer, &w->address);
}

static void
keep_in_cluster(struct publisher *p, int64_t now_ms)
{
	struct wan_content content = { .wan = p->wan, .followers = lead_followers(p->lead) };

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		const kept_family *next = &p->next[f].family;

		load_family(msg_wan_family(&content.wan, f), next);
		mark_votes(msg_wan_family(&content.wan, f));
		if (next->confirmed_at > content.timestamp)
			content.timestamp = next->confirmed_at;
	}
	mem_copy_text(content.publisher, sizeof(content.publisher), lead_publisher(p->lead));
	leader_publish(lead_leader(p->lead), &content, now_ms);
}

/* What an earlier leader left is where this one begins; and peers are to find it. */
static void
begin_in_cluster(struct publisher *p, int64_t now_ms)
{
	const struct wan_content *stored = leader_stored(lead_leader(p->lead));

	take_fence(p, leader_fence(lead_leader(p->lead)));
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);
		kept_family kept;

		save_family(&kept, msg_wan_family_const(&stored->wan, f));
		load_family(w, &kept);
		p->times[f] = (struct times){ 0 };
		w->state = MSG_WAN_UNKNOWN;
		w->nvotes = 0;
		w->asked = w->answered = w->agreed = w->needed = 0;
		w->checked_at = 0;
		mem_copy_text(w->reason, sizeof(w->reason),
			      w->wanted ? "no round has ended since this node leads"
					: "no record needs this family");
	}
	forget_next(p);
	p->leading_since = clock_wall();
	keep_in_cluster(p, now_ms);
}

/* --- start and end ----------------------------------------------------------------------- */

struct publisher *
publisher_open(const struct detector_config *config, struct http *http, const char **why)
{
	struct publisher *p = mem_new(1, sizeof(*p));
	bool cluster = config->cluster->kubernetes;

	p->metrics = metrics_new();
	p->leading_since = clock_wall();
	if (!cluster)
		p->local = local_open(config->state_dir, why);
	if (p->local || cluster)
		p->bus = bus_publisher_new(config->runtime_dir, UNIT, why);
	if (!p->bus) {
		publisher_close(p);
		return NULL;
	}
	if (cluster)
		p->lead = lead_open(config->cluster, http, p->metrics, config->runtime_dir);
	else
		load_local(p);
	publisher_reload(p, config);
	return p;
}

void
publisher_close(struct publisher *p)
{
	if (!p)
		return;
	lead_close(p->lead);
	bus_publisher_free(p->bus);
	local_close(p->local);
	metrics_free(p->metrics);
	free(p);
}

void
publisher_reload(struct publisher *p, const struct detector_config *config)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);

		if (config->families[f] && w->wanted)
			continue;
		/* not asked until now, or not any more: what is known grows old, and has no votes
		 */
		w->wanted = config->families[f];
		w->state = MSG_WAN_UNKNOWN;
		w->nvotes = 0;
		w->asked = w->answered = w->agreed = w->needed = 0;
		mem_copy_text(w->reason, sizeof(w->reason),
			      w->wanted ? "no round has ended since the start"
					: "no record needs this family");
	}
}

static void
take_round(struct msg_wan_family *w, const struct agreement *a)
{
	w->checked_at = clock_wall();
	w->asked = a->asked;
	w->answered = a->answered;
	w->agreed = a->agreed;
	w->needed = a->needed;
	w->nvotes = a->nvotes;
	memcpy(w->votes, a->votes, sizeof(w->votes));
}

static void
take_address(kept_family *k, const struct address *a)
{
	k->address = *a;
	k->detected_at = clock_wall();
	if (k->nchanges == MSG_CHANGES_MAX)
		memmove(&k->changes[0], &k->changes[1], --k->nchanges * sizeof(k->changes[0]));
	k->changes[k->nchanges++] = (struct msg_change){ .address = *a, .at = k->detected_at };
}

/*
 * What an earlier process confirmed has a time for people, and no age: only a
 * wall clock that may have been set could tell it, and a record is written on
 * the strength of this age. After a start only a new confirmation counts.
 */
int64_t
publisher_age(int64_t at_ms, int64_t now_ms)
{
	return at_ms ? now_ms - at_ms : -1;
}

static void
emit(const char *json, void *arg)
{
	struct publisher *p = arg;

	bus_publish(p->bus, json);
}

static struct msg_lead
lead_now(const struct publisher *p)
{
	struct msg_lead lead = { .role = MSG_LEADER, .term = p->wan.epoch };

	lead.since = p->leading_since;
	mem_copy_text(lead.backend, sizeof(lead.backend), p->lead ? "kubernetes" : "local");
	if (p->lead) {
		lead.role = p->active ? MSG_LEADER : MSG_STANDBY;
		lead.term = leader_term(lead_leader_const(p->lead));
		mem_copy_text(lead.holder, sizeof(lead.holder),
			      leader_holder(lead_leader_const(p->lead)));
		mem_copy_text(lead.reason, sizeof(lead.reason), lead_reason(p->lead));
	} else {
		mem_copy_text(lead.holder, sizeof(lead.holder), p->wan.holder);
		mem_copy_text(lead.reason, sizeof(lead.reason), local_trouble(p->local));
	}
	return lead;
}

static void
send_lead(struct publisher *p)
{
	char *json;

	p->told = lead_now(p);
	json = msg_encode_lead(&p->told);
	emit(json, p);
	free(json);
}

static char *
encode_wan(struct publisher *p, int64_t now_ms)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);

		w->confirmed_age_ms = publisher_age(p->times[f].confirmed_ms, now_ms);
		w->checked_age_ms = publisher_age(p->times[f].checked_ms, now_ms);
	}
	return msg_encode_wan(&p->wan);
}

/* A pod that stands by says nothing of the address: its updater follows the one that leads. */
static void
send_all(struct publisher *p, int64_t now_ms)
{
	char *json;

	if (!p->lead || p->active) {
		json = encode_wan(p, now_ms);
		emit(json, p);
		free(json);
	}
	send_lead(p);
	msg_encode_stats(UNIT, p->metrics, emit, p);
}

static void
send_peers(struct publisher *p, int64_t now_ms)
{
	char *json = encode_wan(p, now_ms);

	lead_tell_peers(p->lead, json);
	free(json);
}

/* --- news ---------------------------------------------------------------------------------- */

/* What was to be kept is kept: from now on it is what is told. */
static void
take_kept(struct publisher *p, int64_t now_ms)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);
		const struct address *next = &p->next[f].family.address;

		if (p->lead && !address_equal(next, &w->address))
			lead_tell_change(p->lead, &w->address, next, now_ms);

		load_family(w, &p->next[f].family);
		p->times[f].confirmed_ms = p->next[f].confirmed_ms;
		mark_votes(w);
	}
}

static void
keep(struct publisher *p, int64_t now_ms)
{
	if (p->lead) {
		keep_in_cluster(p, now_ms);
		return;
	}
	keep_local(p);
	take_kept(p, now_ms);
}

void
publisher_tell(struct publisher *p, const struct publisher_news *news, int64_t now_ms)
{
	struct msg_wan_family *w = msg_wan_family(&p->wan, news->family);
	struct next *next = &p->next[news->family];

	w->state = news->state;
	mem_copy_text(w->reason, sizeof(w->reason), news->reason);
	if (news->round) {
		take_round(w, news->round);
		p->times[news->family].checked_ms = now_ms;
	}
	if (news->address) {
		take_address(&next->family, news->address);
		p->wan.sequence += p->lead ? 0 : 1;
	}
	if (news->confirmed) {
		next->family.confirmed_at = clock_wall();
		next->confirmed_ms = now_ms;
	}
	mark_votes(w);
	if (news->address || news->confirmed)
		keep(p, now_ms);
	send_all(p, now_ms);
}

/* The Lease is free: who listens can take it at once. */
static void
tell_release(struct publisher *p, int64_t now_ms)
{
	p->wan.holder[0] = '\0';
	send_peers(p, now_ms);
}

static enum publisher_event
take_news(struct publisher *p, enum leader_news news, int64_t now_ms)
{
	switch (news) {
	case LEADER_BEGAN:
		p->active = true;
		begin_in_cluster(p, now_ms);
		send_all(p, now_ms);
		return PUBLISHER_BEGAN;
	case LEADER_ENDED:
		p->active = false;
		send_all(p, now_ms);
		return PUBLISHER_ENDED;
	case LEADER_COMMITTED:
		take_fence(p, leader_fence(lead_leader(p->lead)));
		take_kept(p, now_ms);
		send_all(p, now_ms);
		send_peers(p, now_ms);
		return PUBLISHER_KEPT;
	case LEADER_RELEASED:
		tell_release(p, now_ms);
		return PUBLISHER_NOTHING;
	case LEADER_OFF:
		return PUBLISHER_OFF;
	case LEADER_NOTHING:
		break;
	}
	return PUBLISHER_NOTHING;
}

/* The lock is held, so there is nothing to wait for, at the start and at the end. */
static enum publisher_event
next_on_one_host(struct publisher *p)
{
	enum publisher_event event = PUBLISHER_NOTHING;

	if (p->stopping && !p->ended)
		event = PUBLISHER_OFF;
	else if (!p->stopping && !p->began)
		event = PUBLISHER_BEGAN;
	p->began = true;
	p->ended = p->stopping;
	return event;
}

enum publisher_event
publisher_next(struct publisher *p, int64_t now_ms)
{
	enum publisher_event event = PUBLISHER_NOTHING;
	enum leader_news news;

	if (!p->lead)
		return next_on_one_host(p);
	while (event == PUBLISHER_NOTHING && (news = lead_next(p->lead, now_ms)) != LEADER_NOTHING)
		event = take_news(p, news, now_ms);
	return event;
}

void
publisher_stop(struct publisher *p, int64_t now_ms)
{
	p->stopping = true;
	if (p->lead)
		leader_stop(lead_leader(p->lead), now_ms);
}

bool
publisher_active(const struct publisher *p, int64_t now_ms)
{
	return p->lead ? leader_active(lead_leader_const(p->lead), now_ms) : true;
}

/* --- the caller's side ------------------------------------------------------------------- */

const struct msg_wan_family *
publisher_family(const struct publisher *p, enum address_family family)
{
	return msg_wan_family_const(&p->wan, family);
}

struct metrics *
publisher_metrics(struct publisher *p)
{
	return p->metrics;
}

/* Who leads, and why not this pod, is news of its own. */
static void
tell_election(struct publisher *p)
{
	const struct msg_lead now = lead_now(p);

	if (now.role != p->told.role || now.term != p->told.term ||
	    strcmp(now.holder, p->told.holder) != 0 || strcmp(now.reason, p->told.reason) != 0)
		send_lead(p);
}

bool
publisher_take_trigger(struct publisher *p)
{
	return p->lead && lead_take_node_change(p->lead);
}

void
publisher_prepare(struct publisher *p, struct pollset *set, int64_t now_ms)
{
	bus_publisher_prepare(p->bus, set, now_ms);
	if (p->lead)
		lead_prepare(p->lead, set, now_ms);
}

void
publisher_dispatch(struct publisher *p, const struct pollset *set, int64_t now_ms)
{
	if (p->lead && lead_dispatch(p->lead, set, now_ms) && p->active)
		send_peers(p, now_ms);
	if (p->lead && lead_take_opened(p->lead) && p->active)
		keep_in_cluster(p, now_ms);
	if (bus_due(p->bus, set, now_ms))
		send_all(p, now_ms);
	else if (p->lead)
		tell_election(p);
}
