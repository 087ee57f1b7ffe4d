// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gfn.c - proves that gms_convert_gfn() converts gfns of several bindings, all or none
 *
 * Tests rule 40. gfn_race.c tests it beside other threads.
 *
 *	gfn      FIRST                                                 FIRST + 990
 *	         |---- 600 ----|-- 50 --|--------- 300 ---------|-- 40 --|  nothing
 *	index    T_1G + 100    10       2 * T_1G - 100          60
 *
 * The second binding and the last follow each other in the object, so they are one part.
 */
#include "oracle.h"
#include "rig.h"

#define NR_PAGES (3 * T_1G + T_2M)
#define FIRST 0x1000ULL
#define BOUND 990ULL

struct place {
	uint64_t gfn;
	gms_pgoff_t start;
	uint64_t nr_pages;
};

static const struct place places[] = {
	{FIRST, T_1G + 100, 600},
	{FIRST + 600, 10, 50},
	{FIRST + 650, 2 * T_1G - 100, 300},
	{FIRST + 950, 60, 40},
};

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

static void bind_places(const struct rig *rig)
{
	unsigned int id;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		assert_int_equal(gms_bind(rig->state, places[i].gfn, places[i].start,
					  places[i].nr_pages, &id),
				 0);
}

static void init_bound(struct rig *rig, const struct rig_opts *opts)
{
	rig_init(rig, opts);
	bind_places(rig);
}

static gms_pgoff_t index_of(const struct rig *rig, uint64_t gfn)
{
	gms_pgoff_t index = 0;

	assert_int_equal(gms_gfn_to_index(rig->state, gfn, &index), 0);
	return index;
}

static void convert(struct rig *rig, uint64_t gfn, uint64_t nr_pages, enum gms_shareability to)
{
	uint64_t failed = 0x77;

	assert_int_equal(gms_convert_gfn(rig->state, gfn, nr_pages, to, 0, &failed), 0);
	assert_int_equal(failed, 0x77);
}

static void convert_fails(struct rig *rig, uint64_t gfn, uint64_t nr_pages,
			  enum gms_shareability to, int err, uint64_t where)
{
	uint64_t failed = 0x77;

	assert_int_equal(gms_convert_gfn(rig->state, gfn, nr_pages, to, 0, &failed), err);
	assert_int_equal(failed, where);
	assert_int_equal(gms_convert_gfn(rig->state, gfn, nr_pages, to, 0, NULL), err);
}

/* Checks that the pages at [begin, end), and no others, are private. */
static void private_are(const struct rig *rig, uint64_t begin, uint64_t end)
{
	for (uint64_t gfn = FIRST; gfn < FIRST + BOUND; gfn++)
		assert_int_equal(gms_is_private(rig->state, index_of(rig, gfn)),
				 gfn >= begin && gfn < end);
	assert_int_equal(gms_count(rig->state, 0, NR_PAGES, GMS_PRIVATE), end - begin);
}

/* Rule 40: a range crosses bindings; hooks are called part by part, in the order of indices. */
static void rule_40_a_range_crosses_bindings(void **unused)
{
	const unsigned int but = 1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_SPLIT;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	convert(&rig, FIRST + 550, 430, GMS_PRIVATE);
	rig_expect_calls(&rig, but, UNMAP(10, 80), UNMAP(T_1G + 650, 50),
			 UNMAP(2 * T_1G - 100, 300), PINS(10, 80), PINS(T_1G + 650, 50),
			 PINS(2 * T_1G - 100, 300), BEGIN(10, 80), BEGIN(T_1G + 650, 50),
			 BEGIN(2 * T_1G - 100, 300), ZAP(10, 80, GMS_SHARED),
			 ZAP(T_1G + 650, 50, GMS_SHARED), ZAP(2 * T_1G - 100, 300, GMS_SHARED),
			 APPLY(10, 80, GMS_PRIVATE), APPLY(T_1G + 650, 50, GMS_PRIVATE),
			 APPLY(2 * T_1G - 100, 300, GMS_PRIVATE), END(10, 80), END(T_1G + 650, 50),
			 END(2 * T_1G - 100, 300));
	private_are(&rig, FIRST + 550, FIRST + 980);
	assert_int_equal(rig_stats(&rig).conversions, 1);
	assert_int_equal(rig_stats(&rig).pages_converted, 430);
	/* what is private already does not change */
	convert(&rig, FIRST + 600, 50, GMS_PRIVATE);
	assert_int_equal(rig_stats(&rig).noops, 1);
	convert(&rig, FIRST + 500, BOUND - 500, GMS_PRIVATE);
	assert_int_equal(rig_stats(&rig).pages_converted, BOUND - 500);
	private_are(&rig, FIRST + 500, FIRST + BOUND);
	convert(&rig, FIRST, BOUND, GMS_SHARED);
	private_are(&rig, FIRST, FIRST);
	rig_fini(&rig);
}

