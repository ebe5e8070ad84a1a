/* An HTTPS server for tests: openssl s_server in a child, with certificates made on the spot. */
#ifndef TESTS_TLS_SERVER_H
#define TESTS_TLS_SERVER_H

#include <sys/types.h>

struct tls_server {
	pid_t pid;
	unsigned port;      /* on 127.0.0.1 */
	char directory[64]; /* of what follows */
	char right_ca[96];  /* vouches for localhost, as the server says it is */
	char wrong_ca[96];  /* vouches for another key of the same name */
	char right_key[96], wrong_key[96];
};

void tls_server_start(struct tls_server *s);
/* Takes only clients that show a certificate of right_ca, which is its own, with right_key. */
void tls_server_start_strict(struct tls_server *s);
void tls_server_stop(struct tls_server *s);

#endif
