// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * linear.c - proves that concurrent calls are linearizable
 *
 * Tests rules 7, 12, 18 and 23, and R1.
 *
 * In each history a few threads make a few calls on a few pages. The hooks of the backend yield,
 * so that other threads run in the middle of a call. linear.h searches for an order of the calls
 * that gives their results. There are many short histories. The checker itself is tested with
 * histories made by hand.
 *
 *	GMS_TEST_SEED=n    uses another seed (the test prints its seed)
 *	GMS_TEST_ITERS=n   number of histories of each kind
 */
#include <sched.h>
#include <stdatomic.h>

#include <gmemstate/state.h>

#include "linear.h"
#include "oracle.h"
#include "test.h"
#include "threads.h"

#define BLOCK_1G (1ULL << GMS_ORDER_1G)
#define NR_CALLS 6 /* calls of a thread; one more may end a fault */

/* A kind of history. */
struct layout {
	uint64_t index[LINEAR_PAGES];
	unsigned int shard[LINEAR_PAGES];
	unsigned int folio_order;
	unsigned int in_a_row; /* how many of the first pages are neighbours */
	bool ranges; /* has conversions of several pages, and no queries without a lock */
	unsigned int threads;
};

struct field {
	const struct layout *layout;
	struct gms_state *state;
	enum linear_kind query; /* the kind of the queries without a lock */
	struct linear_history history;
	_Atomic uint64_t clock;
	_Atomic size_t nr_ops;
	_Atomic bool stop;
	pthread_barrier_t barrier;
	uint64_t changed; /* number of conversions that succeeded */
	uint64_t refused; /* number of calls that failed */
};

static _Atomic uint64_t dice; /* the state of the generator that all threads use */

static uint64_t roll(uint64_t bound)
{
	struct prng prng;

	prng_init(&prng, atomic_fetch_add(&dice, 0x9e3779b97f4a7c15ULL));
	return prng_below(&prng, bound);
}

/* Lets other threads run, at random. */
static void dawdle(void)
{
	uint64_t i;

	for (i = roll(4); i; i--)
		sched_yield();
}

static int dawdle_run(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx, (void)start, (void)nr_pages;
	dawdle();
	return 0;
}

static void dawdle_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	dawdle_run(ctx, start, nr_pages);
}

static int dawdle_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
			gms_pgoff_t *failed)
{
	(void)to, (void)failed;
	return dawdle_run(ctx, start, nr_pages);
}

static int dawdle_block(void *ctx, gms_pgoff_t index, unsigned int order)
{
	(void)order;
	return dawdle_run(ctx, index, 1);
}

static int dawdle_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)from, (void)to;
	return dawdle_run(ctx, index, 1);
}

static const struct gms_backend_ops backend = {
	.struct_size = sizeof(backend),
	.unmap_host = dawdle_run,
	.invalidate_begin = dawdle_begin,
	.apply = dawdle_apply,
	.invalidate_end = dawdle_begin,
	.prepare = dawdle_block,
	.folio_alloc = dawdle_block,
	.folio_split = dawdle_split,
	.folio_merge = dawdle_split,
};

/* Queries again until no conversion of the block runs at the time. */
static bool is_private_by_seq(const struct gms_state *state, uint64_t index)
{
	uint64_t seq;
	bool private;

	for (;;) {
		seq = gms_seq_read(state, index);
		private = gms_is_private(state, index);
		if (!gms_seq_retry(state, index, seq))
			return private;
		sched_yield();
	}
}

static unsigned int page_of(const struct layout *layout, gms_pgoff_t index)
{
	unsigned int page;

	for (page = 0; page < LINEAR_PAGES && layout->index[page] != index; page++)
		;
	return page;
}

