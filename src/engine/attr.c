// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attr.c - other sets of pages: the caller's attributes, inhibits
 *
 * Each is a range tree that changes under the convert lock and the exclusive invalidate lock; but a
 * guest's fault may set inhibits under the shared one (fault.c).
 */
#include "core/core.h"

/* ---- attributes ---- */

int gms_attr_create(struct gms_state *s, unsigned int *id)
{
	int err;

	err = gms_enter(s, GMS_ENTER_WHOLE, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	if (s->nr_attrs == GMS_MAX_ATTRS)
		err = -ENOMEM;
	else
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, &s->allocator,
				       &s->attr[s->nr_attrs]);
	if (!err) {
		*id = s->nr_attrs;
		gms_store_release(&s->nr_attrs, s->nr_attrs + 1);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, 0, s->nr_pages, err);
}

/* Under all locks. @zap: the guest may have a mapping that is larger than is allowed then. */
static int set_locked(struct gms_state *s, struct gms_rtree *const sets[], unsigned int nr_sets,
		      const struct gms_span *range, bool set, bool zap)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_spans spans;
	int err;

	gms_spans_one(&spans, range->start, range->end);
	if (zap) {
		err = gms_spans_init(s, &spans, sets[0], !set, range->start, range->end, true);
		if (err)
			return err;
		gms_spans_begin(s, &spans);
		gms_spans_zap(s, &spans, GMS_SHARED);
		gms_spans_zap(s, &spans, GMS_PRIVATE);
	}
	for (unsigned int i = nr_sets; i--;)
		gms_rtree_commit(sets[i], range->start, range->end - range->start, set, NULL);
	if (zap)
		gms_spans_end(s, &spans);
	gms_spans_fini(s, &spans);
	return 0;
}

/*
 * Sets or clears a range in all of the sets or in none; each is within the next one. Also one where
 * nothing changes is made ready: a guest's fault may inhibit pages until the locks are there.
 */
static int set_pages(struct gms_state *s, struct gms_rtree *const sets[], unsigned int nr_sets,
		     const struct gms_span *range, bool set, bool zap)
	GMS_REQUIRES(gms_convert_lock)
{
	const enum gms_rtree_fill done = set ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	const struct gms_rtree *const last_done = sets[set ? 0 : nr_sets - 1];
	const gms_shards shards = gms_shards_of(range->start, range->end);
	const uint64_t nr_pages = range->end - range->start;
	int err = 0;

	if (gms_rtree_fill_range(last_done, range->start, nr_pages) == done)
		return 0;
	for (unsigned int i = 0; !err && i < nr_sets; i++)
		err = gms_rtree_prepare(sets[i], range->start, nr_pages, NULL);
	if (err)
		return err;
	gms_shards_lock(s, shards);
	err = set_locked(s, sets, nr_sets, range, set, zap && s->backend.hooked);
	gms_shards_unlock(s, shards);
	return err;
}

int gms_attr_set(struct gms_state *s, unsigned int id, gms_pgoff_t start, uint64_t nr_pages,
		 bool set)
{
	const struct gms_span range = {start, start + nr_pages};
	int err;

	if (id >= gms_load_acquire(&s->nr_attrs))
		return gms_refused(s, -EINVAL);
	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = set_pages(s, &s->attr[id], 1, &range, set, true);
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

bool gms_attr_test(const struct gms_state *s, unsigned int id, gms_pgoff_t index)
{
	return id < gms_load_acquire(&s->nr_attrs) && gms_rtree_test(s->attr[id], index);
}

/* ---- inhibits ---- */

/* A page that is held to 4K is held to 2M as well. */
static int inhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, unsigned int first,
		   bool set)
{
	const struct gms_span range = {start, start + nr_pages};
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	if (set) /* before the first page is: a fault looks only where this is not 0 */
		gms_store_relaxed(&s->inhibited, true);
	err = set_pages(s, &s->inhibit[first], GMS_NR_INHIBITS - first, &range, set, set);
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

int gms_inhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, unsigned int order)
{
	if (order != GMS_ORDER_4K && order != GMS_ORDER_2M)
		return gms_refused(s, -EINVAL);
	return inhibit(s, start, nr_pages, order == GMS_ORDER_4K ? 0 : 1, true);
}

int gms_uninhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	return inhibit(s, start, nr_pages, 0, false);
}
