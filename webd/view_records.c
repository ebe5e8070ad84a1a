/* The parts of the page about records: see view_parts.h. */
#include <string.h>

#include "common/clock.h"
#include "webd/html.h"
#include "webd/view_parts.h"

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

/* Who it is: by name, and where that stands at the provider. */
static void
put_name(const struct webd_record *r, struct buf *b)
{
	buf_adds(b, "<th scope=\"row\"><bdi>");
	html_text(b, r->config.fqdn);
	buf_printf(b, "</bdi> %s<span class=\"quiet\"><code>",
		   address_record_type(r->config.family));
	html_text(b, r->config.name);
	buf_adds(b, "</code> in the zone <bdi>");
	html_text(b, r->config.zone);
	buf_adds(b, "</bdi></span></th>");
}

static void
put_wanted_and_found(const struct webd_record *r, struct buf *b)
{
	buf_adds(b, "<td data-label=\"Wanted\">");
	if (r->msg.wanted.family != ADDRESS_NONE)
		html_address(b, &r->msg.wanted);
	else
		buf_adds(b, "not known yet");
	buf_printf(b, "<span class=\"quiet\">TTL %lld s</span></td><td data-label=\"Found\">",
		   (long long)r->config.ttl);
	if (!r->known || r->checked_ms < 0) {
		buf_adds(b, "not read yet</td>");
		return;
	}
	put_values(&r->msg, b);
	if (r->msg.exists)
		buf_printf(b, "<span class=\"quiet\">TTL %lld s</span>", (long long)r->msg.ttl);
	buf_adds(b, "</td>");
}

