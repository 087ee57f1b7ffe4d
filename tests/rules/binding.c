// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * binding.c - proves where a binding shows memory to the guest, and how bindings cap mappings
 *
 * Tests rules 6, 11, 21, 22 and 39. binding_race.c tests bindings that change beside other
 * threads.
 */
#include "rig.h"

#define NR_PAGES (4 * T_1G + T_2M + 1)
#define LAST_GFN UINT64_MAX

static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

static unsigned int bind_at(const struct rig *rig, uint64_t gfn, gms_pgoff_t start,
			    uint64_t nr_pages)
{
	const uint64_t before = rig_stats(rig).bindings;
	unsigned int id = 0x77;

	assert_int_equal(gms_bind(rig->state, gfn, start, nr_pages, &id), 0);
	assert_int_equal(rig_stats(rig).bindings, before + 1);
	return id;
}

static void bind_fails(const struct rig *rig, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
		       int err)
{
	struct gms_stats before = rig_stats(rig), after;
	unsigned int id = 0x77;

	assert_int_equal(gms_bind(rig->state, gfn, start, nr_pages, &id), err);
	assert_int_equal(id, 0x77);
	after = rig_stats(rig);
	assert_int_equal(after.refused_exists, before.refused_exists + (err == -EEXIST));
	assert_int_equal(after.refused_inval, before.refused_inval + (err == -EINVAL));
	before.refused_exists = after.refused_exists;
	before.refused_inval = after.refused_inval;
	assert_memory_equal(&before, &after, sizeof(before));
}

static void unbind(const struct rig *rig, unsigned int id)
{
	const uint64_t before = rig_stats(rig).bindings;

	assert_int_equal(gms_unbind(rig->state, id), 0);
	assert_int_equal(rig_stats(rig).bindings, before - 1);
}

static void sees(const struct rig *rig, uint64_t gfn, gms_pgoff_t index)
{
	gms_pgoff_t at = UINT64_MAX;

	assert_int_equal(gms_gfn_to_index(rig->state, gfn, &at), 0);
	assert_int_equal(at, index);
}

static void sees_nothing(const struct rig *rig, uint64_t gfn)
{
	const struct gms_stats before = rig_stats(rig);
	gms_pgoff_t at = 0x77;
	unsigned int order = 0x77;
	struct gms_stats after;
	struct gms_fault fault;

	assert_int_equal(gms_gfn_to_index(rig->state, gfn, &at), -ENOENT);
	assert_int_equal(at, 0x77);
	assert_int_equal(gms_gfn_max_order(rig->state, gfn, &order), -ENOENT);
	assert_int_equal(order, 0x77);
	assert_int_equal(gms_fault_begin_gfn(rig->state, gfn, GMS_GUEST, &fault), -ENOENT);
	assert_int_equal(gms_fault_begin_gfn(rig->state, gfn, GMS_HOST, &fault), -ENOENT);
	/* No hook has failed, and no fault counts as answered. */
	after = rig_stats(rig);
	assert_int_equal(after.refused_backend, before.refused_backend);
	assert_int_equal(after.faults_guest, before.faults_guest);
	assert_int_equal(after.faults_host, before.faults_host);
}

static unsigned int order_at(const struct rig *rig, uint64_t gfn)
{
	unsigned int order = 0x77;

	assert_int_equal(gms_gfn_max_order(rig->state, gfn, &order), 0);
	return order;
}

/* Makes a guest fault at a gfn as a VMM does: begin, prepare, map, end. */
static struct gms_fault fault_at(struct rig *rig, uint64_t gfn)
{
	struct gms_fault fault;
	gms_pgoff_t index;

