// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * oom.c - proves rules 14, 16 and 39: a call that fails changes nothing
 *
 * Each operation runs from several states, under each policy and with each backing. It fails at
 * its first allocation, then at its second one, and so on, and at each call of each hook. After
 * the failure all queries and counters are as before, except that faults, allocations and pins may
 * leave what fault.h allows. Nothing is allocated after the first apply.
 */
#include <gmemstate/state.h>

#include "model.h"
#include "talloc.h"
#include "test.h"

#define PAGES_2M MODEL_2M
#define NR_SAMPLES 8192
#define ALL_LATER UINT64_MAX

struct setting {
	const char *policy;
	unsigned int folio_order;
	unsigned int shape;
};

struct fixture {
	struct setting setting;
	uint64_t nr_pages;
	struct talloc talloc;
	struct sim *sim;
	struct gms_state *state;
	unsigned int attr;
};

/* The answers about a sample of pages, with all pages of the first 2M blocks, and the counters. */
struct dump {
	uint32_t pages[NR_SAMPLES];
	uint64_t private;
	struct gms_stats stats;
};

enum kind { CONVERT, FAULT, ALLOCATE, PUNCH, PIN, INHIBIT, UNINHIBIT, ATTR, NEW_ATTR, REPAIR };

struct job {
	enum kind kind;
	uint64_t start;
	uint64_t nr_pages;
	int to;
	unsigned int flags;
};

/* The operations that lead to a state. Shape n has made the first n parts of the table. */
static const struct job shape_jobs[][6] = {
	{{ALLOCATE, 0, 2 * PAGES_2M, 0, 0}, {FAULT, 5, 1, GMS_GUEST, 0}},
	{{CONVERT, 0, 100, GMS_PRIVATE, 0},
	 {CONVERT, 200, PAGES_2M, GMS_PRIVATE, 0},
	 {FAULT, 5, 1, GMS_GUEST, 0},
	 {FAULT, 300, 1, GMS_GUEST, 0},
	 {FAULT, 101, 1, GMS_HOST, 0},
	 {PUNCH, 40, 3, 0, 0}},
	{{CONVERT, 2 * PAGES_2M, PAGES_2M, GMS_PRIVATE, 0},
	 {FAULT, 2 * PAGES_2M, 1, GMS_GUEST, 0},
	 {PIN, 150, 2, 0, 0},
	 {ATTR, 7, 9, 1, 0},
	 {INHIBIT, 3, 2, 0, 0}},
};

#define NR_SHAPES (ARRAY_SIZE(shape_jobs) + 1)

static const struct job jobs[] = {
	{CONVERT, 3, 1, GMS_PRIVATE, 0},
	{CONVERT, 3, 1, GMS_SHARED, 0},
	{CONVERT, 50, 100, GMS_SHARED, 0},
	{CONVERT, 50, 70, GMS_PRIVATE, 0},
	{CONVERT, 160, 700, GMS_PRIVATE, 0},
	{CONVERT, 0, 3 * PAGES_2M, GMS_SHARED, 0},
	{CONVERT, PAGES_2M, 2 * PAGES_2M, GMS_PRIVATE, 0},
	{CONVERT, 3, 3 * PAGES_2M, GMS_SHARED, GMS_CONVERT_RESUMABLE},
	{FAULT, 7, 1, GMS_HOST, 0},
	{FAULT, 120, 1, GMS_HOST, 0},
	{FAULT, 7, 1, GMS_GUEST, 0},
	{FAULT, 2 * PAGES_2M + 9, 1, GMS_GUEST, 0},
	{FAULT, 3 * PAGES_2M + 2, 1, GMS_GUEST, 0},
	{ALLOCATE, 30, PAGES_2M + 30, 0, 0},
	{PUNCH, 3, 1, 0, 0},
	{PUNCH, 3, 100, 0, 0},
	{PUNCH, 0, PAGES_2M, 0, 0},
	{PUNCH, 170, 2 * PAGES_2M, 0, 0},
	{PIN, 130, 3, 0, 0},
	{PIN, 3 * PAGES_2M, 4, 0, 0},
	{INHIBIT, 1, 700, 0, GMS_ORDER_2M},
	{UNINHIBIT, 0, PAGES_2M, 0, 0},
	{ATTR, 1, 700, 1, 0},
	{NEW_ATTR, 0, 1, 0, 0},
};

