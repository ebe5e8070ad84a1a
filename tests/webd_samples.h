/* States of webd as they come about, for its tests. */
#ifndef TESTS_WEBD_SAMPLES_H
#define TESTS_WEBD_SAMPLES_H

#include "webd/state.h"

#define SAMPLE_NOW ((int64_t)50000000)
#define SAMPLE_WALL ((int64_t)1795345453000) /* 2026-11-22T11:04:13Z */

/* One A record of home.example.com, intervals of 300 s. */
struct webd_config sample_config(void);
/* With as many records as there are fqdns, all of the zone example.com; family by family. */
void sample_add_record(struct webd_config *c, const char *name, enum address_family family);

struct address sample_address(const char *text);
/* Five operators agree on 198.20.0.7; age_ms is how long ago. */
struct msg sample_wan(int64_t age_ms);
struct msg sample_lead(void);
/* The record is in sync with 198.20.0.7. */
struct msg sample_record(const struct webd_config *c, size_t index, int64_t age_ms);

/* All three units active. */
void sample_units(struct webd_state *s, int64_t now_ms);
/* Both links up, everything known, all well; for webd_state_free(). */
struct webd_state *sample_in_sync(const struct webd_config *c, int64_t now_ms);

#endif
