// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_model.c - what the lab charges: rent, stalls, waits for pins, broken entries, holes
 */
#include "lab_text.h"
#include "oracle.h"

#include <errno.h>
#include <inttypes.h>

/*
 * A block whose entry broke stays at 4K, until the guest converts or accepts all of it at once. If
 * entries heal, it has 2M again when all of it is private.
 */
static void broken_entries(void **state)
{
	static const struct {
		const char *rows;
		uint64_t heals;
		uint64_t sticky;
	} cases[] = {
		{"", 4 * MIB, 4 * MIB},
		{"1,to_shared,0x1000,4096\n", 2 * MIB, 2 * MIB},
		{"1,to_shared,0x1000,4096\n2,to_private,0x1000,4096\n", 4 * MIB, 2 * MIB},
		{"1,to_shared,0x1000,4096\n2,accept,0x0,2097152\n", 4 * MIB, 4 * MIB},
		{"1,to_shared,0x1ff000,8192\n2,to_private,0x1ff000,8192\n", 4 * MIB, 0},
		{"1,to_shared,0x1ff000,8192\n2,to_private,0x0,4194304\n", 4 * MIB, 4 * MIB},
		{"1,accept,0x1000,4096\n", 4 * MIB, 2 * MIB},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		const uint64_t want = i % 2 ? cases[i / 2].sticky : cases[i / 2].heals;
		struct lab_opts opts = opts_of(POLICIES_LAZY, 4 * MIB, GMS_ORDER_2M, true);
		struct lab_result r;
		char text[256];
		int len;

		opts.rmp_sticky = i % 2;
		len = snprintf(text, sizeof(text), "0,accept,0x0,4194304\n%s", cases[i / 2].rows);
		run_text(&r, text, (size_t)len, &opts);
		if (r.totals.mapped_pages[LAB_GUEST][1] * 4096 != want)
			fail_msg("%s, %s: %" PRIu64 " bytes by 2M", text,
				 i % 2 ? "sticky" : "heals",
				 r.totals.mapped_pages[LAB_GUEST][1] * 4096);
		/* the rent is for what is not by 2M */
		assert_true(r.rate[0] <=
			    (4 * MIB - want) / (2. * MIB) * costs.item[COSTS_RENT_2M].value);
	}
}

/* Work and rent add up to the prices of what was done. */
static void rent_is_by_time(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, 4 * MIB, GMS_ORDER_2M, true);
	const double rent = costs.item[COSTS_RENT_2M].value;
	struct lab_result r;

	(void)state;
	/* 511 private pages of a mixed block, for 3 s of the log, and later */
	run_text(&r, "0,accept,0x0,4194304\n0,to_shared,0x1000,4096\n3000000,free,0x0,4096\n", 71,
		 &opts);
	assert_true(r.at_end.us == 3000000);
	assert_int_equal(r.at_end.part[COSTS_RENT_2M], 3 * rent * 511 / 512);
	assert_int_equal(r.rate[0], rent * 511 / 512);
	assert_int_equal(lab_sum_rent(&r.at_end),
			 r.at_end.part[COSTS_RENT_2M] + r.at_end.part[COSTS_RENT_1G]);
	assert_int_equal(r.at_end.part[COSTS_FAULT], (2 + 511) * 4500);
	assert_int_equal(r.at_end.part[COSTS_CLEAR], 0);
	assert_true(r.settled.us > r.at_end.us);
}

/* The longest stall is that of one call, and counts only what is done under a lock. */
static void stalls_are_of_one_call(void **state)
{
	static const char text[] = "0,accept,0x0,1073741824\n"
				   "1,to_shared,0x1000,4096\n"
				   "2,host_read,0x1000,1\n";
	struct lab_result r;

	(void)state;
	r = run(text, POLICIES_EAGER_RFC);
	/* 46,475,980 for the split; a zap, a conversion of one page */
	assert_int_equal(r.stall_convert, 46475980 + 500 + 320 + 500);
	assert_true(r.stall_fault == 0);
	r = run(text, POLICIES_LAZY);
	/* the guest's mappings of 4K below the 2M that is split stay */
	assert_int_equal(r.stall_convert, 500 + 320 + 500);
	assert_true(r.stall_fault > 112079);
	assert_true(lab_result_stall(&r) == r.stall_fault);
}

/*
 * A split in a fault of the guest is a stall. So is a split of a folio that the guest uses, also
 * if the event is about other pages of it.
 */
static void stalls_of_the_guest(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_EAGER_RFC, GIB, GMS_ORDER_1G, false);
	static const char accepts[] = "0,accept,0x0,4194304\n";
	static const char elsewhere[] = "0,accept,0x0,4194304\n1,to_shared,0x20000000,4096\n";
	struct lab_result r;

	(void)state;
	/* the 1G is allocated in a block of which only a part is private */
	run_text(&r, accepts, sizeof(accepts) - 1, &opts);
	assert_true(r.stall_fault >= 46475980);
	opts.init_private = true;
	run_text(&r, elsewhere, sizeof(elsewhere) - 1, &opts);
	assert_true(r.stall_convert >= 46475980);
	assert_true(r.stall_fault == 0);
}

/* Nobody waits for a conversion of folios that the guest has not used. */
static void conversions_before_use_are_no_stall(void **state)
{
	static const char text[] = "0,to_shared,0x0,1073741824\n1,to_private,0x0,1073741824\n";
	struct lab_result r;

	(void)state;
	r = run(text, POLICIES_EAGER);
	assert_int_equal(r.stats.conversions, 2);
	assert_true(r.stall_convert == 0);
}

