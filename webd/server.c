#include "webd/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "webd/answers.h"
#include "webd/events.h"
#include "webd/listen.h"
#include "webd/traffic.h"
#include "webd/view_metrics.h"

#define IDLE_S 15u
/* Holds the request's line and headers, and the headers of the answer. */
#define CONNECTION_MEMORY ((size_t)8192)
#define STREAMS_MAX 64
/* Of the metrics' addresses: scrapers and probes are few. */
#define METRICS_CONNECTIONS 64
/* Descriptors that are neither: listening sockets, the bus, the channel, epoll. */
#define OWN_DESCRIPTORS 48
#define CONNECTIONS_MIN 8
/* One address may be a proxy with many behind it: this only keeps room for others. */
#define CLIENT_SHARE 4
/* New connections taken from one socket in one pass. */
#define ACCEPTS_MAX 64
/* How long not to accept after the process ran out of descriptors. */
#define REST_MS 100

/* One microhttpd with its sockets. */
struct site {
	struct server *server;
	bool metrics; /* serves /metrics, /healthz and /readyz only */
	struct listeners listeners;
	struct MHD_Daemon *daemon;
	int epoll_fd;
};

struct server {
	const struct webd_state *state;
	struct webd_traffic traffic;
	struct answers *answers;
	struct events *events;
	struct site sites[2]; /* the page's, the metrics' */
	unsigned max_connections;
	int64_t now_ms;  /* of the pass */
	int64_t rest_ms; /* no accept before this */
	struct log_limit noise;
};

/* One request, until it is complete. */
struct request {
	enum webd_method method;
	enum webd_path path;
	enum webd_status status;
	int64_t started_ns;
};

static int64_t
nanoseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* microhttpd's own complaints come from what clients do: debug level only. */
static void
log_mhd(void *arg, const char *format, va_list args)
{
	struct server *s = arg;
	char text[256];

	if (!log_enabled(LOG_DEBUG) || !log_allowed(&s->noise, s->now_ms))
		return;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("microhttpd", LOG_S("message", text));
}

static bool
has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length != NULL && strcmp(length, "0") != 0) ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

/* Which answer it is; ANSWER__MAX for a stream of events. */
static enum answer
choose(const struct site *site, const struct request *r, struct MHD_Connection *connection)
{
	static const enum answer of[WEBD_PATH__MAX] = {
		[WEBD_PATH_PAGE] = ANSWER_PAGE,       [WEBD_PATH_RAW] = ANSWER_RAW,
		[WEBD_PATH_STATE] = ANSWER_STATE,     [WEBD_PATH_EVENTS] = ANSWER__MAX,
		[WEBD_PATH_METRICS] = ANSWER_METRICS, [WEBD_PATH_HEALTHZ] = ANSWER_HEALTHZ,
		[WEBD_PATH_READYZ] = ANSWER_READYZ,   [WEBD_PATH_STYLE] = ANSWER_STYLE,
		[WEBD_PATH_SCRIPT] = ANSWER_SCRIPT,   [WEBD_PATH_ICON] = ANSWER_ICON,
		[WEBD_PATH_OTHER] = ANSWER_NOT_FOUND,
	};

	if (r->method == WEBD_OTHER_METHOD)
		return ANSWER_NOT_ALLOWED;
	if (has_body(connection))
		return ANSWER_TOO_LARGE;
	if (site->metrics && r->path != WEBD_PATH_METRICS && r->path != WEBD_PATH_HEALTHZ &&
	    r->path != WEBD_PATH_READYZ)
		return ANSWER_NOT_FOUND;
	if (r->path == WEBD_PATH_EVENTS && r->method == WEBD_HEAD)
		return ANSWER_STREAM_HEAD;
	if (r->path == WEBD_PATH_METRICS &&
	    view_metrics_accepts_open(MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
								  MHD_HTTP_HEADER_ACCEPT)))
		return ANSWER_METRICS_OPEN;
	return of[r->path];
}

