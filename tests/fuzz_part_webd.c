/* webd's part of the configuration, as it comes out of the memfd. */
#include "common/json.h"
#include "tests/fuzz.h"
#include "webd/config.h"

static void
check_endpoints(const struct webd_endpoint *list, size_t n)
{
	struct address a;

	REQUIRE(n <= WEBD_ENDPOINTS_MAX);
	for (size_t i = 0; i < n; i++)
		REQUIRE(list[i].port != 0 && address_parse_text(list[i].host, &a));
}

static void
check_accepted(const struct webd_config *c)
{
	REQUIRE(c->max_connections >= 1 && c->drain_ms >= 0);
	REQUIRE(c->detector_interval_ms > 0 && c->updater_interval_ms > 0);
	REQUIRE(memchr(c->runtime_dir, '\0', sizeof(c->runtime_dir)) != NULL);
	check_endpoints(c->listen, c->nlisten);
	check_endpoints(c->metrics, c->nmetrics);
	REQUIRE(c->nrecords <= WEBD_RECORDS_MAX);
	for (size_t i = 0; i < c->nrecords; i++)
		REQUIRE(c->records[i].family != ADDRESS_NONE && c->records[i].ttl >= 0 &&
			strlen(c->records[i].fqdn) < MSG_NAME_MAX);
	REQUIRE(webd_config_same_server(c, c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *part = json_parse((const char *)data, size, NULL);
	struct webd_config *c = malloc(sizeof(*c));
	const char *why = NULL;

	REQUIRE(c != NULL);
	if (part != NULL && webd_config_read(part, c, &why) == 0)
		check_accepted(c);
	else if (part != NULL)
		REQUIRE(fuzz_is_phrase(why));
	cJSON_Delete(part);
	free(c);
	return 0;
}
