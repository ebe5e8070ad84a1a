#include <check.h>
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

static void
expect(const struct stream *s, bool ipv4, bool ipv6)
{
	bool changed[ADDRESS_FAMILY__MAX] = { false };

	netwatch_read(s->bytes, s->len, changed);
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
	tcase_add_test(tc, stays_within_what_came);
	tcase_add_test(tc, opens_and_closes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
