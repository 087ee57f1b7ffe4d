// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * help.c - the help of the tool: see help.h
 */
#include "help.h"

#include "commands.h"
#include "term.h"

#include <string.h>
#include <strings.h>

/* Where the text of an option begins. */
#define HELP_INDENT 22

static const char help_replay[] =
	"Applies the conversions of a log to a state object, and prints what they did:\n"
	"the pages that changed, runs, mixed blocks, the library's memory and speed. An\n"
	"event that cannot be read is malformed; a conversion that the library does not\n"
	"take is refused. Both are reported by line, and the replay goes on. If the log\n"
	"says that it lost events, that is reported: the final state may be wrong.\n"
	"\n"
	"With --policy the log is replayed on a simulated machine, and what each policy\n"
	"does to huge folios is printed: for one policy all numbers, for all policies\n"
	"those that matter. See gmemstate help policies.\n";

static const char help_report[] =
	"Replays logs under every policy, with folios of 2M and of 1G, and prints a\n"
	"report for a mail: what the choices save, from which uptime on, what that\n"
	"depends on, and a verdict. It has room for four cases. A log has one for each\n"
	"size of folios, and twice as many if it lacks accesses: give two such logs\n"
	"with --backing. See gmemstate help policies, and docs/lab.md.\n";

static const char help_dump[] =
	"Applies the conversions of a log, and prints the runs of the final state, one a\n"
	"line: first byte, byte after the last, 4K pages, shareability.\n"
	"\n"
	"FILE may also be a snapshot, as --save and gms_snapshot_save() write it. A\n"
	"summary precedes its runs, in lines that begin with #. Behind the runs are the\n"
	"words quarantined, 4K or 2M (an inhibit: the largest mapping that the guest may\n"
	"have), and attrs= with the numbers of attributes. With --size, a snapshot of\n"
	"another size is refused.\n";

static const char help_gen[] =
	"Generates the log of a guest, and prints it as CSV. WORKLOAD is snp-boot,\n"
	"snp-lazy-accept, tdx, pkvm, dpdk or pieces. --size is the size of the guest's\n"
	"memory, from 256M to 16T. An x86 guest of 2.75G or more has 2G below 2G and the\n"
	"rest above 4G. There is a vCPU for each 2G, but at most 64, unless --vcpus says\n"
	"otherwise.\n"
	"\n"
	"A log has at most 110,000 rows: for a large guest each row covers more memory,\n"
	"or the guest uses less of its memory.\n";

static const char help_costs[] =
	"Prints the price of each kind of work, with its kind and source, as a file for\n"
	"--costs. Cycles are simulated: they compare policies and forecast nothing.\n";

static const char help_selftest[] =
	"Converts random ranges for a second, and compares the library in this build\n"
	"with an array of one byte a page: pages, summaries, runs, snapshots, and\n"
	"conversions that find no memory. Then it prints which ways of conversion the\n"
	"VMs of /dev/kvm offer; a machine without one passes, too.\n"
	"\n"
	"Exit status: 0: the library is right; 1: it is not.\n";

static const char help_help[] =
	"Prints the help of a command, or of a topic: logs, policies. Without an\n"
	"argument it lists the commands.\n";

static const char help_logs[] =
	"FILE is a log that a host wrote; - is standard input. It may be compressed\n"
	"(gzip, xz, zstd, bzip2, lz4), or a trace.dat of trace-cmd. docs/recording.md\n"
	"says how to record one. The first event in the log decides its format, and\n"
	"lines of other formats are then counted as other lines. Formats:\n"
	"\n"
	"  ftrace  Linux's kvm_vm_set_mem_attributes: trace_pipe, the trace file,\n"
	"          trace-cmd, perf script, or the kernel's messages. Attribute bit 3 is\n"
	"          private, other bits are ignored. Also kprobe events named gmem_convert\n"
	"          and gmem_fault\n"
	"  qemu    QEMU's trace event kvm_convert_memory, with or without a time stamp\n"
	"  csv     time_us,op,gpa_bytes,size_bytes. accept and to_private make the range\n"
	"          private, to_shared makes it shared; host_read, host_write, guest_touch\n"
	"          and free are counted, and replayed with --policy\n"
	"\n"
	"Comment lines before the first event may be notes: \"# arch: snp\" (tdx, pkvm),\n"
	"\"# init: private\" (shared), \"# ram: 0x0-0x80000000\" (first byte, byte after the\n"
	"last; again for each further range), \"# vcpus: 8\".\n"
	"\n"
	"A log is of one VM with one flat memory object: a guest frame number is an\n"
	"index. The tool cannot separate several VMs in one log, because the kernel's\n"
	"event does not name the VM. Record one VM only (set_event_pid), or first select\n"
	"the lines with the pid of its process.\n"
	"\n"
	"SIZE is a whole number of 4K pages: 512M, 16G, 16GiB, 1.5G, 0x40000000 or a\n"
	"number of bytes. Units are binary. Without --size, the size is the end of the\n"
	"highest conversion, or of the RAM that notes name, rounded up to a whole 1G.\n"
	"\n"
	"--init auto, the default: all pages are private at first if the log shows it: a\n"
	"line shares, or a guest accepts, memory that no line before converted, as in\n"
	"QEMU's logs of SNP and TDX. Devices outside of RAM do not count. Else all pages\n"
	"are shared at first.\n";

