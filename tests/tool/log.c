// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log.c - reading a log: lines in order, what is counted, what is bounded
 */
#include "test.h"

#include "log.h"

#define FTRACE_HEAD " qemu-system-x86-4210    [002] .....    13.854023: "
#define FTRACE_NAME "kvm_vm_set_mem_attributes: "
#define QEMU "kvm_convert_memory start 0x0 size 0x1000 shared_to_private"

static void read_text(struct log *log, const char *text, size_t len, enum log_format format)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	rewind(file);
	assert_int_equal(log_read(log, file, format), 0);
	fclose(file);
}

static void reading_a_mixed_log(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# tracer: nop\n"
		"#\n"
		"# entries-in-buffer/entries-written: 6/9   #P:8\n"
		"\n"
		"CPU:1 [LOST 4 EVENTS]\n"
		"CPU:1 [LOST EVENTS]\n" FTRACE_HEAD FTRACE_NAME "0x0 -- 0x40000 [0x8]\r\n"
		"kvm_convert_memory start 0x0 size 0x1000 private_to_shared\n"
		"1,to_shared,0x0,4096\n" FTRACE_HEAD FTRACE_NAME
		"0x1 -- 0x1 [0x0]\n" FTRACE_HEAD FTRACE_NAME
		"0x5 -- 0x6 [0x1]\n" FTRACE_HEAD FTRACE_NAME
		"0x10000000000 -- 0x10000000001 [0x8]\n" FTRACE_HEAD FTRACE_NAME "0x3ffff -- 0x400";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.format, LOG_FTRACE);
	assert_int_equal(log.nr_lines, 13);
	assert_int_equal(log.nr_other_lines, 8);
	assert_int_equal(log.nr_other_events, 0);
	assert_int_equal(log.nr_other_attributes, 1);
	assert_int_equal(log.nr_lost, 7);
	assert_int_equal(log.nr_lost_gaps, 1);
	assert_int_equal(log.nr_events, 3);
	assert_int_equal(log.events[0].line, 7);
	assert_int_equal(log.events[1].line, 11);
	assert_int_equal(log.events[2].line, 12);
	/* A conversion past the largest object does not make the object larger. */
	assert_int_equal(log.end, 0x40000);
	assert_int_equal(log.malformed.total, 2);
	assert_int_equal(log.malformed.list[0].line, 10);
	assert_int_equal(log.malformed.list[1].line, 13);
	log_fini(&log);
}

/* Conversions and accesses are one list. An access without known pages is only counted. */
static void reading_all_ops(void **state)
{
	static const char text[] = "1,host_read,0x1fff,2\n2,accept,0x0,8192\n3,free,0x0,0\n"
				   "4,to_shared,0x1000,8192\n5,free,0x1000,8192\n";
	static const enum event_op ops[] = {EVENT_HOST_READ, EVENT_ACCEPT, EVENT_TO_SHARED,
					    EVENT_FREE};
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.nr_conversions, 2);
	assert_int_equal(log.nr_other_events, 3);
	assert_int_equal(log.nr_events, ARRAY_SIZE(ops));
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		assert_int_equal(log.events[i].op, ops[i]);
		assert_int_equal(log.events[i].line, log.events[i].time_us);
		assert_int_equal(log.events[i].nr_pages, 2);
	}
	log_fini(&log);
}

/* simpletrace.py prints the time since the event before, also if that is another one. */
static void reading_deltas(void **state)
{
	static const char text[] =
		"kvm_convert_memory 0.000 pid=42 start=0x0 size=0x1000 msg=b'shared_to_private'\n"
		"kvm_run_exit 1000.250 pid=42 cpu_index=0x0 reason=0x27\n"
		"kvm_convert_memory 20.500 pid=42 start=0x0 size=0x1000 msg=b'private_to_shared'\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.format, LOG_QEMU);
	assert_int_equal(log.nr_events, 2);
	assert_int_equal(log.nr_other_lines, 1);
	assert_int_equal(log.nr_without_time, 0);
	assert_int_equal(log.events[1].time_us - log.events[0].time_us, 1020);
	log_fini(&log);
}

