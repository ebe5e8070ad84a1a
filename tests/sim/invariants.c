#include "tests/sim/invariants.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/faults.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

/* Who a person took the Lease from may go on until its own deadline; the fence is what counts. */
#define HAND_US (11 * SECOND)
/*
 * A write may be sent that long after the address ceased to be the published
 * one: the read before it was right when it was served (P7's one request).
 */
#define IN_FLIGHT_US (WRITER_REQUEST_MS * MILLISECOND * 102 / 100)
/* A late write that undid a newer one is repaired by a check, at the latest the periodic one. */
#define REPAIR_US (SIM_INTERVAL_MS * MILLISECOND + 15 * SECOND)
#define SEEN_MAX 1024

/* The greatest numbers under one uid. */
struct numbers {
	unsigned uid;
	int64_t epoch, sequence;
	char holder[MSG_HOLDER_MAX];
	bool by_hand; /* set by a person */
	struct numbers *next;
};

/* What a node's follower took, in this life. */
struct applied {
	uint32_t life;
	char uid[MSG_UID_MAX];
	int64_t epoch, sequence;
	struct applied *next;
};

/* The ConfigMap's address, from then on. */
struct published {
	int64_t from_us;
	bool by_hand;
	struct address address;
};

struct checks {
	int64_t hand_us; /* when a person touched the Lease last */
	struct numbers *numbers;
	struct applied **applied;
	struct address seen[SEEN_MAX];
	int64_t seen_us[SEEN_MAX]; /* by a quorum, last */
	size_t nseen;
	struct published *history;
	size_t nhistory, history_max;
	int64_t *untils; /* of each node's leadership, as seen last */
	unsigned changes;
};

void
checks_start(struct world *w)
{
	w->checks = world_new(w, sizeof(*w->checks));
	w->checks->hand_us = -HAND_US;
	w->checks->applied = world_new(w, w->nnodes * sizeof(*w->checks->applied));
	w->checks->untils = world_new(w, w->nnodes * sizeof(*w->checks->untils));
}

void
checks_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failed)
		return;
	w->failed = true;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	TRACE(w, "BROKEN: %s", w->failure);
}

/* --- the ConfigMap --------------------------------------------------------------------------- */

static struct numbers *
numbers_of(struct world *w, unsigned uid)
{
	struct numbers *n = w->checks->numbers;

	while (n && n->uid != uid)
		n = n->next;
	if (n)
		return n;
	n = world_new(w, sizeof(*n));
	n->uid = uid;
	n->next = w->checks->numbers;
	w->checks->numbers = n;
	return n;
}

int64_t
checks_greatest_epoch(struct world *w)
{
	return api_wan(w)->exists ? numbers_of(w, api_wan(w)->uid)->epoch : 0;
}

bool
checks_lease_was_touched(const struct world *w)
{
	return w->now_us < w->checks->hand_us + HAND_US;
}

bool
checks_numbers_are_by_hand(struct world *w)
{
	return numbers_of(w, api_wan(w)->uid)->by_hand;
}

/* When a quorum of sources saw it last; -1: never. */
static int64_t
seen_us(const struct checks *c, const struct address *a)
{
	for (size_t i = c->nseen; i-- > 0;)
		if (address_equal(&c->seen[i], a))
			return c->seen_us[i];
	return -1;
}

/* What nodes published last, and since when; an object made anew may say it again. */
static const struct published *
last_published(const struct checks *c)
{
	const struct published *last = NULL;

	for (size_t i = c->nhistory; i-- > 0;) {
		const struct published *p = &c->history[i];

		if (p->by_hand || p->address.family == ADDRESS_NONE)
			continue;
		if (last && !address_equal(&p->address, &last->address))
			break;
		last = p;
	}
	return last;
}

/* A node may publish another address only if it was seen since the present one was published. */
static void
check_address(struct world *w, const struct address *new, uint32_t by)
{
	const struct published *last = last_published(w->checks);
	int64_t seen = seen_us(w->checks, new);

	if (seen < 0)
		checks_fail(w, "node %u publishes an address that no quorum saw", by);
	else if (last && !address_equal(&last->address, new) && seen < last->from_us)
		checks_fail(w, "node %u publishes an older address over a newer one", by);
}

