/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.h - the model that the engine is compared with: flat arrays and obvious code
 *
 * The model has one byte for each page and each of its properties. The operations follow the
 * public headers page by page, without locks, reservations or trees. The policies are written a
 * second time. Only the results of the hooks come from outside: a test makes an operation on the
 * engine first, with the calls of the hooks recorded, and then on the model. The model expects
 * the recorded calls in their order, and takes over their results. A call that is unexpected or
 * missing is a difference.
 *
 * Usage: model_history_make() makes random operations, model_history_run() runs them on an engine
 * and on a model, and model_history_shrink() cuts a history that fails:
 *
 *	model_history_make(&history, &opts, 1000, &prng);
 *	why = model_history_run(&history, &failed);
 *	if (why)
 *		model_history_shrink(&history), model_history_print(&history);
 *	model_history_free(&history);
 */
#ifndef GMS_TESTS_MODEL_H
#define GMS_TESTS_MODEL_H

#include <gmemstate/state.h>

#include "sim.h"

#define MODEL_2M (1ULL << GMS_ORDER_2M)
#define MODEL_1G (1ULL << GMS_ORDER_1G)
#define MODEL_NR_ATTRS 2

enum model_policy {
	MODEL_EAGER_RFC,
	MODEL_EAGER,
	MODEL_EAGER_NONUNIFORM,
	MODEL_LAZY_4K,
	MODEL_LAZY,
	MODEL_ADAPTIVE,
	MODEL_NR_POLICIES
};

struct model_opts {
	uint64_t nr_pages;
	unsigned int folio_order; /* of the backing */
	enum model_policy policy;
	bool pins_by_folio;
	bool init_private;
};

/* A flag for the 1G block, and one for each of its 2M blocks. */
#define MODEL_MIXED_BYTES (1 + 512)

/* W of 2M and of 1G, in a history's time. */
#define MODEL_MERGE_2M (3 * MODEL_TIME_STEP + 7)
#define MODEL_MERGE_1G (2 * MODEL_TIME_STEP + 3)

/* Time advances in multiples of a number with many divisors, so that policies divide evenly. */
#define MODEL_TIME_STEP 720720ULL

#define MODEL_NR_RULES 7 /* with theta = 0, .1, .3, 1, 3, 10 and infinity */
#define MODEL_RULE_1 3

/* What was done with a 2M or 1G block, and what each rule would have done with it. */
struct model_rent {
	bool used; /* it was split */
	bool open; /* it is all private */
	bool touched; /* since it is not all private */
	uint64_t since;
	uint64_t rested;
	bool whole[MODEL_NR_RULES];
	uint64_t waited[MODEL_NR_RULES];
};

struct model_block {
	uint32_t flips;
	uint64_t since;
	bool visit; /* a split was tried here, so gms_maintain() visits the block */
	/* before the current operation: */
	uint8_t was_mixed[MODEL_MIXED_BYTES];
	bool had_folios;
};

struct model {
	struct model_opts opts;
	uint64_t nr_pages;
	uint64_t nr_blocks; /* of 1G */
	/* for each page: */
	uint8_t *private;
	uint8_t *allocated;
	uint8_t *prepared;
	uint8_t *order; /* of the folio, or of the folio that an allocation would make */
	uint8_t *mapped; /* 1 + the order of the largest folio that the host may have mapped */
	uint8_t *quarantined;
	uint8_t *limit; /* the largest order that inhibits allow: 0, 9 or 18 */
	uint8_t *attrs; /* a bit for each attribute */
	uint8_t *pinned;
	uint32_t *pins; /* number of pins */
	/* for each page, about the current operation: */
	uint8_t *old_private;
	uint8_t *old_order;
	uint8_t *old_mapped;
	uint8_t *covered; /* unmap_host was called for the page */
	uint8_t *expected; /* unmap_host had to be called for the page */
	uint64_t no_1g; /* 1 + the 1G block that could not be merged in the current pass */
	struct model_block *blocks; /* for each 1G block */
	struct model_rent *rents_2m, *rents_1g; /* for each block */
	uint64_t rent_cost[2][MODEL_NR_RULES]; /* [0]: of 2M, [1]: of 1G */
	unsigned int rent_best[2];
	uint64_t views; /* of all views at GMS_EV_MAINTAIN, by model_rent_note() */
	uint64_t now; /* the object's clock */
	uint64_t cursor; /* the block at which the next gms_maintain() begins */
	struct gms_stats stats; /* only those that follow from the operations */
	/* the hooks that the engine called in the current operation: */
	const struct sim_call *calls;
	size_t nr_calls;
	size_t next;
	unsigned int loose; /* hooks that may be called at any time, as bits */
	int engine_ret; /* decides where the headers leave the result open */
	bool called_undo;
	uint64_t refuse_after; /* the argument of sim_refuse_after() */
	const char *why; /* NULL, or the first difference in the calls */
	char text[256];
};

