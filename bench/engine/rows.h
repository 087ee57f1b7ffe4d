/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/rows.h - the rows about conversions, faults and pins. Each peer includes this file once.
 *
 * Before that, the peer defines these names. A function must not be inlined, unless all that it
 * does is call a library. Functions that can fail return 0 or an error.
 *
 *	PEER_NAME, PEER_SYMBOL		the name of the column, and of its struct bench_peer
 *	engine_obj, engine_fault	the types of an object and of a fault
 *	engine_create(nr_pages, private, order, policy)
 *					makes an object with folios of that order, and the policy
 *					of that name
 *	engine_destroy(obj)
 *	engine_convert(obj, start, nr_pages, private)
 *	engine_allocate(obj, start, nr_pages)
 *	engine_punch(obj, start, nr_pages)
 *	engine_pin(obj, start, nr_pages)
 *	engine_unpin(obj, start, nr_pages)
 *	engine_fault_begin(obj, index, guest, &fault)
 *	engine_fault_prepare(obj, &fault)
 *					does nothing if the fault is prepared
 *	engine_fault_end(obj, &fault)
 *	engine_fault_order(&fault)	returns the order of the largest mapping
 *	engine_test(obj, index)		returns true if the page is private
 *
 * A peer with policies also defines ENGINE_POLICIES. ENGINE_VERIFY may name a function that
 * verifies an object.
 */
#include <stdlib.h>

#include "../cold.h"

/*
 * The places of a guest: 1G blocks. Blocks whose numbers are equal modulo 16 share a shard. The
 * second thread works in another shard than the first (APART), or in another block of its shard
 * (SAME). It never works in the block of the first thread: these rows are not about threads that
 * change one cache line of the guest's state.
 */
#define ENGINE_BLOCKS 64
#define ENGINE_AT(block) ((uint64_t)(block) << GMS_ORDER_1G)
#define ENGINE_MINE ENGINE_AT(0)
#define ENGINE_APART ENGINE_AT(1)
#define ENGINE_SAME ENGINE_AT(16)
/* Blocks that are shared, for faults by the host. */
#define ENGINE_HOST ENGINE_AT(2)
#define ENGINE_HOST_APART ENGINE_AT(3)
#define ENGINE_HOST_SAME ENGINE_AT(18)
/* Blocks where a writer converts: in the shard of ENGINE_MINE, ENGINE_APART or ENGINE_HOST. */
#define ENGINE_WRITE_MINE ENGINE_AT(32)
#define ENGINE_WRITE_APART ENGINE_AT(33)
#define ENGINE_WRITE_HOST ENGINE_AT(34)

/* A writer converts the even pages of 64 MiB. The odd pages stay shared: all blocks stay mixed. */
#define ENGINE_POOL_BITS 14
#define ENGINE_POOL (1 << ENGINE_POOL_BITS)
/* The number of pages of a block that are shared at any time. */
#define ENGINE_OUTSTANDING 256
#define ENGINE_BATCH 64

enum engine_fixture {
	ENGINE_BARE,
	ENGINE_HUGE,
	ENGINE_FLIP,
	ENGINE_OUT,
	ENGINE_FAULT,
	ENGINE_TOUCH_4K,
	ENGINE_TOUCH_2M,
	ENGINE_ALLOCATE_4K,
	ENGINE_ALLOCATE_2M,
	ENGINE_ALLOCATE_1G,
	ENGINE_LAZY,
	ENGINE_EAGER,
	ENGINE_NONUNIFORM,
	ENGINE_ADAPTIVE,
	ENGINE_FIXTURES
};

struct engine_setup {
	bool private;
	unsigned int order;
	const char *policy;
	bool allocate, pools, prepare;
};

static const struct engine_setup engine_setups[ENGINE_FIXTURES] = {
	[ENGINE_BARE] = {true, 0, "lazy", false, true, false},
	[ENGINE_HUGE] = {true, GMS_ORDER_1G, "lazy", true, true, false},
	[ENGINE_FLIP] = {true, 0, "lazy", false, false, false},
	[ENGINE_OUT] = {true, 0, "lazy", false, false, false},
	[ENGINE_FAULT] = {true, GMS_ORDER_2M, "lazy", true, true, true},
	[ENGINE_TOUCH_4K] = {true, 0, "lazy", false, false, false},
	[ENGINE_TOUCH_2M] = {true, GMS_ORDER_2M, "lazy", false, false, false},
	[ENGINE_ALLOCATE_4K] = {true, 0, "lazy", false, false, false},
	[ENGINE_ALLOCATE_2M] = {true, GMS_ORDER_2M, "lazy", false, false, false},
	[ENGINE_ALLOCATE_1G] = {true, GMS_ORDER_1G, "lazy", false, false, false},
	[ENGINE_LAZY] = {false, GMS_ORDER_1G, "lazy", true, false, false},
	[ENGINE_EAGER] = {false, GMS_ORDER_1G, "eager", true, false, false},
	[ENGINE_NONUNIFORM] = {false, GMS_ORDER_1G, "eager-nonuniform", true, false, false},
	[ENGINE_ADAPTIVE] = {false, GMS_ORDER_1G, "adaptive", true, false, false},
};

