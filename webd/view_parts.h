/* The parts of the page, each a section. Pure: they append to b. See view_html.h. */
#ifndef WEBD_VIEW_PARTS_H
#define WEBD_VIEW_PARTS_H

#include <stdint.h>

#include "common/buf.h"
#include "webd/state.h"
#include "webd/verdict.h"

/* Of what webd knows by itself. */
#define VIEW_OWN WEBD_LINK__MAX

/*
 * Begin a part under its heading; </section> ends it. What came over a link that is dead is
 * marked, with its age, in every part that shows it. id and heading are HTML.
 */
void view_open(const struct webd_state *s, enum webd_link link, const char *id, const char *heading,
	       int64_t now_ms, struct buf *b);
/* A sentence that came from elsewhere and is to be noticed; "" for none. */
void view_notice(const char *text, enum webd_level level, struct buf *b);

/* The WAN addresses that are needed, each with how sure it is. */
void view_addresses(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* Who leads, and how this instance hears of it. */
void view_leader(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* All records: wanted, found, and what there is to do. */
void view_records(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* The last round: who answered what. */
void view_votes(const struct webd_state *s, int64_t now_ms, struct buf *b);
void view_units(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b);
/* The first record and its address, by the names that the original page had. */
void view_current(const struct webd_state *s, int64_t now_ms, struct buf *b);

#endif
