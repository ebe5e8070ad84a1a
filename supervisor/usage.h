/* What a process takes of the machine, as the kernel tells it. */
#ifndef SUPERVISOR_USAGE_H
#define SUPERVISOR_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
	int64_t memory; /* bytes that are resident, pages shared with others included */
	int64_t cpu_ms; /* in user and kernel mode, since its start */
};

/*
 * Of /proc/PID/stat, which is one read and open to everyone: the proportional
 * set size costs a walk over all pages, and is refused for a process that is
 * not dumpable, as the updater is. False, and zeros, if there is no such process.
 */
bool usage_read(pid_t pid, struct usage *out);
/* The pure part: one line of that file. Zeros and false if it is none. */
bool usage_parse(const char *text, long ticks_per_s, long page_size, struct usage *out);

#endif
