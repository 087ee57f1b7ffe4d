// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * report.c - writes the result of a replay, or a snapshot, as text
 */
#include "report.h"

#include "term.h"
#include "units.h"

#include <inttypes.h>

static void report_print_count(FILE *out, const char *what, uint64_t count, const char *note)
{
	char text[UNITS_TEXT_SIZE];

	fprintf(out, "%-24s%16s%s%s\n", what, units_count(text, count), *note ? "   " : "", note);
}

static void report_print_head(FILE *out, const char *name, const struct log *log,
			      const struct replay *replay)
{
	const uint64_t nr_pages = gms_state_nr_pages(replay->state);
	char bytes[UNITS_TEXT_SIZE], pages[UNITS_TEXT_SIZE], from[64] = "";

	if (log->init_from == LOG_INIT_LOG && log->init_line)
		snprintf(from, sizeof(from), ": line %" PRIu64 " shows that", log->init_line);
	else if (log->init_from == LOG_INIT_LOG)
		snprintf(from, sizeof(from), ": the log says so");
	fprintf(out, "Log     %s, %s\n", name, log_format_name(log->format));
	fprintf(out, "Object  %s, %s pages, all %s at first%s%s\n\n",
		units_bytes(bytes, nr_pages << GMS_PAGE_SHIFT), units_count(pages, nr_pages),
		event_shareability_name(replay->init_private ? GMS_PRIVATE : GMS_SHARED), from,
		replay->size_from_log
			? "\n        (size: how far the log reaches, rounded up to 1G)"
			: "");
}

static void report_print_events(FILE *out, const struct log *log, const struct replay *replay)
{
	char note[64], text[UNITS_TEXT_SIZE];

	report_print_count(out, "Lines", log->nr_lines, "");
	report_print_count(out, "  conversions", log->nr_conversions, "");
	report_print_count(out, "  other events", log->nr_other_events,
			   log->nr_other_events ? "accesses and the like: no conversions" : "");
	report_print_count(out, "  other lines", log->nr_other_lines, "");
	report_print_count(out, "  malformed", log->malformed.total, "");
	report_print_count(out, "Lost events", log->nr_lost,
			   log->nr_lost || log->nr_lost_gaps ? "the result may be wrong" : "");
	if (log->nr_lost_gaps)
		report_print_count(out, "  gaps of unknown size", log->nr_lost_gaps, "");
	if (log->nr_other_attributes)
		report_print_count(out, "With other attributes", log->nr_other_attributes,
				   "beside PRIVATE: not looked at");
	fputc('\n', out);
	report_print_count(out, "Conversions", log->nr_conversions, "");
	snprintf(note, sizeof(note), "%s pages", units_count(text, replay->stats.pages_converted));
	report_print_count(out, "  that changed pages", replay->stats.conversions, note);
	report_print_count(out, "  no-ops", replay->stats.noops, "");
	report_print_count(out, "  refused", replay->nr_rejected, "");
	fputc('\n', out);
}

static void report_print_state(FILE *out, const struct replay *replay)
{
	char bytes[UNITS_TEXT_SIZE], pages[UNITS_TEXT_SIZE], runs[UNITS_TEXT_SIZE];
	char longest[UNITS_TEXT_SIZE];

	fprintf(out, "%s%-10s%14s  %17s%12s%16s%s\n", term_style(out, TERM_BOLD), "State", "size",
		"pages", "runs", "longest run", term_style(out, TERM_PLAIN));
	for (enum gms_shareability i = GMS_SHARED; i <= GMS_PRIVATE; i++) {
		const struct replay_pages *p = &replay->pages[i];

		fprintf(out, "  %-8s%14s  %17s%12s%16s\n", event_shareability_name(i),
			units_bytes(bytes, p->nr_pages << GMS_PAGE_SHIFT),
			units_count(pages, p->nr_pages), units_count(runs, p->nr_runs),
			units_bytes(longest, p->longest << GMS_PAGE_SHIFT));
	}
	fputc('\n', out);
}

static void report_print_blocks(FILE *out, const char *name, const uint64_t blocks[3])
{
	char shared[UNITS_TEXT_SIZE], private[UNITS_TEXT_SIZE], mixed[UNITS_TEXT_SIZE];

	fprintf(out, "  %-8s%14s  %17s%12s\n", name, units_count(shared, blocks[GMS_ALL_SHARED]),
		units_count(private, blocks[GMS_ALL_PRIVATE]),
		units_count(mixed, blocks[GMS_MIXED]));
}

static void report_print_summaries(FILE *out, const struct replay *replay)
{
	fprintf(out, "%s%-10s%14s  %17s%12s%s\n", term_style(out, TERM_BOLD), "Blocks",
		"all shared", "all private", "mixed", term_style(out, TERM_PLAIN));
	report_print_blocks(out, "2M", replay->blocks_2m);
	report_print_blocks(out, "1G", replay->blocks_1g);
	fputc('\n', out);
	if (!replay->nr_top)
		return;
	fprintf(out, "%sThe most fragmented 1G blocks%s\n", term_style(out, TERM_BOLD),
		term_style(out, TERM_PLAIN));
	fprintf(out, "  %-16s%6s%10s%14s%18s\n", "start", "runs", "mixed 2M", "shared", "private");
	for (unsigned int i = 0; i < replay->nr_top; i++) {
		const struct replay_block *b = &replay->top[i];
		char runs[UNITS_TEXT_SIZE], shared[UNITS_TEXT_SIZE], private[UNITS_TEXT_SIZE];

		fprintf(out, "  0x%-14" PRIx64 "%6s%10" PRIu64 "%14s%18s\n",
			b->start << GMS_PAGE_SHIFT, units_count(runs, b->nr_runs), b->nr_mixed_2m,
			units_bytes(shared, b->nr_shared << GMS_PAGE_SHIFT),
			units_bytes(private, b->nr_private << GMS_PAGE_SHIFT));
	}
	fputc('\n', out);
}

