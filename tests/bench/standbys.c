/*
 * standbys SERVER ACCOUNT N: the election's part of N + 1 pods in one process, of
 * which one comes to lead. It publishes N as the number of followers, and all learn
 * it from the ConfigMap, as in production. Each line of standard input is answered
 * with one line: milliseconds, how many stand by, how many lead, the number of
 * followers as the ConfigMap has it, the requests of all so far, of the leader's
 * those. Ends with standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/leader.h"
#include "cluster/watcher.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/resolve.h"
#include "tests/bench/crowd.h"

#define STANDBYS_MAX 2000

struct crowd {
	struct http *http;
	struct kube *kube;
	struct watcher *watcher;
	struct leader **pods;
	unsigned n, followers;
	bool changed; /* followers */
};

static void
see_object(void *arg, const cJSON *object)
{
	struct crowd *c = arg;
	struct wan_content content;
	struct api_fence fence;
	char trouble[MSG_REASON_MAX];

	if (object == NULL)
		return;
	wan_object_read(object, &fence, &content, trouble);
	c->changed = c->changed || content.followers != c->followers;
	c->followers = content.followers;
}

static void
new_pods(struct crowd *c)
{
	struct leadership_config config = { .duration_ms = 15000,
					    .renew_deadline_ms = 10000,
					    .retry_period_ms = 2000 };

	c->pods = mem_new(c->n, sizeof(*c->pods));
	for (unsigned i = 0; i < c->n; i++) {
		snprintf(config.identity, sizeof(config.identity), "node%u_%d", i, (int)getpid());
		c->pods[i] = leader_new(c->kube, &config, "esddns-leader", "esddns-wan-ip");
	}
}

/* What the detector's loop does with each pod, and what its publisher does with the news. */
static void
dispatch(struct crowd *c, int64_t now_ms)
{
	enum leader_news news;

	watcher_dispatch(c->watcher, now_ms);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->changed)
			leader_set_followers(c->pods[i], c->followers, now_ms);
		leader_dispatch(c->pods[i], now_ms);
		while ((news = leader_next(c->pods[i])) != LEADER_NOTHING)
			if (news == LEADER_BEGAN) {
				struct wan_content content = *leader_stored(c->pods[i]);

				content.followers = c->n - 1;
				leader_publish(c->pods[i], &content, now_ms);
			}
	}
	c->changed = false;
}

static void
report(const struct crowd *c, int64_t now_ms)
{
	unsigned standing = 0, leading = 0;
	uint64_t all = 0, leaders = 0;

	for (unsigned i = 0; i < c->n; i++) {
		enum leadership_role role = leader_role(c->pods[i]);

		standing += role == LEADERSHIP_STANDBY;
		leading += role == LEADERSHIP_LEADING;
		all += leader_requests(c->pods[i]);
		if (role != LEADERSHIP_STANDBY)
			leaders += leader_requests(c->pods[i]);
	}
	printf("%lld %u %u %u %llu %llu\n", (long long)now_ms, standing, leading, c->followers,
	       (unsigned long long)all, (unsigned long long)leaders);
	fflush(stdout);
}

static void
run(struct crowd *c)
{
	struct pollset set;

	for (;;) {
		pollset_reset(&set);
		pollset_add(&set, STDIN_FILENO, POLLIN);
		watcher_prepare(c->watcher, &set);
		for (unsigned i = 0; i < c->n; i++)
			leader_prepare(c->pods[i], &set);
		http_wait(c->http, &set);
		http_dispatch(c->http, &set);
		dispatch(c, clock_now());
		if (pollset_events(&set, STDIN_FILENO) == 0)
			continue;
		if (!crowd_asked_to_go_on())
			return;
		report(c, clock_now());
	}
}

int
main(int argc, char **argv)
{
	struct crowd c = { 0 };
	struct resolver *resolver;
	struct kube_access *access;

	if (argc != 4) {
		fputs("usage: standbys SERVER ACCOUNT N\n", stderr);
		return EXIT_FAILURE;
	}
	crowd_raise_limits();
	c.n = crowd_number(argv[3], STANDBYS_MAX) + 1;
	access = crowd_access(argv[1], argv[2]);
	resolver = resolver_new();
	c.http = http_new(resolver, "esddns-bench");
	c.kube = kube_new(c.http, access);
	c.watcher = watcher_new(c.kube, KUBE_CONFIGMAPS, "esddns-wan-ip", see_object, &c);
	new_pods(&c);
	run(&c);
	for (unsigned i = 0; i < c.n; i++)
		leader_free(c.pods[i]);
	free(c.pods);
	watcher_free(c.watcher);
	kube_free(c.kube);
	http_free(c.http);
	resolver_free(resolver);
	kube_access_free(access);
	return EXIT_SUCCESS;
}
