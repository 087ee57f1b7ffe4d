// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tool.c - the gmemstate command on the bundled logs
 *
 * Oracles: the facts in the traces' meta.txt, which this project's code did not make, and a flat
 * array, one byte a page, which the test fills with its own parser.
 */
#include "tool_run.h"

#include <inttypes.h>

#define NR_PAGES 0x80000U
#define SIZE_PRIVATE "--size", "2G", "--init", "private"

static const char *const traces[] = {"A", "C"};
static const char *const logs[] = {"csv", "snp.ftrace.txt", "snp.qemu.log", "tdx.ftrace.txt",
				   "tdx.qemu.log"};

#define NR_LOGS ARRAY_SIZE(logs)
#define FIRST_TDX 3

static const char *log_path(const char *trace, const char *log)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s.%s", GMS_TEST_DATA, trace, log);
	return path;
}

/* Returns 1 for each private page. Each page must be in one run, and runs must alternate. */
static unsigned char *pages_of_dump(const char *text)
{
	unsigned char *pages = malloc(NR_PAGES);
	uint64_t at = 0;
	int last = -1;

	assert_non_null(pages);
	while (*text) {
		uint64_t start, end, nr;
		char state[16];
		int used = 0;

		if (sscanf(text, "0x%" SCNx64 " 0x%" SCNx64 " %" SCNu64 " %15s\n%n", &start, &end,
			   &nr, state, &used) != 4)
			fail_msg("dump: %.80s", text);
		assert_int_equal(start, at << 12);
		assert_int_equal(end, (at + nr) << 12);
		assert_true(nr > 0 && at + nr <= NR_PAGES);
		assert_true(!strcmp(state, "private") || !strcmp(state, "shared"));
		assert_int_not_equal(last, *state == 'p');
		last = *state == 'p';
		memset(pages + at, last, nr);
		at += nr;
		text += used;
	}
	assert_int_equal(at, NR_PAGES);
	return pages;
}

static unsigned char *pages_by_tool(const char *trace, const char *log)
{
	unsigned char *pages;
	struct run run;

	TOOL(&run, "dump", SIZE_PRIVATE, log_path(trace, log));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	pages = pages_of_dump(run.out);
	run_free(&run);
	return pages;
}

/* Parses one line for the oracle. Returns true if the line converts. */
static bool oracle_line(const char *line, uint64_t *start, uint64_t *nr, int *to)
{
	uint64_t end, attributes, bytes, size;
	const char *at;
	char op[32];

	at = strstr(line, "kvm_vm_set_mem_attributes: ");
	if (at) {
		assert_int_equal(sscanf(at, "%*s %" SCNx64 " -- %" SCNx64 " [%" SCNx64 "]", start,
					&end, &attributes),
				 3);
		*nr = end - *start;
		*to = attributes == 8;
		return true;
	}
	if (sscanf(line, "kvm_convert_memory start %" SCNx64 " size %" SCNx64 " %31s", &bytes,
		   &size, op) != 3 &&
	    sscanf(line, "%*u,%31[^,],%" SCNx64 ",%" SCNu64, op, &bytes, &size) != 3)
		return false;
	*start = bytes / 4096;
	*nr = size / 4096;
	*to = !strcmp(op, "shared_to_private") || !strcmp(op, "to_private") ||
	      !strcmp(op, "accept");
	return *to || !strcmp(op, "private_to_shared") || !strcmp(op, "to_shared");
}

/* Applies a log for the oracle. @changed and @noops count conversions. */
static unsigned char *pages_by_oracle(const char *path, uint64_t *changed, uint64_t *noops)
{
	unsigned char *pages = malloc(NR_PAGES);
	size_t len;
	char *text = read_file(path, &len), *rest = text;

	assert_non_null(pages);
	memset(pages, 1, NR_PAGES);
	*changed = *noops = 0;
	for (char *line; (line = strsep(&rest, "\n"));) {
		uint64_t start, nr;
		bool differs = false;
		int to;

		if (!oracle_line(line, &start, &nr, &to))
			continue;
		assert_true(start + nr <= NR_PAGES);
		for (uint64_t i = start; i < start + nr; i++) {
			differs |= pages[i] != to;
			pages[i] = (unsigned char)to;
		}
		*(differs ? changed : noops) += 1;
	}
	free(text);
	return pages;
}

