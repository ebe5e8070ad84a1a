#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"

/*
 * The IANA special-purpose registries, row by row, as text: nothing here is taken
 * from address.c. The longest prefix decides.
 */
static const struct row {
	const char *prefix;
	unsigned bits;
	bool publishable;
} rows[] = {
	{ "0.0.0.0", 0, true },
	{ "0.0.0.0", 8, false },
	{ "10.0.0.0", 8, false },
	{ "100.64.0.0", 10, false },
	{ "127.0.0.0", 8, false },
	{ "169.254.0.0", 16, false },
	{ "172.16.0.0", 12, false },
	{ "192.0.0.0", 24, false },
	{ "192.0.0.9", 32, true },
	{ "192.0.0.10", 32, true },
	{ "192.0.2.0", 24, false },
	{ "192.31.196.0", 24, true },
	{ "192.52.193.0", 24, true },
	{ "192.88.99.0", 24, false },
	{ "192.168.0.0", 16, false },
	{ "192.175.48.0", 24, true },
	{ "198.18.0.0", 15, false },
	{ "198.51.100.0", 24, false },
	{ "203.0.113.0", 24, false },
	{ "224.0.0.0", 4, false },
	{ "240.0.0.0", 4, false },
	{ "255.255.255.255", 32, false },
	{ "::", 0, false },
	{ "2000::", 3, true },
	{ "::1", 128, false },
	{ "::", 128, false },
	{ "::", 96, false },
	{ "::ffff:0:0", 96, false },
	{ "64:ff9b::", 96, false },
	{ "64:ff9b:1::", 48, false },
	{ "100::", 64, false },
	{ "100:0:0:1::", 64, false },
	{ "2001::", 23, false },
	{ "2001:1::1", 128, true },
	{ "2001:1::2", 128, true },
	{ "2001:1::3", 128, true },
	{ "2001:3::", 32, true },
	{ "2001:4:112::", 48, true },
	{ "2001:20::", 28, true },
	{ "2001:30::", 28, true },
	{ "2001:db8::", 32, false },
	{ "2002::", 16, false },
	{ "2620:4f:8000::", 48, true },
	{ "3fff::", 20, false },
	{ "5f00::", 16, false },
	{ "fc00::", 7, false },
	{ "fe80::", 10, false },
	{ "fec0::", 10, false },
	{ "ff00::", 8, false },
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* The edges that the facts name one by one, and the exceptions next to what they are cut from. */
static const struct {
	const char *text;
	bool publishable;
} edges[] = {
	{ "9.255.255.255", true },    { "11.0.0.0", true },
	{ "100.63.255.255", true },   { "100.128.0.0", true },
	{ "172.15.255.255", true },   { "172.32.0.0", true },
	{ "192.0.1.0", true },        { "198.17.255.255", true },
	{ "198.20.0.0", true },       { "223.255.255.255", true },
	{ "2001:200::", true },       { "3fff:1000::", true },
	{ "192.0.0.8", false },       { "192.0.0.9", true },
	{ "192.0.0.10", true },       { "192.0.0.11", false },
	{ "192.0.0.255", false },     { "239.255.255.255", false },
	{ "255.255.255.254", false }, { "255.255.255.255", false },
	{ "2001:1::", false },        { "2001:1::1", true },
	{ "2001:1::2", true },        { "2001:1::3", true },
	{ "2001:1::4", false },       { "2001:1:0:1::1", false },
	{ "2001::1", false },         { "2001:2:ffff::", false },
	{ "2001:3::", true },         { "2001:4:111:ffff::", false },
	{ "2001:4:112::", true },     { "2001:4:113::", false },
	{ "2001:1f:ffff::", false },  { "2001:20::", true },
	{ "2001:2f:ffff::", true },   { "2001:30::", true },
	{ "2001:3f:ffff::", true },   { "2001:40::", false },
	{ "2001:1ff:ffff::", false }, { "1fff:ffff::", false },
	{ "2000::", true },           { "3ffe:ffff::", true },
	{ "3fff:fff:ffff::", false }, { "4000::", false },
	{ "::ffff:8.8.8.8", false },  { "64:ff9b::8.8.8.8", false },
	{ "64:ff9b:1::1", false },    { "fec0::1", false },
	{ "ff02::1", false },         { "2620:4f:8000::1", true },
	{ "8.8.8.8", true },          { "2606:4700:4700::1111", true },
};
#define EDGES ((int)(sizeof(edges) / sizeof(edges[0])))

typedef unsigned __int128 number;

static enum address_family
family_of(const char *text)
{
	return strchr(text, ':') != NULL ? ADDRESS_IPV6 : ADDRESS_IPV4;
}

static unsigned
width_of(enum address_family family)
{
	return family == ADDRESS_IPV6 ? 128 : 32;
}

static number
number_of(const struct address *a)
{
	number n = 0;

	for (unsigned i = 0; i < width_of(a->family) / 8; i++)
		n = n << 8 | a->bytes[i];
	return n;
}

static struct address
address_of(enum address_family family, number n)
{
	struct address a = { .family = family };

	for (unsigned i = width_of(family) / 8; i > 0; i--, n >>= 8)
		a.bytes[i - 1] = (uint8_t)n;
	return a;
}

/* Reads with inet_pton() alone, so that the table does not depend on address_parse(). */
static struct address
literal(const char *text)
{
	struct address a = { .family = family_of(text) };
	int af = a.family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;

	ck_assert_int_eq(inet_pton(af, text, a.bytes), 1);
	return a;
}

static number
host_mask(enum address_family family, unsigned bits)
{
	unsigned rest = width_of(family) - bits;

	return rest == 128 ? ~(number)0 : ((number)1 << rest) - 1;
}

static bool
expected(const struct address *a)
{
	const struct row *best = NULL;

	for (const struct row *r = rows; r < rows + ROWS; r++) {
		struct address prefix = literal(r->prefix);

		if (prefix.family == a->family &&
		    (number_of(a) & ~host_mask(a->family, r->bits)) == number_of(&prefix) &&
		    (best == NULL || r->bits > best->bits))
			best = r;
	}
	ck_assert_ptr_nonnull(best);
	return best->publishable;
}

static void
check_verdict(const struct address *a, bool publishable)
{
	const char *refusal = address_refusal(a);
	char text[ADDRESS_TEXT_MAX];

	ck_assert_msg((refusal == NULL) == publishable, "%s should be %s, but: %s",
		      address_format(a, text, sizeof(text)), publishable ? "published" : "refused",
		      refusal != NULL ? refusal : "(not refused)");
	if (refusal != NULL)
		ck_assert_msg(strncmp(refusal, "is ", 3) == 0 ||
				      strncmp(refusal, "means ", 6) == 0 ||
				      strncmp(refusal, "belonged ", 9) == 0,
			      "does not follow an address in a sentence: %s", refusal);
}

START_TEST(judges_both_ends_and_neighbours_of_each_range)
{
	const struct row *r = &rows[_i];
	struct address a = literal(r->prefix);
	number first = number_of(&a), last = first | host_mask(a.family, r->bits);
	number top = host_mask(a.family, 0);
	number points[] = { first, last, first + (last - first) / 2, first != 0 ? first - 1 : first,
			    last != top ? last + 1 : last };

	/* the table must be well formed, or the test proves nothing */
	ck_assert(first == (first & ~host_mask(a.family, r->bits)));
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct address at = address_of(a.family, points[i]);

		check_verdict(&at, expected(&at));
	}
}
END_TEST

