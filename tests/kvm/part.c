// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * part.c - proves what happens to ranges that KVM converted in part, and to quarantined
 * pages; on the fake kernel
 */
#include "kvm_rig.h"

#include "guest.h"

#define MANY 100
#define START 36
#define NR 16
#define END (START + NR)

/* Returns true if KVM sees a page as private. In place and by attributes. */
static bool kvm_private(struct krig *rig, uint64_t page)
{
	return fake_guest_sees(&rig->fake, krig_gfn(rig, page), NULL) == FAKE_PRIVATE;
}

static unsigned int nr_private(struct krig *rig)
{
	unsigned int nr = 0;

	for (uint64_t page = START; page < END; page++)
		nr += kvm_private(rig, page);
	return nr;
}

static bool all_quarantined(const struct krig *rig)
{
	for (uint64_t page = START; page < END; page++)
		if (!gms_is_quarantined(rig->state, page))
			return false;
	return true;
}

static uint64_t nr_unsure(const struct krig *rig)
{
	return gms_rtree_count(rig->kvm->unsure, 0, KRIG_PAGES);
}

/* Returns the number of calls before the one that sets KVM's attributes: 1 if the view hides. */
static uint64_t calls_before_set(const struct krig_kind *kind, enum gms_shareability to)
{
	const uint64_t hiding = kind->mode == GMS_KVM_ATTRIBUTES && !kind->grain &&
				!(kind->flags & GMS_KVM_HOST) && to == GMS_PRIVATE;

	return hiding;
}

static void start(struct krig *rig, const struct krig_kind *kind, enum gms_shareability to)
{
	krig_init_kind(rig, kind, MANY, to == GMS_SHARED);
	krig_write(rig);
}

/* The first ioctl fails after a part of its work. The next one undoes the part (rule 16). */
static void a_part_is_taken_back(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		for (unsigned int i = 0; i < 2 * (NR + 1); i++) {
			const enum gms_shareability to = i & 1 ? GMS_PRIVATE : GMS_SHARED;

			if (krig_kinds[k].mode == GMS_KVM_MEMSLOTS)
				continue;
			start(&rig, &krig_kinds[k], to);
			fake_fail(&rig.fake, calls_before_set(&krig_kinds[k], to), 1, -ENOMEM);
			rig.fake.part = i / 2;
			krig_convert_fails(&rig, START, NR, to, -ENOMEM);
			assert_int_equal(rig.fake.failed, 1);
			assert_int_equal(nr_private(&rig), to == GMS_SHARED ? NR : 0);
			fake_fail_never(&rig.fake);
			krig_convert(&rig, START, NR, to);
			krig_fini(&rig);
		}
	}
}

/* In place, KVM converts the pages before a pinned page, and names the page (rules 12 and 16). */
static void a_part_before_a_pinned_page_is_taken_back(void **unused)
{
	gms_pgoff_t where;
	struct krig rig;

	(void)unused;
	start(&rig, &krig_kinds[0], GMS_PRIVATE);
	rig.fake.part_of_pinned = true;
	rig.fake.files[0].pinned[START + 5] = true;
	assert_int_equal(gms_convert(rig.state, START, NR, GMS_PRIVATE, 0, &where), -EAGAIN);
	assert_int_equal(where, START + 5);
	assert_int_equal(nr_private(&rig), 0);
	assert_fine(krig_agrees(&rig));
	assert_fine(krig_contents(&rig));
	rig.fake.files[0].pinned[START + 5] = false;
	krig_convert(&rig, START, NR, GMS_PRIVATE);
	krig_fini(&rig);
}

/*
 * All calls fail after a part, so what KVM sees is not known. The pages are quarantined and
 * hidden. Neither the failure nor a sync punches them. After a repair and a sync they are what
 * the state says.
 */
