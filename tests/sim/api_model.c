#include "tests/sim/api_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/leadership.h"
#include "common/mem.h"
#include "tests/sim/api_private.h"
#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"
#include "tests/sim/trace.h"

static const struct stored_lease no_lease;
static const struct stored_wan no_wan;

static const char *const operation_names[API_OPERATION__MAX] = {
	[API_GET_LEASE] = "GET lease",
	[API_GET_LEASE_CACHED] = "GET lease (cached)",
	[API_CREATE_LEASE] = "POST lease",
	[API_PUT_LEASE] = "PUT lease",
	[API_GET_WAN] = "GET configmap",
	[API_LIST_WAN] = "LIST configmap",
	[API_CREATE_WAN] = "POST configmap",
	[API_CLAIM_WAN] = "PUT configmap (claim)",
	[API_WRITE_WAN] = "PATCH configmap (write)",
	[API_PATCH_RECORDS] = "PATCH configmap (records)",
	[API_DELETE_WAN] = "DELETE configmap",
};

const char *
api_operation_name(enum api_operation operation)
{
	return operation_names[operation];
}

void
api_start(struct world *w)
{
	struct api *api = world_new(w, sizeof(*api));

	w->api = api;
	api->version = 100;
	api->lease = &no_lease;
	api->wan = &no_wan;
	api->calls.size = sizeof(struct api_call);
	api->news.size = sizeof(struct watch_news);
	api_servers_start(w);
}

struct api_health *
api_health(struct world *w)
{
	return &w->api->health;
}

const struct stored_lease *
api_lease(const struct world *w)
{
	return w->api->lease;
}

const struct stored_wan *
api_wan(const struct world *w)
{
	return w->api->wan;
}

uint64_t
api_requests(const struct world *w)
{
	return w->api->requests;
}

struct api_call *
api_call_new(struct world *w, uint32_t node, uint32_t life, enum api_operation operation)
{
	struct api_call *call = pool_get(w, &w->api->calls);

	call->x.node = node;
	call->x.life = life;
	call->x.way = WAY_API;
	call->x.pool = &w->api->calls;
	call->x.serve = api_serve;
	call->operation = operation;
	call->retry_after_ms = -1;
	return call;
}

/* --- objects --------------------------------------------------------------------------------- */

static int64_t
usable_epoch(int64_t epoch)
{
	return epoch >= 1 && epoch <= MSG_EPOCH_MAX ? epoch : 0;
}

void
stored_wan_fence(const struct stored_wan *s, struct api_fence *out)
{
	*out = (struct api_fence){ .epoch = usable_epoch(s->epoch),
				   .sequence = s->sequence > 0 ? s->sequence : 0,
				   .immutable = s->immutable };
	snprintf(out->uid, sizeof(out->uid), "cm-%u", s->uid);
	snprintf(out->version, sizeof(out->version), "%lld", (long long)s->version);
	memcpy(out->holder, s->holder, sizeof(out->holder));
}

static struct api_change *
add_change(struct world *w)
{
	struct api *api = w->api;
	struct api_change *c;

	if (api->nchanges == api->changes_max) {
		size_t max = api->changes_max ? 2 * api->changes_max : 256;
		struct api_change *more = world_new(w, max * sizeof(*more));

		if (api->nchanges > 0)
			memcpy(more, api->changes, api->nchanges * sizeof(*more));
		api->changes = more;
		api->changes_max = max;
	}
	c = &api->changes[api->nchanges++];
	c->version = ++api->version;
	return c;
}

static const struct stored_lease *
store_lease(struct world *w, const struct stored_lease *lease, uint32_t by)
{
	struct stored_lease *copy = world_new(w, sizeof(*copy));
	const struct stored_lease *before = w->api->lease;
	struct api_change *c = add_change(w);

	*copy = *lease;
	if (copy->exists && !before->exists)
		snprintf(copy->lease.uid, sizeof(copy->lease.uid), "lease-%u", ++w->api->uids);
	snprintf(copy->lease.version, sizeof(copy->lease.version), "%lld", (long long)c->version);
	c->lease = w->api->lease = copy;
	checks_lease_stored(w, before, copy, by);
	api_servers_tell(w);
	return copy;
}

/* The text of a record's key: no two changes give the same one. */
static void
spell_records(struct world *w, struct stored_wan *wan)
{
	for (int i = 0; i < SIM_RECORDS; i++) {
		struct wan_record *r = &wan->records[i];

		if (!r->exists || r->raw)
			continue;
		r->raw = world_new(w, 24);
		snprintf(r->raw, 24, "r%lld.%d", (long long)wan->version, i);
	}
}

