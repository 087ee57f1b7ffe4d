// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * trace_dat.c - writes a trace.dat: see trace_dat.h
 *
 * The format is that of the manual page trace-cmd.dat.v6(5): texts that describe the events, and
 * then for each CPU the pages of the kernel's ring buffer, as they are in memory.
 */
#include "trace_dat.h"

#include "test.h"

#define PAGE 4096U
#define NR_CPUS 2U

/* The most data of a record with a short head. */
#define DATA_MAX 112U

/* Flags beside the length of a page's records: some were lost before, and how many follows. */
#define MISSED 0x80000000U
#define MISSED_STORED 0x40000000U

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

static const char header_event[] = "# compressed entry header\n"
				   "\ttype_len    :    5 bits\n"
				   "\ttime_delta  :   27 bits\n"
				   "\tarray       :   32 bits\n"
				   "\n"
				   "\tpadding     : type == 29\n"
				   "\ttime_extend : type == 30\n"
				   "\ttime_stamp : type == 31\n"
				   "\tdata max type_len  == 28\n";

#define COMMON                                                                         \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"         \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"         \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

static const char *const formats[] = {
	[TRACE_DAT_ATTRIBUTES] =
		"name: kvm_vm_set_mem_attributes\nID: 100\nformat:\n" COMMON
		"\tfield:u64 start;\toffset:8;\tsize:8;\tsigned:0;\n"
		"\tfield:u64 end;\toffset:16;\tsize:8;\tsigned:0;\n"
		"\tfield:unsigned long attr;\toffset:24;\tsize:8;\tsigned:0;\n\n"
		"print fmt: \"%#016llx -- %#016llx [0x%lx]\", REC->start, REC->end, REC->attr\n",
	[TRACE_DAT_MARK] = "name: print\nID: 5\nformat:\n" COMMON
			   "\tfield:unsigned long ip;\toffset:8;\tsize:8;\tsigned:0;\n"
			   "\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n\n"
			   "print fmt: \"%ps: %s\", (void *)REC->ip, REC->buf\n",
	[TRACE_DAT_OTHER] = "name: kvm_exit\nID: 101\nformat:\n" COMMON
			    "\tfield:u64 reason;\toffset:8;\tsize:8;\tsigned:0;\n\n"
			    "print fmt: \"reason %llu\", REC->reason\n",
};

static void put(FILE *file, const void *bytes, size_t len)
{
	assert_int_equal(fwrite(bytes, 1, len, file), len);
}

static void put_number(FILE *file, uint64_t number, size_t len)
{
	put(file, &number, len); /* little-endian, as the head of the file says */
}

static void put_sized(FILE *file, const char *text)
{
	put_number(file, strlen(text), 8);
	put(file, text, strlen(text));
}

static void put_head(FILE *file)
{
	put(file, "\x17\x08\x44tracing6\0\0\x08", 14); /* version 6, little-endian, longs of 8 */
	put_number(file, PAGE, 4);
	put(file, "header_page", sizeof("header_page"));
	put_sized(file, header_page);
	put(file, "header_event", sizeof("header_event"));
	put_sized(file, header_event);
	put_number(file, 1, 4);
	put_sized(file, formats[TRACE_DAT_MARK]);
	put_number(file, 1, 4);
	put(file, "kvm", sizeof("kvm"));
	put_number(file, 2, 4);
	put_sized(file, formats[TRACE_DAT_ATTRIBUTES]);
	put_sized(file, formats[TRACE_DAT_OTHER]);
	put_number(file, 0, 4); /* symbols */
	put_number(file, 0, 4); /* texts of trace_printk() */
	put_sized(file, "4210 CPU 0/KVM\n");
	put_number(file, NR_CPUS, 4);
	put(file, "flyrecord", sizeof("flyrecord"));
}

/* Makes the data of a record. Returns its length, a multiple of 4. */
static size_t make_data(unsigned char *data, const struct trace_dat_record *record)
{
	static const uint16_t ids[] = {
		[TRACE_DAT_ATTRIBUTES] = 100, [TRACE_DAT_MARK] = 5, [TRACE_DAT_OTHER] = 101};
	const uint64_t numbers[] = {record->start, record->end, record->attributes};
	const uint32_t pid = 4210;

	memset(data, 0, DATA_MAX);
	memcpy(data, &ids[record->event], 2);
	memcpy(data + 4, &pid, 4);
	switch (record->event) {
	case TRACE_DAT_ATTRIBUTES:
		memcpy(data + 8, numbers, sizeof(numbers));
		return 8 + sizeof(numbers);
	case TRACE_DAT_MARK:
		assert_true(strlen(record->text) < DATA_MAX - 16);
		strcpy((char *)data + 16, record->text);
		return (16 + strlen(record->text) + 1 + 3) / 4 * 4;
	default:
		return 16;
	}
}

static void put_page(FILE *file, unsigned int cpu, const struct trace_dat_record *records,
		     size_t nr)
{
	unsigned char page[PAGE] = {0}, *at = page + 16;
	uint64_t first = 0, last = 0, commit;
	uint32_t lost = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct trace_dat_record *record = &records[i];
		unsigned char data[DATA_MAX];
		uint32_t len, head;

		if (record->cpu != cpu)
			continue;
		if (at == page + 16) {
			first = last = record->us;
			lost = record->nr_lost;
		}
		len = (uint32_t)make_data(data, record);
		head = len / 4 | (uint32_t)((record->us - last) * 1000) << 5;
		last = record->us;
		memcpy(at, &head, 4);
		memcpy(at + 4, data, len);
		at += 4 + len;
		assert_true(at < page + PAGE - 2 * DATA_MAX);
	}
	first *= 1000;
	commit = (uint64_t)(at - page - 16);
	if (lost) {
		const uint64_t nr_lost = lost;

		memcpy(at, &nr_lost, 8);
		commit |= MISSED | MISSED_STORED;
	}
	memcpy(page, &first, 8);
	memcpy(page + 8, &commit, 8);
	put(file, page, PAGE);
}

void trace_dat_write(FILE *file, const struct trace_dat_record *records, size_t nr)
{
	long at;

	put_head(file);
	at = ftell(file) + 16 * NR_CPUS;
	at = (at + PAGE - 1) / PAGE * PAGE;
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		put_number(file, (uint64_t)at + cpu * PAGE, 8);
		put_number(file, PAGE, 8);
	}
	while (ftell(file) < at)
		put(file, "", 1);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		put_page(file, cpu, records, nr);
	assert_int_equal(fflush(file), 0);
}
