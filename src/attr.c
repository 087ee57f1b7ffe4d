// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attr.c - other sets of pages: the caller's attributes, inhibits
 *
 * Each is a range tree that changes under the convert lock and the exclusive invalidate lock.
 */
#include "state_priv.h"

int gms_may_change(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	if (!gms_state_range_ok(s, start, nr_pages))
		return -EINVAL;
	return gms_backend_inside(&s->backend) ? -EDEADLK : 0;
}

/* ---- attributes ---- */

static int attr_create_locked(struct gms_state *s) GMS_REQUIRES(gms_convert_lock)
{
	int err = gms_frozen(s);

	if (!err && s->nr_attrs == GMS_MAX_ATTRS)
		err = -ENOMEM;
	if (!err)
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, &s->allocator,
				       &s->attr[s->nr_attrs]);
	return err;
}

int gms_attr_create(struct gms_state *s, unsigned int *id)
{
	int err;

	if (gms_backend_inside(&s->backend))
		return gms_refused(s, -EDEADLK);
	gms_shards_lock_convert(s, GMS_ALL_SHARDS);
	err = attr_create_locked(s);
	if (!err) {
		*id = s->nr_attrs;
		gms_store_release(&s->nr_attrs, s->nr_attrs + 1);
	}
	gms_shards_unlock_convert(s, GMS_ALL_SHARDS);
	return err ? gms_refused(s, err) : 0;
}

/* A larger mapping that the guest has may not stand any more. */
static int attr_set(struct gms_state *s, struct gms_rtree *attr, gms_pgoff_t start, gms_pgoff_t end,
		    bool set) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(start, end);
	struct gms_spans spans;
	int err;

	err = gms_rtree_prepare(attr, start, end - start, NULL);
	if (!err)
		err = gms_spans_init(s, &spans, attr, !set, start, end, s->backend.hooked);
	if (err)
		return err;
	gms_shards_lock(s, shards);
	if (s->backend.hooked) {
		gms_spans_begin(s, &spans);
		gms_spans_zap(s, &spans, GMS_SHARED);
		gms_spans_zap(s, &spans, GMS_PRIVATE);
	}
	gms_rtree_commit(attr, start, end - start, set, NULL);
	if (s->backend.hooked)
		gms_spans_end(s, &spans);
	gms_shards_unlock(s, shards);
	gms_spans_fini(s, &spans);
	return 0;
}

int gms_attr_set(struct gms_state *s, unsigned int id, gms_pgoff_t start, uint64_t nr_pages,
		 bool set)
{
	const enum gms_rtree_fill done = set ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	gms_shards shards;
	int err;

	err = id < gms_load_acquire(&s->nr_attrs) ? gms_may_change(s, start, nr_pages) : -EINVAL;
	if (err)
		return gms_refused(s, err);
	shards = gms_shards_of(start, start + nr_pages);
	gms_shards_lock_convert(s, shards);
	err = gms_frozen(s);
	if (!err && gms_rtree_fill_range(s->attr[id], start, nr_pages) != done)
		err = attr_set(s, s->attr[id], start, start + nr_pages, set);
	gms_shards_unlock_convert(s, shards);
	return err ? gms_refused(s, err) : 0;
}

bool gms_attr_test(const struct gms_state *s, unsigned int id, gms_pgoff_t index)
{
	return id < gms_load_acquire(&s->nr_attrs) && gms_rtree_test(s->attr[id], index);
}

/* ---- inhibits ---- */

/* Set or clear the trees from @first on that are not so: all of them, or none. */
static int inhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, unsigned int first,
		   bool set) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock)
{
	const enum gms_rtree_fill done = set ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	const gms_shards shards = gms_shards_of(start, start + nr_pages);
	struct gms_rtree *tree[GMS_NR_INHIBITS];
	unsigned int nr = 0;
	int err;

	gms_shards_lock_convert(s, shards);
	err = gms_frozen(s);
	for (unsigned int i = first; !err && i < GMS_NR_INHIBITS; i++) {
		if (gms_rtree_fill_range(s->inhibit[i], start, nr_pages) == done)
			continue;
		tree[nr++] = s->inhibit[i];
		err = gms_rtree_prepare(s->inhibit[i], start, nr_pages, NULL);
	}
	if (!err && nr) {
		gms_shards_lock(s, shards);
		while (nr)
			gms_rtree_commit(tree[--nr], start, nr_pages, set, NULL);
		gms_add_relaxed(&s->inhibited, set);
		gms_shards_unlock(s, shards);
	}
	gms_shards_unlock_convert(s, shards);
	return err ? gms_refused(s, err) : 0;
}

int gms_inhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, unsigned int order)
{
	int err = gms_may_change(s, start, nr_pages);

	if (order != GMS_ORDER_4K && order != GMS_ORDER_2M)
		err = -EINVAL;
	if (err)
		return gms_refused(s, err);
	/* a page that is held to 4K is held to 2M as well */
	return inhibit(s, start, nr_pages, order == GMS_ORDER_4K ? 0 : 1, true);
}

int gms_uninhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	int err = gms_may_change(s, start, nr_pages);

	return err ? gms_refused(s, err) : inhibit(s, start, nr_pages, 0, false);
}
