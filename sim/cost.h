/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cost.h - costs of the simulated machine in cycles
 *
 * Three figures were published with the HugeTLB patches for guest_memfd (SNP, eager splitting).
 * Each figure below is marked as published, as derived from a published one, or as assumed.
 * Assumed figures are round numbers of a plausible size. Sums of costs are for comparing runs with
 * each other. They do not forecast what a machine does.
 */
#ifndef GMS_SIM_COST_H
#define GMS_SIM_COST_H

#include "sim.h"

/* Published: one conversion that neither splits nor merges. */
#define COST_CONVERT 320

/* Published: one split or merge between 1G and 4K. */
#define COST_1G_4K 46475980

/* Published: with 2M folios "about 100 times" a plain conversion. */
#define COST_2M_4K (100 * COST_CONVERT)

/*
 * Derived: one split or merge between 1G and 2M. Costs are taken to be in proportion to the memory
 * for struct pages that a split restores: 511 pages between 1G and 2M, 4095 pages between 1G and
 * 4K. (Between 2M and 4K this gives 79,446, within a factor of 3 of the published figure.)
 */
#define COST_1G_2M (COST_1G_4K / 4095 * 511)

/*
 * HugeTLB's vmemmap optimisation: a folio of 2M or 1G keeps one page of its struct pages. So a
 * split of 2M to 4K restores 28K of them, and a split of 1G to 4K restores 16M - 4K.
 */
#define COST_STRUCT_PAGE 64
#define COST_VMEMMAP_HUGE 4096

/* Returns the bytes of struct pages of the folios of one order that cover @nr_pages. */
static inline uint64_t cost_vmemmap(uint64_t nr_pages, unsigned int order)
{
	return order ? (nr_pages >> order) * COST_VMEMMAP_HUGE : nr_pages * COST_STRUCT_PAGE;
}

/*
 * Assumed.
 *
 * MAP: one fault. A first touch, with its mapping, took 1500 ns on a machine of some 3 GHz.
 * ZAP: removing one entry of a page table, without the TLB shootdown.
 * ALLOC, FREE: bookkeeping of one folio. CLEAR_PAGE: setting one page to 0, 8 bytes a cycle.
 */
#define COST_MAP 4500
#define COST_ZAP 500
#define COST_ALLOC 1000
#define COST_FREE 500
#define COST_CLEAR_PAGE 512

/*
 * Assumed, for one entry of 4K or 2M.
 *
 * SNP: RMPUPDATE. TDX: calls of the module, which are slower; to remove a page takes several of
 * them (block, track, remove). pKVM: apply is a hypercall that changes two stage-2 tables, and
 * prepare changes the guest's table only.
 */
struct cost_arch {
	uint64_t apply;
	uint64_t prepare;
};

static const struct cost_arch cost_archs[] = {
	[SIM_SNP] = {500, 1000},
	[SIM_TDX] = {6000, 3000},
	[SIM_PKVM] = {2000, 500},
};

#endif /* GMS_SIM_COST_H */
