#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "updater/gandi.h"

static const char token[] = "pat-0123456789";
static const struct provider_access bearer = {
	.url = "https://api.gandi.net/v5/livedns",
	.auth = PROVIDER_BEARER,
	.token = token,
	.token_file = "/etc/esddns/gandi/token",
};
static const struct provider_access apikey = {
	.url = "https://api.gandi.net/v5/livedns",
	.auth = PROVIDER_APIKEY,
	.token = token,
};
static const struct provider_target apex = { "example.com", "@", ADDRESS_IPV4 };

#define UNAUTHORIZED                                                                               \
	"{\"code\":401,\"message\":\"The server could not verify that you authorized to access "   \
	"the document you requested. Either you supplied the wrong credentials (e.g., bad api "    \
	"key), or your access token has expired\",\"object\":\"HTTPUnauthorized\",\"cause\":"      \
	"\"Unauthorized\"}"
#define FORBIDDEN                                                                                  \
	"{\"object\":\"HTTPForbidden\",\"cause\":\"Forbidden\",\"code\":403,\"message\":"          \
	"\"Access was denied to this resource.\"}"
#define NO_RECORD                                                                                  \
	"{\"object\":\"dns-record\",\"cause\":\"Not Found\",\"code\":404,\"message\":"             \
	"\"Can't find the DNS record localhost/A in the zone\"}"
#define NO_ZONE                                                                                    \
	"{\"object\":\"HTTPNotFound\",\"cause\":\"Not Found\",\"code\":404,\"message\":"           \
	"\"The resource could not be found.\"}"
#define INVALID                                                                                    \
	"{\"status\":\"error\",\"errors\":[{\"location\":\"body\",\"name\":\"rrset_ttl\","         \
	"\"description\":\"100 is less than minimum value 300\"}]}"
#define HTML "<html><head><title>Oops</title></head></html>"
#define RECORD                                                                                     \
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_href\":"             \
	"\"https://api.gandi.net/v5/livedns/domains/example.com/records/%40/A\","                  \
	"\"rrset_values\":[\"82.64.93.53\"]}"
#define TWICE                                                                                      \
	"{\"rrset_type\":\"A\",\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\","       \
	"\"rrset_values\":[\"82.64.93.53\"]}"
#define WRITTEN "{\"message\":\"DNS Record Created\"}"

static struct provider_result
answer(bool is_write, const struct provider_access *access, const struct provider_target *target,
       int status, const char *body)
{
	struct http_response response = {
		.error_text = "",
		.status = status,
		.content_type = "text/html; charset=UTF-8",
		.retry_after_ms = -1,
		.body = body,
		.body_len = strlen(body),
	};
	struct provider_result result;

	if (is_write)
		gandi_provider.judge_write(access, target, &response, &result);
	else
		gandi_provider.judge_read(access, target, &response, &result);
	ck_assert_ptr_null(strstr(result.error, token));
	ck_assert_int_eq(result.outcome == PROVIDER_DONE, result.error[0] == '\0');
	ck_assert_int_eq(result.outcome == PROVIDER_DONE, result.error_type[0] == '\0');
	return result;
}

/* --- requests --------------------------------------------------------------- */

static const struct {
	const char *zone, *name;
	enum address_family family;
	const char *path;
} paths[] = {
	{ "example.com", "@", ADDRESS_IPV4, "/domains/example.com/records/%40/A" },
	{ "example.com", "*", ADDRESS_IPV6, "/domains/example.com/records/%2A/AAAA" },
	{ "example.com", "*.Home", ADDRESS_IPV4, "/domains/example.com/records/%2A.Home/A" },
	{ "example.com", "a_b-c~1.d", ADDRESS_IPV4, "/domains/example.com/records/a_b-c~1.d/A" },
	{ "example.com", "a/../b?c#d%e", ADDRESS_IPV4,
	  "/domains/example.com/records/a%2F..%2Fb%3Fc%23d%25e/A" },
	{ "\xc3\xa9.example", "x y", ADDRESS_IPV4, "/domains/%C3%A9.example/records/x%20y/A" },
};

START_TEST(builds_the_path_of_one_record_set)
{
	struct provider_target target = { paths[_i].zone, paths[_i].name, paths[_i].family };
	struct provider_request request;
	char url[256];

	snprintf(url, sizeof(url), "https://api.gandi.net/v5/livedns%s", paths[_i].path);
	gandi_provider.build_read(&bearer, &target, &request);
	ck_assert_str_eq(request.method, "GET");
	ck_assert_str_eq(request.url, url);
	ck_assert_str_eq(request.headers[0], "Authorization: Bearer pat-0123456789");
	ck_assert_ptr_null(request.body);
	provider_request_clear(&request);
	ck_assert_ptr_null(request.url);
}
END_TEST

