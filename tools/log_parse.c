// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_parse.c - parses one line of a log
 *
 * A log is hostile input: a line may hold any byte. So the functions only read the text and fill
 * in their results. They do not allocate, and keep no state. Bytes that are no event give
 * LOG_MALFORMED or LOG_OTHER_LINE.
 */
#define _GNU_SOURCE /* memmem */
#include "log.h"

#include "log_scan.h"

#include <string.h>

#define PARSE_FTRACE_EVENT "kvm_vm_set_mem_attributes"
#define PARSE_QEMU_EVENT "kvm_convert_memory"

/* KVM_MEMORY_ATTRIBUTE_PRIVATE */
#define PARSE_ATTRIBUTE_PRIVATE (1ULL << 3)

static const char parse_too_large[] = "a number does not fit in 64 bits";

static void parse_malformed(struct log_line *line, const char *reason)
{
	line->kind = LOG_MALFORMED;
	line->reason = reason;
}

static void parse_malformed_number(struct log_line *line, enum scan_number what, const char *reason)
{
	parse_malformed(line, what == SCAN_TOO_LARGE ? parse_too_large : reason);
}

static void parse_op(struct log_line *line, enum event_op op)
{
	line->kind = LOG_EVENT;
	line->event.op = op;
}

/* Sets the range of a conversion. Returns false if @offset or @size makes the line malformed. */
static bool parse_set_bytes(struct log_line *line, uint64_t offset, uint64_t size)
{
	const uint64_t in_page = (1ULL << GMS_PAGE_SHIFT) - 1;

	if (!gms_range_from_bytes(offset, size, &line->event.start, &line->event.nr_pages))
		return true;
	if (!size)
		parse_malformed(line, "the size is 0");
	else if ((offset | size) & in_page)
		parse_malformed(line, "start or size is not a multiple of 4096");
	else
		parse_malformed(line, "the range ends past 4 PiB, the largest object");
	return false;
}

/*
 * Sets the time from the time stamp that ends at @end, such as "13.854023:": seconds, a point and
 * decimals. A line without a time stamp is not malformed.
 */
static void parse_set_time(struct log_line *line, const char *text, const char *end)
{
	struct scan s = {end, end};
	uint64_t seconds, fraction = 0, unit = 1000000;

	while (s.at > text && (scan_is_digit(s.at[-1]) || s.at[-1] == '.' || s.at[-1] == ':'))
		s.at--;
	if (scan_digits(&s, 10, &seconds) != SCAN_OK || !scan_text(&s, ".") ||
	    seconds > UINT64_MAX / unit - 1)
		return;
	for (; s.at < s.end && scan_is_digit(*s.at); s.at++) {
		unit /= 10;
		fraction += unit * (uint64_t)(*s.at - '0');
	}
	line->has_time = true;
	line->event.time_us = seconds * 1000000 + fraction;
}

/*
 * Finds the name of the event as a word. Stores in *rest the text after the name and its colon,
 * and in *time_end the end of the text before the name, where a time may be. Returns false for a
 * line of another event. The text of such a line may quote the name ("tracing_mark_write: ..." of
 * trace_marker). Then the name of the other event and a colon precede it. In a line of the event
 * itself, the name comes after a time and a colon, or after text that ends with no colon.
 */
static bool parse_find_ftrace(const char *text, size_t len, struct scan *rest,
			      const char **time_end)
{
	const struct scan line = scan_line(text, len);
	const char *name, *before;

	for (const char *from = line.at;; from = name + 1) {
		name = memmem(from, (size_t)(line.end - from), PARSE_FTRACE_EVENT,
			      strlen(PARSE_FTRACE_EVENT));
		if (!name)
			return false;
		rest->at = name + strlen(PARSE_FTRACE_EVENT);
		rest->end = line.end;
		before = name;
		if (before - line.at >= 4 && !memcmp(before - 4, "kvm:", 4))
			before -= 4; /* perf script prints the subsystem, too */
		if ((before == line.at || !scan_is_word(before[-1])) && scan_text(rest, ":"))
			break;
	}
	while (before > line.at && scan_is_blank(before[-1]))
		before--;
	*time_end = before;
	if (before == line.at || before[-1] != ':')
		return true;
	while (before > line.at && !scan_is_blank(before[-1]))
		before--;
	return scan_is_digit(*before) || !scan_is_word(*before);
}

