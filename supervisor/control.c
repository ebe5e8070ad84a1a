#include "supervisor/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

#define BACKLOG 8
/* After an accept(2) that failed for want of descriptors; the socket stays readable. */
#define ACCEPT_AGAIN_MS 1000

struct client {
	int fd;          /* -1: this place is free */
	uint64_t id;     /* of the request that is being answered; 0: there is none */
	int64_t idle_ms; /* when it last got on */
	char in[CONTROL_LINE_MAX];
	size_t in_len;
	struct buf out;
	size_t out_done;
	bool leaving; /* closed once everything was written */
};

struct control {
	int fd;
	char *path;
	control_handler *handler;
	void *arg;
	uint64_t last_id;
	int64_t accept_ms; /* not before */
	struct client clients[CONTROL_CLIENTS_MAX];
	struct log_limit noise;
};

/* --- the socket ------------------------------------------------------------------- */

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, saved;

	if (!mem_copy_text(address.sun_path, sizeof(address.sun_path), path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	/* before bind(2), which gives the file the socket's mode: it is never more open */
	if (fchmod(fd, 0600) == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

struct control *
control_open(const char *runtime_dir, control_handler *handler, void *arg)
{
	char *path = mem_printf("%s/%s", runtime_dir, CONTROL_SOCKET);
	int fd = listen_at(path), saved = errno;
	struct control *c;

	if (fd < 0) {
		free(path);
		errno = saved;
		return NULL;
	}
	c = mem_new(1, sizeof(*c));
	c->fd = fd;
	c->path = path;
	c->handler = handler;
	c->arg = arg;
	c->noise = (struct log_limit){ .burst = 5, .interval_ms = 60000 };
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->clients[i].fd = -1;
	return c;
}

static void
drop(struct client *cl)
{
	if (cl->fd >= 0)
		close(cl->fd);
	buf_free(&cl->out);
	*cl = (struct client){ .fd = -1 };
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		drop(&c->clients[i]);
	close(c->fd);
	unlink(c->path);
	free(c->path);
	free(c);
}

/* --- answers ------------------------------------------------------------------------ */

static void
add_refusal(struct buf *b, const char *code, const char *why)
{
	buf_adds(b, "{\"ok\":false,\"code\":");
	json_quote(b, code);
	buf_adds(b, ",\"error\":");
	json_quote(b, why);
	buf_addc(b, '}');
}

static void
send_out(struct client *cl, int64_t now_ms)
{
	while (cl->fd >= 0 && cl->out_done < cl->out.len) {
		ssize_t n = send(cl->fd, cl->out.data + cl->out_done, cl->out.len - cl->out_done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			drop(cl);
			return;
		}
		cl->out_done += (size_t)n;
		cl->idle_ms = now_ms;
	}
	if (cl->leaving)
		drop(cl);
	cl->out_done = 0;
	buf_clear(&cl->out);
}

static void
put_line(struct client *cl, const char *json)
{
	buf_adds(&cl->out, json);
	buf_addc(&cl->out, '\n');
	send_out(cl, clock_now());
}

static void
refuse(struct client *cl, const char *code, const char *why)
{
	struct buf b = BUF_INIT;

	add_refusal(&b, code, why);
	put_line(cl, buf_text(&b));
	buf_free(&b);
}

/* CONTROL_CLIENTS_MAX if there is none. */
static size_t
find(const struct control *c, uint64_t id)
{
	size_t i = 0;

	while (i < CONTROL_CLIENTS_MAX && (c->clients[i].fd < 0 || c->clients[i].id != id))
		i++;
	return i;
}

bool
control_waits(const struct control *c, uint64_t client)
{
	return find(c, client) < CONTROL_CLIENTS_MAX;
}

void
control_answer(struct control *c, uint64_t client, const char *json)
{
	size_t i = find(c, client);
	struct client *cl = &c->clients[i];

	if (i == CONTROL_CLIENTS_MAX)
		return;
	cl->id = 0;
	cl->idle_ms = clock_now();
	if (strlen(json) > CONTROL_ANSWER_MAX)
		refuse(cl, CONTROL_FAILED, "the answer is longer than 64 KiB");
	else
		put_line(cl, json);
}

void
control_refuse(struct control *c, uint64_t client, const char *code, const char *why)
{
	struct buf b = BUF_INIT;

	add_refusal(&b, code, why);
	control_answer(c, client, buf_text(&b));
	buf_free(&b);
}

/* --- requests ----------------------------------------------------------------------- */

static void
take_line(struct control *c, struct client *cl, const char *line, size_t len)
{
	struct control_request request;
	const char *why, *code = control_parse(line, len, &request, &why);

	if (code != NULL) {
		refuse(cl, code, why);
		return;
	}
	cl->id = ++c->last_id;
	c->handler(c->arg, cl->id, &request);
}

/* The next whole line, if nothing before it waits for its answer. */
static void
take_lines(struct control *c, struct client *cl)
{
	while (cl->fd >= 0 && cl->id == 0 && cl->out.len == 0) {
		char *end = memchr(cl->in, '\n', cl->in_len), line[CONTROL_LINE_MAX];
		size_t len = end != NULL ? (size_t)(end - cl->in) : 0;

		if (end == NULL && cl->in_len == sizeof(cl->in)) {
			cl->leaving = true;
			cl->in_len = 0;
			refuse(cl, CONTROL_MALFORMED, "the request is longer than 4096 bytes");
		}
		if (end == NULL)
			return;
		memcpy(line, cl->in, len);
		cl->in_len -= len + 1;
		memmove(cl->in, end + 1, cl->in_len);
		take_line(c, cl, line, len);
	}
}

static void
receive(struct control *c, struct client *cl, int64_t now_ms)
{
	ssize_t n;

	do {
		n = recv(cl->fd, cl->in + cl->in_len, sizeof(cl->in) - cl->in_len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(cl);
		return;
	}
	cl->in_len += (size_t)n;
	cl->idle_ms = now_ms;
	take_lines(c, cl);
}

/* --- clients ------------------------------------------------------------------------ */

static bool
may_command(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* It is answered and closed at once; a new socket's buffer holds a line. */
static void
turn_away(struct control *c, int fd, const char *why, int64_t now_ms)
{
	struct client cl = { .fd = fd, .leaving = true };

	refuse(&cl, CONTROL_FAILED, why);
	drop(&cl);
	if (log_allowed(&c->noise, now_ms))
		log_warn("a client of the control socket was turned away", LOG_S("reason", why));
}

static void
accept_clients(struct control *c, int64_t now_ms)
{
	int fd;

	while ((fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		size_t i = 0;

		while (i < CONTROL_CLIENTS_MAX && c->clients[i].fd >= 0)
			i++;
		if (!may_command(fd))
			turn_away(c, fd, "only the user who runs esddns, and root, may command it",
				  now_ms);
		else if (i == CONTROL_CLIENTS_MAX)
			turn_away(c, fd, "too many others are connected: try again later", now_ms);
		else
			c->clients[i] = (struct client){ .fd = fd, .idle_ms = now_ms };
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		c->accept_ms = now_ms + ACCEPT_AGAIN_MS;
}

/* Did a client send another request already, behind one that has been answered since? */
static bool
has_next(const struct client *cl)
{
	return cl->id == 0 && cl->out.len == 0 && memchr(cl->in, '\n', cl->in_len) != NULL;
}

void
control_prepare(const struct control *c, struct pollset *set, int64_t now_ms)
{
	if (c == NULL)
		return;
	if (c->accept_ms <= now_ms)
		pollset_add(set, c->fd, POLLIN);
	else
		pollset_wake_at(set, c->accept_ms);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct client *cl = &c->clients[i];

		if (cl->fd < 0)
			continue;
		if (cl->out.len > 0)
			pollset_add(set, cl->fd, POLLOUT);
		else
			pollset_add(set, cl->fd, cl->id == 0 ? POLLIN : 0);
		if (cl->id == 0)
			pollset_wake_at(set, cl->idle_ms + CONTROL_IDLE_MS);
		/* no news will come of what is here already */
		if (has_next(cl))
			pollset_wake_at(set, now_ms);
	}
}

static void
serve(struct control *c, struct client *cl, const struct pollset *set, int64_t now_ms)
{
	short events = pollset_events(set, cl->fd);

	if ((events & (POLLERR | POLLNVAL)) != 0 || ((events & POLLHUP) != 0 && cl->id != 0)) {
		drop(cl);
		return;
	}
	if (cl->out.len > 0) {
		send_out(cl, now_ms);
		take_lines(c, cl);
	} else if (has_next(cl)) {
		take_lines(c, cl);
	} else if ((events & (POLLIN | POLLHUP)) != 0 && cl->id == 0) {
		receive(c, cl, now_ms);
	}
	if (cl->fd >= 0 && cl->id == 0 && now_ms - cl->idle_ms >= CONTROL_IDLE_MS)
		drop(cl);
}

void
control_dispatch(struct control *c, const struct pollset *set, int64_t now_ms)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i].fd >= 0)
			serve(c, &c->clients[i], set, now_ms);
	if (pollset_events(set, c->fd) != 0)
		accept_clients(c, now_ms);
}
