// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * input.c - the gmemstate command: exit status, odd and hostile input
 */
#include "tool_run.h"

#include "oracle.h"

#include <inttypes.h>

#define FTRACE " qemu-4210 [002] ..... 13.854023: kvm_vm_set_mem_attributes: "

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

/* Runs the tool on @input. Checks the exit status, and the number at @path in the JSON. */
static void check_input(const char *input, size_t len, int status, const char *path,
			json_int_t value)
{
	struct run run;
	json_t *json;

	TOOL_IN(&run, input, len, "replay", "--json", "--size", "1G", "-");
	if (run.status != status)
		fail_msg("status %d, not %d: %.200s\n%s", run.status, status, input, run.err);
	if (path) {
		json = run_json(&run);
		if (json_number(json, path) != value)
			fail_msg("%s is not %lld: %.200s\n%s", path, (long long)value, input,
				 run.out);
		json_decref(json);
	} else {
		assert_string_equal(run.out, "");
		assert_has(run.err, "gmemstate: ");
	}
	run_free(&run);
}

static void exit_status(void **state)
{
	struct run run;

	(void)state;
#define CHECK(text, ...) check_input(text, sizeof(text) - 1, __VA_ARGS__)
	CHECK(FTRACE "0x0 -- 0x1 [0x8]\n", 0, "conversions.changed", 1);
	CHECK(FTRACE "0x0 -- 0x1 [0x8]\n" FTRACE "0x0 -- 0x1 [0x8]\n", 0, "conversions.noops", 1);
	/* past the end by one page, wholly, and by as much as a number holds */
	CHECK(FTRACE "0x3ffff -- 0x40000 [0x8]\n", 0, "conversions.changed", 1);
	CHECK(FTRACE "0x3ffff -- 0x40001 [0x8]\n", 1, "conversions.refused", 1);
	CHECK(FTRACE "0x40000 -- 0x40001 [0x8]\n", 1, "conversions.refused", 1);
	CHECK(FTRACE "0x1 -- 0xffffffffffffffff [0x8]\n", 1, "conversions.refused", 1);
	CHECK(FTRACE "0x0 -- 0x0 [0x8]\n", 1, "log.malformed", 1);
	CHECK(FTRACE "0x0 -- 0x1 [0x1]\n", 0, "log.with_other_attributes", 1);
	CHECK("0,free,0x0,4096\n", 0, "log.other_events", 1);
	CHECK("", 2, NULL, 0);
	CHECK("\n", 2, NULL, 0);
	CHECK("hello\n", 2, NULL, 0);
	CHECK("time_us,op,gpa_bytes,size_bytes\n", 2, NULL, 0);
	CHECK("\0\0\0\0", 2, NULL, 0);
#undef CHECK
	TOOL(&run, "replay", GMS_TEST_DATA);
	assert_int_equal(run.status, 2);
	assert_has(run.err, "gmemstate: ");
	assert_has(run.err, "directory");
	run_free(&run);
	TOOL(&run, "replay", DATA("none"));
	assert_int_equal(run.status, 2);
	assert_has(run.err, "No such file");
	run_free(&run);
	TOOL(&run, "replay", DATA("README.md"));
	assert_int_equal(run.status, 2);
	run_free(&run);
	/* The wrong format: the log has no event of that format. */
	TOOL(&run, "replay", "--format", "qemu", DATA("A.csv"));
	assert_int_equal(run.status, 2);
	assert_has(run.err, "no qemu event in 9407 lines");
	run_free(&run);
}

/* Odd line ends, no line end, and bytes that no log has. */
static void odd_bytes(void **state)
{
	static const char two[] = FTRACE "0x0 -- 0x1 [0x8]\r\n" FTRACE "0x1 -- 0x2 [0x8]";
	static const char nul[] = FTRACE "0x0 -- 0x1 [0x8]\n" FTRACE "0x1 -- \0 0x2 [0x8]\n";
	static const char binary[] = "\xff\xfe\x80\x1b[0m\n" FTRACE "0x0 -- 0x1 [0x8]\n\xc3\n";

	(void)state;
	check_input(two, sizeof(two) - 1, 0, "conversions.changed", 2);
	check_input(nul, sizeof(nul) - 1, 1, "log.malformed", 1);
	check_input(binary, sizeof(binary) - 1, 0, "log.other_lines", 2);
}

