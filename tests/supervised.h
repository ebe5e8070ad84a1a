/*
 * A whole supervisor with helper workers, for tests: in a directory of its own, with a journal
 * that the workers write and the log that the supervisor writes.
 */
#ifndef TESTS_SUPERVISED_H
#define TESTS_SUPERVISED_H

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/clock.h"

#define PATIENCE_MS 20000

extern char dir[64], configuration[80], journal[80], log_file[80];
extern pid_t esddns; /* 0: none runs */

/* What one unit does; NULL for a worker that works. extra: further directives, or "". */
struct plan {
	const char *behaviour, *argument, *extra, *program;
};

/* A fixture: the directory, and at the end nobody and nothing is left of it. */
void supervised_set_up(void);
void supervised_tear_down(void);
/* Write the configuration file; NULL for a unit that works, rest for further keys, or "". */
void supervised_configure(const struct plan *detector, const struct plan *updater,
			  const struct plan *webd, const char *rest);
void supervised_start(void);
/* The same with a program of the tests in place of esddns. */
void supervised_start_program(const char *path);
/* The same as a process of one's own; prepare() runs in it first. */
pid_t supervised_start_in(void (*prepare)(void));
/* The exit code of the supervisor once it ends; 128 + n for a signal. */
int supervised_wait(void);
/* TERM, then the exit code. */
int supervised_stop(void);
/* Print log and journal. */
void supervised_show(void);

bool file_contains(const char *file, const char *text);
/* The whole number that follows text in the journal for the last time, or -1. */
long journal_number(const char *text);
/* The same for the first time. */
long journal_first_number(const char *text);
unsigned journal_count(const char *text);
bool is_gone(long pid);

#define wait_until(condition)                                                                      \
	do {                                                                                       \
		int64_t until_ = clock_now() + PATIENCE_MS;                                        \
		while (!(condition)) {                                                             \
			if (clock_now() > until_) {                                                \
				supervised_show();                                                 \
				ck_abort_msg("waited in vain: %s", #condition);                    \
			}                                                                          \
			usleep(5000);                                                              \
		}                                                                                  \
	} while (0)

#define wait_until_ready() wait_until(file_contains(log_file, "msg=\"ready\""))

#endif
