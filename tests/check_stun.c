#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector/stun.h"

/* RFC 5769, sections 2.1 to 2.3; the id is the same in all. */
static const char vector_request[] =
	"000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e7400240004"
	"6e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56"
	"781ef2b5b2d3f249c1b571a280280004e57a3bcf";
static const char vector_ipv4[] =
	"0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147"
	"e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
static const char vector_ipv6[] =
	"010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
	"0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004"
	"c8fb0b4c";

static const uint8_t id[STUN_ID_SIZE] = { 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
					  0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae };

/* A message under construction; the header's length follows every addition. */
struct draft {
	uint8_t bytes[4096];
	size_t len;
};

static size_t
from_hex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

static void
fix_length(struct draft *d)
{
	d->bytes[2] = (uint8_t)((d->len - STUN_HEADER_SIZE) >> 8);
	d->bytes[3] = (uint8_t)(d->len - STUN_HEADER_SIZE);
}

static void
begin(struct draft *d, unsigned type)
{
	memset(d, 0, sizeof(*d));
	stun_build_request(d->bytes, id);
	d->bytes[0] = (uint8_t)(type >> 8);
	d->bytes[1] = (uint8_t)type;
	d->len = STUN_HEADER_SIZE;
}

static void
add(struct draft *d, unsigned type, const char *hex)
{
	uint8_t *p = d->bytes + d->len;
	size_t len = from_hex(hex, p + 4);

	p[0] = (uint8_t)(type >> 8);
	p[1] = (uint8_t)type;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	d->len += 4 + len;
	while (d->len % 4)
		d->bytes[d->len++] = 0x5a; /* padding may be any bytes */
	fix_length(d);
}

/* The CRC the other way about, most significant bit first. */
static uint32_t
crc32_of(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffffu, out = 0;

	for (size_t n = 0; n < len * 8; n++) {
		uint32_t bit = data[n / 8] >> (n % 8) & 1;

		crc = crc << 1 ^ ((crc >> 31 ^ bit) ? 0x04c11db7u : 0);
	}
	for (int n = 0; n < 32; n++)
		out |= (crc >> n & 1) << (31 - n);
	return ~out;
}

static void
add_fingerprint(struct draft *d)
{
	char hex[9];
	uint32_t crc;

	add(d, 0x8028, "00000000");
	crc = crc32_of(d->bytes, d->len - 8) ^ 0x5354554eu;
	snprintf(hex, sizeof(hex), "%08x", crc);
	from_hex(hex, d->bytes + d->len - 4);
}

#define ADDRESS_198_20_0_7 "0001a147e706a445" /* XOR-MAPPED-ADDRESS, port 32853 */
#define ADDRESS_198_20_0_8 "0001a147e706a44a"

/* The draft is judged from memory that ends where it ends. */
static enum stun_verdict
judge_bytes(const uint8_t *bytes, size_t len, enum address_family wanted, struct stun_answer *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum stun_verdict verdict;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	verdict = stun_parse(copy, len, id, wanted, out);
	free(copy);
	if (verdict == STUN_ANSWER)
		ck_assert_int_eq(out->address.family, wanted);
	else
		ck_assert_int_eq(out->address.family, ADDRESS_NONE);
	ck_assert_int_eq(*out->why == '\0', verdict == STUN_ANSWER);
	return verdict;
}

static void
expect(const struct draft *d, enum address_family wanted, enum stun_verdict verdict,
       const char *why)
{
	struct stun_answer out;

	ck_assert_int_eq(judge_bytes(d->bytes, d->len, wanted, &out), verdict);
	ck_assert_str_eq(out.why, why);
}

