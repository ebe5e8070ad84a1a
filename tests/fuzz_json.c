/* The JSON that all others build on. */
#include "common/json.h"
#include "tests/fuzz.h"

/* No document that is accepted nests deeper, has a key twice, or holds what is no number. */
static void
check_value(const cJSON *value, int depth)
{
	const cJSON *item, *other;
	int members = 0;

	REQUIRE(depth <= JSON_DEPTH_MAX);
	cJSON_ArrayForEach(item, value)
	{
		check_value(item, depth + (cJSON_IsArray(item) || cJSON_IsObject(item)));
		if (!cJSON_IsObject(value))
			continue;
		REQUIRE(item->string != NULL && ++members <= JSON_MEMBERS_MAX);
		for (other = value->child; other != item; other = other->next)
			REQUIRE(strcmp(item->string, other->string) != 0);
	}
}

/* Every text of the document, quoted, is JSON again and the same text. */
static void
check_quoting(const cJSON *value)
{
	struct buf b = BUF_INIT;
	const cJSON *item;
	cJSON *again;

	cJSON_ArrayForEach(item, value) check_quoting(item);
	if (!cJSON_IsString(value))
		return;
	json_quote(&b, value->valuestring);
	for (size_t i = 0; i < b.len; i++)
		REQUIRE((unsigned char)b.data[i] >= 0x20 && b.data[i] != 0x7F);
	again = json_parse(b.data, b.len, NULL);
	REQUIRE(cJSON_IsString(again) && strcmp(again->valuestring, value->valuestring) == 0);
	cJSON_Delete(again);
	buf_free(&b);
}

static void
check_accessors(const cJSON *value)
{
	char text[8];
	int64_t number;
	bool flag;

	if (json_int(value, "n", -5, 1000, &number))
		REQUIRE(number >= -5 && number <= 1000);
	if (json_copy(value, "t", text, sizeof(text)))
		REQUIRE(strcmp(text, json_text(value, "t")) == 0);
	else
		REQUIRE(text[0] == '\0');
	if (json_bool(value, "b", &flag))
		REQUIRE(flag || !flag);
	REQUIRE(json_array(value, "a") == NULL || json_object(value, "a") == NULL);
}

static void
check_accepted(const char *text, size_t size, cJSON *value)
{
	char *printed = json_print(value);
	cJSON *again = json_parse(printed, strlen(printed), NULL);

	REQUIRE(memchr(text, '\0', size) == NULL);
	check_value(value, cJSON_IsArray(value) || cJSON_IsObject(value));
	check_quoting(value);
	check_accessors(value);
	/* numbers out of a double's reach become null, and compare as different */
	REQUIRE(again != NULL);
	cJSON_Delete(again);
	free(printed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = "";
	cJSON *value = json_parse((const char *)data, size, &why);

	if (value != NULL) {
		REQUIRE(why == NULL);
		check_accepted((const char *)data, size, value);
	} else {
		REQUIRE(fuzz_is_phrase(why));
	}
	cJSON_Delete(value);
	return 0;
}
