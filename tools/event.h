/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * event.h - one event of a guest's memory: a conversion or an access
 *
 * The parsers of logs make events, the generator writes them, and the replays apply them.
 */
#ifndef GMS_TOOL_EVENT_H
#define GMS_TOOL_EVENT_H

#include <gmemstate/types.h>

/* The header of a CSV log. A line that begins with its first two fields is no row. */
#define EVENT_CSV_FIRST_FIELDS "time_us,op,"
#define EVENT_CSV_HEADER EVENT_CSV_FIRST_FIELDS "gpa_bytes,size_bytes"

/**
 * enum event_op - what happens to the pages
 * @EVENT_TO_SHARED: the guest makes them shared
 * @EVENT_TO_PRIVATE: the guest makes them private
 * @EVENT_ACCEPT: the guest accepts them: they become private, and the guest uses them
 * @EVENT_HOST_READ: the host, or a device of it, reads them
 * @EVENT_HOST_WRITE: the host, or a device of it, writes them
 * @EVENT_GUEST_TOUCH: the guest begins to use them
 * @EVENT_FREE: the guest no longer uses them
 */
enum event_op {
	EVENT_TO_SHARED,
	EVENT_TO_PRIVATE,
	EVENT_ACCEPT,
	EVENT_HOST_READ,
	EVENT_HOST_WRITE,
	EVENT_GUEST_TOUCH,
	EVENT_FREE
};

#define EVENT_NR_OPS (EVENT_FREE + 1)

/**
 * struct event - one event of a log
 * @start: index of the first page
 * @nr_pages: length in pages; @start + @nr_pages does not wrap
 * @line: number of the event's line, from 1
 * @time_us: time in microseconds
 * @op: what happens
 */
struct event {
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint64_t line;
	uint64_t time_us;
	enum event_op op;
};

/**
 * event_op_name() - return the name of an op, as in a CSV log
 * @op: the op
 *
 * Return: a static string.
 */
const char *event_op_name(enum event_op op);

/**
 * event_is_conversion() - find out if an op converts pages
 * @op: the op
 *
 * Return: true for a conversion; false for an access or a free.
 */
bool event_is_conversion(enum event_op op);

/**
 * event_converts_to() - return the shareability that a conversion sets
 * @op: the op of a conversion
 *
 * Return: the shareability.
 */
enum gms_shareability event_converts_to(enum event_op op);

/**
 * event_shareability_name() - return the name of a shareability, for reports
 * @shareability: the shareability
 *
 * Return: "shared" or "private".
 */
const char *event_shareability_name(enum gms_shareability shareability);

#endif /* GMS_TOOL_EVENT_H */
