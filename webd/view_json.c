#include "webd/view_json.h"

#include "common/clock.h"
#include "common/json.h"
#include "webd/verdict.h"

#define ISO_SIZE 32

/* Writes members and elements; knows where a comma is needed by what stands before. */
static void
separate(struct buf *b)
{
	char last = b->len > 0 ? b->data[b->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		buf_addc(b, ',');
}

static void
key(struct buf *b, const char *name)
{
	separate(b);
	json_quote(b, name);
	buf_addc(b, ':');
}

/* Opens an object or an array, as a member if it has a name. */
static void
open_with(struct buf *b, const char *name, char bracket)
{
	if (name != NULL)
		key(b, name);
	else
		separate(b);
	buf_addc(b, bracket);
}

static void
put_text(struct buf *b, const char *name, const char *text)
{
	key(b, name);
	json_quote(b, text);
}

static void
put_int(struct buf *b, const char *name, int64_t value)
{
	key(b, name);
	buf_printf(b, "%lld", (long long)value);
}

static void
put_bool(struct buf *b, const char *name, bool value)
{
	key(b, name);
	buf_adds(b, value ? "true" : "false");
}

/* An age or a span; null for "never", which is negative. */
static void
put_span(struct buf *b, const char *name, int64_t ms)
{
	if (ms >= 0) {
		put_int(b, name, ms);
		return;
	}
	key(b, name);
	buf_adds(b, "null");
}

static void
put_time(struct buf *b, const char *name, int64_t wall_ms)
{
	char iso[ISO_SIZE];

	if (wall_ms > 0) {
		put_text(b, name, clock_iso(wall_ms, iso, sizeof(iso)));
		return;
	}
	key(b, name);
	buf_adds(b, "null");
}

static void
put_address(struct buf *b, const char *name, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	if (a->family != ADDRESS_NONE) {
		put_text(b, name, address_format(a, text, sizeof(text)));
		return;
	}
	key(b, name);
	buf_adds(b, "null");
}

static void
put_values(struct buf *b, const char *name, const struct msg_record *m)
{
	open_with(b, name, '[');
	for (size_t i = 0; m->exists && i < m->nvalues; i++) {
		separate(b);
		json_quote(b, m->values[i]);
	}
	buf_addc(b, ']');
}

static void
put_record_data(struct buf *b, const struct webd_record *r)
{
	open_with(b, "record_data", '{');
	if (r != NULL && r->known && r->msg.exists) {
		put_text(b, "rrset_href", r->msg.href);
		put_text(b, "rrset_name", r->config.name);
		put_int(b, "rrset_ttl", r->msg.ttl);
		put_text(b, "rrset_type", address_record_type(r->config.family));
		put_values(b, "rrset_values", &r->msg);
	}
	buf_addc(b, '}');
}

void
view_raw(const struct webd_state *s, int64_t now_ms, struct buf *out)
{
	const struct webd_record *first = s->nrecords > 0 ? &s->records[0] : NULL;
	enum address_family family = webd_main_family(s);
	bool usable = webd_usable(s, family, now_ms);
	char date[ISO_SIZE];

	buf_addc(out, '{');
	put_text(out, "poll_date", clock_plain(webd_poll_date(s), date, sizeof(date)));
	open_with(out, "record_state", '{');
	put_bool(out, "in_sync", first != NULL && webd_record_in_sync(s, first, now_ms));
	put_record_data(out, first);
	buf_addc(out, '}');
	open_with(out, "wan_ip_state", '{');
	if (usable)
		put_address(out, "IP", &webd_family(s, family)->address);
	else
		buf_adds(out, "\"IP\":{}");
	put_bool(out, "usable", usable);
	buf_adds(out, "}}\n");
}

static void
put_votes(struct buf *b, const struct msg_wan_family *f)
{
	open_with(b, "votes", '[');
	for (size_t i = 0; i < f->nvotes; i++) {
		const struct msg_vote *vote = &f->votes[i];

		open_with(b, NULL, '{');
		put_text(b, "operator", vote->operator);
		put_text(b, "kind", vote->kind);
		put_address(b, "answer", &vote->answer);
		put_bool(b, "agrees", vote->agrees);
		put_text(b, "error", vote->error);
		put_int(b, "duration_ms", vote->duration_ms);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

static void
put_family(const struct webd_state *s, enum address_family family, int64_t now_ms, struct buf *b)
{
	const struct msg_wan_family *f = webd_family(s, family);

	key(b, address_family_name(family));
	if (f == NULL) {
		buf_adds(b, "null");
		return;
	}
	buf_addc(b, '{');
	put_bool(b, "wanted", webd_needs(s, family));
	put_text(b, "state", msg_wan_state_name(f->state));
	put_address(b, "address", &f->address);
	put_bool(b, "usable", webd_usable(s, family, now_ms));
	put_time(b, "detected_at", f->detected_at);
	put_time(b, "confirmed_at", f->confirmed_at);
	put_span(b, "confirmed_age_ms", webd_confirmed_age(s, family, now_ms));
	put_time(b, "checked_at", f->checked_at);
	put_span(b, "checked_age_ms",
		 s->checked_ms[family] < 0 ? -1 : now_ms - s->checked_ms[family]);
	put_int(b, "asked", f->asked);
	put_int(b, "answered", f->answered);
	put_int(b, "agreed", f->agreed);
	put_int(b, "needed", f->needed);
	put_text(b, "reason", f->reason);
	put_votes(b, f);
	open_with(b, "changes", '[');
	for (size_t i = 0; i < f->nchanges; i++) {
		open_with(b, NULL, '{');
		put_address(b, "address", &f->changes[i].address);
		put_time(b, "at", f->changes[i].at);
		buf_addc(b, '}');
	}
	buf_adds(b, "]}");
}

static void
put_record(const struct webd_state *s, const struct webd_record *r, int64_t now_ms, struct buf *b)
{
	enum webd_level level;

	open_with(b, NULL, '{');
	put_text(b, "fqdn", r->config.fqdn);
	put_text(b, "zone", r->config.zone);
	put_text(b, "name", r->config.name);
	put_text(b, "type", address_record_type(r->config.family));
	put_int(b, "wanted_ttl", r->config.ttl);
	put_bool(b, "known", r->known);
	put_text(b, "state", msg_record_state_name(r->msg.state));
	put_text(b, "words", webd_record_words(s, r, now_ms, &level));
	put_text(b, "level", webd_level_name(level));
	put_bool(b, "in_sync", webd_record_in_sync(s, r, now_ms));
	put_bool(b, "fresh", webd_record_fresh(s, r, now_ms));
	put_bool(b, "matches", webd_record_matches(s, r));
	put_address(b, "wanted", &r->msg.wanted);
	put_bool(b, "exists", r->msg.exists);
	put_values(b, "values", &r->msg);
	put_int(b, "ttl", r->msg.ttl);
	put_text(b, "href", r->msg.href);
	put_time(b, "checked_at", r->msg.checked_at);
	put_span(b, "checked_age_ms", webd_record_age(r, now_ms));
	put_time(b, "updated_at", r->msg.updated_at);
	put_text(b, "by", r->msg.by);
	put_span(b, "next_in_ms", r->next_ms >= now_ms ? r->next_ms - now_ms : -1);
	put_text(b, "error_type", r->msg.error_type);
	put_text(b, "error", r->msg.error);
	buf_addc(b, '}');
}

static void
put_units(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	open_with(b, "units", '[');
	for (size_t i = 0; i < s->nunits; i++) {
		const struct webd_unit *u = &s->units[i];

		open_with(b, NULL, '{');
		put_text(b, "name", u->name);
		put_text(b, "state", u->state);
		put_int(b, "pid", u->pid);
		put_time(b, "since", u->since);
		put_int(b, "restarts", u->restarts);
		put_text(b, "status", u->status);
		put_text(b, "last_exit", u->last_exit);
		put_span(b, "next_start_in_ms",
			 u->next_start_ms >= now_ms ? u->next_start_ms - now_ms : -1);
		put_span(b, "memory_bytes", u->memory);
		put_span(b, "cpu_ms", u->cpu_ms);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

static void
put_links(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	open_with(b, "links", '{');
	for (int i = 0; i < WEBD_LINK__MAX; i++) {
		open_with(b, webd_link_name((enum webd_link)i), '{');
		put_bool(b, "connected", s->links[i].connected);
		put_bool(b, "alive", webd_link_alive(s, (enum webd_link)i, now_ms));
		put_span(b, "message_age_ms", webd_link_age(s, (enum webd_link)i, now_ms));
		buf_addc(b, '}');
	}
	buf_addc(b, '}');
}

static void
put_leader(const struct webd_state *s, struct buf *b)
{
	key(b, "leader");
	if (!s->has_lead) {
		buf_adds(b, "null");
		return;
	}
	buf_addc(b, '{');
	put_text(b, "role", msg_role_name(s->lead.role));
	put_text(b, "backend", s->lead.backend);
	put_text(b, "holder", s->lead.holder);
	put_int(b, "term", s->lead.term);
	put_time(b, "since", s->lead.since);
	put_text(b, "reason", s->lead.reason);
	buf_addc(b, '}');
}

static void
put_cluster(const struct webd_state *s, struct buf *b)
{
	key(b, "cluster");
	if (!s->has_cluster) {
		buf_adds(b, "null");
		return;
	}
	buf_addc(b, '{');
	put_int(b, "followers", s->cluster.followers);
	put_text(b, "publisher", s->cluster.publisher);
	put_bool(b, "connected", s->cluster.connected);
	put_bool(b, "current", s->cluster.current);
	put_text(b, "balancer", s->cluster.balancer);
	put_bool(b, "balancer_pending", s->cluster.balancer_pending);
	put_text(b, "reason", s->cluster.reason);
	buf_addc(b, '}');
}

static void
put_settings(const struct webd_state *s, struct buf *b)
{
	open_with(b, "settings", '{');
	put_text(b, "backend", s->config.backend);
	put_int(b, "detector_interval_ms", s->config.detector_interval_ms);
	put_int(b, "updater_interval_ms", s->config.updater_interval_ms);
	put_bool(b, "observe", s->config.observe);
	put_bool(b, "dry_run", s->config.dry_run);
	buf_addc(b, '}');
}

void
view_state_json(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *out)
{
	struct webd_verdict verdict = { .nothers = 0 };
	struct buf detail = BUF_INIT;

	webd_judge(s, now_ms, &verdict);
	webd_finding_tell(&verdict.worst, &detail);
	buf_addc(out, '{');
	put_int(out, "v", 1);
	put_text(out, "version", s->config.version);
	put_time(out, "now", wall_ms);
	open_with(out, "verdict", '{');
	put_text(out, "level", webd_level_name(verdict.worst.level));
	put_text(out, "headline", buf_text(&verdict.worst.headline));
	put_text(out, "detail", buf_text(&detail));
	buf_addc(out, '}');
	open_with(out, "wan", '{');
	put_text(out, "uid", s->wan.uid);
	put_int(out, "epoch", s->wan.epoch);
	put_int(out, "sequence", s->wan.sequence);
	put_text(out, "holder", s->wan.holder);
	put_family(s, ADDRESS_IPV4, now_ms, out);
	put_family(s, ADDRESS_IPV6, now_ms, out);
	buf_addc(out, '}');
	put_leader(s, out);
	put_cluster(s, out);
	open_with(out, "records", '[');
	for (size_t i = 0; i < s->nrecords; i++)
		put_record(s, &s->records[i], now_ms, out);
	buf_addc(out, ']');
	put_units(s, now_ms, out);
	put_links(s, now_ms, out);
	put_settings(s, out);
	put_bool(out, "draining", s->draining);
	buf_adds(out, "}\n");
	buf_free(&detail);
	webd_verdict_free(&verdict);
}
