/* The sections of the page; only view_html.c puts them together. Pure. */
#ifndef WEBD_VIEW_PARTS_H
#define WEBD_VIEW_PARTS_H

#include "common/buf.h"
#include "webd/state.h"

/* A card for each family: the address, since when, how sure it is, and why if it is held. */
void view_addresses(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* The promised summary: poll date, usable, address, in sync, the first record set. */
void view_current(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* Every configured record, as it is wanted and as it was found. */
void view_records(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* Who answered what in the last round. */
void view_votes(const struct webd_state *s, int64_t now_ms, struct buf *b);
/* Who leads, and which state (epoch, sequence) is published. */
void view_leader(const struct webd_state *s, struct buf *b);
/* The processes of this instance. */
void view_units(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b);

#endif
