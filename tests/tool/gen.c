// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gen.c - generated logs are well-formed, in order, in bounds, repeatable, and show something
 */
#include "test.h"

#include "gen.h"
#include "lab.h"
#include "policies.h"

#include <inttypes.h>

static struct costs costs;

#define GIB (1ULL << 30)
#define GIB_PAGES (GIB / 4096)

/* The first size at which memory below 4G has a hole. */
#define HOLE (GIB * 11 / 4)

static const uint64_t sizes[] = {
	256ULL << 20, (256ULL << 20) + 4096, GIB,      HOLE - 4096, HOLE,
	HOLE + 4096,  4 * GIB + 4096,        33 * GIB, 1ULL << 40,  (16ULL << 40) - 4096,
	16ULL << 40,
};

static char *generate(const struct gen_opts *opts, size_t *len)
{
	char *text;
	FILE *file = open_memstream(&text, len);

	assert_non_null(file);
	assert_int_equal(gen_run(file, opts), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void read_back(struct log *log, const struct gen_opts *opts)
{
	size_t len;
	char *text = generate(opts, &len);
	FILE *file = fmemopen(text, len, "r");

	assert_non_null(file);
	assert_int_equal(log_read(log, file, LOG_AUTO), 0);
	fclose(file);
	free(text);
}

static bool in_ram(const struct log_notes *notes, const struct event *row)
{
	for (unsigned int i = 0; i < notes->nr_ram; i++) {
		if (row->start >= notes->ram[i].start &&
		    row->start + row->nr_pages <= notes->ram[i].end)
			return true;
	}
	return false;
}

/* Rows are in order of time, and in the guest's memory. */
static void check_rows(const struct gen_opts *opts, const struct log *log)
{
	uint64_t last = 0;

	for (size_t i = 0; i < log->nr_events; i++) {
		const struct event *row = &log->events[i];

		if (row->time_us < last || !in_ram(&log->notes, row))
			fail_msg("%s, %" PRIu64 " pages, line %" PRIu64 ": out of order or bounds",
				 opts->name, opts->nr_pages, row->line);
		last = row->time_us;
	}
}

/* The memory of an x86 guest of 2.75 GiB or more has a hole from 2 GiB to 4 GiB. */
static void check_notes(const struct gen_opts *opts, const struct log *log)
{
	const struct log_notes *notes = &log->notes;
	const bool pkvm = !strcmp(opts->name, "pkvm"), tdx = !strcmp(opts->name, "tdx");
	uint64_t nr_pages = 0;

	assert_true(notes->has_arch);
	assert_int_equal(notes->arch, pkvm ? COSTS_PKVM : tdx ? COSTS_TDX : COSTS_SNP);
	assert_int_equal(notes->init, 1);
	assert_int_equal(notes->nr_ram, !pkvm && opts->nr_pages * 4096 >= HOLE ? 2 : 1);
	for (unsigned int i = 0; i < notes->nr_ram; i++)
		nr_pages += notes->ram[i].end - notes->ram[i].start;
	assert_int_equal(nr_pages, opts->nr_pages);
	assert_int_equal(notes->ram[0].start, 0);
	if (notes->nr_ram == 2) {
		assert_int_equal(notes->ram[0].end, 2 * GIB_PAGES);
		assert_int_equal(notes->ram[1].start, 4 * GIB_PAGES);
	}
	/* a row converts the last page of memory, so the size need not be given */
	assert_int_equal(log->end, notes->ram[notes->nr_ram - 1].end);
}

static void rows_are_sound(void **state)
{
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j += test_on_valgrind() ? 4 : 1) {
			const struct gen_opts opts = {.name = name, .nr_pages = sizes[j] / 4096};
			struct log log;

			read_back(&log, &opts);
			assert_int_equal(log.format, LOG_CSV);
			assert_int_equal(log.malformed.total, 0);
			assert_int_equal(log.nr_other_lines, 4 + log.notes.nr_ram);
			assert_int_equal(log.nr_conversions + log.nr_other_events, log.nr_events);
			assert_in_range(log.nr_lines, 300, 110000);
			assert_true(log.nr_conversions > 70 && log.nr_other_events > 200);
			check_notes(&opts, &log);
			check_rows(&opts, &log);
			log_fini(&log);
		}
	}
	assert_int_equal(gen_name(6), NULL);
}

