// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tree.c - records and judges the calls of a range tree
 *
 * Answers are recorded in the order in which they return, stores in the order in which they begin.
 * The checker runs threads in an order that respects happens-before. So an answer that comes
 * before another is recorded before it, and stores to one 1G block are recorded in the order in
 * which they were made.
 *
 * Judging. A page or block has versions: its value at first, and its value after each store that
 * touches it. An answer gets the oldest version that has its value, and that is neither older than
 * a store before the answer nor older than the version of an answer before it. A newer version
 * would only be harder to reconcile with this answer and with later answers. An answer is wrong if
 * there is no such version, or if the store that made the version began after the answer.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "tree.h"
#include "tree/rtree_node.h"
#include "tree/tree.h"

#define TREE_PAGES 64u /* of interest: a bit each */
#define TREE_CALLS 128u

struct tree_store_call {
	struct weak_time begin, end;
	bool ended;
	uint64_t touched; /* pages, as bits */
	uint64_t after; /* the value of each touched page after the store */
};

/* An answer is an enum gms_rtree_fill, or this: the block is GMS_RTREE_NONE or GMS_RTREE_ALL. */
#define TREE_UNIFORM 3u

struct tree_answer {
	struct weak_time begin, end;
	uint64_t pages; /* the pages of the block that the answer is about */
	unsigned int fill;
	unsigned int version; /* which tree_judge() finds */
};

/* Two pages, read under an even sequence number. */
struct tree_joint {
	gms_pgoff_t page[2];
	bool set[2];
	uint64_t seq;
};

static struct gms_rtree *tree;
static struct gms_rtree_spare spare;
static uint64_t initial;
static uint64_t seq;
static unsigned int nr_stores_at[TREE_CALLS]; /* stores before each even sequence number */
static struct tree_joint joint[TREE_CALLS];
static unsigned int nr_joints;
static struct tree_store_call store[TREE_CALLS];
static struct tree_answer answer[TREE_CALLS];
static unsigned int nr_stores, nr_answers;

gms_pgoff_t tree_page(unsigned int i)
{
#if GMS_RTREE_SHIFT == 2
	return i;
#else
	/* Both sides of the ends of words, leaves and leaf pages. */
	static const gms_pgoff_t page[] = {0,   1,   63,  64,   127,  128,   511,   512,
					   513, 575, 576, 1023, 1024, 32767, 32768, 262143};

	return page[i % 16] + i / 16 * TREE_BLOCK;
#endif
}

/* Returns the pages of interest in a range. */
static uint64_t tree_pages_of(gms_pgoff_t start, uint64_t nr_pages)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < TREE_PAGES; i++)
		if (tree_page(i) >= start && tree_page(i) - start < nr_pages)
			pages |= 1ULL << i;
	return pages;
}

/* ---- calls ---- */

void tree_before(gms_pgoff_t start, uint64_t nr_pages, bool set)
{
	const uint64_t pages = tree_pages_of(start, nr_pages);

	if (set ? gms_rtree_set(tree, start, nr_pages) : gms_rtree_clear(tree, start, nr_pages))
		weak_fail("no memory");
	initial = set ? initial | pages : initial & ~pages;
}

void tree_create(unsigned int nr_blocks)
{
	nr_stores = nr_answers = nr_joints = 0;
	initial = 0;
	seq = 0;
	nr_stores_at[0] = 0;
	memset(&spare, 0, sizeof(spare));
	if (gms_rtree_create((uint64_t)nr_blocks * TREE_BLOCK, GMS_RTREE_NONE, &weak_allocator,
			     &tree))
		weak_fail("no tree");
}

void tree_prepare(gms_pgoff_t start, uint64_t nr_pages)
{
	if (gms_rtree_prepare(tree, start, nr_pages, NULL))
		weak_fail("no memory");
}

static struct tree_store_call *tree_store_begin(gms_pgoff_t start, uint64_t nr_pages)
{
	struct tree_store_call *s = &store[nr_stores];

	if (nr_stores == TREE_CALLS)
		weak_fail("the checker has no room for more stores");
	nr_stores++;
	weak_now(&s->begin);
	s->ended = false;
	s->touched = tree_pages_of(start, nr_pages);
	return s;
}

