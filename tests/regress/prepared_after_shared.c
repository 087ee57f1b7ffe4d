// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * prepared_after_shared.c - a shared page counted as prepared for a moment
 *
 * Wrong: a conversion to shared published the new shareability first, and cleared PREPARED after
 * that. A reader saw a page that was shared and prepared.
 * Right: a shared page is never prepared (rule 7). No hook is called between the two steps, so
 * a reader spins beside the writer; what it asserts holds at any timing.
 */
#include "regress.h"

/* Converts each page to shared once. */
static void share_page_by_page(struct worker *worker)
{
	struct beside *beside = worker->shared;
	int rc = 0;

	for (uint64_t i = 0; i < worker->rounds && !rc; i++)
		rc = gms_convert(beside->state, i, 1, GMS_SHARED, 0, NULL);
	atomic_store(&beside->stopped, true);
	worker_expect(worker, !rc, "a conversion failed");
}

static void watch_prepared(struct worker *worker)
{
	struct beside *beside = worker->shared;
	uint64_t i = 0;

	while (i < worker->rounds && !atomic_load(&beside->stopped)) {
		const bool private = gms_is_private(beside->state, i);
		const bool prepared = gms_is_prepared(beside->state, i);

		worker_expect(worker, private || !prepared, "a shared page is prepared");
		i += !private;
	}
}

static void a_shared_page_is_never_prepared(void **unused)
{
	const uint64_t rounds = test_iters(T_1G);
	int i;

	(void)unused;
	for (i = 0; i < 6; i++)
		beside_run(share_page_by_page, watch_prepared, rounds < T_1G ? rounds : T_1G);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_page_is_never_prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
