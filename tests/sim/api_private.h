/* The API server model's own: the store (api_model.c), and the servers in front (api_watch.c). */
#ifndef TESTS_SIM_API_PRIVATE_H
#define TESTS_SIM_API_PRIVATE_H

#include "tests/sim/api_model.h"

/* One change; one of the two is NULL. */
struct api_change {
	int64_t version;
	const struct stored_lease *lease;
	const struct stored_wan *wan;
};

/* What one server knows: all changes before `known`. */
struct api_server {
	size_t known;
	int64_t version;
	int64_t window;     /* watches from an older version are refused */
	int64_t advance_us; /* the cache does not learn of a change before an earlier one */
	const struct stored_lease *lease;
	const struct stored_wan *wan;
	struct api_watch *watches;
};

struct api {
	struct api_health health;
	int64_t version;
	unsigned uids;
	const struct stored_lease *lease;
	const struct stored_wan *wan;
	struct api_change *changes;
	size_t nchanges, changes_max;
	struct api_server servers[API_SERVERS];
	struct pool calls, news;
	uint64_t requests;
};

/* A change was stored: the caches will learn of it. */
void api_servers_start(struct world *w);
void api_servers_tell(struct world *w);

#endif
