#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/leadership.h"
#include "cluster/wan_object.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/text.h"
#include "tests/golden.h"
#include "tests/message_samples.h"

#define UID "6f1f9a40-0000-4000-8000-000000000001"

static struct api_fence fence;
static struct wan_content content;
static char trouble[MSG_REASON_MAX];

static void
read_object(const cJSON *object)
{
	memset(&fence, 0xA5, sizeof(fence));
	memset(&content, 0xA5, sizeof(content));
	memset(trouble, 'x', sizeof(trouble));
	wan_object_read(object, &fence, &content, trouble);
	ck_assert_ptr_nonnull(memchr(trouble, '\0', sizeof(trouble)));
}

static cJSON *
parse(const char *text)
{
	const char *why = "";
	cJSON *o = json_parse(text, strlen(text), &why);

	ck_assert_msg(o != NULL, "%s: %s", why, text);
	return o;
}

static struct address
address(const char *text)
{
	struct address a;

	ck_assert(address_parse_text(text, &a));
	return a;
}

/* An object as the server answers it, with the given text as data's members. */
static void
read_data(const char *members)
{
	char *text = mem_printf("{\"metadata\":{\"name\":\"w\",\"uid\":\"" UID
				"\",\"resourceVersion\":\"7\"},\"data\":{%s}}",
				members);
	cJSON *o = parse(text);

	read_object(o);
	cJSON_Delete(o);
	free(text);
}

static void
set_text(cJSON *o, const char *key, const char *text)
{
	ck_assert_ptr_nonnull(cJSON_AddStringToObject(o, key, text));
}

static void
sample(struct api_fence *f, struct wan_content *c)
{
	*f = (struct api_fence){
		.uid = UID, .version = "812", .epoch = 4, .sequence = 17, .holder = "node-1_0a1b"
	};
	*c = (struct wan_content){ .timestamp = 1764072000000,
				   .publisher = "tcp://10.0.0.4:51340",
				   .followers = 3 };
	c->wan.ipv4 = (struct msg_wan_family){ .wanted = true,
					       .state = MSG_WAN_AGREED,
					       .address = address("203.0.113.7"),
					       .detected_at = 1764071000000,
					       .confirmed_at = 1764072000123,
					       .checked_at = 1764072000123,
					       .asked = 2,
					       .answered = 2,
					       .agreed = 2,
					       .needed = 2,
					       .nvotes = 1,
					       .nchanges = 1 };
	c->wan.ipv4.votes[0] = (struct msg_vote){ .operator= "ipify",
						  .kind = "https",
						  .answer = address("203.0.113.7"),
						  .agrees = true,
						  .duration_ms = 80 };
	c->wan.ipv4.changes[0] = (struct msg_change){ address("203.0.113.7"), 1764071000000 };
	c->wan.ipv6.state = MSG_WAN_HELD;
	strcpy(c->wan.ipv6.reason, "two of three said \"no\"");
}

/* --- round trips --------------------------------------------------------------------------- */

static void
same_family(const struct msg_wan_family *a, const struct msg_wan_family *b)
{
	ck_assert(a->wanted == b->wanted && a->state == b->state);
	ck_assert(address_equal(&a->address, &b->address));
	ck_assert_int_eq(a->detected_at / 1000, b->detected_at / 1000);
	ck_assert_int_eq(a->confirmed_at, b->confirmed_at);
	ck_assert_int_eq(a->checked_at, b->checked_at);
	ck_assert(a->asked == b->asked && a->answered == b->answered);
	ck_assert(a->agreed == b->agreed && a->needed == b->needed);
	ck_assert_int_eq(b->confirmed_age_ms, -1);
	ck_assert_int_eq(b->checked_age_ms, -1);
	ck_assert_uint_eq(a->nchanges, b->nchanges);
	for (size_t i = 0; i < a->nchanges; i++)
		ck_assert(a->changes[i].at == b->changes[i].at &&
			  address_equal(&a->changes[i].address, &b->changes[i].address));
	ck_assert_uint_le(b->nvotes, a->nvotes);
	for (size_t i = 0; i < b->nvotes; i++) {
		ck_assert_str_eq(a->votes[i].kind, b->votes[i].kind);
		ck_assert(a->votes[i].agrees == b->votes[i].agrees);
		ck_assert(address_equal(&a->votes[i].answer, &b->votes[i].answer));
		/* an error that was cut is still one */
		ck_assert_int_eq(a->votes[i].error[0] == '\0', b->votes[i].error[0] == '\0');
	}
}

