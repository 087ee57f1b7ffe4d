// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_parse.c - from one line to an event, or to what is wrong with it
 *
 * Pure functions over (text, length): a log is hostile input, and a line may hold any
 * byte. Nothing here allocates, remembers or fails.
 */
#define _GNU_SOURCE /* memmem */
#include "log.h"

#include <string.h>

#define FTRACE_EVENT "kvm_vm_set_mem_attributes"
#define QEMU_EVENT "kvm_convert_memory"

/* KVM_MEMORY_ATTRIBUTE_PRIVATE */
#define ATTRIBUTE_PRIVATE (1ULL << 3)

/* What is left of a line: [at, end). */
struct scan {
	const char *at;
	const char *end;
};

enum number { NUMBER_OK, NUMBER_MISSING, NUMBER_TOO_LARGE };

static const char too_large[] = "a number does not fit in 64 bits";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static struct scan scan_line(const char *text, size_t len)
{
	while (len && (is_blank(text[len - 1]) || text[len - 1] == '\r' || text[len - 1] == '\n'))
		len--;
	return (struct scan) {text, text + len};
}

static void scan_blanks(struct scan *s)
{
	while (s->at < s->end && is_blank(*s->at))
		s->at++;
}

static bool scan_text(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len))
		return false;
	s->at += len;
	return true;
}

