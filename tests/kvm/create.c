// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * create.c - proves what gmemstate/kvm.h says of creation, with and without parts that
 * are the caller's, and of destruction; on the fake kernel
 */
#include "kvm_rig.h"

#include "host.h"
#include "uapi.h"

#include <stddef.h>

static const enum gms_kvm_way modes[] = {GMS_KVM_IN_PLACE, GMS_KVM_ATTRIBUTES, GMS_KVM_MEMSLOTS};

/* ---- creation ---- */

static void modes_are_probed(void **unused)
{
	struct fake fake;

	(void)unused;
	for (unsigned int set = 0; set < 8; set++) {
		fake_init(&fake, GMS_KVM_ANY);
		fake.has_in_place = set & 1;
		fake.has_attributes = set & 2;
		fake.has_memslots = set & 4;
		/* a kernel that converts in place also offers the mode by memslots */
		assert_int_equal(gms_kvm_modes_on(&fake.sys, FAKE_VM),
				 (set & 3) << 1 | (set & 5 ? 1U << GMS_KVM_MEMSLOTS : 0));
		assert_int_equal(gms_kvm_modes_on(&fake.sys, FAKE_VM + 7), 0);
		/* with the capability for conversion in place, the ioctl is not tried */
		fake.cap = fake.has_in_place ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
		assert_int_equal(gms_kvm_modes_on(&fake.sys, FAKE_VM),
				 (set & 3) << 1 | (set & 5 ? 1U << GMS_KVM_MEMSLOTS : 0));
		/* a capability with another attribute does not count */
		fake.cap = 1;
		assert_int_equal(gms_kvm_modes_on(&fake.sys, FAKE_VM),
				 (set & 3) << 1 | (set & 5 ? 1U << GMS_KVM_MEMSLOTS : 0));
		assert_int_equal(fake_nr_files(&fake), 0);
	}
	assert_int_equal(gms_kvm_ways(-1), 0);
	assert_string_equal(gms_kvm_way_name(GMS_KVM_IN_PLACE), "in place");
	assert_string_equal(gms_kvm_way_name(GMS_KVM_ATTRIBUTES), "attributes");
	assert_string_equal(gms_kvm_way_name(GMS_KVM_MEMSLOTS), "memslots");
	assert_string_equal(gms_kvm_way_name(GMS_KVM_ANY), "none");
}

/* KVM takes 0, EINVAL and EAGAIN. */
static void the_answer_to_a_hypercall_is_never_negative(void **unused)
{
	(void)unused;
	assert_int_equal(gms_kvm_hypercall_ret(0), 0);
	assert_int_equal(gms_kvm_hypercall_ret(-EAGAIN), EAGAIN);
	assert_int_equal(gms_kvm_hypercall_ret(-EPERM), EAGAIN);
	for (int err = 1; err < 4096; err++)
		if (err != EAGAIN && err != EPERM)
			assert_int_equal(gms_kvm_hypercall_ret(-err), EINVAL);
	assert_int_equal(gms_kvm_hypercall_ret(EAGAIN), EINVAL);
	assert_int_equal(gms_kvm_hypercall_ret(INT32_MIN), EINVAL);
}

struct create {
	struct fake fake;
	struct talloc talloc;
	struct gms_kvm_opts opts;
	struct gms_kvm *kvm;
};

static void create_init(struct create *c, enum gms_kvm_way mode)
{
	const struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;

	fake_init(&c->fake, mode);
	talloc_init(&c->talloc);
	c->opts = opts;
	c->opts.vm_fd = FAKE_VM;
	c->opts.nr_pages = 10;
	c->opts.nr_slots = 3;
}

/* Creates the memory, and checks what that returns; after a failure, that nothing is left. */
static void create_gives(struct create *c, int err)
{
	struct gms_kvm *const none = (struct gms_kvm *)&c->opts;

	c->kvm = none;
	assert_int_equal(gms_kvm_create_on(&c->opts, &c->fake.sys, &c->talloc.ops, &c->kvm), err);
	if (!err)
		return;
	assert_ptr_equal(c->kvm, none);
	c->kvm = NULL;
	assert_int_equal(fake_nr_files(&c->fake), 0);
	assert_int_equal(fake_nr_views(&c->fake), 0);
	assert_int_equal(c->talloc.live_blocks, 0);
	assert_fine(fake_check(&c->fake));
}

