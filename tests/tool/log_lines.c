// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_lines.c - the parsers of lines: good, odd and hostile input, and the times of hosts
 */
#include "test.h"

#include "log.h"
#include "oracle.h"

#include <inttypes.h>

#define FTRACE_HEAD " qemu-system-x86-4210    [002] .....    13.854023: "
#define FTRACE_NAME "kvm_vm_set_mem_attributes: "
#define GMEM_CONVERT "gmem_convert: (__x64_sys_ioctl+0x96/0xc0 <- kvm_gmem_ioctl) "
#define GMEM_FAULT "gmem_fault: (kvm_gmem_fault_user_mapping+0x4/0x120) "

/* One line and its result. @reason: part of the reason of a malformed line. */
struct sample {
	const char *text;
	enum log_kind kind;
	bool converts;
	uint64_t start;
	uint64_t nr_pages;
	enum gms_shareability to;
	const char *reason;
};

/* clang-format off */
#define PRIVATE(start, nr) LOG_EVENT, true, start, nr, GMS_PRIVATE, NULL
#define SHARED(start, nr) LOG_EVENT, true, start, nr, GMS_SHARED, NULL
#define OTHER LOG_OTHER_LINE, false, 0, 0, GMS_SHARED, NULL
#define OTHER_EVENT LOG_EVENT, false, 0, 0, GMS_SHARED, NULL
#define BAD(reason) LOG_MALFORMED, false, 0, 0, GMS_SHARED, reason