static enum MHD_Result
answer_with_stream(struct server *s, struct request *r, struct MHD_Connection *connection)
{
	struct MHD_Response *response = events_open(s->events, connection);
	enum MHD_Result queued;

	if (response == NULL) {
		response = answers_get(s->answers, ANSWER_BUSY, s->now_ms, &r->status);
		return MHD_queue_response(connection, webd_status_code(r->status), response);
	}
	r->status = WEBD_200;
	answers_add_headers(response, "text/event-stream");
	/* a proxy that collects the answer would keep the news back */
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result
handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
       const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct site *site = arg;
	struct server *s = site->server;
	struct request *r = *context;
	struct MHD_Response *response;
	enum answer which;

	(void)version;
	(void)upload;
	if (r == NULL) {
		*context = r = mem_new(1, sizeof(*r));
		r->started_ns = nanoseconds();
		r->method = webd_method_of(method);
		r->path = webd_path_of(url);
		/* an answer given here, before a body is read, closes the connection */
		if (!has_body(connection))
			return MHD_YES;
	}
	if (*upload_size > 0) {
		/* more of a body that was refused already */
		*upload_size = 0;
		return MHD_YES;
	}
	which = choose(site, r, connection);
	if (which == ANSWER__MAX)
		return answer_with_stream(s, r, connection);
	response = answers_get(s->answers, which, s->now_ms, &r->status);
	return MHD_queue_response(connection, webd_status_code(r->status), response);
}

static void
completed(void *arg, struct MHD_Connection *connection, void **context,
	  enum MHD_RequestTerminationCode code)
{
	struct site *site = arg;
	struct request *r = *context;
	double seconds;

	(void)connection;
	(void)code;
	if (r == NULL)
		return;
	seconds = (double)(nanoseconds() - r->started_ns) / 1e9;
	/* a stream lasts as long as its page is open: that says nothing about the server */
	if (r->path == WEBD_PATH_EVENTS)
		seconds = 0;
	webd_traffic_add(&site->server->traffic, r->method, r->path, r->status, seconds);
	free(r);
	*context = NULL;
}

static int
start_site(struct site *site, unsigned limit, const char **why)
{
	const union MHD_DaemonInfo *info;
	unsigned share = limit / CLIENT_SHARE > 16 ? limit / CLIENT_SHARE : 16;

	site->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, site, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, site->server,
		MHD_OPTION_NOTIFY_COMPLETED, completed, site, MHD_OPTION_CONNECTION_LIMIT, limit,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, share < limit ? share : limit,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	info = site->daemon == NULL ? NULL
				    : MHD_get_daemon_info(site->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		*why = "microhttpd cannot be started: no epoll, no memory or no descriptors left";
		return -1;
	}
	site->epoll_fd = info->epoll_fd;
	return 0;
}

static void
stop_site(struct site *site)
{
	if (site->daemon != NULL)
		MHD_stop_daemon(site->daemon);
	site->daemon = NULL;
}

/*
 * As many connections as the process can have descriptors for, after those that
 * probes and the process itself need: visitors alone must not use them up.
 */
static unsigned
fit_connections(unsigned wanted)
{
	rlim_t others = METRICS_CONNECTIONS + OWN_DESCRIPTORS, fit;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted + others)
		return wanted;
	limit.rlim_cur = limit.rlim_max < wanted + others ? limit.rlim_max : wanted + others;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	if (limit.rlim_cur >= wanted + others)
		return wanted;
	fit = limit.rlim_cur > others + CONNECTIONS_MIN ? limit.rlim_cur - others : CONNECTIONS_MIN;
	log_warn("fewer connections than max_connections are taken: the limit of open files is low",
		 LOG_I("max_connections", wanted), LOG_I("connections", fit),
		 LOG_I("open_files", limit.rlim_cur));
	return (unsigned)fit;
}

