/* The ConfigMap's votes and changes: one JSON line each, for both families. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/wan_private.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/message_private.h"
#include "ipc/text.h"

#define FAMILIES 2

static const enum address_family families[FAMILIES] = { ADDRESS_IPV4, ADDRESS_IPV6 };

/* --- printing ------------------------------------------------------------------------------ */

/* A text without control characters, of at most size - 1 bytes. */
static void
put_text(struct buf *b, const char *key, const char *text, size_t size)
{
	char clean[MSG_REASON_MAX];

	text_clean(clean, size < sizeof(clean) ? size : sizeof(clean), text);
	buf_printf(b, ",\"%s\":", key);
	json_quote(b, clean);
}

static long long
within(int64_t value, int64_t max)
{
	return value < 0 ? 0 : value > max ? max : value;
}

static void
put_vote(struct buf *b, const struct msg_vote *v, size_t error_size)
{
	char answer[ADDRESS_TEXT_MAX];

	if (b->data[b->len - 1] == '}')
		buf_addc(b, ',');
	buf_printf(b, "{\"agrees\":%s", v->agrees ? "true" : "false");
	put_text(b, "operator", v->operator, sizeof(v->operator));
	put_text(b, "kind", v->kind, sizeof(v->kind));
	put_text(b, "answer", address_format(&v->answer, answer, sizeof(answer)), sizeof(answer));
	put_text(b, "error", v->error, error_size);
	buf_printf(b, ",\"duration_ms\":%lld}", within(v->duration_ms, MSG_NUMBER_MAX));
}

static void
put_family(struct buf *b, const struct msg_wan_family *f, size_t error_size, size_t nvotes)
{
	char address[ADDRESS_TEXT_MAX];

	buf_printf(b, "{\"wanted\":%s,\"state\":\"%s\"", f->wanted ? "true" : "false",
		   msg_wan_state_name(f->state));
	/* what these votes are about: current_ip may be edited by hand */
	put_text(b, "address", address_format(&f->address, address, sizeof(address)),
		 sizeof(address));
	buf_printf(b, ",\"confirmed_at\":%lld,\"checked_at\":%lld",
		   within(f->confirmed_at, MSG_TIME_MAX), within(f->checked_at, MSG_TIME_MAX));
	buf_printf(b, ",\"asked\":%lld,\"answered\":%lld,\"agreed\":%lld,\"needed\":%lld",
		   within(f->asked, MSG_COUNT_MAX), within(f->answered, MSG_COUNT_MAX),
		   within(f->agreed, MSG_COUNT_MAX), within(f->needed, MSG_COUNT_MAX));
	put_text(b, "reason", f->reason, sizeof(f->reason));
	buf_adds(b, ",\"votes\":[");
	for (size_t i = 0; i < f->nvotes && i < nvotes; i++)
		put_vote(b, &f->votes[i], error_size);
	buf_adds(b, "]}");
}

/*
 * Where it would be too long, errors are cut first, but never to nothing: an empty
 * one would say that the vote counts. Then the last votes go.
 */
char *
wan_votes_print(const struct msg_wan *wan)
{
	size_t error_size = sizeof(wan->ipv4.votes[0].error), nvotes = MSG_VOTES_MAX;
	struct buf b = BUF_INIT;

	for (;;) {
		buf_adds(&b, "{\"ipv4\":");
		put_family(&b, &wan->ipv4, error_size, nvotes);
		buf_adds(&b, ",\"ipv6\":");
		put_family(&b, &wan->ipv6, error_size, nvotes);
		buf_addc(&b, '}');
		if (b.len <= WAN_VOTES_TEXT_MAX)
			return buf_take(&b);
		if (error_size > 24)
			error_size = error_size > 48 ? 48 : 24;
		else if (nvotes > 0)
			nvotes--;
		else
			abort(); /* the other members together take at most 3 KiB */
		buf_clear(&b);
	}
}

char *
wan_changes_print(const struct msg_wan *wan)
{
	struct buf b = BUF_INIT;
	char text[ADDRESS_TEXT_MAX];

	for (size_t n = 0; n < FAMILIES; n++) {
		const struct msg_wan_family *f = msg_wan_family_const(wan, families[n]);

		buf_printf(&b, "%s\"%s\":[", n == 0 ? "{" : ",", address_family_name(families[n]));
		for (size_t i = 0; i < f->nchanges && i < MSG_CHANGES_MAX; i++)
			buf_printf(&b, "%s{\"address\":\"%s\",\"at\":%lld}", i > 0 ? "," : "",
				   address_format(&f->changes[i].address, text, sizeof(text)),
				   within(f->changes[i].at, MSG_TIME_MAX));
		buf_addc(&b, ']');
	}
	buf_addc(&b, '}');
	return buf_take(&b);
}

/* --- parsing ------------------------------------------------------------------------------- */

