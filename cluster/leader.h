/*
 * The part of this pod in leading: the machine of leadership.h with its requests to
 * the API server carried out. Used by the detector.
 */
#ifndef CLUSTER_LEADER_H
#define CLUSTER_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/kube.h"
#include "cluster/leadership.h"
#include "cluster/wan_object.h"
#include "common/pollset.h"

struct leader;

/* What happened; asked for in each pass until it is LEADER_NOTHING. */
enum leader_news {
	LEADER_NOTHING,
	LEADER_BEGAN,     /* work: leader_stored() is what an earlier leader left */
	LEADER_ENDED,     /* stop at once */
	LEADER_COMMITTED, /* what was published last is stored, under leader_fence() */
	LEADER_RELEASED,  /* the Lease was given back in order: say so on the bus */
	LEADER_OFF        /* after leader_stop(): there is nothing left to do */
};

/* kube must live longer; lease and configmap are the objects' names. */
struct leader *leader_new(struct kube *kube, const struct leadership_config *config,
			  const char *lease, const char *configmap);
/* Cancels what is under way: what a write came to is then unknown. NULL is fine. */
void leader_free(struct leader *l);

void leader_prepare(const struct leader *l, struct pollset *set);
/* After http_dispatch(), once in a pass. */
void leader_dispatch(struct leader *l, int64_t now_ms);
enum leader_news leader_next(struct leader *l);

/* May the leader's work be done now? Ask right before each thing that is done. */
bool leader_active(const struct leader *l, int64_t now_ms);
/* Write this as soon as possible; a newer call replaces what has not been sent. Copied. */
void leader_publish(struct leader *l, const struct wan_content *content, int64_t now_ms);
/* What the ConfigMap held when it was claimed, or holds since. Never NULL. */
const struct wan_content *leader_stored(const struct leader *l);
/* Its numbers, as stored last. */
const struct api_fence *leader_fence(const struct leader *l);

/* The leader seems gone; it announced its release; so many pods follow. */
void leader_hint(struct leader *l, int64_t now_ms);
void leader_heard_release(struct leader *l, int64_t term, int64_t now_ms);
void leader_set_followers(struct leader *l, unsigned followers, int64_t now_ms);
void leader_stop(struct leader *l, int64_t now_ms);

enum leadership_role leader_role(const struct leader *l);
int64_t leader_term(const struct leader *l);
/* Who holds the Lease, as seen last; "" if nobody. */
const char *leader_holder(const struct leader *l);
/* A sentence: why it does not lead, or what is wrong; "" if there is nothing to say. */
const char *leader_reason(const struct leader *l);
/* Is that only that another one leads, as it should be? */
bool leader_another_leads(const struct leader *l);
/* Requests to the API server so far, for a metric. */
uint64_t leader_requests(const struct leader *l);

#endif
