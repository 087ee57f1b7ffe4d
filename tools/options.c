// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * options.c - the command line
 *
 * Invariant: options_read() accepts a command line only if each option fits the command.
 */
#include "options.h"

#include "gen.h"
#include "units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char options_help[] =
	"\n"
	"replay  apply the conversions of a log and print what they did; with --policy: print\n"
	"        what each policy does to huge folios\n"
	"report  replay logs under every policy, with folios of 2M and of 1G, and print a report "
	"for a\n"
	"        mail: what the choices save, from which uptime on, what that depends on, a "
	"verdict\n"
	"costs   print the price of each kind of work, as a file for --costs\n"
	"dump    apply the conversions of a log and print the runs of the final state, one a "
	"line:\n"
	"        first byte, byte after the last, 4K pages, shareability\n"
	"gen     generate a log and print it as CSV. WORKLOAD is snp-boot, snp-lazy-accept, tdx,\n"
	"        pkvm, dpdk or pieces. --size is the size of the guest's memory, from 256M to 16T. "
	"An\n"
	"        x86 guest of 2.75G or more has 2G below 2G and the rest above 4G. --vcpus is from "
	"1\n"
	"        to 1024, by default one for each 2G, at most 64; --seed changes the random\n"
	"        choices. A log has at most 110,000 rows: for a large guest each row covers\n"
	"        more memory, or the guest uses less of its memory\n"
	"\n"
	"FILE is a log that a host wrote; - is standard input. It may be compressed (gzip, xz,\n"
	"zstd, bzip2, lz4), or a trace.dat of trace-cmd. docs/recording.md says how to record\n"
	"one. The first event in the log decides its format, and lines of other formats are then\n"
	"counted as other lines. Formats:\n"
	"  ftrace  Linux's kvm_vm_set_mem_attributes: trace_pipe, the trace file, trace-cmd,\n"
	"          perf script, or the kernel's messages. Attribute bit 3 is private, other bits\n"
	"          are ignored. Also kprobe events named gmem_convert and gmem_fault\n"
	"  qemu    QEMU's trace event kvm_convert_memory, with or without a time stamp\n"
	"  csv     time_us,op,gpa_bytes,size_bytes. accept and to_private make the range private,\n"
	"          to_shared makes it shared; host_read, host_write, guest_touch and free are\n"
	"          counted, and replayed with --policy\n"
	"Comment lines before the first event may be notes: \"# arch: snp\" (tdx, pkvm), \"# "
	"init:\n"
	"private\" (shared), \"# ram: 0x0-0x80000000\" (first byte, byte after the last; again "
	"for\n"
	"each further range), \"# vcpus: 8\".\n"
	"\n"
	"A log is of one VM with one flat memory object: a guest frame number is an index.\n"
	"The tool cannot separate several VMs in one log, because the kernel's event does not\n"
	"name the VM. Record one VM only (set_event_pid), or first select the lines with the pid\n"
	"of its process.\n"
	"\n"
	"SIZE is in bytes, or ends in K, M, G, T or P. It is a whole number of 4K pages. Without\n"
	"--size, the size is the end of the highest conversion, or of the RAM that notes name,\n"
	"rounded up to a whole 1G.\n"
	"\n"
	"--init auto: all pages are private at first if the log shows it: a line shares, or a\n"
	"guest accepts, memory that no line before converted, as in QEMU's logs of SNP and TDX.\n"
	"Devices outside of RAM do not count. Else all pages are shared at first.\n"
	"\n"
	"An event that cannot be read is malformed; a conversion that the library does not take "
	"is\n"
	"refused. Both are reported by line, and the replay goes on. Other lines are counted. If\n"
	"the log says that it lost events, that is reported: the final state may be wrong.\n"
	"\n"
	"--policy NAME replays the log on a simulated machine under one policy, and prints all\n"
	"numbers; if NAME is all, once under each policy, and prints the numbers that matter. A\n"
	"report takes the options of --policy, too, but for --pins. The\n"
	"policies differ in when they split a huge folio, in what becomes 4K, and in the steps:\n"
	"  eager-rfc         at once; all that is shared; 1G to 4K in one step\n"
	"  eager             at once; all that is shared; 1G to 2M to 4K\n"
	"  eager-nonuniform  at once; only what is mixed; 1G to 2M to 4K\n"
	"  lazy-4k           at the host's touch; all that is shared; 1G to 4K in one step\n"
	"  lazy              at the host's touch; only what is mixed; 1G to 2M to 4K\n"
	"  adaptive          as lazy, and merges when small mappings have cost enough\n"
	"In a replay\n"
	"  accept       converts to private; then the guest touches the range\n"
	"  guest_touch  the guest faults, and private pages are prepared\n"
	"  host_read, host_write\n"
	"               the host faults the pages and pins them for --pin-time; the guest touches\n"
	"               them, too. --pins folio: a pin keeps its whole folio from becoming "
	"private,\n"
	"               as in a kernel; --pins page: a pin keeps its page only\n"
	"  free         with --punch, punches a hole; else does nothing, because a real guest "
	"does\n"
	"               not tell the host what it frees\n"
	"--touch all: the host touches all that becomes shared, at once, and the guest uses all\n"
	"memory. --touch accessed: only what the log says; the guest of an ftrace or qemu log "
	"uses\n"
	"all memory. A log without an access of the host is replayed twice: the host touches\n"
	"nothing, or all that is shared.\n"
	"\n"
	"If a pin makes a call fail, the caller waits for the end of the pin. The policy may "
	"merge\n"
	"every 100 ms of the log's time; in a log without times each event takes 1 ms.\n"
	"\n"
	"A run takes at most 67,108,864 steps, some 20 seconds. A step is a fault, or a block of "
	"2M\n"
	"that an event covers.\n"
	"\n"
	"Cycles are simulated: they compare policies and forecast nothing. `gmemstate costs` "
	"prints\n"
	"each price with its kind and source, as a file for --costs.\n"
	"\n"
	"Exit status: 0: all was applied; 1: some was not applied; 2: unusable input or options.\n";