static void
expect_vector(const char *hex, enum address_family family, const char *address)
{
	uint8_t msg[256];
	size_t len = from_hex(hex, msg);
	struct stun_answer out;
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(stun_frame_size(msg, len), (ssize_t)len);
	ck_assert_int_eq(judge_bytes(msg, len, family, &out), STUN_ANSWER);
	ck_assert_str_eq(address_format(&out.address, text, sizeof(text)), address);
	ck_assert_uint_eq(out.port, 32853);
	/* FINGERPRINT finds any byte that is changed, but for its own type */
	for (size_t i = 0; i < len; i++) {
		if (i == len - 8 || i == len - 7)
			continue;
		msg[i] ^= 0x04;
		ck_assert_int_eq(judge_bytes(msg, len, family, &out), STUN_IGNORED);
		msg[i] ^= 0x04;
		ck_assert_int_eq(judge_bytes(msg, i, family, &out), STUN_IGNORED);
	}
}

START_TEST(reads_the_vectors_of_rfc_5769)
{
	expect_vector(vector_ipv4, ADDRESS_IPV4, "192.0.2.1");
	expect_vector(vector_ipv6, ADDRESS_IPV6, "2001:db8:1234:5678:11:2233:4455:6677");
}
END_TEST

START_TEST(is_not_answered_by_a_request)
{
	uint8_t msg[256];
	size_t len = from_hex(vector_request, msg);
	struct stun_answer out;

	ck_assert_int_eq(judge_bytes(msg, len, ADDRESS_IPV4, &out), STUN_IGNORED);
	ck_assert_str_eq(out.why, "sent another kind of message");
}
END_TEST

START_TEST(writes_a_request)
{
	static const char expected[] = "000100002112a442b7e7a701bc34d686fa87dfae";
	uint8_t request[STUN_REQUEST_SIZE], wanted[STUN_REQUEST_SIZE];

	ck_assert_uint_eq(from_hex(expected, wanted), sizeof(wanted));
	stun_build_request(request, id);
	ck_assert_mem_eq(request, wanted, sizeof(wanted));
}
END_TEST

START_TEST(drops_what_has_a_wrong_header)
{
	struct draft good, d;

	begin(&good, 0x0101);
	add(&good, 0x0020, ADDRESS_198_20_0_7);
	expect(&good, ADDRESS_IPV4, STUN_ANSWER, "");
	for (size_t len = 0; len < STUN_HEADER_SIZE; len++) {
		d = good;
		d.len = len;
		expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent less than a header");
	}
	d = good, d.len++; /* trailing bytes */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a message with a wrong length");
	d = good, d.len += 4;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a message with a wrong length");
	d = good, d.bytes[3] += 4; /* beyond the datagram */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a message with a wrong length");
	d = good, d.bytes[3] += 2, d.len += 2; /* not a multiple of 4 */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a message with a wrong length");
	d = good, d.bytes[2] = d.bytes[3] = 0xff;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a message with a wrong length");
	d = good, d.bytes[0] |= 0x80;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent something that is not STUN");
	d = good, d.bytes[19] ^= 1;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent the answer to another request");
	d = good, d.bytes[4] ^= 1;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a wrong cookie, as servers of RFC 3489 do");
	d = good, d.bytes[0] = 0x00; /* class: request, then indication */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent another kind of message");
	d = good, d.bytes[0] = 0x00, d.bytes[1] = 0x11;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent another kind of message");
	d = good, d.bytes[1] = 0x03; /* method: Allocate */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent another kind of message");
}
END_TEST

START_TEST(drops_attributes_that_overrun)
{
	struct draft d;

	begin(&d, 0x0101);
	add(&d, 0x0020, ADDRESS_198_20_0_7);
	add(&d, 0x8022, "41");
	d.bytes[d.len - 5] = 5; /* padded to 8, 4 are there */
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent an attribute that overruns its message");
	d.bytes[d.len - 6] = d.bytes[d.len - 5] = 0xff;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent an attribute that overruns its message");
}
END_TEST

struct body {
	enum address_family wanted;
	unsigned type, attr1;
	const char *value1;
	unsigned attr2;
	const char *value2;
	enum stun_verdict verdict;
	const char *why;
};

#define WRONG_ADDRESS "sent an XOR-MAPPED-ADDRESS of a wrong family or length"
#define V6_VALUE "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
#define BAD_CODE "sent an error with a malformed code"

