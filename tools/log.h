/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log.h - conversions as hosts write them down
 *
 * Three formats, each a line an event:
 *
 *  ftrace  Linux's kvm_vm_set_mem_attributes, from trace_pipe, the trace file,
 *          trace-cmd report or perf script:
 *          CPU 0/KVM-42 [002] ..... 13.8: kvm_vm_set_mem_attributes: 0x20 -- 0x21 [0x8]
 *          guest frame numbers, the second exclusive; attribute bit 3 is private
 *  qemu    QEMU's trace event kvm_convert_memory, in bytes:
 *          kvm_convert_memory start 0x20000 size 0x1000 shared_to_private
 *  csv     time_us,op,gpa_bytes,size_bytes
 *
 * A guest frame number is an index: the tool knows no memslots.
 *
 * A line is one of four things. What names our event but cannot be read is
 * *malformed*: something is missing from the replay, so it must be shown. What does
 * not is an *other line* (headers, other tracepoints, messages), of which a log
 * from a real host is full: that is no fault, and only counted. In CSV every line
 * but a header, a comment and an empty one is an event, well- or malformed.
 */
#ifndef GMS_TOOL_LOG_H
#define GMS_TOOL_LOG_H

#include <gmemstate/types.h>

#include <stdio.h>

/* Bytes of a line that are looked at. No event is as long as that. */
#define LOG_LINE_MAX 4096

/* Refusals that are kept with line and reason; more are counted only. */
#define LOG_REFUSALS_MAX 10000

enum log_format { LOG_AUTO, LOG_FTRACE, LOG_QEMU, LOG_CSV };

/**
 * enum log_kind - what a line is
 * @LOG_OTHER_LINE: has nothing to do with us
 * @LOG_CONVERSION: asks for a conversion
 * @LOG_OTHER_EVENT: an event of the format that converts nothing
 * @LOG_MALFORMED: an event that cannot be read
 */
enum log_kind { LOG_OTHER_LINE, LOG_CONVERSION, LOG_OTHER_EVENT, LOG_MALFORMED };

/**
 * enum log_op - what happens to the pages
 * @LOG_CONVERT: they are made shared or private
 * @LOG_ACCEPT: the guest accepts them: they become private, and its own
 * @LOG_HOST_READ: the host, or a device of it, reads
 * @LOG_HOST_WRITE: the host, or a device of it, writes
 * @LOG_GUEST_TOUCH: the guest begins to use them
 * @LOG_FREE: the guest no longer uses them
 */
enum log_op { LOG_CONVERT, LOG_ACCEPT, LOG_HOST_READ, LOG_HOST_WRITE, LOG_GUEST_TOUCH, LOG_FREE };

/**
 * struct log_line - one line, read
 * @kind: what it is
 * @op: of an event: what happens
 * @to: of a conversion: to what
 * @other_attributes: of a conversion: attributes beside PRIVATE were set, too
 * @start: of an event: index of the first page
 * @nr_pages: of a conversion: length in pages, not 0; @start + @nr_pages does not wrap. Of another
 *            event: the pages that it touches, 0: that cannot be said
 * @has_time: of an event: the log says when it was
 * @time_us: when, in microseconds
 * @reason: of a malformed line: what is wrong with it, a static string
 */
struct log_line {
	enum log_kind kind;
	enum log_op op;
	enum gms_shareability to;
	bool other_attributes;
	bool has_time;
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint64_t time_us;
	const char *reason;
};

/**
 * struct log_event - one event of a log
 * @start: index of the first page
 * @nr_pages: length in pages
 * @line: number of its line, from 1
 * @time_us: when, in microseconds; where the log does not say, LOG_STEP_US after the event before
 * @op: what happens
 * @to: of a conversion: to what
 */
struct log_event {
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint64_t line;
	uint64_t time_us;
	enum log_op op;
	enum gms_shareability to;
};

/* Between events of a log without times. */
#define LOG_STEP_US 1000

/**
 * struct log_refusal - a line that was not applied
 * @line: its number, from 1
 * @reason: why, a static string
 * @malformed: the line could not be read; else the library refused the conversion
 */
struct log_refusal {
	uint64_t line;
	const char *reason;
	bool malformed;
};

