// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * source.c - the gmemstate command on logs that are no plain text: compressed ones, and recordings
 * of trace-cmd
 *
 * The inputs are made here: compressed ones by libarchive, recordings by trace_dat.h. Without a
 * library, the tool has to name it.
 */
#include "tool_run.h"
#include "trace_dat.h"

#include <unistd.h>

#ifdef GMS_WITH_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#if defined(GMS_WITH_LIBARCHIVE) || defined(GMS_WITH_LIBTRACECMD)
/* A file that a test writes. */
struct temporary {
	char path[64];
	FILE *file;
};

static void temporary_open(struct temporary *t)
{
	strcpy(t->path, "/tmp/gmemstate-XXXXXX");
	t->file = fdopen(mkstemp(t->path), "w");
	assert_non_null(t->file);
}

static void temporary_close(struct temporary *t)
{
	fclose(t->file);
	unlink(t->path);
}
#endif

/* Fails if the first line that a command of the shell prints does not have @part. */
static void check_first_line(const char *command, const char *part)
{
	FILE *pipe = popen(command, "r");
	char line[512] = "";

	assert_non_null(pipe);
	if (!fgets(line, sizeof(line), pipe) || !strstr(line, part))
		fail_msg("no \"%s\" in %s", part, line);
	pclose(pipe);
}

#ifdef GMS_WITH_LIBARCHIVE
static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
			      ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_LZ4};

/* Compresses @text, @times in a row, into one stream. Returns malloc()ed bytes. */
static char *compress_text(int filter, const char *text, size_t len, size_t times, size_t *size)
{
	const size_t room = len * 2 + 65536;
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	char *bytes = malloc(room);

	assert_non_null(bytes);
	assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
	archive_write_set_format_raw(archive);
	archive_write_set_bytes_per_block(archive, 0);
	archive_write_open_memory(archive, bytes, room, size);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	while (times--)
		assert_int_equal(archive_write_data(archive, text, len), len);
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return bytes;
}

/* A compressed log is read as the log that it was, from standard input and from a file. */
static void compressed_logs(void **state)
{
	size_t len, size;
	char *text = read_file(DATA("C.snp.ftrace.txt"), &len);
	struct run want;

	(void)state;
	TOOL(&want, "dump", "--init", "private", DATA("C.snp.ftrace.txt"));
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		char *bytes = compress_text(filters[i], text, len, 1, &size);
		struct temporary t;
		struct run run;

		TOOL_IN(&run, bytes, size, "dump", "--init", "private", "-");
		assert_int_equal(run.status, 0);
		assert_string_equal(run.out, want.out);
		run_free(&run);
		temporary_open(&t);
		fwrite(bytes, 1, size, t.file);
		fflush(t.file);
		TOOL(&run, "dump", "--init", "private", t.path);
		assert_int_equal(run.status, 0);
		assert_string_equal(run.out, want.out);
		run_free(&run);
		temporary_close(&t);
		free(bytes);
	}
	run_free(&want);
	free(text);
}

/* A file that is cut or damaged is an error: a part of a log has another final state. */
static void damaged_compressed_logs(void **state)
{
	size_t len, size;
	char *text = read_file(DATA("C.snp.ftrace.txt"), &len);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		char *bytes = compress_text(filters[i], text, len, 1, &size);

		for (size_t part = 1; part < 8; part++) {
			struct run run;

			TOOL_IN(&run, bytes, size * part / 8, "dump", "-");
			assert_int_equal(run.status, 2);
			assert_string_equal(run.out, "");
			assert_non_null(strstr(run.err, "gmemstate: -: damaged or cut: "));
			run_free(&run);
		}
		free(bytes);
	}
	free(text);
}

static void empty_compressed_logs(void **state)
{
	/* what gzip and xz make of nothing */
	static const struct {
		const char *bytes;
		size_t size;
	} empty[] = {
		{"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20},
		{"\xfd\x37zXZ\0\0\x04\xe6\xd6\xb4\x46\0\0\0\0\x1c\xdf\x44\x21\x1f\xb6\xf3\x7d"
		 "\x01\0\0\0\0\x04YZ",
		 32},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		struct run run;

		TOOL_IN(&run, empty[i].bytes, empty[i].size, "dump", "-");
		assert_int_equal(run.status, 2);
		assert_string_equal(run.err, "gmemstate: -: the log is empty\n");
		run_free(&run);
	}
}

/* 144 MiB without a line end take no memory: the tool may have 128 MiB of addresses. */
static void decompression_bombs(void **state)
{
	static char zeros[1 << 20];
	char command[8192];
	struct temporary t;
	size_t size;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* a sanitizer needs more addresses */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	skip();
#endif
#endif
	if (test_on_valgrind())
		skip(); /* so does valgrind */
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		char *bytes = compress_text(filters[i], zeros, sizeof(zeros), 144, &size);

		temporary_open(&t);
		fwrite(bytes, 1, size, t.file);
		fflush(t.file);
		snprintf(command, sizeof(command), "ulimit -v 131072; '%s' dump '%s' 2>&1",
			 GMS_TOOL, t.path);
		check_first_line(command, "no known event in 1 lines: neither ");
		temporary_close(&t);
		free(bytes);
	}
}
#else
static void without_libarchive(void **state)
{
	struct run run;

	(void)state;
	TOOL_IN(&run, "\x1f\x8b\x08\0", 4, "dump", "-");
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "libarchive"));
	assert_non_null(strstr(run.err, "gzip -dc"));
	run_free(&run);
}
#endif

