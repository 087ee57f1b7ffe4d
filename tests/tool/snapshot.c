// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * snapshot.c - the gmemstate command on snapshots: dump and replay --save
 *
 * Oracle: models of states, with a flat array of bits for each set, and the writer of snap.h. They
 * share no code with the library.
 */
#include "tool_run.h"

#include "snap.h"

#include <inttypes.h>
#include <unistd.h>

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

/* A file that a test writes, and removes at its end. */
static char path[] = "/tmp/gmemstate-snapshot-XXXXXX";

static int path_make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int path_remove(void **state)
{
	(void)state;
	return remove(path);
}

static void path_write(const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Returns the first line that does not begin with #. */
static const char *skip_summary(const char *text)
{
	while (*text == '#')
		text += strcspn(text, "\n") + 1;
	return text;
}

/* Returns the words behind a run whose first page is @page, as the model says. */
static const char *words_of(const struct snap_model *model, uint64_t page)
{
	static char words[128];
	const char *separator = " attrs=";

	snprintf(words, sizeof(words), "%s%s%s",
		 oracle_test(&model->set[SNAP_PRIVATE], page) ? "private" : "shared",
		 oracle_test(&model->set[SNAP_QUARANTINE], page) ? " quarantined" : "",
		 oracle_test(&model->set[SNAP_INHIBIT_4K], page)   ? " 4K"
		 : oracle_test(&model->set[SNAP_INHIBIT_2M], page) ? " 2M"
								   : "");
	for (unsigned int i = 0; i < model->nr_attrs; i++) {
		if (!oracle_test(&model->set[SNAP_ATTR + i], page))
			continue;
		sprintf(words + strlen(words), "%s%u", separator, i);
		separator = ",";
	}
	return words;
}

/* Compares the text of a dump with a model, page by page. Runs are as long as possible. */
static void check_text(const char *text, const struct snap_model *model)
{
	uint64_t at = 0;
	char last[128] = "";

	for (text = skip_summary(text); *text; text += strcspn(text, "\n") + 1) {
		uint64_t start, end, nr;
		char words[128];

		assert_int_equal(sscanf(text, "0x%" SCNx64 " 0x%" SCNx64 " %" SCNu64 " %127[^\n]",
					&start, &end, &nr, words),
				 4);
		assert_int_equal(start, at << 12);
		assert_int_equal(end, (at + nr) << 12);
		assert_true(nr > 0 && at + nr <= model->nr_pages);
		assert_string_not_equal(words, last);
		strcpy(last, words);
		for (; nr; nr--, at++)
			assert_string_equal(words, words_of(model, at));
	}
	assert_int_equal(at, model->nr_pages);
}

/* Compares the JSON of a dump with its text. */
static void check_json(const json_t *json, const char *text)
{
	size_t i;
	json_t *run;

	text = skip_summary(text);
	json_array_foreach(json_object_get(json, "runs"), i, run) {
		const json_int_t start = json_number(run, "start_bytes");
		const json_int_t size = json_number(run, "size_bytes");
		const json_t *attrs = json_object_get(run, "attributes");
		const char *largest = json_string_value(json_object_get(run, "largest_mapping"));
		char want[256];
		size_t j;
		json_t *attr;

		snprintf(want, sizeof(want), "0x%012llx 0x%012llx %10llu %s%s%s%s", start,
			 start + size, size / 4096,
			 json_string_value(json_object_get(run, "shareability")),
			 json_is_true(json_object_get(run, "quarantined")) ? " quarantined" : "",
			 strcmp(largest, "1G") ? " " : "", strcmp(largest, "1G") ? largest : "");
		json_array_foreach(attrs, j, attr)
			sprintf(want + strlen(want), "%s%lld",
				j ? "," : " attrs=", json_integer_value(attr));
		strcat(want, "\n");
		assert_int_equal(strncmp(text, want, strlen(want)), 0);
		text += strlen(want);
	}
	assert_string_equal(text, "");
}

static void check_model(const struct snap_model *model)
{
	struct run text, run;
	struct snap snap;
	json_t *json;

	snap_of_model(&snap, model);
	path_write(snap.data, snap.size);
	TOOL(&text, "dump", path);
	assert_int_equal(text.status, 0);
	assert_string_equal(text.err, "");
	check_text(text.out, model);
	TOOL(&run, "dump", "--json", path);
	assert_int_equal(run.status, 0);
	json = run_json(&run);
	assert_int_equal(json_number(json, "size_bytes"), model->nr_pages << 12);
	assert_int_equal(json_number(json, "file_bytes"), snap.size);
	assert_int_equal(json_number(json, "nr_attributes"), model->nr_attrs);
	assert_int_equal(json_number(json, "private.pages") + json_number(json, "shared.pages"),
			 model->nr_pages);
	check_json(json, text.out);
	json_decref(json);
	run_free(&run);
	/* From standard input it is the same, but for the name. */
	TOOL_IN(&run, snap.data, snap.size, "dump", "-");
	assert_string_equal(skip_summary(run.out), skip_summary(text.out));
	run_free(&run);
	run_free(&text);
	snap_fini(&snap);
}

static void dump_has_all_sets(void **state)
{
	const uint64_t seed = test_seed();
	struct snap_model model;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < test_iters(12); i++) {
		snap_model_init(&model, 1 + prng_below(&prng, 3000),
				(unsigned int)prng_below(&prng, 3) * 9,
				(unsigned int)prng_below(&prng, GMS_MAX_ATTRS + 1));
		snap_model_random(&model, &prng);
		check_model(&model);
		snap_model_fini(&model);
	}
}

