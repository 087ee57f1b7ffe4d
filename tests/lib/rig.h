/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rig.h - a state object on the simulated backend, and what the tests of the rules ask of both
 *
 * Each hook is watched: what must hold whenever it is called (nothing pinned is split or made
 * private, a page is the old way until all is applied, ...) is checked in all tests, and what
 * is wrong is kept as a text for rig_check(). A test may put a hook of its own behind that.
 */
#ifndef GMS_TESTS_RIG_H
#define GMS_TESTS_RIG_H

#include <stdatomic.h>

#include <gmemstate/state.h>
#include <sim.h>

#include "talloc.h"
#include "test.h"

struct rig {
	struct gms_state *state;
	struct sim *sim;
	struct talloc talloc;
	uint64_t nr_pages;
	/* Called in each hook before the simulation does anything; may block, may call back. */
	void (*hook)(struct rig *rig, const struct sim_call *call);
	void *arg; /* the hook's */
	bool ending; /* in gms_state_destroy(); @hook is called there, too */
	_Atomic(const char *) broken;
};

/* As in struct gms_state_opts; @sim_flags are of struct gms_backend_ops, @tune may change it. */
struct rig_opts {
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	unsigned int sim_flags;
	const struct gms_policy_ops *policy;
	void *policy_ctx;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	void (*tune)(struct gms_backend_ops *ops);
};

void rig_init(struct rig *rig, const struct rig_opts *opts);

/* At rest: the watch, the simulation, the object and the recorded calls are sound and agree. */
void rig_check(struct rig *rig);

/* rig_check(), and destroys all; nothing may be left. */
void rig_fini(struct rig *rig);

/* gms_convert() that works, and does not write err_index. */
void rig_convert(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

/* A conversion that fails with @err, and names @index. */
void rig_convert_fails(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to, unsigned int flags, int err, gms_pgoff_t index);

/* A whole fault, with what a VMM does: begin, prepare where that is due, map, end. */
int rig_fault(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
	      struct gms_fault *fault);

/* One that is answered, with a folio of @folio_order and with @max_order. */
void rig_faults(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
		unsigned int folio_order, unsigned int max_order);

/* gms_pin() that works. */
void rig_pin(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages);

/* gms_repair() that works, of pages that the backend was told are @to now. */
void rig_repair(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

struct gms_stats rig_stats(const struct rig *rig);

/* ---- recorded calls ---- */

#define SIM_ALL_HOOKS ((1U << SIM_NR_HOOKS) - 1)

/* What can fail in a conversion; a refused merge is no failure. */
#define RIG_FALLIBLE \
	(1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS | 1U << SIM_APPLY | 1U << SIM_FOLIO_SPLIT)

/* Calls, as they are expected. */
/* clang-format off */
#define CALL(hook, s, n) { hook, (s), (n), 0, 0, 0 }
#define UNMAP(s, n) CALL(SIM_UNMAP_HOST, s, n)
#define PINS(s, n) CALL(SIM_CHECK_PINS, s, n)
#define BEGIN(s, n) CALL(SIM_INVALIDATE_BEGIN, s, n)
#define ZAP(s, n, only) { SIM_ZAP_GUEST, (s), (n), 0, (only), 0 }
#define APPLY(s, n, to) { SIM_APPLY, (s), (n), 0, (to), 0 }
#define UNDO(s, n, back_to) { SIM_UNDO, (s), (n), 0, (back_to), 0 }
#define END(s, n) CALL(SIM_INVALIDATE_END, s, n)
#define PREPARE(s, order) { SIM_PREPARE, (s), 1ULL << (order), (order), 0, 0 }
#define ALLOC(s, order) { SIM_FOLIO_ALLOC, (s), 1ULL << (order), (order), 0, 0 }
#define FREE(s, order) { SIM_FOLIO_FREE, (s), 1ULL << (order), (order), 0, 0 }
#define SPLIT(s, from, to) { SIM_FOLIO_SPLIT, (s), 1ULL << (from), (from), (to), 0 }
#define MERGE(s, from, to) { SIM_FOLIO_MERGE, (s), 1ULL << (to), (from), (to), 0 }
#define FREED(s) CALL(SIM_BLOCK_FREED, s, T_1G)
/* clang-format on */

/*
 * The calls that were recorded since the last rig_forget(), without those of hooks whose bit
 * is in @but, are these, in this order. What they returned is not looked at.
 */
void rig_expect(struct rig *rig, unsigned int but, const struct sim_call *want, size_t count);

#define rig_expect_calls(rig, but, ...)                         \
	do {                                                    \
		const struct sim_call want_[] = {__VA_ARGS__};  \
                                                                \
		rig_expect(rig, but, want_, ARRAY_SIZE(want_)); \
	} while (0)

#define rig_expect_none(rig) rig_expect(rig, 0, NULL, 0)

void rig_forget(struct rig *rig);

/* How many of the recorded calls are of a hook in @hooks. */
size_t rig_count(struct rig *rig, unsigned int hooks);

/* Does one of the recorded calls of @hook cover the range? */
bool rig_covered(struct rig *rig, enum sim_hook hook, gms_pgoff_t start, uint64_t nr_pages);

/* ---- all that can be asked of an object, page by page ---- */

struct rig_image {
	uint64_t nr_pages;
	unsigned char *pages;
};

/* Also compares the summaries of all blocks with a recount. */
void rig_image_take(struct rig_image *image, const struct rig *rig);
void rig_image_free(struct rig_image *image);

/* The object is as it was when the image was taken. */
void rig_image_same(const struct rig_image *image, const struct rig *rig);

/* The four policies of the library, in a table: rule by rule, under each. */
#define RIG_NR_POLICIES 4
const struct gms_policy_ops *rig_policy(unsigned int number);

/* One of our own: a folio stays as it is. */
extern const struct gms_policy_ops rig_never_splits;

#endif /* GMS_TESTS_RIG_H */