static void report_print_cost(FILE *out, const struct replay *replay)
{
	char used[UNITS_TEXT_SIZE], pooled[UNITS_TEXT_SIZE], count[UNITS_TEXT_SIZE];

	fprintf(out, "Memory  %s in use for %s mixed blocks, %s pooled\n",
		units_bytes(used, replay->stats.bytes_in_use),
		units_count(count, replay->stats.nodes),
		units_bytes(pooled, replay->stats.bytes_pooled));
	if (replay->calls < REPORT_TIMED_CONVERSIONS)
		return;
	fprintf(out, "Time    %.1f ns a conversion (this run, on this host: %s in %.3f ms)\n",
		(double)replay->nanoseconds / (double)replay->calls,
		units_count(count, replay->calls), (double)replay->nanoseconds / 1e6);
}

static void report_print_refused(FILE *out, const struct log_refusals *refused)
{
	char count[UNITS_TEXT_SIZE];
	size_t i;

	if (!refused->total)
		return;
	fprintf(out, "\nNot applied: %s\n", units_count(count, refused->total));
	for (i = 0; i < refused->nr_listed && i < REPORT_REFUSALS; i++)
		fprintf(out, "  line %-10" PRIu64 " %-10s %s\n", refused->list[i].line,
			refused->list[i].malformed ? "malformed" : "refused",
			refused->list[i].reason);
	if (i < refused->total)
		fprintf(out, "  and %s more\n", units_count(count, refused->total - i));
}

void report_table(FILE *out, const char *name, const struct log *log, const struct replay *replay)
{
	report_print_head(out, name, log, replay);
	report_print_events(out, log, replay);
	report_print_state(out, replay);
	report_print_summaries(out, replay);
	report_print_cost(out, replay);
	report_print_refused(out, &replay->refused);
}

static void report_print_run(FILE *out, gms_pgoff_t start, uint64_t nr_pages,
			     enum gms_shareability shareability)
{
	fprintf(out, "0x%012" PRIx64 " 0x%012" PRIx64 " %10" PRIu64 " %s", start << GMS_PAGE_SHIFT,
		(start + nr_pages) << GMS_PAGE_SHIFT, nr_pages,
		event_shareability_name(shareability));
}

void report_runs(FILE *out, const struct replay *replay)
{
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, replay->state, 0, gms_state_nr_pages(replay->state));
	while (gms_iter_next(&iter, &run)) {
		report_print_run(out, run.start, run.nr_pages, run.shareability);
		fputc('\n', out);
	}
}

static void report_print_snapshot_head(FILE *out, const char *name, const struct snapshot *snapshot,
				       const struct replay *counts)
{
	const uint64_t nr_pages = gms_state_nr_pages(snapshot->state);
	char bytes[UNITS_TEXT_SIZE], pages[UNITS_TEXT_SIZE], runs[UNITS_TEXT_SIZE];

	fprintf(out, "# Snapshot  %s, version %u, %s bytes\n", name, snapshot->version,
		units_count(bytes, snapshot->size));
	fprintf(out, "# Object    %s, %s pages, folios of %s, %u attributes\n",
		units_bytes(bytes, nr_pages << GMS_PAGE_SHIFT), units_count(pages, nr_pages),
		units_order(snapshot->folio_order), snapshot->nr_attrs);
	for (enum gms_shareability i = GMS_SHARED; i <= GMS_PRIVATE; i++)
		fprintf(out, "# %-10s%s, %s pages, %s runs\n", event_shareability_name(i),
			units_bytes(bytes, counts->pages[i].nr_pages << GMS_PAGE_SHIFT),
			units_count(pages, counts->pages[i].nr_pages),
			units_count(runs, counts->pages[i].nr_runs));
	for (int is_1g = 0; is_1g < 2; is_1g++) {
		const uint64_t *blocks = is_1g ? counts->blocks_1g : counts->blocks_2m;

		fprintf(out, "# %-10s%s all shared, %s all private, %s mixed\n",
			is_1g ? "1G blocks" : "2M blocks",
			units_count(bytes, blocks[GMS_ALL_SHARED]),
			units_count(pages, blocks[GMS_ALL_PRIVATE]),
			units_count(runs, blocks[GMS_MIXED]));
	}
}

void report_snapshot(FILE *out, const char *name, const struct snapshot *snapshot,
		     const struct replay *counts)
{
	struct snapshot_walk walk;
	struct snapshot_run run;

	report_print_snapshot_head(out, name, snapshot, counts);
	snapshot_walk_init(&walk, snapshot);
	while (snapshot_walk_next(&walk, &run)) {
		const char *separator = " attrs=";

		report_print_run(out, run.start, run.nr_pages, run.shareability);
		if (run.quarantined)
			fputs(" quarantined", out);
		if (run.max_order < GMS_ORDER_1G)
			fprintf(out, " %s", units_order(run.max_order));
		for (unsigned int i = 0; i < snapshot->nr_attrs; i++) {
			if (!(run.attrs >> i & 1))
				continue;
			fprintf(out, "%s%u", separator, i);
			separator = ",";
		}
		fputc('\n', out);
	}
}
