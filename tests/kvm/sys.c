// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sys.c - proves what kvm/sys.h says of the system calls, on this machine's kernel
 *
 * The tests need no KVM.
 */
#define _GNU_SOURCE
#include "test.h"

#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define TWO_M (2UL << 20)
#define ONE_G (1UL << 30)

static const struct gms_kvm_sys *const sys = &gms_kvm_sys_linux;

static bool is_mapped(const void *at)
{
	return !msync((void *)((uintptr_t)at & -PAGE), PAGE, MS_ASYNC);
}

static void addresses_are_aligned(void **unused)
{
	const uint64_t sizes[] = {PAGE,      5 * PAGE, TWO_M,       TWO_M + PAGE,
				  3 * TWO_M, ONE_G,    ONE_G + PAGE};
	const uint64_t aligns[] = {PAGE, TWO_M, ONE_G};

	(void)unused;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t a = 0; a < ARRAY_SIZE(aligns); a++) {
			void *at[4];

			for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
				assert_int_equal(sys->reserve(NULL, &at[i], sizes[s], aligns[a]),
						 0);
				assert_int_equal((uintptr_t)at[i] % aligns[a], 0);
				assert_true(is_mapped(at[i]));
				assert_true(is_mapped((char *)at[i] + sizes[s] - 1));
			}
			for (size_t i = 0; i < ARRAY_SIZE(at); i++)
				assert_int_equal(sys->unmap(NULL, at[i], sizes[s]), 0);
		}
	}
	assert_int_equal(sys->reserve(NULL, &(void *) {NULL}, 1ULL << 60, TWO_M), -ENOMEM);
}

/* Returns the size of the process's address space in use, in pages. */
static unsigned long nr_mapped(void)
{
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char line[256] = "";

	assert_true(fd >= 0);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	return strtoul(line, NULL, 10);
}

/* reserve() unmaps its surplus: the address space grows by the size asked for, and no more. */
static void the_surplus_is_trimmed(void **unused)
{
	const unsigned long before = nr_mapped();
	unsigned long with, after;
	void *at;

	(void)unused;
	assert_int_equal(sys->reserve(NULL, &at, TWO_M, ONE_G), 0);
	with = nr_mapped();
	assert_int_equal(sys->unmap(NULL, at, TWO_M), 0);
	after = nr_mapped();
	assert_int_equal(with - before, TWO_M / PAGE);
	assert_int_equal(after, before);
}

/* Returns true if the mapping that begins at an address has a flag in smaps' VmFlags. */
static bool has_flag(const void *at, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool here = false, has = false;
	char line[4096];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *end;
		const uint64_t start = strtoull(line, &end, 16);

		if (*end == '-')
			here = start == (uintptr_t)at;
		else if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag);
	}
	fclose(file);
	return has;
}

static void mappings_are_not_inherited(void **unused)
{
	const int fd = sys->memfd(NULL, "test", 3 * PAGE);
	void *at = NULL;

	(void)unused;
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 2; i++) { /* first anywhere, then over that mapping */
		pid_t child;
		int status;

		assert_int_equal(sys->map(NULL, &at, 3 * PAGE, fd, 0), 0);
		assert_true(has_flag(at, " dc"));
		assert_true(has_flag(at, " dd"));
		*(volatile char *)at = 1;
		child = fork();
		if (!child)
			_exit(is_mapped(at));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	assert_int_equal(sys->look(NULL, at, 3 * PAGE), 0);
	assert_int_equal(sys->unmap(NULL, at, 3 * PAGE), 0);
	assert_int_equal(sys->look(NULL, at, 3 * PAGE), -ENOMEM);
	assert_int_equal(sys->map(NULL, &at, PAGE, -1, 0), -EBADF);
	sys->close(NULL, fd);
}

static void a_memfd_has_its_size_for_good(void **unused)
{
	const uint64_t sizes[] = {0, PAGE, 10 * PAGE};

	(void)unused;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		const int fd = sys->memfd(NULL, "test", sizes[s]);
		struct stat st;

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, sizes[s]);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(ftruncate(fd, (off_t)(sizes[s] + PAGE)), -1);
		assert_true(!sizes[s] || ftruncate(fd, 0) == -1);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
		if (sizes[s])
			assert_int_equal(sys->punch(NULL, fd, 0, PAGE), 0);
		assert_int_equal(sys->grain(NULL, fd), PAGE);
		sys->close(NULL, fd);
	}
	assert_int_equal(sys->memfd(NULL, "test", 1ULL << 63), -EINVAL);
	assert_int_equal(sys->grain(NULL, -1), -EBADF);
}

