/* What the updater says of all its records: to the supervisor, and with --once. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "updater/account.h"

#define NRECORDS 64

static char fqdn[NRECORDS][256], zone[] = "example.com", name[] = "home";
static struct updater_record confs[NRECORDS];
static struct record records[NRECORDS], *list[NRECORDS];
static struct updater_config config;
static struct msg_wan wan;

static void
step(size_t i, enum plan_event_kind kind, const char *text, enum provider_outcome outcome)
{
	struct provider_result result = { .outcome = outcome, .retry_after_ms = -1 };
	struct plan_event ev = { .kind = kind, .confirmed_ms = 1000, .result = &result };

	if (kind == PLAN_EV_NEWS) {
		ck_assert(address_parse_text(text, &ev.address));
	} else if (outcome != PROVIDER_DONE) {
		provider_fail(&result, outcome, "forbidden", "%s", text);
	} else if (text != NULL) {
		result.record = (struct provider_record){
			.exists = true, .total = 1, .nvalues = 1, .ttl = 300
		};
		strcpy(result.record.values[0], text);
	}
	plan_step(&records[i].plan, &ev, 1000);
}

/* A record that was told 203.0.113.7 and is being read. */
static void
start(size_t i, bool observe)
{
	struct plan_settings settings = { ADDRESS_IPV4, 300, 300000, 600000, observe, false, true };

	if (fqdn[i][0] == '\0')
		snprintf(fqdn[i], sizeof(fqdn[i]), "h%zu.example.com", i);
	confs[i] = (struct updater_record){ fqdn[i], zone, name, ADDRESS_IPV4, 300 };
	records[i] = (struct record){ .conf = &confs[i] };
	list[i] = &records[i];
	plan_init(&records[i].plan, &settings, 1000);
	step(i, PLAN_EV_NEWS, "203.0.113.7", PROVIDER_DONE);
	step(i, PLAN_EV_TICK, NULL, PROVIDER_DONE);
}

static void
set_up(void)
{
	memset(fqdn, 0, sizeof(fqdn));
	config = (struct updater_config){ 0 };
	wan = (struct msg_wan){ .ipv4 = { .state = MSG_WAN_AGREED } };
	start(0, false);
}

static void
judges(size_t n, const struct msg_wan *news, bool late, enum account_verdict want,
       const char *words)
{
	char why[MSG_NAME_MAX + MSG_REASON_MAX] = "";
	enum account_verdict got = account_judge(list, n, news, late, why, sizeof(why));

	ck_assert_int_eq(got, want);
	ck_assert_msg(strstr(why, words) != NULL, "'%s' does not say '%s'", why, words);
}

