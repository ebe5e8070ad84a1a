/*
 * A dns.ini of the original into the tree that a YAML file
 * would have given, so that the same tables and rules check it. Keys of [gandi]
 * hold names of variables, not values.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"
#include "supervisor/environment.h"

#define VARIABLE_MAX 127
#define OPERATOR_MAX 47
/* The defaults of webd.listen and webd.metrics. */
#define PAGE_PORT "51339"
#define METRICS_PORT "8080"
#define LABEL_FORMAT "[%s] %s"

/* A mapping of the tree, which is made where it is missing. */
static struct config_node *
map_of(struct config_loading *load, const char *name)
{
	struct config_node *map = config_node_get(load->root, name);

	if (map == NULL) {
		map = config_node_new(CONFIG_NODE_MAP, 0);
		config_node_add(load->root, name, map);
	}
	return map;
}

static struct config_node *
lay(struct config_loading *load, const char *map, const char *key, const char *text,
    const struct config_ini_entry *e)
{
	return config_ini_label(config_node_lay(map_of(load, map), key, text), e);
}

/* The value without the quotes that may stand around it; free() it. */
static char *
value_of(const struct config_ini_entry *e)
{
	size_t len = strlen(e->value);
	char quote = e->value[0];

	if (len >= 2 && (quote == '"' || quote == '\'') && e->value[len - 1] == quote)
		return mem_printf("%.*s", (int)(len - 2), e->value + 1);
	return mem_strdup(e->value);
}

/* --- [gandi] --------------------------------------------------------------------- */

static bool
is_variable(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = strlen(text);

	return len > 0 && len <= VARIABLE_MAX && strchr(letters, text[0]) != NULL &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       len;
}

/* No complaint repeats what the key holds: somebody may have put the token itself there. */
static void
take_token(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *e = config_ini_find(ini, "gandi", "api_key");
	struct config_node *node;
	char *name;

	if (e == NULL)
		return;
	name = value_of(e);
	node = lay(load, "provider", "token_file", "", e);
	if (!is_variable(name) || environment_allows(name))
		config_error(load, node,
			     "must be the name of the variable that holds the token, such as "
			     "API_KEY; the token itself does not belong here");
	else if (config_env_get(load->env, name) == NULL &&
		 config_env_get(load->env, "GANDI_API_KEY") == NULL &&
		 config_env_get(load->env, "API_KEY") == NULL)
		config_error(load, node,
			     "the variable that it names is not set; it must hold the token (the "
			     "token itself does not belong here)");
	else
		config_schema_set(&load->config->token_variable, name);
	if (!node->bad)
		config_node_remove(config_node_get(load->root, "provider"), "token_file");
	free(name);
}

static bool
holds_token(const struct config_loading *load, const char *name)
{
	const char *own = load->config->token_variable;

	return strcmp(name, "GANDI_API_KEY") == 0 || strcmp(name, "API_KEY") == 0 ||
	       (own != NULL && strcmp(name, own) == 0);
}

/* The name of the variable that a key holds, in the place of the usual one. */
static void
take_variable(struct config_loading *load, const struct config_ini *ini, const char *key,
	      enum config_variable which)
{
	const struct config_ini_entry *e = config_ini_find(ini, "gandi", key);
	const char *usual = load->variables[which];
	struct config_node *node;
	char *name;

	if (e == NULL)
		return;
	name = value_of(e);
	node = config_ini_label(config_node_new(CONFIG_NODE_NULL, 0), e);
	if (!is_variable(name))
		config_error(load, node,
			     "must be the name of a variable of the environment, such as %s",
			     usual);
	else if (holds_token(load, name))
		config_error(load, node, "names the variable that holds the token");
	if (!node->bad && strcmp(name, usual) != 0 && config_env_get(load->env, usual) != NULL)
		config_warn_variable(load, usual,
				     "has no effect: " LABEL_FORMAT " names another variable",
				     "gandi", key);
	if (node->bad) {
		/* nothing more is said about what it names: that may be a secret */
		free(name);
	} else {
		free(load->variables[which]);
		load->variables[which] = name;
	}
	config_node_free(node);
}

/* The record is in variables: without its zone, say which one is not set. */
static void
check_zone(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *e = config_ini_find(ini, "gandi", "target_domain_fqdn");
	const char *variable = load->variables[CONFIG_VARIABLE_ZONE];
	struct config_node *node;

	if (config_env_get(load->env, variable) != NULL)
		return;
	node = config_node_new(CONFIG_NODE_NULL, 0);
	config_node_add(load->root, "records", node);
	if (e != NULL)
		config_error(load, config_ini_label(node, e),
			     "the variable %s, which it names, is not set", variable);
	else
		config_error_line(load, node, 0,
				  LABEL_FORMAT " is missing, and the variable %s is not set",
				  "gandi", "target_domain_fqdn", variable);
}

