// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * freeze.c - proves which calls a frozen object refuses, and which work
 *
 * Tests rules 11, 28, 37 and 38. A call that would change the object returns -EPERM and leaves no
 * trace. freeze_race.c tests policies, hooks, listeners and threads.
 */
#include "rig.h"

/* The first page of each 2M block, and the state of the block. */
#define PREPARED (0 * T_2M) /* private, a folio, prepared */
#define RAW (1 * T_2M) /* private, a folio, not prepared */
#define OPEN (2 * T_2M) /* shared, a folio, with one pinned page */
#define HALF (3 * T_2M) /* a folio, its first half shared */
#define VOID (4 * T_2M) /* private, no folio */
#define CLEAR (5 * T_2M) /* shared, no folio */
#define SICK (6 * T_2M) /* private; [SICK + 5, SICK + 8) is quarantined */
#define NR_PAGES (8 * T_2M + 1)
#define PINNED (OPEN + 7)
#define GFN (9 * T_2M) /* the gfn of page 0 */

static unsigned int binding, listener;

static int listen(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	uint64_t *pages = ctx;
	size_t i;

	for (i = 0; i < count; i++)
		*pages += to == GMS_SHARED ? runs[i].nr_pages : -runs[i].nr_pages;
	*done = count;
	return 0;
}

static const struct gms_listener_ops listener_ops = {
	.struct_size = sizeof(listener_ops),
	.change = listen,
};

static uint64_t listened; /* pages that the listener holds */

static void set_up(struct rig *rig, const struct gms_policy_ops *policy)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = GMS_ORDER_2M,
		.init_private = true,
		.policy = policy,
	};
	unsigned int attr;

	listened = 0;
	rig_init(rig, &opts);
	rig_convert(rig, OPEN, T_2M, GMS_SHARED);
	rig_convert(rig, HALF, T_2M / 2, GMS_SHARED);
	rig_convert(rig, CLEAR, T_2M, GMS_SHARED);
	rig_faults(rig, PREPARED, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(rig, OPEN, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_pin(rig, PINNED, 1);
	assert_int_equal(gms_allocate(rig->state, RAW, 1, NULL), 0);
	assert_int_equal(gms_allocate(rig->state, HALF, 1, NULL), 0);
	assert_int_equal(gms_attr_create(rig->state, &attr), 0);
	assert_int_equal(attr, 0);
	assert_int_equal(gms_attr_set(rig->state, 0, VOID + 100, 50, true), 0);
	assert_int_equal(gms_inhibit(rig->state, CLEAR + 9, 3, GMS_ORDER_4K), 0);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig->sim, 1);
	rig_convert_fails(rig, SICK + 5, 3, GMS_SHARED, 0, -EIO, SICK + 5);
	sim_refuse(rig->sim, 0, 0, 0, 0);
	sim_refuse_after(rig->sim, 0);
	assert_int_equal(gms_bind(rig->state, GFN, 0, SICK, &binding), 0);
	assert_int_equal(gms_listener_register(rig->state, &listener_ops, &listened, 0, NR_PAGES, 1,
					       &listener),
			 0);
	assert_int_equal(listened, gms_count(rig->state, 0, NR_PAGES, GMS_SHARED));
	rig_check(rig);
	rig_forget(rig);
}

/* ---- the whole state ---- */

struct dump {
	struct rig_image image;
	struct gms_stats stats;
	unsigned char *snapshot; /* has the attributes and inhibits */
	size_t size;
	uint64_t allocs, blocks, listened;
	unsigned int orders[SICK / T_2M];
};

