/* Options of sockets. */
#ifndef COMMON_SOCKET_H
#define COMMON_SOCKET_H

/*
 * Before connecting: what is sent over this IPv6 socket comes from an address
 * of the host that stays, not from a temporary one (RFC 8981) that the kernel
 * may prefer. Without effect on other sockets and on old kernels.
 */
void socket_prefer_stable(int fd);

#endif
