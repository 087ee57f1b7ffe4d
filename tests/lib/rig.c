// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rig.c - a state object on the simulated backend, with checks in each hook
 */
#include "rig.h"

#include "state_query.h"

#define RECORDED 16384

/* ---- checks in each hook ---- */

/* The hooks that are called with the invalidate locks of all their pages held exclusively. */
#define EXCLUSIVE                                                                             \
	(1U << SIM_UNMAP_HOST | 1U << SIM_INVALIDATE_BEGIN | 1U << SIM_ZAP_GUEST |            \
	 1U << SIM_APPLY | 1U << SIM_UNDO | 1U << SIM_INVALIDATE_END | 1U << SIM_FOLIO_FREE | \
	 1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED)

static const char *watch_locks(const struct rig *rig, const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;

	if (!(EXCLUSIVE >> call->hook & 1) || rig->ending)
		return NULL;
	for (gms_pgoff_t at = call->start; at < end; at = at / T_1G * T_1G + T_1G) {
		if (gms_seq_read(rig->state, at) % 2 == 0)
			return "a hook is called without the invalidate lock of its pages";
	}
	return NULL;
}

static const char *watch_apply(const struct rig *rig, const struct sim_call *call)
{
	enum gms_shareability to = (enum gms_shareability)call->to;

	/* When a listener refuses a conversion to shared, the new state is published already. */
	if (call->hook == SIM_UNDO)
		return to == GMS_PRIVATE ||
				       gms_range_is(rig->state, call->start, call->nr_pages, to)
			       ? NULL
			       : "undo: the new state was published before";
	if (!gms_range_is(rig->state, call->start, call->nr_pages,
			  to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE))
		return "apply: the pages do not change, or were published before";
	if (to == GMS_PRIVATE && gms_first_pin(rig->state, call->start, call->nr_pages, NULL))
		return "apply: a pinned page becomes private";
	return NULL;
}

static const char *watch_prepare(const struct rig *rig, const struct sim_call *call)
{
	uint64_t i;

	if (!gms_range_is(rig->state, call->start, call->nr_pages, GMS_PRIVATE))
		return "prepare: a page is shared";
	for (i = call->start; i < call->start + call->nr_pages; i++) {
		if (!gms_is_allocated(rig->state, i))
			return "prepare: a page is not allocated";
	}
	if (gms_folio_order(rig->state, call->start) < call->from)
		return "prepare: the block is larger than the folio";
	return NULL;
}

static const char *watch_call(const struct rig *rig, const struct sim_call *call)
{
	switch (call->hook) {
	case SIM_APPLY:
	case SIM_UNDO:
		return watch_apply(rig, call);
	case SIM_PREPARE:
		return watch_prepare(rig, call);
	case SIM_FOLIO_SPLIT:
		if (gms_first_pin(rig->state, call->start, 1ULL << call->from, NULL))
			return "split: the folio is pinned";
		return NULL;
	case SIM_FOLIO_FREE:
		if (gms_first_pin(rig->state, call->start, 1ULL << call->from, NULL))
			return "free: the folio is pinned";
		return NULL;
	default:
		return NULL;
	}
}

/* Makes all queries, about the pages of the call, the last page and the pages past the end. */
static const char *query_all(const struct rig *rig, const struct sim_call *call)
{
	const bool still = rig->ending || (EXCLUSIVE >> call->hook & 1);
	const char *why = state_query_page(rig->state, call->start, still);

	if (!why)
		why = state_query_page(rig->state, call->start + call->nr_pages - 1, still);
	if (!why)
		why = state_query_page(rig->state, rig->nr_pages - 1, rig->ending);
	return why ? why : state_query_object(rig->state);
}

/* In gms_state_destroy(), 1G blocks are freed in ascending order. */
static const char *watch_end(const struct rig *rig, const struct sim_call *call)
{
	const gms_pgoff_t block = call->start / T_1G * T_1G;
	const gms_pgoff_t freed = call->hook == SIM_BLOCK_FREED ? block + T_1G : block;

	for (gms_pgoff_t at = 0; at < freed && at < rig->nr_pages; at += T_2M) {
		if (gms_is_allocated(rig->state, at) || gms_is_prepared(rig->state, at))
			return "destroy: a freed page is allocated or prepared";
	}
	return NULL;
}

