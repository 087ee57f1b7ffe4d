// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_note.c - the notes at the head of a log: what they say, and what is malformed
 */
#include "test.h"

#include "log.h"

#define GIB_PAGES (1ULL << 18)

static void read_text(struct log *log, const char *text, size_t len)
{
	FILE *file = fmemopen((char *)(uintptr_t)text, len, "r");

	assert_non_null(file);
	assert_int_equal(log_read(log, file, LOG_AUTO), 0);
	fclose(file);
}

/* Reads the line as a note. Returns what is wrong with it, or NULL. */
static const char *parse(struct log_notes *notes, const char *line)
{
	const char *reason = "not written";

	assert_true(log_note_parse(notes, line, strlen(line), &reason));
	return reason;
}

static void notes_are_read(void **state)
{
	static const char text[] = "# arch: tdx\n#init:private\r\n# \tram:\t0x0-0x80000000  \n"
				   "# ram: 0x100000000-0x480000000\n# vcpus: 8\n# host: none\n"
				   "time_us,op,gpa_bytes,size_bytes\n1,to_shared,0x1000,4096\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1);
	assert_int_equal(log.malformed.total, 0);
	assert_int_equal(log.nr_other_lines, 7);
	assert_int_equal(log.nr_events, 1);
	assert_true(log.notes.has_arch);
	assert_int_equal(log.notes.arch, COSTS_TDX);
	assert_int_equal(log.notes.init, 1);
	assert_int_equal(log.notes.nr_ram, 2);
	assert_int_equal(log.notes.ram[0].start, 0);
	assert_int_equal(log.notes.ram[0].end, 2 * GIB_PAGES);
	assert_int_equal(log.notes.ram[1].start, 4 * GIB_PAGES);
	assert_int_equal(log.notes.ram[1].end, 18 * GIB_PAGES);
	assert_int_equal(log.notes.nr_vcpus, 8);
	/* the memory of the guest sets the size, although the one event lies at its start */
	assert_int_equal(log_nr_pages(&log), 18 * GIB_PAGES);
	log_fini(&log);
}

static void log_without_notes(void **state)
{
	static const char text[] = "# a comment\n1,to_shared,0x1000,4096\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1);
	assert_false(log.notes.has_arch);
	assert_int_equal(log.notes.init, -1);
	assert_int_equal(log.notes.nr_ram, 0);
	assert_int_equal(log.notes.nr_vcpus, 0);
	assert_int_equal(log_nr_pages(&log), GIB_PAGES);
	log_fini(&log);
}

/* After the first event a comment is a comment, whatever it says. */
static void only_the_head_has_notes(void **state)
{
	static const char text[] = "# init: shared\n1,host_read,0x0,0\n# init: private\n"
				   "# vcpus: none\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1);
	assert_int_equal(log.malformed.total, 0);
	assert_int_equal(log.notes.init, 0);
	assert_int_equal(log.notes.nr_vcpus, 0);
	log_fini(&log);
}

/* The header of ftrace has comments; notes may be put before it. */
static void ftrace_has_notes(void **state)
{
	static const char text[] = "# arch: snp\n# tracer: nop\n#\n# entries-in-buffer/"
				   "entries-written: 1/1   #P:8\n"
				   " a-1 [000] ..... 1.0: kvm_vm_set_mem_attributes: 0x20 -- 0x21 "
				   "[0x8]\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1);
	assert_int_equal(log.format, LOG_FTRACE);
	assert_int_equal(log.malformed.total, 0);
	assert_int_equal(log.nr_conversions, 1);
	assert_true(log.notes.has_arch);
	log_fini(&log);
}

static void other_comments_are_no_notes(void **state)
{
	static const char *const lines[] = {
		"",
		"#",
		"# ",
		"arch: snp",
		"# arch",
		"# arch snp",
		"# arch : snp",
		"# Arch: snp",
		"## arch: snp",
		"# archs: snp",
		"# ram 0-1",
		" # init: none",
		"# rams: 0-1",
		"# note: ram: x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct log_notes notes = LOG_NO_NOTES;
		const char *reason = "untouched";

		assert_false(log_note_parse(&notes, lines[i], strlen(lines[i]), &reason));
		assert_string_equal(reason, "untouched");
	}
}

static void malformed_values(void **state)
{
	static const char *const lines[] = {
		"# arch:",
		"# arch: SNP",
		"# arch: snp tdx",
		"# arch: sn",
		"# init:",
		"# init: priv",
		"# init: private.",
		"# init: 1",
		"# vcpus:",
		"# vcpus: 0",
		"# vcpus: -1",
		"# vcpus: 0x10",
		"# vcpus: 8 8",
		"# vcpus: 65537",
		"# vcpus: 18446744073709551617",
		"# ram:",
		"# ram: 0x",
		"# ram: 0x-0x1000",
		"# ram: 0-1000",
		"# ram: 0x0",
		"# ram: 0x0-",
		"# ram: 0x0-0x",
		"# ram: 0x0-1000",
		"# ram: 0x0 - 0x1000",
		"# ram: 0x0-0x1000 0x2000-0x3000",
		"# ram: 0x0-0x0",
		"# ram: 0x2000-0x1000",
		"# ram: 0x1-0x1000",
		"# ram: 0x0-0x1001",
		"# ram: 0x0-0x10000000001000",
		"# ram: 0x10000000000000000-0x10000000000001000",
		"# ram: 0xfffffffffffff000-0xffffffffffffffff",
	};
	const struct log_notes none = LOG_NO_NOTES;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct log_notes notes = LOG_NO_NOTES;

		if (!parse(&notes, lines[i]))
			fail_msg("%s: accepted", lines[i]);
		assert_true(notes.has_arch == none.has_arch && notes.init == none.init &&
			    notes.nr_ram == none.nr_ram && notes.nr_vcpus == none.nr_vcpus);
	}
}