/* Events without a time are counted, and each takes a millisecond. */
static void reading_without_times(void **state)
{
	static const char text[] = "5@2.5:" QEMU "\n" QEMU "\n" QEMU "\n5@2.6:" QEMU "\n";
	static const uint64_t want[] = {2500000, 2501000, 2502000, 2600000};
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.nr_events, ARRAY_SIZE(want));
	assert_int_equal(log.nr_without_time, 2);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(log.events[i].time_us, want[i]);
	log_fini(&log);
}

/* A line that a mail folded is one event; a line that is cut is none. */
static void reading_folded_lines(void **state)
{
	static const char text[] = FTRACE_HEAD "kvm_vm_set_mem_attributes:\n"
					       "  0x20 -- 0x21 [0x8]\n" /* 1, 2: an event */
		FTRACE_HEAD FTRACE_NAME "0x21 -- 0x\\\n22 [0x8]\r\n" /* 3, 4: an event */
		FTRACE_HEAD FTRACE_NAME "0x22 --\n" /* 5: malformed */
		FTRACE_HEAD FTRACE_NAME "0x23 -- 0x24 [0x8]\n" /* 6: an event */
		FTRACE_HEAD FTRACE_NAME "0x24 --\n"
					       "CPU:2 [LOST 12 EVENTS]\n" /* 7: malformed, 8 */
		FTRACE_HEAD FTRACE_NAME "0x25 --"; /* 9: malformed */
	static const uint64_t lines[] = {1, 3, 6}, bad[] = {5, 7, 9};
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.nr_lines, 9);
	assert_int_equal(log.nr_other_lines, 3);
	assert_int_equal(log.nr_lost, 12);
	assert_int_equal(log.nr_events, ARRAY_SIZE(lines));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(log.events[i].line, lines[i]);
	assert_int_equal(log.events[1].start, 0x21);
	assert_int_equal(log.events[1].nr_pages, 1);
	assert_int_equal(log.malformed.total, ARRAY_SIZE(bad));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(log.malformed.list[i].line, bad[i]);
	log_fini(&log);
}

/* Colours are no part of a line. */
static void reading_colours(void **state)
{
	static const char text[] = "\x1b[1;32mqemu-42\x1b[0m [002] 13.5: \x1b[33m" FTRACE_NAME
				   "\x1b[m0x20 -- 0x21 [0x8]\x1b[0m\r\n\x1b[\n\x1b";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_AUTO);
	assert_int_equal(log.nr_lines, 3);
	assert_int_equal(log.nr_other_lines, 2);
	assert_int_equal(log.nr_events, 1);
	assert_int_equal(log.events[0].time_us, 13500000);
	log_fini(&log);
}

/* A given format is used, whatever the content. */
static void reading_one_format(void **state)
{
	static const char text[] = FTRACE_HEAD FTRACE_NAME
		"0x0 -- 0x1 [0x8]\n"
		"kvm_convert_memory start 0x0 size 0x1000 private_to_shared\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_QEMU);
	assert_int_equal(log.nr_events, 1);
	assert_int_equal(log.nr_other_lines, 1);
	assert_int_equal(log.events[0].line, 2);
	log_fini(&log);
	read_text(&log, text, sizeof(text) - 1, LOG_CSV);
	assert_int_equal(log.nr_events, 0);
	assert_int_equal(log.malformed.total, 2);
	log_fini(&log);
}

/* The first byte order mark is dropped; a second one is an error. */
static void reading_after_a_bom(void **state)
{
	static const char text[] = "\xef\xbb\xbftime_us,op,gpa_bytes,size_bytes\n"
				   "\xef\xbb\xbf"
				   "1,to_shared,0x0,4096\n";
	struct log log;

	(void)state;
	read_text(&log, text, sizeof(text) - 1, LOG_CSV);
	assert_int_equal(log.nr_other_lines, 1);
	assert_int_equal(log.malformed.total, 1);
	assert_int_equal(log.malformed.list[0].line, 2);
	log_fini(&log);
}

