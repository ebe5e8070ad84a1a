/*
 * What the fuzz targets share. Each is one parser and what must hold for every
 * input: not only that nothing breaks, but that what is accepted is within its
 * bounds and survives being written and read again, and that what is refused is
 * refused with a reason. See CONTRIBUTING.md, "Fuzzing".
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls it with one input after the other, tests/fuzz_main.c with a corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, __func__, #condition))

static inline _Noreturn void
fuzz_failed(const char *file, int line, const char *function, const char *condition)
{
	fprintf(stderr, "%s:%d: %s: does not hold: %s\n", file, line, function, condition);
	abort();
}

/* An input is one line of choices, which a person can read, and what is parsed. */
struct fuzz_input {
	char choices[32];
	const char *text; /* len bytes and no NUL behind them */
	size_t len;
};

/* False if there is no such line: the input says nothing. */
static inline bool
fuzz_split(struct fuzz_input *in, const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t n = end != NULL ? (size_t)(end - data) : 0;

	if (end == NULL || n >= sizeof(in->choices) || memchr(data, '\0', n) != NULL)
		return false;
	memcpy(in->choices, data, n);
	in->choices[n] = '\0';
	in->text = (const char *)end + 1;
	in->len = size - n - 1;
	return true;
}

/* Is it a phrase that can stand in a log: not empty, one line, no control characters? */
static inline bool
fuzz_is_phrase(const char *text)
{
	if (text == NULL || *text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			return false;
	return true;
}

#endif
