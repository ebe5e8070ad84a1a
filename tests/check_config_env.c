#include <check.h>

#include "tests/config_world.h"

/* --- the environment --------------------------------------------------------- */

START_TEST(takes_the_variables_of_the_contract)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" },
			(char[]){ "RECORD_NAME_ROOT=home" },
			(char[]){ "RECORD_TYPE_A=AAAA" },
			(char[]){ "RECORD_TTL=600" },
			(char[]){ "DNS_SYNC_INTERVAL=120" },
			(char[]){ "NODE_NAME=node-1" },
			(char[]){ "POD_IP=2001:db8::1" },
			(char[]){ "API_KEY=x" },
			NULL };

	load_text("detector: {interval: 60s}\ncluster: {node_name: other}\n", env);
	expect("");
	ck_assert_str_eq(config->records[0].fqdn, "home.example.com");
	ck_assert_int_eq(config->records[0].family, ADDRESS_IPV6);
	ck_assert_int_eq(config->records[0].ttl, 600);
	ck_assert_int_eq(config->detector.interval, 120000);
	ck_assert_int_eq(config->updater.interval, 120000);
	ck_assert_str_eq(config->cluster.node_name, "node-1");
	ck_assert_str_eq(config->cluster.pod_ip, "2001:db8::1");
	ck_assert(config->token_in_environment);
}
END_TEST

START_TEST(names_the_variable_that_is_wrong)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example" },
			(char[]){ "RECORD_NAME_ROOT=a." },
			(char[]){ "RECORD_TYPE_A=MX" },
			(char[]){ "RECORD_TTL=60" },
			(char[]){ "DNS_SYNC_INTERVAL=\033[2Jsoon" },
			(char[]){ "NODE_NAME=_" },
			(char[]){ "POD_IP=10.0.0" },
			token_env[0],
			NULL };

	load(NULL, env);
	ck_assert_uint_eq(report.nerrors, 7);
	expect("POD_IP: '10.0.0' is not an address\n"
	       "TARGET_DOMAIN_FQDN: 'example' has no dot; write the whole domain, such as "
	       "example.com\n"
	       "RECORD_NAME_ROOT: 'a.' ends with a dot; write it without, relative to the zone\n"
	       "RECORD_TYPE_A: must be A or AAAA, not 'MX'\n"
	       "RECORD_TTL: must be a whole number from 300 to 2592000, not '60'\n"
	       "DNS_SYNC_INTERVAL: '?[2Jsoon' is no duration; write a whole number with ms, s, "
	       "min or h, such as 30s\n"
	       "NODE_NAME: '_' must be 1 to 253 lower-case letters, digits, dots or hyphens\n");
}
END_TEST

START_TEST(refuses_a_record_from_two_places)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, token_env[0], NULL };

	load_text("log: {level: info}\nrecords: [{zone: example.org}]\n", env);
	expect("test.yaml:2: records: the variable TARGET_DOMAIN_FQDN names a record as well; "
	       "unset it or remove 'records'\n");
	load_text("records:\n#  - {zone: example.org}\n", env);
	expect("");
	ck_assert_str_eq(config->records[0].zone, "example.com");
}
END_TEST

START_TEST(counts_empty_variables_as_unset)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=" },      (char[]){ "RECORD_TTL=" },
			(char[]){ "DNS_SYNC_INTERVAL=" },       (char[]){ "POD_IP=" },
			(char[]){ "GANDI_API_KEY=" },           (char[]){ "API_KEY=x" },
			(char[]){ "KUBERNETES_SERVICE_HOST=" }, NULL };

	load_text("records: [{zone: example.com}]\n", env);
	expect("");
	ck_assert(config->token_in_environment);
	env[5] = (char[]){ "API_KEY=" };
	load_text("records: [{zone: example.com}]\n", env);
	expect("test.yaml: provider.token_file: there is no token; name the file that holds it, or "
	       "set GANDI_API_KEY (only updater.observe does without)\n");
}
END_TEST

START_TEST(says_that_a_lonely_variable_does_nothing)
{
	char *env[] = { (char[]){ "RECORD_TTL=600" }, token_env[0], NULL };

	load_text("records: [{zone: example.com}]\n", env);
	expect("warning: RECORD_TTL: has no effect without TARGET_DOMAIN_FQDN\n");
	ck_assert_int_eq(config->records[0].ttl, 300);
}
END_TEST

