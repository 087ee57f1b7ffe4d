// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - weak: checks the range tree under a C11 memory model
 *
 * Holds R1, R2 and R5: answers are judged, and a plain store beside a reader is a data race.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "litmus.h"
#include "script.h"

static const char usage[] =
	"usage: weak [OPTION...] [PROGRAM...]\n"
	"Runs each execution that the memory model allows, of all programs or of those named.\n"
	"  --list               names the programs\n"
	"  --litmus             tests the checker itself\n"
	"  --random N           runs N random programs\n"
	"  --seed N             runs the random program N\n"
	"  --sites              numbers the orderings of the tree's sources\n"
	"  --orderings          weakens one ordering after another; says which programs notice\n"
	"  --weaken N[,N...]    runs with these orderings weakened\n"
	"  --replay CHOICES     runs one execution of one program, and prints its events\n"
	"GMS_WEAK_LONG=1 in the environment: more random programs, all executions.\n";

static enum { RUN, LIST, LITMUS, SITES, ORDERINGS } mode = RUN;
static unsigned long nr_random, seed;
static const char *choices;
static char *const *names; /* of programs; none: all */
static unsigned int nr_orderings;
static uint64_t limit = 20000; /* executions of a random program, or with an ordering weakened */

/* ---- running ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_named(const struct script *s)
{
	if (!*names)
		return true;
	for (char *const *name = names; *name; name++)
		if (!strcmp(*name, s->name))
			return true;
	return false;
}

static void explore(const struct script *s, uint64_t executions, struct weak_program *program,
		    struct weak_result *result)
{
	if (!script_program(s, program)) {
		fprintf(stderr, "weak: %s is malformed\n", s->name);
		exit(2);
	}
	weak_explore(program, executions, WEAK_REDUCED, result);
}

static void print_script(const struct script *s)
{
	printf("  %u 1G blocks\n  before: %s\n", s->nr_blocks, s->setup);
	for (unsigned int t = 0; t < WEAK_THREADS && s->thread[t]; t++)
		printf("  T%u: %s\n", t, s->thread[t]);
}

/* Runs the failed execution again. */
static void explain(const struct script *s, const struct weak_program *program,
		    const struct weak_result *failed)
{
	struct weak_result result;

	print_script(s);
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

static bool run(const struct script *s)
{
	const double begin = seconds();
	struct weak_program program;
	struct weak_result result;

	explore(s, UINT64_MAX, &program, &result);
	printf("%-24s %9llu executions, %6llu blocked, %6.2f s\n", s->name,
	       (unsigned long long)result.executions, (unsigned long long)result.blocked,
	       seconds() - begin);
	if (result.failed)
		explain(s, &program, &result);
	fflush(stdout);
	return !result.failed;
}

static bool run_all(void)
{
	unsigned int nr = 0;
	bool ok = true;

	for (const struct script *s = scripts; s->name; s++)
		if (is_named(s)) {
			nr++;
			ok &= run(s);
		}
	if (!nr)
		fputs("weak: no such program\n", stderr);
	return ok && nr;
}

static bool run_random(void)
{
	unsigned long bounded = 0;
	uint64_t executions = 0;

	for (seed = 1; seed <= nr_random; seed++) {
		const struct script *s = script_random(seed);
		struct weak_program program;
		struct weak_result result;

		explore(s, limit, &program, &result);
		executions += result.executions;
		bounded += result.bounded;
		if (result.failed) {
			explain(s, &program, &result);
			return false;
		}
	}
	printf("%lu random programs, %llu executions; of %lu programs not all\n", nr_random,
	       (unsigned long long)executions, bounded);
	return true;
}

/* Does the search see the same executions without its reduction? Where that is too long: skip. */
static bool check_reduction(void)
{
	unsigned int nr = 0;

	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result reduced, eager;

		explore(s, UINT64_MAX, &program, &reduced);
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
	printf("reduction: %u programs, the same executions without it\n", nr);
	return true;
}

static bool replay(void)
{
	const struct script *s = scripts;
	struct weak_program program;
	struct weak_result result;

	if (seed)
		s = script_random(seed);
	else
		while (s->name && !is_named(s))
			s++;
	if (!s->name || !script_program(s, &program) || !weak_replay(&program, choices, &result)) {
		fputs(usage, stderr);
		return false;
	}
	printf("%s\n", result.failed ? result.why : "all is well");
	return !result.failed;
}

static void list(void)
{
	for (const struct script *s = scripts; s->name; s++) {
		printf("%s: %s\n", s->name, s->about);
		print_script(s);
	}
}

/* ---- orderings ---- */

static void print_ordering(unsigned int n)
{
	enum weak_order part;
	const struct weak_site *site = weak_ordering_site(n, &part);
	static const char *const op[] = {"load", "store", "add", "cmpxchg", "fence"};
	const char *file = strrchr(site->file, '/');

	printf("%3u  %s:%u %s: %s of %s(%s)", n, file ? file + 1 : site->file, site->line,
	       site->function, part == WEAK_ACQUIRE ? "acquire" : "release", op[site->op],
	       site->text);
}

static void print_sites(void)
{
	for (unsigned int n = 1; n <= nr_orderings; n++) {
		print_ordering(n);
		printf("\n");
	}
}

/* Prints the programs that fail. Returns how many. */
static unsigned int print_failures(void)
{
	unsigned int nr = 0, column = 0;

	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result result;

		explore(s, limit, &program, &result);
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

static bool all_pass(void)
{
	for (const struct script *s = scripts; s->name; s++) {
		struct weak_program program;
		struct weak_result result;

		explore(s, limit, &program, &result);
		if (result.failed)
			return false;
	}
	return true;
}

static unsigned int print_random_failures(void)
{
	unsigned int nr = 0;

	for (seed = 1; seed <= nr_random && nr < 4; seed++) {
		struct weak_program program;
		struct weak_result result;

		explore(script_random(seed), limit, &program, &result);
		if (result.failed)
			printf("%s%lu", nr++ ? ", " : "\n\trandom programs ", seed);
	}
	return nr;
}

/* Orderings, all of them acquire, that no program needs, and why they are there. */
static const struct {
	const char *function, *why;
} redundant[] = {
	{"gms_line_find_behind", "leaves of several words; in the programs a leaf has one"},
	{"walk_prefetch_group", "only asks for a line"},
	/* each of these sees the page or chunk behind another acquire that would do */
	{"gms_leaf_in_group", "readers: the states come before; writers: see gms_end_has_places()"},
	{"rtree_make_end_places", "gms_leaf_in_group() loads the page again"},
	{"gms_end_has_places", "gms_leaf_in_group() loads the page again"},
	{"store_pages", "gms_end_has_places() came before"},
	{"gms_rtree_spare_spend", "store_pages() loads the page again"},
	{"gms_rtree_spare_fill", "only asks whether there is a page"},
	{"walk_leaf", "the states come before"},
};

static const char *why_redundant(unsigned int n)
{
	enum weak_order part;
	const struct weak_site *site = weak_ordering_site(n, &part);

	for (size_t i = 0; i < sizeof(redundant) / sizeof(*redundant); i++)
		if (part == WEAK_ACQUIRE && !strcmp(site->function, redundant[i].function))
			return redundant[i].why;
	return NULL;
}

/* Which of these go only one without the other, and which can all go? */
static void print_pairs(const unsigned int *number, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int k = i + 1; k < nr; k++) {
			weak_weaken(number[i], true);
			weak_weaken(number[k], true);
			if (!all_pass())
				printf("one of %u and %u is needed\n", number[i], number[k]);
			weak_weaken(number[i], false);
			weak_weaken(number[k], false);
		}
	printf("these can go together:");
	for (unsigned int i = nr; i--;) {
		weak_weaken(number[i], true);
		if (all_pass())
			printf(" %u", number[i]);
		else
			weak_weaken(number[i], false);
	}
	for (unsigned int i = 0; i < nr; i++)
		weak_weaken(number[i], false);
	printf("\n");
}

/* Weakens one ordering after another. False where one is not needed, and should be. */
static bool check_orderings(void)
{
	unsigned int unneeded[256], nr = 0;
	bool ok = true;

	if (print_failures()) {
		printf("\n\tfail as it is: to be mended first\n");
		return false;
	}
	for (unsigned int n = 1; n <= nr_orderings; n++) {
		const char *why = why_redundant(n);

		weak_weaken(n, true);
		print_ordering(n);
		if (!(print_failures() + print_random_failures())) {
			printf("\n\tno program needs it: %s", why ? why : "WHY IS IT THERE?");
			ok &= why != NULL;
			unneeded[nr++] = n;
		}
		weak_weaken(n, false);
		printf("\n");
		fflush(stdout);
	}
	print_pairs(unneeded, nr);
	printf("%u orderings, of which no program needs %u\n", nr_orderings, nr);
	return ok;
}

/* ---- the command line ---- */

static bool weaken(const char *numbers)
{
	for (char *end; *numbers; numbers = *end ? end + 1 : end) {
		const unsigned long n = strtoul(numbers, &end, 10);

		if (end == numbers || !n || n > nr_orderings || (*end && *end != ','))
			return false;
		weak_weaken((unsigned int)n, true);
	}
	return true;
}

/* Takes one option, and its value where it has one. Returns how many arguments; 0: it is wrong. */
static int take_option(const char *option, const char *value)
{
	static const char *const modes[] = {[LIST] = "--list",
					    [LITMUS] = "--litmus",
					    [SITES] = "--sites",
					    [ORDERINGS] = "--orderings"};

	for (unsigned int i = LIST; i <= ORDERINGS; i++)
		if (modes[i] && !strcmp(option, modes[i])) {
			mode = i;
			return 1;
		}
	if (!value)
		return 0;
	if (!strcmp(option, "--weaken"))
		return weaken(value) ? 2 : 0;
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
		taken = take_option(argv[i], argv[i + 1]);
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
		return !replay();
	switch (mode) {
	case LIST:
		list();
		return 0;
	case LITMUS:
		return !litmus_classics() || !litmus_random(is_long ? 100000 : 2000) ||
		       !check_reduction();
	case SITES:
		print_sites();
		return 0;
	case ORDERINGS:
		return !check_orderings();
	default:
		break;
	}
	if (seed)
		return !run(script_random(seed));
	return nr_random ? !run_random() : !run_all();
}
