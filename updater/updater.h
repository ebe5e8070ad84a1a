/* The updater: follows the published address and keeps the DNS records right. */
#ifndef UPDATER_UPDATER_H
#define UPDATER_UPDATER_H

/*
 * Run as a worker of the supervisor until it says to stop. Returns the exit
 * status: 0 after an orderly stop, 1 where a restart may help, 70 for a
 * broken internal protocol.
 */
int updater_run(void);

#endif
