// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * alloc.c - proves that the library neither allocates nor frees under a folio lock or a tree lock
 *
 * Tests rule 14.
 *
 * In debug builds talloc.c checks the locks of each thread that calls it, in all tests. This test
 * makes every operation of the engine in many states: under each policy, with each order of
 * backing, with listeners, and with undos that fail. It also checks that each kind of operation
 * allocates in some of these states.
 */
#include "oracle.h"
#include "rig.h"

#ifdef GMS_DEBUG

#include "platform.h"

#define NR_PAGES (T_1G + 3 * T_2M + 5)

struct act {
	struct rig rig;
	struct prng prng;
	uint64_t start, nr;
	unsigned int listener;
	bool listens;
	unsigned int binding;
	bool bound;
};

static enum gms_shareability any_shareability(struct act *a)
{
	return prng_chance(&a->prng, 50) ? GMS_PRIVATE : GMS_SHARED;
}

static void do_convert(struct act *a)
{
	const unsigned int flags = prng_chance(&a->prng, 20) ? GMS_CONVERT_RESUMABLE : 0;

	(void)gms_convert(a->rig.state, a->start, a->nr, any_shareability(a), flags, NULL);
}

/* The second apply of a conversion fails, and the first one is undone. */
static void do_undo(struct act *a)
{
	sim_refuse(a->rig.sim, 1U << SIM_APPLY, 1, 1, -EIO);
	(void)gms_convert(a->rig.state, a->start, a->nr, any_shareability(a), 0, NULL);
	sim_refuse(a->rig.sim, 1U << SIM_APPLY, 0, 0, 0);
}

static void do_fault_guest(struct act *a)
{
	struct gms_fault fault;

	(void)rig_fault(&a->rig, a->start, GMS_GUEST, &fault);
}

static void do_fault_host(struct act *a)
{
	struct gms_fault fault;

	(void)rig_fault(&a->rig, a->start, GMS_HOST, &fault);
}

static void do_allocate(struct act *a)
{
	(void)gms_allocate(a->rig.state, a->start, a->nr, NULL);
}

static void do_punch(struct act *a)
{
	(void)gms_punch_hole(a->rig.state, a->start, a->nr, NULL);
}

static void do_pin(struct act *a)
{
	if (!gms_pin(a->rig.state, a->start, a->nr, NULL))
		gms_unpin(a->rig.state, a->start, a->nr);
}

static void do_inhibit(struct act *a)
{
	(void)gms_inhibit(a->rig.state, a->start, a->nr,
			  prng_chance(&a->prng, 50) ? GMS_ORDER_4K : GMS_ORDER_2M);
}

static void do_uninhibit(struct act *a)
{
	(void)gms_uninhibit(a->rig.state, a->start, a->nr);
}

static void do_attr(struct act *a)
{
	unsigned int id;

	(void)gms_attr_create(a->rig.state, &id);
	(void)gms_attr_set(a->rig.state, 0, a->start, a->nr, prng_chance(&a->prng, 50));
}

static void do_maintain(struct act *a)
{
	(void)gms_maintain(a->rig.state, 2);
}

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct act *a = ctx;

	(void)runs;
	(void)to;
	if (!a->rig.ending && prng_chance(&a->prng, 5))
		return -EBUSY;
	*done = count;
	return 0;
}

static void do_listen(struct act *a)
{
	struct gms_listener_ops ops = {.struct_size = sizeof(ops), .change = change};
	const uint64_t granule = prng_chance(&a->prng, 50) ? 1 : T_2M;

	ops.flags = prng_chance(&a->prng, 50) ? GMS_LISTENER_CAN_SPLIT : 0;
	if (a->listens)
		a->listens = gms_listener_unregister(a->rig.state, a->listener) != 0;
	else
		a->listens = !gms_listener_register(a->rig.state, &ops, a, 0, T_2M, granule,
						    &a->listener);
}

static void do_bind(struct act *a)
{
	if (a->bound)
		a->bound = gms_unbind(a->rig.state, a->binding) != 0;
	else
		a->bound = !gms_bind(a->rig.state, a->start, a->start, a->nr, &a->binding);
}

static void do_freeze(struct act *a)
{
	static unsigned char image[1 << 20];
	size_t needed;

	(void)gms_freeze(a->rig.state);
	(void)gms_snapshot_save(a->rig.state, image, sizeof(image), &needed);
	(void)gms_thaw(a->rig.state);
}

/* Repairs each quarantined run, to the shareability that the library has for it. */
static void do_repair(struct act *a)
{
	uint64_t end, at = 0;

	for (; at < NR_PAGES; at = end) {
		const enum gms_shareability is =
			gms_is_private(a->rig.state, at) ? GMS_PRIVATE : GMS_SHARED;

		end = at + 1;
		if (!gms_is_quarantined(a->rig.state, at))
			continue;
		while (end < NR_PAGES && gms_is_quarantined(a->rig.state, end) &&
		       gms_is_private(a->rig.state, end) == (is == GMS_PRIVATE))
			end++;
		(void)gms_repair(a->rig.state, at, end - at, is);
	}
}