static void doubt(const struct krig_kind *kind, enum gms_shareability to,
		  enum gms_shareability repaired)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	struct krig rig;
	unsigned int set_private;

	start(&rig, kind, to);
	fake_fail(&rig.fake, calls_before_set(kind, to), UINT64_MAX, -ENOMEM);
	rig.fake.part = 6;
	rig.fake.part_once = true;
	assert_int_equal(gms_convert(rig.state, START, NR, to, 0, NULL), -ENOMEM);
	fake_fail_never(&rig.fake);
	assert_true(all_quarantined(&rig));
	assert_int_equal(nr_unsure(&rig), NR);
	set_private = nr_private(&rig);
	assert_int_equal(set_private, to == GMS_PRIVATE ? 6 : NR - 6);
	assert_fine(fake_check(&rig.fake));

	/* neither a sync nor a conversion of neighbours changes them */
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	krig_expect(&rig, START - 2, 2, to);
	assert_int_equal(gms_convert(rig.state, START - 2, 2, to, 0, NULL), 0);
	assert_int_equal(ops->map_host(rig.kvm, START - 2, NR + 4), 0);
	assert_int_equal(nr_private(&rig), set_private);
	assert_int_equal(nr_unsure(&rig), NR);
	for (uint64_t page = START; page < END; page++) {
		const enum fake_sees sees = fake_host_sees(&rig.fake, page, NULL);
		unsigned int *content = NULL;

		fake_guest_sees(&rig.fake, krig_gfn(&rig, page), &content);
		if (kvm_private(&rig, page) == (to == GMS_SHARED))
			assert_int_equal(*content, rig.content[page]);
		if (rig.kvm->hides)
			assert_int_equal(sees, FAKE_PRIVATE);
	}
	for (uint64_t page = START; page < END; page++)
		rig.content[page] = KRIG_UNKNOWN;
	assert_int_equal(gms_repair(rig.state, START, NR, repaired), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	assert_fine(krig_agrees(&rig));
	assert_fine(krig_contents(&rig));
	krig_convert(&rig, START, NR, repaired == GMS_SHARED ? GMS_PRIVATE : GMS_SHARED);
	krig_fini(&rig);
}

/* Rule 39: pages whose state is in doubt are quarantined, until they are repaired. */
static void what_is_in_doubt_is_quarantined(void **unused)
{
	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		if (krig_kinds[k].mode == GMS_KVM_MEMSLOTS)
			continue;
		doubt(&krig_kinds[k], GMS_PRIVATE, GMS_PRIVATE);
		doubt(&krig_kinds[k], GMS_PRIVATE, GMS_SHARED);
		doubt(&krig_kinds[k], GMS_SHARED, GMS_PRIVATE);
		doubt(&krig_kinds[k], GMS_SHARED, GMS_SHARED);
	}
}

/* There are several attempts to undo, and any of them may be the first that succeeds (rule 16). */
static void undo_tries_again(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		unsigned int undone = 0;

		if (krig_kinds[k].mode == GMS_KVM_MEMSLOTS)
			continue;
		for (uint64_t nr = 1; nr < 9; nr++) {
			start(&rig, &krig_kinds[k], GMS_SHARED);
			fake_fail(&rig.fake, 0, nr, -ENOMEM);
			rig.fake.part = 6;
			assert_int_equal(gms_convert(rig.state, START, NR, GMS_SHARED, 0, NULL),
					 -ENOMEM);
			fake_fail_never(&rig.fake);
			if (!all_quarantined(&rig)) {
				undone++;
				assert_fine(krig_agrees(&rig));
				assert_fine(krig_contents(&rig));
			} else {
				assert_int_equal(gms_repair(rig.state, START, NR, GMS_SHARED), 0);
				assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
				assert_fine(krig_agrees(&rig));
			}
			krig_fini(&rig);
		}
		/* up to three failures are undone: at once, by apply, or by undo */
		assert_int_equal(undone, 3);
	}
}

