/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_line.h - the parsers of the formats, and what they share
 *
 * A parser gets a line with at least one byte, and a struct log_line that says LOG_OTHER_LINE. It
 * leaves that as it is if the line has no event of the format.
 */
#ifndef GMS_TOOL_LOG_LINE_H
#define GMS_TOOL_LOG_LINE_H

#include "log.h"
#include "log_scan.h"

void log_line_ftrace(const char *text, size_t len, struct log_line *line);
void log_line_qemu(const char *text, size_t len, struct log_line *line);
void log_line_csv(const char *text, size_t len, struct log_line *line);

/* Returns true if the line has the first two fields of a row, or of the header. */
bool log_line_is_csv(const char *text, size_t len);

/*
 * Finds the name of an event as a word of @line, after a blank, a colon, a NUL or nothing. A name
 * in quotes, or within a longer word, is part of a message. Stores in *rest the text after the
 * name. Returns where the name begins; NULL: it is not there.
 */
const char *log_line_find(const struct scan *line, const char *name, struct scan *rest);

/* Makes the line malformed. @reason is a static string. */
void log_line_refuse(struct log_line *line, const char *reason);

/* Makes the line malformed because of a number. @reason is used if the number is missing. */
void log_line_refuse_number(struct log_line *line, enum scan_number what, const char *reason);

/* Makes the line malformed if it has a NUL. Returns true if it has none. */
bool log_line_has_no_nul(struct log_line *line, const char *text, size_t len);

/* Makes the line an event. */
void log_line_set_op(struct log_line *line, enum event_op op);

/* Sets the range of a conversion. Returns false if @offset or @size makes the line malformed. */
bool log_line_set_bytes(struct log_line *line, uint64_t offset, uint64_t size);

/* Sets the pages that an access touches wholly or in part. Sets none if it is empty or wraps. */
void log_line_set_touched(struct log_line *line, uint64_t gpa, uint64_t size);

/* Sets the time, if there is one before @end. A line without a time is not malformed. */
void log_line_set_time(struct log_line *line, const char *text, const char *end);

#endif /* GMS_TOOL_LOG_LINE_H */
