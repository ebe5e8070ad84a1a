#include "detector/lead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/events.h"
#include "cluster/watcher.h"
#include "common/address.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "ipc/bus.h"
#include "ipc/message.h"
#include "ipc/peer.h"

/* Pods that may listen to the leader; the ConfigMap serves all the others. */
#define PEERS_MAX 2048
/* A Secret may come late, or be replaced. */
#define KEY_EVERY_MS 10000

struct lead {
	const struct cluster_config *config;
	struct metrics *metrics;
	struct kube *kube;
	struct leader *leader;
	char identity[MSG_HOLDER_MAX];

	struct bus_publisher *peers; /* since it led first, and there was a key; else NULL */
	struct peer_key key;
	int64_t key_ms;   /* when the key is read again; CLOCK_NEVER while this pod does not lead */
	bool opened;      /* by a key that came later */
	uint64_t counter; /* of what was sealed */
	char place[WAN_PUBLISHER_MAX];
	char trouble[MSG_REASON_MAX]; /* of the peers */

	struct events *events;
	struct watcher *node; /* while it leads, and knows its Node; else NULL */
	char *node_state;     /* what of the Node may matter; NULL: not seen yet */
	bool node_changed;

	struct bus_subscriber *updater; /* of this pod: it sees what the leader does */
	struct msg_cluster seen;
	int64_t released; /* the epoch whose release was told to the election last */
	uint64_t counted; /* requests that the metric has */
};

/* --- the peers --------------------------------------------------------------------------- */

static const char *
place_of(const char *host, uint16_t port, char *out, size_t size)
{
	snprintf(out, size, strchr(host, ':') != NULL ? "tcp://[%s]:%u" : "tcp://%s:%u", host,
		 port);
	return out;
}

static void
set_trouble(struct lead *l, const char *sentence)
{
	if (strcmp(l->trouble, sentence) != 0)
		log_warn("peers are not told; they follow the ConfigMap alone",
			 LOG_S("reason", sentence));
	mem_copy_text(l->trouble, sizeof(l->trouble), sentence);
}

static void
open_peers(struct lead *l)
{
	char url[WAN_PUBLISHER_MAX];
	struct address address;
	const char *why;

	if (l->config->key_file == NULL) {
		set_trouble(l, "there is no peer key (cluster.peers.key_file)");
		return;
	}
	if (l->config->advertise == NULL || !address_parse_text(l->config->advertise, &address)) {
		set_trouble(l, "no address is known that peers reach this pod at: set "
			       "cluster.peers.advertise or POD_IP to it");
		return;
	}
	/* the old key stays in force while a new one is away */
	if (!peer_key_read(l->config->key_file, &l->key, &why) && l->key.len == 0) {
		set_trouble(l, why);
		return;
	}
	place_of(l->config->peers_host, l->config->peers_port, url, sizeof(url));
	if (l->peers == NULL)
		l->peers = bus_publisher_new_tcp(url, PEERS_MAX, &why);
	if (l->peers == NULL) {
		set_trouble(l, why);
		return;
	}
	l->trouble[0] = '\0';
	place_of(l->config->advertise, l->config->peers_port, l->place, sizeof(l->place));
}

/* Without the name of a file nothing can come. */
static void
begin_peers(struct lead *l, int64_t now_ms)
{
	l->key_ms = l->config->key_file != NULL ? now_ms + KEY_EVERY_MS : CLOCK_NEVER;
	open_peers(l);
}

static void
end_peers(struct lead *l)
{
	l->key_ms = CLOCK_NEVER;
	l->place[0] = '\0';
	l->opened = false;
}

static void
open_peers_later(struct lead *l, int64_t now_ms)
{
	bool closed = l->place[0] == '\0';

	if (now_ms < l->key_ms)
		return;
	l->key_ms = now_ms + KEY_EVERY_MS;
	open_peers(l);
	if (!closed || l->place[0] == '\0')
		return;
	log_info("peers are told from now on", LOG_S("publisher", l->place));
	l->opened = true;
}

bool
lead_take_opened(struct lead *l)
{
	bool opened = l->opened;

	l->opened = false;
	return opened;
}

