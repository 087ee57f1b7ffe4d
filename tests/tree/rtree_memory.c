// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_memory.c - proves bounds on the memory of a tree and of a state object
 *
 * Tests rule 3.
 *
 *	uniform           less than 4 KiB for each TiB
 *	any set           a flat bitmap and 1%, and 2 bytes for each 1G block
 *	every other page  1.03 times a flat bitmap
 *
 * gms_rtree_memory() and gms_rtree_pooled() always add up to the bytes allocated.
 * gms_rtree_memory() depends only on the content of the set.
 */
#include <gmemstate/state.h>

#include "shapes.h"
#include "test.h"

/* A tree that may be large, because it has no oracle. Its allocator counts. */
struct field {
	struct gms_rtree *tree;
	struct talloc talloc;
	uint64_t nr_pages;
};

static void field_init(struct field *field, uint64_t nr_pages, bool full)
{
	talloc_init(&field->talloc);
	field->nr_pages = nr_pages;
	assert_int_equal(gms_rtree_create(nr_pages, full ? GMS_RTREE_ALL : GMS_RTREE_NONE,
					  &field->talloc.ops, &field->tree),
			 0);
}

static void field_store(struct field *field, uint64_t start, uint64_t nr, bool set)
{
	assert_int_equal(set ? gms_rtree_set(field->tree, start, nr)
			     : gms_rtree_clear(field->tree, start, nr),
			 0);
}

/* Returns the bytes that the tree has allocated, and checks them against the allocator's count. */
static uint64_t taken(const struct field *field)
{
	const uint64_t sum = gms_rtree_memory(field->tree) + gms_rtree_pooled(field->tree);

	assert_int_equal(sum, field->talloc.live_bytes);
	return sum;
}

static void field_fini(struct field *field)
{
	gms_rtree_destroy(field->tree);
	assert_fine(talloc_check(&field->talloc));
	assert_int_equal(field->talloc.live_blocks, 0);
}

/* ---- the memory in use depends only on the set ---- */

/* twin_check() compares the memory with that of a tree that got its content in one pass. */
static void test_memory_in_use_depends_only_on_the_set(void **state)
{
	static const uint64_t sizes[] = {T_2M - 1, T_1G + 1, 3 * T_1G + 2 * T_2M + 3, 40 * T_1G};
	struct prng prng;
	uint64_t round;
	int i;

	(void)state;
	prng_init(&prng, test_seed());
	for (round = 0; round < test_iters(100); round++) {
		const uint64_t nr_pages = sizes[round % ARRAY_SIZE(sizes)];
		struct twin twin;

		twin_init(&twin, nr_pages, round / 2 % 2);
		for (i = 0; i < 100; i++) {
			const uint64_t start = prng_below(&prng, nr_pages);
			const uint64_t most = prng_chance(&prng, 80) ? T_2M : nr_pages;
			const uint64_t nr = 1 + prng_below(&prng, most);

			twin_store(&twin, start, nr < nr_pages - start ? nr : nr_pages - start,
				   prng_chance(&prng, 50));
			assert_fine(twin_check_account(&twin));
			if (i % 25 == 24)
				assert_fine(twin_check(&twin));
		}
		twin_fini(&twin);
	}
}

/* A 1G block takes 2 bytes, and 192 more if it is mixed. A mixed 2M block takes 64. */
static void test_memory_in_use_follows_each_store(void **state)
{
	const uint64_t nr = 1024 * T_1G;
	struct field field;
	uint64_t base, i;

	(void)state;
	field_init(&field, nr, false);
	base = gms_rtree_memory(field.tree);
	assert_in_range(base, 2048, 2048 + 255);
	for (i = 0; i < 100; i++) {
		field_store(&field, i * 10 * T_1G + T_2M, T_2M, true);
		assert_int_equal(gms_rtree_memory(field.tree), base + 192 * (i + 1));
	}
	for (i = 0; i < 100; i++) {
		field_store(&field, i * 10 * T_1G + 3 * T_2M + 7, 1, true);
		assert_int_equal(gms_rtree_memory(field.tree), base + 192 * 100 + 64 * (i + 1));
	}
	taken(&field);
	field_store(&field, 0, nr, true);
	assert_int_equal(gms_rtree_memory(field.tree), base);
	taken(&field);
	field_fini(&field);
}

/* ---- bounds ---- */

