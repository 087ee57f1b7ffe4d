/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sim_priv.h - what the files of the simulated backend share
 *
 * Everything is under one lock: the hooks are called by several threads.
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

/* sim_refuse() */
struct sim_refusal {
	unsigned int hooks;
	uint64_t skip;
	uint64_t count;
	int err;
	uint64_t after;
};

/**
 * struct sim - the machine
 * @private: pages that are
 * @prepared: pages that are ready for the guest
 * @begun: between invalidate_begin and invalidate_end
 * @zapped: of those: zapped while they were shared [0], private [1]
 * @applied: of those: changed sides
 * @nr_begun: invalidate_begin less invalidate_end
 * @folios: what is allocated
 * @maps: page tables, by enum gms_accessor
 * @used: for each 1G block, whether it had folios since it was last free
 * @pins: of the backend's own
 * @calls: the recorded ones
 * @broken: the first broken rule; empty: none
 * @differs: what sim_compare() says
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

/* The hooks, without struct_size and flags. */
extern const struct gms_backend_ops sim_hooks;

/* Note that a rule is broken; the first text stays. */
void sim_broke(struct sim *sim, const struct sim_call *call, const char *rule);

/* Is the range in the object? */
bool sim_in_object(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages);

/* The first pin of the backend's own in the range. */
bool sim_find_pin(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *index);

/* Put a range into a set, or take it out. */
void sim_mark(struct sim *sim, const struct sim_call *call, struct gms_rtree *tree, bool set);

#endif /* GMS_SIM_PRIV_H */
