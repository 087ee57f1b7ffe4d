// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * destroy.c - proves that queries are answered until gms_state_destroy() has called its last hook
 *
 * Tests rules 33 and 36, and R3. An object in which everything occurs is destroyed. Its listener
 * and each hook make all queries. The answers about pages stay as they were; folios disappear
 * block by block.
 */
#include <gmemstate/binding.h>
#include <gmemstate/listener.h>

#include "rig.h"
#include "state_query.h"

#define NR_PAGES (3 * T_1G + T_2M + 5)
#define NR_BINDINGS 20 /* the lists grow more than once */
#define GFN(n) (0x100000 + (n) * (T_2M + 3))
#define NR_ATTRS 2

/* The pages whose answers are compared. */
static const gms_pgoff_t pages[] = {
	0,
	5,
	T_2M,
	3 * T_2M + 7,
	T_1G,
	T_1G + 100,
	T_1G + 3 * T_2M,
	2 * T_1G - 1,
	2 * T_1G + 9,
	3 * T_1G,
	NR_PAGES - 1,
};

struct answers {
	bool private, quarantined, pinned, attr[NR_ATTRS];
	unsigned int max_order;
	uint64_t nr_private; /* from the page on */
	int bound; /* what gms_gfn_to_index() returned at the GFN() of its number */
	gms_pgoff_t index;
	unsigned int gfn_order;
};

struct watch {
	struct rig *rig;
	struct answers want[ARRAY_SIZE(pages)];
	const char *why;
	unsigned int hooks, notified;
};

static struct answers answers_of(const struct gms_state *s, size_t i)
{
	struct answers a;

	memset(&a, 0, sizeof(a));
	a.private = gms_is_private(s, pages[i]);
	a.quarantined = gms_is_quarantined(s, pages[i]);
	a.pinned = gms_first_pin(s, pages[i], 1, NULL);
	for (unsigned int id = 0; id < NR_ATTRS; id++)
		a.attr[id] = gms_attr_test(s, id, pages[i]);
	a.max_order = gms_max_order(s, pages[i]);
	a.nr_private = gms_count(s, pages[i], NR_PAGES, GMS_PRIVATE);
	a.bound = gms_gfn_to_index(s, GFN(i), &a.index);
	if (!a.bound && gms_gfn_max_order(s, GFN(i), &a.gfn_order))
		a.gfn_order = 77;
	return a;
}

static void compare(struct watch *watch)
{
	const struct gms_state *s = watch->rig->state;

	for (size_t i = 0; i < ARRAY_SIZE(pages) && !watch->why; i++) {
		const struct answers got = answers_of(s, i);

		if (memcmp(&got, &watch->want[i], sizeof(got)))
			watch->why = "an answer has changed";
		if (!watch->why)
			watch->why = state_query_page(s, pages[i], true);
	}
	if (!watch->why)
		watch->why = state_query_object(s);
}

static void in_hook(struct rig *rig, const struct sim_call *call)
{
	struct watch *watch = rig->arg;

	if (!rig->ending)
		return;
	watch->hooks |= 1U << call->hook;
	compare(watch);
	if (call->hook == SIM_BLOCK_FREED &&
	    gms_folio_order(rig->state, call->start) !=
		    (call->start < 3 * T_1G ? GMS_ORDER_1G : GMS_ORDER_2M))
		watch->why = "a free block is still split";
}

static int in_listener(void *ctx, const struct gms_run *runs, size_t count,
		       enum gms_shareability to, size_t *done)
{
	struct watch *watch = ctx;

	*done = count;
	if (!watch->rig->ending)
		return 0;
	watch->notified++;
	compare(watch);
	if (!gms_is_allocated(watch->rig->state, runs[0].start))
		watch->why = "a page was freed before it was withdrawn";
	if (to != GMS_PRIVATE || gms_is_private(watch->rig->state, runs[0].start))
		watch->why = "the listener is notified of something else than a withdrawal";
	return 0;
}

static const struct gms_listener_ops listener_ops = {
	.struct_size = sizeof(listener_ops),
	.change = in_listener,
};

/*
 * Allocates, prepares, splits, pins, quarantines, inhibits and binds pages, in different blocks.
 */
static void fill(struct rig *rig, struct watch *watch)
{
	unsigned int id;

	rig_convert(rig, 0, T_2M, GMS_PRIVATE);
	rig_faults(rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_convert(rig, T_1G + 100, 3, GMS_PRIVATE);
	rig_faults(rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_pin(rig, T_1G + 3 * T_2M, 1);
	assert_int_equal(gms_allocate(rig->state, 3 * T_1G, T_2M + 5, NULL), 0);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -ENXIO);
	sim_refuse_after(rig->sim, 1);
	rig_convert_fails(rig, 2 * T_1G + 9, 3, GMS_PRIVATE, 0, -ENXIO, 2 * T_1G + 9);
	for (id = 0; id < NR_ATTRS; id++) {
		unsigned int attr;

		assert_int_equal(gms_attr_create(rig->state, &attr), 0);
		assert_int_equal(attr, id);
		assert_int_equal(gms_attr_set(rig->state, id, id * T_1G, 101, true), 0);
	}
	assert_int_equal(gms_inhibit(rig->state, 3 * T_2M, 9, GMS_ORDER_4K), 0);
	for (unsigned int i = 0; i < NR_BINDINGS; i++)
		assert_int_equal(gms_bind(rig->state, GFN(i), i * T_2M, T_2M, &id), 0);
	assert_int_equal(
		gms_listener_register(rig->state, &listener_ops, watch, T_1G, T_1G, T_2M, &id), 0);
}

static void check_destroy(const struct gms_policy_ops *policy)
{
	struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
	struct watch watch = {0};
	struct rig rig;

	opts.policy = policy;
	watch.rig = &rig;
	rig_init(&rig, &opts);
	fill(&rig, &watch);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		watch.want[i] = answers_of(rig.state, i);
	assert_int_equal(watch.want[1].bound, 0);
	assert_int_equal(watch.want[1].index, T_2M);
	assert_true(watch.want[8].quarantined);
	assert_true(watch.want[6].pinned);
	rig_check(&rig);
	rig.arg = &watch;
	rig.hook = in_hook;
	rig_fini(&rig);
	assert_fine(watch.why);
	assert_true(watch.notified);
	assert_int_equal(watch.hooks,
			 1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED);
}

/*
 * R3 and rules 33 and 36: queries are answered to the end. A listener withdraws everything before
 * a folio is freed, and a free block is not split.
 */
static void queries_are_answered_to_the_end(void **unused)
{
	(void)unused;
	check_destroy(gms_policy_lazy());
	check_destroy(gms_policy_adaptive());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_are_answered_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
