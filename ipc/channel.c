#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "ipc/text.h"

#define SECRET_MAX 8192
#define STATUS_MAX 512
#define UNITS_MAX 64
#define EVENTS_PER_PASS 64
#define FDS_MAX 8         /* that one datagram may carry; only one is wanted */
#define PING_RETRY_MS 200 /* after a ping that the socket did not take */
#define PART_VERSION 1

/* The log keeps a pointer to it, also after the channel is closed. */
static char unit_name[32];

struct channel {
	int fd;
	int signal_fd;
	cJSON *part;
	cJSON *units;
	char *secret_text; /* SECRET_MAX + 1 bytes, or NULL */
	const char *secret;
	char status[STATUS_MAX];
	char state[CHANNEL_STATE_MAX + 1];
	bool ready_wanted, stopping_wanted, state_wanted; /* not taken by the socket yet */
	bool gone;
	unsigned budget;
	int64_t ping_every_ms; /* 0: no watchdog */
	int64_t ping_at_ms;
};

/* What comes from the supervisor is never wrong by accident: a new start is the cure. */
static _Noreturn void
broken(const char *what, const char *detail)
{
	log_error(what, LOG_S("detail", detail));
	_exit(EX_SOFTWARE);
}

/* The descriptor named by a variable, which is removed; -1 if there is none. */
static int
inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long fd;

	if (text == NULL)
		return -1;
	errno = 0;
	fd = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || fd > INT32_MAX ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
		broken("the supervisor named a descriptor that is not open", variable);
	unsetenv(variable);
	return (int)fd;
}

/*
 * All bytes of the memfd, from its start: the supervisor's copy shares the
 * offset. Returns how many, or -1 where it cannot be read or holds more than max.
 */
static ssize_t
read_whole(int fd, char *dst, size_t max)
{
	size_t used = 0;
	ssize_t n;

	do {
		n = pread(fd, dst + used, max + 1 - used, (off_t)used);
		if (n > 0)
			used += (size_t)n;
	} while (used <= max && (n > 0 || (n < 0 && errno == EINTR)));
	return n < 0 || used > max ? -1 : (ssize_t)used;
}

static bool
part_is_sound(const cJSON *part, const char **why)
{
	const cJSON *log = json_object(part, "log");
	const char *level = json_text(log, "level"), *format = json_text(log, "format");
	int64_t version;

	if (!json_int(part, "v", PART_VERSION, PART_VERSION, &version))
		*why = "has no known version";
	else if (level == NULL || log_level_of(level) == LOG_LEVEL__MAX)
		*why = "has no log level";
	else if (format == NULL || log_format_of(format) == LOG_FORMAT__MAX)
		*why = "has no log format";
	else
		return true;
	return false;
}

/* The part in fd, which is closed. */
static cJSON *
read_part(int fd)
{
	char *text = mem_new(CHANNEL_PART_MAX + 1, 1);
	ssize_t len = read_whole(fd, text, CHANNEL_PART_MAX);
	const char *why = "cannot be read, or is too long";
	cJSON *part = len >= 0 ? json_parse(text, (size_t)len, &why) : NULL;

	close(fd);
	free(text);
	if (part == NULL || !part_is_sound(part, &why))
		broken("the configuration part from the supervisor is malformed", why);
	return part;
}

/* Takes the part in fd, which is closed, in place of the old one, and its settings of the log. */
static void
take_part(struct channel *c, int fd)
{
	cJSON *part = read_part(fd);
	const cJSON *log;

	cJSON_Delete(c->part);
	c->part = part;
	log = json_object(part, "log");
	log_start(unit_name, log_level_of(json_text(log, "level")),
		  log_format_of(json_text(log, "format")));
}

static void
take_secret(struct channel *c, int fd)
{
	ssize_t len;

	/* from here on neither a core dump nor another process of this user shows it */
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		broken("the process cannot be made not dumpable", strerror(errno));
	c->secret_text = mem_new(SECRET_MAX + 1, 1);
	len = read_whole(fd, c->secret_text, SECRET_MAX);
	close(fd);
	if (len < 0 || memchr(c->secret_text, '\0', (size_t)len) != NULL)
		broken("the secret from the supervisor is malformed",
		       "cannot be read, is too long or holds a NUL");
	c->secret_text[len] = '\0';
	c->secret = text_trim(c->secret_text);
	if (c->secret[0] == '\0')
		c->secret = NULL;
}

static void
take_signals(struct channel *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(2) */
	c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->signal_fd < 0)
		broken("no signalfd can be made", strerror(errno));
}

