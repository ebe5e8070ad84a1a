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

/*
 * A sentence that ends in an age, or in a time that is left (ahead): apart from the rest,
 * so that the page can count on. ms is not negative.
 */
struct webd_span {
	const char *before, *after;
	int64_t ms;
	bool ahead;
};

#define WEBD_SPANS_MAX 2

/* One thing that is to be said. */
struct webd_finding {
	enum webd_level level;
	struct buf headline; /* "home.example.com points to 198.20.0.7" */
	struct buf detail;   /* sentences: how it is known, what is wrong, what to do; may be "" */
	size_t nspans;
	struct webd_span spans[WEBD_SPANS_MAX];
};

#define WEBD_OTHERS_MAX 6

/* To be zeroed before the first use; freed with webd_verdict_free(). */
struct webd_verdict {
	struct webd_finding worst; /* of all that is wrong; or that all is well */
	size_t nothers;            /* how much else is not as it should be */
	struct {
		enum webd_level level;
		char *headline;
	} others[WEBD_OTHERS_MAX]; /* the first of these */
};

/* v must be zeroed, or from here. */
void webd_judge(const struct webd_state *s, int64_t now_ms, struct webd_verdict *v);
void webd_verdict_free(struct webd_verdict *v);
/* Append the detail with its spans, as text. */
void webd_finding_tell(const struct webd_finding *f, struct buf *out);

/* "good", "wait", "warn", "bad". */
const char *webd_level_name(enum webd_level level);
/* The same for people: "all is well", "under way", "warning", "failure". */
const char *webd_level_words(enum webd_level level);

/* The state of one record in words, with its level; valid for ever. */
const char *webd_record_words(const struct webd_state *s, const struct webd_record *r,
			      int64_t now_ms, enum webd_level *level);

/* Why /healthz or /readyz would not say ok: a sentence in out, "" if they do. */
void webd_health(const struct webd_state *s, struct buf *out);
void webd_readiness(const struct webd_state *s, int64_t now_ms, struct buf *out);

#endif
