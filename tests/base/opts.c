// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * opts.c - proves that structs of options and hooks may be older or newer than the library
 *
 * Tests rule 11.
 *
 * A smaller struct is accepted down to the least size that its comment names, and the missing
 * members count as 0. A struct that ends inside a member, or that is smaller still, is refused. A
 * larger struct is accepted if its tail is 0. Each struct lies in memory of its own size, so that
 * ASan and valgrind see a read past its end.
 */
#include <gmemstate/rtree.h>
#include <gmemstate/state.h>

#include "base/opts.h"
#include "talloc.h"
#include "test.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)
#define NR_PAGES (BLOCK_1G + 3)
#define MORE (3 * sizeof(size_t) + 1)

/**
 * struct kind - one of the structs
 * @name: its name
 * @whole: a struct with all members set
 * @size: its size
 * @least: the least size that is accepted
 * @use: passes a struct of @given bytes to the library, and returns the result of the call; on
 *       success checks that the library uses the members before @given, and no others
 */
struct kind {
	const char *name;
	const void *whole;
	size_t size;
	size_t least;
	int (*use)(const void *sized, size_t given);
};

/* True if a struct of @given bytes has the member. */
#define HAS(given, type, member) ((given) >= GMS_OPTS_END(type, member))

static void expect_that(const struct kind *kind, size_t given, int want, int got)
{
	if (want != got)
		fail_msg("%s of %zu bytes: %d instead of %d", kind->name, given, got, want);
}

/* Uses a struct in memory of its own size. If @dirty is not 0, that byte is set to 0x80. */
static int use_sized(const struct kind *kind, size_t given, size_t dirty)
{
	const size_t room = given < sizeof(given) ? sizeof(given) : given;
	unsigned char *sized = calloc(1, room);
	int ret;

	assert_non_null(sized);
	memcpy(sized, kind->whole, room < kind->size ? room : kind->size);
	memcpy(sized, &given, sizeof(given));
	if (dirty)
		sized[dirty] = 0x80;
	ret = kind->use(sized, given);
	free(sized);
	return ret;
}

/* Uses the struct in each size. Each member takes one word, so each member ends at a word. */
static void use_all_sizes(const struct kind *kind)
{
	for (size_t given = 0; given < kind->size; given++) {
		const bool good = given >= kind->least && given % sizeof(size_t) == 0;

		expect_that(kind, given, good ? 0 : -EINVAL, use_sized(kind, given, 0));
	}
	for (size_t given = kind->size; given < kind->size + MORE; given++) {
		expect_that(kind, given, 0, use_sized(kind, given, 0));
		for (size_t dirty = kind->size; dirty < given; dirty++)
			expect_that(kind, given, -EINVAL, use_sized(kind, given, dirty));
	}
}

static void check_and_destroy(struct gms_state *state)
{
	const char *why = NULL;

	if (!gms_state_verify(state, &why))
		fail_msg("%s", why);
	gms_state_destroy(state);
}

/* ---- gms_opts_copy() ---- */

struct words {
	size_t struct_size;
	size_t a, b, c;
};

#define GUARD 0x77

static int use_copy(const void *sized, size_t given)
{
	struct {
		struct words words;
		unsigned char guard[8];
	} to;
	size_t i;

	memset(&to, GUARD, sizeof(to));
	if (!gms_opts_copy(&to.words, sizeof(to.words), sized, GMS_OPTS_END(struct words, a)))
		return -EINVAL;
	assert_int_equal(to.words.struct_size, sizeof(to.words));
	assert_int_equal(to.words.a, 11);
	assert_int_equal(to.words.b, HAS(given, struct words, b) ? 22 : 0);
	assert_int_equal(to.words.c, HAS(given, struct words, c) ? 33 : 0);
	for (i = 0; i < sizeof(to.guard); i++)
		assert_int_equal(to.guard[i], GUARD);
	return 0;
}

static void test_copy_takes_older_and_newer_structs(void **unused)
{
	const struct words words = {sizeof(words), 11, 22, 33};
	const struct kind kind = {"words", &words, sizeof(words), GMS_OPTS_END(struct words, a),
				  use_copy};

	(void)unused;
	use_all_sizes(&kind);
}

