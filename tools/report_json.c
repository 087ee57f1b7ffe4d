// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report_json.c - writes the result of a replay as JSON
 *
 * Invariants:
 *  1. No key is renamed or gets another meaning. New keys may be added.
 *  2. All numbers except ns_per_conversion are integers. The times of the host's clock are null
 *     for fewer than REPORT_TIMED_CONVERSIONS.
 *  3. Invariant 2 of tool_json.h says who owns a value.
 */
#include "report.h"

#include "tool_json.h"

#include <errno.h>

static json_int_t report_json_bytes(uint64_t nr_pages)
{
	return tool_json_count(nr_pages << GMS_PAGE_SHIFT);
}

static json_t *report_json_conversions(const struct log *log, const struct replay *replay)
{
	const struct tool_json_member members[] = {
		{"total", log->nr_conversions},
		{"changed", replay->stats.conversions},
		{"noops", replay->stats.noops},
		{"refused", replay->nr_rejected},
		{"pages_converted", replay->stats.pages_converted},
	};

	return TOOL_JSON_NUMBERS(members);
}

static json_t *report_json_pages(const struct replay_pages *pages)
{
	const struct tool_json_member members[] = {
		{"bytes", pages->nr_pages << GMS_PAGE_SHIFT},
		{"pages", pages->nr_pages},
		{"runs", pages->nr_runs},
		{"longest_run_bytes", pages->longest << GMS_PAGE_SHIFT},
	};

	return TOOL_JSON_NUMBERS(members);
}

static json_t *report_json_blocks(const uint64_t blocks[3])
{
	const struct tool_json_member members[] = {
		{"shared", blocks[GMS_ALL_SHARED]},
		{"private", blocks[GMS_ALL_PRIVATE]},
		{"mixed", blocks[GMS_MIXED]},
	};

	return TOOL_JSON_NUMBERS(members);
}

static json_t *report_json_block(const struct replay_block *block)
{
	const struct tool_json_member members[] = {
		{"start_bytes", block->start << GMS_PAGE_SHIFT},
		{"runs", block->nr_runs},
		{"mixed_2m", block->nr_mixed_2m},
		{"shared_pages", block->nr_shared},
		{"private_pages", block->nr_private},
	};

	return TOOL_JSON_NUMBERS(members);
}

static json_t *report_json_top(const struct replay *replay)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < replay->nr_top; i++) {
		if (json_array_append_new(list, report_json_block(&replay->top[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *report_json_memory(const struct gms_stats *stats)
{
	const struct tool_json_member members[] = {
		{"mixed_blocks", stats->nodes},
		{"bytes_in_use", stats->bytes_in_use},
		{"bytes_pooled", stats->bytes_pooled},
	};

	return TOOL_JSON_NUMBERS(members);
}

static json_t *report_json_time(const struct replay *replay)
{
	const bool timed = replay->calls >= REPORT_TIMED_CONVERSIONS;
	const double each = (double)replay->nanoseconds / (double)replay->calls;

	return json_pack("{s:I, s:o, s:o}", "calls", tool_json_count(replay->calls), "total_ns",
			 timed ? json_integer(tool_json_count(replay->nanoseconds)) : json_null(),
			 "ns_per_conversion", timed ? json_real(each) : json_null());
}

static json_t *report_json_head(const char *name, const struct log *log,
				const struct replay *replay)
{
	return tool_json_head(name, log, gms_state_nr_pages(replay->state), replay->size_from_log,
			      replay->init_private);
}

int report_json(FILE *out, const char *name, const struct log *log, const struct replay *replay)
{
	json_t *json = report_json_head(name, log, replay);
	bool failed = !json;

	failed |= json_object_set_new(json, "log", tool_json_log(log));
	failed |= json_object_set_new(json, "conversions", report_json_conversions(log, replay));
	failed |=
		json_object_set_new(json, "shared", report_json_pages(&replay->pages[GMS_SHARED]));
	failed |= json_object_set_new(json, "private",
				      report_json_pages(&replay->pages[GMS_PRIVATE]));
	failed |= json_object_set_new(json, "blocks_2m", report_json_blocks(replay->blocks_2m));
	failed |= json_object_set_new(json, "blocks_1g", report_json_blocks(replay->blocks_1g));
	failed |= json_object_set_new(json, "most_fragmented_1g", report_json_top(replay));
	failed |= json_object_set_new(json, "memory", report_json_memory(&replay->stats));
	failed |= json_object_set_new(json, "time", report_json_time(replay));
	failed |= json_object_set_new(json, "not_applied", tool_json_refusals(&replay->refused));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return tool_json_write(out, json);
}

int report_runs_json(FILE *out, const char *name, const struct log *log,
		     const struct replay *replay)
{
	json_t *json = report_json_head(name, log, replay);
	json_t *list = json_array();
	bool failed = !json || !list;
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, replay->state, 0, gms_state_nr_pages(replay->state));
	while (!failed && gms_iter_next(&iter, &run)) {
		json_t *item =
			json_pack("{s:I, s:I, s:s}", "start_bytes", report_json_bytes(run.start),
				  "size_bytes", report_json_bytes(run.nr_pages), "shareability",
				  event_shareability_name(run.shareability));

		failed = json_array_append_new(list, item);
	}
	failed |= json_object_set_new(json, "runs", list);
	failed |= json_object_set_new(json, "not_applied", tool_json_refusals(&replay->refused));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return tool_json_write(out, json);
}
