#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pollset.h"
#include "supervisor/rundir.h"
#include "supervisor/secret.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor_private.h"

/* webd hears of changes at most five times a second */
#define UNITS_EVERY_MS 200
/* how often it is told how much the units take, at a moment when there is work anyway */
#define USAGE_EVERY_MS 30000
/* later than this, and it was not only this process that did not run */
#define STALL_MS 500
/* for orphans, at the very end */
#define SWEEP_MS 1000
/* Ctrl-C at a terminal may come twice: from it, and from a script around this process */
#define SAME_STOP_MS 1000

/* --- events in, actions out ------------------------------------------------------ */

static void
start_worker(struct supervisor *s, size_t i, uint64_t incarnation)
{
	struct worker_start start = {
		.libexec_dir = s->libexec_dir,
		.argv = s->config->units[i].exec_start,
		.variables = s->options->variables,
		.secret_fd = i == CONFIG_UPDATER ? s->secret_fd : -1,
		.watchdog_ms = s->manager.units[i].unit.watchdog_ms,
		.lifeline = &s->lifeline,
	};

	worker_start(&s->workers[i], &start, incarnation);
}

void
supervisor_step(struct supervisor *s, const struct manager_event *ev)
{
	struct manager_actions actions;

	manager_step(&s->manager, ev, clock_now(), &actions);
	for (size_t i = 0; i < actions.n; i++) {
		const struct manager_action *a = &actions.list[i];

		if (a->action.spawn)
			start_worker(s, a->unit, a->incarnation);
		else
			worker_signal(&s->workers[a->unit], a->incarnation, a->action.signal);
	}
}

void
supervisor_step_all(struct supervisor *s, enum manager_event_type type)
{
	struct manager_event ev = { .type = type };

	supervisor_step(s, &ev);
}

static void
on_worker_event(void *arg, const char *name, const struct unit_event *event)
{
	struct manager_event ev = { .type = MANAGER_EV_UNIT,
				    .unit = config_unit_of(name),
				    .event = *event };

	supervisor_step(arg, &ev);
}

/* --- signals and children ------------------------------------------------------------ */

static void
on_stop_signal(struct supervisor *s, uint32_t number)
{
	if (s->manager.phase == MANAGER_RUNNING) {
		log_info("stopping", LOG_S("signal", number == SIGTERM ? "TERM" : "INT"));
		supervisor_step_all(s, MANAGER_EV_SHUTDOWN);
	} else if (clock_now() - s->manager.stop_ms >= SAME_STOP_MS) {
		log_warn("asked to stop again: what still runs is killed");
		supervisor_step_all(s, MANAGER_EV_KILL);
	}
}

static void
on_signal(struct supervisor *s, uint32_t number)
{
	struct reload reload = { 0 };

	switch (number) {
	case SIGTERM:
	case SIGINT:
		on_stop_signal(s, number);
		break;
	case SIGHUP:
		supervisor_reload(s, &reload);
		config_report_free(&reload.report);
		break;
	case SIGUSR1:
		worker_command(&s->workers[CONFIG_DETECTOR], WORKER_DETECT);
		break;
	default: /* SIGCHLD: children are looked at in each pass */
		break;
	}
}

static void
read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(s, info.ssi_signo);
}

static void
reap(struct supervisor *s)
{
	struct unit_status stray;
	pid_t pid;

	/* one SIGCHLD may stand for many deaths */
	while ((pid = spawn_ended()) > 0) {
		size_t i = 0;

		while (i < UNITS && (s->workers[i].pid != pid || s->workers[i].reaped))
			i++;
		if (i < UNITS) {
			worker_reap(&s->workers[i]);
			continue;
		}
		spawn_reap(pid, &stray);
		log_debug("an adopted process ended", LOG_I("pid", pid));
	}
	for (size_t i = 0; i < UNITS; i++)
		worker_settle(&s->workers[i]);
}

/* --- telling ------------------------------------------------------------------------- */

static void
tell_service_manager(struct supervisor *s)
{
	char summary[REPORT_SUMMARY_MAX], lines[REPORT_SUMMARY_MAX + 32];

	if (!s->ready_told && manager_ready(&s->manager)) {
		s->ready_told = true;
		notify_send(&s->notify, "READY=1");
		log_info("ready");
	}
	report_summary(&s->manager, s->workers, summary, sizeof(summary));
	if (strcmp(summary, s->summary) == 0)
		return;
	memcpy(s->summary, summary, sizeof(summary));
	if (s->manager.phase == MANAGER_RUNNING)
		mem_copy_text(lines, sizeof(lines), "STATUS=");
	else
		mem_copy_text(lines, sizeof(lines), "STOPPING=1\nSTATUS=");
	strcat(lines, summary); /* fits: see its size */
	notify_send(&s->notify, lines);
}

