// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * threads.c - proves the guarantees of a call while other threads make all other calls
 *
 * Tests rules 12, 18 and 20, and R5.
 *
 * The threads convert, fault, pin, punch holes, allocate and maintain on one object, in blocks of
 * one shard and of others. Each thread checks its guarantees: a page that it has pinned is not
 * private; the page and the sequence number do not change from the beginning of a fault to its
 * end; the host cannot fault a page that is always private. After each round the test checks the
 * object as a whole. Some tests use the simulated backend, which checks the library as well. The
 * others do not, because the lock of the simulation would hide races from ThreadSanitizer.
 */
#include <sched.h>
#include <stdatomic.h>

#include <gmemstate/state.h>

#include "model.h"
#include "oracle.h"
#include "test.h"
#include "threads.h"

#define NR_THREADS 4
#define NR_PINS 4 /* the most ranges that a thread has pinned at a time */
#define NR_PAGES (17 * MODEL_1G + MODEL_2M + 5)

/* Pages that no conversion covers. */
#define ALWAYS_SHARED (3 * MODEL_2M + 7)
#define ALWAYS_PRIVATE (5 * MODEL_2M + 9)

struct setting {
	const char *policy;
	unsigned int folio_order;
	bool by_folio;
	bool sim;
};

struct field {
	struct setting setting;
	struct gms_state *state;
	struct sim *sim; /* or NULL */
	_Atomic uint64_t faults[2];
	_Atomic uint64_t converted;
	_Atomic uint64_t pinned;
};

struct hand {
	struct field *field;
	struct prng prng;
	unsigned int nr_pins;
	struct {
		uint64_t start, nr_pages;
	} pins[NR_PINS];
};

struct range {
	uint64_t start, nr_pages;
};

/* Returns a page in one of two shards, most often one of few hot pages. */
static uint64_t any_page(struct prng *prng)
{
	static const uint64_t blocks[] = {0, 1, 16, 17};
	uint64_t block = blocks[prng_below(prng, ARRAY_SIZE(blocks))];
	uint64_t page = block * MODEL_1G + prng_below(prng, 4) * MODEL_2M;

	page += prng_below(prng, prng_chance(prng, 60) ? 8 : MODEL_2M);
	return page < NR_PAGES ? page : NR_PAGES - 1;
}

static struct range any_range(struct prng *prng)
{
	struct range range = {any_page(prng), 1};

	switch (prng_below(prng, 5)) {
	case 0:
		range.nr_pages = 1 + prng_below(prng, 20);
		break;
	case 1:
		range.nr_pages = 1 + prng_below(prng, 2 * MODEL_2M);
		break;
	case 2:
		range.start = range.start / MODEL_2M * MODEL_2M;
		range.nr_pages = MODEL_2M;
		break;
	case 3:
		if (prng_chance(prng, 20)) {
			range.start = range.start / MODEL_1G * MODEL_1G;
			range.nr_pages = MODEL_1G * (1 + prng_below(prng, 2));
		}
		break;
	default:
		break;
	}
	if (range.nr_pages > NR_PAGES - range.start)
		range.nr_pages = NR_PAGES - range.start;
	return range;
}

static bool has(const struct range *range, uint64_t index)
{
	return index >= range->start && index - range->start < range->nr_pages;
}

static const char *do_convert(struct hand *hand)
{
	struct field *field = hand->field;
	struct range range = any_range(&hand->prng);
	bool to_private = prng_chance(&hand->prng, 50);
	gms_pgoff_t err = UINT64_MAX;
	int ret;

	if (has(&range, ALWAYS_SHARED) || has(&range, ALWAYS_PRIVATE))
		return NULL;
	ret = gms_convert(field->state, range.start, range.nr_pages,
			  to_private ? GMS_PRIVATE : GMS_SHARED,
			  prng_chance(&hand->prng, 30) ? GMS_CONVERT_RESUMABLE : 0, &err);
	if (!ret)
		atomic_fetch_add(&field->converted, 1);
	if (!ret && err != UINT64_MAX)
		return "err_index was written on success";
	if (ret == -EAGAIN && to_private)
		return has(&range, err) ? NULL : "err_index outside of the range";
	return ret ? "a conversion failed for no reason" : NULL;
}

