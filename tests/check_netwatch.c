#include <check.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "detector/netwatch.h"

/* Messages as the kernel sends them, one behind the other. */
struct stream {
	struct nlmsghdr bytes[64];
	size_t len;
};

static void
add(struct stream *s, uint16_t type, const void *body, size_t len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)s->bytes + s->len);

	h->nlmsg_type = type;
	h->nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	memcpy(NLMSG_DATA(h), body, len);
	s->len += NLMSG_SPACE(len);
}

static void
add_address(struct stream *s, uint16_t type, unsigned char af, unsigned char scope)
{
	struct ifaddrmsg m = { .ifa_family = af, .ifa_scope = scope };

	add(s, type, &m, sizeof(m));
}

static void
add_route(struct stream *s, uint16_t type, unsigned char af, unsigned char bits,
	  unsigned char route_type)
{
	struct rtmsg m = { .rtm_family = af, .rtm_dst_len = bits, .rtm_type = route_type };

	add(s, type, &m, sizeof(m));
}

static struct netwatch_known known;

static void
expect(const struct stream *s, bool ipv4, bool ipv6)
{
	bool changed[ADDRESS_FAMILY__MAX] = { false };

	netwatch_read(&known, s->bytes, s->len, changed);
	ck_assert(!changed[ADDRESS_NONE]);
	ck_assert_int_eq(changed[ADDRESS_IPV4], ipv4);
	ck_assert_int_eq(changed[ADDRESS_IPV6], ipv6);
}

START_TEST(hears_of_global_addresses_and_default_routes)
{
	struct stream s = { .len = 0 };

	add_address(&s, RTM_NEWADDR, AF_INET, RT_SCOPE_UNIVERSE);
	expect(&s, true, false);
	s.len = 0;
	add_address(&s, RTM_DELADDR, AF_INET6, RT_SCOPE_UNIVERSE);
	expect(&s, false, true);
	s.len = 0;
	add_route(&s, RTM_NEWROUTE, AF_INET, 0, RTN_UNICAST);
	expect(&s, true, false);
	s.len = 0;
	add_route(&s, RTM_DELROUTE, AF_INET6, 0, RTN_UNICAST);
	expect(&s, false, true);
}
END_TEST

START_TEST(leaves_the_rest_alone)
{
	struct stream s = { .len = 0 };

	expect(&s, false, false);
	add_address(&s, RTM_NEWADDR, AF_INET, RT_SCOPE_HOST);
	add_address(&s, RTM_NEWADDR, AF_INET6, RT_SCOPE_LINK);
	add_address(&s, RTM_NEWADDR, AF_UNIX, RT_SCOPE_UNIVERSE);
	add_address(&s, RTM_NEWLINK, AF_INET, RT_SCOPE_UNIVERSE);
	add_route(&s, RTM_NEWROUTE, AF_INET, 24, RTN_UNICAST);
	add_route(&s, RTM_NEWROUTE, AF_INET, 0, RTN_UNREACHABLE);
	expect(&s, false, false);
	/* and finds what stands behind it */
	add_address(&s, RTM_NEWADDR, AF_INET6, RT_SCOPE_UNIVERSE);
	expect(&s, false, true);
}
END_TEST

/* One message of 2001:200::last on an interface; its lifetime is of no interest. */
static void
tell(uint16_t type, unsigned interface, uint8_t last, uint32_t flags, bool is_news)
{
	struct {
		struct ifaddrmsg m;
		struct rtattr address_head;
		uint8_t address[16];
		struct rtattr flags_head;
		uint32_t flags;
	} body = {
		.m = { .ifa_family = AF_INET6, .ifa_index = interface },
		.address_head = { .rta_len = RTA_LENGTH(16), .rta_type = IFA_ADDRESS },
		.address = { 0x20, 0x01, 0x02, [15] = last },
		.flags_head = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_FLAGS },
		.flags = flags,
	};
	struct stream s = { .len = 0 };

	add(&s, type, &body, sizeof(body));
	expect(&s, false, is_news);
}

