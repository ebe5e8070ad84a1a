#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector/agreement.h"

#define A "198.20.0.7"
#define B "198.20.0.9"
#define C "198.20.0.11"

struct given {
	const char *operator;
	enum source_kind kind;
	const char *says; /* an address, or an error */
};

static struct address
address_of(const char *text)
{
	struct address a = { .family = ADDRESS_NONE };

	if (*text)
		ck_assert_msg(address_parse_text(text, &a), "%s", text);
	return a;
}

static struct ballot
ballot_of(const struct given *g)
{
	struct ballot b = { .operator= g->operator, .kind = g->kind, .duration_ms = 7 };

	if (!address_parse_text(g->says, &b.answer))
		snprintf(b.error, sizeof(b.error), "%s", g->says);
	return b;
}

/* Judge what is given up to the first without an operator. */
static struct agreement
judge(const struct given *given, unsigned quorum, const char *last)
{
	const struct agreement_limits limits = { .quorum = quorum };
	struct ballot ballots[32];
	struct address known = address_of(last);
	struct agreement out;
	size_t n = 0;

	for (; given[n].operator; n++)
		ballots[n] = ballot_of(&given[n]);
	agreement_judge(&limits, ballots, n, &known, &out);
	return out;
}

static void
expect_agreed(const struct agreement *out, const char *address, unsigned agreed)
{
	char text[ADDRESS_TEXT_MAX];

	ck_assert_str_eq(out->reason, "");
	ck_assert_int_eq(out->verdict, AGREEMENT_AGREED);
	ck_assert_str_eq(address_format(&out->address, text, sizeof(text)), address);
	ck_assert_uint_eq(out->agreed, agreed);
}

static void
expect_held(const struct agreement *out, const char *reason)
{
	ck_assert_str_eq(out->reason, reason);
	ck_assert_int_eq(out->verdict, AGREEMENT_HELD);
	ck_assert_int_eq(out->address.family, ADDRESS_NONE);
}

START_TEST(five_of_which_two_lie)
{
	const struct given g[] = {
		{ "alpha", SOURCE_HTTPS, A },   { "bravo", SOURCE_HTTPS, B },
		{ "charlie", SOURCE_HTTPS, A }, { "delta", SOURCE_HTTPS, B },
		{ "echo", SOURCE_STUN, A },     { 0 },
	};
	struct agreement out = judge(g, 0, "");

	expect_agreed(&out, A, 3);
	ck_assert_uint_eq(out.asked, 5);
	ck_assert_uint_eq(out.answered, 5);
	ck_assert_uint_eq(out.needed, 3);
	ck_assert_uint_eq(out.nvotes, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(out.votes[i].operator, g[i].operator);
		ck_assert_int_eq(out.votes[i].agrees, strcmp(g[i].says, A) == 0);
		ck_assert_str_eq(out.votes[i].error, "");
		ck_assert_int_eq(out.votes[i].duration_ms, 7);
	}
	ck_assert_str_eq(out.votes[4].kind, "stun");
}
END_TEST

/* Two liars must not win because three honest ones were slow. */
START_TEST(needs_a_majority_of_those_asked)
{
	struct agreement out =
		judge((const struct given[]){ { "alpha", SOURCE_HTTPS, B },
					      { "bravo", SOURCE_HTTPS, B },
					      { "charlie", SOURCE_HTTPS, "did not answer in time" },
					      { "delta", SOURCE_HTTPS, "did not answer in time" },
					      { "echo", SOURCE_HTTPS, "did not answer in time" },
					      { 0 } },
		      0, A);

	expect_held(&out, "2 of 5 operators agreed on " B ", 3 are needed; the last good address " A
			  " stays");
	ck_assert_uint_eq(out.answered, 2);
	ck_assert_uint_eq(out.agreed, 2);
	ck_assert_str_eq(out.votes[2].error, "did not answer in time");
	ck_assert(!out.votes[0].agrees);
}
END_TEST

