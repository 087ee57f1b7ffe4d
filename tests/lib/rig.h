/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rig.h - a state object on the simulated backend, with checks in each hook
 *
 * A rig checks in each call of a hook what must always hold. For example, no pinned page is split
 * or made private, and no page has its new state before all runs are applied. The rig keeps the
 * first broken rule for rig_check(). A test can add a hook of its own.
 *
 * Usage:
 *
 *	const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};
 *
 *	rig_init(&rig, &opts);
 *	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
 *	rig_forget(&rig);
 *	rig_convert(&rig, 5, 1, GMS_PRIVATE);
 *	rig_expect_calls(&rig, 0, UNMAP(0, T_2M), PINS(5, 1), ...);
 *	rig_fini(&rig);
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
	/* Called in each hook, before the simulation acts. It may block and call the library. */
	void (*hook)(struct rig *rig, const struct sim_call *call);
	void *arg; /* for the hook */
	bool ending; /* gms_state_destroy() is running; @hook is called there, too */
	_Atomic(const char *) broken;
};

/* Like struct gms_state_opts. @sim_flags are flags of the hooks, which @tune may change. */
struct rig_opts {
	uint64_t nr_pages;
	unsigned int folio_order;
	bool init_private;
	unsigned int sim_flags;
	const struct gms_policy_ops *policy;
	void *policy_ctx;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	uint64_t merge_wait_2m, merge_wait_1g;
	void (*tune)(struct gms_backend_ops *ops);
};

void rig_init(struct rig *rig, const struct rig_opts *opts);

/* Checks that no rule was broken, and that the object and the simulation are sound and agree. */
void rig_check(struct rig *rig);

/* Calls rig_check(), destroys all, and checks that no memory is left. */
void rig_fini(struct rig *rig);

/* Converts. Checks that the call succeeds and does not write err_index. */
void rig_convert(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

/* Converts. Checks that the call fails with @err, and that err_index is @index. */
void rig_convert_fails(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to, unsigned int flags, int err, gms_pgoff_t index);

/* Makes a fault as a VMM does: begin, prepare if needed, map, end. Returns the first error. */
int rig_fault(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
	      struct gms_fault *fault);

/* Makes a fault. Checks that it succeeds, and gives these orders. */
void rig_faults(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
		unsigned int folio_order, unsigned int max_order);

/* Pins. Checks that the call succeeds. */
void rig_pin(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages);

/* Sets the pages of the simulation to @to, and repairs. Checks that the repair succeeds. */
void rig_repair(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to);

struct gms_stats rig_stats(const struct rig *rig);

/* ---- recorded calls ---- */

#define SIM_ALL_HOOKS ((1U << SIM_NR_HOOKS) - 1)

/* The hooks whose errors make a conversion fail. A refused merge does not make it fail. */
#define RIG_FALLIBLE \
	(1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS | 1U << SIM_APPLY | 1U << SIM_FOLIO_SPLIT)

/* Expected calls. */
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
 * Checks the calls since the last rig_forget(), in their order. Calls of hooks whose bit is in
 * @but are left out. The results of the hooks are not compared.
 */
void rig_expect(struct rig *rig, unsigned int but, const struct sim_call *want, size_t count);

#define rig_expect_calls(rig, but, ...)                         \
	do {                                                    \
		const struct sim_call want_[] = {__VA_ARGS__};  \
                                                                \
		rig_expect(rig, but, want_, ARRAY_SIZE(want_)); \
	} while (0)

#define rig_expect_none(rig) rig_expect(rig, 0, NULL, 0)

/* Forgets the recorded calls, so that the next checks are about later calls. */
void rig_forget(struct rig *rig);

/* Returns how many of the recorded calls are calls of @hooks. */
size_t rig_count(struct rig *rig, unsigned int hooks);

/* Returns true if one recorded call of @hook covers the range. */
bool rig_covered(struct rig *rig, enum sim_hook hook, gms_pgoff_t start, uint64_t nr_pages);

/* ---- images: the answers of the queries, page by page ---- */

struct rig_image {
	uint64_t nr_pages;
	unsigned char *pages;
};

/* Takes an image of the object. Also checks the summaries of all blocks against a recount. */
void rig_image_take(struct rig_image *image, const struct rig *rig);
void rig_image_free(struct rig_image *image);

/* Checks that the object has not changed since the image was taken. */
void rig_image_same(const struct rig_image *image, const struct rig *rig);

/* Returns one of the policies of the library, so that a test can run under each of them. */
#define RIG_NR_POLICIES 6
const struct gms_policy_ops *rig_policy(unsigned int number);

/* A policy that never splits or merges. */
extern const struct gms_policy_ops rig_never_splits;

#endif /* GMS_TESTS_RIG_H */
