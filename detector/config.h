/* The detector's part of the configuration, from the JSON that the supervisor made of it. */
#ifndef DETECTOR_CONFIG_H
#define DETECTOR_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/config.h"
#include "common/address.h"
#include "detector/agreement.h"
#include "detector/answer.h"
#include "detector/rounds.h"

#define DETECTOR_SOURCES_MAX 32

struct detector_source {
	char operator[MSG_OPERATOR_MAX];
	enum source_kind kind;
	char *url;  /* of the HTTP kinds, else NULL */
	char *host; /* an IPv6 address without brackets */
	uint16_t port;
	enum answer_format format;
	char *key;                          /* with ANSWER_JSON, else NULL */
	bool families[ADDRESS_FAMILY__MAX]; /* which ones it is asked for */
};

struct detector_config {
	char *version; /* of the program */
	char *runtime_dir;
	char *state_dir;
	char *ca_file;                      /* or NULL for the system's */
	bool families[ADDRESS_FAMILY__MAX]; /* which ones some record needs */
	int64_t timeout_ms;                 /* of a whole round */
	struct rounds_limits rounds;        /* without ntripwires, which depends on the family */
	struct agreement_limits agreement;
	size_t nsources;
	struct detector_source sources[DETECTOR_SOURCES_MAX];
	struct cluster_config *cluster; /* owned */
};

/*
 * NULL with *why (a phrase, a literal) if the part is malformed: the supervisor
 * checked it, so this is a broken internal protocol. Free it with
 * detector_config_free().
 */
struct detector_config *detector_config_read(const cJSON *part, const char **why);
void detector_config_free(struct detector_config *c);

/*
 * The sources that the tripwire of a family can use: STUN over UDP. Puts at
 * most max of them into list and returns how many that are.
 */
size_t detector_config_tripwires(const struct detector_config *c, enum address_family family,
				 const struct detector_source **list, size_t max);

#endif
