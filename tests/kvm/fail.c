// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fail.c - proves that the backend for KVM survives each of its calls failing
 *
 * Tests rules 14, 16 and 39.
 *
 * System calls and allocations fail: one, several, or all from one on. A call fails before or
 * after a part of its work. In given conversions, maps and syncs each call fails in turn; in
 * random histories random calls fail. Afterwards one of two things holds:
 *
 *  - State, records and kernel agree, and no content is lost.
 *  - The range is quarantined, and other pages can be converted. After a repair and a sync, state,
 *    records and kernel agree again.
 */
#include "kvm_rig.h"
#include "oracle.h"

#include "guest.h"

/* How calls fail. */
struct failure {
	uint64_t skip, count;
	uint64_t skip_allocs, nr_allocs;
	uint64_t part; /* pages that an ioctl converts before it fails */
	bool part_once;
	bool tear;
};

static void fail_calls(struct krig *rig, const struct failure *failure)
{
	fake_fail(&rig->fake, failure->skip, failure->count, -ENOMEM);
	rig->fake.tear = failure->tear;
	rig->fake.part = failure->part;
	rig->fake.part_once = failure->part_once;
	talloc_fail(&rig->talloc, failure->skip_allocs, failure->nr_allocs);
}

static void fail_no_more(struct krig *rig)
{
	fake_fail_never(&rig->fake);
	talloc_fail_never(&rig->talloc);
}

/* Punches out what could not be punched before, and checks that all agree. */
static const char *agrees(struct krig *rig)
{
	gms_kvm_guest_punch_stale(rig->kvm, 0, KRIG_PAGES);
	return krig_agrees(rig);
}

/* ---- after a failure that could not be undone ---- */

static void check_others(struct krig *rig)
{
	const char *why;

	assert_fine(fake_check(&rig->fake));
	for (uint64_t page = 0; page < KRIG_PAGES; page++)
		if (!gms_is_quarantined(rig->state, page) &&
		    !(krig_page_agrees(rig, page, true, &why) && krig_page_holds(rig, page, &why)))
			assert_fine(why);
}

/*
 * Converts a page to the other state and back, if it is not quarantined. Slots or mappings may run
 * out.
 */
static void check_that_others_work(struct krig *rig)
{
	const bool room = rig->nr_slots > KRIG_PAGES;
	uint64_t page = 0;

	while (page < KRIG_PAGES && gms_is_quarantined(rig->state, page))
		page++;
	for (unsigned int i = 0; page < KRIG_PAGES && i < 2; i++) {
		const bool private = gms_is_private(rig->state, page);
		const unsigned int content = rig->content[page];
		int err;

		krig_expect(rig, page, 1, private ? GMS_SHARED : GMS_PRIVATE);
		err = gms_convert(rig->state, page, 1, private ? GMS_SHARED : GMS_PRIVATE, 0, NULL);
		if (err && !room) {
			assert_true(err == -ENOSPC || err == -ENOMEM);
			rig->content[page] = content;
			break;
		}
		assert_int_equal(err, 0);
		check_others(rig);
	}
}

/*
 * Syncs after a repair. If slots are missing, other ranges took them during the quarantine. Then
 * those ranges are converted, so that they need fewer slots.
 */
