/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/rows.h - the rows about listeners, bindings and snapshots. Each peer includes this file
 * once.
 *
 * Before that the peer defines names. A function must not be inlined, unless all that it does is
 * call a library:
 *
 *	PEER_NAME, PEER_SYMBOL		the name of the column, and of its struct bench_vmm_peer
 *	vmm_obj				the type of an object
 *	vmm_create(nr_pages, private)
 *	vmm_destroy(obj)
 *	vmm_convert(obj, start, nr_pages, private)
 *	vmm_test(obj, index)		returns true if the page is private
 *	vmm_listen(obj, granule, split, &notified)
 *					registers a listener for all of the object; returns its id
 *	vmm_unlisten(obj, id)
 *	vmm_class_2m(obj, index)	returns the class of the 2M block at an index
 *	vmm_class_range(obj, start, nr_pages)
 *	vmm_bind(obj, gfn, start, nr_pages)
 *	vmm_gfn_index(obj, gfn)		returns ~0 if the gfn is not bound
 *
 * A peer may also define
 *
 *	VMM_ORDERS			there is vmm_gfn_order(obj, gfn)
 *	VMM_SNAPSHOTS			there are vmm_save(obj, buf, size) and vmm_load(buf, size)
 *	VMM_VERIFY			the name of a function that verifies an object
 *	VMM_FROM_THE_TOP		patterns are built from the top down, because otherwise
 *					each change would scan to the end of the map
 */
#include <stdlib.h>

#include "vmm.h"

/* The objects of the rows. Each is built when it is first used, and then kept: see ../rows.h. */
enum vmm_fixture {
	VMM_UNIFORM_16G,
	VMM_UNIFORM_1T,
	VMM_MIXED_16G,
	VMM_MIXED_1T,
	VMM_ALONE,
	VMM_LISTEN_4K,
	VMM_LISTEN_2M,
	VMM_BOUND_2,
	VMM_BOUND_1000,
	VMM_FIXTURES
};

struct vmm_setup {
	unsigned int bits;
	bool private, mixed;
	uint64_t granule; /* of the listener; 0: there is none */
	bool split;
	unsigned int bindings;
};

static const struct vmm_setup vmm_setups[VMM_FIXTURES] = {
	[VMM_UNIFORM_16G] = {BENCH_16G, true, false, 0, false, 0},
	[VMM_UNIFORM_1T] = {BENCH_1T, true, false, 0, false, 0},
	[VMM_MIXED_16G] = {BENCH_16G, false, true, 0, false, 0},
	[VMM_MIXED_1T] = {BENCH_1T, false, true, 0, false, 0},
	[VMM_ALONE] = {BENCH_16G, false, false, 0, false, 0},
	[VMM_LISTEN_4K] = {BENCH_16G, false, false, 1, true, 0},
	[VMM_LISTEN_2M] = {BENCH_16G, false, false, BENCH_PAGES_2M, false, 0},
	[VMM_BOUND_2] = {BENCH_16G, false, true, 0, false, 2},
	[VMM_BOUND_1000] = {BENCH_16G, false, true, 0, false, 1000},
};

struct vmm_fix {
	vmm_obj *obj;
	uint64_t x;
	struct bench_notified notified;
};

static struct vmm_fix vmm_fixes[VMM_FIXTURES];

/*
 * Returns the size of a binding, which is a multiple of 2M. In gfns a gap of the same size follows
 * each binding: half of the gfns are bound. The last binding ends within the object.
 */
static inline uint64_t vmm_binding_size(const struct vmm_setup *s)
{
	return ((uint64_t)1 << s->bits) / s->bindings / BENCH_PAGES_2M * BENCH_PAGES_2M;
}

static vmm_obj *vmm_build(const struct vmm_setup *s, struct bench_notified *notified)
{
	vmm_obj *o = vmm_create((uint64_t)1 << s->bits, s->private);
	const struct bench_mixed *m = bench_mixed_of(s->bits, 100);
	uint64_t size;

	for (uint64_t n = s->mixed ? m->nr_blocks : 0; n--;) {
#ifdef VMM_FROM_THE_TOP
		const uint64_t i = n;
#else
		const uint64_t i = m->order[n];
#endif
		vmm_convert(o, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i],
			    true);
	}
	if (s->granule)
		vmm_listen(o, s->granule, s->split, notified);
	for (unsigned int i = 0; i < s->bindings; i++) {
		size = vmm_binding_size(s);
		vmm_bind(o, 2 * i * size, i * size, size);
	}
	return o;
}

static struct vmm_fix *vmm_get(enum vmm_fixture id)
{
	struct vmm_fix *f = &vmm_fixes[id];

	if (!f->obj) {
		f->obj = vmm_build(&vmm_setups[id], &f->notified);
		f->x = 1;
	}
	return f;
}

