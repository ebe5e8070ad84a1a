/*
 * This pod's part in the cluster, as far as the updater has one: the API server, what it
 * follows, its records' writers, the load balancer's address, and Events.
 */
#ifndef UPDATER_POD_H
#define UPDATER_POD_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/config.h"
#include "common/http.h"
#include "common/metrics.h"
#include "common/pollset.h"
#include "ipc/bus.h"
#include "ipc/message.h"
#include "updater/records.h"
#include "updater/writers.h"

struct pod;

/*
 * Everything given must live longer. Joins the records to their writers; the first
 * records_configure() comes after it.
 */
struct pod *pod_new(const struct cluster_config *config, struct http *http, struct metrics *metrics,
		    struct records *records);
void pod_free(struct pod *p);

void pod_prepare(struct pod *p, struct pollset *set, int64_t now_ms);
/* After http_dispatch(), once in a pass; tells the records what there is to know. */
void pod_dispatch(struct pod *p, const struct pollset *set, int64_t now_ms);
/* The newest that is followed; NULL: nothing is known yet. */
const struct msg_wan *pod_wan(struct pod *p, int64_t now_ms);

/* A message of the own pod's detector; and its end. */
void pod_hear(struct pod *p, const struct msg *m, int64_t now_ms);
void pod_lose_detector(struct pod *p, int64_t now_ms);

/* Publish what is followed, if it is due or has changed. */
void pod_tell(struct pod *p, struct bus_publisher *publisher, bool due, int64_t now_ms);

#endif
