#include "cluster/follower.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/follow.h"
#include "cluster/watcher.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "ipc/bus.h"
#include "ipc/peer.h"

/* Not in this process, and not as the ConfigMap says. */
#define NOT_YET INT64_MIN
/* Reads that messages from peers ask for are at least this far apart. */
#define HURRIED_READ_MS 1000
#define KEY_EVERY_MS 10000

struct follower {
	const struct cluster_config *config;
	struct kube *kube;
	struct metrics *metrics;
	struct watcher *watcher;
	struct follow follow;
	struct log_limit drops;

	cJSON *object; /* as last read; NULL: none */
	bool object_seen;
	bool object_news, news;
	struct api_fence fence;
	struct follow_past past;
	struct wan_content content;
	char trouble[MSG_REASON_MAX]; /* of what the ConfigMap holds */

	bool known;
	struct msg_wan wan;                        /* the newest */
	int64_t confirmed_ms[ADDRESS_FAMILY__MAX]; /* of wan, for its age */
	int64_t checked_ms[ADDRESS_FAMILY__MAX];
	int64_t stored_confirmed_at[ADDRESS_FAMILY__MAX]; /* of the ConfigMap: wall, as last read */
	int64_t stored_confirmed_ms[ADDRESS_FAMILY__MAX];

	struct peer_key key;
	char key_trouble[MSG_REASON_MAX];
	int64_t key_ms; /* not read again before, while there is none or one that does not open */
	struct peer_guard guard;
	struct bus_subscriber *peer; /* to the leader's publisher; NULL: there was none yet */
	char place[WAN_PUBLISHER_MAX];
	int64_t released;
	int64_t hurried_ms;
};

/* --- what is known ------------------------------------------------------------------------ */

static void
drop(struct follower *f, const char *reason, int64_t now_ms)
{
	metrics_add(f->metrics, METRIC_MESSAGES_DROPPED, 1, reason, NULL, NULL);
	if (!log_allowed(&f->drops, now_ms))
		return;
	log_warn("a message from a peer was dropped", LOG_S("reason", reason),
		 LOG_S("publisher", f->place), LOG_I("also_dropped", f->drops.suppressed));
	f->drops.suppressed = 0;
}

static int64_t
time_of_age(int64_t age_ms, int64_t now_ms)
{
	return age_ms < 0 ? NOT_YET : now_ms - age_ms;
}

static int64_t
age_of(int64_t at_ms, int64_t now_ms)
{
	return at_ms == NOT_YET ? -1 : now_ms - at_ms;
}

/* A message has ages; the ConfigMap has none, and what was seen to move is used. */
static void
take(struct follower *f, const struct msg_wan *wan, bool from_object, int64_t now_ms)
{
	f->wan = *wan;
	f->known = f->news = true;
	for (enum address_family a = ADDRESS_IPV4; a < ADDRESS_FAMILY__MAX; a++) {
		const struct msg_wan_family *w = msg_wan_family_const(wan, a);

		f->confirmed_ms[a] = from_object ? f->stored_confirmed_ms[a]
						 : time_of_age(w->confirmed_age_ms, now_ms);
		f->checked_ms[a] = from_object ? f->stored_confirmed_ms[a]
					       : time_of_age(w->checked_age_ms, now_ms);
	}
}

static enum follow_verdict
judge(struct follower *f, const struct msg_wan *wan, int64_t now_ms)
{
	enum follow_verdict verdict = follow_judge(&f->follow, wan, false);

	if (verdict == FOLLOW_NEW || verdict == FOLLOW_SAME)
		take(f, wan, false, now_ms);
	else if (verdict == FOLLOW_FOREIGN)
		follower_read_now(f, now_ms);
	return verdict;
}

void
follower_hear(struct follower *f, const struct msg_wan *wan, int64_t now_ms)
{
	judge(f, wan, now_ms);
}

