#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/follow.h"

static struct msg_wan
news(const char *uid, int64_t epoch, int64_t sequence)
{
	struct msg_wan w = { .epoch = epoch, .sequence = sequence };

	snprintf(w.uid, sizeof(w.uid), "%s", uid);
	return w;
}

static enum follow_verdict
judge(struct follow *f, const char *uid, int64_t epoch, int64_t sequence, bool authoritative)
{
	struct msg_wan w = news(uid, epoch, sequence);

	return follow_judge(f, &w, authoritative);
}

START_TEST(only_newer_numbers_are_new)
{
	struct follow f;

	follow_init(&f);
	ck_assert_int_eq(judge(&f, "a", 3, 5, true), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "a", 3, 5, true), FOLLOW_SAME);
	ck_assert_int_eq(judge(&f, "a", 3, 5, false), FOLLOW_SAME);
	ck_assert_int_eq(judge(&f, "a", 3, 4, true), FOLLOW_OLD);
	ck_assert_int_eq(judge(&f, "a", 2, 99, false), FOLLOW_OLD);
	ck_assert_int_eq(judge(&f, "a", 3, 6, false), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "a", 4, 0, false), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "a", 3, 7, true), FOLLOW_OLD);
}
END_TEST

START_TEST(only_ones_own_read_changes_the_uid)
{
	struct follow f;

	follow_init(&f);
	ck_assert_int_eq(judge(&f, "a", 1, 1, false), FOLLOW_FOREIGN);
	ck_assert_str_eq(f.uid, "");
	ck_assert_int_eq(judge(&f, "a", 9, 9, true), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "b", 10, 10, false), FOLLOW_FOREIGN);
	ck_assert_str_eq(f.uid, "a");
	/* the object was made anew: lower numbers count from here on */
	ck_assert_int_eq(judge(&f, "b", 1, 0, true), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "b", 1, 1, false), FOLLOW_NEW);
	ck_assert_int_eq(judge(&f, "a", 11, 0, false), FOLLOW_FOREIGN);
}
END_TEST

/*
 * Whatever comes: what is taken never goes back for one uid (I5), and the uid
 * changes by authority only. The loop's number is the seed.
 */
START_TEST(what_is_taken_is_monotonic)
{
	struct follow f, before;

	srandom((unsigned)_i);
	follow_init(&f);
	for (int n = 0; n < 3000; n++) {
		const char *uid = random() % 4 ? "a" : "b";
		bool authoritative = random() % 3 == 0;
		int64_t epoch = 1 + random() % 20, sequence = random() % 20;
		enum follow_verdict verdict;

		before = f;
		verdict = judge(&f, uid, epoch, sequence, authoritative);
		if (verdict != FOLLOW_NEW) {
			ck_assert_mem_eq(&before, &f, sizeof(f));
			continue;
		}
		ck_assert_str_eq(f.uid, uid);
		ck_assert_int_eq(f.epoch, epoch);
		ck_assert_int_eq(f.sequence, sequence);
		if (strcmp(before.uid, uid) != 0)
			ck_assert(authoritative);
		else
			ck_assert(epoch > before.epoch ||
				  (epoch == before.epoch && sequence > before.sequence));
	}
}
END_TEST

START_TEST(verdicts_have_names)
{
	ck_assert_str_eq(follow_verdict_name(FOLLOW_NEW), "new");
	ck_assert_str_eq(follow_verdict_name(FOLLOW_SAME), "same");
	ck_assert_str_eq(follow_verdict_name(FOLLOW_OLD), "old");
	ck_assert_str_eq(follow_verdict_name(FOLLOW_FOREIGN), "foreign");
}
END_TEST

START_TEST(what_was_seen_before_the_newest_is_past)
{
	struct follow_past p = { .newest = 0 };
	char version[16];

	ck_assert(!follow_is_past(&p, ""));
	ck_assert(!follow_is_past(&p, "7"));
	follow_note_version(&p, "7");
	ck_assert(!follow_is_past(&p, "7"));
	follow_note_version(&p, "9");
	follow_note_version(&p, "9");
	ck_assert(follow_is_past(&p, "7"));
	ck_assert(!follow_is_past(&p, "9"));
	/* never seen: it may be newer, whatever its number */
	ck_assert(!follow_is_past(&p, "8"));
	/* a read was faster than the watch, which shows both: the later one is the newest again */
	follow_note_version(&p, "11");
	follow_note_version(&p, "10");
	follow_note_version(&p, "11");
	ck_assert(follow_is_past(&p, "10"));
	ck_assert(!follow_is_past(&p, "11"));
	for (unsigned i = 0; i < FOLLOW_PAST_MAX - 1; i++) {
		ck_assert(follow_is_past(&p, "10"));
		snprintf(version, sizeof(version), "%u", 100 + i);
		follow_note_version(&p, version);
	}
	ck_assert(!follow_is_past(&p, "10"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("follow");
	TCase *tc = tcase_create("follow");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, only_newer_numbers_are_new);
	tcase_add_test(tc, only_ones_own_read_changes_the_uid);
	tcase_add_loop_test(tc, what_is_taken_is_monotonic, 0, 20);
	tcase_add_test(tc, verdicts_have_names);
	tcase_add_test(tc, what_was_seen_before_the_newest_is_past);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
