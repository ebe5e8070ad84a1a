#include "common/wrap.h"

#include <stdbool.h>

/* The bytes of the character at p: one, and what continues it (RFC 3629, section 3). */
static size_t
character(const char *p)
{
	size_t n = 1;

	if ((unsigned char)*p < 0xC0)
		return 1;
	while (n < 4 && ((unsigned char)p[n] & 0xC0) == 0x80)
		n++;
	return n;
}

static bool
is_control(const char *p)
{
	unsigned char c = (unsigned char)p[0];

	return c < ' ' || c == 0x7F || (c == 0xC2 && (unsigned char)p[1] < 0xA0);
}

size_t
wrap_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text += character(text))
		n++;
	return n;
}

const char *
wrap_cell(char *out, size_t size, size_t columns, const char *text)
{
	size_t n = 0;

	for (size_t c = 0; *text != '\0' && c < columns; c++) {
		size_t bytes = character(text);

		if (n + bytes >= size)
			break;
		for (size_t i = 0; i < bytes; i++)
			out[n + i] = text[i];
		if (is_control(text)) {
			out[n] = '?';
			n++;
		} else {
			n += bytes;
		}
		text += bytes;
	}
	out[n] = '\0';
	return out;
}

static size_t
word_width(const char *p)
{
	size_t n = 0;

	for (; *p != '\0' && *p != ' '; p += character(p))
		n++;
	return n;
}

/* No line ends with spaces, those of its caller's included. */
static void
end_line(struct buf *b)
{
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
}

static void
begin_line(struct buf *b, size_t *column, size_t indent)
{
	end_line(b);
	buf_printf(b, "\n%*s", (int)indent, "");
	*column = indent;
}

static const char *
add_word(struct buf *b, size_t *column, size_t indent, const char *p)
{
	while (*p != '\0' && *p != ' ') {
		size_t n = character(p);

		if (*column >= WRAP_COLUMNS)
			begin_line(b, column, indent);
		if (is_control(p))
			buf_addc(b, '?');
		else
			buf_add(b, p, n);
		(*column)++;
		p += n;
	}
	return p;
}

void
wrap_add(struct buf *b, size_t column, size_t indent, const char *text)
{
	bool fresh = true; /* nothing of the text stands on this line yet */

	while (*text != '\0') {
		size_t width = word_width(text);

		if (width == 0) {
			text++;
			continue;
		}
		if (column + (fresh ? 0 : 1) + width > WRAP_COLUMNS && column > indent) {
			begin_line(b, &column, indent);
		} else if (!fresh) {
			buf_addc(b, ' ');
			column++;
		}
		text = add_word(b, &column, indent, text);
		fresh = false;
	}
	end_line(b);
	buf_addc(b, '\n');
}

void
wrap_paragraph(struct buf *b, size_t indent, const char *text)
{
	buf_printf(b, "%*s", (int)indent, "");
	wrap_add(b, indent, indent, text);
}
