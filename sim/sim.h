/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sim.h - a simulated backend, for tests, benchmarks and the tool
 *
 * The backend simulates folios, page tables of host and guest, an RMP (SNP) or S-EPT (TDX), and
 * vmemmap. It counts the work that it does, records calls, and refuses calls on demand. It knows
 * no prices: the reader of the counters says what a unit of work costs. All functions are
 * thread-safe, except that no call may be under way during sim_calls() and sim_compare().
 *
 * Invariants:
 *  1. If the library breaks a rule of backend.h, the first call that does so is kept as a text:
 *     sim_check().
 *  2. A refused call changes nothing and is no work. Only apply may do a part of its work before
 *     it fails: sim_refuse_after().
 */
#ifndef GMS_SIM_H
#define GMS_SIM_H

#include <gmemstate/backend.h>

struct sim;

enum sim_hook {
	SIM_UNMAP_HOST,
	SIM_CHECK_PINS,
	SIM_INVALIDATE_BEGIN,
	SIM_ZAP_GUEST,
	SIM_APPLY,
	SIM_UNDO,
	SIM_INVALIDATE_END,
	SIM_PREPARE,
	SIM_FOLIO_ALLOC,
	SIM_FOLIO_FREE,
	SIM_FOLIO_SPLIT,
	SIM_FOLIO_MERGE,
	SIM_BLOCK_FREED,
	SIM_NR_HOOKS
};

/**
 * struct sim_call - one call of a hook
 * @hook: the hook
 * @start: index of the first page
 * @nr_pages: length in pages; for a folio, 2^order
 * @from: of a split or merge, the order before; else the order of the folio or block, or 0
 * @to: of a split or merge, the order after; of zap_guest, apply and undo, the enum
 *      gms_shareability; else 0
 * @ret: what the hook returned
 */
struct sim_call {
	enum sim_hook hook;
	gms_pgoff_t start;
	uint64_t nr_pages;
	unsigned int from;
	unsigned int to;
	int ret;
};

/**
 * struct sim_opts - options of a simulated backend
 * @nr_pages: size of the object in pages
 * @folio_order: order of the backing's folios, as in struct gms_state_opts
 * @init_private: every page is private at first, as with GMS_INIT_PRIVATE
 * @flags: flags of struct gms_backend_ops
 * @record: how many calls are recorded, from the first on; 0: calls are only counted
 */
struct sim_opts {
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	unsigned int flags;
	size_t record;
};

/**
 * enum sim_work - kinds of work, and the unit in which each of them is counted
 * @SIM_WORK_CONVERT: runs that apply converted, or undo converted back
 * @SIM_WORK_APPLY: entries of 4K or 2M that cover these runs
 * @SIM_WORK_PREPARE: entries of 4K or 2M that prepare made
 * @SIM_WORK_SPLIT_1G: pages of vmemmap that splits of 1G folios restored: 511 if the folio becomes
 *                     2M folios, 4095 if it becomes 4K folios
 * @SIM_WORK_SPLIT_2M: 2M folios that were split
 * @SIM_WORK_MERGE_1G: pages of vmemmap that merges to 1G freed: 511, and 7 more for each 2M block
 *                     that was split to 4K
 * @SIM_WORK_MERGE_2M: 2M folios that merges made
 * @SIM_WORK_FAULT: mappings that sim_map() made
 * @SIM_WORK_ZAP: mappings of guest and host that were removed
 * @SIM_WORK_ALLOC: folios that were allocated
 * @SIM_WORK_FREE: folios that were freed
 * @SIM_WORK_CLEAR: pages of the folios that were allocated, which have to be set to 0
 */
enum sim_work {
	SIM_WORK_CONVERT,
	SIM_WORK_APPLY,
	SIM_WORK_PREPARE,
	SIM_WORK_SPLIT_1G,
	SIM_WORK_SPLIT_2M,
	SIM_WORK_MERGE_1G,
	SIM_WORK_MERGE_2M,
	SIM_WORK_FAULT,
	SIM_WORK_ZAP,
	SIM_WORK_ALLOC,
	SIM_WORK_FREE,
	SIM_WORK_CLEAR,
	SIM_NR_WORK
};

/* The pages of vmemmap that a split of 1G to 4K restores. */
#define SIM_VMEMMAP_1G_4K 4095

