// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gfn_race.c - proves what gms_convert_gfn() does beside threads that change bindings
 *
 * Tests rule 40.
 */
#include "rig.h"
#include "threads.h"

#define NR_PAGES (3 * T_1G + T_2M)
#define FIRST 0x1000ULL

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

#define RACE_HALF (T_1G + 7)

/* Two bindings that cover the object. A thread takes one away, and binds it anew. */
struct race {
	struct gms_state *state;
	uint64_t rounds;
	_Atomic bool done;
};

static void race_rebind(struct worker *worker)
{
	struct race *race = worker->shared;
	unsigned int id = 1;

	while (!atomic_load(&race->done)) {
		worker_expect(worker, !gms_unbind(race->state, id), "the binding is there");
		worker_expect(worker,
			      !gms_bind(race->state, FIRST + RACE_HALF, RACE_HALF,
					NR_PAGES - RACE_HALF, &id),
			      "the gfns are free");
	}
}

static void race_convert(struct worker *worker)
{
	struct race *race = worker->shared;
	uint64_t private = 0, converted = 0;

	for (uint64_t i = 0; i < race->rounds || converted < 2; i++) {
		const enum gms_shareability to = i % 2 ? GMS_SHARED : GMS_PRIVATE;
		uint64_t where = 0;
		const int err = gms_convert_gfn(race->state, FIRST, NR_PAGES, to, 0, &where);

		worker_expect(worker, !err || (err == -ENOENT && where == FIRST + RACE_HALF),
			      "the conversion succeeds, or names the gfn that is not bound");
		if (!err)
		private = to == GMS_PRIVATE ? NR_PAGES : 0;
		converted += !err;
		worker_expect(worker, gms_count(race->state, 0, NR_PAGES, GMS_PRIVATE) == private,
			      "all pages change, or none");
	}
	atomic_store(&race->done, true);
}

static void rule_40_bindings_change_beside_it(void **unused)
{
	struct race race = {.rounds = test_iters(2000)};
	struct worker workers[] = {{.run = race_rebind, .shared = &race},
				   {.run = race_convert, .shared = &race}};
	unsigned int id;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	race.state = rig.state;
	assert_int_equal(gms_bind(rig.state, FIRST, 0, RACE_HALF, &id), 0);
	assert_int_equal(
		gms_bind(rig.state, FIRST + RACE_HALF, RACE_HALF, NR_PAGES - RACE_HALF, &id), 0);
	assert_int_equal(id, 1);
	workers_run(workers, ARRAY_SIZE(workers));
	rig_fini(&rig);
}

/* One binding that moves to and fro: what is not bound must not change. */
static void race_move(struct worker *worker)
{
	struct race *race = worker->shared;
	uint64_t before[2] = {0};
	unsigned int id = 0;

	for (unsigned int to = 1; !atomic_load(&race->done); to = !to) {
		const gms_pgoff_t from_index = to ? 0 : T_1G, to_index = to ? T_1G : 0;

		worker_expect(worker, !gms_unbind(race->state, id), "the binding is there");
		/* no conversion is under way now: gms_unbind() has had all locks */
		before[!to] = gms_count(race->state, from_index, 64, GMS_PRIVATE);
		worker_expect(worker,
			      gms_count(race->state, to_index, 64, GMS_PRIVATE) == before[to],
			      "pages that are not bound do not change");
		worker_expect(worker, !gms_bind(race->state, FIRST, to_index, 64, &id),
			      "the gfns are free");
	}
}

static void race_flip(struct worker *worker)
{
	struct race *race = worker->shared;

	for (uint64_t i = 0; i < race->rounds; i++) {
		const int err = gms_convert_gfn(race->state, FIRST, 64,
						i % 2 ? GMS_SHARED : GMS_PRIVATE, 0, NULL);

		worker_expect(worker, !err || err == -ENOENT, "it succeeds, or nothing is bound");
	}
	atomic_store(&race->done, true);
}

static void rule_40_the_binding_moves_beside_it(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT; /* no hooks: as many rounds as possible */
	struct race race = {.rounds = test_iters(200000)};
	struct worker workers[] = {{.run = race_move, .shared = &race},
				   {.run = race_flip, .shared = &race}};
	unsigned int id;

	(void)unused;
	opts.nr_pages = NR_PAGES;
	assert_int_equal(gms_state_create(&opts, &race.state), 0);
	assert_int_equal(gms_bind(race.state, FIRST, 0, 64, &id), 0);
	assert_int_equal(id, 0);
	workers_run(workers, ARRAY_SIZE(workers));
	gms_state_destroy(race.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_40_bindings_change_beside_it),
		cmocka_unit_test(rule_40_the_binding_moves_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