/* After a repair a page holds no former content, although it was not known which side was seen. */
static void what_was_in_doubt_is_shown_empty(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		if (krig_kinds[k].mode != GMS_KVM_ATTRIBUTES)
			continue;
		for (unsigned int i = 0; i < 4; i++) {
			const enum gms_shareability to = i & 1 ? GMS_PRIVATE : GMS_SHARED;
			const enum gms_shareability fixed = i & 2 ? GMS_PRIVATE : GMS_SHARED;

			start(&rig, &krig_kinds[k], to);
			fake_fail(&rig.fake, calls_before_set(&krig_kinds[k], to), UINT64_MAX,
				  -ENOMEM);
			rig.fake.part = 6;
			rig.fake.part_once = true;
			gms_convert(rig.state, START, NR, to, 0, NULL);
			fake_fail_never(&rig.fake);
			assert_true(all_quarantined(&rig));
			krig_write(&rig);
			assert_int_equal(gms_repair(rig.state, START, NR, fixed), 0);
			assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
			if (fixed == to) /* by the record, all pages changed sides */
				for (uint64_t page = START; page < END; page++)
					rig.content[page] = 0;
			else
				for (uint64_t page = START; page < END; page++)
					rig.content[page] = KRIG_UNKNOWN;
			assert_fine(krig_agrees(&rig));
			assert_fine(krig_contents(&rig));
			krig_convert(&rig, START, NR,
				     fixed == GMS_SHARED ? GMS_PRIVATE : GMS_SHARED);
			krig_fini(&rig);
		}
	}
}

/*
 * Two runs: the second one fails, and so does the undo of the first one. The pages are
 * quarantined, and the contents of their shared side are not punched out.
 */
static void what_is_quarantined_keeps_both_sides(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		const bool hides = calls_before_set(&krig_kinds[k], GMS_PRIVATE);
		const struct fake_file *file;
		int fd;

		if (krig_kinds[k].mode != GMS_KVM_ATTRIBUTES)
			continue;
		start(&rig, &krig_kinds[k], GMS_PRIVATE);
		krig_convert(&rig, START + 4, 4, GMS_PRIVATE);
		krig_write(&rig);
		/* both runs are hidden, and KVM sees the first as private; all later calls fail */
		fake_fail(&rig.fake, hides ? 3 : 1, 5, -ENOMEM);
		assert_int_equal(gms_convert(rig.state, START, 12, GMS_PRIVATE, 0, NULL), -ENOMEM);
		fake_fail_never(&rig.fake);
		assert_true(gms_is_quarantined(rig.state, START));
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		fd = rig.shared_fd >= 0 ? rig.shared_fd : rig.kvm->shared_file.fd;
		file = &rig.fake.files[fd - FAKE_VM - 1];
		for (uint64_t page = START; page < START + 4; page++)
			assert_int_equal(file->content[file->first + page], rig.content[page]);
		for (uint64_t page = START; page < START + 12; page++)
			rig.content[page] = KRIG_UNKNOWN;
		assert_int_equal(gms_repair(rig.state, START, 12, GMS_PRIVATE), 0);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_fini(&rig);
	}
}

/* A sync changes neither of two quarantined ranges that are far from each other (rule 39). */
static void quarantines_apart_are_left_alone(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		const uint64_t where[] = {2, 50};
		unsigned int seen[2];

		if (krig_kinds[k].mode == GMS_KVM_MEMSLOTS)
			continue;
		start(&rig, &krig_kinds[k], GMS_PRIVATE);
		for (unsigned int i = 0; i < 2; i++) {
			fake_fail(&rig.fake, calls_before_set(&krig_kinds[k], GMS_PRIVATE),
				  UINT64_MAX, -ENOMEM);
			rig.fake.part = 4;
			rig.fake.part_once = true;
			gms_convert(rig.state, where[i], 6, GMS_PRIVATE, 0, NULL);
			fake_fail_never(&rig.fake);
			assert_true(gms_is_quarantined(rig.state, where[i]));
		}
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		for (unsigned int i = 0; i < 2; i++) {
			seen[i] = 0;
			for (uint64_t page = where[i]; page < where[i] + 6; page++)
				seen[i] += kvm_private(&rig, page);
			assert_int_equal(seen[i], 4);
			assert_int_equal(gms_repair(rig.state, where[i], 6, GMS_SHARED), 0);
		}
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		krig_fini(&rig);
	}
}