static void
take_watchdog(struct channel *c)
{
	const char *text = getenv("WATCHDOG_USEC");
	int64_t usec;
	char *end;

	if (text == NULL)
		return;
	errno = 0;
	usec = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		broken("the supervisor set a malformed WATCHDOG_USEC", NULL);
	unsetenv("WATCHDOG_USEC");
	c->ping_every_ms = usec / 2000;
	if (usec > 0 && c->ping_every_ms == 0)
		c->ping_every_ms = 1;
}

struct channel *
channel_open(const char *unit)
{
	struct channel *c = mem_new(1, sizeof(*c));
	const char *name = getenv(CHANNEL_UNIT_ENV);
	socklen_t size = sizeof(int);
	int type = 0, part_fd, secret_fd;

	text_clean(unit_name, sizeof(unit_name), name != NULL && name[0] != '\0' ? name : unit);
	unsetenv(CHANNEL_UNIT_ENV);
	log_start(unit_name, LOG_INFO, LOG_AUTO);
	if (getenv(CHANNEL_ENV) == NULL) {
		fprintf(stderr, "This program is a worker of esddns(8), which starts it; "
				"it does not run alone.\n");
		exit(EX_USAGE);
	}
	take_signals(c);
	c->fd = inherited_fd(CHANNEL_ENV);
	part_fd = inherited_fd(CHANNEL_PART_ENV);
	secret_fd = inherited_fd(CHANNEL_SECRET_ENV);
	if (getsockopt(c->fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
		broken("the channel from the supervisor is not a SEQPACKET socket", NULL);
	if (part_fd < 0)
		broken("the supervisor handed over no configuration part", NULL);
	if (secret_fd >= 0)
		take_secret(c, secret_fd);
	take_part(c, part_fd);
	take_watchdog(c);
	return c;
}

cJSON *
channel_part_alone(void)
{
	int fd = inherited_fd(CHANNEL_PART_ENV);

	if (fd < 0) {
		fprintf(stderr, "This program needs its configuration from esddns(8).\n");
		exit(EX_USAGE);
	}
	return read_part(fd);
}

void
channel_close(struct channel *c)
{
	if (c == NULL)
		return;
	if (c->secret_text != NULL)
		explicit_bzero(c->secret_text, SECRET_MAX + 1);
	free(c->secret_text);
	cJSON_Delete(c->part);
	cJSON_Delete(c->units);
	close(c->signal_fd);
	close(c->fd);
	free(c);
}

const cJSON *
channel_part(const struct channel *c)
{
	return c->part;
}

const char *
channel_secret(const struct channel *c)
{
	return c->secret;
}

const cJSON *
channel_units(const struct channel *c)
{
	return c->units;
}

/* One datagram, never waiting. False if the socket did not take it now. */
static bool
put(struct channel *c, const char *lines)
{
	ssize_t n;

	if (c->gone)
		return true; /* nobody is left to hear it */
	n = send(c->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		return true;
	if (errno == EPIPE || errno == ECONNRESET)
		c->gone = true;
	return c->gone;
}

void
channel_ready(struct channel *c)
{
	c->ready_wanted = !put(c, "READY=1");
}

void
channel_stopping(struct channel *c)
{
	c->ready_wanted = false;
	c->stopping_wanted = !put(c, "STOPPING=1");
}

void
channel_status(struct channel *c, const char *text)
{
	char clean[STATUS_MAX], line[STATUS_MAX + 8];

	text_clean(clean, sizeof(clean), text);
	if (strcmp(clean, c->status) == 0)
		return;
	snprintf(line, sizeof(line), "STATUS=%s", clean);
	/* one that is not taken is not kept: the next call sends what is true then */
	if (put(c, line))
		memcpy(c->status, clean, sizeof(clean));
	else
		c->status[0] = '\0';
}

static void
put_state(struct channel *c)
{
	char line[CHANNEL_UP_MAX];

	snprintf(line, sizeof(line), "X_STATE=%s", c->state);
	c->state_wanted = !put(c, line);
}

void
channel_state(struct channel *c, const char *json)
{
	if (strcmp(json, c->state) == 0)
		return;
	if (!mem_copy_text(c->state, sizeof(c->state), json)) {
		log_error("the state for the supervisor is too long");
		c->state[0] = '\0';
		return;
	}
	put_state(c);
}

static void
ping(struct channel *c, int64_t now_ms)
{
	if (now_ms < c->ping_at_ms)
		return;
	if (put(c, "WATCHDOG=1") || c->ping_every_ms < PING_RETRY_MS)
		c->ping_at_ms = now_ms + c->ping_every_ms;
	else
		c->ping_at_ms = now_ms + PING_RETRY_MS;
}

void
channel_prepare(struct channel *c, struct pollset *set, int64_t now_ms)
{
	bool waiting;

	if (c->ready_wanted)
		channel_ready(c);
	if (c->stopping_wanted)
		channel_stopping(c);
	if (c->state_wanted)
		put_state(c);
	c->budget = EVENTS_PER_PASS;
	waiting = c->ready_wanted || c->stopping_wanted || c->state_wanted;
	pollset_add(set, c->signal_fd, POLLIN);
	pollset_add(set, c->fd, waiting ? POLLIN | POLLOUT : POLLIN);
	if (c->ping_every_ms != 0) {
		ping(c, now_ms);
		pollset_wake_at(set, c->ping_at_ms);
	}
}

static enum channel_event
next_signal(struct channel *c)
{
	struct signalfd_siginfo info;

	while (read(c->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			return CHANNEL_STOP;
		if (info.ssi_signo == SIGUSR1)
			return CHANNEL_DETECT;
		/* SIGHUP: a terminal went away, or somebody meant the supervisor */
	}
	return CHANNEL_NONE;
}

/* The first descriptor that came with a datagram, -1 if none; all others are closed. */
static int
first_fd(struct msghdr *header)
{
	int first = -1;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(header); m != NULL; m = CMSG_NXTHDR(header, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (m->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

static enum channel_event
take_units(struct channel *c, const char *text, size_t len)
{
	const char *why = "is not a list of units";
	cJSON *units = json_parse(text, len, &why);
	const cJSON *unit;

	if (units == NULL || !cJSON_IsArray(units) || cJSON_GetArraySize(units) > UNITS_MAX)
		broken("the units' states from the supervisor are malformed", why);
	cJSON_ArrayForEach(unit, units) if (json_text(unit, "name") == NULL ||
					    json_text(unit, "state") == NULL)
		broken("the units' states from the supervisor are malformed",
		       "an entry has no name or no state");
	cJSON_Delete(c->units);
	c->units = units;
	return CHANNEL_UNITS;
}

/* Closes fd, except that a reload reads its part from it first. */
static enum channel_event
understand(struct channel *c, const char *text, size_t len, int fd)
{
	if (strcmp(text, "RELOAD=1") == 0) {
		if (fd < 0)
			broken("the supervisor sent a reload without a configuration part", NULL);
		take_part(c, fd);
		return CHANNEL_RELOAD;
	}
	if (fd >= 0)
		close(fd);
	if (strcmp(text, "DETECT=1") == 0)
		return CHANNEL_DETECT;
	if (strcmp(text, "SYNC=1") == 0)
		return CHANNEL_SYNC;
	if (strcmp(text, "DRAIN=1") == 0)
		return CHANNEL_DRAIN;
	if (strncmp(text, "UNITS=", 6) == 0)
		return take_units(c, text + 6, len - 6);
	/* a newer supervisor's: as with sd_notify, unknown keys mean nothing */
	log_debug("the supervisor sent an unknown command");
	return CHANNEL_NONE;
}

static enum channel_event
next_command(struct channel *c)
{
	char text[CHANNEL_DOWN_MAX + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = CHANNEL_DOWN_MAX };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t n;
	int fd;

	n = recvmsg(c->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CHANNEL_NONE;
	if (n <= 0) { /* an empty datagram is never sent: this is the end of file */
		c->gone = true;
		return CHANNEL_GONE;
	}
	text[n] = '\0';
	fd = first_fd(&header);
	if ((header.msg_flags & MSG_TRUNC) != 0 || memchr(text, '\0', (size_t)n) != NULL)
		broken("a command from the supervisor is malformed", "it is too long or binary");
	return understand(c, text, (size_t)n, fd);
}

enum channel_event
channel_next(struct channel *c, const struct pollset *set, int64_t now_ms)
{
	enum channel_event event = CHANNEL_NONE;

	if (c->ping_every_ms != 0)
		ping(c, now_ms);
	if (c->gone)
		return CHANNEL_GONE;
	if (c->budget == 0)
		return CHANNEL_NONE;
	c->budget--;
	if ((pollset_events(set, c->signal_fd) & POLLIN) != 0)
		event = next_signal(c);
	if (event == CHANNEL_NONE &&
	    (pollset_events(set, c->fd) & (POLLIN | POLLHUP | POLLERR)) != 0)
		event = next_command(c);
	return event;
}
