/* What records.c and records_cluster.c share. */
#ifndef UPDATER_RECORDS_PRIVATE_H
#define UPDATER_RECORDS_PRIVATE_H

#include "cluster/events.h"
#include "updater/plan.h"
#include "updater/record.h"
#include "updater/records.h"
#include "updater/token.h"
#include "updater/writers.h"

struct records {
	struct http *http;
	struct metrics *metrics;
	records_publish *publish;
	void *arg;

	const struct updater_config *config;
	struct token *token;
	char token_trouble[MSG_REASON_MAX]; /* as logged last */
	bool token_changed;
	int64_t token_watch_ms;

	size_t n;
	struct record **list;
	unsigned in_flight;
	int64_t paid_until_ms; /* the requests so far are earned at this time */
	int64_t not_before_ms; /* the provider wants to hear nothing of any record until then */
	bool counted;
	bool stopping;

	struct address address[ADDRESS_FAMILY__MAX]; /* what is published */
	int64_t confirmed_ms[ADDRESS_FAMILY__MAX];
	bool heard;
	struct writers *writers; /* in a cluster; else NULL */
	struct events *events;   /* the same */
	void (*take_news)(void *arg);
	void *news_arg;
};

/* Tell the plan what happened, and do what it asks for. */
void records_step(struct record *rec, const struct plan_event *ev, int64_t now_ms);
/* Publish the record's state. */
void records_report_one(struct record *rec);

/* Tell the record's writer what its plan came to; nothing without a cluster. */
void records_tell_writer(struct record *rec, const struct plan_actions *actions, int64_t now_ms);
/* What the actions are worth to people who look at the pod; nothing without a cluster. */
void records_tell_events(struct record *rec, const struct plan_actions *actions, int64_t now_ms);
/* Take over from the writers who is active, after a new configuration. */
void records_follow_writers(struct records *r);

#endif
