// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tool_run.c - runs the gmemstate command, and checks its output
 *
 * Input and output are files, not pipes, so that neither side blocks on the other.
 */
#include "tool_run.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define MAX_ARGS 24

static FILE *temporary(const void *content, size_t len)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	assert_int_equal(fflush(file), 0);
	rewind(file);
	return file;
}

static char *slurp(FILE *file, size_t *len)
{
	char *text;
	long end;

	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	end = ftell(file);
	assert_true(end >= 0);
	rewind(file);
	text = malloc((size_t)end + 1);
	assert_non_null(text);
	*len = fread(text, 1, (size_t)end, file);
	assert_int_equal(*len, end);
	text[*len] = '\0';
	fclose(file);
	return text;
}

void tool_run(struct run *run, const char *const *args, const void *input, size_t len)
{
	FILE *in = temporary(input, len);
	FILE *out = temporary("", 0);
	FILE *err = temporary("", 0);
	posix_spawn_file_actions_t actions;
	char *argv[MAX_ARGS] = {(char *)GMS_TOOL};
	size_t err_len;
	int status;
	pid_t pid;

	for (size_t i = 0; args[i]; i++) {
		assert_true(i + 2 < MAX_ARGS);
		argv[i + 1] = (char *)args[i];
	}
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fileno(in), 0), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fileno(out), 1), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fileno(err), 2), 0);
	assert_int_equal(posix_spawn(&pid, GMS_TOOL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fclose(in);
	run->out = slurp(out, &run->out_len);
	run->err = slurp(err, &err_len);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 2)
		fail_msg("wait status 0x%x\n%s", (unsigned int)status, run->err);
	run->status = WEXITSTATUS(status);
}

void run_free(struct run *run)
{
	free(run->out);
	free(run->err);
}

char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "r");

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	return slurp(file, len);
}

json_t *run_json(const struct run *run)
{
	json_error_t error;
	json_t *json = json_loadb(run->out, run->out_len, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("not JSON: line %d: %s\n%s", error.line, error.text, run->out);
	return json;
}

json_int_t json_number(const json_t *json, const char *path)
{
	const char *at = path;

	while (json && *at) {
		char key[64];
		size_t len = strcspn(at, ".");

		assert_true(len < sizeof(key));
		memcpy(key, at, len);
		key[len] = '\0';
		json = json_object_get(json, key);
		at += len + (at[len] == '.');
	}
	if (!json_is_integer(json))
		fail_msg("no number %s", path);
	return json_integer_value(json);
}
