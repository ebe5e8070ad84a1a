#include "cluster/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kube_private.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

struct kube_call {
	struct kube *k;
	struct kube_call *next;
	struct http_call *http_call; /* NULL while the callback runs */
	enum kube_verb verb;
	enum kube_resource resource;
	char *name; /* of the object, for words */
	char *url;
	char *body; /* or NULL */
	int64_t deadline_ms;
	bool retried;
	unsigned token_number;
	kube_done *done;
	void *arg;
};

static const struct {
	const char *group, *plural;
	bool namespaced;
} resources[] = {
	[KUBE_LEASES] = { "/apis/coordination.k8s.io/v1", "leases", true },
	[KUBE_CONFIGMAPS] = { "/api/v1", "configmaps", true },
	[KUBE_EVENTS] = { "/apis/events.k8s.io/v1", "events", true },
	[KUBE_SERVICES] = { "/api/v1", "services", true },
	[KUBE_NODES] = { "/api/v1", "nodes", false },
};

static const struct {
	const char *method, *content_type, *cannot;
} verbs[] = {
	[KUBE_GET] = { "GET", NULL, "cannot be read" },
	[KUBE_GET_CACHED] = { "GET", NULL, "cannot be read" },
	[KUBE_LIST] = { "GET", NULL, "cannot be read" },
	[KUBE_CREATE] = { "POST", "Content-Type: application/json", "cannot be created" },
	[KUBE_PUT] = { "PUT", "Content-Type: application/json", "cannot be written" },
	[KUBE_PATCH] = { "PATCH", "Content-Type: application/json-patch+json",
			 "cannot be changed" },
	[KUBE_DELETE] = { "DELETE", "Content-Type: application/json", "cannot be deleted" },
};

/* --- where it is ------------------------------------------------------------- */

/*
 * A server under another name for TLS: the URL gets that name, and the host that
 * it had is what is connected to. server is SCHEME://HOST[:PORT][/PATH].
 */
static void
set_base(struct kube *k)
{
	const char *server = k->access->server, *name = k->access->tls_server_name;
	const char *host = strstr(server, "://") + 3;
	const char *end = host[0] == '[' ? host + strcspn(host, "]/") : host + strcspn(host, ":/");
	size_t len = strlen(server);
	bool v6;

	while (len > 0 && server[len - 1] == '/')
		len--;
	if (*end == ']')
		end++;
	if (name == NULL) {
		k->base = mem_printf("%.*s", (int)len, server);
		return;
	}
	v6 = strchr(name, ':') != NULL;
	k->connect_host = mem_printf("%.*s", (int)(end - host), host);
	k->base = mem_printf("%.*s%s%s%s%.*s", (int)(host - server), server, v6 ? "[" : "", name,
			     v6 ? "]" : "", (int)(server + len - end), end);
}

static void
encode(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '-' || c == '.' || c == '_' || c == '~')
			buf_addc(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

char *
kube_url(const struct kube *k, enum kube_resource resource, const char *name)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s%s", k->base, resources[resource].group);
	if (resources[resource].namespaced) {
		buf_adds(&b, "/namespaces/");
		encode(&b, k->access->namespace);
	}
	buf_printf(&b, "/%s", resources[resource].plural);
	if (name != NULL) {
		buf_addc(&b, '/');
		encode(&b, name);
	}
	return buf_take(&b);
}

void
kube_add_query(struct buf *url, const char *key, const char *value)
{
	buf_printf(url, "%c%s=", strchr(buf_text(url), '?') == NULL ? '?' : '&', key);
	encode(url, value);
}

static char *
call_url(const struct kube *k, const struct kube_request *r)
{
	bool whole = r->verb == KUBE_LIST || r->verb == KUBE_CREATE;
	char *at = kube_url(k, r->resource, whole ? NULL : r->name);
	struct buf url = BUF_INIT;

	buf_adds(&url, at);
	free(at);
	if (r->verb == KUBE_LIST) {
		char *selector = mem_printf("metadata.name=%s", r->name);

		kube_add_query(&url, "fieldSelector", selector);
		free(selector);
		if (r->version != NULL && r->version[0] != '\0')
			kube_add_query(&url, "resourceVersion", r->version);
	} else if (r->verb == KUBE_GET_CACHED) {
		kube_add_query(&url, "resourceVersion", "0");
	} else if (r->verb == KUBE_CREATE || r->verb == KUBE_PUT || r->verb == KUBE_PATCH) {
		kube_add_query(&url, "fieldManager", "esddns");
	}
	return buf_take(&url);
}

/* --- requests ---------------------------------------------------------------- */

struct http_call *
kube_send(struct kube *k, struct http_request *request, const char *content_type, http_done *done,
	  void *arg, unsigned *number)
{
	const struct kube_access *a = k->access;
	const char *headers[4] = { "Accept: application/json" };
	char *authorization = NULL;
	struct http_call *call;
	size_t n = 1;

	kube_credentials_tick(&k->credentials, clock_now());
	*number = k->credentials.token_number;
	if (k->credentials.token != NULL) {
		authorization = mem_printf("Authorization: Bearer %s", k->credentials.token);
		headers[n++] = authorization;
	}
	if (content_type != NULL)
		headers[n++] = content_type;
	request->headers = headers;
	request->body_max = KUBE_OBJECT_MAX;
	request->connect_host = k->connect_host;
	request->ca_pem = k->credentials.ca;
	/* with an authority that cannot be read nobody is trusted, and not all the world */
	if (request->ca_pem == NULL && a->ca_file != NULL)
		request->ca_pem = "none";
	request->cert_pem = a->cert_data;
	request->key_pem = a->key_data;
	request->insecure = a->insecure;
	request->keepalive = true;
	call = http_start(k->http, request, done, arg);
	request->headers = NULL;
	if (authorization != NULL)
		explicit_bzero(authorization, strlen(authorization));
	free(authorization);
	return call;
}

