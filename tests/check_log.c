#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#define LINE_LIMIT 4096
#define PATIENCE_S 20

/*
 * The log keeps its state in the process and writes to descriptor 2, so each
 * case runs in a child of its own, whose standard error is one end of a pipe.
 */
typedef void child_case(void *arg);

static pid_t
start_child(int err, child_case *run, void *arg)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	/* whoever blocks is ended by the alarm, which the parent sees as a failure */
	alarm(PATIENCE_S);
	signal(SIGPIPE, SIG_DFL);
	dup2(err, STDERR_FILENO);
	run(arg);
	_exit(0);
}

static void
check_ended_well(pid_t pid)
{
	int status = 0;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!WIFSIGNALED(status), "the writer was ended by signal %d (%s)",
		      WTERMSIG(status), WTERMSIG(status) == SIGALRM ? "it blocked" : "killed");
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* Everything the case wrote: to a file, which takes every line however slow the reader is. */
static void
capture(child_case *run, void *arg, struct buf *out)
{
	int fd = memfd_create("check_log", MFD_CLOEXEC);
	char piece[4096];
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	check_ended_well(start_child(fd, run, arg));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(out, piece, (size_t)n);
	close(fd);
}

/* The next line without its newline, or NULL; *at moves behind it. */
static char *
next_line(char **at)
{
	char *line = *at, *end = line != NULL ? strchr(line, '\n') : NULL;

	if (end == NULL) {
		ck_assert_msg(line == NULL || *line == '\0', "a line without an end: %s", line);
		return NULL;
	}
	*end = '\0';
	*at = end + 1;
	return line;
}

/* A logfmt line behind its time, which must be one. */
static const char *
behind_time(const char *line)
{
	char at[32];

	ck_assert_msg(sscanf(line, "time=%31s ", at) == 1, "%s", line);
	ck_assert_uint_eq(strlen(at), 24);
	ck_assert_msg(llabs(clock_parse_iso(at) - clock_wall()) < 60000, "%s", line);
	return line + strlen("time=") + strlen(at) + 1;
}

static cJSON *
parse_line(const char *line)
{
	const char *why = NULL;
	cJSON *o = json_parse(line, strlen(line), &why);

	ck_assert_msg(cJSON_IsObject(o), "%s: %s", line, why != NULL ? why : "no object");
	return o;
}

static void
write_plain(void *arg)
{
	log_start("test", LOG_INFO, *(const enum log_format *)arg);
	errno = 4711;
	log_info("address changed", LOG_S("from", "192.0.2.1"), LOG_S("absent", NULL),
		 LOG_I("n", -5), LOG_I("big", INT64_MAX), LOG_B("ok", 1), LOG_B("bad", 0));
	if (errno != 4711)
		_exit(3);
	log_error("no fields");
	log_warn("a \"quoted\"\nmessage");
}

START_TEST(writes_logfmt)
{
	enum log_format format = LOG_LOGFMT;
	struct buf b = BUF_INIT;
	char *at;

	capture(write_plain, &format, &b);
	at = b.data;
	ck_assert_str_eq(behind_time(next_line(&at)),
			 "level=info unit=test msg=\"address changed\" from=192.0.2.1 n=-5 "
			 "big=9223372036854775807 ok=true bad=false");
	ck_assert_str_eq(behind_time(next_line(&at)), "level=error unit=test msg=\"no fields\"");
	ck_assert_str_eq(behind_time(next_line(&at)),
			 "level=warn unit=test msg=\"a \\\"quoted\\\"\\nmessage\"");
	ck_assert_ptr_null(next_line(&at));
	buf_free(&b);
}
END_TEST

