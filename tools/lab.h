/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab.h - replays a log under one policy, on the simulated backend
 *
 * What an event does:
 *
 *  to_shared, to_private  gms_convert()
 *  accept                 gms_convert() to private; then the guest touches the range
 *  guest_touch            the guest touches the range: it faults, and each fault maps the largest
 *                         block that the library allows. Private pages are prepared
 *  host_read, host_write  DMA: the host faults the pages, and pins them for lab_opts.pin_us; the
 *                         guest touches the range, too, because it fills or reads the buffer
 *  free                   nothing, because guests do not report it; with lab_opts.punch a hole is
 *                         punched
 *
 * What is touched otherwise:
 *
 *  private memory         the guest goes on to use what it has touched: if such a page is
 *                         unmapped, it faults again at once. Of shared memory it touches what the
 *                         log says
 *  lab_opts.guest_all     the guest uses all RAM, private and shared, after the first event
 *  lab_opts.host_all      the host touches all that becomes shared, at once, and pins none of it
 *
 * Invariants:
 *  1. The guest has mapped all private memory that it uses, by the largest mappings that the
 *     library allows. So no policy gains because a log does not show memory again that the policy
 *     has unmapped.
 *  2. After a conversion of all memory to shared the guest uses nothing: that is a reboot.
 *  3. A run does at most LAB_MAX_STEPS steps, whatever the log says: that takes some 20 seconds. A
 *     step is a fault, or a block of 2M (with folios of 4K: a page) that an event covers. Faults
 *     that map the rest of a 2M block by 4K are one step.
 *
 * If a pin refuses a call (-EAGAIN), the VMM waits until the pins in the way have ended, and
 * repeats the call. The wait is counted, and does not delay later events. gms_maintain() is
 * called every LAB_MAINTAIN_US, also while the log is quiet and after its end. Time is that of the
 * log.
 */
#ifndef GMS_TOOL_LAB_H
#define GMS_TOOL_LAB_H

#include "costs.h"
#include "log.h"
#include "log_ram.h"

#include <gmemstate/state.h>

/*
 * How long the host keeps pages pinned, unless an option says otherwise. The bundled logs have an
 * access when a DMA buffer is mapped or unmapped, and leave out an access that repeats another one
 * within a millisecond. So a buffer may have been in use for a millisecond after an access.
 */
#define LAB_PIN_US 1000

#define LAB_MAINTAIN_US 100000

/* The most pins, and the most pages in all of them. If there are more, the oldest are dropped. */
#define LAB_MAX_PINS 4096
#define LAB_MAX_PINNED (1ULL << 20)

#define LAB_MAX_STEPS (1ULL << 26)

/* Accessors, as indexes of mapped_pages in struct sim_totals. */
#define LAB_GUEST 0
#define LAB_HOST 1

/**
 * struct lab_opts - options of a run
 * @policy: the policy
 * @costs: the prices
 * @arch: the architecture
 * @nr_pages: size of the object in pages
 * @ram: ranges of the object that are memory of the guest, ascending; the rest is a hole
 * @nr_ram: ranges in @ram; 0: all of the object is memory
 * @ram_from: what says so, for reports
 * @folio_order: order of the backing's folios
 * @pin_us: how long an access pins its pages, in microseconds
 * @init_private: every page is private at first
 * @pins_by_folio: the backend has the flag GMS_BACKEND_PINS_BY_FOLIO
 * @guest_all: the guest uses all RAM, always
 * @host_all: the host touches all that becomes shared
 * @rmp_sticky: a 2M block of which the guest converted or accepted a part stays at 4K entries,
 *              until the guest converts or accepts all of it in one call
 * @punch: an event free punches a hole
 * @told: adaptive is told this many times the rents; 0: the rents
 * @progress: called now and then with the events that are done; NULL: not
 * @progress_arg: passed to @progress
 */
