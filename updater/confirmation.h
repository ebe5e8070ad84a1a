/*
 * When a round of the detector last confirmed the published address of one
 * family, on this node's own clock: no wall clock of another node is trusted.
 * A confirmation is seen when the family's confirmed_at moves in the object;
 * what it was before the first look, or while nobody looked, counts as old as
 * it can be. So after a start only a new confirmation counts. Pure.
 */
#ifndef UPDATER_CONFIRMATION_H
#define UPDATER_CONFIRMATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "ipc/message.h"

#define CONFIRMATION_NEVER INT64_MIN

struct confirmation {
	char uid[MSG_UID_MAX];
	int64_t epoch, sequence;
	struct address address;
	int64_t at;       /* wall, as published: only compared with itself */
	int64_t seen_ms;  /* on this clock; CONFIRMATION_NEVER */
	bool blind;       /* nobody looks */
	int64_t blind_ms; /* since when; CONFIRMATION_NEVER: nobody ever has */
	struct {
		char uid[MSG_UID_MAX];
		int64_t epoch;
		struct address address;
		int64_t ms;
	} heard; /* of the own pod's detector */
};

void confirmation_init(struct confirmation *c);
/* One's own read or watch of the object shows this; what is older than known changes nothing. */
void confirmation_see(struct confirmation *c, const char *uid, int64_t epoch, int64_t sequence,
		      const struct address *address, int64_t confirmed_at, int64_t now_ms);
/* The watch is broken since now; say it again after a single read that comes meanwhile. */
void confirmation_blind(struct confirmation *c, int64_t now_ms);
/*
 * The own pod's detector, which leads in this epoch, says when (on the clock that
 * all processes of a host share) a round confirmed this. It counts when, and as
 * soon as, the object shows the same.
 */
void confirmation_hear(struct confirmation *c, const char *uid, int64_t epoch,
		       const struct address *address, int64_t confirmed_ms);
/* When the address now in the object was confirmed; CONFIRMATION_NEVER. */
int64_t confirmation_ms(const struct confirmation *c);

#endif