static void parse_ftrace(const char *text, size_t len, struct log_line *line)
{
	uint64_t start, end, attributes;
	const char *time_end;
	struct scan s;
	enum scan_number n;

	if (*text == '#' || !parse_find_ftrace(text, len, &s, &time_end))
		return;
	if (memchr(text, '\0', len)) {
		parse_malformed(line, "NUL byte in the line");
		return;
	}
	scan_blanks(&s);
	n = scan_hex(&s, &start);
	if (n != SCAN_OK) {
		parse_malformed_number(line, n, "the start is not a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	if (!scan_text(&s, "--")) {
		parse_malformed(line, "no -- after the start");
		return;
	}
	scan_blanks(&s);
	n = scan_hex(&s, &end);
	if (n != SCAN_OK) {
		parse_malformed_number(line, n, "the end is not a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	n = scan_text(&s, "[") ? scan_hex(&s, &attributes) : SCAN_MISSING;
	if (n != SCAN_OK || !scan_text(&s, "]")) {
		parse_malformed_number(line, n, "no [attributes] after the end");
	} else if (s.at != s.end) {
		parse_malformed(line, "text after the attributes");
	} else if (end <= start) {
		parse_malformed(line, "the range is empty or ends before it starts");
	} else {
		parse_op(line,
			 attributes & PARSE_ATTRIBUTE_PRIVATE ? EVENT_TO_PRIVATE : EVENT_TO_SHARED);
		parse_set_time(line, text, time_end);
		line->other_attributes = attributes & ~PARSE_ATTRIBUTE_PRIVATE;
		line->event.start = start;
		line->event.nr_pages = end - start;
	}
}

/*
 * Finds the name of the event as a word. Stores in *rest the text after the name, and in *name
 * where the name begins. Any prefix is accepted: that of QEMU (pid@sec.usec:), of libvirt, of
 * journald. A name in quotes or within a longer word is part of a message, and no event.
 */
static bool parse_find_qemu(const char *text, size_t len, struct scan *rest, const char **name)
{
	const struct scan line = scan_line(text, len);

	for (const char *from = line.at;; from = *name + 1) {
		*name = memmem(from, (size_t)(line.end - from), PARSE_QEMU_EVENT,
			       strlen(PARSE_QEMU_EVENT));
		if (!*name)
			return false;
		rest->at = *name + strlen(PARSE_QEMU_EVENT);
		rest->end = line.end;
		if (*name > line.at && !scan_is_blank((*name)[-1]) && (*name)[-1] != ':' &&
		    (*name)[-1] != '\0')
			continue;
		if (rest->at == rest->end || scan_is_blank(*rest->at))
			return true;
	}
}

/* Reads @name and the hexadecimal number after it. */
static enum scan_number parse_scan_field(struct scan *s, const char *name, uint64_t *value)
{
	scan_blanks(s);
	if (!scan_word(s, name))
		return SCAN_MISSING;
	scan_blanks(s);
	return scan_hex(s, value);
}

static void parse_qemu(const char *text, size_t len, struct log_line *line)
{
	uint64_t start, size;
	const char *name;
	struct scan s;
	enum scan_number n;

	if (!parse_find_qemu(text, len, &s, &name))
		return;
	if (memchr(text, '\0', len)) {
		parse_malformed(line, "NUL byte in the line");
		return;
	}
	n = parse_scan_field(&s, "start", &start);
	if (n != SCAN_OK) {
		parse_malformed_number(line, n, "no start with a hexadecimal number");
		return;
	}
	n = parse_scan_field(&s, "size", &size);
	if (n != SCAN_OK) {
		parse_malformed_number(line, n, "no size with a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	if (scan_word(&s, "shared_to_private"))
		parse_op(line, EVENT_TO_PRIVATE);
	else if (scan_word(&s, "private_to_shared"))
		parse_op(line, EVENT_TO_SHARED);
	else
		parse_malformed(line,
				"the direction is neither shared_to_private nor private_to_shared");
	if (line->kind == LOG_EVENT && s.at != s.end)
		parse_malformed(line, "text after the direction");
	if (line->kind == LOG_EVENT && parse_set_bytes(line, start, size))
		parse_set_time(line, text, name);
}

/* Reads the op of a row. Returns false if the op is not known. */
static bool parse_csv_op(struct scan *s, struct log_line *line)
{
	for (enum event_op op = 0; op < EVENT_NR_OPS; op++) {
		if (!scan_word(s, event_op_name(op)))
			continue;
		parse_op(line, op);
		return true;
	}
	return false;
}

/* Sets the pages that an access touches wholly or in part. Sets none if it is empty or wraps. */
static void parse_set_touched(struct log_line *line, uint64_t gpa, uint64_t size)
{
	if (!size || size - 1 > UINT64_MAX - gpa)
		return;
	line->event.start = gpa >> GMS_PAGE_SHIFT;
	line->event.nr_pages = ((gpa + size - 1) >> GMS_PAGE_SHIFT) - line->event.start + 1;
}

/*
 * Reads a number of a row and the end of its field: a comma, or the end of the line if @last. The
 * number is decimal, or hexadecimal after 0x.
 */
static bool parse_csv_number(struct scan *s, bool last, uint64_t *value, enum scan_number *n)
{
	*n = scan_any(s, value);
	if (*n != SCAN_OK)
		return false;
	if (last ? s->at == s->end : scan_text(s, ","))
		return true;
	*n = SCAN_MISSING;
	return false;
}

static void parse_csv(const char *text, size_t len, struct log_line *line)
{
	struct scan s = scan_line(text, len);
	uint64_t gpa, size;
	enum scan_number n;

	if (s.at == s.end || *s.at == '#' || scan_text(&s, EVENT_CSV_FIRST_FIELDS))
		return;
	if (!parse_csv_number(&s, false, &line->event.time_us, &n)) {
		parse_malformed_number(line, n, "the first field, time_us, is not a number");
		return;
	}
	line->has_time = true;
	if (!parse_csv_op(&s, line) || !scan_text(&s, ",")) {
		parse_malformed(line, "the second field, op, is not known");
		return;
	}
	if (!parse_csv_number(&s, false, &gpa, &n)) {
		parse_malformed_number(line, n, "the third field, gpa_bytes, is not a number");
		return;
	}
	if (!parse_csv_number(&s, true, &size, &n)) {
		parse_malformed_number(line, n,
				       "the fourth and last field, size_bytes, is not a number");
		return;
	}
	if (event_is_conversion(line->event.op))
		parse_set_bytes(line, gpa, size);
	else
		parse_set_touched(line, gpa, size);
}

void log_parse(enum log_format format, const char *text, size_t len, struct log_line *line)
{
	*line = (struct log_line) {.kind = LOG_OTHER_LINE};
	if (!len)
		return;
	switch (format) {
	case LOG_FTRACE:
		parse_ftrace(text, len, line);
		break;
	case LOG_QEMU:
		parse_qemu(text, len, line);
		break;
	case LOG_CSV:
		parse_csv(text, len, line);
		break;
	case LOG_AUTO:
		break;
	}
}

enum log_format log_detect(const char *text, size_t len)
{
	struct scan s = scan_line(text, len);
	struct log_line line;
	uint64_t time_us;
	enum scan_number n;

	log_parse(LOG_FTRACE, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_FTRACE;
	log_parse(LOG_QEMU, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_QEMU;
	/* parse_csv() reads nearly any line as a row. The first two fields are a safer sign. */
	if (scan_text(&s, EVENT_CSV_FIRST_FIELDS))
		return LOG_CSV;
	if (parse_csv_number(&s, false, &time_us, &n) && parse_csv_op(&s, &line))
		return LOG_CSV;
	return LOG_AUTO;
}

/*
 * Parses the line "# entries-in-buffer/entries-written: 650/12345   #P:8" at the head of a trace
 * file. Returns true if entries were overwritten.
 */
static bool parse_overwritten(struct scan s, uint64_t *nr_lost)
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

bool log_parse_lost(const char *text, size_t len, uint64_t *nr_lost)
{
	struct scan s = scan_line(text, len);
	enum scan_number n = SCAN_MISSING;
	uint64_t nr = 0;
	const char *open;

	if (parse_overwritten(s, nr_lost))
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
