/* One request of the control socket. */
#include "common/json.h"
#include "supervisor/control.h"
#include "tests/fuzz.h"

static bool
names_unit(enum control_verb verb)
{
	return verb == CONTROL_START || verb == CONTROL_STOP || verb == CONTROL_RESTART ||
	       verb == CONTROL_RESET_FAILED;
}

/* Written down again, the request is the same. */
static void
check_accepted(const struct control_request *r, const cJSON *value)
{
	struct control_request again;
	char line[128];
	const char *why;

	REQUIRE(r->verb < CONTROL_VERB__MAX && r->unit <= CONFIG_UNIT__MAX);
	REQUIRE((r->unit < CONFIG_UNIT__MAX) == names_unit(r->verb));
	REQUIRE(strcmp(json_text(value, "command"), control_verb_name(r->verb)) == 0);
	if (r->unit < CONFIG_UNIT__MAX) {
		REQUIRE(strcmp(json_text(value, "unit"), config_unit_name(r->unit)) == 0);
		snprintf(line, sizeof(line), "{\"command\":\"%s\",\"unit\":\"%s\"}",
			 control_verb_name(r->verb), config_unit_name(r->unit));
	} else {
		snprintf(line, sizeof(line), "{\"command\":\"%s\"}", control_verb_name(r->verb));
	}
	REQUIRE(control_parse(line, strlen(line), &again, &why) == NULL);
	REQUIRE(again.verb == r->verb && again.unit == r->unit);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request request = { CONTROL_VERB__MAX, CONFIG_UNIT__MAX };
	const char *why = NULL, *code;
	cJSON *value;

	code = control_parse((const char *)data, size, &request, &why);
	if (code != NULL) {
		REQUIRE(strcmp(code, CONTROL_MALFORMED) == 0 ||
			strcmp(code, CONTROL_NO_SUCH_UNIT) == 0);
		REQUIRE(fuzz_is_phrase(why));
		return 0;
	}
	value = json_parse((const char *)data, size, NULL);
	REQUIRE(cJSON_IsObject(value));
	check_accepted(&request, value);
	cJSON_Delete(value);
	return 0;
}
