/* What the tests of the configuration share: a scratch directory, a load, its messages. */
#ifndef TESTS_CONFIG_WORLD_H
#define TESTS_CONFIG_WORLD_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"
#include "supervisor/config.h"

static char *const token_env[] = { (char[]){ "GANDI_API_KEY=not-a-token" }, NULL };
static char *const no_env[] = { NULL };

static struct config *config;
static struct config_report report;
static char scratch[] = "/tmp/check_config.XXXXXX";

static inline void
setup(void)
{
	strcpy(strrchr(scratch, '.'), ".XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chdir(scratch), 0);
}

static inline void
forget(void)
{
	config_free(config);
	config_report_free(&report);
	config = NULL;
}

static inline void
teardown(void)
{
	DIR *dir = opendir(scratch);
	struct dirent *entry;

	forget();
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(scratch);
}

static inline void
load(const char *path, char *const *env)
{
	forget();
	config = config_load(path, env, &report);
	/* an error is never without a message, and no message is ever ignored */
	ck_assert_int_eq(config == NULL, report.nerrors > 0);
	ck_assert_uint_le(report.nerrors, report.n);
}

static inline void
write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static inline void
load_text(const char *text, char *const *env)
{
	write_file("test.yaml", text, strlen(text));
	load("test.yaml", env);
}

/* All messages, one a line, warnings marked. */
static inline char *
messages(void)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < report.n; i++)
		buf_printf(&b, "%s%s\n", report.messages[i].warning ? "warning: " : "",
			   report.messages[i].text);
	buf_adds(&b, "");
	return b.data != NULL ? buf_take(&b) : mem_strdup("");
}

static inline void
expect(const char *wanted)
{
	char *got = messages();

	ck_assert_str_eq(got, wanted);
	free(got);
}

/* Each test runs in a scratch directory of its own. */
static inline TCase *
add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

static inline int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
