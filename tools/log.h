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

#include "event.h"

#include <stdio.h>

/* Bytes of a line that are looked at. No event is as long as that. */
#define LOG_LINE_MAX 4096

/* Refusals that are kept with line and reason; more are counted only. */
#define LOG_REFUSALS_MAX 10000

enum log_format { LOG_AUTO, LOG_FTRACE, LOG_QEMU, LOG_CSV };

/**
 * enum log_kind - what a line is
 * @LOG_OTHER_LINE: no event of the format
 * @LOG_EVENT: an event
 * @LOG_MALFORMED: an event that cannot be read
 */
enum log_kind { LOG_OTHER_LINE, LOG_EVENT, LOG_MALFORMED };

/**
 * struct log_line - one line, parsed
 * @kind: what the line is
 * @event: of an event: all but the number of the line. @event.nr_pages is 0 only of an access
 *         whose pages the line does not say
 * @has_time: of an event: the line has a time, which is in @event
 * @other_attributes: of a conversion: attributes beside PRIVATE were set, too
 * @reason: of a malformed line: what is wrong with it, a static string
 */
struct log_line {
	enum log_kind kind;
	struct event event;
	bool has_time;
	bool other_attributes;
	const char *reason;
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
 * @format: of the events; LOG_AUTO: no line shows it
 * @nr_lines: lines
 * @nr_other_lines: lines that are no events of the format
 * @nr_conversions: events that convert
 * @nr_other_events: events that do not
 * @nr_other_attributes: conversions that set attributes beside PRIVATE
 * @nr_lost: events that the log says are missing from it
 * @nr_lost_gaps: places where the log says that events are missing, and not how many
 * @end: index after the highest page of all conversions that end by GMS_MAX_PAGES
 * @events: all events but accesses whose pages are not known, in the order of their lines
 * @nr_events: events in @events
 * @capacity: of @events
 * @last_us: time of the last event
 * @malformed: the malformed lines
 */
struct log {
	enum log_format format;
	uint64_t nr_lines;
	uint64_t nr_other_lines;
	uint64_t nr_conversions;
	uint64_t nr_other_events;
	uint64_t nr_other_attributes;
	uint64_t nr_lost;
	uint64_t nr_lost_gaps;
	gms_pgoff_t end;
	struct event *events;
	size_t nr_events;
	size_t capacity;
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
