#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

/* Parses a copy without a NUL at its end, so that a read behind the end is found. */
static cJSON *
parse(const char *text, size_t len, const char **why)
{
	char *exact = mem_new(len, 1);
	cJSON *value;

	memcpy(exact, text, len);
	value = json_parse(exact, len, why);
	free(exact);
	return value;
}

static void
check_taken(const char *text)
{
	const char *why = "not set";
	cJSON *value = parse(text, strlen(text), &why);

	ck_assert_msg(value != NULL, "%s: %s", text, why);
	ck_assert_ptr_null(why);
	cJSON_Delete(value);
}

static void
check_refused(const char *text, size_t len, const char *reason)
{
	int shown = len < 60 ? (int)len : 60;
	const char *why = NULL;
	cJSON *value = parse(text, len, &why);

	ck_assert_msg(value == NULL, "taken: %.*s", shown, text);
	ck_assert_msg(why != NULL && strcmp(why, reason) == 0, "%.*s: \"%s\" instead of \"%s\"",
		      shown, text, why != NULL ? why : "no reason", reason);
	ck_assert_ptr_null(json_parse(text, len, NULL));
}

static const char *const documents[] = {
	"{}",
	"[]",
	"null",
	"true",
	"0",
	"-0",
	"10",
	"-1.5e+3",
	"1E-2",
	"\"\"",
	" \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
	"{\"a\":{\"a\":{\"a\":1}}}", /* the same key on different levels is no twin */
	"[{\"a\":1},{\"a\":1}]",
	"{\"a\":1,\"A\":2}",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
	"\"\\\\u0000\"", /* a backslash and five characters, no NUL */
	"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"",
	"\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
	"[0,-1,2.25,1e3]",
};

START_TEST(takes_json)
{
	check_taken(documents[_i]);
}
END_TEST

static const struct {
	const char *text, *reason;
} refused[] = {
	{ "", "is not JSON" },
	{ " ", "is not JSON" },
	{ "error", "is not JSON" },
	{ "<html></html>", "is not JSON" },
	{ "{", "is not JSON" },
	{ "[", "is not JSON" },
	{ "]", "is not JSON" },
	{ "{]", "is not JSON" },
	{ "{\"a\"}", "is not JSON" },
	{ "{\"a\":}", "is not JSON" },
	{ "{\"a\":1,}", "is not JSON" },
	{ "{a:1}", "is not JSON" },
	{ "{'a':1}", "is not JSON" },
	{ "{1:1}", "is not JSON" },
	{ "[1,]", "is not JSON" },
	{ "[,1]", "is not JSON" },
	{ "[1 2]", "is not JSON" },
	{ "\"", "is not JSON" },
	{ "\"\\\"", "is not JSON" },
	{ "\"\\", "is not JSON" },
	{ "\"\\x41\"", "is not JSON" },
	{ "\"\\u12\"", "is not JSON" },
	{ "\"\\u00zz\"", "is not JSON" },
	{ "\"\\ud800\"", "is not JSON" },
	{ "\"\\udc00\\ud800\"", "is not JSON" },
	{ "nul", "is not JSON" },
	{ "True", "is not JSON" },
	{ "NaN", "is not JSON" },
	{ "Infinity", "is not JSON" },
	{ "+1", "is not JSON" },
	{ "-", "has a malformed number" },
	{ "01", "has a malformed number" },
	{ "-01", "has a malformed number" },
	{ "[1.]", "has a malformed number" },
	{ "-.5", "has a malformed number" },
	{ "1e", "has a malformed number" },
	{ "{\"a\":1e+}", "has a malformed number" },
	{ "{\"a\":00}", "has a malformed number" },
	{ "1-2", "has a malformed number" },
	{ ".5", "is not JSON" },
	{ "0x10", "has something behind its end" },
	{ "1 -", "has a malformed number" },
	{ "{} {}", "has something behind its end" },
	{ "{}x", "has something behind its end" },
	{ "1 2", "has something behind its end" },
	{ "\"a\"\"b\"", "has something behind its end" },
	{ "[]]", "has something behind its end" },
	{ "{\"a\":1,\"b\":2,\"a\":3}", "has a key twice" },
	{ "{\"x\":[0,{\"a\":1,\"a\":1}]}", "has a key twice" },
	{ "{\"a\":1,\"\\u0061\":2}", "has a key twice" },
	{ "\"\\u0000\"", "holds a NUL character" },
	{ "{\"a\\u0000b\":1}", "holds a NUL character" },
	{ "\"\\\\\\u0000\"", "holds a NUL character" },
	{ "\"a\nb\"", "has a control character in a string" },
	{ "\"\t\"", "has a control character in a string" },
	{ "\"\x1F\"", "has a control character in a string" },
	{ "\x01{}", "has a control character" },
	{ "{}\x0B", "has a control character" },
	{ "[1,\f2]", "has a control character" },
	{ "\xEF\xBB\xBF{}", "is not JSON" },
	{ "\"\xFF\"", "is not UTF-8" },
	{ "\"\xC3\"", "is not UTF-8" },
	{ "\"\xC0\x80\"", "is not UTF-8" },
	{ "\"\xED\xA0\x80\"", "is not UTF-8" },
	{ "\"\xE2\x82", "is not UTF-8" },
};