	memset(&fault, 0xa5, sizeof(fault));
	assert_int_equal(gms_fault_begin_gfn(rig->state, gfn, GMS_GUEST, &fault), 0);
	assert_int_equal(gms_gfn_to_index(rig->state, gfn, &index), 0);
	assert_int_equal(fault.folio_index, index >> fault.folio_order << fault.folio_order);
	if (gms_is_private(rig->state, index) && !fault.prepared)
		assert_int_equal(gms_fault_prepare(rig->state, &fault), 0);
	assert_int_equal(sim_map(rig->sim, index, fault.max_order, GMS_GUEST), 0);
	gms_fault_end(rig->state, &fault);
	return fault;
}

/* Checks the order at a gfn: by a query, by a fault at the gfn, and by a fault at its index. */
static void offers(struct rig *rig, uint64_t gfn, unsigned int order)
{
	gms_pgoff_t index;

	assert_int_equal(order_at(rig, gfn), order);
	assert_int_equal(fault_at(rig, gfn).max_order, order);
	assert_int_equal(gms_gfn_to_index(rig->state, gfn, &index), 0);
	rig_faults(rig, index, GMS_GUEST, gms_folio_order(rig->state, index), order);
}

/* ---- lookups ---- */

/* Rule 22: lookups find each gfn of a binding, from the first to the last, and no other gfn. */
static void rule_22_lookups_are_exact_at_all_edges(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	sees_nothing(&rig, 0);
	sees_nothing(&rig, 5);
	sees_nothing(&rig, LAST_GFN);
	bind_at(&rig, 0, 100, 10);
	bind_at(&rig, 1000, 0, 50);
	bind_at(&rig, 1050, NR_PAGES - 7, 7);
	bind_at(&rig, LAST_GFN - 5, 50, 5);
	bind_at(&rig, 1ULL << 52, 60, 1);
	talloc_trap(&rig.talloc, TALLOC_TRAP_BOTH);
	sees(&rig, 0, 100);
	sees(&rig, 9, 109);
	sees_nothing(&rig, 10);
	sees_nothing(&rig, 100);
	sees_nothing(&rig, 999);
	sees(&rig, 1000, 0);
	sees(&rig, 1049, 49);
	sees(&rig, 1050, NR_PAGES - 7);
	sees(&rig, 1056, NR_PAGES - 1);
	sees_nothing(&rig, 1057);
	sees_nothing(&rig, (1ULL << 52) - 1);
	sees(&rig, 1ULL << 52, 60);
	sees_nothing(&rig, (1ULL << 52) + 1);
	sees_nothing(&rig, LAST_GFN - 6);
	sees(&rig, LAST_GFN - 5, 50);
	sees(&rig, LAST_GFN - 1, 54);
	sees_nothing(&rig, LAST_GFN);
	talloc_trap(&rig.talloc, 0);
	rig_fini(&rig);
}

/* Rules 11 and 22: a range that is empty, passes the end or wraps is refused. */
static void rule_22_bad_ranges_are_refused(void **unused)
{
	struct rig rig;
	unsigned int id;

	(void)unused;
	rig_init(&rig, &all_private);
	bind_fails(&rig, 0, 0, 0, -EINVAL);
	bind_fails(&rig, 0, NR_PAGES, 1, -EINVAL);
	bind_fails(&rig, 0, NR_PAGES - 1, 2, -EINVAL);
	bind_fails(&rig, 0, 0, NR_PAGES + 1, -EINVAL);
	bind_fails(&rig, 0, UINT64_MAX, 1, -EINVAL);
	bind_fails(&rig, 0, 5, UINT64_MAX - 4, -EINVAL);
	bind_fails(&rig, 0, 5, UINT64_MAX, -EINVAL);
	bind_fails(&rig, LAST_GFN, 0, 1, -EINVAL);
	bind_fails(&rig, LAST_GFN, 0, 2, -EINVAL);
	bind_fails(&rig, LAST_GFN - 4, 0, 5, -EINVAL);
	bind_fails(&rig, LAST_GFN - 4, 0, NR_PAGES, -EINVAL);
	sees_nothing(&rig, 0);
	sees_nothing(&rig, LAST_GFN);
	assert_int_equal(gms_unbind(rig.state, 0), -EINVAL);
	assert_int_equal(gms_unbind(rig.state, UINT32_MAX), -EINVAL);
	id = bind_at(&rig, LAST_GFN - NR_PAGES, 0, NR_PAGES);
	assert_int_equal(gms_unbind(rig.state, id + 1), -EINVAL);
	assert_int_equal(gms_unbind(rig.state, UINT32_MAX), -EINVAL);
	sees(&rig, LAST_GFN - 1, NR_PAGES - 1);
	unbind(&rig, id);
	assert_int_equal(gms_unbind(rig.state, id), -EINVAL);
	assert_int_equal(rig_stats(&rig).bindings, 0);
	rig_fini(&rig);
}

