/*
 * An API server with one Lease and one ConfigMap, as far as leadership needs it:
 * versions, uids, preconditions, the tests of a JSON Patch, two caches that lag.
 * It checks what may never be stored. For check_leadership_random.c only.
 */
#ifndef TESTS_LEADERSHIP_API_H
#define TESTS_LEADERSHIP_API_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/leadership.h"

#define HISTORY_MAX 20000

/* One state of the ConfigMap: what was stored under these numbers. */
struct stored {
	struct api_fence fence;
	uint64_t content;
};

static struct {
	bool lease_exists, cache_exists[2], wan_exists;
	struct api_lease lease, cache[2];
	struct api_fence wan;
	uint64_t content;
	unsigned versions, uids;
	size_t nhistory;
	struct stored history[HISTORY_MAX];
} api;

static inline void
api_reset(void)
{
	memset(&api, 0, sizeof(api));
}

static inline bool
chance(int in)
{
	return random() % in == 0;
}

static inline void
new_version(char version[API_VERSION_MAX])
{
	snprintf(version, API_VERSION_MAX, "v%u", ++api.versions);
}

static inline void
new_uid(char uid[MSG_UID_MAX])
{
	snprintf(uid, MSG_UID_MAX, "uid-%u", ++api.uids);
}

/* Caches come after the truth, each in its own time. */
static inline void
api_sync_caches(void)
{
	for (int i = 0; i < 2; i++) {
		if (chance(3))
			continue;
		api.cache[i] = api.lease;
		api.cache_exists[i] = api.lease_exists;
	}
}

/* What was stored under these numbers; NULL if nothing was. */
static inline const struct stored *
api_history(const struct api_fence *fence)
{
	for (size_t i = api.nhistory; i-- > 0;) {
		const struct stored *s = &api.history[i];

		if (s->fence.epoch == fence->epoch && s->fence.sequence == fence->sequence &&
		    strcmp(s->fence.uid, fence->uid) == 0)
			return s;
	}
	return NULL;
}

/*
 * What a write came to: for one uid the epoch never falls (I1, I3), an epoch has
 * one holder (I2), the numbers only grow (I5), and no content comes back that a
 * newer one had replaced.
 */
static inline void
api_store(const struct api_fence *fence, uint64_t content)
{
	struct stored new = { .fence = *fence, .content = content };

	new_version(new.fence.version);
	for (size_t i = api.nhistory; i-- > 0;) {
		const struct stored *old = &api.history[i];

		if (strcmp(old->fence.uid, fence->uid) != 0)
			continue;
		ck_assert_int_ge(fence->epoch, old->fence.epoch);
		ck_assert_uint_ge(content, old->content);
		if (fence->epoch == old->fence.epoch) {
			ck_assert_str_eq(fence->holder, old->fence.holder);
			ck_assert_int_gt(fence->sequence, old->fence.sequence);
		}
		break; /* what came before it is below it, too */
	}
	api.wan_exists = true;
	api.wan = new.fence;
	api.content = content;
	ck_assert_uint_lt(api.nhistory, HISTORY_MAX);
	api.history[api.nhistory++] = new;
}

/* --- requests -------------------------------------------------------------------- */

static inline void
store_lease(const struct api_lease *lease, struct leadership_event *reply)
{
	ck_assert_int_ge(lease->transitions, 0);
	ck_assert_int_le(lease->transitions, MSG_EPOCH_MAX);
	api.lease = *lease;
	api.lease_exists = true;
	if (lease->uid[0] == '\0')
		new_uid(api.lease.uid);
	new_version(api.lease.version);
	reply->lease = api.lease;
}

static inline enum api_outcome
serve_lease(const struct leadership_request *r, struct leadership_event *reply)
{
	int cache = (int)(random() % 2);

	switch (r->kind) {
	case LEADERSHIP_LEASE_GET:
		reply->lease = api.lease;
		return api.lease_exists ? API_OK : API_NOT_FOUND;
	case LEADERSHIP_LEASE_GET_CACHED:
		reply->lease = api.cache[cache];
		return api.cache_exists[cache] ? API_OK : API_NOT_FOUND;
	case LEADERSHIP_LEASE_CREATE:
		if (api.lease_exists)
			return API_EXISTS;
		break;
	default:
		if (!api.lease_exists)
			return API_NOT_FOUND;
		if (strcmp(r->lease.uid, api.lease.uid) != 0 ||
		    strcmp(r->lease.version, api.lease.version) != 0)
			return API_CONFLICT;
		break;
	}
	store_lease(&r->lease, reply);
	return API_OK;
}

/* The first difference counts; 0 if all tests pass. */
static inline bool
patch_fails(const struct leadership_request *r)
{
	const struct api_fence *t = &r->tested;

	return ((r->tests & LEADERSHIP_TEST_UID) && strcmp(t->uid, api.wan.uid) != 0) ||
	       ((r->tests & LEADERSHIP_TEST_EPOCH) && t->epoch != api.wan.epoch) ||
	       ((r->tests & LEADERSHIP_TEST_HOLDER) && strcmp(t->holder, api.wan.holder) != 0) ||
	       ((r->tests & LEADERSHIP_TEST_SEQUENCE) && t->sequence != api.wan.sequence);
}

/* A patch sets the sequence and the content; a PUT sets all, in the object of that version. */
static inline enum api_outcome
update_wan(const struct leadership_request *r)
{
	struct api_fence next = r->fence;

	if (!api.wan_exists)
		return API_NOT_FOUND;
	if (r->kind == LEADERSHIP_WAN_WRITE) {
		if (patch_fails(r) || api.wan.immutable)
			return API_INVALID;
		next = api.wan;
		next.sequence = r->fence.sequence;
		api_store(&next, r->content);
		return API_OK;
	}
	if (strcmp(r->fence.uid, api.wan.uid) != 0 ||
	    strcmp(r->fence.version, api.wan.version) != 0)
		return API_CONFLICT;
	if (api.wan.immutable)
		return API_INVALID;
	api_store(&next, api.content);
	return API_OK;
}

static inline enum api_outcome
serve_wan(const struct leadership_request *r, struct leadership_event *reply)
{
	struct api_fence made = r->fence;
	enum api_outcome outcome = API_OK;

	if (r->kind == LEADERSHIP_WAN_GET) {
		outcome = api.wan_exists ? API_OK : API_NOT_FOUND;
	} else if (r->kind == LEADERSHIP_WAN_CREATE) {
		if (api.wan_exists)
			return API_EXISTS;
		new_uid(made.uid);
		api_store(&made, r->content);
	} else if (r->kind == LEADERSHIP_WAN_DELETE) {
		if (!api.wan_exists)
			return API_NOT_FOUND;
		if (strcmp(r->tested.uid, api.wan.uid) != 0 ||
		    strcmp(r->tested.version, api.wan.version) != 0)
			return API_CONFLICT;
		api.wan_exists = false;
	} else {
		outcome = update_wan(r);
	}
	reply->fence = api.wan;
	return outcome;
}

/* Carry a request out, at one moment, and fill in its answer. */
static inline void
api_serve(const struct leadership_request *r, bool lease, struct leadership_event *reply)
{
	*reply = (struct leadership_event){ .type = lease ? LEADERSHIP_EV_LEASE_ANSWER
							  : LEADERSHIP_EV_WAN_ANSWER,
					    .id = r->id,
					    .retry_after_ms = -1 };
	reply->outcome = lease ? serve_lease(r, reply) : serve_wan(r, reply);
}

#endif