static void
put_last_check(const struct webd_record *r, int64_t now_ms, struct buf *b)
{
	buf_adds(b, "<td data-label=\"Last check\">");
	html_age(b, webd_record_age(r, now_ms), r->msg.checked_at);
	buf_adds(b, r->checked_ms < 0 ? "" : " ago");
	if (r->next_ms > now_ms) {
		buf_adds(b, "<span class=\"quiet\">next in ");
		html_left(b, r->next_ms - now_ms);
		buf_adds(b, "</span>");
	}
	if (r->msg.updated_at > 0) {
		buf_adds(b, "<span class=\"quiet\">written ");
		html_moment(b, r->msg.updated_at);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td>");
}

/* Of a record that is not as it should be: what a person has to do, if anything. */
static const char *
advice(const struct webd_state *s, const struct webd_record *r)
{
	if (!r->known)
		return "";
	switch (r->msg.state) {
	case MSG_RECORD_ATTENTION:
		return "A person has to put this right; then it goes on by itself.";
	case MSG_RECORD_RETRYING:
		return "Nothing to do: it is tried again by itself.";
	case MSG_RECORD_HELD:
		return "Nothing to do here: it is written once a round confirms the address.";
	case MSG_RECORD_OBSERVED:
		if (r->msg.error[0] != '\0')
			return "";
		return s->config.dry_run
			       ? "In a dry run nothing is written: end that, or change the record."
			       : "This instance only observes: another one writes it, or you do.";
	case MSG_RECORD_UNKNOWN:
	case MSG_RECORD_IN_SYNC:
	case MSG_RECORD_WORKING:
	case MSG_RECORD_STATE__MAX:
		break;
	}
	return "";
}

/* Below the record, over the whole width: there is a sentence to read. */
static void
put_advice(const struct webd_state *s, const struct webd_record *r, enum webd_level level,
	   struct buf *b)
{
	const char *what = advice(s, r);
	size_t len = strlen(r->msg.error);

	if (len == 0 && what[0] == '\0')
		return;
	buf_printf(b, "<tr class=\"advice\"><td colspan=\"5\"><p class=\"notice %s\"><bdi>",
		   webd_level_name(level));
	html_text(b, r->msg.error);
	buf_adds(b,
		 len > 0 && strchr(".!?", r->msg.error[len - 1]) == NULL ? ".</bdi> " : "</bdi> ");
	buf_printf(b, "%s</p></td></tr>\n", what);
}

static void
put_record(const struct webd_state *s, const struct webd_record *r, int64_t now_ms, struct buf *b)
{
	enum webd_level level;
	const char *words = webd_record_words(s, r, now_ms, &level);

	buf_adds(b, "<tbody>\n<tr>");
	put_name(r, b);
	buf_adds(b, "<td>");
	html_chip(b, level, words);
	if (r->msg.by[0] != '\0') {
		buf_adds(b, "<span class=\"quiet\">as told by <bdi>");
		html_text(b, r->msg.by);
		buf_adds(b, "</bdi></span>");
	}
	buf_adds(b, "</td>");
	put_wanted_and_found(r, b);
	put_last_check(r, now_ms, b);
	buf_adds(b, "</tr>\n");
	put_advice(s, r, level, b);
	buf_adds(b, "</tbody>\n");
}

void
view_records(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	if (s->nrecords == 0)
		return;
	view_open(s, WEBD_UPDATER, "records", "Records", now_ms, b);
	buf_adds(b, "<table class=\"records\">\n<thead><tr><th scope=\"col\">Record</th>"
		    "<th scope=\"col\">State</th><th scope=\"col\">Wanted</th>"
		    "<th scope=\"col\">Found</th><th scope=\"col\">Last check</th></tr></thead>\n");
	for (size_t i = 0; i < s->nrecords; i++)
		put_record(s, &s->records[i], now_ms, b);
	buf_adds(b, "</table>\n</section>\n");
}

static void
put_answer(struct buf *b, const char *question, bool yes)
{
	buf_printf(b, "<div><dt>%s</dt><dd>", question);
	html_chip(b, yes ? WEBD_GOOD : WEBD_BAD, yes ? "yes" : "no");
	buf_adds(b, "</dd></div>\n");
}

/* The record set as it was found, or that it was not. */
static void
put_record_set(const struct webd_record *r, struct buf *b)
{
	bool found = r->known && r->msg.exists;

	buf_adds(b, "<div><dt>Record set name</dt><dd><code>");
	html_text(b, r->config.name);
	buf_printf(b,
		   "</code></dd></div>\n<div><dt>Type</dt><dd>%s</dd></div>\n<div><dt>TTL</dt><dd>",
		   address_record_type(r->config.family));
	if (found)
		buf_printf(b, "%lld s", (long long)r->msg.ttl);
	else
		buf_adds(b, "-");
	buf_adds(b, "</dd></div>\n<div><dt>Values</dt><dd>");
	put_values(&r->msg, b);
	buf_adds(b, "</dd></div>\n<div class=\"wide\"><dt>Href</dt><dd>");
	html_text(b, found && r->msg.href[0] != '\0' ? r->msg.href : "-");
	buf_adds(b, "</dd></div>\n");
}

void
view_current(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	enum address_family family = webd_main_family(s);
	const struct msg_wan_family *f = webd_family(s, family);

	view_open(s, VIEW_OWN, "current", "Current state", now_ms, b);
	if (s->nrecords > 1)
		buf_adds(b, "<p class=\"quiet\">Of the first record, as <code>/raw</code> has "
			    "it.</p>\n");
	buf_adds(b, "<dl class=\"facts\">\n<div><dt>Poll date</dt><dd>");
	html_moment(b, webd_poll_date(s));
	buf_adds(b, "</dd></div>\n");
	put_answer(b, "Is the IP usable?", webd_usable(s, family, now_ms));
	buf_printf(b, "<div><dt>WAN %s address</dt><dd>", html_family(family));
	if (f != NULL && f->address.family != ADDRESS_NONE)
		html_address(b, &f->address);
	else
		buf_adds(b, "unknown");
	buf_adds(b, "</dd></div>\n");
	if (s->nrecords > 0) {
		put_answer(b, "Is the DNS record in sync?",
			   webd_record_in_sync(s, &s->records[0], now_ms));
		put_record_set(&s->records[0], b);
	}
	buf_adds(b, "</dl>\n</section>\n");
}
