/* Sealed memfds: what the supervisor hands to workers, and nobody can change afterwards. */
#ifndef SUPERVISOR_SEALED_H
#define SUPERVISOR_SEALED_H

#include <stddef.h>

/*
 * A memfd (CLOEXEC) that holds exactly len bytes and can neither grow, shrink
 * nor be written to. The descriptor, or -1 with errno.
 */
int sealed_new(const char *name, const void *data, size_t len);

#endif
