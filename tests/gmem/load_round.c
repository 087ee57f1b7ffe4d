// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_round.c - one round: sets up, starts the threads, and checks everything at the end
 */
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_PRINTED 10

uint64_t load_draw(uint64_t *rng, uint64_t below)
{
	*rng ^= *rng >> 12;
	*rng ^= *rng << 25;
	*rng ^= *rng >> 27;
	return (*rng * 0x2545f4914f6cdd1dULL >> 11) % below;
}

uint64_t load_seed(const struct load_options *options, uint64_t round, uint64_t i)
{
	uint64_t rng = (options->seed + 1) * 0x9e3779b97f4a7c15ULL + (round << 8) + i;

	for (int j = 0; j < 8; j++)
		load_draw(&rng, 2);
	return rng;
}

double load_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void load_mismatch(struct load *l, const char *format, ...)
{
	char text[256];
	va_list args;

	if (atomic_fetch_add(&l->tally->mismatches, 1) >= MAX_PRINTED)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("mismatch (--policy %s --seed %llu): %s\n", policy_name(l->options->policy),
	       (unsigned long long)l->options->seed, text);
	fflush(stdout);
}

bool load_failed(const struct load *l)
{
	return atomic_load(&l->err) || atomic_load(&l->tally->mismatches);
}

/*
 * Writes generation 1 to all pages. In each block another allocation of the first touch fails. So
 * some blocks have no page of 2M, and consist of 512 pages.
 */
static int fill(struct load *l)
{
	struct load_fail fail;
	int err = load_fail_open(&fail);

	for (uint64_t i = 0; !err && i < l->nr_pages; i++) {
		if (i % BLOCK == 0)
			load_fail_nth(&fail, (unsigned int)(1 + i / BLOCK % 8));
		load_page_fill((uint64_t *)(void *)(l->g.host + i * PAGE), i, 1);
		if (i % BLOCK == 0)
			load_fail_nth_end(&fail);
		atomic_store(&l->records[i].begun, 1);
		atomic_store(&l->records[i].done, 1);
	}
	load_fail_close(&fail);
	return err;
}

/*
 * Gives the memslot addresses of the host at which nothing is mapped. Otherwise KVM would also zap
 * the guest's mappings whenever the kernel unmaps pages from the host at the memslot's addresses,
 * which would hide that the guest_memfd did not ask for it.
 */
static int hide_host(struct load *l)
{
	struct gmem copy = l->g;
	int err = gmem_set_slot(&l->g, MAIN_SLOT, MAIN_GPA, 0, 0);

	l->hidden = mmap(NULL, l->nr_pages * PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->hidden == MAP_FAILED)
		return -ENOMEM;
	copy.host = l->hidden;
	return err ? err : gmem_set_slot(&copy, MAIN_SLOT, MAIN_GPA, 0, l->nr_pages);
}

/* Creates a guest_memfd, and allocates its pages, with each allocation failing in turn. */
static int create_failing(struct load *l)
{
	const uint64_t flags = gmem_flags(FOLIO_2M, l->options->policy, PRIVATE);
	struct load_fail fail;
	int err = load_fail_open(&fail), fd = -1;
	bool failed = true;

	for (unsigned int nth = 1; !err && failed && !load_failed(l); nth++) {
		load_fail_nth(&fail, nth);
		fd = gmem_create_fd(l->g.m.vm, 2 * BLOCK, flags);
		if (fd >= 0)
			err = gmem_allocate(fd, 0, 2 * BLOCK);
		failed = load_fail_nth_end(&fail);
		if (fd >= 0)
			close(fd);
		else
			err = fd;
		if (err && (err != -ENOMEM || !failed))
			load_mismatch(l, "allocation %u fails, and creation returns %d", nth, err);
		err = 0;
	}
	load_fail_close(&fail);
	return err;
}

/* Creates the memory. Its pages are shared. In every other round the memslot hides the host. */
static int create(struct load *l, uint64_t round)
{
	int err = gmem_create(&l->g, l->nr_pages, gmem_flags(FOLIO_2M, l->options->policy, SHARED));

	if (err)
		return err;
	l->sides = calloc(l->nr_pages, sizeof(*l->sides));
	if (!l->sides)
		return -ENOMEM;
	if (round % 2 == 0)
		err = hide_host(l);
	if (!err)
		err = load_vcpus_create(l, load_seed(l->options, round, 0));
	if (!err)
		err = create_failing(l);
	return err ? err : fill(l);
}

static void destroy(struct load *l)
{
	load_vcpus_destroy(l);
	gmem_destroy(&l->g);
	if (l->hidden)
		munmap(l->hidden, l->nr_pages * PAGE);
	free(l->sides);
}

/* Checks all pages, on both sides. The guest runs, and nobody else does. */
static int check_all(struct load *l)
{
	int err = load_vcpus_check(l, 0, l->nr_pages);

	for (int side = SHARED; !err && side <= PRIVATE && !load_failed(l); side++) {
		err = load_convert_all(l, (enum side)side);
		for (uint64_t i = 0; !err && i < l->nr_pages; i++)
			load_host_touch(l, l->g.host, LOAD_HOSTS, i);
		if (!err)
			err = load_vcpus_check(l, 0, l->nr_pages);
	}
	return err;
}

static void add_counters(struct load *l)
{
	const struct {
		const char *name;
		_Atomic uint64_t *sum;
	} counters[] = {
		{"splits_2m", &l->tally->splits},         {"merges_2m", &l->tally->merges},
		{"splits_deferred", &l->tally->deferred}, {"merges_refused", &l->tally->unmerged},
		{"fallbacks", &l->tally->fallbacks},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t value = 0;

		if (!gmem_counter(l->g.fd, counters[i].name, &value))
			atomic_fetch_add(counters[i].sum, value);
	}
}

static int run(struct load *l, uint64_t round)
{
	int err = load_convert_all(l, PRIVATE), enough = 0;

	if (!err)
		err = load_vcpus_start(l);
	if (!err)
		err = load_hosts_start(l, load_seed(l->options, round, 1));
	if (!err)
		enough = load_convert(l, load_seed(l->options, round, 2));
	load_hosts_end(l);
	if (!err && !load_failed(l))
		err = check_all(l);
	load_vcpus_end(l);
	add_counters(l);
	if (atomic_load(&l->err))
		err = atomic_load(&l->err);
	return err ? err : enough;
}

int load_round(const struct load_options *options, struct load_tally *tally, uint64_t round,
	       double deadline)
{
	struct load l = {
		.options = options,
		.tally = tally,
		.nr_pages = options->blocks * BLOCK,
		.deadline = deadline,
	};
	int err = load_hosts_init();

	if (!err)
		err = create(&l, round);
	if (!err)
		err = run(&l, round);
	destroy(&l);
	return err;
}
