// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fake.c - proves what gmemstate/kvm.h says, in each of the three modes, on the fake
 * kernel
 */
#include "kvm_rig.h"

#include "kvm_priv.h"

#include <pthread.h>

#define MANY 64

static const enum gms_kvm_way modes[] = {GMS_KVM_IN_PLACE, GMS_KVM_ATTRIBUTES, GMS_KVM_MEMSLOTS};

/* ---- conversion ---- */

static void what_is_converted_is_seen_so(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int w = 0; w < ARRAY_SIZE(modes); w++) {
		krig_init(&rig, modes[w], MANY, false);
		krig_write(&rig);
		krig_convert(&rig, 10, 5, GMS_PRIVATE);
		krig_write(&rig);
		krig_convert(&rig, 12, 1, GMS_SHARED);
		krig_convert(&rig, 20, 30, GMS_PRIVATE); /* beyond both maps */
		krig_write(&rig);
		krig_convert(&rig, 0, KRIG_PAGES, GMS_SHARED);
		krig_write(&rig);
		krig_convert(&rig, 0, KRIG_PAGES, GMS_PRIVATE);
		krig_write(&rig);
		krig_convert(&rig, 32, 32, GMS_SHARED);
		assert_int_equal(rig.stops > 0, modes[w] == GMS_KVM_MEMSLOTS);
		krig_fini(&rig);
	}
}

/* Rule 40: gfns of two bindings, whose pages are apart, in one conversion. */
static void gfns_of_two_bindings(void **unused)
{
	const uint64_t gfn = 1ULL << 30;
	unsigned int id;
	struct krig rig;

	(void)unused;
	for (unsigned int w = 0; w < ARRAY_SIZE(modes); w++) {
		krig_init(&rig, modes[w], MANY, false);
		assert_int_equal(gms_bind(rig.state, gfn, 40, 6, &id), 0);
		assert_int_equal(gms_bind(rig.state, gfn + 6, 8, 6, &id), 0);
		krig_write(&rig);
		krig_expect(&rig, 42, 4, GMS_PRIVATE);
		krig_expect(&rig, 8, 5, GMS_PRIVATE);
		assert_int_equal(gms_convert_gfn(rig.state, gfn + 2, 9, GMS_PRIVATE, 0, NULL), 0);
		assert_int_equal(gms_count(rig.state, 0, KRIG_PAGES, GMS_PRIVATE), 9);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_expect(&rig, 40, 6, GMS_SHARED);
		krig_expect(&rig, 8, 6, GMS_SHARED);
		assert_int_equal(gms_convert_gfn(rig.state, gfn, 12, GMS_SHARED, 0, NULL), 0);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_fini(&rig);
	}
}

/* The former content of a side is never seen again, even if a punch failed. */
static void no_old_data_comes_back(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int w = 1; w < ARRAY_SIZE(modes); w++) {
		uint64_t calls;

		krig_init(&rig, modes[w], MANY, false);
		krig_write(&rig);
		calls = rig.fake.calls;
		krig_convert(&rig, 5, 3, GMS_PRIVATE);
		calls = rig.fake.calls - calls;
		krig_convert(&rig, 5, 3, GMS_SHARED);
		krig_write(&rig);

		/* the last call is the punch */
		fake_fail(&rig.fake, calls - 1, 1, -EIO);
		krig_expect(&rig, 5, 3, GMS_PRIVATE);
		assert_int_equal(gms_convert(rig.state, 5, 3, GMS_PRIVATE, 0, NULL), 0);
		assert_int_equal(rig.fake.failed, 1);
		assert_int_equal(gms_rtree_count(rig.kvm->stale, 0, KRIG_PAGES), 3);
		krig_write(&rig);

		/* while the punch fails, the side is not shown */
		fake_fail(&rig.fake, 0, 1, -EIO);
		assert_int_equal(gms_convert(rig.state, 4, 3, GMS_SHARED, 0, NULL), -EIO);
		assert_fine(krig_contents(&rig));
		fake_fail_never(&rig.fake);
		krig_convert(&rig, 5, 3, GMS_SHARED);
		krig_fini(&rig);
	}
}

/* In place, a pinned page keeps the range shared, and the error names the page (rule 12). */
static void a_pinned_page_is_named(void **unused)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	gms_pgoff_t failed = 20;
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_IN_PLACE, MANY, false);
	krig_write(&rig);
	krig_convert(&rig, 21, 2, GMS_PRIVATE);
	rig.fake.files[0].pinned[30] = true;
	krig_convert_fails(&rig, 20, 20, GMS_PRIVATE, -EAGAIN);
	assert_int_equal(ops->apply(rig.kvm, 23, 10, GMS_PRIVATE, &failed), -EAGAIN);
	assert_int_equal(failed, 30);
	assert_int_equal(ops->undo(rig.kvm, 23, 7, GMS_SHARED), 0);
	assert_fine(krig_agrees(&rig));
	rig.fake.files[0].pinned[30] = false;
	krig_convert(&rig, 20, 20, GMS_PRIVATE);
	krig_fini(&rig);
}

