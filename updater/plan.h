/*
 * The plan for one DNS record: when to read it, when to write it, and what may
 * be said about it. It makes no system call and keeps no clock; the caller
 * tells it what happened and carries out what it asks for.
 *
 * Its rules: one request at a time. A write follows a read that found the
 * record different, and is followed by another read; only a read says "in
 * sync". A write needs a confirmation of the address that is not older than
 * fresh_ms. A write that may land late is looked after 5, 30 and 60 s later.
 *
 * Times are milliseconds on the caller's monotonic clock, which never falls.
 */
#ifndef UPDATER_PLAN_H
#define UPDATER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "ipc/message.h"
#include "updater/provider.h"

#define PLAN_NEVER INT64_MIN /* a time that has not come yet, and is not to come */

struct plan_settings {
	enum address_family family;
	int64_t ttl;         /* s */
	int64_t interval_ms; /* between two checks while all is well */
	int64_t fresh_ms;    /* how old the confirmation of an address may be for a write */
	bool observe;        /* never write */
	bool dry_run;        /* never write, but say what would be written */
	bool can_read;       /* false: no request at all (observing without a token) */
	bool permit;         /* a write needs a permit (in a cluster) */
	bool passive;        /* no check is begun: another node handles the record */
};

enum plan_event_kind {
	PLAN_EV_TICK,    /* time passed: call at plan_next_deadline() */
	PLAN_EV_NEWS,    /* what is published: address (ADDRESS_NONE: nothing), confirmed_ms */
	PLAN_EV_READ,    /* the read ended: result */
	PLAN_EV_WRITTEN, /* the write ended: result */
	PLAN_EV_PERMIT,  /* the answer to PLAN_REQUEST_PERMIT: granted, sentence */
	PLAN_EV_CHECK,   /* someone asks for a check now, or a cause of failure may be gone */
	PLAN_EV__MAX
};

struct plan_event {
	enum plan_event_kind kind;
	struct address address;
	int64_t confirmed_ms; /* PLAN_NEVER: by no round yet */
	const struct provider_result *result;
	bool granted;
	const char *sentence; /* why it is not */
	uint32_t jitter;      /* any random number, with READ and WRITTEN */
};

enum plan_request {
	PLAN_REQUEST_NONE,
	PLAN_REQUEST_READ,
	PLAN_REQUEST_WRITE, /* plan_value() with the settings' TTL */
	PLAN_REQUEST_PERMIT /* to write plan_value(); to be answered by PLAN_EV_PERMIT, always */
};

/* What is worth a line in the log or a count; each only at its transition. */
enum plan_note {
	PLAN_NOTE_READ = 1 << 0,      /* a read succeeded */
	PLAN_NOTE_WRITTEN = 1 << 1,   /* a write succeeded */
	PLAN_NOTE_FAILED = 1 << 2,    /* a request failed (each time) */
	PLAN_NOTE_FAILING = 1 << 3,   /* it fails, or fails in another way than before */
	PLAN_NOTE_RECOVERED = 1 << 4, /* it fails no longer */
	PLAN_NOTE_DIFFERS = 1 << 5,   /* the record is not as wanted, and is about to be written */
	PLAN_NOTE_HELD = 1 << 6,      /* it is not as wanted, and may not be written now */
	PLAN_NOTE_WOULD_WRITE = 1 << 7, /* it is not as wanted, and is never written here */
	PLAN_NOTE_IN_SYNC = 1 << 8      /* a read found it as wanted, for the first time since */
};

struct plan_actions {
	enum plan_request request; /* to be started at once; its end is told by an event */
	bool ended;                /* a check ended: the plan is idle again */
	bool report;               /* something that plan_state() and its like show has changed */
	unsigned notes;            /* of enum plan_note */
	int64_t took_ms;           /* from a change to its confirmation, if one ended; else -1 */
};

enum plan_phase { PLAN_IDLE, PLAN_READING, PLAN_ASKING, PLAN_WRITING };

/* What the last read meant for what is wanted. */
enum plan_verdict {
	PLAN_UNREAD, /* nothing: there is none, or what is wanted has changed since */
	PLAN_MATCHES,
	PLAN_DIFFERS, /* and is to be written */
	PLAN_HOLDS,   /* differs, and may not be written for the reason in why */
	PLAN_OBSERVES /* differs, and is never written here */
};

struct plan_failure {
	unsigned count; /* in a row, of this outcome; 0: it does not fail */
	enum provider_outcome outcome;
	int64_t retry_ms; /* no write before */
	char error_type[24];
	char error[MSG_REASON_MAX];
};

struct plan {
	struct plan_settings settings;
	enum plan_phase phase;
	bool read_back;        /* the read under way follows a write */
	bool again;            /* what is asked for came while a request was under way */
	int64_t due_ms;        /* the next check, while idle */
	int64_t not_before_ms; /* no request at all before (Retry-After) */

	struct address wanted; /* ADDRESS_NONE: none known yet */
	int64_t confirmed_ms;

	enum plan_verdict verdict;
	char why[MSG_REASON_MAX]; /* while it holds */
	const char *why_type;     /* its label */
	struct provider_record found;
	int64_t checked_ms; /* PLAN_NEVER: not read yet */

	struct address asked;   /* the value that a permit is asked for */
	struct address written; /* the value and TTL of the last write */
	int64_t written_ttl;
	bool unconfirmed;   /* no read has found what is wanted since the last write */
	unsigned refusals;  /* permits, in a row */
	unsigned late_next; /* which late check comes next */
	int64_t late_from_ms;

	struct plan_failure failure;
	int64_t change_ms; /* since when the record is to be changed; PLAN_NEVER: it is not */

	bool told; /* the difference between these two has been noted */
	struct address told_wanted;
	struct provider_record told_found;
};

/* The first check is due at once. */
void plan_init(struct plan *p, const struct plan_settings *settings, int64_t now_ms);
/* New settings for the same record (the family stays): checks, and retries, at once. */
void plan_configure(struct plan *p, const struct plan_settings *settings, int64_t now_ms);
/* Change only that setting: nothing is begun or broken off by it. */
void plan_set_passive(struct plan *p, bool passive);
/* Take one event. An event that means nothing now changes nothing. */
struct plan_actions plan_step(struct plan *p, const struct plan_event *ev, int64_t now_ms);
/* When the next PLAN_EV_TICK is due; CLOCK_NEVER while a request is under way. */
int64_t plan_next_deadline(const struct plan *p);

enum msg_record_state plan_state(const struct plan *p);
/* What to write, while a write is under way or a permit for it is asked. */
const struct address *plan_value(const struct plan *p);
/* May the wanted address be written, as far as its confirmation goes? */
bool plan_fresh(const struct plan *p, int64_t now_ms);
/* A sentence about what is wrong, and its label; "" if nothing is. */
const char *plan_error(const struct plan *p);
const char *plan_error_type(const struct plan *p);

#endif
