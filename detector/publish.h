/*
 * What the detector tells the others: the state of both families, kept in the
 * local store and sent over the bus, with who leads and the metrics.
 */
#ifndef DETECTOR_PUBLISH_H
#define DETECTOR_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/pollset.h"
#include "detector/agreement.h"
#include "detector/config.h"
#include "ipc/message.h"

struct publisher;

/* What is new about one family. */
struct publisher_news {
	enum address_family family;
	enum msg_wan_state state;
	const char *reason;            /* a sentence; "" with MSG_WAN_AGREED */
	const struct agreement *round; /* the one that ended; NULL: none did */
	const struct address *address; /* published from now on; NULL: no change */
	bool confirmed;                /* the round agreed on what is published */
};

/*
 * Take the lock, read the stored state, open the bus. NULL with *why (a
 * sentence, valid until the next call) if another process leads or the bus
 * cannot be opened.
 */
struct publisher *publisher_open(const struct detector_config *config, const char **why);
void publisher_close(struct publisher *p);

/* Which families are wanted may have changed. */
void publisher_reload(struct publisher *p, const struct detector_config *config);

/* Keep the news and send everything. */
void publisher_tell(struct publisher *p, const struct publisher_news *news, int64_t now_ms);

/*
 * Both families and the store, as one JSON object of at most CHANNEL_STATE_MAX
 * bytes, for the supervisor; free() it.
 */
char *publisher_state(const struct publisher *p, int64_t now_ms);

/* The state of a family as it is told; its ages are not kept up. */
const struct msg_wan_family *publisher_family(const struct publisher *p,
					      enum address_family family);
/* The process's counters, sent with the rest. Belongs to the publisher. */
struct metrics *publisher_metrics(struct publisher *p);

void publisher_prepare(struct publisher *p, struct pollset *set, int64_t now_ms);
/* Sends everything again when the bus says that it is time. */
void publisher_dispatch(struct publisher *p, const struct pollset *set, int64_t now_ms);

#endif
