/*
 * The ways between a node and what it talks to: delay, loss, cuts, replies that
 * get lost after the work was done, requests that arrive long after their
 * sender gave up.
 */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include <stdint.h>

#include "tests/sim/world.h"

enum way { WAY_API, WAY_PROVIDER, WAY_PEERS, WAY_SOURCES, WAY__MAX };

/* How bad it is at present, for all nodes; in permille of the requests. */
struct weather {
	unsigned lost;       /* the request never arrives */
	unsigned reply_lost; /* it is served, and nobody hears */
	unsigned late;       /* it arrives 1 to 45 s late */
	int64_t delay_us;    /* one way, at most, on top of the usual */
};

/*
 * One request and its reply. It ends when both sides are done with it: the
 * server has served or will never see it, the client has the reply or gave up.
 * It is the first member of what is asked.
 */
struct exchange {
	uint32_t node, life; /* of the client */
	enum way way;
	struct pool *pool;   /* where it goes back to */
	int64_t deadline_ms; /* on the node's clock: it gives up then */
	bool server_done, client_done;
	bool answered; /* the reply reached the client */
	/* Serve it, and then call exchange_reply() or exchange_forget(). */
	void (*serve)(struct world *w, struct exchange *x);
	/* The client hears the reply, or that there is none (answered is false). */
	void (*heard)(struct world *w, struct node *node, struct exchange *x);
	struct exchange *next; /* under way at the node */
};

void network_start(struct world *w);
struct weather *network_weather(struct world *w, enum way way);
/* Cut a node off on this way until then. */
void network_cut(struct world *w, uint32_t node, enum way way, int64_t until_us);
/* Until when it is cut off; a time that is over if it is not. */
int64_t network_cut_until(const struct world *w, uint32_t node, enum way way);
bool network_is_cut(const struct world *w, uint32_t node, enum way way);
/* When the last request that is late, or waits for the end of a cut, arrives. */
int64_t network_quiet_us(const struct world *w);
/* How long one message takes at present. */
int64_t network_delay(struct world *w, enum way way);

void exchange_send(struct world *w, struct exchange *x);
void exchange_reply(struct world *w, struct exchange *x, int64_t after_us);
/* The server is done, and says nothing. */
void exchange_forget(struct exchange *x);
/* The client is done with it: it heard the reply, gave up, or died. */
void exchange_drop(struct exchange *x);

#endif