START_TEST(writes_json)
{
	enum log_format format = LOG_JSON;
	struct buf b = BUF_INIT;
	int64_t n = 0;
	bool flag = false;
	cJSON *o;
	char *at;

	capture(write_plain, &format, &b);
	at = b.data;
	o = parse_line(next_line(&at));
	ck_assert_int_gt(clock_parse_iso(json_text(o, "time")), 0);
	ck_assert_str_eq(json_text(o, "level"), "info");
	ck_assert_str_eq(json_text(o, "unit"), "test");
	ck_assert_str_eq(json_text(o, "msg"), "address changed");
	ck_assert_str_eq(json_text(o, "from"), "192.0.2.1");
	ck_assert_ptr_null(cJSON_GetObjectItem(o, "absent"));
	ck_assert(json_int(o, "n", -5, -5, &n));
	ck_assert(json_bool(o, "ok", &flag) && flag);
	ck_assert(json_bool(o, "bad", &flag) && !flag);
	cJSON_Delete(o);
	cJSON_Delete(parse_line(next_line(&at)));
	o = parse_line(next_line(&at));
	ck_assert_str_eq(json_text(o, "msg"), "a \"quoted\"\nmessage");
	cJSON_Delete(o);
	ck_assert_ptr_null(next_line(&at));
	buf_free(&b);
}
END_TEST

