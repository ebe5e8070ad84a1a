/*
 * What is sent between pods, sealed: HMAC-SHA-256 (RFC 2104) under the peer key,
 * with the sender's identity and a counter, so that a message from elsewhere, a
 * changed one and one sent again are told from the true one. Pure.
 *
 * On the wire: "ESDDNS-PEER/1 MAC COUNTER FROM\n" and the message; MAC is in
 * lower-case hexadecimal and covers everything behind the blank that follows it.
 * It keeps no secret: whoever listens on the way can read the address.
 */
#ifndef IPC_PEER_H
#define IPC_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/message.h"

#define PEER_KEY_MIN 16 /* bytes; fewer can be guessed */
#define PEER_KEY_MAX 256
/* Senders whose counters are remembered; the one heard longest ago makes room. */
#define PEER_SENDERS_MAX 16

struct peer_key {
	unsigned char bytes[PEER_KEY_MAX];
	size_t len; /* 0: there is none */
};

/*
 * Read the key from a file: its bytes without white space at the end. False with *why
 * (a sentence, valid until the next call) if it cannot be used; key stays what it was, since a
 * Secret that is replaced may be away for a while.
 */
bool peer_key_read(const char *path, struct peer_key *key, const char **why);
void peer_key_clear(struct peer_key *key);

/* Seal a message of the bus; *len is the length of the result. free() it. */
char *peer_seal(const struct peer_key *key, const char *from, uint64_t counter, const char *json,
		size_t *len);

struct peer_guard {
	struct {
		char from[MSG_HOLDER_MAX];
		uint64_t counter;
		uint64_t heard; /* in the order of hearing */
	} senders[PEER_SENDERS_MAX];
	uint64_t heard;
};

/*
 * Open what came. True with *json (within text) if it is true and newer than all
 * that its sender said before; else false with *reason, a label: "malformed",
 * "unauthentic", "replayed".
 */
bool peer_open(struct peer_guard *guard, const struct peer_key *key, const char *text, size_t len,
	       const char **json, size_t *json_len, const char **reason);

#endif
