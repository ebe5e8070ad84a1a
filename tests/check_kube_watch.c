#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "kube_rig.h"
#include "own_net.h"

#define EVENT(type, version)                                                                       \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"wan\",\"resourceVersion\":"   \
	"\"" version "\"}}}\n"
#define BOOKMARK                                                                                   \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\",\"metadata\":"                  \
	"{\"resourceVersion\":\"99\",\"creationTimestamp\":null}}}\n"
#define ERROR_EVENT(code, reason)                                                                  \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" #code                      \
	",\"reason\":\"" reason "\",\"message\":\"too old resource version: 7 (9)\"}}\n"

static const char all[] =
	EVENT("ADDED", "8") EVENT("MODIFIED", "9") EVENT("DELETED", "10") BOOKMARK;
static const char all_events[] = "OPENED;ADDED 8;MODIFIED 9;DELETED 10;BOOKMARK 99;CLOSED 0;";

static const struct {
	struct kube_answer answer;
	const char *events;
	const char *error; /* a part of the last one */
} streams[] = {
	{ { 200, NULL, all, .stream = true }, all_events, "" },
	{ { 200, NULL, all, .bytewise = true }, all_events, "" },
	{ { 200, NULL, "", .stream = true }, "OPENED;CLOSED 0;", "" },
	/* broken off within an event, and between two */
	{ { 200, NULL, all, .stream = true, .cut = 150 }, "OPENED;ADDED 8;CLOSED 9;", "broke off" },
	{ { 200, NULL, EVENT("ADDED", "8") "{\"type\":", .stream = true },
	  "OPENED;ADDED 8;CLOSED 9;",
	  "in the middle of an event" },
	{ { 200, NULL, EVENT("ADDED", "8"), .stream = true,
	    .cut = sizeof(EVENT("ADDED", "8")) - 1 },
	  "OPENED;ADDED 8;CLOSED 9;",
	  "broke off" },
	/* 410 in the stream, and others */
	{ { 200, NULL, EVENT("ADDED", "8") ERROR_EVENT(410, "Expired"), .stream = true },
	  "OPENED;ADDED 8;ERROR 5;CLOSED 0;",
	  "" },
	{ { 200, NULL, ERROR_EVENT(500, "InternalError"), .stream = true },
	  "OPENED;ERROR 8;CLOSED 0;",
	  "" },
	{ { 200, NULL, ERROR_EVENT(200, "Fine"), .stream = true }, "OPENED;ERROR 8;CLOSED 0;", "" },
	{ { 200, NULL, "{\"type\":\"ERROR\",\"object\":{}}\n", .stream = true },
	  "OPENED;ERROR 8;CLOSED 0;",
	  "" },
	/* what is not for us */
	{ { 200, NULL,
	    "{\"type\":\"LATER\",\"object\":1}\n\n\r\n"
	    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"other\"}}}\n"
	    "{\"type\":\"ADDED\",\"object\":{}}\n" EVENT("ADDED", "8"),
	    .stream = true },
	  "OPENED;ADDED 8;CLOSED 0;",
	  "" },
	/* what nobody can read */
	{ { 200, NULL, "<html>\n" EVENT("ADDED", "8"), .stream = true },
	  "OPENED;CLOSED 8;",
	  "an event cannot be read: " },
	{ { 200, NULL, "{\"type\":7}\n", .stream = true }, "OPENED;CLOSED 8;", "it has no type" },
	{ { 200, NULL, "{\"type\":\"ADDED\"}\n", .stream = true },
	  "OPENED;CLOSED 8;",
	  "it has no object" },
	/* not opened */
	{ { 410, NULL, "{\"kind\":\"Status\",\"code\":410,\"message\":\"old\"}" },
	  "CLOSED 5;",
	  "configmap esddns/wan cannot be watched: old (HTTP 410)" },
	{ { 429, "Retry-After: 7\r\n", "{}" }, "CLOSED 7;", "(HTTP 429)" },
	{ { 500, NULL, "<html>Oops</html>" }, "CLOSED 8;", "it gave no reason (HTTP 500)" },
	{ { 403, NULL, "{\"kind\":\"Status\",\"message\":\"no\"}" }, "CLOSED 6;", "no (HTTP 403)" },
	{ { .hang_up = true, .body = "" }, "CLOSED 9;", "cannot be watched: " },
};

