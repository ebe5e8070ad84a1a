/* The updater's part of the configuration, as it comes out of the memfd. */
#include "common/json.h"
#include "tests/fuzz.h"
#include "updater/config.h"

static void
check_accepted(const struct updater_config *c)
{
	size_t len = strlen(c->url);

	REQUIRE(c->provider != NULL && c->auth < PROVIDER_AUTH__MAX && c->runtime_dir[0] != '\0');
	REQUIRE(len == 0 || c->url[len - 1] != '/');
	REQUIRE(c->token_file == NULL || c->token_file[0] != '\0');
	REQUIRE(c->timeout_ms > 0 && c->interval_ms > 0 && c->detector_interval_ms > 0);
	REQUIRE(c->nrecords <= UPDATER_RECORDS_MAX);
	for (size_t i = 0; i < c->nrecords; i++) {
		const struct updater_record *r = &c->records[i];

		REQUIRE(r->fqdn[0] != '\0' && strlen(r->fqdn) < MSG_NAME_MAX);
		REQUIRE(r->zone[0] != '\0' && r->name[0] != '\0' && r->ttl > 0);
		REQUIRE(r->family == ADDRESS_IPV4 || r->family == ADDRESS_IPV6);
	}
}

/* Whatever the names hold, the URL of a record has no more parts than it should. */
static void
check_requests(const struct updater_config *c)
{
	struct provider_access access = { .url = c->url, .auth = c->auth, .token = "token" };
	struct address value = { .family = ADDRESS_IPV4, .bytes = { 198, 20, 0, 7 } };

	for (size_t i = 0; i < c->nrecords && i < 4; i++) {
		const struct updater_record *r = &c->records[i];
		struct provider_target target = { r->zone, r->name, r->family };
		struct provider_request request;
		const char *path;
		size_t slashes = 0;

		c->provider->build_write(&access, &target, &value, r->ttl, &request);
		REQUIRE(strncmp(request.url, c->url, strlen(c->url)) == 0);
		path = request.url + strlen(c->url);
		for (const char *p = path; *p != '\0'; p++) {
			slashes += *p == '/';
			REQUIRE(*p > ' ' && *p < 0x7F && strchr("?#\"<>\\", *p) == NULL);
		}
		REQUIRE(slashes == 5 && request.body != NULL);
		provider_request_clear(&request);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *part = json_parse((const char *)data, size, NULL);
	const char *why = NULL;
	struct updater_config *c;

	if (part == NULL)
		return 0;
	c = updater_config_new(part, &why);
	/* whatever it keeps is its own */
	cJSON_Delete(part);
	if (c != NULL) {
		check_accepted(c);
		check_requests(c);
	} else {
		REQUIRE(fuzz_is_phrase(why));
	}
	updater_config_free(c);
	return 0;
}
