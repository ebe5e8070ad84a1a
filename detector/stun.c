#include "detector/stun.h"

#include <stdbool.h>
#include <string.h>

#define STUN_COOKIE 0x2112a442u
#define STUN_BINDING_REQUEST 0x0001
#define STUN_BINDING_SUCCESS 0x0101
#define STUN_BINDING_ERROR 0x0111

#define ATTR_MAPPED_ADDRESS 0x0001
#define ATTR_SOURCE_ADDRESS 0x0004 /* of RFC 3489; still sent by old servers */
#define ATTR_CHANGED_ADDRESS 0x0005
#define ATTR_USERNAME 0x0006
#define ATTR_MESSAGE_INTEGRITY 0x0008
#define ATTR_ERROR_CODE 0x0009
#define ATTR_UNKNOWN_ATTRIBUTES 0x000a
#define ATTR_REALM 0x0014
#define ATTR_NONCE 0x0015
#define ATTR_MESSAGE_INTEGRITY_SHA256 0x001c
#define ATTR_XOR_MAPPED_ADDRESS 0x0020
#define ATTR_FINGERPRINT 0x8028
#define ATTR_OPTIONAL 0x8000 /* from here on: may be ignored (RFC 8489 section 14) */

#define FINGERPRINT_XOR 0x5354554eu

