/* One plan, one clock and the words to tell a plan's story in: for check_plan*.c only. */
#ifndef TESTS_PLAN_STORY_H
#define TESTS_PLAN_STORY_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "updater/plan.h"

#define INTERVAL 300000
#define FRESH 600000
#define A "203.0.113.7"
#define B "198.51.100.9"
#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct plan_settings settings = {
	.family = ADDRESS_IPV4,
	.ttl = 300,
	.interval_ms = INTERVAL,
	.fresh_ms = FRESH,
	.can_read = true,
};

static struct plan plan;
static int64_t now;

static inline void
start_with(const struct plan_settings *s)
{
	now = 1000000;
	plan_init(&plan, s, now);
}

static inline void
start(void)
{
	start_with(&settings);
}

static inline struct address
address(const char *text)
{
	struct address a = { 0 };

	if (text)
		ck_assert(address_parse_text(text, &a));
	return a;
}

/* --- events ------------------------------------------------------------------- */

static inline struct plan_actions
news_confirmed(const char *text, int64_t confirmed_ms)
{
	return plan_step(&plan,
			 &(struct plan_event){ .kind = PLAN_EV_NEWS,
					       .address = address(text),
					       .confirmed_ms = confirmed_ms },
			 now);
}

static inline struct plan_actions
news(const char *text)
{
	return news_confirmed(text, now);
}

static inline struct plan_actions
tick(void)
{
	return plan_step(&plan, &(struct plan_event){ .kind = PLAN_EV_TICK }, now);
}

static inline struct plan_actions
check_now(void)
{
	return plan_step(&plan, &(struct plan_event){ .kind = PLAN_EV_CHECK }, now);
}

static inline struct provider_result
record(const char *value, int64_t ttl)
{
	struct provider_result r = { .retry_after_ms = -1 };

	if (!value)
		return r;
	r.record = (struct provider_record){ .exists = true, .total = 1, .nvalues = 1, .ttl = ttl };
	strcpy(r.record.values[0], value);
	return r;
}

static inline struct plan_actions
end(enum plan_event_kind kind, const struct provider_result *result)
{
	return plan_step(&plan, &(struct plan_event){ .kind = kind, .result = result }, now);
}

static inline struct plan_actions
read_as(const char *value, int64_t ttl)
{
	struct provider_result r = record(value, ttl);

	return end(PLAN_EV_READ, &r);
}

static inline struct plan_actions
written(void)
{
	return end(PLAN_EV_WRITTEN, &(struct provider_result){ .retry_after_ms = -1 });
}

static inline struct plan_actions
fails(enum plan_event_kind kind, enum provider_outcome outcome, int64_t retry_after_ms,
      bool may_land)
{
	return end(kind, &(struct provider_result){ .outcome = outcome,
						    .error_type = "some-type",
						    .error = "a sentence",
						    .retry_after_ms = retry_after_ms,
						    .may_land = may_land });
}

/* The next tick, at the plan's own deadline, which must be the one expected, starts a read. */
static inline void
read_is_due_in(int64_t ms)
{
	ck_assert_int_eq(plan_next_deadline(&plan) - now, ms);
	if (ms > 0) {
		now += ms - 1;
		ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
		now++;
	}
	ck_assert_int_eq(tick().request, PLAN_REQUEST_READ);
	ck_assert_int_eq(plan_next_deadline(&plan), CLOCK_NEVER);
}

static inline void
writes(struct plan_actions actions, const char *value)
{
	struct address wanted = address(value);

	ck_assert_int_eq(actions.request, PLAN_REQUEST_WRITE);
	ck_assert(address_equal(plan_value(&plan), &wanted));
}

/* From a fresh start to a record that is read as right. */
static inline void
reach_sync(void)
{
	start();
	news(A);
	read_is_due_in(0);
	read_as(A, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}

/* From a record in sync to a write of A under way. */
static inline void
reach_write(void)
{
	start();
	news(A);
	read_is_due_in(0);
	writes(read_as(B, 300), A);
}

#endif
