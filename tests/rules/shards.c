// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shards.c - proves that each call waits for the locks of its own shards, and for no others
 *
 * Tests rules 16, 18 and 19.
 *
 * One thread holds a lock of one shard: the convert lock, inside a listener; both locks, inside a
 * hook; or the invalidate lock shared, by an open fault. Another thread makes a call, which must
 * wait if it needs that lock, and only then. The rig checks in each hook which locks an undo
 * holds.
 */
#include <gmemstate/binding.h>
#include <gmemstate/listener.h>
#include <gmemstate/snapshot.h>

#include "gate.h"

#define NR_SHARDS 16
#define NR_PAGES ((NR_SHARDS + 3) * T_1G)
#define BLOCK(n) ((n)*T_1G)

/* ---- operations ---- */

enum locks { NOTHING, RANGE, ALL };

struct op {
	const char *name;
	enum locks convert; /* the shards whose convert locks it takes */
	enum locks shared, exclusive; /* the shards whose invalidate locks it takes */
	void (*setup)(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages);
	int (*run)(struct job *job);
	bool page; /* the call is for one page */
};

static unsigned int attr, binding, listener;

static int accept_all(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		      size_t *done)
{
	struct gate *gate = ctx;
	const struct sim_call call = {.hook = SIM_NR_HOOKS, .start = runs[0].start};

	(void)to;
	*done = count;
	if (gate)
		gate_pass(gate, &call);
	return 0;
}

static const struct gms_listener_ops listener_ops = {
	.struct_size = sizeof(listener_ops),
	.change = accept_all,
};

static void make_private(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	rig_convert(rig, start, nr_pages, GMS_PRIVATE);
}

static void make_allocated(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	assert_int_equal(gms_allocate(rig->state, start, nr_pages, NULL), 0);
}

/* Splits a mixed 2M in each 1G block of the range. */
static void make_split(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	for (gms_pgoff_t at = start; at < start + nr_pages; at = at / T_1G * T_1G + T_1G) {
		struct gms_fault fault;

		rig_convert(rig, at, 1, GMS_PRIVATE);
		assert_int_equal(rig_fault(rig, at + 1, GMS_HOST, &fault), 0);
		assert_int_equal(gms_folio_order(rig->state, at), GMS_ORDER_4K);
	}
}

static void make_attr(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)start;
	(void)nr_pages;
	assert_int_equal(gms_attr_create(rig->state, &attr), 0);
}

static void make_binding(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	assert_int_equal(gms_bind(rig->state, start + 77, start, nr_pages, &binding), 0);
}

static void make_quarantined(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -ENXIO);
	sim_refuse_after(rig->sim, 1);
	rig_convert_fails(rig, start, nr_pages, GMS_PRIVATE, 0, -ENXIO, start);
	assert_true(gms_is_quarantined(rig->state, start));
	assert_true(gms_is_quarantined(rig->state, start + nr_pages - 1));
}

static int run_pin(struct job *job)
{
	const int ret = job_pin(job);

	if (!ret)
		gms_unpin(job->rig->state, job->start, job->nr_pages);
	return ret;
}

static int run_lock_shared(struct job *job)
{
	const int ret = gms_lock_shared(job->rig->state, job->start, job->nr_pages);

	if (!ret)
		gms_unlock_shared(job->rig->state, job->start, job->nr_pages);
	return ret;
}

static int run_guest_fault(struct job *job)
{
	job->accessor = GMS_GUEST;
	return job_fault(job);
}

static int run_convert_private(struct job *job)
{
	job->to = GMS_PRIVATE;
	return job_convert(job);
}

static int run_convert_resumable(struct job *job)
{
	job->flags = GMS_CONVERT_RESUMABLE;
	return run_convert_private(job);
}

static int run_maintain(struct job *job)
{
	gms_maintain(job->rig->state, UINT64_MAX);
	return 0;
}

static int run_attr_create(struct job *job)
{
	return gms_attr_create(job->rig->state, &attr);
}

static int run_attr_set(struct job *job)
{
	return gms_attr_set(job->rig->state, attr, job->start, job->nr_pages, true);
}

static int run_inhibit(struct job *job)
{
	return gms_inhibit(job->rig->state, job->start, job->nr_pages, GMS_ORDER_4K);
}

static int run_bind(struct job *job)
{
	return gms_bind(job->rig->state, job->start + 77, job->start, job->nr_pages, &binding);
}

static int run_unbind(struct job *job)
{
	return gms_unbind(job->rig->state, binding);
}

static int run_repair(struct job *job)
{
	const int ret = sim_set(job->rig->sim, job->start, job->nr_pages, GMS_SHARED);

	return ret ? ret : gms_repair(job->rig->state, job->start, job->nr_pages, GMS_SHARED);
}

static int run_register(struct job *job)
{
	unsigned int id;

	return gms_listener_register(job->rig->state, &listener_ops, NULL, job->start,
				     job->nr_pages, 1, &id);
}

static int run_freeze(struct job *job)
{
	const int ret = gms_freeze(job->rig->state);

	return ret ? ret : gms_thaw(job->rig->state);
}

