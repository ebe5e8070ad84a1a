#include "detector/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"

/*
 * How an operator stands, as far as it was told. One that says an address which
 * is not taken is another piece of news than one that says none.
 */
enum standing { STANDING_WELL, STANDING_DISAGREES, STANDING_REFUSED, STANDING_FAILS };

struct operator_standing {
	char operator[MSG_OPERATOR_MAX];
	enum standing standing;
};

struct family_report {
	size_t n;
	struct operator_standing operators[MSG_VOTES_MAX];
	enum msg_wan_state state;
	char reason[MSG_REASON_MAX];
};

struct report {
	struct metrics *metrics;
	struct family_report families[ADDRESS_FAMILY__MAX];
};

static void
start_counters(struct report *r, const struct detector_config *config)
{
	metrics_add(r->metrics, METRIC_WAN_IP_CHANGES, 0, NULL, NULL, NULL);
	for (size_t i = 0; i < config->nsources; i++) {
		const char *operator= config->sources[i].operator;

		metrics_add(r->metrics, METRIC_WAN_IP_FAILURES, 0, operator, NULL, NULL);
		metrics_add(r->metrics, METRIC_WAN_IP_DISAGREEMENTS, 0, operator, NULL, NULL);
		metrics_add(r->metrics, METRIC_WAN_IP_ANSWERS, 0, operator, NULL, NULL);
	}
}

struct report *
report_new(struct metrics *metrics, const struct detector_config *config)
{
	struct report *r = mem_new(1, sizeof(*r));

	r->metrics = metrics;
	start_counters(r, config);
	return r;
}

void
report_free(struct report *r)
{
	free(r);
}

void
report_reload(struct report *r, const struct detector_config *config)
{
	for (size_t f = 0; f < ADDRESS_FAMILY__MAX; f++) {
		r->families[f].n = 0;
		if (!config->families[f])
			r->families[f].state = MSG_WAN_UNKNOWN;
	}
	start_counters(r, config);
}

static struct operator_standing *
standing_of(struct family_report *f, const char *operator)
{
	size_t i = 0;

	while (i < f->n && strcmp(f->operators[i].operator, operator) != 0)
		i++;
	if (i == MSG_VOTES_MAX)
		return NULL;
	if (i == f->n) {
		f->operators[f->n++] = (struct operator_standing){ .standing = STANDING_WELL };
		mem_copy_text(f->operators[i].operator, sizeof(f->operators[i].operator), operator);
	}
	return &f->operators[i];
}

static void
log_standing(const struct report_round *round, const struct msg_vote *v, enum standing standing)
{
	const char *family = address_family_name(round->family);
	char answer[ADDRESS_TEXT_MAX], right[ADDRESS_TEXT_MAX];

	address_format(&v->answer, answer, sizeof(answer));
	address_format(&round->right, right, sizeof(right));
	switch (standing) {
	case STANDING_DISAGREES:
		log_warn("source disagrees", LOG_S("family", family),
			 LOG_S("operator", v->operator), LOG_S("kind", v->kind),
			 LOG_S("answer", answer), LOG_S("address", right));
		break;
	case STANDING_REFUSED:
	case STANDING_FAILS:
		log_warn("source fails", LOG_S("family", family), LOG_S("operator", v->operator),
			 LOG_S("kind", v->kind), LOG_S("answer", *answer ? answer : NULL),
			 LOG_S("error", v->error));
		break;
	case STANDING_WELL:
		log_info("source is well again", LOG_S("family", family),
			 LOG_S("operator", v->operator), LOG_S("kind", v->kind));
		break;
	}
}

static void
take_vote(struct report *r, const struct report_round *round, const struct msg_vote *v)
{
	struct operator_standing *s = standing_of(&r->families[round->family], v->operator);
	enum standing standing = STANDING_WELL;

	if (v->error[0]) {
		if (!round->complete && v->answer.family == ADDRESS_NONE)
			return;
		standing = v->answer.family == ADDRESS_NONE ? STANDING_FAILS : STANDING_REFUSED;
		metrics_add(r->metrics, METRIC_WAN_IP_FAILURES, 1, v->operator, NULL, NULL);
	} else if (round->right.family == ADDRESS_NONE) {
		/* it answers, and nobody knows whether it is right */
		if (s && s->standing == STANDING_DISAGREES)
			return;
	} else if (!address_equal(&v->answer, &round->right)) {
		standing = STANDING_DISAGREES;
		if (round->agreement->verdict == AGREEMENT_AGREED)
			metrics_add(r->metrics, METRIC_WAN_IP_DISAGREEMENTS, 1, v->operator, NULL,
				    NULL);
	}
	if (!s || s->standing == standing)
		return;
	log_standing(round, v, standing);
	s->standing = standing;
}

