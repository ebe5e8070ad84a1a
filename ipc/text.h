/* Texts that came from outside, made fit for a log, a page or a datagram. */
#ifndef IPC_TEXT_H
#define IPC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copy src into dst of the given size (at least 1): every control character
 * (C0, DEL, C1) and every byte that is not UTF-8 becomes one '?', so the copy
 * is never longer than src. Cut off between characters if it must be; false
 * then. dst may be src.
 */
bool text_clean(char *dst, size_t size, const char *src);

/* The text without white space (ASCII) around it: moves the start, ends it earlier. */
char *text_trim(char *text);

#endif
