#include "webd/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

static const char *const level_names[WEBD_LEVEL__MAX] = {
	[WEBD_GOOD] = "good",
	[WEBD_WAIT] = "wait",
	[WEBD_WARN] = "warn",
	[WEBD_BAD] = "bad",
};

const char *
webd_level_name(enum webd_level level)
{
	return level < WEBD_LEVEL__MAX ? level_names[level] : "invalid";
}

const char *
webd_level_words(enum webd_level level)
{
	static const char *const words[WEBD_LEVEL__MAX] = {
		[WEBD_GOOD] = "all is well",
		[WEBD_WAIT] = "under way",
		[WEBD_WARN] = "warning",
		[WEBD_BAD] = "failure",
	};

	return level < WEBD_LEVEL__MAX ? words[level] : "invalid";
}

static void
forget_others(struct webd_verdict *v)
{
	for (size_t i = 0; i < v->nothers && i < WEBD_OTHERS_MAX; i++)
		free(v->others[i].headline);
	v->nothers = 0;
}

void
webd_verdict_free(struct webd_verdict *v)
{
	buf_free(&v->worst.headline);
	buf_free(&v->worst.detail);
	forget_others(v);
}

static void
add_span(struct webd_finding *f, const char *before, int64_t ms, const char *after, bool ahead)
{
	if (f->nspans < WEBD_SPANS_MAX)
		f->spans[f->nspans++] = (struct webd_span){ before, after, ms, ahead };
}

void
webd_finding_tell(const struct webd_finding *f, struct buf *out)
{
	buf_adds(out, buf_text(&f->detail));
	for (size_t i = 0; i < f->nspans; i++) {
		const struct webd_span *span = &f->spans[i];
		char text[32];

		/* in whole seconds, at least one: for people */
		clock_span(span->ms < 1000 ? 1000 : span->ms, text, sizeof(text));
		buf_printf(out, "%s%s%s%s", i > 0 || f->detail.len > 0 ? " " : "", span->before,
			   text, span->after);
	}
}

/*
 * What a worker said, as a sentence among others: with a full stop, and with a
 * capital unless it begins with a host's name or the like.
 */
static void
add_sentence(struct buf *b, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	size_t len = strlen(text), word = strspn(text, letters);

	if (len == 0)
		return;
	if (word > 0 && (text[word] == ' ' || text[word] == ','))
		buf_addc(b, (char)(text[0] - 'a' + 'A'));
	else
		buf_addc(b, text[0]);
	buf_adds(b, text + 1);
	if (strchr(".!?", text[len - 1]) == NULL)
		buf_addc(b, '.');
}

static const char *
family_word(enum address_family family)
{
	return family == ADDRESS_IPV6 ? "IPv6" : "IPv4";
}

/*
 * A worker that is not there. While webd itself has only just started, that is
 * nothing to worry about. True if there is something to say.
 */
static bool
judge_link(const struct webd_state *s, enum webd_link link, int64_t now_ms, struct webd_finding *f)
{
	const struct webd_unit *u = webd_unit(s, webd_link_name(link));
	const char *name = webd_link_name(link);
	int64_t age = webd_link_age(s, link, now_ms);

	if (webd_link_alive(s, link, now_ms) ||
	    (link == WEBD_DETECTOR && s->has_units && u == NULL))
		return false;
	if (age < 0 && now_ms - s->started_ms < WEBD_GRACE_MS) {
		f->level = WEBD_WAIT;
		buf_printf(&f->headline, "Waiting for the %s", name);
		buf_adds(&f->detail, "This page was started a moment ago.");
		return true;
	}
	f->level = WEBD_BAD;
	if (webd_unit_is(u, "failed")) {
		buf_printf(&f->headline, "The %s has failed", name);
		buf_printf(
			&f->detail,
			"It ended (%s) and is not started again by itself: read its log, then run "
			"\"esddnsctl reset-failed %s\" and \"esddnsctl start %s\".",
			u->last_exit[0] != '\0' ? u->last_exit : "no reason is known", name, name);
	} else if (webd_unit_is(u, "inactive")) {
		buf_printf(&f->headline, "The %s is stopped", name);
		buf_printf(&f->detail, "\"esddnsctl start %s\" starts it.", name);
	} else if (s->links[link].connected && s->links[link].stale) {
		buf_printf(&f->headline, "The %s has said nothing yet", name);
		buf_adds(&f->detail, "It is connected again, and has said nothing since.");
	} else if (webd_unit_is(u, "active") && s->links[link].connected) {
		buf_printf(&f->headline, "The %s is silent", name);
		buf_adds(&f->detail, "It runs, but says nothing; its log may tell why.");
	} else {
		buf_printf(&f->headline, "The %s does not run", name);
		if (u != NULL && u->last_exit[0] != '\0')
			buf_printf(&f->detail, "It ended: %s. ", u->last_exit);
		buf_adds(&f->detail, "The supervisor starts it again.");
	}
	if (age >= 0)
		add_span(f, "What it said last is ", age, " old.", false);
	return true;
}

