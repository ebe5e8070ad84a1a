#include "supervisor/channel_super.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/mem.h"

#define DATAGRAM_MAX 4096 /* sd_notify's; the same as CHANNEL_UP_MAX */

/* A whole number of at most 18 digits, or -1. */
static int64_t
number(const char *text)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 18; i++)
		n = n * 10 + (text[i] - '0');
	return i > 0 && text[i] == '\0' ? n : -1;
}

static void
take_status(struct notice *out, const char *value)
{
	mem_copy_text(out->status, sizeof(out->status), value);
	for (char *p = out->status; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = '?';
	out->has_status = true;
}

static void
take_line(struct notice *out, const char *key, const char *value)
{
	int64_t n;

	if (strcmp(key, "READY") == 0) {
		out->ready = out->ready || strcmp(value, "1") == 0;
	} else if (strcmp(key, "WATCHDOG") == 0) {
		out->ping = out->ping || strcmp(value, "1") == 0;
	} else if (strcmp(key, "STOPPING") == 0) {
		out->stopping = out->stopping || strcmp(value, "1") == 0;
	} else if (strcmp(key, "STATUS") == 0) {
		take_status(out, value);
	} else if (strcmp(key, "EXTEND_TIMEOUT_USEC") == 0) {
		n = number(value);
		out->extend_ms = n >= 0 ? n / 1000 : -1;
	} else if (strcmp(key, "ERRNO") == 0) {
		n = number(value);
		out->error_number = n > 0 && n < 4096 ? (int)n : 0;
	} else if (strcmp(key, "X_STATE") == 0) {
		mem_copy_text(out->state, sizeof(out->state), value);
	}
}

bool
notice_parse(const char *text, size_t len, struct notice *out)
{
	char copy[DATAGRAM_MAX], *line, *rest = copy;

	*out = (struct notice){ .extend_ms = -1 };
	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *value = strchr(line, '=');

		if (line[0] == '\0')
			continue;
		if (value == NULL || value == line)
			return false;
		*value++ = '\0';
		take_line(out, line, value);
	}
	return true;
}

int
channel_super_pair(int *ours, int *theirs)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	*ours = fds[0];
	*theirs = fds[1];
	return 0;
}

enum channel_super_result
channel_super_receive(int fd, struct notice *out)
{
	char text[DATAGRAM_MAX];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? CHANNEL_SUPER_NONE : CHANNEL_SUPER_CLOSED;
	/* an empty datagram looks like the end of the file, and no worker sends one */
	if (n == 0)
		return CHANNEL_SUPER_CLOSED;
	if ((size_t)n > sizeof(text) || !notice_parse(text, (size_t)n, out))
		return CHANNEL_SUPER_REFUSED;
	return CHANNEL_SUPER_NOTICE;
}

int
channel_super_send(int fd, const char *text, int pass_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (pass_fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
	}
	do {
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}
