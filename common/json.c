#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * cJSON takes what JSON does not (a NUL ends it, \u0000 cuts a string) and
 * nests up to 1000 deep: check those first, outside and inside of strings.
 */
static const char *
prescan(const char *text, size_t len)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\0')
			return "holds a NUL byte";
		if (quoted && (unsigned char)c < 0x20)
			return "has a control character in a string";
		if (quoted && c == '\\') {
			if (len - i > 5 && memcmp(text + i + 1, "u0000", 5) == 0)
				return "holds a NUL character";
			i++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == '[' || c == '{')) {
			if (++depth > JSON_DEPTH_MAX)
				return "is nested too deeply";
		} else if (!quoted && (c == ']' || c == '}')) {
			depth--;
		}
	}
	return NULL;
}

/*
 * Comparing every pair is quadratic, so an object's size is bounded: a document
 * made of one huge object must not hold up the loop.
 */
static const char *
check_members(const cJSON *value)
{
	const char *trouble = NULL;
	size_t n = 0;

	for (const cJSON *a = value->child; a != NULL && trouble == NULL; a = a->next) {
		trouble = check_members(a);
		if (a->string == NULL)
			continue;
		if (++n > JSON_MEMBERS_MAX)
			return "has too many members";
		for (const cJSON *b = value->child; b != a && trouble == NULL; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				trouble = "has a key twice";
	}
	return trouble;
}

cJSON *
json_parse(const char *text, size_t len, const char **why)
{
	const char *end = NULL, *trouble = prescan(text, len);
	cJSON *value = NULL;

	if (trouble == NULL) {
		value = cJSON_ParseWithLengthOpts(text, len, &end, false);
		if (value == NULL)
			trouble = "is not JSON";
	}
	if (trouble == NULL) {
		while (end < text + len && blank(*end))
			end++;
		if (end != text + len)
			trouble = "has something behind its end";
		else
			trouble = check_members(value);
	}
	if (trouble != NULL) {
		cJSON_Delete(value);
		value = NULL;
	}
	if (why != NULL)
		*why = trouble;
	return value;
}

static const cJSON *
member(const cJSON *object, const char *key)
{
	return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const char *
json_text(const cJSON *object, const char *key)
{
	const cJSON *m = member(object, key);

	return cJSON_IsString(m) ? m->valuestring : NULL;
}

bool
json_int(const cJSON *object, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const cJSON *m = member(object, key);

	/* a double holds whole numbers exactly up to 2^53 */
	if (!cJSON_IsNumber(m) || !isfinite(m->valuedouble) ||
	    trunc(m->valuedouble) != m->valuedouble || fabs(m->valuedouble) > 9007199254740992.0)
		return false;
	if ((int64_t)m->valuedouble < min || (int64_t)m->valuedouble > max)
		return false;
	*out = (int64_t)m->valuedouble;
	return true;
}

bool
json_bool(const cJSON *object, const char *key, bool *out)
{
	const cJSON *m = member(object, key);

	if (!cJSON_IsBool(m))
		return false;
	*out = cJSON_IsTrue(m);
	return true;
}

bool
json_copy(const cJSON *object, const char *key, char *dst, size_t size)
{
	const char *text = json_text(object, key);

	dst[0] = '\0';
	if (text == NULL || strlen(text) >= size)
		return false;
	memcpy(dst, text, strlen(text) + 1);
	return true;
}

const cJSON *
json_array(const cJSON *object, const char *key)
{
	const cJSON *m = member(object, key);

	return cJSON_IsArray(m) ? m : NULL;
}

const cJSON *
json_object(const cJSON *object, const char *key)
{
	const cJSON *m = member(object, key);

	return cJSON_IsObject(m) ? m : NULL;
}

/* The length of the UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0 if none. */
static size_t
utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;

	if (n == 1)
		return 1;
	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

void
json_quote(struct buf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	buf_addc(b, '"');
	while (*s != '\0') {
		size_t n = utf8_length(s);

		if (n == 0) {
			buf_adds(b, "\xEF\xBF\xBD");
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			buf_addc(b, '\\');
			buf_addc(b, (char)*s);
		} else if (*s == '\n') {
			buf_adds(b, "\\n");
		} else if (*s < 0x20 || *s == 0x7F) {
			buf_printf(b, "\\u%04x", *s);
		} else {
			buf_add(b, s, n);
		}
		s += n;
	}
	buf_addc(b, '"');
}

char *
json_print(const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	if (text == NULL)
		abort(); /* out of memory: it has no other way to fail */
	return text;
}