START_TEST(three_that_lie_differently)
{
	struct agreement out =
		judge((const struct given[]){ { "alpha", SOURCE_HTTPS, A },
					      { "bravo", SOURCE_HTTPS, A },
					      { "charlie", SOURCE_HTTPS, B },
					      { "delta", SOURCE_HTTPS, C },
					      { "echo", SOURCE_HTTPS, "198.20.0.13" },
					      { 0 } },
		      0, A);

	expect_held(&out, "2 of 5 operators agreed on " A ", 3 are needed; the last good address " A
			  " stays");
	ck_assert(out.votes[0].agrees);
	ck_assert(!out.votes[2].agrees);
}
END_TEST

START_TEST(nothing_at_all)
{
	struct agreement out =
		judge((const struct given[]){ { "alpha", SOURCE_HTTPS, "answered with status 503" },
					      { "bravo", SOURCE_HTTPS, "" },
					      { "charlie", SOURCE_STUN, "no" },
					      { 0 } },
		      0, "");

	expect_held(&out,
		    "none of 3 operators gave an answer that counts, 2 are needed; no address "
		    "is known yet");
	ck_assert_str_eq(out.votes[1].error, "gave no answer");
}
END_TEST

START_TEST(all_different)
{
	struct agreement out = judge((const struct given[]){ { "alpha", SOURCE_HTTPS, A },
							     { "bravo", SOURCE_HTTPS, B },
							     { "charlie", SOURCE_HTTPS, C },
							     { 0 } },
				     0, "");

	expect_held(&out, "no two of the 3 operators that answered agreed, 2 of 3 are needed; no "
			  "address is known yet");
}
END_TEST

START_TEST(an_operator_has_one_vote)
{
	struct agreement out = judge((const struct given[]){ { "alpha", SOURCE_HTTPS, B },
							     { "alpha", SOURCE_HTTPS, B },
							     { "alpha", SOURCE_STUN, B },
							     { "bravo", SOURCE_HTTPS, A },
							     { "charlie", SOURCE_HTTPS, A },
							     { 0 } },
				     0, "");

	expect_agreed(&out, A, 2);
	ck_assert_uint_eq(out.asked, 3);
	ck_assert_str_eq(out.votes[0].kind, "mixed");
}
END_TEST

START_TEST(an_operator_that_contradicts_itself_has_none)
{
	struct agreement out = judge((const struct given[]){ { "alpha", SOURCE_HTTPS, A },
							     { "alpha", SOURCE_HTTPS, B },
							     { "alpha", SOURCE_HTTPS, A },
							     { "bravo", SOURCE_HTTPS, A },
							     { "charlie", SOURCE_HTTPS, C },
							     { 0 } },
				     0, "");

	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
	ck_assert_str_eq(out.votes[0].error, "contradicts itself: " A " and " B);
	ck_assert_uint_eq(out.answered, 2);
}
END_TEST

/* One source of two that fails costs the operator nothing, in either order. */
START_TEST(one_source_of_an_operator_may_fail)
{
	struct agreement out = judge((const struct given[]){ { "alpha", SOURCE_HTTPS, "refused" },
							     { "alpha", SOURCE_STUN, A },
							     { "bravo", SOURCE_HTTPS, A },
							     { "bravo", SOURCE_HTTPS, "refused" },
							     { 0 } },
				     0, "");

	expect_agreed(&out, A, 2);
	ck_assert_str_eq(out.votes[0].error, "");
	ck_assert_str_eq(out.votes[1].error, "");
}
END_TEST

START_TEST(what_may_not_be_published_is_no_vote)
{
	static const char *const reserved[] = { "10.0.0.1", "100.64.0.1", "192.0.0.11" };
	const struct given g[] = { { "alpha", SOURCE_HTTPS, reserved[_i] },
				   { "bravo", SOURCE_HTTPS, reserved[_i] },
				   { "charlie", SOURCE_HTTPS, reserved[_i] },
				   { 0 } };
	struct agreement_limits limits = { .allow_reserved = true };
	struct ballot ballots[3];
	struct address none = { .family = ADDRESS_NONE };
	struct agreement out = judge(g, 0, A);

	expect_held(&out, "none of 3 operators gave an answer that counts, 2 are needed; the last "
			  "good address " A " stays");
	ck_assert_str_eq(out.votes[0].error, address_refusal(&out.votes[0].answer));
	for (size_t i = 0; i < 3; i++)
		ballots[i] = ballot_of(&g[i]);
	agreement_judge(&limits, ballots, 3, &none, &out);
	expect_agreed(&out, reserved[_i], 3);
}
END_TEST

