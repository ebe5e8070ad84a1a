/*
 * The log: one line an event on standard error, as logfmt or as JSON. It never
 * blocks: a line that the reader does not take is counted, and the count is
 * told with the next line that passes.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL__MAX };
enum log_format { LOG_AUTO, LOG_LOGFMT, LOG_JSON, LOG_FORMAT__MAX };

enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_BOOL };

struct log_field {
	enum log_kind kind;
	const char *key; /* [a-z0-9_]+ */
	const char *text;
	int64_t number;
};

/* Fields for the calls below. A NULL text leaves the field out. */
#define LOG_S(key, value) ((struct log_field){ LOG_KIND_TEXT, (key), (value), 0 })
#define LOG_I(key, value) ((struct log_field){ LOG_KIND_INT, (key), NULL, (int64_t)(value) })
#define LOG_B(key, value) ((struct log_field){ LOG_KIND_BOOL, (key), NULL, (value) ? 1 : 0 })

/*
 * Start: the name of the unit stands in every line. LOG_AUTO is logfmt on a
 * terminal or under systemd, JSON in a container (KUBERNETES_SERVICE_HOST or
 * PID 1). May be called again to change level and format.
 */
void log_start(const char *unit, enum log_level level, enum log_format format);
/* What LOG_AUTO is in this process; any other format as it is. Workers are told: none is PID 1. */
enum log_format log_format_here(enum log_format format);
bool log_enabled(enum log_level level);

/*
 * Write one line: msg is a sentence or phrase, always a literal or the
 * program's own text; everything that came from outside goes into fields.
 * Takes fields after msg: log_info("address changed", LOG_S("from", a), LOG_S("to", b)).
 */
#define log_error(...) log_line_(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line_(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line_(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line_(LOG_DEBUG, __VA_ARGS__)
#define log_line_(level, msg, ...)                                                                 \
	log_write((level), (msg),                                                                  \
		  (const struct log_field[]){                                                      \
			  __VA_ARGS__ __VA_OPT__(, ){ LOG_KIND_END, NULL, NULL, 0 } })
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

/* Limits noise that comes from outside: true at most burst times in each interval. */
struct log_limit {
	unsigned burst;
	int64_t interval_ms;
	int64_t since_ms;
	unsigned used;
	unsigned suppressed; /* since the last line that passed; say it and set it to 0 */
};
bool log_allowed(struct log_limit *limit, int64_t now_ms);

/* "error", "warn", "info", "debug" -> level; LOG_LEVEL__MAX if it is none of them. */
enum log_level log_level_of(const char *name);
const char *log_level_name(enum log_level level);
/* "auto", "logfmt", "json" -> format; LOG_FORMAT__MAX if it is none of them. */
enum log_format log_format_of(const char *name);
const char *log_format_name(enum log_format format);

#endif
