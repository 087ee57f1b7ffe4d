// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * real.c - the backend for KVM on the machine's own kernel
 *
 * The tests run in each mode that this kernel offers, on an ordinary VM and on one of the type
 * KVM_X86_SW_PROTECTED_VM. No vCPU runs. Without /dev/kvm the program prints that it is skipped.
 */
#include "test.h"

#include "oracle.h"

#include <gmemstate/kvm.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ULL
#define SKIPPED 77
#define GFN_4G (1ULL << 20)
#define ONE_G (1ULL << GMS_ORDER_1G)
struct real {
	int vm;
	struct gms_kvm *kvm;
	struct gms_state *state;
	unsigned char *host;
	uint64_t nr_pages;
};

/* The VM type and the mode of this run of the tests, and the flags for init(). */
static int dev_kvm;
static unsigned int memory_flags;
static unsigned long vm_type;
static enum gms_kvm_way mode;

/* ---- a touch that may raise SIGBUS ---- */

static sigjmp_buf escape;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

/* Reads a byte of a page. Returns false if that raises SIGBUS. */
static bool reads(const struct real *real, uint64_t page, unsigned char *value)
{
	if (sigsetjmp(escape, 1))
		return false;
	*value = *(volatile unsigned char *)(real->host + page * PAGE);
	return true;
}

static bool writes(const struct real *real, uint64_t page, unsigned char value)
{
	if (sigsetjmp(escape, 1))
		return false;
	*(volatile unsigned char *)(real->host + page * PAGE) = value;
	return true;
}

static void holds(const struct real *real, uint64_t page, unsigned char value)
{
	unsigned char is = (unsigned char)~value;

	assert_true(reads(real, page, &is));
	assert_int_equal(is, value);
}

static void refuses(const struct real *real, uint64_t page)
{
	unsigned char value;

	assert_false(reads(real, page, &value));
	assert_false(writes(real, page, 1));
}

/* Checks that the host can touch shared pages, and no others. */
static void touch_all(const struct real *real)
{
	for (uint64_t page = 0; page < real->nr_pages; page++) {
		unsigned char value;

		assert_int_equal(reads(real, page, &value), !gms_is_private(real->state, page));
	}
}

/* ---- a VM with memory ---- */

static void init(struct real *real, uint64_t nr_pages, unsigned int nr_slots, uint64_t flags)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	const struct sigaction action = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &action, NULL); /* in each test: cmocka sets its own handler */
	real->nr_pages = nr_pages;
	real->vm = ioctl(dev_kvm, KVM_CREATE_VM, vm_type);
	assert_true(real->vm >= 0);
	opts.vm_fd = real->vm;
	opts.way = mode;
	opts.nr_pages = nr_pages;
	opts.first_slot = 3;
	opts.nr_slots = nr_slots;
	opts.flags = memory_flags;
	assert_int_equal(gms_kvm_create(&opts, &real->kvm), 0);
	assert_int_equal(gms_kvm_get_way(real->kvm), mode);
	real->host = gms_kvm_host(real->kvm);
	state_opts.nr_pages = nr_pages;
	state_opts.flags = flags;
	state_opts.backend = gms_kvm_backend();
	state_opts.backend_ctx = real->kvm;
	assert_int_equal(gms_state_create(&state_opts, &real->state), 0);
}

static void fini(struct real *real)
{
	gms_state_destroy(real->state);
	assert_int_equal(gms_kvm_destroy(real->kvm), 0);
	close(real->vm);
}

static void convert(const struct real *real, uint64_t start, uint64_t nr_pages,
		    enum gms_shareability to)
{
	assert_int_equal(gms_convert(real->state, start, nr_pages, to, 0, NULL), 0);
}

