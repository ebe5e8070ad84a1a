/*
 * Several nodes, each with the real plan and the real writer, over a small model
 * of the API server and of the provider; one seed is one story. The model knows
 * what each node may rely on, and checks every claim and every write against it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "updater/confirmation.h"
#include "updater/plan.h"
#include "updater/writer.h"

#define NODES_MAX 40
#define ROUND_MS 60000
#define FRESH (2 * ROUND_MS)
#define INTERVAL 300000
#define FAULTS_MS (20 * 60 * 1000)
#define CALM_MS (10 * 60 * 1000)

struct request {
	int64_t due_ms; /* of its answer; CLOCK_NEVER: none is under way */
	int64_t commit_ms;
	bool committed;
	enum api_outcome outcome;
	struct writer_actions what;
	struct writer_plan said; /* of a report */
};

struct node {
	struct writer writer;
	struct plan plan;
	struct confirmation confirmed;
	struct writer_view view;
	struct request api;
	int64_t provider_due_ms;
	bool provider_fails, api_fails;
	int64_t watch_due_ms;
	int64_t wanted_ms; /* the permit that is asked for; WRITER_NEVER */
	bool read;         /* by a read that was sent since, and what that showed */
	struct writer_view shown;
	bool permitted;
};

static struct {
	int n;
	int leader;
	int64_t now;
	bool faults;
	/* the object */
	int64_t epoch, sequence, round;
	struct address address;
	struct writer_key key;
	int by;
	unsigned stamps;
	/* claims as they landed */
	int64_t claim_ms;
	int claimer;
	int64_t claim_epoch;
	struct address claim_value;
	/* the provider's record */
	struct address record;
	unsigned api_requests, provider_requests, writes, claims;
	int64_t busy_ms; /* two requests to the provider at a time, with its failure */
	struct node nodes[NODES_MAX];
} m;

static int64_t
between(int64_t low, int64_t high)
{
	return low + random() % (high - low + 1);
}

static struct address
some_address(void)
{
	struct address a;

	ck_assert(address_parse_text("203.0.113.1", &a));
	a.bytes[3] = (uint8_t)between(1, 250);
	return a;
}

/* --- the API server --------------------------------------------------------------------- */

static struct writer_view
view_for(int i)
{
	struct writer_view v = { .uid = "uid-1",
				 .epoch = m.epoch,
				 .sequence = m.sequence,
				 .address = m.address,
				 .leads = i == m.leader,
				 .followers = (unsigned)m.n,
				 .key = m.key };

	v.key.mine = m.key.exists && m.by == i;
	return v;
}

static void
object_changed(void)
{
	for (int i = 0; i < m.n; i++)
		if (m.nodes[i].watch_due_ms == CLOCK_NEVER)
			m.nodes[i].watch_due_ms =
				m.now + between(1, m.faults && random() % 8 == 0 ? 3000 : 50);
}

static void
publish_round(const struct address *a)
{
	m.sequence++;
	m.round++;
	m.address = *a;
	object_changed();
}

/*
 * Nobody else's claim is in force: half a minute has passed, or the leader's node
 * has another address or another epoch to act on.
 */
static void
check_claim(int i, const struct writer_actions *a)
{
	bool other = m.claimer != i && m.claim_ms != WRITER_NEVER;
	bool news = m.claim_epoch != m.epoch || !address_equal(&m.claim_value, &a->value);

	ck_assert(address_equal(&a->value, &m.address));
	ck_assert_msg(!other || m.now - m.claim_ms >= WRITER_CLAIM_MS || (i == m.leader && news),
		      "node %d claims %lld ms after node %d", i, (long long)(m.now - m.claim_ms),
		      m.claimer);
	m.claim_ms = m.now;
	m.claimer = i;
	m.claim_epoch = m.epoch;
	m.claim_value = a->value;
	m.claims++;
}

