// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench.c - times conversions in place beside KVM's own store of attributes
 *
 *	bench [--rounds N]
 *
 * Three sides make the same conversions, in one kernel:
 *
 *  KVM  KVM_SET_MEMORY_ATTRIBUTES of a VM. It stores an entry for each page, and recomputes which
 *       blocks are mixed. It does not look at memory: conversion there means that another page is
 *       used
 *  4K   KVM_SET_MEMORY_ATTRIBUTES2 of a guest_memfd with folios of 4K: looks for pins of all
 *       memory that goes private, and keeps its content
 *  2M   the same with folios of 2M
 *
 * No guest has run and the host has touched nothing, so there is nothing to unmap. The policy is
 * lazy: nothing is split. The last two rows show what splits and merges add. All pages are shared
 * before and after each round. Figures are medians of the rounds. The sides take turns, so that
 * other load on the machine slows all of them. The program asserts nothing about time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "attributes.h"
#include "lib.h"

#define GIB (1ULL << 18) /* in pages */
#define FLIPS 512 /* even */
#define NR_BLOCKS 64
#define MAX_ROUNDS 101

enum { SIDE_KVM, SIDE_4K, SIDE_2M, SIDE_NR };

struct conversion_side {
	struct gmem g;
	bool by_vm; /* by KVM_SET_MEMORY_ATTRIBUTES */
	void *other; /* the memory of shared pages, if the attributes are the VM's */
};

/* The three sides, with memory of the same size. */
struct bench {
	struct conversion_side sides[SIDE_NR];
	uint64_t nr_pages;
	unsigned int rounds;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void check(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-err));
	exit(EXIT_CANNOT);
}