static void create_fini(struct create *c)
{
	assert_int_equal(gms_kvm_destroy(c->kvm), 0);
	assert_int_equal(fake_nr_files(&c->fake), 0);
	assert_int_equal(fake_nr_views(&c->fake), 0);
	assert_int_equal(fake_nr_slots(&c->fake), 0);
	assert_int_equal(c->talloc.live_blocks, 0);
	assert_fine(fake_check(&c->fake));
}

static void stops(void *ctx)
{
	(void)ctx;
}

static void create_refuses_what_is_wrong(void **unused)
{
	struct create c;

	(void)unused;
#define WRONG(field, value)                        \
	do {                                       \
		create_init(&c, GMS_KVM_MEMSLOTS); \
		c.opts.field = value;              \
		create_gives(&c, -EINVAL);         \
	} while (0)
	WRONG(struct_size, offsetof(struct gms_kvm_opts, stop_vcpus) - 1);
	WRONG(nr_pages, 0);
	WRONG(nr_pages, GMS_MAX_PAGES + 1);
	WRONG(way, (enum gms_kvm_way)4);
	WRONG(nr_slots, 0);
	assert_string_equal(gms_reason(), "nr_slots is 0");
	WRONG(first_slot, FAKE_SLOTS - 2);
	WRONG(first_slot, UINT32_MAX);
	WRONG(nr_slots, UINT32_MAX);
	assert_string_equal(gms_reason(), "the memslots pass the largest number");
	WRONG(stop_vcpus, stops);
	WRONG(resume_vcpus, stops);

	WRONG(flags, 1U << 4);
	WRONG(flags, UINT32_MAX);

	create_init(&c, GMS_KVM_MEMSLOTS);
	c.opts.first_slot = FAKE_SLOTS - 3;
	create_gives(&c, 0);
	create_fini(&c);
	c.opts.way = GMS_KVM_IN_PLACE;
	create_gives(&c, -EOPNOTSUPP);
	assert_string_equal(gms_reason(), "KVM does not offer this way");
	c.opts.way = GMS_KVM_ANY;
	c.opts.flags = GMS_KVM_GUEST_MEMFD;
	create_gives(&c, -EOPNOTSUPP);
	assert_string_equal(gms_reason(), "KVM offers no way with these flags");
	c.opts.flags = 0;
	c.opts.vm_fd = FAKE_VM + 1;
	create_gives(&c, -EOPNOTSUPP);
	assert_string_equal(gms_reason(), "vm_fd is no VM, or KVM has no guest_memfd");
	assert_int_equal(gms_kvm_destroy(NULL), 0);
}

/* The options of an older caller are smaller, those of a newer caller are larger. */
static void options_have_a_size(void **unused)
{
	struct {
		struct gms_kvm_opts opts;
		unsigned char more[8];
	} other;
	const size_t least = offsetof(struct gms_kvm_opts, stop_vcpus);
	struct create c;

	(void)unused;
	for (size_t size = 0; size <= sizeof(other); size++) {
		/* a size is accepted only if the struct ends with a whole member */
		const bool good = size >= least && (size >= sizeof(c.opts) || size % 8 == 0);

		create_init(&c, GMS_KVM_ATTRIBUTES);
		memset(&other, 0xff, sizeof(other)); /* bytes behind the size are ignored */
		c.opts.struct_size = size;
		memcpy(&other, &c.opts, size < sizeof(c.opts) ? size : sizeof(c.opts));
		if (size > sizeof(c.opts))
			memset(other.more, 0, size - sizeof(c.opts));
		other.opts.struct_size = size;
		assert_int_equal(gms_kvm_create_on(&other.opts, &c.fake.sys, &c.talloc.ops, &c.kvm),
				 good ? 0 : -EINVAL);
		if (good)
			create_fini(&c);
		if (size <= sizeof(c.opts))
			continue;
		other.more[size - sizeof(c.opts) - 1] = 1;
		assert_int_equal(gms_kvm_create_on(&other.opts, &c.fake.sys, &c.talloc.ops, &c.kvm),
				 -EINVAL);
	}
}

/* ---- parts that are the caller's ---- */

