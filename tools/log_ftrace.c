// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_ftrace.c - parses the kernel's events: see log_line.h
 *
 * The kernel has one event for conversions, kvm_vm_set_mem_attributes. It prints
 *
 *	kvm_vm_set_mem_attributes: 0x00000000002000 -- 0x00000000002001 [0x8]
 *
 * Its first version put a dot before the range if the request was cut; the range is what was set.
 * A version of 2024 prints "gfn 0x2000, cnt 0x1, attributes 0x8". A tool that does not use the
 * event's own format prints its fields: "start=0x2000 end=0x2001 attr=0x8" (trace-cmd -R), or
 * "(start: 8192, end: 8193, attr: 8)" (perf trace).
 *
 * Where memory is converted in place there is no such event. docs/recording.md makes two out of
 * kprobes, whose names and arguments are
 *
 *	gmem_convert: (...) offset=0x2000000 size=0x1000 attributes=0x8 ret=0
 *	gmem_fault: (...) pgoff=0x2000 flags=0x1215
 *
 * The first is a conversion, and none if ret is not 0. The second is an access of the host to one
 * page: a write, if bit 0 of flags is set (FAULT_FLAG_WRITE).
 */
#define _GNU_SOURCE /* memrchr */
#include "log_line.h"

#include <string.h>

/* KVM_MEMORY_ATTRIBUTE_PRIVATE */
#define FTRACE_PRIVATE (1ULL << 3)

#define FTRACE_FAULT_WRITE 1ULL

/* Returns true if the text before @at, without blanks at its end, ends with @what. */
static bool ftrace_ends_with(const char *text, const char *at, const char *what)
{
	const size_t len = strlen(what);

	return (size_t)(at - text) >= len && !memcmp(at - len, what, len);
}

/*
 * Returns true if the name at @name is that of the line's own event, and not text that another
 * event quotes ("tracing_mark_write: ..." of trace_marker). Before the name of the event there may
 * be a time and a colon, its subsystem, a program and its pid (journald), or text without a colon.
 */
static bool ftrace_is_own(const char *text, const char *name)
{
	const char *at = name;

	while (at > text && scan_is_blank(at[-1]))
		at--;
	if (at == text || at[-1] != ':' || ftrace_ends_with(text, at, "kvm:") ||
	    ftrace_ends_with(text, at, "kernel:") || ftrace_ends_with(text, at, "]:"))
		return true;
	while (at > text && !scan_is_blank(at[-1]))
		at--;
	return scan_is_digit(*at) || !scan_is_word(*at);
}

/* Finds an event. Stores in *rest the text after its name. Returns where the name begins. */
static const char *ftrace_find(const struct scan *line, const char *event, struct scan *rest)
{
	const char *name = log_line_find(line, event, rest);

	/* A "(" may also belong to a call in the function tracer, which names no subsystem. */
	if (name &&
	    (scan_text(rest, ":") ||
	     (ftrace_ends_with(line->at, name, "kvm:") && scan_text(rest, "("))) &&
	    ftrace_is_own(line->at, name))
		return name;
	return NULL;
}

/* Reads the range and the attributes as the kernel prints them. */
static bool ftrace_printed(struct scan *s, struct log_line *line, uint64_t *start, uint64_t *end,
			   uint64_t *attributes)
{
	enum scan_number n;

	n = scan_hex(s, start);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "the start is not a hexadecimal number");
		return false;
	}
	scan_blanks(s);
	if (!scan_text(s, "--")) {
		log_line_refuse(line, "no -- after the start");
		return false;
	}
	scan_blanks(s);
	n = scan_hex(s, end);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "the end is not a hexadecimal number");
		return false;
	}
	scan_blanks(s);
	n = scan_text(s, "[") ? scan_hex(s, attributes) : SCAN_MISSING;
	if (n != SCAN_OK || !scan_text(s, "]"))
		log_line_refuse_number(line, n, "no [attributes] after the end");
	else if (s->at != s->end)
		log_line_refuse(line, "text after the attributes");
	else
		return true;
	return false;
}

/* Finds @name and the number after it: "start=0x20", "start: 32", "gfn 0x20". */
static enum scan_number ftrace_number(const struct scan *s, const char *name, uint64_t *value)
{
	enum scan_number n = scan_key(*s, name, value);
	struct scan rest;

	if (n != SCAN_MISSING || !log_line_find(s, name, &rest))
		return n;
	scan_blanks(&rest);
	return scan_hex(&rest, value);
}

/* Reads the range and the attributes from fields with names. */
static bool ftrace_named(const struct scan *s, struct log_line *line, uint64_t *start,
			 uint64_t *end, uint64_t *attributes)
{
	enum scan_number n = ftrace_number(s, "start", start);
	uint64_t nr_pages;

	if (n == SCAN_MISSING)
		n = ftrace_number(s, "gfn", start);
	if (n == SCAN_OK) {
		n = ftrace_number(s, "end", end);
		if (n == SCAN_MISSING) {
			n = ftrace_number(s, "cnt", &nr_pages);
			if (n == SCAN_OK && nr_pages > UINT64_MAX - *start)
				n = SCAN_TOO_LARGE;
			if (n == SCAN_OK)
				*end = *start + nr_pages;
		}
	}
	if (n == SCAN_OK) {
		n = ftrace_number(s, "attr", attributes);
		if (n == SCAN_MISSING)
			n = ftrace_number(s, "attributes", attributes);
	}
	if (n != SCAN_OK)
		log_line_refuse_number(line, n, "start, end or attr is not a number");
	return n == SCAN_OK;
}