/* A tree that changes only in whole 1G blocks stays as small as a uniform one. */
static void test_whole_blocks_use_less_than_4_kib_a_tib(void **state)
{
	const uint64_t tib = 1024 * T_1G;
	struct gms_rtree_reserve reserve;
	struct field field;
	unsigned int i;

	(void)state;
	for (i = 1; i <= 16; i *= 2) {
		field_init(&field, i * tib, i % 2);
		assert_in_range(taken(&field), 1, i * 4096 - 1);
		field_store(&field, 5 * T_1G, 300 * T_1G, i % 2 == 0);
		assert_int_equal(gms_rtree_prepare(field.tree, T_1G, i * tib - T_1G, &reserve), 0);
		gms_rtree_commit(field.tree, T_1G, i * tib - T_1G, true, &reserve);
		gms_rtree_revert(field.tree, &reserve);
		assert_in_range(taken(&field), 1, i * 4096 - 1);
		field_fini(&field);
	}
}

/* Returns the size of a flat bitmap in bytes. */
static uint64_t bitmap(const struct field *field)
{
	return field->nr_pages / 8;
}

/* Checks the bound of any set, for a tree of a multiple of 32 GiB. 3 KiB a TiB are fixed. */
static void expect_bounded(const struct field *field)
{
	const uint64_t fixed = field->nr_pages / T_1G * 3 + 256;

	assert_in_range(taken(field), 1, bitmap(field) + bitmap(field) / 100 + fixed);
}

static void scatter_pages(struct field *field, struct prng *prng)
{
	for (uint64_t i = 0; i < field->nr_pages >> 12; i++)
		field_store(field, prng_below(prng, field->nr_pages), 1, prng_chance(prng, 50));
}

static void scatter_ranges(struct field *field, struct prng *prng)
{
	for (uint64_t i = 0; i < field->nr_pages >> 13; i++) {
		const uint64_t start = prng_below(prng, field->nr_pages);
		const uint64_t nr = 1 + prng_below(prng, i % 16 ? T_2M : 3 * T_1G);

		field_store(field, start,
			    nr < field->nr_pages - start ? nr : field->nr_pages - start,
			    prng_chance(prng, 50));
	}
}

/* One page in each 2M makes each leaf count. */
static void one_in_each_2m(struct field *field, struct prng *prng)
{
	for (uint64_t at = 0; at < field->nr_pages; at += T_2M)
		field_store(field, at + prng_below(prng, T_2M), 1, true);
}

/* One page in each 128M costs a whole leaf page for each page set. */
static void one_in_each_128m(struct field *field, struct prng *prng)
{
	for (uint64_t at = 0; at < field->nr_pages; at += 64 * T_2M)
		field_store(field, at + prng_below(prng, 64 * T_2M), 1, true);
}

static void every_other_2m(struct field *field, struct prng *prng)
{
	(void)prng;
	for (uint64_t at = 0; at < field->nr_pages; at += 2 * T_2M)
		field_store(field, at, T_2M, true);
}

static void prepares_only(struct field *field, struct prng *prng)
{
	for (uint64_t at = 0; at < field->nr_pages; at += 13 * T_2M)
		assert_int_equal(
			gms_rtree_prepare(field->tree, at + 1, 1 + prng_below(prng, T_2M), NULL),
			0);
}

static void test_no_set_uses_much_more_than_a_bitmap(void **state)
{
	static void (*const patterns[])(struct field * field, struct prng * prng) = {
		scatter_pages,    scatter_ranges, one_in_each_2m,
		one_in_each_128m, every_other_2m, prepares_only,
	};
	const uint64_t blocks = test_on_valgrind() ? 32 : 96;
	struct field field;
	struct prng prng;
	uint64_t most = 0;
	size_t i;

	(void)state;
	prng_init(&prng, test_seed() + 2);
	for (i = 0; i < 2 * ARRAY_SIZE(patterns); i++) {
		field_init(&field, blocks * T_1G, i % 2);
		patterns[i / 2](&field, &prng);
		expect_bounded(&field);
		most = taken(&field) > most ? taken(&field) : most;
		/* More stores do not break the bound. */
		one_in_each_2m(&field, &prng);
		scatter_ranges(&field, &prng);
		expect_bounded(&field);
		field_store(&field, 0, field.nr_pages, true);
		expect_bounded(&field);
		assert_true(gms_rtree_verify(field.tree, NULL));
		field_fini(&field);
	}
	/* At least one pattern has needed the memory of a flat bitmap. */
	assert_true(most > blocks * T_1G / 8);
}

