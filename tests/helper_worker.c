/*
 * A worker for the supervisor's tests that does one thing, well or badly:
 *     helper_worker BEHAVIOUR JOURNAL [ARGUMENT]
 * It writes what happens to it into the journal, one line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *journal;
static int channel = -1;
static volatile sig_atomic_t asked_to_stop;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *format, ...)
{
	int fd = open(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char line[8192];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	line[n++] = '\n';
	/* one write for each line, so that lines of several workers stay whole */
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		_exit(99);
	close(fd);
}

static void
tell(const char *lines)
{
	if (send(channel, lines, strlen(lines), MSG_NOSIGNAL) < 0)
		note("send: %s", strerror(errno));
}

static void
on_term(int number)
{
	asked_to_stop = number;
}

/* Until TERM or the end of the supervisor; writes down each command. */
static int
serve(const char *unit)
{
	char text[20000];

	while (!asked_to_stop) {
		struct pollfd p = { .fd = channel, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 50) <= 0)
			continue;
		n = recv(channel, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (n == 0)
			return 0;
		if (n > 0) {
			text[n] = '\0';
			note("%s got %s", unit, text);
		}
	}
	note("%s stops", unit);
	return 0;
}

/* What the process was born with, for the test to judge. */
static void
inspect(const char *unit)
{
	struct sigaction action;
	sigset_t mask;
	int ignored = 0, blocked = 0, open_fds = 0;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int n = 1; n < 32; n++) {
		if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			ignored++;
		blocked += sigismember(&mask, n) == 1;
	}
	for (int fd = 0; fd < 1024; fd++)
		open_fds += fcntl(fd, F_GETFD) >= 0;
	note("%s ignored=%d blocked=%d fds=%d leader=%d session=%d no_new_privs=%d umask=%03o",
	     unit, ignored, blocked, open_fds, getpgrp() == getpid(), getsid(0) == getpid(),
	     prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (unsigned)umask(077));
	for (char **e = environ; *e != NULL; e++)
		note("%s env %s", unit, *e);
}

static void
note_memfd(const char *unit, const char *what, const char *variable)
{
	const char *number = getenv(variable);
	char text[4096];
	ssize_t n;

	if (number == NULL)
		return;
	n = pread(atoi(number), text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	note("%s %s %s writable=%d", unit, what, text, write(atoi(number), "x", 1) == 1);
}

/* A daemon's way: out of the group and the session, and the parent gone. */
static void
leave_orphan(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return;
	setsid();
	if (fork() != 0)
		_exit(0);
	alarm(120); /* in case the test fails */
	note("orphan %ld", (long)getpid());
	close(channel);
	for (;;)
		pause();
}

/* One more process in the worker's own group, which ignores TERM. */
static void
leave_member(void)
{
	if (fork() != 0)
		return;
	signal(SIGTERM, SIG_IGN);
	alarm(120);
	note("member %ld", (long)getpid());
	for (;;)
		pause();
}

static void
flood(long n)
{
	while (n-- > 0)
		if (send(channel, "STATUS=flood", 12, MSG_NOSIGNAL) < 0)
			return;
}

static int
behave(const char *what, const char *unit, const char *argument)
{
	long number = argument != NULL ? atol(argument) : 0;

	if (strcmp(what, "exit") == 0)
		return (int)number;
	if (strcmp(what, "silent") == 0)
		return serve(unit);
	if (strcmp(what, "inspect") == 0) {
		inspect(unit);
		note_memfd(unit, "part", "ESDDNS_PART_FD");
		note_memfd(unit, "secret", "ESDDNS_SECRET_FD");
	}
	if (strcmp(what, "deaf") == 0)
		signal(SIGTERM, SIG_IGN);
	if (strcmp(what, "orphan") == 0)
		leave_orphan();
	if (strcmp(what, "member") == 0)
		leave_member();
	tell("READY=1\nSTATUS=at work");
	if (strcmp(what, "ready-exit") == 0)
		return (int)number;
	if (strcmp(what, "member") == 0)
		return 1;
	if (strcmp(what, "flood") == 0)
		flood(number);
	if (strcmp(what, "freeze") == 0)
		raise(SIGSTOP);
	return serve(unit);
}

int
main(int argc, char **argv)
{
	const char *unit = getenv("ESDDNS_UNIT"), *fd = getenv("ESDDNS_CHANNEL_FD");

	if (argc < 3 || unit == NULL || fd == NULL)
		return 98;
	journal = argv[2];
	channel = atoi(fd);
	signal(SIGTERM, on_term);
	note("%s start %ld", unit, (long)getpid());
	/* not exit(3): under load the search for leaks at the end may take longer than a stop may
	 */
	_exit(behave(argv[1], unit, argc > 3 ? argv[3] : NULL));
}