/* Rule 40: a range in one binding is converted as by its indices. */
static void rule_40_a_range_in_one_binding(void **unused)
{
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	convert(&rig, FIRST + 650, 300, GMS_PRIVATE);
	private_are(&rig, FIRST + 650, FIRST + 950);
	convert(&rig, FIRST + 949, 1, GMS_SHARED);
	private_are(&rig, FIRST + 650, FIRST + 949);
	rig_pin(&rig, 2 * T_1G + 199, 1);
	convert_fails(&rig, FIRST + 940, 10, GMS_PRIVATE, -EAGAIN, FIRST + 949);
	gms_unpin(rig.state, 2 * T_1G + 199, 1);
	rig_fini(&rig);
}

/* Rule 40: if a gfn of the range is not bound, nothing changes, and no hook is called. */
static void rule_40_an_unbound_gfn_is_named(void **unused)
{
	struct rig_image image;
	unsigned int id;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	rig_image_take(&image, &rig);
	convert_fails(&rig, FIRST + 900, 91, GMS_PRIVATE, -ENOENT, FIRST + BOUND);
	convert_fails(&rig, FIRST - 1, 10, GMS_PRIVATE, -ENOENT, FIRST - 1);
	convert_fails(&rig, 0, 1, GMS_PRIVATE, -ENOENT, 0);
	assert_int_equal(gms_bind(rig.state, FIRST + BOUND + 1, 0, 5, &id), 0);
	convert_fails(&rig, FIRST, BOUND + 6, GMS_PRIVATE, -ENOENT, FIRST + BOUND);
	rig_expect_none(&rig);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

static void rule_40_bad_arguments_are_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	convert_fails(&rig, FIRST, 0, GMS_PRIVATE, -EINVAL, FIRST);
	convert_fails(&rig, FIRST, UINT64_MAX, GMS_PRIVATE, -EINVAL, FIRST);
	convert_fails(&rig, FIRST, 1, (enum gms_shareability)2, -EINVAL, FIRST);
	assert_int_equal(
		gms_convert_gfn(rig.state, FIRST, 1, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, NULL),
		-EINVAL);
	assert_int_equal(gms_freeze(rig.state), 0);
	convert_fails(&rig, FIRST, 1, GMS_PRIVATE, -EPERM, FIRST);
	convert_fails(&rig, FIRST, BOUND, GMS_PRIVATE, -EPERM, FIRST);
	assert_int_equal(gms_thaw(rig.state), 0);
	rig_fini(&rig);
}

/* Rule 40: the gfn of a pinned page is named, and nothing changes. */
static void rule_40_a_pinned_page_is_named_by_its_gfn(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	rig_pin(&rig, 70, 1);
	rig_pin(&rig, T_1G + 699, 1);
	rig_image_take(&image, &rig);
	convert_fails(&rig, FIRST, BOUND, GMS_PRIVATE, -EAGAIN, FIRST + 960); /* the lower index */
	gms_unpin(rig.state, 70, 1);
	convert_fails(&rig, FIRST, BOUND, GMS_PRIVATE, -EAGAIN, FIRST + 599);
	rig_pin(&rig, 70, 1);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	gms_unpin(rig.state, 70, 1);
	gms_unpin(rig.state, T_1G + 699, 1);
	convert(&rig, FIRST, BOUND, GMS_PRIVATE);
	rig_fini(&rig);
}

/* Makes each call of a hook fail in turn, until the conversion succeeds. */
static void fail_each_hook(const struct gms_policy_ops *policy, enum gms_shareability to)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES,
				      .folio_order = GMS_ORDER_2M,
				      .init_private = to == GMS_SHARED,
				      .policy = policy};
	struct rig_image image;
	uint64_t failed;
	struct rig rig;
	int err = -EFAULT;

	init_bound(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	rig_convert(&rig, T_1G + 300, 5, to);
	rig_image_take(&image, &rig);
	for (unsigned int skip = 0; err; skip++) {
		sim_refuse(rig.sim, RIG_FALLIBLE, skip, 1, -EFAULT);
		failed = 0x77;
		err = gms_convert_gfn(rig.state, FIRST, BOUND, to, 0, &failed);
		assert_true(!err || (err == -EFAULT && failed == FIRST));
		if (err)
			rig_image_same(&image, &rig);
		sim_refuse(rig.sim, 0, 0, 0, 0);
		rig_check(&rig);
	}
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, to), BOUND);
	rig_image_free(&image);
	rig_fini(&rig);
}

