/*
 * Which back end it is, and with Kubernetes: where the API server is, which
 * namespace, and under which names this process goes there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/address.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"
#include "supervisor/kubeconfig.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define NAME_MAX_LEN 253
#define NAMESPACE_MAX_LEN 63
/* A leader's name is this, and a UUID behind it. */
#define IDENTITY_HOST_MAX 120

static bool
is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

/* A variable that must hold a name; NULL if it is unset, or wrong, which is reported. */
static const char *
name_variable(struct config_loading *load, const char *variable, size_t max)
{
	const char *value = config_env_get(load->env, variable);
	char quoted[CONFIG_QUOTE_MAX];

	if (value == NULL || is_name(value, max))
		return value;
	config_error_variable(load, variable,
			      "%s must be 1 to %zu lower-case letters, digits, dots or hyphens",
			      config_quote(value, quoted, sizeof(quoted)), max);
	return NULL;
}

/* --- in a pod ---------------------------------------------------------------- */

bool
config_in_pod(const struct config_loading *load)
{
	return config_env_get(load->env, "KUBERNETES_SERVICE_HOST") != NULL;
}

static char *
service_account_file(const struct config_loading *load, const char *name)
{
	const char *dir = config_env_get(load->env, "ESDDNS_SERVICEACCOUNT_DIR");

	return mem_printf("%s/%s", dir != NULL ? dir : SERVICE_ACCOUNT_DIR, name);
}

static void
take_service(struct config_loading *load, struct config_access *access)
{
	const char *host = config_env_get(load->env, "KUBERNETES_SERVICE_HOST");
	const char *port = config_env_get(load->env, "KUBERNETES_SERVICE_PORT");
	struct address a;
	struct config_url url;
	char *server;
	int64_t number;
	bool v6;

	if (port == NULL || !config_number_parse(port, 1, 65535, &number)) {
		config_error_variable(load, "KUBERNETES_SERVICE_PORT",
				      "must be the API server's port, as it is in every pod");
		return;
	}
	v6 = address_parse_text(host, &a) && a.family == ADDRESS_IPV6;
	server = mem_printf("https://%s%s%s:%lld", v6 ? "[" : "", host, v6 ? "]" : "",
			    (long long)number);
	if (config_url_parse(server, &url) == NULL && strcmp(url.host, host) == 0) {
		access->server = server;
		return;
	}
	config_error_variable(load, "KUBERNETES_SERVICE_HOST", "is neither an address nor a host");
	free(server);
}

static char *
service_account_secret(struct config_loading *load, const char *name)
{
	char *path = service_account_file(load, name);

	if (access(path, R_OK) == 0)
		return path;
	config_error_at(load, "cluster.backend",
			"this is a pod, but %s cannot be read: %s; mount a token of its service "
			"account, or set cluster.backend to local",
			path, strerror(errno));
	free(path);
	return NULL;
}

static void
take_pod(struct config_loading *load, struct config_access *access)
{
	take_service(load, access);
	access->token_file = service_account_secret(load, "token");
	access->ca_file = service_account_secret(load, "ca.crt");
}

/* The namespace that the mounted token stands for, or NULL; free() it. */
static char *
mounted_namespace(const struct config_loading *load)
{
	char *path = service_account_file(load, "namespace"), text[NAMESPACE_MAX_LEN + 3] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	free(path);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return is_name(text, NAMESPACE_MAX_LEN) ? mem_strdup(text) : NULL;
}

/* --- names ------------------------------------------------------------------- */

static void
decide_namespace(struct config_loading *load, char *context)
{
	struct config_cluster *cl = &load->config->cluster;
	char quoted[CONFIG_QUOTE_MAX];
	const char *pod;

	if (cl->namespace != NULL || !config_sound(load, "cluster", "namespace"))
		return;
	pod = name_variable(load, "POD_NAMESPACE", NAMESPACE_MAX_LEN);
	if (pod != NULL)
		cl->namespace = mem_strdup(pod);
	else if (config_in_pod(load))
		cl->namespace = mounted_namespace(load);
	if (cl->namespace == NULL && context != NULL && !is_name(context, NAMESPACE_MAX_LEN))
		config_error_at(load, "cluster.namespace",
				"the kubeconfig's context has the namespace %s, which is none",
				config_quote(context, quoted, sizeof(quoted)));
	else if (cl->namespace == NULL && context != NULL)
		cl->namespace = mem_strdup(context);
	else if (cl->namespace == NULL && config_in_pod(load))
		config_error_at(load, "cluster.namespace",
				"the pod does not say in which namespace it is; set it, or "
				"POD_NAMESPACE");
	else if (cl->namespace == NULL)
		cl->namespace = mem_strdup("default");
}