void model_init(struct model *model, const struct model_opts *opts);
void model_fini(struct model *model);
const char *model_policy_name(enum model_policy policy);

/* Set the recorded calls of the next operation, and check that no call is left over after it. */
void model_begin(struct model *model, const struct sim_call *calls, size_t nr_calls);
const char *model_end(struct model *model);

/* Each does what the gms_ function of its name does. */
int model_convert(struct model *model, uint64_t start, uint64_t nr_pages, int to,
		  unsigned int flags, gms_pgoff_t *err_index);
int model_fault_begin(struct model *model, uint64_t index, int accessor, struct gms_fault *fault);
int model_fault_prepare(struct model *model, uint64_t index, int accessor, struct gms_fault *fault);
int model_allocate(struct model *model, uint64_t start, uint64_t nr_pages, gms_pgoff_t *err_index);
int model_punch_hole(struct model *model, uint64_t start, uint64_t nr_pages,
		     gms_pgoff_t *err_index);
int model_pin(struct model *model, uint64_t start, uint64_t nr_pages, gms_pgoff_t *err_index);
void model_unpin(struct model *model, uint64_t start, uint64_t nr_pages);
int model_inhibit(struct model *model, uint64_t start, uint64_t nr_pages, unsigned int order);
int model_uninhibit(struct model *model, uint64_t start, uint64_t nr_pages);
int model_attr_set(struct model *model, unsigned int id, uint64_t start, uint64_t nr_pages,
		   bool set);
uint64_t model_maintain(struct model *model, uint64_t max_blocks);
int model_repair(struct model *model, uint64_t start, uint64_t nr_pages, int shareability);

/* Queries, for the model and for comparisons. */
enum gms_summary model_summary(const struct model *model, uint64_t index, unsigned int order);
unsigned int model_max_order(const struct model *model, uint64_t index);

/* ---- shared by the parts of the model ---- */
bool model_good_range(const struct model *model, uint64_t start, uint64_t nr_pages);
bool model_is_complete(const struct model *model, uint64_t index, unsigned int order);
bool model_is_all(const uint8_t *bytes, uint64_t start, uint64_t end, uint8_t value);
uint64_t model_find(const uint8_t *bytes, uint64_t start, uint64_t end, uint8_t value);
uint64_t model_first_pin(const struct model *model, uint64_t start, uint64_t end);
unsigned int model_natural(const struct model *model, uint64_t index);
__attribute__((format(printf, 2, 3))) void model_differs(struct model *model, const char *fmt, ...);
int model_hook(struct model *model, enum sim_hook hook, uint64_t start, uint64_t nr_pages,
	       unsigned int from, unsigned int to);
int model_take(struct model *model, unsigned int hooks);
int model_result(struct model *model, int ret);

/* A policy query. */
struct model_event {
	enum gms_event event;
	enum gms_accessor accessor;
	enum gms_shareability to;
	unsigned int cap; /* the largest order that the verdict may have */
};
int model_split(struct model *model, uint64_t index, const struct model_event *event);
bool model_wants_merge(struct model *model, uint64_t index, const struct model_event *event);
void model_undo_splits(struct model *model);
uint64_t model_merge(struct model *model, uint64_t index, const struct model_event *event,
		     uint64_t *merges);
