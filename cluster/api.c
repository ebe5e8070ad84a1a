#include "cluster/api.h"

static const char *const outcome_names[API_OUTCOME__MAX] = {
	[API_OK] = "ok",           [API_NOT_FOUND] = "not-found",
	[API_EXISTS] = "exists",   [API_CONFLICT] = "conflict",
	[API_INVALID] = "invalid", [API_GONE] = "gone",
	[API_DENIED] = "denied",   [API_THROTTLED] = "throttled",
	[API_FAILED] = "failed",   [API_LOST] = "lost",
};

const char *
api_outcome_name(enum api_outcome outcome)
{
	return (unsigned)outcome < API_OUTCOME__MAX ? outcome_names[outcome] : "invalid-outcome";
}
