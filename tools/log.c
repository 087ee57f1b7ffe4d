// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log.c - reads a log, line by line, once
 *
 * All events are kept, because the size of the object may follow from the last of them, and a pipe
 * cannot be read twice. Only LOG_LINE_MAX bytes of a line are kept, so that a file without line
 * ends takes no memory.
 */
#include "log.h"

#include <gmemstate/order.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One line, without the line end and without colours. */
struct log_buffer {
	char text[LOG_LINE_MAX];
	size_t len;
	bool too_long;
};

/*
 * A malformed line whose rest may be in the next line.
 * @buf: the line; no bytes: there is no such line
 * @refusal: its number and reason
 */
struct log_held {
	struct log_buffer buf;
	struct log_refusal refusal;
};

const char *log_format_name(enum log_format format)
{
	switch (format) {
	case LOG_FTRACE:
		return "ftrace";
	case LOG_QEMU:
		return "qemu";
	case LOG_CSV:
		return "csv";
	case LOG_AUTO:
		break;
	}
	return "auto";
}

/* Makes room in an array for one more element. Returns 0 or -ENOMEM. */
static int log_grow(void **array, size_t *capacity, size_t nr, size_t size)
{
	size_t wanted;
	void *p;

	if (nr < *capacity)
		return 0;
	wanted = *capacity ? *capacity * 2 : 64;
	p = reallocarray(*array, wanted, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*capacity = wanted;
	return 0;
}

int log_refuse(struct log_refusals *refusals, const struct log_refusal *refusal)
{
	void *list = refusals->list;
	int ret;

	if (refusals->nr_listed < LOG_REFUSALS_MAX) {
		ret = log_grow(&list, &refusals->capacity, refusals->nr_listed,
			       sizeof(*refusals->list));
		if (ret)
			return ret;
		refusals->list = list;
		refusals->list[refusals->nr_listed++] = *refusal;
	}
	refusals->total++;
	return 0;
}

/* Moves the time of the log to that of a line. A line without a time takes LOG_STEP_US. */
static void log_advance(struct log *log, const struct log_line *line)
{
	const uint64_t step = line->has_time ? line->event.time_us : LOG_STEP_US;

	if (line->has_time && !line->time_is_delta)
		log->last_us = line->event.time_us;
	else if (log->last_us <= UINT64_MAX - step)
		log->last_us += step;
}

static void log_count_conversion(struct log *log, const struct log_line *line)
{
	const gms_pgoff_t end = line->event.start + line->event.nr_pages;

	log->nr_conversions++;
	if (line->other_attributes)
		log->nr_other_attributes++;
	/* A conversion past the largest object will be refused, so it does not set the size. */
	if (end <= GMS_MAX_PAGES && log->end < end)
		log->end = end;
}

/* Adds the event of line number @nr. */
static int log_add_event(struct log *log, struct log_line *line, uint64_t nr)
{
	void *events = log->events;
	int ret;

	if (event_is_conversion(line->event.op))
		log_count_conversion(log, line);
	else
		log->nr_other_events++;
	if (!line->event.nr_pages)
		return 0;
	if (log->nr_events == LOG_EVENTS_MAX)
		return -EFBIG;
	ret = log_grow(&events, &log->capacity, log->nr_events, sizeof(*log->events));
	if (ret)
		return ret;
	log_advance(log, line);
	log->nr_without_time += !line->has_time;
	line->event.line = nr;
	line->event.time_us = log->last_us;
	log->events = events;
	if (log->nr_events && log->events[log->nr_events - 1].time_us > log->last_us)
		log->nr_back_in_time++;
	log->events[log->nr_events++] = line->event;
	return 0;
}

/* Frees the room in the array of events that no event needs. */
static void log_trim(struct log *log)
{
	struct event *events;

	if (!log->nr_events)
		return;
	events = reallocarray(log->events, log->nr_events, sizeof(*events));
	if (!events)
		return;
	log->events = events;
	log->capacity = log->nr_events;
}

static void log_count_other_line(struct log *log, const struct log_buffer *buf)
{
	uint64_t nr_lost;

	log->nr_other_lines++;
	if (buf->too_long || !log_parse_lost(buf->text, buf->len, &nr_lost))
		return;
	if (!nr_lost)
		log->nr_lost_gaps++;
	else if (log->nr_lost > UINT64_MAX - nr_lost)
		log->nr_lost = UINT64_MAX;
	else
		log->nr_lost += nr_lost;
}

/* Adds the note that a line at the head of the log may be. */
static void log_add_note(struct log *log, const struct log_buffer *buf, struct log_line *line)
{
	struct log_notes notes = log->notes;

	if (log->nr_conversions || log->nr_other_events ||
	    !log_note_parse(&notes, buf->text, buf->len, &line->reason))
		return;
	if (line->reason || buf->too_long)
		line->kind = LOG_MALFORMED;
	else
		log->notes = notes;
}

/* Lists the line that is held, if there is one. */
static int log_release(struct log *log, struct log_held *held)
{
	if (!held->buf.len)
		return 0;
	held->buf.len = 0;
	return log_refuse(&log->malformed, &held->refusal);
}

/*
 * Tries the line that is held and @buf as one line. A backslash at the end of the first one is
 * dropped; else there is a blank between the two. Returns true if they are an event.
 */
static bool log_join(const struct log *log, const struct log_held *held,
		     const struct log_buffer *buf, struct log_line *line)
{
	char text[2 * LOG_LINE_MAX + 1];
	size_t len = held->buf.len;

	memcpy(text, held->buf.text, len);
	if (text[len - 1] == '\\')
		len--;
	else
		text[len++] = ' ';
	memcpy(text + len, buf->text, buf->len);
	log_parse(log->format, text, len + buf->len, line);
	return line->kind == LOG_EVENT;
}

/* Adds a line that is no event, or whose event began in the line that is held. */
static int log_add_other_line(struct log *log, const struct log_buffer *buf,
			      const struct log_line *line, struct log_held *held)
{
	struct log_line joined;
	int ret;

	if (held->buf.len && !buf->too_long && log_join(log, held, buf, &joined)) {
		log->nr_other_lines++;
		held->buf.len = 0;
		return log_add_event(log, &joined, held->refusal.line);
	}
	ret = log_release(log, held);
	if (line->has_time)
		log_advance(log, line);
	log_count_other_line(log, buf);
	return ret;
}

static int log_add_line(struct log *log, const struct log_buffer *buf, struct log_held *held)
{
	struct log_line line;
	int ret;

	log->nr_lines++;
	if (log->format == LOG_AUTO)
		log->format = log_detect(buf->text, buf->len);
	log_parse(log->format, buf->text, buf->len, &line);
	if (line.kind == LOG_OTHER_LINE)
		log_add_note(log, buf, &line);
	if (buf->too_long && line.kind != LOG_OTHER_LINE) {
		line.kind = LOG_MALFORMED;
		line.reason = "the line is too long";
	}
	if (line.kind == LOG_OTHER_LINE)
		return log_add_other_line(log, buf, &line, held);
	ret = log_release(log, held);
	if (ret)
		return ret;
	if (line.kind == LOG_EVENT)
		return log_add_event(log, &line, log->nr_lines);
	held->buf = *buf;
	held->refusal = (struct log_refusal) {log->nr_lines, line.reason, true};
	return buf->too_long ? log_release(log, held) : 0;
}

/* Drops the sequences with which a terminal changes colours: ESC, [, numbers, a letter. */
static void log_drop_colours(struct log_buffer *buf)
{
	size_t len = 0;

	if (!memchr(buf->text, '\x1b', buf->len))
		return;
	for (size_t i = 0; i < buf->len; i++) {
		if (buf->text[i] != '\x1b' || i + 1 == buf->len || buf->text[i + 1] != '[') {
			buf->text[len++] = buf->text[i];
			continue;
		}
		for (i += 2; i < buf->len && buf->text[i] < '@';)
			i++;
	}
	buf->len = len;
}

/*
 * Reads the next line. Returns false at the end of the file, or on an error. Bytes after the last
 * line end are a line, too.
 */
static bool log_next_line(FILE *file, struct log_buffer *buf)
{
	int c;

	buf->len = 0;
	buf->too_long = false;
	while ((c = getc_unlocked(file)) != EOF && c != '\n') {
		if (buf->len < sizeof(buf->text))
			buf->text[buf->len++] = (char)c;
		else
			buf->too_long = true;
	}
	if (c == EOF && !buf->len)
		return false;
	log_drop_colours(buf);
	return true;
}

/* Drops the byte order mark that some editors put before the first line. */
static void log_drop_bom(struct log_buffer *buf)
{
	static const char bom[] = {'\xef', '\xbb', '\xbf'};

	if (buf->len >= sizeof(bom) && !memcmp(buf->text, bom, sizeof(bom))) {
		buf->len -= sizeof(bom);
		memmove(buf->text, buf->text + sizeof(bom), buf->len);
	}
}

int log_read(struct log *log, FILE *file, enum log_format format)
{
	struct log_held held = {.buf.len = 0};
	struct log_buffer buf;
	int ret = 0;

	memset(log, 0, sizeof(*log));
	log->format = format;
	log->notes = LOG_NO_NOTES;
	errno = 0;
	while (!ret && log_next_line(file, &buf)) {
		if (!log->nr_lines)
			log_drop_bom(&buf);
		ret = log_add_line(log, &buf, &held);
	}
	if (!ret)
		ret = log_release(log, &held);
	if (!ret && ferror(file))
		ret = errno ? -errno : -EIO;
	log_trim(log);
	return ret;
}

uint64_t log_nr_pages(const struct log *log)
{
	gms_pgoff_t end = log->end;

	if (log->notes.nr_ram && end < log->notes.ram[log->notes.nr_ram - 1].end)
		end = log->notes.ram[log->notes.nr_ram - 1].end;
	return end ? gms_order_up(end - 1, GMS_ORDER_1G) : 0;
}

void log_fini(struct log *log)
{
	free(log->events);
	free(log->malformed.list);
	memset(log, 0, sizeof(*log));
}
