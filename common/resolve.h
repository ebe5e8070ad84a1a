/*
 * Names to addresses with c-ares, in the caller's loop. libcurl's own resolver
 * would block a loop behind a silent name server (DESIGN.md), so all look-ups
 * come here. The channel is made anew when resolv.conf changes or after three
 * failed look-ups in a row.
 */
#ifndef COMMON_RESOLVE_H
#define COMMON_RESOLVE_H

#include "common/address.h"
#include "common/pollset.h"

#define RESOLVE_ADDRESSES_MAX 8

struct resolver;
struct resolve_query;

struct resolve_result {
	const char *error; /* NULL, or a sentence's end: "has no IPv4 address", "name server did not
			      answer" */
	size_t n;
	struct address addresses[RESOLVE_ADDRESSES_MAX];
};

typedef void resolve_done(void *arg, const struct resolve_result *result);

struct resolver *resolver_new(void);
/* Every query in flight is cancelled without its callback. */
void resolver_free(struct resolver *r);

/*
 * Look up host (a name, or an address, which needs no server). The callback
 * comes once, always from resolver_dispatch(); result is valid during it only.
 * ADDRESS_NONE asks for both families. Returns a handle to cancel with, valid
 * until the callback.
 */
struct resolve_query *resolver_lookup(struct resolver *r, const char *host,
				      enum address_family family, int64_t deadline_ms,
				      resolve_done *done, void *arg);
/* After this the callback does not come. NULL is fine. */
void resolver_cancel(struct resolve_query *q);

void resolver_prepare(struct resolver *r, struct pollset *p, int64_t now_ms);
void resolver_dispatch(struct resolver *r, const struct pollset *p, int64_t now_ms);

#endif