/* Checks that nothing changes at the page of an open fault. */
static const char *watch_fault(struct hand *hand, uint64_t index, const struct gms_fault *fault,
			       bool private)
{
	const struct gms_state *state = hand->field->state;
	uint64_t i;

	if (fault->seq % 2)
		return "the seq of a fault is odd";
	for (i = prng_below(&hand->prng, 4); i; i--) {
		sched_yield();
		if (gms_is_private(state, index) != private)
			return "a page was converted during a fault";
		if (gms_seq_read(state, index) != fault->seq ||
		    gms_seq_retry(state, index, fault->seq))
			return "the sequence number changed during a fault";
		if (!gms_is_allocated(state, index))
			return "a page lost its memory during a fault";
		if (fault->prepared && !gms_is_prepared(state, index))
			return "a page lost PREPARED during a fault";
	}
	return NULL;
}

static const char *inside_fault(struct hand *hand, uint64_t index, enum gms_accessor accessor,
				struct gms_fault *fault)
{
	struct field *field = hand->field;
	bool private = gms_is_private(field->state, index);
	const char *why;

	if (accessor == GMS_HOST && private)
		return "the host faulted a private page";
	if (fault->max_order > fault->folio_order)
		return "max_order is larger than the order of the folio";
	why = watch_fault(hand, index, fault, private);
	if (!why && accessor == GMS_GUEST && prng_chance(&hand->prng, 80)) {
		if (gms_fault_prepare(field->state, fault))
			return "gms_fault_prepare() failed";
		if (fault->prepared != private)
			return "a private page is not prepared, or a shared one is";
	}
	if (!why && field->sim && (!private || fault->prepared))
		sim_map(field->sim, index, fault->max_order, accessor);
	return why ? why : watch_fault(hand, index, fault, private);
}

static const char *do_fault(struct hand *hand)
{
	static const uint64_t always[] = {ALWAYS_SHARED, ALWAYS_PRIVATE};
	struct field *field = hand->field;
	enum gms_accessor accessor = prng_chance(&hand->prng, 50) ? GMS_HOST : GMS_GUEST;
	uint64_t index = any_page(&hand->prng);
	struct gms_fault fault;
	const char *why;
	int ret;

	if (prng_chance(&hand->prng, 10))
		index = always[prng_below(&hand->prng, ARRAY_SIZE(always))];
	ret = gms_fault_begin(field->state, index, accessor, &fault);
	if (ret == -EACCES && accessor == GMS_HOST && index != ALWAYS_SHARED)
		return NULL;
	if (ret)
		return "a fault failed for no reason";
	if (accessor == GMS_HOST && index == ALWAYS_PRIVATE)
		why = "the host faulted a page that is always private";
	else
		why = inside_fault(hand, index, accessor, &fault);
	gms_fault_end(field->state, &fault);
	atomic_fetch_add(&field->faults[accessor], 1);
	return why;
}

static const char *watch_pins(struct hand *hand)
{
	const struct gms_state *state = hand->field->state;
	unsigned int i;

	for (i = 0; i < hand->nr_pins; i++) {
		uint64_t start = hand->pins[i].start, nr = hand->pins[i].nr_pages;
		gms_pgoff_t first;

		if (!gms_range_is(state, start, nr, GMS_SHARED))
			return "a pinned page is private";
		if (!gms_first_pin(state, start, nr, &first) || first != start)
			return "gms_first_pin() misses a pinned page";
		if (!gms_is_allocated(state, start) || !gms_is_allocated(state, start + nr - 1))
			return "a pinned page is not allocated";
	}
	return NULL;
}

static const char *do_pin(struct hand *hand)
{
	struct range range = any_range(&hand->prng);
	gms_pgoff_t err = UINT64_MAX;
	int ret;

	if (range.nr_pages > MODEL_2M)
		range.nr_pages = 3;
	if (hand->nr_pins == NR_PINS)
		return NULL;
	ret = gms_pin(hand->field->state, range.start, range.nr_pages, &err);
	if (ret)
		return ret == -EACCES && has(&range, err) ? NULL : "a pin failed for no reason";
	hand->pins[hand->nr_pins].start = range.start;
	hand->pins[hand->nr_pins++].nr_pages = range.nr_pages;
	atomic_fetch_add(&hand->field->pinned, 1);
	return watch_pins(hand);
}

static const char *do_unpin(struct hand *hand)
{
	const char *why = watch_pins(hand);

	if (why || !hand->nr_pins)
		return why;
	hand->nr_pins--;
	gms_unpin(hand->field->state, hand->pins[hand->nr_pins].start,
		  hand->pins[hand->nr_pins].nr_pages);
	return NULL;
}

