// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * folio.c - folios: see folio.h
 *
 * Each step first calls the backend, which may refuse, and then records what was done. Recording
 * needs no memory, because sets are prepared before the folio lock is taken. So nothing allocates
 * under a folio lock or a tree lock.
 */
#include "folio.h"

#include "trace.h"

/* ---- creating and destroying ---- */

/* Splits the last 1G and the last 2M block if they are incomplete. */
static int folio_split_tail(struct gms_folios *f)
{
	struct gms_block *b;

	if (gms_order_is_start(f->nr_pages, f->order))
		return 0;
	if (gms_folios_make_block(f, f->nr_pages - 1))
		return -ENOMEM;
	b = gms_folios_block(f, f->nr_pages - 1);
	b->split_1g = f->order == GMS_ORDER_1G;
	if (!gms_order_is_start(f->nr_pages, GMS_ORDER_2M))
		gms_line_put(&b->split_2m, gms_block_2m(f->nr_pages - 1), true);
	return 0;
}

static int folio_init_locks(struct gms_folios *f)
{
	unsigned int i;

	for (i = 0; i < GMS_NR_SHARDS; i++)
		gms_spin_init(&f->tree[i].lock, f, GMS_RANK_TREE, i);
	for (i = 0; i < GMS_NR_FOLIO_LOCKS; i++)
		if (gms_mutex_init(&f->lock[i], f, GMS_RANK_FOLIO, i))
			break;
	if (i == GMS_NR_FOLIO_LOCKS)
		return 0;
	while (i--)
		gms_mutex_fini(&f->lock[i]);
	return -ENOMEM;
}

int gms_folios_init(struct gms_folios *f, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, struct gms_backend *backend,
		    struct gms_counters *counters)
{
	int err;

	f->nr_pages = nr_pages;
	f->order = order;
	f->backend = backend;
	f->counters = counters;
	f->allocated = NULL;
	f->prepared = NULL;
	f->mapped = NULL;
	err = gms_blocks_init(&f->blocks, nr_pages, order, a, f);
	if (err)
		return err;
	err = folio_init_locks(f);
	if (err)
		goto no_locks;
	err = gms_rtree_create(nr_pages, GMS_RTREE_NONE, a, &f->allocated);
	if (!err)
		err = gms_rtree_create(nr_pages, GMS_RTREE_NONE, a, &f->prepared);
	if (!err)
		err = gms_rtree_create(nr_pages, GMS_RTREE_NONE, a, &f->mapped);
	if (!err)
		err = folio_split_tail(f);
	if (err)
		gms_folios_fini(f);
	return err;
no_locks:
	gms_blocks_fini(&f->blocks);
	return err;
}

void gms_folios_fini(struct gms_folios *f)
{
	gms_rtree_destroy(f->mapped);
	gms_rtree_destroy(f->prepared);
	gms_rtree_destroy(f->allocated);
	for (unsigned int i = 0; i < GMS_NR_FOLIO_LOCKS; i++)
		gms_mutex_fini(&f->lock[i]);
	gms_blocks_fini(&f->blocks);
}

/* ---- locks ---- */

static void folio_tree_lock(struct gms_folios *f, gms_pgoff_t index)
	GMS_ACQUIRE(gms_tree_locks) GMS_NO_TSA GMS_SPIN_ACQUIRES
{
	gms_spin_lock(&f->tree[gms_shard_of(index)].lock);
}

static void folio_tree_unlock(struct gms_folios *f, gms_pgoff_t index)
	GMS_RELEASE(gms_tree_locks) GMS_NO_TSA GMS_SPIN_RELEASES
{
	gms_spin_unlock(&f->tree[gms_shard_of(index)].lock);
}

void gms_folios_commit(struct gms_folios *f, struct gms_rtree *set, gms_pgoff_t start,
		       uint64_t nr_pages, bool value)
{
	folio_tree_lock(f, start);
	gms_rtree_commit(set, start, nr_pages, value, NULL);
	folio_tree_unlock(f, start);
}

/* Returns which lock a place has. Neighbouring places of one order have different locks. */
static unsigned int folio_lock_number(gms_pgoff_t index)
{
	return (unsigned int)(index + 7 * (index >> GMS_ORDER_2M) + 31 * (index >> GMS_ORDER_1G)) %
	       GMS_NR_FOLIO_LOCKS;
}

