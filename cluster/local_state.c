#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/local.h"
#include "common/buf.h"
#include "common/json.h"

#define VERSION 1
#define TIME_MAX INT64_C(253402300799999)      /* the end of the year 9999 */
#define SEQUENCE_MAX INT64_C(9007199254740991) /* 2^53 - 1: exact in JSON's doubles */

/* The same struct for both families, which local.h declares without a name. */
struct family {
	struct address *address;
	int64_t *detected_at, *confirmed_at;
	size_t *nchanges;
	struct msg_change *changes;
};

#define FAMILY(f)                                                                                  \
	((struct family){ &(f)->address, &(f)->detected_at, &(f)->confirmed_at, &(f)->nchanges,    \
			  (f)->changes })

static void
print_address(struct buf *b, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	buf_printf(b, "\"%s\"", address_format(a, text, sizeof(text)));
}

/* Out of its bounds a number takes the nearest, so that what is written can always be read. */
static long long
within(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

static void
print_family(struct buf *b, const char *name, struct family f)
{
	buf_printf(b, ",\"%s\":{\"address\":", name);
	print_address(b, f.address);
	buf_printf(b, ",\"detected_at\":%lld,\"confirmed_at\":%lld,\"changes\":[",
		   within(*f.detected_at, 0, TIME_MAX), within(*f.confirmed_at, 0, TIME_MAX));
	for (size_t i = 0; i < *f.nchanges && i < MSG_CHANGES_MAX; i++) {
		buf_adds(b, i > 0 ? ",{\"address\":" : "{\"address\":");
		print_address(b, &f.changes[i].address);
		buf_printf(b, ",\"at\":%lld}", within(f.changes[i].at, 0, TIME_MAX));
	}
	buf_adds(b, "]}");
}

char *
local_print(const struct local_state *state)
{
	struct local_state s = *state;
	struct buf b = BUF_INIT;

	buf_printf(&b, "{\"v\":%d,\"uid\":", VERSION);
	json_quote(&b, s.uid);
	buf_printf(&b, ",\"epoch\":%lld,\"sequence\":%lld", within(s.epoch, 1, MSG_EPOCH_MAX),
		   within(s.sequence, 0, SEQUENCE_MAX));
	print_family(&b, "ipv4", FAMILY(&s.ipv4));
	print_family(&b, "ipv6", FAMILY(&s.ipv6));
	buf_adds(&b, "}\n");
	return buf_take(&b);
}

static const char *
refuse(const char *member, const char *what)
{
	static char sentence[96];

	snprintf(sentence, sizeof(sentence), "its \"%s\" %s", member, what);
	return sentence;
}

/* A state file has these members and no others: anything else is not ours. */
static const char *
check_members(const cJSON *o, const char *name, size_t n)
{
	if (!cJSON_IsObject(o))
		return refuse(name, "is not an object");
	if ((size_t)cJSON_GetArraySize(o) != n)
		return refuse(name, "has members that do not belong there, or too few");
	return NULL;
}

/* xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx in lower case, as fresh ones are made. */
static bool
is_uid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

	if (text == NULL || strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		const char *allowed = form[i] == 'x'   ? "0123456789abcdef"
				      : form[i] == 'y' ? "89ab"
				      : form[i] == '4' ? "4"
						       : "-";

		if (strchr(allowed, text[i]) == NULL)
			return false;
	}
	return true;
}

/* NULL, or why the member is no address of the family. */
static const char *
parse_address(const cJSON *o, enum address_family family, bool required, struct address *out)
{
	const char *text = json_text(o, "address");

	*out = (struct address){ .family = ADDRESS_NONE };
	if (text == NULL)
		return refuse("address", "is not a text");
	if (text[0] == '\0' && !required)
		return NULL;
	if (!address_parse_text(text, out) || out->family != family)
		return refuse("address", "is not an address of its family");
	return NULL;
}

static const char *
parse_changes(const cJSON *o, enum address_family family, struct family f)
{
	const cJSON *entry, *array = json_array(o, "changes");
	const char *why = NULL;

	if (array == NULL || cJSON_GetArraySize(array) > MSG_CHANGES_MAX)
		return refuse("changes", "is not an array, or too long");
	cJSON_ArrayForEach(entry, array)
	{
		struct msg_change *c = &f.changes[(*f.nchanges)++];

		why = check_members(entry, "changes", 2);
		if (why == NULL)
			why = parse_address(entry, family, true, &c->address);
		if (why == NULL && !json_int(entry, "at", 0, TIME_MAX, &c->at))
			why = refuse("at", "is not a time");
		if (why != NULL)
			break;
	}
	return why;
}

static const char *
parse_family(const cJSON *parent, enum address_family family, struct family f)
{
	const char *name = address_family_name(family);
	const cJSON *o = json_object(parent, name);
	const char *why = check_members(o, name, 4);

	if (why == NULL)
		why = parse_address(o, family, false, f.address);
	if (why == NULL && !json_int(o, "detected_at", 0, TIME_MAX, f.detected_at))
		why = refuse("detected_at", "is not a time");
	if (why == NULL && !json_int(o, "confirmed_at", 0, TIME_MAX, f.confirmed_at))
		why = refuse("confirmed_at", "is not a time");
	return why != NULL ? why : parse_changes(o, family, f);
}

static const char *
parse_object(const cJSON *o, struct local_state *s)
{
	const char *why = check_members(o, "state", 6);
	int64_t version;

	if (why != NULL)
		return why;
	if (!json_int(o, "v", VERSION, VERSION, &version))
		return refuse("v", "is not a known version");
	if (!is_uid(json_text(o, "uid")))
		return refuse("uid", "is not a random UUID");
	json_copy(o, "uid", s->uid, sizeof(s->uid));
	if (!json_int(o, "epoch", 1, MSG_EPOCH_MAX, &s->epoch))
		return refuse("epoch", "is not within its bounds");
	if (!json_int(o, "sequence", 0, SEQUENCE_MAX, &s->sequence))
		return refuse("sequence", "is not within its bounds");
	why = parse_family(o, ADDRESS_IPV4, FAMILY(&s->ipv4));
	return why != NULL ? why : parse_family(o, ADDRESS_IPV6, FAMILY(&s->ipv6));
}

int
local_parse(const char *text, size_t len, struct local_state *out, const char **why)
{
	cJSON *o;

	*out = (struct local_state){ .epoch = 0 };
	*why = NULL;
	/* the end of line is the last byte written: without it the file was cut off */
	if (len == 0 || text[len - 1] != '\n') {
		*why = "is cut off";
		return -1;
	}
	o = json_parse(text, len, why);
	if (o != NULL)
		*why = parse_object(o, out);
	cJSON_Delete(o);
	return *why == NULL ? 0 : -1;
}