static void make_call(struct field *field, struct linear_op *op, struct gms_fault *fault)
{
	const struct layout *layout = field->layout;
	struct gms_state *state = field->state;
	uint64_t index = layout->index[op->page];
	gms_pgoff_t err_index = index;

	switch (op->kind) {
	case LINEAR_CONVERT:
		op->ret = gms_convert(state, index, op->nr_pages, (enum gms_shareability)op->to, 0,
				      &err_index);
		break;
	case LINEAR_BEGIN:
		op->ret = gms_fault_begin(state, index, (enum gms_accessor)op->to, fault);
		op->prepared = !op->ret && fault->prepared;
		op->fresh = !op->ret && fault->fresh;
		break;
	case LINEAR_PREPARE:
		op->ret = gms_fault_prepare(state, fault);
		op->prepared = fault->prepared;
		break;
	case LINEAR_END:
		gms_fault_end(state, fault);
		break;
	case LINEAR_PIN:
		op->ret = gms_pin(state, index, 1, &err_index);
		break;
	case LINEAR_UNPIN:
		gms_unpin(state, index, 1);
		break;
	case LINEAR_PUNCH:
		op->ret = gms_punch_hole(state, index, op->nr_pages, &err_index);
		break;
	case LINEAR_IS_PRIVATE:
		op->ret = layout->ranges ? is_private_by_seq(state, index)
					 : gms_is_private(state, index);
		break;
	case LINEAR_IS_PREPARED:
		op->ret = gms_is_prepared(state, index);
		break;
	case LINEAR_IS_ALLOCATED:
		op->ret = gms_is_allocated(state, index);
		break;
	default:
		op->ret = gms_first_pin(state, index, 1, NULL);
		break;
	}
	op->err_page = page_of(layout, err_index);
}

/* Chooses a call of a thread with an open fault. END and PREPARE are about its page. */
static void choose_inside(const struct field *field, struct linear_op *op,
			  const struct linear_op *begun)
{
	const struct layout *layout = field->layout;

	op->page = (unsigned int)roll(LINEAR_PAGES);
	op->kind = field->query;
	/* A conversion of both shards would wait for the fault, and a query for the conversion. */
	if (layout->ranges && layout->shard[op->page] != layout->shard[begun->page])
		op->page = begun->page;
	switch (roll(6)) {
	case 0:
	case 1:
		op->kind = LINEAR_END;
		op->page = begun->page;
		break;
	case 2:
	case 3:
		if (begun->to == GMS_HOST)
			break;
		op->kind = LINEAR_PREPARE;
		op->page = begun->page;
		break;
	case 4:
		op->kind = LINEAR_UNPIN;
		break;
	default:
		break;
	}
}

static void choose_outside(const struct field *field, struct linear_op *op)
{
	const struct layout *layout = field->layout;
	static const enum linear_kind kinds[] = {
		LINEAR_CONVERT, LINEAR_CONVERT, LINEAR_CONVERT, LINEAR_BEGIN, LINEAR_BEGIN,
		LINEAR_BEGIN,   LINEAR_PIN,     LINEAR_UNPIN,   LINEAR_UNPIN, LINEAR_PUNCH,
	};

	op->kind = kinds[roll(ARRAY_SIZE(kinds))];
	if (roll(100) < 20 || (op->kind == LINEAR_PUNCH && layout->folio_order))
		op->kind = field->query;
	op->page = (unsigned int)roll(LINEAR_PAGES);
	op->to = roll(100) < 50;
	if (layout->ranges && (op->kind == LINEAR_CONVERT || op->kind == LINEAR_PUNCH) &&
	    op->page < layout->in_a_row)
		op->nr_pages += (unsigned int)roll(layout->in_a_row - op->page);
}

static void keep(struct field *field, const struct linear_op *op)
{
	struct linear_op touch = *op;

	field->history.ops[atomic_fetch_add(&field->nr_ops, 1)] = *op;
	if (op->kind != LINEAR_PIN || op->ret)
		return;
	touch.kind = LINEAR_TOUCH;
	field->history.ops[atomic_fetch_add(&field->nr_ops, 1)] = touch;
}

/* Makes the calls of one thread in one history. */
static void make_calls(struct field *field, unsigned int thread)
{
	struct linear_op begun = {0};
	struct gms_fault fault;
	bool inside = false;
	int i;

	for (i = 0; i < NR_CALLS || inside; i++) {
		struct linear_op op = {.thread = thread, .nr_pages = 1};

		if (inside)
			choose_inside(field, &op, &begun);
		else
			choose_outside(field, &op);
		if (i >= NR_CALLS) {
			op.kind = LINEAR_END;
			op.page = begun.page;
		}
		op.invoked = atomic_fetch_add(&field->clock, 1);
		make_call(field, &op, &fault);
		op.returned = atomic_fetch_add(&field->clock, 1);
		if (op.kind == LINEAR_BEGIN && !op.ret) {
			inside = true;
			begun = op;
		}
		if (op.kind == LINEAR_END)
			inside = false;
		keep(field, &op);
	}
}

/*
 * Makes an object for a new history. The changes of a call become visible one set of pages after
 * another, because queries take no lock. So all queries of a history are about one of the sets.
 */