START_TEST(judges_the_named_edges)
{
	struct address a = literal(edges[_i].text);

	check_verdict(&a, edges[_i].publishable);
}
END_TEST

START_TEST(judges_random_addresses_as_the_table_does)
{
	srandom((unsigned)_i + 1);
	for (int n = 0; n < 2000; n++) {
		const struct row *r = &rows[random() % ROWS];
		struct address a = literal(r->prefix);

		/* anywhere, or somewhere near a range */
		for (unsigned i = random() % 2 != 0 ? 0 : r->bits / 8; i < width_of(a.family) / 8;
		     i++)
			a.bytes[i] = (uint8_t)random();
		check_verdict(&a, expected(&a));
	}
}
END_TEST

START_TEST(names_the_reason)
{
	static const struct {
		const char *text, *phrase;
	} reasons[] = {
		{ "10.0.0.1", "is private (10.0.0.0/8)" },
		{ "100.64.0.1", "is a carrier's shared address (100.64.0.0/10)" },
		{ "192.0.0.11", "is reserved for protocols (192.0.0.0/24)" },
		{ "255.255.255.255", "is the broadcast address" },
		{ "::", "is the unspecified address (::)" },
		{ "::1", "is the loopback address (::1)" },
		{ "::2", "is an IPv4-compatible address (::/96)" },
		{ "::ffff:1.1.1.1", "is an IPv4-mapped address (::ffff:0:0/96)" },
		{ "4000::", "is not a global unicast address (2000::/3)" },
	};
	struct address none = { .family = ADDRESS_NONE };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct address a = literal(reasons[i].text);

		ck_assert_str_eq(address_refusal(&a), reasons[i].phrase);
	}
	ck_assert_str_eq(address_refusal(&none), "is no address");
}
END_TEST

