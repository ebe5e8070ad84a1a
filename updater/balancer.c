#include "updater/balancer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/message.h"
#include "ipc/text.h"

#define SERVICE "esddns-service"
/* Every pod asks, from the API server's cache: so seldom, and spread. */
#define EVERY_MS (5 * 60 * 1000)
#define SOON_MS 10000
#define TIMEOUT_MS 10000
/* A Service has one address, or one for each family; a host's name in some clouds. */
#define INGRESS_MAX 4

struct balancer {
	struct kube *kube;
	struct kube_call *call;
	int64_t due_ms;
	bool wanted; /* the Service's type is LoadBalancer */
	char addresses[MSG_PLACE_MAX];
};

static int64_t
spread(int64_t most_ms)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = 0;
	return n % most_ms;
}

struct balancer *
balancer_new(struct kube *kube)
{
	struct balancer *b = mem_new(1, sizeof(*b));

	b->kube = kube;
	b->due_ms = clock_now() + spread(SOON_MS);
	return b;
}

void
balancer_free(struct balancer *b)
{
	if (b == NULL)
		return;
	kube_cancel(b->call);
	free(b);
}

/* Service.status.loadBalancer.ingress, core/v1. */
static void
read_ingress(const cJSON *service, char out[MSG_PLACE_MAX])
{
	const cJSON *list =
		json_array(json_object(json_object(service, "status"), "loadBalancer"), "ingress");
	struct buf b = BUF_INIT;
	const cJSON *item;
	int n = 0;

	cJSON_ArrayForEach(item, list)
	{
		const char *ip = json_text(item, "ip"), *name = json_text(item, "hostname");
		char clean[MSG_PLACE_MAX];

		if ((ip == NULL && name == NULL) || n == INGRESS_MAX)
			continue;
		text_clean(clean, sizeof(clean), ip != NULL ? ip : name);
		buf_printf(&b, "%s%s", n++ > 0 ? ", " : "", clean);
	}
	mem_copy_text(out, MSG_PLACE_MAX, buf_text(&b));
	buf_free(&b);
}

/* Service.spec.type, core/v1. */
static bool
wants_balancer(const cJSON *service)
{
	const char *type = json_text(json_object(service, "spec"), "type");

	return type != NULL && strcmp(type, "LoadBalancer") == 0;
}

static void
answered(void *arg, const struct kube_result *result)
{
	struct balancer *b = arg;

	b->call = NULL;
	b->due_ms = clock_now() + EVERY_MS + spread(EVERY_MS / 10);
	/* no such Service, or no right to read it: then there is nothing to show */
	if (result->outcome == API_OK) {
		b->wanted = wants_balancer(result->object);
		read_ingress(result->object, b->addresses);
	} else if (result->outcome == API_NOT_FOUND || result->outcome == API_DENIED) {
		b->wanted = false;
		b->addresses[0] = '\0';
	}
}

void
balancer_prepare(const struct balancer *b, struct pollset *set)
{
	if (b->call == NULL)
		pollset_wake_at(set, b->due_ms);
}

void
balancer_dispatch(struct balancer *b, int64_t now_ms)
{
	if (b->call != NULL || now_ms < b->due_ms)
		return;
	b->call = kube_start(b->kube,
			     &(struct kube_request){ .verb = KUBE_GET_CACHED,
						     .resource = KUBE_SERVICES,
						     .name = SERVICE,
						     .timeout_ms = TIMEOUT_MS },
			     answered, b);
}

const char *
balancer_addresses(const struct balancer *b)
{
	return b->addresses;
}

bool
balancer_pending(const struct balancer *b)
{
	return b->wanted && b->addresses[0] == '\0';
}