struct gms_folio gms_folio_lock(struct gms_folios *f, gms_pgoff_t index) GMS_NO_TSA
{
	struct gms_folio folio = gms_folio_at(f, index), now;

	for (;;) {
		gms_mutex_lock(&f->lock[folio_lock_number(folio.index)]);
		now = gms_folio_at(f, index);
		if (now.index == folio.index)
			return now;
		/* the place was split meanwhile: the new place at the index has another lock */
		gms_folio_unlock(f, folio);
		folio = now;
	}
}

void gms_folio_unlock(struct gms_folios *f, struct gms_folio folio) GMS_NO_TSA
{
	gms_mutex_unlock(&f->lock[folio_lock_number(folio.index)]);
}

/* ---- allocating ---- */

/*
 * Prepares the allocation of the place at an index (the block has a record, and the set is
 * prepared), and then locks the place. If it was split in between, prepares the smaller place.
 */
static int folio_lock_to_populate(struct gms_folios *f, gms_pgoff_t index,
				  struct gms_folio *locked) GMS_NO_TSA
{
	int err;

	for (;;) {
		const struct gms_folio folio = gms_folio_at(f, index);

		err = f->order ? gms_folios_make_block(f, index) : 0;
		if (!err)
			err = gms_rtree_prepare(f->allocated, folio.index,
						gms_order_pages(folio.order), NULL);
		if (err)
			return err;
		*locked = gms_folio_lock(f, index);
		if (locked->order == folio.order)
			return 0;
		gms_folio_unlock(f, *locked);
	}
}

/* Allocates a place that is not allocated. Returns 0 or the error of the backend. */
static int folio_populate_locked(struct gms_folios *f, struct gms_folio folio)
	GMS_REQUIRES(gms_folio_locks)
{
	int err = gms_backend_folio_alloc(f->backend, folio.index, folio.order);

	if (err)
		return err;
	gms_folios_commit(f, f->allocated, folio.index, gms_order_pages(folio.order), true);
	gms_count_add(f->counters, GMS_FOLIOS_ALLOCATED, 1);
	return 0;
}

int gms_folios_populate_pages(struct gms_folios *f, gms_pgoff_t start, uint64_t nr_pages,
			      uint64_t *fresh)
{
	int err = gms_rtree_prepare(f->allocated, start, nr_pages, NULL);

	if (err)
		return err;
	folio_tree_lock(f, start);
	*fresh = nr_pages - gms_rtree_count(f->allocated, start, nr_pages);
	gms_rtree_commit(f->allocated, start, nr_pages, true, NULL);
	folio_tree_unlock(f, start);
	gms_count_add(f->counters, GMS_FOLIOS_ALLOCATED, *fresh);
	return 0;
}

int gms_folio_populate(struct gms_folios *f, gms_pgoff_t index, bool *fresh) GMS_NO_TSA
{
	struct gms_folio folio;
	uint64_t nr = 0;
	int err = 0;

	if (gms_folios_are_pages(f)) {
		err = gms_folios_populate_pages(f, index, 1, &nr);
		*fresh = !err && nr;
		return err;
	}
	*fresh = false;
	err = folio_lock_to_populate(f, index, &folio);
	if (err)
		return err;
	if (!gms_rtree_test(f->allocated, index)) {
		err = folio_populate_locked(f, folio);
		*fresh = !err;
	}
	gms_folio_unlock(f, folio);
	return err;
}

/* ---- queries, and pins against splits ---- */

/* Returns the number of a page in its 1G block. */
static unsigned int folio_page_in_1g(gms_pgoff_t index)
{
	return (unsigned int)gms_order_offset(index, GMS_ORDER_1G);
}

bool gms_folio_pinned(const struct gms_folios *f, struct gms_folio folio)
{
	const struct gms_block *b = gms_folios_block(f, folio.index);
	const unsigned int lo = folio_page_in_1g(folio.index);

	return b && gms_pins_any(gms_load_acquire(&b->pins), lo,
				 lo + (unsigned int)gms_order_pages(folio.order));
}

