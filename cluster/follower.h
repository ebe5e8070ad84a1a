/*
 * What this pod knows of the published address: it watches the ConfigMap, and listens to
 * the leader's publisher. Whichever way the news came, the newest counts
 * (ARCHITECTURE.md, P6). Used by the updater.
 */
#ifndef CLUSTER_FOLLOWER_H
#define CLUSTER_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/config.h"
#include "cluster/wan_object.h"
#include "common/metrics.h"
#include "common/pollset.h"

struct follower;

/* Everything given must live longer. */
struct follower *follower_new(const struct cluster_config *config, struct kube *kube,
			      struct metrics *metrics);
void follower_free(struct follower *f);

void follower_prepare(struct follower *f, struct pollset *set, int64_t now_ms);
/* After http_dispatch(), once in a pass. */
void follower_dispatch(struct follower *f, const struct pollset *set, int64_t now_ms);

/* News of one's own pod's detector, while it leads; it may come before the ConfigMap's. */
void follower_hear(struct follower *f, const struct msg_wan *wan, int64_t now_ms);
/* Something shows that there is more to know than was heard: read the ConfigMap. */
void follower_read_now(struct follower *f, int64_t now_ms);

/* True once after the address, its confirmation or its numbers have changed. */
bool follower_take_news(struct follower *f);
/* The newest that is known, with its ages as of now_ms; NULL: nothing is known yet. */
const struct msg_wan *follower_wan(struct follower *f, int64_t now_ms);

/* True once after the ConfigMap was read or has changed. */
bool follower_take_object(struct follower *f);
/* The ConfigMap as last read; NULL: it does not exist, or was never read. */
const cJSON *follower_object(const struct follower *f);
/*
 * A read of one's own, outside the watch, showed this. False: it is of another uid than what
 * is watched, so that the watch is behind; nothing is taken, and the list is read anew (news
 * of the old object, still on their way, would be taken for the newer ones again). What the
 * watch has shown already changes nothing: the answer to one's own patch may come after the
 * news of a later one, and nobody would tell those again.
 */
bool follower_saw(struct follower *f, const cJSON *object, int64_t now_ms);
const struct api_fence *follower_fence(const struct follower *f);
/* When a round last confirmed the ConfigMap's address of this family, as it says: wall. */
int64_t follower_confirmed_at(const struct follower *f, enum address_family family);
const struct address *follower_address(const struct follower *f, enum address_family family);
/* Is the ConfigMap watched, so that what was read last is what it holds? */
bool follower_current(const struct follower *f);
unsigned follower_followers(const struct follower *f);

/* For the detector and webd; overdue and balancer are the caller's. */
void follower_describe(const struct follower *f, struct msg_cluster *out);

#endif
