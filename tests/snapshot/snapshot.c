// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snapshot.c - proves what a snapshot holds, and that loading restores it
 *
 * Tests rule 37. Saved bytes are compared with those that a writer of the tests makes of a model,
 * and loaded objects with the model. hostile.c tests damaged snapshots.
 */
#include "base/crc32c.h"
#include "snap.h"
#include "talloc.h"
#include "test.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)

static struct gms_state *load_with(const struct snap *snap, const struct gms_state_opts *opts)
{
	struct gms_state *state = NULL;

	assert_int_equal(gms_snapshot_load(snap->data, snap->size, opts, &state), 0);
	assert_non_null(state);
	return state;
}

static struct gms_state *load(const struct snap *snap)
{
	const struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	return load_with(snap, &opts);
}

/* save(load(x)) == x */
static void assert_saves_as(const struct gms_state *state, const struct snap *snap)
{
	struct snap again;

	snap_save(&again, state);
	assert_true(snap_same(&again, snap));
	snap_fini(&again);
}

static struct gms_state *create(uint64_t nr_pages, uint64_t flags, unsigned int folio_order)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.flags = flags;
	opts.folio_order = folio_order;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	return state;
}

/* ---- bytes ---- */

static void crc32c_agrees_with_a_bitwise_one(void **unused)
{
	uint8_t data[67];
	struct prng prng;
	size_t at, size;

	(void)unused;
	assert_int_equal(gms_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	assert_int_equal(snap_crc("123456789", 9), 0xe3069283);
	prng_init(&prng, test_seed());
	for (at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)prng_next(&prng);
	for (at = 0; at < 8; at++)
		for (size = 0; size <= sizeof(data) - at; size++)
			assert_int_equal(gms_crc32c(data + at, size), snap_crc(data + at, size));
}

/*
 * Reads the example of the document, in lines of "    offset  bytes    text". Each line must be
 * at its offset.
 */
static void read_example(struct snap *snap)
{
	FILE *file = fopen(GMS_DOCS "/snapshot-format.md", "r");
	unsigned int at, byte;
	char line[512], *p;
	int count;

	assert_non_null(file);
	*snap = (struct snap) {0};
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "    ", 4) || sscanf(line, "%2x %n", &at, &count) != 1)
			continue;
		assert_int_equal(at, snap->size);
		/* the bytes end at two blanks, or with the line */
		for (p = line + count; sscanf(p, "%2x%n", &byte, &count) == 1; p++) {
			const uint8_t b = (uint8_t)byte;

			snap_bytes(snap, &b, 1);
			p += count;
			if (p[0] != ' ' || p[1] == ' ')
				break;
		}
	}
	fclose(file);
}

/* The example in docs/snapshot-format.md is correct. */
static void rule_37_the_example_of_the_document_is_correct(void **unused)
{
	struct gms_state *state = create(512, 0, GMS_ORDER_2M);
	struct snap snap;
	unsigned int id;

	(void)unused;
	read_example(&snap);
	assert_int_equal(snap.size, 58);
	assert_int_equal(gms_convert(state, 3, 5, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_inhibit(state, 511, 1, GMS_ORDER_2M), 0);
	assert_int_equal(gms_attr_create(state, &id), 0);
	assert_int_equal(gms_attr_set(state, id, 0, 512, true), 0);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	state = load(&snap);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	snap_fini(&snap);
}

static void rule_37_a_snapshot_of_version_1_is_read(void **unused)
{
	struct snap snap = {0};
	struct snap_model model;
	struct gms_state *state;
	uint8_t bytes[4096];
	size_t count;
	FILE *file;

	(void)unused;
	file = fopen(GMS_TEST_DATA "/snapshot-v1.gms", "rb");
	assert_non_null(file);
	while ((count = fread(bytes, 1, sizeof(bytes), file)))
		snap_bytes(&snap, bytes, count);
	assert_false(ferror(file));
	fclose(file);
	snap_model_v1(&model);
	state = load(&snap);
	assert_fine(snap_model_judge(&model, state));
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	/* There is no query for inhibits, so a new object with them must save as the snapshot. */
	state = snap_state_of_model(&model);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	snap_model_fini(&model);
	snap_fini(&snap);
}

/* ---- round trips ---- */

static void round_trip(const struct snap_model *model)
{
	struct gms_state *state;
	struct snap snap;

	snap_of_model(&snap, model);
	state = snap_state_of_model(model);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	state = load(&snap);
	assert_fine(snap_model_judge(model, state));
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	snap_fini(&snap);
}

static void random_round_trips(uint64_t nr_pages, uint64_t rounds, unsigned int max_attrs)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	struct snap_model model;
	struct prng prng;

	prng_init(&prng, test_seed() + nr_pages);
	for (rounds = test_iters(rounds); rounds; rounds--) {
		snap_model_init(&model, nr_pages, orders[prng_below(&prng, 3)],
				(unsigned int)prng_below(&prng, max_attrs + 1));
		snap_model_random(&model, &prng);
		round_trip(&model);
		snap_model_fini(&model);
	}
}

