/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_priv.h - one run of the lab, for its own files
 *
 *	lab.c		the events, one by one
 *	lab_touch.c	faults of the guest and of the host
 *	lab_pins.c	the pins of the host, and waiting for them
 *	lab_rent.c	how large the mappings of the guest could be, and what that costs
 *	lab_time.c	time: averages, rent, maintenance
 */
#ifndef GMS_TOOL_LAB_PRIV_H
#define GMS_TOOL_LAB_PRIV_H

#include "lab.h"

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

/* An access of the host whose pages are pinned. */
struct lab_pin {
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint64_t until_us;
};

/**
 * struct lab_pins - a ring of pins, in the order in which they were made
 * @pins: LAB_MAX_PINS places
 * @first: position of the oldest pin
 * @nr: number of pins
 * @nr_pages: number of pages of all pins
 */
struct lab_pins {
	struct lab_pin *pins;
	size_t first;
	size_t nr;
	uint64_t nr_pages;
};

/**
 * struct lab_rent - how large the mappings of the guest could be
 * @used: by 2M block: private pages that the guest uses; LAB_RENT_SMALL is set if only 4K entries
 *        can map them
 * @used_1g: by 1G block: the sum of the pages in @used; LAB_RENT_WHOLE is set if a 1G entry can
 *           map them
 * @broken: numbers of the 2M blocks whose RMP or S-EPT entry is broken
 * @pages_4k: pages that only 4K entries can map
 * @pages_2m: pages that no 1G entry can map
 */
struct lab_rent {
	uint16_t *used;
	uint32_t *used_1g;
	struct gms_rtree *broken;
	uint64_t pages_4k;
	uint64_t pages_2m;
};

#define LAB_RENT_SMALL 0x8000U
#define LAB_RENT_WHOLE 0x80000000U

/* A range of pages. */
struct lab_range {
	gms_pgoff_t start;
	uint64_t nr_pages;
};

/* The splits, merges and zaps since the last look at the mappings. */
struct lab_changed {
	struct lab_range *list;
	size_t nr;
	size_t capacity;
	bool lost; /* there was no memory for the list: everything may have changed */
};

#define LAB_MERGING_NONE UINT64_MAX

/**
 * struct lab - one run
 * @ram: pages that are memory of the guest
 * @used: pages that the guest uses
 * @split: numbers of the folios of the backing's order that were split at least once
 * @put_off: numbers of the 2M blocks at which a folio begins whose split was put off
 * @changed: ranges whose mappings a hook has removed, or whose folios it has changed
 * @like_faults: faults for which the library was not called, by accessor: see touch_like()
 * @steps: how many steps the run may still do
 * @now_us: time of the current event; never goes back
 * @started_us: time of the first event
 * @maintained_us: time of the last gms_maintain()
 * @maintaining: gms_maintain() is under way
 * @merging: the number of the 1G block that it merges now, or LAB_MERGING_NONE
 * @merges_began: lab_exclusive() before it began to merge that block
 * @weighted: mapped pages times microseconds, by accessor and level
 * @rents: cycles of the two rents until now, as in struct lab_result
 */
struct lab {
	const struct lab_opts *opts;
	struct lab_result *result;
	struct gms_state *state;
	struct sim *sim;
	struct gms_rtree *ram;
	struct gms_rtree *used;
	struct gms_rtree *split;
	struct gms_rtree *put_off;
	struct lab_pins pins;
	struct lab_rent rent;
	struct lab_changed changed;
	uint64_t like_faults[2];
	uint64_t steps;
	uint64_t now_us;
	uint64_t started_us;
	uint64_t maintained_us;
	bool maintaining;
	uint64_t merging;
	double merges_began;
	double weighted[2][3];
	double rents[2];
};

/* Counts steps. Returns 0, or -E2BIG if the run has done too many. */
int lab_spend(struct lab *lab, uint64_t nr);

/* Returns cycles of all work so far that is done under an exclusive lock: splits, merges, zaps. */
double lab_exclusive(const struct lab *lab);

/* ---- lab_touch.c ---- */

/* Faults in those pages of a range that the guest has not mapped. Returns 0 or -errno. */
int lab_guest_touch(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end);

/* Does what follows a change of a range: the guest uses what it used, and the rent is counted. */
int lab_changed(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages);

/* Lets the guest use a range from now on, and touch it. */
int lab_use(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages);

/* Lets the host touch a range, and pin it if @pin. */
int lab_host_touch(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages, bool pin);

/* Notes a call of a hook: it may change folios and mappings. */
void lab_note_call(void *arg, const struct sim_call *call);

/* ---- lab_pins.c ---- */

int lab_pins_init(struct lab *lab);

/* Pins a range for lab_opts.pin_us. Drops the oldest pins if there are too many. */
int lab_pins_add(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages);

/* Drops the pins that have ended by now. */
void lab_pins_expire(struct lab *lab);

/*
 * Waits until the pins that may have refused a call have ended. Returns true if there were any, so
 * that the call may succeed now.
 */
bool lab_pins_wait(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages);

/* Returns how many splits the library has put off; 0 if nothing is pinned now. */
uint64_t lab_pins_put_off(const struct lab *lab);

/* Notes the pinned folios in a range, if a split was put off since the count was @before. */
void lab_pins_note_put_off(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages, uint64_t before);

void lab_pins_fini(struct lab *lab);

/* ---- lab_rent.c ---- */

int lab_rent_init(struct lab *lab);

/* Looks again at the 2M blocks that a range touches, and at their 1G blocks. */
void lab_rent_update(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end);

/*
 * With lab_opts.rmp_sticky: the guest has converted or accepted a range. The blocks at its ends
 * that it does not cover break; the blocks that it covers heal. Returns 0 or -errno.
 */
int lab_rent_break(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages);

/* Stores cycles of the two rents in a second, as in struct lab_result. */
void lab_rent_rate(const struct lab *lab, double *rate);

void lab_rent_fini(struct lab *lab);

/* ---- lab_time.c ---- */

/* Lets time pass until the time of an event, with maintenance. Returns 0 or -errno. */
int lab_pass_until(struct lab *lab, uint64_t us);

/* Notes that a merge in a 1G block begins. */
void lab_note_merge(struct lab *lab, gms_pgoff_t start);

/* Stores the costs until now. */
void lab_add_up(const struct lab *lab, struct lab_sum *sum);

#endif /* GMS_TOOL_LAB_PRIV_H */
