#include "tests/bench/crowd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"

void
crowd_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* where it fails, what needs a descriptor says so */
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		perror("setrlimit");
}

int64_t
crowd_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

unsigned
crowd_number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > max) {
		fprintf(stderr, "%s is no number from 1 to %u\n", text, max);
		exit(EXIT_FAILURE);
	}
	return (unsigned)n;
}

struct kube_access *
crowd_access(const char *server, const char *directory)
{
	struct kube_access *a = mem_new(1, sizeof(*a));

	a->server = mem_strdup(server);
	a->namespace = mem_strdup(CROWD_NAMESPACE);
	a->token_file = mem_printf("%s/token", directory);
	a->ca_file = mem_printf("%s/ca.crt", directory);
	return a;
}

bool
crowd_asked_to_go_on(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char some[256];

	return poll(&in, 1, 0) <= 0 || read(STDIN_FILENO, some, sizeof(some)) > 0;
}
