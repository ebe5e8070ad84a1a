#include "tests/sim/faults.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/faults_hand.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

enum kind {
	PAUSE,
	CRASH,
	STOP,
	CUT_API,
	CUT_PEERS,
	CUT_PROVIDER,
	CUT_SOURCES,
	CUT_ALL,
	API_DOWN,
	API_WEATHER,
	API_ERRORS,
	API_LAG,
	API_RESTART,
	PROVIDER_DOWN,
	PROVIDER_ERRORS,
	PROVIDER_DENIES,
	PROVIDER_WEATHER,
	SOURCES_LIE,
	HAND_WAN,
	HAND_LEASE,
	HAND_RECORD,
	KINDS
};

struct faults {
	bool calm;
	bool kinds[KINDS]; /* that this seed has */
	int64_t pace_us;   /* from one to the next, on average */
	int64_t end_us;
	unsigned spite; /* in permille of the chances */
	unsigned liar;  /* that stays one for ever; SOURCES: none */
};

bool
faults_calm(const struct world *w)
{
	return w->faults->calm;
}

int64_t
faults_end_us(const struct world *w)
{
	return w->faults->end_us;
}

bool
faults_were_active_since(const struct world *w, int64_t us)
{
	return !w->faults->calm && us < w->faults->end_us;
}

/* --- victims --------------------------------------------------------------------------------- */

static uint32_t
leader(const struct world *w)
{
	for (uint32_t i = 0; i < w->nnodes; i++)
		if (detector_is_active(&w->nodes[i]))
			return i;
	return 0;
}

/* The leader, half of the time. */
static uint32_t
victim(struct world *w)
{
	return chance_is(w, 500) ? leader(w) : (uint32_t)chance_below(w, w->nnodes);
}

static int64_t
soon(struct world *w, int64_t least_ms, int64_t most_ms)
{
	/* mostly short ones, some long */
	int64_t most = chance_is(w, 600) ? least_ms + (most_ms - least_ms) / 4 : most_ms;

	return w->now_us + chance_range(w, least_ms, most) * MILLISECOND;
}

static void
cut(struct world *w, enum way way, const char *what)
{
	int64_t until = soon(w, 500, 70000);
	uint32_t one = victim(w);
	bool many = chance_is(w, 200), all = chance_is(w, 300);

	for (uint32_t i = 0; i < w->nnodes; i++) {
		if (many ? !all && chance_is(w, 500) : i != one)
			continue;
		TRACE(w, "fault: node %u is cut off from %s for %lld ms", i, what,
		      (long long)(until - w->now_us) / 1000);
		network_cut(w, i, way, until);
		if (way == WAY_API)
			api_watch_cut(w, &w->nodes[i].updater.watch);
	}
}

static void
resume(struct world *w, void *arg, uint64_t node)
{
	(void)arg;
	node_resume(w, (uint32_t)node);
}

static void
boot(struct world *w, void *arg, uint64_t node)
{
	(void)arg;
	node_boot(w, (uint32_t)node);
}

static void
disturb_node(struct world *w, enum kind kind)
{
	uint32_t i = victim(w);

	if (kind == PAUSE) {
		node_pause(w, i);
		world_at(w, soon(w, 100, 70000), resume, NULL, i);
		return;
	}
	if (kind == STOP)
		node_stop(w, i);
	else
		node_crash(w, i);
	world_at(w, soon(w, kind == STOP ? 9000 : 50, 40000), boot, NULL, i);
}

/* --- servers --------------------------------------------------------------------------------- */

static void
heal_api(struct world *w, void *arg, uint64_t number)
{
	(void)arg;
	(void)number;
	*api_health(w) = (struct api_health){ .throttles = 0 };
	*network_weather(w, WAY_API) = (struct weather){ .lost = 0 };
	TRACE(w, "heal: the API server");
}

static void
heal_provider(struct world *w, void *arg, uint64_t number)
{
	(void)arg;
	(void)number;
	*gandi_health(w) = (struct gandi_health){ .fails = 0 };
	*network_weather(w, WAY_PROVIDER) = (struct weather){ .lost = 0 };
	TRACE(w, "heal: the provider");
}

static struct weather
bad_weather(struct world *w)
{
	return (struct weather){
		.lost = chance_is(w, 500) ? (unsigned)chance_range(w, 10, 300) : 0,
		.reply_lost = chance_is(w, 500) ? (unsigned)chance_range(w, 10, 400) : 0,
		.late = chance_is(w, 600) ? (unsigned)chance_range(w, 10, 400) : 0,
		.delay_us = chance_is(w, 300) ? chance_range(w, 1, 3000) * MILLISECOND : 0,
	};
}

