#include "webd/view_parts.h"

#include <string.h>

#include "common/clock.h"
#include "webd/html.h"

/* What came over a link that is dead is marked, with its age, wherever it stands. */
static void
put_link_warning(const struct webd_state *s, enum webd_link link, int64_t now_ms, struct buf *b)
{
	int64_t age = webd_link_age(s, link, now_ms);

	if (webd_link_alive(s, link, now_ms) || age < 0)
		return;
	buf_printf(b, "<p class=\"notice\">The %s does not answer. This is what it said ",
		   webd_link_name(link));
	html_age(b, age, 0);
	buf_adds(b, " ago.</p>\n");
}

static const char *
stale_class(const struct webd_state *s, enum webd_link link, int64_t now_ms)
{
	return webd_link_alive(s, link, now_ms) ? "" : " stale";
}

/* How sure the address is, in words. */
static const char *
certainty(const struct webd_state *s, enum address_family family, int64_t now_ms,
	  enum webd_level *level)
{
	const struct msg_wan_family *f = webd_family(s, family);

	*level = WEBD_BAD;
	if (f == NULL || f->address.family == ADDRESS_NONE) {
		*level = WEBD_WAIT;
		return "not known yet";
	}
	if (!webd_usable(s, family, now_ms))
		return "stale, not usable";
	*level = WEBD_WARN;
	if (!webd_link_alive(s, s->wan_link, now_ms))
		return "usable, but not watched";
	switch (f->state) {
	case MSG_WAN_HELD:
		return "kept, the sources do not agree";
	case MSG_WAN_DAMPED:
		return "kept, the address flaps";
	case MSG_WAN_UNKNOWN:
		*level = WEBD_WAIT;
		return "known from before, being checked";
	case MSG_WAN_CONFIRMING:
		*level = WEBD_WAIT;
		return "a change is being confirmed";
	case MSG_WAN_AGREED:
	case MSG_WAN_STATE__MAX:
		break;
	}
	*level = WEBD_GOOD;
	return "usable";
}

static void
put_address_card(const struct webd_state *s, enum address_family family, int64_t now_ms,
		 struct buf *b)
{
	const struct msg_wan_family *f = webd_family(s, family);
	enum webd_level level;
	const char *words = certainty(s, family, now_ms, &level);

	buf_printf(b, "<section class=\"card%s\">\n<h2>WAN %s address</h2>\n",
		   stale_class(s, s->wan_link, now_ms), html_family(family));
	buf_adds(b, "<p class=\"address\">");
	if (f != NULL && f->address.family != ADDRESS_NONE)
		html_address(b, &f->address);
	else
		buf_adds(b, "unknown");
	buf_adds(b, "</p>\n<p>");
	html_chip(b, level, words);
	buf_adds(b, "</p>\n");
	put_link_warning(s, s->wan_link, now_ms, b);
	if (f == NULL) {
		buf_adds(b, "</section>\n");
		return;
	}
	if (f->address.family != ADDRESS_NONE) {
		buf_adds(b, "<p class=\"quiet\">Since ");
		html_moment(b, f->detected_at);
		buf_adds(b, "; confirmed ");
		html_age(b, webd_confirmed_age(s, family, now_ms), f->confirmed_at);
		buf_adds(b, s->confirmed_ms[family] < 0 ? ".</p>\n" : " ago.</p>\n");
	}
	if (s->checked_ms[family] >= 0)
		buf_printf(b,
			   "<p class=\"quiet\">In the last round %u of %u operators agreed; %u are "
			   "needed.</p>\n",
			   f->agreed, f->asked, f->needed);
	if (f->reason[0] != '\0') {
		buf_adds(b, "<p class=\"notice\">");
		html_text(b, f->reason);
		buf_adds(b, "</p>\n");
	}
	buf_adds(b, "</section>\n");
}

void
view_addresses(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	buf_adds(b, "<div class=\"stack\">\n");
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (webd_needs(s, (enum address_family)i) ||
		    (s->nrecords == 0 && i == ADDRESS_IPV4))
			put_address_card(s, (enum address_family)i, now_ms, b);
	buf_adds(b, "</div>\n");
}

static void
put_values(const struct msg_record *m, struct buf *b)
{
	if (!m->exists || m->nvalues == 0) {
		buf_adds(b, "none");
		return;
	}
	for (size_t i = 0; i < m->nvalues; i++) {
		buf_adds(b, i > 0 ? " <code>" : "<code>");
		html_text(b, m->values[i]);
		buf_adds(b, "</code>");
	}
}

static void
put_answer(struct buf *b, const char *question, bool yes)
{
	buf_printf(b, "<dt>%s</dt><dd>", question);
	html_chip(b, yes ? WEBD_GOOD : WEBD_BAD, yes ? "yes" : "no");
	buf_adds(b, "</dd>\n");
}