static void tree_store_end(struct tree_store_call *s)
{
	weak_now(&s->end);
	s->ended = true;
}

/* Returns the set after the first @stores stores. */
static uint64_t tree_set_after(unsigned int stores)
{
	uint64_t set = initial;

	for (unsigned int i = 0; i < stores; i++)
		set = (set & ~store[i].touched) | store[i].after;
	return set;
}

/* Returns the values that the pages of @s had before it. */
static uint64_t tree_before_store(const struct tree_store_call *s)
{
	return tree_set_after((unsigned int)(s - store)) & s->touched;
}

void tree_commit(gms_pgoff_t start, uint64_t nr_pages, bool set)
{
	struct tree_store_call *s = tree_store_begin(start, nr_pages);

	s->after = set ? s->touched : 0;
	gms_rtree_commit(tree, start, nr_pages, set, NULL);
	tree_store_end(s);
}

void tree_store(gms_pgoff_t start, uint64_t nr_pages, bool set)
{
	tree_prepare(start, nr_pages);
	tree_commit(start, nr_pages, set);
}

void tree_store_if_prepared(gms_pgoff_t start, uint64_t nr_pages, bool set)
{
	if (gms_rtree_is_prepared(tree, start, nr_pages))
		tree_commit(start, nr_pages, set);
}

void tree_spare(gms_pgoff_t start, uint64_t nr_pages)
{
	if (gms_rtree_spare_fill(tree, start, nr_pages, &spare))
		weak_fail("no memory");
	gms_rtree_spare_spend(tree, start, nr_pages, &spare);
}

/* The revert is recorded as a store, too. */
void tree_store_and_revert(gms_pgoff_t start, uint64_t nr_pages, bool set)
{
	struct gms_rtree_reserve reserve;
	struct tree_store_call *s;

	if (gms_rtree_prepare(tree, start, nr_pages, &reserve))
		weak_fail("no memory");
	s = tree_store_begin(start, nr_pages);
	s->after = set ? s->touched : 0;
	gms_rtree_commit(tree, start, nr_pages, set, &reserve);
	tree_store_end(s);
	s = tree_store_begin(start, nr_pages);
	s->after = tree_before_store(s - 1);
	gms_rtree_revert(tree, &reserve);
	tree_store_end(s);
}

static void tree_note_answer(const struct weak_time *begin, uint64_t pages, unsigned int fill)
{
	struct tree_answer *a = &answer[nr_answers];

	weak_check(pages, "a query of no page of interest");
	if (nr_answers == TREE_CALLS)
		weak_fail("the checker has no room for more answers");
	nr_answers++;
	a->begin = *begin;
	weak_now(&a->end);
	a->pages = pages;
	a->fill = fill;
}

bool tree_test(gms_pgoff_t index)
{
	struct weak_time begin;
	bool set;

	weak_now(&begin);
	set = gms_rtree_test(tree, index);
	tree_note_answer(&begin, tree_pages_of(index, 1), set ? GMS_RTREE_ALL : GMS_RTREE_NONE);
	return set;
}

static uint64_t tree_block_of(gms_pgoff_t index, unsigned int order)
{
	weak_check(GMS_RTREE_SHIFT == 2, "summaries are not modelled for this fan-out");
	return tree_pages_of(index >> order << order, 1ULL << order);
}

enum gms_rtree_fill tree_fill(gms_pgoff_t index, unsigned int order)
{
	struct weak_time begin;
	enum gms_rtree_fill fill;

	weak_now(&begin);
	fill = gms_rtree_fill(tree, index, order);
	tree_note_answer(&begin, tree_block_of(index, order), fill);
	return fill;
}

void tree_look(gms_pgoff_t index)
{
	struct weak_time begin;
	struct gms_rtree_look look;

	weak_now(&begin);
	look = gms_rtree_look(tree, index);
	tree_note_answer(&begin, tree_pages_of(index, 1), look.set);
	tree_note_answer(&begin, tree_block_of(index, TREE_2M), look.fill_2m);
	tree_note_answer(&begin, tree_block_of(index, TREE_1G), look.fill_1g);
}

