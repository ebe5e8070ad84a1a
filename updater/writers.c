#include "updater/writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cluster/leadership.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "updater/confirmation.h"

#define KEY_MAX (MSG_NAME_MAX + 32)
/* A record that the leader's node should have handled by now: a sign that it cannot. */
#define OVERDUE_MS 15000

struct one {
	struct writers *owner;
	size_t place;
	enum address_family family;
	struct writer machine;
	char key[KEY_MAX];
	struct wan_record found; /* its key, as last read */
	int64_t checked_ms;      /* when found was checked, by the local clock */
	struct kube_call *call;
	enum writer_request request;
	uint64_t id;
	char instead[MSG_REASON_MAX]; /* of which node it was taken over, and why; "" */
	bool refused; /* the request could not be true any more: to be answered in the next pass */
	int64_t out_since_ms; /* CLOCK_NEVER: it is in sync */
};

struct writers {
	const struct cluster_config *cluster;
	struct kube *kube;
	struct follower *follower;
	struct writers_hooks hooks;
	void *arg;
	const char *node;
	struct confirmation confirmations[ADDRESS_FAMILY__MAX];
	struct msg_lead lead;
	bool has_lead, blind;
	size_t n;
	struct one *list;
	struct writer_settings settings;
	uint64_t requests;
};

static void carry_out(struct one *o, const struct writer_actions *actions, int64_t now_ms);

static void
step(struct one *o, struct writer_event *ev, int64_t now_ms)
{
	struct writer_actions actions;

	if (getrandom(&ev->random, sizeof(ev->random), GRND_NONBLOCK) != sizeof(ev->random))
		ev->random = (uint32_t)now_ms; /* it only spreads requests */
	actions = writer_step(&o->machine, ev, now_ms);
	carry_out(o, &actions, now_ms);
}

/* --- what is seen ---------------------------------------------------------------------- */

static bool
leads(const struct writers *ws)
{
	return ws->has_lead && ws->lead.role == MSG_LEADER &&
	       ws->lead.term == follower_fence(ws->follower)->epoch;
}

static struct writer_view
view_of(const struct one *o)
{
	const struct writers *ws = o->owner;
	const struct api_fence *fence = follower_fence(ws->follower);
	const struct wan_record *r = &o->found;
	struct writer_view v = {
		.epoch = fence->epoch,
		.sequence = fence->sequence,
		.address = *follower_address(ws->follower, o->family),
		.confirmed_ms = writers_confirmed_ms(ws, o->family),
		.leads = leads(ws),
		.followers = follower_followers(ws->follower),
		.key = { .exists = r->exists,
			 .pending = r->pending,
			 .mine = r->exists && strcmp(r->by, ws->node) == 0,
			 .in_sync = r->in_sync,
			 .attention = r->attention,
			 .value = r->value,
			 .claimed_at = r->exists ? r->claimed_at : 0,
			 .stamp = writer_stamp(r->raw) },
	};

	memcpy(v.uid, fence->uid, sizeof(v.uid));
	return v;
}

static void
see_confirmations(struct writers *ws, int64_t now_ms)
{
	const struct api_fence *fence = follower_fence(ws->follower);

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		confirmation_see(&ws->confirmations[f], fence->uid, fence->epoch, fence->sequence,
				 follower_address(ws->follower, f),
				 follower_confirmed_at(ws->follower, f), now_ms);
}

/* How old a check is: one that is seen to come is as old as its sight (cf. follower.c). */
static void
read_key(struct one *o, const cJSON *object, int64_t now_ms)
{
	int64_t was = o->found.exists ? o->found.checked_at : 0, wall = clock_wall(), at;

	free(o->found.raw);
	wan_record_read(object, o->key, &o->found);
	at = o->found.exists ? o->found.checked_at : 0;
	if (at > 0 && was == 0)
		o->checked_ms = now_ms - (wall > at ? wall - at : 0);
	else if (at != was)
		o->checked_ms = at > 0 ? now_ms : WRITER_NEVER;
}

