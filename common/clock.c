#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		abort(); /* both clocks exist on every Linux since 2.6.39 */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t
clock_suspended(void)
{
	/* in this order, so that it never falls below what was: a moment passes between the two */
	int64_t awake_ms = read_clock(CLOCK_MONOTONIC);

	return read_clock(CLOCK_BOOTTIME) - awake_ms;
}

int64_t
clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

static const char *
format_utc(int64_t wall_ms, const char *format, char *out, size_t size)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	out[0] = '\0';
	if (wall_ms > 0 && gmtime_r(&seconds, &tm) != NULL && strftime(out, size, format, &tm) == 0)
		out[0] = '\0';
	return out;
}

const char *
clock_iso(int64_t wall_ms, char *out, size_t size)
{
	return format_utc(wall_ms, "%Y-%m-%dT%H:%M:%SZ", out, size);
}

const char *
clock_plain(int64_t wall_ms, char *out, size_t size)
{
	return format_utc(wall_ms, "%Y-%m-%d %H:%M:%S", out, size);
}

/* Exactly n digits at *p, which moves behind them; -1 if they are not there. */
static int
digits(const char **p, int n)
{
	int value = 0;

	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static int
milliseconds(const char **p)
{
	int value = 0, scale = 100;

	if (**p != '.')
		return 0;
	(*p)++;
	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		value += (**p - '0') * scale;
	return value;
}

int64_t
clock_parse_iso(const char *text)
{
	static const char separators[] = "--T::";
	int part[6], ms;
	struct tm tm = { 0 }, back;
	time_t seconds;

	for (int i = 0; i < 6; i++) {
		part[i] = digits(&text, i == 0 ? 4 : 2);
		if (part[i] < 0 || (i < 5 && *text++ != separators[i]))
			return 0;
	}
	ms = milliseconds(&text);
	if (ms < 0 || strcmp(text, "Z") != 0)
		return 0;
	tm = (struct tm){ .tm_year = part[0] - 1900,
			  .tm_mon = part[1] - 1,
			  .tm_mday = part[2],
			  .tm_hour = part[3],
			  .tm_min = part[4],
			  .tm_sec = part[5] };
	seconds = timegm(&tm);
	/* timegm() takes the 31st of February and the like: they come back changed */
	if (seconds <= 0 || gmtime_r(&seconds, &back) == NULL || back.tm_mon != part[1] - 1 ||
	    back.tm_mday != part[2] || back.tm_hour != part[3] || back.tm_min != part[4] ||
	    back.tm_sec != part[5])
		return 0;
	return (int64_t)seconds * 1000 + ms;
}

const char *
clock_span(int64_t ms, char *out, size_t size)
{
	int64_t s = ms / 1000;

	if (ms < 0)
		snprintf(out, size, "-");
	else if (ms < 1000)
		snprintf(out, size, "%d ms", (int)ms);
	else if (s < 60)
		snprintf(out, size, "%d s", (int)s);
	else if (s < 3600)
		snprintf(out, size, "%d min %d s", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(out, size, "%d h %d min", (int)(s / 3600), (int)(s % 3600 / 60));
	else
		snprintf(out, size, "%lld d %d h", (long long)(s / 86400), (int)(s % 86400 / 3600));
	return out;
}
