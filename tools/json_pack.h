/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json_pack.h - what the reports in JSON have in common
 *
 * A value that JSON's integers (63 bits) cannot hold is the largest that they can.
 *
 * jansson takes over a value even where it fails, and fails where it is given NULL: so
 * values are handed on unchecked, and the last result tells.
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

json_int_t json_pack_count(uint64_t value);

/* An object of numbers. */
json_t *json_pack_numbers(const struct json_pack_member *members, size_t nr);

#define JSON_PACK_NUMBERS(members) json_pack_numbers(members, sizeof(members) / sizeof(*(members)))

/* What each report begins with. */
json_t *json_pack_head(const char *name, const struct log *log, uint64_t nr_pages,
		       bool size_from_log, bool init_private);

json_t *json_pack_log(const struct log *log);
json_t *json_pack_refusals(const struct log_refusals *refused);

/* Writes and takes over @json. 0 or -ENOMEM. */
int json_pack_write(FILE *out, json_t *json);

#endif /* GMS_TOOL_JSON_PACK_H */
