/* The invariants that one unit can show, over random events. */
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "unit_events.h"

#define SEQUENCES 2000 /* in each pass of the loop tests */
#define PASSES 5
#define STEPS 200 /* in a sequence */

/* Says which seed repeats a failure. */
static unsigned seed;
static void
must(bool condition, const char *what)
{
	/* ck_assert_msg() would cost two system calls each time */
	if (!condition)
		ck_abort_msg("seed %u: %s", seed, what);
}

static struct unit_config
random_config(void)
{
	struct unit_config c = defaults;

	c.type = random() % 2 ? UNIT_TYPE_NOTIFY : UNIT_TYPE_EXEC;
	c.restart = (enum unit_restart)(random() % UNIT_RESTART__MAX);
	c.restart_ms = random() % 2000;
	c.restart_steps = (unsigned)(random() % 7);
	c.restart_max_ms = c.restart_ms + random() % 20000;
	c.start_limit_burst = (unsigned)(random() % 6);
	c.start_limit_interval_ms = 1 + random() % 60000;
	c.watchdog_ms = random() % 2 ? 0 : 1 + random() % 5000;
	c.stable_ms = random() % 10000;
	c.prevent.codes[0] = (uint64_t)(random() & random() & random());
	c.force.codes[0] = (uint64_t)(random() & random() & random());
	return c;
}

struct walk {
	struct unit u;
	bool alive;            /* a process exists, as the outside sees it */
	bool stopped_by_hand;  /* and not started by hand since */
	int64_t starts[STEPS]; /* automatic ones since the limit last began anew */
	unsigned nstarts;
	int64_t last_delay;
	uint64_t restarts;
};

static struct unit_event
random_event(const struct unit *u)
{
	struct unit_event ev = { .type = (enum unit_event_type)(random() % UNIT_EV__MAX),
				 .incarnation = u->incarnation,
				 .limit_ms = random() % 20000 - 1000 };

	if (random() % 4 != 0 && ev.type <= UNIT_EV_KILL) /* people are slower than processes */
		ev.type = UNIT_EV_TICK;
	if (random() % 8 == 0 && ev.incarnation > 0)
		ev.incarnation--;
	ev.status.signalled = random() % 3 == 0;
	ev.status.code = ev.status.signalled ? 1 + (int)(random() % 31) : (int)(random() % 8);
	return ev;
}

/* An ending of the current process that the outside world has not seen is no possible event. */
static bool
possible(const struct walk *w, const struct unit_event *ev)
{
	bool ends = ev->type == UNIT_EV_ENDED || ev->type == UNIT_EV_SPAWN_FAILED;

	return !ends || ev->incarnation != w->u.incarnation || w->alive;
}

static void
check_spawn(struct walk *w, int64_t now)
{
	unsigned burst = w->u.config.start_limit_burst;

	must(!w->alive, "spawned beside a living one");
	must(!w->stopped_by_hand, "started by itself after a manual stop");
	w->alive = true;
	if (w->u.restarts == w->restarts) {
		w->nstarts = 0;
		w->last_delay = 0;
		return;
	}
	w->restarts = w->u.restarts;
	w->starts[w->nstarts++] = now;
	if (burst > 0 && w->nstarts > burst)
		must(now - w->starts[w->nstarts - 1 - burst] >= w->u.config.start_limit_interval_ms,
		     "more automatic starts in an interval than its burst");
}

static void
check_state(struct walk *w, enum unit_state was, const struct unit_event *ev, int64_t now)
{
	struct unit *u = &w->u;
	bool transient = u->state == UNIT_ACTIVATING || u->state == UNIT_STOPPING ||
			 u->state == UNIT_ABORTING || u->state == UNIT_BACKOFF;

	must(u->alive == w->alive, "wrong about its process");
	must(!transient || unit_next_deadline(u) < CLOCK_NEVER, "a transient state for ever");
	if (was == UNIT_STOPPING || was == UNIT_ABORTING)
		must(u->state != UNIT_ACTIVE, "READY counted after stopping");
	if (was != UNIT_BACKOFF && u->state == UNIT_BACKOFF) {
		int64_t delay = u->deadline_ms - now;

		must(delay <= u->config.restart_max_ms, "a delay above the maximum");
		must(u->failures == 1 || delay >= w->last_delay, "a delay fell without a reset");
		w->last_delay = delay;
	}
	if (ev->type == UNIT_EV_RESET_FAILED) {
		w->nstarts = 0;
		w->last_delay = 0;
	}
}

