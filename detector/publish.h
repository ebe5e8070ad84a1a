/*
 * What the detector tells the others: the state of both families, with who leads and
 * the metrics. What is published is kept first, on one host in the local store, in a
 * cluster in the ConfigMap, and told when it is kept.
 */
#ifndef DETECTOR_PUBLISH_H
#define DETECTOR_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http.h"
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

/* Whether to work, asked for in each pass until it is PUBLISHER_NOTHING. */
enum publisher_event {
	PUBLISHER_NOTHING,
	PUBLISHER_BEGAN, /* work, from what publisher_family() says was published before */
	PUBLISHER_KEPT,  /* what was told is kept now, and publisher_family() says so */
	PUBLISHER_ENDED, /* stop at once: another one leads, or may */
	PUBLISHER_OFF    /* after publisher_stop(): all is given back */
};

/*
 * Open the bus, and on one host take the lock and read the stored state; in a cluster
 * take part in the election. config and http must live longer. NULL with *why (a
 * sentence, valid until the next call) if another process leads on this host or the bus
 * cannot be opened.
 */
struct publisher *publisher_open(const struct detector_config *config, struct http *http,
				 const char **why);
void publisher_close(struct publisher *p);
/* Give back what is held, so that another pod can lead at once. */
void publisher_stop(struct publisher *p, int64_t now_ms);

enum publisher_event publisher_next(struct publisher *p, int64_t now_ms);
/* May the detector's work be done now? */
bool publisher_active(const struct publisher *p, int64_t now_ms);
/* Why it does not work, as a phrase for a status line; "" while it does. Returns out. */
const char *publisher_standby(const struct publisher *p, char *out, size_t size);

/* Which families are wanted may have changed. */
void publisher_reload(struct publisher *p, const struct detector_config *config);

/* Keep the news, and send everything; a new address is told when it is kept. */
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

/* True once after something outside asks for a round: this pod's Node has changed. */
bool publisher_take_trigger(struct publisher *p);

void publisher_prepare(struct publisher *p, struct pollset *set, int64_t now_ms);
/* After http_dispatch(). Sends everything again when the bus says that it is time. */
void publisher_dispatch(struct publisher *p, const struct pollset *set, int64_t now_ms);

#endif
