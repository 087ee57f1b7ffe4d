// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report_json.c - writes the result of a replay, or a snapshot, as JSON
 *
 * Invariants:
 *  1. No key is renamed or gets another meaning. New keys may be added.
 *  2. All numbers except ns_per_conversion are integers. The times of the host's clock are null
 *     for fewer than REPORT_TIMED_CONVERSIONS.
 *  3. Invariant 2 of tool_json.h says who owns a value.
 */
#include "report.h"

#include "tool_json.h"
#include "units.h"

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

/* Begins the object of a report, with what was replayed. */
static struct tool_json_stream report_json_begin(FILE *out, const char *name, const struct log *log,
						 const struct replay *replay)
{
	struct tool_json_stream stream = {.out = out};

	tool_json_begin(&stream, NULL, '{');
	tool_json_put_members(&stream, tool_json_head(name, log, gms_state_nr_pages(replay->state),
						      replay->size_from_log, replay->init_private));
	return stream;
}

/* Ends the object of a report, with what was not applied. */
static int report_json_end(struct tool_json_stream *stream, const struct replay *replay)
{
	tool_json_put(stream, "not_applied", tool_json_refusals(&replay->refused, SIZE_MAX));
	return tool_json_finish(stream);
}

int report_json(FILE *out, const char *name, const struct log *log, const struct replay *replay)
{
	struct tool_json_stream stream = report_json_begin(out, name, log, replay);

	tool_json_put(&stream, "log", tool_json_log(log));
	tool_json_put(&stream, "conversions", report_json_conversions(log, replay));
	tool_json_put(&stream, "shared", report_json_pages(&replay->pages[GMS_SHARED]));
	tool_json_put(&stream, "private", report_json_pages(&replay->pages[GMS_PRIVATE]));
	tool_json_put(&stream, "blocks_2m", report_json_blocks(replay->blocks_2m));
	tool_json_put(&stream, "blocks_1g", report_json_blocks(replay->blocks_1g));
	tool_json_put(&stream, "most_fragmented_1g", report_json_top(replay));
	tool_json_put(&stream, "memory", report_json_memory(&replay->stats));
	tool_json_put(&stream, "time", report_json_time(replay));
	return report_json_end(&stream, replay);
}

static json_t *report_json_run(gms_pgoff_t start, uint64_t nr_pages,
			       enum gms_shareability shareability)
{
	return json_pack("{s:I, s:I, s:s}", "start_bytes", report_json_bytes(start), "size_bytes",
			 report_json_bytes(nr_pages), "shareability",
			 event_shareability_name(shareability));
}

int report_runs_json(FILE *out, const char *name, const struct log *log,
		     const struct replay *replay)
{
	struct tool_json_stream stream = report_json_begin(out, name, log, replay);
	struct gms_iter iter;
	struct gms_run run;

	tool_json_begin(&stream, "runs", '[');
	gms_iter_init(&iter, replay->state, 0, gms_state_nr_pages(replay->state));
	while (!ferror(out) && gms_iter_next(&iter, &run))
		tool_json_put(&stream, NULL,
			      report_json_run(run.start, run.nr_pages, run.shareability));
	tool_json_end(&stream, ']');
	return report_json_end(&stream, replay);
}

static json_t *report_json_snapshot_run(const struct snapshot_run *run)
{
	json_t *json = report_json_run(run->start, run->nr_pages, run->shareability);
	json_t *attrs = json_array();
	bool failed = !json;

	for (unsigned int i = 0; run->attrs >> i; i++) {
		if (run->attrs >> i & 1)
			failed |= json_array_append_new(attrs, json_integer(i)) != 0;
	}
	failed |= json_object_set_new(json, "quarantined", json_boolean(run->quarantined)) != 0;
	failed |= json_object_set_new(json, "largest_mapping",
				      json_string(units_order(run->max_order))) != 0;
	failed |= json_object_set_new(json, "attributes", attrs) != 0;
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

int report_snapshot_json(FILE *out, const char *name, const struct snapshot *snapshot,
			 const struct replay *counts)
{
	struct tool_json_stream stream = {.out = out};
	struct snapshot_walk walk;
	struct snapshot_run run;

	tool_json_begin(&stream, NULL, '{');
	tool_json_put_members(&stream,
			      json_pack("{s:o, s:s, s:i, s:I, s:I, s:s, s:i}", "file",
					tool_json_name(name), "format", "snapshot", "version",
					(int)snapshot->version, "file_bytes",
					tool_json_count(snapshot->size), "size_bytes",
					report_json_bytes(gms_state_nr_pages(snapshot->state)),
					"backing", units_order(snapshot->folio_order),
					"nr_attributes", (int)snapshot->nr_attrs));
	tool_json_put(&stream, "shared", report_json_pages(&counts->pages[GMS_SHARED]));
	tool_json_put(&stream, "private", report_json_pages(&counts->pages[GMS_PRIVATE]));
	tool_json_put(&stream, "blocks_2m", report_json_blocks(counts->blocks_2m));
	tool_json_put(&stream, "blocks_1g", report_json_blocks(counts->blocks_1g));
	tool_json_put(&stream, "most_fragmented_1g", report_json_top(counts));
	tool_json_begin(&stream, "runs", '[');
	snapshot_walk_init(&walk, snapshot);
	while (!ferror(out) && snapshot_walk_next(&walk, &run))
		tool_json_put(&stream, NULL, report_json_snapshot_run(&run));
	tool_json_end(&stream, ']');
	return tool_json_finish(&stream);
}
