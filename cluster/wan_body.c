/* The bodies of the requests that change the ConfigMap. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/leadership.h"
#include "cluster/wan_private.h"
#include "common/buf.h"
#include "common/clock.h"
#include "ipc/text.h"

#define PAIRS_MAX 12

/* The keys and their texts, in the order in which they are written. */
struct pairs {
	size_t n;
	const char *key[PAIRS_MAX];
	char *text[PAIRS_MAX]; /* owned */
};

static void
add_text(struct pairs *p, const char *key, const char *text)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, text);
	p->key[p->n] = key;
	p->text[p->n++] = buf_take(&b);
}

static void
take_text(struct pairs *p, const char *key, char *text)
{
	p->key[p->n] = key;
	p->text[p->n++] = text;
}

static void
add_number(struct pairs *p, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add_text(p, key, text);
}

static void
add_time(struct pairs *p, const char *key, int64_t wall_ms)
{
	char text[32];

	add_text(p, key, clock_iso(wall_ms, text, sizeof(text)));
}

static void
add_address(struct pairs *p, const char *key, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	add_text(p, key, address_format(a, text, sizeof(text)));
}

static void
collect(struct pairs *p, const struct api_fence *fence, const struct wan_content *content)
{
	char clean[MSG_HOLDER_MAX];

	p->n = 0;
	add_number(p, "epoch", fence->epoch);
	text_clean(clean, sizeof(clean), fence->holder);
	add_text(p, "holder", clean);
	add_number(p, "sequence", fence->sequence);
	if (content == NULL)
		return;
	add_address(p, "current_ip", &content->wan.ipv4.address);
	add_address(p, "current_ip6", &content->wan.ipv6.address);
	add_time(p, "detected_at", content->wan.ipv4.detected_at);
	add_time(p, "detected_at6", content->wan.ipv6.detected_at);
	add_time(p, "timestamp", content->timestamp);
	text_clean(clean, WAN_PUBLISHER_MAX, content->publisher);
	add_text(p, "publisher", clean);
	add_number(p, "followers", content->followers);
	take_text(p, "votes", wan_votes_print(&content->wan));
	take_text(p, "changes", wan_changes_print(&content->wan));
}

static void
pairs_clear(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->text[i]);
	p->n = 0;
}

/* cJSON says only by NULL that memory cannot be had. */
static cJSON *
made(cJSON *value)
{
	if (value == NULL)
		abort();
	return value;
}

/* Puts the value under the key, in the place of what is there. */
static void
set(cJSON *object, const char *key, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	if (!cJSON_AddItemToObject(object, key, made(value)))
		abort();
}

/* The member as an object; what is none is replaced by an empty one. */
static cJSON *
sub_object(cJSON *object, const char *key)
{
	cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);

	if (cJSON_IsObject(m))
		return m;
	set(object, key, cJSON_CreateObject());
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void
set_pairs(cJSON *data, const struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++)
		set(data, p->key[i], cJSON_CreateString(p->text[i]));
}

cJSON *
wan_object_new(const char *name, const struct api_fence *fence, const struct wan_content *content)
{
	cJSON *o = made(cJSON_CreateObject());
	struct pairs p;

	set(o, "apiVersion", cJSON_CreateString("v1"));
	set(o, "kind", cJSON_CreateString("ConfigMap"));
	set(sub_object(o, "metadata"), "name", cJSON_CreateString(name));
	collect(&p, fence, content);
	set_pairs(sub_object(o, "data"), &p);
	pairs_clear(&p);
	return o;
}

/* The API refuses an object that has a key in data and in binaryData: ours wins. */
static void
clear_binary(cJSON *o)
{
	cJSON *next, *binary = cJSON_GetObjectItemCaseSensitive(o, "binaryData");

	if (!cJSON_IsObject(binary))
		return;
	for (cJSON *m = binary->child; m != NULL; m = next) {
		next = m->next;
		if (m->string != NULL && wan_is_own_key(m->string))
			cJSON_Delete(cJSON_DetachItemViaPointer(binary, m));
	}
}

cJSON *
wan_object_claim(const cJSON *object, const struct api_fence *fence,
		 const struct wan_content *content)
{
	cJSON *o = cJSON_IsObject(object) ? made(cJSON_Duplicate(object, true))
					  : made(cJSON_CreateObject());
	cJSON *metadata = sub_object(o, "metadata");
	struct pairs p;

	if (fence->uid[0] != '\0')
		set(metadata, "uid", cJSON_CreateString(fence->uid));
	if (fence->version[0] != '\0')
		set(metadata, "resourceVersion", cJSON_CreateString(fence->version));
	clear_binary(o);
	collect(&p, fence, content);
	set_pairs(sub_object(o, "data"), &p);
	pairs_clear(&p);
	return o;
}

/* --- JSON Patch (RFC 6902) ----------------------------------------------------------------------
 */

/* text NULL: null, which a test finds where there is no such key (checked with kube-apiserver). */
static void
add_operation(cJSON *patch, const char *op, const char *parent, const char *key, const char *text)
{
	cJSON *o = made(cJSON_CreateObject());
	struct buf path = BUF_INIT;

	buf_adds(&path, parent);
	for (; *key != '\0'; key++) { /* RFC 6901, section 3 */
		if (*key == '~')
			buf_adds(&path, "~0");
		else if (*key == '/')
			buf_adds(&path, "~1");
		else
			buf_addc(&path, *key);
	}
	set(o, "op", cJSON_CreateString(op));
	set(o, "path", cJSON_CreateString(buf_text(&path)));
	set(o, "value", text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull());
	if (!cJSON_AddItemToArray(patch, o))
		abort();
	buf_free(&path);
}

static void
add_tests(cJSON *patch, const struct api_fence *tested, unsigned tests)
{
	char number[24];

	if (tests & LEADERSHIP_TEST_UID)
		add_operation(patch, "test", "/metadata/", "uid", tested->uid);
	if (tests & LEADERSHIP_TEST_EPOCH) {
		snprintf(number, sizeof(number), "%" PRId64, tested->epoch);
		add_operation(patch, "test", "/data/", "epoch", number);
	}
	if (tests & LEADERSHIP_TEST_HOLDER)
		add_operation(patch, "test", "/data/", "holder", tested->holder);
	if (tests & LEADERSHIP_TEST_SEQUENCE) {
		snprintf(number, sizeof(number), "%" PRId64, tested->sequence);
		add_operation(patch, "test", "/data/", "sequence", number);
	}
}

cJSON *
wan_object_patch(const struct api_fence *tested, unsigned tests, const struct api_fence *fence,
		 const struct wan_content *content)
{
	cJSON *patch = made(cJSON_CreateArray());
	struct pairs p;

	add_tests(patch, tested, tests);
	collect(&p, fence, content);
	for (size_t i = 0; i < p.n; i++)
		add_operation(patch, "add", "/data/", p.key[i], p.text[i]);
	pairs_clear(&p);
	return patch;
}

cJSON *
wan_records_patch(const struct api_fence *tested, unsigned tests,
		  const struct wan_record_change *changes, size_t n)
{
	cJSON *patch = made(cJSON_CreateArray());

	add_tests(patch, tested, tests);
	for (size_t i = 0; i < n; i++)
		if (changes[i].test_old)
			add_operation(patch, "test", "/data/", changes[i].key, changes[i].old);
	for (size_t i = 0; i < n; i++) {
		char *text = wan_record_print(changes[i].record);

		add_operation(patch, "add", "/data/", changes[i].key, text);
		free(text);
	}
	return patch;
}
