/* The part "cluster" of a worker's configuration, from the JSON that the supervisor made of it. */
#ifndef CLUSTER_CONFIG_H
#define CLUSTER_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cluster/kube.h"
#include "cluster/leadership.h"

struct cluster_config {
	bool kubernetes;            /* else one host, and nothing of the rest is set */
	struct kube_access *access; /* owned */
	char *lease;                /* the objects' names */
	char *configmap;
	int64_t duration_ms, renew_deadline_ms, retry_period_ms;
	char *node_name; /* of the pod's own Node; or NULL */
	char *pod_name;  /* these two for Events about the own Pod; or NULL */
	char *pod_uid;
	char *host;       /* what this process's identity begins with */
	char *peers_host; /* where the leader listens; an address */
	uint16_t peers_port;
	char *advertise; /* the address, without a port, that peers reach this pod at; or NULL */
	char *key_file;  /* of the peer key; or NULL */
};

/* NULL with *why (a phrase) if the part is malformed; cluster_config_free() it. */
struct cluster_config *cluster_config_read(const cJSON *part, const char **why);
void cluster_config_free(struct cluster_config *c);

/* A User-Agent as Kubernetes' own clients have it: "UNIT/VERSION (linux/amd64)"; free() it. */
char *cluster_agent(const char *unit, const char *version);

/*
 * "HOST_UUID": an identity that no other process has, not even an earlier one of the
 * same pod; size MSG_HOLDER_MAX. And its node or host, for people: what stands before
 * the last "_"; returns out.
 */
void cluster_identity(const struct cluster_config *c, char out[MSG_HOLDER_MAX]);
const char *cluster_host_of(const char *identity, char *out, size_t size);

#endif