START_TEST(a_number_as_quorum)
{
	const struct given two_each[] = {
		{ "alpha", SOURCE_HTTPS, A },   { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, B }, { "delta", SOURCE_HTTPS, B },
		{ "echo", SOURCE_HTTPS, C },    { 0 }
	};
	const struct given one[] = { { "alpha", SOURCE_HTTPS, A }, { 0 } };
	struct agreement out = judge(two_each, 2, B);

	expect_held(&out, "2 of 5 operators agreed on " A " and as many on " B
			  "; the last good address " B " stays");
	out = judge(two_each + 1, 2, "");
	expect_agreed(&out, B, 2);
	out = judge(one, 1, "");
	expect_agreed(&out, A, 1);
	out = judge(one, 2, "");
	expect_held(&out,
		    "1 of 1 operators agreed on " A ", 2 are needed; no address is known yet");
}
END_TEST

/* A transparent proxy fools all that speak HTTP, and only these. */
START_TEST(kinds_that_contradict_each_other)
{
	const struct given g[] = {
		{ "alpha", SOURCE_HTTPS, B },   { "bravo", SOURCE_HTTP, B },
		{ "charlie", SOURCE_HTTPS, B }, { "delta", SOURCE_STUN, A },
		{ "echo", SOURCE_STUN_TCP, A }, { 0 },
	};
	struct given one_stun[6];
	struct agreement out = judge(g, 0, A);

	expect_held(&out,
		    "HTTP and STUN operators contradict each other (" B " and " A
		    "), as behind a transparent proxy or a VPN; the last good address " A " stays");
	/* one of a kind alone is a liar like any other */
	memcpy(one_stun, g, sizeof(g));
	one_stun[4].says = "did not answer";
	out = judge(one_stun, 0, A);
	expect_agreed(&out, B, 3);
	/* without a majority within the kind it says nothing */
	one_stun[4].says = C;
	out = judge(one_stun, 0, A);
	expect_agreed(&out, B, 3);
}
END_TEST

/*
 * Two liars of one kind among five: what is known stays in any case, so it is
 * agreed on where both kinds have operators that name it. A change is not
 * believed like this.
 */
START_TEST(kinds_that_contradict_each_other_about_what_is_known)
{
	const struct given g[] = {
		{ "alpha", SOURCE_HTTPS, B },   { "bravo", SOURCE_HTTPS, B },
		{ "charlie", SOURCE_HTTPS, A }, { "delta", SOURCE_STUN, A },
		{ "echo", SOURCE_STUN, A },     { 0 },
	};
	const struct given proxy[] = {
		{ "alpha", SOURCE_HTTPS, A },   { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, A }, { "delta", SOURCE_STUN, B },
		{ "echo", SOURCE_STUN, B },     { 0 },
	};
	struct agreement out = judge(g, 0, A);

	expect_agreed(&out, A, 3);
	ck_assert(!out.votes[0].agrees && !out.votes[1].agrees);
	out = judge(g, 0, C);
	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
	out = judge(g, 0, "");
	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
	out = judge(proxy, 0, A);
	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
}
END_TEST

/* An operator asked in both ways is evidence for both. */
START_TEST(kinds_within_operators)
{
	struct agreement out = judge((const struct given[]){ { "alpha", SOURCE_HTTPS, B },
							     { "bravo", SOURCE_HTTPS, B },
							     { "charlie", SOURCE_HTTPS, B },
							     { "delta", SOURCE_HTTPS, B },
							     { "delta", SOURCE_STUN, A },
							     { "echo", SOURCE_STUN, A },
							     { 0 } },
				     0, A);

	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
	ck_assert_ptr_nonnull(strstr(out.reason, "contradict each other"));
}
END_TEST

