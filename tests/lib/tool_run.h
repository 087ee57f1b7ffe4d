/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tool_run.h - runs the gmemstate command, and checks its output
 *
 * GMS_TOOL and GMS_TEST_DATA, the paths of the command and of tests/data, come from the
 * build.
 */
#ifndef GMS_TESTS_TOOL_RUN_H
#define GMS_TESTS_TOOL_RUN_H

#include "test.h"

#include <jansson.h>

#define DATA(name) GMS_TEST_DATA "/" name

/* The result of a run. Output ends in a NUL that @out_len does not count. */
struct run {
	int status;
	char *out;
	size_t out_len;
	char *err;
};

/*
 * Runs the tool with @args, which end in NULL, and @len bytes at @input as its standard input.
 * Fails the test if a signal ends the tool, or if its exit status is above 2, as that of a
 * sanitizer is.
 */
void tool_run(struct run *run, const char *const *args, const void *input, size_t len);

#define TOOL(run, ...) tool_run(run, (const char *const[]) {__VA_ARGS__, NULL}, "", 0)
#define TOOL_IN(run, input, len, ...) \
	tool_run(run, (const char *const[]) {__VA_ARGS__, NULL}, input, len)

void run_free(struct run *run);

/* Returns a whole file. It ends in a NUL that @len does not count. */
char *read_file(const char *path, size_t *len);

/* Returns the output as JSON. Fails the test if the output is not JSON. */
json_t *run_json(const struct run *run);

/* Returns a number by its path: "blocks_2m.mixed". Fails the test if there is none. */
json_int_t json_number(const json_t *json, const char *path);

#endif /* GMS_TESTS_TOOL_RUN_H */
