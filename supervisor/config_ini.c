/*
 * INI files by libinih. It reads lines through feed() below, which makes up for
 * three things: it takes a line of 200 bytes at most and cuts names off at 49,
 * silently; it tells no line numbers; and it passes over sections without keys,
 * while here a section may say something by being there.
 */
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "supervisor/config_internal.h"

/* Far above what any dns.ini needs; so that a hostile one costs little. */
#define ENTRIES_MAX 512
#define NAME_MAX_LEN 48 /* libinih keeps 49 bytes of a name */
#define VALUE_MAX 65536
/* The least that libinih's buffer must hold for lines to be taken apart. */
#define PIECE_MIN 80

struct reader {
	struct config_loading *load;
	struct config_ini *ini;
	const char *next, *end; /* of the text, from the line after this one */
	const char *rest;       /* of this line: what was not fed yet */
	size_t nrest;
	char *section; /* that the lines are in; owned; NULL after a bad one */
	unsigned line;
	bool open; /* there was a key in the section: a line may go on with it */
	struct config_ini_entry *entry; /* of that key, or NULL if it was refused */
	struct buf value;               /* of that key, so far */
	bool more;                      /* what is fed goes on with it, in a line of its own */
	bool piece;                     /* what is fed goes on with the same line */
	bool awaited;                   /* the line must give a key and a value */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_name(const char *text, size_t len)
{
	static const char others[] = "_-.";

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return len > 0 && len <= NAME_MAX_LEN;
}

/* As far as a terminal can tell: sequences of the right length (RFC 3629 section 4). */
static bool
is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;

		if (c < 0x80 && (c >= ' ' || c == '\t') && c != 0x7F)
			continue;
		if (c < 0xC2 || c > 0xF4 || more > len - i - 1)
			return false;
		while (more-- > 0) {
			if (((unsigned char)text[++i] & 0xC0) != 0x80)
				return false;
		}
	}
	return true;
}

/* --- entries ------------------------------------------------------------------- */

static struct config_ini_entry *
add_entry(struct reader *r, const char *key)
{
	struct config_ini *ini = r->ini;
	struct config_ini_entry *entry;

	if (ini->n == ENTRIES_MAX)
		return NULL;
	ini->entries = mem_grow(ini->entries, ini->n + 1, sizeof(*ini->entries));
	entry = &ini->entries[ini->n++];
	*entry =
		(struct config_ini_entry){ mem_strdup(r->section), mem_strdup(key), NULL, r->line };
	return entry;
}

/* The entry with this name, in the section (key not NULL) or of the section (key NULL). */
static const struct config_ini_entry *
find_twin(const struct reader *r, const char *key)
{
	for (size_t i = 0; i < r->ini->n; i++) {
		const struct config_ini_entry *e = &r->ini->entries[i];

		if (strcmp(e->section, r->section) == 0 && (e->key == NULL) == (key == NULL) &&
		    (key == NULL || strcasecmp(e->key, key) == 0))
			return e;
	}
	return NULL;
}

/* The value of the key that was read last is whole now. */
static void
end_entry(struct reader *r)
{
	if (r->entry != NULL)
		r->entry->value = mem_strdup(buf_text(&r->value));
	buf_free(&r->value);
	r->entry = NULL;
}

static void
begin_section(struct reader *r, const char *line, size_t len)
{
	const char *end = memchr(line, ']', len);
	const struct config_ini_entry *twin;

	end_entry(r);
	r->open = false;
	free(r->section);
	r->section = NULL;
	if (end == NULL || !is_name(line + 1, (size_t)(end - line - 1))) {
		config_error_line(r->load, NULL, r->line,
				  "a section must be a name in brackets, such as [gandi]");
		return;
	}
	r->section = mem_printf("%.*s", (int)(end - line - 1), line + 1);
	twin = find_twin(r, NULL);
	if (twin != NULL)
		config_error_line(r->load, NULL, r->line,
				  "section [%s] stands twice; the first is in line %u", r->section,
				  twin->line);
	else if (add_entry(r, NULL) == NULL)
		config_error_line(r->load, NULL, r->line, "more than %d sections and keys",
				  ENTRIES_MAX);
}

static void
begin_entry(struct reader *r, const char *key)
{
	const struct config_ini_entry *twin;

	end_entry(r);
	r->open = true;
	if (r->section == NULL)
		return;
	twin = find_twin(r, key);
	if (!is_name(key, strlen(key)))
		config_error_line(r->load, NULL, r->line,
				  "a key must be 1 to %d letters, digits, dots, hyphens and "
				  "underscores",
				  NAME_MAX_LEN);
	else if (twin != NULL)
		config_error_line(r->load, NULL, r->line,
				  "key '%s' stands twice in [%s]; the first is in line %u", key,
				  r->section, twin->line);
	else if ((r->entry = add_entry(r, key)) == NULL)
		config_error_line(r->load, NULL, r->line, "more than %d sections and keys",
				  ENTRIES_MAX);
}

/* libinih found a key and a value, or a line that goes on with one. */
static int
take(void *arg, const char *section, const char *key, const char *value)
{
	struct reader *r = arg;

	(void)section; /* it may have been cut off; the line was looked at before */
	r->awaited = false;
	if (!r->more && !r->piece)
		begin_entry(r, key);
	if (r->entry == NULL)
		return 1;
	if (r->value.len + strlen(value) > VALUE_MAX) {
		config_error_line(r->load, NULL, r->line, "the value of '%s' is too long",
				  r->entry->key);
		end_entry(r);
		return 1;
	}
	if (r->more)
		buf_addc(&r->value, '\n');
	buf_adds(&r->value, value);
	return 1;
}