START_TEST(more_operators_than_fit)
{
	const struct agreement_limits limits = { 0 };
	struct address none = { .family = ADDRESS_NONE };
	struct ballot ballots[40];
	char names[40][8];
	struct agreement out;

	for (size_t i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "op%zu", i);
		ballots[i] = (struct ballot){ .operator= names[i], .answer = address_of(A) };
	}
	agreement_judge(&limits, ballots, 40, &none, &out);
	expect_agreed(&out, A, MSG_VOTES_MAX);
	agreement_judge(&limits, ballots, 0, &none, &out);
	ck_assert_int_eq(out.verdict, AGREEMENT_HELD);
	ck_assert_uint_eq(out.asked, 0);
}
END_TEST

/*
 * Whatever is answered: what is agreed on was named by enough operators of this
 * round, may be published, and has more votes than anything else.
 */
START_TEST(agrees_only_on_what_a_quorum_named)
{
	static const char *const pool[] = { A, B, C, "10.0.0.1", "failed" };
	static const char *const operators[] = { "a", "b", "c", "d", "e", "f", "g" };

	srandom((unsigned)_i + 1);
	for (int n = 0; n < 1000; n++) {
		struct agreement_limits limits = { .quorum = (unsigned)random() % 5 };
		struct address last = address_of(random() % 2 ? A : "");
		struct ballot ballots[12];
		size_t nballots = (size_t)random() % 13;
		unsigned named = 0, rival = 0;
		struct agreement out;

		for (size_t i = 0; i < nballots; i++)
			ballots[i] = ballot_of(
				&(struct given){ operators[random() % 7],
						 (enum source_kind)(random() % SOURCE_KIND__MAX),
						 pool[random() % 5] });
		agreement_judge(&limits, ballots, nballots, &last, &out);
		ck_assert_int_eq(out.reason[0] == '\0', out.verdict == AGREEMENT_AGREED);
		ck_assert_uint_ge(out.asked, out.answered);
		ck_assert_uint_ge(out.answered, out.agreed);
		if (out.verdict == AGREEMENT_HELD)
			continue;
		for (size_t i = 0; i < out.nvotes; i++) {
			named += out.votes[i].agrees;
			rival += !out.votes[i].agrees && !out.votes[i].error[0];
		}
		ck_assert_uint_eq(named, out.agreed);
		ck_assert_uint_ge(named, out.needed);
		ck_assert(limits.quorum > 0 || named > rival);
		ck_assert_ptr_null(address_refusal(&out.address));
	}
}
END_TEST

/* Is the agreement on A final, where those that say nothing may answer yet? */
static bool
is_final(const struct given *given, unsigned quorum)
{
	const struct agreement_limits limits = { .quorum = quorum };
	struct ballot ballots[8];
	struct address last = address_of(C);
	struct agreement out;
	size_t n = 0;

	for (; given[n].operator; n++) {
		ballots[n] = ballot_of(&given[n]);
		ballots[n].pending = !*given[n].says;
	}
	agreement_judge(&limits, ballots, n, &last, &out);
	expect_agreed(&out, A, out.agreed);
	return out.final;
}

START_TEST(who_is_slow_may_still_matter)
{
	const struct given one_late[] = {
		{ "alpha", SOURCE_HTTPS, A },    { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, "" }, { "delta", SOURCE_STUN, A },
		{ "echo", SOURCE_STUN, A },      { 0 },
	};
	const struct given a_kind_late[] = {
		{ "alpha", SOURCE_HTTPS, A },   { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, A }, { "delta", SOURCE_STUN, "" },
		{ "echo", SOURCE_STUN, "" },    { 0 },
	};
	const struct given a_kind_failed[] = {
		{ "alpha", SOURCE_HTTPS, A },       { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, A },     { "delta", SOURCE_STUN, "refused" },
		{ "echo", SOURCE_STUN, "refused" }, { 0 },
	};
	const struct given few_fast[] = {
		{ "alpha", SOURCE_HTTPS, A },    { "bravo", SOURCE_HTTPS, A },
		{ "charlie", SOURCE_HTTPS, "" }, { "delta", SOURCE_HTTPS, "" },
		{ "echo", SOURCE_HTTPS, B },     { 0 },
	};
	const struct given may_contradict_itself[] = {
		{ "alpha", SOURCE_HTTPS, A },
		{ "bravo", SOURCE_HTTPS, A },
		{ "bravo", SOURCE_HTTPS, "" },
		{ "charlie", SOURCE_HTTPS, B },
		{ 0 },
	};

	ck_assert(is_final(one_late, 0));
	ck_assert(!is_final(a_kind_late, 0));
	ck_assert(is_final(a_kind_failed, 0));
	ck_assert(!is_final(few_fast, 2));
	ck_assert(!is_final(may_contradict_itself, 0));
}
END_TEST