static void
remember(struct numbers *n, const struct stored_wan *s, bool by_hand)
{
	struct api_fence f;

	stored_wan_fence(s, &f);
	if (f.epoch < n->epoch || (f.epoch == n->epoch && f.sequence <= n->sequence))
		return;
	n->epoch = f.epoch;
	n->sequence = f.sequence;
	n->by_hand = by_hand;
	memcpy(n->holder, s->holder, sizeof(n->holder));
}

static void
check_numbers(struct world *w, const struct numbers *n, const struct stored_wan *s, uint32_t by)
{
	if (strcmp(s->holder, w->nodes[by].identity) != 0 && w->nodes[by].alive &&
	    strncmp(s->holder, w->nodes[by].name, strlen(w->nodes[by].name)) != 0)
		checks_fail(w, "node %u writes under another's name, %s", by, s->holder);
	if (s->epoch < n->epoch)
		checks_fail(w, "I1/I3: the epoch falls from %lld to %lld, by node %u",
			    (long long)n->epoch, (long long)s->epoch, by);
	else if (s->epoch == n->epoch && n->epoch > 0 && strcmp(s->holder, n->holder) != 0)
		checks_fail(w, "I2: epoch %lld has two holders, %s and %s", (long long)s->epoch,
			    n->holder, s->holder);
	else if (s->epoch == n->epoch && s->sequence <= n->sequence)
		checks_fail(w,
			    "in epoch %lld the sequence goes from %lld to %lld: an older write "
			    "landed over a newer one, by node %u",
			    (long long)s->epoch, (long long)n->sequence, (long long)s->sequence,
			    by);
}

static void
add_history(struct world *w, const struct address *a, bool by_hand)
{
	struct checks *c = w->checks;

	if (c->nhistory == c->history_max) {
		size_t max = c->history_max ? 2 * c->history_max : 64;
		struct published *more = world_new(w, max * sizeof(*more));

		if (c->nhistory > 0)
			memcpy(more, c->history, c->nhistory * sizeof(*more));
		c->history = more;
		c->history_max = max;
	}
	c->history[c->nhistory++] = (struct published){ w->now_us, by_hand, *a };
}

static void
tell_stored(struct world *w, const struct stored_wan *s, uint32_t by)
{
	char text[ADDRESS_TEXT_MAX], who[24];

	snprintf(who, sizeof(who), by == API_HAND ? "a person" : "node %u", by);
	if (!s->exists)
		TRACE(w, "configmap: deleted by %s", who);
	else
		TRACE(w, "configmap: uid %u epoch %lld sequence %lld holder %s address %s%s, by %s",
		      s->uid, (long long)s->epoch, (long long)s->sequence, s->holder,
		      address_format(&s->news.address, text, sizeof(text)),
		      s->immutable ? ", immutable" : "", who);
}

void
checks_wan_stored(struct world *w, const struct stored_wan *before, const struct stored_wan *after,
		  uint32_t by)
{
	static const struct address none = { ADDRESS_NONE };
	const struct address *old = before->exists ? &before->news.address : &none;
	const struct address *new = after->exists ? &after->news.address : &none;
	bool moved = !address_equal(old, new);
	struct numbers *n;

	if (w->trace)
		tell_stored(w, after, by);
	if (moved && by != API_HAND && new->family != ADDRESS_NONE) {
		w->checks->changes++;
		check_address(w, new, by);
	}
	if (moved)
		add_history(w, new, by == API_HAND);
	if (!after->exists)
		return;
	n = numbers_of(w, after->uid);
	if (by != API_HAND && (before->epoch != after->epoch ||
			       before->sequence != after->sequence || before->uid != after->uid))
		check_numbers(w, n, after, by);
	remember(n, after, by == API_HAND);
}

/* --- the Lease ------------------------------------------------------------------------------- */

