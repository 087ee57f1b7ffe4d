// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hostile.c - proves that loading does not trust its input
 *
 * Tests rule 37. Whatever was done to a snapshot, either loading returns an error, makes no
 * object and keeps no memory; or the object is sound, and saves as the snapshot that it was
 * loaded from.
 */
#include "snap.h"
#include "talloc.h"
#include "test.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define TOO_MANY_PAGES (1ULL << 26)

static int load(const struct snap *snap, struct gms_state **state)
{
	const struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	return gms_snapshot_load(snap->data, snap->size, &opts, state);
}

/* Checks that loading returns @err, makes no object and allocates nothing. */
static void assert_refused(const struct snap *snap, int err)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *const none = (struct gms_state *)0x77, *state = none;
	struct talloc talloc;

	talloc_init(&talloc);
	opts.allocator = &talloc.ops;
	assert_int_equal(gms_snapshot_load(snap->data, snap->size, &opts, &state), err);
	assert_ptr_equal(state, none);
	assert_int_equal(atomic_load(&talloc.allocs), 0);
}

/*
 * Returns true if @snap loads, and checks that the object is sound and saves as @snap. If @snap
 * does not load, checks the error.
 */
static bool judge(const struct snap *snap)
{
	struct gms_state *state;
	struct snap again;
	const char *why = NULL;
	uint64_t nr_pages = 0;
	int rc;

	if (snap->size >= SNAP_HEADER_SIZE)
		memcpy(&nr_pages, snap->data + SNAP_AT_NR_PAGES, 8);
	/* an object of so many pages takes too long */
	if (nr_pages > TOO_MANY_PAGES && nr_pages <= GMS_MAX_PAGES)
		return false;
	rc = load(snap, &state);
	if (rc) {
		if (rc != -EPROTONOSUPPORT)
			assert_int_equal(rc, -EBADMSG);
		return false;
	}
	gms_state_verify(state, &why);
	assert_fine(why);
	snap_save(&again, state);
	assert_true(snap_same(&again, snap));
	snap_fini(&again);
	gms_state_destroy(state);
	return true;
}

/* Makes a small snapshot with pages in every set. */
static void make_small(struct snap *snap)
{
	struct snap_model model;

	snap_model_init(&model, 3 * BLOCK_2M + 9, GMS_ORDER_2M, 2);
	oracle_store(&model.set[SNAP_PRIVATE], 0, 300, true);
	oracle_store(&model.set[SNAP_PRIVATE], 2 * BLOCK_2M - 3, 5, true);
	oracle_store(&model.set[SNAP_QUARANTINE], 17, 1, true);
	oracle_store(&model.set[SNAP_INHIBIT_4K], 600, 10, true);
	oracle_store(&model.set[SNAP_INHIBIT_2M], 500, 200, true);
	oracle_store(&model.set[SNAP_ATTR], 1, 3 * BLOCK_2M, true);
	oracle_store(&model.set[SNAP_ATTR + 1], 3 * BLOCK_2M + 8, 1, true);
	snap_of_model(snap, &model);
	snap_model_fini(&model);
	assert_true(judge(snap));
}

/* ---- damage ---- */

static void rule_37_every_damaged_byte_is_noticed(void **unused)
{
	struct snap snap;
	unsigned int x;
	size_t at;

	(void)unused;
	make_small(&snap);
	for (at = 0; at < snap.size; at++) {
		for (x = 1; x < 256; x++) {
			snap.data[at] ^= x;
			assert_refused(&snap, -EBADMSG);
			snap.data[at] ^= x;
		}
	}
	assert_true(judge(&snap));
	snap_fini(&snap);
}

static void rule_37_every_damaged_word_is_noticed(void **unused)
{
	uint64_t rounds = test_iters(100000);
	struct prng prng;
	struct snap snap;

	(void)unused;
	make_small(&snap);
	prng_init(&prng, test_seed());
	while (rounds--) {
		const size_t at = prng_below(&prng, snap.size - 3);
		uint8_t before[4];

		memcpy(before, snap.data + at, 4);
		snap_poke(&snap, at, prng_next(&prng), 4);
		if (memcmp(before, snap.data + at, 4))
			assert_refused(&snap, -EBADMSG);
		memcpy(snap.data + at, before, 4);
	}
	snap_fini(&snap);
}

static void rule_37_a_snapshot_of_another_length_is_refused(void **unused)
{
	struct snap snap, part;
	size_t size;

	(void)unused;
	make_small(&snap);
	for (size = 0; size <= snap.size + 20; size++) {
		if (size == snap.size)
			continue;
		snap_copy(&part, &snap, size);
		assert_refused(&part, -EBADMSG);
		/* A correct size and a correct CRC do not help. */
		snap_reseal(&part);
		assert_refused(&part, -EBADMSG);
		snap_fini(&part);
	}
	snap_fini(&snap);
}