static const struct {
	const char *value, *logfmt;
} quotings[] = {
	{ "", "\"\"" },
	{ "bare", "bare" },
	{ "https://example.com/a?b", "https://example.com/a?b" },
	{ "a=b", "\"a=b\"" },
	{ "two words", "\"two words\"" },
	{ "tab\there", "\"tab\\u0009here\"" },
	{ "x\ntime=2026-01-01T00:00:00Z level=error msg=forged",
	  "\"x\\ntime=2026-01-01T00:00:00Z level=error msg=forged\"" },
	{ "\r\n", "\"\\u000d\\n\"" },
	{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
	{ "back\\slash", "\"back\\\\slash\"" },
	{ "\x1B]0;title\x07", "\"\\u001b]0;title\\u0007\"" },
	{ "\xC2\x9B"
	  "31m",
	  "\"\\u009b31m\"" },
	{ "\x7F", "\"\\u007f\"" },
	{ "gr\xC3\xBC\xC3\x9F", "\"gr\xC3\xBC\xC3\x9F\"" },
	{ "\xFF\xFE", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
	{ "%s%n%d", "%s%n%d" },
};
#define QUOTINGS ((int)(sizeof(quotings) / sizeof(quotings[0])))

static void
write_quotings(void *arg)
{
	log_start("test", LOG_INFO, *(const enum log_format *)arg);
	for (int i = 0; i < QUOTINGS; i++)
		log_info("m", LOG_S("v", quotings[i].value), LOG_S("after", "it"));
}

START_TEST(quotes_hostile_values)
{
	enum log_format format = LOG_LOGFMT;
	struct buf b = BUF_INIT;
	char expected[256];
	char *at;

	capture(write_quotings, &format, &b);
	at = b.data;
	for (int i = 0; i < QUOTINGS; i++) {
		snprintf(expected, sizeof(expected), "level=info unit=test msg=\"m\" v=%s after=it",
			 quotings[i].logfmt);
		ck_assert_str_eq(behind_time(next_line(&at)), expected);
	}
	ck_assert_ptr_null(next_line(&at));
	format = LOG_JSON;
	buf_clear(&b);
	capture(write_quotings, &format, &b);
	at = b.data;
	for (int i = 0; i < QUOTINGS; i++) {
		cJSON *o = parse_line(next_line(&at));

		if (strcmp(quotings[i].value, "\xFF\xFE") != 0)
			ck_assert_str_eq(json_text(o, "v"), quotings[i].value);
		ck_assert_str_eq(json_text(o, "after"), "it");
		cJSON_Delete(o);
	}
	ck_assert_ptr_null(next_line(&at));
	buf_free(&b);
}
END_TEST

#define RANDOM_LINES 500

static void
write_random(void *arg)
{
	log_start("test", LOG_INFO, *(const enum log_format *)arg);
	srandom(1);
	for (int n = 0; n < RANDOM_LINES; n++) {
		char text[64];
		size_t len = (size_t)random() % sizeof(text);

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(1 + random() % 255);
		text[len] = '\0';
		log_info("random", LOG_S("v", text));
	}
}

START_TEST(writes_one_clean_line_whatever_comes)
{
	for (int f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		enum log_format format = (enum log_format)f;
		struct buf b = BUF_INIT;
		char *at, *line;
		int lines = 0;

		capture(write_random, &format, &b);
		at = b.data;
		while ((line = next_line(&at)) != NULL) {
			lines++;
			for (const char *c = line; *c != '\0'; c++)
				ck_assert_int_ge((unsigned char)*c, 0x20);
			if (format == LOG_JSON)
				cJSON_Delete(parse_line(line));
			else
				behind_time(line);
		}
		ck_assert_int_eq(lines, RANDOM_LINES);
		buf_free(&b);
	}
}
END_TEST

static void
write_long(void *arg)
{
	static char huge[100000], large[1500], exact[5000];

	log_start("test", LOG_INFO, *(const enum log_format *)arg);
	memset(huge, 'x', sizeof(huge) - 1);
	memset(large, '\n', sizeof(large) - 1); /* doubles when quoted */
	log_info("one", LOG_S("before", "b"), LOG_S("v", huge), LOG_S("after", "a"));
	log_info("many", LOG_S("k1", large), LOG_S("k2", large), LOG_S("k3", large),
		 LOG_S("k4", large), LOG_S("k5", huge), LOG_S("k6", huge), LOG_S("k7", huge),
		 LOG_S("k8", huge), LOG_S("k9", huge), LOG_S("last", "z"));
	/* every length around the limit: none may lose the line, or split it */
	for (size_t len = LINE_LIMIT - 200; len < LINE_LIMIT + 20; len++) {
		memset(exact, 'e', len);
		exact[len] = '\0';
		log_info("exact", LOG_S("v", exact), LOG_S("k1", huge), LOG_S("k2", huge),
			 LOG_S("k3", huge), LOG_S("k4", huge));
	}
}

START_TEST(bounds_the_line_and_keeps_it)
{
	for (int f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		enum log_format format = (enum log_format)f;
		struct buf b = BUF_INIT;
		char *at, *line;
		int lines = 0;

		capture(write_long, &format, &b);
		at = b.data;
		while ((line = next_line(&at)) != NULL) {
			ck_assert_uint_lt(strlen(line), LINE_LIMIT);
			ck_assert_ptr_null(strstr(line, "lines_dropped"));
			if (format == LOG_JSON)
				cJSON_Delete(parse_line(line));
			else if (lines == 0)
				ck_assert_str_eq(behind_time(line),
						 "level=info unit=test msg=\"one\" before=b "
						 "v=\"(too long)\" after=a");
			lines++;
		}
		ck_assert_int_eq(lines, 222);
		buf_free(&b);
	}
}
END_TEST

static void
write_levels(void *arg)
{
	(void)arg;
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		log_start("test", (enum log_level)level, LOG_LOGFMT);
		log_error("e");
		log_warn("w");
		log_info("i");
		log_debug("d");
		if (!log_enabled((enum log_level)level) ||
		    (level < LOG_DEBUG && log_enabled((enum log_level)(level + 1))))
			_exit(3);
	}
}

START_TEST(writes_what_the_level_admits)
{
	static const char *const expected[] = { "e", "e", "w", "e", "w", "i", "e", "w", "i", "d" };
	struct buf b = BUF_INIT;
	char *at;

	capture(write_levels, NULL, &b);
	at = b.data;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const char *msg = strstr(next_line(&at), "msg=\"");

		ck_assert_ptr_nonnull(msg);
		ck_assert_int_eq(msg[5], expected[i][0]);
	}
	ck_assert_ptr_null(next_line(&at));
	buf_free(&b);
}
END_TEST

static void
write_auto(void *arg)
{
	if (arg != NULL)
		setenv("KUBERNETES_SERVICE_HOST", arg, 1);
	else
		unsetenv("KUBERNETES_SERVICE_HOST");
	log_start("test", LOG_INFO, LOG_AUTO);
	log_info("m");
}

