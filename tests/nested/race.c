// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race.c - several vCPUs touch and convert the same memory at once: each sees what it may
 *
 *	race [--pages N] [--conversions N] [--rounds N] [--vcpus N] [--seed N]
 *	     [--mode any|in-place|attributes|memslots] [--folio-order 0|9] [--policy NAME]
 *	     [--plant window|deaf|lost|running]
 *
 * All of this happens at once: each vCPU has a thread, which touches pages and makes the
 * conversions that its guest requests. A balloon converts, too. The host touches and pins pages,
 * private ones included. A touch must see the right side if no conversion of its page is in
 * progress. Beside a conversion it may see the old side or the new one, and nothing else
 * (race_model.c). After each round all threads stop, and all pages are compared one by one.
 *
 * The last line counts the mismatches. With an odd seed all pages are private at first. The order
 * of events is up to the machine: a seed that failed may succeed the next time.
 *
 * Exit status:
 *
 *	0	there is no mismatch
 *	1	there are mismatches
 *	2	the race could not be run, or no touch and no conversion overlapped
 *	77	there is no /dev/kvm, or KVM does not offer the mode
 *
 * --plant makes a mismatch on purpose. Then 0 and 1 change places.
 */
#include "race.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"

#define MAX_PAGES (1ULL << 19)

static int usage(void)
{
	fputs("usage: race [--pages N] [--conversions N] [--rounds N] [--vcpus N] [--seed N]\n"
	      "            [--mode any|in-place|attributes|memslots] [--folio-order 0|9]\n"
	      "            [--policy NAME] [--plant window|deaf|lost|running]\n",
	      stderr);
	return EXIT_CANNOT;
}

static int parse(int argc, char **argv, struct race_options *options)
{
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		int err;

		if (!value)
			return -EINVAL;
		if (!strcmp(name, "--pages"))
			err = setup_number(value, &options->pages);
		else if (!strcmp(name, "--conversions"))
			err = setup_number(value, &options->conversions);
		else if (!strcmp(name, "--rounds"))
			err = setup_number(value, &options->rounds);
		else if (!strcmp(name, "--vcpus"))
			err = setup_number(value, &options->vcpus);
		else if (!strcmp(name, "--seed"))
			err = setup_number(value, &options->seed);
		else if (!strcmp(name, "--plant"))
			err = race_plant_parse(value, &options->plant);
		else
			err = setup_way(name, value, &options->way);
		if (err)
			return err;
	}
	if (options->pages < 2 || options->pages > MAX_PAGES || options->pages % 2 ||
	    !options->rounds || options->conversions < options->rounds || !options->vcpus ||
	    options->vcpus > VCPUS_MAX)
		return -EINVAL;
	return 0;
}

void race_mismatch(struct race *r, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	pthread_mutex_lock(&r->lock);
	mismatch(&r->mismatches, "%s", what);
	pthread_mutex_unlock(&r->lock);
}

/* ---- set-up ---- */

static int create_vcpus(struct race *r)
{
	unsigned int max = machine_max_vcpus(&r->m), wanted = (unsigned int)r->options.vcpus;
	int err = vcpus_init(&r->vcpus);

	if (err)
		return err;
	vcpus_add(&r->vcpus, &r->m.vcpu);
	while (!err && r->vcpus.nr < wanted && r->vcpus.nr < max) {
		struct machine_vcpu *added = &r->added[r->vcpus.nr - 1];

		err = machine_add_vcpu(&r->m, r->vcpus.nr, added);
		if (!err)
			vcpus_add(&r->vcpus, added);
	}
	return err;
}

static void stop_vcpus(void *ctx)
{
	struct race *r = ctx;

	if (!r->never_stops)
		vcpus_stop(&r->vcpus);
}

static void resume_vcpus(void *ctx)
{
	struct race *r = ctx;

	if (!r->never_stops)
		vcpus_resume(&r->vcpus);
}

static int create(struct race *r)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;
	bool private = r->options.seed % 2;
	int err = setup_machine(&r->m, &r->options.way.mode);

	r->in_place = r->options.way.mode == GMS_KVM_IN_PLACE;
	if (!err)
		err = create_vcpus(r);
	if (!err)
		err = model_create(r, private);
	if (err)
		return err;
	opts.vm_fd = r->m.vm;
	opts.stop_vcpus = stop_vcpus;
	opts.resume_vcpus = resume_vcpus;
	opts.ctx = r;
	r->memory.nr_pages = r->options.pages;
	err = setup_memory(&r->memory, &opts, &r->options.way, private, model_backend(r));
	if (!err)
		err = host_start();
	return err ? err : race_vcpus_start(r);
}

static void destroy(struct race *r)
{
	memory_destroy(&r->memory);
	model_destroy(r);
	for (unsigned int i = 1; i < r->vcpus.nr; i++)
		machine_remove_vcpu(&r->added[i - 1]);
	vcpus_fini(&r->vcpus);
	machine_destroy(&r->m);
}

/* ---- rounds ---- */

struct thread {
	pthread_t thread;
	struct race *r;
	unsigned int i;
	uint64_t seed;
};

static void *vcpu_thread(void *arg)
{
	const struct thread *t = arg;
	int err = race_vcpu(t->r, t->i, t->seed);

	if (err) {
		atomic_store(&t->r->err, err);
		atomic_store(&t->r->left, 0);
	}
	return NULL;
}

