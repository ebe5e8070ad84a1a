#include "common/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* cJSON reads no longer number in one piece */
#define NUMBER_MAX 63

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * The length of the UTF-8 sequence at s, of which left bytes may be read (RFC
 * 3629: no overlong forms, no surrogates); 0 if there is none.
 */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;

	if (n == 1)
		return 1;
	if (s[0] < 0xC2 || s[0] > 0xF4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

static bool
is_digit(const char *s, const char *end)
{
	return s < end && *s >= '0' && *s <= '9';
}

static const char *
skip_digits(const char *s, const char *end)
{
	while (is_digit(s, end))
		s++;
	return s;
}

/* RFC 8259, section 6. Moves *at behind the number. */
static const char *
scan_number(const char **at, const char *end)
{
	static const char malformed[] = "has a malformed number";
	const char *s = *at, *first = *at;

	s += *s == '-';
	if (!is_digit(s, end))
		return malformed;
	s = *s == '0' ? s + 1 : skip_digits(s, end);
	if (s < end && *s == '.') {
		if (!is_digit(++s, end))
			return malformed;
		s = skip_digits(s, end);
	}
	if (s < end && (*s == 'e' || *s == 'E')) {
		s++;
		s += s < end && (*s == '+' || *s == '-');
		if (!is_digit(s, end))
			return malformed;
		s = skip_digits(s, end);
	}
	if (s < end && memchr("0123456789+-.eE", *s, 15) != NULL)
		return malformed;
	*at = s;
	return s - first > NUMBER_MAX ? "has a number that is too long" : NULL;
}

/* RFC 8259, section 7. *at is the backslash; moves behind the escape. */
static const char *
scan_escape(const char **at, const char *end)
{
	const char *s = *at + 1;

	if (s == end || memchr("\"\\/bfnrtu", *s, 9) == NULL)
		return "is not JSON";
	if (*s == 'u') {
		/* cJSON takes what is no digit for a zero, and so would make a NUL of it */
		for (int i = 1; i <= 4; i++)
			if (end - s <= i || !isxdigit((unsigned char)s[i]))
				return "is not JSON";
		if (memcmp(s + 1, "0000", 4) == 0)
			return "holds a NUL character";
		s += 4;
	}
	*at = s + 1;
	return NULL;
}

/* *at is behind the opening quote; moves behind the closing one. */
static const char *
scan_string(const char **at, const char *end)
{
	const char *s = *at, *trouble = NULL;

	while (s < end && *s != '"') {
		size_t n = utf8_length((const unsigned char *)s, (size_t)(end - s));

		if (*s == '\0')
			return "holds a NUL byte";
		if ((unsigned char)*s < 0x20)
			return "has a control character in a string";
		if (n == 0)
			return "is not UTF-8";
		if (*s != '\\')
			s += n;
		else if ((trouble = scan_escape(&s, end)) != NULL)
			return trouble;
	}
	if (s == end)
		return "is not JSON";
	*at = s + 1;
	return NULL;
}

/*
 * cJSON takes much that JSON is not: a byte order mark, control characters as
 * white space, 01 and 1. as numbers, bytes that are not UTF-8; a NUL ends its
 * text, \u0000 cuts a string, and it nests up to 1000 deep. So tokens and depth
 * are checked before; cJSON then checks how they follow each other.
 */
static const char *
prescan(const char *text, size_t len)
{
	const char *s = text, *end = text + len, *trouble = NULL;
	int depth = 0;

	while (s < end && trouble == NULL) {
		unsigned char c = (unsigned char)*s;

		if (c == '-' || (c >= '0' && c <= '9')) {
			trouble = scan_number(&s, end);
			continue;
		}
		s++;
		if (c == '"')
			trouble = scan_string(&s, end);
		else if (c == '\0')
			trouble = "holds a NUL byte";
		else if (c < 0x20 && !blank((char)c))
			trouble = "has a control character";
		else if (c >= 0x80)
			trouble = "is not JSON";
		else if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			trouble = "is nested too deeply";
		else if (c == ']' || c == '}')
			depth--;
	}
	return trouble;
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

void
json_quote(struct buf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	buf_addc(b, '"');
	while (*s != '\0') {
		size_t n = utf8_length(s, 4); /* the NUL ends a sequence that is cut off */

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
		} else if (*s == 0xC2 && s[1] < 0xA0) {
			/* U+0080 to U+009F: a terminal obeys some of them */
			buf_printf(b, "\\u%04x", s[1]);
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
