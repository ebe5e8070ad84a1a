#include "detector/answer.h"

#include <stdbool.h>
#include <string.h>

#include "common/json.h"

static const char *const format_names[ANSWER_FORMAT__MAX] = {
	[ANSWER_PLAIN] = "plain",
	[ANSWER_TRACE] = "trace",
	[ANSWER_JSON] = "json",
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word from *pos on, as [start, start + length); 0 at the end. */
static size_t
next_word(const char *text, size_t len, size_t *pos, const char **start)
{
	size_t begin;

	while (*pos < len && is_space(text[*pos]))
		(*pos)++;
	begin = *pos;
	while (*pos < len && !is_space(text[*pos]))
		(*pos)++;
	*start = text + begin;
	return *pos - begin;
}

/* Why digits and dots alone are not an IPv4 address. */
static const char *
dotted_fault(const char *text, size_t len)
{
	size_t dots = 0, digits = 0;
	bool zeros = false, empty = false;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.') {
			digits++;
			continue;
		}
		empty |= digits == 0;
		zeros |= digits > 1 && text[i - digits] == '0';
		dots += i < len;
		digits = 0;
	}
	if (dots != 3 || empty)
		return "has dots and digits, but not exactly four numbers";
	return zeros ? "has an address with leading zeros" : "has a number above 255";
}

static const char *
fault_of(const char *text, size_t len)
{
	bool dotted = len > 0;

	for (size_t i = 0; i < len; i++)
		dotted &= text[i] == '.' || (text[i] >= '0' && text[i] <= '9');
	return dotted ? dotted_fault(text, len) : "is not an address";
}

static bool
is_v4_mapped(const struct address *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return a->family == ADDRESS_IPV6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

/* Exactly one address of the wanted family, with nothing around it. */
static int
read_address(const char *text, size_t len, enum address_family wanted, struct address *out,
	     const char **why)
{
	struct address a;

	if (!address_parse(text, len, &a)) {
		*why = fault_of(text, len);
		return -1;
	}
	if (is_v4_mapped(&a)) {
		*why = "is an IPv4-mapped IPv6 address";
		return -1;
	}
	if (a.family != wanted) {
		*why = wanted == ADDRESS_IPV4 ? "is an IPv6 address, IPv4 was asked for"
					      : "is an IPv4 address, IPv6 was asked for";
		return -1;
	}
	*out = a;
	return 0;
}

static int
parse_plain(const char *body, size_t len, enum address_family wanted, struct address *out,
	    const char **why)
{
	const char *word, *second;
	struct address other;
	size_t pos = 0, word_len = next_word(body, len, &pos, &word);
	size_t second_len = next_word(body, len, &pos, &second);

	if (word_len == 0) {
		*why = "is empty";
		return -1;
	}
	if (*word == '<') {
		*why = "is an HTML page, not an address";
		return -1;
	}
	if (second_len > 0) {
		*why = address_parse(word, word_len, &other) &&
				       address_parse(second, second_len, &other)
			       ? "has more than one address"
			       : "has more in it than an address";
		return -1;
	}
	return read_address(word, word_len, wanted, out, why);
}

static bool
is_trace_key(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-')
			return false;
	}
	return len > 0;
}

static int
parse_trace(const char *body, size_t len, enum address_family wanted, struct address *out,
	    const char **why)
{
	const char *ip = NULL;
	size_t ip_len = 0;

	for (size_t pos = 0; pos < len;) {
		const char *line = body + pos, *end = memchr(line, '\n', len - pos), *sign;
		size_t line_len = end ? (size_t)(end - line) : len - pos;

		pos += line_len + 1;
		if (line_len > 0 && line[line_len - 1] == '\r')
			line_len--;
		if (line_len == 0)
			continue;
		sign = memchr(line, '=', line_len);
		if (!sign || !is_trace_key(line, (size_t)(sign - line))) {
			*why = "has a line that is not key=value";
			return -1;
		}
		if (sign - line != 2 || memcmp(line, "ip", 2) != 0)
			continue;
		if (ip) {
			*why = "has more than one ip= line";
			return -1;
		}
		ip = sign + 1;
		ip_len = line_len - 3;
	}
	if (!ip) {
		*why = "has no ip= line";
		return -1;
	}
	return read_address(ip, ip_len, wanted, out, why);
}

static int
parse_json(const char *key, const char *body, size_t len, enum address_family wanted,
	   struct address *out, const char **why)
{
	cJSON *value = json_parse(body, len, NULL);
	const char *text;
	int result = -1;

	if (!cJSON_IsObject(value)) {
		*why = value ? "is not a JSON object" : "is not JSON";
		goto out;
	}
	text = json_text(value, key);
	if (!text) {
		*why = "has no text under the configured key";
		goto out;
	}
	result = read_address(text, strlen(text), wanted, out, why);
out:
	cJSON_Delete(value);
	return result;
}

int
answer_parse(enum answer_format format, const char *key, const char *body, size_t len,
	     enum address_family wanted, struct address *out, const char **why)
{
	*out = (struct address){ .family = ADDRESS_NONE };
	*why = "";
	if (len > ANSWER_BODY_MAX) {
		*why = "is larger than 4 KiB";
		return -1;
	}
	if (len > 0 && memchr(body, '\0', len)) {
		*why = "has a NUL byte";
		return -1;
	}
	switch (format) {
	case ANSWER_PLAIN:
		return parse_plain(body, len, wanted, out, why);
	case ANSWER_TRACE:
		return parse_trace(body, len, wanted, out, why);
	case ANSWER_JSON:
		return parse_json(key, body, len, wanted, out, why);
	case ANSWER_FORMAT__MAX:
		break;
	}
	*why = "has an unknown format";
	return -1;
}

enum answer_format
answer_format_of(const char *name)
{
	enum answer_format f = ANSWER_PLAIN;

	while (f < ANSWER_FORMAT__MAX && strcmp(format_names[f], name) != 0)
		f++;
	return f;
}
