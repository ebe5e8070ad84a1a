#include <check.h>
#include <dirent.h>

#include "supervisor/secret.h"
#include "tests/config_world.h"

#define GOLDEN TESTS_SRCDIR "/golden/config"

/* The environment of the original. */
static char *const original_env[] = {
	(char[]){ "API_KEY=not-a-token" }, (char[]){ "TARGET_DOMAIN_FQDN=example.com" },
	(char[]){ "RECORD_NAME_ROOT=@" },  (char[]){ "RECORD_TYPE_A=A" },
	(char[]){ "RECORD_TTL=600" },      NULL
};

static void
load_ini(const char *text, char *const *env)
{
	write_file("test.ini", text, strlen(text));
	load("test.ini", env);
}

static bool
said(const char *text)
{
	for (size_t i = 0; i < report.n; i++) {
		if (strstr(report.messages[i].text, text) != NULL)
			return true;
	}
	return false;
}

/* --- golden files ------------------------------------------------------------ */

static struct dirent **golden;
static int ngolden;

static int
is_ini(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".ini") == 0;
}

/* Each NAME.ini gives exactly the messages of NAME.ini.txt. */
START_TEST(says_what_the_golden_file_says)
{
	const char *name = golden[_i]->d_name;
	char path[512], wanted[8192];
	char *got;
	FILE *f;
	size_t n;

	ck_assert_int_eq(chdir(GOLDEN), 0);
	load(name, original_env);
	snprintf(path, sizeof(path), "%s.txt", name);
	f = fopen(path, "re");
	ck_assert_msg(f != NULL, "%s is missing", path);
	n = fread(wanted, 1, sizeof(wanted) - 1, f);
	wanted[n] = '\0';
	fclose(f);
	got = messages();
	ck_assert_msg(strcmp(wanted, got) == 0, "%s\n--- wanted\n%s--- got\n%s", name, wanted, got);
	free(got);
}
END_TEST

/* --- what it comes to --------------------------------------------------------- */

START_TEST(reads_the_file_of_the_original)
{
	const struct config_detector *d;

	load(GOLDEN "/dns.ini", original_env);
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->nrecords, 1);
	ck_assert_str_eq(config->records[0].fqdn, "example.com");
	ck_assert_str_eq(config->records[0].name, "@");
	ck_assert_int_eq(config->records[0].family, ADDRESS_IPV4);
	ck_assert_int_eq(config->records[0].ttl, 600);
	ck_assert_str_eq(config->provider.url, "https://api.gandi.net/v5/livedns");
	ck_assert_int_eq(config->provider.auth, CONFIG_AUTH_APIKEY);
	ck_assert_ptr_null(config->provider.token_file);
	ck_assert(config->token_in_environment);
	ck_assert_str_eq(config->token_variable, "API_KEY");
	ck_assert_int_eq(config->detector.interval, 300000);
	ck_assert_int_eq(config->updater.interval, 300000);
	ck_assert_uint_eq(config->webd.listen.n, 1);
	ck_assert_str_eq(config->webd.listen.list[0].host, "0.0.0.0");
	ck_assert_uint_eq(config->webd.listen.list[0].port, 51339);
	d = &config->detector;
	ck_assert_uint_eq(d->nsources, 5);
	ck_assert_str_eq(d->sources[0].operator, "api.ipify.org");
	ck_assert_str_eq(d->sources[0].url, "https://api.ipify.org/?format=text");
	ck_assert_int_eq(d->sources[0].kind, CONFIG_SOURCE_HTTPS);
	ck_assert_int_eq(d->sources[0].format, CONFIG_FORMAT_PLAIN);
	ck_assert_str_eq(d->sources[2].operator, "ifconfig.me");
	ck_assert_int_eq(d->sources[3].kind, CONFIG_SOURCE_STUN);
	ck_assert_str_eq(d->sources[3].operator, "google");
	ck_assert_uint_eq(config_operators(config, ADDRESS_IPV4), 5);
	ck_assert_uint_eq(d->quorum, 0);
}
END_TEST