/* Whatever the pending ballots turn out to be, a final agreement is the same in the end. */
START_TEST(what_is_final_stays)
{
	static const char *const pool[] = { A, B, C, "10.0.0.1", "it failed" };
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	unsigned finals = 0;

	srandom(7919 + (unsigned)_i);
	for (int round = 0; round < 3000; round++) {
		const struct agreement_limits limits = { .quorum = (unsigned)random() % 3 };
		struct address last = address_of(random() % 2 ? C : "");
		size_t n = 1 + (size_t)random() % 8;
		struct ballot ballots[8];
		struct agreement before, after;

		for (size_t i = 0; i < n; i++) {
			ballots[i] = ballot_of(
				&(struct given){ names[random() % 6],
						 (enum source_kind)(random() % SOURCE_KIND__MAX),
						 random() % 2 ? A : pool[random() % 5] });
			if (random() % 3 == 0) {
				ballots[i].answer = address_of("");
				ballots[i].pending = true;
			}
		}
		agreement_judge(&limits, ballots, n, &last, &before);
		if (!before.final)
			continue;
		finals++;
		for (int end = 0; end < 50; end++) {
			for (size_t i = 0; i < n; i++) {
				const char *says = pool[random() % 5];

				if (ballots[i].pending &&
				    !address_parse_text(says, &ballots[i].answer))
					ballots[i].answer = address_of("");
			}
			agreement_judge(&limits, ballots, n, &last, &after);
			ck_assert_int_eq(after.verdict, AGREEMENT_AGREED);
			ck_assert(address_equal(&after.address, &before.address));
		}
	}
	ck_assert_uint_gt(finals, 100);
}
END_TEST

START_TEST(names_its_values)
{
	ck_assert_str_eq(agreement_verdict_name(AGREEMENT_AGREED), "agreed");
	ck_assert_str_eq(agreement_verdict_name(AGREEMENT_HELD), "held");
	for (enum source_kind k = SOURCE_HTTPS; k < SOURCE_KIND__MAX; k++)
		ck_assert_int_eq(source_kind_of(source_kind_name(k)), k);
	ck_assert_int_eq(source_kind_of("gopher"), SOURCE_KIND__MAX);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("agreement");
	TCase *tc = tcase_create("agreement");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, five_of_which_two_lie);
	tcase_add_test(tc, needs_a_majority_of_those_asked);
	tcase_add_test(tc, three_that_lie_differently);
	tcase_add_test(tc, nothing_at_all);
	tcase_add_test(tc, all_different);
	tcase_add_test(tc, an_operator_has_one_vote);
	tcase_add_test(tc, an_operator_that_contradicts_itself_has_none);
	tcase_add_test(tc, one_source_of_an_operator_may_fail);
	tcase_add_loop_test(tc, what_may_not_be_published_is_no_vote, 0, 3);
	tcase_add_test(tc, a_number_as_quorum);
	tcase_add_test(tc, kinds_that_contradict_each_other);
	tcase_add_test(tc, kinds_that_contradict_each_other_about_what_is_known);
	tcase_add_test(tc, kinds_within_operators);
	tcase_add_test(tc, more_operators_than_fit);
	tcase_add_loop_test(tc, agrees_only_on_what_a_quorum_named, 0, 20);
	tcase_add_test(tc, who_is_slow_may_still_matter);
	tcase_add_loop_test(tc, what_is_final_stays, 0, 4);
	tcase_add_test(tc, names_its_values);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