/* Returns true if a call of this kind may keep folios after a failure. */
static bool may_leave(enum kind kind)
{
	return kind == FAULT || kind == ALLOCATE || kind == PIN;
}

static int do_fault(struct fixture *fix, const struct job *job)
{
	struct gms_fault fault;
	int ret;

	ret = gms_fault_begin(fix->state, job->start, (enum gms_accessor)job->to, &fault);
	if (ret)
		return ret;
	if (job->to == GMS_GUEST)
		ret = gms_fault_prepare(fix->state, &fault);
	if (!ret)
		sim_map(fix->sim, job->start, fault.max_order, (enum gms_accessor)job->to);
	gms_fault_end(fix->state, &fault);
	return ret;
}

static int do_job(struct fixture *fix, const struct job *job, gms_pgoff_t *err)
{
	struct gms_state *state = fix->state;
	unsigned int id;

	switch (job->kind) {
	case CONVERT:
		return gms_convert(state, job->start, job->nr_pages, (enum gms_shareability)job->to,
				   job->flags, err);
	case FAULT:
		return do_fault(fix, job);
	case ALLOCATE:
		return gms_allocate(state, job->start, job->nr_pages, err);
	case PUNCH:
		return gms_punch_hole(state, job->start, job->nr_pages, err);
	case PIN:
		return gms_pin(state, job->start, job->nr_pages, err);
	case INHIBIT:
		return gms_inhibit(state, job->start, job->nr_pages, job->flags);
	case UNINHIBIT:
		return gms_uninhibit(state, job->start, job->nr_pages);
	case ATTR:
		return gms_attr_set(state, fix->attr, job->start, job->nr_pages, job->to);
	case NEW_ATTR:
		return gms_attr_create(state, &id);
	default:
		return gms_repair(state, job->start, job->nr_pages, (enum gms_shareability)job->to);
	}
}

static void prepare(struct fixture *fix)
{
	unsigned int shape;
	gms_pgoff_t err;
	size_t i;

	assert_int_equal(gms_attr_create(fix->state, &fix->attr), 0);
	for (shape = 0; shape < fix->setting.shape; shape++) {
		for (i = 0; i < ARRAY_SIZE(shape_jobs[shape]); i++) {
			const struct job *job = &shape_jobs[shape][i];

			if (job->nr_pages)
				assert_int_equal(do_job(fix, job, &err), 0);
		}
	}
}

static void set_up(struct fixture *fix, const struct setting *setting)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct sim_opts sim_opts = {.folio_order = setting->folio_order};

	memset(fix, 0, sizeof(*fix));
	fix->setting = *setting;
	fix->nr_pages = (setting->folio_order == GMS_ORDER_1G ? MODEL_1G : 0) + 4 * PAGES_2M + 5;
	talloc_init(&fix->talloc);
	sim_opts.nr_pages = fix->nr_pages;
	assert_int_equal(sim_create(&sim_opts, &fix->sim), 0);
	opts.nr_pages = fix->nr_pages;
	opts.folio_order = setting->folio_order;
	opts.policy = gms_policy_by_name(setting->policy);
	opts.backend = sim_ops(fix->sim);
	opts.backend_ctx = fix->sim;
	opts.allocator = &fix->talloc.ops;
	assert_int_equal(gms_state_create(&opts, &fix->state), 0);
	prepare(fix);
}

