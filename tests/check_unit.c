#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "common/clock.h"
#include "unit_events.h"

/* A unit that is up at 0. */
static void
bring_up(struct unit *u, const struct unit_config *config)
{
	unit_init(u, config, 0);
	ck_assert(tell(u, UNIT_EV_START, 0).spawn);
	tell(u, UNIT_EV_EXECED, 0);
	tell(u, UNIT_EV_READY, 0);
	ck_assert_int_eq(u->state, UNIT_ACTIVE);
}

static void
assert_idle(struct unit_action a)
{
	ck_assert(!a.spawn);
	ck_assert_int_eq(a.signal, 0);
}

START_TEST(exec_is_up_once_executed_and_notify_once_ready)
{
	struct unit_config config = defaults;
	struct unit u;

	unit_init(&u, &config, 0);
	ck_assert(tell(&u, UNIT_EV_START, 0).spawn);
	ck_assert_int_eq(u.state, UNIT_ACTIVATING);
	ck_assert_int_eq(unit_next_deadline(&u), 30000);
	tell(&u, UNIT_EV_EXECED, 10);
	ck_assert_int_eq(u.state, UNIT_ACTIVATING);
	tell(&u, UNIT_EV_READY, 20);
	ck_assert_int_eq(u.state, UNIT_ACTIVE);
	ck_assert_int_eq(unit_next_deadline(&u), 20020);

	config.type = UNIT_TYPE_EXEC;
	config.watchdog_ms = 0;
	unit_init(&u, &config, 0);
	tell(&u, UNIT_EV_START, 0);
	tell(&u, UNIT_EV_EXECED, 10);
	ck_assert_int_eq(u.state, UNIT_ACTIVE);
	ck_assert_int_eq(unit_next_deadline(&u), CLOCK_NEVER);
}
END_TEST

/* systemd.service(5), the table of Restart= */
START_TEST(restart_table)
{
	static const struct {
		enum unit_restart restart;
		bool clean, exit, signal, timeout, watchdog;
	} rows[] = {
		{ UNIT_RESTART_NO, 0, 0, 0, 0, 0 },
		{ UNIT_RESTART_ALWAYS, 1, 1, 1, 1, 1 },
		{ UNIT_RESTART_ON_SUCCESS, 1, 0, 0, 0, 0 },
		{ UNIT_RESTART_ON_FAILURE, 0, 1, 1, 1, 1 },
		{ UNIT_RESTART_ON_ABNORMAL, 0, 0, 1, 1, 1 },
		{ UNIT_RESTART_ON_ABORT, 0, 0, 1, 0, 0 },
		{ UNIT_RESTART_ON_WATCHDOG, 0, 0, 0, 0, 1 },
	};

	ck_assert_uint_eq(sizeof(rows) / sizeof(rows[0]), UNIT_RESTART__MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum unit_restart r = rows[i].restart;

		ck_assert_int_eq(unit_restarts(r, UNIT_CAUSE_CLEAN), rows[i].clean);
		ck_assert_int_eq(unit_restarts(r, UNIT_CAUSE_EXIT), rows[i].exit);
		ck_assert_int_eq(unit_restarts(r, UNIT_CAUSE_SIGNAL), rows[i].signal);
		ck_assert_int_eq(unit_restarts(r, UNIT_CAUSE_TIMEOUT), rows[i].timeout);
		ck_assert_int_eq(unit_restarts(r, UNIT_CAUSE_WATCHDOG), rows[i].watchdog);
		ck_assert(!unit_restarts(r, UNIT_CAUSE_START_LIMIT));
	}
}
END_TEST

