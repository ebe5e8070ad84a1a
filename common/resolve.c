#include "common/resolve.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define SOCKETS_MAX 16
/* per server and try; a caller's deadline usually ends it sooner */
#define TRY_TIMEOUT_MS 1500
#define TRIES 3
#define FAILURES_UNTIL_RENEWAL 3

enum query_state {
	QUERY_ASKED,     /* c-ares will call back */
	QUERY_DONE,      /* the result waits for resolver_dispatch() */
	QUERY_TO_REPEAT, /* its channel was destroyed: ask again */
};

/* What c-ares calls back with: it cannot forget a single query, so the query may end first. */
struct flight {
	struct resolve_query *query; /* NULL: nobody waits any more */
};

struct resolve_query {
	struct resolver *resolver;
	struct resolve_query *next;
	enum query_state state;
	struct flight *flight; /* while asked */
	char *host;
	enum address_family family;
	int64_t deadline_ms;
	resolve_done *done;
	void *arg;
	struct resolve_result result;
};

struct resolver {
	ares_channel channel; /* NULL after a failed ares_init */
	struct resolve_query *queries;
	struct {
		int fd;
		short events;
	} sockets[SOCKETS_MAX];
	size_t nsockets;
	struct stat conf;  /* of resolv.conf when the channel was made; zero if there was none */
	unsigned failures; /* in a row */
};

/* c-ares says which of its descriptors it waits for. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	size_t i = 0;

	while (i < r->nsockets && r->sockets[i].fd != fd)
		i++;
	if (events == 0) {
		if (i < r->nsockets)
			r->sockets[i] = r->sockets[--r->nsockets];
		return;
	}
	if (i == SOCKETS_MAX)
		return; /* the query on it ends by its deadline */
	if (i == r->nsockets)
		r->nsockets++;
	r->sockets[i].fd = fd;
	r->sockets[i].events = events;
}

static void
read_conf_identity(struct stat *st)
{
	if (stat(RESOLV_CONF, st) != 0)
		*st = (struct stat){ .st_ino = 0 };
}

static bool
conf_changed(const struct resolver *r)
{
	struct stat st;

	read_conf_identity(&st);
	return st.st_ino != r->conf.st_ino || st.st_dev != r->conf.st_dev ||
	       st.st_mtim.tv_sec != r->conf.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != r->conf.st_mtim.tv_nsec || st.st_size != r->conf.st_size;
}

static void
make_channel(struct resolver *r)
{
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
		/*
		 * Names are what they are: with a search domain (Kubernetes puts three of them
		 * into each pod, and ndots:5) one that answers for everything would get what is
		 * meant for the source.
		 */
		.domains = NULL,
		.ndomains = 0,
	};
	int rc;

	read_conf_identity(&r->conf);
	r->failures = 0;
	rc = ares_init_options(&r->channel, &options,
			       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
				       ARES_OPT_DOMAINS);
	if (rc != ARES_SUCCESS) {
		log_error("names cannot be resolved: c-ares does not start",
			  LOG_S("error", ares_strerror(rc)));
		r->channel = NULL;
	}
}

struct resolver *
resolver_new(void)
{
	struct resolver *r = mem_new(1, sizeof(*r));

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		abort(); /* out of memory */
	make_channel(r);
	return r;
}

static void
unlink_query(struct resolver *r, struct resolve_query *q)
{
	struct resolve_query **at = &r->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
}

static void
leave_flight(struct resolve_query *q)
{
	if (q->flight != NULL)
		q->flight->query = NULL;
	q->flight = NULL;
}

static void
free_query(struct resolve_query *q)
{
	leave_flight(q);
	unlink_query(q->resolver, q);
	free(q->host);
	free(q);
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	while (r->queries != NULL)
		free_query(r->queries);
	if (r->channel != NULL)
		ares_destroy(r->channel); /* calls back, which frees what was in flight */
	ares_library_cleanup();
	free(r);
}