/**
 * struct sim_totals - the counters
 * @calls: the number of calls of each hook, including refused calls
 * @work: the units of each kind of work
 * @vmemmap_bytes: the bytes of struct pages at present
 * @vmemmap_given_back: the bytes of struct pages that all splits so far had to restore: a folio of
 *                      2M or 1G keeps one page of its struct pages (HugeTLB's vmemmap
 *                      optimisation), and folios of 4K need all of them
 * @mapped_pages: the pages mapped at present, in the guest [0] and in the host [1], by level of
 *                the mapping (0: 4K, 1: 2M, 2: 1G)
 */
struct sim_totals {
	uint64_t calls[SIM_NR_HOOKS];
	uint64_t work[SIM_NR_WORK];
	uint64_t vmemmap_bytes;
	uint64_t vmemmap_given_back;
	uint64_t mapped_pages[2][3];
};

/* Creates a simulated backend. Returns 0, -EINVAL or -ENOMEM. */
int sim_create(const struct sim_opts *opts, struct sim **sim);
void sim_destroy(struct sim *sim);

/*
 * Returns the hooks to pass to gms_state_create(), with the sim as their context. The caller may
 * change them before it passes them.
 */
struct gms_backend_ops *sim_ops(struct sim *sim);

/*
 * Refuses calls of the hooks in @hooks (bits 1 << enum sim_hook): the next @skip calls pass, then
 * @count calls return @err. A hook that returns nothing is counted, and does not fail.
 */
void sim_refuse(struct sim *sim, unsigned int hooks, uint64_t skip, uint64_t count, int err);

/* Makes a refused apply convert the first @nr_pages of its run (initially 0), and report them. */
void sim_refuse_after(struct sim *sim, uint64_t nr_pages);

/*
 * Adds references that check_pins finds and the library does not count. Returns 0, -EINVAL or
 * -ENOMEM.
 */
int sim_pin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);

/* Removes the references of one sim_pin(). Returns 0, or -ENOENT if none had this range. */
int sim_unpin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);

/* Sets a function that each hook calls first, in its thread and without a lock. */
void sim_on_call(struct sim *sim, void (*fn)(void *arg, const struct sim_call *call), void *arg);

/* Returns the recorded calls. No call may be under way. */
const struct sim_call *sim_calls(struct sim *sim, size_t *count);

/* Drops the recorded calls, and keeps the totals. */
void sim_forget(struct sim *sim);

/* Returns the name of a hook: "apply". */
const char *sim_hook_name(enum sim_hook hook);

/*
 * Maps the block of 2^order pages at an index, as a VMM does between gms_fault_begin() and
 * gms_fault_end(). Returns 0; -ENOMEM; or -EINVAL: the mapping breaks a rule, so the fault allowed
 * too much.
 */
int sim_map(struct sim *sim, gms_pgoff_t index, unsigned int order, enum gms_accessor accessor);

/*
 * Maps by 4K what follows a page that a fault has mapped by 4K. These are the pages before @end of
 * the same shareability, not mapped yet and, if private, prepared. The last one of them is in the
 * same 2M block; if the page is in a folio of 4K, it may be behind that block, in such a folio.
 * Counts a fault for each page.
 * Returns 0, and in *nr_pages how many there were, or -ENOMEM.
 */
int sim_map_like(struct sim *sim, gms_pgoff_t index, gms_pgoff_t end, enum gms_accessor accessor,
		 uint64_t *nr_pages);

/* Finds the first page of [from, end) that the accessor has not mapped. Returns false if none. */
bool sim_next_unmapped(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t from,
		       gms_pgoff_t end, gms_pgoff_t *index);

/* Returns the order of the accessor's mapping at an index; 0 also if there is none. */
unsigned int sim_mapped_order(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t index);

/* Makes a range @to, and not prepared, as a VMM does before it calls gms_repair(). */
int sim_set(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

/* Reads the counters. */
void sim_totals(struct sim *sim, struct sim_totals *totals);

/*
 * Returns the first rule that the library broke, as "hook [start, end) from to: rule" with the
 * members of struct sim_call; NULL: none. sim_compare() finds calls that are missing, such as an
 * invalidate_end.
 */
const char *sim_check(struct sim *sim);

struct gms_state;

/*
 * Compares what is private, allocated and prepared, and the orders of folios, and looks for a
 * missing invalidate_end or block_freed. Returns the first difference between the library and the
 * machine; NULL: there is none. No operation may be under way. Quarantined pages may differ. In an
 * object of up to 8 GiB every page is compared, in a larger one some pages of each 2M block.
 */
const char *sim_compare(struct sim *sim, const struct gms_state *state);

#endif /* GMS_SIM_H */
