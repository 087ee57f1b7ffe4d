/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * study.h - the report: what policies cost on some logs, what that depends on, and a verdict
 *
 * A case is one log with folios of one order, and with one assumption about what the host touches.
 * The report is one JSON value, and the text is made from that value alone.
 *
 *	{
 *	  "schema": "gmemstate-report-1", "tool": ...,
 *	  "model": {...}, "costs": {name: {"value", "kind", "source"}},
 *	  "cases": [{
 *	    "name", "file", "sha256", "format", "init", "arch", "size_bytes", "backing", "folios",
 *	    "host": "logged" | "nothing" | "all", "log_us",
 *	    "runs": [...],          every number of every run, with pins by folio and by page
 *	    "matrix": [...],        a line for each policy
 *	    "savings": {...},       what each choice saves, and at a tenth of the price of a fault
 *	    "break_even": [...],    each policy against each other
 *	    "merging_pays": {...},  from when on eager-nonuniform costs less than eager-unmerged
 *	    "leaders": [...],       which policies cost least, from which uptime on
 *	    "within_5_percent": [...], the policies that cost hardly more, at the end of the log
 *	    "sensitivity": [...],   what each price does to the leader
 *	    "other_rmp": {...},     the leaders with the other value of --rmp
 *	    "adaptive": {...}       how far it is from the better of eager-nonuniform and lazy
 *	  }],
 *	  "verdict": {"sentence", "depends_on", "does_not_cover"}
 *	}
 */
#ifndef GMS_TOOL_STUDY_H
#define GMS_TOOL_STUDY_H

#include "lab_report.h"

/** STUDY_SCHEMA - the value of "schema" in a report. Keys may be added to it */
#define STUDY_SCHEMA "gmemstate-report-1"

/** STUDY_MAX_CASES - the most cases of a report: what fits into the text */
#define STUDY_MAX_CASES 4

/**
 * struct study_runs - the runs of one log with one backing
 * @report: the runs of all policies, with both ways to count pins
 * @told: adaptive, told ten times the rents
 * @other_rmp: all policies, with the other value of lab_opts.rmp_sticky
 *
 * All but @report have pins by folio.
 */
struct study_runs {
	struct lab_report report;
	struct lab_runs told;
	struct lab_runs other_rmp;
};

/**
 * study_new() - begin a report
 * @plan: the conditions, with the prices
 *
 * Return: the report, without cases; NULL: out of memory.
 */
json_t *study_new(const struct lab_plan *plan);

/**
 * study_add() - add the cases of one log with one backing
 * @study: the report
 * @runs: the runs
 * @sha256: the checksum of the log's file, in hexadecimal; NULL: the log is no file
 *
 * Return: 0; -ENOMEM; -ENOSPC: there are too many cases.
 */
int study_add(json_t *study, const struct study_runs *runs, const char *sha256);

/**
 * study_end() - add the verdict
 * @study: the report
 *
 * Return: 0; -ENOMEM.
 */
int study_end(json_t *study);

/**
 * study_text() - write a report as text: at most 66 lines of 76 columns
 * @out: the stream to write to
 * @study: the report
 */
void study_text(FILE *out, const json_t *study);

#endif /* GMS_TOOL_STUDY_H */