START_TEST(builds_a_write_with_an_integer_ttl)
{
	struct provider_target target = { "example.com", "home", ADDRESS_IPV6 };
	struct provider_request request;
	struct address value;

	ck_assert(address_parse_text("2001:DB8:0::7", &value));
	gandi_provider.build_write(&apikey, &target, &value, 300, &request);
	ck_assert_str_eq(request.method, "PUT");
	ck_assert_str_eq(request.url,
			 "https://api.gandi.net/v5/livedns/domains/example.com/records/home/AAAA");
	ck_assert_str_eq(request.headers[0], "Authorization: Apikey pat-0123456789");
	ck_assert_str_eq(request.headers[2], "Content-Type: application/json");
	ck_assert_ptr_null(request.headers[3]);
	ck_assert_str_eq(request.body, "{\"rrset_values\":[\"2001:db8::7\"],\"rrset_ttl\":300}");
	provider_request_clear(&request);
}
END_TEST

/* --- answers ----------------------------------------------------------------- */

START_TEST(reads_a_record)
{
	struct provider_result r = answer(false, &bearer, &apex, 200, RECORD);

	ck_assert_int_eq(r.outcome, PROVIDER_DONE);
	ck_assert(r.record.exists);
	ck_assert_uint_eq(r.record.total, 1);
	ck_assert_uint_eq(r.record.nvalues, 1);
	ck_assert_str_eq(r.record.values[0], "82.64.93.53");
	ck_assert_int_eq(r.record.ttl, 600);
	ck_assert_str_eq(r.record.name, "@");
	ck_assert_str_eq(r.record.href,
			 "https://api.gandi.net/v5/livedns/domains/example.com/records/%40/A");
}
END_TEST

START_TEST(keeps_the_stored_case_and_counts_all_values)
{
	struct provider_target target = { "example.com", "home", ADDRESS_IPV4 };
	struct provider_result r = answer(
		false, &bearer, &target, 200,
		"{\"rrset_type\":\"A\",\"rrset_ttl\":300,\"rrset_name\":\"Home\",\"rrset_href\":"
		"\"javascript:alert(1)\",\"rrset_values\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2."
		"3\","
		"\"<b>not one</b>\",\"192.0.2.5\",\"192.0.2.6\",\"192.0.2.7\",\"192.0.2.8\","
		"\"192.0.2.9\"]}");

	ck_assert_int_eq(r.outcome, PROVIDER_DONE);
	ck_assert_str_eq(r.record.name, "Home");
	ck_assert_str_eq(r.record.href, "");
	ck_assert_uint_eq(r.record.total, 9);
	ck_assert_uint_eq(r.record.nvalues, MSG_VALUES_MAX);
	ck_assert_str_eq(r.record.values[2], "192.0.2.3");
	ck_assert_str_eq(r.record.values[3], "(not an address)");
}
END_TEST

START_TEST(takes_only_one_404_as_a_missing_record)
{
	struct provider_result r = answer(false, &bearer, &apex, 404, NO_RECORD);

	ck_assert_int_eq(r.outcome, PROVIDER_DONE);
	ck_assert(!r.record.exists);
	r = answer(false, &bearer, &apex, 404, NO_ZONE);
	ck_assert_int_eq(r.outcome, PROVIDER_ATTENTION);
	r = answer(false, &bearer, &apex, 404, "{}");
	ck_assert_int_eq(r.outcome, PROVIDER_ATTENTION);
}
END_TEST

static const char *const malformed[] = {
	"",
	HTML,
	"null",
	"[]",
	"[" RECORD "]",
	"\"192.0.2.1\"",
	RECORD "x",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_val",
	"{\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":[\"192.0.2.1\"]}",
	"{\"rrset_type\":\"AAAA\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"www\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_values\":[\"192.0.2.1\"]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":\"600\",\"rrset_name\":\"@\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600.5,\"rrset_name\":\"@\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":-1,\"rrset_name\":\"@\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":1e18,\"rrset_name\":\"@\",\"rrset_values\":[]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":\"x\"}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":{}}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":[1]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\",\"rrset_values\":[null]}",
	"{\"rrset_type\":\"A\",\"rrset_ttl\":600,\"rrset_name\":\"@\"}",
	TWICE,
};