static bool
get_text(const cJSON *o, const char *key, char *dst, size_t size)
{
	const char *text = json_text(o, key);

	return text != NULL && strlen(text) < size && text_clean(dst, size, text);
}

static bool
get_count(const cJSON *o, const char *key, unsigned *out)
{
	int64_t value;

	if (!json_int(o, key, 0, MSG_COUNT_MAX, &value))
		return false;
	*out = (unsigned)value;
	return true;
}

static bool
get_address(const cJSON *o, const char *key, enum address_family family, struct address *out)
{
	const char *text = json_text(o, key);

	*out = (struct address){ .family = ADDRESS_NONE };
	if (text == NULL || text[0] == '\0')
		return text != NULL;
	return address_parse_text(text, out) && (family == ADDRESS_NONE || out->family == family);
}

static bool
get_state(const cJSON *o, enum msg_wan_state *out)
{
	const char *text = json_text(o, "state");

	for (int s = 0; text != NULL && s < MSG_WAN_STATE__MAX; s++) {
		*out = (enum msg_wan_state)s;
		if (strcmp(msg_wan_state_name(*out), text) == 0)
			return true;
	}
	return false;
}

static bool
get_vote(const cJSON *o, struct msg_vote *v)
{
	return get_text(o, "operator", v->operator, sizeof(v->operator)) &&
	       v->operator[0] != '\0' && get_text(o, "kind", v->kind, sizeof(v->kind)) &&
	       msg_vote_kind_known(v->kind) && get_address(o, "answer", ADDRESS_NONE, &v->answer) &&
	       get_text(o, "error", v->error, sizeof(v->error)) &&
	       json_bool(o, "agrees", &v->agrees) &&
	       json_int(o, "duration_ms", 0, MSG_NUMBER_MAX, &v->duration_ms);
}

static bool
get_votes(const cJSON *o, struct msg_wan_family *f)
{
	const cJSON *entry, *array = json_array(o, "votes");

	if (array == NULL || cJSON_GetArraySize(array) > MSG_VOTES_MAX)
		return false;
	f->nvotes = 0;
	cJSON_ArrayForEach(entry, array)
	{
		f->votes[f->nvotes] = (struct msg_vote){ .agrees = false };
		if (!get_vote(entry, &f->votes[f->nvotes++]))
			return false;
	}
	return true;
}

static bool
get_family(const cJSON *o, enum address_family family, struct msg_wan_family *f)
{
	return (json_text(o, "address") == NULL ||
		get_address(o, "address", family, &f->address)) &&
	       json_bool(o, "wanted", &f->wanted) && get_state(o, &f->state) &&
	       json_int(o, "confirmed_at", 0, MSG_TIME_MAX, &f->confirmed_at) &&
	       json_int(o, "checked_at", 0, MSG_TIME_MAX, &f->checked_at) &&
	       get_count(o, "asked", &f->asked) && get_count(o, "answered", &f->answered) &&
	       get_count(o, "agreed", &f->agreed) && get_count(o, "needed", &f->needed) &&
	       get_text(o, "reason", f->reason, sizeof(f->reason)) && get_votes(o, f);
}

static bool
get_changes(const cJSON *array, enum address_family family, struct msg_wan_family *f)
{
	const cJSON *entry;

	if (array == NULL || cJSON_GetArraySize(array) > MSG_CHANGES_MAX)
		return false;
	f->nchanges = 0;
	cJSON_ArrayForEach(entry, array)
	{
		struct msg_change *c = &f->changes[f->nchanges++];

		if (!get_address(entry, "address", family, &c->address) ||
		    !json_int(entry, "at", 0, MSG_TIME_MAX, &c->at))
			return false;
	}
	return true;
}

/* All of it or nothing: what is half read would be half true. */
static bool
parse(const char *text, size_t max, bool votes, struct msg_wan *wan)
{
	size_t len = strnlen(text, max + 1);
	cJSON *o = len <= max ? json_parse(text, len, NULL) : NULL;
	struct msg_wan *copy = NULL;
	bool good = o != NULL;

	if (good) {
		copy = mem_new(1, sizeof(*copy));
		*copy = *wan;
	}
	for (size_t n = 0; good && n < FAMILIES; n++) {
		const char *name = address_family_name(families[n]);
		struct msg_wan_family *f = msg_wan_family(copy, families[n]);

		good = votes ? get_family(json_object(o, name), families[n], f)
			     : get_changes(json_array(o, name), families[n], f);
	}
	if (good)
		*wan = *copy;
	free(copy);
	cJSON_Delete(o);
	return good;
}

bool
wan_votes_parse(const char *text, struct msg_wan *wan)
{
	return parse(text, WAN_VOTES_TEXT_MAX, true, wan);
}

bool
wan_changes_parse(const char *text, struct msg_wan *wan)
{
	return parse(text, WAN_CHANGES_TEXT_MAX, false, wan);
}
