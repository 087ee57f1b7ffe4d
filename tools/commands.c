// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * commands.c - the commands of the tool and their options: see commands.h
 */
#include "commands.h"

#include <string.h>
#include <strings.h>

const struct command commands[COMMANDS_NR] = {
	[COMMAND_REPLAY] = {.name = "replay",
			    .arguments = "[OPTION]... FILE",
			    .brief = "apply a log's conversions, or compare policies on it",
			    .takes = "sifjwp" COMMANDS_LAB,
			    .lacks = "no log given; - is standard input",
			    .argument = "log"},
	[COMMAND_REPORT] = {.name = "report",
			    .arguments = "[OPTION]... FILE...",
			    .brief = "replay logs under every policy, and give a verdict",
			    .takes = "sifjxbtomrcau",
			    .lacks = "no log given",
			    .argument = "log",
			    .many = true},
	[COMMAND_DUMP] = {.name = "dump",
			  .arguments = "[OPTION]... FILE",
			  .brief = "print which ranges are shared and private",
			  .takes = "sifj",
			  .lacks = "no log or snapshot given; - is standard input",
			  .argument = "file"},
	[COMMAND_GEN] = {.name = "gen",
			 .arguments = "--size SIZE [OPTION]... WORKLOAD",
			 .brief = "generate the log of a guest",
			 .takes = "sek",
			 .lacks = "no workload given",
			 .argument = "workload"},
	[COMMAND_COSTS] = {.name = "costs",
			   .arguments = "[OPTION]...",
			   .brief = "print the prices of the simulated work",
			   .takes = "rc"},
	[COMMAND_SELFTEST] = {.name = "selftest",
			      .arguments = "[OPTION]...",
			      .brief = "check the library in this build, and ask /dev/kvm",
			      .takes = "e"},
	[COMMAND_HELP] = {.name = "help",
			  .arguments = "[COMMAND|TOPIC]",
			  .brief = "print help on a command, on logs, or on policies",
			  .takes = "",
			  .argument = "command"},
};

/* The words of an option stand in the order of the enum that they set. */
const struct command_option command_options[] = {
	{"size", 's', "SIZE", NULL, "size of the guest's memory: 16GiB, 1.5G, 0x40000000"},
	{"init", 'i', "STATE", "auto|shared|private",
	 "state of every page at first (default: auto)"},
	{"format", 'f', "FORMAT", "auto|ftrace|qemu|csv", "format of the log (default: auto)"},
	{"json", 'j', NULL, NULL, "print JSON, as docs/json.md describes it"},
	{"save", 'w', "FILE", NULL, "write the final state to a file, as a snapshot"},
	{"text", 'x', NULL, NULL, "print text (the default)"},
	{"policy", 'p', "NAME",
	 "eager-rfc|eager|eager-nonuniform|eager-unmerged|lazy-4k|lazy|adaptive|all",
	 "replay on a simulated machine under this policy"},
	{"backing", 'b', "ORDER", "1G|2M|4K",
	 "size of the folios (default: 1G; in a report 2M and 1G)"},
	{"pins", 'n', "BY", "both|folio|page",
	 "what a pin keeps from becoming private (default: both)"},
	{"pin-time", 't', "MS", NULL, "how long the host pins what it accesses (default: 1)"},
	{"touch", 'o', "WHAT", "accessed|all", "what is touched"},
	{"rmp", 'm', "KIND", "heals|sticky",
	 "whether a broken RMP or S-EPT entry stays 4K (default: heals)"},
	{"rent", 'r', "N,N", NULL,
	 "cycles a second, or loss, for 2M mapped by 4K, and 1G by 2M (default: 10%,1%)"},
	{"costs", 'c', "FILE", NULL, "prices of the work, as costs prints them"},
	{"arch", 'a', "ARCH", "snp|tdx|pkvm", "the architecture (default: the log's, or snp)"},
	{"punch", 'u', NULL, NULL, "punch a hole where the guest frees"},
	{"vcpus", 'k', "N", NULL, "number of vCPUs, from 1 to 1024 (default: one for each 2G)"},
	{"seed", 'e', "N", NULL, "seed of all random choices (default: 0)"},
	{"help", 'h', NULL, NULL, "print this help"},
	{"version", 'V', NULL, NULL, "print the version"},
	{NULL, '\0', NULL, NULL, NULL},
};

const struct command_option *commands_option(char letter)
{
	const struct command_option *option = command_options;

	while (option->letter != letter)
		option++;
	return option;
}

enum command_id commands_find(const char *text)
{
	enum command_id found = COMMANDS_NR;
	unsigned int nr = 0;

	for (enum command_id id = 0; *text && id < COMMANDS_NR; id++) {
		if (!strcasecmp(text, commands[id].name))
			return id;
		if (strncasecmp(text, commands[id].name, strlen(text)))
			continue;
		found = id;
		nr++;
	}
	return nr == 1 ? found : COMMANDS_NR;
}

void commands_write(FILE *out, const char *text)
{
	const char *separator = "";

	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		if (strncasecmp(text, commands[id].name, strlen(text)))
			continue;
		fprintf(out, "%s%s", separator, commands[id].name);
		separator = ", ";
	}
}

bool commands_takes(enum command_id id, char letter)
{
	return strchr(COMMANDS_ALWAYS, letter) || strchr(commands[id].takes, letter);
}
