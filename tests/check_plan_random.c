#include "tests/plan_story.h"

/* What the property test knows by itself. */
struct model {
	enum plan_request under_way;
	bool writing_may_follow; /* a read has just ended */
	struct address wanted;
	int64_t confirmed_ms;
	int64_t not_before_ms;
	bool matching; /* a read that ended found what is wanted, and nothing happened since */
};

static const char *const addresses[] = { A, B, "192.0.2.1" };

static void
random_news(struct model *m, struct plan_event *ev)
{
	ev->confirmed_ms = random() % 4 ? now - random() % (2 * FRESH) : PLAN_NEVER;
	if (random() % 8 == 0) {
		m->confirmed_ms = PLAN_NEVER;
		return;
	}
	ev->address = address(addresses[random() % 3]);
	if (!address_equal(&ev->address, &m->wanted)) {
		m->wanted = ev->address;
		m->confirmed_ms = ev->confirmed_ms;
		m->matching = false;
	} else if (ev->confirmed_ms > m->confirmed_ms)
		m->confirmed_ms = ev->confirmed_ms;
}

static void
random_result(struct provider_result *r)
{
	static const int64_t after[] = { -1, -1, -1, 0, 7000, 900000 };

	*r = record(random() % 4 ? addresses[random() % 3] : NULL, random() % 4 ? 300 : 600);
	r->outcome = random() % 3 ? PROVIDER_DONE : (enum provider_outcome)(1 + random() % 2);
	r->retry_after_ms = -1;
	if (r->outcome != PROVIDER_DONE) {
		r->retry_after_ms = after[random() % 6];
		r->may_land = random() % 2;
		strcpy(r->error, "a sentence");
	}
}

/* The model's view of an answer; false if it is one to no request. */
static void
model_answer(struct model *m, enum plan_event_kind kind, const struct provider_result *r)
{
	struct address value;

	m->under_way = PLAN_REQUEST_NONE;
	if (r->retry_after_ms >= 0)
		m->not_before_ms = now + r->retry_after_ms;
	m->writing_may_follow = kind == PLAN_EV_READ && r->outcome == PROVIDER_DONE;
	if (m->writing_may_follow)
		m->matching = r->record.exists && r->record.ttl == 300 &&
			      address_parse_text(r->record.values[0], &value) &&
			      address_equal(&value, &m->wanted);
}

static void
model_request(struct model *m, enum plan_request request)
{
	if (request == PLAN_REQUEST_NONE)
		return;
	ck_assert_int_eq(m->under_way, PLAN_REQUEST_NONE);
	ck_assert_int_ge(now, m->not_before_ms);
	m->under_way = request;
	if (request != PLAN_REQUEST_WRITE)
		return;
	ck_assert(m->writing_may_follow);
	ck_assert(!m->matching);
	ck_assert(m->confirmed_ms != PLAN_NEVER && now - m->confirmed_ms <= FRESH);
	ck_assert(address_equal(plan_value(&plan), &m->wanted));
}

static void
random_event(struct model *m)
{
	struct plan_event ev = { .kind = (enum plan_event_kind)(random() % PLAN_EV__MAX),
				 .jitter = (uint32_t)random() };
	struct plan_actions actions;
	struct provider_result result;

	random_result(&result);
	ev.result = &result;
	m->writing_may_follow = false;
	if (ev.kind == PLAN_EV_NEWS)
		random_news(m, &ev);
	else if (ev.kind == PLAN_EV_READ && m->under_way == PLAN_REQUEST_READ)
		model_answer(m, ev.kind, &result);
	else if (ev.kind == PLAN_EV_WRITTEN && m->under_way == PLAN_REQUEST_WRITE)
		model_answer(m, ev.kind, &result);
	actions = plan_step(&plan, &ev, now);
	model_request(m, actions.request);
}

START_TEST(holds_its_invariants_over_random_events)
{
	struct model m = { .confirmed_ms = PLAN_NEVER };
	unsigned writes_seen = 0, syncs_seen = 0;

	srandom((unsigned)_i);
	start();
	for (int n = 0; n < 3000; n++) {
		int64_t deadline = plan_next_deadline(&plan);

		/* most steps go to the deadline, so that long runs happen */
		if (deadline != CLOCK_NEVER && deadline > now && random() % 3)
			now = deadline;
		else
			now += random() % 20000;
		random_event(&m);
		writes_seen += m.under_way == PLAN_REQUEST_WRITE;
		if (plan_state(&plan) == MSG_RECORD_IN_SYNC) {
			ck_assert(m.matching);
			syncs_seen++;
		}
		deadline = plan_next_deadline(&plan);
		if (m.under_way == PLAN_REQUEST_NONE)
			ck_assert_int_le(deadline - now, 3600 * 1000);
		else
			ck_assert_int_eq(deadline, CLOCK_NEVER);
	}
	ck_assert_uint_gt(writes_seen, 0);
	ck_assert_uint_gt(syncs_seen, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("plan_random");
	TCase *tc = tcase_create("plan_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, holds_its_invariants_over_random_events, 0, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
