/*
 * One object of the API server as it is now: listed, watched, listed again, by the
 * machine of reflector.h with its requests carried out.
 */
#ifndef CLUSTER_WATCHER_H
#define CLUSTER_WATCHER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cluster/kube.h"
#include "common/pollset.h"

struct watcher;

/* Called with each state of the object; NULL: it does not exist. Valid during the call. */
typedef void watcher_seen(void *arg, const cJSON *object);

/* kube must live longer. Nothing is asked for before the first watcher_dispatch(). */
struct watcher *watcher_new(struct kube *kube, enum kube_resource resource, const char *name,
			    watcher_seen *seen, void *arg);
void watcher_free(struct watcher *w);

void watcher_prepare(const struct watcher *w, struct pollset *set);
/* After http_dispatch(), once in a pass. */
void watcher_dispatch(struct watcher *w, int64_t now_ms);
/* A sign came that there is something newer: read it anew, soon. */
void watcher_read_now(struct watcher *w, int64_t now_ms);
/* Is a watch open that has not failed? */
bool watcher_current(const struct watcher *w);
/* What is wrong, as a sentence; "" if nothing is. */
const char *watcher_trouble(const struct watcher *w);

#endif
