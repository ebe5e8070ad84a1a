/*
 * What each worker gets of the configuration: one JSON object, everything
 * always present (null where it is optional and absent), durations as integer
 * milliseconds. Those of detector and updater hold what a kubeconfig has of
 * secrets, and nothing else does.
 *
 * The same configuration always gives the same text, so that two texts that
 * differ are what says that a worker has something to reload.
 */
#ifndef SUPERVISOR_PARTS_H
#define SUPERVISOR_PARTS_H

#include "supervisor/config.h"

#define PARTS_VERSION 1

/* The JSON text, on one line; parts_free() it. Never NULL. */
char *parts_detector(const struct config *c);
char *parts_updater(const struct config *c);
char *parts_webd(const struct config *c);

/*
 * The detector's part for a probe: the families that records need, or both where
 * there is none. Without secrets. parts_free() it.
 */
char *parts_probe(const struct config *c);

/* The part of one unit; parts_free() it. Never NULL for a unit below CONFIG_UNIT__MAX. */
char *parts_unit(const struct config *c, enum config_unit unit);
/* Overwrites it, and frees it. NULL is fine. */
void parts_free(char *part);
/* Would this unit get another part from b than from a? */
bool parts_differ(const struct config *a, const struct config *b, enum config_unit unit);

#endif
