/* The plan where a cluster decides who writes: permits, and a node that is passive. */
#include "tests/plan_story.h"

static struct plan_settings
with_permit(void)
{
	struct plan_settings s = settings;

	s.permit = true;
	return s;
}

static struct plan_actions
answered(bool granted, const char *sentence)
{
	return plan_step(&plan,
			 &(struct plan_event){
				 .kind = PLAN_EV_PERMIT, .granted = granted, .sentence = sentence },
			 now);
}

static void
asks(struct plan_actions actions, const char *value)
{
	struct address wanted = address(value);

	ck_assert_int_eq(actions.request, PLAN_REQUEST_PERMIT);
	ck_assert(address_equal(plan_value(&plan), &wanted));
	ck_assert(!actions.ended);
	ck_assert_int_eq(plan_next_deadline(&plan), CLOCK_NEVER);
}

/* From a fresh start to a permit that is asked for A. */
static void
reach_question(void)
{
	struct plan_settings s = with_permit();

	start_with(&s);
	news(A);
	read_is_due_in(0);
	asks(read_as(B, 300), A);
}

START_TEST(a_granted_permit_is_followed_by_the_write)
{
	struct plan_actions actions;

	reach_question();
	ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
	now += 50;
	actions = answered(true, "");
	writes(actions, A);
	ck_assert(actions.notes & PLAN_NOTE_DIFFERS);
	ck_assert_int_eq(written().request, PLAN_REQUEST_READ);
	now += 50;
	actions = read_as(A, 300);
	ck_assert(actions.ended);
	ck_assert_int_eq(actions.took_ms, 100);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(a_refused_permit_holds_with_its_sentence)
{
	struct plan_actions actions;

	reach_question();
	actions = answered(false, "not written here: another node writes it");
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert(actions.ended && actions.report);
	ck_assert_uint_eq(actions.notes, PLAN_NOTE_HELD);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
	ck_assert_str_eq(plan_error(&plan), "not written here: another node writes it");
	ck_assert_str_eq(plan_error_type(&plan), "not-permitted");
	/* asked again soon, and then less often */
	for (int64_t ms = 2000; ms <= 16000; ms *= 2) {
		read_is_due_in(ms);
		asks(read_as(B, 300), A);
		answered(false, "not written here: another node writes it");
	}
	read_is_due_in(32000);
	asks(read_as(B, 300), A);
	writes(answered(true, ""), A);
}
END_TEST

START_TEST(a_check_asked_for_meanwhile_follows_a_refusal_at_once)
{
	reach_question();
	check_now();
	answered(false, "no");
	read_is_due_in(0);
	ck_assert_int_eq(read_as(A, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_next_deadline(&plan), now + INTERVAL);
}
END_TEST

START_TEST(a_permit_is_only_for_what_was_asked)
{
	struct address asked = address(A);
	struct plan_actions actions;

	reach_question();
	ck_assert_int_eq(news(B).request, PLAN_REQUEST_NONE);
	ck_assert(address_equal(plan_value(&plan), &asked));
	actions = answered(true, "");
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert(actions.ended);
	read_is_due_in(0);
	ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(a_permit_that_comes_when_the_confirmation_is_old_writes_nothing)
{
	reach_question();
	now += FRESH + 1;
	ck_assert_int_eq(answered(true, "").request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
	ck_assert_str_eq(plan_error_type(&plan), "unconfirmed");
}
END_TEST

START_TEST(a_permit_after_a_change_to_observing_writes_nothing)
{
	struct plan_settings s = with_permit();

	reach_question();
	s.observe = true;
	plan_configure(&plan, &s, now);
	ck_assert_int_eq(answered(true, "").request, PLAN_REQUEST_NONE);
	read_is_due_in(0);
	read_as(B, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_OBSERVED);
}
END_TEST

START_TEST(a_stray_permit_means_nothing)
{
	reach_sync();
	ck_assert_int_eq(answered(true, "").request, PLAN_REQUEST_NONE);
	read_is_due_in(INTERVAL);
	ck_assert_int_eq(answered(true, "").request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(read_as(A, 300).request, PLAN_REQUEST_NONE);
}
END_TEST

/* Each write needs its own. */
START_TEST(a_repeated_write_is_asked_for_again)
{
	reach_question();
	writes(answered(true, ""), A);
	fails(PLAN_EV_WRITTEN, PROVIDER_TRANSIENT, -1, false);
	now = plan_next_deadline(&plan);
	ck_assert_int_eq(tick().request, PLAN_REQUEST_READ);
	asks(read_as(B, 300), A);
}
END_TEST

START_TEST(a_passive_plan_begins_nothing)
{
	struct plan_settings s = with_permit();

	s.passive = true;
	start_with(&s);
	news(A);
	check_now();
	ck_assert_int_eq(plan_next_deadline(&plan), CLOCK_NEVER);
	now += 10 * INTERVAL;
	ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
	plan_set_passive(&plan, false);
	ck_assert_int_le(plan_next_deadline(&plan), now);
	ck_assert_int_eq(tick().request, PLAN_REQUEST_READ);
	/* what is under way ends as ever, and may ask */
	plan_set_passive(&plan, true);
	news(A);
	asks(read_as(B, 300), A);
	writes(answered(true, ""), A);
	ck_assert_int_eq(written().request, PLAN_REQUEST_READ);
	read_as(A, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	ck_assert_int_eq(plan_next_deadline(&plan), CLOCK_NEVER);
	/* and nothing that waited is made up for */
	plan_set_passive(&plan, false);
	ck_assert_int_eq(plan_next_deadline(&plan), now + INTERVAL);
}
END_TEST

START_TEST(the_end_of_a_check_is_told_once)
{
	struct plan_settings s = with_permit();

	start_with(&s);
	ck_assert(!news(A).ended);
	ck_assert(!tick().ended);
	ck_assert(read_as(A, 300).ended);
	ck_assert(!read_as(A, 300).ended);
	now += INTERVAL;
	tick();
	ck_assert(fails(PLAN_EV_READ, PROVIDER_TRANSIENT, -1, false).ended);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("plan_permit");
	TCase *tc = tcase_create("plan_permit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_granted_permit_is_followed_by_the_write);
	tcase_add_test(tc, a_refused_permit_holds_with_its_sentence);
	tcase_add_test(tc, a_check_asked_for_meanwhile_follows_a_refusal_at_once);
	tcase_add_test(tc, a_permit_is_only_for_what_was_asked);
	tcase_add_test(tc, a_permit_that_comes_when_the_confirmation_is_old_writes_nothing);
	tcase_add_test(tc, a_permit_after_a_change_to_observing_writes_nothing);
	tcase_add_test(tc, a_stray_permit_means_nothing);
	tcase_add_test(tc, a_repeated_write_is_asked_for_again);
	tcase_add_test(tc, a_passive_plan_begins_nothing);
	tcase_add_test(tc, the_end_of_a_check_is_told_once);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
