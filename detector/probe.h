/*
 * One round of questions: all sources of one family at once, each over a new
 * connection, with one deadline for all. What comes out are ballots; what they
 * are worth is judged in agreement.h.
 */
#ifndef DETECTOR_PROBE_H
#define DETECTOR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pollset.h"
#include "detector/agreement.h"
#include "detector/config.h"

struct http;
struct resolver;
struct probe;

/* Ask. The configuration must live as long as the probe. Never NULL. */
struct probe *probe_start(const struct detector_config *config, enum address_family family,
			  struct http *http, struct resolver *resolver);
/* Cancels what is under way. NULL is fine. */
void probe_free(struct probe *p);

void probe_prepare(const struct probe *p, struct pollset *set);
/* Comes after http_dispatch() in the loop. */
void probe_dispatch(struct probe *p, const struct pollset *set, int64_t now_ms);

/* Have all sources answered or failed? True at the deadline at the latest. */
bool probe_ended(const struct probe *p);
/*
 * One ballot for each source, in the configuration's order; those that are
 * still under way are failures. Valid as long as the probe.
 */
const struct ballot *probe_ballots(const struct probe *p, size_t *n);

#endif
