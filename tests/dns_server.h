/*
 * A name server for tests on port 53 of a loopback address (see own_net.h), in
 * the test's own loop. It knows these names, and no others:
 *
 *   both.test      192.0.2.N and 2001:db8::N, where N is the server's number
 *   v4.test        192.0.2.N only              many.test     20 IPv4 addresses
 *   alias.test     CNAME of v4.test            forged.test   a wrong id first, then like v4.test
 *   here.test      127.0.0.1
 *   fail.test      SERVFAIL                    refused.test  REFUSED
 *   silent.test    no answer                   broken.test   an answer that is cut off
 */
#ifndef TESTS_DNS_SERVER_H
#define TESTS_DNS_SERVER_H

#include <stdbool.h>

#include "common/pollset.h"

struct dns_server {
	int fd;
	unsigned number;
	unsigned asked; /* questions that came */
	bool mute;      /* answers nothing at all */
};

/* Listens on 127.0.0.number. */
void dns_server_start(struct dns_server *s, unsigned number);
void dns_server_stop(struct dns_server *s);
void dns_server_prepare(const struct dns_server *s, struct pollset *p);
void dns_server_dispatch(struct dns_server *s, const struct pollset *p);

#endif