static void on_call(void *arg, const struct sim_call *call)
{
	struct rig *rig = arg;
	const char *why, *none = NULL;

	why = watch_locks(rig, call);
	if (!why)
		why = rig->ending ? watch_end(rig, call) : watch_call(rig, call);
	if (!why)
		why = query_all(rig, call);
	if (why)
		atomic_compare_exchange_strong(&rig->broken, &none, why);
	if (rig->hook)
		rig->hook(rig, call);
}

/* ---- set-up ---- */

void rig_init(struct rig *rig, const struct rig_opts *opts)
{
	const struct sim_opts sim = {
		.nr_pages = opts->nr_pages,
		.folio_order = opts->folio_order,
		.init_private = opts->init_private,
		.flags = opts->sim_flags,
		.record = RECORDED,
	};
	struct gms_state_opts state = GMS_STATE_OPTS_INIT;

	memset(rig, 0, sizeof(*rig));
	rig->nr_pages = opts->nr_pages;
	talloc_init(&rig->talloc);
	assert_int_equal(sim_create(&sim, &rig->sim), 0);
	sim_on_call(rig->sim, on_call, rig);
	if (opts->tune)
		opts->tune(sim_ops(rig->sim));
	state.nr_pages = opts->nr_pages;
	state.flags = opts->init_private ? GMS_INIT_PRIVATE : 0;
	state.folio_order = opts->folio_order;
	state.policy = opts->policy;
	state.policy_ctx = opts->policy_ctx;
	state.backend = sim_ops(rig->sim);
	state.backend_ctx = rig->sim;
	state.allocator = &rig->talloc.ops;
	state.clock_ns = opts->clock_ns;
	state.clock_ctx = opts->clock_ctx;
	state.merge_wait_2m = opts->merge_wait_2m;
	state.merge_wait_1g = opts->merge_wait_1g;
	assert_int_equal(gms_state_create(&state, &rig->state), 0);
}

/* Each range has as many begins as ends, and no end comes before its begin. */
static const char *check_balance(struct rig *rig)
{
	const struct sim_call *calls;
	size_t count, i, j;

	calls = sim_calls(rig->sim, &count);
	for (i = 0; i < count; i++) {
		long open = 0;

		if (calls[i].hook != SIM_INVALIDATE_BEGIN && calls[i].hook != SIM_INVALIDATE_END)
			continue;
		for (j = 0; j < count && open >= 0; j++) {
			if (calls[j].start != calls[i].start ||
			    calls[j].nr_pages != calls[i].nr_pages)
				continue;
			open += calls[j].hook == SIM_INVALIDATE_BEGIN;
			open -= calls[j].hook == SIM_INVALIDATE_END;
		}
		if (open)
			return "invalidate_begin and invalidate_end do not balance";
	}
	return NULL;
}

void rig_check(struct rig *rig)
{
	const char *reason = "";
	uint64_t i;

	assert_fine(atomic_load(&rig->broken));
	assert_fine(sim_check(rig->sim));
	assert_fine(sim_compare(rig->sim, rig->state));
	assert_fine(check_balance(rig));
	assert_fine(talloc_check(&rig->talloc));
	if (!gms_state_verify(rig->state, &reason))
		fail_msg("%s", reason);
	for (i = 0; i < rig->nr_pages; i += T_1G)
		assert_int_equal(gms_seq_read(rig->state, i) % 2, 0);
}

void rig_fini(struct rig *rig)
{
	rig_check(rig);
	rig->ending = true;
	gms_state_destroy(rig->state);
	assert_fine(atomic_load(&rig->broken));
	assert_fine(sim_check(rig->sim));
	sim_destroy(rig->sim);
	assert_int_equal(rig->talloc.live_blocks, 0);
	assert_fine(talloc_check(&rig->talloc));
}

/* ---- calls with an expected result ---- */