static const char *do_punch(struct hand *hand)
{
	struct range range = any_range(&hand->prng);
	gms_pgoff_t err = UINT64_MAX;
	int ret = gms_punch_hole(hand->field->state, range.start, range.nr_pages, &err);

	if (ret == -EAGAIN)
		return has(&range, err) ? NULL : "err_index outside of the range";
	return ret ? "a hole failed for no reason" : NULL;
}

static const char *do_locked(struct hand *hand)
{
	struct gms_state *state = hand->field->state;
	struct range range = any_range(&hand->prng);
	const char *why = NULL;
	uint64_t count, seq;

	if (gms_lock_shared(state, range.start, range.nr_pages))
		return "gms_lock_shared() failed";
	count = gms_count(state, range.start, range.nr_pages, GMS_PRIVATE);
	seq = gms_seq_read(state, range.start);
	sched_yield();
	if (gms_count(state, range.start, range.nr_pages, GMS_PRIVATE) != count ||
	    gms_seq_retry(state, range.start, seq))
		why = "a page was converted under the shared lock";
	gms_unlock_shared(state, range.start, range.nr_pages);
	return why;
}

static const char *do_rest(struct hand *hand)
{
	struct gms_state *state = hand->field->state;
	struct range range = any_range(&hand->prng);
	uint64_t dice = prng_below(&hand->prng, 5);
	int ret = 0;

	if (dice == 0)
		gms_maintain(state, 1 + prng_below(&hand->prng, 20));
	else if (dice == 1)
		ret = gms_inhibit(state, range.start, range.nr_pages,
				  prng_chance(&hand->prng, 50) ? GMS_ORDER_2M : 0);
	else if (dice == 2)
		ret = gms_uninhibit(state, range.start, range.nr_pages);
	else if (dice == 3)
		ret = gms_attr_set(state, 0, range.start, range.nr_pages,
				   prng_chance(&hand->prng, 50));
	else if (range.nr_pages <= 2 * MODEL_2M || hand->field->setting.folio_order)
		ret = gms_allocate(state, range.start, range.nr_pages, NULL);
	return ret ? "an inhibit, attribute or allocation failed" : NULL;
}

static void do_everything(struct worker *worker)
{
	struct hand hand = {.field = worker->shared};
	uint64_t i;

	prng_init(&hand.prng, test_seed() + 1000 * worker->number + worker->rounds);
	for (i = 0; i < worker->rounds && !worker->why; i++) {
		uint64_t dice = prng_below(&hand.prng, 100);

		if (dice < 30)
			worker->why = do_convert(&hand);
		else if (dice < 65)
			worker->why = do_fault(&hand);
		else if (dice < 73)
			worker->why = do_pin(&hand);
		else if (dice < 82)
			worker->why = do_unpin(&hand);
		else if (dice < 87)
			worker->why = do_punch(&hand);
		else if (dice < 92)
			worker->why = do_locked(&hand);
		else
			worker->why = do_rest(&hand);
	}
	while (hand.nr_pins && !worker->why)
		worker->why = do_unpin(&hand);
}

/* Returns the number of allocated folios of any order. */
static uint64_t count_folios(const struct gms_state *state)
{
	uint64_t i, count = 0;

	for (i = 0; i < NR_PAGES; i += 1ULL << gms_folio_order(state, i))
		count += gms_is_allocated(state, i);
	return count;
}

/*
 * Checks the counters. The number of folios follows from allocations, frees, splits and merges. It
 * is not checked for 1G folios, because a split to 4K and one to 2M make different numbers.
 */
static void expect_balance(struct field *field)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(field->state, &stats);
	assert_int_equal(stats.faults_host, field->faults[GMS_HOST]);
	assert_int_equal(stats.faults_guest, field->faults[GMS_GUEST]);
	assert_int_equal(stats.surplus_unpins, 0);
	assert_int_equal(stats.refused_inval, 0);
	assert_int_equal(stats.refused_nomem, 0);
	assert_int_equal(stats.refused_deadlock, 0);
	assert_int_equal(stats.refused_backend, 0);
	assert_int_equal(stats.quarantined_pages, 0);
	assert_int_equal(stats.conversions + stats.noops + stats.refused_pinned >= field->converted,
			 1);
	if (field->setting.folio_order < GMS_ORDER_1G)
		assert_int_equal(count_folios(field->state),
				 stats.folios_allocated - stats.folios_freed +
					 (stats.splits_2m - stats.merges_2m) * (MODEL_2M - 1));
}

