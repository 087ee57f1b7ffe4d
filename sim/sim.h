/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sim.h - a backend without a machine behind it
 *
 * It has simulated folios, page tables of host and guest, an RMP (SNP) or S-EPT (TDX), and
 * vmemmap; it counts what each costs in cycles, records the calls, refuses where it is told
 * to, and watches the library: a call that breaks a rule of backend.h is kept as a text.
 * For tests, benchmarks and the policy tool. Thread-safe.
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
 * @hook: which
 * @start: first page
 * @nr_pages: length in pages; of a folio, 2^order
 * @from: order before: of a split or merge; else the folio's or block's order, or 0
 * @to: order after; or the enum gms_shareability of zap_guest, apply, undo; else 0
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
 * struct sim_opts - how to make one
 * @nr_pages: size of the object in pages
 * @folio_order: of the backing, as in struct gms_state_opts
 * @init_private: as GMS_INIT_PRIVATE
 * @arch: what prepare and apply cost, and of which grain they are
 * @flags: of struct gms_backend_ops
 * @record: calls that are kept, the first ones; 0: none, only counts
 */
struct sim_opts {
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	enum sim_arch arch;
	unsigned int flags;
	size_t record;
};

/* What cycles are spent on. */
enum sim_cause {
	SIM_COST_ALLOC,
	SIM_COST_FREE,
	SIM_COST_SPLIT,
	SIM_COST_MERGE,
	SIM_COST_ZAP, /* guest and host mappings torn down */
	SIM_COST_MAP, /* mappings made: sim_map() */
	SIM_COST_APPLY,
	SIM_COST_PREPARE,
	SIM_NR_COSTS
};

/**
 * struct sim_totals - what came together
 * @calls: by hook, refused ones included
 * @cycles: by cause
 * @vmemmap_bytes: of struct pages, now
 * @vmemmap_given_back: bytes that splits have cost so far: a folio of order 9 or 18 needs one
 *                      page of struct pages (HugeTLB's vmemmap optimisation), pages of 4K all
 * @mapped_pages: guest [0] and host [1] mappings by order (0: 4K, 1: 2M, 2: 1G), in pages, now
 */
struct sim_totals {
	uint64_t calls[SIM_NR_HOOKS];
	uint64_t cycles[SIM_NR_COSTS];
	uint64_t vmemmap_bytes;
	uint64_t vmemmap_given_back;
	uint64_t mapped_pages[2][3];
};

/* 0, -EINVAL or -ENOMEM. */
int sim_create(const struct sim_opts *opts, struct sim **sim);
void sim_destroy(struct sim *sim);

/* To be given to gms_state_create(), with the sim as context. May be changed before that. */
struct gms_backend_ops *sim_ops(struct sim *sim);

/*
 * Of the calls to come of hooks in @hooks (bits 1 << enum sim_hook), let @skip pass, then have
 * @count fail with @err. Hooks that return nothing are counted, and cannot fail.
 */
void sim_refuse(struct sim *sim, unsigned int hooks, uint64_t skip, uint64_t count, int err);

/* apply does @nr_pages of the run that it refuses, and says so; 0 at first. */
void sim_refuse_after(struct sim *sim, uint64_t nr_pages);

/* References of the backend's own, which check_pins tells of. */
int sim_pin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);
int sim_unpin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);

/* Called in each hook before it does anything, by the thread that is in it; no lock is held. */
void sim_on_call(struct sim *sim, void (*fn)(void *arg, const struct sim_call *call), void *arg);

/* The recorded calls, and forget them (totals stay). */
const struct sim_call *sim_calls(struct sim *sim, size_t *count);
void sim_forget(struct sim *sim);
const char *sim_hook_name(enum sim_hook hook);

/*
 * What a VMM does between gms_fault_begin() and gms_fault_end(): map the block of 2^order pages
 * at the index. -EINVAL where it may not: a broken rule, as the fault said that it may.
 */
int sim_map(struct sim *sim, gms_pgoff_t index, unsigned int order, enum gms_accessor accessor);

/* The first page from @from on, and before @end, that the accessor has not mapped. */
bool sim_next_unmapped(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t from,
		       gms_pgoff_t end, gms_pgoff_t *index);

/* What a caller of gms_repair() does before it: the pages are @to now, and not prepared. */
int sim_set(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

void sim_totals(struct sim *sim, struct sim_totals *totals);

/*
 * NULL, or the first rule that the library broke: "hook [start, end) from to: rule", as in struct
 * sim_call. For what is missing, like an invalidate_end, ask sim_compare() at rest.
 */
const char *sim_check(struct sim *sim);

/*
 * NULL, or where the library and the machine do not agree: what is private, allocated, prepared,
 * of which order; invalidate_end and block_freed that are missing. At rest. What is quarantined
 * may be anything. Exact up to 8 GiB; beyond, each block of 2M is looked into.
 */
struct gms_state;
const char *sim_compare(struct sim *sim, const struct gms_state *state);

#endif /* GMS_SIM_H */
