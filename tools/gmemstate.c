// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gmemstate.c - main(): reads the log, runs the command, and sets the exit status
 */
#include "gen.h"
#include "log_source.h"
#include "options.h"
#include "replay.h"
#include "report.h"
#include "selftest.h"
#include "study.h"
#include "term.h"
#include "tool_json.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <sha256.h>
#include <string.h>

/* Sets how the pages are at first: by the option, a note in the log, or what the log shows. */
static int tool_set_init(struct log *log, struct options *options)
{
	const uint64_t nr_pages = options->nr_pages ? options->nr_pages : log_nr_pages(log);
	int ret;

	if (options->init_given) {
		log->init_from = LOG_INIT_OPTION;
		return 0;
	}
	options->init_private = false; /* a log before this one may have set it */
	if (log->notes.init >= 0) {
		log->init_from = LOG_INIT_LOG;
		options->init_private = log->notes.init;
		return 0;
	}
	if (!nr_pages)
		return 0; /* there is no conversion */
	ret = log_find_private_start(log, nr_pages, &log->init_line);
	if (ret || !log->init_line)
		return ret;
	log->init_from = LOG_INIT_LOG;
	options->init_private = true;
	options_note("%s:%" PRIu64 ": no line before converts these pages, so the guest started "
		     "private (see --init)",
		     options->name, log->init_line);
	return 0;
}

/* Opens the file options->name. Prints an error, and returns false, if that fails. */
static bool tool_open(struct log_source *source, const struct options *options)
{
	const int ret = log_source_open(source, options->name);

	if (!ret)
		return true;
	options_error("%s: %s", options->name, *source->reason ? source->reason : strerror(-ret));
	log_source_close(source);
	return false;
}

/* Reads a log, and closes it. */
static bool tool_read_source(struct log *log, struct log_source *source, struct options *options)
{
	int ret = log_read(log, source->file, options->format);

	if (!ret)
		ret = tool_set_init(log, options);
	if (ret)
		options_error("%s: %s", options->name,
			      *source->reason ? source->reason : strerror(-ret));
	log_source_close(source);
	if (ret)
		return false;
	if (log->nr_conversions || log->nr_other_events || log->malformed.total)
		return true;
	if (!log->nr_lines)
		options_error("%s: the log is empty", options->name);
	else if (options->format == LOG_AUTO)
		options_error("%s: no known event in %" PRIu64
			      " lines: neither kvm_vm_set_mem_attributes, kvm_convert_memory or "
			      "gmem_convert, nor rows of CSV (see gmemstate help logs)",
			      options->name, log->nr_lines);
	else
		options_error("%s: no %s event in %" PRIu64 " lines", options->name,
			      log_format_name(options->format), log->nr_lines);
	return false;
}

static bool tool_read_log(struct log *log, struct options *options)
{
	struct log_source source;

	memset(log, 0, sizeof(*log));
	if (!tool_open(&source, options))
		return false;
	if (!snapshot_is(source.head, source.nr_head))
		return tool_read_source(log, &source, options);
	options_error("%s: a snapshot, no log: gmemstate dump prints it", options->name);
	log_source_close(&source);
	return false;
}

static void tool_warn_losses(const struct log *log, const struct options *options)
{
	if (log->nr_lost || log->nr_lost_gaps)
		options_note("%s: warning: %" PRIu64 " events lost, and %" PRIu64
			     " gaps of unknown size: the final state may be wrong",
			     options->name, log->nr_lost, log->nr_lost_gaps);
	if (options->command == COMMAND_DUMP)
		return; /* times do not change the final state */
	if (log->nr_back_in_time)
		options_note("%s: %" PRIu64
			     " events are earlier than the event before them: is the "
			     "log sorted by time?",
			     options->name, log->nr_back_in_time);
	if (!log->nr_without_time)
		return;
	if (log->nr_without_time == log->nr_events)
		options_note("%s: no times: each event counts as 1 ms", options->name);
	else
		options_note("%s: no time in %" PRIu64
			     " of %zu events: each of them counts as 1 ms",
			     options->name, log->nr_without_time, log->nr_events);
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
	if (ret == -E2BIG)
		return; /* tool_run_policies() has said where */
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

	if (options->command == COMMAND_DUMP && options->json)
		ret = report_runs_json(stdout, options->name, log, replay);
	else if (options->command == COMMAND_DUMP)
		report_runs(stdout, replay);
	else if (options->json)
		ret = report_json(stdout, options->name, log, replay);
	else
		report_table(stdout, options->name, log, replay);
	return ret;
}

