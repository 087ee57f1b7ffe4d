// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_matrix.c - writes the numbers that matter, with a line for each policy: see lab_report.h
 *
 * Pins by folio come first, because a kernel counts references by folio. All numbers but those of
 * waiting are of the runs with pins by folio, if there are any.
 */
#include "lab_report.h"

#include "term.h"
#include "units.h"

#include <inttypes.h>

#define MATRIX_CELL 48

/* Returns the run of a policy under one bound. Prefers pins by folio. */
static const struct lab_run *matrix_run(const struct lab_report *report, enum policies_id policy,
					bool host_all)
{
	const struct lab_run *run = lab_runs_find(&report->runs, policy, true, host_all);

	return run ? run : lab_runs_find(&report->runs, policy, false, host_all);
}

static void matrix_print_policy(FILE *out, const struct lab_run *run)
{
	const struct lab_result *r = &run->result;
	const double clock = run->opts.costs->item[COSTS_CLOCK].value;

	fprintf(out, "%-17s%8" PRIu64 "%9" PRIu64 "%9" PRIu64, policies_words[run->policy].name,
		r->nr_split, r->stats.splits_1g + r->stats.splits_2m,
		r->stats.merges_1g + r->stats.merges_2m);
	fprintf(out, " %11.1f %11.2f %12.3f\n", lab_sum_work(&r->at_end) / 1e6,
		(r->rate[0] + r->rate[1]) / 1e6, lab_result_stall(r) / clock * 1e3);
}

static const char *matrix_even(char *buf, const struct lab_result *row,
			       const struct lab_result *column)
{
	const struct lab_even even = lab_even(row, column);
	char time[UNITS_TEXT_SIZE];

	switch (even.kind) {
	case LAB_EVEN_ALWAYS:
		return "always";
	case LAB_EVEN_NEVER:
		return "never";
	case LAB_EVEN_SAME:
		return "same";
	case LAB_EVEN_FROM:
	case LAB_EVEN_UNTIL:
		break;
	}
	snprintf(buf, MATRIX_CELL, "%s %s", even.kind == LAB_EVEN_FROM ? ">" : "<",
		 units_time(time, even.us, 2));
	return buf;
}

static void matrix_print_evens(FILE *out, const struct lab_report *report, bool host_all)
{
	char cell[MATRIX_CELL];

	fprintf(out,
		"\n%sThe uptimes T* at which a line's policy costs less than the column's\n%-10s",
		term_style(out, TERM_BOLD), "");
	for (enum policies_id id = 0; id < POLICIES_NR; id++)
		fprintf(out, "%10s", policies_words[id].brief);
	fprintf(out, "%s\n", term_style(out, TERM_PLAIN));
	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		fprintf(out, "%-10s", policies_words[id].brief);
		for (enum policies_id other = 0; other < POLICIES_NR; other++)
			fprintf(out, " %9s",
				id == other
					? "-"
					: matrix_even(
						  cell, &matrix_run(report, id, host_all)->result,
						  &matrix_run(report, other, host_all)->result));
		fputc('\n', out);
	}
}

static void matrix_print_wait(FILE *out, const struct lab_run *run)
{
	char ms[UNITS_TEXT_SIZE] = "-", calls[UNITS_TEXT_SIZE] = "-";

	if (run) {
		snprintf(ms, sizeof(ms), "%.1f", (double)run->result.waited_us / 1000);
		units_count(calls, run->result.nr_waits);
	}
	fprintf(out, " %11s %13s", calls, ms);
}

static void matrix_print_waits(FILE *out, const struct lab_report *report, bool host_all)
{
	const struct lab_runs *runs = &report->runs;
	uint64_t waits = 0;

	for (unsigned int i = 0; i < runs->nr; i++)
		waits += runs->run[i].result.nr_waits;
	if (!waits) {
		fputs("\nNo call waits for a pin.\n", out);
		return;
	}
	fprintf(out, "\n%s%-17s%26s%26s\n", term_style(out, TERM_BOLD), "Waiting for pins",
		"counted by folio", "counted by page *");
	fprintf(out, "%-17s%12s%14s%12s%14s%s\n", "", "calls", "ms", "calls", "ms",
		term_style(out, TERM_PLAIN));
	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		fprintf(out, "%-17s", policies_words[id].name);
		matrix_print_wait(out, lab_runs_find(runs, id, true, host_all));
		matrix_print_wait(out, lab_runs_find(runs, id, false, host_all));
		fputc('\n', out);
	}
	fputs("* A kernel cannot have this today: it counts references by folio.\n", out);
}

static void matrix_print_bound(FILE *out, const struct lab_report *report, bool host_all)
{
	if (report->runs.host_unknown)
		fprintf(out, "The host touches %s\n", host_all ? "all that is shared" : "nothing");
	fprintf(out, "%s%-17s%8s%9s%9s%12s%12s%13s\n", term_style(out, TERM_BOLD), "", "Folios", "",
		"", "M cycles", "M cycles/s", "Longest");
	fprintf(out, "%-17s%8s%9s%9s%12s%12s%13s%s\n", "Policy", "split", "Splits", "Merges",
		"of work", "of rent", "stall, ms", term_style(out, TERM_PLAIN));
	for (enum policies_id id = 0; id < POLICIES_NR; id++)
		matrix_print_policy(out, matrix_run(report, id, host_all));
	matrix_print_evens(out, report, host_all);
	matrix_print_waits(out, report, host_all);
	fputc('\n', out);
}

void lab_matrix(FILE *out, const struct lab_report *report)
{
	const struct lab_runs *runs = &report->runs;

	for (int host_all = runs->run[0].opts.host_all;
	     host_all <= runs->run[runs->nr - 1].opts.host_all; host_all++)
		matrix_print_bound(out, report, host_all);
	fputs("Splits, merges and work are those until the last event. Clearing memory is left\n"
	      "out. Rent is what the guest loses in a second to small mappings of private\n"
	      "memory, when adaptive has merged what it merges in the quiet behind the log. A\n"
	      "stall is one of a conversion or a fault; --policy adaptive also shows that of\n"
	      "maintenance. How the policies differ: gmemstate help policies\n",
	      out);
}
