/* The keys of the configuration, as tables, and the readers of single values. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"

#define TEXT_MAX 255
#define FILE_MAX 4095
/* What remains of sockaddr_un's 108 bytes behind "/" and the longest socket's name. */
#define RUNTIME_DIR_MAX 90
/* Written as Kubernetes writes a variable in a pod's manifest. */
#define POD_IP "$(POD_IP)"

static void
read_zone(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node);
	const char *why = text != NULL ? config_zone_refusal(text) : NULL;
	char quoted[CONFIG_QUOTE_MAX];

	if (why != NULL)
		config_error(load, node, "%s %s", config_quote(text, quoted, sizeof(quoted)), why);
	else if (text != NULL)
		config_schema_set(target, text);
}

static void
read_name(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node);
	const char *why = text != NULL ? config_name_refusal(text) : NULL;
	char quoted[CONFIG_QUOTE_MAX];

	if (why != NULL)
		config_error(load, node, "%s %s", config_quote(text, quoted, sizeof(quoted)), why);
	else if (text != NULL)
		config_schema_set(target, text);
}

static void
read_ttl(struct config_loading *load, struct config_node *node, void *target)
{
	int64_t ttl;

	if (config_schema_number(load, node, CONFIG_TTL_MIN, CONFIG_TTL_MAX, "", &ttl))
		memcpy(target, &ttl, sizeof(ttl));
}

static void
refuse_url(struct config_loading *load, struct config_node *node, const char *why)
{
	char quoted[CONFIG_QUOTE_MAX];

	/* what stands before an @ may be a password, and what stands behind a ? a token */
	config_error(load, node, "%s %s",
		     strpbrk(node->text, "@?") != NULL
			     ? "the URL"
			     : config_quote(node->text, quoted, sizeof(quoted)),
		     why);
}

static void
read_url(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node), *why;
	struct config_url url = { .scheme = CONFIG_SCHEME__MAX };
	char *copy;

	if (text == NULL)
		return;
	why = config_url_parse(text, &url);
	if (why == NULL && url.scheme != CONFIG_SCHEME_HTTPS && url.scheme != CONFIG_SCHEME_HTTP)
		why = "is no address of a web service; write https://HOST/PATH";
	else if (why == NULL && strchr(text, '?') != NULL)
		why = "has a query (?...), but paths are put behind it";
	if (why == NULL && url.scheme == CONFIG_SCHEME_HTTP && !config_host_is_loopback(url.host))
		why = "is http://, so the token would travel in clear; write https:// (http:// is "
		      "taken for a loopback address only)";
	if (why != NULL) {
		refuse_url(load, node, why);
		return;
	}
	/* paths that begin with a slash are put behind it */
	config_schema_set(target, text);
	memcpy(&copy, target, sizeof(copy));
	for (size_t len = strlen(copy); copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
}

static void
read_source_url(struct config_loading *load, struct config_node *node, void *target)
{
	/* the key's offset is 0: the whole source is the target */
	const char *text = config_schema_text(load, node);
	const char *why = text != NULL ? config_source_set_url(target, text) : NULL;

	if (why != NULL)
		refuse_url(load, node, why);
}

/* An operator: in lower case, so that one that is spelled in two ways is not two votes. */
static void
read_operator(struct config_loading *load, struct config_node *node, void *target)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
	const char *text;
	char quoted[CONFIG_QUOTE_MAX];
	size_t len;

	text = config_schema_text(load, node);
	if (text == NULL)
		return;
	len = strlen(text);
	if (len == 0 || len > 47 || strspn(text, allowed) != len)
		config_error(load, node,
			     "%s must be 1 to 47 lower-case letters, digits, dots, hyphens or "
			     "underscores",
			     config_quote(text, quoted, sizeof(quoted)));
	else
		config_schema_set(target, text);
}

/* What the API server takes as an object's name (RFC 1123 subdomain), or null where it may be. */
static void
read_object(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text;
	char quoted[CONFIG_QUOTE_MAX];
	size_t len;

	text = config_schema_text(load, node);
	if (text == NULL)
		return;
	len = strlen(text);
	if (len == 0 || len > 253 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len)
		config_error(load, node,
			     "%s must be 1 to 253 lower-case letters, digits, dots or hyphens",
			     config_quote(text, quoted, sizeof(quoted)));
	else
		config_schema_set(target, text);
}

static void
read_object_or_null(struct config_loading *load, struct config_node *node, void *target)
{
	if (node->kind == CONFIG_NODE_NULL)
		config_schema_set(target, NULL);
	else
		read_object(load, node, target);
}

