// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maps.c - proves what gmemstate/kvm.h says of gms_kvm_map() and gms_kvm_sync(), on the
 * fake kernel
 */
#include "kvm_rig.h"
#include "oracle.h"

#include "kvm_priv.h"
#include "uapi.h"

#include <gmemstate/snapshot.h>

#include <sched.h>

#define MANY 64

static const struct krig_kind memslots = {GMS_KVM_MEMSLOTS, 0, 0};

/* ---- maps ---- */

static void maps_are_checked(void **unused)
{
	const uint64_t max = 1ULL << 52;
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, false);
		rig.fake.stopped = NULL;
		assert_int_equal(gms_kvm_map(rig.kvm, 200, 64, 0), -EINVAL);
		assert_int_equal(gms_kvm_map(rig.kvm, 200, KRIG_PAGES, 1), -EINVAL);
		assert_int_equal(gms_kvm_map(rig.kvm, 200, 64, 9), -EINVAL);
		assert_int_equal(gms_kvm_map(rig.kvm, 200, 64, UINT64_MAX), -EINVAL);
		assert_int_equal(gms_kvm_map(rig.kvm, max, 64, 1), -EINVAL);
		assert_int_equal(gms_kvm_map(rig.kvm, max - 1, 64, 2), -EINVAL);
		gms_reason_set("an older one");
		assert_int_equal(gms_kvm_map(rig.kvm, 200, 23, 2), -EEXIST);
		assert_string_equal(gms_reason(), "");
		assert_int_equal(gms_kvm_map(rig.kvm, 200, 31, 2), -EEXIST);
		assert_int_equal(gms_kvm_map(rig.kvm, 923, 64, 2), -EEXIST);
		assert_int_equal(gms_kvm_map(rig.kvm, 14, 64, 3), -EEXIST);
		assert_int_equal(gms_kvm_map(rig.kvm, 2000, 64, 1), -EINVAL); /* KVM's error */
		gms_reason_set("an older one");
		assert_int_equal(gms_kvm_unmap(rig.kvm, 901), -ENOENT);
		assert_string_equal(gms_reason(), "");
		assert_fine(krig_agrees(&rig));
		/* with conversions kept out, as by a VMM whose vCPUs run */
		assert_int_equal(gms_lock_shared(rig.state, 0, KRIG_PAGES), 0);
		assert_int_equal(gms_kvm_map(rig.kvm, 14, 64, 2), 0);
		assert_int_equal(gms_kvm_unmap(rig.kvm, 14), 0);
		gms_unlock_shared(rig.state, 0, KRIG_PAGES);
		assert_int_equal(gms_kvm_unmap(rig.kvm, 14), -ENOENT);
		assert_fine(krig_agrees(&rig));
		krig_fini(&rig);
	}
}

/* A page that is private before it is mapped is private afterwards. Unmapping leaves no trace. */
static void private_pages_are_mapped_as_such(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kvm(&rig, &krig_kinds[k], 9);
		krig_init_state(&rig, false);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_int_equal(gms_convert(rig.state, 3, 2, GMS_PRIVATE, 0, NULL), 0);
		assert_int_equal(gms_convert(rig.state, 40, 30, GMS_PRIVATE, 0, NULL), 0);
		krig_init_maps(&rig);
		assert_fine(krig_agrees(&rig));
		krig_write(&rig);
		rig.fake.stopped = NULL;
		assert_int_equal(gms_kvm_unmap(rig.kvm, 16), 0);
		assert_int_equal(fake_guest_sees(&rig.fake, 16, NULL), FAKE_NOTHING);
		assert_int_equal(gms_kvm_unmap(rig.kvm, 900), 0);
		assert_int_equal(fake_nr_slots(&rig.fake), 0);
		for (unsigned int gfn = 0; gfn < FAKE_GFNS; gfn++)
			assert_false(rig.fake.private[gfn]);
		krig_init_maps(&rig);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_fini(&rig);
	}
}

