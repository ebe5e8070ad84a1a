/* The worker that shows the state over HTTP. */
#ifndef WEBD_WEBD_H
#define WEBD_WEBD_H

/*
 * Run until the supervisor says stop, or is gone. Returns the exit status: 0
 * after an orderly stop, 1 if an address cannot be bound or the supervisor is
 * gone, 70 if what the supervisor sent makes no sense.
 */
int webd_run(void);

#endif
