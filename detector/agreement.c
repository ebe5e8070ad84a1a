#include "detector/agreement.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"

/* The two ways to ask, which a proxy or a VPN may fool each as a whole. */
enum way { WAY_HTTP, WAY_STUN, WAY__MAX };

/* One operator while its ballots are read. */
struct operator_tally {
	struct address said[WAY__MAX]; /* by way; ADDRESS_NONE: nothing that counts */
	bool split[WAY__MAX];          /* contradicts itself within the way */
	bool pending[WAY__MAX];        /* has a source that may answer yet */
};

/* How many operators name one address. */
struct candidate {
	struct address address;
	unsigned votes;
};

static const char *const verdict_names[AGREEMENT_VERDICT__MAX] = {
	[AGREEMENT_AGREED] = "agreed",
	[AGREEMENT_HELD] = "held",
};

static const char *const kind_names[SOURCE_KIND__MAX] = {
	[SOURCE_HTTPS] = "https",
	[SOURCE_HTTP] = "http",
	[SOURCE_STUN] = "stun",
	[SOURCE_STUN_TCP] = "stun-tcp",
};

static enum way
way_of(enum source_kind kind)
{
	return kind == SOURCE_STUN || kind == SOURCE_STUN_TCP ? WAY_STUN : WAY_HTTP;
}

static bool
is_known(const struct address *a)
{
	return a->family != ADDRESS_NONE;
}

/* Words into a fixed text, cut at whole characters where they are too long. */
static void __attribute__((format(printf, 3, 4)))
say(char *dst, size_t size, const char *format, ...)
{
	char text[2 * MSG_REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	mem_copy_text(dst, size, text);
}

/* The operator's vote, made if it is new; NULL if there are too many. */
static struct msg_vote *
vote_of(struct agreement *out, const struct ballot *b, size_t *index)
{
	struct msg_vote *v;

	for (*index = 0; *index < out->nvotes; (*index)++)
		if (strcmp(out->votes[*index].operator, b->operator) == 0)
			break;
	if (*index == MSG_VOTES_MAX)
		return NULL;
	v = &out->votes[*index];
	if (*index < out->nvotes) {
		if (strcmp(v->kind, source_kind_name(b->kind)) != 0)
			mem_copy_text(v->kind, sizeof(v->kind), "mixed");
		return v;
	}
	out->nvotes++;
	mem_copy_text(v->operator, sizeof(v->operator), b->operator);
	mem_copy_text(v->kind, sizeof(v->kind), source_kind_name(b->kind));
	return v;
}

/* Take an answer into the operator's vote; a contradiction leaves it without one. */
static void
take_answer(struct msg_vote *v, struct operator_tally *t, const struct ballot *b, bool allowed)
{
	enum way way = way_of(b->kind);
	char first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];

	if (allowed && !is_known(&t->said[way]))
		t->said[way] = b->answer;
	else if (allowed && !address_equal(&t->said[way], &b->answer))
		t->split[way] = true;
	if (!is_known(&v->answer)) {
		v->answer = b->answer;
		v->error[0] = '\0';
		if (!allowed)
			mem_copy_text(v->error, sizeof(v->error), address_refusal(&b->answer));
		return;
	}
	if (!address_equal(&v->answer, &b->answer))
		say(v->error, sizeof(v->error), "contradicts itself: %s and %s",
		    address_format(&v->answer, first, sizeof(first)),
		    address_format(&b->answer, second, sizeof(second)));
}

static void
take_ballot(struct agreement *out, struct operator_tally *tallies, const struct ballot *b,
	    const struct agreement_limits *limits)
{
	size_t index;
	struct msg_vote *v = vote_of(out, b, &index);

	if (!v)
		return;
	tallies[index].pending[way_of(b->kind)] |= b->pending;
	if (b->duration_ms > v->duration_ms)
		v->duration_ms = b->duration_ms;
	if (is_known(&b->answer))
		take_answer(v, &tallies[index], b,
			    limits->allow_reserved || !address_refusal(&b->answer));
	else if (!is_known(&v->answer) && !v->error[0])
		mem_copy_text(v->error, sizeof(v->error),
			      b->error[0] ? b->error : "gave no answer");
}

static bool
counts(const struct msg_vote *v)
{
	return is_known(&v->answer) && !v->error[0];
}

static void
count_candidate(struct candidate *list, size_t *n, const struct address *a)
{
	size_t i = 0;

	while (i < *n && !address_equal(&list[i].address, a))
		i++;
	if (i == *n)
		list[(*n)++] = (struct candidate){ .address = *a };
	list[i].votes++;
}

