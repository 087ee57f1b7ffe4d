// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * plant.c - bugs for the checkers of a kernel to find
 *
 * Each is a misuse of the library: so a checker has to find it in the library's own code, memory
 * or locks. scripts/test-kernel fails if a checker does not.
 *
 *	bounds     KASAN: a snapshot is written past the end of its buffer
 *	inversion  lockdep: invalidate locks of two shards are taken in descending order
 *	nested     lockdep: a conversion in one shard while the thread has a fault open in another
 *	shift      UBSAN: an order that is too large for its type
 *	sleep      DEBUG_ATOMIC_SLEEP: a conversion under a spinlock
 *	leak       kmemleak: an object that nothing points to
 *	race       KCSAN: two threads write to one tree without a lock
 */
#include "main.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <gmemstate/gmemstate.h>

#include "include/test_kernel.h"

#define PLANT_PAGES (2UL << GMS_ORDER_1G)

static struct gms_state *plant_state(void)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s;

	opts.nr_pages = PLANT_PAGES;
	return gms_state_create(&opts, &s) ? NULL : s;
}

static void plant_bounds(struct gms_state *s)
{
	void *small = NULL;
	size_t size;

	if (!gms_snapshot_save(s, NULL, 0, &size))
		small = kmalloc(size - 8, GFP_KERNEL);
	if (small)
		gms_snapshot_save(s, small, size, NULL);
	kfree(small);
}

static void plant_inversion(struct gms_state *s)
{
	int err = gms_lock_shared(s, 0, PLANT_PAGES);

	if (!err)
		gms_unlock_shared(s, 0, PLANT_PAGES);
	err = gms_lock_shared(s, 1UL << GMS_ORDER_1G, 1);
	if (err)
		return;
	if (!gms_lock_shared(s, 0, 1))
		gms_unlock_shared(s, 0, 1);
	gms_unlock_shared(s, 1UL << GMS_ORDER_1G, 1);
}

static void plant_nested(struct gms_state *s)
{
	struct gms_fault fault;

	if (gms_fault_begin(s, 0, GMS_GUEST, &fault))
		return;
	gms_convert(s, 1UL << GMS_ORDER_1G, 1, GMS_PRIVATE, 0, NULL);
	gms_fault_end(s, &fault);
}

static void plant_shift(struct gms_state *s)
{
	unsigned int order = 64;

	OPTIMIZER_HIDE_VAR(order);
	pr_info("# a block of %llu pages\n", gms_order_pages(order));
}

static void plant_sleep(struct gms_state *s)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	gms_convert(s, 0, 1, GMS_PRIVATE, 0, NULL);
	spin_unlock(&lock);
}

static void plant_leak(struct gms_state *s)
{
	struct gms_rtree *tree;

	if (!gms_rtree_create(PLANT_PAGES, GMS_RTREE_NONE, NULL, &tree))
		pr_info("# leaked a tree of %zu bytes\n", gms_rtree_memory(tree));
}

static void *plant_write(void *tree)
{
	unsigned int i;

	for (i = 0; i < 400000; i++) {
		gms_rtree_set(tree, i % 8, 1);
		gms_rtree_clear(tree, i % 8, 1);
	}
	return NULL;
}

static void plant_race(struct gms_state *s)
{
	pthread_t thread[2];
	struct gms_rtree *tree;
	unsigned int i;

	if (gms_rtree_create(PLANT_PAGES, GMS_RTREE_NONE, NULL, &tree))
		return;
	for (i = 0; i < 2; i++)
		WARN_ON(pthread_create(&thread[i], NULL, plant_write, tree));
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	gms_rtree_destroy(tree);
}

int test_plant(const char *name)
{
	static const struct {
		const char *name;
		void (*make)(struct gms_state *s);
	} plants[] = {
		{"bounds", plant_bounds}, {"inversion", plant_inversion}, {"sleep", plant_sleep},
		{"nested", plant_nested}, {"shift", plant_shift},         {"leak", plant_leak},
		{"race", plant_race},
	};
	struct gms_state *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plants) && strcmp(name, plants[i].name); i++)
		;
	if (i == ARRAY_SIZE(plants))
		return -EINVAL;
	s = plant_state();
	if (!s)
		return -ENOMEM;
	plants[i].make(s);
	gms_state_destroy(s);
	return 0;
}