static const char *const not_addresses[] = {
	"",
	" ",
	"1.2.3",
	"1.2.3.4.5",
	"1.2.3.4.",
	".1.2.3.4",
	"1..2.3",
	"01.2.3.4",
	"1.2.3.04",
	"001.002.003.004",
	"1.2.3.00",
	"1.2.3.256",
	"1.2.3.-4",
	"1.2.3.+4",
	"1.2.3.4 ",
	" 1.2.3.4",
	"1.2.3.4\n",
	"1.2.3.4/24",
	"1.2.3.4:80",
	"0x1.2.3.4",
	"1.2.3.a",
	"16909060",
	"1,2,3,4",
	"1.2.3.4,5.6.7.8",
	"1.2.3.4 5.6.7.8",
	"localhost",
	"error",
	"<html>",
	":",
	":::",
	"1::2::3",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7:8::",
	"::1:2:3:4:5:6:7:8",
	"2001:db8::12345",
	"2001:db8::00001",
	"2001:db8::g",
	":2001:db8::1",
	"2001:db8::1:",
	"[2001:db8::1]",
	"2001:db8::1/64",
	"2001:db8::1 ",
	" 2001:db8::1",
	"fe80::1%lo",
	"fe80::1%1",
	"fe80::1%",
	"::ffff:1.2.3",
	"::ffff:01.2.3.4",
	"::ffff:1.2.3.4.5",
	"::1.2.3.4:5",
	"\xEF\xBC\x91.2.3.4", /* a full-width digit */
	"\xEF\xBB\xBF::1",    /* a byte order mark */
	"0000:0000:0000:0000:0000:0000:255.255.255.255x",
	"00000000000000000000000000000000000000001.2.3.4",
	"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
};

START_TEST(refuses_what_is_no_address)
{
	struct address a = { .family = ADDRESS_IPV4, .bytes = { 9 } };
	static const struct address none = { .family = ADDRESS_NONE };
	const char *text = not_addresses[_i];

	ck_assert_msg(!address_parse_text(text, &a), "taken for an address: \"%s\"", text);
	ck_assert(address_equal(&a, &none));
}
END_TEST

START_TEST(reads_exactly_the_given_bytes)
{
	static const char nul_inside[] = "1.2.3.4\0", nul_first[] = "\0001.2.3.4";
	struct address a, b = literal("1.2.3.4");
	char *exact = malloc(7); /* so that a read behind the end is found */
	char *huge = malloc(1 << 20);

	memcpy(exact, "1.2.3.4", 7);
	ck_assert(address_parse(exact, 7, &a));
	ck_assert(address_equal(&a, &b));
	ck_assert(address_parse("1.2.3.45", 7, &a));
	ck_assert(address_equal(&a, &b));
	ck_assert(!address_parse(nul_inside, 8, &a));
	ck_assert(!address_parse(nul_first, 8, &a));
	ck_assert(!address_parse("::1\0::1", 7, &a));
	memset(huge, '1', 1 << 20);
	ck_assert(!address_parse(huge, 1 << 20, &a));
	free(exact);
	free(huge);
}
END_TEST

START_TEST(reads_the_longest_text)
{
	static const char longest[] = "0000:0000:0000:0000:0000:0000:255.255.255.255";
	struct address a;

	ck_assert_uint_eq(strlen(longest), ADDRESS_TEXT_MAX - 1);
	ck_assert(address_parse_text(longest, &a));
	ck_assert_int_eq(a.family, ADDRESS_IPV6);
}
END_TEST

