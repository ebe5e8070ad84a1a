"""STUN messages (RFC 8489): a strict parser for requests, and the encoding of responses.

Pure functions on bytes. `decode_response` is the client's side, for tests.
"""

import ipaddress
import struct
import zlib

COOKIE = 0x2112A442
HEADER = struct.Struct("!HHI12s")
BINDING_REQUEST, BINDING_SUCCESS, BINDING_ERROR = 0x0001, 0x0101, 0x0111

MAPPED_ADDRESS, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0001, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, SOFTWARE, ALTERNATE_SERVER, FINGERPRINT = 0x0020, 0x8022, 0x8023, 0x8028
FINGERPRINT_XOR = 0x5354554E
MESSAGE_MAX = 1500

# Comprehension-required attributes a Binding request may carry here: those of authentication,
# which a server that asks for none ignores, and ICE's PRIORITY and USE-CANDIDATE.
UNDERSTOOD = (0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0024, 0x0025)

REASONS = {300: "Try Alternate", 400: "Bad Request", 401: "Unauthenticated",
           420: "Unknown Attribute", 438: "Stale Nonce", 500: "Server Error"}


class Malformed(Exception):
    """Not a STUN message that may be answered (RFC 8489, 6.3); the text says why."""


def fingerprint(data):
    """FINGERPRINT's value for a message whose bytes before the attribute are data."""
    return zlib.crc32(data) ^ FINGERPRINT_XOR


def parse_header(data):
    """(type, length, transaction id) of the first 20 bytes."""
    if len(data) < HEADER.size:
        raise Malformed(f"{len(data)} bytes are shorter than a header")
    kind, length, cookie, transaction = HEADER.unpack_from(data)
    if kind & 0xC000:
        raise Malformed("the top two bits are not zero")
    if cookie != COOKIE:
        raise Malformed("wrong magic cookie")
    if length % 4:
        raise Malformed(f"length {length} is not a multiple of 4")
    return kind, length, transaction


def parse_attributes(data):
    """[(type, value)] of a whole message; a FINGERPRINT must be right and the last one."""
    attributes, offset = [], HEADER.size
    while offset < len(data):
        if attributes and attributes[-1][0] == FINGERPRINT:
            raise Malformed("an attribute after FINGERPRINT")
        kind, length = struct.unpack_from("!HH", data, offset)
        value = data[offset + 4:offset + 4 + length]
        end = offset + 4 + length + -length % 4
        if end > len(data):
            raise Malformed(f"attribute {kind:#06x} overruns the message")
        if kind == FINGERPRINT and value != struct.pack("!I", fingerprint(data[:offset])):
            raise Malformed("wrong FINGERPRINT")
        attributes.append((kind, value))
        offset = end
    return attributes


def parse_message(data):
    """(type, transaction id, attributes) of exactly one message."""
    kind, length, transaction = parse_header(data)
    if HEADER.size + length != len(data):
        raise Malformed(f"length {length} in a message of {len(data)} bytes")
    return kind, transaction, parse_attributes(data)


def parse_request(data):
    """(transaction id, unknown comprehension-required attribute types) of a Binding request."""
    kind, transaction, attributes = parse_message(data)
    if kind != BINDING_REQUEST:
        raise Malformed(f"type {kind:#06x} is not a Binding request")
    return transaction, [t for t, _ in attributes if t < 0x8000 and t not in UNDERSTOOD]


def encode_attribute(kind, value):
    """One attribute; its padding is deliberately not zero (RFC 8489, 14: any value)."""
    return struct.pack("!HH", kind, len(value)) + value + b"\xa5" * (-len(value) % 4)


def encode_address(address, port):
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port) + address.packed


def encode_xor_address(address, port, transaction):
    key = struct.pack("!I", COOKIE) + transaction
    masked = bytes(a ^ k for a, k in zip(address.packed, key))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ COOKIE >> 16) + masked


def encode_message(kind, transaction, attributes):
    """A message with a FINGERPRINT at its end."""
    body = b"".join(encode_attribute(*attribute) for attribute in attributes)
    # The length FINGERPRINT is computed over already counts FINGERPRINT (RFC 8489, 14.7).
    message = HEADER.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return message + encode_attribute(FINGERPRINT, struct.pack("!I", fingerprint(message)))


def encode_error(transaction, code, software, more=()):
    reason = REASONS.get(code, "Error").encode()
    value = struct.pack("!HBB", 0, code // 100, code % 100) + reason
    return encode_message(BINDING_ERROR, transaction,
                          [(ERROR_CODE, value), *more, (SOFTWARE, software)])


def decode_address(value, transaction=None):
    """(address, port) of MAPPED-ADDRESS, or with a transaction id of XOR-MAPPED-ADDRESS."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise Malformed("family and length of an address do not fit")
    port, packed = struct.unpack_from("!H", value, 2)[0], value[4:]
    if transaction is not None:
        port ^= COOKIE >> 16
        key = struct.pack("!I", COOKIE) + transaction
        packed = bytes(a ^ k for a, k in zip(packed, key))
    return ipaddress.ip_address(packed), port


def decode_response(data):
    """A response as a dict: type, id, and what its attributes say."""
    kind, transaction, attributes = parse_message(data)
    found = {"type": kind, "id": transaction, "attributes": [t for t, _ in attributes]}
    for attribute, value in attributes:
        if attribute == XOR_MAPPED_ADDRESS:
            found["xor-mapped"] = decode_address(value, transaction)
        elif attribute == MAPPED_ADDRESS:
            found["mapped"] = decode_address(value)
        elif attribute == SOFTWARE:
            found["software"] = value.decode()
        elif attribute == ERROR_CODE:
            found["error"] = value[2] * 100 + value[3], value[4:].decode()
        elif attribute == UNKNOWN_ATTRIBUTES:
            found["unknown"] = list(struct.unpack(f"!{len(value) // 2}H", value))
    return found
