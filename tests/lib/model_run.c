// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_run.c - runs a history on the engine and on the model
 */
#include "model.h"
#include "shrink.h"
#include "state_query.h"
#include "talloc.h"
#include "test.h"
#include "twin.h"

/* No operation of a history calls more hooks. */
#define MAX_CALLS (1U << 18)

/* The value of err_index before a call, and after a call that succeeds. */
#define NOT_WRITTEN 0xfedcba98765ULL

struct duo {
	struct model model;
	struct gms_state *state;
	struct sim *sim;
	struct talloc talloc;
	/* for the hooks: */
	bool ending; /* in gms_state_destroy() */
	uint64_t start, nr_pages; /* of the current operation */
	const struct gms_policy_ops *policy;
	uint64_t views; /* as in the model */
	const char *why; /* NULL, or the first wrong answer in a hook */
};

struct outcome {
	int ret;
	int prepare_ret;
	gms_pgoff_t err_index;
	uint64_t merged;
	struct gms_fault begun;
	struct gms_fault fault;
};

static uint64_t clock_of(void *ctx)
{
	return ((struct duo *)ctx)->model.now;
}

/* Makes queries in a hook, and keeps the first wrong answer. There is only one thread. */
static void in_hook(void *arg, const struct sim_call *call)
{
	struct duo *duo = arg;

	if (duo->why)
		return;
	duo->why = state_query_page(duo->state, call->start, true);
	if (!duo->why)
		duo->why = state_query_object(duo->state);
	if (!duo->why && duo->ending)
		duo->why = model_compare_ending(&duo->model, duo->state, call);
	else if (!duo->why)
		duo->why = model_compare_inside(&duo->model, duo->state, duo->start, duo->nr_pages);
}

/* Decides as the policy of the history does, and notes what it was shown. */
static void decide_and_note(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	struct duo *duo = ctx;

	model_rent_note(&duo->views, view);
	duo->policy->decide(NULL, view, verdict);
}

static const char *duo_init(struct duo *duo, const struct model_opts *opts)
{
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	struct sim_opts sim_opts = {
		.nr_pages = opts->nr_pages,
		.folio_order = opts->folio_order,
		.init_private = opts->init_private,
		.flags = opts->pins_by_folio ? GMS_BACKEND_PINS_BY_FOLIO : 0,
		.record = MAX_CALLS,
	};
	struct gms_policy_ops policy;
	unsigned int i, id;

	memset(duo, 0, sizeof(*duo));
	talloc_init(&duo->talloc);
	model_init(&duo->model, opts);
	if (sim_create(&sim_opts, &duo->sim))
		return "no memory for the simulation";
	state_opts.nr_pages = opts->nr_pages;
	state_opts.flags = opts->init_private ? GMS_INIT_PRIVATE : 0;
	state_opts.folio_order = opts->folio_order;
	duo->policy = gms_policy_by_name(model_policy_name(opts->policy));
	policy = *duo->policy;
	policy.decide = decide_and_note;
	state_opts.policy = &policy;
	state_opts.policy_ctx = duo;
	state_opts.backend = sim_ops(duo->sim);
	state_opts.backend_ctx = duo->sim;
	state_opts.allocator = &duo->talloc.ops;
	state_opts.clock_ns = clock_of;
	state_opts.clock_ctx = duo;
	state_opts.merge_wait_2m = MODEL_MERGE_2M;
	state_opts.merge_wait_1g = MODEL_MERGE_1G;
	if (gms_state_create(&state_opts, &duo->state))
		return "gms_state_create() failed";
	for (i = 0; i < MODEL_NR_ATTRS; i++) {
		if (gms_attr_create(duo->state, &id) || id != i)
			return "gms_attr_create() failed";
	}
	sim_on_call(duo->sim, in_hook, duo);
	return NULL;
}

static const char *duo_fini(struct duo *duo)
{
	const char *why;

	duo->ending = true;
	duo->why = NULL;
	gms_state_destroy(duo->state);
	why = duo->sim ? sim_check(duo->sim) : NULL;
	if (why)
		why = twin_say("at destroy: %s", why);
	else
		why = duo->why;
	sim_destroy(duo->sim);
	model_fini(&duo->model);
	if (!why)
		why = talloc_check(&duo->talloc);
	if (!why && duo->talloc.live_blocks)
		why = "memory is left over after destroy";
	return why;
}

