#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/*
 * IANA's special-purpose address registries (IPv4 and IPv6), multicast, and
 * what is deprecated but still answered by broken services. The longest
 * matching prefix decides; a NULL reason means that it may be published.
 */
struct range {
	enum address_family family;
	uint8_t prefix[16];
	unsigned bits;
	const char *refusal;
};

#define V4(a, b, c, d, bits, refusal)                                                              \
	{                                                                                          \
		ADDRESS_IPV4, { a, b, c, d }, bits, refusal                                        \
	}
/* the first four 16-bit groups are enough for all but single addresses */
#define V6(g0, g1, g2, g3, bits, refusal)                                                          \
	{                                                                                          \
		ADDRESS_IPV6, { (g0) >> 8, (g0)&0xFF, (g1) >> 8, (g1)&0xFF,                        \
				(g2) >> 8, (g2)&0xFF, (g3) >> 8, (g3)&0xFF },                      \
			bits, refusal                                                              \
	}
#define V6_LAST(g0, g1, last, refusal)                                                             \
	{                                                                                          \
		ADDRESS_IPV6, { (g0) >> 8, (g0)&0xFF, (g1) >> 8, (g1)&0xFF, 0, 0, 0, 0,            \
				0,         0,         0,         0,         0, 0, 0, last },       \
			128, refusal                                                               \
	}

static const struct range ranges[] = {
	V4(0, 0, 0, 0, 8, "means \"this network\" (0.0.0.0/8)"),
	V4(10, 0, 0, 0, 8, "is private (10.0.0.0/8)"),
	V4(100, 64, 0, 0, 10, "is a carrier's shared address (100.64.0.0/10)"),
	V4(127, 0, 0, 0, 8, "is a loopback address (127.0.0.0/8)"),
	V4(169, 254, 0, 0, 16, "is link-local (169.254.0.0/16)"),
	V4(172, 16, 0, 0, 12, "is private (172.16.0.0/12)"),
	V4(192, 0, 0, 0, 24, "is reserved for protocols (192.0.0.0/24)"),
	V4(192, 0, 0, 9, 32, NULL),  /* Port Control Protocol anycast */
	V4(192, 0, 0, 10, 32, NULL), /* TURN anycast */
	V4(192, 0, 2, 0, 24, "is for documentation (192.0.2.0/24)"),
	V4(192, 88, 99, 0, 24, "belonged to 6to4 relays (192.88.99.0/24)"),
	V4(192, 168, 0, 0, 16, "is private (192.168.0.0/16)"),
	V4(198, 18, 0, 0, 15, "is for benchmarks (198.18.0.0/15)"),
	V4(198, 51, 100, 0, 24, "is for documentation (198.51.100.0/24)"),
	V4(203, 0, 113, 0, 24, "is for documentation (203.0.113.0/24)"),
	V4(224, 0, 0, 0, 4, "is a multicast address (224.0.0.0/4)"),
	V4(240, 0, 0, 0, 4, "is reserved (240.0.0.0/4)"),
	V4(255, 255, 255, 255, 32, "is the broadcast address"),

	/* everything but 2000::/3 is refused, these with a better reason */
	V6(0, 0, 0, 0, 0, "is not a global unicast address (2000::/3)"),
	V6(0, 0, 0, 0, 96, "is an IPv4-compatible address (::/96)"),
	V6_LAST(0, 0, 0, "is the unspecified address (::)"),
	V6_LAST(0, 0, 1, "is the loopback address (::1)"),
	{ ADDRESS_IPV6,
	  { [10] = 0xFF, [11] = 0xFF },
	  96,
	  "is an IPv4-mapped address (::ffff:0:0/96)" },
	V6(0x64, 0xFF9B, 0, 0, 96, "is an IPv4 address translated by NAT64 (64:ff9b::/96)"),
	V6(0x64, 0xFF9B, 1, 0, 48, "is an IPv4 address translated by NAT64 (64:ff9b:1::/48)"),
	V6(0x100, 0, 0, 0, 64, "is for discarding (100::/64)"),
	V6(0x100, 0, 0, 1, 64, "is a dummy prefix (100:0:0:1::/64)"),
	V6(0x2000, 0, 0, 0, 3, NULL),
	V6(0x2001, 0, 0, 0, 23, "is reserved for protocols (2001::/23)"),
	V6_LAST(0x2001, 1, 1, NULL), /* Port Control Protocol anycast */
	V6_LAST(0x2001, 1, 2, NULL), /* TURN anycast */
	V6_LAST(0x2001, 1, 3, NULL), /* DNS-SD SRP anycast */
	V6(0x2001, 3, 0, 0, 32, NULL),
	V6(0x2001, 4, 0x112, 0, 48, NULL),
	V6(0x2001, 0x20, 0, 0, 28, NULL),
	V6(0x2001, 0x30, 0, 0, 28, NULL),
	V6(0x2001, 0xDB8, 0, 0, 32, "is for documentation (2001:db8::/32)"),
	V6(0x2002, 0, 0, 0, 16, "is a 6to4 address (2002::/16)"),
	V6(0x3FFF, 0, 0, 0, 20, "is for documentation (3fff::/20)"),
	V6(0x5F00, 0, 0, 0, 16, "is a segment routing identifier (5f00::/16)"),
	V6(0xFC00, 0, 0, 0, 7, "is a unique local address (fc00::/7)"),
	V6(0xFE80, 0, 0, 0, 10, "is link-local (fe80::/10)"),
	V6(0xFEC0, 0, 0, 0, 10, "is site-local (fec0::/10)"),
	V6(0xFF00, 0, 0, 0, 8, "is a multicast address (ff00::/8)"),
};

