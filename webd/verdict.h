/* The state in one sentence: what is the case, and what to do if it is not well. Pure. */
#ifndef WEBD_VERDICT_H
#define WEBD_VERDICT_H

#include "common/buf.h"
#include "webd/state.h"

enum webd_level {
	WEBD_GOOD, /* all is as it should be */
	WEBD_WAIT, /* something is under way; nothing to do */
	WEBD_WARN, /* it works, or will by itself, but not as it should */
	WEBD_BAD,  /* it does not do its job */
	WEBD_LEVEL__MAX
};

/* To be zeroed before the first use; freed with webd_verdict_free(). */
struct webd_verdict {
	enum webd_level level;
	struct buf headline; /* "home.example.com points to 198.20.0.7" */
	struct buf detail;   /* sentences: how it is known, what is wrong, what to do */
};

/* Of all that is wrong, the headline is the worst; v must be empty. */
void webd_judge(const struct webd_state *s, int64_t now_ms, struct webd_verdict *v);
void webd_verdict_free(struct webd_verdict *v);

/* "good", "wait", "warn", "bad". */
const char *webd_level_name(enum webd_level level);

/* The state of one record in words, with its level; valid for ever. */
const char *webd_record_words(const struct webd_state *s, const struct webd_record *r,
			      int64_t now_ms, enum webd_level *level);

/* Why /healthz or /readyz would not say ok: a sentence in out, "" if they do. */
void webd_health(const struct webd_state *s, struct buf *out);
void webd_readiness(const struct webd_state *s, int64_t now_ms, struct buf *out);

#endif
