/*
 * The world of one seed: true time, the queue of what is to happen, chance, and
 * memory that ends with it. Everything in it follows from the seed.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_RECORDS 2
#define SECOND 1000000ll /* true time is counted in microseconds */
#define MILLISECOND 1000ll
#define NEVER INT64_MAX

struct api;
struct checks;
struct faults;
struct gandi;
struct network;
struct node;
struct sources;
struct trace;
struct world;

struct event {
	int64_t at_us;
	uint64_t order; /* of two at one time, the one that was planned first comes first */
	void (*happen)(struct world *w, void *arg, uint64_t number);
	void *arg;
	uint64_t number;
};

/* A free list of blocks of one size; the memory is the world's. */
struct pool {
	size_t size;
	void *free;
};

struct chunk;

struct world {
	uint64_t seed;
	uint64_t chance[4];
	int64_t now_us;
	uint64_t steps;

	struct event *queue; /* a heap */
	size_t nqueue, queue_max;
	uint64_t order;

	struct chunk *chunks, *chunk;

	size_t nnodes;
	struct node *nodes;
	struct api *api;
	struct network *network;
	struct gandi *gandi;
	struct sources *sources;
	struct faults *faults;
	struct checks *checks;
	struct trace *trace; /* NULL: not wanted */
	bool no_hands;       /* people touch nothing */
	bool failed;         /* an invariant is broken: stop */
	char failure[512];
};

/* Begin anew with this seed; what was before is gone, its memory is used again. */
void world_start(struct world *w, uint64_t seed, size_t nnodes);
void world_free(struct world *w);

/* Let happen(w, arg, number) come at at_us (not before now). */
void world_at(struct world *w, int64_t at_us,
	      void (*happen)(struct world *w, void *arg, uint64_t number), void *arg,
	      uint64_t number);
/* The next thing happens; false if there is none until until_us, which is then the time. */
bool world_step(struct world *w, int64_t until_us);

/* Zeroed memory that lives as long as the seed. */
void *world_new(struct world *w, size_t size);
void *pool_get(struct world *w, struct pool *pool); /* zeroed */
void pool_put(struct pool *pool, void *block);

/* Chance: any number; one below n (> 0); from a to b inclusive; true in permille of 1000 cases. */
uint64_t chance(struct world *w);
uint64_t chance_below(struct world *w, uint64_t n);
int64_t chance_range(struct world *w, int64_t a, int64_t b);
bool chance_is(struct world *w, unsigned permille);

#endif
