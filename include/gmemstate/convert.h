/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/convert.h - making a range shared or private
 *
 * A conversion is a transaction. In atomic mode it changes all of the range or nothing. In resumable
 * mode it changes one 1G block after another, and says where it stopped.
 *
 * Usage:
 *
 *	gms_pgoff_t at;
 *	int err = gms_convert(state, start, nr_pages, GMS_PRIVATE, 0, &at);
 *
 *	if (err == -EAGAIN)
 *		... the page at index `at` is pinned: ask its owner to unpin it, and try again ...
 */
#ifndef GMEMSTATE_CONVERT_H
#define GMEMSTATE_CONVERT_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * GMS_CONVERT_RESUMABLE - convert 1G block by 1G block
 *
 * On failure err_index is where to go on. Locks are let go between blocks.
 */
#define GMS_CONVERT_RESUMABLE (1U << 0)

/**
 * gms_convert() - make a range shared or private
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @to: what every page of the range is to be
 * @flags: 0 or GMS_CONVERT_RESUMABLE
 * @err_index: NULL, or where to store an index on failure. Atomic: the first page that is pinned
 *             or quarantined, or that the backend's apply found in use, else @start. Resumable:
 *             everything before it is converted, and nothing from there on; such a page, else
 *             the start of the failing 1G block. Never below @start. Not written on success
 *
 * Atomic: all of the range or, on failure, nothing. Converting to what a range is
 * already succeeds and does nothing. On failure the host may have to fault the range again, and
 * what was prepared may have to be prepared again.
 *
 * What cannot be undone, after a failure of the backend or of a listener, is quarantined, from the
 * first page that would have changed to the last: it answers -ENOTRECOVERABLE until gms_repair().
 *
 * With GMS_BACKEND_PINS_BY_FOLIO a pin anywhere in a folio counts. *@err_index is then @start
 * where no page of the range itself is pinned; if resumable, the first page of the range in the
 * folio that is pinned.
 *
 * Where there is a backend or a listener, 16 bytes are needed for each run that changes, if they
 * are more than a few: a large range that is fragmented wants GMS_CONVERT_RESUMABLE.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @to or @flags are unknown;
 * -EPERM: frozen; -EAGAIN: to private, and a page is pinned, or the backend says that it is in
 * use; -ENOTRECOVERABLE: a page is quarantined; -EDEADLK: called from inside a hook or listener,
 * or under the thread's own fault or shared lock; -ENOMEM; what a hook of the backend or a
 * listener returned.
 */
GMS_API int gms_convert(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability to, unsigned int flags, gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_CONVERT_H */
