#include "updater/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "updater/gandi.h"

const struct provider *
provider_find(const char *name)
{
	static const struct provider *const providers[] = { &gandi_provider };

	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

static void
wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
provider_request_clear(struct provider_request *request)
{
	for (size_t i = 0; i < PROVIDER_HEADERS_MAX; i++)
		wipe(request->headers[i]);
	free(request->url);
	free(request->body);
	*request = (struct provider_request){ 0 };
}

void
provider_fail(struct provider_result *out, enum provider_outcome outcome, const char *error_type,
	      const char *format, ...)
{
	char text[4 * MSG_REASON_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	out->outcome = outcome;
	mem_copy_text(out->error_type, sizeof(out->error_type), error_type);
	/* cuts a sentence that is too long between two characters */
	mem_copy_text(out->error, sizeof(out->error), text);
}

enum provider_auth
provider_auth_of(const char *name)
{
	if (strcmp(name, "bearer") == 0)
		return PROVIDER_BEARER;
	if (strcmp(name, "apikey") == 0)
		return PROVIDER_APIKEY;
	return PROVIDER_AUTH__MAX;
}