static void rule_40_any_failed_hook_changes_nothing(void **unused)
{
	/* where tests are slow, with the first and the last policy only */
	const unsigned int step = test_slowdown() > 1 ? RIG_NR_POLICIES - 1 : 1;

	(void)unused;
	for (unsigned int i = 0; i < RIG_NR_POLICIES; i += step) {
		fail_each_hook(rig_policy(i), GMS_PRIVATE);
		fail_each_hook(rig_policy(i), GMS_SHARED);
	}
}

/* Rule 40: if an allocation fails, nothing changes; more bindings than fit on the stack. */
static void rule_40_a_failed_allocation_changes_nothing(void **unused)
{
	struct rig_image image;
	unsigned int id;
	struct rig rig;
	int err = -ENOMEM;

	(void)unused;
	rig_init(&rig, &all_shared);
	for (uint64_t i = 0; i < 40; i++) /* the gfns ascend, the indices descend */
		assert_int_equal(gms_bind(rig.state, FIRST + 8 * i, T_1G + 900 - 20 * i, 8, &id),
				 0);
	rig_image_take(&image, &rig);
	for (unsigned int skip = 0; err; skip++) {
		talloc_fail(&rig.talloc, skip, 1);
		err = gms_convert_gfn(rig.state, FIRST + 3, 311, GMS_PRIVATE, 0, NULL);
		talloc_fail_never(&rig.talloc);
		assert_true(!err || err == -ENOMEM);
		if (err)
			rig_image_same(&image, &rig);
	}
	for (uint64_t gfn = FIRST; gfn < FIRST + 320; gfn++)
		assert_int_equal(gms_is_private(rig.state, index_of(&rig, gfn)),
				 gfn >= FIRST + 3 && gfn < FIRST + 314);
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), 311);
	rig_image_free(&image);
	rig_fini(&rig);
}

/* ---- listeners ---- */

/* A device that keeps account of its pages, and may refuse to map those from an index on. */
struct device {
	unsigned char has[NR_PAGES];
	gms_pgoff_t refuse_from;
	bool keeps; /* it refuses to give pages back */
	bool wrong;
};

static int device_change(void *ctx, const struct gms_run *runs, size_t count,
			 enum gms_shareability to, size_t *done)
{
	struct device *device = ctx;

	if (device->keeps && to == GMS_PRIVATE)
		return -EAGAIN;
	for (size_t i = 0; i < count; i++, *done = i) {
		const gms_pgoff_t end = runs[i].start + runs[i].nr_pages;

		if (to == GMS_SHARED && end > device->refuse_from)
			return -ENODEV;
		for (gms_pgoff_t at = runs[i].start; at < end; at++) {
			device->wrong |= device->has[at] == (to == GMS_SHARED);
			device->has[at] = to == GMS_SHARED;
		}
	}
	return 0;
}

/* Registers a device for all pages, one by one. Returns the number of the listener. */
static unsigned int attach(const struct rig *rig, struct device *device)
{
	struct gms_listener_ops ops = GMS_LISTENER_OPS_INIT;
	unsigned int id;

	*device = (struct device) {.refuse_from = UINT64_MAX};
	ops.change = device_change;
	assert_int_equal(gms_listener_register(rig->state, &ops, device, 0, NR_PAGES, 1, &id), 0);
	return id;
}

static void device_agrees(const struct device *device, const struct rig *rig)
{
	assert_false(device->wrong);
	for (gms_pgoff_t i = 0; i < NR_PAGES; i++)
		assert_int_equal(device->has[i], !gms_is_private(rig->state, i));
}

