/* Carries out the tables of keys: from the tree into the structs, strictly. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"

#define SECRET_MIN 16
#define KNOWN_TOLD_MAX 8 /* that many known keys fit a sentence */

static char *
target_of(void *base, const struct config_key *key)
{
	return (char *)base + key->offset;
}

static const char *
kind_name(const struct config_node *node)
{
	static const char *const names[] = {
		[CONFIG_NODE_NULL] = "nothing",
		[CONFIG_NODE_TEXT] = "a single value",
		[CONFIG_NODE_LIST] = "a list",
		[CONFIG_NODE_MAP] = "a mapping",
	};

	return names[node->kind];
}

const char *
config_schema_text(struct config_loading *load, struct config_node *node)
{
	if (node->kind == CONFIG_NODE_TEXT)
		return node->text;
	if (node->kind == CONFIG_NODE_NULL)
		config_error(load, node, "has no value; give it one or remove the key");
	else
		config_error(load, node, "must be a single value, not %s", kind_name(node));
	return NULL;
}

bool
config_schema_list(struct config_loading *load, struct config_node *node, size_t max)
{
	if (node->kind == CONFIG_NODE_NULL)
		return false;
	if (node->kind != CONFIG_NODE_LIST) {
		config_error(load, node, "must be a list ([...] or lines with a dash), not %s",
			     kind_name(node));
		return false;
	}
	if (node->n > max) {
		config_error(load, node, "has %zu entries; at most %zu are taken", node->n, max);
		return false;
	}
	return true;
}

/* The value for a complaint. What is shorter than any token is a slip of the finger. */
static const char *
show(const struct config_node *node, char *out, size_t size)
{
	return node->secret && strlen(node->text) >= SECRET_MIN
		       ? "what stands there"
		       : config_quote(node->text, out, size);
}

/* "a, b or c" */
static char *
list_names(const char *const *names, size_t n)
{
	struct buf b = BUF_INIT;
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		left += names[i] != NULL;
	for (size_t i = 0; i < n; i++) {
		if (names[i] == NULL)
			continue;
		left--;
		buf_printf(&b, "%s%s", names[i], left > 1 ? ", " : left == 1 ? " or " : "");
	}
	return buf_take(&b);
}

size_t
config_schema_choose(struct config_loading *load, struct config_node *node,
		     const char *const *names, size_t n)
{
	const char *text = config_schema_text(load, node);
	char quoted[CONFIG_QUOTE_MAX];
	char *all;

	if (text == NULL)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (names[i] != NULL && strcmp(names[i], text) == 0)
			return i;
	}
	all = list_names(names, n);
	config_error(load, node, "must be %s, not %s", all, show(node, quoted, sizeof(quoted)));
	free(all);
	return n;
}

void
config_schema_set(void *target, const char *text)
{
	char *old, *new = mem_strdup(text);

	memcpy(&old, target, sizeof(old));
	free(old);
	memcpy(target, &new, sizeof(new));
}

static bool
has_controls(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7F)
			return true;
	}
	return false;
}

static void
read_text(struct config_loading *load, const struct config_key *key, struct config_node *node,
	  void *target)
{
	const char *text, *shown;
	char quoted[CONFIG_QUOTE_MAX];

	if (node->kind == CONFIG_NODE_NULL && key->nullable) {
		config_schema_set(target, NULL);
		return;
	}
	text = config_schema_text(load, node);
	if (text == NULL)
		return;
	shown = show(node, quoted, sizeof(quoted));
	if (text[0] == '\0')
		config_error(load, node, "is empty; give it a value%s",
			     key->nullable ? ", or write null" : "");
	else if (strlen(text) > (size_t)key->max)
		config_error(load, node, "%s is longer than %lld bytes", shown,
			     (long long)key->max);
	else if (has_controls(text))
		config_error(load, node, "%s holds a control character", shown);
	else if (key->kind == CONFIG_KEY_PATH && text[0] != '/')
		config_error(load, node, "%s must be an absolute path (it must start with /)%s",
			     shown, node->secret ? "; the secret itself does not belong here" : "");
	else
		config_schema_set(target, text);
}

static void
read_duration(struct config_loading *load, const struct config_key *key, struct config_node *node,
	      void *target)
{
	const char *text = config_schema_text(load, node);
	char quoted[CONFIG_QUOTE_MAX], min[24], max[24];
	int64_t ms;

	if (text == NULL)
		return;
	config_quote(text, quoted, sizeof(quoted));
	if (!config_duration_parse(text, &ms)) {
		config_error(load, node,
			     "%s is no duration; write a whole number with ms, s, min or h, such "
			     "as 30s",
			     quoted);
		return;
	}
	if ((ms < key->min || ms > key->max) && !(key->off && ms == 0)) {
		config_error(load, node, "%s must be from %s to %s%s", quoted,
			     config_duration_text(key->min, min, sizeof(min)),
			     config_duration_text(key->max, max, sizeof(max)),
			     key->off ? ", or 0 for off" : "");
		return;
	}
	memcpy(target, &ms, sizeof(ms));
}

