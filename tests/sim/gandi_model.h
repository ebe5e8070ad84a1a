/*
 * The DNS provider: records that are read and written, with time-outs, writes
 * that land late, refusals, and people who edit by hand.
 */
#ifndef TESTS_SIM_GANDI_MODEL_H
#define TESTS_SIM_GANDI_MODEL_H

#include "tests/sim/network.h"
#include "updater/provider.h"

#define GANDI_TTL 300

struct gandi_health {
	unsigned fails, fails_after_write, throttles; /* in permille */
	unsigned lands_late;                          /* fails, and takes effect 1 to 45 s later */
	bool denies;                                  /* 401: the token is refused */
	bool down;
};

struct gandi_record {
	bool exists;
	struct address value;
	int64_t ttl;
	unsigned puts; /* that were accepted */
};

struct gandi_call {
	struct exchange x;
	unsigned record;
	bool is_write;
	struct address value;
	struct provider_result result;
};

void gandi_start(struct world *w);
struct gandi_health *gandi_health(struct world *w);
const struct gandi_record *gandi_record(const struct world *w, unsigned record);
struct gandi_call *gandi_call_new(struct world *w, uint32_t node, uint32_t life, unsigned record);
/* A person writes something else into the record, or deletes it. */
void gandi_edit(struct world *w, unsigned record, struct address value);
uint64_t gandi_reads(const struct world *w);
/* When the last write that is still on its way inside the provider lands. */
int64_t gandi_quiet_us(const struct world *w);
/* What the client makes of no answer. */
void gandi_time_out(struct gandi_call *call);

#endif
