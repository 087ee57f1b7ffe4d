// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy.c - the gmemstate command: comparing policies, and generating logs
 *
 * Oracle: for folios of 2M, a flat array of one byte a page is enough to follow the policies,
 * because the recorded guests pin no page that they convert. With folios of 1G, each of the
 * guest's two folios is split once more; eager-rfc then splits all of it, and never merges a 2M.
 *
 * The tool is told a rent of 512 cycles for 2M. So the rent of a second is the number of private
 * pages that the guest uses and that only 4K entries can map.
 */
#include "tool_run.h"

#include <inttypes.h>

#define NR_PAGES 0x80000U
#define NR_BLOCKS (NR_PAGES / 512)
#define SIZE_PRIVATE "--size", "2G", "--init", "private"
#define RENT "--rent", "512,0"

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
	bool touched[NR_BLOCKS]; /* by the host: split under lazy-4k */
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
	if (!strcmp(op, "accept") || !strcmp(op, "guest_touch") || !strncmp(op, "host_", 5))
		memset(e->used + start, 1, nr);
	if (!strncmp(op, "host_", 5)) {
		for (uint64_t block = start / 512; block <= (start + nr - 1) / 512; block++) {
			e->lazy[block] |= is_mixed(e, block);
			e->touched[block] = true;
		}
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
 * Counts the private pages that the guest uses, at the end, in blocks that are not @whole. No 1G
 * block is uniform at the end.
 */
static uint64_t expect_4k(const struct expect *e, bool (*whole)(const struct expect *, uint64_t))
{
	uint64_t nr = 0;

	for (uint64_t page = 0; page < NR_PAGES; page++)
		nr += e->used[page] && !e->shared[page] && !whole(e, page / 512);
	return nr;
}

static bool none(const struct expect *e, uint64_t block)
{
	(void)e;
	(void)block;
	return false;
}

static bool is_private(const struct expect *e, uint64_t block)
{
	return !shared_in(e, block);
}

/* The lazy policies do not merge, so a folio that was split stays split. */
static bool is_unsplit(const struct expect *e, uint64_t block)
{
	return !is_mixed(e, block) && !e->lazy[block];
}

static bool is_untouched(const struct expect *e, uint64_t block)
{
	return !is_mixed(e, block) && !e->touched[block];
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
	     "--pins", pins, RENT, "--touch", "accessed", path);
	if (strstr(path, "qemu"))
		assert_has(run.err, "no times: each event counts as 1 ms\n");
	else
		assert_string_equal(run.err, "");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_array_size(json_object_get(json, "policies")), 7);
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

static void check_rent(const json_t *json, const char *name, uint64_t nr_pages)
{
	assert_int_equal(json_number(policy(json, name), "rent_per_second"), nr_pages);
}

/* Checks what does not depend on the folios' size. */
static void check_small_folios(const struct expect *e, const json_t *json)
{
	const json_t *lazy = policy(json, "lazy");

	assert_int_equal(json_number(lazy, "vmemmap_given_back_bytes"),
			 count(e->lazy) * 28 * 1024 +
				 (uint64_t)json_number(lazy, "splits_1g") * ((2 << 20) - 4096));
	check_rent(json, "eager", expect_4k(e, is_private));
	check_rent(json, "eager-nonuniform", expect_4k(e, is_private));
	check_rent(json, "lazy", expect_4k(e, is_unsplit));
	/* behind the log there is time enough for all that adaptive merges */
	check_rent(json, "adaptive", expect_4k(e, is_private));
}

static void check_2m(const struct expect *e, const char *path, const char *pins)
{
	static const char *const eager[] = {"eager", "eager-rfc"};
	json_t *json = replay(path, "2M", pins);

	assert_int_equal(json_number(json, "folios"), NR_BLOCKS);
	for (int i = 0; i < 2; i++)
		check_policy(json, eager[i], count(e->eager), 0,
			     count(e->eager_now) + e->eager_merges, e->eager_merges);
	check_policy(json, "eager-nonuniform", count(e->nonuniform), 0,
		     count(e->nonuniform_now) + e->nonuniform_merges, e->nonuniform_merges);
	check_policy(json, "lazy", count(e->lazy), 0, count(e->lazy), 0);
	check_policy(json, "lazy-4k", count(e->touched), 0, count(e->touched), 0);
	check_small_folios(e, json);
	check_rent(json, "eager-rfc", expect_4k(e, is_private));
	check_rent(json, "lazy-4k", expect_4k(e, is_untouched));
	assert_int_equal(json_number(policy(json, "lazy"), "cycles_split"),
			 count(e->lazy) * 112079);
	json_decref(json);
}

