// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * effects.c - proves that a loaded object behaves as the saved one
 *
 * Tests rule 37. The tests on the rig check that loading calls no hook, that some state is not
 * saved, that faults, conversions and policies work on a loaded object, and that hooks and
 * listeners cannot save.
 */
#include "rig.h"
#include "snap.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

static struct gms_state *load(const struct snap *snap, struct gms_state_opts *opts)
{
	struct gms_state *state;

	assert_int_equal(gms_snapshot_load(snap->data, snap->size, opts, &state), 0);
	return state;
}

static struct gms_state *load_plainly(const struct snap *snap)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	return load(snap, &opts);
}

static unsigned int max_order(struct gms_state *state, uint64_t index)
{
	struct gms_fault fault;
	unsigned int order;

	assert_int_equal(gms_fault_begin(state, index, GMS_GUEST, &fault), 0);
	order = fault.max_order;
	gms_fault_end(state, &fault);
	return order;
}

/* Folios, PREPARED, pins, splits and bindings are not saved: they leave no trace in the bytes. */
static void rule_37_folios_pins_and_bindings_are_not_saved(void **unused)
{
	struct snap before, after;
	struct gms_fault fault;
	struct gms_state *state;
	struct rig rig;
	unsigned int id;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, T_1G + 100, 1000, GMS_SHARED);
	snap_save(&before, rig.state);
	assert_int_equal(rig_fault(&rig, 7, GMS_GUEST, &fault), 0);
	assert_int_equal(rig_fault(&rig, T_1G + 200, GMS_HOST, &fault), 0);
	rig_pin(&rig, T_1G + 300, 5);
	assert_int_equal(gms_bind(rig.state, 1ULL << 20, 0, T_1G, &id), 0);
	assert_true(gms_is_prepared(rig.state, 7));
	snap_save(&after, rig.state);
	assert_true(snap_same(&before, &after));
	snap_fini(&before);
	state = load_plainly(&after);
	assert_false(gms_is_allocated(state, 7));
	assert_false(gms_is_prepared(state, 7));
	assert_int_equal(gms_folio_order(state, T_1G + 200), GMS_ORDER_1G);
	/* In the loaded object the pages are not pinned. */
	assert_int_equal(gms_convert(state, T_1G + 300, 5, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_unbind(state, id), -EINVAL);
	gms_state_destroy(state);
	snap_fini(&after);
	gms_unpin(rig.state, T_1G + 300, 5);
	rig_fini(&rig);
}

/* ---- hooks ---- */

static unsigned int called;

#define HOOK(name, type, ret, ...)         \
	static type on_##name(__VA_ARGS__) \
	{                                  \
		(void)ctx;                 \
		called++;                  \
		return ret;                \
	}

/* clang-format off */
HOOK(unmap_host, int, 0, void *ctx, gms_pgoff_t s __attribute__((unused)),
     uint64_t n __attribute__((unused)))
HOOK(zap_guest, void, , void *ctx, gms_pgoff_t s __attribute__((unused)),
     uint64_t n __attribute__((unused)), enum gms_shareability only __attribute__((unused)))
HOOK(range, void, , void *ctx, gms_pgoff_t s __attribute__((unused)),
     uint64_t n __attribute__((unused)))
HOOK(apply, int, 0, void *ctx, gms_pgoff_t s __attribute__((unused)),
     uint64_t n __attribute__((unused)), enum gms_shareability to __attribute__((unused)),
     gms_pgoff_t *failed __attribute__((unused)))
HOOK(folio, int, 0, void *ctx, gms_pgoff_t i __attribute__((unused)),
     unsigned int order __attribute__((unused)))
HOOK(folio_free, void, , void *ctx, gms_pgoff_t i __attribute__((unused)),
     unsigned int order __attribute__((unused)))
HOOK(freed, void, , void *ctx, gms_pgoff_t i __attribute__((unused)))
/* clang-format on */

static const struct gms_backend_ops counting = {
	.struct_size = sizeof(counting),
	.unmap_host = on_unmap_host,
	.invalidate_begin = on_range,
	.invalidate_end = on_range,
	.zap_guest = on_zap_guest,
	.apply = on_apply,
	.prepare = on_folio,
	.folio_alloc = on_folio,
	.folio_free = on_folio_free,
	.block_freed = on_freed,
};