/* By memslots, nothing is punched out while slots are missing. A sync creates them. */
static void a_broken_map_is_not_punched(void **unused)
{
	struct krig rig;

	(void)unused;
	krig_init(&rig, GMS_KVM_MEMSLOTS, MANY, false);
	krig_convert(&rig, 40, 4, GMS_PRIVATE);
	fake_fail(&rig.fake, 2, UINT64_MAX, -ENOMEM);
	assert_int_equal(gms_convert(rig.state, 33, 1, GMS_PRIVATE, 0, NULL), -ENOMEM);
	fake_fail_never(&rig.fake);
	assert_true(gms_is_quarantined(rig.state, 33));
	assert_int_equal(fake_guest_sees(&rig.fake, krig_gfn(&rig, 32), NULL), FAKE_NOTHING);
	/* a conversion elsewhere does not repair the missing slots */
	assert_int_equal(gms_convert(rig.state, 50, 2, GMS_PRIVATE, 0, NULL), 0);
	assert_true(rig.kvm->maps->next->broken);
	assert_int_equal(gms_rtree_count(rig.kvm->stale, 50, 2), 2);
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	assert_int_equal(gms_rtree_count(rig.kvm->stale, 50, 2), 0);
	assert_int_equal(gms_repair(rig.state, 33, 1, GMS_SHARED), 0);
	assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
	assert_fine(krig_agrees(&rig));
	krig_fini(&rig);
}

/* ---- undo for the engine's reasons ---- */

static int refuse(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	const struct krig *rig = ctx;

	(void)runs;
	(void)count;
	(void)done;
	return rig->refuse && to == GMS_SHARED ? -EBUSY : 0;
}

/*
 * A listener refuses, and the undo fails. The pages are quarantined, and hidden from the host
 * (rule 39).
 */
static void a_quarantined_page_is_hidden(void **unused)
{
	const struct gms_listener_ops ops = {.struct_size = sizeof(ops), .change = refuse};
	struct krig rig;
	unsigned int id;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		for (unsigned int to = 0; to < 2; to++) {
			uint64_t calls;

			krig_init_kind(&rig, &krig_kinds[k], MANY, true);
			calls = rig.fake.calls;
			krig_convert(&rig, START, NR, GMS_SHARED);
			calls = rig.fake.calls - calls;
			krig_convert(&rig, START, NR, GMS_PRIVATE);
			assert_int_equal(
				gms_listener_register(rig.state, &ops, &rig, 0, KRIG_PAGES, 1, &id),
				0);
			rig.refuse = true;
			fake_fail(&rig.fake, calls, UINT64_MAX, -ENOMEM);
			assert_int_equal(gms_convert(rig.state, START, NR, GMS_SHARED, 0, NULL),
					 -EBUSY);
			fake_fail_never(&rig.fake);
			rig.refuse = false;
			assert_true(all_quarantined(&rig));
			assert_int_equal(
				gms_repair(rig.state, START, NR, to ? GMS_PRIVATE : GMS_SHARED), 0);
			/* after the repair the host may no longer see a private page */
			for (uint64_t page = START; to && rig.kvm->hides && page < END; page++)
				assert_int_equal(fake_host_sees(&rig.fake, page, NULL),
						 FAKE_PRIVATE);
			assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
			assert_fine(krig_agrees(&rig));
			krig_fini(&rig);
		}
	}
}

/*
 * A pin refuses a conversion: pages that were hidden for it are shown again, and no others (rule
 * 12).
 */
