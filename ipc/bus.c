#include "ipc/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "ipc/message.h"

#define RESEND_MS 30000 /* the whole state again, without a reason */
/* At most five times in any second, however many subscribers come; the first does not wait. */
#define COALESCE_MS 250
#define LINGER_MS 50     /* what nng has not sent when a listener is closed is lost */
#define SILENCE_MS 75000 /* two resends missed, and a margin */
#define PROBE_MS 5000    /* in which a new connection of one's own must be served */
/* With every second resend: each probe costs some 40 switches between threads. */
#define PROBE_EVERY_MS 60000
/*
 * At a start, and where the publisher is only started again, the connection
 * comes within tens of milliseconds; one that stays away is tried seldom, since
 * each attempt wakes several of nng's threads.
 */
#define RECONNECT_MIN_MS 10
#define RECONNECT_SOON_MS 40
#define HOPEFUL_MS 3000 /* how long after a loss */
/*
 * After that its socket is looked at, and dialled when it is another one than before;
 * and from time to time if it is there at all. An attempt of nng's costs some 60 switches
 * between its threads, a look costs one.
 */
#define LOOK_MS 1000
#define RETRY_MS 30000
#define RETRY_TCP_MS 5000
#define RECEIVE_BUDGET 64 /* messages in one pass: a flood must not starve the loop */
/* Messages that wait for one subscriber: a whole state (each record has one) must fit. */
#define QUEUE_LENGTH 256

struct bus_publisher {
	nng_socket socket;
	char *url;
	nng_listener listener;
	int probe;        /* see start_probe(); -1 while there is none */
	int64_t probe_ms; /* until when it must be answered; CLOCK_NEVER: it was */
	bool listening;   /* or it did: there may be connections */
	int lock;         /* held as long as the path is ours; -1 with TCP */
	unsigned max;     /* subscribers; 0: no limit */
	atomic_uint pipes;
	int wake; /* eventfd: written by nng's threads when a subscriber came */
	bool resend;
	int64_t next_probe_ms;
	bool probed;    /* the periodic state is due, and the probe's connection will ask for it */
	int64_t due_ms; /* when the state was asked for last */
	int64_t paced_ms; /* until then those before count as too close; see may_send_ms() */
	int64_t sent_ms;  /* the last message; for the linger */
	struct log_limit failures;
};

struct bus_subscriber {
	nng_socket socket;
	nng_dialer dialer;
	bool dialing;
	char *url;
	int receive_fd; /* nng's */
	int wake;       /* eventfd: written by nng's threads when the connection comes or goes */
	atomic_int pipes;
	int64_t hopeful_ms; /* until then a lost connection is expected back */
	int64_t look_ms;    /* while nothing is dialled: the next look at the socket */
	int64_t retry_ms;
	struct stat seen; /* the socket, as looked at last */
	int64_t heard_ms;
	unsigned budget;
	nng_msg *msg; /* handed out by bus_receive() */
};