/**
 * struct log_refusals - lines that were not applied, in ascending order
 * @list: the first LOG_REFUSALS_MAX of them
 * @nr_listed: entries in @list
 * @capacity: of @list
 * @total: how many there are
 */
struct log_refusals {
	struct log_refusal *list;
	size_t nr_listed;
	size_t capacity;
	uint64_t total;
};

/**
 * struct log - a log, read to its end
 * @format: which it is; LOG_AUTO where no line told
 * @nr_lines: lines
 * @nr_other_lines: lines that are no events of the format
 * @nr_other_events: events that convert nothing
 * @nr_other_attributes: conversions that set attributes beside PRIVATE
 * @nr_lost: events that the log says are missing from it
 * @nr_lost_gaps: places where it says so without saying how many
 * @end: index after the highest page of any conversion that ends by GMS_MAX_PAGES
 * @events: the conversions, in order
 * @nr_events: how many
 * @capacity: of @events
 * @accesses: the other events whose pages are known, in order
 * @nr_accesses: how many
 * @accesses_capacity: of @accesses
 * @last_us: time of the last event
 * @malformed: the malformed lines
 */
struct log {
	enum log_format format;
	uint64_t nr_lines;
	uint64_t nr_other_lines;
	uint64_t nr_other_events;
	uint64_t nr_other_attributes;
	uint64_t nr_lost;
	uint64_t nr_lost_gaps;
	gms_pgoff_t end;
	struct log_event *events;
	size_t nr_events;
	size_t capacity;
	struct log_event *accesses;
	size_t nr_accesses;
	size_t accesses_capacity;
	uint64_t last_us;
	struct log_refusals malformed;
};

/**
 * log_format_name() - the name of a format, as in --format
 * @format: the format
 *
 * Return: a static string.
 */
const char *log_format_name(enum log_format format);

/**
 * log_parse() - read one line
 * @format: LOG_FTRACE, LOG_QEMU or LOG_CSV
 * @text: the line; any bytes, need not be terminated; a line end may follow
 * @len: length of @text in bytes
 * @line: where to store what it is; always written
 *
 * Context: Any. Pure function.
 */
void log_parse(enum log_format format, const char *text, size_t len, struct log_line *line);

/**
 * log_detect() - which format has events like this line?
 * @text: the line, as for log_parse()
 * @len: length of @text in bytes
 *
 * A malformed event tells as well as a good one.
 *
 * Context: Any. Pure function.
 * Return: the format, or LOG_AUTO where the line does not tell.
 */
enum log_format log_detect(const char *text, size_t len);

/**
 * log_parse_lost() - does a line say that events are missing?
 * @text: the line, as for log_parse()
 * @len: length of @text in bytes
 * @nr_lost: where to store how many, 0: it does not say; written where true is returned
 *
 * Knows what trace_pipe and trace-cmd write where the ring buffer was overrun, and the
 * trace file's header, where more entries were written than the buffer still holds.
 *
 * Context: Any. Pure function.
 * Return: whether it says so.
 */
bool log_parse_lost(const char *text, size_t len, uint64_t *nr_lost);

/**
 * log_refuse() - add a line that was not applied
 * @refusals: where to; zeroed at first
 * @refusal: the line; above those that are there
 *
 * Return: 0; -ENOMEM: not added.
 */
int log_refuse(struct log_refusals *refusals, const struct log_refusal *refusal);

/**
 * log_read() - read a log to its end
 * @log: filled in; on failure, too, to be handed to log_fini()
 * @file: where from; is read once, so it may be a pipe
 * @format: which it is; LOG_AUTO: the first line that tells decides for all
 *
 * Return: 0; -ENOMEM; another -errno where reading failed.
 */
int log_read(struct log *log, FILE *file, enum log_format format);

/**
 * log_nr_pages() - the size of the object that a log speaks of
 * @log: the log
 *
 * Return: pages, as far as the conversions reach, rounded up to whole 1G blocks; 0: none tells.
 */
uint64_t log_nr_pages(const struct log *log);

/**
 * log_fini() - free what a log holds
 * @log: the log
 */
void log_fini(struct log *log);

#endif /* GMS_TOOL_LOG_H */
