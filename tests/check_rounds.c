#include <check.h>
#include <stdlib.h>

#include "common/clock.h"
#include "detector/rounds.h"

static const struct rounds_limits limits = {
	.interval_ms = 300000,
	.tripwire_ms = 15000,
	.confirm_ms = 2000,
	.min_change_ms = 60000,
	.ntripwires = 2,
};

/* A machine with its clock. random is 0 throughout, so no jitter is taken off. */
struct bench {
	struct rounds r;
	int64_t now;
};

static struct address
address_no(unsigned n)
{
	return (struct address){ ADDRESS_IPV4, { 198, 20, 0, (uint8_t)n } };
}

static struct rounds_actions
happens(struct bench *b, enum rounds_event_type type, unsigned address)
{
	const struct rounds_event ev = { .type = type, .address = address_no(address) };

	return rounds_step(&b->r, &ev, b->now);
}

static struct rounds_actions
tick(struct bench *b)
{
	return happens(b, ROUNDS_EV_TICK, 0);
}

/* Go on to the next deadline, which must be at the given distance. */
static struct rounds_actions
tick_after(struct bench *b, int64_t ms)
{
	ck_assert_int_eq(rounds_next_deadline(&b->r) - b->now, ms);
	b->now += ms;
	return tick(b);
}

static void
begin(struct bench *b, unsigned stored)
{
	struct address a = { .family = ADDRESS_NONE };

	b->now = 1000;
	if (stored)
		a = address_no(stored);
	rounds_init(&b->r, &limits, &a, b->now);
	ck_assert_int_eq(b->r.state, MSG_WAN_UNKNOWN);
	ck_assert(tick_after(b, 0).start_round);
}

/* With address 1 published by an agreed round, and the next round far away. */
static void
begin_agreed(struct bench *b)
{
	begin(b, 0);
	ck_assert(happens(b, ROUNDS_EV_AGREED, 1).publish);
}

static void
expect_published(const struct bench *b, unsigned n, enum msg_wan_state state)
{
	struct address a = address_no(n);

	ck_assert(address_equal(&b->r.published, &a));
	ck_assert_int_eq(b->r.state, state);
}

/* See a change to n and confirm it; true if that published it. */
static bool
change_to(struct bench *b, unsigned n)
{
	struct rounds_actions act;

	happens(b, ROUNDS_EV_COMMAND, 0);
	b->now += ROUNDS_GAP_MS;
	ck_assert(tick(b).start_round);
	act = happens(b, ROUNDS_EV_AGREED, n);
	ck_assert(!act.publish);
	ck_assert_int_eq(b->r.state, MSG_WAN_CONFIRMING);
	ck_assert(tick_after(b, limits.confirm_ms).start_round);
	return happens(b, ROUNDS_EV_AGREED, n).publish;
}

START_TEST(the_first_address_needs_no_confirmation)
{
	struct bench b;
	struct rounds_actions act;
	struct address one = address_no(1);

	begin(&b, 0);
	act = happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert(act.publish);
	ck_assert(act.confirmed);
	ck_assert(address_equal(&act.address, &one));
	expect_published(&b, 1, MSG_WAN_AGREED);
}
END_TEST

START_TEST(a_stored_address_that_agrees_is_current_at_once)
{
	struct bench b;
	struct rounds_actions act;

	begin(&b, 1);
	expect_published(&b, 1, MSG_WAN_UNKNOWN);
	act = happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert(!act.publish);
	ck_assert(act.confirmed);
	expect_published(&b, 1, MSG_WAN_AGREED);
}
END_TEST

START_TEST(a_stored_address_that_differs_is_a_change)
{
	struct bench b;
	struct rounds_actions act;

	begin(&b, 1);
	act = happens(&b, ROUNDS_EV_AGREED, 2);
	ck_assert(!act.publish);
	ck_assert(!act.confirmed);
	expect_published(&b, 1, MSG_WAN_CONFIRMING);
	ck_assert(tick_after(&b, 2000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 2).publish);
	expect_published(&b, 2, MSG_WAN_AGREED);
}
END_TEST

START_TEST(a_change_is_confirmed_in_its_own_time)
{
	struct bench b;

	begin_agreed(&b);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	happens(&b, ROUNDS_EV_AGREED, 2);
	/* nothing hurries it */
	happens(&b, ROUNDS_EV_COMMAND, 0);
	happens(&b, ROUNDS_EV_NETWORK, 0);
	ck_assert_int_eq(rounds_next_deadline(&b.r) - b.now, 2000);
	/* seen only once, it was nothing */
	ck_assert(tick_after(&b, 2000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 1).confirmed);
	expect_published(&b, 1, MSG_WAN_AGREED);
}
END_TEST

