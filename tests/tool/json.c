// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * json.c - the JSON that the gmemstate command prints
 */
#include "tool_run.h"

#include "report.h"

#include <malloc.h>

#define DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(10))

/* Command lines that print each kind of JSON. */
static const char *const commands_with_json[][8] = {
	{"dump", "--json", DATA("A.csv")},
	{"replay", "--json", DATA("A.csv")},
	{"replay", "--json", "--size", "1G", DATA("C.snp.ftrace.txt")},
	{"replay", "--json", "--policy", "lazy", "--backing", "2M", DATA("A.csv")},
	{"replay", "--json", "--policy", "all", "--size", "1G", DATA("C.csv")},
	{"report", "--json", DATA("A.csv")},
	{"costs"},
};

/* What is written piece by piece is the text that jansson writes for the whole. */
static void text_is_that_of_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands_with_json); i++) {
		struct run run;
		json_t *json;
		char *text;

		tool_run(&run, commands_with_json[i], "", 0);
		assert_int_not_equal(run.status, 2);
		json = run_json(&run);
		text = json_dumps(json, DUMP_FLAGS);
		assert_non_null(text);
		assert_int_equal(strncmp(run.out, text, strlen(text)), 0);
		assert_string_equal(run.out + strlen(text), "\n");
		free(text);
		json_decref(json);
		run_free(&run);
	}
}

static size_t json_bytes, json_peak;

static void *count_malloc(size_t size)
{
	void *p = malloc(size);

	json_bytes += p ? malloc_usable_size(p) : 0;
	if (json_peak < json_bytes)
		json_peak = json_bytes;
	return p;
}

static void count_free(void *p)
{
	json_bytes -= p ? malloc_usable_size(p) : 0;
	free(p);
}

/* Writes the runs of a log of @nr private pages. Returns the peak of jansson's memory. */
static size_t peak_of(unsigned int nr)
{
	FILE *file = tmpfile(), *out = fopen("/dev/null", "w");
	struct replay replay;
	struct log log = {0};

	assert_non_null(file);
	assert_non_null(out);
	for (unsigned int i = 0; i < nr; i++)
		fprintf(file, "%u,to_private,0x%x,4096\n", i, i << 13);
	rewind(file);
	assert_int_equal(log_read(&log, file, LOG_CSV), 0);
	assert_int_equal(replay_run(&replay, &log, 0, false), 0);
	assert_int_equal(replay.pages[GMS_PRIVATE].nr_runs, nr);
	json_peak = 0;
	assert_int_equal(report_runs_json(out, "log", &log, &replay), 0);
	assert_int_equal(json_bytes, 0);
	replay_fini(&replay);
	log_fini(&log);
	fclose(out);
	fclose(file);
	return json_peak;
}

/* Runs take no memory: a hundred times as many runs have the same peak. */
static void memory_is_constant(void **state)
{
	size_t few, many;

	(void)state;
	json_set_alloc_funcs(count_malloc, count_free);
	few = peak_of(100);
	many = peak_of(10000);
	json_set_alloc_funcs(malloc, free);
	assert_true(few > 0);
	assert_int_equal(few, many);
}

/* A report lists ten refused events of each run, and counts all. */
static void reports_list_ten_refusals(void **state)
{
	char log[8192] = "0,to_private,0x0,4096\n";
	char name[] = "/tmp/gmemstate-json-XXXXXX";
	FILE *file = fdopen(mkstemp(name), "w");
	const json_t *run_of_case;
	struct run run;
	json_t *json;

	(void)state;
	assert_non_null(file);
	for (unsigned int i = 0; i < 25; i++)
		sprintf(log + strlen(log), "1,to_shared,0x%x,4096\n", 0x40000000 + (i << 12));
	fputs(log, file);
	fclose(file);
	TOOL(&run, "report", "--json", "--size", "1G", "--backing", "2M", name);
	remove(name);
	assert_int_equal(run.status, 1);
	json = run_json(&run);
	run_of_case = json_array_get(json_object_get(json, "cases"), 0);
	run_of_case = json_array_get(json_object_get(run_of_case, "runs"), 0);
	assert_int_equal(json_number(run_of_case, "refused_events.count"), 25);
	assert_int_equal(json_number(run_of_case, "refused_events.listed"), 10);
	assert_int_equal(json_array_size(json_object_get(
				 json_object_get(run_of_case, "refused_events"), "list")),
			 10);
	json_decref(json);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_that_of_jansson),
		cmocka_unit_test(memory_is_constant),
		cmocka_unit_test(reports_list_ten_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
