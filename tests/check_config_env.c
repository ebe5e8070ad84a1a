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
			(char[]){ "ESDDNS_LOG_LEVEL=debug" },
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
	ck_assert_int_eq(config->log.level, LOG_DEBUG);
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
			(char[]){ "ESDDNS_LOG_LEVEL=loud" },
			token_env[0],
			NULL };

	load(NULL, env);
	ck_assert_uint_eq(report.nerrors, 8);
	expect("POD_IP: '10.0.0' is not an address\n"
	       "TARGET_DOMAIN_FQDN: 'example' has no dot; write the whole domain, such as "
	       "example.com\n"
	       "RECORD_NAME_ROOT: 'a.' ends with a dot; write it without, relative to the zone\n"
	       "RECORD_TYPE_A: must be A or AAAA, not 'MX'\n"
	       "RECORD_TTL: must be a whole number from 300 to 2592000, not '60'\n"
	       "DNS_SYNC_INTERVAL: '?[2Jsoon' is no duration; write a whole number with ms, s, "
	       "min or h, such as 30s\n"
	       "NODE_NAME: '_' must be 1 to 253 lower-case letters, digits, dots or hyphens\n"
	       "ESDDNS_LOG_LEVEL: must be error, warn, info or debug, not 'loud'\n");
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

/* --- $(POD_IP) --------------------------------------------------------------- */

#define WEB_OF_POD                                                                                 \
	"records: [{zone: example.com}]\nwebd:\n"                                                  \
	"  listen: [\"$(POD_IP):51339\", \"127.0.0.1:51339\"]\n"                                   \
	"  metrics: [\"$(POD_IP):8080\"]\n"

static void
expect_pod_endpoints(const char *host)
{
	expect("");
	ck_assert_uint_eq(config->webd.listen.n, 2);
	ck_assert_str_eq(config->webd.listen.list[0].host, host);
	ck_assert_uint_eq(config->webd.listen.list[0].port, 51339);
	ck_assert_str_eq(config->webd.listen.list[1].host, "127.0.0.1");
	ck_assert_str_eq(config->webd.metrics.list[0].host, host);
	ck_assert_uint_eq(config->webd.metrics.list[0].port, 8080);
}

START_TEST(takes_the_address_of_the_pod_as_a_host)
{
	char *v4[] = { (char[]){ "POD_IP=10.77.0.11" }, token_env[0], NULL };
	char *v6[] = { (char[]){ "POD_IP=2001:db8::11" }, token_env[0], NULL };
	char *wrong[] = { (char[]){ "POD_IP=node-1" }, token_env[0], NULL };

	load_text(WEB_OF_POD, v4);
	expect_pod_endpoints("10.77.0.11");
	load_text(WEB_OF_POD, v6);
	expect_pod_endpoints("2001:db8::11");
	load_text(WEB_OF_POD, token_env);
	expect("test.yaml:3: webd.listen: names the variable POD_IP, which is not set; in a pod "
	       "set "
	       "it to status.podIP, elsewhere write an address\n"
	       "test.yaml:4: webd.metrics: names the variable POD_IP, which is not set; in a pod "
	       "set it to status.podIP, elsewhere write an address\n");
	load_text(WEB_OF_POD, wrong);
	expect("POD_IP: 'node-1' is not an address\n");
}
END_TEST