START_TEST(what_is_written_is_read_again)
{
	struct api_fence f;
	struct wan_content c;
	cJSON *o;

	sample(&f, &c);
	o = wan_object_new("esddns-wan-ip", &f, &c);
	set_text(cJSON_GetObjectItem(o, "metadata"), "uid", UID);
	set_text(cJSON_GetObjectItem(o, "metadata"), "resourceVersion", "812");
	read_object(o);
	cJSON_Delete(o);
	ck_assert_str_eq(trouble, "");
	ck_assert_mem_eq(&f.epoch, &fence.epoch, sizeof(f.epoch));
	ck_assert_int_eq(fence.sequence, 17);
	ck_assert_str_eq(fence.holder, f.holder);
	ck_assert_str_eq(fence.uid, f.uid);
	ck_assert_str_eq(fence.version, f.version);
	ck_assert(!fence.immutable);
	ck_assert_int_eq(content.timestamp, c.timestamp);
	ck_assert_str_eq(content.publisher, c.publisher);
	ck_assert_uint_eq(content.followers, 3);
	ck_assert_str_eq(content.wan.uid, UID);
	ck_assert_str_eq(content.wan.holder, f.holder);
	ck_assert_int_eq(content.wan.epoch, 4);
	ck_assert_int_eq(content.wan.sequence, 17);
	same_family(&c.wan.ipv4, &content.wan.ipv4);
	same_family(&c.wan.ipv6, &content.wan.ipv6);
	ck_assert_str_eq(content.wan.ipv4.votes[0].operator, "ipify");
	ck_assert_str_eq(content.wan.ipv6.reason, c.wan.ipv6.reason);
}
END_TEST

START_TEST(an_address_edited_by_hand_is_none_that_a_round_confirmed)
{
	struct api_fence f;
	struct wan_content c;
	cJSON *o;

	sample(&f, &c);
	o = wan_object_new("esddns-wan-ip", &f, &c);
	cJSON_ReplaceItemInObject(cJSON_GetObjectItem(o, "data"), "current_ip",
				  cJSON_CreateString("198.51.100.9"));
	read_object(o);
	cJSON_Delete(o);
	ck_assert_int_eq(content.wan.ipv4.address.family, ADDRESS_NONE);
	ck_assert_int_eq(content.wan.ipv4.confirmed_at, 0);
	ck_assert_ptr_nonnull(strstr(trouble, "current_ip"));
}
END_TEST