static void sync_repaired(struct krig *rig, bool forgot[KRIG_PAGES])
{
	const int err = gms_kvm_sync(rig->kvm, rig->state);

	if (!err)
		return;
	assert_int_equal(err, -ENOSPC);
	assert_true(krig_wanted_slots(rig) > rig->nr_slots);
	assert_int_equal(gms_convert(rig->state, 0, KRIG_PAGES, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_kvm_sync(rig->kvm, rig->state), 0);
	for (uint64_t page = 0; page < KRIG_PAGES; page++)
		forgot[page] = true;
}

/* Repairs a page. If slots are missing, other ranges are converted so that they need fewer. */
static void repair_page(struct krig *rig, uint64_t page, bool private, bool forgot[KRIG_PAGES])
{
	const enum gms_shareability to = private ? GMS_PRIVATE : GMS_SHARED;
	const int err = gms_repair(rig->state, page, 1, to);

	if (!err)
		return;
	assert_int_equal(err, -ENOSPC);
	assert_true(rig->nr_slots < KRIG_PAGES);
	for (uint64_t other = 0; other < KRIG_PAGES; other++) {
		forgot[other] = true;
		if (!gms_is_quarantined(rig->state, other))
			gms_convert(rig->state, other, 1, GMS_SHARED, 0, NULL);
	}
	assert_int_equal(gms_repair(rig->state, page, 1, to), 0);
}

static void repair(struct krig *rig, struct prng *prng)
{
	/* if slots are few, each page becomes what it was: there are enough slots for that */
	const bool as_it_was = rig->nr_slots < KRIG_PAGES || prng_chance(prng, 30);
	bool forgot[KRIG_PAGES] = {false};

	rig->fake.max_vmas += KRIG_PAGES; /* hiding one page may take two mappings */
	for (uint64_t page = 0; page < KRIG_PAGES; page++) {
		bool private = gms_is_private(rig->state, page);

		if (!gms_is_quarantined(rig->state, page))
			continue;
		if (!as_it_was)
		private = prng_chance(prng, 50);
		forgot[page] = true;
		assert_int_equal(gms_convert(rig->state, page, 1, GMS_SHARED, 0, NULL),
				 -ENOTRECOVERABLE);
		repair_page(rig, page, private, forgot);
	}
	sync_repaired(rig, forgot);
	rig->fake.max_vmas -= KRIG_PAGES;
	assert_false(rig->kvm->torn);
	assert_fine(agrees(rig));
	for (uint64_t page = 0; page < KRIG_PAGES; page++)
		if (forgot[page])
			rig->content[page] = KRIG_UNKNOWN;
}

static unsigned int nr_quarantined;

/* Converts while calls fail, and checks what is left. Repairs a quarantined range. */
static int convert(struct krig *rig, uint64_t start, uint64_t nr_pages, enum gms_shareability to,
		   const struct failure *failure, struct prng *prng)
{
	unsigned int content[KRIG_PAGES];
	struct gms_stats stats;
	int err;

	memcpy(content, rig->content, sizeof(content));
	krig_expect(rig, start, nr_pages, to);
	fail_calls(rig, failure);
	err = gms_convert(rig->state, start, nr_pages, to, 0, NULL);
	fail_no_more(rig);
	stats.struct_size = sizeof(stats);
	gms_stats_read(rig->state, &stats);
	if (err)
		memcpy(rig->content, content, sizeof(content));
	if (stats.quarantined_pages) {
		assert_int_not_equal(err, 0);
		nr_quarantined++;
		check_others(rig);
		check_that_others_work(rig);
		repair(rig, prng);
	} else {
		assert_fine(agrees(rig));
		assert_fine(krig_contents(rig));
	}
	return err;
}

/* ---- each call in turn ---- */

struct scene {
	struct krig_map private[4]; /* the ranges that are private before */
	uint64_t start, nr_pages;
	enum gms_shareability to;
};

static const struct scene scenes[] = {
	{{{0}}, 10, 1, GMS_PRIVATE},
	{{{0}}, 0, 24, GMS_PRIVATE},
	{{{0}}, 20, 30, GMS_PRIVATE},
	{{{0}}, 0, KRIG_PAGES, GMS_PRIVATE},
	{{{0, 10, 1}}, 10, 1, GMS_SHARED},
	{{{0, 0, KRIG_PAGES}}, 10, 1, GMS_SHARED},
	{{{0, 0, KRIG_PAGES}}, 20, 30, GMS_SHARED},
	{{{0, 0, KRIG_PAGES}}, 0, KRIG_PAGES, GMS_SHARED},
	{{{0, 2, 3}, {0, 8, 2}, {0, 40, 2}}, 4, 40, GMS_PRIVATE},
	{{{0, 2, 3}, {0, 8, 2}, {0, 40, 2}}, 4, 40, GMS_SHARED},
	{{{0, 2, 3}, {0, 8, 20}, {0, 40, 2}, {0, 50, 3}}, 9, 43, GMS_PRIVATE},
	{{{0, 2, 3}, {0, 8, 20}, {0, 40, 2}, {0, 50, 3}}, 0, KRIG_PAGES, GMS_SHARED},
};

static void set_scene(struct krig *rig, const struct krig_kind *kind, const struct scene *scene)
{
	krig_init_kind(rig, kind, 100, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(scene->private); i++)
		if (scene->private[i].nr_pages)
			krig_convert(rig, scene->private[i].start, scene->private[i].nr_pages,
				     GMS_PRIVATE);
	krig_write(rig);
}

/* Plays one scene with one failure. Returns false if the scene ended before the failure. */
static bool try_scene(const struct krig_kind *kind, const struct scene *scene,
		      const struct failure *failure, struct prng *prng)
{
	struct krig rig;
	bool failed;

	set_scene(&rig, kind, scene);
	convert(&rig, scene->start, scene->nr_pages, scene->to, failure, prng);
	failed = rig.fake.failed || rig.talloc.failed;
	/* after a single failure the slots are complete before vCPUs run again */
	assert_false(rig.hole && failure->count <= 1);
	/* now the conversion succeeds */
	krig_expect(&rig, scene->start, scene->nr_pages, scene->to);
	assert_int_equal(gms_convert(rig.state, scene->start, scene->nr_pages, scene->to, 0, NULL),
			 0);
	assert_fine(agrees(&rig));
	assert_fine(krig_contents(&rig));
	krig_fini(&rig);
	return failed;
}

static void each_call_of_a_conversion_fails(void **unused)
{
	const uint64_t counts[] = {1, 2, 3, 4, 6, 9, UINT64_MAX};
	struct prng prng;

	(void)unused;
	prng_init(&prng, test_seed());
	for (unsigned int k = 0; k < KRIG_KINDS; k++)
		for (size_t s = 0; s < ARRAY_SIZE(scenes); s++)
			for (size_t c = 0; c < ARRAY_SIZE(counts); c++)
				for (unsigned int how = 0; how < 4; how++) {
					struct failure failure = {
						.count = counts[c],
						.tear = how & 1,
						.part = how & 2 ? 3 : 0,
						.part_once = how & 1,
					};

					while (try_scene(&krig_kinds[k], &scenes[s], &failure,
							 &prng))
						failure.skip++;
				}
	/* without quarantines the test would prove little */
	assert_true(nr_quarantined > 100);
}

static void each_allocation_of_a_conversion_fails(void **unused)
{
	const uint64_t counts[] = {1, 2, UINT64_MAX};
	struct prng prng;

	(void)unused;
	prng_init(&prng, test_seed());
	for (unsigned int k = 0; k < KRIG_KINDS; k++)
		for (size_t s = 0; s < ARRAY_SIZE(scenes); s++)
			for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
				struct failure failure = {.nr_allocs = counts[c]};

				while (try_scene(&krig_kinds[k], &scenes[s], &failure, &prng))
					failure.skip_allocs++;
			}
}