/* A call waits for the last of the pins in its way. */
static void a_call_waits_for_the_last_pin(void **state)
{
	static const char text[] = "0,host_read,0x1000,4096\n"
				   "300,host_read,0x2000,4096\n"
				   "400,host_read,0x4000,4096\n"
				   "500,to_private,0x1000,8192\n";
	struct lab_opts opts = opts_of(POLICIES_LAZY, 4 * MIB, GMS_ORDER_2M, false);
	struct lab_result r;

	(void)state;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_int_equal(r.nr_waits, 1);
	assert_int_equal(r.waited_us, 800);
	opts.pins_by_folio = true;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_int_equal(r.nr_waits, 1);
	assert_int_equal(r.waited_us, 900);
}

/* A broken entry of 2M keeps its 1G from one large mapping. */
static void a_broken_entry_breaks_the_1g(void **state)
{
	static const char text[] = "0,accept,0x0,1073741824\n1,accept,0x1000,4096\n";
	struct lab_opts opts = opts_of(POLICIES_LAZY, GIB, GMS_ORDER_1G, true);
	struct lab_result r;

	(void)state;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_true(r.rate[0] == 0 && r.rate[1] == 0);
	opts.rmp_sticky = true;
	run_text(&r, text, sizeof(text) - 1, &opts);
	assert_true(r.rate[0] == costs.item[COSTS_RENT_2M].value);
	assert_true(r.rate[1] == costs.item[COSTS_RENT_1G].value);
}

/* A policy that may not merge splits as often as before, and leaves split what it would merge. */
static void without_merges(void **state)
{
	const struct lab_result r = run(ACCEPT_2G SHARE UNSHARE, POLICIES_EAGER_UNMERGED);

	(void)state;
	assert_int_equal(r.stats.splits_1g + r.stats.splits_2m, 2);
	assert_int_equal(r.stats.merges_1g + r.stats.merges_2m, 0);
	assert_true(r.rate[0] == costs.item[COSTS_RENT_2M].value);
}

/* A log that would keep the tool busy for hours ends, and says at which line. */
static void a_run_is_bounded(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, 64 * 1024 * GIB, GMS_ORDER_4K, true);
	static char text[] = "0,to_private,0x0,4096\n0,to_shared,0x0,70368744177664\n";
	struct lab_result r;
	struct log log;
	FILE *file = fmemopen(text, sizeof(text) - 1, "r");

	(void)state;
	assert_int_equal(log_read(&log, file, LOG_AUTO), 0);
	fclose(file);
	assert_int_equal(lab_run(&r, &log, &opts), -E2BIG);
	assert_int_equal(r.last_line, 2);
	lab_result_fini(&r);
	log_fini(&log);
}

/*
 * 256 MiB are shared, the host accesses 64K at a time and pins them for 100 ms, and the guest
 * takes 64K at a time back. If pins count by folio, far more calls wait. If folios are of 4K, the
 * two ways to count are one.
 */
static void pins_by_folio_make_calls_wait(void **state)
{
	struct lab_result r[2][2];
	struct prng rng;
	static char text[1 << 17];
	size_t len;

	(void)state;
	prng_init(&rng, 1);
	len = (size_t)sprintf(text, "0,to_shared,0x0,268435456\n");
	for (unsigned int i = 0; i < 1600; i++)
		len += (size_t)sprintf(text + len, "%u,%s,0x%" PRIx64 ",65536\n", 1000 + i * 300,
				       i % 4 ? "host_read" : "to_private",
				       prng_below(&rng, 4096) * 65536);
	for (int i = 0; i < 4; i++) {
		struct lab_opts opts = opts_of(i / 2 ? POLICIES_LAZY : POLICIES_EAGER_RFC,
					       256 * MIB, GMS_ORDER_2M, true);

		opts.pin_us = 100000;
		opts.pins_by_folio = i % 2;
		run_text(&r[i / 2][i % 2], text, len, &opts);
	}
	assert_int_equal(r[0][0].nr_waits, r[0][1].nr_waits);
	assert_int_equal(r[0][0].nr_waits, r[1][0].nr_waits);
	assert_int_equal(r[0][0].waited_us, r[1][0].waited_us);
	assert_true(r[1][0].nr_waits > 0);
	assert_true(r[1][1].nr_waits > 4 * r[1][0].nr_waits);
	assert_true(r[1][1].waited_us > 4 * r[1][0].waited_us);
	/* a folio is put off once, however often its split was tried */
	assert_true(r[1][1].nr_put_off <= 128);
}

/* Memory that is a hole is neither used nor counted. */
static void holes_are_not_memory(void **state)
{
	struct lab_opts opts = opts_of(POLICIES_LAZY, 4 * GIB, GMS_ORDER_2M, true);
	struct lab_result r;

	(void)state;
	opts.guest_all = true;
	opts.ram[0] = (struct log_ram) {0, PAGES(GIB)};
	opts.ram[1] = (struct log_ram) {PAGES(3 * GIB), PAGES(4 * GIB)};
	opts.nr_ram = 2;
	run_text(&r, "0,to_private,0x0,4096\n", 22, &opts);
	check_maps(&r, LAB_GUEST, 0, 2 * GIB, 0);
	assert_int_equal(r.nr_folios, 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_entries),
		cmocka_unit_test(rent_is_by_time),
		cmocka_unit_test(stalls_are_of_one_call),
		cmocka_unit_test(stalls_of_the_guest),
		cmocka_unit_test(without_merges),
		cmocka_unit_test(conversions_before_use_are_no_stall),
		cmocka_unit_test(a_call_waits_for_the_last_pin),
		cmocka_unit_test(a_broken_entry_breaks_the_1g),
		cmocka_unit_test(a_run_is_bounded),
		cmocka_unit_test(pins_by_folio_make_calls_wait),
		cmocka_unit_test(holes_are_not_memory),
	};

	costs_init(&costs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