void tree_uniform_order(gms_pgoff_t index)
{
	struct weak_time begin;
	unsigned int order;

	weak_now(&begin);
	order = gms_rtree_uniform_order(tree, index);
	tree_note_answer(&begin, tree_block_of(index, TREE_2M),
			 order ? TREE_UNIFORM : GMS_RTREE_MIXED);
	tree_note_answer(&begin, tree_block_of(index, TREE_1G),
			 order == TREE_1G ? TREE_UNIFORM : GMS_RTREE_MIXED);
}

void tree_mixed_mask(void)
{
	struct weak_time begin;
	uint64_t mask;

	weak_now(&begin);
	mask = gms_rtree_fill_mask(tree, 0, GMS_RTREE_MIXED);
	for (gms_pgoff_t at = 0; at < tree->nr_pages; at += TREE_LEAF, mask >>= 1)
		tree_note_answer(&begin, tree_block_of(at, TREE_2M),
				 mask & 1 ? GMS_RTREE_MIXED : TREE_UNIFORM);
}

static void tree_note_run(const struct weak_time *begin, const struct gms_rtree_run *run)
{
	for (uint64_t pages = tree_pages_of(run->start, run->nr_pages); pages; pages &= pages - 1)
		tree_note_answer(begin, pages & -pages, run->set);
}

void tree_next(gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	for (; start < end; start += run.nr_pages) {
		struct weak_time begin;

		weak_now(&begin);
		if (!gms_rtree_next(tree, start, end, &run))
			weak_fail("a run is missing");
		tree_note_run(&begin, &run);
	}
}

void tree_cursor(gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_cursor cursor;

	gms_rtree_cursor_init(&cursor, tree, start, end);
	for (;;) {
		struct weak_time begin;
		struct gms_rtree_run run;

		weak_now(&begin);
		if (!gms_rtree_cursor_next(&cursor, &run))
			return;
		weak_check(run.start == start, "a run does not begin where the last one ended");
		start += run.nr_pages;
		tree_note_run(&begin, &run);
	}
}

void tree_count(gms_pgoff_t index)
{
	struct weak_time begin;
	uint64_t count;

	weak_now(&begin);
	count = gms_rtree_count(tree, index & ~1ULL, 2) - !!(initial & tree_pages_of(index ^ 1, 1));
	weak_check(count <= 1, "thread %u: a count of one page is %d", begin.thread, (int)count);
	tree_note_answer(&begin, tree_pages_of(index, 1), (unsigned int)count);
}

/* ---- R5 ---- */

void tree_seq_begin(void)
{
	weak_set(&seq, weak_get(&seq, WEAK_RELAXED) + 1, WEAK_RELAXED);
	weak_fence(WEAK_RELEASE, NULL);
}

void tree_seq_end(void)
{
	const uint64_t next = weak_get(&seq, WEAK_RELAXED) + 1;

	weak_check(next / 2 < TREE_CALLS, "the checker has no room for more sequence numbers");
	nr_stores_at[next / 2] = nr_stores;
	weak_set(&seq, next, WEAK_RELEASE);
}

void tree_seq_read(gms_pgoff_t a, gms_pgoff_t b)
{
	struct tree_joint *j = &joint[nr_joints];

	j->seq = weak_get(&seq, WEAK_ACQUIRE);
	j->page[0] = a;
	j->page[1] = b;
	j->set[0] = gms_rtree_test(tree, a);
	j->set[1] = gms_rtree_test(tree, b);
	weak_fence(WEAK_ACQUIRE, NULL);
	if (j->seq & 1 || weak_get(&seq, WEAK_RELAXED) != j->seq)
		return;
	weak_check(++nr_joints < TREE_CALLS, "the checker has no room for more answers");
}

static void tree_judge_joint(const struct tree_joint *j)
{
	const uint64_t set = tree_set_after(nr_stores_at[j->seq / 2]);

	for (unsigned int i = 0; i < 2; i++)
		if (j->set[i] != !!(set & tree_pages_of(j->page[i], 1)))
			weak_fail("R5: page %u had another value under sequence number %u",
				  (unsigned int)j->page[i], (unsigned int)j->seq);
}

/* ---- judging ---- */

static enum gms_rtree_fill tree_fill_of(uint64_t set, uint64_t pages)
{
	if (!(set & pages))
		return GMS_RTREE_NONE;
	return (set & pages) == pages ? GMS_RTREE_ALL : GMS_RTREE_MIXED;
}

