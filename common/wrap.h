/* Text for people at a terminal: lines of at most WRAP_COLUMNS. */
#ifndef COMMON_WRAP_H
#define COMMON_WRAP_H

#include <stddef.h>

#include "common/buf.h"

#define WRAP_COLUMNS 80

/*
 * Append text, broken between words, and a newline. The first line goes on at
 * column (how much of it stands there already); the others begin with indent
 * spaces. A word longer than a line is broken too. Control characters become
 * '?'; a character counts for one column.
 */
void wrap_add(struct buf *b, size_t column, size_t indent, const char *text);
/* The same from the start of a line, the first one indented like the others. */
void wrap_paragraph(struct buf *b, size_t indent, const char *text);
/*
 * Copy a text that stands on a line with others: control characters become '?', and
 * it is cut to columns (and to size bytes). Returns out.
 */
const char *wrap_cell(char *out, size_t size, size_t columns, const char *text);
/* How many columns a text takes, on one line. */
size_t wrap_width(const char *text);

#endif