START_TEST(tells_what_comes)
{
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	kube_rig_answer(&r, streams[_i].answer);
	kube_rig_watch(&r);
	ck_assert_str_eq(r.events, streams[_i].events);
	ck_assert_msg(strstr(r.error, streams[_i].error) != NULL, "%s", r.error);
	ck_assert_int_eq(r.retry_after_ms, streams[_i].answer.headers != NULL ? 7000 : -1);
	ck_assert_uint_eq(r.nrequests, 1);
	ck_assert_ptr_nonnull(
		strstr(r.requests[0],
		       "GET /api/v1/namespaces/esddns/configmaps?watch=1&allowWatchBookmarks=true"
		       "&fieldSelector=metadata.name%3Dwan&resourceVersion=7&timeoutSeconds=300 "));
	kube_rig_stop(&r);
}
END_TEST

START_TEST(bounds_one_event)
{
	char *fits = mem_printf("{\"type\":\"BOOKMARK\",\"object\":{\"x\":\"%0*d\"}}\n",
				KUBE_OBJECT_MAX - 45, 1);
	char *large = mem_printf("{\"x\":\"%0*d", KUBE_OBJECT_MAX - 5, 1);
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	kube_rig_answer(&r, (struct kube_answer){ 200, NULL, fits, .stream = true });
	kube_rig_watch(&r);
	ck_assert_str_eq(r.events, "OPENED;BOOKMARK;CLOSED 0;");
	/* without an end, too, it is given up as soon as it is too large */
	kube_rig_answer(&r, (struct kube_answer){ 200, NULL, large, .stream = true, .open = true });
	kube_rig_watch(&r);
	ck_assert_str_eq(r.events, "OPENED;CLOSED 8;");
	ck_assert_ptr_nonnull(strstr(r.error, "an event is larger than 3 MiB"));
	kube_rig_stop(&r);
	free(fits);
	free(large);
}
END_TEST

START_TEST(is_cancelled_by_its_own_callback)
{
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	for (unsigned i = 1; i <= 6; i++) {
		r.cancel_at = i;
		kube_rig_answer(&r, (struct kube_answer){ 200, NULL, all, .stream = true });
		kube_rig_watch(&r);
		http_rig_run(&r.http, 30);
		ck_assert_uint_eq(r.nevents, i); /* none after it */
	}
	kube_rig_stop(&r);
}
END_TEST

/* A server that stopped, but whose kernel still answers. */
START_TEST(ends_at_its_deadline)
{
	int64_t before = clock_now();
	struct kube_rig r;

	kube_rig_start(&r);
	kube_rig_begin(&r);
	kube_rig_answer(&r, (struct kube_answer){ 200, NULL, EVENT("ADDED", "8"), .stream = true,
						  .open = true });
	r.watch_timeout_ms = 500;
	kube_rig_watch(&r);
	ck_assert_str_eq(r.events, "OPENED;ADDED 8;CLOSED 9;");
	ck_assert_int_ge(clock_now() - before, 450);
	kube_rig_stop(&r);
}
END_TEST

static TCase *
cases(void)
{
	TCase *tc = tcase_create("kube_watch");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tells_what_comes, 0, sizeof(streams) / sizeof(streams[0]));
	tcase_add_test(tc, bounds_one_event);
	tcase_add_test(tc, is_cancelled_by_its_own_callback);
	tcase_add_test(tc, ends_at_its_deadline);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("kube_watch");
	SRunner *runner;
	int failed;

	own_net_enter();
	signal(SIGPIPE, SIG_IGN);
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