static void rule_37_random_states_are_restored(void **unused)
{
	(void)unused;
	random_round_trips(1, 30, GMS_MAX_ATTRS);
	random_round_trips(511, 100, GMS_MAX_ATTRS);
	random_round_trips(512, 100, GMS_MAX_ATTRS);
	random_round_trips(513, 100, GMS_MAX_ATTRS);
	random_round_trips(3 * BLOCK_2M + 1, 100, GMS_MAX_ATTRS);
}

static void rule_37_random_states_of_many_blocks_are_restored(void **unused)
{
	(void)unused;
	if (test_on_valgrind())
		skip();
	random_round_trips(BLOCK_1G - 1, 10, 2);
	random_round_trips(BLOCK_1G, 10, 2);
	random_round_trips(BLOCK_1G + 1, 10, 2);
	random_round_trips(5 * BLOCK_1G + 7, 4, 2);
}

/*
 * Checks an object that is too large for a model. Its snapshot is written by hand, and queries
 * are made at edges.
 */
static void huge(uint64_t nr_pages, bool private)
{
	const uint64_t runs[] = {7, nr_pages - BLOCK_1G - 9, BLOCK_1G + 1, 1};
	struct gms_state *state = create(nr_pages, private ? GMS_INIT_PRIVATE : 0, GMS_ORDER_1G);
	struct snap snap;
	unsigned int i;

	snap_init(&snap, nr_pages, GMS_ORDER_1G, 0);
	if (private)
		snap_number(&snap, 0);
	for (i = 0; i < 4; i++)
		snap_number(&snap, nr_pages);
	snap_seal(&snap);
	assert_saves_as(state, &snap);
	snap_fini(&snap);

	assert_int_equal(
		gms_convert(state, 7, runs[1], private ? GMS_SHARED : GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(
		gms_convert(state, nr_pages - 1, 1, private ? GMS_SHARED : GMS_PRIVATE, 0, NULL),
		0);
	snap_init(&snap, nr_pages, GMS_ORDER_1G, 0);
	if (private)
		snap_number(&snap, 0);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		snap_number(&snap, runs[i]);
	for (i = 0; i < 3; i++)
		snap_number(&snap, nr_pages);
	snap_seal(&snap);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);

	state = load(&snap);
	assert_int_equal(gms_state_nr_pages(state), nr_pages);
	assert_true(gms_range_is(state, 0, 7, private ? GMS_PRIVATE : GMS_SHARED));
	assert_true(gms_range_is(state, 7, runs[1], private ? GMS_SHARED : GMS_PRIVATE));
	assert_true(gms_range_is(state, 7 + runs[1], runs[2], private ? GMS_PRIVATE : GMS_SHARED));
	assert_int_equal(gms_is_private(state, nr_pages - 1), !private);
	assert_int_equal(gms_max_order(state, nr_pages / 2), GMS_ORDER_1G);
	assert_saves_as(state, &snap);
	gms_state_destroy(state);
	snap_fini(&snap);
}

static void rule_37_the_largest_objects_are_restored(void **unused)
{
	(void)unused;
	huge(1ULL << 30, false);
	huge(1ULL << 30, true);
	if (!test_on_valgrind()) {
		huge(GMS_MAX_PAGES, false);
		huge(GMS_MAX_PAGES, true);
	}
}

/* ---- buffers ---- */

static void rule_37_a_buffer_that_is_too_small_is_not_written(void **unused)
{
	struct gms_stats before = {.struct_size = sizeof(before)}, after = before;
	uint8_t buf[128];
	struct snap_model model;
	struct gms_state *state;
	struct snap snap;
	size_t size, i, needed;

	(void)unused;
	snap_model_init(&model, 700, GMS_ORDER_2M, 2);
	oracle_store(&model.set[SNAP_PRIVATE], 1, 300, true);
	oracle_store(&model.set[SNAP_ATTR + 1], 0, 512, true);
	snap_of_model(&snap, &model);
	assert_true(snap.size < sizeof(buf));
	state = snap_state_of_model(&model);
	gms_stats_read(state, &before);
	for (size = 0; size < sizeof(buf); size++) {
		const size_t written = size < snap.size ? 0 : snap.size;

		memset(buf, 0xee, sizeof(buf));
		needed = 0;
		assert_int_equal(gms_snapshot_save(state, buf, size, &needed),
				 written ? 0 : -ENOSPC);
		assert_int_equal(needed, snap.size);
		assert_memory_equal(buf, snap.data, written);
		for (i = written; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xee);
	}
	/* -ENOSPC does not count as a refusal. */
	gms_stats_read(state, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	gms_state_destroy(state);
	snap_model_fini(&model);
	snap_fini(&snap);
}

static void rule_37_save_returns_the_size_that_it_needs(void **unused)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	struct gms_state *state = create(512, 0, 0);
	size_t needed = 0x77;
	uint8_t buf[64];

	(void)unused;
	assert_int_equal(gms_snapshot_save(state, NULL, 0, &needed), 0);
	assert_int_equal(needed, SNAP_HEADER_SIZE + 4 * 2 + SNAP_CRC_SIZE);
	assert_int_equal(gms_snapshot_save(state, NULL, 0, NULL), 0);
	assert_int_equal(gms_snapshot_save(state, buf, sizeof(buf), NULL), 0);
	assert_int_equal(gms_snapshot_save(state, buf, 3, NULL), -ENOSPC);
	needed = 0x77;
	assert_int_equal(gms_snapshot_save(state, NULL, 1, &needed), -EINVAL);
	assert_int_equal(gms_snapshot_save(state, NULL, 4096, &needed), -EINVAL);
	assert_int_equal(needed, 0x77);
	gms_stats_read(state, &stats);
	assert_int_equal(stats.refused_inval, 2);
	gms_state_destroy(state);
}

static void rule_37_buffers_need_no_alignment(void **unused)
{
	const struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct snap_model model;
	struct gms_state *state, *loaded;
	struct snap snap;
	uint8_t *buf;
	size_t at;

	(void)unused;
	snap_model_init(&model, 1000, 0, 3);
	oracle_store(&model.set[SNAP_PRIVATE], 0, 300, true);
	oracle_store(&model.set[SNAP_ATTR + 2], 17, 400, true);
	state = snap_state_of_model(&model);
	snap_of_model(&snap, &model);
	for (at = 0; at < 9; at++) {
		buf = malloc(at + snap.size);
		assert_non_null(buf);
		assert_int_equal(gms_snapshot_save(state, buf + at, snap.size, NULL), 0);
		assert_memory_equal(buf + at, snap.data, snap.size);
		assert_int_equal(gms_snapshot_load(buf + at, snap.size, &opts, &loaded), 0);
		assert_fine(snap_model_judge(&model, loaded));
		gms_state_destroy(loaded);
		free(buf);
	}
	gms_state_destroy(state);
	snap_model_fini(&model);
	snap_fini(&snap);
}

/* ---- options and memory ---- */

static void rule_37_options_must_agree_with_the_snapshot(void **unused)
{
	static const struct {
		uint64_t nr_pages, flags;
		unsigned int folio_order;
		int err;
	} cases[] = {
		{0, 0, 0, 0},
		{1025, 0, 0, 0},
		{1025, GMS_INIT_PRIVATE, GMS_ORDER_2M, 0},
		{0, 0, GMS_ORDER_2M, 0},
		{1024, 0, 0, -EINVAL},
		{1026, 0, 0, -EINVAL},
		{UINT64_MAX, 0, 0, -EINVAL},
		{0, 0, GMS_ORDER_1G, -EINVAL},
		{0, 0, 1, -EINVAL},
		{0, 0, UINT32_MAX, -EINVAL},
		{0, GMS_INIT_PRIVATE << 1, 0, -EINVAL},
		{0, 1ULL << 63, 0, -EINVAL},
	};
	struct gms_state *const none = (struct gms_state *)0x77, *state;
	struct snap_model model;
	struct snap snap;
	size_t i;

	(void)unused;
	snap_model_init(&model, 1025, GMS_ORDER_2M, 0);
	oracle_store(&model.set[SNAP_PRIVATE], 9, 9, true);
	snap_of_model(&snap, &model);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

		opts.nr_pages = cases[i].nr_pages;
		opts.flags = cases[i].flags;
		opts.folio_order = cases[i].folio_order;
		state = none;
		assert_int_equal(gms_snapshot_load(snap.data, snap.size, &opts, &state),
				 cases[i].err);
		if (cases[i].err) {
			assert_ptr_equal(state, none);
			continue;
		}
		assert_fine(snap_model_judge(&model, state));
		assert_saves_as(state, &snap);
		gms_state_destroy(state);
	}
	snap_model_fini(&model);
	snap_fini(&snap);
}

