// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab.c - logs of a few lines under each policy, and their results
 */
#include "lab_text.h"
#include "oracle.h"

#include <inttypes.h>

/* Rules 26, 27 and 30: the guest accepts 2G and shares a page. */
static void sharing_splits_where_the_policy_says(void **state)
{
	struct lab_result r;

	(void)state;
	r = run(ACCEPT_2G, POLICIES_EAGER_RFC);
	assert_int_equal(r.nr_folios, 4);
	check_maps(&r, LAB_GUEST, 2 * GIB, 0, 0);
	assert_int_equal(r.stats.faults_guest, 2);

	r = run(ACCEPT_2G SHARE, POLICIES_EAGER_RFC);
	assert_int_equal(r.nr_split, 1);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.stats.splits_2m, 0);
	assert_int_equal(r.totals.vmemmap_given_back, 16 * MIB - 4 * KIB);
	assert_true(r.at_end.part[COSTS_SPLIT_1G] == 46475980);
	/* the shared page is mapped again when it is accessed */
	check_maps(&r, LAB_GUEST, GIB, 0, GIB - 4 * KIB);

	for (enum policies_id id = POLICIES_EAGER; id <= POLICIES_EAGER_NONUNIFORM; id++) {
		r = run(ACCEPT_2G SHARE, id);
		assert_int_equal(r.nr_split, 1);
		assert_int_equal(r.stats.splits_1g, 1);
		assert_int_equal(r.stats.splits_2m, 1);
		assert_int_equal(r.totals.vmemmap_given_back, 2 * MIB - 4 * KIB + 28 * KIB);
		check_maps(&r, LAB_GUEST, GIB, GIB - 2 * MIB, 2 * MIB - 4 * KIB);
	}
	for (enum policies_id id = POLICIES_LAZY_4K; id < POLICIES_NR; id++) {
		r = run(ACCEPT_2G SHARE, id);
		assert_int_equal(r.nr_split, 0);
		check_maps(&r, LAB_GUEST, GIB, GIB - 2 * MIB, 2 * MIB - 4 * KIB);
	}
}

/* The host reads the shared page, and the guest makes the page private again (rules 26 and 27). */
static void touching_and_taking_back(void **state)
{
	struct lab_result r;

	(void)state;
	r = run(ACCEPT_2G SHARE READ, POLICIES_LAZY);
	assert_int_equal(r.nr_split, 1);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.stats.splits_2m, 1);
	check_maps(&r, LAB_GUEST, GIB, GIB - 2 * MIB, 2 * MIB);
	check_maps(&r, LAB_HOST, 0, 0, 4 * KIB);

	r = run(ACCEPT_2G SHARE READ, POLICIES_LAZY_4K);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.stats.splits_2m, 0);
	check_maps(&r, LAB_GUEST, GIB, 0, GIB);

	r = run(ACCEPT_2G SHARE READ UNSHARE, POLICIES_LAZY);
	assert_int_equal(r.stats.merges_1g + r.stats.merges_2m, 0);
	assert_int_equal(r.nr_waits, 0);
	check_maps(&r, LAB_GUEST, GIB, GIB - 2 * MIB, 2 * MIB);
	check_maps(&r, LAB_HOST, 0, 0, 0);

	for (enum policies_id id = POLICIES_EAGER_RFC; id <= POLICIES_EAGER_NONUNIFORM; id++) {
		r = run(ACCEPT_2G SHARE READ UNSHARE, id);
		assert_int_equal(r.stats.merges_1g, 1);
		assert_int_equal(r.nr_split, 1);
		check_maps(&r, LAB_GUEST, 2 * GIB, 0, 0);
		check_maps(&r, LAB_HOST, 0, 0, 0);
	}
}