START_TEST(asks_the_built_in_stun_servers_alone)
{
	load(GOLDEN "/dns-stun.ini", original_env);
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->detector.nsources, 2);
	for (size_t i = 0; i < config->detector.nsources; i++)
		ck_assert_int_eq(config->detector.sources[i].kind, CONFIG_SOURCE_STUN);
}
END_TEST

START_TEST(shares_a_port_that_both_want)
{
	load(GOLDEN "/dns-one.ini", original_env);
	ck_assert_ptr_nonnull(config);
	ck_assert_str_eq(config->webd.listen.list[0].host, "127.0.0.1");
	ck_assert_uint_eq(config->webd.listen.list[0].port, 8080);
	ck_assert_uint_eq(config->webd.metrics.n, 0);
	ck_assert_uint_eq(config->detector.nsources, 1);
	ck_assert_uint_eq(config->detector.quorum, 0);
}
END_TEST

#define BEGIN                                                                                      \
	"[gandi]\napi_key = API_KEY\ntarget_domain_fqdn = TARGET_DOMAIN_FQDN\n"                    \
	"[WANIPState]\n"
#define THREE "https://a.example\", \"https://b.example\", \"https://c.example"

START_TEST(takes_lists_of_several_lines)
{
	load_ini(BEGIN "ip_check_services = {\n\n  \"svc\": [ ; whom to ask\r\n\t; all of them\n"
		       "  \"https://a.example\",\n \"https://b.example\",\n"
		       " \"https://c.example\"]\n }\n[ESDDNS]\n  service_port = 51139\n",
		 original_env);
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(config->detector.nsources, 3);
	ck_assert_str_eq(config->detector.sources[2].operator, "c.example");
	ck_assert_uint_eq(config->webd.listen.list[0].port, 51139);
}
END_TEST

/* A personal access token: the one key that the original did not have. */
START_TEST(sends_the_token_as_it_is_told)
{
	const char *services = "[WANIPState]\nip_check_services = {\"svc\": [\"" THREE "\"]}\n";
	char *text = mem_printf("[gandi]\napi_auth = bearer\n%s", services);

	load_ini(text, original_env);
	expect("");
	ck_assert_int_eq(config->provider.auth, CONFIG_AUTH_BEARER);
	free(text);
	text = mem_printf("[gandi]\napi_auth = \"token\"\n%s", services);
	load_ini(text, original_env);
	expect("test.ini:2: [gandi] api_auth: must be bearer or apikey, not 'token'\n");
	free(text);
}
END_TEST

/* Whatever their length: lines are read whole, in however many pieces libinih takes them. */
START_TEST(takes_lines_of_any_length)
{
	/* 197 bytes are one piece: the ends of the first and of the second are passed over */
	for (int n = 60; n < 320; n += n < 120 || n > 280 ? 1 : 7) {
		char *text = mem_printf(BEGIN "ip_check_services = {\"svc\":%*s[\"" THREE
					      "/%0*d\"]}\n[ESDDNS]\nservice_port = 51139\n",
					n % 7, "", n, 0);
		char *url = mem_printf("https://c.example/%0*d", n, 0);

		load_ini(text, original_env);
		ck_assert_msg(config != NULL, "%d: %s", n, report.messages[0].text);
		ck_assert_uint_eq(config->detector.nsources, 3);
		ck_assert_str_eq(config->detector.sources[2].url, url);
		ck_assert_uint_eq(config->webd.listen.list[0].port, 51139);
		free(url);
		free(text);
	}
}
END_TEST

START_TEST(refuses_what_it_cannot_take_whole)
{
	char *text = mem_printf(BEGIN "ip_check_services = {\"svc\":%300s[\"" THREE "\"]}\n", "");

	load_ini(text, original_env);
	ck_assert_ptr_null(config);
	ck_assert(said("test.ini:5: the line is too long to be read"));
	free(text);
	text = mem_printf(BEGIN "ip_check_services = {\"svc\": [\"" THREE "/%070000d\"]}\n", 0);
	load_ini(text, original_env);
	ck_assert_ptr_null(config);
	ck_assert(said("test.ini:5: the value of 'ip_check_services' is too long"));
	free(text);
	load_ini(BEGIN "ip_check_services = {\"svc\": [\"" THREE "\x9b\"]}\n", original_env);
	ck_assert_ptr_null(config);
	ck_assert(said("test.ini:5: this is not a text in UTF-8"));
	write_file("test.ini", "[gandi]\nx\0y = 1\n", 16);
	load("test.ini", original_env);
	ck_assert(said("test.ini:2: this is not a text in UTF-8"));
}
END_TEST