static void dump_of_a_known_file(void **state)
{
	struct snap_model model;
	struct run run;

	(void)state;
	snap_model_v1(&model);
	TOOL(&run, "dump", DATA("snapshot-v1.gms"));
	assert_int_equal(run.status, 0);
	assert_has(run.out, "snapshot-v1.gms, version 1, 1,214 bytes\n");
	assert_has(run.out, "525,901 pages, folios of 1G, 3 attributes\n");
	check_text(run.out, &model);
	run_free(&run);
	snap_model_fini(&model);
}

/* What replay saves, dump prints as it prints the log. */
static void saved_logs_come_back(void **state)
{
	static const char *const logs[] = {DATA("A.csv"), DATA("A.tdx.qemu.log"),
					   DATA("C.snp.ftrace.txt"), DATA("cut.ftrace.txt")};
	static const char *const same[] = {"size_bytes", "shared",    "private",
					   "blocks_2m",  "blocks_1g", "most_fragmented_1g"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		struct run replay, log, run;
		json_t *of_log, *of_file;

		TOOL(&replay, "replay", "--json", "--save", path, logs[i]);
		assert_int_equal(replay.status, 0);
		TOOL(&log, "dump", logs[i]);
		TOOL(&run, "dump", path);
		assert_int_equal(run.status, 0);
		assert_string_equal(skip_summary(run.out), log.out);
		assert_true(skip_summary(run.out) > run.out);
		run_free(&run);
		run_free(&log);
		TOOL(&run, "dump", "--json", path);
		of_log = run_json(&replay);
		of_file = run_json(&run);
		for (size_t j = 0; j < ARRAY_SIZE(same); j++)
			assert_true(json_equal(json_object_get(of_log, same[j]),
					       json_object_get(of_file, same[j])));
		json_decref(of_log);
		json_decref(of_file);
		run_free(&run);
		run_free(&replay);
	}
}

/* A log of which a part is refused is saved, too, and the status says so. */
static void a_log_that_is_refused_is_saved(void **state)
{
	static const char log[] = "0,to_private,0x0,4096\n0,to_private,0x40000000,4096\n";
	struct run run;

	(void)state;
	TOOL_IN(&run, log, sizeof(log) - 1, "replay", "--size", "1G", "--save", path, "-");
	assert_int_equal(run.status, 1);
	run_free(&run);
	TOOL(&run, "dump", "--size=1GiB", path);
	assert_int_equal(run.status, 0);
	assert_string_equal(skip_summary(run.out),
			    "0x000000000000 0x000000001000          1 private\n"
			    "0x000000001000 0x000040000000     262143 shared\n");
	run_free(&run);
}

