#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "ipc/message.h"
#include "tests/message_samples.h"
static void
refused(const char *json, const char *expected)
{
	const char *why = NULL;
	struct msg *m = NULL;

	ck_assert_msg(msg_decode(json, strlen(json), &m, &why) == -1, "taken: %s", json);
	ck_assert_ptr_null(m);
	ck_assert_msg(strstr(why, expected) != NULL, "\"%s\" lacks \"%s\"", why, expected);
}

#define STATS(samples)                                                                             \
	"{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":0,\"parts\":1,\"samples\":[" samples  \
	"]}"
#define HISTOGRAM(rest)                                                                            \
	STATS("{\"name\":\"esddns_wan_ip_discovery_duration_seconds\",\"labels\":[]," rest "}")

START_TEST(bad_stats_are_refused)
{
	struct msg *m;

	m = sample_decode(STATS("{\"name\":\"esddns_from_the_future\",\"value\":\"x\"}"));
	ck_assert_uint_eq(m->stats.parts, 1);
	msg_free(m);
	msg_free(sample_decode(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0,0]")));
	refused(HISTOGRAM("\"value\":1,\"count\":1,\"buckets\":[1,1,0,0,0]"), "buckets");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0]"), "too few");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,1,0,0,0,0]"), "too many");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,-1,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,0.5,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":2,\"buckets\":[1,null,0,0,0]"), "whole");
	refused(HISTOGRAM("\"value\":1,\"count\":-2,\"buckets\":[0,0,0,0,0]"), "count");
	refused(HISTOGRAM("\"value\":1e999,\"count\":2,\"buckets\":[1,1,0,0,0]"), "value");
	refused(HISTOGRAM("\"count\":2,\"buckets\":[1,1,0,0,0]"), "value");
	refused(STATS("{\"name\":\"esddns_wan_ip_changes\",\"labels\":[],\"value\":-1}"), "value");
	refused(STATS("{\"name\":\"esddns_wan_ip_changes\",\"labels\":[\"x\"],\"value\":1}"),
		"many");
	refused(STATS("{\"name\":\"esddns_state_in_sync\",\"labels\":[],\"value\":1}"), "too few");
	refused(STATS("{\"name\":\"esddns_state_in_sync\",\"labels\":[7],\"value\":1}"), "labels");
	refused(STATS("{\"labels\":[],\"value\":1}"), "name");
	refused(STATS("7"), "name");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":1,\"parts\":1,\"samples\":[]}",
		"part");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"\",\"part\":0,\"parts\":1,\"samples\":[]}",
		"from");
	refused("{\"v\":1,\"type\":\"stats\",\"from\":\"u\",\"part\":0,\"parts\":1,\"samples\":{}}",
		"samples");
}
END_TEST

/* --- refusals of every member ------------------------------------------------ */

static char *
sample_json(int which)
{
	static struct msg_wan w;
	struct msg_lead l = { .role = MSG_STANDBY, .backend = "local" };
	struct msg_record r;

	srandom(11);
	if (which == 0) {
		sample_wan(&w, false);
		w.ipv4.nvotes = w.ipv6.nvotes = w.ipv4.nchanges = w.ipv6.nchanges = 2;
		for (int i = 0; i < 2; i++) {
			strcpy(w.ipv4.votes[i].operator, "o");
			strcpy(w.ipv4.votes[i].kind, "stun");
			strcpy(w.ipv6.votes[i].operator, "o");
			strcpy(w.ipv6.votes[i].kind, "mixed");
		}
		return msg_encode_wan(&w);
	}
	if (which == 1)
		return msg_encode_lead(&l);
	sample_record(&r, false);
	return msg_encode_record(&r);
}

static void
must_refuse(const cJSON *root, const cJSON *member, const char *change)
{
	char *json = json_print(root);
	const char *why;
	struct msg *m;

	ck_assert_msg(msg_decode(json, strlen(json), &m, &why) == -1, "%s %s was taken: %s",
		      member->string, change, json);
	ck_assert_ptr_null(m);
	free(json);
}

/*
 * Each member in turn, at every depth: of another type, missing, and (numbers)
 * out of bounds or broken, (texts) too long. *counted grows by one for each.
 */
static void
spoil_members(cJSON *root, cJSON *object, int *counted)
{
	cJSON *next;

	for (cJSON *item = object->child; item != NULL; item = next) {
		cJSON saved = *item, *wrong;

		next = item->next;
		(*counted)++;
		if (cJSON_IsArray(item) || cJSON_IsObject(item))
			spoil_members(root, item, counted);
		item->type = cJSON_NULL;
		must_refuse(root, item, "as null");
		item->type = saved.type;
		if (cJSON_IsNumber(item)) {
			for (int i = 0; i < 3; i++) {
				item->valuedouble = i == 0 ? -2 : i == 1 ? 0.5 : 1e300;
				must_refuse(root, item, "out of bounds");
			}
			item->valuedouble = saved.valuedouble;
		} else if (cJSON_IsString(item)) {
			char longer[1024];

			memset(longer, 'x', sizeof(longer) - 1);
			longer[sizeof(longer) - 1] = '\0';
			item->valuestring = longer;
			must_refuse(root, item, "too long");
			item->valuestring = saved.valuestring;
		}
		if (cJSON_IsObject(object)) {
			wrong = cJSON_DetachItemViaPointer(object, item);
			must_refuse(root, wrong, "missing");
			if (next != NULL)
				cJSON_InsertItemInArray(object, 0, wrong);
			else
				cJSON_AddItemToArray(object, wrong);
		}
	}
}

