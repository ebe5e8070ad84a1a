#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/directives.h"
#include "supervisor/parts.h"
#include "supervisor/sealed.h"
#include "supervisor/supervisor_private.h"

/* With --once: how long it may take at most, whatever the time-outs are. */
#define ONCE_MAX_MS 60000

/*
 * Once: the updater's end is the end of it. So nothing is started again, and
 * nothing is served; the time is what detecting twice and a read, a write and a
 * read take at most.
 */
static void
adapt_to_once(struct config *c)
{
	int64_t limit_ms = c->detector.timeout * 2 + c->provider.timeout * 3 + c->detector.confirm;

	c->updater.once_limit = limit_ms < ONCE_MAX_MS ? limit_ms : ONCE_MAX_MS;
	/* in a cluster it follows those who are there, and does not stand for election */
	c->units[CONFIG_DETECTOR].enabled = c->cluster.backend != CONFIG_BACKEND_KUBERNETES;
	c->units[CONFIG_UPDATER].enabled = true;
	c->units[CONFIG_WEBD].enabled = false;
	for (size_t i = 0; i < UNITS; i++)
		c->units[i].restart = CONFIG_RESTART_NO;
	c->on_failure = CONFIG_ON_FAILURE_EXIT;
}

struct config *
supervisor_load(const struct supervisor_options *options, struct config_report *report)
{
	struct config *config;

	config_report_free(report);
	config = config_load(options->config_path, options->variables, report);
	for (size_t i = 0; i < report->n; i++) {
		if (report->messages[i].warning)
			log_warn("configuration", LOG_S("warning", report->messages[i].text));
		else
			log_error("configuration", LOG_S("error", report->messages[i].text));
	}
	if (config != NULL && options->once)
		adapt_to_once(config);
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
		parts_free(text);
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

int
supervisor_configure(struct supervisor *s)
{
	int fds[UNITS];

	if (make_parts(NULL, s->config, fds) != 0)
		return -1;
	manager_init(&s->manager, UNITS, exits_on_failure(s->config->on_failure));
	for (size_t i = 0; i < UNITS; i++)
		worker_set_part(&s->workers[i], fds[i]);
	configure_units(s);
	return 0;
}

/* NULL, or why the new one cannot take the old one's place. */
static const char *
refusal(const struct config *old, const struct config *new)
{
	const char *was = old->token_variable != NULL ? old->token_variable : "";
	const char *is = new->token_variable != NULL ? new->token_variable : "";

	if (strcmp(old->runtime_dir, new->runtime_dir) != 0 ||
	    strcmp(old->state_dir, new->state_dir) != 0)
		return "runtime_dir and state_dir cannot change while esddns runs: restart it "
		       "instead";
	/* the token was taken at the start, and its variable overwritten */
	if (strcmp(was, is) != 0)
		return "api_key of dns.ini cannot name another variable while esddns runs: "
		       "restart it instead";
	return NULL;
}

/* From here on nothing can fail any more. */
static void
take_config(struct supervisor *s, struct config *new, const int fds[UNITS], struct reload *out)
{
	config_free(s->config);
	s->config = new;
	s->nwarnings = out->report.n;
	log_start("supervisor", new->log.level, new->log.format);
	s->manager.exit_on_failure = exits_on_failure(new->on_failure);
	for (size_t i = 0; i < UNITS; i++) {
		if (fds[i] < 0)
			continue;
		out->changed[i] = true;
		worker_set_part(&s->workers[i], fds[i]);
		worker_command(&s->workers[i], WORKER_RELOAD);
	}
	configure_units(s);
	supervisor_step_all(s, MANAGER_EV_START);
	out->done = true;
	log_info("the configuration was read again and is in force");
}

/* All or nothing: until every part is made, nothing of the old configuration is touched. */
static void
replace_config(struct supervisor *s, struct config *new, struct reload *out)
{
	int fds[UNITS];

	out->why = refusal(s->config, new);
	if (out->why != NULL)
		log_error(out->why);
	else if (make_parts(s->config, new, fds) != 0)
		out->why = "no memory file for a part of the configuration can be made";
	if (out->why == NULL) {
		take_config(s, new, fds, out);
		return;
	}
	config_free(new);
	log_error("the old configuration stays in force");
}

void
supervisor_reload(struct supervisor *s, struct reload *out)
{
	struct config *new;

	*out = (struct reload){ .why = "esddns is stopping" };
	if (s->manager.phase != MANAGER_RUNNING)
		return;
	notify_reloading(&s->notify);
	new = supervisor_load(s->options, &out->report);
	if (new != NULL) {
		replace_config(s, new, out);
	} else {
		out->why = "the configuration cannot be used, the old one stays in force";
		log_error(out->why);
	}
	if (s->ready_told)
		notify_send(&s->notify, "READY=1");
}
