/*
 * What holds for every configuration that the supervisor accepts: its bounds,
 * and above all that each worker accepts the part that is made of it. A part
 * that a worker refuses would be a restart loop.
 */
#ifndef TESTS_FUZZ_ACCEPTED_H
#define TESTS_FUZZ_ACCEPTED_H

#include "common/json.h"
#include "detector/config.h"
#include "ipc/channel.h"
#include "supervisor/config.h"
#include "supervisor/parts.h"
#include "tests/fuzz.h"
#include "updater/config.h"
#include "webd/config.h"

static inline cJSON *
fuzz_part(const struct config *c, enum config_unit unit)
{
	char *text = parts_unit(c, unit), *same = parts_unit(c, unit);
	const char *why = NULL;
	cJSON *part = json_parse(text, strlen(text), &why);

	REQUIRE(part != NULL && strlen(text) <= CHANNEL_PART_MAX);
	REQUIRE(strcmp(text, same) == 0 && !parts_differ(c, c, unit));
	free(text);
	free(same);
	return part;
}

static inline void
fuzz_check_parts(const struct config *c)
{
	const char *why = NULL;
	cJSON *part = fuzz_part(c, CONFIG_DETECTOR);
	struct detector_config *detector = detector_config_read(part, &why);
	struct updater_config *updater;
	struct webd_config *webd = malloc(sizeof(*webd));

	if (detector == NULL)
		fprintf(stderr, "the detector refuses its part: %s\n", why);
	REQUIRE(detector != NULL && detector->nsources == c->detector.nsources);
	REQUIRE(detector->rounds.interval_ms == c->detector.interval);
	cJSON_Delete(part);
	detector_config_free(detector);

	part = fuzz_part(c, CONFIG_UPDATER);
	updater = updater_config_new(part, &why);
	if (updater == NULL)
		fprintf(stderr, "the updater refuses its part: %s\n", why);
	REQUIRE(updater != NULL && updater->nrecords == c->nrecords);
	cJSON_Delete(part);
	updater_config_free(updater);

	part = fuzz_part(c, CONFIG_WEBD);
	REQUIRE(webd != NULL);
	if (webd_config_read(part, webd, &why) != 0)
		fprintf(stderr, "webd refuses its part: %s\n", why);
	REQUIRE(why == NULL && webd->nrecords == c->nrecords && webd->nlisten > 0);
	REQUIRE(webd->nlisten == c->webd.listen.n && webd->nmetrics == c->webd.metrics.n);
	cJSON_Delete(part);
	free(webd);
}

static inline void
fuzz_check_records(const struct config *c)
{
	REQUIRE(c->nrecords <= CONFIG_RECORDS_MAX);
	REQUIRE(c->nrecords > 0 || c->updater.observe);
	for (size_t i = 0; i < c->nrecords; i++) {
		const struct config_record *r = &c->records[i];
		size_t len = strlen(r->fqdn), zone = strlen(r->zone);

		REQUIRE(len > 0 && len <= 253 && len >= zone && r->name[0] != '\0');
		REQUIRE(strcasecmp(r->fqdn + len - zone, r->zone) == 0);
		REQUIRE(r->ttl >= CONFIG_TTL_MIN && r->ttl <= CONFIG_TTL_MAX);
		REQUIRE(r->family == ADDRESS_IPV4 || r->family == ADDRESS_IPV6);
	}
}

/* A majority that cannot be had would mean that nothing is ever published. */
static inline void
fuzz_check_sources(const struct config *c)
{
	const struct config_detector *d = &c->detector;

	REQUIRE(d->nsources <= CONFIG_SOURCES_MAX);
	for (size_t i = 0; i < d->nsources; i++)
		REQUIRE(d->sources[i].host[0] != '\0' && d->sources[i].port != 0 &&
			(d->sources[i].ipv4 || d->sources[i].ipv6));
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		unsigned operators = config_operators(c, f);

		REQUIRE(operators <= CONFIG_OPERATORS_MAX);
		if (config_needs(c, f) && c->units[CONFIG_DETECTOR].enabled)
			REQUIRE(operators >= 1 && operators >= d->quorum);
	}
}

static inline void
fuzz_check_units(const struct config *c)
{
	for (enum config_unit u = CONFIG_DETECTOR; u < CONFIG_UNIT__MAX; u++) {
		const struct config_directives *d = &c->units[u];

		REQUIRE(d->nargs >= 1 && d->nargs <= CONFIG_ARGS_MAX);
		REQUIRE(d->exec_start[d->nargs] == NULL && d->exec_start[0][0] != '\0');
		REQUIRE(d->kill_signal > 0 && d->kill_signal < 65 && !d->after[u]);
		REQUIRE(d->timeout_stop >= 0 && d->watchdog >= 0 && d->restart_sec >= 0);
	}
}

/* Loads, checks what came of it, and frees it. */
static inline void
fuzz_check_load(const char *path, char *const *env)
{
	struct config_report report = { 0 };
	struct config *c = config_load(path, env, &report);
	size_t errors = 0;

	for (size_t i = 0; i < report.n; i++) {
		REQUIRE(fuzz_is_phrase(report.messages[i].text));
		errors += !report.messages[i].warning;
	}
	REQUIRE(errors == report.nerrors && (c == NULL) == (errors > 0));
	if (c != NULL) {
		REQUIRE(c->cluster.backend != CONFIG_BACKEND_AUTO);
		fuzz_check_records(c);
		fuzz_check_sources(c);
		fuzz_check_units(c);
		fuzz_check_parts(c);
	}
	config_free(c);
	config_report_free(&report);
}

#endif