/* Rule 22: a gfn or a page is in one binding at most. Bindings may touch. */
static void rule_22_overlaps_are_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	bind_at(&rig, 1000, 5000, 100);
	/*
	 * A range may overlap in gfns and pages, in gfns alone or in pages alone: wholly, at the
	 * head, at the tail, inside and around.
	 */
	bind_fails(&rig, 1000, 5000, 100, -EEXIST);
	bind_fails(&rig, 1000, 0, 100, -EEXIST);
	bind_fails(&rig, 901, 0, 100, -EEXIST);
	bind_fails(&rig, 1099, 0, 100, -EEXIST);
	bind_fails(&rig, 1050, 0, 1, -EEXIST);
	bind_fails(&rig, 0, 0, 3000, -EEXIST);
	bind_fails(&rig, 0, 5000, 100, -EEXIST);
	bind_fails(&rig, 0, 4901, 100, -EEXIST);
	bind_fails(&rig, 0, 5099, 100, -EEXIST);
	bind_fails(&rig, 0, 5050, 1, -EEXIST);
	bind_fails(&rig, 3000, 0, NR_PAGES, -EEXIST);
	/* A bad range returns -EINVAL even if it overlaps. */
	bind_fails(&rig, 1000, 5000, 0, -EINVAL);
	/* Bindings may touch, at both ends of their gfns and of their pages. */
	bind_at(&rig, 900, 5100, 100);
	bind_at(&rig, 1100, 4900, 100);
	/* A binding may fill the gap between two others. */
	bind_at(&rig, 1300, 4700, 100);
	bind_fails(&rig, 1199, 3000, 102, -EEXIST);
	bind_fails(&rig, 1200, 3000, 101, -EEXIST);
	bind_fails(&rig, 1200, 4799, 100, -EEXIST);
	bind_at(&rig, 1200, 4800, 100);
	sees(&rig, 899 + 1, 5100);
	sees(&rig, 999, 5199);
	sees(&rig, 1000, 5000);
	sees(&rig, 1099, 5099);
	sees(&rig, 1100, 4900);
	sees(&rig, 1299, 4899);
	sees(&rig, 1300, 4700);
	sees_nothing(&rig, 1400);
	assert_int_equal(rig_stats(&rig).bindings, 5);
	rig_fini(&rig);
}

