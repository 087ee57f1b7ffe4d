/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * regress.h - helpers for regression tests: a policy with one wish, mirrors on one rig, and a
 * writer beside a reader
 *
 * Usage:
 *
 *	struct wish wish = {.event = GMS_EV_FAULT, .accessor = GMS_HOST, .order = GMS_ORDER_2M};
 *
 *	wish_init(&rig, &opts, &wish);
 *
 *	mirrors_init(&all, &opts);
 *	mirrors_add(&all, 2, nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
 *	mirrors_check(&all);
 *	mirrors_fini(&all);
 *
 *	beside_run(convert_often, query_often, rounds);
 */
#ifndef GMS_TESTS_REGRESS_H
#define GMS_TESTS_REGRESS_H

#include "mirror.h"
#include "threads.h"

/* ---- a policy that decides one event of one accessor, and changes no other folio ---- */

struct wish {
	enum gms_event event;
	enum gms_accessor accessor;
	unsigned int order;
	bool uniform;
	unsigned int queries; /* number of queries with that event and accessor */
};

/* Makes a rig with that policy. The wish may be changed between calls. */
void wish_init(struct rig *rig, const struct rig_opts *opts, struct wish *wish);

/* ---- mirrors on one rig ---- */

#define MIRRORS 2

/* The mirrors are in the order of registration. */
struct mirrors {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[MIRRORS];
	unsigned int nr;
};

/* Makes a rig without mirrors. */
void mirrors_init(struct mirrors *all, const struct rig_opts *opts);

/* Registers @count more mirrors of [0, nr_pages). */
void mirrors_add(struct mirrors *all, unsigned int count, uint64_t nr_pages, uint64_t granule,
		 unsigned int flags);

/* Ends the refusals of the plan, and checks the rig and each mirror. */
void mirrors_check(struct mirrors *all);

/* Forgets the events of all mirrors, and the recorded calls of the rig. */
void mirrors_forget(struct mirrors *all);

/* Calls mirrors_check(), and destroys all. */
void mirrors_fini(struct mirrors *all);

/*
 * Quarantines [10, 13), whose middle page is @to already. The apply of page 12 fails, and so does
 * the undo.
 */
void mirrors_quarantine(struct mirrors *all, enum gms_shareability to);

/* Returns the number of pages that a mirror holds in a range. */
uint64_t mirror_held(const struct mirror *mirror, uint64_t start, uint64_t nr_pages);

/* Returns the number of runs that a mirror was notified of. */
uint64_t mirror_runs(const struct mirror *mirror, enum gms_shareability to);

/* ---- a writer beside a reader ---- */

struct beside {
	struct gms_state *state;
	_Atomic bool stopped; /* the writer has stopped */
};

/*
 * Runs a writer and a reader on a private object of one 1G folio, which is allocated and prepared.
 * The policy is eager-rfc. @shared of the workers is a struct beside.
 */
void beside_run(void (*writer)(struct worker *), void (*reader)(struct worker *), uint64_t rounds);

#endif /* GMS_TESTS_REGRESS_H */
