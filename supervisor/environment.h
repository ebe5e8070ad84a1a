/* The environment of a worker: an allow-list, and what the channel needs. */
#ifndef SUPERVISOR_ENVIRONMENT_H
#define SUPERVISOR_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What stands in it for one worker, besides the variables of the allow-list. */
struct environment_extra {
	const char *unit;
	int channel_fd; /* numbers as the worker finds them; -1: none */
	int part_fd;
	int secret_fd;       /* -1: none */
	int64_t watchdog_ms; /* 0: none */
};

/* May a variable of this name be handed on? No credential, no NOTIFY_SOCKET, no WATCHDOG_*. */
bool environment_allows(const char *variable);

/* The array for execve(2), ended by NULL; environment_free() it. */
char **environment_new(char *const *variables, const struct environment_extra *extra);
void environment_free(char **environment);

#endif
