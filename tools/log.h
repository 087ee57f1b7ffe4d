/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log.h - reads logs of conversions and accesses, as hosts write them
 *
 * A log has one of three formats. Each line has at most one event:
 *
 *  ftrace  Linux's kvm_vm_set_mem_attributes, from trace_pipe, the trace file, trace-cmd report
 *          or perf script:
 *          CPU 0/KVM-42 [002] ..... 13.8: kvm_vm_set_mem_attributes: 0x20 -- 0x21 [0x8]
 *          The range is in guest frame numbers, and ends before the second one. Attribute bit 3
 *          is private. Also the two kprobe events of docs/recording.md, for kernels that convert
 *          in place.
 *  qemu    QEMU's trace event kvm_convert_memory, in bytes:
 *          kvm_convert_memory start 0x20000 size 0x1000 shared_to_private
 *  csv     time_us,op,gpa_bytes,size_bytes
 *
 * Before its first event a log of any format may have notes (log_note.h).
 * docs/recording.md says who writes each of them, and log_time.h what their times look like. A
 * line may have any prefix, and colours.
 *
 * A guest frame number is an index: the tool does not know memslots.
 *
 * Invariants:
 *  1. A log is read once, into one array of events, over which every replay and report iterates.
 *  2. Memory grows with the events only, of which there are at most LOG_EVENTS_MAX: lines are not
 *     kept, and the list of malformed lines is bounded. So a compressed log takes no more memory
 *     than any other one.
 *  3. A line that names the event of the format, but cannot be read, is malformed. It is reported,
 *     because the replay lacks an event then. All other lines without an event (headers, other
 *     tracepoints, messages) are called "other lines". They are only counted, because the logs of
 *     real hosts are full of them. In CSV a line is an event, a header, a comment, empty, or
 *     malformed.
 */
#ifndef GMS_TOOL_LOG_H
#define GMS_TOOL_LOG_H

#include "event.h"
#include "log_note.h"

#include <stdio.h>

/* How many bytes of a line are read. The line of an event is shorter. */
#define LOG_LINE_MAX 4096

/* How many events a log may have: 2.5 GiB of them. */
#define LOG_EVENTS_MAX (1ULL << 26)

/* How many refusals are listed with line and reason. Further ones are only counted. */
#define LOG_REFUSALS_MAX 10000

enum log_format { LOG_AUTO, LOG_FTRACE, LOG_QEMU, LOG_CSV };

/**
 * enum log_kind - what a line is
 * @LOG_OTHER_LINE: the line has no event of the format
 * @LOG_EVENT: the line is an event
 * @LOG_MALFORMED: the line names the event, but cannot be read
 */
enum log_kind { LOG_OTHER_LINE, LOG_EVENT, LOG_MALFORMED };

/**
 * struct log_line - one line, parsed
 * @kind: what the line is
 * @event: if the line is an event: the event, without the number of the line. If it is an access
 *         whose range is empty or wraps, @event.nr_pages is 0
 * @has_time: whether there is a time, which is then in @event
 * @time_is_delta: the time is the time since the line before, which may be another event. Only
 *                 then may a line have a time that is no event of the format
 * @other_attributes: if the line is a conversion: whether it set attributes other than PRIVATE
 * @reason: if the line is malformed: what is wrong with it, a static string
 */
struct log_line {
	enum log_kind kind;
	struct event event;
	bool has_time;
	bool time_is_delta;
	bool other_attributes;
	const char *reason;
};

/* Time between two events of a log without times. */
#define LOG_STEP_US 1000

/**
 * struct log_refusal - a line that was not applied
 * @line: number of the line, from 1
 * @reason: what is wrong, a static string
 * @malformed: true: the line cannot be read; false: the library refused the conversion
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

/* Who says if all pages are private at first, or shared. */
enum log_init_from { LOG_INIT_DEFAULT, LOG_INIT_OPTION, LOG_INIT_LOG };

/**
 * struct log - a log, read to its end
 * @format: the format of the events; LOG_AUTO: no line shows it
 * @notes: the notes before the first event
 * @nr_lines: number of lines
 * @nr_other_lines: number of other lines
 * @nr_conversions: number of events that are conversions
 * @nr_other_events: number of events that are not conversions
 * @nr_other_attributes: conversions that set attributes other than PRIVATE
 * @nr_without_time: events in @events without a time: each takes LOG_STEP_US
 * @nr_back_in_time: events in @events whose time is before that of the event before them. A replay
 *                   under a policy takes them for events of one moment
 * @nr_lost: number of events that the log says it lacks
 * @nr_lost_gaps: places where the log says that events are missing, but not how many
 * @end: index after the highest page of all conversions that lie below GMS_MAX_PAGES
 * @events: the events in the order of their lines, without those that have no pages
 * @nr_events: events in @events
 * @capacity: of @events
 * @last_us: time of the last event
 * @malformed: the malformed lines
 * @init_from: who says how the replay begins; the caller of log_read() sets it
 * @init_line: if @init_from is LOG_INIT_LOG: the line that shows it; 0: a note
 */