static void a_megabyte_a_line(void **state)
{
	const size_t len = 1 << 20;
	char *text = malloc(2 * len);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 2 * len);
	check_input(text, 2 * len, 2, NULL, 0);
	strcpy(text, FTRACE "0x0 -- 0x1 [0x8]");
	text[strlen(text)] = ' ';
	text[len - 1] = '\n';
	text[2 * len - 1] = '\0';
	strcpy(text + 2 * len - 200, "\n" FTRACE "0x0 -- 0x1 [0x8]\n");
	check_input(text, strlen(text), 1, "conversions.changed", 1);
	check_input(text, strlen(text), 1, "log.malformed", 1);
	free(text);
}

static void standard_input(void **state)
{
	struct run from_file, from_stdin;
	size_t len;
	char *log = read_file(DATA("C.snp.ftrace.txt"), &len);

	(void)state;
	TOOL(&from_file, "dump", "--init", "private", DATA("C.snp.ftrace.txt"));
	TOOL_IN(&from_stdin, log, len, "dump", "--init", "private", "-");
	assert_int_equal(from_stdin.status, 0);
	assert_string_equal(from_stdin.out, from_file.out);
	run_free(&from_file);
	run_free(&from_stdin);
	free(log);
}

static void size_from_the_log(void **state)
{
	static const struct {
		const char *log;
		uint64_t size;
	} samples[] = {
		{FTRACE "0x0 -- 0x1 [0x8]\n", 1},
		{FTRACE "0x0 -- 0x40000 [0x8]\n", 1},
		{FTRACE "0x0 -- 0x40001 [0x8]\n", 2},
		{FTRACE "0xfffff -- 0x100000 [0x8]\n" FTRACE "0x0 -- 0x1 [0x8]\n", 4},
		{"kvm_convert_memory start 0x3fffffff000 size 0x1000 shared_to_private\n", 4096},
	};
	struct run run;
	json_t *json;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		TOOL_IN(&run, samples[i].log, strlen(samples[i].log), "replay", "--json", "-");
		assert_int_equal(run.status, 0);
		json = run_json(&run);
		assert_int_equal(json_number(json, "size_bytes"), samples[i].size << 30);
		assert_true(json_is_true(json_object_get(json, "size_from_log")));
		json_decref(json);
		run_free(&run);
	}
	TOOL_IN(&run, "1,free,0x0,4096\n", 16, "replay", "-");
	assert_int_equal(run.status, 2);
	assert_has(run.err, "--size");
	run_free(&run);
	TOOL_IN(&run, samples[0].log, strlen(samples[0].log), "replay", "-");
	assert_has(run.out, "(size: how far the log reaches, rounded up to 1G)");
	run_free(&run);
}

static void sizes_given(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0: refused */
		const char *why;
	} samples[] = {
		{"4096", 4096, NULL},
		{"8388608", 8ULL << 20, NULL},
		{"4k", 4096, NULL},
		{"512M", 512ULL << 20, NULL},
		{"16G", 16ULL << 30, NULL},
		{"16g", 16ULL << 30, NULL},
		{"2T", 2ULL << 40, NULL},
		{"4P", 4ULL << 50, NULL},
		{"4503599627370496", 4ULL << 50, NULL},
		{"5P", 0, "more than the largest object"},
		{"4503599627374592", 0, "more than the largest object"},
		{"0", 0, "has to be a whole number of 4K pages"},
		{"0G", 0, "has to be a whole number of 4K pages"},
		{"1", 0, "has to be a whole number of 4K pages"},
		{"4097", 0, "has to be a whole number of 4K pages"},
		{"6K", 0, "has to be a whole number of 4K pages"},
		{"", 0, "not a size"},
		{"G", 0, "not a size"},
		{"16GB", 0, "not a size"},
		{"-16G", 0, "not a size"},
		{"+1G", 0, "not a size"},
		{"1.5G", 3ULL << 29, NULL},
		{"16 GiB", 16ULL << 30, NULL},
		{"0x40000000", 1ULL << 30, NULL},
		{"1.87 GiB", 0, "has to be a whole number of 4K pages"},
		{"16E", 0, "not a size"},
		{"18446744073709551616", 0, "more than the largest object"},
		{"99999999999999999999G", 0, "more than the largest object"},
		{"18014398509481984K", 0, "more than the largest object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		static const char log[] = FTRACE "0x0 -- 0x1 [0x8]\n";
		struct run run;
		json_t *json;

		TOOL_IN(&run, log, sizeof(log) - 1, "replay", "--json", "--size", samples[i].text,
			"-");
		if (run.status != (samples[i].bytes ? 0 : 2))
			fail_msg("--size %s: %d", samples[i].text, run.status);
		if (samples[i].bytes) {
			json = run_json(&run);
			assert_int_equal(json_number(json, "size_bytes"), samples[i].bytes);
			assert_true(json_is_false(json_object_get(json, "size_from_log")));
			json_decref(json);
		} else {
			assert_has(run.err, "gmemstate: --size");
			assert_has(run.err, samples[i].why);
		}
		run_free(&run);
	}
}

