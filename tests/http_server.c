#include "http_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* One listener; port 0 takes any. -1 if the port is in use. */
static int
listen_on(int af, unsigned port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(af, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	int rc;

	ck_assert_msg(fd >= 0, "this test needs IPv4 and IPv6: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (af == AF_INET)
		rc = bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
	else
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) ||
		     bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
	if (rc == 0 && listen(fd, 64) == 0)
		return fd;
	ck_assert_msg(errno == EADDRINUSE, "this test needs 127.0.0.1 and ::1: %s",
		      strerror(errno));
	close(fd);
	return -1;
}

void
http_server_start(struct http_server *s)
{
	*s = (struct http_server){ .listeners = { -1, -1 } };
	for (int i = 0; i < HTTP_SERVER_CONNECTIONS; i++)
		s->connections[i].fd = -1;
	while (s->listeners[1] < 0) {
		struct sockaddr_in at;
		socklen_t len = sizeof(at);

		if (s->listeners[0] >= 0)
			close(s->listeners[0]);
		s->listeners[0] = listen_on(AF_INET, 0);
		ck_assert_int_eq(getsockname(s->listeners[0], (struct sockaddr *)&at, &len), 0);
		s->port = ntohs(at.sin_port);
		s->listeners[1] = listen_on(AF_INET6, s->port);
	}
}

static void
drop(struct http_server *s, struct http_server_connection *c)
{
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	*c = (struct http_server_connection){ .fd = -1 };
	s->open--;
}

void
http_server_stop(struct http_server *s)
{
	for (int i = 0; i < HTTP_SERVER_CONNECTIONS; i++)
		if (s->connections[i].fd >= 0)
			drop(s, &s->connections[i]);
	close(s->listeners[0]);
	close(s->listeners[1]);
	buf_free(&s->last);
}

void
http_server_prepare(struct http_server *s, struct pollset *p)
{
	pollset_add(p, s->listeners[0], POLLIN);
	pollset_add(p, s->listeners[1], POLLIN);
	for (int i = 0; i < HTTP_SERVER_CONNECTIONS; i++) {
		struct http_server_connection *c = &s->connections[i];
		bool due = c->drip_ms == 0 || c->next_ms <= clock_now();
		bool has = c->out.len != 0 || c->endless != NULL;

		if (c->fd < 0)
			continue;
		pollset_add(p, c->fd, (short)(POLLIN | (has && due ? POLLOUT : 0)));
		if (has && !due)
			pollset_wake_at(p, c->next_ms);
	}
}

static void
respond(struct http_server_connection *c, int status, const char *headers, const char *body,
	size_t len)
{
	buf_printf(&c->out, "HTTP/1.1 %d Because\r\n%s", status, headers);
	if (status != 204 && status != 304)
		buf_printf(&c->out, "Content-Length: %zu\r\n", len);
	buf_adds(&c->out, "\r\n");
	buf_add(&c->out, body, len);
}

static void
respond_ok(struct http_server_connection *c)
{
	respond(c, 200, "Content-Type: text/plain\r\n", "hello", 5);
}

static void
respond_body(struct http_server_connection *c, size_t len)
{
	char *body = calloc(len + 1, 1);

	if (len > 1)
		memset(body + 1, 'b', len - 1); /* the first byte stays a NUL */
	respond(c, 200, "", body, len);
	free(body);
}

static void
respond_retry(struct http_server_connection *c, const char *value)
{
	char header[640];

	snprintf(header, sizeof(header), "Retry-After: %s\r\n", value);
	respond(c, 503, header, "", 0);
}

static void
respond_retry_date(struct http_server_connection *c, long seconds)
{
	time_t at = time(NULL) + seconds;
	char text[64];
	struct tm tm;

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
	respond_retry(c, text);
}

static void
respond_family(struct http_server_connection *c)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	ck_assert_int_eq(getsockname(c->fd, (struct sockaddr *)&at, &len), 0);
	respond(c, 200, "", at.ss_family == AF_INET6 ? "ipv6" : "ipv4", 4);
}

