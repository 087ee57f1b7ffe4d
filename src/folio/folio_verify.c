// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * folio_verify.c - checks the invariants of folio.h and pins.h by brute force
 *
 * The checks return a static string that says what is wrong, or NULL.
 */
#include "folio.h"
#include "tree/tree.h"

/* ---- folios ---- */

/* Checks the places of a 1G block that has a record. */
static const char *folio_verify_places(const struct gms_folios *f, const struct gms_block *b)
{
	const gms_pgoff_t end = gms_order_cut(b->start, GMS_ORDER_1G, f->nr_pages);

	if (b->noted)
		return "a block is on a journal at rest";
	if (f->order != GMS_ORDER_1G && b->split_1g)
		return "a 1G that never was one folio is split";
	for (gms_pgoff_t at = b->start; f->order && at < end;) {
		const struct gms_folio folio = gms_folio_at(f, at);

		if (gms_folio_end(folio) > f->nr_pages)
			return "a folio passes the end";
		if (folio.order && gms_rtree_fill(f->allocated, at, folio.order) == GMS_RTREE_MIXED)
			return "a folio is allocated in part";
		/* if a place is of order 0, so are all places of its 2M block */
		at = folio.order ? gms_folio_end(folio) : gms_order_up(at, GMS_ORDER_2M);
	}
	return NULL;
}

const char *gms_folios_verify(const struct gms_folios *f)
{
	const char *wrong = NULL;

	for (uint64_t i = 0; !wrong && i < f->blocks.nr; i++) {
		const gms_pgoff_t at = i << GMS_ORDER_1G;
		const struct gms_block *b = f->blocks.block[i];

		gms_cond_resched();
		if (b)
			wrong = folio_verify_places(f, b);
		else if (f->order &&
			 gms_rtree_fill(f->allocated, at, GMS_ORDER_1G) != GMS_RTREE_NONE)
			wrong = "a block with folios has no record";
	}
	if (!wrong && !gms_rtree_is_within(f->prepared, f->allocated))
		wrong = "a prepared page has no memory";
	if (!wrong && !gms_rtree_is_within(f->mapped, f->allocated))
		wrong = "a page that the host may have mapped has no memory";
	return wrong;
}

/* ---- pins ---- */

/* Checks the pins of a block: pinned pages are shared and allocated. */
static const char *folio_verify_pins_locked(const struct gms_folios *f, const struct gms_block *b,
					    const struct gms_rtree *private)
{
	unsigned int page, from = 0;

	if (b->pins && !gms_pins_ok(b->pins))
		return "pins are miscounted";
	while (b->pins && from < GMS_PINS_PAGES &&
	       gms_pins_first(b->pins, from, GMS_PINS_PAGES, &page)) {
		if (gms_rtree_test(private, b->start + page))
			return "a pinned page is private";
		if (!gms_rtree_test(f->allocated, b->start + page))
			return "a pinned page has no memory";
		from = page + 1;
	}
	return NULL;
}

/* Takes the tree lock of each block, because an unpin takes only this lock. */
const char *gms_folios_verify_pins(struct gms_folios *f, const struct gms_rtree *private)
{
	const char *wrong = NULL;

	for (uint64_t i = 0; !wrong && i < f->blocks.nr; i++) {
		struct gms_spinlock *lock = &f->tree[gms_shard_of(i << GMS_ORDER_1G)].lock;

		gms_cond_resched();
		if (!f->blocks.block[i])
			continue;
		gms_spin_lock(lock);
		wrong = folio_verify_pins_locked(f, f->blocks.block[i], private);
		gms_spin_unlock(lock);
	}
	return wrong;
}
