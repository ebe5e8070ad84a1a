#include <check.h>
#include <config.h>
#include <dirent.h>
#include <signal.h>

#include "common/json.h"
#include "supervisor/parts.h"
#include "tests/config_world.h"

#define GOLDEN TESTS_SRCDIR "/golden/config"
#define SAMPLE TESTS_SRCDIR "/../etc/esddns.yaml"

static char *
read_file(const char *path)
{
	struct buf b = BUF_INIT;
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s is missing", path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&b, chunk, (size_t)n);
	close(fd);
	return b.data != NULL ? buf_take(&b) : mem_strdup("");
}

/* --- golden files ------------------------------------------------------------ */

static struct dirent **golden;
static int ngolden;

static int
is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".yaml") == 0;
}

/* Each NAME.yaml gives exactly the messages of NAME.txt. */
START_TEST(says_what_the_golden_file_says)
{
	const char *name = golden[_i]->d_name;
	char path[512];
	char *wanted, *got;

	ck_assert_int_eq(chdir(GOLDEN), 0);
	load(name, token_env);
	snprintf(path, sizeof(path), "%.*s.txt", (int)(strlen(name) - 5), name);
	wanted = read_file(path);
	got = messages();
	ck_assert_msg(strcmp(wanted, got) == 0, "%s\n--- wanted\n%s--- got\n%s", name, wanted, got);
	free(wanted);
	free(got);
}
END_TEST

START_TEST(gives_each_worker_its_part)
{
	char *wanted, *got, *parts[3], *version;
	struct buf b = BUF_INIT;

	load(GOLDEN "/full.yaml", token_env);
	ck_assert_ptr_nonnull(config);
	for (int i = 0; i < CONFIG_UNIT__MAX; i++) {
		const char *why = NULL;
		cJSON *json;

		parts[i] = parts_unit(config, (enum config_unit)i);
		json = json_parse(parts[i], strlen(parts[i]), &why);
		ck_assert_msg(json != NULL, "part %d: %s", i, why);
		ck_assert_str_eq(json_text(json, "unit"), config_unit_name((enum config_unit)i));
		ck_assert_str_eq(json_text(json, "version"), PACKAGE_VERSION);
		cJSON_Delete(json);
		version = strstr(parts[i], "\"version\":\"" PACKAGE_VERSION "\"");
		ck_assert_ptr_nonnull(version);
		buf_add(&b, parts[i], (size_t)(version - parts[i]));
		buf_printf(&b, "\"version\":\"@VERSION@\"%s\n",
			   version + strlen("\"version\":\"" PACKAGE_VERSION "\""));
		free(parts[i]);
	}
	got = buf_take(&b);
	wanted = read_file(GOLDEN "/full.parts");
	ck_assert_str_eq(got, wanted);
	free(got);
	free(wanted);
}
END_TEST

START_TEST(reads_the_directives_of_units)
{
	const struct config_directives *d, *u;

	load(GOLDEN "/full.yaml", token_env);
	d = &config->units[CONFIG_DETECTOR];
	ck_assert_uint_eq(d->nargs, 3);
	ck_assert_str_eq(d->exec_start[0], "/opt/detector");
	ck_assert_str_eq(d->exec_start[1], "--flag");
	ck_assert_str_eq(d->exec_start[2], "");
	ck_assert_ptr_null(d->exec_start[3]);
	ck_assert_int_eq(d->type, CONFIG_TYPE_EXEC);
	ck_assert_int_eq(d->restart, CONFIG_RESTART_ON_FAILURE);
	u = &config->units[CONFIG_UPDATER];
	ck_assert(config_statuses_code(&u->success_exit_status, 3));
	ck_assert(!config_statuses_code(&u->success_exit_status, 4));
	ck_assert(config_statuses_signal(&u->success_exit_status, SIGUSR1));
	ck_assert(!config_statuses_signal(&u->success_exit_status, SIGUSR2));
	ck_assert_int_eq(u->kill_signal, SIGINT);
	ck_assert_int_eq(u->watchdog, 0);
	ck_assert(u->after[CONFIG_WEBD] && !u->after[CONFIG_DETECTOR]);
	ck_assert_int_eq(config->sandbox, CONFIG_SANDBOX_OFF);
	ck_assert_int_eq(config->on_failure, CONFIG_ON_FAILURE_DEGRADE);
}
END_TEST

