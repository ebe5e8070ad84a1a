/*
 * What goes wrong in a seed: which kinds, how often, until when. After the end
 * everything works again.
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/world.h"

struct api_call;

void faults_start(struct world *w);
/* Nothing at all goes wrong in this seed; only the address changes. */
bool faults_calm(const struct world *w);
/* When the last one is healed. */
int64_t faults_end_us(const struct world *w);
/* Was there a fault at any time after then? */
bool faults_were_active_since(const struct world *w, int64_t us);
/* The API server is about to answer: the moment for spite. */
void faults_served(struct world *w, const struct api_call *call);

#endif
