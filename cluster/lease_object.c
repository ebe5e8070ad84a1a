#include "cluster/lease_object.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

/* int32 in the API */
#define DURATION_MAX_S INT32_MAX

void
lease_object_read(const cJSON *object, struct api_lease *out)
{
	const cJSON *metadata = json_object(object, "metadata");
	const cJSON *spec = json_object(object, "spec");
	const char *holder;
	int64_t seconds;

	*out = (struct api_lease){ .duration_ms = 0 };
	if (metadata != NULL) {
		json_copy(metadata, "uid", out->uid, sizeof(out->uid));
		json_copy(metadata, "resourceVersion", out->version, sizeof(out->version));
	}
	if (spec == NULL)
		return;
	/* one too long for us is somebody all the same */
	holder = json_text(spec, "holderIdentity");
	mem_copy_text(out->holder, sizeof(out->holder), holder != NULL ? holder : "");
	if (json_int(spec, "leaseDurationSeconds", 1, DURATION_MAX_S, &seconds))
		out->duration_ms = seconds * 1000;
	if (!json_int(spec, "leaseTransitions", 0, INT32_MAX, &out->transitions))
		out->transitions = 0;
	json_copy(spec, "acquireTime", out->acquire_time, sizeof(out->acquire_time));
	json_copy(spec, "renewTime", out->renew_time, sizeof(out->renew_time));
}

static void
set(cJSON *object, const char *key, cJSON *value)
{
	if (value == NULL)
		abort(); /* out of memory */
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	if (!cJSON_AddItemToObject(object, key, value))
		abort();
}

/* The member as an object, made if need be. */
static cJSON *
member(cJSON *object, const char *key)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (cJSON_IsObject(item))
		return item;
	set(object, key, cJSON_CreateObject());
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void
set_spec(cJSON *object, const struct api_lease *lease)
{
	cJSON *spec = member(object, "spec");

	set(spec, "holderIdentity", cJSON_CreateString(lease->holder));
	set(spec, "leaseDurationSeconds", cJSON_CreateNumber((double)(lease->duration_ms / 1000)));
	set(spec, "leaseTransitions", cJSON_CreateNumber((double)lease->transitions));
	set(spec, "acquireTime", cJSON_CreateString(lease->acquire_time));
	set(spec, "renewTime", cJSON_CreateString(lease->renew_time));
}

cJSON *
lease_object_new(const char *name, const struct api_lease *lease)
{
	cJSON *object = cJSON_CreateObject();

	if (object == NULL)
		abort();
	set(object, "apiVersion", cJSON_CreateString("coordination.k8s.io/v1"));
	set(object, "kind", cJSON_CreateString("Lease"));
	set(member(object, "metadata"), "name", cJSON_CreateString(name));
	set_spec(object, lease);
	return object;
}

cJSON *
lease_object_update(const cJSON *object, const struct api_lease *lease)
{
	cJSON *copy = cJSON_Duplicate(object, true), *metadata;

	if (copy == NULL)
		abort();
	metadata = member(copy, "metadata");
	set(metadata, "uid", cJSON_CreateString(lease->uid));
	set(metadata, "resourceVersion", cJSON_CreateString(lease->version));
	set_spec(copy, lease);
	return copy;
}
