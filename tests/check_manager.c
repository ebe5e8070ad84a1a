#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "common/clock.h"
#include "supervisor/manager.h"

/* As the built-in defaults have them: the detector after the updater, webd by itself. */
enum { DETECTOR, UPDATER, WEBD, UNITS };

static const struct unit_config unit_defaults = {
	.type = UNIT_TYPE_NOTIFY,
	.restart = UNIT_RESTART_ALWAYS,
	.restart_ms = 500,
	.restart_steps = 6,
	.restart_max_ms = 60000,
	.start_limit_burst = 8,
	.start_limit_interval_ms = 600000,
	.start_timeout_ms = 30000,
	.stop_timeout_ms = 5000,
	.abort_timeout_ms = 5000,
	.watchdog_ms = 20000,
	.stable_ms = 60000,
	.kill_signal = SIGTERM,
};

static struct manager_unit_config
config_of(size_t i)
{
	return (struct manager_unit_config){
		.unit = unit_defaults,
		.enabled = true,
		.essential = i != WEBD,
		.after = i == DETECTOR ? 1u << UPDATER : 0,
	};
}

static void
set_up(struct manager *m, bool exit_on_failure)
{
	manager_init(m, UNITS, exit_on_failure);
	for (size_t i = 0; i < UNITS; i++) {
		struct manager_unit_config config = config_of(i);

		manager_configure(m, i, &config, 0);
	}
}

static struct manager_actions
all(struct manager *m, enum manager_event_type type, int64_t now)
{
	struct manager_event ev = { .type = type };
	struct manager_actions out;

	manager_step(m, &ev, now, &out);
	return out;
}

static struct manager_actions
one(struct manager *m, size_t unit, enum unit_event_type type, int64_t now)
{
	struct manager_event ev = { .type = MANAGER_EV_UNIT, .unit = unit };
	struct manager_actions out;

	ev.event = (struct unit_event){ .type = type,
					.incarnation = m->units[unit].unit.incarnation,
					.limit_ms = -1 };
	manager_step(m, &ev, now, &out);
	return out;
}

static struct manager_actions
ended(struct manager *m, size_t unit, int code, int64_t now)
{
	struct manager_event ev = { .type = MANAGER_EV_UNIT, .unit = unit };
	struct manager_actions out;

	ev.event = (struct unit_event){ .type = UNIT_EV_ENDED,
					.incarnation = m->units[unit].unit.incarnation,
					.status = { .code = code } };
	manager_step(m, &ev, now, &out);
	return out;
}

static bool
spawns(const struct manager_actions *a, size_t unit)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].unit == unit && a->list[i].action.spawn)
			return true;
	return false;
}

static int
signal_to(const struct manager_actions *a, size_t unit)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].unit == unit && a->list[i].action.signal != 0)
			return a->list[i].action.signal;
	return 0;
}

static void
bring_up(struct manager *m, bool exit_on_failure)
{
	set_up(m, exit_on_failure);
	all(m, MANAGER_EV_START, 0);
	one(m, UPDATER, UNIT_EV_READY, 0);
	one(m, DETECTOR, UNIT_EV_READY, 0);
	one(m, WEBD, UNIT_EV_READY, 0);
	ck_assert(manager_ready(m));
}

START_TEST(starts_in_order)
{
	struct manager_actions a;
	struct manager m;

	set_up(&m, true);
	a = all(&m, MANAGER_EV_START, 0);
	ck_assert(spawns(&a, UPDATER));
	ck_assert(spawns(&a, WEBD));
	ck_assert(!spawns(&a, DETECTOR));
	a = one(&m, UPDATER, UNIT_EV_EXECED, 1);
	ck_assert_uint_eq(a.n, 0);
	a = one(&m, UPDATER, UNIT_EV_READY, 2);
	ck_assert(spawns(&a, DETECTOR));
	ck_assert_uint_eq(a.n, 1);
	ck_assert(!manager_ready(&m));
	one(&m, DETECTOR, UNIT_EV_READY, 3);
	ck_assert(!manager_ready(&m));
	one(&m, WEBD, UNIT_EV_READY, 4);
	ck_assert(manager_ready(&m));
}
END_TEST

