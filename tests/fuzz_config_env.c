/* The variables of the environment, one NAME=VALUE a line, without a file. */
#include "tests/fuzz_accepted.h"

#define VARIABLES_MAX 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *line, *rest, *env[VARIABLES_MAX + 1];
	size_t n = 0;

	/* no environment holds a NUL within a variable */
	if (size > 0 && memchr(data, '\0', size) != NULL)
		return 0;
	text = rest = strndup((const char *)data, size);
	REQUIRE(text != NULL);
	while (n < VARIABLES_MAX && (line = strsep(&rest, "\n")) != NULL)
		env[n++] = line;
	env[n] = NULL;
	fuzz_check_load(NULL, env);
	free(text);
	return 0;
}
