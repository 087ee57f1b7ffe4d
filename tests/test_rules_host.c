// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test_rules_host.c - proves what a backend that keeps the host's view itself can rely on
 *
 * The backend is a VMM in two arrays: what the host can touch, and what the guest takes each page
 * for. Rules 12, 14 to 16, 28, 32 and 39, and the contract of unmap_host and map_host in backend.h.
 *
 * At every step, in each hook and after each call: no page that is private and not quarantined
 * can be touched by the host. (On the way to shared a page is shown when the guest has it as
 * shared, just before the state says so: to show it may fail.) After each call, for each page that
 * is not quarantined: the host can touch what is shared, and nothing else, and the guest is of the
 * state's opinion.
 */
#include <gmemstate/state.h>

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#define NR_PAGES (3 * T_2M + 200)
#define NR_PINS 4
#define NR_CALLS 64

enum hook { UNMAP, MAP, PINS, SPLIT, APPLY, UNDO, NR_FALLIBLE, BEGIN, END };

struct call {
	enum hook hook;
	uint64_t start, nr_pages;
};

struct vmm {
	struct gms_state *state;
	struct talloc talloc;
	bool visible[NR_PAGES], private[NR_PAGES];
	struct call calls[NR_CALLS]; /* the first ones */
	size_t nr_calls;
	const char *broken;
	/* of the fallible calls to come: each fails by this chance, or the one of this number */
	struct prng prng;
	unsigned int percent;
	unsigned int fail[NR_FALLIBLE]; /* counted from 1; 0: none */
	bool refuse; /* the listener does, at times */
	struct {
		uint64_t start, nr_pages;
	} pins[NR_PINS];
};

/* ---- the backend ---- */

static const char *safe(const struct vmm *v)
{
	for (uint64_t i = 0; v->state && i < NR_PAGES; i++)
		if (v->visible[i] && v->private[i] && gms_is_private(v->state, i) &&
		    !gms_is_quarantined(v->state, i))
			return "the host can touch a page that is private";
	return NULL;
}

/* Notes a call. Returns true if it is to fail. */
static bool enter(struct vmm *v, enum hook hook, uint64_t start, uint64_t nr_pages)
{
	if (!v->broken)
		v->broken = safe(v);
	if (v->nr_calls < NR_CALLS)
		v->calls[v->nr_calls] = (struct call) {hook, start, nr_pages};
	v->nr_calls++;
	if (hook >= NR_FALLIBLE)
		return false;
	if (v->fail[hook] && !--v->fail[hook])
		return true;
	return prng_chance(&v->prng, v->percent);
}

/* A call that fails has done a part. */
static uint64_t part(struct vmm *v, uint64_t nr_pages)
{
	return prng_below(&v->prng, nr_pages);
}

static int unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, UNMAP, start, nr_pages);

	memset(&v->visible[start], false, fails ? part(v, nr_pages) : nr_pages);
	return fails ? -EIO : 0;
}

static int map_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, MAP, start, nr_pages);

	if (fails)
		nr_pages = part(v, nr_pages);
	for (uint64_t i = start; i < start + nr_pages; i++)
		v->visible[i] = !v->private[i];
	return fails ? -ENOMEM : 0;
}

static int check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	struct vmm *v = ctx;

	if (!enter(v, PINS, start, nr_pages))
		return 0;
	*pinned = start + part(v, nr_pages);
	return -EAGAIN;
}

static int folio_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)to;
	return enter(ctx, SPLIT, index, 1ULL << from) ? -ENOSPC : 0;
}

static void set(struct vmm *v, uint64_t start, uint64_t nr_pages, bool private)
{
	for (uint64_t i = start; i < start + nr_pages; i++) {
		if (private && v->visible[i] && !v->broken)
			v->broken = "a page goes private that the host can touch";
		v->private[i] = private;
		v->visible[i] = !private;
	}
}

