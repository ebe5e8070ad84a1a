#include "webd/view_svg.h"

#include "common/clock.h"
#include "webd/html.h"

#define PICTURE_WIDTH 1000.0
#define PICTURE_HEIGHT 32
/* A spell is drawn at least this wide, so that it can be seen and pointed at. */
#define SPELL_MIN 14.0
#define GAP 2.0

/* How long an address was the one that is published. */
struct spell {
	const struct address *address;
	int64_t from, span; /* wall, ms */
	double width;
};

/* The spells, oldest first. A wall clock that went back gives spells of length 0. */
static size_t
find_spells(const struct msg_wan_family *f, int64_t wall_ms, struct spell *out)
{
	for (size_t i = 0; i < f->nchanges; i++) {
		int64_t end = i + 1 < f->nchanges ? f->changes[i + 1].at : wall_ms;
		int64_t span = end - f->changes[i].at;

		out[i] = (struct spell){ .address = &f->changes[i].address,
					 .from = f->changes[i].at,
					 .span = span > 0 ? span : 0 };
	}
	return f->nchanges;
}

/* Share the width by length, after each spell has its least. */
static void
share_width(struct spell *spells, size_t n)
{
	double rest = PICTURE_WIDTH - (double)n * SPELL_MIN, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)spells[i].span;
	for (size_t i = 0; i < n; i++)
		spells[i].width = SPELL_MIN + (sum > 0 ? rest * (double)spells[i].span / sum
						       : rest / (double)n);
}

/* Neighbours differ in colour, and the one that lasts has its own. */
static const char *
colour(size_t i, size_t n)
{
	if (i + 1 == n)
		return "now";
	return (n - i) % 2 == 0 ? "even" : "odd";
}

static void
draw(const struct spell *spells, size_t n, enum address_family family, struct buf *b)
{
	double x = 0;

	buf_printf(b,
		   "<svg class=\"spells\" viewBox=\"0 0 %g %d\" preserveAspectRatio=\"none\" "
		   "role=\"img\" aria-label=\"%s addresses over time\">",
		   PICTURE_WIDTH, PICTURE_HEIGHT, html_family(family));
	for (size_t i = 0; i < n; i++) {
		char text[ADDRESS_TEXT_MAX], from[32], span[32];
		double gap = i + 1 < n ? GAP : 0;

		buf_printf(b,
			   "<rect class=\"%s\" x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"%d\">"
			   "<title>%s from %s UTC, %s</title></rect>",
			   colour(i, n), x, spells[i].width - gap, PICTURE_HEIGHT,
			   address_format(spells[i].address, text, sizeof(text)),
			   clock_plain(spells[i].from, from, sizeof(from)),
			   clock_span(spells[i].span, span, sizeof(span)));
		x += spells[i].width;
	}
	buf_adds(b, "</svg>\n");
}

void
view_changes(const struct msg_wan_family *f, enum address_family family, int64_t wall_ms,
	     struct buf *out)
{
	struct spell spells[MSG_CHANGES_MAX];
	size_t n = find_spells(f, wall_ms, spells);

	if (n == 0)
		return;
	share_width(spells, n);
	buf_printf(out, "<h3>%s</h3>\n", html_family(family));
	draw(spells, n, family, out);
	buf_adds(out, "<p class=\"axis\">");
	html_moment(out, spells[0].from);
	buf_adds(out, "<span>now</span></p>\n<ol class=\"changes\">\n");
	for (size_t i = n; i-- > 0;) {
		char span[32];

		buf_printf(out, "<li><span class=\"swatch %s\"></span>", colour(i, n));
		html_address(out, spells[i].address);
		buf_adds(out, " <span class=\"quiet\">since ");
		html_moment(out, spells[i].from);
		buf_adds(out, i + 1 == n ? ", for " : ", it lasted ");
		if (i + 1 == n)
			html_age(out, spells[i].span, 0);
		else
			buf_adds(out, clock_span(spells[i].span, span, sizeof(span)));
		buf_adds(out, "</span></li>\n");
	}
	buf_adds(out, "</ol>\n");
}
