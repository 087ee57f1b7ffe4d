// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen_boot.c - the boot of a guest has what the rules of docs/published.md say, and what a
 * recorded guest has
 *
 * The tests count pages and where they lie. No test is about how many folios a policy splits.
 */
#include "test.h"

#include "gen.h"
#include "log.h"

#define GIB_PAGES (1ULL << 18)
#define POOL_PAGES GIB_PAGES
#define BLOCK 512ULL

static void read_file(struct log *log, FILE *file)
{
	assert_non_null(file);
	assert_int_equal(log_read(log, file, LOG_CSV), 0);
	assert_int_equal(log->malformed.total, 0);
	fclose(file);
}

static void boot(struct log *log, const char *name, uint64_t nr_pages, unsigned int nr_vcpus,
		 uint64_t seed)
{
	const struct gen_opts opts = {name, nr_pages, nr_vcpus, seed};
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(gen_run(file, &opts), 0);
	rewind(file);
	read_file(log, file);
}

/* Returns the number of conversions of this kind and size. */
static unsigned int count(const struct log *log, enum event_op op, uint64_t nr_pages)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < log->nr_events; i++)
		nr += log->events[i].op == op && log->events[i].nr_pages == nr_pages;
	return nr;
}

/* Returns the first conversion to shared of this size. */
static const struct event *find(const struct log *log, uint64_t nr_pages)
{
	for (size_t i = 0; i < log->nr_events; i++) {
		if (log->events[i].op == EVENT_TO_SHARED && log->events[i].nr_pages == nr_pages)
			return &log->events[i];
	}
	fail_msg("no conversion of %u pages", (unsigned int)nr_pages);
	return NULL;
}

/*
 * 6% of 16 GiB are 983 MiB, and the next power of two is 1 GiB. memblock aligns it to 4K only, so
 * that, but for one place in 512, its two ends lie in blocks of which it has a part.
 */
static void pool_of_a_large_guest(void **state)
{
	unsigned int nr_unaligned = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++) {
		const struct event *pool;
		struct log log;

		boot(&log, "snp-boot", 16 * GIB_PAGES, 4, seed);
		assert_int_equal(count(&log, EVENT_TO_SHARED, POOL_PAGES), 1);
		pool = find(&log, POOL_PAGES);
		/* in the second GiB for the most part, as the firmware is small */
		assert_in_range(pool->start, GIB_PAGES - 64 * 256, GIB_PAGES - 1);
		nr_unaligned += pool->start % BLOCK != 0;
		log_fini(&log);
	}
	assert_true(nr_unaligned > 0);
}

/* 6%, at least 64 MiB and at most 1 GiB, a power of two; an area of 256 KiB for each CPU. */
static void pool_sizes(void **state)
{
	static const struct {
		uint64_t nr_pages;
		unsigned int nr_vcpus;
		uint64_t pool;
	} cases[] = {
		{GIB_PAGES, 1, 64 * 256},        {2 * GIB_PAGES, 2, 128 * 256},
		{4 * GIB_PAGES, 2, 256 * 256},   {8 * GIB_PAGES, 4, 512 * 256},
		{32 * GIB_PAGES, 4, 1024 * 256}, {1024 * GIB_PAGES, 4, 1024 * 256},
		{GIB_PAGES, 512, 128 * 256},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct log log;

		boot(&log, "snp-boot", cases[i].nr_pages, cases[i].nr_vcpus, 1);
		assert_int_equal(count(&log, EVENT_TO_SHARED, cases[i].pool), 1);
		log_fini(&log);
	}
}

/* The distance of two CPUs' areas: they share 2M, as far as a third of it is not wasted. */
static void pages_of_cpus(void **state)
{
	static const struct {
		unsigned int nr_vcpus;
		unsigned int distance;
	} cases[] = {{2, 256}, {4, 128}, {8, 64}, {16, 64}, {128, 64}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const unsigned int nr = cases[i].nr_vcpus;
		uint64_t start = 0;
		struct log log;
		size_t at = 0;

		boot(&log, "snp-boot", 16 * GIB_PAGES, nr, 1);
		/* the first single pages are those of the areas, then the GHCBs follow */
		for (unsigned int cpu = 0; cpu < 2 * nr; cpu++) {
			while (log.events[at].op != EVENT_TO_SHARED || log.events[at].nr_pages != 1)
				at++;
			if (cpu && cpu < nr)
				assert_int_equal(log.events[at].start, start + cases[i].distance);
			else if (cpu == nr)
				assert_true(log.events[at].start > start);
			start = log.events[at].start;
			assert_true(start >= 17 * GIB_PAGES); /* at the top of memory */
			at++;
		}
		log_fini(&log);
	}
}