static void dump_take(struct dump *dump, const struct rig *rig)
{
	unsigned int i;

	rig_image_take(&dump->image, rig);
	assert_int_equal(gms_snapshot_save(rig->state, NULL, 0, &dump->size), 0);
	dump->snapshot = malloc(dump->size);
	assert_non_null(dump->snapshot);
	assert_int_equal(gms_snapshot_save(rig->state, dump->snapshot, dump->size, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(dump->orders); i++)
		assert_int_equal(gms_gfn_max_order(rig->state, GFN + i * T_2M, &dump->orders[i]),
				 0);
	dump->stats = rig_stats(rig);
	dump->allocs = rig->talloc.allocs;
	dump->blocks = rig->talloc.live_blocks;
	dump->listened = listened;
}

static void dump_free(struct dump *dump)
{
	rig_image_free(&dump->image);
	free(dump->snapshot);
}

/* Checks that nothing changed, that @refused calls were refused, and that no hook was called. */
static void dump_same(const struct dump *was, struct rig *rig, uint64_t refused)
{
	struct dump is;

	rig_image_same(&was->image, rig);
	dump_take(&is, rig);
	assert_int_equal(is.size, was->size);
	assert_memory_equal(is.snapshot, was->snapshot, was->size);
	assert_memory_equal(is.orders, was->orders, sizeof(is.orders));
	assert_int_equal(is.allocs, was->allocs);
	assert_int_equal(is.blocks, was->blocks);
	assert_int_equal(is.listened, was->listened);
	assert_int_equal(is.stats.refused_frozen, was->stats.refused_frozen + refused);
	is.stats.refused_frozen = was->stats.refused_frozen;
	assert_memory_equal(&is.stats, &was->stats, sizeof(is.stats));
	rig_expect_none(rig);
	dump_free(&is);
}

/* ---- calls that are refused ---- */

static gms_pgoff_t at; /* err_index */

static int to_shared(struct rig *rig)
{
	return gms_convert(rig->state, VOID, T_2M, GMS_SHARED, 0, &at);
}

static int to_private(struct rig *rig)
{
	return gms_convert(rig->state, HALF, T_2M, GMS_PRIVATE, 0, &at);
}

static int to_private_pinned(struct rig *rig)
{
	return gms_convert(rig->state, OPEN, T_2M, GMS_PRIVATE, 0, &at);
}

static int convert_without_change(struct rig *rig)
{
	return gms_convert(rig->state, OPEN, T_2M, GMS_SHARED, 0, &at);
}

static int to_private_resumable(struct rig *rig)
{
	return gms_convert(rig->state, HALF, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, &at);
}

static int allocate(struct rig *rig)
{
	return gms_allocate(rig->state, VOID, T_2M, &at);
}

static int allocate_again(struct rig *rig)
{
	return gms_allocate(rig->state, RAW, T_2M, NULL);
}

static int punch(struct rig *rig)
{
	return gms_punch_hole(rig->state, RAW, T_2M, &at);
}

static int punch_without_folio(struct rig *rig)
{
	return gms_punch_hole(rig->state, VOID, T_2M, &at);
}

static int pin(struct rig *rig)
{
	return gms_pin(rig->state, OPEN, 1, &at);
}

static int bind(struct rig *rig)
{
	unsigned int id;

	return gms_bind(rig->state, 0, SICK, 1, &id);
}

static int inhibit(struct rig *rig)
{
	return gms_inhibit(rig->state, PREPARED, 1, GMS_ORDER_4K);
}

static int uninhibit(struct rig *rig)
{
	return gms_uninhibit(rig->state, CLEAR, T_2M);
}

static int attr_create(struct rig *rig)
{
	unsigned int id;

	return gms_attr_create(rig->state, &id);
}

static int attr_set(struct rig *rig)
{
	return gms_attr_set(rig->state, 0, VOID, T_2M, true);
}

static int attr_set_without_change(struct rig *rig)
{
	return gms_attr_set(rig->state, 0, VOID + 100, 50, true);
}

static int repair(struct rig *rig)
{
	return gms_repair(rig->state, SICK + 5, 3, GMS_PRIVATE);
}

static int register_listener(struct rig *rig)
{
	unsigned int id;

	return gms_listener_register(rig->state, &listener_ops, &listened, 0, T_2M, T_2M, &id);
}

static int end_fault(struct rig *rig, int rc, struct gms_fault *fault)
{
	if (!rc)
		gms_fault_end(rig->state, fault);
	return rc;
}

static int fault_guest_absent(struct rig *rig)
{
	struct gms_fault fault;

	return end_fault(rig, gms_fault_begin(rig->state, VOID + 9, GMS_GUEST, &fault), &fault);
}

static int fault_host_absent(struct rig *rig)
{
	struct gms_fault fault;

	return end_fault(rig, gms_fault_begin(rig->state, CLEAR + 9, GMS_HOST, &fault), &fault);
}

static int fault_gfn_absent(struct rig *rig)
{
	struct gms_fault fault;

	return end_fault(rig, gms_fault_begin_gfn(rig->state, GFN + VOID + 9, GMS_GUEST, &fault),
			 &fault);
}

/* Under lazy the first host access to a mixed block splits. */
static int fault_splits(struct rig *rig)
{
	struct gms_fault fault;

	return end_fault(rig, gms_fault_begin(rig->state, HALF + 9, GMS_HOST, &fault), &fault);
}

static int prepare(struct rig *rig)
{
	struct gms_fault fault;
	int rc;

	assert_int_equal(gms_fault_begin(rig->state, RAW + 9, GMS_GUEST, &fault), 0);
	assert_false(fault.prepared);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	rc = gms_fault_prepare(rig->state, &fault);
	assert_int_equal(fault.prepared, !rc);
	gms_fault_end(rig->state, &fault);
	return rc;
}

static const struct refused {
	const char *name;
	int (*call)(struct rig *rig);
	gms_pgoff_t at; /* err_index; UINT64_MAX: the call has none */
	bool is_fault; /* counted as a guest fault */
} refused[] = {
	{"to shared", to_shared, VOID, false},
	{"to private", to_private, HALF, false},
	{"to private, pinned", to_private_pinned, OPEN, false},
	{"convert without change", convert_without_change, OPEN, false},
	{"to private, resumable", to_private_resumable, HALF, false},
	{"allocate", allocate, VOID, false},
	{"allocate again", allocate_again, UINT64_MAX, false},
	{"punch", punch, RAW, false},
	{"punch without a folio", punch_without_folio, VOID, false},
	{"pin", pin, OPEN, false},
	{"bind", bind, UINT64_MAX, false},
	{"inhibit", inhibit, UINT64_MAX, false},
	{"uninhibit", uninhibit, UINT64_MAX, false},
	{"attr_create", attr_create, UINT64_MAX, false},
	{"attr_set", attr_set, UINT64_MAX, false},
	{"attr_set without change", attr_set_without_change, UINT64_MAX, false},
	{"repair", repair, UINT64_MAX, false},
	{"listener_register", register_listener, UINT64_MAX, false},
	{"fault by the guest, absent", fault_guest_absent, UINT64_MAX, false},
	{"fault by the host, absent", fault_host_absent, UINT64_MAX, false},
	{"fault at a gfn, absent", fault_gfn_absent, UINT64_MAX, false},
	{"fault that splits", fault_splits, UINT64_MAX, false},
	{"prepare", prepare, UINT64_MAX, true},
};

/* Checks that a call returns -EPERM, changes nothing, and neither allocates nor frees. */
static void call_is_refused(struct rig *rig, const struct refused *r)
{
	struct dump dump;

	dump_take(&dump, rig);
	at = UINT64_MAX;
	talloc_trap(&rig->talloc, TALLOC_TRAP_BOTH);
	if (r->call(rig) != -EPERM)
		fail_msg("%s did not answer -EPERM", r->name);
	talloc_trap(&rig->talloc, 0);
	if (talloc_check(&rig->talloc))
		fail_msg("%s: %s", r->name, talloc_check(&rig->talloc));
	if (at != r->at)
		fail_msg("%s: err_index %#llx", r->name, (unsigned long long)at);
	dump.stats.faults_guest += r->is_fault;
	dump_same(&dump, rig, 1);
	dump_free(&dump);
}

/* Unpins the page that set_up() has pinned, and destroys the object. */
static void tear_down(struct rig *rig)
{
	gms_unpin(rig->state, PINNED, 1);
	rig_fini(rig);
}

/*
 * Rule 38: a frozen object refuses each call that may change it, also where nothing would change.
 */
static void rule_38_changes_are_refused(void **unused)
{
	struct rig rig;
	size_t i;

	(void)unused;
	set_up(&rig, NULL);
	assert_int_equal(gms_freeze(rig.state), 0);
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		call_is_refused(&rig, &refused[i]);
	assert_int_equal(rig_stats(&rig).refused_frozen, ARRAY_SIZE(refused));
	rig_check(&rig);
	tear_down(&rig);
}

/* Rule 38: after gms_thaw() the calls work. One gms_thaw() ends any number of gms_freeze(). */
static void rule_38_one_thaw_ends_any_number_of_freezes(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		struct rig rig;
		int rc;

		set_up(&rig, NULL);
		/* gms_thaw() of an object that is not frozen returns 0. */
		assert_int_equal(gms_thaw(rig.state), 0);
		assert_int_equal(gms_freeze(rig.state), 0);
		assert_int_equal(gms_freeze(rig.state), 0);
		assert_int_equal(refused[i].call(&rig), -EPERM);
		assert_int_equal(gms_thaw(rig.state), 0);
		if (refused[i].call == repair)
			assert_int_equal(sim_set(rig.sim, SICK + 5, 3, GMS_PRIVATE), 0);
		rc = refused[i].call(&rig);
		if (rc != (refused[i].call == to_private_pinned ? -EAGAIN : 0))
			fail_msg("%s after gms_thaw(): %d", refused[i].name, rc);
		assert_int_equal(gms_thaw(rig.state), 0);
		assert_int_equal(rig_stats(&rig).refused_frozen, 1);
		gms_unpin(rig.state, PINNED, 1);
		if (refused[i].call == pin)
			gms_unpin(rig.state, OPEN, 1);
		rig_fini(&rig);
	}
}