static void tear_down(struct fixture *fix)
{
	gms_state_destroy(fix->state);
	assert_fine(sim_check(fix->sim));
	sim_destroy(fix->sim);
	assert_fine(talloc_check(&fix->talloc));
	assert_int_equal(fix->talloc.live_blocks, 0);
}

static uint64_t sample(const struct fixture *fix, size_t i)
{
	uint64_t near = 4 * PAGES_2M + 5;

	if (i < near)
		return i;
	return near + (i - near) * (fix->nr_pages - near) / (NR_SAMPLES - near);
}

static void take_dump(const struct fixture *fix, struct dump *dump)
{
	const struct gms_state *state = fix->state;
	size_t i;

	memset(dump, 0, sizeof(*dump));
	for (i = 0; i < NR_SAMPLES; i++) {
		uint64_t at = sample(fix, i);
		/* clang-format off */
		dump->pages[i] = gms_is_private(state, at) |
				 gms_is_allocated(state, at) << 1 |
				 gms_is_prepared(state, at) << 2 |
				 gms_is_quarantined(state, at) << 3 |
				 gms_first_pin(state, at, 1, NULL) << 4 |
				 gms_attr_test(state, fix->attr, at) << 5 |
				 (int)gms_summary(state, at, GMS_ORDER_2M) << 6 |
				 (int)gms_summary(state, at, GMS_ORDER_1G) << 8 |
				 (int)gms_max_order(state, at) << 10 |
				 (int)gms_folio_order(state, at) << 16;
		/* clang-format on */
	}
	dump->private = gms_count(state, 0, fix->nr_pages, GMS_PRIVATE);
	dump->stats.struct_size = sizeof(dump->stats);
	gms_stats_read(state, &dump->stats);
}

/* Leaves out the properties that a failed fault may change: folios, and prepared pages. */
static uint32_t unchangeable(uint32_t page)
{
	return page & ~(1U << 1 | 1U << 2 | 0x1fU << 16);
}

static void expect_same_pages(const struct fixture *fix, const struct job *job,
			      const struct dump *before, const struct dump *after)
{
	size_t i;

	for (i = 0; i < NR_SAMPLES; i++) {
		uint32_t was = before->pages[i], is = after->pages[i];

		if (is == was)
			continue;
		if (may_leave(job->kind) && unchangeable(is) == unchangeable(was) &&
		    !(was & ~is & (1U << 1 | 1U << 2)))
			continue;
		fail_msg("%s, backing %u, shape %u, job %d(%llu, %llu) to %d: page %llu was %#x, "
			 "is %#x",
			 fix->setting.policy, fix->setting.folio_order, fix->setting.shape,
			 (int)job->kind, (unsigned long long)job->start,
			 (unsigned long long)job->nr_pages, job->to,
			 (unsigned long long)sample(fix, i), was, is);
	}
	assert_int_equal(before->private, after->private);
}

/*
 * Only the refusal and the undo may be counted. If a hook failed, folios may have been split and
 * merged again. If an allocation failed, no folio was split.
 */
static void expect_same_stats(const struct job *job, const struct dump *before,
			      const struct dump *after)
{
	struct gms_stats was = before->stats, is = after->stats;

	if (is.refused_backend != was.refused_backend) {
		was.splits_1g = is.splits_1g;
		was.splits_2m = is.splits_2m;
		was.merges_1g = is.merges_1g;
		was.merges_2m = is.merges_2m;
	}

	assert_int_equal(is.refused_nomem + is.refused_backend,
			 was.refused_nomem + was.refused_backend + 1);
	was.refused_nomem = is.refused_nomem;
	was.refused_backend = is.refused_backend;
	was.undone = is.undone;
	was.bytes_pooled = is.bytes_pooled;
	if (may_leave(job->kind))
		return;
	/* The host's mappings may have been removed. */
	was.bytes_in_use = is.bytes_in_use;
	assert_memory_equal(&was, &is, sizeof(is));
}

