// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * threads.c - proves that a snapshot is of one moment
 *
 * Tests rule 37. Threads convert whole ranges, set an attribute of them and inhibit them, while
 * another thread saves and loads: no snapshot has a part of a change. Then guest faults, which
 * hold the invalidate lock shared, inhibit pages while another thread saves: a save never writes
 * more than the size of its buffer.
 */
#include <sched.h>
#include <stdatomic.h>

#include "snap.h"
#include "test.h"
#include "threads.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)

#define NR_BLOCKS 24
#define NR_WRITERS 2

/* No two ranges touch, so that each has edges of its own. */
static const struct {
	uint64_t start, end;
} ranges[] = {
	{5, 6},
	{100, 3 * BLOCK_2M + 7},
	{4 * BLOCK_2M, 5 * BLOCK_2M},
	{6 * BLOCK_2M, BLOCK_1G},
	{BLOCK_1G + 9, 3 * BLOCK_1G + 1},
	{4 * BLOCK_1G, 5 * BLOCK_1G},
	{5 * BLOCK_1G + 1, 23 * BLOCK_1G + 5},
};

struct field {
	struct gms_state *state;
	_Atomic unsigned int savers_left;
	_Atomic uint64_t changes;
};

static int change(struct gms_state *state, struct prng *prng)
{
	const uint64_t which = prng_below(prng, ARRAY_SIZE(ranges));
	const uint64_t start = ranges[which].start, nr_pages = ranges[which].end - start;

	switch (prng_below(prng, 8)) {
	case 0:
		return gms_attr_set(state, 0, start, nr_pages, true);
	case 1:
		return gms_attr_set(state, 0, start, nr_pages, false);
	case 2:
		return gms_inhibit(state, start, nr_pages, GMS_ORDER_4K);
	case 3:
		return gms_uninhibit(state, start, nr_pages);
	default:
		return gms_convert(state, start, nr_pages,
				   prng_chance(prng, 50) ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	}
}

static void change_ranges(struct worker *worker)
{
	struct field *field = worker->shared;
	struct prng prng;
	int rc = 0;

	prng_init(&prng, test_seed() + worker->number);
	while (!rc && atomic_load(&field->savers_left)) {
		rc = change(field->state, &prng);
		atomic_fetch_add(&field->changes, 1);
	}
	worker_expect(worker, !rc, "a change failed");
}

static const char *judge_range(const struct gms_state *state, uint64_t start, uint64_t end)
{
	const bool private = gms_is_private(state, start), attr = gms_attr_test(state, 0, start);

	if (!gms_range_is(state, start, end - start, private ? GMS_PRIVATE : GMS_SHARED))
		return "a snapshot has a part of a conversion";
	if (gms_attr_test(state, 0, (start + end) / 2) != attr ||
	    gms_attr_test(state, 0, end - 1) != attr)
		return "a snapshot has a part of a change of an attribute";
	return NULL;
}

static const char *judge(const uint8_t *buf, size_t size)
{
	const struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	const char *why = NULL;
	uint64_t i;

	/*
	 * A page that is limited to 4K is in both trees of inhibits. Loading refuses a snapshot
	 * that has it in the first tree only. gms_uninhibit() clears the second tree first. So a
	 * snapshot with a part of an uninhibit cannot be loaded.
	 */
	if (gms_snapshot_load(buf, size, &opts, &state))
		return "a snapshot cannot be loaded";
	for (i = 0; !why && i < ARRAY_SIZE(ranges); i++)
		why = judge_range(state, ranges[i].start, ranges[i].end);
	if (!why)
		gms_state_verify(state, &why);
	gms_state_destroy(state);
	return why;
}

static const char *save_once(const struct gms_state *state, uint8_t *buf, size_t room)
{
	size_t size = 0;
	int rc;

	rc = gms_snapshot_save(state, buf, room, &size);
	if (rc)
		return rc == -ENOSPC ? "a snapshot is longer than it may be" : "saving failed";
	return judge(buf, size);
}

static void save_and_load(struct worker *worker)
{
	struct field *field = worker->shared;
	const char *why = NULL;
	uint8_t buf[1024];
	uint64_t round;

	for (round = 0; !why && round < worker->rounds; round++) {
		const uint64_t changes = atomic_load(&field->changes);

		why = save_once(field->state, buf, sizeof(buf));
		/* wait for some changes */
		while (!why && atomic_load(&field->changes) < changes + 3)
			sched_yield();
	}
	atomic_fetch_sub(&field->savers_left, 1);
	worker->why = why;
}

static void rule_37_a_snapshot_is_of_one_moment(void **unused)
{
	struct worker workers[NR_WRITERS + 1] = {0};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	static struct field field;
	const char *why = NULL;
	unsigned int i, id;

	(void)unused;
	opts.nr_pages = NR_BLOCKS * BLOCK_1G;
	assert_int_equal(gms_state_create(&opts, &field.state), 0);
	assert_int_equal(gms_attr_create(field.state, &id), 0);
	assert_int_equal(id, 0);
	atomic_store(&field.savers_left, 1);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].run = i < NR_WRITERS ? change_ranges : save_and_load;
		workers[i].shared = &field;
		workers[i].number = i;
		workers[i].rounds = test_iters(3000);
	}
	workers_run(workers, ARRAY_SIZE(workers));
	gms_state_verify(field.state, &why);
	assert_fine(why);
	gms_state_destroy(field.state);
}