static void what_did_not_go_private_is_shown_again(void **unused)
{
	const struct gms_backend_ops *ops = gms_kvm_backend();
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, false);
		krig_convert(&rig, 10, 4, GMS_PRIVATE);
		krig_write(&rig);
		assert_int_equal(gms_pin(rig.state, 40, 1, NULL), 0);
		krig_convert_fails(&rig, 8, 40, GMS_PRIVATE, -EAGAIN);
		gms_unpin(rig.state, 40, 1);
		assert_int_equal(ops->unmap_host(rig.kvm, 8, 40), 0);
		for (uint64_t page = 8; rig.kvm->hides && page < 48; page++)
			assert_int_equal(fake_host_sees(&rig.fake, page, NULL), FAKE_PRIVATE);
		assert_int_equal(ops->map_host(rig.kvm, 0, KRIG_PAGES), 0);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_convert(&rig, 8, 40, GMS_PRIVATE);
		krig_fini(&rig);
	}
}

/* ---- what the host sees after a failure ---- */

/* If the kernel unmaps a range and maps nothing, all of the range is hidden. */
static void a_hole_leaves_no_address_unmapped(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, false);
		if (!rig.kvm->hides) {
			krig_fini(&rig);
			continue;
		}
		krig_convert(&rig, 10, 4, GMS_PRIVATE);
		krig_write(&rig);
		assert_int_equal(gms_allocate(rig.state, 0, 24, NULL), 0);
		rig.kvm->torn = true; /* until a sync, host_set maps all of its range */
		fake_fail(&rig.fake, 0, 1, -ENOMEM);
		rig.fake.tear = true;
		assert_int_equal(gms_punch_hole(rig.state, 0, 24, NULL), -ENOMEM);
		fake_fail_never(&rig.fake);
		assert_fine(krig_agrees(&rig));
		assert_fine(krig_contents(&rig));
		krig_fini(&rig);
	}
}

/* Replaces the state by a saved one, and leaves the memory as it is. */
static void go_back(struct krig *rig, const char *saved, size_t size)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	gms_state_destroy(rig->state);
	opts.backend = gms_kvm_backend();
	opts.backend_ctx = rig->kvm;
	assert_int_equal(gms_snapshot_load(saved, size, &opts, &rig->state), 0);
	rig->fake.state = rig->state;
}

/*
 * One call succeeds: it hides the private pages at the end, before a page at the front is shown.
 */
static void a_sync_hides_before_it_shows(void **unused)
{
	struct krig rig;
	char saved[512];
	size_t size;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		krig_init_kind(&rig, &krig_kinds[k], MANY, false);
		if (!rig.kvm->hides && rig.mode != GMS_KVM_IN_PLACE) {
			krig_fini(&rig);
			continue;
		}
		krig_convert(&rig, START, NR, GMS_PRIVATE);
		assert_int_equal(gms_snapshot_save(rig.state, saved, sizeof(saved), &size), 0);
		krig_convert(&rig, START, NR, GMS_SHARED);
		krig_convert(&rig, 10, 4, GMS_PRIVATE);
		go_back(&rig, saved, size);
		fake_fail(&rig.fake, 1, UINT64_MAX, -ENOMEM);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), -ENOMEM);
		fake_fail_never(&rig.fake);
		for (uint64_t page = START; page < END; page++)
			assert_int_equal(fake_host_sees(&rig.fake, page, NULL), FAKE_PRIVATE);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		krig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_is_taken_back),
		cmocka_unit_test(a_part_before_a_pinned_page_is_taken_back),
		cmocka_unit_test(what_is_in_doubt_is_quarantined),
		cmocka_unit_test(undo_tries_again),
		cmocka_unit_test(what_was_in_doubt_is_shown_empty),
		cmocka_unit_test(what_is_quarantined_keeps_both_sides),
		cmocka_unit_test(quarantines_apart_are_left_alone),
		cmocka_unit_test(a_broken_map_is_not_punched),
		cmocka_unit_test(a_quarantined_page_is_hidden),
		cmocka_unit_test(what_did_not_go_private_is_shown_again),
		cmocka_unit_test(a_hole_leaves_no_address_unmapped),
		cmocka_unit_test(a_sync_hides_before_it_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