/* After= orders; it does not require. */
START_TEST(a_failed_start_does_not_hold_up_the_next)
{
	struct manager_actions a;
	struct manager m;

	set_up(&m, true);
	all(&m, MANAGER_EV_START, 0);
	a = ended(&m, UPDATER, 1, 5);
	ck_assert_int_eq(m.units[UPDATER].unit.state, UNIT_BACKOFF);
	ck_assert(spawns(&a, DETECTOR));
}
END_TEST

START_TEST(webd_in_trouble_does_not_hold_up_ready)
{
	struct manager m;

	set_up(&m, true);
	all(&m, MANAGER_EV_START, 0);
	one(&m, UPDATER, UNIT_EV_READY, 0);
	one(&m, DETECTOR, UNIT_EV_READY, 0);
	ck_assert(!manager_ready(&m));
	ended(&m, WEBD, 1, 5);
	ck_assert(manager_ready(&m));
	ck_assert(manager_degraded(&m));
}
END_TEST

START_TEST(stops_in_reverse_order_and_is_done_at_once)
{
	struct manager_actions a;
	struct manager m;

	bring_up(&m, true);
	a = all(&m, MANAGER_EV_SHUTDOWN, 1000);
	ck_assert_int_eq(signal_to(&a, DETECTOR), SIGTERM);
	ck_assert_int_eq(signal_to(&a, WEBD), SIGTERM);
	ck_assert_int_eq(signal_to(&a, UPDATER), 0);
	a = ended(&m, WEBD, 0, 1010);
	ck_assert_uint_eq(a.n, 0);
	a = ended(&m, DETECTOR, 0, 1020);
	ck_assert_int_eq(signal_to(&a, UPDATER), SIGTERM);
	ck_assert_int_eq(m.phase, MANAGER_STOPPING);
	ended(&m, UPDATER, 0, 1030);
	ck_assert_int_eq(m.phase, MANAGER_DONE);
	ck_assert_int_eq(m.exit_code, 0);
	ck_assert(!m.stuck);
	ck_assert_int_eq(manager_next_deadline(&m), CLOCK_NEVER);
}
END_TEST

START_TEST(a_second_request_kills)
{
	struct manager_actions a;
	struct manager m;

	bring_up(&m, true);
	all(&m, MANAGER_EV_SHUTDOWN, 0);
	a = all(&m, MANAGER_EV_KILL, 10);
	for (size_t i = 0; i < UNITS; i++)
		ck_assert_int_eq(signal_to(&a, i), SIGKILL);
	for (size_t i = 0; i < UNITS; i++)
		ended(&m, i, 0, 20);
	ck_assert_int_eq(m.phase, MANAGER_DONE);
}
END_TEST

START_TEST(a_shutdown_during_backoff_starts_nothing)
{
	struct manager_actions a;
	struct manager m;

	bring_up(&m, true);
	ended(&m, UPDATER, 1, 10);
	a = all(&m, MANAGER_EV_SHUTDOWN, 20);
	ck_assert_int_eq(m.units[UPDATER].unit.state, UNIT_INACTIVE);
	/* one that dies while it waits for its turn stays down too */
	ck_assert_int_eq(signal_to(&a, DETECTOR), SIGTERM);
	ended(&m, DETECTOR, 1, 30);
	a = one(&m, UPDATER, UNIT_EV_START, 31);
	ck_assert_uint_eq(a.n, 0);
	ended(&m, WEBD, 0, 40);
	ck_assert_int_eq(m.phase, MANAGER_DONE);

	bring_up(&m, true);
	all(&m, MANAGER_EV_SHUTDOWN, 0);
	ended(&m, UPDATER, 1, 5);
	ck_assert_int_eq(m.units[UPDATER].unit.state, UNIT_INACTIVE);
}
END_TEST

START_TEST(a_restart_under_way_does_not_survive_a_shutdown)
{
	struct manager_actions a;
	struct manager m;

	bring_up(&m, true);
	one(&m, UPDATER, UNIT_EV_RESTART, 5);
	all(&m, MANAGER_EV_SHUTDOWN, 10);
	a = ended(&m, UPDATER, 0, 20);
	ck_assert(!spawns(&a, UPDATER));
	ck_assert(!unit_busy(&m.units[UPDATER].unit));
}
END_TEST