static const struct op ops[] = {
	{"allocate", NOTHING, RANGE, NOTHING, NULL, job_allocate, false},
	{"pin", NOTHING, RANGE, NOTHING, NULL, run_pin, false},
	{"lock_shared", NOTHING, RANGE, NOTHING, NULL, run_lock_shared, false},
	{"host fault", NOTHING, RANGE, NOTHING, NULL, job_fault, true},
	{"guest fault", NOTHING, RANGE, NOTHING, make_private, run_guest_fault, true},
	{"convert to private", RANGE, NOTHING, RANGE, NULL, run_convert_private, false},
	{"convert to shared", RANGE, NOTHING, RANGE, make_private, job_convert, false},
	{"convert, resumable", RANGE, NOTHING, RANGE, NULL, run_convert_resumable, false},
	{"punch_hole", RANGE, NOTHING, RANGE, make_allocated, job_punch, false},
	{"maintain", RANGE, NOTHING, RANGE, make_split, run_maintain, false},
	{"attr_set", RANGE, NOTHING, RANGE, make_attr, run_attr_set, false},
	{"inhibit", RANGE, NOTHING, RANGE, NULL, run_inhibit, false},
	{"bind", ALL, NOTHING, RANGE, NULL, run_bind, false},
	{"unbind", ALL, NOTHING, RANGE, make_binding, run_unbind, false},
	{"repair", ALL, NOTHING, RANGE, make_quarantined, run_repair, false},
	{"attr_create", ALL, NOTHING, NOTHING, NULL, run_attr_create, false},
	{"register", ALL, NOTHING, NOTHING, NULL, run_register, false},
	{"freeze", ALL, NOTHING, ALL, NULL, run_freeze, false},
};

/* ---- places ---- */

/*
 * Ranges in one, two and three shards, each with a block whose locks are held. The shard of that
 * block is one of the range, or is not.
 */
static const struct place {
	gms_pgoff_t start;
	uint64_t nr_pages;
	unsigned int held; /* the block whose locks are held */
} places[] = {
	{BLOCK(2) - 3, T_1G + 6, 0}, {BLOCK(2) - 3, T_1G + 6, 1},  {BLOCK(2) - 3, T_1G + 6, 3},
	{BLOCK(2) - 3, T_1G + 6, 4}, {BLOCK(2) - 3, T_1G + 6, 17}, {BLOCK(2) - 3, T_1G + 6, 18},
	{BLOCK(16) - 3, 6, 14},      {BLOCK(16) - 3, 6, 15},       {BLOCK(16) - 3, 6, 16},
	{BLOCK(16) - 3, 6, 0},       {BLOCK(16) - 3, 6, 17},       {BLOCK(5) + 9, 3, 5},
	{BLOCK(5) + 9, 3, 0},        {BLOCK(5) + 9, 3, 4},         {BLOCK(5) + 9, 3, 6},
};

static bool needs(enum locks locks, gms_pgoff_t start, uint64_t nr_pages, unsigned int held)
{
	const gms_pgoff_t last = (start + nr_pages - 1) / T_1G;

	for (gms_pgoff_t block = start / T_1G; locks == RANGE && block <= last; block++) {
		if (block % NR_SHARDS == held % NR_SHARDS)
			return true;
	}
	return locks == ALL;
}

/*
 * Returns a page of the block that is held. A range has it only if the range has the whole block.
 */
static gms_pgoff_t page_of(unsigned int held)
{
	return BLOCK(held) + 3 * T_2M + 7;
}

static void check_waits(const struct op *op, const struct place *place, bool waits, bool want,
			int ret)
{
	if (waits != want)
		fail_msg("%s of %#llx + %#llx, with block %u held: %s", op->name,
			 (unsigned long long)place->start, (unsigned long long)place->nr_pages,
			 place->held, waits ? "waits" : "does not wait");
	if (ret)
		fail_msg("%s returned %d", op->name, ret);
}

static struct job start_op(struct rig *rig, const struct op *op, const struct place *place)
{
	struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

	opts.policy = gms_policy_adaptive(); /* it decides GMS_EV_MAINTAIN */
	rig_init(rig, &opts);
	if (op->setup)
		op->setup(rig, place->start, place->nr_pages);
	return job_of(rig, op->run, place->start, op->page ? 1 : place->nr_pages);
}

/* Starts the call. Returns true if it waits. @want: whether it has to. */
static bool op_waits(struct job *job, bool want)
{
	job_start(job);
	return want ? job_waits(job) : !job_ends(job);
}

/* ---- held locks ---- */

/*
 * Makes the call beside a conversion: in a hook, which holds both locks, or in a listener, which
 * holds the convert lock.
 */
