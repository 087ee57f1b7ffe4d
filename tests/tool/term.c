// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * term.c - the gmemstate command on a terminal: colour, progress, and lines of 80 columns
 */
#define _GNU_SOURCE /* posix_openpt */
#include "tool_run.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

#define ESCAPE "\033["

/* Opens a pseudo-terminal that changes no byte. Sets *slave. Returns the side to read from. */
static int open_terminal(int *slave)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct termios termios;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(*slave >= 0);
	assert_int_equal(tcgetattr(*slave, &termios), 0);
	cfmakeraw(&termios);
	assert_int_equal(tcsetattr(*slave, TCSANOW, &termios), 0);
	return master;
}

/* Reads what a terminal shows, until no process has it open. */
static char *read_terminal(int master)
{
	size_t len = 0, size = 1 << 16;
	char *text = malloc(size);
	ssize_t nr;

	assert_non_null(text);
	while ((nr = read(master, text + len, size - 1 - len)) > 0) {
		len += (size_t)nr;
		if (size - len < 4096) {
			size *= 2;
			text = realloc(text, size);
			assert_non_null(text);
		}
	}
	text[len] = '\0';
	close(master);
	return text;
}

/*
 * Runs the tool with one of its streams, 1 or 2, on a terminal, and the other one in /dev/null.
 * Returns what the terminal shows.
 */
static char *run_on_terminal(int stream, const char *const *args)
{
	posix_spawn_file_actions_t actions;
	char *argv[16] = {(char *)GMS_TOOL};
	char *text;
	int slave, master = open_terminal(&slave), status;
	pid_t pid;

	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = (char *)args[i];
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0),
			 0);
	assert_int_equal(
		posix_spawn_file_actions_addopen(&actions, 3 - stream, "/dev/null", O_WRONLY, 0),
		0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, slave, stream), 0);
	assert_int_equal(posix_spawn_file_actions_addclose(&actions, slave), 0);
	assert_int_equal(posix_spawn_file_actions_addclose(&actions, master), 0);
	assert_int_equal(posix_spawn(&pid, GMS_TOOL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(slave);
	text = read_terminal(master);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 2);
	return text;
}

#define ARGS(...) ((const char *const[]) {__VA_ARGS__, NULL})

static void set_environment(const char *term, const char *no_color)
{
	if (term)
		setenv("TERM", term, 1);
	else
		unsetenv("TERM");
	if (no_color)
		setenv("NO_COLOR", no_color, 1);
	else
		unsetenv("NO_COLOR");
}

/* Removes the colours from a text. */
static void remove_colour(char *text)
{
	char *to = text;

	while (*text) {
		if (!strncmp(text, ESCAPE, 2))
			text += strcspn(text, "m") + 1;
		else
			*to++ = *text++;
	}
	*to = '\0';
}

static void colour_is_for_terminals(void **state)
{
	static const struct {
		const char *term, *no_color;
		bool colour;
	} cases[] = {
		{"xterm", NULL, true}, {"xterm", "", true}, {"xterm", "1", false},
		{"dumb", NULL, false}, {NULL, NULL, false}, {"", NULL, false},
	};
	const char *const *const replay = ARGS("replay", DATA("A.csv"));
	const char *const *const wrong = ARGS("replay", "--no-such");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run run;
		char *text;

		set_environment(cases[i].term, cases[i].no_color);
		text = run_on_terminal(1, replay);
		assert_int_equal(!!strstr(text, ESCAPE), cases[i].colour);
		remove_colour(text);
		/* In a file is the same text, and it has no colour. */
		tool_run(&run, replay, "", 0);
		assert_string_equal(run.out, text);
		assert_null(strstr(run.out, ESCAPE));
		run_free(&run);
		free(text);
		text = run_on_terminal(2, wrong);
		assert_int_equal(!!strstr(text, ESCAPE), cases[i].colour);
		remove_colour(text);
		tool_run(&run, wrong, "", 0);
		assert_string_equal(run.err, text);
		run_free(&run);
		free(text);
	}
}

/* What is for programs has no colour on a terminal, either. */
static void data_has_no_colour(void **state)
{
	static const char *const commands[][4] = {
		{"dump", DATA("A.csv")},
		{"dump", DATA("snapshot-v1.gms")},
		{"dump", "--json", DATA("A.csv")},
		{"replay", "--json", DATA("A.csv")},
		{"costs"},
		{"-V"},
	};

	(void)state;
	set_environment("xterm", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char *text = run_on_terminal(1, commands[i]);

		assert_string_not_equal(text, "");
		assert_null(strstr(text, ESCAPE));
		free(text);
	}
}

/* Progress is shown on a terminal, and is gone at the end. A file has none of it. */
static void progress_is_for_terminals(void **state)
{
	const char *const *const args = ARGS("replay", "--policy", "lazy", DATA("C.csv"));
	struct run run;
	char *text;

	(void)state;
	set_environment("xterm", "1");
	text = run_on_terminal(2, args);
	assert_non_null(strstr(text, "%"));
	assert_non_null(strstr(text, "\r    \r"));
	free(text);
	set_environment("dumb", NULL);
	text = run_on_terminal(2, args);
	assert_null(strstr(text, "%"));
	free(text);
	set_environment("xterm", NULL);
	tool_run(&run, args, "", 0);
	assert_null(strstr(run.err, "%"));
	assert_null(strchr(run.err, '\r'));
	run_free(&run);
}

/* The files are named without their folders, whose names may be long. */
static void reports_have_80_columns(void **state)
{
	static const char *const commands[][8] = {
		{"replay", "A.csv"},
		{"replay", "--size", "1G", "C.snp.ftrace.txt"},
		{"replay", "--policy", "all", "C.csv"},
		{"replay", "--policy", "all", "--backing", "2M", "A.snp.qemu.log"},
		{"replay", "--policy", "eager-nonuniform", "A.snp.qemu.log"},
		{"replay", "--policy", "lazy", "--pin-time", "100", "C.csv"},
		{"report", "--backing", "2M", "A.csv", "C.csv"},
		{"report", "--backing", "1G", "A.snp.qemu.log"},
		{"dump", "snapshot-v1.gms"},
		{"selftest"},
	};
	char *folder = getcwd(NULL, 0);

	(void)state;
	assert_non_null(folder);
	assert_int_equal(chdir(GMS_TEST_DATA), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct run run;

		tool_run(&run, commands[i], "", 0);
		assert_int_not_equal(run.status, 2);
		for (const char *line = run.out; *line; line += strcspn(line, "\n") + 1) {
			if (strcspn(line, "\n") > 80)
				fail_msg("%s: %.120s", commands[i][0], line);
		}
		run_free(&run);
	}
	assert_int_equal(chdir(folder), 0);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colour_is_for_terminals),
		cmocka_unit_test(data_has_no_colour),
		cmocka_unit_test(progress_is_for_terminals),
		cmocka_unit_test(reports_have_80_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
