// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test_pool.c - proves that pools are type-stable, exact and all-or-nothing
 *
 * What is taken is of the class that was asked for and nobody else's; what is given back
 * is found again before new memory is asked for, at the same address and as the same
 * kind of object; a take that fails has taken nothing; nothing goes
 * back to the allocator before the end.
 */
#include "pool.h"

#include "talloc.h"
#include "test.h"

#define NR_LEAVES 1000

struct fixture {
	struct talloc talloc;
	struct gms_leaf_table *table;
	struct gms_pool pool;
};

static void setup(struct fixture *fixture)
{
	talloc_init(&fixture->talloc);
	memset(&fixture->pool, 0x5a, sizeof(fixture->pool));
	gms_pool_init(&fixture->pool, &fixture->talloc.ops, &fixture->table);
	assert_int_equal(fixture->talloc.allocs, 0);
}

static void teardown(struct fixture *fixture)
{
	assert_int_equal(fixture->pool.bytes, fixture->talloc.live_bytes);
	gms_pool_fini(&fixture->pool);
	assert_fine(talloc_check(&fixture->talloc));
	assert_int_equal(fixture->talloc.live_blocks, 0);
	assert_int_equal(fixture->pool.bytes, 0);
}

/* How many nodes of a class, and leaves, are free and exist. */
static void count(const struct fixture *fixture, unsigned int class, uint64_t *free_nodes,
		  uint64_t *all_nodes, uint64_t *free_leaves, uint64_t *all_leaves)
{
	uint64_t free_of[GMS_NR_CLASSES], all_of[GMS_NR_CLASSES];

	assert_true(gms_pool_count(&fixture->pool, free_of, all_of, free_leaves, all_leaves));
	*free_nodes = free_of[class];
	*all_nodes = all_of[class];
}

static void test_classes(void **state)
{
	unsigned int class, nr;

	(void)state;
	for (class = 1; class < GMS_NR_SPARSE; class ++) {
		assert_true(gms_class_leaves(class) >= gms_class_leaves(class - 1));
		assert_true(gms_class_size(class) >= gms_class_size(class - 1));
	}
	assert_int_equal(gms_class_leaves(GMS_NR_SPARSE - 1), GMS_SPARSE_MAX);
	for (nr = 0; nr <= GMS_LINE_BITS; nr++) {
		class = gms_class_of(nr);
		assert_true(class <= GMS_CLASS_DENSE);
		assert_int_equal(class == GMS_CLASS_DENSE, nr > GMS_SPARSE_MAX);
		if (class != GMS_CLASS_DENSE) {
			assert_true(nr <= gms_class_leaves(class));
			/* Its numbers fit, in the size that the class has. */
			assert_true(offsetof(struct gms_node, leaf) + nr * sizeof(uint32_t) <=
				    gms_class_size(class));
			assert_true(!class || nr > gms_class_leaves(class - 1));
		}
	}
}

static struct gms_node *take_node(struct fixture *fixture, unsigned int class)
{
	struct gms_node *node = NULL;
	struct gms_stock stock = {
		.nr_nodes = 1, .class = {(uint8_t) class}, .slot = {&node}, .leaf = GMS_LEAF_NONE};

	assert_int_equal(gms_pool_take(&fixture->pool, &stock), 0);
	assert_non_null(node);
	assert_int_equal(node->class, class);
	assert_int_equal(stock.leaf, GMS_LEAF_NONE);
	if (class == GMS_CLASS_DENSE) {
		/* Leaves for all blocks, each of them in a line of its own, and all writable. */
		assert_non_null(node->dense);
		assert_int_equal((uintptr_t)node->dense % 64, 0);
		memset(node->dense, (int)(uintptr_t)node & 0xff, GMS_DENSE_BYTES);
	}
	return node;
}

static void give_node(struct fixture *fixture, struct gms_node *node)
{
	struct gms_drops drops = {.leaf = GMS_LEAF_NONE};

	gms_drop_node(&drops, node);
	gms_pool_give(&fixture->pool, &drops);
}

static void give_leaves(struct fixture *fixture, uint32_t first)
{
	struct gms_drops drops = {.leaf = first};

	gms_pool_give(&fixture->pool, &drops);
}

