/* The detector's loop: finds the WAN address and publishes it, until it is told to stop. */
#ifndef DETECTOR_DETECTOR_H
#define DETECTOR_DETECTOR_H

#define DETECTOR_EXIT_PROTOCOL 70 /* EX_SOFTWARE: the supervisor sent what cannot be */

/*
 * Run as a worker of the supervisor. Returns the process's exit status: 0
 * after an orderly stop, 1 for what a restart may cure, DETECTOR_EXIT_PROTOCOL.
 */
int detector_run(void);

#endif
