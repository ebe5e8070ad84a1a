/* HTTP calls and the test's server in one loop, which measures how long a pass may take. */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include "common/buf.h"
#include "common/http.h"
#include "common/resolve.h"
#include "http_server.h"

#define HTTP_RIG_PATIENCE_MS 20000
/* No timing here is tight; but what blocks, blocks for seconds. */
#define HTTP_RIG_BLOCKED_MS 1000

/* What came back of one call. */
struct http_reply {
	int calls; /* of the callback: at most one */
	enum http_error error;
	int status;
	char text[300], type[64], warning[300];
	int64_t retry_after_ms, duration_ms;
	struct buf body;
	struct http_rig *rig;
	struct http_call *to_cancel; /* in the callback */
	struct http_reply *to_start; /* in the callback */
};

struct http_rig {
	struct resolver *resolver;
	struct http *http;
	struct http_server server;
	char url[512];
	int replies;
	bool dispatching;
	unsigned passes;    /* of the loop */
	int64_t longest_ms; /* of a dispatch */
};

void http_rig_start(struct http_rig *r);
/* Frees all, calls under way included; fails the test if a pass took too long. */
void http_rig_stop(struct http_rig *r);
/* A URL of the rig's server, valid until the next one. */
const char *http_rig_url(struct http_rig *r, const char *host, const char *path);
struct http_request http_rig_get(const char *where);

struct http_call *http_rig_call(struct http_rig *r, const struct http_request *request,
				struct http_reply *reply);
/* One pass of the loop, which waits until until_ms at the latest. */
void http_rig_pass(struct http_rig *r, int64_t until_ms);
/* Runs the loop until so many replies came in all. */
void http_rig_await(struct http_rig *r, int replies);
void http_rig_run(struct http_rig *r, int64_t ms);
/* One whole exchange; the caller frees the reply's body. */
void http_rig_exchange(struct http_rig *r, const struct http_request *request,
		       struct http_reply *reply);
void http_rig_exchange_path(struct http_rig *r, const char *path, struct http_reply *reply);

#endif