static void rule_37_other_bad_options_are_refused(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_policy_ops nameless = *gms_policy_lazy();
	struct gms_allocator half = {.struct_size = sizeof(half)};
	struct gms_state *state = create(513, GMS_INIT_PRIVATE, 0);
	struct gms_state *loaded = NULL;
	struct snap snap;

	(void)unused;
	snap_save(&snap, state);
	gms_state_destroy(state);
	nameless.name = NULL;
	opts.policy = &nameless;
	assert_int_equal(gms_snapshot_load(snap.data, snap.size, &opts, &loaded), -EINVAL);
	opts.policy = NULL;
	opts.allocator = &half;
	assert_int_equal(gms_snapshot_load(snap.data, snap.size, &opts, &loaded), -EINVAL);
	assert_null(loaded);
	snap_fini(&snap);
}

static void rule_37_load_without_memory_makes_no_object(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state = NULL;
	struct snap_model model;
	struct talloc talloc;
	struct prng prng;
	struct snap snap;
	uint64_t skip, round;
	int rc;

	(void)unused;
	prng_init(&prng, test_seed());
	snap_model_init(&model, BLOCK_1G + 1000, GMS_ORDER_1G, 3);
	snap_model_random(&model, &prng);
	/* Both 1G blocks are mixed. */
	oracle_store(&model.set[SNAP_PRIVATE], 5, 1, false);
	oracle_store(&model.set[SNAP_PRIVATE], 6, 1, true);
	oracle_store(&model.set[SNAP_PRIVATE], BLOCK_1G + 5, 1, false);
	oracle_store(&model.set[SNAP_PRIVATE], BLOCK_1G + 6, 1, true);
	snap_of_model(&snap, &model);
	talloc_init(&talloc);
	opts.allocator = &talloc.ops;
	/* Each allocation fails alone, and then with all that follow. */
	for (round = 0; round < 2; round++) {
		for (skip = 0;; skip++) {
			talloc_fail(&talloc, skip, round ? UINT64_MAX : 1);
			rc = gms_snapshot_load(snap.data, snap.size, &opts, &state);
			talloc_fail_never(&talloc);
			if (!rc)
				break;
			assert_int_equal(rc, -ENOMEM);
			assert_null(state);
			assert_int_equal(atomic_load(&talloc.live_blocks), 0);
		}
		assert_true(skip > 10);
		assert_fine(snap_model_judge(&model, state));
		assert_saves_as(state, &snap);
		gms_state_destroy(state);
		state = NULL;
	}
	assert_int_equal(atomic_load(&talloc.live_blocks), 0);
	assert_fine(talloc_check(&talloc));
	snap_model_fini(&model);
	snap_fini(&snap);
}

