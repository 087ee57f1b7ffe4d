// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy.c - the gmemstate command: comparing policies, and generating logs
 *
 * Oracle: for folios of 2M, a flat array of one byte a page is enough to follow the policies,
 * because the recorded guests pin no page that they convert. With folios of 1G, each of the
 * guest's two folios is split once more.
 */
#include "tool_run.h"

#include <inttypes.h>

#define NR_PAGES 0x80000U
#define NR_BLOCKS (NR_PAGES / 512)
#define SIZE_PRIVATE "--size", "2G", "--init", "private"

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

/* The expected state of each page and 2M block. */
struct expect {
	unsigned char shared[NR_PAGES];
	unsigned char used[NR_PAGES];
	bool eager[NR_BLOCKS]; /* split under that policy at least once */
	bool nonuniform[NR_BLOCKS];
	bool lazy[NR_BLOCKS];
	uint64_t eager_merges;
	uint64_t nonuniform_merges;
	bool eager_now[NR_BLOCKS];
	bool nonuniform_now[NR_BLOCKS];
};

static unsigned int shared_in(const struct expect *e, uint64_t block)
{
	unsigned int nr = 0;

	for (uint64_t page = block * 512; page < (block + 1) * 512; page++)
		nr += e->shared[page];
	return nr;
}

static bool is_mixed(const struct expect *e, uint64_t block)
{
	return shared_in(e, block) % 512;
}

/* In these logs every converted page was in use before, and so has a folio. */
static void convert(struct expect *e, uint64_t start, uint64_t nr, bool shared)
{
	memset(e->shared + start, shared, nr);
	for (uint64_t block = start / 512; block <= (start + nr - 1) / 512; block++) {
		bool eager = shared_in(e, block), nonuniform = is_mixed(e, block);

		e->eager[block] |= eager;
		e->nonuniform[block] |= nonuniform;
		e->eager_merges += e->eager_now[block] && !eager;
		e->nonuniform_merges += e->nonuniform_now[block] && !nonuniform;
		e->eager_now[block] = eager;
		e->nonuniform_now[block] = nonuniform;
	}
}

static void expect_line(struct expect *e, const char *line)
{
	uint64_t bytes, size, start, nr;
	char op[32];

	if (sscanf(line, "%*u,%31[^,],%" SCNx64 ",%" SCNu64, op, &bytes, &size) != 3)
		return;
	start = bytes / 4096;
	nr = (bytes + size - 1) / 4096 - start + 1;
	assert_true(start + nr <= NR_PAGES);
	if (!strncmp(op, "to_", 3))
		convert(e, start, nr, !strcmp(op, "to_shared"));
	if (!strcmp(op, "accept") || !strcmp(op, "guest_touch"))
		memset(e->used + start, 1, nr);
	if (!strncmp(op, "host_", 5)) {
		for (uint64_t block = start / 512; block <= (start + nr - 1) / 512; block++)
			e->lazy[block] |= is_mixed(e, block);
	}
}

static struct expect *expect_log(const char *path)
{
	struct expect *e = calloc(1, sizeof(*e));
	size_t len;
	char *text = read_file(path, &len), *rest = text;

	assert_non_null(e);
	for (char *line; (line = strsep(&rest, "\n"));)
		expect_line(e, line);
	free(text);
	return e;
}

static uint64_t count(const bool *blocks)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < NR_BLOCKS; i++)
		nr += blocks[i];
	return nr;
}

/*
 * Counts how the guest maps the pages that it uses, at the end: by 2M where a block is @whole,
 * else by 4K. No 1G block is uniform at the end.
 */
static void expect_maps(const struct expect *e, bool (*whole)(const struct expect *, uint64_t),
			uint64_t *by_2m, uint64_t *by_4k)
{
	*by_2m = *by_4k = 0;
	for (uint64_t block = 0; block < NR_BLOCKS; block++) {
		uint64_t used = 0;

		for (uint64_t page = block * 512; page < (block + 1) * 512; page++)
			used += e->used[page];
		if (whole(e, block))
			*by_2m += used ? 512 : 0;
		else
			*by_4k += used;
	}
}