static void mapping_takes_a_slot_for_each_run(void **unused)
{
	struct krig rig;

	(void)unused;
	krig_init_kvm(&rig, &memslots, 3);
	krig_init_state(&rig, false);
	assert_int_equal(gms_convert(rig.state, 34, 2, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_kvm_map(rig.kvm, 900, 0, 24), 0);
	assert_int_equal(gms_kvm_map(rig.kvm, 16, 32, 32), -ENOSPC);
	assert_int_equal(fake_nr_slots(&rig.fake), 1);
	assert_int_equal(gms_kvm_unmap(rig.kvm, 900), 0);
	assert_int_equal(gms_kvm_map(rig.kvm, 16, 32, 32), 0);
	assert_int_equal(gms_kvm_map(rig.kvm, 900, 0, 24), -ENOSPC);
	assert_int_equal(gms_convert(rig.state, 34, 2, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_kvm_map(rig.kvm, 900, 0, 24), 0);
	assert_fine(krig_agrees(&rig));
	krig_fini(&rig);
}

static void flags_go_to_all_slots_of_a_map(void **unused)
{
	const uint32_t both = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, false);
		rig.fake.stopped = NULL;
		krig_convert(&rig, 65, 2, GMS_PRIVATE);
		assert_int_equal(gms_kvm_map_flags(rig.kvm, 200, 64, 8, both << 1), -EINVAL);
		assert_int_equal(gms_kvm_map_flags(rig.kvm, 200, 64, 8, KVM_MEM_GUEST_MEMFD),
				 -EINVAL);
		/* if KVM refuses the flags, nothing changes */
		assert_int_equal(gms_kvm_map_flags(rig.kvm, 200, 64, 8, KVM_MEM_READONLY), -EINVAL);
		assert_fine(krig_agrees(&rig));
		rig.fake.takes_flags = true;
		assert_int_equal(gms_kvm_map_flags(rig.kvm, 200, 64, 8, both), 0);
		assert_int_equal(gms_convert(rig.state, 70, 1, GMS_PRIVATE, 0, NULL), 0);
		for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
			const struct fake_slot *slot = &rig.fake.slots[i];
			const bool there = slot->gfn >= 200 && slot->gfn < 208;

			if (slot->nr_pages)
				assert_int_equal(slot->flags,
						 KVM_MEM_GUEST_MEMFD | (there ? both : 0));
		}
		assert_int_equal(gms_kvm_unmap(rig.kvm, 200), 0);
		assert_fine(krig_agrees(&rig));
		krig_fini(&rig);
	}
}

/* ---- sync ---- */

static void sync_makes_memory_what_the_state_says(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *small;
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, true);
		krig_write(&rig);
		krig_convert(&rig, 7, 40, GMS_SHARED);
		krig_write(&rig);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_contents(&rig));
		gms_state_destroy(rig.state);
		krig_init_state(&rig, false);
		krig_expect(&rig, 0, 7, GMS_PRIVATE);
		krig_expect(&rig, 47, KRIG_PAGES - 47, GMS_PRIVATE);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		opts.nr_pages = KRIG_PAGES - 1;
		assert_int_equal(gms_state_create(&opts, &small), 0);
		assert_int_equal(gms_kvm_sync(rig.kvm, small), -EINVAL);
		gms_state_destroy(small);
		krig_fini(&rig);
	}
}

/* Returns a state with @nr private pages: every other page from @start on. */
static struct gms_state *striped(uint64_t start, unsigned int nr)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = KRIG_PAGES;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(gms_convert(state, start + 2 * i, 1, GMS_PRIVATE, 0, NULL), 0);
	return state;
}

/* If the slots suffice before and after a sync, they suffice in between. */
static void sync_wants_no_more_slots_than_it_leaves(void **unused)
{
	struct fake_slot before[FAKE_SLOTS];
	struct gms_state *own, *next;
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, 20, false);
	for (unsigned int i = 0; i < 9; i++)
		krig_convert(&rig, 33 + 2 * i, 1, GMS_PRIVATE);
	own = rig.state;
	rig.state = striped(1, 9);
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	assert_fine(krig_agrees(&rig));
	memcpy(before, rig.fake.slots, sizeof(before));
	next = striped(1, 10);
	assert_int_equal(gms_kvm_sync(rig.kvm, next), -ENOSPC);
	/* if slots run out, the old ones stay, and private pages are hidden from the host */
	assert_memory_equal(before, rig.fake.slots, sizeof(before));
	for (uint64_t page = 0; page < KRIG_PAGES; page++)
		if (gms_is_private(next, page))
			assert_int_equal(fake_host_sees(&rig.fake, page, NULL), FAKE_PRIVATE);
	gms_state_destroy(next);
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	assert_fine(krig_agrees(&rig));
	gms_state_destroy(own);
	krig_fini(&rig);
}

