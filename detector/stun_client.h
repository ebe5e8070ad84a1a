/*
 * One question to one STUN server, over UDP or TCP: look-up, a socket of its
 * own, retransmission, and the first answer that is one. Nothing blocks; the
 * whole has one deadline.
 */
#ifndef DETECTOR_STUN_CLIENT_H
#define DETECTOR_STUN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/pollset.h"

struct resolver;
struct stun_query;

struct stun_request {
	const char *host; /* a name or an address */
	uint16_t port;
	enum address_family family; /* of the connection, and of the address asked for */
	bool tcp;
	unsigned sends_max;  /* UDP: at most so many datagrams; 0: as RFC 8489 says (7) */
	int64_t deadline_ms; /* on clock_now() */
};

struct stun_result {
	struct address address; /* ADDRESS_NONE: see error */
	char error[96];     /* a phrase that follows the source's name; "" if there is an address */
	const char *reason; /* the same as a label: "resolve", "connect", "timeout", "answer" */
	int64_t duration_ms;
};

/* Start a query; everything in the request is copied. Never NULL: failures are results too. */
struct stun_query *stun_query_start(struct resolver *r, const struct stun_request *request);
/* Ends it if it is under way, and frees it. NULL is fine. */
void stun_query_free(struct stun_query *q);

void stun_query_prepare(const struct stun_query *q, struct pollset *set);
/* Carry out what became possible. The resolver's dispatch comes before it in the loop. */
void stun_query_dispatch(struct stun_query *q, const struct pollset *set, int64_t now_ms);

/* The outcome; NULL while it is under way. Belongs to the query. */
const struct stun_result *stun_query_result(const struct stun_query *q);

#endif
