/* What esddnsctl shows, for hosts in all conditions; and how text is wrapped. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/wrap.h"
#include "ctl/view.h"
#include "tests/golden.h"

#define UNIT(name, state, rest)                                                                    \
	"{\"name\":\"" name "\",\"enabled\":true,\"state\":\"" state                               \
	"\",\"age_ms\":11520000,\"since\":1795251852000," rest "}"
#define RUNS(pid, status)                                                                          \
	"\"pid\":" #pid                                                                            \
	",\"restarts\":0,\"last_exit\":\"\",\"next_start_in\":-1,\"status\":\"" status             \
	"\",\"memory\":5242880,\"cpu_ms\":1234"
#define FRAME(units)                                                                               \
	"{\"ok\":true,\"version\":\"0.1.0\",\"pid\":4709,\"since\":1795251852000,"                 \
	"\"age_ms\":11520000,\"phase\":\"running\",\"ready\":true,\"degraded\":false,"             \
	"\"config\":\"/etc/esddns/esddns.yaml\",\"warnings\":1,\"units\":[" units "]}"

static const char healthy[] = FRAME(UNIT(
	"detector", "active",
	RUNS(4711,
	     "198.20.0.7, agreed by 5 of 5") ",\"knows_age_ms\":30000,\"knows\":{"
					     "\"families\":[{\"family\":\"ipv4\",\"state\":"
					     "\"agreed\",\"address\":\"198.20.0.7\","
					     "\"detected_at\":1795251852000,\"confirmed_age_"
					     "ms\":"
					     "12000,\"checked_age_ms\":12000,"
					     "\"asked\":5,\"answered\":5,\"agreed\":5,"
					     "\"needed\":3,"
					     "\"reason\":\"\",\"dissent\":[]}],"
					     "\"store\":\"\"}") "," UNIT("updater", "active",
									 RUNS(4710,
									      "2 records, 2 "
									      "in "
									      "sync") ",\"know"
										      "s_"
										      "age_"
										      "ms\":"
										      "1000,"
										      "\"knows"
										      "\":{"
										      "\"obser"
										      "ve\":"
										      "false,"
										      "\"dry_"
										      "run\":"
										      "false,"
										      "\"total"
										      "\":2,"
										      "\"left_"
										      "out\":"
										      "0,"
										      "\"recor"
										      "ds\":"
										      "["
										      "{\"fqdn"
										      "\":"
										      "\"examp"
										      "le."
										      "com\","
										      "\"type"
										      "\":"
										      "\"A\","
										      "\"state"
										      "\":"
										      "\"in_"
										      "sync\","
										      "\"wante"
										      "d\":"
										      "\"198."
										      "20.0."
										      "7\","
										      "\"found"
										      "\":"
										      "\"198."
										      "20.0."
										      "7\","
										      "\"value"
										      "s\":"
										      "1,"
										      "\"ttl\""
										      ":"
										      "300,"
										      "\"check"
										      "ed_"
										      "age_"
										      "ms\":"
										      "40000,"
										      "\"next_"
										      "in_"
										      "ms\":"
										      "260000,"
										      "\"error"
										      "\":"
										      "null},"
										      "{\"fqdn"
										      "\":"
										      "\"home."
										      "example"
										      "."
										      "com\","
										      "\"type"
										      "\":"
										      "\"A\","
										      "\"state"
										      "\":"
										      "\"in_"
										      "sync\","
										      "\"wante"
										      "d\":"
										      "\"198."
										      "20.0."
										      "7\","
										      "\"found"
										      "\":"
										      "\"198."
										      "20.0."
										      "7\","
										      "\"value"
										      "s\":"
										      "1,"
										      "\"ttl\""
										      ":"
										      "300,"
										      "\"check"
										      "ed_"
										      "age_"
										      "ms\":"
										      "40000,"
										      "\"next_"
										      "in_"
										      "ms\":"
										      "260000,"
										      "\"error"
										      "\":"
										      "null}]"
										      "}") "," UNIT("webd",
												    "active",
												    RUNS(4712,
													 "serving") ",\"knows_age_ms\":-1,\"knows\":null"));

static const char broken[] = FRAME(UNIT(
	"detector", "backoff",
	"\"pid\":0,\"restarts\":4,\"last_exit\":\"killed by signal 11 (Segmentation fault)\","
	"\"next_start_in\":11700,\"status\":\"198.20.0.7, agreed by 5 of "
	"5\",\"memory\":0,\"cpu_ms\":77,"
	"\"knows_age_ms\":95000,\"knows\":{"
	"\"families\":[{\"family\":\"ipv4\",\"state\":\"held\",\"address\":\"198.20.0.7\","
	"\"detected_at\":1795251852000,\"confirmed_age_ms\":612000,\"checked_age_ms\":2000,"
	"\"asked\":5,\"answered\":4,\"agreed\":2,\"needed\":3,\"reason\":\"2 of 5 operators "
	"named 203.0.113.9, 2 named 198.20.0.7 and one did not answer; 3 are needed, so "
	"198.20.0.7 stays\",\"dissent\":[{\"operator\":\"ipify\",\"answer\":\"203.0.113.9\","
	"\"error\":\"\"},{\"operator\":\"cloudflare\",\"answer\":\"10.0.0.1\",\"error\":\"the "
	"address is private (10.0.0.0/8)\"},{\"operator\":\"google\",\"answer\":\"\","
	"\"error\":\"name server did not "
	"answer\"}]},{\"family\":\"ipv6\",\"state\":\"unknown\","
	"\"address\":\"\",\"detected_at\":0,\"confirmed_age_ms\":-1,\"checked_age_ms\":-1,"
	"\"asked\":0,\"answered\":0,\"agreed\":0,\"needed\":0,\"reason\":\"no round has ended "
	"since the start\",\"dissent\":[]}],\"store\":\"cannot write "
	"/var/lib/esddns/state.json: "
	"No space left on device\"}") "," UNIT("updater", "active",
					       RUNS(4710,
						    "1 record, 1 attention") ",\"knows_age_"
									     "ms\":1000,"
									     "\"knows\":{"
									     "\"observe\":"
									     "false,"
									     "\"dry_run\":"
									     "false,\"total\":"
									     "40,\"left_out\":"
									     "38,\"records\":["
									     "{\"fqdn\":"
									     "\"example.com\","
									     "\"type\":\"A\","
									     "\"state\":"
									     "\"attention\","
									     "\"wanted\":"
									     "\"198.20.0.7\","
									     "\"found\":null,"
									     "\"values\":0,"
									     "\"ttl\":0,"
									     "\"checked_age_"
									     "ms\":-1,"
									     "\"next_in_ms\":"
									     "60000,\"error\":"
									     "\"Gandi refused "
									     "the token "
									     "(401): it is "
									     "wrong or has "
									     "expired; put a "
									     "new personal "
									     "access token "
									     "into "
									     "/etc/esddns/"
									     "gandi/token\"},"
									     "{\"fqdn\":\"www."
									     "example.com\","
									     "\"type\":"
									     "\"AAAA\","
									     "\"state\":"
									     "\"unknown\","
									     "\"wanted\":null,"
									     "\"found\":null,"
									     "\"values\":0,"
									     "\"ttl\":0,"
									     "\"checked_age_"
									     "ms\":-1,\"next_"
									     "in_ms\":-1,"
									     "\"error\":null}]"
									     "}") "," UNIT("we"
											   "b"
											   "d",
											   "fa"
											   "il"
											   "e"
											   "d",
											   "\""
											   "pi"
											   "d"
											   "\""
											   ":0"
											   ","
											   "\""
											   "re"
											   "st"
											   "ar"
											   "ts"
											   "\""
											   ":8"
											   ","
											   "\""
											   "la"
											   "st"
											   "_e"
											   "xi"
											   "t"
											   "\""
											   ":"
											   "\""
											   "co"
											   "ul"
											   "d "
											   "no"
											   "t "
											   "be"
											   " e"
											   "xe"
											   "cu"
											   "te"
											   "d:"
											   " "
											   "/u"
											   "sr"
											   "/l"
											   "oc"
											   "al"
											   "/l"
											   "ib"
											   "ex"
											   "ec"
											   "/e"
											   "sd"
											   "dn"
											   "s/"
											   "es"
											   "dd"
											   "ns"
											   "-w"
											   "eb"
											   "d:"
											   " N"
											   "o "
											   "su"
											   "ch"
											   " f"
											   "il"
											   "e "
											   "or"
											   " d"
											   "ir"
											   "ec"
											   "to"
											   "ry"
											   "\""
											   ","
											   "\""
											   "ne"
											   "xt"
											   "_s"
											   "ta"
											   "rt"
											   "_i"
											   "n"
											   "\""
											   ":-"
											   "1,"
											   "\""
											   "st"
											   "at"
											   "us"
											   "\""
											   ":"
											   "\""
											   "\""
											   ","
											   "\""
											   "me"
											   "mo"
											   "ry"
											   "\""
											   ":0"
											   ","
											   "\""
											   "cp"
											   "u_"
											   "ms"
											   "\""
											   ":0"
											   ","
											   "\""
											   "kn"
											   "ow"
											   "s_"
											   "ag"
											   "e_"
											   "ms"
											   "\""
											   ":-"
											   "1,"
											   "\""
											   "kn"
											   "ow"
											   "s"
											   "\""
											   ":n"
											   "ul"
											   "l"));

static const char starting[] =
	"{\"ok\":true,\"version\":\"0.1.0\",\"pid\":1,\"since\":"
	"1795251852000,\"age_ms\":30,"
	"\"phase\":\"running\",\"ready\":false,\"degraded\":false,"
	"\"config\":null,\"warnings\":0,"
	"\"units\":[" UNIT("detector", "inactive",
			   "\"pid\":0,\"restarts\":0,\"last_exit\":\"\",\"next_start_"
			   "in\":-1,\"status\":\"\","
			   "\"memory\":0,\"cpu_ms\":0,\"knows_age_ms\":-1,\"knows\":"
			   "null") ","
				   "{\"name\":\"webd\",\"enabled\":false,\"state\":"
				   "\"inactive\",\"pid\":0,\"age_ms\":30,"
				   "\"restarts\":0,\"last_exit\":\"\",\"next_start_"
				   "in\":-1,\"status\":\"\",\"memory\":0,"
				   "\"cpu_ms\":0,\"knows\":null,\"knows_age_ms\":-1}]}";

/* In a cluster; and a port is taken there. */
static const char follower[] = FRAME(UNIT(
	"detector", "active",
	RUNS(4711, "standing by: node1 leads") ",\"knows_age_ms\":30000,\"knows\":{\"families\":[],"
					       "\"store\":\"\",\"standby\":\"standing by: node1 "
					       "leads\"}") "," UNIT("webd", "backoff",
								    "\"pid\":0,\"restarts\":5,"
								    "\"last_exit\":\"exited "
								    "with 1\",\"next_start_in\":"
								    "8000,\"status\":\"cannot "
								    "listen on 10.77.0.12 port "
								    "8080: another program "
								    "listens there already\","
								    "\"memory\":0,\"cpu_ms\":0,"
								    "\"knows\":null,"
								    "\"knows_age_ms\":-1"));

