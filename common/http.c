#include "common/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/resolve.h"
#include "common/socket.h"

#define HEADERS_MAX 32768
#define POOL_MAX 8
/* how long curl may keep the parsed certificates: parsing them anew takes some 30 ms of CPU */
#define CA_CACHE_S 3600L
/* how long all that curl keeps is kept after the last call: for those that follow each other */
#define KEEP_MS 10000

enum call_state {
	CALL_RESOLVING,
	CALL_RUNNING, /* curl has it */
	CALL_DONE     /* the response waits for http_dispatch() */
};

struct http_call {
	struct http *http;
	struct http_call *next;
	enum call_state state;
	http_done *done;
	void *arg;

	CURL *easy;
	struct curl_slist *headers, *resolve;
	struct resolve_query *query;
	char *host, *port;
	bool literal; /* the host is an address */
	int64_t started_ms, deadline_ms, timeout_ms;
	size_t body_max, header_bytes;
	struct buf body;
	bool body_too_large, headers_too_large;
	char curl_text[CURL_ERROR_SIZE];

	enum http_error error;
	char error_text[256];
	char *content_type;
	long status;
	int64_t retry_after_ms;
};

struct http {
	CURLM *multi;
	struct resolver *resolver;
	char *user_agent;
	struct http_call *calls;
	bool bundle;        /* the system's certificates are in one file */
	int64_t release_ms; /* when curl's memory is given back, unless there are calls again */
};

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
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->resolve);
	buf_free(&call->body);
	free(call->content_type);
	free(call->host);
	free(call->port);
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

static void fail(struct http_call *call, enum http_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
fail(struct http_call *call, enum http_error error, const char *format, ...)
{
	va_list ap;

	call->error = error;
	va_start(ap, format);
	vsnprintf(call->error_text, sizeof(call->error_text), format, ap);
	va_end(ap);
	call->state = CALL_DONE;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;

	if (size * n > call->body_max - call->body.len) {
		call->body_too_large = true;
		return 0; /* makes curl give up */
	}
	buf_add(&call->body, data, size * n);
	return size * n;
}

/* Only counts: a stream of headers without an end must not go on until the deadline. */
static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;

	(void)data;
	call->header_bytes += size * n;
	if (call->header_bytes > HEADERS_MAX) {
		call->headers_too_large = true;
		return 0;
	}
	return size * n;
}

static int
on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)purpose;
	socket_prefer_stable(fd);
	return CURL_SOCKOPT_OK;
}

static struct curl_slist *
append(struct curl_slist *list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(list, text);

	if (longer == NULL)
		abort(); /* out of memory */
	return longer;
}