static void
fail_for_good(struct manager *m, size_t unit, int64_t now)
{
	struct manager_unit_config config = config_of(unit);

	config.unit.restart = UNIT_RESTART_NO;
	manager_configure(m, unit, &config, now);
	ended(m, unit, 42, now);
}

START_TEST(an_essential_unit_that_failed_ends_the_whole)
{
	struct manager m;

	bring_up(&m, true);
	fail_for_good(&m, UPDATER, 10);
	ck_assert_int_eq(m.phase, MANAGER_STOPPING);
	ended(&m, DETECTOR, 0, 20);
	ended(&m, WEBD, 0, 20);
	ck_assert_int_eq(m.phase, MANAGER_DONE);
	ck_assert_int_eq(m.exit_code, 42);
	ck_assert_uint_eq(m.failed, UPDATER);
}
END_TEST

START_TEST(other_failures_only_degrade)
{
	struct manager m;

	bring_up(&m, true);
	fail_for_good(&m, WEBD, 10);
	ck_assert_int_eq(m.phase, MANAGER_RUNNING);
	ck_assert(manager_degraded(&m));

	bring_up(&m, false);
	fail_for_good(&m, DETECTOR, 10);
	ck_assert_int_eq(m.phase, MANAGER_RUNNING);
	ck_assert(manager_degraded(&m));
	ck_assert_int_eq(m.exit_code, 0);
}
END_TEST

START_TEST(a_reload_starts_what_became_enabled_and_stops_what_did_not)
{
	struct manager_unit_config config = config_of(WEBD);
	struct manager_actions a;
	struct manager m;

	bring_up(&m, true);
	a = all(&m, MANAGER_EV_START, 5);
	ck_assert_uint_eq(a.n, 0);
	config.enabled = false;
	manager_configure(&m, WEBD, &config, 10);
	a = all(&m, MANAGER_EV_START, 10);
	ck_assert_int_eq(signal_to(&a, WEBD), SIGTERM);
	ended(&m, WEBD, 0, 20);
	ck_assert(!manager_degraded(&m));
	config.enabled = true;
	manager_configure(&m, WEBD, &config, 30);
	a = all(&m, MANAGER_EV_TICK, 30);
	ck_assert_uint_eq(a.n, 0);
	a = all(&m, MANAGER_EV_START, 30);
	ck_assert(spawns(&a, WEBD));
}
END_TEST

/* --- whole lives: processes that do as they like, then a shutdown -------------------------- */

#define SEQUENCES 2000 /* in each pass of the loop test */
#define PASSES 5

static unsigned seed;

static void
must(bool condition, const char *what)
{
	if (!condition)
		ck_abort_msg("seed %u: %s", seed, what);
}

/* What the outside knows of one unit's process. */
struct process {
	bool alive;
	bool doomed;  /* KILL was sent */
	bool asked;   /* some signal was sent since the shutdown began */
	bool leaving; /* it said so */
	bool deaf;    /* ends by KILL only */
	uint64_t incarnation;
};

struct world {
	struct manager m;
	struct process p[UNITS];
	bool shutdown;
	int64_t shutdown_ms;
};

static bool
later_ones_are_gone(const struct world *w, size_t unit)
{
	for (size_t i = 0; i < UNITS; i++)
		if ((w->m.units[i].after & 1u << unit) != 0 && w->p[i].alive)
			return false;
	return true;
}

/* Leaving by itself, too late with something, or at the end of all patience. */
static bool
leaves_anyway(const struct world *w, size_t unit, int64_t now)
{
	enum unit_cause cause = w->m.units[unit].unit.cause;

	return w->p[unit].leaving || cause == UNIT_CAUSE_TIMEOUT || cause == UNIT_CAUSE_WATCHDOG ||
	       now >= w->shutdown_ms + MANAGER_KILL_MS;
}