/* An incomplete last block is summarised by the pages that it has. */
static void incomplete_blocks(void **state)
{
	static const char log[] = FTRACE "0x40000 -- 0x40201 [0x8]\n";
	struct run run;
	json_t *json;

	(void)state;
	/* 1G, 2M and one page: the last block of each order has pages of one kind only. */
	TOOL_IN(&run, log, sizeof(log) - 1, "replay", "--json", "--size", "1075843072", "-");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "blocks_1g.shared"), 1);
	assert_int_equal(json_number(json, "blocks_1g.private"), 1);
	assert_int_equal(json_number(json, "blocks_1g.mixed"), 0);
	assert_int_equal(json_number(json, "blocks_2m.shared"), 512);
	assert_int_equal(json_number(json, "blocks_2m.private"), 2);
	assert_int_equal(json_number(json, "shared.runs"), 1);
	assert_int_equal(json_number(json, "private.pages"), 513);
	json_decref(json);
	run_free(&run);
}

/*
 * The eight blocks with the most runs are listed; of two with as many, the lower one comes first.
 * Block i gets 6 - i % 6 separate private pages, and so twice as many runs.
 */
static void most_fragmented_blocks(void **state)
{
	static const unsigned int want[] = {0, 6, 1, 7, 2, 8, 3, 9};
	char *log = calloc(12 * 6, 128);
	const json_t *list;
	struct run run;
	json_t *json;

	(void)state;
	assert_non_null(log);
	for (unsigned int i = 0; i < 12; i++) {
		for (unsigned int n = 0; n < 6 - i % 6; n++) {
			unsigned int page = (i << 18) + 2 * n;

			sprintf(log + strlen(log), FTRACE "0x%x -- 0x%x [0x8]\n", page, page + 1);
		}
	}
	TOOL_IN(&run, log, strlen(log), "replay", "--json", "-");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "blocks_1g.mixed"), 12);
	assert_int_equal(json_number(json, "blocks_2m.mixed"), 12);
	list = json_object_get(json, "most_fragmented_1g");
	assert_int_equal(json_array_size(list), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const json_t *block = json_array_get(list, i);

		assert_int_equal(json_number(block, "start_bytes"), (uint64_t)want[i] << 30);
		assert_int_equal(json_number(block, "runs"), 2 * (6 - want[i] % 6));
		assert_int_equal(json_number(block, "mixed_2m"), 1);
		assert_int_equal(json_number(block, "private_pages"), 6 - want[i] % 6);
	}
	json_decref(json);
	run_free(&run);
	free(log);
}

