#include "ipc/text.h"

#include <string.h>

/* The length of the character at s (RFC 3629, section 4), 0 if the bytes are not UTF-8. */
static size_t
character_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

	if (n == 1)
		return 1;
	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

static bool
is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && s[1] < 0xA0);
}

bool
text_clean(char *dst, size_t size, const char *src)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t used = 0;

	while (*s != '\0') {
		size_t n = character_length(s);
		bool bad = n == 0 || is_control(s);
		size_t out = bad ? 1 : n;

		if (used + out >= size)
			break;
		if (bad)
			dst[used] = '?';
		else
			memmove(dst + used, s, n);
		used += out;
		s += n != 0 ? n : 1;
	}
	dst[used] = '\0';
	return *s == '\0';
}

char *
text_trim(char *text)
{
	static const char blanks[] = " \t\r\n\v\f";
	size_t len;

	text += strspn(text, blanks);
	for (len = strlen(text); len > 0 && strchr(blanks, text[len - 1]) != NULL; len--)
		;
	text[len] = '\0';
	return text;
}
