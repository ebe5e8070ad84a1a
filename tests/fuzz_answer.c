/*
 * What echo services answer. The choices: p, t or j for the format, then 4 or 6
 * for the family that was asked for.
 */
#include "common/json.h"
#include "detector/answer.h"
#include "tests/fuzz.h"

#define KEY "ip"

static bool
choose(const char *choices, enum answer_format *format, enum address_family *wanted)
{
	*format = choices[0] == 'p'   ? ANSWER_PLAIN
		  : choices[0] == 't' ? ANSWER_TRACE
		  : choices[0] == 'j' ? ANSWER_JSON
				      : ANSWER_FORMAT__MAX;
	*wanted = choices[0] != '\0' && choices[1] == '6' ? ADDRESS_IPV6 : ADDRESS_IPV4;
	return *format != ANSWER_FORMAT__MAX;
}

/* The only text that may have become the address; free() it. */
static char *
source_of(enum answer_format format, const char *body, size_t len)
{
	char *text = strndup(body, len), *start = text, *end;

	REQUIRE(text != NULL);
	if (format == ANSWER_JSON) {
		cJSON *value = json_parse(body, len, NULL);

		free(text);
		REQUIRE(json_text(value, KEY) != NULL);
		text = strdup(json_text(value, KEY));
		cJSON_Delete(value);
		return text;
	}
	if (format == ANSWER_TRACE) {
		while (strncmp(start, "ip=", 3) != 0) {
			start = strchr(start, '\n');
			REQUIRE(start != NULL);
			start++;
		}
		start += 3;
	}
	start += format == ANSWER_PLAIN ? strspn(start, " \t\r\n") : 0;
	end = start + strcspn(start, format == ANSWER_PLAIN ? " \t\r\n" : "\n");
	if (end > start && end[-1] == '\r')
		end--;
	*end = '\0';
	memmove(text, start, strlen(start) + 1);
	return text;
}

static void
check_accepted(enum answer_format format, const char *body, size_t len, enum address_family wanted,
	       const struct address *a)
{
	char *source = source_of(format, body, len);
	struct address from_source;

	REQUIRE(a->family == wanted);
	REQUIRE(address_parse_text(source, &from_source) && address_equal(a, &from_source));
	free(source);
}

/* A plain answer stays what it is with white space around it, and is none with more in it. */
static void
check_surroundings(const char *body, size_t len, enum address_family wanted,
		   const struct address *a)
{
	char *around = malloc(len + 8);
	struct address again;
	const char *why;

	REQUIRE(around != NULL);
	memcpy(around, " \r\n", 3);
	memcpy(around + 3, body, len);
	memcpy(around + 3 + len, "\n", 1);
	if (len + 4 <= ANSWER_BODY_MAX)
		REQUIRE(answer_parse(ANSWER_PLAIN, NULL, around, len + 4, wanted, &again, &why) ==
				0 &&
			address_equal(a, &again));
	memcpy(around + 3 + len, " x", 2);
	REQUIRE(answer_parse(ANSWER_PLAIN, NULL, around, len + 5, wanted, &again, &why) != 0);
	free(around);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum address_family wanted;
	enum answer_format format;
	struct fuzz_input in;
	struct address a;
	const char *why;

	if (!fuzz_split(&in, data, size) || !choose(in.choices, &format, &wanted))
		return 0;
	if (answer_parse(format, KEY, in.text, in.len, wanted, &a, &why) == 0) {
		REQUIRE(why[0] == '\0' && in.len <= ANSWER_BODY_MAX);
		check_accepted(format, in.text, in.len, wanted, &a);
		if (format == ANSWER_PLAIN)
			check_surroundings(in.text, in.len, wanted, &a);
	} else {
		REQUIRE(fuzz_is_phrase(why) && a.family == ADDRESS_NONE);
	}
	return 0;
}