/* Every log ends in the state that the oracle finds, with the same no-ops on the way. */
static void logs_match_the_oracle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(traces) * NR_LOGS; i++) {
		const char *trace = traces[i / NR_LOGS], *log = logs[i % NR_LOGS];
		unsigned char *got = pages_by_tool(trace, log);
		uint64_t changed, noops;
		unsigned char *want = pages_by_oracle(log_path(trace, log), &changed, &noops);
		struct run run;
		json_t *json;

		if (memcmp(got, want, NR_PAGES))
			fail_msg("%s: another state than the oracle's", log_path(trace, log));
		TOOL(&run, "replay", "--json", SIZE_PRIVATE, log_path(trace, log));
		assert_int_equal(run.status, 0);
		json = run_json(&run);
		assert_int_equal(json_number(json, "conversions.total"), changed + noops);
		assert_int_equal(json_number(json, "conversions.changed"), changed);
		assert_int_equal(json_number(json, "conversions.noops"), noops);
		assert_int_equal(json_number(json, "time.calls"), changed + noops);
		json_decref(json);
		run_free(&run);
		free(got);
		free(want);
	}
}

/* One trace in several formats gives one state. */
static void formats_agree(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(traces); t++) {
		struct run csv, other;

		TOOL(&csv, "dump", SIZE_PRIVATE, log_path(traces[t], "csv"));
		for (size_t i = 1; i < FIRST_TDX; i++) {
			TOOL(&other, "dump", SIZE_PRIVATE, log_path(traces[t], logs[i]));
			assert_string_equal(csv.out, other.out);
			run_free(&other);
		}
		run_free(&csv);
	}
}

/*
 * A TDX guest does not share the pages that only an SNP guest shares: the rest of .bss..decrypted
 * (0x2000 to 0x2002), a steal-time page for each of two CPUs (0x7da2a, 0x7db2a), and a GHCB for
 * each CPU (the last two).
 */
static void tdx_lacks_the_snp_only_pages(void **state)
{
	static const uint64_t snp_only[][7] = {
		{0x2000, 0x2001, 0x2002, 0x7da2a, 0x7db2a, 0x7fca0, 0x7ffd1},
		{0x2000, 0x2001, 0x2002, 0x7da2a, 0x7db2a, 0x7fc99, 0x7fc9c},
	};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(traces); t++) {
		unsigned char *snp = pages_by_tool(traces[t], "csv");

		for (size_t i = FIRST_TDX; i < NR_LOGS; i++) {
			unsigned char *tdx = pages_by_tool(traces[t], logs[i]);
			size_t nr = 0;

			for (uint64_t page = 0; page < NR_PAGES; page++) {
				if (snp[page] == tdx[page])
					continue;
				assert_true(nr < ARRAY_SIZE(snp_only[t]));
				assert_int_equal(page, snp_only[t][nr++]);
				assert_int_equal(snp[page], 0);
			}
			assert_int_equal(nr, ARRAY_SIZE(snp_only[t]));
			free(tdx);
		}
		free(snp);
	}
}

/* Returns the number after @label in the trace's facts. */
static uint64_t fact(const char *facts, const char *label)
{
	const char *at = strstr(facts, label);

	if (!at)
		fail_msg("no fact: %s", label);
	return strtoull(at + strlen(label), NULL, 0);
}

static uint64_t shared_in(const unsigned char *pages, uint64_t start, uint64_t nr)
{
	uint64_t shared = 0;

	for (uint64_t i = start; i < start + nr; i++)
		shared += !pages[i];
	return shared;
}

