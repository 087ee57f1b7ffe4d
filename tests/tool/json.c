// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * json.c - the JSON that the gmemstate command prints
 */
#include "tool_run.h"

#include "report.h"

#include <stddef.h>

#define DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(10))

/* Command lines that print each kind of JSON, and the section of docs/json.md about it. */
static const struct {
	const char *section;
	const char *args[8];
} commands_with_json[] = {
	{"dump", {"dump", "--json", DATA("A.csv")}},
	{"dump", {"dump", "--json", "--size", "1G", DATA("A.snp.qemu.log")}},
	{"snapshot", {"dump", "--json", DATA("snapshot-v1.gms")}},
	{"replay", {"replay", "--json", DATA("A.csv")}},
	{"replay", {"replay", "--json", "--size", "1G", DATA("C.snp.ftrace.txt")}},
	{"replay-policy",
	 {"replay", "--json", "--policy", "lazy", "--backing", "2M", DATA("A.csv")}},
	{"replay-policy", {"replay", "--json", "--policy", "all", "--size", "1G", DATA("C.csv")}},
	{"report", {"report", "--json", "--backing", "2M", DATA("C.csv")}},
	{"report", {"report", "--json", "--backing", "1G", DATA("A.snp.qemu.log")}},
	{"costs", {"costs"}},
};

/* What is written piece by piece is the text that jansson writes for the whole. */
static void text_is_that_of_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands_with_json); i++) {
		struct run run;
		json_t *json;
		char *text;

		tool_run(&run, commands_with_json[i].args, "", 0);
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

/* A row of a table of docs/json.md. */
struct row {
	char section[32];
	char member[32];
	char type[48];
	bool used;
};

static struct row rows[512];
static size_t nr_rows;

static void read_rows(void)
{
	size_t len;
	char *text = read_file(GMS_TEST_DATA "/../../docs/json.md", &len), *rest = text;
	char section[32] = "";

	nr_rows = 0;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct row *row = &rows[nr_rows];

		if (sscanf(line, "### %31s", section) == 1 || sscanf(line, "## %31s", section) == 1)
			continue;
		if (sscanf(line, "| `%31[^`]` | %47[^|]", row->member, row->type) != 2)
			continue;
		row->type[strcspn(row->type, "|") - 1] = '\0';
		strcpy(row->section, section);
		row->used = false;
		assert_true(++nr_rows < ARRAY_SIZE(rows));
	}
	free(text);
	assert_true(nr_rows > 100);
}

static void check_value(const json_t *json, const char *type, const char *where);

/* Compares an object with the tables of a section: both have the same members. */
static void check_object(const json_t *json, const char *section)
{
	size_t nr = 0;

	if (!json_is_object(json))
		fail_msg("no object: %s", section);
	for (size_t i = 0; i < nr_rows; i++) {
		const json_t *member = json_object_get(json, rows[i].member);
		char where[80];

		if (strcmp(rows[i].section, section))
			continue;
		snprintf(where, sizeof(where), "%s: %s", section, rows[i].member);
		if (!member)
			fail_msg("%s: in the docs, and not in the output", where);
		check_value(member, rows[i].type, where);
		rows[i].used = true;
		nr++;
	}
	if (!nr)
		fail_msg("docs/json.md has no section %s", section);
	if (nr != json_object_size(json))
		fail_msg("%s: %zu members, of which the docs have %zu", section,
			 json_object_size(json), nr);
}

/* Returns true if a value has a plain type. */
static bool is_plain(const json_t *json, const char *type)
{
	return (!strcmp(type, "string") && json_is_string(json)) ||
	       (!strcmp(type, "integer") && json_is_integer(json)) ||
	       (!strcmp(type, "number") && json_is_number(json)) ||
	       (!strcmp(type, "boolean") && json_is_boolean(json)) ||
	       (!strcmp(type, "null") && json_is_null(json));
}

static bool is_name_of_plain(const char *type)
{
	static const char *const plain[] = {"string", "integer", "number", "boolean", "null"};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (!strcmp(type, plain[i]))
			return true;
	}
	return false;
}

/* Compares a value with a type: a plain one, "A or B", "list of A", "map of A", or a section. */
static void check_value(const json_t *json, const char *type, const char *where)
{
	const char *sep = strstr(type, " or ");
	char first[48];
	size_t i;
	const char *key;
	json_t *item;

	if (sep) {
		snprintf(first, sizeof(first), "%.*s", (int)(sep - type), type);
		check_value(json, is_plain(json, sep + 4) ? sep + 4 : first, where);
	} else if (!strncmp(type, "list of ", 8)) {
		if (!json_is_array(json))
			fail_msg("%s: no list", where);
		json_array_foreach(json, i, item)
			check_value(item, type + 8, where);
	} else if (!strncmp(type, "map of ", 7)) {
		if (!json_is_object(json))
			fail_msg("%s: no map", where);
		json_object_foreach((json_t *)json, key, item)
			check_value(item, type + 7, where);
	} else if (!is_name_of_plain(type)) {
		check_object(json, type);
	} else if (!is_plain(json, type)) {
		fail_msg("%s: no %s", where, type);
	}
}

/* The output has what docs/json.md says, and no more; and nothing there is about nothing. */
static void docs_have_all_members(void **state)
{
	(void)state;
	read_rows();
	for (size_t i = 0; i < ARRAY_SIZE(commands_with_json); i++) {
		struct run run;
		json_t *json;

		tool_run(&run, commands_with_json[i].args, "", 0);
		json = run_json(&run);
		check_object(json, commands_with_json[i].section);
		json_decref(json);
		run_free(&run);
	}
	for (size_t i = 0; i < nr_rows; i++) {
		if (!rows[i].used)
			fail_msg("docs/json.md: %s: %s is in no output", rows[i].section,
				 rows[i].member);
	}
}

static size_t json_bytes, json_peak;

/* What jansson allocates has its size before it. */
static void *count_malloc(size_t size)
{
	max_align_t *p = malloc(sizeof(*p) + size);

	if (!p)
		return NULL;
	memcpy(p, &size, sizeof(size));
	json_bytes += size;
	if (json_peak < json_bytes)
		json_peak = json_bytes;
	return p + 1;
}

static void count_free(void *p)
{
	max_align_t *block = p;
	size_t size;

	if (!p)
		return;
	memcpy(&size, --block, sizeof(size));
	json_bytes -= size;
	free(block);
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
		cmocka_unit_test(docs_have_all_members),
		cmocka_unit_test(memory_is_constant),
		cmocka_unit_test(reports_list_ten_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
