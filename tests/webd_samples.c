#include "webd_samples.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct webd_config
sample_config(void)
{
	struct webd_config c = {
		.version = "0.1.0",
		.runtime_dir = "/run/esddns",
		.backend = "local",
		.nlisten = 1,
		.listen = { { .host = "127.0.0.1", .port = 51339 } },
		.max_connections = 1024,
		.detector_interval_ms = 300000,
		.updater_interval_ms = 300000,
	};

	sample_add_record(&c, "home", ADDRESS_IPV4);
	return c;
}

void
sample_add_record(struct webd_config *c, const char *name, enum address_family family)
{
	struct webd_record_config *r = &c->records[c->nrecords++];

	*r = (struct webd_record_config){ .zone = "example.com", .family = family, .ttl = 300 };
	snprintf(r->name, sizeof(r->name), "%s", name);
	if (strcmp(name, "@") == 0)
		snprintf(r->fqdn, sizeof(r->fqdn), "example.com");
	else
		snprintf(r->fqdn, sizeof(r->fqdn), "%s.example.com", name);
}

struct address
sample_address(const char *text)
{
	struct address a;

	ck_assert_msg(address_parse_text(text, &a), "%s is no address", text);
	return a;
}

static void
add_vote(struct msg_wan_family *f, const char *operator, const char * kind, const char *answer,
	 int64_t duration_ms)
{
	struct msg_vote *v = &f->votes[f->nvotes++];

	snprintf(v->operator, sizeof(v->operator), "%s", operator);
	snprintf(v->kind, sizeof(v->kind), "%s", kind);
	v->answer = sample_address(answer);
	v->agrees = true;
	v->duration_ms = duration_ms;
}

struct msg
sample_wan(int64_t age_ms)
{
	struct msg m = { .type = MSG_WAN };
	struct msg_wan_family *f = &m.wan.ipv4;

	snprintf(m.wan.uid, sizeof(m.wan.uid), "4f0c6b1e-2f7a-4f0e-9d55-1a2b3c4d5e6f");
	m.wan.epoch = 3;
	m.wan.sequence = 17;
	snprintf(m.wan.holder, sizeof(m.wan.holder), "gateway/4711");
	*f = (struct msg_wan_family){
		.wanted = true,
		.state = MSG_WAN_AGREED,
		.address = sample_address("198.20.0.7"),
		.detected_at = SAMPLE_WALL - 5 * 3600000,
		.confirmed_at = SAMPLE_WALL - age_ms,
		.confirmed_age_ms = age_ms,
		.checked_at = SAMPLE_WALL - age_ms,
		.checked_age_ms = age_ms,
		.asked = 5,
		.answered = 5,
		.agreed = 5,
		.needed = 3,
		.nchanges = 3,
		.changes = { { sample_address("198.20.0.9"), SAMPLE_WALL - 9 * 86400000LL },
			     { sample_address("198.20.3.1"), SAMPLE_WALL - 2 * 86400000LL },
			     { sample_address("198.20.0.7"), SAMPLE_WALL - 5 * 3600000 } },
	};
	m.wan.ipv6.confirmed_age_ms = m.wan.ipv6.checked_age_ms = -1;
	add_vote(f, "ipify", "https", "198.20.0.7", 84);
	add_vote(f, "icanhazip", "https", "198.20.0.7", 61);
	add_vote(f, "cloudflare", "https", "198.20.0.7", 32);
	add_vote(f, "google", "stun", "198.20.0.7", 18);
	add_vote(f, "nextcloud", "stun-tcp", "198.20.0.7", 47);
	return m;
}

struct msg
sample_lead(void)
{
	struct msg m = { .type = MSG_LEAD };

	m.lead.role = MSG_LEADER;
	snprintf(m.lead.backend, sizeof(m.lead.backend), "local");
	snprintf(m.lead.holder, sizeof(m.lead.holder), "gateway/4711");
	m.lead.term = 3;
	m.lead.since = SAMPLE_WALL - 26 * 3600000;
	return m;
}

struct msg
sample_record(const struct webd_config *c, size_t index, int64_t age_ms)
{
	const struct webd_record_config *rc = &c->records[index];
	struct msg m = { .type = MSG_RECORD };
	struct msg_record *r = &m.record;

	r->index = (unsigned)index;
	r->count = (unsigned)c->nrecords;
	snprintf(r->fqdn, sizeof(r->fqdn), "%s", rc->fqdn);
	snprintf(r->zone, sizeof(r->zone), "%s", rc->zone);
	snprintf(r->name, sizeof(r->name), "%s", rc->name);
	r->family = rc->family;
	r->state = MSG_RECORD_IN_SYNC;
	r->wanted = sample_address(rc->family == ADDRESS_IPV4 ? "198.20.0.7" : "2001:200::7");
	r->wanted_ttl = rc->ttl;
	r->exists = true;
	r->nvalues = 1;
	address_format(&r->wanted, r->values[0], sizeof(r->values[0]));
	r->ttl = 300;
	snprintf(r->href, sizeof(r->href),
		 "https://api.gandi.net/v5/livedns/domains/example.com/records/%s/%s",
		 strcmp(rc->name, "@") == 0 ? "%40" : rc->name, address_record_type(rc->family));
	r->in_sync = true;
	r->checked_at = SAMPLE_WALL - age_ms;
	r->checked_age_ms = age_ms;
	r->updated_at = SAMPLE_WALL - 5 * 3600000 + 1400;
	r->next_in_ms = 300000 - age_ms % 300000;
	return m;
}

void
sample_units(struct webd_state *s, int64_t now_ms)
{
	static const char form[] =
		"[{\"name\":\"detector\",\"state\":\"active\",\"pid\":4711,\"since\":1795251852000,"
		"\"restarts\":0,\"memory\":9437184,\"cpu_ms\":1234,\"status\":\"198.20.0.7, agreed "
		"by 5 of 5\",\"last_exit\":\"\","
		"\"next_start_in\":-1},"
		"{\"name\":\"updater\",\"state\":\"active\",\"pid\":4710,\"since\":1795251852000,"
		"\"restarts\":1,\"status\":\"1 record, 1 in sync\",\"last_exit\":\"killed by "
		"signal 9 (Killed)\",\"next_start_in\":-1},"
		"{\"name\":\"webd\",\"state\":\"active\",\"pid\":4712,\"since\":1795251852000,"
		"\"restarts\":0,\"status\":\"serving\",\"last_exit\":\"\",\"next_start_in\":-1}]";
	cJSON *units = cJSON_Parse(form);
	const char *why;

	ck_assert_int_eq(webd_state_units(s, units, now_ms, &why), 0);
	cJSON_Delete(units);
}

struct webd_state *
sample_in_sync(const struct webd_config *c, int64_t now_ms)
{
	struct webd_state *s = webd_state_new(c, 0xabc, now_ms - 3600000);
	struct msg m = sample_wan(12000);

	for (int i = 0; i < WEBD_LINK__MAX; i++)
		webd_state_link(s, (enum webd_link)i, true);
	webd_state_take(s, WEBD_DETECTOR, &m, now_ms - 2000);
	m = sample_lead();
	webd_state_take(s, WEBD_DETECTOR, &m, now_ms - 2000);
	for (size_t i = 0; i < c->nrecords; i++) {
		m = sample_record(c, i, 40000);
		webd_state_take(s, WEBD_UPDATER, &m, now_ms - 2000);
	}
	sample_units(s, now_ms);
	webd_state_tick(s, now_ms);
	return s;
}