/* If one run cannot be hidden, the others are. */
static void sync_hides_all_that_it_can(void **unused)
{
	struct gms_state *own;
	struct krig rig;

	(void)unused;
	for (uint64_t n = 0; n < 3; n++) {
		krig_init(&rig, GMS_KVM_ATTRIBUTES, MANY, false);
		own = rig.state;
		rig.state = striped(3, 3);
		fake_fail(&rig.fake, n, 1, -ENOMEM);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), -ENOMEM);
		fake_fail_never(&rig.fake);
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(fake_host_sees(&rig.fake, 3 + 2 * i, NULL),
					 i == n ? FAKE_SHARED : FAKE_PRIVATE);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		gms_state_destroy(own);
		krig_fini(&rig);
	}
}

/* Returns a copy of a state: with its quarantined pages, and without hooks. */
static struct gms_state *copy(const struct gms_state *state)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	static unsigned char buf[4096];
	struct gms_state *loaded;
	size_t size;

	assert_int_equal(gms_snapshot_save(state, buf, sizeof(buf), &size), 0);
	assert_int_equal(gms_snapshot_load(buf, size, &opts, &loaded), 0);
	return loaded;
}

/* Quarantined pages keep their slots, and a sync counts them. */
static void sync_counts_the_slots_of_quarantined_pages(void **unused)
{
	struct fake_slot before[FAKE_SLOTS];
	struct gms_state *own, *more;
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, 6, true);
	fake_fail(&rig.fake, 2, UINT64_MAX, -ENOMEM);
	assert_int_equal(gms_convert(rig.state, 40, 4, GMS_SHARED, 0, NULL), -ENOMEM);
	fake_fail_never(&rig.fake);
	own = rig.state;
	assert_true(gms_is_quarantined(own, 40));
	more = copy(own);
	/* all but the private [40, 44) becomes shared, which takes 1 + 3 slots; then 6; then 7 */
	assert_int_equal(gms_convert(more, 0, 40, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_convert(more, 44, 28, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, more), 0);
	assert_int_equal(gms_convert(more, 50, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, more), 0);
	assert_int_equal(fake_nr_slots(&rig.fake), 6);
	memcpy(before, rig.fake.slots, sizeof(before));
	assert_int_equal(gms_convert(more, 63, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, more), -ENOSPC);
	assert_memory_equal(before, rig.fake.slots, sizeof(before));
	assert_false(rig.kvm->maps->next->broken);
	gms_state_destroy(more);
	rig.state = own;
	assert_int_equal(gms_repair(own, 40, 4, GMS_PRIVATE), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, own), 0);
	assert_fine(krig_agrees(&rig));
	krig_fini(&rig);
}

/* In a hook the thread holds the locks that a sync takes (rule 18). */
static void sync_in_a_hook_is_refused(void **unused)
{
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, MANY, false);
	rig.sync_in_stop = true;
	rig.sync_err = 1;
	krig_convert(&rig, 4, 2, GMS_PRIVATE);
	assert_int_equal(rig.sync_err, -EDEADLK);
	rig.sync_in_stop = false;
	krig_fini(&rig);
}

