/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sim.h - a simulated backend, for tests, benchmarks and the tool
 *
 * The backend simulates folios, page tables of host and guest, an RMP (SNP) or S-EPT (TDX), and
 * vmemmap. It counts cycles, records calls, and refuses calls on demand. All functions are
 * thread-safe, except that no call may be under way during sim_calls() and sim_compare().
 *
 * Invariants:
 *  1. If the library breaks a rule of backend.h, the first call that does so is kept as a text:
 *     sim_check().
 *  2. A refused call changes nothing and costs nothing. Only apply may do a part of its work
 *     before it fails: sim_refuse_after().
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

enum sim_arch { SIM_SNP, SIM_TDX, SIM_PKVM };

/**
 * struct sim_opts - options of a simulated backend
 * @nr_pages: size of the object in pages
 * @folio_order: order of the backing's folios, as in struct gms_state_opts
 * @init_private: every page is private at first, as with GMS_INIT_PRIVATE
 * @arch: the machine, which sets the cost of prepare and apply
 * @flags: flags of struct gms_backend_ops
 * @record: how many calls are recorded, from the first on; 0: calls are only counted
 */
struct sim_opts {
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	enum sim_arch arch;
	unsigned int flags;
	size_t record;
};

/* Causes of cycles. */
enum sim_cause {
	SIM_COST_ALLOC,
	SIM_COST_FREE,
	SIM_COST_SPLIT,
	SIM_COST_MERGE,
	SIM_COST_ZAP, /* removal of guest and host mappings */
	SIM_COST_MAP, /* sim_map() */
	SIM_COST_APPLY,
	SIM_COST_PREPARE,
	SIM_NR_COSTS
};

/**
 * struct sim_totals - the counters
 * @calls: the number of calls of each hook, including refused calls
 * @cycles: the cycles of each cause
 * @vmemmap_bytes: the bytes of struct pages at present
 * @vmemmap_given_back: the bytes of struct pages that all splits so far had to restore: a folio of
 *                      2M or 1G keeps one page of its struct pages (HugeTLB's vmemmap
 *                      optimisation), and folios of 4K need all of them
 * @mapped_pages: the pages mapped at present, in the guest [0] and in the host [1], by level of
 *                the mapping (0: 4K, 1: 2M, 2: 1G)
 */
struct sim_totals {
	uint64_t calls[SIM_NR_HOOKS];
	uint64_t cycles[SIM_NR_COSTS];
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

/* Finds the first page of [from, end) that the accessor has not mapped. Returns false if none. */
bool sim_next_unmapped(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t from,
		       gms_pgoff_t end, gms_pgoff_t *index);

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
