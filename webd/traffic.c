#include "webd/traffic.h"

#include <string.h>

static const char *const method_names[WEBD_METHOD__MAX] = {
	[WEBD_GET] = "GET",
	[WEBD_HEAD] = "HEAD",
	[WEBD_OTHER_METHOD] = "other",
};

static const char *const paths[WEBD_PATH__MAX] = {
	[WEBD_PATH_PAGE] = "/",
	[WEBD_PATH_RAW] = "/raw",
	[WEBD_PATH_STATE] = "/api/v1/state",
	[WEBD_PATH_EVENTS] = "/events",
	[WEBD_PATH_METRICS] = "/metrics",
	[WEBD_PATH_HEALTHZ] = "/healthz",
	[WEBD_PATH_READYZ] = "/readyz",
	[WEBD_PATH_STYLE] = "/style.css",
	[WEBD_PATH_SCRIPT] = "/page.js",
	[WEBD_PATH_ICON] = "/icon.svg",
	[WEBD_PATH_OTHER] = "other",
};

static const struct {
	unsigned code;
	const char *label;
} statuses[WEBD_STATUS__MAX] = {
	[WEBD_200] = { 200, "200" }, [WEBD_404] = { 404, "404" }, [WEBD_405] = { 405, "405" },
	[WEBD_413] = { 413, "413" }, [WEBD_503] = { 503, "503" },
};

enum webd_method
webd_method_of(const char *name)
{
	for (int i = 0; i < WEBD_OTHER_METHOD; i++)
		if (strcmp(method_names[i], name) == 0)
			return (enum webd_method)i;
	return WEBD_OTHER_METHOD;
}

enum webd_path
webd_path_of(const char *path)
{
	for (int i = 0; i < WEBD_PATH_OTHER; i++)
		if (strcmp(paths[i], path) == 0)
			return (enum webd_path)i;
	return WEBD_PATH_OTHER;
}

unsigned
webd_status_code(enum webd_status status)
{
	return statuses[status].code;
}

void
webd_traffic_add(struct webd_traffic *t, enum webd_method method, enum webd_path path,
		 enum webd_status status, double seconds)
{
	const struct metric_family *f = metric_family(METRIC_ENDPOINT_DURATION);

	t->requests[method][path][status]++;
	t->durations[method][path].count++;
	t->durations[method][path].sum += seconds;
	for (size_t i = 0; i < f->nbuckets; i++) {
		if (seconds <= f->buckets[i]) {
			t->durations[method][path].buckets[i]++;
			break;
		}
	}
}

static void
export_path(const struct webd_traffic *t, enum webd_method method, enum webd_path path,
	    struct metrics *m)
{
	const char *labels[] = { method_names[method], paths[path], NULL };
	struct metric_sample *sample;

	for (int i = 0; i < WEBD_STATUS__MAX; i++) {
		uint64_t n = t->requests[method][path][i];

		if (n > 0 || (method == WEBD_GET && i == WEBD_200 && path != WEBD_PATH_OTHER))
			metrics_add(m, METRIC_ENDPOINT_REQUESTS, (double)n, labels[0], labels[1],
				    statuses[i].label);
	}
	if (t->durations[method][path].count == 0 && method != WEBD_GET)
		return;
	sample = metrics_sample(m, METRIC_ENDPOINT_DURATION, labels);
	if (sample == NULL)
		return;
	sample->value = t->durations[method][path].sum;
	sample->count = t->durations[method][path].count;
	for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++)
		sample->buckets[i] = t->durations[method][path].buckets[i];
}

void
webd_traffic_export(const struct webd_traffic *t, struct metrics *m)
{
	for (int method = 0; method < WEBD_METHOD__MAX; method++)
		for (int path = 0; path < WEBD_PATH__MAX; path++)
			export_path(t, (enum webd_method)method, (enum webd_path)path, m);
}
