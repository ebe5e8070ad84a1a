/* The supervisor: configuration, units, signals and one loop. No threads, no blocking calls. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>

/* sysexits(3)'s EX_CONFIG: the configuration is wrong. */
#define SUPERVISOR_EXIT_CONFIG 78

struct supervisor_options {
	const char *config_path; /* NULL: no file, defaults and environment alone */
	char **variables;        /* the environment; the token in it is overwritten */
	bool once;               /* detect and synchronise once, serve nothing, then end */
	bool json;               /* of supervisor_probe(): for programs */
};

/*
 * Run until SIGTERM or SIGINT, or until a unit's failure ends it. Returns the
 * exit code: 0 after an orderly stop, the code of the unit that failed, 1 where
 * it cannot start, SUPERVISOR_EXIT_CONFIG. With options->once: 0 if all records
 * are in sync with an address that was confirmed now, else 1, or
 * SUPERVISOR_EXIT_CONFIG.
 */
int supervisor_run(const struct supervisor_options *options);

/*
 * Check the configuration and print what was found: mistakes and warnings to
 * standard error, a summary to standard output. Returns 0 or SUPERVISOR_EXIT_CONFIG.
 */
int supervisor_check(const struct supervisor_options *options);

/*
 * Become the detector, which asks every source once and prints what came of it.
 * Without a configuration file and records: the built-in sources, both families.
 * Takes no lock, starts nothing else, and returns only if that fails: 1 or
 * SUPERVISOR_EXIT_CONFIG, after it said why.
 */
int supervisor_probe(const struct supervisor_options *options);

#endif
