/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/backend.h - what the engine has done for it: memory, mappings, the architecture
 *
 * All hooks are optional: one that is not there has succeeded. A folio is named by the index
 * of its first page and its order; the library keeps no pointers to memory.
 *
 * Hooks are called with locks held. From inside one only queries may be made; a call that
 * changes something, or a fault, returns -EDEADLK. gms_unpin() works. What a hook returns
 * as an error is returned by the call that it was made for, after all that this call did was
 * undone. (A positive value counts as -EIO.)
 *
 * The calls of one conversion, in order; runs are the parts of the range that change:
 *
 *	to private                      to shared
 *	unmap_host, each run
 *	check_pins, each run
 *	folio_split                     folio_split             as the policy says
 *	invalidate_begin, each run      invalidate_begin
 *	zap_guest SHARED, each run      zap_guest PRIVATE
 *	apply, each run                 apply
 *	                 (the new state is published)
 *	invalidate_end, each run        invalidate_end
 *	folio_merge                     folio_merge             as the policy says
 *
 * Where apply fails: undo for the runs that were applied, the last first, then
 * invalidate_end, then folio_merge for the folios that were split. Where a listener refuses what
 * has become shared: unmap_host, check_pins, invalidate_begin, zap_guest SHARED, undo for all runs,
 * the last first, invalidate_end, and folio_merge as the policy says.
 */
#ifndef GMEMSTATE_BACKEND_H
#define GMEMSTATE_BACKEND_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * GMS_BACKEND_PINS_BY_FOLIO - references are to whole folios
 *
 * As in a kernel, whose folios have one reference count: a pinned page anywhere in a folio
 * keeps every page of it from becoming private, and from being punched out.
 */
#define GMS_BACKEND_PINS_BY_FOLIO (1U << 0)

/**
 * struct gms_backend_ops - the hooks
 * @struct_size: sizeof(struct gms_backend_ops); a larger one is accepted where all that this
 *               library does not know is 0
 * @flags: 0 or GMS_BACKEND_PINS_BY_FOLIO
 * @unmap_host: take the range out of the host's page tables. It covers whole folios where
 *              those are exposed (the host may have a huge mapping of them)
 * @check_pins: references beyond those that the library counts. 0: there are none in the range;
 *              -EAGAIN: there are, and *@pinned is the first such page; another error is one.
 *              Also asked before a folio is split
 * @invalidate_begin: the guest's mappings of the range are about to go (mmu_invalidate_begin)
 * @zap_guest: take the range out of the guest's page tables where its pages are @only, which is
 *             what they are before the change
 * @apply: make the range @to for the architecture. On failure *@failed, which holds
 *         @start before, may be set to the first page that was not done. -EAGAIN: that page is in
 *         use, and gms_convert() says so by its err_index; what comes before it is undone
 * @undo: take back an apply, so that the range is @back_to again, with or without what it held.
 *        Where it fails the range is quarantined
 * @invalidate_end: new mappings of the range may be made (mmu_invalidate_end); made as often
 *                  as @invalidate_begin, for the same ranges
 * @prepare: make a private block of 2^@order pages ready for the guest (SNP: assign the
 *           RMP entries; TDX: add the pages). May be told again of a block that it has prepared
 *           already, where there was no memory to note that down
 * @folio_alloc: allocate a folio
 * @folio_free: free a folio
 * @folio_split: turn the folio at @index of order @from into folios of order @to
 * @folio_merge: turn the folios of order @from in the block of order @to at @index into one;
 *               they are mixed in orders where @from is 0 and @to is 18. A refusal is no error:
 *               they stay as they are. Also called to undo a @folio_split
 * @block_freed: the 1G block at @index had folios and now has none (on SNP: time for RMPOPT); told
 *               by gms_state_destroy(), too
 *
 * The struct is copied when an object is created.
 *
 * A hook must not wait for a thread that faults, pins or converts in the same shard.
 *
 * Locks held: the invalidate lock, exclusively in conversions, holes, gms_attr_set() (which calls
 * invalidate_begin, zap_guest for both kinds and invalidate_end), repairs, gms_maintain(), and
 * where a range is quarantined (unmap_host, too); gms_state_destroy() holds none;
 * shared, and the folio lock, at a fault: in @prepare, @folio_alloc, @folio_split, @check_pins, and
 * in @folio_free and @block_freed where there was no memory to note down what had been allocated.
 * All may sleep. Hooks for different folios run at the same time.
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
};

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_BACKEND_H */