int gms_folio_split_begin(struct gms_folios *f, struct gms_folio folio)
{
	const struct gms_block *b = gms_folios_block(f, folio.index);
	uint32_t *const splits = &f->tree[gms_shard_of(folio.index)].splits;
	gms_pgoff_t pinned;
	bool busy;
	int err;

	folio_tree_lock(f, folio.index);
	busy = gms_folio_pinned(f, folio) || (b->pins && b->pins->reserved);
	if (!busy)
		gms_store_relaxed(splits, *splits + 1);
	folio_tree_unlock(f, folio.index);
	if (busy)
		return GMS_BUSY;
	err = gms_backend_check_pins(f->backend, folio.index, gms_order_pages(folio.order),
				     &pinned);
	if (err)
		gms_folio_split_end(f, folio);
	return err == -EAGAIN ? GMS_BUSY : err;
}

void gms_folio_split_end(struct gms_folios *f, struct gms_folio folio)
{
	uint32_t *const splits = &f->tree[gms_shard_of(folio.index)].splits;

	folio_tree_lock(f, folio.index);
	gms_store_relaxed(splits, *splits - 1);
	folio_tree_unlock(f, folio.index);
}

void gms_folio_wait_splits_slow(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
{
	for (gms_pgoff_t next; start < end; start = next) {
		struct gms_folio folio = gms_folio_at(f, start);

		if (!folio.order) { /* no folio of its 2M block can be split */
			next = gms_order_up(start, GMS_ORDER_2M);
			continue;
		}
		folio = gms_folio_lock(f, start);
		gms_folio_unlock(f, folio);
		next = gms_folio_end(folio);
	}
}

bool gms_folios_next_allocated(const struct gms_folios *f, gms_pgoff_t *at, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	while (*at < end) {
		/* one 1G block at a time, so that no time is spent on the end of a long run */
		const gms_pgoff_t next = gms_order_cut(*at, GMS_ORDER_1G, end);

		if (gms_rtree_next(f->allocated, *at, next, &run) && run.set)
			return true;
		*at += run.nr_pages;
	}
	return false;
}

/* ---- splitting and merging ---- */

/* Puts a record on a journal, with how the block is split now, unless it is on one already. */
static void folio_journal_add(struct gms_block *b, struct gms_block **journal)
{
	if (!journal || b->noted)
		return;
	b->noted = true;
	b->noted_1g = b->split_1g;
	gms_line_copy(&b->noted_2m, &b->split_2m);
	b->next = *journal;
	*journal = b;
}

int gms_folio_split_locked(struct gms_folios *f, struct gms_folio folio, unsigned int to,
			   struct gms_block **journal)
{
	struct gms_block *b = gms_folios_block(f, folio.index);
	int err;

	err = gms_backend_folio_split(f->backend, folio.index, folio.order, to);
	if (err)
		return err;
	folio_journal_add(b, journal);
	folio_tree_lock(f, folio.index);
	if (folio.order == GMS_ORDER_2M) {
		gms_line_put(&b->split_2m, gms_block_2m(folio.index), true);
	} else {
		gms_line_store(&b->split_2m, 0, GMS_LINE_BITS, to == GMS_ORDER_4K);
		b->split_to_4k = to == GMS_ORDER_4K;
		gms_store_release(&b->split_1g, 1);
	}
	folio_tree_unlock(f, folio.index);
	gms_count_add(f->counters, folio.order == GMS_ORDER_2M ? GMS_SPLITS_2M : GMS_SPLITS_1G, 1);
	gms_trace_split(f, folio.index, folio.order, to);
	return 0;
}

/* Merges as gms_folio_merge() does, but does not count the merge. */
static int folio_try_merge(struct gms_folios *f, gms_pgoff_t index, unsigned int to)
{
	const struct gms_folio folio = {gms_order_down(index, to), to};
	struct gms_block *b = gms_folios_block(f, index);
	unsigned int from = GMS_ORDER_4K;

	if (!b || gms_folio_end(folio) > f->nr_pages ||
	    gms_rtree_fill(f->allocated, index, to) != GMS_RTREE_ALL)
		return -ENOENT;
	if (to == GMS_ORDER_1G && gms_line_is(&b->split_2m, false))
		from = GMS_ORDER_2M;
	if (gms_folio_pinned(f, folio) ||
	    gms_backend_folio_merge(f->backend, folio.index, from, to)) {
		gms_count_add(f->counters, GMS_MERGES_REFUSED, 1);
		return -EBUSY;
	}
	if (to == GMS_ORDER_2M)
		gms_line_put(&b->split_2m, gms_block_2m(index), false);
	else
		gms_store_release(&b->split_1g, 0);
	gms_trace_merge(f, folio.index, from, to);
	return 0;
}

int gms_folio_merge(struct gms_folios *f, gms_pgoff_t index, unsigned int to)
{
	int err = folio_try_merge(f, index, to);

	if (!err)
		gms_count_add(f->counters, to == GMS_ORDER_2M ? GMS_MERGES_2M : GMS_MERGES_1G, 1);
	return err;
}

/* Undoes a split: merges the block, and takes the split off its counter, if the backend can. */
static void folio_undo_split(struct gms_folios *f, gms_pgoff_t index, unsigned int order)
{
	if (!folio_try_merge(f, index, order))
		gms_count_add(f->counters, order == GMS_ORDER_2M ? GMS_SPLITS_2M : GMS_SPLITS_1G,
			      (uint64_t)-1);
}

void gms_folios_unsplit(struct gms_folios *f, struct gms_block *journal)
{
	for (struct gms_block *b = journal; b; b = b->next) {
		const bool was_1g = f->order == GMS_ORDER_1G && b->split_1g && !b->noted_1g;

		/* a 1G that was split to 4K in one step is merged in one step, below */
		for (unsigned int i = GMS_LINE_BITS; i-- && !(was_1g && b->split_to_4k);)
			if (gms_line_test(&b->split_2m, i) &&
			    (was_1g || !gms_line_test(&b->noted_2m, i)))
				folio_undo_split(f, b->start + ((gms_pgoff_t)i << GMS_ORDER_2M),
						 GMS_ORDER_2M);
		if (was_1g)
			folio_undo_split(f, b->start, GMS_ORDER_1G);
	}
}

/* ---- what the host may have mapped ---- */

/*
 * The set of mapped pages says which folios are exposed. How large the host's mappings may be is
 * kept in the record of the block, because a mapping may stay when its folio is split.
 */
int gms_folios_expose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, unsigned int order,
		      bool *fresh)
{
	struct gms_block *b = gms_folios_block(f, start);
	bool noted = true;
	int err;

	if (order)
		noted = order == GMS_ORDER_1G ? gms_load_relaxed(&b->exposed_1g)
					      : gms_line_test(&b->exposed_2m, gms_block_2m(start));
	*fresh = !noted || gms_rtree_fill_range(f->mapped, start, end - start) != GMS_RTREE_ALL;
	if (gms_likely(!*fresh))
		return 0;
	err = gms_rtree_prepare(f->mapped, start, end - start, NULL);
	if (err)
		return err;
	folio_tree_lock(f, start);
	gms_rtree_commit(f->mapped, start, end - start, true, NULL);
	if (order == GMS_ORDER_1G)
		gms_store_relaxed(&b->exposed_1g, 1);
	else if (order)
		gms_line_put(&b->exposed_2m, gms_block_2m(start), true);
	folio_tree_unlock(f, start);
	return 0;
}

