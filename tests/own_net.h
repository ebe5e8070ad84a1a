/*
 * A network and an /etc of the test's own, so that a test may change
 * resolv.conf and listen on port 53 without touching the machine.
 */
#ifndef TESTS_OWN_NET_H
#define TESTS_OWN_NET_H

/*
 * Moves the process (and the children it forks) into new namespaces: loopback
 * alone, and an empty /etc but for a hosts file that gives localhost both
 * families. Where that is not permitted, says so and ends the program as failed.
 */
void own_net_enter(void);

/* Writes a file anew under another inode, as those who manage resolv.conf do. */
void own_net_write(const char *path, const char *text);

#endif
