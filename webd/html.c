#include "webd/html.h"

#include "common/clock.h"

void
html_text(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buf_adds(b, "&amp;");
			break;
		case '<':
			buf_adds(b, "&lt;");
			break;
		case '>':
			buf_adds(b, "&gt;");
			break;
		case '"':
			buf_adds(b, "&quot;");
			break;
		case '\'':
			buf_adds(b, "&#39;");
			break;
		default:
			buf_addc(b, *text);
			break;
		}
	}
}

void
html_age(struct buf *b, int64_t age_ms, int64_t at)
{
	char span[32], iso[32];

	if (age_ms < 0) {
		buf_adds(b, "never");
		return;
	}
	/* people read seconds; the script counts on from age_ms */
	clock_span(age_ms < 1000 ? 1000 : age_ms, span, sizeof(span));
	if (at > 0)
		buf_printf(b, "<time datetime=\"%s\" title=\"%s\" data-age=\"%lld\">%s</time>",
			   clock_iso(at, iso, sizeof(iso)), iso, (long long)age_ms, span);
	else
		buf_printf(b, "<span data-age=\"%lld\">%s</span>", (long long)age_ms, span);
}

void
html_left(struct buf *b, int64_t left_ms)
{
	char span[32];

	clock_span(left_ms < 1000 ? 1000 : left_ms, span, sizeof(span));
	buf_printf(b, "<span data-left=\"%lld\">%s</span>", (long long)left_ms, span);
}

void
html_moment(struct buf *b, int64_t at)
{
	char iso[32], plain[32];

	if (at <= 0) {
		buf_adds(b, "never");
		return;
	}
	buf_printf(b, "<time datetime=\"%s\">%s UTC</time>", clock_iso(at, iso, sizeof(iso)),
		   clock_plain(at, plain, sizeof(plain)));
}

void
html_address(struct buf *b, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	buf_printf(b, "<code>%s</code>", address_format(a, text, sizeof(text)));
}

void
html_chip(struct buf *b, enum webd_level level, const char *words)
{
	buf_printf(b, "<span class=\"chip %s\">", webd_level_name(level));
	html_text(b, words);
	buf_adds(b, "</span>");
}

const char *
html_family(enum address_family family)
{
	return family == ADDRESS_IPV6 ? "IPv6" : "IPv4";
}
