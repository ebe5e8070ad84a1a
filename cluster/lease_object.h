/* A Lease (coordination.k8s.io/v1) as JSON, and what elections read of it. Pure. */
#ifndef CLUSTER_LEASE_OBJECT_H
#define CLUSTER_LEASE_OBJECT_H

#include <cjson/cJSON.h>

#include "cluster/api.h"

/* What cannot be used counts as absent: "" or 0. A Lease without a record is one that nobody holds.
 */
void lease_object_read(const cJSON *object, struct api_lease *out);

/* The body of a create; cJSON_Delete() it. */
cJSON *lease_object_new(const char *name, const struct api_lease *lease);
/*
 * The body of an update: the object as last read, of which only the spec's five fields,
 * and the uid and resourceVersion that must still be right, are lease's. cJSON_Delete() it.
 */
cJSON *lease_object_update(const cJSON *object, const struct api_lease *lease);

#endif
