#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_private.h"
#include "common/mem.h"
#include "common/resolve.h"

#define POOL_MAX 8
/* how long all that curl keeps is kept after the last call: for those that follow each other */
#define KEEP_MS 10000

static const char *const error_names[HTTP_ERROR__MAX] = {
	[HTTP_OK] = "ok",
	[HTTP_ERR_URL] = "url",
	[HTTP_ERR_RESOLVE] = "resolve",
	[HTTP_ERR_CONNECT] = "connect",
	[HTTP_ERR_TLS] = "tls",
	[HTTP_ERR_TIMEOUT] = "timeout",
	[HTTP_ERR_TOO_LARGE] = "too_large",
	[HTTP_ERR_BROKEN] = "broken",
};

static void
make_multi(struct http *h)
{
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		abort(); /* out of memory */
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)POOL_MAX);
	h->release_ms = CLOCK_NEVER;
}

/*
 * Connections, TLS sessions and certificates are more than a megabyte, and
 * minutes pass between one round or check and the next. They come again with the
 * next call.
 */
static void
release(struct http *h)
{
	curl_multi_cleanup(h->multi);
	make_multi(h);
	malloc_trim(0);
}

static bool
has_bundle(void)
{
	const char *file = curl_version_info(CURLVERSION_NOW)->cainfo;

	return file != NULL && access(file, R_OK) == 0;
}

struct http *
http_new(struct resolver *r, const char *user_agent)
{
	struct http *h = mem_new(1, sizeof(*h));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* out of memory */
	make_multi(h);
	h->bundle = has_bundle();
	h->resolver = r;
	h->user_agent = mem_strdup(user_agent);
	return h;
}

static void
free_call(struct http_call *call)
{
	struct http_call **at = &call->http->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	call->http->release_ms = clock_now() + KEEP_MS;
	resolver_cancel(call->query);
	if (call->state == CALL_RUNNING)
		curl_multi_remove_handle(call->http->multi, call->easy);
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	http_clear_options(call);
	buf_free(&call->body);
	free(call->content_type);
	free(call);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	while (h->calls != NULL)
		free_call(h->calls);
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h->user_agent);
	free(h);
}

static void
on_resolved(void *arg, const struct resolve_result *result)
{
	struct http_call *call = arg;
	int64_t left = call->deadline_ms - clock_now();

	call->query = NULL;
	if (result->error != NULL) {
		http_fail(call, HTTP_ERR_RESOLVE, "%s %s", call->host, result->error);
		return;
	}
	http_set_addresses(call, result);
	HTTP_SET(call, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
	HTTP_SET(call, CURLOPT_CONNECTTIMEOUT_MS, (long)(left > 1 ? left : 1));
	if (curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
		abort(); /* out of memory */
	call->state = CALL_RUNNING;
}

static void
set_deadlines(struct http_call *call, const struct http_request *request)
{
	call->timeout_ms = request->timeout_ms;
	call->deadline_ms = call->started_ms + request->timeout_ms;
	call->head_timeout_ms = request->head_timeout_ms;
	call->head_deadline_ms = CLOCK_NEVER;
	if (request->head_timeout_ms > 0)
		call->head_deadline_ms = call->started_ms + request->head_timeout_ms;
}

static int64_t
nearest_deadline(const struct http_call *call)
{
	return call->head_deadline_ms < call->deadline_ms ? call->head_deadline_ms
							  : call->deadline_ms;
}

struct http_call *
http_start(struct http *h, const struct http_request *request, http_done *done, void *arg)
{
	struct http_call *call = mem_new(1, sizeof(*call));

	*call = (struct http_call){
		.http = h,
		.next = h->calls,
		.done = done,
		.on_data = request->on_data,
		.arg = arg,
		.body_max = request->body_max,
		.started_ms = clock_now(),
		.retry_after_ms = -1,
	};
	h->calls = call;
	set_deadlines(call, request);
	if (!http_take_target(call, request)) {
		http_fail(call, HTTP_ERR_URL, "the URL %.200s cannot be used", request->url);
		return call;
	}
	call->easy = curl_easy_init();
	if (call->easy == NULL)
		abort();
	http_set_options(call, request);
	call->query = resolver_lookup(h->resolver, call->host, request->family,
				      nearest_deadline(call), on_resolved, call);
	return call;
}

void
http_cancel(struct http_call *call)
{
	if (call != NULL)
		free_call(call);
}

static bool
waits_for_head(const struct http_call *call)
{
	return call->state == CALL_RUNNING && call->header_bytes == 0 &&
	       call->head_deadline_ms != CLOCK_NEVER;
}

void
http_wait(struct http *h, struct pollset *p)
{
	struct curl_waitfd fds[POLLSET_MAX];
	int64_t now = clock_now();
	int timeout;

	resolver_prepare(h->resolver, p, now);
	for (const struct http_call *c = h->calls; c != NULL; c = c->next) {
		if (c->state == CALL_DONE)
			pollset_wake_at(p, now);
		else if (waits_for_head(c))
			pollset_wake_at(p, c->head_deadline_ms);
	}
	if (h->calls == NULL)
		pollset_wake_at(p, h->release_ms);
	for (size_t i = 0; i < p->n; i++)
		fds[i] = (struct curl_waitfd){ .fd = p->fds[i].fd, .events = p->fds[i].events };
	timeout = pollset_timeout(p, now);
	if (curl_multi_poll(h->multi, fds, (unsigned)p->n, timeout >= 0 ? timeout : 3600000,
			    NULL) != CURLM_OK)
		abort(); /* out of memory; EINTR is no error here */
	for (size_t i = 0; i < p->n; i++)
		p->fds[i].revents = fds[i].revents;
}

static void
take_answer(struct http_call *call)
{
	curl_off_t wait_s = 0;
	char *type = NULL;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait_s);
	call->content_type = mem_strdup(type);
	/* a day is long enough, and keeps the arithmetic of callers safe */
	if (wait_s > 0)
		call->retry_after_ms = (wait_s < 86400 ? wait_s : 86400) * 1000;
	if (call->status < 100 || call->status > 599)
		http_fail(call, HTTP_ERR_BROKEN, "the answer of %s has the status %ld", call->host,
			  call->status);
	call->state = CALL_DONE;
}

static void
collect(struct http *h)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct http_call *call = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		curl_multi_remove_handle(h->multi, call->easy);
		if (code == CURLE_OK)
			take_answer(call);
		else
			http_fail_by_code(call, code);
	}
}

