/* What the supervisor's own files share: its state, and the steps that change it. */
#ifndef SUPERVISOR_SUPERVISOR_PRIVATE_H
#define SUPERVISOR_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/log.h"
#include "supervisor/config.h"
#include "supervisor/control.h"
#include "supervisor/lifeline.h"
#include "supervisor/manager.h"
#include "supervisor/notify.h"
#include "supervisor/report.h"
#include "supervisor/supervisor.h"
#include "supervisor/worker.h"

#define UNITS CONFIG_UNIT__MAX

/* A client of the control socket whose answer waits until a unit has arrived. */
struct waiting {
	uint64_t client; /* 0: this place is free */
	struct control_request request;
	uint64_t incarnation; /* of the unit when it was asked */
	int64_t deadline_ms;
};

struct supervisor {
	const struct supervisor_options *options;
	struct config *config;
	size_t nwarnings; /* of the configuration in force */
	const char *libexec_dir;
	struct manager manager;
	struct worker workers[UNITS];
	struct report reports[UNITS];
	struct notify notify;
	struct lifeline lifeline;
	struct control *control; /* NULL: it could not be made */
	struct waiting waiting[CONTROL_CLIENTS_MAX];
	int secret_fd;
	int signal_fd;
	int lock_fd;
	int64_t started_ms;
	int64_t started_at; /* wall */
	bool ready_told;
	int64_t suspended_ms; /* clock_suspended(), as seen last */
	struct log_limit stalls;
	bool in_sync; /* with options->once: the updater said so by its end */
	bool units_dirty;
	int64_t units_next_ms; /* not before this are they told again */
	int64_t units_told_ms;
	char summary[REPORT_SUMMARY_MAX];
};

/* Where the workers are: ESDDNS_LIBEXECDIR of the environment, or as it was built. */
const char *supervisor_libexec_dir(void);

/* Give the machines one event now, and carry out what they ask for. */
void supervisor_step(struct supervisor *s, const struct manager_event *ev);
/* The same for an event that is about all units. */
void supervisor_step_all(struct supervisor *s, enum manager_event_type type);

/* --- reload.c ---------------------------------------------------------------------- */

/*
 * Read the configuration, log what is wrong with it, and adapt it to options->once.
 * NULL if it cannot be used. report is emptied first and filled; the caller frees it.
 */
struct config *supervisor_load(const struct supervisor_options *options,
			       struct config_report *report);
/* The units' first parts and directives, of s->config. 0, or -1 after it said why. */
int supervisor_configure(struct supervisor *s);

/* What a reload came to, for the one who asked. */
struct reload {
	bool done;
	const char *why; /* a sentence, a literal, if it is not done */
	struct config_report report;
	bool changed[UNITS]; /* it got a new part */
};
/* Read the configuration again, all or nothing. out is filled; config_report_free() its report. */
void supervisor_reload(struct supervisor *s, struct reload *out);

/* --- commands.c -------------------------------------------------------------------- */

/* A control_handler; arg is the supervisor. */
void commands_take(void *arg, uint64_t client, const struct control_request *request);
/* Answer those whose unit has arrived, or who waited too long; call it in each pass. */
void commands_settle(struct supervisor *s, int64_t now_ms);
/* When commands_settle() is due, or CLOCK_NEVER. */
int64_t commands_next_deadline(const struct supervisor *s);

/* --- status.c ---------------------------------------------------------------------- */

/* All that is known, as the JSON object that answers "status"; free() it. */
char *status_json(const struct supervisor *s, int64_t now_ms);

#endif
