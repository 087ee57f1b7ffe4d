// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins_steps.c - proves that commits and unpins in short steps may interleave
 *
 * Several walks make their steps in a random order. Each walk counts each of its pages once. A
 * surplus is a page that was not pinned at some time during the walk. The tests compare memory to
 * find how many leaves a step changes. gms_pins_ok() must hold after each step.
 */
#include "folio/pins.h"

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#ifdef __has_include
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_MAKE_MEM_DEFINED
#define VALGRIND_MAKE_MEM_DEFINED(ptr, size) ((void)(ptr), (void)(size))
#endif

#define PAGES GMS_PINS_PAGES
#define LEAF GMS_LINE_BITS
#define NR_LEAVES (PAGES / LEAF)
#define NR_WALKS 3

enum fate { PENDING, PENDING_WAS_0, COUNTED };

struct walk {
	struct gms_pins_walk walk;
	bool active, commits, begun;
	unsigned int lo, hi;
	unsigned char fate[PAGES]; /* enum fate */
};

struct fixture {
	struct talloc talloc;
	struct gms_spinlock lock;
	struct gms_pins *pins;
	uint32_t count[PAGES];
	struct walk walks[NR_WALKS];
	struct prng prng;
};

static struct fixture fixture; /* too large for the stack */

static struct fixture *setup(void)
{
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	talloc_init(&f->talloc);
	gms_spin_init(&f->lock, &f->lock, GMS_RANK_TREE, 0);
	prng_init(&f->prng, test_seed());
	return f;
}

static void teardown(struct fixture *f)
{
	gms_pins_fini(f->pins, &f->talloc.ops);
	assert_fine(talloc_check(&f->talloc));
	assert_int_equal(f->talloc.live_blocks, 0);
}

static void begin(struct fixture *f, struct walk *w, bool commits, unsigned int lo, unsigned int hi)
{
	w->active = true;
	w->commits = commits;
	w->begun = false;
	w->lo = lo;
	w->hi = hi;
	for (unsigned int i = lo; i < hi; i++)
		w->fate[i] = f->count[i] ? PENDING : PENDING_WAS_0;
	if (commits)
		assert_int_equal(gms_pins_reserve(&f->pins, &f->lock, &f->talloc.ops), 0);
	gms_pins_walk_init(&w->walk, lo, hi);
}

/* Checks that steps of a walk have not changed a page, or have counted it once. */
static void check_page(struct fixture *f, struct walk *w, unsigned int page)
{
	const uint32_t count = gms_pins_count(f->pins, page);

	if (count == f->count[page])
		return;
	if (page < w->lo || page >= w->hi || w->fate[page] == COUNTED ||
	    count != f->count[page] + (w->commits ? 1 : -1U))
		fail_msg("page %u of a %s of [%u, %u): %u pins became %u", page,
			 w->commits ? "commit" : "unpin", w->lo, w->hi, f->count[page], count);
	w->fate[page] = COUNTED;
	f->count[page] = count;
	for (unsigned int i = 0; !count && i < NR_WALKS; i++) {
		if (f->walks[i].active && f->walks[i].fate[page] == PENDING)
			f->walks[i].fate[page] = PENDING_WAS_0;
	}
}

static void check_end(const struct walk *w)
{
	uint64_t surplus = 0;

	for (unsigned int i = w->lo; i < w->hi; i++) {
		if (w->fate[i] == PENDING || (w->commits && w->fate[i] != COUNTED))
			fail_msg("page %u of a %s of [%u, %u) was left out", i,
				 w->commits ? "commit" : "unpin", w->lo, w->hi);
		surplus += w->fate[i] != COUNTED;
	}
	assert_int_equal(w->walk.surplus, surplus);
}

/* Checks gms_pins_ok(). I3 does not hold for the reservations of commits between two steps. */
static void check_sound(struct fixture *f)
{
	uint32_t under_way = 0;
	bool ok;

	for (unsigned int i = 0; i < NR_WALKS; i++)
		under_way += f->walks[i].active && f->walks[i].commits && f->walks[i].begun;
	assert_true(f->pins->reserved >= under_way);
	f->pins->reserved -= under_way;
	ok = gms_pins_ok(f->pins);
	f->pins->reserved += under_way;
	assert_true(ok);
}