START_TEST(causes_come_from_how_it_ended)
{
	static const struct {
		bool signalled;
		int code;
		enum unit_cause cause;
	} rows[] = {
		{ false, 0, UNIT_CAUSE_CLEAN },       { false, 1, UNIT_CAUSE_EXIT },
		{ false, 255, UNIT_CAUSE_EXIT },      { true, SIGHUP, UNIT_CAUSE_CLEAN },
		{ true, SIGINT, UNIT_CAUSE_CLEAN },   { true, SIGTERM, UNIT_CAUSE_CLEAN },
		{ true, SIGPIPE, UNIT_CAUSE_CLEAN },  { true, SIGKILL, UNIT_CAUSE_SIGNAL },
		{ true, SIGSEGV, UNIT_CAUSE_SIGNAL }, { true, SIGABRT, UNIT_CAUSE_SIGNAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit u;

		bring_up(&u, &defaults);
		assert_idle(end(&u, rows[i].signalled, rows[i].code, 5));
		ck_assert_int_eq(u.cause, rows[i].cause);
		ck_assert_int_eq(u.state, UNIT_BACKOFF);
	}
}
END_TEST

START_TEST(a_clean_end_before_ready_is_a_broken_protocol)
{
	struct unit u;

	unit_init(&u, &defaults, 0);
	tell(&u, UNIT_EV_START, 0);
	end(&u, false, 0, 5);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_PROTOCOL);
	ck_assert(unit_restarts(UNIT_RESTART_ON_FAILURE, u.cause));
	ck_assert(unit_restarts(UNIT_RESTART_ON_ABNORMAL, u.cause));
	ck_assert(!unit_restarts(UNIT_RESTART_ON_SUCCESS, u.cause));
	ck_assert_int_eq(unit_exit_code(&u), 1);
}
END_TEST

START_TEST(prevent_goes_before_force_and_force_before_restart)
{
	struct unit_config config = defaults;
	struct unit u;

	config.restart = UNIT_RESTART_NO;
	config.force.codes[0] = 1u << 7 | 1u << 8;
	config.prevent.codes[0] = 1u << 8;
	bring_up(&u, &config);
	end(&u, false, 7, 1);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
	bring_up(&u, &config);
	end(&u, false, 8, 1);
	ck_assert_int_eq(u.state, UNIT_FAILED);
	ck_assert_int_eq(unit_exit_code(&u), 8);

	config.restart = UNIT_RESTART_ALWAYS;
	config.prevent.signals = UINT64_C(1) << SIGSEGV;
	bring_up(&u, &config);
	end(&u, true, SIGSEGV, 1);
	ck_assert_int_eq(u.state, UNIT_FAILED);
	ck_assert_int_eq(unit_exit_code(&u), 128 + SIGSEGV);

	config = defaults;
	config.restart = UNIT_RESTART_ON_FAILURE;
	config.success.codes[1] = 1; /* 64 */
	bring_up(&u, &config);
	end(&u, false, 64, 1);
	ck_assert_int_eq(u.state, UNIT_INACTIVE);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_CLEAN);
}
END_TEST

/* systemd's own example: 1 s, 60 s, 5 steps */
START_TEST(delays_grow_as_systemd_has_them)
{
	static const int64_t want[] = { 1000, 2268, 5144, 11665, 26456, 60000, 60000, 60000 };
	struct unit_config flat = defaults;

	for (unsigned k = 1; k <= sizeof(want) / sizeof(want[0]); k++)
		ck_assert_int_eq(unit_delay(&defaults, k), want[k - 1]);
	flat.restart_steps = 0;
	ck_assert_int_eq(unit_delay(&flat, 1), 1000);
	ck_assert_int_eq(unit_delay(&flat, 50), 1000);
	flat = defaults;
	flat.restart_max_ms = flat.restart_ms;
	ck_assert_int_eq(unit_delay(&flat, 9), 1000);
	flat.restart_ms = 0;
	ck_assert_int_eq(unit_delay(&flat, 3), 0);
}
END_TEST

START_TEST(a_stable_run_resets_the_delay)
{
	struct unit u;
	int64_t now = 0;

	bring_up(&u, &defaults);
	for (unsigned k = 1; k <= 3; k++) {
		end(&u, false, 1, now);
		ck_assert_int_eq(u.deadline_ms - now, unit_delay(&defaults, k));
		now = u.deadline_ms;
		ck_assert(tell(&u, UNIT_EV_TICK, now).spawn);
		tell(&u, UNIT_EV_READY, now);
	}
	end(&u, false, 1, now + defaults.stable_ms - 1);
	ck_assert_int_eq(u.deadline_ms - u.since_ms, unit_delay(&defaults, 4));
	now = u.deadline_ms;
	tell(&u, UNIT_EV_TICK, now);
	tell(&u, UNIT_EV_READY, now);
	end(&u, false, 1, now + defaults.stable_ms);
	ck_assert_int_eq(u.deadline_ms - u.since_ms, unit_delay(&defaults, 1));
}
END_TEST

