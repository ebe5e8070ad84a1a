#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/lease_object.h"
#include "common/json.h"

static cJSON *
parse(const char *text)
{
	const char *why = "";
	cJSON *o = json_parse(text, strlen(text), &why);

	ck_assert_msg(o != NULL, "%s: %s", text, why);
	return o;
}

static struct api_lease
read_text(const char *text)
{
	struct api_lease lease;
	cJSON *o = parse(text);

	lease_object_read(o, &lease);
	cJSON_Delete(o);
	return lease;
}

static const char stored[] =
	"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
	"\"esddns-leader\",\"namespace\":\"esddns\",\"uid\":\"7a1c\",\"resourceVersion\":\"412\","
	"\"labels\":{\"kept\":\"yes\"}},\"spec\":{\"holderIdentity\":\"node-a_1\","
	"\"leaseDurationSeconds\":15,\"acquireTime\":\"2026-11-25T12:00:00.000000Z\",\"renewTime\":"
	"\"2026-11-25T12:00:02.123456Z\",\"leaseTransitions\":3,\"strategy\":\"Oldest\"}}";

START_TEST(a_lease_is_read)
{
	struct api_lease l = read_text(stored);

	ck_assert_str_eq(l.uid, "7a1c");
	ck_assert_str_eq(l.version, "412");
	ck_assert_str_eq(l.holder, "node-a_1");
	ck_assert_int_eq(l.duration_ms, 15000);
	ck_assert_int_eq(l.transitions, 3);
	ck_assert_str_eq(l.acquire_time, "2026-11-25T12:00:00.000000Z");
	ck_assert_str_eq(l.renew_time, "2026-11-25T12:00:02.123456Z");
}
END_TEST

/* People edit it, and other programs: nothing of it can be relied on. */
START_TEST(what_cannot_be_used_is_absent)
{
	static const char *const specs[] = {
		"{}",
		"{\"metadata\":5,\"spec\":[]}",
		"{\"spec\":{}}",
		"{\"spec\":{\"holderIdentity\":7,\"leaseDurationSeconds\":0,\"leaseTransitions\":-"
		"1,"
		"\"acquireTime\":null,\"renewTime\":{}}}",
		"{\"spec\":{\"leaseDurationSeconds\":-15,\"leaseTransitions\":2147483648}}",
		"{\"spec\":{\"leaseDurationSeconds\":1.5,\"leaseTransitions\":0.5}}",
		"{\"spec\":{\"leaseDurationSeconds\":\"15\",\"leaseTransitions\":\"3\"}}",
		"{\"spec\":{\"leaseDurationSeconds\":1e12,\"leaseTransitions\":1e300}}",
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct api_lease l = read_text(specs[i]);

		ck_assert_str_eq(l.holder, "");
		ck_assert_int_eq(l.duration_ms, 0);
		ck_assert_int_eq(l.transitions, 0);
		ck_assert_str_eq(l.renew_time, "");
	}
	ck_assert_int_eq(read_text("{\"spec\":{\"leaseTransitions\":2147483647}}").transitions,
			 INT32_MAX);
}
END_TEST

/* A name longer than any of ours is no holder that could be compared; it must not become "". */
START_TEST(texts_are_bounded)
{
	char name[MSG_HOLDER_MAX + 1], text[MSG_HOLDER_MAX + 64];
	struct api_lease l;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"spec\":{\"holderIdentity\":\"%s\"}}", name);
	l = read_text(text);
	ck_assert_uint_eq(strlen(l.holder), MSG_HOLDER_MAX - 1);
	ck_assert_int_eq(strncmp(l.holder, name, MSG_HOLDER_MAX - 1), 0);
}
END_TEST

START_TEST(an_update_keeps_what_is_not_ours)
{
	struct api_lease l = { .uid = "7a1c",
			       .version = "412",
			       .holder = "node-b_2",
			       .duration_ms = 6000,
			       .transitions = 4,
			       .acquire_time = "2026-11-25T12:01:00.000001Z",
			       .renew_time = "2026-11-25T12:01:00.000001Z" };
	cJSON *o = parse(stored), *update = lease_object_update(o, &l);
	const cJSON *spec = json_object(update, "spec"),
		    *metadata = json_object(update, "metadata");
	struct api_lease again;

	lease_object_read(update, &again);
	ck_assert_int_eq(memcmp(&again, &l, sizeof(l)), 0);
	ck_assert_str_eq(json_text(spec, "strategy"), "Oldest");
	ck_assert_str_eq(json_text(json_object(metadata, "labels"), "kept"), "yes");
	ck_assert_str_eq(json_text(metadata, "namespace"), "esddns");
	/* what was read is as it was */
	ck_assert_str_eq(json_text(json_object(o, "spec"), "holderIdentity"), "node-a_1");
	cJSON_Delete(update);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_new_one_is_complete)
{
	struct api_lease l = { .holder = "node-b_2",
			       .duration_ms = 6000,
			       .transitions = 1,
			       .acquire_time = "2026-11-25T12:01:00.000001Z",
			       .renew_time = "2026-11-25T12:01:00.000001Z" };
	cJSON *o = lease_object_new("esddns-leader", &l);
	char *text = json_print(o);

	ck_assert_str_eq(text,
			 "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			 "\"metadata\":{\"name\":\"esddns-leader\"},\"spec\":{"
			 "\"holderIdentity\":\"node-b_2\",\"leaseDurationSeconds\":6,"
			 "\"leaseTransitions\":1,\"acquireTime\":\"2026-11-25T12:01:00.000001Z\","
			 "\"renewTime\":\"2026-11-25T12:01:00.000001Z\"}}");
	free(text);
	cJSON_Delete(o);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lease object");
	TCase *tc = tcase_create("lease");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_lease_is_read);
	tcase_add_test(tc, what_cannot_be_used_is_absent);
	tcase_add_test(tc, texts_are_bounded);
	tcase_add_test(tc, an_update_keeps_what_is_not_ours);
	tcase_add_test(tc, a_new_one_is_complete);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