/* Returns the largest block at an index that the host may have mapped as one. */
static struct gms_folio folio_exposed_at(const struct gms_folios *f, gms_pgoff_t index)
{
	const struct gms_block *b = gms_folios_block(f, index);
	const struct gms_folio folio = gms_folio_at(f, index);
	unsigned int order = GMS_ORDER_4K;

	if (b && b->exposed_1g)
		order = GMS_ORDER_1G;
	else if (b && gms_line_test(&b->exposed_2m, gms_block_2m(index)))
		order = GMS_ORDER_2M;
	if (folio.order > order &&
	    (gms_rtree_fill(f->mapped, index, folio.order) != GMS_RTREE_NONE ||
	     gms_folio_pinned(f, folio)))
		order = folio.order;
	return (struct gms_folio) {gms_order_down(index, order), order};
}

void gms_folios_widen(const struct gms_folios *f, gms_pgoff_t *start, gms_pgoff_t *end)
{
	*start = folio_exposed_at(f, *start).index;
	*end = gms_folio_end(folio_exposed_at(f, *end - 1));
}

/*
 * Takes the runs of mapped pages in [start, end) out of the set. A run needs no memory for that,
 * unless the range cuts it inside a uniform block. An undo must not allocate, so it leaves such a
 * run in the set, which is always safe.
 */
