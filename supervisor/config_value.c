#include "supervisor/config_value.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/address.h"
#include "common/mem.h"

#define DIGITS_MAX 15 /* so that no number overflows, in the smallest unit either */
#define DURATION_MAX_MS (100LL * 366 * 24 * 3600 * 1000)
#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define DOMAIN_MAX 253

/* From the largest to the smallest, for config_duration_text(). */
static const struct {
	const char *name;
	int64_t ms;
} units[] = { { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 } };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The digits at the start; how many there are, 0 if that is none or too many. */
static size_t
take_digits(const char *text, int64_t *out)
{
	size_t n = 0;

	*out = 0;
	for (; is_digit(text[n]); n++) {
		if (n == DIGITS_MAX)
			return 0;
		*out = *out * 10 + (text[n] - '0');
	}
	return n;
}

bool
config_duration_parse(const char *text, int64_t *ms)
{
	int64_t number, factor = 0;
	size_t n = take_digits(text, &number);

	if (n == 0)
		return false;
	if (text[n] == '\0')
		factor = 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + n, units[i].name) == 0)
			factor = units[i].ms;
	}
	if (factor == 0 || number > DURATION_MAX_MS / factor)
		return false;
	*ms = number * factor;
	return true;
}

const char *
config_duration_text(int64_t ms, char *out, size_t size)
{
	size_t i = 0;

	if (ms == 0) {
		snprintf(out, size, "0s");
		return out;
	}
	while (ms % units[i].ms != 0)
		i++;
	snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
	return out;
}

bool
config_number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
	int64_t number;
	size_t n = take_digits(text, &number);

	if (n == 0 || text[n] != '\0' || number < min || number > max)
		return false;
	*out = number;
	return true;
}

static const char *
label_refusal(const char *label, size_t len, bool underscore)
{
	if (len == 0)
		return "has an empty label (two dots in a row, or one at an end)";
	if (len > LABEL_MAX)
		return "has a label of more than 63 characters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "has a label that starts or ends with a hyphen";
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)label[i] >= 0x80)
			return "holds characters beyond ASCII; write it in its xn-- form";
		if (label[i] == '_' && !underscore)
			return "holds an underscore, which cannot stand there";
		if (!is_alnum(label[i]) && label[i] != '-' && label[i] != '_')
			return "holds a character that cannot stand in a domain name";
	}
	return NULL;
}

static const char *
labels_refusal(const char *text, bool underscore)
{
	const char *label = text, *why;

	if (strlen(text) > DOMAIN_MAX)
		return "is longer than 253 characters";
	for (;;) {
		size_t len = strcspn(label, ".");

		why = label_refusal(label, len, underscore);
		if (why != NULL)
			return why;
		if (label[len] == '\0')
			return NULL;
		label += len + 1;
	}
}

/* A domain whose last label is a number would be an address, or nothing at all. */
static bool
ends_in_number(const char *text)
{
	const char *dot = strrchr(text, '.');
	const char *last = dot != NULL ? dot + 1 : text;

	return *last != '\0' && strspn(last, "0123456789") == strlen(last);
}

const char *
config_zone_refusal(const char *text)
{
	size_t len = strlen(text);
	struct address a;

	if (len == 0)
		return "is empty";
	if (address_parse_text(text, &a))
		return "is an address; write the domain, such as example.com";
	if (text[0] == '*' || text[0] == '@')
		return "is no zone; write the domain, and what is in front of it as the name";
	if (text[len - 1] == '.')
		return "ends with a dot; write it without";
	if (strchr(text, '.') == NULL)
		return "has no dot; write the whole domain, such as example.com";
	if (ends_in_number(text))
		return "ends with a number, which no domain does";
	return labels_refusal(text, false);
}

const char *
config_name_refusal(const char *text)
{
	if (strcmp(text, "@") == 0 || strcmp(text, "*") == 0)
		return NULL;
	if (text[0] == '\0')
		return "is empty; write \"@\" for the zone itself";
	if (text[strlen(text) - 1] == '.')
		return "ends with a dot; write it without, relative to the zone";
	/* an asterisk stands alone in the first label (RFC 4592 section 2.1.1) */
	return labels_refusal(strncmp(text, "*.", 2) == 0 ? text + 2 : text, true);
}