static bool
commit_patch(int i, struct request *r)
{
	const struct writer_actions *a = &r->what;
	bool claim = a->request == WRITER_REQUEST_CLAIM;

	if (a->old_stamp != m.key.stamp ||
	    (claim && (a->epoch != m.epoch || a->sequence != m.sequence)))
		return false;
	if (claim)
		check_claim(i, a);
	else if (r->said.in_sync)
		m.claim_ms = WRITER_NEVER; /* the work is done */
	m.key = (struct writer_key){ .exists = true,
				     .pending = claim,
				     .in_sync = !claim && r->said.in_sync,
				     .attention = !claim && r->said.said == WRITER_ATTENTION,
				     .value = claim ? a->value : r->said.value,
				     .claimed_at = claim ? m.now : m.key.claimed_at,
				     .stamp = ++m.stamps };
	m.by = i;
	object_changed();
	return true;
}

static void
start_api(int i, const struct writer_actions *a)
{
	struct node *n = &m.nodes[i];
	struct request *r = &n->api;

	ck_assert_int_eq(r->due_ms, CLOCK_NEVER);
	m.api_requests++;
	n->read = false;
	r->what = *a;
	r->committed = false;
	r->outcome = API_OK;
	r->commit_ms = m.now + between(1, 20);
	r->due_ms = r->commit_ms + between(1, 20);
	if (n->api_fails) {
		/* lost on its way there, or on its way back; or it lands late */
		r->outcome = API_LOST;
		r->due_ms = m.now + WRITER_REQUEST_MS;
		r->commit_ms = random() % 2 ? CLOCK_NEVER : m.now + between(1, 8000);
	}
	r->said = (struct writer_plan){ .said = plan_state(&n->plan) == MSG_RECORD_ATTENTION
							? WRITER_ATTENTION
							: WRITER_FAILED,
					.value = n->plan.wanted,
					.in_sync = n->plan.verdict == PLAN_MATCHES };
}

static void step_writer(int i, const struct writer_event *ev);

/* The view of a node, with its own clock's confirmation. */
static struct writer_view
look(int i)
{
	struct node *n = &m.nodes[i];
	struct writer_view v = view_for(i);

	confirmation_see(&n->confirmed, v.uid, v.epoch, v.sequence, &v.address, m.round, m.now);
	v.confirmed_ms = confirmation_ms(&n->confirmed);
	return v;
}

static void tell_plan_news(int i, const struct writer_view *v);

static void
commit_due(int i)
{
	struct node *n = &m.nodes[i];
	struct request *r = &n->api;

	if (r->what.request == WRITER_REQUEST_NONE || r->committed || r->commit_ms > m.now)
		return;
	r->committed = true;
	if (r->what.request != WRITER_REQUEST_GET) {
		if (!commit_patch(i, r) && r->outcome == API_OK)
			r->outcome = API_INVALID;
	} else if (r->outcome == API_OK && n->wanted_ms != WRITER_NEVER) {
		n->read = true;
		n->shown = look(i);
	}
	n->view = look(i);
	if (r->due_ms == CLOCK_NEVER)
		r->what.request = WRITER_REQUEST_NONE; /* landed after it was given up */
}

static void
answer_due(int i)
{
	struct node *n = &m.nodes[i];
	struct request *r = &n->api;
	struct writer_event ev = { .type = WRITER_EV_ANSWER, .retry_after_ms = -1 };
	struct writer_view v = n->view;

	if (r->due_ms > m.now)
		return;
	ev.id = r->what.id;
	ev.outcome = r->outcome;
	ev.view = r->outcome == API_OK ? &v : NULL;
	r->due_ms = CLOCK_NEVER;
	if (r->committed || r->commit_ms == CLOCK_NEVER || r->outcome == API_OK)
		r->what.request = WRITER_REQUEST_NONE;
	if (ev.view)
		tell_plan_news(i, &v);
	step_writer(i, &ev);
}

/* --- a node ----------------------------------------------------------------------------------- */