/* Creates a VM whose attributes are in KVM's store. Its guest_memfd has no mapping. */
static void create_by_vm(struct conversion_side *side, uint64_t nr_pages)
{
	struct gmem *g = &side->g;

	side->by_vm = true;
	g->nr_pages = nr_pages;
	check(machine_create(&g->m, MACHINE_VM_SW_PROTECTED), "a VM");
	g->fd = gmem_create_fd(g->m.vm, nr_pages, 0);
	check(g->fd, "a guest_memfd");
	side->other = mmap(NULL, nr_pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(side->other == MAP_FAILED ? -errno : 0, "address space");
	g->host = side->other;
	check(gmem_set_slot(g, MAIN_SLOT, MAIN_GPA, 0, nr_pages), "a memslot");
	g->host = NULL;
}

static void create(struct bench *b, uint64_t nr_pages, bool allocate)
{
	b->nr_pages = nr_pages;
	for (int i = 0; i < SIDE_NR; i++) {
		struct conversion_side *side = &b->sides[i];
		const enum folio folio = i == SIDE_2M ? FOLIO_2M : FOLIO_4K;

		*side = (struct conversion_side) {.g = GMEM_INIT};
		if (i == SIDE_KVM)
			create_by_vm(side, nr_pages);
		else
			check(gmem_create(&side->g, nr_pages,
					  gmem_flags(folio, POLICY_LAZY, SHARED)),
			      "a VM with memory");
		if (allocate)
			check(gmem_allocate(side->g.fd, 0, nr_pages), "fallocate()");
	}
}

static void destroy(struct bench *b)
{
	for (int i = 0; i < SIDE_NR; i++) {
		if (b->sides[i].other)
			munmap(b->sides[i].other, b->nr_pages * PAGE);
		gmem_destroy(&b->sides[i].g);
	}
}

static void convert(const struct conversion_side *side, uint64_t page, uint64_t nr_pages,
		    enum side to)
{
	if (side->by_vm)
		check(set_attributes(side->g.m.vm, MAIN_GPA / PAGE + page, nr_pages, to == PRIVATE),
		      "KVM_SET_MEMORY_ATTRIBUTES");
	else
		check(gmem_convert(side->g.fd, page, nr_pages, to, NULL),
		      "KVM_SET_MEMORY_ATTRIBUTES2");
}

/* The work that is timed. Returns the number of conversions. */
typedef uint64_t (*work_fn)(const struct bench *b, const struct conversion_side *side,
			    uint64_t nr_pages);

static uint64_t flip_one_page(const struct bench *b, const struct conversion_side *side,
			      uint64_t nr_pages)
{
	(void)nr_pages;
	for (int i = 0; i < FLIPS; i++)
		convert(side, b->nr_pages / 2 + 3, 1, i % 2 ? SHARED : PRIVATE);
	return FLIPS;
}

/* No page comes twice: the multiplier is odd, and the size is a power of 2. */
static uint64_t flip_any_pages(const struct bench *b, const struct conversion_side *side,
			       uint64_t nr_pages)
{
	(void)nr_pages;
	for (uint64_t i = 0; i < FLIPS; i++)
		convert(side, (i * 0x9e3779b1 + 12345) % b->nr_pages, 1, PRIVATE);
	return FLIPS;
}

static uint64_t convert_at_once(const struct bench *b, const struct conversion_side *side,
				uint64_t nr_pages)
{
	(void)b;
	convert(side, 0, nr_pages, PRIVATE);
	convert(side, 0, nr_pages, SHARED);
	return 2;
}

static uint64_t alternate(const struct bench *b, const struct conversion_side *side,
			  uint64_t nr_pages)
{
	(void)b;
	for (uint64_t at = 0; at < nr_pages; at += 2)
		convert(side, at, 1, PRIVATE);
	return nr_pages / 2;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Prints a row. */
static void row(const struct bench *b, const char *name, work_fn work, uint64_t nr_pages)
{
	static uint64_t ns[SIDE_NR][MAX_ROUNDS];
	uint64_t done = 1;
	double us[SIDE_NR];

	for (unsigned int i = 0; i <= b->rounds; i++) { /* the first round warms up */
		for (int side = 0; side < SIDE_NR; side++) {
			uint64_t begin;

			/* the side before has left its own memory in the caches */
			flip_one_page(b, &b->sides[side], 0);
			begin = now_ns();
			done = work(b, &b->sides[side], nr_pages);
			ns[side][i ? i - 1 : 0] = now_ns() - begin;
			convert(&b->sides[side], 0, b->nr_pages, SHARED);
		}
	}
	for (int side = 0; side < SIDE_NR; side++) {
		qsort(ns[side], b->rounds, sizeof(uint64_t), compare_numbers);
		us[side] = (double)ns[side][b->rounds / 2] / (double)done / 1e3;
	}
	printf("%-30s %11.4g %11.4g %8.2gx %11.4g %8.2gx\n", name, us[SIDE_KVM], us[SIDE_4K],
	       us[SIDE_4K] / us[SIDE_KVM], us[SIDE_2M], us[SIDE_2M] / us[SIDE_KVM]);
}

static void rows_of_1g(struct bench *b, bool allocate)
{
	create(b, GIB, allocate);
	printf("1G, %s\n", allocate ? "all of it allocated" : "nothing allocated");
	row(b, "a 4K page, the same again", flip_one_page, 0);
	row(b, "4K pages, anywhere, to private", flip_any_pages, 0);
	row(b, "all at once", convert_at_once, GIB);
	row(b, "every other 4K page to private", alternate, GIB);
	destroy(b);
}

/*
 * Times conversions of one page of each of @NR_BLOCKS folios of 2M, to shared and back, under a
 * policy. Returns us in us[SHARED] and us[PRIVATE].
 */
static void time_policy(const struct bench *b, enum policy policy, double us[2])
{
	static uint64_t ns[2][MAX_ROUNDS];
	struct gmem g;

	check(gmem_create(&g, NR_BLOCKS * BLOCK, gmem_flags(FOLIO_2M, policy, PRIVATE)),
	      "a VM with memory");
	check(gmem_allocate(g.fd, 0, g.nr_pages), "fallocate()");
	for (unsigned int i = 0; i <= b->rounds; i++)
		for (int to = SHARED; to <= PRIVATE; to++) {
			const uint64_t begin = now_ns();

			for (uint64_t block = 0; block < NR_BLOCKS; block++)
				check(gmem_convert(g.fd, block * BLOCK + 7, 1, to, NULL),
				      "KVM_SET_MEMORY_ATTRIBUTES2");
			ns[to][i ? i - 1 : 0] = now_ns() - begin;
		}
	for (int to = SHARED; to <= PRIVATE; to++) {
		qsort(ns[to], b->rounds, sizeof(uint64_t), compare_numbers);
		us[to] = (double)ns[to][b->rounds / 2] / NR_BLOCKS / 1e3;
	}
	gmem_destroy(&g);
}

/* Prints what splits and merges add to conversions that make them. */
static void rows_of_policies(const struct bench *b)
{
	double lazy[2], eager[2];

	time_policy(b, POLICY_LAZY, lazy);
	time_policy(b, POLICY_EAGER_NONUNIFORM, eager);
	printf("%-30s %11s %21s\n", "one page of a 2M folio", "lazy", "eager-nonuniform");
	printf("%-30s %11.4g %11.4g %8.3gx\n", "to shared; splits it", lazy[SHARED], eager[SHARED],
	       eager[SHARED] / lazy[SHARED]);
	printf("%-30s %11.4g %11.4g %8.3gx\n", "to private; merges it", lazy[PRIVATE],
	       eager[PRIVATE], eager[PRIVATE] / lazy[PRIVATE]);
}

static void rows_of_64g(struct bench *b)
{
	create(b, 64 * GIB, false);
	puts("64G, nothing allocated");
	for (uint64_t gib = 1; gib <= 64; gib *= 2) {
		char name[32];

		snprintf(name, sizeof(name), "%uG at once", (unsigned int)gib);
		row(b, name, convert_at_once, gib * GIB);
	}
	destroy(b);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = 5};
	uint64_t rounds;

	if (argc > 1) {
		if (argc != 3 || strcmp(argv[1], "--rounds") || setup_number(argv[2], &rounds) ||
		    !rounds || rounds > MAX_ROUNDS) {
			fprintf(stderr, "usage: bench [--rounds N]\n");
			return EXIT_CANNOT;
		}
		b.rounds = (unsigned int)rounds;
	}
	if (!gmem_supported())
		return EXIT_SKIPPED;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("us a conversion, medians of %u rounds; x: by KVM's own store\n", b.rounds);
	printf("%-30s %11s %21s %21s\n", "", "KVM", "in place, 4K folios", "in place, 2M folios");
	rows_of_1g(&b, false);
	rows_of_1g(&b, true);
	rows_of_64g(&b);
	rows_of_policies(&b);
	return 0;
}