static const char *set_up(struct field *field)
{
	static const enum linear_kind queries[] = {LINEAR_IS_PRIVATE, LINEAR_IS_PREPARED,
						   LINEAR_IS_ALLOCATED, LINEAR_IS_PINNED};
	const struct layout *layout = field->layout;
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	bool private = roll(100) < 50;
	unsigned int page;

	memset(&field->history, 0, sizeof(field->history));
	memcpy(field->history.shard, layout->shard, sizeof(layout->shard));
	field->history.one_folio = layout->folio_order != 0;
	field->query = LINEAR_IS_PRIVATE;
	if (!layout->ranges)
		field->query = queries[roll(ARRAY_SIZE(queries))];
	opts.nr_pages = 17 * BLOCK_1G;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	opts.folio_order = layout->folio_order;
	opts.backend = &backend;
	if (gms_state_create(&opts, &field->state))
		return "cannot create an object";
	/* The 2M is mixed, so that a fault is about one page. */
	if (gms_convert(field->state, 100, 1, private ? GMS_SHARED : GMS_PRIVATE, 0, NULL))
		return "the first conversion failed";
	for (page = 0; page < LINEAR_PAGES; page++)
		field->history.private |= (unsigned int)private << page;
	atomic_store(&field->clock, 0);
	atomic_store(&field->nr_ops, 0);
	return NULL;
}

static const char *check_history(struct field *field)
{
	struct linear_history *history = &field->history;
	const char *reason = NULL;
	size_t i;

	history->nr_ops = atomic_load(&field->nr_ops);
	for (i = 0; i < history->nr_ops; i++) {
		field->changed += history->ops[i].kind == LINEAR_CONVERT && !history->ops[i].ret;
		field->refused += history->ops[i].ret < 0;
	}
	if (!gms_state_verify(field->state, &reason))
		return reason;
	gms_state_destroy(field->state);
	field->state = NULL;
	if (linear_check(history))
		return NULL;
	linear_print(history);
	return "no order of the calls gives their results";
}

/* The first worker sets up and checks each history, while the others wait at the barrier. */
static void run_histories(struct worker *worker)
{
	struct field *field = worker->shared;
	uint64_t round;

	if (!worker->number)
		atomic_store(&dice, test_seed() + field->layout->in_a_row);
	for (round = 0; round < worker->rounds; round++) {
		if (!worker->number) {
			worker->why = set_up(field);
			atomic_store(&field->stop, worker->why != NULL);
		}
		pthread_barrier_wait(&field->barrier);
		if (atomic_load(&field->stop))
			return;
		make_calls(field, worker->number);
		pthread_barrier_wait(&field->barrier);
		if (!worker->number) {
			worker->why = check_history(field);
			atomic_store(&field->stop, worker->why != NULL);
		}
		pthread_barrier_wait(&field->barrier);
		if (atomic_load(&field->stop))
			return;
	}
}

static void run_layout(const struct layout *layout, uint64_t rounds)
{
	struct worker workers[LINEAR_THREADS];
	static struct field field;
	unsigned int i;

	memset(workers, 0, sizeof(workers));
	memset(&field, 0, sizeof(field));
	rounds = test_iters(rounds);
	printf("GMS_TEST_SEED=%llu GMS_TEST_ITERS=%llu\n", (unsigned long long)test_seed(),
	       (unsigned long long)rounds);
	field.layout = layout;
	assert_int_equal(pthread_barrier_init(&field.barrier, NULL, layout->threads), 0);
	for (i = 0; i < layout->threads; i++) {
		workers[i].run = run_histories;
		workers[i].shared = &field;
		workers[i].number = i;
		workers[i].rounds = rounds;
	}
	workers_run(workers, layout->threads);
	pthread_barrier_destroy(&field.barrier);
	assert_true(field.changed > 0);
	if (rounds > 100)
		assert_true(field.refused > 0);
}

static void test_calls_of_three_threads_are_linearizable(void **unused)
{
	static const struct layout layout = {
		.index = {5, 6, BLOCK_1G + 5, 16 * BLOCK_1G + 5},
		.shard = {0, 0, 1, 0},
		.in_a_row = 2,
		.threads = 3,
	};

	(void)unused;
	run_layout(&layout, 3000);
}

static void test_calls_of_two_threads_are_linearizable(void **unused)
{
	static const struct layout layout = {
		.index = {5, 6, 7, 8},
		.in_a_row = 4,
		.threads = 2,
	};

	(void)unused;
	run_layout(&layout, 3000);
}

static void test_calls_on_ranges_are_linearizable(void **unused)
{
	static const struct layout layout = {
		.index = {BLOCK_1G - 2, BLOCK_1G - 1, BLOCK_1G, 5},
		.shard = {0, 0, 1, 0},
		.in_a_row = 3,
		.ranges = true,
		.threads = 4,
	};

	(void)unused;
	run_layout(&layout, 3000);
}