START_TEST(in_sync_with_an_address_of_now)
{
	judges(1, NULL, false, ACCOUNT_WORKING, "");
	judges(1, &wan, false, ACCOUNT_WORKING, "");
	step(0, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	judges(1, &wan, false, ACCOUNT_IN_SYNC, "h0.example.com A is 203.0.113.7");
	/* right for the address of an earlier run: nobody knows whether that is right still */
	wan.ipv4.confirmed_age_ms = -1;
	judges(1, &wan, false, ACCOUNT_WORKING, "");
	wan.ipv4.confirmed_age_ms = 5;
	wan.ipv4.state = MSG_WAN_CONFIRMING;
	judges(1, &wan, false, ACCOUNT_WORKING, "");
	judges(1, NULL, true, ACCOUNT_FAILED, "told no address in time");
}
END_TEST

START_TEST(one_of_several_is_not_enough)
{
	start(1, false);
	step(0, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	judges(2, &wan, false, ACCOUNT_WORKING, "");
	judges(2, &wan, true, ACCOUNT_FAILED, "h1.example.com A is not in sync");
	step(1, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	judges(2, &wan, false, ACCOUNT_IN_SYNC, "all 2 records");
}
END_TEST

START_TEST(a_person_is_needed)
{
	step(0, PLAN_EV_READ, "the token was refused", PROVIDER_ATTENTION);
	judges(1, &wan, false, ACCOUNT_FAILED, "h0.example.com A: the token was refused");
}
END_TEST

START_TEST(what_may_pass_has_its_time)
{
	step(0, PLAN_EV_READ, "Gandi did not answer", PROVIDER_TRANSIENT);
	judges(1, &wan, false, ACCOUNT_WORKING, "");
	judges(1, &wan, true, ACCOUNT_FAILED, "Gandi did not answer");
}
END_TEST

START_TEST(no_agreement_is_no_success)
{
	step(0, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	wan.ipv4.state = MSG_WAN_HELD;
	strcpy(wan.ipv4.reason, "2 of 5 operators agree, 3 are needed");
	judges(1, &wan, false, ACCOUNT_FAILED, "3 are needed");
}
END_TEST

START_TEST(what_is_only_observed_is_not_put_right)
{
	start(0, true);
	step(0, PLAN_EV_READ, "203.0.113.9", PROVIDER_DONE);
	judges(1, &wan, false, ACCOUNT_FAILED, "only observed");
}
END_TEST

static cJSON *
state(size_t n, size_t size)
{
	char *text = account_state(&config, list, n, size, 2000);
	cJSON *json = json_parse(text, strlen(text), NULL);

	ck_assert_uint_lt(strlen(text), size);
	ck_assert_msg(cJSON_IsObject(json), "%s", text);
	free(text);
	return json;
}

START_TEST(tells_the_supervisor)
{
	cJSON *json;
	const cJSON *first;
	int64_t number;

	start(1, false);
	step(0, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	step(1, PLAN_EV_READ, "the token was refused", PROVIDER_ATTENTION);
	config.dry_run = true;
	json = state(2, 4096);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(json, "dry_run")));
	/* what is wrong comes first */
	first = cJSON_GetArrayItem(json_array(json, "records"), 0);
	ck_assert_str_eq(json_text(first, "fqdn"), "h1.example.com");
	ck_assert_str_eq(json_text(first, "state"), "attention");
	ck_assert_str_eq(json_text(first, "error"), "the token was refused");
	first = first->next;
	ck_assert_str_eq(json_text(first, "wanted"), "203.0.113.7");
	ck_assert_str_eq(json_text(first, "found"), "203.0.113.7");
	ck_assert(json_int(first, "checked_age_ms", 1000, 1000, &number));
	ck_assert(json_int(json, "left_out", 0, 0, &number));
	cJSON_Delete(json);
}
END_TEST

START_TEST(never_tells_more_than_fits)
{
	cJSON *json;
	int64_t left_out;
	int shown;

	for (size_t i = 0; i < NRECORDS; i++) {
		memset(fqdn[i], 'a' + (int)(i % 26), 200 + i % 40);
		start(i, false);
		if (i % 2 == 0)
			step(i, PLAN_EV_READ, "203.0.113.7", PROVIDER_DONE);
	}
	for (size_t n = 0; n <= NRECORDS; n += 4) {
		json = state(n, 4081);
		shown = cJSON_GetArraySize(json_array(json, "records"));
		ck_assert(json_int(json, "left_out", 0, NRECORDS, &left_out));
		ck_assert_uint_eq((size_t)left_out + (size_t)shown, n);
		ck_assert(n < 8 || shown > 4);
		cJSON_Delete(json);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("account");
	TCase *tc = tcase_create("account");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, in_sync_with_an_address_of_now);
	tcase_add_test(tc, one_of_several_is_not_enough);
	tcase_add_test(tc, a_person_is_needed);
	tcase_add_test(tc, what_may_pass_has_its_time);
	tcase_add_test(tc, no_agreement_is_no_success);
	tcase_add_test(tc, what_is_only_observed_is_not_put_right);
	tcase_add_test(tc, tells_the_supervisor);
	tcase_add_test(tc, never_tells_more_than_fits);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