void
checks_lease_stored(struct world *w, const struct stored_lease *before,
		    const struct stored_lease *after, uint32_t by)
{
	if (by == API_HAND)
		w->checks->hand_us = w->now_us;
	if (by == API_HAND || !before->exists ||
	    strcmp(before->lease.holder, after->lease.holder) != 0 ||
	    before->lease.transitions != after->lease.transitions)
		TRACE(w, "lease: %s holder \"%s\" term %lld%s", after->exists ? "" : "deleted,",
		      after->lease.holder, (long long)after->lease.transitions,
		      by == API_HAND ? ", by a person" : "");
}

void
checks_leader_acts(struct node *n, const char *what)
{
	int64_t left = n->detector.until_ms - node_now(n);

	if (left <= 0)
		checks_fail(n->w, "I6: node %u %s %lld ms after its deadline", n->index, what,
			    (long long)-left);
}

void
checks_activity(struct node *n)
{
	struct world *w = n->w;
	int64_t until = leadership_until(n->detector.leadership);

	if (until == w->checks->untils[n->index])
		return;
	w->checks->untils[n->index] = until;
	if (until == 0 || !detector_is_active(n) || checks_lease_was_touched(w))
		return;
	for (size_t i = 0; i < w->nnodes; i++)
		if (i != n->index && detector_is_active(&w->nodes[i]))
			checks_fail(w, "nodes %zu and %u are active at the same time", i, n->index);
}

/* --- followers ------------------------------------------------------------------------------- */

void
checks_applied(struct node *n, const char *uid, int64_t epoch, int64_t sequence)
{
	struct applied **list = &n->w->checks->applied[n->index], *a;

	if (*list && (*list)->life != n->life)
		*list = NULL;
	for (a = *list; a && strcmp(a->uid, uid) != 0;)
		a = a->next;
	if (!a) {
		a = world_new(n->w, sizeof(*a));
		memcpy(a->uid, uid, sizeof(a->uid));
		a->life = n->life;
		a->next = *list;
		*list = a;
	} else if (epoch < a->epoch || (epoch == a->epoch && sequence <= a->sequence)) {
		checks_fail(n->w, "I5: node %u goes back in %s from (%lld, %lld) to (%lld, %lld)",
			    n->index, uid, (long long)a->epoch, (long long)a->sequence,
			    (long long)epoch, (long long)sequence);
	}
	a->epoch = epoch;
	a->sequence = sequence;
}

/* --- addresses and records ------------------------------------------------------------------- */

static void
note_seen(struct world *w, const struct address *a)
{
	struct checks *c = w->checks;
	size_t i = 0;

	while (i < c->nseen && !address_equal(&c->seen[i], a))
		i++;
	if (i == SEEN_MAX)
		return;
	c->seen[i] = *a;
	c->seen_us[i] = w->now_us;
	c->nseen += i == c->nseen;
}

void
checks_round_ended(struct world *w, const struct ballot *ballots)
{
	for (unsigned i = 0; i < SOURCES; i++) {
		unsigned votes = 0;

		for (unsigned k = 0; k < SOURCES; k++)
			votes += ballots[i].answer.family != ADDRESS_NONE &&
				 address_equal(&ballots[i].answer, &ballots[k].answer);
		if (votes >= SOURCES_QUORUM)
			note_seen(w, &ballots[i].answer);
	}
}

/* When it was last the published address; now if it is, -1 if it never was. */
static int64_t
published_until(const struct world *w, const struct address *a)
{
	const struct checks *c = w->checks;

	for (size_t i = c->nhistory; i-- > 0;)
		if (address_equal(&c->history[i].address, a))
			return i + 1 < c->nhistory ? c->history[i + 1].from_us : w->now_us;
	return -1;
}

void
checks_write_sent(struct node *n, unsigned record, const struct address *value)
{
	struct world *w = n->w;
	int64_t until = published_until(w, value);
	char text[ADDRESS_TEXT_MAX];

	address_format(value, text, sizeof(text));
	TRACE(w, "node %u: sends PUT of record %u, %s", n->index, record, text);
	if (seen_us(w->checks, value) < 0)
		checks_fail(w, "node %u writes %s into a record: no quorum saw it", n->index, text);
	else if (until < 0 || until + IN_FLIGHT_US < w->now_us)
		checks_fail(w,
			    "node %u writes %s into a record %lld ms after another was published",
			    n->index, text, (long long)(w->now_us - until) / 1000);
}