/* Rules 11 and 38: a bad range returns -EINVAL, frozen or not. */
static void rule_38_a_bad_range_is_einval(void **unused)
{
	struct gms_state *s;
	unsigned int id = 0x77;
	struct gms_fault fault;
	struct dump dump;
	struct rig rig;

	(void)unused;
	set_up(&rig, NULL);
	assert_int_equal(gms_freeze(rig.state), 0);
	dump_take(&dump, &rig);
	s = rig.state;
	assert_int_equal(gms_convert(s, 0, 0, GMS_SHARED, 0, NULL), -EINVAL);
	assert_int_equal(gms_convert(s, 0, NR_PAGES + 1, GMS_SHARED, 0, NULL), -EINVAL);
	assert_int_equal(gms_convert(s, 0, 1, (enum gms_shareability)2, 0, NULL), -EINVAL);
	assert_int_equal(gms_convert(s, 0, 1, GMS_SHARED, 1U << 9, NULL), -EINVAL);
	assert_int_equal(gms_allocate(s, NR_PAGES, 1, NULL), -EINVAL);
	assert_int_equal(gms_punch_hole(s, 5, 0, NULL), -EINVAL);
	assert_int_equal(gms_pin(s, 5, UINT64_MAX, NULL), -EINVAL);
	assert_int_equal(gms_bind(s, 0, SICK, 0, &id), -EINVAL);
	assert_int_equal(gms_bind(s, UINT64_MAX - 1, SICK, 2, &id), -EINVAL);
	assert_int_equal(gms_inhibit(s, NR_PAGES, 1, GMS_ORDER_4K), -EINVAL);
	assert_int_equal(gms_inhibit(s, 0, 1, GMS_ORDER_1G), -EINVAL);
	assert_int_equal(gms_uninhibit(s, 0, 0), -EINVAL);
	assert_int_equal(gms_attr_set(s, 0, 0, 0, true), -EINVAL);
	assert_int_equal(gms_attr_set(s, 1, 0, 1, true), -EINVAL);
	assert_int_equal(gms_repair(s, NR_PAGES, 1, GMS_SHARED), -EINVAL);
	assert_int_equal(gms_repair(s, SICK + 5, 1, (enum gms_shareability)2), -EINVAL);
	assert_int_equal(gms_listener_register(s, &listener_ops, &listened, 5, T_2M, T_2M, &id),
			 -EINVAL);
	assert_int_equal(gms_fault_begin(s, NR_PAGES, GMS_GUEST, &fault), -EINVAL);
	assert_int_equal(gms_fault_begin(s, VOID, (enum gms_accessor)2, &fault), -EINVAL);
	assert_int_equal(gms_unbind(s, binding + 1), -EINVAL);
	assert_int_equal(gms_listener_unregister(s, listener + 1), -EINVAL);
	assert_int_equal(id, 0x77);
	assert_int_equal(rig_stats(&rig).refused_inval, dump.stats.refused_inval + 21);
	dump.stats.refused_inval += 21;
	dump_same(&dump, &rig, 0);
	dump_free(&dump);
	tear_down(&rig);
}

