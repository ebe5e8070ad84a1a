/* The control socket: its requests, its bounds, and clients that behave badly. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "supervisor/control.h"

static char dir[64], path[96];
static struct control *control;

/* What the handler saw, and how it answers. */
static struct {
	unsigned n;
	uint64_t client;
	struct control_request request;
	const char *answer; /* NULL: none yet */
} seen;

static void
on_request(void *arg, uint64_t client, const struct control_request *request)
{
	(void)arg;
	seen.n++;
	seen.client = client;
	seen.request = *request;
	if (seen.answer != NULL)
		control_answer(control, client, seen.answer);
}

static void
set_up(void)
{
	strcpy(dir, "/tmp/check_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, CONTROL_SOCKET);
	memset(&seen, 0, sizeof(seen));
	seen.answer = "{\"ok\":true}";
	control = control_open(dir, on_request, NULL);
	ck_assert_ptr_nonnull(control);
}

static void
tear_down(void)
{
	control_close(control);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int
dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Some passes of the loop, as if it were after_ms later. */
static void
pass(int64_t after_ms)
{
	struct pollset set;

	for (int i = 0; i < 4; i++) {
		pollset_reset(&set);
		control_prepare(control, &set, clock_now() + after_ms);
		pollset_wake_at(&set, clock_now());
		pollset_wait(&set);
		control_dispatch(control, &set, clock_now() + after_ms);
	}
}

static void
put(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What waits to be read; "" for nothing, NULL once the other end has closed. */
static const char *
take(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return "";
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	return text;
}

/* --- requests --------------------------------------------------------------------------- */

START_TEST(reads_every_command)
{
	struct control_request r;
	const char *why;
	char line[64];

	for (int v = 0; v < CONTROL_VERB__MAX; v++) {
		bool unit = v >= CONTROL_START && v <= CONTROL_RESET_FAILED;
		int n = snprintf(line, sizeof(line), "{\"command\":\"%s\"%s}",
				 control_verb_name((enum control_verb)v),
				 unit ? ",\"unit\":\"webd\"" : "");

		ck_assert_ptr_null(control_parse(line, (size_t)n, &r, &why));
		ck_assert_int_eq(r.verb, v);
		ck_assert_int_eq(r.unit, unit ? CONFIG_WEBD : CONFIG_UNIT__MAX);
	}
}
END_TEST

START_TEST(refuses_what_is_no_request)
{
	static const struct {
		const char *line, *code, *why;
	} cases[] = {
		{ "", CONTROL_MALFORMED, "the request" },
		{ "status", CONTROL_MALFORMED, "the request" },
		{ "[]", CONTROL_MALFORMED, "an object" },
		{ "{}", CONTROL_MALFORMED, "a command" },
		{ "{\"command\":7}", CONTROL_MALFORMED, "a command" },
		{ "{\"command\":\"dance\"}", CONTROL_MALFORMED, "not known" },
		{ "{\"command\":\"status\"} x", CONTROL_MALFORMED, "the request" },
		{ "{\"command\":\"status\",\"command\":\"stop\"}", CONTROL_MALFORMED, "request" },
		{ "{\"command\":\"status\",\"unit\":\"webd\"}", CONTROL_MALFORMED, "members" },
		{ "{\"command\":\"stop\"}", CONTROL_MALFORMED, "lacks" },
		{ "{\"command\":\"stop\",\"unti\":\"webd\"}", CONTROL_MALFORMED, "lacks" },
		{ "{\"command\":\"stop\",\"unit\":\"web\\u001b[d\"}", CONTROL_NO_SUCH_UNIT,
		  "'web?[d'" },
	};
	struct control_request r;
	const char *why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *code = control_parse(cases[i].line, strlen(cases[i].line), &r, &why);

		ck_assert_msg(code != NULL, "%s was taken", cases[i].line);
		ck_assert_str_eq(code, cases[i].code);
		ck_assert_msg(strstr(why, cases[i].why) != NULL, "%s: %s", cases[i].line, why);
	}
}
END_TEST

/* --- the socket -------------------------------------------------------------------------- */

START_TEST(is_for_its_user_alone)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(takes_the_place_of_one_that_was_left)
{
	struct control *second = control_open(dir, on_request, NULL);
	int fd;

	ck_assert_ptr_nonnull(second);
	control_close(control);
	control = second;
	/* the first one's end took the file away: it is made by those who hold the lock only */
	ck_assert_int_eq(access(path, F_OK), -1);
	control_close(control);
	control = control_open(dir, on_request, NULL);
	fd = dial();
	pass(0);
	close(fd);
}
END_TEST

START_TEST(answers_one_line_after_the_other)
{
	int fd = dial();

	put(fd, "{\"command\":\"status\"}\n{\"command\":\"stop\",\"unit\":\"detector\"}\n{\"comm");
	pass(0);
	ck_assert_str_eq(take(fd), "{\"ok\":true}\n{\"ok\":true}\n");
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_int_eq(seen.request.verb, CONTROL_STOP);
	ck_assert_int_eq(seen.request.unit, CONFIG_DETECTOR);
	put(fd, "and\":\"sync\"}\n");
	pass(0);
	ck_assert_str_eq(take(fd), "{\"ok\":true}\n");
	ck_assert_int_eq(seen.request.verb, CONTROL_SYNC);
	put(fd, "nonsense\n");
	pass(0);
	ck_assert_ptr_nonnull(strstr(take(fd), "\"code\":\"malformed\""));
	ck_assert_uint_eq(seen.n, 3);
	close(fd);
	pass(0);
}
END_TEST

START_TEST(the_next_request_waits_for_the_answer)
{
	int fd = dial();

	seen.answer = NULL;
	put(fd, "{\"command\":\"stop\",\"unit\":\"webd\"}\n{\"command\":\"status\"}\n");
	pass(0);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(take(fd), "");
	/* who waits for an answer is not idle */
	pass(2 * CONTROL_IDLE_MS);
	ck_assert(control_waits(control, seen.client));
	seen.answer = "{\"ok\":true,\"second\":1}";
	control_answer(control, seen.client, "{\"ok\":true}");
	ck_assert(!control_waits(control, seen.client));
	pass(0);
	ck_assert_uint_eq(seen.n, 2); /* it was there already: no more need come for it */
	put(fd, "{\"command\":\"status\"}\n");
	pass(0);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_str_eq(take(fd), "{\"ok\":true}\n{\"ok\":true,\"second\":1}\n"
				   "{\"ok\":true,\"second\":1}\n");
	close(fd);
}
END_TEST

START_TEST(one_who_leaves_gets_no_answer)
{
	int fd = dial();

	seen.answer = NULL;
	put(fd, "{\"command\":\"status\"}\n");
	pass(0);
	ck_assert(control_waits(control, seen.client));
	close(fd);
	pass(0);
	ck_assert(!control_waits(control, seen.client));
	control_answer(control, seen.client, "{\"ok\":true}");
}
END_TEST

START_TEST(a_line_without_an_end_is_refused)
{
	char piece[1025];
	int fd = dial();

	memset(piece, 'x', sizeof(piece));
	piece[1024] = '\0';
	for (int i = 0; i < 4; i++) {
		put(fd, piece);
		pass(0);
	}
	ck_assert_ptr_nonnull(strstr(take(fd), "longer than 4096"));
	ck_assert_ptr_null(take(fd));
	close(fd);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(a_client_too_many_is_turned_away)
{
	int fds[CONTROL_CLIENTS_MAX + 1];
	const char *text;

	for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial();
		pass(0);
	}
	text = take(fds[CONTROL_CLIENTS_MAX]);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "too many"));
	ck_assert_ptr_null(take(fds[CONTROL_CLIENTS_MAX]));
	close(fds[CONTROL_CLIENTS_MAX]);
	close(fds[0]);
	pass(0);
	fds[0] = dial();
	put(fds[0], "{\"command\":\"status\"}\n");
	pass(0);
	ck_assert_str_eq(take(fds[0]), "{\"ok\":true}\n");
	/* those that say nothing are closed */
	pass(CONTROL_IDLE_MS + 1000);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		ck_assert_ptr_null(take(fds[i]));
		close(fds[i]);
	}
}
END_TEST