/* Maps all that the fault allows, as a VMM does. */
static const char *map(struct duo *duo, const struct model_op *op, const struct gms_fault *fault)
{
	if (op->to == GMS_GUEST && duo->model.private[op->start] && !fault->prepared)
		return NULL;
	if (sim_map(duo->sim, op->start, fault->max_order, (enum gms_accessor)op->to))
		return sim_check(duo->sim);
	return NULL;
}

static const char *engine_fault(struct duo *duo, const struct model_op *op, struct outcome *out)
{
	struct gms_state *state = duo->state;
	const char *why;

	memset(&out->fault, 0x5a, sizeof(out->fault));
	out->ret = gms_fault_begin(state, op->start, (enum gms_accessor)op->to, &out->fault);
	out->begun = out->fault;
	if (out->ret)
		return NULL;
	if (out->fault.seq != gms_seq_read(state, op->start) || out->fault.seq % 2)
		why = "the seq of a fault is odd, or differs from gms_seq_read()";
	else
		why = NULL;
	if (op->prepare)
		out->prepare_ret = gms_fault_prepare(state, &out->fault);
	if (!why)
		why = map(duo, op, &out->fault);
	gms_fault_end(state, &out->fault);
	return why;
}

static const char *engine_op(struct duo *duo, const struct model_op *op, struct outcome *out)
{
	struct gms_state *state = duo->state;
	gms_pgoff_t *err = &out->err_index;

	switch (op->kind) {
	case MODEL_CONVERT:
		out->ret = gms_convert(state, op->start, op->nr_pages,
				       (enum gms_shareability)op->to, op->flags, err);
		break;
	case MODEL_FAULT:
		return engine_fault(duo, op, out);
	case MODEL_ALLOCATE:
		out->ret = gms_allocate(state, op->start, op->nr_pages, err);
		break;
	case MODEL_PUNCH:
		out->ret = gms_punch_hole(state, op->start, op->nr_pages, err);
		break;
	case MODEL_PIN:
		out->ret = gms_pin(state, op->start, op->nr_pages, err);
		break;
	case MODEL_UNPIN:
		talloc_trap(&duo->talloc, TALLOC_TRAP_ALLOC);
		gms_unpin(state, op->start, op->nr_pages);
		talloc_trap(&duo->talloc, 0);
		break;
	case MODEL_INHIBIT:
		out->ret = gms_inhibit(state, op->start, op->nr_pages, op->flags);
		break;
	case MODEL_UNINHIBIT:
		out->ret = gms_uninhibit(state, op->start, op->nr_pages);
		break;
	case MODEL_ATTR:
		out->ret = gms_attr_set(state, op->flags, op->start, op->nr_pages, op->to);
		break;
	case MODEL_MAINTAIN:
		out->merged = gms_maintain(state, op->nr_pages);
		break;
	default:
		out->ret =
			gms_repair(state, op->start, op->nr_pages, (enum gms_shareability)op->to);
		break;
	}
	return NULL;
}

static void model_fault(struct duo *duo, const struct model_op *op, struct outcome *out)
{
	out->ret = model_fault_begin(&duo->model, op->start, op->to, &out->fault);
	out->begun = out->fault;
	if (!out->ret && op->prepare)
		out->prepare_ret = model_fault_prepare(&duo->model, op->start, op->to, &out->fault);
}

