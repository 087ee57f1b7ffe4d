// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * binding.c - the table of memslot bindings: see binding.h
 *
 * There are two copies of the table. Readers use one while a writer changes the other: a sequence
 * latch, as in Linux's seqlock.h.
 *
 *	seq even   readers use copy 0; copy 1 may be written
 *	seq odd    readers use copy 1; copy 0 may be written
 *
 * A change turns the readers to copy 1, changes copy 0, turns them back, and changes copy 1. A
 * reader that finds seq changed afterwards may have read what was being written, and tries again.
 * No reader leaves the bounds of a list, because a list knows its size, and because a list that
 * was outgrown is kept until the object is destroyed. Lists double in size, so all retired lists
 * together have less room than the list in use.
 */
#include "binding.h"

#define BINDING_FIRST_ROOM 8

/* The lists of both copies, by number. */
#define BINDING_NR_LISTS (2 * GMS_NR_BINDING_KEYS)
#define BINDING_COPY_OF(i) ((i) / GMS_NR_BINDING_KEYS)
#define BINDING_LIST(all, i) ((all)->copy[BINDING_COPY_OF(i)].list[(i) % GMS_NR_BINDING_KEYS])

static struct gms_binding binding_load(const struct gms_binding *b)
{
	return (struct gms_binding) {
		.key = {gms_load_relaxed(&b->key[0]), gms_load_relaxed(&b->key[1])},
		.nr_pages = gms_load_relaxed(&b->nr_pages),
		.id = gms_load_relaxed(&b->id),
	};
}

static void binding_store(struct gms_binding *to, const struct gms_binding *b)
{
	gms_store_relaxed(&to->key[0], b->key[0]);
	gms_store_relaxed(&to->key[1], b->key[1]);
	gms_store_relaxed(&to->nr_pages, b->nr_pages);
	gms_store_relaxed(&to->id, b->id);
}

/* Returns how many of the first @nr bindings begin at @at or before it. */
static uint64_t binding_rank(const struct gms_binding_list *list, uint64_t nr,
			     enum gms_binding_key by, uint64_t at)
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

bool gms_bindings_find_slow(const struct gms_bindings *all, enum gms_binding_key by, uint64_t at,
			    struct gms_binding *b)
{
	uint64_t seq, n;

	do {
		const struct gms_binding_list *list;

		seq = gms_load_acquire(&all->seq);
		list = gms_load_acquire(&all->copy[seq % 2].list[by]);
		n = list ? binding_rank(list, gms_load_relaxed(&all->copy[seq % 2].nr), by, at) : 0;
		if (n)
			*b = binding_load(&list->at[n - 1]);
		gms_fence_acquire();
	} while (gms_load_relaxed(&all->seq) != seq);
	return n && at - b->key[by] < b->nr_pages;
}

unsigned int gms_binding_order(const struct gms_binding *b, gms_pgoff_t index, unsigned int order)
{
	for (; order; order = gms_order_below(order)) {
		const gms_pgoff_t start = gms_order_down(index, order);

		if (gms_order_is_start(b->key[GMS_BY_GFN] - b->key[GMS_BY_INDEX], order) &&
		    start >= b->key[GMS_BY_INDEX] &&
		    start - b->key[GMS_BY_INDEX] + gms_order_pages(order) <= b->nr_pages)
			break;
	}
	return order;
}

/* ---- changes ---- */

static void binding_insert(struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
			   const struct gms_binding *b)
{
	const uint64_t n = binding_rank(list, nr, by, b->key[by]);

	for (uint64_t i = nr; i > n; i--)
		binding_store(&list->at[i], &list->at[i - 1]);
	binding_store(&list->at[n], b);
}

static void binding_delete(struct gms_binding_list *list, uint64_t nr, enum gms_binding_key by,
			   const struct gms_binding *b)
{
	for (uint64_t i = binding_rank(list, nr, by, b->key[by]); i < nr; i++)
		binding_store(&list->at[i - 1], &list->at[i]);
}

/* Turns the readers to the other copy, which this thread has finished writing. */
static void binding_turn(struct gms_bindings *all)
{
	gms_store_release(&all->seq, all->seq + 1);
	gms_fence_release(); /* later stores go to the copy that no new reader uses */
}

