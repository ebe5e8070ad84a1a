/* The texts that stand as values in a configuration: pure, strict readers. */
#ifndef SUPERVISOR_CONFIG_VALUE_H
#define SUPERVISOR_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_HOST_MAX 254 /* with NUL */
#define CONFIG_URL_MAX 512  /* with NUL */

/*
 * A whole number with ms, s, min or h behind it; without a unit it is
 * seconds. False if it is anything else or longer than a hundred years.
 */
bool config_duration_parse(const char *text, int64_t *ms);
/* In the largest unit that divides it: "500ms", "90s", "5min". size at least 24. Returns out. */
const char *config_duration_text(int64_t ms, char *out, size_t size);
/* Digits only, at most 15, from min to max. */
bool config_number_parse(const char *text, int64_t min, int64_t max, int64_t *out);

/* NULL if text can be a zone of the DNS, else what is wrong with it, as a phrase. */
const char *config_zone_refusal(const char *text);
/* The same for a name within a zone: "@", "home", "*.lab", "_dmarc". */
const char *config_name_refusal(const char *text);
/* Does text, case aside, equal the domain or end with it behind a dot? */
bool config_name_within(const char *text, const char *domain);

enum config_scheme {
	CONFIG_SCHEME_HTTPS,
	CONFIG_SCHEME_HTTP,
	CONFIG_SCHEME_STUN,
	CONFIG_SCHEME_STUN_TCP,
	CONFIG_SCHEME__MAX
};

struct config_url {
	enum config_scheme scheme;
	char host[CONFIG_HOST_MAX]; /* an IPv6 literal stands without its brackets */
	uint16_t port;              /* the scheme's own if the URL has none */
};

/*
 * Take an https://, http://, stun: or stun-tcp: URL apart. NULL, or what is
 * wrong with it as a phrase that follows the URL. No user, no fragment.
 */
const char *config_url_parse(const char *text, struct config_url *out);
/* localhost, 127.0.0.0/8 or ::1. */
bool config_host_is_loopback(const char *host);

/* ADDRESS:PORT or [ADDRESS]:PORT, port 1..65535; host as in config_url. */
bool config_listen_parse(const char *text, char host[CONFIG_HOST_MAX], uint16_t *port);

/* "TERM", "SIGTERM" or "15" -> 15; 0 if it is no signal. */
int config_signal_parse(const char *text);

/*
 * The one of n names that is most like text, if one is much like it, so that a
 * slip of the finger can be put right; else NULL. NULLs among them are skipped.
 */
const char *config_nearest(const char *text, const char *const *names, size_t n);

#endif