static void
wake_loop(int fd)
{
	uint64_t one = 1;

	/* it fails only where the counter is full, and then the loop wakes up anyway */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static bool
take_wake(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static int
new_wake(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0) {
		log_error("no eventfd can be made", LOG_S("error", strerror(errno)));
		exit(EXIT_FAILURE); /* out of descriptors: the supervisor starts it afresh */
	}
	return fd;
}

static bool
path_fits(const char *path)
{
	return strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

/*
 * Make the path free: NULL, or what is wrong with it. Who holds the lock beside
 * the socket owns the path, so a socket found there was left by a dead process.
 * Trying to connect instead would harm a living one: a peer that is gone before
 * nng has sent its greeting ends nng's listener for good (nng 1.5.2 takes EPIPE
 * for its own closing).
 */
static const char *
claim_path(struct bus_publisher *p, const char *path)
{
	char *lock = mem_printf("%.*s.lock", (int)(strlen(path) - strlen(".sock")), path);
	struct stat st;

	if (!path_fits(path)) {
		free(lock);
		return "the path is too long for a socket";
	}
	p->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	free(lock);
	if (p->lock < 0)
		return strerror(errno);
	if (flock(p->lock, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? "another process does" : strerror(errno);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return "what is there is not a socket";
	if (unlink(path) != 0 && errno != ENOENT)
		return strerror(errno);
	return NULL;
}

/* Runs on a thread of nng. Counted from ADD_PRE on: see connection_changed(). */
static void
subscriber_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_publisher *p = arg;

	if (event == NNG_PIPE_EV_ADD_POST)
		wake_loop(p->wake);
	else if (event == NNG_PIPE_EV_REM_POST)
		atomic_fetch_sub(&p->pipes, 1);
	else if (atomic_fetch_add(&p->pipes, 1) >= p->max && p->max > 0)
		nng_pipe_close(pipe);
}

static bool
is_tcp(const struct bus_publisher *p)
{
	return p->lock < 0;
}

static int
listen_anew(struct bus_publisher *p)
{
	int rc = nng_listener_create(&p->listener, p->socket, p->url);

	if (rc == 0 && !is_tcp(p))
		rc = nng_listener_set_int(p->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rc == 0 && is_tcp(p))
		rc = nng_listener_set_bool(p->listener, NNG_OPT_TCP_KEEPALIVE, true);
	return rc == 0 ? nng_listener_start(p->listener, 0) : rc;
}

static int
publisher_listen(struct bus_publisher *p)
{
	int rc;

	if ((rc = nng_pub0_open(&p->socket)) == 0 &&
	    (rc = nng_socket_set_int(p->socket, NNG_OPT_SENDBUF, QUEUE_LENGTH)) == 0 &&
	    (rc = nng_socket_set_size(p->socket, NNG_OPT_RECVMAXSZ, BUS_SIZE_MAX)) == 0 &&
	    (rc = nng_pipe_notify(p->socket, NNG_PIPE_EV_ADD_PRE, subscriber_changed, p)) == 0 &&
	    (rc = nng_pipe_notify(p->socket, NNG_PIPE_EV_ADD_POST, subscriber_changed, p)) == 0 &&
	    (rc = nng_pipe_notify(p->socket, NNG_PIPE_EV_REM_POST, subscriber_changed, p)) == 0)
		rc = listen_anew(p);
	p->listening = rc == 0;
	return rc;
}

static void
end_probe(struct bus_publisher *p)
{
	if (p->probe >= 0)
		close(p->probe);
	p->probe = -1;
	p->probe_ms = CLOCK_NEVER;
}

/*
 * A subscriber that is killed while it connects may end nng's listener (see
 * claim_path()), and nothing tells us: new subscribers would be connected by the
 * kernel and never served. So the publisher connects to itself from time to
 * time, as a subscriber does that waits for the greeting; if none comes, the
 * listener is made anew. (With a socket of its own, since nng loses the memory of
 * connections that are closed before they are greeted.)
 */
static void
start_probe(struct bus_publisher *p, int64_t now_ms)
{
	/* nng's greeting, of a subscriber; scalability protocols, TCP mapping 1.0 */
	static const unsigned char greeting[8] = { 0, 'S', 'P', 0, 0, 33, 0, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	end_probe(p);
	p->probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->probe < 0)
		return; /* out of descriptors: tried again with the next resend */
	mem_copy_text(address.sun_path, sizeof(address.sun_path), p->url + strlen("ipc://"));
	/* refused, or a queue that nobody empties: no greeting will come */
	if (connect(p->probe, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(p->probe, greeting, sizeof(greeting), MSG_NOSIGNAL) != (ssize_t)sizeof(greeting))
		end_probe(p);
	p->probe_ms = now_ms + PROBE_MS;
}

/* Ends the probe when the greeting has come, and not before: that would end the listener. */
static void
read_probe(struct bus_publisher *p)
{
	unsigned char greeting[8];
	ssize_t n = p->probe >= 0 ? recv(p->probe, greeting, sizeof(greeting), 0) : -1;
	int64_t until_ms = p->probe_ms;

	if (p->probe < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	end_probe(p);
	if (n <= 0)
		p->probe_ms = until_ms; /* closed without one: nobody serves it */
}

static void
replace_listener(struct bus_publisher *p)
{
	int rc;

	end_probe(p);
	nng_listener_close(p->listener);
	rc = listen_anew(p);
	log_warn("the bus served no new connection; its listener was made anew",
		 LOG_S("url", p->url), LOG_S("error", rc != 0 ? nng_strerror(rc) : NULL));
}

static struct bus_publisher *
new_publisher(void)
{
	struct bus_publisher *p = mem_new(1, sizeof(*p));

	p->lock = p->probe = -1;
	p->probe_ms = CLOCK_NEVER;
	p->wake = new_wake();
	p->resend = true;
	p->failures = (struct log_limit){ .burst = 1, .interval_ms = 60000 };
	return p;
}

struct bus_publisher *
bus_publisher_new_tcp(const char *url, unsigned max, const char **why)
{
	static char sentence[512];
	struct bus_publisher *p = new_publisher();
	int rc;

	p->max = max;
	p->url = mem_strdup(url);
	rc = publisher_listen(p);
	if (rc == 0) {
		*why = NULL;
		return p;
	}
	snprintf(sentence, sizeof(sentence), "cannot listen at %.300s: %s", url, nng_strerror(rc));
	*why = sentence;
	bus_publisher_free(p);
	return NULL;
}

unsigned
bus_subscribers(const struct bus_publisher *p)
{
	return atomic_load(&p->pipes);
}

struct bus_publisher *
bus_publisher_new(const char *dir, const char *name, const char **why)
{
	static char sentence[512];
	struct bus_publisher *p = new_publisher();
	char *path = mem_printf("%s/%s.sock", dir, name);
	const char *trouble;
	int rc;

	*why = sentence;
	trouble = claim_path(p, path);
	if (trouble != NULL) {
		snprintf(sentence, sizeof(sentence), "cannot listen at %.300s: %s", path, trouble);
		goto fail;
	}
	p->url = mem_printf("ipc://%s", path);
	rc = publisher_listen(p);
	if (rc != 0) {
		snprintf(sentence, sizeof(sentence), "cannot listen at %.300s: %s", path,
			 nng_strerror(rc));
		goto fail;
	}
	*why = NULL;
	free(path);
	return p;
fail:
	free(path);
	bus_publisher_free(p);
	return NULL;
}

/*
 * A socket that had a connection is not closed: if the other end goes at that moment,
 * nng_close() of nng 1.5.2 may wait for ever, and the process with it. Closing a listener
 * or a dialer ends its connections, and waits for nothing. So there is one socket for each
 * purpose of a process, and what its callbacks use stays until the process ends.
 */
void
bus_publisher_free(struct bus_publisher *p)
{
	int64_t rest;

	if (p == NULL)
		return;
	end_probe(p);
	if (p->listening) {
		rest = p->sent_ms != 0 ? p->sent_ms + LINGER_MS - clock_now() : 0;
		if (rest > 0)
			nanosleep(&(struct timespec){ .tv_nsec = rest * 1000000 }, NULL);
		nng_listener_close(p->listener);
	} else if (nng_socket_id(p->socket) > 0) {
		nng_close(p->socket);
	}
	if (p->lock >= 0)
		close(p->lock); /* the file stays: removing it would race with the next holder */
	p->lock = -1;
	if (p->listening)
		return;
	close(p->wake);
	free(p->url);
	free(p);
}

void
bus_publish(struct bus_publisher *p, const char *json)
{
	size_t len = strlen(json);

	if (len > MSG_SIZE_MAX)
		log_error("a message is too long and was not sent", LOG_I("bytes", len));
	else
		bus_publish_bytes(p, json, len);
}

void
bus_publish_bytes(struct bus_publisher *p, const char *data, size_t len)
{
	int64_t now_ms = clock_now();
	int rc;

	/* the protocol drops for a slow subscriber and never blocks */
	rc = nng_send(p->socket, (void *)data, len, NNG_FLAG_NONBLOCK);
	if (rc != 0 && log_allowed(&p->failures, now_ms))
		log_warn("a message could not be sent", LOG_S("error", nng_strerror(rc)));
	p->sent_ms = now_ms;
}

/* When the state goes out next. Two may follow each other at once, a third keeps the pace. */
static int64_t
may_send_ms(const struct bus_publisher *p)
{
	if (p->due_ms == 0)
		return 0;
	if (p->resend)
		return p->paced_ms - COALESCE_MS;
	return p->due_ms + RESEND_MS + (p->probed ? PROBE_MS : 0);
}

void
bus_publisher_prepare(struct bus_publisher *p, struct pollset *set, int64_t now_ms)
{
	int64_t next_ms = may_send_ms(p);

	pollset_add(set, p->wake, POLLIN);
	if (p->probe >= 0)
		pollset_add(set, p->probe, POLLIN);
	pollset_wake_at(set, next_ms < now_ms ? now_ms : next_ms);
	pollset_wake_at(set, p->probe_ms);
}

bool
bus_due(struct bus_publisher *p, const struct pollset *set, int64_t now_ms)
{
	if ((pollset_events(set, p->wake) & POLLIN) != 0 && take_wake(p->wake))
		p->resend = true;
	read_probe(p);
	if (now_ms >= p->probe_ms)
		replace_listener(p);
	if (now_ms < may_send_ms(p))
		return false;
	/* over TCP the listener survives such a peer (seen with resets of 1,000 connections) */
	if (p->due_ms != 0 && !p->resend && !p->probed && !is_tcp(p) &&
	    now_ms >= p->next_probe_ms) {
		p->next_probe_ms = now_ms + PROBE_EVERY_MS;
		/* it is a new connection too, after which the state goes out: once is enough */
		start_probe(p, now_ms);
		p->probed = true;
		return false;
	}
	p->resend = p->probed = false;
	p->due_ms = now_ms;
	p->paced_ms = (p->paced_ms > now_ms ? p->paced_ms : now_ms) + COALESCE_MS;
	return true;
}

/*
 * Runs on a thread of nng. A pipe that is closed while it is added, as by
 * become_patient(), ends without ADD_POST, but never without ADD_PRE: counted from
 * there, what is added and what is taken off are in balance.
 */
static void
connection_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_subscriber *s = arg;

	(void)pipe;
	atomic_fetch_add(&s->pipes, event == NNG_PIPE_EV_ADD_PRE ? 1 : -1);
	wake_loop(s->wake);
}

/* Look at the socket: is it another one than before? */
static bool
is_new_socket(struct bus_subscriber *s)
{
	struct stat st = { .st_ino = 0 };
	bool other;

	if (stat(s->url + strlen("ipc://"), &st) != 0)
		st = (struct stat){ .st_ino = 0 };
	other = st.st_ino != s->seen.st_ino || st.st_ctim.tv_sec != s->seen.st_ctim.tv_sec ||
		st.st_ctim.tv_nsec != s->seen.st_ctim.tv_nsec;
	s->seen = st;
	return other && st.st_ino != 0;
}

static void
subscriber_dial(struct bus_subscriber *s)
{
	int rc;

	/* one that takes its place from now on is found, whether this attempt meets it or not */
	is_new_socket(s);
	rc = nng_dialer_create(&s->dialer, s->socket, s->url);
	/* without waiting: nng goes on trying on its own */
	if (rc == 0)
		rc = nng_dialer_start(s->dialer, NNG_FLAG_NONBLOCK);
	s->dialing = rc == 0;
	s->look_ms = s->retry_ms = CLOCK_NEVER;
	if (rc != 0)
		log_error("the bus cannot be dialled", LOG_S("url", s->url),
			  LOG_S("error", nng_strerror(rc)));
}

static int
subscriber_open(struct bus_subscriber *s)
{
	int rc;

	if ((rc = nng_sub0_open(&s->socket)) == 0 &&
	    (rc = nng_socket_set_int(s->socket, NNG_OPT_RECVBUF, QUEUE_LENGTH)) == 0 &&
	    (rc = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, BUS_SIZE_MAX)) == 0 &&
	    (rc = nng_socket_set_ms(s->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS)) == 0 &&
	    (rc = nng_socket_set_ms(s->socket, NNG_OPT_RECONNMAXT, RECONNECT_SOON_MS)) == 0 &&
	    (rc = nng_socket_set(s->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0)) == 0 &&
	    (rc = nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_PRE, connection_changed, s)) == 0 &&
	    (rc = nng_pipe_notify(s->socket, NNG_PIPE_EV_REM_POST, connection_changed, s)) == 0)
		rc = nng_socket_get_int(s->socket, NNG_OPT_RECVFD, &s->receive_fd);
	return rc;
}

static struct bus_subscriber *
new_subscriber(char *url)
{
	struct bus_subscriber *s = mem_new(1, sizeof(*s));
	int rc;

	s->wake = new_wake();
	s->url = url;
	s->budget = RECEIVE_BUDGET;
	s->heard_ms = clock_now();
	s->hopeful_ms = s->heard_ms + HOPEFUL_MS;
	s->look_ms = s->retry_ms = CLOCK_NEVER;
	rc = subscriber_open(s);
	if (rc != 0) {
		log_error("no bus socket can be made", LOG_S("error", nng_strerror(rc)));
		exit(EXIT_FAILURE); /* out of memory or descriptors: the supervisor starts it afresh
				     */
	}
	return s;
}

struct bus_subscriber *
bus_subscriber_new_tcp(void)
{
	return new_subscriber(NULL);
}

void
bus_subscriber_dial(struct bus_subscriber *s, const char *url)
{
	if (s->dialing)
		nng_dialer_close(s->dialer);
	s->dialing = false;
	s->look_ms = s->retry_ms = CLOCK_NEVER;
	free(s->url);
	s->url = mem_strdup(url);
	if (url == NULL)
		return;
	s->heard_ms = clock_now();
	s->hopeful_ms = s->heard_ms + HOPEFUL_MS;
	subscriber_dial(s);
}

struct bus_subscriber *
bus_subscriber_new(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s.sock", dir, name);
	struct bus_subscriber *s = new_subscriber(mem_printf("ipc://%s", path));

	if (path_fits(path))
		subscriber_dial(s);
	else
		log_error("the bus cannot be dialled: the path is too long for a socket",
			  LOG_S("path", path));
	free(path);
	return s;
}

/* See bus_publisher_free(). */
void
bus_subscriber_free(struct bus_subscriber *s)
{
	if (s == NULL)
		return;
	nng_msg_free(s->msg);
	s->msg = NULL;
	if (s->dialing)
		nng_dialer_close(s->dialer);
	s->dialing = false;
}

void
bus_subscriber_prepare(struct bus_subscriber *s, struct pollset *set, int64_t now_ms)
{
	int64_t next_ms = s->heard_ms + SILENCE_MS;

	s->budget = RECEIVE_BUDGET;
	pollset_add(set, s->receive_fd, POLLIN);
	pollset_add(set, s->wake, POLLIN);
	if (!bus_connected(s))
		next_ms = s->dialing ? s->hopeful_ms : s->look_ms;
	pollset_wake_at(set, next_ms < now_ms ? now_ms : next_ms);
}

const char *
bus_receive(struct bus_subscriber *s, size_t *len)
{
	*len = 0;
	nng_msg_free(s->msg);
	s->msg = NULL;
	if (s->budget == 0 || nng_recvmsg(s->socket, &s->msg, NNG_FLAG_NONBLOCK) != 0) {
		s->msg = NULL;
		return NULL;
	}
	s->budget--;
	s->heard_ms = clock_now();
	*len = nng_msg_len(s->msg);
	if (nng_msg_append(s->msg, "", 1) != 0)
		abort(); /* out of memory */
	return nng_msg_body(s->msg);
}

bool
bus_connected(const struct bus_subscriber *s)
{
	return atomic_load(&s->pipes) > 0;
}

static bool
is_local(const struct bus_subscriber *s)
{
	return strncmp(s->url, "ipc://", strlen("ipc://")) == 0;
}

/* Nobody came back: wait for the publisher's socket instead of dialling all the time. */
static void
become_patient(struct bus_subscriber *s, int64_t now_ms)
{
	nng_dialer_close(s->dialer);
	s->dialing = false;
	s->look_ms = now_ms + (is_local(s) ? LOOK_MS : RETRY_TCP_MS);
	s->retry_ms = now_ms + (is_local(s) ? RETRY_MS : RETRY_TCP_MS);
}

/* Where there is no socket, as with a unit that is disabled, nothing can be met. */
static void
look_for_publisher(struct bus_subscriber *s, int64_t now_ms)
{
	s->look_ms = now_ms + LOOK_MS;
	if (is_local(s) && !is_new_socket(s) && (now_ms < s->retry_ms || s->seen.st_ino == 0))
		return;
	s->hopeful_ms = now_ms + HOPEFUL_MS;
	subscriber_dial(s);
}

void
bus_subscriber_tick(struct bus_subscriber *s, int64_t now_ms)
{
	/* nothing but the descriptor tells of a change: one that were left readable would spin */
	if (take_wake(s->wake)) {
		s->heard_ms = now_ms;
		s->hopeful_ms = now_ms + HOPEFUL_MS;
	} else if (!bus_connected(s) && s->dialing && now_ms >= s->hopeful_ms) {
		become_patient(s, now_ms);
	} else if (!bus_connected(s) && !s->dialing && now_ms >= s->look_ms) {
		look_for_publisher(s, now_ms);
	}
	if (!bus_connected(s) || now_ms - s->heard_ms < SILENCE_MS)
		return;
	log_warn("the bus is silent and is dialled anew", LOG_S("url", s->url));
	s->heard_ms = now_ms;
	s->hopeful_ms = now_ms + HOPEFUL_MS;
	if (s->dialing)
		nng_dialer_close(s->dialer);
	subscriber_dial(s);
}

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/*
 * nng 1.5.2 loses a message that waits for a pipe, and a pipe that is being made, when
 * the other end goes at that moment: once for each such end, and mostly at our own.
 */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libnng.so";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif
