// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - weak: checks the range tree under a C11 memory model
 *
 * Tests R1, R2 and R5 of rtree.h. The checker judges the answers of readers, and reports a plain
 * store that races with a reader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "litmus.h"
#include "script.h"

static const char usage[] =
	"usage: weak [OPTION...] [PROGRAM...]\n"
	"Runs each execution of the programs, or of all programs, that the memory model allows.\n"
	"  --list               prints the programs\n"
	"  --litmus             tests the checker\n"
	"  --random N           runs N random programs\n"
	"  --seed N             runs random program N\n"
	"  --sites              prints the orderings of the tree's sources, with their numbers\n"
	"  --orderings          weakens each ordering in turn; prints the programs that fail\n"
	"  --weaken N[,N...]    runs with these orderings weakened\n"
	"  --replay CHOICES     runs one execution of one program, and prints its events\n"
	"GMS_WEAK_LONG=1 in the environment: more random programs, all executions of each.\n";

static enum { MAIN_RUN, MAIN_LIST, MAIN_LITMUS, MAIN_SITES, MAIN_ORDERINGS } mode = MAIN_RUN;
static unsigned long nr_random, seed;
static const char *choices;
static char *const *names; /* of the programs to run; empty: all */
static unsigned int nr_orderings;
/* The limit of executions: of a random program, or of any program with an ordering weakened. */
static uint64_t limit = 20000;

/* ---- running ---- */

static double main_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool main_is_named(const struct script *s)
{
	if (!*names)
		return true;
	for (char *const *name = names; *name; name++)
		if (!strcmp(*name, s->name))
			return true;
	return false;
}

static void main_explore(const struct script *s, uint64_t executions, struct weak_program *program,
			 struct weak_result *result)
{
	if (!script_program(s, program)) {
		fprintf(stderr, "weak: %s is malformed\n", s->name);
		exit(2);
	}
	weak_explore(program, executions, WEAK_REDUCED, result);
}

static void main_print_script(const struct script *s)
{
	printf("  %u 1G blocks\n  before: %s\n", s->nr_blocks, s->setup);
	for (unsigned int t = 0; t < WEAK_THREADS && s->thread[t]; t++)
		printf("  T%u: %s\n", t, s->thread[t]);
}

/* Runs the failed execution again. */
static void main_explain(const struct script *s, const struct weak_program *program,
			 const struct weak_result *failed)
{
	struct weak_result result;

	main_print_script(s);
	weak_replay(program, failed->choices, &result);
	printf("FAILED: %s\n", failed->why);
	printf("again:");
	for (unsigned int i = 1; i <= nr_orderings; i++)
		if (weak_is_weakened(i))
			printf(" --weaken %u", i);
	if (!strcmp(s->name, "random"))
		printf(" --seed %lu", seed);
	printf(" --replay %s", failed->choices);
	printf(strcmp(s->name, "random") ? " %s\n" : "\n", s->name);
}

static bool main_run(const struct script *s)
{
	const double begin = main_seconds();
	struct weak_program program;
	struct weak_result result;

	main_explore(s, UINT64_MAX, &program, &result);
	printf("%-24s %9llu executions, %6llu blocked, %6.2f s\n", s->name,
	       (unsigned long long)result.executions, (unsigned long long)result.blocked,
	       main_seconds() - begin);
	if (result.failed)
		main_explain(s, &program, &result);
	fflush(stdout);
	return !result.failed;
}

static bool main_run_all(void)
{
	unsigned int nr = 0;
	bool ok = true;

	for (const struct script *s = scripts; s->name; s++)
		if (main_is_named(s)) {
			nr++;
			ok &= main_run(s);
		}
	if (!nr)
		fputs("weak: no such program\n", stderr);
	return ok && nr;
}

static bool main_run_random(void)
{
	unsigned long bounded = 0;
	uint64_t executions = 0;

	for (seed = 1; seed <= nr_random; seed++) {
		const struct script *s = script_random(seed);
		struct weak_program program;
		struct weak_result result;

		main_explore(s, limit, &program, &result);
		executions += result.executions;
		bounded += result.bounded;
		if (result.failed) {
			main_explain(s, &program, &result);
			return false;
		}
	}
	printf("%lu random programs, %llu executions; %lu programs have more\n", nr_random,
	       (unsigned long long)executions, bounded);
	return true;
}