START_TEST(refuses_what_is_not_json)
{
	check_refused(refused[_i].text, strlen(refused[_i].text), refused[_i].reason);
}
END_TEST

START_TEST(refuses_nul_bytes)
{
	check_refused("{}\0", 3, "holds a NUL byte");
	check_refused("\0{}", 3, "holds a NUL byte");
	check_refused("\"a\0b\"", 5, "holds a NUL byte");
	check_refused("[1,\0 2]", 7, "holds a NUL byte");
}
END_TEST

static void
nest(struct buf *b, int depth, const char *open, const char *close)
{
	for (int i = 0; i < depth; i++)
		buf_adds(b, open);
	buf_addc(b, '1');
	for (int i = 0; i < depth; i++)
		buf_adds(b, close);
}

START_TEST(bounds_the_depth)
{
	static const char *const pairs[][2] = { { "[", "]" }, { "{\"a\":", "}" }, { "[ ", " ]" } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf b = BUF_INIT;

		nest(&b, JSON_DEPTH_MAX, pairs[i][0], pairs[i][1]);
		check_taken(buf_text(&b));
		buf_clear(&b);
		nest(&b, JSON_DEPTH_MAX + 1, pairs[i][0], pairs[i][1]);
		check_refused(buf_text(&b), b.len, "is nested too deeply");
		buf_free(&b);
	}
}
END_TEST

static void
object_of(struct buf *b, int members)
{
	buf_addc(b, '{');
	for (int i = 0; i < members; i++)
		buf_printf(b, "%s\"k%d\":%d", i != 0 ? "," : "", i, i);
	buf_addc(b, '}');
}

START_TEST(bounds_the_members_of_an_object)
{
	struct buf b = BUF_INIT;

	object_of(&b, JSON_MEMBERS_MAX);
	check_taken(buf_text(&b));
	buf_clear(&b);
	object_of(&b, JSON_MEMBERS_MAX + 1);
	check_refused(buf_text(&b), b.len, "has too many members");
	buf_clear(&b);
	/* an array is bounded by the document's length alone */
	buf_adds(&b, "[0");
	for (int i = 0; i < 4 * JSON_MEMBERS_MAX; i++)
		buf_adds(&b, ",0");
	buf_adds(&b, "]");
	check_taken(buf_text(&b));
	buf_free(&b);
}
END_TEST

/* Far larger than any caller takes; the time allowed is generous, quadratic work would exceed it.
 */
START_TEST(refuses_large_hostile_documents_quickly)
{
	int64_t start = clock_now();
	struct buf b = BUF_INIT;

	object_of(&b, 300000);
	check_refused(buf_text(&b), b.len, "has too many members");
	buf_clear(&b);
	for (int i = 0; i < 4000000; i++)
		buf_addc(&b, '[');
	check_refused(buf_text(&b), b.len, "is nested too deeply");
	buf_clear(&b);
	buf_addc(&b, '"');
	for (int i = 0; i < 2000000; i++)
		buf_adds(&b, "\\\\");
	check_refused(buf_text(&b), b.len, "is not JSON");
	buf_clear(&b);
	for (int i = 0; i < 4000000; i++)
		buf_addc(&b, '9');
	check_refused(buf_text(&b), b.len, "has a number that is too long");
	buf_free(&b);
	ck_assert_int_lt(clock_now() - start, 10000);
}
END_TEST