static void rule_37_no_hook_is_called(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state = NULL;
	struct snap_model model;
	struct talloc talloc;
	struct snap snap;
	uint64_t skip;
	int rc;

	(void)unused;
	snap_model_v1(&model);
	snap_of_model(&snap, &model);
	talloc_init(&talloc);
	opts.allocator = &talloc.ops;
	opts.backend = &counting;
	called = 0;
	/* A load calls no hook, neither on success nor when it fails half-way. */
	for (skip = 0;; skip++) {
		talloc_fail(&talloc, skip, 1);
		rc = gms_snapshot_load(snap.data, snap.size, &opts, &state);
		talloc_fail_never(&talloc);
		if (!rc)
			break;
	}
	gms_state_destroy(state);
	assert_int_equal(called, 0);
	/* A call on the loaded object does call the hooks. */
	state = load(&snap, &opts);
	assert_int_equal(gms_allocate(state, 0, 1, NULL), 0);
	assert_true(called > 0);
	gms_state_destroy(state);
	assert_int_equal(atomic_load(&talloc.live_blocks), 0);
	snap_fini(&snap);
	snap_model_fini(&model);
}

static void save_in_hook(struct rig *rig, const struct sim_call *call)
{
	unsigned int *times = rig->arg;
	size_t needed = 0x77;
	uint8_t buf[256];

	(void)call;
	if (rig->ending)
		return;
	++*times;
	if (gms_snapshot_save(rig->state, NULL, 0, &needed) != -EDEADLK || needed != 0x77 ||
	    gms_snapshot_save(rig->state, buf, sizeof(buf), NULL) != -EDEADLK)
		atomic_store(&rig->broken, "saved from inside a hook");
}

static void rule_37_a_hook_cannot_save(void **unused)
{
	unsigned int times = 0;
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &all_private);
	rig.arg = &times;
	rig.hook = save_in_hook;
	rig_convert(&rig, 5, 100, GMS_SHARED);
	rig_faults(&rig, T_1G + 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig.hook = NULL;
	assert_true(times >= 5);
	assert_int_equal(rig_stats(&rig).refused_deadlock, 2 * times);
	rig_fini(&rig);
}

static int save_in_listener(void *ctx, const struct gms_run *runs, size_t count,
			    enum gms_shareability to, size_t *done)
{
	struct rig *rig = ctx;

	(void)runs;
	(void)to;
	*done = count;
	if (gms_snapshot_save(rig->state, NULL, 0, NULL) == -EDEADLK)
		++*(unsigned int *)rig->arg;
	return 0;
}

static void rule_37_a_listener_cannot_save(void **unused)
{
	static const struct gms_listener_ops ops = {
		.struct_size = sizeof(ops),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = save_in_listener,
	};
	struct snap before, after;
	unsigned int times = 0, id;
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &all_private);
	snap_save(&before, rig.state);
	rig.arg = &times;
	assert_int_equal(gms_listener_register(rig.state, &ops, &rig, 0, T_1G, 1, &id), 0);
	rig_convert(&rig, 5, 100, GMS_SHARED);
	rig_convert(&rig, 5, 100, GMS_PRIVATE);
	assert_int_equal(times, 2);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	snap_save(&after, rig.state);
	assert_true(snap_same(&before, &after));
	snap_fini(&before);
	snap_fini(&after);
	rig_fini(&rig);
}

static void rule_37_a_frozen_object_can_be_saved(void **unused)
{
	struct snap before, frozen;
	struct gms_state *state;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, 5, 100, GMS_SHARED);
	snap_save(&before, rig.state);
	assert_int_equal(gms_freeze(rig.state), 0);
	snap_save(&frozen, rig.state);
	assert_true(snap_same(&before, &frozen));
	assert_int_equal(gms_thaw(rig.state), 0);
	/* The loaded object is not frozen. */
	state = load_plainly(&frozen);
	assert_int_equal(gms_convert(state, 5, 1, GMS_PRIVATE, 0, NULL), 0);
	gms_state_destroy(state);
	snap_fini(&before);
	snap_fini(&frozen);
	rig_fini(&rig);
}

