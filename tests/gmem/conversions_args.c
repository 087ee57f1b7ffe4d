// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_args.c - which calls of KVM_SET_MEMORY_ATTRIBUTES2 and KVM_CREATE_GUEST_MEMFD are
 * refused, and that a refused conversion changes nothing
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conversions.h"

/* Arguments that convert the first two pages to the other side. */
static struct kvm_memory_attributes2 good_args(void)
{
	return (struct kvm_memory_attributes2) {
		.size = 2 * PAGE,
		.attributes = variant.first == PRIVATE ? 0 : KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
}

static int set_attributes2(int fd, const struct kvm_memory_attributes2 *args)
{
	struct kvm_memory_attributes2 copy = *args;

	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, &copy) ? -errno : 0;
}

/* Checks that the arguments are refused, and that no page has changed. */
static void refused(struct gmem *g, const struct kvm_memory_attributes2 *args)
{
	int err = set_attributes2(g->fd, args);

	if (err != -EINVAL)
		fail_at(HERE,
			"offset 0x%llx, size 0x%llx, attributes 0x%llx, flags 0x%llx: %d, "
			"not EINVAL",
			(unsigned long long)args->offset, (unsigned long long)args->size,
			(unsigned long long)args->attributes, (unsigned long long)args->flags, err);
	pages_are(g, 0, g->nr_pages, variant.first);
}

static int check_extension(int fd, unsigned long cap)
{
	int rc = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return rc < 0 ? -errno : rc;
}

static void args_capability(void **state)
{
	struct machine ordinary = MACHINE_INIT;
	struct gmem g;
	int flags;

	(void)state;
	open_memory(&g, 4);
	assert_int_equal(check_extension(g.m.vm, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES),
			 KVM_MEMORY_ATTRIBUTE_PRIVATE);
	flags = check_extension(g.m.vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	assert_true(flags > 0);
	assert_int_equal(flags & (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED),
			 GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);

	works(machine_create(&ordinary, MACHINE_VM_DEFAULT));
	assert_int_equal(check_extension(ordinary.vm, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);
	machine_destroy(&ordinary);
	close_memory(&g);
}

static void args_flags(void **state)
{
	struct kvm_memory_attributes2 args;
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	for (unsigned int bit = 0; bit < 64; bit++) {
		args = good_args();
		args.flags = 1ULL << bit;
		refused(&g, &args);
	}
	for (size_t i = 0; i < LENGTH(args.reserved); i++)
		for (unsigned int bit = 0; bit < 64; bit += 9) {
			args = good_args();
			args.reserved[i] = 1ULL << bit;
			refused(&g, &args);
		}
	args = good_args();
	args.error_offset = ~0ULL; /* output only */
	works(set_attributes2(g.fd, &args));
	pages_are(&g, 0, 2, OTHER(variant.first));
	close_memory(&g);
}

static void args_attributes(void **state)
{
	struct kvm_memory_attributes2 args;
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	for (unsigned int bit = 0; bit < 64; bit++) {
		args = good_args();
		args.attributes ^= 1ULL << bit;
		if (1ULL << bit != KVM_MEMORY_ATTRIBUTE_PRIVATE)
			refused(&g, &args);
	}
	args.attributes = ~0ULL;
	refused(&g, &args);
	close_memory(&g);
}

static void args_ranges(void **state)
{
	const uint64_t size = 4 * PAGE, whole = -PAGE;
	const struct {
		uint64_t offset, size;
	} bad[] = {
		{0, 0},
		{PAGE, 0},
		{size, 0},
		{0, 1},
		{0, PAGE - 1},
		{0, PAGE + 1},
		{0, PAGE + 512},
		{1, PAGE},
		{PAGE - 1, PAGE},
		{512, PAGE - 512},
		{PAGE + 2048, PAGE},
		{size, PAGE},
		{size - PAGE, 2 * PAGE},
		{0, size + PAGE},
		{2 * size, PAGE},
		{1ULL << 62, PAGE},
		{1ULL << 63, PAGE},
		{whole, PAGE},
		{whole, 2 * PAGE},
		{0, whole},
		{PAGE, whole},
		{2 * PAGE, whole},
		{1ULL << 63, 1ULL << 63},
		{PAGE, (1ULL << 63) - PAGE},
		{~0ULL, 1},
	};
	struct gmem g;

	(void)state;
	open_memory(&g, size / PAGE);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		struct kvm_memory_attributes2 args = good_args();

		args.offset = bad[i].offset;
		args.size = bad[i].size;
		refused(&g, &args);
		args.attributes ^= KVM_MEMORY_ATTRIBUTE_PRIVATE; /* no page would change */
		refused(&g, &args);
	}
	converts(&g, 3, 1, OTHER(variant.first));
	pages_are(&g, 0, 3, variant.first);
	pages_are(&g, 3, 1, OTHER(variant.first));
	close_memory(&g);
}

static int set_attributes2_at(int fd, void *args)
{
	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, args) ? -errno : 0;
}

