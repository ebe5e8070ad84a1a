/*
 * Two clocks. Deadlines and ages come from CLOCK_BOOTTIME, which never jumps
 * and counts a suspend; the wall clock is for people only.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

/* Milliseconds since boot. */
int64_t clock_now(void);
/* How much of clock_now() the machine was suspended. */
int64_t clock_suspended(void);
/* Milliseconds since 1970, UTC. */
int64_t clock_wall(void);

/* 2026-11-22T11:04:13Z; size at least 21. "" for wall_ms <= 0. Returns out. */
const char *clock_iso(int64_t wall_ms, char *out, size_t size);
/* 2026-11-22 11:04:13 (UTC), the form of /raw; size at least 20. "" for wall_ms <= 0. */
const char *clock_plain(int64_t wall_ms, char *out, size_t size);
/* Reads what clock_iso() wrote, with an optional fraction. 0 if it is anything else. */
int64_t clock_parse_iso(const char *text);
/* "850 ms", "42 s", "3 min 20 s", "5 h 12 min", "9 d 4 h"; size at least 32. Returns out. */
const char *clock_span(int64_t ms, char *out, size_t size);

#endif
