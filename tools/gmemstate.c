// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gmemstate.c - the command: options, files, exit status
 */
#include "replay.h"
#include "report.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <popt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Exit status. */
enum { APPLIED = 0, SOME_REFUSED = 1, UNUSABLE = 2 };

struct options {
	bool dump;
	bool json;
	bool init_private;
	enum log_format format;
	uint64_t nr_pages;
	const char *name;
};

static const char help[] =
	"\n"
	"replay  apply a log of conversions and print what came of it\n"
	"dump    apply a log and print the runs of the final state, a line each: first byte,\n"
	"        byte after the last, 4K pages, shareability\n"
	"\n"
	"FILE is what a host wrote; - is standard input. A format is found by content:\n"
	"  ftrace  Linux's kvm_vm_set_mem_attributes: trace_pipe, the trace file, or\n"
	"          trace-cmd report. Attribute bit 3 is private, other bits are ignored\n"
	"  qemu    QEMU's trace event kvm_convert_memory, with or without a time stamp\n"
	"  csv     time_us,op,gpa_bytes,size_bytes; op accept or to_private makes private,\n"
	"          to_shared shared; host_read, host_write, guest_touch and free are counted\n"
	"The first event in the log tells; lines of other formats are other lines then.\n"
	"\n"
	"The log is taken for one VM with one flat memory object: a guest frame number is an\n"
	"index. Several VMs in one log are not told apart, as the kernel's event does not say\n"
	"whose it is: record one VM (set_event_pid), or pick its lines beforehand.\n"
	"\n"
	"SIZE is in bytes or ends in K, M, G, T or P, and is a whole number of 4K pages. Not\n"
	"given, it is how far the log's conversions reach, rounded up to a whole 1G. Guests\n"
	"of SNP and TDX start private, but pages are shared at first unless --init says so.\n"
	"\n"
	"Events that cannot be read are malformed, those that the object cannot take refused:\n"
	"both are named by line, and the replay goes on. Other lines are counted. Gaps that\n"
	"the log admits to (events lost) are reported: the final state may be wrong then.\n"
	"\n"
	"Exit status: 0 all applied; 1 some not applied; 2 unusable input or options.\n";

