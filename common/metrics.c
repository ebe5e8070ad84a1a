#include "common/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define COUNTER(n, h, ...)                                                                         \
	{                                                                                          \
		.name = "esddns_" n, .help = h, .type = METRIC_COUNTER, __VA_ARGS__                \
	}
#define GAUGE(n, h, ...)                                                                           \
	{                                                                                          \
		.name = "esddns_" n, .help = h, .type = METRIC_GAUGE, __VA_ARGS__                  \
	}
#define HISTOGRAM(n, h, ...)                                                                       \
	{                                                                                          \
		.name = "esddns_" n, .help = h, .type = METRIC_HISTOGRAM, .unit = "seconds",       \
		__VA_ARGS__                                                                        \
	}
#define LABELS1(a) .nlabels = 1, .labels = { a }
#define LABELS2(a, b) .nlabels = 2, .labels = { a, b }
#define LABELS3(a, b, c) .nlabels = 3, .labels = { a, b, c }

static const struct metric_family families[METRIC__MAX] = {
	[METRIC_DNS_UPDATES] = COUNTER("dns_updates", "Records written at the provider.",
				       LABELS2("domain", "record_type")),
	[METRIC_DNS_UPDATE_FAILURES] =
		COUNTER("dns_update_failures", "Failed reads and writes at the provider.",
			LABELS3("domain", "record_type", "error_type")),
	[METRIC_DNS_UPDATE_DURATION] =
		HISTOGRAM("dns_update_duration_seconds",
			  "From the news of an address to the confirmed record.", LABELS1("domain"),
			  .nbuckets = 6, .buckets = { .5, 1, 2, 5, 10, 30 }),
	[METRIC_LAST_DNS_UPDATE] =
		GAUGE("last_dns_update_timestamp",
		      "When the record was written last, in Unix seconds.", LABELS1("domain")),
	[METRIC_LAST_DNS_CHECK] =
		GAUGE("last_dns_check_timestamp",
		      "When the record was read last at the provider, in Unix seconds; 0: never.",
		      LABELS2("domain", "record_type")),
	[METRIC_WAN_IP_CHANGES] =
		COUNTER("wan_ip_changes", "Changes of the published WAN address.", .nlabels = 0),
	[METRIC_WAN_IP_FAILURES] =
		COUNTER("wan_ip_discovery_failures", "Sources that gave no usable answer.",
			LABELS1("service")),
	[METRIC_WAN_IP_DURATION] = HISTOGRAM("wan_ip_discovery_duration_seconds",
					     "Duration of a round over all sources.", .nbuckets = 5,
					     .buckets = { .5, 1, 2, 5, 10 }),
	[METRIC_WAN_IP_DISAGREEMENTS] =
		COUNTER("wan_ip_disagreements", "Answers that the agreed address contradicts.",
			LABELS1("service")),
	[METRIC_WAN_IP_ANSWERS] =
		COUNTER("wan_ip_answers", "Answers with a usable address, right or wrong.",
			LABELS1("service")),
	[METRIC_WAN_IP_ERRORS] =
		COUNTER("wan_ip_errors", "Questions without a usable answer, by reason.",
			LABELS2("service", "reason")),
	[METRIC_WAN_IP_SOURCE_SECONDS] = COUNTER(
		"wan_ip_source_seconds", "Time that all answers and failures of a service took.",
		LABELS1("service"), .unit = "seconds"),
	[METRIC_WAN_IP_ROUNDS] =
		COUNTER("wan_ip_rounds", "Rounds by their outcome.", LABELS2("family", "verdict")),
	[METRIC_CURRENT_WAN_IP] =
		GAUGE("current_wan_ip_info", "The published WAN address; always 1.",
		      LABELS1("ip_address")),
	[METRIC_WAN_IP_DETECTED] =
		GAUGE("wan_ip_detected_timestamp",
		      "Since when the WAN address is this one, in Unix seconds; 0: none is known.",
		      LABELS1("family")),
	[METRIC_WAN_IP_CONFIRMED] =
		GAUGE("wan_ip_confirmed_timestamp",
		      "When a round agreed last on the WAN address, in Unix seconds; 0: never.",
		      LABELS1("family")),
	[METRIC_INTERVAL] = GAUGE("interval_seconds", "Configured time between two checks.",
				  LABELS1("component"), .unit = "seconds"),
	[METRIC_SERVICE_HEALTH] = GAUGE("service_health", "1 while the component does its work.",
					LABELS1("component")),
	[METRIC_STATE_POLL_TIMESTAMP] =
		GAUGE("state_poll_timestamp", "When the last round ended, in Unix seconds.",
		      .nlabels = 0),
	[METRIC_STATE_IN_SYNC] = GAUGE("state_in_sync", "1 while the record is known to be right.",
				       LABELS1("domain")),
	[METRIC_DNS_RECORD_MATCHES] =
		GAUGE("dns_record_ip_matches",
		      "1 while the record's value, as last read, is the published address.",
		      LABELS1("domain")),
	[METRIC_ENDPOINT_REQUESTS] =
		COUNTER("endpoint_requests", "HTTP requests that webd answered.",
			LABELS3("method", "endpoint", "status")),
	[METRIC_ENDPOINT_DURATION] =
		HISTOGRAM("endpoint_request_duration_seconds", "Duration of HTTP requests to webd.",
			  LABELS2("method", "endpoint"), .nbuckets = 6,
			  .buckets = { .01, .05, .1, .5, 1, 5 }),
	[METRIC_RECORD_ATTENTION] =
		GAUGE("record_needs_attention",
		      "1 while the record cannot be kept right without a person.",
		      LABELS2("domain", "record_type")),
	[METRIC_RECORD_ERROR] =
		GAUGE("record_error_info", "Why the record cannot be kept right now; always 1.",
		      LABELS3("domain", "record_type", "error_type")),
	[METRIC_UNIT_UP] = GAUGE("unit_up", "1 while the unit is active.", LABELS1("unit")),
	[METRIC_UNIT_STATE] = GAUGE("unit_state", "1 for the state that the unit is in.",
				    LABELS2("unit", "state")),
	[METRIC_UNIT_RESTARTS] =
		COUNTER("unit_restarts", "Automatic restarts of the unit.", LABELS1("unit")),
	[METRIC_UNIT_MEMORY] = GAUGE("unit_memory_bytes", "Resident memory of the unit's process.",
				     LABELS1("unit"), .unit = "bytes"),
	[METRIC_UNIT_CPU] =
		COUNTER("unit_cpu_seconds",
			"CPU time of the unit's processes since the supervisor's start.",
			LABELS1("unit"), .unit = "seconds"),
	[METRIC_MESSAGES_DROPPED] = COUNTER(
		"messages_dropped", "Messages of the bus that were refused.", LABELS1("reason")),
	[METRIC_LEADER] = GAUGE("leader", "1 while this instance leads and detects.", .nlabels = 0),
	[METRIC_LEADER_CHANGES] =
		COUNTER("leader_changes", "How often this instance began to lead.", .nlabels = 0),
	[METRIC_API_REQUESTS] = COUNTER("api_requests", "Requests to the Kubernetes API server.",
					LABELS1("component")),
	[METRIC_CONFIGMAP_WATCHED] =
		GAUGE("configmap_watched", "1 while the ConfigMap is watched.", .nlabels = 0),
	[METRIC_FOLLOWERS] = GAUGE(
		"followers", "Pods that listen to the leader, as it counts them.", .nlabels = 0),
	[METRIC_LOADBALANCER_IP] =
		GAUGE("loadbalancer_ip_info",
		      "An address of the load balancer in front of the cluster; always 1.",
		      LABELS1("ip_address")),
	[METRIC_LOADBALANCER_PENDING] =
		GAUGE("loadbalancer_pending",
		      "1 while the load balancer in front of the cluster has no address yet.",
		      .nlabels = 0),
	[METRIC_BUILD_INFO] =
		GAUGE("build_info", "The running version; always 1.", LABELS1("version")),
};