/* ---- saving beside faults ---- */

#define SAVED_PAGES (4 * BLOCK_2M)
#define GUARD 0xee

struct saving {
	struct gms_state *state;
	_Atomic unsigned int preparing; /* threads that prepare pages */
	uint64_t saved, too_small;
};

/*
 * The two workers together prepare every other page, and then the rest; each worker takes half of
 * them. The prepare hook limits each page to 4K, so the runs of inhibited pages become more and
 * then fewer.
 */
static void prepare_pages(struct worker *worker)
{
	struct saving *saving = worker->shared;
	struct gms_fault fault;
	int ret = 0;

	for (unsigned int odd = 0; odd < 2; odd++) {
		for (gms_pgoff_t at = 2 * worker->number + odd; at < SAVED_PAGES && !ret; at += 4) {
			ret = gms_fault_begin(saving->state, at, GMS_GUEST, &fault);
			if (ret)
				break;
			ret = gms_fault_prepare(saving->state, &fault);
			gms_fault_end(saving->state, &fault);
		}
	}
	atomic_fetch_sub(&saving->preparing, 1);
	worker_expect(worker, !ret, "a fault failed");
}

/*
 * Saves into a buffer of the size that was needed a moment ago. If more is needed now, nothing
 * may be written.
 */
static const char *save_tight(struct saving *saving)
{
	const struct gms_state_opts opts = {.struct_size = sizeof(opts)};
	struct gms_state *loaded = NULL;
	size_t size, needed, i;
	const char *why = NULL;
	unsigned char *buf;
	int ret;

	if (gms_snapshot_save(saving->state, NULL, 0, &size))
		return "measuring failed";
	buf = malloc(size + 64);
	if (!buf)
		return "no memory";
	memset(buf, GUARD, size + 64);
	ret = gms_snapshot_save(saving->state, buf, size, &needed);
	if (ret == -ENOSPC && needed > size)
		saving->too_small++;
	else if (ret || needed > size)
		why = "saving failed";
	else
		saving->saved++;
	for (i = ret ? 0 : needed; i < size + 64; i++)
		if (buf[i] != GUARD)
			why = "more was written than was reported";
	if (!why && !ret && gms_snapshot_load(buf, needed, &opts, &loaded))
		why = "a saved snapshot cannot be loaded";
	gms_state_destroy(loaded);
	free(buf);
	return why;
}

static void save_pages(struct worker *worker)
{
	struct saving *saving = worker->shared;

	do
		worker->why = save_tight(saving);
	while (!worker->why && atomic_load(&saving->preparing));
	if (!worker->why)
		worker->why = save_tight(saving);
}

static int always_at_4k(void *ctx, gms_pgoff_t start, unsigned int order)
{
	(void)ctx, (void)start, (void)order;
	return GMS_PREPARED_AT(GMS_ORDER_4K);
}

static void rule_37_saving_beside_faults_writes_no_more_than_measured(void **unused)
{
	const struct gms_backend_ops ops = {.struct_size = sizeof(ops), .prepare = always_at_4k};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct worker workers[3];
	struct saving saving;
	unsigned int i;

	(void)unused;
	opts.nr_pages = SAVED_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	opts.backend = &ops;
	for (uint64_t round = test_iters(6); round--;) {
		memset(&saving, 0, sizeof(saving));
		memset(workers, 0, sizeof(workers));
		assert_int_equal(gms_state_create(&opts, &saving.state), 0);
		atomic_store(&saving.preparing, 2);
		for (i = 0; i < 3; i++) {
			workers[i].run = i < 2 ? prepare_pages : save_pages;
			workers[i].shared = &saving;
			workers[i].number = i;
		}
		workers_run(workers, 3);
		assert_true(saving.saved > 0);
		assert_true(gms_state_verify(saving.state, NULL));
		gms_state_destroy(saving.state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_37_a_snapshot_is_of_one_moment),
		cmocka_unit_test(rule_37_saving_beside_faults_writes_no_more_than_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