static void adoption_is_checked(void **unused)
{
	struct create c;

	(void)unused;
#define ADOPT(kernel, err, ...)                                                \
	do {                                                                   \
		create_init(&c, kernel);                                       \
		c.opts.guest_memfd = fake_adopt_file(&c.fake, true, 12, 0, 1); \
		c.opts.shared_fd = fake_adopt_file(&c.fake, false, 12, 0, 1);  \
		c.opts.host = fake_adopt_view(&c.fake, c.opts.shared_fd);      \
		__VA_ARGS__;                                                   \
		create_gives(&c, err);                                         \
		if (!(err))                                                    \
			create_fini(&c);                                       \
	} while (0)
	/* a flag that the mode does not support */
	ADOPT(GMS_KVM_MEMSLOTS, -EOPNOTSUPP, c.opts.flags = GMS_KVM_GUEST_MEMFD);
	ADOPT(GMS_KVM_MEMSLOTS, -EINVAL, c.opts.flags = GMS_KVM_GUEST_MEMFD,
	      c.opts.way = GMS_KVM_MEMSLOTS);
	ADOPT(GMS_KVM_IN_PLACE, -EOPNOTSUPP, c.opts.flags = GMS_KVM_SHARED_FD);
	ADOPT(GMS_KVM_IN_PLACE, -EINVAL, c.opts.flags = GMS_KVM_HOST,
	      c.opts.way = GMS_KVM_IN_PLACE);
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_SHARED_FD | GMS_KVM_HOST);
	/* bad offsets and addresses */
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_GUEST_MEMFD,
	      c.opts.guest_memfd_offset = 4095);
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_GUEST_MEMFD,
	      c.opts.guest_memfd_offset = -4096ULL);
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_SHARED_FD,
	      c.opts.shared_offset = 1);
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_HOST, c.opts.host = NULL);
	ADOPT(GMS_KVM_ATTRIBUTES, -EINVAL, c.opts.flags = GMS_KVM_HOST,
	      c.opts.host = (char *)c.opts.host + 1);
	/* members whose flags are not set are ignored */
	ADOPT(GMS_KVM_ATTRIBUTES, 0, c.opts.flags = 0, c.opts.shared_offset = 1,
	      c.opts.guest_memfd_offset = 1, c.opts.host = NULL);
	/* the first mode that supports the flag is picked, not the first mode */
	create_init(&c, GMS_KVM_ANY);
	c.fake.has_in_place = c.fake.has_attributes = c.fake.has_memslots = true;
	c.opts.shared_fd = fake_adopt_file(&c.fake, false, 12, 0, 1);
	c.opts.flags = GMS_KVM_SHARED_FD;
	create_gives(&c, 0);
	assert_int_equal(gms_kvm_get_way(c.kvm), GMS_KVM_ATTRIBUTES);
	create_fini(&c);
}

/* Memory on hugetlbfs must be whole huge pages: a mapping is never smaller. */
static void huge_pages_are_whole(void **unused)
{
	struct create c;

	(void)unused;
	for (uint64_t grain = 1; grain < 12; grain++) {
		create_init(&c, GMS_KVM_ATTRIBUTES);
		c.opts.flags = GMS_KVM_SHARED_FD;
		c.opts.shared_fd = fake_adopt_file(&c.fake, false, 12, 0, grain);
		create_gives(&c, c.opts.nr_pages % grain ? -EINVAL : 0);
		if (c.kvm) {
			assert_int_equal(c.kvm->hides, grain == 1);
			assert_int_equal(fake_nr_views(&c.fake), grain == 1 ? 2 : 1);
			create_fini(&c);
		}
	}
}

/* The caller's mapping is not replaced, and keeps its contents. */
static void the_host_s_mapping_is_left_alone(void **unused)
{
	struct create c;

	(void)unused;
	create_init(&c, GMS_KVM_ATTRIBUTES);
	c.opts.flags = GMS_KVM_HOST;
	c.opts.shared_fd = fake_adopt_file(&c.fake, false, 12, 0, 1);
	c.opts.host = fake_adopt_view(&c.fake, c.opts.shared_fd);
	c.fake.files[0].content[3] = 17;
	create_gives(&c, 0);
	assert_ptr_equal(gms_kvm_host(c.kvm), c.opts.host);
	assert_int_equal(fake_nr_views(&c.fake), 0);
	assert_int_equal(c.fake.files[0].content[3], 17);
	create_fini(&c);
	assert_true(c.fake.files[0].open);
	assert_int_equal(c.fake.views[0].nr_pages, 12);
}