static int
show(const char *json, const char *unit, bool colour, struct buf *out)
{
	cJSON *status = json_parse(json, strlen(json), NULL);
	int code;

	ck_assert_ptr_nonnull(status);
	code = view_status(status, unit, colour, out);
	ck_assert_int_eq(code, view_status_code(status, unit));
	cJSON_Delete(status);
	return code;
}

static void
compare(const char *json, const char *file, int want)
{
	struct buf b = BUF_INIT;

	ck_assert_int_eq(show(json, NULL, false, &b), want);
	golden_fits(&b);
	golden_compare(file, &b);
	buf_free(&b);
}

START_TEST(a_healthy_host)
{
	compare(healthy, "ctl/healthy.txt", VIEW_EXIT_OK);
}
END_TEST

START_TEST(a_broken_host)
{
	compare(broken, "ctl/broken.txt", VIEW_EXIT_NOT_ACTIVE);
}
END_TEST

static const char standing_by[] = FRAME(
	UNIT("detector", "active",
	     RUNS(4711, "standing by: node2 leads") ",\"knows_age_ms\":30000,\"knows\":{"
						    "\"families\":[],\"standby\":\"standing by: "
						    "node2 leads\",\"store\":\"\"}"));

START_TEST(a_pod_that_stands_by)
{
	compare(standing_by, "ctl/standing-by.txt", VIEW_EXIT_OK);
}
END_TEST