START_TEST(chooses_the_format_by_the_surroundings)
{
	struct buf b = BUF_INIT;
	char host[] = "10.0.0.1";

	capture(write_auto, host, &b);
	ck_assert_int_eq(buf_text(&b)[0], '{');
	buf_clear(&b);
	capture(write_auto, NULL, &b);
	ck_assert_int_eq(buf_text(&b)[0], 't');
	buf_free(&b);
}
END_TEST

/* --- a reader that does not read ---------------------------------------------------------- */

struct stuck {
	int filled; /* the child says: nothing more fits */
	int resume; /* the parent says: I have read everything */
};

#define FLOOD 5000

static void
write_flood(void *arg)
{
	const struct stuck *s = arg;
	char c = 0;

	log_start("test", LOG_INFO, LOG_JSON);
	for (int i = 0; i < FLOOD; i++)
		log_info("flood", LOG_I("i", i),
			 LOG_S("pad", "0123456789012345678901234567890123"));
	if (write(s->filled, "", 1) != 1 || read(s->resume, &c, 1) != 1)
		_exit(3);
	log_info("after");
	log_info("last");
}

static void
await_byte(int fd)
{
	char c;

	ck_assert_msg(read(fd, &c, 1) == 1, "the writer did not come through its lines");
}

/* Reads lines until one says "last"; counts those of the flood, and what was told as dropped. */
static void
count_lines(int fd, int64_t *arrived, int64_t *dropped)
{
	FILE *in = fdopen(fd, "r");
	char line[LINE_LIMIT + 1];
	bool last = false;

	while (!last && fgets(line, sizeof(line), in) != NULL) {
		cJSON *o = parse_line(line);
		int64_t n = 0;

		*arrived += strcmp(json_text(o, "msg"), "flood") == 0;
		if (json_int(o, "lines_dropped", 1, INT64_MAX, &n))
			*dropped += n;
		last = strcmp(json_text(o, "msg"), "last") == 0;
		if (last)
			ck_assert_ptr_null(cJSON_GetObjectItem(o, "lines_dropped"));
		cJSON_Delete(o);
	}
	ck_assert_msg(last, "the last line did not come");
	fclose(in);
}

/* Empties what is there without waiting, into a new pipe's worth of memory. */
static void
drain(int fd, struct buf *out)
{
	char piece[65536];
	ssize_t n;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(out, piece, (size_t)n);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void
check_stuck_reader(int reader, int writer)
{
	int filled[2], resume[2], flags = fcntl(writer, F_GETFL);
	int64_t arrived = 0, dropped = 0;
	struct buf early = BUF_INIT;
	struct stuck s;
	pid_t pid;

	ck_assert_int_eq(pipe2(filled, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(resume, O_CLOEXEC), 0);
	s = (struct stuck){ filled[1], resume[0] };
	pid = start_child(writer, write_flood, &s);
	close(filled[1]);
	await_byte(filled[0]);
	/* others share the descriptor's flags: they must be as they were */
	ck_assert_int_eq(fcntl(writer, F_GETFL), flags);
	close(writer);
	drain(reader, &early);
	for (const char *c = buf_text(&early); (c = strchr(c, '\n')) != NULL; c++)
		arrived++;
	ck_assert_int_gt(early.len, 0);
	ck_assert_int_eq(early.data[early.len - 1], '\n');
	ck_assert_int_eq(write(resume[1], "", 1), 1);
	count_lines(reader, &arrived, &dropped);
	check_ended_well(pid);
	ck_assert_int_gt(dropped, 0);
	ck_assert_int_eq(arrived + dropped, FLOOD);
	buf_free(&early);
	close(filled[0]);
	close(resume[0]);
	close(resume[1]);
}

START_TEST(never_waits_for_a_pipe)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	check_stuck_reader(ends[0], ends[1]);
}
END_TEST

START_TEST(never_waits_for_a_socket)
{
	int ends[2];

	/* as systemd's journal hands it out */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	check_stuck_reader(ends[0], ends[1]);
}
END_TEST

static void
write_lines(void *arg)
{
	(void)arg;
	log_start("test", LOG_INFO, LOG_LOGFMT);
	for (int i = 0; i < 10; i++)
		log_info("nobody reads this");
}

START_TEST(outlives_its_reader)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(_i == 0 ? pipe2(ends, O_CLOEXEC)
				 : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
			 0);
	close(ends[0]);
	pid = start_child(ends[1], write_lines, NULL);
	close(ends[1]);
	check_ended_well(pid);
}
END_TEST