START_TEST(takes_the_address_of_the_pod_nowhere_else)
{
	char *env[] = { (char[]){ "POD_IP=10.77.0.11" }, token_env[0], NULL };

	load_text("records: [{zone: example.com}]\n"
		  "cluster: {peers: {listen: \"$(POD_IP):51340\"}}\n"
		  "webd: {listen: [\"$(POD_IP)\", \"$(POD_IP):http\", \"[$(POD_IP)]:80\", "
		  "\"$(NODE_NAME):80\"]}\n",
		  env);
	expect("test.yaml:2: cluster.peers.listen: '$(POD_IP):51340' is no address with a port; "
	       "write it as \"0.0.0.0:8080\" or \"[::]:8080\"\n"
	       "test.yaml:3: webd.listen: '$(POD_IP)' is no address with a port; write it as "
	       "\"0.0.0.0:8080\" or \"[::]:8080\"\n"
	       "test.yaml:3: webd.listen: '$(POD_IP):http' is no address with a port; write it as "
	       "\"0.0.0.0:8080\" or \"[::]:8080\"\n"
	       "test.yaml:3: webd.listen: '[$(POD_IP)]:80' is no address with a port; write it as "
	       "\"0.0.0.0:8080\" or \"[::]:8080\"\n"
	       "test.yaml:3: webd.listen: '$(NODE_NAME):80' is no address with a port; write it as "
	       "\"0.0.0.0:8080\" or \"[::]:8080\"\n");
	load_text("records: [{zone: example.com}]\n"
		  "webd: {listen: [\"$(POD_IP):80\", \"10.77.0.11:80\"]}\n",
		  env);
	expect("test.yaml:2: webd.listen: port 80 of 10.77.0.11 is taken twice; give each address "
	       "a "
	       "port of its own\n");
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
load_with_token_file_in(const char *file, char *const *env)
{
	char text[512];

	/* a backend of one host, so that no pod's other files matter here */
	snprintf(text, sizeof(text),
		 "records: [{zone: example.com}]\nprovider: {token_file: %s}\n"
		 "cluster: {backend: local}\n",
		 file);
	load_text(text, env);
}

static void
load_with_token_file(const char *file)
{
	load_with_token_file_in(file, no_env);
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

START_TEST(a_token_file_may_be_another_users_that_its_group_reads)
{
	static const mode_t too_open[] = { 0441, 0442, 0444, 0450, 0460 };
	char file[128], what[64];

	if (geteuid() != 0)
		return; /* only root can give a file away */
	snprintf(file, sizeof(file), "%s/token", scratch);
	write_file(file, "secret\n", 7);
	ck_assert_int_eq(chown(file, 65532, getegid()), 0);
	ck_assert_int_eq(chmod(file, 0440), 0);
	load_with_token_file(file);
	expect("");
	for (size_t i = 0; i < sizeof(too_open) / sizeof(too_open[0]); i++) {
		ck_assert_int_eq(chmod(file, too_open[i]), 0);
		load_with_token_file(file);
		snprintf(what, sizeof(what),
			 "is open to other users (mode %03o); chmod 600 closes it", too_open[i]);
		expect_token_message("warning: ", file, what);
	}
}
END_TEST

START_TEST(a_pod_does_not_wait_for_its_token)
{
	char *pod[] = { (char[]){ "KUBERNETES_SERVICE_HOST=10.0.0.1" }, NULL };
	char file[128];

	snprintf(file, sizeof(file), "%s/token", scratch);
	load_with_token_file_in(file, pod);
	expect_token_message("warning: ", file,
			     "cannot be read: No such file or directory; no record is written "
			     "until there is a token in it");
	write_file(file, "", 0);
	load_with_token_file_in(file, pod);
	expect_token_message("warning: ", file,
			     "is empty; no record is written until there is a token in it");
	/* but it must be said where it will be */
	load_text("records: [{zone: example.com}]\ncluster: {backend: local}\n", pod);
	ck_assert_uint_eq(report.nerrors, 1);
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
	tcase_add_test(tc, takes_the_address_of_the_pod_as_a_host);
	tcase_add_test(tc, takes_the_address_of_the_pod_nowhere_else);
	tcase_add_test(tc, is_local_unless_something_selects_a_cluster);
	tc = add_case(suite, "token");
	tcase_add_test(tc, looks_at_the_token_file);
	tcase_add_test(tc, a_token_file_may_be_another_users_that_its_group_reads);
	tcase_add_test(tc, a_pod_does_not_wait_for_its_token);
	tcase_add_test(tc, an_observer_needs_neither_token_nor_records);
	tcase_add_test(tc, never_repeats_what_may_be_a_password);
	return run_suite(suite);
}