/* Rule 22: gms_unbind() removes a binding. Its pages may be bound again at another gfn. */
static void rule_22_unbound_pages_can_be_bound_again(void **unused)
{
	unsigned int low, high, i;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	low = bind_at(&rig, T_1G, 0, T_1G);
	high = bind_at(&rig, 4 * T_1G + T_2M, T_1G, 2 * T_1G);
	assert_int_not_equal(low, high);
	offers(&rig, T_1G + 5, GMS_ORDER_1G);
	offers(&rig, 4 * T_1G + T_2M + 5, GMS_ORDER_2M);
	rig_forget(&rig);
	unbind(&rig, high);
	rig_expect_none(&rig);
	sees_nothing(&rig, 4 * T_1G + T_2M);
	sees_nothing(&rig, 6 * T_1G + T_2M - 1);
	sees(&rig, T_1G, 0);
	/* A page without a binding is not limited. */
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	high = bind_at(&rig, 5 * T_1G + 1, T_1G, 2 * T_1G);
	assert_int_not_equal(low, high);
	offers(&rig, 5 * T_1G + 6, GMS_ORDER_4K);
	bind_fails(&rig, 0, T_1G, 1, -EEXIST);
	unbind(&rig, low);
	sees_nothing(&rig, T_1G);
	sees(&rig, 5 * T_1G + 1, T_1G);
	bind_at(&rig, T_1G, 3 * T_1G, T_1G);
	sees(&rig, T_1G, 3 * T_1G);
	bind_fails(&rig, T_1G, 0, T_1G, -EEXIST);
	for (i = 0; i < 1000; i++)
		unbind(&rig, bind_at(&rig, 0, 0, T_1G));
	assert_int_equal(rig_stats(&rig).bindings, 2);
	rig_fini(&rig);
}

/* ---- orders ---- */

/* Rule 22: a block whose gfn and index differ modulo its size is not mapped as one. */
static void rule_22_gfn_and_index_must_agree_modulo_the_size(void **unused)
{
	static const struct {
		uint64_t gfn;
		unsigned int order;
	} cases[] = {
		{0, GMS_ORDER_1G},
		{T_1G, GMS_ORDER_1G},
		{77 * T_1G, GMS_ORDER_1G},
		{T_2M, GMS_ORDER_2M},
		{511 * T_2M, GMS_ORDER_2M},
		{T_1G + T_2M, GMS_ORDER_2M},
		{T_1G / 2, GMS_ORDER_2M},
		{1, GMS_ORDER_4K},
		{T_2M - 1, GMS_ORDER_4K},
		{T_2M / 2, GMS_ORDER_4K},
		{T_1G + 1, GMS_ORDER_4K},
		{T_1G - 1, GMS_ORDER_4K},
		{7 * T_2M + 256, GMS_ORDER_4K},
	};
	struct rig rig;
	size_t i;

	(void)unused;
	rig_init(&rig, &all_private);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint64_t gfn = cases[i].gfn, behind = (1ULL << 40) - gfn;
		unsigned int id = bind_at(&rig, gfn, 0, 4 * T_1G);

		offers(&rig, gfn + T_1G, cases[i].order);
		offers(&rig, gfn + 2 * T_1G + 3 * T_2M + 77, cases[i].order);
		unbind(&rig, id);
		/* The index is ahead of the gfn. */
		id = bind_at(&rig, behind, 0, 4 * T_1G);
		offers(&rig, behind + T_1G + 5, cases[i].order);
		unbind(&rig, id);
		/* Another start of the binding changes nothing in its middle. */
		id = bind_at(&rig, gfn + 3, 3, 4 * T_1G - 5);
		offers(&rig, gfn + T_1G + 9, cases[i].order);
		unbind(&rig, id);
	}
	rig_fini(&rig);
}

