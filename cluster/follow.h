/*
 * Which news a follower believes, whichever way it came: only what is newer by
 * (epoch, sequence) for the uid that it knows to be the object's
 * (ARCHITECTURE.md, P6). Pure.
 */
#ifndef CLUSTER_FOLLOW_H
#define CLUSTER_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/api.h"
#include "ipc/message.h"

#define FOLLOW_PAST_MAX 8

struct follow {
	char uid[MSG_UID_MAX]; /* "" until the first */
	int64_t epoch, sequence;
};

enum follow_verdict {
	FOLLOW_NEW,    /* take it */
	FOLLOW_SAME,   /* the same state again: renews the age, no more */
	FOLLOW_OLD,    /* an older epoch or sequence: drop it */
	FOLLOW_FOREIGN /* another uid from a source that may not change it: read the object */
};

void follow_init(struct follow *f);
/*
 * Judge news and remember it if it is FOLLOW_NEW. authoritative: it comes from
 * one's own read of the object (or from the local store's only writer), so
 * another uid means that the object was made anew and the numbers start again.
 */
enum follow_verdict follow_judge(struct follow *f, const struct msg_wan *news, bool authoritative);
const char *follow_verdict_name(enum follow_verdict verdict);

/*
 * The versions of the object in the order in which they were seen. A watch shows each, and
 * an answer that was on its way meanwhile may hold one from before: versions have no order
 * that a client may use, so they are only looked for here.
 */
struct follow_past {
	char versions[FOLLOW_PAST_MAX][API_VERSION_MAX];
	unsigned newest;
};

void follow_note_version(struct follow_past *p, const char *version);
/* Was it seen before the one that was noted last? */
bool follow_is_past(const struct follow_past *p, const char *version);

#endif
