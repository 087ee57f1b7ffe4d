// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snap.c - snapshots for tests: see snap.h
 */
#include "snap.h"
#include "test.h"

/* ---- bytes ---- */

void snap_bytes(struct snap *snap, const void *bytes, size_t count)
{
	snap->data = realloc(snap->data, snap->size + count);
	assert_non_null(snap->data);
	memcpy(snap->data + snap->size, bytes, count);
	snap->size += count;
}

void snap_poke(struct snap *snap, size_t at, uint64_t value, unsigned int size)
{
	unsigned int i;

	assert_true(at + size <= snap->size);
	for (i = 0; i < size; i++)
		snap->data[at + i] = (uint8_t)(value >> 8 * i);
}

void snap_init(struct snap *snap, uint64_t nr_pages, unsigned int folio_order,
	       unsigned int nr_attrs)
{
	*snap = (struct snap) {.size = SNAP_HEADER_SIZE};
	snap->data = calloc(1, SNAP_HEADER_SIZE);
	assert_non_null(snap->data);
	memcpy(snap->data, "gmemsnap", 8);
	snap_poke(snap, SNAP_AT_VERSION, 1, 4);
	snap_poke(snap, SNAP_AT_HEADER_SIZE, SNAP_HEADER_SIZE, 4);
	snap_poke(snap, SNAP_AT_NR_PAGES, nr_pages, 8);
	snap_poke(snap, SNAP_AT_FOLIO_ORDER, folio_order, 1);
	snap_poke(snap, SNAP_AT_NR_ATTRS, nr_attrs, 1);
}

void snap_fini(struct snap *snap)
{
	free(snap->data);
	snap->data = NULL;
}

void snap_number(struct snap *snap, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	do {
		bytes[count] = value % 128;
		value /= 128;
		if (value)
			bytes[count] += 128;
		count++;
	} while (value);
	snap_bytes(snap, bytes, count);
}

void snap_set(struct snap *snap, const struct oracle *set)
{
	struct gms_rtree_run run;
	uint64_t at;

	if (oracle_test(set, 0))
		snap_number(snap, 0);
	for (at = 0; oracle_next(set, at, set->nr_pages, &run); at += run.nr_pages)
		snap_number(snap, run.nr_pages);
}

