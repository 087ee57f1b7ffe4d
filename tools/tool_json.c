// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tool_json.c - parts of the reports in JSON: see tool_json.h
 */
#include "tool_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_JSON_INDENT 2

json_int_t tool_json_count(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

json_t *tool_json_name(const char *name)
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
		{"back_in_time", log->nr_back_in_time},
	};

	return TOOL_JSON_NUMBERS(members);
}

json_t *tool_json_refusals(const struct log_refusals *refused, size_t max)
{
	const size_t nr = refused->nr_listed < max ? refused->nr_listed : max;
	json_t *list = json_array();

	for (size_t i = 0; i < nr; i++) {
		const struct log_refusal *r = &refused->list[i];
		json_t *json = json_pack("{s:I, s:b, s:s}", "line", tool_json_count(r->line),
					 "malformed", (int)r->malformed, "reason", r->reason);

		if (json_array_append_new(list, json)) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:I, s:I, s:o}", "count", tool_json_count(refused->total), "listed",
			 tool_json_count(nr), "list", list);
}

#define TOOL_JSON_FLAGS (JSON_INDENT(TOOL_JSON_INDENT) | JSON_REAL_PRECISION(10))

int tool_json_write(FILE *out, json_t *json)
{
	int ret;

	if (!json)
		return -ENOMEM;
	ret = json_dumpf(json, out, TOOL_JSON_FLAGS);
	json_decref(json);
	if (ret && !ferror(out))
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}

/* Writes what precedes a member: the comma after the last one, a new line, and the key. */
static void tool_json_member(struct tool_json_stream *stream, const char *key)
{
	if (stream->depth)
		fprintf(stream->out, "%s\n%*s", stream->filled ? "," : "",
			(int)stream->depth * TOOL_JSON_INDENT, "");
	if (key)
		fprintf(stream->out, "\"%s\": ", key);
	stream->filled = true;
}

void tool_json_begin(struct tool_json_stream *stream, const char *key, char bracket)
{
	tool_json_member(stream, key);
	fputc(bracket, stream->out);
	stream->depth++;
	stream->filled = false;
}

void tool_json_end(struct tool_json_stream *stream, char bracket)
{
	stream->depth--;
	if (stream->filled)
		fprintf(stream->out, "\n%*s", (int)stream->depth * TOOL_JSON_INDENT, "");
	fputc(bracket, stream->out);
	stream->filled = true;
}

/* Writes a part of a value. Its lines are indented as deeply as the member that it belongs to. */
static int tool_json_part(const char *text, size_t len, void *arg)
{
	const struct tool_json_stream *stream = arg;

	while (len) {
		const char *end = memchr(text, '\n', len);
		const size_t nr = end ? (size_t)(end - text) + 1 : len;

		fwrite(text, 1, nr, stream->out);
		if (end)
			fprintf(stream->out, "%*s", (int)stream->depth * TOOL_JSON_INDENT, "");
		text += nr;
		len -= nr;
	}
	return 0;
}

void tool_json_put(struct tool_json_stream *stream, const char *key, json_t *json)
{
	tool_json_member(stream, key);
	if (json_dump_callback(json, tool_json_part, stream, TOOL_JSON_FLAGS | JSON_ENCODE_ANY))
		stream->failed = true;
	json_decref(json);
}

void tool_json_put_members(struct tool_json_stream *stream, json_t *json)
{
	const char *key;
	json_t *value;

	if (!json)
		stream->failed = true;
	json_object_foreach(json, key, value)
		tool_json_put(stream, key, json_incref(value));
	json_decref(json);
}

int tool_json_finish(struct tool_json_stream *stream)
{
	tool_json_end(stream, '}');
	fputc('\n', stream->out);
	return stream->failed ? -ENOMEM : 0;
}
