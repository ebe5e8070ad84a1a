#include "ipc/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"

#define MAGIC "ESDDNS-PEER/1 "
#define MAC_BYTES 32
#define MAC_TEXT (2 * MAC_BYTES)
#define COUNTER_DIGITS_MAX 20

bool
peer_key_read(const char *path, struct peer_key *key, const char **why)
{
	static char sentence[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char bytes[PEER_KEY_MAX + 2];
	struct stat st;
	ssize_t n;

	*why = sentence;
	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(sentence, sizeof(sentence), "the peer key %.300s cannot be read: %s", path,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	n = S_ISREG(st.st_mode) ? read(fd, bytes, sizeof(bytes)) : 0;
	close(fd);
	while (n > 0 && strchr(" \t\r\n", bytes[n - 1]) != NULL && bytes[n - 1] != '\0')
		n--;
	if (n < PEER_KEY_MIN || n > PEER_KEY_MAX) {
		snprintf(sentence, sizeof(sentence),
			 "the peer key %.300s must be a file of %d to %d bytes", path, PEER_KEY_MIN,
			 PEER_KEY_MAX);
	} else {
		peer_key_clear(key);
		memcpy(key->bytes, bytes, (size_t)n);
		key->len = (size_t)n;
		*why = NULL;
	}
	explicit_bzero(bytes, sizeof(bytes));
	return *why == NULL;
}

void
peer_key_clear(struct peer_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

static void
mac_of(const struct peer_key *key, const char *text, size_t len, char out[MAC_TEXT + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (HMAC(EVP_sha256(), key->bytes, (int)key->len, (const unsigned char *)text, len, mac,
		 &n) == NULL ||
	    n != MAC_BYTES)
		abort(); /* out of memory */
	for (size_t i = 0; i < MAC_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

char *
peer_seal(const struct peer_key *key, const char *from, uint64_t counter, const char *json,
	  size_t *len)
{
	char *covered = mem_printf("%llu %s\n%s", (unsigned long long)counter, from, json);
	char mac[MAC_TEXT + 1], *sealed;

	mac_of(key, covered, strlen(covered), mac);
	sealed = mem_printf(MAGIC "%s %s", mac, covered);
	*len = strlen(sealed);
	free(covered);
	return sealed;
}

/* The counter and the sender of the line at text; what is behind it, or NULL. */
static const char *
read_line(const char *text, size_t len, uint64_t *counter, char from[MSG_HOLDER_MAX])
{
	const char *end = memchr(text, '\n', len), *blank = memchr(text, ' ', len);
	size_t digits, name;
	char number[COUNTER_DIGITS_MAX + 1];

	if (end == NULL || blank == NULL || blank > end)
		return NULL;
	digits = (size_t)(blank - text);
	name = (size_t)(end - blank) - 1;
	if (digits == 0 || digits > COUNTER_DIGITS_MAX || text[0] == '0' || name == 0 ||
	    name >= MSG_HOLDER_MAX)
		return NULL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (strspn(number, "0123456789") != digits)
		return NULL;
	errno = 0;
	*counter = strtoull(number, NULL, 10);
	if (errno != 0)
		return NULL;
	for (size_t i = 0; i < name; i++)
		if (blank[1 + i] <= ' ' || blank[1 + i] > '~')
			return NULL;
	memcpy(from, blank + 1, name);
	from[name] = '\0';
	return end + 1;
}

static bool
is_new(struct peer_guard *g, const char *from, uint64_t counter)
{
	size_t at = 0;

	for (size_t i = 0; i < PEER_SENDERS_MAX; i++) {
		if (strcmp(g->senders[i].from, from) == 0) {
			at = i;
			break;
		}
		if (g->senders[i].heard < g->senders[at].heard)
			at = i;
	}
	if (strcmp(g->senders[at].from, from) != 0)
		g->senders[at].counter = 0;
	else if (counter <= g->senders[at].counter)
		return false;
	memcpy(g->senders[at].from, from, strlen(from) + 1);
	g->senders[at].counter = counter;
	g->senders[at].heard = ++g->heard;
	return true;
}

bool
peer_open(struct peer_guard *guard, const struct peer_key *key, const char *text, size_t len,
	  const char **json, size_t *json_len, const char **reason)
{
	const size_t head = strlen(MAGIC), skip = head + MAC_TEXT + 1;
	char from[MSG_HOLDER_MAX], mac[MAC_TEXT + 1];
	uint64_t counter;

	*reason = "malformed";
	if (len <= skip || memcmp(text, MAGIC, head) != 0 || text[skip - 1] != ' ')
		return false;
	*reason = "unauthentic";
	mac_of(key, text + skip, len - skip, mac);
	if (key->len == 0 || CRYPTO_memcmp(mac, text + head, MAC_TEXT) != 0)
		return false;
	*reason = "malformed";
	*json = read_line(text + skip, len - skip, &counter, from);
	if (*json == NULL)
		return false;
	*json_len = len - (size_t)(*json - text);
	*reason = "replayed";
	if (!is_new(guard, from, counter))
		return false;
	*reason = NULL;
	return true;
}
