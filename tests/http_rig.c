#include "http_rig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

void
http_rig_start(struct http_rig *r)
{
	*r = (struct http_rig){ .replies = 0 };
	http_server_start(&r->server);
	r->resolver = resolver_new();
	r->http = http_new(r->resolver, "check_http/1");
}

void
http_rig_stop(struct http_rig *r)
{
	http_free(r->http);
	resolver_free(r->resolver);
	http_server_stop(&r->server);
	ck_assert_int_lt(r->longest_ms, HTTP_RIG_BLOCKED_MS);
}

const char *
http_rig_url(struct http_rig *r, const char *host, const char *path)
{
	snprintf(r->url, sizeof(r->url), "http://%s:%u%s", host, r->server.port, path);
	return r->url;
}

struct http_request
http_rig_get(const char *where)
{
	return (struct http_request){
		.method = "GET", .url = where, .body_max = 4096, .timeout_ms = HTTP_RIG_PATIENCE_MS
	};
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct http_reply *reply = arg;
	struct http_request next;

	ck_assert_msg(reply->rig->dispatching, "called back from outside of http_dispatch()");
	reply->rig->replies++;
	reply->calls++;
	reply->error = response->error;
	reply->status = response->status;
	mem_copy_text(reply->text, sizeof(reply->text), response->error_text);
	mem_copy_text(reply->type, sizeof(reply->type), response->content_type);
	mem_copy_text(reply->warning, sizeof(reply->warning), response->warning);
	reply->retry_after_ms = response->retry_after_ms;
	reply->duration_ms = response->duration_ms;
	buf_clear(&reply->body);
	buf_add(&reply->body, response->body, response->body_len);
	ck_assert_int_eq(response->body[response->body_len], '\0');
	ck_assert((response->error == HTTP_OK) == (response->error_text[0] == '\0'));
	ck_assert((response->error == HTTP_OK) == (response->status != 0));
	http_cancel(reply->to_cancel);
	if (reply->to_start != NULL) {
		next = http_rig_get(http_rig_url(reply->rig, "127.0.0.1", "/ok"));
		http_start(reply->rig->http, &next, on_done, reply->to_start);
	}
}

struct http_call *
http_rig_call(struct http_rig *r, const struct http_request *request, struct http_reply *reply)
{
	*reply = (struct http_reply){ .rig = r };
	return http_start(r->http, request, on_done, reply);
}

void
http_rig_pass(struct http_rig *r, int64_t until_ms)
{
	struct pollset p;
	int64_t before;

	pollset_reset(&p);
	pollset_wake_at(&p, until_ms);
	http_server_prepare(&r->server, &p);
	http_wait(r->http, &p);
	http_server_dispatch(&r->server, &p);
	before = clock_now();
	r->dispatching = true;
	http_dispatch(r->http, &p);
	r->dispatching = false;
	if (clock_now() - before > r->longest_ms)
		r->longest_ms = clock_now() - before;
	r->passes++;
}

/* Runs the loop until so many replies came in all. */
void
http_rig_await(struct http_rig *r, int replies)
{
	int64_t end = clock_now() + HTTP_RIG_PATIENCE_MS;

	while (r->replies < replies && clock_now() < end)
		http_rig_pass(r, end);
	ck_assert_int_eq(r->replies, replies);
}

void
http_rig_run(struct http_rig *r, int64_t ms)
{
	int64_t end = clock_now() + ms;

	while (clock_now() < end)
		http_rig_pass(r, end);
}

/* One whole exchange; the caller frees the reply's body. */
void
http_rig_exchange(struct http_rig *r, const struct http_request *request, struct http_reply *reply)
{
	int before = r->replies;

	http_rig_call(r, request, reply);
	http_rig_await(r, before + 1);
	ck_assert_int_eq(reply->calls, 1);
}

void
http_rig_exchange_path(struct http_rig *r, const char *path, struct http_reply *reply)
{
	struct http_request request = http_rig_get(http_rig_url(r, "127.0.0.1", path));

	http_rig_exchange(r, &request, reply);
}
