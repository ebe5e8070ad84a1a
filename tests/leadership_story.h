/* One machine, one clock and the words to tell an election's story in: for check_leadership*.c. */
#ifndef TESTS_LEADERSHIP_STORY_H
#define TESTS_LEADERSHIP_STORY_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/leadership.h"
#include "common/clock.h"

#define DURATION 15000
#define DEADLINE 10000
#define RETRY 2000
#define ME "node-a_1111"
#define OTHER "node-b_2222"
#define WALL INT64_C(1795604642123) /* 2026-11-25T11:04:02.123Z */
#define NONE LEADERSHIP_NONE

static const struct leadership_config settings = {
	.identity = ME,
	.duration_ms = DURATION,
	.renew_deadline_ms = DEADLINE,
	.retry_period_ms = RETRY,
};

static struct leadership *machine;
static struct leadership_actions did; /* by the last step */
static uint64_t lease_id, wan_id;     /* of the requests sent last */
static int64_t now;
static uint32_t dice; /* what every event brings as its random number */

/* --- events ------------------------------------------------------------------- */

static inline void
step(struct leadership_event ev)
{
	ev.random = dice;
	ev.wall_ms = WALL + now;
	leadership_step(machine, &ev, now, &did);
	if (did.lease.kind != NONE)
		lease_id = did.lease.id;
	if (did.wan.kind != NONE)
		wan_id = did.wan.id;
}

static inline void
tick(void)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_TICK });
}

/* Go to the machine's own deadline, which must be within the two, and tick there. */
static inline void
tick_in(int64_t least_ms, int64_t most_ms)
{
	int64_t at = leadership_next_deadline(machine);

	ck_assert_int_ge(at - now, least_ms);
	ck_assert_int_le(at - now, most_ms);
	now = at;
	tick();
}

static inline void
happens(enum leadership_event_type type)
{
	step((struct leadership_event){ .type = type });
}

static inline void
followers(unsigned n)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_FOLLOWERS, .followers = n });
}

static inline void
released_by_peer(int64_t term)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_RELEASED, .term = term });
}

static inline void
content(uint64_t number)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_CONTENT, .content = number });
}

static inline void
lease_ends(enum api_outcome outcome, int64_t retry_after_ms)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_LEASE_ANSWER,
					.id = lease_id,
					.outcome = outcome,
					.retry_after_ms = retry_after_ms });
}

static inline void
lease_is(struct api_lease lease)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_LEASE_ANSWER,
					.id = lease_id,
					.retry_after_ms = -1,
					.lease = lease });
}

static inline void
wan_ends(enum api_outcome outcome, int64_t retry_after_ms)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_WAN_ANSWER,
					.id = wan_id,
					.outcome = outcome,
					.retry_after_ms = retry_after_ms });
}

static inline void
wan_is(struct api_fence fence)
{
	step((struct leadership_event){ .type = LEADERSHIP_EV_WAN_ANSWER,
					.id = wan_id,
					.retry_after_ms = -1,
					.fence = fence });
}

/* --- objects ------------------------------------------------------------------ */

static unsigned versions; /* each object that a test makes has a new one */

static inline struct api_lease
record(const char *holder, int64_t transitions, const char *renewed)
{
	struct api_lease r = { .uid = "lease-1",
			       .duration_ms = DURATION,
			       .transitions = transitions,
			       .acquire_time = "2026-11-25T11:00:00.000000Z" };

	snprintf(r.version, sizeof(r.version), "v%u", ++versions);
	snprintf(r.holder, sizeof(r.holder), "%s", holder);
	snprintf(r.renew_time, sizeof(r.renew_time), "%s", renewed);
	return r;
}

static inline struct api_fence
fence(const char *holder, int64_t epoch, int64_t sequence)
{
	struct api_fence f = { .uid = "wan-1", .epoch = epoch, .sequence = sequence };

	snprintf(f.version, sizeof(f.version), "v%u", ++versions);
	snprintf(f.holder, sizeof(f.holder), "%s", holder);
	return f;
}

