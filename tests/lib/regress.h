/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * regress.h - what regression tests share: a policy with one wish, mirrors on one rig, and a writer
 * beside a reader
 */
#ifndef GMS_TESTS_REGRESS_H
#define GMS_TESTS_REGRESS_H

#include "mirror.h"
#include "threads.h"

/* ---- a policy that decides one event of one accessor, and leaves every other folio as it is ---- */

struct wish {
	enum gms_event event;
	enum gms_accessor accessor;
	unsigned int order;
	bool uniform;
	unsigned int queries; /* of that event and accessor */
};

/* rig_init() with that policy. The wish may be changed between calls. */
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

/* A rig without a mirror. */
void mirrors_init(struct mirrors *all, const struct rig_opts *opts);

/* Registers @count more mirrors of [0, nr_pages). */
void mirrors_add(struct mirrors *all, unsigned int count, uint64_t nr_pages, uint64_t granule,
		 unsigned int flags);

/* Ends the refusals of the plan, and checks the rig and each mirror. */
void mirrors_check(struct mirrors *all);

/* Forgets the events of all mirrors, and the recorded calls of the rig. */
void mirrors_forget(struct mirrors *all);

/* mirrors_check(), and destroys all. */
void mirrors_fini(struct mirrors *all);

/*
 * Quarantines [10, 13), whose middle page is @to already: the apply of page 12 fails, and so does
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
	_Atomic bool stopped; /* the writer */
};

/*
 * Runs both on a private object of one 1G folio, which is allocated and prepared. The policy is
 * eager. @shared of the workers is a struct beside.
 */
void beside_run(void (*writer)(struct worker *), void (*reader)(struct worker *), uint64_t rounds);

#endif /* GMS_TESTS_REGRESS_H */