/* Rule 22: a block with an edge of a binding inside is not mapped as one. */
static void rule_22_an_edge_inside_a_block_caps_max_order(void **unused)
{
	struct rig rig;
	unsigned int id;

	(void)unused;
	rig_init(&rig, &all_private);
	/* The binding begins inside a block. */
	id = bind_at(&rig, T_1G + 3, T_1G + 3, 2 * T_1G - 3);
	offers(&rig, T_1G + 3, GMS_ORDER_4K);
	offers(&rig, T_1G + T_2M - 1, GMS_ORDER_4K);
	offers(&rig, T_1G + T_2M, GMS_ORDER_2M);
	offers(&rig, 2 * T_1G - 1, GMS_ORDER_2M);
	offers(&rig, 2 * T_1G, GMS_ORDER_1G);
	offers(&rig, 3 * T_1G - 1, GMS_ORDER_1G);
	unbind(&rig, id);
	/* The binding ends inside a block. */
	id = bind_at(&rig, T_1G, T_1G, 2 * T_1G - 1);
	offers(&rig, T_1G, GMS_ORDER_1G);
	offers(&rig, 2 * T_1G - 1, GMS_ORDER_1G);
	offers(&rig, 2 * T_1G, GMS_ORDER_2M);
	offers(&rig, 3 * T_1G - T_2M - 1, GMS_ORDER_2M);
	offers(&rig, 3 * T_1G - T_2M, GMS_ORDER_4K);
	offers(&rig, 3 * T_1G - 2, GMS_ORDER_4K);
	unbind(&rig, id);
	/* The binding begins and ends inside one block, of 2M and then of 1G. */
	id = bind_at(&rig, T_2M + 10, T_2M + 10, 10);
	offers(&rig, T_2M + 15, GMS_ORDER_4K);
	unbind(&rig, id);
	id = bind_at(&rig, T_2M, T_2M, T_1G - 2 * T_2M);
	offers(&rig, T_2M, GMS_ORDER_2M);
	offers(&rig, T_1G - T_2M - 1, GMS_ORDER_2M);
	unbind(&rig, id);
	/* The binding is exactly one block. */
	id = bind_at(&rig, 9 * T_2M, 3 * T_2M, T_2M);
	offers(&rig, 9 * T_2M, GMS_ORDER_2M);
	offers(&rig, 10 * T_2M - 1, GMS_ORDER_2M);
	unbind(&rig, id);
	id = bind_at(&rig, 9 * T_1G, T_1G, T_1G);
	offers(&rig, 9 * T_1G, GMS_ORDER_1G);
	offers(&rig, 10 * T_1G - 1, GMS_ORDER_1G);
	unbind(&rig, id);
	/* An edge also caps where gfn and index differ. */
	id = bind_at(&rig, 8 * T_2M + 1, 3 * T_2M + 1, 2 * T_2M - 2);
	offers(&rig, 8 * T_2M + 1, GMS_ORDER_4K);
	offers(&rig, 9 * T_2M, GMS_ORDER_4K);
	unbind(&rig, id);
	/* Rule 6: the binding has the incomplete blocks at the end of the object. */
	bind_at(&rig, 9 * T_1G, 4 * T_1G, T_2M + 1);
	offers(&rig, 9 * T_1G, GMS_ORDER_2M);
	offers(&rig, 9 * T_1G + T_2M, GMS_ORDER_4K);
	rig_fini(&rig);
}

/*
 * Rule 22: a block in which two bindings meet is not mapped as one, even if one continues the
 * other.
 */