/* The API's base: what the original put together, up to /domains. */
static void
take_url(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *base = config_ini_find(ini, "gandi", "api_url_base");
	const struct config_ini_entry *domains = config_ini_find(ini, "gandi", "api_url_domains");
	static const char end[] = "/domains";
	char *front = base != NULL ? value_of(base) : mem_strdup("");
	char *back = domains != NULL ? value_of(domains) : mem_strdup("");
	struct config_node *node;
	size_t len;
	char *url;

	while (front[0] != '\0' && front[strlen(front) - 1] == '/')
		front[strlen(front) - 1] = '\0';
	while (back[0] != '\0' && back[strlen(back) - 1] == '/')
		back[strlen(back) - 1] = '\0';
	url = strstr(back, "://") != NULL
		      ? mem_strdup(back)
		      : mem_printf("%s%s%s", front, back[0] != '\0' && back[0] != '/' ? "/" : "",
				   back);
	len = strlen(url);
	if (domains != NULL && (len < strlen(end) || strcmp(url + len - strlen(end), end) != 0)) {
		node = lay(load, "provider", "url", url, domains);
		config_error(load, node, "must end with %s, as the API's address does", end);
	} else if (base != NULL || domains != NULL) {
		if (domains != NULL)
			url[len - strlen(end)] = '\0';
		lay(load, "provider", "url", url, base != NULL ? base : domains);
	}
	free(url);
	free(front);
	free(back);
}

/*
 * How the token is sent: as the original did, unless the one key says otherwise
 * that the original did not have. The scheme is not guessed from the token.
 */
static void
take_auth(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *section = config_ini_find(ini, "gandi", NULL);
	const struct config_ini_entry *e = config_ini_find(ini, "gandi", "api_auth");
	char *text;

	if (e != NULL) {
		text = value_of(e);
		lay(load, "provider", "auth", text, e);
		free(text);
	} else if (section != NULL) {
		lay(load, "provider", "auth", config_auth_name(CONFIG_AUTH_APIKEY), section);
		config_ini_warn(load, section,
				"the token is sent as the original sent it, as an API key, which "
				"Gandi deprecates; for a personal access token add api_auth = "
				"bearer here");
	}
}

static void
take_gandi(struct config_loading *load, const struct config_ini *ini)
{
	take_token(load, ini);
	take_variable(load, ini, "target_domain_fqdn", CONFIG_VARIABLE_ZONE);
	take_variable(load, ini, "record_name_root", CONFIG_VARIABLE_NAME);
	take_variable(load, ini, "record_type_a", CONFIG_VARIABLE_TYPE);
	take_variable(load, ini, "record_ttl", CONFIG_VARIABLE_TTL);
	take_url(load, ini);
	take_auth(load, ini);
	check_zone(load, ini);
}

/* --- [WANIPState], [STUNConfig] -------------------------------------------------- */

static struct config_node *
sources_node(struct config_loading *load, const struct config_ini_entry *e)
{
	struct config_node *detector = map_of(load, "detector");
	struct config_node *sources = config_node_get(detector, "sources");

	if (sources == NULL) {
		sources = config_ini_label(config_node_new(CONFIG_NODE_LIST, 0), e);
		config_node_add(detector, "sources", sources);
	}
	return sources;
}

static void
add_source(struct config_node *sources, const char *operator, const char * url, const char *family,
	   const struct config_ini_entry *e)
{
	struct config_node *source = config_ini_label(config_node_new(CONFIG_NODE_MAP, 0), e);

	config_node_add(sources, NULL, source);
	config_ini_label(config_node_lay(source, "operator", operator), e);
	config_ini_label(config_node_lay(source, "url", url), e);
	config_ini_label(config_node_lay(source, "family", family), e);
}

/* The URL's host, in the form that names of operators have; a wrong URL is told of later. */
static void
operator_of(const char *url, char out[OPERATOR_MAX + 1])
{
	struct config_url parts;
	size_t len;

	if (config_url_parse(url, &parts) != NULL) {
		strcpy(out, "unknown");
		return;
	}
	/* of a host that is too long, the end tells who runs it */
	len = strlen(parts.host);
	strcpy(out, parts.host + (len > OPERATOR_MAX ? len - OPERATOR_MAX : 0));
	for (char *p = out; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		else if (*p == ':')
			*p = '-';
	}
}

static bool
is_listed(const cJSON *list, const cJSON *before)
{
	const cJSON *other;

	cJSON_ArrayForEach(other, list)
	{
		if (other == before)
			return false;
		if (strcmp(other->valuestring, before->valuestring) == 0)
			return true;
	}
	return false;
}

static void
add_services(struct config_loading *load, const cJSON *list, const struct config_ini_entry *e)
{
	struct config_node *sources = sources_node(load, e);
	char operator[OPERATOR_MAX + 1];
	const cJSON *url;

	cJSON_ArrayForEach(url, list)
	{
		if (is_listed(list, url)) {
			config_ini_warn(load, e, "names a service twice; it is asked once");
			continue;
		}
		operator_of(url->valuestring, operator);
		add_source(sources, operator, url->valuestring, "both", e);
	}
}

static bool
is_list_of_texts(const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item))
			return false;
	}
	return cJSON_IsArray(list) && cJSON_GetArraySize(list) > 0;
}