/* Whatever the texts hold and however long they are, it can be read and sent on the bus. */
START_TEST(any_content_survives_and_stays_small)
{
	struct api_fence f = { .uid = UID, .version = "1", .epoch = 1, .holder = "h" };
	struct wan_content c = { .timestamp = 1764072000000 };
	char *text, *message;
	cJSON *o;

	srandom((unsigned)_i);
	sample_wan(&c.wan, _i % 4 == 0);
	o = wan_object_new("w", &f, &c);
	set_text(cJSON_GetObjectItem(o, "metadata"), "uid", UID);
	set_text(cJSON_GetObjectItem(o, "metadata"), "resourceVersion", "1");
	text = json_print(o);
	ck_assert_uint_le(strlen(text), 2 * (WAN_VOTES_TEXT_MAX + WAN_CHANGES_TEXT_MAX) + 1024);
	cJSON_Delete(o);
	o = parse(text);
	read_object(o);
	ck_assert_str_eq(trouble, "");
	same_family(&c.wan.ipv4, &content.wan.ipv4);
	same_family(&c.wan.ipv6, &content.wan.ipv6);
	message = msg_encode_wan(&content.wan);
	msg_free(sample_decode(message));
	free(message);
	free(text);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_record_is_read_as_it_was_written)
{
	struct wan_record r = { .pending = _i % 2,
				.value = address("203.0.113.7"),
				.ttl = 300,
				.in_sync = _i % 3 == 0,
				.attention = _i % 5 == 0,
				.checked_at = 1764072000000,
				.claimed_at = 1764072001000 },
			  got;
	const struct wan_record_change change = { .key = "record.a.A", .record = &r };
	char clean[MSG_HREF_MAX];
	cJSON *patch, *o;

	srandom((unsigned)_i);
	if (_i % 2)
		r.found = address("2001:db8::1");
	sample_text(r.by, sizeof(r.by), _i == 0);
	sample_text(r.href, sizeof(r.href), _i == 0);
	sample_text(r.error, sizeof(r.error), _i == 0);
	sample_text(r.error_type, sizeof(r.error_type), _i == 0);
	patch = wan_records_patch(&fence, 0, &change, 1);
	ck_assert_int_eq(cJSON_GetArraySize(patch), 1);
	o = parse("{\"data\":{}}");
	set_text(cJSON_GetObjectItem(o, "data"), "record.a.A",
		 json_text(cJSON_GetArrayItem(patch, 0), "value"));
	wan_record_read(o, "record.a.A", &got);
	ck_assert(got.exists);
	ck_assert(got.pending == r.pending && got.in_sync == r.in_sync &&
		  got.attention == r.attention && got.ttl == 300);
	ck_assert(address_equal(&got.value, &r.value) && address_equal(&got.found, &r.found));
	ck_assert_int_eq(got.checked_at, r.checked_at);
	ck_assert_int_eq(got.claimed_at, r.claimed_at);
	text_clean(clean, sizeof(clean), r.error);
	ck_assert_str_eq(got.error, clean);
	text_clean(clean, sizeof(clean), r.href);
	ck_assert_str_eq(got.href, clean);
	ck_assert_str_eq(got.raw, json_text(cJSON_GetArrayItem(patch, 0), "value"));
	free(got.raw);
	cJSON_Delete(patch);
	cJSON_Delete(o);
}
END_TEST

/* --- what people and attackers put there ------------------------------------------------------ */