void
follower_read_now(struct follower *f, int64_t now_ms)
{
	if (now_ms < f->hurried_ms + HURRIED_READ_MS)
		return;
	f->hurried_ms = now_ms;
	watcher_read_now(f->watcher, now_ms);
}

/* --- the leader's publisher ----------------------------------------------------------------- */

static bool
is_literal(const char *place)
{
	const char *colon = strrchr(place, ':'), *host = place + strlen("tcp://");
	char text[WAN_PUBLISHER_MAX];
	struct address address;
	size_t len;

	if (strncmp(place, "tcp://", strlen("tcp://")) != 0 || colon <= host ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
		return false;
	len = (size_t)(colon - host);
	if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	mem_copy_text(text, sizeof(text), host);
	text[len] = '\0';
	return address_parse_text(text, &address);
}

/* A Secret may come late, or be replaced: the file is read again when that may be so. */
static void
read_key(struct follower *f)
{
	const char *why = "", *file = f->config->key_file;

	if (file == NULL)
		return;
	if (peer_key_read(file, &f->key, &why)) {
		if (f->key_trouble[0] != '\0')
			log_info("the peer key can be read now");
		f->key_trouble[0] = '\0';
		return;
	}
	if (strcmp(why, f->key_trouble) == 0)
		return;
	if (f->key.len > 0)
		log_warn("the peer key stays what it was", LOG_S("reason", why));
	else
		log_warn("peers are not heard; the ConfigMap alone carries the news",
			 LOG_S("reason", why));
	mem_copy_text(f->key_trouble, sizeof(f->key_trouble), why);
}

/* Is there a leader to be heard, but no key yet to hear it with? */
static bool
lacks_key(const struct follower *f)
{
	return f->config->key_file != NULL && f->key.len == 0 && is_literal(f->content.publisher);
}

static void
follow_publisher(struct follower *f)
{
	const char *place = is_literal(f->content.publisher) ? f->content.publisher : "";

	if (strcmp(place, f->place) == 0)
		return;
	read_key(f);
	if (f->key.len == 0)
		place = "";
	mem_copy_text(f->place, sizeof(f->place), place);
	if (f->peer == NULL && place[0] == '\0')
		return;
	if (f->peer == NULL)
		f->peer = bus_subscriber_new_tcp();
	bus_subscriber_dial(f->peer, place[0] != '\0' ? place : NULL);
}

static void
take_release(struct follower *f, const struct msg_wan *wan)
{
	/* only of what is followed: an older leader's last word says nothing of this one */
	if (strcmp(wan->uid, f->follow.uid) == 0 && wan->epoch >= f->follow.epoch &&
	    wan->epoch > f->released)
		f->released = wan->epoch;
}

static void
hear_wan(struct follower *f, const struct msg_wan *wan, int64_t now_ms)
{
	enum follow_verdict verdict = judge(f, wan, now_ms);

	/* the ConfigMap's news and the publisher's cross each other: an old one is no warning */
	if (verdict == FOLLOW_OLD)
		metrics_add(f->metrics, METRIC_MESSAGES_DROPPED, 1, follow_verdict_name(verdict),
			    NULL, NULL);
	else if (verdict == FOLLOW_FOREIGN)
		drop(f, follow_verdict_name(verdict), now_ms);
}

static void
read_key_again(struct follower *f, int64_t now_ms)
{
	if (now_ms < f->key_ms)
		return;
	f->key_ms = now_ms + KEY_EVERY_MS;
	read_key(f);
}

static void
hear_peer(struct follower *f, int64_t now_ms)
{
	const char *text, *json, *reason;
	size_t len, json_len;
	struct msg *m;

	if (f->peer == NULL)
		return;
	bus_subscriber_tick(f->peer, now_ms);
	while ((text = bus_receive(f->peer, &len)) != NULL) {
		if (!peer_open(&f->guard, &f->key, text, len, &json, &json_len, &reason)) {
			drop(f, reason, now_ms);
			read_key_again(f, now_ms);
			continue;
		}
		if (msg_decode(json, json_len, &m, &reason) != 0) {
			drop(f, "malformed", now_ms);
			continue;
		}
		if (m->type != MSG_WAN)
			drop(f, "malformed", now_ms);
		else if (m->wan.holder[0] == '\0')
			take_release(f, &m->wan);
		else
			hear_wan(f, &m->wan, now_ms);
		msg_free(m);
	}
}

/* --- the ConfigMap ---------------------------------------------------------------------------- */

/*
 * How old a confirmation is: each that is seen to come is as old as its sight. For the
 * first one only the wall clocks can tell, which is good enough to be shown, and for
 * nothing else (updater/confirmation.h is for writes).
 */
static void
note_confirmations(struct follower *f, bool first, int64_t now_ms)
{
	int64_t wall = clock_wall();

	for (enum address_family a = ADDRESS_IPV4; a < ADDRESS_FAMILY__MAX; a++) {
		int64_t at = msg_wan_family_const(&f->content.wan, a)->confirmed_at;

		if (at > 0 && first)
			f->stored_confirmed_ms[a] = now_ms - (wall > at ? wall - at : 0);
		else if (at > 0 && at != f->stored_confirmed_at[a])
			f->stored_confirmed_ms[a] = now_ms;
		f->stored_confirmed_at[a] = at;
	}
}

static void
take_trouble(struct follower *f, const char *trouble)
{
	if (strcmp(trouble, f->trouble) == 0)
		return;
	if (trouble[0] != '\0')
		log_warn("the ConfigMap holds what cannot be used",
			 LOG_S("configmap", f->config->configmap), LOG_S("reason", trouble));
	mem_copy_text(f->trouble, sizeof(f->trouble), trouble);
}

static void
number_wan(struct follower *f)
{
	struct msg_wan *w = &f->content.wan;

	memcpy(w->uid, f->fence.uid, sizeof(w->uid));
	memcpy(w->holder, f->fence.holder, sizeof(w->holder));
	w->epoch = f->fence.epoch;
	w->sequence = f->fence.sequence;
}

static void
take_object(struct follower *f, const cJSON *object, int64_t now_ms)
{
	char trouble[MSG_REASON_MAX];
	enum follow_verdict verdict;
	bool first;

	cJSON_Delete(f->object);
	f->object = object != NULL ? cJSON_Duplicate(object, true) : NULL;
	f->object_news = true;
	if (object == NULL) {
		f->fence = (struct api_fence){ .epoch = 0 };
		return; /* what was known stays, and grows old */
	}
	wan_object_read(object, &f->fence, &f->content, trouble);
	follow_note_version(&f->past, f->fence.version);
	take_trouble(f, trouble);
	first = !f->object_seen || strcmp(f->follow.uid, f->fence.uid) != 0;
	note_confirmations(f, first, now_ms);
	f->object_seen = true;
	follow_publisher(f);
	if (f->fence.epoch == 0)
		return; /* claimed by nobody yet, or its epoch was edited: the leader repairs it */
	number_wan(f);
	verdict = follow_judge(&f->follow, &f->content.wan, true);
	if (verdict == FOLLOW_NEW)
		take(f, &f->content.wan, true, now_ms);
	else if (verdict == FOLLOW_SAME)
		f->news = true;
}

bool
follower_saw(struct follower *f, const cJSON *object, int64_t now_ms)
{
	const cJSON *metadata = json_object(object, "metadata");
	const char *uid = json_text(metadata, "uid");
	const char *version = json_text(metadata, "resourceVersion");

	if (uid == NULL || strcmp(uid, f->follow.uid) != 0) {
		follower_read_now(f, now_ms);
		return false;
	}
	/*
	 * The watch was faster. What it showed since holds what this answer does, and
	 * would not be shown again if it was forgotten now.
	 */
	if (version == NULL || !follow_is_past(&f->past, version))
		take_object(f, object, now_ms);
	return true;
}

static void
seen(void *arg, const cJSON *object)
{
	take_object(arg, object, clock_now());
}

/* --- the caller's side --------------------------------------------------------------------------
 */

struct follower *
follower_new(const struct cluster_config *config, struct kube *kube, struct metrics *metrics)
{
	struct follower *f = mem_new(1, sizeof(*f));

	f->config = config;
	f->kube = kube;
	f->metrics = metrics;
	f->drops = (struct log_limit){ .burst = 3, .interval_ms = 60000 };
	f->hurried_ms = -HURRIED_READ_MS;
	follow_init(&f->follow);
	for (enum address_family a = ADDRESS_IPV4; a < ADDRESS_FAMILY__MAX; a++)
		f->confirmed_ms[a] = f->checked_ms[a] = f->stored_confirmed_ms[a] = NOT_YET;
	if (config->key_file == NULL)
		log_info("without a peer key the ConfigMap alone carries the news");
	f->watcher = watcher_new(kube, KUBE_CONFIGMAPS, config->configmap, seen, f);
	return f;
}

void
follower_free(struct follower *f)
{
	if (f == NULL)
		return;
	watcher_free(f->watcher);
	bus_subscriber_free(f->peer);
	peer_key_clear(&f->key);
	cJSON_Delete(f->object);
	free(f);
}

void
follower_prepare(struct follower *f, struct pollset *set, int64_t now_ms)
{
	watcher_prepare(f->watcher, set);
	if (lacks_key(f))
		pollset_wake_at(set, f->key_ms);
	if (f->peer != NULL)
		bus_subscriber_prepare(f->peer, set, now_ms);
}

void
follower_dispatch(struct follower *f, const struct pollset *set, int64_t now_ms)
{
	(void)set;
	watcher_dispatch(f->watcher, now_ms);
	if (lacks_key(f) && now_ms >= f->key_ms) {
		f->key_ms = now_ms + KEY_EVERY_MS;
		follow_publisher(f);
	}
	hear_peer(f, now_ms);
}

bool
follower_take_news(struct follower *f)
{
	bool news = f->news;

	f->news = false;
	return news;
}

const struct msg_wan *
follower_wan(struct follower *f, int64_t now_ms)
{
	if (!f->known)
		return NULL;
	for (enum address_family a = ADDRESS_IPV4; a < ADDRESS_FAMILY__MAX; a++) {
		struct msg_wan_family *w = msg_wan_family(&f->wan, a);

		w->confirmed_age_ms = age_of(f->confirmed_ms[a], now_ms);
		w->checked_age_ms = age_of(f->checked_ms[a], now_ms);
	}
	return &f->wan;
}

bool
follower_take_object(struct follower *f)
{
	bool news = f->object_news;

	f->object_news = false;
	return news;
}

const cJSON *
follower_object(const struct follower *f)
{
	return f->object;
}

const struct api_fence *
follower_fence(const struct follower *f)
{
	return &f->fence;
}

int64_t
follower_confirmed_at(const struct follower *f, enum address_family family)
{
	return f->stored_confirmed_at[family];
}

const struct address *
follower_address(const struct follower *f, enum address_family family)
{
	return &msg_wan_family_const(&f->content.wan, family)->address;
}

bool
follower_current(const struct follower *f)
{
	return f->object != NULL && watcher_current(f->watcher);
}

unsigned
follower_followers(const struct follower *f)
{
	return f->content.followers;
}

void
follower_describe(const struct follower *f, struct msg_cluster *out)
{
	const char *trouble = kube_trouble(f->kube);

	out->followers = f->content.followers;
	out->connected = f->peer != NULL && bus_connected(f->peer);
	out->current = watcher_current(f->watcher);
	out->released = f->released;
	mem_copy_text(out->publisher, sizeof(out->publisher), f->place);
	if (trouble[0] == '\0')
		trouble = watcher_trouble(f->watcher);
	mem_copy_text(out->reason, sizeof(out->reason), trouble[0] != '\0' ? trouble : f->trouble);
}