/* The number of vCPUs is that of the options; without it, one for each 2 GiB, from 1 to 64. */
static void vcpus(void **state)
{
	static const struct {
		uint64_t size;
		unsigned int given, noted;
	} cases[] = {
		{GIB, 0, 1},         {4 * GIB, 0, 2},  {16 * GIB, 0, 8},
		{1ULL << 40, 0, 64}, {16 * GIB, 1, 1}, {16 * GIB, GEN_MAX_VCPUS, GEN_MAX_VCPUS},
	};
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(cases); j += test_on_valgrind() ? 3 : 1) {
			const struct gen_opts opts = {.name = name,
						      .nr_pages = cases[j].size / 4096,
						      .nr_vcpus = cases[j].given};
			struct log log;

			read_back(&log, &opts);
			assert_int_equal(log.malformed.total, 0);
			assert_int_equal(log.notes.nr_vcpus, cases[j].noted);
			check_rows(&opts, &log);
			log_fini(&log);
		}
	}
}

static void seeds_decide(void **state)
{
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		struct gen_opts opts = {.name = name, .nr_pages = GIB_PAGES, .seed = 7};
		size_t len, len2;
		char *text = generate(&opts, &len), *again = generate(&opts, &len2);

		assert_string_equal(text, again);
		free(again);
		opts.seed = 8;
		again = generate(&opts, &len2);
		assert_string_not_equal(text, again);
		free(again);
		free(text);
	}
}

/* Every workload runs under every policy, on every backing. */
static void replays(void **state)
{
	const uint64_t nr_pages = test_on_valgrind() ? GIB_PAGES / 4 : 2 * GIB_PAGES;
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		const struct gen_opts guest = {.name = name, .nr_pages = nr_pages};
		struct log log;

		read_back(&log, &guest);
		for (size_t j = 0; j < POLICIES_NR * 4; j++) {
			/* with folios of 4K each page is a fault: one run is enough */
			const unsigned int orders[] = {18, 9, 18, 0};
			struct lab_opts opts = {.policy = policies_ops(j / 4),
						.costs = &costs,
						.nr_pages = nr_pages,
						.folio_order = orders[j % 4],
						.pin_us = LAB_PIN_US,
						.init_private = j % 3 == 0,
						.pins_by_folio = j % 4 == 2,
						.punch = true};
			struct lab_result r;

			if (j % 4 == 3 && j != 11)
				continue;
			assert_int_equal(lab_run(&r, &log, &opts), 0);
			if (*r.broken || r.refused.total || r.nr_out_of_reach || r.nr_denied)
				fail_msg("%s, %s, order %u: %s, %" PRIu64 " refused", name,
					 opts.policy->name, opts.folio_order, r.broken,
					 r.refused.total);
			assert_true(r.totals.mapped_pages[LAB_GUEST][0] > 0);
			lab_result_fini(&r);
		}
		log_fini(&log);
	}
}

static struct lab_result run(const char *name, const struct gms_policy_ops *policy,
			     unsigned int folio_order, bool pins_by_folio)
{
	const struct gen_opts guest = {.name = name, .nr_pages = 16 * GIB_PAGES, .nr_vcpus = 8};
	struct lab_opts opts = {.policy = policy,
				.costs = &costs,
				.pin_us = LAB_PIN_US,
				.folio_order = folio_order,
				.init_private = true,
				.pins_by_folio = pins_by_folio};
	struct lab_result r;
	struct log log;

	read_back(&log, &guest);
	opts.nr_pages = log_nr_pages(&log);
	assert_int_equal(lab_run(&r, &log, &opts), 0);
	lab_result_fini(&r);
	log_fini(&log);
	return r;
}