static bool tree_is_true(const struct tree_answer *a, uint64_t set)
{
	const enum gms_rtree_fill fill = tree_fill_of(set, a->pages);

	return a->fill == TREE_UNIFORM ? fill != GMS_RTREE_MIXED : a->fill == fill;
}

static void tree_judge(struct tree_answer *a)
{
	uint64_t set = initial;
	unsigned int version = 0, oldest = 0;

	for (unsigned int i = 0; i < nr_stores; i++)
		if (store[i].touched & a->pages && weak_happens_before(&store[i].end, &a->begin))
			oldest = i + 1;
	for (const struct tree_answer *b = answer; b < a; b++)
		if (b->pages == a->pages && b->version > oldest &&
		    weak_happens_before(&b->end, &a->begin))
			oldest = b->version;
	for (; version < oldest; version++)
		set = (set & ~store[version].touched) | store[version].after;
	while (!tree_is_true(a, set)) {
		if (version == nr_stores)
			weak_fail("thread %u: answer %u about pages %#llx is older than a store or "
				  "an answer before it, or never was true",
				  a->begin.thread, a->fill, (unsigned long long)a->pages);
		set = (set & ~store[version].touched) | store[version].after;
		version++;
	}
	for (unsigned int i = 0; i < version; i++)
		if (store[i].touched & a->pages && weak_happens_before(&a->end, &store[i].begin))
			weak_fail("thread %u: an answer about pages %#llx is newer than the call",
				  a->begin.thread, (unsigned long long)a->pages);
	a->version = version;
}

static void tree_judge_final(void)
{
	const uint64_t set = tree_set_after(nr_stores);

	for (unsigned int i = 0; i < TREE_PAGES && tree_page(i) < tree->nr_pages; i++)
		if (gms_rtree_test(tree, tree_page(i)) != (set >> i & 1))
			weak_fail("page %u is wrong after the end", (unsigned int)tree_page(i));
}

void tree_end(void)
{
	const char *reason = "";

	for (unsigned int i = 0; i < nr_answers; i++)
		tree_judge(&answer[i]);
	for (unsigned int i = 0; i < nr_joints; i++)
		tree_judge_joint(&joint[i]);
	tree_judge_final();
	if (!gms_rtree_verify(tree, &reason))
		weak_fail("after the end: %s", reason);
	gms_rtree_spare_free(tree, &spare);
	gms_rtree_destroy(tree);
	tree = NULL;
}

/* ---- names ---- */

static const char *tree_name_in_group(const struct gms_group *group, unsigned int block,
				      unsigned int g, const void *p, char *name, size_t size)
{
	const struct gms_leaf_page *page = group->page;

	if (p >= (const void *)group->state && p < (const void *)&group->page) {
		snprintf(name, size, "states of 1G %u, word %u", block, g);
		return name;
	}
	if (p == (const void *)&group->page) {
		snprintf(name, size, "page of 1G %u, group %u", block, g);
		return name;
	}
	if (page && p >= (const void *)page && p < (const void *)(page + 1)) {
		snprintf(name, size, "leaf of 1G %u, 2M %u", block,
			 (unsigned int)((const struct gms_line *)p - page->leaf) +
				 g * GMS_GROUP_BLOCKS);
		return name;
	}
	return NULL;
}

const char *tree_describe(const void *p)
{
	static char name[64];

	for (unsigned int b = 0; tree && b < tree->nr_blocks; b++) {
		const struct gms_top *top = &tree->top[b >> GMS_TOP_SHIFT];
		struct gms_chunk *chunk = top->chunk;

		if (p == gms_kind_at(tree, b)) {
			snprintf(name, sizeof(name), "kind of 1G %u", b);
			return name;
		}
		if (p == (const void *)&top->chunk) {
			snprintf(name, sizeof(name), "chunk of 1G %u", b);
			return name;
		}
		for (unsigned int g = 0; chunk && g < GMS_NODE_GROUPS; g++)
			if (tree_name_in_group(
				    &chunk->group[b % GMS_TOP_BLOCKS * GMS_NODE_GROUPS + g], b, g,
				    p, name, sizeof(name)))
				return name;
	}
	return NULL;
}