static void
read_quorum(struct config_loading *load, struct config_node *node, void *target)
{
	int64_t number = 0;
	unsigned quorum;

	if (node->kind != CONFIG_NODE_TEXT || strcmp(node->text, "majority") != 0) {
		if (!config_schema_number(load, node, 1, CONFIG_OPERATORS_MAX, "majority or ",
					  &number))
			return;
	}
	quorum = (unsigned)number;
	memcpy(target, &quorum, sizeof(quorum));
}

static void
read_families(struct config_loading *load, struct config_node *node, void *target)
{
	static const char *const names[] = { "ipv4", "ipv6", "both" };
	struct config_source *source = target;
	size_t i = config_schema_choose(load, node, names, 3);

	if (i < 3) {
		source->ipv4 = i != 1;
		source->ipv6 = i != 0;
	}
}

static void
take_endpoint(struct config_loading *load, struct config_node *node, const char *text,
	      struct config_endpoint *endpoint)
{
	char host[CONFIG_HOST_MAX], quoted[CONFIG_QUOTE_MAX];
	uint16_t port;

	if (!config_listen_parse(text, host, &port)) {
		config_error(load, node,
			     "%s is no address with a port; write it as \"0.0.0.0:8080\" or "
			     "\"[::]:8080\"",
			     config_quote(node->text, quoted, sizeof(quoted)));
		return;
	}
	config_schema_set(&endpoint->host, host);
	endpoint->port = port;
}

static void
read_endpoint(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node);

	if (text != NULL)
		take_endpoint(load, node, text, target);
}

/* An endpoint whose host may be $(POD_IP): a pod on a node's network has no other name for it. */
static void
read_web_endpoint(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node), *ip = load->config->cluster.pod_ip;
	char *written;

	if (text == NULL)
		return;
	if (strncmp(text, POD_IP, strlen(POD_IP)) != 0) {
		take_endpoint(load, node, text, target);
	} else if (ip != NULL) {
		written = mem_printf(strchr(ip, ':') != NULL ? "[%s]%s" : "%s%s", ip,
				     text + strlen(POD_IP));
		take_endpoint(load, node, written, target);
		free(written);
	} else if (config_env_get(load->env, "POD_IP") == NULL) {
		config_error(load, node,
			     "names the variable POD_IP, which is not set; in a pod set it to "
			     "status.podIP, elsewhere write an address");
	} else {
		node->bad = true; /* of the variable it was said that it is no address */
	}
}

static void
read_endpoints(struct config_loading *load, struct config_node *node, void *target)
{
	struct config_endpoints *endpoints = target;

	if (!config_schema_list(load, node, CONFIG_ENDPOINTS_MAX))
		return;
	config_endpoints_free(endpoints);
	endpoints->list = mem_new(node->n, sizeof(*endpoints->list));
	endpoints->n = node->n;
	for (size_t i = 0; i < node->n; i++)
		read_web_endpoint(load, node->items[i], &endpoints->list[i]);
}

/* --- the tables -------------------------------------------------------------- */

static const char *const record_types[ADDRESS_FAMILY__MAX] = {
	[ADDRESS_IPV4] = "A",
	[ADDRESS_IPV6] = "AAAA",
};

static const struct config_key record_keys[] = {
	{ "zone", CONFIG_CUSTOM(read_zone), CONFIG_AT(config_record, zone), .required = true },
	{ "name", CONFIG_CUSTOM(read_name), CONFIG_AT(config_record, name) },
	{ "type", CONFIG_CHOICE(record_types, ADDRESS_FAMILY__MAX),
	  CONFIG_AT(config_record, family) },
	{ "ttl", CONFIG_CUSTOM(read_ttl), CONFIG_AT(config_record, ttl) },
	{ "leader_address", CONFIG_BOOL, CONFIG_AT(config_record, leader_address) },
	{ NULL }
};

static void
read_records(struct config_loading *load, struct config_node *node, void *target)
{
	struct config *c = target;

	if (!config_schema_list(load, node, CONFIG_RECORDS_MAX))
		return;
	c->nrecords = node->n;
	c->records = mem_new(node->n, sizeof(*c->records));
	for (size_t i = 0; i < node->n; i++) {
		c->records[i].name = mem_strdup("@");
		c->records[i].family = ADDRESS_IPV4;
		c->records[i].ttl = CONFIG_TTL_MIN;
		config_schema_map(load, node->items[i], record_keys, &c->records[i]);
	}
}

static const struct config_key source_keys[] = {
	{ "operator", CONFIG_CUSTOM(read_operator), CONFIG_AT(config_source, operator),
	  .required = true },
	{ "url", CONFIG_CUSTOM(read_source_url), .required = true },
	{ "format", CONFIG_CHOICE(config_source_format_names, CONFIG_FORMAT__MAX),
	  CONFIG_AT(config_source, format) },
	{ "key", CONFIG_TEXT(TEXT_MAX), CONFIG_AT(config_source, key) },
	{ "family", CONFIG_CUSTOM(read_families) },
	{ NULL }
};

