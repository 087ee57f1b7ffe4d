// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_slots.c - memslots come and go, and files: the state is that of the file
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conversions.h"

#define OTHER_SLOT 2
#define OTHER_GPA (MAIN_GPA + (512ULL << 20))
#define THIRD_GPA (MAIN_GPA + (1024ULL << 20))

/* Checks what the guest reads at a gpa, where a page with this stamp should be. */
static void guest_reads_at(struct place at, struct gmem *g, uint64_t gpa, uint64_t stamp)
{
	const struct words want = probe_written(stamp, 0);
	struct words words;
	enum answer answer = guest_answer(g, gpa, &words);

	if (answer != ANSWER_DATA)
		fail_at(at, "gpa 0x%llx: the guest gets %s", (unsigned long long)gpa,
			answer_name(answer));
	if (words.first != want.first || words.last != want.last)
		fail_at(at, "gpa 0x%llx: the guest reads 0x%llx, 0x%llx, not 0x%llx, 0x%llx",
			(unsigned long long)gpa, (unsigned long long)words.first,
			(unsigned long long)words.last, (unsigned long long)want.first,
			(unsigned long long)want.last);
}

/* Two memslots show two ranges of one file. A conversion covers parts of both. */
static void second_slot(void **state)
{
	const uint64_t stamp = new_stamp(), half = 2 * BLOCK;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, half));
	works(gmem_set_slot(&g, OTHER_SLOT, OTHER_GPA, half, PAGES - half));
	returns(-EEXIST, gmem_set_slot(&g, OTHER_SLOT + 1, THIRD_GPA, half, 1));

	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (int i = 0; i < 4; i++) {
		const enum side to = i % 2 ? SHARED : PRIVATE;

		converts(&g, half - 20, 20 + BLOCK, to);
		for (uint64_t page = half - 25; page < half; page++)
			guest_reads_at(HERE, &g, MAIN_GPA + page * PAGE, stamp + page);
		for (uint64_t page = half; page < half + BLOCK + 5; page++)
			guest_reads_at(HERE, &g, OTHER_GPA + (page - half) * PAGE, stamp + page);
		pages_are(&g, half - 20, 20 + BLOCK, to);
		host_reads(&g, 0, half - 20, stamp);
		host_reads(&g, half + BLOCK, PAGES - half - BLOCK, stamp);
	}
	close_memory(&g);
}

/* A memslot whose gfn and offset differ modulo 2M: no 2M page can be mapped for the guest. */
static void unaligned_slot(void **state)
{
	const uint64_t stamp = new_stamp(), gpa = OTHER_GPA + 3 * PAGE;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	works(gmem_set_slot(&g, MAIN_SLOT, gpa, 1, PAGES - 1));
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (int i = 0; i < 4; i++) {
		converts(&g, i * 300, BLOCK, i % 2 ? SHARED : PRIVATE);
		for (uint64_t page = 1; page < PAGES; page += i + 1)
			guest_reads_at(HERE, &g, gpa + (page - 1) * PAGE, stamp + page);
	}
	close_memory(&g);
}

/*
 * The memslot is deleted, and made again, at other addresses. The file keeps state and content.
 *
 * Where the guest found no memslot, no private page may follow: Linux 7.3 then takes the guest's
 * access for one to a shared page, because an SPTE for MMIO is still there.
 */
static void rebind(void **state)
{
	const uint64_t stamp = new_stamp();
	struct words words;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, 10, BLOCK, PRIVATE);
	guest_reads(&g, 0, PAGES, stamp);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	assert_int_equal(guest_answer(&g, MAIN_GPA, &words), ANSWER_MMIO);
	assert_int_equal(guest_answer(&g, MAIN_GPA + 10 * PAGE, &words), ANSWER_MMIO);
	pages_are(&g, 0, 10, SHARED);
	host_refused(&g, 10, BLOCK);

	/* conversions need no memslot */
	converts(&g, 0, 5, PRIVATE);
	converts(&g, 100, 1, SHARED);
	host_reads(&g, 100, 1, stamp);

	works(gmem_set_slot(&g, MAIN_SLOT, OTHER_GPA, 0, PAGES));
	for (uint64_t page = 0; page < PAGES; page += 3)
		guest_reads_at(HERE, &g, OTHER_GPA + page * PAGE, stamp + page);
	host_refused(&g, 0, 5);
	converts(&g, 0, PAGES, PRIVATE);
	works(gmem_set_slot(&g, MAIN_SLOT, OTHER_GPA, 0, 0));
	works(gmem_set_slot(&g, MAIN_SLOT, THIRD_GPA, 0, PAGES));
	for (uint64_t page = 0; page < PAGES; page++)
		guest_reads_at(HERE, &g, THIRD_GPA + page * PAGE, stamp + page);
	host_refused(&g, 0, PAGES);
	close_memory(&g);
}