static bool
is_right(const struct world *w, unsigned record)
{
	const struct gandi_record *r = gandi_record(w, record);

	return r->exists && api_wan(w)->exists &&
	       address_equal(&r->value, &api_wan(w)->news.address);
}

static void
check_repair(struct world *w, void *arg, uint64_t record)
{
	int64_t since = *(int64_t *)arg;

	if (!faults_were_active_since(w, since) && !is_right(w, (unsigned)record))
		checks_fail(w,
			    "record %u was set back to an older address by a late write, and was "
			    "not repaired in %lld s",
			    (unsigned)record, (long long)(REPAIR_US / SECOND));
}

void
checks_record_written(struct world *w, unsigned record, const struct address *value, uint32_t by)
{
	int64_t *since;

	(void)value;
	(void)by;
	if (is_right(w, record))
		return;
	since = world_new(w, sizeof(*since));
	*since = w->now_us;
	world_at(w, w->now_us + REPAIR_US, check_repair, since, record);
}

void
checks_record_edited(struct world *w, unsigned record)
{
	TRACE(w, "a person edits record %u", record);
}

/* --- the end --------------------------------------------------------------------------------- */

static const char *
node_settled(const struct world *w, const struct node *n)
{
	const struct stored_wan *s = api_wan(w);
	const struct wan_state *shown = &n->updater.shown;

	if (!n->alive)
		return "a node is down";
	if (shown->epoch != s->epoch || shown->sequence != s->sequence ||
	    !address_equal(&shown->news.address, &s->news.address))
		return "a node does not show what is published";
	return NULL;
}

const char *
checks_settled(struct world *w)
{
	const struct stored_wan *s = api_wan(w);
	unsigned active = 0;

	for (size_t i = 0; i < w->nnodes; i++)
		active += detector_is_active(&w->nodes[i]);
	if (active != 1)
		return active ? "several nodes lead" : "I4: nobody leads";
	if (!s->exists)
		return "there is no ConfigMap";
	if (!address_equal(&s->news.address, &w->sources->wan))
		return "the published address is not the right one";
	for (unsigned i = 0; i < SIM_RECORDS; i++)
		if (!is_right(w, i))
			return "a record is not right";
	for (size_t i = 0; i < w->nnodes; i++) {
		const char *what = node_settled(w, &w->nodes[i]);

		if (what)
			return what;
	}
	return NULL;
}

/* What a change costs at the provider, and time at the API server, whatever the number of nodes. */
void
checks_calm(struct world *w)
{
	uint64_t rounds = (uint64_t)(w->now_us / (SIM_INTERVAL_MS * MILLISECOND)) + 1;
	uint64_t reads = SIM_RECORDS * (2 * w->checks->changes + 2 * rounds);
	/*
	 * Standbys: N / 30 + 2 a second; the leader: a renewal in 2 s. A start takes ten for
	 * each node, a round one write and the reports, a change those and the claims.
	 */
	uint64_t requests = (w->nnodes / 30 + 3) * (uint64_t)(w->now_us / SECOND) + 10 * w->nnodes +
			    (1 + 4 * SIM_RECORDS) * (rounds + w->checks->changes);

	for (unsigned i = 0; i < SIM_RECORDS; i++)
		if (gandi_record(w, i)->puts > w->checks->changes)
			checks_fail(w, "without faults: %u PUTs of record %u for %u changes",
				    gandi_record(w, i)->puts, i, w->checks->changes);
	if (api_requests(w) > requests)
		checks_fail(w, "without faults: %llu requests at the API server in %llu s",
			    (unsigned long long)api_requests(w),
			    (unsigned long long)(w->now_us / SECOND));
	if (gandi_reads(w) > reads)
		checks_fail(w,
			    "without faults: %llu reads at the provider for %u changes in %llu s",
			    (unsigned long long)gandi_reads(w), w->checks->changes,
			    (unsigned long long)(w->now_us / SECOND));
}