static void check_1g(const struct expect *e, const char *path, const char *pins)
{
	json_t *json = replay(path, "1G", pins);

	assert_int_equal(json_number(json, "folios"), 2);
	check_policy(json, "eager-rfc", 2, 2, 0, 0);
	check_policy(json, "eager", 2, 2, count(e->eager_now) + e->eager_merges, e->eager_merges);
	check_policy(json, "eager-nonuniform", 2, 2,
		     count(e->nonuniform_now) + e->nonuniform_merges, e->nonuniform_merges);
	check_policy(json, "lazy-4k", 2, 2, 0, 0);
	check_policy(json, "lazy", 2, 2, count(e->lazy), 0);
	check_small_folios(e, json);
	check_rent(json, "eager-rfc", expect_4k(e, none));
	check_rent(json, "lazy-4k", expect_4k(e, none));
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
 * A log of conversions only: the tool runs both bounds, and says so. Lazy splits nothing in one of
 * them, and all that is ever mixed in the other (rules 26 and 27).
 */
static void logs_of_conversions(void **state)
{
	static const char *const paths[] = {DATA("C.snp.ftrace.txt"), DATA("C.snp.qemu.log")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct expect *e = expect_log(DATA("C.csv"));
		struct run run;
		const json_t *list, *lazy;
		json_t *json;

		TOOL(&run, "replay", "--json", SIZE_PRIVATE, "--policy", "lazy", "--backing", "2M",
		     paths[i]);
		json = run_json(&run);
		run_free(&run);
		list = json_object_get(json, "policies");
		assert_true(json_is_true(json_object_get(json, "host_unknown")));
		assert_int_equal(json_array_size(list), 4); /* two bounds, pins by folio and page */
		for (size_t j = 0; j < 4; j++) {
			lazy = json_array_get(list, j);
			assert_int_equal(json_is_true(json_object_get(lazy, "host_touches_all")),
					 j / 2);
			assert_string_equal(json_string_value(json_object_get(lazy, "pins")),
					    j % 2 ? "page" : "folio");
			assert_int_equal(json_number(lazy, "folios_split"),
					 j / 2 ? count(e->nonuniform) : 0);
		}
		json_decref(json);
		json = replay(paths[i], "2M", "page");
		assert_int_equal(json_number(policy(json, "eager"), "folios_split"),
				 count(e->eager));
		json_decref(json);
		free(e);
	}
}

/* The matrix and the list have the numbers that the JSON has, and say what is assumed. */
static void the_table(void **state)
{
	struct run run;

	(void)state;
	TOOL(&run, "replay", SIZE_PRIVATE, "--policy", "all", "--backing", "2M", DATA("A.csv"));
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	assert_has(run.out, "Backing  1,024 folios of 2M; snp; a broken RMP entry heals; a pin ");
	assert_has(run.out, "Freed    memory stays allocated\n");
	assert_has(run.out, "Guest    touches what the log says\n");
	assert_has(run.out, "\neager-rfc              72       72        0");
	assert_has(run.out, "\neager-nonuniform        8        8        0");
	assert_has(run.out, "\nlazy                    4        4        0");
	assert_has(run.out, "\nNo call waits for a pin.\n");
	run_free(&run);

	TOOL(&run, "replay", SIZE_PRIVATE, "--policy", "lazy", "--punch", "--rmp", "sticky",
	     "--pin-time", "2.5", "--arch", "tdx", DATA("A.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out,
		   "2 folios of 1G; tdx; a broken RMP entry is sticky; a pin lasts 2.5 ms");
	assert_has(run.out, "Freed    memory is punched out\n");
	assert_has(run.out, "Policy                                   lazy             lazy\n"
			    "Pins count by                           folio           page *\n"
			    "The host touches                    as logged        as logged\n");
	assert_has(run.out, "Events that do nothing                      0                0\n");
	assert_has(run.out, "* A kernel cannot have this today");
	run_free(&run);

	TOOL(&run, "replay", "--init", "private", "--policy", "lazy", DATA("A.snp.qemu.log"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "(size: how far the log reaches, rounded up to 1G)");
	assert_has(run.out, "Host     The log has no access of the host.");
	assert_has(run.out, "Guest    assumed to use all memory, all the time\n");
	run_free(&run);
}

static void odd_logs(void **state)
{
	static const char refused[] = "0,accept,0x0,4096\n0,to_shared,0x40000000,4096\n";
	static const char far[] =
		"kvm_convert_memory start 0x3fffffe00000 size 0x200000 private_to_shared\n";
	const json_t *list;
	struct run run;
	json_t *json;

	(void)state;
#define REPLAY(text) \
	TOOL_IN(&run, text, strlen(text), "replay", "--policy", "all", "--size", "1G", "-")
	REPLAY("0,accept,0x0,4096\nnonsense\n");
	assert_int_equal(run.status, 1);
	assert_has(run.err, "-:2: malformed: ");
	run_free(&run);
	REPLAY("0,accept,0x0,4096\n0,to_shared,0x40000000,4096\n");
	assert_int_equal(run.status, 1);
	assert_has(run.err, "-:2: refused: the range ends past the object\n");
	run_free(&run);
	TOOL_IN(&run, refused, sizeof(refused) - 1, "replay", "--json", "--policy", "lazy",
		"--size", "1G", "-");
	assert_int_equal(run.status, 1);
	json = run_json(&run);
	list = json_object_get(json_array_get(json_object_get(json, "policies"), 0),
			       "refused_events");
	assert_int_equal(json_number(list, "count"), 1);
	assert_int_equal(json_number(json_array_get(json_object_get(list, "list"), 0), "line"), 2);
	json_decref(json);
	run_free(&run);
	REPLAY("0,host_read,0x40000000,4096\n");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	run_free(&run);
	/* 64 TiB by 4K: the tool asks for --size, and does not run for hours */
	TOOL_IN(&run, far, sizeof(far) - 1, "replay", "--policy", "lazy", "--backing", "4K",
		"--init", "private", "-");
	assert_int_equal(run.status, 2);
	assert_has(run.err, "lazy with folios of 4K would take more than 67108864 steps. Is "
			    "the size");
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

/* Checks that the tool takes no such options, and says why. */
static void check_refusal(const char *const *args, const char *says)
{
	struct run run;

	tool_run(&run, args, "", 0);
	assert_int_equal(run.status, 2);
	assert_string_equal(run.out, "");
	assert_has(run.err, says);
	run_free(&run);
}

static void bad_options(void **state)
{
	static const struct {
		const char *args[8];
		const char *says;
	} cases[] = {
		{{"replay", "--policy", "best", "x"}, "--policy best: none of eager-rfc, "},
		{{"replay", "--policy", "", "x"}, "--policy : none of eager-rfc, "},
		{{"replay", "--policy", "all", "--backing", "3M", "x"}, "--backing 3M: none of 1G"},
		{{"replay", "--policy", "all", "--pins", "all", "x"},
		 "--pins all: none of both, folio, page"},
		{{"replay", "--policy", "all", "--touch", "x", "x"}, "--touch x: none of accessed"},
		{{"replay", "--policy", "all", "--rmp", "x", "x"},
		 "--rmp x: none of heals, sticky"},
		{{"replay", "--policy", "all", "--arch", "x", "x"}, "--arch x: none of snp, tdx"},
		{{"replay", "--policy", "all", "--rent", "x", "x"}, "--rent x: not two rents"},
		{{"replay", "--policy", "all", "--pin-time", "-1", "x"}, "--pin-time -1: not mill"},
		{{"replay", "--policy", "all", "--pin-time", "1ms", "x"}, "--pin-time 1ms: not "},
		{{"replay", "--policy", "all", "--costs", "/nonexistent", "x"},
		 "--costs /nonexistent: No such file"},
		{{"replay", "--touch", "all", "x"}, "--touch: only with --policy"},
		{{"replay", "--text", "x"}, "--text: not for replay"},
		{{"replay", "--backing", "1G", "x"}, "--backing: only with --policy"},
		{{"replay", "--pins", "page", "x"}, "--pins: only with --policy"},
		{{"replay", "--punch", "x"}, "--punch: only with --policy"},
		{{"replay", "--seed", "1", "x"}, "--seed: not for replay"},
		{{"dump", "--policy", "all", "x"}, "--policy: not for dump"},
		{{"dump", "--punch", "x"}, "--punch: not for dump"},
		{{"gen", "--size", "1G"}, "gen: no workload given"},
		{{"gen", "tdx"}, "gen: no --size given"},
		{{"gen", "--size", "255M", "tdx"}, "gen: --size is from 256M to 16T"},
		{{"gen", "--size", "17T", "tdx"}, "gen: --size is from 256M to 16T"},
		{{"gen", "--size", "1G", "sev"},
		 "gen: sev: no such workload (see gmemstate help gen)"},
		{{"gen", "--size", "1G", "tdx", "pkvm"}, "pkvm: one workload at a time"},
		{{"gen", "--size", "1G", "--json", "tdx"}, "--json: not for gen"},
		{{"gen", "--size", "1G", "--init", "private", "tdx"}, "--init: not for gen"},
		{{"gen", "--size", "1G", "--seed", "x", "tdx"}, "--seed x: not a number"},
		{{"gen", "--size", "1G", "--seed", "-1", "tdx"}, "--seed -1: not a number"},
		{{"gen", "--size", "1G", "--seed", "18446744073709551616", "tdx"}, "--seed 1844"},
		{{"gen", "--size", "1G", "--vcpus", "0", "tdx"}, "--vcpus 0: not a number from 1"},
		{{"gen", "--size", "1G", "--vcpus", "1025", "tdx"}, "--vcpus 1025: not a number"},
		{{"gen", "--size", "1G", "--vcpus", "100000", "tdx"}, "from 1 to 1024"},
		{{"gen", "--size", "1G", "--vcpus", "-1", "tdx"}, "--vcpus -1: not a number"},
		{{"gen", "--size", "1G", "--vcpus", "4294967297", "tdx"},
		 "--vcpus 4294967297: not"},
		{{"gen", "--size", "256M", "--vcpus", "1024", "tdx"}, "gen: tdx does not fit"},
		{{"replay", "--vcpus", "1", "x"}, "--vcpus: not for replay"},
		{{"replay", "--policy"}, "--policy: missing argument"},
		{{"frob", "x"},
		 "frob: no such command; the commands are replay, report, dump, gen"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refusal(cases[i].args, cases[i].says);
}

static void bad_options_of_reports(void **state)
{
	static const struct {
		const char *args[8];
		const char *says;
	} cases[] = {
		{{"report"}, "report: no log given"},
		{{"report", "--policy", "all", "x"}, "--policy: not for report"},
		{{"report", "--text", "--json", "x"}, "--text: not with --json"},
		{{"report", "--backing", "4K", "x"}, "--backing 4K: a report is about"},
		{{"report", "--pins", "page", "x"}, "--pins: not for report"},
		{{"report", "/nonexistent"}, "/nonexistent: No such file"},
		{{"costs", "x"}, "x: costs takes no argument"},
		{{"costs", "--json"}, "--json: not for costs"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refusal(cases[i].args, cases[i].says);
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
	assert_int_equal(json_array_size(json_object_get(json, "policies")), 2);
	json_decref(json);
	run_free(&run);
	run_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_logs), cmocka_unit_test(logs_of_conversions),
		cmocka_unit_test(the_table),     cmocka_unit_test(odd_logs),
		cmocka_unit_test(bad_options),   cmocka_unit_test(bad_options_of_reports),
		cmocka_unit_test(generating),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
