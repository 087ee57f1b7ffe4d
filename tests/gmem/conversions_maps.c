// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_maps.c - the host's mappings: no mapping of any process shows a private page
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversions.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static void two_mappings(void **state)
{
	const uint64_t stamp = new_stamp();
	unsigned char *second;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	second = gmem_map(g.fd, 0, PAGES);
	assert_non_null(second);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	step_host_reads(HERE, second, 0, PAGES, stamp);
	for (int i = 0; i < 3; i++) {
		converts(&g, 100 * i, BLOCK, PRIVATE);
		host_refused(&g, 100 * i, BLOCK);
		step_host_refused(HERE, second, 100 * i, BLOCK);
		step_host_reads(HERE, second, 100 * i + BLOCK, BLOCK, stamp);
		converts(&g, 100 * i, BLOCK, SHARED);
		step_host_reads(HERE, second, 0, PAGES, stamp);
	}
	munmap(second, PAGES * PAGE);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

/* ---- two processes ---- */

/* A child process that touches pages when it is asked to, and answers. */
struct child {
	pid_t pid;
	int ask[2], answer[2];
};

struct question {
	uint64_t page;
	uint64_t stamp; /* what the page should hold */
};

static void touch_compare(unsigned char *page, void *ctx)
{
	uint64_t *stamp = ctx;

	*stamp = page_differs(page, *stamp) == PAGE;
}

static void child_loop(const struct child *c, unsigned char *host)
{
	struct question q;

	while (read(c->ask[0], &q, sizeof(q)) == sizeof(q)) {
		uint64_t ok = q.stamp;
		unsigned char answer =
			(unsigned char)host_touch_by(host + q.page * PAGE, touch_compare, &ok);

		if (answer == ANSWER_DATA && !ok)
			answer = ANSWER_NR; /* other data */
		if (write(c->answer[1], &answer, 1) != 1)
			break;
	}
	_exit(0);
}

static void child_start(struct child *c, unsigned char *host)
{
	assert_int_equal(pipe(c->ask), 0);
	assert_int_equal(pipe(c->answer), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid) {
		close(c->ask[1]);
		child_loop(c, host);
	}
	close(c->ask[0]);
	close(c->answer[1]);
}

static void child_end(struct child *c)
{
	int status;

	close(c->ask[1]);
	close(c->answer[0]);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

static void child_gets(struct place at, const struct child *c, uint64_t page, uint64_t stamp,
		       enum answer want)
{
	const struct question q = {.page = page, .stamp = stamp + page};
	unsigned char answer;

	assert_int_equal(write(c->ask[1], &q, sizeof(q)), sizeof(q));
	assert_int_equal(read(c->answer[0], &answer, 1), 1);
	if (answer == ANSWER_NR)
		fail_at(at, "page %llu: the child reads other data", (unsigned long long)page);
	if (answer != want)
		fail_at(at, "page %llu: the child gets %s, not %s", (unsigned long long)page,
			answer_name((enum answer)answer), answer_name(want));
}

static void two_processes(void **state)
{
	uint64_t stamp = new_stamp();
	struct child child;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	child_start(&child, g.host);
	for (uint64_t page = 3; page < PAGES; page += BLOCK / 2) {
		child_gets(HERE, &child, page, stamp, ANSWER_DATA);
		converts(&g, page, 1, PRIVATE);
		child_gets(HERE, &child, page, stamp, ANSWER_SIGBUS);
		child_gets(HERE, &child, page + 1, stamp, ANSWER_DATA);
		host_refused(&g, page, 1);
		converts(&g, page, 1, SHARED);
		child_gets(HERE, &child, page, stamp, ANSWER_DATA);
		host_reads(&g, page, 1, stamp);
	}
	/* the child sees what the parent's guest writes while the page is private */
	converts(&g, 0, PAGES, PRIVATE);
	child_gets(HERE, &child, 8, stamp, ANSWER_SIGBUS);
	child_gets(HERE, &child, PAGES - 1, stamp, ANSWER_SIGBUS);
	guest_reads(&g, 0, PAGES, stamp);
	converts(&g, 0, PAGES, SHARED);
	stamp = new_stamp();
	host_writes(&g, 0, PAGES, stamp);
	child_gets(HERE, &child, 8, stamp, ANSWER_DATA);
	child_gets(HERE, &child, PAGES - 1, stamp, ANSWER_DATA);
	child_end(&child);
	/* the end of the child leaves no references */
	converts(&g, 0, PAGES, PRIVATE);
	guest_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

/* ---- calls about mappings ---- */

static void dont_need(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_DONTNEED), 0);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	assert_int_equal(madvise(g.host + 5 * PAGE, 700 * PAGE, MADV_DONTNEED), 0);
	converts(&g, 4, 1, PRIVATE);
	converts(&g, 5, 701, PRIVATE);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_DONTNEED), 0);
	host_refused(&g, 4, 702);
	guest_reads(&g, 0, PAGES, stamp);
	converts(&g, 0, PAGES, SHARED);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

