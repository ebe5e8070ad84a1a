/*
 * Texts for people against golden files in tests/golden. After a change that is
 * meant, run with ESDDNS_GOLDEN_WRITE=1 and look at what git says has changed: the
 * test then writes the files, and fails, so that it can never pass unseen.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/wrap.h"

static inline void
golden_compare(const char *name, const struct buf *got)
{
	char path[512], want[32768];
	bool write = getenv("ESDDNS_GOLDEN_WRITE") != NULL;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), TESTS_SRCDIR "/golden/%s", name);
	f = fopen(path, write ? "w" : "r");
	ck_assert_msg(f != NULL, "%s: %s (ESDDNS_GOLDEN_WRITE=1 writes it)", path, strerror(errno));
	if (write) {
		ck_assert_uint_eq(fwrite(got->data, 1, got->len, f), got->len);
		fclose(f);
		ck_abort_msg("%s was written, not compared", path);
	}
	n = fread(want, 1, sizeof(want) - 1, f);
	fclose(f);
	want[n] = '\0';
	ck_assert_msg(strcmp(want, buf_text(got)) == 0, "%s: wanted:\n%s\ngot:\n%s", name, want,
		      buf_text(got));
}

/* No line is wider than a terminal, none ends with a space, and nothing controls it. */
static inline void
golden_fits(const struct buf *got)
{
	char *copy = strdup(buf_text(got)), *rest = copy, *line;

	ck_assert_ptr_nonnull(copy);
	ck_assert(got->len > 0 && got->data[got->len - 1] == '\n');
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t n = strlen(line);

		ck_assert_msg(wrap_width(line) <= WRAP_COLUMNS, "%zu columns: %s", wrap_width(line),
			      line);
		ck_assert_msg(n == 0 || line[n - 1] != ' ', "a space at the end: '%s'", line);
		for (size_t i = 0; i < n; i++)
			ck_assert_msg((unsigned char)line[i] >= ' ' && line[i] != 0x7F,
				      "a control character: %s", line);
	}
	free(copy);
}

#endif
