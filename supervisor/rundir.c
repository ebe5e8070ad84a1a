#include "supervisor/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

#define PARENT_MODE 0755

int
rundir_make(const char *path, unsigned mode)
{
	char *copy = mem_strdup(path);
	int result = 0;

	for (char *p = copy + 1; *copy != '\0' && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, PARENT_MODE) != 0 && errno != EEXIST)
			result = -1;
		*p = '/';
		if (result != 0)
			break;
	}
	if (result == 0 && mkdir(path, mode) != 0 && errno != EEXIST)
		result = -1;
	free(copy);
	return result;
}

/* Another user who can write to it could put sockets of his own in the place of ours. */
static char *
check_directory(const char *path, int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) != 0)
		return mem_printf("runtime_dir %s cannot be looked at: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return mem_printf(
			"runtime_dir %s belongs to user %ld, not to user %ld who runs this", path,
			(long)st.st_uid, (long)geteuid());
	if ((st.st_mode & 022) != 0)
		return mem_printf("runtime_dir %s is writable for others (mode %04o): "
				  "make it 0700, or choose another",
				  path, st.st_mode & 07777u);
	return NULL;
}

static char *
held_by_another(const char *path, int lock_fd)
{
	char pid[24] = "";
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	return mem_printf("another esddns (pid %s) already runs with runtime_dir %s",
			  pid[0] != '\0' ? pid : "unknown", path);
}

static char *
take_lock(const char *path, int dir_fd, int *lock_fd)
{
	int fd = openat(dir_fd, RUNDIR_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char *why = NULL;

	if (fd < 0)
		return mem_printf("%s/%s cannot be opened: %s", path, RUNDIR_LOCK, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		why = errno == EWOULDBLOCK ? held_by_another(path, fd)
					   : mem_printf("%s/%s cannot be locked: %s", path,
							RUNDIR_LOCK, strerror(errno));
	/* the number is for people: on a full disk the lock holds without it */
	if (why == NULL && ftruncate(fd, 0) == 0)
		(void)!dprintf(fd, "%ld\n", (long)getpid());
	if (why != NULL)
		close(fd);
	else
		*lock_fd = fd;
	return why;
}

char *
rundir_take(const char *path, int *lock_fd)
{
	char *why;
	int dir_fd;

	if (rundir_make(path, 0700) != 0)
		return mem_printf("runtime_dir %s cannot be made: %s", path, strerror(errno));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir_fd < 0)
		return mem_printf("runtime_dir %s cannot be used: %s", path, strerror(errno));
	why = check_directory(path, dir_fd);
	if (why == NULL)
		why = take_lock(path, dir_fd, lock_fd);
	close(dir_fd);
	return why;
}