static const struct body bodies[] = {
	{ ADDRESS_IPV4, 0x101, 0x20, "0000a147e706a445", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, "0003a147e706a445", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, "0001a147e706a44500000000", 0, NULL, STUN_FAILURE,
	  WRONG_ADDRESS },
	{ ADDRESS_IPV6, 0x101, 0x20, "0002a147e706a445", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, "", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, "00", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, "0001a147e706a4", 0, NULL, STUN_FAILURE, WRONG_ADDRESS },
	{ ADDRESS_IPV4, 0x101, 0x20, V6_VALUE, 0, NULL, STUN_FAILURE,
	  "sent an address of the other family" },
	{ ADDRESS_IPV6, 0x101, 0x20, ADDRESS_198_20_0_7, 0, NULL, STUN_FAILURE,
	  "sent an address of the other family" },
	{ ADDRESS_IPV4, 0x101, 0x20, ADDRESS_198_20_0_7, 0x20, ADDRESS_198_20_0_8, STUN_FAILURE,
	  "sent two different addresses" },
	{ ADDRESS_IPV4, 0x101, 0x20, ADDRESS_198_20_0_7, 0x20, ADDRESS_198_20_0_7, STUN_ANSWER,
	  "" },
	{ ADDRESS_IPV4, 0x101, 0x01, "00018055c6140007", 0, NULL, STUN_FAILURE,
	  "sent MAPPED-ADDRESS only, in the manner of RFC 3489" },
	{ ADDRESS_IPV4, 0x101, 0x01, "00018055c6140008", 0x20, ADDRESS_198_20_0_7, STUN_ANSWER,
	  "" },
	{ ADDRESS_IPV4, 0x101, 0x8022, "41", 0, NULL, STUN_FAILURE, "sent no address" },
	{ ADDRESS_IPV4, 0x101, 0x20, ADDRESS_198_20_0_7, 0x0009, "00000300", STUN_FAILURE,
	  "sent a success that carries an error" },
	{ ADDRESS_IPV4, 0x101, 0x20, ADDRESS_198_20_0_7, 0x7fff, "", STUN_FAILURE,
	  "sent an unknown attribute that must be understood" },
	{ ADDRESS_IPV4, 0x101, 0x20, ADDRESS_198_20_0_7, 0x8fff, "010203", STUN_ANSWER, "" },
	/* what follows MESSAGE-INTEGRITY does not count */
	{ ADDRESS_IPV4, 0x101, 0x08, "0000000000000000000000000000000000000000", 0x20,
	  ADDRESS_198_20_0_7, STUN_FAILURE, "sent no address" },
	{ ADDRESS_IPV4, 0x111, 0x09, "00000300", 0, NULL, STUN_FAILURE, "answered with an error" },
	{ ADDRESS_IPV4, 0x111, 0x20, ADDRESS_198_20_0_7, 0x09, "00000400", STUN_FAILURE,
	  "answered with an error" },
	{ ADDRESS_IPV4, 0x111, 0x20, ADDRESS_198_20_0_7, 0, NULL, STUN_FAILURE,
	  "sent an error without a code" },
	{ ADDRESS_IPV4, 0x111, 0x09, "00000263", 0, NULL, STUN_FAILURE, BAD_CODE },
	{ ADDRESS_IPV4, 0x111, 0x09, "00000700", 0, NULL, STUN_FAILURE, BAD_CODE },
	{ ADDRESS_IPV4, 0x111, 0x09, "00000464", 0, NULL, STUN_FAILURE, BAD_CODE },
	{ ADDRESS_IPV4, 0x111, 0x09, "000004", 0, NULL, STUN_FAILURE, BAD_CODE },
};

START_TEST(judges_what_the_attributes_say)
{
	const struct body *b = &bodies[_i];
	struct draft d;

	begin(&d, b->type);
	add(&d, b->attr1, b->value1);
	if (b->value2)
		add(&d, b->attr2, b->value2);
	expect(&d, b->wanted, b->verdict, b->why);
	add_fingerprint(&d);
	expect(&d, b->wanted, b->verdict, b->why);
}
END_TEST

