// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report.c - the text of reports on logs that once were told wrongly
 */
#include "tool_run.h"

#include <inttypes.h>

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
	struct run run;
	json_t *json, *item;

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

	/* in C it costs hardly more than the leader */
	TOOL(&run, "report", "--size", "2G", "--init", "private", DATA("C.csv"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "adaptive costs least (within 5%:\neager-unmerged, lazy) in [1], [2].");
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_eager_policy_that_never_merges_takes_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