/* The file is converted, and only then becomes memory of the guest. */
static void converted_before_the_slot(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, 0, 3 * BLOCK, PRIVATE);
	converts(&g, BLOCK + 1, 1, SHARED);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, PAGES));
	pages_hold(&g, 0, BLOCK + 1, PRIVATE, stamp);
	pages_hold(&g, BLOCK + 1, 1, SHARED, stamp);
	pages_hold(&g, 3 * BLOCK, PAGES - 3 * BLOCK, SHARED, stamp);
	close_memory(&g);
}

/* The last reference to the file goes while a memslot shows it: the guest's memory is gone. */
static void close_with_a_slot(void **state)
{
	const uint64_t stamp = new_stamp();
	struct words words;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, 1, BLOCK, PRIVATE);
	guest_reads(&g, 0, PAGES, stamp);

	/* a mapping keeps the file */
	close(g.fd);
	g.fd = -1;
	pages_hold(&g, 0, 1, SHARED, stamp);
	pages_hold(&g, 1, BLOCK, PRIVATE, stamp);
	munmap(g.host, PAGES * PAGE);
	g.host = NULL;
	assert_int_not_equal(guest_answer(&g, MAIN_GPA, &words), ANSWER_DATA);
	assert_int_not_equal(guest_answer(&g, MAIN_GPA + PAGE, &words), ANSWER_DATA);

	/* a new file takes its place */
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	g.fd = gmem_create_fd(g.m.vm, PAGES,
			      gmem_flags(variant.folio, variant.policy, variant.first));
	assert_true(g.fd >= 0);
	g.host = gmem_map(g.fd, 0, PAGES);
	assert_non_null(g.host);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, PAGES));
	pages_hold_0(&g, 0, PAGES, variant.first);
	close_memory(&g);
}

/* The VM's fd goes first. The file keeps the VM, and can still be converted and mapped. */
static void close_the_vm(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	guest_reads(&g, 0, PAGES, stamp);
	machine_destroy(&g.m);
	converts(&g, 0, 2 * BLOCK, PRIVATE);
	host_refused(&g, 0, 2 * BLOCK);
	host_reads(&g, 2 * BLOCK, PAGES - 2 * BLOCK, stamp);
	converts(&g, 5, BLOCK, SHARED);
	host_reads(&g, 5, BLOCK, stamp);
	close_memory(&g);
}

/* Offsets of many terabytes, in a file that is mapped in parts. */
static void huge_offsets(void **state)
{
	const uint64_t nr_pages = 1ULL << 32, at = nr_pages - 3 * BLOCK, stamp = new_stamp();
	struct gmem g;
	int fd;

	(void)state;
	open_memory(&g, 1);
	fd = g.fd;
	munmap(g.host, PAGE);
	works(gmem_set_slot(&g, MAIN_SLOT, MAIN_GPA, 0, 0));
	g.fd = gmem_create_fd(g.m.vm, nr_pages,
			      gmem_flags(variant.folio, variant.policy, variant.first));
	close(fd);
	assert_true(g.fd >= 0);
	g.nr_pages = 3 * BLOCK; /* of the mapping */
	g.host = gmem_map(g.fd, at, g.nr_pages);
	assert_non_null(g.host);

	converts(&g, at, 3 * BLOCK, SHARED);
	host_writes(&g, 0, 3 * BLOCK, stamp);
	converts(&g, at + BLOCK, BLOCK, PRIVATE);
	host_reads(&g, 0, BLOCK, stamp);
	host_refused(&g, BLOCK, BLOCK);
	host_reads(&g, 2 * BLOCK, BLOCK, stamp);
	converts(&g, nr_pages - 1, 1, PRIVATE);
	host_refused(&g, 3 * BLOCK - 1, 1);
	refuses(&g, nr_pages - 1, 2, SHARED, -EINVAL);
	refuses(&g, nr_pages, 1, SHARED, -EINVAL);

	/* all 16 TiB at once */
	converts(&g, 0, nr_pages, PRIVATE);
	host_refused(&g, 0, 3 * BLOCK);
	converts(&g, 0, nr_pages, SHARED);
	host_reads(&g, 0, 3 * BLOCK, stamp);
	works(gmem_punch(g.fd, at, BLOCK));
	host_reads_0(&g, 0, BLOCK);
	host_reads(&g, BLOCK, 2 * BLOCK, stamp);
	close_memory(&g);
}

