#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kube_private.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

struct kube_watch {
	struct kube *k;
	struct kube_watch *next;
	struct http_call *http_call; /* NULL once it is over */
	enum kube_resource resource;
	char *name;
	char *url;
	int64_t deadline_ms;
	bool retried, opened;
	unsigned token_number;
	struct kube_stream stream;
	kube_watch_event_fn *event;
	void *arg;
	bool busy; /* events are being handed out: it is freed after them */
	bool over; /* nothing is handed out any more */
};

static void
free_watch(struct kube_watch *w)
{
	struct kube_watch **at = &w->k->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	kube_stream_clear(&w->stream);
	free(w->name);
	free(w->url);
	free(w);
}

void
kube_watch_cancel(struct kube_watch *w)
{
	if (w == NULL)
		return;
	w->over = true;
	http_cancel(w->http_call);
	w->http_call = NULL;
	if (!w->busy)
		free_watch(w);
}

/* The last event. */
static void
close_watch(struct kube_watch *w, enum api_outcome outcome, int64_t retry_after_ms,
	    const char *error)
{
	struct kube_watch_event ev = { .kind = KUBE_CLOSED,
				       .version = "",
				       .outcome = outcome,
				       .retry_after_ms = retry_after_ms,
				       .error = error };

	w->over = true;
	http_cancel(w->http_call);
	w->http_call = NULL;
	w->event(w->arg, &ev);
}

static struct kube_subject
subject_of(const struct kube_watch *w)
{
	return (struct kube_subject){ w->k, w->resource, w->name, "cannot be watched" };
}

static void
refuse(struct kube_watch *w, enum api_outcome outcome, const char *why)
{
	struct kube_subject subject = subject_of(w);
	char error[MSG_REASON_MAX];

	kube_word_failure(&subject, why, error);
	close_watch(w, outcome, -1, error);
}

/* An answer to a selector of one name has no others; whoever sends them is not believed. */
static bool
is_ours(const struct kube_watch *w, const struct kube_watch_event *ev)
{
	const char *name = json_text(json_object(ev->object, "metadata"), "name");

	return ev->kind == KUBE_BOOKMARK || ev->kind == KUBE_ERROR ||
	       (name != NULL && strcmp(name, w->name) == 0);
}

static void
take_line(struct kube_watch *w)
{
	struct kube_subject subject = subject_of(w);
	char text[160], error[MSG_REASON_MAX];
	struct kube_watch_event ev;
	int64_t code = 0;
	const char *why;
	cJSON *root;
	int n = kube_event_read(buf_text(&w->stream.line), w->stream.line.len, &ev, &root, &why);

	if (n < 0) {
		snprintf(text, sizeof(text), "an event cannot be read: %s", why);
		refuse(w, API_FAILED, text);
	} else if (n > 0 && is_ours(w, &ev)) {
		if (ev.kind == KUBE_ERROR) {
			json_int(ev.object, "code", 100, 599, &code);
			kube_word_status(&subject, (int)code, ev.object, error);
			ev.error = error;
		}
		w->event(w->arg, &ev);
	}
	cJSON_Delete(root);
}

static void
on_data(void *arg, const char *data, size_t len)
{
	struct kube_watch_event opened = {
		.kind = KUBE_OPENED, .version = "", .retry_after_ms = -1, .error = ""
	};
	struct kube_watch *w = arg;

	w->busy = true;
	if (!w->opened) {
		w->opened = true;
		w->event(w->arg, &opened);
	}
	while (!w->over && kube_stream_next(&w->stream, &data, &len))
		take_line(w);
	if (!w->over && w->stream.too_long)
		refuse(w, API_FAILED, "an event is larger than 3 MiB");
	w->busy = false;
	if (w->over)
		free_watch(w);
}

static void on_done(void *arg, const struct http_response *response);

static void
send_watch(struct kube_watch *w)
{
	struct http_request request = {
		.method = "GET",
		.url = w->url,
		.timeout_ms = w->deadline_ms - clock_now(),
		.head_timeout_ms = KUBE_OPEN_MS,
		.on_data = on_data,
	};

	w->http_call = kube_send(w->k, &request, NULL, on_done, w, &w->token_number);
}

/* How a whole stream ended, or why there was none. */
static void
judge_end(struct kube_watch *w, const struct http_response *response)
{
	struct kube_subject subject = subject_of(w);
	char error[MSG_REASON_MAX];
	enum api_outcome outcome;
	cJSON *object = NULL;

	if (response->error == HTTP_OK && w->opened) {
		if (kube_stream_ended_well(&w->stream))
			close_watch(w, API_OK, -1, "");
		else
			refuse(w, API_LOST, "the stream broke off in the middle of an event");
		return;
	}
	outcome = kube_judge(&subject, response, false, &object, error);
	cJSON_Delete(object);
	close_watch(w, outcome, response->retry_after_ms, error);
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct kube_watch *w = arg;
	int64_t now = clock_now();

	w->http_call = NULL;
	kube_warn(w->k, response->warning);
	if (response->status == 401 && !w->retried && now < w->deadline_ms &&
	    kube_credentials_refused(&w->k->credentials, w->token_number, now)) {
		w->retried = true;
		send_watch(w);
		return;
	}
	w->busy = true;
	judge_end(w, response);
	free_watch(w);
}

static char *
watch_url(const struct kube *k, enum kube_resource resource, const char *name, const char *version,
	  int64_t seconds)
{
	char *at = kube_url(k, resource, NULL);
	char *selector = mem_printf("metadata.name=%s", name);
	struct buf url = BUF_INIT;
	char number[24];

	buf_adds(&url, at);
	kube_add_query(&url, "watch", "1");
	kube_add_query(&url, "allowWatchBookmarks", "true");
	kube_add_query(&url, "fieldSelector", selector);
	if (version[0] != '\0')
		kube_add_query(&url, "resourceVersion", version);
	snprintf(number, sizeof(number), "%lld", (long long)seconds);
	kube_add_query(&url, "timeoutSeconds", number);
	free(at);
	free(selector);
	return buf_take(&url);
}

struct kube_watch *
kube_watch_start(struct kube *k, enum kube_resource resource, const char *name, const char *version,
		 int64_t seconds, int64_t timeout_ms, kube_watch_event_fn *event, void *arg)
{
	struct kube_watch *w = mem_new(1, sizeof(*w));

	*w = (struct kube_watch){
		.k = k,
		.next = k->watches,
		.resource = resource,
		.name = mem_strdup(name),
		.url = watch_url(k, resource, name, version, seconds),
		.deadline_ms = clock_now() + timeout_ms,
		.event = event,
		.arg = arg,
	};
	k->watches = w;
	send_watch(w);
	return w;
}