static void rule_37_saving_allocates_nothing(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct snap_model model;
	struct gms_state *state;
	struct talloc talloc;
	struct snap snap;

	(void)unused;
	snap_model_v1(&model);
	snap_of_model(&snap, &model);
	talloc_init(&talloc);
	opts.allocator = &talloc.ops;
	state = load_with(&snap, &opts);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	assert_saves_as(state, &snap);
	talloc_trap(&talloc, 0);
	gms_state_destroy(state);
	assert_fine(talloc_check(&talloc));
	assert_int_equal(atomic_load(&talloc.live_blocks), 0);
	snap_model_fini(&model);
	snap_fini(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_agrees_with_a_bitwise_one),
		cmocka_unit_test(rule_37_the_example_of_the_document_is_correct),
		cmocka_unit_test(rule_37_a_snapshot_of_version_1_is_read),
		cmocka_unit_test(rule_37_random_states_are_restored),
		cmocka_unit_test(rule_37_random_states_of_many_blocks_are_restored),
		cmocka_unit_test(rule_37_the_largest_objects_are_restored),
		cmocka_unit_test(rule_37_a_buffer_that_is_too_small_is_not_written),
		cmocka_unit_test(rule_37_save_returns_the_size_that_it_needs),
		cmocka_unit_test(rule_37_buffers_need_no_alignment),
		cmocka_unit_test(rule_37_options_must_agree_with_the_snapshot),
		cmocka_unit_test(rule_37_other_bad_options_are_refused),
		cmocka_unit_test(rule_37_load_without_memory_makes_no_object),
		cmocka_unit_test(rule_37_saving_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
