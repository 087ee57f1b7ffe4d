/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.h - how the tests report, and what the module does besides tests
 */
#ifndef TEST_MAIN_H
#define TEST_MAIN_H

#define pr_fmt(fmt) fmt

enum test_result { TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

/* Reports one test of the program that runs. */
void test_report(const char *name, enum test_result result);

/* Makes an object and shows it in debugfs, until test_show_end(). Returns 0 or -errno. */
int test_show(void);
void test_show_end(void);

/* Makes a bug for a checker to find. Returns 0; -EINVAL: no bug has that name. */
int test_plant(const char *name);

#endif /* TEST_MAIN_H */
