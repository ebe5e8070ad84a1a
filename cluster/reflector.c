#include "cluster/reflector.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define BACKOFF_FIRST_MS 800
/* With its jitter 40 s: a follower has the news within a minute after an outage. */
#define BACKOFF_MAX_MS 20000
#define BACKOFF_RESET_MS 120000
#define RETRY_AFTER_MAX_MS 300000
#define LIST_TIMEOUT_MS 15000
/* A watch of this length was one; a shorter one without events may be a server in trouble. */
#define LIVED_MS 1000
#define QUICK_MAX 3
/* Followers whose connection broke together come back spread over this. */
#define SPREAD_MS 1000
#define READ_GAP_MS 1000
#define WATCH_SECONDS 300
/* How much longer than the server's own limit we wait for it to end the watch. */
#define WATCH_GRACE_MS 30000

enum phase { IDLE, LISTING, WATCHING };

enum next {
	NEXT_LIST,        /* at least as new as the last version; any at the start */
	NEXT_LIST_QUORUM, /* without a version */
	NEXT_WATCH
};

void
reflector_init(struct reflector *r, int64_t now_ms)
{
	*r = (struct reflector){
		.phase = IDLE,
		.next = NEXT_LIST,
		.due_ms = now_ms,
		.read_ms = now_ms - READ_GAP_MS,
		.backoff_since_ms = now_ms - BACKOFF_RESET_MS,
	};
}

static void
set_version(struct reflector *r, const char *version)
{
	if (version[0] != '\0')
		mem_copy_text(r->version, sizeof(r->version), version);
}

/* --- what to ask for --------------------------------------------------------- */

static void
list(struct reflector *r, int64_t now_ms, struct reflector_actions *out)
{
	r->phase = LISTING;
	out->request = REFLECTOR_LIST;
	out->timeout_ms = LIST_TIMEOUT_MS;
	if (r->next == NEXT_LIST_QUORUM) {
		r->read_ms = now_ms;
		r->read_again = false;
	} else {
		mem_copy_text(out->version, sizeof(out->version),
			      r->version[0] != '\0' ? r->version : "0");
	}
}

static void
watch(struct reflector *r, uint32_t random, struct reflector_actions *out)
{
	r->phase = WATCHING;
	r->events = false;
	out->request = REFLECTOR_WATCH;
	mem_copy_text(out->version, sizeof(out->version), r->version);
	/* spread, so that not all of a cluster's watches end together for ever */
	out->watch_seconds = WATCH_SECONDS + random % WATCH_SECONDS;
	out->timeout_ms = out->watch_seconds * 1000 + WATCH_GRACE_MS;
}

static void
go(struct reflector *r, enum next next, int64_t now_ms, uint32_t random,
   struct reflector_actions *out)
{
	r->next = next;
	r->started_ms = now_ms;
	if (next == NEXT_WATCH)
		watch(r, random, out);
	else
		list(r, now_ms, out);
}

static void
wait_until(struct reflector *r, enum next next, int64_t due_ms)
{
	r->phase = IDLE;
	r->next = r->read_again ? NEXT_LIST_QUORUM : next;
	r->due_ms = due_ms;
}

static void
back_off(struct reflector *r, enum next next, const struct reflector_event *ev, int64_t now_ms)
{
	int64_t wait_ms, asked_ms = ev->retry_after_ms;

	r->current = false;
	if (now_ms - r->backoff_since_ms >= BACKOFF_RESET_MS)
		r->backoff_ms = BACKOFF_FIRST_MS;
	else
		r->backoff_ms =
			r->backoff_ms < BACKOFF_MAX_MS / 2 ? r->backoff_ms * 2 : BACKOFF_MAX_MS;
	r->backoff_since_ms = now_ms;
	wait_ms = r->backoff_ms + (int64_t)(ev->random % (uint32_t)(r->backoff_ms + 1));
	if (asked_ms > RETRY_AFTER_MAX_MS)
		asked_ms = RETRY_AFTER_MAX_MS;
	if (wait_ms < asked_ms)
		wait_ms = asked_ms + ev->random % SPREAD_MS;
	wait_until(r, next, now_ms + wait_ms);
}

/* --- what happened ----------------------------------------------------------- */

static void
take_list(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	  struct reflector_actions *out)
{
	enum next asked = (enum next)r->next;

	if (ev->outcome == API_OK && ev->version[0] != '\0') {
		set_version(r, ev->version);
		r->failures = 0;
		r->current = true;
		if (r->read_again)
			wait_until(r, NEXT_LIST_QUORUM, r->read_ms + READ_GAP_MS);
		else
			go(r, NEXT_WATCH, now_ms, ev->random, out);
		return;
	}
	if (ev->outcome == API_GONE && asked == NEXT_LIST) {
		go(r, NEXT_LIST_QUORUM, now_ms, ev->random, out);
		return;
	}
	/* it may be the version that it stumbles over */
	if (ev->outcome != API_LOST && ev->outcome != API_THROTTLED && ev->outcome != API_DENIED &&
	    ++r->failures > 1)
		asked = NEXT_LIST_QUORUM;
	back_off(r, asked, ev, now_ms);
}

