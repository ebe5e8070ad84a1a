#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "kube_rig.h"
#include "own_net.h"

#define OBJECT "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"wan\"},\"other\":[1,{\"x\":null}]}"
#define STATUS(code, reason, message)                                                              \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"" message                       \
	"\",\"reason\":\"" reason "\",\"code\":" #code "}"
#define TOO_LARGE                                                                                  \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Timeout: Too large resource "   \
	"version: 9, current: 5\",\"reason\":\"Timeout\",\"details\":{\"causes\":[{\"reason\":"    \
	"\"ResourceVersionTooLarge\",\"message\":\"Too large resource version\"}],"                \
	"\"retryAfterSeconds\":1},\"code\":504}"

static struct kube_request
get(void)
{
	return (struct kube_request){ .verb = KUBE_GET,
				      .resource = KUBE_CONFIGMAPS,
				      .name = "wan",
				      .timeout_ms = HTTP_RIG_PATIENCE_MS };
}

/* --- requests ---------------------------------------------------------------- */

static const struct {
	enum kube_verb verb;
	enum kube_resource resource;
	const char *name, *version;
	bool body;
	const char *line; /* how the request begins */
	const char *type; /* of its content, or NULL */
} asked[] = {
	{ KUBE_GET, KUBE_CONFIGMAPS, "wan", NULL, false,
	  "GET /api/v1/namespaces/esddns/configmaps/wan HTTP/1.1\r\n", NULL },
	{ KUBE_GET_CACHED, KUBE_LEASES, "l", NULL, false,
	  "GET /apis/coordination.k8s.io/v1/namespaces/esddns/leases/l?resourceVersion=0 ", NULL },
	{ KUBE_GET, KUBE_NODES, "n-1.example", NULL, false, "GET /api/v1/nodes/n-1.example ",
	  NULL },
	{ KUBE_LIST, KUBE_CONFIGMAPS, "wan", "0", false,
	  "GET /api/v1/namespaces/esddns/configmaps?fieldSelector=metadata.name%3Dwan"
	  "&resourceVersion=0 ",
	  NULL },
	{ KUBE_LIST, KUBE_CONFIGMAPS, "wan", "", false,
	  "GET /api/v1/namespaces/esddns/configmaps?fieldSelector=metadata.name%3Dwan ", NULL },
	{ KUBE_LIST, KUBE_SERVICES, "a/b c", "&x", false,
	  "GET /api/v1/namespaces/esddns/services?fieldSelector=metadata.name%3Da%2Fb%20c"
	  "&resourceVersion=%26x ",
	  NULL },
	{ KUBE_CREATE, KUBE_EVENTS, NULL, NULL, true,
	  "POST /apis/events.k8s.io/v1/namespaces/esddns/events?fieldManager=esddns ",
	  "application/json" },
	{ KUBE_PUT, KUBE_LEASES, "l", NULL, true,
	  "PUT /apis/coordination.k8s.io/v1/namespaces/esddns/leases/l?fieldManager=esddns ",
	  "application/json" },
	{ KUBE_PATCH, KUBE_CONFIGMAPS, "wan", NULL, true,
	  "PATCH /api/v1/namespaces/esddns/configmaps/wan?fieldManager=esddns ",
	  "application/json-patch+json" },
	{ KUBE_DELETE, KUBE_CONFIGMAPS, "wan", NULL, true,
	  "DELETE /api/v1/namespaces/esddns/configmaps/wan ", "application/json" },
};

START_TEST(asks_as_the_api_wants_it)
{
	cJSON *body = cJSON_Parse(OBJECT);
	struct kube_request request = { .verb = asked[_i].verb,
					.resource = asked[_i].resource,
					.name = asked[_i].name,
					.version = asked[_i].version,
					.body = asked[_i].body ? body : NULL,
					.timeout_ms = HTTP_RIG_PATIENCE_MS };
	const char *line = asked[_i].line, *type = asked[_i].type;
	char header[64];
	struct kube_rig r;

	kube_rig_start(&r);
	r.access.token = (char[]){ "abc" };
	kube_rig_begin(&r);
	kube_rig_answer(&r, (struct kube_answer){ .status = 200, .body = OBJECT });
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_OK);
	ck_assert_str_eq(r.object, OBJECT); /* unknown fields come through */
	ck_assert_msg(strncmp(r.requests[0], line, strlen(line)) == 0, "%s", r.requests[0]);
	ck_assert_ptr_nonnull(strstr(r.requests[0], "\r\nAuthorization: Bearer abc\r\n"));
	ck_assert_ptr_nonnull(strstr(r.requests[0], "\r\nAccept: application/json\r\n"));
	snprintf(header, sizeof(header), "\r\nContent-Type: %s\r\n", type != NULL ? type : "");
	ck_assert_int_eq(strstr(r.requests[0], "Content-Type") != NULL, type != NULL);
	ck_assert(type == NULL || strstr(r.requests[0], header) != NULL);
	ck_assert_int_eq(strstr(r.requests[0], "\r\n\r\n" OBJECT) != NULL, asked[_i].body);
	kube_rig_stop(&r);
	cJSON_Delete(body);
}
END_TEST