START_TEST(a_follower_whose_port_is_taken)
{
	compare(follower, "ctl/follower.txt", VIEW_EXIT_NOT_ACTIVE);
}
END_TEST

START_TEST(a_host_that_starts)
{
	compare(starting, "ctl/starting.txt", VIEW_EXIT_NOT_ACTIVE);
}
END_TEST

START_TEST(one_unit)
{
	struct buf b = BUF_INIT;

	ck_assert_int_eq(show(broken, "updater", false, &b), VIEW_EXIT_OK);
	golden_fits(&b);
	ck_assert_ptr_null(strstr(buf_text(&b), "webd"));
	buf_clear(&b);
	ck_assert_int_eq(show(broken, "webd", false, &b), VIEW_EXIT_NOT_ACTIVE);
	golden_fits(&b);
	buf_clear(&b);
	ck_assert_int_eq(show(broken, "wbed", false, &b), VIEW_EXIT_NO_UNIT);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(colour_changes_no_word)
{
	struct buf plain = BUF_INIT, colour = BUF_INIT, stripped = BUF_INIT;

	show(broken, NULL, false, &plain);
	show(broken, NULL, true, &colour);
	ck_assert_ptr_nonnull(strstr(buf_text(&colour), "\033[31m"));
	for (const char *p = buf_text(&colour); *p != '\0'; p++) {
		if (*p == '\033')
			p += strcspn(p, "m");
		else
			buf_addc(&stripped, *p);
	}
	ck_assert_str_eq(buf_text(&stripped), buf_text(&plain));
	buf_free(&plain);
	buf_free(&colour);
	buf_free(&stripped);
}
END_TEST

/* Every text of an answer is made hostile in turn: long, without spaces, with escapes. */
START_TEST(nothing_a_worker_says_breaks_the_screen)
{
	static const char *const texts[] = {
		"\"\"",
		"\"\\u001b[2J\\u001b]0;title\\u0007\\u009b31m\"",
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaa\"",
		"\"\\u00e4\\u00e4 \\u2026 \\u4e2d\\u6587 \"",
		"null",
		"-1",
		"{}",
		"[[]]",
		"1e300",
	};
	unsigned tried = 0;

	for (const char *p = broken; (p = strchr(p, ':')) != NULL; p++) {
		size_t skip = p[1] == '"' ? strcspn(p + 2, "\"") + 3 : strcspn(p, ",]}");

		if (p[1] != '"' && strchr("0123456789-n", p[1]) == NULL)
			continue;
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			struct buf json = BUF_INIT, out = BUF_INIT;
			cJSON *status;

			buf_add(&json, broken, (size_t)(p + 1 - broken));
			buf_adds(&json, texts[i]);
			buf_adds(&json, p + skip);
			status = json_parse(buf_text(&json), json.len, NULL);
			if (status != NULL) {
				view_status(status, NULL, false, &out);
				golden_fits(&out);
				tried++;
			}
			cJSON_Delete(status);
			buf_free(&json);
			buf_free(&out);
		}
	}
	ck_assert_uint_gt(tried, 300);
}
END_TEST