/* ---- discarding ---- */

/*
 * Discards some pages of a mapping. Checks that they hold 0, and that the others did not change.
 */
static void discard_in(unsigned char *at, uint64_t size, uint64_t start, uint64_t end)
{
	memset(at, 0x5a, size);
	assert_int_equal(sys->discard(NULL, at + start, end - start), 0);
	for (uint64_t i = 0; i < size; i++)
		if (at[i] != (i >= start && i < end ? 0 : 0x5a))
			fail_msg("byte %#lx is %#x", (unsigned long)i, at[i]);
}

static void discard_in_parts(unsigned char *at, uint64_t size)
{
	discard_in(at, size, 0, PAGE);
	discard_in(at, size, 3 * PAGE, 9 * PAGE);
	discard_in(at, size, size - PAGE, size);
	discard_in(at, size, 0, size);
	if (size > TWO_M)
		discard_in(at, size, PAGE, TWO_M + PAGE);
}

static unsigned char *mapped(uint64_t size, int flags, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static void what_is_discarded_holds_0(void **unused)
{
	const uint64_t size = 4 * TWO_M;
	const int fd = sys->memfd(NULL, "test", size);
	unsigned char *at;

	(void)unused;
	for (unsigned int i = 0; i < 4; i++) {
		const int flags = i & 1 ? MAP_SHARED : MAP_PRIVATE;

		at = i & 2 ? mapped(size, flags, fd) : mapped(size, flags | MAP_ANONYMOUS, -1);
		madvise(at, size, MADV_HUGEPAGE);
		discard_in_parts(at, size);
		/* locked pages can be neither removed nor dropped */
		if (!mlock(at, 64 * PAGE)) {
			discard_in(at, 64 * PAGE, 2 * PAGE, 17 * PAGE);
			discard_in(at, size, 60 * PAGE, 70 * PAGE);
		}
		munmap(at, size);
	}
	sys->close(NULL, fd);
}

/* Discarding frees memory, and does not only fill it with 0. */
static void what_is_discarded_is_freed(void **unused)
{
	const uint64_t size = 64 * PAGE;
	const int fd = sys->memfd(NULL, "test", size);
	unsigned char there[64];
	struct stat st;
	unsigned char *at;

	(void)unused;
	at = mapped(size, MAP_SHARED, fd);
	memset(at, 1, size);
	assert_int_equal(sys->discard(NULL, at, size), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	munmap(at, size);
	sys->close(NULL, fd);
	at = mapped(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memset(at, 1, size);
	assert_int_equal(sys->discard(NULL, at, size), 0);
	assert_int_equal(mincore(at, size, there), 0);
	for (unsigned int i = 0; i < 64; i++)
		assert_false(there[i] & 1);
	munmap(at, size);
}

static void huge_pages_are_discarded_in_parts(void **unused)
{
	const int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	bool any = false;

	(void)unused;
	if (fd < 0 || ftruncate(fd, 2 * TWO_M))
		skip();
	assert_int_equal(sys->grain(NULL, fd), TWO_M);
	for (unsigned int i = 0; i < 4; i++) {
		const int flags = i & 1 ? MAP_SHARED : MAP_PRIVATE;
		void *at = i & 2 ? mmap(NULL, 2 * TWO_M, PROT_READ | PROT_WRITE, flags, fd, 0)
				 : mmap(NULL, 2 * TWO_M, PROT_READ | PROT_WRITE,
					flags | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

		if (at == MAP_FAILED) /* no huge page is free */
			continue;
		any = true;
		discard_in_parts(at, 2 * TWO_M);
		munmap(at, 2 * TWO_M);
	}
	close(fd);
	if (!any)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_aligned),
		cmocka_unit_test(the_surplus_is_trimmed),
		cmocka_unit_test(mappings_are_not_inherited),
		cmocka_unit_test(a_memfd_has_its_size_for_good),
		cmocka_unit_test(what_is_discarded_holds_0),
		cmocka_unit_test(what_is_discarded_is_freed),
		cmocka_unit_test(huge_pages_are_discarded_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
