#include "updater/confirmation.h"

#include <string.h>

#include "common/mem.h"

void
confirmation_init(struct confirmation *c)
{
	*c = (struct confirmation){
		.seen_ms = CONFIRMATION_NEVER,
		.blind = true,
		.blind_ms = CONFIRMATION_NEVER,
		.heard.ms = CONFIRMATION_NEVER,
	};
}

static void
remember(struct confirmation *c, const char *uid, int64_t epoch, int64_t sequence,
	 const struct address *address, int64_t confirmed_at)
{
	mem_copy_text(c->uid, sizeof(c->uid), uid);
	c->epoch = epoch;
	c->sequence = sequence;
	c->address = *address;
	c->at = confirmed_at;
}

void
confirmation_see(struct confirmation *c, const char *uid, int64_t epoch, int64_t sequence,
		 const struct address *address, int64_t confirmed_at, int64_t now_ms)
{
	bool same_uid = strcmp(c->uid, uid) == 0;
	bool same = address_equal(&c->address, address);
	bool moved = confirmed_at != 0 && confirmed_at != c->at;

	if (same_uid && (epoch < c->epoch || (epoch == c->epoch && sequence < c->sequence)))
		return;
	/*
	 * Of an object made anew nobody knows whether it is new or an old one that
	 * was put back. And what moved while nobody looked moved at some time since.
	 */
	if (!same_uid && (moved || !same))
		c->seen_ms = CONFIRMATION_NEVER;
	else if (moved)
		c->seen_ms = c->blind ? c->blind_ms : now_ms;
	else if (!same)
		c->seen_ms = CONFIRMATION_NEVER;
	remember(c, uid, epoch, sequence, address, confirmed_at);
	c->blind = false;
}

void
confirmation_blind(struct confirmation *c, int64_t now_ms)
{
	if (c->blind)
		return;
	c->blind = true;
	c->blind_ms = now_ms;
}

void
confirmation_hear(struct confirmation *c, const char *uid, int64_t epoch,
		  const struct address *address, int64_t confirmed_ms)
{
	mem_copy_text(c->heard.uid, sizeof(c->heard.uid), uid);
	c->heard.epoch = epoch;
	c->heard.address = *address;
	c->heard.ms = confirmed_ms;
}

int64_t
confirmation_ms(const struct confirmation *c)
{
	if (c->address.family == ADDRESS_NONE)
		return CONFIRMATION_NEVER;
	if (c->heard.ms > c->seen_ms && c->heard.epoch == c->epoch &&
	    strcmp(c->heard.uid, c->uid) == 0 && address_equal(&c->heard.address, &c->address))
		return c->heard.ms;
	return c->seen_ms;
}
