/*
 * The strict reading of what an echo service answers. A page that merely
 * contains something like an address must never become one: the body is
 * exactly what its format says, or it is refused with a reason. Pure.
 */
#ifndef DETECTOR_ANSWER_H
#define DETECTOR_ANSWER_H

#include <stddef.h>

#include "common/address.h"

/* Bytes of a body. */
#define ANSWER_BODY_MAX 4096

enum answer_format {
	ANSWER_PLAIN, /* one address, white space around it */
	ANSWER_TRACE, /* lines of key=value, of which one is ip= */
	ANSWER_JSON,  /* an object with the address as a string member */
	ANSWER_FORMAT__MAX
};

/*
 * Read the body of a 200 answer: exactly one address of the wanted family.
 * key is the member of ANSWER_JSON, and not looked at otherwise. Returns 0 (and
 * *why ""), or -1 with *why a phrase that follows "the answer" ("is not an address").
 * Whether the address may be published is not judged here.
 */
int answer_parse(enum answer_format format, const char *key, const char *body, size_t len,
		 enum address_family wanted, struct address *out, const char **why);

/* "plain", "trace", "json" -> format; ANSWER_FORMAT__MAX if it is none of them. */
enum answer_format answer_format_of(const char *name);

#endif