/* As scan_text(), and the word ends there. */
static bool scan_word(struct scan *s, const char *word)
{
	struct scan t = *s;

	if (!scan_text(&t, word) || (t.at < t.end && is_word(*t.at)))
		return false;
	*s = t;
	return true;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static enum number scan_digits(struct scan *s, unsigned int base, uint64_t *value)
{
	const char *first = s->at;
	uint64_t v = 0;
	bool fits = true;

	for (; s->at < s->end; s->at++) {
		unsigned int digit = (unsigned int)digit_value(*s->at);

		if (digit >= base)
			break;
		if (v > (UINT64_MAX - digit) / base)
			fits = false;
		v = v * base + digit;
	}
	if (s->at == first)
		return NUMBER_MISSING;
	if (!fits)
		return NUMBER_TOO_LARGE;
	*value = v;
	return NUMBER_OK;
}

/*
 * A number as %#llx prints it. The kernel's puts 0x before each, the C library's,
 * which trace-cmd uses, before each but 0.
 */
static enum number scan_hex(struct scan *s, uint64_t *value)
{
	struct scan t = *s;
	enum number ret;

	if (scan_text(&t, "0x")) {
		ret = scan_digits(&t, 16, value);
	} else {
		ret = scan_digits(&t, 16, value);
		if (ret == NUMBER_OK && *value)
			ret = NUMBER_MISSING;
	}
	*s = t;
	return ret;
}

static void malformed(struct log_line *line, const char *reason)
{
	line->kind = LOG_MALFORMED;
	line->reason = reason;
}

static void malformed_number(struct log_line *line, enum number what, const char *reason)
{
	malformed(line, what == NUMBER_TOO_LARGE ? too_large : reason);
}

static void parse_op(struct log_line *line, enum event_op op)
{
	line->kind = LOG_EVENT;
	line->event.op = op;
}

/* The range of a conversion in bytes; false: malformed. */
static bool set_bytes(struct log_line *line, uint64_t offset, uint64_t size)
{
	const uint64_t in_page = (1ULL << GMS_PAGE_SHIFT) - 1;

	if (!gms_range_from_bytes(offset, size, &line->event.start, &line->event.nr_pages))
		return true;
	if (!size)
		malformed(line, "the size is 0");
	else if ((offset | size) & in_page)
		malformed(line, "start or size is not a multiple of 4096");
	else
		malformed(line, "the range ends past 4 PiB, the largest object");
	return false;
}

/*
 * The time stamp that ends at @end, as in "13.854023:": seconds, a point, decimals. What is no
 * such word is no time, and no fault.
 */
static void set_time(struct log_line *line, const char *text, const char *end)
{
	struct scan s = {end, end};
	uint64_t seconds, fraction = 0, unit = 1000000;

	while (s.at > text && (is_digit(s.at[-1]) || s.at[-1] == '.' || s.at[-1] == ':'))
		s.at--;
	if (scan_digits(&s, 10, &seconds) != NUMBER_OK || !scan_text(&s, ".") ||
	    seconds > UINT64_MAX / unit - 1)
		return;
	for (; s.at < s.end && is_digit(*s.at); s.at++) {
		unit /= 10;
		fraction += unit * (uint64_t)(*s.at - '0');
	}
	line->has_time = true;
	line->event.time_us = seconds * 1000000 + fraction;
}

/*
 * Find the event's name as a word, and leave what follows it in @rest. A line of
 * another event may quote ours, as trace_marker's "tracing_mark_write:" does: then
 * what stands before the name is the name of that event and its colon. Before an
 * event of its own stands a time, or nothing. (Task names stand before the time.)
 */
static bool find_ftrace(const char *text, size_t len, struct scan *rest, const char **time_end)
{
	const struct scan line = scan_line(text, len);
	const char *name, *before;

	for (const char *from = line.at;; from = name + 1) {
		name = memmem(from, (size_t)(line.end - from), FTRACE_EVENT, strlen(FTRACE_EVENT));
		if (!name)
			return false;
		rest->at = name + strlen(FTRACE_EVENT);
		rest->end = line.end;
		before = name;
		if (before - line.at >= 4 && !memcmp(before - 4, "kvm:", 4))
			before -= 4; /* perf script names the subsystem, too */
		if ((before == line.at || !is_word(before[-1])) && scan_text(rest, ":"))
			break;
	}
	while (before > line.at && is_blank(before[-1]))
		before--;
	*time_end = before;
	if (before == line.at || before[-1] != ':')
		return true;
	while (before > line.at && !is_blank(before[-1]))
		before--;
	return is_digit(*before) || !is_word(*before);
}

static void parse_ftrace(const char *text, size_t len, struct log_line *line)
{
	uint64_t start, end, attributes;
	const char *time_end;
	struct scan s;
	enum number n;

	if (*text == '#' || !find_ftrace(text, len, &s, &time_end))
		return;
	if (memchr(text, '\0', len)) {
		malformed(line, "NUL byte in the line");
		return;
	}
	scan_blanks(&s);
	n = scan_hex(&s, &start);
	if (n != NUMBER_OK) {
		malformed_number(line, n, "the start is not a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	if (!scan_text(&s, "--")) {
		malformed(line, "no -- after the start");
		return;
	}
	scan_blanks(&s);
	n = scan_hex(&s, &end);
	if (n != NUMBER_OK) {
		malformed_number(line, n, "the end is not a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	n = scan_text(&s, "[") ? scan_hex(&s, &attributes) : NUMBER_MISSING;
	if (n != NUMBER_OK || !scan_text(&s, "]")) {
		malformed_number(line, n, "no [attributes] after the end");
	} else if (s.at != s.end) {
		malformed(line, "text after the attributes");
	} else if (end <= start) {
		malformed(line, "the range is empty or ends before it starts");
	} else {
		parse_op(line, attributes & ATTRIBUTE_PRIVATE ? EVENT_TO_PRIVATE : EVENT_TO_SHARED);
		set_time(line, text, time_end);
		line->other_attributes = attributes & ~ATTRIBUTE_PRIVATE;
		line->event.start = start;
		line->event.nr_pages = end - start;
	}
}

/*
 * Any prefix is fine: QEMU's own (pid@sec.usec:), libvirt's, journald's. But the name
 * in quotes, or as part of another, is a message about it.
 */
static bool find_qemu(const char *text, size_t len, struct scan *rest, const char **name)
{
	const struct scan line = scan_line(text, len);

	for (const char *from = line.at;; from = *name + 1) {
		*name = memmem(from, (size_t)(line.end - from), QEMU_EVENT, strlen(QEMU_EVENT));
		if (!*name)
			return false;
		rest->at = *name + strlen(QEMU_EVENT);
		rest->end = line.end;
		if (*name > line.at && !is_blank((*name)[-1]) && (*name)[-1] != ':' &&
		    (*name)[-1] != '\0')
			continue;
		if (rest->at == rest->end || is_blank(*rest->at))
			return true;
	}
}

static void parse_qemu(const char *text, size_t len, struct log_line *line)
{
	uint64_t start, size;
	const char *name;
	struct scan s;
	enum number n;

	if (!find_qemu(text, len, &s, &name))
		return;
	if (memchr(text, '\0', len)) {
		malformed(line, "NUL byte in the line");
		return;
	}
	scan_blanks(&s);
	n = NUMBER_MISSING;
	if (scan_word(&s, "start")) {
		scan_blanks(&s);
		n = scan_hex(&s, &start);
	}
	if (n != NUMBER_OK) {
		malformed_number(line, n, "no start and a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	n = NUMBER_MISSING;
	if (scan_word(&s, "size")) {
		scan_blanks(&s);
		n = scan_hex(&s, &size);
	}
	if (n != NUMBER_OK) {
		malformed_number(line, n, "no size and a hexadecimal number");
		return;
	}
	scan_blanks(&s);
	if (scan_word(&s, "shared_to_private"))
		parse_op(line, EVENT_TO_PRIVATE);
	else if (scan_word(&s, "private_to_shared"))
		parse_op(line, EVENT_TO_SHARED);
	else
		malformed(line, "neither shared_to_private nor private_to_shared");
	if (line->kind == LOG_EVENT && s.at != s.end)
		malformed(line, "text after the direction");
	if (line->kind == LOG_EVENT && set_bytes(line, start, size))
		set_time(line, text, name);
}

/* An op of a row; false: it is not known. */
static bool scan_csv_op(struct scan *s, struct log_line *line)
{
	for (enum event_op op = 0; op < EVENT_NR_OPS; op++) {
		if (!scan_word(s, event_op_name(op)))
			continue;
		parse_op(line, op);
		return true;
	}
	return false;
}

/* The pages that an access touches, if only in part: none where there is no such range. */
static void set_touched(struct log_line *line, uint64_t gpa, uint64_t size)
{
	if (!size || size - 1 > UINT64_MAX - gpa)
		return;
	line->event.start = gpa >> GMS_PAGE_SHIFT;
	line->event.nr_pages = ((gpa + size - 1) >> GMS_PAGE_SHIFT) - line->event.start + 1;
}

/* One number of a row, in decimal or after 0x in hexadecimal, and what ends the field. */
static bool scan_csv_number(struct scan *s, bool last, uint64_t *value, enum number *n)
{
	*n = scan_digits(s, scan_text(s, "0x") ? 16 : 10, value);
	if (*n != NUMBER_OK)
		return false;
	if (last ? s->at == s->end : scan_text(s, ","))
		return true;
	*n = NUMBER_MISSING;
	return false;
}

static void parse_csv(const char *text, size_t len, struct log_line *line)
{
	struct scan s = scan_line(text, len);
	uint64_t gpa, size;
	enum number n;

	if (s.at == s.end || *s.at == '#' || scan_text(&s, EVENT_CSV_FIRST_FIELDS))
		return;
	if (!scan_csv_number(&s, false, &line->event.time_us, &n)) {
		malformed_number(line, n, "the first field, time_us, is not a number");
		return;
	}
	line->has_time = true;
	if (!scan_csv_op(&s, line) || !scan_text(&s, ",")) {
		malformed(line, "the second field, op, is not known");
		return;
	}
	if (!scan_csv_number(&s, false, &gpa, &n)) {
		malformed_number(line, n, "the third field, gpa_bytes, is not a number");
		return;
	}
	if (!scan_csv_number(&s, true, &size, &n)) {
		malformed_number(line, n, "the fourth and last field, size_bytes, is not a number");
		return;
	}
	if (event_is_conversion(line->event.op))
		set_bytes(line, gpa, size);
	else
		set_touched(line, gpa, size);
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
	enum number n;

	log_parse(LOG_FTRACE, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_FTRACE;
	log_parse(LOG_QEMU, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_QEMU;
	/* To the CSV parser everything is a row, if a bad one: ask for more here. */
	if (scan_text(&s, EVENT_CSV_FIRST_FIELDS))
		return LOG_CSV;
	if (scan_csv_number(&s, false, &time_us, &n) && scan_csv_op(&s, &line))
		return LOG_CSV;
	return LOG_AUTO;
}

/* "# entries-in-buffer/entries-written: 650/12345   #P:8", at the head of a trace file. */
static bool parse_overwritten(struct scan s, uint64_t *nr_lost)
{
	uint64_t held, written;

	if (!scan_text(&s, "#"))
		return false;
	scan_blanks(&s);
	if (!scan_text(&s, "entries-in-buffer/entries-written:"))
		return false;
	scan_blanks(&s);
	if (scan_digits(&s, 10, &held) != NUMBER_OK || !scan_text(&s, "/") ||
	    scan_digits(&s, 10, &written) != NUMBER_OK || written <= held)
		return false;
	*nr_lost = written - held;
	return true;
}

bool log_parse_lost(const char *text, size_t len, uint64_t *nr_lost)
{
	struct scan s = scan_line(text, len);
	enum number n = NUMBER_MISSING;
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
	*nr_lost = n == NUMBER_OK ? nr : 0;
	return true;
}
