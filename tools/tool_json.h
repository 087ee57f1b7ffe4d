/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tool_json.h - parts of the reports in JSON
 *
 * Invariants:
 *  1. A number is a JSON integer of at most INT64_MAX. A larger number is written as INT64_MAX.
 *  2. jansson takes ownership of a value even if it fails, and fails if the value is NULL. So a
 *     caller passes values on without a check, and checks the last result.
 *  3. What a stream has written it does not keep. Its text is the one that jansson writes for the
 *     whole value.
 */
#ifndef GMS_TOOL_JSON_H
#define GMS_TOOL_JSON_H

#include "log.h"

#include <jansson.h>

/* A member of an object. */
struct tool_json_member {
	const char *key;
	uint64_t value;
};

/* Returns a number as a JSON integer (invariant 1). */
json_int_t tool_json_count(uint64_t value);

/* Returns a file's name as a string. If the name is not UTF-8, its non-ASCII bytes become '?'. */
json_t *tool_json_name(const char *name);

/* Returns an object of numbers; NULL: out of memory. */
json_t *tool_json_numbers(const struct tool_json_member *members, size_t nr);

#define TOOL_JSON_NUMBERS(members) tool_json_numbers(members, sizeof(members) / sizeof(*(members)))

/* Returns an object with the members with which every report begins; NULL: out of memory. */
json_t *tool_json_head(const char *name, const struct log *log, uint64_t nr_pages,
		       bool size_from_log, bool init_private);

/* Returns the counts of a log's lines and events; NULL: out of memory. */
json_t *tool_json_log(const struct log *log);

/* Returns the lines that were not applied, at most @max of them; NULL: out of memory. */
json_t *tool_json_refusals(const struct log_refusals *refused, size_t max);

/* Writes @json, and drops the reference to it. Returns 0, or -ENOMEM, also if @json is NULL. */
int tool_json_write(FILE *out, json_t *json);

/**
 * struct tool_json_stream - a JSON value that is written piece by piece
 * @out: the stream to write to
 * @depth: how many objects and lists are open
 * @filled: the innermost one has a member
 * @failed: a piece is missing
 *
 * A caller zeroes all but @out.
 */
struct tool_json_stream {
	FILE *out;
	unsigned int depth;
	bool filled;
	bool failed;
};

/* Begins an object, with the bracket {, or a list, with [. @key: NULL in a list, and at first. */
void tool_json_begin(struct tool_json_stream *stream, const char *key, char bracket);

/* Ends the innermost object or list, with the bracket } or ]. */
void tool_json_end(struct tool_json_stream *stream, char bracket);

/* Writes a value, and drops the reference to it. @key: NULL in a list. @json: NULL fails. */
void tool_json_put(struct tool_json_stream *stream, const char *key, json_t *json);

/* Writes the members of an object, and drops the reference to it. NULL fails. */
void tool_json_put_members(struct tool_json_stream *stream, json_t *json);

/* Ends the object that the stream began with. Returns 0; -ENOMEM: the output is incomplete. */
int tool_json_finish(struct tool_json_stream *stream);

#endif /* GMS_TOOL_JSON_H */