static void
note_sync(struct one *o, const struct writer_view *v, int64_t now_ms)
{
	bool in_sync = v->address.family == ADDRESS_NONE ||
		       (v->key.exists && v->key.in_sync && !v->key.pending &&
			address_equal(&v->key.value, &v->address));

	if (in_sync)
		o->out_since_ms = CLOCK_NEVER;
	else if (o->out_since_ms == CLOCK_NEVER)
		o->out_since_ms = now_ms;
}

static void
see_object(struct writers *ws, int64_t now_ms)
{
	const cJSON *object = follower_object(ws->follower);

	see_confirmations(ws, now_ms);
	for (size_t i = 0; i < ws->n; i++) {
		uint64_t before = writer_stamp(ws->list[i].found.raw);

		read_key(&ws->list[i], object, now_ms);
		if (writer_stamp(ws->list[i].found.raw) != before)
			ws->hooks.changed(ws->arg, i);
	}
}

static void
tell_view(struct writers *ws, int64_t now_ms)
{
	for (size_t i = 0; i < ws->n; i++) {
		struct writer_view view = view_of(&ws->list[i]);

		note_sync(&ws->list[i], &view, now_ms);
		step(&ws->list[i],
		     &(struct writer_event){ .type = WRITER_EV_OBJECT, .view = &view }, now_ms);
	}
}

static void
tell_blind(struct writers *ws, int64_t now_ms)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		confirmation_blind(&ws->confirmations[f], now_ms);
	for (size_t i = 0; i < ws->n; i++)
		step(&ws->list[i], &(struct writer_event){ .type = WRITER_EV_BLIND }, now_ms);
}

/* --- what is asked of the API server ------------------------------------------------------- */

static void
answered(void *arg, const struct kube_result *result)
{
	struct one *o = arg;
	struct writers *ws = o->owner;
	int64_t now_ms = clock_now();
	struct writer_event ev = { .type = WRITER_EV_ANSWER,
				   .id = o->id,
				   .outcome = result->outcome,
				   .retry_after_ms = result->retry_after_ms };
	struct writer_view view;

	o->call = NULL;
	if (result->outcome == API_OK && result->object == NULL) {
		ev.outcome = API_FAILED;
	} else if (result->outcome == API_OK &&
		   !follower_saw(ws->follower, result->object, now_ms)) {
		ev.outcome = API_CONFLICT;
	} else if (result->outcome == API_OK) {
		see_object(ws, now_ms);
		ws->hooks.news(ws->arg);
		view = view_of(o);
		note_sync(o, &view, now_ms);
		ev.view = &view;
	} else if (result->outcome != API_INVALID && result->outcome != API_CONFLICT) {
		log_debug("the ConfigMap cannot be asked for a record", LOG_S("key", o->key),
			  LOG_S("error", result->error));
	}
	step(o, &ev, now_ms);
}

/* Which other node failed with the record before this one took it over, and how. */
static void
note_failed(struct one *o)
{
	const struct wan_record *k = &o->found;
	char sentence[2 * MSG_REASON_MAX] = "";

	if (k->exists && !k->in_sync && k->error[0] != '\0' && strcmp(k->by, o->owner->node) != 0)
		snprintf(sentence, sizeof(sentence), "written instead of %s, which failed: %s",
			 k->by, k->error);
	mem_copy_text(o->instead, sizeof(o->instead), sentence);
}

/* What the key is to say. */
static void
fill(const struct one *o, const struct writer_actions *a, struct wan_record *out)
{
	const struct writers *ws = o->owner;

	*out = (struct wan_record){ .exists = true };
	ws->hooks.describe(ws->arg, o->place, out);
	out->claimed_at = o->found.exists ? o->found.claimed_at : 0;
	if (a->request == WRITER_REQUEST_CLAIM) {
		out->pending = true;
		out->in_sync = out->attention = false;
		out->value = a->value;
		out->claimed_at = clock_wall();
		out->error[0] = out->error_type[0] = '\0';
	}
	/* why it was not the leader's node: for people, on every page */
	if (out->in_sync && o->instead[0] != '\0' && !leads(ws))
		mem_copy_text(out->error, sizeof(out->error), o->instead);
	mem_copy_text(out->by, sizeof(out->by), ws->node);
}