static void expect_sound(struct field *field)
{
	const char *reason = NULL;

	if (!gms_state_verify(field->state, &reason))
		fail_msg("%s", reason);
	assert_false(gms_first_pin(field->state, 0, NR_PAGES, NULL));
	assert_true(gms_is_private(field->state, ALWAYS_PRIVATE));
	assert_false(gms_is_private(field->state, ALWAYS_SHARED));
	expect_balance(field);
	if (!field->sim)
		return;
	assert_fine(sim_check(field->sim));
	assert_fine(sim_compare(field->sim, field->state));
}

static void set_up(struct field *field, const struct setting *setting)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct sim_opts sim_opts = {
		.nr_pages = NR_PAGES,
		.folio_order = setting->folio_order,
		.flags = setting->by_folio ? GMS_BACKEND_PINS_BY_FOLIO : 0,
	};
	struct gms_backend_ops flags = {
		.struct_size = sizeof(flags),
		.flags = sim_opts.flags,
	};
	unsigned int id;

	memset(field, 0, sizeof(*field));
	field->setting = *setting;
	opts.nr_pages = NR_PAGES;
	opts.folio_order = setting->folio_order;
	opts.policy = gms_policy_by_name(setting->policy);
	opts.merge_wait_2m = opts.merge_wait_1g = 20; /* changes: adaptive is to merge at times */
	opts.backend = &flags;
	if (setting->sim) {
		assert_int_equal(sim_create(&sim_opts, &field->sim), 0);
		opts.backend = sim_ops(field->sim);
		opts.backend_ctx = field->sim;
	}
	assert_int_equal(gms_state_create(&opts, &field->state), 0);
	assert_int_equal(gms_attr_create(field->state, &id), 0);
	assert_int_equal(gms_convert(field->state, ALWAYS_PRIVATE, 1, GMS_PRIVATE, 0, NULL), 0);
}

static void run_setting(const struct setting *setting, uint64_t rounds)
{
	static struct field field;
	unsigned int i, round;

	set_up(&field, setting);
	for (round = 0; round < 3; round++) {
		struct worker workers[NR_THREADS];

		memset(workers, 0, sizeof(workers));
		for (i = 0; i < NR_THREADS; i++) {
			workers[i].run = do_everything;
			workers[i].shared = &field;
			workers[i].number = i;
			workers[i].rounds = test_iters(rounds) + round;
		}
		workers_run(workers, NR_THREADS);
		expect_sound(&field);
	}
	assert_true(field.converted && field.faults[GMS_HOST] && field.faults[GMS_GUEST] &&
		    field.pinned);
	gms_state_destroy(field.state);
	if (field.sim)
		assert_fine(sim_check(field.sim));
	sim_destroy(field.sim);
}

static void run_policies(unsigned int folio_order, bool sim, uint64_t rounds)
{
	static const char *const policies[] = {"eager-rfc", "eager", "eager-nonuniform",
					       "lazy-4k",   "lazy",  "adaptive"};
	size_t i;

	printf("GMS_TEST_SEED=%llu\n", (unsigned long long)test_seed());
	for (i = 0; i < 2 * ARRAY_SIZE(policies); i++) {
		struct setting setting = {policies[i / 2], folio_order, i % 2, sim};

		run_setting(&setting, rounds);
	}
}

static void test_guarantees_hold_with_a_backing_of_4k(void **unused)
{
	(void)unused;
	run_policies(GMS_ORDER_4K, false, 500);
}

static void test_guarantees_hold_with_a_backing_of_2m(void **unused)
{
	(void)unused;
	run_policies(GMS_ORDER_2M, false, 500);
}

static void test_guarantees_hold_with_a_backing_of_1g(void **unused)
{
	(void)unused;
	run_policies(GMS_ORDER_1G, false, 500);
}

static void test_guarantees_hold_with_2m_on_the_simulation(void **unused)
{
	(void)unused;
	run_policies(GMS_ORDER_2M, true, 300);
}

static void test_guarantees_hold_with_1g_on_the_simulation(void **unused)
{
	(void)unused;
	run_policies(GMS_ORDER_1G, true, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guarantees_hold_with_a_backing_of_4k),
		cmocka_unit_test(test_guarantees_hold_with_a_backing_of_2m),
		cmocka_unit_test(test_guarantees_hold_with_a_backing_of_1g),
		cmocka_unit_test(test_guarantees_hold_with_2m_on_the_simulation),
		cmocka_unit_test(test_guarantees_hold_with_1g_on_the_simulation),
	};

	return cmocka_run_group_tests_name("engine-threads", tests, NULL, NULL);
}
