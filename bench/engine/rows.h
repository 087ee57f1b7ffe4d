/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/rows.h - the rows about conversions, faults and pins; included once by each peer
 *
 * As ../rows.h, for those who have locks. Before that the peer defines, each as a function that
 * is not inlined, or as a macro that names a function of a library:
 *
 *	e_obj, e_fault				the types of its object and of a fault
 *	e_create(nr_pages, private, order, policy)	folios of that order; the policy's name
 *	e_destroy(obj)
 *	e_convert(obj, start, nr_pages, private)	all of these: 0 or an error
 *	e_allocate(obj, start, nr_pages)
 *	e_punch(obj, start, nr_pages)
 *	e_pin(obj, start, nr_pages)
 *	e_unpin(obj, start, nr_pages)
 *	e_fault_begin(obj, index, guest, &fault)
 *	e_fault_prepare(obj, &fault)		also where it is prepared
 *	e_fault_end(obj, &fault)
 *	e_fault_order(&fault)			how large a mapping may be
 *	e_test(obj, index)			is it private?
 *
 * and PEER_NAME, PEER_SYMBOL; if it can, E_POLICIES (it has policies), E_VERIFY.
 */
#include <stdlib.h>

#include "../cold.h"

/*
 * What happens where. Blocks of 1G; a shard is made of those that are equal modulo 16. Each
 * second thread is either in another shard (apart) or in the same one, but never in the same
 * block: threads that change the same cache lines of the guest's state are not the question.
 */
#define E_BLOCKS 64
#define E_AT(block) ((uint64_t)(block) << BENCH_ORDER_1G)
#define E_MINE E_AT(0)
#define E_APART E_AT(1)
#define E_SAME E_AT(16)
/* blocks that are shared, for the host's faults: mine, another shard's, the same shard's */
#define E_HOST E_AT(2)
#define E_HOST_APART E_AT(3)
#define E_HOST_SAME E_AT(18)
/* where a writer converts beside a fault: in the shard of E_MINE, E_APART and E_HOST */
#define E_WRITE_MINE E_AT(32)
#define E_WRITE_APART E_AT(33)
#define E_WRITE_HOST E_AT(34)

/* A writer's pages: the even ones of 64 MiB; the odd ones stay shared, so all stays mixed. */
#define E_POOL_BITS 14
#define E_POOL (1 << E_POOL_BITS)
/* pages of a block that are shared at any time */
#define E_OUTSTANDING 256
#define E_BATCH 64

enum e_fixture {
	E_BARE,
	E_HUGE,
	E_FLIP,
	E_OUT,
	E_FAULT,
	E_TOUCH_4K,
	E_TOUCH_2M,
	E_ALLOCATE_4K,
	E_ALLOCATE_2M,
	E_ALLOCATE_1G,
	E_LAZY,
	E_EAGER,
	E_NONUNIFORM,
	E_ADAPTIVE,
	E_FIXTURES
};

struct e_setup {
	bool private;
	unsigned int order;
	const char *policy;
	bool allocate, pools, prepare;
};

static const struct e_setup e_setups[E_FIXTURES] = {
	[E_BARE] = {true, 0, "lazy", false, true, false},
	[E_HUGE] = {true, BENCH_ORDER_1G, "lazy", true, true, false},
	[E_FLIP] = {true, 0, "lazy", false, false, false},
	[E_OUT] = {true, 0, "lazy", false, false, false},
	[E_FAULT] = {true, BENCH_ORDER_2M, "lazy", true, true, true},
	[E_TOUCH_4K] = {true, 0, "lazy", false, false, false},
	[E_TOUCH_2M] = {true, BENCH_ORDER_2M, "lazy", false, false, false},
	[E_ALLOCATE_4K] = {true, 0, "lazy", false, false, false},
	[E_ALLOCATE_2M] = {true, BENCH_ORDER_2M, "lazy", false, false, false},
	[E_ALLOCATE_1G] = {true, BENCH_ORDER_1G, "lazy", false, false, false},
	[E_LAZY] = {false, BENCH_ORDER_1G, "lazy", true, false, false},
	[E_EAGER] = {false, BENCH_ORDER_1G, "eager", true, false, false},
	[E_NONUNIFORM] = {false, BENCH_ORDER_1G, "eager-nonuniform", true, false, false},
	[E_ADAPTIVE] = {false, BENCH_ORDER_1G, "adaptive", true, false, false},
};