/* What the walk over the attributes found. */
struct attributes {
	struct address address; /* of the first XOR-MAPPED-ADDRESS */
	uint16_t port;
	bool has_error, mapped_only, unknown_required;
	int code;
	const char *fault; /* the first attribute that says nothing sensible */
};

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* CRC-32 as in ITU V.42; messages are short, so no table. */
static uint32_t
crc32_of(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

void
stun_build_request(uint8_t out[STUN_REQUEST_SIZE], const uint8_t id[STUN_ID_SIZE])
{
	put16(out, STUN_BINDING_REQUEST);
	put16(out + 2, 0);
	put16(out + 4, STUN_COOKIE >> 16);
	put16(out + 6, STUN_COOKIE & 0xffff);
	memcpy(out + 8, id, STUN_ID_SIZE);
}

/* RFC 8489 section 14.2; msg is the whole message, for the transaction id. */
static void
take_address(struct attributes *a, const uint8_t *msg, const uint8_t *value, size_t len)
{
	struct address found = { .family = ADDRESS_NONE };
	uint16_t port;
	size_t bytes;

	if (len >= 2 && value[1] == 1 && len == 8) {
		found.family = ADDRESS_IPV4;
		bytes = 4;
	} else if (len >= 2 && value[1] == 2 && len == 20) {
		found.family = ADDRESS_IPV6;
		bytes = 16;
	} else {
		a->fault = "sent an XOR-MAPPED-ADDRESS of a wrong family or length";
		return;
	}
	port = get16(value + 2) ^ (uint16_t)(STUN_COOKIE >> 16);
	for (size_t i = 0; i < bytes; i++)
		found.bytes[i] = value[4 + i] ^ msg[4 + i];
	if (a->address.family != ADDRESS_NONE && !address_equal(&a->address, &found)) {
		a->fault = "sent two different addresses";
		return;
	}
	a->address = found;
	a->port = port;
}

/* RFC 8489 section 14.8: class 3 to 6, number 0 to 99. */
static void
take_error(struct attributes *a, const uint8_t *value, size_t len)
{
	a->has_error = true;
	if (len < 4 || (value[2] & 7) < 3 || (value[2] & 7) > 6 || value[3] > 99)
		a->fault = "sent an error with a malformed code";
	else
		a->code = (value[2] & 7) * 100 + value[3];
}

static void
take_attribute(struct attributes *a, const uint8_t *msg, uint16_t type, const uint8_t *value,
	       size_t len)
{
	switch (type) {
	case ATTR_XOR_MAPPED_ADDRESS:
		take_address(a, msg, value, len);
		break;
	case ATTR_MAPPED_ADDRESS:
		a->mapped_only = true;
		break;
	case ATTR_ERROR_CODE:
		take_error(a, value, len);
		break;
	case ATTR_SOURCE_ADDRESS:
	case ATTR_CHANGED_ADDRESS:
	case ATTR_USERNAME:
	case ATTR_UNKNOWN_ATTRIBUTES:
	case ATTR_REALM:
	case ATTR_NONCE:
		break;
	default:
		if (type < ATTR_OPTIONAL)
			a->unknown_required = true;
		break;
	}
}

/* NULL, or why the message as a whole is malformed. */
static const char *
walk_attributes(const uint8_t *msg, size_t len, struct attributes *a)
{
	bool sealed = false; /* after MESSAGE-INTEGRITY only FINGERPRINT counts (section 14.5) */

	for (size_t pos = STUN_HEADER_SIZE; pos < len;) {
		uint16_t type = get16(msg + pos);
		size_t size = get16(msg + pos + 2), padded = (size + 3) & ~(size_t)3;
		const uint8_t *value = msg + pos + 4;

		if (padded > len - pos - 4)
			return "sent an attribute that overruns its message";
		if (type == ATTR_FINGERPRINT) {
			if (size != 4 || pos + 8 != len)
				return "sent a FINGERPRINT that is not last or not 4 bytes";
			if (get32(value) != (crc32_of(msg, pos) ^ FINGERPRINT_XOR))
				return "sent a wrong FINGERPRINT";
		} else if (type == ATTR_MESSAGE_INTEGRITY ||
			   type == ATTR_MESSAGE_INTEGRITY_SHA256) {
			sealed = true;
		} else if (!sealed) {
			take_attribute(a, msg, type, value, size);
		}
		pos += 4 + padded;
	}
	return NULL;
}

/* The header's checks, RFC 8489 section 6.3. NULL, or why it is to be dropped. */
static const char *
header_fault(const uint8_t *msg, size_t len, const uint8_t *id)
{
	uint16_t type;

	if (len < STUN_HEADER_SIZE)
		return "sent less than a header";
	type = get16(msg);
	if (type & 0xc000)
		return "sent something that is not STUN";
	if (get32(msg + 4) != STUN_COOKIE)
		return "sent a wrong cookie, as servers of RFC 3489 do";
	if (get16(msg + 2) % 4 != 0 || get16(msg + 2) != len - STUN_HEADER_SIZE)
		return "sent a message with a wrong length";
	if (type != STUN_BINDING_SUCCESS && type != STUN_BINDING_ERROR)
		return "sent another kind of message";
	if (memcmp(msg + 8, id, STUN_ID_SIZE) != 0)
		return "sent the answer to another request";
	return NULL;
}

static const char *
answer_fault(uint16_t type, const struct attributes *a, enum address_family wanted)
{
	if (a->fault)
		return a->fault;
	if (type == STUN_BINDING_ERROR)
		return a->code ? "answered with an error" : "sent an error without a code";
	if (a->has_error)
		return "sent a success that carries an error";
	if (a->unknown_required)
		return "sent an unknown attribute that must be understood";
	if (a->address.family == ADDRESS_NONE)
		return a->mapped_only ? "sent MAPPED-ADDRESS only, in the manner of RFC 3489"
				      : "sent no address";
	if (a->address.family != wanted)
		return "sent an address of the other family";
	return NULL;
}

enum stun_verdict
stun_parse(const uint8_t *msg, size_t len, const uint8_t id[STUN_ID_SIZE],
	   enum address_family wanted, struct stun_answer *out)
{
	struct attributes a = { .address.family = ADDRESS_NONE };

	*out = (struct stun_answer){ .why = "" };
	out->why = header_fault(msg, len, id);
	if (!out->why)
		out->why = walk_attributes(msg, len, &a);
	if (out->why)
		return STUN_IGNORED;
	out->why = answer_fault(get16(msg), &a, wanted);
	if (out->why) {
		out->code = a.code;
		return STUN_FAILURE;
	}
	out->why = "";
	out->address = a.address;
	out->port = a.port;
	return STUN_ANSWER;
}

ssize_t
stun_frame_size(const uint8_t *data, size_t len)
{
	size_t size;

	if (len >= 1 && (data[0] & 0xc0))
		return -1;
	if (len < STUN_HEADER_SIZE)
		return 0;
	size = STUN_HEADER_SIZE + (size_t)get16(data + 2);
	if (get32(data + 4) != STUN_COOKIE || size % 4 != 0 || size > STUN_MESSAGE_MAX)
		return -1;
	return (ssize_t)size;
}