/* ---- the first shareability ---- */

/* Pages are hidden from the first call on, until the state says that they are shared. */
static void what_begins_private_begins_hidden(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		if (!(krig_kinds[k].flags & GMS_KVM_INIT_PRIVATE))
			continue;
		krig_init_kvm(&rig, &krig_kinds[k], 10);
		for (uint64_t page = 0; page < KRIG_PAGES; page++) {
			assert_int_equal(fake_host_sees(&rig.fake, page, NULL), FAKE_PRIVATE);
			assert_true(gms_rtree_test(rig.kvm->private, page));
		}
		krig_init_state(&rig, true);
		krig_init_maps(&rig);
		assert_fine(krig_agrees(&rig)); /* a sync would find nothing to do */
		krig_convert(&rig, 10, 3, GMS_SHARED);
		krig_fini(&rig);
	}
}

/* The pages of a caller's guest_memfd may be private or not, so a sync converts each of them. */
static void memory_adopted_in_place_is_set_anew(void **unused)
{
	const struct krig_kind kind = {GMS_KVM_IN_PLACE, GMS_KVM_GUEST_MEMFD, 0};
	struct krig rig;

	(void)unused;
	for (unsigned int private = 0; private < 2; private ++) {
		krig_init_kvm(&rig, &kind, 10);
		for (unsigned int page = 0; page < FAKE_PAGES; page++)
			rig.fake.files[0].private[page] = page % 3;
		krig_init_state(&rig, private);
		krig_init_maps(&rig);
		assert_int_equal(gms_kvm_sync(rig.kvm, rig.state), 0);
		assert_fine(krig_agrees(&rig));
		krig_convert(&rig, 10, 30, private ? GMS_SHARED : GMS_PRIVATE);
		krig_fini(&rig);
	}
}

/* A table of system calls may lack the calls reserve, grain and discard. */
static void members_that_are_not_there_are_done_without(void **unused)
{
	static unsigned char memory[10 << GMS_PAGE_SHIFT] __attribute__((aligned(4096)));
	struct create c;

	(void)unused;
	for (unsigned int w = 0; w < ARRAY_SIZE(modes); w++) {
		create_init(&c, modes[w]);
		c.fake.sys.reserve = NULL;
		c.fake.sys.grain = NULL;
		create_gives(&c, 0);
		assert_int_equal((uintptr_t)gms_kvm_host(c.kvm) % 4096, 0);
		assert_int_equal(gms_kvm_map(c.kvm, 3, 0, 10), 0);
		create_fini(&c);
	}
	/* without the call, memset() discards */
	create_init(&c, GMS_KVM_ATTRIBUTES);
	c.fake.sys.discard = NULL;
	c.opts.flags = GMS_KVM_HOST;
	c.opts.host = memory;
	create_gives(&c, 0);
	memset(memory, 7, sizeof(memory));
	assert_int_equal(gms_kvm_host_punch(c.kvm, 2, 4, GMS_SHARED), 0);
	for (size_t i = 0; i < sizeof(memory); i++)
		assert_int_equal(memory[i],
				 i >> GMS_PAGE_SHIFT == 2 || i >> GMS_PAGE_SHIFT == 3 ? 0 : 7);
	create_fini(&c);
}

/* ---- failures ---- */

static void prepare(struct create *c, const struct krig_kind *kind)
{
	create_init(c, kind->mode);
	c->opts.flags = kind->flags;
	c->opts.nr_pages = 16;
	if (kind->flags & GMS_KVM_GUEST_MEMFD)
		c->opts.guest_memfd = fake_adopt_file(&c->fake, true, 20, 0, 1);
	if (kind->flags & (GMS_KVM_SHARED_FD | GMS_KVM_HOST))
		c->opts.shared_fd =
			fake_adopt_file(&c->fake, false, 20, 0, kind->grain ? kind->grain : 1);
	if (kind->flags & GMS_KVM_HOST)
		c->opts.host = fake_adopt_view(&c->fake, c->opts.shared_fd);
}