/* curl knows no such limit. */
static void
end_silent_calls(struct http *h, int64_t now)
{
	for (struct http_call *call = h->calls; call != NULL; call = call->next) {
		if (!waits_for_head(call) || now < call->head_deadline_ms)
			continue;
		curl_multi_remove_handle(h->multi, call->easy);
		http_fail_by_time(call, call->head_timeout_ms);
	}
}

static bool
has_news(const struct http_call *call)
{
	return call->streaming && (!call->begun || call->body.len != 0);
}

/*
 * What curl brought is kept until it returned, so that the callback may do what
 * it likes, and end this call, too.
 */
static void
hand_over_streams(struct http *h)
{
	struct http_call *call = h->calls;

	while (call != NULL) {
		struct buf data = call->body;

		if (!has_news(call)) {
			call = call->next;
			continue;
		}
		call->body = (struct buf)BUF_INIT;
		call->begun = true;
		call->on_data(call->arg, buf_text(&data), data.len);
		buf_free(&data);
		call = h->calls; /* others may have come and gone */
	}
}

static struct http_call *
first_done(struct http *h)
{
	struct http_call *call = h->calls;

	while (call != NULL && call->state != CALL_DONE)
		call = call->next;
	return call;
}

static void
deliver(struct http_call *call)
{
	struct http_response response = {
		.error = call->error,
		.error_text = call->error_text,
		.status = call->error == HTTP_OK ? (int)call->status : 0,
		.content_type = call->content_type != NULL ? call->content_type : "",
		.retry_after_ms = call->retry_after_ms,
		.warning = call->warning,
		.body = buf_text(&call->body),
		.body_len = call->body.len,
		.duration_ms = clock_now() - call->started_ms,
	};

	call->done(call->arg, &response);
}

void
http_dispatch(struct http *h, const struct pollset *p)
{
	struct http_call *call;
	int running;

	resolver_dispatch(h->resolver, p, clock_now());
	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		abort(); /* out of memory */
	collect(h);
	end_silent_calls(h, clock_now());
	hand_over_streams(h);
	while ((call = first_done(h)) != NULL) {
		call->state = CALL_RESOLVING; /* not a second time */
		deliver(call);
		free_call(call);
	}
	if (h->calls == NULL && clock_now() >= h->release_ms)
		release(h);
}

const char *
http_error_name(enum http_error error)
{
	return error < HTTP_ERROR__MAX ? error_names[error] : "invalid";
}
