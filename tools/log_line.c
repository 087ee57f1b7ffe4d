// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_line.c - what the parsers of the formats share: see log_line.h
 */
#include "log_line.h"

#include "log_time.h"

#include <string.h>

const char *log_line_find(const struct scan *line, const char *name, struct scan *rest)
{
	struct scan s = *line;

	while ((s.at = scan_find(&s, name))) {
		const char *at = s.at;

		*rest = s;
		if ((at == line->at || scan_is_blank(at[-1]) || at[-1] == ':' || !at[-1]) &&
		    scan_word(rest, name))
			return at;
		s.at++;
	}
	return NULL;
}

void log_line_refuse(struct log_line *line, const char *reason)
{
	line->kind = LOG_MALFORMED;
	line->reason = reason;
}

void log_line_refuse_number(struct log_line *line, enum scan_number what, const char *reason)
{
	log_line_refuse(line, what == SCAN_TOO_LARGE ? "a number does not fit in 64 bits" : reason);
}

bool log_line_has_no_nul(struct log_line *line, const char *text, size_t len)
{
	if (!memchr(text, '\0', len))
		return true;
	log_line_refuse(line, "NUL byte in the line");
	return false;
}

void log_line_set_op(struct log_line *line, enum event_op op)
{
	line->kind = LOG_EVENT;
	line->event.op = op;
}

bool log_line_set_bytes(struct log_line *line, uint64_t offset, uint64_t size)
{
	const uint64_t in_page = (1ULL << GMS_PAGE_SHIFT) - 1;

	if (!gms_range_from_bytes(offset, size, &line->event.start, &line->event.nr_pages))
		return true;
	if (!size)
		log_line_refuse(line, "the size is 0");
	else if ((offset | size) & in_page)
		log_line_refuse(line, "start or size is not a multiple of 4096");
	else
		log_line_refuse(line, "the range ends past 4 PiB, the largest object");
	return false;
}

void log_line_set_touched(struct log_line *line, uint64_t gpa, uint64_t size)
{
	if (!size || size - 1 > UINT64_MAX - gpa)
		return;
	line->event.start = gpa >> GMS_PAGE_SHIFT;
	line->event.nr_pages = ((gpa + size - 1) >> GMS_PAGE_SHIFT) - line->event.start + 1;
}

void log_line_set_time(struct log_line *line, const char *text, const char *end)
{
	line->has_time = log_time(text, end, &line->event.time_us);
}