/* Returns how many lines of /proc/self/maps lie in the host's view. */
static unsigned int nr_mappings(const struct real *real)
{
	FILE *file = fopen("/proc/self/maps", "re");
	const uint64_t host = (uintptr_t)real->host;
	unsigned int nr = 0;
	char line[4096];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const uint64_t start = strtoull(line, NULL, 16);

		nr += start >= host && start < host + real->nr_pages * PAGE;
	}
	fclose(file);
	return nr;
}

static unsigned int nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* ---- the tests ---- */

static void the_first_mode_is_picked(void **unused)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;
	unsigned int modes;
	struct real real;

	(void)unused;
	init(&real, 16, 8, 0);
	modes = gms_kvm_ways(real.vm);
	assert_true(modes & 1U << mode);
	gms_kvm_destroy(real.kvm);
	opts.vm_fd = real.vm;
	opts.nr_pages = 16;
	opts.nr_slots = 1;
	assert_int_equal(gms_kvm_create(&opts, &real.kvm), 0);
	for (unsigned int w = GMS_KVM_IN_PLACE; w < gms_kvm_get_way(real.kvm); w++)
		assert_false(modes & 1U << w);
	gms_state_destroy(real.state);
	gms_kvm_destroy(real.kvm);
	opts.first_slot = 1U << 16;
	assert_int_equal(gms_kvm_create(&opts, &real.kvm), -EINVAL);
	opts.first_slot = 0;
	opts.vm_fd = dev_kvm;
	assert_int_equal(gms_kvm_create(&opts, &real.kvm), -EOPNOTSUPP);
	close(real.vm);
}

static void the_host_touches_what_is_shared(void **unused)
{
	const unsigned char kept = mode == GMS_KVM_IN_PLACE ? 0x5a : 0;
	struct real real;

	(void)unused;
	init(&real, 64, 16, 0);
	assert_int_equal(gms_kvm_map(real.kvm, 16, 0, 64), 0);
	touch_all(&real);
	for (uint64_t page = 0; page < 64; page++)
		assert_true(writes(&real, page, 0x5a));
	convert(&real, 10, 4, GMS_PRIVATE);
	touch_all(&real);
	refuses(&real, 10);
	refuses(&real, 13);
	holds(&real, 9, 0x5a);
	holds(&real, 14, 0x5a);
	convert(&real, 11, 1, GMS_SHARED);
	touch_all(&real);
	holds(&real, 11, kept);
	assert_true(writes(&real, 11, 0x77));
	convert(&real, 0, 64, GMS_PRIVATE);
	touch_all(&real);
	convert(&real, 0, 64, GMS_SHARED);
	touch_all(&real);
	for (uint64_t page = 0; page < 64; page++)
		holds(&real, page, kept && page == 11 ? 0x77 : kept);
	fini(&real);
}

/* A program that this one starts inherits none of the files. */
static void descriptors_are_closed_on_exec(void **unused)
{
	unsigned int nr = 0;
	struct real real;

	(void)unused;
	init(&real, 16, 4, 0);
	for (int fd = 0; fd < 64; fd++) {
		char path[32], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "gmem"))
			continue;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		nr++;
	}
	/* one in place, two by memslots; by attributes also the file that refuses */
	assert_int_equal(nr, mode == GMS_KVM_IN_PLACE ? 1 : mode == GMS_KVM_MEMSLOTS ? 2 : 3);
	fini(&real);
}

/* The host's view follows conversions of pages that are not mapped to the guest. */
static void what_is_not_mapped_is_converted_too(void **unused)
{
	struct real real;

	(void)unused;
	init(&real, 32, 4, 0);
	assert_true(writes(&real, 5, 1));
	convert(&real, 4, 4, GMS_PRIVATE);
	touch_all(&real);
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 32), 0);
	assert_int_equal(gms_kvm_unmap(real.kvm, 0), 0);
	convert(&real, 0, 32, GMS_SHARED);
	touch_all(&real);
	fini(&real);
}

