/* What esddnsctl prints, made of the supervisor's answers. Pure. */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/buf.h"

/* Exit codes, those of the LSB and systemctl where they have one. */
#define VIEW_EXIT_OK 0
#define VIEW_EXIT_FAILED 1
#define VIEW_EXIT_NOT_ACTIVE 3
#define VIEW_EXIT_NO_UNIT 4

/*
 * The answer to "status" for people, at most 80 columns: first whether all is
 * well and what is not, then address, records and units. unit NULL shows all of
 * it, else that unit alone. Returns the exit code.
 */
int view_status(const cJSON *status, const char *unit, bool colour, struct buf *out);
/* The exit code alone. */
int view_status_code(const cJSON *status, const char *unit);

/* The answer to "reload": what changed, or all mistakes. */
void view_reload(const cJSON *answer, struct buf *out);

#endif
