// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_random.c - proves that listeners are exact in random histories
 *
 * Tests rules 34 to 36 and 39. The steps are conversions, holes, faults, pins, registrations,
 * refusals, refused undos and repairs. After each step the state, an array, the simulated backend
 * and all mirrors agree.
 */
#include "mirror.h"

#define NR_PAGES (T_1G + 2 * T_2M)
#define WINDOW_START (T_1G - 2 * T_2M)
#define WINDOW_PAGES (4 * T_2M)
#define NR_MIRRORS 6
#define NR_PINS 3

struct world {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[NR_MIRRORS];
	struct oracle private;
	struct prng prng;
	struct {
		uint64_t start, nr_pages;
	} pin[NR_PINS];
	uint64_t converted, refused, pinned, quarantined;
};

static struct world world;

static uint64_t below(uint64_t bound)
{
	return prng_below(&world.prng, bound);
}

static bool chance(unsigned int percent)
{
	return prng_chance(&world.prng, percent);
}

/* Draws a range in the window, often at edges of granules. */
static void any_range(uint64_t *start, uint64_t *nr_pages)
{
	const uint64_t unit = 1ULL << below(10);

	*start = WINDOW_START + below(WINDOW_PAGES);
	if (chance(50))
		*start = *start / unit * unit;
	*nr_pages = 1 + below(chance(50) ? 40 : 2 * T_2M);
	if (chance(50))
		*nr_pages = (*nr_pages / unit + 1) * unit;
	if (*nr_pages > WINDOW_START + WINDOW_PAGES - *start)
		*nr_pages = WINDOW_START + WINDOW_PAGES - *start;
}

/* ---- steps ---- */

/* Draws which calls fail: mostly none, else one call, and sometimes calls of its undo. */
static void any_plan(void)
{
	uint64_t n;

	plan_refuse_none(&world.plan);
	world.plan.refused[0] = world.plan.refused[1] = 0;
	world.plan.failed = false;
	if (chance(60))
		return;
	n = below(6);
	plan_refuse(&world.plan, n, n + 1, -ENXIO, (enum mirror_done)below(NR_DONE));
	if (chance(40))
		plan_refuse_undo(&world.plan, n + 1 + below(4), n + 5 + below(8), -EXDEV,
				 (enum mirror_done)below(NR_DONE));
}

static void step_convert(void)
{
	const enum gms_shareability to = chance(50) ? GMS_PRIVATE : GMS_SHARED;
	const unsigned int flags = chance(30) ? GMS_CONVERT_RESUMABLE : 0;
	gms_pgoff_t at = UINT64_MAX;
	uint64_t start, nr_pages;
	bool hook;
	int rc;

	any_range(&start, &nr_pages);
	any_plan();
	hook = chance(10);
	if (hook) {
		sim_refuse(world.rig.sim, RIG_FALLIBLE | (chance(50) ? 1U << SIM_UNDO : 0),
			   below(8), 1 + below(2), -EFAULT);
		world.plan.failed = true; /* a call that a mirror refuses may be of the undo */
	}
	rc = gms_convert(world.rig.state, start, nr_pages, to, flags, &at);
	sim_refuse(world.rig.sim, 0, 0, 0, 0);
	if (!rc) {
		oracle_store(&world.private, start, nr_pages, to == GMS_PRIVATE);
		world.converted++;
	} else {
		assert_true(at >= start && at - start < nr_pages);
		if (flags && at > start)
			oracle_store(&world.private, start, at - start, to == GMS_PRIVATE);
		/*
		 * The error is that of the refusal. A mirror that cannot pin returns the error of
		 * gms_pin().
		 */
		assert_true(rc == -ENXIO    ? world.plan.refused[0] > 0
			    : rc == -EXDEV  ? world.plan.refused[1] > 0
			    : rc == -EFAULT ? hook
			    : rc == -EAGAIN ? to == GMS_PRIVATE
					    : rc == -ENOTRECOVERABLE);
		world.refused += rc == -ENXIO;
		world.pinned += rc == -EAGAIN;
	}
	plan_refuse_none(&world.plan);
	world.quarantined += rig_stats(&world.rig).quarantined_pages > 0;
}