void
lead_tell_peers(struct lead *l, const char *json)
{
	size_t len;
	char *sealed;

	if (l->peers == NULL || l->key.len == 0)
		return;
	sealed = peer_seal(&l->key, l->identity, ++l->counter, json, &len);
	bus_publish_bytes(l->peers, sealed, len);
	free(sealed);
}

const char *
lead_publisher(const struct lead *l)
{
	return l->place;
}

unsigned
lead_followers(const struct lead *l)
{
	return l->peers != NULL ? bus_subscribers(l->peers) : 0;
}

/* --- what the updater of this pod sees ----------------------------------------------------- */

static void
take_seen(struct lead *l, const struct msg_cluster *c, int64_t now_ms)
{
	bool broke = l->seen.connected && !c->connected, overdue = !l->seen.overdue && c->overdue;

	if (c->followers != l->seen.followers)
		leader_set_followers(l->leader, c->followers, now_ms);
	l->seen = *c;
	if (c->released > l->released) {
		l->released = c->released;
		leader_heard_release(l->leader, c->released, now_ms);
	} else if (broke || overdue) {
		leader_hint(l->leader, now_ms);
	}
}

static void
hear_updater(struct lead *l, int64_t now_ms)
{
	const char *text, *why;
	struct msg *m;
	size_t len;

	bus_subscriber_tick(l->updater, now_ms);
	while ((text = bus_receive(l->updater, &len)) != NULL) {
		if (msg_decode(text, len, &m, &why) != 0) {
			metrics_add(l->metrics, METRIC_MESSAGES_DROPPED, 1, "malformed", NULL,
				    NULL);
			continue;
		}
		if (m->type == MSG_CLUSTER)
			take_seen(l, &m->cluster, now_ms);
		msg_free(m);
	}
}

/* --- the Node, and Events ---------------------------------------------------------------- */

/* Its addresses, and whether it is ready (core/v1, NodeStatus). */
static char *
node_state(const cJSON *node)
{
	const cJSON *status = json_object(node, "status"), *item;
	struct buf b = BUF_INIT;

	cJSON_ArrayForEach(item, json_array(status, "addresses"))
	{
		const char *type = json_text(item, "type"), *address = json_text(item, "address");

		if (type != NULL && address != NULL)
			buf_printf(&b, "%.40s=%.80s ", type, address);
	}
	cJSON_ArrayForEach(item, json_array(status, "conditions"))
	{
		const char *type = json_text(item, "type"), *is = json_text(item, "status");

		if (type != NULL && is != NULL && strcmp(type, "Ready") == 0)
			buf_printf(&b, "Ready=%.10s", is);
	}
	return buf_take(&b);
}

static void
see_node(void *arg, const cJSON *node)
{
	struct lead *l = arg;
	char *state = node_state(node);

	if (l->node_state != NULL && strcmp(state, l->node_state) != 0) {
		log_info("the Node has changed", LOG_S("node", l->config->node_name),
			 LOG_S("state", state));
		l->node_changed = true;
	}
	free(l->node_state);
	l->node_state = state;
}

static void
watch_node(struct lead *l, bool watch)
{
	watcher_free(l->node);
	free(l->node_state);
	l->node_state = NULL;
	l->node = watch && l->config->node_name != NULL
			  ? watcher_new(l->kube, KUBE_NODES, l->config->node_name, see_node, l)
			  : NULL;
}

bool
lead_take_node_change(struct lead *l)
{
	bool changed = l->node_changed;

	l->node_changed = false;
	return changed;
}

void
lead_tell_change(struct lead *l, const struct address *before, const struct address *now,
		 int64_t now_ms)
{
	char was[ADDRESS_TEXT_MAX], is[ADDRESS_TEXT_MAX], note[256];

	address_format(before, was, sizeof(was));
	snprintf(note, sizeof(note),
		 was[0] != '\0' ? "The WAN address is %s, it was %s." : "The WAN address is %s.",
		 address_format(now, is, sizeof(is)), was);
	events_tell(l->events, false, "AddressChanged", "Detecting", note, now_ms);
}

static void
tell_lead(struct lead *l, bool began, int64_t now_ms)
{
	char note[256];

	if (began)
		log_info("this pod leads now", LOG_I("term", leader_term(l->leader)));
	else
		log_info("this pod leads no more", LOG_S("reason", leader_reason(l->leader)));
	snprintf(
		note, sizeof(note),
		began ? "This pod leads now (term %lld): it finds the WAN address and publishes it."
		      : "This pod leads no more.",
		(long long)leader_term(l->leader));
	events_tell(l->events, false, began ? "LeaderElected" : "LeaderStopped", "Electing", note,
		    now_ms);
}