void rig_convert(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	gms_pgoff_t err_index = 0x77;

	assert_int_equal(gms_convert(rig->state, start, nr_pages, to, 0, &err_index), 0);
	assert_int_equal(err_index, 0x77);
	assert_true(gms_range_is(rig->state, start, nr_pages, to));
}

void rig_convert_fails(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability to, unsigned int flags, int err, gms_pgoff_t index)
{
	gms_pgoff_t err_index = UINT64_MAX;

	assert_int_equal(gms_convert(rig->state, start, nr_pages, to, flags, &err_index), err);
	assert_int_equal(err_index, index);
}

int rig_fault(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
	      struct gms_fault *fault)
{
	int rc = gms_fault_begin(rig->state, index, accessor, fault);

	if (rc)
		return rc;
	if (accessor == GMS_GUEST && gms_is_private(rig->state, index) && !fault->prepared)
		rc = gms_fault_prepare(rig->state, fault);
	if (!rc)
		rc = sim_map(rig->sim, index, fault->max_order, accessor);
	gms_fault_end(rig->state, fault);
	return rc;
}

void rig_faults(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
		unsigned int folio_order, unsigned int max_order)
{
	struct gms_fault fault;

	memset(&fault, 0xa5, sizeof(fault));
	assert_int_equal(rig_fault(rig, index, accessor, &fault), 0);
	assert_int_equal(fault.folio_order, folio_order);
	assert_int_equal(fault.folio_index, index >> folio_order << folio_order);
	assert_int_equal(fault.max_order, max_order);
	assert_true(gms_is_allocated(rig->state, index));
	assert_int_equal(gms_folio_order(rig->state, index), folio_order);
}

void rig_pin(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	gms_pgoff_t err_index = 0x77;

	assert_int_equal(gms_pin(rig->state, start, nr_pages, &err_index), 0);
	assert_int_equal(err_index, 0x77);
}

void rig_repair(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	assert_int_equal(sim_set(rig->sim, start, nr_pages, to), 0);
	assert_int_equal(gms_repair(rig->state, start, nr_pages, to), 0);
	assert_true(gms_range_is(rig->state, start, nr_pages, to));
}

struct gms_stats rig_stats(const struct rig *rig)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(rig->state, &stats);
	return stats;
}

/* ---- recorded calls ---- */

static void print_call(const char *what, const struct sim_call *call)
{
	print_error("%s %s %#llx + %#llx, %u -> %u, returned %d\n", what, sim_hook_name(call->hook),
		    (unsigned long long)call->start, (unsigned long long)call->nr_pages, call->from,
		    call->to, call->ret);
}

/* The orders give the size of a split or merge, so nr_pages is not compared. */
static bool is_same_call(const struct sim_call *a, const struct sim_call *b)
{
	bool by_orders = a->hook == SIM_FOLIO_SPLIT || a->hook == SIM_FOLIO_MERGE ||
			 a->hook == SIM_BLOCK_FREED;

	return a->hook == b->hook && a->start == b->start && a->from == b->from && a->to == b->to &&
	       (by_orders || a->nr_pages == b->nr_pages);
}

static void print_calls(const struct sim_call *calls, size_t count, unsigned int but)
{
	size_t i;

	for (i = 0; i < count && i < 100; i++) {
		if (!(but & 1U << calls[i].hook))
			print_call("was", &calls[i]);
	}
}

void rig_expect(struct rig *rig, unsigned int but, const struct sim_call *want, size_t count)
{
	const struct sim_call *calls;
	size_t nr_calls, i, at = 0;

	calls = sim_calls(rig->sim, &nr_calls);
	assert_true(nr_calls < RECORDED);
	for (i = 0; i < nr_calls; i++) {
		if (but & 1U << calls[i].hook)
			continue;
		if (at == count || !is_same_call(&calls[i], &want[at])) {
			print_calls(calls, nr_calls, but);
			print_call("unexpected:", &calls[i]);
			if (at < count)
				print_call("instead of:", &want[at]);
			fail_msg("call %zu differs", at);
		}
		at++;
	}
	if (at < count) {
		print_calls(calls, nr_calls, but);
		print_call("missing:", &want[at]);
		fail_msg("%zu calls instead of %zu", at, count);
	}
}

