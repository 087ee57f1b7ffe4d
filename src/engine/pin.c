// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pin.c - references on pages, as get_user_pages() and VFIO take them
 *
 * A pin touches each page as the host would, makes sure that there is memory for the counts, and
 * then counts, which cannot fail. It holds the invalidate lock shared: a conversion looks for
 * pins when it has that lock exclusively, and finds all. Giving a reference back takes the tree
 * lock only: that may happen at any time.
 */
#include "core/core.h"

/* The end of the part of [start, end) that lies in the 1G block of @start. */
static gms_pgoff_t block_end(gms_pgoff_t start, gms_pgoff_t end)
{
	const gms_pgoff_t next =
		gms_order_down(start, GMS_ORDER_1G) + gms_order_pages(GMS_ORDER_1G);

	return next < end ? next : end;
}

/* Such a part, in pages of the block. */
static unsigned int page_in_block(gms_pgoff_t index)
{
	return index & (gms_order_pages(GMS_ORDER_1G) - 1);
}

static unsigned int end_in_block(gms_pgoff_t end)
{
	return page_in_block(end - 1) + 1;
}

static struct gms_spinlock *pins_lock(struct gms_state *s, gms_pgoff_t index)
{
	return &s->folios.tree[gms_shard_of(index)].lock;
}

/* The first page of a tree in [start, end); @end where there is none. */
static gms_pgoff_t first_in(const struct gms_rtree *set, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	if (gms_likely(gms_rtree_fill_range(set, start, end - start) == GMS_RTREE_NONE))
		return end;
	if (gms_rtree_next(set, start, end, &run) && !run.set)
		start = run.start + run.nr_pages;
	return start;
}

/* One folio, or a part of a 2M block of folios of order 0: as if by a host fault. *end: its end. */
static int touch_folio(struct gms_state *s, gms_pgoff_t index, gms_pgoff_t last, gms_pgoff_t *end)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_ask ask = {
		.event = GMS_EV_FAULT, .accessor = GMS_HOST, .cap = GMS_ORDER_1G};
	struct gms_folio folio = gms_folio_at(&s->folios, index);
	unsigned int above;
	int err = 0;

	if (folio.order)
		err = gms_settle(s, &ask, index, &folio, &above);
	if (err && err != GMS_BUSY) /* put off to the next fault */
		return err;
	*end = gms_folio_end(folio);
	if (folio.order)
		return gms_folios_expose(&s->folios, folio.index, *end, folio.order);
	*end = last;
	if (s->folios.order && *end > (index | (gms_order_pages(GMS_ORDER_2M) - 1)))
		*end = (index | (gms_order_pages(GMS_ORDER_2M) - 1)) + 1;
	return gms_folios_expose(&s->folios, index, *end, GMS_ORDER_4K);
}

/* Part of one block. *at: where it failed. */
static int touch(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	gms_pgoff_t next;
	int err;

	err = gms_populate_range(s, start, end, at);
	for (*at = err ? *at : start; !err && *at < end; *at = err ? *at : next)
		err = touch_folio(s, *at, end, &next);
	return err;
}

/*
 * Commit or unpin a part of one block: a step at a time, so that a whole block does not keep
 * the other pins and folios of the shard waiting. Returns how many pages were not pinned.
 */
static gms_always_inline uint64_t count_part(struct gms_state *s, struct gms_pins *pins,
					     gms_pgoff_t start, gms_pgoff_t end,
					     bool (*step)(struct gms_pins *pins,
							  struct gms_pins_walk *walk))
{
	struct gms_spinlock *lock = pins_lock(s, start);
	struct gms_pins_walk walk;
	bool more;

	gms_pins_walk_init(&walk, page_in_block(start), end_in_block(end));
	do {
		gms_spin_lock(lock);
		more = step(pins, &walk);
		gms_spin_unlock(lock);
		if (more)
			gms_cpu_relax(); /* or those that wait would never be faster */
	} while (more);
	return walk.surplus;
}

/* Memory for one more pin of each page of [start, end). All or none of the blocks. */
static int reserve(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
{
	int err = 0;

	for (*at = start; *at < end; *at = block_end(*at, end)) {
		struct gms_spinlock *lock = pins_lock(s, *at);

		err = gms_block_make(&s->folios.blocks, *at);
		if (!err)
			err = gms_pins_reserve(&gms_block_at(&s->folios.blocks, *at)->pins, lock,
					       &s->allocator);
		if (err)
			break;
	}
	for (gms_pgoff_t b = start; err && b < *at; b = block_end(b, end)) {
		gms_spin_lock(pins_lock(s, b));
		gms_pins_cancel(gms_block_at(&s->folios.blocks, b)->pins);
		gms_spin_unlock(pins_lock(s, b));
	}
	return err;
}

static int pin_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const gms_pgoff_t quarantined = first_in(s->quarantine, start, end);
	const gms_pgoff_t private = first_in(s->private, start, quarantined);
	int err = 0;

	*at = private;
	if (private < quarantined)
		return -EACCES;
	if (quarantined < end)
		return -ENOTRECOVERABLE;
	for (gms_pgoff_t b = start; !err && b < end; b = block_end(b, end))
		err = touch(s, b, block_end(b, end), at);
	if (!err)
		err = reserve(s, start, end, at);
	/* no split begins from here on: see gms_folio_split_begin(); those under way are waited for */
	for (gms_pgoff_t b = start; !err && s->folios.order && b < end; b = block_end(b, end))
		gms_folio_wait(&s->folios, b, block_end(b, end));
	for (gms_pgoff_t b = start; !err && b < end; b = block_end(b, end))
		count_part(s, gms_block_at(&s->folios.blocks, b)->pins, b, block_end(b, end),
			   gms_pins_commit);
	return err;
}

int gms_pin(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	gms_pgoff_t at = start;
	int err;

	err = gms_enter_shared(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err) {
		gms_refused(s, err);
	} else {
		err = pin_locked(s, start, start + nr_pages, &at);
		gms_leave_shared(s, start, nr_pages, err);
	}
	if (err && err_index)
		*err_index = at;
	return err;
}

void gms_unpin(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	const gms_pgoff_t end = start + nr_pages;
	uint64_t surplus = 0;

	if (!gms_state_range_ok(s, start, nr_pages)) {
		gms_count_add(&s->counters, GMS_SURPLUS_UNPINS, 1);
		return;
	}
	for (gms_pgoff_t next; start < end; start = next) {
		struct gms_block *b = gms_block_at(&s->folios.blocks, start);
		struct gms_pins *pins = b ? gms_load_acquire(&b->pins) : NULL;

		next = block_end(start, end);
		surplus += pins ? count_part(s, pins, start, next, gms_pins_unpin) : next - start;
	}
	if (surplus)
		gms_count_add(&s->counters, GMS_SURPLUS_UNPINS, surplus);
}

bool gms_first_pin(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   gms_pgoff_t *index)
{
	if (start >= s->nr_pages)
		return false;
	return gms_folios_first_pin(&s->folios, start,
				    nr_pages > s->nr_pages - start ? s->nr_pages : start + nr_pages,
				    index);
}