static const char help_policies[] =
	"The policies differ in when they split a huge folio, in what becomes 4K, and in\n"
	"the steps:\n"
	"\n"
	"  eager-rfc         at once; all that is shared; 1G to 4K at once\n"
	"  eager             at once; all that is shared; 1G to 2M to 4K\n"
	"  eager-nonuniform  at once; only what is mixed; 1G to 2M to 4K\n"
	"  eager-unmerged    as eager-nonuniform, and never merges\n"
	"  lazy-4k           at the host's touch; all that is shared; 1G to 4K at once\n"
	"  lazy              at the host's touch; only what is mixed; 1G to 2M to 4K\n"
	"  adaptive          as lazy, and merges when small mappings have cost enough\n"
	"\n"
	"In a replay with --policy, and in a report\n"
	"\n"
	"  accept       converts to private; then the guest touches the range\n"
	"  guest_touch  the guest faults, and private pages are prepared\n"
	"  host_read, host_write\n"
	"               the host faults the pages and pins them for --pin-time; the guest\n"
	"               touches them, too. --pins folio: a pin keeps its whole folio from\n"
	"               becoming private, as in a kernel; --pins page: a pin keeps its\n"
	"               page only; --pins both, the default: one run with each\n"
	"  free         with --punch, punches a hole; else does nothing, because a real\n"
	"               guest does not tell the host what it frees\n"
	"\n"
	"--touch all: the host touches all that becomes shared, at once, and the guest\n"
	"uses all memory. --touch accessed: only what the log says; but a guest uses all\n"
	"memory if no event of the log is accept or guest_touch. Without --touch, a log\n"
	"that has an access of the host is replayed as with accessed. One without is\n"
	"replayed twice: the host touches nothing, or all that is shared.\n"
	"\n"
	"--rmp heals, the default: a broken RMP or S-EPT entry is 2M again when the\n"
	"guest has converted all of its block; sticky: only when it has done so in one\n"
	"call.\n"
	"\n"
	"If a pin makes a call fail, the caller waits for the end of the pin. The policy\n"
	"may merge every 100 ms of the log's time; in a log without times each event\n"
	"takes 1 ms. A run takes at most 67,108,864 steps, some 20 seconds. A step is a\n"
	"fault, or a block of 2M that an event covers. The faults that map the rest of a\n"
	"2M block by 4K are one step.\n"
	"\n"
	"Cycles are simulated: they compare policies and forecast nothing.\n";

/* What each command does, and examples of it. By enum command_id. */
static const struct {
	const char *about;
	const char *examples;
} help_commands[COMMANDS_NR] = {
	[COMMAND_REPLAY] = {help_replay, "  gmemstate replay --size 16GiB vm.log\n"
					 "  gmemstate replay --policy all --backing 2M trace.dat\n"
					 "  gmemstate replay --save vm.gms vm.log\n"
					 "  trace-cmd report | gmemstate replay --json -\n"},
	[COMMAND_REPORT] = {help_report, "  gmemstate report --backing 2M boot.log io.log.xz\n"},
	[COMMAND_DUMP] = {help_dump, "  gmemstate dump --size 2G --init private vm.log\n"
				     "  gmemstate dump vm.gms | grep -v '^#'\n"},
	[COMMAND_GEN] = {help_gen, "  gmemstate gen --size 16G --vcpus 8 snp-boot >boot.csv\n"},
	[COMMAND_COSTS] = {help_costs, "  gmemstate costs --rent 1%,0.1% >costs.json\n"},
	[COMMAND_SELFTEST] = {help_selftest, "  gmemstate selftest --seed 42\n"},
	[COMMAND_HELP] = {help_help, "  gmemstate help replay\n"
				     "  gmemstate replay --help\n"},
};

/* The topics: texts that are about several commands. */
static const struct {
	const char *name;
	const char *brief;
	const char *text;
} help_topics[] = {
	{"logs", "the logs that are read, and how their start and size are found", help_logs},
	{"policies", "the policies, and what a replay under a policy simulates", help_policies},
};