/* ---- hooks that count their calls ---- */

enum { UNMAP, PINS, BEGIN, ZAP, APPLY, UNDO, END, PREP, ALLOC, FREE, SPLIT, MERGE, FREED, MAP, NR };

static unsigned int called[NR];
static bool refuse_apply;

#define RANGE_HOOK(name, which, type, ret)                                \
	static type name(void *ctx, gms_pgoff_t start, uint64_t nr_pages) \
	{                                                                 \
		(void)ctx, (void)start, (void)nr_pages;                   \
		called[which]++;                                          \
		return ret;                                               \
	}

#define ORDER_HOOK(name, which, type, ret)                                 \
	static type name(void *ctx, gms_pgoff_t index, unsigned int order) \
	{                                                                  \
		(void)ctx, (void)index, (void)order;                       \
		called[which]++;                                           \
		return ret;                                                \
	}

#define RESIZE_HOOK(name, which)                                                          \
	static int name(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to) \
	{                                                                                 \
		(void)ctx, (void)index, (void)from, (void)to;                             \
		called[which]++;                                                          \
		return 0;                                                                 \
	}

RANGE_HOOK(on_unmap, UNMAP, int, 0)
RANGE_HOOK(on_begin, BEGIN, void, )
RANGE_HOOK(on_end, END, void, )
RANGE_HOOK(on_map, MAP, int, 0)
ORDER_HOOK(on_prepare, PREP, int, 0)
ORDER_HOOK(on_alloc, ALLOC, int, 0)
ORDER_HOOK(on_free, FREE, void, )
RESIZE_HOOK(on_split, SPLIT)
RESIZE_HOOK(on_merge, MERGE)

static int on_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	(void)ctx, (void)start, (void)nr_pages, (void)pinned;
	called[PINS]++;
	return 0;
}

static void on_zap(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability only)
{
	(void)ctx, (void)start, (void)nr_pages, (void)only;
	called[ZAP]++;
}

static int on_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		    gms_pgoff_t *failed)
{
	(void)ctx, (void)to;
	called[APPLY]++;
	if (refuse_apply)
		*failed = start + nr_pages;
	return refuse_apply ? -EIO : 0;
}

static int on_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	(void)ctx, (void)start, (void)nr_pages, (void)back_to;
	called[UNDO]++;
	return 0;
}

static void on_freed(void *ctx, gms_pgoff_t index)
{
	(void)ctx, (void)index;
	called[FREED]++;
}

static const struct gms_backend_ops backend = {
	.struct_size = sizeof(backend),
	.flags = GMS_BACKEND_PINS_BY_FOLIO,
	.unmap_host = on_unmap,
	.check_pins = on_pins,
	.invalidate_begin = on_begin,
	.zap_guest = on_zap,
	.apply = on_apply,
	.undo = on_undo,
	.invalidate_end = on_end,
	.prepare = on_prepare,
	.folio_alloc = on_alloc,
	.folio_free = on_free,
	.folio_split = on_split,
	.folio_merge = on_merge,
	.block_freed = on_freed,
	.map_host = on_map,
};

static void answer_a_fault(struct gms_state *state, gms_pgoff_t index, enum gms_accessor accessor)
{
	struct gms_fault fault;

	assert_int_equal(gms_fault_begin(state, index, accessor, &fault), 0);
	if (accessor == GMS_GUEST)
		assert_int_equal(gms_fault_prepare(state, &fault), 0);
	gms_fault_end(state, &fault);
}

/* Makes the library call each hook of the table at least once. */
static void do_everything(struct gms_state *state)
{
	memset(called, 0, sizeof(called));
	answer_a_fault(state, 5, GMS_HOST);
	assert_int_equal(gms_convert(state, 0, 5, GMS_PRIVATE, 0, NULL), 0);
	answer_a_fault(state, 3, GMS_GUEST);
	answer_a_fault(state, 7, GMS_HOST);
	refuse_apply = true;
	(void)gms_convert(state, 5, 5, GMS_PRIVATE, 0, NULL);
	refuse_apply = false;
	assert_int_equal(gms_punch_hole(state, 0, NR_PAGES, NULL), 0);
}

