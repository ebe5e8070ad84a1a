/*
 * Hears from the kernel (rtnetlink) when an address or a default route of this
 * host changes: then the WAN address may have changed too. A hint, no more:
 * behind a NAT nothing is heard of it.
 */
#ifndef DETECTOR_NETWATCH_H
#define DETECTOR_NETWATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/pollset.h"

struct netwatch;

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
 * rest is the host's own business.
 */
void netwatch_read(const void *data, size_t len, bool changed[ADDRESS_FAMILY__MAX]);

#endif