bool
config_name_within(const char *text, const char *domain)
{
	size_t len = strlen(text), dlen = strlen(domain);

	if (len < dlen || strcasecmp(text + len - dlen, domain) != 0)
		return false;
	return len == dlen || text[len - dlen - 1] == '.';
}

static const struct {
	const char *prefix;
	uint16_t port;
} schemes[CONFIG_SCHEME__MAX] = {
	[CONFIG_SCHEME_HTTPS] = { "https://", 443 },
	[CONFIG_SCHEME_HTTP] = { "http://", 80 },
	[CONFIG_SCHEME_STUN] = { "stun:", 3478 },
	[CONFIG_SCHEME_STUN_TCP] = { "stun-tcp:", 3478 },
};

/* host, [host], host:port or [host]:port; *port stays as it is if there is none. */
static const char *
split_authority(const char *text, size_t len, char host[CONFIG_HOST_MAX], uint16_t *port)
{
	bool brackets = len > 0 && text[0] == '[';
	const char *end = brackets ? memchr(text, ']', len) : memchr(text, ':', len);
	size_t skip = brackets ? 1 : 0, hlen, used;
	char digits[8];
	int64_t number;

	if (brackets && end == NULL)
		return "has a bracket that is not closed";
	hlen = end != NULL ? (size_t)(end - text) - skip : len;
	if (hlen == 0)
		return "has no host";
	if (hlen >= CONFIG_HOST_MAX)
		return "has a host of more than 253 characters";
	memcpy(host, text + skip, hlen);
	host[hlen] = '\0';
	used = hlen + 2 * skip;
	if (used == len)
		return NULL;
	if (text[used] != ':')
		return "has something behind the closing bracket";
	if (memchr(text + used + 1, ':', len - used - 1) != NULL)
		return "has an IPv6 address without brackets around it";
	if (len - used - 1 >= sizeof(digits))
		return "has a port that is not from 1 to 65535";
	memcpy(digits, text + used + 1, len - used - 1);
	digits[len - used - 1] = '\0';
	if (!config_number_parse(digits, 1, UINT16_MAX, &number))
		return "has a port that is not from 1 to 65535";
	*port = (uint16_t)number;
	return NULL;
}

static const char *
host_refusal(const char *host, bool brackets)
{
	struct address a;

	if (address_parse_text(host, &a)) {
		if (brackets == (a.family == ADDRESS_IPV6))
			return NULL;
		return brackets ? "has brackets around a host that is no IPv6 address"
				: "has an IPv6 address without brackets around it";
	}
	if (brackets)
		return "has brackets around a host that is no IPv6 address";
	if (ends_in_number(host))
		return "has a host that is neither a name nor an address";
	return labels_refusal(host, true) != NULL
		       ? "has a host that is neither a name nor an address"
		       : NULL;
}

static const char *
characters_refusal(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p) != NULL)
			return "holds a character that cannot stand in a URL";
	}
	return strchr(text, '#') != NULL ? "has a fragment (#...), which is never sent" : NULL;
}

static const char *
http_refusal(const char *rest, struct config_url *out)
{
	size_t len = strcspn(rest, "/?");
	const char *why;

	if (memchr(rest, '@', len) != NULL)
		return "names a user; credentials do not belong into a URL";
	why = split_authority(rest, len, out->host, &out->port);
	return why != NULL ? why : host_refusal(out->host, rest[0] == '[');
}

static const char *
stun_refusal(const char *rest, struct config_url *out)
{
	const char *why;

	/* RFC 7064: a STUN URI has no authority, path or query */
	if (strncmp(rest, "//", 2) == 0)
		return "has slashes, which a STUN URL has not; write stun:HOST:PORT";
	if (strpbrk(rest, "/?@") != NULL)
		return "has more than a host and a port; write stun:HOST:PORT";
	why = split_authority(rest, strlen(rest), out->host, &out->port);
	return why != NULL ? why : host_refusal(out->host, rest[0] == '[');
}