/*
 * The object of a row. It is built when it is first used, and then kept: see ../rows.h. Each block
 * has its own sequence of pages, for any thread that works there.
 */
struct engine_fix {
	engine_obj *obj;
	uint64_t x[ENGINE_BLOCKS], at;
	uint64_t warm; /* a bit for each block */
	bool set, burnt;
};

static struct engine_fix engine_fixes[ENGINE_FIXTURES];

static inline void engine_must(int err)
{
	if (bench_unlikely(err))
		abort();
}

static inline unsigned int engine_touch(engine_obj *o, uint64_t index, bool guest)
{
	engine_fault fault;
	unsigned int order;

	engine_must(engine_fault_begin(o, index, guest, &fault));
	engine_must(engine_fault_prepare(o, &fault));
	order = engine_fault_order(&fault);
	engine_fault_end(o, &fault);
	return order;
}

static void engine_open_pool(engine_obj *o, uint64_t base)
{
	for (uint64_t n = 0; n < ENGINE_POOL / 2; n++)
		engine_must(engine_convert(o, base + 2 * bench_nth(n, ENGINE_POOL_BITS - 1) + 1, 1,
					   false));
}

static engine_obj *engine_build(enum engine_fixture id)
{
	const struct engine_setup *s = &engine_setups[id];
	engine_obj *o = engine_create(ENGINE_AT(ENGINE_BLOCKS), s->private, s->order, s->policy);

	if (s->allocate)
		engine_must(engine_allocate(o, 0, ENGINE_AT(ENGINE_BLOCKS)));
	if (s->prepare) {
		/* The guest faults blocks that are prepared, the host blocks that are shared. */
		for (uint64_t i = 0; i < BENCH_PAGES_1G; i += BENCH_PAGES_2M) {
			engine_touch(o, ENGINE_MINE + i, true);
			engine_touch(o, ENGINE_APART + i, true);
			engine_touch(o, ENGINE_SAME + i, true);
		}
		engine_must(engine_convert(o, ENGINE_HOST, 2 * BENCH_PAGES_1G, false));
		engine_must(engine_convert(o, ENGINE_HOST_SAME, BENCH_PAGES_1G, false));
		engine_open_pool(o, ENGINE_WRITE_HOST);
		engine_open_pool(o, ENGINE_WRITE_APART);
		engine_open_pool(o, ENGINE_WRITE_MINE);
	} else if (s->pools) {
		engine_open_pool(o, ENGINE_MINE);
		engine_open_pool(o, ENGINE_APART);
		engine_open_pool(o, ENGINE_SAME);
	}
	return o;
}

static struct engine_fix *engine_get(enum engine_fixture id)
{
	struct engine_fix *f = &engine_fixes[id];

	if (!f->obj) {
		f->obj = engine_build(id);
		for (uint64_t i = 0; i < ENGINE_BLOCKS; i++)
			f->x[i] = i + 1;
		f->set = true;
	}
	return f;
}

/* ---- batches: ENGINE_BATCH operations in the 1G block at base ---- */

typedef uint64_t (*engine_batch)(engine_obj *o, uint64_t base, uint64_t x);

/* Makes a page of the pool shared, and private again: two operations. */
static uint64_t engine_do_convert(engine_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < ENGINE_BATCH; i += 2) {
		x = bench_next(x);
		engine_must(engine_convert(o, base + (x >> 51) * 2, 1, false));
		engine_must(engine_convert(o, base + (x >> 51) * 2, 1, true));
	}
	return x;
}

/* Makes a page anywhere in a private block shared, and private again: two operations. */
static uint64_t engine_do_flip(engine_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < ENGINE_BATCH; i += 2) {
		x = bench_next(x);
		engine_must(engine_convert(o, base + (x >> 46), 1, false));
		engine_must(engine_convert(o, base + (x >> 46), 1, true));
	}
	return x;
}