/* In a guest of 16 GiB, each workload shows what it was made for. */
static void workloads_show_something(void **state)
{
	struct lab_result eager, lazy, r;

	(void)state;
	if (test_on_valgrind())
		return;
	/* accepting splits nothing: the same folios are split as in a boot */
	eager = run("snp-lazy-accept", gms_policy_eager(), 18, false);
	r = run("snp-boot", gms_policy_eager(), 18, false);
	assert_int_equal(eager.nr_split, r.nr_split);
	assert_int_equal(eager.stats.conversions, r.stats.conversions);
	/* nor does lazy win by what the host does not touch: it touches each 1G that is shared */
	lazy = run("snp-lazy-accept", gms_policy_lazy(), 18, false);
	assert_int_equal(lazy.nr_split, eager.nr_split);
	/* one page is converted to shared and back 487 times */
	r = run("tdx", gms_policy_eager(), 9, false);
	assert_in_range(r.nr_split, 512, 530);
	assert_true(r.stats.conversions > 2 * 487 + 512);
	/* with pins by folio, pins in 1G folios refuse conversions of other pages */
	r = run("dpdk", gms_policy_lazy(), 18, false);
	assert_in_range(r.nr_waits, 1, 50);
	assert_true(r.totals.mapped_pages[LAB_HOST][2] >= 2 * GIB_PAGES);
	r = run("dpdk", gms_policy_lazy(), 18, true);
	assert_in_range(r.nr_waits, 100, 200);
	r = run("pieces", gms_policy_lazy(), 9, false);
	assert_in_range(r.nr_split, 100, 140);
	/* a driver takes back pages of one block */
	r = run("pkvm", gms_policy_eager(), 9, false);
	assert_in_range(r.nr_split, 32, 35);
}

static void bad_requests(void **state)
{
	static const struct {
		struct gen_opts opts;
		int error;
	} cases[] = {
		{{"tdx", GEN_MIN_PAGES - 1, 0, 0}, -ERANGE},
		{{"tdx", GEN_MAX_PAGES + 1, 0, 0}, -ERANGE},
		{{"tdx", GEN_MIN_PAGES, GEN_MAX_VCPUS + 1, 0}, -ERANGE},
		{{"pkvm", GEN_MIN_PAGES, UINT32_MAX, 0}, -ERANGE},
		{{"tdx", GEN_MIN_PAGES, GEN_MAX_VCPUS, 0}, -ENOSPC},
		{{"snp-boot", GEN_MIN_PAGES, GEN_MAX_VCPUS, 0}, -ENOSPC},
		{{"td", GEN_MIN_PAGES, 0, 0}, -ENOENT},
		{{"tdxx", GEN_MIN_PAGES, 0, 0}, -ENOENT},
		{{"", GEN_MIN_PAGES, 0, 0}, -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len;
		char *text;
		FILE *file = open_memstream(&text, &len);

		assert_non_null(file);
		assert_int_equal(gen_run(file, &cases[i].opts), cases[i].error);
		fclose(file);
		assert_int_equal(len, 0);
		free(text);
	}
}

/* Whatever the size and the number of vCPUs: a sound log, or none. */
static void any_size(void **state)
{
	uint64_t seed = test_seed();
	unsigned int made = 0;

	(void)state;
	for (uint64_t n = test_iters(100); n; n--) {
		struct gen_opts opts = {.seed = n};
		struct log log;
		FILE *null;
		int ret;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		opts.name = gen_name((seed >> 33) % 5);
		opts.nr_pages = GEN_MIN_PAGES + (seed >> 11) % (4 * GIB_PAGES);
		opts.nr_vcpus = 1U << (seed >> 60) % 11;
		null = fopen("/dev/null", "w");
		assert_non_null(null);
		ret = gen_run(null, &opts);
		fclose(null);
		if (ret == -ENOSPC)
			continue;
		assert_int_equal(ret, 0);
		read_back(&log, &opts);
		assert_int_equal(log.malformed.total, 0);
		check_rows(&opts, &log);
		log_fini(&log);
		made++;
	}
	assert_true(made > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(vcpus),
		cmocka_unit_test(seeds_decide),
		cmocka_unit_test(replays),
		cmocka_unit_test(workloads_show_something),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(any_size),
	};

	costs_init(&costs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
