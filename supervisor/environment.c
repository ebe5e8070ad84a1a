#include "supervisor/environment.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "ipc/channel.h"

#define EXTRA_MAX 5

/* A '*' at the end stands for anything. */
static const char *const allowed[] = {
	"PATH",         "LANG",          "LC_*",         "TZ",           "TMPDIR",
	"NODE_NAME",    "SSL_CERT_FILE", "SSL_CERT_DIR", "KUBERNETES_*", "POD_*",
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
};

bool
environment_allows(const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		size_t n = strlen(allowed[i]);

		if (allowed[i][n - 1] == '*'
			    ? len >= n - 1 && strncmp(variable, allowed[i], n - 1) == 0
			    : len == n && strncmp(variable, allowed[i], n) == 0)
			return true;
	}
	return false;
}

char **
environment_new(char *const *variables, const struct environment_extra *extra)
{
	size_t n = 0, count = 0;
	char **out;

	while (variables[count] != NULL)
		count++;
	out = mem_new(count + EXTRA_MAX + 1, sizeof(*out));
	for (size_t i = 0; i < count; i++)
		if (environment_allows(variables[i]))
			out[n++] = mem_strdup(variables[i]);
	out[n++] = mem_printf("%s=%s", CHANNEL_UNIT_ENV, extra->unit);
	if (extra->channel_fd >= 0)
		out[n++] = mem_printf("%s=%d", CHANNEL_ENV, extra->channel_fd);
	out[n++] = mem_printf("%s=%d", CHANNEL_PART_ENV, extra->part_fd);
	if (extra->secret_fd >= 0)
		out[n++] = mem_printf("%s=%d", CHANNEL_SECRET_ENV, extra->secret_fd);
	if (extra->watchdog_ms > 0)
		out[n++] = mem_printf("WATCHDOG_USEC=%lld", (long long)extra->watchdog_ms * 1000);
	return out;
}

void
environment_free(char **environment)
{
	for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
		free(environment[i]);
	free(environment);
}
