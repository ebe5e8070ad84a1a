#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/kube_private.h"
#include "common/clock.h"
#include "common/mem.h"

#define TOKEN_PERIOD_MS 60000
#define CA_PERIOD_MS 300000
#define TOKEN_MAX 16384
#define CA_MAX (1024 * 1024)

/*
 * The file's text, NUL-ended and free of other NULs, for wipe(). NULL with *why.
 * It is always opened anew: a mount of Kubernetes swaps a symbolic link.
 */
static char *
slurp(const char *path, size_t max, const char **why)
{
	/* a FIFO must not hold the loop */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = mem_new(max + 1, 1);
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;

	*why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "it is not a regular file";
	while (*why == NULL && len <= max && (n = read(fd, text + len, max + 1 - len)) > 0)
		len += (size_t)n;
	if (*why == NULL && n < 0)
		*why = strerror(errno);
	else if (*why == NULL && len > max)
		*why = "it is too large";
	else if (*why == NULL && strlen(text) != len)
		*why = "it holds a NUL character";
	if (fd >= 0)
		close(fd);
	if (*why == NULL)
		return text;
	explicit_bzero(text, max + 1);
	free(text);
	return NULL;
}

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without the white space around it, in place. NULL with *why if it is no token. */
static char *
trim(char *text, const char **why)
{
	size_t len = strlen(text);

	while (len > 0 && is_space(text[len - 1]))
		text[--len] = '\0';
	while (is_space(*text))
		text++;
	*why = "it is empty";
	if (*text == '\0')
		return NULL;
	*why = "it holds something else than one token";
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return NULL;
	return text;
}

static void
read_token(struct kube_credentials *c)
{
	const char *why, *path = c->access->token_file;
	char *text = slurp(path, TOKEN_MAX, &why), *token;
	size_t len = text != NULL ? strlen(text) : 0;

	token = text != NULL ? trim(text, &why) : NULL;
	if (token == NULL) {
		snprintf(c->token_trouble, sizeof(c->token_trouble),
			 "the API server's token cannot be read from %.180s: %s", path, why);
	} else {
		c->token_trouble[0] = '\0';
		if (c->token == NULL || strcmp(c->token, token) != 0) {
			wipe(c->token);
			c->token = mem_strdup(token);
			c->token_number++;
		}
	}
	if (text != NULL)
		explicit_bzero(text, len);
	free(text);
}

static void
read_ca(struct kube_credentials *c)
{
	const char *why, *path = c->access->ca_file;
	char *text = slurp(path, CA_MAX, &why);

	if (text != NULL && strstr(text, "-----BEGIN CERTIFICATE-----") == NULL) {
		why = "it holds no certificate";
		free(text);
		text = NULL;
	}
	if (text == NULL) {
		snprintf(c->ca_trouble, sizeof(c->ca_trouble),
			 "the API server's certificate authority cannot be read from %.180s: %s",
			 path, why);
		return;
	}
	c->ca_trouble[0] = '\0';
	free(c->ca);
	c->ca = mem_strdup(text);
	free(text);
}

void
kube_credentials_init(struct kube_credentials *c, const struct kube_access *access, int64_t now_ms)
{
	*c = (struct kube_credentials){
		.access = access,
		.token = access->token_file == NULL ? mem_strdup(access->token) : NULL,
		.ca = mem_strdup(access->ca_data),
		.token_due_ms = access->token_file != NULL ? now_ms : CLOCK_NEVER,
		.ca_due_ms =
			access->ca_file != NULL && access->ca_data == NULL ? now_ms : CLOCK_NEVER,
	};
	kube_credentials_tick(c, now_ms);
}

void
kube_credentials_clear(struct kube_credentials *c)
{
	wipe(c->token);
	free(c->ca);
}

void
kube_credentials_tick(struct kube_credentials *c, int64_t now_ms)
{
	if (now_ms >= c->token_due_ms) {
		read_token(c);
		c->token_due_ms = now_ms + TOKEN_PERIOD_MS;
	}
	if (now_ms >= c->ca_due_ms) {
		read_ca(c);
		/* without any nothing works: look again sooner */
		c->ca_due_ms = now_ms + (c->ca != NULL ? CA_PERIOD_MS : TOKEN_PERIOD_MS);
	}
}

bool
kube_credentials_refused(struct kube_credentials *c, unsigned number, int64_t now_ms)
{
	if (c->access->token_file == NULL)
		return false;
	if (c->token_number == number) {
		read_token(c);
		c->token_due_ms = now_ms + TOKEN_PERIOD_MS;
	}
	return c->token_number != number;
}

const char *
kube_credentials_trouble(const struct kube_credentials *c)
{
	return c->token_trouble[0] != '\0' ? c->token_trouble : c->ca_trouble;
}