static void rule_37_null_and_zeros_are_refused(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state = NULL;
	struct snap zero = {.data = calloc(1, 4096), .size = 4096};

	(void)unused;
	assert_int_equal(gms_snapshot_load(NULL, 0, &opts, &state), -EBADMSG);
	assert_int_equal(gms_snapshot_load(NULL, 4096, &opts, &state), -EBADMSG);
	assert_non_null(zero.data);
	assert_refused(&zero, -EBADMSG);
	snap_reseal(&zero);
	assert_refused(&zero, -EBADMSG);
	assert_null(state);
	snap_fini(&zero);
}

/* ---- other versions ---- */

static void rule_37_a_newer_version_is_not_supported(void **unused)
{
	static const uint32_t newer[] = {2, 3, 256, 1U << 16, 1U << 31, UINT32_MAX};
	struct snap snap, other;
	struct prng prng;
	size_t i, size, at;

	(void)unused;
	make_small(&snap);
	prng_init(&prng, test_seed());
	for (i = 0; i < ARRAY_SIZE(newer); i++) {
		/* A newer snapshot may have any length and any contents. */
		for (size = SNAP_AT_NR_PAGES + SNAP_CRC_SIZE; size < 2 * snap.size; size++) {
			snap_copy(&other, &snap, size);
			snap_poke(&other, SNAP_AT_VERSION, newer[i], 4);
			for (at = SNAP_AT_HEADER_SIZE; at < size; at++)
				other.data[at] = (uint8_t)prng_next(&prng);
			snap_reseal(&other);
			assert_refused(&other, -EPROTONOSUPPORT);
			/* A damaged snapshot of a newer version counts as damaged. */
			other.data[prng_below(&prng, size)] ^= 0x10;
			assert_refused(&other, -EBADMSG);
			snap_fini(&other);
		}
	}
	/* There is no version 0. */
	snap_poke(&snap, SNAP_AT_VERSION, 0, 4);
	snap_reseal(&snap);
	assert_refused(&snap, -EBADMSG);
	snap_fini(&snap);
}

/* ---- bad headers, under a good CRC ---- */

static void rule_37_a_bad_header_is_refused(void **unused)
{
	static const struct {
		const char *name;
		size_t at;
		uint64_t value;
		unsigned int size;
	} cases[] = {
		{"another magic", 0, 'G', 1},
		{"header of 0 bytes", SNAP_AT_HEADER_SIZE, 0, 4},
		{"header too small", SNAP_AT_HEADER_SIZE, SNAP_HEADER_SIZE - 1, 4},
		{"header too large", SNAP_AT_HEADER_SIZE, SNAP_HEADER_SIZE + 1, 4},
		{"header of 4 GiB", SNAP_AT_HEADER_SIZE, UINT32_MAX, 4},
		{"no pages", SNAP_AT_NR_PAGES, 0, 8},
		{"a page less", SNAP_AT_NR_PAGES, 511, 8},
		{"a page more", SNAP_AT_NR_PAGES, 513, 8},
		{"a page too many", SNAP_AT_NR_PAGES, GMS_MAX_PAGES + 1, 8},
		{"all pages there are", SNAP_AT_NR_PAGES, UINT64_MAX, 8},
		{"order 1", SNAP_AT_FOLIO_ORDER, 1, 1},
		{"order 8", SNAP_AT_FOLIO_ORDER, 8, 1},
		{"order 17", SNAP_AT_FOLIO_ORDER, 17, 1},
		{"order 27", SNAP_AT_FOLIO_ORDER, 27, 1},
		{"order 255", SNAP_AT_FOLIO_ORDER, 255, 1},
		{"an attribute less", SNAP_AT_NR_ATTRS, 0, 1},
		{"an attribute more", SNAP_AT_NR_ATTRS, 2, 1},
		{"17 attributes", SNAP_AT_NR_ATTRS, GMS_MAX_ATTRS + 1, 1},
		{"255 attributes", SNAP_AT_NR_ATTRS, 255, 1},
		{"reserved, first", SNAP_AT_RESERVED, 1, 1},
		{"reserved, last", SNAP_AT_RESERVED + 5, 0x80, 1},
	};
	struct snap good, bad;
	size_t i;

	(void)unused;
	snap_init(&good, 512, GMS_ORDER_2M, 1);
	for (i = 0; i < SNAP_ATTR + 1; i++)
		snap_number(&good, 512);
	snap_seal(&good);
	assert_true(judge(&good));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s\n", cases[i].name);
		snap_copy(&bad, &good, good.size);
		snap_poke(&bad, cases[i].at, cases[i].value, cases[i].size);
		snap_reseal(&bad);
		assert_refused(&bad, -EBADMSG);
		snap_fini(&bad);
	}
	snap_fini(&good);
}