/* Checks all mixed 2M blocks: the facts have their start and shared pages, "0x0(66) ...". */
static void check_mixed_2m(const char *facts, const unsigned char *pages, uint64_t *nr_mixed)
{
	const char *at = strstr(facts, "2M blocks mixed at end ");

	assert_non_null(at);
	at += strlen("2M blocks mixed at end ");
	*nr_mixed = 0;
	for (uint64_t block = 0; block < NR_PAGES; block += 512) {
		uint64_t shared = shared_in(pages, block, 512), start, want;
		int used = 0;

		if (!shared || shared == 512)
			continue;
		assert_int_equal(sscanf(at, "%" SCNx64 "(%" SCNu64 ")%n", &start, &want, &used), 2);
		assert_int_equal(block << 12, start);
		assert_int_equal(shared, want);
		at += used + 1;
		++*nr_mixed;
	}
	assert_int_equal(at[-1], '\n');
}

/* Checks "most_fragmented_1g", which lists both 1G blocks of a small guest. */
static void check_mixed_1g(const char *facts, const unsigned char *pages, const json_t *json)
{
	const json_t *list = json_object_get(json, "most_fragmented_1g");
	uint64_t want[2];
	const char *at = strstr(facts, "shared 4K pages per 1G at end {");
	json_int_t last_runs = INT64_MAX;

	assert_non_null(at);
	assert_int_equal(sscanf(at, "shared 4K pages per 1G at end {0: %" SCNu64 ", 1: %" SCNu64,
				&want[0], &want[1]),
			 2);
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *block = json_array_get(list, i);
		uint64_t start = (uint64_t)json_number(block, "start_bytes") >> 12;
		uint64_t runs = 1, mixed = 0;

		for (uint64_t p = start + 1; p < start + 0x40000; p++)
			runs += pages[p] != pages[p - 1];
		for (uint64_t b = start; b < start + 0x40000; b += 512)
			mixed += shared_in(pages, b, 512) % 512 != 0;
		assert_int_equal(json_number(block, "shared_pages"), want[start >> 18]);
		assert_int_equal(json_number(block, "private_pages"), 0x40000 - want[start >> 18]);
		assert_int_equal(json_number(block, "runs"), runs);
		assert_int_equal(json_number(block, "mixed_2m"), mixed);
		assert_true(json_number(block, "runs") <= last_runs);
		last_runs = json_number(block, "runs");
	}
}

static void numbers_match_the_facts(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(traces); t++) {
		unsigned char *pages = pages_by_tool(traces[t], "csv");
		uint64_t mixed, runs = 1, shared;
		struct run run;
		size_t len;
		char *facts = read_file(log_path(traces[t], "meta.txt"), &len);
		json_t *json;

		TOOL(&run, "replay", "--json", SIZE_PRIVATE, log_path(traces[t], "csv"));
		json = run_json(&run);
		shared = fact(strstr(facts, "distinct 4K pages ever shared"), "at end ");
		assert_int_equal(json_number(json, "shared.pages"), shared);
		assert_int_equal(json_number(json, "shared.bytes"), shared << 12);
		assert_int_equal(json_number(json, "private.pages"), NR_PAGES - shared);
		for (uint64_t p = 1; p < NR_PAGES; p++)
			runs += pages[p] != pages[p - 1];
		assert_int_equal(
			json_number(json, "shared.runs") + json_number(json, "private.runs"), runs);
		/* The swiotlb pool, 64 blocks, and a run that nothing adjoins. */
		assert_int_equal(json_number(json, "shared.longest_run_bytes"), 0x8000000);
		assert_int_equal(json_number(json, "blocks_2m.shared"), 64);
		check_mixed_2m(facts, pages, &mixed);
		assert_int_equal(json_number(json, "blocks_2m.mixed"), mixed);
		assert_int_equal(mixed, fact(facts, " mixed at end "));
		assert_int_equal(json_number(json, "blocks_2m.private"), 1024 - 64 - mixed);
		assert_int_equal(json_number(json, "blocks_1g.mixed"), 2);
		assert_int_equal(json_number(json, "memory.mixed_blocks"), mixed + 2);
		check_mixed_1g(facts, pages, json);
		assert_int_equal(json_number(json, "log.lines"), fact(facts, "csv rows ") + 1);
		assert_int_equal(json_number(json, "log.other_lines"), 1);
		assert_int_equal(json_number(json, "log.conversions") +
					 json_number(json, "log.other_events"),
				 fact(facts, "csv rows "));
		json_decref(json);
		run_free(&run);
		free(facts);
		free(pages);
	}
}

