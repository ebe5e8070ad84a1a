/*
 * Memory that cannot be had ends the process: the supervisor starts it again,
 * and no caller needs a path that no test can walk (STYLE, rule 9).
 */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stddef.h>

/* Zeroed memory for n elements of the given size; free() it. */
void *mem_new(size_t n, size_t size);
/* Like reallocarray(3); the new part is not cleared. */
void *mem_grow(void *p, size_t n, size_t size);
/* A copy of s, or NULL for NULL; free() it. */
char *mem_strdup(const char *s);
/* A formatted string; free() it. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copy src into dst of the given size, cut off if it must be, always ended
 * with a NUL and never in the middle of a UTF-8 sequence. False if it was cut.
 */
_Bool mem_copy_text(char *dst, size_t size, const char *src);

#endif