static void sync_hides_what_is_private_from_the_start(void **unused)
{
	struct real real;

	(void)unused;
	init(&real, 48, 16, GMS_INIT_PRIVATE);
	assert_true(writes(&real, 40, 9));
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 24), 0);
	assert_int_equal(gms_kvm_sync(real.kvm, real.state), 0);
	touch_all(&real);
	assert_int_equal(gms_kvm_map(real.kvm, GFN_4G, 24, 24), 0);
	convert(&real, 20, 8, GMS_SHARED);
	touch_all(&real);
	assert_int_equal(gms_kvm_sync(real.kvm, real.state), 0);
	touch_all(&real);
	convert(&real, 40, 1, GMS_SHARED);
	holds(&real, 40, mode == GMS_KVM_IN_PLACE ? 9 : 0);
	fini(&real);
}

/* No private page is visible at any time, not even before a sync. */
static void what_begins_private_begins_hidden(void **unused)
{
	struct real real;

	(void)unused;
	memory_flags = GMS_KVM_INIT_PRIVATE;
	init(&real, 48, 16, GMS_INIT_PRIVATE);
	memory_flags = 0;
	touch_all(&real);
	convert(&real, 20, 8, GMS_SHARED);
	touch_all(&real);
	fini(&real);
}

/* Huge mappings need addresses that agree with gfn. KVM accepts or refuses a slot's flags. */
static void addresses_are_aligned_and_flags_passed_on(void **unused)
{
	struct real real;

	(void)unused;
	init(&real, 2 * ONE_G, 9, 0);
	assert_int_equal((uintptr_t)real.host % (ONE_G * PAGE), 0);
	fini(&real);
	init(&real, 16, 9, 0);
	assert_int_equal((uintptr_t)real.host % (512 * PAGE), 0);
	for (uint32_t flag = KVM_MEM_LOG_DIRTY_PAGES; flag <= KVM_MEM_READONLY; flag <<= 1) {
		const int err = gms_kvm_map_flags(real.kvm, 0, 0, 16, flag);

		assert_true(err == -EINVAL || !err);
		assert_int_equal(gms_kvm_unmap(real.kvm, 0), err ? -ENOENT : 0);
	}
	fini(&real);
}

static void maps_lie_below_and_above_4g(void **unused)
{
	struct kvm_userspace_memory_region own = {.slot = 0, .guest_phys_addr = 300 * PAGE};
	struct real real;
	void *memory;

	(void)unused;
	init(&real, 128, 64, 0);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	own.userspace_addr = (uintptr_t)memory;
	own.memory_size = PAGE;
	assert_int_equal(ioctl(real.vm, KVM_SET_USER_MEMORY_REGION, &own), 0);
	convert(&real, 30, 40, GMS_PRIVATE);
	assert_int_equal(gms_kvm_map(real.kvm, 256, 0, 64), -EEXIST); /* overlaps the slot of own */
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 64), 0);
	assert_int_equal(gms_kvm_map(real.kvm, GFN_4G, 63, 65), -EEXIST);
	assert_int_equal(gms_kvm_map(real.kvm, 63, 64, 64), -EEXIST);
	assert_int_equal(gms_kvm_map(real.kvm, GFN_4G, 64, 64), 0);
	for (uint64_t page = 1; page < 120; page += 9)
		convert(&real, page, 5, page & 1 ? GMS_PRIVATE : GMS_SHARED);
	convert(&real, 50, 30, GMS_SHARED);
	touch_all(&real);
	assert_int_equal(gms_kvm_unmap(real.kvm, 0), 0);
	assert_int_equal(gms_kvm_map(real.kvm, 2 * GFN_4G, 0, 64), 0);
	convert(&real, 0, 128, GMS_PRIVATE);
	touch_all(&real);
	fini(&real);
	munmap(memory, PAGE);
}