static void args_pointers(void **state)
{
	struct kvm_memory_attributes2 args = good_args();
	unsigned char *two;
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(two != MAP_FAILED);
	assert_int_equal(munmap(two + PAGE, PAGE), 0);

	returns(-EFAULT, set_attributes2_at(g.fd, NULL));
	returns(-EFAULT, set_attributes2_at(g.fd, two + PAGE));
	returns(-EFAULT, set_attributes2_at(g.fd, (void *)~0xfffULL));
	/* the last word of the arguments is not mapped */
	memcpy(two + PAGE + 8 - sizeof(args), &args, sizeof(args) - 8);
	returns(-EFAULT, set_attributes2_at(g.fd, two + PAGE + 8 - sizeof(args)));
	pages_are(&g, 0, 4, variant.first);

	memcpy(two + PAGE - sizeof(args), &args, sizeof(args));
	works(set_attributes2_at(g.fd, two + PAGE - sizeof(args)));
	pages_are(&g, 0, 2, OTHER(variant.first));
	munmap(two, PAGE);
	close_memory(&g);
}

/* A guest_memfd that the host cannot map has no state of its own: that of the VM counts. */
static void args_without_mmap(void **state)
{
	struct kvm_memory_attributes2 args = {.size = PAGE};
	struct gmem g;
	int fd;

	(void)state;
	open_memory(&g, 4);
	fd = gmem_create_fd(g.m.vm, 4, 0);
	assert_true(fd >= 0);
	returns(-EINVAL, set_attributes2(fd, &args));
	args.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE;
	returns(-EINVAL, set_attributes2(fd, &args));
	close(fd);
	close_memory(&g);
}

static void args_without_private(void **state)
{
	const uint64_t flags = gmem_flags(variant.folio, variant.policy, SHARED);
	struct kvm_memory_attributes2 args = {.size = PAGE};
	struct machine m = MACHINE_INIT;
	const uint64_t stamp = new_stamp();
	unsigned char *host;
	int fd;

	(void)state;
	works(host_start());
	works(machine_create(&m, MACHINE_VM_DEFAULT));
	fd = gmem_create_fd(m.vm, 4, flags);
	assert_true(fd >= 0);
	host = gmem_map(fd, 0, 4);
	assert_non_null(host);
	step_host_writes(HERE, host, 0, 4, stamp);
	args.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE;
	returns(-EINVAL, set_attributes2(fd, &args));
	args.attributes = 0;
	works(set_attributes2(fd, &args));
	step_host_reads(HERE, host, 0, 4, stamp);
	munmap(host, 4 * PAGE);
	close(fd);
	machine_destroy(&m);
}

static void args_creation(void **state)
{
	const uint64_t good = GUEST_MEMFD_FLAG_MMAP, block = BLOCK;
	const uint64_t unknown =
		~(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED | GUEST_MEMFD_FLAGS_GMS);
	const uint64_t both = GUEST_MEMFD_FLAG_4K | GUEST_MEMFD_FLAG_2M;
	struct gmem g;
	int fd;

	(void)state;
	open_memory(&g, 4);
	returns(-EINVAL, gmem_create_fd(g.m.vm, block, good | GUEST_MEMFD_FLAG_POLICY(7ULL)));
	returns(-EINVAL, gmem_create_fd(g.m.vm, block, good | both));
	for (uint64_t bit = 1; bit; bit <<= 1)
		if (bit & unknown)
			returns(-EINVAL, gmem_create_fd(g.m.vm, block, good | bit));
	returns(-EINVAL, gmem_create_fd(g.m.vm, 0, good));
	for (unsigned int folio = 0; folio < FOLIO_NR; folio++)
		for (unsigned int policy = 0; policy < POLICY_NR; policy++) {
			fd = gmem_create_fd(
				g.m.vm, block,
				gmem_flags((enum folio)folio, (enum policy)policy, PRIVATE));
			assert_true(fd >= 0);
			close(fd);
		}
	close_memory(&g);
}

static void args_other_ioctls(void **state)
{
	struct kvm_memory_attributes old = {
		.address = 0,
		.size = PAGE,
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	assert_int_equal(ioctl(g.fd, KVM_SET_MEMORY_ATTRIBUTES, &old), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(ioctl(g.fd, KVM_GET_API_VERSION, 0), -1);
	assert_int_equal(errno, ENOTTY);
	pages_are(&g, 0, 4, variant.first);
	close_memory(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(args_capability),      cmocka_unit_test(args_flags),
	cmocka_unit_test(args_attributes),      cmocka_unit_test(args_ranges),
	cmocka_unit_test(args_pointers),        cmocka_unit_test(args_without_mmap),
	cmocka_unit_test(args_without_private), cmocka_unit_test(args_creation),
	cmocka_unit_test(args_other_ioctls),
};

const struct test_list args_tests = {tests, LENGTH(tests)};