#define HELP_NR_TOPICS (sizeof(help_topics) / sizeof(*help_topics))

/* Writes words from a column on, and breaks lines between them. @column: where the line is. */
static void help_wrap(FILE *out, size_t column, const char *text)
{
	bool first = true;

	if (column + 2 > HELP_INDENT) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", (int)(HELP_INDENT - column), "");
	column = HELP_INDENT;
	while (*text) {
		const size_t len = strcspn(text, " ");

		if (!first && column + 1 + len > HELP_COLUMNS) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (!first) {
			column += (size_t)fprintf(out, " ");
		}
		fwrite(text, 1, len, out);
		column += len;
		first = false;
		text += len;
		text += *text == ' ';
	}
	fputc('\n', out);
}

static void help_head(FILE *out, const char *head)
{
	fprintf(out, "%s%s%s\n", term_style(out, TERM_BOLD), head, term_style(out, TERM_PLAIN));
}

static void help_option(FILE *out, const struct command_option *option)
{
	const bool is_short = strchr(COMMANDS_ALWAYS, option->letter);
	char text[256];
	int column;

	column = is_short ? fprintf(out, "  -%c, --%s", option->letter, option->name)
			  : fprintf(out, "  --%s", option->name);
	if (option->value)
		column += fprintf(out, " %s", option->value);
	snprintf(text, sizeof(text), "%s", option->brief);
	if (option->words) {
		const char *separator = ": ";

		for (const char *word = option->words; *word;) {
			const size_t len = strcspn(word, "|"), used = strlen(text);

			snprintf(text + used, sizeof(text) - used, "%s%.*s", separator, (int)len,
				 word);
			separator = ", ";
			word += len;
			word += *word == '|';
		}
	}
	help_wrap(out, (size_t)column, text);
}

static void help_command(FILE *out, enum command_id id)
{
	const struct command *command = &commands[id];
	const bool has_lab = strpbrk(command->takes, COMMANDS_LAB) && strchr(command->takes, 'p');

	fprintf(out, "Usage: gmemstate %s %s\n\n%s\n", command->name, command->arguments,
		help_commands[id].about);
	help_head(out, "Options:");
	for (const struct command_option *option = command_options; option->name; option++) {
		if (commands_takes(id, option->letter) &&
		    !(has_lab && strchr(COMMANDS_LAB, option->letter)))
			help_option(out, option);
	}
	if (has_lab)
		help_head(out, "\nOptions with --policy:");
	for (const struct command_option *option = command_options; option->name && has_lab;
	     option++) {
		if (strchr(COMMANDS_LAB, option->letter))
			help_option(out, option);
	}
	help_head(out, "\nExamples:");
	fputs(help_commands[id].examples, out);
	if (strchr(command->takes, 'f'))
		fputs("\nSee also: gmemstate help logs\n", out);
}

void help_overview(FILE *out)
{
	fputs("Usage: gmemstate COMMAND [OPTION]... [ARGUMENT]...\n\n"
	      "Replays logs of a confidential guest's conversions between shared and private\n"
	      "memory, and compares policies that split its huge pages.\n\n",
	      out);
	help_head(out, "Commands:");
	for (enum command_id id = 0; id < COMMANDS_NR; id++)
		help_wrap(out, (size_t)fprintf(out, "  %s", commands[id].name), commands[id].brief);
	help_head(out, "\nOptions:");
	for (const char *letter = COMMANDS_ALWAYS; *letter; letter++)
		help_option(out, commands_option(*letter));
	help_head(out, "\nTopics of help:");
	for (size_t i = 0; i < HELP_NR_TOPICS; i++)
		help_wrap(out, (size_t)fprintf(out, "  %s", help_topics[i].name),
			  help_topics[i].brief);
	fputs("\nNames of commands and long options may be shortened as long as they are unique.\n"
	      "Names and values are read in either case. gmemstate help COMMAND prints the\n"
	      "options of a command, and examples.\n\n"
	      "Exit status: 0: all was applied; 1: some was not applied, or the selftest\n"
	      "failed; 2: unusable input or options.\n",
	      out);
}

bool help_topic(FILE *out, const char *text)
{
	const enum command_id id = commands_find(text);

	if (id < COMMANDS_NR) {
		help_command(out, id);
		return true;
	}
	for (size_t i = 0; *text && i < HELP_NR_TOPICS; i++) {
		if (!strncasecmp(text, help_topics[i].name, strlen(text))) {
			fputs(help_topics[i].text, out);
			return true;
		}
	}
	return false;
}
