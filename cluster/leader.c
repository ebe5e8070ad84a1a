#include "cluster/leader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cluster/lease_object.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define NEWS_MAX 8

/* One request under way at most. */
struct lane {
	struct leader *leader;
	enum leadership_event_type answer; /* what its end is told as */
	struct kube_call *call;
	uint64_t id;
};

struct leader {
	struct kube *kube;
	struct leadership *machine;
	char *lease_name, *wan_name;
	struct lane lease, wan;
	cJSON *lease_object, *wan_object; /* as last read */
	struct wan_content stored;
	struct api_fence fence;
	struct wan_content content;   /* to be published */
	uint64_t content_number;      /* 0: nothing was published yet */
	char trouble[MSG_REASON_MAX]; /* of the last request */
	char object_trouble[MSG_REASON_MAX];
	enum leader_news news[NEWS_MAX];
	size_t nnews;
	uint64_t requests;
	bool off_told;
};

static void carry_out(struct leader *l, const struct leadership_actions *actions);

static void
tell(struct leader *l, enum leader_news news)
{
	/* one COMMITTED stands for all before it; the others cannot come so many in one pass */
	if (l->nnews > 0 && l->news[l->nnews - 1] == news)
		return;
	if (l->nnews == NEWS_MAX)
		abort();
	l->news[l->nnews++] = news;
}

static void
step(struct leader *l, struct leadership_event *ev, int64_t now_ms)
{
	struct leadership_actions actions;

	if (getrandom(&ev->random, sizeof(ev->random), GRND_NONBLOCK) != sizeof(ev->random))
		ev->random = (uint32_t)now_ms; /* it only spreads requests */
	ev->wall_ms = clock_wall();
	leadership_step(l->machine, ev, now_ms, &actions);
	carry_out(l, &actions);
}

/* --- answers --------------------------------------------------------------------------- */

static void
keep(cJSON **kept, const cJSON *object)
{
	cJSON_Delete(*kept);
	*kept = cJSON_Duplicate(object, true);
	if (*kept == NULL)
		abort(); /* out of memory */
}

static void
note_trouble(struct leader *l, const struct kube_result *result)
{
	/* these are the election's daily bread, and are told as what they come to */
	bool harmless = result->outcome == API_OK || result->outcome == API_NOT_FOUND ||
			result->outcome == API_CONFLICT || result->outcome == API_EXISTS ||
			result->outcome == API_INVALID;
	const char *trouble = harmless ? "" : result->error;

	if (strcmp(trouble, l->trouble) == 0)
		return;
	if (trouble[0] != '\0' && l->trouble[0] == '\0')
		log_warn("the API server does not serve the election", LOG_S("error", trouble));
	else if (trouble[0] == '\0')
		log_info("the API server serves the election again");
	mem_copy_text(l->trouble, sizeof(l->trouble), trouble);
}

static void
take_wan(struct leader *l, const cJSON *object)
{
	char trouble[MSG_REASON_MAX];

	keep(&l->wan_object, object);
	wan_object_read(object, &l->fence, &l->stored, trouble);
	if (trouble[0] != '\0' && strcmp(trouble, l->object_trouble) != 0)
		log_warn("the ConfigMap holds what cannot be used", LOG_S("configmap", l->wan_name),
			 LOG_S("reason", trouble));
	mem_copy_text(l->object_trouble, sizeof(l->object_trouble), trouble);
}

static void
answered(void *arg, const struct kube_result *result)
{
	struct lane *lane = arg;
	struct leader *l = lane->leader;
	struct leadership_event ev = { .type = lane->answer,
				       .id = lane->id,
				       .outcome = result->outcome,
				       .retry_after_ms = result->retry_after_ms };

	lane->call = NULL;
	note_trouble(l, result);
	if (result->outcome == API_OK && result->object == NULL) {
		ev.outcome = API_FAILED;
	} else if (result->outcome == API_OK && lane == &l->lease) {
		keep(&l->lease_object, result->object);
		lease_object_read(result->object, &ev.lease);
	} else if (result->outcome == API_OK) {
		take_wan(l, result->object);
		ev.fence = l->fence;
	}
	step(l, &ev, clock_now());
}

