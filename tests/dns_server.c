#include "dns_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"

/* RFC 1035, sections 3.2.2 and 4.1.1; RFC 3596 */
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_REFUSED 5
#define HEADER 12

struct question {
	const uint8_t *packet;
	char name[256];
	unsigned type;
	size_t end; /* of the question in the packet */
};

void
dns_server_start(struct dns_server *s, unsigned number)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(53),
				  .sin_addr.s_addr = htonl(0x7F000000 + number) };

	*s = (struct dns_server){ .number = number };
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_msg(s->fd >= 0 && bind(s->fd, (const struct sockaddr *)&at, sizeof(at)) == 0,
		      "port 53 on 127.0.0.%u: %s", number, strerror(errno));
}

void
dns_server_stop(struct dns_server *s)
{
	close(s->fd);
}

void
dns_server_prepare(const struct dns_server *s, struct pollset *p)
{
	pollset_add(p, s->fd, POLLIN);
}

static bool
read_question(const uint8_t *packet, size_t len, struct question *q)
{
	size_t at = HEADER, out = 0;

	while (at < len && packet[at] != 0) {
		size_t label = packet[at];

		if (label > 63 || at + 1 + label >= len || out + label + 2 > sizeof(q->name))
			return false;
		memcpy(q->name + out, packet + at + 1, label);
		out += label;
		q->name[out++] = '.';
		at += 1 + label;
	}
	if (at + 5 > len || out == 0)
		return false;
	q->name[out - 1] = '\0';
	q->packet = packet;
	q->type = (unsigned)packet[at + 1] << 8 | packet[at + 2];
	q->end = at + 5;
	return true;
}

static void
add16(struct buf *b, unsigned value)
{
	buf_addc(b, (char)(value >> 8));
	buf_addc(b, (char)value);
}

/* Header and question; answers follow. */
static void
begin(struct buf *b, const struct question *q, unsigned rcode, unsigned answers)
{
	buf_add(b, q->packet, 2);
	add16(b, 0x8180 | rcode); /* a response, recursion desired and available */
	add16(b, 1);
	add16(b, answers);
	add16(b, 0);
	add16(b, 0);
	buf_add(b, q->packet + HEADER, q->end - HEADER);
}

static void
add_answer(struct buf *b, unsigned owner, unsigned type, const void *data, size_t len)
{
	add16(b, 0xC000 | owner); /* a pointer to the name */
	add16(b, type);
	add16(b, 1);
	add16(b, 0);
	add16(b, 60);
	add16(b, (unsigned)len);
	buf_add(b, data, len);
}

static void
add_v4(struct buf *b, unsigned owner, unsigned last)
{
	uint8_t address[4] = { 192, 0, 2, (uint8_t)last };

	add_answer(b, owner, TYPE_A, address, sizeof(address));
}

static void
add_loopback(struct buf *b)
{
	static const uint8_t address[4] = { 127, 0, 0, 1 };

	add_answer(b, HEADER, TYPE_A, address, sizeof(address));
}

static void
add_v6(struct buf *b, unsigned last)
{
	uint8_t address[16] = { 0x20, 0x01, 0x0D, 0xB8, [15] = (uint8_t)last };

	add_answer(b, HEADER, TYPE_AAAA, address, sizeof(address));
}

static void
add_alias(struct buf *b, const struct question *q, unsigned last)
{
	static const uint8_t target[] = "\2v4\4test";
	size_t owner = q->end + 12;

	begin(b, q, 0, q->type == TYPE_A ? 2 : 1);
	add_answer(b, HEADER, TYPE_CNAME, target, sizeof(target));
	if (q->type == TYPE_A)
		add_v4(b, (unsigned)owner, last);
}

static bool
is(const struct question *q, const char *name)
{
	return strcasecmp(q->name, name) == 0;
}

static void
answer(const struct dns_server *s, const struct question *q, struct buf *b)
{
	bool v4 = q->type == TYPE_A, v6 = q->type == TYPE_AAAA;

	if (is(q, "both.test")) {
		begin(b, q, 0, v4 || v6);
		if (v4)
			add_v4(b, HEADER, s->number);
		else if (v6)
			add_v6(b, s->number);
	} else if (is(q, "v4.test") || is(q, "forged.test")) {
		begin(b, q, 0, v4);
		if (v4)
			add_v4(b, HEADER, s->number);
	} else if (is(q, "here.test")) {
		begin(b, q, 0, v4);
		if (v4)
			add_loopback(b);
	} else if (is(q, "many.test")) {
		begin(b, q, 0, v4 ? 20 : 0);
		for (unsigned i = 0; v4 && i < 20; i++)
			add_v4(b, HEADER, 100 + i);
	} else if (is(q, "alias.test")) {
		add_alias(b, q, s->number);
	} else if (is(q, "broken.test")) {
		begin(b, q, 0, 3);
	} else {
		begin(b, q,
		      is(q, "fail.test")      ? RCODE_SERVFAIL
		      : is(q, "refused.test") ? RCODE_REFUSED
					      : RCODE_NXDOMAIN,
		      0);
	}
}

static void
reply(const struct dns_server *s, const struct question *q, const struct sockaddr_in *to)
{
	struct buf b = BUF_INIT;

	answer(s, q, &b);
	if (is(q, "forged.test")) {
		struct buf forged = BUF_INIT;

		begin(&forged, q, 0, 1);
		add_v4(&forged, HEADER, 66);
		forged.data[0] ^= 1;
		sendto(s->fd, forged.data, forged.len, 0, (const struct sockaddr *)to, sizeof(*to));
		buf_free(&forged);
	}
	sendto(s->fd, b.data, b.len, 0, (const struct sockaddr *)to, sizeof(*to));
	buf_free(&b);
}

void
dns_server_dispatch(struct dns_server *s, const struct pollset *p)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct question q;
	uint8_t packet[1024];
	ssize_t n;

	if (pollset_events(p, s->fd) == 0)
		return;
	while ((n = recvfrom(s->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len)) >
	       0) {
		s->asked++;
		if (!s->mute && read_question(packet, (size_t)n, &q) && !is(&q, "silent.test"))
			reply(s, &q, &from);
		len = sizeof(from);
	}
}
