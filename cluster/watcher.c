#include "cluster/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cluster/reflector.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

struct watcher {
	struct kube *kube;
	enum kube_resource resource;
	char *name;
	watcher_seen *seen;
	void *arg;
	struct reflector machine;
	struct kube_call *list;
	struct kube_watch *watch;
	char trouble[MSG_REASON_MAX];
};

static void carry_out(struct watcher *w, const struct reflector_actions *actions);

static void
step(struct watcher *w, struct reflector_event *ev, int64_t now_ms)
{
	struct reflector_actions actions;

	if (getrandom(&ev->random, sizeof(ev->random), GRND_NONBLOCK) != sizeof(ev->random))
		ev->random = (uint32_t)now_ms; /* it only spreads requests */
	reflector_step(&w->machine, ev, now_ms, &actions);
	carry_out(w, &actions);
}

static void
note_trouble(struct watcher *w, const char *trouble)
{
	if (strcmp(trouble, w->trouble) == 0)
		return;
	if (trouble[0] != '\0' && w->trouble[0] == '\0')
		log_warn("an object cannot be followed", LOG_S("object", w->name),
			 LOG_S("error", trouble));
	else if (trouble[0] == '\0')
		log_info("the object is followed again", LOG_S("object", w->name));
	mem_copy_text(w->trouble, sizeof(w->trouble), trouble);
}

/* --- the list -------------------------------------------------------------------------- */

static void
listed(void *arg, const struct kube_result *result)
{
	struct watcher *w = arg;
	struct reflector_event ev = { .type = REFLECTOR_EV_LISTED,
				      .outcome = result->outcome,
				      .retry_after_ms = result->retry_after_ms };
	const cJSON *metadata, *items;

	w->list = NULL;
	if (result->outcome == API_OK) {
		metadata = json_object(result->object, "metadata");
		items = json_array(result->object, "items");
		if (metadata == NULL || items == NULL ||
		    !json_copy(metadata, "resourceVersion", ev.version, sizeof(ev.version)))
			ev.outcome = API_FAILED;
		else
			w->seen(w->arg, cJSON_GetArrayItem(items, 0));
	}
	note_trouble(w,
		     ev.outcome == API_OK || ev.outcome == API_GONE
			     ? ""
			     : (result->error[0] != '\0' ? result->error
							 : "the API server's list is malformed"));
	step(w, &ev, clock_now());
}

/* --- the watch --------------------------------------------------------------------------- */

static void
watched(void *arg, const struct kube_watch_event *event)
{
	static const enum reflector_event_type types[] = {
		[KUBE_OPENED] = REFLECTOR_EV_OPENED,     [KUBE_ADDED] = REFLECTOR_EV_CHANGED,
		[KUBE_MODIFIED] = REFLECTOR_EV_CHANGED,  [KUBE_DELETED] = REFLECTOR_EV_CHANGED,
		[KUBE_BOOKMARK] = REFLECTOR_EV_BOOKMARK, [KUBE_ERROR] = REFLECTOR_EV_ERROR,
		[KUBE_CLOSED] = REFLECTOR_EV_CLOSED,
	};
	struct watcher *w = arg;
	struct reflector_event ev = { .type = types[event->kind],
				      .outcome = event->outcome,
				      .retry_after_ms = event->retry_after_ms };

	mem_copy_text(ev.version, sizeof(ev.version), event->version);
	if (event->kind == KUBE_CLOSED)
		w->watch = NULL;
	if (event->kind == KUBE_ADDED || event->kind == KUBE_MODIFIED)
		w->seen(w->arg, event->object);
	else if (event->kind == KUBE_DELETED)
		w->seen(w->arg, NULL);
	if (event->kind == KUBE_OPENED)
		note_trouble(w, "");
	else if (event->kind == KUBE_CLOSED && event->outcome != API_OK &&
		 event->outcome != API_GONE)
		note_trouble(w, event->error);
	step(w, &ev, clock_now());
}

static void
carry_out(struct watcher *w, const struct reflector_actions *a)
{
	if (a->cancel) {
		kube_cancel(w->list);
		kube_watch_cancel(w->watch);
		w->list = NULL;
		w->watch = NULL;
	}
	if (a->request == REFLECTOR_LIST)
		w->list = kube_start(w->kube,
				     &(struct kube_request){ .verb = KUBE_LIST,
							     .resource = w->resource,
							     .name = w->name,
							     .version = a->version,
							     .timeout_ms = a->timeout_ms },
				     listed, w);
	else if (a->request == REFLECTOR_WATCH)
		w->watch = kube_watch_start(w->kube, w->resource, w->name, a->version,
					    a->watch_seconds, a->timeout_ms, watched, w);
}

/* --- the caller's side ------------------------------------------------------------------- */

struct watcher *
watcher_new(struct kube *kube, enum kube_resource resource, const char *name, watcher_seen *seen,
	    void *arg)
{
	struct watcher *w = mem_new(1, sizeof(*w));

	w->kube = kube;
	w->resource = resource;
	w->name = mem_strdup(name);
	w->seen = seen;
	w->arg = arg;
	reflector_init(&w->machine, clock_now());
	return w;
}

void
watcher_free(struct watcher *w)
{
	if (w == NULL)
		return;
	kube_cancel(w->list);
	kube_watch_cancel(w->watch);
	free(w->name);
	free(w);
}

void
watcher_prepare(const struct watcher *w, struct pollset *set)
{
	pollset_wake_at(set, reflector_next_deadline(&w->machine));
}

void
watcher_dispatch(struct watcher *w, int64_t now_ms)
{
	if (reflector_next_deadline(&w->machine) <= now_ms)
		step(w, &(struct reflector_event){ .type = REFLECTOR_EV_TICK }, now_ms);
}

void
watcher_read_now(struct watcher *w, int64_t now_ms)
{
	step(w, &(struct reflector_event){ .type = REFLECTOR_EV_READ_NOW }, now_ms);
}

bool
watcher_current(const struct watcher *w)
{
	return reflector_current(&w->machine);
}

const char *
watcher_trouble(const struct watcher *w)
{
	return w->trouble;
}