/* Runs the tool, and checks that it prints one line and nothing else. */
static void check_refused(const char *const *args, const char *says)
{
	struct run run;

	tool_run(&run, args, "0,to_private,0x0,4096\n", 22);
	assert_int_equal(run.status, 2);
	assert_int_equal(strncmp(run.err, "gmemstate: ", 11), 0);
	assert_ptr_equal(strchr(run.err, '\n'), run.err + strlen(run.err) - 1);
	assert_has(run.err, says);
	run_free(&run);
}

#define REFUSED(says, ...) check_refused((const char *const[]) {__VA_ARGS__, NULL}, says)

static void errors_are_said(void **state)
{
	const char *file = DATA("snapshot-v1.gms");

	(void)state;
	REFUSED("a snapshot, no log: gmemstate dump prints it", "replay", file);
	REFUSED("a snapshot, no log", "report", file);
	REFUSED("a snapshot, no log", "replay", "--policy", "lazy", file);
	REFUSED("is of another size than --size", "dump", "--size", "2G", file);
	REFUSED("a snapshot: --init is about logs", "dump", "--init", "private", file);
	REFUSED("a snapshot: --format is about logs", "dump", "--format", "csv", file);
	REFUSED("--save: not for dump", "dump", "--save", path, file);
	REFUSED("--save: not with --policy", "replay", "--policy", "lazy", "--save", path, "-");
	REFUSED("--save -: has to be the name of a file", "replay", "--save", "-", "-");
	REFUSED("--save /nonexistent/x: No such file", "replay", "--save", "/nonexistent/x", "-");
	REFUSED("--save /dev/full: No space left", "replay", "--save", "/dev/full", "-");
}

/* Files that are cut, longer, damaged, or sealed after damage: never a crash, nor a bad state. */
static void hostile_files(void **state)
{
	const uint64_t seed = test_seed();
	struct snap whole, snap;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	whole.data = (uint8_t *)read_file(DATA("snapshot-v1.gms"), &whole.size);
	for (uint64_t i = 0; i < test_iters(60); i++) {
		const bool sealed = i % 3 == 2;
		struct run run;

		snap_copy(&snap, &whole,
			  i % 3 ? whole.size : 8 + prng_below(&prng, 2 * whole.size));
		if (i % 3)
			snap.data[8 + prng_below(&prng, i % 2 ? 32 : snap.size - 8)] ^=
				(uint8_t)(1 + prng_below(&prng, 255));
		if (sealed)
			snap_reseal(&snap);
		TOOL_IN(&run, snap.data, snap.size, "dump", "-");
		if (run.status == 2) {
			assert_string_equal(run.out, "");
			assert_int_equal(strncmp(run.err, "gmemstate: -: the snapshot ", 27), 0);
		} else {
			assert_int_equal(run.status, 0);
			assert_true(sealed || snap_same(&snap, &whole));
		}
		run_free(&run);
		snap_fini(&snap);
	}
	whole.data[whole.size - 1] ^= 1;
	path_write(whole.data, whole.size);
	REFUSED("damaged, or cut short: the checksum is wrong", "dump", path);
	snap_poke(&whole, SNAP_AT_VERSION, 2, 4);
	snap_reseal(&whole);
	path_write(whole.data, whole.size);
	REFUSED("the snapshot is of a newer version", "dump", path);
	free(whole.data);
	path_write("gmemsnap", 8);
	REFUSED("the snapshot is damaged, or cut short", "dump", path);
	path_write("gmemsna", 7);
	REFUSED("no known event in 1 lines", "dump", path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_has_all_sets),
		cmocka_unit_test(dump_of_a_known_file),
		cmocka_unit_test(saved_logs_come_back),
		cmocka_unit_test(a_log_that_is_refused_is_saved),
		cmocka_unit_test(errors_are_said),
		cmocka_unit_test(hostile_files),
	};

	return cmocka_run_group_tests(tests, path_make, path_remove);
}