/* Start both with their limits, and the events with theirs. */
static int
start_sites(struct server *s, unsigned max_connections, const char **why)
{
	unsigned limit = fit_connections(max_connections), streams = limit / 4;

	s->max_connections = max_connections;
	s->events = events_new(s->state, streams < STREAMS_MAX ? streams : STREAMS_MAX);
	if (start_site(&s->sites[0], limit, why) != 0)
		return -1;
	return start_site(&s->sites[1], METRICS_CONNECTIONS, why);
}

static void
stop_sites(struct server *s)
{
	/* microhttpd must have no suspended connection when it stops */
	if (s->events != NULL)
		events_close(s->events);
	for (size_t i = 0; i < 2; i++)
		stop_site(&s->sites[i]);
	events_free(s->events);
	s->events = NULL;
}

struct server *
server_new(const struct webd_config *config, const struct webd_state *state, const char **why)
{
	struct server *s = mem_new(1, sizeof(*s));

	s->state = state;
	s->noise = (struct log_limit){ .burst = 5, .interval_ms = 10000 };
	s->answers = answers_new(state, &s->traffic);
	for (size_t i = 0; i < 2; i++)
		s->sites[i].server = s;
	s->sites[1].metrics = true;
	if (server_configure(s, config, why) != 0) {
		server_free(s);
		return NULL;
	}
	return s;
}

void
server_free(struct server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		listeners_close(&s->sites[i].listeners);
	stop_sites(s);
	answers_free(s->answers);
	free(s);
}

int
server_configure(struct server *s, const struct webd_config *config, const char **why)
{
	struct listeners web, metrics;

	if (listeners_open(&web, &s->sites[0].listeners, config, false, why) != 0)
		return -1;
	listeners_close(&s->sites[0].listeners);
	s->sites[0].listeners = web;
	if (listeners_open(&metrics, &s->sites[1].listeners, config, true, why) != 0)
		return -1;
	listeners_close(&s->sites[1].listeners);
	s->sites[1].listeners = metrics;
	if (s->events != NULL && s->max_connections == config->max_connections)
		return 0;
	stop_sites(s);
	return start_sites(s, config->max_connections, why);
}

void
server_prepare(struct server *s, struct pollset *p, int64_t now_ms)
{
	for (size_t i = 0; i < 2; i++) {
		const struct site *site = &s->sites[i];
		MHD_UNSIGNED_LONG_LONG wait;

		pollset_add(p, site->epoll_fd, POLLIN);
		if (MHD_get_timeout(site->daemon, &wait) == MHD_YES)
			pollset_wake_at(p, now_ms + (int64_t)wait);
		if (s->rest_ms > now_ms) {
			pollset_wake_at(p, s->rest_ms);
			continue;
		}
		for (size_t k = 0; k < site->listeners.n; k++)
			pollset_add(p, site->listeners.list[k].fd, POLLIN);
	}
	pollset_wake_at(p, events_next_deadline(s->events, now_ms));
}

/* Take what waits on one socket. microhttpd closes at once what goes beyond its limits. */
static void
accept_some(struct server *s, struct site *site, int fd)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int new = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (new >= 0) {
			MHD_add_connection(site->daemon, new, (struct sockaddr *)&from, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			s->rest_ms = s->now_ms + REST_MS;
			if (log_allowed(&s->noise, s->now_ms))
				log_warn("no connection can be taken for the moment",
					 LOG_S("error", strerror(errno)));
		}
		return;
	}
}

void
server_dispatch(struct server *s, const struct pollset *p, int64_t now_ms)
{
	s->now_ms = now_ms;
	events_tick(s->events, now_ms);
	for (size_t i = 0; i < 2; i++) {
		struct site *site = &s->sites[i];

		for (size_t k = 0; k < site->listeners.n; k++)
			if (pollset_events(p, site->listeners.list[k].fd) != 0)
				accept_some(s, site, site->listeners.list[k].fd);
		MHD_run(site->daemon);
	}
}
