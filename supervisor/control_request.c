#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "supervisor/control.h"

static const char *const names[CONTROL_VERB__MAX] = {
	[CONTROL_STATUS] = "status",   [CONTROL_PING] = "ping",
	[CONTROL_DETECT] = "detect",   [CONTROL_SYNC] = "sync",
	[CONTROL_START] = "start",     [CONTROL_STOP] = "stop",
	[CONTROL_RESTART] = "restart", [CONTROL_RESET_FAILED] = "reset-failed",
	[CONTROL_RELOAD] = "reload",   [CONTROL_SHUTDOWN] = "shutdown",
};

const char *
control_verb_name(enum control_verb verb)
{
	return verb < CONTROL_VERB__MAX ? names[verb] : "invalid";
}

static bool
names_unit(enum control_verb verb)
{
	return verb == CONTROL_START || verb == CONTROL_STOP || verb == CONTROL_RESTART ||
	       verb == CONTROL_RESET_FAILED;
}

static const char *
refuse_unit(const char *name, const char **why)
{
	static char text[128];
	char shown[32];
	size_t n = 0;

	/* the answer repeats it: only what is harmless to look at */
	for (; name[n] != '\0' && n < sizeof(shown) - 1; n++)
		shown[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
	shown[n] = '\0';
	snprintf(text, sizeof(text), "there is no unit '%s'; the units are detector, updater, webd",
		 shown);
	*why = text;
	return CONTROL_NO_SUCH_UNIT;
}

static const char *
read_request(const cJSON *object, struct control_request *out, const char **why)
{
	const char *command = json_text(object, "command"), *unit = json_text(object, "unit");
	int members = cJSON_GetArraySize(object);

	*out = (struct control_request){ CONTROL_VERB__MAX, CONFIG_UNIT__MAX };
	*why = "a request is an object with a command";
	if (!cJSON_IsObject(object) || command == NULL)
		return CONTROL_MALFORMED;
	for (int i = 0; i < CONTROL_VERB__MAX; i++)
		if (strcmp(names[i], command) == 0)
			out->verb = (enum control_verb)i;
	*why = "the command is not known";
	if (out->verb == CONTROL_VERB__MAX)
		return CONTROL_MALFORMED;
	*why = "the request has members that are not known, or lacks one";
	if (members != (names_unit(out->verb) ? 2 : 1))
		return CONTROL_MALFORMED;
	if (!names_unit(out->verb))
		return NULL;
	if (unit == NULL)
		return CONTROL_MALFORMED;
	out->unit = config_unit_of(unit);
	return out->unit == CONFIG_UNIT__MAX ? refuse_unit(unit, why) : NULL;
}

const char *
control_parse(const char *line, size_t len, struct control_request *out, const char **why)
{
	static char text[128];
	const char *what = "", *code;
	cJSON *object = json_parse(line, len, &what);

	if (object == NULL) {
		snprintf(text, sizeof(text), "the request %s", what);
		*why = text;
		return CONTROL_MALFORMED;
	}
	code = read_request(object, out, why);
	cJSON_Delete(object);
	return code;
}