/* ---- maps and syncs ---- */

static bool try_map(const struct krig_kind *kind, const struct failure *failure)
{
	struct krig rig;
	bool failed;
	int err;

	krig_init_kind(&rig, kind, 20, false);
	krig_convert(&rig, 3, 50, GMS_PRIVATE);
	krig_convert(&rig, 13, 25, GMS_SHARED);
	krig_write(&rig);
	rig.fake.stopped = NULL;
	fail_calls(&rig, failure);
	err = gms_kvm_unmap(rig.kvm, 16);
	failed = rig.fake.failed;
	fail_no_more(&rig);
	if (err) {
		assert_int_equal(err, -ENOMEM);
		if (failure->count > 1)
			assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		assert_int_equal(gms_kvm_unmap(rig.kvm, 16), 0);
	}
	fail_calls(&rig, failure);
	err = gms_kvm_map(rig.kvm, 16, 32, 32);
	failed |= rig.fake.failed || rig.talloc.failed;
	fail_no_more(&rig);
	if (err) {
		assert_int_equal(err, -ENOMEM);
		for (unsigned int i = 0; failure->count <= 1 && i < 32; i++) {
			assert_false(rig.fake.private[16 + i]);
			assert_int_equal(fake_guest_sees(&rig.fake, 16 + i, NULL), FAKE_NOTHING);
		}
		assert_int_equal(gms_kvm_unmap(rig.kvm, 16), -ENOENT);
		assert_int_equal(gms_kvm_map(rig.kvm, 16, 32, 32), 0);
	}
	assert_fine(krig_agrees(&rig));
	assert_fine(krig_contents(&rig));
	krig_fini(&rig);
	return failed;
}

static void each_call_of_a_map_fails(void **unused)
{
	const uint64_t counts[] = {1, 2, 3, UINT64_MAX};

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		struct failure failure = {.nr_allocs = 1};

		while (try_map(&krig_kinds[k], &failure))
			failure.skip_allocs++;
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
			failure = (struct failure) {.count = counts[c]};
			while (try_map(&krig_kinds[k], &failure))
				failure.skip++;
		}
	}
}