static void test_nodes_of_each_class(void **state)
{
	struct gms_node *node[40];
	struct fixture fixture;
	uint64_t live, allocs;
	unsigned int class, i, k;

	(void)state;
	setup(&fixture);
	for (class = 0; class < GMS_NR_CLASSES; class ++) {
		for (i = 0; i < ARRAY_SIZE(node); i++) {
			node[i] = take_node(&fixture, class);
			for (k = 0; k < i; k++) {
				char *a = (char *)node[i], *b = (char *)node[k];
				size_t apart = a > b ? (size_t)(a - b) : (size_t)(b - a);

				assert_true(apart >= gms_class_size(class));
			}
		}
		live = fixture.talloc.live_bytes;
		allocs = fixture.talloc.allocs;
		talloc_trap(&fixture.talloc, TALLOC_TRAP_BOTH);
		for (i = 0; i < ARRAY_SIZE(node); i++)
			give_node(&fixture, node[i]);
		/* The same ones again, the last one given back first. */
		for (i = ARRAY_SIZE(node); i--;)
			assert_ptr_equal(take_node(&fixture, class), node[i]);
		for (i = 0; i < ARRAY_SIZE(node); i++)
			give_node(&fixture, node[i]);
		talloc_trap(&fixture.talloc, 0);
		assert_int_equal(fixture.talloc.live_bytes, live);
		assert_int_equal(fixture.talloc.allocs, allocs);
	}
	teardown(&fixture);
}

static uint32_t next_leaf(const struct fixture *fixture, uint32_t id)
{
	return (uint32_t)gms_leaf_at(&fixture->table, id)->w[0];
}

static uint32_t take_leaves(struct fixture *fixture, unsigned int nr)
{
	struct gms_stock stock = {.nr_leaves = nr, .leaf = GMS_LEAF_NONE};

	assert_int_equal(gms_pool_take(&fixture->pool, &stock), 0);
	return stock.leaf;
}

static void test_leaves_have_numbers(void **state)
{
	static bool seen[NR_LEAVES + GMS_LEAF_SLAB];
	uint64_t free_nodes, all_nodes, free_leaves, all_leaves;
	struct fixture fixture;
	uint32_t id, first;
	unsigned int nr = 0;

	(void)state;
	setup(&fixture);
	memset(seen, 0, sizeof(seen));
	assert_null(gms_leaf_at(&fixture.table, 0));
	first = take_leaves(&fixture, NR_LEAVES);
	for (id = first; id != GMS_LEAF_NONE; id = next_leaf(&fixture, id)) {
		assert_true(id < ARRAY_SIZE(seen));
		assert_false(seen[id]);
		assert_non_null(gms_leaf_at(&fixture.table, id));
		seen[id] = true;
		nr++;
	}
	assert_int_equal(nr, NR_LEAVES);
	count(&fixture, 0, &free_nodes, &all_nodes, &free_leaves, &all_leaves);
	assert_int_equal(all_leaves - free_leaves, NR_LEAVES);
	/* What no table knows is turned back. */
	assert_null(gms_leaf_at(&fixture.table, (uint32_t)all_leaves));
	assert_null(gms_leaf_at(&fixture.table, GMS_LEAF_NONE));
	assert_null(gms_leaf_at(&fixture.table, 1U << 31));
	give_leaves(&fixture, first);
	give_leaves(&fixture, GMS_LEAF_NONE);
	count(&fixture, 0, &free_nodes, &all_nodes, &free_leaves, &all_leaves);
	assert_int_equal(free_leaves, all_leaves);
	teardown(&fixture);
}

/* A number means the same leaf for ever, also when the table has moved. */
static void test_leaves_stay_where_they_are(void **state)
{
	struct fixture fixture;
	struct gms_line *before;
	uint32_t first, more;

	(void)state;
	setup(&fixture);
	first = take_leaves(&fixture, 1);
	before = gms_leaf_at(&fixture.table, first);
	more = take_leaves(&fixture, 64 * GMS_LEAF_SLAB);
	assert_ptr_equal(gms_leaf_at(&fixture.table, first), before);
	give_leaves(&fixture, more);
	give_leaves(&fixture, first);
	assert_ptr_equal(gms_leaf_at(&fixture.table, first), before);
	teardown(&fixture);
}