/* Host and port of the URL, as curl itself reads them. False unless it is http:// or https://. */
static bool
take_url(struct http_call *call, const char *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	CURLU *u = curl_url();
	struct address a;
	size_t len;
	bool ok;

	if (u == NULL)
		abort();
	ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	     curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	     (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
	     curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	     curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	if (ok) {
		call->port = mem_strdup(port);
		call->host = mem_strdup(host);
		len = strlen(host);
		if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
			memmove(call->host, host + 1, len - 2);
			call->host[len - 2] = '\0';
		}
		call->literal = address_parse_text(call->host, &a);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return ok;
}

#define SET(call, option, value)                                                                   \
	do {                                                                                       \
		if (curl_easy_setopt((call)->easy, (option), (value)) != CURLE_OK)                 \
			abort(); /* out of memory, or a libcurl without HTTPS */                   \
	} while (0)

static void
set_body(struct http_call *call, const struct http_request *request)
{
	SET(call, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body == NULL)
		return;
	SET(call, CURLOPT_POSTFIELDSIZE, (long)request->body_len);
	SET(call, CURLOPT_COPYPOSTFIELDS, request->body);
}

static void
set_options(struct http_call *call, const struct http_request *request)
{
	SET(call, CURLOPT_URL, request->url);
	SET(call, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(call, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(call, CURLOPT_USERAGENT, call->http->user_agent);
	SET(call, CURLOPT_PROXY, "");
	SET(call, CURLOPT_NOSIGNAL, 1L);
	SET(call, CURLOPT_FOLLOWLOCATION, 0L);
	SET(call, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(call, CURLOPT_IPRESOLVE,
	    (long)(request->family == ADDRESS_IPV4   ? CURL_IPRESOLVE_V4
		   : request->family == ADDRESS_IPV6 ? CURL_IPRESOLVE_V6
						     : CURL_IPRESOLVE_WHATEVER));
	SET(call, CURLOPT_FRESH_CONNECT, request->fresh ? 1L : 0L);
	SET(call, CURLOPT_FORBID_REUSE, request->fresh ? 1L : 0L);
	if (request->stable_source)
		SET(call, CURLOPT_SOCKOPTFUNCTION, on_socket);
	SET(call, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	if (request->ca_file != NULL)
		SET(call, CURLOPT_CAINFO, request->ca_file);
	/* with a directory curl caches nothing, and parses all of them for each connection */
	if (request->ca_file != NULL || call->http->bundle)
		SET(call, CURLOPT_CAPATH, NULL);
	SET(call, CURLOPT_WRITEFUNCTION, on_body);
	SET(call, CURLOPT_WRITEDATA, call);
	SET(call, CURLOPT_HEADERFUNCTION, on_header);
	SET(call, CURLOPT_HEADERDATA, call);
	SET(call, CURLOPT_ERRORBUFFER, call->curl_text);
	SET(call, CURLOPT_PRIVATE, call);
	set_body(call, request);
	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
		call->headers = append(call->headers, request->headers[i]);
	if (call->headers != NULL)
		SET(call, CURLOPT_HTTPHEADER, call->headers);
}

/* curl takes "HOST:PORT:ADDRESS[,ADDRESS]..." and then asks no resolver of its own. */
static void
set_addresses(struct http_call *call, const struct resolve_result *result)
{
	char text[ADDRESS_TEXT_MAX];
	struct buf b = BUF_INIT;

	if (call->literal)
		return;
	buf_printf(&b, "%s:%s:", call->host, call->port);
	for (size_t i = 0; i < result->n; i++)
		buf_printf(&b, "%s%s", i != 0 ? "," : "",
			   address_format(&result->addresses[i], text, sizeof(text)));
	call->resolve = append(NULL, buf_text(&b));
	buf_free(&b);
	SET(call, CURLOPT_RESOLVE, call->resolve);
}

static void
on_resolved(void *arg, const struct resolve_result *result)
{
	struct http_call *call = arg;
	int64_t left = call->deadline_ms - clock_now();

	call->query = NULL;
	if (result->error != NULL) {
		fail(call, HTTP_ERR_RESOLVE, "%s %s", call->host, result->error);
		return;
	}
	set_addresses(call, result);
	SET(call, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
	SET(call, CURLOPT_CONNECTTIMEOUT_MS, (long)(left > 1 ? left : 1));
	if (curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
		abort(); /* out of memory */
	call->state = CALL_RUNNING;
}

struct http_call *
http_start(struct http *h, const struct http_request *request, http_done *done, void *arg)
{
	struct http_call *call = mem_new(1, sizeof(*call));

	*call = (struct http_call){
		.http = h,
		.next = h->calls,
		.done = done,
		.arg = arg,
		.body_max = request->body_max,
		.started_ms = clock_now(),
		.timeout_ms = request->timeout_ms,
		.retry_after_ms = -1,
	};
	h->calls = call;
	call->deadline_ms = call->started_ms + request->timeout_ms;
	if (!take_url(call, request->url)) {
		fail(call, HTTP_ERR_URL, "the URL %.200s cannot be used", request->url);
		return call;
	}
	call->easy = curl_easy_init();
	if (call->easy == NULL)
		abort();
	set_options(call, request);
	call->query = resolver_lookup(h->resolver, call->host, request->family, call->deadline_ms,
				      on_resolved, call);
	return call;
}

void
http_cancel(struct http_call *call)
{
	if (call != NULL)
		free_call(call);
}

void
http_wait(struct http *h, struct pollset *p)
{
	struct curl_waitfd fds[POLLSET_MAX];
	int64_t now = clock_now();
	int timeout;

	resolver_prepare(h->resolver, p, now);
	for (const struct http_call *c = h->calls; c != NULL; c = c->next)
		if (c->state == CALL_DONE)
			pollset_wake_at(p, now);
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
word_timeout(struct http_call *call)
{
	double timeout = (double)call->timeout_ms / 1000;
	curl_off_t secured = 0;
	char *peer = NULL;

	/* the time of connecting is told only when the TLS handshake is over, too */
	curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &peer);
	curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &secured);
	if (peer == NULL || peer[0] == '\0')
		fail(call, HTTP_ERR_TIMEOUT, "%s port %s accepted no connection within %g s",
		     call->host, call->port, timeout);
	else if (secured == 0)
		fail(call, HTTP_ERR_TIMEOUT, "%s port %s finished no TLS handshake within %g s",
		     call->host, call->port, timeout);
	else
		fail(call, HTTP_ERR_TIMEOUT, "%s port %s gave no whole answer within %g s",
		     call->host, call->port, timeout);
}

static void
word_failure(struct http_call *call, CURLcode code)
{
	const char *text = call->curl_text[0] != '\0' ? call->curl_text : curl_easy_strerror(code);
	long os_error = 0;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		word_timeout(call);
		break;
	case CURLE_URL_MALFORMAT:
		fail(call, HTTP_ERR_URL, "the URL cannot be used: %s", text);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		fail(call, HTTP_ERR_RESOLVE, "%s could not be looked up: %s", call->host, text);
		break;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error);
		fail(call, HTTP_ERR_CONNECT, "no connection to %s port %s: %s", call->host,
		     call->port, os_error != 0 ? strerror((int)os_error) : text);
		break;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_INVALIDCERTSTATUS:
		fail(call, HTTP_ERR_TLS, "no secure connection to %s port %s: %s", call->host,
		     call->port, text);
		break;
	case CURLE_WRITE_ERROR:
		if (call->headers_too_large) {
			fail(call, HTTP_ERR_TOO_LARGE, "the headers of %s are larger than %d bytes",
			     call->host, HEADERS_MAX);
			break;
		}
		if (call->body_too_large) {
			fail(call, HTTP_ERR_TOO_LARGE, "the answer of %s is larger than %zu bytes",
			     call->host, call->body_max);
			break;
		}
		/* fall through */
	default:
		fail(call, HTTP_ERR_BROKEN, "the answer of %s port %s broke off: %s", call->host,
		     call->port, text);
	}
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
		fail(call, HTTP_ERR_BROKEN, "the answer of %s has the status %ld", call->host,
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
			word_failure(call, code);
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