static const char *
behind(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static void
respond_badly(struct http_server_connection *c, const char *path)
{
	if (strcmp(path, "/endless") == 0) {
		buf_adds(&c->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		c->endless = "8\r\nendless.\r\n";
	} else if (strcmp(path, "/headers") == 0) {
		buf_adds(&c->out, "HTTP/1.1 200 OK\r\n");
		c->endless = "X-Endless: one more header, and one more, and one more\r\n";
	} else if (strcmp(path, "/truncated") == 0) {
		buf_adds(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
		c->closing = true;
	} else if (strcmp(path, "/garbage") == 0) {
		buf_adds(&c->out, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
		c->closing = true;
	} else if (strcmp(path, "/close") == 0) {
		c->closing = true;
	} else if (strcmp(path, "/silent") != 0) {
		respond(c, 404, "", "", 0);
	}
}

static void
answer(struct http_server *s, struct http_server_connection *c, const char *path)
{
	const char *rest;

	if (s->answer != NULL && s->answer(s->answer_arg, c, path))
		return;
	if (strcmp(path, "/ok") == 0) {
		s->oks++;
		respond_ok(c);
	} else if ((rest = behind(path, "/status/")) != NULL) {
		respond(c, atoi(rest), "", "", 0);
	} else if ((rest = behind(path, "/body/")) != NULL) {
		respond_body(c, strtoul(rest, NULL, 10));
	} else if ((rest = behind(path, "/drip/")) != NULL) {
		c->drip_ms = atoi(rest);
		respond_ok(c);
	} else if ((rest = behind(path, "/warning/")) != NULL) {
		char headers[640];

		snprintf(headers, sizeof(headers), "warning:  %s \r\nWarning: second\r\n", rest);
		respond(c, 200, headers, "", 0);
	} else if ((rest = behind(path, "/retry/")) != NULL) {
		respond_retry(c, rest);
	} else if ((rest = behind(path, "/retry-date/")) != NULL) {
		respond_retry_date(c, strtol(rest, NULL, 10));
	} else if (strcmp(path, "/redirect") == 0) {
		respond(c, 302, "Location: /ok\r\n", "moved", 5);
	} else if (strcmp(path, "/family") == 0) {
		respond_family(c);
	} else {
		respond_badly(c, path);
	}
}

/* True if a whole request was there, and was answered. */
static bool
take_request(struct http_server *s, struct http_server_connection *c)
{
	const char *text = buf_text(&c->in), *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "\r\nContent-Length: ");
	size_t whole = 0;
	char path[512];

	if (end == NULL)
		return false;
	whole = (size_t)(end + 4 - text);
	if (length != NULL && length < end)
		whole += strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
	if (c->in.len < whole || sscanf(text, "%*15s %511s", path) != 1)
		return false;
	s->requests++;
	buf_clear(&s->last);
	buf_add(&s->last, text, whole);
	memmove(c->in.data, c->in.data + whole, c->in.len - whole + 1);
	c->in.len -= whole;
	answer(s, c, path);
	return true;
}

static void
receive(struct http_server *s, struct http_server_connection *c)
{
	char piece[4096];
	ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n > 0) {
		buf_add(&c->in, piece, (size_t)n);
		while (take_request(s, c))
			;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		drop(s, c);
	}
}

static void
transmit(struct http_server *s, struct http_server_connection *c)
{
	size_t some = c->drip_ms != 0 ? 1 : c->out.len;
	ssize_t n;

	for (int i = 0; i < 50 && c->endless != NULL; i++)
		buf_adds(&c->out, c->endless);
	some = c->endless != NULL ? c->out.len : some;
	n = some != 0 ? send(c->fd, c->out.data, some, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n > 0) {
		memmove(c->out.data, c->out.data + n, c->out.len - (size_t)n + 1);
		c->out.len -= (size_t)n;
	}
	c->next_ms = clock_now() + c->drip_ms;
	if ((n < 0 && errno != EAGAIN) || (c->closing && c->out.len == 0))
		drop(s, c);
}

static void
accept_one(struct http_server *s, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), i = 0;

	if (fd < 0)
		return;
	while (i < HTTP_SERVER_CONNECTIONS && s->connections[i].fd >= 0)
		i++;
	ck_assert_msg(i < HTTP_SERVER_CONNECTIONS, "more connections than any test opens");
	s->connections[i].fd = fd;
	s->accepted++;
	s->open++;
}

void
http_server_dispatch(struct http_server *s, const struct pollset *p)
{
	for (int i = 0; i < HTTP_SERVER_CONNECTIONS; i++) {
		struct http_server_connection *c = &s->connections[i];
		short events = c->fd >= 0 ? pollset_events(p, c->fd) : 0;

		if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
			receive(s, c);
		if (c->fd >= 0 && ((events & POLLOUT) != 0 || (c->closing && c->out.len == 0)))
			transmit(s, c);
	}
	for (int i = 0; i < 2; i++)
		if (pollset_events(p, s->listeners[i]) != 0)
			accept_one(s, s->listeners[i]);
}