/* Nodes of different classes and leaves go back together, each to its own list. */
static void test_give_all_at_once(void **state)
{
	uint64_t free_nodes, all_nodes, free_leaves, all_leaves;
	struct gms_drops drops = {.leaf = GMS_LEAF_NONE};
	struct fixture fixture;
	unsigned int class;

	(void)state;
	setup(&fixture);
	gms_pool_give(&fixture.pool, &drops);
	for (class = 0; class < GMS_NR_CLASSES; class ++) {
		gms_drop_node(&drops, take_node(&fixture, class));
		gms_drop_node(&drops, take_node(&fixture, class));
		gms_drop_leaf(&fixture.pool, &drops, take_leaves(&fixture, 1));
	}
	for (class = 0; class < GMS_NR_CLASSES; class ++) {
		count(&fixture, class, &free_nodes, &all_nodes, &free_leaves, &all_leaves);
		assert_int_equal(free_nodes, all_nodes - 2);
		assert_int_equal(free_leaves, all_leaves - GMS_NR_CLASSES);
	}
	gms_pool_give(&fixture.pool, &drops);
	for (class = 0; class < GMS_NR_CLASSES; class ++) {
		count(&fixture, class, &free_nodes, &all_nodes, &free_leaves, &all_leaves);
		assert_int_equal(free_nodes, all_nodes);
		assert_int_equal(free_leaves, all_leaves);
	}
	teardown(&fixture);
}

/* Takes with each allocation failing in turn: what is free stays free. */
static void fail_take(struct fixture *fixture, struct gms_stock stock, uint64_t skip, bool *failed)
{
	uint64_t free_before[GMS_NR_CLASSES], all_before[GMS_NR_CLASSES], leaves_before, all;
	uint64_t free_after[GMS_NR_CLASSES], all_after[GMS_NR_CLASSES], leaves_after, all_then;
	struct gms_node *node[GMS_STOCK_NODES];
	unsigned int i;
	int rc;

	for (i = 0; i < stock.nr_nodes; i++)
		stock.slot[i] = &node[i];
	assert_true(gms_pool_count(&fixture->pool, free_before, all_before, &leaves_before, &all));
	talloc_fail(&fixture->talloc, skip, 1);
	rc = gms_pool_take(&fixture->pool, &stock);
	talloc_fail_never(&fixture->talloc);
	*failed = rc != 0;
	if (!rc) {
		for (i = 0; i < stock.nr_nodes; i++)
			give_node(fixture, node[i]);
		give_leaves(fixture, stock.leaf);
		return;
	}
	assert_int_equal(rc, -ENOMEM);
	assert_true(
		gms_pool_count(&fixture->pool, free_after, all_after, &leaves_after, &all_then));
	for (i = 0; i < GMS_NR_CLASSES; i++)
		assert_int_equal(all_before[i] - free_before[i], all_after[i] - free_after[i]);
	assert_int_equal(all - leaves_before, all_then - leaves_after);
}

static void test_rule14_take_all_or_nothing(void **state)
{
	const struct gms_stock stock = {
		.nr_nodes = GMS_STOCK_NODES,
		.nr_leaves = 5 * GMS_LEAF_SLAB,
		.class = {0, GMS_CLASS_DENSE, 1, GMS_CLASS_DENSE},
		.leaf = GMS_LEAF_NONE,
	};
	unsigned int failures = 0;
	bool failed = true;
	uint64_t skip;

	(void)state;
	for (skip = 0; failed; skip++) {
		struct fixture fixture;

		setup(&fixture);
		fail_take(&fixture, stock, skip, &failed);
		failures += failed;
		teardown(&fixture);
	}
	/* Slabs of two sparse classes and of dense nodes, five slabs of leaves, a table. */
	assert_in_range(failures, 9, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_nodes_of_each_class),
		cmocka_unit_test(test_leaves_have_numbers),
		cmocka_unit_test(test_leaves_stay_where_they_are),
		cmocka_unit_test(test_give_all_at_once),
		cmocka_unit_test(test_rule14_take_all_or_nothing),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
