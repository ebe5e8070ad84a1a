#include "updater/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

#define DURATION_MAX_MS ((int64_t)365 * 24 * 3600 * 1000)
#define TTL_MAX INT32_MAX

/* A required text. False if it is absent or empty. */
static bool
take_text(const cJSON *object, const char *key, char **out)
{
	const char *text = json_text(object, key);

	if (!text || !*text)
		return false;
	*out = mem_strdup(text);
	return true;
}

/* A text that may be null. False if it is anything else. */
static bool
take_optional(const cJSON *object, const char *key, char **out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (cJSON_IsNull(item))
		return true;
	return take_text(object, key, out);
}

static bool
take_record(const cJSON *item, struct updater_record *record)
{
	const char *type = json_text(item, "type");

	if (!type || !take_text(item, "fqdn", &record->fqdn) ||
	    !take_text(item, "zone", &record->zone) || !take_text(item, "name", &record->name) ||
	    !json_int(item, "ttl", 1, TTL_MAX, &record->ttl))
		return false;
	/* messages carry them, and cut nothing off */
	if (strlen(record->fqdn) >= MSG_NAME_MAX || strlen(record->zone) >= MSG_NAME_MAX ||
	    strlen(record->name) >= MSG_NAME_MAX)
		return false;
	if (strcmp(type, "A") == 0)
		record->family = ADDRESS_IPV4;
	else if (strcmp(type, "AAAA") == 0)
		record->family = ADDRESS_IPV6;
	return record->family != ADDRESS_NONE;
}

static bool
take_records(const cJSON *part, struct updater_config *config)
{
	const cJSON *list = json_array(part, "records"), *item;
	int n = list ? cJSON_GetArraySize(list) : -1;

	if (n < 0 || n > UPDATER_RECORDS_MAX)
		return false;
	config->records = mem_new((size_t)n + 1, sizeof(*config->records));
	cJSON_ArrayForEach(
		item,
		list) if (!take_record(item, &config->records[config->nrecords++])) return false;
	return true;
}

static bool
take_provider(const cJSON *part, struct updater_config *config)
{
	const cJSON *object = json_object(part, "provider");
	const char *name = json_text(object, "name"), *auth = json_text(object, "auth");
	size_t len;

	if (!object || !name || !auth || !take_text(object, "url", &config->url) ||
	    !take_optional(object, "token_file", &config->token_file) ||
	    !take_optional(object, "ca_file", &config->ca_file) ||
	    !json_int(object, "timeout", 1, DURATION_MAX_MS, &config->timeout_ms))
		return false;
	len = strlen(config->url);
	while (len > 0 && config->url[len - 1] == '/')
		config->url[--len] = '\0';
	config->provider = provider_find(name);
	config->auth = provider_auth_of(auth);
	return config->provider && config->auth != PROVIDER_AUTH__MAX;
}

static const char *
take_part(const cJSON *part, struct updater_config *config)
{
	const char *why;
	int64_t version;

	if (!json_int(part, "v", 1, 1, &version))
		return "its version is not 1";
	if (!take_text(part, "version", &config->version) ||
	    !take_text(part, "runtime_dir", &config->runtime_dir))
		return "version or runtime_dir is missing";
	if (!take_records(part, config))
		return "records is malformed";
	if (!take_provider(part, config))
		return "provider is malformed";
	if (!json_int(part, "interval", 1, DURATION_MAX_MS, &config->interval_ms) ||
	    !json_int(part, "detector_interval", 1, DURATION_MAX_MS, &config->detector_interval_ms))
		return "interval or detector_interval is malformed";
	if (!json_bool(part, "observe", &config->observe) ||
	    !json_bool(part, "dry_run", &config->dry_run))
		return "observe or dry_run is malformed";
	if (!json_int(part, "backup_delay", 0, DURATION_MAX_MS, &config->backup_delay_ms) ||
	    !json_int(part, "backup_spread", 0, DURATION_MAX_MS, &config->backup_spread_ms))
		return "backup_delay or backup_spread is malformed";
	config->cluster = cluster_config_read(part, &why);
	if (config->cluster == NULL)
		return why;
	/* only there where it is asked for */
	if (cJSON_HasObjectItem(part, "once_limit") &&
	    !json_int(part, "once_limit", 1, DURATION_MAX_MS, &config->once_limit_ms))
		return "once_limit is malformed";
	return NULL;
}

struct updater_config *
updater_config_new(const cJSON *part, const char **why)
{
	struct updater_config *config = mem_new(1, sizeof(*config));

	*why = take_part(part, config);
	if (*why) {
		updater_config_free(config);
		return NULL;
	}
	return config;
}

void
updater_config_free(struct updater_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->nrecords; i++) {
		free(config->records[i].fqdn);
		free(config->records[i].zone);
		free(config->records[i].name);
	}
	free(config->records);
	free(config->version);
	free(config->runtime_dir);
	free(config->url);
	free(config->token_file);
	free(config->ca_file);
	cluster_config_free(config->cluster);
	free(config);
}