struct samples {
	struct metric_sample *at;
	size_t n;
};

struct metrics {
	struct samples of[METRIC__MAX];
};

const struct metric_family *
metric_family(enum metric id)
{
	return &families[id];
}

enum metric
metric_of(const char *name)
{
	for (int i = 0; i < METRIC__MAX; i++)
		if (strcmp(families[i].name, name) == 0)
			return (enum metric)i;
	return METRIC__MAX;
}

struct metrics *
metrics_new(void)
{
	return mem_new(1, sizeof(struct metrics));
}

void
metrics_clear(struct metrics *m, enum metric id)
{
	struct samples *s = &m->of[id];

	for (size_t i = 0; i < s->n; i++)
		for (size_t l = 0; l < METRIC_LABELS_MAX; l++)
			free(s->at[i].labels[l]);
	free(s->at);
	*s = (struct samples){ NULL, 0 };
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	for (int i = 0; i < METRIC__MAX; i++)
		metrics_clear(m, (enum metric)i);
	free(m);
}

static bool
has_labels(const struct metric_sample *s, size_t n, const char *const *labels)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s->labels[i], labels[i]) != 0)
			return false;
	return true;
}

struct metric_sample *
metrics_sample(struct metrics *m, enum metric id, const char *const *labels)
{
	char cut[METRIC_LABELS_MAX][METRIC_LABEL_TEXT_MAX];
	const char *texts[METRIC_LABELS_MAX];
	size_t nlabels = families[id].nlabels;
	struct samples *s = &m->of[id];
	struct metric_sample *sample;

	for (size_t i = 0; i < nlabels; i++) {
		mem_copy_text(cut[i], sizeof(cut[i]), labels[i] != NULL ? labels[i] : "");
		texts[i] = cut[i];
	}
	for (size_t i = 0; i < s->n; i++)
		if (has_labels(&s->at[i], nlabels, texts))
			return &s->at[i];
	if (s->n == METRIC_SAMPLES_MAX)
		return NULL;
	s->at = mem_grow(s->at, s->n + 1, sizeof(*s->at));
	sample = &s->at[s->n++];
	*sample = (struct metric_sample){ .value = 0 };
	for (size_t i = 0; i < nlabels; i++)
		sample->labels[i] = mem_strdup(texts[i]);
	return sample;
}

