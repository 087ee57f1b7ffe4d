// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_misuse.c - proves that debug builds trap on mistakes of a caller, and only on those
 *
 * Each mistake is made in a process of its own, which has to end by a trap. Similar calls without
 * a mistake have to return. Builds without GMS_DEBUG check nothing and skip these tests.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shapes.h"
#include "test.h"

#ifdef GMS_DEBUG

#define NR_PAGES (80 * T_1G + T_2M + 1)

/* The range of a mistake. All 2M blocks of 1G block 1 are mixed; the other blocks are uniform. */
struct place {
	uint64_t start, nr;
	bool set;
};

static const struct place places[] = {
	{T_1G + 5 * (T_2M / 4), 1, true}, /* one word of a leaf */
	{T_1G, 1, true},
	{T_1G + T_2M, T_2M, true}, /* one word of states */
	{T_1G, T_1G, true}, /* a whole 1G block */
	{T_1G, T_1G, false},
	{3 * T_1G, 1, true}, /* a uniform block turns mixed */
	{3 * T_1G, 1, false}, /* nothing changes */
	{2 * T_1G - 1, 2, true}, /* one page in each of two 1G blocks */
	{T_2M + 1, 3 * T_1G, true}, /* parts of 1G blocks, and whole ones between */
	{1, 79 * T_1G, false},
	{0, NR_PAGES, true},
	{NR_PAGES - 1, 1, true}, /* the last page, which decides the pages past the end */
};

/* The tree and the reserves of a scenario. */
struct scene {
	struct gms_rtree *tree;
	struct place at;
	struct gms_rtree_reserve one, two;
};

static void prepare(struct scene *s)
{
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr, &s->one);
}

static void commit(struct scene *s)
{
	gms_rtree_commit(s->tree, s->at.start, s->at.nr, s->at.set, &s->one);
}

/* Returns a page beside the range in one of its 1G blocks, or a page of the range. */
static uint64_t neighbour(const struct scene *s)
{
	const uint64_t end = s->at.start + s->at.nr;

	if (s->at.start % T_1G)
		return s->at.start - 1;
	/* a page behind the range, or its last page if the range ends its 1G block */
	return end % T_1G && end < NR_PAGES ? end : end - 1;
}

/* ---- no mistakes ---- */

static void commit_and_release(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_release(s->tree, &s->one);
}

static void commit_and_revert(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_revert(s->tree, &s->one);
	gms_rtree_release(s->tree, &s->one);
}

static void reuse_a_reserve(struct scene *s)
{
	commit_and_release(s);
	commit_and_revert(s);
	prepare(s);
	gms_rtree_release(s->tree, &s->one);
	prepare(s);
	commit(s);
	gms_rtree_revert(s->tree, &s->one);
	gms_rtree_revert(s->tree, &s->one);
}

static void commit_without_reserve(struct scene *s)
{
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr, NULL);
	gms_rtree_commit(s->tree, s->at.start, s->at.nr, s->at.set, NULL);
	gms_rtree_commit(s->tree, s->at.start, s->at.nr, !s->at.set, NULL);
}

/* A part of a prepared range may be committed without a reserve, if the part has places. */
static void commit_a_part_without_reserve(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, s->at.start, 1, NULL);
	gms_rtree_commit(s->tree, s->at.start, 1, s->at.set, NULL);
	commit(s);
	gms_rtree_release(s->tree, &s->one);
}

static void prepare_beside_a_commit(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr, &s->two);
	gms_rtree_prepare(s->tree, neighbour(s), 1, NULL);
	gms_rtree_release(s->tree, &s->two);
	gms_rtree_revert(s->tree, &s->one);
}

