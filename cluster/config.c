#include "cluster/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "common/json.h"
#include "common/mem.h"

#define HOUR_MS 3600000

static bool
take_text(const cJSON *o, const char *key, char **out)
{
	const char *text = json_text(o, key);

	*out = mem_strdup(text);
	return text != NULL && text[0] != '\0';
}

/* Absent or null is fine. */
static bool
take_optional(const cJSON *o, const char *key, char **out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

	*out = NULL;
	if (item == NULL || cJSON_IsNull(item))
		return true;
	return take_text(o, key, out);
}

static const char *
read_lease(const cJSON *cluster, struct cluster_config *c)
{
	const cJSON *lease = json_object(cluster, "lease");

	if (lease == NULL || !take_text(lease, "name", &c->lease))
		return "cluster.lease is missing";
	if (!json_int(lease, "duration", 1000, HOUR_MS, &c->duration_ms) ||
	    !json_int(lease, "renew_deadline", 1, c->duration_ms - 1, &c->renew_deadline_ms) ||
	    !json_int(lease, "retry_period", 1, c->renew_deadline_ms - 1, &c->retry_period_ms))
		return "cluster.lease has durations that do not fit together";
	return NULL;
}

static const char *
read_peers(const cJSON *cluster, struct cluster_config *c)
{
	const cJSON *peers = json_object(cluster, "peers");
	const cJSON *listen = json_object(peers, "listen");
	int64_t port;

	if (listen == NULL || !take_text(listen, "host", &c->peers_host) ||
	    !json_int(listen, "port", 1, 65535, &port) ||
	    !take_optional(peers, "advertise", &c->advertise) ||
	    !take_optional(peers, "key_file", &c->key_file))
		return "cluster.peers is malformed";
	c->peers_port = (uint16_t)port;
	return NULL;
}

static const char *
read_kubernetes(const cJSON *cluster, struct cluster_config *c)
{
	const char *why;

	c->access = kube_access_read(cluster, &why);
	if (c->access == NULL)
		return why;
	if (!take_text(cluster, "configmap", &c->configmap))
		return "cluster.configmap is missing";
	if (!take_text(cluster, "identity_host", &c->host))
		return "cluster.identity_host is missing";
	if (!take_optional(cluster, "node_name", &c->node_name) ||
	    !take_optional(cluster, "pod_name", &c->pod_name) ||
	    !take_optional(cluster, "pod_uid", &c->pod_uid))
		return "cluster.node_name, pod_name or pod_uid is malformed";
	why = read_lease(cluster, c);
	return why != NULL ? why : read_peers(cluster, c);
}

struct cluster_config *
cluster_config_read(const cJSON *part, const char **why)
{
	const cJSON *cluster = json_object(part, "cluster");
	struct cluster_config *c = mem_new(1, sizeof(*c));
	const char *backend = cluster != NULL ? json_text(cluster, "backend") : NULL;

	*why = NULL;
	if (backend == NULL)
		*why = "cluster.backend is missing";
	else if (strcmp(backend, "kubernetes") == 0)
		*why = read_kubernetes(cluster, c);
	else if (strcmp(backend, "local") != 0)
		*why = "cluster.backend is unknown";
	if (*why != NULL) {
		cluster_config_free(c);
		return NULL;
	}
	c->kubernetes = c->access != NULL;
	return c;
}

void
cluster_config_free(struct cluster_config *c)
{
	if (c == NULL)
		return;
	kube_access_free(c->access);
	free(c->lease);
	free(c->configmap);
	free(c->node_name);
	free(c->pod_name);
	free(c->pod_uid);
	free(c->host);
	free(c->peers_host);
	free(c->advertise);
	free(c->key_file);
	free(c);
}

char *
cluster_agent(const char *unit, const char *version)
{
	struct utsname name;
	const char *machine = uname(&name) == 0 ? name.machine : "unknown";

	/* Go's names of the two that are common */
	if (strcmp(machine, "x86_64") == 0)
		machine = "amd64";
	else if (strcmp(machine, "aarch64") == 0)
		machine = "arm64";
	return mem_printf("%s/%s (linux/%s)", unit, version, machine);
}

void
cluster_identity(const struct cluster_config *c, char out[MSG_HOLDER_MAX])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort(); /* not for so few bytes, once the kernel has booted (getrandom(2)) */
	/* a UUID of version 4 (RFC 4122, section 4.4) */
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
	snprintf(out, MSG_HOLDER_MAX,
		 "%.100s_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 c->host, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
		 b[12], b[13], b[14], b[15]);
}

const char *
cluster_host_of(const char *identity, char *out, size_t size)
{
	const char *end = strrchr(identity, '_');
	size_t len = end != NULL ? (size_t)(end - identity) : strlen(identity);

	if (len >= size)
		len = size - 1;
	memcpy(out, identity, len);
	out[len] = '\0';
	return out;
}