static void populate(void **state)
{
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_POPULATE_READ), 0);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_POPULATE_WRITE), 0);
	converts(&g, 600, 1, PRIVATE);
	assert_int_equal(madvise(g.host, 600 * PAGE, MADV_POPULATE_READ), 0);
	assert_int_equal(madvise(g.host, PAGES * PAGE, MADV_POPULATE_READ), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(madvise(g.host + 600 * PAGE, PAGE, MADV_POPULATE_WRITE), -1);
	assert_int_equal(errno, EFAULT);
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold_0(&g, 0, PAGES, PRIVATE);
	close_memory(&g);
}

/* The kernel keeps references on pages of a locked mapping, in batches of each CPU. */
static void locked_mapping(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	assert_int_equal(mlock(g.host, PAGES * PAGE), 0);
	host_writes(&g, 0, PAGES, stamp);
	for (uint64_t page = 3; page < 40; page += 3) {
		converts(&g, page, 1, PRIVATE);
		pages_hold(&g, page - 1, 1, SHARED, stamp);
		pages_hold(&g, page, 1, PRIVATE, stamp);
	}
	converts(&g, 0, PAGES, PRIVATE);
	pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	converts(&g, 0, PAGES, SHARED);
	assert_int_equal(munlock(g.host, PAGES * PAGE), 0);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	converts(&g, 5, 600, PRIVATE);
	close_memory(&g);
}

/* Moves a mapping to addresses that nobody uses. Returns NULL if it fails. */
static unsigned char *move_mapping(unsigned char *at, uint64_t nr_pages, uint64_t shift)
{
	const size_t size = nr_pages * PAGE, reserved = size + 2 * BLOCK * PAGE;
	unsigned char *to =
		mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *target;
	void *moved;

	if (to == MAP_FAILED)
		return NULL;
	target = to + BLOCK * PAGE - (uintptr_t)to % (BLOCK * PAGE) + shift * PAGE;
	moved = mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	munmap(to, (size_t)(target - to));
	munmap(target + size, reserved - size - (size_t)(target - to));
	return moved == MAP_FAILED ? NULL : moved;
}

/*
 * Advice of which nothing may come, except that mm may split a folio: pages that are mapped stay,
 * with what they hold.
 */
static void other_advice(void **state)
{
	static const int advice[] = {
		MADV_COLD,     MADV_PAGEOUT,    MADV_COLLAPSE,    MADV_FREE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_REMOVE,      MADV_SEQUENTIAL,
		MADV_WILLNEED, MADV_MERGEABLE,  MADV_UNMERGEABLE,
	};
	const uint64_t ranges[][2] = {{0, PAGES}, {BLOCK + 50, 100}, {3 * BLOCK + 1, BLOCK}};
	uint64_t stamp;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	for (size_t i = 0; i < LENGTH(advice) * LENGTH(ranges); i++) {
		const uint64_t *range = ranges[i % LENGTH(ranges)];
		int err;

		stamp = new_stamp();
		converts(&g, 0, PAGES, SHARED);
		host_writes(&g, 0, PAGES, stamp);
		converts(&g, 100, BLOCK, PRIVATE);
		host_reads(&g, 3 * BLOCK, BLOCK, stamp);
		err = madvise(g.host + range[0] * PAGE, range[1] * PAGE,
			      advice[i / LENGTH(ranges)]);
		if (advice[i / LENGTH(ranges)] == MADV_REMOVE && !err) {
			guest_reads_0(&g, range[0], range[1]);
			continue;
		}
		pages_hold(&g, 0, 100, SHARED, stamp);
		pages_hold(&g, 100, BLOCK, PRIVATE, stamp);
		pages_hold(&g, BLOCK + 100, PAGES - BLOCK - 100, SHARED, stamp);
		converts(&g, 0, PAGES, PRIVATE);
		pages_hold(&g, 0, PAGES, PRIVATE, stamp);
	}
	close_memory(&g);
}