/* Put the two with the most votes first; a missing one has 0 votes. */
static void
find_best(const struct candidate *list, size_t n, struct candidate best[2])
{
	best[0] = best[1] = (struct candidate){ .votes = 0 };
	for (size_t i = 0; i < n; i++) {
		if (list[i].votes > best[0].votes) {
			best[1] = best[0];
			best[0] = list[i];
		} else if (list[i].votes > best[1].votes) {
			best[1] = list[i];
		}
	}
}

/*
 * What more than half of the operators that answered this way say; false if
 * fewer than two answered, or nothing has such a majority.
 */
static bool
majority_of_way(const struct operator_tally *tallies, size_t n, enum way way, struct address *out)
{
	struct candidate list[MSG_VOTES_MAX] = { 0 }, best[2];
	size_t ncandidates = 0;
	unsigned answered = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_known(&tallies[i].said[way]))
			continue;
		answered++;
		if (!tallies[i].split[way])
			count_candidate(list, &ncandidates, &tallies[i].said[way]);
	}
	find_best(list, ncandidates, best);
	*out = best[0].address;
	return answered >= 2 && best[0].votes > answered / 2;
}

/*
 * Do the ways contradict each other as wholes, so that one of them seems to be
 * fooled? Not so where both have operators that name what is known already:
 * then it stays in any case, and the others are liars.
 */
static bool
ways_contradict(const struct operator_tally *tallies, size_t n, const struct address *winner,
		const struct address *last, struct address said[WAY__MAX])
{
	bool named[WAY__MAX] = { false };

	if (!majority_of_way(tallies, n, WAY_HTTP, &said[WAY_HTTP]) ||
	    !majority_of_way(tallies, n, WAY_STUN, &said[WAY_STUN]) ||
	    address_equal(&said[WAY_HTTP], &said[WAY_STUN]))
		return false;
	for (size_t i = 0; i < n; i++)
		for (enum way way = WAY_HTTP; way < WAY__MAX; way++)
			named[way] |= address_equal(&tallies[i].said[way], winner);
	return !(address_equal(winner, last) && named[WAY_HTTP] && named[WAY_STUN]);
}

static void
hold_for_ways(struct agreement *out, const struct address said[WAY__MAX], const char *stays)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	out->verdict = AGREEMENT_HELD;
	out->address = (struct address){ .family = ADDRESS_NONE };
	say(out->reason, sizeof(out->reason),
	    "HTTP and STUN operators contradict each other (%s and %s), as behind a "
	    "transparent proxy or a VPN; %s",
	    address_format(&said[WAY_HTTP], a, sizeof(a)),
	    address_format(&said[WAY_STUN], b, sizeof(b)), stays);
}

/* What may come of a way until nothing of it is pending any more. */
enum outlook {
	OUTLOOK_FIRM,   /* a majority for the winner, or none */
	OUTLOOK_SILENT, /* no majority at all */
	OUTLOOK_OPEN    /* perhaps a majority for something else */
};

static enum outlook
outlook_of_way(const struct operator_tally *tallies, size_t n, enum way way,
	       const struct address *winner)
{
	unsigned operators = 0, pending = 0, firm = 0;
	struct address said;

	for (size_t i = 0; i < n; i++) {
		const struct operator_tally *t = &tallies[i];

		operators += is_known(&t->said[way]) || t->pending[way];
		pending += t->pending[way];
		firm += address_equal(&t->said[way], winner) && !t->split[way] && !t->pending[way];
	}
	if (pending == 0 && majority_of_way(tallies, n, way, &said))
		return address_equal(&said, winner) ? OUTLOOK_FIRM : OUTLOOK_OPEN;
	if (pending == 0 || operators < 2)
		return OUTLOOK_SILENT;
	return firm > operators / 2 ? OUTLOOK_FIRM : OUTLOOK_OPEN;
}

/*
 * Can no pending ballot change the agreement? Those may agree on something
 * else and outvote it, or be the way that contradicts the other.
 */
