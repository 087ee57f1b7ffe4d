// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state_verify.c - every invariant of a state object, by brute force
 */
#include "core/core.h"

#define NEXT_RUN(tree, at, end, run) \
	(gms_rtree_next(tree, at, end, &(run)) && ((at) = (run).start + (run).nr_pages, true))

/* Is every page of one set in another? */
static bool is_within(const struct gms_rtree *set, const struct gms_rtree *other, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	for (gms_pgoff_t at = 0; NEXT_RUN(set, at, end, run);)
		if (run.set &&
		    gms_rtree_fill_range(other, run.start, run.nr_pages) != GMS_RTREE_ALL)
			return false;
	return true;
}

/* The places of one 1G block that has a record. */
static const char *verify_places(const struct gms_folios *f, const struct gms_block *b)
{
	const gms_pgoff_t next = b->start + gms_order_pages(GMS_ORDER_1G);
	const gms_pgoff_t end = next < f->nr_pages ? next : f->nr_pages;

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
		at = folio.order ? gms_folio_end(folio)
				 : gms_order_down(at, GMS_ORDER_2M) + gms_order_pages(GMS_ORDER_2M);
	}
	return NULL;
}

/* Pinned pages are shared, and have memory. */
static const char *verify_pins_locked(const struct gms_state *s, const struct gms_block *b)
{
	unsigned int page, from = 0;

	if (b->pins && !gms_pins_ok(b->pins))
		return "pins are miscounted";
	while (b->pins && from < GMS_PINS_PAGES &&
	       gms_pins_first(b->pins, from, GMS_PINS_PAGES, &page)) {
		if (gms_rtree_test(s->private, b->start + page))
			return "a pinned page is private";
		if (!gms_rtree_test(s->folios.allocated, b->start + page))
			return "a pinned page has no memory";
		from = page + 1;
	}
	return NULL;
}

/* gms_unpin() takes no other lock. */
static const char *verify_pins(struct gms_state *s, const struct gms_block *b)
{
	struct gms_spinlock *lock = &s->folios.tree[gms_shard_of(b->start)].lock;
	const char *wrong;

	gms_spin_lock(lock);
	wrong = verify_pins_locked(s, b);
	gms_spin_unlock(lock);
	return wrong;
}

const char *gms_folios_verify(const struct gms_folios *f)
{
	const char *wrong = NULL;

	for (uint64_t i = 0; !wrong && i < f->blocks.nr; i++) {
		const gms_pgoff_t at = i << GMS_ORDER_1G;
		const struct gms_block *b = f->blocks.block[i];

		if (b)
			wrong = verify_places(f, b);
		else if (f->order &&
			 gms_rtree_fill(f->allocated, at, GMS_ORDER_1G) != GMS_RTREE_NONE)
			wrong = "a block with folios has no record";
	}
	if (!wrong && !is_within(f->prepared, f->allocated, f->nr_pages))
		wrong = "a prepared page has no memory";
	if (!wrong && !is_within(f->mapped, f->allocated, f->nr_pages))
		wrong = "a page that the host may have mapped has no memory";
	return wrong;
}

static const char *verify_trees(const struct gms_state *s)
{
	const struct gms_rtree *const trees[] = {
		s->private,          s->quarantine,      s->inhibit[0],    s->inhibit[1],
		s->folios.allocated, s->folios.prepared, s->folios.mapped,
	};
	const char *wrong = NULL;

	for (unsigned int i = 0; !wrong && i < sizeof(trees) / sizeof(trees[0]); i++)
		gms_rtree_verify(trees[i], &wrong);
	for (unsigned int i = 0; !wrong && i < s->nr_attrs; i++)
		gms_rtree_verify(s->attr[i], &wrong);
	return wrong;
}

static const char *verify(struct gms_state *s)
{
	const char *wrong = verify_trees(s);

	for (unsigned int i = 0; !wrong && i < GMS_NR_SHARDS; i++)
		if (!(s->shard[i].seq & 1))
			wrong = "a sequence number was odd at rest";
	if (!wrong)
		wrong = gms_folios_verify(&s->folios);
	for (uint64_t i = 0; !wrong && i < s->folios.blocks.nr; i++)
		if (s->folios.blocks.block[i])
			wrong = verify_pins(s, s->folios.blocks.block[i]);
	if (!wrong && !is_within(s->folios.prepared, s->private, s->nr_pages))
		wrong = "a prepared page is not private";
	if (!wrong && !is_within(s->inhibit[0], s->inhibit[1], s->nr_pages))
		wrong = "a page is held to 4K and not to 2M";
	if (!wrong)
		wrong = gms_bindings_verify(s);
	if (!wrong && gms_rtree_count(s->quarantine, 0, s->nr_pages) != s->quarantined)
		wrong = "quarantined pages are miscounted";
	return wrong;
}

bool gms_state_verify(struct gms_state *s, const char **reason)
{
	const unsigned int how = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	const char *wrong = "called from inside a hook, or under a lock of the caller's";

	if (!gms_enter(s, how, 0, s->nr_pages)) {
		gms_shards_lock(s, GMS_ALL_SHARDS);
		wrong = verify(s);
		gms_shards_unlock(s, GMS_ALL_SHARDS);
		(void)gms_leave(s, how, 0, s->nr_pages, 0);
	}
	if (wrong && reason)
		*reason = wrong;
	return !wrong;
}
