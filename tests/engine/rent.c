// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rent.c - proves what a ski rule costs, beside the best choice in hindsight
 *
 * Tests rule 30. A history is a list of steps: the block is all private for some units of time, or
 * the host touches it while it is mixed. The oracle tries every choice in every unit, by dynamic
 * programming.
 */
#include "core/rent.h"

#include "oracle.h"
#include "test.h"

#define MAX_STEPS 64
#define TOUCH 0 /* a step; other numbers are times */

struct steps {
	uint64_t merge; /* W */
	uint64_t step[MAX_STEPS];
	size_t nr;
};

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns what the rule costs that merges after @wait. */
static uint64_t online(const struct steps *s, uint64_t wait)
{
	struct gms_ski ski = {0};
	uint64_t cost = 0;

	for (size_t i = 0; i < s->nr; i++) {
		if (s->step[i] == TOUCH)
			gms_ski_touch(&ski);
		else
			cost += gms_ski_rest(&ski, wait, s->merge, s->step[i]);
	}
	return cost;
}

/*
 * Returns what the best choice costs. A unit of time costs 1 while the block is split, and before
 * each the block may be merged for W. A touch splits, which W has paid for.
 */
static uint64_t hindsight(const struct steps *s)
{
	uint64_t split = 0, whole = UINT64_MAX / 2; /* the least cost of being so */

	for (size_t i = 0; i < s->nr; i++) {
		if (s->step[i] == TOUCH) {
			split = min(split, whole);
			whole = UINT64_MAX / 2;
		}
		for (uint64_t t = 0; t < s->step[i]; t++) {
			whole = min(whole, split + s->merge);
			split++;
		}
	}
	return min(split, whole);
}

static void check_factor(const struct steps *s)
{
	const uint64_t cost = online(s, s->merge), best = hindsight(s);

	if (cost <= 2 * best)
		return;
	for (size_t i = 0; i < s->nr; i++)
		print_message("%llu ", (unsigned long long)s->step[i]);
	fail_msg("W %llu: %llu online, %llu in hindsight", (unsigned long long)s->merge,
		 (unsigned long long)cost, (unsigned long long)best);
}

static void theta_1_costs_at_most_twice_hindsight_in_all_short_histories(void **unused)
{
	(void)unused;
	for (uint64_t merge = 1; merge <= 4; merge++) {
		for (unsigned int code = 0; code < 1U << 16; code++) {
			struct steps s = {.merge = merge, .nr = 8};

			for (size_t i = 0; i < s.nr; i++)
				s.step[i] = code >> 2 * i & 3; /* a touch, or 1 to 3 units */
			check_factor(&s);
		}
	}
}

/* Random histories; in half of them the host touches the block soon after the rule has merged. */
static void theta_1_costs_at_most_twice_hindsight_in_random_histories(void **unused)
{
	uint64_t seed = test_seed();
	struct prng prng;

	(void)unused;
	print_message("seed %#llx\n", (unsigned long long)seed);
	prng_init(&prng, seed);
	for (uint64_t n = test_iters(50000); n--;) {
		struct steps s = {.merge = 1 + prng_below(&prng, 30)};
		struct gms_ski ski = {0};
		const bool adverse = prng_chance(&prng, 50);

		while (s.nr < MAX_STEPS) {
			uint64_t step = prng_below(&prng, prng_chance(&prng, 50) ? 4 : 40);

			if (adverse && ski.whole && prng_chance(&prng, 80))
				step = TOUCH;
			s.step[s.nr++] = step;
			if (step == TOUCH)
				gms_ski_touch(&ski);
			else
				gms_ski_rest(&ski, s.merge, s.merge, step);
		}
		check_factor(&s);
	}
}

/* If the host touches the block after each merge, theta = 1 costs twice hindsight; others more. */
static void an_adversary_reaches_the_factor_2(void **unused)
{
	static const uint64_t tenths[] = {1, 3, 30, 100};
	struct steps s = {.merge = 10};

	(void)unused;
	while (s.nr < MAX_STEPS) {
		s.step[s.nr++] = s.merge;
		s.step[s.nr++] = TOUCH;
		assert_int_equal(online(&s, s.merge), 2 * hindsight(&s));
	}
	for (size_t i = 0; i < ARRAY_SIZE(tenths); i++) {
		const uint64_t wait = gms_ski_wait(s.merge, tenths[i]);

		s.nr = 0;
		s.step[s.nr++] = wait;
		s.step[s.nr++] = TOUCH;
		assert_true(online(&s, wait) > 2 * hindsight(&s));
	}
	/* a rule that merges at once, or never, costs any multiple */
	s.step[0] = 1;
	assert_int_equal(online(&s, 0), 10 * hindsight(&s));
	s.step[0] = 1000;
	assert_int_equal(online(&s, GMS_SKI_NEVER), 100 * hindsight(&s));
}

