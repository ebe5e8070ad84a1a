#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"

/* More help nobody; a hostile file must not fill the log. */
#define MESSAGES_MAX 100

#define QUOTE_TEXT_MAX 64

void
config_report_free(struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		free(report->messages[i].text);
	free(report->messages);
	*report = (struct config_report){ 0 };
}

static bool
said_already(const struct config_report *report, const char *text)
{
	for (size_t i = 0; i < report->n; i++) {
		if (strcmp(report->messages[i].text, text) == 0)
			return true;
	}
	return false;
}

/* text is handed over */
static void
add_message(struct config_report *report, bool warning, unsigned line, char *text)
{
	/* one variable may stand for several keys */
	if (said_already(report, text) || report->n > MESSAGES_MAX) {
		free(text);
		return;
	}
	if (report->n == MESSAGES_MAX) {
		free(text);
		text = mem_strdup("there are more mistakes than can be told; correct these first");
		warning = false;
		line = 0;
	}
	report->messages = mem_grow(report->messages, report->n + 1, sizeof(*report->messages));
	report->messages[report->n++] = (struct config_message){ warning, line, text };
	if (!warning)
		report->nerrors++;
}

static void
add_place(struct buf *b, const struct config_loading *load, unsigned line)
{
	buf_adds(b, load->path != NULL ? load->path : "configuration");
	if (line != 0)
		buf_printf(b, ":%u", line);
	buf_adds(b, ": ");
}

static void
add_formatted(struct buf *b, const char *format, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, format, ap) < 0)
		abort(); /* out of memory, see common/mem.h */
	buf_adds(b, text);
	free(text);
}

static void
say(struct config_loading *load, bool warning, const struct config_node *node, const char *path,
    const char *format, va_list ap)
{
	struct buf b = BUF_INIT;
	unsigned line = node->variable == NULL ? node->line : 0;

	if (node->variable != NULL) {
		buf_printf(&b, "%s: ", node->variable);
	} else {
		add_place(&b, load, line);
		if (node->label != NULL)
			buf_printf(&b, "%s: ", node->label);
		else if (path[0] != '\0')
			buf_printf(&b, "%s: ", path);
	}
	add_formatted(&b, format, ap);
	add_message(load->report, warning, line, buf_take(&b));
}

void
config_error(struct config_loading *load, struct config_node *node, const char *format, ...)
{
	char path[CONFIG_PATH_MAX];
	va_list ap;

	node->bad = true;
	va_start(ap, format);
	say(load, false, node, config_node_path(node, path, sizeof(path)), format, ap);
	va_end(ap);
}

void
config_warn(struct config_loading *load, struct config_node *node, const char *format, ...)
{
	char path[CONFIG_PATH_MAX];
	va_list ap;

	va_start(ap, format);
	say(load, true, node, config_node_path(node, path, sizeof(path)), format, ap);
	va_end(ap);
}

/* The deepest node along the path that is there. */
static struct config_node *
nearest_node(const struct config_loading *load, const char *path)
{
	struct config_node *node = load->root, *next = node;

	while (next != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		char key[CONFIG_PATH_MAX];

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		path += path[len] == '.' ? len + 1 : len;
		next = config_node_get(node, key);
		if (next != NULL)
			node = next;
	}
	return node;
}

void
config_error_at(struct config_loading *load, const char *path, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(load, false, nearest_node(load, path), path, format, ap);
	va_end(ap);
}

void
config_warn_at(struct config_loading *load, const char *path, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(load, true, nearest_node(load, path), path, format, ap);
	va_end(ap);
}

void
config_error_line(struct config_loading *load, struct config_node *node, unsigned line,
		  const char *format, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	if (node != NULL)
		node->bad = true;
	add_place(&b, load, line);
	va_start(ap, format);
	add_formatted(&b, format, ap);
	va_end(ap);
	add_message(load->report, false, line, buf_take(&b));
}

static void
say_variable(struct config_loading *load, bool warning, const char *variable, const char *format,
	     va_list ap)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s: ", variable);
	add_formatted(&b, format, ap);
	add_message(load->report, warning, 0, buf_take(&b));
}

void
config_error_variable(struct config_loading *load, const char *variable, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_variable(load, false, variable, format, ap);
	va_end(ap);
}

void
config_warn_variable(struct config_loading *load, const char *variable, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_variable(load, true, variable, format, ap);
	va_end(ap);
}

void
config_report_append(struct config_report *report, struct config_report *other)
{
	for (size_t i = 0; i < other->n; i++) {
		/* the line is one of another file */
		add_message(report, other->messages[i].warning, 0, other->messages[i].text);
		other->messages[i].text = NULL;
	}
	config_report_free(other);
}

/* By line; what has none comes last. Stable, and short enough for this. */
void
config_report_sort(struct config_report *report)
{
	for (size_t i = 1; i < report->n; i++) {
		struct config_message m = report->messages[i];
		size_t j = i;

		/* 0 - 1 is the largest unsigned number */
		for (; j > 0 && report->messages[j - 1].line - 1 > m.line - 1; j--)
			report->messages[j] = report->messages[j - 1];
		report->messages[j] = m;
	}
}

const char *
config_node_path(const struct config_node *node, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if (node->parent != NULL)
		used = strlen(config_node_path(node->parent, out, size));
	if (node->key != NULL)
		snprintf(out + used, size - used, "%s%s", used > 0 ? "." : "", node->key);
	return out;
}

const char *
config_quote(const char *text, char *out, size_t size)
{
	char cut[QUOTE_TEXT_MAX];
	bool whole = mem_copy_text(cut, sizeof(cut), text);

	for (char *p = cut; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = '?';
		/* U+0080 to U+009F are controls too: some terminals obey them */
		else if ((unsigned char)p[0] == 0xC2 && (unsigned char)p[1] >= 0x80 &&
			 (unsigned char)p[1] < 0xA0)
			p[0] = p[1] = '?';
	}
	snprintf(out, size, "'%s'%s", cut, whole ? "" : "...");
	return out;
}