/* Replays a log, and frees it. @good: the log was read. Returns the exit status. */
static int tool_replay(struct log *log, bool good, const struct options *options)
{
	struct replay replay = {0};
	int status = TOOL_UNUSABLE, ret;

	if (!good)
		goto out;
	ret = replay_run(&replay, log, options->nr_pages, options->init_private);
	if (ret) {
		tool_print_error(options, ret);
		goto out;
	}
	tool_warn_losses(log, options);
	if (options->command == COMMAND_DUMP)
		tool_warn_refusals(&replay.refused, options);
	ret = tool_report(log, &replay, options);
	if (ret)
		options_error("%s", strerror(-ret));
	if (!ret && options->save) {
		ret = snapshot_save(replay.state, options->save);
		if (ret)
			options_error("--save %s: %s", options->save, strerror(-ret));
	}
	if (!ret)
		status = replay.refused.total ? TOOL_SOME_REFUSED : TOOL_APPLIED;
out:
	replay_fini(&replay);
	log_fini(log);
	return status;
}

static void tool_print_snapshot_error(const struct options *options, int ret)
{
	switch (ret) {
	case -EBADMSG:
		options_error("%s: the snapshot is damaged, or cut short%s%s", options->name,
			      *gms_reason() ? ": " : "", gms_reason());
		break;
	case -EPROTONOSUPPORT:
		options_error("%s: the snapshot is of a newer version", options->name);
		break;
	case -EINVAL:
		options_error("%s: the snapshot is of another size than --size", options->name);
		break;
	case -EFBIG:
		options_error("%s: the snapshot, or its object, takes more than 1 GiB",
			      options->name);
		break;
	default:
		options_error("%s: %s", options->name, strerror(-ret));
		break;
	}
}

/* Prints a snapshot, and closes it. */
static int tool_dump_snapshot(struct log_source *source, const struct options *options)
{
	struct snapshot snapshot;
	struct replay counts = {0};
	int ret = snapshot_read(&snapshot, source->file, options->nr_pages);

	log_source_close(source);
	if (!ret) {
		counts.state = snapshot.state;
		replay_count(&counts);
		if (options->json)
			ret = report_snapshot_json(stdout, options->name, &snapshot, &counts);
		else
			report_snapshot(stdout, options->name, &snapshot, &counts);
	}
	if (ret)
		tool_print_snapshot_error(options, ret);
	snapshot_fini(&snapshot);
	return ret ? TOOL_UNUSABLE : TOOL_APPLIED;
}

/* Prints a snapshot, or the runs that a log leaves. */
static int tool_dump(struct options *options)
{
	struct log_source source;
	struct log log = {0};

	if (!tool_open(&source, options))
		return TOOL_UNUSABLE;
	if (!snapshot_is(source.head, source.nr_head))
		return tool_replay(&log, tool_read_source(&log, &source, options), options);
	if (!options->init_given && options->format == LOG_AUTO)
		return tool_dump_snapshot(&source, options);
	options_error("%s: a snapshot: --%s is about logs", options->name,
		      options->init_given ? "init" : "format");
	log_source_close(&source);
	return TOOL_UNUSABLE;
}

/* Prints the progress of long runs, if standard error is a terminal. */
struct tool_progress {
	size_t nr_events;
	bool shown;
};

static void tool_show_progress(void *arg, size_t done)
{
	struct tool_progress *p = arg;

	if (!done || !term_is_live(stderr))
		return;
	fprintf(stderr, "\r%3zu%%", done * 100 / p->nr_events);
	p->shown = true;
}

/* Replays the log under each policy. */
static int tool_run_policies(struct lab_report *report, const struct log *log,
			     const struct options *options)
{
	struct tool_progress progress = {.nr_events = log->nr_events};
	struct lab_plan plan = options->plan;
	int ret;

	report->name = options->name;
	report->size_from_log = !options->nr_pages;
	plan.opts.nr_pages = options->nr_pages ? options->nr_pages : log_nr_pages(log);
	plan.opts.init_private = options->init_private;
	if (!options->has_arch && log->notes.has_arch)
		plan.opts.arch = log->notes.arch;
	plan.opts.progress = tool_show_progress;
	plan.opts.progress_arg = &progress;
	if (!plan.opts.nr_pages)
		return -ENODATA;
	plan.opts.ram_from =
		log_find_ram(log, plan.opts.nr_pages, plan.opts.ram, &plan.opts.nr_ram);
	ret = lab_runs_make(&report->runs, log, &plan);
	if (progress.shown)
		fputs("\r    \r", stderr);
	if (ret == -E2BIG)
		options_error("%s:%" PRIu64 ": %s with folios of %s would take more than %llu "
			      "steps. Is the size of the guest's memory right (--size)? Folios of "
			      "another size may take fewer steps (--backing)",
			      options->name, report->runs.run[report->runs.nr - 1].result.last_line,
			      policies_words[report->runs.run[report->runs.nr - 1].policy].name,
			      units_order(plan.opts.folio_order), LAB_MAX_STEPS);
	return ret;
}

