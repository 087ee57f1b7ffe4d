// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_parse.c - parses one line of a log
 *
 * A log is hostile input: a line may hold any byte. So the functions only read the text and fill
 * in their results. They do not allocate, and keep no state. Bytes that are no event give
 * LOG_MALFORMED or LOG_OTHER_LINE.
 */
#include "log_line.h"

/* Reads @name and the hexadecimal number after it. */
static enum scan_number parse_scan_field(struct scan *s, const char *name, uint64_t *value)
{
	scan_blanks(s);
	if (!scan_word(s, name))
		return SCAN_MISSING;
	scan_blanks(s);
	return scan_hex(s, value);
}

/* Reads the fields as QEMU prints them: "start 0x20000 size 0x1000 ". */
static bool parse_qemu_printed(struct scan *s, struct log_line *line, uint64_t *start,
			       uint64_t *size)
{
	enum scan_number n = parse_scan_field(s, "start", start);

	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "no start with a hexadecimal number");
		return false;
	}
	n = parse_scan_field(s, "size", size);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "no size with a hexadecimal number");
		return false;
	}
	scan_blanks(s);
	return true;
}

/*
 * Reads fields with names, as simpletrace.py and babeltrace print them: "start=0x20000 size=0x1000
 * msg=b'shared_to_private'", "{ start = 131072, size = 4096, msg = "shared_to_private" }".
 */
static bool parse_qemu_named(struct scan *s, struct log_line *line, uint64_t *start, uint64_t *size)
{
	enum scan_number n = scan_key(*s, "start", start);
	const char *direction;

	if (n == SCAN_OK)
		n = scan_key(*s, "size", size);
	if (n != SCAN_OK) {
		log_line_refuse_number(line, n, "start or size is not a number");
		return false;
	}
	direction = scan_find(s, "shared_to_private");
	if (!direction)
		direction = scan_find(s, "private_to_shared");
	if (direction)
		s->at = direction;
	while (s->end > s->at && !scan_is_word(s->end[-1]))
		s->end--;
	return true;
}

/*
 * Reads the time that simpletrace.py prints after the name of any event: "0.482 pid=4200", in
 * microseconds since the event before.
 */
static void parse_qemu_delta(struct scan s, struct log_line *line)
{
	uint64_t us, nanoseconds;

	while (s.at < s.end && scan_is_word(*s.at))
		s.at++;
	scan_blanks(&s);
	if (scan_digits(&s, 10, &us) != SCAN_OK || !scan_text(&s, ".") ||
	    scan_digits(&s, 10, &nanoseconds) != SCAN_OK || !scan_text(&s, " pid="))
		return;
	line->has_time = true;
	line->time_is_delta = true;
	line->event.time_us = us;
}

void log_line_qemu(const char *text, size_t len, struct log_line *line)
{
	const struct scan whole = scan_line(text, len);
	uint64_t start, size;
	struct scan s;
	const char *name = log_line_find(&whole, "kvm_convert_memory", &s);
	bool read;

	parse_qemu_delta(whole, line);
	if (!name || (s.at < s.end && !scan_is_blank(*s.at) && !scan_text(&s, ":")) ||
	    !log_line_has_no_nul(line, text, len))
		return;
	if (scan_key(s, "start", &start) == SCAN_MISSING)
		read = parse_qemu_printed(&s, line, &start, &size);
	else
		read = parse_qemu_named(&s, line, &start, &size);
	if (!read)
		return;
	if (scan_word(&s, "shared_to_private"))
		log_line_set_op(line, EVENT_TO_PRIVATE);
	else if (scan_word(&s, "private_to_shared"))
		log_line_set_op(line, EVENT_TO_SHARED);
	else
		log_line_refuse(line,
				"the direction is neither shared_to_private nor private_to_shared");
	if (line->kind == LOG_EVENT && s.at != s.end)
		log_line_refuse(line, "text after the direction");
	if (line->kind == LOG_EVENT && log_line_set_bytes(line, start, size) &&
	    !line->time_is_delta)
		log_line_set_time(line, text, name);
}

/* Reads the op of a row. Returns false if the op is not known. */
static bool parse_csv_op(struct scan *s, struct log_line *line)
{
	for (enum event_op op = 0; op < EVENT_NR_OPS; op++) {
		if (!scan_word(s, event_op_name(op)))
			continue;
		log_line_set_op(line, op);
		return true;
	}
	return false;
}

/* Reads the comma after a field, and the blanks around it. */
static bool parse_csv_comma(struct scan *s)
{
	scan_blanks(s);
	if (!scan_text(s, ","))
		return false;
	scan_blanks(s);
	return true;
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
	if (last ? s->at == s->end : parse_csv_comma(s))
		return true;
	*n = SCAN_MISSING;
	return false;
}

void log_line_csv(const char *text, size_t len, struct log_line *line)
{
	struct scan s = scan_line(text, len);
	uint64_t gpa, size, nr_lost;
	enum scan_number n;

	scan_blanks(&s);
	if (s.at == s.end || *s.at == '#' || scan_text(&s, EVENT_CSV_FIRST_FIELDS) ||
	    log_parse_lost(text, len, &nr_lost))
		return;
	if (!parse_csv_number(&s, false, &line->event.time_us, &n)) {
		log_line_refuse_number(line, n, "the first field, time_us, is not a number");
		return;
	}
	line->has_time = true;
	if (!parse_csv_op(&s, line) || !parse_csv_comma(&s)) {
		log_line_refuse(line, "the second field, op, is not known");
		return;
	}
	if (!parse_csv_number(&s, false, &gpa, &n)) {
		log_line_refuse_number(line, n, "the third field, gpa_bytes, is not a number");
		return;
	}
	if (!parse_csv_number(&s, true, &size, &n)) {
		log_line_refuse_number(line, n,
				       "the fourth and last field, size_bytes, is not a number");
		return;
	}
	if (event_is_conversion(line->event.op))
		log_line_set_bytes(line, gpa, size);
	else
		log_line_set_touched(line, gpa, size);
}

bool log_line_is_csv(const char *text, size_t len)
{
	struct scan s = scan_line(text, len);
	struct log_line line;
	enum scan_number n;
	uint64_t time_us;

	scan_blanks(&s);
	return scan_text(&s, EVENT_CSV_FIRST_FIELDS) ||
	       (parse_csv_number(&s, false, &time_us, &n) && parse_csv_op(&s, &line));
}

void log_parse(enum log_format format, const char *text, size_t len, struct log_line *line)
{
	*line = (struct log_line) {.kind = LOG_OTHER_LINE};
	if (!len)
		return;
	switch (format) {
	case LOG_FTRACE:
		log_line_ftrace(text, len, line);
		break;
	case LOG_QEMU:
		log_line_qemu(text, len, line);
		break;
	case LOG_CSV:
		log_line_csv(text, len, line);
		break;
	case LOG_AUTO:
		break;
	}
}

enum log_format log_detect(const char *text, size_t len)
{
	struct log_line line;

	log_parse(LOG_FTRACE, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_FTRACE;
	log_parse(LOG_QEMU, text, len, &line);
	if (line.kind != LOG_OTHER_LINE)
		return LOG_QEMU;
	/* The parser of CSV takes nearly any line for a row. Two fields are a safer sign. */
	return log_line_is_csv(text, len) ? LOG_CSV : LOG_AUTO;
}