static int use_backend(const void *sized, size_t given)
{
	static const size_t ends[NR] = {
		[UNMAP] = GMS_OPTS_END(struct gms_backend_ops, unmap_host),
		[PINS] = GMS_OPTS_END(struct gms_backend_ops, check_pins),
		[BEGIN] = GMS_OPTS_END(struct gms_backend_ops, invalidate_begin),
		[ZAP] = GMS_OPTS_END(struct gms_backend_ops, zap_guest),
		[APPLY] = GMS_OPTS_END(struct gms_backend_ops, apply),
		[UNDO] = GMS_OPTS_END(struct gms_backend_ops, undo),
		[END] = GMS_OPTS_END(struct gms_backend_ops, invalidate_end),
		[PREP] = GMS_OPTS_END(struct gms_backend_ops, prepare),
		[ALLOC] = GMS_OPTS_END(struct gms_backend_ops, folio_alloc),
		[FREE] = GMS_OPTS_END(struct gms_backend_ops, folio_free),
		[SPLIT] = GMS_OPTS_END(struct gms_backend_ops, folio_split),
		[MERGE] = GMS_OPTS_END(struct gms_backend_ops, folio_merge),
		[FREED] = GMS_OPTS_END(struct gms_backend_ops, block_freed),
		[MAP] = GMS_OPTS_END(struct gms_backend_ops, map_host),
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int ret;

	opts.nr_pages = NR_PAGES;
	opts.folio_order = GMS_ORDER_2M;
	opts.backend = sized;
	ret = gms_state_create(&opts, &state);
	if (ret)
		return ret;
	do_everything(state);
	for (int i = 0; i < NR; i++)
		if ((called[i] != 0) != (given >= ends[i]))
			fail_msg("%zu bytes: hook %d was called %u times", given, i, called[i]);
	/* with the flag GMS_BACKEND_PINS_BY_FOLIO, a pin anywhere in the folio prevents this */
	assert_int_equal(gms_pin(state, BLOCK_2M + 9, 1, NULL), 0);
	ret = gms_convert(state, BLOCK_2M + 20, 1, GMS_PRIVATE, 0, NULL);
	assert_int_equal(ret, HAS(given, struct gms_backend_ops, flags) ? -EAGAIN : 0);
	gms_unpin(state, BLOCK_2M + 9, 1);
	check_and_destroy(state);
	return 0;
}

static void test_backend_may_be_older_or_newer(void **unused)
{
	const struct kind kind = {"backend", &backend, sizeof(backend), sizeof(size_t),
				  use_backend};

	(void)unused;
	use_all_sizes(&kind);
}

/* ---- options of an object ---- */

static unsigned int queries;

static void decide(void *ctx, const struct gms_policy_view *view,
		   struct gms_policy_verdict *verdict)
{
	(void)ctx, (void)view, (void)verdict;
	queries++;
}

static const struct gms_policy_ops policy = {
	.struct_size = sizeof(policy),
	.name = "counting",
	.decide = decide,
	.events = 1U << GMS_EV_MAINTAIN,
};

static unsigned int clock_reads;

static uint64_t read_clock(void *ctx)
{
	(void)ctx;
	return ++clock_reads;
}

/* Checks which options an object was made with. The policy is queried about all events. */
static void check_made(struct gms_state *state, size_t given, uint64_t allocs)
{
	assert_int_equal(gms_state_nr_pages(state), NR_PAGES);
	assert_int_equal(gms_is_private(state, 0), HAS(given, struct gms_state_opts, flags));
	assert_int_equal(gms_folio_order(state, 0),
			 HAS(given, struct gms_state_opts, folio_order) ? GMS_ORDER_2M : 0);
	memset(called, 0, sizeof(called));
	queries = clock_reads = 0;
	answer_a_fault(state, 0, GMS_GUEST);
	assert_int_equal(queries != 0, HAS(given, struct gms_state_opts, policy));
	assert_int_equal(called[ALLOC] != 0, HAS(given, struct gms_state_opts, backend));
	assert_int_equal(allocs != 0, HAS(given, struct gms_state_opts, allocator));
	assert_int_equal(clock_reads != 0, HAS(given, struct gms_state_opts, clock_ns));
}

static struct talloc talloc;

static int use_opts(const void *sized, size_t given)
{
	const uint64_t before = talloc.allocs;
	struct gms_state *state = (void *)0x77;
	int ret = gms_state_create(sized, &state);

	if (ret) {
		assert_ptr_equal(state, (void *)0x77);
		assert_int_equal(talloc.allocs, before);
		return ret;
	}
	check_made(state, given, talloc.allocs - before);
	check_and_destroy(state);
	return 0;
}

/* A snapshot of an object with only private pages, in folios of order 9. */
static struct {
	unsigned char bytes[256];
	size_t size;
} snapshot;

static int use_load_opts(const void *sized, size_t given)
{
	const uint64_t before = talloc.allocs;
	struct gms_state *state = NULL;
	int ret = gms_snapshot_load(snapshot.bytes, snapshot.size, sized, &state);

	if (ret) {
		assert_null(state);
		assert_int_equal(talloc.allocs, before);
		return ret;
	}
	/* flags and folio order come from the snapshot if the options lack them */
	if (!HAS(given, struct gms_state_opts, folio_order)) {
		assert_true(gms_is_private(state, 0));
		assert_int_equal(gms_folio_order(state, 0), GMS_ORDER_2M);
	} else {
		check_made(state, given, talloc.allocs - before);
	}
	check_and_destroy(state);
	return 0;
}

static void test_options_may_be_older_or_newer(void **unused)
{
	const struct gms_policy_ops all_events = {
		.struct_size = sizeof(all_events), .name = "all", .decide = decide};
	const struct gms_state_opts opts = {
		.struct_size = sizeof(opts),
		.nr_pages = NR_PAGES,
		.flags = GMS_INIT_PRIVATE,
		.folio_order = GMS_ORDER_2M,
		.policy = &all_events,
		.policy_ctx = &talloc,
		.backend = &backend,
		.backend_ctx = &talloc,
		.allocator = &talloc.ops,
		.clock_ns = read_clock,
		.clock_ctx = &talloc,
	};
	const struct kind create = {"options", &opts, sizeof(opts),
				    GMS_OPTS_END(struct gms_state_opts, nr_pages), use_opts};
	struct kind load = create;
	struct gms_state *state;

	(void)unused;
	talloc_init(&talloc);
	use_all_sizes(&create);
	assert_int_equal(gms_state_create(&opts, &state), 0);
	assert_int_equal(
		gms_snapshot_save(state, snapshot.bytes, sizeof(snapshot.bytes), &snapshot.size),
		0);
	gms_state_destroy(state);
	load.name = "options of a load";
	load.use = use_load_opts;
	use_all_sizes(&load);
	assert_int_equal(talloc.live_blocks, 0);
	assert_fine(talloc_check(&talloc));
}

/* ---- allocator, policy, listener ---- */

static void *seen_ctx;

static void *alloc_with(void *ctx, size_t size, size_t align)
{
	seen_ctx = ctx;
	return talloc.ops.alloc(&talloc, size, align);
}

static void free_with(void *ctx, void *ptr, size_t size, size_t align)
{
	seen_ctx = ctx;
	talloc.ops.free(&talloc, ptr, size, align);
}

static int use_allocator(const void *sized, size_t given)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct gms_rtree *tree = NULL;
	int ret, of_tree;

	opts.nr_pages = NR_PAGES;
	opts.allocator = sized;
	seen_ctx = &snapshot;
	ret = gms_state_create(&opts, &state);
	of_tree = gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, sized, &tree);
	assert_int_equal(of_tree, ret);
	gms_rtree_destroy(tree);
	if (ret)
		return ret;
	assert_ptr_equal(seen_ctx,
			 HAS(given, struct gms_allocator, ctx) ? (void *)&seen_ctx : NULL);
	check_and_destroy(state);
	return 0;
}

