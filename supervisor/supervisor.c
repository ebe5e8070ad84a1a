#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
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
#include "supervisor/config.h"
#include "supervisor/directives.h"
#include "supervisor/manager.h"
#include "supervisor/notify.h"
#include "supervisor/parts.h"
#include "supervisor/report.h"
#include "supervisor/rundir.h"
#include "supervisor/sealed.h"
#include "supervisor/secret.h"
#include "supervisor/spawn.h"
#include "supervisor/worker.h"

#define UNITS CONFIG_UNIT__MAX
/* webd hears of changes at most five times a second */
#define UNITS_EVERY_MS 200
/* for orphans, at the very end */
#define SWEEP_MS 1000

struct supervisor {
	const struct supervisor_options *options;
	struct config *config;
	const char *libexec_dir;
	struct manager manager;
	struct worker workers[UNITS];
	struct report reports[UNITS];
	struct notify notify;
	int secret_fd;
	int signal_fd;
	int lock_fd;
	bool ready_told;
	bool units_dirty;
	int64_t units_next_ms; /* not before this are they told again */
	char summary[REPORT_SUMMARY_MAX];
};

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
	};

	worker_start(&s->workers[i], &start, incarnation);
}

static void
step(struct supervisor *s, const struct manager_event *ev)
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

static void
step_all(struct supervisor *s, enum manager_event_type type)
{
	struct manager_event ev = { .type = type };

	step(s, &ev);
}

static void
on_worker_event(void *arg, const char *name, const struct unit_event *event)
{
	struct manager_event ev = { .type = MANAGER_EV_UNIT,
				    .unit = config_unit_of(name),
				    .event = *event };

	step(arg, &ev);
}

/* --- configuration ----------------------------------------------------------------- */

/* Reads the configuration and logs what is wrong with it; NULL if it cannot be used. */
static struct config *
load(const struct supervisor_options *options)
{
	struct config_report report = { 0 };
	struct config *config = config_load(options->config_path, options->variables, &report);

	for (size_t i = 0; i < report.n; i++) {
		if (report.messages[i].warning)
			log_warn("configuration", LOG_S("warning", report.messages[i].text));
		else
			log_error("configuration", LOG_S("error", report.messages[i].text));
	}
	config_report_free(&report);
	return config;
}

static bool
exits_on_failure(enum config_on_failure on_failure)
{
	if (on_failure == CONFIG_ON_FAILURE_AUTO)
		return getpid() == 1 || getenv("KUBERNETES_SERVICE_HOST") != NULL;
	return on_failure == CONFIG_ON_FAILURE_EXIT;
}

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A sealed part for each unit whose part differs from old's, -1 for the others; 0 or -1. */
static int
make_parts(const struct config *old, const struct config *new, int fds[UNITS])
{
	for (size_t i = 0; i < UNITS; i++) {
		char *text;

		fds[i] = -1;
		if (old != NULL && !parts_differ(old, new, (enum config_unit)i))
			continue;
		text = parts_unit(new, (enum config_unit)i);
		fds[i] = sealed_new("esddns-part", text, strlen(text));
		free(text);
		if (fds[i] < 0) {
			log_error("no memory file for a part of the configuration can be made",
				  LOG_S("error", strerror(errno)));
			close_all(fds, i);
			return -1;
		}
	}
	return 0;
}

static void
configure_units(struct supervisor *s)
{
	for (size_t i = 0; i < UNITS; i++) {
		struct manager_unit_config unit;

		directives_to_unit(&s->config->units[i], (enum config_unit)i, &unit);
		manager_configure(&s->manager, i, &unit, clock_now());
	}
}

static bool
can_replace(const struct config *old, const struct config *new)
{
	const char *was = old->token_variable != NULL ? old->token_variable : "";
	const char *is = new->token_variable != NULL ? new->token_variable : "";

	if (strcmp(old->runtime_dir, new->runtime_dir) != 0 ||
	    strcmp(old->state_dir, new->state_dir) != 0) {
		log_error("runtime_dir and state_dir cannot change while esddns runs: restart it "
			  "instead");
		return false;
	}
	/* the token was taken at the start, and its variable overwritten */
	if (strcmp(was, is) != 0) {
		log_error("api_key of dns.ini cannot name another variable while esddns runs: "
			  "restart it instead");
		return false;
	}
	return true;
}

/* All or nothing: until every part is made, nothing of the old configuration is touched. */
static void
replace_config(struct supervisor *s, struct config *new)
{
	int fds[UNITS];

	if (!can_replace(s->config, new) || make_parts(s->config, new, fds) != 0) {
		config_free(new);
		log_error("the old configuration stays in force");
		return;
	}
	config_free(s->config);
	s->config = new;
	log_start("supervisor", new->log.level, new->log.format);
	s->manager.exit_on_failure = exits_on_failure(new->on_failure);
	for (size_t i = 0; i < UNITS; i++) {
		if (fds[i] < 0)
			continue;
		worker_set_part(&s->workers[i], fds[i]);
		worker_command(&s->workers[i], WORKER_RELOAD);
	}
	configure_units(s);
	step_all(s, MANAGER_EV_START);
	log_info("the configuration was read again and is in force");
}

