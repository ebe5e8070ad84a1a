/*
 * STUN answers, and their framing over TCP. The choices: 4 or 6 for the family,
 * then i: the message carries this request's id, l: its length is put right,
 * c: its cookie is, f: a right FINGERPRINT is put behind it. So mutations get
 * past what would stop nearly all of them.
 */
#include "detector/stun.h"
#include "tests/fuzz.h"

#define ROOM (STUN_MESSAGE_MAX + 64)

static const uint8_t our_id[STUN_ID_SIZE] = "esddns-fuzz";
static const uint8_t cookie[4] = { 0x21, 0x12, 0xa4, 0x42 };

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

static void
set_length(uint8_t *msg, size_t len)
{
	msg[2] = (uint8_t)((len - STUN_HEADER_SIZE) >> 8);
	msg[3] = (uint8_t)(len - STUN_HEADER_SIZE);
}

static size_t
add_fingerprint(uint8_t *msg, size_t len)
{
	uint32_t crc;

	set_length(msg, len + 8);
	crc = crc32_of(msg, len) ^ 0x5354554eu;
	memcpy(msg + len, (uint8_t[]){ 0x80, 0x28, 0, 4 }, 4);
	for (int i = 0; i < 4; i++)
		msg[len + 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	return len + 8;
}

/* Carries out the choices; returns the new length. */
static size_t
repair(const char *choices, uint8_t *msg, size_t len)
{
	if (len < STUN_HEADER_SIZE)
		return len;
	if (strchr(choices, 'c') != NULL)
		memcpy(msg + 4, cookie, sizeof(cookie));
	if (strchr(choices, 'i') != NULL)
		memcpy(msg + 8, our_id, sizeof(our_id));
	if (strchr(choices, 'l') != NULL) {
		len -= len % 4;
		set_length(msg, len);
	}
	if (strchr(choices, 'f') != NULL)
		len = add_fingerprint(msg, len - len % 4);
	return len;
}

/* What every answer must have in it, found in another way: the address, exclusive-ored. */
static bool
carries(const uint8_t *msg, size_t len, const struct address *a)
{
	size_t n = a->family == ADDRESS_IPV4 ? 4 : 16;

	for (size_t pos = STUN_HEADER_SIZE; pos + 8 + n <= len; pos += 4) {
		bool same = msg[pos] == 0 && msg[pos + 1] == 0x20 && msg[pos + 3] == 4 + n;

		for (size_t i = 0; same && i < n; i++)
			same = (msg[pos + 8 + i] ^ msg[4 + i]) == a->bytes[i];
		if (same)
			return true;
	}
	return false;
}

static void
check_message(const uint8_t *msg, size_t len, enum address_family wanted)
{
	struct stun_answer answer;
	enum stun_verdict verdict = stun_parse(msg, len, our_id, wanted, &answer);

	switch (verdict) {
	case STUN_ANSWER:
		REQUIRE(answer.address.family == wanted && answer.why[0] == '\0');
		REQUIRE(answer.code == 0 && len >= STUN_HEADER_SIZE + 8 + 4);
		REQUIRE(memcmp(msg + 8, our_id, sizeof(our_id)) == 0);
		REQUIRE(memcmp(msg + 4, cookie, sizeof(cookie)) == 0);
		REQUIRE(carries(msg, len, &answer.address));
		break;
	case STUN_FAILURE:
		REQUIRE(memcmp(msg + 8, our_id, sizeof(our_id)) == 0);
		REQUIRE(answer.code == 0 || (answer.code >= 300 && answer.code <= 699));
		REQUIRE(answer.address.family == ADDRESS_NONE && fuzz_is_phrase(answer.why));
		break;
	case STUN_IGNORED:
		REQUIRE(answer.address.family == ADDRESS_NONE && fuzz_is_phrase(answer.why));
		break;
	case STUN_VERDICT__MAX:
		REQUIRE(false);
	}
}

/* However the stream is cut into pieces, it is told the same about it, and never less. */
static void
check_framing(const uint8_t *data, size_t len)
{
	ssize_t before = 0;

	for (size_t n = 0; n <= len && n <= STUN_HEADER_SIZE + 4; n++) {
		ssize_t size = stun_frame_size(data, n);

		REQUIRE(before == 0 || size == before);
		REQUIRE(size <= STUN_MESSAGE_MAX && size >= -1);
		REQUIRE(size <= 0 || (size >= STUN_HEADER_SIZE && size % 4 == 0));
		REQUIRE(n < STUN_HEADER_SIZE || size != 0);
		before = size;
	}
}

/* Message after message off a stream, as the client takes them. */
static void
check_stream(const uint8_t *data, size_t len, enum address_family wanted)
{
	while (len > 0) {
		ssize_t size = stun_frame_size(data, len);

		check_framing(data, len);
		if (size <= 0 || (size_t)size > len)
			return;
		check_message(data, (size_t)size, wanted);
		data += size;
		len -= (size_t)size;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum address_family wanted;
	struct fuzz_input in;
	uint8_t *msg;
	size_t len;

	if (!fuzz_split(&in, data, size) || in.len > STUN_MESSAGE_MAX)
		return 0;
	wanted = in.choices[0] == '6' ? ADDRESS_IPV6 : ADDRESS_IPV4;
	msg = malloc(ROOM);
	REQUIRE(msg != NULL);
	memcpy(msg, in.text, in.len);
	len = repair(in.choices, msg, in.len);
	/* exactly as long as it is, so that a read behind its end is found */
	msg = realloc(msg, len > 0 ? len : 1);
	REQUIRE(msg != NULL);
	check_message(msg, len, wanted);
	check_stream(msg, len, wanted);
	free(msg);
	return 0;
}