static void *host_thread(void *arg)
{
	const struct thread *t = arg;

	race_host(t->r, t->seed);
	return NULL;
}

static void *balloon_thread(void *arg)
{
	const struct thread *t = arg;

	race_balloon(t->r, t->seed);
	return NULL;
}

static int run_round(struct race *r, uint64_t conversions)
{
	struct thread threads[VCPUS_MAX + 2];
	unsigned int nr = 0;
	int err = 0;

	atomic_store(&r->left, (int64_t)conversions);
	while (!err && nr < r->vcpus.nr + 2) {
		struct thread *t = &threads[nr];

		*t = (struct thread) {.r = r, .i = nr, .seed = race_seed(r)};
		err = -pthread_create(&t->thread, NULL,
				      nr < r->vcpus.nr    ? vcpu_thread
				      : nr == r->vcpus.nr ? host_thread
							  : balloon_thread,
				      t);
		nr += !err;
	}
	if (err)
		atomic_store(&r->left, 0);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i].thread, NULL);
	return err ? err : atomic_load(&r->err);
}

/* Compares all pages. One vCPU and the host write each page, then all vCPUs read it. */
static int check_all(struct race *r, uint64_t round)
{
	unsigned int first = (unsigned int)(round % r->vcpus.nr);
	int err;

	model_check(r);
	err = race_vcpu_all(r, first, round % 2 ? PROBE_READ_WRITE : PROBE_WRITE_READ);
	race_host_all(r);
	for (unsigned int i = 0; !err && i < r->vcpus.nr; i++)
		err = race_vcpu_all(r, i, PROBE_READ);
	return err;
}

static int run(struct race *r)
{
	uint64_t rounds = r->options.rounds, conversions = r->options.conversions;
	uint64_t plant_at = r->options.plant ? rounds / 2 : rounds;
	int err = check_all(r, 0);

	for (uint64_t i = 0; !err && i < rounds; i++) {
		/* the planted mismatch is found: later ones would only follow from it */
		if (i > plant_at && r->mismatches.mismatches)
			break;
		if (i == plant_at) {
			if (r->mismatches.mismatches)
				return -EIO;
			err = race_plant_now(r);
			if (!err)
				err = check_all(r, i);
		}
		if (!err)
			err = run_round(r,
					conversions * (i + 1) / rounds - conversions * i / rounds);
		if (!err)
			err = check_all(r, i);
	}
	return err;
}

static int report(struct race *r)
{
	const struct race_tally *t = &r->tally;

	printf("%llu touches beside a conversion of their page, %llu x SIGBUS; conversions: %llu "
	       "asked for by the guest, %llu overlapping, refused: %llu for a pin, %llu by a "
	       "hook\n",
	       (unsigned long long)t->raced, (unsigned long long)t->sigbus,
	       (unsigned long long)t->asked, (unsigned long long)t->overlapped,
	       (unsigned long long)t->pinned, (unsigned long long)t->failed);
	if (r->in_place) {
		printf("%llu references were taken\n", (unsigned long long)t->referred);
		backing_report(r->memory.guest_memfd, r->m.vm);
	}
	printf("exits: %llu KVM_EXIT_MEMORY_FAULT, %llu -EFAULT, %llu MMIO, %llu to be stopped\n",
	       (unsigned long long)t->memory_faults, (unsigned long long)t->efaults,
	       (unsigned long long)t->mmio, (unsigned long long)t->stopped);
	printf("%llu conversions, %llu guest probes, %llu host probes, %llu mismatches\n",
	       (unsigned long long)t->conversions, (unsigned long long)t->guest,
	       (unsigned long long)t->host, (unsigned long long)r->mismatches.mismatches);
	if (!t->raced || !t->overlapped)
		return EXIT_CANNOT; /* nothing raced */
	return !r->mismatches.mismatches == !r->options.plant ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct race r = {
		.options = {.pages = 4096,
			    .conversions = 10000,
			    .rounds = 20,
			    .vcpus = VCPUS_MAX,
			    .seed = 1},
		.m = MACHINE_INIT,
		.memory = MEMORY_INIT,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.clock = 1,
	};
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &r.options))
		return usage();
	r.mismatches.max_printed = r.options.plant ? 2 : 20;
	if (!setup_have_kvm()) {
		printf("skipped: no /dev/kvm\n");
		return EXIT_SKIPPED;
	}
	err = create(&r);
	if (err == -EOPNOTSUPP) {
		printf("skipped: this KVM does not offer the mode\n");
		return EXIT_SKIPPED;
	}
	if (!err) {
		printf("race: %llu pages, %u vCPUs, %s, seed %llu%s%s\n",
		       (unsigned long long)r.options.pages, r.vcpus.nr,
		       gms_kvm_way_name(gms_kvm_get_way(r.memory.kvm)),
		       (unsigned long long)r.options.seed, r.options.plant ? ", planted: " : "",
		       r.options.plant ? race_plant_name(r.options.plant) : "");
		err = run(&r);
	}
	if (err) {
		printf("race: after %llu conversions: %s\n",
		       (unsigned long long)r.tally.conversions, strerror(-err));
		return EXIT_CANNOT;
	}
	err = report(&r);
	destroy(&r);
	return err;
}
