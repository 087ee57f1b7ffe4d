/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/rows.h - the rows about listeners, bindings and snapshots; included once by each peer
 *
 * Before that the peer defines, each as a function that is not inlined, or as one that does
 * nothing but call a library:
 *
 *	v_obj					the type of its object
 *	v_create(nr_pages, private)
 *	v_destroy(obj)
 *	v_convert(obj, start, nr_pages, private)
 *	v_test(obj, index)			is it private?
 *	v_listen(obj, granule, split, heard)	all of the object; an id
 *	v_unlisten(obj, id)
 *	v_class_2m(obj, index)			of the 2M block at an index
 *	v_class_range(obj, start, nr_pages)
 *	v_bind(obj, gfn, start, nr_pages)
 *	v_gfn_index(obj, gfn)			~0 where nothing is bound
 *
 * and PEER_NAME, PEER_SYMBOL; if it can, V_ORDERS: v_gfn_order(obj, gfn), V_SNAPSHOTS:
 * v_save(obj, buf, size), v_load(buf, size), and V_VERIFY. V_FROM_THE_TOP: a pattern is built
 * from the top down, not in random order, where each change scans to the end of the map.
 */
#include <stdlib.h>

#include "vmm.h"

/* What rows work on. Built when first used and kept: see ../rows.h. */
enum v_fixture {
	V_UNIFORM_16G,
	V_UNIFORM_1T,
	V_MIXED_16G,
	V_MIXED_1T,
	V_ALONE,
	V_HEARD_4K,
	V_HEARD_2M,
	V_BOUND_2,
	V_BOUND_1000,
	V_FIXTURES
};

struct v_setup {
	unsigned int bits;
	bool private, mixed;
	uint64_t granule; /* of a listener, if any */
	bool split;
	unsigned int bindings;
};

static const struct v_setup v_setups[V_FIXTURES] = {
	[V_UNIFORM_16G] = {BENCH_16G, true, false, 0, false, 0},
	[V_UNIFORM_1T] = {BENCH_1T, true, false, 0, false, 0},
	[V_MIXED_16G] = {BENCH_16G, false, true, 0, false, 0},
	[V_MIXED_1T] = {BENCH_1T, false, true, 0, false, 0},
	[V_ALONE] = {BENCH_16G, false, false, 0, false, 0},
	[V_HEARD_4K] = {BENCH_16G, false, false, 1, true, 0},
	[V_HEARD_2M] = {BENCH_16G, false, false, BENCH_PAGES_2M, false, 0},
	[V_BOUND_2] = {BENCH_16G, false, true, 0, false, 2},
	[V_BOUND_1000] = {BENCH_16G, false, true, 0, false, 1000},
};

struct v_fix {
	v_obj *obj;
	uint64_t x;
	struct bench_heard heard;
};

static struct v_fix v_fixes[V_FIXTURES];

/*
 * Bindings of equal size, of whole 2M, and a gap of that size behind each, so that half of the
 * gfns are bound. The last ones end at or before the object.
 */
static inline uint64_t v_binding_size(const struct v_setup *s)
{
	return ((uint64_t)1 << s->bits) / s->bindings / BENCH_PAGES_2M * BENCH_PAGES_2M;
}

static v_obj *v_build(const struct v_setup *s, struct bench_heard *heard)
{
	v_obj *o = v_create((uint64_t)1 << s->bits, s->private);
	const struct bench_mixed *m = bench_mixed_of(s->bits, 100);
	uint64_t size;

	for (uint64_t n = s->mixed ? m->nr_blocks : 0; n--;) {
#ifdef V_FROM_THE_TOP
		const uint64_t i = n;
#else
		const uint64_t i = m->order[n];
#endif
		v_convert(o, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i],
			  true);
	}
	if (s->granule)
		v_listen(o, s->granule, s->split, heard);
	for (unsigned int i = 0; i < s->bindings; i++) {
		size = v_binding_size(s);
		v_bind(o, 2 * i * size, i * size, size);
	}
	return o;
}

static struct v_fix *v_get(enum v_fixture id)
{
	struct v_fix *f = &v_fixes[id];

	if (!f->obj) {
		f->obj = v_build(&v_setups[id], &f->heard);
		f->x = 1;
	}
	return f;
}

