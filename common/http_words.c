#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/http_private.h"

void
http_fail(struct http_call *call, enum http_error error, const char *format, ...)
{
	va_list ap;

	call->error = error;
	va_start(ap, format);
	vsnprintf(call->error_text, sizeof(call->error_text), format, ap);
	va_end(ap);
	call->state = CALL_DONE;
}

void
http_fail_by_time(struct http_call *call, int64_t limit_ms)
{
	double timeout = (double)limit_ms / 1000;
	curl_off_t secured = 0;
	char *peer = NULL;

	/* the time of connecting is told only when the TLS handshake is over, too */
	curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &peer);
	curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &secured);
	if (peer == NULL || peer[0] == '\0')
		http_fail(call, HTTP_ERR_TIMEOUT, "%s port %s accepted no connection within %g s",
			  call->host, call->port, timeout);
	else if (secured == 0)
		http_fail(call, HTTP_ERR_TIMEOUT,
			  "%s port %s finished no TLS handshake within %g s", call->host,
			  call->port, timeout);
	else
		http_fail(call, HTTP_ERR_TIMEOUT, "%s port %s gave no whole answer within %g s",
			  call->host, call->port, timeout);
}

void
http_fail_by_code(struct http_call *call, CURLcode code)
{
	const char *text = call->curl_text[0] != '\0' ? call->curl_text : curl_easy_strerror(code);
	long os_error = 0;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		http_fail_by_time(call, call->timeout_ms);
		break;
	case CURLE_URL_MALFORMAT:
		http_fail(call, HTTP_ERR_URL, "the URL cannot be used: %s", text);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		http_fail(call, HTTP_ERR_RESOLVE, "%s could not be looked up: %s", call->host,
			  text);
		break;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error);
		http_fail(call, HTTP_ERR_CONNECT, "no connection to %s port %s: %s", call->host,
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
		http_fail(call, HTTP_ERR_TLS, "no secure connection to %s port %s: %s", call->host,
			  call->port, text);
		break;
	case CURLE_WRITE_ERROR:
		if (call->headers_too_large) {
			http_fail(call, HTTP_ERR_TOO_LARGE,
				  "the headers of %s are larger than %d bytes", call->host,
				  HTTP_HEADERS_MAX);
			break;
		}
		if (call->body_too_large) {
			http_fail(call, HTTP_ERR_TOO_LARGE,
				  "the answer of %s is larger than %zu bytes", call->host,
				  call->body_max);
			break;
		}
		/* fall through */
	default:
		http_fail(call, HTTP_ERR_BROKEN, "the answer of %s port %s broke off: %s",
			  call->host, call->port, text);
	}
}