START_TEST(one_who_does_not_read_holds_up_nobody)
{
	int slow = dial(), other = dial(), size = 4096;
	char *long_answer = mem_new(CONTROL_ANSWER_MAX + 1, 1);

	memset(long_answer, ' ', CONTROL_ANSWER_MAX);
	setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	seen.answer = long_answer;
	for (int i = 0; i < 100; i++) {
		send(slow, "{\"command\":\"status\"}\n", 21, MSG_NOSIGNAL);
		pass(0);
	}
	/* its answers filled the socket, so that its next requests were not even read */
	ck_assert_uint_lt(seen.n, 100);
	seen.answer = "{\"ok\":true}";
	put(other, "{\"command\":\"status\"}\n");
	pass(0);
	ck_assert_str_eq(take(other), "{\"ok\":true}\n");
	pass(CONTROL_IDLE_MS + 1000);
	while (take(slow) != NULL)
		; /* what the socket held, then the end */
	close(slow);
	close(other);
	free(long_answer);
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_a_refusal)
{
	char *too_long = mem_new(CONTROL_ANSWER_MAX + 2, 1);
	int fd = dial();

	memset(too_long, ' ', CONTROL_ANSWER_MAX + 1);
	seen.answer = too_long;
	put(fd, "{\"command\":\"status\"}\n");
	pass(0);
	ck_assert_ptr_nonnull(strstr(take(fd), "longer than 64 KiB"));
	close(fd);
	free(too_long);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_said)
{
	ck_assert_ptr_null(control_open("/nonexistent/dir", on_request, NULL));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(control_open("/tmp/a-name-that-is-longer-than-any-socket-name-may-be/"
					"a-name-that-is-longer-than-any-socket-name-may-be/x",
					on_request, NULL));
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, reads_every_command);
	tcase_add_test(tc, refuses_what_is_no_request);
	tcase_add_test(tc, is_for_its_user_alone);
	tcase_add_test(tc, takes_the_place_of_one_that_was_left);
	tcase_add_test(tc, answers_one_line_after_the_other);
	tcase_add_test(tc, the_next_request_waits_for_the_answer);
	tcase_add_test(tc, one_who_leaves_gets_no_answer);
	tcase_add_test(tc, a_line_without_an_end_is_refused);
	tcase_add_test(tc, a_client_too_many_is_turned_away);
	tcase_add_test(tc, one_who_does_not_read_holds_up_nobody);
	tcase_add_test(tc, an_answer_that_is_too_long_is_a_refusal);
	tcase_add_test(tc, a_directory_that_is_not_there_is_said);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