/* 1G blocks outside of the range may be changed meanwhile. */
static void change_other_blocks_beside_a_commit(struct scene *s)
{
	const uint64_t first = s->at.start / T_1G * T_1G;
	const uint64_t end = (s->at.start + s->at.nr + T_1G - 1) / T_1G * T_1G;

	prepare(s);
	commit(s);
	if (first)
		gms_rtree_set(s->tree, first - 1, 1);
	if (end < NR_PAGES) {
		gms_rtree_prepare(s->tree, end, 1, &s->two);
		gms_rtree_commit(s->tree, end, 1, true, &s->two);
		gms_rtree_revert(s->tree, &s->one);
		gms_rtree_revert(s->tree, &s->two);
	}
	gms_rtree_release(s->tree, &s->one);
}

static void change_after_release(struct scene *s)
{
	commit_and_release(s);
	gms_rtree_set(s->tree, neighbour(s), 1);
	commit_and_revert(s);
	gms_rtree_clear(s->tree, neighbour(s), 1);
}

/* ---- mistakes ---- */

static void commit_less_than_prepared(struct scene *s)
{
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr + (s->at.nr < T_2M), &s->one);
	gms_rtree_commit(s->tree, s->at.start, s->at.nr < T_2M ? s->at.nr : s->at.nr - 1, s->at.set,
			 &s->one);
}

static void commit_what_was_not_prepared(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, neighbour(s), 1, NULL);
	gms_rtree_commit(s->tree, neighbour(s), s->at.nr == 1 ? 2 : 1, s->at.set, &s->one);
}

static void commit_with_a_fresh_reserve(struct scene *s)
{
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr, NULL);
	commit(s);
}

static void commit_after_release(struct scene *s)
{
	prepare(s);
	gms_rtree_release(s->tree, &s->one);
	commit(s);
}

static void commit_after_a_failed_prepare(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, s->at.start, 0, &s->one);
	commit(s);
}

static void commit_twice(struct scene *s)
{
	commit_and_release(s);
	commit(s);
}

static void commit_twice_in_a_row(struct scene *s)
{
	prepare(s);
	commit(s);
	commit(s);
}

static void commit_after_revert(struct scene *s)
{
	commit_and_revert(s);
	commit(s);
}

static void commit_after_revert_alone(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_revert(s->tree, &s->one);
	commit(s);
}

static void commit_both(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, s->at.start, s->at.nr, &s->two);
	commit(s);
	gms_rtree_commit(s->tree, s->at.start, s->at.nr, s->at.set, &s->two);
}

static void commit_the_neighbour(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, neighbour(s), 1, &s->two);
	commit(s);
	gms_rtree_commit(s->tree, neighbour(s), 1, s->at.set, &s->two);
}

static void commit_the_neighbour_for_good(struct scene *s)
{
	prepare(s);
	gms_rtree_prepare(s->tree, neighbour(s), 1, NULL);
	commit(s);
	gms_rtree_commit(s->tree, neighbour(s), 1, s->at.set, NULL);
}

static void commit_all_around(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_commit(s->tree, 0, NR_PAGES, s->at.set, NULL);
}

static void set_the_neighbour(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_set(s->tree, neighbour(s), 1);
}

static void clear_all_around(struct scene *s)
{
	prepare(s);
	commit(s);
	gms_rtree_clear(s->tree, 0, NR_PAGES);
}

/* ---- running a scenario ---- */

typedef void (*scenario)(struct scene *s);

static void run_scenario(scenario run_it, const struct place *at)
{
	struct rlimit no_core = {0, 0};
	struct scene s = {.at = *at};
	uint64_t i;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGILL, SIG_DFL);
	signal(SIGTRAP, SIG_DFL);
	alarm(60);
	if (gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, NULL, &s.tree))
		_exit(2);
	for (i = 0; i < T_FANOUT; i++)
		gms_rtree_set(s.tree, T_1G + i * T_2M + 1, 1);
	memset(&s.one, 0x5a, sizeof(s.one));
	memset(&s.two, 0x5a, sizeof(s.two));
	run_it(&s);
	if (!gms_rtree_verify(s.tree, NULL))
		_exit(3);
	gms_rtree_destroy(s.tree);
	_exit(0);
}