struct log {
	enum log_format format;
	struct log_notes notes;
	uint64_t nr_lines;
	uint64_t nr_other_lines;
	uint64_t nr_conversions;
	uint64_t nr_other_events;
	uint64_t nr_other_attributes;
	uint64_t nr_without_time;
	uint64_t nr_back_in_time;
	uint64_t nr_lost;
	uint64_t nr_lost_gaps;
	gms_pgoff_t end;
	struct event *events;
	size_t nr_events;
	size_t capacity;
	uint64_t last_us;
	struct log_refusals malformed;
	enum log_init_from init_from;
	uint64_t init_line;
};

/**
 * log_format_name() - return the name of a format, as in --format
 * @format: the format
 *
 * Return: a static string.
 */
const char *log_format_name(enum log_format format);

/**
 * log_parse() - parse one line
 * @format: LOG_FTRACE, LOG_QEMU or LOG_CSV
 * @text: the line: any bytes, with or without a line end; a NUL is not needed
 * @len: length of @text in bytes
 * @line: stores the result; always written
 *
 * Context: Any. Pure function.
 */
void log_parse(enum log_format format, const char *text, size_t len, struct log_line *line);

/**
 * log_detect() - find the format that a line belongs to
 * @text: the line, as for log_parse()
 * @len: length of @text in bytes
 *
 * A malformed event shows the format, too.
 *
 * Context: Any. Pure function.
 * Return: the format; LOG_AUTO: the line is an event of no format.
 */
enum log_format log_detect(const char *text, size_t len);

/**
 * log_parse_lost() - find out if a line says that events are missing
 * @text: the line, as for log_parse()
 * @len: length of @text in bytes
 * @nr_lost: stores the number of missing events, 0: not known; written if true is returned
 *
 * Such lines come from trace_pipe, trace-cmd and bpftrace after an overrun of their buffer. The
 * header of a trace file says it, too, if the ring buffer no longer holds all entries.
 *
 * Context: Any. Pure function.
 * Return: true if events are missing.
 */
bool log_parse_lost(const char *text, size_t len, uint64_t *nr_lost);

/**
 * log_refuse() - add a line that was not applied
 * @refusals: the list, at first zeroed
 * @refusal: the line; its number is higher than those in the list
 *
 * Return: 0; -ENOMEM: the line was not added.
 */
int log_refuse(struct log_refusals *refusals, const struct log_refusal *refusal);

/**
 * log_read() - read a log to its end
 * @log: filled in; after a failure, too, the caller frees it with log_fini()
 * @file: the file to read; it is read once, so it may be a pipe
 * @format: format of the log; LOG_AUTO: the first line that shows a format decides for all lines
 *
 * If a line is malformed and the next one is no event, the two may be one line that was folded, as
 * a mail does. If they are an event together, that is the event, at the first line.
 *
 * Return: 0; -ENOMEM; -EFBIG: more than LOG_EVENTS_MAX events; another -errno: reading failed.
 */
int log_read(struct log *log, FILE *file, enum log_format format);

/**
 * log_nr_pages() - return the size of the object that a log needs
 * @log: the log
 *
 * Return: the end of the highest conversion in pages, or of the guest's memory if notes say more,
 * rounded up to whole 1G blocks; 0: the log has neither.
 */
uint64_t log_nr_pages(const struct log *log);

/**
 * log_find_private_start() - infer if all pages were private before the log begins
 * @log: the log
 * @nr_pages: size of the object in pages; conversions that do not fit in it are left out
 * @line: stores the line that shows it; 0: none does
 *
 * QEMU's log, and every log that begins late, lacks the event that makes all memory private. A
 * guest does not share what is shared, nor accept what is not private. So an event that shares or
 * accepts pages that no earlier event converted shows that the guest started private, unless
 *
 *  - it shares all of the object: then a host states how it begins
 *  - it shares a range of a PC that is never RAM: 640K to 1M, or the 32M below 4G. A guest shares
 *    the pages of a device also if it started shared
 *  - of the pages that the log ever makes private, more than half were made so before, by events
 *    that found them unconverted, one of which begins at page 0 or has 256 MiB: then these are the
 *    events that make all memory private, and the range is a hole in it
 *  - the range begins above all pages that the log ever makes private, and such events come before
 *    or later: then the range is of a device above RAM
 *
 * If no event shows it, the guest started shared, or its start does not matter.
 *
 * Return: 0; -ENOMEM; -EINVAL: the library makes no object of that size.
 */
int log_find_private_start(const struct log *log, uint64_t nr_pages, uint64_t *line);

/**
 * log_fini() - free what a log holds
 * @log: the log
 */
void log_fini(struct log *log);

#endif /* GMS_TOOL_LOG_H */
