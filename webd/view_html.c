#include "webd/view_html.h"

#include "common/clock.h"
#include "webd/html.h"
#include "webd/view_parts.h"
#include "webd/view_svg.h"

/*
 * Names are relative where they can be, so that the page works behind a proxy that
 * serves it below a path of its own; root is what leads to the page from where it is.
 */
static void
put_head(const char *root, const char *title, struct buf *b)
{
	buf_adds(b, "<!DOCTYPE html>\n"
		    "<html lang=\"en\">\n"
		    "<head>\n"
		    "<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n"
		    "<title>ESDDNS: ");
	html_text(b, title);
	buf_printf(b,
		   "</title>\n"
		   "<link rel=\"icon\" href=\"%sicon.svg\" type=\"image/svg+xml\">\n"
		   "<link rel=\"stylesheet\" href=\"%sstyle.css\">\n",
		   root, root);
}

/* What a browser's tab says: the state first, since little of it may be seen. */
static void
put_title(const struct webd_finding *f, struct buf *b)
{
	buf_adds(b, webd_level_words(f->level));
	if (f->level != WEBD_GOOD)
		buf_printf(b, " – %s", buf_text(&f->headline));
}

/* The script says in place of the moment whether it follows, and whether it still can. */
static void
put_header(const struct webd_state *s, int64_t wall_ms, struct buf *b)
{
	buf_adds(b, "<header>\n<p class=\"brand\"><a href=\"./\">ESDDNS</a>");
	if (s->config.instance[0] != '\0') {
		buf_adds(b, " <span class=\"quiet\">on ");
		html_text(b, s->config.instance);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</p>\n<p class=\"live\"><span id=\"link\" role=\"status\">As of ");
	html_moment(b, wall_ms);
	buf_adds(b, "</span><span id=\"since\"><noscript>, loaded again every 30 s</noscript>"
		    "</span></p>\n</header>\n");
}

static void
put_others(const struct webd_verdict *v, struct buf *b)
{
	if (v->nothers == 0)
		return;
	buf_adds(b, "<ul class=\"others\">\n");
	for (int level = WEBD_BAD; level > WEBD_GOOD; level--) {
		for (size_t i = 0; i < v->nothers && i < WEBD_OTHERS_MAX; i++) {
			if ((int)v->others[i].level != level)
				continue;
			buf_printf(b, "<li class=\"%s\"><strong>%s</strong> <bdi>",
				   webd_level_name(v->others[i].level),
				   webd_level_words(v->others[i].level));
			html_text(b, v->others[i].headline);
			buf_adds(b, "</bdi></li>\n");
		}
	}
	if (v->nothers > WEBD_OTHERS_MAX)
		buf_printf(b, "<li>and %zu more, see the records</li>\n",
			   v->nothers - WEBD_OTHERS_MAX);
	buf_adds(b, "</ul>\n");
}

static void
put_verdict(const struct webd_state *s, const struct webd_verdict *v, struct buf *b)
{
	const struct webd_finding *f = &v->worst;

	buf_printf(b,
		   "<section class=\"verdict %s\" aria-labelledby=\"verdict\">\n"
		   "<p class=\"level\">%s</p>\n<h1 id=\"verdict\">",
		   webd_level_name(f->level), webd_level_words(f->level));
	html_text(b, buf_text(&f->headline));
	buf_adds(b, "</h1>\n<p><bdi>");
	html_text(b, buf_text(&f->detail));
	buf_adds(b, "</bdi>");
	for (size_t i = 0; i < f->nspans; i++) {
		buf_printf(b, " %s", f->spans[i].before);
		if (f->spans[i].ahead)
			html_left(b, f->spans[i].ms);
		else
			html_age(b, f->spans[i].ms, 0);
		buf_adds(b, f->spans[i].after);
	}
	buf_adds(b, "</p>\n");
	put_others(v, b);
	if (s->config.dry_run)
		buf_adds(b, "<p>Dry run: records are compared, never written.</p>\n");
	else if (s->config.observe)
		buf_adds(b, "<p>This instance observes: it never writes.</p>\n");
	if (s->draining)
		buf_adds(b, "<p>This instance is about to stop.</p>\n");
	buf_adds(b, "</section>\n");
}

static bool
has_changes(const struct webd_state *s)
{
	return s->has_wan && (s->wan.ipv4.nchanges > 0 || s->wan.ipv6.nchanges > 0);
}

static void
put_changes(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	view_open(s, s->wan_link, "changes", "Changes of the address", now_ms, b);
	if (!has_changes(s))
		buf_adds(b, "<p class=\"quiet\">No address was published yet.</p>\n");
	else
		for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
			view_changes(webd_family(s, (enum address_family)i), (enum address_family)i,
				     wall_ms, b);
	buf_adds(b, "</section>\n");
}

static void
put_footer(const struct webd_state *s, struct buf *b)
{
	buf_adds(b, "<footer>\n<p>ESDDNS ");
	html_text(b, s->config.version);
	buf_adds(b, "</p>\n<nav aria-label=\"The same for programs\">"
		    "<a href=\"api/v1/state\">JSON</a> <a href=\"raw\">short JSON</a> "
		    "<a href=\"metrics\">metrics</a></nav>\n</footer>\n");
}

void
view_html(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *out)
{
	struct webd_verdict verdict = { .nothers = 0 };
	struct buf title = BUF_INIT;

	webd_judge(s, now_ms, &verdict);
	put_title(&verdict.worst, &title);
	put_head("", buf_text(&title), out);
	buf_free(&title);
	buf_adds(out, "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n"
		      "<script src=\"page.js\" defer></script>\n</head>\n<body>\n");
	put_header(s, wall_ms, out);
	buf_printf(out, "<main data-version=\"%llx-%llu\">\n", (unsigned long long)s->instance,
		   (unsigned long long)s->version);
	put_verdict(s, &verdict, out);
	webd_verdict_free(&verdict);
	buf_adds(out, "<div class=\"pair\">\n");
	view_addresses(s, now_ms, out);
	view_leader(s, now_ms, out);
	buf_adds(out, "</div>\n");
	view_records(s, now_ms, out);
	view_votes(s, now_ms, out);
	put_changes(s, now_ms, wall_ms, out);
	view_units(s, now_ms, wall_ms, out);
	view_current(s, now_ms, out);
	/* said to who cannot see that the verdict has changed */
	buf_adds(out, "</main>\n<p id=\"news\" class=\"unseen\" role=\"status\"></p>\n");
	put_footer(s, out);
	buf_adds(out, "</body>\n</html>\n");
}

void
view_html_message(const char *title, const char *text, struct buf *out)
{
	put_head("/", title, out);
	buf_adds(out, "</head>\n<body>\n<header>\n<p class=\"brand\"><a href=\"/\">ESDDNS</a></p>\n"
		      "</header>\n<main>\n<section class=\"verdict wait\">\n<h1>");
	html_text(out, title);
	buf_adds(out, "</h1>\n<p>");
	html_text(out, text);
	buf_adds(out, "</p>\n<p><a href=\"/\">To the state of this system</a></p>\n"
		      "</section>\n</main>\n</body>\n</html>\n");
}