START_TEST(refuses_a_malformed_record)
{
	struct provider_result r = answer(false, &bearer, &apex, 200, malformed[_i]);

	ck_assert_int_eq(r.outcome, PROVIDER_TRANSIENT);
	ck_assert_str_eq(r.error_type, "malformed");
	ck_assert_ptr_nonnull(strstr(r.error, "api.gandi.net"));
	ck_assert(!r.record.exists);
	ck_assert_uint_eq(r.record.total, 0);
}
END_TEST

START_TEST(refuses_a_body_that_is_too_large)
{
	char *body = malloc(PROVIDER_BODY_MAX + 2);
	struct provider_result r;

	ck_assert_ptr_nonnull(body);
	memset(body, ' ', PROVIDER_BODY_MAX + 1);
	body[PROVIDER_BODY_MAX + 1] = '\0';
	memcpy(body, RECORD, strlen(RECORD));
	r = answer(false, &bearer, &apex, 200, body);
	ck_assert_int_eq(r.outcome, PROVIDER_TRANSIENT);
	body[PROVIDER_BODY_MAX] = '\0';
	r = answer(false, &bearer, &apex, 200, body);
	ck_assert_int_eq(r.outcome, PROVIDER_DONE);
	free(body);
}
END_TEST

enum { READ = 1, WRITE = 2, LANDS = 4 };

/* Every row of the table of errors, and what may stand where it should not. */
static const struct {
	int status;
	const char *body;
	unsigned when; /* READ, WRITE; LANDS: the write may still take effect */
	enum provider_outcome outcome;
	const char *type;
	const char *says; /* NULL: nothing in particular */
} errors[] = {
	{ 400, INVALID, READ | WRITE, PROVIDER_ATTENTION, "invalid",
	  "(400): rrset_ttl: 100 is less than minimum value 300" },
	{ 400, "{\"errors\":[{\"name\":\"a\"},1,{\"description\":\"b\"},{\"description\":\"c\"}]}",
	  READ | WRITE, PROVIDER_ATTENTION, "invalid", "(400): b; c" },
	{ 400, HTML, READ | WRITE, PROVIDER_ATTENTION, "invalid", "as invalid (400)" },
	{ 401, UNAUTHORIZED, READ | WRITE, PROVIDER_ATTENTION, "unauthorized",
	  "Gandi refused the token (401): it is wrong or has expired; put a new personal access "
	  "token into /etc/esddns/gandi/token" },
	{ 401, "", READ | WRITE, PROVIDER_ATTENTION, "unauthorized", "provider.auth: apikey" },
	{ 403, FORBIDDEN, READ | WRITE, PROVIDER_ATTENTION, "forbidden", "zone example.com (403)" },
	{ 403, HTML, READ | WRITE, PROVIDER_ATTENTION, "forbidden", "/etc/esddns/gandi/token" },
	{ 404, NO_RECORD, WRITE, PROVIDER_TRANSIENT, "not-found", NULL },
	{ 404, NO_ZONE, READ | WRITE, PROVIDER_ATTENTION, "unknown-zone",
	  "zone must be the domain as registered at Gandi, for example example.com, not a "
	  "subdomain" },
	{ 404, HTML, READ | WRITE, PROVIDER_ATTENTION, "not-found", "check provider.url" },
	{ 409, "{\"message\":\"This record already exists\"}", READ | WRITE, PROVIDER_TRANSIENT,
	  "conflict", "(409): This record already exists" },
	{ 410, "", READ | WRITE, PROVIDER_ATTENTION, "refused", "(410)" },
	{ 415, "", READ | WRITE, PROVIDER_ATTENTION, "media-type", "(415)" },
	{ 429, "slow down", READ | WRITE, PROVIDER_TRANSIENT, "rate-limited", "(429)" },
	{ 500, HTML, READ | WRITE | LANDS, PROVIDER_TRANSIENT, "server-error", "(500)" },
	{ 502, "", READ | WRITE | LANDS, PROVIDER_TRANSIENT, "server-error", "(502)" },
	{ 503, "{\"message\":\"a\\nb\"}", READ | WRITE | LANDS, PROVIDER_TRANSIENT, "server-error",
	  "(503): a b" },
	{ 504, "{}", READ | WRITE | LANDS, PROVIDER_TRANSIENT, "server-error", "(504)" },
	{ 302, "", READ | WRITE, PROVIDER_ATTENTION, "redirect", "(302)" },
	{ 201, RECORD, READ, PROVIDER_TRANSIENT, "malformed", "201" },
	{ 204, "", READ | WRITE | LANDS, PROVIDER_TRANSIENT, "malformed", "204" },
};