/* As the API server would store what was just sent. */
static inline struct api_lease
as_sent(const struct leadership_request *r)
{
	struct api_lease stored = r->lease;

	if (stored.uid[0] == '\0')
		strcpy(stored.uid, "lease-new");
	snprintf(stored.version, sizeof(stored.version), "v%u", ++versions);
	return stored;
}

static inline struct api_fence
fence_as_sent(const struct leadership_request *r)
{
	struct api_fence stored = r->fence;

	if (stored.uid[0] == '\0')
		strcpy(stored.uid, "wan-new");
	snprintf(stored.version, sizeof(stored.version), "v%u", ++versions);
	return stored;
}

/* --- what it must do ----------------------------------------------------------- */

static inline void
asks(enum leadership_request_kind lease, enum leadership_request_kind wan)
{
	ck_assert_int_eq(did.lease.kind, lease);
	ck_assert_int_eq(did.wan.kind, wan);
}

static inline void
is_role(enum leadership_role role)
{
	ck_assert_int_eq(leadership_role(machine), role);
}

static inline void
says(const char *part)
{
	ck_assert_msg(strstr(leadership_reason(machine), part) != NULL,
		      "it says \"%s\", not \"%s\"", leadership_reason(machine), part);
}

static inline void
free_machine(void)
{
	leadership_free(machine);
	machine = NULL;
}

/* Tick at each deadline until something is sent; the time it took. */
static inline int64_t
until_sent(void)
{
	int64_t since = now;

	do {
		ck_assert_int_lt(leadership_next_deadline(machine), since + 100000);
		now = leadership_next_deadline(machine);
		tick();
	} while (did.lease.kind == NONE && did.wan.kind == NONE);
	return now - since;
}

/* Answer renewals as they come until the ConfigMap's lane sends something; the time it took. */
static inline int64_t
until_wan(void)
{
	int64_t since = now;

	do {
		ck_assert_int_lt(leadership_next_deadline(machine), since + 100000);
		now = leadership_next_deadline(machine);
		tick();
		ck_assert(!did.ended);
		if (did.lease.kind != NONE) {
			struct leadership_request wan = did.wan;

			lease_is(as_sent(&did.lease));
			if (wan.kind != NONE)
				did.wan = wan;
		}
	} while (did.wan.kind == NONE);
	return now - since;
}

/* --- beginnings ----------------------------------------------------------------- */

static inline void
start(void)
{
	leadership_free(machine);
	now = 1000000;
	dice = 0;
	machine = leadership_new(&settings, now, 0);
	ck_assert_ptr_nonnull(machine);
	tick_in(0, 200);
	asks(LEADERSHIP_LEASE_GET, NONE);
}

/* A standby of OTHER, term 4, that reads from the cache: the record moved once. */
static inline void
reach_standby(void)
{
	start();
	lease_is(record(OTHER, 4, "renewed-1"));
	tick_in(RETRY, RETRY * 12 / 10);
	asks(LEADERSHIP_LEASE_GET, NONE);
	lease_is(record(OTHER, 4, "renewed-2"));
	asks(NONE, NONE);
}

/* The write that acquires is under way: the Lease was released by term 4, the epoch is 4. */
static inline void
reach_acquiring(void)
{
	start();
	lease_is(record("", 4, "renewed-1"));
	asks(NONE, LEADERSHIP_WAN_GET);
	wan_is(fence(OTHER, 4, 7));
	asks(LEADERSHIP_LEASE_PUT, NONE);
}

/* The Lease is held for term 5, and the claim is under way. */
static inline void
reach_claiming(void)
{
	reach_acquiring();
	lease_is(as_sent(&did.lease));
	asks(NONE, LEADERSHIP_WAN_CLAIM);
	is_role(LEADERSHIP_CLAIMING);
}

/* It leads in term 5 with sequence 8; the Lease was renewed at now. */
static inline void
reach_leading(void)
{
	reach_claiming();
	wan_is(fence_as_sent(&did.wan));
	asks(NONE, NONE);
	ck_assert(did.began);
	is_role(LEADERSHIP_LEADING);
}

#endif