static void
check_reload(const char *json, const char *file)
{
	cJSON *answer = json_parse(json, strlen(json), NULL);
	struct buf b = BUF_INIT;

	ck_assert_ptr_nonnull(answer);
	view_reload(answer, &b);
	golden_fits(&b);
	golden_compare(file, &b);
	cJSON_Delete(answer);
	buf_free(&b);
}

START_TEST(a_reload_that_worked)
{
	check_reload("{\"ok\":true,\"changed\":[\"detector\",\"webd\"],\"errors\":[],"
		     "\"errors_left_out\":0,\"warnings\":[\"esddns.yaml:5: detector.quorum: 2 of 5 "
		     "operators for IPv4 is no majority; two groups of them may win by turns\"],"
		     "\"warnings_left_out\":0}",
		     "ctl/reload.txt");
}
END_TEST

START_TEST(a_reload_that_was_refused)
{
	check_reload(
		"{\"ok\":false,\"code\":\"failed\",\"error\":\"the configuration cannot be "
		"used, the old one stays in force\",\"changed\":[],\"errors\":["
		"\"esddns.yaml:4: records[0].ttl: must be from 300 to 2592000, not 299\","
		"\"esddns.yaml:9: unknown key 'intervall' in detector; did you mean "
		"'interval'?\"],\"errors_left_out\":2,\"warnings\":[],\"warnings_left_out\":0}",
		"ctl/refused.txt");
}
END_TEST

