#include "cluster/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#define LOCK_FILE "lock"
#define STATE_FILE "state.json"
#define NEW_FILE "state.json.new"
#define CORRUPT_FILE "state.json.corrupt"
#define STATE_SIZE_MAX 65536

struct local {
	char *path; /* of the directory */
	int dir_fd;
	int lock_fd; /* -1 while there is no lock */
	char holder[MSG_HOLDER_MAX];
	char trouble[MSG_REASON_MAX]; /* of the store */
	char lock_trouble[MSG_REASON_MAX];
	struct local_state state;
};

enum lock_result { LOCK_TAKEN, LOCK_FAILED, LOCK_HELD };

/* Says in a sentence what failed; logs it unless that is known already. */
static void __attribute__((format(printf, 3, 4)))
report(char *trouble, const char *event, const char *format, ...)
{
	char sentence[MSG_REASON_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	if (trouble[0] == '\0')
		log_warn(event, LOG_S("reason", sentence));
	mem_copy_text(trouble, MSG_REASON_MAX, sentence);
}

/* RFC 4122, section 4.4: 122 random bits, version 4, variant 10. */
static void
fresh_uid(char uid[MSG_UID_MAX])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort(); /* not for so few bytes, once the kernel has booted (getrandom(2)) */
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
	snprintf(uid, MSG_UID_MAX,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
}

static void
fresh_state(struct local_state *state)
{
	*state = (struct local_state){ .epoch = 0 };
	fresh_uid(state->uid);
}

/* Opens the directory, made if need be. False with errno if that fails. */
static bool
open_directory(struct local *l)
{
	if (l->dir_fd >= 0)
		return true;
	if (mkdir(l->path, 0700) != 0 && errno != EEXIST)
		return false;
	l->dir_fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->dir_fd >= 0;
}

static void
close_directory(struct local *l)
{
	if (l->dir_fd >= 0)
		close(l->dir_fd);
	l->dir_fd = -1;
}

/* The lock's holder as it wrote itself down; "" if it did not (yet). */
static void
read_holder(int fd, char *out, size_t size)
{
	ssize_t n = pread(fd, out, size - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	if (out[strspn(out, "0123456789")] == '\n')
		out[strspn(out, "0123456789")] = '\0';
	else
		out[0] = '\0';
}

/* For people only: the lock is flock(2)'s, and ends with the process. */
static void
write_holder(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		log_debug("the lock file does not take the process id",
			  LOG_S("error", strerror(errno)));
}

static enum lock_result
take_lock(struct local *l)
{
	char pid[24];
	int fd;

	if (l->lock_fd >= 0)
		return LOCK_TAKEN;
	fd = openat(l->dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
	if (fd < 0 && (errno == EROFS || errno == EACCES)) /* flock(2) asks for no write access */
		fd = openat(l->dir_fd, LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		report(l->lock_trouble, "the lock cannot be taken",
		       "cannot open %.200s/" LOCK_FILE ": %s", l->path, strerror(errno));
		return LOCK_FAILED;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		write_holder(fd);
		l->lock_fd = fd;
		l->lock_trouble[0] = '\0';
		return LOCK_TAKEN;
	}
	if (errno != EWOULDBLOCK) {
		report(l->lock_trouble, "the lock cannot be taken",
		       "cannot lock %.200s/" LOCK_FILE ": %s", l->path, strerror(errno));
		close(fd);
		return LOCK_FAILED;
	}
	read_holder(fd, pid, sizeof(pid));
	snprintf(l->lock_trouble, sizeof(l->lock_trouble),
		 "%.200s/" LOCK_FILE " is held by %s%s, which leads here", l->path,
		 pid[0] != '\0' ? "process " : "another process", pid);
	close(fd);
	return LOCK_HELD;
}

/* The file's text, NUL-terminated; NULL with *why or, where there is no file, with *why NULL. */
static char *
read_file(int dir_fd, size_t *len, const char **why)
{
	int fd = openat(dir_fd, STATE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t n = 1;

	*len = 0;
	*why = NULL;
	if (fd < 0) {
		if (errno != ENOENT)
			*why = strerror(errno);
		return NULL;
	}
	if (fstat(fd, &st) != 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "is not a regular file";
	else if (st.st_size > STATE_SIZE_MAX)
		*why = "is too large";
	else
		text = mem_new(STATE_SIZE_MAX + 1, 1);
	while (text != NULL && n > 0 && *len < STATE_SIZE_MAX) {
		n = read(fd, text + *len, STATE_SIZE_MAX - *len);
		if (n > 0)
			*len += (size_t)n;
	}
	if (n < 0) {
		*why = strerror(errno);
		free(text);
		text = NULL;
	}
	close(fd);
	return text;
}

static void
read_state(struct local *l)
{
	const char *why;
	size_t len;
	char *text = read_file(l->dir_fd, &len, &why);

	if (text != NULL && local_parse(text, len, &l->state, &why) == 0) {
		free(text);
		return;
	}
	free(text);
	fresh_state(&l->state);
	if (why == NULL) {
		log_info("no state is kept yet; starting anew", LOG_S("dir", l->path));
		return;
	}
	if (renameat(l->dir_fd, STATE_FILE, l->dir_fd, CORRUPT_FILE) == 0)
		log_error("the state file cannot be used; it is set aside and rebuilt",
			  LOG_S("dir", l->path), LOG_S("reason", why),
			  LOG_S("kept_as", CORRUPT_FILE));
	else
		log_error("the state file cannot be used, nor set aside; it is rebuilt",
			  LOG_S("dir", l->path), LOG_S("reason", why),
			  LOG_S("error", strerror(errno)));
}

bool
local_peek(const char *state_dir, struct local_state *out, const char **why)
{
	int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	size_t len;
	char *text;

	*why = strerror(errno);
	if (dir_fd < 0)
		return false;
	text = read_file(dir_fd, &len, why);
	close(dir_fd);
	if (text != NULL)
		found = local_parse(text, len, out, why) == 0;
	else if (*why == NULL)
		*why = "nothing is stored there yet";
	free(text);
	return found;
}

static bool
write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_new_file(int dir_fd, const char *text)
{
	bool done;
	int fd, saved;

	/* what a crash left behind; O_EXCL refuses a link that was put there since */
	unlinkat(dir_fd, NEW_FILE, 0);
	fd = openat(dir_fd, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	done = write_whole(fd, text, strlen(text)) && fsync(fd) == 0;
	saved = errno;
	close(fd);
	errno = saved;
	return done;
}

/* Replaces the state file. False with errno if that fails. */
static bool
write_state(struct local *l)
{
	char *text = local_print(&l->state);
	bool done = write_new_file(l->dir_fd, text) &&
		    renameat(l->dir_fd, NEW_FILE, l->dir_fd, STATE_FILE) == 0 &&
		    fsync(l->dir_fd) == 0;
	int saved = errno;

	free(text);
	if (!done)
		unlinkat(l->dir_fd, NEW_FILE, 0);
	errno = saved;
	return done;
}

/* Writes what is in memory; what is wrong then stands in trouble. */
static int
keep(struct local *l)
{
	if (!open_directory(l)) {
		report(l->trouble, "the state cannot be kept; going on in memory",
		       "cannot open %.200s: %s", l->path, strerror(errno));
		return -1;
	}
	/* where the lock could not be had at first, another may have it by now: it owns the file */
	if (take_lock(l) == LOCK_HELD) {
		report(l->trouble, "the state cannot be kept; going on in memory", "%s",
		       l->lock_trouble);
		return -1;
	}
	if (!write_state(l)) {
		report(l->trouble, "the state cannot be kept; going on in memory",
		       "cannot write %.200s/" STATE_FILE ": %s", l->path, strerror(errno));
		close_directory(l); /* it may be another one by the next time */
		return -1;
	}
	if (l->trouble[0] != '\0')
		log_info("the state can be kept again", LOG_S("dir", l->path));
	l->trouble[0] = '\0';
	return 0;
}

/*
 * Numbers that could not be stored would be handed out again after the next
 * start, and followers would take them for old ones: then, and where the epoch
 * has come to its end, they count for an object of their own, with its own uid.
 */
static void
begin_epoch(struct local *l)
{
	if (l->state.epoch >= MSG_EPOCH_MAX) {
		fresh_uid(l->state.uid);
		l->state.epoch = 0;
	}
	l->state.epoch++;
	if (keep(l) != 0)
		fresh_uid(l->state.uid);
}

static void
name_holder(struct local *l)
{
	char host[65] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		strcpy(host, "localhost");
	snprintf(l->holder, sizeof(l->holder), "%s:%d", host, (int)getpid());
}

struct local *
local_open(const char *state_dir, const char **why)
{
	static char sentence[MSG_REASON_MAX];
	struct local *l = mem_new(1, sizeof(*l));

	*why = NULL;
	l->path = mem_strdup(state_dir);
	l->dir_fd = l->lock_fd = -1;
	name_holder(l);
	fresh_state(&l->state);
	if (open_directory(l)) {
		if (take_lock(l) == LOCK_HELD) {
			mem_copy_text(sentence, sizeof(sentence), l->lock_trouble);
			*why = sentence;
			local_close(l);
			return NULL;
		}
		read_state(l);
	}
	begin_epoch(l);
	return l;
}

void
local_close(struct local *l)
{
	if (l == NULL)
		return;
	close_directory(l);
	if (l->lock_fd >= 0)
		close(l->lock_fd); /* the file stays: removing it would race with the next holder */
	free(l->path);
	free(l);
}

const struct local_state *
local_state(const struct local *l)
{
	return &l->state;
}

const char *
local_holder(const struct local *l)
{
	return l->holder;
}

const char *
local_trouble(const struct local *l)
{
	return l->trouble[0] != '\0' ? l->trouble : l->lock_trouble;
}

int
local_store(struct local *l, const struct local_state *state)
{
	struct local_state next = *state;

	memcpy(next.uid, l->state.uid, sizeof(next.uid));
	next.epoch = l->state.epoch;
	l->state = next;
	return keep(l);
}
