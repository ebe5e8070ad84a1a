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

bool
provider_matches(const struct provider_record *found, const struct address *wanted, int64_t ttl)
{
	struct address value;

	if (!found->exists || found->total == 0 || found->total != found->nvalues ||
	    found->ttl != ttl)
		return false;
	for (size_t i = 0; i < found->nvalues; i++)
		if (!address_parse_text(found->values[i], &value) || !address_equal(&value, wanted))
			return false;
	return true;
}

bool
provider_same(const struct provider_record *a, const struct provider_record *b)
{
	if (a->exists != b->exists || a->total != b->total || a->nvalues != b->nvalues ||
	    a->ttl != b->ttl)
		return false;
	for (size_t i = 0; i < a->nvalues; i++)
		if (strcmp(a->values[i], b->values[i]) != 0)
			return false;
	return true;
}

const char *
provider_refusal(const struct address *a)
{
	static const uint8_t zeros[15];

	if (a->family == ADDRESS_IPV6) {
		if (a->bytes[0] == 0xff)
			return "is a multicast address";
		if (memcmp(a->bytes, zeros, 15) == 0 && a->bytes[15] <= 1)
			return a->bytes[15] ? "is the loopback address" : "is no address";
		return NULL;
	}
	if (a->bytes[0] == 0)
		return "is no address";
	if (a->bytes[0] == 127)
		return "is a loopback address";
	if (a->bytes[0] >= 224)
		return a->bytes[0] < 240 ? "is a multicast address" : "is in no network";
	return NULL;
}