uint32_t snap_crc(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t crc = 0xffffffff;
	unsigned int bit;

	while (size--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return crc ^ 0xffffffff;
}

void snap_reseal(struct snap *snap)
{
	if (snap->size < SNAP_AT_NR_PAGES + SNAP_CRC_SIZE)
		return;
	snap_poke(snap, SNAP_AT_TOTAL_SIZE, snap->size, 8);
	snap_poke(snap, snap->size - SNAP_CRC_SIZE,
		  snap_crc(snap->data, snap->size - SNAP_CRC_SIZE), SNAP_CRC_SIZE);
}

void snap_seal(struct snap *snap)
{
	snap_bytes(snap, "\0\0\0\0", SNAP_CRC_SIZE);
	snap_reseal(snap);
}

void snap_copy(struct snap *snap, const struct snap *from, size_t size)
{
	snap->size = size;
	snap->data = calloc(1, size ? size : 1);
	assert_non_null(snap->data);
	memcpy(snap->data, from->data, size < from->size ? size : from->size);
}

bool snap_same(const struct snap *a, const struct snap *b)
{
	return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

void snap_save(struct snap *snap, const struct gms_state *state)
{
	size_t needed = 0, written = 0;

	assert_int_equal(gms_snapshot_save(state, NULL, 0, &needed), 0);
	assert_true(needed > SNAP_HEADER_SIZE + SNAP_CRC_SIZE);
	snap->size = needed;
	snap->data = malloc(needed + 16);
	assert_non_null(snap->data);
	memset(snap->data, 0xee, needed + 16);
	assert_int_equal(gms_snapshot_save(state, snap->data, needed + 16, &written), 0);
	assert_int_equal(written, needed);
	for (written = needed; written < needed + 16; written++)
		assert_int_equal(snap->data[written], 0xee);
	snap->data = realloc(snap->data, needed);
	assert_non_null(snap->data);
}

/* ---- models ---- */

void snap_model_init(struct snap_model *model, uint64_t nr_pages, unsigned int folio_order,
		     unsigned int nr_attrs)
{
	unsigned int i;

	memset(model, 0, sizeof(*model));
	model->nr_pages = nr_pages;
	model->folio_order = folio_order;
	model->nr_attrs = nr_attrs;
	for (i = 0; i < SNAP_ATTR + nr_attrs; i++)
		oracle_init(&model->set[i], nr_pages, false);
}

void snap_model_fini(struct snap_model *model)
{
	unsigned int i;

	for (i = 0; i < SNAP_ATTR + model->nr_attrs; i++)
		oracle_fini(&model->set[i]);
}

static void random_range(struct prng *prng, uint64_t nr_pages, uint64_t *start, uint64_t *count)
{
	static const uint64_t most[] = {1, 3, 130, 512, 5000, 1 << 18, UINT64_MAX};
	uint64_t limit = most[prng_below(prng, ARRAY_SIZE(most))];

	*start = prng_below(prng, nr_pages);
	if (prng_chance(prng, 30))
		*start -= *start % 512;
	if (limit > nr_pages - *start)
		limit = nr_pages - *start;
	*count = prng_chance(prng, 30) ? limit : 1 + prng_below(prng, limit);
}

void snap_model_random(struct snap_model *model, struct prng *prng)
{
	unsigned int i, kind, stores;
	uint64_t start, count;
	bool set;

	for (kind = 0; kind < SNAP_ATTR + model->nr_attrs; kind++) {
		set = prng_chance(prng, 50);
		if (prng_chance(prng, 20))
			oracle_store(&model->set[kind], 0, model->nr_pages, set);
		stores = (unsigned int)prng_below(prng, 40);
		for (i = 0; i < stores; i++) {
			random_range(prng, model->nr_pages, &start, &count);
			oracle_store(&model->set[kind], start, count, prng_chance(prng, 60));
		}
	}
	for (start = 0; start < model->nr_pages; start++)
		if (oracle_test(&model->set[SNAP_INHIBIT_4K], start))
			oracle_store(&model->set[SNAP_INHIBIT_2M], start, 1, true);
}

#define V1_NR_PAGES (2 * (1ULL << 18) + 3 * 512 + 77)

static bool in_v1(unsigned int kind, uint64_t page)
{
	switch (kind) {
	case SNAP_PRIVATE:
		if (page >= 1000 && page < 1400)
			return page % 2;
		return page / 700 % 5 != 2 && page / (1 << 17) != 2;
	case SNAP_QUARANTINE:
		return page % 100003 < 3 || page == V1_NR_PAGES - 1;
	case SNAP_INHIBIT_4K:
		return page / 512 % 97 == 5 || page == 0;
	case SNAP_INHIBIT_2M:
		return in_v1(SNAP_INHIBIT_4K, page) || page / 512 % 31 == 7;
	case SNAP_ATTR:
		return page % 65536 >= 65000;
	case SNAP_ATTR + 2:
		return true;
	default:
		return false;
	}
}

void snap_model_v1(struct snap_model *model)
{
	unsigned int kind;
	uint64_t page;

	snap_model_init(model, V1_NR_PAGES, GMS_ORDER_1G, 3);
	for (kind = 0; kind < SNAP_ATTR + 3; kind++)
		for (page = 0; page < V1_NR_PAGES; page++)
			if (in_v1(kind, page))
				oracle_store(&model->set[kind], page, 1, true);
}

void snap_of_model(struct snap *snap, const struct snap_model *model)
{
	unsigned int i;

	snap_init(snap, model->nr_pages, model->folio_order, model->nr_attrs);
	for (i = 0; i < SNAP_ATTR + model->nr_attrs; i++)
		snap_set(snap, &model->set[i]);
	snap_seal(snap);
}

/* ---- an object in the state of a model ---- */

static int failing_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
			 gms_pgoff_t *failed)
{
	const bool *armed = ctx;

	(void)to;
	if (!*armed)
		return 0;
	*failed = start + nr_pages;
	return -EIO;
}

static int failing_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability back_to)
{
	(void)ctx;
	(void)start;
	(void)nr_pages;
	(void)back_to;
	return -EIO;
}

