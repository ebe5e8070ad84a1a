#include "webd/view_html.h"

#include "common/clock.h"
#include "webd/html.h"
#include "webd/view_parts.h"
#include "webd/view_svg.h"

static void
put_head(struct buf *b)
{
	buf_adds(b, "<!DOCTYPE html>\n"
		    "<html lang=\"en\">\n"
		    "<head>\n"
		    "<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n"
		    "<title>ESDDNS</title>\n"
		    "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n"
		    "<link rel=\"stylesheet\" href=\"/style.css\">\n");
}

static void
put_brand(struct buf *b)
{
	buf_adds(b, "<header>\n<a class=\"brand\" href=\"/\">ESDDNS</a>\n");
}

static void
put_verdict(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	struct webd_verdict v = { .level = WEBD_GOOD };

	webd_judge(s, now_ms, &v);
	buf_printf(b, "<section class=\"verdict %s\">\n<h1>", webd_level_name(v.level));
	html_text(b, buf_text(&v.headline));
	buf_adds(b, "</h1>\n<p>");
	html_text(b, buf_text(&v.detail));
	buf_adds(b, "</p>\n");
	if (s->config.dry_run)
		buf_adds(b,
			 "<p class=\"quiet\">Dry run: records are compared, never written.</p>\n");
	else if (s->config.observe)
		buf_adds(b, "<p class=\"quiet\">This instance observes: it never writes.</p>\n");
	if (s->draining)
		buf_adds(b, "<p class=\"quiet\">This instance is about to stop.</p>\n");
	buf_adds(b, "</section>\n");
	webd_verdict_free(&v);
}

static bool
has_changes(const struct webd_state *s)
{
	return s->has_wan && (s->wan.ipv4.nchanges > 0 || s->wan.ipv6.nchanges > 0);
}

static void
put_changes(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	buf_printf(b, "<section class=\"card%s\">\n<h2>Changes of the address</h2>\n",
		   webd_link_alive(s, s->wan_link, now_ms) ? "" : " stale");
	if (!has_changes(s))
		buf_adds(b, "<p class=\"quiet\">No address was published yet.</p>\n");
	else
		for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
			view_changes(webd_family(s, (enum address_family)i), (enum address_family)i,
				     wall_ms, b);
	buf_adds(b, "</section>\n");
}

static void
put_footer(const struct webd_state *s, int64_t wall_ms, struct buf *b)
{
	buf_adds(b, "<p class=\"foot\">ESDDNS ");
	html_text(b, s->config.version);
	buf_adds(b, " · this page was made at ");
	html_moment(b, wall_ms);
	buf_adds(b, " · also as <a href=\"/api/v1/state\">JSON</a>, <a href=\"/raw\">short "
		    "JSON</a> and <a href=\"/metrics\">metrics</a></p>\n");
}

void
view_html(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *out)
{
	put_head(out);
	buf_adds(out, "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n"
		      "<script src=\"/page.js\" defer></script>\n</head>\n<body>\n");
	put_brand(out);
	buf_adds(out, "<p id=\"live\" role=\"status\" hidden></p>\n</header>\n");
	buf_printf(out, "<main data-version=\"%llx-%llu\">\n", (unsigned long long)s->instance,
		   (unsigned long long)s->version);
	put_verdict(s, now_ms, out);
	buf_adds(out, "<div class=\"pair\">\n");
	view_addresses(s, now_ms, out);
	view_current(s, now_ms, out);
	buf_adds(out, "</div>\n");
	view_records(s, now_ms, out);
	view_votes(s, now_ms, out);
	put_changes(s, now_ms, wall_ms, out);
	buf_adds(out, "<div class=\"pair\">\n");
	view_leader(s, out);
	view_units(s, now_ms, wall_ms, out);
	buf_adds(out, "</div>\n");
	put_footer(s, wall_ms, out);
	buf_adds(out, "</main>\n</body>\n</html>\n");
}

void
view_html_message(const char *title, const char *text, struct buf *out)
{
	put_head(out);
	buf_adds(out, "</head>\n<body>\n");
	put_brand(out);
	buf_adds(out, "</header>\n<main>\n<section class=\"verdict wait\">\n<h1>");
	html_text(out, title);
	buf_adds(out, "</h1>\n<p>");
	html_text(out, text);
	buf_adds(out, "</p>\n<p><a href=\"/\">To the state of this system</a></p>\n"
		      "</section>\n</main>\n</body>\n</html>\n");
}