/* The address itself: unknown, too old, or held. True if there is something to say. */
static bool
judge_family(const struct webd_state *s, enum address_family family, int64_t now_ms,
	     struct webd_finding *f)
{
	const struct msg_wan_family *w = webd_family(s, family);
	int64_t age = webd_confirmed_age(s, family, now_ms);
	char text[ADDRESS_TEXT_MAX];

	if (!webd_needs(s, family))
		return false;
	if (w == NULL || w->address.family == ADDRESS_NONE) {
		f->level = w == NULL || w->state == MSG_WAN_UNKNOWN ? WEBD_WAIT : WEBD_BAD;
		buf_printf(&f->headline, "The WAN %s address is not known yet",
			   family_word(family));
		add_sentence(&f->detail, w != NULL && w->reason[0] != '\0'
						 ? w->reason
						 : "The first round of questions is under way.");
		return true;
	}
	address_format(&w->address, text, sizeof(text));
	if (!webd_usable(s, family, now_ms)) {
		f->level = WEBD_BAD;
		buf_printf(&f->headline, "The WAN %s address is not certain any more",
			   family_word(family));
		buf_printf(&f->detail,
			   "It was %s; records are not written until a round confirms it.", text);
		if (age >= 0)
			add_span(f, "The last round that did so was ", age, " ago.", false);
	} else if (w->state == MSG_WAN_HELD || w->state == MSG_WAN_DAMPED) {
		f->level = WEBD_WARN;
		buf_printf(&f->headline,
			   w->state == MSG_WAN_HELD ? "%s is kept: the sources do not agree"
						    : "%s is kept: the address flaps",
			   text);
	} else if (w->state == MSG_WAN_CONFIRMING) {
		f->level = WEBD_WAIT;
		buf_printf(&f->headline, "A change from %s is being confirmed", text);
	} else {
		return false;
	}
	if (w->reason[0] != '\0' && f->detail.len > 0)
		buf_addc(&f->detail, ' ');
	add_sentence(&f->detail, w->reason);
	return true;
}

const char *
webd_record_words(const struct webd_state *s, const struct webd_record *r, int64_t now_ms,
		  enum webd_level *level)
{
	static const struct {
		enum webd_level level;
		const char *words;
	} of[MSG_RECORD_STATE__MAX] = {
		[MSG_RECORD_UNKNOWN] = { WEBD_WAIT, "not read yet" },
		[MSG_RECORD_IN_SYNC] = { WEBD_GOOD, "in sync" },
		[MSG_RECORD_WORKING] = { WEBD_WAIT, "being updated" },
		[MSG_RECORD_RETRYING] = { WEBD_WARN, "failing, is tried again" },
		[MSG_RECORD_ATTENTION] = { WEBD_BAD, "needs a person" },
		[MSG_RECORD_HELD] = { WEBD_WARN, "held, the address is not certain" },
		[MSG_RECORD_OBSERVED] = { WEBD_WARN, "out of sync, not written here" },
	};

	*level = WEBD_WAIT;
	if (!r->known)
		return "not known yet";
	*level = of[r->msg.state].level;
	if (r->msg.state != MSG_RECORD_IN_SYNC || webd_record_in_sync(s, r, now_ms))
		return of[r->msg.state].words;
	*level = WEBD_WARN;
	if (!webd_record_fresh(s, r, now_ms))
		return "was in sync, not checked since";
	return "out of sync";
}

/* One record that is not in sync. */
static void
judge_record(const struct webd_state *s, const struct webd_record *r, int64_t now_ms,
	     struct webd_finding *f)
{
	const char *words = webd_record_words(s, r, now_ms, &f->level);
	int64_t age = webd_record_age(r, now_ms);

	buf_printf(&f->headline, "%s %s: %s", r->config.fqdn, address_record_type(r->config.family),
		   words);
	if (!r->known) {
		buf_adds(&f->detail, "The updater has not spoken of it yet.");
		return;
	}
	add_sentence(&f->detail, r->msg.error);
	if (r->next_ms > now_ms)
		add_span(f, "The next attempt is in ", r->next_ms - now_ms, ".", true);
	if (age >= 0)
		add_span(f, "The record was checked ", age, " ago.", false);
	else
		buf_printf(&f->detail, "%sThe record was never checked.",
			   f->detail.len > 0 ? " " : "");
}