static void rule_37_one_attribute_too_many_is_refused(void **unused)
{
	unsigned int nr_attrs, i;
	struct snap snap;

	(void)unused;
	for (nr_attrs = GMS_MAX_ATTRS; nr_attrs < 256; nr_attrs++) {
		snap_init(&snap, 512, 0, nr_attrs);
		for (i = 0; i < SNAP_ATTR + nr_attrs; i++)
			snap_number(&snap, 512);
		snap_seal(&snap);
		if (nr_attrs == GMS_MAX_ATTRS)
			assert_true(judge(&snap));
		else
			assert_refused(&snap, -EBADMSG);
		snap_fini(&snap);
	}
}

static void rule_37_a_bad_total_size_is_refused(void **unused)
{
	static const uint64_t sizes[] = {0, 1, 27, 28, 51, 53, 1ULL << 32, 1ULL << 63, UINT64_MAX};
	struct snap snap;
	size_t i;

	(void)unused;
	snap_init(&snap, 512, 0, 0);
	for (i = 0; i < SNAP_ATTR; i++)
		snap_number(&snap, 512);
	snap_seal(&snap);
	assert_int_equal(snap.size, 52);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snap_poke(&snap, SNAP_AT_TOTAL_SIZE, sizes[i], 8);
		snap_poke(&snap, snap.size - SNAP_CRC_SIZE,
			  snap_crc(snap.data, snap.size - SNAP_CRC_SIZE), SNAP_CRC_SIZE);
		assert_refused(&snap, -EBADMSG);
	}
	snap_fini(&snap);
}

/* ---- bad sets, under a good CRC ---- */

/* Makes a snapshot of 512 pages without attributes, with these bytes in place of set @which. */
static void make_with(struct snap *snap, unsigned int which, const void *bytes, size_t count)
{
	unsigned int i;

	snap_init(snap, 512, 0, 0);
	for (i = 0; i < SNAP_ATTR; i++) {
		if (i == which)
			snap_bytes(snap, bytes, count);
		else
			snap_number(snap, 512);
	}
	snap_seal(snap);
}

#define BYTES(...) ((const uint8_t[]) {__VA_ARGS__}), sizeof((const uint8_t[]) {__VA_ARGS__})

static void rule_37_a_bad_set_is_refused(void **unused)
{
	const struct {
		const char *name;
		const uint8_t *bytes;
		size_t count;
		bool good;
	} cases[] = {
		{"all", BYTES(0x00, 0x80, 0x04), true},
		{"three runs", BYTES(0x01, 0x01, 0xfe, 0x03), true},
		{"nothing", (const uint8_t *)"", 0, false},
		{"two bytes for 1", BYTES(0x81, 0x00, 0xff, 0x03), false},
		{"two bytes for 0", BYTES(0x80, 0x00, 0x80, 0x04), false},
		{"three bytes for 512", BYTES(0x80, 0x84, 0x00), false},
		{"a run of 0 in the middle", BYTES(0x01, 0x00, 0xff, 0x03), false},
		{"a run of 0 before the last", BYTES(0x01, 0x01, 0x00, 0xfe, 0x03), false},
		{"two runs of 0 first", BYTES(0x00, 0x00, 0x80, 0x04), false},
		{"a page too many", BYTES(0x81, 0x04), false},
		{"a page too many at last", BYTES(0x01, 0x80, 0x04), false},
		{"a page is missing", BYTES(0xff, 0x03), false},
		{"2^40", BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x20), false},
		{"2^42 - 1", BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), false},
		{"7 bytes", BYTES(0x80, 0x84, 0x80, 0x80, 0x80, 0x80, 0x00), false},
		{"2^64 + 512", BYTES(0x80, 0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02),
		 false},
		{"2^64 - 1, and 513",
		 BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x81, 0x04),
		 false},
		{"a number without end",
		 BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		       0x80, 0x80, 0x80),
		 false},
	};
	struct snap snap;
	unsigned int which;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s\n", cases[i].name);
		for (which = 0; which < SNAP_ATTR; which++) {
			make_with(&snap, which, cases[i].bytes, cases[i].count);
			/* Every page with an inhibit to 4K must have one to 2M. */
			if (cases[i].good && which != SNAP_INHIBIT_4K)
				assert_true(judge(&snap));
			else
				assert_refused(&snap, -EBADMSG);
			snap_fini(&snap);
		}
	}
}