START_TEST(tells_the_code_of_an_error)
{
	struct draft d;
	struct stun_answer out;

	begin(&d, 0x0111);
	add(&d, 0x0009, "00000426");
	ck_assert_int_eq(judge_bytes(d.bytes, d.len, ADDRESS_IPV4, &out), STUN_FAILURE);
	ck_assert_int_eq(out.code, 438);
}
END_TEST

START_TEST(checks_the_fingerprint)
{
	struct draft good, d;

	begin(&good, 0x0101);
	add(&good, 0x0020, ADDRESS_198_20_0_7);
	d = good;
	add_fingerprint(&d);
	expect(&d, ADDRESS_IPV4, STUN_ANSWER, "");
	d.bytes[d.len - 1] ^= 1;
	expect(&d, ADDRESS_IPV4, STUN_IGNORED, "sent a wrong FINGERPRINT");
	d.bytes[d.len - 1] ^= 1;
	add(&d, 0x8022, "41");
	expect(&d, ADDRESS_IPV4, STUN_IGNORED,
	       "sent a FINGERPRINT that is not last or not 4 bytes");
	d = good;
	add(&d, 0x8028, "0000");
	expect(&d, ADDRESS_IPV4, STUN_IGNORED,
	       "sent a FINGERPRINT that is not last or not 4 bytes");
}
END_TEST

START_TEST(frames_a_stream)
{
	struct draft d;

	begin(&d, 0x0101);
	add(&d, 0x0020, ADDRESS_198_20_0_7);
	for (size_t n = 0; n < STUN_HEADER_SIZE; n++)
		ck_assert_int_eq(stun_frame_size(d.bytes, n), 0);
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), 32);
	ck_assert_int_eq(stun_frame_size(d.bytes, d.len + 7), 32);
	d.bytes[2] = 0x07, d.bytes[3] = 0xec; /* 2028 + 20 = 2048 */
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), STUN_MESSAGE_MAX);
	d.bytes[3] = 0xf0;
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), -1);
	d.bytes[2] = d.bytes[3] = 0xff;
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), -1);
	d.bytes[2] = 0, d.bytes[3] = 13;
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), -1);
	d.bytes[3] = 12, d.bytes[5] ^= 1;
	ck_assert_int_eq(stun_frame_size(d.bytes, STUN_HEADER_SIZE), -1);
	ck_assert_int_eq(stun_frame_size((const uint8_t *)"HTTP/1.1 400 Bad Req", 1), -1);
}
END_TEST

/* Random bytes behind a right header: never read beyond the end, never two verdicts. */
START_TEST(stays_within_any_message)
{
	srandom((unsigned)_i + 1);
	for (int n = 0; n < 3000; n++) {
		struct draft d;
		struct stun_answer out;
		size_t extra = (size_t)(random() % 16) * 4;

		begin(&d, random() % 2 ? 0x0101 : 0x0111);
		for (size_t i = 0; i < extra; i++)
			d.bytes[d.len++] = (uint8_t)(random() % 4 ? random() % 33 : random());
		fix_length(&d);
		judge_bytes(d.bytes, d.len, random() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6, &out);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stun");
	TCase *tc = tcase_create("stun");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, reads_the_vectors_of_rfc_5769);
	tcase_add_test(tc, is_not_answered_by_a_request);
	tcase_add_test(tc, writes_a_request);
	tcase_add_test(tc, drops_what_has_a_wrong_header);
	tcase_add_test(tc, drops_attributes_that_overrun);
	tcase_add_loop_test(tc, judges_what_the_attributes_say, 0,
			    sizeof(bodies) / sizeof(bodies[0]));
	tcase_add_test(tc, tells_the_code_of_an_error);
	tcase_add_test(tc, checks_the_fingerprint);
	tcase_add_test(tc, frames_a_stream);
	tcase_add_loop_test(tc, stays_within_any_message, 0, 10);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