/* A guest reads at the end of a huge file. */
static void huge_offset_in_a_slot(void **state)
{
	const uint64_t nr_pages = 1ULL << 30, at = nr_pages - 2 * BLOCK, stamp = new_stamp();
	struct kvm_userspace_memory_region2 region = {
		.slot = OTHER_SLOT,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = OTHER_GPA,
		.memory_size = 2 * BLOCK * PAGE,
		.guest_memfd_offset = at * PAGE,
	};
	unsigned char *host;
	struct gmem g;
	int fd;

	(void)state;
	open_memory(&g, 1);
	fd = gmem_create_fd(g.m.vm, nr_pages,
			    gmem_flags(variant.folio, variant.policy, variant.first));
	assert_true(fd >= 0);
	host = gmem_map(fd, at, 2 * BLOCK);
	assert_non_null(host);
	region.guest_memfd = (uint32_t)fd;
	region.userspace_addr = (uintptr_t)host;
	assert_int_equal(ioctl(g.m.vm, KVM_SET_USER_MEMORY_REGION2, &region), 0);
	works(gmem_convert(fd, at, 2 * BLOCK, SHARED, NULL));
	step_host_writes(HERE, host, 0, 2 * BLOCK, stamp);
	works(gmem_convert(fd, at + 5, BLOCK, PRIVATE, NULL));
	for (uint64_t page = 0; page < 2 * BLOCK; page++)
		guest_reads_at(HERE, &g, OTHER_GPA + page * PAGE, stamp + page);
	step_host_refused(HERE, host, 5, BLOCK);
	step_host_reads(HERE, host, BLOCK + 5, BLOCK - 5, stamp);
	munmap(host, 2 * BLOCK * PAGE);
	close(fd);
	close_memory(&g);
}

/* ---- the attributes of the VM ---- */

static int set_vm_attributes(int vm, uint64_t gpa, uint64_t nr_pages, enum side to)
{
	struct kvm_memory_attributes attributes = {
		.address = gpa,
		.size = nr_pages * PAGE,
		.attributes = to == PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes) ? -errno : 0;
}

/* Only the file's state counts for memory that is mapped in place. */
static void attributes_do_not_count(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, BLOCK, BLOCK, PRIVATE);
	/* the call may be refused; if not, nothing comes of it */
	(void)set_vm_attributes(g.m.vm, MAIN_GPA, BLOCK / 2, PRIVATE);
	(void)set_vm_attributes(g.m.vm, MAIN_GPA + BLOCK * PAGE, BLOCK, SHARED);
	pages_hold(&g, 0, BLOCK, SHARED, stamp);
	pages_hold(&g, BLOCK, BLOCK, PRIVATE, stamp);
	pages_hold(&g, 2 * BLOCK, PAGES - 2 * BLOCK, SHARED, stamp);
	close_memory(&g);
}

/* Memory of the old kind: two memories a page, and the attributes of the VM choose. */
static void attributes_without_mmap(void **state)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = OTHER_SLOT,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = OTHER_GPA,
		.memory_size = BLOCK * PAGE,
	};
	const uint64_t stamp = new_stamp();
	struct words words;
	unsigned char *shared;
	struct gmem g;
	int fd;

	(void)state;
	open_memory(&g, 4);
	fd = gmem_create_fd(g.m.vm, BLOCK, 0);
	assert_true(fd >= 0);
	shared = mmap(NULL, BLOCK * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_true(shared != MAP_FAILED);
	step_host_writes(HERE, shared, 0, BLOCK, stamp);
	region.guest_memfd = (uint32_t)fd;
	region.userspace_addr = (uintptr_t)shared;
	assert_int_equal(ioctl(g.m.vm, KVM_SET_USER_MEMORY_REGION2, &region), 0);
	guest_reads_at(HERE, &g, OTHER_GPA + 9 * PAGE, stamp + 9);
	works(set_vm_attributes(g.m.vm, OTHER_GPA + 8 * PAGE, 8, PRIVATE));
	assert_int_equal(guest_answer(&g, OTHER_GPA + 9 * PAGE, &words), ANSWER_DATA);
	assert_true(words.first == 0 && words.last == 0);
	guest_reads_at(HERE, &g, OTHER_GPA + 16 * PAGE, stamp + 16);
	step_host_reads(HERE, shared, 0, BLOCK, stamp);
	works(set_vm_attributes(g.m.vm, OTHER_GPA + 8 * PAGE, 8, SHARED));
	guest_reads_at(HERE, &g, OTHER_GPA + 9 * PAGE, stamp + 9);
	munmap(shared, BLOCK * PAGE);
	close(fd);
	close_memory(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(second_slot),
	cmocka_unit_test(unaligned_slot),
	cmocka_unit_test(rebind),
	cmocka_unit_test(converted_before_the_slot),
	cmocka_unit_test(close_with_a_slot),
	cmocka_unit_test(close_the_vm),
	cmocka_unit_test(huge_offsets),
	cmocka_unit_test(huge_offset_in_a_slot),
	cmocka_unit_test(attributes_do_not_count),
	cmocka_unit_test(attributes_without_mmap),
};

const struct test_list slots_tests = {tests, LENGTH(tests)};