/* Malformed and refused lines are one list in the log's order. The table shows the first ones. */
static void refused_lines_are_named(void **state)
{
	char log[4096] = "#\n" FTRACE "0x0 -- 0x1 [0x8]\n";
	struct run run;
	const json_t *list;
	json_t *json;

	(void)state;
	for (int i = 0; i < 6; i++)
		strcat(log, FTRACE "0x3fff0 -- 0x40001 [0x8]\n" FTRACE "0x1 -- [0x8]\n");
	TOOL_IN(&run, log, strlen(log), "replay", "--size", "1G", "-");
	assert_int_equal(run.status, 1);
	assert_has(run.out, "\nNot applied: 12\n");
	assert_has(run.out, "  line 3          refused    the range ends past the object\n");
	assert_has(run.out, "  line 4          malformed  the end is not a hexadecimal number\n");
	assert_has(run.out, "  line 12 ");
	assert_null(strstr(run.out, "  line 13 "));
	assert_has(run.out, "\n  and 2 more\n");
	run_free(&run);

	TOOL_IN(&run, log, strlen(log), "dump", "--size", "1G", "-");
	assert_int_equal(run.status, 1);
	assert_has(run.err, "gmemstate: -:3: refused: the range ends past the object\n");
	assert_has(run.err, "gmemstate: -:4: malformed: the end is not a hexadecimal number\n");
	assert_has(run.err, "2 more not applied");
	run_free(&run);

	TOOL_IN(&run, log, strlen(log), "replay", "--json", "--size", "1G", "-");
	json = run_json(&run);
	assert_int_equal(json_number(json, "not_applied.count"), 12);
	assert_int_equal(json_number(json, "not_applied.listed"), 12);
	list = json_object_get(json_object_get(json, "not_applied"), "list");
	assert_int_equal(json_array_size(list), 12);
	for (size_t i = 0; i < 12; i++) {
		const json_t *entry = json_array_get(list, i);

		assert_int_equal(json_number(entry, "line"), i + 3);
		assert_int_equal(json_is_true(json_object_get(entry, "malformed")), i % 2);
		assert_true(json_is_string(json_object_get(entry, "reason")));
	}
	json_decref(json);
	run_free(&run);
}

static void refused_lines_are_bounded(void **state)
{
	const char line[] = "kvm_convert_memory\nkvm_convert_memory start 0x40000000 size 0x1000 "
			    "shared_to_private\n";
	const size_t len = sizeof(line) - 1, nr = 10500;
	char *log = malloc(len * nr);
	struct run run;
	json_t *json;

	(void)state;
	assert_non_null(log);
	for (size_t i = 0; i < nr; i++)
		memcpy(log + i * len, line, len);
	TOOL_IN(&run, log, len * nr, "replay", "--json", "--size", "1G", "-");
	assert_int_equal(run.status, 1);
	json = run_json(&run);
	assert_int_equal(json_number(json, "not_applied.count"), 2 * nr);
	assert_int_equal(json_number(json, "not_applied.listed"), 10000);
	assert_int_equal(json_number(json, "conversions.refused"), nr);
	assert_int_equal(json_number(json, "log.malformed"), nr);
	json_decref(json);
	run_free(&run);
	free(log);
}

/* A log says that events are missing. */
static void lost_events_are_reported(void **state)
{
	static const char log[] =
		"# tracer: nop\n#\n# entries-in-buffer/entries-written: 2/5   #P:8\n#\n" FTRACE
		"0x0 -- 0x1 [0x8]\nCPU:2 [LOST 12 EVENTS]\n" FTRACE
		"0x1 -- 0x2 [0x8]\nCPU:3 [LOST EVENTS]\nCPU 1 is empty\n";
	struct run run;
	json_t *json;

	(void)state;
	TOOL_IN(&run, log, sizeof(log) - 1, "replay", "-");
	assert_int_equal(run.status, 0);
	assert_has(run.err, "warning: 15 events lost, and 1 gaps of unknown size");
	assert_has(run.out, "\nLost events                           15   ");
	run_free(&run);
	TOOL_IN(&run, log, sizeof(log) - 1, "replay", "--json", "-");
	json = run_json(&run);
	assert_int_equal(json_number(json, "log.lost_events"), 15);
	assert_int_equal(json_number(json, "log.lost_gaps_of_unknown_size"), 1);
	assert_int_equal(json_number(json, "log.other_lines"), 7);
	json_decref(json);
	run_free(&run);
}

