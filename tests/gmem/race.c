// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race.c - vCPUs convert, touch and fault the memory that the host touches, pins and punches
 *
 *	race [--seconds N] [--seed N] [--order 4K|2M|default] [--policy NAME] [--pages N]
 *	     [--plant lost|side]
 *
 * All of this happens at once, in the same memory:
 *
 *  - two threads run a vCPU each: the guest reads and writes pages, and the thread converts random
 *    ranges by the ioctl, and makes KVM fault pages in advance;
 *  - two threads touch the host's mapping, private pages included, and pin pages;
 *  - a fifth thread allocates, punches holes, and changes the mapping.
 *
 * race_model.c says what a touch may see. Every two seconds all threads stop. Then all pages are
 * compared one by one, all memory is converted to private and to shared, which must succeed at
 * once, and is compared again. The first mismatch ends the run. The last line counts mismatches.
 *
 * Exit status:
 *
 *	0	there is no mismatch
 *	1	there is a mismatch
 *	2	the race could not be run, or nothing raced
 *	77	no guest_memfd of this kernel can be converted in place
 *
 * --plant makes a mismatch on purpose. Then 0 and 1 change places. The order of events is up to
 * the machine: a seed that failed may succeed the next time.
 */
#include "race.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_PAGES (1ULL << 20)
#define MIN_PAGES 16
#define ROUND_MS 2000

static const char *const plant_names[RACE_NR_PLANTS] = {
	[RACE_LOST] = "lost",
	[RACE_SIDE] = "side",
};

static int usage(void)
{
	fputs("usage: race [--seconds N] [--seed N] [--order 4K|2M|default] [--policy NAME]\n"
	      "            [--pages N] [--plant lost|side]\n",
	      stderr);
	return EXIT_CANNOT;
}

static int plant_parse(const char *name, enum race_plant *plant)
{
	for (int i = 1; i < RACE_NR_PLANTS; i++)
		if (!strcmp(name, plant_names[i])) {
			*plant = (enum race_plant)i;
			return 0;
		}
	return -EINVAL;
}

static int parse(int argc, char **argv, struct race_options *options)
{
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		int err = -EINVAL;

		if (!value)
			return -EINVAL;
		if (!strcmp(name, "--seconds"))
			err = setup_number(value, &options->seconds);
		else if (!strcmp(name, "--seed"))
			err = setup_number(value, &options->seed);
		else if (!strcmp(name, "--pages"))
			err = setup_number(value, &options->pages);
		else if (!strcmp(name, "--order"))
			err = folio_parse(value, &options->folio);
		else if (!strcmp(name, "--policy"))
			err = policy_parse(value, &options->policy);
		else if (!strcmp(name, "--plant"))
			err = plant_parse(value, &options->plant);
		if (err)
			return err;
	}
	if (options->pages < MIN_PAGES || options->pages > MAX_PAGES || !options->seconds)
		return -EINVAL;
	return 0;
}

uint64_t race_draw(uint64_t *rng, uint64_t below)
{
	*rng ^= *rng >> 12;
	*rng ^= *rng << 25;
	*rng ^= *rng >> 27;
	return (*rng * 0x2545f4914f6cdd1dULL >> 11) % below;
}

uint64_t race_seed(struct race *r)
{
	return (r->options.seed + 1) * 0x9e3779b97f4a7c15ULL ^ (++r->seeds * 0xbf58476d1ce4e5b9ULL);
}

void race_mismatch(struct race *r, const char *format, ...)
{
	char what[512];
	va_list args;

	atomic_store(&r->stop, true);
	if (atomic_fetch_add(&r->tally.mismatches, 1))
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	printf("mismatch in round %llu with seed %llu: %s\n", (unsigned long long)r->round,
	       (unsigned long long)r->options.seed, what);
}

/* ---- set-up ---- */

static int create(struct race *r)
{
	const enum side first = r->options.seed % 2 ? PRIVATE : SHARED;
	int err = gmem_create(&r->gmem, r->options.pages,
			      gmem_flags(r->options.folio, r->options.policy, first));

	if (!err)
		err = machine_add_vcpu(&r->gmem.m, 1, &r->second);
	if (!err)
		err = model_create(r, first);
	if (!err)
		err = host_start();
	return err ? err : race_vcpus_start(r);
}

static void destroy(struct race *r)
{
	model_destroy(r);
	machine_remove_vcpu(&r->second);
	gmem_destroy(&r->gmem);
}

/* ---- rounds ---- */

struct thread {
	pthread_t thread;
	struct race *r;
	unsigned int i;
	uint64_t seed;
};

#define NR_THREADS (RACE_WRITERS + 1)

static void *run_thread(void *arg)
{
	const struct thread *t = arg;
	int err = 0;

	if (t->i < RACE_VCPUS)
		err = race_vcpu(t->r, t->i, t->seed);
	else if (t->i < RACE_WRITERS)
		race_host(t->r, t->i - RACE_VCPUS, t->seed);
	else
		race_mappings(t->r, t->seed);
	if (err) {
		atomic_store(&t->r->err, err);
		atomic_store(&t->r->stop, true);
	}
	return NULL;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int run_round(struct race *r)
{
	const struct timespec a_while = {.tv_nsec = 20000000};
	const uint64_t end = now_ms() + ROUND_MS;
	struct thread threads[NR_THREADS];
	unsigned int nr = 0;
	int err = 0;

	atomic_store(&r->stop, false);
	while (!err && nr < NR_THREADS) {
		struct thread *t = &threads[nr];

		*t = (struct thread) {.r = r, .i = nr, .seed = race_seed(r)};
		err = -pthread_create(&t->thread, NULL, run_thread, t);
		nr += !err;
	}
	while (!err && !atomic_load(&r->stop) && now_ms() < end)
		nanosleep(&a_while, NULL);
	atomic_store(&r->stop, true);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i].thread, NULL);
	return err ? err : atomic_load(&r->err);
}

