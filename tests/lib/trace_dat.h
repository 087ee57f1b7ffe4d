/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * trace_dat.h - writes a trace.dat, as trace-cmd record writes version 6 of it
 */
#ifndef GMS_TEST_TRACE_DAT_H
#define GMS_TEST_TRACE_DAT_H

#include <stdint.h>
#include <stdio.h>

enum trace_dat_event { TRACE_DAT_ATTRIBUTES, TRACE_DAT_MARK, TRACE_DAT_OTHER };

/*
 * One record. @us: its time; the records of a CPU ascend. TRACE_DAT_ATTRIBUTES has @start, @end
 * and @attributes; TRACE_DAT_MARK has @text, of less than 96 bytes. @nr_lost: how many records the
 * kernel lost before it; it must be the first of its CPU then.
 */
struct trace_dat_record {
	unsigned int cpu;
	uint64_t us;
	enum trace_dat_event event;
	uint64_t start;
	uint64_t end;
	uint64_t attributes;
	const char *text;
	unsigned int nr_lost;
};

/* Writes the records of CPUs 0 and 1. All records of a CPU have room in one page. */
void trace_dat_write(FILE *file, const struct trace_dat_record *records, size_t nr);

#endif /* GMS_TEST_TRACE_DAT_H */