/*
 * Returns true if the search sees the same executions without its reduction. Skips programs for
 * which that takes too long.
 */
static bool main_check_reduction(void)
{
	unsigned int nr = 0;

	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result reduced, eager;

		main_explore(s, UINT64_MAX, &program, &reduced);
		weak_explore(&program, 300000, WEAK_EAGER, &eager);
		if (reduced.failed || eager.failed || eager.bounded)
			continue;
		nr++;
		if (reduced.executions == eager.executions)
			continue;
		printf("%s: %llu executions, but %llu without the reduction\n", s->name,
		       (unsigned long long)reduced.executions,
		       (unsigned long long)eager.executions);
		return false;
	}
	printf("reduction: %u programs have the same executions without it\n", nr);
	return true;
}

static bool main_replay(void)
{
	const struct script *s = scripts;
	struct weak_program program;
	struct weak_result result;

	if (seed)
		s = script_random(seed);
	else
		while (s->name && !main_is_named(s))
			s++;
	if (!s->name || !script_program(s, &program) || !weak_replay(&program, choices, &result)) {
		fputs(usage, stderr);
		return false;
	}
	printf("%s\n", result.failed ? result.why : "all is well");
	return !result.failed;
}

static void main_list(void)
{
	for (const struct script *s = scripts; s->name; s++) {
		printf("%s: %s\n", s->name, s->about);
		main_print_script(s);
	}
}

/* ---- orderings ---- */

static void main_print_ordering(unsigned int n)
{
	enum weak_order part;
	const struct weak_site *site = weak_ordering_site(n, &part);
	static const char *const op[] = {"load", "store", "add", "cmpxchg", "fence"};
	const char *file = strrchr(site->file, '/');

	printf("%3u  %s:%u %s: %s of %s(%s)", n, file ? file + 1 : site->file, site->line,
	       site->function, part == WEAK_ACQUIRE ? "acquire" : "release", op[site->op],
	       site->text);
}

static void main_print_sites(void)
{
	for (unsigned int n = 1; n <= nr_orderings; n++) {
		main_print_ordering(n);
		printf("\n");
	}
}

/* Prints the programs that fail. Returns their number. */
static unsigned int main_print_failures(void)
{
	unsigned int nr = 0, column = 0;

	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result result;

		main_explore(s, limit, &program, &result);
		if (!result.failed)
			continue;
		if (column + strlen(s->name) > 80)
			column = 0;
		column += (unsigned int)printf("%s%s",
					       column ? ", "
					       : nr   ? ",\n\t"
						      : "\n\t",
					       s->name);
		nr++;
	}
	return nr;
}

static bool main_all_pass(void)
{
	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result result;

		main_explore(s, limit, &program, &result);
		if (result.failed)
			return false;
	}
	return true;
}

static unsigned int main_print_random_failures(void)
{
	unsigned int nr = 0;

	for (seed = 1; seed <= nr_random && nr < 4; seed++) {
		struct weak_program program;
		struct weak_result result;

		main_explore(script_random(seed), limit, &program, &result);
		if (result.failed)
			printf("%s%lu", nr++ ? ", " : "\n\trandom programs ", seed);
	}
	return nr;
}

/* Acquire orderings that no program needs, by their function, and the reason for that. */
static const struct {
	const char *function, *why;
} redundant[] = {
	{"gms_line_find_after", "in the programs a leaf has only one word"},
	{"walk_prefetch_group", "it only prefetches the line"},
	/* Each of these comes behind another acquire, which suffices. */
	{"gms_leaf_in_group", "readers read the states before, writers call gms_end_has_places()"},
	{"rtree_make_end_places", "gms_leaf_in_group() loads the page again"},
	{"gms_end_has_places", "gms_leaf_in_group() loads the page again"},
	{"store_pages", "gms_end_has_places() loads the page before"},
	{"gms_rtree_spare_spend", "store_pages() loads the page again"},
	{"gms_rtree_spare_fill", "it only tests whether there is a page"},
	{"walk_leaf", "the reader reads the states before"},
};

static const char *main_why_redundant(unsigned int n)
{
	enum weak_order part;
	const struct weak_site *site = weak_ordering_site(n, &part);

	for (size_t i = 0; i < sizeof(redundant) / sizeof(*redundant); i++)
		if (part == WEAK_ACQUIRE && !strcmp(site->function, redundant[i].function))
			return redundant[i].why;
	return NULL;
}