static bool try_sync(const struct krig_kind *kind, const struct failure *failure)
{
	struct krig rig;
	bool failed;
	int err;

	krig_init_kind(&rig, kind, 20, true);
	krig_convert(&rig, 3, 10, GMS_SHARED);
	krig_convert(&rig, 40, 2, GMS_SHARED);
	krig_convert(&rig, 50, 12, GMS_SHARED);
	krig_write(&rig);
	gms_state_destroy(rig.state);
	krig_init_state(&rig, false);
	fail_calls(&rig, failure);
	err = gms_kvm_sync(rig.kvm, rig.state);
	failed = rig.fake.failed || rig.talloc.failed;
	fail_no_more(&rig);
	assert_fine(fake_check(&rig.fake));
	if (err) {
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	}
	assert_fine(agrees(&rig));
	/* each page that became shared is empty, whatever failed */
	memset(rig.content, 0, sizeof(unsigned int) * 3);
	for (uint64_t page = 13; page < KRIG_PAGES && kind->mode != GMS_KVM_IN_PLACE; page++)
		if (page < 40 || page >= 62 || (page >= 42 && page < 50))
			rig.content[page] = 0;
	if (kind->mode != GMS_KVM_IN_PLACE)
		assert_fine(krig_contents(&rig));
	krig_fini(&rig);
	return failed;
}

static void each_call_of_a_sync_fails(void **unused)
{
	const uint64_t counts[] = {1, 2, 3, 5, UINT64_MAX};

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		struct failure failure = {.nr_allocs = 1};

		while (try_sync(&krig_kinds[k], &failure))
			failure.skip_allocs++;
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++)
			for (unsigned int tear = 0; tear < 2; tear++) {
				failure = (struct failure) {.count = counts[c], .tear = tear};
				while (try_sync(&krig_kinds[k], &failure))
					failure.skip++;
			}
	}
}

/* ---- random calls ---- */

static struct failure random_failure(struct prng *prng)
{
	const uint64_t counts[] = {0, 0, 1, 1, 2, 3, 5, 8, UINT64_MAX};
	struct failure failure = {
		.skip = prng_below(prng, 14),
		.count = counts[prng_below(prng, ARRAY_SIZE(counts))],
		.tear = prng_chance(prng, 30),
		.part = prng_chance(prng, 50) ? prng_below(prng, 9) : 0,
		.part_once = prng_chance(prng, 50),
	};

	if (prng_chance(prng, 10)) {
		failure.skip_allocs = prng_below(prng, 6);
		failure.nr_allocs = 1 + prng_below(prng, 4);
	}
	return failure;
}

static void random_history(const struct krig_kind *kind, unsigned int nr_slots,
			   unsigned int max_vmas, uint64_t nr_ops, struct prng *prng)
{
	struct krig rig;

	krig_init_kind(&rig, kind, nr_slots, prng_chance(prng, 50));
	rig.fake.max_vmas = max_vmas;
	for (uint64_t op = 0; op < nr_ops; op++) {
		const uint64_t start = prng_below(prng, KRIG_PAGES);
		const uint64_t most = prng_chance(prng, 70) ? 6 : KRIG_PAGES;
		uint64_t nr_pages = 1 + prng_below(prng, most);
		const struct failure failure = random_failure(prng);
		int err;

		/* above the limit nothing can be mapped: raise it */
		rig.fake.max_vmas = max_vmas + (fake_nr_vmas(&rig.fake) > max_vmas ? 2 : 0);
		if (nr_pages > KRIG_PAGES - start)
			nr_pages = KRIG_PAGES - start;
		err = convert(&rig, start, nr_pages,
			      prng_chance(prng, 50) ? GMS_PRIVATE : GMS_SHARED, &failure, prng);
		assert_true(!err || err == -ENOMEM || err == -ENOSPC);
		krig_write(&rig);
	}
	krig_fini(&rig);
}

static void random_calls_fail_in_random_histories(void **unused)
{
	const uint64_t nr_ops = test_iters(20000);
	struct prng prng;

	(void)unused;
	prng_init(&prng, test_seed());
	print_message("seed %#llx\n", (unsigned long long)test_seed());
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		random_history(&krig_kinds[k], 100, FAKE_PAGES, nr_ops, &prng);
		random_history(&krig_kinds[k], 15, 20, nr_ops, &prng);
	}
	print_message("%u conversions were not undone\n", nr_quarantined);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_of_a_conversion_fails),
		cmocka_unit_test(each_allocation_of_a_conversion_fails),
		cmocka_unit_test(each_call_of_a_map_fails),
		cmocka_unit_test(each_call_of_a_sync_fails),
		cmocka_unit_test(random_calls_fail_in_random_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