/* A server that stands behind a path, under another name for TLS. */
START_TEST(finds_its_server)
{
	static const struct {
		const char *server, *name, *url, *connect;
	} cases[] = {
		{ "https://h:6443", NULL, "https://h:6443/api/v1/nodes/n", NULL },
		{ "https://h:6443/", NULL, "https://h:6443/api/v1/nodes/n", NULL },
		{ "https://h/k8s/c/", NULL, "https://h/k8s/c/api/v1/nodes/n", NULL },
		{ "https://h:6443/k", "api", "https://api:6443/k/api/v1/nodes/n", "h" },
		{ "https://10.0.0.1", "api", "https://api/api/v1/nodes/n", "10.0.0.1" },
		{ "https://[fd00::1]:6443", "api", "https://api:6443/api/v1/nodes/n", "[fd00::1]" },
		{ "https://[fd00::1]", "fd00::2", "https://[fd00::2]/api/v1/nodes/n", "[fd00::1]" },
	};
	struct kube_access access = { .namespace = (char[]){ "n" } };
	char server[64], name[64], *url;
	struct kube *k;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(server, cases[i].server);
		access.server = server;
		access.tls_server_name = cases[i].name != NULL ? strcpy(name, cases[i].name) : NULL;
		k = kube_new(NULL, &access);
		url = kube_url(k, KUBE_NODES, "n");
		ck_assert_str_eq(url, cases[i].url);
		ck_assert_pstr_eq(k->connect_host, cases[i].connect);
		free(url);
		kube_free(k);
	}
	kube_free(NULL);
}
END_TEST

START_TEST(connects_where_the_server_is)
{
	struct kube_request request = get();
	struct kube_rig r;

	kube_rig_start(&r);
	r.access.tls_server_name = (char[]){ "kubernetes.example" };
	kube_rig_begin(&r);
	kube_rig_answer(&r, (struct kube_answer){ .status = 200, .body = OBJECT });
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_OK);
	ck_assert_ptr_nonnull(strstr(r.requests[0], "\r\nHost: kubernetes.example:"));
	kube_rig_stop(&r);
}
END_TEST

/* --- answers ----------------------------------------------------------------- */