/* ---- calls that work ---- */

/* Makes a fault. Checks that it is answered with max_order @order, and with @prepared. */
static void fault_is_answered(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor,
			      unsigned int order, bool prepared)
{
	struct gms_fault fault;

	assert_int_equal(gms_fault_begin(rig->state, index, accessor, &fault), 0);
	assert_int_equal(fault.folio_order, GMS_ORDER_2M);
	assert_int_equal(fault.max_order, order);
	assert_int_equal(fault.prepared, prepared);
	assert_false(fault.fresh);
	if (accessor == GMS_GUEST && (prepared || !gms_is_private(rig->state, index)))
		assert_int_equal(gms_fault_prepare(rig->state, &fault), 0);
	if (accessor == GMS_HOST)
		assert_int_equal(gms_fault_prepare(rig->state, &fault), -EINVAL);
	assert_int_equal(sim_map(rig->sim, index, fault.max_order, accessor), 0);
	gms_fault_end(rig->state, &fault);
}

/* Rule 38: a fault that neither allocates, splits nor prepares is answered. */
static void rule_38_faults_that_change_nothing_are_answered(void **unused)
{
	struct gms_fault fault;
	struct dump dump;
	struct rig rig;

	(void)unused;
	set_up(&rig, NULL);
	dump_take(&dump, &rig);
	assert_int_equal(gms_freeze(rig.state), 0);
	fault_is_answered(&rig, PREPARED + 9, GMS_GUEST, GMS_ORDER_2M, true);
	fault_is_answered(&rig, OPEN + 9, GMS_GUEST, GMS_ORDER_2M, false);
	fault_is_answered(&rig, OPEN + 9, GMS_HOST, GMS_ORDER_2M, false);
	fault_is_answered(&rig, HALF + 9, GMS_GUEST, GMS_ORDER_4K, false);
	assert_int_equal(gms_fault_begin_gfn(rig.state, GFN + PREPARED, GMS_GUEST, &fault), 0);
	assert_true(fault.prepared);
	gms_fault_end(rig.state, &fault);
	/* Faults are refused for other reasons as before. */
	assert_int_equal(gms_fault_begin(rig.state, PREPARED, GMS_HOST, &fault), -EACCES);
	assert_int_equal(gms_fault_begin(rig.state, VOID, GMS_HOST, &fault), -EACCES);
	assert_int_equal(gms_fault_begin(rig.state, SICK + 5, GMS_GUEST, &fault), -ENOTRECOVERABLE);
	dump.stats.faults_guest += 4;
	dump.stats.faults_host++;
	dump.stats.refused_access += 2;
	dump.stats.refused_quarantined++;
	dump.stats.refused_inval++;
	dump_same(&dump, &rig, 0);
	dump_free(&dump);
	tear_down(&rig);
}

