/* What people do to objects and records: delete them, edit them, leave garbage. */
#ifndef TESTS_SIM_FAULTS_HAND_H
#define TESTS_SIM_FAULTS_HAND_H

#include "tests/sim/world.h"

void hand_on_wan(struct world *w);
void hand_on_lease(struct world *w);
void hand_on_record(struct world *w);
void hand_raises_epoch(struct world *w);
void hand_deletes_lease(struct world *w);

#endif
