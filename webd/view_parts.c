/* What the parts share, and those about the address: see view_parts.h. */
#include "webd/view_parts.h"

#include "common/clock.h"
#include "webd/html.h"

void
view_open(const struct webd_state *s, enum webd_link link, const char *id, const char *heading,
	  int64_t now_ms, struct buf *b)
{
	bool stale = link != VIEW_OWN && !webd_link_alive(s, link, now_ms);
	int64_t age = stale ? webd_link_age(s, link, now_ms) : -1;

	buf_printf(b, "<section class=\"card%s\" aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n",
		   stale ? " stale" : "", id, id, heading);
	if (age < 0)
		return;
	buf_printf(b, "<p class=\"notice warn\">The %s does not answer. This is what it said ",
		   webd_link_name(link));
	html_age(b, age, 0);
	buf_adds(b, " ago.</p>\n");
}

void
view_notice(const char *text, enum webd_level level, struct buf *b)
{
	if (text[0] == '\0')
		return;
	buf_printf(b, "<p class=\"notice %s\">", webd_level_name(level));
	html_text(b, text);
	buf_adds(b, "</p>\n");
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
	bool known = f != NULL && f->address.family != ADDRESS_NONE;
	enum webd_level level;
	const char *words = certainty(s, family, now_ms, &level);

	view_open(s, s->wan_link, family == ADDRESS_IPV6 ? "wan6" : "wan4",
		  family == ADDRESS_IPV6 ? "WAN IPv6 address" : "WAN IPv4 address", now_ms, b);
	buf_adds(b, "<p class=\"figure\">");
	if (known)
		html_address(b, &f->address);
	else
		buf_adds(b, "unknown");
	buf_adds(b, "</p>\n<p>");
	html_chip(b, level, words);
	buf_adds(b, "</p>\n");
	if (known) {
		buf_adds(b, "<p>Since ");
		html_moment(b, f->detected_at);
		buf_adds(b, "</p>\n<p class=\"quiet\">Confirmed ");
		html_age(b, webd_confirmed_age(s, family, now_ms), f->confirmed_at);
		buf_adds(b, s->confirmed_ms[family] < 0 ? "" : " ago");
		if (s->checked_ms[family] >= 0)
			buf_printf(b, "; in the last round %u of %u operators agreed", f->agreed,
				   f->asked);
		buf_adds(b, ".</p>\n");
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
put_vote(const struct msg_vote *vote, struct buf *b)
{
	enum webd_level level = vote->agrees ? WEBD_GOOD : WEBD_WARN;
	bool answered = vote->answer.family != ADDRESS_NONE;
	const char *words = "agrees";
	char span[32];

	if (!vote->agrees)
		words = answered && vote->error[0] == '\0' ? "differs" : "no vote";
	buf_adds(b, "<tr><th scope=\"row\">");
	html_text(b, vote->operator);
	buf_adds(b, "</th><td>");
	html_text(b, vote->kind);
	buf_adds(b, "</td><td>");
	if (answered)
		html_address(b, &vote->answer);
	if (vote->error[0] != '\0') {
		buf_adds(b, answered ? " <span>" : "<span>");
		html_text(b, vote->error);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td><td>");
	html_chip(b, level, words);
	buf_printf(b, "</td><td>%s</td></tr>\n", clock_span(vote->duration_ms, span, sizeof(span)));
}

static void
put_round(const struct webd_state *s, enum address_family family, int64_t now_ms, struct buf *b)
{
	const struct msg_wan_family *f = webd_family(s, family);
	int64_t age = s->checked_ms[family] < 0 ? -1 : now_ms - s->checked_ms[family];

	buf_printf(b, "<h3>%s</h3>\n", html_family(family));
	if (f == NULL || age < 0) {
		buf_adds(b, "<p class=\"quiet\">No round has ended yet.</p>\n");
		return;
	}
	buf_printf(b,
		   "<p class=\"quiet\">%u of %u operators answered, %u agreed, %u are needed; "
		   "asked ",
		   f->answered, f->asked, f->agreed, f->needed);
	html_age(b, age, f->checked_at);
	buf_adds(b, " ago.</p>\n");
	view_notice(f->reason, WEBD_WARN, b);
	if (f->nvotes == 0)
		return;
	buf_adds(b, "<table class=\"votes\">\n<thead><tr><th scope=\"col\">Operator</th>"
		    "<th scope=\"col\">Kind</th><th scope=\"col\">Answer</th>"
		    "<th scope=\"col\">Vote</th><th scope=\"col\">Time</th></tr></thead>\n"
		    "<tbody>\n");
	for (size_t i = 0; i < f->nvotes; i++)
		put_vote(&f->votes[i], b);
	buf_adds(b, "</tbody>\n</table>\n");
}

void
view_votes(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	view_open(s, s->wan_link, "round", "The last round", now_ms, b);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (webd_needs(s, (enum address_family)i) ||
		    (s->nrecords == 0 && i == ADDRESS_IPV4))
			put_round(s, (enum address_family)i, now_ms, b);
	buf_adds(b, "</section>\n");
}
