// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * completion.c - bash and zsh complete the commands, the options and the values that the tool has
 *
 * Each shell is run with the file that is installed. bash is asked as a user does: the test sets
 * the words of a command line, and reads what is offered. In zsh _arguments is replaced by a
 * function that prints what it is given. Without zsh that test is skipped.
 */
#include "tool_run.h"

#include "commands.h"
#include "gen.h"

#include <unistd.h>

/* Runs a command of the shell. Returns what it prints. */
static char *run_shell(const char *command)
{
	FILE *pipe = popen(command, "r");
	char *text = calloc(1, 1 << 16);

	assert_non_null(pipe);
	assert_non_null(text);
	fread(text, 1, (1 << 16) - 1, pipe);
	if (pclose(pipe))
		fail_msg("%s\n%s", command, text);
	return text;
}

/* Sorts the lines of a text, so that two lists can be compared. */
static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(char *text)
{
	char *copy = strdup(text), *rest = copy, *lines[128];
	size_t nr = 0;

	assert_non_null(copy);
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (*line)
			lines[nr++] = line;
		assert_true(nr < ARRAY_SIZE(lines));
	}
	qsort(lines, nr, sizeof(*lines), compare_lines);
	*text = '\0';
	for (size_t i = 0; i < nr; i++)
		text += sprintf(text, "%s\n", lines[i]);
	free(copy);
}

/* Writes the options of a command, or those that every command takes, a line for each. */
static void options_of(char *text, enum command_id id)
{
	for (const struct command_option *o = command_options; o->name; o++) {
		if (id < COMMANDS_NR ? commands_takes(id, o->letter)
				     : strchr(COMMANDS_ALWAYS, o->letter) != NULL)
			text += sprintf(text, "--%s\n", o->name);
	}
}

/* Checks what bash offers for the last word of a command line. @want: lines, in any order. */
static void check_bash(const char *words, const char *want)
{
	char command[8192], sorted[4096];
	char *got;

	snprintf(command, sizeof(command),
		 "bash -c '. \"$0\"; COMP_WORDS=(gmemstate %s); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gmemstate; "
		 "printf \"%%s\\n\" \"${COMPREPLY[@]}\"' '" GMS_COMPLETIONS "/gmemstate.bash'",
		 words);
	got = run_shell(command);
	sort_lines(got);
	strcpy(sorted, want);
	sort_lines(sorted);
	if (strcmp(got, sorted))
		fail_msg("gmemstate %s: not\n%s, but\n%s", words, sorted, got);
	free(got);
}

/* Writes words with | between them as lines. */
static void lines_of(char *text, const char *words)
{
	strcpy(text, words);
	for (; *text; text++) {
		if (*text == '|')
			*text = '\n';
	}
	strcpy(text, "\n");
}

static void bash_has_all_commands(void **state)
{
	char want[1024] = "", words[64];

	(void)state;
	for (enum command_id id = 0; id < COMMANDS_NR; id++)
		sprintf(want + strlen(want), "%s\n", commands[id].name);
	check_bash("\"\"", want);
	strcat(want, "logs\npolicies\n");
	check_bash("help \"\"", want);
	check_bash("re", "replay\nreport\n");
	check_bash("d", "dump\n");
	*want = '\0';
	options_of(want, COMMANDS_NR);
	check_bash("-", want);
	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		*want = '\0';
		options_of(want, id);
		snprintf(words, sizeof(words), "%s --", commands[id].name);
		check_bash(words, want);
		snprintf(words, sizeof(words), "%s x -", commands[id].name);
		check_bash(words, want);
	}
}