static int refuse(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct krig *rig = ctx;

	(void)done;
	for (size_t i = 0; to == GMS_SHARED && rig->refuse && i < count; i++) {
		unsigned int *content;

		assert_int_equal(fake_host_sees(&rig->fake, runs[i].start, &content), FAKE_SHARED);
		*content = 4711;
	}
	return to == GMS_SHARED && rig->refuse ? -EBUSY : 0;
}

/*
 * Pages that were shared already become private again: empty, or in place as the host left them
 * (rule 16).
 */
static void what_a_listener_refuses_is_taken_back(void **unused)
{
	const struct gms_listener_ops ops = {.struct_size = sizeof(ops), .change = refuse};
	struct krig rig;
	unsigned int id;

	(void)unused;
	for (unsigned int w = 0; w < ARRAY_SIZE(modes); w++) {
		krig_init(&rig, modes[w], MANY, false);
		assert_int_equal(
			gms_listener_register(rig.state, &ops, &rig, 0, KRIG_PAGES, 1, &id), 0);
		krig_convert(&rig, 40, 4, GMS_PRIVATE);
		krig_convert(&rig, 20, 2, GMS_PRIVATE);
		krig_write(&rig);
		krig_expect(&rig, 10, 40, GMS_SHARED);
		for (uint64_t page = 20; modes[w] == GMS_KVM_IN_PLACE && page < 44; page++)
			if (gms_is_private(rig.state, page))
				rig.content[page] = 4711;
		rig.refuse = true;
		krig_convert_fails(&rig, 10, 40, GMS_SHARED, -EBUSY);
		rig.refuse = false;
		krig_convert(&rig, 10, 40, GMS_SHARED);
		krig_fini(&rig);
	}
}

/* ---- slots ---- */

static void slots_outside_of_the_change_are_left_alone(void **unused)
{
	struct fake_slot before[FAKE_SLOTS];
	struct krig rig;
	uint64_t calls;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, MANY, false);
	for (uint64_t page = 33; page < 60; page += 4)
		krig_convert(&rig, page, 2, GMS_PRIVATE);
	memcpy(before, rig.fake.slots, sizeof(before));
	calls = rig.fake.calls;
	krig_convert(&rig, 43, 1, GMS_SHARED); /* 43 is shared already: no slot changes */
	assert_int_equal(rig.fake.calls, calls);
	krig_convert(&rig, 42, 1, GMS_SHARED); /* [41, 42) stays, [42, 45) is shared */
	/* two slots are deleted, two are created, one page is mapped, and one is punched */
	assert_int_equal(rig.fake.calls - calls, 6);
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *slot = &before[i];

		if (slot->offset + slot->nr_pages <= 41 || slot->offset >= 45)
			assert_memory_equal(slot, &rig.fake.slots[i], sizeof(*slot));
	}
	calls = rig.fake.calls;
	krig_convert(&rig, 41, 1, GMS_SHARED); /* three become one */
	assert_int_equal(rig.fake.calls - calls, 6);
	krig_convert(&rig, 32, 32, GMS_SHARED);
	assert_int_equal(fake_nr_slots(&rig.fake), 2);
	krig_fini(&rig);
}

/* Rule 16: a conversion that needs more slots than there are fails, and nothing has changed. */
static void slots_run_out(void **unused)
{
	struct krig rig;
	uint64_t calls;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, 5, false);
	krig_write(&rig);
	krig_convert(&rig, 4, 1, GMS_PRIVATE); /* takes 4 of 5 slots */
	krig_write(&rig);
	calls = rig.fake.calls;
	krig_convert_fails(&rig, 10, 1, GMS_PRIVATE, -ENOSPC);
	assert_string_equal(gms_reason(), "nr_slots memslots do not suffice");
	assert_int_equal(rig.fake.calls, calls + 2); /* the page was hidden and shown again */
	krig_convert(&rig, 0, 1, GMS_PRIVATE); /* takes 5 */
	krig_convert_fails(&rig, 23, 1, GMS_PRIVATE, -ENOSPC);
	krig_convert(&rig, 26, 2, GMS_PRIVATE); /* unmapped pages need no slot */
	/* the first conversion frees two slots, the second needs one in each map */
	krig_convert(&rig, 1, 3, GMS_PRIVATE);
	krig_convert(&rig, 22, 20, GMS_PRIVATE);
	krig_convert(&rig, 0, KRIG_PAGES, GMS_SHARED);
	krig_fini(&rig);
}

/*
 * Rule 16: a conversion that needs more mappings than there are fails, and nothing has changed.
 */
