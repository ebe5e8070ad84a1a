#include "tests/sim/trace.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/mem.h"

#define LINE_MAX 220

struct trace {
	size_t lines; /* 0: printed at once */
	size_t next, used;
	char (*ring)[LINE_MAX];
};

struct trace *
trace_new(size_t lines)
{
	struct trace *t = mem_new(1, sizeof(*t));

	t->lines = lines;
	t->ring = mem_new(lines ? lines : 1, sizeof(*t->ring));
	return t;
}

void
trace_free(struct trace *t)
{
	if (t)
		free(t->ring);
	free(t);
}

void
trace_print(const struct trace *t, FILE *out)
{
	for (size_t i = 0; i < t->used; i++)
		fprintf(out, "%s\n", t->ring[(t->next + t->lines - t->used + i) % t->lines]);
}

void
trace_add(struct world *w, const char *format, ...)
{
	struct trace *t = w->trace;
	char *line = t->ring[t->next];
	int n = snprintf(line, LINE_MAX, "%4lld.%06lld ", (long long)(w->now_us / SECOND),
			 (long long)(w->now_us % SECOND));
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, LINE_MAX - (size_t)n, format, args);
	va_end(args);
	if (t->lines == 0) {
		puts(line);
		return;
	}
	t->next = (t->next + 1) % t->lines;
	t->used += t->used < t->lines;
}