/* --- the environment ------------------------------------------------------------ */

START_TEST(asks_the_variables_that_it_names)
{
	char *env[] = { (char[]){ "MY_TOKEN=not-a-token" }, (char[]){ "MY_ZONE=example.net" },
			(char[]){ "MY_NAME=home" },         (char[]){ "MY_TTL=1200" },
			(char[]){ "MY_TYPE=AAAA" },         (char[]){ "RECORD_TTL=700" },
			(char[]){ "DNS_SYNC_INTERVAL=90" }, NULL };

	load_ini("[gandi]\napi_key = 'MY_TOKEN'\ntarget_domain_fqdn = MY_ZONE\n"
		 "record_name_root = MY_NAME\nrecord_type_a = MY_TYPE\nrecord_ttl = MY_TTL\n"
		 "[WANIPState]\nip_check_services = {\"svc\": [\"" THREE "\"]}\n"
		 "[ESDDNS]\ndaemon_thread_interval = 600\n",
		 env);
	ck_assert_ptr_nonnull(config);
	ck_assert_str_eq(config->records[0].fqdn, "home.example.net");
	ck_assert_int_eq(config->records[0].family, ADDRESS_IPV6);
	ck_assert_int_eq(config->records[0].ttl, 1200);
	ck_assert_str_eq(config->token_variable, "MY_TOKEN");
	ck_assert_int_eq(config->detector.interval, 90000);
	ck_assert(said("RECORD_TTL: has no effect: [gandi] record_ttl names another variable"));
}
END_TEST

START_TEST(complains_about_a_variable_by_its_name)
{
	char *env[] = { (char[]){ "API_KEY=not-a-token" }, (char[]){ "MY_ZONE=example" },
			(char[]){ "MY_TTL=1" }, NULL };

	load_ini("[gandi]\napi_key = API_KEY\ntarget_domain_fqdn = MY_ZONE\nrecord_ttl = MY_TTL\n"
		 "[WANIPState]\nip_check_services = {\"svc\": [\"" THREE "\"]}\n",
		 env);
	ck_assert_ptr_null(config);
	ck_assert_uint_eq(report.nerrors, 2);
	ck_assert(said("MY_ZONE: 'example' has no dot"));
	ck_assert(said("MY_TTL: must be a whole number from 300 to 2592000, not '1'"));
}
END_TEST

static void
expect_secret(const char *key, char *const *env)
{
	char *text = mem_printf("[gandi]\n%s\ntarget_domain_fqdn = TARGET_DOMAIN_FQDN\n"
				"[WANIPState]\nip_check_services = {\"svc\": [\"" THREE "\"]}\n",
				key);

	load_ini(text, env);
	ck_assert_ptr_null(config);
	ck_assert_uint_eq(report.nerrors, 1);
	ck_assert_msg(!said("s3cret"), "%s", key);
	free(text);
}

/* Neither a token in the place of its variable's name nor one under another key is repeated. */
START_TEST(repeats_no_secret)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, NULL };
	char *with_token[] = { env[0], (char[]){ "API_KEY=s3cret" }, (char[]){ "MINE=s3cret" },
			       NULL };

	expect_secret("api_key = s3cret", env);
	expect_secret("api_key = s3cret s3cret", env);
	expect_secret("api_key = PATH", with_token);
	expect_secret("record_ttl = API_KEY", with_token);
	expect_secret("api_key = MINE\nrecord_ttl = MINE", with_token);
	/* without a key at all the usual variables hold it */
	load_ini("[gandi]\n[WANIPState]\nip_check_services = {\"svc\": [\"" THREE "\"]}\n",
		 with_token);
	ck_assert_ptr_nonnull(config);
	ck_assert_ptr_null(config->token_variable);
	ck_assert(config->token_in_environment);
}
END_TEST