static void expect_sound(struct fixture *fix)
{
	const char *reason = NULL;

	assert_fine(sim_check(fix->sim));
	assert_fine(talloc_check(&fix->talloc));
	if (!gms_state_verify(fix->state, &reason))
		fail_msg("%s", reason);
}

/* Returns true if the job fails without any failure of an allocation or a hook. */
static bool is_refused_anyway(const struct setting *setting, const struct job *job)
{
	struct fixture fix;
	gms_pgoff_t err;
	int ret;

	set_up(&fix, setting);
	ret = do_job(&fix, job, &err);
	tear_down(&fix);
	return ret != 0;
}

/* Fails one allocation of the job, or all later ones, too. Returns false if none failed. */
static bool fail_alloc(const struct setting *setting, const struct job *job, uint64_t skip,
		       uint64_t count)
{
	static struct dump before, after;
	struct fixture fix;
	gms_pgoff_t err;
	bool failed;
	int ret;

	set_up(&fix, setting);
	take_dump(&fix, &before);
	talloc_fail(&fix.talloc, skip, count);
	ret = do_job(&fix, job, &err);
	talloc_fail_never(&fix.talloc);
	failed = fix.talloc.failed != 0;
	take_dump(&fix, &after);
	if (ret) {
		assert_true(failed);
		assert_int_equal(ret, -ENOMEM);
		expect_same_pages(&fix, job, &before, &after);
		expect_same_stats(job, &before, &after);
		/* a second attempt succeeds */
		assert_int_equal(do_job(&fix, job, &err), 0);
	}
	expect_sound(&fix);
	assert_fine(sim_compare(fix.sim, fix.state));
	tear_down(&fix);
	return failed;
}

/* Fails one call of a hook in the job. Returns false if there was no such call. */
static bool fail_hook(const struct setting *setting, const struct job *job, enum sim_hook hook,
		      uint64_t skip)
{
	static struct dump before, after;
	struct sim_totals then, now;
	struct fixture fix;
	gms_pgoff_t err;
	bool failed;
	int ret;

	set_up(&fix, setting);
	take_dump(&fix, &before);
	sim_totals(fix.sim, &then);
	sim_refuse(fix.sim, 1U << hook, skip, 1, -EIO);
	ret = do_job(&fix, job, &err);
	sim_refuse(fix.sim, 0, 0, 0, 0);
	sim_totals(fix.sim, &now);
	failed = now.calls[hook] - then.calls[hook] > skip;
	take_dump(&fix, &after);
	/* A merge that is refused does not fail the call. */
	assert_int_equal(ret, failed && hook != SIM_FOLIO_MERGE ? -EIO : 0);
	if (ret) {
		expect_same_pages(&fix, job, &before, &after);
		expect_same_stats(job, &before, &after);
		assert_int_equal(do_job(&fix, job, &err), 0);
	}
	expect_sound(&fix);
	assert_fine(sim_compare(fix.sim, fix.state));
	tear_down(&fix);
	return failed;
}

typedef void (*each_fn)(const struct setting *setting, const struct job *job, uint64_t *failures);

static void for_each_setting(each_fn fn)
{
	static const char *const policies[] = {"eager-rfc", "eager", "eager-nonuniform",
					       "lazy-4k",   "lazy",  "adaptive"};
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	/* of the eighteen settings, six where tests are slow, and two under valgrind */
	const size_t step = test_on_valgrind() ? 4 : test_slowdown() > 1 ? 2 : 1;
	uint64_t failures = 0;
	size_t p, o, j;

	for (p = 0; p < ARRAY_SIZE(policies); p += step) {
		for (o = step / 4; o < ARRAY_SIZE(orders); o += step) {
			struct setting setting = {policies[p], orders[o], 0};

			for (; setting.shape < NR_SHAPES; setting.shape++) {
				for (j = 0; j < ARRAY_SIZE(jobs); j++) {
					if (!is_refused_anyway(&setting, &jobs[j]))
						fn(&setting, &jobs[j], &failures);
				}
			}
		}
	}
	/* Otherwise too few failures were tested. */
	assert_in_range(failures, 500 / (step * step), UINT64_MAX);
}

