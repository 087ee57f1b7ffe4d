// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * options.c - the gmemstate command: its command line, and its help
 */
#include "tool_run.h"

#include "commands.h"
#include "costs.h"
#include "gen.h"
#include "help.h"
#include "log.h"
#include "policies.h"

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

static unsigned int count_lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

/* An error of the command line is one line, and the exit status is 2. */
static void one_line_for_each_error(void **state)
{
	/* clang-format off */
	static const struct {
		const char *args[7];
		const char *says;
	} bad[] = {
		{{NULL}, "no command given"},
		{{""}, ": no such command"},
		{{"convert", DATA("A.csv")}, "convert: no such command; the commands are replay, "},
		{{"re", DATA("A.csv")}, "re: which of replay, report?"},
		{{"replays", DATA("A.csv")}, "replays: no such command"},
		{{"replay"}, "replay: no log given"},
		{{"replay", DATA("A.csv"), DATA("C.csv")}, "C.csv: one log at a time"},
		{{"replay", "--no-such", "x"}, "--no-such: no such option"},
		{{"replay", "-x", "x"}, "-x: no such option"},
		{{"replay", "--p", "lazy", "x"}, "--p: which of --policy, --pins, --pin-time, --punch?"},
		{{"replay", "--p=lazy", "x"}, "--p: which of --policy, "},
		{{"replay", "x", "--size"}, "--size: missing argument"},
		{{"replay", "--json=1", "x"}, "--json: takes no argument"},
		{{"replay", "--init", "mixed", "x"}, "--init mixed: none of auto, shared, private"},
		{{"replay", "--init", "", "x"}, "--init : none of auto"},
		{{"replay", "--init", "auto|shared", "x"}, "none of auto"},
		{{"replay", "--format", "perf", "x"}, "--format perf: none of auto, ftrace, qemu"},
		{{"replay", "--policy", "lazy", "--policy", "lazy", "x"}, "--policy lazy: one policy"},
		{{"replay", "--policy", "all", "--pol=eager", "x"}, "--policy eager: one policy at a"},
		{{"replay", "--size", "-1G", "x"}, "--size -1G: not a size"},
		{{"dump", "--seed", "1", "x"}, "--seed: not for dump (see gmemstate help dump)"},
		{{"help", "convert"}, "convert: no such command"},
		{{"help", "re"}, "re: which of replay, report?"},
		{{"help", "--json", "dump"}, "--json: not for help"},
		{{"help", "dump", "gen"}, "gen: one command at a time"},
	};
	/* clang-format on */
	struct run run;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		tool_run(&run, bad[i].args, "", 0);
		if (run.status != 2)
			fail_msg("case %zu: status %d", i, run.status);
		assert_string_equal(run.out, "");
		assert_int_equal(strncmp(run.err, "gmemstate: ", 11), 0);
		assert_has(run.err, bad[i].says);
		assert_int_equal(count_lines(run.err), 1);
		run_free(&run);
	}
}

/* Runs two command lines, and checks that they print the same. */
static void check_same(const char *const *args, const char *const *other)
{
	struct run run, want;

	tool_run(&want, other, "", 0);
	assert_int_equal(want.status, 0);
	assert_string_not_equal(want.out, "");
	tool_run(&run, args, "", 0);
	assert_int_equal(run.status, 0);
	assert_string_equal(run.out, want.out);
	run_free(&run);
	run_free(&want);
}

#define SAME(...) check_same((const char *const[]) {__VA_ARGS__, NULL}, full)

static void short_names_in_either_case(void **state)
{
	(void)state;
	{
		static const char *const full[] = {"replay",    "--policy",    "eager-rfc",
						   "--backing", "2M",          "--rmp",
						   "sticky",    DATA("A.csv"), NULL};

		SAME("REPL", "--pol", "Eager-RFC", "--back=2m", "--rmp=STICKY", DATA("A.csv"));
		SAME("--pol=EAGER-RFC", "--ba", "2m", "repla", DATA("A.csv"), "--rm", "Sticky");
	}
	{
		static const char *const full[] = {"dump",   "--size",      "2G",
						   "--init", "private",     "--format",
						   "csv",    DATA("A.csv"), NULL};

		SAME("d", "--siz=2GiB", "--in", "PRIVATE", "--f", "CSV", DATA("A.csv"));
		/* The last of two options counts. */
		SAME("dump", "--size=4G", DATA("A.csv"), "--size=2G", "--init=auto",
		     "--init=private");
	}
	{
		static const char *const full[] = {"gen", "--size", "1G", "tdx", NULL};

		SAME("GEN", "--size", "1.00 gib", "TDX");
	}
	{
		static const char *const full[] = {"--version", NULL};

		SAME("-V");
		SAME("--vers");
		SAME("replay", "-V");
		SAME("replay", DATA("A.csv"), "--version");
	}
	{
		static const char *const full[] = {"help", NULL};

		SAME("--help");
		SAME("-h");
		SAME("h");
	}
	{
		static const char *const full[] = {"help", "report", NULL};

		SAME("report", "--help");
		SAME("--help", "REPOR", "--policy", "all", "--json", DATA("A.csv"));
		SAME("REPORT", "-h", DATA("A.csv"), DATA("C.csv"));
		SAME("help", "repo");
	}
	{
		static const char *const full[] = {"help", "policies", NULL};

		SAME("help", "pol");
	}
}

