#include "kube_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

static void
add_chunk(struct buf *out, const char *data, size_t len)
{
	buf_printf(out, "%zx\r\n", len);
	buf_add(out, data, len);
	buf_adds(out, "\r\n");
}

static void
add_body(struct buf *out, const struct kube_answer *a)
{
	size_t len = a->cut != 0 ? a->cut : strlen(a->body);

	if (!a->stream && !a->bytewise) {
		buf_printf(out, "Content-Length: %zu\r\n\r\n", strlen(a->body));
		buf_add(out, a->body, len);
		return;
	}
	buf_adds(out, "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; a->bytewise && i < len; i++)
		add_chunk(out, a->body + i, 1);
	if (!a->bytewise && len > 0)
		add_chunk(out, a->body, len);
	if (!a->open && a->cut == 0)
		buf_adds(out, "0\r\n\r\n");
}

static bool
answer(void *arg, struct http_server_connection *c, const char *path)
{
	struct kube_rig *r = arg;
	const struct kube_answer *a = &r->answers[r->nrequests];

	(void)path;
	ck_assert_msg(r->nrequests < r->nanswers, "a request too many: %s",
		      buf_text(&r->http.server.last));
	r->requests[r->nrequests++] = mem_strdup(buf_text(&r->http.server.last));
	c->closing = a->hang_up || a->cut != 0;
	c->drip_ms = a->bytewise ? 1 : 0;
	if (a->hang_up)
		return true;
	buf_printf(&c->out, "HTTP/1.1 %d Because\r\n%s", a->status,
		   a->headers != NULL ? a->headers : "");
	add_body(&c->out, a);
	return true;
}

void
kube_rig_start(struct kube_rig *r)
{
	memset(r, 0, sizeof(*r));
	http_rig_start(&r->http);
	r->http.server.answer = answer;
	r->http.server.answer_arg = r;
	strcpy(r->directory, "/tmp/check_kube.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->directory));
	snprintf(r->server, sizeof(r->server), "http://127.0.0.1:%u", r->http.server.port);
	snprintf(r->token_file, sizeof(r->token_file), "%s/token", r->directory);
	snprintf(r->ca_file, sizeof(r->ca_file), "%s/ca.crt", r->directory);
	r->result.object = NULL;
}

static char namespace[] = "esddns";

void
kube_rig_begin(struct kube_rig *r)
{
	/* the texts of the access are those of the rig's: they outlive the client */
	r->access.server = r->server;
	r->access.namespace = namespace;
	r->k = kube_new(r->http.http, &r->access);
}

void
kube_rig_stop(struct kube_rig *r)
{
	kube_free(r->k);
	http_rig_stop(&r->http);
	for (size_t i = 0; i < r->nrequests; i++)
		free(r->requests[i]);
	free(r->object);
	unlink(r->token_file);
	unlink(r->ca_file);
	rmdir(r->directory);
}

void
kube_rig_answer(struct kube_rig *r, struct kube_answer a)
{
	ck_assert_uint_lt(r->nanswers, KUBE_RIG_MAX);
	r->answers[r->nanswers++] = a;
}

void
kube_rig_write(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

static void
on_result(void *arg, const struct kube_result *result)
{
	struct kube_rig *r = arg;

	free(r->object);
	r->object = result->object != NULL ? json_print(result->object) : NULL;
	r->result = *result;
	r->results++;
	ck_assert((result->outcome == API_OK) == (result->error[0] == '\0'));
	ck_assert(result->outcome != API_OK || result->object != NULL);
}

struct kube_call *
kube_rig_call(struct kube_rig *r, const struct kube_request *request)
{
	return kube_start(r->k, request, on_result, r);
}

const struct kube_result *
kube_rig_ask(struct kube_rig *r, const struct kube_request *request)
{
	int64_t end = clock_now() + HTTP_RIG_PATIENCE_MS;
	unsigned before = r->results;

	kube_rig_call(r, request);
	while (r->results == before && clock_now() < end)
		http_rig_pass(&r->http, end);
	ck_assert_uint_eq(r->results, before + 1);
	return &r->result;
}

static void
on_event(void *arg, const struct kube_watch_event *ev)
{
	static const char *const kinds[] = { "OPENED",   "ADDED", "MODIFIED", "DELETED",
					     "BOOKMARK", "ERROR", "CLOSED" };
	struct kube_rig *r = arg;
	size_t used = strlen(r->events);

	ck_assert_msg(!r->closed, "an event after the last one");
	snprintf(r->events + used, sizeof(r->events) - used, "%s%s%s", kinds[ev->kind],
		 ev->version[0] != '\0' ? " " : "", ev->version);
	used = strlen(r->events);
	if (ev->kind == KUBE_ERROR || ev->kind == KUBE_CLOSED)
		snprintf(r->events + used, sizeof(r->events) - used, " %d", (int)ev->outcome);
	strcat(r->events, ";");
	ck_assert((ev->object == NULL) == (ev->kind == KUBE_OPENED || ev->kind == KUBE_CLOSED));
	ck_assert((ev->error[0] == '\0') == (ev->outcome == API_OK));
	mem_copy_text(r->error, sizeof(r->error), ev->error);
	r->retry_after_ms = ev->retry_after_ms;
	r->nevents++;
	if (ev->kind == KUBE_CLOSED) {
		r->closed = true;
		r->watch = NULL;
	}
	if (r->nevents == r->cancel_at) {
		if (r->watch != NULL)
			kube_watch_cancel(r->watch);
		r->watch = NULL;
		r->closed = true;
	}
}

void
kube_rig_open(struct kube_rig *r)
{
	r->events[0] = '\0';
	r->nevents = 0;
	r->closed = false;
	r->watch = kube_watch_start(
		r->k, KUBE_CONFIGMAPS, "wan", "7", 300,
		r->watch_timeout_ms != 0 ? r->watch_timeout_ms : HTTP_RIG_PATIENCE_MS, on_event, r);
}

void
kube_rig_watch(struct kube_rig *r)
{
	int64_t end = clock_now() + HTTP_RIG_PATIENCE_MS;

	kube_rig_open(r);
	while (!r->closed && clock_now() < end)
		http_rig_pass(&r->http, end);
	ck_assert_msg(r->closed, "not closed: %s", r->events);
}
