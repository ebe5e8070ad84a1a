/*
 * What must be true after every step, whatever happens (I1 to I6 of
 * election and publishing, and the system's own), and what must have come true some time after
 * the last fault is healed. A breach stops the seed.
 */
#ifndef TESTS_SIM_INVARIANTS_H
#define TESTS_SIM_INVARIANTS_H

#include "detector/agreement.h"
#include "tests/sim/api_model.h"

/*
 * After the last fault, everything is right within this: a watch may wait for the
 * longest backoff and its jitter (60 s); only then may its node write, and if its
 * check came before, the next one is an interval later (60 s here). The rest is
 * for an election and for requests.
 */
#define CHECKS_BOUND_US (150 * SECOND)

struct node;

void checks_start(struct world *w);
void checks_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The store changed, by a node's request or by hand (API_HAND). */
void checks_lease_stored(struct world *w, const struct stored_lease *before,
			 const struct stored_lease *after, uint32_t by);
void checks_wan_stored(struct world *w, const struct stored_wan *before,
		       const struct stored_wan *after, uint32_t by);
/* The greatest that the ConfigMap of today ever had. */
int64_t checks_greatest_epoch(struct world *w);
/* Did a person touch the Lease lately, so that two nodes may think they lead? */
bool checks_lease_was_touched(const struct world *w);
/* Were the greatest numbers that it has had set by a person? */
bool checks_numbers_are_by_hand(struct world *w);
/* A node is about to do what only a leader may (I6). */
void checks_leader_acts(struct node *n, const char *what);
/* Its leadership took an event: is anybody else active? */
void checks_activity(struct node *n);
/* Its follower took these numbers (I5). */
void checks_applied(struct node *n, const char *uid, int64_t epoch, int64_t sequence);
/* A round's ballots are counted. */
void checks_round_ended(struct world *w, const struct ballot *ballots);
/* A node sends a write to the provider. */
void checks_write_sent(struct node *n, unsigned record, const struct address *value);
void checks_record_written(struct world *w, unsigned record, const struct address *value,
			   uint32_t by);
void checks_record_edited(struct world *w, unsigned record);
/* Is everything as it should be in the end? NULL, or what is not. */
const char *checks_settled(struct world *w);
/* A seed without faults: what it cost. */
void checks_calm(struct world *w);

#endif
