// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report_json.c - what a replay came to, for programs
 *
 * Keys are never renamed nor given another meaning; new ones may be added. All numbers
 * are integers but ns_per_conversion. A value that JSON's integers (63 bits) cannot
 * hold is the largest that they can.
 *
 * jansson takes over a value even where it fails, and fails where it is given NULL: so
 * values are handed on unchecked, and the last result tells.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_int_t number(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

static json_int_t bytes(uint64_t nr_pages)
{
	return number(nr_pages << GMS_PAGE_SHIFT);
}

/* A file's name may be any bytes, a JSON string may not. */
static json_t *name_string(const char *name)
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

static const char *shareability_name(enum gms_shareability shareability)
{
	return shareability == GMS_PRIVATE ? "private" : "shared";
}

/* A member of an object. */
struct member {
	const char *key;
	uint64_t value;
};

static json_t *pack_numbers(const struct member *members, size_t nr)
{
	json_t *json = json_object();

	for (size_t i = 0; i < nr; i++) {
		if (json_object_set_new(json, members[i].key,
					json_integer(number(members[i].value)))) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

#define PACK_NUMBERS(members) pack_numbers(members, sizeof(members) / sizeof(*(members)))

static json_t *pack_log(const struct log *log)
{
	const struct member members[] = {
		{"lines", log->nr_lines},
		{"conversions", log->nr_events},
		{"other_events", log->nr_other_events},
		{"other_lines", log->nr_other_lines},
		{"malformed", log->malformed.total},
		{"lost_events", log->nr_lost},
		{"lost_gaps_of_unknown_size", log->nr_lost_gaps},
		{"with_other_attributes", log->nr_other_attributes},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_conversions(const struct log *log, const struct replay *replay)
{
	const struct member members[] = {
		{"total", log->nr_events},
		{"changed", replay->stats.conversions},
		{"noops", replay->stats.noops},
		{"refused", replay->nr_rejected},
		{"pages_converted", replay->stats.pages_converted},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_pages(const struct replay_pages *pages)
{
	const struct member members[] = {
		{"bytes", pages->nr_pages << GMS_PAGE_SHIFT},
		{"pages", pages->nr_pages},
		{"runs", pages->nr_runs},
		{"longest_run_bytes", pages->longest << GMS_PAGE_SHIFT},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_blocks(const uint64_t blocks[3])
{
	const struct member members[] = {
		{"shared", blocks[GMS_ALL_SHARED]},
		{"private", blocks[GMS_ALL_PRIVATE]},
		{"mixed", blocks[GMS_MIXED]},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_block(const struct replay_block *block)
{
	const struct member members[] = {
		{"start_bytes", block->start << GMS_PAGE_SHIFT},
		{"runs", block->nr_runs},
		{"mixed_2m", block->nr_mixed_2m},
		{"shared_pages", block->nr_shared},
		{"private_pages", block->nr_private},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_top(const struct replay *replay)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < replay->nr_top; i++) {
		if (json_array_append_new(list, pack_block(&replay->top[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *pack_memory(const struct gms_stats *stats)
{
	const struct member members[] = {
		{"mixed_blocks", stats->nodes},
		{"bytes_in_use", stats->bytes_in_use},
		{"bytes_pooled", stats->bytes_pooled},
	};

	return PACK_NUMBERS(members);
}

static json_t *pack_time(const struct replay *replay)
{
	json_t *each = json_null();

	if (replay->calls)
		each = json_real((double)replay->nanoseconds / (double)replay->calls);
	return json_pack("{s:I, s:I, s:o}", "calls", number(replay->calls), "total_ns",
			 number(replay->nanoseconds), "ns_per_conversion", each);
}

static json_t *pack_refused(const struct log_refusals *refused)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refused->nr_listed; i++) {
		const struct log_refusal *r = &refused->list[i];
		json_t *json = json_pack("{s:I, s:b, s:s}", "line", number(r->line), "malformed",
					 (int)r->malformed, "reason", r->reason);

		if (json_array_append_new(list, json)) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:I, s:I, s:o}", "count", number(refused->total), "listed",
			 number(refused->nr_listed), "list", list);
}

/* What both reports begin with. */
static json_t *pack_head(const char *name, const struct log *log, const struct replay *replay)
{
	enum gms_shareability init = replay->init_private ? GMS_PRIVATE : GMS_SHARED;

	return json_pack("{s:o, s:s, s:I, s:b, s:s}", "file", name_string(name), "format",
			 log_format_name(log->format), "size_bytes",
			 bytes(gms_state_nr_pages(replay->state)), "size_from_log",
			 (int)replay->size_from_log, "init", shareability_name(init));
}

/* Takes over @json. */
static int write_json(FILE *out, json_t *json)
{
	int ret;

	if (!json)
		return -ENOMEM;
	ret = json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(json);
	if (ret && !ferror(out))
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}

int report_json(FILE *out, const char *name, const struct log *log, const struct replay *replay)
{
	json_t *json = pack_head(name, log, replay);
	bool failed = !json;

	failed |= json_object_set_new(json, "log", pack_log(log));
	failed |= json_object_set_new(json, "conversions", pack_conversions(log, replay));
	failed |= json_object_set_new(json, "shared", pack_pages(&replay->pages[GMS_SHARED]));
	failed |= json_object_set_new(json, "private", pack_pages(&replay->pages[GMS_PRIVATE]));
	failed |= json_object_set_new(json, "blocks_2m", pack_blocks(replay->blocks_2m));
	failed |= json_object_set_new(json, "blocks_1g", pack_blocks(replay->blocks_1g));
	failed |= json_object_set_new(json, "most_fragmented_1g", pack_top(replay));
	failed |= json_object_set_new(json, "memory", pack_memory(&replay->stats));
	failed |= json_object_set_new(json, "time", pack_time(replay));
	failed |= json_object_set_new(json, "not_applied", pack_refused(&replay->refused));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return write_json(out, json);
}

int report_runs_json(FILE *out, const char *name, const struct log *log,
		     const struct replay *replay)
{
	json_t *json = pack_head(name, log, replay);
	json_t *list = json_array();
	bool failed = !json || !list;
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, replay->state, 0, gms_state_nr_pages(replay->state));
	while (!failed && gms_iter_next(&iter, &run)) {
		json_t *item = json_pack("{s:I, s:I, s:s}", "start_bytes", bytes(run.start),
					 "size_bytes", bytes(run.nr_pages), "shareability",
					 shareability_name(run.shareability));

		failed = json_array_append_new(list, item);
	}
	failed |= json_object_set_new(json, "runs", list);
	failed |= json_object_set_new(json, "not_applied", pack_refused(&replay->refused));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return write_json(out, json);
}