/* ---- loaded objects ---- */

static void rule_37_faults_are_capped_as_before(void **unused)
{
	struct snap_model model;
	struct gms_state *state;
	struct snap snap;
	unsigned int id;

	(void)unused;
	snap_model_init(&model, 5 * T_1G, GMS_ORDER_1G, 1);
	oracle_store(&model.set[SNAP_PRIVATE], 0, 5 * T_1G, true);
	oracle_store(&model.set[SNAP_PRIVATE], 5, 1, false);
	oracle_store(&model.set[SNAP_INHIBIT_4K], T_1G + 5, 1, true);
	oracle_store(&model.set[SNAP_INHIBIT_2M], T_1G + 5, 1, true);
	oracle_store(&model.set[SNAP_INHIBIT_2M], 2 * T_1G + 5, 1, true);
	oracle_store(&model.set[SNAP_ATTR], 3 * T_1G + T_2M, T_2M, true);
	snap_of_model(&snap, &model);
	state = load_plainly(&snap);
	assert_int_equal(max_order(state, 7), GMS_ORDER_4K);
	assert_int_equal(max_order(state, T_2M), GMS_ORDER_2M);
	assert_int_equal(max_order(state, T_1G + 7), GMS_ORDER_4K);
	assert_int_equal(max_order(state, T_1G + T_2M), GMS_ORDER_2M);
	assert_int_equal(max_order(state, 2 * T_1G + 7), GMS_ORDER_2M);
	assert_int_equal(max_order(state, 3 * T_1G + 7), GMS_ORDER_2M);
	assert_int_equal(max_order(state, 4 * T_1G + 7), GMS_ORDER_1G);
	/* The inhibits can be lifted, and a new attribute gets the next number. */
	assert_int_equal(gms_uninhibit(state, 0, 5 * T_1G), 0);
	assert_int_equal(max_order(state, T_1G + 7), GMS_ORDER_1G);
	assert_int_equal(gms_attr_set(state, 0, 3 * T_1G, T_1G, true), 0);
	assert_int_equal(max_order(state, 3 * T_1G + 7), GMS_ORDER_1G);
	assert_int_equal(gms_attr_create(state, &id), 0);
	assert_int_equal(id, 1);
	gms_state_destroy(state);
	snap_fini(&snap);
	snap_model_fini(&model);
}

static void rule_37_an_inhibit_to_2m_alone_caps(void **unused)
{
	struct snap_model model;
	struct gms_state *state;
	struct snap snap;

	(void)unused;
	snap_model_init(&model, T_1G, GMS_ORDER_1G, 0);
	oracle_store(&model.set[SNAP_INHIBIT_2M], T_1G - 1, 1, true);
	snap_of_model(&snap, &model);
	state = load_plainly(&snap);
	assert_int_equal(max_order(state, 7), GMS_ORDER_2M);
	gms_state_destroy(state);
	snap_fini(&snap);
	snap_model_fini(&model);
}

static void rule_37_a_quarantine_is_kept(void **unused)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	struct gms_fault fault;
	struct snap_model model;
	struct gms_state *state;
	gms_pgoff_t where = 0;
	struct snap snap;

	(void)unused;
	snap_model_init(&model, T_1G, GMS_ORDER_4K, 0);
	oracle_store(&model.set[SNAP_QUARANTINE], 40, 2, true);
	snap_of_model(&snap, &model);
	state = load_plainly(&snap);
	assert_int_equal(gms_fault_begin(state, 41, GMS_GUEST, &fault), -ENOTRECOVERABLE);
	assert_int_equal(gms_convert(state, 0, 50, GMS_PRIVATE, 0, &where), -ENOTRECOVERABLE);
	assert_int_equal(where, 40);
	assert_int_equal(gms_repair(state, 40, 2, GMS_PRIVATE), 0);
	gms_stats_read(state, &stats);
	assert_int_equal(stats.quarantined_pages, 0);
	assert_int_equal(gms_convert(state, 0, 50, GMS_PRIVATE, 0, NULL), 0);
	gms_state_destroy(state);
	snap_fini(&snap);
	snap_model_fini(&model);
}