static void rule_22_two_bindings_in_a_block_cap_max_order(void **unused)
{
	struct rig rig;
	unsigned int id;

	(void)unused;
	rig_init(&rig, &all_private);
	bind_at(&rig, 0, 0, T_2M + 100);
	id = bind_at(&rig, T_2M + 100, T_2M + 100, T_1G);
	offers(&rig, 5, GMS_ORDER_2M);
	offers(&rig, T_2M + 99, GMS_ORDER_4K);
	offers(&rig, T_2M + 100, GMS_ORDER_4K);
	offers(&rig, 2 * T_2M, GMS_ORDER_2M);
	offers(&rig, T_1G, GMS_ORDER_2M);
	unbind(&rig, id);
	/* One page in the middle is bound to another index. This caps its 2M and its 1G. */
	bind_at(&rig, 2 * T_1G, 2 * T_1G, 7 * T_2M + 9);
	bind_at(&rig, 2 * T_1G + 7 * T_2M + 9, T_1G, 1);
	bind_at(&rig, 2 * T_1G + 7 * T_2M + 10, 2 * T_1G + 7 * T_2M + 10, 2 * T_1G - 7 * T_2M - 10);
	offers(&rig, 2 * T_1G + 5, GMS_ORDER_2M);
	offers(&rig, 2 * T_1G + 7 * T_2M, GMS_ORDER_4K);
	offers(&rig, 2 * T_1G + 7 * T_2M + 9, GMS_ORDER_4K);
	offers(&rig, 2 * T_1G + 8 * T_2M - 1, GMS_ORDER_4K);
	offers(&rig, 3 * T_1G - 1, GMS_ORDER_2M);
	offers(&rig, 3 * T_1G, GMS_ORDER_1G);
	/* The page of the block that has no binding is not limited. */
	rig_faults(&rig, 2 * T_1G + 7 * T_2M + 9, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G + 1, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);

	/* Bindings that meet at the edge of a block do not cap it. */
	rig_init(&rig, &all_private);
	bind_at(&rig, 0, 0, T_1G);
	bind_at(&rig, T_1G, T_1G, T_1G + T_2M);
	bind_at(&rig, 2 * T_1G + T_2M, 2 * T_1G + T_2M, T_1G);
	offers(&rig, T_1G - 1, GMS_ORDER_1G);
	offers(&rig, T_1G, GMS_ORDER_1G);
	offers(&rig, 2 * T_1G + T_2M - 1, GMS_ORDER_2M);
	offers(&rig, 2 * T_1G + T_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* ---- faults ---- */

/* Rule 21: a binding caps what a guest fault maps and prepares. It does not cap host faults. */
static void rule_21_bindings_cap_the_guest_only(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, T_1G, T_1G, GMS_SHARED);
	bind_at(&rig, 9 * T_1G + T_2M, 0, 4 * T_1G);
	rig_forget(&rig);
	assert_int_equal(fault_at(&rig, 9 * T_1G + 2 * T_2M + 5).max_order, GMS_ORDER_2M);
	rig_expect_calls(&rig, 0, ALLOC(0, GMS_ORDER_1G), PREPARE(T_2M, GMS_ORDER_2M));
	rig_forget(&rig);
	assert_true(fault_at(&rig, 9 * T_1G + 2 * T_2M + 9).prepared);
	rig_expect_none(&rig);
	assert_int_equal(gms_fault_begin_gfn(rig.state, 10 * T_1G + T_2M + 5, GMS_HOST, &fault), 0);
	assert_int_equal(fault.folio_index, T_1G);
	assert_int_equal(fault.folio_order, GMS_ORDER_1G);
	assert_int_equal(fault.max_order, GMS_ORDER_1G);
	assert_true(fault.fresh);
	assert_int_equal(fault.seq, gms_seq_read(rig.state, T_1G));
	assert_int_equal(sim_map(rig.sim, T_1G + 5, GMS_ORDER_1G, GMS_HOST), 0);
	gms_fault_end(rig.state, &fault);
	rig_faults(&rig, T_1G + 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	/* A fault at a gfn returns the errors of a fault at an index. */
	assert_int_equal(gms_fault_begin_gfn(rig.state, 9 * T_1G + T_2M, GMS_HOST, &fault),
			 -EACCES);
	assert_int_equal(
		gms_fault_begin_gfn(rig.state, 9 * T_1G + T_2M, (enum gms_accessor)7, &fault),
		-EINVAL);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 1, -ENXIO);
	assert_int_equal(gms_fault_begin_gfn(rig.state, 12 * T_1G, GMS_GUEST, &fault), -ENXIO);
	rig_fini(&rig);
}

/* Rule 39: a fault at the gfn of a quarantined page fails, and no mapping covers that page. */
static void rule_39_a_fault_at_the_gfn_of_a_quarantined_page_fails(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	bind_at(&rig, T_1G, 0, 4 * T_1G);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig.sim, 1);
	rig_convert_fails(&rig, T_2M + 5, 3, GMS_SHARED, 0, -EIO, T_2M + 5);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	sees(&rig, T_1G + T_2M + 5, T_2M + 5);
	assert_int_equal(order_at(&rig, T_1G + T_2M + 5), GMS_ORDER_4K);
	assert_int_equal(gms_fault_begin_gfn(rig.state, T_1G + T_2M + 5, GMS_GUEST, &fault),
			 -ENOTRECOVERABLE);
	offers(&rig, T_1G + T_2M + 4, GMS_ORDER_4K);
	offers(&rig, T_1G + 5, GMS_ORDER_2M);
	offers(&rig, 2 * T_1G, GMS_ORDER_1G);
	rig_repair(&rig, T_2M + 5, 3, GMS_PRIVATE);
	offers(&rig, T_1G + T_2M + 5, GMS_ORDER_1G);
	rig_fini(&rig);
}

