#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "updater/config.h"

static const char good[] =
	"{\"v\":1,\"unit\":\"updater\",\"version\":\"1.2.3\",\"runtime_dir\":\"/run/esddns\","
	"\"records\":[{\"fqdn\":\"example.com\",\"zone\":\"example.com\",\"name\":\"@\","
	"\"type\":\"A\",\"ttl\":300},{\"fqdn\":\"v6.example.com\",\"zone\":\"example.com\","
	"\"name\":\"v6\",\"type\":\"AAAA\",\"ttl\":600}],\"provider\":{\"name\":\"gandi\","
	"\"url\":\"https://api.gandi.net/v5/livedns/\",\"auth\":\"apikey\",\"token_file\":null,"
	"\"ca_file\":\"/ca.pem\",\"timeout\":10000},\"interval\":300000,"
	"\"detector_interval\":60000,\"observe\":false,\"dry_run\":true,\"backup_delay\":20000,"
	"\"backup_spread\":40000,\"cluster\":{\"backend\":\"local\"}}";

static struct updater_config *
parse(const char *text)
{
	cJSON *part = json_parse(text, strlen(text), NULL);
	struct updater_config *config;
	const char *why = NULL;

	ck_assert_ptr_nonnull(part);
	config = updater_config_new(part, &why);
	ck_assert((config == NULL) == (why != NULL));
	cJSON_Delete(part);
	return config;
}

START_TEST(takes_a_whole_part)
{
	struct updater_config *config = parse(good);

	ck_assert_ptr_nonnull(config);
	ck_assert_str_eq(config->version, "1.2.3");
	ck_assert_str_eq(config->runtime_dir, "/run/esddns");
	ck_assert_uint_eq(config->nrecords, 2);
	ck_assert_str_eq(config->records[0].name, "@");
	ck_assert_int_eq(config->records[0].family, ADDRESS_IPV4);
	ck_assert_str_eq(config->records[1].fqdn, "v6.example.com");
	ck_assert_int_eq(config->records[1].family, ADDRESS_IPV6);
	ck_assert_int_eq(config->records[1].ttl, 600);
	ck_assert_str_eq(config->provider->name, "gandi");
	ck_assert_str_eq(config->url, "https://api.gandi.net/v5/livedns");
	ck_assert_int_eq(config->auth, PROVIDER_APIKEY);
	ck_assert_ptr_null(config->token_file);
	ck_assert_str_eq(config->ca_file, "/ca.pem");
	ck_assert_int_eq(config->timeout_ms, 10000);
	ck_assert_int_eq(config->interval_ms, 300000);
	ck_assert_int_eq(config->detector_interval_ms, 60000);
	ck_assert(!config->observe);
	ck_assert(config->dry_run);
	ck_assert_int_eq(config->backup_delay_ms, 20000);
	ck_assert_int_eq(config->backup_spread_ms, 40000);
	ck_assert(!config->cluster->kubernetes);
	updater_config_free(config);
}
END_TEST

/* Each replaces one piece of the good part. */
static const struct {
	const char *from, *to;
} broken[] = {
	{ "\"v\":1", "\"v\":2" },
	{ "\"backup_delay\":20000,", "" },
	{ "\"backup_spread\":40000", "\"backup_spread\":-1" },
	{ "\"backend\":\"local\"", "\"backend\":\"kubernetes\"" },
	{ "\"cluster\":{\"backend\":\"local\"}", "\"cluster\":null" },
	{ "\"version\":\"1.2.3\",", "" },
	{ "\"runtime_dir\":\"/run/esddns\"", "\"runtime_dir\":\"\"" },
	{ "\"records\":[", "\"record\":[" },
	{ "\"zone\":\"example.com\",", "" },
	{ "\"type\":\"A\"", "\"type\":\"TXT\"" },
	{ "\"ttl\":300", "\"ttl\":0" },
	{ "\"ttl\":300", "\"ttl\":\"300\"" },
	{ "\"name\":\"@\"", "\"name\":null" },
	{ "{\"fqdn\":\"example.com\"", "1,{\"fqdn\":\"example.com\"" },
	{ "\"name\":\"gandi\"", "\"name\":\"other\"" },
	{ "\"auth\":\"apikey\"", "\"auth\":\"basic\"" },
	{ "\"token_file\":null", "\"token_file\":1" },
	{ "\"token_file\":null,", "" },
	{ "\"timeout\":10000", "\"timeout\":0" },
	{ "\"interval\":300000", "\"interval\":-1" },
	{ "\"detector_interval\":60000", "\"detector_interval\":1e30" },
	{ "\"observe\":false", "\"observe\":0" },
	{ "\"dry_run\":true", "\"dry_run\":null" },
};

START_TEST(refuses_a_broken_part)
{
	const char *at = strstr(good, broken[_i].from);
	char text[2 * sizeof(good)];

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, broken[_i].to,
		 at + strlen(broken[_i].from));
	ck_assert_ptr_null(parse(text));
}
END_TEST

START_TEST(refuses_what_is_no_object)
{
	ck_assert_ptr_null(parse("[]"));
	ck_assert_ptr_null(parse("null"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("updater_config");
	TCase *tc = tcase_create("updater_config");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, takes_a_whole_part);
	tcase_add_loop_test(tc, refuses_a_broken_part, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	tcase_add_test(tc, refuses_what_is_no_object);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