/* Makes the oldest of 256 shared pages of a block private, and another page shared. */
static uint64_t engine_do_outstanding(engine_obj *o, uint64_t base, uint64_t n)
{
	for (int i = 0; i < ENGINE_BATCH; i += 2, n++) {
		engine_must(engine_convert(
			o, base + bench_nth(n - ENGINE_OUTSTANDING, GMS_ORDER_1G), 1, true));
		engine_must(engine_convert(o, base + bench_nth(n, GMS_ORDER_1G), 1, false));
	}
	return n;
}

/* Faults a page that is allocated and, for the guest, prepared. */
static inline uint64_t engine_do_fault(engine_obj *o, uint64_t base, uint64_t x, bool guest)
{
	engine_fault fault;

	for (int i = 0; i < ENGINE_BATCH; i++) {
		x = bench_next(x);
		engine_must(engine_fault_begin(o, base + (x >> 46), guest, &fault));
		bench_use(engine_fault_order(&fault));
		engine_fault_end(o, &fault);
	}
	return x;
}

static uint64_t engine_do_fault_guest(engine_obj *o, uint64_t base, uint64_t x)
{
	return engine_do_fault(o, base, x, true);
}

static uint64_t engine_do_fault_host(engine_obj *o, uint64_t base, uint64_t x)
{
	return engine_do_fault(o, base, x, false);
}

/* Pins and unpins a page: one operation. */
static uint64_t engine_do_pin(engine_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < ENGINE_BATCH; i++) {
		x = bench_next(x);
		engine_must(engine_pin(o, base + (x >> 46), 1));
		engine_unpin(o, base + (x >> 46), 1);
	}
	return x;
}

/* ---- one thread, or two ---- */

/*
 * Does batches that are not measured: one batch, or, in the first call for a block, enough batches
 * to touch each part of the block.
 */
static uint64_t *engine_warm(struct engine_fix *f, engine_batch batch, uint64_t base)
{
	const uint64_t block = base >> GMS_ORDER_1G;
	const int nr = f->warm >> block & 1 ? 1 : 256;
	uint64_t *x = &f->x[block];

	for (int i = 0; i < nr; i++)
		*x = batch(f->obj, base, *x);
	f->warm |= (uint64_t)1 << block;
	return x;
}

static void engine_row_alone(struct bench *bench, enum engine_fixture id, engine_batch batch,
			     uint64_t base)
{
	struct engine_fix *f = engine_get(id);
	uint64_t *at = engine_warm(f, batch, base), x = *at;

	while (bench_more(bench, ENGINE_BATCH))
		x = batch(f->obj, base, x);
	*at = x;
}

struct engine_other {
	engine_obj *obj;
	engine_batch batch;
	uint64_t base, *x;
};

static void engine_other_batch(void *arg)
{
	struct engine_other *other = arg;

	*other->x = other->batch(other->obj, other->base, *other->x);
}

/*
 * Adds counters. "first" is the cost of an operation for the first thread; "both" is its cost for
 * both threads together, which work at the same time; "sleeps" is how often the first thread slept
 * in 1000 operations.
 */
static void engine_row_beside(struct bench *bench, enum engine_fixture id, engine_batch batch,
			      uint64_t base, engine_batch other_batch, uint64_t other_base)
{
	struct engine_fix *f = engine_get(id);
	struct engine_other other = {f->obj, other_batch, other_base,
				     engine_warm(f, other_batch, other_base)};
	uint64_t *at = engine_warm(f, batch, base), x = *at;
	double done = 0, first, second;
	struct bench_spent from, to;

	bench_second_start(engine_other_batch, &other);
	from = bench_spent_now();
	while (bench_more(bench, ENGINE_BATCH)) {
		x = batch(f->obj, base, x);
		done += ENGINE_BATCH;
	}
	to = bench_spent_now();
	first = bench_cost(from, to, done);
	second = bench_second_stop() / ENGINE_BATCH;
	bench_counter(bench, "first", first);
	bench_counter(bench, "both", 1 / (1 / first + 1 / second));
	bench_counter(bench, "sleeps", (to.sleeps - from.sleeps) / done * 1000);
	*at = x;
}

/* ---- with empty caches: see ../cold.h ---- */