/* --- defaults ---------------------------------------------------------------- */

START_TEST(has_the_defaults_of_the_design)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, token_env[0], NULL };
	const struct config_directives *d;

	load(NULL, env);
	expect("");
	ck_assert_str_eq(config->runtime_dir, "/run/esddns");
	ck_assert_str_eq(config->state_dir, "/var/lib/esddns");
	ck_assert_uint_eq(config->nrecords, 1);
	ck_assert_str_eq(config->records[0].fqdn, "example.com");
	ck_assert_str_eq(config->records[0].name, "@");
	ck_assert_int_eq(config->records[0].ttl, 300);
	ck_assert_int_eq(config->detector.interval, 300000);
	ck_assert_int_eq(config->detector.tripwire, 15000);
	ck_assert_uint_eq(config->detector.quorum, 0);
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_LOCAL);
	ck_assert(config->token_in_environment);
	ck_assert(config_needs(config, ADDRESS_IPV4));
	ck_assert(!config_needs(config, ADDRESS_IPV6));
	d = &config->units[CONFIG_DETECTOR];
	ck_assert_str_eq(d->exec_start[0], "esddns-detector");
	ck_assert_int_eq(d->restart_sec, 500);
	ck_assert_uint_eq(d->restart_steps, 6);
	ck_assert_int_eq(d->restart_max_delay, 60000);
	ck_assert_uint_eq(d->start_limit_burst, 8);
	ck_assert_int_eq(d->start_limit_interval, 600000);
	ck_assert_int_eq(d->watchdog, 20000);
	ck_assert(d->after[CONFIG_UPDATER] && !d->after[CONFIG_WEBD]);
	ck_assert_uint_eq(config->units[CONFIG_WEBD].start_limit_burst, 0);
}
END_TEST

static unsigned
operators_for(bool ipv6, bool stun)
{
	unsigned n = 0;

	for (size_t i = 0; i < config->detector.nsources; i++) {
		const struct config_source *s = &config->detector.sources[i];
		bool is_stun = s->kind == CONFIG_SOURCE_STUN;

		n += (ipv6 ? s->ipv6 : s->ipv4) && (!stun || is_stun);
	}
	return n;
}

START_TEST(asks_five_operators_for_ipv4_and_three_for_ipv6)
{
	load_text("records: [{zone: example.com}, {zone: example.com, type: AAAA}]\n", token_env);
	expect("");
	ck_assert_uint_eq(operators_for(false, false), 5);
	ck_assert_uint_eq(operators_for(false, true), 2);
	ck_assert_uint_eq(operators_for(true, false), 3);
	ck_assert_uint_eq(operators_for(true, true), 1);
	/* a quorum of all can be met, one more cannot */
	load_text("records: [{zone: example.com}]\ndetector: {quorum: 5}\n", token_env);
	expect("");
	load_text("records: [{zone: example.com}]\ndetector: {quorum: 6}\n", token_env);
	ck_assert_ptr_null(config);
}
END_TEST