/* As long as it only waits to be ready it is not stable. */
START_TEST(a_long_start_is_no_stable_run)
{
	struct unit_config config = defaults;
	struct unit u;

	config.stable_ms = 100;
	unit_init(&u, &config, 0);
	tell(&u, UNIT_EV_START, 0);
	end(&u, false, 1, 5000);
	tell(&u, UNIT_EV_TICK, u.deadline_ms);
	end(&u, false, 1, 20000);
	ck_assert_int_eq(u.deadline_ms - 20000, unit_delay(&config, 2));
}
END_TEST

START_TEST(a_crash_loop_ends_at_the_limit)
{
	struct unit_config config = defaults;
	unsigned automatic = 0;
	struct unit u;
	int64_t now = 0;

	config.start_limit_burst = 4;
	bring_up(&u, &config);
	end(&u, false, 3, now);
	while (u.state == UNIT_BACKOFF) {
		now = u.deadline_ms;
		ck_assert(tell(&u, UNIT_EV_TICK, now).spawn);
		ck_assert_uint_le(++automatic, 4);
		end(&u, false, 3, now);
	}
	ck_assert_int_eq(u.state, UNIT_FAILED);
	ck_assert_uint_eq(automatic, 4);
	ck_assert_uint_eq(u.restarts, 4);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_START_LIMIT);
	ck_assert_int_eq(unit_exit_code(&u), 3);
	ck_assert_int_eq(unit_next_deadline(&u), CLOCK_NEVER);
	tell(&u, UNIT_EV_RESET_FAILED, now);
	ck_assert_int_eq(u.state, UNIT_INACTIVE);
	ck_assert(tell(&u, UNIT_EV_START, now).spawn);
	end(&u, false, 3, now);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
}
END_TEST

START_TEST(the_limit_slides)
{
	struct unit_config config = defaults;
	struct unit u;
	int64_t now = 0;

	config.restart_steps = 0;
	config.start_limit_burst = 2;
	config.start_limit_interval_ms = 10000;
	bring_up(&u, &config);
	/* starts at 1, 2, then one more would be the third in 10 s */
	for (int i = 0; i < 2; i++) {
		end(&u, false, 1, now);
		now = u.deadline_ms;
		tell(&u, UNIT_EV_TICK, now);
		tell(&u, UNIT_EV_READY, now);
	}
	end(&u, false, 1, 9999); /* next start at 10999, the first was at 1000 */
	ck_assert_int_eq(u.state, UNIT_FAILED);

	bring_up(&u, &config);
	now = 0;
	for (int i = 0; i < 2; i++) {
		end(&u, false, 1, now);
		now = u.deadline_ms;
		tell(&u, UNIT_EV_TICK, now);
		tell(&u, UNIT_EV_READY, now);
	}
	end(&u, false, 1, 10000);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
}
END_TEST

START_TEST(a_start_that_takes_too_long_is_stopped_then_killed)
{
	struct unit u;

	unit_init(&u, &defaults, 0);
	tell(&u, UNIT_EV_START, 0);
	assert_idle(tell(&u, UNIT_EV_TICK, 29999));
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 30000).signal, SIGTERM);
	ck_assert_int_eq(u.state, UNIT_STOPPING);
	tell(&u, UNIT_EV_READY, 30001); /* too late */
	ck_assert_int_eq(u.state, UNIT_STOPPING);
	ck_assert_int_eq(unit_next_deadline(&u), 35000);
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 35000).signal, SIGKILL);
	ck_assert_int_lt(unit_next_deadline(&u), CLOCK_NEVER);
	end(&u, true, SIGKILL, 35001);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_TIMEOUT);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
}
END_TEST

START_TEST(extend_timeout_lengthens_and_is_bounded)
{
	struct unit_event ev = { .type = UNIT_EV_EXTEND, .incarnation = 1, .limit_ms = 40000 };
	struct unit u;

	unit_init(&u, &defaults, 0);
	tell(&u, UNIT_EV_START, 0);
	unit_step(&u, &ev, 0);
	ck_assert_int_eq(unit_next_deadline(&u), 40000);
	ev.limit_ms = 10; /* never shortens */
	unit_step(&u, &ev, 0);
	ck_assert_int_eq(unit_next_deadline(&u), 40000);
	ev.limit_ms = INT64_MAX / 2;
	unit_step(&u, &ev, 0);
	ck_assert_int_eq(unit_next_deadline(&u), UNIT_EXTEND_MAX_MS);
	/* what a shutdown has left is the last word */
	stop_within(&u, 700, 100);
	unit_step(&u, &ev, 100);
	ck_assert_int_eq(unit_next_deadline(&u), 800);
}
END_TEST

