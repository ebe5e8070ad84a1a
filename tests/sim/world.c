#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define CHUNK_SIZE ((size_t)256 * 1024)

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) unsigned char bytes[];
};

/* --- chance: xoshiro256**, seeded by splitmix64 (Blackman, Vigna) ---------------------------- */

static uint64_t
splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t
rotate(uint64_t x, int n)
{
	return (x << n) | (x >> (64 - n));
}

uint64_t
chance(struct world *w)
{
	uint64_t *s = w->chance, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t
chance_below(struct world *w, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)chance(w) * n) >> 64);
}

int64_t
chance_range(struct world *w, int64_t a, int64_t b)
{
	return a + (int64_t)chance_below(w, (uint64_t)(b - a) + 1);
}

bool
chance_is(struct world *w, unsigned permille)
{
	return chance_below(w, 1000) < permille;
}

/* --- memory ---------------------------------------------------------------------------------- */

static struct chunk *
chunk_new(size_t size)
{
	struct chunk *c = mem_new(1, sizeof(*c) + size);

	c->size = size;
	return c;
}

/* A chunk of an earlier seed is taken again if the block fits. */
static void
next_chunk(struct world *w, size_t size)
{
	struct chunk *next = w->chunk ? w->chunk->next : w->chunks;

	if (!next || next->size < size) {
		struct chunk *c = chunk_new(size > CHUNK_SIZE ? size : CHUNK_SIZE);

		c->next = next;
		*(w->chunk ? &w->chunk->next : &w->chunks) = c;
		next = c;
	}
	next->used = 0;
	w->chunk = next;
}

void *
world_new(struct world *w, size_t size)
{
	unsigned char *block;

	size = (size + 15) & ~(size_t)15;
	if (!w->chunk || w->chunk->size - w->chunk->used < size)
		next_chunk(w, size);
	block = w->chunk->bytes + w->chunk->used;
	w->chunk->used += size;
	memset(block, 0, size);
	return block;
}

void *
pool_get(struct world *w, struct pool *pool)
{
	void *block = pool->free;

	if (!block)
		return world_new(w, pool->size);
	memcpy(&pool->free, block, sizeof(pool->free));
	memset(block, 0, pool->size);
	return block;
}

void
pool_put(struct pool *pool, void *block)
{
	memcpy(block, &pool->free, sizeof(pool->free));
	pool->free = block;
}

/* --- the queue ------------------------------------------------------------------------------- */

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void
world_at(struct world *w, int64_t at_us,
	 void (*happen)(struct world *w, void *arg, uint64_t number), void *arg, uint64_t number)
{
	struct event ev = { at_us > w->now_us ? at_us : w->now_us, w->order++, happen, arg,
			    number };
	size_t i = w->nqueue++;

	if (i == w->queue_max) {
		w->queue_max = w->queue_max ? 2 * w->queue_max : 1024;
		w->queue = mem_grow(w->queue, w->queue_max, sizeof(*w->queue));
	}
	for (; i > 0 && is_before(&ev, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
		w->queue[i] = w->queue[(i - 1) / 2];
	w->queue[i] = ev;
}

static struct event
take_first(struct world *w)
{
	struct event first = w->queue[0], last = w->queue[--w->nqueue];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->nqueue) {
		if (child + 1 < w->nqueue && is_before(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!is_before(&w->queue[child], &last))
			break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	w->queue[i] = last;
	return first;
}

bool
world_step(struct world *w, int64_t until_us)
{
	struct event ev;

	if (w->nqueue == 0 || w->queue[0].at_us > until_us) {
		w->now_us = until_us;
		return false;
	}
	ev = take_first(w);
	w->now_us = ev.at_us;
	w->steps++;
	ev.happen(w, ev.arg, ev.number);
	return true;
}

void
world_start(struct world *w, uint64_t seed, size_t nnodes)
{
	uint64_t x = seed;

	w->seed = seed;
	for (int i = 0; i < 4; i++)
		w->chance[i] = splitmix(&x);
	w->now_us = 0;
	w->steps = 0;
	w->nqueue = 0;
	w->order = 0;
	w->chunk = NULL;
	w->nnodes = nnodes;
	w->failed = false;
	w->failure[0] = '\0';
}

void
world_free(struct world *w)
{
	while (w->chunks) {
		struct chunk *c = w->chunks;

		w->chunks = c->next;
		free(c);
	}
	free(w->queue);
}
