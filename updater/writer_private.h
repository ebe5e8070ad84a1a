/*
 * What the writer's files share: writer.c takes events, writer_view.c keeps what
 * is known, writer_rules.c says what may be.
 */
#ifndef UPDATER_WRITER_PRIVATE_H
#define UPDATER_WRITER_PRIVATE_H

#include "updater/writer.h"

/* Later claims than the first are spread over this at most, unless there are many followers. */
#define WRITER_SPREAD_AGAIN_MS 20000

extern const struct writer_claim writer_no_claim;

/* What a read (by quorum) or the watch shows. False if it is older than what is known. */
bool writer_take_view(struct writer *w, const struct writer_view *view, bool quorum);

/* Is ms (WRITER_NEVER: no) less than span_ms ago? */
bool writer_since(const struct writer *w, int64_t ms, int64_t span_ms);
/* Must something be done that nobody has done, or said to be done? */
bool writer_out_of_sync(const struct writer *w);
bool writer_fresh(const struct writer *w);
/* Is this node's claim in force, for what is published now? */
bool writer_holds(const struct writer *w);
/* Has another node claimed it, so short a time ago that this one may not? */
bool writer_other_holds(const struct writer *w);
/* Follow a change of what is known: since when out of sync, when a backup's turn comes. */
void writer_watch_turn(struct writer *w, uint32_t random);
/* Is it time to claim? */
bool writer_may_claim(const struct writer *w);
/* May a check that runs already claim for its write? NULL, or why not. */
const char *writer_claim_refusal(const struct writer *w);
/* What writer_active() and writer_reason() say. */
bool writer_judge_active(const struct writer *w);
const char *writer_judge_reason(const struct writer *w);
/* A part, drawn at random, of what backups are spread over. */
int64_t writer_draw(const struct writer *w, bool again, uint32_t random);

#endif