static const struct {
	enum kube_verb verb;
	struct kube_answer answer;
	enum api_outcome outcome;
	const char *error; /* a part of it */
} answers[] = {
	{ KUBE_GET, { 200, NULL, OBJECT }, API_OK, "" },
	{ KUBE_CREATE, { 201, NULL, OBJECT }, API_OK, "" },
	{ KUBE_GET, { 200, NULL, "[]" }, API_FAILED, "it is no JSON object" },
	{ KUBE_GET, { 200, NULL, "" }, API_FAILED, "the answer cannot be read: " },
	{ KUBE_PUT, { 200, NULL, OBJECT "x" }, API_FAILED, "cannot be written: the answer" },
	{ KUBE_GET, { 200, NULL, OBJECT, .cut = 20 }, API_LOST, "broke off" },
	{ KUBE_PUT, { .hang_up = true, .body = "" }, API_LOST, "cannot be written: " },
	{ KUBE_GET, { 301, "Location: /x\r\n", "{}" }, API_FAILED, "(HTTP 301)" },
	{ KUBE_GET,
	  { 404, NULL, STATUS(404, "NotFound", "configmaps \\\"wan\\\" not found") },
	  API_NOT_FOUND,
	  "configmap esddns/wan cannot be read: configmaps \"wan\" not found (HTTP 404)" },
	{ KUBE_GET, { 404, NULL, "<html>404</html>" }, API_FAILED, "it gave no reason (HTTP 404)" },
	{ KUBE_CREATE, { 409, NULL, STATUS(409, "AlreadyExists", "there") }, API_EXISTS, "there" },
	{ KUBE_CREATE, { 409, NULL, STATUS(409, "Conflict", "x") }, API_CONFLICT, "created: x" },
	{ KUBE_PUT, { 409, NULL, STATUS(409, "AlreadyExists", "x") }, API_CONFLICT, "written: x" },
	{ KUBE_PUT,
	  { 409, NULL, STATUS(409, "Conflict", "the object has been modified") },
	  API_CONFLICT,
	  "the object has been modified" },
	{ KUBE_PATCH, { 422, NULL, STATUS(422, "Invalid", "y") }, API_INVALID, "changed: y" },
	{ KUBE_LIST, { 410, NULL, STATUS(410, "Expired", "too old") }, API_GONE, "too old" },
	{ KUBE_LIST, { 504, NULL, TOO_LARGE }, API_GONE, "Too large resource version" },
	{ KUBE_LIST, { 504, NULL, STATUS(504, "Timeout", "slow") }, API_FAILED, "slow" },
	{ KUBE_GET, { 401, NULL, STATUS(401, "Unauthorized", "no") }, API_DENIED, "no (HTTP 401)" },
	{ KUBE_GET, { 403, NULL, STATUS(403, "Forbidden", "no") }, API_DENIED, "no (HTTP 403)" },
	{ KUBE_GET,
	  { 429, "Retry-After: 7\r\n", STATUS(429, "TooManyRequests", "slow down") },
	  API_THROTTLED,
	  "slow down" },
	{ KUBE_GET,
	  { 500, NULL, "<html>Oops</html>" },
	  API_FAILED,
	  "it gave no reason (HTTP 500)" },
	{ KUBE_GET, { 503, "Retry-After: 7\r\n", "" }, API_FAILED, "(HTTP 503)" },
	{ KUBE_GET,
	  { 500, NULL, STATUS(500, "x", "a\\nb\\u001b[2Jc") },
	  API_FAILED,
	  "a b [2Jc (HTTP 500)" },
};

START_TEST(tells_how_it_ended)
{
	struct kube_request request = get();
	const struct kube_result *result;
	cJSON *body = cJSON_Parse(OBJECT);
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	request.verb = answers[_i].verb;
	request.body = request.verb == KUBE_CREATE || request.verb == KUBE_PUT ? body : NULL;
	kube_rig_answer(&r, answers[_i].answer);
	result = kube_rig_ask(&r, &request);
	ck_assert_int_eq(result->outcome, answers[_i].outcome);
	ck_assert_int_eq(result->status,
			 result->outcome == API_LOST ? 0 : answers[_i].answer.status);
	ck_assert_int_eq(result->retry_after_ms,
			 answers[_i].answer.headers != NULL && result->status > 400 ? 7000 : -1);
	ck_assert_msg(strstr(result->error, answers[_i].error) != NULL, "%s", result->error);
	if (result->outcome != API_OK)
		ck_assert_msg(strstr(result->error, r.server) != NULL &&
				      strstr(result->error, "configmap esddns/wan ") != NULL,
			      "%s", result->error);
	ck_assert_uint_eq(r.nrequests, 1);
	kube_rig_stop(&r);
	cJSON_Delete(body);
}
END_TEST

START_TEST(bounds_what_a_server_says)
{
	char *body = mem_printf("{\"kind\":\"Status\",\"message\":\"%0*d\"}", 5000, 1);
	char *large = mem_printf("{\"x\":\"%0*d\"}", KUBE_OBJECT_MAX, 1);
	struct kube_request request = get();
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	kube_rig_answer(&r, (struct kube_answer){ .status = 500, .body = body });
	kube_rig_answer(&r, (struct kube_answer){ .status = 200, .body = large });
	kube_rig_ask(&r, &request);
	ck_assert_ptr_nonnull(strstr(r.result.error, "000... (HTTP 500)"));
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_FAILED);
	ck_assert_ptr_nonnull(strstr(r.result.error, "larger than"));
	kube_rig_stop(&r);
	free(body);
	free(large);
}
END_TEST

