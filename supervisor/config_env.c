/*
 * The variables that the original promised (facts/contract.md). Each becomes
 * nodes laid over the tree of the file, so that the same tables read and check
 * it, and a complaint names the variable.
 */
#include <string.h>

#include "common/address.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"

const char *
config_env_get(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return env[i][len + 1] != '\0' ? env[i] + len + 1 : NULL;
	}
	return NULL;
}

/* Puts a text where the file's value was, or would have been. */
static void
lay_text(struct config_node *map, const char *key, const char *variable, const char *value)
{
	struct config_node *node = config_node_new(CONFIG_NODE_TEXT, 0);

	node->text = mem_strdup(value);
	node->variable = variable;
	config_node_remove(map, key);
	config_node_add(map, key, node);
}

/* The mapping of this name; NULL if the file has something else there. */
static struct config_node *
section(struct config_loading *load, const char *key)
{
	struct config_node *node = config_node_get(load->root, key);

	if (node == NULL) {
		node = config_node_new(CONFIG_NODE_MAP, 0);
		config_node_add(load->root, key, node);
	} else if (node->kind == CONFIG_NODE_NULL) {
		node->kind = CONFIG_NODE_MAP;
	}
	return node->kind == CONFIG_NODE_MAP ? node : NULL;
}

/* The variables beside TARGET_DOMAIN_FQDN, and the key that each stands for. */
static const struct {
	const char *variable;
	const char *key;
} record_variables[] = {
	{ "RECORD_NAME_ROOT", "name" },
	{ "RECORD_TYPE_A", "type" },
	{ "RECORD_TTL", "ttl" },
};

static void
lay_record(struct config_loading *load, const char *domain)
{
	struct config_node *records = config_node_new(CONFIG_NODE_LIST, 0);
	struct config_node *record = config_node_new(CONFIG_NODE_MAP, 0);

	records->variable = record->variable = "TARGET_DOMAIN_FQDN";
	lay_text(record, "zone", "TARGET_DOMAIN_FQDN", domain);
	for (size_t i = 0; i < sizeof(record_variables) / sizeof(record_variables[0]); i++) {
		const char *value = config_env_get(load->env, record_variables[i].variable);

		if (value != NULL)
			lay_text(record, record_variables[i].key, record_variables[i].variable,
				 value);
	}
	config_node_remove(load->root, "records");
	config_node_add(load->root, "records", records);
	config_node_add(records, NULL, record);
}

static void
apply_record(struct config_loading *load)
{
	const char *domain = config_env_get(load->env, "TARGET_DOMAIN_FQDN");
	struct config_node *records = config_node_get(load->root, "records");

	if (domain != NULL && records != NULL && records->kind != CONFIG_NODE_NULL) {
		config_error(load, records,
			     "the variable TARGET_DOMAIN_FQDN names a record as well; unset it or "
			     "remove 'records'");
		return;
	}
	if (domain != NULL) {
		lay_record(load, domain);
		return;
	}
	for (size_t i = 0; i < sizeof(record_variables) / sizeof(record_variables[0]); i++) {
		if (config_env_get(load->env, record_variables[i].variable) != NULL)
			config_warn_variable(load, record_variables[i].variable,
					     "has no effect without TARGET_DOMAIN_FQDN");
	}
}

static void
apply_text(struct config_loading *load, const char *variable, const char *map, const char *key)
{
	const char *value = config_env_get(load->env, variable);
	struct config_node *node;

	if (value == NULL)
		return;
	node = section(load, map);
	if (node != NULL)
		lay_text(node, key, variable, value);
}

void
config_env_apply(struct config_loading *load)
{
	const char *pod_ip = config_env_get(load->env, "POD_IP");
	struct address a;

	apply_record(load);
	apply_text(load, "DNS_SYNC_INTERVAL", "detector", "interval");
	apply_text(load, "DNS_SYNC_INTERVAL", "updater", "interval");
	apply_text(load, "NODE_NAME", "cluster", "node_name");
	if (pod_ip != NULL && address_parse_text(pod_ip, &a)) {
		load->config->cluster.pod_ip = mem_strdup(pod_ip);
	} else if (pod_ip != NULL) {
		char quoted[CONFIG_QUOTE_MAX];

		config_error_variable(load, "POD_IP", "%s is not an address",
				      config_quote(pod_ip, quoted, sizeof(quoted)));
	}
	load->config->token_in_environment = config_env_get(load->env, "GANDI_API_KEY") != NULL ||
					     config_env_get(load->env, "API_KEY") != NULL;
}
