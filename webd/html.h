/* Pieces of HTML that several parts of the page use. */
#ifndef WEBD_HTML_H
#define WEBD_HTML_H

#include <stdint.h>

#include "common/address.h"
#include "common/buf.h"
#include "webd/verdict.h"

/* Append text so that it is text, in an element or in a quoted attribute. */
void html_text(struct buf *b, const char *text);
/*
 * An age that the page's script keeps counting: "12 s"; at is the moment, wall,
 * 0 if it is not known. "never" for a negative age.
 */
void html_age(struct buf *b, int64_t age_ms, int64_t at);
/* How long it is until something; the script counts down. */
void html_left(struct buf *b, int64_t left_ms);
/* A moment, "2026-11-22 11:04:13 UTC", or "never". */
void html_moment(struct buf *b, int64_t at);
void html_address(struct buf *b, const struct address *a);
/* A state in words, coloured by its level. */
void html_chip(struct buf *b, enum webd_level level, const char *words);

/* "IPv4", "IPv6". */
const char *html_family(enum address_family family);

#endif
