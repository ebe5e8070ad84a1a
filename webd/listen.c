#include "webd/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 511

static char trouble[512];

/* What someone can do about it; "" where the error's own words must do. */
static const char *
remedy(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there already (ss -ltnp shows which): stop it or "
		       "change ";
	case EACCES:
	case EPERM:
		return "ports below 1024 need a privilege that ESDDNS does without: use a higher "
		       "one in ";
	case EADDRNOTAVAIL:
		return "this machine has no such address: correct ";
	case EAFNOSUPPORT:
		return "this machine has no such kind of address: correct ";
	default:
		return "";
	}
}

static int
explain(const struct webd_endpoint *e, const char *setting, int error)
{
	const char *what = remedy(error);

	if (what[0] != '\0')
		snprintf(trouble, sizeof(trouble), "cannot listen on %s port %u: %s%s", e->host,
			 e->port, what, setting);
	else
		snprintf(trouble, sizeof(trouble), "cannot listen on %s port %u (%s): %s", e->host,
			 e->port, setting, strerror(error));
	return -1;
}

static socklen_t
fill_address(const struct webd_endpoint *e, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct address a;

	memset(out, 0, sizeof(*out));
	/* the configuration was read with the same parser: it cannot fail */
	if (!address_parse_text(e->host, &a))
		return 0;
	if (a.family == ADDRESS_IPV6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		memcpy(&in6->sin6_addr, a.bytes, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(e->port);
	memcpy(&in->sin_addr, a.bytes, 4);
	return sizeof(*in);
}

static int
open_one(struct listener *l, const char *setting)
{
	struct sockaddr_storage address;
	socklen_t len = fill_address(&l->endpoint, &address);
	int on = 1, v6only = l->v6only, error;

	l->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return explain(&l->endpoint, setting, errno);
	if (setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (address.ss_family != AF_INET6 ||
	     setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == 0) &&
	    bind(l->fd, (struct sockaddr *)&address, len) == 0 && listen(l->fd, BACKLOG) == 0)
		return 0;
	error = errno;
	close(l->fd);
	l->fd = -1;
	return explain(&l->endpoint, setting, error);
}

static bool
same(const struct listener *a, const struct listener *b)
{
	return a->endpoint.port == b->endpoint.port && a->v6only == b->v6only &&
	       strcmp(a->endpoint.host, b->endpoint.host) == 0;
}

static struct listener *
find(struct listeners *l, const struct listener *like)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (l->list[i].fd >= 0 && same(&l->list[i], like))
			return &l->list[i];
	return NULL;
}

static bool
has_ipv4(const struct webd_endpoint *list, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].port == port && strchr(list[i].host, ':') == NULL)
			return true;
	return false;
}

/* Of both lists: a socket for "::" that takes IPv4 is in the way of any other with its port. */
static bool
needs_v6only(const struct webd_endpoint *e, const struct webd_config *config)
{
	return strcmp(e->host, "::") != 0 || has_ipv4(config->listen, config->nlisten, e->port) ||
	       has_ipv4(config->metrics, config->nmetrics, e->port);
}

int
listeners_open(struct listeners *l, struct listeners *old, const struct webd_config *config,
	       bool metrics, const char **why)
{
	const struct webd_endpoint *endpoints = metrics ? config->metrics : config->listen;
	const char *setting = metrics ? "webd.metrics" : "webd.listen";
	size_t n = metrics ? config->nmetrics : config->nlisten;
	struct listener *kept[WEBD_ENDPOINTS_MAX] = { NULL };

	*l = (struct listeners){ .n = 0 };
	for (size_t i = 0; i < n; i++) {
		struct listener *new = &l->list[i];

		*new = (struct listener){ .endpoint = endpoints[i], .fd = -1 };
		new->v6only = needs_v6only(&endpoints[i], config);
		kept[i] = find(old, new);
		l->n++;
		if (kept[i] == NULL && open_one(new, setting) != 0) {
			*why = trouble;
			listeners_close(l);
			return -1;
		}
	}
	/* only now that all are there: until here old can go on */
	for (size_t i = 0; i < n; i++) {
		if (kept[i] == NULL)
			continue;
		l->list[i].fd = kept[i]->fd;
		kept[i]->fd = -1;
	}
	return 0;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].fd >= 0)
			close(l->list[i].fd);
	l->n = 0;
}
