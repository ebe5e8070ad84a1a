#include "common/socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* RFC 5014, section 3; of <linux/in6.h>, which does not go with <netinet/in.h> everywhere. */
#ifndef IPV6_PREFER_SRC_PUBLIC
#define IPV6_PREFER_SRC_PUBLIC 0x0002
#endif

void
socket_prefer_stable(int fd)
{
	int preference = IPV6_PREFER_SRC_PUBLIC;

	/* only a preference: connecting does not fail because of it */
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &preference, sizeof(preference));
}
