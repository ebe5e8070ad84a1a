#include "tests/plan_story.h"

/* --- the ordinary course ---------------------------------------------------------- */

START_TEST(reads_at_the_start_and_only_then_says_in_sync)
{
	struct plan_actions actions;

	start();
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_UNKNOWN);
	read_is_due_in(0);
	actions = read_as(A, 300);
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_UNKNOWN);
	actions = news(A);
	ck_assert(actions.report);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_WORKING);
	read_is_due_in(0);
	actions = read_as(A, 300);
	ck_assert(actions.notes & PLAN_NOTE_IN_SYNC);
	ck_assert_int_eq(actions.took_ms, -1);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	ck_assert_int_eq(plan_next_deadline(&plan), now + INTERVAL);
}
END_TEST

START_TEST(writes_a_change_and_reads_it_back)
{
	struct plan_actions actions;

	reach_sync();
	now += 1000;
	actions = news(B);
	ck_assert(actions.report);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_WORKING);
	read_is_due_in(0);
	now += 100;
	actions = read_as(A, 300);
	writes(actions, B);
	ck_assert(actions.notes & PLAN_NOTE_DIFFERS);
	ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
	now += 200;
	actions = written();
	ck_assert_int_eq(actions.request, PLAN_REQUEST_READ);
	ck_assert(actions.notes & PLAN_NOTE_WRITTEN);
	ck_assert_int_ne(plan_state(&plan), MSG_RECORD_IN_SYNC);
	now += 300;
	actions = read_as(B, 300);
	ck_assert_int_eq(actions.took_ms, 600);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	ck_assert_int_eq(plan_next_deadline(&plan), now + INTERVAL);
}
END_TEST

