/*
 * Several machines and one API server over random events: requests that are late
 * or lost, answers that are, writes that land after their time-out, pauses,
 * crashes, stops, deletions. What is stored is checked by leadership_api.h; what
 * the machines do is checked here. The loop's number is the seed.
 */
#include "tests/leadership_api.h"

#include "common/clock.h"

#define NODES 3
#define DURATION 15000
#define DEADLINE 10000
#define RETRY 2000
#define TROUBLE_MS 400000 /* this long there are faults */
#define HEALED_MS 150000  /* and within this, all is well again */
#define MESSAGES_MAX 512

struct node {
	struct leadership *machine;
	uint64_t lease_id, wan_id; /* under way; 0: nothing */
	int64_t paused_until, cut_until;
	bool told_active, stopped;
	unsigned requests, incarnation;
	uint64_t committed;
};

/* A request on its way: to the server, or back, or given up while it still travels. */
struct message {
	bool used, lease, served;
	int node;
	struct leadership_request request;
	struct leadership_event reply;
	int64_t arrives, replies, times_out; /* CLOCK_NEVER: it is lost */
};

static struct node nodes[NODES];
static struct message messages[MESSAGES_MAX];
static int64_t now, healed_at;
static bool lease_is_touched; /* by hand: then two may lead for a moment */
static uint64_t contents;
static unsigned began_count, committed_count;

static void step(int i, struct leadership_event *ev);

static bool
trouble(void)
{
	return now < healed_at;
}

/* --- the network -------------------------------------------------------------------- */

static int64_t
travel(int node)
{
	if (now < nodes[node].cut_until)
		return CLOCK_NEVER;
	if (!trouble())
		return now + 1 + random() % 20;
	if (chance(25))
		return CLOCK_NEVER;
	return now + 1 + (chance(12) ? random() % 14000 : random() % 60);
}

static void
send(int i, bool lease, const struct leadership_request *r)
{
	struct message *m = messages;
	uint64_t *under_way = lease ? &nodes[i].lease_id : &nodes[i].wan_id;

	ck_assert_int_gt(r->timeout_ms, 0);
	ck_assert_int_le(r->timeout_ms, DEADLINE / 2);
	*under_way = r->id;
	nodes[i].requests++;
	while (m->used)
		ck_assert(++m < messages + MESSAGES_MAX);
	*m = (struct message){ .used = true,
			       .lease = lease,
			       .node = i,
			       .request = *r,
			       .arrives = travel(i),
			       .replies = CLOCK_NEVER,
			       .times_out = now + r->timeout_ms };
}

/* Is the node still waiting for this answer? */
static bool
awaited(const struct message *m)
{
	return (m->lease ? nodes[m->node].lease_id : nodes[m->node].wan_id) == m->request.id;
}

static void
serve(struct message *m)
{
	static const enum api_outcome refusals[] = { API_FAILED, API_THROTTLED, API_DENIED };

	m->served = true;
	m->arrives = CLOCK_NEVER;
	m->replies = travel(m->node);
	if (trouble() && chance(25)) { /* refused without a look */
		m->reply = (struct leadership_event){ .type = m->lease ? LEADERSHIP_EV_LEASE_ANSWER
								       : LEADERSHIP_EV_WAN_ANSWER,
						      .id = m->request.id,
						      .outcome = refusals[random() % 3],
						      .retry_after_ms = random() % 9000 - 1 };
		return;
	}
	api_serve(&m->request, m->lease, &m->reply);
	if (trouble() && chance(40))
		m->reply.outcome = API_FAILED; /* done, and nobody says so */
}

static void
deliver(struct message *m, enum api_outcome outcome)
{
	struct leadership_event ev = m->reply;

	if (outcome == API_LOST)
		ev = (struct leadership_event){ .type = m->lease ? LEADERSHIP_EV_LEASE_ANSWER
								 : LEADERSHIP_EV_WAN_ANSWER,
						.id = m->request.id,
						.outcome = API_LOST,
						.retry_after_ms = -1 };
	if (m->lease)
		nodes[m->node].lease_id = 0;
	else
		nodes[m->node].wan_id = 0;
	step(m->node, &ev);
}

static void
run_message(struct message *m)
{
	bool wait = now < nodes[m->node].paused_until;

	if (now >= m->arrives)
		serve(m);
	if (!wait && awaited(m) && now >= m->replies)
		deliver(m, API_OK);
	else if (!wait && awaited(m) && now >= m->times_out)
		deliver(m, API_LOST);
	/* it may still land; then nothing is left of it */
	if (!awaited(m) && (m->served || m->arrives == CLOCK_NEVER))
		m->used = false;
}

/* --- the nodes ---------------------------------------------------------------------- */

static bool
is_write(enum leadership_request_kind kind)
{
	return kind >= LEADERSHIP_WAN_CREATE && kind < LEADERSHIP_REQUEST__MAX;
}

