/* Between node_updater.c and node_records.c. */
#ifndef TESTS_SIM_NODE_PRIVATE_H
#define TESTS_SIM_NODE_PRIVATE_H

#include "tests/sim/node.h"

/* A read of one's own, by the watch or by a request, shows this. */
void updater_see(struct node *n, const struct stored_wan *s);
/*
 * Is it the object that is followed? If not, the watch is behind, and only a list
 * puts it right: one that took this one's news would take the old one's again.
 */
bool updater_knows(struct node *n, const struct stored_wan *s);
void records_boot(struct node *n);
void records_tick(struct node *n);
int64_t records_deadline(const struct node *n);
/* An object was read: what does it say about confirmations? */
void records_confirm(struct node *n, const struct stored_wan *s);
/* The object, or what is known about it, has changed: tell the writers. */
void records_see(struct node *n);
void record_step_plan(struct node *n, unsigned i, const struct plan_event *ev);

#endif