START_TEST(creates_a_missing_record)
{
	start();
	news(A);
	read_is_due_in(0);
	writes(read_as(NULL, 0), A);
	written();
	read_as(A, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

static const struct {
	const char *values[3];
	int64_t ttl;
	bool in_sync;
} found[] = {
	{ { A }, 300, true },
	{ { A, A }, 300, true },
	{ { A }, 10800, false },
	{ { B }, 300, false },
	{ { A, B }, 300, false },
	{ { B, A, A }, 300, false },
	{ { "(not an address)" }, 300, false },
	{ { A " " }, 300, false },
	{ { NULL }, 300, false },
};

START_TEST(repairs_drift_at_the_periodic_check)
{
	struct provider_result r = { .retry_after_ms = -1 };
	struct plan_actions actions;

	reach_sync();
	now += 1000;
	news(A);
	ck_assert_int_eq(plan_next_deadline(&plan), now - 1000 + INTERVAL);
	read_is_due_in(INTERVAL - 1000);
	r.record.exists = true;
	r.record.ttl = found[_i].ttl;
	for (size_t i = 0; i < 3 && found[_i].values[i]; i++) {
		strcpy(r.record.values[i], found[_i].values[i]);
		r.record.nvalues = r.record.total = i + 1;
	}
	actions = end(PLAN_EV_READ, &r);
	if (found[_i].in_sync) {
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
		ck_assert_uint_eq(actions.notes, PLAN_NOTE_READ);
	} else
		writes(actions, A);
}
END_TEST

START_TEST(more_values_than_are_kept_are_drift)
{
	struct provider_result r = record(A, 300);

	reach_sync();
	read_is_due_in(INTERVAL);
	r.record.total = 2;
	writes(end(PLAN_EV_READ, &r), A);
}
END_TEST

START_TEST(compares_ipv6_as_addresses)
{
	struct plan_settings s = settings;

	s.family = ADDRESS_IPV6;
	start_with(&s);
	news("2001:db8::7");
	read_is_due_in(0);
	read_as("2001:0DB8:0:0::7", 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(news_of_another_family_is_no_address)
{
	start();
	news("2001:db8::7");
	read_is_due_in(0);
	ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_UNKNOWN);
}
END_TEST

/* --- news while something is under way ------------------------------------------------ */

START_TEST(news_during_a_read_is_compared_at_once)
{
	reach_sync();
	read_is_due_in(INTERVAL);
	news(B);
	writes(read_as(A, 300), B);
}
END_TEST

START_TEST(news_during_a_write_is_planned_after_it)
{
	reach_write();
	ck_assert_int_eq(news(B).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(written().request, PLAN_REQUEST_READ);
	writes(read_as(A, 300), B);
	written();
	read_as(B, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(news_during_a_write_that_fails_is_tried_at_once)
{
	reach_write();
	news(B);
	fails(PLAN_EV_WRITTEN, PROVIDER_ATTENTION, -1, false);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_ATTENTION);
	read_is_due_in(0);
	read_as(B, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(stray_answers_mean_nothing)
{
	reach_sync();
	ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(written().request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	read_is_due_in(INTERVAL);
	ck_assert_int_eq(written().request, PLAN_REQUEST_NONE);
}
END_TEST

/* --- confirmation ------------------------------------------------------------------------ */

START_TEST(writes_nothing_that_no_round_confirmed)
{
	struct plan_actions actions;

	start();
	news_confirmed(A, PLAN_NEVER);
	read_is_due_in(0);
	actions = read_as(B, 300);
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert(actions.notes & PLAN_NOTE_HELD);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
	ck_assert_ptr_nonnull(strstr(plan_error(&plan), "no round of the detector"));
	now += 5000;
	news(A);
	read_is_due_in(0);
	writes(read_as(B, 300), A);
}
END_TEST

START_TEST(holds_when_the_confirmation_is_too_old)
{
	reach_sync();
	news_confirmed(A, now - FRESH + INTERVAL); /* older than what is known */
	ck_assert(plan_fresh(&plan, now + FRESH));
	ck_assert(!plan_fresh(&plan, now + FRESH + 1));
	now += FRESH + 1;
	ck_assert_int_eq(tick().request, PLAN_REQUEST_READ);
	ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
	ck_assert_ptr_nonnull(strstr(plan_error(&plan), "older than"));
	ck_assert_str_eq(plan_error_type(&plan), "unconfirmed");
	/* said once */
	read_is_due_in(INTERVAL);
	ck_assert_uint_eq(read_as(B, 300).notes, PLAN_NOTE_READ);
	news_confirmed(A, now - 1);
	read_is_due_in(0);
	writes(read_as(B, 300), A);
}
END_TEST

START_TEST(a_right_record_stays_in_sync_without_confirmation)
{
	reach_sync();
	now += 10 * FRESH;
	tick();
	read_as(A, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(holds_when_nothing_is_published_any_more)
{
	reach_sync();
	news(NULL);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
	read_is_due_in(INTERVAL);
	ck_assert_int_eq(read_as(B, 300).request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
}
END_TEST

static const struct {
	const char *text;
	bool refused;
} unusual[] = {
	{ "0.0.0.0", true },
	{ "0.1.2.3", true },
	{ "127.0.0.1", true },
	{ "127.255.255.255", true },
	{ "224.0.0.1", true },
	{ "239.255.255.255", true },
	{ "240.0.0.1", true },
	{ "255.255.255.255", true },
	{ "::", true },
	{ "::1", true },
	{ "ff02::1", true },
	{ "10.0.0.1", false },
	{ "192.168.0.1", false },
	{ "128.0.0.1", false },
	{ "223.255.255.255", false },
	{ "::2", false },
	{ "fd00::1", false },
};

/* A laboratory may publish what is reserved, but never what no host can have. */
START_TEST(never_writes_what_cannot_be_a_host)
{
	struct plan_settings s = settings;
	struct plan_actions actions;

	s.family = address(unusual[_i].text).family;
	start_with(&s);
	news(unusual[_i].text);
	read_is_due_in(0);
	actions = read_as(NULL, 0);
	if (unusual[_i].refused) {
		ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
		ck_assert_int_eq(plan_state(&plan), MSG_RECORD_HELD);
		ck_assert_ptr_nonnull(strstr(plan_error(&plan), unusual[_i].text));
	} else
		writes(actions, unusual[_i].text);
}
END_TEST

/* --- settings ------------------------------------------------------------------------------- */

START_TEST(observing_never_writes)
{
	struct plan_settings s = settings;
	struct plan_actions actions;

	s.observe = true;
	start_with(&s);
	news(A);
	read_is_due_in(0);
	actions = read_as(B, 300);
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert(actions.notes & PLAN_NOTE_WOULD_WRITE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_OBSERVED);
	read_is_due_in(INTERVAL);
	ck_assert_uint_eq(read_as(B, 300).notes, PLAN_NOTE_READ);
	read_is_due_in(INTERVAL);
	read_as(A, 300);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(observing_without_a_token_asks_nothing)
{
	struct plan_settings s = settings;

	s.observe = true;
	s.can_read = false;
	start_with(&s);
	ck_assert(news(A).report);
	check_now();
	ck_assert_int_eq(plan_next_deadline(&plan), CLOCK_NEVER);
	ck_assert_int_eq(tick().request, PLAN_REQUEST_NONE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_OBSERVED);
	ck_assert_ptr_nonnull(strstr(plan_error(&plan), "no token"));
	plan_configure(&plan, &settings, now);
	read_is_due_in(0);
}
END_TEST

START_TEST(dry_run_says_what_it_would_write)
{
	struct plan_settings s = settings;
	struct plan_actions actions;

	s.dry_run = true;
	start_with(&s);
	news_confirmed(A, PLAN_NEVER);
	read_is_due_in(0);
	actions = read_as(NULL, 0);
	ck_assert_int_eq(actions.request, PLAN_REQUEST_NONE);
	ck_assert(actions.notes & PLAN_NOTE_WOULD_WRITE);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_OBSERVED);
	news(B);
	read_is_due_in(0);
	ck_assert(read_as(NULL, 0).notes & PLAN_NOTE_WOULD_WRITE);
}
END_TEST

START_TEST(a_new_ttl_is_written_at_once)
{
	struct plan_settings s = settings;

	reach_sync();
	s.ttl = 600;
	plan_configure(&plan, &s, now);
	ck_assert_int_ne(plan_state(&plan), MSG_RECORD_IN_SYNC);
	read_is_due_in(0);
	writes(read_as(A, 300), A);
	/* and once more, while the write is under way */
	s.ttl = 900;
	plan_configure(&plan, &s, now);
	written();
	writes(read_as(A, 600), A);
	written();
	read_as(A, 900);
	ck_assert_int_eq(plan_state(&plan), MSG_RECORD_IN_SYNC);
}
END_TEST

START_TEST(a_check_that_is_asked_for_during_a_read_follows_it)
{
	reach_sync();
	read_is_due_in(INTERVAL);
	check_now();
	read_as(A, 300);
	read_is_due_in(0);
	read_as(A, 300);
	ck_assert_int_eq(plan_next_deadline(&plan), now + INTERVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tc = tcase_create("plan");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, reads_at_the_start_and_only_then_says_in_sync);
	tcase_add_test(tc, writes_a_change_and_reads_it_back);
	tcase_add_test(tc, creates_a_missing_record);
	tcase_add_loop_test(tc, repairs_drift_at_the_periodic_check, 0, COUNT(found));
	tcase_add_test(tc, more_values_than_are_kept_are_drift);
	tcase_add_test(tc, compares_ipv6_as_addresses);
	tcase_add_test(tc, news_of_another_family_is_no_address);
	tcase_add_test(tc, news_during_a_read_is_compared_at_once);
	tcase_add_test(tc, news_during_a_write_is_planned_after_it);
	tcase_add_test(tc, news_during_a_write_that_fails_is_tried_at_once);
	tcase_add_test(tc, stray_answers_mean_nothing);
	tcase_add_test(tc, writes_nothing_that_no_round_confirmed);
	tcase_add_test(tc, holds_when_the_confirmation_is_too_old);
	tcase_add_test(tc, a_right_record_stays_in_sync_without_confirmation);
	tcase_add_test(tc, holds_when_nothing_is_published_any_more);
	tcase_add_loop_test(tc, never_writes_what_cannot_be_a_host, 0, COUNT(unusual));
	tcase_add_test(tc, observing_never_writes);
	tcase_add_test(tc, observing_without_a_token_asks_nothing);
	tcase_add_test(tc, dry_run_says_what_it_would_write);
	tcase_add_test(tc, a_new_ttl_is_written_at_once);
	tcase_add_test(tc, a_check_that_is_asked_for_during_a_read_follows_it);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