void
metrics_add(struct metrics *m, enum metric id, double delta, const char *l1, const char *l2,
	    const char *l3)
{
	struct metric_sample *s = metrics_sample(m, id, (const char *const[]){ l1, l2, l3 });

	if (s != NULL)
		s->value += delta;
}

void
metrics_set(struct metrics *m, enum metric id, double value, const char *l1, const char *l2,
	    const char *l3)
{
	struct metric_sample *s = metrics_sample(m, id, (const char *const[]){ l1, l2, l3 });

	if (s != NULL)
		s->value = value;
}

void
metrics_observe(struct metrics *m, enum metric id, double value, const char *l1, const char *l2,
		const char *l3)
{
	struct metric_sample *s = metrics_sample(m, id, (const char *const[]){ l1, l2, l3 });
	const struct metric_family *f = &families[id];
	size_t bucket = 0;

	if (s == NULL)
		return;
	s->value += value;
	s->count++;
	while (bucket < f->nbuckets && value > f->buckets[bucket])
		bucket++;
	if (bucket < f->nbuckets)
		s->buckets[bucket]++;
}

size_t
metrics_count(const struct metrics *m, enum metric id)
{
	return m->of[id].n;
}

const struct metric_sample *
metrics_at(const struct metrics *m, enum metric id, size_t index)
{
	return &m->of[id].at[index];
}