static void rule_37_an_inhibit_to_4k_without_one_to_2m_is_refused(void **unused)
{
	static const struct {
		uint64_t start4k, nr4k, start2m, nr2m;
		bool good;
	} cases[] = {
		{5, 1, 5, 1, true},      {5, 10, 4, 12, true},    {0, 512, 0, 512, true},
		{5, 1, 6, 1, false},     {5, 1, 4, 1, false},     {5, 10, 5, 9, false},
		{5, 10, 6, 9, false},    {0, 512, 0, 511, false}, {0, 512, 1, 511, false},
		{511, 1, 0, 511, false}, {0, 1, 1, 511, false},
	};
	struct snap_model model;
	struct snap snap;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snap_model_init(&model, 512, 0, 0);
		oracle_store(&model.set[SNAP_INHIBIT_4K], cases[i].start4k, cases[i].nr4k, true);
		oracle_store(&model.set[SNAP_INHIBIT_2M], cases[i].start2m, cases[i].nr2m, true);
		snap_of_model(&snap, &model);
		if (cases[i].good)
			assert_true(judge(&snap));
		else
			assert_refused(&snap, -EBADMSG);
		snap_fini(&snap);
		snap_model_fini(&model);
	}
}

/* Of a thousand pages, one with an inhibit to 4K has none to 2M. */
static void rule_37_one_missing_inhibit_in_many_runs_is_noticed(void **unused)
{
	struct snap_model model;
	struct prng prng;
	struct snap snap;
	uint64_t round, i, hole;

	(void)unused;
	prng_init(&prng, test_seed());
	for (round = test_iters(200); round; round--) {
		snap_model_init(&model, 1000, 0, 0);
		for (i = 0; i < 1000; i++) {
			const unsigned int what = (unsigned int)prng_below(&prng, 3);

			oracle_store(&model.set[SNAP_INHIBIT_4K], i, 1, what == 2);
			oracle_store(&model.set[SNAP_INHIBIT_2M], i, 1, what >= 1);
		}
		snap_of_model(&snap, &model);
		assert_true(judge(&snap));
		snap_fini(&snap);
		do {
			hole = prng_below(&prng, 1000);
		} while (!oracle_test(&model.set[SNAP_INHIBIT_4K], hole));
		oracle_store(&model.set[SNAP_INHIBIT_2M], hole, 1, false);
		snap_of_model(&snap, &model);
		assert_refused(&snap, -EBADMSG);
		snap_fini(&snap);
		snap_model_fini(&model);
	}
}

/* ---- random changes ---- */

static void rule_37_any_byte_under_a_good_crc_is_safe(void **unused)
{
	struct snap snap, bad;
	unsigned int x;
	size_t at, loaded = 0;

	(void)unused;
	make_small(&snap);
	for (at = 0; at < snap.size; at++) {
		for (x = 1; x < 256; x++) {
			snap_copy(&bad, &snap, snap.size);
			bad.data[at] ^= x;
			snap_reseal(&bad);
			loaded += judge(&bad);
			snap_fini(&bad);
		}
	}
	/* 12 bytes of size and CRC are made right again; some other changes are allowed as well */
	assert_true(loaded > 255 * 12);
	snap_fini(&snap);
}

static void mutate(struct snap *snap, struct prng *prng)
{
	size_t at = prng_below(prng, snap->size), to = prng_below(prng, snap->size);
	size_t count = 1 + prng_below(prng, 8);

	switch (prng_below(prng, 6)) {
	case 0:
		snap->data[at] = (uint8_t)prng_next(prng);
		break;
	case 1:
		snap->data[at] ^= 1U << prng_below(prng, 8);
		break;
	case 2:
		snap->data[at] += prng_chance(prng, 50) ? 1 : -1;
		break;
	case 3: /* one run becomes longer and the next one shorter */
		if (at + 1 < snap->size) {
			snap->data[at]++;
			snap->data[at + 1]--;
		}
		break;
	case 4: /* insert bytes from elsewhere */
		if (count > snap->size - to)
			count = snap->size - to;
		snap->data = realloc(snap->data, snap->size + count);
		assert_non_null(snap->data);
		memmove(snap->data + at + count, snap->data + at, snap->size - at);
		memmove(snap->data + at, snap->data + to, count);
		snap->size += count;
		break;
	default: /* remove bytes */
		if (count > snap->size - at)
			count = snap->size - at;
		memmove(snap->data + at, snap->data + at + count, snap->size - at - count);
		snap->size -= count;
		snap->data = realloc(snap->data, snap->size ? snap->size : 1);
		assert_non_null(snap->data);
	}
}