static void
take_services(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *section = config_ini_find(ini, "WANIPState", NULL);
	const struct config_ini_entry *e = config_ini_find(ini, "WANIPState", "ip_check_services");
	const char *why = NULL;
	cJSON *json;
	char *text;

	if (section == NULL)
		return;
	if (e == NULL) {
		config_error(load, sources_node(load, section),
			     "the key ip_check_services is missing here");
		return;
	}
	text = value_of(e);
	json = json_parse(text, strlen(text), &why);
	if (json == NULL)
		config_error(load, sources_node(load, e),
			     "%s; it must be {\"svc\": [\"https://...\", ...]}", why);
	else if (!is_list_of_texts(json_array(json, "svc")))
		config_error(load, sources_node(load, e),
			     "must be {\"svc\": [\"https://...\", ...]}, with one URL at least");
	else
		add_services(load, json_array(json, "svc"), e);
	cJSON_Delete(json);
	free(text);
}

static const char *
family_of(const struct config_source *s)
{
	return s->ipv4 && s->ipv6 ? "both" : s->ipv4 ? "ipv4" : "ipv6";
}

/* The servers that are built in, in the place of those of a third party's list. */
static void
take_stun(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *section = config_ini_find(ini, "STUNConfig", NULL);
	const struct config_detector *defaults = &load->config->detector;
	struct config_node *sources;

	if (section == NULL)
		return;
	sources = sources_node(load, section);
	for (size_t i = 0; i < defaults->nsources; i++) {
		const struct config_source *s = &defaults->sources[i];

		if (s->kind == CONFIG_SOURCE_STUN)
			add_source(sources, s->operator, s->url, family_of(s), section);
	}
	config_ini_warn(
		load, section,
		"no list of STUN servers is downloaded from a third party, and its limits and "
		"retries have no effect: the built-in STUN servers are asked in their place");
}

static void
take_detection(struct config_loading *load, const struct config_ini *ini)
{
	take_services(load, ini);
	take_stun(load, ini);
	if (config_ini_find(ini, "WANIPState", NULL) == NULL &&
	    config_ini_find(ini, "STUNConfig", NULL) == NULL)
		config_error_line(load, NULL, 0,
				  "has neither [WANIPState] nor [STUNConfig]: there is nobody to "
				  "ask for the address");
}

/* --- [ESDDNS] -------------------------------------------------------------------- */

static void
take_interval(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *e = config_ini_find(ini, "ESDDNS", "daemon_thread_interval");
	char *text;

	if (e == NULL)
		return;
	text = value_of(e);
	lay(load, "detector", "interval", text, e);
	lay(load, "updater", "interval", text, e);
	free(text);
}

/* A list of webd, with an address or nothing in it. */
static void
lay_list(struct config_loading *load, const char *key, const char *text,
	 const struct config_ini_entry *e)
{
	struct config_node *list = config_ini_label(config_node_new(CONFIG_NODE_LIST, 0), e), *item;

	config_node_add(map_of(load, "webd"), key, list);
	if (text == NULL)
		return;
	item = config_ini_label(config_node_new(CONFIG_NODE_TEXT, 0), e);
	item->text = mem_strdup(text);
	config_node_add(list, NULL, item);
}

static void
take_page(struct config_loading *load, const struct config_ini *ini)
{
	const struct config_ini_entry *host = config_ini_find(ini, "ESDDNS", "service_host");
	const struct config_ini_entry *port = config_ini_find(ini, "ESDDNS", "service_port");
	char *h = host != NULL ? value_of(host) : mem_strdup("0.0.0.0");
	char *p = port != NULL ? value_of(port) : mem_strdup(PAGE_PORT);
	const char *address = strcasecmp(h, "localhost") == 0 ? "127.0.0.1" : h;
	struct config_node *node;
	int64_t number;
	char *listen;

	if (!config_number_parse(p, 1, UINT16_MAX, &number)) {
		node = config_ini_label(config_node_new(CONFIG_NODE_NULL, 0), port);
		config_error(load, node, "must be a port, from 1 to 65535");
		config_node_free(node);
		free(p);
		p = mem_strdup(PAGE_PORT);
	}
	listen = mem_printf(strchr(h, ':') != NULL ? "[%s]:%s" : "%s:%s", address, p);
	if (host != NULL || port != NULL)
		lay_list(load, "listen", listen, host != NULL ? host : port);
	/* the page's port serves the metrics too; a dns.ini can give them no other one */
	if (port != NULL && strcmp(p, METRICS_PORT) == 0) {
		lay_list(load, "metrics", NULL, port);
		config_ini_warn(load, port,
				"is the port of the metrics as well: page and metrics share it");
	}
	free(listen);
	free(h);
	free(p);
}

bool
config_dnsini_read(struct config_loading *load)
{
	struct config_ini ini = { 0 };
	bool ok = config_ini_read(load, &ini);

	if (ok) {
		config_dnsini_names(load, &ini);
		take_gandi(load, &ini);
		take_detection(load, &ini);
		take_interval(load, &ini);
		take_page(load, &ini);
	}
	config_ini_free(&ini);
	return ok;
}
