#include "cluster/wan_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/wan_private.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "ipc/message_private.h"

/* The keys that stand for single values. */
static const char *const own_keys[] = { "current_ip", "current_ip6", "detected_at", "detected_at6",
					"timestamp",  "epoch",       "sequence",    "holder",
					"publisher",  "followers",   "votes",       "changes" };
#define OWN_KEYS (sizeof(own_keys) / sizeof(own_keys[0]))

/* --- reading ---------------------------------------------------------------------------------- */

/* The object's data, and which of its keys cannot be used. */
struct reader {
	const cJSON *data;
	struct buf bad;
};

static void
refuse(struct reader *r, const char *key)
{
	buf_printf(&r->bad, "%s%s", r->bad.len > 0 ? ", " : "", key);
}

/* NULL if the key is absent or empty; what is no text is refused. */
static const char *
text_of(struct reader *r, const char *key)
{
	const cJSON *m =
		cJSON_IsObject(r->data) ? cJSON_GetObjectItemCaseSensitive(r->data, key) : NULL;

	if (m != NULL && !cJSON_IsString(m)) {
		refuse(r, key);
		return NULL;
	}
	return m != NULL && m->valuestring[0] != '\0' ? m->valuestring : NULL;
}

/* Canonical: no sign, no leading zero, nothing around it. fallback if it is absent or refused. */
static int64_t
number_of(struct reader *r, const char *key, int64_t min, int64_t max, int64_t fallback)
{
	const char *text = text_of(r, key);
	int64_t value = 0;
	size_t len;

	if (text == NULL)
		return fallback;
	len = strspn(text, "0123456789");
	if (text[len] != '\0' || len > 16 || (text[0] == '0' && len > 1)) {
		refuse(r, key);
		return fallback;
	}
	for (; *text != '\0'; text++)
		value = value * 10 + (*text - '0');
	if (value >= min && value <= max)
		return value;
	refuse(r, key);
	return fallback;
}

static int64_t
time_of(struct reader *r, const char *key)
{
	const char *text = text_of(r, key);
	int64_t value = text != NULL && strnlen(text, 65) <= 64 ? clock_parse_iso(text) : 0;

	if (text != NULL && value == 0)
		refuse(r, key);
	return value;
}

static struct address
address_of(struct reader *r, const char *key, enum address_family family)
{
	const char *text = text_of(r, key);
	struct address a = { .family = ADDRESS_NONE };

	if (text == NULL || (address_parse_text(text, &a) && a.family == family))
		return a;
	refuse(r, key);
	return (struct address){ .family = ADDRESS_NONE };
}

