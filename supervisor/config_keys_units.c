/* The directives of a unit: systemd's names, and the readers of their values. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"
#include "supervisor/unit.h"

#define ARG_MAX_LEN 4095
#define STATUSES_MAX 64

static bool
argument_is_good(struct config_loading *load, struct config_node *node, bool first)
{
	const char *text = config_schema_text(load, node);

	if (text == NULL)
		return false;
	if (strlen(text) > ARG_MAX_LEN)
		config_error(load, node, "an argument is longer than %d bytes", ARG_MAX_LEN);
	else if (first && text[0] == '\0')
		config_error(load, node, "the program's name is empty");
	else if (first && text[0] != '/' && strchr(text, '/') != NULL)
		config_error(load, node,
			     "the program must be a name, which is looked up in the libexec "
			     "directory, or an absolute path");
	else
		return true;
	return false;
}

static void
read_exec_start(struct config_loading *load, struct config_node *node, void *target)
{
	struct config_directives *unit = target;

	if (!config_schema_list(load, node, CONFIG_ARGS_MAX))
		return;
	if (node->n == 0) {
		config_error(load, node, "is empty; write [PROGRAM, ARGUMENT, ...]");
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		if (!argument_is_good(load, node->items[i], i == 0))
			return;
	}
	config_args_free(unit);
	unit->nargs = node->n;
	unit->exec_start = mem_new(node->n + 1, sizeof(char *));
	for (size_t i = 0; i < node->n; i++)
		unit->exec_start[i] = mem_strdup(node->items[i]->text);
}

/* Exit codes as numbers, signals by name: a number is never a signal here, as in systemd. */
static void
read_statuses(struct config_loading *load, struct config_node *node, void *target)
{
	struct config_statuses set = { .signals = 0 };

	if (!config_schema_list(load, node, STATUSES_MAX))
		return;
	for (size_t i = 0; i < node->n; i++) {
		const char *text = config_schema_text(load, node->items[i]);
		char quoted[CONFIG_QUOTE_MAX];
		int64_t code;

		if (text == NULL)
			return;
		if (config_number_parse(text, 0, 255, &code)) {
			set.codes[code / 64] |= UINT64_C(1) << (code % 64);
		} else if (text[strspn(text, "0123456789")] != '\0' &&
			   config_signal_parse(text) != 0) {
			set.signals |= UINT64_C(1) << config_signal_parse(text);
		} else {
			config_error(
				load, node->items[i],
				"%s is neither an exit code (0 to 255) nor the name of a signal "
				"(such as SIGTERM)",
				config_quote(text, quoted, sizeof(quoted)));
			return;
		}
	}
	memcpy(target, &set, sizeof(set));
}

/* Signals that ask no process to end. */
static bool
ends_nothing(int signal)
{
	static const int signals[] = { SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
				       SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (signals[i] == signal)
			return true;
	}
	return false;
}

static void
read_kill_signal(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node);
	char quoted[CONFIG_QUOTE_MAX];
	int signal;

	if (text == NULL)
		return;
	signal = config_signal_parse(text);
	if (signal == 0)
		config_error(load, node, "%s is no signal; write a name such as SIGTERM",
			     config_quote(text, quoted, sizeof(quoted)));
	else if (ends_nothing(signal))
		config_error(load, node, "%s asks no process to end",
			     config_quote(text, quoted, sizeof(quoted)));
	else
		memcpy(target, &signal, sizeof(signal));
}

static void
read_after(struct config_loading *load, struct config_node *node, void *target)
{
	bool after[CONFIG_UNIT__MAX] = { false };

	if (!config_schema_list(load, node, CONFIG_UNIT__MAX))
		return;
	for (size_t i = 0; i < node->n; i++) {
		size_t unit = config_schema_choose(load, node->items[i], config_unit_names,
						   CONFIG_UNIT__MAX);

		if (unit == CONFIG_UNIT__MAX)
			return;
		after[unit] = true;
	}
	memcpy(target, after, sizeof(after));
}

const struct config_key config_keys_unit[] = {
	{ "enabled", CONFIG_BOOL, CONFIG_AT(config_directives, enabled) },
	{ "ExecStart", CONFIG_CUSTOM(read_exec_start) },
	{ "Type", CONFIG_CHOICE(config_type_names, CONFIG_TYPE__MAX),
	  CONFIG_AT(config_directives, type) },
	{ "Restart", CONFIG_CHOICE(config_restart_names, CONFIG_RESTART__MAX),
	  CONFIG_AT(config_directives, restart) },
	{ "RestartSec", CONFIG_DURATION(10, CONFIG_HOUR),
	  CONFIG_AT(config_directives, restart_sec) },
	{ "RestartSteps", CONFIG_NUMBER(0, 100), CONFIG_AT(config_directives, restart_steps) },
	{ "RestartMaxDelaySec", CONFIG_DURATION(10, CONFIG_DAY),
	  CONFIG_AT(config_directives, restart_max_delay) },
	{ "StartLimitBurst", CONFIG_NUMBER(0, UNIT_BURST_MAX),
	  CONFIG_AT(config_directives, start_limit_burst) },
	{ "StartLimitIntervalSec", CONFIG_DURATION(CONFIG_SECOND, CONFIG_DAY),
	  CONFIG_AT(config_directives, start_limit_interval) },
	{ "TimeoutStartSec", CONFIG_DURATION(100, CONFIG_HOUR),
	  CONFIG_AT(config_directives, timeout_start) },
	{ "TimeoutStopSec", CONFIG_DURATION(100, CONFIG_HOUR),
	  CONFIG_AT(config_directives, timeout_stop) },
	{ "TimeoutAbortSec", CONFIG_DURATION(100, CONFIG_HOUR),
	  CONFIG_AT(config_directives, timeout_abort) },
	{ "WatchdogSec", CONFIG_DURATION(CONFIG_SECOND, CONFIG_HOUR),
	  CONFIG_AT(config_directives, watchdog), .off = true },
	{ "SuccessExitStatus", CONFIG_CUSTOM(read_statuses),
	  CONFIG_AT(config_directives, success_exit_status) },
	{ "RestartPreventExitStatus", CONFIG_CUSTOM(read_statuses),
	  CONFIG_AT(config_directives, restart_prevent_exit_status) },
	{ "RestartForceExitStatus", CONFIG_CUSTOM(read_statuses),
	  CONFIG_AT(config_directives, restart_force_exit_status) },
	{ "KillSignal", CONFIG_CUSTOM(read_kill_signal),
	  CONFIG_AT(config_directives, kill_signal) },
	{ "After", CONFIG_CUSTOM(read_after), CONFIG_AT(config_directives, after) },
	{ "stable_after", CONFIG_DURATION(CONFIG_SECOND, CONFIG_DAY),
	  CONFIG_AT(config_directives, stable_after) },
	{ NULL }
};
