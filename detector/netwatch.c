#include "detector/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

/* Datagrams taken in one pass. */
#define READS_MAX 32

struct netwatch {
	int fd;
	struct netwatch_known known;
};

static enum address_family
family_of(int af)
{
	if (af == AF_INET)
		return ADDRESS_IPV4;
	return af == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_NONE;
}

/* The address itself and all of its flags; without one the address is ADDRESS_NONE. */
static struct netwatch_address
read_address(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	enum address_family family = family_of(m->ifa_family);
	size_t size = family == ADDRESS_IPV4 ? 4 : 16;
	struct netwatch_address a = { .interface = m->ifa_index, .flags = m->ifa_flags };
	int len = (int)IFA_PAYLOAD(h); /* RTA_NEXT() may take it below zero */

	for (const struct rtattr *r = IFA_RTA(m); RTA_OK(r, len); r = RTA_NEXT(r, len)) {
		if (r->rta_type == IFA_FLAGS && RTA_PAYLOAD(r) == sizeof(a.flags))
			memcpy(&a.flags, RTA_DATA(r), sizeof(a.flags));
		/* where both are there, IFA_ADDRESS is the other end's */
		if ((r->rta_type == IFA_LOCAL ||
		     (r->rta_type == IFA_ADDRESS && a.address.family == ADDRESS_NONE)) &&
		    RTA_PAYLOAD(r) == size) {
			a.address.family = family;
			memcpy(a.address.bytes, RTA_DATA(r), size);
		}
	}
	return a;
}

/* Is it known just so? Takes it in, or out. */
static bool
keep_known(struct netwatch_known *known, const struct netwatch_address *a, bool gone)
{
	size_t i = 0;
	bool same;

	while (i < known->n && (known->at[i].interface != a->interface ||
				!address_equal(&known->at[i].address, &a->address)))
		i++;
	same = i < known->n && known->at[i].flags == a->flags;
	if (gone) {
		if (i < known->n)
			known->at[i] = known->at[--known->n];
		return false;
	}
	if (i == NETWATCH_KNOWN_MAX)
		i = known->next++ % NETWATCH_KNOWN_MAX;
	else if (i == known->n)
		known->n++;
	known->at[i] = *a;
	return same;
}

static enum address_family
family_of_address(struct netwatch_known *known, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct netwatch_address a;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->ifa_scope != RT_SCOPE_UNIVERSE)
		return ADDRESS_NONE;
	a = read_address(h);
	if (a.address.family != ADDRESS_NONE && keep_known(known, &a, h->nlmsg_type == RTM_DELADDR))
		return ADDRESS_NONE;
	return family_of(m->ifa_family);
}

static enum address_family
family_of_route(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->rtm_dst_len != 0 ||
	    m->rtm_type != RTN_UNICAST)
		return ADDRESS_NONE;
	return family_of(m->rtm_family);
}

void
netwatch_read(struct netwatch_known *known, const void *data, size_t len,
	      bool changed[ADDRESS_FAMILY__MAX])
{
	const struct nlmsghdr *h = data;

	while (len >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= len) {
		size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
		enum address_family family = ADDRESS_NONE;

		if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR)
			family = family_of_address(known, h);
		else if (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
			family = family_of_route(h);
		if (family != ADDRESS_NONE)
			changed[family] = true;
		if (step >= len)
			break;
		len -= step;
		h = (const struct nlmsghdr *)((const char *)h + step);
	}
}

struct netwatch *
netwatch_open(void)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
					       RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct netwatch *w;

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		log_info("no news of the network from the kernel; changes are found by asking",
			 LOG_S("error", strerror(errno)));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	w = mem_new(1, sizeof(*w));
	w->fd = fd;
	return w;
}

void
netwatch_close(struct netwatch *w)
{
	if (!w)
		return;
	close(w->fd);
	free(w);
}

void
netwatch_prepare(const struct netwatch *w, struct pollset *set)
{
	if (w)
		pollset_add(set, w->fd, POLLIN);
}

void
netwatch_dispatch(struct netwatch *w, const struct pollset *set, bool changed[ADDRESS_FAMILY__MAX])
{
	struct nlmsghdr buffer[8192 / sizeof(struct nlmsghdr)];

	if (!w || !pollset_events(set, w->fd))
		return;
	for (unsigned n = 0; n < READS_MAX; n++) {
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(w->fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from,
				       &from_len);

		if (len < 0 && errno == ENOBUFS) {
			/* news were lost: it may have been anything */
			w->known.n = 0;
			changed[ADDRESS_IPV4] = changed[ADDRESS_IPV6] = true;
			continue;
		}
		if (len <= 0)
			return;
		/* only the kernel is believed; a datagram cut off by the buffer is read as far as
		 * it goes */
		if (from_len == sizeof(from) && from.nl_pid == 0)
			netwatch_read(&w->known, buffer, (size_t)len, changed);
	}
}
