/*
 * The part of STUN (RFC 8489) that asks "which address do you see me as?":
 * Binding requests and their answers. Pure: bytes in, verdict out.
 *
 * STUN is not authenticated. The transaction id keeps out those who cannot
 * see the request, no more: an answer is one vote, never the truth.
 */
#ifndef DETECTOR_STUN_H
#define DETECTOR_STUN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/address.h"

#define STUN_PORT 3478
#define STUN_ID_SIZE 12
#define STUN_HEADER_SIZE 20
#define STUN_REQUEST_SIZE STUN_HEADER_SIZE
/* Answers are far smaller; a larger message is refused before it is read. */
#define STUN_MESSAGE_MAX 2048

enum stun_verdict {
	STUN_ANSWER,  /* a success with an address of the wanted family */
	STUN_FAILURE, /* an answer to this transaction that gives no address */
	STUN_IGNORED, /* malformed or not ours: to be dropped, something better may come */
	STUN_VERDICT__MAX
};

struct stun_answer {
	struct address address; /* ADDRESS_NONE unless STUN_ANSWER */
	uint16_t port;          /* as the server sees it */
	int code;               /* of an error response, 300..699; else 0 */
	const char *why;        /* a phrase that follows "the server"; "" with STUN_ANSWER */
};

/* Write a Binding request without attributes. id is to come from a CSPRNG. */
void stun_build_request(uint8_t out[STUN_REQUEST_SIZE], const uint8_t id[STUN_ID_SIZE]);

/*
 * Judge one whole message of len bytes as the answer to the request with this
 * id. A FINGERPRINT is not required, but must be right where there is one.
 */
enum stun_verdict stun_parse(const uint8_t *msg, size_t len, const uint8_t id[STUN_ID_SIZE],
			     enum address_family wanted, struct stun_answer *out);

/*
 * Framing over TCP: the size of the message that starts with these len bytes.
 * 0 while they are too few to tell; -1 if no STUN message starts like this or
 * it would be larger than STUN_MESSAGE_MAX: the stream is lost then.
 */
ssize_t stun_frame_size(const uint8_t *data, size_t len);

#endif