void options_error(const char *format, ...)
{
	va_list args;

	fputs("gmemstate: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static bool options_set_size(struct options *options, const char *text)
{
	uint64_t bytes, start;
	int ret = units_parse_size(text, &bytes);

	if (ret == -EINVAL)
		options_error("--size %s: not a size such as 16G, 1.5GiB, 512M or 0x40000000",
			      text);
	else if (ret == -ERANGE || (!ret && bytes >> GMS_PAGE_SHIFT > GMS_MAX_PAGES))
		options_error("--size %s: more than the largest object, 4P", text);
	else if (ret || gms_range_from_bytes(0, bytes, &start, &options->nr_pages))
		options_error("--size %s: has to be a whole number of 4K pages, and not 0", text);
	else
		return true;
	return false;
}

static bool options_set_policy(struct options *options, const char *text)
{
	const enum policies_id id = policies_find(text);

	options->plan.policies = 1U << id;
	if (!strcmp(text, "all"))
		options->plan.policies = (1U << POLICIES_NR) - 1;
	if (id < POLICIES_NR || !strcmp(text, "all"))
		return true;
	fprintf(stderr, "gmemstate: --policy %s: none of", text);
	for (unsigned int i = 0; i < POLICIES_NR; i++)
		fprintf(stderr, " %s,", policies_words[i].name);
	fputs(" all\n", stderr);
	return false;
}

static bool options_set_backing(struct options *options, const char *text)
{
	for (unsigned int order = GMS_ORDER_4K; order <= GMS_ORDER_1G; order += GMS_ORDER_2M) {
		if (!strcasecmp(text, lab_report_backing_name(order))) {
			options->plan.opts.folio_order = order;
			options->has_backing = true;
			return true;
		}
	}
	options_error("--backing %s: none of 1G, 2M, 4K", text);
	return false;
}

/* Finds a text in a list of @nr names. Prints an error, and returns false, if it is not there. */
static bool options_choose(const char *option, const char *text, const char *const *names,
			   unsigned int nr, unsigned int *chosen)
{
	for (*chosen = 0; *chosen < nr; ++*chosen) {
		if (!strcmp(text, names[*chosen]))
			return true;
	}
	fprintf(stderr, "gmemstate: --%s %s: none of", option, text);
	for (unsigned int i = 0; i < nr; i++)
		fprintf(stderr, " %s%s", names[i], i + 1 < nr ? "," : "\n");
	return false;
}

static bool options_set_pins(struct options *options, const char *text)
{
	static const char *const names[] = {"both", "folio", "page"};
	unsigned int chosen;

	if (!options_choose("pins", text, names, 3, &chosen))
		return false;
	options->plan.pins = (enum lab_pins_by)chosen;
	return true;
}

static bool options_set_touched(struct options *options, const char *text)
{
	static const char *const names[] = {"accessed", "all"};
	unsigned int chosen;

	if (!options_choose("touch", text, names, 2, &chosen))
		return false;
	options->plan.touched = chosen ? LAB_TOUCHED_ALL : LAB_TOUCHED_ACCESSED;
	return true;
}

static bool options_set_rmp(struct options *options, const char *text)
{
	static const char *const names[] = {"heals", "sticky"};
	unsigned int chosen;

	if (!options_choose("rmp", text, names, 2, &chosen))
		return false;
	options->plan.opts.rmp_sticky = chosen;
	return true;
}

static bool options_set_arch(struct options *options, const char *text)
{
	const char *names[COSTS_NR_ARCHS];
	unsigned int chosen;

	for (unsigned int i = 0; i < COSTS_NR_ARCHS; i++)
		names[i] = costs_arch_name((enum costs_arch)i);
	if (!options_choose("arch", text, names, COSTS_NR_ARCHS, &chosen))
		return false;
	options->plan.opts.arch = (enum costs_arch)chosen;
	options->has_arch = true;
	return true;
}

static bool options_set_pin_time(struct options *options, const char *text)
{
	char *end;
	const double ms = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(ms <= 1e9)) {
		options_error("--pin-time %s: not milliseconds from 0 to 1e9", text);
		return false;
	}
	options->plan.opts.pin_us = (uint64_t)(ms * 1000);
	return true;
}

static bool options_set_rent(struct options *options, const char *text)
{
	if (!costs_set_rent(&options->costs, text))
		return true;
	options_error("--rent %s: not two rents such as 150000,7500000 or 10%%,1%%", text);
	return false;
}

static bool options_set_costs(struct options *options, const char *text)
{
	FILE *file = fopen(text, "r");
	char error[160];
	int ret;

	if (!file) {
		options_error("--costs %s: %s", text, strerror(errno));
		return false;
	}
	ret = costs_read(&options->costs, file, error, sizeof(error));
	fclose(file);
	if (ret)
		options_error("--costs %s: %s", text, ret == -EINVAL ? error : strerror(-ret));
	return !ret;
}

/* Reads a number without a sign. */
static bool options_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool options_set_seed(struct options *options, const char *text)
{
	if (options_number(text, &options->seed))
		return true;
	options_error("--seed %s: not a number of 64 bits", text);
	return false;
}

static bool options_set_vcpus(struct options *options, const char *text)
{
	uint64_t nr;

	if (!options_number(text, &nr) || !nr || nr > GEN_MAX_VCPUS) {
		options_error("--vcpus %s: not a number from 1 to %d", text, GEN_MAX_VCPUS);
		return false;
	}
	options->nr_vcpus = (unsigned int)nr;
	return true;
}

static bool options_set_init(struct options *options, const char *text)
{
	options->init_private = !strcmp(text, "private");
	options->init_given = options->init_private || !strcmp(text, "shared");
	if (options->init_given || !strcmp(text, "auto"))
		return true;
	options_error("--init %s: none of auto, shared, private", text);
	return false;
}

static bool options_set_format(struct options *options, const char *text)
{
	for (enum log_format format = LOG_AUTO; format <= LOG_CSV; format++) {
		if (!strcmp(text, log_format_name(format))) {
			options->format = format;
			return true;
		}
	}
	options_error("--format %s: none of auto, ftrace, qemu, csv", text);
	return false;
}

static bool options_set_option(struct options *options, int option, const char *text)
{
	switch (option) {
	case 's':
		return options_set_size(options, text);
	case 'i':
		return options_set_init(options, text);
	case 'f':
		return options_set_format(options, text);
	case 'p':
		return options_set_policy(options, text);
	case 'b':
		return options_set_backing(options, text);
	case 'n':
		return options_set_pins(options, text);
	case 'e':
		return options_set_seed(options, text);
	case 'o':
		return options_set_touched(options, text);
	case 'm':
		return options_set_rmp(options, text);
	case 'a':
		return options_set_arch(options, text);
	case 't':
		return options_set_pin_time(options, text);
	case 'r':
		return options_set_rent(options, text);
	case 'c':
		return options_set_costs(options, text);
	case 'k':
		return options_set_vcpus(options, text);
	case 'u':
		options->plan.opts.punch = true;
		return true;
	case 'x':
		options->text = true;
		return true;
	default:
		options->json = true;
		return true;
	}
}

/* The letters of the options that need --policy. */
#define OPTIONS_LAB "bntomrcau"

/*
 * @takes: the letters of the options that the command accepts. The options that need --policy are
 * not among them: options_fit() knows those.
 * @lacks: the error if the command is given no argument.
 */
static const struct {
	const char *name;
	const char *takes;
	const char *lacks;
} options_commands[] = {
	[OPTIONS_REPLAY] = {"replay", "sifjp", "no log given; - is standard input"},
	[OPTIONS_DUMP] = {"dump", "sifj", "no log given; - is standard input"},
	[OPTIONS_GEN] = {"gen", "sek", "no workload given"},
	[OPTIONS_REPORT] = {"report", "sifjxbtomrcau", "no log given"},
	[OPTIONS_COSTS] = {"costs", "rc", NULL},
};

static bool options_set_command(struct options *options, const char *name)
{
	if (!name) {
		options_error("no command given: replay, report, dump, gen or costs (see --help)");
		return false;
	}
	for (enum options_command command = OPTIONS_REPLAY; command <= OPTIONS_COSTS; command++) {
		options->command = command;
		if (!strcmp(name, options_commands[command].name))
			return true;
	}
	options_error("%s: no such command; the commands are replay, report, dump, gen and costs",
		      name);
	return false;
}

static bool options_set_arguments(struct options *options)
{
	if (!options_set_command(options, poptGetArg(options->context)))
		return false;
	options->name = poptGetArg(options->context);
	if (options->command == OPTIONS_REPORT && options->name)
		options->more = poptGetArgs(options->context);
	if (options->command == OPTIONS_COSTS && !options->name)
		return true;
	if (!options->name) {
		options_error("%s: %s", options_commands[options->command].name,
			      options_commands[options->command].lacks);
		return false;
	}
	if (options->command == OPTIONS_COSTS) {
		options_error("%s: costs takes no argument", options->name);
		return false;
	}
	if (options->command != OPTIONS_REPORT && poptPeekArg(options->context)) {
		options_error("%s: one %s at a time", poptPeekArg(options->context),
			      options->command == OPTIONS_GEN ? "workload" : "log");
		return false;
	}
	return true;
}

/* clang-format off */
static const struct poptOption options_table[] = {
	{ "size", '\0', POPT_ARG_STRING, NULL, 's', "Size of the guest's memory", "SIZE" },
	{ "init", '\0', POPT_ARG_STRING, NULL, 'i',
	  "State of every page at first (default: auto)", "auto|shared|private" },
	{ "format", '\0', POPT_ARG_STRING, NULL, 'f',
	  "Format of the log (default: auto)", "auto|ftrace|qemu|csv" },
	{ "json", '\0', POPT_ARG_NONE, NULL, 'j', "Print JSON", NULL },
	{ "text", '\0', POPT_ARG_NONE, NULL, 'x', "With report: print text (the default)", NULL },
	{ "policy", '\0', POPT_ARG_STRING, NULL, 'p',
	  "Replay on a simulated machine", "NAME|all" },
	{ "backing", '\0', POPT_ARG_STRING, NULL, 'b',
	  "With --policy: size of the folios (default: 1G)", "1G|2M|4K" },
	{ "pins", '\0', POPT_ARG_STRING, NULL, 'n',
	  "With --policy: what a pin keeps from becoming private (default: both)",
	  "folio|page|both" },
	{ "pin-time", '\0', POPT_ARG_STRING, NULL, 't',
	  "With --policy: how long the host pins what it accesses (default: 1)", "MS" },
	{ "touch", '\0', POPT_ARG_STRING, NULL, 'o',
	  "With --policy: what is touched", "accessed|all" },
	{ "rmp", '\0', POPT_ARG_STRING, NULL, 'm',
	  "With --policy: a broken RMP or S-EPT entry stays 4K (default: heals)",
	  "heals|sticky" },
	{ "rent", '\0', POPT_ARG_STRING, NULL, 'r',
	  "With --policy: cycles a second, or loss, for 2M mapped by 4K, and 1G by 2M "
	  "(default: 10%,1%)", "N,N" },
	{ "costs", '\0', POPT_ARG_STRING, NULL, 'c',
	  "With --policy: prices of the work", "FILE" },
	{ "arch", '\0', POPT_ARG_STRING, NULL, 'a',
	  "With --policy: the architecture (default: the log's, or snp)", "snp|tdx|pkvm" },
	{ "punch", '\0', POPT_ARG_NONE, NULL, 'u',
	  "With --policy: punch a hole where the guest frees", NULL },
	{ "vcpus", '\0', POPT_ARG_STRING, NULL, 'k',
	  "With gen: number of vCPUs", "N" },
	{ "seed", '\0', POPT_ARG_STRING, NULL, 'e',
	  "With gen: seed of all random choices (default: 0)", "N" },
	{ "help", 'h', POPT_ARG_NONE, NULL, 'h', "Print this help", NULL },
	{ "version", '\0', POPT_ARG_NONE, NULL, 'v', "Print the version", NULL },
	POPT_TABLEEND
};
/* clang-format on */

/*
 * @given has the letters of the options that were given. Returns true if the command takes all of
 * them, and if they include the option that it needs (gen: --size).
 */
static bool options_fit(const struct options *options, const char *given)
{
	const char *takes = options_commands[options->command].takes;

	for (const struct poptOption *option = options_table; option->longName; option++) {
		if (!strchr(given, option->val) || strchr(takes, option->val))
			continue;
		if (options->command == OPTIONS_REPLAY && strchr(OPTIONS_LAB, option->val)) {
			if (options->plan.policies)
				continue;
			options_error("--%s: only with --policy", option->longName);
		} else {
			options_error("--%s: not for %s", option->longName,
				      options_commands[options->command].name);
		}
		return false;
	}
	if (options->command == OPTIONS_REPORT && options->has_backing &&
	    !options->plan.opts.folio_order) {
		options_error("--backing 4K: a report is about folios of 2M or 1G");
		return false;
	}
	if (options->text && options->json) {
		options_error("--text: not with --json");
		return false;
	}
	if (options->command == OPTIONS_GEN && !options->nr_pages) {
		options_error("gen: no --size given");
		return false;
	}
	return true;
}

int options_read(struct options *options, int argc, const char **argv)
{
	char given[sizeof(options_table) / sizeof(*options_table)] = "";
	int option;

	*options = (struct options) {
		.format = LOG_AUTO,
		.plan.opts = {.folio_order = GMS_ORDER_1G, .pin_us = LAB_PIN_US},
	};
	costs_init(&options->costs);
	options->plan.opts.costs = &options->costs;
	options->context = poptGetContext("gmemstate", argc, argv, options_table, 0);
	if (!options->context) {
		options_error("%s", strerror(ENOMEM));
		return TOOL_UNUSABLE;
	}
	poptSetOtherOptionHelp(options->context,
			       "replay|dump [OPTION...] FILE|-\n"
			       "       gmemstate report [--text|--json] [OPTION...] FILE...\n"
			       "       gmemstate costs [--costs FILE] [--rent N,N]\n"
			       "       gmemstate gen --size SIZE [--vcpus N] [--seed N] WORKLOAD");
	while ((option = poptGetNextOpt(options->context)) >= 0) {
		char *text;
		bool good;

		if (option == 'h') {
			poptPrintHelp(options->context, stdout, 0);
			fputs(options_help, stdout);
			return TOOL_APPLIED;
		}
		if (option == 'v') {
			puts("gmemstate " GMS_VERSION);
			return TOOL_APPLIED;
		}
		text = poptGetOptArg(options->context);
		good = options_set_option(options, option, text);
		free(text);
		if (!good)
			return TOOL_UNUSABLE;
		if (!strchr(given, option))
			given[strlen(given)] = (char)option;
	}
	if (option < -1) {
		options_error("%s: %s", poptBadOption(options->context, POPT_BADOPTION_NOALIAS),
			      poptStrerror(option));
		return TOOL_UNUSABLE;
	}
	return options_set_arguments(options) && options_fit(options, given) ? -1 : TOOL_UNUSABLE;
}

void options_fini(struct options *options)
{
	poptFreeContext(options->context);
	costs_fini(&options->costs);
}