static void
wraps(size_t column, size_t indent, const char *text, const char *want)
{
	struct buf b = BUF_INIT;

	wrap_add(&b, column, indent, text);
	ck_assert_str_eq(buf_text(&b), want);
	buf_free(&b);
}

#define TEN "aaaaaaaaaa"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

START_TEST(text_is_wrapped)
{
	wraps(0, 2, "", "\n");
	wraps(0, 2, "two words", "two words\n");
	wraps(0, 2, "  two   words  ", "two words\n");
	wraps(0, 2, SEVENTY " " TEN, SEVENTY "\n  " TEN "\n");
	wraps(0, 2, SEVENTY " aaaaaaaaa", SEVENTY " aaaaaaaaa\n");
	/* the first word has no room behind what stands there already */
	wraps(75, 2, TEN, "\n  " TEN "\n");
	wraps(70, 2, TEN, TEN "\n");
	/* longer than any line */
	wraps(0, 0, SEVENTY TEN "bbb", SEVENTY TEN "\nbbb\n");
	wraps(2, 2, SEVENTY "aaaaaaaabbb", SEVENTY "aaaaaaaa\n  bbb\n");
	wraps(0, 0,
	      "a\033[31mb\tc\xc2\x9b"
	      "d",
	      "a?[31mb?c?d\n");
	ck_assert_uint_eq(wrap_width("\xc3\xa4\xe4\xb8\xad x"), 4);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ctl");
	TCase *tc = tcase_create("ctl");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_healthy_host);
	tcase_add_test(tc, a_broken_host);
	tcase_add_test(tc, a_pod_that_stands_by);
	tcase_add_test(tc, a_follower_whose_port_is_taken);
	tcase_add_test(tc, a_host_that_starts);
	tcase_add_test(tc, one_unit);
	tcase_add_test(tc, colour_changes_no_word);
	tcase_add_test(tc, nothing_a_worker_says_breaks_the_screen);
	tcase_add_test(tc, a_reload_that_worked);
	tcase_add_test(tc, a_reload_that_was_refused);
	tcase_add_test(tc, text_is_wrapped);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
