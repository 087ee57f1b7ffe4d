// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report.c - the text of reports on logs that once were told wrongly
 */
#include "tool_run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

/*
 * The best opponent of lazy takes part: an eager policy that never merges. In this log it costs
 * less. A folio that the host never touches stays whole under lazy, is mapped by 2M after each
 * return, and costs 511 faults at the next conversion.
 */
static void an_eager_policy_that_never_merges_takes_part(void **state)
{
	json_t *json, *item;
	struct run run;
	char *log;
	size_t len;

	(void)state;
	TOOL(&run, "report", DATA("sparse.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "until the end of the log, eager-unmerged costs least, and\n"
			    "from an uptime of 7.8 s on adaptive in [1]; eager-unmerged costs ");
	assert_has(run.out, "time: at the host's touch, not at once    -42|-5%  -41|-4%\n");
	assert_has(run.out, "\neager-unmerged   at once only mixed 1G>2M>4K   161.9   164.3\n");
	run_free(&run);
	TOOL(&run, "replay", "--json", "--policy", "eager-unmerged", "--backing", "2M", "--pins",
	     "folio", DATA("sparse.csv"));
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	item = json_array_get(json_object_get(json, "policies"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "policy")), "eager-unmerged");
	assert_int_equal(json_number(item, "splits_2m"), 64);
	assert_int_equal(json_number(item, "merges_2m"), 0);
	json_decref(json);
	run_free(&run);

	/* the same log from standard input has no checksum */
	log = read_file(DATA("sparse.csv"), &len);
	TOOL_IN(&run, log, len, "report", "--backing", "2M", "--json", "-");
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	item = json_array_get(json_object_get(json, "cases"), 0);
	assert_true(json_is_null(json_object_get(item, "sha256")));
	json_decref(json);
	run_free(&run);
	free(log);

	/* with a sticky RMP all that cost least are named, and not one of them */
	TOOL(&run, "report", "--size", "2G", "--init", "private", DATA("A.csv"));
	assert_has(run.out, "With --rmp sticky these cost least in the end: ");
	run_free(&run);

	/* in C it costs hardly more than the leader */
	TOOL(&run, "report", "--size", "2G", "--init", "private", DATA("C.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "adaptive costs least (within 5%:\neager-unmerged, lazy) in [1], [2].");
	run_free(&run);
}

/*
 * A guest of 2G shares 3000 single pages, one after the other, and takes each of them back. With
 * folios of 1G eager-rfc splits and merges a 1G each time, and the guest faults its 262,144 pages
 * again. That is an ordinary log, and does not meet the limit of a run.
 */
static void bouncing_pages_meet_no_limit(void **state)
{
	static char text[1 << 19];
	struct run run;
	json_t *json, *item;
	size_t len = (size_t)sprintf(text, "0,accept,0x0,2147483648\n");

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		const unsigned int at = i * 7919 % 524288 << 12, us = 1000 + i * 10000;

		len += (size_t)sprintf(text + len,
				       "%u,to_shared,0x%x,4096\n%u,host_write,0x%x,4096\n"
				       "%u,to_private,0x%x,4096\n",
				       us, at, us + 1000, at, us + 5000, at);
	}
	for (int sticky = 0; sticky < 2; sticky++) {
		TOOL_IN(&run, text, len, "replay", "--json", "--size", "2G", "--init", "private",
			"--policy", "eager-rfc", "--pins", "folio", "--rmp",
			sticky ? "sticky" : "heals", "-");
		assert_int_equal(run.status, 0);
		json = run_json(&run);
		item = json_array_get(json_object_get(json, "policies"), 0);
		assert_int_equal(json_number(item, "splits_1g"), 3000);
		assert_int_equal(json_number(item, "merges_1g"), 3000);
		if (!sticky) /* at first 2 of 1G; later the pages of a 1G, and the 1G again */
			assert_int_equal(json_number(item, "guest_faults"),
					 2 + 3000 * (262144 + 1));
		json_decref(json);
		run_free(&run);
	}
}

/* Reports on a page that is shared @nr times. @price is that of a split and a merge of 1G. */
static void report_on_rounds(struct run *run, unsigned int nr, const char *price)
{
	char log[] = "/tmp/gms-report-XXXXXX", costs[] = "/tmp/gms-report-XXXXXX";
	FILE *files[2] = {fdopen(mkstemp(log), "w"), fdopen(mkstemp(costs), "w")};

	fputs("0,accept,0x0,2147483648\n", files[0]);
	for (unsigned int us = 10000; us <= nr * 10000; us += 10000)
		fprintf(files[0], "%u,to_shared,0x1000,4096\n%u,to_private,0x1000,4096\n",
			us - 5000, us);
	fprintf(files[0], "970000,host_read,0x80000,4096\n");
	fprintf(files[1], "{\"schema\": \"gmemstate-costs-1\", \"costs\": {");
	for (int i = 0; i < 2; i++)
		fprintf(files[1],
			"%s\"%s\": {\"value\": %s, \"kind\": \"assumed\", "
			"\"source\": \"test\"}",
			i ? ", " : "", i ? "merge_1g" : "split_1g", price);
	fputs("}}", files[1]);
	fclose(files[0]);
	fclose(files[1]);
	TOOL(run, "report", "--size", "2G", "--init", "private", "--costs", costs, log, log);
	assert_int_equal(run->status, 0);
	unlink(log);
	unlink(costs);
}

/* There is a blank between two figures, also where they are large, and no exponent in a time. */
static void figures_do_not_run_together(void **state)
{
	struct run run;

	(void)state;
	report_on_rounds(&run, 1, "1.4e11");
	assert_has(run.out, "host as logged, 970 ms");
	assert_has(run.out, "\nMillion cycles of work, without rent             [1]     [2]     ");
	assert_has(run.out,
		   "\neager-rfc        at once all shared 1G>4K        9.4  281312     9.4 ");
	run_free(&run);
	report_on_rounds(&run, 90, "1e12");
	assert_has(run.out, "\nBillion cycles of work, without rent             [1]     [2]     ");
	assert_has(run.out,
		   "\neager-rfc        at once all shared 1G>4K        0.3  180118     0.3 ");
	run_free(&run);
}

/*
 * Adaptive merges all blocks of sparse.csv behind the end of the log. The report tells that apart
 * from the stalls of conversions and faults, and says for which uptime it compares adaptive.
 */
static void merges_behind_the_log_are_told_apart(void **state)
{
	struct run run;

	(void)state;
	TOOL(&run, "report", DATA("sparse.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "\nLongest stall of a conversion or a fault, ms     [1]     [2]\n");
	assert_has(run.out, "\nadaptive         touch   only mixed 1G>2M>4K    0.04    1.97\n"
			    "adaptive: longest maintenance of 1G, ms      1.23     2.02\n"
			    "Work and rent until the merges in the quiet behind the log are done\n"
			    "adaptive / better of nonuniform and lazy    0.96x    0.65x\n");
	run_free(&run);
	TOOL(&run, "replay", "--policy", "all", "--backing", "2M", DATA("sparse.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "\nadaptive               10       10        0       229.4       15.00"
			    "        0.037\n");
	assert_has(run.out, "\nSplits, merges and work are those until the last event.");
	assert_has(run.out, "when adaptive has merged what it merges in the quiet behind the log.");
	run_free(&run);
}

static void logs_that_cannot_be_told_are_named(void **state)
{
	static const char back[] = "500,to_shared,0x1000,4096\n100,host_read,0x1000,4096\n"
				   "50,to_private,0x1000,4096\n50,to_shared,0x1000,4096\n";
	struct run run;
	json_t *json;

	(void)state;
	TOOL_IN(&run, back, strlen(back), "replay", "--json", "--init", "private", "--policy",
		"lazy", "-");
	assert_int_equal(run.status, 0);
	assert_has(run.err,
		   "-: 2 events are earlier than the event before them: is the log sorted ");
	json = run_json(&run);
	assert_int_equal(json_number(json, "log.back_in_time"), 2);
	json_decref(json);
	run_free(&run);
	TOOL(&run, "report", "/dev/null");
	assert_int_equal(run.status, 2);
	assert_string_equal(run.err, "gmemstate: /dev/null: the log is empty\n");
	run_free(&run);
	TOOL(&run, "report", DATA("README.md"));
	assert_int_equal(run.status, 2);
	assert_has(run.err, "lines: neither kvm_vm_set_mem_attributes, kvm_convert_memory or ");
	run_free(&run);
	TOOL(&run, "report", "--help");
	assert_has(run.out, "(default: 1G; in a report 2M and 1G)");
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_eager_policy_that_never_merges_takes_part),
		cmocka_unit_test(bouncing_pages_meet_no_limit),
		cmocka_unit_test(figures_do_not_run_together),
		cmocka_unit_test(merges_behind_the_log_are_told_apart),
		cmocka_unit_test(logs_that_cannot_be_told_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
