#include "detector/stun_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/resolve.h"
#include "common/socket.h"
#include "detector/stun.h"

/* RFC 8489 section 6.2.1. */
#define RTO_MS 500
#define SENDS_MAX 7  /* Rc */
#define LAST_WAIT 16 /* Rm, in RTO */
/* Datagrams and chunks taken in one pass: a flood must not hold up the loop. */
#define READS_MAX 16

enum state {
	RESOLVING,
	CONNECTING, /* TCP only */
	SENDING,    /* TCP only: the request is not out yet */
	WAITING,
	DONE
};

struct stun_query {
	struct stun_request request; /* without the host */
	enum state state;
	int64_t started_ms;
	struct resolve_query *lookup;
	size_t naddresses, next_address; /* of the host; the next one is tried after a hard error */
	struct address addresses[RESOLVE_ADDRESSES_MAX];
	int fd;
	uint8_t id[STUN_ID_SIZE];
	uint8_t packet[STUN_REQUEST_SIZE];
	size_t sent;                      /* TCP: bytes of the packet */
	unsigned sends;                   /* UDP: datagrams */
	int64_t next_send_ms;             /* UDP: the next one, or giving up after the last */
	uint8_t in[STUN_MESSAGE_MAX + 1]; /* TCP: what came; UDP: one byte more than is allowed */
	size_t in_len;
	const char *dropped; /* what was wrong with the last message that was dropped, or NULL */
	struct stun_result result;
};

