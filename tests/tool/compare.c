// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compare.c - break-even uptimes, leaders and turning points, beside a search by small steps
 */
#include "test.h"

#include "lab_compare.h"
#include "oracle.h"

#include <math.h>
#include <string.h>

#define S 1e6 /* microseconds */

/* A result: work, rent by the end of the log (at 10 s), rent by 20 s, and rent from then on. */
static struct lab_result made(double work, double rent_10, double rent_20, double rate)
{
	struct lab_result r;

	memset(&r, 0, sizeof(r));
	r.at_end.us = 10000000;
	r.settled.us = 20000000;
	r.at_end.part[COSTS_SPLIT_2M] = r.settled.part[COSTS_SPLIT_2M] = work;
	r.at_end.part[COSTS_RENT_2M] = rent_10;
	r.settled.part[COSTS_RENT_2M] = rent_20;
	r.rate[0] = rate;
	return r;
}

static void the_cost_is_two_lines(void **state)
{
	const struct lab_result r = made(100, 10, 30, 5);

	(void)state;
	assert_true(lab_cost_at(&r, 10 * S) == 110);
	assert_true(lab_cost_at(&r, 15 * S) == 120);
	assert_true(lab_cost_at(&r, 20 * S) == 130);
	assert_true(lab_cost_at(&r, 30 * S) == 180);
}

static void check_even(const struct lab_result *a, const struct lab_result *b,
		       enum lab_even_kind kind, double us)
{
	const struct lab_even even = lab_even(a, b);

	assert_int_equal(even.kind, kind);
	if (kind == LAB_EVEN_FROM || kind == LAB_EVEN_UNTIL)
		assert_true(fabs(even.us - us) < 1);
}

static void break_even_uptimes(void **state)
{
	const struct lab_result cheap = made(100, 0, 0, 0), dear = made(200, 0, 0, 0);
	const struct lab_result rented = made(50, 0, 10, 1), early = made(50, 0, 100, 10);

	(void)state;
	check_even(&cheap, &dear, LAB_EVEN_ALWAYS, 0);
	check_even(&dear, &cheap, LAB_EVEN_NEVER, 0);
	check_even(&cheap, &cheap, LAB_EVEN_SAME, 0);
	/* 50 + 10 + (T - 20 s) = 100 at 60 s */
	check_even(&cheap, &rented, LAB_EVEN_FROM, 60 * S);
	check_even(&rented, &cheap, LAB_EVEN_UNTIL, 60 * S);
	/* 50 + 10 * (T - 10 s) = 100 at 15 s, before the rent has settled */
	check_even(&cheap, &early, LAB_EVEN_FROM, 15 * S);
	check_even(&dear, &rented, LAB_EVEN_FROM, 160 * S);
}

/* Equal at the end of the log, and apart from then on: one of them always costs less. */
static void the_same_at_first(void **state)
{
	const struct lab_result a = made(100, 0, 0, 0), b = made(100, 0, 10, 1);

	(void)state;
	check_even(&a, &b, LAB_EVEN_ALWAYS, 0);
	check_even(&b, &a, LAB_EVEN_NEVER, 0);
}

static unsigned int cheapest(const struct lab_result *const *results, unsigned int nr, double us)
{
	unsigned int least = 0;

	for (unsigned int i = 1; i < nr; i++) {
		if (lab_cost_at(results[i], us) < lab_cost_at(results[least], us) * (1 - 1e-9))
			least = i;
	}
	return least;
}

/* At any uptime the leader costs no more than any other. */
static void leaders_cost_least(void **state)
{
	struct prng rng;

	(void)state;
	prng_init(&rng, test_seed());
	for (uint64_t round = test_iters(2000); round; round--) {
		struct lab_result made_up[6];
		const struct lab_result *results[6];
		struct lab_leader leaders[12];
		unsigned int nr, nr_leaders;

		nr = 1 + (unsigned int)prng_below(&rng, 6);
		for (unsigned int i = 0; i < nr; i++) {
			made_up[i] = made(
				(double)prng_below(&rng, 100), (double)prng_below(&rng, 9),
				10 + (double)prng_below(&rng, 50), (double)prng_below(&rng, 8));
			results[i] = &made_up[i];
		}
		nr_leaders = lab_leaders(results, nr, leaders);
		assert_in_range(nr_leaders, 1, 2 * nr);
		assert_true(leaders[0].us == 10 * S);
		for (unsigned int i = 0; i < nr_leaders; i++) {
			const double end =
				i + 1 < nr_leaders ? leaders[i + 1].us : leaders[i].us + 1000 * S;
			const double us = (leaders[i].us + end) / 2;
			const double least = lab_cost_at(results[cheapest(results, nr, us)], us);

			assert_true(end > leaders[i].us);
			assert_true(lab_cost_at(results[leaders[i].run], us) <=
				    least + 1e-6 * (1 + least));
		}
	}
}

/* The order turns at the factor that lab_turn() says, and at none that is nearer to 1. */
static void prices_turn_the_order(void **state)
{
	const struct lab_result splits = made(100, 0, 0, 0), rents = made(10, 200, 200, 0);
	const struct lab_result both = made(150, 300, 300, 0);
	const struct lab_result *const results[] = {&splits, &rents, &both};
	struct lab_turn turn;

	(void)state;
	turn = lab_turn(results, 3, COSTS_SPLIT_2M, 20 * S);
	assert_int_equal(turn.leader[0], 0);
	assert_int_equal(turn.leader[1], 0);
	assert_int_equal(turn.leader[2], 1);
	assert_true(fabs(turn.factor - 200. / 90) < 1e-9); /* 100 f = 10 f + 200 */
	turn = lab_turn(results, 3, COSTS_RENT_2M, 20 * S);
	assert_int_equal(turn.leader[0], 1);
	assert_int_equal(turn.leader[2], 0);
	assert_true(fabs(turn.factor - .45) < 1e-9); /* 100 = 10 + 200 f */
	turn = lab_turn(results, 3, COSTS_ZAP, 20 * S);
	assert_true(turn.factor == 0);
	assert_int_equal(turn.leader[2], 0);
	turn = lab_turn(results, 1, COSTS_RENT_2M, 20 * S);
	assert_true(turn.factor == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cost_is_two_lines), cmocka_unit_test(break_even_uptimes),
		cmocka_unit_test(the_same_at_first),     cmocka_unit_test(leaders_cost_least),
		cmocka_unit_test(prices_turn_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
