/*
 * Metrics: one catalogue of all families (names and shapes are promised to
 * users, see README), and a store of samples for the process that counts.
 * webd shows what the others send it; see ipc/message.h, "stats".
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#define METRIC_LABELS_MAX 3
#define METRIC_BUCKETS_MAX 8
#define METRIC_LABEL_TEXT_MAX 256
/* Samples of one family; more are not kept, so that no outsider grows the memory. */
#define METRIC_SAMPLES_MAX 256

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum metric {
	METRIC_DNS_UPDATES,           /* domain, record_type */
	METRIC_DNS_UPDATE_FAILURES,   /* domain, record_type, error_type */
	METRIC_DNS_UPDATE_DURATION,   /* domain */
	METRIC_LAST_DNS_UPDATE,       /* domain */
	METRIC_LAST_DNS_CHECK,        /* domain, record_type */
	METRIC_WAN_IP_CHANGES,        /* - */
	METRIC_WAN_IP_FAILURES,       /* service */
	METRIC_WAN_IP_DURATION,       /* - */
	METRIC_WAN_IP_DISAGREEMENTS,  /* service: answers that the agreed address contradicts */
	METRIC_WAN_IP_ANSWERS,        /* service: usable ones */
	METRIC_WAN_IP_ERRORS,         /* service, reason */
	METRIC_WAN_IP_SOURCE_SECONDS, /* service: for answers and failures */
	METRIC_WAN_IP_ROUNDS,         /* family, verdict */
	METRIC_CURRENT_WAN_IP,        /* ip_address */
	METRIC_WAN_IP_DETECTED,       /* family */
	METRIC_WAN_IP_CONFIRMED,      /* family */
	METRIC_INTERVAL,              /* component */
	METRIC_SERVICE_HEALTH,        /* component */
	METRIC_STATE_POLL_TIMESTAMP,  /* - */
	METRIC_STATE_IN_SYNC,         /* domain */
	METRIC_DNS_RECORD_MATCHES,    /* domain */
	METRIC_ENDPOINT_REQUESTS,     /* method, endpoint, status */
	METRIC_ENDPOINT_DURATION,     /* method, endpoint */
	METRIC_RECORD_ATTENTION,      /* domain, record_type: 1 while a person is needed */
	METRIC_RECORD_ERROR,          /* domain, record_type, error_type: while there is one */
	METRIC_UNIT_UP,               /* unit */
	METRIC_UNIT_STATE,            /* unit, state: 1 for the one it is in */
	METRIC_UNIT_RESTARTS,         /* unit */
	METRIC_UNIT_MEMORY,           /* unit */
	METRIC_UNIT_CPU,              /* unit */
	METRIC_MESSAGES_DROPPED,      /* reason */
	METRIC_LEADER,                /* - */
	METRIC_LEADER_CHANGES,        /* - */
	METRIC_API_REQUESTS,          /* component: to the Kubernetes API server */
	METRIC_CONFIGMAP_WATCHED,     /* - */
	METRIC_FOLLOWERS,             /* - */
	METRIC_LOADBALANCER_IP,       /* ip_address */
	METRIC_LOADBALANCER_PENDING,  /* - */
	METRIC_BUILD_INFO,            /* version */
	METRIC__MAX
};

struct metric_family {
	const char *name; /* with the prefix, without a counter's _total */
	const char *help;
	const char *unit; /* "seconds", "bytes" or NULL; the name ends with it */
	enum metric_type type;
	size_t nlabels;
	const char *labels[METRIC_LABELS_MAX];
	size_t nbuckets;
	double buckets[METRIC_BUCKETS_MAX]; /* upper bounds, rising, without +Inf */
};

/* The catalogue's entry; never NULL for a value below METRIC__MAX. */
const struct metric_family *metric_family(enum metric id);
/* METRIC__MAX if there is no family of this name. */
enum metric metric_of(const char *name);

struct metric_sample {
	char *labels[METRIC_LABELS_MAX];
	double value;                              /* counter, gauge; a histogram's sum */
	unsigned long count;                       /* histogram: observations */
	unsigned long buckets[METRIC_BUCKETS_MAX]; /* histogram: not cumulative, without +Inf */
};

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/*
 * Labels are given in the catalogue's order; NULL for those that the family
 * has not. Longer texts than METRIC_LABEL_TEXT_MAX are cut.
 */
void metrics_add(struct metrics *m, enum metric id, double delta, const char *l1, const char *l2,
		 const char *l3);
void metrics_set(struct metrics *m, enum metric id, double value, const char *l1, const char *l2,
		 const char *l3);
void metrics_observe(struct metrics *m, enum metric id, double value, const char *l1,
		     const char *l2, const char *l3);
/* Removes every sample of the family (a label set that must not outlive its value). */
void metrics_clear(struct metrics *m, enum metric id);
/* The sample with these labels, made if need be; NULL if the family is full. */
struct metric_sample *metrics_sample(struct metrics *m, enum metric id, const char *const *labels);

/* The family's samples, in the order in which they came. */
size_t metrics_count(const struct metrics *m, enum metric id);
const struct metric_sample *metrics_at(const struct metrics *m, enum metric id, size_t index);

#endif
