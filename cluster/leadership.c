#include "cluster/leadership_private.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

int64_t
leadership_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
leadership_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Below n; each event brings a new seed, and one event may need several draws. */
static int64_t
draw(struct leadership *l, int64_t n)
{
	l->random = l->random * 1664525u + 1013904223u;
	return (int64_t)(((uint64_t)l->random * (uint64_t)n) >> 32);
}

int64_t
leadership_jittered(struct leadership *l, int64_t ms)
{
	return ms + draw(l, ms / 5 + 1);
}

int64_t
leadership_spread(struct leadership *l)
{
	return draw(l, leadership_min(1000, l->followers) + 1);
}

bool
leadership_holds(const struct leadership *l)
{
	return l->role == LEADERSHIP_CLAIMING || l->role == LEADERSHIP_LEADING;
}

bool
leadership_is_me(const struct leadership *l, const char *holder)
{
	return strcmp(holder, l->config.identity) == 0;
}

/* --- requests ----------------------------------------------------------------- */

/*
 * One request may take max(1 s, renew_deadline / 2), and what a holder or a
 * stopping process has left is the limit of everything (P5).
 */
static int64_t
time_out(const struct leadership *l)
{
	int64_t longest = leadership_max(1000, l->config.renew_deadline_ms / 2);

	if (leadership_holds(l) && DEADLINE_COUNTS)
		longest = leadership_min(longest, l->deadline_ms - l->now_ms);
	else if (l->role == LEADERSHIP_RELEASING)
		longest = leadership_min(longest, l->stop_ms - l->now_ms);
	return longest;
}

void
leadership_send(struct leadership *l, struct lane *lane, struct leadership_request *out)
{
	out->id = ++l->last_id;
	out->timeout_ms = time_out(l);
	lane->sent = *out;
	lane->sent_ms = l->now_ms;
}

void
leadership_end_request(struct lane *lane)
{
	lane->sent.kind = LEADERSHIP_NONE;
}

static int64_t
given_up_at(const struct lane *lane)
{
	return lane->sent_ms + lane->sent.timeout_ms + GRACE_MS;
}

/* --- roles -------------------------------------------------------------------- */

void
leadership_step_down(struct leadership *l)
{
	l->role = LEADERSHIP_STANDBY;
	l->bump_to = 0;
	l->reread = false;
	l->term = 0;
	l->deadline_ms = 0;
	leadership_end_request(&l->lease);
	wan_forget(l);
	l->wan_reason[0] = '\0';
	standby_read_by_quorum(l, l->now_ms);
}

static void
check_deadlines(struct leadership *l)
{
	if (leadership_holds(l) && DEADLINE_COUNTS && l->now_ms >= l->deadline_ms) {
		leadership_step_down(l);
		words_lease(l, "could not be renewed in time");
	}
	if (l->role == LEADERSHIP_RELEASING && l->now_ms >= l->stop_ms)
		l->role = LEADERSHIP_OFF;
}

static void
stop(struct leadership *l)
{
	if (l->role == LEADERSHIP_RELEASING || l->role == LEADERSHIP_OFF)
		return;
	wan_forget(l);
	lease_stop(l);
}

static void
take_content(struct leadership *l, uint64_t content)
{
	if (l->role != LEADERSHIP_LEADING || content <= l->content)
		return;
	l->content = content;
	l->dirty = true;
}

/* --- the machine -------------------------------------------------------------- */

struct leadership *
leadership_new(const struct leadership_config *config, int64_t now_ms, uint32_t random)
{
	struct leadership *l;

	if (config->identity[0] == '\0' || config->retry_period_ms <= 0 ||
	    config->renew_deadline_ms <= config->retry_period_ms ||
	    config->duration_ms <= config->renew_deadline_ms)
		return NULL;
	l = mem_new(1, sizeof(*l));
	l->config = *config;
	if (l->config.lease_name[0] == '\0')
		mem_copy_text(l->config.lease_name, sizeof(l->config.lease_name), "esddns-leader");
	if (l->config.configmap_name[0] == '\0')
		mem_copy_text(l->config.configmap_name, sizeof(l->config.configmap_name),
			      "esddns-wan-ip");
	l->now_ms = now_ms;
	l->random = random;
	l->role = LEADERSHIP_STANDBY;
	l->hurry_ms = CLOCK_NEVER;
	l->quorum_ms = now_ms - config->retry_period_ms;
	standby_read_by_quorum(l, now_ms + draw(l, FIRST_READ_MS));
	return l;
}