static void
expect_taken(char **env, const char *own, const char *wanted)
{
	char got[64];
	const char *why;
	ssize_t n;
	int fd;

	ck_assert_int_eq(secret_take(env, own, &fd, &why), 0);
	ck_assert_int_ge(fd, 0);
	n = pread(fd, got, sizeof(got) - 1, 0);
	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, wanted);
	close(fd);
	for (size_t i = 0; env[i] != NULL; i++)
		ck_assert_msg(strstr(env[i], "secret") == NULL, "%s", env[i]);
}

START_TEST(takes_the_token_and_overwrites_every_copy)
{
	char *env[] = { (char[]){ "API_KEY=secret-1" }, (char[]){ "MINE=secret-2" },
			(char[]){ "GANDI_API_KEY=secret-3" }, (char[]){ "MINE=secret-4" }, NULL };
	char *without[] = { (char[]){ "API_KEY=secret-1" }, (char[]){ "MINE=" }, NULL };

	expect_taken(env, "MINE", "secret-2");
	expect_taken(without, "MINE", "secret-1");
}
END_TEST

/* --- any bytes ------------------------------------------------------------------- */

/* As for YAML: read or refused in words that no terminal obeys. The loop's number is the seed. */
START_TEST(survives_any_bytes)
{
	static const char spice[] = "[]{}=:;#\"', \t\n\r\\0~\x80\xC2\xFF";
	char text[4096];
	FILE *f = fopen(GOLDEN "/dns.ini", "re");
	size_t len;

	ck_assert_ptr_nonnull(f);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	ck_assert_uint_gt(len, 100);
	srandom((unsigned)_i);
	for (int n = 0; n < 20; n++) {
		for (int k = 0; k < 3; k++)
			text[(size_t)random() % len] =
				spice[(size_t)random() % (sizeof(spice) - 1)];
		write_file("test.ini", text, len - (size_t)random() % 20);
		load("test.ini", original_env);
		for (size_t i = 0; i < report.n; i++) {
			for (const char *p = report.messages[i].text; *p != '\0'; p++)
				ck_assert_msg((unsigned char)*p >= ' ' && *p != 0x7F, "seed %d: %s",
					      _i, report.messages[i].text);
		}
	}
}
END_TEST

START_TEST(bounds_what_is_listed)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, BEGIN);
	for (int i = 0; i < 600; i++)
		buf_printf(&b, "msg_%d = text\n", i);
	load_ini(buf_text(&b), original_env);
	ck_assert_ptr_null(config);
	ck_assert(said("more than 512 sections and keys"));
	buf_free(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dnsini");
	TCase *tc;
	int status;

	ngolden = scandir(GOLDEN, &golden, is_ini, alphasort);
	if (ngolden <= 0) {
		fprintf(stderr, "there are no golden files in %s\n", GOLDEN);
		return EXIT_FAILURE;
	}
	tc = add_case(suite, "golden");
	tcase_add_loop_test(tc, says_what_the_golden_file_says, 0, ngolden);
	tc = add_case(suite, "file");
	tcase_add_test(tc, reads_the_file_of_the_original);
	tcase_add_test(tc, asks_the_built_in_stun_servers_alone);
	tcase_add_test(tc, shares_a_port_that_both_want);
	tcase_add_test(tc, takes_lists_of_several_lines);
	tcase_add_test(tc, sends_the_token_as_it_is_told);
	tcase_add_test(tc, takes_lines_of_any_length);
	tcase_add_test(tc, refuses_what_it_cannot_take_whole);
	tc = add_case(suite, "environment");
	tcase_add_test(tc, asks_the_variables_that_it_names);
	tcase_add_test(tc, complains_about_a_variable_by_its_name);
	tcase_add_test(tc, repeats_no_secret);
	tcase_add_test(tc, takes_the_token_and_overwrites_every_copy);
	tc = add_case(suite, "hostile");
	tcase_add_loop_test(tc, survives_any_bytes, 0, 20);
	tcase_add_test(tc, bounds_what_is_listed);
	status = run_suite(suite);
	for (int i = 0; i < ngolden; i++)
		free(golden[i]);
	free(golden);
	return status;
}