static const char *const family_names[ADDRESS_FAMILY__MAX] = {
	[ADDRESS_NONE] = "none",
	[ADDRESS_IPV4] = "ipv4",
	[ADDRESS_IPV6] = "ipv6",
};

bool
address_parse(const char *text, size_t len, struct address *out)
{
	char copy[ADDRESS_TEXT_MAX];

	*out = (struct address){ .family = ADDRESS_NONE };
	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	/* inet_pton() takes neither leading zeros nor short forms nor zones */
	if (inet_pton(AF_INET, copy, out->bytes) == 1)
		out->family = ADDRESS_IPV4;
	else if (inet_pton(AF_INET6, copy, out->bytes) == 1)
		out->family = ADDRESS_IPV6;
	else
		*out = (struct address){ .family = ADDRESS_NONE };
	return out->family != ADDRESS_NONE;
}

bool
address_parse_text(const char *text, struct address *out)
{
	return address_parse(text, strlen(text), out);
}

const char *
address_format(const struct address *a, char *out, size_t size)
{
	int af = a->family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;

	if (a->family == ADDRESS_NONE || inet_ntop(af, a->bytes, out, (socklen_t)size) == NULL)
		out[0] = '\0';
	return out;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool
matches(const struct range *r, const struct address *a)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (r->family != a->family || memcmp(r->prefix, a->bytes, whole) != 0)
		return false;
	return rest == 0 || (r->prefix[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

const char *
address_refusal(const struct address *a)
{
	const struct range *best = NULL;

	if (a->family == ADDRESS_NONE)
		return "is no address";
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (matches(&ranges[i], a) && (best == NULL || ranges[i].bits >= best->bits))
			best = &ranges[i];
	return best != NULL ? best->refusal : NULL;
}

const char *
address_family_name(enum address_family family)
{
	return family < ADDRESS_FAMILY__MAX ? family_names[family] : "invalid";
}

enum address_family
address_family_of(const char *name)
{
	if (strcmp(name, "ipv4") == 0)
		return ADDRESS_IPV4;
	return strcmp(name, "ipv6") == 0 ? ADDRESS_IPV6 : ADDRESS_NONE;
}

const char *
address_record_type(enum address_family family)
{
	return family == ADDRESS_IPV6 ? "AAAA" : "A";
}