/* replay: registers a listener, which is measured, and unregisters it, which is not. */
static void vmm_row_replay(struct bench *bench, enum vmm_fixture id, uint64_t granule, bool split)
{
	struct vmm_fix *f = vmm_get(id);
	unsigned int listener;

	while (bench_more(bench, 1)) {
		struct bench_notified notified = {0, 0, 0};

		listener = vmm_listen(f->obj, granule, split, &notified);
		bench_pause(bench, true);
		bench_counter(bench, "runs", (double)notified.runs);
		vmm_unlisten(f->obj, listener);
		bench_pause(bench, false);
	}
}

/* class: the class of a 2M block anywhere. */
static void vmm_row_class(struct bench *bench, enum vmm_fixture id)
{
	const unsigned int bits = vmm_setups[id].bits;
	struct vmm_fix *f = vmm_get(id);
	vmm_obj *o = f->obj;
	uint64_t x = f->x, sum = 0;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i++) {
			x = bench_next(x);
			sum += vmm_class_2m(o, x >> (64 - bits));
		}
	}
	bench_use(sum);
	f->x = x;
}

/* range: the class of 512 pages that begin anywhere. */
static void vmm_row_range(struct bench *bench, enum vmm_fixture id)
{
	const unsigned int bits = vmm_setups[id].bits;
	const uint64_t starts = ((uint64_t)1 << bits) - BENCH_PAGES_2M;
	struct vmm_fix *f = vmm_get(id);
	vmm_obj *o = f->obj;
	uint64_t x = f->x, sum = 0;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i++) {
			x = bench_next(x);
			sum += vmm_class_range(o, bench_below(x, starts), BENCH_PAGES_2M);
		}
	}
	bench_use(sum);
	f->x = x;
}

/* flip: makes a page private and shared again, in the first 1G of a guest that is all shared. */
static void vmm_row_flip(struct bench *bench, enum vmm_fixture id)
{
	struct vmm_fix *f = vmm_get(id);
	vmm_obj *o = f->obj;
	uint64_t x = f->x;

	while (bench_more(bench, 64)) {
		for (int i = 0; i < 64; i += 2) {
			x = bench_next(x);
			vmm_convert(o, x >> (64 - GMS_ORDER_1G), 1, true);
			vmm_convert(o, x >> (64 - GMS_ORDER_1G), 1, false);
		}
	}
	f->x = x;
}

/* Returns a gfn anywhere in the bindings. */
static inline uint64_t vmm_next_gfn(uint64_t *x, unsigned int bindings, uint64_t size)
{
	uint64_t n;

	*x = bench_next(*x);
	n = bench_below(*x, bindings);
	*x = bench_next(*x);
	return 2 * n * size + bench_below(*x, size);
}

#define VMM_GFN_ROW(name, fn)                                                   \
	static void vmm_row_##name(struct bench *bench, enum vmm_fixture id)    \
	{                                                                       \
		const unsigned int bindings = vmm_setups[id].bindings;          \
		const uint64_t size = vmm_binding_size(&vmm_setups[id]);        \
		struct vmm_fix *f = vmm_get(id);                                \
		vmm_obj *o = f->obj;                                            \
		uint64_t x = f->x, sum = 0;                                     \
                                                                                \
		while (bench_more(bench, 64)) {                                 \
			for (int i = 0; i < 64; i++)                            \
				sum += fn(o, vmm_next_gfn(&x, bindings, size)); \
		}                                                               \
		bench_use(sum);                                                 \
		f->x = x;                                                       \
	}

VMM_GFN_ROW(index, vmm_gfn_index)
#ifdef VMM_ORDERS
VMM_GFN_ROW(order, vmm_gfn_order)
#endif

#ifdef VMM_SNAPSHOTS
#define VMM_ROOM ((size_t)64 << 20)

/*
 * Returns a buffer. A row saves into it once before it measures, so it does not pay for the first
 * touch of a page.
 */
static void *vmm_buffer(void)
{
	static void *buf;

	if (!buf)
		buf = bench_zalloc(VMM_ROOM, 64);
	return buf;
}

static void vmm_row_save(struct bench *bench, enum vmm_fixture id)
{
	vmm_obj *o = vmm_get(id)->obj;
	void *buf = vmm_buffer();
	size_t size = vmm_save(o, buf, VMM_ROOM);

	while (bench_more(bench, 1))
		bench_use(vmm_save(o, buf, VMM_ROOM));
	bench_counter(bench, "bytes", (double)size);
}

/* Destroying the loaded object is not measured. */
static void vmm_row_load(struct bench *bench, enum vmm_fixture id)
{
	void *buf = vmm_buffer();
	const size_t size = vmm_save(vmm_get(id)->obj, buf, VMM_ROOM);

	while (bench_more(bench, 1)) {
		vmm_obj *o = vmm_load(buf, size);

		bench_pause(bench, true);
		vmm_destroy(o);
		bench_pause(bench, false);
	}
}
#endif

#include "rows_table.h"