const char *
config_url_parse(const char *text, struct config_url *out)
{
	struct config_url url = { .scheme = CONFIG_SCHEME__MAX };
	const char *why = NULL, *rest = NULL;

	if (strlen(text) >= CONFIG_URL_MAX)
		return "is longer than 511 characters";
	why = characters_refusal(text);
	if (why != NULL)
		return why;
	for (unsigned i = 0; i < CONFIG_SCHEME__MAX; i++) {
		if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
			url.scheme = (enum config_scheme)i;
			url.port = schemes[i].port;
			rest = text + strlen(schemes[i].prefix);
		}
	}
	if (rest == NULL)
		return "starts with none of https://, http://, stun: and stun-tcp:";
	if (url.scheme == CONFIG_SCHEME_HTTPS || url.scheme == CONFIG_SCHEME_HTTP)
		why = http_refusal(rest, &url);
	else
		why = stun_refusal(rest, &url);
	if (why == NULL)
		*out = url;
	return why;
}

bool
config_host_is_loopback(const char *host)
{
	static const uint8_t one[16] = { [15] = 1 };
	struct address a;

	if (!address_parse_text(host, &a))
		return strcasecmp(host, "localhost") == 0;
	if (a.family == ADDRESS_IPV4)
		return a.bytes[0] == 127;
	return memcmp(a.bytes, one, sizeof(one)) == 0;
}

bool
config_listen_parse(const char *text, char host[CONFIG_HOST_MAX], uint16_t *port)
{
	struct address a;

	*port = 0;
	if (split_authority(text, strlen(text), host, port) != NULL || *port == 0)
		return false;
	if (!address_parse_text(host, &a))
		return false;
	return (text[0] == '[') == (a.family == ADDRESS_IPV6);
}

int
config_signal_parse(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{ "HUP", SIGHUP },     { "INT", SIGINT },       { "QUIT", SIGQUIT },
		{ "ILL", SIGILL },     { "TRAP", SIGTRAP },     { "ABRT", SIGABRT },
		{ "BUS", SIGBUS },     { "FPE", SIGFPE },       { "KILL", SIGKILL },
		{ "USR1", SIGUSR1 },   { "SEGV", SIGSEGV },     { "USR2", SIGUSR2 },
		{ "PIPE", SIGPIPE },   { "ALRM", SIGALRM },     { "TERM", SIGTERM },
		{ "CHLD", SIGCHLD },   { "CONT", SIGCONT },     { "STOP", SIGSTOP },
		{ "TSTP", SIGTSTP },   { "TTIN", SIGTTIN },     { "TTOU", SIGTTOU },
		{ "URG", SIGURG },     { "XCPU", SIGXCPU },     { "XFSZ", SIGXFSZ },
		{ "WINCH", SIGWINCH }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },
		{ "IO", SIGIO },       { "PWR", SIGPWR },       { "SYS", SIGSYS },
	};
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int64_t number;

	if (config_number_parse(text, 1, 63, &number))
		return (int)number;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (strcmp(name, signals[i].name) == 0)
			return signals[i].number;
	}
	return 0;
}

#define NEAR_LEN_MAX 40

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, case aside; both at most NEAR_LEN_MAX long. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NEAR_LEN_MAX + 1], blen = strlen(b);

	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t differs = strncasecmp(&a[i - 1], &b[j - 1], 1) != 0;
			size_t best = smaller(smaller(row[j], row[j - 1]) + 1, diagonal + differs);

			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[blen];
}

const char *
config_nearest(const char *text, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	size_t len = strlen(text), best = len / 3 < 2 ? len / 3 + 1 : 3;

	if (len > NEAR_LEN_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (names[i] != NULL && strlen(names[i]) <= NEAR_LEN_MAX) {
			size_t d = distance(text, names[i]);

			/* a different word of the same length is no slip */
			if (d < best && d < strlen(names[i])) {
				best = d;
				nearest = names[i];
			}
		}
	}
	return nearest;
}