bool
config_schema_number(struct config_loading *load, struct config_node *node, int64_t min,
		     int64_t max, const char *else_what, int64_t *out)
{
	const char *text = config_schema_text(load, node);
	char quoted[CONFIG_QUOTE_MAX];

	if (text == NULL)
		return false;
	if (node->quoted && config_number_parse(text, min, max, out)) {
		config_error(load, node, "must be a number: write %s without quotes", text);
		return false;
	}
	if (!config_number_parse(text, min, max, out)) {
		config_error(load, node, "must be %sa whole number from %lld to %lld, not %s",
			     else_what, (long long)min, (long long)max,
			     config_quote(text, quoted, sizeof(quoted)));
		return false;
	}
	return true;
}

static void
read_number(struct config_loading *load, const struct config_key *key, struct config_node *node,
	    void *target)
{
	int64_t number;
	unsigned value;

	if (!config_schema_number(load, node, key->min, key->max, "", &number))
		return;
	value = (unsigned)number;
	memcpy(target, &value, sizeof(value));
}

static void
read_bool(struct config_loading *load, struct config_node *node, void *target)
{
	const char *text = config_schema_text(load, node);
	char quoted[CONFIG_QUOTE_MAX];
	bool value;

	if (text == NULL)
		return;
	value = strcmp(text, "true") == 0;
	if (node->quoted || (!value && strcmp(text, "false") != 0)) {
		config_error(load, node, "must be true or false, without quotes, not %s",
			     config_quote(text, quoted, sizeof(quoted)));
		return;
	}
	memcpy(target, &value, sizeof(value));
}

static void
read_choice(struct config_loading *load, const struct config_key *key, struct config_node *node,
	    void *target)
{
	unsigned value;

	_Static_assert(sizeof(enum config_restart) == sizeof(value), "enums are as wide as this");
	value = (unsigned)config_schema_choose(load, node, key->names, (size_t)key->max);
	if (value < key->max)
		memcpy(target, &value, sizeof(value));
}

static void
read_value(struct config_loading *load, const struct config_key *key, struct config_node *node,
	   void *target)
{
	switch (key->kind) {
	case CONFIG_KEY_TEXT:
	case CONFIG_KEY_PATH:
		read_text(load, key, node, target);
		break;
	case CONFIG_KEY_DURATION:
		read_duration(load, key, node, target);
		break;
	case CONFIG_KEY_NUMBER:
		read_number(load, key, node, target);
		break;
	case CONFIG_KEY_BOOL:
		read_bool(load, node, target);
		break;
	case CONFIG_KEY_CHOICE:
		read_choice(load, key, node, target);
		break;
	case CONFIG_KEY_MAP:
		config_schema_map(load, node, key->keys, target);
		break;
	case CONFIG_KEY_CUSTOM:
		key->read(load, node, target);
		break;
	}
}

static void
refuse_key(struct config_loading *load, struct config_node *node, const struct config_key *keys)
{
	const char *names[32], *nearest;
	char quoted[CONFIG_QUOTE_MAX], path[CONFIG_PATH_MAX];
	size_t n = 0;
	char *all;

	for (; n < sizeof(names) / sizeof(names[0]) && keys[n].name != NULL; n++)
		names[n] = keys[n].name;
	nearest = config_nearest(node->key, names, n);
	config_quote(node->key, quoted, sizeof(quoted));
	config_node_path(node->parent, path, sizeof(path));
	all = list_names(names, n);
	config_error_line(load, node, node->line, "unknown key %s%s%s%s%s%s", quoted,
			  path[0] != '\0' ? " in " : "", path,
			  nearest != NULL       ? "; did you mean '"
			  : n <= KNOWN_TOLD_MAX ? "; it can be "
						: "",
			  nearest != NULL       ? nearest
			  : n <= KNOWN_TOLD_MAX ? all
						: "",
			  nearest != NULL ? "'?" : "");
	free(all);
}

void
config_schema_map(struct config_loading *load, struct config_node *map,
		  const struct config_key *keys, void *base)
{
	/* a key whose lines are all commented out holds nothing: all defaults */
	if (map->kind != CONFIG_NODE_MAP && map->kind != CONFIG_NODE_NULL) {
		config_error(load, map, "must be a mapping (key: value), not %s", kind_name(map));
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		struct config_node *node = map->items[i];
		const struct config_key *key = keys;

		/* the second of two was refused already */
		if (config_node_get(map, node->key) != node)
			continue;
		while (key->name != NULL && strcmp(key->name, node->key) != 0)
			key++;
		node->secret = key->secret;
		if (key->name == NULL)
			refuse_key(load, node, keys);
		else if (!node->bad)
			read_value(load, key, node, target_of(base, key));
	}
	for (const struct config_key *key = keys; key->name != NULL; key++) {
		if (key->required && config_node_get(map, key->name) == NULL)
			config_error(load, map, "the key '%s' is missing here", key->name);
	}
}