/* --- requests -------------------------------------------------------------------------- */

static cJSON *
lease_body(const struct leader *l, const struct leadership_request *r)
{
	if (r->kind == LEADERSHIP_LEASE_CREATE)
		return lease_object_new(l->lease_name, &r->lease);
	return r->kind == LEADERSHIP_LEASE_PUT ? lease_object_update(l->lease_object, &r->lease)
					       : NULL;
}

/* Preconditions of a delete (meta/v1 DeleteOptions). */
static cJSON *
delete_options(const struct api_fence *tested)
{
	cJSON *options = cJSON_CreateObject();
	cJSON *conditions = cJSON_AddObjectToObject(options, "preconditions");

	if (cJSON_AddStringToObject(conditions, "uid", tested->uid) == NULL ||
	    cJSON_AddStringToObject(conditions, "resourceVersion", tested->version) == NULL)
		abort(); /* out of memory */
	return options;
}

/*
 * What is put into a new object: no address. A create has no precondition, and one that
 * lands late must not bring an older address back; the fenced write after it does.
 */
static const struct wan_content nothing_known;

static cJSON *
wan_body(const struct leader *l, const struct leadership_request *r)
{
	switch (r->kind) {
	case LEADERSHIP_WAN_CREATE:
		return wan_object_new(l->wan_name, &r->fence, &nothing_known);
	case LEADERSHIP_WAN_CLAIM:
		return wan_object_claim(l->wan_object, &r->fence, NULL);
	case LEADERSHIP_WAN_WRITE:
		return wan_object_patch(&r->tested, r->tests, &r->fence, &l->content);
	case LEADERSHIP_WAN_DELETE:
		return delete_options(&r->tested);
	default:
		return NULL;
	}
}

static const enum kube_verb verbs[LEADERSHIP_REQUEST__MAX] = {
	[LEADERSHIP_LEASE_GET] = KUBE_GET,       [LEADERSHIP_LEASE_GET_CACHED] = KUBE_GET_CACHED,
	[LEADERSHIP_LEASE_CREATE] = KUBE_CREATE, [LEADERSHIP_LEASE_PUT] = KUBE_PUT,
	[LEADERSHIP_WAN_GET] = KUBE_GET,         [LEADERSHIP_WAN_CREATE] = KUBE_CREATE,
	[LEADERSHIP_WAN_CLAIM] = KUBE_PUT,       [LEADERSHIP_WAN_WRITE] = KUBE_PATCH,
	[LEADERSHIP_WAN_DELETE] = KUBE_DELETE,
};

static void
start(struct lane *lane, const struct leadership_request *r)
{
	struct leader *l = lane->leader;
	bool lease = lane == &l->lease;
	cJSON *body;

	if (r->kind == LEADERSHIP_NONE)
		return;
	kube_cancel(lane->call); /* it is replaced */
	body = lease ? lease_body(l, r) : wan_body(l, r);
	lane->id = r->id;
	lane->call = kube_start(l->kube,
				&(struct kube_request){
					.verb = verbs[r->kind],
					.resource = lease ? KUBE_LEASES : KUBE_CONFIGMAPS,
					.name = lease ? l->lease_name : l->wan_name,
					.body = body,
					.timeout_ms = r->timeout_ms,
				},
				answered, lane);
	cJSON_Delete(body);
	l->requests++;
}

static void
carry_out(struct leader *l, const struct leadership_actions *actions)
{
	if (actions->began || actions->committed > 0)
		l->fence = actions->fence;
	if (actions->ended)
		tell(l, LEADER_ENDED);
	if (actions->began)
		tell(l, LEADER_BEGAN);
	/* what is newer is on its way, and told then */
	if (actions->committed > 0 && actions->committed == l->content_number)
		tell(l, LEADER_COMMITTED);
	if (actions->released)
		tell(l, LEADER_RELEASED);
	start(&l->lease, &actions->lease);
	start(&l->wan, &actions->wan);
	if (leadership_role(l->machine) == LEADERSHIP_OFF && !l->off_told) {
		l->off_told = true;
		tell(l, LEADER_OFF);
	}
}