static void fail_allocs(const struct setting *setting, const struct job *job, uint64_t *failures)
{
	uint64_t skip;

	for (skip = 0; fail_alloc(setting, job, skip, 1); skip++)
		++*failures;
	for (skip = 0; fail_alloc(setting, job, skip, ALL_LATER); skip++)
		;
}

static void test_rule14_each_allocation_may_fail(void **unused)
{
	(void)unused;
	for_each_setting(fail_allocs);
}

static void fail_hooks(const struct setting *setting, const struct job *job, uint64_t *failures)
{
	static const enum sim_hook hooks[] = {
		SIM_UNMAP_HOST,  SIM_CHECK_PINS,  SIM_APPLY,       SIM_PREPARE,
		SIM_FOLIO_ALLOC, SIM_FOLIO_SPLIT, SIM_FOLIO_MERGE,
	};
	uint64_t skip;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		/* Of the calls for hundreds of 4K folios, only some fail: fewer and fewer. */
		for (skip = 0; fail_hook(setting, job, hooks[i], skip); skip += 1 + skip / 4)
			++*failures;
	}
}

static void test_rule16_each_hook_may_fail(void **unused)
{
	(void)unused;
	for_each_setting(fail_hooks);
}

/* Forbids allocations from the first hook that changes something to the end of the call. */
static void set_trap(void *arg, const struct sim_call *call)
{
	const unsigned int late = 1U << SIM_APPLY | 1U << SIM_UNDO | 1U << SIM_INVALIDATE_END |
				  1U << SIM_FOLIO_MERGE | 1U << SIM_FOLIO_FREE;

	if (late & 1U << call->hook)
		talloc_trap(arg, TALLOC_TRAP_ALLOC);
}

static bool run_trapped(const struct setting *setting, const struct job *job, uint64_t skip)
{
	struct sim_totals totals;
	struct fixture fix;
	gms_pgoff_t err;
	uint64_t before;
	int ret;

	set_up(&fix, setting);
	sim_totals(fix.sim, &totals);
	before = totals.calls[SIM_APPLY];
	sim_on_call(fix.sim, set_trap, &fix.talloc);
	sim_refuse(fix.sim, 1U << SIM_APPLY, skip, 1, -EIO);
	sim_refuse_after(fix.sim, 3);
	ret = do_job(&fix, job, &err);
	talloc_trap(&fix.talloc, 0);
	sim_on_call(fix.sim, NULL, NULL);
	sim_totals(fix.sim, &totals);
	assert_true(!ret || ret == -EIO);
	expect_sound(&fix);
	tear_down(&fix);
	return totals.calls[SIM_APPLY] - before > skip;
}

static void run_all_trapped(const struct setting *setting, const struct job *job,
			    uint64_t *failures)
{
	uint64_t skip;

	/* Other calls may allocate later, and resumable conversions before each block. */
	if (job->flags & GMS_CONVERT_RESUMABLE ||
	    (job->kind != CONVERT && job->kind != PUNCH && job->kind != ATTR))
		return;
	for (skip = 0; run_trapped(setting, job, skip); skip++)
		++*failures;
	++*failures;
}

static void test_rule14_nothing_is_allocated_after_apply(void **unused)
{
	(void)unused;
	for_each_setting(run_all_trapped);
}