/* Prints pairs of orderings of which one is needed, and a set that can be weakened all at once. */
static void main_print_pairs(const unsigned int *number, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int k = i + 1; k < nr; k++) {
			weak_weaken(number[i], true);
			weak_weaken(number[k], true);
			if (!main_all_pass())
				printf("a program needs one of %u and %u\n", number[i], number[k]);
			weak_weaken(number[i], false);
			weak_weaken(number[k], false);
		}
	printf("these can go together:");
	for (unsigned int i = nr; i--;) {
		weak_weaken(number[i], true);
		if (main_all_pass())
			printf(" %u", number[i]);
		else
			weak_weaken(number[i], false);
	}
	for (unsigned int i = 0; i < nr; i++)
		weak_weaken(number[i], false);
	printf("\n");
}

/*
 * Weakens one ordering after another. Returns false if an ordering is unneeded for no known
 * reason.
 */
static bool main_check_orderings(void)
{
	unsigned int unneeded[256], nr = 0;
	bool ok = true;

	if (main_print_failures()) {
		printf("\n\tfail with all orderings: mend that first\n");
		return false;
	}
	for (unsigned int n = 1; n <= nr_orderings; n++) {
		const char *why = main_why_redundant(n);

		weak_weaken(n, true);
		main_print_ordering(n);
		if (!(main_print_failures() + main_print_random_failures())) {
			printf("\n\tno program needs this: %s", why ? why : "UNKNOWN REASON");
			ok &= why != NULL;
			unneeded[nr++] = n;
		}
		weak_weaken(n, false);
		printf("\n");
		fflush(stdout);
	}
	main_print_pairs(unneeded, nr);
	printf("no program needs %u of %u orderings\n", nr, nr_orderings);
	return ok;
}

/* ---- the command line ---- */

static bool main_weaken(const char *numbers)
{
	for (char *end; *numbers; numbers = *end ? end + 1 : end) {
		const unsigned long n = strtoul(numbers, &end, 10);

		if (end == numbers || !n || n > nr_orderings || (*end && *end != ','))
			return false;
		weak_weaken((unsigned int)n, true);
	}
	return true;
}

/*
 * Parses one option, and its value if it has one. Returns the number of arguments that it parsed,
 * or 0 if they are wrong.
 */
static int main_take_option(const char *option, const char *value)
{
	static const char *const modes[] = {[MAIN_LIST] = "--list",
					    [MAIN_LITMUS] = "--litmus",
					    [MAIN_SITES] = "--sites",
					    [MAIN_ORDERINGS] = "--orderings"};

	for (unsigned int i = MAIN_LIST; i <= MAIN_ORDERINGS; i++)
		if (modes[i] && !strcmp(option, modes[i])) {
			mode = i;
			return 1;
		}
	if (!value)
		return 0;
	if (!strcmp(option, "--weaken"))
		return main_weaken(value) ? 2 : 0;
	if (!strcmp(option, "--replay"))
		choices = value;
	else if (!strcmp(option, "--seed"))
		seed = strtoul(value, NULL, 10);
	else if (!strcmp(option, "--random"))
		nr_random = strtoul(value, NULL, 10);
	else
		return 0;
	return 2;
}

int main(int argc, char **argv)
{
	const char *extended = getenv("GMS_WEAK_LONG");
	const bool is_long = extended && !strcmp(extended, "1");
	int i = 1;

	nr_orderings = weak_orderings_init();
	for (int taken; i < argc && argv[i][0] == '-'; i += taken) {
		taken = main_take_option(argv[i], argv[i + 1]);
		if (!taken) {
			fputs(usage, stderr);
			return 2;
		}
	}
	names = argv + i;
	if (is_long) {
		nr_random *= 100;
		limit = UINT64_MAX;
	}
	if (choices)
		return !main_replay();
	switch (mode) {
	case MAIN_LIST:
		main_list();
		return 0;
	case MAIN_LITMUS:
		return !litmus_classics() || !litmus_random(is_long ? 100000 : 2000) ||
		       !main_check_reduction();
	case MAIN_SITES:
		main_print_sites();
		return 0;
	case MAIN_ORDERINGS:
		return !main_check_orderings();
	default:
		break;
	}
	if (seed)
		return !main_run(script_random(seed));
	return nr_random ? !main_run_random() : !main_run_all();
}