static void
reload(struct supervisor *s)
{
	struct config *new;

	if (s->manager.phase != MANAGER_RUNNING)
		return;
	notify_reloading(&s->notify);
	new = load(s->options);
	if (new != NULL)
		replace_config(s, new);
	else
		log_error("the configuration cannot be used, the old one stays in force");
	if (s->ready_told)
		notify_send(&s->notify, "READY=1");
}

/* --- signals and children ------------------------------------------------------------ */

static void
on_signal(struct supervisor *s, uint32_t number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
		if (s->manager.phase != MANAGER_RUNNING) {
			log_warn("asked to stop again: what still runs is killed");
			step_all(s, MANAGER_EV_KILL);
			break;
		}
		log_info("stopping", LOG_S("signal", number == SIGTERM ? "TERM" : "INT"));
		step_all(s, MANAGER_EV_SHUTDOWN);
		break;
	case SIGHUP:
		reload(s);
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

	if (!s->units_dirty || now_ms < s->units_next_ms ||
	    s->manager.units[CONFIG_WEBD].unit.state != UNIT_ACTIVE)
		return;
	units = report_units(s->reports, &s->manager, s->workers, now_ms);
	s->units_dirty = !worker_tell(&s->workers[CONFIG_WEBD], units);
	s->units_next_ms = now_ms + UNITS_EVERY_MS;
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
	pollset_wake_at(set, manager_next_deadline(&s->manager));
	if (s->units_dirty && s->manager.units[CONFIG_WEBD].unit.state == UNIT_ACTIVE)
		pollset_wake_at(set, s->units_next_ms);
	pollset_wait(set);
}

static void
run(struct supervisor *s)
{
	struct pollset set;

	step_all(s, MANAGER_EV_START);
	tell(s, clock_now());
	while (s->manager.phase != MANAGER_DONE) {
		wait_for_something(s, &set);
		/* notifications before deaths, so that last words count */
		for (size_t i = 0; i < UNITS; i++)
			worker_dispatch(&s->workers[i], &set);
		read_signals(s);
		reap(s);
		step_all(s, MANAGER_EV_TICK);
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

/* Everything that must be there before the first worker. 0, or -1 after it said why. */
static int
set_up(struct supervisor *s)
{
	char *why = rundir_take(s->config->runtime_dir, &s->lock_fd);
	int fds[UNITS];

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
	if (make_parts(NULL, s->config, fds) != 0)
		return -1;
	manager_init(&s->manager, UNITS, exits_on_failure(s->config->on_failure));
	for (size_t i = 0; i < UNITS; i++)
		worker_set_part(&s->workers[i], fds[i]);
	configure_units(s);
	return 0;
}

static int
finish(struct supervisor *s)
{
	if (s->manager.stuck)
		log_error("not everything could be ended in time");
	if (!spawn_sweep(clock_now() + SWEEP_MS))
		log_error("a process that was adopted could not be ended");
	if (s->manager.exit_code != 0)
		log_error("ended, because a unit failed",
			  LOG_S("worker", s->workers[s->manager.failed].name),
			  LOG_I("exit_code", s->manager.exit_code));
	else
		log_info("stopped");
	return s->manager.exit_code;
}

int
supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = {
		.options = options, .secret_fd = -1, .signal_fd = -1, .lock_fd = -1
	};
	const char *libexec_dir = getenv("ESDDNS_LIBEXECDIR"), *why;
	int code = 1;

	/* before the token is touched: no core dump and no other process of this user shows it */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_start("supervisor", LOG_INFO, LOG_AUTO);
	s.libexec_dir =
		libexec_dir != NULL && *libexec_dir != '\0' ? libexec_dir : ESDDNS_LIBEXECDIR;
	for (size_t i = 0; i < UNITS; i++)
		worker_init(&s.workers[i], config_unit_name((enum config_unit)i), on_worker_event,
			    &s);
	notify_open(&s.notify);
	s.config = load(options);
	if (s.config == NULL) {
		code = SUPERVISOR_EXIT_CONFIG;
	} else if (secret_take(options->variables, s.config->token_variable, &s.secret_fd, &why) !=
		   0) {
		log_error(why);
	} else {
		log_start("supervisor", s.config->log.level, s.config->log.format);
		if (set_up(&s) == 0) {
			run(&s);
			code = finish(&s);
		}
	}
	for (size_t i = 0; i < UNITS; i++)
		worker_free(&s.workers[i]);
	notify_close(&s.notify);
	close_all((int[]){ s.secret_fd, s.signal_fd, s.lock_fd }, 3);
	config_free(s.config);
	return code;
}