START_TEST(says_that_nobody_answers)
{
	struct kube_request request = get();
	struct kube_rig r;

	kube_rig_start(&r);
	snprintf(r.server, sizeof(r.server), "http://127.0.0.1:1");
	kube_rig_begin(&r);
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_LOST);
	ck_assert_str_eq(
		r.result.error,
		"the API server http://127.0.0.1:1: configmap esddns/wan cannot be read: no "
		"connection to 127.0.0.1 port 1: Connection refused");
	request.resource = KUBE_NODES;
	kube_rig_ask(&r, &request);
	ck_assert_ptr_nonnull(strstr(r.result.error, ": node wan cannot be read: "));
	kube_rig_stop(&r);
}
END_TEST

START_TEST(logs_a_warning_once)
{
	struct kube_request request = get();
	struct kube_rig r;
	char headers[96][64];

	kube_rig_start(&r);
	kube_rig_begin(&r);
	for (int i = 0; i < 4; i++) {
		snprintf(headers[i], sizeof(headers[i]), "Warning: 299 - \"old API %d\"\r\n",
			 i / 2);
		kube_rig_answer(&r, (struct kube_answer){ 200, headers[i], OBJECT });
		kube_rig_ask(&r, &request);
		ck_assert_uint_eq(r.k->nwarned, 1 + i / 2);
	}
	/* a server that warns of ever new things does not fill the log */
	for (int i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%d", i);
		kube_warn(r.k, text);
	}
	ck_assert_uint_eq(r.k->nwarned, KUBE_WARNINGS_MAX);
	kube_rig_stop(&r);
}
END_TEST

static struct kube_call *to_cancel;

static void
never(void *arg, const struct kube_result *result)
{
	(void)arg;
	(void)result;
	ck_abort_msg("a cancelled call came back");
}

static void
cancel_another(void *arg, const struct kube_result *result)
{
	unsigned *calls = arg;

	(void)result;
	(*calls)++;
	kube_cancel(to_cancel);
	to_cancel = NULL;
}

START_TEST(is_cancelled_and_freed_under_way)
{
	struct kube_request request = get();
	unsigned calls = 0;
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	for (int i = 0; i < 8; i++)
		kube_rig_answer(
			&r, (struct kube_answer){
				    .status = 200, .body = OBJECT, .stream = true, .open = true });
	kube_cancel(NULL);
	kube_watch_cancel(NULL);
	kube_cancel(kube_start(r.k, &request, never, NULL));
	to_cancel = kube_start(r.k, &request, never, NULL);
	http_rig_run(&r.http, 30);
	request.timeout_ms = 50;
	kube_start(r.k, &request, cancel_another, &calls);
	http_rig_run(&r.http, 200);
	ck_assert_uint_eq(calls, 1);
	ck_assert_ptr_null(to_cancel);
	request.timeout_ms = HTTP_RIG_PATIENCE_MS;
	kube_start(r.k, &request, never, NULL);
	kube_rig_open(&r);
	http_rig_run(&r.http, 30);
	kube_rig_stop(&r); /* with both of them: a leak is the sanitizer's to find */
}
END_TEST

/* --- credentials ------------------------------------------------------------- */

START_TEST(takes_a_new_token_after_a_401)
{
	struct kube_answer no = { 401, NULL, STATUS(401, "Unauthorized", "Unauthorized") };
	struct kube_request request = get();
	struct kube_rig r;

	kube_rig_start(&r);
	r.access.token_file = r.token_file;
	kube_rig_write(r.token_file, "old\n");
	kube_rig_begin(&r);
	kube_rig_answer(&r, no);
	kube_rig_answer(&r, (struct kube_answer){ .status = 200, .body = OBJECT });
	kube_rig_write(r.token_file, "\n new \r\n");
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_OK);
	ck_assert_ptr_nonnull(strstr(r.requests[0], "Bearer old\r\n"));
	ck_assert_ptr_nonnull(strstr(r.requests[1], "Bearer new\r\n"));
	/* the same again: asked once, and told */
	kube_rig_answer(&r, no);
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_DENIED);
	ck_assert_uint_eq(r.nrequests, 3);
	/* one retry is all */
	kube_rig_answer(&r, no);
	kube_rig_answer(&r, no);
	kube_rig_write(r.token_file, "newer");
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_DENIED);
	ck_assert_uint_eq(r.nrequests, 5);
	ck_assert_ptr_nonnull(strstr(r.requests[4], "Bearer newer\r\n"));
	/* of a watch, too */
	kube_rig_answer(&r, no);
	kube_rig_answer(&r, (struct kube_answer){ .status = 200, .body = "", .stream = true });
	kube_rig_write(r.token_file, "newest");
	kube_rig_watch(&r);
	ck_assert_str_eq(r.events, "OPENED;CLOSED 0;");
	kube_rig_stop(&r);
}
END_TEST