static void
expect_same_directives(const struct config_directives *a, const struct config_directives *b)
{
	ck_assert_uint_eq(a->nargs, b->nargs);
	for (size_t i = 0; i < a->nargs; i++)
		ck_assert_str_eq(a->exec_start[i], b->exec_start[i]);
	ck_assert_int_eq(a->enabled, b->enabled);
	ck_assert_int_eq(a->type, b->type);
	ck_assert_int_eq(a->restart, b->restart);
	ck_assert_int_eq(a->restart_sec, b->restart_sec);
	ck_assert_uint_eq(a->restart_steps, b->restart_steps);
	ck_assert_int_eq(a->restart_max_delay, b->restart_max_delay);
	ck_assert_uint_eq(a->start_limit_burst, b->start_limit_burst);
	ck_assert_int_eq(a->start_limit_interval, b->start_limit_interval);
	ck_assert_int_eq(a->timeout_start, b->timeout_start);
	ck_assert_int_eq(a->timeout_stop, b->timeout_stop);
	ck_assert_int_eq(a->timeout_abort, b->timeout_abort);
	ck_assert_int_eq(a->watchdog, b->watchdog);
	ck_assert_int_eq(a->kill_signal, b->kill_signal);
	ck_assert_int_eq(a->stable_after, b->stable_after);
	ck_assert_mem_eq(a->after, b->after, sizeof(a->after));
	ck_assert_mem_eq(&a->success_exit_status, &b->success_exit_status,
			 sizeof(a->success_exit_status));
}

/* What the sample says are the defaults are the defaults. */
START_TEST(the_sample_shows_the_defaults)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, token_env[0], NULL };
	struct config *sample;

	load(SAMPLE, token_env);
	ck_assert_msg(config != NULL, "%s", report.n > 0 ? report.messages[0].text : "");
	sample = config;
	config = NULL;
	load(NULL, env);
	ck_assert_str_eq(sample->provider.token_file, "/etc/esddns/gandi/token");
	free(sample->provider.token_file);
	sample->provider.token_file = NULL;
	for (int i = 0; i < CONFIG_UNIT__MAX; i++) {
		char *a = parts_unit(sample, (enum config_unit)i);
		char *b = parts_unit(config, (enum config_unit)i);

		ck_assert_str_eq(a, b);
		ck_assert(!parts_differ(sample, config, (enum config_unit)i));
		free(a);
		free(b);
		expect_same_directives(&sample->units[i], &config->units[i]);
	}
	ck_assert_int_eq(sample->sandbox, config->sandbox);
	ck_assert_int_eq(sample->on_failure, config->on_failure);
	ck_assert_int_eq(sample->cluster.lease.duration, config->cluster.lease.duration);
	ck_assert_str_eq(sample->cluster.peers.listen.host, config->cluster.peers.listen.host);
	config_free(sample);
}
END_TEST

/* Workers cannot tell that the supervisor is PID 1, so "auto" is decided before they get it. */
START_TEST(decides_the_format_of_the_log_for_all)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, token_env[0], NULL };

	load(NULL, env);
	ck_assert_int_eq(config->log.format, LOG_AUTO);
	for (int in_pod = 0; in_pod <= 1; in_pod++) {
		const char *wanted = in_pod ? "\"format\":\"json\"}" : "\"format\":\"logfmt\"}";

		if (in_pod)
			setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
		else
			unsetenv("KUBERNETES_SERVICE_HOST");
		for (int i = 0; i < CONFIG_UNIT__MAX; i++) {
			char *part = parts_unit(config, (enum config_unit)i);

			ck_assert_msg(strstr(part, wanted) != NULL, "%s", part);
			free(part);
		}
	}
}
END_TEST

/* A probe asks the sources alone, in a pod too: it needs no way to the API server. */
START_TEST(a_probe_belongs_to_no_cluster)
{
	char *env[] = { (char[]){ "TARGET_DOMAIN_FQDN=example.com" }, token_env[0], NULL };
	char *part;

	load(NULL, env);
	config->cluster.backend = CONFIG_BACKEND_KUBERNETES;
	part = parts_probe(config);
	ck_assert_msg(strstr(part, "\"cluster\":{\"backend\":\"local\"}") != NULL, "%s", part);
	free(part);
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_KUBERNETES);
}
END_TEST