static void reading_long_lines(void **state)
{
	static const char event[] = FTRACE_NAME "0x0 -- 0x1 [0x8]";
	const size_t len = 1 << 20;
	char *text = malloc(2 * len);
	struct log log;

	(void)state;
	assert_non_null(text);
	/* An event at the head of a long line, one at its tail, and a good one. */
	memset(text, ' ', 2 * len);
	memcpy(text, event, sizeof(event) - 1);
	text[len - 1] = '\n';
	memcpy(text + 2 * len - 2 * sizeof(event), event, sizeof(event) - 1);
	text[2 * len - sizeof(event) - 1] = '\n';
	memcpy(text + 2 * len - sizeof(event), event, sizeof(event) - 1);
	text[2 * len - 1] = '\n';
	read_text(&log, text, 2 * len, LOG_AUTO);
	assert_int_equal(log.nr_lines, 3);
	assert_int_equal(log.malformed.total, 1);
	assert_string_equal(log.malformed.list[0].reason, "the line is too long");
	assert_int_equal(log.nr_other_lines, 1);
	assert_int_equal(log.nr_events, 1);
	assert_int_equal(log.events[0].line, 3);
	log_fini(&log);
	/* A line as long as is read, and one byte longer. */
	for (size_t extra = 0; extra < 2; extra++) {
		size_t at = LOG_LINE_MAX - (sizeof(event) - 1);

		memset(text, ' ', LOG_LINE_MAX + 2);
		memcpy(text + at, event, sizeof(event) - 1);
		text[LOG_LINE_MAX + extra] = '\n';
		read_text(&log, text, LOG_LINE_MAX + extra + 1, LOG_AUTO);
		assert_int_equal(log.nr_events, extra ? 0 : 1);
		assert_int_equal(log.malformed.total, extra);
		log_fini(&log);
	}
	free(text);
}

static void reading_nothing(void **state)
{
	struct log log;

	(void)state;
	read_text(&log, "", 0, LOG_AUTO);
	assert_int_equal(log.nr_lines, 0);
	assert_int_equal(log.format, LOG_AUTO);
	log_fini(&log);
	read_text(&log, "\n\n", 2, LOG_AUTO);
	assert_int_equal(log.nr_lines, 2);
	assert_int_equal(log.nr_other_lines, 2);
	log_fini(&log);
}

static void reading_fails(void **state)
{
	FILE *file = fopen("/", "r");
	struct log log;

	(void)state;
	assert_non_null(file);
	assert_int_equal(log_read(&log, file, LOG_AUTO), -EISDIR);
	fclose(file);
	log_fini(&log);
}

static void bounded_refusals(void **state)
{
	struct log_refusals refusals = {0};

	(void)state;
	for (uint64_t i = 1; i <= LOG_REFUSALS_MAX + 5; i++)
		assert_int_equal(log_refuse(&refusals, &(struct log_refusal) {i, "x", true}), 0);
	assert_int_equal(refusals.total, LOG_REFUSALS_MAX + 5);
	assert_int_equal(refusals.nr_listed, LOG_REFUSALS_MAX);
	assert_int_equal(refusals.list[LOG_REFUSALS_MAX - 1].line, LOG_REFUSALS_MAX);
	free(refusals.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_a_mixed_log),  cmocka_unit_test(reading_all_ops),
		cmocka_unit_test(reading_deltas),       cmocka_unit_test(reading_without_times),
		cmocka_unit_test(reading_folded_lines), cmocka_unit_test(reading_colours),
		cmocka_unit_test(reading_one_format),   cmocka_unit_test(reading_after_a_bom),
		cmocka_unit_test(reading_long_lines),   cmocka_unit_test(reading_nothing),
		cmocka_unit_test(reading_fails),        cmocka_unit_test(bounded_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