static bool is_private(const struct expect *e, uint64_t block)
{
	return !shared_in(e, block);
}

static bool is_uniform(const struct expect *e, uint64_t block)
{
	return !is_mixed(e, block);
}

/* Lazy does not merge, so a folio that was split stays split. */
static bool is_unsplit(const struct expect *e, uint64_t block)
{
	return !is_mixed(e, block) && !e->lazy[block];
}

static const json_t *policy(const json_t *json, const char *name)
{
	const json_t *list = json_object_get(json, "policies");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);

		if (!strcmp(json_string_value(json_object_get(p, "policy")), name))
			return p;
	}
	fail_msg("no policy %s", name);
	return NULL;
}

static json_t *replay(const char *path, const char *backing, const char *pins)
{
	struct run run;
	json_t *json;

	TOOL(&run, "replay", "--json", SIZE_PRIVATE, "--policy", "all", "--backing", backing,
	     "--pins", pins, path);
	assert_string_equal(run.err, "");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_array_size(json_object_get(json, "policies")), 4);
	run_free(&run);
	return json;
}

static void check_policy(const json_t *json, const char *name, uint64_t folios, uint64_t splits_1g,
			 uint64_t splits_2m, uint64_t merges_2m)
{
	const json_t *p = policy(json, name);

	assert_int_equal(json_number(p, "folios_split"), folios);
	assert_int_equal(json_number(p, "splits_1g"), splits_1g);
	assert_int_equal(json_number(p, "splits_2m"), splits_2m);
	assert_int_equal(json_number(p, "merges_1g"), 0);
	assert_int_equal(json_number(p, "merges_2m"), merges_2m);
	assert_int_equal(json_number(p, "splits_deferred"), 0);
	assert_int_equal(json_number(p, "pinned_retries"), 0);
	assert_int_equal(json_number(p, "refused"), 0);
	assert_int_equal(json_number(p, "host_accesses_denied"), 0);
}

static void check_guest(const json_t *json, const char *name, uint64_t by_2m, uint64_t by_4k)
{
	const json_t *p = policy(json, name);

	assert_int_equal(json_number(p, "guest_1g_end_bytes"), 0);
	assert_int_equal(json_number(p, "guest_2m_end_bytes"), by_2m * 4096);
	assert_int_equal(json_number(p, "guest_4k_end_bytes"), by_4k * 4096);
}

static void check_2m(const struct expect *e, const char *path, const char *pins)
{
	json_t *json = replay(path, "2M", pins);
	uint64_t by_2m, by_4k;

	assert_int_equal(json_number(json, "folios"), NR_BLOCKS);
	check_policy(json, "eager", count(e->eager), 0, count(e->eager_now) + e->eager_merges,
		     e->eager_merges);
	check_policy(json, "eager-nonuniform", count(e->nonuniform), 0,
		     count(e->nonuniform_now) + e->nonuniform_merges, e->nonuniform_merges);
	check_policy(json, "lazy", count(e->lazy), 0, count(e->lazy), 0);
	expect_maps(e, is_private, &by_2m, &by_4k);
	check_guest(json, "eager", by_2m, by_4k);
	expect_maps(e, is_uniform, &by_2m, &by_4k);
	check_guest(json, "eager-nonuniform", by_2m, by_4k);
	/* by the end of these logs, all folios that adaptive may merge have been at rest */
	check_guest(json, "adaptive", by_2m, by_4k);
	expect_maps(e, is_unsplit, &by_2m, &by_4k);
	check_guest(json, "lazy", by_2m, by_4k);
	assert_int_equal(json_number(policy(json, "lazy"), "vmemmap_given_back_bytes"),
			 count(e->lazy) * 28 * 1024);
	assert_int_equal(json_number(policy(json, "lazy"), "cycles_split"), count(e->lazy) * 32000);
	json_decref(json);
}