static void test_every_other_page_uses_3_percent_more_than_a_bitmap(void **state)
{
	const uint64_t blocks = test_on_valgrind() ? 8 : 32;
	struct field field;

	(void)state;
	field_init(&field, blocks * T_1G, false);
	for (uint64_t at = 0; at < field.nr_pages; at += 2)
		field_store(&field, at, 1, true);
	assert_in_range(taken(&field), bitmap(&field), bitmap(&field) + bitmap(&field) * 3 / 100);
	assert_int_equal(gms_rtree_nodes(field.tree), blocks * (T_FANOUT + 1));
	/* all memory is in use, except a fixed part */
	assert_true(gms_rtree_pooled(field.tree) < 6144 + blocks * 64);
	field_fini(&field);
}

/* ---- a state object, where each conversion also prepares the quarantine ---- */

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	(void)ctx;
	(void)runs;
	(void)to;
	*done = count;
	return 0;
}

static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	(void)ctx;
	(void)start;
	(void)nr_pages;
	(void)to;
	(void)failed;
	return 0;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	return apply(ctx, start, nr_pages, back_to, NULL);
}

enum observer { NO_OBSERVER, LISTENER, UNDO_HOOK, NR_OBSERVERS };

/* Converts pages in each 128M, and some of them back. Returns the bytes of the state object. */
static uint64_t state_bytes(enum observer observer, uint64_t blocks)
{
	static const struct gms_listener_ops listener = {
		.struct_size = sizeof(listener),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = change,
	};
	static const struct gms_backend_ops backend = {
		.struct_size = sizeof(backend),
		.apply = apply,
		.undo = undo,
	};
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct talloc talloc;
	uint64_t at, live;
	unsigned int id;

	talloc_init(&talloc);
	opts.nr_pages = blocks * T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.allocator = &talloc.ops;
	opts.backend = observer == UNDO_HOOK ? &backend : NULL;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	if (observer == LISTENER)
		assert_int_equal(
			gms_listener_register(state, &listener, NULL, 0, opts.nr_pages, 1, &id), 0);
	for (at = 0; at < opts.nr_pages; at += 64 * T_2M) {
		assert_int_equal(gms_convert(state, at + 5, 9, GMS_SHARED, 0, NULL), 0);
		if (at % 3 == 0)
			assert_int_equal(gms_convert(state, at + 5, 9, GMS_PRIVATE, 0, NULL), 0);
	}
	gms_stats_read(state, &stats);
	assert_int_equal(stats.conversions,
			 opts.nr_pages / (64 * T_2M) + (opts.nr_pages / (64 * T_2M) + 2) / 3);
	live = talloc.live_bytes;
	/* The statistics need not include the state's own struct. */
	assert_in_range(stats.bytes_in_use + stats.bytes_pooled, live - (64 << 10), live);
	gms_state_destroy(state);
	assert_fine(talloc_check(&talloc));
	assert_int_equal(talloc.live_blocks, 0);
	return stats.bytes_in_use + stats.bytes_pooled;
}

static void test_quarantine_does_not_double_the_leaf_pages(void **state)
{
	const uint64_t blocks = test_on_valgrind() ? 32 : 256;
	const uint64_t leaves = blocks * 8 * 4096; /* the leaf pages of the private set */
	uint64_t bytes[NR_OBSERVERS];
	int i;

	(void)state;
	for (i = 0; i < NR_OBSERVERS; i++) {
		bytes[i] = state_bytes((enum observer)i, blocks);
		assert_in_range(bytes[i], leaves, 2 * leaves - 1);
	}
	/*
	 * An undo needs chunks of nodes, and two spare leaf pages for each shard. Listeners also
	 * need a reserve and a batch of runs for each shard.
	 */
	for (i = LISTENER; i < NR_OBSERVERS; i++)
		assert_in_range(bytes[i], bytes[NO_OBSERVER],
				bytes[NO_OBSERVER] + blocks / 32 * 6144 + 16 * 2 * 4096 + 4096 +
					(i == LISTENER ? 16 * (512 + 32 * 24) : 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_in_use_depends_only_on_the_set),
		cmocka_unit_test(test_memory_in_use_follows_each_store),
		cmocka_unit_test(test_whole_blocks_use_less_than_4_kib_a_tib),
		cmocka_unit_test(test_no_set_uses_much_more_than_a_bitmap),
		cmocka_unit_test(test_every_other_page_uses_3_percent_more_than_a_bitmap),
		cmocka_unit_test(test_quarantine_does_not_double_the_leaf_pages),
	};

	return cmocka_run_group_tests_name("rtree-memory", tests, NULL, NULL);
}
