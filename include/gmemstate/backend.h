/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/backend.h - the hooks that change memory, mappings and the architecture
 *
 * All hooks are optional: a hook that is NULL counts as one that succeeded. A folio is named by
 * the index of its first page and by its order; the library keeps no pointers to memory.
 *
 * Usage: a backend that has mappings of the host and of the guest, and nothing to prepare.
 *
 *	const struct gms_backend_ops ops = {
 *		.struct_size = sizeof(ops),
 *		.unmap_host = unmap_host,
 *		.invalidate_begin = invalidate_begin,
 *		.zap_guest = zap_guest,
 *		.invalidate_end = invalidate_end,
 *	};
 *	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
 *
 *	opts.nr_pages = nr_pages;
 *	opts.backend = &ops;
 *	opts.backend_ctx = &machine;
 *	err = gms_state_create(&opts, &state);
 *
 * Rules for hooks
 *  1. A hook runs with locks held. It may make queries and call gms_unpin(), also while
 *     gms_state_destroy() runs. It must not make a call that takes a lock (-EDEADLK, state.h).
 *  2. A hook must not wait for a thread that faults, pins or converts in the same shard.
 *  3. A hook may sleep. Hooks for different folios may run at the same time.
 *  4. A hook returns 0 or -errno; a positive value counts as -EIO (prepare has another answer, see
 *     there). If a hook fails, the call that needed it undoes its steps and returns that error.
 *
 * The hooks of one conversion, in order. A run is a part of the range that changes.
 *
 *	to private                      to shared
 *	unmap_host, each run
 *	check_pins, each run
 *	folio_split                     folio_split   (as the policy decides)
 *	invalidate_begin, each run      invalidate_begin, each run
 *	zap_guest SHARED, each run      zap_guest PRIVATE, each run
 *	apply, each run                 apply, each run
 *	                 (here the new state is published)
 *	invalidate_end, each run        invalidate_end, each run
 *	folio_merge                     folio_merge   (as the policy decides)
 *
 * If gms_pin() has pinned a page that would become private, the conversion fails after check_pins.
 * (A resumable conversion then converts the pages before that page.) unmap_host and check_pins are
 * called for the pages before the first such page only, with two exceptions. Without map_host,
 * unmap_host covers all of an exposed folio. With GMS_BACKEND_PINS_BY_FOLIO, unmap_host is called
 * for all runs, and check_pins for whole folios.
 *
 * The hooks of a hole, in order, for each run of pages that have memory: unmap_host; check_pins;
 * folio_split for the folios that cross an end of the hole; invalidate_begin; zap_guest for both
 * kinds; folio_merge and folio_free; invalidate_end; block_freed; map_host.
 *
 * On failure the engine undoes in reverse. It calls map_host only for pages that are shared. A
 * listener fails if it refuses what became shared.
 *
 *	apply fails         undo for the runs that were applied, the last one first;
 *	                    invalidate_end; folio_merge for the folios that were split; map_host
 *	                    for each run
 *	folio_split fails   folio_merge for the folios that were split; map_host for each run
 *	check_pins fails    map_host for each run
 *	unmap_host fails    map_host for each run, up to the one that failed
 *	a listener fails    for all runs: unmap_host, check_pins, invalidate_begin, zap_guest
 *	                    SHARED; undo, the last run first; invalidate_end; folio_merge as the
 *	                    policy decides
 *
 * If undo or map_host fails, or in the last case unmap_host or check_pins, the state of the pages
 * is unknown, and they are quarantined. The engine then calls unmap_host, invalidate_begin,
 * zap_guest for both kinds and invalidate_end, once for the range from the first run to the last,
 * or for all of a hole. It ignores what unmap_host returns there.
 *
 * If apply fails in the middle of a run, the engine must know which pages of the run are applied:
 *
 *	no page is applied           apply leaves *failed alone; undo is not called
 *	the first pages are applied  apply sets *failed to the first page that is not applied; undo
 *	                             is called for the pages before that one
 *	apply cannot tell            apply sets *failed to the end of the run; undo is called for
 *	                             all pages of the run, and makes each what it was before,
 *	                             whatever it is now
 *
 * With -EAGAIN, *failed is also the page that is in use. A backend that has taken all pages back
 * may name that page, too, if its undo does nothing for pages that are right already.
 *
 * The mappings of the host are kept by the kernel, or by the backend:
 *
 *	without map_host   The host faults pages back in, by gms_fault_begin(). A folio is exposed
 *	                   from the first host fault or pin in it until unmap_host has covered all
 *	                   of it and no pin is left: the host may have a huge mapping of it. So
 *	                   unmap_host covers all of an exposed folio. A kernel is such a backend
 *	with map_host      The backend maps and unmaps for the host, page by page. unmap_host
 *	                   covers exactly the pages that go private or are punched out, and
 *	                   map_host maps pages that stay shared. A VMM that maps something else
 *	                   over private pages is such a backend
 */
