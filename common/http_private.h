/* What the files of the HTTP client share; nobody else includes this. */
#ifndef COMMON_HTTP_PRIVATE_H
#define COMMON_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "common/buf.h"
#include "common/http.h"

#define HTTP_HEADERS_MAX 32768
#define HTTP_WARNING_MAX 256

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
	http_data *on_data; /* or NULL */
	void *arg;

	CURL *easy;
	struct curl_slist *headers, *resolve, *connect_to;
	struct resolve_query *query;
	char *host, *port; /* that are connected to */
	bool literal;      /* the host is an address */
	char *ca_pem, *cert_pem, *key_pem;
	int64_t started_ms, deadline_ms, timeout_ms;
	int64_t head_deadline_ms, head_timeout_ms; /* CLOCK_NEVER, 0: none */
	size_t body_max, header_bytes;
	struct buf body; /* of a stream: what on_data has not had yet */
	bool streaming;  /* the head of a 2xx answer came, and on_data takes the body */
	bool begun;      /* on_data was told so */
	bool body_too_large, headers_too_large;
	char curl_text[CURL_ERROR_SIZE];

	enum http_error error;
	char error_text[256];
	char *content_type;
	char warning[HTTP_WARNING_MAX];
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

/* http_request.c: a request becomes a handle of curl's. */

/*
 * Take from the URL, or from connect_host, what is to be connected to. False if
 * the URL is not http:// or https:// or cannot be used.
 */
bool http_take_target(struct http_call *call, const struct http_request *request);
/* Sets all but the addresses and the deadline; call->easy is there. */
void http_set_options(struct http_call *call, const struct http_request *request);
/* Where to connect; curl then asks no resolver of its own. */
struct resolve_result;
void http_set_addresses(struct http_call *call, const struct resolve_result *result);
/* Gives back what the two above took. */
void http_clear_options(struct http_call *call);

/* http_words.c: failures in words. */

/* The call is done, and failed. */
void http_fail(struct http_call *call, enum http_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void http_fail_by_code(struct http_call *call, CURLcode code);
/* It did not come as far as it had to within limit_ms. */
void http_fail_by_time(struct http_call *call, int64_t limit_ms);

#define HTTP_SET(call, option, value)                                                              \
	do {                                                                                       \
		if (curl_easy_setopt((call)->easy, (option), (value)) != CURLE_OK)                 \
			abort(); /* out of memory, or a libcurl without HTTPS */                   \
	} while (0)

#endif