static unsigned
some(struct world *w)
{
	return chance_is(w, 500) ? (unsigned)chance_range(w, 20, 500) : 0;
}

static void
disturb_api(struct world *w, enum kind kind)
{
	struct api_health *h = api_health(w);
	unsigned one = (unsigned)chance_below(w, API_SERVERS);
	bool both = chance_is(w, 500), silent = chance_is(w, 400);

	TRACE(w, "fault: the API server: %s",
	      kind == API_DOWN      ? "an outage"
	      : kind == API_WEATHER ? "requests get lost or late"
	      : kind == API_ERRORS  ? "errors"
	      : kind == API_LAG     ? "old caches"
				    : "restart, compaction");
	for (unsigned i = 0; i < API_SERVERS; i++) {
		if (i != one && !both)
			continue;
		if (kind == API_DOWN)
			*(silent ? &h->silent[i] : &h->down[i]) = true;
		if (kind == API_LAG)
			h->lag_us[i] = chance_range(w, 100, 15000) * MILLISECOND;
		if (kind == API_RESTART || (kind == API_DOWN && !silent))
			api_server_restarts(w, i);
	}
	if (kind == API_RESTART) {
		api_compact(w);
		return;
	}
	if (kind == API_WEATHER)
		*network_weather(w, WAY_API) = bad_weather(w);
	if (kind == API_ERRORS) {
		h->throttles = some(w);
		h->fails = some(w);
		h->fails_after_commit = some(w);
		h->denies = chance_is(w, 300) ? (unsigned)chance_range(w, 100, 1000) : 0;
	}
	world_at(w, soon(w, 1000, 60000), heal_api, NULL, 0);
}

static void
disturb_provider(struct world *w, enum kind kind)
{
	struct gandi_health *h = gandi_health(w);

	TRACE(w, "fault: the provider: %s",
	      kind == PROVIDER_DOWN      ? "an outage"
	      : kind == PROVIDER_DENIES  ? "refuses the token"
	      : kind == PROVIDER_WEATHER ? "requests get lost or late"
					 : "errors");
	if (kind == PROVIDER_DOWN)
		h->down = true;
	else if (kind == PROVIDER_DENIES)
		h->denies = true;
	else if (kind == PROVIDER_WEATHER)
		*network_weather(w, WAY_PROVIDER) = bad_weather(w);
	else {
		h->fails = some(w);
		h->fails_after_write = some(w);
		h->lands_late = some(w);
		h->throttles = some(w);
	}
	world_at(w, soon(w, 1000, 60000), heal_provider, NULL, 0);
}

/* Never more than a minority at the same time. */
static void
disturb_sources(struct world *w)
{
	struct address lie = sources_lie((unsigned)chance_below(w, 1000));
	bool silent = chance_is(w, 400);
	unsigned bad = 0;

	for (unsigned i = 0; i < SOURCES; i++)
		bad += w->sources->list[i].lies_until_us > w->now_us;
	for (unsigned n = 0; n < 2; n++) {
		struct source *s = &w->sources->list[chance_below(w, SOURCES)];

		if (silent) {
			s->silent_until_us = soon(w, 1000, 60000);
		} else if (bad < SOURCES - SOURCES_QUORUM && s->lies_until_us <= w->now_us) {
			bad++;
			s->lies_until_us = soon(w, 1000, 60000);
			s->lie = chance_is(w, 500) ? lie
						   : sources_lie((unsigned)chance_below(w, 1000));
			TRACE(w, "fault: source %s lies", s->operator);
		}
	}
}

/* --- the plan -------------------------------------------------------------------------------- */

static void
disturb(struct world *w, enum kind kind)
{
	switch (kind) {
	case PAUSE:
	case CRASH:
	case STOP:
		disturb_node(w, kind);
		break;
	case CUT_API:
		cut(w, WAY_API, "the API server");
		break;
	case CUT_PEERS:
		cut(w, WAY_PEERS, "its peers");
		break;
	case CUT_PROVIDER:
		cut(w, WAY_PROVIDER, "the provider");
		break;
	case CUT_SOURCES:
		cut(w, WAY_SOURCES, "the sources");
		break;
	case CUT_ALL:
		cut(w, WAY_API, "the API server");
		cut(w, WAY_PEERS, "its peers");
		break;
	case API_DOWN:
	case API_WEATHER:
	case API_ERRORS:
	case API_LAG:
	case API_RESTART:
		disturb_api(w, kind);
		break;
	case PROVIDER_DOWN:
	case PROVIDER_ERRORS:
	case PROVIDER_DENIES:
	case PROVIDER_WEATHER:
		disturb_provider(w, kind);
		break;
	case SOURCES_LIE:
		disturb_sources(w);
		break;
	case HAND_WAN:
		hand_on_wan(w);
		break;
	case HAND_LEASE:
		hand_on_lease(w);
		break;
	case HAND_RECORD:
		hand_on_record(w);
		break;
	case KINDS:
		break;
	}
}