/* Rules 28 and 38: a host fault exposes its folio while the object is frozen. */
static void rule_28_a_folio_is_exposed_while_frozen(void **unused)
{
	struct rig rig;

	(void)unused;
	set_up(&rig, NULL);
	assert_int_equal(gms_allocate(rig.state, CLEAR, T_2M, NULL), 0);
	assert_int_equal(gms_freeze(rig.state), 0);
	fault_is_answered(&rig, CLEAR + 9, GMS_HOST, GMS_ORDER_2M, false);
	assert_int_equal(gms_thaw(rig.state), 0);
	rig_forget(&rig);
	rig_convert(&rig, CLEAR + 100, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, CLEAR, T_2M));
	tear_down(&rig);
}

/* Rule 38: gms_unpin(), gms_unbind(), gms_listener_unregister() and queries work. */
static void rule_38_unpin_unbind_unregister_and_queries_work(void **unused)
{
	struct gms_iter iter;
	struct gms_run run;
	gms_pgoff_t index;
	struct rig rig;

	(void)unused;
	set_up(&rig, NULL);
	assert_int_equal(gms_freeze(rig.state), 0);
	assert_true(gms_is_private(rig.state, VOID));
	assert_true(gms_range_is(rig.state, OPEN, T_2M, GMS_SHARED));
	assert_int_equal(gms_summary(rig.state, HALF, GMS_ORDER_2M), GMS_MIXED);
	assert_int_equal(gms_max_order(rig.state, VOID), GMS_ORDER_2M);
	assert_int_equal(gms_seq_read(rig.state, 0) % 2, 0);
	gms_iter_init(&iter, rig.state, 0, NR_PAGES);
	assert_true(gms_iter_next(&iter, &run));
	assert_int_equal(run.nr_pages, OPEN);
	assert_true(gms_attr_test(rig.state, 0, VOID + 100));
	assert_int_equal(gms_gfn_to_index(rig.state, GFN + 5, &index), 0);
	assert_int_equal(gms_lock_shared(rig.state, 0, NR_PAGES), 0);
	gms_unlock_shared(rig.state, 0, NR_PAGES);
	assert_true(gms_state_verify(rig.state, NULL));
	rig_expect_none(&rig);
	assert_true(gms_first_pin(rig.state, 0, NR_PAGES, &index) && index == PINNED);
	gms_unpin(rig.state, PINNED, 1);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
	assert_int_equal(gms_unbind(rig.state, binding), 0);
	assert_int_equal(gms_gfn_to_index(rig.state, GFN + 5, &index), -ENOENT);
	assert_int_not_equal(listened, 0);
	assert_int_equal(gms_listener_unregister(rig.state, listener), 0);
	assert_int_equal(listened, 0);
	assert_int_equal(rig_stats(&rig).bindings, 0);
	assert_int_equal(rig_stats(&rig).listeners, 0);
	assert_int_equal(rig_stats(&rig).refused_frozen, 0);
	/* A frozen object can be destroyed. */
	rig_fini(&rig);
}