void
leadership_free(struct leadership *l)
{
	free(l);
}

static void
take(struct leadership *l, const struct leadership_event *ev, struct leadership_actions *out)
{
	switch (ev->type) {
	case LEADERSHIP_EV_LEASE_ANSWER:
		if (l->lease.sent.kind != LEADERSHIP_NONE && ev->id == l->lease.sent.id)
			lease_answer(l, ev, out);
		break;
	case LEADERSHIP_EV_WAN_ANSWER:
		if (l->wan.sent.kind != LEADERSHIP_NONE && ev->id == l->wan.sent.id)
			wan_answer(l, ev, out);
		break;
	case LEADERSHIP_EV_CONTENT:
		take_content(l, ev->content);
		break;
	case LEADERSHIP_EV_HINT:
		standby_hint(l);
		break;
	case LEADERSHIP_EV_RELEASED:
		standby_released(l, ev->term);
		break;
	case LEADERSHIP_EV_FOLLOWERS:
		l->followers = ev->followers;
		break;
	case LEADERSHIP_EV_STOP:
		stop(l);
		break;
	case LEADERSHIP_EV_TICK:
	case LEADERSHIP_EV__MAX:
		break;
	}
}

/* What the caller should have reported as lost by now. */
static void
give_up(struct leadership *l, struct leadership_actions *out)
{
	struct leadership_event lost = { .outcome = API_LOST, .retry_after_ms = -1 };

	if (l->lease.sent.kind != LEADERSHIP_NONE && l->now_ms >= given_up_at(&l->lease))
		lease_answer(l, &lost, out);
	if (l->wan.sent.kind != LEADERSHIP_NONE && l->now_ms >= given_up_at(&l->wan))
		wan_answer(l, &lost, out);
}

static void
tell_activity(struct leadership *l, struct leadership_actions *out)
{
	bool active = leadership_active(l, l->now_ms);

	out->began = active && !l->told_active;
	out->ended = !active && l->told_active;
	l->told_active = active;
	out->fence = l->fence;
}

void
leadership_step(struct leadership *l, const struct leadership_event *ev, int64_t now_ms,
		struct leadership_actions *out)
{
	*out = (struct leadership_actions){ .began = false };
	if (l->role == LEADERSHIP_OFF)
		return;
	l->now_ms = leadership_max(l->now_ms, now_ms);
	l->random ^= ev->random;
	l->wall_ms = ev->wall_ms;
	check_deadlines(l);
	take(l, ev, out);
	give_up(l, out);
	/* this order: a new term (P3) is asked for by one lane, and written by the other */
	wan_plan(l, out);
	lease_plan(l, out);
	tell_activity(l, out);
}

/* --- what others ask ---------------------------------------------------------- */

static int64_t
lease_due(const struct leadership *l)
{
	if (l->lease.sent.kind != LEADERSHIP_NONE)
		return given_up_at(&l->lease);
	return l->role == LEADERSHIP_STANDBY ? standby_due(l) : l->lease.due_ms;
}

static int64_t
wan_due(const struct leadership *l)
{
	if (l->wan.sent.kind != LEADERSHIP_NONE)
		return given_up_at(&l->wan);
	return wan_wants(l) ? l->wan.due_ms : CLOCK_NEVER;
}

int64_t
leadership_next_deadline(const struct leadership *l)
{
	int64_t at = leadership_min(lease_due(l), wan_due(l));

	if (l->role == LEADERSHIP_OFF)
		return CLOCK_NEVER;
	if (leadership_holds(l) && DEADLINE_COUNTS)
		at = leadership_min(at, l->deadline_ms);
	else if (l->role == LEADERSHIP_RELEASING)
		at = leadership_min(at, l->stop_ms);
	return at;
}

bool
leadership_active(const struct leadership *l, int64_t now_ms)
{
	return l->role == LEADERSHIP_LEADING && (now_ms < l->deadline_ms || !DEADLINE_COUNTS);
}

int64_t
leadership_until(const struct leadership *l)
{
	return l->role == LEADERSHIP_LEADING ? l->deadline_ms : 0;
}

enum leadership_role
leadership_role(const struct leadership *l)
{
	return l->role;
}

int64_t
leadership_term(const struct leadership *l)
{
	return l->term;
}

const char *
leadership_holder(const struct leadership *l)
{
	return l->holder;
}

const char *
leadership_reason(const struct leadership *l)
{
	return l->lease_reason[0] != '\0' ? l->lease_reason : l->wan_reason;
}