/* Equal neighbours are one mapping of the kernel, whatever conversions led to them. */
static void mappings_are_as_many_as_runs(void **unused)
{
	struct prng prng;
	struct real real;

	(void)unused;
	init(&real, 256, 256, 0);
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 256), 0);
	prng_init(&prng, test_seed());
	for (uint64_t i = test_iters(300); i; i--) {
		const uint64_t start = prng_below(&prng, 250);
		struct gms_iter iter;
		struct gms_run run;
		unsigned int nr = 0;

		convert(&real, start, 1 + prng_below(&prng, 6),
			prng_chance(&prng, 50) ? GMS_PRIVATE : GMS_SHARED);
		gms_iter_init(&iter, real.state, 0, 256);
		while (gms_iter_next(&iter, &run))
			nr++;
		assert_int_equal(nr_mappings(&real), mode == GMS_KVM_IN_PLACE ? 1 : nr);
	}
	touch_all(&real);
	fini(&real);
}

static void slots_run_out(void **unused)
{
	struct real real;

	(void)unused;
	init(&real, 64, 5, 0);
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 64), 0);
	convert(&real, 10, 1, GMS_PRIVATE);
	convert(&real, 20, 1, GMS_PRIVATE);
	assert_true(writes(&real, 30, 0x33));
	if (mode == GMS_KVM_MEMSLOTS) {
		assert_int_equal(gms_convert(real.state, 30, 1, GMS_PRIVATE, 0, NULL), -ENOSPC);
		assert_false(gms_is_private(real.state, 30));
		holds(&real, 30, 0x33);
		convert(&real, 11, 9, GMS_PRIVATE);
	}
	convert(&real, 30, 1, GMS_PRIVATE);
	touch_all(&real);
	fini(&real);
}

/* A sanitizer and valgrind make mappings of their own at any time. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED true
#endif
#endif
#ifndef WATCHED
#define WATCHED test_on_valgrind()
#endif

/* At the process's limit of mappings a conversion fails, and the old mapping stays. */
static void mappings_run_out(void **unused)
{
	const size_t size = 1UL << 30;
	struct real real;
	char *filler;
	size_t at = 0;

	(void)unused;
	if (mode == GMS_KVM_IN_PLACE || WATCHED)
		skip();
	init(&real, 64, 64, 0);
	assert_int_equal(gms_kvm_map(real.kvm, 0, 0, 64), 0);
	for (uint64_t page = 0; page < 64; page++)
		assert_true(writes(&real, page, 0x11));
	convert(&real, 40, 9, GMS_PRIVATE);
	filler = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(filler != MAP_FAILED);
	while (at < size && !mprotect(filler + at, PAGE, PROT_READ))
		at += 2 * PAGE;
	if (at < size) { /* else the limit cannot be reached */
		assert_int_equal(gms_convert(real.state, 10, 1, GMS_PRIVATE, 0, NULL), -ENOMEM);
		assert_int_equal(gms_convert(real.state, 44, 1, GMS_SHARED, 0, NULL), -ENOMEM);
	}
	munmap(filler, size);
	assert_false(gms_is_quarantined(real.state, 10) || gms_is_quarantined(real.state, 44));
	touch_all(&real);
	holds(&real, 10, 0x11);
	convert(&real, 10, 1, GMS_PRIVATE);
	convert(&real, 44, 1, GMS_SHARED);
	touch_all(&real);
	fini(&real);
}

struct worker {
	struct real *real;
	uint64_t start, conversions, refused;
	unsigned int number;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct prng prng;

	prng_init(&prng, test_seed() + worker->number);
	for (uint64_t i = test_iters(600); i; i--) {
		const uint64_t start = worker->start + prng_below(&prng, 64);
		const int err =
			gms_convert(worker->real->state, start, 1 + prng_below(&prng, 32),
				    prng_chance(&prng, 50) ? GMS_PRIVATE : GMS_SHARED, 0, NULL);

		worker->conversions += !err;
		worker->refused += err == -ENOSPC;
		if (err && err != -ENOSPC)
			worker->number = UINT32_MAX;
	}
	return NULL;
}