/* All is well: say where the names point. */
static void
judge_good(const struct webd_state *s, int64_t now_ms, struct webd_finding *f)
{
	int64_t oldest = 0;
	bool first = true;

	if (s->nrecords == 1)
		buf_printf(&f->headline, "%s points to ", s->records[0].config.fqdn);
	else
		buf_printf(&f->headline, "%zu records point to ", s->nrecords);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++) {
		const struct msg_wan_family *w = webd_family(s, (enum address_family)i);
		char text[ADDRESS_TEXT_MAX];

		if (!webd_needs(s, (enum address_family)i) || w == NULL)
			continue;
		buf_printf(&f->headline, "%s%s", first ? "" : " and ",
			   address_format(&w->address, text, sizeof(text)));
		first = false;
	}
	for (size_t i = 0; i < s->nrecords; i++)
		if (webd_record_age(&s->records[i], now_ms) > oldest)
			oldest = webd_record_age(&s->records[i], now_ms);
	add_span(f, "In sync, checked ", oldest, " ago.", false);
}

static void
reset(struct webd_finding *f)
{
	f->level = WEBD_GOOD;
	buf_clear(&f->headline);
	buf_clear(&f->detail);
	f->nspans = 0;
}

/* The worse of the two leads; the other one, if it is anything, is one of the others. */
static void
take(struct webd_verdict *v, struct webd_finding *candidate)
{
	if (candidate->level > v->worst.level) {
		struct webd_finding was = v->worst;

		v->worst = *candidate;
		*candidate = was;
	}
	if (candidate->level > WEBD_GOOD) {
		if (v->nothers < WEBD_OTHERS_MAX) {
			v->others[v->nothers].level = candidate->level;
			v->others[v->nothers].headline = mem_strdup(buf_text(&candidate->headline));
		}
		v->nothers++;
	}
	reset(candidate);
}

/* Those that need a person, or the rest of those that are not in sync. */
static void
judge_records(const struct webd_state *s, bool attention, int64_t now_ms, struct webd_verdict *v,
	      struct webd_finding *candidate)
{
	for (size_t i = 0; i < s->nrecords; i++) {
		const struct webd_record *r = &s->records[i];

		if ((r->known && r->msg.state == MSG_RECORD_ATTENTION) != attention)
			continue;
		if (r->msg.state == MSG_RECORD_IN_SYNC && webd_record_in_sync(s, r, now_ms))
			continue;
		judge_record(s, r, now_ms, candidate);
		take(v, candidate);
	}
}

void
webd_judge(const struct webd_state *s, int64_t now_ms, struct webd_verdict *v)
{
	struct webd_finding candidate = { .level = WEBD_GOOD };

	reset(&v->worst);
	forget_others(v);
	if (s->nrecords == 0) {
		v->worst.level = WEBD_WAIT;
		buf_adds(&v->worst.headline, "No record is configured here");
		buf_adds(&v->worst.detail, "This instance only shows what the others do.");
		return;
	}
	/* in this order: of two equally bad things, the cause comes before what follows from it */
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		if (judge_link(s, (enum webd_link)i, now_ms, &candidate))
			take(v, &candidate);
	judge_records(s, true, now_ms, v, &candidate);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (judge_family(s, (enum address_family)i, now_ms, &candidate))
			take(v, &candidate);
	judge_records(s, false, now_ms, v, &candidate);
	if (v->worst.level == WEBD_GOOD)
		judge_good(s, now_ms, &v->worst);
	buf_free(&candidate.headline);
	buf_free(&candidate.detail);
}

void
webd_health(const struct webd_state *s, struct buf *out)
{
	const struct webd_unit *u = webd_failed_unit(s);

	if (u != NULL)
		buf_printf(out, "The unit %s has failed: %s.", u->name,
			   u->last_exit[0] != '\0' ? u->last_exit : "no reason is known");
}

static bool
has_address(const struct webd_state *s, enum address_family family)
{
	const struct msg_wan_family *f = webd_family(s, family);

	return f != NULL && f->address.family != ADDRESS_NONE;
}

void
webd_readiness(const struct webd_state *s, int64_t now_ms, struct buf *out)
{
	if (s->draining) {
		buf_adds(out, "This instance is about to stop.");
		return;
	}
	/* an old address or record is shown with its age: the page is needed most then */
	if (webd_link_alive(s, s->wan_link, now_ms))
		for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
			if (has_address(s, (enum address_family)i))
				return;
	if (webd_link_alive(s, WEBD_UPDATER, now_ms))
		for (size_t i = 0; i < s->nrecords; i++)
			if (s->records[i].checked_ms >= 0)
				return;
	if (!webd_link_alive(s, WEBD_DETECTOR, now_ms) && !webd_link_alive(s, WEBD_UPDATER, now_ms))
		buf_adds(out, "Neither detector nor updater can be heard.");
	else
		buf_adds(out, "No address and no record is known yet.");
}
