/*
 * What happened, in words: kept only while a seed is run again because it
 * failed (or because somebody asked), since words cost more than the rest.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdio.h>

#include "tests/sim/world.h"

struct trace;

/* Keep the last `lines` lines; 0: print each at once. */
struct trace *trace_new(size_t lines);
void trace_free(struct trace *t);
void trace_print(const struct trace *t, FILE *out);

void trace_add(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The arguments cost nothing where there is no trace. */
#define TRACE(w, ...)                                                                              \
	do {                                                                                       \
		if ((w)->trace)                                                                    \
			trace_add((w), __VA_ARGS__);                                               \
	} while (0)

#endif