static void test_allocator_may_be_older_or_newer(void **unused)
{
	const struct gms_allocator allocator = {
		.struct_size = sizeof(allocator),
		.alloc = alloc_with,
		.free = free_with,
		.ctx = &seen_ctx,
	};
	const struct kind kind = {"allocator", &allocator, sizeof(allocator),
				  GMS_OPTS_END(struct gms_allocator, free), use_allocator};

	(void)unused;
	talloc_init(&talloc);
	use_all_sizes(&kind);
	assert_int_equal(talloc.live_blocks, 0);
	assert_fine(talloc_check(&talloc));
}

static int use_policy(const void *sized, size_t given)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int ret;

	opts.nr_pages = NR_PAGES;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = sized;
	ret = gms_state_create(&opts, &state);
	if (ret)
		return ret;
	/* without the member @events, the policy is queried about all events */
	queries = 0;
	answer_a_fault(state, 0, GMS_HOST);
	assert_int_equal(queries != 0, !HAS(given, struct gms_policy_ops, events));
	check_and_destroy(state);
	return 0;
}

static void test_policy_may_be_older_or_newer(void **unused)
{
	const struct kind kind = {"policy", &policy, sizeof(policy),
				  GMS_OPTS_END(struct gms_policy_ops, decide), use_policy};

	(void)unused;
	use_all_sizes(&kind);
}