/* --- the caller's side ----------------------------------------------------------------- */

struct leader *
leader_new(struct kube *kube, const struct leadership_config *config, const char *lease,
	   const char *configmap)
{
	struct leader *l = mem_new(1, sizeof(*l));
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = 0;
	l->kube = kube;
	l->machine = leadership_new(config, clock_now(), random);
	l->lease_name = mem_strdup(lease);
	l->wan_name = mem_strdup(configmap);
	l->lease = (struct lane){ .leader = l, .answer = LEADERSHIP_EV_LEASE_ANSWER };
	l->wan = (struct lane){ .leader = l, .answer = LEADERSHIP_EV_WAN_ANSWER };
	return l;
}

void
leader_free(struct leader *l)
{
	if (l == NULL)
		return;
	kube_cancel(l->lease.call);
	kube_cancel(l->wan.call);
	leadership_free(l->machine);
	cJSON_Delete(l->lease_object);
	cJSON_Delete(l->wan_object);
	free(l->lease_name);
	free(l->wan_name);
	free(l);
}

void
leader_prepare(const struct leader *l, struct pollset *set)
{
	pollset_wake_at(set, l->nnews > 0 ? clock_now() : leadership_next_deadline(l->machine));
}

void
leader_dispatch(struct leader *l, int64_t now_ms)
{
	if (leadership_next_deadline(l->machine) <= now_ms)
		step(l, &(struct leadership_event){ .type = LEADERSHIP_EV_TICK }, now_ms);
}

enum leader_news
leader_next(struct leader *l)
{
	enum leader_news first;

	if (l->nnews == 0)
		return LEADER_NOTHING;
	first = l->news[0];
	memmove(&l->news[0], &l->news[1], --l->nnews * sizeof(l->news[0]));
	return first;
}

bool
leader_active(const struct leader *l, int64_t now_ms)
{
	return leadership_active(l->machine, now_ms);
}

void
leader_publish(struct leader *l, const struct wan_content *content, int64_t now_ms)
{
	l->content = *content;
	l->content_number++;
	step(l,
	     &(struct leadership_event){ .type = LEADERSHIP_EV_CONTENT,
					 .content = l->content_number },
	     now_ms);
}

const struct wan_content *
leader_stored(const struct leader *l)
{
	return &l->stored;
}

const struct api_fence *
leader_fence(const struct leader *l)
{
	return &l->fence;
}

void
leader_hint(struct leader *l, int64_t now_ms)
{
	step(l, &(struct leadership_event){ .type = LEADERSHIP_EV_HINT }, now_ms);
}

void
leader_heard_release(struct leader *l, int64_t term, int64_t now_ms)
{
	step(l, &(struct leadership_event){ .type = LEADERSHIP_EV_RELEASED, .term = term }, now_ms);
}

void
leader_set_followers(struct leader *l, unsigned followers, int64_t now_ms)
{
	step(l,
	     &(struct leadership_event){ .type = LEADERSHIP_EV_FOLLOWERS, .followers = followers },
	     now_ms);
}

void
leader_stop(struct leader *l, int64_t now_ms)
{
	step(l, &(struct leadership_event){ .type = LEADERSHIP_EV_STOP }, now_ms);
}

enum leadership_role
leader_role(const struct leader *l)
{
	return leadership_role(l->machine);
}

int64_t
leader_term(const struct leader *l)
{
	return leadership_term(l->machine);
}

const char *
leader_holder(const struct leader *l)
{
	return leadership_holder(l->machine);
}

const char *
leader_reason(const struct leader *l)
{
	return l->trouble[0] != '\0' ? l->trouble : leadership_reason(l->machine);
}

bool
leader_another_leads(const struct leader *l)
{
	return l->trouble[0] == '\0' && leadership_another_leads(l->machine);
}

uint64_t
leader_requests(const struct leader *l)
{
	return l->requests;
}