static void check_1g(const struct expect *e, const char *path, const char *pins)
{
	json_t *json = replay(path, "1G", pins);
	uint64_t by_2m, by_4k;

	assert_int_equal(json_number(json, "folios"), 2);
	check_policy(json, "eager", 2, 2, count(e->eager_now) + e->eager_merges, e->eager_merges);
	check_policy(json, "eager-nonuniform", 2, 2,
		     count(e->nonuniform_now) + e->nonuniform_merges, e->nonuniform_merges);
	check_policy(json, "lazy", 2, 2, count(e->lazy), 0);
	expect_maps(e, is_uniform, &by_2m, &by_4k);
	check_guest(json, "eager-nonuniform", by_2m, by_4k);
	expect_maps(e, is_unsplit, &by_2m, &by_4k);
	check_guest(json, "lazy", by_2m, by_4k);
	json_decref(json);
}

/* Rules 26, 27 and 30: each policy splits and merges the folios that the flat array says. */
static void recorded_logs(void **state)
{
	static const char *const paths[] = {DATA("A.csv"), DATA("C.csv")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths) * 2; i++) {
		struct expect *e = expect_log(paths[i / 2]);
		const char *pins = i % 2 ? "folio" : "page";

		check_2m(e, paths[i / 2], pins);
		check_1g(e, paths[i / 2], pins);
		free(e);
	}
}

/*
 * A log of conversions only, whose guest uses all memory: conversions split the same folios
 * (rules 26 and 27).
 */
static void logs_of_conversions(void **state)
{
	static const char *const paths[] = {DATA("C.snp.ftrace.txt"), DATA("C.snp.qemu.log")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct expect *e = expect_log(DATA("C.csv"));
		json_t *json = replay(paths[i], "2M", "page");

		assert_int_equal(json_number(policy(json, "eager"), "folios_split"),
				 count(e->eager));
		assert_int_equal(json_number(policy(json, "lazy"), "folios_split"), 0);
		json_decref(json);
		free(e);
	}
}