#ifdef GMS_WITH_LIBTRACECMD
#define MARK "kvm_convert_memory start 0x2000000 size 0x1000 "

/* Records of both CPUs come in the order of their times. Lost ones are counted. */
static void recordings(void **state)
{
	static const struct trace_dat_record records[] = {
		{0, 1000000, TRACE_DAT_ATTRIBUTES, 0, 0x80000, 8, NULL, 0},
		{0, 1000050, TRACE_DAT_OTHER, 0, 0, 0, NULL, 0},
		{0, 1000200, TRACE_DAT_ATTRIBUTES, 0x2000, 0x2200, 8, NULL, 0},
		{1, 1000100, TRACE_DAT_ATTRIBUTES, 0x2000, 0x2400, 0, NULL, 12},
		{1, 1000300, TRACE_DAT_MARK, 0, 0, 0, MARK "shared_to_private\n", 0},
	};
	struct temporary t;
	struct run run;
	json_t *json;

	(void)state;
	temporary_open(&t);
	trace_dat_write(t.file, records, ARRAY_SIZE(records));
	TOOL(&run, "replay", "--json", "--size", "2G", t.path);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.err, "12 events lost"));
	json = run_json(&run);
	assert_string_equal(json_string_value(json_object_get(json, "format")), "ftrace");
	assert_int_equal(json_number(json, "log.conversions"), 3);
	assert_int_equal(json_number(json, "log.without_time"), 0);
	assert_int_equal(json_number(json, "log.lost_events"), 12);
	assert_int_equal(json_number(json, "shared.pages"), 0x200);
	json_decref(json);
	run_free(&run);
	TOOL(&run, "replay", "--json", "--size", "2G", "--format", "qemu", t.path);
	json = run_json(&run);
	assert_int_equal(json_number(json, "log.conversions"), 1);
	assert_int_equal(json_number(json, "log.without_time"), 0);
	json_decref(json);
	run_free(&run);
	temporary_close(&t);
}

/* A recording that is cut anywhere is an error, or has fewer records. */
static void damaged_recordings(void **state)
{
	static const struct trace_dat_record records[] = {
		{0, 1000000, TRACE_DAT_ATTRIBUTES, 0, 0x80000, 8, NULL, 0},
	};
	struct temporary t;
	struct run run;
	long len;

	(void)state;
	if (test_on_valgrind())
		skip(); /* it finds errors in libtracecmd, which only a child runs */
	temporary_open(&t);
	trace_dat_write(t.file, records, ARRAY_SIZE(records));
	len = ftell(t.file);
	for (long cut = 1; cut < 16; cut++) {
		assert_int_equal(ftruncate(fileno(t.file), len - len * cut / 16), 0);
		TOOL(&run, "dump", t.path);
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, "gmemstate: "));
		run_free(&run);
	}
	temporary_close(&t);
}
#else
static void without_libtracecmd(void **state)
{
	struct run run;

	(void)state;
	TOOL_IN(&run, "\x17\x08\x44tracing6", 11, "dump", "-");
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "libtracecmd"));
	assert_non_null(strstr(run.err, "trace-cmd report"));
	run_free(&run);
}
#endif

/* What a pipe cannot give, or what is compressed twice, is named. */
static void recordings_in_pipes(void **state)
{
	char command[8192];

	(void)state;
	snprintf(command, sizeof(command), "printf '\\027\\010\\104tracing6' | '%s' dump - 2>&1",
		 GMS_TOOL);
	check_first_line(command, "trace-cmd report");
#ifdef GMS_WITH_LIBARCHIVE
	size_t size;
	char *bytes = compress_text(ARCHIVE_FILTER_GZIP, "\x17\x08\x44tracing6", 11, 1, &size);
	struct run run;

	TOOL_IN(&run, bytes, size, "dump", "-");
	assert_int_equal(run.status, 2);
	assert_non_null(strstr(run.err, "decompress it first"));
	run_free(&run);
	free(bytes);
#endif
}

/* The files of two other tools are named, and so is the command that makes text of them. */
static void foreign_files(void **state)
{
	static const struct {
		const char *bytes, *said;
	} samples[] = {
		{"PERFILE2\x68\0\0\0", "perf script"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xb4\x29\xa4\x0a", "simpletrace.py"},
	};
	struct run run;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		TOOL_IN(&run, samples[i].bytes, 12, "dump", "-");
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, samples[i].said));
		run_free(&run);
	}
	/* A part of the magic bytes is text like any other. */
	TOOL_IN(&run, "PERFILE", 7, "dump", "-");
	assert_non_null(strstr(run.err, "gmemstate: -: no known event in 1 lines: neither "));
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef GMS_WITH_LIBARCHIVE
		cmocka_unit_test(compressed_logs),
		cmocka_unit_test(damaged_compressed_logs),
		cmocka_unit_test(empty_compressed_logs),
		cmocka_unit_test(decompression_bombs),
#else
		cmocka_unit_test(without_libarchive),
#endif
#ifdef GMS_WITH_LIBTRACECMD
		cmocka_unit_test(recordings),
		cmocka_unit_test(damaged_recordings),
#else
		cmocka_unit_test(without_libtracecmd),
#endif
		cmocka_unit_test(recordings_in_pipes),
		cmocka_unit_test(foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