static void
check_error(size_t i, bool is_write)
{
	struct provider_result r =
		answer(is_write, &bearer, &apex, errors[i].status, errors[i].body);

	ck_assert_int_eq(r.outcome, errors[i].outcome);
	ck_assert_str_eq(r.error_type, errors[i].type);
	if (errors[i].says)
		ck_assert_msg(strstr(r.error, errors[i].says) != NULL, "\"%s\" lacks \"%s\"",
			      r.error, errors[i].says);
	ck_assert_int_eq(r.may_land, is_write && (errors[i].when & LANDS));
	ck_assert(!r.record.exists);
}

START_TEST(words_every_error)
{
	if (errors[_i].when & READ)
		check_error((size_t)_i, false);
	if (errors[_i].when & WRITE)
		check_error((size_t)_i, true);
}
END_TEST

START_TEST(names_the_other_scheme_for_a_refused_key)
{
	struct provider_result r = answer(false, &apikey, &apex, 401, UNAUTHORIZED);

	ck_assert_ptr_nonnull(strstr(r.error, "provider.auth: bearer"));
	ck_assert_ptr_nonnull(strstr(r.error, "GANDI_API_KEY"));
}
END_TEST

START_TEST(takes_200_and_201_as_written_whatever_the_body_says)
{
	ck_assert_int_eq(answer(true, &bearer, &apex, 201, WRITTEN).outcome, PROVIDER_DONE);
	ck_assert_int_eq(answer(true, &bearer, &apex, 200, WRITTEN).outcome, PROVIDER_DONE);
	ck_assert_int_eq(answer(true, &bearer, &apex, 201, HTML).outcome, PROVIDER_DONE);
}
END_TEST

START_TEST(hands_on_retry_after)
{
	struct http_response response = { .error_text = "",
					  .status = 429,
					  .content_type = "",
					  .retry_after_ms = 17000,
					  .body = "",
					  .body_len = 0 };
	struct provider_result r;

	gandi_provider.judge_read(&bearer, &apex, &response, &r);
	ck_assert_int_eq(r.retry_after_ms, 17000);
}
END_TEST

START_TEST(knows_which_broken_writes_may_land)
{
	static const bool lands[HTTP_ERROR__MAX] = {
		[HTTP_ERR_TIMEOUT] = true,
		[HTTP_ERR_TOO_LARGE] = true,
		[HTTP_ERR_BROKEN] = true,
	};
	struct http_response response = { .error = (enum http_error)_i,
					  .error_text = "the reason in words",
					  .content_type = "",
					  .retry_after_ms = -1,
					  .body = "" };
	struct provider_result r;

	gandi_provider.judge_write(&bearer, &apex, &response, &r);
	ck_assert_int_eq(r.may_land, lands[_i]);
	ck_assert_int_eq(r.outcome, _i == HTTP_ERR_URL ? PROVIDER_ATTENTION : PROVIDER_TRANSIENT);
	ck_assert_str_eq(r.error,
			 "the record could not be written at api.gandi.net: the reason in words");
	ck_assert_str_eq(r.error_type, http_error_name(response.error));
	gandi_provider.judge_read(&bearer, &apex, &response, &r);
	ck_assert(!r.may_land);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("gandi");
	TCase *tc = tcase_create("gandi");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, builds_the_path_of_one_record_set, 0, COUNT(paths));
	tcase_add_test(tc, builds_a_write_with_an_integer_ttl);
	tcase_add_test(tc, reads_a_record);
	tcase_add_test(tc, keeps_the_stored_case_and_counts_all_values);
	tcase_add_test(tc, takes_only_one_404_as_a_missing_record);
	tcase_add_loop_test(tc, refuses_a_malformed_record, 0, COUNT(malformed));
	tcase_add_test(tc, refuses_a_body_that_is_too_large);
	tcase_add_loop_test(tc, words_every_error, 0, COUNT(errors));
	tcase_add_test(tc, names_the_other_scheme_for_a_refused_key);
	tcase_add_test(tc, takes_200_and_201_as_written_whatever_the_body_says);
	tcase_add_test(tc, hands_on_retry_after);
	tcase_add_loop_test(tc, knows_which_broken_writes_may_land, HTTP_ERR_URL, HTTP_ERROR__MAX);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
