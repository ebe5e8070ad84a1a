#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"

/* Far above what any configuration needs; so that a hostile one costs little. */
#define DEPTH_MAX 8
#define MEMBERS_MAX 128

struct reader {
	struct config_loading *load;
	yaml_parser_t parser;
	struct config_node *root;
	struct config_node *open; /* the collection that is being filled, or NULL */
	unsigned depth;
	char *key; /* of the member whose value comes next, or NULL */
	unsigned key_line;
	unsigned documents;
};

struct config_node *
config_node_new(enum config_node_kind kind, unsigned line)
{
	struct config_node *node = mem_new(1, sizeof(*node));

	node->kind = kind;
	node->line = line;
	return node;
}

void
config_node_free(struct config_node *node)
{
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->n; i++)
		config_node_free(node->items[i]);
	free(node->items);
	free(node->key);
	free(node->text);
	free(node->label);
	free(node);
}

void
config_node_add(struct config_node *parent, const char *key, struct config_node *child)
{
	child->key = mem_strdup(key);
	child->parent = parent;
	parent->items = mem_grow(parent->items, parent->n + 1, sizeof(struct config_node *));
	parent->items[parent->n++] = child;
}

struct config_node *
config_node_get(const struct config_node *map, const char *key)
{
	for (size_t i = 0; map != NULL && map->kind == CONFIG_NODE_MAP && i < map->n; i++) {
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	}
	return NULL;
}

void
config_node_remove(struct config_node *map, const char *key)
{
	struct config_node *node = config_node_get(map, key);
	size_t i = 0;

	if (node == NULL)
		return;
	while (map->items[i] != node)
		i++;
	memmove(&map->items[i], &map->items[i + 1], (map->n - i - 1) * sizeof(map->items[0]));
	map->n--;
	config_node_free(node);
}

struct config_node *
config_node_lay(struct config_node *map, const char *key, const char *text)
{
	struct config_node *node = config_node_new(CONFIG_NODE_TEXT, 0);

	node->text = mem_strdup(text);
	config_node_remove(map, key);
	config_node_add(map, key, node);
	return node;
}

bool
config_node_sound(const struct config_node *node)
{
	if (node == NULL)
		return true;
	for (size_t i = 0; i < node->n; i++) {
		if (!config_node_sound(node->items[i]))
			return false;
	}
	return !node->bad;
}

/* --- from events to nodes --------------------------------------------------- */

static bool
wants_key(const struct reader *r)
{
	return r->open != NULL && r->open->kind == CONFIG_NODE_MAP && r->key == NULL;
}

static unsigned
line_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

/* Puts a value where it belongs; false if there are too many already. */
static bool
place_value(struct reader *r, struct config_node *node)
{
	const struct config_node *first;

	if (r->open == NULL) {
		r->root = node;
		return true;
	}
	if (r->open->n == MEMBERS_MAX) {
		config_error_line(r->load, NULL, node->line,
				  "more than %d entries in one list or mapping", MEMBERS_MAX);
		config_node_free(node);
		return false;
	}
	if (r->key != NULL)
		node->line = r->key_line;
	first = r->key != NULL ? config_node_get(r->open, r->key) : NULL;
	config_node_add(r->open, r->key, node);
	if (first != NULL) {
		char quoted[CONFIG_QUOTE_MAX];

		config_error_line(r->load, node, node->line,
				  "key %s stands twice; the first is in line %u",
				  config_quote(r->key, quoted, sizeof(quoted)), first->line);
	}
	free(r->key);
	r->key = NULL;
	return true;
}

static void
refuse_decorations(struct reader *r, const yaml_event_t *ev, const yaml_char_t *anchor,
		   const yaml_char_t *tag)
{
	if (anchor != NULL)
		config_error_line(
			r->load, NULL, line_of(ev),
			"anchors (&name) are not taken; write the value where it is used");
	if (tag != NULL)
		config_error_line(r->load, NULL, line_of(ev),
				  "tags (!name) are not taken; write the value alone");
}

