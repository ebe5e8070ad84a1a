/*
 * The records' writers in a cluster (writer.h): what they are told of the ConfigMap, and
 * what they ask of the API server, carried out. Records are known by their place in the
 * configuration.
 */
#ifndef UPDATER_WRITERS_H
#define UPDATER_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/config.h"
#include "cluster/follower.h"
#include "cluster/kube.h"
#include "cluster/wan_object.h"
#include "common/pollset.h"
#include "ipc/message.h"
#include "updater/config.h"
#include "updater/writer.h"

struct writers;

/* Called from within the functions below; each may call them again. */
struct writers_hooks {
	/* An answer was read that may hold news of the address: the plans must have it first. */
	void (*news)(void *arg);
	void (*run)(void *arg, size_t record); /* its plan is to check now */
	void (*permit)(void *arg, size_t record, bool granted, const char *sentence);
	void (*changed)(void *arg, size_t record); /* whether it is active, or its key */
	/* What its plan says now, for a report: everything but pending and by. */
	void (*describe)(void *arg, size_t record, struct wan_record *out);
};

/* Everything given must live longer. */
struct writers *writers_new(const struct cluster_config *cluster, struct kube *kube,
			    struct follower *follower, const struct writers_hooks *hooks,
			    void *arg);
void writers_free(struct writers *ws);
/* A configuration, the first or a new one; borrowed until the next call. */
void writers_configure(struct writers *ws, const struct updater_config *config, int64_t now_ms);

void writers_prepare(const struct writers *ws, struct pollset *set);
/* After http_dispatch() and follower_dispatch(), once in a pass. */
void writers_dispatch(struct writers *ws, int64_t now_ms);

/* Who leads, as the own pod's detector says; NULL: it is not connected. */
void writers_hear_lead(struct writers *ws, const struct msg_lead *lead, int64_t now_ms);
/* What it publishes while it leads. */
void writers_hear_wan(struct writers *ws, const struct msg_wan *wan, int64_t now_ms);
void writers_say(struct writers *ws, size_t record, const struct writer_plan *plan, int64_t now_ms);
/* A person asks for a check. */
void writers_check(struct writers *ws, int64_t now_ms);

/* May the record's plan begin checks by itself? */
bool writers_active(const struct writers *ws, size_t record);
/* Why nothing is done here for it, as a sentence; or "". */
const char *writers_reason(const struct writers *ws, size_t record);
/* What the cluster knows of the record, and since when it was checked, by the local clock. */
const struct wan_record *writers_key(const struct writers *ws, size_t record);
int64_t writers_key_checked_ms(const struct writers *ws, size_t record);
/* Is it this node's word? */
bool writers_key_mine(const struct writers *ws, size_t record);
/* When the published address was confirmed, as far as writes may rely on it; or WRITER_NEVER. */
int64_t writers_confirmed_ms(const struct writers *ws, enum address_family family);
/* Is some record out of sync for longer than the leader's node should take? */
bool writers_overdue(const struct writers *ws, int64_t now_ms);
/* Requests to the API server so far. */
uint64_t writers_requests(const struct writers *ws);

#endif
