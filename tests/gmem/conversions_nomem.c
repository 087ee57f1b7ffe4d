// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_nomem.c - each allocation of a call fails in turn
 *
 * A call for which an allocation failed succeeds, or returns ENOMEM and has changed nothing. The
 * kernel's fault injection makes the N-th allocation of this thread fail, for N from 1 on, until a
 * call makes fewer than N.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conversions.h"

#define NR_PAGES (2 * BLOCK + 10)
#define AT (BLOCK + 70)
#define MAX_NTH 2000

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int write_file(const char *path, const char *text)
{
	const ssize_t size = (ssize_t)strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)size) != size)
		err = -EIO;
	close(fd);
	return err;
}

/* Allocations that may sleep fail, too, and nothing is printed. Skips the test if that fails. */
static void prepare_faults(void)
{
	static const char *const settings[][2] = {
		{"failslab/ignore-gfp-wait", "N"},
		{"failslab/verbose", "0"},
		{"fail_page_alloc/ignore-gfp-wait", "N"},
		{"fail_page_alloc/ignore-gfp-highmem", "N"},
		{"fail_page_alloc/min-order", "0"},
		{"fail_page_alloc/verbose", "0"},
	};
	char path[128];
	uint64_t value;

	(void)vm_counter(-1, "", &value); /* mounts debugfs */
	for (size_t i = 0; i < LENGTH(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		if (write_file(path, settings[i][1])) {
			print_message("skipped: no fault injection\n");
			skip();
		}
	}
}

/* Calls with the N-th allocation failing. *failed: an allocation did fail. */
static int call_with_fault(struct gmem *g, int (*call)(struct gmem *g), unsigned int nth,
			   bool *failed)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC), err;
	char text[32] = "";

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%u", nth);
	assert_true(pwrite(fd, text, strlen(text), 0) > 0);
	err = call(g);
	memset(text, 0, sizeof(text));
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_true(pwrite(fd, "0", 1, 0) > 0);
	close(fd);
	*failed = !strcmp(text, "0\n") || !strcmp(text, "0");
	return err;
}

/* What a test does: the call, what takes it back, and the two states between which they go. */
struct story {
	int (*call)(struct gmem *g);
	int (*back)(struct gmem *g);
	void (*before)(struct gmem *g, uint64_t stamp);
	void (*after)(struct gmem *g, uint64_t stamp);
};

static void tell(const struct story *story, struct gmem *g, uint64_t stamp)
{
	unsigned int nth, refused = 0, tries = 0;
	bool failed = true;

	/* of many allocations some are left out: they are alike */
	for (nth = 1; failed; nth += 1 + nth / 16, tries++) {
		int err = call_with_fault(g, story->call, nth, &failed);

		assert_true(nth < MAX_NTH);
		if (err && (err != -ENOMEM || !failed))
			fail_at(HERE, "with allocation %u failing, the call returns %d", nth, err);
		if (err) {
			refused++;
			story->before(g, stamp);
			continue;
		}
		story->after(g, stamp);
		if (failed) {
			works(story->back(g));
			story->before(g, stamp);
		}
	}
	print_message("%u allocations failed, and for %u of them the call\n", tries - 1, refused);
}

static uint64_t open_filled(struct gmem *g)
{
	const uint64_t stamp = new_stamp();

	prepare_faults();
	open_memory(g, NR_PAGES);
	converts(g, 0, NR_PAGES, SHARED);
	host_writes(g, 0, NR_PAGES, stamp);
	return stamp;
}

static void all_shared(struct gmem *g, uint64_t stamp)
{
	pages_hold(g, 0, NR_PAGES, SHARED, stamp);
}

static void all_private(struct gmem *g, uint64_t stamp)
{
	pages_hold(g, 0, NR_PAGES, PRIVATE, stamp);
}

static void one_private(struct gmem *g, uint64_t stamp)
{
	pages_hold(g, 0, AT, SHARED, stamp);
	pages_hold(g, AT, 1, PRIVATE, stamp);
	pages_hold(g, AT + 1, NR_PAGES - AT - 1, SHARED, stamp);
}

static void one_shared(struct gmem *g, uint64_t stamp)
{
	pages_hold(g, 0, AT, PRIVATE, stamp);
	pages_hold(g, AT, 1, SHARED, stamp);
	pages_hold(g, AT + 1, NR_PAGES - AT - 1, PRIVATE, stamp);
}

static int all_to_private(struct gmem *g)
{
	return gmem_convert(g->fd, 0, NR_PAGES, PRIVATE, NULL);
}

static int all_to_shared(struct gmem *g)
{
	return gmem_convert(g->fd, 0, NR_PAGES, SHARED, NULL);
}

static int one_to_private(struct gmem *g)
{
	return gmem_convert(g->fd, AT, 1, PRIVATE, NULL);
}

static int one_to_shared(struct gmem *g)
{
	return gmem_convert(g->fd, AT, 1, SHARED, NULL);
}