static void
close_socket(struct stun_query *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

static void
finish(struct stun_query *q)
{
	close_socket(q);
	resolver_cancel(q->lookup);
	q->lookup = NULL;
	q->state = DONE;
	q->result.duration_ms = clock_now() - q->started_ms;
}

static void __attribute__((format(printf, 3, 4)))
fail(struct stun_query *q, const char *reason, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	mem_copy_text(q->result.error, sizeof(q->result.error), text);
	q->result.reason = reason;
	q->result.address = (struct address){ .family = ADDRESS_NONE };
	finish(q);
}

static void
fail_silent(struct stun_query *q)
{
	if (q->dropped)
		fail(q, "timeout", "gave no valid answer in time: %s", q->dropped);
	else
		fail(q, "timeout", "did not answer in time");
}

static socklen_t
fill_sockaddr(const struct address *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (a->family == ADDRESS_IPV4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, a->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, a->bytes, 16);
	return sizeof(*v6);
}

/* One datagram, and when the next one is due: after 500, 1000, 2000 ... ms. */
static int
send_datagram(struct stun_query *q, int64_t now_ms)
{
	int64_t wait = (int64_t)RTO_MS << q->sends;

	if (send(q->fd, q->packet, sizeof(q->packet), MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
	    errno != ENOBUFS && errno != EINTR)
		return -errno;
	q->sends++;
	q->next_send_ms = now_ms + (q->sends < q->request.sends_max ? wait : LAST_WAIT * RTO_MS);
	return 0;
}

/* A socket, a new transaction, and the request or the connection on its way. */
static int
open_to(struct stun_query *q, const struct address *a, int64_t now_ms)
{
	int type = q->request.tcp ? SOCK_STREAM : SOCK_DGRAM;
	int domain = a->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len = fill_sockaddr(a, q->request.port, &ss);

	if (getrandom(q->id, sizeof(q->id), 0) != (ssize_t)sizeof(q->id))
		return -EIO;
	stun_build_request(q->packet, q->id);
	q->sent = q->in_len = q->sends = 0;
	q->dropped = NULL;
	q->fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return -errno;
	socket_prefer_stable(q->fd);
	if (connect(q->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		return -errno;
	if (q->request.tcp) {
		q->state = CONNECTING;
		return 0;
	}
	q->state = WAITING;
	return send_datagram(q, now_ms);
}

/* Go on with the next address that the host has; error is why the last one failed. */
static void
try_next(struct stun_query *q, int error, int64_t now_ms)
{
	close_socket(q);
	while (q->next_address < q->naddresses) {
		error = open_to(q, &q->addresses[q->next_address++], now_ms);
		if (error == 0)
			return;
		close_socket(q);
	}
	fail(q, "connect", "could not be asked: %s", strerror(-error));
}

static void
on_resolved(void *arg, const struct resolve_result *result)
{
	struct stun_query *q = arg;

	q->lookup = NULL;
	if (result->error || result->n == 0) {
		fail(q, "resolve", "could not be asked: its host %s",
		     result->error ? result->error : "has no address");
		return;
	}
	for (size_t i = 0; i < result->n && i < RESOLVE_ADDRESSES_MAX; i++)
		if (result->addresses[i].family == q->request.family)
			q->addresses[q->naddresses++] = result->addresses[i];
	try_next(q, -EHOSTUNREACH, clock_now());
}

struct stun_query *
stun_query_start(struct resolver *r, const struct stun_request *request)
{
	struct stun_query *q = mem_new(1, sizeof(*q));
	struct resolve_query *lookup;

	q->request = *request;
	q->request.host = NULL;
	if (q->request.sends_max == 0 || q->request.sends_max > SENDS_MAX)
		q->request.sends_max = SENDS_MAX;
	q->started_ms = clock_now();
	q->fd = -1;
	lookup = resolver_lookup(r, request->host, request->family, request->deadline_ms,
				 on_resolved, q);
	if (q->state == RESOLVING)
		q->lookup = lookup;
	return q;
}

void
stun_query_free(struct stun_query *q)
{
	if (!q)
		return;
	resolver_cancel(q->lookup);
	close_socket(q);
	free(q);
}

void
stun_query_prepare(const struct stun_query *q, struct pollset *set)
{
	if (q->state == DONE)
		return;
	pollset_wake_at(set, q->request.deadline_ms);
	if (q->state == CONNECTING || q->state == SENDING)
		pollset_add(set, q->fd, POLLOUT);
	if (q->state == WAITING)
		pollset_add(set, q->fd, POLLIN);
	if (q->state == WAITING && !q->request.tcp)
		pollset_wake_at(set, q->next_send_ms);
}

/* Judge one whole message; false if it was dropped and the query waits on. */
static bool
take_message(struct stun_query *q, const uint8_t *msg, size_t len)
{
	struct stun_answer answer;

	switch (stun_parse(msg, len, q->id, q->request.family, &answer)) {
	case STUN_ANSWER:
		q->result.address = answer.address;
		q->result.error[0] = '\0';
		finish(q);
		return true;
	case STUN_FAILURE:
		if (answer.code)
			fail(q, "answer", "%s (%d)", answer.why, answer.code);
		else
			fail(q, "answer", "%s", answer.why);
		return true;
	case STUN_IGNORED:
	case STUN_VERDICT__MAX:
		break;
	}
	q->dropped = answer.why;
	return false;
}

/*
 * Datagrams from the server only: the socket is connected. An answer to an
 * earlier transmission is as good as one to the last, the id is the same. An
 * ICMP error comes as a failure of recv() (RFC 8489 section 6.2.1).
 */
static void
read_datagrams(struct stun_query *q, int64_t now_ms)
{
	for (unsigned n = 0; n < READS_MAX && q->state == WAITING; n++) {
		ssize_t len = recv(q->fd, q->in, sizeof(q->in), 0);

		if (len < 0) {
			if (errno != EAGAIN && errno != EINTR)
				try_next(q, -errno, now_ms);
			return;
		}
		if ((size_t)len > STUN_MESSAGE_MAX)
			q->dropped = "sent a message that is too large";
		else if (take_message(q, q->in, (size_t)len))
			return;
	}
}

/* Take whole messages off the front of the stream, in however many pieces they came. */
static void
take_stream(struct stun_query *q)
{
	while (q->state == WAITING) {
		ssize_t size = stun_frame_size(q->in, q->in_len);

		if (size < 0) {
			fail(q, "answer", "sent something that is not STUN");
			return;
		}
		if (size == 0 || (size_t)size > q->in_len)
			return;
		if (take_message(q, q->in, (size_t)size))
			return;
		q->in_len -= (size_t)size;
		memmove(q->in, q->in + size, q->in_len);
	}
}

static void
read_stream(struct stun_query *q, int64_t now_ms)
{
	for (unsigned n = 0; n < READS_MAX && q->state == WAITING; n++) {
		/* a message of the largest size fits, so there is always room here */
		ssize_t len = recv(q->fd, q->in + q->in_len, sizeof(q->in) - q->in_len, 0);

		if (len < 0) {
			if (errno != EAGAIN && errno != EINTR)
				try_next(q, -errno, now_ms);
			return;
		}
		if (len == 0) {
			fail(q, "answer",
			     q->in_len ? "closed the connection within its answer"
				       : "closed the connection without an answer");
			return;
		}
		q->in_len += (size_t)len;
		take_stream(q);
	}
}

/* Is the connection made? 0 if so, -EINPROGRESS if not yet, else what became of it. */
static int
connection_state(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error)
		return -error;
	return getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ? -EINPROGRESS : 0;
}

static void
send_stream(struct stun_query *q, int64_t now_ms)
{
	ssize_t n = send(q->fd, q->packet + q->sent, sizeof(q->packet) - q->sent, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			try_next(q, -errno, now_ms);
		return;
	}
	q->sent += (size_t)n;
	if (q->sent == sizeof(q->packet))
		q->state = WAITING;
}

/* UDP: time for another datagram, or to give up after the last. */
static void
on_silence(struct stun_query *q, int64_t now_ms)
{
	int error;

	if (q->sends >= q->request.sends_max) {
		fail_silent(q);
		return;
	}
	error = send_datagram(q, now_ms);
	if (error)
		try_next(q, error, now_ms);
}

void
stun_query_dispatch(struct stun_query *q, const struct pollset *set, int64_t now_ms)
{
	short events = q->fd >= 0 ? pollset_events(set, q->fd) : 0;

	if (q->state == CONNECTING && events) {
		int error = connection_state(q->fd);

		if (error == 0)
			q->state = SENDING;
		else if (error != -EINPROGRESS)
			try_next(q, error, now_ms);
	}
	if (q->state == SENDING)
		send_stream(q, now_ms);
	if (q->state == WAITING && (events & ~POLLOUT))
		q->request.tcp ? read_stream(q, now_ms) : read_datagrams(q, now_ms);
	if (q->state == WAITING && !q->request.tcp && now_ms >= q->next_send_ms)
		on_silence(q, now_ms);
	if (q->state != DONE && now_ms >= q->request.deadline_ms)
		fail_silent(q);
}

const struct stun_result *
stun_query_result(const struct stun_query *q)
{
	return q->state == DONE ? &q->result : NULL;
}