#ifndef GMEMSTATE_BACKEND_H
#define GMEMSTATE_BACKEND_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * GMS_BACKEND_PINS_BY_FOLIO - count pins by folio, and not by page
 *
 * In a kernel a folio has one reference count. So a pinned page anywhere in a folio keeps all of
 * its pages from becoming private, and from being punched out.
 */
#define GMS_BACKEND_PINS_BY_FOLIO (1U << 0)

/**
 * GMS_PREPARED_AT() - the answer of @prepare if it prepared a block in smaller parts
 * @order: the largest order of a mapping that the guest may have in the block: 0 or 9
 */
#define GMS_PREPARED_AT(order) (0x4000 + (order))

/**
 * struct gms_backend_ops - the hooks
 * @struct_size: sizeof(struct gms_backend_ops). The hooks that a smaller struct lacks are NULL. A
 *               larger struct is accepted if all bytes that this library does not know are 0
 * @flags: 0 or GMS_BACKEND_PINS_BY_FOLIO
 * @unmap_host: unmaps the range from the host: see backend.h
 * @check_pins: looks for references that the library does not count. Returns 0 if there are none
 *              in the range; -EAGAIN if there are: *@pinned is then the first page with one; or
 *              another error, which the call returns. Also called before a folio is split
 * @invalidate_begin: begins a change of the guest's mappings of the range (mmu_invalidate_begin)
 * @zap_guest: unmaps from the guest those pages of the range that are @only, by their state before
 *             the change. Unmaps the whole of a larger mapping that covers a part of the range
 * @apply: makes the range @to for the architecture. *@failed is @start before the call. On failure
 *         the hook may set it to the first page that is not applied: see backend.h. -EAGAIN: that
 *         page is in use, and gms_convert() reports it as its err_index
 * @undo: undoes an apply: makes the range @back_to again, with or without its contents. If it
 *        fails, the range is quarantined
 * @invalidate_end: ends what @invalidate_begin began: the guest may have new mappings of the range
 *                  (mmu_invalidate_end). Called as often as @invalidate_begin, for the same ranges
 * @prepare: makes a private block of 2^@order pages ready for the guest (SNP: assigns the RMP
 *           entries; TDX: adds the pages). Returns 0, -errno, or GMS_PREPARED_AT(): the block is
 *           ready, and from now on the guest may have no larger mapping there, as after
 *           gms_inhibit(). If there was no memory to note the answer, or if another fault came
 *           first, the hook may be called again for a block that it has prepared. It must return
 *           the same answer then
 * @folio_alloc: allocates a folio
 * @folio_free: frees a folio
 * @folio_split: splits the folio at @index, of order @from, into folios of order @to. -EAGAIN: the
 *               folio is in use; a conversion names its first page in the range
 * @folio_merge: merges the folios of order @from in the block of order @to at @index into one. If
 *               @from is 0 and @to is 18, some of the folios may be of order 9. If it fails, the
 *               folios stay as they are, and the call goes on. Also called to undo a @folio_split
 * @block_freed: is notified that the 1G block at @index had folios and has none now (SNP: the time
 *               for RMPOPT). Also called by gms_state_destroy()
 * @map_host: maps the range, whose pages are shared, for the host: see backend.h. If it fails,
 *            the range is quarantined
 * @repair: makes a quarantined range @to, whatever it is now. gms_repair() calls it before the
 *          state changes. If it fails, the range stays quarantined. Without this hook the caller
 *          of gms_repair() makes the range @to by other means, before the call
 *
 * The struct is copied when an object is created.
 *
 * Locks held during a hook
 *
 *  - the convert lock, and the invalidate lock exclusively: in conversions, holes, repairs and
 *    gms_maintain(), when a range is quarantined, and in gms_attr_set() and gms_inhibit(), which
 *    call @invalidate_begin, @zap_guest for both kinds and @invalidate_end;
 *  - the invalidate lock, shared, and the folio lock: in faults, pins and gms_allocate(), which
 *    call @prepare, @folio_alloc, @folio_split and @check_pins;
 *  - none: in gms_state_destroy().
 */
struct gms_backend_ops {
	size_t struct_size;
	unsigned int flags;
	int (*unmap_host)(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
	int (*check_pins)(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned);
	void (*invalidate_begin)(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
	void (*zap_guest)(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability only);
	int (*apply)(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		     gms_pgoff_t *failed);
	int (*undo)(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to);
	void (*invalidate_end)(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
	int (*prepare)(void *ctx, gms_pgoff_t start, unsigned int order);
	int (*folio_alloc)(void *ctx, gms_pgoff_t index, unsigned int order);
	void (*folio_free)(void *ctx, gms_pgoff_t index, unsigned int order);
	int (*folio_split)(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to);
	int (*folio_merge)(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to);
	void (*block_freed)(void *ctx, gms_pgoff_t index);
	int (*map_host)(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
	int (*repair)(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);
};

/** GMS_BACKEND_OPS_INIT - a backend with @struct_size set, and without hooks */
/* clang-format off */
#define GMS_BACKEND_OPS_INIT \
	{ sizeof(struct gms_backend_ops), 0, NULL, NULL, NULL, NULL, NULL, NULL, \
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_BACKEND_H */
