#include "tests/message_samples.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are hard on an encoder: quotes, controls, UTF-8 whole and broken. */
void
sample_text(char *dst, size_t size, bool full)
{
	static const char *const bits[] = { "a",
					    "Z",
					    "9",
					    " ",
					    "\"",
					    "\\",
					    "/",
					    "\n",
					    "\x01",
					    "\x7f",
					    "\xc3\xa9",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80",
					    "\xff",
					    "\xc2",
					    "\xc2\x85",
					    "<" };
	size_t used = 0, wanted = full ? size - 1 : (size_t)random() % size;

	dst[0] = '\0';
	while (used < wanted) {
		const char *bit = bits[random() % (long)(sizeof(bits) / sizeof(bits[0]))];

		if (used + strlen(bit) > wanted)
			bit = "x";
		strcpy(dst + used, bit);
		used += strlen(bit);
	}
}

static void
random_name(char *dst, size_t size, bool full)
{
	sample_text(dst, size, full);
	if (dst[0] == '\0')
		strcpy(dst, "n");
}

static struct address
random_address(enum address_family family)
{
	struct address a = { .family = family };

	if (random() % 4 == 0)
		a.family = ADDRESS_NONE;
	for (int i = 0; a.family != ADDRESS_NONE && i < (family == ADDRESS_IPV4 ? 4 : 16); i++)
		a.bytes[i] = (uint8_t)random();
	return a;
}

static int64_t
random_wall(void)
{
	return random() % 3 == 0 ? 0 : INT64_C(253402300799999) - random();
}

static int64_t
random_span(void)
{
	return random() % 3 == 0 ? -1 : INT64_C(9007199254740991) - random();
}

static void
random_family(struct msg_wan_family *f, enum address_family family, bool full)
{
	static const char *const kinds[] = { "https", "http", "stun", "stun-tcp", "mixed" };

	f->wanted = random() % 2;
	f->state = (enum msg_wan_state)(random() % MSG_WAN_STATE__MAX);
	f->address = random_address(family);
	f->detected_at = random_wall();
	f->confirmed_at = random_wall();
	f->confirmed_age_ms = random_span();
	f->checked_at = random_wall();
	f->checked_age_ms = random_span();
	f->asked = (unsigned)random() % 65536;
	f->answered = (unsigned)random() % 65536;
	f->agreed = (unsigned)random() % 65536;
	f->needed = (unsigned)random() % 65536;
	sample_text(f->reason, sizeof(f->reason), full);
	f->nvotes = full ? MSG_VOTES_MAX : (size_t)random() % (MSG_VOTES_MAX + 1);
	for (size_t i = 0; i < f->nvotes; i++) {
		struct msg_vote *v = &f->votes[i];

		random_name(v->operator, sizeof(v->operator), full);
		strcpy(v->kind, kinds[random() % 5]);
		v->answer = random_address(random() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6);
		sample_text(v->error, sizeof(v->error), full);
		v->agrees = random() % 2;
		v->duration_ms = random();
	}
	f->nchanges = full ? MSG_CHANGES_MAX : (size_t)random() % (MSG_CHANGES_MAX + 1);
	for (size_t i = 0; i < f->nchanges; i++) {
		f->changes[i].address = random_address(family);
		f->changes[i].at = random_wall();
	}
}

void
sample_wan(struct msg_wan *w, bool full)
{
	*w = (struct msg_wan){ .epoch = 1 + random() % MSG_EPOCH_MAX, .sequence = random() };
	random_name(w->uid, sizeof(w->uid), full);
	sample_text(w->holder, sizeof(w->holder), full);
	random_family(&w->ipv4, ADDRESS_IPV4, full);
	random_family(&w->ipv6, ADDRESS_IPV6, full);
}

struct msg *
sample_decode(const char *json)
{
	const char *why = "";
	struct msg *m;

	ck_assert_uint_le(strlen(json), MSG_SIZE_MAX);
	if (msg_decode(json, strlen(json), &m, &why) != 0)
		ck_abort_msg("refused because %s: %s", why, json);
	return m;
}

void
sample_record(struct msg_record *r, bool full)
{
	*r = (struct msg_record){ .count = 1 + (unsigned)random() % 65535, .exists = random() % 2 };
	r->index = (unsigned)random() % r->count;
	random_name(r->fqdn, sizeof(r->fqdn), full);
	random_name(r->zone, sizeof(r->zone), full);
	random_name(r->name, sizeof(r->name), full);
	r->family = random() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6;
	r->state = (enum msg_record_state)(random() % MSG_RECORD_STATE__MAX);
	r->wanted = random_address(r->family);
	r->wanted_ttl = random();
	r->nvalues = full ? MSG_VALUES_MAX : (size_t)random() % (MSG_VALUES_MAX + 1);
	for (size_t i = 0; i < r->nvalues; i++)
		sample_text(r->values[i], sizeof(r->values[i]), full);
	r->ttl = random();
	sample_text(r->href, sizeof(r->href), full);
	r->in_sync = random() % 2;
	r->checked_at = random_wall();
	r->checked_age_ms = random_span();
	r->updated_at = random_wall();
	r->next_in_ms = random_span();
	sample_text(r->error_type, sizeof(r->error_type), full);
	sample_text(r->error, sizeof(r->error), full);
	sample_text(r->by, sizeof(r->by), full);
}
