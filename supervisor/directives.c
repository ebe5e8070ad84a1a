#include "supervisor/directives.h"

#include <string.h>

static const enum unit_restart restarts[CONFIG_RESTART__MAX] = {
	[CONFIG_RESTART_NO] = UNIT_RESTART_NO,
	[CONFIG_RESTART_ALWAYS] = UNIT_RESTART_ALWAYS,
	[CONFIG_RESTART_ON_SUCCESS] = UNIT_RESTART_ON_SUCCESS,
	[CONFIG_RESTART_ON_FAILURE] = UNIT_RESTART_ON_FAILURE,
	[CONFIG_RESTART_ON_ABNORMAL] = UNIT_RESTART_ON_ABNORMAL,
	[CONFIG_RESTART_ON_ABORT] = UNIT_RESTART_ON_ABORT,
	[CONFIG_RESTART_ON_WATCHDOG] = UNIT_RESTART_ON_WATCHDOG,
};

static struct unit_statuses
statuses(const struct config_statuses *from)
{
	struct unit_statuses to = { .signals = from->signals };

	memcpy(to.codes, from->codes, sizeof(to.codes));
	return to;
}

/* Every transient state needs a deadline that comes, and not at once. */
static int64_t
at_least_1(int64_t ms)
{
	return ms > 0 ? ms : 1;
}

void
directives_to_unit(const struct config_directives *d, enum config_unit unit,
		   struct manager_unit_config *out)
{
	*out = (struct manager_unit_config){
		.enabled = d->enabled,
		.essential = unit == CONFIG_DETECTOR || unit == CONFIG_UPDATER,
		.unit = {
			.type = d->type == CONFIG_TYPE_NOTIFY ? UNIT_TYPE_NOTIFY : UNIT_TYPE_EXEC,
			.restart = restarts[d->restart],
			.restart_ms = d->restart_sec,
			.restart_steps = d->restart_steps,
			.restart_max_ms = d->restart_max_delay,
			.start_limit_burst = d->start_limit_burst,
			.start_limit_interval_ms = d->start_limit_interval,
			.start_timeout_ms = at_least_1(d->timeout_start),
			.stop_timeout_ms = at_least_1(d->timeout_stop),
			.abort_timeout_ms = at_least_1(d->timeout_abort),
			.watchdog_ms = d->watchdog,
			.stable_ms = d->stable_after,
			.kill_signal = d->kill_signal,
			.success = statuses(&d->success_exit_status),
			.prevent = statuses(&d->restart_prevent_exit_status),
			.force = statuses(&d->restart_force_exit_status),
		},
	};
	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++)
		if (d->after[i])
			out->after |= 1u << i;
}
