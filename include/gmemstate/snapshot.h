/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/snapshot.h - saving a state object to bytes, and loading it
 *
 *  1. A snapshot holds what the object says of its pages: size, folio order, shareability,
 *     attributes, inhibits and quarantine.
 *  2. A snapshot holds no folios, prepared pages, pins, bindings or listeners.
 *  3. All parts of a snapshot are of one moment.
 *  4. Loading does not trust the bytes. It makes a whole object or returns an error.
 *
 * docs/snapshot-format.md has the format.
 *
 * Usage: save, and load into a second object.
 *
 *	err = gms_freeze(state); // so that the size does not change
 *	if (!err)
 *		err = gms_snapshot_save(state, NULL, 0, &size);
 *	...
 *	buf = malloc(size);
 *	err = gms_snapshot_save(state, buf, size, NULL);
 *	...
 *	gms_thaw(state);
 *	opts.nr_pages = nr_pages; // the size that is expected
 *	err = gms_snapshot_load(buf, size, &opts, &copy);
 */
#ifndef GMEMSTATE_SNAPSHOT_H
#define GMEMSTATE_SNAPSHOT_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;
struct gms_state_opts;

/**
 * gms_snapshot_save() - save a snapshot
 * @state: the object
 * @buf: where to store the snapshot; NULL, with a @size of 0, to learn the size
 * @size: the size of @buf in bytes
 * @needed: NULL, or where to store the size of the snapshot in bytes; written on success, and if
 *          @buf is too small
 *
 * If @buf is too small, nothing is written to it. Unless the object is frozen, the next call may
 * need another size.
 *
 * Context: Takes all convert locks. Unless the object is frozen, also takes all invalidate locks
 * exclusively: faults wait, and gms_seq_retry() returns true. Allocates nothing, may sleep.
 * Return: 0, also for a NULL @buf of size 0; -ENOSPC: @buf is too small; -EINVAL: @buf is NULL and
 * @size is not 0; -EDEADLK (user space): called from inside a hook or listener, or under the
 * thread's own fault or shared lock.
 */
GMS_API int gms_snapshot_save(const struct gms_state *state, void *buf, size_t size, size_t *needed)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_snapshot_load() - create a state object from a snapshot
 * @buf: the snapshot; need not be aligned. Its bytes are not trusted. If another thread changes
 *       them meanwhile, the call returns an error, or an object that may match no snapshot
 * @size: the size of @buf in bytes
 * @opts: the options, as for gms_state_create(). @nr_pages and @folio_order: 0, or what the
 *        snapshot says. GMS_INIT_PRIVATE has no effect
 * @state: where to store the object; written on success only
 *
 * No hook is called: the caller makes the memory what the state says.
 *
 * Memory. A loaded object may take far more memory than its snapshot. Each of its sets may take
 * what a flat bitmap of the object takes, if it has one page in each 128 MiB. An object of
 * GMS_MAX_PAGES with all attributes takes some 230 MB even if every set is uniform. A caller that
 * does not trust the snapshot sets @opts->nr_pages to the size that it expects, which bounds both.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EBADMSG: the snapshot is damaged or cut short, or is none; -EPROTONOSUPPORT: the
 * snapshot is of a newer version; -EINVAL: @opts does not agree with the snapshot, or is bad in
 * another way; -ENOMEM.
 */
GMS_API int gms_snapshot_load(const void *buf, size_t size, const struct gms_state_opts *opts,
			      struct gms_state **state);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_SNAPSHOT_H */