static const struct sample ftrace_samples[] = {
	/* trace_pipe, the trace file; trace-cmd report, with a space in the name; perf script */
	{ FTRACE_HEAD FTRACE_NAME "0x00000000000000 -- 0x00000000080000 [0x8]", PRIVATE(0, 0x80000) },
	{ FTRACE_HEAD FTRACE_NAME "0x000000000000b8 -- 0x000000000000ba [0x0]", SHARED(0xb8, 2) },
	{ "       CPU 0/KVM-4210  [002] .....    13.854034: " FTRACE_NAME "0x20 -- 0x21 [0x0]", SHARED(0x20, 1) },
	{ "CPU 0/KVM  4210 [002]    13.854034: kvm:" FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	/* latency format; no context at all; a counter for a clock; a duration in brackets */
	{ "qemu-sys-4210    2..... 13854023us : " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "qemu-4210 [002] ..... 77: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "qemu-4210 [002] 13.854023: (+12) " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	/* a task whose name looks like an event */
	{ " a: kvm: 0x1 -- [8]-42 [002] ..... 1.0: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	/* the C library's %#llx, in trace-cmd, does not put 0x before a 0 */
	{ FTRACE_HEAD FTRACE_NAME "0000000000000000 -- 0x00000000000001 [0]", SHARED(0, 1) },
	{ FTRACE_HEAD FTRACE_NAME "0X0 -- 0XA [0X8]", PRIVATE(0, 10) },
	{ FTRACE_HEAD FTRACE_NAME "0xab -- 0xAC [0x8]\r\n", PRIVATE(0xab, 1) },
	{ FTRACE_HEAD FTRACE_NAME "  0x1  --\t0x2   [0x8]  ", PRIVATE(1, 1) },
	{ FTRACE_HEAD FTRACE_NAME "0xffffffffffffffff -- 0xffffffffffffffff [0x8]", BAD("empty") },
	{ FTRACE_HEAD FTRACE_NAME "0x0 -- 0xffffffffffffffff [0x8]", PRIVATE(0, UINT64_MAX) },
	/* the first version of the event: the request was cut; other marks */
	{ FTRACE_HEAD FTRACE_NAME " . 0x00000010000000 -- 0x00000018000000 [0x8]", PRIVATE(0x10000000, 0x8000000) },
	{ FTRACE_HEAD FTRACE_NAME " 0x00000028000000 -- 0x0000002da80000 [0x8]", PRIVATE(0x28000000, 0x5a80000) },
	{ FTRACE_HEAD FTRACE_NAME "... 0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ FTRACE_HEAD FTRACE_NAME "*\t- (0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	/* other prefixes: no flags, latency marks, two names, a pid in brackets, a quoted mail */
	{ "qemu-4210 [002] 13.854023: kvm:" FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "qemu-4210    2d..1   12us!: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "[   13.854023] kvm: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "Sep 14 08:00:00 host kernel: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "Sep 14 08:00:00 host trace[42]: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	{ "> [a: b] (c) {d}: 1-42 [002] 13.8: " FTRACE_NAME "0x20 -- 0x21 [0x8]", PRIVATE(0x20, 1) },
	/* the fields of the event: trace-cmd, perf trace */
	{ FTRACE_HEAD FTRACE_NAME "[FAILED TO PARSE] start=0x20 end=0x21 attr=0x8", PRIVATE(0x20, 1) },
	{ FTRACE_HEAD FTRACE_NAME "start=32 end=0x21 attr=0", SHARED(0x20, 1) },
	{ "0.000 qemu/4210 kvm:kvm_vm_set_mem_attributes(start: 32, end: 33, attr: 8)", PRIVATE(0x20, 1) },
	{ FTRACE_HEAD FTRACE_NAME "gfn 0x20, cnt 0x2, attributes 0x8", PRIVATE(0x20, 2) },
	{ FTRACE_HEAD FTRACE_NAME "gfn 0x20, cnt 0x0, attributes 0x8", BAD("empty") },
	{ FTRACE_HEAD FTRACE_NAME "gfn 0x20, cnt 0xffffffffffffffff, attributes 0x8", BAD("64 bits") },
	{ FTRACE_HEAD FTRACE_NAME "gfn 0x20, cnt 0x2", BAD("attr") },
	{ FTRACE_HEAD FTRACE_NAME "start=0x20 end=", BAD("end") },
	{ FTRACE_HEAD FTRACE_NAME "start=0x20 end=0x21", BAD("attr") },
	{ FTRACE_HEAD FTRACE_NAME "start=0x20 end=0x20 attr=8", BAD("empty") },
	{ FTRACE_HEAD FTRACE_NAME "start=0x20 end=18446744073709551616 attr=8", BAD("64 bits") },
	{ "kvm_vm_set_mem_attributes(start: 32, end: 33, attr: 8)", OTHER },
	/* the kprobes of docs/recording.md */
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000000 size=0x1000 attributes=0x8 ret=0", PRIVATE(0x2000, 1) },
	{ FTRACE_HEAD GMEM_CONVERT "ret=0x0 cmd=0xc080aed2 attributes=0x0 size=0x200000 offset=0x0", SHARED(0, 512) },
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000000 size=0x1000 attributes=0x8", PRIVATE(0x2000, 1) },
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000000 size=0x1000 attributes=0x8 ret=-11", OTHER },
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000000 size=0x1000 attributes=0x8 ret=0xfffffffffffffff5", OTHER },
	{ FTRACE_HEAD GMEM_CONVERT "offset=(fault) size=(fault) attributes=(fault) ret=0", BAD("offset") },
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000 size=0x0 attributes=0x8 ret=0", BAD("is 0") },
	{ FTRACE_HEAD GMEM_CONVERT "offset=0x2000 size=0x1001 attributes=0x8 ret=0", BAD("4096") },
	{ FTRACE_HEAD GMEM_FAULT "pgoff=0x2000 flags=0x1255", OTHER_EVENT },
	{ FTRACE_HEAD GMEM_FAULT "pgoff=0x2000", OTHER_EVENT },
	{ FTRACE_HEAD GMEM_FAULT "flags=0x1", BAD("pgoff") },
	/* cut off */
	{ FTRACE_HEAD "kvm_vm_set_mem_attributes:", BAD("start") },
	{ FTRACE_HEAD FTRACE_NAME "0x", BAD("start") },
	{ FTRACE_HEAD FTRACE_NAME "0x20", BAD("--") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -", BAD("--") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 --", BAD("end") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21", BAD("attributes") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [", BAD("attributes") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [0x8", BAD("attributes") },
	/* wrong */
	{ FTRACE_HEAD FTRACE_NAME "20 -- 21 [0x8]", BAD("start") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 21 [0x8]", BAD("end") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [8]", BAD("attributes") },
	{ FTRACE_HEAD FTRACE_NAME "-0x20 -- 0x21 [0x8]", BAD("start") },
	{ FTRACE_HEAD FTRACE_NAME "0x2g -- 0x21 [0x8]", BAD("--") },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [0x8] [0x8]", BAD("text after") },
	{ FTRACE_HEAD FTRACE_NAME "0x21 -- 0x20 [0x8]", BAD("before it starts") },
	{ FTRACE_HEAD FTRACE_NAME "0x21 -- 0x21 [0x8]", BAD("empty") },
	{ FTRACE_HEAD FTRACE_NAME "0x10000000000000000 -- 0x20 [0x8]", BAD("64 bits") },
	{ FTRACE_HEAD FTRACE_NAME "0x0 -- 0x10000000000000000 [0x8]", BAD("64 bits") },
	{ FTRACE_HEAD FTRACE_NAME "0x0 -- 0x1 [0x10000000000000000]", BAD("64 bits") },
	/* other lines of a trace */
	{ "", OTHER },
	{ "cpus=8", OTHER },
	{ "version = 7", OTHER },
	{ "CPU 1 is empty", OTHER },
	{ "CPU:2 [LOST 12 EVENTS]", OTHER },
	{ "##### CPU 1 buffer started ####", OTHER },
	{ "# tracer: nop", OTHER },
	{ "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION", OTHER },
	{ "# event " FTRACE_NAME "0x20 -- 0x21 [0x8]", OTHER },
	{ FTRACE_HEAD "kvm_exit: reason EXIT_NPF rip 0x0 info 0 0", OTHER },
	{ FTRACE_HEAD "kvm_vm_set_mem_attributes <-kvm_vm_ioctl", OTHER },
	{ " => kvm_vm_set_mem_attributes", OTHER },
	{ " 2)   1.203 us    |  kvm_vm_set_mem_attributes [kvm]();", OTHER },
	{ FTRACE_HEAD "my_kvm_vm_set_mem_attributes: 0x20 -- 0x21 [0x8]", OTHER },
	{ FTRACE_HEAD "kvm_vm_set_mem_attributes2: 0x20 -- 0x21 [0x8]", OTHER },
	{ FTRACE_HEAD "tracing_mark_write: " FTRACE_NAME "0x20 -- 0x21 [0x8]", OTHER },
	{ FTRACE_HEAD "tracing_mark_write: kvm_convert_memory start 0x0 size 0x1000 shared_to_private", OTHER },
	{ "kvm_convert_memory start 0x0 size 0x1000 shared_to_private", OTHER },
};

static const struct sample qemu_samples[] = {
	{ "kvm_convert_memory start 0x2000000 size 0x1000 private_to_shared", SHARED(0x2000, 1) },
	{ "kvm_convert_memory start 0x0 size 0x80000000 shared_to_private", PRIVATE(0, 0x80000) },
	{ "4200@1700000000.123456:kvm_convert_memory start 0xb8000 size 0x2000 private_to_shared", SHARED(0xb8, 2) },
	{ "2026-01-01T00:00:00.000000Z kvm_convert_memory start 0xb8000 size 0x2000 private_to_shared\r", SHARED(0xb8, 2) },
	{ "Jan 01 00:00:00 host qemu[42]: kvm_convert_memory start 0xb8000 size 0x2000 private_to_shared", SHARED(0xb8, 2) },
	{ FTRACE_HEAD "tracing_mark_write: kvm_convert_memory start 0x0 size 0x1000 shared_to_private", PRIVATE(0, 1) },
	{ "kvm_convert_memory start 0xfffffffff000 size 0x1000 shared_to_private", PRIVATE(0xfffffffffULL, 1) },
	{ "kvm_convert_memory start 0xffffffffff000 size 0x1000 shared_to_private", PRIVATE(GMS_MAX_PAGES - 1, 1) },
	/* simpletrace.py, babeltrace */
	{ "kvm_convert_memory 0.482 pid=4200 start=0x2000000 size=0x1000 msg=b'private_to_shared'", SHARED(0x2000, 1) },
	{ "[08:00:00.123456789] (+0.000001234) host qemu:kvm_convert_memory: { cpu_id = 3 }, { start = 33554432, size = 4096, msg = \"shared_to_private\" }", PRIVATE(0x2000, 1) },
	{ "kvm_convert_memory 0.482 pid=4200 start=0x2000000 size=0x1000", BAD("neither") },
	{ "kvm_convert_memory 0.482 pid=4200 start=0x2000000 msg=b'private_to_shared'", BAD("size") },
	{ "kvm_convert_memory start=0x2000000 size=0x1000 msg=b'private_to_shared' start", BAD("text after") },
	{ "kvm_convert_memory start 0X2000000  size\t0x1000  private_to_shared", SHARED(0x2000, 1) },
	{ "kvm: kvm_convert_memory start 0x2000000 size 0x1000 private_to_shared", SHARED(0x2000, 1) },
	/* cut off */
	{ "kvm_convert_memory", BAD("start") },
	{ "kvm_convert_memory sta", BAD("start") },
	{ "kvm_convert_memory start", BAD("start") },
	{ "kvm_convert_memory start 0x2000000", BAD("size") },
	{ "kvm_convert_memory start 0x2000000 size", BAD("size") },
	{ "kvm_convert_memory start 0x2000000 size 0x1000", BAD("neither") },
	{ "kvm_convert_memory start 0x2000000 size 0x1000 private_to_sha", BAD("neither") },
	/* wrong */
	{ "kvm_convert_memory start 2000000 size 0x1000 private_to_shared", BAD("start") },
	{ "kvm_convert_memory start 0x2000000 size 4096 private_to_shared", BAD("size") },
	{ "kvm_convert_memory starts 0x2000000 size 0x1000 private_to_shared", BAD("start") },
	{ "kvm_convert_memory size 0x1000 start 0x2000000 private_to_shared", BAD("start") },
	{ "kvm_convert_memory start 0x2000000 size 0x1000 shared_to_shared", BAD("neither") },
	{ "kvm_convert_memory start 0x2000000 size 0x1000 private_to_shared x", BAD("text after") },
	{ "kvm_convert_memory start 0x2000000 size 0x0 private_to_shared", BAD("is 0") },
	{ "kvm_convert_memory start 0x2000800 size 0x1000 private_to_shared", BAD("4096") },
	{ "kvm_convert_memory start 0x2000000 size 0x1001 private_to_shared", BAD("4096") },
	{ "kvm_convert_memory start 0xfffffffffffff000 size 0x1000 private_to_shared", BAD("4 PiB") },
	{ "kvm_convert_memory start 0xffffffffff000 size 0x2000 private_to_shared", BAD("4 PiB") },
	{ "kvm_convert_memory start 0x1ffffffffffffffff size 0x1000 private_to_shared", BAD("64 bits") },
	{ "kvm_convert_memory start 0x0 size 0x10000000000000000 private_to_shared", BAD("64 bits") },
	/* other lines of a log */
	{ "", OTHER },
	{ "kvm_memory_fault start 0x2000000 size 0x1000 flags 0x8", OTHER },
	{ "4200@1700000000.123456:kvm_run_exit cpu_index 0, reason 39", OTHER },
	{ "qemu-system-x86_64: warning: trace event 'kvm_convert_memory' does not exist", OTHER },
	{ "my_kvm_convert_memory start 0x0 size 0x1000 shared_to_private", OTHER },
	{ "kvm_convert_memory2 start 0x0 size 0x1000 shared_to_private", OTHER },
	{ FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [0x8]", OTHER },
};

static const struct sample csv_samples[] = {
	{ "0,accept,0x0,536870912", PRIVATE(0, 0x20000) },
	{ "1854023,to_shared,0x2000000,2097152", SHARED(0x2000, 512) },
	{ "2253638,to_private,0x2003000,2084864\r\n", PRIVATE(0x2003, 0x1fd) },
	{ "18446744073709551615,to_shared,8192,0x1000", SHARED(2, 1) },
	{ "2,host_read,0x2f38000,6726", OTHER_EVENT },
	{ "2,host_write,0x2f38001,1", OTHER_EVENT },
	{ "2,guest_touch,0x200000,2097152", OTHER_EVENT },
	{ "2,free,0x200000,2097152", OTHER_EVENT },
	{ "time_us,op,gpa_bytes,size_bytes", OTHER },
	{ "# a comment", OTHER },
	{ "", OTHER },
	{ " \r", OTHER },
	{ "  1 , to_shared ,\t0X2000, 4096 ", SHARED(2, 1) },
	{ "Lost 12 events", OTHER },
	{ "hello", BAD("time_us") },
	{ ",to_shared,0x0,4096", BAD("time_us") },
	{ "-1,to_shared,0x0,4096", BAD("time_us") },
	{ "1.5,to_shared,0x0,4096", BAD("time_us") },
	{ "1;to_shared;0x0;4096", BAD("time_us") },
	{ "1", BAD("time_us") },
	{ "1,", BAD("op") },
	{ "1,convert,0x0,4096", BAD("op") },
	{ "1,to_share,0x0,4096", BAD("op") },
	{ "1,to_shared2,0x0,4096", BAD("op") },
	{ "1,to_shared", BAD("op") },
	{ "1,to_shared,", BAD("gpa_bytes") },
	{ "1,to_shared,0x0", BAD("gpa_bytes") },
	{ "1,to_shared,zero,4096", BAD("gpa_bytes") },
	{ "1,to_shared,0x0,", BAD("size_bytes") },
	{ "1,to_shared,0x0,4096,5", BAD("size_bytes") },
	{ "1,to_shared,0x0,40 96", BAD("size_bytes") },
	{ "1,to_shared,0x0,0", BAD("is 0") },
	{ "1,to_shared,0x800,4096", BAD("4096") },
	{ "1,to_shared,0x0,4095", BAD("4096") },
	{ "1,to_shared,0x10000000000000,4096", BAD("4 PiB") },
	{ "1,to_shared,0x0,18446744073709551616", BAD("64 bits") },
	{ "99999999999999999999,to_shared,0x0,4096", BAD("64 bits") },
	{ "1,host_read,0x0,18446744073709551616", BAD("64 bits") },
};
/* clang-format on */

static void check_samples(enum log_format format, const struct sample *samples, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct sample *s = &samples[i];
		size_t len = strlen(s->text);
		/* An exact copy: a read past the end is a read past the allocation. */
		char *copy = malloc(len ? len : 1);
		struct log_line line;

		assert_non_null(copy);
		memcpy(copy, s->text, len);
		log_parse(format, copy, len, &line);
		free(copy);
		if (line.kind != s->kind || (s->reason && !strstr(line.reason, s->reason)))
			fail_msg("%s: kind %d (%s), not %d (%s)", s->text, line.kind,
				 line.reason ? line.reason : "", s->kind,
				 s->reason ? s->reason : "");
		if (s->kind != LOG_EVENT)
			continue;
		if (event_is_conversion(line.event.op) != s->converts)
			fail_msg("%s: op %s", s->text, event_op_name(line.event.op));
		if (!s->converts)
			continue;
		if (line.event.start != s->start || line.event.nr_pages != s->nr_pages ||
		    event_converts_to(line.event.op) != s->to)
			fail_msg("%s: 0x%" PRIx64 " + 0x%" PRIx64 " op %s", s->text,
				 line.event.start, line.event.nr_pages,
				 event_op_name(line.event.op));
	}
}

static void ftrace_lines(void **state)
{
	(void)state;
	check_samples(LOG_FTRACE, ftrace_samples, ARRAY_SIZE(ftrace_samples));
}

static void qemu_lines(void **state)
{
	(void)state;
	check_samples(LOG_QEMU, qemu_samples, ARRAY_SIZE(qemu_samples));
}

static void csv_lines(void **state)
{
	(void)state;
	check_samples(LOG_CSV, csv_samples, ARRAY_SIZE(csv_samples));
}

static void attributes_beside_private(void **state)
{
	static const struct {
		const char *attributes;
		enum gms_shareability to;
		bool other;
	} samples[] = {
		{"0x0", GMS_SHARED, false},
		{"0x8", GMS_PRIVATE, false},
		{"0x9", GMS_PRIVATE, true},
		{"0x7", GMS_SHARED, true},
		{"0xffffffffffffffff", GMS_PRIVATE, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct log_line line;
		char text[128];
		int len = snprintf(text, sizeof(text), FTRACE_HEAD FTRACE_NAME "0x1 -- 0x2 [%s]",
				   samples[i].attributes);

		log_parse(LOG_FTRACE, text, (size_t)len, &line);
		assert_int_equal(line.kind, LOG_EVENT);
		assert_int_equal(event_converts_to(line.event.op), samples[i].to);
		assert_int_equal(line.other_attributes, samples[i].other);
	}
}

/* A write is told from a read by the first bit of the flags; without flags it is a read. */
static void kprobe_accesses(void **state)
{
	static const struct {
		const char *text;
		enum event_op op;
	} samples[] = {
		{FTRACE_HEAD GMEM_FAULT "pgoff=0x2000 flags=0x1255", EVENT_HOST_WRITE},
		{FTRACE_HEAD GMEM_FAULT "pgoff=0x2000 flags=0x1254", EVENT_HOST_READ},
		{FTRACE_HEAD GMEM_FAULT "pgoff=8192", EVENT_HOST_READ},
	};
	struct log_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		log_parse(LOG_FTRACE, samples[i].text, strlen(samples[i].text), &line);
		assert_int_equal(line.kind, LOG_EVENT);
		assert_int_equal(line.event.op, samples[i].op);
		assert_int_equal(line.event.start, 0x2000);
		assert_int_equal(line.event.nr_pages, 1);
	}
}

#define NO_TIME UINT64_MAX
#define QEMU "kvm_convert_memory start 0x0 size 0x1000 shared_to_private"
#define KVM FTRACE_NAME "0x20 -- 0x21 [0x8]"

/* 2026-09-14 08:00:00 UTC */
#define SEP_14 1789372800000000ULL

/* clang-format off */
static const struct {
	enum log_format format;
	const char *text;
	uint64_t us;
} time_samples[] = {
	/* QEMU: none, before 10.2, since 10.2, with an offset, its ftrace backend, stap */
	{ LOG_QEMU, QEMU, NO_TIME },
	{ LOG_QEMU, "2313@1700000000.123456:" QEMU, 1700000000123456 },
	{ LOG_QEMU, "2313@1700000000.123456: " QEMU, 1700000000123456 },
	{ LOG_QEMU, "2026-09-14T08:00:00.123456Z " QEMU, SEP_14 + 123456 },
	{ LOG_QEMU, "2026-09-14T08:00:00Z " QEMU, SEP_14 },
	{ LOG_QEMU, "2026-09-14T10:00:00.5+02:00 " QEMU, SEP_14 + 500000 },
	{ LOG_QEMU, "2026-09-14T02:30:00.5-0530 " QEMU, SEP_14 + 500000 },
	{ LOG_QEMU, " qemu-system-x86-2313    [003] ..... 12345.678901: tracing_mark_write: " QEMU, 12345678901 },
	{ LOG_QEMU, "qemu-2313 [003] 12345.678901: print:                tracing_mark_write: " QEMU, 12345678901 },
	{ LOG_QEMU, "2313@1700000000123456789 " QEMU, 1700000000123456 },
	/* journald and libvirt, alone and before the time of QEMU, which counts */
	{ LOG_QEMU, "Sep 14 08:00:01 host qemu[42]: " QEMU, 86400000000 * 987 + 28801000000 },
	{ LOG_QEMU, "Sep  4 08:00:00.25 host qemu[42]: " QEMU, 86400000000 * 977 + 28800250000 },
	{ LOG_QEMU, "Mon Sep 14 08:00:01 2026 host qemu[42]: " QEMU, SEP_14 + 1000000 },
	{ LOG_QEMU, "2026-09-14T10:00:00.123456+0200 host qemu[42]: " QEMU, SEP_14 + 123456 },
	{ LOG_QEMU, "1789372800.123456 host qemu[42]: " QEMU, SEP_14 + 123456 },
	{ LOG_QEMU, "[   13.854023] host qemu[42]: " QEMU, 13854023 },
	{ LOG_QEMU, "2026-09-14 08:00:00.123+0000: 2313: debug : x:1 : " QEMU, SEP_14 + 123000 },
	{ LOG_QEMU, "Jan 01 00:00:00 host qemu[42]: 2313@1700000000.123456:" QEMU, 1700000000123456 },
	{ LOG_QEMU, "vm.log:2026-09-14T08:00:00Z " QEMU, SEP_14 },
	{ LOG_QEMU, "[08:00:00.123456789] (+0.000001234) host qemu:kvm_convert_memory: { start = 0, size = 4096, msg = \"shared_to_private\" }", 28800123456 },
	/* ftrace, latency formats, trace-cmd -t, perf script with --ns and a period, dmesg */
	{ LOG_FTRACE, FTRACE_HEAD KVM, 13854023 },
	{ LOG_FTRACE, "qemu-4210 [002] 13.854023987: " KVM, 13854023 },
	{ LOG_FTRACE, "qemu-4210 [002] 13.854023: (+12) " KVM, 13854023 },
	{ LOG_FTRACE, "qemu-sys-4210    2..... 13854023us : " KVM, 13854023 },
	{ LOG_FTRACE, "qemu-sys-4210    2d..1   12us!: " KVM, 12 },
	{ LOG_FTRACE, "qemu 4210 2 0 00000000 00000000 [0000000000001a2b] 1693.123ms (+0.004ms): " KVM, 1693123 },
	{ LOG_FTRACE, "CPU 0/KVM  2313 [003] 12345.678901:          1 kvm:" KVM, 12345678901 },
	{ LOG_FTRACE, "CPU 0/KVM  2313/2399 [003] 12345.678901234:   4000000 kvm:" KVM, 12345678901 },
	{ LOG_FTRACE, "[   13.854023] " KVM, 13854023 },
	{ LOG_FTRACE, "[Mon Sep 14 08:00:00 2026] " KVM, SEP_14 },
	{ LOG_FTRACE, "2026-09-14T08:00:00,123456+00:00 " KVM, SEP_14 + 123456 },
	{ LOG_FTRACE, FTRACE_HEAD GMEM_FAULT "pgoff=0x2000", 13854023 },
	/* names of tasks that look like times: the last time counts */
	{ LOG_FTRACE, "a 1.5: [2.5] 08:00:00-42 [002] 13.854023: " KVM, 13854023 },
	/* a clock without a unit, no time, what is no time */
	{ LOG_FTRACE, "qemu-4210 [002] ..... 77: " KVM, NO_TIME },
	{ LOG_FTRACE, KVM, NO_TIME },
	{ LOG_FTRACE, "qemu-9.2 [002]: " KVM, NO_TIME },
	{ LOG_QEMU, "2313@1700000000.123456 " QEMU, NO_TIME },
	{ LOG_QEMU, "@1700000000.123456:" QEMU, NO_TIME },
	{ LOG_QEMU, "2313@18446744073709551616 " QEMU, NO_TIME },
	{ LOG_QEMU, "2026-13-14T08:00:00Z " QEMU, NO_TIME },
	{ LOG_QEMU, "1969-09-14 " QEMU, NO_TIME },
	{ LOG_QEMU, "Sep 14 " QEMU, NO_TIME },
	{ LOG_QEMU, "1.5 host " QEMU, NO_TIME },
	{ LOG_QEMU, "18446744073709551615.5: " QEMU, NO_TIME },
	{ LOG_QEMU, "1970-01-01T00:00:00+01:00 " QEMU, 0 },
	{ LOG_QEMU, "2000-03-01T00:00:00Z " QEMU, 951868800000000 },
	{ LOG_QEMU, "2024-02-29T00:00:00Z " QEMU, 1709164800000000 },
};
/* clang-format on */

static void times(void **state)
{
	struct log_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(time_samples); i++) {
		log_parse(time_samples[i].format, time_samples[i].text,
			  strlen(time_samples[i].text), &line);
		if (line.kind != LOG_EVENT || line.has_time != (time_samples[i].us != NO_TIME) ||
		    (line.has_time && line.event.time_us != time_samples[i].us))
			fail_msg("%s: kind %d, time %d, %" PRIu64 " us", time_samples[i].text,
				 line.kind, line.has_time, line.event.time_us);
	}
}

/* A NUL makes an event malformed, and means nothing in another line. */
static void nul_bytes(void **state)
{
	static const char ftrace[] = "\0\0\0" FTRACE_NAME "0x20 -- 0x21 [0x8]";
	static const char qemu[] = "\0kvm_convert_memory start 0x0 size 0x1000 shared_to_private";
	static const char inside[] = FTRACE_NAME "0x20 --\0 0x21 [0x8]";
	static const char csv[] = "1,to_shared,0x0\0,4096";
	static const char foreign[] = "kvm\0_vm_set_mem_attributes: 0x20 -- 0x21 [0x8]";
	struct log_line line;

	(void)state;
	log_parse(LOG_FTRACE, ftrace, sizeof(ftrace) - 1, &line);
	assert_int_equal(line.kind, LOG_MALFORMED);
	assert_string_equal(line.reason, "NUL byte in the line");
	log_parse(LOG_FTRACE, inside, sizeof(inside) - 1, &line);
	assert_int_equal(line.kind, LOG_MALFORMED);
	log_parse(LOG_QEMU, qemu, sizeof(qemu) - 1, &line);
	assert_int_equal(line.kind, LOG_MALFORMED);
	assert_string_equal(line.reason, "NUL byte in the line");
	log_parse(LOG_CSV, csv, sizeof(csv) - 1, &line);
	assert_int_equal(line.kind, LOG_MALFORMED);
	log_parse(LOG_FTRACE, foreign, sizeof(foreign) - 1, &line);
	assert_int_equal(line.kind, LOG_OTHER_LINE);
}

static void detection(void **state)
{
	static const struct {
		const char *text;
		enum log_format format;
	} samples[] = {
		{FTRACE_HEAD FTRACE_NAME "0x20 -- 0x21 [0x8]", LOG_FTRACE},
		{FTRACE_HEAD FTRACE_NAME "0x20 --", LOG_FTRACE},
		{"1@2.3:kvm_convert_memory start 0x0 size 0x1000 shared_to_private", LOG_QEMU},
		{"kvm_convert_memory start 0x0 si", LOG_QEMU},
		{FTRACE_HEAD "tracing_mark_write: kvm_convert_memory start 0x0 size 0x1000 "
			     "shared_to_private",
		 LOG_QEMU},
		{"time_us,op,gpa_bytes,size_bytes", LOG_CSV},
		{"0,accept,0x0,536870912", LOG_CSV},
		{"0,host_read,0x0,53", LOG_CSV},
		{"0,to_shared,nonsense", LOG_CSV},
		{"# tracer: nop", LOG_AUTO},
		{"cpus=8", LOG_AUTO},
		{"time_us,phase", LOG_AUTO},
		{"1,2,3,4", LOG_AUTO},
		{"", LOG_AUTO},
		{FTRACE_HEAD "kvm_exit: reason EXIT_NPF", LOG_AUTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		if (log_detect(samples[i].text, strlen(samples[i].text)) != samples[i].format)
			fail_msg("%s: not %s", samples[i].text, log_format_name(samples[i].format));
	}
}

static void lost_events(void **state)
{
	static const struct {
		const char *text;
		bool is;
		uint64_t nr;
	} samples[] = {
		{"CPU:2 [LOST 12 EVENTS]", true, 12},
		{"CPU:2 [LOST EVENTS]", true, 0},
		{"CPU:7 [204600 EVENTS DROPPED]", true, 204600},
		{"CPU:7 [EVENTS DROPPED]\r", true, 0},
		{"[LOST 18446744073709551615 EVENTS]", true, UINT64_MAX},
		{"[LOST 18446744073709551616 EVENTS]", true, 0},
		{"# entries-in-buffer/entries-written: 650/12345   #P:8", true, 11695},
		{"# entries-in-buffer/entries-written: 650/650   #P:8", false, 0},
		{"# entries-in-buffer/entries-written: 650/6", false, 0},
		{"# entries-in-buffer/entries-written: 650", false, 0},
		{"Lost 12 events", true, 12},
		{"Lost 12 events x", false, 0},
		{"Lost events", false, 0},
		{"CPU:2 [LOST 12 EVENTS", false, 0},
		{"CPU:2 [LOST 12 EVENTS] x", false, 0},
		{"CPU:2 [LOSTS 12 EVENTS]", false, 0},
		{"CPU:2 [12 LOST EVENTS]", false, 0},
		{"CPU 1 is empty", false, 0},
		{"[", false, 0},
		{"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		uint64_t nr = 0;
		bool is = log_parse_lost(samples[i].text, strlen(samples[i].text), &nr);

		if (is != samples[i].is || nr != samples[i].nr)
			fail_msg("%s: %d, %" PRIu64, samples[i].text, is, nr);
	}
}

/*
 * Good lines with a few bytes changed, cut or doubled, in exactly sized allocations. No parser may
 * read outside them (the sanitizers watch), or accept a broken range.
 */
static void mutated_lines(void **state)
{
	/* clang-format off */
	static const char *const lines[] = {
		(FTRACE_HEAD FTRACE_NAME "0x00000000002000 -- 0x00000000002001 [0x8]"),
		"4200@17.123456:kvm_convert_memory start 0xb8000 size 0x2000 private_to_shared",
		"1854023,to_shared,0x2000000,2097152",
		"# entries-in-buffer/entries-written: 650/12345   #P:8",
		"CPU:2 [LOST 12 EVENTS]",
		(FTRACE_HEAD GMEM_CONVERT "offset=0x2000000 size=0x1000 attributes=0x8 ret=0"),
		"2026-09-14T08:00:00.5+02:00 kvm_convert_memory start=0x0 size=0x1000 private_to_shared",
		("Sep 14 08:00:00 2026 [ 1.5] 12us!: 1.250ms (+ " FTRACE_NAME "start=1 end=2 attr=8"),
	};
	/* clang-format on */
	const uint64_t seed = test_seed();
	struct prng prng;
	uint64_t rounds = test_iters(200000);

	(void)state;
	prng_init(&prng, seed);
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	for (uint64_t round = 0; round < rounds; round++) {
		const char *from = lines[prng_below(&prng, ARRAY_SIZE(lines))];
		size_t len = strlen(from) - prng_below(&prng, 4) * prng_below(&prng, 8);
		char *text = malloc(len);
		struct log_line line;
		uint64_t nr_lost;

		assert_non_null(text);
		memcpy(text, from, len);
		for (uint64_t n = prng_below(&prng, 4); n; n--) {
			size_t at = prng_below(&prng, len);

			text[at] = prng_below(&prng, 3) ? from[prng_below(&prng, len)]
							: (char)prng_next(&prng);
		}
		log_detect(text, len);
		log_parse_lost(text, len, &nr_lost);
		for (enum log_format format = LOG_FTRACE; format <= LOG_CSV; format++) {
			log_parse(format, text, len, &line);
			assert_true((line.kind == LOG_MALFORMED) == (line.reason != NULL));
			if (line.kind == LOG_EVENT && event_is_conversion(line.event.op)) {
				assert_true(line.event.nr_pages > 0);
				assert_true(line.event.start + line.event.nr_pages >
					    line.event.start);
			}
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ftrace_lines),    cmocka_unit_test(qemu_lines),
		cmocka_unit_test(csv_lines),       cmocka_unit_test(attributes_beside_private),
		cmocka_unit_test(kprobe_accesses), cmocka_unit_test(times),
		cmocka_unit_test(nul_bytes),       cmocka_unit_test(detection),
		cmocka_unit_test(lost_events),     cmocka_unit_test(mutated_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