static void
carry_out(struct world *w, const struct manager_actions *a, int64_t now)
{
	for (size_t i = 0; i < a->n; i++) {
		struct process *p = &w->p[a->list[i].unit];
		int sig = a->list[i].action.signal;

		if (a->list[i].action.spawn) {
			must(!p->alive, "spawned beside a living one");
			must(!w->shutdown, "spawned in a shutdown");
			must(a->list[i].incarnation > p->incarnation, "an incarnation twice");
			*p = (struct process){ .alive = true,
					       .deaf = random() % 4 == 0,
					       .incarnation = a->list[i].incarnation };
			continue;
		}
		must(p->alive && a->list[i].incarnation == p->incarnation, "a signal to nobody");
		must(!w->shutdown || p->asked || leaves_anyway(w, a->list[i].unit, now) ||
			     later_ones_are_gone(w, a->list[i].unit),
		     "stopped before those that come after it");
		p->asked = true;
		p->doomed = p->doomed || sig == SIGKILL;
	}
}

/* Something happens to one process, as far as it can. */
static void
something_happens(struct world *w, size_t unit, int64_t now)
{
	static const enum unit_event_type news[] = { UNIT_EV_EXECED, UNIT_EV_READY, UNIT_EV_PING,
						     UNIT_EV_LEAVING, UNIT_EV_EXTEND };
	struct process *p = &w->p[unit];
	struct manager_event ev = { .type = MANAGER_EV_UNIT, .unit = unit };
	struct manager_actions out;

	if (!p->alive)
		return;
	ev.event = (struct unit_event){ .incarnation = p->incarnation, .limit_ms = 10000 };
	if (p->doomed || random() % 12 == 0 || (p->asked && !p->deaf)) {
		p->alive = false;
		ev.event.type = UNIT_EV_ENDED;
		ev.event.status.signalled = p->doomed;
		ev.event.status.code = p->doomed ? SIGKILL : (int)(random() % 3);
	} else {
		ev.event.type = news[(size_t)random() % (sizeof(news) / sizeof(news[0]))];
		p->leaving = p->leaving || ev.event.type == UNIT_EV_LEAVING;
	}
	manager_step(&w->m, &ev, now, &out);
	carry_out(w, &out, now);
}

static void
step_all(struct world *w, enum manager_event_type type, int64_t now)
{
	struct manager_actions out = all(&w->m, type, now);

	carry_out(w, &out, now);
}

static void
check_done(const struct world *w, int64_t now)
{
	bool alive = false;

	for (size_t i = 0; i < UNITS; i++)
		alive = alive || w->p[i].alive;
	must(!w->m.stuck, "gave up on processes that KILL would have ended");
	must(!alive, "done with processes left");
	must(now - w->shutdown_ms < MANAGER_STOP_MS, "took longer than the whole may");
}

static void
live_and_stop(bool exit_on_failure)
{
	struct world w = { 0 };
	int64_t now = 0, stop_at = random() % 30000;

	set_up(&w.m, exit_on_failure);
	w.m.units[WEBD].unit.config.stop_timeout_ms = 1 + random() % 20000;
	step_all(&w, MANAGER_EV_START, now);
	while (w.m.phase != MANAGER_DONE) {
		int64_t due = manager_next_deadline(&w.m), next = now + 1 + random() % 200;

		now = due < next ? (due > now ? due : now) : next;
		if (now >= stop_at && w.m.phase == MANAGER_RUNNING)
			step_all(&w, MANAGER_EV_SHUTDOWN, now);
		if (random() % 3 == 0)
			something_happens(&w, (size_t)random() % UNITS, now);
		step_all(&w, MANAGER_EV_TICK, now);
		if (w.m.phase != MANAGER_RUNNING && !w.shutdown) {
			w.shutdown = true;
			w.shutdown_ms = w.m.stop_ms;
		}
		/* the kernel ends what was killed */
		for (size_t i = 0; i < UNITS; i++)
			if (w.p[i].doomed)
				something_happens(&w, i, now);
	}
	check_done(&w, now);
}

START_TEST(whole_lives_hold_the_invariants)
{
	for (int i = 0; i < SEQUENCES; i++) {
		seed = (unsigned)(_i * SEQUENCES + i);
		srandom(seed);
		live_and_stop(seed % 2 == 0);
	}
}
END_TEST