/* Rules 39 and 40: after a failed undo, all from the first page to the last is quarantined. */
static void rule_40_a_failed_undo_quarantines(void **unused)
{
	uint64_t count, failed = 0;
	gms_pgoff_t first;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -ENXIO);
	assert_int_equal(gms_convert_gfn(rig.state, FIRST + 600, 350, GMS_PRIVATE, 0, &failed),
			 -ENXIO);
	assert_int_equal(failed, FIRST + 600);
	assert_true(gms_quarantine_next(rig.state, 0, NR_PAGES, &first, &count));
	assert_int_equal(first, 10);
	assert_int_equal(first + count, 2 * T_1G + 200);
	convert_fails(&rig, FIRST, 10, GMS_SHARED, -ENOTRECOVERABLE, FIRST);
	/* a quarantined page between the parts refuses, too, but has no gfn of the range */
	rig_repair(&rig, first, 70 - first, GMS_SHARED);
	rig_repair(&rig, 71, T_1G - 72, GMS_SHARED);
	rig_repair(&rig, T_1G, T_1G, GMS_SHARED);
	rig_repair(&rig, 2 * T_1G + 1, 199, GMS_SHARED);
	convert_fails(&rig, FIRST + 590, 20, GMS_PRIVATE, -ENOTRECOVERABLE, FIRST + 590);
	rig_repair(&rig, 70, 1, GMS_SHARED); /* it is at another gfn, and T_1G - 1 is at none */
	convert_fails(&rig, FIRST + 590, 20, GMS_PRIVATE, -ENOTRECOVERABLE, FIRST + 590);
	rig_repair(&rig, T_1G - 1, 1, GMS_SHARED);
	convert_fails(&rig, FIRST + 600, 350, GMS_PRIVATE, -ENOTRECOVERABLE, FIRST + 750);
	rig_repair(&rig, 2 * T_1G, 1, GMS_SHARED);
	rig_check(&rig);
	rig_fini(&rig);
}

/* Rules 34, 39 and 40: what lies between the parts is withdrawn, if it is quarantined. */
static void rule_40_a_failed_undo_withdraws_the_gaps(void **unused)
{
	static struct device device;
	gms_pgoff_t first;
	unsigned int id;
	uint64_t count;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	id = attach(&rig, &device);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -ENXIO);
	assert_int_equal(gms_convert_gfn(rig.state, FIRST + 600, 350, GMS_PRIVATE, 0, NULL),
			 -ENXIO);
	assert_true(gms_quarantine_next(rig.state, 0, NR_PAGES, &first, &count));
	for (gms_pgoff_t i = 0; i < NR_PAGES; i++)
		assert_int_equal(device.has[i], i < first || i >= first + count);
	assert_false(device.wrong);
	rig_repair(&rig, first, count, GMS_PRIVATE);
	device_agrees(&device, &rig);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	rig_fini(&rig);
}

/* Rule 40: the error of a listener names no page. */
static void rule_40_a_listener_names_no_page(void **unused)
{
	static struct device device;
	unsigned int id;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_shared);
	id = attach(&rig, &device);
	device.keeps = true;
	convert_fails(&rig, FIRST, BOUND, GMS_PRIVATE, -EAGAIN, FIRST);
	device.keeps = false;
	device_agrees(&device, &rig);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	rig_fini(&rig);
}

/* Rules 26, 30 and 40: a block that two parts complete is merged. */
static void rule_40_parts_complete_a_block(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES,
				      .folio_order = GMS_ORDER_2M,
				      .policy = gms_policy_eager_nonuniform(),
				      .init_private = true};
	struct rig rig;
	unsigned int id;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(gms_bind(rig.state, FIRST, 0, 100, &id), 0);
	assert_int_equal(gms_bind(rig.state, FIRST + 100, 200, T_2M - 200, &id), 0);
	assert_int_equal(gms_allocate(rig.state, 0, T_2M, NULL), 0);
	rig_convert(&rig, 0, 100, GMS_SHARED);
	rig_convert(&rig, 200, T_2M - 200, GMS_SHARED);
	assert_int_equal(gms_folio_order(rig.state, 0), GMS_ORDER_4K);
	convert(&rig, FIRST, T_2M - 100, GMS_PRIVATE);
	assert_int_equal(gms_folio_order(rig.state, 0), GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rules 18 and 40: a call that would wait for its own thread is refused, on both ways. */
static void rule_40_its_own_thread_is_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	init_bound(&rig, &all_shared);
	assert_int_equal(gms_lock_shared(rig.state, 0, 1), 0);
	convert_fails(&rig, FIRST, 1, GMS_PRIVATE, -EDEADLK, FIRST);
	convert_fails(&rig, FIRST, BOUND, GMS_PRIVATE, -EDEADLK, FIRST);
	gms_unlock_shared(rig.state, 0, 1);
	convert(&rig, FIRST, BOUND, GMS_PRIVATE);
	rig_fini(&rig);
}

/* Rule 40: if a listener refuses what became shared, all of it is private again. */
static void rule_40_a_listener_that_refuses_changes_nothing(void **unused)
{
	static const struct rig_opts all_private = {
		.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M, .init_private = true};
	static struct device device;
	struct rig_image image;
	unsigned int id;
	struct rig rig;

	(void)unused;
	init_bound(&rig, &all_private);
	id = attach(&rig, &device);
	convert(&rig, FIRST + 300, 400, GMS_SHARED);
	device_agrees(&device, &rig);
	convert(&rig, FIRST + 620, 10, GMS_PRIVATE);
	device_agrees(&device, &rig);
	rig_image_take(&image, &rig);
	device.refuse_from = 2 * T_1G;
	convert_fails(&rig, FIRST, BOUND, GMS_SHARED, -ENODEV, FIRST);
	rig_image_same(&image, &rig);
	device_agrees(&device, &rig);
	rig_check(&rig);
	device.refuse_from = UINT64_MAX;
	convert(&rig, FIRST, BOUND, GMS_SHARED);
	device_agrees(&device, &rig);
	rig_image_free(&image);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	rig_fini(&rig);
}

