// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load.c - the data of a guest survives splits and merges, under load and with failures
 *
 *	load [--policy NAME] [--splits N] [--conversions N] [--blocks N] [--vcpus N] [--rounds N]
 *	     [--seconds N] [--percent N] [--seed N] [--plant NAME]
 *
 * A guest keeps data in all pages of a guest_memfd, and checks it over and over: load_command.h.
 * Meanwhile one thread of the host converts random ranges, so that blocks of 2M are split and
 * merged, and makes each allocation of its conversions fail in turn: load_convert.c. Other threads
 * write to pages that are shared, and change mappings: load_host.c. In these threads and in those
 * of the vCPUs N percent of all allocations fail.
 *
 * The program runs until there were N splits and N merges of 2M, or N conversions, in a number of
 * rounds. A policy that does not merge makes N conversions for --splits N. Each round has a new
 * process, VM and guest_memfd. After the first round and after the last one the system has to have
 * about as much free memory. The kernel must not have complained. The last line is a summary. The
 * exit status is 1 if something was wrong, or if the time was not enough; 2 if the program could
 * not run; and 77 if the kernel lacks what it needs.
 *
 * With --plant there is a mistake on purpose, so the exit status has to be 1: see load_plant.c.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LOST 256 /* free pages that may be missing after the last round */

static const struct {
	const char *name;
	size_t offset;
	uint64_t min, max;
} numbers[] = {
	{"--splits", offsetof(struct load_options, splits), 0, 1000000},
	{"--conversions", offsetof(struct load_options, conversions), 1, 1000000000},
	{"--blocks", offsetof(struct load_options, blocks), 4, LOAD_BLOCKS_MAX},
	{"--vcpus", offsetof(struct load_options, vcpus), 1, LOAD_VCPUS_MAX},
	{"--rounds", offsetof(struct load_options, rounds), 1, 1000},
	{"--seconds", offsetof(struct load_options, seconds), 1, 1000000},
	{"--percent", offsetof(struct load_options, percent), 0, 50},
	{"--seed", offsetof(struct load_options, seed), 0, UINT64_MAX - 1},
};

static int parse_number(struct load_options *options, const char *name, const char *text)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t *value = (void *)((char *)options + numbers[i].offset);

		if (strcmp(name, numbers[i].name))
			continue;
		if (setup_number(text, value))
			return -EINVAL;
		return *value < numbers[i].min || *value > numbers[i].max ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int parse(int argc, char **argv, struct load_options *options)
{
	int err = argc % 2 ? 0 : -EINVAL;

	for (int i = 1; !err && i < argc; i += 2) {
		if (!strcmp(argv[i], "--policy"))
			err = policy_parse(argv[i + 1], &options->policy);
		else if (!strcmp(argv[i], "--plant"))
			err = load_plant_parse(argv[i + 1], &options->plant);
		else
			err = parse_number(options, argv[i], argv[i + 1]);
	}
	if (!err && !options->conversions &&
	    (options->policy == POLICY_LAZY || options->policy == POLICY_LAZY_4K ||
	     options->policy == POLICY_DEFAULT))
		options->conversions = options->splits;
	return err;
}

/* Runs a round in a process of its own. Returns 0 or -errno. */
static int run_round(const struct load_options *options, struct load_tally *tally, uint64_t round)
{
	const double deadline = load_now() + (double)options->seconds / (double)options->rounds;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int err = load_round(options, tally, round, deadline);

		fflush(stdout);
		_exit(-err & 0xff);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	printf("round %llu: signal %d\n", (unsigned long long)round, WTERMSIG(status));
	return -EIO;
}

/* Returns false if memory was lost between the first round and the last. */
static bool check_memory(uint64_t first, uint64_t last, uint64_t rounds)
{
	const int64_t lost = (int64_t)(first - last);

	printf("free pages: %llu after the first round, %llu after %llu rounds\n",
	       (unsigned long long)first, (unsigned long long)last, (unsigned long long)rounds);
	return rounds < 2 || lost <= MAX_LOST;
}

static void print_details(const struct load_options *options, const struct load_tally *t)
{
	const struct {
		const char *text;
		uint64_t count;
	} lines[] = {
		{"conversions failed for an allocation", t->refused},
		{"conversions succeeded without an allocation", t->unharmed},
		{"conversions found a page in use", t->busy},
		{"splits were put off", t->deferred},
		{"merges were refused", t->unmerged},
		{"blocks had no page of 2M at first", t->fallbacks},
		{"touches of the host ended by SIGBUS", t->sigbus},
		{"calls changed mappings", t->mappings},
		{"KVM_RUN ended for the side of a page", t->memory_faults},
		{"KVM_RUN ended for an allocation", t->enomem},
		{"checks by the guest", t->guest},
		{"checks by the host", t->host},
	};

	printf("policy %s, seed %llu, %llu vCPUs\n", policy_name(options->policy),
	       (unsigned long long)options->seed, (unsigned long long)options->vcpus);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		printf("%12llu %s\n", (unsigned long long)lines[i].count, lines[i].text);
}

static int run(const struct load_options *options, struct load_tally *tally)
{
	uint64_t first = 0, last = 0;
	int messages = load_kernel_messages(), err = messages < 0 ? messages : 0;
	bool good = true;

	if (!err)
		err = load_fail_init(options->percent);
	for (uint64_t round = 0; !err && !tally->mismatches && round < options->rounds; round++) {
		err = run_round(options, tally, round);
		last = load_kernel_free_pages();
		if (!round)
			first = last;
		load_plant_after(options->plant);
	}
	if (err == -ETIME)
		printf("stopped after %llu s\n", (unsigned long long)options->seconds);
	else if (err)
		fprintf(stderr, "load: %s\n", strerror(-err));
	atomic_store(&tally->injected, load_fail_count());
	if (!err && !tally->mismatches)
		good = check_memory(first, last, options->rounds);
	if (messages >= 0)
		good &= !load_kernel_complaints(messages);
	print_details(options, tally);
	if (err && err != -ETIME && !tally->mismatches)
		return EXIT_CANNOT;
	return err || !good || tally->mismatches ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct load_options options = {
		.policy = POLICY_EAGER_NONUNIFORM,
		.blocks = LOAD_BLOCKS_MAX,
		.vcpus = 2,
		.splits = 1000,
		.rounds = 2,
		.seconds = 3600,
		.percent = 5,
		.seed = 1,
	};
	struct load_tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (parse(argc, argv, &options) || tally == MAP_FAILED) {
		fprintf(stderr, "usage: see the head of load.c\n");
		return EXIT_CANNOT;
	}
	if (!gmem_supported()) {
		printf("skipped: no guest_memfd that converts in place\n");
		return EXIT_SKIPPED;
	}
	status = run(&options, tally);
	printf("%llu conversions, %llu splits, %llu merges, %llu failures injected, %llu checks, "
	       "%llu mismatches\n",
	       (unsigned long long)tally->conversions, (unsigned long long)tally->splits,
	       (unsigned long long)tally->merges, (unsigned long long)tally->injected,
	       (unsigned long long)(tally->guest + tally->host),
	       (unsigned long long)tally->mismatches);
	return status;
}
