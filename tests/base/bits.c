// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bits.c - proves the arithmetic of lines against a loop over single bits
 *
 * Each function runs over lines of several kinds: with every range of bits if the line is short,
 * and with every range that ends near the edge of a word if the line is long.
 */
#include "base/bits.h"
#include "oracle.h"
#include "test.h"

#define BITS GMS_LINE_BITS

static struct gms_line random_line(struct prng *prng)
{
	uint64_t kind = prng_below(prng, 4);
	struct gms_line line;
	unsigned int i;

	for (i = 0; i < GMS_LINE_WORDS; i++) {
		uint64_t word = prng_next(prng);

		if (kind == 1)
			word = 0;
		else if (kind == 2)
			word = ~0ULL;
		line.w[i] = word & GMS_WORD_FULL;
	}
	if (kind == 3)
		line.w[prng_below(prng, GMS_LINE_WORDS)] = 0;
	return line;
}

static bool bit(const struct gms_line *line, unsigned int i)
{
	return line->w[i / 64] >> (i % 64) & 1;
}

/* Returns true if the bit is near the edge or the middle of a word, or the line is short. */
static bool is_edge(unsigned int i)
{
	return BITS < 64 || i % 64 < 2 || i % 64 > 61 || i % 64 == 31;
}

static void test_constants_follow_from_the_fan_out(void **state)
{
	(void)state;
	assert_int_equal(GMS_LINE_BITS, T_FANOUT);
	assert_int_equal(GMS_LINE_WORDS, (T_FANOUT + 63) / 64);
	assert_int_equal(GMS_WORD_FULL, T_FANOUT >= 64 ? ~0ULL : (1ULL << T_FANOUT % 64) - 1);
	assert_int_equal(gms_word_of(false), 0);
	assert_int_equal(gms_word_of(true), GMS_WORD_FULL);
}

static void test_popcount_and_ctz_equal_loops(void **state)
{
	struct prng prng;
	unsigned int i, k, n;

	(void)state;
	prng_init(&prng, 1);
	for (i = 0; i < 200; i++) {
		uint64_t word = i < 64 ? 1ULL << i : i == 64 ? ~0ULL : prng_next(&prng);

		for (n = 0, k = 0; k < 64; k++)
			n += word >> k & 1;
		assert_int_equal(gms_popcount(word), n);
		for (k = 0; !(word >> k & 1); k++)
			;
		assert_int_equal(gms_ctz(word), k);
	}
	assert_int_equal(gms_popcount(0), 0);
}

static void check_word_mask(unsigned int w, unsigned int a, unsigned int b)
{
	uint64_t want = 0;
	unsigned int i;

	for (i = 0; i < 64; i++) {
		if (w * 64 + i >= a && w * 64 + i < b)
			want |= 1ULL << i;
	}
	assert_int_equal(gms_word_mask(w, a, b), want);
	if (a / 64 == (b - 1) / 64)
		assert_int_equal(gms_mask_from(a) & gms_mask_to(b), want);
}

static void test_word_mask_has_the_bits_of_the_range(void **state)
{
	unsigned int w, a, b;

	(void)state;
	for (a = 0; a < BITS; a++) {
		for (b = a + 1; b <= BITS && is_edge(a); b++) {
			/* the words that have bits of the range */
			for (w = a / 64; is_edge(b) && w <= (b - 1) / 64; w++)
				check_word_mask(w, a, b);
		}
	}
}

static void test_put_changes_one_bit(void **state)
{
	struct gms_line line, old;
	struct prng prng;
	unsigned int i, k, v;

	(void)state;
	prng_init(&prng, 2);
	for (i = 0; i < BITS; i++) {
		for (v = 0; v < 2; v++) {
			line = random_line(&prng);
			old = line;
			gms_line_put(&line, i, v);
			for (k = 0; k < BITS; k++) {
				assert_int_equal(bit(&line, k), k == i ? v : bit(&old, k));
				assert_int_equal(gms_line_test(&line, k), bit(&line, k));
			}
		}
	}
}

static void test_fill_copy_and_is_cover_the_line(void **state)
{
	struct gms_line line, copy;
	struct prng prng;
	unsigned int i, v;

	(void)state;
	prng_init(&prng, 3);
	for (v = 0; v < 2; v++) {
		line = random_line(&prng);
		gms_line_fill(&line, v);
		for (i = 0; i < GMS_LINE_WORDS; i++)
			assert_int_equal(line.w[i], gms_word_of(v));
		assert_true(gms_line_is(&line, v));
		assert_false(gms_line_is(&line, !v));
		for (i = 0; i < BITS; i++) {
			gms_line_put(&line, i, !v);
			assert_false(gms_line_is(&line, v));
			gms_line_put(&line, i, v);
		}
		assert_true(gms_line_is(&line, v));
	}
	for (i = 0; i < 20; i++) {
		line = random_line(&prng);
		gms_line_copy(&copy, &line);
		assert_memory_equal(&copy, &line, sizeof(line));
	}
}

static bool rest_is(const struct gms_line *line, unsigned int a, unsigned int b, bool v)
{
	unsigned int i;

	for (i = 0; i < BITS; i++) {
		if ((i < a || i >= b) && bit(line, i) != v)
			return false;
	}
	return true;
}

static unsigned int find(const struct gms_line *line, unsigned int from, bool v)
{
	while (from < BITS && bit(line, from) == v)
		from++;
	return from;
}

static void check_range(const struct gms_line *line, unsigned int a, unsigned int b, bool v)
{
	struct gms_line stored = *line;
	struct gms_line rest = *line;
	unsigned int i, count = 0;

	gms_line_store(&stored, a, b, v);
	for (i = 0; i < BITS; i++) {
		assert_int_equal(bit(&stored, i), i >= a && i < b ? v : bit(line, i));
		count += i >= a && i < b && bit(line, i);
	}
	assert_int_equal(stored.w[GMS_LINE_WORDS - 1] & ~GMS_WORD_FULL, 0);
	assert_int_equal(gms_line_count(line, a, b), count);
	assert_int_equal(gms_line_find(line, a, v), find(line, a, v));
	assert_int_equal(gms_line_rest_is(line, a, b, v), rest_is(line, a, b, v));
	/* The rest is uniform, and then all of it but one bit. */
	gms_line_fill(&rest, v);
	gms_line_store(&rest, a, b, !v);
	assert_true(gms_line_rest_is(&rest, a, b, v));
	assert_int_equal(gms_line_find(&rest, a, !v), b);
	i = a ? a - 1 : b;
	if (i < BITS) {
		gms_line_put(&rest, i, !v);
		assert_false(gms_line_rest_is(&rest, a, b, v));
	}
}

static void test_functions_of_ranges_equal_loops(void **state)
{
	struct gms_line line;
	struct prng prng;
	unsigned int a, b, k;

	(void)state;
	prng_init(&prng, 4);
	for (a = 0; a < BITS; a++) {
		for (b = a + 1; b <= BITS && is_edge(a); b++) {
			if (!is_edge(b))
				continue;
			for (k = 0; k < 8; k++) {
				line = random_line(&prng);
				check_range(&line, a, b, k % 2);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants_follow_from_the_fan_out),
		cmocka_unit_test(test_popcount_and_ctz_equal_loops),
		cmocka_unit_test(test_word_mask_has_the_bits_of_the_range),
		cmocka_unit_test(test_put_changes_one_bit),
		cmocka_unit_test(test_fill_copy_and_is_cover_the_line),
		cmocka_unit_test(test_functions_of_ranges_equal_loops),
	};

	return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