/* ---- by chance ---- */

#define CHANCE_PIECES 24
#define CHANCE_GFNS (CHANCE_PIECES * 64ULL)

/* Binds pieces of 64 pages, whose order in the object is by chance, at gfns that follow. */
static void bind_by_chance(const struct rig *rig, struct prng *prng, gms_pgoff_t *index)
{
	uint64_t order[2 * CHANCE_PIECES];
	unsigned int id;

	for (uint64_t i = 0; i < ARRAY_SIZE(order); i++) {
		const uint64_t j = prng_below(prng, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (uint64_t i = 0; i < CHANCE_PIECES; i++) {
		const gms_pgoff_t start = T_1G - CHANCE_PIECES * 64 + order[i] * 64;

		assert_int_equal(gms_bind(rig->state, FIRST + 64 * i, start, 64, &id), 0);
		for (uint64_t k = 0; k < 64; k++)
			index[64 * i + k] = start + k;
	}
}

static void random_ranges(unsigned int policy, unsigned int folio_order, uint64_t seed)
{
	const struct rig_opts opts = {
		.nr_pages = 2 * T_1G, .folio_order = folio_order, .policy = rig_policy(policy)};
	static gms_pgoff_t index[CHANCE_GFNS];
	static bool private[CHANCE_GFNS];
	struct gms_fault fault;
	struct prng prng;
	struct rig rig;

	prng_init(&prng, seed);
	memset(private, 0, sizeof(private));
	rig_init(&rig, &opts);
	bind_by_chance(&rig, &prng, index);
	for (uint64_t i = test_iters(60); i; i--) {
		const uint64_t at = prng_below(&prng, CHANCE_GFNS);
		const uint64_t nr = 1 + prng_below(&prng, CHANCE_GFNS - at);
		const enum gms_shareability to = prng_chance(&prng, 50) ? GMS_PRIVATE : GMS_SHARED;
		const uint64_t touched = prng_below(&prng, CHANCE_GFNS);
		uint64_t sum = 0;

		(void)rig_fault(&rig, index[touched], private[touched] ? GMS_GUEST : GMS_HOST,
				&fault);
		convert(&rig, FIRST + at, nr, to);
		for (uint64_t k = at; k < at + nr; k++)
		private[k] = to == GMS_PRIVATE;
		for (uint64_t k = 0; k < CHANCE_GFNS; k++) {
			assert_int_equal(gms_is_private(rig.state, index[k]), private[k]);
			sum += private[k];
		}
		assert_int_equal(gms_count(rig.state, 0, opts.nr_pages, GMS_PRIVATE), sum);
	}
	rig_check(&rig);
	rig_fini(&rig);
}

static void rule_40_random_ranges(void **unused)
{
	(void)unused;
	for (unsigned int policy = 0; policy < RIG_NR_POLICIES; policy++) {
		random_ranges(policy, GMS_ORDER_4K, test_seed() + policy);
		random_ranges(policy, GMS_ORDER_2M, test_seed() + 10 + policy);
		random_ranges(policy, GMS_ORDER_1G, test_seed() + 20 + policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_40_a_range_crosses_bindings),
		cmocka_unit_test(rule_40_a_range_in_one_binding),
		cmocka_unit_test(rule_40_an_unbound_gfn_is_named),
		cmocka_unit_test(rule_40_bad_arguments_are_refused),
		cmocka_unit_test(rule_40_a_pinned_page_is_named_by_its_gfn),
		cmocka_unit_test(rule_40_any_failed_hook_changes_nothing),
		cmocka_unit_test(rule_40_a_failed_allocation_changes_nothing),
		cmocka_unit_test(rule_40_a_failed_undo_quarantines),
		cmocka_unit_test(rule_40_a_failed_undo_withdraws_the_gaps),
		cmocka_unit_test(rule_40_a_listener_names_no_page),
		cmocka_unit_test(rule_40_parts_complete_a_block),
		cmocka_unit_test(rule_40_its_own_thread_is_refused),
		cmocka_unit_test(rule_40_a_listener_that_refuses_changes_nothing),
		cmocka_unit_test(rule_40_random_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