static void
read_sources(struct config_loading *load, struct config_node *node, void *target)
{
	struct config_detector *d = target;

	if (!config_schema_list(load, node, CONFIG_SOURCES_MAX))
		return;
	if (node->n == 0) {
		config_error(load, node,
			     "is empty; remove the key to use the built-in list of sources");
		return;
	}
	for (size_t i = 0; i < d->nsources; i++)
		config_source_free(&d->sources[i]);
	free(d->sources);
	d->nsources = node->n;
	d->sources = mem_new(node->n, sizeof(*d->sources));
	for (size_t i = 0; i < node->n; i++) {
		d->sources[i].ipv4 = d->sources[i].ipv6 = true;
		config_schema_map(load, node->items[i], source_keys, &d->sources[i]);
	}
}

static const char *const level_names[LOG_LEVEL__MAX] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static const char *const format_names[LOG_FORMAT__MAX] = {
	[LOG_AUTO] = "auto",
	[LOG_LOGFMT] = "logfmt",
	[LOG_JSON] = "json",
};

static const struct config_key log_keys[] = {
	{ "level", CONFIG_CHOICE(level_names, LOG_LEVEL__MAX), CONFIG_AT(config, log.level) },
	{ "format", CONFIG_CHOICE(format_names, LOG_FORMAT__MAX), CONFIG_AT(config, log.format) },
	{ NULL }
};

static const char *const provider_names[] = { "gandi" };

static void
read_provider_name(struct config_loading *load, struct config_node *node, void *target)
{
	if (config_schema_choose(load, node, provider_names, 1) == 0)
		config_schema_set(target, node->text);
}

static const struct config_key provider_keys[] = {
	{ "name", CONFIG_CUSTOM(read_provider_name), CONFIG_AT(config_provider, name) },
	{ "url", CONFIG_CUSTOM(read_url), CONFIG_AT(config_provider, url) },
	{ "auth", CONFIG_CHOICE(config_auth_names, CONFIG_AUTH__MAX),
	  CONFIG_AT(config_provider, auth), .secret = true },
	{ "token_file", CONFIG_PATH(FILE_MAX), CONFIG_AT(config_provider, token_file),
	  .nullable = true, .secret = true },
	{ "ca_file", CONFIG_PATH(FILE_MAX), CONFIG_AT(config_provider, ca_file), .nullable = true },
	{ "timeout", CONFIG_DURATION(100, 2 * CONFIG_MINUTE), CONFIG_AT(config_provider, timeout) },
	{ NULL }
};

static const struct config_key detector_keys[] = {
	{ "interval", CONFIG_DURATION(CONFIG_SECOND, CONFIG_DAY),
	  CONFIG_AT(config_detector, interval) },
	{ "tripwire", CONFIG_DURATION(CONFIG_SECOND, CONFIG_DAY),
	  CONFIG_AT(config_detector, tripwire), .off = true },
	{ "timeout", CONFIG_DURATION(100, CONFIG_MINUTE), CONFIG_AT(config_detector, timeout) },
	{ "quorum", CONFIG_CUSTOM(read_quorum), CONFIG_AT(config_detector, quorum) },
	{ "confirm", CONFIG_DURATION(0, CONFIG_MINUTE), CONFIG_AT(config_detector, confirm) },
	{ "min_change_interval", CONFIG_DURATION(0, CONFIG_DAY),
	  CONFIG_AT(config_detector, min_change_interval) },
	{ "allow_reserved", CONFIG_BOOL, CONFIG_AT(config_detector, allow_reserved) },
	{ "ca_file", CONFIG_PATH(FILE_MAX), CONFIG_AT(config_detector, ca_file), .nullable = true },
	{ "sources", CONFIG_CUSTOM(read_sources) },
	{ NULL }
};

static const struct config_key updater_keys[] = {
	{ "interval", CONFIG_DURATION(CONFIG_SECOND, CONFIG_DAY),
	  CONFIG_AT(config_updater, interval) },
	{ "observe", CONFIG_BOOL, CONFIG_AT(config_updater, observe) },
	{ "dry_run", CONFIG_BOOL, CONFIG_AT(config_updater, dry_run) },
	{ "backup_delay", CONFIG_DURATION(0, CONFIG_HOUR),
	  CONFIG_AT(config_updater, backup_delay) },
	{ "backup_spread", CONFIG_DURATION(0, CONFIG_HOUR),
	  CONFIG_AT(config_updater, backup_spread) },
	{ NULL }
};