/* Compares all pages: each writer writes to all of them, or reads all of them. */
static int check_all(struct race *r)
{
	int err = 0;

	race_host_all(r, 0, PROBE_READ);
	for (unsigned int i = 0; !err && i < RACE_VCPUS; i++)
		err = race_vcpu_all(r, i, i == r->round % 2 ? PROBE_READ_WRITE : PROBE_WRITE_READ);
	race_host_all(r, 1, r->round % 2 ? PROBE_READ_WRITE : PROBE_READ);
	if (!err)
		err = race_vcpu_all(r, r->round % 2, PROBE_READ);
	return err;
}

/* Converts all memory. Nobody has a reference, so this must not be refused. */
static void convert_all(struct race *r, enum side to)
{
	int err = race_convert(r, 0, r->options.pages, to);

	if (err)
		race_mismatch(r, "nobody uses the memory, and its conversion to %s returns %d",
			      side_name(to), err);
}

static int check_between(struct race *r)
{
	int err = check_all(r);

	for (int i = 0; !err && i < 2; i++) {
		convert_all(r, (r->round + (unsigned int)i) % 2 ? PRIVATE : SHARED);
		err = check_all(r);
	}
	return err;
}

/* Changes a page without the model, and looks whether that is found. */
static int plant_now(struct race *r)
{
	const uint64_t page = r->options.pages / 3;
	int err;

	if (r->options.plant == RACE_SIDE)
		err = gmem_convert(r->gmem.fd, page, 1,
				   model_is(r, page, SHARED) ? PRIVATE : SHARED, NULL);
	else
		err = gmem_punch(r->gmem.fd, page, 1);
	return err ? err : check_between(r);
}

static int run(struct race *r)
{
	const uint64_t end = now_ms() + 1000 * r->options.seconds;
	int err = check_between(r);

	while (!err && !r->tally.mismatches && now_ms() < end) {
		r->round++;
		err = run_round(r);
		if (!err && !r->tally.mismatches)
			err = check_between(r);
		if (r->options.plant) {
			if (!err && !r->tally.mismatches)
				err = plant_now(r);
			break;
		}
	}
	return r->tally.mismatches ? 0 : err;
}

static void report_kernel(const struct race *r)
{
	static const char *const names[] = {"splits_2m", "merges_2m", "copies", "fallbacks",
					    "busy"};
	uint64_t converts, ns, value;

	if (gmem_counter(r->gmem.fd, "converts", &converts) || !converts ||
	    gmem_counter(r->gmem.fd, "convert_ns", &ns))
		return;
	printf("kernel: %llu us a conversion", (unsigned long long)(ns / converts / 1000));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!gmem_counter(r->gmem.fd, names[i], &value))
			printf(", %s %llu", names[i], (unsigned long long)value);
	puts("");
}

static int report(struct race *r)
{
	const struct race_tally *t = &r->tally;

	report_kernel(r);

	printf("%llu touches beside a conversion or a hole, %llu x SIGBUS; conversions: %llu "
	       "overlapping, %llu refused, of these %llu to shared\n",
	       (unsigned long long)t->raced, (unsigned long long)t->sigbus,
	       (unsigned long long)t->overlapped, (unsigned long long)t->refused,
	       (unsigned long long)t->refused_shared);
	printf("%llu pins; holes: %llu, and %llu refused; %llu KVM_EXIT_MEMORY_FAULT; pre-faults: "
	       "%llu, of these %llu failed\n",
	       (unsigned long long)t->pins, (unsigned long long)t->holes,
	       (unsigned long long)t->holes_refused, (unsigned long long)t->memory_faults,
	       (unsigned long long)t->pre_faults, (unsigned long long)t->pre_faults_failed);
	printf("%llu conversions, %llu guest probes, %llu host probes, %llu mismatches\n",
	       (unsigned long long)t->conversions, (unsigned long long)t->guest,
	       (unsigned long long)t->host, (unsigned long long)t->mismatches);
	if (!t->mismatches && (!t->raced || !t->overlapped))
		return EXIT_CANNOT;
	return !t->mismatches == !r->options.plant ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct race r = {
		.options = {.pages = 4 * BLOCK + 37, .seconds = 10, .seed = 1},
		.gmem = GMEM_INIT,
		.second = {.fd = -1},
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &r.options))
		return usage();
	if (!gmem_supported()) {
		printf("skipped: no guest_memfd here can be converted in place\n");
		return EXIT_SKIPPED;
	}
	printf("race: %llu pages, %s folios, %s, seed %llu\n", (unsigned long long)r.options.pages,
	       folio_name(r.options.folio), policy_name(r.options.policy),
	       (unsigned long long)r.options.seed);
	err = create(&r);
	if (!err)
		err = run(&r);
	if (err) {
		printf("race: after %llu conversions: %s\n",
		       (unsigned long long)r.tally.conversions, strerror(-err));
		return EXIT_CANNOT;
	}
	err = report(&r);
	destroy(&r);
	return err;
}