START_TEST(reads_the_token_every_minute)
{
	int64_t now = clock_now();
	struct kube_rig r;

	kube_rig_start(&r);
	r.access.token_file = r.token_file;
	r.access.token = (char[]){ "loses" };
	kube_rig_begin(&r);
	/* none yet */
	ck_assert_ptr_null(r.k->credentials.token);
	ck_assert_ptr_nonnull(strstr(kube_trouble(r.k), "token cannot be read from /tmp/"));
	ck_assert_ptr_nonnull(strstr(kube_trouble(r.k), "No such file or directory"));
	kube_rig_write(r.token_file, "one\n");
	ck_assert_int_ge(kube_next_deadline(r.k), now + 60000);
	ck_assert_int_le(kube_next_deadline(r.k), clock_now() + 60000);
	kube_tick(r.k, kube_next_deadline(r.k) - 1);
	ck_assert_ptr_null(r.k->credentials.token);
	kube_tick(r.k, kube_next_deadline(r.k));
	ck_assert_str_eq(r.k->credentials.token, "one");
	ck_assert_str_eq(kube_trouble(r.k), "");
	/* what is no token leaves the old one in force */
	for (int i = 0; i < 4; i++) {
		static const char *const bad[] = { "", " \n", "two words", "a\xc3\xa9" };

		kube_rig_write(r.token_file, bad[i]);
		kube_tick(r.k, kube_next_deadline(r.k));
		ck_assert_str_eq(r.k->credentials.token, "one");
		ck_assert_str_ne(kube_trouble(r.k), "");
	}
	unlink(r.token_file);
	ck_assert_int_eq(mkfifo(r.token_file, 0600), 0);
	kube_tick(r.k, kube_next_deadline(r.k));
	ck_assert_ptr_nonnull(strstr(kube_trouble(r.k), "it is not a regular file"));
	unlink(r.token_file);
	kube_rig_write(r.token_file, "two");
	kube_tick(r.k, kube_next_deadline(r.k));
	ck_assert_str_eq(r.k->credentials.token, "two");
	ck_assert_str_eq(kube_trouble(r.k), "");
	kube_rig_stop(&r);
}
END_TEST

START_TEST(blames_the_credentials)
{
	struct kube_answer no = { 403, NULL, STATUS(403, "Forbidden", "anonymous") };
	struct kube_request request = get();
	struct kube_rig r;

	kube_rig_start(&r);
	r.access.token_file = r.token_file;
	kube_rig_begin(&r);
	kube_rig_answer(&r, no);
	ck_assert_int_eq(kube_rig_ask(&r, &request)->outcome, API_DENIED);
	ck_assert_msg(strstr(r.result.error, "token cannot be read from") != NULL, "%s",
		      r.result.error);
	ck_assert_ptr_null(strstr(r.requests[0], "Authorization"));
	kube_rig_stop(&r);
}
END_TEST

START_TEST(reads_the_authority_every_five_minutes)
{
#define PEM(x) "-----BEGIN CERTIFICATE-----\n" x "\n-----END CERTIFICATE-----\n"
	struct kube_rig r;
	int64_t due;

	kube_rig_start(&r);
	r.access.ca_file = r.ca_file;
	kube_rig_begin(&r);
	ck_assert_ptr_nonnull(strstr(kube_trouble(r.k), "authority cannot be read from /tmp/"));
	kube_rig_write(r.ca_file, PEM("one"));
	due = kube_next_deadline(r.k);
	ck_assert_int_le(due, clock_now() + 60000);
	kube_tick(r.k, due);
	ck_assert_str_eq(r.k->credentials.ca, PEM("one"));
	ck_assert_str_eq(kube_trouble(r.k), "");
	ck_assert_int_eq(kube_next_deadline(r.k), due + 300000);
	kube_rig_write(r.ca_file, "no certificate");
	kube_tick(r.k, due + 300000);
	ck_assert_str_eq(r.k->credentials.ca, PEM("one"));
	ck_assert_ptr_nonnull(strstr(kube_trouble(r.k), "it holds no certificate"));
	kube_rig_write(r.ca_file, PEM("two"));
	kube_tick(r.k, due + 600000);
	ck_assert_str_eq(r.k->credentials.ca, PEM("two"));
	kube_rig_stop(&r);
}
END_TEST

