/* The updater's part of the configuration, as the supervisor hands it over. */
#ifndef UPDATER_CONFIG_H
#define UPDATER_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/config.h"
#include "common/address.h"
#include "updater/provider.h"

#define UPDATER_RECORDS_MAX 1000

struct updater_record {
	char *fqdn, *zone, *name;
	enum address_family family; /* of the type: A is IPv4, AAAA is IPv6 */
	int64_t ttl;                /* s */
};

struct updater_config {
	char *version;
	char *runtime_dir;
	size_t nrecords;
	struct updater_record *records;
	const struct provider *provider;
	char *url;
	enum provider_auth auth;
	char *token_file; /* or NULL */
	char *ca_file;    /* or NULL */
	int64_t timeout_ms;
	int64_t interval_ms;
	int64_t detector_interval_ms;
	int64_t backup_delay_ms, backup_spread_ms;
	struct cluster_config *cluster; /* owned */
	bool observe, dry_run;
	int64_t once_limit_ms; /* esddns --once: end by then at the latest; 0: work on */
};

/*
 * Read the part. NULL with *why a phrase if it is not as agreed with the
 * supervisor, which is a broken internal protocol.
 */
struct updater_config *updater_config_new(const cJSON *part, const char **why);
void updater_config_free(struct updater_config *config);

#endif
