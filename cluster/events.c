#include "cluster/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define BURST 25
#define EARN_MS (5 * 60 * 1000)
#define AGAIN_MS (10 * 60 * 1000)
#define TOLD_MAX 16
#define TIMEOUT_MS 10000
#define NOTE_MAX 1024 /* of the API, with NUL */
#define IN_FLIGHT_MAX 4

struct told {
	char reason[48];
	uint64_t note; /* its hash */
	int64_t at_ms;
};

struct events {
	const struct cluster_config *config;
	struct kube *kube;
	char *controller;
	char instance[MSG_HOLDER_MAX];
	struct kube_call *calls[IN_FLIGHT_MAX];
	struct sending {
		struct events *events;
		size_t at;
	} sending[IN_FLIGHT_MAX];
	int64_t paid_until_ms; /* the events so far are earned at this time */
	struct told told[TOLD_MAX];
	size_t next;
	bool refused; /* said once */
};

struct events *
events_new(const struct cluster_config *config, struct kube *kube, const char *controller)
{
	struct events *e = mem_new(1, sizeof(*e));

	e->config = config;
	e->kube = kube;
	e->controller = mem_strdup(controller);
	snprintf(e->instance, sizeof(e->instance), "%s-%s", controller,
		 config->pod_name != NULL ? config->pod_name : "");
	e->paid_until_ms = INT64_MIN / 2;
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		e->sending[i] = (struct sending){ e, i };
	return e;
}

void
events_free(struct events *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		kube_cancel(e->calls[i]);
	free(e->controller);
	free(e);
}

static void
sent(void *arg, const struct kube_result *result)
{
	const struct sending *s = arg;

	s->events->calls[s->at] = NULL;
	if (result->outcome == API_OK || s->events->refused)
		return;
	s->events->refused = true;
	log_info("Events about the Pod are not taken; nothing else depends on them",
		 LOG_S("error", result->error));
}

/* FNV-1a, to tell one note from another. */
static uint64_t
hash_of(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

static bool
told_lately(struct events *e, const char *reason, const char *note, int64_t now_ms)
{
	uint64_t hash = hash_of(note);
	struct told *t;

	for (size_t i = 0; i < TOLD_MAX; i++) {
		t = &e->told[i];
		if (t->reason[0] != '\0' && t->note == hash && strcmp(t->reason, reason) == 0 &&
		    now_ms - t->at_ms < AGAIN_MS)
			return true;
	}
	t = &e->told[e->next++ % TOLD_MAX];
	mem_copy_text(t->reason, sizeof(t->reason), reason);
	t->note = hash;
	t->at_ms = now_ms;
	return false;
}

/* A bucket of BURST, filled by one every EARN_MS. */
static bool
is_earned(struct events *e, int64_t now_ms)
{
	if (e->paid_until_ms - now_ms > (int64_t)EARN_MS * (BURST - 1))
		return false;
	e->paid_until_ms = (e->paid_until_ms > now_ms ? e->paid_until_ms : now_ms) + EARN_MS;
	return true;
}

static void
put(cJSON *object, const char *key, const char *text)
{
	if (cJSON_AddStringToObject(object, key, text) == NULL)
		abort(); /* out of memory */
}

static cJSON *
put_object(cJSON *object, const char *key)
{
	cJSON *inner = cJSON_AddObjectToObject(object, key);

	if (inner == NULL)
		abort();
	return inner;
}

/* MicroTime has exactly six digits of a fraction. */
static void
put_time(cJSON *object, const char *key)
{
	char second[32], text[40];
	int64_t wall = clock_wall();

	clock_iso(wall, second, sizeof(second));
	snprintf(text, sizeof(text), "%.19s.%03d000Z", second, (int)(wall % 1000));
	put(object, key, text);
}

static cJSON *
event_new(const struct events *e, bool warning, const char *reason, const char *action,
	  const char *note)
{
	cJSON *event = cJSON_CreateObject(), *metadata, *regarding;
	char name[320], text[NOTE_MAX];
	uint64_t number = 0;

	if (event == NULL)
		abort();
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint64_t)clock_wall();
	snprintf(name, sizeof(name), "%.200s.%016llx", e->config->pod_name,
		 (unsigned long long)number);
	mem_copy_text(text, sizeof(text), note);
	put(event, "apiVersion", "events.k8s.io/v1");
	put(event, "kind", "Event");
	metadata = put_object(event, "metadata");
	put(metadata, "name", name);
	put(metadata, "namespace", e->config->access->namespace);
	put_time(event, "eventTime");
	put(event, "reportingController", e->controller);
	put(event, "reportingInstance", e->instance);
	put(event, "action", action);
	put(event, "reason", reason);
	put(event, "type", warning ? "Warning" : "Normal");
	put(event, "note", text);
	regarding = put_object(event, "regarding");
	put(regarding, "apiVersion", "v1");
	put(regarding, "kind", "Pod");
	put(regarding, "namespace", e->config->access->namespace);
	put(regarding, "name", e->config->pod_name);
	if (e->config->pod_uid != NULL)
		put(regarding, "uid", e->config->pod_uid);
	return event;
}

void
events_tell(struct events *e, bool warning, const char *reason, const char *action,
	    const char *note, int64_t now_ms)
{
	size_t at = 0;
	cJSON *event;

	while (at < IN_FLIGHT_MAX && e->calls[at] != NULL)
		at++;
	if (e->config->pod_name == NULL || at == IN_FLIGHT_MAX ||
	    told_lately(e, reason, note, now_ms) || !is_earned(e, now_ms))
		return;
	event = event_new(e, warning, reason, action, note);
	e->calls[at] = kube_start(e->kube,
				  &(struct kube_request){ .verb = KUBE_CREATE,
							  .resource = KUBE_EVENTS,
							  .body = event,
							  .timeout_ms = TIMEOUT_MS },
				  sent, &e->sending[at]);
	cJSON_Delete(event);
}
