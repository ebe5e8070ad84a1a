/* The detector's part of the configuration, as it comes out of the memfd. */
#include "common/json.h"
#include "detector/config.h"
#include "tests/fuzz.h"

static void
check_accepted(const struct detector_config *c)
{
	const struct detector_source *tripwires[DETECTOR_SOURCES_MAX];

	REQUIRE(c->runtime_dir[0] != '\0' && c->state_dir[0] != '\0');
	REQUIRE(c->rounds.interval_ms > 0 && c->timeout_ms > 0 && c->rounds.tripwire_ms >= 0);
	REQUIRE(c->rounds.confirm_ms >= 0 && c->agreement.quorum <= MSG_VOTES_MAX);
	REQUIRE(c->nsources <= DETECTOR_SOURCES_MAX && !c->families[ADDRESS_NONE]);
	for (size_t i = 0; i < c->nsources; i++) {
		const struct detector_source *s = &c->sources[i];
		bool http = s->kind == SOURCE_HTTPS || s->kind == SOURCE_HTTP;

		REQUIRE(s->operator[0] != '\0' && s->host[0] != '\0' && s->port != 0);
		REQUIRE(!http || s->url != NULL);
		REQUIRE(s->kind < SOURCE_KIND__MAX && s->format < ANSWER_FORMAT__MAX);
		REQUIRE(s->format != ANSWER_JSON || s->key != NULL);
		REQUIRE(!s->families[ADDRESS_NONE]);
	}
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		size_t n = detector_config_tripwires(c, f, tripwires, 3);

		REQUIRE(n <= 3 && n <= c->nsources);
		for (size_t i = 0; i < n; i++)
			REQUIRE(tripwires[i]->kind == SOURCE_STUN && tripwires[i]->families[f]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *part = json_parse((const char *)data, size, NULL);
	const char *why = NULL;
	struct detector_config *c;

	if (part == NULL)
		return 0;
	c = detector_config_read(part, &why);
	/* whatever it keeps is its own */
	cJSON_Delete(part);
	if (c != NULL)
		check_accepted(c);
	else
		REQUIRE(fuzz_is_phrase(why));
	detector_config_free(c);
	return 0;
}