/* Begins and ends one fault by the guest, like engine_do_fault_guest(). */
static inline unsigned int engine_fault_once(engine_obj *o, uint64_t index)
{
	unsigned int order;
	engine_fault fault;

	engine_must(engine_fault_begin(o, index, true, &fault));
	order = engine_fault_order(&fault);
	engine_fault_end(o, &fault);
	return order;
}

static void engine_row_cold_fault(struct bench *bench)
{
	struct engine_fix *f = engine_get(ENGINE_FAULT);
	uint64_t *x = engine_warm(f, engine_do_fault_guest, ENGINE_MINE);
	struct bench_cold cold;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		*x = bench_next(*x);
		BENCH_COLD(&cold, bench_use(engine_fault_once(f->obj, ENGINE_MINE + (*x >> 46))));
	}
	bench_cold_report(bench, &cold);
}

/* Converts like engine_do_outstanding(), with empty caches. */
static void engine_row_cold_convert(struct bench *bench)
{
	struct engine_fix *f = engine_get(ENGINE_OUT);
	uint64_t *n = engine_warm(f, engine_do_outstanding, ENGINE_MINE), old, page;
	struct bench_cold cold;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		old = ENGINE_MINE + bench_nth(*n - ENGINE_OUTSTANDING, GMS_ORDER_1G);
		page = ENGINE_MINE + bench_nth(*n, GMS_ORDER_1G);
		BENCH_COLD(&cold, engine_must(engine_convert(f->obj, old, 1, true)));
		BENCH_COLD(&cold, engine_must(engine_convert(f->obj, page, 1, false)));
		++*n;
	}
	bench_cold_report(bench, &cold);
}

/* ---- rows that go through the guest ---- */

/*
 * touch: the guest faults and prepares each folio once, from the bottom to the top. Then all
 * folios are punched out.
 */
static void engine_do_touch(struct engine_fix *f, uint64_t step, uint64_t nr_pages)
{
	for (int i = 0; i < ENGINE_BATCH; i++, f->at += step)
		bench_use(engine_touch(f->obj, f->at, true));
	if (f->at == nr_pages) {
		engine_must(engine_punch(f->obj, 0, nr_pages));
		f->at = 0;
	}
}

static void engine_row_touch(struct bench *bench, enum engine_fixture id, uint64_t nr_pages)
{
	const uint64_t step = gms_order_pages(engine_setups[id].order);
	struct engine_fix *f = engine_get(id);

	/* The first round is not measured. */
	for (; !f->burnt; f->burnt = !f->at)
		engine_do_touch(f, step, nr_pages);
	while (bench_more(bench, ENGINE_BATCH))
		engine_do_touch(f, step, nr_pages);
}

/* allocate: allocates 1G and punches it out: one operation. */
static void engine_row_allocate(struct bench *bench, enum engine_fixture id)
{
	struct engine_fix *f = engine_get(id);

	while (bench_more(bench, 1)) {
		engine_must(engine_allocate(f->obj, f->at, BENCH_PAGES_1G));
		engine_must(engine_punch(f->obj, f->at, BENCH_PAGES_1G));
		f->at = (f->at + BENCH_PAGES_1G) % ENGINE_AT(ENGINE_BLOCKS);
	}
}

/* pin_1g: pins and unpins 1G: one operation. */
static void engine_row_pin_1g(struct bench *bench)
{
	struct engine_fix *f = engine_get(ENGINE_FAULT);

	while (bench_more(bench, 1)) {
		engine_must(engine_pin(f->obj, ENGINE_HOST, BENCH_PAGES_1G));
		engine_unpin(f->obj, ENGINE_HOST, BENCH_PAGES_1G);
	}
}

/* accept: chunks of 4 MiB become private, from the bottom to the top; then shared, likewise. */
static void engine_do_accept(struct engine_fix *f)
{
	for (int i = 0; i < ENGINE_BATCH; i++, f->at += 1024)
		engine_must(engine_convert(f->obj, f->at, 1024, f->set));
	if (f->at == ENGINE_AT(ENGINE_BLOCKS)) {
		f->at = 0;
		f->set = !f->set;
	}
}

static void engine_row_accept(struct bench *bench, enum engine_fixture id)
{
	struct engine_fix *f = engine_get(id);

	/* The first round, both ways, is not measured. */
	for (; !f->burnt; f->burnt = !f->at && f->set)
		engine_do_accept(f);
	while (bench_more(bench, ENGINE_BATCH))
		engine_do_accept(f);
}

#include "rows_table.h"
