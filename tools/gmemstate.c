// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gmemstate.c - main(): reads the log, runs the command, and sets the exit status
 */
#include "gen.h"
#include "options.h"
#include "replay.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool tool_read_log(struct log *log, const struct options *options)
{
	bool is_stdin = !strcmp(options->name, "-");
	FILE *file = is_stdin ? stdin : fopen(options->name, "r");
	int ret;

	memset(log, 0, sizeof(*log));
	if (!file) {
		options_error("%s: %s", options->name, strerror(errno));
		return false;
	}
	ret = log_read(log, file, options->format);
	if (!is_stdin)
		fclose(file);
	if (ret) {
		options_error("%s: %s", options->name, strerror(-ret));
		return false;
	}
	if (log->nr_conversions || log->nr_other_events || log->malformed.total)
		return true;
	options_error("%s: no %s event in %" PRIu64 " lines", options->name,
		      options->format == LOG_AUTO ? "known" : log_format_name(options->format),
		      log->nr_lines);
	return false;
}

static void tool_warn_losses(const struct log *log, const struct options *options)
{
	if (log->nr_lost || log->nr_lost_gaps)
		options_error("%s: warning: %" PRIu64 " events lost, and %" PRIu64
			      " gaps of unknown size: the final state may be wrong",
			      options->name, log->nr_lost, log->nr_lost_gaps);
}

/* Prints the lines that were not applied to standard error, for reports that do not list them. */
static void tool_warn_refusals(const struct log_refusals *refused, const struct options *options)
{
	for (size_t i = 0; i < refused->nr_listed && i < REPORT_REFUSALS; i++)
		options_error("%s:%" PRIu64 ": %s: %s", options->name, refused->list[i].line,
			      refused->list[i].malformed ? "malformed" : "refused",
			      refused->list[i].reason);
	if (refused->total > REPORT_REFUSALS)
		options_error("%s: and %" PRIu64 " more not applied", options->name,
			      refused->total - REPORT_REFUSALS);
}

static void tool_print_error(const struct options *options, int ret)
{
	if (ret == -ENODATA)
		options_error("%s: no readable conversion gives the size: use --size",
			      options->name);
	else
		options_error("%s: %s", options->name, strerror(-ret));
}

static int tool_report(const struct log *log, const struct replay *replay,
		       const struct options *options)
{
	int ret = 0;

	if (options->command == OPTIONS_DUMP && options->json)
		ret = report_runs_json(stdout, options->name, log, replay);
	else if (options->command == OPTIONS_DUMP)
		report_runs(stdout, replay);
	else if (options->json)
		ret = report_json(stdout, options->name, log, replay);
	else
		report_table(stdout, options->name, log, replay);
	return ret;
}

static int tool_replay(const struct options *options)
{
	struct replay replay = {0};
	int status = TOOL_UNUSABLE, ret;
	struct log log;

	if (!tool_read_log(&log, options))
		goto out;
	ret = replay_run(&replay, &log, options->nr_pages, options->init_private);
	if (ret) {
		tool_print_error(options, ret);
		goto out;
	}
	tool_warn_losses(&log, options);
	if (options->command == OPTIONS_DUMP)
		tool_warn_refusals(&replay.refused, options);
	ret = tool_report(&log, &replay, options);
	if (ret)
		options_error("%s", strerror(-ret));
	else
		status = replay.refused.total ? TOOL_SOME_REFUSED : TOOL_APPLIED;
out:
	replay_fini(&replay);
	log_fini(&log);
	return status;
}

/* Replays the log under each policy. */
static int tool_run_policies(struct lab_report *report, const struct options *options)
{
	uint64_t nr_pages = options->nr_pages ? options->nr_pages : log_nr_pages(report->log);

	report->name = options->name;
	report->size_from_log = !options->nr_pages;
	if (!nr_pages)
		return -ENODATA;
	for (unsigned int i = 0; i < options->nr_policies; i++) {
		int ret;

		report->opts[i] = (struct lab_opts) {
			.policy = options->policies[i],
			.nr_pages = nr_pages,
			.folio_order = options->folio_order,
			.init_private = options->init_private,
			.pins_by_folio = options->pins_by_folio,
			.punch = options->punch,
		};
		ret = lab_run(&report->results[i], report->log, &report->opts[i]);
		if (ret)
			return ret;
		report->nr_runs++;
	}
	return 0;
}

static int tool_compare(const struct options *options)
{
	struct lab_report report = {0};
	int status = TOOL_UNUSABLE, ret;
	struct log log;

	if (!tool_read_log(&log, options))
		goto out;
	report.log = &log;
	ret = tool_run_policies(&report, options);
	if (!ret && options->json)
		ret = lab_report_json(stdout, &report);
	else if (!ret)
		lab_report_table(stdout, &report);
	if (ret) {
		tool_print_error(options, ret);
		goto out;
	}
	tool_warn_losses(&log, options);
	tool_warn_refusals(&log.malformed, options);
	status = log.malformed.total ? TOOL_SOME_REFUSED : TOOL_APPLIED;
	for (unsigned int i = 0; i < report.nr_runs; i++) {
		if (report.results[i].nr_refused && status == TOOL_APPLIED)
			status = TOOL_SOME_REFUSED;
		if (!*report.results[i].broken)
			continue;
		options_error("%s: the library broke a rule: %s", report.opts[i].policy->name,
			      report.results[i].broken);
		status = TOOL_UNUSABLE;
	}
out:
	log_fini(&log);
	return status;
}

static int tool_generate(const struct options *options)
{
	int ret = gen_run(stdout, options->name, options->nr_pages, options->seed);

	if (!ret)
		return TOOL_APPLIED;
	if (ret == -ERANGE) {
		options_error("gen: --size is from 64M to 16T");
		return TOOL_UNUSABLE;
	}
	fprintf(stderr, "gmemstate: gen: %s: no such workload; the workloads are", options->name);
	for (unsigned int i = 0; gen_name(i); i++)
		fprintf(stderr, " %s", gen_name(i));
	fputc('\n', stderr);
	return TOOL_UNUSABLE;
}

int main(int argc, const char **argv)
{
	struct options options;
	int status = options_read(&options, argc, argv);

	if (status < 0 && options.command == OPTIONS_GEN)
		status = tool_generate(&options);
	else if (status < 0 && options.nr_policies)
		status = tool_compare(&options);
	else if (status < 0)
		status = tool_replay(&options);
	options_fini(&options);
	/* Lost output (a full disk, a closed pipe) is an error. */
	if (fflush(stdout) || ferror(stdout)) {
		options_error("standard output: %s", strerror(errno));
		status = TOOL_UNUSABLE;
	}
	return status;
}