static void step_listener(void)
{
	struct mirror *m = &world.mirror[below(NR_MIRRORS)];
	uint64_t unit, at;
	int rc;

	any_plan();
	if (m->live) {
		/* No mirror refuses to be restored here. listener_replay.c tests that. */
		world.plan.refusal[1].to = 0;
		rc = mirror_unregister(m);
		assert_true(!rc || rc == -ENXIO);
		if (!rc)
			mirror_fini(m);
		return;
	}
	unit = 1ULL << below(10);
	mirror_init(m, &world.rig, &world.plan, WINDOW_START + below(WINDOW_PAGES) / unit * unit, 0,
		    unit, chance(50) ? GMS_LISTENER_CAN_SPLIT : 0);
	m->nr_pages = (1 + below(WINDOW_START + WINDOW_PAGES - m->start)) / unit * unit;
	m->pins = chance(30);
	rc = m->nr_pages ? mirror_register(m) : -EINVAL;
	if (!rc)
		return;
	assert_true(m->nr_pages ? rc != -EINVAL : true);
	for (at = WINDOW_START; at < WINDOW_START + WINDOW_PAGES; at++)
		assert_true(!oracle_test(&m->held, at) || gms_is_quarantined(world.rig.state, at));
	if (world.plan.refused[1])
		mirror_drop(m);
	mirror_fini(m);
}

static void step_pin(void)
{
	const uint64_t i = below(NR_PINS);

	if (world.pin[i].nr_pages)
		gms_unpin(world.rig.state, world.pin[i].start, world.pin[i].nr_pages);
	any_range(&world.pin[i].start, &world.pin[i].nr_pages);
	if (world.pin[i].nr_pages > 9)
		world.pin[i].nr_pages = 9;
	if (chance(50) || gms_pin(world.rig.state, world.pin[i].start, world.pin[i].nr_pages, NULL))
		world.pin[i].nr_pages = 0;
}

static void step_other(void)
{
	struct gms_fault fault;
	uint64_t start, nr_pages;

	any_range(&start, &nr_pages);
	switch (below(4)) {
	case 0:
		(void)gms_punch_hole(world.rig.state, start, nr_pages, NULL);
		break;
	case 1:
		(void)gms_allocate(world.rig.state, start, nr_pages, NULL);
		break;
	case 2:
		(void)rig_fault(&world.rig, start, GMS_GUEST, &fault);
		break;
	default:
		(void)rig_fault(&world.rig, start, GMS_HOST, &fault);
		break;
	}
}

/* Repairs a part of the quarantined pages. A mirror may refuse that. */
static void step_repair(void)
{
	const enum gms_shareability to = chance(50) ? GMS_PRIVATE : GMS_SHARED;
	struct gms_state *s = world.rig.state;
	uint64_t start, nr_pages, most;
	int rc;

	if (!rig_stats(&world.rig).quarantined_pages)
		return;
	for (start = WINDOW_START; !gms_is_quarantined(s, start);)
		start++;
	most = chance(50) ? UINT64_MAX : 1 + below(300);
	for (nr_pages = 1; nr_pages < most && gms_is_quarantined(s, start + nr_pages);)
		nr_pages++;
	any_plan();
	assert_int_equal(sim_set(world.rig.sim, start, nr_pages, to), 0);
	rc = gms_repair(s, start, nr_pages, to);
	plan_refuse_none(&world.plan);
	if (!rc)
		oracle_store(&world.private, start, nr_pages, to == GMS_PRIVATE);
	else
		assert_true(rc == -ENXIO || rc == -EXDEV || (rc == -EAGAIN && to == GMS_PRIVATE));
}