static void rule_37_random_changes_under_a_good_crc_are_safe(void **unused)
{
	uint64_t rounds = test_iters(200000), loaded = 0, i;
	struct snap snap, bad;
	struct prng prng;

	(void)unused;
	make_small(&snap);
	prng_init(&prng, test_seed());
	while (rounds--) {
		snap_copy(&bad, &snap, snap.size);
		for (i = prng_below(&prng, 3); bad.size && i < 3; i++)
			mutate(&bad, &prng);
		/* most headers with changes are refused at once: restore the header at times */
		if (bad.size >= SNAP_HEADER_SIZE && prng_chance(&prng, 80))
			memcpy(bad.data, snap.data, SNAP_HEADER_SIZE);
		snap_reseal(&bad);
		loaded += judge(&bad);
		snap_fini(&bad);
	}
	assert_true(test_on_valgrind() || loaded > 100);
	snap_fini(&snap);
}

/* ---- a buffer that changes while it is read ---- */

struct meddler {
	struct gms_allocator ops;
	struct talloc talloc;
	struct snap *snap;
	struct prng prng;
	uint64_t skip; /* allocations before the buffer changes */
};

static void *meddle_alloc(void *ctx, size_t size, size_t align)
{
	struct meddler *m = ctx;
	size_t i;

	if (!m->skip--)
		for (i = 0; i < m->snap->size; i++)
			m->snap->data[i] =
				(uint8_t)(prng_next(&m->prng) >> 8 & prng_next(&m->prng));
	return m->talloc.ops.alloc(m->talloc.ops.ctx, size, align);
}

static void meddle_free(void *ctx, void *ptr, size_t size, size_t align)
{
	struct meddler *m = ctx;

	m->talloc.ops.free(m->talloc.ops.ctx, ptr, size, align);
}

static void rule_37_a_buffer_that_changes_during_the_load_is_safe(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct meddler m = {.ops = {sizeof(m.ops), meddle_alloc, meddle_free, &m}};
	uint64_t rounds = test_iters(3000), refused = 0, allocs = UINT64_MAX, i;
	struct gms_state *state;
	struct snap snap, mine;
	int rc;

	(void)unused;
	make_small(&snap);
	prng_init(&m.prng, test_seed());
	talloc_init(&m.talloc);
	opts.allocator = &m.ops;
	for (i = 0; i < rounds; i++) {
		snap_copy(&mine, &snap, snap.size);
		m.snap = &mine;
		/* the first round changes nothing, and counts the allocations */
		m.skip = i ? i % allocs : UINT64_MAX;
		rc = gms_snapshot_load(mine.data, mine.size, &opts, &state);
		if (rc) {
			assert_int_equal(rc, -EBADMSG);
			refused++;
		} else {
			assert_int_equal(gms_state_nr_pages(state), 3 * BLOCK_2M + 9);
			gms_state_destroy(state);
		}
		if (!i)
			allocs = atomic_load(&m.talloc.allocs);
		assert_int_equal(atomic_load(&m.talloc.live_blocks), 0);
		assert_fine(talloc_check(&m.talloc));
		snap_fini(&mine);
	}
	assert_true(rounds < allocs || refused > rounds / 2);
	snap_fini(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_37_every_damaged_byte_is_noticed),
		cmocka_unit_test(rule_37_every_damaged_word_is_noticed),
		cmocka_unit_test(rule_37_a_snapshot_of_another_length_is_refused),
		cmocka_unit_test(rule_37_null_and_zeros_are_refused),
		cmocka_unit_test(rule_37_a_newer_version_is_not_supported),
		cmocka_unit_test(rule_37_a_bad_header_is_refused),
		cmocka_unit_test(rule_37_one_attribute_too_many_is_refused),
		cmocka_unit_test(rule_37_a_bad_total_size_is_refused),
		cmocka_unit_test(rule_37_a_bad_set_is_refused),
		cmocka_unit_test(rule_37_an_inhibit_to_4k_without_one_to_2m_is_refused),
		cmocka_unit_test(rule_37_one_missing_inhibit_in_many_runs_is_noticed),
		cmocka_unit_test(rule_37_any_byte_under_a_good_crc_is_safe),
		cmocka_unit_test(rule_37_random_changes_under_a_good_crc_are_safe),
		cmocka_unit_test(rule_37_a_buffer_that_changes_during_the_load_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
