/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.h - what the engine is compared with: flat arrays and obvious code
 *
 * One byte for each page and each thing that is known of it. Operations are written down as
 * the public headers have them, page by page, without locks, reservations or trees; the
 * policies are written a second time. Only the decisions of the backend come from outside:
 * an operation is made on the engine first, with the calls of the hooks recorded, and then on
 * the model, which expects the same calls in the same order and takes over what they returned.
 * A call that it did not expect, or one that it misses, is a difference, too.
 */
#ifndef GMS_TESTS_MODEL_H
#define GMS_TESTS_MODEL_H

#include <gmemstate/state.h>

#include "sim.h"

#define MODEL_2M (1ULL << GMS_ORDER_2M)
#define MODEL_1G (1ULL << GMS_ORDER_1G)
#define MODEL_NR_ATTRS 2

enum model_policy {
	MODEL_EAGER,
	MODEL_EAGER_NONUNIFORM,
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

/* A 1G block, and its 2M blocks. */
#define MODEL_MIXED_BYTES (1 + 512)

struct model_block {
	uint32_t flips;
	uint64_t since;
	/* Before the operation at hand: */
	uint8_t was_mixed[MODEL_MIXED_BYTES];
	bool had_folios;
};

struct model {
	struct model_opts opts;
	uint64_t nr_pages;
	uint64_t nr_blocks; /* of 1G */
	/* For each page. */
	uint8_t *private;
	uint8_t *allocated;
	uint8_t *prepared;
	uint8_t *order; /* of the folio, or of the one that would be */
	uint8_t *mapped; /* by the host, perhaps: 1 + the order of the largest folio it was given */
	uint8_t *quarantined;
	uint8_t *limit; /* what an inhibit leaves: 0, 9 or 18 */
	uint8_t *attrs; /* a bit for each attribute */
	uint8_t *pinned;
	uint32_t *pins; /* how many */
	/* Of the operation at hand: what was before, and where unmap_host was called. */
	uint8_t *old_private;
	uint8_t *old_order;
	uint8_t *old_mapped;
	uint8_t *covered;
	uint8_t *expected; /* and where it had to be */
	/* For each 1G block. */
	uint64_t no_1g; /* of the pass at hand: 1 + the 1G block that could not be merged */
	struct model_block *blocks;
	uint64_t now; /* what the object's clock says */
	uint64_t cursor; /* of gms_maintain(): the block to go on with */
	struct gms_stats stats; /* those that follow from what was done */
	/* What the engine's backend was told in the operation at hand. */
	const struct sim_call *calls;
	size_t nr_calls;
	size_t next;
	unsigned int loose; /* hooks that may be called in between, as bits */
	int engine_ret; /* for what is not laid down */
	bool took_back;
	uint64_t refuse_after; /* as told to sim_refuse_after() */
	const char *why; /* NULL, or the first difference in the calls */
	char text[256];
};

void model_init(struct model *model, const struct model_opts *opts);
void model_fini(struct model *model);
const char *model_policy_name(enum model_policy policy);

/* The calls of the operation that comes next; none may be left over after it. */
void model_begin(struct model *model, const struct sim_call *calls, size_t nr_calls);
const char *model_end(struct model *model);

/* As the functions of the library that are named alike. */
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

/* Queries, for the model's own use and for comparing. */
enum gms_summary model_summary(const struct model *model, uint64_t index, unsigned int order);
unsigned int model_max_order(const struct model *model, uint64_t index);

/* What the parts of the model have in common. */
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
/* What the policy is told of, and the largest order that it may keep or make. */
struct model_event {
	enum gms_event event;
	enum gms_accessor accessor;
	enum gms_shareability to;
	unsigned int cap;
};
int model_split(struct model *model, uint64_t index, const struct model_event *event);
bool model_wants_merge(const struct model *model, uint64_t index, const struct model_event *event);
void model_undo_splits(struct model *model);
uint64_t model_merge(struct model *model, uint64_t index, const struct model_event *event,
		     uint64_t *merges);
int model_merge_to(struct model *model, uint64_t index, unsigned int order);
void model_set_order(struct model *model, uint64_t index, unsigned int order);
/*
 * Counts the flips of the 1G blocks of a range: to be called before a change, and after. One
 * change counts once, where a 1G block or a 2M block in it becomes mixed or uniform.
 */
void model_flips_before(struct model *model, uint64_t start, uint64_t end);
void model_flips_after(struct model *model, uint64_t start, uint64_t end);

/* NULL, or what differs (model_check.c). */
const char *model_compare_near(const struct model *model, struct gms_state *state, uint64_t start,
			       uint64_t nr_pages);
const char *model_compare_all(const struct model *model, struct gms_state *state);
/* In a hook of an operation on a range, for the pages around the range; the model is behind. */
const char *model_compare_inside(const struct model *model, const struct gms_state *state,
				 uint64_t start, uint64_t nr_pages);
/* In a hook of gms_state_destroy(). */
const char *model_compare_ending(const struct model *model, const struct gms_state *state,
				 const struct sim_call *call);
const char *model_compare_stats(const struct model *model, const struct gms_state *state);

/* Random operations (model_ops.c), and an engine beside a model that does them (model_run.c). */
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
	int to; /* shareability; of a fault the accessor; of an attribute whether to set it */
	unsigned int
		flags; /* of a conversion; of an inhibit the order; of an attribute its number */
	bool prepare; /* of a fault by the guest */
	bool full; /* look at everything after this one */
	uint64_t advance; /* the clock, before */
	/* As for sim_refuse() and sim_refuse_after(). */
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
/* NULL, or what differs, with *failed the number of the operation after which it did. */
const char *model_history_run(const struct model_history *history, size_t *failed);
/* Cuts a history that fails down to one that fails and where each operation matters. */
void model_history_shrink(struct model_history *history);
void model_history_free(struct model_history *history);

#endif /* GMS_TESTS_MODEL_H */