/* Rule 30: adaptive merges while the log is quiet, and after its end. */
static void maintenance(void **state)
{
	struct lab_result r;

	(void)state;
#define LATER "20000000,guest_touch,0x0,4096\n"
	r = run(ACCEPT_2G SHARE READ UNSHARE LATER, POLICIES_ADAPTIVE);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.stats.merges_1g, 1);
	check_maps(&r, LAB_GUEST, 2 * GIB, 0, 0);
	assert_true(r.stall_maintain > 0);
	r = run(ACCEPT_2G SHARE READ UNSHARE LATER, POLICIES_LAZY);
	assert_int_equal(r.stats.merges_1g, 0);
	assert_true(r.stall_maintain == 0);
	/* the numbers are those of the last event; the rent is that of later */
	r = run(ACCEPT_2G SHARE READ UNSHARE, POLICIES_ADAPTIVE);
	assert_int_equal(r.stats.merges_1g, 0);
	assert_true(r.rate[0] + r.rate[1] == 0);
	r = run(ACCEPT_2G SHARE READ UNSHARE, POLICIES_LAZY);
	assert_true(r.rate[0] == costs.item[COSTS_RENT_2M].value);
	assert_true(r.rate[1] == costs.item[COSTS_RENT_1G].value);
#undef LATER
}

/*
 * A pin lasts a millisecond. Whether it counts by page or by folio decides what it refuses (rule
 * 29).
 */
static void pins(void **state)
{
	static const struct {
		const char *rows;
		uint64_t by_page;
		uint64_t by_folio;
	} cases[] = {
		{"100,to_private,0x1000,4096\n", 1, 1},
		{"100,to_private,0x2000,4096\n", 0, 1},
		{"100,to_private,0x200000,2097152\n", 0, 1},
		{"100,to_private,0x40000000,4096\n", 0, 0},
		{"1019,to_private,0x1000,4096\n", 1, 1},
		{"1020,to_private,0x1000,4096\n", 0, 0},
		/* a second access pins the page longer; a retry drops both pins */
		{"900,host_write,0x1000,4096\n1800,to_private,0x1000,4096\n", 1, 1},
		{"900,host_write,0x1000,4096\n950,to_private,0x1000,4096\n", 1, 1},
		{"30,host_write,0x3000,4096\n40,to_private,0x2000,8192\n", 1, 1},
		{"2000,host_write,0x3000,4096\n2010,to_private,0x2000,4096\n", 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		bool by_folio = i % 2;
		uint64_t want = by_folio ? cases[i / 2].by_folio : cases[i / 2].by_page;
		struct lab_opts opts = opts_of(POLICIES_LAZY, 2 * GIB, GMS_ORDER_1G, false);
		struct lab_result r;
		char text[256];
		int len;

		/* all pages are shared, so that the access splits nothing */
		len = snprintf(text, sizeof(text), READ "%s", cases[i / 2].rows);
		opts.pins_by_folio = by_folio;
		run_text(&r, text, (size_t)len, &opts);
		if (r.nr_waits != want)
			fail_msg("%s by %s: %" PRIu64 " calls wait, not %" PRIu64, text,
				 by_folio ? "folio" : "page", r.nr_waits, want);
		assert_int_equal(r.refused.total, 0);
		assert_int_equal(r.stats.conversions, 1);
	}
}

/* Of more accesses than LAB_MAX_PINS, the oldest is dropped. */
static void many_pins(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, 64 * MIB, GMS_ORDER_2M, false);
	char *text = malloc(64 * (LAB_MAX_PINS + 2));
	struct lab_result r;
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned int i = 0; i <= LAB_MAX_PINS; i++)
		len += (size_t)sprintf(text + len, "1,host_read,0x%x,4096\n", i << 12);
	strcpy(text + len, "1,to_private,0x0,4096\n1,to_private,0x1000,4096\n");
	run_text(&r, text, strlen(text), &opts);
	assert_int_equal(r.nr_waits, 1);
	assert_int_equal(r.stats.conversions, 2);
	free(text);
}

/* Only pins that refuse a call, or that exceed the limit, are dropped. */
static void some_pins(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, 8 * GIB, GMS_ORDER_2M, false);
	static const char between[] = "1,host_read,0x1000,4096\n"
				      "1,host_read,0x2000,4096\n"
				      "1,host_read,0x3000,4096\n"
				      "1,to_private,0x2000,4096\n"
				      "1,to_private,0x1000,4096\n"
				      "1,to_private,0x3000,4096\n";
	static const char large[] = "1,host_read,0x0,4294967296\n"
				    "1,host_read,0x140000000,4096\n"
				    "1,to_private,0x0,4096\n" /* no longer pinned */
				    "1,host_read,0x180000000,4096\n"
				    "1,to_private,0x140000000,4096\n";
	struct lab_result r;

	(void)state;
	run_text(&r, between, sizeof(between) - 1, &opts);
	assert_int_equal(r.nr_waits, 3);
	assert_int_equal(r.stats.conversions, 3);
	assert_int_equal(r.stats.surplus_unpins, 0);
	run_text(&r, large, strstr(large, "1,host_read,0x18") - large, &opts);
	assert_int_equal(r.nr_waits, 0);
	run_text(&r, large, sizeof(large) - 1, &opts);
	assert_int_equal(r.nr_waits, 1);
	assert_int_equal(r.stats.conversions, 2);
}

