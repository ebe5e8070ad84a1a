#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"

/* A pipe takes this much in one piece (PIPE_BUF), so that lines of several writers stay whole. */
#define LINE_MAX_BYTES 4096
/* leaves room for the count of dropped lines and the end */
#define FIELDS_MAX_BYTES (LINE_MAX_BYTES - 64)

static struct {
	const char *unit;
	enum log_level level;
	bool json;
	bool is_socket;
	int fd;
	unsigned long dropped;
} logger = { "esddns", LOG_INFO, false, false, STDERR_FILENO, 0 };

static const char *const level_names[LOG_LEVEL__MAX] = { "error", "warn", "info", "debug" };
static const char *const format_names[LOG_FORMAT__MAX] = { "auto", "logfmt", "json" };

/*
 * The descriptor of standard error may be shared with a terminal's other
 * users, so its flags stay alone: a pipe is opened a second time, not
 * blocking; a socket is written with MSG_DONTWAIT; all else is asked by poll.
 */
static void
choose_output(void)
{
	struct stat st;
	int fd;

	if (logger.fd != STDERR_FILENO || logger.is_socket || fstat(STDERR_FILENO, &st) != 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		logger.is_socket = true;
	} else if (S_ISFIFO(st.st_mode)) {
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			logger.fd = fd;
	}
}

enum log_format
log_format_here(enum log_format format)
{
	bool container = getenv("KUBERNETES_SERVICE_HOST") != NULL || getpid() == 1;

	if (format != LOG_AUTO)
		return format;
	return container ? LOG_JSON : LOG_LOGFMT;
}

void
log_start(const char *unit, enum log_level level, enum log_format format)
{
	logger.unit = unit;
	logger.level = level;
	logger.json = log_format_here(format) == LOG_JSON;
	choose_output();
}

bool
log_enabled(enum log_level level)
{
	return level <= logger.level;
}

static bool
is_bare(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7F || *text == '"' ||
		    *text == '=' || *text == '\\')
			return false;
	return true;
}

static void
add_key(struct buf *b, const char *key)
{
	if (logger.json)
		buf_printf(b, ",\"%s\":", key);
	else
		buf_printf(b, " %s=", key);
}

static void
add_field(struct buf *b, const struct log_field *f)
{
	if (f->kind == LOG_KIND_TEXT && f->text == NULL)
		return;
	add_key(b, f->key);
	if (f->kind == LOG_KIND_INT)
		buf_printf(b, "%lld", (long long)f->number);
	else if (f->kind == LOG_KIND_BOOL)
		buf_adds(b, f->number != 0 ? "true" : "false");
	else if (!logger.json && is_bare(f->text))
		buf_adds(b, f->text);
	else
		json_quote(b, f->text);
}

static void
cut(struct buf *b, size_t len)
{
	b->len = len;
	b->data[len] = '\0';
}

/* One field too long must not take the others with it, nor the line. */
static void
add_bounded(struct buf *b, const struct log_field *f)
{
	size_t before = b->len;

	add_field(b, f);
	if (b->len <= FIELDS_MAX_BYTES)
		return;
	cut(b, before);
	add_field(b, &LOG_S(f->key, "(too long)"));
	if (b->len > FIELDS_MAX_BYTES)
		cut(b, before);
}

static bool
put(const char *line, size_t len)
{
	struct pollfd pfd = { .fd = logger.fd, .events = POLLOUT };
	ssize_t n;

	if (logger.is_socket)
		n = send(logger.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT) /* POLLERR: the reader is gone */
		n = write(logger.fd, line, len);
	else
		return false;
	return n == (ssize_t)len;
}

static void
begin_line(struct buf *b, enum log_level level, const char *msg)
{
	char at[32];
	int64_t wall = clock_wall();

	clock_iso(wall, at, sizeof(at) - 8);
	if (at[0] != '\0') /* replace the final Z by milliseconds and Z */
		snprintf(at + strlen(at) - 1, 8, ".%03dZ", (int)(wall % 1000));
	if (logger.json)
		buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"unit\":\"%s\",\"msg\":", at,
			   level_names[level], logger.unit);
	else
		buf_printf(b, "time=%s level=%s unit=%s msg=", at, level_names[level], logger.unit);
	json_quote(b, msg);
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
	struct buf b = BUF_INIT;
	int saved = errno;

	if (!log_enabled(level))
		return;
	begin_line(&b, level, msg);
	for (; fields->kind != LOG_KIND_END; fields++)
		add_bounded(&b, fields);
	if (logger.dropped != 0)
		add_field(&b, &LOG_I("lines_dropped", logger.dropped));
	buf_adds(&b, logger.json ? "}\n" : "\n");
	if (b.len <= LINE_MAX_BYTES && put(b.data, b.len))
		logger.dropped = 0;
	else
		logger.dropped++;
	buf_free(&b);
	errno = saved;
}

bool
log_allowed(struct log_limit *limit, int64_t now_ms)
{
	if (now_ms - limit->since_ms >= limit->interval_ms || limit->since_ms == 0) {
		limit->since_ms = now_ms;
		limit->used = 0;
	}
	if (limit->used >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->used++;
	return true;
}

enum log_level
log_level_of(const char *name)
{
	for (int i = 0; i < LOG_LEVEL__MAX; i++)
		if (strcmp(level_names[i], name) == 0)
			return (enum log_level)i;
	return LOG_LEVEL__MAX;
}

const char *
log_level_name(enum log_level level)
{
	return level < LOG_LEVEL__MAX ? level_names[level] : "invalid";
}

enum log_format
log_format_of(const char *name)
{
	for (int i = 0; i < LOG_FORMAT__MAX; i++)
		if (strcmp(format_names[i], name) == 0)
			return (enum log_format)i;
	return LOG_FORMAT__MAX;
}

const char *
log_format_name(enum log_format format)
{
	return format < LOG_FORMAT__MAX ? format_names[format] : "invalid";
}
