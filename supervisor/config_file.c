/* Reads the file of the configuration, whatever it turns out to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"

static char *
read_text(struct config_loading *load, int fd, size_t *len)
{
	char *text = mem_new(CONFIG_FILE_MAX + 2, 1);
	ssize_t n = 1;

	for (*len = 0; n > 0 && *len <= CONFIG_FILE_MAX;) {
		n = read(fd, text + *len, CONFIG_FILE_MAX + 1 - *len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			*len += (size_t)n;
	}
	if (n < 0)
		config_error_line(load, NULL, 0, "cannot be read: %s", strerror(errno));
	else if (*len > CONFIG_FILE_MAX)
		config_error_line(load, NULL, 0, "is larger than 1 MiB; no configuration is");
	else
		return text;
	free(text);
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
