#include "cluster/leadership_private.h"

#include <stdio.h>
#include <string.h>

/* 9999-12-31T23:59:59.999Z: what comes after has no such form. */
#define WALL_MAX_MS INT64_C(253402300799999)

void
words_stamp(struct leadership *l, char out[API_TIME_MAX])
{
	int64_t wall_ms = leadership_min(leadership_max(l->wall_ms, 1), WALL_MAX_MS);
	unsigned us = (unsigned)(wall_ms % 1000) * 1000 + l->stamps++ % 1000;
	char seconds[24];

	/* two records of one wall clock that stands still must differ: standbys look at that only
	 */
	if (wall_ms < 1000)
		snprintf(seconds, sizeof(seconds), "1970-01-01T00:00:00Z");
	else
		clock_iso(wall_ms, seconds, sizeof(seconds));
	seconds[strcspn(seconds, "Z")] = '\0';
	snprintf(out, API_TIME_MAX, "%s.%06uZ", seconds, us);
}

/* What happened, and after the object's name what to do about it. */
struct failure {
	const char *what, *cure;
};

static struct failure
failure_of(enum api_outcome outcome)
{
	switch (outcome) {
	case API_DENIED:
		return (struct failure){ "refuses access to",
					 ": look at the Role and the token of the service "
					 "account" };
	case API_THROTTLED:
		return (struct failure){ "has too much to do to answer for", "" };
	case API_INVALID:
		return (struct failure){ "refuses as invalid what is written to", "" };
	case API_LOST:
		return (struct failure){ "did not answer when asked for", "" };
	default:
		return (struct failure){ "failed when asked for", "" };
	}
}

static void
say_failed(char *reason, enum api_outcome outcome, const char *kind, const char *name)
{
	struct failure f = failure_of(outcome);

	snprintf(reason, MSG_REASON_MAX, "the API server %s the %s %.200s%s", f.what, kind, name,
		 f.cure);
}

void
words_lease_failed(struct leadership *l, enum api_outcome outcome)
{
	say_failed(l->lease_reason, outcome, "Lease", l->config.lease_name);
}

void
words_wan_failed(struct leadership *l, enum api_outcome outcome)
{
	say_failed(l->wan_reason, outcome, "ConfigMap", l->config.configmap_name);
}

static void
held(const struct leadership *l, char out[MSG_REASON_MAX])
{
	snprintf(out, MSG_REASON_MAX, "the Lease %.200s is held by %s", l->config.lease_name,
		 l->holder);
}

void
words_held(struct leadership *l)
{
	held(l, l->lease_reason);
}

bool
leadership_another_leads(const struct leadership *l)
{
	char sentence[MSG_REASON_MAX];

	held(l, sentence);
	return strcmp(l->lease_reason, sentence) == 0;
}

void
words_lease(struct leadership *l, const char *what)
{
	snprintf(l->lease_reason, sizeof(l->lease_reason), "the Lease %.200s %s",
		 l->config.lease_name, what);
}

void
words_wan(struct leadership *l, const char *what)
{
	snprintf(l->wan_reason, sizeof(l->wan_reason), "the ConfigMap %.200s %s",
		 l->config.configmap_name, what);
}