/* If events have no time, that is said, but not where times do not change the result. */
static void missing_times_are_said(void **state)
{
	static const char event[] = "kvm_convert_memory start 0x0 size 0x1000 shared_to_private\n";
	static const struct {
		const char *first, *second, *said;
		int without;
	} samples[] = {
		{"1@2.5:", "2026-09-14T08:00:00Z ", "", 0},
		{"", "", "gmemstate: -: no times: each event counts as 1 ms\n", 2},
		{"", "1@2.5:",
		 "gmemstate: -: no time in 1 of 2 events: each of them counts as 1 ms\n", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char log[512];
		struct run run;
		json_t *json;
		int len = snprintf(log, sizeof(log), "%s%s%s%s", samples[i].first, event,
				   samples[i].second, event);

		TOOL_IN(&run, log, (size_t)len, "replay", "--json", "-");
		assert_int_equal(run.status, 0);
		assert_string_equal(run.err, samples[i].said);
		json = run_json(&run);
		assert_int_equal(json_number(json, "log.without_time"), samples[i].without);
		json_decref(json);
		run_free(&run);
		TOOL_IN(&run, log, (size_t)len, "replay", "--json", "--policy", "lazy", "-");
		assert_string_equal(run.err, samples[i].said);
		json = run_json(&run);
		assert_int_equal(json_number(json, "log.without_time"), samples[i].without);
		json_decref(json);
		run_free(&run);
		TOOL_IN(&run, log, (size_t)len, "dump", "-");
		assert_string_equal(run.err, "");
		run_free(&run);
	}
}

static void output_is_lost(void **state)
{
	char command[8192];
	int status;

	(void)state;
	snprintf(command, sizeof(command), "'%s' dump '%s' >/dev/full 2>/dev/null", GMS_TOOL,
		 DATA("A.csv"));
	status = system(command);
	assert_true(status != -1 && (status >> 8) == 2);
}

/* Any bytes in a name give valid JSON. */
static void names_in_json(void **state)
{
	char name[] = "/tmp/gmemstate-\xff\"\n-XXXXXX";
	int fd = mkstemp(name);
	FILE *file = fdopen(fd, "w");
	struct run run;

	(void)state;
	assert_non_null(file);
	fputs(FTRACE "0x0 -- 0x1 [0x8]\n", file);
	fclose(file);
	TOOL(&run, "replay", "--json", name);
	remove(name);
	assert_int_equal(run.status, 0);
	json_decref(run_json(&run));
	run_free(&run);
}

/* In a log that is cut anywhere, the whole lines before the cut count, and at most one part. */
static void truncated_logs(void **state)
{
	static const char *const logs[] = {DATA("A.csv"), DATA("C.snp.ftrace.txt"),
					   DATA("A.snp.qemu.log")};
	const uint64_t seed = test_seed();
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < test_iters(60); i++) {
		size_t len, cut, lines = 0;
		char *log = read_file(logs[i % ARRAY_SIZE(logs)], &len);
		struct run run;
		json_int_t got;
		json_t *json;

		cut = 200 + prng_below(&prng, len - 200);
		for (size_t at = 0; at < cut; at++)
			lines += log[at] == '\n';
		TOOL_IN(&run, log, cut, "replay", "--json", "--size", "2G", "-");
		assert_in_range(run.status, 0, 1);
		json = run_json(&run);
		got = json_number(json, "log.lines");
		assert_in_range(got, lines, lines + 1);
		assert_in_range(json_number(json, "log.malformed"), 0, got - (json_int_t)lines);
		assert_int_equal(run.status, json_number(json, "log.malformed"));
		json_decref(json);
		run_free(&run);
		free(log);
	}
}

/* Random bytes, and logs with random changes. */
static void garbage(void **state)
{
	static const char *const logs[] = {DATA("A.csv"), DATA("A.snp.ftrace.txt"),
					   DATA("A.snp.qemu.log")};
	const uint64_t seed = test_seed();
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < test_iters(80); i++) {
		size_t len = 0;
		char *log = read_file(logs[i % ARRAY_SIZE(logs)], &len);
		size_t nr = i % 4 ? len / 100 : len;
		struct run run;

		for (size_t n = 0; n < nr; n++)
			log[i % 4 ? prng_below(&prng, len) : n] = (char)prng_next(&prng);
		TOOL_IN(&run, log, len, "replay", "--json", "--size", "2G", "-");
		if (run.status == 2)
			assert_string_equal(run.out, "");
		else
			json_decref(run_json(&run));
		run_free(&run);
		free(log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status),
		cmocka_unit_test(odd_bytes),
		cmocka_unit_test(a_megabyte_a_line),
		cmocka_unit_test(standard_input),
		cmocka_unit_test(size_from_the_log),
		cmocka_unit_test(sizes_given),
		cmocka_unit_test(incomplete_blocks),
		cmocka_unit_test(most_fragmented_blocks),
		cmocka_unit_test(refused_lines_are_named),
		cmocka_unit_test(refused_lines_are_bounded),
		cmocka_unit_test(lost_events_are_reported),
		cmocka_unit_test(missing_times_are_said),
		cmocka_unit_test(output_is_lost),
		cmocka_unit_test(names_in_json),
		cmocka_unit_test(truncated_logs),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