/* The record set as it was found, or that it was not. */
static void
put_record_set(const struct webd_record *r, struct buf *b)
{
	bool found = r->known && r->msg.exists;

	buf_adds(b, "<dt>Record set name</dt><dd><code>");
	html_text(b, r->config.name);
	buf_printf(b, "</code></dd>\n<dt>Type</dt><dd>%s</dd>\n<dt>TTL</dt><dd>",
		   address_record_type(r->config.family));
	if (found)
		buf_printf(b, "%lld s", (long long)r->msg.ttl);
	else
		buf_adds(b, "-");
	buf_adds(b, "</dd>\n<dt>Values</dt><dd>");
	put_values(&r->msg, b);
	buf_adds(b, "</dd>\n<dt>Href</dt><dd class=\"href\">");
	html_text(b, found && r->msg.href[0] != '\0' ? r->msg.href : "-");
	buf_adds(b, "</dd>\n");
}

void
view_current(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	enum address_family family = webd_main_family(s);
	const struct msg_wan_family *f = webd_family(s, family);

	buf_adds(b, "<section class=\"card\">\n<h2>Current state</h2>\n<dl>\n"
		    "<dt>Poll date</dt><dd>");
	html_moment(b, webd_poll_date(s));
	buf_adds(b, "</dd>\n");
	put_answer(b, "Is the IP usable?", webd_usable(s, family, now_ms));
	buf_printf(b, "<dt>WAN %s address</dt><dd>", html_family(family));
	if (f != NULL && f->address.family != ADDRESS_NONE)
		html_address(b, &f->address);
	else
		buf_adds(b, "unknown");
	buf_adds(b, "</dd>\n");
	if (s->nrecords > 0) {
		put_answer(b, "Is the DNS record in sync?",
			   webd_record_in_sync(s, &s->records[0], now_ms));
		put_record_set(&s->records[0], b);
	}
	buf_adds(b, "</dl>\n</section>\n");
}

/* What the record should hold, where that is not what it holds. */
static void
put_wanted(const struct webd_record *r, struct buf *b)
{
	bool same = r->msg.exists && r->msg.in_sync;

	if (!r->known || same || r->msg.wanted.family == ADDRESS_NONE)
		return;
	buf_adds(b, "<br><span class=\"quiet\">wanted: ");
	html_address(b, &r->msg.wanted);
	buf_adds(b, "</span>");
}

static void
put_record_state(const struct webd_state *s, const struct webd_record *r, int64_t now_ms,
		 struct buf *b)
{
	enum webd_level level;
	const char *words = webd_record_words(s, r, now_ms, &level);

	html_chip(b, level, words);
	if (r->msg.by[0] != '\0') {
		buf_adds(b, "<p class=\"quiet\">As told by ");
		html_text(b, r->msg.by);
		buf_adds(b, "</p>\n");
	}
	if (r->msg.error[0] != '\0') {
		buf_adds(b, "<p class=\"notice\">");
		html_text(b, r->msg.error);
		buf_adds(b, "</p>");
	}
	if (r->next_ms > now_ms) {
		char span[32];

		buf_printf(b, "<p class=\"quiet\">next check in %s</p>",
			   clock_span(r->next_ms - now_ms, span, sizeof(span)));
	}
}

static void
put_record(const struct webd_state *s, const struct webd_record *r, int64_t now_ms, struct buf *b)
{
	buf_adds(b, "<tr><td data-label=\"Record\"><strong>");
	html_text(b, r->config.fqdn);
	buf_printf(b, "</strong> %s<br><span class=\"quiet\"><code>",
		   address_record_type(r->config.family));
	html_text(b, r->config.name);
	buf_adds(b, "</code> in ");
	html_text(b, r->config.zone);
	buf_adds(b, "</span></td><td data-label=\"State\">");
	put_record_state(s, r, now_ms, b);
	buf_adds(b, "</td><td data-label=\"Values\">");
	put_values(&r->msg, b);
	put_wanted(r, b);
	buf_adds(b, "</td><td data-label=\"TTL\">");
	if (r->known && r->msg.exists)
		buf_printf(b, "%lld s", (long long)r->msg.ttl);
	else
		buf_adds(b, "-");
	if (!r->known || !r->msg.exists || r->msg.ttl != r->config.ttl)
		buf_printf(b, "<br><span class=\"quiet\">wanted: %lld s</span>",
			   (long long)r->config.ttl);
	buf_adds(b, "</td><td data-label=\"Checked\">");
	html_age(b, webd_record_age(r, now_ms), r->msg.checked_at);
	buf_adds(b, r->checked_ms < 0 ? "" : " ago");
	buf_adds(b, "<br><span class=\"quiet\">written ");
	html_moment(b, r->msg.updated_at);
	buf_adds(b, "</span></td></tr>\n");
}

