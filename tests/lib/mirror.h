/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mirror.h - a listener that keeps a flat array of what it holds, and judges each call
 *
 * What must hold of any call is checked in all tests: runs ascend and are whole granules, one or
 * as many as can be; nothing is given twice, or taken that is not there; all of it is shared at
 * that time; calls are serialised, and made without the invalidate lock. What is wrong is kept
 * as a text for mirror_check(). A mirror can refuse, pin what it is given, and have a test call
 * back into the library. In a hall there are several, that differ in what a listener can differ
 * in; there the object, the simulated backend, an array and each mirror have to agree.
 */
#ifndef GMS_TESTS_MIRROR_H
#define GMS_TESTS_MIRROR_H

#include <stdatomic.h>

#include "oracle.h"
#include "rig.h"

/* How many runs of a call that is refused were done all the same. */
enum mirror_done { DONE_NONE, DONE_HALF, DONE_BUT_ONE, DONE_ALL, NR_DONE };

/* Of the calls, those numbered @from to @to - 1 fail with @err, if they are of @who. */
struct mirror_refusal {
	const struct mirror *who; /* NULL: whoever it is */
	uint64_t from, to;
	int err;
	enum mirror_done done;
};

/*
 * One for all mirrors of a test: it numbers their calls. The first refusal is of a change, the
 * other one of an undo. A mirror that will not let go in an undo may keep what it has there.
 */
struct mirror_plan {
	_Atomic uint64_t calls;
	struct mirror_refusal refusal[2];
	_Atomic uint64_t refused[2];
	_Atomic bool failed; /* a mirror has: what comes now is an undo */
};

struct mirror_call {
	enum gms_shareability to;
	const struct gms_run *runs;
	size_t count;
	uint64_t number;
};

/* One run that a mirror was told of. */
struct mirror_event {
	enum gms_shareability to;
	uint64_t start, nr_pages;
	uint64_t number; /* of the call */
};

#define MIRROR_EVENTS 2048

struct mirror {
	struct rig *rig;
	struct mirror_plan *plan;
	uint64_t start, nr_pages, granule;
	unsigned int flags;
	bool pins; /* what it is given, and unpins what it lets go of: VFIO */
	void (*hook)(struct mirror *mirror, const struct mirror_call *call);
	void *arg; /* the hook's */

	unsigned int id;
	bool live; /* it may be called */
	struct oracle held;
	/* It would not let go in an undo: it may have, and be asked for, what it has no right to. */
	_Atomic bool loose;
	_Atomic unsigned int inside;
	uint64_t calls;
	uint64_t untidy; /* calls since mirror_forget() that are not behind the one before */
	uint64_t end; /* of the last call's last run */
	uint64_t nr_events; /* there may be more than are kept */
	struct mirror_event events[MIRROR_EVENTS];
	char broken[200];
};

/* @plan may be NULL: nothing is refused. Everything else may be set before it is registered. */
void mirror_init(struct mirror *mirror, struct rig *rig, struct mirror_plan *plan, uint64_t start,
		 uint64_t nr_pages, uint64_t granule, unsigned int flags);

/* It is not registered any more, and holds nothing. */
void mirror_fini(struct mirror *mirror);

/* What the library returned. */
int mirror_register(struct mirror *mirror);
int mirror_unregister(struct mirror *mirror);

/* It was not registered, or is no more, and drops what it would not let go of. */
void mirror_drop(struct mirror *mirror);

/*
 * At rest: no call was wrong, and it holds each granule of its range that is wholly shared and
 * has no quarantined page, and no more but what it would not let go of there.
 */
void mirror_check(struct mirror *mirror);

/* NULL, or the same as a text. For threads. */
const char *mirror_differs(struct mirror *mirror);

/* Forgets the events. */
void mirror_forget(struct mirror *mirror);

/* All runs since mirror_forget() were told in ascending order, and coalesced where they may be. */
void mirror_tidy(const struct mirror *mirror);

/* These are the events, in this order, since mirror_forget(). */
void mirror_expect(struct mirror *mirror, const struct mirror_event *want, size_t count);

/* clang-format off */
#define GIVE(start, nr_pages) { GMS_SHARED, (start), (nr_pages), 0 }
#define TAKE(start, nr_pages) { GMS_PRIVATE, (start), (nr_pages), 0 }
/* clang-format on */

#define mirror_expect_events(mirror, ...)                          \
	do {                                                       \
		const struct mirror_event want_[] = {__VA_ARGS__}; \
                                                                   \
		mirror_expect(mirror, want_, ARRAY_SIZE(want_));   \
	} while (0)

#define mirror_expect_none(mirror) mirror_expect(mirror, NULL, 0)

/* The calls numbered @from to @to - 1 from now on fail with @err, whoever it is. */
void plan_refuse(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		 enum mirror_done done);
/* Likewise, of undos: mirrors may keep what they will not let go of. */
void plan_refuse_undo(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		      enum mirror_done done);
void plan_refuse_none(struct mirror_plan *plan);

/* ---- several mirrors on one object, and a flat array of what should be private ---- */

#define HALL_MIRRORS 3

struct hall {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[HALL_MIRRORS];
	struct oracle private;
};

/*
 * Mirrors of granule 1, that can split; of 8, that cannot, and pins what it has, in the range but
 * the pages near its ends; of 2M. Registered in one of two orders. [start, end) is what they
 * listen to, multiples of 2M.
 */
#define HALL_ORDERS 2
void hall_init(struct hall *hall, const struct rig_opts *opts, unsigned int order, uint64_t start,
	       uint64_t end);
void hall_fini(struct hall *hall);

/* gms_convert(); what it says of itself is put into the array. */
int hall_convert(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to,
		 unsigned int flags, gms_pgoff_t *err_index);

/* One that works. */
void hall_converts(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* At rest: all agree, but for the state of what is quarantined. */
void hall_check(struct hall *hall);

/* Only the mirrors. */
void hall_check_mirrors(struct hall *hall);

/* The next run of quarantined pages from @*start on: false where there is none. */
bool hall_quarantined(const struct hall *hall, uint64_t *start, uint64_t *nr_pages);

/* The ways to repair: as the object has it, to shared, to private, by turns in small pieces. */
enum hall_repair { REPAIR_AS_IS, REPAIR_SHARED, REPAIR_PRIVATE, REPAIR_PIECES, NR_REPAIRS };

/* gms_repair() of one run; what the simulated backend has is set before. */
int hall_repair(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* All that is quarantined, which works, and a look at everything. */
void hall_repair_all(struct hall *hall, enum hall_repair how);

#endif /* GMS_TESTS_MIRROR_H */
