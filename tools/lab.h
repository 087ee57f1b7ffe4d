/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab.h - replays a log under one policy, on the simulated backend
 *
 * What an event does:
 *
 *  to_shared, to_private  gms_convert()
 *  accept                 gms_convert() to private; then the guest uses the range
 *  guest_touch            the guest uses the range: it faults, and each fault maps the largest
 *                         block that the library allows. Private pages are prepared
 *  host_read, host_write  DMA: the pages are pinned, faulted and mapped, and stay pinned for
 *                         LAB_PIN_US
 *  free                   nothing, because guests do not report it; with lab_opts.punch a hole is
 *                         punched
 *
 * Invariants:
 *  1. The guest maps all pages that it uses. If a conversion, a split or a merge removes a
 *     mapping, the guest faults again at once. So at any time the mappings are those that the
 *     policy allows to a guest that touches all of its memory all the time.
 *  2. After a conversion of all memory to shared the guest uses nothing: that is a reboot.
 *  3. A log in the format ftrace or qemu has no accesses, and does not show what the guest uses.
 *     After its first event the guest uses all memory.
 *
 * If a pin refuses a call (-EAGAIN), the pins in the range are dropped, and the call is repeated,
 * as a VMM does that waits for a device. gms_maintain() is called every LAB_MAINTAIN_US. Time is
 * that of the log.
 */
#ifndef GMS_TOOL_LAB_H
#define GMS_TOOL_LAB_H

#include "log.h"

#include <sim.h>

#include <gmemstate/state.h>

/*
 * How long the host keeps pages pinned. The bundled logs have an access when a DMA buffer is
 * mapped or unmapped, and leave out an access that repeats another one within a millisecond. So a
 * buffer may have been in use for a millisecond after an access.
 */
#define LAB_PIN_US 1000

#define LAB_MAINTAIN_US 100000

/* The most pins, and the most pages in all of them. If there are more, the oldest are dropped. */
#define LAB_MAX_PINS 4096
#define LAB_MAX_PINNED (1ULL << 20)

/* Accessors, as indexes of mapped_pages in struct sim_totals. */
#define LAB_GUEST 0
#define LAB_HOST 1

/**
 * struct lab_opts - options of a run
 * @policy: the policy
 * @nr_pages: size of the object in pages
 * @folio_order: order of the backing's folios
 * @init_private: every page is private at first
 * @pins_by_folio: the backend has the flag GMS_BACKEND_PINS_BY_FOLIO
 * @punch: an event free punches a hole
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
 * struct lab_result - result of a run
 * @stats: the object's counters after the last event
 * @totals: the simulation's counters after the last event
 * @nr_folios: complete folios of the backing's order in the object
 * @nr_split: folios of the backing's order that were split at least once
 * @nr_pinned_retries: calls that a pin refused, and that were repeated without the pin
 * @nr_denied: accesses of the host that the library refused because a page is private
 * @nr_refused: events that the library refused for another reason
 * @nr_out_of_reach: accesses outside the object, or of more than LAB_MAX_PINNED pages
 * @nr_ignored: events free that did nothing, because lab_opts.punch is not set
 * @average_pages: mapped pages by accessor and level, averaged over the time of the log
 * @broken: the first rule that the library broke, by sim_check(); empty: none
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
 * lab_run() - replay a log under one policy
 * @result: filled in
 * @log: the log
 * @opts: the options
 *
 * Return: 0; -ENOMEM; -EINVAL: the library makes no such object.
 */
int lab_run(struct lab_result *result, const struct log *log, const struct lab_opts *opts);

#endif /* GMS_TOOL_LAB_H */
