/*
 * The texts that stand as values: durations, numbers, domains, URLs, addresses
 * to listen on, signals. Every reader gets every input.
 */
#include "common/address.h"
#include "supervisor/config_value.h"
#include "tests/fuzz.h"

#define HUNDRED_YEARS_MS (INT64_C(100) * 366 * 86400 * 1000)

static void
check_numbers(const char *text)
{
	char written[24];
	int64_t ms, again, n;
	int signal = config_signal_parse(text);

	if (config_duration_parse(text, &ms)) {
		REQUIRE(ms >= 0 && ms <= HUNDRED_YEARS_MS);
		config_duration_text(ms, written, sizeof(written));
		REQUIRE(config_duration_parse(written, &again) && again == ms);
		REQUIRE(strspn(text, "0123456789") > 0 && strchr(text, ' ') == NULL);
	}
	if (config_number_parse(text, 3, 4000000, &n))
		REQUIRE(n >= 3 && n <= 4000000 && strspn(text, "0123456789") == strlen(text));
	REQUIRE(signal >= 0 && signal <= 64);
}

static void
check_names(const char *text)
{
	static const char *const names[] = { "interval", NULL, "tripwire", "timeout" };
	const char *refusal = config_zone_refusal(text), *nearest;
	struct address a;

	REQUIRE(refusal == NULL || fuzz_is_phrase(refusal));
	if (refusal == NULL) {
		REQUIRE(strlen(text) <= 253 && strpbrk(text, " /:@%*\"'\\<>") == NULL);
		REQUIRE(strstr(text, "..") == NULL && text[0] != '.' && text[0] != '\0');
		REQUIRE(!address_parse_text(text, &a));
		REQUIRE(config_name_within(text, text));
	}
	refusal = config_name_refusal(text);
	REQUIRE(refusal == NULL || fuzz_is_phrase(refusal));
	if (refusal == NULL)
		REQUIRE(text[0] != '\0' && strpbrk(text, " /:%\"'\\<>") == NULL);
	nearest = config_nearest(text, names, sizeof(names) / sizeof(names[0]));
	REQUIRE(nearest == NULL || nearest == names[0] || nearest == names[2] ||
		nearest == names[3]);
}

/* Nothing of it may reach a resolver or a socket that is no host and no port. */
static void
check_places(const char *text)
{
	char host[CONFIG_HOST_MAX] = "";
	struct config_url url = { .port = 0 };
	const char *refusal = config_url_parse(text, &url);
	struct address a;
	uint16_t port = 0;

	REQUIRE(refusal == NULL || fuzz_is_phrase(refusal));
	if (refusal == NULL) {
		REQUIRE(url.scheme < CONFIG_SCHEME__MAX && url.port != 0);
		REQUIRE(url.host[0] != '\0' && strpbrk(url.host, " /@[]%?#\"<>\\") == NULL);
		REQUIRE(strstr(text, url.host) != NULL && strlen(text) < CONFIG_URL_MAX);
		REQUIRE(fuzz_is_phrase(text) && strpbrk(text, " <>\"") == NULL);
	}
	if (config_listen_parse(text, host, &port)) {
		char written[CONFIG_HOST_MAX + 16], host2[CONFIG_HOST_MAX];
		uint16_t port2;

		REQUIRE(port != 0 && address_parse_text(host, &a));
		snprintf(written, sizeof(written), a.family == ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u",
			 host, (unsigned)port);
		REQUIRE(config_listen_parse(written, host2, &port2));
		REQUIRE(port2 == port && strcmp(host, host2) == 0);
	}
	if (config_host_is_loopback(text) && address_parse_text(text, &a))
		REQUIRE(address_refusal(&a) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	REQUIRE(text != NULL);
	check_numbers(text);
	check_names(text);
	check_places(text);
	free(text);
	return 0;
}
