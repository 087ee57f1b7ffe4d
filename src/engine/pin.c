// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pin.c - references on pages, as get_user_pages() and VFIO take them
 *
 * A pin faults each page for the host, reserves memory for the counts, and then counts, which
 * cannot fail. It holds the invalidate locks shared. A conversion looks for pins under the
 * exclusive locks, so it finds every pin. An unpin takes tree locks only, and may come at any
 * time.
 */
#include "core/entry.h"
#include "core/quarantine.h"
#include "core/rent.h"
#include "populate.h"

/* Returns the number of a page in its 1G block. */
static unsigned int pin_page(gms_pgoff_t index)
{
	return (unsigned int)gms_order_offset(index, GMS_ORDER_1G);
}

/* Returns the lock that serialises the writers of the pins of a 1G block: a tree lock. */
static struct gms_spinlock *pin_lock(struct gms_state *s, gms_pgoff_t index)
{
	return &s->folios.tree[gms_shard_of(index)].lock;
}

/* Returns the first private page in [start, end); @end if there is none. */
static gms_pgoff_t pin_first_private(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	if (gms_likely(gms_rtree_fill_range(s->private, start, end - start) == GMS_RTREE_NONE))
		return end;
	return gms_ranges_first_in_tree(s->private, start, end);
}

/*
 * Faults the folio at an index for the host: splits it as the policy decides, and exposes it. A
 * folio of order 0 is exposed together with those that follow it before @limit, in its 2M block
 * or, if the backing is of order 0, in the 1G block. *end is the first page behind what was
 * exposed.
 */
static int pin_fault_folio(struct gms_state *s, gms_pgoff_t index, gms_pgoff_t limit,
			   gms_pgoff_t *end) GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_policy_query query = {
		.event = GMS_EV_FAULT, .accessor = GMS_HOST, .cap = GMS_ORDER_1G};
	gms_pgoff_t start = index;
	struct gms_folio folio;
	bool fresh = false;
	int err;

	err = gms_restructure_fault(s, &query, index, &folio);
	if (err)
		return err;
	*end = s->folios.order ? gms_order_cut(index, GMS_ORDER_2M, limit) : limit;
	if (folio.order) {
		start = folio.index;
		*end = gms_folio_end(folio);
	}
	err = gms_folios_expose(&s->folios, start, *end, folio.order, &fresh);
	if (!err && fresh)
		gms_rents_touch(s, index, *end < limit ? *end : limit);
	return err;
}

/* Faults a range in one 1G block for the host. On failure *at is the page that failed. */
static int pin_fault(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	gms_pgoff_t next;
	int err;

	err = gms_populate_range(s, start, end, at);
	if (err)
		return err;
	for (*at = start; *at < end; *at = next) {
		err = pin_fault_folio(s, *at, end, &next);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Commits pins, or unpins, in a range of one 1G block. @step: gms_pins_commit or gms_pins_unpin.
 * Releases the tree lock between two steps, so that other threads need not wait for a whole block.
 * Returns how many pages an unpin found not pinned.
 */
static gms_always_inline uint64_t pin_do_steps(struct gms_state *s, struct gms_pins *pins,
					       gms_pgoff_t start, gms_pgoff_t end,
					       bool (*step)(struct gms_pins *pins,
							    struct gms_pins_walk *walk))
{
	struct gms_spinlock *lock = pin_lock(s, start);
	struct gms_pins_walk walk;
	bool more;

	gms_pins_walk_init(&walk, pin_page(start), pin_page(end - 1) + 1);
	do {
		gms_spin_lock(lock);
		more = step(pins, &walk);
		gms_spin_unlock(lock);
		if (more)
			gms_cpu_relax(); /* lets another thread take the lock */
	} while (more);
	return walk.surplus;
}

/*
 * Reserves memory for one more pin of each page, in all 1G blocks of the range or in none. On
 * failure *at lies in the block that failed.
 */
static int pin_reserve(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
{
	struct gms_folios *f = &s->folios;
	int err = 0;

	gms_for_each_1g(b, next, start, end) {
		gms_cond_resched();
		*at = b;
		err = gms_folios_make_block(f, b);
		if (!err)
			err = gms_pins_reserve(&gms_folios_block(f, b)->pins, pin_lock(s, b),
					       &s->allocator);
		if (err)
			break;
	}
	if (!err)
		return 0;
	gms_for_each_1g(b, next, start, *at) {
		gms_spin_lock(pin_lock(s, b));
		gms_pins_cancel(gms_folios_block(f, b)->pins);
		gms_spin_unlock(pin_lock(s, b));
	}
	return err;
}

/* Pins all pages of a range or none. On failure *at is the first page that could not be pinned. */
static int pin_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const gms_pgoff_t quarantined = gms_quarantine_first(s, start, end);
	const gms_pgoff_t private = pin_first_private(s, start, quarantined);
	int err = 0;

	*at = private;
	if (private < quarantined)
		return -EACCES;
	if (quarantined < end)
		return -ENOTRECOVERABLE;
	gms_for_each_1g(b, next, start, end) {
		err = pin_fault(s, b, next, at);
		if (err)
			return err;
	}
	err = pin_reserve(s, start, end, at);
	if (err)
		return err;
	/* The reservation keeps splits from beginning: see gms_folio_split_begin(). */
	if (s->folios.order)
		gms_for_each_1g(b, next, start, end)
			gms_folio_wait_splits(&s->folios, b, next);
	gms_for_each_1g(b, next, start, end) {
		gms_cond_resched();
		pin_do_steps(s, gms_folios_block(&s->folios, b)->pins, b, next, gms_pins_commit);
	}
	return 0;
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
	uint64_t surplus = 0;

	if (!gms_state_range_ok(s, start, nr_pages)) {
		gms_count_add(&s->counters, GMS_SURPLUS_UNPINS, 1);
		return;
	}
	gms_for_each_1g(at, next, start, start + nr_pages) {
		struct gms_block *b = gms_folios_block(&s->folios, at);
		struct gms_pins *pins = b ? gms_load_acquire(&b->pins) : NULL;

		surplus += pins ? pin_do_steps(s, pins, at, next, gms_pins_unpin) : next - at;
	}
	if (surplus)
		gms_count_add(&s->counters, GMS_SURPLUS_UNPINS, surplus);
}

bool gms_first_pin(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   gms_pgoff_t *index)
{
	if (start >= s->nr_pages)
		return false;
	if (nr_pages > s->nr_pages - start)
		nr_pages = s->nr_pages - start;
	return gms_folios_first_pin(&s->folios, start, start + nr_pages, index);
}