START_TEST(a_renewed_lifetime_is_no_news)
{
	tell(RTM_NEWADDR, 2, 1, IFA_F_TENTATIVE, true);
	tell(RTM_NEWADDR, 2, 1, 0, true); /* usable from now on */
	tell(RTM_NEWADDR, 2, 1, 0, false);
	tell(RTM_NEWADDR, 2, 1, 0, false);
	tell(RTM_NEWADDR, 3, 1, 0, true);
	tell(RTM_NEWADDR, 2, 2, 0, true);
	tell(RTM_NEWADDR, 2, 1, 0, false);
	tell(RTM_NEWADDR, 2, 1, IFA_F_DEPRECATED, true);
	tell(RTM_DELADDR, 2, 1, IFA_F_DEPRECATED, true);
	tell(RTM_DELADDR, 2, 1, IFA_F_DEPRECATED, true);
	tell(RTM_NEWADDR, 2, 1, 0, true);
	tell(RTM_NEWADDR, 2, 2, 0, false);
}
END_TEST

/* More than can be remembered are news each time. */
START_TEST(remembers_a_bounded_number)
{
	for (unsigned n = 0; n < NETWATCH_KNOWN_MAX; n++)
		tell(RTM_NEWADDR, 2, (uint8_t)n, 0, true);
	for (unsigned n = 0; n < NETWATCH_KNOWN_MAX; n++)
		tell(RTM_NEWADDR, 2, (uint8_t)n, 0, false);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned n = 0; n < 2 * NETWATCH_KNOWN_MAX; n++)
			tell(RTM_NEWADDR, 3, (uint8_t)n, 0, true);
}
END_TEST

START_TEST(stays_within_what_came)
{
	struct stream s = { .len = 0 };

	add_address(&s, RTM_NEWADDR, AF_INET, RT_SCOPE_UNIVERSE);
	s.len--;
	expect(&s, false, false);
	s.len++;
	s.bytes[0].nlmsg_len = sizeof(struct nlmsghdr);
	s.len = sizeof(struct nlmsghdr);
	expect(&s, false, false);
	s.bytes[0].nlmsg_len = 3;
	expect(&s, false, false);
	s.bytes[0].nlmsg_len = UINT32_MAX;
	expect(&s, false, false);
}
END_TEST

/* An attribute whose padding would be beyond the end, and one that is longer than the message. */
START_TEST(stays_within_the_attributes)
{
	static const uint16_t lengths[] = { 0, 3, 5, 8, 9, 0xffff };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct {
			struct ifaddrmsg m;
			struct rtattr head;
			uint8_t value;
		} body = {
			.m = { .ifa_family = AF_INET6 },
			.head = { .rta_len = lengths[i], .rta_type = IFA_ADDRESS },
		};
		struct nlmsghdr *exact = calloc(1, NLMSG_LENGTH(8 + 5));
		bool changed[ADDRESS_FAMILY__MAX] = { false };

		exact->nlmsg_type = RTM_NEWADDR;
		exact->nlmsg_len = NLMSG_LENGTH(8 + 5);
		memcpy(NLMSG_DATA(exact), &body, 8 + 5);
		netwatch_read(&known, exact, exact->nlmsg_len, changed);
		ck_assert(changed[ADDRESS_IPV6]); /* an address that cannot be read is news */
		ck_assert_uint_eq(known.n, 0);
		free(exact);
	}
}
END_TEST

START_TEST(opens_and_closes)
{
	static struct pollset set;
	bool changed[ADDRESS_FAMILY__MAX] = { false };
	struct netwatch *w = netwatch_open();

	ck_assert_ptr_nonnull(w);
	pollset_reset(&set);
	netwatch_prepare(w, &set);
	ck_assert_uint_eq(set.n, 1);
	netwatch_dispatch(w, &set, changed);
	netwatch_close(w);
	pollset_reset(&set);
	netwatch_prepare(NULL, &set);
	netwatch_dispatch(NULL, &set, changed);
	ck_assert_uint_eq(set.n, 0);
	netwatch_close(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("netwatch");
	TCase *tc = tcase_create("netwatch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, hears_of_global_addresses_and_default_routes);
	tcase_add_test(tc, leaves_the_rest_alone);
	tcase_add_test(tc, a_renewed_lifetime_is_no_news);
	tcase_add_test(tc, remembers_a_bounded_number);
	tcase_add_test(tc, stays_within_what_came);
	tcase_add_test(tc, stays_within_the_attributes);
	tcase_add_test(tc, opens_and_closes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