static const char *
phrase(int status, enum address_family family)
{
	switch (status) {
	case ARES_SUCCESS:
		return NULL;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		return family == ADDRESS_IPV4   ? "has no IPv4 address in DNS"
		       : family == ADDRESS_IPV6 ? "has no IPv6 address in DNS"
						: "has no address in DNS";
	case ARES_ECONNREFUSED:
		/* before 1.20, c-ares calls SERVFAIL and REFUSED of the last server so, too */
		return "could not be looked up: the name server refused or failed";
	case ARES_ESERVFAIL:
		return "could not be looked up: the name server failed (SERVFAIL)";
	case ARES_EREFUSED:
		return "could not be looked up: the name server refused (REFUSED)";
	case ARES_ETIMEOUT:
		return "could not be looked up: no name server answered";
	default:
		return "could not be looked up";
	}
}

static void
finish(struct resolve_query *q, int status)
{
	bool answered =
		status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;

	q->resolver->failures = answered ? 0 : q->resolver->failures + 1;
	q->result.error = phrase(status, q->family);
	if (q->result.error == NULL && q->result.n == 0)
		q->result.error = phrase(ARES_ENODATA, q->family);
	leave_flight(q);
	q->state = QUERY_DONE;
}

static void
take_addresses(struct resolve_query *q, const struct ares_addrinfo *info)
{
	const struct ares_addrinfo_node *node = info->nodes;

	for (; node != NULL && q->result.n < RESOLVE_ADDRESSES_MAX; node = node->ai_next) {
		struct address a = { .family = ADDRESS_NONE };

		if (node->ai_family == AF_INET && q->family != ADDRESS_IPV6) {
			a.family = ADDRESS_IPV4;
			memcpy(a.bytes,
			       &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr,
			       4);
		} else if (node->ai_family == AF_INET6 && q->family != ADDRESS_IPV4) {
			a.family = ADDRESS_IPV6;
			memcpy(a.bytes,
			       &((const struct sockaddr_in6 *)(const void *)node->ai_addr)
					->sin6_addr,
			       16);
		} else {
			continue;
		}
		q->result.addresses[q->result.n++] = a;
	}
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct flight *flight = arg;
	struct resolve_query *q = flight->query;

	(void)timeouts;
	if (q != NULL && status == ARES_EDESTRUCTION) {
		leave_flight(q);
		q->state = QUERY_TO_REPEAT;
	} else if (q != NULL) {
		if (status == ARES_SUCCESS && info != NULL)
			take_addresses(q, info);
		finish(q, status);
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
	free(flight);
}

static void
ask(struct resolve_query *q)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct ares_addrinfo_hints hints = {
		.ai_family = families[q->family],
		.ai_socktype = SOCK_STREAM,
		.ai_flags = ARES_AI_NOSORT,
	};

	if (q->resolver->channel == NULL) {
		finish(q, ARES_ENOTINITIALIZED);
		return;
	}
	q->state = QUERY_ASKED;
	q->flight = mem_new(1, sizeof(*q->flight));
	q->flight->query = q;
	ares_getaddrinfo(q->resolver->channel, q->host, NULL, &hints, on_answer, q->flight);
}

/* Never called from within c-ares: callbacks to the user come after its own have returned. */
static void
renew_channel(struct resolver *r)
{
	if (r->channel != NULL)
		ares_destroy(r->channel);
	r->nsockets = 0;
	make_channel(r);
	for (struct resolve_query *q = r->queries; q != NULL; q = q->next)
		if (q->state == QUERY_TO_REPEAT)
			ask(q);
}

static void
finish_without_server(struct resolve_query *q)
{
	q->result.error = q->result.n != 0            ? NULL
			  : q->family == ADDRESS_IPV4 ? "is no IPv4 address"
						      : "is no IPv6 address";
	q->state = QUERY_DONE;
}

static bool
take_literal(struct resolve_query *q)
{
	struct address a;

	if (!address_parse_text(q->host, &a))
		return false;
	if (q->family == ADDRESS_NONE || q->family == a.family)
		q->result.addresses[q->result.n++] = a;
	finish_without_server(q);
	return true;
}