static void tool_print_report(const struct lab_report *report, const struct options *options)
{
	lab_report_head(stdout, report);
	if (options->plan.policies == (1U << POLICIES_NR) - 1)
		lab_matrix(stdout, report);
	else
		lab_report_list(stdout, report);
}

/* Returns the exit status, and prints which rule the library broke. */
static int tool_runs_status(const struct lab_runs *runs)
{
	int status = runs->log->malformed.total ? TOOL_SOME_REFUSED : TOOL_APPLIED;

	for (unsigned int i = 0; i < runs->nr; i++) {
		const struct lab_result *result = &runs->run[i].result;

		if (result->refused.total && status == TOOL_APPLIED)
			status = TOOL_SOME_REFUSED;
		if (!*result->broken)
			continue;
		options_error("%s: the library broke a rule: %s",
			      policies_words[runs->run[i].policy].name, result->broken);
		status = TOOL_UNUSABLE;
	}
	return status;
}

static int tool_compare(struct options *options)
{
	struct lab_report report = {0};
	int status = TOOL_UNUSABLE, ret;
	struct log log;

	if (!tool_read_log(&log, options))
		goto out;
	ret = tool_run_policies(&report, &log, options);
	if (!ret && options->json)
		ret = lab_report_json(stdout, &report);
	else if (!ret)
		tool_print_report(&report, options);
	if (ret) {
		tool_print_error(options, ret);
		goto out;
	}
	tool_warn_losses(&log, options);
	tool_warn_refusals(&log.malformed, options);
	tool_warn_refusals(&report.runs.run[0].result.refused, options);
	status = tool_runs_status(&report.runs);
out:
	lab_runs_fini(&report.runs);
	log_fini(&log);
	return status;
}

/* Makes further runs for a report: with pins by folio, and with the options of @plan. */
static int tool_study_more(struct lab_runs *runs, const struct log *log,
			   const struct options *options, const struct lab_plan *plan)
{
	struct options more = *options;
	struct lab_report report = {0};
	int ret;

	more.plan = *plan;
	more.plan.pins = LAB_PINS_FOLIO;
	ret = tool_run_policies(&report, log, &more);
	*runs = report.runs;
	return ret;
}

/* Makes the runs of one log with one backing, and adds them to a report. */
static int tool_study_backing(json_t *study, const struct log *log, const struct options *options,
			      const char *sha256)
{
	static struct study_runs runs; /* too large for a stack */
	struct lab_plan told = options->plan, other_rmp = told;
	int ret;

	memset(&runs, 0, sizeof(runs));
	told.policies = 1U << POLICIES_ADAPTIVE;
	told.opts.told = 10;
	other_rmp.opts.rmp_sticky = !other_rmp.opts.rmp_sticky;
	ret = tool_run_policies(&runs.report, log, options);
	if (!ret)
		ret = tool_study_more(&runs.told, log, options, &told);
	if (!ret)
		ret = tool_study_more(&runs.other_rmp, log, options, &other_rmp);
	if (!ret && tool_runs_status(&runs.report.runs) == TOOL_UNUSABLE)
		ret = -EIO;
	if (!ret)
		ret = study_add(study, &runs, sha256);
	if (!ret)
		tool_warn_refusals(&runs.report.runs.run[0].result.refused, options);
	if (!ret && tool_runs_status(&runs.report.runs) == TOOL_SOME_REFUSED)
		ret = TOOL_SOME_REFUSED;
	lab_runs_fini(&runs.report.runs);
	lab_runs_fini(&runs.told);
	lab_runs_fini(&runs.other_rmp);
	return ret;
}

/*
 * Adds the log options->name to a report. Returns an exit status, or -errno after it has printed
 * why.
 */
