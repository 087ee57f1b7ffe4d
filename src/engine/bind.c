// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * binding.c - which gfns the guest sees the pages at
 *
 * Lookups take no lock and do not wait: there are two copies of everything, of which one is in
 * use and the other may be written (a sequence latch, as in Linux's seqlock.h).
 *
 *	seq even   readers use copy 0; copy 1 may be written
 *	seq odd    readers use copy 1; copy 0 may be written
 *
 * A change turns the readers to copy 1, changes copy 0, turns them back, and changes copy 1. A
 * reader that finds another number afterwards may have read what was being written, and looks
 * again. It cannot go astray meanwhile: a list knows its size, and one that was outgrown stays
 * where it is until the object is destroyed (they double, so all together are as large as the
 * last). Each copy is two lists, sorted by gfn and by index.
 */
#include "core/core.h"

#define FIRST_ROOM 8

static struct gms_binding load(const struct gms_binding *b)
{
	return (struct gms_binding) {
		.key = {gms_load_relaxed(&b->key[0]), gms_load_relaxed(&b->key[1])},
		.nr_pages = gms_load_relaxed(&b->nr_pages),
		.id = gms_load_relaxed(&b->id),
	};
}

static void store(struct gms_binding *to, const struct gms_binding *b)
{
	gms_store_relaxed(&to->key[0], b->key[0]);
	gms_store_relaxed(&to->key[1], b->key[1]);
	gms_store_relaxed(&to->nr_pages, b->nr_pages);
	gms_store_relaxed(&to->id, b->id);
}

/* How many of the first @nr begin at @at or before it. */
static uint64_t rank(const struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
		     uint64_t at)
{
	uint64_t low = 0, high = nr < list->room ? nr : list->room;

	while (low < high) {
		const uint64_t mid = (low + high) / 2;

		if (gms_load_relaxed(&list->at[mid].key[by]) <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool gms_binding_find_slow(const struct gms_state *s, enum gms_binding_key by, uint64_t at,
			   struct gms_binding *b)
{
	const struct gms_bindings *all = &s->bindings;
	uint64_t seq, n;

	do {
		const struct gms_binding_list *list;

		seq = gms_load_acquire(&all->seq);
		list = gms_load_acquire(&all->copy[seq % 2].list[by]);
		n = list ? rank(list, gms_load_relaxed(&all->copy[seq % 2].nr), by, at) : 0;
		if (n)
			*b = load(&list->at[n - 1]);
		gms_fence_acquire();
	} while (gms_load_relaxed(&all->seq) != seq);
	return n && at - b->key[by] < b->nr_pages;
}

unsigned int gms_binding_order(const struct gms_binding *b, gms_pgoff_t index, unsigned int order)
{
	for (; order; order = gms_order_below(order)) {
		const uint64_t size = gms_order_pages(order);
		const gms_pgoff_t start = gms_order_down(index, order);

		if (!((b->key[GMS_BY_GFN] - b->key[GMS_BY_INDEX]) & (size - 1)) &&
		    start >= b->key[GMS_BY_INDEX] &&
		    start - b->key[GMS_BY_INDEX] + size <= b->nr_pages)
			break;
	}
	return order;
}

int gms_gfn_to_index(const struct gms_state *s, uint64_t gfn, gms_pgoff_t *index)
{
	struct gms_binding b;

	if (!gms_binding_find(s, GMS_BY_GFN, gfn, &b))
		return -ENOENT;
	*index = b.key[GMS_BY_INDEX] + (gfn - b.key[GMS_BY_GFN]);
	return 0;
}

/* ---- changes: all convert locks are held ---- */

static void put_in(struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
		   const struct gms_binding *b)
{
	const uint64_t n = rank(list, nr, by, b->key[by]);

	for (uint64_t i = nr; i > n; i--)
		store(&list->at[i], &list->at[i - 1]);
	store(&list->at[n], b);
}

static void take_out(struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
		     const struct gms_binding *b)
{
	for (uint64_t i = rank(list, nr, by, b->key[by]); i < nr; i++)
		store(&list->at[i - 1], &list->at[i]);
}

/* Turn the readers to the other copy. What they read there was written before. */
static void turn(struct gms_bindings *all)
{
	gms_store_release(&all->seq, all->seq + 1);
	gms_fence_release(); /* and is not written again before */
}

typedef void (*change_fn)(struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
			  const struct gms_binding *b);

static void change(struct gms_state *s, change_fn fn, int more, const struct gms_binding *b)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_bindings *all = &s->bindings;

	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t nr = all->copy[i].nr;

		turn(all);
		for (unsigned int by = 0; by < GMS_NR_BINDING_KEYS; by++)
			fn(all->copy[i].list[by], nr, (enum gms_binding_key)by, b);
		gms_store_relaxed(&all->copy[i].nr, nr + (uint64_t)more);
	}
}

static size_t list_size(uint64_t room)
{
	return sizeof(struct gms_binding_list) + room * sizeof(struct gms_binding);
}

/* Room for one more in all lists. Readers may find either list: they say the same. */
static int make_room(struct gms_state *s)
{
	struct gms_bindings *all = &s->bindings;
	const struct gms_allocator *a = &s->allocator;

	for (unsigned int i = 0; i < 2 * GMS_NR_BINDING_KEYS; i++) {
		struct gms_binding_list **at = &all->copy[i / 2].list[i % 2], *list;
		const uint64_t nr = all->copy[i / 2].nr;
		const uint64_t room = *at ? 2 * (*at)->room : FIRST_ROOM;

		if (*at && nr < (*at)->room)
			continue;
		list = a->alloc(a->ctx, list_size(room), sizeof(void *));
		if (!list)
			return -ENOMEM;
		list->retired = *at;
		list->room = room;
		gms_memset(list->at, 0, room * sizeof(list->at[0]));
		for (uint64_t k = 0; k < nr; k++)
			list->at[k] = (*at)->at[k];
		gms_store_release(at, list);
	}
	return 0;
}

static bool overlaps(const struct gms_state *s, const struct gms_binding *b)
{
	const uint64_t nr = s->bindings.copy[0].nr;

	for (unsigned int by = 0; nr && by < GMS_NR_BINDING_KEYS; by++) {
		const struct gms_binding_list *list = s->bindings.copy[0].list[by];
		/* of those that begin in it or before it, the last: the others end before that */
		const uint64_t n =
			rank(list, nr, (enum gms_binding_key)by, b->key[by] + b->nr_pages - 1);

		if (n && (list->at[n - 1].key[by] >= b->key[by] ||
			  b->key[by] - list->at[n - 1].key[by] < list->at[n - 1].nr_pages))
			return true;
	}
	return false;
}

/* With the exclusive invalidate locks of its pages: a fault that is under way is not disturbed. */
static void change_locked(struct gms_state *s, change_fn fn, int more, const struct gms_binding *b)
	GMS_REQUIRES(gms_convert_lock)
{
	const gms_pgoff_t start = b->key[GMS_BY_INDEX];
	const gms_shards shards = gms_shards_of(start, start + b->nr_pages);

	gms_shards_lock(s, shards);
	change(s, fn, more, b);
	gms_shards_unlock(s, shards);
}

int gms_bind(struct gms_state *s, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
	     unsigned int *id)
{
	struct gms_binding b = {.key = {gfn, start}, .nr_pages = nr_pages};
	int err;

	if (gfn + nr_pages < gfn)
		return gms_refused(s, -EINVAL);
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = overlaps(s, &b) ? -EEXIST : make_room(s);
	if (!err) {
		b.id = (unsigned int)s->bindings.next_id++;
		*id = (unsigned int)b.id;
		change_locked(s, put_in, 1, &b);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}

int gms_unbind(struct gms_state *s, unsigned int id)
{
	const unsigned int how = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	const struct gms_binding_list *list;
	int err;

	err = gms_enter(s, how, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	err = -EINVAL;
	list = s->bindings.copy[0].list[GMS_BY_INDEX];
	for (uint64_t i = 0; err && i < s->bindings.copy[0].nr; i++) {
		const struct gms_binding b = list->at[i];

		if (b.id != id)
			continue;
		change_locked(s, take_out, -1, &b);
		err = 0;
	}
	return gms_leave(s, how, 0, s->nr_pages, err);
}

size_t gms_bindings_bytes(const struct gms_state *s)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < 2 * GMS_NR_BINDING_KEYS; i++) {
		const struct gms_binding_list *list =
			gms_load_acquire(&s->bindings.copy[i / 2].list[i % 2]);

		for (; list; list = list->retired)
			bytes += list_size(list->room);
	}
	return bytes;
}

const char *gms_bindings_verify(const struct gms_state *s)
{
	const uint64_t nr = s->bindings.copy[0].nr;

	if (s->bindings.seq % 2 || s->bindings.copy[1].nr != nr)
		return "bindings are being changed at rest";
	for (unsigned int by = 0; nr && by < GMS_NR_BINDING_KEYS; by++) {
		const struct gms_binding *b = s->bindings.copy[0].list[by]->at;
		const struct gms_binding *other = s->bindings.copy[1].list[by]->at;

		for (uint64_t i = 0; i < nr; i++) {
			if (i && (b[i].key[by] < b[i - 1].key[by] ||
				  b[i].key[by] - b[i - 1].key[by] < b[i - 1].nr_pages))
				return "bindings overlap, or are not in order";
			if (b[i].id != other[i].id || b[i].nr_pages != other[i].nr_pages ||
			    b[i].key[by] != other[i].key[by])
				return "the copies of the bindings differ";
		}
	}
	return NULL;
}

void gms_bindings_fini(struct gms_state *s)
{
	const struct gms_allocator *a = &s->allocator;

	for (unsigned int i = 0; i < 2 * GMS_NR_BINDING_KEYS; i++) {
		struct gms_binding_list *list = s->bindings.copy[i / 2].list[i % 2], *next;

		for (; list; list = next) {
			next = list->retired;
			a->free(a->ctx, list, list_size(list->room), sizeof(void *));
		}
	}
}
