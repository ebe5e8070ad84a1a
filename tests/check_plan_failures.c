#include "tests/plan_story.h"

START_TEST(passing_failures_back_off_to_five_minutes)
{
	static const int64_t delays[] = { 2000,  4000,   8000,   16000,  32000,
					  64000, 128000, 256000, 300000, 300000 };
	struct plan_actions actions;

	reach_sync();
	read_is_due_in(INTERVAL);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		actions = fails(PLAN_EV_READ, PROVIDER_TRANSIENT, -1, false);
		ck_assert_int_eq(actions.notes & PLAN_NOTE_FAILING, i ? 0 : PLAN_NOTE_FAILING);
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_RETRYING);
		ck_assert_str_eq(plan_error(&plan), "a sentence");
		read_is_due_in(delays[i]);
	}
	actions = read_as(A, 300);
	ck_assert(actions.notes & PLAN_NOTE_RECOVERED);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	ck_assert_str_eq(plan_error(&plan), "");
}
END_TEST

START_TEST(jitter_shortens_by_a_quarter_at_most)
{
	struct provider_result r = { .outcome = PROVIDER_TRANSIENT, .retry_after_ms = -1 };
	bool shortened = false;

	for (uint32_t jitter = 0; jitter < 5000; jitter += 7) {
		int64_t delay;

		start();
		tick();
		plan_step(&plan,
			  &(struct plan_event){
				  .kind = PLAN_EV_READ, .result = &r, .jitter = jitter },
			  now);
		delay = plan_next_deadline(&plan) - now;
		ck_assert_int_ge(delay, 1500);
		ck_assert_int_le(delay, 2000);
		shortened = shortened || delay < 1600;
	}
	ck_assert(shortened);
}
END_TEST

START_TEST(obeys_retry_after_whatever_is_asked_for)
{
	reach_sync();
	read_is_due_in(INTERVAL);
	fails(PLAN_EV_READ, PROVIDER_TRANSIENT, 17000, false);
	now += 1000;
	check_now();
	news(B);
	plan_configure(&plan, &settings, now);
	read_is_due_in(16000);
	writes(read_as(A, 300), B);
	fails(PLAN_EV_WRITTEN, PROVIDER_TRANSIENT, 0, false);
	read_is_due_in(2000);
	fails(PLAN_EV_READ, PROVIDER_TRANSIENT, INT64_MAX / 2, false);
	read_is_due_in(3600 * 1000);
}
END_TEST

START_TEST(attention_retries_slowly_and_recovers)
{
	static const int64_t delays[] = { 60000, 120000, 240000, INTERVAL, INTERVAL };
	struct plan_actions actions;

	start();
	news(A);
	read_is_due_in(0);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		actions = fails(PLAN_EV_READ, PROVIDER_ATTENTION, -1, false);
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_ATTENTION);
		news(A); /* the same again is no reason to ask again */
		read_is_due_in(delays[i]);
	}
	actions = read_as(B, 300);
	writes(actions, A);
	ck_assert(actions.notes & PLAN_NOTE_RECOVERED);
}
END_TEST

START_TEST(attention_is_tried_again_when_asked_for)
{
	start();
	news(A);
	read_is_due_in(0);
	fails(PLAN_EV_READ, PROVIDER_ATTENTION, -1, false);
	now += 10;
	check_now();
	read_is_due_in(0);
	/* a cure that comes while the old request is under way */
	check_now();
	fails(PLAN_EV_READ, PROVIDER_ATTENTION, -1, false);
	read_is_due_in(0);
	fails(PLAN_EV_READ, PROVIDER_ATTENTION, -1, false);
	ck_assert_int_gt(plan_next_deadline(&plan), now + 60000);
}
END_TEST

START_TEST(failures_of_writes_back_off_although_reads_succeed)
{
	static const int64_t delays[] = { 2000, 4000, 8000, 16000 };

	reach_write();
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		fails(PLAN_EV_WRITTEN, PROVIDER_TRANSIENT, -1, false);
		read_is_due_in(delays[i]);
		writes(read_as(B, 300), A);
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_RETRYING);
	}
	ck_assert_int_eq(written().request, PLAN_REQUEST_READ);
	ck_assert(read_as(A, 300).notes & PLAN_NOTE_RECOVERED);
}
END_TEST

START_TEST(a_write_that_does_not_show_is_a_failure)
{
	static const int64_t delays[] = { 2000, 4000, 8000 };

	reach_write();
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		written();
		ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_RETRYING);
		ck_assert_str_eq(plan_error_type(&plan), "read-back");
		read_is_due_in(delays[i]);
		writes(read_as(B, 300), A);
	}
}
END_TEST

START_TEST(a_write_that_may_land_is_looked_after)
{
	reach_write();
	fails(PLAN_EV_WRITTEN, PROVIDER_TRANSIENT, -1, true);
	now += 10;
	news(B); /* which is what the provider has: in sync, until the old write lands */
	read_is_due_in(0);
	read_as(B, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	read_is_due_in(4990);
	read_as(B, 300);
	read_is_due_in(25000);
	writes(read_as(A, 300), B);
	written();
	read_as(B, 300);
	read_is_due_in(30000);
	read_as(B, 300);
	read_is_due_in(INTERVAL);
}
END_TEST

START_TEST(late_checks_do_not_shorten_the_backoff_of_writes)
{
	struct provider_result r = { .outcome = PROVIDER_TRANSIENT, .retry_after_ms = -1 };

	reach_write();
	r.may_land = true;
	for (int i = 0; i < 6; i++) {
		end(PLAN_EV_WRITTEN, &r);
		for (int64_t failed = now, delay = 2000 << i;;) {
			struct plan_actions actions;

			now = plan_next_deadline(&plan);
			ck_assert_int_eq(tick().request, PLAN_REQUEST_READ);
			actions = read_as(B, 300);
			if (actions.request == PLAN_REQUEST_WRITE) {
				ck_assert_int_eq(now - failed, delay);
				break;
			}
			ck_assert_int_lt(now - failed, delay);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("plan_failures");
	TCase *tc = tcase_create("plan_failures");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, passing_failures_back_off_to_five_minutes);
	tcase_add_test(tc, jitter_shortens_by_a_quarter_at_most);
	tcase_add_test(tc, obeys_retry_after_whatever_is_asked_for);
	tcase_add_test(tc, attention_retries_slowly_and_recovers);
	tcase_add_test(tc, attention_is_tried_again_when_asked_for);
	tcase_add_test(tc, failures_of_writes_back_off_although_reads_succeed);
	tcase_add_test(tc, a_write_that_does_not_show_is_a_failure);
	tcase_add_test(tc, a_write_that_may_land_is_looked_after);
	tcase_add_test(tc, late_checks_do_not_shorten_the_backoff_of_writes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
