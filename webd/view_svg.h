/* The picture of the changes over time. Pure. */
#ifndef WEBD_VIEW_SVG_H
#define WEBD_VIEW_SVG_H

#include "common/buf.h"
#include "ipc/message.h"

/*
 * Append the spells of one family's addresses up to wall_ms: a bar as inline
 * SVG, which stretches with the page, and the same as a list, newest first.
 * Nothing if no change is known.
 */
void view_changes(const struct msg_wan_family *f, enum address_family family, int64_t wall_ms,
		  struct buf *out);

#endif
