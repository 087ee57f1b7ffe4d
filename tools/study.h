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
 *	    "savings": {"grain", "staging", "time"},
 *	    "break_even": [...],    each policy against each other
 *	    "leaders": [...],       which policy costs least, from which uptime on
 *	    "within_5_percent": [...], the policies that cost hardly more, at the end of the log
 *	    "sensitivity": [...],   what each price does to the leader
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
 * study_new() - begin a report
 * @plan: the conditions, with the prices
 *
 * Return: the report, without cases; NULL: out of memory.
 */
json_t *study_new(const struct lab_plan *plan);

/**
 * study_add() - add the cases of one log with one backing
 * @study: the report
 * @report: the runs of all policies
 * @sha256: the checksum of the log's file, in hexadecimal
 * @told: the run of adaptive that was told a rent ten times too high, for each case
 *
 * Return: 0; -ENOMEM; -ENOSPC: there are too many cases.
 */
int study_add(json_t *study, const struct lab_report *report, const char *sha256,
	      const struct lab_runs *told);

/**
 * study_end() - add the verdict
 * @study: the report
 *
 * Return: 0; -ENOMEM.
 */
int study_end(json_t *study);

/**
 * study_text() - write a report as text: at most 60 lines of 76 columns
 * @out: the stream to write to
 * @study: the report
 */
void study_text(FILE *out, const json_t *study);

#endif /* GMS_TOOL_STUDY_H */