static void folio_clear_mapped(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, bool undo)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;

	gms_rtree_cursor_init(&cursor, f->mapped, start, end);
	while (gms_rtree_cursor_next(&cursor, &run))
		if (run.set &&
		    (undo ? gms_rtree_is_prepared(f->mapped, run.start, run.nr_pages)
			  : !gms_rtree_prepare(f->mapped, run.start, run.nr_pages, NULL)))
			gms_rtree_commit(f->mapped, run.start, run.nr_pages, false, NULL);
}

void gms_folios_unexpose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, bool undo)
{
	if (gms_rtree_fill_range(f->mapped, start, end - start) != GMS_RTREE_NONE)
		folio_clear_mapped(f, start, end, undo);
	if (!f->order)
		return;
	gms_for_each_1g(at, next, start, end) {
		struct gms_block *b = gms_folios_block(f, at);
		/* the 2M blocks that lie wholly in the range */
		const gms_pgoff_t whole_start = gms_order_up(at - 1, GMS_ORDER_2M);
		const gms_pgoff_t whole_end = gms_order_down(next, GMS_ORDER_2M);

		if (!b)
			continue;
		if (next - at == gms_order_pages(GMS_ORDER_1G))
			b->exposed_1g = 0;
		if (whole_start < whole_end)
			gms_line_store(&b->exposed_2m, gms_block_2m(whole_start),
				       gms_block_2m(whole_end - 1) + 1, false);
	}
}

/* ---- freeing ---- */

/*
 * Merges the places from an index on to the largest folio that begins there and ends before or at
 * @end. Returns the folio that is then at the index. All pages up to @end are allocated.
 */
static struct gms_folio folio_merge_up(struct gms_folios *f, gms_pgoff_t index, gms_pgoff_t end)
{
	const struct gms_folio folio = gms_folio_at(f, index);
	unsigned int to = f->order;

	for (; to > folio.order; to = gms_order_below(to))
		if (gms_order_is_start(index, to) && gms_order_pages(to) <= end - index &&
		    !gms_folio_merge(f, index, to))
			return (struct gms_folio) {index, to};
	return folio;
}

void gms_folios_free(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	for (; gms_rtree_next(f->allocated, start, end, &run); start = run.start + run.nr_pages) {
		gms_pgoff_t at = run.start;

		if (!run.set)
			continue;
		if (!f->order && !f->backend->ops.folio_free) {
			gms_count_add(f->counters, GMS_FOLIOS_FREED, run.nr_pages);
			continue;
		}
		while (at < run.start + run.nr_pages) {
			const struct gms_folio folio =
				folio_merge_up(f, at, run.start + run.nr_pages);

			gms_cond_resched();
			gms_backend_folio_free(f->backend, folio.index, folio.order);
			gms_count_add(f->counters, GMS_FOLIOS_FREED, 1);
			at = gms_folio_end(folio);
		}
	}
}

/* Makes those 2M blocks in [start, end) one place that are complete and have no allocated page. */
static void folio_reset_2m(struct gms_folios *f, struct gms_block *b, gms_pgoff_t start,
			   gms_pgoff_t end)
{
	gms_for_each_block(at, next, start, end, GMS_ORDER_2M)
		if (gms_line_test(&b->split_2m, gms_block_2m(at)) &&
		    gms_order_up(at, GMS_ORDER_2M) <= f->nr_pages &&
		    gms_rtree_fill(f->allocated, at, GMS_ORDER_2M) == GMS_RTREE_NONE)
			gms_line_put(&b->split_2m, gms_block_2m(at), false);
}

void gms_folios_reset(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
{
	if (!f->order)
		return;
	gms_for_each_1g(at, next, start, end) {
		struct gms_block *b = gms_folios_block(f, at);

		if (!b)
			continue;
		if (f->order == GMS_ORDER_1G && gms_order_up(at, GMS_ORDER_1G) <= f->nr_pages &&
		    gms_rtree_fill(f->allocated, at, GMS_ORDER_1G) == GMS_RTREE_NONE)
			gms_store_release(&b->split_1g, 0);
		else
			folio_reset_2m(f, b, at, next);
	}
}

void gms_folios_notify_freed(struct gms_folios *f, gms_pgoff_t index)
{
	gms_count_add(f->counters, GMS_BLOCKS_FREED, 1);
	gms_backend_block_freed(f->backend, gms_order_down(index, GMS_ORDER_1G));
}