static void check_columns(const char *text)
{
	for (; *text; text += strcspn(text, "\n") + 1) {
		if (strcspn(text, "\n") > HELP_COLUMNS)
			fail_msg("more than %d columns: %.100s", HELP_COLUMNS, text);
		assert_int_not_equal(text[strcspn(text, "\n") - (*text != '\n')], ' ');
	}
}

/* The help of a command has its options, no others, and an example of the command. */
static void help_of_commands(void **state)
{
	(void)state;
	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		const char *name = commands[id].name, *examples;
		char text[64];
		struct run run;

		TOOL(&run, "help", name);
		assert_int_equal(run.status, 0);
		assert_string_equal(run.err, "");
		snprintf(text, sizeof(text), "Usage: gmemstate %s ", name);
		assert_int_equal(strncmp(run.out, text, strlen(text)), 0);
		check_columns(run.out);
		for (const struct command_option *o = command_options; o->name; o++) {
			snprintf(text, sizeof(text), "%s --%s ",
				 strchr(COMMANDS_ALWAYS, o->letter) ? "," : " ", o->name);
			if (!strstr(run.out, text) != !commands_takes(id, o->letter))
				fail_msg("%s --%s:\n%s", name, o->name, run.out);
		}
		examples = strstr(run.out, "\nExamples:\n");
		assert_non_null(examples);
		snprintf(text, sizeof(text), "gmemstate %s ", name);
		assert_has(examples, text);
		run_free(&run);
	}
}

static void help_has_everything(void **state)
{
	static const struct {
		const char *topic;
		const char *parts[4];
	} topics[] = {
		{"logs", {"several VMs", "kvm_convert_memory", "--init auto", "0x40000000"}},
		{"policies", {"eager-nonuniform  at once", "--touch", "--rmp", "--pins"}},
	};
	struct run run;

	(void)state;
	TOOL(&run, "help");
	check_columns(run.out);
	for (enum command_id id = 0; id < COMMANDS_NR; id++)
		assert_has(run.out, commands[id].brief);
	assert_has(run.out, "Exit status: 0: ");
	run_free(&run);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		TOOL(&run, "help", topics[i].topic);
		assert_int_equal(run.status, 0);
		check_columns(run.out);
		for (size_t j = 0; j < ARRAY_SIZE(topics[i].parts); j++)
			assert_has(run.out, topics[i].parts[j]);
		run_free(&run);
	}
	TOOL(&run, "help", "gen");
	for (unsigned int i = 0; gen_name(i); i++)
		assert_has(run.out, gen_name(i));
	run_free(&run);
}

/* Adds a word to a list with | between the words. */
static void add_word(char *words, const char *word)
{
	if (*words)
		strcat(words, "|");
	strcat(words, word);
}

/* The words of an option are in the order of the enum that they stand for. */
static void words_are_in_order(void **state)
{
	char words[256] = "";

	(void)state;
	for (unsigned int i = 0; i < POLICIES_NR; i++)
		add_word(words, policies_words[i].name);
	add_word(words, "all");
	assert_string_equal(commands_option('p')->words, words);
	*words = '\0';
	for (unsigned int i = 0; i < COSTS_NR_ARCHS; i++)
		add_word(words, costs_arch_name((enum costs_arch)i));
	assert_string_equal(commands_option('a')->words, words);
	*words = '\0';
	for (unsigned int i = 0; i <= LOG_CSV; i++)
		add_word(words, log_format_name((enum log_format)i));
	assert_string_equal(commands_option('f')->words, words);
}

/* Names can be told apart by either case, and each letter is of one option. */
static void tables_are_sound(void **state)
{
	(void)state;
	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		assert_int_equal(commands_find(commands[id].name), id);
		for (const char *letter = commands[id].takes; *letter; letter++)
			assert_int_equal(commands_option(*letter)->letter, *letter);
	}
	for (const struct command_option *o = command_options; o->name; o++) {
		assert_ptr_equal(commands_option(o->letter), o);
		assert_true(!o->words || o->value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_for_each_error),
		cmocka_unit_test(short_names_in_either_case),
		cmocka_unit_test(help_of_commands),
		cmocka_unit_test(help_has_everything),
		cmocka_unit_test(words_are_in_order),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