START_TEST(a_missed_watchdog_aborts_then_kills)
{
	struct unit u;

	bring_up(&u, &defaults);
	tell(&u, UNIT_EV_PING, 15000);
	assert_idle(tell(&u, UNIT_EV_TICK, 20000));
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 35000).signal, SIGABRT);
	ck_assert_int_eq(u.state, UNIT_ABORTING);
	tell(&u, UNIT_EV_PING, 35001); /* no way back */
	ck_assert_int_eq(unit_next_deadline(&u), 39000);
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 39000).signal, SIGKILL);
	end(&u, true, SIGKILL, 39001);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_WATCHDOG);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
}
END_TEST

/* A suspend, a paused container: who could not run has missed nothing. */
START_TEST(a_stall_gives_the_time_again)
{
	struct unit u;

	unit_init(&u, &defaults, 0);
	tell(&u, UNIT_EV_START, 0);
	assert_idle(tell(&u, UNIT_EV_STALL, 3600000));
	assert_idle(tell(&u, UNIT_EV_TICK, 3600000));
	ck_assert_int_eq(unit_next_deadline(&u), 3600000 + defaults.start_timeout_ms);
	bring_up(&u, &defaults);
	assert_idle(tell(&u, UNIT_EV_STALL, 3600000));
	assert_idle(tell(&u, UNIT_EV_TICK, 3600000));
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 3600000 + defaults.watchdog_ms).signal, SIGABRT);
	/* a stop is not stretched: the whole must end in its time */
	bring_up(&u, &defaults);
	stop_within(&u, -1, 0);
	assert_idle(tell(&u, UNIT_EV_STALL, 3600000));
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 3600000).signal, SIGKILL);
}
END_TEST

START_TEST(a_stop_asks_then_kills_and_nothing_starts)
{
	struct unit u;

	bring_up(&u, &defaults);
	ck_assert_int_eq(stop_within(&u, -1, 100).signal, SIGTERM);
	assert_idle(stop_within(&u, -1, 200)); /* twice is once */
	ck_assert_int_eq(unit_next_deadline(&u), 5100);
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 5100).signal, SIGKILL);
	end(&u, true, SIGKILL, 5101);
	ck_assert_int_eq(u.state, UNIT_INACTIVE);
	assert_idle(tell(&u, UNIT_EV_TICK, 1000000));
	ck_assert(!unit_busy(&u));
}
END_TEST

START_TEST(a_stop_takes_no_longer_than_its_limit)
{
	struct unit u;

	bring_up(&u, &defaults);
	ck_assert_int_eq(stop_within(&u, 300, 0).signal, SIGTERM);
	ck_assert_int_eq(unit_next_deadline(&u), 300);
	bring_up(&u, &defaults);
	stop_within(&u, -1, 0);
	assert_idle(stop_within(&u, 100, 1000));
	ck_assert_int_eq(unit_next_deadline(&u), 1100);
}
END_TEST

START_TEST(a_stop_during_backoff_is_done_at_once)
{
	struct unit u;

	bring_up(&u, &defaults);
	end(&u, false, 1, 5);
	ck_assert(unit_busy(&u));
	assert_idle(stop_within(&u, -1, 6));
	ck_assert_int_eq(u.state, UNIT_INACTIVE);
	assert_idle(tell(&u, UNIT_EV_TICK, 100000));
	ck_assert_int_eq(u.state, UNIT_INACTIVE);
}
END_TEST

START_TEST(leaving_by_itself_is_bounded_too)
{
	struct unit u;

	bring_up(&u, &defaults);
	tell(&u, UNIT_EV_LEAVING, 10);
	ck_assert_int_eq(u.state, UNIT_STOPPING);
	ck_assert_int_eq(stop_within(&u, -1, 20).signal, SIGTERM);
	bring_up(&u, &defaults);
	tell(&u, UNIT_EV_LEAVING, 10);
	ck_assert_int_eq(tell(&u, UNIT_EV_TICK, 5010).signal, SIGKILL);
	end(&u, true, SIGKILL, 5020);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_TIMEOUT);
	bring_up(&u, &defaults);
	tell(&u, UNIT_EV_LEAVING, 10);
	end(&u, false, 0, 20);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_CLEAN);
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
}
END_TEST

