/*
 * The variables that the original promised. Each becomes
 * nodes laid over the tree of the file, so that the same tables read and check
 * it, and a complaint names the variable. Those of the record may have other
 * names, which stand in a dns.ini.
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
	config_node_lay(map, key, value)->variable = variable;
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

const char *const config_env_variables[CONFIG_VARIABLE__MAX] = {
	[CONFIG_VARIABLE_ZONE] = "TARGET_DOMAIN_FQDN",
	[CONFIG_VARIABLE_NAME] = "RECORD_NAME_ROOT",
	[CONFIG_VARIABLE_TYPE] = "RECORD_TYPE_A",
	[CONFIG_VARIABLE_TTL] = "RECORD_TTL",
};

/* What each of them is in a record. */
static const char *const record_keys[CONFIG_VARIABLE__MAX] = {
	[CONFIG_VARIABLE_ZONE] = "zone",
	[CONFIG_VARIABLE_NAME] = "name",
	[CONFIG_VARIABLE_TYPE] = "type",
	[CONFIG_VARIABLE_TTL] = "ttl",
};

static void
lay_record(struct config_loading *load)
{
	struct config_node *records = config_node_new(CONFIG_NODE_LIST, 0);
	struct config_node *record = config_node_new(CONFIG_NODE_MAP, 0);

	records->variable = record->variable = load->variables[CONFIG_VARIABLE_ZONE];
	for (unsigned i = 0; i < CONFIG_VARIABLE__MAX; i++) {
		const char *value = config_env_get(load->env, load->variables[i]);

		if (value != NULL)
			lay_text(record, record_keys[i], load->variables[i], value);
	}
	config_node_remove(load->root, "records");
	config_node_add(load->root, "records", records);
	config_node_add(records, NULL, record);
}

static void
apply_record(struct config_loading *load)
{
	const char *zone = load->variables[CONFIG_VARIABLE_ZONE];
	const char *domain = config_env_get(load->env, zone);
	struct config_node *records = config_node_get(load->root, "records");

	if (domain != NULL && records != NULL && records->kind != CONFIG_NODE_NULL) {
		config_error(load, records,
			     "the variable %s names a record as well; unset it or remove 'records'",
			     zone);
		return;
	}
	if (domain != NULL) {
		lay_record(load);
		return;
	}
	if (records != NULL && records->bad)
		return;
	for (unsigned i = 0; i < CONFIG_VARIABLE__MAX; i++) {
		if (config_env_get(load->env, load->variables[i]) != NULL)
			config_warn_variable(load, load->variables[i], "has no effect without %s",
					     zone);
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
	apply_text(load, "ESDDNS_LOG_LEVEL", "log", "level");
	if (pod_ip != NULL && address_parse_text(pod_ip, &a)) {
		load->config->cluster.pod_ip = mem_strdup(pod_ip);
	} else if (pod_ip != NULL) {
		char quoted[CONFIG_QUOTE_MAX];

		config_error_variable(load, "POD_IP", "%s is not an address",
				      config_quote(pod_ip, quoted, sizeof(quoted)));
	}
	load->config->token_in_environment =
		config_env_get(load->env, "GANDI_API_KEY") != NULL ||
		config_env_get(load->env, "API_KEY") != NULL ||
		(load->config->token_variable != NULL &&
		 config_env_get(load->env, load->config->token_variable) != NULL);
}