static void
step_plan(int i, const struct plan_event *ev)
{
	struct node *n = &m.nodes[i];
	struct plan_actions a = plan_step(&n->plan, ev, m.now);
	struct writer_plan p = { .value = n->plan.wanted,
				 .in_sync = n->plan.verdict == PLAN_MATCHES,
				 .error_stamp = plan_error(&n->plan)[0] != '\0'
							? writer_stamp(plan_error(&n->plan))
							: 0,
				 .not_before_ms = n->plan.not_before_ms,
				 .retry_ms = n->plan.due_ms };
	struct writer_event out = { .type = WRITER_EV_PLAN, .plan = &p };

	switch (a.request) {
	case PLAN_REQUEST_WRITE:
		/* the heart of it: a read of this very moment's plan came before */
		ck_assert(n->permitted);
		n->permitted = false;
		m.writes++;
		/* fall through */
	case PLAN_REQUEST_READ:
		ck_assert_int_eq(n->provider_due_ms, CLOCK_NEVER);
		m.provider_requests++;
		n->provider_due_ms = m.now + (n->provider_fails ? 10000 : between(20, 400));
		break;
	case PLAN_REQUEST_PERMIT:
		p.said = WRITER_WANTS;
		p.value = *plan_value(&n->plan);
		n->wanted_ms = m.now;
		n->read = false;
		step_writer(i, &out);
		break;
	case PLAN_REQUEST_NONE:
		break;
	}
	if (!a.ended)
		return;
	p.said = n->plan.failure.count > 0
			 ? (n->plan.failure.outcome == PROVIDER_ATTENTION ? WRITER_ATTENTION
									  : WRITER_FAILED)
		 : n->plan.verdict == PLAN_MATCHES ? WRITER_IN_SYNC
						   : WRITER_LEFT;
	step_writer(i, &out);
}

/* The permit is for what a read that was sent after the question has shown. */
static void
check_permit(const struct node *n)
{
	const struct address *value = plan_value(&n->plan);

	ck_assert(n->read);
	ck_assert(address_equal(&n->shown.address, value));
	ck_assert(n->shown.key.mine && n->shown.key.exists);
	ck_assert(n->shown.confirmed_ms != WRITER_NEVER && m.now - n->shown.confirmed_ms <= FRESH);
}

static void
step_writer(int i, const struct writer_event *ev)
{
	struct node *n = &m.nodes[i];
	struct writer_event copy = *ev;
	struct writer_actions a;

	copy.random = (uint32_t)random();
	a = writer_step(&n->writer, &copy, m.now);
	plan_set_passive(&n->plan, !writer_active(&n->writer));
	if (a.request != WRITER_REQUEST_NONE)
		start_api(i, &a);
	if (a.permit != WRITER_UNDECIDED) {
		struct plan_event answer = { .kind = PLAN_EV_PERMIT,
					     .granted = a.permit == WRITER_GRANTED,
					     .sentence = a.sentence };

		if (answer.granted)
			check_permit(n);
		n->permitted = answer.granted;
		n->wanted_ms = WRITER_NEVER;
		step_plan(i, &answer);
	}
	if (a.run && n->plan.phase == PLAN_IDLE)
		step_plan(i, &(struct plan_event){ .kind = PLAN_EV_CHECK });
}

static void
tell_plan_news(int i, const struct writer_view *v)
{
	step_plan(i, &(struct plan_event){ .kind = PLAN_EV_NEWS,
					   .address = v->address,
					   .confirmed_ms = v->confirmed_ms });
}

static void
watch_due(int i)
{
	struct node *n = &m.nodes[i];
	struct writer_view v;

	if (n->watch_due_ms > m.now)
		return;
	if (n->api_fails) {
		if (!n->writer.blind) {
			confirmation_blind(&n->confirmed, m.now);
			step_writer(i, &(struct writer_event){ .type = WRITER_EV_BLIND });
		}
		n->watch_due_ms = m.now + 1000;
		return;
	}
	n->watch_due_ms = CLOCK_NEVER;
	v = look(i);
	n->view = v;
	tell_plan_news(i, &v);
	step_writer(i, &(struct writer_event){ .type = WRITER_EV_OBJECT, .view = &v });
}

