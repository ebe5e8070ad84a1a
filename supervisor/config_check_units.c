/* The rules between a unit's directives, and between the units. */
#include <stdio.h>
#include <string.h>

#include "supervisor/config_internal.h"
#include "supervisor/unit.h"

static bool
sound_unit(const struct config_loading *load, enum config_unit unit)
{
	const struct config_node *units = config_node_get(load->root, "units");

	return (units == NULL || !units->bad) &&
	       config_node_sound(config_node_get(units, config_unit_names[unit]));
}

static const char *
key_path(char path[CONFIG_PATH_MAX], enum config_unit unit, const char *key)
{
	snprintf(path, CONFIG_PATH_MAX, "units.%s.%s", config_unit_names[unit], key);
	return path;
}

/*
 * The shortest time in which burst automatic starts can be followed by one
 * more: the unit dies as soon as it started, or, where that is quicker, lives
 * just long enough for its delay to begin anew.
 */
static int64_t
quickest_burst(const struct config_directives *d)
{
	const struct unit_config unit = {
		.restart_ms = d->restart_sec,
		.restart_steps = d->restart_steps,
		.restart_max_ms = d->restart_max_delay,
	};
	int64_t stable = d->stable_after + unit_delay(&unit, 1), sum = 0;

	for (unsigned k = 2; k <= d->start_limit_burst + 1; k++) {
		int64_t delay = unit_delay(&unit, k);

		sum += delay < stable ? delay : stable;
	}
	return sum;
}

static void
check_restart(struct config_loading *load, enum config_unit unit)
{
	const struct config_directives *d = &load->config->units[unit];
	char path[CONFIG_PATH_MAX];

	if (d->restart == CONFIG_RESTART_NO)
		return;
	if (d->restart_steps > 0 && d->restart_max_delay < d->restart_sec) {
		config_error_at(load, key_path(path, unit, "RestartMaxDelaySec"),
				"must not be shorter than RestartSec");
		return;
	}
	if (d->start_limit_burst > 0 && quickest_burst(d) >= d->start_limit_interval)
		config_error_at(load, key_path(path, unit, "StartLimitBurst"),
				"the delays between restarts are so long that %u starts never fall "
				"into StartLimitIntervalSec; lower the burst or lengthen the "
				"interval (burst 0: no limit)",
				d->start_limit_burst);
}

/* Can a be reached from b by After? Every path is shorter than the number of units. */
static bool
is_after(const struct config *c, enum config_unit a, enum config_unit b, unsigned steps)
{
	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++) {
		if (!c->units[b].after[i])
			continue;
		if (i == a || (steps > 0 && is_after(c, a, (enum config_unit)i, steps - 1)))
			return true;
	}
	return false;
}

static void
check_order(struct config_loading *load, enum config_unit unit)
{
	char path[CONFIG_PATH_MAX];

	if (is_after(load->config, unit, unit, CONFIG_UNIT__MAX))
		config_error_at(load, key_path(path, unit, "After"),
				"the units wait for each other in a circle; none of them would "
				"start");
}

static void
check_drain(struct config_loading *load)
{
	const struct config *c = load->config;
	const struct config_node *webd = config_node_get(load->root, "webd");

	if (config_node_sound(config_node_get(webd, "drain")) &&
	    c->webd.drain >= c->units[CONFIG_WEBD].timeout_stop)
		config_error_at(load, "webd.drain",
				"must be shorter than units.webd.TimeoutStopSec, or webd is killed "
				"while it drains");
}

void
config_check_units(struct config_loading *load)
{
	const struct config *c = load->config;
	bool all_sound = true;

	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++) {
		if (sound_unit(load, (enum config_unit)i))
			check_restart(load, (enum config_unit)i);
		else
			all_sound = false;
	}
	if (!all_sound)
		return;
	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++)
		check_order(load, (enum config_unit)i);
	check_drain(load);
	/* an observer in a cluster shows what the others find */
	if (!c->units[CONFIG_DETECTOR].enabled && c->units[CONFIG_UPDATER].enabled &&
	    !(c->updater.observe && c->cluster.backend == CONFIG_BACKEND_KUBERNETES))
		config_warn_at(load, "units.detector.enabled",
			       "without the detector no address is found on this host, and no "
			       "record is kept right");
	if (!c->units[CONFIG_DETECTOR].enabled && !c->units[CONFIG_UPDATER].enabled &&
	    !c->units[CONFIG_WEBD].enabled)
		config_error_at(load, "units", "every unit is disabled; there is nothing to do");
}
