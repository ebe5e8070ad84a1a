/* The runtime directory, and the lock in it that lets one supervisor run in it at a time. */
#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H

#define RUNDIR_LOCK "esddns.lock"

/*
 * Make the directory (mode 0700, missing parents 0755) or check the one that is
 * there: it must be this user's and writable for nobody else. Then take the
 * lock; *lock_fd (CLOEXEC) holds it, with the pid in the file.
 * NULL, or a sentence that says what is wrong; free() it.
 */
char *rundir_take(const char *path, int *lock_fd);

/* Make a directory and its missing parents. 0, or -1 with errno; one that exists is fine. */
int rundir_make(const char *path, unsigned mode);

#endif
