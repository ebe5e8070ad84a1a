/* Messages with random content, for the tests of the codec. Call srandom() first. */
#ifndef TESTS_MESSAGE_SAMPLES_H
#define TESTS_MESSAGE_SAMPLES_H

#include <stdbool.h>

#include "ipc/message.h"

/* full: every text and array as long as it may be. */
void sample_text(char *dst, size_t size, bool full);
void sample_wan(struct msg_wan *w, bool full);
void sample_record(struct msg_record *r, bool full);
/* The message in json, or a failed test with the reason; msg_free() it. */
struct msg *sample_decode(const char *json);

#endif