static const struct {
	const char *members;
	const char *named; /* in trouble; "": nothing */
} hostile[] = {
	{ "", "" },
	{ "\"something\":\"else\"", "" },
	{ "\"epoch\":\"\",\"current_ip\":\"\",\"votes\":\"\"", "" },
	{ "\"epoch\":\"2147483647\"", "epoch" },
	{ "\"epoch\":\"1073741825\"", "epoch" },
	{ "\"epoch\":\"0\"", "epoch" },
	{ "\"epoch\":\"-1\"", "epoch" },
	{ "\"epoch\":\"+1\"", "epoch" },
	{ "\"epoch\":\"1e3\"", "epoch" },
	{ "\"epoch\":\"01\"", "epoch" },
	{ "\"epoch\":\" 1\"", "epoch" },
	{ "\"epoch\":\"1\\n\"", "epoch" },
	{ "\"epoch\":\"0x1\"", "epoch" },
	{ "\"epoch\":\"1.0\"", "epoch" },
	{ "\"epoch\":\"18446744073709551617\"", "epoch" },
	{ "\"epoch\":7", "epoch" },
	{ "\"epoch\":null", "epoch" },
	{ "\"epoch\":[\"7\"]", "epoch" },
	{ "\"sequence\":\"9007199254740992\"", "sequence" },
	{ "\"sequence\":\"00\"", "sequence" },
	{ "\"sequence\":\"-0\"", "sequence" },
	{ "\"followers\":\"1000001\"", "followers" },
	{ "\"holder\":\"a b\"", "holder" },
	{ "\"holder\":\"a\\u0007\"", "holder" },
	{ "\"holder\":\"h\\u00e9\"", "holder" },
	{ "\"publisher\":\"http://10.0.0.1:1\"", "publisher" },
	{ "\"publisher\":\"tcp://10.0.0.1:1\\u001b[31m\"", "publisher" },
	{ "\"current_ip\":\"203.0.113.07\"", "current_ip" },
	{ "\"current_ip\":\"203.0.113.7 \"", "current_ip" },
	{ "\"current_ip\":\"2001:db8::1\"", "current_ip" },
	{ "\"current_ip\":{}", "current_ip" },
	{ "\"current_ip6\":\"203.0.113.7\"", "current_ip6" },
	{ "\"detected_at\":\"yesterday\"", "detected_at" },
	{ "\"detected_at6\":\"2026-02-31T00:00:00Z\"", "detected_at6" },
	{ "\"timestamp\":\"1764072000\"", "timestamp" },
	{ "\"votes\":\"{}\"", "votes" },
	{ "\"votes\":\"[\"", "votes" },
	{ "\"votes\":\"{\\\"ipv4\\\":{\\\"state\\\":\\\"agreed\\\"},\\\"ipv6\\\":{}}\"", "votes" },
	{ "\"changes\":\"{\\\"ipv4\\\":[{\\\"address\\\":\\\"::1\\\",\\\"at\\\":1}],"
	  "\\\"ipv6\\\":[]}\"",
	  "changes" },
	{ "\"changes\":true", "changes" },
};

START_TEST(what_cannot_be_used_counts_as_absent_and_is_named)
{
	struct address none = { .family = ADDRESS_NONE };
	char *end = mem_printf(": %s", hostile[_i].named);

	read_data(hostile[_i].members);
	if (hostile[_i].named[0] == '\0')
		ck_assert_str_eq(trouble, "");
	else
		ck_assert_msg(strlen(trouble) > strlen(end) &&
				      strcmp(trouble + strlen(trouble) - strlen(end), end) == 0,
			      "%s", trouble);
	free(end);
	ck_assert_int_eq(fence.epoch, 0);
	ck_assert_int_eq(fence.sequence, 0);
	ck_assert_str_eq(fence.holder, "");
	ck_assert_str_eq(fence.uid, UID);
	ck_assert_str_eq(content.publisher, "");
	ck_assert_uint_eq(content.followers, 0);
	ck_assert_int_eq(content.timestamp, 0);
	ck_assert(address_equal(&content.wan.ipv4.address, &none));
	ck_assert(address_equal(&content.wan.ipv6.address, &none));
	ck_assert_int_eq(content.wan.ipv4.confirmed_at, 0);
	ck_assert_uint_eq(content.wan.ipv4.nvotes, 0);
	ck_assert_uint_eq(content.wan.ipv4.nchanges, 0);
}
END_TEST

START_TEST(one_bad_key_spoils_no_other)
{
	read_data("\"epoch\":\"1073741824\",\"sequence\":\"9007199254740991\",\"holder\":\"h\","
		  "\"current_ip\":\"203.0.113.7\",\"timestamp\":\"2026-11-25T12:00:00Z\","
		  "\"current_ip6\":\"nonsense\",\"votes\":\"nonsense\",\"changes\":\"\"");
	ck_assert_ptr_nonnull(strstr(trouble, ": votes, current_ip6"));
	ck_assert_int_eq(fence.epoch, MSG_EPOCH_MAX);
	ck_assert_int_eq(fence.sequence, INT64_C(9007199254740991));
	ck_assert_int_eq(content.wan.ipv4.address.family, ADDRESS_IPV4);
	/* without votes the object's time says when it was confirmed */
	ck_assert_int_eq(content.wan.ipv4.confirmed_at, content.timestamp);
	ck_assert_int_eq(content.wan.ipv6.confirmed_at, 0);
}
END_TEST