/* --- the part of the configuration ------------------------------------------- */

START_TEST(reads_its_part)
{
	static const struct {
		const char *text, *why;
	} refused[] = {
		{ "{}", "cluster.access is missing" },
		{ "{\"access\":{}}", "cluster.access.server is no URL" },
		{ "{\"access\":{\"server\":\"ftp://h\",\"namespace\":\"n\",\"insecure\":false}}",
		  "cluster.access.server is no URL" },
		{ "{\"access\":{\"server\":\"https://\",\"namespace\":\"n\",\"insecure\":false}}",
		  "cluster.access.server is no URL" },
		{ "{\"access\":{\"server\":\"https://h\",\"namespace\":null,\"insecure\":false}}",
		  "cluster.access.namespace is malformed" },
		{ "{\"access\":{\"server\":\"https://h\",\"namespace\":\"n\",\"insecure\":1}}",
		  "cluster.access.insecure is neither true nor false" },
		{ "{\"access\":{\"server\":\"https://h\",\"namespace\":\"n\",\"insecure\":false,"
		  "\"token\":\"a\\r\\nb\"}}",
		  "cluster.access.token is malformed" },
		{ "{\"access\":{\"server\":\"https://h\",\"namespace\":\"n\",\"insecure\":false,"
		  "\"key_data\":\"k\"}}",
		  "cluster.access has a malformed certificate or key" },
		{ "{\"access\":{\"server\":\"https://h\",\"namespace\":\"n\",\"insecure\":false,"
		  "\"ca_file\":7}}",
		  "cluster.access names a malformed file" },
	};
	cJSON *part = cJSON_Parse(
		"{\"access\":{\"server\":\"https://h:1\",\"namespace\":\"n\",\"token\":\"t\","
		"\"token_file\":\"/t\",\"ca_file\":\"/c\",\"ca_data\":\"ca\",\"cert_data\":\"ce\","
		"\"key_data\":\"k\",\"tls_server_name\":\"s\",\"insecure\":true}}");
	const char *why = NULL;
	struct kube_access *a = kube_access_read(part, &why);

	ck_assert_ptr_nonnull(a);
	ck_assert_str_eq(a->server, "https://h:1");
	ck_assert_str_eq(a->namespace, "n");
	ck_assert_str_eq(a->token, "t");
	ck_assert_str_eq(a->token_file, "/t");
	ck_assert_str_eq(a->ca_file, "/c");
	ck_assert_str_eq(a->ca_data, "ca");
	ck_assert_str_eq(a->cert_data, "ce");
	ck_assert_str_eq(a->key_data, "k");
	ck_assert_str_eq(a->tls_server_name, "s");
	ck_assert(a->insecure);
	kube_access_free(a);
	kube_access_free(NULL);
	cJSON_Delete(part);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		part = cJSON_Parse(refused[i].text);
		ck_assert_ptr_nonnull(part);
		ck_assert_ptr_null(kube_access_read(part, &why));
		ck_assert_str_eq(why, refused[i].why);
		cJSON_Delete(part);
	}
}
END_TEST

static TCase *
cases(void)
{
	TCase *tc = tcase_create("kube");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, asks_as_the_api_wants_it, 0, sizeof(asked) / sizeof(asked[0]));
	tcase_add_test(tc, finds_its_server);
	tcase_add_test(tc, connects_where_the_server_is);
	tcase_add_loop_test(tc, tells_how_it_ended, 0, sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(tc, bounds_what_a_server_says);
	tcase_add_test(tc, says_that_nobody_answers);
	tcase_add_test(tc, logs_a_warning_once);
	tcase_add_test(tc, is_cancelled_and_freed_under_way);
	tcase_add_test(tc, takes_a_new_token_after_a_401);
	tcase_add_test(tc, reads_the_token_every_minute);
	tcase_add_test(tc, blames_the_credentials);
	tcase_add_test(tc, reads_the_authority_every_five_minutes);
	tcase_add_test(tc, reads_its_part);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("kube");
	SRunner *runner;
	int failed;

	own_net_enter();
	signal(SIGPIPE, SIG_IGN);
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