static void
provider_due(int i)
{
	struct node *n = &m.nodes[i];
	struct provider_result r = { .retry_after_ms = -1 };
	bool write = n->plan.phase == PLAN_WRITING;

	if (n->provider_due_ms > m.now)
		return;
	n->provider_due_ms = CLOCK_NEVER;
	if (n->provider_fails) {
		r.outcome = PROVIDER_TRANSIENT;
		strcpy(r.error, "the provider does not answer");
	} else if (write) {
		m.record = *plan_value(&n->plan);
	} else if (m.record.family != ADDRESS_NONE) {
		r.record = (struct provider_record){
			.exists = true, .total = 1, .nvalues = 1, .ttl = 300
		};
		address_format(&m.record, r.record.values[0], sizeof(r.record.values[0]));
	}
	step_plan(i, &(struct plan_event){ .kind = write ? PLAN_EV_WRITTEN : PLAN_EV_READ,
					   .result = &r,
					   .jitter = (uint32_t)random() });
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void
begin(int seed, int nodes, bool faults)
{
	struct plan_settings plan = { .family = ADDRESS_IPV4,
				      .ttl = 300,
				      .interval_ms = INTERVAL,
				      .fresh_ms = FRESH,
				      .can_read = true,
				      .permit = true,
				      .passive = true };
	struct writer_settings writer = { .interval_ms = INTERVAL,
					  .fresh_ms = FRESH,
					  .backup_delay_ms = 20000,
					  .backup_spread_ms = 40000 };

	srandom((unsigned)seed);
	memset(&m, 0, sizeof(m));
	m.n = nodes;
	m.now = 1000000;
	m.faults = faults;
	m.epoch = 1;
	m.claim_ms = WRITER_NEVER;
	m.address = some_address();
	for (int i = 0; i < m.n; i++) {
		struct node *n = &m.nodes[i];

		writer_init(&n->writer, &writer);
		plan_init(&n->plan, &plan, m.now);
		confirmation_init(&n->confirmed);
		n->api.due_ms = n->api.commit_ms = n->provider_due_ms = CLOCK_NEVER;
		n->wanted_ms = WRITER_NEVER;
		n->watch_due_ms = m.now + between(0, 100);
	}
}

/* The next moment at which something happens. */
static int64_t
next_moment(int64_t until)
{
	int64_t at = until;

	for (int i = 0; i < m.n; i++) {
		struct node *n = &m.nodes[i];
		int64_t candidates[] = { n->watch_due_ms,
					 n->provider_due_ms,
					 n->api.due_ms,
					 n->api.what.request != WRITER_REQUEST_NONE &&
							 !n->api.committed
						 ? n->api.commit_ms
						 : CLOCK_NEVER,
					 writer_next_deadline(&n->writer),
					 plan_next_deadline(&n->plan) };

		for (size_t c = 0; c < sizeof(candidates) / sizeof(candidates[0]); c++)
			if (candidates[c] < at)
				at = candidates[c];
	}
	return at > m.now ? at : m.now + 1;
}

static void
count_busy(int64_t from)
{
	int busy = 0;

	for (int i = 0; i < m.n; i++)
		busy += m.nodes[i].provider_due_ms != CLOCK_NEVER;
	if (busy > 1)
		m.busy_ms += m.now - from;
}

static void
run_until(int64_t until)
{
	while (m.now < until) {
		int64_t from = m.now, at = next_moment(until);

		m.now = at < until ? at : until;
		count_busy(from);
		for (int i = 0; i < m.n; i++) {
			struct node *n = &m.nodes[i];

			commit_due(i);
			answer_due(i);
			watch_due(i);
			provider_due(i);
			if (writer_next_deadline(&n->writer) <= m.now)
				step_writer(i, &(struct writer_event){ .type = WRITER_EV_TICK });
			if (plan_next_deadline(&n->plan) <= m.now)
				step_plan(i, &(struct plan_event){ .kind = PLAN_EV_TICK });
		}
	}
}

/* A new leader claims the object; its first round comes a little later. */
static void
elect(int i)
{
	m.leader = i;
	m.epoch++;
	m.sequence++;
	object_changed();
}

static void
some_fault(void)
{
	struct node *n = &m.nodes[random() % m.n];

	switch (random() % 7) {
	case 0:
		elect((int)(random() % m.n));
		break;
	case 1:
		n->api_fails = !n->api_fails;
		break;
	case 2:
		n->provider_fails = !n->provider_fails;
		break;
	case 3:
		m.address = some_address();
		publish_round(&m.address);
		break;
	case 4:
		m.record = some_address();
		break;
	case 5: /* edited by hand: the claim is lost with it */
		m.claim_ms = WRITER_NEVER;
		m.key = (struct writer_key){ .exists = false, .stamp = ++m.stamps };
		object_changed();
		break;
	case 6: {
		int i = (int)(random() % m.n);

		step_writer(i, &(struct writer_event){ .type = WRITER_EV_CHECK });
		break;
	}
	}
}

static void
is_right(void)
{
	ck_assert(address_equal(&m.record, &m.address));
	ck_assert(m.key.exists && m.key.in_sync && !m.key.pending);
	ck_assert(address_equal(&m.key.value, &m.address));
}

START_TEST(whatever_happens_one_acts_at_a_time_and_reads_before_it_writes)
{
	int64_t end;

	begin(_i, 2 + _i % 5, true);
	end = m.now + FAULTS_MS;
	while (m.now < end) {
		run_until(m.now + between(10, 20000));
		some_fault();
		if (random() % 3 == 0)
			publish_round(&m.address);
	}
	m.faults = false;
	for (int i = 0; i < m.n; i++)
		m.nodes[i].api_fails = m.nodes[i].provider_fails = false;
	for (end = m.now + CALM_MS; m.now < end;) {
		publish_round(&m.address);
		run_until(m.now + ROUND_MS);
	}
	is_right();
	/* the record did not exist */
	ck_assert_uint_gt(m.claims, 0);
	ck_assert_uint_gt(m.writes, 0);
}
END_TEST

/* From a start with a record in sync. */
static void
begin_in_sync(int nodes)
{
	begin(7, nodes, false);
	for (int n = 0; n < 4; n++) {
		run_until(m.now + ROUND_MS);
		publish_round(&m.address);
	}
	run_until(m.now + ROUND_MS / 2);
	is_right();
	m.api_requests = m.provider_requests = m.writes = 0;
}

START_TEST(a_change_costs_the_same_for_any_number_of_nodes)
{
	static const int sizes[] = { 1, 3, 10, 40 };
	struct address b;

	begin_in_sync(sizes[_i]);
	b = some_address();
	publish_round(&b);
	run_until(m.now + ROUND_MS / 2);
	is_right();
	ck_assert_uint_eq(m.writes, 1);
	ck_assert_uint_eq(m.provider_requests, 3); /* GET, PUT, GET */
	ck_assert_uint_eq(m.api_requests, 3);      /* claim, read, report */
}
END_TEST

START_TEST(a_node_that_reaches_the_provider_writes_within_90_seconds)
{
	struct address b;
	int64_t from;

	begin_in_sync(10);
	m.nodes[0].provider_fails = true;
	b = some_address();
	srandom((unsigned)_i);
	publish_round(&b);
	for (from = m.now; !address_equal(&m.record, &b) && m.now - from < 200000;)
		run_until(m.now + 100);
	ck_assert_int_le(m.now - from, 90000);
	ck_assert_uint_eq(m.writes, 1);
	run_until(m.now + 5000);
	is_right();
	ck_assert_int_eq(m.busy_ms, 0);
}
END_TEST

START_TEST(a_provider_that_is_down_sees_one_request_at_a_time)
{
	struct address b;
	int64_t from;
	unsigned before;

	begin_in_sync(40);
	b = some_address();
	srandom((unsigned)_i);
	for (int i = 0; i < m.n; i++)
		m.nodes[i].provider_fails = true;
	publish_round(&b);
	for (int n = 0; n < 15; n++) {
		run_until(m.now + ROUND_MS);
		publish_round(&b);
	}
	ck_assert_int_eq(m.busy_ms, 0);
	/* one request takes 10 s; a claim, a report and few that lose in half a minute */
	ck_assert_uint_le(m.provider_requests, 15 * 6);
	ck_assert_uint_le(m.api_requests, 15 * 10);
	before = m.provider_requests;
	for (int i = 0; i < m.n; i++)
		m.nodes[i].provider_fails = false;
	for (from = m.now; !address_equal(&m.record, &b) && m.now - from < 300000;)
		run_until(m.now + 100);
	ck_assert_int_le(m.now - from, 70000);
	ck_assert_uint_le(m.provider_requests - before, 4);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("writer_random");
	TCase *tc = tcase_create("writer_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, whatever_happens_one_acts_at_a_time_and_reads_before_it_writes, 0,
			    200);
	tcase_add_loop_test(tc, a_change_costs_the_same_for_any_number_of_nodes, 0, 4);
	tcase_add_loop_test(tc, a_node_that_reaches_the_provider_writes_within_90_seconds, 0, 20);
	tcase_add_loop_test(tc, a_provider_that_is_down_sees_one_request_at_a_time, 0, 10);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