START_TEST(each_new_address_is_confirmed_by_itself)
{
	struct bench b;

	begin_agreed(&b);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	for (unsigned n = 2; n < 6; n++) {
		ck_assert(!happens(&b, ROUNDS_EV_AGREED, n).publish);
		expect_published(&b, 1, MSG_WAN_CONFIRMING);
		ck_assert(tick_after(&b, 2000).start_round);
	}
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 5).publish);
}
END_TEST

START_TEST(a_failed_confirmation_starts_over)
{
	struct bench b;

	begin_agreed(&b);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	happens(&b, ROUNDS_EV_AGREED, 2);
	ck_assert(tick_after(&b, 2000).start_round);
	happens(&b, ROUNDS_EV_HELD, 0);
	expect_published(&b, 1, MSG_WAN_HELD);
	ck_assert(tick_after(&b, 5000).start_round);
	ck_assert(!happens(&b, ROUNDS_EV_AGREED, 2).publish);
	ck_assert(tick_after(&b, 2000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 2).publish);
}
END_TEST

START_TEST(failed_rounds_are_retried_ever_more_slowly)
{
	static const int64_t delays[] = { 5000, 10000, 20000, 40000, 60000, 60000 };
	struct bench b;

	begin(&b, 0);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		ck_assert(!happens(&b, ROUNDS_EV_HELD, 0).publish);
		ck_assert_int_eq(b.r.state, MSG_WAN_HELD);
		ck_assert(tick_after(&b, delays[i]).start_round);
	}
	happens(&b, ROUNDS_EV_AGREED, 1);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	happens(&b, ROUNDS_EV_HELD, 0);
	ck_assert(tick_after(&b, 5000).start_round);
}
END_TEST

START_TEST(one_return_is_not_delayed_the_second_is_damped)
{
	struct bench b;
	int64_t returned;

	begin_agreed(&b);
	ck_assert(change_to(&b, 2));
	ck_assert(change_to(&b, 1));
	returned = b.now;
	ck_assert(!change_to(&b, 2));
	expect_published(&b, 1, MSG_WAN_DAMPED);
	ck_assert_int_eq(rounds_damped_until(&b.r), returned + 60000);
	/* no round before the end of the interval changes that */
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	ck_assert(!happens(&b, ROUNDS_EV_AGREED, 2).publish);
	ck_assert(tick_after(&b, returned + 60000 - b.now).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 2).publish);
	expect_published(&b, 2, MSG_WAN_AGREED);
}
END_TEST

START_TEST(damping_ends_where_the_address_settles)
{
	struct bench b;

	begin_agreed(&b);
	ck_assert(change_to(&b, 2));
	ck_assert(change_to(&b, 1));
	ck_assert(!change_to(&b, 2));
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 1).confirmed);
	expect_published(&b, 1, MSG_WAN_AGREED);
	/* a new address is no return, and is not delayed */
	ck_assert(change_to(&b, 3));
	/* nor is a return after the interval */
	b.now += 60000;
	ck_assert(change_to(&b, 1));
}
END_TEST

/* Three lines in turn flap as two do. */
START_TEST(a_rotation_is_damped_too)
{
	struct bench b;

	begin_agreed(&b);
	ck_assert(change_to(&b, 2));
	ck_assert(change_to(&b, 3));
	ck_assert(change_to(&b, 1));
	ck_assert(!change_to(&b, 2));
	expect_published(&b, 1, MSG_WAN_DAMPED);
}
END_TEST

START_TEST(the_tripwire_asks_in_turn)
{
	struct bench b;

	begin_agreed(&b);
	for (size_t n = 0; n < 6; n++) {
		struct rounds_actions act = tick_after(&b, 15000);

		ck_assert(act.send_tripwire);
		ck_assert(!act.start_round);
		ck_assert_uint_eq(act.tripwire, n % 2);
		/* a server that says nothing says nothing */
		happens(&b, n % 3 ? ROUNDS_EV_TRIPWIRE : ROUNDS_EV_TRIPWIRE_FAILED, 1);
		ck_assert_int_eq(b.r.state, MSG_WAN_AGREED);
	}
}
END_TEST

START_TEST(a_tripwire_that_differs_starts_a_round)
{
	struct bench b;

	begin_agreed(&b);
	ck_assert(tick_after(&b, 15000).send_tripwire);
	happens(&b, ROUNDS_EV_TRIPWIRE, 2);
	ck_assert(tick_after(&b, 0).start_round);
	ck_assert(!happens(&b, ROUNDS_EV_AGREED, 2).publish);
	ck_assert(tick_after(&b, 2000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 2).publish);
	/* it was right: it stays in the turn */
	ck_assert_int_eq(b.r.tripwires[0].penalty_ms, 0);
}
END_TEST

