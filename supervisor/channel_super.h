/*
 * The supervisor's side of the channel to a worker: one SEQPACKET socketpair
 * that carries sd_notify's lines upwards and commands downwards. See
 * ipc/channel.h for the other end. Whatever comes up is hostile: bounded,
 * parsed strictly, unknown keys ignored.
 */
#ifndef SUPERVISOR_CHANNEL_SUPER_H
#define SUPERVISOR_CHANNEL_SUPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTICE_STATUS_MAX 256
#define NOTICE_STATE_MAX 4096

/* One datagram of K=V lines, as sd_notify(3) defines them. */
struct notice {
	bool ready;    /* READY=1 */
	bool ping;     /* WATCHDOG=1 */
	bool stopping; /* STOPPING=1 */
	bool has_status;
	char status[NOTICE_STATUS_MAX]; /* STATUS=, cut off, control characters as '?' */
	int64_t extend_ms;              /* EXTEND_TIMEOUT_USEC=; -1 if there is none */
	int error_number;               /* ERRNO=; 0 if there is none */
	char state[NOTICE_STATE_MAX];   /* X_STATE=, not looked into; "" if there is none */
};

/* False for a datagram that is not of that form: empty, a NUL, a line without '='. */
bool notice_parse(const char *text, size_t len, struct notice *out);

/* Both ends are CLOEXEC and do not block. 0, or -1 with errno. */
int channel_super_pair(int *ours, int *theirs);

enum channel_super_result {
	CHANNEL_SUPER_NONE,    /* nothing waits */
	CHANNEL_SUPER_NOTICE,  /* *out was filled */
	CHANNEL_SUPER_REFUSED, /* a datagram came that is none of sd_notify's, or is too long */
	CHANNEL_SUPER_CLOSED   /* the other end is gone */
};

/* Descriptors that a worker sends along are closed unseen by the kernel. */
enum channel_super_result channel_super_receive(int fd, struct notice *out);

/*
 * Send one datagram down, with pass_fd along unless it is -1; never blocks.
 * 0, or -1 with errno: EAGAIN if the worker does not read, try again later.
 */
int channel_super_send(int fd, const char *text, int pass_fd);

#endif
