#include "updater/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

struct token {
	char *value; /* NULL: none */
	char *file;  /* NULL: the value was handed over */
	char trouble[400];
	bool seen;        /* the file was there: */
	struct stat last; /* what it was when it was read */
};

static void
replace(struct token *t, char *value)
{
	if (t->value)
		explicit_bzero(t->value, strlen(t->value));
	free(t->value);
	t->value = value;
}

void
token_free(struct token *t)
{
	if (!t)
		return;
	replace(t, NULL);
	free(t->file);
	free(t);
}

/* A mount of Kubernetes swaps a symbolic link; editors rename or write in place. */
static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Take the credential out of the file's text, in place. It becomes part of a
 * header line, so nothing but visible ASCII may stand in it. NULL with *why.
 */
static char *
trim(char *text, size_t len, const char **why)
{
	while (len > 0 && is_space(text[len - 1]))
		len--;
	while (len > 0 && is_space(*text)) {
		text++;
		len--;
	}
	*why = "is empty";
	if (len == 0)
		return NULL;
	*why = "holds something else than one token: a blank, a control character or one that is "
	       "not ASCII";
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return NULL;
	text[len] = '\0';
	return text;
}

static void
take_secret(struct token *t, const char *secret)
{
	char *copy = mem_strdup(secret), *value;
	size_t len = strlen(copy);
	const char *why;

	value = trim(copy, len, &why);
	if (value)
		t->value = mem_strdup(value);
	else
		snprintf(t->trouble, sizeof(t->trouble),
			 "the token in the environment variable GANDI_API_KEY (or API_KEY) %s",
			 why);
	explicit_bzero(copy, len);
	free(copy);
}

/* The file's text in buf, which has room for TOKEN_SIZE_MAX + 1. Its length, or -1 with *why. */
static ssize_t
slurp(const char *path, char *buf, struct stat *st, const char **why)
{
	/* a FIFO must not hold the loop */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	ssize_t n = -1;

	if (fd == -1 || fstat(fd, st) == -1) {
		*why = strerror(errno);
		goto out;
	}
	if (!S_ISREG(st->st_mode)) {
		*why = "not a regular file";
		goto out;
	}
	while (len <= TOKEN_SIZE_MAX && (n = read(fd, buf + len, TOKEN_SIZE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (n == -1)
		*why = strerror(errno);
	else if (len > TOKEN_SIZE_MAX) {
		*why = "too large for a token";
		n = -1;
	} else
		n = (ssize_t)len;
out:
	if (fd != -1)
		close(fd);
	return n;
}

bool
token_refresh(struct token *t)
{
	char buf[TOKEN_SIZE_MAX + 1], *value;
	struct stat now = { 0 };
	const char *why = NULL;
	bool changed = false;
	ssize_t len;

	if (!t->file || (t->seen && stat(t->file, &now) == 0 && same_file(&now, &t->last)))
		return false;
	t->seen = false;
	len = slurp(t->file, buf, &now, &why);
	if (len < 0) {
		snprintf(t->trouble, sizeof(t->trouble), "the token cannot be read from %.256s: %s",
			 t->file, why);
		goto out;
	}
	t->seen = true;
	t->last = now;
	value = trim(buf, (size_t)len, &why);
	if (!value) {
		snprintf(t->trouble, sizeof(t->trouble), "the token file %.256s %s", t->file, why);
		goto out;
	}
	t->trouble[0] = '\0';
	changed = !t->value || strcmp(t->value, value) != 0;
	if (changed)
		replace(t, mem_strdup(value));
out:
	explicit_bzero(buf, sizeof(buf));
	return changed;
}

struct token *
token_new(const char *secret, const char *file)
{
	struct token *t = mem_new(1, sizeof(*t));

	if (secret)
		take_secret(t, secret);
	else if (file) {
		t->file = mem_strdup(file);
		token_refresh(t);
	} else
		snprintf(t->trouble, sizeof(t->trouble),
			 "there is no token: set provider.token_file or the environment "
			 "variable GANDI_API_KEY (or API_KEY)");
	return t;
}

const char *
token_value(const struct token *t)
{
	return t->value;
}

const char *
token_trouble(const struct token *t)
{
	return t->trouble;
}

bool
token_is_file(const struct token *t)
{
	return t->file != NULL;
}