static void
tell_webd(struct supervisor *s, int64_t now_ms)
{
	char *units;

	if (now_ms - s->units_told_ms >= USAGE_EVERY_MS)
		s->units_dirty = true;
	if (!s->units_dirty || now_ms < s->units_next_ms ||
	    s->manager.units[CONFIG_WEBD].unit.state != UNIT_ACTIVE)
		return;
	units = report_units(s->reports, &s->manager, s->workers, now_ms);
	s->units_dirty = !worker_tell(&s->workers[CONFIG_WEBD], units);
	s->units_next_ms = now_ms + UNITS_EVERY_MS;
	s->units_told_ms = now_ms;
	free(units);
}

static void
tell(struct supervisor *s, int64_t now_ms)
{
	for (size_t i = 0; i < UNITS; i++)
		if (report_changes(&s->reports[i], &s->manager.units[i].unit, &s->workers[i],
				   now_ms))
			s->units_dirty = true;
	tell_service_manager(s);
	tell_webd(s, now_ms);
}

/* --- the loop -------------------------------------------------------------------------- */

static void
wait_for_something(struct supervisor *s, struct pollset *set)
{
	int64_t now_ms = clock_now();

	pollset_reset(set);
	pollset_add(set, s->signal_fd, POLLIN);
	for (size_t i = 0; i < UNITS; i++)
		worker_prepare(&s->workers[i], set, now_ms);
	notify_prepare(&s->notify, set, now_ms);
	control_prepare(s->control, set, now_ms);
	pollset_wake_at(set, commands_next_deadline(s));
	pollset_wake_at(set, manager_next_deadline(&s->manager));
	if (s->units_dirty && s->manager.units[CONFIG_WEBD].unit.state == UNIT_ACTIVE)
		pollset_wake_at(set, s->units_next_ms);
	pollset_wait(set);
}

/*
 * After a suspend, or a pause of the container (the freezer), deadlines are over
 * that no worker could keep: each counts its time without the suspend, or is just
 * about to run again. A supervisor that is late itself is the sign of it.
 */
static void
notice_stall(struct supervisor *s, const struct pollset *set)
{
	int64_t now_ms = clock_now(), suspended_ms = clock_suspended();
	int64_t slept_ms = suspended_ms - s->suspended_ms;
	int64_t late_ms = set->deadline_ms != CLOCK_NEVER ? now_ms - set->deadline_ms : 0;

	s->suspended_ms = suspended_ms;
	if (slept_ms < STALL_MS && late_ms < STALL_MS)
		return;
	supervisor_step_all(s, MANAGER_EV_STALL);
	if (log_allowed(&s->stalls, now_ms))
		log_info("everything stood still: watchdogs and starts get their time again",
			 LOG_I("suspended_ms", slept_ms), LOG_I("late_ms", late_ms));
}

/* With --once: the updater has done its work, one way or the other. */
static void
judge_once(struct supervisor *s)
{
	const struct unit *updater = &s->manager.units[CONFIG_UPDATER].unit;

	if (!s->options->once || s->manager.phase != MANAGER_RUNNING || updater->incarnation == 0 ||
	    updater->state != UNIT_INACTIVE)
		return;
	s->in_sync = updater->cause == UNIT_CAUSE_CLEAN;
	supervisor_step_all(s, MANAGER_EV_SHUTDOWN);
}

static void
run(struct supervisor *s)
{
	struct pollset set;

	supervisor_step_all(s, MANAGER_EV_START);
	tell(s, clock_now());
	while (s->manager.phase != MANAGER_DONE) {
		wait_for_something(s, &set);
		notice_stall(s, &set);
		/* notifications before deaths, so that last words count */
		for (size_t i = 0; i < UNITS; i++)
			worker_dispatch(&s->workers[i], &set);
		read_signals(s);
		reap(s);
		supervisor_step_all(s, MANAGER_EV_TICK);
		judge_once(s);
		control_dispatch(s->control, &set, clock_now());
		commands_settle(s, clock_now());
		tell(s, clock_now());
	}
}

/* --- start and end ----------------------------------------------------------------------- */

static int
take_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

