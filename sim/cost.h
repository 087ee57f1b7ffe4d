/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cost.h - what the simulated machine charges, in cycles
 *
 * Three figures were published, with the HugeTLB patches for guest_memfd (SNP, eager
 * splitting), and all that follows from them is marked so. The rest is assumed: round
 * numbers of a plausible size, all in this file, so that they can be doubted in one place.
 * Sums compare runs with each other; they are no forecast of a machine.
 */
#ifndef GMS_SIM_COST_H
#define GMS_SIM_COST_H

#include "sim.h"

/* Published: one conversion that neither splits nor merges. */
#define COST_CONVERT 320

/* Published: one split or one merge of a 1G folio; it was one between 1G and 4K. */
#define COST_1G_4K 46475980

/* Published: with 2M folios "about 100 times" a plain conversion. */
#define COST_2M_4K (100 * COST_CONVERT)

/*
 * Derived: between 1G and 2M, by the pages of struct pages that have to be put back: 511 of
 * the 4095 between 1G and 4K. (By that rule 2M would cost 79,446, so it is right by a factor
 * of 3.)
 */
#define COST_1G_2M (COST_1G_4K / 4095 * 511)

/*
 * HugeTLB's vmemmap optimisation: a folio of 2M or 1G keeps one page of its struct pages, so
 * a split of 2M takes 28K, one of 1G to 4K 16M - 4K.
 */
#define COST_STRUCT_PAGE 64
#define COST_VMEMMAP_HUGE 4096

/* Returns the bytes of the struct pages that folios of one order have, which cover @nr_pages. */
static inline uint64_t cost_vmemmap(uint64_t nr_pages, unsigned int order)
{
	return order ? (nr_pages >> order) * COST_VMEMMAP_HUGE : nr_pages * COST_STRUCT_PAGE;
}

/*
 * Assumed.
 *
 * MAP: a fault, whose first touch took 1500 ns on a machine of some 3 GHz, mapping included.
 * ZAP: one entry of a page table taken out; TLB shootdowns are not charged.
 * ALLOC, FREE: a folio's bookkeeping. CLEAR: a page of it set to zero, 8 bytes a cycle.
 */
#define COST_MAP 4500
#define COST_ZAP 500
#define COST_ALLOC 1000
#define COST_FREE 500
#define COST_CLEAR_PAGE 512

/*
 * Assumed, for one entry of 4K or 2M. apply: the page changes sides; prepare: it is made ready
 * for the guest.
 *
 * SNP: RMPUPDATE. TDX: calls of the module, which are slower, and several to take a page away
 * (block, track, remove). pKVM: a hypercall that changes two stage-2 tables; there is nothing to
 * prepare but the guest's.
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
