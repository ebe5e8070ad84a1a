#include "ipc/message.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/message_private.h"

static const char *const type_names[MSG_TYPE__MAX] = {
	[MSG_WAN] = "wan",       [MSG_LEAD] = "lead",   [MSG_CLUSTER] = "cluster",
	[MSG_RECORD] = "record", [MSG_STATS] = "stats",
};

static const char *const wan_state_names[MSG_WAN_STATE__MAX] = {
	[MSG_WAN_UNKNOWN] = "unknown",
	[MSG_WAN_AGREED] = "agreed",
	[MSG_WAN_CONFIRMING] = "confirming",
	[MSG_WAN_DAMPED] = "damped",
	[MSG_WAN_HELD] = "held",
};

static const char *const record_state_names[MSG_RECORD_STATE__MAX] = {
	[MSG_RECORD_UNKNOWN] = "unknown",     [MSG_RECORD_IN_SYNC] = "in_sync",
	[MSG_RECORD_WORKING] = "working",     [MSG_RECORD_RETRYING] = "retrying",
	[MSG_RECORD_ATTENTION] = "attention", [MSG_RECORD_HELD] = "held",
	[MSG_RECORD_OBSERVED] = "observed",
};

static const char *const role_names[MSG_ROLE__MAX] = {
	[MSG_STANDBY] = "standby",
	[MSG_LEADER] = "leader",
};

static const char *const vote_kinds[] = { "https", "http", "stun", "stun-tcp", "mixed" };

const char *
msg_type_name(enum msg_type type)
{
	return type < MSG_TYPE__MAX ? type_names[type] : "invalid";
}

const char *
msg_wan_state_name(enum msg_wan_state state)
{
	return state < MSG_WAN_STATE__MAX ? wan_state_names[state] : "invalid";
}

const char *
msg_record_state_name(enum msg_record_state state)
{
	return state < MSG_RECORD_STATE__MAX ? record_state_names[state] : "invalid";
}

const char *
msg_role_name(enum msg_role role)
{
	return role < MSG_ROLE__MAX ? role_names[role] : "invalid";
}

bool
msg_vote_kind_known(const char *kind)
{
	for (size_t i = 0; i < sizeof(vote_kinds) / sizeof(vote_kinds[0]); i++)
		if (strcmp(vote_kinds[i], kind) == 0)
			return true;
	return false;
}

const struct msg_wan_family *
msg_wan_family_const(const struct msg_wan *w, enum address_family family)
{
	switch (family) {
	case ADDRESS_IPV4:
		return &w->ipv4;
	case ADDRESS_IPV6:
		return &w->ipv6;
	case ADDRESS_NONE:
	case ADDRESS_FAMILY__MAX:
		break;
	}
	return NULL;
}

struct msg_wan_family *
msg_wan_family(struct msg_wan *w, enum address_family family)
{
	return (struct msg_wan_family *)msg_wan_family_const(w, family);
}

void
msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	if (m->type == MSG_STATS)
		metrics_free(m->stats.metrics);
	free(m);
}
