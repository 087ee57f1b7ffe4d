// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * order_never_held.c - a reader saw an order that the folio never had
 *
 * Wrong: a merge of 4K to 1G changed the 1G block first and its 2M blocks after that. A split
 * changed the 2M blocks first. A reader that saw one of the two changes answered 2M.
 * Right: gms_folio_order() answers an order that the folio had (rule 25). No hook is called
 * between the two changes, so the test cannot stop the writer there. Instead a reader spins
 * beside the writer; what it asserts holds at any timing.
 */
#include "regress.h"

static void split_and_merge(struct worker *worker)
{
	struct beside *beside = worker->shared;
	int rc = 0;

	for (uint64_t i = 0; i < worker->rounds && !rc; i++)
		rc = gms_convert(beside->state, 0, 1, i % 2 ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	atomic_store(&beside->stopped, true);
	worker_expect(worker, !rc, "a conversion failed");
}

static void watch_order(struct worker *worker)
{
	struct beside *beside = worker->shared;

	while (!atomic_load(&beside->stopped))
		worker_expect(worker, gms_folio_order(beside->state, 0) != GMS_ORDER_2M,
			      "gms_folio_order() returned an order that the folio never had");
}

static void the_order_is_1g_or_4k(void **unused)
{
	(void)unused;
	beside_run(split_and_merge, watch_order, test_iters(1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_1g_or_4k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