/* I6, and that what is said to be stored is. */
static void
check_actions(int i, const struct leadership_actions *a)
{
	struct node *n = &nodes[i];
	enum leadership_role role = leadership_role(n->machine);
	bool active = leadership_active(n->machine, now);

	ck_assert(!(a->began && a->ended));
	ck_assert_int_eq(n->told_active ? !a->ended : a->began, active);
	n->told_active = active;
	began_count += a->began;
	if (is_write(a->wan.kind)) {
		ck_assert(role == LEADERSHIP_CLAIMING || active);
		ck_assert_int_eq(a->wan.fence.epoch == 0 || a->wan.kind == LEADERSHIP_WAN_DELETE
					 ? leadership_term(n->machine)
					 : a->wan.fence.epoch,
				 leadership_term(n->machine));
	}
	if (a->wan.kind == LEADERSHIP_WAN_WRITE)
		ck_assert(active);
	if (a->committed > 0) {
		const struct stored *s = api_history(&a->fence);

		ck_assert_ptr_nonnull(s);
		ck_assert_uint_eq(s->content, a->committed);
		ck_assert_uint_ge(a->committed, n->committed);
		n->committed = a->committed;
		committed_count++;
	}
}

/* A clock is always armed, ahead of now, and not far. */
static void
check_deadline(const struct node *n)
{
	int64_t at = leadership_next_deadline(n->machine);

	if (leadership_role(n->machine) == LEADERSHIP_OFF) {
		ck_assert_int_eq(at, CLOCK_NEVER);
		return;
	}
	ck_assert_int_gt(at, now);
	ck_assert_int_le(at - now, 36000);
	ck_assert(leadership_role(n->machine) != LEADERSHIP_LEADING ||
		  at <= leadership_until(n->machine));
}

static void
announce_release(int from, int64_t term)
{
	for (int i = 0; i < NODES; i++) {
		struct leadership_event ev = { .type = LEADERSHIP_EV_RELEASED, .term = term };

		if (i != from && !nodes[i].stopped && now >= nodes[i].paused_until && !chance(4))
			step(i, &ev);
	}
}

static void
step(int i, struct leadership_event *ev)
{
	struct leadership_actions a;
	struct node *n = &nodes[i];

	ev->random = (uint32_t)random();
	ev->wall_ms = 1700000000000 + (chance(3) ? 0 : now) + i * 1000;
	leadership_step(n->machine, ev, now, &a);
	if (a.ended)
		n->wan_id = n->lease_id = 0; /* cancelled; what is on its way may still land */
	if (a.lease.kind != LEADERSHIP_NONE)
		send(i, true, &a.lease);
	if (a.wan.kind != LEADERSHIP_NONE)
		send(i, false, &a.wan);
	check_actions(i, &a);
	check_deadline(n);
	if (a.released)
		announce_release(i, leadership_term(n->machine));
}

static void
boot(int i)
{
	struct leadership_config c = { .duration_ms = DURATION,
				       .renew_deadline_ms = DEADLINE,
				       .retry_period_ms = RETRY };
	struct node *n = &nodes[i];
	unsigned incarnation = n->incarnation + 1, requests = n->requests;

	leadership_free(n->machine);
	snprintf(c.identity, sizeof(c.identity), "node-%d_%u", i, incarnation);
	*n = (struct node){ .incarnation = incarnation, .requests = requests };
	n->machine = leadership_new(&c, now, (uint32_t)random());
	for (struct message *m = messages; m < messages + MESSAGES_MAX; m++)
		if (m->used && m->node == i) { /* of the process before: it only lands */
			m->request.id = UINT64_MAX;
			m->reply.id = UINT64_MAX;
		}
}

/* --- what happens -------------------------------------------------------------------- */

static void
happen(int i, enum leadership_event_type type)
{
	struct leadership_event ev = { .type = type };

	if (now >= nodes[i].paused_until)
		step(i, &ev);
}

static void
give_content(int i)
{
	struct leadership_event ev = { .type = LEADERSHIP_EV_CONTENT, .content = contents + 1 };

	if (now < nodes[i].paused_until || !leadership_active(nodes[i].machine, now))
		return;
	contents++;
	step(i, &ev);
}

static void
touch_wan(void)
{
	if (!api.wan_exists)
		return;
	switch (random() % 3) {
	case 0:
		api.wan_exists = false;
		break;
	case 1:
		api.wan.immutable = true;
		break;
	default: /* garbage; only the Lease knows the numbers then */
		api.wan.epoch = lease_is_touched ? api.wan.epoch : 0;
		api.wan.sequence = 0;
		api.wan.holder[0] = '\0';
		break;
	}
	new_version(api.wan.version);
}