struct inside {
	unsigned int id;
	uint64_t calls;
	const char *why;
};

static void bind_inside(struct rig *rig, const struct sim_call *call)
{
	struct inside *in = rig->arg;
	struct gms_fault fault;
	gms_pgoff_t index = 0;
	unsigned int id = 0x77, order = 0x77;

	(void)call;
	in->calls++;
	if (gms_bind(rig->state, 0, 2 * T_1G, 1, &id) != -EDEADLK || id != 0x77)
		in->why = "bind";
	if (gms_unbind(rig->state, in->id) != -EDEADLK)
		in->why = "unbind";
	if (gms_fault_begin_gfn(rig->state, T_1G, GMS_GUEST, &fault) != -EDEADLK)
		in->why = "fault_begin_gfn";
	if (gms_gfn_to_index(rig->state, 2 * T_1G + 5, &index) || index != T_1G + 5)
		in->why = "gfn_to_index";
	if (gms_gfn_max_order(rig->state, 2 * T_1G + 5, &order) || order != GMS_ORDER_1G)
		in->why = "gfn_max_order";
}

/* Rule 22: inside a hook lookups work. Changes of bindings and faults are refused. */
static void rule_22_a_hook_may_look_up_and_not_change(void **unused)
{
	struct inside in = {0};
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &all_private);
	in.id = bind_at(&rig, T_1G, 0, 2 * T_1G);
	rig.arg = &in;
	rig.hook = bind_inside;
	rig_convert(&rig, 0, 9, GMS_SHARED);
	rig_convert(&rig, 0, 9, GMS_PRIVATE);
	fault_at(&rig, T_1G + 5);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	rig.hook = NULL;
	assert_fine(in.why);
	assert_true(in.calls > 10);
	assert_int_equal(rig_stats(&rig).refused_deadlock, 3 * in.calls);
	assert_int_equal(rig_stats(&rig).bindings, 1);
	unbind(&rig, in.id);
	rig_fini(&rig);
}

/* An object with bindings can be destroyed. */
static void rule_22_an_object_with_bindings_is_destroyed(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	rig_init(&rig, &all_private);
	for (i = 0; i < 100; i++)
		bind_at(&rig, 7ULL * i, 5ULL * i, 5);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_22_lookups_are_exact_at_all_edges),
		cmocka_unit_test(rule_22_bad_ranges_are_refused),
		cmocka_unit_test(rule_22_overlaps_are_refused),
		cmocka_unit_test(rule_22_unbound_pages_can_be_bound_again),
		cmocka_unit_test(rule_22_gfn_and_index_must_agree_modulo_the_size),
		cmocka_unit_test(rule_22_an_edge_inside_a_block_caps_max_order),
		cmocka_unit_test(rule_22_two_bindings_in_a_block_cap_max_order),
		cmocka_unit_test(rule_21_bindings_cap_the_guest_only),
		cmocka_unit_test(rule_39_a_fault_at_the_gfn_of_a_quarantined_page_fails),
		cmocka_unit_test(rule_22_a_hook_may_look_up_and_not_change),
		cmocka_unit_test(rule_22_an_object_with_bindings_is_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
