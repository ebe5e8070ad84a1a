/* The dns.ini of the original: libinih's view of it, and what it becomes. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz_accepted.h"

/* What makes a file one of these is its name: a link to a file in memory has it. */
static char directory[] = "/tmp/esddns-fuzz.XXXXXX";
static char path[64];

static void
remove_link(void)
{
	unlink(path);
	rmdir(directory);
}

static int
open_file(void)
{
	int fd = memfd_create("dns.ini", MFD_CLOEXEC);
	char target[32];

	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	REQUIRE(fd >= 0 && mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/dns.ini", directory);
	REQUIRE(symlink(target, path) == 0 && atexit(remove_link) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[] = "API_KEY=not-a-token", zone[] = "TARGET_DOMAIN_FQDN=example.com";
	char name[] = "RECORD_NAME_ROOT=@", type[] = "RECORD_TYPE_A=A", ttl[] = "RECORD_TTL=600";
	char *const env[] = { key, zone, name, type, ttl, NULL };
	static int fd = -1;

	if (fd < 0)
		fd = open_file();
	REQUIRE(ftruncate(fd, 0) == 0);
	REQUIRE(pwrite(fd, data, size, 0) == (ssize_t)size);
	fuzz_check_load(path, env);
	return 0;
}
