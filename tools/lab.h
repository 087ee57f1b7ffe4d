/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab.h - a log under one policy, on the simulated backend
 *
 * What the log's events are taken for:
 *
 *  to_shared, to_private  gms_convert()
 *  accept                 gms_convert() to private, where that is due; then the guest uses it
 *  guest_touch            the guest uses it: a fault for each largest mapping that it may have,
 *                         with what is private prepared
 *  host_read, host_write  DMA: the pages are pinned, faulted and mapped, and stay pinned for
 *                         LAB_PIN_US
 *  free                   nothing, as guests do not tell their hosts; or a hole is punched
 *
 * What the guest uses it goes on using: what a conversion, split or merge has taken out of its
 * page tables it faults again at once. So the mappings at any time are what the policy
 * allows to a guest that touches all of its memory all the time. Where everything is made shared
 * at once there is no guest (it reboots), and nothing is in use. A log without accesses (ftrace,
 * qemu) does not say what is used: there it is all memory, from the first event on.
 *
 * Where a pin is in the way (-EAGAIN) all pins there are given up, and the call is made again: as
 * by a VMM that waits for the device. gms_maintain() is called every LAB_MAINTAIN_US. Time is the
 * log's.
 */
#ifndef GMS_TOOL_LAB_H
#define GMS_TOOL_LAB_H

#include "log.h"

#include <sim.h>

#include <gmemstate/state.h>

/*
 * How long the host keeps pages pinned. The bundled logs have an access when a DMA buffer is
 * mapped or unmapped, and leave out what follows the same access by less than a millisecond:
 * so a buffer may have been in use for that long after each.
 */
#define LAB_PIN_US 1000

#define LAB_MAINTAIN_US 100000

/* Accesses that are pinned at one time, and their pages: the oldest is given up for a new one. */
#define LAB_MAX_PINS 4096
#define LAB_MAX_PINNED (1ULL << 20)

/* Mappings by accessor: as in struct sim_totals. */
#define LAB_GUEST 0
#define LAB_HOST 1

/**
 * struct lab_opts - what to try
 * @policy: when to split and merge
 * @nr_pages: size of the object in pages
 * @folio_order: of its backing
 * @init_private: every page is private at first
 * @pins_by_folio: GMS_BACKEND_PINS_BY_FOLIO
 * @punch: punch a hole for each free
 */
struct lab_opts {
	const struct gms_policy_ops *policy;
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	bool pins_by_folio;
	bool punch;
};

/**
 * struct lab_result - what came of it
 * @stats: the object's counters after the last event
 * @totals: the simulation's
 * @nr_folios: of the backing's order that the object has, complete ones
 * @nr_split: of those: split at least once
 * @nr_pinned_retries: calls that were made again because of a pin
 * @nr_denied: accesses of the host that a private page was in the way of
 * @nr_refused: events that the library refused for another reason
 * @nr_out_of_reach: accesses that do not lie in the object, or are of more than LAB_MAX_PINNED
 * @nr_ignored: events that do nothing: free, without @punch
 * @average_pages: the mappings, averaged over the log's time
 * @broken: the rule that the library broke, by the simulation; empty: none
 */
struct lab_result {
	struct gms_stats stats;
	struct sim_totals totals;
	uint64_t nr_folios;
	uint64_t nr_split;
	uint64_t nr_pinned_retries;
	uint64_t nr_denied;
	uint64_t nr_refused;
	uint64_t nr_out_of_reach;
	uint64_t nr_ignored;
	double average_pages[2][3];
	char broken[160];
};

/**
 * lab_run() - replay a log
 * @result: filled in
 * @log: the log
 * @opts: how
 *
 * Return: 0; -ENOMEM; -EINVAL: the library takes no such object.
 */
int lab_run(struct lab_result *result, const struct log *log, const struct lab_opts *opts);

#endif /* GMS_TOOL_LAB_H */
