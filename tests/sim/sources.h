/*
 * The address that the world sees, and those who tell it: operators of which a
 * minority may lie, be silent, or be slow.
 */
#ifndef TESTS_SIM_SOURCES_H
#define TESTS_SIM_SOURCES_H

#include "common/address.h"
#include "detector/agreement.h"
#include "tests/sim/world.h"

#define SOURCES 5
#define SOURCES_QUORUM 3
/* The last ones are STUN servers over UDP, which the tripwire asks. */
#define SOURCES_STUN 2

struct source {
	const char *operator;
	enum source_kind kind;
	int64_t lies_until_us, silent_until_us;
	struct address lie;
};

struct sources {
	struct address wan;
	unsigned changes; /* of the address so far */
	struct source list[SOURCES];
};

void sources_start(struct world *w);
/* The line gets another address, perhaps one that it had before. */
void sources_change(struct world *w);
/* What this source answers now; ADDRESS_NONE: nothing. */
struct address sources_answer(struct world *w, unsigned source);
/* The number-th address of the line; lies are no such addresses. */
struct address sources_address(unsigned number);
struct address sources_lie(unsigned number);

#endif