/* Rules 14 and 39: a repair that fails at an allocation changes nothing. */
static void test_a_repair_that_fails_changes_nothing(void **unused)
{
	const struct setting setting = {"lazy", GMS_ORDER_2M, 2};
	const struct job repair = {REPAIR, 101, 2 * PAGES_2M - 101, GMS_PRIVATE, 0};
	static struct dump before, after;
	bool failed = true;
	uint64_t skip;

	(void)unused;
	for (skip = 0; failed; skip++) {
		struct fixture fix;
		gms_pgoff_t err;
		int ret;

		set_up(&fix, &setting);
		sim_refuse(fix.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, UINT64_MAX, -EIO);
		assert_int_equal(gms_convert(fix.state, 0, 2 * PAGES_2M, GMS_PRIVATE, 0, &err),
				 -EIO);
		sim_refuse(fix.sim, 0, 0, 0, 0);
		assert_true(gms_is_quarantined(fix.state, 101));
		assert_int_equal(sim_set(fix.sim, 101, 2 * PAGES_2M - 101, GMS_PRIVATE), 0);
		take_dump(&fix, &before);
		talloc_fail(&fix.talloc, skip, 1);
		ret = do_job(&fix, &repair, &err);
		talloc_fail_never(&fix.talloc);
		failed = fix.talloc.failed != 0;
		take_dump(&fix, &after);
		if (ret) {
			assert_int_equal(ret, -ENOMEM);
			expect_same_pages(&fix, &repair, &before, &after);
			expect_same_stats(&repair, &before, &after);
			assert_int_equal(do_job(&fix, &repair, &err), 0);
		}
		assert_true(gms_range_is(fix.state, 101, 2 * PAGES_2M - 101, GMS_PRIVATE));
		expect_sound(&fix);
		tear_down(&fix);
	}
	assert_in_range(skip, 1, 1000);
}

/* Rule 14: gms_unpin() allocates nothing, because an undo may unpin. */
static void test_unpin_allocates_nothing(void **unused)
{
	const struct setting setting = {"lazy", GMS_ORDER_2M, 1};
	struct fixture fix;

	(void)unused;
	set_up(&fix, &setting);
	assert_int_equal(gms_pin(fix.state, 100, PAGES_2M, NULL), 0);
	assert_int_equal(gms_pin(fix.state, 300, 10, NULL), 0);
	talloc_trap(&fix.talloc, TALLOC_TRAP_ALLOC);
	gms_unpin(fix.state, 303, 2);
	gms_unpin(fix.state, 100, PAGES_2M);
	gms_unpin(fix.state, 300, 10);
	talloc_trap(&fix.talloc, 0);
	assert_false(gms_first_pin(fix.state, 0, fix.nr_pages, NULL));
	expect_sound(&fix);
	tear_down(&fix);
}

static void test_rule14_a_create_that_fails_leaves_nothing(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct talloc talloc;
	uint64_t skip;
	int ret;

	(void)unused;
	opts.nr_pages = 40 * MODEL_1G + 5;
	opts.folio_order = GMS_ORDER_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.allocator = &talloc.ops;
	for (skip = 0;; skip++) {
		talloc_init(&talloc);
		talloc_fail(&talloc, skip, 1);
		state = (void *)0x77;
		ret = gms_state_create(&opts, &state);
		if (!talloc.failed)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(state, (void *)0x77);
		assert_int_equal(talloc.live_blocks, 0);
	}
	assert_int_equal(ret, 0);
	assert_in_range(skip, 1, 1000);
	gms_state_destroy(state);
	assert_int_equal(talloc.live_blocks, 0);
	assert_fine(talloc_check(&talloc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule14_a_create_that_fails_leaves_nothing),
		cmocka_unit_test(test_unpin_allocates_nothing),
		cmocka_unit_test(test_a_repair_that_fails_changes_nothing),
		cmocka_unit_test(test_rule14_each_allocation_may_fail),
		cmocka_unit_test(test_rule16_each_hook_may_fail),
		cmocka_unit_test(test_rule14_nothing_is_allocated_after_apply),
	};

	return cmocka_run_group_tests_name("engine-oom", tests, NULL, NULL);
}
