/*
 * Hears from the kernel (rtnetlink) when an address or a default route of this
 * host changes: then the WAN address may have changed too. A hint, no more:
 * behind a NAT nothing is heard of it.
 */
#ifndef DETECTOR_NETWATCH_H
#define DETECTOR_NETWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/pollset.h"

struct netwatch;

/* Addresses of the host that are told from new ones. */
#define NETWATCH_KNOWN_MAX 64

/* What was heard of the host's addresses; all zero: nothing yet. */
struct netwatch_known {
	size_t n, next; /* next is overwritten when all are taken */
	struct netwatch_address {
		uint32_t interface, flags;
		struct address address;
	} at[NETWATCH_KNOWN_MAX];
};

/* NULL if the kernel gives no such socket (a sandbox may forbid it): logged, and lived with. */
struct netwatch *netwatch_open(void);
void netwatch_close(struct netwatch *w);

/* Both take NULL for a watch that could not be had. */
void netwatch_prepare(const struct netwatch *w, struct pollset *set);
/* Sets changed[family] for each family that something was heard of; clears none. */
void netwatch_dispatch(struct netwatch *w, const struct pollset *set,
		       bool changed[ADDRESS_FAMILY__MAX]);

/*
 * The pure part: what len bytes of rtnetlink messages (aligned as the kernel
 * sends them) say. Addresses of global scope and default routes count; the
 * rest is the host's own business. An address that is told of again, only with
 * a new lifetime, as at each router advertisement, is no news.
 */
void netwatch_read(struct netwatch_known *known, const void *data, size_t len,
		   bool changed[ADDRESS_FAMILY__MAX]);

#endif
