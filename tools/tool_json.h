/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tool_json.h - parts of the reports in JSON
 *
 * Invariants:
 *  1. A number is a JSON integer of at most INT64_MAX. A larger number is written as INT64_MAX.
 *  2. jansson takes ownership of a value even if it fails, and fails if the value is NULL. So a
 *     caller passes values on without a check, and checks the last result.
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

/* Returns an object of numbers; NULL: out of memory. */
json_t *tool_json_numbers(const struct tool_json_member *members, size_t nr);

#define TOOL_JSON_NUMBERS(members) tool_json_numbers(members, sizeof(members) / sizeof(*(members)))

/* Returns an object with the members with which every report begins; NULL: out of memory. */
json_t *tool_json_head(const char *name, const struct log *log, uint64_t nr_pages,
		       bool size_from_log, bool init_private);

/* Returns the counts of a log's lines and events; NULL: out of memory. */
json_t *tool_json_log(const struct log *log);

/* Returns the lines that were not applied; NULL: out of memory. */
json_t *tool_json_refusals(const struct log_refusals *refused);

/* Writes @json, and drops the reference to it. Returns 0, or -ENOMEM, also if @json is NULL. */
int tool_json_write(FILE *out, json_t *json);

#endif /* GMS_TOOL_JSON_H */