static void create_fails_at_each_call_and_leaves_nothing(void **unused)
{
	struct create c;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		uint64_t nr_calls, nr_allocs;

		prepare(&c, &krig_kinds[k]);
		create_gives(&c, 0);
		nr_calls = c.fake.calls;
		nr_allocs = c.talloc.allocs;
		create_fini(&c);
		for (uint64_t n = 0; n < nr_allocs; n++) {
			prepare(&c, &krig_kinds[k]);
			talloc_fail(&c.talloc, n, 1);
			create_gives(&c, -ENOMEM);
		}
		for (uint64_t n = 0; n < nr_calls; n++) {
			int err;

			prepare(&c, &krig_kinds[k]);
			fake_fail(&c.fake, n, 1, -EMFILE);
			err = gms_kvm_create_on(&c.opts, &c.fake.sys, &c.talloc.ops, &c.kvm);
			/* if a probe fails, the kernel seems to lack what the probe looks for */
			assert_true(err == -EMFILE || err == -EOPNOTSUPP || !err);
			if (err)
				c.kvm = NULL;
			create_fini(&c);
		}
	}
}

/* Makes memory with two maps and private runs in them, and destroys the state. */
static void prepare_maps(struct krig *rig, const struct krig_kind *kind)
{
	krig_init_kind(rig, kind, 20, false);
	krig_convert(rig, 3, 50, GMS_PRIVATE);
	krig_convert(rig, 13, 25, GMS_SHARED);
	krig_write(rig);
	rig->fake.stopped = NULL;
	rig->fake.state = NULL;
	gms_state_destroy(rig->state);
	rig->state = NULL;
}

/*
 * Each call fails in turn. What a memslot points to stays, which the fake kernel checks. A second
 * call succeeds.
 */
static void destroy_may_be_called_again(void **unused)
{
	const uint64_t counts[] = {1, 2, UINT64_MAX};
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
			for (uint64_t n = 0;; n++) {
				uint64_t failed;
				int err;

				prepare_maps(&rig, &krig_kinds[k]);
				fake_fail(&rig.fake, n, counts[i], -ENOMEM);
				err = gms_kvm_destroy(rig.kvm);
				failed = rig.fake.failed;
				fake_fail_never(&rig.fake);
				if (err) {
					assert_int_equal(err, -ENOMEM);
					assert_true(failed);
					assert_fine(fake_check(&rig.fake));
				} else {
					/* all is gone; attributes may be left */
					rig.kvm = NULL;
				}
				krig_fini(&rig);
				if (!failed)
					break;
			}
		}
	}
}

static void a_slot_that_stays_keeps_what_it_points_to(void **unused)
{
	struct krig rig;

	(void)unused;
	for (unsigned int k = 0; k < KRIG_KINDS; k++) {
		const unsigned int nr_files = krig_kinds[k].mode == GMS_KVM_IN_PLACE ? 1 : 2;
		unsigned int *content = NULL;

		prepare_maps(&rig, &krig_kinds[k]);
		fake_fail(&rig.fake, 0, UINT64_MAX, -ENOMEM);
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(gms_kvm_destroy(rig.kvm), -ENOMEM);
		for (uint64_t page = 0; page < 24; page++) {
			assert_int_not_equal(fake_guest_sees(&rig.fake, 900 + page, &content),
					     FAKE_NOTHING);
			assert_int_equal(*content, rig.content[page]);
		}
		assert_true(fake_nr_slots(&rig.fake) >= KRIG_MAPS);
		if (!krig_kinds[k].flags)
			assert_true(fake_nr_files(&rig.fake) >= nr_files);
		fake_fail_never(&rig.fake);
		krig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_are_probed),
		cmocka_unit_test(the_answer_to_a_hypercall_is_never_negative),
		cmocka_unit_test(create_refuses_what_is_wrong),
		cmocka_unit_test(options_have_a_size),
		cmocka_unit_test(adoption_is_checked),
		cmocka_unit_test(huge_pages_are_whole),
		cmocka_unit_test(the_host_s_mapping_is_left_alone),
		cmocka_unit_test(what_begins_private_begins_hidden),
		cmocka_unit_test(memory_adopted_in_place_is_set_anew),
		cmocka_unit_test(members_that_are_not_there_are_done_without),
		cmocka_unit_test(create_fails_at_each_call_and_leaves_nothing),
		cmocka_unit_test(destroy_may_be_called_again),
		cmocka_unit_test(a_slot_that_stays_keeps_what_it_points_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