static const struct config_key lease_keys[] = {
	{ "name", CONFIG_CUSTOM(read_object), CONFIG_AT(config_cluster, lease.name) },
	{ "duration", CONFIG_DURATION(CONFIG_SECOND, CONFIG_HOUR),
	  CONFIG_AT(config_cluster, lease.duration) },
	{ "renew_deadline", CONFIG_DURATION(CONFIG_SECOND, CONFIG_HOUR),
	  CONFIG_AT(config_cluster, lease.renew_deadline) },
	{ "retry_period", CONFIG_DURATION(100, CONFIG_HOUR),
	  CONFIG_AT(config_cluster, lease.retry_period) },
	{ NULL }
};

static const struct config_key peers_keys[] = {
	{ "listen", CONFIG_CUSTOM(read_endpoint), CONFIG_AT(config_cluster, peers.listen) },
	{ "advertise", CONFIG_TEXT(TEXT_MAX), CONFIG_AT(config_cluster, peers.advertise),
	  .nullable = true },
	{ "key_file", CONFIG_PATH(FILE_MAX), CONFIG_AT(config_cluster, peers.key_file),
	  .nullable = true, .secret = true },
	{ NULL }
};

static const struct config_key cluster_keys[] = {
	{ "backend", CONFIG_CHOICE(config_backend_names, CONFIG_BACKEND__MAX),
	  CONFIG_AT(config_cluster, backend) },
	{ "kubeconfig", CONFIG_PATH(FILE_MAX), CONFIG_AT(config_cluster, kubeconfig),
	  .nullable = true },
	{ "namespace", CONFIG_CUSTOM(read_object_or_null), CONFIG_AT(config_cluster, namespace) },
	{ "node_name", CONFIG_CUSTOM(read_object_or_null), CONFIG_AT(config_cluster, node_name) },
	{ "lease", CONFIG_MAP(lease_keys) },
	{ "configmap", CONFIG_CUSTOM(read_object), CONFIG_AT(config_cluster, configmap) },
	{ "peers", CONFIG_MAP(peers_keys) },
	{ NULL }
};

static const struct config_key webd_keys[] = {
	{ "listen", CONFIG_CUSTOM(read_endpoints), CONFIG_AT(config_webd, listen) },
	{ "metrics", CONFIG_CUSTOM(read_endpoints), CONFIG_AT(config_webd, metrics) },
	{ "max_connections", CONFIG_NUMBER(8, 65536), CONFIG_AT(config_webd, max_connections) },
	{ "drain", CONFIG_DURATION(0, CONFIG_MINUTE), CONFIG_AT(config_webd, drain) },
	{ NULL }
};

static const struct config_key units_keys[] = {
	{ "detector", CONFIG_MAP(config_keys_unit), CONFIG_AT(config, units[CONFIG_DETECTOR]) },
	{ "updater", CONFIG_MAP(config_keys_unit), CONFIG_AT(config, units[CONFIG_UPDATER]) },
	{ "webd", CONFIG_MAP(config_keys_unit), CONFIG_AT(config, units[CONFIG_WEBD]) },
	{ NULL }
};

static const struct config_key top_keys[] = {
	{ "runtime_dir", CONFIG_PATH(RUNTIME_DIR_MAX), CONFIG_AT(config, runtime_dir) },
	{ "state_dir", CONFIG_PATH(FILE_MAX), CONFIG_AT(config, state_dir) },
	{ "log", CONFIG_MAP(log_keys) },
	{ "sandbox", CONFIG_CHOICE(config_sandbox_names, CONFIG_SANDBOX__MAX),
	  CONFIG_AT(config, sandbox) },
	{ "on_failure", CONFIG_CHOICE(config_on_failure_names, CONFIG_ON_FAILURE__MAX),
	  CONFIG_AT(config, on_failure) },
	{ "records", CONFIG_CUSTOM(read_records) },
	{ "provider", CONFIG_MAP(provider_keys), CONFIG_AT(config, provider) },
	{ "detector", CONFIG_MAP(detector_keys), CONFIG_AT(config, detector) },
	{ "updater", CONFIG_MAP(updater_keys), CONFIG_AT(config, updater) },
	{ "cluster", CONFIG_MAP(cluster_keys), CONFIG_AT(config, cluster) },
	{ "webd", CONFIG_MAP(webd_keys), CONFIG_AT(config, webd) },
	{ "units", CONFIG_MAP(units_keys) },
	{ NULL }
};

void
config_keys_apply(struct config_loading *load)
{
	config_schema_map(load, load->root, top_keys, load->config);
}