START_TEST(blames_the_interval_that_the_environment_gave)
{
	char *env[] = { (char[]){ "DNS_SYNC_INTERVAL=4" }, token_env[0], NULL };

	load_text("records: [{zone: example.com}]\ndetector: {sources: [{operator: a, url: "
		  "\"https://a.example\"}, {operator: b, url: \"https://b.example\"}]}\n",
		  env);
	expect("DNS_SYNC_INTERVAL: must be longer than detector.timeout (5s), or rounds would "
	       "overlap\n");
}
END_TEST

START_TEST(is_local_unless_something_selects_a_cluster)
{
	char *pod[] = { (char[]){ "KUBERNETES_SERVICE_HOST=10.0.0.1" }, token_env[0], NULL };

	load_text("records: [{zone: example.com}]\ncluster: {backend: local}\n", pod);
	expect("");
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_LOCAL);
	load_text("records: [{zone: example.com}]\ncluster: {backend: local, kubeconfig: /k}\n",
		  token_env);
	expect("");
}
END_TEST

/* --- the token --------------------------------------------------------------- */

static void
load_with_token_file(const char *file)
{
	char text[512];

	snprintf(text, sizeof(text), "records: [{zone: example.com}]\nprovider: {token_file: %s}\n",
		 file);
	load_text(text, no_env);
}

static void
expect_token_message(const char *kind, const char *file, const char *what)
{
	char wanted[1024];

	snprintf(wanted, sizeof(wanted), "%stest.yaml:2: provider.token_file: %s %s\n", kind, file,
		 what);
	expect(wanted);
}

START_TEST(looks_at_the_token_file)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/token", scratch);
	load_with_token_file(file);
	expect_token_message("", file, "cannot be read: No such file or directory");
	write_file(file, "", 0);
	load_with_token_file(file);
	expect_token_message("", file, "is empty");
	write_file(file, "secret\n", 7);
	load_with_token_file(file);
	expect("");
	ck_assert_int_eq(chmod(file, 0640), 0);
	load_with_token_file(file);
	expect_token_message("warning: ", file,
			     "is open to other users (mode 640); chmod 600 closes it");
	ck_assert_int_eq(truncate(file, 20000), 0);
	load_with_token_file(file);
	expect_token_message("", file, "is larger than 16384 bytes; no token is");
	load_with_token_file(scratch);
	expect_token_message("", scratch, "is not a regular file");
}
END_TEST

START_TEST(an_observer_needs_neither_token_nor_records)
{
	load_text("updater: {observe: true}\n", no_env);
	expect("");
	/* and still shows the host's address */
	ck_assert(config_needs(config, ADDRESS_IPV4));
	load_text("updater: {dry_run: true}\nrecords: [{zone: example.com}]\n", no_env);
	ck_assert_ptr_null(config);
}
END_TEST

START_TEST(never_repeats_what_may_be_a_password)
{
	char *text;

	load_text("records: [{zone: example.com}]\n"
		  "provider: {url: \"https://joe:hunter2@api.example\"}\n"
		  "detector: {sources: [{operator: a, url: \"https://joe:hunter2@a.example\"}]}\n",
		  token_env);
	text = messages();
	ck_assert_uint_eq(report.nerrors, 2);
	ck_assert_ptr_null(strstr(text, "hunter2"));
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_env");
	TCase *tc = add_case(suite, "environment");

	tcase_add_test(tc, takes_the_variables_of_the_contract);
	tcase_add_test(tc, names_the_variable_that_is_wrong);
	tcase_add_test(tc, refuses_a_record_from_two_places);
	tcase_add_test(tc, counts_empty_variables_as_unset);
	tcase_add_test(tc, says_that_a_lonely_variable_does_nothing);
	tcase_add_test(tc, blames_the_interval_that_the_environment_gave);
	tcase_add_test(tc, is_local_unless_something_selects_a_cluster);
	tc = add_case(suite, "token");
	tcase_add_test(tc, looks_at_the_token_file);
	tcase_add_test(tc, an_observer_needs_neither_token_nor_records);
	tcase_add_test(tc, never_repeats_what_may_be_a_password);
	return run_suite(suite);
}