static void
walk_one_step(struct walk *w, int64_t now)
{
	struct unit_event ev = random_event(&w->u);
	enum unit_state was = w->u.state;
	bool old = ev.type >= UNIT_EV_EXECED && ev.incarnation != w->u.incarnation;
	struct unit before = w->u;
	struct unit_action action;

	if (!possible(w, &ev))
		return;
	if (ev.type == UNIT_EV_STOP || ev.type == UNIT_EV_KILL)
		w->stopped_by_hand = true;
	else if (ev.type == UNIT_EV_START || ev.type == UNIT_EV_RESTART)
		w->stopped_by_hand = false;
	if ((ev.type == UNIT_EV_ENDED || ev.type == UNIT_EV_SPAWN_FAILED) &&
	    ev.incarnation == w->u.incarnation)
		w->alive = false;
	action = unit_step(&w->u, &ev, now);
	if (old)
		must(action.signal == 0 && !action.spawn &&
			     memcmp(&w->u, &before, sizeof(before)) == 0,
		     "news of an older incarnation changed something");
	must(action.signal == 0 || w->alive, "a signal without a process");
	must(!action.spawn || action.signal == 0, "two actions at once");
	if (action.spawn)
		check_spawn(w, now);
	check_state(w, was, &ev, now);
}

START_TEST(holds_its_invariants_over_random_events)
{
	for (int i = 0; i < SEQUENCES; i++) {
		struct unit_config config;
		struct walk w = { 0 };
		int64_t now = 0;

		seed = (unsigned)(_i * SEQUENCES + i);
		srandom(seed);
		config = random_config();
		unit_init(&w.u, &config, now);
		for (int n = 0; n < STEPS; n++) {
			now += random() % 3 ? random() % 300 : random() % 8000;
			walk_one_step(&w, now);
		}
	}
}
END_TEST

/* Nothing but time passes after a stop: is KILL sent within its limit? */
static bool
is_killed_within(struct unit *u, int64_t limit_ms, int64_t now)
{
	bool killed = u->killed || stop_within(u, limit_ms, now).signal == SIGKILL;
	int64_t until = now + limit_ms;

	for (int n = 0; !killed && u->alive && unit_next_deadline(u) <= until && n < 9; n++) {
		now = now > unit_next_deadline(u) ? now : unit_next_deadline(u);
		killed = tell(u, UNIT_EV_TICK, now).signal == SIGKILL;
	}
	return killed || !u->alive;
}

START_TEST(every_stop_ends_without_the_childs_help)
{
	for (int i = 0; i < SEQUENCES; i++) {
		struct unit_config config;
		struct walk w = { 0 };
		int64_t now = 0;

		seed = (unsigned)(_i * SEQUENCES + i);
		srandom(seed);
		config = random_config();
		unit_init(&w.u, &config, now);
		for (long n = random() % 60; n > 0; n--) {
			now += random() % 500;
			walk_one_step(&w, now);
		}
		must(is_killed_within(&w.u, 3000, now), "not killed within the limit of a stop");
		stop_within(&w.u, 0, now + 3000);
		if (w.u.alive)
			end(&w.u, true, SIGKILL, now + 3000);
		must(!unit_busy(&w.u), "not down after a stop");
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("unit_random");
	TCase *tc = tcase_create("random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, holds_its_invariants_over_random_events, 0, PASSES);
	tcase_add_loop_test(tc, every_stop_ends_without_the_childs_help, 0, PASSES);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
