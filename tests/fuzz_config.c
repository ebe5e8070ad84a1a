/* The configuration file: YAML, its tables of keys, and the rules across keys. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz_accepted.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char token[] = "GANDI_API_KEY=not-a-token", *const env[] = { token, NULL };
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("esddns.yaml", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	REQUIRE(ftruncate(fd, 0) == 0);
	REQUIRE(pwrite(fd, data, size, 0) == (ssize_t)size);
	fuzz_check_load(path, env);
	return 0;
}
