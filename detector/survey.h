/*
 * Ask every source once, for a person who wonders about the address: nothing is
 * published, no lock is taken, and each source keeps the whole time to answer.
 */
#ifndef DETECTOR_SURVEY_H
#define DETECTOR_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "detector/agreement.h"
#include "detector/config.h"

/* What one source said. */
struct survey_answer {
	const struct detector_source *source;
	struct address address; /* ADDRESS_NONE: see error */
	const char *refusal;    /* why the address could not be published, as a phrase; or NULL */
	char error[96];
	int64_t duration_ms;
};

struct survey_family {
	bool asked;
	bool no_route; /* this host has no way to that family's internet, and nobody answered */
	size_t nanswers;
	struct survey_answer answers[DETECTOR_SOURCES_MAX];
	struct agreement agreement;
	struct address published; /* as the state file has it; ADDRESS_NONE if it has none */
	int64_t detected_at;      /* wall */
};

struct survey {
	bool optional;       /* no record says which family is needed: one may be absent */
	char *state_trouble; /* why what is published is not known; or NULL */
	struct survey_family families[ADDRESS_FAMILY__MAX];
};

/*
 * What esddns-detector --probe does: take the part of the configuration from
 * the environment, ask, print to standard output. Returns the exit code: 0 if
 * the sources agreed, 1 if not, 64 or 70 without a sound part.
 */
int survey_run(bool json);

/* Did the sources agree on everything that is needed? */
bool survey_agreed(const struct survey *s);
/* For people, at 80 columns; colour with escape sequences. */
void survey_print(const struct survey *s, bool colour, struct buf *out);
/* For programs: one JSON object and a newline. */
void survey_print_json(const struct survey *s, struct buf *out);

#endif