static cJSON *
patch_of(const struct one *o, const struct writer_actions *a)
{
	struct api_fence tested = { .epoch = a->epoch, .sequence = a->sequence };
	bool claim = a->request == WRITER_REQUEST_CLAIM;
	struct wan_record record;
	struct wan_record_change change = { .key = o->key,
					    .test_old = true,
					    .old = a->old_stamp != 0 ? o->found.raw : NULL,
					    .record = &record };

	fill(o, a, &record);
	memcpy(tested.uid, a->uid, sizeof(tested.uid));
	return wan_records_patch(&tested,
				 claim ? LEADERSHIP_TEST_UID | LEADERSHIP_TEST_EPOCH |
						 LEADERSHIP_TEST_SEQUENCE
				       : LEADERSHIP_TEST_UID,
				 &change, 1);
}

static void
start(struct one *o, const struct writer_actions *a)
{
	struct writers *ws = o->owner;
	bool get = a->request == WRITER_REQUEST_GET;
	cJSON *body = NULL;

	o->request = a->request;
	o->id = a->id;
	/* the text that the writer saw is not what was read last: its test would fail */
	o->refused = !get && a->old_stamp != writer_stamp(o->found.raw);
	if (o->refused)
		return;
	if (a->request == WRITER_REQUEST_CLAIM)
		note_failed(o);
	if (!get)
		body = patch_of(o, a);
	o->call = kube_start(ws->kube,
			     &(struct kube_request){ .verb = get ? KUBE_GET : KUBE_PATCH,
						     .resource = KUBE_CONFIGMAPS,
						     .name = ws->cluster->configmap,
						     .body = body,
						     .timeout_ms = a->timeout_ms },
			     answered, o);
	cJSON_Delete(body);
	ws->requests++;
}

static void
carry_out(struct one *o, const struct writer_actions *a, int64_t now_ms)
{
	struct writers *ws = o->owner;

	(void)now_ms;
	if (a->request != WRITER_REQUEST_NONE)
		start(o, a);
	if (a->changed)
		ws->hooks.changed(ws->arg, o->place);
	if (a->permit != WRITER_UNDECIDED)
		ws->hooks.permit(ws->arg, o->place, a->permit == WRITER_GRANTED,
				 a->sentence != NULL ? a->sentence : "");
	if (a->run)
		ws->hooks.run(ws->arg, o->place);
}

/* --- the caller's side ---------------------------------------------------------------------- */

struct writers *
writers_new(const struct cluster_config *cluster, struct kube *kube, struct follower *follower,
	    const struct writers_hooks *hooks, void *arg)
{
	struct writers *ws = mem_new(1, sizeof(*ws));

	ws->cluster = cluster;
	ws->kube = kube;
	ws->follower = follower;
	ws->hooks = *hooks;
	ws->arg = arg;
	ws->node = cluster->node_name != NULL ? cluster->node_name : cluster->host;
	ws->blind = true;
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		confirmation_init(&ws->confirmations[f]);
	return ws;
}

static void
clear(struct writers *ws)
{
	for (size_t i = 0; i < ws->n; i++) {
		kube_cancel(ws->list[i].call);
		free(ws->list[i].found.raw);
	}
	free(ws->list);
}

void
writers_free(struct writers *ws)
{
	if (ws == NULL)
		return;
	clear(ws);
	free(ws);
}

void
writers_configure(struct writers *ws, const struct updater_config *config, int64_t now_ms)
{
	clear(ws);
	ws->settings = (struct writer_settings){ .interval_ms = config->interval_ms,
						 .fresh_ms = 2 * config->detector_interval_ms,
						 .backup_delay_ms = config->backup_delay_ms,
						 .backup_spread_ms = config->backup_spread_ms,
						 .observe = config->observe,
						 .dry_run = config->dry_run };
	ws->n = config->nrecords;
	ws->list = mem_new(ws->n + 1, sizeof(*ws->list));
	for (size_t i = 0; i < ws->n; i++) {
		struct one *o = &ws->list[i];

		o->owner = ws;
		o->place = i;
		o->family = config->records[i].family;
		o->checked_ms = WRITER_NEVER;
		o->out_since_ms = CLOCK_NEVER;
		writer_init(&o->machine, &ws->settings);
		wan_record_key(config->records[i].fqdn, o->family, o->key, sizeof(o->key));
	}
	if (follower_object(ws->follower) == NULL)
		return;
	see_object(ws, now_ms);
	if (!ws->blind)
		tell_view(ws, now_ms);
}