/* It makes no difference how often a period is settled. */
static void a_period_may_be_settled_in_parts(void **unused)
{
	struct prng prng;

	(void)unused;
	prng_init(&prng, test_seed());
	for (uint64_t n = test_iters(20000); n--;) {
		const uint64_t merge = 1 + prng_below(&prng, 50);
		const uint64_t wait = gms_ski_wait(merge, prng_below(&prng, 31));
		const uint64_t time = 1 + prng_below(&prng, 200), part = prng_below(&prng, time);
		struct gms_ski ski = {.waited = wait ? prng_below(&prng, wait) : 0}, parts = ski;
		const uint64_t cost = gms_ski_rest(&ski, wait, merge, time);
		uint64_t sum = gms_ski_rest(&parts, wait, merge, part);

		sum += gms_ski_rest(&parts, wait, merge, time - part);
		assert_int_equal(sum, cost);
		assert_int_equal(parts.whole, ski.whole);
		if (!ski.whole)
			assert_int_equal(parts.waited, ski.waited);
	}
}

static void numbers_saturate(void **unused)
{
	struct gms_ski ski = {.waited = UINT64_MAX - 5};

	(void)unused;
	assert_int_equal(gms_ski_rest(&ski, GMS_SKI_NEVER, 100, 50), 50);
	assert_int_equal(ski.waited, UINT64_MAX);
	assert_int_equal(gms_ski_rest(&ski, GMS_SKI_NEVER, 100, UINT64_MAX), UINT64_MAX);
	assert_false(ski.whole);
	ski = (struct gms_ski) {0};
	assert_int_equal(gms_ski_rest(&ski, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1),
			 UINT64_MAX);
	assert_true(ski.whole);
	assert_int_equal(gms_ski_rest(&ski, 7, 7, UINT64_MAX), 0);
}

static void waits_are_theta_times_w(void **unused)
{
	(void)unused;
	assert_int_equal(gms_ski_wait(1500, 0), 0);
	assert_int_equal(gms_ski_wait(1500, 1), 150);
	assert_int_equal(gms_ski_wait(1509, 3), 452);
	assert_int_equal(gms_ski_wait(1509, 10), 1509);
	assert_int_equal(gms_ski_wait(1509, 100), 15090);
	assert_int_equal(gms_ski_wait(1, 1), 0);
	assert_int_equal(gms_ski_wait(UINT64_MAX, 10), UINT64_MAX);
	assert_int_equal(gms_ski_wait(UINT64_MAX, 3), UINT64_MAX / 10 * 3 + 1);
	assert_int_equal(gms_ski_wait(UINT64_MAX, 0), 0);
	assert_int_equal(gms_ski_wait(UINT64_MAX / 2, 30), UINT64_MAX);
	assert_int_equal(gms_ski_wait(5, GMS_SKI_NEVER), GMS_SKI_NEVER);
}

static void the_best_rule_costs_least(void **unused)
{
	uint64_t cost[GMS_NR_SKIS] = {0};
	unsigned int i;

	(void)unused;
	assert_int_equal(gms_ski_best(cost), 3);
	for (i = 0; i < GMS_NR_SKIS; i++)
		cost[i] = 100;
	assert_int_equal(gms_ski_best(cost), 3);
	for (i = 0; i < GMS_NR_SKIS; i++) {
		cost[i] = 99;
		assert_int_equal(gms_ski_best(cost), i);
		cost[i] = 100;
	}
	cost[5] = cost[1] = 7;
	assert_int_equal(gms_ski_best(cost), 1);
	cost[3] = 7;
	assert_int_equal(gms_ski_best(cost), 3);
	for (i = 0; i < GMS_NR_SKIS; i++)
		cost[i] = UINT64_MAX;
	assert_int_equal(gms_ski_best(cost), 3);
}

static void a_record_takes_a_cache_line(void **unused)
{
	(void)unused;
	assert_int_equal(sizeof(struct gms_rent), 64);
	assert_int_equal(sizeof(struct gms_rents), 576);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(theta_1_costs_at_most_twice_hindsight_in_all_short_histories),
		cmocka_unit_test(theta_1_costs_at_most_twice_hindsight_in_random_histories),
		cmocka_unit_test(an_adversary_reaches_the_factor_2),
		cmocka_unit_test(a_period_may_be_settled_in_parts),
		cmocka_unit_test(numbers_saturate),
		cmocka_unit_test(waits_are_theta_times_w),
		cmocka_unit_test(the_best_rule_costs_least),
		cmocka_unit_test(a_record_takes_a_cache_line),
	};

	return cmocka_run_group_tests_name("engine-rent", tests, NULL, NULL);
}
