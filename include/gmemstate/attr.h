/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/attr.h - limits of the guest's mappings: attributes and inhibits
 *
 * An attribute is a set of pages. Its meaning is the caller's: the pages are read-only, for
 * example, or poisoned. An inhibit says that the guest's mappings of some pages must not exceed 4K
 * or 2M, because an RMP entry was split to 4K, or a TDX page was accepted at 4K.
 *
 *  1. Both lower the max_order of guest faults (fault.h), and limit nothing else.
 *  2. The block of max_order has no page that differs in an attribute from the page at the index.
 *  3. A mapping that covers an inhibited page is not larger than the inhibit allows, until
 *     gms_uninhibit(). Other 2M blocks of the same 1G block may still be mapped by 2M.
 *  4. Setting or clearing an attribute, and setting an inhibit, zaps the guest's mappings of the
 *     pages that change.
 *
 * Usage: keep a poisoned page apart from its neighbours.
 *
 *	unsigned int poisoned;
 *	int err = gms_attr_create(state, &poisoned);
 *
 *	if (!err)
 *		err = gms_attr_set(state, poisoned, index, 1, true);
 */
#ifndef GMEMSTATE_ATTR_H
#define GMEMSTATE_ATTR_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/** GMS_MAX_ATTRS - the largest number of attributes that an object can have */
#define GMS_MAX_ATTRS 16

/**
 * gms_attr_create() - create an attribute
 * @state: the object
 * @id: where to store the number of the attribute; written on success only
 *
 * The attribute is an empty set of pages at first. It lasts as long as the object.
 *
 * Context: Takes all convert locks. Allocates, may sleep.
 * Return: 0; -EPERM: frozen; -EDEADLK (user space): called from inside a hook or listener, or
 * under the thread's own fault or shared lock; -ENOSPC: the object has GMS_MAX_ATTRS already;
 * -ENOMEM.
 */
GMS_API int gms_attr_create(struct gms_state *state, unsigned int *id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_set() - set or clear an attribute of pages
 * @state: the object
 * @id: the number of the attribute, from gms_attr_create()
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @set: true: the pages get the attribute; false: the pages lose it
 *
 * The guest's mappings of the pages that change are zapped. On failure nothing has changed.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: there is no such attribute, or the range is empty, wraps or passes the end;
 * -EPERM: frozen; -EDEADLK (user space): called from inside a hook or listener, or under the
 * thread's own fault or shared lock; -ENOMEM.
 */
GMS_API int gms_attr_set(struct gms_state *state, unsigned int id, gms_pgoff_t start,
			 uint64_t nr_pages, bool set)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_test() - return true if a page has an attribute
 * @state: the object
 * @id: the number of the attribute, from gms_attr_create()
 * @index: the index of the page
 *
 * Context: Any; lock-free.
 * Return: true if the page has the attribute; false if not, past the end, or if there is no such
 * attribute.
 */
GMS_API bool gms_attr_test(const struct gms_state *state, unsigned int id, gms_pgoff_t index);

/**
 * gms_inhibit() - inhibit large mappings of the guest
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @order: the order of the largest mapping that the guest may still have there: 0 or 9
 *
 * Meant for an RMP entry that was split to 4K, or a TDX page that was accepted at 4K. Until
 * gms_uninhibit(), guest faults get no larger mapping that covers a page of the range. The guest's
 * mappings of the pages that change are zapped. On failure nothing has changed.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @order is neither 0 nor 9;
 * -EPERM: frozen; -EDEADLK (user space): called from inside a hook or listener, or under the
 * thread's own fault or shared lock; -ENOMEM.
 */
GMS_API int gms_inhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			unsigned int order) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_uninhibit() - lift the inhibits of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 *
 * Lifts what gms_inhibit() has set, and what a prepare hook has set by GMS_PREPARED_AT(). On
 * failure nothing has changed.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EDEADLK (user
 * space): called from inside a hook or listener, or under the thread's own fault or shared lock;
 * -ENOMEM.
 */
GMS_API int gms_uninhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_ATTR_H */
