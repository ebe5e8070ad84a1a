/* The provider's token, from the environment into a sealed memfd for the updater alone. */
#ifndef SUPERVISOR_SECRET_H
#define SUPERVISOR_SECRET_H

#define SECRET_TOKEN_MAX 8192 /* bytes */

/*
 * Take the token from the variable named own (NULL: there is none), else
 * GANDI_API_KEY, else API_KEY (an empty one counts as absent), into *fd, a
 * sealed memfd (CLOEXEC), or -1 if there is none. Then overwrite every copy of
 * them in the environment with 'x', in place: that it was set can still be seen
 * there, what it was cannot. The caller has made the process not dumpable before.
 * 0, or -1 with *why a sentence (static); the environment is overwritten then too.
 */
int secret_take(char **variables, const char *own, int *fd, const char **why);

#endif
