/*
 * All records: turns what their plans ask for into requests to the provider,
 * and the answers into events; says what came of it in the log, the metrics
 * and on the bus.
 *
 * At most four requests are under way at a time, and at most 15 a second in
 * the long run (Gandi allows 1000 a minute for each address).
 */
#ifndef UPDATER_RECORDS_H
#define UPDATER_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"
#include "common/metrics.h"
#include "ipc/message.h"
#include "updater/config.h"

struct record;
struct records;
struct events;
struct writers;
struct writers_hooks;

/* Takes a message for the bus; json is valid during the call only. */
typedef void records_publish(void *arg, const char *json);

/* http and metrics belong to the caller, and must live longer. */
struct records *records_new(struct http *http, struct metrics *metrics, records_publish *publish,
			    void *arg);
/*
 * In a cluster: these decide which node acts on a record. Before the first
 * records_configure(); they were made with records_hooks and r as its argument.
 * take_news(arg) calls records_news() if there is any.
 */
void records_join(struct records *r, struct writers *writers, struct events *events,
		  void (*take_news)(void *arg), void *arg);
extern const struct writers_hooks records_hooks;
/* Cancels what is under way. */
void records_free(struct records *r);

/*
 * Take a configuration, the first or a new one; it is borrowed until the next
 * call or records_free(). secret is the provider's token if the supervisor
 * handed one over, else NULL; it is copied. What is known of records that
 * stay is kept, and all are checked at once.
 */
void records_configure(struct records *r, const struct updater_config *config, const char *secret,
		       int64_t now_ms);
/* The address that is published now, as it arrived at now_ms. */
void records_news(struct records *r, const struct msg_wan *wan, int64_t now_ms);
/* Check all records now. */
void records_check(struct records *r, int64_t now_ms);
/* Start what is due. Call once in a pass; answers come through http_dispatch(). */
void records_run(struct records *r, int64_t now_ms);
/* When records_run() has something to do again; CLOCK_NEVER: after an answer or news. */
int64_t records_next_deadline(const struct records *r, int64_t now_ms);

/* The records, *n of them, in the configuration's order; valid until records_configure(). */
struct record *const *records_list(const struct records *r, size_t *n);

/* Publish every record's state. */
void records_report(struct records *r);
/* True once after metrics have changed. */
bool records_take_counted(struct records *r);
/* "2 records, 1 in sync, 1 retrying"; returns out. */
const char *records_status(const struct records *r, char *out, size_t size);

/* Before an end: cancels reads and starts nothing more; writes under way go on. */
void records_stop(struct records *r);
bool records_writing(const struct records *r);

#endif