static void moved_mapping(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, 30, 600, PRIVATE);
	g.host = move_mapping(g.host, PAGES, 3); /* no longer aligned */
	assert_non_null(g.host);
	pages_hold(&g, 0, 30, SHARED, stamp);
	pages_hold(&g, 30, 600, PRIVATE, stamp);
	pages_hold(&g, 630, PAGES - 630, SHARED, stamp);
	converts(&g, 0, PAGES, PRIVATE);
	host_refused(&g, 0, PAGES);
	converts(&g, 0, PAGES, SHARED);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	g.host = move_mapping(g.host, PAGES, 0);
	assert_non_null(g.host);
	converts(&g, 0, BLOCK, PRIVATE);
	pages_hold(&g, 0, BLOCK, PRIVATE, stamp);
	pages_hold(&g, BLOCK, PAGES - BLOCK, SHARED, stamp);
	close_memory(&g);
}

/* A mapping of a part, at an address that is not aligned to the offset in the file. */
static void part_of_the_file(void **state)
{
	const uint64_t stamp = new_stamp();
	unsigned char *part;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	part = gmem_map(g.fd, 100, 1000);
	assert_non_null(part);
	converts(&g, 0, PAGES, SHARED);
	step_host_writes(HERE, part, 0, 1000, stamp + 100);
	host_reads(&g, 100, 1000, stamp);
	host_reads_0(&g, 0, 100);
	converts(&g, 50, 100, PRIVATE);
	step_host_refused(HERE, part, 0, 50);
	step_host_reads(HERE, part, 50, 950, stamp + 100);
	guest_reads(&g, 100, 1000, stamp);
	munmap(part, 1000 * PAGE);
	close_memory(&g);
}

static void refused_mappings(void **state)
{
	const uint64_t stamp = new_stamp();
	unsigned char *read_only, *beyond;
	struct seen seen;
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	assert_true(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, g.fd, 0) == MAP_FAILED);
	assert_int_equal(errno, EINVAL);

	converts(&g, 0, 4, SHARED);
	host_writes(&g, 0, 4, stamp);
	read_only = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, g.fd, 0);
	assert_true(read_only != MAP_FAILED);
	step_host_reads(HERE, read_only, 0, 4, stamp);
	converts(&g, 1, 1, PRIVATE);
	host_probe(read_only + PAGE, 1, PROBE_READ, 0, &seen);
	assert_int_equal(seen.answer, ANSWER_SIGBUS);
	host_probe(read_only, 1, PROBE_WRITE_READ, 0, &seen);
	assert_int_equal(seen.answer, ANSWER_SIGSEGV);
	munmap(read_only, 4 * PAGE);

	beyond = gmem_map(g.fd, 0, 8);
	assert_non_null(beyond);
	step_host_reads(HERE, beyond, 0, 1, stamp);
	step_host_refused(HERE, beyond, 4, 4);
	munmap(beyond, 8 * PAGE);
	close_memory(&g);
}