void
view_records(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	if (s->nrecords == 0)
		return;
	buf_printf(b, "<section class=\"card%s\">\n<h2>Records</h2>\n",
		   stale_class(s, WEBD_UPDATER, now_ms));
	put_link_warning(s, WEBD_UPDATER, now_ms, b);
	buf_adds(b, "<table class=\"records\">\n<thead><tr><th>Record</th><th>State</th>"
		    "<th>Values</th><th>TTL</th><th>Checked</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < s->nrecords; i++)
		put_record(s, &s->records[i], now_ms, b);
	buf_adds(b, "</tbody>\n</table>\n</section>\n");
}

static void
put_vote(const struct msg_vote *vote, struct buf *b)
{
	enum webd_level level = vote->agrees ? WEBD_GOOD : WEBD_WARN;
	const char *words = "agrees";
	char span[32];

	if (!vote->agrees)
		words = vote->answer.family != ADDRESS_NONE && vote->error[0] == '\0' ? "differs"
										      : "no vote";
	buf_adds(b, "<tr><td data-label=\"Operator\"><strong>");
	html_text(b, vote->operator);
	buf_adds(b, "</strong></td><td data-label=\"Kind\">");
	html_text(b, vote->kind);
	buf_adds(b, "</td><td data-label=\"Answer\">");
	if (vote->answer.family != ADDRESS_NONE)
		html_address(b, &vote->answer);
	if (vote->error[0] != '\0') {
		buf_adds(b, vote->answer.family != ADDRESS_NONE ? " <span class=\"quiet\">"
								: "<span class=\"quiet\">");
		html_text(b, vote->error);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td><td data-label=\"Vote\">");
	html_chip(b, level, words);
	buf_printf(b, "</td><td data-label=\"Time\">%s</td></tr>\n",
		   clock_span(vote->duration_ms, span, sizeof(span)));
}

static void
put_round(const struct webd_state *s, enum address_family family, int64_t now_ms, struct buf *b)
{
	const struct msg_wan_family *f = webd_family(s, family);
	int64_t age = s->checked_ms[family] < 0 ? -1 : now_ms - s->checked_ms[family];

	buf_printf(b, "<h3>%s</h3>\n<p class=\"quiet\">", html_family(family));
	if (f == NULL || age < 0) {
		buf_adds(b, "No round has ended yet.</p>\n");
		return;
	}
	buf_printf(b, "%u of %u operators answered, %u agreed, %u are needed; asked ", f->answered,
		   f->asked, f->agreed, f->needed);
	html_age(b, age, f->checked_at);
	buf_adds(b, " ago.</p>\n");
	if (f->nvotes == 0)
		return;
	buf_adds(b,
		 "<table class=\"votes\">\n<thead><tr><th>Operator</th><th>Kind</th><th>Answer</th>"
		 "<th>Vote</th><th>Time</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < f->nvotes; i++)
		put_vote(&f->votes[i], b);
	buf_adds(b, "</tbody>\n</table>\n");
}

void
view_votes(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	buf_printf(b, "<section class=\"card%s\">\n<h2>The last round</h2>\n",
		   stale_class(s, s->wan_link, now_ms));
	put_link_warning(s, s->wan_link, now_ms, b);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (webd_needs(s, (enum address_family)i))
			put_round(s, (enum address_family)i, now_ms, b);
	buf_adds(b, "</section>\n");
}

/* How this pod hears of the leader, and what is in front of the cluster. */
static void
put_cluster(const struct msg_cluster *c, struct buf *b)
{
	buf_adds(b, "<dl>\n<dt>ConfigMap</dt><dd>");
	buf_adds(b, c->current ? "watched" : "not watched now: what is shown may be older");
	buf_adds(b, "</dd>\n");
	if (c->publisher[0] != '\0') {
		buf_adds(b, "<dt>Publisher</dt><dd>");
		html_text(b, c->publisher);
		buf_adds(b, c->connected ? "" : ", not connected");
		buf_adds(b, "</dd>\n");
	}
	if (c->followers > 0)
		buf_printf(b, "<dt>Followers</dt><dd>%u</dd>\n", c->followers);
	if (c->balancer[0] != '\0') {
		buf_adds(b, "<dt>Load balancer</dt><dd>");
		html_text(b, c->balancer);
		buf_adds(b, "</dd>\n");
	}
	buf_adds(b, "</dl>\n");
	if (c->reason[0] != '\0') {
		buf_adds(b, "<p class=\"notice\">");
		html_text(b, c->reason);
		buf_adds(b, "</p>\n");
	}
}

void
view_leader(const struct webd_state *s, struct buf *b)
{
	buf_adds(b, "<section class=\"card\">\n<h2>Leader</h2>\n");
	if (!s->has_lead && s->has_cluster && s->has_wan) {
		buf_adds(b, "<dl>\n<dt>This instance</dt><dd>only shows</dd>\n"
			    "<dt>Published by</dt><dd>");
		html_text(b, s->wan.holder[0] != '\0' ? s->wan.holder : "nobody");
		buf_printf(b,
			   "</dd>\n<dt>Epoch</dt><dd>%lld</dd>\n<dt>Sequence</dt><dd>%lld</dd>\n"
			   "</dl>\n",
			   (long long)s->wan.epoch, (long long)s->wan.sequence);
		put_cluster(&s->cluster, b);
		buf_adds(b, "</section>\n");
		return;
	}
	if (!s->has_lead) {
		buf_adds(b, "<p class=\"quiet\">Nothing is known of a leader yet.</p>\n"
			    "</section>\n");
		return;
	}
	buf_adds(b, "<dl>\n<dt>This instance</dt><dd>");
	buf_adds(b, s->lead.role == MSG_LEADER ? "leads" : "stands by");
	buf_adds(b, "</dd>\n<dt>Holder</dt><dd>");
	html_text(b, s->lead.holder[0] != '\0' ? s->lead.holder : "nobody");
	buf_adds(b, "</dd>\n");
	if (s->lead.role == MSG_LEADER) {
		buf_adds(b, "<dt>Since</dt><dd>");
		html_moment(b, s->lead.since);
		buf_printf(b, "</dd>\n<dt>Term</dt><dd>%lld</dd>\n", (long long)s->lead.term);
	}
	if (s->has_wan)
		buf_printf(b, "<dt>Epoch</dt><dd>%lld</dd>\n<dt>Sequence</dt><dd>%lld</dd>\n",
			   (long long)s->wan.epoch, (long long)s->wan.sequence);
	buf_adds(b, "<dt>Kept by</dt><dd>");
	html_text(b, s->lead.backend);
	buf_adds(b, "</dd>\n</dl>\n");
	if (s->lead.reason[0] != '\0') {
		buf_adds(b, "<p class=\"notice\">");
		html_text(b, s->lead.reason);
		buf_adds(b, "</p>\n");
	}
	if (s->has_cluster)
		put_cluster(&s->cluster, b);
	buf_adds(b, "</section>\n");
}

static enum webd_level
unit_level(const struct webd_unit *u)
{
	if (webd_unit_is(u, "active"))
		return WEBD_GOOD;
	if (webd_unit_is(u, "failed") || webd_unit_is(u, "aborting"))
		return WEBD_BAD;
	return webd_unit_is(u, "backoff") ? WEBD_WARN : WEBD_WAIT;
}

static void
put_unit(const struct webd_unit *u, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	buf_adds(b, "<tr><td data-label=\"Unit\"><strong>");
	html_text(b, u->name);
	buf_adds(b, "</strong>");
	if (u->pid > 0)
		buf_printf(b, "<br><span class=\"quiet\">pid %lld</span>", (long long)u->pid);
	if (u->memory > 0 && u->cpu_ms >= 0)
		buf_printf(b, "<br><span class=\"quiet\">%.1f MB, CPU %.1f s</span>",
			   (double)u->memory / 1e6, (double)u->cpu_ms / 1e3);
	buf_adds(b, "</td><td data-label=\"State\">");
	html_chip(b, unit_level(u), u->state);
	if (u->status[0] != '\0') {
		buf_adds(b, "<br><span class=\"quiet\">");
		html_text(b, u->status);
		buf_adds(b, "</span>");
	}
	if (u->next_start_ms > now_ms) {
		char span[32];

		buf_printf(b, "<br><span class=\"quiet\">next start in %s</span>",
			   clock_span(u->next_start_ms - now_ms, span, sizeof(span)));
	}
	buf_adds(b, "</td><td data-label=\"For\">");
	html_age(b, u->since > 0 && wall_ms > u->since ? wall_ms - u->since : 0, u->since);
	buf_printf(b, "</td><td data-label=\"Restarts\">%lld", (long long)u->restarts);
	if (u->last_exit[0] != '\0') {
		buf_adds(b, "<br><span class=\"quiet\">last: ");
		html_text(b, u->last_exit);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td></tr>\n");
}

void
view_units(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	buf_adds(b, "<section class=\"card\">\n<h2>Units</h2>\n");
	if (!s->has_units) {
		buf_adds(b, "<p class=\"quiet\">The supervisor has not told them yet.</p>\n"
			    "</section>\n");
		return;
	}
	buf_adds(b, "<table>\n<thead><tr><th>Unit</th><th>State</th><th>For</th>"
		    "<th>Restarts</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < s->nunits; i++)
		put_unit(&s->units[i], now_ms, wall_ms, b);
	buf_adds(b, "</tbody>\n</table>\n</section>\n");
}
