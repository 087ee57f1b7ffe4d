/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sim_priv.h - the simulated backend, for its own files
 *
 * Locks. The hooks and the functions of sim.h hold sim->lock while they access the machine, except
 * sim_calls() and sim_compare(), which run alone.
 */
#ifndef GMS_SIM_PRIV_H
#define GMS_SIM_PRIV_H

#include "sim.h"
#include "sizes.h"

#include <gmemstate/order.h>

#include <pthread.h>

struct sim_range {
	gms_pgoff_t start;
	uint64_t nr_pages;
};

/* The arguments of sim_refuse() and sim_refuse_after(). */
struct sim_refusal {
	unsigned int hooks;
	uint64_t skip;
	uint64_t count;
	int err;
	uint64_t after;
};

/**
 * struct sim - the machine
 * @private: private pages
 * @prepared: prepared pages
 * @begun: pages between invalidate_begin and invalidate_end
 * @zapped: pages of @begun for which zap_guest was called with GMS_SHARED [0] or GMS_PRIVATE [1]
 * @applied: pages of @begun that were converted
 * @nr_begun: calls of invalidate_begin minus calls of invalidate_end
 * @folios: the folios
 * @maps: page tables, by enum gms_accessor
 * @used: for each 1G block: not 0 if it had folios after the last block_freed
 * @pins: references that the library does not count
 * @calls: the recorded calls
 * @broken: the first broken rule; empty: none
 * @differs: text of sim_compare()
 */
struct sim {
	struct sim_opts opts;
	struct gms_backend_ops ops;
	pthread_mutex_t lock;
	struct gms_rtree *private;
	struct gms_rtree *prepared;
	struct gms_rtree *begun;
	struct gms_rtree *zapped[2];
	struct gms_rtree *applied;
	uint64_t nr_begun;
	struct sizes folios;
	struct sizes maps[2];
	unsigned char *used;
	struct sim_range *pins;
	size_t nr_pins;
	struct sim_refusal refusal;
	void (*on_call)(void *arg, const struct sim_call *call);
	void *on_call_arg;
	struct sim_call *calls;
	size_t nr_calls;
	struct sim_totals totals;
	char broken[160];
	char differs[160];
};

/*
 * HugeTLB's vmemmap optimisation: a folio of 2M or 1G keeps one page of its struct pages. So a
 * split of 2M to 4K restores 28K of them, and a split of 1G to 4K restores 16M - 4K.
 */
#define SIM_STRUCT_PAGE 64
#define SIM_VMEMMAP_PAGE 4096

/* Returns the bytes of struct pages of the folios of one order that cover @nr_pages. */
static inline uint64_t sim_vmemmap(uint64_t nr_pages, unsigned int order)
{
	return order ? (nr_pages >> order) * SIM_VMEMMAP_PAGE : nr_pages * SIM_STRUCT_PAGE;
}

/* The hooks, without struct_size and flags. */
extern const struct gms_backend_ops sim_hooks;

/* Records that a call breaks a rule. Keeps the first text. */
void sim_broke(struct sim *sim, const struct sim_call *call, const char *rule);

/* Returns true if a range is not empty and lies in the object. */
bool sim_in_object(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);

/* Finds the first page of a range that is in @pins. Returns false if there is none. */
bool sim_find_pin(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *index);

/* Adds the range of a call to a set, or removes it. */
void sim_mark(struct sim *sim, const struct sim_call *call, struct gms_rtree *tree, bool set);

#endif /* GMS_SIM_PRIV_H */
