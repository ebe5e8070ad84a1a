#include "supervisor/secret.h"

#include <stddef.h>
#include <string.h>

#include "supervisor/sealed.h"

/* The value, if this is the variable of that name, else NULL. */
static char *
value_of(char *variable, const char *name)
{
	size_t len = strlen(name);

	return strncmp(variable, name, len) == 0 && variable[len] == '=' ? variable + len + 1
									 : NULL;
}

static const char *
find(char **variables, const char *name)
{
	for (size_t i = 0; variables[i] != NULL; i++) {
		const char *value = value_of(variables[i], name);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

static void
overwrite(char **variables, const char *name)
{
	for (size_t i = 0; variables[i] != NULL; i++) {
		volatile char *value = value_of(variables[i], name);

		for (; value != NULL && *value != '\0'; value++)
			*value = 'x';
	}
}

int
secret_take(char **variables, const char *own, int *fd, const char **why)
{
	/* in the order in which they are asked for */
	const char *const names[] = { own != NULL ? own : "GANDI_API_KEY", "GANDI_API_KEY",
				      "API_KEY" };
	const char *token = NULL;
	int result = 0;

	*fd = -1;
	*why = "";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && token == NULL; i++)
		token = find(variables, names[i]);
	if (token != NULL && strlen(token) > SECRET_TOKEN_MAX) {
		*why = "the token in the environment is longer than 8192 bytes";
		result = -1;
	} else if (token != NULL) {
		*fd = sealed_new("esddns-token", token, strlen(token));
		if (*fd < 0) {
			*why = "the token cannot be kept: memfd_create failed";
			result = -1;
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		overwrite(variables, names[i]);
	return result;
}