/* A sync creates missing memslots beside a quarantined range, and leaves the range alone. */
static void sync_puts_back_missing_slots(void **unused)
{
	unsigned int missing = 0;
	struct krig rig;

	(void)unused;
	for (uint64_t n = 0; n < 8; n++) {
		krig_init(&rig, GMS_KVM_MEMSLOTS, MANY, false);
		krig_write(&rig);
		fake_fail(&rig.fake, n, UINT64_MAX, -ENOMEM);
		assert_int_equal(gms_convert(rig.state, 40, 2, GMS_PRIVATE, 0, NULL),
				 n < 5 ? -ENOMEM : 0);
		fake_fail_never(&rig.fake);
		for (uint64_t page = 0; page < 24; page++)
			assert_int_equal(fake_guest_sees(&rig.fake, 900 + page, NULL), FAKE_SHARED);
		missing += fake_guest_sees(&rig.fake, 16, NULL) == FAKE_NOTHING;
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		for (uint64_t page = 0; page < KRIG_PAGES; page++) {
			const char *why;

			if (!gms_is_quarantined(rig.state, page))
				assert_true(krig_page_agrees(&rig, page, false, &why));
			else
				assert_int_equal(fake_host_sees(&rig.fake, page, NULL),
						 FAKE_PRIVATE);
			if (!gms_is_private(rig.state, page) &&
			    !gms_is_quarantined(rig.state, page))
				assert_true(krig_page_holds(&rig, page, &why));
		}
		if (gms_is_quarantined(rig.state, 40)) {
			rig.content[40] = rig.content[41] = KRIG_UNKNOWN;
			assert_int_equal(gms_repair(rig.state, 40, 2, GMS_PRIVATE), 0);
			assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		}
		if (n < 5) {
			assert_fine(krig_agrees(&rig));
			assert_fine(krig_contents(&rig));
		}
		krig_fini(&rig);
	}
	assert_true(missing);
}

/* Yields after apply: here memory and state differ, and a sync without locks would see that. */
static int apply_and_yield(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability to, gms_pgoff_t *failed)
{
	const int err = gms_kvm_backend()->apply(ctx, start, nr_pages, to, failed);

	for (unsigned int i = 0; i < 20; i++)
		sched_yield();
	return err;
}

static void init_yielding(struct krig *rig, const struct krig_kind *kind)
{
	struct gms_backend_ops ops = *gms_kvm_backend();
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	krig_init_kvm(rig, kind, 100);
	ops.apply = apply_and_yield;
	opts.nr_pages = KRIG_PAGES;
	opts.backend = &ops;
	opts.backend_ctx = rig->kvm;
	assert_int_equal(gms_state_create(&opts, &rig->state), 0);
	krig_init_maps(rig);
}

static void *convert_all_the_time(void *arg)
{
	struct krig *rig = arg;
	struct prng prng;

	prng_init(&prng, test_seed());
	for (uint64_t i = test_iters(3000); i; i--) {
		const uint64_t start = prng_below(&prng, KRIG_PAGES - 8);

		gms_convert(rig->state, start, 1 + prng_below(&prng, 8),
			    prng_chance(&prng, 50) ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	}
	__atomic_store_n(&rig->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A sync waits for conversions in progress. So it never sees a difference, and makes no call. */
static void sync_runs_beside_conversions(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < 3; k++) {
		pthread_t thread;
		uint64_t calls;
		int err = 0;

		init_yielding(&rig, &krig_kinds[k]);
		calls = fake_calls_of_thread();
		assert_int_equal(pthread_create(&thread, NULL, convert_all_the_time, &rig), 0);
		while (!__atomic_load_n(&rig.done, __ATOMIC_ACQUIRE))
			err = err ? err : gms_kvm_sync(rig.kvm, rig.state);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(err, 0);
		assert_int_equal(fake_calls_of_thread(), calls);
		assert_fine(krig_agrees(&rig));
		krig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_checked),
		cmocka_unit_test(private_pages_are_mapped_as_such),
		cmocka_unit_test(mapping_takes_a_slot_for_each_run),
		cmocka_unit_test(sync_makes_memory_what_the_state_says),
		cmocka_unit_test(flags_go_to_all_slots_of_a_map),
		cmocka_unit_test(sync_wants_no_more_slots_than_it_leaves),
		cmocka_unit_test(sync_hides_all_that_it_can),
		cmocka_unit_test(sync_counts_the_slots_of_quarantined_pages),
		cmocka_unit_test(sync_in_a_hook_is_refused),
		cmocka_unit_test(sync_puts_back_missing_slots),
		cmocka_unit_test(sync_runs_beside_conversions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