static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	struct vmm *v = ctx;

	if (!enter(v, APPLY, start, nr_pages)) {
		set(v, start, nr_pages, to == GMS_PRIVATE);
		return 0;
	}
	*failed = start + part(v, nr_pages);
	set(v, start, *failed - start, to == GMS_PRIVATE);
	return -EBUSY;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	struct vmm *v = ctx;
	const bool fails = enter(v, UNDO, start, nr_pages);

	if (back_to == GMS_PRIVATE)
		memset(&v->visible[start], false, nr_pages);
	set(v, start, fails ? part(v, nr_pages) : nr_pages, back_to == GMS_PRIVATE);
	return fails ? -EIO : 0;
}

static void begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	enter(ctx, BEGIN, start, nr_pages);
}

static void end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	enter(ctx, END, start, nr_pages);
}

static const struct gms_backend_ops by_page = {
	.struct_size = sizeof(by_page),
	.unmap_host = unmap_host,
	.map_host = map_host,
	.check_pins = check_pins,
	.folio_split = folio_split,
	.invalidate_begin = begin,
	.apply = apply,
	.undo = undo,
	.invalidate_end = end,
};

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct vmm *v = ctx;

	(void)runs;
	(void)to;
	if (!v->broken)
		v->broken = safe(v);
	if (!v->refuse || !prng_chance(&v->prng, 25))
		return 0;
	*done = prng_below(&v->prng, count + 1);
	return -EXDEV;
}

static void init(struct vmm *v, const struct gms_policy_ops *policy, uint64_t flags,
		 const struct gms_backend_ops *ops)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	memset(v, 0, sizeof(*v));
	talloc_init(&v->talloc);
	prng_init(&v->prng, test_seed());
	set(v, 0, NR_PAGES, flags & GMS_INIT_PRIVATE);
	opts.nr_pages = NR_PAGES;
	opts.flags = flags;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = policy;
	opts.allocator = &v->talloc.ops;
	opts.backend = ops;
	opts.backend_ctx = v;
	assert_int_equal(gms_state_create(&opts, &v->state), 0);
}

/* What must hold after each call. */
static const char *agree(const struct vmm *v)
{
	const char *why = v->broken ? v->broken : safe(v);

	for (uint64_t i = 0; !why && i < NR_PAGES; i++) {
		if (gms_is_quarantined(v->state, i))
			continue;
		if (v->private[i] != gms_is_private(v->state, i))
			why = "the guest takes a page for something else than the state";
		else if (v->visible[i] == v->private[i])
			why = "the host cannot touch a page that is shared";
	}
	if (!why)
		gms_state_verify(v->state, &why);
	return why;
}

static void fini(struct vmm *v)
{
	assert_fine(agree(v));
	gms_state_destroy(v->state);
	assert_fine(talloc_check(&v->talloc));
	assert_int_equal(v->talloc.live_blocks, 0);
}

/* The next calls of these hooks were made for these ranges, and no other ones of them. */
static void expect(struct vmm *v, unsigned int hooks, const struct call *want, size_t count)
{
	size_t n = 0;

	assert_true(v->nr_calls <= NR_CALLS);
	for (size_t i = 0; i < v->nr_calls; i++) {
		const struct call *c = &v->calls[i];

		if (!(hooks & 1U << c->hook))
			continue;
		assert_true(n < count);
		assert_int_equal(c->hook, want[n].hook);
		assert_int_equal(c->start, want[n].start);
		assert_int_equal(c->nr_pages, want[n].nr_pages);
		n++;
	}
	assert_int_equal(n, count);
	v->nr_calls = 0;
}

#define VIEW (1U << UNMAP | 1U << MAP)
#define EXPECT(v, hooks, ...)                               \
	do {                                                \
		const struct call want_[] = {__VA_ARGS__};  \
                                                            \
		expect(v, hooks, want_, ARRAY_SIZE(want_)); \
	} while (0)
#define EXPECT_NONE(v, hooks) expect(v, hooks, NULL, 0)

/* ---- what is unmapped ---- */