static const char *const strange[] = {
	"null",
	"[]",
	"\"text\"",
	"{}",
	"{\"metadata\":null,\"data\":null}",
	"{\"metadata\":[],\"data\":[]}",
	"{\"metadata\":{\"uid\":5,\"resourceVersion\":{}},\"data\":\"x\"}",
	"{\"metadata\":{\"uid\":\"0123456789012345678901234567890123456789\"}}",
	"{\"metadata\":{\"uid\":\"a b\",\"resourceVersion\":\"\\u0001\"}}",
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":404}",
};

START_TEST(strange_objects_are_no_state)
{
	cJSON *o = parse(strange[_i]), *claim;
	struct api_fence f;
	struct wan_content c;

	read_object(o);
	ck_assert_str_eq(fence.uid, "");
	ck_assert_str_eq(fence.version, "");
	ck_assert_int_eq(fence.epoch, 0);
	ck_assert_ptr_nonnull(strstr(trouble, "metadata.uid"));
	sample(&f, &c);
	claim = wan_object_claim(o, &f, &c);
	read_object(claim);
	ck_assert_str_eq(trouble, "");
	ck_assert_int_eq(fence.epoch, 4);
	cJSON_Delete(claim);
	cJSON_Delete(o);
}
END_TEST

START_TEST(ten_megabytes_are_refused_and_do_not_spread)
{
	size_t size = (size_t)10 << 20;
	char *big = mem_new(size + 1, 1);
	cJSON *o = parse("{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"data\":{}}");
	cJSON *data = cJSON_GetObjectItem(o, "data");
	static const char *const keys[] = { "epoch",     "sequence",   "holder",      "publisher",
					    "followers", "current_ip", "detected_at", "timestamp",
					    "votes",     "changes",    "record.a.A" };
	struct wan_record r;

	memset(big, '1', size);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		set_text(data, keys[i], big);
	read_object(o);
	ck_assert_uint_lt(strlen(trouble), 200);
	ck_assert_ptr_nonnull(strstr(trouble, "followers"));
	wan_record_read(o, "record.a.A", &r);
	ck_assert(!r.exists);
	ck_assert_uint_eq(strlen(r.raw), size); /* to be tested against */
	free(r.raw);
	free(big);
	cJSON_Delete(o);
}
END_TEST

START_TEST(immutable_and_binary_are_seen)
{
	cJSON *o = parse("{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},"
			 "\"immutable\":true,\"data\":{\"epoch\":\"3\"},"
			 "\"binaryData\":{\"mine\":\"AA==\",\"votes\":\"AA==\","
			 "\"record.a.A\":\"AA==\"}}");
	cJSON *claim, *binary;
	struct api_fence f;
	struct wan_content c;

	read_object(o);
	ck_assert(fence.immutable);
	ck_assert_int_eq(fence.epoch, 3);
	ck_assert_ptr_nonnull(strstr(trouble, "binaryData"));
	sample(&f, &c);
	claim = wan_object_claim(o, &f, &c);
	binary = cJSON_GetObjectItem(claim, "binaryData");
	ck_assert_int_eq(cJSON_GetArraySize(binary), 1);
	ck_assert_ptr_nonnull(cJSON_GetObjectItem(binary, "mine"));
	cJSON_Delete(claim);
	cJSON_Delete(o);
}
END_TEST