static void nomem_all_to_private(void **state)
{
	const struct story story = {all_to_private, all_to_shared, all_shared, all_private};
	struct gmem g;

	(void)state;
	tell(&story, &g, open_filled(&g));
	close_memory(&g);
}

static void nomem_one_to_private(void **state)
{
	const struct story story = {one_to_private, one_to_shared, all_shared, one_private};
	struct gmem g;

	(void)state;
	tell(&story, &g, open_filled(&g));
	close_memory(&g);
}

static void nomem_one_to_shared(void **state)
{
	const struct story story = {one_to_shared, one_to_private, all_private, one_shared};
	uint64_t stamp;
	struct gmem g;

	(void)state;
	stamp = open_filled(&g);
	works(all_to_private(&g));
	tell(&story, &g, stamp);
	close_memory(&g);
}

/* The last page becomes private: some policies merge. A merge that fails is left out. */
static void nomem_last_to_private(void **state)
{
	const struct story story = {one_to_private, one_to_shared, one_shared, all_private};
	uint64_t stamp;
	struct gmem g;

	(void)state;
	stamp = open_filled(&g);
	works(all_to_private(&g));
	works(one_to_shared(&g));
	host_reads(&g, AT, 1, stamp);
	tell(&story, &g, stamp);
	close_memory(&g);
}

static int punch_some(struct gmem *g)
{
	return gmem_punch(g->fd, AT, 30);
}

/* What refill() writes. */
static uint64_t filled_stamp;

static void some_punched(struct gmem *g, uint64_t stamp)
{
	pages_hold_0(g, AT, 30, SHARED);
	pages_hold(g, 0, AT, SHARED, stamp);
	pages_hold(g, AT + 30, NR_PAGES - AT - 30, SHARED, stamp);
}

static int refill(struct gmem *g)
{
	host_writes(g, AT, 30, filled_stamp);
	return 0;
}

static void nomem_punch(void **state)
{
	const struct story story = {punch_some, refill, all_shared, some_punched};
	struct gmem g;

	(void)state;
	filled_stamp = open_filled(&g);
	tell(&story, &g, filled_stamp);
	close_memory(&g);
}

static int allocate_all(struct gmem *g)
{
	return gmem_allocate(g->fd, 0, NR_PAGES);
}

static int punch_all(struct gmem *g)
{
	return gmem_punch(g->fd, 0, NR_PAGES);
}

static void empty(struct gmem *g, uint64_t stamp)
{
	(void)stamp;
	pages_hold_0(g, AT - 3, 6, variant.first);
	works(punch_all(g));
}

static void allocated(struct gmem *g, uint64_t stamp)
{
	(void)stamp;
	pages_hold_0(g, 0, NR_PAGES, variant.first);
}

static void nomem_allocate(void **state)
{
	const struct story story = {allocate_all, punch_all, empty, allocated};
	struct gmem g;

	(void)state;
	prepare_faults();
	open_memory(&g, NR_PAGES);
	tell(&story, &g, 0);
	close_memory(&g);
}

static int populate_all(struct gmem *g)
{
	return madvise(g->host, NR_PAGES * PAGE, MADV_POPULATE_WRITE) ? -errno : 0;
}

static void nomem_host_faults(void **state)
{
	const struct story story = {populate_all, punch_all, empty, allocated};
	struct gmem g;

	(void)state;
	if (variant.first == PRIVATE)
		skip();
	prepare_faults();
	open_memory(&g, NR_PAGES);
	tell(&story, &g, 0);
	close_memory(&g);
}

static int pre_fault_all(struct gmem *g)
{
	return gmem_pre_fault(&g->m.vcpu, MAIN_GPA, NR_PAGES);
}

static void nomem_guest_faults(void **state)
{
	const struct story story = {pre_fault_all, punch_all, empty, allocated};
	struct gmem g;

	(void)state;
	prepare_faults();
	open_memory(&g, NR_PAGES);
	tell(&story, &g, 0);
	close_memory(&g);
}

static int create_another(struct gmem *g)
{
	int fd = gmem_create_fd(g->m.vm, NR_PAGES,
				gmem_flags(variant.folio, variant.policy, variant.first));

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int nothing(struct gmem *g)
{
	(void)g;
	return 0;
}

static void nomem_create(void **state)
{
	const struct story story = {create_another, nothing, empty, empty};
	struct gmem g;

	(void)state;
	prepare_faults();
	open_memory(&g, NR_PAGES);
	tell(&story, &g, 0);
	close_memory(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nomem_all_to_private), cmocka_unit_test(nomem_one_to_private),
	cmocka_unit_test(nomem_one_to_shared),  cmocka_unit_test(nomem_last_to_private),
	cmocka_unit_test(nomem_punch),          cmocka_unit_test(nomem_allocate),
	cmocka_unit_test(nomem_host_faults),    cmocka_unit_test(nomem_guest_faults),
	cmocka_unit_test(nomem_create),
};

const struct test_list nomem_tests = {tests, LENGTH(tests)};