static void model_op(struct duo *duo, const struct model_op *op, struct outcome *out)
{
	struct model *model = &duo->model;
	gms_pgoff_t err = NOT_WRITTEN;

	switch (op->kind) {
	case MODEL_CONVERT:
		out->ret = model_convert(model, op->start, op->nr_pages, op->to, op->flags, &err);
		break;
	case MODEL_FAULT:
		model_fault(duo, op, out);
		break;
	case MODEL_ALLOCATE:
		out->ret = model_allocate(model, op->start, op->nr_pages, &err);
		break;
	case MODEL_PUNCH:
		out->ret = model_punch_hole(model, op->start, op->nr_pages, &err);
		break;
	case MODEL_PIN:
		out->ret = model_pin(model, op->start, op->nr_pages, &err);
		break;
	case MODEL_UNPIN:
		model_unpin(model, op->start, op->nr_pages);
		break;
	case MODEL_INHIBIT:
		out->ret = model_inhibit(model, op->start, op->nr_pages, op->flags);
		break;
	case MODEL_UNINHIBIT:
		out->ret = model_uninhibit(model, op->start, op->nr_pages);
		break;
	case MODEL_ATTR:
		out->ret = model_attr_set(model, op->flags, op->start, op->nr_pages, op->to);
		break;
	case MODEL_MAINTAIN:
		out->merged = model_maintain(model, op->nr_pages);
		break;
	default:
		out->ret = model_repair(model, op->start, op->nr_pages, op->to);
		break;
	}
	/* The model may write err_index on success, too. */
	out->err_index = out->ret ? err : NOT_WRITTEN;
}

static const char *compare_fault(const char *when, const struct gms_fault *got,
				 const struct gms_fault *want)
{
	if (got->folio_index == want->folio_index && got->folio_order == want->folio_order &&
	    got->max_order == want->max_order && got->prepared == want->prepared &&
	    got->fresh == want->fresh)
		return NULL;
	return twin_say("%s: folio %#llx order %u max_order %u prepared %d fresh %d, should be "
			"%#llx %u %u %d %d",
			when, (unsigned long long)got->folio_index, got->folio_order,
			got->max_order, got->prepared, got->fresh,
			(unsigned long long)want->folio_index, want->folio_order, want->max_order,
			want->prepared, want->fresh);
}

static const char *compare_outcomes(const struct model_op *op, const struct outcome *got,
				    const struct outcome *want)
{
	const char *why = NULL;

	if (got->ret != want->ret || got->prepare_ret != want->prepare_ret)
		return twin_say("returned %d (prepare: %d), should be %d (%d)", got->ret,
				got->prepare_ret, want->ret, want->prepare_ret);
	if (got->err_index != want->err_index)
		return twin_say("err_index is %#llx, should be %#llx",
				(unsigned long long)got->err_index,
				(unsigned long long)want->err_index);
	if (got->merged != want->merged)
		return twin_say("merged %llu, should be %llu", (unsigned long long)got->merged,
				(unsigned long long)want->merged);
	if (op->kind != MODEL_FAULT || got->ret)
		return NULL;
	why = compare_fault("begin", &got->begun, &want->begun);
	return why || got->prepare_ret ? why : compare_fault("prepare", &got->fault, &want->fault);
}

/* A sequence number is even after a call. Conversions with nothing to do leave it as it was. */
static const char *check_seq(const struct duo *duo, const struct model_op *op, uint64_t before,
			     const struct gms_stats *stats)
{
	uint64_t seq = gms_seq_read(duo->state, op->start);
	uint64_t end = op->start + op->nr_pages - 1;
	const struct gms_stats *now = &duo->model.stats;

	if (seq % 2)
		return "a sequence number is odd after a call";
	if (op->kind != MODEL_CONVERT)
		return NULL;
	if (now->noops != stats->noops && seq != before)
		return "a sequence number changed though no page did";
	if (now->pages_converted != stats->pages_converted && seq == before &&
	    op->start / MODEL_1G == end / MODEL_1G)
		return "a sequence number did not change in a conversion";
	return NULL;
}

static const char *check_all(struct duo *duo, const struct model_op *op)
{
	const char *why = sim_check(duo->sim);

	if (!why && op->start < duo->model.nr_pages && op->kind != MODEL_MAINTAIN)
		why = model_compare_near(&duo->model, duo->state, op->start, op->nr_pages);
	if (!why && op->full)
		why = model_compare_all(&duo->model, duo->state);
	if (!why)
		why = model_compare_stats(&duo->model, duo->state);
	if (!why && op->full)
		why = sim_compare(duo->sim, duo->state);
	if (!why && op->full && !gms_state_verify(duo->state, &why) && !why)
		why = "gms_state_verify() gave no reason";
	return why ? why : talloc_check(&duo->talloc);
}

