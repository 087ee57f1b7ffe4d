// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attr_bench.c - times KVM's own store of attributes and the library
 *
 * KVM keeps attributes in an array with one entry a page. From this array it recomputes which 2M
 * and 1G blocks are mixed. Three sides are timed, with the same conversions of 64 MiB:
 *
 *	KVM      KVM_SET_MEMORY_ATTRIBUTES of a VM whose guest never ran, so nothing is zapped
 *	library  gms_convert() without a backend: the same attributes, and folios, pins and policy.
 *	         There is no system call
 *	both     gms_convert() with the backend for KVM: the attributes in both, the host's
 *	         mappings, and punching the unused sides out
 *
 * Figures are medians of the rounds, all from one run. The program asserts nothing about them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gmemstate/kvm.h>

#include "attributes.h"
#include "machine.h"

#define PAGES 16384ULL
#define GFN ((1ULL << 30) >> 12)
#define ROUNDS 15
#define FLIPS 1024
#define AT_ONCE 8 /* even */

enum side_kind { SIDE_KVM, SIDE_LIBRARY, SIDE_BOTH, SIDE_NR };

/* One of the three sides. The VM or the state object may be missing. */
struct side {
	struct machine m;
	struct gms_kvm *kvm;
	struct gms_state *state;
};

struct bench {
	struct side sides[SIDE_NR];
	bool flipped[PAGES];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "attr_bench: %s: %s\n", what, strerror(-err));
	exit(2);
}

static void create_vm(struct side *side)
{
	struct gms_kvm_opts opts = GMS_KVM_OPTS_INIT;

	check(machine_create(&side->m, MACHINE_VM_SW_PROTECTED), "a VM");
	opts.vm_fd = side->m.vm;
	opts.way = GMS_KVM_ATTRIBUTES;
	opts.nr_pages = PAGES;
	opts.first_slot = 1;
	opts.nr_slots = 1;
	check(gms_kvm_create(&opts, &side->kvm), "its memory");
}

static void create(struct bench *b)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	create_vm(&b->sides[SIDE_KVM]);
	create_vm(&b->sides[SIDE_BOTH]);
	opts.nr_pages = PAGES;
	check(gms_state_create(&opts, &b->sides[SIDE_LIBRARY].state), "a state object");
	opts.backend = gms_kvm_backend();
	opts.backend_ctx = b->sides[SIDE_BOTH].kvm;
	check(gms_state_create(&opts, &b->sides[SIDE_BOTH].state), "a state object");
	for (int i = 0; i < SIDE_NR; i++)
		if (b->sides[i].kvm)
			check(gms_kvm_map(b->sides[i].kvm, GFN, 0, PAGES), "a memslot");
}

static void destroy(struct bench *b)
{
	for (int i = 0; i < SIDE_NR; i++) {
		gms_state_destroy(b->sides[i].state);
		gms_kvm_destroy(b->sides[i].kvm);
		if (b->sides[i].kvm)
			machine_destroy(&b->sides[i].m);
	}
}

static void convert(const struct side *side, uint64_t start, uint64_t nr_pages, bool private)
{
	if (side->state)
		check(gms_convert(side->state, start, nr_pages, private ? GMS_PRIVATE : GMS_SHARED,
				  0, NULL),
		      "gms_convert()");
	else
		check(set_attributes(side->m.vm, GFN + start, nr_pages, private),
		      "KVM_SET_MEMORY_ATTRIBUTES");
}

/*
 * The work that is timed. All pages are shared before and after. Returns the number of
 * conversions.
 */
typedef uint64_t (*work_fn)(struct bench *b, const struct side *side);

static uint64_t flip_pages(struct bench *b, const struct side *side)
{
	uint64_t x = 1;

	memset(b->flipped, 0, sizeof(b->flipped));
	for (int i = 0; i < FLIPS; i++) {
		uint64_t at;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		at = (x >> 33) % PAGES;
		b->flipped[at] = !b->flipped[at];
		convert(side, at, 1, b->flipped[at]);
	}
	return FLIPS;
}

static uint64_t convert_at_once(struct bench *b, const struct side *side)
{
	(void)b;
	for (int i = 0; i < AT_ONCE; i++)
		convert(side, 0, PAGES, !(i % 2));
	return AT_ONCE;
}

static uint64_t alternate(struct bench *b, const struct side *side)
{
	(void)b;
	for (uint64_t at = 0; at < PAGES; at += 2)
		convert(side, at, 1, true);
	for (uint64_t at = 0; at < PAGES; at += 2)
		convert(side, at, 1, false);
	return PAGES;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Times one round. Returns nanoseconds. All pages are shared afterwards. */
static uint64_t measure(struct bench *b, const struct side *side, work_fn work, uint64_t *done)
{
	uint64_t t = now_ns();

	*done = work(b, side);
	t = now_ns() - t;
	convert(side, 0, PAGES, false);
	if (side->state && !gms_range_is(side->state, 0, PAGES, GMS_SHARED))
		check(-EIO, "the state afterwards");
	return t;
}

/* Prints a row. The sides take turns, so that other load on the machine slows all of them. */
static void row(struct bench *b, const char *name, work_fn work)
{
	uint64_t ns[SIDE_NR][ROUNDS], done = 1;
	double us[SIDE_NR];

	for (int i = -1; i < ROUNDS; i++) /* round -1 warms up */
		for (int side = 0; side < SIDE_NR; side++)
			ns[side][i < 0 ? 0 : i] = measure(b, &b->sides[side], work, &done);
	for (int side = 0; side < SIDE_NR; side++) {
		qsort(ns[side], ROUNDS, sizeof(uint64_t), compare_numbers);
		us[side] = (double)ns[side][ROUNDS / 2] / (double)done / 1e3;
	}
	printf("%-34s %12.2f %12.2f %7.2gx %12.2f %7.3gx\n", name, us[SIDE_KVM], us[SIDE_LIBRARY],
	       us[SIDE_LIBRARY] / us[SIDE_KVM], us[SIDE_BOTH], us[SIDE_BOTH] / us[SIDE_KVM]);
}

int main(void)
{
	static struct bench b;

	setvbuf(stdout, NULL, _IOLBF, 0);
	create(&b);
	printf("us a conversion, medians of %d rounds; x: by KVM's own store alone\n", ROUNDS);
	printf("%-34s %12s %21s %21s\n", "", "KVM", "library", "library and KVM");
	row(&b, "a 4K page, anywhere in 64M", flip_pages);
	row(&b, "64M at once", convert_at_once);
	row(&b, "every other 4K page of 64M", alternate);
	destroy(&b);
	return 0;
}