static void
next_fault(struct world *w, void *arg, uint64_t number)
{
	struct faults *f = w->faults;
	enum kind kind = (enum kind)chance_below(w, KINDS);

	(void)arg;
	(void)number;
	if (w->now_us >= f->end_us)
		return;
	if (f->kinds[kind])
		disturb(w, kind);
	world_at(w, w->now_us + chance_range(w, 1, 2 * f->pace_us), next_fault, NULL, 0);
}

static void
next_address(struct world *w, void *arg, uint64_t number)
{
	(void)arg;
	(void)number;
	if (w->now_us >= w->faults->end_us)
		return;
	sources_change(w);
	world_at(w, w->now_us + chance_range(w, 10 * SECOND, 80 * SECOND), next_address, NULL, 0);
}

static void
heal_all(struct world *w, void *arg, uint64_t number)
{
	const struct faults *f = w->faults;

	(void)number;
	TRACE(w, "heal: everything");
	heal_api(w, arg, 0);
	heal_provider(w, arg, 0);
	for (unsigned i = 0; i < SOURCES; i++)
		w->sources->list[i].silent_until_us =
			i == f->liar ? 0 : (w->sources->list[i].lies_until_us = 0);
	for (uint32_t i = 0; i < w->nnodes; i++) {
		for (enum way way = 0; way < WAY__MAX; way++)
			network_cut(w, i, way, w->now_us);
		node_resume(w, i);
		if (w->nodes[i].stopping)
			node_crash(w, i);
		node_boot(w, i);
	}
}

void
faults_start(struct world *w)
{
	struct faults *f = w->faults = world_new(w, sizeof(*f));

	f->calm = chance_is(w, 100);
	f->end_us = chance_range(w, 90, 300) * SECOND;
	f->pace_us = chance_range(w, 300, 4000) * MILLISECOND;
	for (int i = 0; i < KINDS; i++)
		f->kinds[i] = chance_is(w, 350) && !(w->no_hands && i >= HAND_WAN);
	f->spite = chance_is(w, 400) && !f->calm ? (unsigned)chance_range(w, 20, 300) : 0;
	f->liar = SOURCES;
	if (chance_is(w, 200) && !f->calm) {
		f->liar = (unsigned)chance_below(w, SOURCES);
		w->sources->list[f->liar].lies_until_us = NEVER;
		w->sources->list[f->liar].lie = sources_lie(7);
	}
	for (uint32_t i = 0; i < w->nnodes; i++)
		world_at(w, chance_range(w, 0, 3 * SECOND), boot, NULL, i);
	world_at(w, chance_range(w, 20 * SECOND, 60 * SECOND), next_address, NULL, 0);
	if (f->calm)
		return;
	world_at(w, chance_range(w, SECOND, 30 * SECOND), next_fault, NULL, 0);
	world_at(w, f->end_us, heal_all, NULL, 0);
}

/*
 * The worst moments: right after a term was acquired, right after the epoch was
 * read, right after a write was stored and before its sender hears so.
 */
void
faults_served(struct world *w, const struct api_call *call)
{
	struct faults *f = w->faults;
	uint32_t node = call->x.node;

	if (f->spite == 0 || w->now_us >= f->end_us || call->outcome != API_OK)
		return;
	if (call->operation == API_GET_LEASE || call->operation == API_GET_LEASE_CACHED ||
	    call->operation == API_LIST_WAN)
		return;
	if (!chance_is(w, call->operation == API_PUT_LEASE ? f->spite / 5 : f->spite))
		return;
	switch (chance_below(w, w->no_hands ? 3 : 6)) {
	case 0:
		node_pause(w, node);
		world_at(w, soon(w, 100, 30000), resume, NULL, node);
		break;
	case 1:
		TRACE(w, "fault: node %u is cut off from the API server", node);
		network_cut(w, node, WAY_API, soon(w, 500, 40000));
		api_watch_cut(w, &w->nodes[node].updater.watch);
		break;
	case 2:
		node_crash(w, node);
		world_at(w, soon(w, 50, 20000), boot, NULL, node);
		break;
	case 3:
		hand_raises_epoch(w);
		break;
	case 4:
		hand_deletes_lease(w);
		break;
	default:
		hand_on_wan(w);
		break;
	}
}
