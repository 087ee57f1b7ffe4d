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

static const uint64_t sizes[] = {
	64ULL << 20,    (64ULL << 20) + 4096, GIB,
	4 * GIB - 4096, 4 * GIB + 4096,       8 * GIB,
	33 * GIB,       1ULL << 40,           (16ULL << 40) - 4096,
	16ULL << 40,
};

static char *generate(const char *name, uint64_t size, uint64_t seed, size_t *len)
{
	char *text;
	FILE *file = open_memstream(&text, len);

	assert_non_null(file);
	assert_int_equal(gen_run(file, name, size / 4096, seed), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void read_back(struct log *log, const char *name, uint64_t size)
{
	size_t len;
	char *text = generate(name, size, 1, &len);
	FILE *file = fmemopen(text, len, "r");

	assert_non_null(file);
	assert_int_equal(log_read(log, file, LOG_AUTO), 0);
	fclose(file);
	free(text);
}

/* Rows are in order of time, and in the guest's memory. */
static void check_rows(const char *name, const struct event *rows, size_t nr, uint64_t nr_pages)
{
	uint64_t last = 0;

	for (size_t i = 0; i < nr; i++) {
		if (rows[i].time_us < last || rows[i].start >= nr_pages ||
		    rows[i].nr_pages > nr_pages - rows[i].start)
			fail_msg("%s, %" PRIu64 " pages, line %" PRIu64 ": out of order or bounds",
				 name, nr_pages, rows[i].line);
		last = rows[i].time_us;
	}
}

static void rows_are_sound(void **state)
{
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j += test_on_valgrind() ? 4 : 1) {
			struct log log;

			read_back(&log, name, sizes[j]);
			assert_int_equal(log.format, LOG_CSV);
			assert_int_equal(log.malformed.total, 0);
			assert_int_equal(log.nr_other_lines, 1);
			assert_int_equal(log.nr_conversions + log.nr_other_events, log.nr_events);
			assert_in_range(log.nr_lines, 300, 110000);
			assert_true(log.nr_conversions > 70 && log.nr_other_events > 200);
			/* the first row converts all memory, so the size need not be given */
			assert_int_equal(log.end, sizes[j] / 4096);
			check_rows(name, log.events, log.nr_events, log.end);
			log_fini(&log);
		}
	}
	assert_int_equal(gen_name(5), NULL);
}

static void seeds_decide(void **state)
{
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		size_t len, len2;
		char *text = generate(name, GIB, 7, &len), *again = generate(name, GIB, 7, &len2);

		assert_string_equal(text, again);
		free(again);
		again = generate(name, GIB, 8, &len2);
		assert_string_not_equal(text, again);
		free(again);
		free(text);
	}
}

/* Every workload runs under every policy, on every backing. */
static void replays(void **state)
{
	const uint64_t size = test_on_valgrind() ? GIB / 4 : 2 * GIB;
	const char *name;

	(void)state;
	for (unsigned int i = 0; (name = gen_name(i)); i++) {
		struct log log;

		read_back(&log, name, size);
		for (size_t j = 0; j < POLICIES_NR * 4; j++) {
			/* with folios of 4K each page is a fault: one run is enough */
			const unsigned int orders[] = {18, 9, 18, 0};
			struct lab_opts opts = {.policy = policies_ops(j / 4),
						.costs = &costs,
						.nr_pages = size / 4096,
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
	const uint64_t size = 16 * GIB;
	struct lab_opts opts = {.policy = policy,
				.costs = &costs,
				.nr_pages = size / 4096,
				.folio_order = folio_order,
				.pin_us = LAB_PIN_US,
				.pins_by_folio = pins_by_folio};
	struct lab_result r;
	struct log log;

	read_back(&log, name, size);
	assert_int_equal(lab_run(&r, &log, &opts), 0);
	lab_result_fini(&r);
	log_fini(&log);
	return r;
}

/* In a guest of 16 GiB, each workload shows what it was made for. */
static void workloads_show_something(void **state)
{
	struct lab_result r;

	(void)state;
	if (test_on_valgrind())
		return;
	/* at an accept eager splits every 1G folio, lazy those that the host uses */
	r = run("snp-lazy-accept", gms_policy_eager_rfc(), 18, false);
	assert_int_equal(r.nr_split, 16);
	r = run("snp-lazy-accept", gms_policy_lazy(), 18, false);
	assert_in_range(r.nr_split, 1, 2);
	/* one page is converted to shared and back 500 times */
	r = run("tdx", gms_policy_eager(), 9, false);
	assert_in_range(r.nr_split, 491 + 1, 491 + 33);
	assert_true(r.stats.conversions > 1500);
	/* with pins by folio, pins in 1G folios refuse conversions of other pages */
	r = run("dpdk", gms_policy_lazy(), 18, false);
	assert_in_range(r.nr_waits, 1, 50);
	assert_true(r.totals.mapped_pages[LAB_HOST][2] >= 2 * GIB / 4096);
	r = run("dpdk", gms_policy_lazy(), 18, true);
	assert_in_range(r.nr_waits, 100, 200);
	/* eager splits all memory in each reboot */
	r = run("reboot", gms_policy_eager_rfc(), 18, false);
	assert_in_range(r.stats.splits_1g, 32, 40);
	assert_in_range(r.stats.merges_1g, 32, 40);
	/* adaptive merges folios that lazy leaves split */
	r = run("reboot", gms_policy_adaptive(), 18, false);
	assert_in_range(r.stats.merges_1g, 1, 4);
	r = run("pkvm", gms_policy_eager_nonuniform(), 18, false);
	assert_true(r.stats.merges_2m > 10);
}

static void bad_requests(void **state)
{
	(void)state;
	assert_int_equal(gen_run(stdout, "tdx", GEN_MIN_PAGES - 1, 0), -ERANGE);
	assert_int_equal(gen_run(stdout, "tdx", GEN_MAX_PAGES + 1, 0), -ERANGE);
	assert_int_equal(gen_run(stdout, "td", GEN_MIN_PAGES, 0), -ENOENT);
	assert_int_equal(gen_run(stdout, "tdxx", GEN_MIN_PAGES, 0), -ENOENT);
	assert_int_equal(gen_run(stdout, "", GEN_MIN_PAGES, 0), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound), cmocka_unit_test(seeds_decide),
		cmocka_unit_test(replays),        cmocka_unit_test(workloads_show_something),
		cmocka_unit_test(bad_requests),
	};

	costs_init(&costs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