static void
unlink_call(struct kube_call *call)
{
	struct kube_call **at = &call->k->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
}

static void
free_call(struct kube_call *call)
{
	free(call->name);
	free(call->url);
	free(call->body);
	free(call);
}

static void on_done(void *arg, const struct http_response *response);

static void
send_call(struct kube_call *call)
{
	struct http_request request = {
		.method = verbs[call->verb].method,
		.url = call->url,
		.body = call->body,
		.body_len = call->body != NULL ? strlen(call->body) : 0,
		.timeout_ms = call->deadline_ms - clock_now(),
	};

	call->http_call = kube_send(call->k, &request,
				    call->body != NULL ? verbs[call->verb].content_type : NULL,
				    on_done, call, &call->token_number);
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct kube_call *call = arg;
	struct kube_subject subject = { call->k, call->resource, call->name,
					verbs[call->verb].cannot };
	int64_t now = clock_now();
	struct kube_result result;
	cJSON *object;

	call->http_call = NULL;
	kube_warn(call->k, response->warning);
	if (response->status == 401 && !call->retried && now < call->deadline_ms &&
	    kube_credentials_refused(&call->k->credentials, call->token_number, now)) {
		call->retried = true;
		send_call(call);
		return;
	}
	result.outcome =
		kube_judge(&subject, response, call->verb == KUBE_CREATE, &object, result.error);
	result.status = response->status;
	result.retry_after_ms = response->retry_after_ms;
	result.object = object;
	unlink_call(call);
	call->done(call->arg, &result);
	cJSON_Delete(object);
	free_call(call);
}

/* What a created object calls itself, for words. */
static const char *
name_in(const cJSON *body)
{
	const char *name = json_text(json_object(body, "metadata"), "name");

	return name != NULL ? name : "without a name";
}

struct kube_call *
kube_start(struct kube *k, const struct kube_request *request, kube_done *done, void *arg)
{
	struct kube_call *call = mem_new(1, sizeof(*call));

	*call = (struct kube_call){
		.k = k,
		.next = k->calls,
		.verb = request->verb,
		.resource = request->resource,
		.name = mem_strdup(request->name != NULL ? request->name : name_in(request->body)),
		.url = call_url(k, request),
		.body = request->body != NULL ? json_print(request->body) : NULL,
		.deadline_ms = clock_now() + request->timeout_ms,
		.done = done,
		.arg = arg,
	};
	k->calls = call;
	send_call(call);
	return call;
}

void
kube_cancel(struct kube_call *call)
{
	if (call == NULL)
		return;
	http_cancel(call->http_call);
	unlink_call(call);
	free_call(call);
}

/* --- all of them ------------------------------------------------------------- */

/* "299 - \"text\"": the text alone. */
static void
quoted_text(const char *warning, char *out, size_t size)
{
	const char *from = strchr(warning, '"'), *to = strrchr(warning, '"');

	if (from == NULL || to <= from)
		snprintf(out, size, "%s", warning);
	else
		snprintf(out, size, "%.*s", (int)(to - from - 1), from + 1);
}

void
kube_warn(struct kube *k, const char *warning)
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
	char text[320];

	if (warning[0] == '\0' || k->nwarned == KUBE_WARNINGS_MAX)
		return;
	for (const char *p = warning; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 1099511628211ULL;
	for (size_t i = 0; i < k->nwarned; i++)
		if (k->warned[i] == hash)
			return;
	k->warned[k->nwarned++] = hash;
	quoted_text(warning, text, sizeof(text));
	log_warn("the API server warns", LOG_S("warning", text));
}

struct kube *
kube_new(struct http *http, const struct kube_access *access)
{
	struct kube *k = mem_new(1, sizeof(*k));

	k->http = http;
	k->access = access;
	set_base(k);
	kube_credentials_init(&k->credentials, access, clock_now());
	return k;
}

void
kube_free(struct kube *k)
{
	if (k == NULL)
		return;
	while (k->calls != NULL)
		kube_cancel(k->calls);
	while (k->watches != NULL)
		kube_watch_cancel(k->watches);
	kube_credentials_clear(&k->credentials);
	free(k->base);
	free(k->connect_host);
	free(k);
}

int64_t
kube_next_deadline(const struct kube *k)
{
	return k->credentials.token_due_ms < k->credentials.ca_due_ms ? k->credentials.token_due_ms
								      : k->credentials.ca_due_ms;
}

void
kube_tick(struct kube *k, int64_t now_ms)
{
	kube_credentials_tick(&k->credentials, now_ms);
}

const char *
kube_trouble(const struct kube *k)
{
	return kube_credentials_trouble(&k->credentials);
}