const char *
supervisor_libexec_dir(void)
{
	const char *given = getenv("ESDDNS_LIBEXECDIR");

	return given != NULL && *given != '\0' ? given : ESDDNS_LIBEXECDIR;
}

/* Everything that must be there before the first worker. 0, or -1 after it said why. */
static int
set_up(struct supervisor *s)
{
	char *why = rundir_take(s->config->runtime_dir, &s->lock_fd);

	if (why != NULL) {
		log_error(why);
		free(why);
		return -1;
	}
	if (rundir_make(s->config->state_dir, 0700) != 0)
		log_warn("state_dir cannot be made: what is learnt will not outlive this run",
			 LOG_S("state_dir", s->config->state_dir), LOG_S("error", strerror(errno)));
	umask(077);
	s->signal_fd = take_signals();
	if (s->signal_fd < 0 || spawn_prepare() != 0) {
		log_error("the process cannot be set up", LOG_S("error", strerror(errno)));
		return -1;
	}
	s->control = control_open(s->config->runtime_dir, commands_take, s);
	if (s->control == NULL)
		log_warn("there is no control socket: esddnsctl cannot reach this process",
			 LOG_S("runtime_dir", s->config->runtime_dir),
			 LOG_S("error", strerror(errno)));
	return supervisor_configure(s);
}

/* The updater's last word, for the one who waits at a terminal. */
static int
finish_once(const struct supervisor *s)
{
	const struct unit *updater = &s->manager.units[CONFIG_UPDATER].unit;
	const char *said = s->workers[CONFIG_UPDATER].status;

	if (s->in_sync)
		printf("in sync: %s\n", said);
	else if (updater->cause == UNIT_CAUSE_EXIT && updater->status.code == 1)
		fprintf(stderr, "esddns: not in sync: %s\n", said);
	if (s->manager.exit_code == SUPERVISOR_EXIT_CONFIG)
		return SUPERVISOR_EXIT_CONFIG;
	return s->in_sync ? 0 : 1;
}

static int
finish(struct supervisor *s)
{
	if (s->manager.stuck)
		log_error("not everything could be ended in time");
	lifeline_close(&s->lifeline);
	if (!spawn_sweep(clock_now() + SWEEP_MS))
		log_error("a process that was adopted could not be ended");
	if (s->options->once)
		return finish_once(s);
	if (s->manager.exit_code != 0)
		log_error("ended, because a unit failed",
			  LOG_S("worker", s->workers[s->manager.failed].name),
			  LOG_I("exit_code", s->manager.exit_code));
	else
		log_info("stopped");
	return s->manager.exit_code;
}

/* What it was started with, made ready; the code to end with, or 0. */
static int
begin(struct supervisor *s)
{
	struct config_report report = { 0 };
	const char *why;

	s->config = supervisor_load(s->options, &report);
	s->nwarnings = report.n;
	config_report_free(&report);
	if (s->config == NULL)
		return SUPERVISOR_EXIT_CONFIG;
	if (secret_take(s->options->variables, s->config->token_variable, &s->secret_fd, &why) !=
	    0) {
		log_error(why);
		return 1;
	}
	log_start("supervisor", s->config->log.level, s->config->log.format);
	return set_up(s) == 0 ? 0 : 1;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int
supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = {
		.options = options,
		.lifeline = { .fd = -1 },
		.secret_fd = -1,
		.signal_fd = -1,
		.lock_fd = -1,
		.started_ms = clock_now(),
		.started_at = clock_wall(),
		.suspended_ms = clock_suspended(),
		.stalls = { .burst = 3, .interval_ms = 60000 },
	};
	int code;

	/* before the token is touched: no core dump and no other process of this user shows it */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_start("supervisor", LOG_INFO, LOG_AUTO);
	s.libexec_dir = supervisor_libexec_dir();
	for (size_t i = 0; i < UNITS; i++)
		worker_init(&s.workers[i], config_unit_name((enum config_unit)i), on_worker_event,
			    &s);
	notify_open(&s.notify);
	code = begin(&s);
	if (code == 0) {
		run(&s);
		code = finish(&s);
	}
	for (size_t i = 0; i < UNITS; i++)
		worker_free(&s.workers[i]);
	notify_close(&s.notify);
	control_close(s.control);
	lifeline_close(&s.lifeline);
	close_fd(s.secret_fd);
	close_fd(s.signal_fd);
	close_fd(s.lock_fd);
	config_free(s.config);
	return code;
}
