/* A text that grows: for pages, JSON lines and messages. Always ended with a NUL. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL while nothing was added */
	size_t len; /* without the NUL */
	size_t size;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Empties it and keeps the memory. */
void buf_clear(struct buf *b);
/* The text, never NULL; valid until the next change. */
const char *buf_text(const struct buf *b);
/* Hands the text over to the caller, who free()s it; b is empty afterwards. */
char *buf_take(struct buf *b);
void buf_free(struct buf *b);

#endif