static bool
is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host), end = sizeof(name) - 1;

	return len >= end && strcasecmp(host + len - end, name) == 0 &&
	       (len == end || host[len - end - 1] == '.');
}

/* RFC 6761, section 6.3: localhost and what is below it are never asked of a server. */
static bool
take_localhost(struct resolve_query *q)
{
	static const struct address loopback[] = {
		{ ADDRESS_IPV4, { 127, 0, 0, 1 } },
		{ ADDRESS_IPV6, { [15] = 1 } },
	};

	if (!is_localhost(q->host))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (q->family == ADDRESS_NONE || q->family == loopback[i].family)
			q->result.addresses[q->result.n++] = loopback[i];
	finish_without_server(q);
	return true;
}

struct resolve_query *
resolver_lookup(struct resolver *r, const char *host, enum address_family family,
		int64_t deadline_ms, resolve_done *done, void *arg)
{
	struct resolve_query *q = mem_new(1, sizeof(*q));

	*q = (struct resolve_query){
		.resolver = r,
		.next = r->queries,
		.host = mem_strdup(host),
		.family = family,
		.deadline_ms = deadline_ms,
		.done = done,
		.arg = arg,
	};
	r->queries = q;
	if (take_literal(q) || take_localhost(q))
		return q;
	if (r->channel == NULL || r->failures >= FAILURES_UNTIL_RENEWAL || conf_changed(r))
		renew_channel(r);
	ask(q);
	return q;
}

void
resolver_cancel(struct resolve_query *q)
{
	if (q != NULL)
		free_query(q);
}

void
resolver_prepare(struct resolver *r, struct pollset *p, int64_t now_ms)
{
	struct timeval longest = { .tv_sec = 3600 }, tv;

	for (size_t i = 0; i < r->nsockets; i++)
		pollset_add(p, r->sockets[i].fd, r->sockets[i].events);
	if (r->nsockets != 0 && r->channel != NULL) {
		const struct timeval *next = ares_timeout(r->channel, &longest, &tv);

		pollset_wake_at(p, now_ms + next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
	}
	for (const struct resolve_query *q = r->queries; q != NULL; q = q->next) {
		if (q->state == QUERY_DONE)
			pollset_wake_at(p, now_ms);
		else if (q->state == QUERY_ASKED)
			pollset_wake_at(p, q->deadline_ms);
	}
}

/* Gives up on what is overdue, whatever c-ares still tries. */
static void
expire(struct resolver *r, int64_t now_ms)
{
	for (struct resolve_query *q = r->queries; q != NULL; q = q->next)
		if (q->state == QUERY_ASKED && now_ms >= q->deadline_ms)
			finish(q, ARES_ETIMEOUT);
}

static struct resolve_query *
first_done(struct resolver *r)
{
	struct resolve_query *q = r->queries;

	while (q != NULL && q->state != QUERY_DONE)
		q = q->next;
	return q;
}

void
resolver_dispatch(struct resolver *r, const struct pollset *p, int64_t now_ms)
{
	struct resolve_query *q;

	if (r->nsockets != 0 && r->channel != NULL) {
		int fds[SOCKETS_MAX];
		size_t n = r->nsockets;

		for (size_t i = 0; i < n; i++)
			fds[i] = r->sockets[i].fd;
		for (size_t i = 0; i < n; i++) {
			short ev = pollset_events(p, fds[i]);

			if (ev != 0)
				ares_process_fd(r->channel,
						(ev & (POLLIN | POLLERR | POLLHUP)) != 0
							? fds[i]
							: ARES_SOCKET_BAD,
						(ev & POLLOUT) != 0 ? fds[i] : ARES_SOCKET_BAD);
		}
		ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its time-outs */
	}
	expire(r, now_ms);
	while ((q = first_done(r)) != NULL) {
		resolve_done *done = q->done;
		void *arg = q->arg;
		struct resolve_result result = q->result;

		free_query(q);
		done(arg, &result);
	}
}