/* Each size of buffer, by the number of vCPUs. */
static void buffers(void **state)
{
	static const unsigned int vcpus[] = {1, 2, 4, 8, 16, 32, 64, 128, 192};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vcpus); i++) {
		const unsigned int nr = vcpus[i];
		/* clocks of the CPUs from the 65th on: 64 in a page */
		const unsigned int clocks = nr > 64 ? (nr - 1) / 64 : 0;
		struct log log;

		boot(&log, "snp-boot", 16 * GIB_PAGES, nr, 1);
		/* areas, GHCBs, 66 rings of 128 entries or fewer, two buffers of sev-guest */
		assert_int_equal(count(&log, EVENT_TO_SHARED, 1), 2 * nr + 66 + 2 + (clocks == 1));
		/* rings of 256 entries: the disk's, one for each CPU, and two of the network */
		assert_int_equal(count(&log, EVENT_TO_SHARED, 2), nr + 2 + (clocks == 2));
		assert_int_equal(count(&log, EVENT_TO_SHARED, 4), 1); /* certificates */
		/* three atomic pools of 2M, and .bss..decrypted */
		assert_int_equal(count(&log, EVENT_TO_SHARED, BLOCK), 4);
		assert_int_equal(count(&log, EVENT_TO_PRIVATE, BLOCK - 3), 1);
		/* nothing else goes back: the other conversions to private are those of QEMU */
		assert_int_equal(log.notes.nr_ram, 2);
		assert_int_equal(count(&log, EVENT_TO_PRIVATE, 2 * GIB_PAGES), 1);
		assert_int_equal(count(&log, EVENT_TO_PRIVATE, 14 * GIB_PAGES), 1);
		log_fini(&log);
	}
}

/* The three atomic pools: 128K for each GiB of memory, below 16M, below 4G, and anywhere. */
static void atomic_pools(void **state)
{
	static const uint64_t sizes[][2] = {{1, 32},   {2, 64},    {4, 128},
					    {16, 512}, {64, 1024}, {1024, 1024}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int nr = 0, low = 0, lowest = 0;
		struct log log;

		boot(&log, "snp-boot", sizes[i][0] * GIB_PAGES, 1, 1);
		for (size_t j = 0; j < log.nr_events; j++) {
			const struct event *row = &log.events[j];

			if (row->op != EVENT_TO_SHARED || row->nr_pages != sizes[i][1] ||
			    row->start == 32 * 256 /* .bss..decrypted */)
				continue;
			nr++;
			low += row->start < 4 * GIB_PAGES;
			lowest += row->start + row->nr_pages <= 16 * 256;
			assert_int_equal(row->start % row->nr_pages, 0);
		}
		assert_int_equal(nr, 3);
		assert_int_equal(lowest, 1);
		assert_int_equal(low, sizes[i][0] < 3 ? 3 : 2);
		log_fini(&log);
	}
}

/*
 * The recorded guest A has 2 GiB and 2 vCPUs. The generated guest of that size has the same
 * conversions by kind and size, but for two differences: A converts the window of VGA (two pages
 * at 0xb8000), which guest_memfd does not back, and has no sev-guest (pages 1, 1 and 4).
 */
static void the_recorded_guest(void **state)
{
	static const uint64_t sizes[] = {1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 509, 512, 32768};
	struct log recorded, made;
	uint64_t nr_recorded = 0, nr_made = 0;

	(void)state;
	read_file(&recorded, fopen(GMS_TEST_DATA "/A.csv", "r"));
	boot(&made, "snp-boot", 2 * GIB_PAGES, 2, 1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const unsigned int vga = sizes[i] == 2;
		const unsigned int sev_guest = sizes[i] == 1 ? 2 : sizes[i] == 4;

		assert_int_equal(count(&recorded, EVENT_TO_SHARED, sizes[i]) - vga,
				 count(&made, EVENT_TO_SHARED, sizes[i]) - sev_guest);
		assert_int_equal(count(&recorded, EVENT_TO_PRIVATE, sizes[i]),
				 count(&made, EVENT_TO_PRIVATE, sizes[i]));
	}
	/* the loop has seen all, but for QEMU's conversion of all memory, which A lacks */
	for (size_t i = 0; i < recorded.nr_events; i++)
		nr_recorded += recorded.events[i].op == EVENT_TO_SHARED ||
			       recorded.events[i].op == EVENT_TO_PRIVATE;
	for (size_t i = 0; i < made.nr_events; i++)
		nr_made += made.events[i].op == EVENT_TO_SHARED ||
			   made.events[i].op == EVENT_TO_PRIVATE;
	assert_int_equal(nr_recorded - 1, nr_made - 3 - 1);
	log_fini(&recorded);
	log_fini(&made);
}

/* A TDX guest has no GHCBs, no shared page in the CPUs' areas, and no sev-guest. */
static void tdx_shares_less(void **state)
{
	struct log log;

	(void)state;
	boot(&log, "tdx", 16 * GIB_PAGES, 8, 1);
	assert_int_equal(count(&log, EVENT_TO_SHARED, 1), 66 + 974 / 2);
	assert_int_equal(count(&log, EVENT_TO_SHARED, 2), 8 + 2);
	assert_int_equal(count(&log, EVENT_TO_SHARED, 4), 0);
	/* KVM cuts the pool, wherever it begins, every 2M; the atomic pools have 2M */
	assert_int_equal(count(&log, EVENT_TO_SHARED, BLOCK), POOL_PAGES / BLOCK + 3);
	assert_int_equal(count(&log, EVENT_ACCEPT, 1), 2710 * 4);
	log_fini(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_of_a_large_guest), cmocka_unit_test(pool_sizes),
		cmocka_unit_test(pages_of_cpus),         cmocka_unit_test(buffers),
		cmocka_unit_test(atomic_pools),          cmocka_unit_test(the_recorded_guest),
		cmocka_unit_test(tdx_shares_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
