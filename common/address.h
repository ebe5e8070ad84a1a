/* IP addresses: one strict way to read them, and which ones may be published. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

enum address_family {
	ADDRESS_NONE, /* no address */
	ADDRESS_IPV4,
	ADDRESS_IPV6,
	ADDRESS_FAMILY__MAX
};

struct address {
	enum address_family family;
	uint8_t bytes[16]; /* network order; the first 4 for IPv4; the rest is zero */
};

/*
 * Read exactly one address from len bytes: dotted quad without leading zeros,
 * or RFC 4291 text without a zone. Nothing may stand around it. False if it is
 * anything else.
 */
bool address_parse(const char *text, size_t len, struct address *out);
/* The same for a NUL-terminated text. */
bool address_parse_text(const char *text, struct address *out);
/* RFC 5952 text, "" for ADDRESS_NONE; size at least ADDRESS_TEXT_MAX. Returns out. */
const char *address_format(const struct address *a, char *out, size_t size);
bool address_equal(const struct address *a, const struct address *b);

/*
 * May the address stand in a public DNS record? NULL if so, else the reason as
 * a phrase that follows the address in a sentence ("is private (10.0.0.0/8)").
 * Source: the IANA special-purpose registries, as listed in address.c.
 */
const char *address_refusal(const struct address *a);

/* "ipv4", "ipv6", "none". */
const char *address_family_name(enum address_family family);
/* ADDRESS_NONE if the name is neither "ipv4" nor "ipv6". */
enum address_family address_family_of(const char *name);
/* "A", "AAAA". */
const char *address_record_type(enum address_family family);

#endif
