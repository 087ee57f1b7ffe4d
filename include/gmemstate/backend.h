/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/backend.h - what the engine has done for it: memory, mappings, the architecture
 *
 * All hooks are optional: one that is not there has succeeded. A folio is named by the index
 * of its first page and its order; the library keeps no pointers to memory.
 *
 * Hooks are called with locks held. From inside one only queries may be made, also while
 * gms_state_destroy() runs; a call that changes something, or a fault, returns -EDEADLK.
 * gms_unpin() works. What a hook returns as an error is returned by the call that it was made for,
 * after all that this call did was undone. (A positive value counts as -EIO.)
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
 * A conversion to private ends before the first page that gms_pin() has pinned: no hook is called
 * for runs behind that page, nor for the rest of its run.
 *
 * On failure what was done is undone in reverse:
 *
 *	apply fails          undo for the runs that were applied, the last first; invalidate_end;
 *	                     folio_merge for the folios that were split; map_host for each run
 *	folio_split fails    folio_merge for the folios that were split; map_host for each run
 *	check_pins fails     map_host for each run
 *	unmap_host fails     map_host for each run, up to the one that failed
 *	a listener refuses   unmap_host, check_pins, invalidate_begin, zap_guest SHARED, undo for all
 *	what became shared   runs, the last first; invalidate_end; folio_merge as the policy says
 *
 * If undo or map_host fails the state of the pages is unknown, and they are quarantined: one call
 * each of unmap_host, invalidate_begin, zap_guest for both kinds and invalidate_end, for the range
 * from the first run to the last (of a hole: all of it). What unmap_host returns there is ignored.
 *
 * How apply says that it did a part of its run before it failed. If it took that part back itself,
 * it leaves *failed alone. Else it sets *failed to the first page that was not done, and undo is
 * called for the pages before that one. A backend that does not know how far its kernel came sets
 * *failed to the end of the run: then undo is called for all of it, and makes each page what it was
 * before, whatever it is now. With -EAGAIN *failed is also the page that is in use: a backend that
 * took everything back may set it all the same, as an undo of pages that are right does nothing.
 *
 * The host's mappings are kept by the kernel or by the backend.
 *
 *	without map_host   the host faults pages back in, and asks by gms_fault_begin(). unmap_host
 *	                   covers whole folios where those are exposed, as the host may have a huge
 *	                   mapping of them. A kernel is such a backend
 *	with map_host      the backend keeps the host's view itself, page by page. unmap_host takes
 *	                   exactly the pages that are about to go private or to be punched out.
 *	                   map_host gives back the pages of its range that are still shared. A VMM
 *	                   that maps something over private pages is such a backend
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
 * GMS_PREPARED_AT() - what @prepare returns for a block that it prepared in smaller parts
 * @order: the largest mapping that the guest may have in the block: 0 or 9
 */
#define GMS_PREPARED_AT(order) (0x4000 + (order))

/**
 * struct gms_backend_ops - the hooks
 * @struct_size: sizeof(struct gms_backend_ops). A smaller one is accepted, and the hooks that it
 *               lacks are not there; a larger one where all that this library does not know is 0
 * @flags: 0 or GMS_BACKEND_PINS_BY_FOLIO
 * @unmap_host: take the range from the host: see above
 * @check_pins: references beyond those that the library counts. 0: there are none in the range;
 *              -EAGAIN: there are, and *@pinned is the first such page; another error is one.
 *              Also asked before a folio is split
 * @invalidate_begin: the guest's mappings of the range are about to go (mmu_invalidate_begin)
 * @zap_guest: take the range out of the guest's page tables where its pages are @only, which is
 *             what they are before the change. A larger mapping that covers a part of the range
 *             goes as a whole
 * @apply: make the range @to for the architecture. On failure *@failed, which holds
 *         @start before, may be set to the first page that was not done. -EAGAIN: that page is in
 *         use, and gms_convert() says so by its err_index; what comes before it is undone
 * @undo: take back an apply, so that the range is @back_to again, with or without what it held.
 *        Where it fails the range is quarantined
 * @invalidate_end: new mappings of the range may be made (mmu_invalidate_end); made as often
 *                  as @invalidate_begin, for the same ranges
 * @prepare: make a private block of 2^@order pages ready for the guest (SNP: assign the
 *           RMP entries; TDX: add the pages). Returns 0, -errno, or GMS_PREPARED_AT(): done, and
 *           the guest may have no larger mapping there from now on, as by gms_inhibit(). May be
 *           called again for a block that it has prepared already, and returns the same then:
 *           where there was no memory to note its answer down, or another fault came before
 * @folio_alloc: allocate a folio
 * @folio_free: free a folio
 * @folio_split: turn the folio at @index of order @from into folios of order @to
 * @folio_merge: turn the folios of order @from in the block of order @to at @index into one;
 *               they are mixed in orders where @from is 0 and @to is 18. A refusal is no error:
 *               they stay as they are. Also called to undo a @folio_split
 * @block_freed: the 1G block at @index had folios and now has none (on SNP: time for RMPOPT); also
 *               called by gms_state_destroy()
 * @map_host: give the host what is shared of the range: see above. Where it fails the range is
 *            quarantined
 * @repair: make a quarantined range @to, whatever it is now: called by gms_repair(), before the
 *          state says so. Where it fails the range stays quarantined. Without it the caller of
 *          gms_repair() does this by its own means, and before the call
 *
 * The struct is copied when an object is created.
 *
 * A hook must not wait for a thread that faults, pins or converts in the same shard.
 *
 * Locks held: the invalidate lock, exclusively in conversions, holes, gms_attr_set() (which calls
 * invalidate_begin, zap_guest for both kinds and invalidate_end), gms_inhibit() (alike), repairs,
 * gms_maintain(), and
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
	int (*map_host)(void *ctx, gms_pgoff_t start, uint64_t nr_pages);
	int (*repair)(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);
};

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_BACKEND_H */