void
writers_prepare(const struct writers *ws, struct pollset *set)
{
	for (size_t i = 0; i < ws->n; i++) {
		pollset_wake_at(set, writer_next_deadline(&ws->list[i].machine));
		if (ws->list[i].refused)
			pollset_wake_at(set, 0);
	}
}

static void
answer_refused(struct one *o, int64_t now_ms)
{
	o->refused = false;
	step(o,
	     &(struct writer_event){ .type = WRITER_EV_ANSWER,
				     .id = o->id,
				     .outcome = API_INVALID,
				     .retry_after_ms = -1 },
	     now_ms);
}

void
writers_dispatch(struct writers *ws, int64_t now_ms)
{
	bool news = follower_take_object(ws->follower), current = follower_current(ws->follower);

	if (news && follower_object(ws->follower) != NULL) {
		see_object(ws, now_ms);
		ws->hooks.news(ws->arg);
	}
	if (!current && !ws->blind)
		tell_blind(ws, now_ms);
	else if (current && (news || ws->blind))
		tell_view(ws, now_ms);
	ws->blind = !current;
	for (size_t i = 0; i < ws->n; i++) {
		if (ws->list[i].refused)
			answer_refused(&ws->list[i], now_ms);
		if (writer_next_deadline(&ws->list[i].machine) <= now_ms)
			step(&ws->list[i], &(struct writer_event){ .type = WRITER_EV_TICK },
			     now_ms);
	}
}

void
writers_hear_lead(struct writers *ws, const struct msg_lead *lead, int64_t now_ms)
{
	bool before = leads(ws);

	ws->has_lead = lead != NULL;
	if (lead != NULL)
		ws->lead = *lead;
	if (leads(ws) != before && !ws->blind)
		tell_view(ws, now_ms);
}

void
writers_hear_wan(struct writers *ws, const struct msg_wan *wan, int64_t now_ms)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		const struct msg_wan_family *w = msg_wan_family_const(wan, f);

		if (w->confirmed_age_ms >= 0)
			confirmation_hear(&ws->confirmations[f], wan->uid, wan->epoch, &w->address,
					  now_ms - w->confirmed_age_ms);
	}
	ws->hooks.news(ws->arg);
	if (!ws->blind)
		tell_view(ws, now_ms);
}

void
writers_say(struct writers *ws, size_t record, const struct writer_plan *plan, int64_t now_ms)
{
	step(&ws->list[record], &(struct writer_event){ .type = WRITER_EV_PLAN, .plan = plan },
	     now_ms);
}

void
writers_check(struct writers *ws, int64_t now_ms)
{
	for (size_t i = 0; i < ws->n; i++)
		step(&ws->list[i], &(struct writer_event){ .type = WRITER_EV_CHECK }, now_ms);
}

bool
writers_active(const struct writers *ws, size_t record)
{
	return writer_active(&ws->list[record].machine);
}

const char *
writers_reason(const struct writers *ws, size_t record)
{
	return writer_reason(&ws->list[record].machine);
}

const struct wan_record *
writers_key(const struct writers *ws, size_t record)
{
	return &ws->list[record].found;
}

bool
writers_key_mine(const struct writers *ws, size_t record)
{
	const struct wan_record *found = &ws->list[record].found;

	return found->exists && strcmp(found->by, ws->node) == 0;
}

int64_t
writers_key_checked_ms(const struct writers *ws, size_t record)
{
	return ws->list[record].checked_ms;
}

int64_t
writers_confirmed_ms(const struct writers *ws, enum address_family family)
{
	return confirmation_ms(&ws->confirmations[family]);
}

bool
writers_overdue(const struct writers *ws, int64_t now_ms)
{
	for (size_t i = 0; i < ws->n; i++)
		if (ws->list[i].out_since_ms != CLOCK_NEVER &&
		    now_ms - ws->list[i].out_since_ms >= OVERDUE_MS)
			return true;
	return false;
}

uint64_t
writers_requests(const struct writers *ws)
{
	return ws->requests;
}