static void check_first(const struct fixture *f)
{
	unsigned int first = 0, page = ~0u;

	while (first < PAGES && !f->count[first])
		first++;
	assert_int_equal(gms_pins_any(f->pins, 0, PAGES), first < PAGES);
	assert_int_equal(gms_pins_first(f->pins, 0, PAGES, &page), first < PAGES);
	assert_int_equal(page, first < PAGES ? first : ~0u);
}

static void advance(struct fixture *f, struct walk *w)
{
	const uint32_t reserved = f->pins->reserved;
	bool more;

	talloc_trap(&f->talloc, TALLOC_TRAP_BOTH);
	more = (w->commits ? gms_pins_commit : gms_pins_unpin)(f->pins, &w->walk);
	talloc_trap(&f->talloc, 0);
	w->begun = true;
	/* the reservation stays until all pages of the commit are pinned, and prevents splits */
	assert_int_equal(f->pins->reserved, reserved - (w->commits && !more));
	w->active = more;
	check_sound(f);
}

/* Checks all pages after some steps of one walk. */
static void check(struct fixture *f, struct walk *w)
{
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(f, w, i);
	if (!w->active)
		check_end(w);
	check_first(f);
}

static void step(struct fixture *f, struct walk *w)
{
	advance(f, w);
	check(f, w);
}

static void run(struct fixture *f, bool commits, unsigned int lo, unsigned int hi)
{
	begin(f, &f->walks[0], commits, lo, hi);
	while (f->walks[0].active)
		advance(f, &f->walks[0]);
	check(f, &f->walks[0]);
}

/* Begins a walk over a page, a leaf, a range, or the whole block, which has the most steps. */
static void begin_random(struct fixture *f, struct walk *w, bool commits)
{
	const uint64_t kind = prng_below(&f->prng, 8);
	unsigned int lo = (unsigned int)prng_below(&f->prng, PAGES), hi = lo + 1;

	if (kind < 2) {
		lo = 0;
		hi = PAGES;
	} else if (kind < 5) {
		lo = lo / LEAF * LEAF;
		hi = lo + LEAF;
	} else if (kind < 7) {
		hi = lo + 1 + (unsigned int)prng_below(&f->prng, PAGES - lo);
	}
	begin(f, w, commits, lo, hi);
}

static void test_walks_may_interleave(void **state)
{
	struct fixture *f = setup();
	const uint64_t steps = test_iters(PAGES > 16 ? 200 : 200000);

	(void)state;
	begin(f, &f->walks[0], true, 1, 2);
	step(f, &f->walks[0]);
	for (uint64_t i = 0; i < steps; i++) {
		struct walk *w = &f->walks[prng_below(&f->prng, NR_WALKS)];
		const uint64_t half = PAGES > 16 ? 50 : 20;

		/* mostly commits, and then mostly unpins, so that leaves become clean again */
		if (!w->active)
			begin_random(f, w, prng_chance(&f->prng, i / half % 2 ? 20 : 60));
		step(f, w);
	}
	for (unsigned int i = 0; i < NR_WALKS; i++) {
		while (f->walks[i].active)
			step(f, &f->walks[i]);
	}
	assert_int_equal(f->pins->reserved, 0);
	while (gms_pins_any(f->pins, 0, PAGES))
		run(f, false, 0, PAGES);
	assert_int_equal(f->pins->nr_dirty, 0);
	teardown(f);
}

/* ---- the length of a step ---- */

/* Pins the whole block @depth times, and one page in each of the first @nr_dirty leaves. */
static void make_dirty(struct fixture *f, unsigned int nr_dirty, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++)
		run(f, true, 0, PAGES);
	for (unsigned int i = 0; i < nr_dirty; i++) {
		struct gms_pins_walk walk;
		const unsigned int page = i * LEAF + i % LEAF;

		assert_int_equal(gms_pins_reserve(&f->pins, &f->lock, &f->talloc.ops), 0);
		gms_pins_walk_init(&walk, page, page + 1);
		assert_false(gms_pins_commit(f->pins, &walk));
		f->count[page]++;
	}
	check_sound(f);
}

/* A copy of the memory of the leaves. */
struct memory {
	unsigned int nr_planes;
	struct gms_line *lines; /* pinned, then the planes */
};