static void
touch_lease(void)
{
	if (!lease_is_touched || !api.lease_exists)
		return;
	if (chance(2))
		api.lease_exists = false;
	else if (chance(2))
		api.lease.transitions = chance(2) ? INT32_MAX : MSG_EPOCH_MAX;
	else
		api.lease.duration_ms = chance(2) ? 0 : 3000;
	new_version(api.lease.version);
}

static void
cause_trouble(void)
{
	int i = (int)(random() % NODES);
	struct node *n = &nodes[i];

	switch (random() % 200) {
	case 0:
		n->paused_until = now + random() % 40000;
		break;
	case 1:
		n->cut_until = now + random() % 40000;
		break;
	case 2:
		boot(i);
		break;
	case 3:
		touch_wan();
		break;
	case 4:
		touch_lease();
		break;
	case 5:
		if (now >= n->paused_until) {
			happen(i, LEADERSHIP_EV_STOP);
			n->stopped = true;
		}
		break;
	case 6:
		happen(i, LEADERSHIP_EV_HINT);
		break;
	default:
		break;
	}
	if (n->stopped && leadership_role(n->machine) == LEADERSHIP_OFF)
		boot(i);
}

/* By one clock, and with a Lease that only the machines write, one at most is active. */
static void
check_single(void)
{
	int active = 0;

	for (int i = 0; i < NODES; i++)
		active += leadership_active(nodes[i].machine, now);
	ck_assert_int_le(active, lease_is_touched ? NODES : 1);
}

static int64_t
earliest(int64_t at)
{
	for (struct message *m = messages; m < messages + MESSAGES_MAX; m++) {
		if (!m->used)
			continue;
		at = m->arrives < at ? m->arrives : at;
		if (awaited(m) && now >= nodes[m->node].paused_until) {
			at = m->replies < at ? m->replies : at;
			at = m->times_out < at ? m->times_out : at;
		}
	}
	for (int i = 0; i < NODES; i++) {
		int64_t due = leadership_next_deadline(nodes[i].machine);

		if (now >= nodes[i].paused_until)
			at = due < at ? due : at;
	}
	return at > now ? at : now + 1;
}

static void
run_until(int64_t end)
{
	while (now < end) {
		int64_t tick = now + 1 + random() % 200;

		now = earliest(tick < end ? tick : end);
		for (struct message *m = messages; m < messages + MESSAGES_MAX; m++)
			if (m->used)
				run_message(m);
		for (int i = 0; i < NODES; i++)
			if (leadership_next_deadline(nodes[i].machine) <= now)
				happen(i, LEADERSHIP_EV_TICK);
		if (now == tick) {
			api_sync_caches();
			if (chance(4))
				give_content((int)(random() % NODES));
			if (trouble())
				cause_trouble();
		}
		check_single();
	}
}

static int
count(enum leadership_role role)
{
	int n = 0;

	for (int i = 0; i < NODES; i++)
		n += leadership_role(nodes[i].machine) == role;
	return n;
}

static void
heal(void)
{
	for (int i = 0; i < NODES; i++) {
		nodes[i].paused_until = nodes[i].cut_until = 0;
		if (nodes[i].stopped)
			boot(i);
		happen(i, LEADERSHIP_EV_TICK);
	}
}

/* I4: with all faults gone somebody leads, writes, and gives it back when told to stop. */
static void
check_recovery(void)
{
	unsigned committed;

	run_until(now + HEALED_MS);
	ck_assert_int_eq(count(LEADERSHIP_LEADING), 1);
	ck_assert_int_eq(count(LEADERSHIP_STANDBY), NODES - 1);
	committed = committed_count;
	for (int i = 0; i < NODES; i++)
		give_content(i);
	run_until(now + 10000);
	ck_assert_uint_gt(committed_count, committed);
	for (int i = 0; i < NODES; i++)
		happen(i, LEADERSHIP_EV_STOP);
	run_until(now + DEADLINE);
	ck_assert_int_eq(count(LEADERSHIP_OFF), NODES);
	ck_assert_str_eq(api.lease.holder, "");
}

START_TEST(holds_its_invariants_over_random_events)
{
	int64_t start;

	srandom((unsigned)_i);
	api_reset();
	memset(messages, 0, sizeof(messages));
	memset(nodes, 0, sizeof(nodes));
	contents = began_count = committed_count = 0;
	lease_is_touched = _i % 2;
	start = now = 5000000 + _i;
	healed_at = start + TROUBLE_MS;
	for (int i = 0; i < NODES; i++)
		boot(i);
	run_until(healed_at);
	ck_assert_uint_gt(began_count, 0);
	ck_assert_uint_gt(committed_count, 0);
	heal();
	check_recovery();
	for (int i = 0; i < NODES; i++) {
		/* nobody asks without end: writes of content come with the content */
		ck_assert_uint_le(nodes[i].requests, (now - start) / 1000 * 3 + 2 * contents);
		leadership_free(nodes[i].machine);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("leadership_random");
	TCase *tc = tcase_create("leadership_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, holds_its_invariants_over_random_events, 0, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