__attribute__((format(printf, 1, 2))) static void error(const char *format, ...)
{
	va_list args;

	fputs("gmemstate: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static bool set_size(struct options *options, const char *text)
{
	uint64_t bytes, start;
	int ret = units_parse_size(text, &bytes);

	if (ret == -EINVAL)
		error("--size %s: not a size such as 16G, 512M, 2T or a number of bytes", text);
	else if (ret || bytes >> GMS_PAGE_SHIFT > GMS_MAX_PAGES)
		error("--size %s: more than the largest object, 4P", text);
	else if (gms_range_from_bytes(0, bytes, &start, &options->nr_pages))
		error("--size %s: not a whole number of 4K pages, at least one", text);
	else
		return true;
	return false;
}

static bool set_init(struct options *options, const char *text)
{
	options->init_private = !strcmp(text, "private");
	if (options->init_private || !strcmp(text, "shared"))
		return true;
	error("--init %s: neither shared nor private", text);
	return false;
}

static bool set_format(struct options *options, const char *text)
{
	for (enum log_format format = LOG_AUTO; format <= LOG_CSV; format++) {
		if (!strcmp(text, log_format_name(format))) {
			options->format = format;
			return true;
		}
	}
	error("--format %s: none of auto, ftrace, qemu, csv", text);
	return false;
}

static bool set_option(struct options *options, int option, const char *text)
{
	switch (option) {
	case 's':
		return set_size(options, text);
	case 'i':
		return set_init(options, text);
	case 'f':
		return set_format(options, text);
	default:
		options->json = true;
		return true;
	}
}

static bool set_arguments(struct options *options, poptContext context)
{
	const char *command = poptGetArg(context);

	if (!command) {
		error("no command: replay or dump (--help tells more)");
		return false;
	}
	options->dump = !strcmp(command, "dump");
	if (!options->dump && strcmp(command, "replay")) {
		error("%s: no such command; there are replay and dump", command);
		return false;
	}
	options->name = poptGetArg(context);
	if (!options->name) {
		error("%s: no log given; - is standard input", command);
		return false;
	}
	if (poptPeekArg(context)) {
		error("%s: one log at a time", poptPeekArg(context));
		return false;
	}
	return true;
}

/* Returns an exit status where the program is to end here, else -1. */
static int read_options(struct options *options, poptContext context)
{
	int option;

	while ((option = poptGetNextOpt(context)) >= 0) {
		char *text;
		bool good;

		if (option == 'h') {
			poptPrintHelp(context, stdout, 0);
			fputs(help, stdout);
			return APPLIED;
		}
		if (option == 'v') {
			puts("gmemstate " GMS_VERSION);
			return APPLIED;
		}
		text = poptGetOptArg(context);
		good = set_option(options, option, text);
		free(text);
		if (!good)
			return UNUSABLE;
	}
	if (option < -1) {
		error("%s: %s", poptBadOption(context, POPT_BADOPTION_NOALIAS),
		      poptStrerror(option));
		return UNUSABLE;
	}
	return set_arguments(options, context) ? -1 : UNUSABLE;
}

static bool read_log(struct log *log, const struct options *options)
{
	bool is_stdin = !strcmp(options->name, "-");
	FILE *file = is_stdin ? stdin : fopen(options->name, "r");
	int ret;

	memset(log, 0, sizeof(*log));
	if (!file) {
		error("%s: %s", options->name, strerror(errno));
		return false;
	}
	ret = log_read(log, file, options->format);
	if (!is_stdin)
		fclose(file);
	if (ret) {
		error("%s: %s", options->name, strerror(-ret));
		return false;
	}
	if (log->nr_events || log->nr_other_events || log->malformed.total)
		return true;
	error("%s: no %s event in %" PRIu64 " lines", options->name,
	      options->format == LOG_AUTO ? "known" : log_format_name(options->format),
	      log->nr_lines);
	return false;
}

static bool run_replay(struct replay *replay, const struct log *log, const struct options *options)
{
	int ret = replay_run(replay, log, options->nr_pages, options->init_private);

	if (ret == -ENODATA)
		error("%s: no conversion that could be read tells the size: give --size",
		      options->name);
	else if (ret)
		error("%s: %s", options->name, strerror(-ret));
	return !ret;
}

/* To stderr, as not every output has room for it. */
static void warn(const struct log *log, const struct replay *replay, const struct options *options)
{
	if (log->nr_lost || log->nr_lost_gaps)
		error("%s: warning: %" PRIu64 " events lost, and %" PRIu64
		      " gaps of unknown size: the final state may be wrong",
		      options->name, log->nr_lost, log->nr_lost_gaps);
	if (!options->dump)
		return;
	for (size_t i = 0; i < replay->refused.nr_listed && i < REPORT_REFUSALS; i++)
		error("%s:%" PRIu64 ": %s: %s", options->name, replay->refused.list[i].line,
		      replay->refused.list[i].malformed ? "malformed" : "refused",
		      replay->refused.list[i].reason);
	if (replay->refused.total > REPORT_REFUSALS)
		error("%s: and %" PRIu64 " more not applied", options->name,
		      replay->refused.total - REPORT_REFUSALS);
}

static int report(const struct log *log, const struct replay *replay, const struct options *options)
{
	int ret = 0;

	if (options->dump && options->json)
		ret = report_runs_json(stdout, options->name, log, replay);
	else if (options->dump)
		report_runs(stdout, replay);
	else if (options->json)
		ret = report_json(stdout, options->name, log, replay);
	else
		report_table(stdout, options->name, log, replay);
	return ret;
}

static int run(const struct options *options)
{
	struct replay replay = {0};
	int status = UNUSABLE, ret;
	struct log log;

	if (!read_log(&log, options))
		goto out;
	if (!run_replay(&replay, &log, options))
		goto out;
	warn(&log, &replay, options);
	ret = report(&log, &replay, options);
	if (ret)
		error("%s", strerror(-ret));
	else
		status = replay.refused.total ? SOME_REFUSED : APPLIED;
out:
	replay_fini(&replay);
	log_fini(&log);
	return status;
}

int main(int argc, const char **argv)
{
	/* clang-format off */
	const struct poptOption table[] = {
		{ "size", '\0', POPT_ARG_STRING, NULL, 's', "Size of the guest's memory", "SIZE" },
		{ "init", '\0', POPT_ARG_STRING, NULL, 'i',
		  "What every page is at first (default: shared)", "shared|private" },
		{ "format", '\0', POPT_ARG_STRING, NULL, 'f',
		  "Format of the log (default: auto)", "auto|ftrace|qemu|csv" },
		{ "json", '\0', POPT_ARG_NONE, NULL, 'j', "Print JSON", NULL },
		{ "help", 'h', POPT_ARG_NONE, NULL, 'h', "Print this help", NULL },
		{ "version", '\0', POPT_ARG_NONE, NULL, 'v', "Print the version", NULL },
		POPT_TABLEEND
	};
	/* clang-format on */
	struct options options = {.format = LOG_AUTO};
	poptContext context;
	int status;

	context = poptGetContext("gmemstate", argc, argv, table, 0);
	if (!context) {
		error("%s", strerror(ENOMEM));
		return UNUSABLE;
	}
	poptSetOtherOptionHelp(context, "replay|dump [OPTION...] FILE|-");
	status = read_options(&options, context);
	if (status < 0)
		status = run(&options);
	poptFreeContext(context);
	/* Output that did not arrive is no success: a full disk, a closed pipe. */
	if (fflush(stdout) || ferror(stdout)) {
		error("standard output: %s", strerror(errno));
		status = UNUSABLE;
	}
	return status;
}