/* A mapped address is an address, but never one to publish. */
START_TEST(reads_and_refuses_mapped_addresses)
{
	static const char *const texts[] = { "::ffff:8.8.8.8", "::FFFF:808:808",
					     "0:0:0:0:0:ffff:8.8.8.8" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address a;

		ck_assert(address_parse_text(texts[i], &a));
		ck_assert_int_eq(a.family, ADDRESS_IPV6);
		ck_assert_ptr_nonnull(address_refusal(&a));
	}
}
END_TEST

/* The examples of RFC 5952, sections 2 and 4. */
START_TEST(writes_rfc_5952_text)
{
	static const struct {
		const char *in, *out;
	} forms[] = {
		{ "2001:0db8::0001", "2001:db8::1" },
		{ "2001:db8:0:0:0:0:2:1", "2001:db8::2:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA",
		  "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa" },
		{ "2001:db8:0:0:0:0:0:0", "2001:db8::" },
		{ "0:0:0:0:0:0:0:1", "::1" },
		{ "0:0:0:0:0:0:0:0", "::" },
		{ "::ffff:c000:201", "::ffff:192.0.2.1" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "0.0.0.0", "0.0.0.0" },
	};
	char text[ADDRESS_TEXT_MAX];
	struct address a;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		ck_assert_msg(address_parse_text(forms[i].in, &a), "%s", forms[i].in);
		ck_assert_ptr_eq(address_format(&a, text, sizeof(text)), text);
		ck_assert_str_eq(text, forms[i].out);
	}
	a = (struct address){ .family = ADDRESS_NONE };
	ck_assert_str_eq(address_format(&a, text, sizeof(text)), "");
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	char text[ADDRESS_TEXT_MAX], again[ADDRESS_TEXT_MAX];

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 5000; n++) {
		struct address a = { .family = random() % 2 != 0 ? ADDRESS_IPV6 : ADDRESS_IPV4 }, b;

		/* zeros are what makes the short forms */
		for (unsigned i = 0; i < width_of(a.family) / 8; i++)
			a.bytes[i] = random() % 3 != 0 ? 0 : (uint8_t)random();
		address_format(&a, text, sizeof(text));
		ck_assert_msg(address_parse_text(text, &b), "%s", text);
		ck_assert_msg(address_equal(&a, &b), "%s", text);
		ck_assert_str_eq(address_format(&b, again, sizeof(again)), text);
	}
}
END_TEST

START_TEST(tells_families_apart)
{
	struct address v4 = literal("1.2.3.4"), v6 = literal("102:304::");
	struct address other = literal("1.2.3.5");

	ck_assert(memcmp(v4.bytes, v6.bytes, 16) == 0);
	ck_assert(!address_equal(&v4, &v6));
	ck_assert(!address_equal(&v4, &other));
	ck_assert(address_equal(&v4, &v4));
	for (int f = 0; f < ADDRESS_FAMILY__MAX; f++)
		ck_assert_int_eq(address_family_of(address_family_name((enum address_family)f)), f);
	ck_assert_str_eq(address_family_name(ADDRESS_FAMILY__MAX), "invalid");
	ck_assert_int_eq(address_family_of("IPv4"), ADDRESS_NONE);
	ck_assert_int_eq(address_family_of(""), ADDRESS_NONE);
	ck_assert_str_eq(address_record_type(ADDRESS_IPV4), "A");
	ck_assert_str_eq(address_record_type(ADDRESS_IPV6), "AAAA");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("address");
	TCase *tc = tcase_create("address");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, judges_both_ends_and_neighbours_of_each_range, 0, ROWS);
	tcase_add_loop_test(tc, judges_the_named_edges, 0, EDGES);
	tcase_add_loop_test(tc, judges_random_addresses_as_the_table_does, 0, 5);
	tcase_add_test(tc, names_the_reason);
	tcase_add_loop_test(tc, refuses_what_is_no_address, 0,
			    (int)(sizeof(not_addresses) / sizeof(not_addresses[0])));
	tcase_add_test(tc, reads_exactly_the_given_bytes);
	tcase_add_test(tc, reads_the_longest_text);
	tcase_add_test(tc, reads_and_refuses_mapped_addresses);
	tcase_add_test(tc, writes_rfc_5952_text);
	tcase_add_loop_test(tc, reads_what_it_wrote, 0, 5);
	tcase_add_test(tc, tells_families_apart);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
