/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mirror.h - a listener that checks each of its calls
 *
 * A mirror keeps a flat array of the pages that it holds. In each call it checks what must always
 * hold: runs ascend and consist of whole granules, and are one granule or as long as possible; no
 * page is added twice, and no page is withdrawn that the mirror does not hold; all pages are
 * shared; calls are serialised, and made without the invalidate lock. A mirror keeps the first
 * broken rule for mirror_check(). It can refuse calls, pin its pages, and call a hook of the test.
 *
 * A plan makes mirrors refuse chosen calls. A hall is an object with several different mirrors
 * and a flat array of the private pages, which all have to agree.
 *
 * Usage:
 *
 *	mirror_init(&m, &rig, &plan, 0, 4 * T_2M, T_2M, 0);
 *	assert_int_equal(mirror_register(&m), 0);
 *	mirror_forget(&m);
 *	rig_convert(&rig, 5, 1, GMS_PRIVATE);
 *	mirror_expect_events(&m, WITHDRAW(0, T_2M));
 *	mirror_check(&m);
 *	assert_int_equal(mirror_unregister(&m), 0);
 *	mirror_fini(&m);
 */
#ifndef GMS_TESTS_MIRROR_H
#define GMS_TESTS_MIRROR_H

#include <stdatomic.h>

#include "oracle.h"
#include "rig.h"

/* How many runs a mirror takes over in a call that it refuses. */
enum mirror_done { DONE_NONE, DONE_HALF, DONE_BUT_ONE, DONE_ALL, NR_DONE };

/* The calls [from, to) of the plan fail with @err, if they are calls of @mirror. */
struct mirror_refusal {
	const struct mirror *mirror; /* NULL: any mirror */
	uint64_t from, to;
	int err;
	enum mirror_done done;
};

/*
 * The refusals of all mirrors of a test, whose calls a plan numbers. The first refusal is for a
 * change, the second one for its undo. A mirror that refuses to withdraw in an undo may keep the
 * granules.
 */
struct mirror_plan {
	_Atomic uint64_t calls;
	struct mirror_refusal refusal[2];
	_Atomic uint64_t refused[2];
	_Atomic bool failed; /* a mirror has refused, so that the next calls are an undo */
};

struct mirror_call {
	enum gms_shareability to;
	const struct gms_run *runs;
	size_t count;
	uint64_t number;
};

/* One run of a call. */
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
	bool pins; /* pins the pages that it holds, as VFIO does */
	void (*hook)(struct mirror *mirror, const struct mirror_call *call);
	void *arg; /* for the hook */

	unsigned int id;
	bool live; /* the mirror may be called */
	struct oracle held;
	/*
	 * The mirror refused to withdraw in an undo. From then on it may hold private pages, and
	 * may be called to withdraw granules that it does not hold.
	 */
	_Atomic bool loose;
	_Atomic unsigned int inside;
	uint64_t calls;
	/*
	 * Calls since mirror_forget() that begin before the end of the last run. With
	 * GMS_LISTENER_CAN_SPLIT, calls that begin at that end count, too, because the library
	 * has to join runs that touch.
	 */
	uint64_t untidy;
	uint64_t end; /* of the last run of the last call */
	uint64_t nr_events; /* can be larger than MIRROR_EVENTS */
	struct mirror_event events[MIRROR_EVENTS];
	char broken[200];
};

/* Without a plan, the mirror refuses nothing. The other members may be set before it registers. */
void mirror_init(struct mirror *mirror, struct rig *rig, struct mirror_plan *plan, uint64_t start,
		 uint64_t nr_pages, uint64_t granule, unsigned int flags);

/* Checks that the mirror is not registered and holds nothing, and frees it. */
void mirror_fini(struct mirror *mirror);

/* Return the result of the library. */
int mirror_register(struct mirror *mirror);
int mirror_unregister(struct mirror *mirror);

