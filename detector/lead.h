/*
 * Leading in a cluster: this pod's part in the election, the news to its peers while it
 * leads, and the hints of its own updater while it stands by.
 */
#ifndef DETECTOR_LEAD_H
#define DETECTOR_LEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/config.h"
#include "cluster/leader.h"
#include "common/http.h"
#include "common/metrics.h"
#include "common/pollset.h"

struct lead;

/* Everything given must live longer. Takes part in the election from now on. */
struct lead *lead_open(const struct cluster_config *config, struct http *http,
		       struct metrics *metrics, const char *runtime_dir);
void lead_close(struct lead *l);

void lead_prepare(struct lead *l, struct pollset *set, int64_t now_ms);
/* After http_dispatch(), once in a pass. True if peers want to hear the state again. */
bool lead_dispatch(struct lead *l, const struct pollset *set, int64_t now_ms);
enum leader_news lead_next(struct lead *l, int64_t now_ms);

/* Seals a message ("wan") for the peers; nothing happens without a key or a listener. */
void lead_tell_peers(struct lead *l, const char *json);
/* Where peers find this pod while it leads, "tcp://host:port"; "" if nowhere. */
const char *lead_publisher(const struct lead *l);
unsigned lead_followers(const struct lead *l);
/* True once after lead_publisher() became another one while this pod leads: a key has come. */
bool lead_take_opened(struct lead *l);

/* True once after this pod's Node has other addresses, or became ready or unready. */
bool lead_take_node_change(struct lead *l);
/* The address that is published is another one now: an Event about this pod. */
void lead_tell_change(struct lead *l, const struct address *before, const struct address *now,
		      int64_t now_ms);

/* The machine behind it. */
struct leader *lead_leader(struct lead *l);
const struct leader *lead_leader_const(const struct lead *l);
/* What is wrong, as a sentence: with the API server, the election, the peers; or "". */
const char *lead_reason(const struct lead *l);
/* The same, but "" where all is as it should be, and another one leads. */
const char *lead_trouble(const struct lead *l);

#endif