/* Sets the state of the simulated backend, as a caller of gms_repair() does. */
static void mend(struct duo *duo, const struct model_op *op, const struct outcome *got)
{
	if (op->kind == MODEL_REPAIR && !got->ret)
		sim_set(duo->sim, op->start, op->nr_pages, (enum gms_shareability)op->to);
}

/* Moves a repair to the nearest quarantined pages behind its start, if there are any. */
static struct model_op move_repair(const struct model *model, const struct model_op *op)
{
	struct model_op moved = *op;
	uint64_t start, end;

	if (op->kind != MODEL_REPAIR || !model_good_range(model, op->start, op->nr_pages))
		return moved;
	start = model_find(model->quarantined, op->start, model->nr_pages, 1);
	if (start == model->nr_pages)
		start = model_find(model->quarantined, 0, model->nr_pages, 1);
	if (start == model->nr_pages)
		return moved;
	end = model_find(model->quarantined, start, model->nr_pages, 0);
	moved.start = start;
	/* Sometimes the range has some of the quarantined pages, or is too long. */
	if (op->nr_pages > end - start && op->nr_pages % 8)
		moved.nr_pages = end - start;
	return moved;
}

static const char *do_op(struct duo *duo, const struct model_op *planned)
{
	const struct model_op moved = move_repair(&duo->model, planned), *op = &moved;
	struct outcome got = {.err_index = NOT_WRITTEN}, want = {.err_index = NOT_WRITTEN};
	struct gms_stats stats = duo->model.stats;
	uint64_t seq = gms_seq_read(duo->state, op->start);
	const struct sim_call *calls;
	const char *why;
	size_t nr_calls;

	duo->model.now += op->advance;
	sim_forget(duo->sim);
	sim_refuse(duo->sim, op->refuse, op->skip, op->count, -EIO);
	sim_refuse_after(duo->sim, op->after);
	duo->start = op->start;
	duo->nr_pages = op->nr_pages;
	why = engine_op(duo, op, &got);
	if (!why)
		why = duo->why;
	sim_refuse(duo->sim, 0, 0, 0, 0);
	mend(duo, op, &got);
	if (why)
		return why;
	calls = sim_calls(duo->sim, &nr_calls);
	if (nr_calls == MAX_CALLS)
		return "the operation called more hooks than can be recorded";
	model_begin(&duo->model, calls, nr_calls);
	duo->model.refuse_after = op->after;
	duo->model.engine_ret = got.ret;
	model_op(duo, op, &want);
	why = model_end(&duo->model);
	if (!why)
		why = compare_outcomes(op, &got, &want);
	if (!why && duo->views != duo->model.views)
		why = "the policy was shown other rests or waits of a block";
	if (!why)
		why = check_seq(duo, op, seq, &stats);
	return why ? why : check_all(duo, op);
}

const char *model_history_run(const struct model_history *history, size_t *failed)
{
	static _Thread_local char kept[512];
	const char *why;
	struct duo duo;
	size_t i;

	why = duo_init(&duo, &history->opts);
	for (i = 0; i < history->nr_ops && !why; i++) {
		*failed = i;
		why = do_op(&duo, &history->ops[i]);
	}
	/* duo_fini() frees the texts of the model and of the simulation. */
	snprintf(kept, sizeof(kept), "%s", why ? why : "");
	why = duo_fini(&duo);
	return *kept ? kept : why;
}

static const char *run(const void *history, size_t *failed)
{
	return model_history_run(history, failed);
}

void model_history_shrink(struct model_history *history)
{
	struct shrink shrink = {run, history, history->ops, sizeof(*history->ops),
				&history->nr_ops};
	size_t i;

	shrink_end(&shrink);
	shrink_halves(&shrink);
	/* Few operations are left. With a full comparison after each of them, fewer may do. */
	for (i = 0; i < history->nr_ops; i++)
		history->ops[i].full = true;
	shrink_end(&shrink);
	shrink_pieces(&shrink, 1);
}