/* --- the loop's side ------------------------------------------------------------------------ */

struct lead *
lead_open(const struct cluster_config *config, struct http *http, struct metrics *metrics,
	  const char *runtime_dir)
{
	struct lead *l = mem_new(1, sizeof(*l));
	struct leadership_config machine = { .duration_ms = config->duration_ms,
					     .renew_deadline_ms = config->renew_deadline_ms,
					     .retry_period_ms = config->retry_period_ms };

	l->config = config;
	l->metrics = metrics;
	l->key_ms = CLOCK_NEVER;
	cluster_identity(config, l->identity);
	mem_copy_text(machine.identity, sizeof(machine.identity), l->identity);
	mem_copy_text(machine.lease_name, sizeof(machine.lease_name), config->lease);
	mem_copy_text(machine.configmap_name, sizeof(machine.configmap_name), config->configmap);
	l->kube = kube_new(http, config->access);
	l->leader = leader_new(l->kube, &machine, config->lease, config->configmap);
	l->events = events_new(config, l->kube, "esddns-detector");
	l->updater = bus_subscriber_new(runtime_dir, "updater");
	return l;
}

void
lead_close(struct lead *l)
{
	if (l == NULL)
		return;
	bus_publisher_free(l->peers);
	peer_key_clear(&l->key);
	watch_node(l, false);
	events_free(l->events);
	leader_free(l->leader);
	kube_free(l->kube);
	bus_subscriber_free(l->updater);
	free(l);
}

static void
count(struct lead *l)
{
	uint64_t all = leader_requests(l->leader);

	if (all != l->counted)
		metrics_add(l->metrics, METRIC_API_REQUESTS, (double)(all - l->counted), "detector",
			    NULL, NULL);
	l->counted = all;
}

void
lead_prepare(struct lead *l, struct pollset *set, int64_t now_ms)
{
	leader_prepare(l->leader, set);
	if (l->node != NULL)
		watcher_prepare(l->node, set);
	pollset_wake_at(set, kube_next_deadline(l->kube));
	pollset_wake_at(set, l->key_ms);
	bus_subscriber_prepare(l->updater, set, now_ms);
	if (l->peers != NULL)
		bus_publisher_prepare(l->peers, set, now_ms);
}

bool
lead_dispatch(struct lead *l, const struct pollset *set, int64_t now_ms)
{
	kube_tick(l->kube, now_ms);
	hear_updater(l, now_ms);
	leader_dispatch(l->leader, now_ms);
	open_peers_later(l, now_ms);
	if (l->node != NULL)
		watcher_dispatch(l->node, now_ms);
	count(l);
	return l->peers != NULL && bus_due(l->peers, set, now_ms);
}

enum leader_news
lead_next(struct lead *l, int64_t now_ms)
{
	enum leader_news news = leader_next(l->leader);

	if (news == LEADER_BEGAN)
		begin_peers(l, now_ms);
	if (news == LEADER_ENDED)
		end_peers(l);
	if (news == LEADER_BEGAN)
		metrics_add(l->metrics, METRIC_LEADER_CHANGES, 1, NULL, NULL, NULL);
	if (news == LEADER_BEGAN || news == LEADER_ENDED) {
		watch_node(l, news == LEADER_BEGAN);
		tell_lead(l, news == LEADER_BEGAN, now_ms);
	}
	return news;
}

struct leader *
lead_leader(struct lead *l)
{
	return l->leader;
}

const struct leader *
lead_leader_const(const struct lead *l)
{
	return l->leader;
}

const char *
lead_reason(const struct lead *l)
{
	const char *reason = kube_trouble(l->kube);

	if (reason[0] == '\0')
		reason = leader_reason(l->leader);
	return reason[0] != '\0' || l->peers != NULL || leader_role(l->leader) != LEADERSHIP_LEADING
		       ? reason
		       : l->trouble;
}

const char *
lead_trouble(const struct lead *l)
{
	bool fine = kube_trouble(l->kube)[0] == '\0' && leader_another_leads(l->leader);

	return fine ? "" : lead_reason(l);
}
