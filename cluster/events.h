/*
 * Events (events.k8s.io/v1) about the own Pod: what `kubectl describe pod` and
 * `kubectl get events` show. Few, and never in the way: 25 at most in a burst, then one
 * every 5 min; the same one again only after 10 min; what cannot be sent is dropped.
 */
#ifndef CLUSTER_EVENTS_H
#define CLUSTER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/config.h"
#include "cluster/kube.h"

struct events;

/* config and kube must live longer. controller: "esddns-detector". */
struct events *events_new(const struct cluster_config *config, struct kube *kube,
			  const char *controller);
void events_free(struct events *e);

/*
 * Tell one. reason is a short word in CamelCase ("LeaderElected"), action what was done
 * ("Electing"), note a sentence. Without the Pod's name (POD_NAME) nothing is sent.
 */
void events_tell(struct events *e, bool warning, const char *reason, const char *action,
		 const char *note, int64_t now_ms);

#endif
