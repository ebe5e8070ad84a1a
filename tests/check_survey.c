/* What a probe shows: each source, the votes, the result. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "detector/survey.h"
#include "tests/golden.h"

static char url[] = "https://api.ipify.org", host[] = "stun.l.google.com";
static struct detector_source sources[] = {
	{ .operator= "ipify", .kind = SOURCE_HTTPS, .url = url, .host = host },
	{ .operator= "cloudflare", .kind = SOURCE_HTTPS, .url = url, .host = host },
	{ .operator= "amazon", .kind = SOURCE_HTTP, .url = url, .host = host },
	{ .operator= "google", .kind = SOURCE_STUN, .host = host },
	{ .operator= "an-operator-with-a-long-name", .kind = SOURCE_STUN_TCP, .host = host },
};

#define NSOURCES (sizeof(sources) / sizeof(sources[0]))

static struct survey survey;

static struct address
address(const char *text)
{
	struct address a = { .family = ADDRESS_NONE };

	ck_assert(text == NULL || address_parse_text(text, &a));
	return a;
}

/* The family's answers, judged; a text that is no address is an error. */
static void
answer(enum address_family family, const char *const texts[NSOURCES], const char *published)
{
	static const struct agreement_limits limits = { 0 };
	struct survey_family *f = &survey.families[family];
	struct ballot ballots[NSOURCES] = { 0 };

	f->asked = true;
	f->published = address(published);
	f->detected_at = published != NULL ? 1795251852000 : 0;
	for (size_t i = 0; i < NSOURCES; i++) {
		struct survey_answer *a = &f->answers[f->nanswers++];
		struct ballot *b = &ballots[i];

		b->operator= sources[i].operator;
		b->kind = sources[i].kind;
		b->duration_ms = 23 * (int64_t)(i + 1);
		if (!address_parse_text(texts[i], &b->answer)) {
			b->duration_ms = 5000;
			snprintf(b->error, sizeof(b->error), "%s", texts[i]);
		}
		a->source = &sources[i];
		a->address = b->answer;
		a->duration_ms = b->duration_ms;
		snprintf(a->error, sizeof(a->error), "%s", b->error);
		if (a->address.family != ADDRESS_NONE)
			a->refusal = address_refusal(&a->address);
	}
	agreement_judge(&limits, ballots, NSOURCES, &f->published, &f->agreement);
}

static void
set_up(void)
{
	survey = (struct survey){ 0 };
}

static void
compare(const char *name, bool agreed)
{
	char file[64];
	struct buf b = BUF_INIT;
	cJSON *json;

	ck_assert_int_eq(survey_agreed(&survey), agreed);
	survey_print_json(&survey, &b);
	json = json_parse(buf_text(&b), b.len, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(cJSON_IsTrue(cJSON_GetObjectItem(json, "agreed")), agreed);
	cJSON_Delete(json);
	buf_clear(&b);
	survey_print(&survey, false, &b);
	golden_fits(&b);
	snprintf(file, sizeof(file), "survey/%s.txt", name);
	golden_compare(file, &b);
	buf_free(&b);
}

START_TEST(all_agree)
{
	answer(ADDRESS_IPV4,
	       (const char *const[]){ "198.20.0.7", "198.20.0.7", "198.20.0.7", "198.20.0.7",
				      "198.20.0.7" },
	       "198.20.0.7");
	compare("agreed", true);
}
END_TEST

START_TEST(one_lies_one_is_silent_one_is_behind_a_second_router)
{
	answer(ADDRESS_IPV4,
	       (const char *const[]){ "198.20.0.9", "198.20.0.7", "198.20.0.7", "198.20.0.7",
				      "name server did not answer" },
	       "198.20.0.8");
	answer(ADDRESS_IPV6,
	       (const char *const[]){
		       "2001:200::7", "fd00::7", "2001:200::7", "answered with status 503",
		       "the certificate is not valid for this name, or has expired" },
	       NULL);
	compare("mixed", false);
}
END_TEST

START_TEST(nobody_is_needed_who_cannot_be_reached)
{
	survey.optional = true;
	survey.state_trouble = (char *)"/var/lib/esddns/state.json: nothing is stored there yet";
	answer(ADDRESS_IPV4,
	       (const char *const[]){ "198.20.0.7", "198.20.0.7", "198.20.0.7", "no route to host",
				      "no route to host" },
	       NULL);
	answer(ADDRESS_IPV6,
	       (const char *const[]){ "no route", "no route", "no route", "no route", "no route" },
	       NULL);
	survey.families[ADDRESS_IPV6].no_route = true;
	compare("one-family", true);
	survey.optional = false;
	ck_assert(!survey_agreed(&survey));
}
END_TEST

START_TEST(nothing_answers)
{
	answer(ADDRESS_IPV4,
	       (const char *const[]){ "name server did not answer", "name server did not answer",
				      "name server did not answer", "name server did not answer",
				      "name server did not answer" },
	       "198.20.0.7");
	compare("silence", false);
}
END_TEST

START_TEST(colour_changes_no_word)
{
	struct buf plain = BUF_INIT, colour = BUF_INIT, stripped = BUF_INIT;

	answer(ADDRESS_IPV4,
	       (const char *const[]){ "198.20.0.9", "198.20.0.7", "198.20.0.7", "198.20.0.7", "?" },
	       NULL);
	survey_print(&survey, false, &plain);
	survey_print(&survey, true, &colour);
	ck_assert_ptr_nonnull(strchr(buf_text(&colour), '\033'));
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

int
main(void)
{
	Suite *suite = suite_create("survey");
	TCase *tc = tcase_create("survey");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, all_agree);
	tcase_add_test(tc, one_lies_one_is_silent_one_is_behind_a_second_router);
	tcase_add_test(tc, nobody_is_needed_who_cannot_be_reached);
	tcase_add_test(tc, nothing_answers);
	tcase_add_test(tc, colour_changes_no_word);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
