/* The questions that views ask of the state; see state.h. */
#include <string.h>

#include "common/clock.h"
#include "webd/state.h"

static const char *const link_names[WEBD_LINK__MAX] = {
	[WEBD_DETECTOR] = "detector",
	[WEBD_UPDATER] = "updater",
};

const char *
webd_link_name(enum webd_link link)
{
	return link < WEBD_LINK__MAX ? link_names[link] : "invalid";
}

bool
webd_link_expected(const struct webd_state *s, enum webd_link link)
{
	return link != WEBD_DETECTOR || !s->has_units || webd_unit(s, webd_link_name(link)) != NULL;
}

int64_t
webd_link_age(const struct webd_state *s, enum webd_link link, int64_t now_ms)
{
	return s->links[link].heard_ms < 0 ? -1 : now_ms - s->links[link].heard_ms;
}

bool
webd_needs(const struct webd_state *s, enum address_family family)
{
	for (size_t i = 0; i < s->nrecords; i++)
		if (s->records[i].config.family == family)
			return true;
	return false;
}

enum address_family
webd_main_family(const struct webd_state *s)
{
	return webd_needs(s, ADDRESS_IPV6) && !webd_needs(s, ADDRESS_IPV4) ? ADDRESS_IPV6
									   : ADDRESS_IPV4;
}

const struct msg_wan_family *
webd_family(const struct webd_state *s, enum address_family family)
{
	return s->has_wan ? msg_wan_family_const(&s->wan, family) : NULL;
}

int64_t
webd_confirmed_age(const struct webd_state *s, enum address_family family, int64_t now_ms)
{
	return s->confirmed_ms[family] < 0 ? -1 : now_ms - s->confirmed_ms[family];
}

bool
webd_usable(const struct webd_state *s, enum address_family family, int64_t now_ms)
{
	const struct msg_wan_family *f = webd_family(s, family);
	int64_t age = webd_confirmed_age(s, family, now_ms);

	return f != NULL && f->address.family == family && age >= 0 &&
	       age <= 2 * s->config.detector_interval_ms;
}

int64_t
webd_record_age(const struct webd_record *r, int64_t now_ms)
{
	return r->checked_ms < 0 ? -1 : now_ms - r->checked_ms;
}

bool
webd_record_fresh(const struct webd_state *s, const struct webd_record *r, int64_t now_ms)
{
	int64_t age = webd_record_age(r, now_ms);

	return r->known && age >= 0 && age <= 2 * s->config.updater_interval_ms;
}

bool
webd_record_matches(const struct webd_state *s, const struct webd_record *r)
{
	const struct msg_wan_family *f = webd_family(s, r->config.family);
	struct address value;

	return r->known && r->msg.exists && r->msg.nvalues == 1 && f != NULL &&
	       f->address.family != ADDRESS_NONE && address_parse_text(r->msg.values[0], &value) &&
	       address_equal(&value, &f->address);
}

bool
webd_record_in_sync(const struct webd_state *s, const struct webd_record *r, int64_t now_ms)
{
	return r->known && r->msg.in_sync && webd_record_fresh(s, r, now_ms) &&
	       webd_record_matches(s, r);
}

int64_t
webd_poll_date(const struct webd_state *s)
{
	int64_t newest = 0;

	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++) {
		const struct msg_wan_family *f = webd_family(s, (enum address_family)i);

		if (f != NULL && f->checked_at > newest)
			newest = f->checked_at;
	}
	for (size_t i = 0; i < s->nrecords; i++)
		if (s->records[i].known && s->records[i].msg.checked_at > newest)
			newest = s->records[i].msg.checked_at;
	return newest;
}

const struct webd_unit *
webd_unit(const struct webd_state *s, const char *name)
{
	for (size_t i = 0; i < s->nunits; i++)
		if (strcmp(s->units[i].name, name) == 0)
			return &s->units[i];
	return NULL;
}

bool
webd_unit_is(const struct webd_unit *u, const char *state)
{
	return u != NULL && strcmp(u->state, state) == 0;
}

const struct webd_unit *
webd_failed_unit(const struct webd_state *s)
{
	for (size_t i = 0; i < s->nunits; i++)
		if (webd_unit_is(&s->units[i], "failed"))
			return &s->units[i];
	return NULL;
}