static void every_line_is_accounted_for(void **state)
{
	static const char *const labels[] = {
		"csv rows ", "'snp.ftrace': ", "'snp.qemu': ", "'tdx.ftrace': ", "'tdx.qemu': "};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(traces) * NR_LOGS; i++) {
		const char *trace = traces[i / NR_LOGS], *log = logs[i % NR_LOGS];
		/* The facts count neither trace-cmd's "cpus=8" nor the CSV's header. */
		bool has_head = i % NR_LOGS == 0 || (*trace == 'C' && strstr(log, "ftrace"));
		struct run run;
		size_t len;
		char *facts = read_file(log_path(trace, "meta.txt"), &len);
		json_t *json;

		TOOL(&run, "replay", "--json", log_path(trace, log));
		assert_int_equal(run.status, 0);
		json = run_json(&run);
		assert_int_equal(json_number(json, "log.other_lines"), has_head);
		assert_int_equal(json_number(json, "log.lines"),
				 fact(facts, labels[i % NR_LOGS]) + has_head);
		assert_int_equal(json_number(json, "log.conversions") +
					 json_number(json, "log.other_events") +
					 json_number(json, "log.other_lines"),
				 json_number(json, "log.lines"));
		assert_int_equal(json_number(json, "log.malformed"), 0);
		assert_int_equal(json_number(json, "log.lost_events"), 0);
		json_decref(json);
		run_free(&run);
		free(facts);
	}
}

static void the_table_has_the_numbers(void **state)
{
	static const char *const parts[] = {
		"A.snp.ftrace.txt, ftrace\n",
		"2 GiB, 524,288 pages, all private at first\n",
		"  conversions                        650\n",
		"  that changed pages                 599   34,061 pages\n",
		"  no-ops                              51\n",
		"  shared      129.07 MiB             33,043          19         128 MiB\n",
		"  private       1.87 GiB            491,245          20        1.78 GiB\n",
		"  2M                  64                952           8\n",
		"  1G                   0                  0           2\n",
		"  0x0                 21         5       564 KiB       1023.44 MiB\n",
		"  0x40000000          19         3    128.52 MiB        895.47 MiB\n",
		" in use for 10 mixed blocks, ",
	};
	struct run run;

	(void)state;
	TOOL(&run, "replay", SIZE_PRIVATE, DATA("A.snp.ftrace.txt"));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!strstr(run.out, parts[i]))
			fail_msg("no \"%s\" in\n%s", parts[i], run.out);
	}
	assert_null(strstr(run.out, "Not applied"));
	run_free(&run);
}

static void dump_as_json(void **state)
{
	struct run text, run;
	const json_t *runs;
	json_t *json;
	char *line;

	(void)state;
	TOOL(&text, "dump", SIZE_PRIVATE, DATA("C.csv"));
	TOOL(&run, "dump", "--json", SIZE_PRIVATE, DATA("C.csv"));
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "size_bytes"), 1ULL << 31);
	assert_int_equal(json_number(json, "not_applied.count"), 0);
	runs = json_object_get(json, "runs");
	line = text.out;
	for (size_t i = 0; i < json_array_size(runs); i++) {
		const json_t *r = json_array_get(runs, i);
		json_int_t start = json_number(r, "start_bytes");
		json_int_t size = json_number(r, "size_bytes");
		char want[128];

		snprintf(want, sizeof(want), "0x%012llx 0x%012llx %10llu %s\n", start, start + size,
			 size / 4096, json_string_value(json_object_get(r, "shareability")));
		assert_int_equal(strncmp(line, want, strlen(want)), 0);
		line += strlen(want);
	}
	assert_string_equal(line, "");
	json_decref(json);
	run_free(&run);
	run_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_match_the_oracle),
		cmocka_unit_test(formats_agree),
		cmocka_unit_test(tdx_lacks_the_snp_only_pages),
		cmocka_unit_test(numbers_match_the_facts),
		cmocka_unit_test(every_line_is_accounted_for),
		cmocka_unit_test(the_table_has_the_numbers),
		cmocka_unit_test(dump_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
