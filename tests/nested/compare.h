/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare.h - what the files of the comparison share: its rows and its options
 *
 *	compare.c   options, set-up, the loop
 *	convert.c   one random conversion, and what the library has to answer
 *	bare.c      the row without guest_memfd: KVM_EXIT_MEMORY_FAULT
 *	plant.c     mismatches made on purpose: is the comparison able to fail?
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "check.h"
#include "setup.h"

/* Where the guest sees the bare row. */
#define BARE_GFN ((3ULL << 30) >> 12)
#define BARE_SLOT (FIRST_SLOT + NR_SLOTS)

enum plant {
	PLANT_NOTHING,
	PLANT_ATTRIBUTE, /* KVM takes one page for the opposite of what it is */
	PLANT_DEAF, /* KVM is not told, from then on, of pages that become private */
	PLANT_SLOT, /* a memslot is taken away */
	PLANT_HOST, /* the host sees memory where a page is private */
	PLANT_LOST, /* a page is lost, and comes back filled with 0 */
	PLANT_NR,
};

struct options {
	uint64_t pages;
	uint64_t conversions;
	uint64_t seed;
	enum gms_kvm_way way;
	enum plant plant;
};

struct bare {
	struct row row; /* row.state: NULL where this VM has no attributes */
	void *memory;
};

struct compare {
	struct options options;
	struct machine m;
	struct memory memory;
	struct row row;
	struct bare bare;
	struct tally tally;
	uint64_t rng, stamp;
	uint64_t pinned, failed; /* conversions that a pin or a hook refused */
	unsigned int fail_apply; /* the apply that is to fail: 1 is the next; 0: none */
	bool apply_failed; /* it did */
	int hook_err; /* the guest could not go on in a hook */
	bool planted; /* what was to be planted is */
	bool deaf; /* PLANT_DEAF */
	bool attributes; /* the VM has them */
};

/* The next random number, below @below. */
uint64_t draw(struct compare *c, uint64_t below);
enum probe_mode draw_mode(struct compare *c);

/* convert.c: the library's hooks, with checks in between; their ctx is the struct gms_kvm. */
const struct gms_backend_ops *compare_backend(struct compare *c);

/* Convert something, and check it and a page either side. 0; -errno: it cannot go on. */
int convert_something(struct compare *c);

/* bare.c */
int bare_create(struct compare *c);
void bare_destroy(struct compare *c);
int bare_convert_something(struct compare *c);

/* plant.c. 0; -errno: could not. */
int plant_parse(const char *name, enum plant *plant);
const char *plant_name(enum plant plant);
int plant_now(struct compare *c);

#endif /* COMPARE_H */