START_TEST(a_deviating_server_is_left_out_ever_longer)
{
	static const int64_t penalties[] = { 30000, 60000, 120000, 240000, 300000, 300000 };
	struct bench b;
	size_t found = 0;

	begin_agreed(&b);
	while (found < sizeof(penalties) / sizeof(penalties[0])) {
		struct rounds_actions act;

		b.now = rounds_next_deadline(&b.r);
		act = tick(&b);
		if (act.start_round) {
			happens(&b, ROUNDS_EV_AGREED, 1);
		} else if (act.send_tripwire && act.tripwire == 0) {
			happens(&b, ROUNDS_EV_TRIPWIRE, 9);
			ck_assert(tick_after(&b, 0).start_round);
			happens(&b, ROUNDS_EV_AGREED, 1);
			ck_assert_int_eq(b.r.tripwires[0].left_out_until_ms - b.now,
					 penalties[found++]);
		} else if (act.send_tripwire) {
			happens(&b, ROUNDS_EV_TRIPWIRE, 1);
		}
	}
	ck_assert_int_eq(b.r.tripwires[1].penalty_ms, 0);
}
END_TEST

START_TEST(no_tripwire_without_an_address_or_servers)
{
	struct rounds_limits none = limits;
	struct address one = address_no(1);
	struct bench b;

	begin(&b, 0);
	happens(&b, ROUNDS_EV_HELD, 0);
	ck_assert(tick_after(&b, 5000).start_round);
	none.ntripwires = 0;
	rounds_init(&b.r, &none, &one, b.now);
	ck_assert(tick_after(&b, 0).start_round);
	happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert(tick_after(&b, 300000).start_round);
}
END_TEST

START_TEST(a_trigger_during_a_round_makes_another_follow)
{
	struct bench b;

	begin(&b, 0);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(!tick(&b).start_round);
	b.now += 300;
	happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert(tick_after(&b, 700).start_round);
	happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert_int_eq(rounds_next_deadline(&b.r) - b.now, 15000);
}
END_TEST

START_TEST(a_noisy_network_starts_ever_fewer_rounds)
{
	struct bench b;
	unsigned rounds = 0;
	int64_t end;

	begin_agreed(&b);
	for (end = b.now + 600000; b.now < end; b.now += 100) {
		struct rounds_actions act;

		happens(&b, ROUNDS_EV_NETWORK, 0);
		act = tick(&b);
		rounds += act.start_round;
		if (act.start_round)
			happens(&b, ROUNDS_EV_AGREED, 1);
		if (act.send_tripwire)
			happens(&b, ROUNDS_EV_TRIPWIRE, 1);
	}
	ck_assert_uint_ge(rounds, 600000 / ROUNDS_NETWORK_GAP_MAX_MS);
	ck_assert_uint_le(rounds, 600000 / ROUNDS_NETWORK_GAP_MAX_MS + 7 + ROUNDS_NETWORK_VAIN);
	/* quiet for a while: the next event counts at once */
	b.now += 2 * ROUNDS_NETWORK_GAP_MAX_MS + 1;
	if (tick(&b).start_round)
		happens(&b, ROUNDS_EV_AGREED, 1);
	b.now += 2 * ROUNDS_NETWORK_GAP_MAX_MS + 1;
	happens(&b, ROUNDS_EV_NETWORK, 0);
	ck_assert(tick(&b).start_round);
}
END_TEST

/* Rounds started within ten minutes of events at a distance, where each takes its time. */
static unsigned
rounds_in_noise(int64_t event_ms, int64_t answer_ms, enum rounds_event_type outcome)
{
	struct bench b;
	unsigned rounds = 0;
	int64_t end, answer_at = CLOCK_NEVER;

	begin_agreed(&b);
	for (end = b.now + 600000; b.now < end; b.now += 50) {
		struct rounds_actions act;

		if ((end - b.now) % event_ms == 0)
			happens(&b, ROUNDS_EV_NETWORK, 0);
		if (b.now >= answer_at) {
			happens(&b, outcome, 1);
			answer_at = CLOCK_NEVER;
		}
		act = tick(&b);
		rounds += act.start_round;
		if (act.start_round)
			answer_at = b.now + answer_ms;
		if (act.send_tripwire)
			happens(&b, ROUNDS_EV_TRIPWIRE, 1);
	}
	return rounds;
}

