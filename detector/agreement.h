/*
 * What a round's answers are worth: votes by operator, and what a majority of
 * the operators asked agrees on. Pure.
 *
 * With f operators that lie, f + 1 must agree and 2f + 1 be asked. That is why
 * the majority is one of those asked, not of those that answered: two liars
 * must not win because three honest ones were slow.
 */
#ifndef DETECTOR_AGREEMENT_H
#define DETECTOR_AGREEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "ipc/message.h"

enum source_kind { SOURCE_HTTPS, SOURCE_HTTP, SOURCE_STUN, SOURCE_STUN_TCP, SOURCE_KIND__MAX };

/* What one source answered. */
struct ballot {
	const char *operator; /* who runs the source: sources of one operator are one vote */
	enum source_kind kind;
	bool pending;          /* it may answer yet */
	struct address answer; /* ADDRESS_NONE: see error */
	char error[96];        /* why there is no answer, as a phrase; else "" */
	const char *reason;    /* the same as a label for metrics; NULL: it was not waited for */
	int64_t duration_ms;
};

struct agreement_limits {
	unsigned quorum;     /* operators that must agree; 0: a majority of those asked */
	bool allow_reserved; /* also addresses that address_refusal() refuses */
};

enum agreement_verdict {
	AGREEMENT_AGREED, /* on address */
	AGREEMENT_HELD,   /* on nothing that may be published: reason says why */
	AGREEMENT_VERDICT__MAX
};

struct agreement {
	enum agreement_verdict verdict;
	struct address address; /* ADDRESS_NONE unless agreed */
	bool final;             /* agreed, whatever the pending ballots will say */
	/*
	 * Operators: asked; with an answer that counts; for the address (where
	 * held: for the one named most); needed for a verdict.
	 */
	unsigned asked, answered, agreed, needed;
	char reason[MSG_REASON_MAX]; /* a sentence without a full stop; "" if agreed */
	size_t nvotes;
	struct msg_vote
		votes[MSG_VOTES_MAX]; /* one for each operator, in the order of the ballots */
};

/*
 * Judge all ballots of one family's round, of at most MSG_VOTES_MAX operators
 * (more are left out). last is the last good address, ADDRESS_NONE if none is
 * known: it never votes, but the reason names it, and where nothing was agreed
 * on a vote "agrees" if it names it.
 */
void agreement_judge(const struct agreement_limits *limits, const struct ballot *ballots, size_t n,
		     const struct address *last, struct agreement *out);

const char *agreement_verdict_name(enum agreement_verdict verdict); /* "agreed", "held" */
const char *source_kind_name(enum source_kind kind);                /* "https", "stun-tcp", ... */
/* SOURCE_KIND__MAX if it is none of them. */
enum source_kind source_kind_of(const char *name);

#endif