struct lab_opts {
	const struct gms_policy_ops *policy;
	const struct costs *costs;
	enum costs_arch arch;
	uint64_t nr_pages;
	struct log_ram ram[LOG_MAX_RAM];
	unsigned int nr_ram;
	enum log_ram_from ram_from;
	unsigned int folio_order;
	uint64_t pin_us;
	bool init_private;
	bool pins_by_folio;
	bool guest_all;
	bool host_all;
	bool rmp_sticky;
	bool punch;
	double told;
	void (*progress)(void *arg, size_t done);
	void *progress_arg;
};

/**
 * struct lab_sum - what a run has cost by some time
 * @us: the time since the first event, in microseconds
 * @part: cycles of each price, by enum costs_id. Those of COSTS_RENT_2M and COSTS_RENT_1G are
 *        rent, the others are work
 */
struct lab_sum {
	uint64_t us;
	double part[COSTS_NR];
};

/**
 * struct lab_result - result of a run
 * @stats: the object's counters after the last event
 * @totals: the simulation's counters after the last event
 * @nr_folios: complete folios of the backing's order in RAM
 * @nr_split: folios of the backing's order that were split at least once
 * @nr_put_off: folios whose split a pin has put off at least once
 * @nr_waits: calls that a pin refused, and that were repeated after the pin had ended
 * @waited_us: how long these calls had to wait, in all
 * @nr_denied: accesses of the host that the library refused because a page is private
 * @nr_out_of_reach: accesses outside the object, or of more than LAB_MAX_PINNED pages
 * @nr_ignored: events free that did nothing, because lab_opts.punch is not set
 * @refused: events that the library refused for another reason; owned by the caller
 * @average_pages: mapped pages by accessor and level, averaged over the time of the log
 * @stall_convert: cycles of the longest exclusive part of a conversion: split, merge, zap and
 *                 convert. Conversions in folios that the guest did not use yet do not count
 * @stall_fault: cycles of the longest split in a fault of the guest or the host
 * @stall_maintain: cycles of the longest time for which gms_maintain() merges one 1G block
 * @at_end: the costs by the last event
 * @settled: the costs after a quiet time behind it, in which adaptive has merged what it merges
 * @rate: cycles of the two rents in a second, from then on: of 2M blocks and of 1G blocks
 * @broken: the first rule that the library broke, by sim_check(); empty: none
 * @last_line: the line of the event that a failed run stopped at
 */
struct lab_result {
	struct gms_stats stats;
	struct sim_totals totals;
	uint64_t nr_folios;
	uint64_t nr_split;
	uint64_t nr_put_off;
	uint64_t nr_waits;
	uint64_t waited_us;
	uint64_t nr_denied;
	uint64_t nr_out_of_reach;
	uint64_t nr_ignored;
	struct log_refusals refused;
	double average_pages[2][3];
	double stall_convert;
	double stall_fault;
	double stall_maintain;
	struct lab_sum at_end;
	struct lab_sum settled;
	double rate[2];
	char broken[160];
	uint64_t last_line;
};

/**
 * lab_run() - replay a log under one policy
 * @result: filled in; lab_result_fini() has to follow, also after a failure
 * @log: the log
 * @opts: the options
 *
 * Return: 0; -ENOMEM; -EINVAL: the library makes no such object; -E2BIG: the run needs more than
 * LAB_MAX_STEPS steps, and stopped at @result->last_line.
 */
int lab_run(struct lab_result *result, const struct log *log, const struct lab_opts *opts);

/** lab_sum_work() - return the cycles of all work in a sum */
double lab_sum_work(const struct lab_sum *sum);

/** lab_sum_rent() - return the cycles of both rents in a sum */
double lab_sum_rent(const struct lab_sum *sum);

/** lab_result_stall() - return the cycles of the longest stall of a conversion or a fault */
double lab_result_stall(const struct lab_result *result);

/** lab_result_fini() - free what a result holds */
void lab_result_fini(struct lab_result *result);

#endif /* GMS_TOOL_LAB_H */
