#include <stdlib.h>
#include <string.h>

#include "cluster/kube.h"
#include "common/json.h"
#include "common/mem.h"

#define NAME_MAX_LEN 512
#define PATH_MAX_LEN 4096
#define TOKEN_MAX_LEN 16384
#define PEM_MAX_LEN (1024 * 1024)

/* A text of at most max bytes, or null, or nothing at all. */
static bool
take(const cJSON *object, const char *key, size_t max, char **out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (item == NULL || cJSON_IsNull(item))
		return true;
	if (!cJSON_IsString(item) || item->valuestring[0] == '\0' ||
	    strlen(item->valuestring) > max)
		return false;
	*out = mem_strdup(item->valuestring);
	return true;
}

/* It becomes part of a header line. */
static bool
is_visible(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool
is_server(const char *url)
{
	return is_visible(url) && (strncmp(url, "https://", 8) == 0
					   ? url[8] != '\0'
					   : strncmp(url, "http://", 7) == 0 && url[7] != '\0');
}

static const char *
read_all(const cJSON *access, struct kube_access *a)
{
	if (!take(access, "server", NAME_MAX_LEN, &a->server) || a->server == NULL ||
	    !is_server(a->server))
		return "cluster.access.server is no URL";
	if (!take(access, "namespace", NAME_MAX_LEN, &a->namespace) || a->namespace == NULL)
		return "cluster.access.namespace is malformed";
	if (!take(access, "token", TOKEN_MAX_LEN, &a->token) ||
	    (a->token != NULL && !is_visible(a->token)))
		return "cluster.access.token is malformed";
	if (!take(access, "token_file", PATH_MAX_LEN, &a->token_file) ||
	    !take(access, "ca_file", PATH_MAX_LEN, &a->ca_file))
		return "cluster.access names a malformed file";
	if (!take(access, "ca_data", PEM_MAX_LEN, &a->ca_data) ||
	    !take(access, "cert_data", PEM_MAX_LEN, &a->cert_data) ||
	    !take(access, "key_data", PEM_MAX_LEN, &a->key_data) ||
	    (a->cert_data == NULL) != (a->key_data == NULL))
		return "cluster.access has a malformed certificate or key";
	if (!take(access, "tls_server_name", NAME_MAX_LEN, &a->tls_server_name))
		return "cluster.access.tls_server_name is malformed";
	if (!json_bool(access, "insecure", &a->insecure))
		return "cluster.access.insecure is neither true nor false";
	return NULL;
}

struct kube_access *
kube_access_read(const cJSON *cluster, const char **why)
{
	const cJSON *access = json_object(cluster, "access");
	struct kube_access *a;

	*why = "cluster.access is missing";
	if (access == NULL)
		return NULL;
	a = mem_new(1, sizeof(*a));
	*why = read_all(access, a);
	if (*why == NULL)
		return a;
	kube_access_free(a);
	return NULL;
}

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
kube_access_free(struct kube_access *a)
{
	if (a == NULL)
		return;
	free(a->server);
	free(a->namespace);
	wipe(a->token);
	free(a->token_file);
	free(a->ca_file);
	free(a->ca_data);
	free(a->cert_data);
	wipe(a->key_data);
	free(a->tls_server_name);
	free(a);
}
