/*
 * The worker's side of the channel to its supervisor: sd_notify's lines
 * upwards, commands downwards, on one inherited SEQPACKET socket whose end of
 * file says that the supervisor is gone. Also what every worker does first.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pollset.h"

/* Variables that the supervisor sets for a worker: numbers of inherited descriptors. */
#define CHANNEL_ENV "ESDDNS_CHANNEL_FD"
#define CHANNEL_PART_ENV "ESDDNS_PART_FD"     /* the sealed memfd with its configuration */
#define CHANNEL_SECRET_ENV "ESDDNS_SECRET_FD" /* a sealed memfd with the provider's token */
#define CHANNEL_UNIT_ENV "ESDDNS_UNIT"

#define CHANNEL_UP_MAX 4096
#define CHANNEL_STATE_MAX (CHANNEL_UP_MAX - 16) /* of channel_state(), without the NUL */
#define CHANNEL_DOWN_MAX 16384
#define CHANNEL_PART_MAX (1024 * 1024)

enum channel_event {
	CHANNEL_NONE,
	CHANNEL_GONE,   /* the supervisor is dead: exit at once */
	CHANNEL_STOP,   /* SIGTERM or SIGINT: stop in order */
	CHANNEL_RELOAD, /* a new configuration part; see channel_part() */
	CHANNEL_DETECT, /* start a round now (also SIGUSR1) */
	CHANNEL_SYNC,   /* check all records now */
	CHANNEL_DRAIN,  /* a stop is near: not ready, but serving */
	CHANNEL_UNITS   /* the units' states; see channel_units() */
};

struct channel;

/*
 * What a worker does first: blocks its signals and takes them through a
 * signalfd, reads its part of the configuration, starts the log as the part
 * says, takes the channel, and removes the supervisor's variables. unit is its
 * default name. Exits with a sentence: 64 if it was not started by a
 * supervisor; 70 if what the supervisor handed over is malformed, now or later.
 */
struct channel *channel_open(const char *unit);
void channel_close(struct channel *c);

/*
 * The configuration part of a worker that runs by itself, without a channel: the
 * caller's, for cJSON_Delete(). Exits like channel_open() if there is none.
 */
cJSON *channel_part_alone(void);

/* The configuration part that was read last; owned by the channel, replaced by CHANNEL_RELOAD. */
const cJSON *channel_part(const struct channel *c);
/* The secret, without white space around it, or NULL; owned by the channel, wiped at close. */
const char *channel_secret(const struct channel *c);
/* The JSON array of CHANNEL_UNITS; owned by the channel. NULL until the first came. */
const cJSON *channel_units(const struct channel *c);

void channel_ready(struct channel *c);
/* One line for people about what the worker does; sent only if it changed. */
void channel_status(struct channel *c, const char *text);
/*
 * What the worker knows, as one JSON object on one line, for esddnsctl status:
 * the supervisor keeps the last one. Sent only if it changed; a longer one than
 * CHANNEL_STATE_MAX is a mistake of the caller's, and not sent.
 */
void channel_state(struct channel *c, const char *json);
void channel_stopping(struct channel *c);

/* Also pings the watchdog at half its interval, as the loop makes progress. */
void channel_prepare(struct channel *c, struct pollset *set, int64_t now_ms);
/* The next event, CHANNEL_NONE when there is none left in this pass. */
enum channel_event channel_next(struct channel *c, const struct pollset *set, int64_t now_ms);

#endif