static void averages_are_over_time(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, GIB, GMS_ORDER_2M, true);
	static const char text[] = "5000,accept,0x0,2097152\n"
				   "6000,guest_touch,0x200000,2097152\n"
				   "5500,guest_touch,0x400000,1\n" /* time does not go back */
				   "8000,free,0x0,4096\n";
	struct lab_result r;

	(void)state;
	run_text(&r, text, sizeof(text) - 1, &opts);
	/* 512 pages for 1 ms, 1536 for 2 ms */
	assert_true(r.average_pages[LAB_GUEST][1] > 1194.6 &&
		    r.average_pages[LAB_GUEST][1] < 1194.7);
	assert_int_equal(r.average_pages[LAB_GUEST][0], 0);
	assert_int_equal(r.average_pages[LAB_HOST][0], 0);
	/* a log whose events have one time */
	run_text(&r, text, strchr(text, '\n') + 1 - text, &opts);
	assert_int_equal(r.average_pages[LAB_GUEST][1], 512);
}

/* Rule 32: memory that the guest frees is punched out, where the option says so. */
static void freeing(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, GIB, GMS_ORDER_1G, true);
	static const char text[] = "0,accept,0x0,1073741824\n"
				   "5,free,0x200000,2097152\n";
	struct lab_result r;

	(void)state;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_int_equal(r.nr_ignored, 1);
	check_maps(&r, LAB_GUEST, GIB, 0, 0);
	opts.punch = true;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_int_equal(r.nr_ignored, 0);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.stats.folios_freed, 1);
	check_maps(&r, LAB_GUEST, 0, GIB - 2 * MIB, 0);
}

static void what_cannot_be_done_is_counted(void **state)
{
	struct lab_opts large = opts_of(POLICIES_LAZY, 8 * GIB, GMS_ORDER_1G, false);
	struct lab_result r;

	(void)state;
	r = run("0,host_read,0x0,1\n" /* private */
		"1,host_read,0x100000000,1\n" /* past the end: reads, touches, frees */
		"1,guest_touch,0xfffff000,4097\n"
		"1,free,0xffffffffffffffff,1\n"
		"1,free,0xffffffffffffffff,2\n" /* wraps: not a range */
		"1,to_shared,0x100000000,4096\n"
		"18446744073709551615,to_shared,0x0,4294967296\n"
		"18446744073709551615,host_read,0x0,4294967296\n"
		"18446744073709551615,host_read,0x0,4294967295\n",
		POLICIES_LAZY);
	assert_int_equal(r.nr_denied, 1);
	assert_int_equal(r.nr_out_of_reach, 3);
	assert_int_equal(r.refused.total, 1);
	assert_int_equal(r.stats.conversions, 1);
	check_maps(&r, LAB_HOST, 4 * GIB, 0, 0);
	/* longer than LAB_MAX_PINNED */
	assert_int_equal(LAB_MAX_PINNED, PAGES(4 * GIB));
	r.nr_out_of_reach = 0;
	run_text(&r, "0,host_read,0x0,4294967297\n", 27, &large);
	assert_int_equal(r.nr_out_of_reach, 1);
}

/* All memory is made shared: there is no guest that faults. */
static void a_reboot(void **state)
{
	struct lab_result r;

	(void)state;
	r = run(ACCEPT_2G "1,to_shared,0x0,4294967296\n2,to_private,0x0,4294967296\n",
		POLICIES_LAZY);
	check_maps(&r, LAB_GUEST, 0, 0, 0);
	r = run(ACCEPT_2G "1,to_shared,0x0,4294963200\n2,to_private,0x0,4294967296\n",
		POLICIES_LAZY);
	check_maps(&r, LAB_GUEST, 2 * GIB, 0, 0);
}

