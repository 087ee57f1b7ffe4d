// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * destroy_stops_at_refusal.c - gms_state_destroy() stopped at a refused batch
 *
 * Wrong: a listener refused one batch at gms_state_destroy(). What it had withdrawn before was
 * restored, and it was not notified of later batches.
 * Right: gms_state_destroy() withdraws everything, and goes on after a refusal (rule 35).
 */
#include "regress.h"

#define BATCH ((uint64_t)GMS_LISTENER_BATCH)

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;
static struct mirror *const second = &all.mirror[1];

static void destroy_withdraws_all(void **unused)
{
	uint64_t batch;

	(void)unused;
	for (batch = 0; batch < 4; batch++) {
		const uint64_t kept = batch % 2 ? BATCH / 2 : BATCH;

		mirrors_init(&all, &opts);
		mirrors_add(&all, 2, 4 * BATCH, 1, 0);
		mirrors_check(&all);
		mirrors_forget(&all);
		/* gms_state_destroy() notifies the second mirror first */
		plan_refuse(&all.plan, batch, batch + 1, -EIO, batch % 2 ? DONE_HALF : DONE_NONE);
		rig_fini(&all.rig);
		assert_int_equal(mirror_held(second, batch * BATCH, BATCH), kept);
		for (unsigned int i = 0; i < 2; i++) {
			struct mirror *m = &all.mirror[i];

			assert_int_equal(mirror_runs(m, GMS_SHARED), 0);
			assert_int_equal(mirror_runs(m, GMS_PRIVATE), 4 * BATCH);
			mirror_tidy(m);
			assert_int_equal(mirror_held(m, 0, 4 * BATCH), m == second ? kept : 0);
			m->live = false;
			oracle_store(&m->held, 0, opts.nr_pages, false);
			mirror_fini(m);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destroy_withdraws_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
