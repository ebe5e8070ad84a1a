/* esddnsctl's end of the control socket: one request, one answer. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>

/* Longer than the supervisor lets anyone wait for a unit. */
#define CLIENT_PATIENCE_MS 100000
#define CLIENT_ANSWER_MAX (64 * 1024)

struct client {
	int fd;
};

/* 0, or -1 with *why a sentence that says what to do about it; free() it. */
int client_open(struct client *c, const char *path, char **why);
void client_close(struct client *c);

/*
 * Send one line (without its newline) and wait for the answer's: text for
 * free(), without its newline. NULL with *why, to be freed too.
 */
char *client_ask(struct client *c, const char *line, char **why);
/* Wait at most ms until the supervisor is gone, which closes the connection. 0, or -1. */
int client_wait_for_end(struct client *c, int ms);

#endif