/* With guest_all the guest uses all memory. The times of the log are read. */
static void logs_without_accesses(void **state)
{
	static const char ftrace[] =
		" qemu-1 [002] ..... 13.5: kvm_vm_set_mem_attributes: 0x0 -- 0x100000 [0x8]\n"
		" qemu-1 [002] ..... 14.5: kvm_vm_set_mem_attributes: 0x0 -- 0x1 [0x0]\n"
		" qemu-1 [002] ..... 17.500000: kvm_vm_set_mem_attributes: 0x0 -- 0x1 [0x8]\n";
	static const char qemu[] = "kvm_convert_memory start 0x0 size 0x1000 private_to_shared\n"
				   "kvm_convert_memory start 0x0 size 0x1000 shared_to_private\n";
	struct lab_opts opts = opts_of(POLICIES_EAGER_RFC, 4 * GIB, GMS_ORDER_1G, true);
	struct lab_result r;

	(void)state;
	opts.guest_all = true;
	run_text(&r, ftrace, sizeof(ftrace) - 1, &opts);
	check_maps(&r, LAB_GUEST, 4 * GIB, 0, 0);
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.average_pages[LAB_GUEST][2] * 4, PAGES(13 * GIB));
	assert_int_equal(r.average_pages[LAB_GUEST][0] * 4, PAGES(3 * GIB));
	run_text(&r, qemu, sizeof(qemu) - 1, &opts);
	check_maps(&r, LAB_GUEST, 4 * GIB, 0, 0);
	/* the page was shared before the first fault, so its folio is split; a line takes 1 ms */
	assert_int_equal(r.stats.splits_1g, 1);
	assert_int_equal(r.average_pages[LAB_GUEST][0], PAGES(GIB));
	assert_int_equal(r.stats.faults_host, 0);
	/* the host touches all that becomes shared */
	opts.host_all = true;
	opts.policy = policies_ops(POLICIES_LAZY);
	run_text(&r, ftrace, sizeof(ftrace) - 1, &opts);
	assert_int_equal(r.stats.faults_host, 1);
	assert_int_equal(r.nr_split, 1);
}

/* Random rows break no rule. */
static void any_rows(void **state)
{
	static const char *const ops[] = {"accept",     "to_shared",   "to_private", "host_read",
					  "host_write", "guest_touch", "free"};
	const uint64_t size = GIB + 6 * MIB + 20 * KIB, first = GIB - 8 * MIB;
	struct prng rng;

	(void)state;
	prng_init(&rng, test_seed());
	for (uint64_t round = test_iters(30); round; round--) {
		char text[8192];
		size_t len = 0;

		for (int i = 0; i < 80; i++) {
			uint64_t at = first + prng_below(&rng, PAGES(size - first)) * 4096;
			uint64_t max = prng_below(&rng, 3) ? 64 * KIB : 8 * MIB;
			uint64_t nr = (1 + prng_below(&rng, PAGES(max))) * 4096;

			len += (size_t)sprintf(text + len,
					       "%" PRIu64 ",%s,0x%" PRIx64 ",%" PRIu64 "\n",
					       prng_below(&rng, 4) * 400 + (uint64_t)i * 500,
					       ops[prng_below(&rng, ARRAY_SIZE(ops))], at, nr);
		}
		for (unsigned int i = 0; i < POLICIES_NR * 6; i++) {
			struct lab_opts opts =
				opts_of(i / 6, size, (unsigned int)(i % 3) * 9, round % 2);
			struct lab_result r;

			opts.pins_by_folio = i / 3 % 2;
			opts.punch = round % 3 == 0;
			opts.guest_all = i % 3 == 1 && round % 5 == 0;
			opts.host_all = round % 4 == 0;
			opts.rmp_sticky = round % 7 < 3;

			run_text(&r, text, len, &opts);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sharing_splits_where_the_policy_says),
		cmocka_unit_test(touching_and_taking_back),
		cmocka_unit_test(maintenance),
		cmocka_unit_test(pins),
		cmocka_unit_test(many_pins),
		cmocka_unit_test(some_pins),
		cmocka_unit_test(averages_are_over_time),
		cmocka_unit_test(freeing),
		cmocka_unit_test(what_cannot_be_done_is_counted),
		cmocka_unit_test(a_reboot),
		cmocka_unit_test(logs_without_accesses),
		cmocka_unit_test(any_rows),
	};

	costs_init(&costs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