START_TEST(events_during_rounds_do_not_undo_the_patience)
{
	static const int64_t events[] = { 50, 300, 2000, 10000, 20000, 30000 };
	static const int64_t answers[] = { 50, 500, 5000 };

	for (size_t e = 0; e < sizeof(events) / sizeof(events[0]); e++)
		for (size_t a = 0; a < sizeof(answers) / sizeof(answers[0]); a++) {
			unsigned most =
				600000 / ROUNDS_NETWORK_GAP_MAX_MS + 12 + ROUNDS_NETWORK_VAIN;

			ck_assert_uint_le(rounds_in_noise(events[e], answers[a], ROUNDS_EV_AGREED),
					  most);
			ck_assert_uint_le(rounds_in_noise(events[e], answers[a], ROUNDS_EV_HELD),
					  most);
		}
}
END_TEST

/* Pulled, pulled off its address, put in with another one: a round within a second. */
START_TEST(a_cable_that_comes_back_does_not_wait)
{
	struct bench b;

	begin_agreed(&b);
	b.now += ROUNDS_GAP_MS;
	happens(&b, ROUNDS_EV_NETWORK, 0);
	ck_assert(tick(&b).start_round);
	happens(&b, ROUNDS_EV_NETWORK, 0);
	b.now += 900;
	happens(&b, ROUNDS_EV_HELD, 0);
	ck_assert(tick_after(&b, 100).start_round);
	happens(&b, ROUNDS_EV_HELD, 0);
	b.now += 100;
	happens(&b, ROUNDS_EV_NETWORK, 0);
	ck_assert(tick_after(&b, 900).start_round);
}
END_TEST

START_TEST(a_noisy_network_delays_no_command)
{
	struct bench b;

	begin_agreed(&b);
	for (unsigned n = 0; n < 8; n++) {
		happens(&b, ROUNDS_EV_NETWORK, 0);
		b.now += ROUNDS_NETWORK_GAP_MAX_MS;
		ck_assert(tick(&b).start_round);
		happens(&b, ROUNDS_EV_AGREED, 1);
	}
	happens(&b, ROUNDS_EV_NETWORK, 0);
	b.now += ROUNDS_NETWORK_GAP_MAX_MS;
	ck_assert(tick(&b).start_round);
	/* both while the round is under way: the person need not wait for the network's turn */
	happens(&b, ROUNDS_EV_NETWORK, 0);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	happens(&b, ROUNDS_EV_AGREED, 1);
	ck_assert(tick_after(&b, ROUNDS_GAP_MS).start_round);
}
END_TEST

START_TEST(a_reload_keeps_the_address_and_asks_anew)
{
	struct rounds_limits shorter = limits;
	struct bench b;

	begin_agreed(&b);
	happens(&b, ROUNDS_EV_COMMAND, 0);
	ck_assert(tick_after(&b, 1000).start_round);
	happens(&b, ROUNDS_EV_AGREED, 2);
	ck_assert(tick_after(&b, 2000).start_round);
	shorter.interval_ms = 10000;
	rounds_reload(&b.r, &shorter, b.now);
	expect_published(&b, 1, MSG_WAN_HELD);
	ck_assert(tick_after(&b, 1000).start_round);
	ck_assert(!happens(&b, ROUNDS_EV_AGREED, 2).publish);
	ck_assert(tick_after(&b, 2000).start_round);
	ck_assert(happens(&b, ROUNDS_EV_AGREED, 2).publish);
	ck_assert(tick_after(&b, 10000).start_round);
}
END_TEST

/* What the walk below remembers to judge the machine by. */
struct witness {
	bool in_round, in_tripwire;
	unsigned agreed_before; /* what the round before this one agreed on; 0: nothing */
	unsigned known;         /* what is published */
	unsigned history;       /* bits of all that was published */
	int64_t started_ms, last_return_ms;
};

static void
judge_publication(struct witness *w, unsigned address, int64_t now)
{
	if (w->known) {
		/* never by one round, never what is published already */
		ck_assert_uint_eq(w->agreed_before, address);
		ck_assert_uint_ne(w->known, address);
	}
	if (w->history & 1u << address) {
		ck_assert_int_ge(now - w->last_return_ms, limits.min_change_ms);
		w->last_return_ms = now;
	}
	w->known = address;
	w->history |= 1u << address;
}

