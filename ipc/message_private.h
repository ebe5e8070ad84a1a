/*
 * What the encoder and the decoder of the messages share, and the ConfigMap's, whose
 * content becomes a message; nobody else needs it.
 */
#ifndef IPC_MESSAGE_PRIVATE_H
#define IPC_MESSAGE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/message.h"

#define MSG_TIME_MAX INT64_C(253402300799999)    /* the end of the year 9999 */
#define MSG_NUMBER_MAX INT64_C(9007199254740991) /* 2^53 - 1: exact in JSON's doubles */
#define MSG_COUNT_MAX 65535                      /* operators, records, parts */
#define MSG_TTL_MAX INT64_C(2147483647)          /* RFC 2181, section 8 */

/* Is it one of the kinds that a vote may have? */
bool msg_vote_kind_known(const char *kind);

#endif
