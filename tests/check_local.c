#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/local.h"
#include "common/mem.h"

static char base[64], dir[80];

static void
set_up(void)
{
	strcpy(base, "/tmp/check_local.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
}

static void
remove_all(const char *path)
{
	char entry_path[512];
	struct dirent *entry;
	DIR *d = opendir(path);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(entry_path, sizeof(entry_path), "%.200s/%.250s", path, entry->d_name);
		if (unlink(entry_path) != 0)
			remove_all(entry_path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static void
tear_down(void)
{
	remove_all(base);
	ck_assert_int_ne(access(base, F_OK), 0);
}

static const char *
path_of(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%.60s", dir, name);
	return path;
}

static void
write_file(const char *name, const char *text, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static struct local *
open_local(void)
{
	const char *why;
	struct local *l = local_open(dir, &why);

	ck_assert_msg(l != NULL, "%s", why);
	return l;
}

static struct local_state
some_state(void)
{
	struct local_state s = { .sequence = 41 };

	strcpy(s.uid, "123e4567-e89b-42d3-a456-426614174000");
	s.epoch = 7;
	ck_assert(address_parse_text("192.31.196.7", &s.ipv4.address));
	s.ipv4.detected_at = 1700000000001;
	s.ipv4.confirmed_at = 1700000000002;
	s.ipv4.nchanges = 2;
	ck_assert(address_parse_text("11.0.0.1", &s.ipv4.changes[0].address));
	s.ipv4.changes[0].at = 1600000000000;
	s.ipv4.changes[1] = (struct msg_change){ s.ipv4.address, 1700000000001 };
	ck_assert(address_parse_text("2001:200::1", &s.ipv6.address));
	return s;
}

static void
assert_same(const struct local_state *a, const struct local_state *b)
{
	char *x = local_print(a), *y = local_print(b);

	ck_assert_str_eq(x, y);
	free(x);
	free(y);
}

START_TEST(a_state_comes_back_as_it_was_printed)
{
	struct local_state s = some_state(), found;
	char *text = local_print(&s);
	const char *why;

	ck_assert_int_eq(local_parse(text, strlen(text), &found, &why), 0);
	ck_assert_str_eq(found.uid, s.uid);
	ck_assert_int_eq(found.epoch, 7);
	ck_assert_int_eq(found.sequence, 41);
	ck_assert(address_equal(&found.ipv4.address, &s.ipv4.address));
	ck_assert(address_equal(&found.ipv6.address, &s.ipv6.address));
	ck_assert_int_eq(found.ipv4.detected_at, 1700000000001);
	ck_assert_int_eq(found.ipv4.confirmed_at, 1700000000002);
	ck_assert_uint_eq(found.ipv4.nchanges, 2);
	ck_assert_int_eq(found.ipv4.changes[0].at, 1600000000000);
	ck_assert_uint_eq(found.ipv6.nchanges, 0);
	assert_same(&found, &s);
	free(text);
}
END_TEST

START_TEST(every_cut_is_refused)
{
	struct local_state s = some_state(), found;
	char *text = local_print(&s);
	const char *why;

	for (size_t len = 0; len < strlen(text); len++) {
		char *part = mem_new(len, 1); /* of its own: the sanitizer sees a read beyond it */

		memcpy(part, text, len);
		ck_assert_int_eq(local_parse(part, len, &found, &why), -1);
		ck_assert_ptr_nonnull(why);
		free(part);
	}
	free(text);
}
END_TEST

static void
refused(const char *from, const char *to, const char *expected)
{
	struct local_state s = some_state(), found;
	char *text = local_print(&s), *changed;
	const char *why = "", *at = strstr(text, from);

	ck_assert_msg(at != NULL, "%s is not in %s", from, text);
	changed = mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	ck_assert_msg(local_parse(changed, strlen(changed), &found, &why) == -1, "%s", changed);
	ck_assert_msg(strstr(why, expected) != NULL, "\"%s\" lacks \"%s\"", why, expected);
	free(changed);
	free(text);
}

START_TEST(what_is_wrong_is_said)
{
	refused("\"v\":1", "\"v\":2", "\"v\"");
	refused("\"v\":1", "\"v\":1,\"w\":1", "do not belong");
	refused("123e", "123E", "\"uid\"");
	refused("-42d3", "-52d3", "\"uid\"");
	refused("-a456", "-c456", "\"uid\"");
	refused("123e4567", "123e456", "\"uid\"");
	refused("\"epoch\":7", "\"epoch\":0", "\"epoch\"");
	refused("\"epoch\":7", "\"epoch\":1073741825", "\"epoch\"");
	refused("\"epoch\":7", "\"epoch\":7.5", "\"epoch\"");
	refused("\"sequence\":41", "\"sequence\":-1", "\"sequence\"");
	refused("192.31.196.7", "192.31.196.07", "\"address\"");
	refused("192.31.196.7", "2001:200::2", "\"address\"");
	refused("2001:200::1", "192.31.196.7", "\"address\"");
	refused("\"11.0.0.1\"", "\"\"", "\"address\"");
	refused("\"192.31.196.7\"", "null", "\"address\"");
	refused("1600000000000", "-1", "\"at\"");
	refused("1700000000002", "\"x\"", "\"confirmed_at\"");
	refused("1700000000001", "1e300", "\"detected_at\"");
	refused("\"changes\":[", "\"changes\":[1,", "\"changes\"");
	refused("\"changes\":[", "\"changes\":[{},", "\"changes\"");
	refused("\"changes\":[", "\"changes\":[1,2,3,4,5,6,7,", "too long");
	refused("}\n", "}x\n", "behind");
	refused("{\"v\"", "[{\"v\"", "JSON");
}
END_TEST

START_TEST(the_uid_stays_and_the_epoch_rises)
{
	struct local_state want = some_state();
	char uid[MSG_UID_MAX], holder[MSG_HOLDER_MAX];
	struct local *l = open_local();
	struct stat st;

	strcpy(uid, local_state(l)->uid);
	ck_assert_uint_eq(strlen(uid), 36);
	ck_assert_int_eq(local_state(l)->epoch, 1);
	ck_assert_str_eq(local_trouble(l), "");
	snprintf(holder, sizeof(holder), ":%d", (int)getpid());
	ck_assert_ptr_nonnull(strstr(local_holder(l), holder));
	ck_assert_int_eq(local_store(l, &want), 0);
	local_close(l);
	ck_assert_int_eq(stat(path_of("state.json"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_ne(access(path_of("state.json.new"), F_OK), 0);
	for (int n = 2; n < 5; n++) {
		l = open_local();
		ck_assert_str_eq(local_state(l)->uid, uid);
		ck_assert_int_eq(local_state(l)->epoch, n);
		strcpy(want.uid, uid); /* those two are the store's own */
		want.epoch = n;
		assert_same(local_state(l), &want);
		local_close(l);
	}
}
END_TEST

START_TEST(fresh_uids_differ)
{
	char uid[MSG_UID_MAX];
	struct local *l = open_local();

	strcpy(uid, local_state(l)->uid);
	local_close(l);
	ck_assert_int_eq(unlink(path_of("state.json")), 0);
	l = open_local();
	ck_assert_str_ne(local_state(l)->uid, uid);
	ck_assert_int_eq(local_state(l)->epoch, 1);
	local_close(l);
}
END_TEST

START_TEST(an_epoch_at_its_end_begins_a_new_uid)
{
	struct local_state s = some_state();
	struct local *l;
	char *text;

	s.epoch = MSG_EPOCH_MAX;
	text = local_print(&s);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	write_file("state.json", text, strlen(text));
	l = open_local();
	ck_assert_int_eq(local_state(l)->epoch, 1);
	ck_assert_str_ne(local_state(l)->uid, s.uid);
	ck_assert(address_equal(&local_state(l)->ipv4.address, &s.ipv4.address));
	local_close(l);
	free(text);
}
END_TEST

static void
assert_rebuilt(const char *kept)
{
	struct local *l = open_local();
	char found[128] = "";
	int fd;

	ck_assert_int_eq(local_state(l)->epoch, 1);
	ck_assert_int_eq(local_state(l)->ipv4.address.family, ADDRESS_NONE);
	ck_assert_str_eq(local_trouble(l), "");
	local_close(l);
	if (kept != NULL) {
		fd = open(path_of("state.json.corrupt"), O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(read(fd, found, sizeof(found) - 1), (ssize_t)strlen(kept));
		ck_assert_str_eq(found, kept);
		close(fd);
	}
	l = open_local(); /* what was rebuilt can be read */
	ck_assert_int_eq(local_state(l)->epoch, 2);
	local_close(l);
}

START_TEST(a_corrupt_file_is_set_aside_and_rebuilt)
{
	char *large = mem_new(70000, 1);

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	write_file("state.json", "{\"v\":1,", 7);
	assert_rebuilt("{\"v\":1,");
	write_file("state.json", "", 0);
	assert_rebuilt("");
	memset(large, ' ', 70000);
	write_file("state.json", large, 70000);
	assert_rebuilt(NULL);
	ck_assert_int_eq(unlink(path_of("state.json")), 0);
	ck_assert_int_eq(mkfifo(path_of("state.json"), 0600), 0);
	assert_rebuilt(NULL);
	ck_assert_int_eq(unlink(path_of("state.json")), 0);
	ck_assert_int_eq(unlink(path_of("state.json.corrupt")), 0);
	ck_assert_int_eq(mkdir(path_of("state.json"), 0700), 0);
	assert_rebuilt(NULL);
	free(large);
}
END_TEST

START_TEST(a_link_is_not_followed)
{
	char target[128];

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	snprintf(target, sizeof(target), "%s/target", base);
	ck_assert_int_eq(symlink(target, path_of("state.json")), 0);
	ck_assert_int_eq(symlink(target, path_of("state.json.new")), 0);
	assert_rebuilt(NULL);
	ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

/* As root no permission bit stops a write: a directory under a file does. */
START_TEST(a_directory_that_cannot_be_is_lived_with)
{
	struct local_state s = some_state();
	const char *why;
	struct local *l;
	char bad[128], uid[MSG_UID_MAX];
	int fd;

	snprintf(bad, sizeof(bad), "%s/file", base);
	fd = open(bad, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	strcat(bad, "/state");
	l = local_open(bad, &why);
	ck_assert_ptr_nonnull(l);
	ck_assert_ptr_nonnull(strstr(local_trouble(l), "Not a directory"));
	ck_assert_int_eq(local_store(l, &s), -1);
	ck_assert_int_eq(local_state(l)->sequence, 41);
	strcpy(uid, local_state(l)->uid);
	/* once it can be, it is kept after all, under the same uid */
	bad[strlen(base) + 5] = '\0';
	ck_assert_int_eq(unlink(bad), 0);
	ck_assert_int_eq(mkdir(bad, 0700), 0);
	ck_assert_int_eq(local_store(l, &s), 0);
	ck_assert_str_eq(local_trouble(l), "");
	ck_assert_str_eq(local_state(l)->uid, uid);
	local_close(l);
	strcat(bad, "/state");
	l = local_open(bad, &why);
	ck_assert_str_eq(local_state(l)->uid, uid);
	ck_assert_int_eq(local_state(l)->sequence, 41);
	local_close(l);
}
END_TEST

START_TEST(a_directory_that_takes_no_file_is_lived_with)
{
	const char *why;
	struct local *l = local_open("/proc/self", &why);

	ck_assert_ptr_nonnull(l);
	ck_assert_str_ne(local_trouble(l), "");
	ck_assert_int_eq(local_state(l)->epoch, 1);
	ck_assert_int_eq(local_store(l, local_state(l)), -1);
	local_close(l);
}
END_TEST

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A write that is refused half way is what a full disk does, too. */
START_TEST(a_full_disk_keeps_the_old_file_and_a_restart_takes_no_old_numbers)
{
	struct local_state s = some_state(), stored;
	struct local *l = open_local();
	char uid[MSG_UID_MAX];

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(local_store(l, &s), 0);
	stored = *local_state(l);
	limit_files(20);
	s.sequence = 42;
	ck_assert_int_eq(local_store(l, &s), -1);
	ck_assert_ptr_nonnull(strstr(local_trouble(l), "File too large"));
	ck_assert_int_eq(local_state(l)->sequence, 42);
	ck_assert_int_ne(access(path_of("state.json.new"), F_OK), 0);
	local_close(l);
	/* the raised epoch cannot be stored: so the numbers get a uid of their own */
	l = open_local();
	strcpy(uid, local_state(l)->uid);
	ck_assert_str_ne(uid, stored.uid);
	ck_assert_int_eq(local_state(l)->sequence, 41);
	ck_assert(address_equal(&local_state(l)->ipv4.address, &s.ipv4.address));
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(local_store(l, local_state(l)), 0);
	ck_assert_str_eq(local_trouble(l), "");
	local_close(l);
	l = open_local();
	ck_assert_str_eq(local_state(l)->uid, uid);
	local_close(l);
}
END_TEST

/* A child that holds the lock until it is killed. */
static pid_t
fork_holder(void)
{
	int ready[2];
	pid_t child;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		const char *why;

		if (local_open(dir, &why) != NULL && write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return child;
}

START_TEST(a_second_process_says_who_leads)
{
	char expected[64];
	const char *why = NULL;
	pid_t child = fork_holder();
	struct local *l;
	int status;

	snprintf(expected, sizeof(expected), "is held by process %d,", (int)child);
	ck_assert_ptr_null(local_open(dir, &why));
	ck_assert_msg(strstr(why, expected) != NULL, "%s", why);
	write_file("lock", "rubbish", 7);
	ck_assert_ptr_null(local_open(dir, &why));
	ck_assert_msg(strstr(why, "held by another process,") != NULL, "%s", why);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	l = open_local(); /* the lock ends with its process, and the epoch goes on */
	ck_assert_int_eq(local_state(l)->epoch, 2);
	local_close(l);
}
END_TEST

/* A process killed at any moment while it stores leaves a whole state behind. */
START_TEST(a_kill_at_any_moment_leaves_a_whole_state)
{
	struct local_state s = some_state();
	int64_t epoch = 0;

	for (int n = 0; n < 20; n++) {
		pid_t child = fork();
		struct local_state seen;
		const char *why;
		struct local *l;
		int status;

		ck_assert_int_ge(child, 0);
		if (child == 0) {
			l = local_open(dir, &why);
			while (l != NULL) {
				s.sequence++;
				local_store(l, &s);
			}
			_exit(1);
		}
		/* it has written its epoch, and goes on writing */
		while (!local_peek(dir, &seen, &why) || seen.epoch <= epoch)
			usleep(100);
		usleep((useconds_t)(n * 700));
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		l = open_local();
		ck_assert_str_eq(local_trouble(l), "");
		ck_assert_int_eq(local_state(l)->epoch, epoch + 2);
		epoch = local_state(l)->epoch;
		local_close(l);
	}
	ck_assert_int_ne(access(path_of("state.json.corrupt"), F_OK), 0);
}
END_TEST

START_TEST(nothing_stays_open)
{
	int before = dup(0), after;

	close(before);
	for (int n = 0; n < 3; n++) {
		const char *why;
		struct local *l = open_local();

		ck_assert_ptr_null(local_open(dir, &why));
		local_close(l);
	}
	local_close(NULL);
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("local");
	TCase *tc = tcase_create("local");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_state_comes_back_as_it_was_printed);
	tcase_add_test(tc, every_cut_is_refused);
	tcase_add_test(tc, what_is_wrong_is_said);
	tcase_add_test(tc, the_uid_stays_and_the_epoch_rises);
	tcase_add_test(tc, fresh_uids_differ);
	tcase_add_test(tc, an_epoch_at_its_end_begins_a_new_uid);
	tcase_add_test(tc, a_corrupt_file_is_set_aside_and_rebuilt);
	tcase_add_test(tc, a_link_is_not_followed);
	tcase_add_test(tc, a_directory_that_cannot_be_is_lived_with);
	tcase_add_test(tc, a_directory_that_takes_no_file_is_lived_with);
	tcase_add_test(tc, a_full_disk_keeps_the_old_file_and_a_restart_takes_no_old_numbers);
	tcase_add_test(tc, a_second_process_says_who_leads);
	tcase_add_test(tc, a_kill_at_any_moment_leaves_a_whole_state);
	tcase_add_test(tc, nothing_stays_open);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
