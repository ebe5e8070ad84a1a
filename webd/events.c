#include "webd/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define BEAT_MS 10000
/* Changes that follow each other closely are told as one. */
#define CALM_MS 200
#define TEXT_MAX 160

struct stream {
	struct stream *next, *before;
	struct events *events;
	struct MHD_Connection *connection;
	bool suspended;
	uint64_t told; /* the change and the beat that it was told of */
	uint64_t beat;
	char text[TEXT_MAX]; /* on its way; off of len bytes are sent */
	size_t len, off;
};

struct events {
	const struct webd_state *state;
	struct stream *streams;
	size_t n, max;
	uint64_t version; /* of the state, that was announced last */
	uint64_t changes; /* announcements of changes so far; never 0 */
	uint64_t beats;
	int64_t announced_ms;
	int64_t beat_ms;
	bool closing;
};

struct events *
events_new(const struct webd_state *state, size_t max)
{
	struct events *e = mem_new(1, sizeof(*e));

	e->state = state;
	e->max = max;
	e->changes = 1;
	return e;
}

void
events_free(struct events *e)
{
	free(e);
}

/* Put the next thing to say into the stream; false if there is none. */
static bool
next_text(struct stream *s)
{
	const struct events *e = s->events;
	const char *form;

	if (s->told == 0)
		form = "retry: 2000\nevent: state\ndata: %llx-%llu\n\n";
	else if (s->told != e->changes)
		form = "event: state\ndata: %llx-%llu\n\n";
	else if (s->beat != e->beats)
		form = ": still here\nevent: beat\ndata: %llx-%llu\n\n";
	else
		return false;
	s->told = e->changes;
	s->beat = e->beats;
	s->off = 0;
	s->len = (size_t)snprintf(s->text, sizeof(s->text), form,
				  (unsigned long long)e->state->instance,
				  (unsigned long long)e->state->version);
	return true;
}

/* Called by MHD when the connection can take more. */
static ssize_t
read_stream(void *arg, uint64_t pos, char *out, size_t max)
{
	struct stream *s = arg;
	size_t n;

	(void)pos;
	if (s->off == s->len && s->events->closing)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (s->off == s->len && !next_text(s)) {
		s->suspended = true;
		MHD_suspend_connection(s->connection);
		return 0;
	}
	n = s->len - s->off < max ? s->len - s->off : max;
	memcpy(out, s->text + s->off, n);
	s->off += n;
	return (ssize_t)n;
}

static void
free_stream(void *arg)
{
	struct stream *s = arg;

	if (s->before != NULL)
		s->before->next = s->next;
	else
		s->events->streams = s->next;
	if (s->next != NULL)
		s->next->before = s->before;
	s->events->n--;
	free(s);
}

struct MHD_Response *
events_open(struct events *e, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	struct stream *s;

	if (e->n >= e->max || e->closing)
		return NULL;
	s = mem_new(1, sizeof(*s));
	s->events = e;
	s->connection = connection;
	s->next = e->streams;
	if (s->next != NULL)
		s->next->before = s;
	e->streams = s;
	e->n++;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, TEXT_MAX, read_stream, s,
						     free_stream);
	if (response == NULL)
		free_stream(s);
	return response;
}

static void
resume_all(struct events *e)
{
	for (struct stream *s = e->streams; s != NULL; s = s->next) {
		if (!s->suspended)
			continue;
		s->suspended = false;
		MHD_resume_connection(s->connection);
	}
}

void
events_tick(struct events *e, int64_t now_ms)
{
	if (e->version != e->state->version && now_ms - e->announced_ms >= CALM_MS) {
		e->version = e->state->version;
		e->announced_ms = now_ms;
		e->changes++;
		resume_all(e);
	}
	if (now_ms - e->beat_ms >= BEAT_MS) {
		e->beat_ms = now_ms;
		e->beats++;
		resume_all(e);
	}
}

int64_t
events_next_deadline(const struct events *e, int64_t now_ms)
{
	if (e->streams == NULL)
		return CLOCK_NEVER;
	if (e->version != e->state->version)
		return e->announced_ms + CALM_MS < now_ms ? now_ms : e->announced_ms + CALM_MS;
	return e->beat_ms + BEAT_MS;
}

void
events_close(struct events *e)
{
	e->closing = true;
	resume_all(e);
}
