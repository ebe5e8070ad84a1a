/* Reads the file of the configuration, whatever it turns out to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "supervisor/config_internal.h"

static char *
read_text(struct config_loading *load, int fd, size_t *len)
{
	struct buf text = BUF_INIT;
	char piece[8192];
	ssize_t n;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_add(&text, piece, (size_t)n);
	} while (text.len <= CONFIG_FILE_MAX && (n > 0 || (n < 0 && errno == EINTR)));
	*len = text.len;
	if (n < 0)
		config_error_line(load, NULL, 0, "cannot be read: %s", strerror(errno));
	else if (text.len > CONFIG_FILE_MAX)
		config_error_line(load, NULL, 0, "is larger than 1 MiB; no configuration is");
	else
		return buf_take(&text);
	buf_free(&text);
	return NULL;
}

char *
config_file_read(struct config_loading *load, size_t *len)
{
	/* without O_NONBLOCK a fifo would stop us here */
	int fd = open(load->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;

	if (fd < 0) {
		config_error_line(load, NULL, 0, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) < 0)
		config_error_line(load, NULL, 0, "cannot be looked at: %s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		config_error_line(load, NULL, 0, "is not a regular file");
	else
		text = read_text(load, fd, len);
	close(fd);
	return text;
}

bool
config_file_is_ini(const char *path)
{
	size_t len = strlen(path);

	return len > 4 && strcasecmp(path + len - 4, ".ini") == 0;
}
