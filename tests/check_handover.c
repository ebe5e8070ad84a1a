/* What the supervisor hands to workers and takes from them: memfds, environment, notifications. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/channel_super.h"
#include "supervisor/environment.h"
#include "supervisor/rundir.h"
#include "supervisor/sealed.h"
#include "supervisor/secret.h"

START_TEST(a_sealed_memfd_cannot_be_changed)
{
	char text[16] = "";
	int fd = sealed_new("test", "hello", 5);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "hello");
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 100), -1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), -1);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
}
END_TEST

START_TEST(the_token_is_taken_and_overwritten)
{
	char one[] = "API_KEY=first", two[] = "GANDI_API_KEY=second", other[] = "MY_API_KEY=third";
	char *variables[] = { other, one, two, NULL };
	char text[64] = "";
	const char *why;
	int fd;

	ck_assert_int_eq(secret_take(variables, NULL, &fd, &why), 0);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 6);
	ck_assert_str_eq(text, "second");
	ck_assert_str_eq(one, "API_KEY=xxxxx");
	ck_assert_str_eq(two, "GANDI_API_KEY=xxxxxx");
	ck_assert_str_eq(other, "MY_API_KEY=third");
	close(fd);
}
END_TEST

/* A dns.ini names the variable; the usual ones are overwritten even so. */
START_TEST(a_variable_of_its_own_goes_before_the_usual_ones)
{
	char one[] = "API_KEY=first", own[] = "MY_API_KEY=third";
	char *variables[] = { one, own, NULL };
	char text[64] = "";
	const char *why;
	int fd;

	ck_assert_int_eq(secret_take(variables, "MY_API_KEY", &fd, &why), 0);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "third");
	ck_assert_str_eq(one, "API_KEY=xxxxx");
	ck_assert_str_eq(own, "MY_API_KEY=xxxxx");
	close(fd);
}
END_TEST

START_TEST(an_empty_token_is_none_and_a_huge_one_is_refused)
{
	char *huge = malloc(SECRET_TOKEN_MAX + 64);
	char empty[] = "GANDI_API_KEY=", plain[] = "API_KEY=a";
	char *variables[] = { empty, NULL, NULL };
	const char *why;
	int fd;

	ck_assert_int_eq(secret_take(variables, NULL, &fd, &why), 0);
	ck_assert_int_eq(fd, -1);
	variables[1] = plain;
	ck_assert_int_eq(secret_take(variables, NULL, &fd, &why), 0);
	ck_assert_int_ge(fd, 0);
	close(fd);
	memset(huge, 'a', SECRET_TOKEN_MAX + 63);
	memcpy(huge, "API_KEY=", 8);
	huge[SECRET_TOKEN_MAX + 63] = '\0';
	variables[1] = huge;
	ck_assert_int_eq(secret_take(variables, NULL, &fd, &why), -1);
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_nonnull(strstr(why, "longer"));
	ck_assert_ptr_null(strchr(huge, 'a')); /* gone from the environment all the same */
	free(huge);
}
END_TEST