/* A process that even KILL does not end: the whole gives up in time. */
START_TEST(what_cannot_be_killed_does_not_hold_the_end)
{
	struct manager m;
	unsigned steps = 0;
	int64_t now = 0;

	bring_up(&m, true);
	all(&m, MANAGER_EV_SHUTDOWN, now);
	while (m.phase != MANAGER_DONE) {
		ck_assert_int_ge(manager_next_deadline(&m), now);
		ck_assert_uint_le(++steps, 20);
		now = manager_next_deadline(&m);
		all(&m, MANAGER_EV_TICK, now);
	}
	ck_assert(m.stuck);
	ck_assert_int_eq(now, MANAGER_STOP_MS);
}
END_TEST

/* The updater waits for the detector, which does not go: it is still asked before the end. */
START_TEST(the_wait_for_later_ones_is_bounded)
{
	struct manager_actions a = { 0 };
	struct manager m;
	int64_t now = 0;

	bring_up(&m, true);
	all(&m, MANAGER_EV_SHUTDOWN, now);
	ended(&m, WEBD, 0, now);
	while (m.phase != MANAGER_DONE && signal_to(&a, UPDATER) == 0) {
		now = manager_next_deadline(&m);
		a = all(&m, MANAGER_EV_TICK, now);
	}
	ck_assert_int_eq(now, MANAGER_KILL_MS);
	ck_assert_int_eq(signal_to(&a, UPDATER), SIGTERM);
}
END_TEST

/* Stopped by hand while it waits for the one before it: its turn does not start it. */
START_TEST(a_stop_ends_the_wait_for_a_first_start)
{
	struct manager_actions a;
	struct manager m;

	set_up(&m, true);
	all(&m, MANAGER_EV_START, 0);
	a = one(&m, DETECTOR, UNIT_EV_STOP, 1);
	ck_assert_uint_eq(a.n, 0);
	a = one(&m, UPDATER, UNIT_EV_READY, 2);
	ck_assert(!spawns(&a, DETECTOR));
	ck_assert_int_eq(m.units[DETECTOR].unit.state, UNIT_INACTIVE);
	a = one(&m, DETECTOR, UNIT_EV_START, 3);
	ck_assert(spawns(&a, DETECTOR));
}
END_TEST

/* Started by hand before its turn came: the turn is not a second command. */
START_TEST(a_start_by_hand_ends_the_wait_for_the_first)
{
	struct manager_actions a;
	struct manager m;

	set_up(&m, true);
	all(&m, MANAGER_EV_START, 0);
	a = one(&m, DETECTOR, UNIT_EV_START, 1);
	ck_assert(spawns(&a, DETECTOR));
	ended(&m, DETECTOR, 1, 2);
	ck_assert_int_eq(m.units[DETECTOR].unit.state, UNIT_BACKOFF);
	a = one(&m, UPDATER, UNIT_EV_READY, 3);
	ck_assert(!spawns(&a, DETECTOR));
	ck_assert_int_eq(m.units[DETECTOR].unit.state, UNIT_BACKOFF);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("manager");
	TCase *tc = tcase_create("cases"), *random_tc = tcase_create("random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, starts_in_order);
	tcase_add_test(tc, a_failed_start_does_not_hold_up_the_next);
	tcase_add_test(tc, webd_in_trouble_does_not_hold_up_ready);
	tcase_add_test(tc, stops_in_reverse_order_and_is_done_at_once);
	tcase_add_test(tc, a_second_request_kills);
	tcase_add_test(tc, a_shutdown_during_backoff_starts_nothing);
	tcase_add_test(tc, a_restart_under_way_does_not_survive_a_shutdown);
	tcase_add_test(tc, an_essential_unit_that_failed_ends_the_whole);
	tcase_add_test(tc, other_failures_only_degrade);
	tcase_add_test(tc, a_reload_starts_what_became_enabled_and_stops_what_did_not);
	tcase_add_test(tc, a_stop_ends_the_wait_for_a_first_start);
	tcase_add_test(tc, a_start_by_hand_ends_the_wait_for_the_first);
	tcase_add_test(tc, the_wait_for_later_ones_is_bounded);
	tcase_add_test(tc, what_cannot_be_killed_does_not_hold_the_end);
	tcase_set_timeout(random_tc, 60);
	tcase_add_loop_test(random_tc, whole_lives_hold_the_invariants, 0, PASSES);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, random_tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