static void note_flips(void *ctx, const struct gms_policy_view *view,
		       struct gms_policy_verdict *verdict)
{
	uint64_t *flips = ctx;

	(void)verdict;
	*flips = view->flips;
}

/* The history of a block that was loaded mixed begins when the block becomes uniform. */
static void rule_37_history_begins_anew(void **unused)
{
	static const struct gms_policy_ops ops = {
		.struct_size = sizeof(ops),
		.name = "note",
		.decide = note_flips,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	uint64_t flips = 0x77, block;
	struct snap_model model;
	struct gms_state *state;
	struct gms_fault fault;
	struct snap snap;

	(void)unused;
	/*
	 * Block 1 is mixed by the end of a run, block 2 by the start of one. Blocks 0 and 3 are
	 * uniform.
	 */
	snap_model_init(&model, 4 * T_1G, GMS_ORDER_1G, 0);
	oracle_store(&model.set[SNAP_PRIVATE], 0, T_1G + 5, true);
	oracle_store(&model.set[SNAP_PRIVATE], 3 * T_1G - 5, T_1G + 5, true);
	snap_of_model(&snap, &model);
	opts.policy = &ops;
	opts.policy_ctx = &flips;
	state = load(&snap, &opts);
	assert_int_equal(gms_convert(state, 0, 4 * T_1G, GMS_SHARED, 0, NULL), 0);
	for (block = 0; block < 4; block++) {
		assert_int_equal(gms_fault_begin(state, block * T_1G + 9, GMS_GUEST, &fault), 0);
		gms_fault_end(state, &fault);
		assert_int_equal(flips, block == 1 || block == 2);
	}
	gms_state_destroy(state);
	snap_fini(&snap);
	snap_model_fini(&model);
}

/* Each policy converts a loaded object to shared and back. */
static void rule_37_policies_work_on_a_loaded_object(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct snap_model model;
	struct gms_state *state;
	struct gms_fault fault;
	struct snap snap, again;
	const char *why = NULL;
	unsigned int i;
	uint64_t at;

	(void)unused;
	snap_model_init(&model, 2 * T_1G + 700, GMS_ORDER_1G, 0);
	oracle_store(&model.set[SNAP_PRIVATE], 100, T_1G, true);
	snap_of_model(&snap, &model);
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		opts.policy = rig_policy(i);
		state = load(&snap, &opts);
		for (at = 0; at < model.nr_pages; at += T_2M) {
			assert_int_equal(gms_fault_begin(state, at, GMS_GUEST, &fault), 0);
			assert_true(fault.max_order <= gms_max_order(state, at));
			gms_fault_end(state, &fault);
		}
		assert_int_equal(gms_convert(state, 100, T_1G, GMS_SHARED, 0, NULL), 0);
		gms_maintain(state, 10);
		assert_int_equal(gms_convert(state, 100, T_1G, GMS_PRIVATE, 0, NULL), 0);
		gms_state_verify(state, &why);
		assert_fine(why);
		snap_save(&again, state);
		assert_true(snap_same(&snap, &again));
		snap_fini(&again);
		gms_state_destroy(state);
	}
	snap_fini(&snap);
	snap_model_fini(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_37_folios_pins_and_bindings_are_not_saved),
		cmocka_unit_test(rule_37_no_hook_is_called),
		cmocka_unit_test(rule_37_a_hook_cannot_save),
		cmocka_unit_test(rule_37_a_listener_cannot_save),
		cmocka_unit_test(rule_37_a_frozen_object_can_be_saved),
		cmocka_unit_test(rule_37_faults_are_capped_as_before),
		cmocka_unit_test(rule_37_an_inhibit_to_2m_alone_caps),
		cmocka_unit_test(rule_37_a_quarantine_is_kept),
		cmocka_unit_test(rule_37_history_begins_anew),
		cmocka_unit_test(rule_37_policies_work_on_a_loaded_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
