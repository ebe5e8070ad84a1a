/* What the units are doing, told: to the log, to webd as JSON, and in one line for people. */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/manager.h"
#include "supervisor/worker.h"

#define REPORT_SUMMARY_MAX 768

/* What was last told of one unit; zeroed at the start. */
struct report {
	enum unit_state state;
	uint64_t incarnation;
	int64_t since;      /* wall: of the state */
	int64_t started_ms; /* of the incarnation */
	char status[NOTICE_STATUS_MAX];
};

/*
 * Compare the unit with what was told, and log each transition. True if
 * anything changed that the page would show.
 */
bool report_changes(struct report *r, const struct unit *u, const struct worker *w, int64_t now_ms);

/* "UNITS=[...]" for webd, about the units that are enabled or not inactive; free() it. */
char *report_units(const struct report *r, const struct manager *m, const struct worker *w,
		   int64_t now_ms);

/*
 * One line: "2 of 3 units are up; webd failed; 198.20.0.7, agreed by 5 of 5; 1
 * record, 1 in sync". size at least REPORT_SUMMARY_MAX.
 */
void report_summary(const struct manager *m, const struct worker *w, char *out, size_t size);

#endif
