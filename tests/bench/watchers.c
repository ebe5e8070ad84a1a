/*
 * When the news of sequence n reaches each of many followers, with the product's own
 * code up to what it decodes:
 *
 *     watchers watch SERVER ACCOUNT N        N watches of the ConfigMap, a connection each
 *     watchers hear URL KEY_FILE N           N subscribers of a leader's publisher
 *     watchers publish URL KEY_FILE          that publisher; a line of standard input publishes
 *
 * The first two say "ready" once all are up to date, and at the end of standard input
 * "FOLLOWER SEQUENCE NANOSECONDS" for all that came. The third says "SUBSCRIBERS SEQUENCE
 * NANOSECONDS" when it sends (sequence 0: nothing was sent, only counted, for a line "?").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/wan_object.h"
#include "cluster/watcher.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/resolve.h"
#include "ipc/bus.h"
#include "ipc/peer.h"
#include "tests/bench/crowd.h"

/* Each subscriber has two descriptors in the loop. */
#define FOLLOWERS_MAX (POLLSET_MAX / 2 - 1)
#define SUBSCRIBERS_MAX 2048 /* as the detector's */

struct sight {
	unsigned follower;
	int64_t sequence, at_ns;
};

struct crowd;

struct follower {
	struct crowd *crowd;
	struct watcher *watcher;
	struct bus_subscriber *peer;
	struct peer_guard guard;
	int64_t sequence; /* seen last */
};

struct crowd {
	struct follower *followers;
	unsigned n;
	bool ready;
	struct sight *sights;
	size_t nsights;
};

static void
note(struct follower *f, int64_t sequence)
{
	struct crowd *c = f->crowd;

	if (sequence <= f->sequence)
		return;
	f->sequence = sequence;
	c->sights = mem_grow(c->sights, c->nsights + 1, sizeof(*c->sights));
	c->sights[c->nsights++] = (struct sight){ .follower = (unsigned)(f - c->followers),
						  .sequence = sequence,
						  .at_ns = crowd_now_ns() };
}

static void
new_followers(struct crowd *c, const char *n)
{
	c->n = crowd_number(n, FOLLOWERS_MAX);
	c->followers = mem_new(c->n, sizeof(*c->followers));
	for (unsigned i = 0; i < c->n; i++)
		c->followers[i].crowd = c;
}

static void
say_ready(struct crowd *c, bool all)
{
	if (c->ready || !all)
		return;
	c->ready = true;
	puts("ready");
	fflush(stdout);
}

static void
tell_sights(struct crowd *c)
{
	for (size_t i = 0; i < c->nsights; i++)
		printf("%u %lld %lld\n", c->sights[i].follower, (long long)c->sights[i].sequence,
		       (long long)c->sights[i].at_ns);
	free(c->sights);
	free(c->followers);
}

/* Has the bench asked for the end? */
static bool
is_over(const struct pollset *set)
{
	return pollset_events(set, STDIN_FILENO) != 0 && !crowd_asked_to_go_on();
}

/* --- watches ---------------------------------------------------------------------------- */

static void
see_object(void *arg, const cJSON *object)
{
	struct wan_content content;
	struct api_fence fence;
	char trouble[MSG_REASON_MAX];

	if (object == NULL)
		return;
	wan_object_read(object, &fence, &content, trouble);
	note(arg, fence.sequence);
}

static void
run_watches(struct crowd *c, struct http *http)
{
	struct pollset set;
	bool all;

	do {
		int64_t now_ms;

		pollset_reset(&set);
		pollset_add(&set, STDIN_FILENO, POLLIN);
		for (unsigned i = 0; i < c->n; i++)
			watcher_prepare(c->followers[i].watcher, &set);
		http_wait(http, &set);
		http_dispatch(http, &set);
		all = true;
		now_ms = clock_now();
		for (unsigned i = 0; i < c->n; i++) {
			watcher_dispatch(c->followers[i].watcher, now_ms);
			all = all && watcher_current(c->followers[i].watcher);
		}
		say_ready(c, all);
	} while (!is_over(&set));
}

static void
watch(struct crowd *c, const char *server, const char *account)
{
	struct kube_access *access = crowd_access(server, account);
	struct resolver *resolver = resolver_new();
	struct http *http = http_new(resolver, "esddns-bench");
	struct kube *kube = kube_new(http, access);

	for (unsigned i = 0; i < c->n; i++)
		c->followers[i].watcher = watcher_new(kube, KUBE_CONFIGMAPS, "esddns-wan-ip",
						      see_object, &c->followers[i]);
	run_watches(c, http);
	for (unsigned i = 0; i < c->n; i++)
		watcher_free(c->followers[i].watcher);
	kube_free(kube);
	http_free(http);
	resolver_free(resolver);
	kube_access_free(access);
}

