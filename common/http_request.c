#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/http_private.h"
#include "common/mem.h"
#include "common/resolve.h"
#include "common/socket.h"

/* how long curl may keep the parsed certificates: parsing them anew takes some 30 ms of CPU */
#define CA_CACHE_S 3600L
/* A peer that vanished: three probes, ten seconds apart, after half a minute of silence. */
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3
#define UNACKED_MS 45000

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;

	if (!call->streaming && size * n > call->body_max - call->body.len) {
		call->body_too_large = true;
		return 0; /* makes curl give up */
	}
	buf_add(&call->body, data, size * n);
	return size * n;
}

static void
take_warning(struct http_call *call, const char *line, size_t len)
{
	static const char name[] = "warning:";
	char text[HTTP_WARNING_MAX * 2];
	size_t skip = sizeof(name) - 1;

	if (call->warning[0] != '\0' || len <= skip || strncasecmp(line, name, skip) != 0)
		return;
	while (skip < len && (line[skip] == ' ' || line[skip] == '\t'))
		skip++;
	while (len > skip && (unsigned char)line[len - 1] <= ' ')
		len--;
	len = len - skip < sizeof(text) ? len - skip : sizeof(text) - 1;
	memcpy(text, line + skip, len);
	text[len] = '\0';
	mem_copy_text(call->warning, sizeof(call->warning), text);
}

/* The bytes are counted: a stream of headers without an end must not go on until the deadline. */
static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * n;
	long status = 0;

	call->header_bytes += len;
	if (call->header_bytes > HTTP_HEADERS_MAX) {
		call->headers_too_large = true;
		return 0;
	}
	take_warning(call, data, len);
	if (call->on_data != NULL && len <= 2 && (data[0] == '\r' || data[0] == '\n')) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		call->streaming = status >= 200 && status <= 299;
	}
	return len;
}

static int
keep_stable(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)purpose;
	socket_prefer_stable(fd);
	return CURL_SOCKOPT_OK;
}

/* A refusal of the system's is no reason not to connect. */
static int
keep_alive(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	static const struct {
		int level, option, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS },
	};

	(void)arg;
	(void)purpose;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].option, &options[i].value,
			   sizeof(options[i].value));
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

/* Host and port, as curl itself reads them. */
static bool
take_url(struct http_call *call, const char *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	CURLU *u = curl_url();
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
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return ok;
}

bool
http_take_target(struct http_call *call, const struct http_request *request)
{
	struct address a;
	size_t len;

	if (!take_url(call, request->url))
		return false;
	if (request->connect_host != NULL) {
		free(call->host);
		call->host = mem_strdup(request->connect_host);
	}
	len = strlen(call->host);
	if (call->host[0] == '[' && len > 2 && call->host[len - 1] == ']') {
		memmove(call->host, call->host + 1, len - 2);
		call->host[len - 2] = '\0';
	}
	call->literal = address_parse_text(call->host, &a);
	return true;
}

static void
set_body(struct http_call *call, const struct http_request *request)
{
	HTTP_SET(call, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body == NULL)
		return;
	HTTP_SET(call, CURLOPT_POSTFIELDSIZE, (long)request->body_len);
	HTTP_SET(call, CURLOPT_COPYPOSTFIELDS, request->body);
}

/* curl is lent our copy, which is wiped with the call. */
static void
set_blob(struct http_call *call, CURLoption option, char **copy, const char *pem)
{
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (pem == NULL)
		return;
	*copy = mem_strdup(pem);
	blob.data = *copy;
	blob.len = strlen(pem);
	HTTP_SET(call, option, &blob);
}

static void
set_tls(struct http_call *call, const struct http_request *request)
{
	HTTP_SET(call, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	if (request->ca_file != NULL)
		HTTP_SET(call, CURLOPT_CAINFO, request->ca_file);
	set_blob(call, CURLOPT_CAINFO_BLOB, &call->ca_pem, request->ca_pem);
	set_blob(call, CURLOPT_SSLCERT_BLOB, &call->cert_pem, request->cert_pem);
	set_blob(call, CURLOPT_SSLKEY_BLOB, &call->key_pem, request->key_pem);
	/* with a directory curl caches nothing, and parses all of them for each connection */
	if (request->ca_file != NULL || request->ca_pem != NULL || call->http->bundle)
		HTTP_SET(call, CURLOPT_CAPATH, NULL);
	if (request->insecure) {
		HTTP_SET(call, CURLOPT_SSL_VERIFYPEER, 0L);
		HTTP_SET(call, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* The URL's host and port are served by another host, at the same port. */
static void
set_connection(struct http_call *call, const struct http_request *request)
{
	bool v6 = strchr(call->host, ':') != NULL;
	char *to;

	if (request->keepalive)
		HTTP_SET(call, CURLOPT_SOCKOPTFUNCTION, keep_alive);
	else if (request->stable_source)
		HTTP_SET(call, CURLOPT_SOCKOPTFUNCTION, keep_stable);
	if (request->connect_host == NULL)
		return;
	to = mem_printf("::%s%s%s:%s", v6 ? "[" : "", call->host, v6 ? "]" : "", call->port);
	call->connect_to = append(NULL, to);
	free(to);
	HTTP_SET(call, CURLOPT_CONNECT_TO, call->connect_to);
}

void
http_set_options(struct http_call *call, const struct http_request *request)
{
	HTTP_SET(call, CURLOPT_URL, request->url);
	HTTP_SET(call, CURLOPT_PROTOCOLS_STR, "http,https");
	HTTP_SET(call, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	HTTP_SET(call, CURLOPT_USERAGENT, call->http->user_agent);
	HTTP_SET(call, CURLOPT_PROXY, "");
	HTTP_SET(call, CURLOPT_NOSIGNAL, 1L);
	HTTP_SET(call, CURLOPT_FOLLOWLOCATION, 0L);
	HTTP_SET(call, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	HTTP_SET(call, CURLOPT_IPRESOLVE,
		 (long)(request->family == ADDRESS_IPV4   ? CURL_IPRESOLVE_V4
			: request->family == ADDRESS_IPV6 ? CURL_IPRESOLVE_V6
							  : CURL_IPRESOLVE_WHATEVER));
	HTTP_SET(call, CURLOPT_FRESH_CONNECT, request->fresh ? 1L : 0L);
	HTTP_SET(call, CURLOPT_FORBID_REUSE, request->fresh ? 1L : 0L);
	set_tls(call, request);
	set_connection(call, request);
	HTTP_SET(call, CURLOPT_WRITEFUNCTION, on_body);
	HTTP_SET(call, CURLOPT_WRITEDATA, call);
	HTTP_SET(call, CURLOPT_HEADERFUNCTION, on_header);
	HTTP_SET(call, CURLOPT_HEADERDATA, call);
	HTTP_SET(call, CURLOPT_ERRORBUFFER, call->curl_text);
	HTTP_SET(call, CURLOPT_PRIVATE, call);
	set_body(call, request);
	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
		call->headers = append(call->headers, request->headers[i]);
	if (call->headers != NULL)
		HTTP_SET(call, CURLOPT_HTTPHEADER, call->headers);
}

/* curl takes "HOST:PORT:ADDRESS[,ADDRESS]...". */
void
http_set_addresses(struct http_call *call, const struct resolve_result *result)
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
	HTTP_SET(call, CURLOPT_RESOLVE, call->resolve);
}

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
http_clear_options(struct http_call *call)
{
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->resolve);
	curl_slist_free_all(call->connect_to);
	free(call->ca_pem);
	free(call->cert_pem);
	wipe(call->key_pem);
	free(call->host);
	free(call->port);
}