/*
 * Built when first used and kept, as the row goes on from where it was: see ../rows.h. Each block
 * has its own sequence of pages, which goes on whichever thread works there.
 */
struct e_fix {
	e_obj *obj;
	uint64_t x[E_BLOCKS], at;
	uint64_t warm; /* a bit for each block */
	bool set, burnt;
};

static struct e_fix e_fixes[E_FIXTURES];

static inline void e_must(int err)
{
	if (bench_unlikely(err))
		abort();
}

static inline unsigned int e_touch(e_obj *o, uint64_t index, bool guest)
{
	e_fault fault;
	unsigned int order;

	e_must(e_fault_begin(o, index, guest, &fault));
	e_must(e_fault_prepare(o, &fault));
	order = e_fault_order(&fault);
	e_fault_end(o, &fault);
	return order;
}

static void e_open_pool(e_obj *o, uint64_t base)
{
	for (uint64_t n = 0; n < E_POOL / 2; n++)
		e_must(e_convert(o, base + 2 * bench_nth(n, E_POOL_BITS - 1) + 1, 1, false));
}

static e_obj *e_build(enum e_fixture id)
{
	const struct e_setup *s = &e_setups[id];
	e_obj *o = e_create(E_AT(E_BLOCKS), s->private, s->order, s->policy);

	if (s->allocate)
		e_must(e_allocate(o, 0, E_AT(E_BLOCKS)));
	if (s->prepare) {
		/* guests fault blocks that are prepared, the host what is shared */
		for (uint64_t i = 0; i < BENCH_PAGES_1G; i += BENCH_PAGES_2M) {
			e_touch(o, E_MINE + i, true);
			e_touch(o, E_APART + i, true);
			e_touch(o, E_SAME + i, true);
		}
		e_must(e_convert(o, E_HOST, 2 * BENCH_PAGES_1G, false));
		e_must(e_convert(o, E_HOST_SAME, BENCH_PAGES_1G, false));
		e_open_pool(o, E_WRITE_HOST);
		e_open_pool(o, E_WRITE_APART);
		e_open_pool(o, E_WRITE_MINE);
	} else if (s->pools) {
		e_open_pool(o, E_MINE);
		e_open_pool(o, E_APART);
		e_open_pool(o, E_SAME);
	}
	return o;
}

static struct e_fix *e_get(enum e_fixture id)
{
	struct e_fix *f = &e_fixes[id];

	if (!f->obj) {
		f->obj = e_build(id);
		for (uint64_t i = 0; i < E_BLOCKS; i++)
			f->x[i] = i + 1;
		f->set = true;
	}
	return f;
}

/* ---- what a thread does: E_BATCH operations in the 1G block at base ---- */

typedef uint64_t (*e_batch)(e_obj *o, uint64_t base, uint64_t x);

/* one page of the pool shared, and private again: two operations */
static uint64_t e_do_convert(e_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < E_BATCH; i += 2) {
		x = bench_next(x);
		e_must(e_convert(o, base + (x >> 51) * 2, 1, false));
		e_must(e_convert(o, base + (x >> 51) * 2, 1, true));
	}
	return x;
}

/* the same anywhere in a block that is all private otherwise */
static uint64_t e_do_flip(e_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < E_BATCH; i += 2) {
		x = bench_next(x);
		e_must(e_convert(o, base + (x >> 46), 1, false));
		e_must(e_convert(o, base + (x >> 46), 1, true));
	}
	return x;
}