static void bash_has_all_values(void **state)
{
	char want[1024] = "", words[64];

	(void)state;
	for (const struct command_option *o = command_options; o->name; o++) {
		if (!o->value || !strcmp(o->value, "FILE"))
			continue;
		*want = '\0';
		if (o->words)
			lines_of(want, o->words);
		snprintf(words, sizeof(words), "replay --%s \"\"", o->name);
		check_bash(words, want);
		snprintf(words, sizeof(words), "replay --%s =", o->name);
		check_bash(words, want);
	}
	check_bash("replay --init = pri", "private\n");
	check_bash("replay --policy lazy --rmp s", "sticky\n");
	*want = '\0';
	for (unsigned int i = 0; gen_name(i); i++)
		sprintf(want + strlen(want), "%s\n", gen_name(i));
	check_bash("gen --size 1G \"\"", want);
}

/* Files are offered where a file is meant, and nowhere else. A blank in a name is kept. */
static void bash_has_files(void **state)
{
	char folder[] = "/tmp/gmemstate-completion-XXXXXX";
	char path[128], words[256], want[256];
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a log", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	snprintf(want, sizeof(want), "%s\n", path);
	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		const char *argument = commands[id].argument;
		const bool is_file =
			argument && (!strcmp(argument, "log") || !strcmp(argument, "file"));

		snprintf(words, sizeof(words), "%s %s/", commands[id].name, folder);
		check_bash(words, is_file ? want : "");
	}
	snprintf(words, sizeof(words), "replay --save %s/a", folder);
	check_bash(words, want);
	snprintf(words, sizeof(words), "replay --costs = %s/a", folder);
	check_bash(words, want);
	remove(path);
	rmdir(folder);
}

/* Reads what zsh's _arguments is given as lines with a name: "--size=[...]:size". */
static void check_zsh(enum command_id id)
{
	char command[4096], want[1024] = "", got[1024] = "";
	char *text, *rest;

	snprintf(command, sizeof(command),
		 "zsh -fc 'n=0; _arguments() { if ((n++)); then print -rl -- \"$@\"; "
		 "else state=argument; fi }; _describe() { }; words=(%s); . \"$0\"' "
		 "'" GMS_COMPLETIONS "/_gmemstate'",
		 commands[id].name);
	text = rest = run_shell(command);
	for (char *line; (line = strsep(&rest, "\n"));) {
		const struct command_option *option = command_options;
		char *name = *line == '(' ? strchr(line, ')') + 1 : line, *words;
		size_t len;

		if (strncmp(name, "--", 2))
			continue;
		len = strcspn(name, "=[");
		sprintf(got + strlen(got), "%.*s\n", (int)len, name);
		while (option->name && (strlen(option->name) != len - 2 ||
					strncmp(option->name, name + 2, len - 2)))
			option++;
		assert_non_null(option->name);
		assert_int_equal(name[len] == '=', option->value != NULL);
		words = strrchr(name, '(');
		if (!option->words)
			continue;
		assert_non_null(words);
		for (char *c = words; *c; c++)
			*c = *c == ' ' ? '|' : *c;
		words[strlen(words) - 1] = '\0';
		assert_string_equal(words + 1, option->words);
	}
	options_of(want, id);
	sort_lines(got);
	sort_lines(want);
	assert_string_equal(got, want);
	free(text);
}

static void zsh_has_all_options(void **state)
{
	(void)state;
	if (system("zsh -fc true 2>/dev/null"))
		skip();
	for (enum command_id id = 0; id < COMMANDS_NR; id++)
		check_zsh(id);
}

/* The commands and the workloads are in zsh's file, with the words of the help. */
static void zsh_has_all_commands(void **state)
{
	size_t len;
	char *text = read_file(GMS_COMPLETIONS "/_gmemstate", &len);

	(void)state;
	for (enum command_id id = 0; id < COMMANDS_NR; id++) {
		char want[128];

		snprintf(want, sizeof(want), "%s:%s", commands[id].name, commands[id].brief);
		if (!strstr(text, want))
			fail_msg("no \"%s\"", want);
	}
	for (unsigned int i = 0; gen_name(i); i++)
		assert_non_null(strstr(text, gen_name(i)));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bash_has_all_commands), cmocka_unit_test(bash_has_all_values),
		cmocka_unit_test(bash_has_files),        cmocka_unit_test(zsh_has_all_options),
		cmocka_unit_test(zsh_has_all_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