/* The table has the numbers that the JSON has. */
static void the_table(void **state)
{
	struct run run;

	(void)state;
	TOOL(&run, "replay", SIZE_PRIVATE, "--policy", "all", "--backing", "2M", DATA("A.csv"));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	assert_has(run.out, "Backing  1,024 folios of 2M; pins count by page; ");
	assert_has(run.out, "what the guest frees stays allocated\n");
	assert_has(run.out, "Policy                                  eager eager-nonuniform"
			    "             lazy         adaptive\n");
	assert_has(run.out, "Folios split at least once                 72                8"
			    "                4                4\n");
	assert_has(run.out, "\n  split                                  2.30             0.26"
			    "             0.13             0.13\n");
	assert_has(run.out, "Struct pages\n  restored for splits                1.96 MiB");
	assert_has(run.out, "Events that do nothing                      9 ");
	run_free(&run);

	TOOL(&run, "replay", SIZE_PRIVATE, "--policy", "lazy", "--punch", "--pins", "folio",
	     DATA("A.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "Backing  2 folios of 1G; pins count by folio; ");
	assert_has(run.out, "what the guest frees is punched out\n");
	assert_has(run.out, "Policy                                   lazy\n");
	assert_has(run.out, "Events that do nothing                      0\n");
	run_free(&run);

	TOOL(&run, "replay", "--init", "private", "--policy", "lazy", DATA("A.snp.qemu.log"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "(size: how far the log reaches, rounded up to 1G)");
	assert_has(run.out, "(no accesses in the log: the guest is assumed to use all memory)");
	run_free(&run);
}

static void odd_logs(void **state)
{
	struct run run;

	(void)state;
#define REPLAY(text) \
	TOOL_IN(&run, text, strlen(text), "replay", "--policy", "all", "--size", "1G", "-")
	REPLAY("0,accept,0x0,4096\nnonsense\n");
	assert_int_equal(run.status, 1);
	assert_has(run.err, "-:2: malformed: ");
	run_free(&run);
	REPLAY("0,accept,0x0,4096\n0,to_shared,0x40000000,4096\n");
	assert_int_equal(run.status, 1);
	assert_has(run.out, "Events refused                              1 ");
	run_free(&run);
	REPLAY("0,host_read,0x40000000,4096\n");
	assert_int_equal(run.status, 0);
	assert_has(run.out, "Accesses out of bounds                      1 ");
	run_free(&run);
	REPLAY("nothing of use\n");
	assert_int_equal(run.status, 2);
	assert_string_equal(run.out, "");
	run_free(&run);
	TOOL_IN(&run, "0,free,0x0,1\n", 13, "replay", "--policy", "lazy", "-");
	assert_int_equal(run.status, 2);
	assert_has(run.err, "gives the size: use --size");
	run_free(&run);
}

static void bad_options(void **state)
{
	static const struct {
		const char *args[8];
		const char *says;
	} cases[] = {
		{{"replay", "--policy", "best", "x"}, "--policy best: none of eager, "},
		{{"replay", "--policy", "", "x"}, "--policy : none of eager, "},
		{{"replay", "--policy", "all", "--backing", "3M", "x"}, "--backing 3M: none of 1G"},
		{{"replay", "--policy", "all", "--pins", "all", "x"}, "--pins all: neither page"},
		{{"replay", "--backing", "1G", "x"}, "--backing: only with --policy"},
		{{"replay", "--pins", "page", "x"}, "--pins: only with --policy"},
		{{"replay", "--punch", "x"}, "--punch: only with --policy"},
		{{"replay", "--seed", "1", "x"}, "--seed: not for replay"},
		{{"dump", "--policy", "all", "x"}, "--policy: not for dump"},
		{{"dump", "--punch", "x"}, "--punch: not for dump"},
		{{"gen", "--size", "1G"}, "gen: no workload given"},
		{{"gen", "tdx"}, "gen: no --size given"},
		{{"gen", "--size", "63M", "tdx"}, "gen: --size is from 64M to 16T"},
		{{"gen", "--size", "17T", "tdx"}, "gen: --size is from 64M to 16T"},
		{{"gen", "--size", "1G", "sev"},
		 "gen: sev: no such workload; the workloads are snp-lazy"},
		{{"gen", "--size", "1G", "tdx", "pkvm"}, "pkvm: one workload at a time"},
		{{"gen", "--size", "1G", "--json", "tdx"}, "--json: not for gen"},
		{{"gen", "--size", "1G", "--init", "private", "tdx"}, "--init: not for gen"},
		{{"gen", "--size", "1G", "--seed", "x", "tdx"}, "--seed x: not a number"},
		{{"gen", "--size", "1G", "--seed", "-1", "tdx"}, "--seed -1: not a number"},
		{{"gen", "--size", "1G", "--seed", "18446744073709551616", "tdx"}, "--seed 1844"},
		{{"replay", "--policy"}, "--policy: missing argument"},
		{{"frob", "x"}, "frob: no such command; the commands are replay, dump and gen"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run run;

		tool_run(&run, cases[i].args, "", 0);
		assert_int_equal(run.status, 2);
		assert_string_equal(run.out, "");
		assert_has(run.err, cases[i].says);
		run_free(&run);
	}
}

/* replay reads what gen prints. Another seed gives another log. */
static void generating(void **state)
{
	struct run log, other, run;
	json_t *json;

	(void)state;
	TOOL(&log, "gen", "--size", "1G", "tdx");
	assert_int_equal(log.status, 0);
	assert_has(log.out, "time_us,op,gpa_bytes,size_bytes\n0,to_private,0x0,1073741824\n");
	TOOL(&other, "gen", "tdx", "--seed", "0", "--size", "1024M");
	assert_string_equal(other.out, log.out);
	run_free(&other);
	TOOL(&other, "gen", "--size", "1G", "--seed", "0x1", "tdx");
	assert_string_not_equal(other.out, log.out);
	run_free(&other);
	TOOL_IN(&run, log.out, log.out_len, "replay", "--json", "--policy", "lazy", "--backing",
		"2m", "-");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "size_bytes"), 1 << 30);
	assert_int_equal(json_number(json, "log.malformed"), 0);
	assert_int_equal(json_number(json, "folios"), 512);
	assert_int_equal(json_array_size(json_object_get(json, "policies")), 1);
	json_decref(json);
	run_free(&run);
	run_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_logs), cmocka_unit_test(logs_of_conversions),
		cmocka_unit_test(the_table),     cmocka_unit_test(odd_logs),
		cmocka_unit_test(bad_options),   cmocka_unit_test(generating),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
