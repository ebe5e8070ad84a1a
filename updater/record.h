/* One record of the configuration: its plan, and what is said about it. */
#ifndef UPDATER_RECORD_H
#define UPDATER_RECORD_H

#include <stdint.h>

#include "cluster/wan_object.h"
#include "common/http.h"
#include "common/metrics.h"
#include "updater/config.h"
#include "updater/plan.h"

struct records;

struct record {
	struct records *owner;
	unsigned index, count;             /* its place among the records, and how many there are */
	const struct updater_record *conf; /* the configuration's */
	struct plan plan;
	struct http_call *call; /* NULL: nothing under way */
	int64_t checked_at;     /* wall: the last successful read */
	int64_t updated_at;     /* wall: the last successful write */
	/* in a cluster, while another node acts on it: what that one says */
	const struct wan_record *key; /* NULL: there is no cluster */
	int64_t key_checked_ms;
	bool key_mine;      /* it is this node's own word */
	const char *reason; /* why this node does not act; "" */
};

/* "A", "AAAA". */
const char *record_type(const struct record *rec);
/* Its state: of its plan, or as another node tells it. */
enum msg_record_state record_state(const struct record *rec);
/* All that is shown of it. */
void record_describe(const struct record *rec, int64_t now_ms, struct msg_record *out);
/* The same as a message of the bus; free() it. */
char *record_message(const struct record *rec, int64_t now_ms);
/* What the actions tell to the log. */
void record_log(const struct record *rec, const struct plan_actions *actions);
/* What they count; also remembers the wall times of a read and a write. */
void record_count(struct record *rec, const struct plan_actions *actions, struct metrics *m,
		  int64_t wall_ms);

#endif
