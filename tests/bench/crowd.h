/*
 * What the programs of the bench share: many pods' parts in one process, with the
 * product's own code over the product's own loop.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdint.h>

#include "cluster/kube.h"

#define CROWD_NAMESPACE "esddns"

/* As many descriptors as the kernel lets this process have. */
void crowd_raise_limits(void);
/* CLOCK_MONOTONIC, as Python's time.monotonic_ns() has it. */
int64_t crowd_now_ns(void);
/* A number of an argument, 1 to max; anything else ends the program with a sentence. */
unsigned crowd_number(const char *text, unsigned max);
/* Of a service account's directory, which holds ca.crt and token. */
struct kube_access *crowd_access(const char *server, const char *directory);
/* False at the end of standard input: the bench wants no more. Reads all that waits. */
bool crowd_asked_to_go_on(void);

#endif