START_TEST(a_restart_starts_at_once_and_a_stop_takes_it_back)
{
	struct unit u;

	bring_up(&u, &defaults);
	ck_assert_int_eq(tell(&u, UNIT_EV_RESTART, 10).signal, SIGTERM);
	ck_assert(end(&u, false, 0, 20).spawn);
	ck_assert_uint_eq(u.incarnation, 2);
	ck_assert_uint_eq(u.restarts, 0);

	tell(&u, UNIT_EV_READY, 20);
	tell(&u, UNIT_EV_RESTART, 30);
	assert_idle(stop_within(&u, -1, 31));
	assert_idle(end(&u, false, 0, 40));
	ck_assert_int_eq(u.state, UNIT_INACTIVE);

	tell(&u, UNIT_EV_START, 50);
	stop_within(&u, -1, 60);
	assert_idle(tell(&u, UNIT_EV_START, 61)); /* waits for the old one */
	ck_assert(end(&u, false, 0, 70).spawn);
}
END_TEST

START_TEST(a_failed_spawn_is_a_failed_start)
{
	struct unit_config config = defaults;
	struct unit u;

	unit_init(&u, &config, 0);
	tell(&u, UNIT_EV_START, 0);
	assert_idle(tell(&u, UNIT_EV_SPAWN_FAILED, 0));
	ck_assert_int_eq(u.state, UNIT_BACKOFF);
	ck_assert_int_eq(u.cause, UNIT_CAUSE_RESOURCES);
	config.restart = UNIT_RESTART_NO;
	unit_init(&u, &config, 0);
	tell(&u, UNIT_EV_START, 0);
	tell(&u, UNIT_EV_SPAWN_FAILED, 0);
	ck_assert_int_eq(u.state, UNIT_FAILED);
	ck_assert_int_eq(unit_exit_code(&u), 1);
}
END_TEST

START_TEST(news_of_an_older_incarnation_change_nothing)
{
	struct unit before, u;

	bring_up(&u, &defaults);
	end(&u, false, 1, 5);
	tell(&u, UNIT_EV_TICK, u.deadline_ms);
	before = u;
	for (int type = UNIT_EV_EXECED; type < UNIT_EV__MAX; type++) {
		struct unit_event ev = { .type = (enum unit_event_type)type,
					 .incarnation = u.incarnation - 1,
					 .limit_ms = 99999 };

		assert_idle(unit_step(&u, &ev, 6000));
		ck_assert_mem_eq(&u, &before, sizeof(u));
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("unit");
	TCase *tc = tcase_create("cases");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, exec_is_up_once_executed_and_notify_once_ready);
	tcase_add_test(tc, restart_table);
	tcase_add_test(tc, causes_come_from_how_it_ended);
	tcase_add_test(tc, a_clean_end_before_ready_is_a_broken_protocol);
	tcase_add_test(tc, prevent_goes_before_force_and_force_before_restart);
	tcase_add_test(tc, delays_grow_as_systemd_has_them);
	tcase_add_test(tc, a_stable_run_resets_the_delay);
	tcase_add_test(tc, a_long_start_is_no_stable_run);
	tcase_add_test(tc, a_crash_loop_ends_at_the_limit);
	tcase_add_test(tc, the_limit_slides);
	tcase_add_test(tc, a_start_that_takes_too_long_is_stopped_then_killed);
	tcase_add_test(tc, extend_timeout_lengthens_and_is_bounded);
	tcase_add_test(tc, a_missed_watchdog_aborts_then_kills);
	tcase_add_test(tc, a_stall_gives_the_time_again);
	tcase_add_test(tc, a_stop_asks_then_kills_and_nothing_starts);
	tcase_add_test(tc, a_stop_takes_no_longer_than_its_limit);
	tcase_add_test(tc, a_stop_during_backoff_is_done_at_once);
	tcase_add_test(tc, leaving_by_itself_is_bounded_too);
	tcase_add_test(tc, a_restart_starts_at_once_and_a_stop_takes_it_back);
	tcase_add_test(tc, a_failed_spawn_is_a_failed_start);
	tcase_add_test(tc, news_of_an_older_incarnation_change_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
