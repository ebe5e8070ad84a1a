#include <check.h>
#include <stdlib.h>

#include "updater/confirmation.h"

#define A "203.0.113.7"
#define B "198.51.100.9"
#define UID "0c6f1d2e-0000-4000-8000-000000000001"

static struct confirmation c;
static int64_t now;

static struct address
address(const char *text)
{
	struct address a = { 0 };

	ck_assert(address_parse_text(text, &a));
	return a;
}

static void
see_of(const char *uid, int64_t epoch, int64_t sequence, const char *text, int64_t at)
{
	struct address a = address(text);

	confirmation_see(&c, uid, epoch, sequence, &a, at, now);
}

static void
see(int64_t epoch, int64_t sequence, const char *text, int64_t at)
{
	see_of(UID, epoch, sequence, text, at);
}

static void
hear(const char *uid, int64_t epoch, const char *text, int64_t ms)
{
	struct address a = address(text);

	confirmation_hear(&c, uid, epoch, &a, ms);
}

static void
start(void)
{
	now = 1000000;
	confirmation_init(&c);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	see(3, 10, A, 5000);
}

START_TEST(after_a_start_only_a_new_confirmation_counts)
{
	start();
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	now += 1000;
	see(3, 11, A, 5000); /* something else has changed */
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	now += 1000;
	see(3, 12, A, 6000);
	ck_assert_int_eq(confirmation_ms(&c), now);
	now += 1000;
	see(3, 13, A, 6000);
	ck_assert_int_eq(confirmation_ms(&c), now - 1000);
	see(4, 13, A, 6000); /* a new leader that has confirmed nothing */
	ck_assert_int_eq(confirmation_ms(&c), now - 1000);
}
END_TEST

START_TEST(an_older_state_changes_nothing)
{
	start();
	see(3, 12, A, 6000);
	now += 1000;
	see(3, 11, A, 5500);
	see(2, 99, B, 7000);
	ck_assert_int_eq(confirmation_ms(&c), now - 1000);
	see(3, 12, A, 6000);
	ck_assert_int_eq(confirmation_ms(&c), now - 1000);
}
END_TEST

START_TEST(another_address_needs_its_own)
{
	start();
	see(3, 12, A, 6000);
	see(3, 13, B, 6000);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	see(3, 14, B, 0);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	see(3, 15, A, 7000);
	ck_assert_int_eq(confirmation_ms(&c), now);
}
END_TEST

/* It happened at some time while nobody looked: it counts as old as it can be. */
START_TEST(what_moved_unseen_is_as_old_as_can_be)
{
	start();
	see(3, 11, A, 6000);
	now += 5000;
	confirmation_blind(&c, now);
	now += 60000;
	confirmation_blind(&c, now);
	see(3, 12, B, 7000);
	ck_assert_int_eq(confirmation_ms(&c), now - 60000);
	see(3, 13, B, 8000);
	ck_assert_int_eq(confirmation_ms(&c), now);
	confirmation_blind(&c, now);
	now += 60000;
	see(3, 13, B, 8000); /* nothing has moved */
	ck_assert_int_eq(confirmation_ms(&c), now - 60000);
	now += 1000;
	see(3, 14, B, 9000);
	ck_assert_int_eq(confirmation_ms(&c), now);
}
END_TEST

START_TEST(an_object_made_anew_says_nothing_of_rounds)
{
	start();
	see(3, 11, A, 6000);
	see_of("other", 1, 1, A, 6000); /* the same state, claimed again */
	ck_assert_int_eq(confirmation_ms(&c), now);
	see_of("third", 1, 1, A, 6500);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	see_of("third", 1, 2, A, 7000);
	ck_assert_int_eq(confirmation_ms(&c), now);
	see_of("fourth", 1, 1, B, 7000);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
}
END_TEST

START_TEST(the_own_detector_is_believed_when_the_object_says_the_same)
{
	start();
	hear(UID, 3, B, now);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	hear(UID, 4, A, now);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	hear("other", 3, A, now);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
	hear(UID, 3, A, now - 70);
	ck_assert_int_eq(confirmation_ms(&c), now - 70);
	/* heard before it is seen */
	hear(UID, 3, B, now);
	see(3, 11, B, 5000);
	ck_assert_int_eq(confirmation_ms(&c), now);
	now += 1000;
	see(3, 12, B, 6000);
	ck_assert_int_eq(confirmation_ms(&c), now);
	hear(UID, 3, B, CONFIRMATION_NEVER);
	ck_assert_int_eq(confirmation_ms(&c), now);
}
END_TEST

START_TEST(nothing_published_is_never_confirmed)
{
	struct address none = { .family = ADDRESS_NONE };

	start();
	see(3, 11, A, 6000);
	confirmation_see(&c, UID, 3, 12, &none, 7000, now);
	ck_assert_int_eq(confirmation_ms(&c), CONFIRMATION_NEVER);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("confirmation");
	TCase *tc = tcase_create("confirmation");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, after_a_start_only_a_new_confirmation_counts);
	tcase_add_test(tc, an_older_state_changes_nothing);
	tcase_add_test(tc, another_address_needs_its_own);
	tcase_add_test(tc, what_moved_unseen_is_as_old_as_can_be);
	tcase_add_test(tc, an_object_made_anew_says_nothing_of_rounds);
	tcase_add_test(tc, the_own_detector_is_believed_when_the_object_says_the_same);
	tcase_add_test(tc, nothing_published_is_never_confirmed);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