static bool
is_null(const char *text)
{
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static bool
take_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	bool quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	struct config_node *node;

	refuse_decorations(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (strlen(text) != ev->data.scalar.length) {
		config_error_line(r->load, NULL, line_of(ev), "a text holds a NUL character");
		return false;
	}
	if (wants_key(r)) {
		r->key = mem_strdup(text);
		r->key_line = line_of(ev);
		return true;
	}
	if (!quoted && is_null(text)) {
		node = config_node_new(CONFIG_NODE_NULL, line_of(ev));
	} else {
		node = config_node_new(CONFIG_NODE_TEXT, line_of(ev));
		node->text = mem_strdup(text);
		node->quoted = quoted;
	}
	return place_value(r, node);
}

static bool
take_start(struct reader *r, const yaml_event_t *ev, enum config_node_kind kind)
{
	struct config_node *node;

	if (wants_key(r)) {
		config_error_line(r->load, NULL, line_of(ev), "a key must be a plain text");
		return false;
	}
	if (++r->depth > DEPTH_MAX) {
		config_error_line(r->load, NULL, line_of(ev),
				  "lists and mappings are nested more than %d deep", DEPTH_MAX);
		return false;
	}
	node = config_node_new(kind, line_of(ev));
	if (!place_value(r, node))
		return false;
	r->open = node;
	return true;
}

static bool
take_alias(struct reader *r, const yaml_event_t *ev)
{
	config_error_line(r->load, NULL, line_of(ev),
			  "aliases (*name) are not taken; write the value where it is used, and a "
			  "text that starts with * in quotes");
	if (wants_key(r))
		return false;
	if (!place_value(r, config_node_new(CONFIG_NODE_NULL, line_of(ev))))
		return false;
	if (r->open != NULL)
		r->open->items[r->open->n - 1]->bad = true;
	return true;
}

/* One event; false if nothing after it can be read. */
static bool
take_event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++r->documents < 2)
			return true;
		config_error_line(r->load, NULL, line_of(ev),
				  "a second document begins (---); the file must hold one");
		return false;
	case YAML_MAPPING_START_EVENT:
		refuse_decorations(r, ev, ev->data.mapping_start.anchor,
				   ev->data.mapping_start.tag);
		return take_start(r, ev, CONFIG_NODE_MAP);
	case YAML_SEQUENCE_START_EVENT:
		refuse_decorations(r, ev, ev->data.sequence_start.anchor,
				   ev->data.sequence_start.tag);
		return take_start(r, ev, CONFIG_NODE_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		r->open = r->open->parent;
		return true;
	case YAML_SCALAR_EVENT:
		return take_scalar(r, ev);
	case YAML_ALIAS_EVENT:
		return take_alias(r, ev);
	default:
		return true;
	}
}

/* --- the text --------------------------------------------------------------- */

/* What people get wrong most: a tab, or a value that starts with a sign of YAML's own. */
static const char *
hint_for(const char *text, const yaml_mark_t *mark)
{
	const char *p = text;

	for (size_t line = 0; p != NULL && line < mark->line; line++) {
		p = strchr(p, '\n');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return "";
	p += strnlen(p, mark->column);
	if (*p == '\t')
		return "; indent with spaces, not with tabs";
	if (*p == '@' || *p == '`' || *p == '%' || (p > text && p[-1] == '*'))
		return "; a text that starts with @, *, % or ` must stand in quotes";
	return "";
}

static void
report_syntax(struct reader *r, const char *text)
{
	const yaml_parser_t *p = &r->parser;
	unsigned line = (unsigned)p->problem_mark.line + 1;

	if (p->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < p->problem_offset && text[i] != '\0'; i++)
			line += text[i] == '\n';
		config_error_line(r->load, NULL, line, "this is not a text in UTF-8: %s",
				  p->problem);
		return;
	}
	if (p->context != NULL && p->context_mark.line + 1 < line)
		config_error_line(r->load, NULL, line, "not valid YAML: %s, %s in line %zu%s",
				  p->problem, p->context, p->context_mark.line + 1,
				  hint_for(text, &p->problem_mark));
	else
		config_error_line(r->load, NULL, line, "not valid YAML: %s%s",
				  p->problem != NULL ? p->problem : "it cannot be read",
				  hint_for(text, &p->problem_mark));
}

static bool
read_events(struct reader *r, const char *text)
{
	bool going = true, ended = false;

	while (going && !ended) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&r->parser, &ev)) {
			report_syntax(r, text);
			return false;
		}
		ended = ev.type == YAML_STREAM_END_EVENT;
		going = take_event(r, &ev);
		yaml_event_delete(&ev);
	}
	return going;
}

/* The text, which ends with a NUL, into load->root. */
static bool
parse_text(struct config_loading *load, const char *text, size_t len)
{
	struct reader r = { .load = load };
	bool ok;

	if (!yaml_parser_initialize(&r.parser))
		abort(); /* out of memory, see common/mem.h */
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	ok = read_events(&r, text);
	yaml_parser_delete(&r.parser);
	free(r.key);
	if (ok && r.root != NULL && r.root->kind == CONFIG_NODE_MAP) {
		config_node_free(load->root);
		load->root = r.root;
		load->root->line = 0;
		return true;
	}
	/* an empty file is a valid one: all defaults */
	if (ok && r.root != NULL && r.root->kind != CONFIG_NODE_NULL) {
		config_error_line(load, NULL, r.root->line,
				  "the file must be a mapping: lines of the form \"key: value\"");
		ok = false;
	}
	config_node_free(r.root);
	return ok;
}

bool
config_yaml_read(struct config_loading *load)
{
	size_t len;
	char *text = config_file_read(load, &len);
	bool ok = text != NULL && parse_text(load, text, len);

	if (text != NULL)
		explicit_bzero(text, len); /* a kubeconfig holds secrets */
	free(text);
	return ok;
}