/* Two threads convert different 1G blocks at once, and compete for slots. */
static void threads_convert_side_by_side(void **unused)
{
	struct worker workers[2];
	pthread_t threads[2];
	struct real real;

	(void)unused;
	init(&real, 2 * ONE_G, 9, 0);
	assert_int_equal(gms_kvm_map(real.kvm, GFN_4G, 0, 2 * ONE_G), 0);
	for (unsigned int i = 0; i < 2; i++) {
		workers[i] = (struct worker) {
			.real = &real, .number = i, .start = i ? ONE_G : ONE_G - 200};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].number, i);
		assert_true(workers[i].conversions);
		if (mode != GMS_KVM_MEMSLOTS)
			assert_int_equal(workers[i].refused, 0);
	}
	for (uint64_t page = ONE_G - 300; page < ONE_G + 300; page++) {
		unsigned char value;

		assert_int_equal(reads(&real, page, &value), !gms_is_private(real.state, page));
	}
	fini(&real);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Prints the time of one conversion. Nothing is asserted about it. */
static void one_page_there_and_back(void **unused)
{
	const uint64_t rounds = test_iters(2000);
	double there = 0, back = 0;
	struct real real;

	(void)unused;
	init(&real, 512, 16, 0);
	assert_int_equal(gms_kvm_map(real.kvm, 512, 0, 512), 0);
	for (uint64_t i = 0; i < rounds; i++) {
		double before;

		assert_true(writes(&real, 100, 1));
		before = now_us();
		convert(&real, 100, 1, GMS_PRIVATE);
		there += now_us() - before;
		before = now_us();
		convert(&real, 100, 1, GMS_SHARED);
		back += now_us() - before;
	}
	print_message("4K in the middle of 2M, %llu times: %.1f us to private, %.1f us to shared\n",
		      (unsigned long long)rounds, there / (double)rounds, back / (double)rounds);
	fini(&real);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_mode_is_picked),
		cmocka_unit_test(the_host_touches_what_is_shared),
		cmocka_unit_test(descriptors_are_closed_on_exec),
		cmocka_unit_test(what_is_not_mapped_is_converted_too),
		cmocka_unit_test(sync_hides_what_is_private_from_the_start),
		cmocka_unit_test(what_begins_private_begins_hidden),
		cmocka_unit_test(addresses_are_aligned_and_flags_passed_on),
		cmocka_unit_test(maps_lie_below_and_above_4g),
		cmocka_unit_test(mappings_are_as_many_as_runs),
		cmocka_unit_test(slots_run_out),
		cmocka_unit_test(mappings_run_out),
		cmocka_unit_test(threads_convert_side_by_side),
		cmocka_unit_test(one_page_there_and_back),
	};
	const unsigned int before = nr_fds();
	int failed;

	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (!failed && nr_fds() != before) {
		fprintf(stderr, "file descriptors were left open\n");
		failed = 1;
	}
	return failed;
}

int main(void)
{
	unsigned int tried = 0;
	int failed = 0;

	dev_kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (dev_kvm < 0) {
		printf("skipped: no /dev/kvm\n");
		return SKIPPED;
	}
	for (vm_type = 0; vm_type < 2; vm_type++) {
		const int vm = ioctl(dev_kvm, KVM_CREATE_VM, vm_type);
		unsigned int modes;

		if (vm < 0)
			continue;
		modes = gms_kvm_ways(vm);
		close(vm);
		for (unsigned int w = GMS_KVM_IN_PLACE; w <= GMS_KVM_MEMSLOTS; w++) {
			if (!(modes & 1U << w))
				continue;
			mode = (enum gms_kvm_way)w;
			printf("VM of type %lu, %s\n", vm_type, gms_kvm_way_name(mode));
			failed |= run();
			tried++;
		}
	}
	close(dev_kvm);
	if (!tried) {
		printf("skipped: this kernel offers no mode of conversion\n");
		return SKIPPED;
	}
	return failed;
}
