/*
 * What a round means for the log and the metrics: transitions, each told once,
 * not iterations.
 */
#ifndef DETECTOR_REPORT_H
#define DETECTOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/metrics.h"
#include "detector/agreement.h"
#include "detector/config.h"
#include "ipc/message.h"

struct report;

/* The metrics must live longer. Promised counters start at 0 for every operator configured. */
struct report *report_new(struct metrics *metrics, const struct detector_config *config);
void report_free(struct report *r);
/* Other sources: what is known of the old ones is forgotten. */
void report_reload(struct report *r, const struct detector_config *config);

struct report_round {
	enum address_family family;
	const struct agreement *agreement;
	const struct ballot *ballots; /* what it was made from */
	size_t nballots;
	bool allow_reserved; /* addresses that cannot be public count */
	/* What the votes are held against: what was agreed on, else what is published. */
	struct address right;
	bool complete; /* every source had its time: who said nothing then fails */
	int64_t duration_ms;
};

/* Count a round, and name the operators whose standing it changed. */
void report_take_round(struct report *r, const struct report_round *round);

struct report_change {
	enum address_family family;
	enum msg_wan_state state;
	const char *reason;         /* as told to people */
	struct address before, now; /* what was published, and what is */
	unsigned agreed, asked;     /* in the round that brought this about */
};

/* Tell what became of the family, if it is not what was told last. */
void report_take_change(struct report *r, const struct report_change *c);

#endif
