// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * context.c - proves that calls whose context is "any" work in interrupts
 *
 * Tests rule 12, and R3. gms_unpin() and the queries are called in a hard interrupt (irq_work) and
 * in a softirq (a timer), while threads pin and unpin pages of the same 1G block. So lockdep sees
 * the locks of gms_unpin() taken in all three contexts.
 */
#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/timer.h>

#include <gmemstate/state.h>

#include <stdatomic.h>

#include "test.h"
#include "threads.h"

#define NR_PAGES (3UL << GMS_ORDER_1G)
#define FIRST 100UL
#define NR_PINNED 700UL /* ends in another 2M */

struct scene {
	struct gms_state *state;
	struct irq_work work;
	struct timer_list timer;
	struct completion done;
	const char *why;
	atomic_bool ended; /* the interrupts */
};

/* Makes every query, and releases the pins. */
static const char *in_interrupt_all(struct gms_state *s)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	struct gms_iter iter;
	struct gms_run run;
	gms_pgoff_t index;
	uint64_t seq = gms_seq_read(s, FIRST);

	if (!in_interrupt())
		return "the test is in no interrupt";
	if (gms_is_private(s, FIRST) || !gms_range_is(s, FIRST, NR_PINNED, GMS_SHARED))
		return "a pinned page is private";
	if (gms_count(s, 0, NR_PAGES, GMS_PRIVATE) || gms_max_order(s, FIRST) > GMS_ORDER_1G ||
	    gms_summary(s, 0, GMS_ORDER_1G) != GMS_ALL_SHARED)
		return "a query is wrong";
	gms_iter_init(&iter, s, 0, NR_PAGES);
	if (!gms_iter_next(&iter, &run) || run.nr_pages != NR_PAGES)
		return "the run is wrong";
	if (!gms_is_allocated(s, FIRST) || gms_is_prepared(s, FIRST) ||
	    gms_is_quarantined(s, FIRST) || gms_folio_order(s, FIRST))
		return "a query of the folio is wrong";
	if (gms_stats_read(s, &stats) || gms_seq_retry(s, FIRST, seq))
		return "the counters cannot be read";
	if (!gms_first_pin(s, FIRST, NR_PINNED, &index) || index != FIRST)
		return "the first pin is not found";
	gms_unpin(s, FIRST, NR_PINNED);
	return NULL;
}

static void run_in_irq(struct irq_work *work)
{
	struct scene *scene = container_of(work, struct scene, work);

	scene->why = in_interrupt_all(scene->state);
	complete(&scene->done);
}

static void run_in_softirq(struct timer_list *timer)
{
	struct scene *scene = container_of(timer, struct scene, timer);

	scene->why = in_interrupt_all(scene->state);
	complete(&scene->done);
}

/* Pins other pages of the block, and some of the same leaves, until the interrupts end. */
static void pin_and_unpin(struct worker *worker)
{
	struct scene *scene = worker->shared;
	uint64_t i;

	for (i = 0; !atomic_load(&scene->ended); i++) {
		const gms_pgoff_t start = 2000 * worker->number + i % 500;

		worker_expect(worker, !gms_pin(scene->state, start, 900, NULL), "a pin failed");
		gms_unpin(scene->state, start, 900);
	}
}

static void interrupt(struct worker *worker)
{
	struct scene *scene = worker->shared;
	uint64_t i;

	for (i = 0; i < worker->rounds; i++) {
		if (gms_pin(scene->state, FIRST, NR_PINNED, NULL)) {
			scene->why = "a pin failed";
			break;
		}
		reinit_completion(&scene->done);
		if (worker->number)
			irq_work_queue(&scene->work);
		else
			mod_timer(&scene->timer, jiffies + 1);
		wait_for_completion(&scene->done);
		if (scene->why)
			break;
	}
	atomic_store(&scene->ended, true);
	worker_expect(worker, !scene->why, scene->why);
}

static void run_scene(bool hard)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	struct worker workers[3] = {};
	static struct scene scene;
	unsigned int i;

	memset(&scene, 0, sizeof(scene));
	opts.nr_pages = NR_PAGES;
	assert_int_equal(gms_state_create(&opts, &scene.state), 0);
	init_completion(&scene.done);
	init_irq_work(&scene.work, run_in_irq);
	timer_setup(&scene.timer, run_in_softirq, 0);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {.run = i ? pin_and_unpin : interrupt,
					      .shared = &scene,
					      .number = i,
					      .rounds = test_iters(5000)};
	workers[0].number = hard;
	workers_run(workers, ARRAY_SIZE(workers));
	irq_work_sync(&scene.work);
	del_timer_sync(&scene.timer);
	gms_stats_read(scene.state, &stats);
	assert_int_equal(stats.surplus_unpins, 0);
	assert_false(gms_first_pin(scene.state, 0, NR_PAGES, NULL));
	assert_true(gms_state_verify(scene.state, NULL));
	gms_state_destroy(scene.state);
}

static void rule_12_pins_are_released_in_a_hard_interrupt(void **unused)
{
	run_scene(true);
}

static void rule_12_pins_are_released_in_a_softirq(void **unused)
{
	run_scene(false);
}

int test_main_kernel_context(void);
int test_main_kernel_context(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_12_pins_are_released_in_a_hard_interrupt),
		cmocka_unit_test(rule_12_pins_are_released_in_a_softirq),
	};

	return cmocka_run_group_tests_name("kernel-context", tests, NULL, NULL);
}