static int tool_study_log(json_t *study, struct options *options)
{
	static const unsigned int orders[] = {GMS_ORDER_2M, GMS_ORDER_1G};
	const unsigned int given = options->plan.opts.folio_order;
	const bool is_file = strcmp(options->name, "-") != 0;
	char sha256[SHA256_DIGEST_STRING_LENGTH];
	struct log log;
	int ret = -EIO;

	if (!tool_read_log(&log, options))
		goto out;
	if (is_file && !SHA256File(options->name, sha256)) {
		options_error("%s: %s", options->name, strerror(errno));
		goto out;
	}
	ret = 0;
	for (size_t i = 0; ret >= 0 && i < sizeof(orders) / sizeof(*orders); i++) {
		if (options->has_backing && orders[i] != given)
			continue;
		options->plan.opts.folio_order = orders[i];
		ret = tool_study_backing(study, &log, options, is_file ? sha256 : NULL);
	}
	options->plan.opts.folio_order = given;
	if (ret == -ENOSPC)
		options_error("%s: more than %d cases: give fewer logs, or --backing",
			      options->name, STUDY_MAX_CASES);
	else if (ret < 0)
		tool_print_error(options, ret);
	tool_warn_losses(&log, options);
	tool_warn_refusals(&log.malformed, options);
out:
	log_fini(&log);
	return ret;
}

static int tool_study(struct options *options)
{
	json_t *study = study_new(&options->plan);
	int status = TOOL_APPLIED, ret = study ? 0 : -ENOMEM;

	options->plan.policies = (1U << POLICIES_NR) - 1;
	options->plan.pins = LAB_PINS_BOTH;
	for (; ret >= 0 && *options->names; options->names++) {
		options->name = *options->names;
		ret = tool_study_log(study, options);
		if (ret > status)
			status = ret;
	}
	if (ret >= 0)
		ret = study_end(study);
	if (!ret && options->json)
		return tool_json_write(stdout, study) ? TOOL_UNUSABLE : status;
	if (!ret)
		study_text(stdout, study);
	json_decref(study);
	return ret ? TOOL_UNUSABLE : status;
}

static int tool_print_costs(const struct options *options)
{
	json_t *json = json_pack("{s:s, s:o}", "schema", COSTS_SCHEMA, "costs",
				 costs_json(&options->costs));

	return tool_json_write(stdout, json) ? TOOL_UNUSABLE : TOOL_APPLIED;
}

static int tool_generate(const struct options *options)
{
	const struct gen_opts opts = {options->name, options->nr_pages, options->nr_vcpus,
				      options->seed};
	int ret = gen_run(stdout, &opts);

	if (!ret)
		return TOOL_APPLIED;
	if (ret == -ERANGE) {
		options_error("gen: --size is from 256M to 16T");
		return TOOL_UNUSABLE;
	}
	if (ret == -ENOSPC) {
		options_error("gen: %s does not fit: give a larger --size, or fewer --vcpus",
			      options->name);
		return TOOL_UNUSABLE;
	}
	options_error("gen: %s: no such workload (see gmemstate help gen)", options->name);
	return TOOL_UNUSABLE;
}

static int tool_selftest(const struct options *options)
{
	struct selftest test = {.seed = options->seed};
	const bool good = selftest_run(&test, SELFTEST_NS);
	char conversions[UNITS_TEXT_SIZE], queries[UNITS_TEXT_SIZE], refused[UNITS_TEXT_SIZE];

	printf("gmemstate %s\n", GMS_VERSION);
	printf("Library   %s conversions (%s found no memory), %s queries,\n"
	       "          %" PRIu64 " walks over all pages and snapshots, in %.1f s, seed %" PRIu64
	       "\n",
	       units_count(conversions, test.nr_conversions), units_count(refused, test.nr_refused),
	       units_count(queries, test.nr_queries), test.nr_walks, (double)test.ns / 1e9,
	       test.seed);
	printf("          %s%s%s%s\n", term_style(stdout, good ? TERM_GREEN : TERM_RED),
	       good ? "all as it should be" : "WRONG: ", test.reason,
	       term_style(stdout, TERM_PLAIN));
#ifdef GMS_WITH_KVM
	selftest_kvm(stdout);
#endif
	return good ? TOOL_APPLIED : TOOL_SOME_REFUSED;
}

/* Runs the command. Returns the exit status. */
static int tool_run(struct options *options)
{
	struct log log;

	switch (options->command) {
	case COMMAND_REPORT:
		return tool_study(options);
	case COMMAND_DUMP:
		return tool_dump(options);
	case COMMAND_GEN:
		return tool_generate(options);
	case COMMAND_COSTS:
		return tool_print_costs(options);
	case COMMAND_SELFTEST:
		return tool_selftest(options);
	default:
		if (options->plan.policies)
			return tool_compare(options);
		return tool_replay(&log, tool_read_log(&log, options), options);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	int status = options_read(&options, argc, argv);

	if (status < 0)
		status = tool_run(&options);
	options_fini(&options);
	/* Lost output (a full disk, a closed pipe) is an error. */
	if (fflush(stdout) || ferror(stdout)) {
		options_error("standard output: %s", strerror(errno));
		status = TOOL_UNUSABLE;
	}
	return status;
}
