#include "supervisor/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

static int
sextet(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

char *
pem_decode(const char *text, size_t max, const char **why)
{
	size_t room = strlen(text) / 4 * 3 + 3, len = 0, digits = 0, pads = 0;
	char *out = mem_new(room + 1, 1);
	unsigned bits = 0;

	for (; *text != '\0'; text++) {
		int value = sextet(*text);

		if (*text == '\n' || *text == '\r')
			continue;
		pads += *text == '=';
		if (*text == '=')
			continue;
		if (value < 0 || pads > 0)
			break;
		bits = (bits << 6 | (unsigned)value) & 0xFFFF;
		if (++digits % 4 != 1)
			out[len++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	*why = NULL;
	if (*text != '\0' || pads > 2 || (digits + pads) % 4 != 0 || digits % 4 == 1)
		*why = "is not base64";
	else if (len > max)
		*why = "is too large";
	else if (strlen(out) != len)
		*why = "holds a NUL character";
	if (*why == NULL)
		return out;
	explicit_bzero(out, room);
	free(out);
	return NULL;
}

char *
pem_read(const char *path, size_t max, const char **why)
{
	/* without O_NONBLOCK a fifo would stop us here */
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
	else if (*why == NULL && strnlen(text, max) != len)
		*why = "it holds a NUL character";
	if (fd >= 0)
		close(fd);
	if (*why == NULL)
		return text;
	explicit_bzero(text, max + 1);
	free(text);
	return NULL;
}

const char *
pem_refusal(const char *text, const char *label)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((*p < ' ' && *p != '\n' && *p != '\r' && *p != '\t') || *p > '~')
			return "is no PEM text";
	if (strstr(text, "-----BEGIN ") == NULL || strstr(text, label) == NULL)
		return "is no PEM text of the right kind";
	if (strstr(text, "ENCRYPTED") != NULL)
		return "is encrypted; a key without a passphrase is needed";
	return NULL;
}
