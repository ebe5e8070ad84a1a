#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "updater/token.h"

static char dir[] = "/tmp/check_token.XXXXXX";
static char path[64], other[64];

static void
make_dir(void)
{
	memcpy(strrchr(dir, '.'), ".XXXXXX", 7);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/token", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
}

static void
remove_dir(void)
{
	unlink(path);
	unlink(other);
	rmdir(dir);
}

static void
put(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void
put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

START_TEST(secret_wins_over_the_file)
{
	struct token *t;

	put_text(path, "from-file");
	t = token_new("handed-over", path);
	ck_assert_str_eq(token_value(t), "handed-over");
	ck_assert(!token_is_file(t));
	ck_assert(!token_refresh(t));
	token_free(t);
	t = token_new("two words", path);
	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "GANDI_API_KEY"));
	ck_assert_ptr_null(strstr(token_trouble(t), "two words"));
	token_free(t);
}
END_TEST

START_TEST(says_that_there_is_none)
{
	struct token *t = token_new(NULL, NULL);

	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "provider.token_file"));
	token_free(t);
}
END_TEST

START_TEST(reads_the_file_again_only_when_it_changed)
{
	struct token *t;

	put_text(path, " \t first\r\n\n");
	t = token_new(NULL, path);
	ck_assert_str_eq(token_value(t), "first");
	ck_assert_str_eq(token_trouble(t), "");
	ck_assert(!token_refresh(t));
	put_text(path, "second-one\n");
	ck_assert(token_refresh(t));
	ck_assert_str_eq(token_value(t), "second-one");
	ck_assert(!token_refresh(t));
	/* a swap as Kubernetes and careful editors do it */
	put_text(other, "third");
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert(token_refresh(t));
	ck_assert_str_eq(token_value(t), "third");
	/* the same text in another file is no change */
	put_text(other, "third\n");
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert(!token_refresh(t));
	token_free(t);
}
END_TEST

START_TEST(keeps_the_old_one_while_the_file_is_of_no_use)
{
	struct token *t;

	put_text(path, "good");
	t = token_new(NULL, path);
	unlink(path);
	ck_assert(!token_refresh(t));
	ck_assert_str_eq(token_value(t), "good");
	ck_assert_ptr_nonnull(strstr(token_trouble(t), path));
	put_text(path, "");
	ck_assert(!token_refresh(t));
	ck_assert_str_eq(token_value(t), "good");
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "is empty"));
	put_text(path, "better");
	ck_assert(token_refresh(t));
	ck_assert_str_eq(token_value(t), "better");
	ck_assert_str_eq(token_trouble(t), "");
	token_free(t);
}
END_TEST

START_TEST(takes_a_file_that_comes_later)
{
	struct token *t = token_new(NULL, path);

	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "No such file"));
	put_text(path, "late");
	ck_assert(token_refresh(t));
	ck_assert_str_eq(token_value(t), "late");
	token_free(t);
}
END_TEST

static const struct {
	const char *data;
	size_t len;
} refused[] = {
	{ "", 0 },
	{ " \n\t\r\n", 5 },
	{ "two words", 9 },
	{ "a\r\nX-Injected: b", 16 },
	{ "nul\0inside", 10 },
	{ "\0", 1 },
	{ "caf\xc3\xa9", 5 },
	{ "del\x7f", 4 },
	{ "\xef\xbb\xbfmark", 7 },
};

START_TEST(refuses_what_cannot_be_a_token)
{
	struct token *t;

	put(path, refused[_i].data, refused[_i].len);
	t = token_new(NULL, path);
	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), path));
	if (refused[_i].len > 3)
		ck_assert_ptr_null(strstr(token_trouble(t), "Injected"));
	token_free(t);
}
END_TEST

START_TEST(refuses_a_large_file_and_takes_the_largest)
{
	char text[TOKEN_SIZE_MAX + 1];
	struct token *t;

	memset(text, 'x', sizeof(text));
	put(path, text, sizeof(text));
	t = token_new(NULL, path);
	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "too large"));
	put(path, text, TOKEN_SIZE_MAX);
	ck_assert(token_refresh(t));
	ck_assert_uint_eq(strlen(token_value(t)), TOKEN_SIZE_MAX);
	token_free(t);
}
END_TEST

/* A FIFO without a writer would block a careless open() for ever. */
START_TEST(refuses_what_is_no_file)
{
	struct token *t;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	t = token_new(NULL, path);
	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "not a regular file"));
	token_free(t);
	t = token_new(NULL, dir);
	ck_assert_ptr_null(token_value(t));
	ck_assert_ptr_nonnull(strstr(token_trouble(t), "not a regular file"));
	token_free(t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token");
	TCase *tc = tcase_create("token");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, secret_wins_over_the_file);
	tcase_add_test(tc, says_that_there_is_none);
	tcase_add_test(tc, reads_the_file_again_only_when_it_changed);
	tcase_add_test(tc, keeps_the_old_one_while_the_file_is_of_no_use);
	tcase_add_test(tc, takes_a_file_that_comes_later);
	tcase_add_loop_test(tc, refuses_what_cannot_be_a_token, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, refuses_a_large_file_and_takes_the_largest);
	tcase_add_test(tc, refuses_what_is_no_file);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