/* Rules 37 and 38: a freeze does not change the snapshot, and the loaded object is not frozen. */
static void rule_38_a_frozen_object_saves_as_before(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *loaded;
	struct dump dump;
	unsigned char *again;
	size_t size = 0;
	struct rig rig;

	(void)unused;
	set_up(&rig, NULL);
	dump_take(&dump, &rig);
	assert_int_equal(gms_freeze(rig.state), 0);
	dump_same(&dump, &rig, 0);
	again = malloc(dump.size);
	assert_non_null(again);
	memset(again, 0xa5, dump.size);
	assert_int_equal(gms_snapshot_save(rig.state, again, dump.size - 1, &size), -ENOSPC);
	assert_int_equal(size, dump.size);
	assert_int_equal(again[0], 0xa5);
	assert_int_equal(gms_snapshot_load(dump.snapshot, dump.size, &opts, &loaded), 0);
	assert_int_equal(gms_snapshot_save(loaded, again, dump.size, &size), 0);
	assert_int_equal(size, dump.size);
	assert_memory_equal(again, dump.snapshot, size);
	assert_int_equal(gms_convert(loaded, VOID, 1, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_convert(rig.state, VOID, 1, GMS_SHARED, 0, NULL), -EPERM);
	gms_state_destroy(loaded);
	free(again);
	dump_free(&dump);
	tear_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_38_changes_are_refused),
		cmocka_unit_test(rule_38_one_thaw_ends_any_number_of_freezes),
		cmocka_unit_test(rule_38_a_bad_range_is_einval),
		cmocka_unit_test(rule_38_faults_that_change_nothing_are_answered),
		cmocka_unit_test(rule_28_a_folio_is_exposed_while_frozen),
		cmocka_unit_test(rule_38_unpin_unbind_unregister_and_queries_work),
		cmocka_unit_test(rule_38_a_frozen_object_saves_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
