#include "supervisor/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "supervisor/environment.h"
#include "supervisor/spawn.h"
#include "supervisor/usage.h"

#define NOTICES_PER_PASS 64
/* More than a socket's buffer holds: a dead worker's last words are all read. */
#define LAST_NOTICES_MAX 1024
/* How often an ended worker's group is looked at until it is empty. */
#define SETTLE_EVERY_MS 20

static const struct {
	unsigned command;
	const char *text;
} commands[] = {
	{ WORKER_RELOAD, "RELOAD=1" },
	{ WORKER_DETECT, "DETECT=1" },
	{ WORKER_SYNC, "SYNC=1" },
	{ WORKER_DRAIN, "DRAIN=1" },
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
worker_init(struct worker *w, const char *name, worker_emit *emit, void *arg)
{
	*w = (struct worker){
		.name = name,
		.emit = emit,
		.arg = arg,
		.channel_fd = -1,
		.progress_fd = -1,
		.part_fd = -1,
	};
}

static void
forget_state(struct worker *w)
{
	free(w->state);
	w->state = NULL;
}

void
worker_free(struct worker *w)
{
	close_fd(&w->channel_fd);
	close_fd(&w->progress_fd);
	close_fd(&w->part_fd);
	forget_state(w);
}

void
worker_set_part(struct worker *w, int part_fd)
{
	close_fd(&w->part_fd);
	w->part_fd = part_fd;
}

static void
emit(struct worker *w, enum unit_event_type type)
{
	struct unit_event ev = { .type = type, .incarnation = w->incarnation, .status = w->ended };

	w->emit(w->arg, w->name, &ev);
}

/* --- starting ------------------------------------------------------------------- */

static int
spawn_program(struct worker *w, const struct worker_start *start, int channel_fd)
{
	int fds[3] = { channel_fd, w->part_fd, start->secret_fd };
	struct environment_extra extra = {
		.unit = w->name,
		.channel_fd = SPAWN_FD_FIRST,
		.part_fd = SPAWN_FD_FIRST + 1,
		.secret_fd = start->secret_fd >= 0 ? SPAWN_FD_FIRST + 2 : -1,
		.watchdog_ms = start->watchdog_ms,
	};
	struct spawn_request request = {
		.path = w->program,
		.argv = start->argv,
		.envp = environment_new(start->variables, &extra),
		.fds = fds,
		.nfds = start->secret_fd >= 0 ? 3 : 2,
	};
	int result = spawn_start(&request, &w->pid, &w->progress_fd), saved = errno;

	environment_free((char **)request.envp);
	errno = saved;
	return result;
}

void
worker_start(struct worker *w, const struct worker_start *start, uint64_t incarnation)
{
	const char *name = start->argv[0];
	int theirs = -1, n;

	w->incarnation = incarnation;
	w->lifeline = start->lifeline;
	w->reaped = w->unborn = false;
	w->pending = 0;
	w->status[0] = w->trouble[0] = '\0';
	forget_state(w);
	n = strchr(name, '/') != NULL
		    ? snprintf(w->program, sizeof(w->program), "%s", name)
		    : snprintf(w->program, sizeof(w->program), "%s/%s", start->libexec_dir, name);
	if ((size_t)n >= sizeof(w->program))
		errno = ENAMETOOLONG;
	else if (channel_super_pair(&w->channel_fd, &theirs) == 0 &&
		 spawn_program(w, start, theirs) == 0) {
		close(theirs);
		/* what is ours starts no process that could outlive it */
		if (w->lifeline != NULL && strchr(name, '/') != NULL)
			lifeline_add(w->lifeline, w->pid);
		return;
	}
	snprintf(w->trouble, sizeof(w->trouble), "could not be started: %s", strerror(errno));
	log_error("a process for the unit cannot be started", LOG_S("worker", w->name),
		  LOG_S("error", strerror(errno)));
	close_fd(&theirs);
	close_fd(&w->channel_fd);
	w->pid = 0;
	memcpy(w->last_exit, w->trouble, sizeof(w->last_exit));
	w->unborn = true;
}

static void
read_progress(struct worker *w)
{
	struct spawn_error error;

	if (w->progress_fd < 0)
		return;
	switch (spawn_progress(w->progress_fd, &error)) {
	case SPAWN_PENDING:
		return;
	case SPAWN_EXECED:
		close_fd(&w->progress_fd);
		emit(w, UNIT_EV_EXECED);
		return;
	case SPAWN_ERROR:
		close_fd(&w->progress_fd);
		snprintf(w->trouble, sizeof(w->trouble), "could not be executed: %.150s: %s",
			 w->program, strerror(error.number));
		log_error("the unit's program cannot be executed", LOG_S("worker", w->name),
			  LOG_S("program", w->program), LOG_S("failed", error.what),
			  LOG_S("error", strerror(error.number)));
		return;
	}
}

/* --- listening ------------------------------------------------------------------ */

/* Kept only if it is a JSON object: it becomes part of one. */
static void
take_state(struct worker *w, const char *text)
{
	cJSON *state = json_parse(text, strlen(text), NULL);

	if (cJSON_IsObject(state)) {
		free(w->state);
		w->state = json_print(state);
		w->state_ms = clock_now();
	} else {
		log_debug("a state that is no JSON object was dropped", LOG_S("worker", w->name));
	}
	cJSON_Delete(state);
}

static void
take_notice(struct worker *w, const struct notice *n)
{
	if (n->state[0] != '\0')
		take_state(w, n->state);
	if (n->has_status)
		memcpy(w->status, n->status, sizeof(w->status));
	if (n->error_number != 0)
		log_warn("the worker reports an error", LOG_S("worker", w->name),
			 LOG_S("error", strerror(n->error_number)));
	if (n->ready)
		emit(w, UNIT_EV_READY);
	if (n->ping)
		emit(w, UNIT_EV_PING);
	if (n->extend_ms >= 0) {
		struct unit_event ev = { .type = UNIT_EV_EXTEND,
					 .incarnation = w->incarnation,
					 .limit_ms = n->extend_ms };

		w->emit(w->arg, w->name, &ev);
	}
	if (n->stopping)
		emit(w, UNIT_EV_LEAVING);
}

static void
read_notices(struct worker *w, unsigned max)
{
	static struct log_limit noise = { .burst = 5, .interval_ms = 60000 };
	struct notice notice;

	for (unsigned i = 0; i < max && w->channel_fd >= 0; i++) {
		switch (channel_super_receive(w->channel_fd, &notice)) {
		case CHANNEL_SUPER_NONE:
			return;
		case CHANNEL_SUPER_NOTICE:
			take_notice(w, &notice);
			break;
		case CHANNEL_SUPER_REFUSED:
			if (log_allowed(&noise, clock_now()))
				log_warn("a notification is malformed and was dropped",
					 LOG_S("worker", w->name));
			break;
		case CHANNEL_SUPER_CLOSED:
			close_fd(&w->channel_fd);
			return;
		}
	}
}

static void
send_pending(struct worker *w)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		bool reload = commands[i].command == WORKER_RELOAD;

		if ((w->pending & commands[i].command) == 0)
			continue;
		if (channel_super_send(w->channel_fd, commands[i].text, reload ? w->part_fd : -1) ==
		    0)
			w->pending &= ~commands[i].command;
		else if (errno != EAGAIN)
			w->pending = 0; /* the other end is gone: its end is about to be seen */
	}
}