/* Printable ASCII without spaces, to be compared or dialled: it is not cleaned but refused. */
static bool
is_plain(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void
name_of(struct reader *r, const char *key, const char *prefix, char *out, size_t size)
{
	const char *text = text_of(r, key);

	out[0] = '\0';
	if (text == NULL)
		return;
	if (is_plain(text, size) && strncmp(text, prefix, strlen(prefix)) == 0)
		memcpy(out, text, strlen(text) + 1);
	else
		refuse(r, key);
}

/* What identifies the object; the API server always says it. */
static void
read_metadata(struct reader *r, const cJSON *object, struct api_fence *fence)
{
	const cJSON *metadata = json_object(object, "metadata");
	const char *uid = json_text(metadata, "uid");
	const char *version = json_text(metadata, "resourceVersion");
	bool immutable;

	if (uid != NULL && is_plain(uid, sizeof(fence->uid)))
		memcpy(fence->uid, uid, strlen(uid) + 1);
	else
		refuse(r, "metadata.uid");
	if (version != NULL && is_plain(version, sizeof(fence->version)))
		memcpy(fence->version, version, strlen(version) + 1);
	else
		refuse(r, "metadata.resourceVersion");
	fence->immutable = json_bool(object, "immutable", &immutable) && immutable;
}

bool
wan_is_own_key(const char *key)
{
	if (strncmp(key, WAN_RECORD_PREFIX, strlen(WAN_RECORD_PREFIX)) == 0)
		return true;
	for (size_t i = 0; i < OWN_KEYS; i++)
		if (strcmp(key, own_keys[i]) == 0)
			return true;
	return false;
}

/* A key can stand in data or in binaryData, and in the latter keeps it from being written. */
static void
read_binary(struct reader *r, const cJSON *object)
{
	const cJSON *m, *binary = json_object(object, "binaryData");

	if (binary == NULL)
		return;
	cJSON_ArrayForEach(m, binary)
	{
		if (m->string != NULL && wan_is_own_key(m->string)) {
			refuse(r, "binaryData");
			return;
		}
	}
}

static void
read_family(struct reader *r, bool voted, enum address_family family, struct wan_content *content)
{
	bool v6 = family == ADDRESS_IPV6;
	struct msg_wan_family *f = msg_wan_family(&content->wan, family);
	struct address voted_for = f->address;

	f->address = address_of(r, v6 ? "current_ip6" : "current_ip", family);
	/* a person's address must not be taken for one that a round has confirmed */
	if (voted && voted_for.family != ADDRESS_NONE && !address_equal(&f->address, &voted_for)) {
		refuse(r, v6 ? "current_ip6" : "current_ip");
		f->address = (struct address){ .family = ADDRESS_NONE };
		f->confirmed_at = 0;
	}
	f->detected_at = time_of(r, v6 ? "detected_at6" : "detected_at");
	f->confirmed_age_ms = f->checked_age_ms = -1;
	if (!voted && f->address.family != ADDRESS_NONE)
		f->confirmed_at = content->timestamp;
}

static void
read_content(struct reader *r, const struct api_fence *fence, struct wan_content *content)
{
	struct msg_wan *wan = &content->wan;
	const char *text = text_of(r, "votes");
	bool voted = text != NULL && wan_votes_parse(text, wan);

	if (text != NULL && !voted)
		refuse(r, "votes");
	text = text_of(r, "changes");
	if (text != NULL && !wan_changes_parse(text, wan))
		refuse(r, "changes");
	content->timestamp = time_of(r, "timestamp");
	read_family(r, voted, ADDRESS_IPV4, content);
	read_family(r, voted, ADDRESS_IPV6, content);
	name_of(r, "publisher", "tcp://", content->publisher, sizeof(content->publisher));
	content->followers = (unsigned)number_of(r, "followers", 0, 1000000, 0);
	memcpy(wan->uid, fence->uid, sizeof(wan->uid));
	memcpy(wan->holder, fence->holder, sizeof(wan->holder));
	wan->epoch = fence->epoch;
	wan->sequence = fence->sequence;
}

void
wan_object_read(const cJSON *object, struct api_fence *fence, struct wan_content *content,
		char *trouble)
{
	struct reader r = { .data = json_object(object, "data"), .bad = BUF_INIT };

	*fence = (struct api_fence){ .epoch = 0 };
	*content = (struct wan_content){ .timestamp = 0 };
	read_metadata(&r, object, fence);
	if (r.data == NULL && cJSON_IsObject(object) &&
	    cJSON_GetObjectItemCaseSensitive(object, "data") != NULL)
		refuse(&r, "data");
	fence->epoch = number_of(&r, "epoch", 1, MSG_EPOCH_MAX, 0);
	fence->sequence = number_of(&r, "sequence", 0, MSG_NUMBER_MAX, 0);
	name_of(&r, "holder", "", fence->holder, sizeof(fence->holder));
	read_content(&r, fence, content);
	read_binary(&r, object);
	trouble[0] = '\0';
	if (r.bad.len > 0)
		snprintf(trouble, MSG_REASON_MAX,
			 "in the ConfigMap these cannot be used, and count as absent: %s",
			 buf_text(&r.bad));
	buf_free(&r.bad);
}