static void
judge_actions(struct witness *w, struct bench *b, const struct rounds_actions *act,
	      const struct rounds_event *ev)
{
	struct address known = address_no(w->known);

	if (act->start_round) {
		ck_assert(!w->in_round);
		ck_assert_int_ge(b->now - w->started_ms, 1000);
		w->in_round = true;
		w->started_ms = b->now;
	}
	if (act->send_tripwire) {
		ck_assert(!w->in_tripwire && !w->in_round && w->known);
		ck_assert_uint_lt(act->tripwire, limits.ntripwires);
		w->in_tripwire = true;
	}
	if (act->publish) {
		ck_assert_int_eq(ev->type, ROUNDS_EV_AGREED);
		ck_assert(address_equal(&act->address, &ev->address));
		judge_publication(w, ev->address.bytes[3], b->now);
		known = address_no(w->known);
	}
	if (w->known)
		ck_assert(address_equal(&b->r.published, &known));
	if (!w->in_round) {
		ck_assert_int_lt(rounds_next_deadline(&b->r), CLOCK_NEVER);
		ck_assert_int_le(rounds_next_deadline(&b->r) - b->now, limits.interval_ms);
	}
}

static enum rounds_event_type
random_event(const struct witness *w)
{
	long dice = random() % 20;

	if (w->in_round && dice < 8)
		return random() % 6 ? ROUNDS_EV_AGREED : ROUNDS_EV_HELD;
	if (w->in_tripwire && dice < 12)
		return random() % 3 ? ROUNDS_EV_TRIPWIRE : ROUNDS_EV_TRIPWIRE_FAILED;
	if (dice == 19)
		return random() % 2 ? ROUNDS_EV_COMMAND : ROUNDS_EV_NETWORK;
	return ROUNDS_EV_TICK;
}

/*
 * Whatever happens: one round at a time, at least a second apart; only what
 * the sources of this very round agreed on is published, and not by a single
 * round where another address was known; returns keep their distance; there is
 * always a deadline ahead.
 */
START_TEST(holds_its_invariants_over_random_events)
{
	struct witness w = { .started_ms = -100000, .last_return_ms = -100000 };
	struct address none = { .family = ADDRESS_NONE };
	struct bench b = { .now = 5000 };
	unsigned addresses = 2 + (unsigned)_i % 3;

	srandom((unsigned)_i + 1);
	rounds_init(&b.r, &limits, &none, b.now);
	for (int n = 0; n < 3000; n++) {
		struct rounds_event ev = { .type = random_event(&w),
					   .address =
						   address_no(1 + (unsigned)random() % addresses),
					   .random = (uint32_t)random() };
		struct rounds_actions act;
		bool ends = ev.type == ROUNDS_EV_AGREED || ev.type == ROUNDS_EV_HELD;

		b.now += random() % 3 ? random() % 500 : random() % 20000;
		if (ends)
			w.in_round = false;
		if (ev.type == ROUNDS_EV_TRIPWIRE || ev.type == ROUNDS_EV_TRIPWIRE_FAILED)
			w.in_tripwire = false;
		act = rounds_step(&b.r, &ev, b.now);
		judge_actions(&w, &b, &act, &ev);
		if (ends)
			w.agreed_before = ev.type == ROUNDS_EV_AGREED ? ev.address.bytes[3] : 0;
	}
	ck_assert_uint_ne(w.known, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rounds");
	TCase *tc = tcase_create("rounds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, the_first_address_needs_no_confirmation);
	tcase_add_test(tc, a_stored_address_that_agrees_is_current_at_once);
	tcase_add_test(tc, a_stored_address_that_differs_is_a_change);
	tcase_add_test(tc, a_change_is_confirmed_in_its_own_time);
	tcase_add_test(tc, each_new_address_is_confirmed_by_itself);
	tcase_add_test(tc, a_failed_confirmation_starts_over);
	tcase_add_test(tc, failed_rounds_are_retried_ever_more_slowly);
	tcase_add_test(tc, one_return_is_not_delayed_the_second_is_damped);
	tcase_add_test(tc, damping_ends_where_the_address_settles);
	tcase_add_test(tc, a_rotation_is_damped_too);
	tcase_add_test(tc, the_tripwire_asks_in_turn);
	tcase_add_test(tc, a_tripwire_that_differs_starts_a_round);
	tcase_add_test(tc, a_deviating_server_is_left_out_ever_longer);
	tcase_add_test(tc, no_tripwire_without_an_address_or_servers);
	tcase_add_test(tc, a_trigger_during_a_round_makes_another_follow);
	tcase_add_test(tc, a_noisy_network_starts_ever_fewer_rounds);
	tcase_add_test(tc, events_during_rounds_do_not_undo_the_patience);
	tcase_add_test(tc, a_cable_that_comes_back_does_not_wait);
	tcase_add_test(tc, a_noisy_network_delays_no_command);
	tcase_add_test(tc, a_reload_keeps_the_address_and_asks_anew);
	tcase_add_loop_test(tc, holds_its_invariants_over_random_events, 0, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
