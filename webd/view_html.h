/* The page. Pure: it appends to out and changes nothing else. */
#ifndef WEBD_VIEW_HTML_H
#define WEBD_VIEW_HTML_H

#include "common/buf.h"
#include "webd/state.h"

/* What the page may load and run: its own style, script and icon, nothing else. */
#define VIEW_CSP                                                                                   \
	"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "            \
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/*
 * GET /: the whole state for people. Complete without scripts; page.js
 * replaces its main element when /events says that something changed.
 */
void view_html(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *out);

/* A page that says one thing, such as what was not found. Title and text are plain text. */
void view_html_message(const char *title, const char *text, struct buf *out);

/* What /style.css, /page.js and /icon.svg serve. */
extern const char page_style[];
extern const char page_script[];
extern const char page_icon[];

#endif
