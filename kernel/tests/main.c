// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - the tests of the library as a module
 *
 * Each program of tests/ that runs here is a function. In a kernel with KUnit each is a case of
 * KUnit, and in other kernels the module prints TAP, one line for each test.
 *
 *	insmod gmemstate_test.ko [only=GLOB,...] [seed=N] [divisor=N]
 *	insmod gmemstate_test.ko show=1        no tests: an object to look at in debugfs
 *	insmod gmemstate_test.ko plant=NAME    no tests: a bug for a checker to find (plant.c)
 */
#include "main.h"

#include <linux/glob.h>
#include <linux/kernel.h>
#include <linux/module.h>
#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/test.h>
#endif

static char *only[32] = {"*"};
static unsigned int nr_only = 1;
module_param_array(only, charp, &nr_only, 0444);
MODULE_PARM_DESC(only, "the programs to run, such as rules_*");

static bool show;
module_param(show, bool, 0444);
MODULE_PARM_DESC(show, "make an object in debugfs, and run no tests");

static char *plant;
module_param(plant, charp, 0444);
MODULE_PARM_DESC(plant, "the name of a bug to make, and run no tests");

struct program {
	const char *name;
	int (*main)(void); /* returns the number of tests that failed */
};

/* programs.h declares the functions; PROGRAMS is a list of PROGRAM() of each. */
#include "programs.h"

#define PROGRAM(name_)                                    \
	{                                                 \
		.name = #name_, .main = test_main_##name_ \
	}
static const struct program programs[] = {PROGRAMS};

static const struct program *running;
static unsigned int nr_tests, nr_failed;

void test_report(const char *name, enum test_result result)
{
	nr_tests++;
	nr_failed += result == TEST_FAILED;
	if (nr_failed == 1 && result == TEST_FAILED)
		__module_get(THIS_MODULE); /* threads of the test may be running: it stays loaded */
	pr_info("%sok %u - %s: %s%s\n", result == TEST_FAILED ? "not " : "", nr_tests,
		running->name, name, result == TEST_SKIPPED ? " # SKIP" : "");
}

static bool is_wanted(const struct program *program)
{
	unsigned int i;

	for (i = 0; i < nr_only; i++) {
		if (glob_match(only[i], program->name))
			return true;
	}
	return false;
}

/* Returns false if a pattern of the parameter "only" is the name of no program. */
static bool only_is_right(void)
{
	unsigned int i, p;

	for (i = 0; i < nr_only; i++) {
		for (p = 0; p < ARRAY_SIZE(programs); p++) {
			if (glob_match(only[i], programs[p].name))
				break;
		}
		if (p == ARRAY_SIZE(programs)) {
			pr_err("# there is no program %s\n", only[i]);
			return false;
		}
	}
	return true;
}

static int run_program(const struct program *program)
{
	running = program;
	return program->main();
}

#if IS_ENABLED(CONFIG_KUNIT)

static const void *next_program(const void *previous, char *description)
{
	const struct program *p = previous ? (const struct program *)previous + 1 : programs;

	if (plant || show)
		return NULL;
	while (p < programs + ARRAY_SIZE(programs) && !is_wanted(p))
		p++;
	if (p == programs + ARRAY_SIZE(programs))
		return NULL;
	strscpy(description, p->name, KUNIT_PARAM_DESC_SIZE);
	return p;
}

static void run_case(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_program(test->param_value), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(run_case, next_program),
	{},
};

static struct kunit_suite suite = {
	.name = "gmemstate",
	.test_cases = cases,
};

kunit_test_suite(suite);

#else

static void run_all(void)
{
	unsigned int i;

	pr_info("TAP version 13\n");
	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		if (is_wanted(&programs[i]) && run_program(&programs[i]) && !nr_failed)
			test_report("the program did not run", TEST_FAILED);
	}
	pr_info("1..%u\n", nr_tests);
}

#endif

static int __init test_init(void)
{
	if (!only_is_right())
		return -EINVAL;
	if (plant)
		return test_plant(plant);
	if (show)
		return test_show();
#if !IS_ENABLED(CONFIG_KUNIT)
	run_all();
#endif
	return 0;
}

static void __exit test_fini(void)
{
	test_show_end();
}

module_init(test_init);
module_exit(test_fini);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("tests of gmemstate");
