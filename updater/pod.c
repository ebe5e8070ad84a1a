#include "updater/pod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/events.h"
#include "cluster/follower.h"
#include "cluster/kube.h"
#include "common/clock.h"
#include "common/mem.h"
#include "updater/balancer.h"
#include "updater/record.h"

struct pod {
	struct metrics *metrics;
	struct records *records;
	struct kube *kube;
	struct follower *follower;
	struct writers *writers;
	struct balancer *balancer;
	struct events *events;
	struct msg_cluster told; /* as published last */
	bool news;               /* of the address, to be published */
	uint64_t counted;        /* requests of the writers that the metric has */
};

/* Tell the plans, whoever brought the news. */
static void
take_news(void *arg)
{
	struct pod *p = arg;
	int64_t now_ms = clock_now();

	if (!follower_take_news(p->follower))
		return;
	p->news = true;
	records_news(p->records, follower_wan(p->follower, now_ms), now_ms);
}

struct pod *
pod_new(const struct cluster_config *config, struct http *http, struct metrics *metrics,
	struct records *records)
{
	struct pod *p = mem_new(1, sizeof(*p));

	p->metrics = metrics;
	p->records = records;
	p->kube = kube_new(http, config->access);
	p->follower = follower_new(config, p->kube, metrics);
	p->writers = writers_new(config, p->kube, p->follower, &records_hooks, records);
	p->balancer = balancer_new(p->kube);
	p->events = events_new(config, p->kube, "esddns-updater");
	records_join(records, p->writers, p->events, take_news, p);
	return p;
}

void
pod_free(struct pod *p)
{
	if (p == NULL)
		return;
	events_free(p->events);
	balancer_free(p->balancer);
	writers_free(p->writers);
	follower_free(p->follower);
	kube_free(p->kube);
	free(p);
}

void
pod_prepare(struct pod *p, struct pollset *set, int64_t now_ms)
{
	pollset_wake_at(set, kube_next_deadline(p->kube));
	follower_prepare(p->follower, set, now_ms);
	writers_prepare(p->writers, set);
	balancer_prepare(p->balancer, set);
}

static void
count(struct pod *p)
{
	uint64_t all = writers_requests(p->writers);

	if (all != p->counted)
		metrics_add(p->metrics, METRIC_API_REQUESTS, (double)(all - p->counted), "updater",
			    NULL, NULL);
	p->counted = all;
}

void
pod_dispatch(struct pod *p, const struct pollset *set, int64_t now_ms)
{
	kube_tick(p->kube, now_ms);
	follower_dispatch(p->follower, set, now_ms);
	writers_dispatch(p->writers, now_ms);
	take_news(p); /* of a peer: without a look at the ConfigMap */
	balancer_dispatch(p->balancer, now_ms);
	count(p);
}

const struct msg_wan *
pod_wan(struct pod *p, int64_t now_ms)
{
	return follower_wan(p->follower, now_ms);
}

void
pod_hear(struct pod *p, const struct msg *m, int64_t now_ms)
{
	if (m->type == MSG_LEAD) {
		writers_hear_lead(p->writers, &m->lead, now_ms);
	} else if (m->type == MSG_WAN && m->wan.holder[0] != '\0') {
		follower_hear(p->follower, &m->wan, now_ms);
		writers_hear_wan(p->writers, &m->wan, now_ms);
	}
}

void
pod_lose_detector(struct pod *p, int64_t now_ms)
{
	writers_hear_lead(p->writers, NULL, now_ms);
}

void
pod_tell(struct pod *p, struct bus_publisher *publisher, bool due, int64_t now_ms)
{
	const struct msg_wan *wan = follower_wan(p->follower, now_ms);
	struct msg_cluster now = { .overdue = writers_overdue(p->writers, now_ms) };
	char *json;

	follower_describe(p->follower, &now);
	now.balancer_pending = balancer_pending(p->balancer);
	mem_copy_text(now.balancer, sizeof(now.balancer), balancer_addresses(p->balancer));
	if (due || memcmp(&now, &p->told, sizeof(now)) != 0) {
		p->told = now;
		json = msg_encode_cluster(&now);
		bus_publish(publisher, json);
		free(json);
	}
	if (wan != NULL && (due || p->news)) {
		json = msg_encode_wan(wan);
		bus_publish(publisher, json);
		free(json);
	}
	p->news = false;
}