void rig_forget(struct rig *rig)
{
	assert_fine(check_balance(rig));
	sim_forget(rig->sim);
}

size_t rig_count(struct rig *rig, unsigned int hooks)
{
	const struct sim_call *calls;
	size_t nr_calls, i, count = 0;

	calls = sim_calls(rig->sim, &nr_calls);
	assert_true(nr_calls < RECORDED);
	for (i = 0; i < nr_calls; i++)
		count += (hooks >> calls[i].hook) & 1;
	return count;
}

bool rig_covered(struct rig *rig, enum sim_hook hook, gms_pgoff_t start, uint64_t nr_pages)
{
	const struct sim_call *calls;
	size_t count, i;

	calls = sim_calls(rig->sim, &count);
	for (i = 0; i < count; i++) {
		if (calls[i].hook == hook && calls[i].start <= start &&
		    calls[i].start + calls[i].nr_pages >= start + nr_pages)
			return true;
	}
	return false;
}

/* ---- images ---- */

static unsigned char look_at(const struct gms_state *state, gms_pgoff_t index)
{
	unsigned int order = gms_folio_order(state, index);

	assert_true(order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G);
	return (unsigned char)(gms_is_private(state, index) | gms_is_allocated(state, index) << 1 |
			       gms_is_prepared(state, index) << 2 |
			       gms_is_quarantined(state, index) << 3 | (order / GMS_ORDER_2M) << 4 |
			       gms_first_pin(state, index, 1, NULL) << 6);
}

/* Rule 5: the summaries equal a recount. */
static void check_summaries(const struct rig_image *image, const struct rig *rig,
			    unsigned int order)
{
	uint64_t start, i, private;

	for (start = 0; start < image->nr_pages; start += 1ULL << order) {
		uint64_t end = start + (1ULL << order);

		if (end > image->nr_pages)
			end = image->nr_pages;
		for (i = start, private = 0; i < end; i++)
		private += image->pages[i] & 1;
		assert_int_equal(gms_summary(rig->state, start, order), !private ? GMS_ALL_SHARED
									: private == end - start
										? GMS_ALL_PRIVATE
										: GMS_MIXED);
	}
}

void rig_image_take(struct rig_image *image, const struct rig *rig)
{
	uint64_t i;

	image->nr_pages = rig->nr_pages;
	image->pages = malloc(rig->nr_pages);
	assert_non_null(image->pages);
	for (i = 0; i < rig->nr_pages; i++)
		image->pages[i] = look_at(rig->state, i);
	check_summaries(image, rig, GMS_ORDER_2M);
	check_summaries(image, rig, GMS_ORDER_1G);
}

void rig_image_free(struct rig_image *image)
{
	free(image->pages);
	image->pages = NULL;
}

void rig_image_same(const struct rig_image *image, const struct rig *rig)
{
	struct rig_image now;
	uint64_t i;

	rig_image_take(&now, rig);
	for (i = 0; i < now.nr_pages; i++) {
		if (now.pages[i] != image->pages[i])
			fail_msg("page %#llx was %#x, is %#x", (unsigned long long)i,
				 image->pages[i], now.pages[i]);
	}
	rig_image_free(&now);
}

const struct gms_policy_ops *rig_policy(unsigned int number)
{
	static const struct gms_policy_ops *(*const policies[RIG_NR_POLICIES])(void) = {
		gms_policy_eager_rfc, gms_policy_eager, gms_policy_eager_nonuniform,
		gms_policy_lazy_4k,   gms_policy_lazy,  gms_policy_adaptive,
	};

	return policies[number]();
}

static void never_split(void *ctx, const struct gms_policy_view *view,
			struct gms_policy_verdict *verdict)
{
	(void)ctx;
	verdict->order = view->folio_order;
}

const struct gms_policy_ops rig_never_splits = {
	.struct_size = sizeof(rig_never_splits), .name = "never", .decide = never_split};