START_TEST(every_wrong_member_is_refused)
{
	static const int members[] = { 6 + 2 * 15 + 2 * (2 + 2 * 6) + 2 * (2 + 2 * 2), 8, 24 };
	char *json = sample_json(_i);
	cJSON *root = cJSON_Parse(json);
	int counted = 0;

	msg_free(sample_decode(json));
	spoil_members(root, root, &counted);
	ck_assert_int_ge(counted, members[_i]);
	cJSON_Delete(root);
	free(json);
}
END_TEST

START_TEST(every_cut_is_refused)
{
	char *json = sample_json(_i);
	const char *why;
	struct msg *m;

	for (size_t len = 0; len < strlen(json); len++) {
		/* a copy of its own, so that the sanitizer sees a read beyond it */
		char *part = mem_new(len, 1);

		memcpy(part, json, len);
		ck_assert_int_eq(msg_decode(part, len, &m, &why), -1);
		free(part);
	}
	free(json);
}
END_TEST

/* Bytes changed at random: whatever is taken must be within its bounds again. */
START_TEST(damaged_messages_do_no_harm)
{
	char *json = sample_json(_i % 3);
	size_t len = strlen(json);
	unsigned taken = 0, dropped = 0;

	srandom((unsigned)_i);
	for (int n = 0; n < 300; n++) {
		char *damaged = mem_new(len, 1);
		const char *why;
		struct msg *m;

		memcpy(damaged, json, len);
		for (long k = random() % 4; k >= 0; k--)
			damaged[random() % (long)len] = (char)random();
		if (msg_decode(damaged, len, &m, &why) == 0) {
			char *again = m->type == MSG_WAN    ? msg_encode_wan(&m->wan)
				      : m->type == MSG_LEAD ? msg_encode_lead(&m->lead)
							    : msg_encode_record(&m->record);

			msg_free(sample_decode(again));
			free(again);
			msg_free(m);
			taken++;
		} else {
			ck_assert_str_ne(why, "");
			dropped++;
		}
		free(damaged);
	}
	ck_assert_uint_gt(dropped, 0);
	ck_assert_uint_eq(taken + dropped, 300);
	free(json);
}
END_TEST

static void
replaced_is_refused(int which, const char *key, const char *value, const char *expected)
{
	char *json = sample_json(which), *changed;
	cJSON *root = cJSON_Parse(json);

	ck_assert(cJSON_ReplaceItemInObjectCaseSensitive(root, key, cJSON_Parse(value)));
	changed = json_print(root);
	refused(changed, expected);
	free(changed);
	cJSON_Delete(root);
	free(json);
}

START_TEST(what_is_refused_is_said)
{
	char big[MSG_SIZE_MAX + 2];

	memset(big, ' ', sizeof(big));
	memcpy(big, "{}", 2);
	big[sizeof(big) - 1] = '\0';
	refused(big, "longer");
	big[MSG_SIZE_MAX] = '\0';
	refused(big, "\"v\"");
	refused("", "JSON");
	refused("[]", "not an object");
	refused("{\"v\":1,\"type\":\"\xff\"}", "UTF-8");
	refused("{\"v\":2,\"type\":\"lead\"}", "version");
	refused("{\"v\":\"1\",\"type\":\"lead\"}", "version");
	refused("{\"v\":1,\"type\":\"future\"}", "\"type\" is none");
	refused("{\"v\":1,\"type\":\"lead\"} x", "behind");
	replaced_is_refused(0, "epoch", "0", "\"epoch\"");
	replaced_is_refused(0, "epoch", "1073741825", "\"epoch\"");
	replaced_is_refused(0, "sequence", "-1", "\"sequence\"");
	replaced_is_refused(0, "uid", "\"\"", "\"uid\" is empty");
	replaced_is_refused(1, "role", "\"king\"", "\"role\" is none");
	replaced_is_refused(2, "count", "0", "\"index\"");
	replaced_is_refused(2, "family", "\"none\"", "\"family\"");
	replaced_is_refused(2, "values", "[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]",
			    "too many");
	replaced_is_refused(2, "values", "[7]", "not a text");
	replaced_is_refused(2, "state", "\"IN_SYNC\"", "\"state\" is none");
}
END_TEST

START_TEST(an_address_of_the_other_family_is_refused)
{
	struct msg_wan w = { .uid = "u", .epoch = 1 };
	char *json;

	w.ipv4.address = (struct address){ .family = ADDRESS_IPV6, .bytes = { 0x20, 1 } };
	json = msg_encode_wan(&w);
	refused(json, "other family");
	free(json);
	w.ipv4.address = (struct address){ .family = ADDRESS_NONE };
	w.ipv6.nchanges = 1;
	w.ipv6.changes[0].address = (struct address){ .family = ADDRESS_IPV4, .bytes = { 192 } };
	json = msg_encode_wan(&w);
	refused(json, "other family");
	free(json);
}
END_TEST

START_TEST(unknown_members_are_ignored)
{
	struct msg *m = sample_decode("{\"v\":1,\"new\":[1],\"type\":\"lead\",\"role\":\"leader\","
				      "\"backend\":\"b\",\"holder\":\"h\",\"term\":3,\"since\":0,"
				      "\"reason\":\"\"}");

	ck_assert_int_eq(m->lead.term, 3);
	msg_free(m);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message_refused");
	TCase *tc = tcase_create("message_refused");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, bad_stats_are_refused);
	tcase_add_loop_test(tc, every_wrong_member_is_refused, 0, 3);
	tcase_add_loop_test(tc, every_cut_is_refused, 0, 3);
	tcase_add_loop_test(tc, damaged_messages_do_no_harm, 0, 9);
	tcase_add_test(tc, what_is_refused_is_said);
	tcase_add_test(tc, an_address_of_the_other_family_is_refused);
	tcase_add_test(tc, unknown_members_are_ignored);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