static const struct stored_wan *
store_wan(struct world *w, const struct stored_wan *wan, uint32_t by)
{
	struct stored_wan *copy = world_new(w, sizeof(*copy));
	const struct stored_wan *before = w->api->wan;
	struct api_change *c = add_change(w);

	*copy = *wan;
	if (copy->exists && !before->exists)
		copy->uid = ++w->api->uids;
	copy->version = c->version;
	spell_records(w, copy);
	c->wan = w->api->wan = copy;
	checks_wan_stored(w, before, copy, by);
	api_servers_tell(w);
	return copy;
}

void
api_edit_lease(struct world *w, const struct stored_lease *lease)
{
	store_lease(w, lease, API_HAND);
}

void
api_edit_wan(struct world *w, const struct stored_wan *wan)
{
	store_wan(w, wan, API_HAND);
}

/* --- requests on the Lease ------------------------------------------------------------------- */

static enum api_outcome
create_lease(struct world *w, struct api_call *call)
{
	struct stored_lease s = { .exists = true, .lease = call->lease };

	if (w->api->lease->exists)
		return API_EXISTS;
	call->found_lease = store_lease(w, &s, call->x.node);
	return API_OK;
}

static enum api_outcome
put_lease(struct world *w, struct api_call *call)
{
	const struct stored_lease *now = w->api->lease;
	struct stored_lease s = { .exists = true, .lease = call->lease };

	if (!call->lease.version[0] || call->lease.duration_ms <= 0 || call->lease.transitions < 0)
		return API_INVALID;
	if (!now->exists)
		return chance_is(w, 500) ? API_CONFLICT : API_NOT_FOUND;
	if (strcmp(now->lease.uid, call->lease.uid) != 0 ||
	    strcmp(now->lease.version, call->lease.version) != 0)
		return API_CONFLICT;
	call->found_lease = store_lease(w, &s, call->x.node);
	return API_OK;
}

/* --- requests on the ConfigMap --------------------------------------------------------------- */

static bool
is_this_wan(const struct stored_wan *s, const struct api_fence *f, bool version)
{
	struct api_fence now;

	stored_wan_fence(s, &now);
	return strcmp(now.uid, f->uid) == 0 && (!version || strcmp(now.version, f->version) == 0);
}

static void
set_fence(struct stored_wan *s, const struct api_fence *f)
{
	s->epoch = f->epoch;
	s->sequence = f->sequence;
	memcpy(s->holder, f->holder, sizeof(s->holder));
}

static enum api_outcome
create_wan(struct world *w, struct api_call *call)
{
	struct stored_wan s = { .exists = true, .news = { .publisher = -1 } };

	if (w->api->wan->exists)
		return API_EXISTS;
	set_fence(&s, &call->fence);
	if (call->has_news)
		s.news = call->news;
	call->found_wan = store_wan(w, &s, call->x.node);
	return API_OK;
}

static enum api_outcome
claim_wan(struct world *w, struct api_call *call)
{
	struct stored_wan s = *w->api->wan;

	if (!s.exists)
		return API_NOT_FOUND;
	if (!is_this_wan(&s, &call->fence, true))
		return API_CONFLICT;
	if (s.immutable)
		return API_INVALID;
	set_fence(&s, &call->fence);
	if (call->has_news)
		s.news = call->news;
	call->found_wan = store_wan(w, &s, call->x.node);
	return API_OK;
}

/* Judged at the commit, on the texts as they stand, garbage included. */
static bool
tests_pass(const struct stored_wan *s, const struct api_call *call)
{
	const struct api_fence *t = &call->tested;

	if ((call->tests & LEADERSHIP_TEST_UID) && !is_this_wan(s, t, false))
		return false;
	/* a key that is absent (0) has no value that a test could name */
	if ((call->tests & LEADERSHIP_TEST_EPOCH) && (s->epoch != t->epoch || s->epoch == 0))
		return false;
	if ((call->tests & LEADERSHIP_TEST_HOLDER) && strcmp(s->holder, t->holder) != 0)
		return false;
	return !(call->tests & LEADERSHIP_TEST_SEQUENCE) ||
	       (s->sequence == t->sequence && s->sequence != 0);
}

static enum api_outcome
write_wan(struct world *w, struct api_call *call)
{
	struct stored_wan s = *w->api->wan;

	if (!s.exists)
		return API_NOT_FOUND;
	if (s.immutable || !tests_pass(&s, call))
		return API_INVALID;
	set_fence(&s, &call->fence);
	if (call->has_news)
		s.news = call->news;
	call->found_wan = store_wan(w, &s, call->x.node);
	return API_OK;
}

static bool
old_text_is(const struct wan_record *r, const char *old)
{
	if (!r->raw || !old)
		return !r->raw && !old;
	return strcmp(r->raw, old) == 0;
}

