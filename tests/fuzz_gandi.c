/*
 * What Gandi, or whatever stands before it, may answer. The choices: r or w for
 * reading or writing, 4 or 6 for the type, b or k for the kind of credential,
 * then the HTTP status, or 0 to 7 for a failure of the transport.
 */
#include "common/json.h"
#include "tests/fuzz.h"
#include "updater/gandi.h"

#define TOKEN "s3cr3t-t0ken"
#define RETRY_AFTER_MS 7000

static const char *const content_types[] = { "application/json", "text/html\x01\xff", "",
					     ("text/html; " TOKEN) };

static void
check_record(const struct provider_record *r, const struct provider_target *target)
{
	struct address a;

	REQUIRE(r->nvalues <= MSG_VALUES_MAX && r->nvalues <= r->total);
	REQUIRE(r->nvalues == MSG_VALUES_MAX || r->nvalues == r->total);
	REQUIRE(r->ttl >= 0 && r->ttl <= INT32_MAX);
	for (size_t i = 0; i < r->nvalues; i++)
		REQUIRE(address_parse_text(r->values[i], &a) || r->values[i][0] == '(');
	/* a page links to it: no script, no way out of an attribute */
	REQUIRE(strncmp(r->href, "http", r->href[0] != '\0' ? 4 : 0) == 0);
	REQUIRE(strpbrk(r->href, " \t\r\n") == NULL && strstr(r->href, TOKEN) == NULL);
	if (r->exists)
		REQUIRE(strcasecmp(r->name, target->name) == 0);
	else
		REQUIRE(r->total == 0 && r->ttl == 0 && r->name[0] == '\0' && r->href[0] == '\0');
}

static void
check_done(const struct http_response *response, bool is_write, const struct provider_result *out)
{
	REQUIRE(response->error == HTTP_OK);
	REQUIRE(out->error[0] == '\0' && out->error_type[0] == '\0' && !out->may_land);
	if (is_write)
		REQUIRE(response->status == 200 || response->status == 201);
	else
		REQUIRE(response->status == (out->record.exists ? 200 : 404));
}

static void
check_failed(const struct http_response *response, bool is_write, const struct provider_result *out)
{
	int status = response->status;

	REQUIRE(fuzz_is_phrase(out->error) && fuzz_is_phrase(out->error_type));
	REQUIRE(strpbrk(out->error_type, " \"\\") == NULL);
	/* it is shown on a page and in the log, whatever the server repeats */
	REQUIRE(strstr(out->error, TOKEN) == NULL);
	REQUIRE(!out->record.exists && out->record.total == 0);
	REQUIRE(is_write || !out->may_land);
	/* a person is asked for only where time alone cannot cure it */
	if (status == 401 || status == 403 || status == 400)
		REQUIRE(out->outcome == PROVIDER_ATTENTION);
	if (status == 429 || status >= 500)
		REQUIRE(out->outcome == PROVIDER_TRANSIENT);
	if (status >= 500)
		REQUIRE(out->may_land == is_write && out->retry_after_ms == RETRY_AFTER_MS);
	REQUIRE(out->retry_after_ms == -1 || out->retry_after_ms == RETRY_AFTER_MS);
}

static void
judge(const char *choices, const struct http_response *response)
{
	bool is_write = choices[0] == 'w';
	struct provider_target target = { .zone = "example.com",
					  .name = "*.Home",
					  .family =
						  choices[1] == '6' ? ADDRESS_IPV6 : ADDRESS_IPV4 };
	struct provider_access access = { .url = "https://api.gandi.net/v5/livedns",
					  .auth = choices[2] == 'k' ? PROVIDER_APIKEY
								    : PROVIDER_BEARER,
					  .token = TOKEN,
					  .token_file = choices[2] == 'k' ? "/etc/token" : NULL };
	struct provider_result out;

	memset(&out, 0xA5, sizeof(out));
	if (is_write)
		gandi_provider.judge_write(&access, &target, response, &out);
	else
		gandi_provider.judge_read(&access, &target, response, &out);
	REQUIRE(out.outcome < PROVIDER_OUTCOME__MAX);
	check_record(&out.record, &target);
	if (out.outcome == PROVIDER_DONE)
		check_done(response, is_write, &out);
	else
		check_failed(response, is_write, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_response response = { .error_text = "", .retry_after_ms = -1 };
	struct fuzz_input in;
	char *body;
	int number;

	if (!fuzz_split(&in, data, size) || strlen(in.choices) < 4)
		return 0;
	number = atoi(in.choices + 3);
	if (number < 0 || number > 599 || (number >= HTTP_ERROR__MAX && number < 100))
		return 0;
	if (number < HTTP_ERROR__MAX && number != HTTP_OK) {
		response.error = (enum http_error)number;
		response.error_text = "connection refused";
	} else {
		response.status = number;
		response.retry_after_ms = RETRY_AFTER_MS;
	}
	/* a body is ended by a NUL, as http.c hands it over */
	body = malloc(in.len + 1);
	REQUIRE(body != NULL);
	memcpy(body, in.text, in.len);
	body[in.len] = '\0';
	response.body = body;
	response.body_len = in.len;
	response.content_type = content_types[in.len % 4];
	judge(in.choices, &response);
	free(body);
	return 0;
}