static bool traps(scenario run_it, const struct place *at)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_scenario(run_it, at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_true(WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
	return true;
}

static void run_all(const scenario *scenarios, size_t count, bool mistaken)
{
	size_t i, k;

	for (i = 0; i < count; i++)
		for (k = 0; k < ARRAY_SIZE(places); k++)
			if (traps(scenarios[i], &places[k]) != mistaken)
				fail_msg("scenario %zu at place %zu: %s", i, k,
					 mistaken ? "no trap" : "a trap");
}

static void test_calls_without_a_mistake_return(void **state)
{
	static const scenario scenarios[] = {
		commit_and_release,
		commit_and_revert,
		reuse_a_reserve,
		commit_without_reserve,
		commit_a_part_without_reserve,
		prepare_beside_a_commit,
		change_other_blocks_beside_a_commit,
		change_after_release,
	};

	(void)state;
	run_all(scenarios, ARRAY_SIZE(scenarios), false);
}

static void test_reserve_of_another_range_traps(void **state)
{
	static const scenario scenarios[] = {
		commit_less_than_prepared,     commit_what_was_not_prepared,
		commit_with_a_fresh_reserve,   commit_after_release,
		commit_after_a_failed_prepare,
	};

	(void)state;
	run_all(scenarios, ARRAY_SIZE(scenarios), true);
}

static void test_reserve_used_twice_traps(void **state)
{
	static const scenario scenarios[] = {
		commit_twice,
		commit_twice_in_a_row,
		commit_after_revert,
		commit_after_revert_alone,
	};

	(void)state;
	run_all(scenarios, ARRAY_SIZE(scenarios), true);
}

static void test_two_commits_that_can_be_reverted_trap(void **state)
{
	static const scenario scenarios[] = {
		commit_both,       commit_the_neighbour, commit_the_neighbour_for_good,
		commit_all_around, set_the_neighbour,    clear_all_around,
	};

	(void)state;
	run_all(scenarios, ARRAY_SIZE(scenarios), true);
}

/* Commits a range that was not prepared. 1G block 1 has places; the others have none. */
static void commit_unprepared(struct scene *s)
{
	gms_rtree_commit(s->tree, s->at.start, s->at.nr, s->at.set, NULL);
}

static void test_range_without_places_traps(void **state)
{
	static const struct place bare[] = {
		{40 * T_1G, 1, true},
		{40 * T_1G, 1, false},
		{40 * T_1G, T_2M, true},
		{39 * T_1G, T_1G + 1, true},
		{40 * T_1G + 1, T_1G, true},
		{40 * T_1G + T_2M, T_1G, true},
		{NR_PAGES - 1, 1, true},
		{T_1G + 1, 60 * T_1G, false},
		{40 * T_1G - 1, T_1G + 2, true},
	};
	static const struct place whole[] = {
		{40 * T_1G, T_1G, true},        {0, NR_PAGES, true},
		{80 * T_1G, T_2M + 1, true},    {T_1G + 1, 1, true},
		{2 * T_1G - 1, T_1G + 1, true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bare); i++)
		assert_true(traps(commit_unprepared, &bare[i]));
	for (i = 0; i < ARRAY_SIZE(whole); i++)
		assert_false(traps(commit_unprepared, &whole[i]));
}

#else

static void test_only_debug_builds_check(void **state)
{
	(void)state;
	printf("skipped: only debug builds (GMS_DEBUG) check for mistakes of callers\n");
	skip();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef GMS_DEBUG
		cmocka_unit_test(test_calls_without_a_mistake_return),
		cmocka_unit_test(test_reserve_of_another_range_traps),
		cmocka_unit_test(test_reserve_used_twice_traps),
		cmocka_unit_test(test_two_commits_that_can_be_reverted_trap),
		cmocka_unit_test(test_range_without_places_traps),
#else
		cmocka_unit_test(test_only_debug_builds_check),
#endif
	};

	return cmocka_run_group_tests_name("rtree-misuse", tests, NULL, NULL);
}