int model_merge_to(struct model *model, uint64_t index, unsigned int order);
void model_set_order(struct model *model, uint64_t index, unsigned int order);
/*
 * Count the flips of the 1G blocks of a range. Call the first before a change, and the second
 * after it. A change in which the 1G block, or 2M blocks in it, become mixed or uniform counts as
 * one flip.
 */
void model_flips_before(struct model *model, uint64_t start, uint64_t end);
void model_flips_after(struct model *model, uint64_t start, uint64_t end);

/* ---- rent (model_rent.c) ---- */

/* Notes a split of the folio at @start. */
void model_rent_split(struct model *model, uint64_t start, unsigned int from, unsigned int to);

/* Notes that the host touches a range that it had not mapped. */
void model_rent_touch(struct model *model, uint64_t start, uint64_t end);

/* Notes a change of a range, after it; or that the memory of a range was freed. */
void model_rent_change(struct model *model, uint64_t start, uint64_t end);
void model_rent_free(struct model *model, uint64_t start, uint64_t end);

/* Counts what the open periods have cost, and chooses the best rules. */
void model_rent_settle(struct model *model, uint64_t start, uint64_t end);

void model_rent_view(const struct model *model, uint64_t index, struct gms_policy_view *view);

/* Mixes what a view at GMS_EV_MAINTAIN says of rent into a number, which can be compared. */
void model_rent_note(uint64_t *views, const struct gms_policy_view *view);

/* ---- comparisons (model_check.c) ---- */

/* Return NULL, or what differs. */
const char *model_compare_near(const struct model *model, struct gms_state *state, uint64_t start,
			       uint64_t nr_pages);
const char *model_compare_all(const struct model *model, struct gms_state *state);

/*
 * Compares the neighbours of a range, in a hook of an operation on the range. The model is still
 * in the state before the operation.
 */
const char *model_compare_inside(const struct model *model, const struct gms_state *state,
				 uint64_t start, uint64_t nr_pages);

/* Compares in a hook of gms_state_destroy(). */
const char *model_compare_ending(const struct model *model, const struct gms_state *state,
				 const struct sim_call *call);

const char *model_compare_stats(const struct model *model, const struct gms_state *state);

/* ---- random operations (model_ops.c), and running them (model_run.c) ---- */

enum model_op_kind {
	MODEL_CONVERT,
	MODEL_FAULT,
	MODEL_ALLOCATE,
	MODEL_PUNCH,
	MODEL_PIN,
	MODEL_UNPIN,
	MODEL_INHIBIT,
	MODEL_UNINHIBIT,
	MODEL_ATTR,
	MODEL_MAINTAIN,
	MODEL_REPAIR,
	MODEL_NR_OPS
};

struct model_op {
	enum model_op_kind kind;
	uint64_t start;
	uint64_t nr_pages;
	int to; /* the shareability; for a fault the accessor; for an attribute its value */
	unsigned int flags; /* for an inhibit the order; for an attribute its id */
	bool prepare; /* a fault calls gms_fault_prepare() */
	bool full; /* compare everything after this operation */
	uint64_t advance; /* time by which the clock advances before this operation */
	/* the arguments of sim_refuse() and sim_refuse_after(): */
	unsigned int refuse;
	uint64_t skip;
	uint64_t count;
	uint64_t after;
};

struct model_history {
	struct model_opts opts;
	size_t nr_ops;
	struct model_op *ops;
};

struct prng;
void model_history_make(struct model_history *history, const struct model_opts *opts, size_t nr_ops,
			struct prng *prng);
void model_history_print(const struct model_history *history);

/* Returns NULL, or what differs; *failed is then the number of the operation. */
const char *model_history_run(const struct model_history *history, size_t *failed);

/* Removes operations from a history that fails, as long as it still fails. */
void model_history_shrink(struct model_history *history);
void model_history_free(struct model_history *history);

#endif /* GMS_TESTS_MODEL_H */