START_TEST(reads_whole_numbers_within_bounds)
{
	static const char text[] =
		"{\"zero\":0,\"neg\":-5,\"max\":9007199254740992,\"over\":9007199254740994,"
		"\"half\":0.5,\"exp\":1e3,\"huge\":1e300,\"inf\":1e999,\"neginf\":-1e999,"
		"\"text\":\"5\",\"true\":true,\"null\":null,\"list\":[5]}";
	static const char *const none[] = { "over", "half", "huge", "inf",  "neginf", "text",
					    "true", "null", "list", "none", "ZERO" };
	cJSON *o = json_parse(text, strlen(text), NULL);
	int64_t n = 77;

	ck_assert_ptr_nonnull(o);
	ck_assert(json_int(o, "zero", 0, 0, &n) && n == 0);
	ck_assert(json_int(o, "neg", -5, -5, &n) && n == -5);
	ck_assert(json_int(o, "exp", 0, 1000, &n) && n == 1000);
	ck_assert(json_int(o, "max", 0, INT64_MAX, &n) && n == 9007199254740992);
	n = 77;
	ck_assert(!json_int(o, "neg", -4, 5, &n));
	ck_assert(!json_int(o, "neg", -10, -6, &n));
	ck_assert(!json_int(o, "zero", 1, 5, &n));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(!json_int(o, none[i], INT64_MIN, INT64_MAX, &n), "%s", none[i]);
	ck_assert_int_eq(n, 77);
	ck_assert(!json_int(NULL, "zero", 0, 9, &n));
	cJSON_Delete(o);
}
END_TEST

START_TEST(reads_members_by_type)
{
	static const char text[] = "{\"t\":\"text\",\"b\":true,\"f\":false,\"a\":[1],\"o\":{\"x\":"
				   "1},\"n\":1,\"z\":null}";
	cJSON *o = json_parse(text, strlen(text), NULL);
	const cJSON *list = json_array(o, "a");
	char copy[5] = "old";
	bool b = false;

	ck_assert_str_eq(json_text(o, "t"), "text");
	ck_assert_ptr_null(json_text(o, "n"));
	ck_assert_ptr_null(json_text(o, "z"));
	ck_assert_ptr_null(json_text(o, "T"));
	ck_assert_ptr_null(json_text(list, "t"));
	ck_assert(json_bool(o, "b", &b) && b);
	ck_assert(json_bool(o, "f", &b) && !b);
	ck_assert(!json_bool(o, "n", &b));
	ck_assert(!json_bool(o, "t", &b));
	ck_assert(!json_bool(o, "none", &b));
	ck_assert_ptr_nonnull(list);
	ck_assert_ptr_null(json_array(o, "o"));
	ck_assert_ptr_nonnull(json_object(o, "o"));
	ck_assert_ptr_null(json_object(o, "a"));
	ck_assert(json_copy(o, "t", copy, sizeof(copy)));
	ck_assert_str_eq(copy, "text");
	ck_assert(!json_copy(o, "t", copy, 4));
	ck_assert_str_eq(copy, "");
	strcpy(copy, "old");
	ck_assert(!json_copy(o, "n", copy, sizeof(copy)));
	ck_assert_str_eq(copy, "");
	cJSON_Delete(o);
}
END_TEST

/* What is quoted must be JSON, and must come back unless a byte of it was not UTF-8. */
static void
check_quoting(const char *text, const char *back)
{
	struct buf b = BUF_INIT;
	const char *why = NULL;
	cJSON *value;

	json_quote(&b, text);
	for (size_t i = 0; i < b.len; i++)
		ck_assert_msg((unsigned char)b.data[i] >= 0x20 && b.data[i] != 0x7F,
			      "a control character came through");
	value = json_parse(buf_text(&b), b.len, &why);
	ck_assert_msg(cJSON_IsString(value), "%s: %s", buf_text(&b), why != NULL ? why : "no text");
	ck_assert_str_eq(value->valuestring, back);
	cJSON_Delete(value);
	buf_free(&b);
}

#define BAD "\xEF\xBF\xBD"

START_TEST(quotes_every_byte)
{
	for (int c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, 'b', '\0' };

		check_quoting(text, c < 0x80 ? text : "a" BAD "b");
		text[2] = '\0'; /* and as the last one */
		check_quoting(text, c < 0x80 ? text : "a" BAD);
	}
}
END_TEST

