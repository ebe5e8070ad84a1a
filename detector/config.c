#include "detector/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define TEXT_MAX 4096

/* A text that must be there; false if it is not, or is empty or too long. */
static bool
take_text(const cJSON *object, const char *key, char **out)
{
	const char *text = json_text(object, key);

	if (!text || !*text || strlen(text) > TEXT_MAX)
		return false;
	*out = mem_strdup(text);
	return true;
}

/* A text or null: both must be written down. */
static bool
take_optional(const cJSON *object, const char *key, char **out)
{
	if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, key)))
		return true;
	return take_text(object, key, out);
}

static bool
take_families(const cJSON *object, bool *families)
{
	const cJSON *list = json_array(object, "families"), *item;

	if (!list)
		return false;
	cJSON_ArrayForEach(item, list)
	{
		enum address_family f =
			cJSON_IsString(item) ? address_family_of(item->valuestring) : ADDRESS_NONE;

		if (f == ADDRESS_NONE || families[f])
			return false;
		families[f] = true;
	}
	return true;
}

static const char *
read_source(const cJSON *item, struct detector_source *s)
{
	const char *kind = json_text(item, "kind"), *format = json_text(item, "format");
	int64_t port;

	if (!json_copy(item, "operator", s->operator, sizeof(s->operator)) || !s->operator[0])
		return "a source has no operator, or one whose name is too long";
	s->kind = kind ? source_kind_of(kind) : SOURCE_KIND__MAX;
	if (s->kind == SOURCE_KIND__MAX)
		return "a source is of an unknown kind";
	if (!take_optional(item, "url", &s->url) || !take_text(item, "host", &s->host))
		return "a source has a malformed url or host";
	if (!s->url && (s->kind == SOURCE_HTTPS || s->kind == SOURCE_HTTP))
		return "an HTTP source has no url";
	if (!json_int(item, "port", 1, 65535, &port))
		return "a source has no usable port";
	s->port = (uint16_t)port;
	s->format = format ? answer_format_of(format) : ANSWER_FORMAT__MAX;
	if (s->format == ANSWER_FORMAT__MAX)
		return "a source has an unknown format";
	if (!take_optional(item, "key", &s->key) || (s->format == ANSWER_JSON && !s->key))
		return "a source has no usable key";
	if (!take_families(item, s->families))
		return "a source has malformed families";
	return NULL;
}

static const char *
read_sources(const cJSON *part, struct detector_config *c)
{
	const cJSON *list = json_array(part, "sources"), *item;
	const char *why = NULL;

	if (!list)
		return "sources are missing";
	cJSON_ArrayForEach(item, list)
	{
		if (c->nsources == DETECTOR_SOURCES_MAX)
			return "there are too many sources";
		/* counted before it is read, so that what was read of it is freed */
		why = read_source(item, &c->sources[c->nsources++]);
		if (why)
			return why;
	}
	return NULL;
}

static const char *
read_limits(const cJSON *part, struct detector_config *c)
{
	int64_t quorum;

	if (!json_int(part, "interval", 1, 7 * DAY_MS, &c->rounds.interval_ms))
		return "interval is not a duration";
	if (!json_int(part, "tripwire", 0, 7 * DAY_MS, &c->rounds.tripwire_ms))
		return "tripwire is not a duration";
	if (!json_int(part, "confirm", 0, 7 * DAY_MS, &c->rounds.confirm_ms))
		return "confirm is not a duration";
	if (!json_int(part, "min_change_interval", 0, 7 * DAY_MS, &c->rounds.min_change_ms))
		return "min_change_interval is not a duration";
	if (!json_int(part, "timeout", 1, DAY_MS, &c->timeout_ms))
		return "timeout is not a duration";
	if (!json_int(part, "quorum", 0, MSG_VOTES_MAX, &quorum))
		return "quorum is not a number of operators";
	if (!json_bool(part, "allow_reserved", &c->agreement.allow_reserved))
		return "allow_reserved is neither true nor false";
	c->agreement.quorum = (unsigned)quorum;
	return NULL;
}

/* A round has room for MSG_VOTES_MAX operators. */
static const char *
check_operators(const struct detector_config *c, enum address_family family)
{
	size_t operators = 0;

	for (size_t i = 0; i < c->nsources; i++) {
		size_t first = 0;

		if (!c->sources[i].families[family])
			continue;
		while (!c->sources[first].families[family] ||
		       strcmp(c->sources[first].operator, c->sources[i].operator) != 0)
			first++;
		operators += first == i;
	}
	return operators > MSG_VOTES_MAX ? "there are too many operators for one family" : NULL;
}

static const char *
read_all(const cJSON *part, struct detector_config *c)
{
	const char *why;

	if (!take_text(part, "version", &c->version))
		return "version is missing";
	if (!take_text(part, "runtime_dir", &c->runtime_dir))
		return "runtime_dir is missing";
	if (!take_text(part, "state_dir", &c->state_dir))
		return "state_dir is missing";
	if (!take_optional(part, "ca_file", &c->ca_file))
		return "ca_file is malformed";
	if (!take_families(part, c->families))
		return "families are malformed";
	why = read_limits(part, c);
	if (!why)
		why = read_sources(part, c);
	if (!why)
		why = check_operators(c, ADDRESS_IPV4);
	if (!why)
		why = check_operators(c, ADDRESS_IPV6);
	if (!why)
		c->cluster = cluster_config_read(part, &why);
	return why;
}

struct detector_config *
detector_config_read(const cJSON *part, const char **why)
{
	struct detector_config *c = mem_new(1, sizeof(*c));

	*why = read_all(part, c);
	if (!*why)
		return c;
	detector_config_free(c);
	return NULL;
}

void
detector_config_free(struct detector_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nsources; i++) {
		free(c->sources[i].url);
		free(c->sources[i].host);
		free(c->sources[i].key);
	}
	free(c->version);
	free(c->runtime_dir);
	free(c->state_dir);
	free(c->ca_file);
	cluster_config_free(c->cluster);
	free(c);
}

size_t
detector_config_tripwires(const struct detector_config *c, enum address_family family,
			  const struct detector_source **list, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nsources && n < max; i++)
		if (c->sources[i].kind == SOURCE_STUN && c->sources[i].families[family])
			list[n++] = &c->sources[i];
	return n;
}
