#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *p)
{
	if (p == NULL) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
mem_new(size_t n, size_t size)
{
	return checked(calloc(n != 0 ? n : 1, size != 0 ? size : 1));
}

void *
mem_grow(void *p, size_t n, size_t size)
{
	return checked(reallocarray(p, n != 0 ? n : 1, size != 0 ? size : 1));
}

char *
mem_strdup(const char *s)
{
	return s != NULL ? checked(strdup(s)) : NULL;
}

char *
mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	return checked(n >= 0 ? text : NULL);
}

_Bool
mem_copy_text(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (size == 0)
		return len == 0;
	if (len < size) {
		memcpy(dst, src, len + 1);
		return 1;
	}
	/* 10xxxxxx continues a sequence: cut before its first byte instead */
	for (len = size - 1; len > 0 && ((unsigned char)src[len] & 0xC0) == 0x80; len--)
		;
	memcpy(dst, src, len);
	dst[len] = '\0';
	return 0;
}
