/* Between node_updater.c and node_records.c. */
#ifndef TESTS_SIM_NODE_PRIVATE_H
#define TESTS_SIM_NODE_PRIVATE_H

#include "tests/sim/node.h"

void records_boot(struct node *n);
void records_tick(struct node *n);
int64_t records_deadline(const struct node *n);
/* An object was read: what does it say about confirmations? */
void records_confirm(struct node *n, const struct stored_wan *s);
/* The object, or what is known about it, has changed: tell the writers. */
void records_see(struct node *n);
void record_step_plan(struct node *n, unsigned i, const struct plan_event *ev);

#endif