/* Copies memory that was never written, too. Valgrind has to accept that. */
static void memory_take(struct memory *m, const struct gms_pins *pins)
{
	VALGRIND_MAKE_MEM_DEFINED(pins->pinned, sizeof(pins->pinned));
	for (unsigned int p = 0; p < pins->nr_planes; p++)
		VALGRIND_MAKE_MEM_DEFINED(pins->plane[p], sizeof(pins->pinned));
	m->nr_planes = pins->nr_planes;
	m->lines = malloc((1 + pins->nr_planes) * sizeof(pins->pinned));
	assert_non_null(m->lines);
	memcpy(m->lines, pins->pinned, sizeof(pins->pinned));
	for (unsigned int p = 0; p < m->nr_planes; p++)
		memcpy(m->lines + (1 + p) * NR_LEAVES, pins->plane[p], sizeof(pins->pinned));
}

/* Returns how many leaves differ from the copy. */
static unsigned int memory_differs(const struct memory *m, const struct gms_pins *pins)
{
	unsigned int nr = 0;

	assert_int_equal(m->nr_planes, pins->nr_planes);
	for (unsigned int leaf = 0; leaf < NR_LEAVES; leaf++) {
		bool differs = memcmp(&m->lines[leaf], &pins->pinned[leaf], sizeof(m->lines[0]));

		for (unsigned int p = 0; p < m->nr_planes; p++)
			differs |= !!memcmp(&m->lines[(1 + p) * NR_LEAVES + leaf],
					    &pins->plane[p][leaf], sizeof(m->lines[0]));
		nr += differs;
	}
	return nr;
}

/* Runs a walk. Returns how many leaves it has changed, and sets *steps. */
static unsigned int changed(struct fixture *f, bool commits, unsigned int lo, unsigned int hi,
			    unsigned int *steps)
{
	unsigned int all = 0;

	*steps = 0;
	begin(f, &f->walks[0], commits, lo, hi);
	while (f->walks[0].active) {
		struct memory before;
		unsigned int nr;

		memory_take(&before, f->pins);
		advance(f, &f->walks[0]);
		nr = memory_differs(&before, f->pins);
		free(before.lines);
		assert_true(nr <= GMS_PINS_STEP);
		all += nr;
		++*steps;
	}
	check(f, &f->walks[0]);
	return all;
}

static unsigned int steps_of(unsigned int nr_leaves)
{
	return nr_leaves <= GMS_PINS_STEP ? 1 : (nr_leaves + GMS_PINS_STEP - 1) / GMS_PINS_STEP;
}

/* A step changes few leaves, also if many are dirty. A walk takes no more steps than needed. */
static void test_a_step_is_short(void **state)
{
	const unsigned int dirty[] = {0,        1, GMS_PINS_STEP, GMS_PINS_STEP + 1, NR_LEAVES - 1,
				      NR_LEAVES};
	unsigned int steps;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(dirty); i++) {
		struct fixture *f = setup();

		make_dirty(f, dirty[i], 2);
		assert_int_equal(f->pins->nr_dirty, dirty[i]);
		assert_int_equal(changed(f, true, 0, PAGES, &steps), dirty[i]);
		assert_int_equal(steps, steps_of(dirty[i]));
		assert_int_equal(changed(f, false, 0, PAGES, &steps), dirty[i]);
		assert_int_equal(steps, steps_of(dirty[i]));
		assert_int_equal(f->pins->nr_dirty, dirty[i]);
		/* a walk over almost all pages changes each leaf, also the clean ones */
		assert_int_equal(changed(f, true, 1, PAGES, &steps), NR_LEAVES);
		assert_int_equal(steps, steps_of(NR_LEAVES));
		assert_int_equal(changed(f, false, 1, PAGES, &steps), NR_LEAVES);
		assert_int_equal(steps, steps_of(NR_LEAVES));
		for (unsigned int k = 0; k < 3; k++)
			run(f, false, 0, PAGES);
		assert_false(gms_pins_any(f->pins, 0, PAGES));
		assert_int_equal(f->pins->nr_dirty, 0);
		teardown(f);
	}
}

/* A plane is added to a block with many dirty leaves. It is allocated without the lock. */
static void test_a_plane_may_be_added_to_dirty_leaves(void **state)
{
	struct fixture *f = setup();

	(void)state;
	make_dirty(f, NR_LEAVES - 1, 0);
	for (unsigned int i = 0; i < 5; i++) {
		const unsigned int nr_planes = f->pins->nr_planes;

		while (f->pins->nr_planes == nr_planes)
			run(f, true, 0, PAGES);
	}
	while (gms_pins_any(f->pins, 0, PAGES))
		run(f, false, 0, PAGES);
	teardown(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_is_short),
		cmocka_unit_test(test_a_plane_may_be_added_to_dirty_leaves),
		cmocka_unit_test(test_walks_may_interleave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