typedef void (*binding_change_fn)(struct gms_binding_list *list, uint64_t nr,
				  enum gms_binding_key by, const struct gms_binding *b);

/* Makes one change in both copies. @more: 1 if it adds a binding, -1 if it removes one. */
static void binding_change(struct gms_bindings *all, binding_change_fn fn, int more,
			   const struct gms_binding *b)
{
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t nr = all->copy[i].nr;

		binding_turn(all);
		for (unsigned int by = 0; by < GMS_NR_BINDING_KEYS; by++)
			fn(all->copy[i].list[by], nr, (enum gms_binding_key)by, b);
		gms_store_relaxed(&all->copy[i].nr, nr + (uint64_t)more);
	}
}

void gms_bindings_add(struct gms_bindings *all, const struct gms_binding *b)
{
	binding_change(all, binding_insert, 1, b);
}

void gms_bindings_remove(struct gms_bindings *all, const struct gms_binding *b)
{
	binding_change(all, binding_delete, -1, b);
}

static size_t binding_list_bytes(uint64_t room)
{
	return sizeof(struct gms_binding_list) + room * sizeof(struct gms_binding);
}

/* Readers may find the old list or the new one, which has the same bindings. */
int gms_bindings_reserve(struct gms_bindings *all, const struct gms_allocator *a)
{
	for (unsigned int i = 0; i < BINDING_NR_LISTS; i++) {
		struct gms_binding_list **at = &BINDING_LIST(all, i), *list;
		const uint64_t nr = all->copy[BINDING_COPY_OF(i)].nr;
		const uint64_t room = *at ? 2 * (*at)->room : BINDING_FIRST_ROOM;

		if (*at && nr < (*at)->room)
			continue;
		list = a->alloc(a->ctx, binding_list_bytes(room), sizeof(void *));
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

bool gms_bindings_overlap(const struct gms_bindings *all, const struct gms_binding *b)
{
	const uint64_t nr = all->copy[0].nr;

	for (unsigned int by = 0; nr && by < GMS_NR_BINDING_KEYS; by++) {
		const struct gms_binding_list *list = all->copy[0].list[by];
		/* Of the bindings that begin before the end of @b, the last one also ends last. */
		const uint64_t n = binding_rank(list, nr, (enum gms_binding_key)by,
						b->key[by] + b->nr_pages - 1);

		if (n && (list->at[n - 1].key[by] >= b->key[by] ||
			  b->key[by] - list->at[n - 1].key[by] < list->at[n - 1].nr_pages))
			return true;
	}
	return false;
}

struct gms_binding gms_bindings_at(const struct gms_bindings *all, uint64_t at)
{
	return binding_load(&all->copy[0].list[GMS_BY_INDEX]->at[at]);
}

bool gms_bindings_find_id(const struct gms_bindings *all, unsigned int id, struct gms_binding *b)
{
	const struct gms_binding_list *list = all->copy[0].list[GMS_BY_INDEX];

	for (uint64_t i = 0; i < all->copy[0].nr; i++) {
		if (list->at[i].id != id)
			continue;
		*b = list->at[i];
		return true;
	}
	return false;
}

/* ---- size, invariants, end ---- */

size_t gms_bindings_bytes(const struct gms_bindings *all)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < BINDING_NR_LISTS; i++) {
		const struct gms_binding_list *list = gms_load_acquire(&BINDING_LIST(all, i));

		for (; list; list = list->retired)
			bytes += binding_list_bytes(list->room);
	}
	return bytes;
}

const char *gms_bindings_verify(const struct gms_bindings *all)
{
	const uint64_t nr = all->copy[0].nr;

	if (all->seq % 2 || all->copy[1].nr != nr)
		return "bindings are being changed at rest";
	for (unsigned int by = 0; nr && by < GMS_NR_BINDING_KEYS; by++) {
		const struct gms_binding *b = all->copy[0].list[by]->at;
		const struct gms_binding *other = all->copy[1].list[by]->at;

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

void gms_bindings_fini(struct gms_bindings *all, const struct gms_allocator *a)
{
	for (unsigned int i = 0; i < BINDING_NR_LISTS; i++) {
		struct gms_binding_list *list = BINDING_LIST(all, i), *next;

		for (; list; list = next) {
			next = list->retired;
			a->free(a->ctx, list, binding_list_bytes(list->room), sizeof(void *));
		}
	}
}