START_TEST(quotes_utf8)
{
	static const char *const good[] = {
		"",
		"\xC2\x80",
		"\xDF\xBF",
		"\xE0\xA0\x80",
		"\xED\x9F\xBF",
		"\xEE\x80\x80",
		"\xEF\xBF\xBF",
		"\xF0\x90\x80\x80",
		"\xF4\x8F\xBF\xBF",
		"gr\xC3\xBC\xC3\x9F \"x\" \\ / \b\f\n\r\t",
	};
	static const struct {
		const char *text, *back;
	} bad[] = {
		{ "\xC0\xAF", BAD BAD }, /* overlong */
		{ "\xC1\xBF", BAD BAD },
		{ "\xE0\x9F\xBF", BAD BAD BAD },
		{ "\xF0\x8F\xBF\xBF", BAD BAD BAD BAD },
		{ "\xED\xA0\x80", BAD BAD BAD }, /* surrogates */
		{ "\xED\xBF\xBF", BAD BAD BAD },
		{ "\xF4\x90\x80\x80", BAD BAD BAD BAD }, /* above U+10FFFF */
		{ "\xF5\x80\x80\x80", BAD BAD BAD BAD },
		{ "\xE2\x82", BAD BAD }, /* cut off */
		{ "\xF0\x9F\x98", BAD BAD BAD },
		{ "\xC3(", BAD "(" },
		{ "\xE2\x82\"", BAD BAD "\"" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check_quoting(good[i], good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_quoting(bad[i].text, bad[i].back);
}
END_TEST

/* U+009B alone begins a terminal's escape sequence, as ESC [ does. */
START_TEST(escapes_what_a_terminal_obeys)
{
	struct buf b = BUF_INIT;

	json_quote(&b, "\x1B[31m \xC2\x9B"
		       "31m \x7F \xC2\xA0");
	ck_assert_str_eq(buf_text(&b), "\"\\u001b[31m \\u009b31m \\u007f \xC2\xA0\"");
	buf_free(&b);
}
END_TEST

START_TEST(quotes_random_bytes)
{
	srandom((unsigned)_i + 1);
	for (int n = 0; n < 2000; n++) {
		size_t len = (size_t)random() % 40;
		char *text = mem_new(len + 1, 1);
		struct buf b = BUF_INIT;
		cJSON *value;

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(1 + random() % 255);
		json_quote(&b, text);
		value = parse(buf_text(&b), b.len, NULL);
		ck_assert(cJSON_IsString(value));
		cJSON_Delete(value);
		buf_free(&b);
		free(text);
	}
}
END_TEST

START_TEST(survives_random_documents)
{
	static const char alphabet[] = "{}[]\",:\\u0019-.eE+truefalsn \n\x01\xC3\xA9";

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 20000; n++) {
		size_t len = (size_t)random() % 24;
		char text[24];
		const char *why = "not set";
		cJSON *value;

		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		value = parse(text, len, &why);
		ck_assert((value == NULL) == (why != NULL));
		cJSON_Delete(value);
	}
}
END_TEST

START_TEST(prints_on_one_line)
{
	static const char text[] = "{ \"a\" : [ 1, \"x\\ny\", null ],\n \"b\" : {} }";
	cJSON *value = json_parse(text, strlen(text), NULL);
	char *line = json_print(value);

	ck_assert_str_eq(line, "{\"a\":[1,\"x\\ny\",null],\"b\":{}}");
	free(line);
	cJSON_Delete(value);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, takes_json, 0, (int)(sizeof(documents) / sizeof(documents[0])));
	tcase_add_loop_test(tc, refuses_what_is_not_json, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, refuses_nul_bytes);
	tcase_add_test(tc, bounds_the_depth);
	tcase_add_test(tc, bounds_the_members_of_an_object);
	tcase_add_test(tc, refuses_large_hostile_documents_quickly);
	tcase_add_test(tc, reads_whole_numbers_within_bounds);
	tcase_add_test(tc, reads_members_by_type);
	tcase_add_test(tc, quotes_every_byte);
	tcase_add_test(tc, quotes_utf8);
	tcase_add_test(tc, escapes_what_a_terminal_obeys);
	tcase_add_loop_test(tc, quotes_random_bytes, 0, 5);
	tcase_add_loop_test(tc, survives_random_documents, 0, 5);
	tcase_add_test(tc, prints_on_one_line);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