static void step(void)
{
	const uint64_t what = below(100);

	if (what < 50)
		step_convert();
	else if (what < 62)
		step_listener();
	else if (what < 72)
		step_pin();
	else if (what < 85)
		step_other();
	else
		step_repair();
	plan_refuse_none(&world.plan);
}

/* ---- checks ---- */

static void check_world(uint64_t number)
{
	const bool quarantine = rig_stats(&world.rig).quarantined_pages;
	struct gms_state *s = world.rig.state;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < NR_MIRRORS; i++) {
		if (world.mirror[i].live)
			mirror_check(&world.mirror[i]);
	}
	for (at = WINDOW_START; at < WINDOW_START + WINDOW_PAGES; at++) {
		if (gms_is_private(s, at) != oracle_test(&world.private, at) &&
		    !(quarantine && gms_is_quarantined(s, at)))
			fail_msg("page %#llx", (unsigned long long)at);
	}
	assert_int_equal(gms_count(s, 0, WINDOW_START, GMS_PRIVATE), 0);
	/* rig_check() takes longer. */
	if (number % 16 == 0) {
		rig_check(&world.rig);
		rig_forget(&world.rig);
	}
}

static void init_world(uint64_t seed)
{
	struct rig_opts opts = {.nr_pages = NR_PAGES};
	unsigned int i;

	memset(&world, 0, sizeof(world));
	prng_init(&world.prng, seed);
	opts.folio_order = chance(50) ? GMS_ORDER_2M : chance(50) ? GMS_ORDER_1G : GMS_ORDER_4K;
	opts.policy = rig_policy((unsigned int)below(RIG_NR_POLICIES));
	opts.sim_flags = chance(20) ? GMS_BACKEND_PINS_BY_FOLIO : 0;
	rig_init(&world.rig, &opts);
	oracle_init(&world.private, NR_PAGES, false);
	for (i = 0; i < NR_MIRRORS; i++)
		world.mirror[i].live = false;
}

static void fini_world(void)
{
	unsigned int i;

	for (i = 0; i < NR_PINS; i++)
		gms_unpin(world.rig.state, world.pin[i].start, world.pin[i].nr_pages);
	while (rig_stats(&world.rig).quarantined_pages)
		step_repair();
	check_world(0);
	for (i = 0; i < NR_MIRRORS; i++) {
		if (!world.mirror[i].live)
			continue;
		assert_int_equal(mirror_unregister(&world.mirror[i]), 0);
		mirror_fini(&world.mirror[i]);
	}
	assert_int_equal(rig_stats(&world.rig).listeners, 0);
	oracle_fini(&world.private);
	rig_fini(&world.rig);
}

/*
 * Rules 34 to 36 and 39: GMS_TEST_SEED and GMS_TEST_ITERS=1 repeat the history of a printed seed.
 */
static void rule_34_listeners_are_exact_in_random_histories(void **unused)
{
	const uint64_t rounds = test_iters(20), seed = test_seed();
	uint64_t converted = 0, refused = 0, pinned = 0, quarantined = 0, round, i;

	(void)unused;
	for (round = 0; round < rounds; round++) {
		print_message("seed %llu\n", (unsigned long long)(seed + round));
		init_world(seed + round);
		for (i = 1; i <= 400; i++) {
			step();
			check_world(i);
		}
		converted += world.converted;
		refused += world.refused;
		pinned += world.pinned;
		quarantined += world.quarantined;
		fini_world();
	}
	print_message("%llu conversions, %llu refused, %llu pinned, %llu beside a quarantine\n",
		      (unsigned long long)converted, (unsigned long long)refused,
		      (unsigned long long)pinned, (unsigned long long)quarantined);
	if (rounds >= 20)
		assert_true(converted > 500 && refused > 50 && pinned > 20 && quarantined > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_34_listeners_are_exact_in_random_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