void
worker_prepare(struct worker *w, struct pollset *set, int64_t now_ms)
{
	if (w->channel_fd >= 0 && w->pending != 0)
		send_pending(w);
	if (w->channel_fd >= 0)
		pollset_add(set, w->channel_fd, w->pending != 0 ? POLLIN | POLLOUT : POLLIN);
	if (w->progress_fd >= 0)
		pollset_add(set, w->progress_fd, POLLIN);
	if (w->reaped)
		pollset_wake_at(set, now_ms + SETTLE_EVERY_MS);
	if (w->unborn)
		pollset_wake_at(set, now_ms);
}

void
worker_dispatch(struct worker *w, const struct pollset *set)
{
	if (w->progress_fd >= 0 && pollset_events(set, w->progress_fd) != 0)
		read_progress(w);
	if (w->channel_fd >= 0 && pollset_events(set, w->channel_fd) != 0)
		read_notices(w, NOTICES_PER_PASS);
}

void
worker_command(struct worker *w, unsigned command)
{
	if (w->channel_fd < 0)
		return;
	w->pending |= command;
	send_pending(w);
}

bool
worker_tell(struct worker *w, const char *text)
{
	return w->channel_fd >= 0 && channel_super_send(w->channel_fd, text, -1) == 0;
}

/* --- ending --------------------------------------------------------------------- */

void
worker_signal(struct worker *w, uint64_t incarnation, int signal)
{
	if (w->pid == 0 || incarnation != w->incarnation)
		return;
	if (!w->reaped)
		spawn_signal(w->pid, signal);
	else if (spawn_group_alive(w->pid))
		spawn_group_kill(w->pid);
}

void
worker_usage(const struct worker *w, int64_t *memory, int64_t *cpu_ms)
{
	struct usage usage = { 0 };

	if (w->pid > 0 && !w->reaped)
		usage_read(w->pid, &usage);
	*memory = usage.memory;
	*cpu_ms = w->cpu_past_ms + usage.cpu_ms;
}

void
worker_reap(struct worker *w)
{
	int64_t memory, cpu_ms;

	read_progress(w);
	read_notices(w, LAST_NOTICES_MAX);
	/* as a zombie it still says how much it used */
	worker_usage(w, &memory, &cpu_ms);
	w->cpu_past_ms = cpu_ms;
	spawn_group_kill(w->pid);
	spawn_reap(w->pid, &w->ended);
	w->reaped = true;
}

static void
describe_end(struct worker *w)
{
	if (w->trouble[0] != '\0')
		memcpy(w->last_exit, w->trouble, sizeof(w->last_exit));
	else if (w->ended.signalled)
		snprintf(w->last_exit, sizeof(w->last_exit), "killed by signal %d (%s)",
			 w->ended.code, strsignal(w->ended.code));
	else
		snprintf(w->last_exit, sizeof(w->last_exit), "exited with %d", w->ended.code);
}

void
worker_settle(struct worker *w)
{
	if (w->unborn) {
		w->unborn = false;
		emit(w, UNIT_EV_SPAWN_FAILED);
		return;
	}
	if (!w->reaped || spawn_group_alive(w->pid))
		return;
	close_fd(&w->channel_fd);
	close_fd(&w->progress_fd);
	if (w->lifeline != NULL)
		lifeline_remove(w->lifeline, w->pid);
	w->reaped = false;
	w->pid = 0;
	w->pending = 0;
	describe_end(w);
	emit(w, UNIT_EV_ENDED);
}