/* Rule 28 is for hosts that fault: who keeps the view is called for what changes, no more. */
static void rule_28_exactly_what_changes(void **unused)
{
	struct gms_backend_ops faulting = by_page;
	struct gms_fault fault;
	struct vmm v;

	(void)unused;
	for (int own = 0; own < 2; own++) {
		if (!own)
			faulting.map_host = NULL;
		init(&v, gms_policy_lazy(), 0, own ? &by_page : &faulting);
		assert_int_equal(gms_fault_begin(v.state, 5, GMS_HOST, &fault), 0);
		gms_fault_end(v.state, &fault);
		v.nr_calls = 0;
		assert_int_equal(gms_convert(v.state, 7, 2, GMS_PRIVATE, 0, NULL), 0);
		if (own) {
			EXPECT(&v, VIEW, {UNMAP, 7, 2});
			fini(&v);
			continue;
		}
		EXPECT(&v, VIEW, {UNMAP, 0, T_2M});
		gms_state_destroy(v.state);
	}
}

/* Rule 12: from the first pinned page on nothing is called; what comes before is mapped again. */
static void rule_12_nothing_behind_a_pin_is_touched(void **unused)
{
	gms_pgoff_t at;
	struct vmm v;

	(void)unused;
	init(&v, gms_policy_lazy(), 0, &by_page);
	assert_int_equal(gms_convert(v.state, 12, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_pin(v.state, 15, 1, NULL), 0);
	v.nr_calls = 0;
	assert_int_equal(gms_convert(v.state, 10, 20, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 15);
	EXPECT(&v, VIEW | 1U << PINS, {UNMAP, 10, 2}, {UNMAP, 13, 2}, {PINS, 10, 2}, {PINS, 13, 2},
	       {MAP, 10, 2}, {MAP, 13, 2});
	assert_int_equal(gms_convert(v.state, 15, 20, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 15);
	EXPECT_NONE(&v, VIEW | 1U << PINS | 1U << BEGIN);
	assert_int_equal(gms_punch_hole(v.state, 10, 20, &at), -EAGAIN);
	assert_int_equal(at, 15);
	assert_int_equal(gms_convert(v.state, 10, 20, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, &at),
			 -EAGAIN);
	assert_int_equal(at, 15);
	assert_true(gms_range_is(v.state, 10, 5, GMS_PRIVATE));
	assert_true(v.visible[15]);
	gms_unpin(v.state, 15, 1);
	fini(&v);
}

/* A pin of the backend's before one of the library's is named, and the other way round. */
static void rule_12_the_first_of_both_kinds_of_pins(void **unused)
{
	gms_pgoff_t at;
	struct vmm v;

	(void)unused;
	init(&v, gms_policy_lazy(), 0, &by_page);
	assert_int_equal(gms_pin(v.state, 11, 1, NULL), 0);
	v.fail[PINS] = 1; /* says page 10: the only one that it is asked about */
	assert_int_equal(gms_convert(v.state, 10, 9, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 10);
	assert_int_equal(gms_convert(v.state, 10, 9, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 11);
	gms_unpin(v.state, 11, 1);
	fini(&v);
}

/* ---- what is mapped again, and what is lost ---- */

/* Rule 16: whichever step fails, the host has what is shared again; undo goes before map_host. */
static void rule_16_a_failure_maps_again(void **unused)
{
	static const enum hook steps[] = {UNMAP, PINS, SPLIT, APPLY};
	static const int errs[] = {-EIO, -EAGAIN, -ENOSPC, -EBUSY};
	struct vmm v;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		init(&v, gms_policy_eager_nonuniform(), 0, &by_page);
		assert_int_equal(gms_allocate(v.state, 0, NR_PAGES, NULL), 0);
		assert_int_equal(gms_convert(v.state, 5, 1, GMS_PRIVATE, 0, NULL), 0);
		v.nr_calls = 0;
		v.fail[steps[i]] = steps[i] == SPLIT ? 1 : 2; /* the second run, or the split */
		assert_int_equal(gms_convert(v.state, 3, T_2M, GMS_PRIVATE, 0, NULL), errs[i]);
		assert_fine(agree(&v));
		if (steps[i] == APPLY)
			EXPECT(&v, 1U << MAP, {MAP, 3, 2}, {MAP, 6, T_2M - 3});
		fini(&v);
	}
}

/* What cannot be mapped again is quarantined, all of it, and has no mapping of any kind. */
static void rule_39_map_host_fails(void **unused)
{
	struct vmm v;

	(void)unused;
	init(&v, gms_policy_lazy(), 0, &by_page);
	v.fail[APPLY] = v.fail[MAP] = 1;
	assert_int_equal(gms_convert(v.state, 20, 30, GMS_PRIVATE, 0, NULL), -EBUSY);
	for (uint64_t i = 20; i < 50; i++) {
		assert_true(gms_is_quarantined(v.state, i));
		assert_false(v.visible[i]);
	}
	assert_false(gms_is_quarantined(v.state, 19) || gms_is_quarantined(v.state, 50));
	fini(&v);
}

/* Rule 32: a hole takes its pages from the host, and gives back what is shared. */
static void rule_32_a_hole_maps_again(void **unused)
{
	struct vmm v;

	(void)unused;
	init(&v, gms_policy_lazy(), 0, &by_page);
	assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
	assert_int_equal(gms_convert(v.state, 9, 9, GMS_PRIVATE, 0, NULL), 0);
	v.nr_calls = 0;
	assert_int_equal(gms_punch_hole(v.state, 0, T_2M, NULL), 0);
	EXPECT(&v, VIEW, {UNMAP, 0, T_2M}, {MAP, 0, T_2M});
	assert_fine(agree(&v));
	/* where that fails the hole is made all the same, and quarantined */
	assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
	v.fail[MAP] = 1;
	assert_int_equal(gms_punch_hole(v.state, 0, T_2M, NULL), 0);
	assert_false(gms_is_allocated(v.state, 0));
	assert_true(gms_is_quarantined(v.state, 0) && gms_is_quarantined(v.state, T_2M - 1));
	fini(&v);
}

/* Rule 39: the tree may call them private, and the host see them all the same. */
static void rule_39_repair_to_private_unmaps_all(void **unused)
{
	struct vmm v;

	(void)unused;
	init(&v, gms_policy_lazy(), GMS_INIT_PRIVATE, &by_page);
	assert_int_equal(gms_convert(v.state, 33, 2, GMS_SHARED, 0, NULL), 0);
	v.fail[APPLY] = 2; /* to shared: two runs around what is shared; undo fails */
	v.fail[UNDO] = 1;
	assert_int_equal(gms_convert(v.state, 30, 10, GMS_SHARED, 0, NULL), -EBUSY);
	assert_true(gms_is_quarantined(v.state, 30) && gms_is_quarantined(v.state, 39));
	for (uint64_t i = 30; i < 40; i++) {
		v.private[i] = true; /* by the caller's own means; the host's view is forgotten */
		v.visible[i] = true;
	}
	v.fail[UNMAP] = 1;
	assert_int_equal(gms_repair(v.state, 30, 10, GMS_PRIVATE), -EIO);
	assert_true(gms_is_quarantined(v.state, 30) && gms_is_quarantined(v.state, 39));
	assert_int_equal(gms_repair(v.state, 30, 10, GMS_PRIVATE), 0);
	fini(&v);
}

/* ---- at random ---- */

static void repair(struct vmm *v, uint64_t page)
{
	const bool private = prng_chance(&v->prng, 50);
	uint64_t first = page, last = page;

	while (first && gms_is_quarantined(v->state, first - 1))
		first--;
	while (last + 1 < NR_PAGES && gms_is_quarantined(v->state, last + 1))
		last++;
	for (uint64_t i = first; i <= last; i++)
		v->private[i] = private; /* by the caller's own means */
	if (gms_repair(v->state, first, last + 1 - first, private ? GMS_PRIVATE : GMS_SHARED))
		return;
	for (uint64_t i = first; i <= last; i++)
		v->visible[i] = !private; /* as gms_kvm_sync() does */
}

static void pin_or_unpin(struct vmm *v, uint64_t start, uint64_t nr_pages)
{
	const uint64_t i = prng_below(&v->prng, NR_PINS);

	if (v->pins[i].nr_pages)
		gms_unpin(v->state, v->pins[i].start, v->pins[i].nr_pages);
	v->pins[i].nr_pages = 0;
	if (prng_chance(&v->prng, 60) || gms_pin(v->state, start, nr_pages, NULL))
		return;
	v->pins[i].start = start;
	v->pins[i].nr_pages = nr_pages;
}

static void do_something(struct vmm *v)
{
	const uint64_t start = prng_below(&v->prng, NR_PAGES);
	uint64_t nr_pages = 1 + prng_below(&v->prng, prng_chance(&v->prng, 70) ? 8 : NR_PAGES);
	const enum gms_shareability to = prng_chance(&v->prng, 50) ? GMS_PRIVATE : GMS_SHARED;
	struct gms_fault fault;

	if (nr_pages > NR_PAGES - start)
		nr_pages = NR_PAGES - start;
	if (prng_chance(&v->prng, 10))
		talloc_fail(&v->talloc, prng_below(&v->prng, 4), 1 + prng_below(&v->prng, 3));
	switch (prng_below(&v->prng, 10)) {
	case 0:
		pin_or_unpin(v, start, nr_pages < 16 ? nr_pages : 16);
		break;
	case 1:
		gms_punch_hole(v->state, start, nr_pages, NULL);
		break;
	case 2:
		if (!gms_fault_begin(v->state, start, (enum gms_accessor)to, &fault))
			gms_fault_end(v->state, &fault);
		break;
	case 3:
		if (gms_is_quarantined(v->state, start))
			repair(v, start);
		break;
	default:
		gms_convert(v->state, start, nr_pages, to,
			    prng_chance(&v->prng, 30) ? GMS_CONVERT_RESUMABLE : 0, NULL);
	}
	talloc_fail_never(&v->talloc);
}

static void recover(struct vmm *v)
{
	v->percent = 0;
	v->refuse = false;
	for (int i = 0; i < NR_PINS; i++)
		gms_unpin(v->state, v->pins[i].start, v->pins[i].nr_pages);
	for (uint64_t i = 0; i < NR_PAGES; i++)
		if (gms_is_quarantined(v->state, i))
			repair(v, i);
	assert_fine(agree(v));
	assert_int_equal(gms_convert(v->state, 0, NR_PAGES, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_convert(v->state, 0, NR_PAGES, GMS_SHARED, 0, NULL), 0);
}

static void random_failures(void **unused)
{
	static const struct gms_listener_ops listener = {
		.struct_size = sizeof(listener),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = change,
	};
	const struct gms_policy_ops *const policies[] = {gms_policy_lazy(), gms_policy_eager(),
							 gms_policy_eager_nonuniform()};
	const uint64_t rounds = test_iters(300);
	uint64_t quarantined = 0, undone = 0;
	struct vmm v;

	(void)unused;
	for (uint64_t round = 0; round < rounds; round++) {
		struct gms_stats stats = {.struct_size = sizeof(stats)};
		unsigned int id;

		init(&v, policies[round % ARRAY_SIZE(policies)], round % 2 ? GMS_INIT_PRIVATE : 0,
		     &by_page);
		prng_init(&v.prng, test_seed() + round);
		if (round % 4 < 2)
			assert_int_equal(
				gms_listener_register(v.state, &listener, &v, 0, NR_PAGES, 1, &id),
				0);
		v.percent = (unsigned int)(round % 5) * 3;
		v.refuse = true;
		for (int i = 0; i < 150; i++) {
			do_something(&v);
			if (agree(&v))
				printf("GMS_TEST_SEED=%llu: round %llu, operation %d\n",
				       (unsigned long long)test_seed(), (unsigned long long)round,
				       i);
			assert_fine(agree(&v));
		}
		gms_stats_read(v.state, &stats);
		quarantined += stats.quarantined_pages;
		undone += stats.undone;
		recover(&v);
		fini(&v);
	}
	assert_true(rounds < 20 || (quarantined && undone)); /* it was not all too easy */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_28_exactly_what_changes),
		cmocka_unit_test(rule_12_nothing_behind_a_pin_is_touched),
		cmocka_unit_test(rule_12_the_first_of_both_kinds_of_pins),
		cmocka_unit_test(rule_16_a_failure_maps_again),
		cmocka_unit_test(rule_39_map_host_fails),
		cmocka_unit_test(rule_32_a_hole_maps_again),
		cmocka_unit_test(rule_39_repair_to_private_unmaps_all),
		cmocka_unit_test(random_failures),
	};

	return cmocka_run_group_tests_name("rules-host", tests, NULL, NULL);
}
