/*
 * An HTTP server for tests, in the test's own loop, that misbehaves on demand:
 *
 *   /ok             200, "hello"                /status/N     that status
 *   /body/N         200, N bytes, one a NUL     /endless      a body without an end
 *   /headers        headers without an end      /truncated    less than was announced
 *   /close          closes without a word       /garbage      is not HTTP
 *   /silent         takes it and says nothing   /drip/MS      /ok, one byte every MS
 *   /redirect       302 to /ok                  /family       the family it was asked by
 *   /warning/TEXT   200, two Warning headers, TEXT is the first
 *   /retry/TEXT     503, Retry-After: TEXT      /retry-date/S the same, a date S seconds off
 *
 * A test that needs other answers sets answer(), which appends the whole answer
 * to c->out and says how it goes on its way; false leaves it to those above.
 */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/pollset.h"

#define HTTP_SERVER_CONNECTIONS 32

struct http_server_connection {
	int fd; /* -1: free */
	struct buf in, out;
	int drip_ms; /* 0: all at once */
	int64_t next_ms;
	const char *endless; /* repeated for ever */
	bool closing;        /* once out is sent */
};

struct http_server {
	int listeners[2]; /* 127.0.0.1 and ::1 */
	unsigned port;    /* the same for both */
	unsigned accepted, requests, open;
	unsigned oks; /* requests of /ok */
	bool (*answer)(void *arg, struct http_server_connection *c, const char *path); /* or NULL */
	void *answer_arg;
	struct buf last; /* the last request, head and body */
	struct http_server_connection connections[HTTP_SERVER_CONNECTIONS];
};

void http_server_start(struct http_server *s);
void http_server_stop(struct http_server *s);
void http_server_prepare(struct http_server *s, struct pollset *p);
void http_server_dispatch(struct http_server *s, const struct pollset *p);

#endif
