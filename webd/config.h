/* webd's part of the configuration, read from the JSON that the supervisor hands over. */
#ifndef WEBD_CONFIG_H
#define WEBD_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "ipc/message.h"

#define WEBD_RECORDS_MAX 64
#define WEBD_ENDPOINTS_MAX 8
#define WEBD_PATH_MAX 1024

struct webd_record_config {
	char fqdn[MSG_NAME_MAX], zone[MSG_NAME_MAX], name[MSG_NAME_MAX];
	enum address_family family; /* of the type: A is IPv4, AAAA is IPv6 */
	int64_t ttl;                /* s */
};

struct webd_endpoint {
	char host[ADDRESS_TEXT_MAX]; /* an address; an IPv6 one without brackets */
	uint16_t port;
};

struct webd_config {
	char version[32];
	char runtime_dir[WEBD_PATH_MAX];
	char backend[16];
	char instance[MSG_HOLDER_MAX]; /* the pod, where there are several; else "" */
	size_t nrecords;
	struct webd_record_config records[WEBD_RECORDS_MAX];
	size_t nlisten;
	struct webd_endpoint listen[WEBD_ENDPOINTS_MAX];
	size_t nmetrics;
	struct webd_endpoint metrics[WEBD_ENDPOINTS_MAX];
	unsigned max_connections;
	int64_t drain_ms;
	int64_t detector_interval_ms;
	int64_t updater_interval_ms;
	bool observe;
	bool dry_run;
};

/*
 * Read the part. 0, or -1 with *why a phrase that names the member that is
 * absent or impossible; out is then undefined.
 */
int webd_config_read(const cJSON *part, struct webd_config *out, const char **why);

/* Do both listen on the same addresses, with the same limit on connections? */
bool webd_config_same_server(const struct webd_config *a, const struct webd_config *b);

#endif