START_TEST(tells_whose_part_differs)
{
	struct config *before;

	load_text("records: [{zone: example.com}]\n", token_env);
	before = config;
	config = NULL;
	load_text("# the same\nrecords:\n  - {zone: example.com, ttl: 300}\n", token_env);
	for (int i = 0; i < CONFIG_UNIT__MAX; i++)
		ck_assert(!parts_differ(before, config, (enum config_unit)i));
	load_text("records: [{zone: example.com, ttl: 301}]\n", token_env);
	ck_assert(!parts_differ(before, config, CONFIG_DETECTOR));
	ck_assert(parts_differ(before, config, CONFIG_UPDATER));
	ck_assert(parts_differ(before, config, CONFIG_WEBD));
	load_text("records: [{zone: example.com}]\ndetector: {confirm: 3s}\n", token_env);
	ck_assert(parts_differ(before, config, CONFIG_DETECTOR));
	ck_assert(!parts_differ(before, config, CONFIG_UPDATER));
	ck_assert(!parts_differ(before, config, CONFIG_WEBD));
	config_free(before);
}
END_TEST

/* --- files that are none ----------------------------------------------------- */

START_TEST(refuses_what_is_no_file_of_its_own)
{
	char *text;

	load("missing.yaml", token_env);
	expect("missing.yaml: cannot be opened: No such file or directory\n");
	ck_assert_int_eq(mkdir("dir.yaml", 0700), 0);
	load("dir.yaml", token_env);
	expect("dir.yaml: is not a regular file\n");
	rmdir("dir.yaml");
	/* nobody writes to it: opening it must not wait */
	ck_assert_int_eq(mkfifo("fifo.yaml", 0600), 0);
	load("fifo.yaml", token_env);
	expect("fifo.yaml: is not a regular file\n");
	text = mem_new(CONFIG_FILE_MAX + 1, 1);
	memset(text, '#', CONFIG_FILE_MAX + 1);
	write_file("large.yaml", text, CONFIG_FILE_MAX + 1);
	load("large.yaml", token_env);
	expect("large.yaml: is larger than 1 MiB; no configuration is\n");
	/* a comment of exactly 1 MiB is read */
	write_file("large.yaml", text, CONFIG_FILE_MAX);
	free(text);
	load("large.yaml", token_env);
	ck_assert_uint_eq(report.nerrors, 1);
	ck_assert_ptr_nonnull(strstr(report.messages[0].text, "no record is configured"));
}
END_TEST

/* n entries made by format, which takes the entry's number twice. */
static void
load_many(const char *before, const char *format, unsigned n, const char *after)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, before);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, format, i, i);
	buf_adds(&b, after);
	load_text(buf_text(&b), token_env);
	buf_free(&b);
}

START_TEST(bounds_what_is_listed)
{
	const char *record = "  - {zone: example.com, name: n%u, ttl: 30%u}\n";
	const char *source = "    - {operator: o%u, url: \"https://h%u.example\"}\n";
	const char *around = "records: [{zone: example.com}]\ndetector:\n  sources:\n";

	load_many("records:\n", record, 64, "");
	expect("");
	load_many("records:\n", record, 65, "");
	expect("test.yaml:1: records: has 65 entries; at most 64 are taken\n");
	load_many("records:\n", record, 129, "");
	expect("test.yaml:130: more than 128 entries in one list or mapping\n");
	load_many(around, source, 16, "");
	expect("");
	load_many(around, source, 17, "");
	expect("test.yaml:3: detector.sources: 17 operators answer for IPv4; at most 16 are "
	       "taken\n");
	load_many(around, source, 33, "");
	expect("test.yaml:3: detector.sources: has 33 entries; at most 32 are taken\n");
	load_many("", "unknown%u: %u\n", 128, "");
	ck_assert_uint_eq(report.n, 101);
	ck_assert_str_eq(report.messages[100].text,
			 "there are more mistakes than can be told; correct these first");
}
END_TEST