#define WRITERS 3
#define LINES_EACH 200

static void
write_wide(void *arg)
{
	static char pad[3900];

	memset(pad, *(const char *)arg, sizeof(pad) - 1);
	log_start("test", LOG_INFO, LOG_JSON);
	for (int i = 0; i < LINES_EACH; i++)
		log_info("wide", LOG_S("pad", pad));
}

START_TEST(keeps_lines_of_several_writers_whole)
{
	pid_t pids[WRITERS];
	char line[LINE_LIMIT + 1];
	int ends[2], lines = 0;
	FILE *in;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < WRITERS; i++) {
		char mark = (char)('a' + i);

		pids[i] = start_child(ends[1], write_wide, &mark);
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	while (fgets(line, sizeof(line), in) != NULL) {
		cJSON *o = parse_line(line);
		const char *pad = json_text(o, "pad");

		ck_assert_uint_eq(strspn(pad, (char[]){ pad[0], '\0' }), 3899);
		cJSON_Delete(o);
		lines++;
	}
	fclose(in);
	for (int i = 0; i < WRITERS; i++)
		check_ended_well(pids[i]);
	ck_assert_int_gt(lines, 0);
}
END_TEST

START_TEST(limits_noise)
{
	struct log_limit limit = { .burst = 3, .interval_ms = 1000 };
	int passed = 0;

	for (int64_t now = 5000; now < 6000; now += 10)
		passed += log_allowed(&limit, now);
	ck_assert_int_eq(passed, 3);
	ck_assert_uint_eq(limit.suppressed, 97);
	limit.suppressed = 0;
	for (int64_t now = 6000; now < 9000; now += 10)
		passed += log_allowed(&limit, now);
	ck_assert_int_eq(passed, 12);
	ck_assert_uint_eq(limit.suppressed, 291);
}
END_TEST

START_TEST(names_levels_and_formats)
{
	for (int i = 0; i < LOG_LEVEL__MAX; i++)
		ck_assert_int_eq(log_level_of(log_level_name((enum log_level)i)), i);
	for (int i = 0; i < LOG_FORMAT__MAX; i++)
		ck_assert_int_eq(log_format_of(log_format_name((enum log_format)i)), i);
	ck_assert_int_eq(log_level_of("INFO"), LOG_LEVEL__MAX);
	ck_assert_int_eq(log_level_of(""), LOG_LEVEL__MAX);
	ck_assert_int_eq(log_format_of("xml"), LOG_FORMAT__MAX);
	ck_assert_str_eq(log_level_name(LOG_LEVEL__MAX), "invalid");
	ck_assert_str_eq(log_format_name(LOG_FORMAT__MAX), "invalid");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 2 * PATIENCE_S);
	tcase_add_test(tc, writes_logfmt);
	tcase_add_test(tc, writes_json);
	tcase_add_test(tc, quotes_hostile_values);
	tcase_add_test(tc, writes_one_clean_line_whatever_comes);
	tcase_add_test(tc, bounds_the_line_and_keeps_it);
	tcase_add_test(tc, writes_what_the_level_admits);
	tcase_add_test(tc, chooses_the_format_by_the_surroundings);
	tcase_add_test(tc, never_waits_for_a_pipe);
	tcase_add_test(tc, never_waits_for_a_socket);
	tcase_add_loop_test(tc, outlives_its_reader, 0, 2);
	tcase_add_test(tc, keeps_lines_of_several_writers_whole);
	tcase_add_test(tc, limits_noise);
	tcase_add_test(tc, names_levels_and_formats);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