/* a page anywhere in a block taken back, when 256 others have been shared after it; one shared */
static uint64_t e_do_outstanding(e_obj *o, uint64_t base, uint64_t n)
{
	for (int i = 0; i < E_BATCH; i += 2, n++) {
		e_must(e_convert(o, base + bench_nth(n - E_OUTSTANDING, BENCH_ORDER_1G), 1, true));
		e_must(e_convert(o, base + bench_nth(n, BENCH_ORDER_1G), 1, false));
	}
	return n;
}

/* a fault of a page that is there, and prepared */
static inline uint64_t e_do_fault(e_obj *o, uint64_t base, uint64_t x, bool guest)
{
	e_fault fault;

	for (int i = 0; i < E_BATCH; i++) {
		x = bench_next(x);
		e_must(e_fault_begin(o, base + (x >> 46), guest, &fault));
		bench_use(e_fault_order(&fault));
		e_fault_end(o, &fault);
	}
	return x;
}

static uint64_t e_do_fault_guest(e_obj *o, uint64_t base, uint64_t x)
{
	return e_do_fault(o, base, x, true);
}

static uint64_t e_do_fault_host(e_obj *o, uint64_t base, uint64_t x)
{
	return e_do_fault(o, base, x, false);
}

/* one page pinned and unpinned: one operation */
static uint64_t e_do_pin(e_obj *o, uint64_t base, uint64_t x)
{
	for (int i = 0; i < E_BATCH; i++) {
		x = bench_next(x);
		e_must(e_pin(o, base + (x >> 46), 1));
		e_unpin(o, base + (x >> 46), 1);
	}
	return x;
}

/* ---- one thread, or two ---- */

/*
 * The first time in a block, enough batches that each of its parts was touched; later, one. None
 * of them is measured.
 */
static uint64_t *e_warm(struct e_fix *f, e_batch batch, uint64_t base)
{
	const uint64_t block = base >> BENCH_ORDER_1G;
	const int nr = f->warm >> block & 1 ? 1 : 256;
	uint64_t *x = &f->x[block];

	for (int i = 0; i < nr; i++)
		*x = batch(f->obj, base, *x);
	f->warm |= (uint64_t)1 << block;
	return x;
}

static void e_row_alone(struct bench *bench, enum e_fixture id, e_batch batch, uint64_t base)
{
	struct e_fix *f = e_get(id);
	uint64_t *at = e_warm(f, batch, base), x = *at;

	while (bench_more(bench, E_BATCH))
		x = batch(f->obj, base, x);
	*at = x;
}

struct e_other {
	e_obj *obj;
	e_batch batch;
	uint64_t base, *x;
};

static void e_other_batch(void *arg)
{
	struct e_other *other = arg;

	*other->x = other->batch(other->obj, other->base, *other->x);
}

/*
 * Counters: "first", what an operation costs the first thread; "both", what it costs the two
 * together, who work at the same time; "sleeps" of the first, for each 1000 operations.
 */
static void e_row_beside(struct bench *bench, enum e_fixture id, e_batch batch, uint64_t base,
			 e_batch other_batch, uint64_t other_base)
{
	struct e_fix *f = e_get(id);
	struct e_other other = {f->obj, other_batch, other_base,
				e_warm(f, other_batch, other_base)};
	uint64_t *at = e_warm(f, batch, base), x = *at;
	double done = 0, first, second;
	struct bench_spent from, to;

	bench_second_start(e_other_batch, &other);
	from = bench_spent_now();
	while (bench_more(bench, E_BATCH)) {
		x = batch(f->obj, base, x);
		done += E_BATCH;
	}
	to = bench_spent_now();
	first = bench_cost(from, to, done);
	second = bench_second_stop() / E_BATCH;
	bench_counter(bench, "first", first);
	bench_counter(bench, "both", 1 / (1 / first + 1 / second));
	bench_counter(bench, "sleeps", (to.sleeps - from.sleeps) / done * 1000);
	*at = x;
}

/* ---- with empty caches: see ../cold.h ---- */

