#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"

static char *
explain(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return mem_printf("no supervisor answers at %s; is esddns running? If it uses "
				  "another runtime_dir, name its socket with -s.",
				  path);
	case ECONNREFUSED:
		return mem_printf("no supervisor answers at %s: the socket is there, but nobody "
				  "listens; esddns seems to have been killed.",
				  path);
	case EACCES:
	case EPERM:
		return mem_printf("%s may not be used: only the user who runs esddns, and root, "
				  "may command it; try it as that user, or with sudo.",
				  path);
	case ENAMETOOLONG:
		return mem_printf("%s is too long for the name of a socket.", path);
	default:
		return mem_printf("no supervisor answers at %s: %s.", path, strerror(error));
	}
}

int
client_open(struct client *c, const char *path, char **why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int error = 0;

	c->fd = -1;
	if (!mem_copy_text(address.sun_path, sizeof(address.sun_path), path)) {
		error = ENAMETOOLONG;
	} else {
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
			error = errno;
	}
	if (error == 0)
		return 0;
	*why = explain(path, error);
	client_close(c);
	return -1;
}

void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* 1: readable, 0: not within the time. */
static int
wait_readable(int fd, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left_ms;
	int n;

	do {
		left_ms = until_ms - clock_now();
		n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static void
send_line(struct client *c, const char *line)
{
	struct buf b = BUF_INIT;
	size_t done = 0;

	buf_adds(&b, line);
	buf_addc(&b, '\n');
	while (done < b.len) {
		ssize_t n = send(c->fd, b.data + done, b.len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break; /* it may have said why before it hung up */
		done += n > 0 ? (size_t)n : 0;
	}
	buf_free(&b);
}

char *
client_ask(struct client *c, const char *line, char **why)
{
	int64_t until_ms = clock_now() + CLIENT_PATIENCE_MS;
	struct buf b = BUF_INIT;
	char piece[4096], *end = NULL;
	ssize_t n = 1;

	send_line(c, line);
	while (end == NULL && b.len <= CLIENT_ANSWER_MAX && wait_readable(c->fd, until_ms)) {
		n = recv(c->fd, piece, sizeof(piece), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_add(&b, piece, (size_t)n);
		end = memchr(b.data, '\n', b.len);
	}
	if (end != NULL) {
		*end = '\0';
		return buf_take(&b);
	}
	buf_free(&b);
	*why = mem_strdup(n <= 0 ? "the supervisor hung up without an answer."
				 : "the supervisor did not answer in time.");
	return NULL;
}

int
client_wait_for_end(struct client *c, int ms)
{
	int64_t until_ms = clock_now() + ms;
	char rest[256];

	while (wait_readable(c->fd, until_ms)) {
		ssize_t n = recv(c->fd, rest, sizeof(rest), 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			return 0;
	}
	return -1;
}
