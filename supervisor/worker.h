/*
 * The process behind one unit: started, listened to through its channel,
 * signalled, and seen to its end. What happens to it becomes events for the
 * unit's machine.
 */
#ifndef SUPERVISOR_WORKER_H
#define SUPERVISOR_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/pollset.h"
#include "supervisor/channel_super.h"
#include "supervisor/lifeline.h"
#include "supervisor/unit.h"

/* Commands that wait until the worker takes them. */
#define WORKER_RELOAD 1u
#define WORKER_DETECT 2u
#define WORKER_SYNC 4u
#define WORKER_DRAIN 8u

#define WORKER_EXIT_MAX 256

/* Called for each event of the process. */
typedef void worker_emit(void *arg, const char *name, const struct unit_event *ev);

struct worker {
	const char *name;
	worker_emit *emit;
	void *arg;

	pid_t pid; /* 0: there is none */
	uint64_t incarnation;
	int channel_fd;  /* -1: none, or closed by the worker */
	int progress_fd; /* of its start, until execve(2) is known to be done */
	bool reaped;     /* its group may still have members */
	bool unborn;     /* it could not be spawned, which was not reported yet */
	struct unit_status ended;

	struct lifeline *lifeline; /* of the one that runs */

	int part_fd; /* the sealed memfd that it gets at its start and at a reload; owned */
	unsigned pending;
	char program[512];               /* the path that was executed last */
	char status[NOTICE_STATUS_MAX];  /* its last STATUS= */
	char *state;                     /* its last X_STATE=, a JSON object; or NULL */
	int64_t state_ms;                /* when that came */
	int64_t cpu_past_ms;             /* of its processes that have ended */
	char trouble[WORKER_EXIT_MAX];   /* why this incarnation could not be started; or "" */
	char last_exit[WORKER_EXIT_MAX]; /* how the last one ended: "exited with 1", its trouble */
};

/* What a start needs. */
struct worker_start {
	const char *libexec_dir;
	char *const *argv;         /* argv[0] without a slash is looked up in libexec_dir */
	char *const *variables;    /* of the supervisor; an allow-list of them is handed on */
	int secret_fd;             /* -1: none; stays the caller's */
	int64_t watchdog_ms;       /* 0: none */
	struct lifeline *lifeline; /* or NULL */
};

void worker_init(struct worker *w, const char *name, worker_emit *emit, void *arg);
void worker_free(struct worker *w);
/* The worker's part of the configuration from now on; part_fd is taken over. */
void worker_set_part(struct worker *w, int part_fd);

/*
 * Start the process of this incarnation. A failure becomes UNIT_EV_SPAWN_FAILED with
 * the next worker_settle(): what else is to be done in this step comes first.
 */
void worker_start(struct worker *w, const struct worker_start *start, uint64_t incarnation);
/* To the group of this incarnation, if it still lives. */
void worker_signal(struct worker *w, uint64_t incarnation, int signal);
/* Send WORKER_* as soon as the worker takes it; without a process nothing happens. */
void worker_command(struct worker *w, unsigned command);
/* Send text now. False if it was not taken. */
bool worker_tell(struct worker *w, const char *text);

void worker_prepare(struct worker *w, struct pollset *set, int64_t now_ms);
/* Reads a bounded number of notifications: a flood gets its share and no more. */
void worker_dispatch(struct worker *w, const struct pollset *set);

/*
 * Its process, which spawn_ended() named, ended: last words are read first, then
 * the group is killed while the leader pins its number, then the leader is reaped.
 */
void worker_reap(struct worker *w);
/* Report a start that failed, or the end once the group is empty; call it in each pass. */
void worker_settle(struct worker *w);

/*
 * What it takes: the resident memory of its process in bytes (0 if there is
 * none), and the CPU time of all its processes so far.
 */
void worker_usage(const struct worker *w, int64_t *memory, int64_t *cpu_ms);

#endif
