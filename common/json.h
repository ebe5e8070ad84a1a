/* Strict JSON on top of cJSON: bounded, nothing behind the value, typed access. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* How deep a document from outside may nest. */
#define JSON_DEPTH_MAX 32
/* How many members one object may have. */
#define JSON_MEMBERS_MAX 512

/*
 * Parse exactly len bytes as one JSON value (RFC 8259, UTF-8); white space may
 * surround it. NULL if it is not JSON, has something behind it, holds a NUL
 * (\u0000 too), a key twice in one object, more than JSON_MEMBERS_MAX members
 * in one, or nests deeper than JSON_DEPTH_MAX; *why (if not NULL) then says
 * which, as a phrase. Free it with cJSON_Delete().
 */
cJSON *json_parse(const char *text, size_t len, const char **why);

/* The member's text, or NULL if there is none or it is not a string. */
const char *json_text(const cJSON *object, const char *key);
/* False if the member is absent or not a whole number from min to max. */
bool json_int(const cJSON *object, const char *key, int64_t min, int64_t max, int64_t *out);
/* False if the member is absent or not true or false. */
bool json_bool(const cJSON *object, const char *key, bool *out);
/* Copies the member's text; false (and "" in dst) if it is absent, no text, or too long. */
bool json_copy(const cJSON *object, const char *key, char *dst, size_t size);
/* The member as an array or an object; NULL if it is absent or something else. */
const cJSON *json_array(const cJSON *object, const char *key);
const cJSON *json_object(const cJSON *object, const char *key);

/*
 * Append text as a quoted JSON string. Bytes that are not UTF-8 become U+FFFD;
 * no control character, of ASCII or of U+0080 to U+009F, comes through as such.
 */
void json_quote(struct buf *b, const char *text);
/* The value on one line, without white space; free() it. Never NULL. */
char *json_print(const cJSON *value);

#endif
