/*
 * The seam that a cluster fills with a Lease and a ConfigMap, for one host: a
 * lock file says who leads, a state file keeps what was published. Both live
 * in state_dir. The file has a uid and the same numbers (epoch, sequence) as
 * the ConfigMap, so that followers need one rule for both.
 */
#ifndef CLUSTER_LOCAL_H
#define CLUSTER_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/message.h"

struct local;

/* What outlives the process. */
struct local_state {
	char uid[MSG_UID_MAX];
	int64_t epoch;
	int64_t sequence;
	struct {
		struct address address;
		int64_t detected_at;  /* wall */
		int64_t confirmed_at; /* wall */
		size_t nchanges;
		struct msg_change changes[MSG_CHANGES_MAX];
	} ipv4, ipv6;
};

/*
 * Take the lock and read the state. NULL with *why (a sentence that names the
 * holder or the failing path; valid until the next call) only if another
 * process holds the lock. A missing file starts anew with a fresh uid; a
 * corrupt one is reported, set aside as FILE.corrupt and rebuilt; a directory
 * that cannot be written is reported and lived with, in memory.
 * The epoch is raised by one and stored before this returns; where it cannot
 * be stored, the uid is fresh, so that no number is handed out twice for one.
 */
struct local *local_open(const char *state_dir, const char **why);
void local_close(struct local *l);

const struct local_state *local_state(const struct local *l);
/* The name that this process leads under: host name and pid. */
const char *local_holder(const struct local *l);
/* "" if the store is well, else a sentence: what cannot be kept and why. */
const char *local_trouble(const struct local *l);

/*
 * Keep a new state: write, fsync, rename, fsync of the directory. uid and
 * epoch are the store's own and stay; the sequence is taken from state.
 * A failure is reported once (until it ends) and changes nothing else: the
 * state is kept in memory. Returns 0 or -1.
 */
int local_store(struct local *l, const struct local_state *state);

/*
 * Look at what is stored, without the lock and changing nothing. False with *why
 * (a phrase, valid until the next call) if there is nothing to be read.
 */
bool local_peek(const char *state_dir, struct local_state *out, const char **why);

/* The pure part, in local_state.c: text form to state. -1 with *why (a phrase) if it is refused. */
int local_parse(const char *text, size_t len, struct local_state *out, const char **why);
char *local_print(const struct local_state *state); /* free() it */

#endif
