// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * verify_beside_unpin.c - gms_state_verify() found a sound object unsound
 *
 * Wrong: gms_state_verify() read the pins while gms_unpin(), which takes the tree lock alone,
 * changed them.
 * Right: gms_state_verify() takes all locks, the tree lock of the pins as well (state.h). No
 * hook is called while it reads the pins, so one thread verifies while another one unpins; what
 * the test asserts holds at any timing.
 */
#include <sched.h>
#include <stdatomic.h>

#include <gmemstate/state.h>

#include "test.h"
#include "threads.h"

struct beside {
	struct gms_state *state;
	_Atomic bool pinned; /* all pages are pinned, and are about to be unpinned */
	_Atomic bool stopped; /* one of the two threads has ended */
};

/* Unpins page by page, which takes longer than gms_state_verify(). */
static void pin_and_unpin(struct worker *worker)
{
	struct beside *beside = worker->shared;
	int rc = 0;

	while (!rc && !atomic_load(&beside->stopped)) {
		rc = gms_pin(beside->state, 0, T_1G, NULL);
		atomic_store(&beside->pinned, true);
		for (gms_pgoff_t i = 0; i < T_1G && !rc; i++)
			gms_unpin(beside->state, i, 1);
	}
	atomic_store(&beside->stopped, true);
	worker_expect(worker, !rc, "a pin was refused");
}

static void verify(struct worker *worker)
{
	struct beside *beside = worker->shared;
	const char *why = NULL;

	for (uint64_t i = 0; i < worker->rounds && !why; i++) {
		while (!atomic_exchange(&beside->pinned, false) && !atomic_load(&beside->stopped))
			sched_yield();
		if (!gms_state_verify(beside->state, &why))
			worker->why = why;
	}
	atomic_store(&beside->stopped, true);
}

static void an_object_is_sound_beside_unpins(void **unused)
{
	const uint64_t rounds = test_iters(100);
	struct worker workers[] = {{.run = verify, .rounds = rounds}, {.run = pin_and_unpin}};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct beside beside;

	(void)unused;
	opts.nr_pages = T_1G;
	assert_int_equal(gms_state_create(&opts, &beside.state), 0);
	atomic_init(&beside.pinned, false);
	atomic_init(&beside.stopped, false);
	workers[0].shared = workers[1].shared = &beside;
	workers_run(workers, ARRAY_SIZE(workers));
	gms_state_destroy(beside.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_sound_beside_unpins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
