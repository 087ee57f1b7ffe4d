// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bind.c - binding pages to gfns, and ending a binding
 *
 * A binding changes under the exclusive invalidate locks of its pages, so no fault on these pages
 * is under way. Faults in other shards go on.
 */
#include "core/entry.h"

int gms_bind(struct gms_state *s, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
	     unsigned int *id)
{
	struct gms_binding b = {.key = {gfn, start}, .nr_pages = nr_pages};
	struct gms_bindings *all = &s->bindings;
	int err;

	if (gfn + nr_pages < gfn)
		return gms_refused(s, gms_because(-EINVAL, "the gfns wrap"));
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = gms_bindings_overlap(all, &b) ? -EEXIST : gms_bindings_reserve(all, &s->allocator);
	if (!err) {
		const gms_shards shards = gms_shards_of(start, start + nr_pages);

		b.id = (unsigned int)all->next_id++;
		*id = (unsigned int)b.id;
		gms_shards_lock_exclusive(s, shards);
		gms_bindings_add(all, &b);
		gms_shards_unlock_exclusive(s, shards);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}

int gms_unbind(struct gms_state *s, unsigned int id)
{
	const unsigned int flags = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	struct gms_binding b;
	int err;

	err = gms_enter(s, flags, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	err = 0;
	if (!gms_bindings_find_id(&s->bindings, id, &b))
		err = gms_because(-EINVAL, "no binding has this number");
	if (!err) {
		const gms_pgoff_t start = b.key[GMS_BY_INDEX];
		const gms_shards shards = gms_shards_of(start, start + b.nr_pages);

		gms_shards_lock_exclusive(s, shards);
		gms_bindings_remove(&s->bindings, &b);
		gms_shards_unlock_exclusive(s, shards);
	}
	return gms_leave(s, flags, 0, s->nr_pages, err);
}