/* one fault by the guest, begun and ended, as e_do_fault_guest() */
static inline unsigned int e_fault_once(e_obj *o, uint64_t index)
{
	unsigned int order;
	e_fault fault;

	e_must(e_fault_begin(o, index, true, &fault));
	order = e_fault_order(&fault);
	e_fault_end(o, &fault);
	return order;
}

static void e_row_cold_fault(struct bench *bench)
{
	struct e_fix *f = e_get(E_FAULT);
	uint64_t *x = e_warm(f, e_do_fault_guest, E_MINE);
	struct bench_cold cold;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		*x = bench_next(*x);
		BENCH_COLD(&cold, bench_use(e_fault_once(f->obj, E_MINE + (*x >> 46))));
	}
	bench_cold_report(bench, &cold);
}

/* as e_do_outstanding() */
static void e_row_cold_convert(struct bench *bench)
{
	struct e_fix *f = e_get(E_OUT);
	uint64_t *n = e_warm(f, e_do_outstanding, E_MINE), old, page;
	struct bench_cold cold;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		old = E_MINE + bench_nth(*n - E_OUTSTANDING, BENCH_ORDER_1G);
		page = E_MINE + bench_nth(*n, BENCH_ORDER_1G);
		BENCH_COLD(&cold, e_must(e_convert(f->obj, old, 1, true)));
		BENCH_COLD(&cold, e_must(e_convert(f->obj, page, 1, false)));
		++*n;
	}
	bench_cold_report(bench, &cold);
}

/* ---- rows that go through the guest ---- */

/*
 * touch: each folio is touched once, prepared and mapped, from the bottom to the top; then all is
 * punched out
 */
static void e_do_touch(struct e_fix *f, uint64_t step, uint64_t nr_pages)
{
	for (int i = 0; i < E_BATCH; i++, f->at += step)
		bench_use(e_touch(f->obj, f->at, true));
	if (f->at == nr_pages) {
		e_must(e_punch(f->obj, 0, nr_pages));
		f->at = 0;
	}
}

static void e_row_touch(struct bench *bench, enum e_fixture id, uint64_t nr_pages)
{
	const uint64_t step = (uint64_t)1 << e_setups[id].order;
	struct e_fix *f = e_get(id);

	/* once through all of it before anything is measured */
	for (; !f->burnt; f->burnt = !f->at)
		e_do_touch(f, step, nr_pages);
	while (bench_more(bench, E_BATCH))
		e_do_touch(f, step, nr_pages);
}

/* allocate: 1G, and punch it out: one operation */
static void e_row_allocate(struct bench *bench, enum e_fixture id)
{
	struct e_fix *f = e_get(id);

	while (bench_more(bench, 1)) {
		e_must(e_allocate(f->obj, f->at, BENCH_PAGES_1G));
		e_must(e_punch(f->obj, f->at, BENCH_PAGES_1G));
		f->at = (f->at + BENCH_PAGES_1G) % E_AT(E_BLOCKS);
	}
}

/* pin_1g: 1G pinned and unpinned: one operation */
static void e_row_pin_1g(struct bench *bench)
{
	struct e_fix *f = e_get(E_FAULT);

	while (bench_more(bench, 1)) {
		e_must(e_pin(f->obj, E_HOST, BENCH_PAGES_1G));
		e_unpin(f->obj, E_HOST, BENCH_PAGES_1G);
	}
}

/* accept: chunks of 4 MiB private from the bottom to the top; then all shared again likewise */
static void e_do_accept(struct e_fix *f)
{
	for (int i = 0; i < E_BATCH; i++, f->at += 1024)
		e_must(e_convert(f->obj, f->at, 1024, f->set));
	if (f->at == E_AT(E_BLOCKS)) {
		f->at = 0;
		f->set = !f->set;
	}
}

static void e_row_accept(struct bench *bench, enum e_fixture id)
{
	struct e_fix *f = e_get(id);

	/* once through all of it, both ways, before anything is measured */
	for (; !f->burnt; f->burnt = !f->at && f->set)
		e_do_accept(f);
	while (bench_more(bench, E_BATCH))
		e_do_accept(f);
}

#include "rows_table.h"