static const struct gms_backend_ops failing = {
	.struct_size = sizeof(failing),
	.apply = failing_apply,
	.undo = failing_undo,
};

static void apply_run(struct gms_state *state, unsigned int kind, const struct gms_rtree_run *run)
{
	switch (kind) {
	case SNAP_PRIVATE:
		assert_int_equal(
			gms_convert(state, run->start, run->nr_pages, GMS_PRIVATE, 0, NULL), 0);
		break;
	case SNAP_INHIBIT_4K:
		assert_int_equal(gms_inhibit(state, run->start, run->nr_pages, GMS_ORDER_4K), 0);
		break;
	case SNAP_INHIBIT_2M:
		assert_int_equal(gms_inhibit(state, run->start, run->nr_pages, GMS_ORDER_2M), 0);
		break;
	default:
		assert_int_equal(
			gms_attr_set(state, kind - SNAP_ATTR, run->start, run->nr_pages, true), 0);
	}
}

/* Quarantines a run: the hooks refuse its conversion, and refuse the undo. */
static void quarantine(struct gms_state *state, const struct gms_rtree_run *run)
{
	struct gms_iter iter;
	struct gms_run part;

	gms_iter_init(&iter, state, run->start, run->nr_pages);
	while (gms_iter_next(&iter, &part))
		assert_int_equal(
			gms_convert(state, part.start, part.nr_pages,
				    part.shareability == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE, 0,
				    NULL),
			-EIO);
}

struct gms_state *snap_state_of_model(const struct snap_model *model)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_rtree_run run;
	struct gms_state *state;
	unsigned int i, id;
	static bool armed;
	uint64_t at;

	armed = false;
	opts.nr_pages = model->nr_pages;
	opts.folio_order = model->folio_order;
	opts.backend = &failing;
	opts.backend_ctx = &armed;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	for (i = 0; i < model->nr_attrs; i++) {
		assert_int_equal(gms_attr_create(state, &id), 0);
		assert_int_equal(id, i);
	}
	for (i = 0; i < SNAP_ATTR + model->nr_attrs; i++)
		for (at = 0; oracle_next(&model->set[i], at, model->nr_pages, &run);
		     at += run.nr_pages)
			if (run.set && i != SNAP_QUARANTINE)
				apply_run(state, i, &run);
	armed = true;
	for (at = 0; oracle_next(&model->set[SNAP_QUARANTINE], at, model->nr_pages, &run);
	     at += run.nr_pages)
		if (run.set)
			quarantine(state, &run);
	armed = false;
	return state;
}

const char *snap_model_judge(const struct snap_model *model, struct gms_state *state)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	const char *why = NULL;
	unsigned int id;
	uint64_t i;

	if (gms_state_nr_pages(state) != model->nr_pages)
		return "the size differs";
	if (gms_folio_order(state, 0) > model->folio_order ||
	    (model->nr_pages >= 1ULL << model->folio_order &&
	     gms_folio_order(state, 0) != model->folio_order))
		return "the folio order differs";
	for (i = 0; i < model->nr_pages; i++) {
		if (gms_is_private(state, i) != oracle_test(&model->set[SNAP_PRIVATE], i))
			return "a page's shareability differs";
		if (gms_is_quarantined(state, i) != oracle_test(&model->set[SNAP_QUARANTINE], i))
			return "a page's quarantine differs";
		for (id = 0; id < model->nr_attrs; id++)
			if (gms_attr_test(state, id, i) !=
			    oracle_test(&model->set[SNAP_ATTR + id], i))
				return "a page's attribute differs";
	}
	if (gms_attr_set(state, model->nr_attrs, 0, 1, true) != -EINVAL)
		return "the object has too many attributes";
	gms_stats_read(state, &stats);
	if (stats.quarantined_pages !=
	    oracle_count(&model->set[SNAP_QUARANTINE], 0, model->nr_pages))
		return "the count of quarantined pages is wrong";
	gms_state_verify(state, &why);
	return why;
}