static bool
is_final(const struct agreement *out, const struct operator_tally *tallies)
{
	const struct address *winner = &out->address;
	unsigned firm = 0, others = 0;
	enum outlook http = outlook_of_way(tallies, out->nvotes, WAY_HTTP, winner);
	enum outlook stun = outlook_of_way(tallies, out->nvotes, WAY_STUN, winner);

	for (size_t i = 0; i < out->nvotes; i++) {
		const struct msg_vote *v = &out->votes[i];

		if (tallies[i].pending[WAY_HTTP] || tallies[i].pending[WAY_STUN])
			others++;
		else if (counts(v) && address_equal(&v->answer, winner))
			firm++;
		else if (counts(v))
			others++;
	}
	return firm >= out->needed && firm > others &&
	       (http == OUTLOOK_SILENT || stun == OUTLOOK_SILENT ||
		(http == OUTLOOK_FIRM && stun == OUTLOOK_FIRM));
}

/* Nothing has enough votes: say how far it came. */
static void
explain_shortage(struct agreement *out, const struct candidate best[2], const char *stays)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	address_format(&best[0].address, a, sizeof(a));
	address_format(&best[1].address, b, sizeof(b));
	if (out->asked == 0)
		say(out->reason, sizeof(out->reason), "there is no source to ask; %s", stays);
	else if (out->answered == 0)
		say(out->reason, sizeof(out->reason),
		    "none of %u operators gave an answer that counts, %u are needed; %s",
		    out->asked, out->needed, stays);
	else if (best[0].votes == best[1].votes && best[0].votes >= out->needed)
		say(out->reason, sizeof(out->reason),
		    "%u of %u operators agreed on %s and as many on %s; %s", best[0].votes,
		    out->asked, a, b, stays);
	else if (best[0].votes == 1 && best[1].votes == 1)
		say(out->reason, sizeof(out->reason),
		    "no two of the %u operators that answered agreed, %u of %u are needed; %s",
		    out->answered, out->needed, out->asked, stays);
	else
		say(out->reason, sizeof(out->reason),
		    "%u of %u operators agreed on %s, %u are needed; %s", best[0].votes, out->asked,
		    a, out->needed, stays);
}

static void
decide(struct agreement *out, const struct operator_tally *tallies, const struct address *last)
{
	struct candidate list[MSG_VOTES_MAX] = { 0 }, best[2];
	char text[ADDRESS_TEXT_MAX], stays[128];
	struct address said[WAY__MAX];
	size_t n = 0;

	if (is_known(last))
		say(stays, sizeof(stays), "the last good address %s stays",
		    address_format(last, text, sizeof(text)));
	else
		say(stays, sizeof(stays), "no address is known yet");
	for (size_t i = 0; i < out->nvotes; i++)
		if (counts(&out->votes[i])) {
			out->answered++;
			count_candidate(list, &n, &out->votes[i].answer);
		}
	find_best(list, n, best);
	out->agreed = best[0].votes;
	if (best[0].votes < out->needed || best[0].votes == best[1].votes) {
		explain_shortage(out, best, stays);
		return;
	}
	if (ways_contradict(tallies, out->nvotes, &best[0].address, last, said)) {
		hold_for_ways(out, said, stays);
		return;
	}
	out->verdict = AGREEMENT_AGREED;
	out->address = best[0].address;
	out->final = is_final(out, tallies);
}

void
agreement_judge(const struct agreement_limits *limits, const struct ballot *ballots, size_t n,
		const struct address *last, struct agreement *out)
{
	struct operator_tally tallies[MSG_VOTES_MAX] = { 0 };
	const struct address *reference;

	*out = (struct agreement){ .verdict = AGREEMENT_HELD };
	for (size_t i = 0; i < n; i++)
		take_ballot(out, tallies, &ballots[i], limits);
	out->asked = (unsigned)out->nvotes;
	out->needed = limits->quorum ? limits->quorum : out->asked / 2 + 1;
	decide(out, tallies, last);
	reference = out->verdict == AGREEMENT_AGREED ? &out->address : last;
	for (size_t i = 0; i < out->nvotes; i++)
		out->votes[i].agrees = counts(&out->votes[i]) && is_known(reference) &&
				       address_equal(&out->votes[i].answer, reference);
}

const char *
agreement_verdict_name(enum agreement_verdict verdict)
{
	return verdict < AGREEMENT_VERDICT__MAX ? verdict_names[verdict] : "invalid";
}

const char *
source_kind_name(enum source_kind kind)
{
	return kind < SOURCE_KIND__MAX ? kind_names[kind] : "invalid";
}

enum source_kind
source_kind_of(const char *name)
{
	enum source_kind kind = SOURCE_HTTPS;

	while (kind < SOURCE_KIND__MAX && strcmp(kind_names[kind], name) != 0)
		kind++;
	return kind;
}