static void limits_are_accepted(void **state)
{
	struct log_notes notes = LOG_NO_NOTES;

	(void)state;
	assert_null(parse(&notes, "# ram: 0xFFFFFFFFFF000-0x10000000000000"));
	assert_int_equal(notes.ram[0].end, GMS_MAX_PAGES);
	assert_null(parse(&notes, "# vcpus: 65536"));
	assert_int_equal(notes.nr_vcpus, LOG_MAX_VCPUS);
}

/* What a note has set, a second note does not change. */
static void second_notes(void **state)
{
	struct log_notes notes = LOG_NO_NOTES;
	char line[64];

	(void)state;
	assert_null(parse(&notes, "# arch: pkvm"));
	assert_non_null(parse(&notes, "# arch: snp"));
	assert_int_equal(notes.arch, COSTS_PKVM);
	assert_null(parse(&notes, "# init: shared"));
	assert_non_null(parse(&notes, "# init: shared"));
	assert_int_equal(notes.init, 0);
	assert_null(parse(&notes, "# vcpus: 2"));
	assert_non_null(parse(&notes, "# vcpus: 3"));
	assert_int_equal(notes.nr_vcpus, 2);
	for (unsigned int i = 0; i < LOG_MAX_RAM; i++) {
		snprintf(line, sizeof(line), "# ram: 0x%x-0x%x", i << 16, (i << 16) + 0x8000);
		assert_null(parse(&notes, line));
		/* below the last range, or in it */
		assert_non_null(parse(&notes, "# ram: 0x0-0x1000"));
		snprintf(line, sizeof(line), "# ram: 0x%x-0x%x", (i << 16) + 0x7000,
			 (i << 16) + 0x9000);
		assert_non_null(parse(&notes, line));
		assert_int_equal(notes.nr_ram, i + 1);
	}
	assert_non_null(parse(&notes, "# ram: 0x1000000-0x2000000"));
	assert_int_equal(notes.nr_ram, LOG_MAX_RAM);
}

/* Neighbouring ranges do not overlap. */
static void neighbours(void **state)
{
	struct log_notes notes = LOG_NO_NOTES;

	(void)state;
	assert_null(parse(&notes, "# ram: 0x0-0x1000"));
	assert_null(parse(&notes, "# ram: 0x1000-0x2000"));
	assert_int_equal(notes.nr_ram, 2);
}

/* Malformed notes are listed with their lines, and the log goes on. */
static void malformed_lines_are_reported(void **state)
{
	static char text[3 * LOG_LINE_MAX];
	struct log log;
	int len = snprintf(text, sizeof(text),
			   "# arch: alpha\n# init: shared\n# vcpus: 4%*s5\n1,to_shared,0x0,4096\n",
			   LOG_LINE_MAX + 9, "");

	(void)state;
	read_text(&log, text, (size_t)len);
	assert_int_equal(log.malformed.total, 2);
	assert_int_equal(log.malformed.list[0].line, 1);
	assert_string_equal(log.malformed.list[0].reason, "arch is none of snp, tdx, pkvm");
	/* what is read of the third line looks well-formed, but the line is longer */
	assert_int_equal(log.malformed.list[1].line, 3);
	assert_string_equal(log.malformed.list[1].reason, "the line is too long");
	assert_int_equal(log.notes.nr_vcpus, 0);
	assert_int_equal(log.notes.init, 0);
	assert_int_equal(log.nr_events, 1);
	log_fini(&log);
}

/* No byte string is read past its end, or stores a value out of bounds. */
static void random_bytes(void **state)
{
	static const char *const pieces[] = {
		"#",     " ",     "ram:", "0x",     "-",      "0",  "f", "1000",
		"init:", "arch:", "snp",  "vcpus:", "shared", "\t", "9", "\xff"};
	uint64_t seed = test_seed();

	(void)state;
	for (uint64_t n = test_iters(20000); n; n--) {
		struct log_notes notes = LOG_NO_NOTES;

		for (unsigned int lines = 0; lines < 20; lines++) {
			char text[64] = "# ram:", *copy;
			size_t len = lines % 2 ? 6 : 1;
			const char *reason;

			for (int i = 0; i < 8; i++) {
				const char *piece;

				seed = seed * 6364136223846793005 + 1442695040888963407;
				piece = pieces[seed >> 60];
				memcpy(text + len, piece, strlen(piece));
				len += strlen(piece);
			}
			copy = malloc(len); /* so that a sanitizer sees a read past the end */
			assert_non_null(copy);
			memcpy(copy, text, len);
			log_note_parse(&notes, copy, len, &reason);
			free(copy);
		}
		assert_true(notes.nr_ram <= LOG_MAX_RAM && notes.nr_vcpus <= LOG_MAX_VCPUS);
		for (unsigned int i = 0; i < notes.nr_ram; i++)
			assert_true(notes.ram[i].start < notes.ram[i].end &&
				    notes.ram[i].end <= GMS_MAX_PAGES &&
				    (!i || notes.ram[i - 1].end <= notes.ram[i].start));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_are_read),
		cmocka_unit_test(log_without_notes),
		cmocka_unit_test(only_the_head_has_notes),
		cmocka_unit_test(ftrace_has_notes),
		cmocka_unit_test(other_comments_are_no_notes),
		cmocka_unit_test(malformed_values),
		cmocka_unit_test(limits_are_accepted),
		cmocka_unit_test(second_notes),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(malformed_lines_are_reported),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