/* Drops all pages that an unregistered mirror holds, because it refused to withdraw them. */
void mirror_drop(struct mirror *mirror);

/*
 * Checks that no call was wrong, and that the mirror holds each granule that is shared and has no
 * quarantined page, and no other. It may still hold quarantined granules that it refused to
 * withdraw. No call may be under way.
 */
void mirror_check(struct mirror *mirror);

/* Makes the checks of mirror_check() in a thread. Returns NULL, or what is wrong. */
const char *mirror_differs(struct mirror *mirror);

/* Forgets the events, so that the next checks are about later calls. */
void mirror_forget(struct mirror *mirror);

/* Checks that all runs since mirror_forget() ascend, and are joined where possible. */
void mirror_tidy(const struct mirror *mirror);

/* Checks the events since mirror_forget(), in their order. */
void mirror_expect(struct mirror *mirror, const struct mirror_event *want, size_t count);

/* Expected events: the mirror is notified of shared pages, and withdraws pages. */
/* clang-format off */
#define NOTIFY(start, nr_pages) { GMS_SHARED, (start), (nr_pages), 0 }
#define WITHDRAW(start, nr_pages) { GMS_PRIVATE, (start), (nr_pages), 0 }
/* clang-format on */

#define mirror_expect_events(mirror, ...)                          \
	do {                                                       \
		const struct mirror_event want_[] = {__VA_ARGS__}; \
                                                                   \
		mirror_expect(mirror, want_, ARRAY_SIZE(want_));   \
	} while (0)

#define mirror_expect_none(mirror) mirror_expect(mirror, NULL, 0)

/* The calls [from, to), counted from now on, fail with @err. */
void plan_refuse(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		 enum mirror_done done);

/* Sets the refusal for undos: mirrors that refuse to withdraw may keep the granules. */
void plan_refuse_undo(struct mirror_plan *plan, uint64_t from, uint64_t to, int err,
		      enum mirror_done done);

void plan_refuse_none(struct mirror_plan *plan);

/* ---- several mirrors on one object, and a flat array of the private pages ---- */

#define HALL_MIRRORS 3

struct hall {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[HALL_MIRRORS];
	struct oracle private;
};

/*
 * Makes a hall. [start, end) is the range of the mirrors, aligned to 2M. The first mirror has
 * granules of one page and can split. The second one has granules of 8 pages, pins them, and
 * leaves out pages near the ends. The third one has granules of 2M. @order is the order of
 * registration, below HALL_ORDERS.
 */
#define HALL_ORDERS 2
void hall_init(struct hall *hall, const struct rig_opts *opts, unsigned int order, uint64_t start,
	       uint64_t end);
void hall_fini(struct hall *hall);

/* Calls gms_convert(), and updates the array by its result. */
int hall_convert(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to,
		 unsigned int flags, gms_pgoff_t *err_index);

/* Converts, and checks that it succeeds. */
void hall_converts(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/*
 * Checks that object, mirrors and array agree, except about quarantined pages. No call may be
 * under way.
 */
void hall_check(struct hall *hall);

/* Calls mirror_check() for each mirror. */
void hall_check_mirrors(struct hall *hall);

/* Finds the next run of quarantined pages at or behind *start. Returns false if there is none. */
bool hall_quarantined(const struct hall *hall, uint64_t *start, uint64_t *nr_pages);

/* Modes of repair: to the state of the object, to shared, to private, to both in small pieces. */
enum hall_repair { REPAIR_AS_IS, REPAIR_SHARED, REPAIR_PRIVATE, REPAIR_PIECES, NR_REPAIRS };

/* Sets the state of the simulated backend, and calls gms_repair(). Returns its result. */
int hall_repair(struct hall *hall, uint64_t start, uint64_t nr_pages, enum gms_shareability to);

/* Repairs all quarantined pages, and calls hall_check(). */
void hall_repair_all(struct hall *hall, enum hall_repair mode);

#endif /* GMS_TESTS_MIRROR_H */