/* --- lines --------------------------------------------------------------------- */

/* Without the comment at its end, which begins with a semicolon behind white space. */
static size_t
without_comment(const char *line, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (line[i] == ';' && is_blank(line[i - 1]))
			len = i;
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	return len;
}

/* Take the next line of the text; what libinih shall see of it becomes r->rest. */
static void
next_line(struct reader *r)
{
	const char *line = r->next, *end = memchr(line, '\n', (size_t)(r->end - line));
	size_t len = (size_t)((end != NULL ? end : r->end) - line), skip = 0;

	r->next = end != NULL ? end + 1 : r->end;
	r->line++;
	r->nrest = 0;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (!is_text(line, len)) {
		config_error_line(r->load, NULL, r->line,
				  "this is not a text in UTF-8, or holds a control character");
		return;
	}
	len = without_comment(line, len);
	while (skip < len && is_blank(line[skip]))
		skip++;
	if (skip == len || line[skip] == ';' || line[skip] == '#')
		return;
	r->more = skip > 0 && r->open;
	r->awaited = r->more || line[skip] != '[';
	r->rest = line + skip;
	r->nrest = len - skip;
	if (!r->awaited) {
		begin_section(r, r->rest, r->nrest);
		/* its name is known, and whatever it is, the key before it has ended */
		r->rest = "[-]";
		r->nrest = strlen(r->rest);
	}
}

/*
 * How much of the rest fits: all of it, or so much that neither part begins or
 * ends with what libinih would strip or take for a comment. 0 if there is no
 * such place.
 */
static size_t
piece_length(const struct reader *r, size_t room)
{
	size_t n = room;

	if (r->nrest <= room)
		return r->nrest;
	while (n > 0 && (is_blank(r->rest[n - 1]) || is_blank(r->rest[n]) || r->rest[n] == ';' ||
			 r->rest[n] == '#'))
		n--;
	return n;
}

/* For libinih, as fgets(3): a line, or a piece of one that was too long for it. */
static char *
feed(char *out, int size, void *arg)
{
	struct reader *r = arg;
	size_t room = size > PIECE_MIN ? (size_t)size - 3 : 0, n;

	/* a piece without a key and a value: there is no use in the others */
	if (r->awaited) {
		config_error_line(r->load, NULL, r->line,
				  "this is neither a section ([name]), a key with a value (key = "
				  "value) nor a comment (; text)");
		r->nrest = 0;
		r->awaited = false;
	}
	r->piece = r->nrest > 0;
	while (r->nrest == 0) {
		if (r->next == r->end)
			return NULL;
		r->more = false;
		next_line(r);
	}
	if (r->piece) {
		r->more = false;
		r->awaited = true;
	}
	n = piece_length(r, room);
	if (n == 0) {
		config_error_line(r->load, NULL, r->line,
				  "the line is too long to be read; write the value in several, "
				  "indented");
		r->awaited = false;
		r->nrest = 0;
		out[0] = '\0';
		return out;
	}
	/* what goes on is indented: that is how libinih knows */
	out[0] = ' ';
	memcpy(out + (r->more || r->piece), r->rest, n);
	out[n + (r->more || r->piece)] = '\0';
	r->rest += n;
	r->nrest -= n;
	return out;
}

bool
config_ini_read(struct config_loading *load, struct config_ini *ini)
{
	size_t len;
	char *text = config_file_read(load, &len);
	struct reader r = { .load = load, .ini = ini, .value = BUF_INIT };

	if (text == NULL)
		return false;
	r.next = text + (strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
	r.end = text + len;
	r.section = mem_strdup("");
	/* the only error besides those of lines, which feed() tells, is a lack of memory */
	if (ini_parse_stream(feed, &r, take, &r) == -2)
		abort();
	end_entry(&r);
	free(r.section);
	free(text);
	return true;
}

void
config_ini_free(struct config_ini *ini)
{
	for (size_t i = 0; i < ini->n; i++) {
		free(ini->entries[i].section);
		free(ini->entries[i].key);
		free(ini->entries[i].value);
	}
	free(ini->entries);
	*ini = (struct config_ini){ 0 };
}

const struct config_ini_entry *
config_ini_find(const struct config_ini *ini, const char *section, const char *key)
{
	for (size_t i = 0; i < ini->n; i++) {
		const struct config_ini_entry *e = &ini->entries[i];

		if (strcmp(e->section, section) == 0 && (e->key == NULL) == (key == NULL) &&
		    (key == NULL || strcasecmp(e->key, key) == 0))
			return e;
	}
	return NULL;
}

struct config_node *
config_ini_label(struct config_node *node, const struct config_ini_entry *e)
{
	free(node->label);
	node->line = e->line;
	node->label = e->key != NULL ? mem_printf("[%s] %s", e->section, e->key)
				     : mem_printf("[%s]", e->section);
	return node;
}

void
config_ini_warn(struct config_loading *load, const struct config_ini_entry *e, const char *text)
{
	struct config_node *node = config_ini_label(config_node_new(CONFIG_NODE_NULL, 0), e);

	config_warn(load, node, "%s", text);
	config_node_free(node);
}