START_TEST(tells_mistakes_in_the_order_of_lines)
{
	ck_assert_int_eq(chdir(GOLDEN), 0);
	load("all-at-once.yaml", token_env);
	ck_assert_uint_ge(report.nerrors, 10);
	for (size_t i = 1; i < report.n; i++)
		ck_assert_uint_ge(report.messages[i].line, report.messages[i - 1].line);
}
END_TEST

/*
 * Whatever bytes a file holds: it is read or refused in words, and no message
 * holds what a terminal would obey. The loop's number is the seed.
 */
START_TEST(survives_any_bytes)
{
	static const char spice[] = "{}[]:,-?&*!|>'\"%@`#\n\t \\0~\x80\xC2\xFF";
	char *text = read_file(GOLDEN "/full.yaml");
	size_t len = strlen(text);

	srandom((unsigned)_i);
	for (int n = 0; n < 20; n++) {
		for (int k = 0; k < 3; k++)
			text[(size_t)random() % len] =
				spice[(size_t)random() % (sizeof(spice) - 1)];
		write_file("test.yaml", text, len - (size_t)random() % 20);
		load("test.yaml", token_env);
		for (size_t i = 0; i < report.n; i++) {
			for (const char *p = report.messages[i].text; *p != '\0'; p++)
				ck_assert_msg((unsigned char)*p >= ' ' && *p != 0x7F, "seed %d: %s",
					      _i, report.messages[i].text);
		}
	}
	free(text);
}
END_TEST

/*
 * A limit that is just reached by the quickest restarts is taken, one
 * millisecond less is refused: delays of 1 s, then four times 60 s.
 */
START_TEST(refuses_a_start_limit_out_of_reach)
{
	const char *format = "records: [{zone: example.com}]\nunits: {updater: {RestartSec: 60s, "
			     "RestartSteps: 0, stable_after: 1h, StartLimitBurst: 5, "
			     "StartLimitIntervalSec: %s}}\n";
	char text[512];

	snprintf(text, sizeof(text), format, "300001ms");
	load_text(text, token_env);
	expect("");
	snprintf(text, sizeof(text), format, "300000ms");
	load_text(text, token_env);
	ck_assert_uint_eq(report.nerrors, 1);
	ck_assert_ptr_nonnull(strstr(report.messages[0].text, "units.updater.StartLimitBurst"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc;
	int status;

	ngolden = scandir(GOLDEN, &golden, is_yaml, alphasort);
	if (ngolden <= 0) {
		fprintf(stderr, "there are no golden files in %s\n", GOLDEN);
		return EXIT_FAILURE;
	}
	tc = add_case(suite, "golden");
	tcase_add_loop_test(tc, says_what_the_golden_file_says, 0, ngolden);
	tcase_add_test(tc, gives_each_worker_its_part);
	tcase_add_test(tc, reads_the_directives_of_units);
	tc = add_case(suite, "defaults");
	tcase_add_test(tc, has_the_defaults_of_the_design);
	tcase_add_test(tc, asks_five_operators_for_ipv4_and_three_for_ipv6);
	tcase_add_test(tc, the_sample_shows_the_defaults);
	tcase_add_test(tc, decides_the_format_of_the_log_for_all);
	tcase_add_test(tc, a_probe_belongs_to_no_cluster);
	tcase_add_test(tc, tells_whose_part_differs);
	tc = add_case(suite, "files");
	tcase_add_test(tc, refuses_what_is_no_file_of_its_own);
	tcase_add_test(tc, bounds_what_is_listed);
	tcase_add_test(tc, tells_mistakes_in_the_order_of_lines);
	tcase_add_loop_test(tc, survives_any_bytes, 0, 50);
	tcase_add_test(tc, refuses_a_start_limit_out_of_reach);
	status = run_suite(suite);
	for (int i = 0; i < ngolden; i++)
		free(golden[i]);
	free(golden);
	return status;
}