/* What one source said, whatever it is worth beside the others. */
static void
take_ballot(struct report *r, const struct report_round *round, const struct ballot *b)
{
	const char *reason = b->reason;

	if (b->answer.family != ADDRESS_NONE)
		reason =
			round->allow_reserved || !address_refusal(&b->answer) ? NULL : "not-public";
	else if (reason == NULL)
		return; /* the round was decided without it */
	if (reason == NULL)
		metrics_add(r->metrics, METRIC_WAN_IP_ANSWERS, 1, b->operator, NULL, NULL);
	else
		metrics_add(r->metrics, METRIC_WAN_IP_ERRORS, 1, b->operator, reason, NULL);
	metrics_add(r->metrics, METRIC_WAN_IP_SOURCE_SECONDS, (double)b->duration_ms / 1000,
		    b->operator, NULL, NULL);
}

void
report_take_round(struct report *r, const struct report_round *round)
{
	const struct agreement *a = round->agreement;

	metrics_add(r->metrics, METRIC_WAN_IP_ROUNDS, 1, address_family_name(round->family),
		    agreement_verdict_name(a->verdict), NULL);
	metrics_observe(r->metrics, METRIC_WAN_IP_DURATION, (double)round->duration_ms / 1000, NULL,
			NULL, NULL);
	for (size_t i = 0; i < round->nballots; i++)
		take_ballot(r, round, &round->ballots[i]);
	for (size_t i = 0; i < a->nvotes; i++)
		take_vote(r, round, &a->votes[i]);
}

static void
log_published(const struct report_change *c, const char *votes)
{
	char before[ADDRESS_TEXT_MAX], now[ADDRESS_TEXT_MAX];
	const char *family = address_family_name(c->family);

	address_format(&c->before, before, sizeof(before));
	address_format(&c->now, now, sizeof(now));
	if (*before)
		log_info("address changed", LOG_S("family", family), LOG_S("from", before),
			 LOG_S("to", now), LOG_S("votes", votes));
	else
		log_info("address found", LOG_S("family", family), LOG_S("address", now),
			 LOG_S("votes", votes));
}

static void
log_state(const struct report_change *c, enum msg_wan_state told, const char *votes)
{
	const char *family = address_family_name(c->family);
	char now[ADDRESS_TEXT_MAX];

	address_format(&c->now, now, sizeof(now));
	switch (c->state) {
	case MSG_WAN_AGREED:
		log_info(told == MSG_WAN_UNKNOWN ? "stored address is still right"
						 : "sources agree again",
			 LOG_S("family", family), LOG_S("address", now), LOG_S("votes", votes));
		break;
	case MSG_WAN_CONFIRMING:
		log_info("change seen", LOG_S("family", family), LOG_S("reason", c->reason));
		break;
	case MSG_WAN_DAMPED:
		log_warn("address goes back and forth", LOG_S("family", family),
			 LOG_S("reason", c->reason));
		break;
	case MSG_WAN_HELD:
		log_warn("sources do not agree", LOG_S("family", family),
			 LOG_S("address", *now ? now : NULL), LOG_S("reason", c->reason));
		break;
	case MSG_WAN_UNKNOWN:
	case MSG_WAN_STATE__MAX:
		break;
	}
}

void
report_take_change(struct report *r, const struct report_change *c)
{
	struct family_report *f = &r->families[c->family];
	bool published = !address_equal(&c->before, &c->now);
	char votes[32];

	snprintf(votes, sizeof(votes), "%u of %u", c->agreed, c->asked);
	if (published) {
		log_published(c, votes);
		if (c->before.family != ADDRESS_NONE)
			metrics_add(r->metrics, METRIC_WAN_IP_CHANGES, 1, NULL, NULL, NULL);
	} else if (c->state != f->state ||
		   (c->state == MSG_WAN_HELD && strcmp(c->reason, f->reason) != 0)) {
		log_state(c, f->state, votes);
	}
	f->state = c->state;
	mem_copy_text(f->reason, sizeof(f->reason), c->reason);
}