/* The kernel itself reads and writes the host's mapping, for a system call. */
static void system_calls(void **state)
{
	const uint64_t stamp = new_stamp();
	unsigned char copy[PAGE];
	struct gmem g;
	int fds[2];

	(void)state;
	open_memory(&g, BLOCK);
	assert_int_equal(pipe(fds), 0);
	converts(&g, 0, BLOCK, SHARED);
	host_writes(&g, 0, BLOCK, stamp);
	assert_int_equal(write(fds[1], g.host + 7 * PAGE, PAGE), PAGE);
	assert_int_equal(read(fds[0], copy, PAGE), PAGE);
	assert_int_equal(page_differs(copy, stamp + 7), PAGE);

	converts(&g, 7, 1, PRIVATE);
	assert_int_equal(write(fds[1], g.host + 7 * PAGE, PAGE), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(write(fds[1], copy, PAGE), PAGE);
	assert_int_equal(read(fds[0], g.host + 7 * PAGE, PAGE), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(read(fds[0], g.host + 8 * PAGE, PAGE), PAGE);
	pages_hold(&g, 7, 1, PRIVATE, stamp);
	host_reads(&g, 8, 1, stamp - 1);
	close(fds[0]);
	close(fds[1]);
	close_memory(&g);
}

/* ---- mappings change while pages are converted ---- */

struct busy {
	struct gmem *g;
	bool (*step)(const struct busy *busy); /* returns false if what it tries does not work */
	uint64_t stamp;
	_Atomic bool stop, failed;
	_Atomic uint64_t steps;
};

/* Reads pages of a mapping. Returns false if one of them neither holds its data nor is refused. */
static bool busy_read(const struct busy *busy, unsigned char *host)
{
	struct seen seen[64];

	host_probe(host, LENGTH(seen), PROBE_READ, 0, seen);
	for (size_t i = 0; i < LENGTH(seen); i++) {
		const struct words want = probe_written(busy->stamp + i, 0);

		if (seen[i].answer != ANSWER_SIGBUS &&
		    (seen[i].answer != ANSWER_DATA || memcmp(&seen[i].words, &want, sizeof(want))))
			return false;
	}
	return true;
}

static bool step_dont_need(const struct busy *busy)
{
	return busy_read(busy, busy->g->host) &&
	       !madvise(busy->g->host, busy->g->nr_pages * PAGE, MADV_DONTNEED);
}

/* MADV_POPULATE_READ ends at the first private page. */
static bool step_populate(const struct busy *busy)
{
	const size_t size = busy->g->nr_pages * PAGE;
	const bool populates = !madvise(busy->g->host, size, MADV_POPULATE_READ) || errno == EFAULT;

	return !madvise(busy->g->host, size, MADV_DONTNEED) && populates;
}

static bool step_map(const struct busy *busy)
{
	unsigned char *at = gmem_map(busy->g->fd, 0, busy->g->nr_pages);

	return at && busy_read(busy, at) && !munmap(at, busy->g->nr_pages * PAGE);
}

static bool step_move(const struct busy *busy)
{
	const uint64_t nr_pages = busy->g->nr_pages;
	unsigned char *at = gmem_map(busy->g->fd, 0, nr_pages);
	bool right = true;

	for (uint64_t i = 0; at && i < 4; i++) {
		right &= busy_read(busy, at);
		at = move_mapping(at, nr_pages, i % 3);
	}
	return at && right && !munmap(at, nr_pages * PAGE);
}

static bool step_fork(const struct busy *busy)
{
	const pid_t pid = fork();
	int status;

	if (!pid)
		_exit(!busy_read(busy, busy->g->host));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static void *busy_thread(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->stop) && !atomic_load(&busy->failed)) {
		if (busy->step(busy))
			atomic_fetch_add(&busy->steps, 1);
		else
			atomic_store(&busy->failed, true);
	}
	return NULL;
}

static void convert_beside(bool (*step)(const struct busy *busy))
{
	const uint64_t stamp = new_stamp();
	struct busy busy = {.step = step, .stamp = stamp};
	pthread_t thread;
	struct gmem g;

	open_memory(&g, 2 * BLOCK);
	busy.g = &g;
	converts(&g, 0, 2 * BLOCK, SHARED);
	host_writes(&g, 0, 2 * BLOCK, stamp);
	assert_int_equal(pthread_create(&thread, NULL, busy_thread, &busy), 0);
	step_be_patient(); /* the other thread has references for moments */
	for (uint64_t i = 0; (i < 24 || atomic_load(&busy.steps) < 8) && !atomic_load(&busy.failed);
	     i++) {
		const uint64_t nr_pages = i % 4 ? 1 + i % 40 : BLOCK, page = i % 3 ? i % 60 : 0;

		converts(&g, page, nr_pages, PRIVATE);
		host_refused(&g, page, nr_pages);
		if (i % 8 == 0)
			guest_reads(&g, 0, 2 * BLOCK, stamp);
		converts(&g, page, nr_pages, SHARED);
	}
	atomic_store(&busy.stop, true);
	pthread_join(thread, NULL);
	assert_false(atomic_load(&busy.failed));
	pages_hold(&g, 0, 2 * BLOCK, SHARED, stamp);
	converts(&g, 0, 2 * BLOCK, PRIVATE);
	pages_hold(&g, 0, 2 * BLOCK, PRIVATE, stamp);
	close_memory(&g);
}

static void beside_dont_need(void **state)
{
	(void)state;
	convert_beside(step_dont_need);
}

static void beside_populate(void **state)
{
	(void)state;
	convert_beside(step_populate);
}

static void beside_munmap(void **state)
{
	(void)state;
	convert_beside(step_map);
}

static void beside_mremap(void **state)
{
	(void)state;
	convert_beside(step_move);
}

static void beside_fork(void **state)
{
	(void)state;
	convert_beside(step_fork);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(two_mappings),     cmocka_unit_test(two_processes),
	cmocka_unit_test(dont_need),        cmocka_unit_test(populate),
	cmocka_unit_test(other_advice),     cmocka_unit_test(locked_mapping),
	cmocka_unit_test(moved_mapping),    cmocka_unit_test(part_of_the_file),
	cmocka_unit_test(refused_mappings), cmocka_unit_test(system_calls),
	cmocka_unit_test(beside_dont_need), cmocka_unit_test(beside_populate),
	cmocka_unit_test(beside_munmap),    cmocka_unit_test(beside_mremap),
	cmocka_unit_test(beside_fork),
};

const struct test_list maps_tests = {tests, LENGTH(tests)};