/* The second apply of a conversion fails, and so does the undo of the first one. */
static void do_quarantine(struct act *a)
{
	sim_refuse(a->rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	(void)gms_convert(a->rig.state, a->start, a->nr, any_shareability(a), 0, NULL);
	sim_refuse(a->rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 0, 0);
	if (prng_chance(&a->prng, 50))
		do_repair(a);
}

static const struct {
	const char *name;
	void (*act)(struct act *a);
	bool allocates; /* in some states */
} acts[] = {
	{"convert", do_convert, true},
	{"undo", do_undo, true},
	{"fault guest", do_fault_guest, true},
	{"fault host", do_fault_host, true},
	{"allocate", do_allocate, true},
	{"punch", do_punch, true},
	{"pin", do_pin, true},
	{"inhibit", do_inhibit, true},
	{"uninhibit", do_uninhibit, true},
	{"attr", do_attr, true},
	{"maintain", do_maintain, false},
	{"listen", do_listen, true},
	{"bind", do_bind, true},
	{"freeze", do_freeze, false},
	{"quarantine", do_quarantine, true},
	{"repair", do_repair, true},
};

static uint64_t allocs[ARRAY_SIZE(acts)];

static void choose(struct act *a)
{
	const uint64_t grain = prng_chance(&a->prng, 30) ? T_2M : 1;
	const uint64_t most = prng_chance(&a->prng, 70)   ? 16
			      : prng_chance(&a->prng, 70) ? T_2M
							  : T_1G;

	a->start = prng_below(&a->prng, NR_PAGES) / grain * grain;
	a->nr = (1 + prng_below(&a->prng, most) + grain - 1) / grain * grain;
	if (a->nr > NR_PAGES - a->start)
		a->nr = NR_PAGES - a->start;
}

static void act(struct act *a, uint64_t nr_acts)
{
	while (nr_acts--) {
		const uint64_t which = prng_below(&a->prng, ARRAY_SIZE(acts));
		const uint64_t before = a->rig.talloc.allocs;

		choose(a);
		acts[which].act(a);
		allocs[which] += a->rig.talloc.allocs - before;
		if (talloc_check(&a->rig.talloc))
			fail_msg("%s: %s", acts[which].name, talloc_check(&a->rig.talloc));
		sim_forget(a->rig.sim);
	}
}

/* Leaves out the hooks of folios. The engine then takes a shorter path. */
static void without_folio_hooks(struct gms_backend_ops *ops)
{
	ops->folio_alloc = NULL;
	ops->folio_free = NULL;
}

static void act_under(unsigned int policy, unsigned int order, bool private, bool no_folio_hooks)
{
	static struct act a;
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = order,
		.init_private = private,
		.policy = rig_policy(policy),
		.tune = no_folio_hooks ? without_folio_hooks : NULL,
	};

	memset(&a, 0, sizeof(a));
	prng_init(&a.prng, test_seed() + policy * 100 + order * 4 + private * 2 + no_folio_hooks);
	rig_init(&a.rig, &opts);
	act(&a, test_on_valgrind() ? 3 : 150);
	/* rig_fini() would fail: the repairs were guesses, so the simulation has another state */
	a.rig.ending = true;
	gms_state_destroy(a.rig.state);
	sim_destroy(a.rig.sim);
	assert_fine(talloc_check(&a.rig.talloc));
	assert_int_equal(a.rig.talloc.live_blocks, 0);
}

static void rule_14_no_operation_allocates_under_a_folio_or_tree_lock(void **unused)
{
	unsigned int policy, mode;
	size_t i;

	(void)unused;
	for (policy = 0; policy < RIG_NR_POLICIES; policy++) {
		for (mode = 0; mode < 4; mode++) {
			act_under(policy, GMS_ORDER_4K, mode % 2, mode / 2);
			act_under(policy, GMS_ORDER_2M, mode % 2, mode / 2);
			act_under(policy, GMS_ORDER_1G, mode % 2, mode / 2);
		}
	}
	if (test_on_valgrind())
		return; /* so few rounds do not make each of them allocate */
	for (i = 0; i < ARRAY_SIZE(acts); i++)
		if (acts[i].allocates && !allocs[i])
			fail_msg("%s never allocated", acts[i].name);
}

/* talloc.c notices an allocation and a free under either lock, of any object. */
static void talloc_notices_calls_under_a_lock(void **unused)
{
	static const enum gms_rank ranks[] = {GMS_RANK_FOLIO, GMS_RANK_TREE};
	struct gms_spinlock outer, inner;
	int object;

	(void)unused;
	for (unsigned int i = 0; i < 4; i++) {
		struct talloc talloc;
		void *block;

		talloc_init(&talloc);
		block = talloc.ops.alloc(&talloc, 64, 64);
		gms_spin_init(&outer, &object, GMS_RANK_CONVERT, 0);
		gms_spin_lock(&outer);
		talloc.ops.free(&talloc, block, 64, 64);
		block = talloc.ops.alloc(&talloc, 64, 64);
		assert_fine(talloc_check(&talloc));
		gms_spin_init(&inner, &object, ranks[i / 2], 3);
		gms_spin_lock(&inner);
		assert_true(gms_rank_holds_any(ranks[i / 2]));
		if (i % 2)
			talloc.ops.free(&talloc, talloc.ops.alloc(&talloc, 8, 8), 8, 8);
		else
			talloc.ops.free(&talloc, block, 64, 64);
		assert_non_null(talloc_check(&talloc));
		gms_spin_unlock(&inner);
		gms_spin_unlock(&outer);
		assert_false(gms_rank_holds_any(ranks[i / 2]));
		if (i % 2)
			talloc.ops.free(&talloc, block, 64, 64);
	}
}

#else

static void skipped(void **unused)
{
	(void)unused;
	printf("skipped: only debug builds (GMS_DEBUG) know which locks a thread holds\n");
	skip();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef GMS_DEBUG
		cmocka_unit_test(rule_14_no_operation_allocates_under_a_folio_or_tree_lock),
		cmocka_unit_test(talloc_notices_calls_under_a_lock),
#else
		cmocka_unit_test(skipped),
#endif
	};

	return cmocka_run_group_tests_name("rules-alloc", tests, NULL, NULL);
}