static void test_calls_on_one_folio_are_linearizable(void **unused)
{
	static const struct layout layout = {
		.index = {5, 6, 7, 8},
		.folio_order = GMS_ORDER_2M,
		.in_a_row = 4,
		.threads = 3,
	};

	(void)unused;
	run_layout(&layout, 3000);
}

/* Histories made by hand, and whether they are linearizable. */
static void test_the_checker_decides_known_histories(void **unused)
{
	static const struct {
		bool linearizable;
		size_t nr_ops;
		struct linear_op ops[4];
	} cases[] = {
#define CALL(what, by, from, until, ...) \
	{.kind = LINEAR_##what,          \
	 .thread = (by),                 \
	 .nr_pages = 1,                  \
	 .invoked = (from),              \
	 .returned = (until),            \
	 __VA_ARGS__}
		/* A query after a conversion must see it. A concurrent query may see it or not. */
		{true, 2, {CALL(CONVERT, 0, 1, 2, .to = 1), CALL(IS_PRIVATE, 1, 3, 4, .ret = 1)}},
		{false, 2, {CALL(CONVERT, 0, 1, 2, .to = 1), CALL(IS_PRIVATE, 1, 3, 4, .ret = 0)}},
		{true, 2, {CALL(CONVERT, 0, 1, 3, .to = 1), CALL(IS_PRIVATE, 1, 2, 4, .ret = 0)}},
		/* After a query has seen a conversion, the next one must see it, too. */
		{false,
		 3,
		 {CALL(CONVERT, 0, 1, 9, .to = 1), CALL(IS_PRIVATE, 1, 2, 3, .ret = 1),
		  CALL(IS_PRIVATE, 1, 4, 5, .ret = 0)}},
		/* No page is converted during a fault, nor to private while it is pinned. */
		{false,
		 3,
		 {CALL(BEGIN, 0, 1, 2, .fresh = true), CALL(CONVERT, 1, 3, 4, .to = 1),
		  CALL(END, 0, 5, 6)}},
		{true,
		 3,
		 {CALL(BEGIN, 0, 1, 2, .fresh = true), CALL(CONVERT, 1, 3, 6, .to = 1),
		  CALL(END, 0, 4, 5)}},
		{false,
		 3,
		 {CALL(TOUCH, 0, 1, 2), CALL(PIN, 0, 1, 2), CALL(CONVERT, 1, 3, 4, .to = 1)}},
		{true,
		 3,
		 {CALL(TOUCH, 0, 1, 2), CALL(PIN, 0, 1, 2),
		  CALL(CONVERT, 1, 3, 4, .to = 1, .ret = -EAGAIN)}},
		{false, 1, {CALL(CONVERT, 1, 3, 4, .to = 1, .ret = -EAGAIN)}},
		/* A page is fresh in one fault only. */
		{false,
		 4,
		 {CALL(BEGIN, 0, 1, 4, .fresh = true), CALL(BEGIN, 1, 2, 5, .fresh = true),
		  CALL(END, 0, 6, 7), CALL(END, 1, 8, 9)}},
		{true,
		 4,
		 {CALL(BEGIN, 0, 1, 4, .fresh = true), CALL(BEGIN, 1, 2, 5), CALL(END, 0, 6, 7),
		  CALL(END, 1, 8, 9)}},
		/* The host cannot fault a private page. */
		{false, 2, {CALL(CONVERT, 0, 1, 2, .to = 1), CALL(BEGIN, 1, 3, 4, .fresh = true)}},
		{true, 2, {CALL(CONVERT, 0, 1, 2, .to = 1), CALL(BEGIN, 1, 3, 4, .ret = -EACCES)}},
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct linear_history history = {.nr_ops = cases[i].nr_ops};

		memcpy(history.ops, cases[i].ops, sizeof(cases[i].ops));
		if (linear_check(&history) == cases[i].linearizable)
			continue;
		linear_print(&history);
		fail_msg("case %zu should be %s", i,
			 cases[i].linearizable ? "linearizable" : "refused");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_checker_decides_known_histories),
		cmocka_unit_test(test_calls_of_two_threads_are_linearizable),
		cmocka_unit_test(test_calls_of_three_threads_are_linearizable),
		cmocka_unit_test(test_calls_on_ranges_are_linearizable),
		cmocka_unit_test(test_calls_on_one_folio_are_linearizable),
	};

	return cmocka_run_group_tests_name("engine-linear", tests, NULL, NULL);
}