static void mappings_run_out(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int w = 1; w < ARRAY_SIZE(modes); w++) {
		krig_init(&rig, modes[w], MANY, false);
		rig.fake.max_vmas = 4;
		krig_write(&rig);
		krig_convert(&rig, 4, 4, GMS_PRIVATE);
		krig_convert(&rig, 0, 1, GMS_PRIVATE);
		krig_write(&rig);
		krig_convert_fails(&rig, 10, 1, GMS_PRIVATE, -ENOMEM);
		krig_convert_fails(&rig, 6, 1, GMS_SHARED, -ENOMEM);
		krig_convert(&rig, 0, 4, GMS_PRIVATE);
		krig_convert(&rig, 6, 1, GMS_SHARED);
		assert_false(rig.kvm->torn);
		krig_fini(&rig);
	}
}

struct other {
	struct gms_kvm *kvm;
	int ret;
};

/* Converts pages [8, 10) to private and undoes that. Runs in a thread of its own. */
static void *convert_elsewhere(void *arg)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	struct other *other = arg;
	gms_pgoff_t failed = 8;

	ops->invalidate_begin(other->kvm, 8, 2);
	other->ret = ops->apply(other->kvm, 8, 2, GMS_PRIVATE, &failed);
	if (!other->ret)
		assert_int_equal(ops->undo(other->kvm, 8, 2, GMS_SHARED), 0);
	ops->invalidate_end(other->kvm, 8, 2);
	return NULL;
}

static int elsewhere(struct gms_kvm *kvm)
{
	struct other other = {.kvm = kvm};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, convert_elsewhere, &other), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return other.ret;
}

/* Slots that a conversion freed stay reserved for its undo until it has ended. */
static void slots_are_kept_for_an_undo(void **unused)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	gms_pgoff_t failed = 40;
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, 4, false);
	krig_convert(&rig, 40, 2, GMS_PRIVATE);
	assert_int_equal(elsewhere(rig.kvm), -ENOSPC);
	ops->invalidate_begin(rig.kvm, 40, 2);
	ops->invalidate_begin(rig.kvm, 50, 2);
	assert_int_equal(ops->apply(rig.kvm, 40, 2, GMS_SHARED, &failed), 0);
	assert_int_equal(fake_nr_slots(&rig.fake), 2);
	assert_int_equal(elsewhere(rig.kvm), -ENOSPC);
	failed = 50;
	/* the conversion's own thread may use them */
	assert_int_equal(ops->apply(rig.kvm, 50, 2, GMS_PRIVATE, &failed), 0);
	assert_int_equal(ops->undo(rig.kvm, 50, 2, GMS_SHARED), 0);
	assert_int_equal(elsewhere(rig.kvm), -ENOSPC);
	assert_int_equal(ops->undo(rig.kvm, 40, 2, GMS_PRIVATE), 0);
	ops->invalidate_end(rig.kvm, 40, 2);
	ops->invalidate_end(rig.kvm, 50, 2);
	assert_fine(krig_agrees(&rig));
	krig_convert(&rig, 40, 2, GMS_SHARED);
	assert_int_equal(elsewhere(rig.kvm), 0);
	assert_fine(krig_agrees(&rig));

	krig_fini(&rig);

	/* slots that the conversion itself used and freed */
	krig_init(&rig, GMS_KVM_MEMSLOTS, 6, false);
	krig_convert(&rig, 50, 2, GMS_PRIVATE);
	ops->invalidate_begin(rig.kvm, 40, 2);
	ops->invalidate_begin(rig.kvm, 50, 2);
	failed = 40;
	assert_int_equal(ops->apply(rig.kvm, 40, 2, GMS_PRIVATE, &failed), 0);
	failed = 50;
	assert_int_equal(ops->apply(rig.kvm, 50, 2, GMS_SHARED, &failed), 0);
	assert_int_equal(elsewhere(rig.kvm), -ENOSPC);
	assert_int_equal(ops->undo(rig.kvm, 50, 2, GMS_PRIVATE), 0);
	assert_int_equal(ops->undo(rig.kvm, 40, 2, GMS_SHARED), 0);
	assert_int_equal(elsewhere(rig.kvm), -ENOSPC); /* 4 of 6 are used, 2 are reserved */
	ops->invalidate_end(rig.kvm, 40, 2);
	ops->invalidate_end(rig.kvm, 50, 2);
	assert_fine(krig_agrees(&rig));
	assert_int_equal(elsewhere(rig.kvm), 0);
	krig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_converted_is_seen_so),
		cmocka_unit_test(gfns_of_two_bindings),
		cmocka_unit_test(no_old_data_comes_back),
		cmocka_unit_test(a_pinned_page_is_named),
		cmocka_unit_test(what_a_listener_refuses_is_taken_back),
		cmocka_unit_test(slots_outside_of_the_change_are_left_alone),
		cmocka_unit_test(slots_run_out),
		cmocka_unit_test(mappings_run_out),
		cmocka_unit_test(slots_are_kept_for_an_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