/* replay: one listener comes, which is measured, and goes, which is not */
static void v_row_replay(struct bench *bench, enum v_fixture id, uint64_t granule, bool split)
{
	struct v_fix *f = v_get(id);
	unsigned int listener;

	while (bench_more(bench, 1)) {
		struct bench_heard heard = {0, 0, 0};

		listener = v_listen(f->obj, granule, split, &heard);
		bench_pause(bench, true);
		bench_counter(bench, "runs", (double)heard.runs);
		v_unlisten(f->obj, listener);
		bench_pause(bench, false);
	}
}

/* class: which of three is a 2M block anywhere? */
static void v_row_class(struct bench *bench, enum v_fixture id)
{
	const unsigned int bits = v_setups[id].bits;
	struct v_fix *f = v_get(id);
	v_obj *o = f->obj;
	uint64_t x = f->x, sum = 0;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i++) {
			x = bench_next(x);
			sum += v_class_2m(o, x >> (64 - bits));
		}
	}
	bench_use(sum);
	f->x = x;
}

/* range: the same of 512 pages that begin anywhere */
static void v_row_range(struct bench *bench, enum v_fixture id)
{
	const unsigned int bits = v_setups[id].bits;
	const uint64_t starts = ((uint64_t)1 << bits) - BENCH_PAGES_2M;
	struct v_fix *f = v_get(id);
	v_obj *o = f->obj;
	uint64_t x = f->x, sum = 0;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i++) {
			x = bench_next(x);
			sum += v_class_range(o, bench_below(x, starts), BENCH_PAGES_2M);
		}
	}
	bench_use(sum);
	f->x = x;
}

/* flip: one page of the first 1G of a guest that is all shared made private, and shared again */
static void v_row_flip(struct bench *bench, enum v_fixture id)
{
	struct v_fix *f = v_get(id);
	v_obj *o = f->obj;
	uint64_t x = f->x;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i += 2) {
			x = bench_next(x);
			v_convert(o, x >> (64 - BENCH_ORDER_1G), 1, true);
			v_convert(o, x >> (64 - BENCH_ORDER_1G), 1, false);
		}
	}
	f->x = x;
}

/* gfn: any that is bound */
static inline uint64_t v_next_gfn(uint64_t *x, unsigned int bindings, uint64_t size)
{
	uint64_t n;

	*x = bench_next(*x);
	n = bench_below(*x, bindings);
	*x = bench_next(*x);
	return 2 * n * size + bench_below(*x, size);
}

#define V_GFN_ROW(name, fn)                                                   \
	static void v_row_##name(struct bench *bench, enum v_fixture id)      \
	{                                                                     \
		const unsigned int bindings = v_setups[id].bindings;          \
		const uint64_t size = v_binding_size(&v_setups[id]);          \
		struct v_fix *f = v_get(id);                                  \
		v_obj *o = f->obj;                                            \
		uint64_t x = f->x, sum = 0;                                   \
                                                                              \
		while (bench_more(bench, 64)) {                               \
			for (int i = 0; i < 64; i++)                          \
				sum += fn(o, v_next_gfn(&x, bindings, size)); \
		}                                                             \
		bench_use(sum);                                               \
		f->x = x;                                                     \
	}

V_GFN_ROW(index, v_gfn_index)
#ifdef V_ORDERS
V_GFN_ROW(order, v_gfn_order)
#endif

#ifdef V_SNAPSHOTS
#define V_ROOM ((size_t)64 << 20)

/* Written to once before, so that nobody pays for the first touch of a page. */
static void *v_buffer(void)
{
	static void *buf;

	if (!buf)
		buf = bench_zalloc(V_ROOM, 64);
	return buf;
}

static void v_row_save(struct bench *bench, enum v_fixture id)
{
	v_obj *o = v_get(id)->obj;
	void *buf = v_buffer();
	size_t size = v_save(o, buf, V_ROOM);

	while (bench_more(bench, 1))
		bench_use(v_save(o, buf, V_ROOM));
	bench_counter(bench, "bytes", (double)size);
}

/* What was loaded is destroyed outside of what is measured. */
static void v_row_load(struct bench *bench, enum v_fixture id)
{
	void *buf = v_buffer();
	const size_t size = v_save(v_get(id)->obj, buf, V_ROOM);

	while (bench_more(bench, 1)) {
		v_obj *o = v_load(buf, size);

		bench_pause(bench, true);
		v_destroy(o);
		bench_pause(bench, false);
	}
}
#endif

#include "rows_table.h"
