#include "webd/verdict.h"

#include <string.h>

#include "common/clock.h"

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

void
webd_verdict_free(struct webd_verdict *v)
{
	buf_free(&v->headline);
	buf_free(&v->detail);
}

/* In whole seconds, at least one: for people. */
static void
add_span(struct buf *b, int64_t ms)
{
	char span[32];

	buf_adds(b, clock_span(ms < 1000 ? 1000 : ms, span, sizeof(span)));
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

/* "checked 12 s ago", or that it never was. */
static void
add_age(struct buf *b, const char *what, int64_t age_ms)
{
	if (age_ms < 0) {
		buf_printf(b, "never %s", what);
		return;
	}
	buf_printf(b, "%s ", what);
	add_span(b, age_ms);
	buf_adds(b, " ago");
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
judge_link(const struct webd_state *s, enum webd_link link, int64_t now_ms, struct webd_verdict *v)
{
	const struct webd_unit *u = webd_unit(s, webd_link_name(link));
	const char *name = webd_link_name(link);
	int64_t age = webd_link_age(s, link, now_ms);

	if (webd_link_alive(s, link, now_ms) ||
	    (link == WEBD_DETECTOR && s->has_units && u == NULL))
		return false;
	if (age < 0 && now_ms - s->started_ms < WEBD_GRACE_MS) {
		v->level = WEBD_WAIT;
		buf_printf(&v->headline, "Waiting for the %s", name);
		buf_adds(&v->detail, "This page was started a moment ago.");
		return true;
	}
	v->level = WEBD_BAD;
	if (webd_unit_is(u, "failed")) {
		buf_printf(&v->headline, "The %s has failed", name);
		buf_printf(
			&v->detail,
			"It ended (%s) and is not started again by itself: read its log, then run "
			"\"esddnsctl reset-failed %s\" and \"esddnsctl start %s\".",
			u->last_exit[0] != '\0' ? u->last_exit : "no reason is known", name, name);
	} else if (webd_unit_is(u, "inactive")) {
		buf_printf(&v->headline, "The %s is stopped", name);
		buf_printf(&v->detail, "\"esddnsctl start %s\" starts it.", name);
	} else if (s->links[link].connected && s->links[link].stale) {
		buf_printf(&v->headline, "The %s has said nothing yet", name);
		buf_adds(&v->detail, "It is connected again, and has said nothing since.");
	} else if (webd_unit_is(u, "active") && s->links[link].connected) {
		buf_printf(&v->headline, "The %s is silent", name);
		buf_adds(&v->detail, "It runs, but says nothing; its log may tell why.");
	} else {
		buf_printf(&v->headline, "The %s does not run", name);
		if (u != NULL && u->last_exit[0] != '\0')
			buf_printf(&v->detail, "It ended: %s. ", u->last_exit);
		buf_adds(&v->detail, "The supervisor starts it again.");
	}
	if (age >= 0) {
		buf_printf(&v->detail, " What it said last is ");
		add_span(&v->detail, age);
		buf_adds(&v->detail, " old.");
	}
	return true;
}

/* The address itself: unknown, too old, or held. True if there is something to say. */
static bool
judge_family(const struct webd_state *s, enum address_family family, int64_t now_ms,
	     struct webd_verdict *v)
{
	const struct msg_wan_family *f = webd_family(s, family);
	char text[ADDRESS_TEXT_MAX];

	if (!webd_needs(s, family))
		return false;
	if (f == NULL || f->address.family == ADDRESS_NONE) {
		bool working = f == NULL || f->state == MSG_WAN_UNKNOWN;

		v->level = working ? WEBD_WAIT : WEBD_BAD;
		buf_printf(&v->headline, "The WAN %s address is not known yet",
			   family_word(family));
		add_sentence(&v->detail, f != NULL && f->reason[0] != '\0'
						 ? f->reason
						 : "The first round of questions is under way.");
		return true;
	}
	address_format(&f->address, text, sizeof(text));
	if (!webd_usable(s, family, now_ms)) {
		v->level = WEBD_BAD;
		buf_printf(&v->headline, "The WAN %s address is not certain any more",
			   family_word(family));
		buf_printf(&v->detail, "It was %s, ", text);
		add_age(&v->detail, "confirmed", webd_confirmed_age(s, family, now_ms));
		buf_adds(&v->detail, "; records are not written until a round confirms it.");
	} else if (f->state == MSG_WAN_HELD || f->state == MSG_WAN_DAMPED) {
		v->level = WEBD_WARN;
		buf_printf(&v->headline,
			   f->state == MSG_WAN_HELD ? "%s is kept: the sources do not agree"
						    : "%s is kept: the address flaps",
			   text);
	} else if (f->state == MSG_WAN_CONFIRMING) {
		v->level = WEBD_WAIT;
		buf_printf(&v->headline, "A change from %s is being confirmed", text);
	} else {
		return false;
	}
	if (f->reason[0] != '\0' && v->detail.len > 0)
		buf_addc(&v->detail, ' ');
	add_sentence(&v->detail, f->reason);
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
	     struct webd_verdict *v)
{
	const char *words = webd_record_words(s, r, now_ms, &v->level);

	buf_printf(&v->headline, "%s %s: %s", r->config.fqdn, address_record_type(r->config.family),
		   words);
	if (!r->known) {
		buf_adds(&v->detail, "The updater has not spoken of it yet.");
		return;
	}
	if (r->msg.error[0] != '\0') {
		add_sentence(&v->detail, r->msg.error);
		buf_addc(&v->detail, ' ');
	}
	if (r->next_ms > now_ms) {
		buf_adds(&v->detail, "The next attempt is in ");
		add_span(&v->detail, r->next_ms - now_ms);
		buf_adds(&v->detail, ". ");
	}
	buf_adds(&v->detail, "The record was ");
	add_age(&v->detail, "checked", webd_record_age(r, now_ms));
	buf_addc(&v->detail, '.');
}

/* All is well: say where the names point. */
static void
judge_good(const struct webd_state *s, int64_t now_ms, struct webd_verdict *v)
{
	int64_t oldest = 0;
	bool first = true;

	v->level = WEBD_GOOD;
	if (s->nrecords == 1)
		buf_printf(&v->headline, "%s points to ", s->records[0].config.fqdn);
	else
		buf_printf(&v->headline, "%zu records point to ", s->nrecords);
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++) {
		const struct msg_wan_family *f = webd_family(s, (enum address_family)i);
		char text[ADDRESS_TEXT_MAX];

		if (!webd_needs(s, (enum address_family)i) || f == NULL)
			continue;
		buf_printf(&v->headline, "%s%s", first ? "" : " and ",
			   address_format(&f->address, text, sizeof(text)));
		first = false;
	}
	for (size_t i = 0; i < s->nrecords; i++)
		if (webd_record_age(&s->records[i], now_ms) > oldest)
			oldest = webd_record_age(&s->records[i], now_ms);
	buf_adds(&v->detail, "In sync, ");
	add_age(&v->detail, "checked", oldest);
	buf_addc(&v->detail, '.');
}

static void
reset(struct webd_verdict *v)
{
	v->level = WEBD_GOOD;
	buf_clear(&v->headline);
	buf_clear(&v->detail);
}

/* Make better the verdict if it is worse than what is there; it is emptied. */
static void
take_worse(struct webd_verdict *worst, struct webd_verdict *candidate)
{
	if (candidate->level > worst->level) {
		struct webd_verdict was = *worst;

		*worst = *candidate;
		*candidate = was;
	}
	reset(candidate);
}

void
webd_judge(const struct webd_state *s, int64_t now_ms, struct webd_verdict *v)
{
	struct webd_verdict candidate = { .level = WEBD_GOOD };

	reset(v);
	if (s->nrecords == 0) {
		v->level = WEBD_WAIT;
		buf_adds(&v->headline, "No record is configured here");
		buf_adds(&v->detail, "This instance only shows what the others do.");
		return;
	}
	/* in this order: of two equally bad things, the cause comes before what follows from it */
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		if (judge_link(s, (enum webd_link)i, now_ms, &candidate))
			take_worse(v, &candidate);
	for (size_t i = 0; i < s->nrecords; i++) {
		const struct webd_record *r = &s->records[i];

		if (!r->known || r->msg.state != MSG_RECORD_ATTENTION)
			continue;
		judge_record(s, r, now_ms, &candidate);
		take_worse(v, &candidate);
	}
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (judge_family(s, (enum address_family)i, now_ms, &candidate))
			take_worse(v, &candidate);
	for (size_t i = 0; i < s->nrecords; i++) {
		if (webd_record_in_sync(s, &s->records[i], now_ms) &&
		    s->records[i].msg.state == MSG_RECORD_IN_SYNC)
			continue;
		judge_record(s, &s->records[i], now_ms, &candidate);
		take_worse(v, &candidate);
	}
	if (v->level == WEBD_GOOD)
		judge_good(s, now_ms, v);
	webd_verdict_free(&candidate);
}

void
webd_health(const struct webd_state *s, struct buf *out)
{
	const struct webd_unit *u = webd_failed_unit(s);

	if (u != NULL)
		buf_printf(out, "The unit %s has failed: %s.", u->name,
			   u->last_exit[0] != '\0' ? u->last_exit : "no reason is known");
}

void
webd_readiness(const struct webd_state *s, int64_t now_ms, struct buf *out)
{
	if (s->draining) {
		buf_adds(out, "This instance is about to stop.");
		return;
	}
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++)
		if (webd_usable(s, (enum address_family)i, now_ms) &&
		    webd_link_alive(s, s->wan_link, now_ms))
			return;
	for (size_t i = 0; i < s->nrecords; i++)
		if (webd_record_fresh(s, &s->records[i], now_ms) &&
		    webd_link_alive(s, WEBD_UPDATER, now_ms))
			return;
	if (!webd_link_alive(s, WEBD_DETECTOR, now_ms) && !webd_link_alive(s, WEBD_UPDATER, now_ms))
		buf_adds(out, "Neither detector nor updater can be heard.");
	else
		buf_adds(out, "No address and no record is known yet.");
}