static void ftrace_set(struct log_line *line, uint64_t attributes)
{
	log_line_set_op(line, attributes & FTRACE_PRIVATE ? EVENT_TO_PRIVATE : EVENT_TO_SHARED);
	line->other_attributes = attributes & ~FTRACE_PRIVATE;
}

static void ftrace_attributes(struct scan s, struct log_line *line)
{
	uint64_t start, end, attributes;
	struct scan rest;
	bool read;

	/* Whatever stands before the range, but a sign, is no part of it. */
	while (s.at < s.end && !scan_is_word(*s.at) &&
	       !(*s.at == '-' && s.at + 1 < s.end && scan_is_digit(s.at[1])))
		s.at++;
	if (scan_key(s, "start", &start) == SCAN_OK || log_line_find(&s, "gfn", &rest))
		read = ftrace_named(&s, line, &start, &end, &attributes);
	else
		read = ftrace_printed(&s, line, &start, &end, &attributes);
	if (!read)
		return;
	if (end <= start) {
		log_line_refuse(line, "the range is empty or ends before it starts");
		return;
	}
	ftrace_set(line, attributes);
	line->event.start = start;
	line->event.nr_pages = end - start;
}

static void ftrace_convert(struct scan s, struct log_line *line)
{
	uint64_t offset, size, attributes, ret;
	enum scan_number n;

	n = scan_key(s, "ret", &ret);
	/* A negative number, as a signed type of kprobes prints it, is no number here. */
	if (scan_find(&s, "ret=") && (n != SCAN_OK || ret))
		return;
	n = scan_key(s, "offset", &offset);
	if (n == SCAN_OK)
		n = scan_key(s, "size", &size);
	if (n == SCAN_OK)
		n = scan_key(s, "attributes", &attributes);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "offset, size or attributes is not a number");
		return;
	}
	ftrace_set(line, attributes);
	log_line_set_bytes(line, offset, size);
}

static void ftrace_fault(struct scan s, struct log_line *line)
{
	uint64_t index, flags = 0;
	enum scan_number n = scan_key(s, "pgoff", &index);

	if (n == SCAN_OK && scan_find(&s, "flags="))
		n = scan_key(s, "flags", &flags);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "pgoff or flags is not a number");
		return;
	}
	log_line_set_op(line, flags & FTRACE_FAULT_WRITE ? EVENT_HOST_WRITE : EVENT_HOST_READ);
	line->event.start = index;
	line->event.nr_pages = index < UINT64_MAX;
}

void log_line_ftrace(const char *text, size_t len, struct log_line *line)
{
	static const struct {
		const char *name;
		void (*parse)(struct scan s, struct log_line *line);
	} events[] = {
		{"kvm_vm_set_mem_attributes", ftrace_attributes},
		{"gmem_convert", ftrace_convert},
		{"gmem_fault", ftrace_fault},
	};
	const struct scan whole = scan_line(text, len);

	if (*text == '#')
		return;
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		struct scan rest;
		const char *name = ftrace_find(&whole, events[i].name, &rest);

		if (!name)
			continue;
		if (log_line_has_no_nul(line, text, len))
			events[i].parse(rest, line);
		if (line->kind == LOG_EVENT)
			log_line_set_time(line, text, name);
		return;
	}
}

/*
 * Parses the line "# entries-in-buffer/entries-written: 650/12345   #P:8" at the head of a trace
 * file. Returns true if entries were overwritten.
 */
static bool ftrace_overwritten(struct scan s, uint64_t *nr_lost)
{
	uint64_t held, written;

	if (!scan_text(&s, "#"))
		return false;
	scan_blanks(&s);
	if (!scan_text(&s, "entries-in-buffer/entries-written:"))
		return false;
	scan_blanks(&s);
	if (scan_digits(&s, 10, &held) != SCAN_OK || !scan_text(&s, "/") ||
	    scan_digits(&s, 10, &written) != SCAN_OK || written <= held)
		return false;
	*nr_lost = written - held;
	return true;
}

/* Parses bpftrace's "Lost 12 events". */
static bool ftrace_lost_by_bpftrace(struct scan s, uint64_t *nr_lost)
{
	uint64_t nr;

	if (!scan_text(&s, "Lost ") || scan_digits(&s, 10, &nr) != SCAN_OK ||
	    !scan_text(&s, " events") || s.at != s.end)
		return false;
	*nr_lost = nr;
	return true;
}

bool log_parse_lost(const char *text, size_t len, uint64_t *nr_lost)
{
	struct scan s = scan_line(text, len);
	enum scan_number n = SCAN_MISSING;
	uint64_t nr = 0;
	const char *open;

	if (ftrace_overwritten(s, nr_lost) || ftrace_lost_by_bpftrace(s, nr_lost))
		return true;
	/* trace_pipe: CPU:2 [LOST 12 EVENTS]; trace-cmd: CPU:2 [12 EVENTS DROPPED] */
	open = memrchr(s.at, '[', (size_t)(s.end - s.at));
	if (!open)
		return false;
	s.at = open + 1;
	if (scan_word(&s, "LOST")) {
		scan_blanks(&s);
		n = scan_digits(&s, 10, &nr);
		scan_blanks(&s);
		if (!scan_text(&s, "EVENTS]"))
			return false;
	} else {
		n = scan_digits(&s, 10, &nr);
		scan_blanks(&s);
		if (!scan_text(&s, "EVENTS DROPPED]"))
			return false;
	}
	if (s.at != s.end)
		return false;
	*nr_lost = n == SCAN_OK ? nr : 0;
	return true;
}
