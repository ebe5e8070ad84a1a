#include "own_net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static void
give_up(const char *what)
{
	fprintf(stderr,
		"This test needs namespaces of its own, and cannot have them: %s: %s.\n"
		"Run it as root, or where unprivileged user namespaces are permitted.\n",
		what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
put(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
		give_up(path);
}

/* Without it the namespace's root has no user, and owns no file that it makes. */
static void
map_user(uid_t uid, gid_t gid)
{
	char line[64];

	put("/proc/self/setgroups", 0, "deny");
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)uid);
	put("/proc/self/uid_map", 0, line);
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)gid);
	put("/proc/self/gid_map", 0, line);
}

static void
raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		give_up("loopback");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		give_up("loopback");
	close(fd);
}

void
own_net_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | (uid != 0 ? CLONE_NEWUSER : 0)) != 0)
		give_up("unshare");
	if (uid != 0)
		map_user(uid, gid);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		give_up("mount --make-rprivate /");
	if (mount("etc", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
		give_up("mount a tmpfs on /etc");
	raise_loopback();
	own_net_write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
}

void
own_net_write(const char *path, const char *text)
{
	char temporary[256];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	put(temporary, O_CREAT | O_TRUNC, text);
	if (rename(temporary, path) != 0)
		give_up(path);
}
