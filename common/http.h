/*
 * HTTP(S) requests on curl's multi interface, in the caller's loop. Every
 * request has one deadline for look-up, connection, TLS and body together.
 * No redirects, no proxies, no cookies; TLS is verified unless a request says
 * otherwise.
 */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/pollset.h"

struct http;
struct http_call;
struct resolver;

enum http_error {
	HTTP_OK,            /* an answer came, whatever its status */
	HTTP_ERR_URL,       /* the URL cannot be used */
	HTTP_ERR_RESOLVE,   /* no address for the host */
	HTTP_ERR_CONNECT,   /* refused, unreachable */
	HTTP_ERR_TLS,       /* handshake or certificate */
	HTTP_ERR_TIMEOUT,   /* the deadline passed */
	HTTP_ERR_TOO_LARGE, /* the body is larger than allowed */
	HTTP_ERR_BROKEN,    /* closed early, truncated, not HTTP */
	HTTP_ERROR__MAX
};

/*
 * A piece of an answer's body as it comes. The first call says that an answer of
 * status 2xx has begun, and may have no bytes. It may start and cancel any call,
 * its own too.
 */
typedef void http_data(void *arg, const char *data, size_t len);

/* What is 0 or NULL from connect_host on is as if it were not there. */
struct http_request {
	const char *method;         /* "GET", "PUT", ... */
	const char *url;            /* http:// or https:// */
	const char *const *headers; /* "Name: value", ended by NULL; or NULL */
	const char *body;           /* or NULL */
	size_t body_len;
	enum address_family family; /* of the connection; ADDRESS_NONE: either */
	bool fresh;                 /* a new connection, closed afterwards */
	bool stable_source;         /* with fresh: from no temporary IPv6 address of the host */
	const char *ca_file;        /* or NULL for the system's */
	size_t body_max;            /* bytes of the answer's body */
	int64_t timeout_ms;

	/* looked up and connected to, in place of the URL's host, which TLS and the server
	   are told; an IPv6 address without brackets */
	const char *connect_host;
	const char *ca_pem;             /* certificates to trust, in place of ca_file */
	const char *cert_pem, *key_pem; /* the client's own; never written anywhere, wiped after */
	bool insecure;                  /* whoever answers is believed */
	bool keepalive;                 /* a peer that is gone is found out within 45 s */
	int64_t head_timeout_ms;        /* the answer must have begun by then */
	http_data *on_data; /* gets the body of a 2xx answer in pieces, without a bound; called
			       from http_dispatch() with the arg of http_start() */
};

struct http_response {
	enum http_error error;
	const char *error_text;   /* a phrase in words ("connection refused by 192.0.2.1"); "" if
				     HTTP_OK */
	int status;               /* 100..599; 0 unless HTTP_OK */
	const char *content_type; /* "" if none */
	int64_t retry_after_ms;   /* from Retry-After, both forms; -1 if there is none */
	const char *warning;      /* the first Warning header, cut off if it is long; "" if none */
	const char *body;         /* NUL-terminated, may hold NULs itself */
	size_t body_len;
	int64_t duration_ms;
};

typedef void http_done(void *arg, const struct http_response *response);

/*
 * user_agent is sent with every request. The resolver must live longer than http.
 * Connections and certificates are kept for calls that follow each other closely,
 * and given back with their memory when none has come for a while.
 */
struct http *http_new(struct resolver *r, const char *user_agent);
/* Every call in flight is cancelled without its callback. */
void http_free(struct http *h);

/*
 * Start a request; everything in it is copied. The callback comes once, always
 * from http_dispatch(), never from within this call; the response is valid
 * during it only. The callback may start and cancel other calls.
 */
struct http_call *http_start(struct http *h, const struct http_request *request, http_done *done,
			     void *arg);
/* After this the callback does not come. NULL is fine. */
void http_cancel(struct http_call *call);

/*
 * The loop's wait where HTTP is used, in place of pollset_wait(): it waits for
 * the descriptors in p, for p's deadline and for curl's own. The resolver's
 * prepare and dispatch are called from here.
 */
void http_wait(struct http *h, struct pollset *p);
/* Carry out what became possible; callbacks come from here. */
void http_dispatch(struct http *h, const struct pollset *p);

const char *http_error_name(enum http_error error); /* "timeout", "tls", ... for labels */

#endif
