#include "supervisor/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAT_MAX 1024

bool
usage_parse(const char *text, long ticks_per_s, long page_size, struct usage *out)
{
	unsigned long long user, system;
	/* the name before it may hold anything, brackets and spaces too (proc(5)) */
	const char *rest = strrchr(text, ')');
	long long pages;

	*out = (struct usage){ 0 };
	if (rest == NULL || ticks_per_s <= 0 ||
	    sscanf(rest + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu"
		   " %*d %*d %*d %*d %*d %*d %*u %*u %lld",
		   &user, &system, &pages) != 3)
		return false;
	out->cpu_ms = (int64_t)((user + system) * 1000 / (unsigned long long)ticks_per_s);
	out->memory = pages > 0 ? (int64_t)pages * page_size : 0;
	return true;
}

bool
usage_read(pid_t pid, struct usage *out)
{
	char path[32], text[STAT_MAX];
	ssize_t n = -1;
	int fd;

	*out = (struct usage){ 0 };
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return usage_parse(text, sysconf(_SC_CLK_TCK), sysconf(_SC_PAGESIZE), out);
}