/* --- peers ------------------------------------------------------------------------------- */

static struct peer_key
key_of(const char *file)
{
	struct peer_key key;
	const char *why;

	if (peer_key_read(file, &key, &why))
		return key;
	fprintf(stderr, "%s\n", why);
	exit(EXIT_FAILURE);
}

static void
hear_one(struct follower *f, const struct peer_key *key, int64_t now_ms)
{
	const char *text, *json, *reason;
	size_t len, json_len;
	struct msg *m;

	bus_subscriber_tick(f->peer, now_ms);
	while ((text = bus_receive(f->peer, &len)) != NULL) {
		if (!peer_open(&f->guard, key, text, len, &json, &json_len, &reason) ||
		    msg_decode(json, json_len, &m, &reason) != 0) {
			fprintf(stderr, "a message was dropped: %s\n", reason);
			continue;
		}
		note(f, m->wan.sequence);
		msg_free(m);
	}
}

static void
hear(struct crowd *c, const char *url, const struct peer_key *key)
{
	struct pollset set;
	bool all;

	for (unsigned i = 0; i < c->n; i++) {
		c->followers[i].peer = bus_subscriber_new_tcp();
		bus_subscriber_dial(c->followers[i].peer, url);
	}
	do {
		pollset_reset(&set);
		pollset_add(&set, STDIN_FILENO, POLLIN);
		for (unsigned i = 0; i < c->n; i++)
			bus_subscriber_prepare(c->followers[i].peer, &set, clock_now());
		pollset_wait(&set);
		all = true;
		for (unsigned i = 0; i < c->n; i++) {
			hear_one(&c->followers[i], key, clock_now());
			all = all && bus_connected(c->followers[i].peer);
		}
		say_ready(c, all);
	} while (!is_over(&set));
	for (unsigned i = 0; i < c->n; i++)
		bus_subscriber_free(c->followers[i].peer);
}

/* As the detector does it: encoded and sealed once, for all. */
static void
send_news(struct bus_publisher *p, const struct peer_key *key, struct msg_wan *wan)
{
	int64_t at_ns = crowd_now_ns();
	char *json, *sealed;
	size_t len;

	wan->sequence++;
	json = msg_encode_wan(wan);
	sealed = peer_seal(key, wan->holder, (uint64_t)wan->sequence, json, &len);
	bus_publish_bytes(p, sealed, len);
	free(sealed);
	free(json);
	printf("%u %lld %lld\n", bus_subscribers(p), (long long)wan->sequence, (long long)at_ns);
	fflush(stdout);
}

static int
publish(const char *url, const struct peer_key *key)
{
	struct msg_wan wan = { .uid = "bench", .epoch = 1, .holder = "node1_bench" };
	struct bus_publisher *p;
	const char *why;
	char line[16];

	p = bus_publisher_new_tcp(url, SUBSCRIBERS_MAX, &why);
	if (p == NULL) {
		fprintf(stderr, "%s\n", why);
		return EXIT_FAILURE;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (line[0] != '?') {
			send_news(p, key, &wan);
			continue;
		}
		printf("%u 0 0\n", bus_subscribers(p));
		fflush(stdout);
	}
	bus_publisher_free(p);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct crowd c = { 0 };
	struct peer_key key;

	crowd_raise_limits();
	if (argc == 4 && strcmp(argv[1], "publish") == 0) {
		key = key_of(argv[3]);
		return publish(argv[2], &key);
	}
	if (argc == 5 && strcmp(argv[1], "watch") == 0) {
		new_followers(&c, argv[4]);
		watch(&c, argv[2], argv[3]);
	} else if (argc == 5 && strcmp(argv[1], "hear") == 0) {
		key = key_of(argv[3]);
		new_followers(&c, argv[4]);
		hear(&c, argv[2], &key);
	} else {
		fputs("usage: watchers watch SERVER ACCOUNT N | hear URL KEY_FILE N | publish URL "
		      "KEY_FILE\n",
		      stderr);
		return EXIT_FAILURE;
	}
	tell_sights(&c);
	return EXIT_SUCCESS;
}