/* The version that it was to go on from is too old by now. */
static void
list_again(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	   struct reflector_actions *out)
{
	if (r->gone++ > 0)
		back_off(r, NEXT_LIST, ev, now_ms);
	else
		go(r, NEXT_LIST, now_ms, ev->random, out);
}

static void
take_clean_close(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
		 struct reflector_actions *out)
{
	bool lived = now_ms - r->started_ms >= LIVED_MS;

	r->quick = lived ? 0 : r->quick + 1;
	if (lived)
		r->gone = 0;
	if (lived || (r->events && r->quick <= QUICK_MAX))
		go(r, NEXT_WATCH, now_ms, ev->random, out);
	else
		back_off(r, NEXT_WATCH, ev, now_ms);
}

static void
take_close(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	   struct reflector_actions *out)
{
	bool lived = now_ms - r->started_ms >= LIVED_MS;

	/* a 410 long after another one is no row of them */
	if (ev->outcome != API_OK && ev->outcome != API_GONE)
		r->gone = 0;
	switch (ev->outcome) {
	case API_OK:
		take_clean_close(r, ev, now_ms, out);
		break;
	case API_GONE:
		list_again(r, ev, now_ms, out);
		break;
	case API_LOST:
		if (lived && r->events) {
			r->current = false;
			wait_until(r, NEXT_WATCH, now_ms + ev->random % SPREAD_MS);
			break;
		}
		/* fall through */
	case API_THROTTLED:
	case API_DENIED:
		back_off(r, NEXT_WATCH, ev, now_ms);
		break;
	default:
		back_off(r, ++r->failures > 1 ? NEXT_LIST : NEXT_WATCH, ev, now_ms);
		break;
	}
}

/* An ERROR event: the stream says nothing more that is of use. */
static void
take_error(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	   struct reflector_actions *out)
{
	out->cancel = true;
	if (ev->outcome == API_GONE)
		list_again(r, ev, now_ms, out);
	else
		back_off(r,
			 ev->outcome == API_THROTTLED || ev->outcome == API_DENIED ? NEXT_WATCH
										   : NEXT_LIST,
			 ev, now_ms);
}

static void
take_life(struct reflector *r, const struct reflector_event *ev)
{
	r->current = true;
	r->failures = 0;
	if (ev->type == REFLECTOR_EV_OPENED)
		return;
	r->events = true;
	r->gone = 0;
	set_version(r, ev->version);
}

static void
read_now(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	 struct reflector_actions *out)
{
	r->read_again = true;
	if (r->phase == IDLE) {
		r->next = NEXT_LIST_QUORUM;
	} else if (r->phase == WATCHING && now_ms >= r->read_ms + READ_GAP_MS) {
		out->cancel = true;
		go(r, NEXT_LIST_QUORUM, now_ms, ev->random, out);
	}
}

static void
tick(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
     struct reflector_actions *out)
{
	if (now_ms < reflector_next_deadline(r))
		return;
	if (r->phase == IDLE)
		go(r, (enum next)r->next, now_ms, ev->random, out);
	else
		read_now(r, ev, now_ms, out);
}

void
reflector_step(struct reflector *r, const struct reflector_event *ev, int64_t now_ms,
	       struct reflector_actions *out)
{
	*out = (struct reflector_actions){ .request = REFLECTOR_NONE };
	switch (ev->type) {
	case REFLECTOR_EV_TICK:
		tick(r, ev, now_ms, out);
		break;
	case REFLECTOR_EV_LISTED:
		if (r->phase == LISTING)
			take_list(r, ev, now_ms, out);
		break;
	case REFLECTOR_EV_OPENED:
	case REFLECTOR_EV_CHANGED:
	case REFLECTOR_EV_BOOKMARK:
		if (r->phase == WATCHING)
			take_life(r, ev);
		break;
	case REFLECTOR_EV_ERROR:
		if (r->phase == WATCHING)
			take_error(r, ev, now_ms, out);
		break;
	case REFLECTOR_EV_CLOSED:
		if (r->phase == WATCHING)
			take_close(r, ev, now_ms, out);
		break;
	case REFLECTOR_EV_READ_NOW:
		read_now(r, ev, now_ms, out);
		break;
	case REFLECTOR_EV__MAX:
		break;
	}
}

int64_t
reflector_next_deadline(const struct reflector *r)
{
	if (r->phase == IDLE)
		return r->due_ms;
	if (r->phase == WATCHING && r->read_again)
		return r->read_ms + READ_GAP_MS;
	return CLOCK_NEVER;
}

bool
reflector_current(const struct reflector *r)
{
	return r->current;
}
