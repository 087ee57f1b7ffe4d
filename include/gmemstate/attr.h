/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/attr.h - what limits the mappings of the guest
 *
 * An attribute is a set of pages of the caller's own. An inhibit says that the guest's side of a page is
 * split. Both lower the max_order of guest faults, and nothing else.
 *
 * Usage:
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

/** GMS_MAX_ATTRS - attributes that an object can have */
#define GMS_MAX_ATTRS 16

/**
 * gms_attr_create() - make another attribute of pages
 * @state: the object
 * @id: where to store its number; written on success only
 *
 * A set of pages of the caller's (read-only, say, or poisoned), empty at first. A guest
 * fault's max_order covers no page that differs in an attribute from the one at the index.
 *
 * Context: Takes all convert locks. Allocates, may sleep.
 * Return: 0; -EPERM: frozen; -EDEADLK: called from inside a hook or listener, or under the
 * thread's own fault or shared lock; -ENOMEM, also where there are GMS_MAX_ATTRS.
 */
GMS_API int gms_attr_create(struct gms_state *state, unsigned int *id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_set() - give pages an attribute, or take it
 * @state: the object
 * @id: of gms_attr_create()
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @set: whether the pages have it from now on
 *
 * The guest's mappings of what changes are zapped.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: no such attribute, or the range is empty, wraps or passes the end; -EPERM:
 * frozen; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM: nothing has changed.
 */
GMS_API int gms_attr_set(struct gms_state *state, unsigned int id, gms_pgoff_t start,
			 uint64_t nr_pages, bool set)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_test() - does a page have an attribute?
 * @state: the object
 * @id: of gms_attr_create()
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where it has; false past the end, and where there is no such attribute.
 */
GMS_API bool gms_attr_test(const struct gms_state *state, unsigned int id, gms_pgoff_t index);

/**
 * gms_inhibit() - the guest's side of a range is split
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @order: of the largest mapping that the guest may still have there: 0 or 9
 *
 * For an RMP that was split to 4K, or a TDX page that was accepted at 4K: guest faults in a 2M
 * or 1G block with such a page get no larger mapping, until gms_uninhibit().
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @order is another; -EPERM:
 * frozen; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM: nothing has changed.
 */
GMS_API int gms_inhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			unsigned int order) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_uninhibit() - lift what gms_inhibit() set
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EDEADLK:
 * called from inside a hook or listener, or under the thread's own fault or shared lock; -ENOMEM:
 * nothing has changed.
 */
GMS_API int gms_uninhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_ATTR_H */