static const char *const bad_records[] = {
	"",
	"x",
	"{}",
	"{\"wanted\":\"203.0.113.7\"}",
	"{\"wanted\":\"203.0.113.7\",\"value\":\"\",\"ttl\":300,\"in_sync\":\"true\",\"pending\":"
	"false,\"attention\":false,\"checked_at\":\"\",\"claimed_at\":\"\",\"by\":\"\",\"href\":"
	"\"\",\"error_type\":\"\",\"error\":\"\"}",
	"{\"wanted\":\"203.0.113.777\",\"value\":\"\",\"ttl\":300,\"in_sync\":true,\"pending\":"
	"false,\"attention\":false,\"checked_at\":\"\",\"claimed_at\":\"\",\"by\":\"\",\"href\":"
	"\"\",\"error_type\":\"\",\"error\":\"\"}",
	"{\"wanted\":\"203.0.113.7\",\"value\":\"\",\"ttl\":-1,\"in_sync\":true,\"pending\":"
	"false,\"attention\":false,\"checked_at\":\"\",\"claimed_at\":\"\",\"by\":\"\",\"href\":"
	"\"\",\"error_type\":\"\",\"error\":\"\"}",
	"{\"wanted\":\"203.0.113.7\",\"value\":\"\",\"ttl\":300,\"in_sync\":true,\"pending\":"
	"false,\"attention\":false,\"checked_at\":\"now\",\"claimed_at\":\"\",\"by\":\"\","
	"\"href\":\"\",\"error_type\":\"\",\"error\":\"\"}",
};

START_TEST(a_record_that_is_no_good_keeps_its_text)
{
	cJSON *o = parse("{\"data\":{}}");
	struct wan_record r;

	set_text(cJSON_GetObjectItem(o, "data"), "record.a.A", bad_records[_i]);
	wan_record_read(o, "record.a.A", &r);
	ck_assert(!r.exists && !r.in_sync && !r.pending);
	ck_assert_int_eq(r.value.family, ADDRESS_NONE);
	ck_assert_str_eq(r.raw, bad_records[_i]);
	free(r.raw);
	wan_record_read(o, "record.b.A", &r);
	ck_assert(!r.exists);
	ck_assert_ptr_null(r.raw);
	cJSON_Delete(o);
	wan_record_read(NULL, "record.b.A", &r);
	ck_assert_ptr_null(r.raw);
}
END_TEST

/* --- keys --------------------------------------------------------------------------------------
 */

static bool
is_api_key(const char *key)
{
	return strlen(key) <= 253 && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"
						 "VWXYZ0123456789-_.") == strlen(key);
}

START_TEST(keys_are_what_the_api_takes)
{
	char key[MSG_NAME_MAX + 32], other[MSG_NAME_MAX + 32], name[MSG_NAME_MAX];

	ck_assert_str_eq(wan_record_key("home.example.com", ADDRESS_IPV4, key, sizeof(key)),
			 "record.home.example.com.A");
	ck_assert_str_eq(wan_record_key("*.Example.com", ADDRESS_IPV6, key, sizeof(key)),
			 "record._wildcard.example.com.AAAA");
	ck_assert(is_api_key(wan_record_key("a/b~c @\x01\xff", ADDRESS_IPV4, key, sizeof(key))));
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert(is_api_key(wan_record_key(name, ADDRESS_IPV4, key, sizeof(key))));
	name[sizeof(name) - 2] = 'b';
	ck_assert(is_api_key(wan_record_key(name, ADDRESS_IPV4, other, sizeof(other))));
	ck_assert_str_ne(key, other);
}
END_TEST

/* --- bodies --------------------------------------------------------------------------------------
 */

/* One operation or member a line. */
static void
compare(const char *golden, cJSON *body)
{
	struct buf b = BUF_INIT;
	char *text = cJSON_Print(body);

	buf_adds(&b, text);
	buf_addc(&b, '\n');
	golden_compare(golden, &b);
	buf_free(&b);
	free(text);
	cJSON_Delete(body);
}

