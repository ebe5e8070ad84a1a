/* Addresses, and which of them may be published. */
#include <arpa/inet.h>
#include <ctype.h>

#include "common/address.h"
#include "tests/fuzz.h"

/* What inet_pton(3) says about it: nothing is an address here that is none there. */
static void
check_against_libc(const char *text, const struct address *a)
{
	uint8_t bytes[16] = { 0 };

	REQUIRE(inet_pton(a->family == ADDRESS_IPV4 ? AF_INET : AF_INET6, text, bytes) == 1);
	REQUIRE(memcmp(bytes, a->bytes, sizeof(bytes)) == 0);
}

static void
check_accepted(const char *input, size_t len, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX], own[ADDRESS_TEXT_MAX];
	const char *refusal = address_refusal(a);
	struct address again;

	REQUIRE(a->family == ADDRESS_IPV4 || a->family == ADDRESS_IPV6);
	REQUIRE(len > 0 && len < sizeof(own));
	memcpy(own, input, len);
	own[len] = '\0';
	check_against_libc(own, a);
	/* a scope, a port or white space would be a way around the refusals */
	REQUIRE(strpbrk(own, "%/[] \t\r\n") == NULL);
	REQUIRE(address_format(a, text, sizeof(text)) == text);
	REQUIRE(address_parse_text(text, &again) && address_equal(a, &again));
	REQUIRE(refusal == NULL || fuzz_is_phrase(refusal));
	if (a->family == ADDRESS_IPV6)
		REQUIRE(refusal != NULL || (a->bytes[0] & 0xE0) == 0x20);
	else
		REQUIRE(refusal != NULL || (a->bytes[0] != 10 && a->bytes[0] != 127 &&
					    a->bytes[0] != 0 && a->bytes[0] < 224));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct address a, again;

	if (address_parse(text, size, &a)) {
		char *longer = malloc(size + 1);

		REQUIRE(longer != NULL);
		check_accepted(text, size, &a);
		/* nothing may stand behind it but what makes it another address */
		memcpy(longer, text, size);
		for (const char *p = " \n\tg/%,"; *p != '\0'; p++) {
			longer[size] = *p;
			REQUIRE(!address_parse(longer, size + 1, &again));
		}
		longer[size] = '\0';
		REQUIRE(!address_parse(longer, size + 1, &again));
		REQUIRE(address_parse_text(longer, &again) && address_equal(&a, &again));
		free(longer);
	}
	return 0;
}
