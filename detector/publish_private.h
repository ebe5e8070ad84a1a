/* What publish.c and publish_state.c share. */
#ifndef DETECTOR_PUBLISH_PRIVATE_H
#define DETECTOR_PUBLISH_PRIVATE_H

#include "cluster/local.h"
#include "detector/lead.h"
#include "detector/publish.h"
#include "ipc/bus.h"

/* When things happened, by the clock that does not jump; 0: not in this process. */
struct times {
	int64_t confirmed_ms;
	int64_t checked_ms;
};

/* What is published of one family, as the local store has it. */
typedef __typeof__(((struct local_state *)NULL)->ipv4) kept_family;

/* What is to be kept, and told when it is. */
struct next {
	kept_family family;
	int64_t confirmed_ms;
};

struct publisher {
	struct local *local; /* on one host; else NULL */
	struct lead *lead;   /* in a cluster; else NULL */
	struct bus_publisher *bus;
	struct metrics *metrics;
	struct msg_wan wan; /* its ages are filled in when it is sent */
	struct times times[ADDRESS_FAMILY__MAX];
	struct next next[ADDRESS_FAMILY__MAX];
	bool began, ended; /* on one host: they were told */
	bool stopping;
	bool active;           /* as told last */
	int64_t leading_since; /* wall */
	struct msg_lead told;  /* who leads, as sent last */
};

/* The age of what happened at at_ms; -1 if it did not in this process. */
int64_t publisher_age(int64_t at_ms, int64_t now_ms);

#endif