static unsigned int notifications;

static int on_change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		     size_t *done)
{
	(void)ctx, (void)runs, (void)count, (void)to, (void)done;
	notifications++;
	return 0;
}

static int use_listener(const void *sized, size_t given)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	unsigned int id = 0x77;
	int ret;

	(void)given; /* no member may be missing */
	opts.nr_pages = NR_PAGES;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	notifications = 0;
	ret = gms_listener_register(state, sized, NULL, 0, NR_PAGES, 1, &id);
	assert_int_equal(notifications, ret ? 0 : 1);
	assert_int_equal(id == 0x77, ret != 0);
	check_and_destroy(state);
	return ret;
}

static void test_listener_may_be_older_or_newer(void **unused)
{
	const struct gms_listener_ops listener = {
		.struct_size = sizeof(listener),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = on_change,
	};
	const struct kind kind = {"listener", &listener, sizeof(listener),
				  GMS_OPTS_END(struct gms_listener_ops, change), use_listener};

	(void)unused;
	use_all_sizes(&kind);
}

/* ---- statistics, a struct that the library writes ---- */

static void test_stats_may_be_older_or_newer(void **unused)
{
	const struct gms_state_opts opts = {.struct_size = sizeof(opts), .nr_pages = NR_PAGES};
	struct gms_stats whole = {.struct_size = sizeof(whole)};
	struct gms_state *state;
	unsigned char *sized;
	size_t given, i;

	(void)unused;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	assert_int_equal(gms_convert(state, 1, 5, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_stats_read(state, &whole), 0);
	assert_int_equal(whole.pages_converted, 5);
	for (given = 0; given < sizeof(whole) + MORE; given++) {
		const size_t room = given < sizeof(given) ? sizeof(given) : given;

		sized = malloc(room);
		assert_non_null(sized);
		memset(sized, GUARD, room);
		memcpy(sized, &given, sizeof(given));
		assert_int_equal(gms_stats_read(state, (void *)sized),
				 given < sizeof(given) ? -EINVAL : 0);
		assert_memory_equal(sized, &given, sizeof(given));
		for (i = sizeof(given); i < given; i++)
			assert_int_equal(sized[i],
					 i < sizeof(whole) ? ((unsigned char *)&whole)[i] : 0);
		free(sized);
	}
	check_and_destroy(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_takes_older_and_newer_structs),
		cmocka_unit_test(test_backend_may_be_older_or_newer),
		cmocka_unit_test(test_options_may_be_older_or_newer),
		cmocka_unit_test(test_allocator_may_be_older_or_newer),
		cmocka_unit_test(test_policy_may_be_older_or_newer),
		cmocka_unit_test(test_listener_may_be_older_or_newer),
		cmocka_unit_test(test_stats_may_be_older_or_newer),
	};

	return cmocka_run_group_tests_name("opts", tests, NULL, NULL);
}
