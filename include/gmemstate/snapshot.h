/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/snapshot.h - saving a state, loading it, and holding it still
 *
 * Included by state.h. A snapshot holds what is said of pages: size, folio order, shareability,
 * attributes, inhibits, quarantine. Not what is there: folios, PREPARED, pins, bindings,
 * listeners. The format is in docs/snapshot-format.md.
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
 * gms_snapshot_save() - write a snapshot
 * @state: the object
 * @buf: where to; NULL with @size 0 to learn how much is needed
 * @size: of @buf in bytes
 * @needed: where to store the size of the snapshot; NULL is allowed. Written on success, and where
 *          @buf is too small
 *
 * All of it is of one moment. Where @buf is too small nothing is written to it; what is
 * needed may be another size at the next call, unless the object is frozen.
 *
 * Context: Takes all convert locks; and, unless the object is frozen, all invalidate locks
 * exclusively: faults wait, and gms_seq_retry() tells a reader to look again. Allocates nothing,
 * may sleep.
 * Return: 0, also for a NULL @buf of size 0; -ENOSPC: @buf is too small; -EINVAL: @buf is NULL and
 * @size is not 0; -EDEADLK: called from inside a hook or listener, or under the thread's own fault
 * or shared lock.
 */
GMS_API int gms_snapshot_save(const struct gms_state *state, void *buf, size_t size, size_t *needed)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_snapshot_load() - make a state object from a snapshot
 * @buf: the snapshot; need not be aligned, and may be anything: it is not trusted. Not to be
 *       changed meanwhile: nothing breaks, but what is loaded need not be what was checked
 * @size: of @buf in bytes
 * @opts: as for gms_state_create(). @nr_pages and @folio_order: 0 or what the snapshot says;
 *        GMS_INIT_PRIVATE means nothing here
 * @state: where to store the object; written on success only
 *
 * No hook is called: the caller brings the memory to what the state says.
 *
 * What is loaded can take far more memory than the snapshot: each of its sets up to what a flat
 * bitmap of the object takes, with one page in each 128 MiB; and an object of GMS_MAX_PAGES with
 * all attributes some 130 MB when every set is uniform. @opts->nr_pages bounds both: a caller that
 * does not trust the snapshot gives the size that it expects.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EBADMSG: the snapshot is damaged or cut short, or no snapshot; -EPROTONOSUPPORT: it
 * is of a newer version; -EINVAL: @opts does not agree with it, or is bad otherwise; -ENOMEM.
 */
GMS_API int gms_snapshot_load(const void *buf, size_t size, const struct gms_state_opts *opts,
			      struct gms_state **state);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_SNAPSHOT_H */
