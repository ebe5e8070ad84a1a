/*
 * What webd knows, and how true it still is: the last messages of detector and
 * updater, the units' states, and the ages of all that. Pure: fed with decoded
 * messages and the time, it makes no system call.
 *
 * Times named *_ms are on the caller's clock (clock_now()), others are wall
 * times as the messages have them; ages come from the former only.
 */
#ifndef WEBD_STATE_H
#define WEBD_STATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/message.h"
#include "webd/config.h"

/* Longer without a message, and a link counts as dead: publishers repeat every 30 s. */
#define WEBD_SILENCE_MS 75000
/* How long after webd's start a worker that was not heard yet is merely awaited. */
#define WEBD_GRACE_MS 5000
#define WEBD_UNITS_MAX 8

/* The publishers that webd subscribes to. */
enum webd_link { WEBD_DETECTOR, WEBD_UPDATER, WEBD_LINK__MAX };

struct webd_link_state {
	bool connected;
	bool stale;       /* the connection was lost, and nothing was heard since */
	int64_t heard_ms; /* the last message; -1 for never */
	/* labelled samples that this worker sent */
	struct metrics *stats;
};

struct webd_record {
	struct webd_record_config config;
	bool known;            /* msg is there */
	struct msg_record msg; /* its ages are as of the message: use the times below */
	int64_t checked_ms;    /* the last successful read; -1 for never */
	int64_t next_ms;       /* the next check or attempt; -1 for none planned */
	char *text;            /* the message without its ages, to tell news from a repetition */
};

struct webd_unit {
	char name[24];
	char state[16]; /* a name of the supervisor's unit states */
	int64_t pid;    /* 0 or less if it does not run */
	int64_t since;  /* wall: in this state */
	int64_t restarts;
	char status[256];
	char last_exit[96];    /* a phrase; "" if it never ended */
	int64_t next_start_ms; /* -1 if no start is planned */
	int64_t memory;        /* resident, bytes; 0 if it does not run, -1 if it is not known */
	int64_t cpu_ms;        /* CPU time of its processes so far; -1 if it is not known */
};

struct webd_state {
	struct webd_config config;
	uint64_t instance; /* tells this process's versions from those of one before it */
	uint64_t version;  /* grows with every change of what is shown, ages aside */
	int64_t started_ms;
	bool draining;
	struct webd_link_state links[WEBD_LINK__MAX];
	bool has_wan, has_lead, has_cluster, has_passed;
	enum webd_link wan_link; /* the link that brought it */
	/* The updater's last one that was passed over for the detector's, and when that came. */
	struct msg_wan passed;
	int64_t passed_ms;
	struct msg_wan wan; /* its ages are as of the message: see webd_confirmed_age() */
	int64_t confirmed_ms[ADDRESS_FAMILY__MAX], checked_ms[ADDRESS_FAMILY__MAX]; /* -1: never */
	struct msg_lead lead;
	struct msg_cluster cluster; /* from the updater, where there is one */
	char *wan_text, *lead_text, *cluster_text;
	size_t nrecords;
	struct webd_record records[WEBD_RECORDS_MAX];
	bool has_units;
	size_t nunits;
	struct webd_unit units[WEBD_UNITS_MAX];
	struct metrics *own; /* what webd itself counts about messages */
	uint64_t judged;     /* which judgements held at the last webd_state_tick() */
};

/* instance is any number that another start of the process would not have. */
struct webd_state *webd_state_new(const struct webd_config *config, uint64_t instance,
				  int64_t now_ms);
void webd_state_free(struct webd_state *s);

/* A new configuration: what is known of records that stay is kept. */
void webd_state_configure(struct webd_state *s, const struct webd_config *config);

/* A message came over the link. Takes a copy of what it needs. */
void webd_state_take(struct webd_state *s, enum webd_link link, const struct msg *m,
		     int64_t now_ms);
/* Something on a link was no message; reason is a short label. */
void webd_state_refused(struct webd_state *s, const char *reason);
/* Is the link's connection up? Call at each pass. */
void webd_state_link(struct webd_state *s, enum webd_link link, bool connected);
/* The units as the supervisor tells them; 0, or -1 with *why if that is malformed. */
int webd_state_units(struct webd_state *s, const cJSON *units, int64_t now_ms, const char **why);
/* From now on a stop is near. */
void webd_state_drain(struct webd_state *s);

/* Notice what became stale, or fresh again, by time alone. */
void webd_state_tick(struct webd_state *s, int64_t now_ms);
/* When webd_state_tick() may next find something, or CLOCK_NEVER. */
int64_t webd_state_next_deadline(const struct webd_state *s, int64_t now_ms);

/*
 * Is the worker connected, and did it speak within WEBD_SILENCE_MS? What one
 * that has ended said is not the word of the one that took its place.
 */
bool webd_link_alive(const struct webd_state *s, enum webd_link link, int64_t now_ms);
/* Since its last message, in ms; -1 for never. */
int64_t webd_link_age(const struct webd_state *s, enum webd_link link, int64_t now_ms);
/* Is there such a worker here? A pod that only shows has no detector. */
bool webd_link_expected(const struct webd_state *s, enum webd_link link);
/* "detector", "updater": also the names of their units. */
const char *webd_link_name(enum webd_link link);

/* Does this pod's own detector lead, as far as is known? */
bool webd_leads(const struct webd_state *s, int64_t now_ms);
/* The holder of the Lease, or who published last; "" if that is not known. */
const char *webd_holder(const struct webd_state *s);

/* Does a configured record need this family? */
bool webd_needs(const struct webd_state *s, enum address_family family);
/* The family that /raw speaks of: IPv4 unless only IPv6 is needed. */
enum address_family webd_main_family(const struct webd_state *s);
/* The family's part of the last wan message; NULL if there is none. */
const struct msg_wan_family *webd_family(const struct webd_state *s, enum address_family family);
/* Since a round agreed on the address, in ms; -1 for never. */
int64_t webd_confirmed_age(const struct webd_state *s, enum address_family family, int64_t now_ms);
/* An address is known, and a round agreed on it within twice the detector's interval. */
bool webd_usable(const struct webd_state *s, enum address_family family, int64_t now_ms);

/* Since the record was read, in ms; -1 for never. */
int64_t webd_record_age(const struct webd_record *r, int64_t now_ms);
/* It was read within twice the updater's interval. */
bool webd_record_fresh(const struct webd_state *s, const struct webd_record *r, int64_t now_ms);
/* Its values, as last read, are the published address and nothing else. */
bool webd_record_matches(const struct webd_state *s, const struct webd_record *r);
/* Freshly read, right by the updater's word, and right for the address now published. */
bool webd_record_in_sync(const struct webd_state *s, const struct webd_record *r, int64_t now_ms);

/* The newest check of addresses or records that is known, wall; 0 for none. */
int64_t webd_poll_date(const struct webd_state *s);

/* The unit of this name, or NULL. */
const struct webd_unit *webd_unit(const struct webd_state *s, const char *name);
bool webd_unit_is(const struct webd_unit *u, const char *state);
/* The first unit that failed for good, or NULL. */
const struct webd_unit *webd_failed_unit(const struct webd_state *s);

#endif
