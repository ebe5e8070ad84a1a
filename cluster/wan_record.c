/* The ConfigMap's record.<fqdn>.<type>: its name and its text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/wan_private.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/message_private.h"
#include "ipc/text.h"

/* apimachinery, IsConfigMapKey: at most 253 of A-Z a-z 0-9 - _ . */
#define KEY_MAX 253
#define NAME_KEEP 200

/* --- the key --------------------------------------------------------------------------------- */

/* FNV-1a: it only keeps two very long names apart. */
static unsigned long long
hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return h;
}

static void
add_name(struct buf *b, const char *fqdn)
{
	for (const char *s = fqdn; *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			buf_addc(b, (char)(*s - 'A' + 'a')); /* RFC 4343: the same name */
		else if (*s == '*')
			buf_adds(b, "_wildcard");
		else if ((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-' ||
			 *s == '.')
			buf_addc(b, *s);
		else
			buf_addc(b, '_');
	}
}

const char *
wan_record_key(const char *fqdn, enum address_family family, char *out, size_t size)
{
	const char *type = address_record_type(family);
	struct buf name = BUF_INIT;

	add_name(&name, fqdn);
	if (strlen(WAN_RECORD_PREFIX) + name.len + 1 + strlen(type) <= KEY_MAX)
		snprintf(out, size, WAN_RECORD_PREFIX "%s.%s", buf_text(&name), type);
	else
		snprintf(out, size, WAN_RECORD_PREFIX "%.*s_%016llx.%s", NAME_KEEP, buf_text(&name),
			 hash(buf_text(&name)), type);
	buf_free(&name);
	return out;
}

/* --- its text -------------------------------------------------------------------------------- */

static void
put_text(struct buf *b, const char *key, const char *text, size_t size)
{
	char clean[MSG_HREF_MAX];

	text_clean(clean, size < sizeof(clean) ? size : sizeof(clean), text);
	buf_printf(b, "%c\"%s\":", b->len == 0 ? '{' : ',', key);
	json_quote(b, clean);
}

static void
put_bool(struct buf *b, const char *key, bool value)
{
	buf_printf(b, ",\"%s\":%s", key, value ? "true" : "false");
}

char *
wan_record_print(const struct wan_record *r)
{
	char text[ADDRESS_TEXT_MAX];
	struct buf b = BUF_INIT;
	int64_t ttl = r->ttl < 0 ? 0 : r->ttl > MSG_TTL_MAX ? MSG_TTL_MAX : r->ttl;

	put_text(&b, "wanted", address_format(&r->value, text, sizeof(text)), sizeof(text));
	put_text(&b, "value", address_format(&r->found, text, sizeof(text)), sizeof(text));
	buf_printf(&b, ",\"ttl\":%lld", (long long)ttl);
	put_bool(&b, "in_sync", r->in_sync);
	put_bool(&b, "pending", r->pending);
	put_bool(&b, "attention", r->attention);
	put_text(&b, "checked_at", clock_iso(r->checked_at, text, sizeof(text)), sizeof(text));
	put_text(&b, "claimed_at", clock_iso(r->claimed_at, text, sizeof(text)), sizeof(text));
	put_text(&b, "by", r->by, sizeof(r->by));
	put_text(&b, "href", r->href, sizeof(r->href));
	put_text(&b, "error_type", r->error_type, sizeof(r->error_type));
	put_text(&b, "error", r->error, sizeof(r->error));
	buf_addc(&b, '}');
	if (b.len > WAN_RECORD_TEXT_MAX)
		abort(); /* even with every character escaped the texts take less */
	return buf_take(&b);
}

static bool
get_text(const cJSON *o, const char *key, char *dst, size_t size)
{
	const char *text = json_text(o, key);

	return text != NULL && strlen(text) < size && text_clean(dst, size, text);
}

static bool
get_address(const cJSON *o, const char *key, struct address *out)
{
	const char *text = json_text(o, key);

	return text != NULL && (text[0] == '\0' || address_parse_text(text, out));
}

static bool
get_time(const cJSON *o, const char *key, int64_t *out)
{
	const char *text = json_text(o, key);

	*out = text != NULL && text[0] != '\0' ? clock_parse_iso(text) : 0;
	return text != NULL && (text[0] == '\0' || *out > 0);
}

static bool
parse(const cJSON *o, struct wan_record *r)
{
	return get_address(o, "wanted", &r->value) && get_address(o, "value", &r->found) &&
	       json_int(o, "ttl", 0, MSG_TTL_MAX, &r->ttl) &&
	       json_bool(o, "in_sync", &r->in_sync) && json_bool(o, "pending", &r->pending) &&
	       json_bool(o, "attention", &r->attention) &&
	       get_time(o, "checked_at", &r->checked_at) &&
	       get_time(o, "claimed_at", &r->claimed_at) &&
	       get_text(o, "by", r->by, sizeof(r->by)) &&
	       get_text(o, "href", r->href, sizeof(r->href)) &&
	       get_text(o, "error_type", r->error_type, sizeof(r->error_type)) &&
	       get_text(o, "error", r->error, sizeof(r->error));
}

void
wan_record_read(const cJSON *object, const char *key, struct wan_record *out)
{
	const char *text = json_text(json_object(object, "data"), key);
	size_t len = text != NULL ? strnlen(text, WAN_RECORD_TEXT_MAX + 1) : 0;
	struct wan_record r = { .exists = true };
	cJSON *o = NULL;

	*out = (struct wan_record){ .raw = mem_strdup(text) };
	if (text == NULL || len > WAN_RECORD_TEXT_MAX)
		return;
	o = json_parse(text, len, NULL);
	if (o != NULL && parse(o, &r)) {
		r.raw = out->raw;
		*out = r;
	}
	cJSON_Delete(o);
}
