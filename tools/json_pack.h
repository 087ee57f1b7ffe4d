/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json_pack.h - parts of the reports in JSON
 *
 * Invariants:
 *  1. Numbers are JSON integers of 63 bits. A larger number is written as the largest integer.
 *  2. jansson takes ownership of a value even where it fails, and fails if the value is NULL. So a
 *     caller passes values on without a check, and checks the last result.
 */
#ifndef GMS_TOOL_JSON_PACK_H
#define GMS_TOOL_JSON_PACK_H

#include "log.h"

#include <jansson.h>

/* A member of an object. */
struct json_pack_member {
	const char *key;
	uint64_t value;
};

/* Returns a number as a JSON integer. */
json_int_t json_pack_count(uint64_t value);

/* Returns an object of numbers; NULL: out of memory. */
json_t *json_pack_numbers(const struct json_pack_member *members, size_t nr);

#define JSON_PACK_NUMBERS(members) json_pack_numbers(members, sizeof(members) / sizeof(*(members)))

/* Returns an object with the members that every report begins with; NULL: out of memory. */
json_t *json_pack_head(const char *name, const struct log *log, uint64_t nr_pages,
		       bool size_from_log, bool init_private);

/* Returns the counts of a log's lines and events; NULL: out of memory. */
json_t *json_pack_log(const struct log *log);

/* Returns the lines that were not applied; NULL: out of memory. */
json_t *json_pack_refusals(const struct log_refusals *refused);

/* Writes @json and drops the reference to it. Returns 0 or -ENOMEM. */
int json_pack_write(FILE *out, json_t *json);

#endif /* GMS_TOOL_JSON_PACK_H */
