/* What the files of wan_object.h share. */
#ifndef CLUSTER_WAN_PRIVATE_H
#define CLUSTER_WAN_PRIVATE_H

#include "cluster/wan_object.h"

#define WAN_RECORD_PREFIX "record."

/* Is it one of the keys of this program, in data? */
bool wan_is_own_key(const char *key);
/* The text of votes and of changes; free() it. */
char *wan_votes_print(const struct msg_wan *wan);
char *wan_changes_print(const struct msg_wan *wan);
/* The text of a record's key; free() it. */
char *wan_record_print(const struct wan_record *record);
/*
 * Fill what the text says of both families: of votes all but address, detected_at
 * and changes. False, and nothing is filled, if it is malformed or out of bounds.
 */
bool wan_votes_parse(const char *text, struct msg_wan *wan);
bool wan_changes_parse(const char *text, struct msg_wan *wan);

#endif