START_TEST(the_environment_is_an_allow_list)
{
	static const char *const good[] = {
		"PATH=/bin",       "LANG=C",         "LC_ALL=C",
		"TZ=UTC",          "TMPDIR=/t",      "NODE_NAME=n",
		"SSL_CERT_FILE=f", "SSL_CERT_DIR=d", "KUBERNETES_SERVICE_HOST=h",
		"POD_IP=1",        "ASAN_OPTIONS=a"
	};
	static const char *const bad[] = { "API_KEY=x",
					   "GANDI_API_KEY=x",
					   "NOTIFY_SOCKET=/s",
					   "WATCHDOG_USEC=1",
					   "WATCHDOG_PID=1",
					   "LISTEN_FDS=1",
					   "LD_PRELOAD=x",
					   "HOME=/root",
					   "PATHX=1",
					   "PAT=1",
					   "LC=1",
					   "http_proxy=x",
					   "ESDDNS_SECRET_FD=9",
					   "=",
					   "" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(environment_allows(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!environment_allows(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(notifications_are_read)
{
	static const char text[] = "READY=1\nSTATUS=two \x01 words\nWATCHDOG=1\nERRNO=13\n"
				   "EXTEND_TIMEOUT_USEC=2500000\nX_UNKNOWN=anything\nMAINPID=1\n";
	struct notice n;

	ck_assert(notice_parse(text, strlen(text), &n));
	ck_assert(n.ready);
	ck_assert(n.ping);
	ck_assert(!n.stopping);
	ck_assert(n.has_status);
	ck_assert_str_eq(n.status, "two ? words");
	ck_assert_int_eq(n.extend_ms, 2500);
	ck_assert_int_eq(n.error_number, 13);
	ck_assert(notice_parse("STOPPING=1", 10, &n));
	ck_assert(n.stopping && !n.ready && !n.has_status);
	ck_assert_int_eq(n.extend_ms, -1);
	ck_assert(notice_parse("READY=0\nWATCHDOG=trigger", 24, &n));
	ck_assert(!n.ready && !n.ping);
}
END_TEST

START_TEST(malformed_notifications_are_refused_or_harmless)
{
	static const char *const refused[] = { "", "READY", "=1", "READY=1\nnonsense" };
	static const char *const numbers[] = {
		"-1", "1x", "", "99999999999999999999", " 1", "0x10"
	};
	char text[5000];
	struct notice n;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_assert(!notice_parse(refused[i], strlen(refused[i]), &n));
	ck_assert(!notice_parse("READY=1\0", 8, &n));
	memset(text, 'a', sizeof(text));
	memcpy(text, "STATUS=", 7);
	ck_assert(!notice_parse(text, 4096, &n));
	ck_assert(notice_parse(text, 4095, &n));
	ck_assert_uint_eq(strlen(n.status), NOTICE_STATUS_MAX - 1);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%s\nERRNO=%s", numbers[i],
			 numbers[i]);
		ck_assert(notice_parse(text, strlen(text), &n));
		ck_assert_int_eq(n.extend_ms, -1);
		ck_assert_int_eq(n.error_number, 0);
	}
}
END_TEST

START_TEST(the_channel_never_blocks_and_tells_its_end)
{
	char big[8192];
	struct notice n;
	int ours, theirs, sent = 0;

	ck_assert_int_eq(channel_super_pair(&ours, &theirs), 0);
	ck_assert_int_eq(channel_super_receive(ours, &n), CHANNEL_SUPER_NONE);
	memset(big, 'a', sizeof(big));
	ck_assert_int_gt(send(theirs, big, sizeof(big), 0), 0);
	ck_assert_int_gt(send(theirs, "READY=1", 7, 0), 0);
	ck_assert_int_eq(channel_super_receive(ours, &n), CHANNEL_SUPER_REFUSED);
	ck_assert_int_eq(channel_super_receive(ours, &n), CHANNEL_SUPER_NOTICE);
	ck_assert(n.ready);
	while (channel_super_send(ours, "DETECT=1", -1) == 0)
		ck_assert_int_lt(++sent, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	close(theirs);
	ck_assert_int_eq(channel_super_receive(ours, &n), CHANNEL_SUPER_CLOSED);
	ck_assert_int_eq(channel_super_send(ours, "DETECT=1", -1), -1);
	close(ours);
}
END_TEST

/* --- the runtime directory --------------------------------------------------------------- */

static char dir[64], path[96];

static void
make_directory(void)
{
	snprintf(dir, sizeof(dir), "/tmp/esddns-check-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a/run", dir);
}

static void
remove_directory(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
assert_refused(const char *words)
{
	int fd = -1;
	char *why = rundir_take(path, &fd);

	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, words) != NULL, "%s", why);
	ck_assert_int_eq(fd, -1);
	free(why);
}

START_TEST(the_runtime_directory_is_made_and_locked)
{
	char words[64];
	struct stat st;
	int fd = -1;

	ck_assert_ptr_null(rundir_take(path, &fd));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	snprintf(words, sizeof(words), "another esddns (pid %ld) already runs", (long)getpid());
	assert_refused(words);
	close(fd);
	ck_assert_ptr_null(rundir_take(path, &fd));
	close(fd);
}
END_TEST

START_TEST(an_unsafe_runtime_directory_is_refused)
{
	char other[80];

	ck_assert_int_eq(rundir_make(path, 0700), 0);
	ck_assert_int_eq(chmod(path, 0770), 0);
	assert_refused("writable for others (mode 0770)");
	ck_assert_int_eq(chmod(path, 0702), 0);
	assert_refused("writable for others");
	ck_assert_int_eq(rmdir(path), 0);
	snprintf(other, sizeof(other), "%s/real", dir);
	ck_assert_int_eq(mkdir(other, 0700), 0);
	ck_assert_int_eq(symlink(other, path), 0);
	assert_refused("cannot be used");
	ck_assert_int_eq(unlink(path), 0);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_refused("cannot be used");
	snprintf(path, sizeof(path), "/proc/nonexistent/run");
	assert_refused("cannot be made");
}
END_TEST

START_TEST(a_runtime_directory_of_another_user_is_refused)
{
	if (geteuid() != 0) {
		/* the root directory is somebody else's, then */
		snprintf(path, sizeof(path), "/usr");
	} else {
		ck_assert_int_eq(rundir_make(path, 0700), 0);
		ck_assert_int_eq(chown(path, 12345, 12345), 0);
	}
	assert_refused("belongs to user");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("handover");
	TCase *tc = tcase_create("handover"), *dir_tc = tcase_create("runtime directory");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_sealed_memfd_cannot_be_changed);
	tcase_add_test(tc, the_token_is_taken_and_overwritten);
	tcase_add_test(tc, a_variable_of_its_own_goes_before_the_usual_ones);
	tcase_add_test(tc, an_empty_token_is_none_and_a_huge_one_is_refused);
	tcase_add_test(tc, the_environment_is_an_allow_list);
	tcase_add_test(tc, notifications_are_read);
	tcase_add_test(tc, malformed_notifications_are_refused_or_harmless);
	tcase_add_test(tc, the_channel_never_blocks_and_tells_its_end);
	tcase_add_checked_fixture(dir_tc, make_directory, remove_directory);
	tcase_add_test(dir_tc, the_runtime_directory_is_made_and_locked);
	tcase_add_test(dir_tc, an_unsafe_runtime_directory_is_refused);
	tcase_add_test(dir_tc, a_runtime_directory_of_another_user_is_refused);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, dir_tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