START_TEST(bodies_are_as_agreed)
{
	struct api_fence f, next;
	struct wan_content c;
	cJSON *object;

	sample(&f, &c);
	next = f;
	next.sequence++;
	switch (_i) {
	case 0:
		compare("wan_new.json", wan_object_new("esddns-wan-ip", &f, &c));
		break;
	case 1:
		compare("wan_patch.json", wan_object_patch(&f, LEADERSHIP_TEST_ALL, &next, &c));
		break;
	case 2:
		object = parse("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"esddns-wan-ip\","
			       "\"uid\":\"old\",\"resourceVersion\":\"1\",\"labels\":{\"a\":\"b\"},"
			       "\"managedFields\":[{\"manager\":\"kubectl\"}]},"
			       "\"data\":{\"note\":\"a person's\",\"epoch\":\"junk\","
			       "\"record.x.A\":\"{}\"},\"future\":{\"x\":1}}");
		compare("wan_claim.json", wan_object_claim(object, &f, &c));
		cJSON_Delete(object);
		break;
	case 3:
		object = parse("{\"data\":{\"current_ip\":\"203.0.113.9\"}}");
		compare("wan_claim_bare.json", wan_object_claim(object, &f, NULL));
		cJSON_Delete(object);
		break;
	}
}
END_TEST

START_TEST(record_patches_test_what_they_replace)
{
	struct wan_record r = { .value = address("203.0.113.7"),
				.pending = true,
				.ttl = 300,
				.claimed_at = 1764072000000,
				.checked_at = 1764072000000,
				.by = "node-2" };
	const struct wan_record_change changes[] = {
		{ "record.a.example.A", true, "{\"old\":\"text\"}", &r },
		{ "record.b.example.A", true, NULL, &r },
		{ "record.c.example.A", false, NULL, &r },
	};
	struct api_fence f;
	struct wan_content c;

	sample(&f, &c);
	compare("wan_records_patch.json",
		wan_records_patch(
			&f, LEADERSHIP_TEST_UID | LEADERSHIP_TEST_EPOCH | LEADERSHIP_TEST_SEQUENCE,
			changes, 3));
}
END_TEST

START_TEST(pointers_are_escaped)
{
	struct wan_record r = { .ttl = 1 };
	const struct wan_record_change change = { "a/b~c", true, NULL, &r };
	cJSON *patch = wan_records_patch(&fence, 0, &change, 1);

	ck_assert_str_eq(json_text(cJSON_GetArrayItem(patch, 0), "path"), "/data/a~1b~0c");
	ck_assert_str_eq(json_text(cJSON_GetArrayItem(patch, 1), "path"), "/data/a~1b~0c");
	cJSON_Delete(patch);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("wan_object");
	TCase *tc = tcase_create("wan_object");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, what_is_written_is_read_again);
	tcase_add_test(tc, an_address_edited_by_hand_is_none_that_a_round_confirmed);
	tcase_add_loop_test(tc, any_content_survives_and_stays_small, 0, 60);
	tcase_add_loop_test(tc, a_record_is_read_as_it_was_written, 0, 20);
	tcase_add_loop_test(tc, what_cannot_be_used_counts_as_absent_and_is_named, 0,
			    COUNT(hostile));
	tcase_add_test(tc, one_bad_key_spoils_no_other);
	tcase_add_loop_test(tc, strange_objects_are_no_state, 0, COUNT(strange));
	tcase_add_test(tc, ten_megabytes_are_refused_and_do_not_spread);
	tcase_add_test(tc, immutable_and_binary_are_seen);
	tcase_add_loop_test(tc, a_record_that_is_no_good_keeps_its_text, 0, COUNT(bad_records));
	tcase_add_test(tc, keys_are_what_the_api_takes);
	tcase_add_loop_test(tc, bodies_are_as_agreed, 0, 4);
	tcase_add_test(tc, record_patches_test_what_they_replace);
	tcase_add_test(tc, pointers_are_escaped);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