static enum api_outcome
patch_records(struct world *w, struct api_call *call)
{
	struct stored_wan s = *w->api->wan;

	if (!s.exists)
		return API_NOT_FOUND;
	if (s.immutable || !tests_pass(&s, call))
		return API_INVALID;
	for (int i = 0; i < SIM_RECORDS; i++) {
		const struct record_change *c = &call->changes[i];

		if (c->test_old && !old_text_is(&s.records[i], c->old))
			return API_INVALID;
		if (c->set) {
			s.records[i] = c->record;
			s.records[i].exists = true;
			s.records[i].raw = NULL;
		}
	}
	call->found_wan = store_wan(w, &s, call->x.node);
	return API_OK;
}

static enum api_outcome
delete_wan(struct world *w, struct api_call *call)
{
	if (!w->api->wan->exists)
		return API_NOT_FOUND;
	if (!is_this_wan(w->api->wan, &call->fence, true))
		return API_CONFLICT;
	store_wan(w, &no_wan, call->x.node);
	return API_OK;
}

/* --- serving --------------------------------------------------------------------------------- */

static void
serve_late_list(struct world *w, void *arg, uint64_t number)
{
	struct api_call *call = arg;
	const struct api_server *server = &w->api->servers[call->server];

	(void)number;
	if (server->version < atoll(call->version)) {
		call->outcome = API_GONE; /* 504 "Too large resource version" */
	} else {
		call->outcome = API_OK;
		call->found_wan = server->wan;
		call->found_version = server->version;
	}
	exchange_reply(w, &call->x, 0);
}

/* True if the answer comes later. */
static bool
list_wan(struct world *w, struct api_call *call)
{
	const struct api_server *server = &w->api->servers[call->server];

	call->outcome = API_OK;
	if (!call->version[0]) {
		call->found_wan = w->api->wan;
		call->found_version = w->api->version;
	} else if (server->version < atoll(call->version)) {
		world_at(w, w->now_us + 3 * SECOND, serve_late_list, call, 0);
		return true;
	} else {
		call->found_wan = server->wan;
		call->found_version = server->version;
	}
	return false;
}

static enum api_outcome
perform(struct world *w, struct api_call *call)
{
	switch (call->operation) {
	case API_GET_LEASE:
		call->found_lease = w->api->lease;
		return call->found_lease->exists ? API_OK : API_NOT_FOUND;
	case API_GET_LEASE_CACHED:
		call->found_lease = w->api->servers[call->server].lease;
		return call->found_lease->exists ? API_OK : API_NOT_FOUND;
	case API_CREATE_LEASE:
		return create_lease(w, call);
	case API_PUT_LEASE:
		return put_lease(w, call);
	case API_GET_WAN:
		call->found_wan = w->api->wan;
		return call->found_wan->exists ? API_OK : API_NOT_FOUND;
	case API_CREATE_WAN:
		return create_wan(w, call);
	case API_CLAIM_WAN:
		return claim_wan(w, call);
	case API_WRITE_WAN:
		return write_wan(w, call);
	case API_PATCH_RECORDS:
		return patch_records(w, call);
	case API_DELETE_WAN:
		return delete_wan(w, call);
	case API_LIST_WAN:
	case API_OPERATION__MAX:
		break;
	}
	return API_FAILED;
}

/* Refused before anything is done? */
static bool
refuse(struct world *w, struct api_call *call)
{
	const struct api_health *h = &w->api->health;

	if (h->down[call->server])
		call->outcome = API_LOST;
	else if (chance_is(w, h->throttles))
		call->outcome = API_THROTTLED;
	else if (chance_is(w, h->denies))
		call->outcome = API_DENIED;
	else if (chance_is(w, h->fails))
		call->outcome = API_FAILED;
	else
		return false;
	if (call->outcome == API_THROTTLED && chance_is(w, 700))
		call->retry_after_ms = chance_range(w, 1, 3) * 1000;
	return true;
}

static void
tell(struct world *w, const struct api_call *call)
{
	if (w->trace && call->operation != API_GET_LEASE_CACHED)
		trace_add(w, "api %u: %s of node %u: %s%s%s", call->server,
			  operation_names[call->operation], call->x.node,
			  api_outcome_name(call->outcome),
			  call->x.client_done ? ", which its sender has given up" : "",
			  call->operation == API_WRITE_WAN || call->operation == API_CLAIM_WAN
				  ? " (fenced)"
				  : "");
}

void
api_serve(struct world *w, struct exchange *x)
{
	struct api_call *call = (struct api_call *)x;

	w->api->requests++;
	if (w->api->health.silent[call->server]) {
		exchange_forget(x);
		return;
	}
	if (!refuse(w, call)) {
		if (call->operation == API_LIST_WAN) {
			if (list_wan(w, call))
				return;
		} else {
			call->outcome = perform(w, call);
			if (call->outcome == API_OK &&
			    chance_is(w, w->api->health.fails_after_commit))
				call->outcome = API_FAILED;
		}
	}
	tell(w, call);
	faults_served(w, call);
	exchange_reply(w, x, chance_range(w, 100, 2000));
}