static void beside_a_conversion(const struct op *op, const struct place *place, bool in_listener)
{
	const gms_pgoff_t page = page_of(place->held);
	struct job job, convert;
	struct gate gate;
	struct rig rig;
	bool waits, want;

	job = start_op(&rig, op, place);
	gate_close(&gate, &rig, in_listener ? SIM_NR_HOOKS : SIM_APPLY, page);
	if (in_listener) {
		gate.start = UINT64_MAX - 1; /* let the registration pass */
		assert_int_equal(gms_listener_register(rig.state, &listener_ops, &gate, page, 1, 1,
						       &listener),
				 0);
		gate.start = page;
	}
	convert = job_of_convert(&rig, page, 1, GMS_PRIVATE);
	job_start(&convert);
	gate_await(&gate, 1);
	want = needs(op->convert, job.start, job.nr_pages, place->held) ||
	       (!in_listener && needs(op->shared, job.start, job.nr_pages, place->held)) ||
	       (!in_listener && needs(op->exclusive, job.start, job.nr_pages, place->held));
	waits = op_waits(&job, want);
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	job_join(&job);
	gate_fini(&gate, &rig);
	check_waits(op, place, waits, want, job.ret);
	rig_fini(&rig);
}

/* Makes the call beside an open fault, which holds the invalidate lock shared. */
static void beside_a_fault(const struct op *op, const struct place *place)
{
	struct gms_fault fault;
	bool waits, want;
	struct job job;
	struct rig rig;

	job = start_op(&rig, op, place);
	assert_int_equal(gms_fault_begin(rig.state, page_of(place->held), GMS_GUEST, &fault), 0);
	want = needs(op->exclusive, job.start, job.nr_pages, place->held);
	waits = op_waits(&job, want);
	gms_fault_end(rig.state, &fault);
	job_join(&job);
	check_waits(op, place, waits, want, job.ret);
	rig_fini(&rig);
}

static void each(void (*check)(const struct op *op, const struct place *place))
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(places); k++)
			check(&ops[i], &places[k]);
	}
}

static void beside_a_hook(const struct op *op, const struct place *place)
{
	beside_a_conversion(op, place, false);
}

static void beside_a_listener(const struct op *op, const struct place *place)
{
	beside_a_conversion(op, place, true);
}

static void rule_18_calls_wait_for_exclusive_locks_of_their_shards(void **unused)
{
	(void)unused;
	each(beside_a_hook);
}

static void rule_19_calls_wait_for_convert_locks_of_their_shards(void **unused)
{
	(void)unused;
	each(beside_a_listener);
}

static void rule_18_calls_wait_for_shared_locks_of_their_shards(void **unused)
{
	(void)unused;
	each(beside_a_fault);
}

/* ---- undo and quarantine ---- */

static int refuse(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	const bool *refuses = ctx;

	(void)runs;
	*done = *refuses ? 0 : count;
	return *refuses && to == GMS_SHARED ? -ENOSPC : 0;
}

static const struct gms_listener_ops refusing_ops = {
	.struct_size = sizeof(refusing_ops),
	.change = refuse,
};

/*
 * Rule 16: a listener refuses pages of two shards after the locks were released. The undo takes
 * them again, and so does the quarantine. The rig checks the locks in each hook.
 */
static void rule_16_an_undo_locks_all_of_its_shards(void **unused)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = GMS_ORDER_2M,
		.init_private = true,
	};
	const gms_pgoff_t start = BLOCK(16) - 3, nr_pages = 6;
	bool refuses = true;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(gms_listener_register(rig.state, &refusing_ops, &refuses, start, nr_pages,
					       1, &listener),
			 0);
	rig_convert_fails(&rig, start, nr_pages, GMS_SHARED, 0, -ENOSPC, start);
	assert_int_equal(rig_count(&rig, 1U << SIM_UNDO), 1);
	rig_check(&rig);
	rig_forget(&rig);
	/* the first hook of the undo fails, too */
	sim_refuse(rig.sim, 1U << SIM_UNMAP_HOST, 0, 1, -EIO);
	rig_convert_fails(&rig, start, nr_pages, GMS_SHARED, 0, -ENOSPC, start);
	assert_int_equal(rig_stats(&rig).quarantined_pages, nr_pages);
	assert_int_equal(rig_count(&rig, 1U << SIM_UNDO), 0);
	assert_true(rig_covered(&rig, SIM_ZAP_GUEST, start, nr_pages));
	rig_check(&rig);
	rig_forget(&rig);
	/* the pages are repaired as shared ones, which the listener refuses */
	assert_int_equal(sim_set(rig.sim, start, nr_pages, GMS_SHARED), 0);
	assert_int_equal(gms_repair(rig.state, start, nr_pages, GMS_SHARED), -ENOSPC);
	assert_int_equal(rig_stats(&rig).quarantined_pages, nr_pages);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, start, nr_pages));
	rig_check(&rig);
	refuses = false;
	rig_repair(&rig, start, nr_pages, GMS_SHARED);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_18_calls_wait_for_exclusive_locks_of_their_shards),
		cmocka_unit_test(rule_19_calls_wait_for_convert_locks_of_their_shards),
		cmocka_unit_test(rule_18_calls_wait_for_shared_locks_of_their_shards),
		cmocka_unit_test(rule_16_an_undo_locks_all_of_its_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