static void
decide_names(struct config_loading *load)
{
	struct config_cluster *cl = &load->config->cluster;
	const char *pod = name_variable(load, "POD_NAME", NAME_MAX_LEN);
	const char *uid = name_variable(load, "POD_UID", NAME_MAX_LEN);
	const char *host = config_env_get(load->env, "HOSTNAME");
	char own[NAME_MAX_LEN + 1] = "";

	if (pod == NULL && config_in_pod(load) && host != NULL && is_name(host, NAME_MAX_LEN))
		pod = host;
	cl->pod_name = mem_strdup(pod);
	cl->pod_uid = mem_strdup(uid);
	/* for people: which machine leads; what makes it unique is put behind it */
	if (gethostname(own, sizeof(own) - 1) != 0 || !is_name(own, NAME_MAX_LEN))
		strcpy(own, "unknown");
	if (cl->node_name != NULL)
		host = cl->node_name;
	else
		host = pod != NULL ? pod : own;
	cl->identity_host = mem_printf("%.*s", IDENTITY_HOST_MAX, host);
}

/* --- all of it --------------------------------------------------------------- */

static enum config_backend
decide_backend(const struct config_loading *load)
{
	const struct config_cluster *cl = &load->config->cluster;

	if (cl->backend != CONFIG_BACKEND_AUTO)
		return cl->backend;
	return cl->kubeconfig != NULL || config_in_pod(load) ? CONFIG_BACKEND_KUBERNETES
							     : CONFIG_BACKEND_LOCAL;
}

static void
check_backend(struct config_loading *load)
{
	struct config_cluster *cl = &load->config->cluster;
	const char *list = config_env_get(load->env, "KUBECONFIG");
	char *context = NULL;

	if (!config_sound(load, "cluster", "backend") ||
	    !config_sound(load, "cluster", "kubeconfig"))
		return;
	cl->backend = decide_backend(load);
	if (cl->backend == CONFIG_BACKEND_LOCAL)
		return;
	if (cl->kubeconfig != NULL)
		kubeconfig_read(load, cl->kubeconfig, false, &cl->access, &context);
	else if (config_in_pod(load))
		take_pod(load, &cl->access);
	else if (list != NULL)
		kubeconfig_read(load, list, true, &cl->access, &context);
	else
		config_error_at(load, "cluster.backend",
				"this is no pod, so it needs cluster.kubeconfig or the variable "
				"KUBECONFIG");
	decide_namespace(load, context);
	decide_names(load);
	free(context);
}

static void
check_lease(struct config_loading *load)
{
	const struct config_cluster *cl = &load->config->cluster;

	if (!config_sound(load, "cluster", "lease"))
		return;
	/* a leader that cannot renew must be gone before another may come */
	if (cl->lease.duration <= cl->lease.renew_deadline)
		config_error_at(load, "cluster.lease.renew_deadline",
				"must be shorter than cluster.lease.duration");
	if (cl->lease.renew_deadline <= cl->lease.retry_period)
		config_error_at(load, "cluster.lease.retry_period",
				"must be shorter than cluster.lease.renew_deadline");
	if (cl->backend == CONFIG_BACKEND_KUBERNETES && cl->lease.duration % CONFIG_SECOND != 0)
		config_error_at(load, "cluster.lease.duration",
				"must be whole seconds, as a Lease holds it");
}

/* Each node has an IPv6 address of its own: a record can only follow one of them. */
static void
check_records(struct config_loading *load)
{
	struct config_node *records = config_node_get(load->root, "records");
	const struct config *c = load->config;

	if (c->updater.observe || records == NULL || !config_node_sound(records))
		return;
	for (size_t i = 0; i < c->nrecords && i < records->n; i++)
		if (c->records[i].family == ADDRESS_IPV6 && !c->records[i].leader_address)
			config_error(load, records->items[i],
				     "an AAAA record in a cluster names the leading node and moves "
				     "with it; set leader_address: true if that is wanted");
}

static void
check_peers(struct config_loading *load)
{
	const char *key_file = load->config->cluster.peers.key_file;
	const char *advertise = load->config->cluster.peers.advertise;
	struct address address;

	if (advertise != NULL && !address_parse_text(advertise, &address) &&
	    config_sound(load, "cluster", "peers"))
		config_error_at(load, "cluster.peers.advertise",
				"must be an address that other nodes reach this one at, not a "
				"name and without a port: '%s'",
				advertise);
	/* a Secret may come later, and the ConfigMap carries the news meanwhile */
	if (key_file != NULL && config_sound(load, "cluster", "peers") &&
	    access(key_file, R_OK) != 0)
		config_warn_at(load, "cluster.peers.key_file",
			       "%s cannot be read: %s; without it the nodes do not talk to each "
			       "other",
			       key_file, strerror(errno));
}

void
config_check_cluster(struct config_loading *load)
{
	check_backend(load);
	check_lease(load);
	if (load->config->cluster.backend != CONFIG_BACKEND_KUBERNETES)
		return;
	check_records(load);
	check_peers(load);
}
