// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tool_json.c - parts of the reports in JSON: see tool_json.h
 */
#include "tool_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_int_t tool_json_count(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

/* Returns a file's name as a string. If the name is not UTF-8, its non-ASCII bytes become '?'. */
static json_t *tool_json_name(const char *name)
{
	json_t *json = json_string(name);
	char *copy;

	if (json)
		return json;
	copy = strdup(name);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++) {
		if (*c & 0x80)
			*c = '?';
	}
	json = json_string(copy);
	free(copy);
	return json;
}

json_t *tool_json_numbers(const struct tool_json_member *members, size_t nr)
{
	json_t *json = json_object();

	for (size_t i = 0; i < nr; i++) {
		if (json_object_set_new(json, members[i].key,
					json_integer(tool_json_count(members[i].value)))) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

json_t *tool_json_head(const char *name, const struct log *log, uint64_t nr_pages,
		       bool size_from_log, bool init_private)
{
	static const char *const init_from[] = {
		[LOG_INIT_DEFAULT] = "default",
		[LOG_INIT_OPTION] = "option",
		[LOG_INIT_LOG] = "log",
	};

	return json_pack("{s:o, s:s, s:I, s:b, s:s, s:s}", "file", tool_json_name(name), "format",
			 log_format_name(log->format), "size_bytes",
			 tool_json_count(nr_pages << GMS_PAGE_SHIFT), "size_from_log",
			 (int)size_from_log, "init",
			 event_shareability_name(init_private ? GMS_PRIVATE : GMS_SHARED),
			 "init_from", init_from[log->init_from]);
}

json_t *tool_json_log(const struct log *log)
{
	const struct tool_json_member members[] = {
		{"lines", log->nr_lines},
		{"conversions", log->nr_conversions},
		{"other_events", log->nr_other_events},
		{"other_lines", log->nr_other_lines},
		{"malformed", log->malformed.total},
		{"lost_events", log->nr_lost},
		{"lost_gaps_of_unknown_size", log->nr_lost_gaps},
		{"with_other_attributes", log->nr_other_attributes},
		{"without_time", log->nr_without_time},
	};

	return TOOL_JSON_NUMBERS(members);
}

json_t *tool_json_refusals(const struct log_refusals *refused)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refused->nr_listed; i++) {
		const struct log_refusal *r = &refused->list[i];
		json_t *json = json_pack("{s:I, s:b, s:s}", "line", tool_json_count(r->line),
					 "malformed", (int)r->malformed, "reason", r->reason);

		if (json_array_append_new(list, json)) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:I, s:I, s:o}", "count", tool_json_count(refused->total), "listed",
			 tool_json_count(refused->nr_listed), "list", list);
}

int tool_json_write(FILE *out, json_t *json)
{
	int ret;

	if (!json)
		return -ENOMEM;
	ret = json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
	json_decref(json);
	if (ret && !ferror(out))
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}
