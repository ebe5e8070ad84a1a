/*
 * The bus: nng publish/subscribe over ipc:// sockets in the runtime directory, and
 * between pods over TCP. The only file that knows nng. A publisher sends its whole state when
 * bus_due() says so (a subscriber came, or 30 s passed) and at each change.
 *
 * nng starts threads: make a publisher or subscriber only after every signal
 * that the loop takes through its signalfd is blocked.
 */
#ifndef IPC_BUS_H
#define IPC_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pollset.h"

/* A message, and what seals one between pods. */
#define BUS_SIZE_MAX (8192 + 512)

struct bus_publisher;
struct bus_subscriber;

/*
 * Listen at DIR/NAME.sock; a socket left by a dead process is replaced. A lock
 * on DIR/NAME.lock, which stays there, tells a dead one from a living one.
 * NULL with *why (a sentence, valid until the next call) if that fails.
 */
struct bus_publisher *bus_publisher_new(const char *dir, const char *name, const char **why);
/*
 * Listen at a TCP address ("tcp://192.0.2.1:51340", "tcp://[::]:51340"), for at most
 * max subscribers: more are closed at once. NULL with *why as above. What is
 * published there is read by whoever connects: seal it (ipc/peer.h).
 */
struct bus_publisher *bus_publisher_new_tcp(const char *url, unsigned max, const char **why);
/* How many subscribers are connected. */
unsigned bus_subscribers(const struct bus_publisher *p);
/*
 * Lets the last messages out (50 ms at most), then ends all connections. Some memory and
 * descriptors of nng stay until the process ends. NULL is fine.
 */
void bus_publisher_free(struct bus_publisher *p);
/* Never blocks; a slow subscriber loses messages, and gets the state again later. */
void bus_publish(struct bus_publisher *p, const char *json);
/* The same for len bytes of anything, at most BUS_SIZE_MAX. */
void bus_publish_bytes(struct bus_publisher *p, const char *data, size_t len);
void bus_publisher_prepare(struct bus_publisher *p, struct pollset *set, int64_t now_ms);
/* True when the whole state is to be sent again; at most five times a second. */
bool bus_due(struct bus_publisher *p, const struct pollset *set, int64_t now_ms);

/* Dial DIR/NAME.sock, again and again until it is there. */
struct bus_subscriber *bus_subscriber_new(const char *dir, const char *name);
/* One that dials nothing until bus_subscriber_dial() says what: a TCP address. */
struct bus_subscriber *bus_subscriber_new_tcp(void);
/*
 * Leave what was dialled, and dial url: "tcp://192.0.2.1:51340", a literal address, since nng
 * would look up names in a thread; NULL: nothing.
 */
void bus_subscriber_dial(struct bus_subscriber *s, const char *url);
/* Ends the connection; what is said above of nng holds here, too. NULL is fine. */
void bus_subscriber_free(struct bus_subscriber *s);
void bus_subscriber_prepare(struct bus_subscriber *s, struct pollset *set, int64_t now_ms);
/*
 * The next message waiting, with a NUL behind it, or NULL; valid until the
 * next call. Messages larger than BUS_SIZE_MAX never arrive. Call it until it
 * returns NULL: that also ends a pass in which many came, and the descriptor
 * stays ready for the next one. bus_subscriber_prepare() begins a pass.
 */
const char *bus_receive(struct bus_subscriber *s, size_t *len);
/* Is the publisher's connection up? Known at once when it breaks. */
bool bus_connected(const struct bus_subscriber *s);
/* After 75 s of silence the connection is dialled anew; call once in a pass. */
void bus_subscriber_tick(struct bus_subscriber *s, int64_t now_ms);

#endif
