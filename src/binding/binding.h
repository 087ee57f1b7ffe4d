/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * binding.h - the table of memslot bindings: which page is at a gfn, and which gfn a page has
 *
 * A binding maps nr_pages gfns to as many indices. Invariants:
 *
 *  1. No gfn is in two bindings, and no index is.
 *  2. The table has two copies. Each copy lists all bindings twice: sorted by gfn, and by index.
 *  3. At rest the copies are equal, and seq is even.
 *
 * Locks. A lookup takes no lock. It tries again if the table was changed meanwhile. A change holds
 * all convert locks, and exclusively the invalidate locks of its pages. So a fault on these pages
 * sees the table from before the change or from after it.
 *
 * Cost. A lookup is a binary search. A change moves all entries behind its own, in four lists.
 */
#ifndef GMS_BINDING_H
#define GMS_BINDING_H

#include <gmemstate/order.h>

#include "platform.h"

enum gms_binding_key { GMS_BY_GFN, GMS_BY_INDEX, GMS_NR_BINDING_KEYS };

struct gms_binding {
	uint64_t key[GMS_NR_BINDING_KEYS]; /* gfn and index of the first page */
	uint64_t nr_pages;
	uint64_t id;
};

/* Bindings in ascending order of one key. */
struct gms_binding_list {
	struct gms_binding_list *retired; /* the smaller list that this one replaced */
	uint64_t room; /* how many bindings fit */
	struct gms_binding at[];
};

struct gms_bindings {
	uint64_t seq; /* readers use copy[seq % 2] */
	struct {
		uint64_t nr; /* bindings in each list */
		struct gms_binding_list *list[GMS_NR_BINDING_KEYS];
	} copy[2];
	uint64_t next_id;
};

/* ---- lookups: any context ---- */

/* Does gms_bindings_find() for a table that is not empty. */
bool gms_bindings_find_slow(const struct gms_bindings *all, enum gms_binding_key by, uint64_t at,
			    struct gms_binding *b);

/* Finds the binding that a gfn, or an index, is in. Returns false if there is none. */
static inline bool gms_bindings_find(const struct gms_bindings *all, enum gms_binding_key by,
				     uint64_t at, struct gms_binding *b)
{
	return gms_unlikely(gms_load_relaxed(&all->copy[0].nr)) &&
	       gms_bindings_find_slow(all, by, at, b);
}

/* Returns the index at a gfn of a binding. */
static inline gms_pgoff_t gms_binding_index(const struct gms_binding *b, uint64_t gfn)
{
	return b->key[GMS_BY_INDEX] + (gfn - b->key[GMS_BY_GFN]);
}

/* Returns @order, lowered to that of the largest mapping that a binding allows at its @index. */
unsigned int gms_binding_order(const struct gms_binding *b, gms_pgoff_t index, unsigned int order);

/* Returns @order, lowered by the binding that an index is in, if there is one. */
static inline unsigned int gms_bindings_order(const struct gms_bindings *all, gms_pgoff_t index,
					      unsigned int order)
{
	struct gms_binding b;

	if (!order || !gms_bindings_find(all, GMS_BY_INDEX, index, &b))
		return order;
	return gms_binding_order(&b, index, order);
}

/* Returns the bytes that the lists take. */
size_t gms_bindings_bytes(const struct gms_bindings *all);

/* ---- changes: the caller holds all convert locks ---- */

/* Returns true if a gfn or an index of @b is in a binding of the table. */
bool gms_bindings_overlap(const struct gms_bindings *all, const struct gms_binding *b);

/* Makes room for one more binding. Allocates. Returns 0 or -ENOMEM. */
int gms_bindings_reserve(struct gms_bindings *all, const struct gms_allocator *a);

/* Adds a binding that overlaps none. The caller has called gms_bindings_reserve(). */
void gms_bindings_add(struct gms_bindings *all, const struct gms_binding *b)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock);

/* Returns the binding at a position in the order of indices. @at is below their number. */
struct gms_binding gms_bindings_at(const struct gms_bindings *all, uint64_t at);

/* Returns how many bindings there are. */
static inline uint64_t gms_bindings_nr(const struct gms_bindings *all)
{
	return gms_load_relaxed(&all->copy[0].nr);
}

/* Finds the binding with a number. Returns false if there is none. */
bool gms_bindings_find_id(const struct gms_bindings *all, unsigned int id, struct gms_binding *b);

/* Removes a binding of the table. */
void gms_bindings_remove(struct gms_bindings *all, const struct gms_binding *b)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock);

/* Returns NULL, or which invariant is broken. No thread may change the table meanwhile. */
const char *gms_bindings_verify(const struct gms_bindings *all);

/* Frees all lists. No other thread uses the table. */
void gms_bindings_fini(struct gms_bindings *all, const struct gms_allocator *a);

#endif /* GMS_BINDING_H */
